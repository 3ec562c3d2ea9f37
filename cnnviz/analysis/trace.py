"""Run a network without numbers, and write down every layer and every function that runs.

What runs is a copy whose parameters, buffers and inputs are tensors on torch's meta device, which have a shape and no
content: the largest network takes no memory, and Python's control flow, shared layers and branches run as they always
do. A value that nobody computed cannot steer the run: `if x.mean() > 0` is an error. Hooks of the learner's own do not
run, as they would find tensors without content.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import prod
from numbers import Integral
from types import MethodType

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from cnnviz.analysis.empty_results import empty_result
from cnnviz.analysis.hooks import check_module, same_random_numbers_after_a_look, uncompiled
from cnnviz.models.stochastic_depth import StochasticDepth

InputSize = int | Sequence | Mapping | Tensor | None
QUESTIONS = {"shape", "size", "dim", "ndim", "numel", "dtype", "device", "requires_grad", "is_floating_point"}
VALUES = {"item", "tolist", "numpy", "__bool__", "__int__", "__float__", "__index__", "nonzero", "argwhere", "unique"}
PLAIN = {type(None), bool, int, float, str}  # asked for first, as most of what a module and a call hold is of these


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a torch function, from the model's code or from a layer's."""

    name: str  # "conv2d", "add", "relu_"
    function: Callable
    args: tuple
    kwargs: dict
    given: tuple[Tensor, ...]  # those among the arguments
    made: tuple[Tensor, ...]  # those that it returns
    written: tuple[Tensor, ...]  # the arguments that it overwrites, in whole or in part


@dataclass(eq=False)
class Run:
    """One run of a layer, or of a torch function that the model calls between its layers."""

    name: str  # "stage1.0.conv1", "stage1.0.add"; the second run of the same has _1 at the end
    kind: str  # class of the layer, or name of the function
    module: nn.Module | None  # None for a function
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    own: tuple[Tensor, ...] = ()  # parameters and buffers of the layer, or those that the function takes
    calls: list[Call] = field(default_factory=list)
    mult_adds: int = 0  # of convolutions and matrix products
    kept_bytes: int = 0  # that autograd keeps for the backward pass, those that an earlier run keeps left out


@dataclass(eq=False)
class Pass:
    """One run of a module that has parts, and what ran within it, in order."""

    name: str  # as in named_modules()
    module: nn.Module | None  # None for what lies around the whole model
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()
    parts: list["Pass | Run | Call"] = field(default_factory=list)  # a Call only looks at a tensor differently


@dataclass(frozen=True, eq=False)
class Trace:
    """What ran, in order. All tensors are on the meta device."""

    inputs: tuple[Tensor, ...]
    runs: tuple[Run, ...]
    calls: tuple[Call, ...]  # of all runs, and those that only look at a tensor differently (flatten, a slice)
    outputs: dict[str, tuple[Tensor, ...]]  # module name -> what its first run returned; "" is the model
    tensors: dict[str, Tensor]  # name -> the parameter or buffer
    constants: tuple[Tensor, ...]  # other tensors that the model brought along
    top: Pass  # around the whole model: the tree of what ran


