"""Chapter 05, LeNet: five exercises. Two ask for a table (a dict by layer), two for an nn.Module, one a function."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from cnnviz.exercises.check import Mistake, Verdict, cases, compare, fail
from cnnviz.exercises.verdict import show
from cnnviz.models import lenet5, lenet5_1998
from cnnviz.models.lenet import scaled_tanh


def check_layer_shapes(layer_shapes: dict[str, tuple[int, ...]]) -> Verdict:
    """What comes out of LeNet-5's layers for one 28 x 28 image. Difficulty 2 of 5, 10 minutes.

    A dict by layer, c1 s2 c3 s4 c5 f6 output: (channels, height, width), or (length,) from c5 on. The right shapes are
    the package's; the verdict names the wrong layer and keeps its shape to itself.
    """
    shapes = _shapes(_package(lenet5))
    maps = {name: shape for name, shape in shapes.items() if len(shape) == 3}
    first = "torch's shape of a map is (channels, height, width), without the number of images."

    def sizes(c1, s2, c3, s4):
        return {**shapes, "c1": (6, c1, c1), "s2": (6, s2, s2), "c3": (16, c3, c3), "s4": (16, s4, s4)}.get

    mistakes = [
        Mistake("padding forgotten", "c1 pads its image with 2 pixels on each side.", sizes(24, 12, 8, 4)),
        Mistake("padding in c3", "Only c1 pads its input.", sizes(28, 14, 14, 7)),
        Mistake("one pixel lost", "size - kernel_size + 1 windows fit.", sizes(27, 13, 8, 4), sizes(28, 14, 9, 4)),
        Mistake("pooling forgotten", "s2 and s4 halve height and width.", sizes(28, 28, 24, 24), sizes(28, 28, 10, 10)),
        Mistake("channels last", first, {**shapes, **{name: (*s[1:], s[0]) for name, s in maps.items()}}.get),
        Mistake("channels forgotten", first, {**shapes, **{name: s[1:] for name, s in maps.items()}}.get),
        Mistake("images counted", first, {name: (1, *s) for name, s in shapes.items()}.get),
    ]
    table = layer_shapes
    if isinstance(table, dict):  # c5 as a convolution gives (120, 1, 1), the same numbers
        table = {name: _without_ones(shape) for name, shape in table.items()}
    return _compare_tables("layer_shapes", table, shapes, mistakes)


def check_layer_parameters(layer_parameters: dict[str, int]) -> Verdict:
    """Parameters of each layer of LeNet-5 as of 1998. Difficulty 3 of 5, 15 minutes.

    A dict by layer, c1 s2 c3 s4 c5 f6: weights and biases that are learned, 60,000 in all, as the paper says.
    """
    model = _package(lenet5_1998)
    right = {name: sum(p.numel() for p in layer.parameters()) for name, layer in model.named_children()}
    del right["output"]  # radial basis functions in 1998
    subsampling = "In 1998 each map of s2 and s4 has one coefficient and one bias."
    partial_maps = "Maps of c3 see 3, 4 or 6 maps of s2 (table I): 60 connections, each of 5 x 5 weights."
    connections = {"c1": 122_304, "s2": 5_880, "c3": 151_600, "s4": 2_000, "c5": 48_120, "f6": 10_164}  # the paper's
    no_bias = {"c1": 150, "s2": 6, "c3": 1_500, "s4": 16, "c5": 48_000, "f6": 10_080}
    mistakes = [
        Mistake(
            "bias forgotten",
            "Every map and every neuron has a bias too.",
            no_bias.get,
            (no_bias | {"s2": 12, "s4": 32}).get,
        ),
        Mistake("pooling without parameters", subsampling, (right | {"s2": 0, "s4": 0}).get),
        Mistake("c3 fully connected", partial_maps, (right | {"c3": 2_416}).get),
        Mistake("modern LeNet", subsampling + " " + partial_maps, (right | {"s2": 0, "c3": 2_416, "s4": 0}).get),
        Mistake("one bias a connection", "c3 has one bias a map, 16.", (right | {"c3": 1_560}).get),
        Mistake("connections counted", "Shared weights count once.", connections.get),
    ]
    return _compare_tables("layer_parameters", layer_parameters, right, mistakes)


def check_first_block(first_block: nn.Module) -> Verdict:
    """LeNet's first block, c1 to s2. Difficulty 2 of 5, 10 minutes.

    An nn.Module, images [N, 1, H, W] -> [N, 6, H / 2, W / 2]: 6 filters 5 x 5 with padding 2, ReLU, max pooling.
    Compared with torch for the module's own weights.
    """
    names = {name: p.shape for name, p in _package(lenet5).named_parameters() if name.startswith("c1.")}
    fault = _module_fault("first_block", first_block, names)
    if fault is not None:
        return fault
    block = partial(_block, *(p.detach() for p in first_block.parameters()))
    mistakes = [
        Mistake("activation forgotten", "A ReLU follows the convolution.", partial(block, activation=torch.clone)),
        Mistake("other activation", MODERN, *(partial(block, activation=other) for other in OTHER_ACTIVATIONS)),
        Mistake("average pooling", MODERN, partial(block, pool=F.avg_pool2d)),
        Mistake("pooling forgotten", "s2 halves height and width.", partial(block, pool=_no_pool)),
        Mistake("stride for pooling", "c1 has stride 1; s2 halves.", partial(block, pool=_no_pool, stride=2)),
        Mistake("padding forgotten", "c1 pads its image with 2 pixels on each side.", partial(block, padding=0)),
    ]
    with _as_it_was(first_block):
        return compare("first_block", first_block, block, _images(first_block, (1, 1, 6, 6), (2, 1, 10, 8)), mistakes)


def check_lenet(lenet: nn.Module) -> Verdict:
    """The whole of LeNet-5 in its modern form, 61,706 parameters. Difficulty 3 of 5, 20 minutes.

    An nn.Module, images [N, 1, 28, 28] -> logits [N, 10]. Its parameters are compared layer by layer, in their order,
    and its output with the package's for the same weights.
    """
    package = _package(lenet5)
    names = {name: p.shape for name, p in package.named_parameters()}
    fault = _module_fault("lenet", lenet, names)
    if fault is not None:
        return fault
    weights = {name: p.detach().reshape(names[name]) for name, p in zip(names, lenet.parameters(), strict=True)}
    net = partial(_lenet, weights)
    mistakes = [
        Mistake(
            "softmax at the end",
            "The output is logits; the loss applies softmax.",
            *(partial(net, end=e) for e in SOFTMAX),
        ),
        Mistake("activation at the end", "The output is logits of either sign.", partial(net, end=F.relu)),
        Mistake(
            "activation forgotten",
            "A ReLU follows c1, c3, c5 and f6.",
            *(partial(net, linear=(name,)) for name in HIDDEN),
        ),
        Mistake("activation forgotten", "A ReLU follows c1, c3, c5 and f6.", partial(net, linear=HIDDEN)),
        Mistake("other activation", MODERN, *(partial(net, activation=other) for other in OTHER_ACTIVATIONS)),
        Mistake("average pooling", MODERN, partial(net, pool=F.avg_pool2d)),
    ]
    with _as_it_was(lenet):
        right = partial(torch.func.functional_call, package, weights)
        return compare("lenet", lenet, right, _images(lenet, (1, 1, 28, 28), (3, 1, 28, 28)), mistakes)


def check_error_rate(error_rate: Callable) -> Verdict:
    """The share of images that a network gets wrong. Difficulty 1 of 5, 5 minutes.

    ``error_rate(logits [N, classes], labels [N]) -> number from 0 to 1``: the largest logit is the answer.
    """

    def right(logits, labels):
        return (logits.argmax(1) != labels).double().mean().item()

    share = "The error is a share: wrong images / all images, from 0 to 1."
    largest = "The answer of the network is the class of the largest logit: argmax over dimension 1."
    mistakes = [
        Mistake("accuracy for error", "Count the wrong ones.", lambda x, y: 1 - right(x, y)),
        Mistake("percent", share, lambda x, y: 100 * right(x, y)),
        Mistake("number of errors", share, lambda x, y: right(x, y) * len(y)),
        Mistake("integer division", share + " Divide with /.", lambda x, y: int(right(x, y))),
        Mistake("smallest logit", largest, lambda x, y: right(-x, y)),
        Mistake("argmax over images", largest, lambda x, y: (x.argmax(0) != y).double().mean()),
        Mistake("one answer an image", "Take the mean over the images.", lambda x, y: (x.argmax(1) != y).double()),
    ]
    drawn = []
    for n in (4, 10, 8):  # as many images as classes, so that a wrong dimension fits too
        logits = torch.stack([_order(n + i, n) for i in range(n)]).float()
        best, worst = logits.argmax(1), logits.argmin(1)
        mixed = torch.where(torch.arange(n) < n // 4, best, _order(n, n))
        drawn += [(logits, mixed), (logits, best), (logits, worst)]
    return compare("error_rate", error_rate, right, cases("logits labels", *drawn), mistakes)


MODERN = "The modern form has ReLU and max pooling; tanh and averages are those of 1998."
HIDDEN = ("c1", "c3", "c5", "f6")
OTHER_ACTIVATIONS = (torch.tanh, torch.sigmoid, scaled_tanh)
SOFTMAX = (partial(F.softmax, dim=1), partial(F.log_softmax, dim=1))


def _block(weight, bias, images, *, activation=F.relu, pool=F.max_pool2d, padding=2, stride=1) -> Tensor:
    return pool(activation(F.conv2d(images, weight, bias, stride, padding)), 2)


def _no_pool(images, kernel_size) -> Tensor:
    return images


def _lenet(weights, x, *, activation=F.relu, pool=F.max_pool2d, end=torch.clone, linear=()) -> Tensor:
    """LeNet-5 with one part exchanged; ``linear`` names the layers without activation."""

    def layer(name, x):
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        x = F.conv2d(x, weight, bias, padding=2 * (name == "c1")) if weight.ndim == 4 else F.linear(x, weight, bias)
        return x if name in linear else activation(x)

    x = pool(layer("c1", x), 2)  # N, 6, 14, 14
    x = pool(layer("c3", x), 2).flatten(1)  # N, 400
    x = layer("f6", layer("c5", x))  # N, 84
    return end(F.linear(x, weights["output.weight"], weights["output.bias"]))


def _package(build: Callable[[], nn.Module]) -> nn.Module:
    """The package's model, built without drawing from the learner's random numbers."""
    with torch.random.fork_rng(devices=[]):
        return build()


def _shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """The shape of what comes out of each layer, without the number of images."""
    shapes = {}
    for name, layer in model.named_children():
        layer.register_forward_hook(lambda _layer, _in, out, name=name: shapes.update({name: tuple(out.shape[1:])}))
    model(torch.zeros(1, 1, 28, 28))
    return shapes


def _without_ones(shape):
    """(120, 1, 1) -> (120,); anything else as it is."""
    long = isinstance(shape, tuple | list) and len(shape) == 3
    return shape[:1] if long and tuple(shape[1:]) == (1, 1) else shape


def _compare_tables(exercise: str, table: dict, right: dict, mistakes: list[Mistake]) -> Verdict:
    """The learner's dict as a function of the layer's name."""
    if table is not ... and not isinstance(table, dict):
        return fail(exercise, "not a table", f"Pass a dict with the keys {', '.join(right)}.")
    if table is not ... and (unknown := [name for name in table if name not in right]):
        return fail(exercise, "unknown layer", f"{unknown[0]!r} is no layer; the layers are {', '.join(right)}.")
    look_up = table if table is ... else lambda layer: table.get(layer, ...)
    return compare(exercise, look_up, right.get, cases("layer", *[(name,) for name in right]), mistakes, reveal=False)


def _module_fault(exercise: str, module: nn.Module, names: dict[str, torch.Size]) -> Verdict | None:
    """What is wrong with a module's parameters, by layer; None where they have the right shapes in the right order."""
    if module is ... or _untouched(module):
        return fail(exercise, "not written yet", "Put your layers in the place of the three dots.")
    if not isinstance(module, nn.Module):
        return fail(exercise, "not a module", f"Pass an nn.Module, an object and not its class, not {show(module)}.")
    shapes = [() if is_lazy(p) else tuple(p.shape) for p in module.parameters()]
    for i, (name, right) in enumerate(names.items()):
        layer, kind = name.split(".")
        shape = shapes[i] if i < len(shapes) else None
        if shape and shape[0] == right[0] and prod(shape) == right.numel():
            continue  # c5 may be a 5 x 5 convolution: the same numbers
        if kind == "bias":
            return fail(exercise, "bias forgotten", f"{layer} adds {right[0]} biases.")
        if shape is None:
            return fail(exercise, f"layer {layer} is missing", f"Its weight has the shape {tuple(right)}.")
        return fail(exercise, f"layer {layer} is wrong", f"Its weight has the shape {shape}, expected {tuple(right)}.")
    if len(shapes) > len(names):
        return fail(exercise, "too many parameters", f"After {layer} comes one of shape {shapes[len(names)]}.")
    return None


def _untouched(module: nn.Module) -> bool:
    """Whether it is a module without a parameter whose forward still comes to three dots."""
    if not isinstance(module, nn.Module) or list(module.parameters()):
        return False
    try:
        return module(torch.zeros(1, 1, 28, 28)) is ...
    except Exception:  # whatever is wrong with it, it has been written
        return False


def _order(seed: int, n: int) -> Tensor:
    """The numbers 0 to n - 1 in a random order: no two logits are equal."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def _images(module: nn.Module, *shapes: tuple[int, ...]) -> list[dict[str, Tensor]]:
    """Random images where the module's parameters are."""
    device = next(module.parameters()).device
    draw = torch.Generator().manual_seed(5)
    return cases("images", *[(torch.randn(shape, generator=draw).to(device),) for shape in shapes])


@contextmanager
def _as_it_was(module: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients inside; every part's mode is restored."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for part, mode in modes:
            part.training = mode
