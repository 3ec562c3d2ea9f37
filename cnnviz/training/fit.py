"""The one training loop of the repository: it yields records and draws nothing."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from cnnviz.analysis.device import as_device, has_bf16
from cnnviz.analysis.evaluate import Evaluation, check_fit, evaluate
from cnnviz.analysis.filters import is_convolution
from cnnviz.analysis.hooks import same_random_numbers_after
from cnnviz.analysis.signals import Signals, signals, update_ratios, weights_of
from cnnviz.datasets import ImageSet
from cnnviz.training.batches import Batches
from cnnviz.training.recipe import Recipe

MOST_WEIGHTS = 20_000  # of a layer whose filters are kept at every epoch unless the caller chooses
FAR = 1_000_000_007  # between the seeds of the processes that train one network together
PROBE = 64  # training images on which the signals are measured


@dataclass(frozen=True, eq=False)
class EpochRecord:
    """What is known after one epoch; epoch 0 is the network before training."""

    epoch: int  # 0 to epochs
    epochs: int  # of the whole run
    train_loss: float  # the recipe's; mean over the epoch's batches, while the weights move (epoch 0: as test_loss)
    train_error: float  # fraction of the training images, likewise
    test_loss: float  # the recipe's (cross-entropy: nats, without smoothing); mean over the test images at the end
    test_error: float  # fraction of the test images whose label has not the largest logit
    test_top5_error: float  # fraction of the test images whose label is not among the five largest logits
    lr: float  # step size in the middle of the epoch
    seconds: float  # training and testing
    images_per_second: float  # training alone; 0 in epoch 0
    num_classes: int
    filters: dict[str, Tensor] = field(repr=False)  # layer -> float32 [out, in, k, k] at the end of the epoch, cpu
    signals: Signals | None = field(default=None, repr=False)  # at the end of the epoch, unless they are off
    leaked: float = 0.0  # fraction of the test images that are also, pixel for pixel, training images

    def describe(self) -> str:
        """Say the epoch's figures in a sentence."""
        return (
            f"Epoch {self.epoch} of {self.epochs}: training loss {self.train_loss:.4f}, error {self.train_error:.2%}; "
            f"test loss {self.test_loss:.4f}, error {self.test_error:.2%}; {self.seconds:.1f} s."
        )

    def state_dict(self) -> dict:
        """Return the record in tensors and plain values."""
        return vars(self) | {"signals": self.signals and vars(self.signals)}

    @classmethod
    def from_state_dict(cls, state: dict) -> "EpochRecord":
        """Return the record of which `state_dict` made this."""
        found = state.get("signals")  # checkpoints of before the signals have none
        return cls(**state | {"signals": found and Signals(**found)})


def fit(
    model: nn.Module,
    data: ImageSet,
    recipe: Recipe,
    *,
    device: str | torch.device | None = None,
    seed: int = 0,
    keep_filters: Sequence[str] | None = None,
    signals: bool = True,
    compile: bool = False,
    accelerator=None,
) -> "Run":
    """Return a run, an iterator that trains `model` one epoch for each record that is taken from it.

    Where a batch does not fit into the device's memory it is split, which is said, and gradients are added up: the step
    is that of the whole batch, but for the statistics of batch normalisation, which are those of the parts.

    Args:
        model: takes images [N, C, H, W] of `data`, returns logits [N, num_classes], in training mode also a tuple of
            them: the network's own, then those of its auxiliary heads. Goes to `device`, changes in place.
        data: moved to `device` as uint8, normalised and augmented a batch at a time.
        recipe: the hyperparameters.
        device: cuda, mps or cpu; the best there is by default.
        seed: of the order of the images, their augmentation and dropout. On a processor the same seed and model give
            the same weights, bit for bit. The random state outside is left as it was.
        keep_filters: convolution layers whose filters each record keeps; by default all of at most 20,000 weights.
        signals: measure the health of every layer at the end of each epoch, on 64 training images.
        compile: train a program that torch.compile makes of the model: minutes to make, faster on a GPU.
        accelerator: `accelerate.Accelerator()` in each of several processes that call `fit` alike: every batch is
            shared out, gradients are summed; all make the steps, and give the records, that one process would, but
            for dropout and the statistics of batch normalisation, which are those of the shares.

    Raises:
        TypeError, ValueError: before training, where model and data do not fit, or a layer or device does not exist.
    """
    if not isinstance(data, ImageSet) or not isinstance(recipe, Recipe):
        given = f"{type(data).__name__} and {type(recipe).__name__}"
        raise TypeError(f"fit takes a model, an ImageSet and a Recipe; data and recipe are {given}")
    for labels in (data.y_train, data.y_test):
        check_fit(model, data.normalise(data.x_test[:1]), labels, len(labels))
    return Run(
        model,
        data,
        recipe,
        as_device(device),
        seed,
        _layers_to_keep(model, keep_filters),
        signals,
        compile,
        accelerator,
    )