@torch.inference_mode(False)
def trace(model: nn.Module, inputs: Sequence[Tensor] | Mapping[str, Tensor], *, training: bool = False) -> Trace:
    """Run a copy of the model once and return what ran; model, gradients and random numbers stay as they were.

    Args:
        model: any module.
        inputs: what its forward takes, in order or by name; only shapes and types matter.
        training: run in training mode, in which every branch of stochastic depth survives; evaluation mode otherwise.

    Raises:
        TypeError: the model is no nn.Module.
        ValueError: the model does not take such inputs, asks for the value of a tensor, or was scripted.
    """
    check_module(model)
    model = uncompiled(model)
    originals = dict(_named_tensors(model.named_modules()))
    copied, copies = _without_content(model, originals)
    args = () if isinstance(inputs, Mapping) else tuple(map(_to_meta, inputs))
    kwargs = {name: _to_meta(tensor) for name, tensor in inputs.items()} if isinstance(inputs, Mapping) else {}
    copied.train(training)
    names = {module: name for name, module in copied.named_modules()}
    for module in names:
        if training and isinstance(module, StochasticDepth):
            module.survival = 1.0
    tensors = dict(_named_tensors((name, module) for module, name in names.items()))
    recorder = _Recorder(names, copies, tensors.values())
    with same_random_numbers_after_a_look({tensor.device for tensor in originals.values()}), torch.enable_grad():
        try:
            keeps = torch.autograd.graph.saved_tensors_hooks(recorder.keep, lambda tensor: tensor)
            with keeps, recorder, _MultAdds(recorder):
                copied(*args, **kwargs)
        except (RuntimeError, TypeError) as error:
            shapes = ", ".join(str(list(tensor.shape)) for tensor in (*args, *kwargs.values()))
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ValueError(f"{type(model).__name__} does not run with inputs of shape {shapes}: {reason}") from error
    new = [name for name, _ in _named_tensors(copied.named_modules()) if name not in tensors]
    if new:
        raise ValueError(f"{type(model).__name__} makes {new[0]} only when it runs; run the model once before")
    return Trace(
        inputs=(*args, *kwargs.values()),
        runs=tuple(recorder.runs),
        calls=tuple(recorder.calls),
        outputs=recorder.outputs,
        tensors=tensors,
        constants=tuple(recorder.constants),
        top=recorder.passes[0],
    )


def as_inputs(model: nn.Module, input_size: InputSize, batch_size: int = 1) -> list[Tensor] | dict[str, Tensor]:
    """Return empty inputs of that size on the meta device.

    Args:
        model: its `in_channels` and `image_size` fill in what input_size leaves open.
        input_size: shape of one input without the batch, (3, 224, 224); a single number for square images; a list of
            shapes for several inputs, a dict for inputs by name; a tensor (with its batch) where the type matters;
            None for the model's own.
        batch_size: inputs at a time.

    Raises:
        TypeError: input_size is none of these.
        ValueError: it is left out, and the model does not say its own.
    """
    check_module(model)
    if input_size is None:
        input_size = getattr(model, "image_size", None)
        if input_size is None:
            raise ValueError(f"{type(model).__name__} does not say its image_size; give input_size, (3, 224, 224) say")
    if isinstance(input_size, Integral):
        input_size = (getattr(model, "in_channels", 3), input_size, input_size)
    types = (parameter.dtype for parameter in model.parameters() if parameter.is_floating_point())
    words = {"batch_size": batch_size, "dtype": next(types, torch.float32)}
    if isinstance(input_size, Mapping):
        return {name: _empty(size, **words) for name, size in input_size.items()}
    if isinstance(input_size, Tensor) or _is_shape(input_size):
        return [_empty(input_size, **words)]
    if isinstance(input_size, list | tuple):
        return [_empty(size, **words) for size in input_size]
    raise TypeError(f"input_size must be a shape, (3, 224, 224) say, not {input_size!r}")


def _is_shape(value) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(size, Integral) for size in value)


def _empty(size, batch_size: int, dtype: torch.dtype) -> Tensor:
    if isinstance(size, Tensor):
        return _to_meta(size)
    if not _is_shape(size):
        raise TypeError(f"input_size must be a shape, (3, 224, 224) say, not {size!r}")
    if min((batch_size, *size)) < 1:
        raise ValueError(f"batch_size (={batch_size}) and input_size (={tuple(size)}) must be at least 1")
    return torch.empty(batch_size, *size, dtype=dtype, device="meta")


