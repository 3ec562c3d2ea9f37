"""A network at the points of a line or plane through its weights: moved there and evaluated, many times and fast.

The learner's network is never moved: a copy is. Batch normalisation that is frozen multiplies each channel by a number
and adds another; where a convolution stands straight before it, both are multiplied into the convolution's weights and
directions once, and it is gone from every point.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnviz.analysis.directions import Direction, tensors_of
from cnnviz.analysis.evaluate import check_fit, check_images, device_of
from cnnviz.analysis.hooks import check_module, uncompiled
from cnnviz.analysis.losses import Loss, loss_function
from cnnviz.analysis.trace import trace
from cnnviz.datasets import ImageSet

BN = ("frozen", "batch")
DTYPES = (torch.float32, torch.bfloat16, torch.float64)
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
SMALL = 0.1  # a mean loss below this is computed again in float32 where bf16 was asked for
Data = ImageSet | tuple[Tensor, Tensor]
SHOWN = 12  # images whose prediction is kept at every point


class Slice:
    """A copy of a network that goes to any point of the line or plane which `directions` span from its weights.

    Its forward hooks are copied, too, and run at every point.

    Args:
        model: any module that takes images [N, C, H, W] and returns logits [N, num_classes].
        images, labels: float32 [N, C, H, W], normalised, and int64 [N]; the same at every point.
        directions: of the axes; names of parameters or buffers -> tensors. What none of them names stays in place.
        bn: "frozen": batch normalisation keeps the statistics of the centre. "batch": it takes those of each batch.
        dtype: of the arithmetic; bfloat16 multiplies in bf16 and adds up in float32.
        batch_size: images at a time, in batches of nearly equal size. None: as many as are fast, 32 on a processor,
            whose cache holds their maps, and 512 on a GPU; with statistics of the batch 250.
        loss: of each image, from logits and labels; cross-entropy by default.
        fold: whether to multiply frozen batch normalisation into convolutions, where that is exact.

    Raises:
        TypeError, ValueError: model, images, labels, directions or options do not fit; the message says what does.
    """

    def __init__(
        self,
        model: nn.Module,
        images: Tensor,
        labels: Tensor,
        directions: Sequence[Direction],
        *,
        bn: str = "frozen",
        dtype: torch.dtype = torch.float32,
        batch_size: int | None = None,
        loss: Loss | None = None,
        fold: bool = True,
    ):
        check_module(model)
        model = uncompiled(model)
        check_images(images)
        if bn not in BN:
            raise ValueError(f"bn (={bn!r}) must be one of {', '.join(map(repr, BN))}")
        if dtype not in DTYPES:
            raise ValueError(f"dtype (={dtype}) must be one of {', '.join(map(str, DTYPES))}")
        if batch_size is not None and batch_size < 1:
            raise ValueError(f"batch_size (={batch_size}) must be at least 1")
        for number, direction in enumerate(directions, 1):
            _check_direction(model, direction, f"direction {number}")
        self.device, self.bf16 = device_of(model), dtype == torch.bfloat16
        exact = torch.float32 if self.bf16 else dtype
        network = _copied(model).to(exact).eval().requires_grad_(False)
        check_fit(network, images[:1].to(exact), labels, len(images))
        self.loss = loss or loss_function()
        self.probe = _probe(network, self.loss, images[:1].to(self.device, exact), labels[:1].to(self.device))
        self._steps = [{name: step.to(self.device, exact) for name, step in one.items()} for one in directions]
        self.folded = _fold(network, images[:1].to(exact), self._steps) if fold and bn == "frozen" else ()
        for module in network.modules():
            if bn == "batch" and isinstance(module, _BatchNorm):
                module.train()
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        tensors = tensors_of(network)
        names = [name for name in tensors if any(name in one for one in self._steps)]
        self.network = network
        self._moved = [tensors[name] for name in names]
        self._centre = [tensor.detach().clone() for tensor in self._moved]
        self._steps = [[_as(one.get(name), tensors[name]) for name in names] for one in self._steps]
        fast = 250 if bn == "batch" else 32 if self.device.type == "cpu" else 512
        parts = -(-len(images) // (batch_size or fast))
        self.batch_size = -(-len(images) // parts)  # of the largest batch; others have one image less
        if bn == "batch" and len(images) // parts < 2:
            raise ValueError(f"bn='batch' needs two images a batch at least; batch_size (={batch_size}) gives one")
        images = images.to(self.device, exact).contiguous(memory_format=torch.channels_last)
        labels = labels.to(self.device)
        self.batches = list(zip(images.tensor_split(parts), labels.tensor_split(parts), strict=True))
        self.count, self.axes = len(images), len(directions)
        self._place = torch.zeros(self.axes, dtype=exact, device=self.device)
        self._sum_dtype = torch.float32 if self.device.type == "mps" else torch.float64  # Apple's GPUs have no other
        self._recorded: Callable | None = None

    @torch.no_grad()
    def at(self, points: Sequence[Sequence[float]]) -> tuple[Tensor, Tensor]:
        """Return sums over all images at each point, and what the first `SHOWN` of them are taken for.

        Args:
            points: a coordinate along each direction, for each point.

        Returns:
            float64 [points, 3], the sum of the losses, of their squares, and the number of right answers; int64
            [points, shown]. Both on the cpu; the device is waited for once.
        """
        if self._recorded is None:
            self._recorded = self._record() if self.device.type == "cuda" else self._evaluate
        found = [self._sums(point) for point in points]
        sums, guesses = (torch.stack(column).cpu() for column in zip(*found, strict=True))
        if self.bf16:
            for number in (sums[:, 0] < SMALL * self.count).nonzero().flatten().tolist():
                self._go(points[number])
                exact, guessed = self._evaluate(bf16=False)
                sums[number], guesses[number] = exact.cpu(), guessed.cpu()
        return sums, guesses

    @torch.no_grad()
    def move(self, point: Sequence[float]) -> None:
        """Set the weights of `network` to those of a point."""
        self._go(point)
        self._move()

    def _go(self, point: Sequence[float]) -> None:
        self._place.copy_(torch.tensor(point, dtype=self._place.dtype))

    def _move(self) -> None:
        if not self._moved:  # no direction, no other place
            return
        torch._foreach_copy_(self._moved, self._centre)
        for coordinate, steps in zip(self._place.unbind(), self._steps, strict=True):
            torch._foreach_add_(self._moved, torch._foreach_mul(steps, coordinate))

    def _record(self) -> Callable[[], tuple[Tensor, ...]]:
        """Return `_evaluate` as one CUDA graph: the GPU then does not wait for a hundred small launches a batch.

        Where it cannot be recorded, or does not give the same when it is played elsewhere, as it is.
        """
        with torch.cuda.device(self.device):
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # once before: libraries choose their algorithms then
                self._evaluate()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph):
                    results = self._evaluate()
            except RuntimeError:  # its code asks for numbers, which a graph does not have
                return self._evaluate

            def play() -> tuple[Tensor, ...]:
                graph.replay()
                return results

            self._go([0.3] * self.axes)
            expected = [tensor.clone() for tensor in self._evaluate()]
            same = all(torch.allclose(a, b, rtol=1e-3) for a, b in zip(play(), expected, strict=True))
            return play if same else self._evaluate

    def _sums(self, point: Sequence[float]) -> tuple[Tensor, Tensor]:
        self._go(point)
        return tuple(tensor.clone() for tensor in self._recorded())

    def _evaluate(self, bf16: bool | None = None) -> tuple[Tensor, Tensor]:
        """Evaluate the network at the place that is set; without a word to Python in between."""
        bf16 = self.bf16 if bf16 is None else bf16
        self._move()
        sums, guesses = torch.zeros(3, dtype=self._sum_dtype, device=self.device), []
        with exact_float32(self.device), torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            outputs = [self.network(images) for images, _ in self.batches]
        for logits, (_, labels) in zip(outputs, self.batches, strict=True):
            logits = logits.float() if bf16 else logits
            losses, guessed = self.loss(logits, labels).to(self._sum_dtype), logits.argmax(1)
            sums += torch.stack([losses.sum(), (losses**2).sum(), (guessed == labels).sum().to(self._sum_dtype)])
            guesses.append(guessed)
        return sums, torch.cat(guesses)[:SHOWN]


def _probe(network: nn.Module, loss: Loss, image: Tensor, label: Tensor) -> float:
    """Return the loss of one image, and raise unless it is one number for each image."""
    with torch.no_grad():
        found = loss(network(image), label)
    if found.shape != (1,):
        raise ValueError(
            f"loss must return a number for each image, shape [N]; for one image it gave {list(found.shape)}. "
            "Torch's losses do with reduction='none'"
        )
    return found.item()


@contextmanager
def exact_float32(device: torch.device) -> Iterator[None]:
    """Multiply float32 numbers as such on an NVIDIA GPU, which would round them to TF32, and set back what was set."""
    if device.type != "cuda":
        yield
        return
    switches = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [switch.allow_tf32 for switch in switches]
    try:
        for switch in switches:
            switch.allow_tf32 = False
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value


def pair_of(data: Data) -> tuple[Tensor, Tensor]:
    """Return normalised images and labels: the training images of an ImageSet, or the pair that was given."""
    if isinstance(data, ImageSet):
        return data.normalise(data.x_train), data.y_train
    if isinstance(data, tuple | list) and len(data) == 2:
        return tuple(data)
    raise TypeError(f"data must be an ImageSet or a pair (images, labels), not {type(data).__name__}")


def _copied(model: nn.Module) -> nn.Module:
    """Return a copy that shares nothing with the model."""
    try:
        return copy.deepcopy(model)
    except RuntimeError as error:
        raise ValueError(
            f"{type(model).__name__} cannot be copied ({str(error).splitlines()[0]}); detach the tensors that it keeps"
        ) from error


def _check_direction(model: nn.Module, direction: Direction, what: str) -> None:
    tensors = tensors_of(model)
    for name, step in direction.items():
        if name not in tensors:
            raise ValueError(
                f"{what} moves {name}, and {type(model).__name__} has no such parameter or buffer of floating point"
            )
        if step.shape != tensors[name].shape:
            shapes = list(step.shape), list(tensors[name].shape)
            raise ValueError(f"{what} has the shape {shapes[0]} for {name}, which has {shapes[1]}; they must agree")
        if not step.isfinite().all():
            raise ValueError(f"{what} holds NaN or infinity in {name}; every number must be finite")
    if not any(step.any() for step in direction.values()):
        raise ValueError(f"{what} is 0 everywhere; it leads nowhere")


def _as(step: Tensor | None, like: Tensor) -> Tensor:
    """Return the step with the strides of what it moves, so that both are walked through side by side."""
    return torch.zeros_like(like) if step is None else torch.empty_like(like).copy_(step)


def _fold(network: nn.Module, image: Tensor, directions: Sequence[dict[str, Tensor]]) -> tuple[str, ...]:
    """Multiply frozen batch normalisation into the convolutions straight before it; return the names of what is gone.

    (w * x + b - mean) s + shift, with s = weight / sqrt(var + eps), is (s w) * x + s (b - mean) + shift; a step along
    a direction changes w and b, and so s w and s b, by s times the step.
    """
    gone = []
    for convolution, normalisation in _pairs(network, image):
        after = network.get_submodule(normalisation)
        names = {f"{normalisation}.{name}" for name, _ in [*after.named_parameters(), *after.named_buffers()]}
        if any(step.any() for one in directions for name, step in one.items() if name in names):
            continue  # the direction moves it: it is not frozen
        before = network.get_submodule(convolution)
        scale = torch.rsqrt(after.running_var + after.eps)
        scale = scale * after.weight if after.affine else scale
        shift = after.bias if after.affine else torch.zeros_like(scale)
        bias = torch.zeros_like(scale) if before.bias is None else before.bias
        before.bias = nn.Parameter(scale * (bias - after.running_mean) + shift, requires_grad=False)
        before.weight.mul_(_along_first(scale, before.weight))
        for one in directions:
            for name in (f"{convolution}.weight", f"{convolution}.bias"):
                if name in one:
                    one[name] = one[name] * _along_first(scale, one[name])
        parent, _, own = normalisation.rpartition(".")
        setattr(network.get_submodule(parent), own, nn.Identity())
        gone.append(normalisation)
    for one in directions:
        for name in [name for name in one if name.rpartition(".")[0] in gone]:
            del one[name]
    return tuple(gone)


def _pairs(network: nn.Module, image: Tensor) -> list[tuple[str, str]]:
    """Return the names of convolution and batch normalisation where the second alone reads what the first returns.

    Both run once and without hooks, and no other part of the network holds or reads what they own.
    """
    try:
        found = trace(network, [image])
    except ValueError:  # its code asks for numbers, and a trace has none
        return []
    owners = [id(tensor) for module in network.modules() for tensor in module._parameters.values()]
    modules = dict(network.named_modules(remove_duplicate=False))
    named = {name for name in modules if sum(other is modules[name] for other in modules.values()) == 1}
    pairs = []
    for after in found.runs:
        if type(after.module) not in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d) or len(after.inputs) != 1:
            continue
        read = after.inputs[0]
        before = next((run for run in found.runs if any(read is made for made in run.outputs)), None)
        if before is None or type(before.module) not in CONVOLUTIONS or not {before.name, after.name} <= named:
            continue
        inside = {id(call) for call in (*before.calls, *after.calls)}
        kept = [read, *before.own, *after.own]
        elsewhere = any(  # also where one of the two runs twice
            tensor is one for call in found.calls if id(call) not in inside for tensor in call.given for one in kept
        )
        returned = any(read is tensor for tensor in found.outputs[""])
        both = modules[before.name], modules[after.name]
        hooked = any(module._forward_hooks or module._forward_pre_hooks for module in both)
        mine = [module._parameters.values() for module in both]
        alone = all(owners.count(id(tensor)) == 1 for one in mine for tensor in one if tensor is not None)
        plain = "weight" in modules[before.name]._parameters and modules[after.name].track_running_stats
        if alone and plain and not (elsewhere or returned or hooked):
            pairs.append((before.name, after.name))
    return pairs


def _along_first(scale: Tensor, tensor: Tensor) -> Tensor:
    """Return numbers of channels in a shape that multiplies the first axis of `tensor`."""
    return scale.reshape(-1, *[1] * (tensor.ndim - 1))