class Run(Iterator[EpochRecord]):
    """Training that happens while it is iterated: `for record in run`.

    Interrupted or stopped in the middle of an epoch, it goes back to the end of the last whole epoch; iterating again
    resumes there, and on a processor ends with the weights that it would have had without the interruption.
    """

    def __init__(self, model, data, recipe, device, seed, layers, signals, compile, accelerator):
        self.model, self.data, self.recipe, self.device, self.seed = model.to(device), data, recipe, device, seed
        self.note = data.note  # what must be said wherever the records are shown
        self.on_batch: Callable[[int, int], None] | None = None  # called with batches done and batches of this epoch
        self._layers, self._wants_signals, self._ratios = layers, signals, {}
        self._network = torch.compile(self.model) if compile else self.model
        self._loss, self._test_loss = recipe.loss_function(), replace(recipe, label_smoothing=0.0).loss_function()
        self.precision = recipe.precision if has_bf16(device) else "float32"  # of multiplications
        self._parts = 1  # of a batch; more where the device's memory is too small for a whole one
        self._accelerator = accelerator
        self._process = accelerator.process_index if accelerator else 0
        self._batches = Batches(data, recipe, device, self._process, accelerator.num_processes if accelerator else 1)
        self._x_test, self._y_test = data.normalise(data.x_test.to(device)), data.y_test.to(device)
        self._optimizer = recipe.build_optimizer(model)
        self._stopping = self._midway = False
        self._checkpoint = self._snapshot([])

    @property
    def records(self) -> list[EpochRecord]:
        """The records so far."""
        return list(self._checkpoint["records"])

    def stop(self) -> None:
        """End the iteration cleanly after the current batch; iterating again resumes."""
        self._stopping = True

    def __iter__(self) -> "Run":
        self._stopping = False
        return self

    def __next__(self) -> EpochRecord:
        epoch = len(self._checkpoint["records"])
        if self._stopping or epoch > self.recipe.epochs:
            raise StopIteration
        if self._midway:  # an interrupt arrived even while the model was being set back
            self._restore()
        self._midway = True
        try:
            with (
                _own_random_numbers(self._epoch_seed(epoch) + FAR * self._process, self.device),
                _channels_last(self.model, self.device),
                torch.enable_grad(),
            ):
                record = self._first_record() if epoch == 0 else self._train_and_test(epoch)
            if record is None:
                raise StopIteration
            self._checkpoint = self._snapshot([*self._checkpoint["records"], record])
        except BaseException as error:
            self._restore()
            if isinstance(error, KeyboardInterrupt):
                print(f"Interrupted. {self.describe()}")
            raise
        self._midway = False
        return record

    def describe(self) -> str:
        """Say how far the run is."""
        records = self._checkpoint["records"]
        if not records:
            return f"Not trained yet: 0 of {self.recipe.epochs} epochs."
        rest = "" if len(records) > self.recipe.epochs else " Iterate the run again to go on from there."
        return f"{len(records)} records kept. {records[-1].describe()}{rest}"

    def __repr__(self) -> str:
        return self.describe()

    def state_dict(self) -> dict:
        """Return all that `load_state_dict` needs to go on from the last whole epoch, in tensors and plain values."""
        return self._checkpoint | {"records": [record.state_dict() for record in self._checkpoint["records"]]}

    def load_state_dict(self, state: dict) -> None:
        """Go to the state of another run with the same model, data, recipe and seed."""
        self._checkpoint = state | {"records": [EpochRecord.from_state_dict(one) for one in state["records"]]}
        self._restore()

    def _first_record(self) -> EpochRecord:
        start = time.perf_counter()
        test = self._test(self._x_test, self._y_test)
        train_x = self.data.normalise(self.data.x_train[: len(self._x_test)])  # as many as in the test: enough
        train = self._test(train_x, self.data.y_train[: len(self._x_test)])
        return self._record(0, train.loss, train.error[1], test, start, 0.0)

    def _train_and_test(self, epoch: int) -> EpochRecord | None:
        """Return the record of one epoch, or None where `stop` was called before its end."""
        start = time.perf_counter()
        trained = self._train(epoch)
        if trained is None:
            return None
        seconds = time.perf_counter() - start
        test = self._test(self._x_test, self._y_test)
        rate = len(self.data.x_train) / seconds
        return self._record(epoch, *trained, test, start, rate)

    def _test(self, images: Tensor, labels: Tensor) -> Evaluation:
        return evaluate(self.model, images, labels, loss=self._test_loss)

    def _train(self, epoch: int) -> tuple[float, float] | None:
        """Train one epoch; return mean loss and error. Sums stay on the device: no batch waits for a number."""
        total, seen = len(self._batches), 0
        loss_sum = torch.zeros((), device=self.device)
        wrong = torch.zeros((), device=self.device, dtype=torch.int64)
        losses = [record.train_loss for record in self._checkpoint["records"][1:]]
        self._optimizer.zero_grad()  # the learner may have called backward() before
        _begin_momentum(self._optimizer)
        with _training_mode(self.model):
            shares = zip(self._batches.epoch(self._epoch_seed(epoch)), self._batches.sizes, strict=True)
            for done, ((images, labels), size) in enumerate(shares, 1):
                for group in self._optimizer.param_groups:
                    group["lr"] = self.recipe.lr_at(epoch - 1 + (done - 0.5) / total, losses)
                batch_loss, batch_wrong = self._backward(images, labels, size)
                self._sum_gradients()
                if self.recipe.clip_norm:
                    nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
                watched = self._wants_signals and done == (total + 1) // 2  # where the record's lr is
                before = weights_of(self.model) if watched else {}
                self._optimizer.step()
                self._optimizer.zero_grad()
                if watched:
                    self._ratios = update_ratios(self.model, before)
                loss_sum += batch_loss
                wrong += batch_wrong
                seen += size
                if self.on_batch:
                    self.on_batch(done, total)
                if self._stopping and done < total:
                    return None
        loss_sum, wrong = self._sum([loss_sum, wrong])
        return loss_sum.item() / seen, wrong.item() / seen

    def _sum(self, tensors: list[Tensor]) -> list[Tensor]:
        """Return the sums over all processes."""
        return self._accelerator.reduce(tensors, "sum") if self._accelerator else tensors

    def _sum_gradients(self) -> None:
        parameters = [parameter for parameter in self.model.parameters() if parameter.grad is not None]
        for parameter, total in zip(parameters, self._sum([one.grad for one in parameters]), strict=True):
            parameter.grad = total

    def _backward(self, images: Tensor, labels: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """Leave this share of the gradient of the mean loss of a batch of `size` images in the parameters.

        Returns:
            sum of the losses and number of errors of the share.
        """
        while True:
            try:
                pairs = zip(images.chunk(self._parts), labels.chunk(self._parts), strict=True)
                results = [self._backward_part(*pair, size) for pair in pairs]
                return tuple(map(sum, zip(*results, strict=True)))
            except torch.OutOfMemoryError:
                if self._parts >= len(labels):
                    raise
            self._optimizer.zero_grad()
            self._parts *= 2
            print(
                f"A batch of {len(labels)} images does not fit into the memory of {self.device}: from here on it is "
                f"split into {self._parts}. Gradients are added up; batch normalisation sees the parts."
            )

    def _backward_part(self, images: Tensor, labels: Tensor, batch_size: int) -> tuple[Tensor, Tensor]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            outputs = self._network(images)
        losses, total = self._losses(outputs, labels)
        (total / batch_size).backward()
        wrong = _own_logits(outputs).detach().argmax(1) != labels
        return losses.detach().sum(), wrong.sum()

    def _losses(self, outputs: Tensor | tuple[Tensor, ...], labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the network's own loss of each image, and the sum of all losses, auxiliary ones with their weight."""
        logits, *auxiliary = (outputs,) if isinstance(outputs, Tensor) else outputs
        losses = self._loss(logits.float(), labels)
        return losses, losses.sum() + sum(
            self.recipe.aux_weight * self._loss(other.float(), labels).sum() for other in auxiliary
        )

    def _signals(self) -> Signals | None:
        """Measure on training images that stand evenly over the set, as many as fit into the device's memory."""
        if not self._wants_signals:
            return None
        count = min(PROBE, len(self.data.x_train))
        while True:
            chosen = torch.linspace(0, len(self.data.x_train) - 1, count).long()
            images = self.data.normalise(self.data.x_train[chosen].to(self.device))
            labels = self.data.y_train[chosen].to(self.device)
            try:
                found = signals(self.model, images, labels, lambda outputs, y: self._losses(outputs, y)[1] / len(y))
                break
            except torch.OutOfMemoryError:
                if count <= 2:
                    raise
                count //= 2
        return replace(found, update_ratio=tuple(self._ratios.get(layer, 0.0) for layer in found.layers))

    def _record(self, epoch, train_loss, train_error, test, start, images_per_second) -> EpochRecord:
        return EpochRecord(
            epoch=epoch,
            epochs=self.recipe.epochs,
            train_loss=train_loss,
            train_error=train_error,
            test_loss=test.loss,
            test_error=test.error[1],
            test_top5_error=test.error[5],
            lr=self.recipe.lr_at(max(0, epoch - 0.5), [record.train_loss for record in self.records[1:]]),
            seconds=time.perf_counter() - start,
            images_per_second=images_per_second,
            num_classes=self.data.num_classes,
            filters={
                name: self.model.get_submodule(name).weight.detach().to("cpu", torch.float32, copy=True)
                for name in self._layers
            },
            signals=self._signals(),
            leaked=self.data.leaked if self._wants_signals else 0.0,
        )

    def _epoch_seed(self, epoch: int) -> int:
        """Return the seed of one epoch: nothing but run and epoch decides its random numbers, so resuming is exact."""
        return self.seed * 10_007 + epoch  # a prime above any number of epochs

    def _snapshot(self, records: list[EpochRecord]) -> dict:
        states = {"model": self.model.state_dict(), "optimizer": self._optimizer.state_dict()}
        buffers = {name: buffer for name, buffer in self.model.named_buffers() if name not in states["model"]}
        return {"records": records} | copy.deepcopy(states | {"buffers": buffers})

    def _restore(self) -> None:
        """Set model and optimizer back to the end of the last whole epoch."""
        self._optimizer.zero_grad()
        self.model.load_state_dict(self._checkpoint["model"])
        for name, buffer in self._checkpoint.get("buffers", {}).items():  # not persistent; older checkpoints lack them
            module, _, attribute = name.rpartition(".")
            setattr(self.model.get_submodule(module), attribute, buffer.clone())
        self._optimizer.load_state_dict(copy.deepcopy(self._checkpoint["optimizer"]))  # it would share tensors
        self._midway = False


def _own_logits(outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    return outputs if isinstance(outputs, Tensor) else outputs[0]


def _layers_to_keep(model: nn.Module, names: Sequence[str] | None) -> tuple[str, ...]:
    layers = {name: layer.weight.numel() for name, layer in model.named_modules() if is_convolution(layer)}
    if names is None:
        return tuple(name for name, count in layers.items() if count <= MOST_WEIGHTS)
    for name in names:
        if name not in layers:
            raise ValueError(f"keep_filters names {name!r}; the convolution layers are {', '.join(layers) or 'none'}")
    return tuple(names)


@contextmanager
def _training_mode(model: nn.Module) -> Iterator[None]:
    """Put the model into training mode; afterwards each submodule is again in the mode that it was in."""
    before = [(module, module.training) for module in model.modules()]
    try:
        model.train()
        yield
    finally:
        for module, training in before:
            module.training = training


def _begin_momentum(optimizer: torch.optim.Optimizer) -> None:
    """Give every parameter its momentum, 0 at first, in the layout that it has now.

    torch begins one when a gradient comes. Its fused step then refuses those that come later, as they do where
    stochastic depth leaves out other layers in every step.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"] if group.get("momentum") else ():
            optimizer.state[parameter].setdefault("momentum_buffer", torch.zeros_like(parameter))


@contextmanager
def _channels_last(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Hold filters channels last while a processor trains: LeNet-5 takes a quarter less time so (oneDNN)."""
    filters = [parameter for parameter in model.parameters() if parameter.ndim == 4 and device.type == "cpu"]
    strides = [parameter.stride() for parameter in filters]
    try:
        for parameter in filters:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        yield
    finally:
        for parameter, stride in zip(filters, strides, strict=True):
            if parameter.stride() != stride:
                parameter.data = parameter.data.new_empty_strided(parameter.shape, stride).copy_(parameter.data)


@contextmanager
def _own_random_numbers(seed: int, device: torch.device) -> Iterator[None]:
    """Draw torch's global random numbers (dropout's, for instance) from `seed`; afterwards they go on as before."""
    with same_random_numbers_after([device]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed GPUs that are not ours
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        yield