def tensors_in(value) -> list[Tensor]:
    """Return the tensors in nested tuples, lists, dicts and objects with fields, in order."""
    if isinstance(value, Tensor):
        return [value]
    if not isinstance(value, tuple | list):
        if isinstance(value, Mapping):
            value = value.values()
        elif hasattr(value, "__dataclass_fields__"):
            value = vars(value).values()
        else:
            return []
    return [tensor for part in value if type(part) not in PLAIN for tensor in tensors_in(part)]


class _Recorder(TorchFunctionMode):
    """Sees every call of a torch function while it is on; the layers of the model, a copy, report themselves."""

    def __init__(self, names: dict[nn.Module, str], copies: dict[int, object], tensors: Iterable[Tensor]):
        self.names = names
        self.copies = copies  # id of a tensor of the learner's model -> its copy
        self.own = {_storage(tensor): tensor for tensor in tensors}
        self.kept = set(self.own)  # storages that autograd keeps, and those that the model has anyway
        self.used = set(self.names.values())  # as names of rows
        self.ran: set[nn.Module] = set()
        self.runs: list[Run] = []
        self.calls: list[Call] = []
        self.outputs: dict[str, tuple[Tensor, ...]] = {}
        self.within: list[nn.Module] = []  # the modules that are running, outermost first
        self.passes = [Pass("", None)]  # those of them that have parts
        self.run: Run | None = None  # the layer or function that is running
        self.constants: list[Tensor] = []
        self.kept_tensors: list[Tensor] = []  # alive, so that no other takes over their storage's address
        for module in self.names:
            module.register_forward_pre_hook(self._enter, with_kwargs=True)
            module.register_forward_hook(self._leave)

    def _enter(self, module: nn.Module, args: tuple, kwargs: dict) -> None:
        # A model without parts is a layer only if it is torch's; of one's own, its functions are worth a row each.
        whole = not self.within and not type(module).__module__.startswith("torch.nn")
        inputs = tuple(tensors_in((args, kwargs)))
        if self.run is None and _is_layer(module) and not whole:
            kind = nn.utils.parametrize.type_before_parametrizations(module).__name__
            own = tuple(tensor for _, tensor in _named_tensors(module.named_modules()))
            self.run = Run(self._name(module, kind), kind, module, inputs, own=own)
            self.runs.append(self.run)
            self.passes[-1].parts.append(self.run)
        elif self.run is None:
            self.passes[-1].parts.append(Pass(self.names[module], module, inputs))
            self.passes.append(self.passes[-1].parts[-1])
        self.within.append(module)

    def _leave(self, module: nn.Module, args: tuple, output):
        self.within.pop()
        ends = self.run is not None and self.run.module is module and module not in self.within
        if ends and any(output is tensor for tensor in self.run.inputs):
            output = output.view_as(output)  # an Identity: what it returns is told from what it took
        outputs = tuple(tensors_in(output))
        self.outputs.setdefault(self.names[module], outputs)
        if self.run is None and self.passes[-1].module is module:
            self.passes.pop().outputs = outputs
        if ends:
            self.run.outputs = outputs
            self.run = None
        return output

    def _name(self, module: nn.Module, kind: str) -> str:
        again = module in self.ran
        self.ran.add(module)
        name = self.names[module] or kind
        return self._unused(name) if again else name

    def _unused(self, name: str) -> str:
        """Return the name, with _1, _2 and so on at its end if it is taken."""
        candidate, number = name, 0
        while candidate in self.used:
            number += 1
            candidate = f"{name}_{number}"
        self.used.add(candidate)
        return candidate

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(function, "__name__", str(function))
        if name == "__get__":
            name = function.__self__.__name__  # a property: shape, T
        if name in QUESTIONS:
            return function(*args, **kwargs)
        given = tensors_in((args, kwargs))
        if any(tensor.is_meta for tensor in given):  # what the model computes from other tensors, it may compute
            args, kwargs = self._on_meta(args), self._on_meta(kwargs)
            if not all(tensor.is_meta for tensor in given):
                given = tensors_in((args, kwargs))
        if name in VALUES and any(tensor.is_meta for tensor in given):
            raise _ValueNeededError(f"it asks for the value of a tensor ({name}), and this run computes none")
        versions = [tensor._version for tensor in given]
        outside = self.run is None
        if outside:
            storages = [_storage(tensor) for tensor in given]
            own = tuple(self.own[storage] for storage in storages if storage in self.own)
            inputs = tuple(t for t, storage in zip(given, storages, strict=True) if storage not in self.own)
            self.run = Run("", name.strip("_"), None, inputs, own=own)
        try:
            output = self._result(function, name, args, kwargs, given)
        finally:
            run, self.run = self.run, None if outside else self.run
        made = tuple(tensors_in(output))
        written = tuple(tensor for tensor, old in zip(given, versions, strict=True) if tensor._version != old)
        if made or written:
            call = Call(name, function, args, kwargs, tuple(given), made, written)
            self.calls.append(call)
            run.calls.append(call)
            if outside:
                new = any(_storage(tensor) not in storages for tensor in made)
                if any(tensor.is_meta for tensor in given) and (new or written):
                    path = self.names[self.within[-1]] if self.within else ""
                    run.name, run.outputs = self._unused(f"{path}.{run.kind}".lstrip(".")), made
                    self.runs.append(run)
                self.passes[-1].parts.append(run if run.name else call)
        return output

    def _result(self, function, name, args, kwargs, given):
        """Call the function; what it makes anew has no content, and what has none goes to no device."""
        if name in ("to", "cpu", "cuda") and given[0].is_meta:
            types = [part for part in (*args[1:], *kwargs.values()) if isinstance(part, torch.dtype | Tensor)]
            types = [part.dtype if isinstance(part, Tensor) else part for part in types]
            return function(args[0], types[0]) if types else args[0].view_as(args[0])
        with torch.device("meta"):  # not on all the time, as it slows every question down
            output = function(*args, **kwargs)
        if not given and isinstance(output, Tensor) and output.ndim == 0:
            return function(*args, **kwargs)  # a single number that comes from no other may steer the run
        return output

    def _on_meta(self, value):
        """Return the arguments in new lists (the model may append to its own), every tensor on the meta device."""
        if type(value) in PLAIN:
            return value
        if isinstance(value, Tensor) and not value.is_meta:
            if id(value) in self.copies:
                return self.copies[id(value)]
            self.constants.append(_to_meta(value))
            return self.constants[-1]
        if isinstance(value, dict):
            return {key: self._on_meta(part) for key, part in value.items()}
        return type(value)(map(self._on_meta, value)) if type(value) in (tuple, list) else value

    def keep(self, tensor: Tensor) -> Tensor:
        """Note that autograd keeps a tensor."""
        storage = _storage(tensor)
        if storage not in self.kept and (self.run or self.runs):
            self.kept.add(storage)
            self.kept_tensors.append(tensor)
            (self.run or self.runs[-1]).kept_bytes += tensor.untyped_storage().nbytes()
        return tensor


class _MultAdds(TorchDispatchMode):
    """Adds the mult-adds of every convolution and matrix product to the run in which it happens."""

    def __init__(self, recorder: _Recorder):
        super().__init__()
        self.recorder = recorder

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and preparing for it would load torch's compiler: seconds

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        operation = function.overloadpacket.__name__
        output = empty_result(function, args, kwargs or {})
        if output is None:
            output = function(*args, **(kwargs or {}))
        number = mult_adds(operation, args, output)
        if number:
            (self.recorder.run or self.recorder.runs[-1]).mult_adds += number
        return output


def mult_adds(operation: str, args: tuple, output) -> int:
    """Return how often one of torch's basic operations multiplies two numbers and adds the product to a sum.

    Convolutions and matrix products; 0 for everything else, and for the bias, which adds without a product.
    """
    if operation == "convolution":
        image, weight, transposed = args[0], args[1], args[6]
        return (image if transposed else output).numel() * prod(weight.shape[1:])  # torch: [out, in / groups, k, k]
    if operation in ("mm", "bmm", "mv", "dot"):
        return output.numel() * args[0].shape[-1]
    if operation in ("addmm", "baddbmm", "addmv"):
        return output.numel() * args[1].shape[-1]
    if operation.startswith("_scaled_dot_product"):
        query, key, value = args[:3]
        return prod(query.shape[:-1]) * key.shape[-2] * (query.shape[-1] + value.shape[-1])
    return 0


class _ValueNeededError(RuntimeError):
    """The model asks for a number that a run without numbers does not have."""


def _named_tensors(modules: Iterable[tuple[str, nn.Module]]) -> Iterator[tuple[str, Tensor]]:
    """Yield every parameter and buffer once, under the first of its names. `named_parameters` walks for each kind."""
    seen: set[Tensor] = set()
    for path, module in modules:
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and tensor not in seen:
                seen.add(tensor)
                yield f"{path}.{name}" if path else name, tensor


def _without_content(model: nn.Module, tensors: Mapping[str, Tensor]) -> tuple[nn.Module, dict[int, object]]:
    """Return a copy of the model with parameters and buffers on the meta device, and {id of an original: its copy}.

    All modules are new, and so are their dicts, lists and sets: whatever forward adds or replaces stays in the copy.
    Other tensors are copied with their content, as they may steer the run; other objects are the learner's own.
    """
    copies: dict[int, object] = {}
    for name, tensor in tensors.items():
        if isinstance(tensor, nn.parameter.UninitializedTensorMixin):
            raise ValueError(f"the shape of {name} is not known yet (a lazy layer); run the model once before")
        copy = _to_meta(tensor)
        copies[id(tensor)] = nn.Parameter(copy, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else copy
    modules = dict(model.named_modules())
    for name, module in modules.items():
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(f"{name or 'the model'} was scripted, which hides its layers; take it as it was before")
        copies[id(module)] = object.__new__(type(module))
    for module in modules.values():
        attributes = vars(copies[id(module)])
        for name, value in vars(module).items():
            attributes[name] = value if type(value) in PLAIN else _copied(value, copies)
        for hooks in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            for key in [key for key, hook in attributes[hooks].items() if not _is_torchs(hook)]:
                del attributes[hooks][key]
    return copies[id(model)], copies


def _copied(value, copies: dict[int, object]):
    if type(value) in PLAIN:
        return value
    if id(value) in copies:
        return copies[id(value)]
    if isinstance(value, dict):  # a module has a dozen, most of them empty
        copy = value.copy()
        for key, part in value.items():
            copy[key] = _copied(part, copies)
    elif isinstance(value, Tensor):
        copy = value.detach().clone().requires_grad_(value.requires_grad and value.is_leaf)
    elif isinstance(value, MethodType):  # self.activation = self.relu6
        return MethodType(value.__func__, _copied(value.__self__, copies))
    elif type(value) in (list, set, tuple):
        copy = type(value)(_copied(part, copies) for part in value)
    else:
        return value
    copies[id(value)] = copy
    return copy


def _is_torchs(hook) -> bool:
    """Return whether a hook belongs to torch: weight normalisation and pruning set weights in hooks."""
    return (getattr(hook, "__module__", None) or type(hook).__module__).startswith("torch.")


def _is_layer(module: nn.Module) -> bool:
    """Return whether a module has no parts, those that only compute its weight (`parametrizations`) left out."""
    return all(name == "parametrizations" for name, _ in module.named_children())


@contextmanager
def no_collection() -> Iterator[None]:
    """Let Python not search for garbage during the block: where all that is made lives on, it would search in vain."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _to_meta(tensor: Tensor) -> Tensor:
    return torch.empty(tensor.shape, dtype=tensor.dtype, device="meta")


def _storage(tensor: Tensor) -> int:
    """Return what is the same for all tensors that look at the same memory."""
    return tensor.untyped_storage()._cdata
