"""How the parts of a network hang together: boxes within boxes, the tensors that flow between them, what each costs."""

import ast
import inspect
import linecache
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from torch import Tensor, nn

from cnnviz.analysis.hooks import check_module
from cnnviz.analysis.layer_table import LayerRow, Shape, field_jump, field_size, table_of
from cnnviz.analysis.pixel_fields import pixel_fields
from cnnviz.analysis.trace import Call, InputSize, Pass, Run, Trace, as_inputs, no_collection, trace

SUMS = ("parameters", "mult_adds", "activation_bytes", "kept_bytes")


@dataclass(frozen=True)
class Edge:
    """A tensor on its way from one part to another, both within the same larger part.

    Ends count through `Part.parts` from 0; -1 is the first input (output) of the larger part itself, -2 the second.
    """

    source: int
    target: int
    shape: Shape  # of the tensor, with its batch


@dataclass(frozen=True, repr=False)
class Part:
    """One run of a module, or of a function that a module calls between its parts, with all that it contains.

    A module that runs twice makes two parts; its parameters count in the first. A part that does not run has neither
    shapes nor edges.
    """

    name: str  # as in named_modules(), "stage1.0.conv1"; "" the model; a second of the same name ends in _1
    label: str  # the name within the larger part: "conv1"
    kind: str  # name of the class, or of the function
    module: nn.Module | None  # None for a function
    input_shapes: tuple[Shape, ...]  # with the batch of 1
    output_shapes: tuple[Shape, ...]
    kernel_size: Shape | None  # of a convolution or pooling; None for all else
    stride: Shape | None
    dilation: Shape | None
    groups: int | None
    parameters: int
    mult_adds: int
    activation_bytes: int  # of the outputs of all layers within
    kept_bytes: int  # of them and their inputs, what autograd keeps for the backward pass
    receptive_field: Shape | None  # pixels of the image that one number of the (first) output sees; None: not known
    jump: tuple[float, ...] | None  # pixels from one to the next
    runs: bool  # whether it runs in evaluation mode
    again: bool = False  # whether the same module ran before
    parts: tuple["Part", ...] = ()
    edges: tuple[Edge, ...] = ()

    @property
    def settings(self) -> str:
        """What the module says of itself: "3, 64, kernel_size=(3, 3)"; empty for a function."""
        return "" if self.module is None else self.module.extra_repr()

    def walk(self) -> Iterator["Part"]:
        """Yield the part and all within it, each before what it contains."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def __repr__(self) -> str:
        sums = f"{self.parameters:,} parameters, {self.mult_adds:,} mult-adds"
        return f"{self.name or 'model'} ({self.kind}): {sums}, {len(self.parts)} parts"


@dataclass(frozen=True, repr=False)
class Architecture:
    """The model as a part that contains all others."""

    model: str
    top: Part

    @cached_property
    def parts(self) -> dict[str, Part]:
        """Every part by its name; the model has the name ""."""
        return {part.name: part for part in self.top.walk()}

    def __getitem__(self, name: str) -> Part:
        """Return the part of that name."""
        if name not in self.parts:
            among = ", ".join(part.name for part in self.top.parts)
            raise ValueError(f"{self.model} has no part {name!r}; it begins with {among}, and theirs end in .name")
        return self.parts[name]

    def describe(self) -> str:
        """Say how many parts and layers there are, and what they cost."""
        top, layers = self.top, sum(not part.parts for part in self.parts.values())
        return (
            f"{self.model}: {len(top.parts)} parts, {layers} layers and functions in all; {top.parameters:,} "
            f"parameters, {top.mult_adds:,} mult-adds, {top.activation_bytes:,} bytes of activations."
        )

    def __repr__(self) -> str:
        return self.describe()


@no_collection()
def architecture(model: nn.Module, input_size: InputSize = None) -> Architecture:
    """Return the parts of a network, the tensors that flow between them, and what each part costs.

    The model runs once, without numbers; see `trace`. Costs are those of `layer_table`: parts sum to the whole.

    Args:
        model: any module; it stays as it was.
        input_size: as for `layer_table`; by default the model's own.

    Raises:
        TypeError: the model is no nn.Module, or input_size no shape.
        ValueError: the model does not run with inputs of that shape, or asks for the value of a tensor.
    """
    check_module(model)
    model = getattr(model, "_orig_mod", model)  # what torch.compile made a program of
    record = trace(model, as_inputs(model, input_size))
    sees = pixel_fields(record)
    rows = table_of(model, record, sees).rows
    top = record.top
    if isinstance(top.parts[0], Pass):
        [top] = top.parts
    builder = _Builder(model, record, rows, sees, _flow(record, top))
    return Architecture(type(model).__name__, builder.part(top, "", ""))


def source(module: nn.Module | type) -> str | None:
    """Return the source text of a module's class, also of one from a notebook's cell; None where there is none."""
    return _source(module if isinstance(module, type) else type(module))


@cache  # torch's files are long, and every network has the same layers
def _source(cls: type) -> str | None:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):  # of a cell: its methods still know from which
        return next((text for function in _functions(cls) if (text := _class_around(cls, function))), None)


def _functions(cls: type) -> Iterator[Callable]:
    for value in vars(cls).values():
        value = inspect.unwrap(getattr(value, "__func__", getattr(value, "fget", value)))
        if inspect.isfunction(value) and value.__qualname__.startswith(f"{cls.__qualname__}."):
            yield value


def _class_around(cls: type, function: Callable) -> str | None:
    """Return the text of the class that a method stands in, from the lines that Python keeps for its messages."""
    code = function.__code__
    text = "".join(linecache.getlines(code.co_filename))
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return None
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and node.name == cls.__name__
        and node.lineno <= code.co_firstlineno <= node.end_lineno
    ]
    if not around:
        return None
    first = min([around[-1].lineno, *(decorator.lineno for decorator in around[-1].decorator_list)])
    return "".join(text.splitlines(keepends=True)[first - 1 : around[-1].end_lineno])


Event = Run | Call  # what takes tensors and gives tensors
Place = tuple[tuple[Pass, int], ...]  # where an event stands: each larger part, outermost first, and which of its parts


class _Flow:
    """The edges of every pass, and the tensors that enter and leave it."""

    def __init__(self):
        self.edges: dict[Pass, dict[tuple, Shape]] = {}  # (source, target, tensor) -> shape
        self.inputs: dict[Pass, dict[tuple, Tensor]] = {}  # in the order in which they are first taken
        self.outputs: dict[Pass, dict[tuple, Tensor]] = {}

    def connect(self, made: Place, taken: Place, tensor: Tensor, key: tuple) -> None:
        """Draw a tensor's way from the place that made it to the place that takes it, through all walls."""
        shared = 0
        while shared < min(len(made), len(taken)) and made[shared][0] is taken[shared][0]:
            shared += 1
        for around, number in made[shared:]:
            self._edge(around, number, self._port(self.outputs, around, tensor, key), tensor, key)
        for around, number in taken[shared:]:
            self._edge(around, self._port(self.inputs, around, tensor, key), number, tensor, key)
        if shared:  # else one of them is the world outside the model
            (around, first), (_, second) = made[shared - 1], taken[shared - 1]
            self._edge(around, first, second, tensor, key)

    @staticmethod
    def _port(ports: dict, around: Pass, tensor: Tensor, key: tuple) -> int:
        ports = ports.setdefault(around, {})
        ports.setdefault(key, tensor)
        return ~list(ports).index(key)

    def _edge(self, around: Pass, first: int, second: int, tensor: Tensor, key: tuple) -> None:
        self.edges.setdefault(around, {})[first, second, key] = tuple(tensor.shape)


def _events(top: Pass) -> Iterator[tuple[Event, Place]]:
    """Yield all that takes or gives a tensor, in the order in which it ran, and where it stands."""

    def within(one: Pass, place: Place) -> Iterator[tuple[Event, Place]]:
        for number, part in enumerate(one.parts):
            here = (*place, (one, number))
            if isinstance(part, Pass):
                yield from within(part, here)
            else:
                yield part, here

    return within(top, ())


def _flow(record: Trace, top: Pass) -> _Flow:
    """Follow every tensor from what made it to what takes it."""
    flow, own = _Flow(), {id(tensor) for tensor in record.tensors.values()}
    made: dict[int, tuple[Place, int]] = {}  # by the tensor's id: where, and the number of the event
    looks: dict[int, list[Tensor]] = {}  # by its memory: the tensors that look at it
    for tensor in record.inputs:
        made[id(tensor)] = (), -1
        looks.setdefault(tensor.untyped_storage()._cdata, []).append(tensor)
    for number, (event, place) in enumerate(_events(top)):
        inputs, outputs, written = _ends(event)
        for tensor in inputs:
            if id(tensor) in made:
                where, by = made[id(tensor)]
                flow.connect(where, place, tensor, (id(tensor), by))
        for tensor in written:  # whoever looks at that memory sees it from now on
            for same in looks.get(tensor.untyped_storage()._cdata, [tensor]):
                if id(same) not in own:
                    made[id(same)] = place, number
        for tensor in outputs:
            made[id(tensor)] = place, number
            looks.setdefault(tensor.untyped_storage()._cdata, []).append(tensor)
    for tensor in top.outputs:
        if id(tensor) in made and made[id(tensor)][0]:
            where, by = made[id(tensor)]
            flow.connect(where, (), tensor, (id(tensor), by))
    return flow


def _ends(event: Event) -> tuple[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]]:
    """Return the tensors that go in, those that come out, and those that are overwritten."""
    if isinstance(event, Call):
        return event.given, event.made, event.written
    written = [tensor for call in event.calls for tensor in call.written]
    return event.inputs, event.outputs, written


class _Builder:
    """Makes parts of passes."""

    def __init__(self, model: nn.Module, record: Trace, rows: tuple[LayerRow, ...], sees: dict, flow: _Flow):
        self.model = model
        # What ran may have been a copy: the names lead back to the model's own modules
        self.names = {module: name for name, module in record.top.parts[0].module.named_modules()}
        self.rows = {id(run): row for run, row in zip(record.runs, rows, strict=False)}
        self.left = list(rows[len(record.runs) :])  # parameters that nothing used
        self.top, self.sees, self.flow = record.top, sees, flow
        self.ran: set[nn.Module] = set()

    def part(self, one: Pass, name: str, label: str) -> Part:
        """Return the part that a pass is, with all that ran within it and what of it did not run."""
        module = self._own(one)
        edges, again = self.flow.edges.get(one, {}), self._again(module)
        linked = {end for source, target, _ in edges for end in (source, target)}
        parts, numbers, labels = [], {}, set()
        for number, inner in enumerate(one.parts):
            free = isinstance(inner, Pass | Call) and number not in linked  # gives nothing that is used, costs nothing
            if not free:
                numbers[number] = len(parts)
                inner_label = self._label(inner, one, labels)
                parts.append(self._inner(inner, f"{name}.{inner_label}".lstrip("."), inner_label))
        idle = self._idle(one, module, name, labels)
        sums = {key: sum(getattr(part, key) for part in (*parts, *idle)) for key in SUMS}
        inputs, outputs = (list(ports.get(one, {}).values()) for ports in (self.flow.inputs, self.flow.outputs))
        return Part(
            name, label, type(module).__name__, module,
            **self._ends_of(inputs, outputs),
            **dict.fromkeys(("kernel_size", "stride", "dilation", "groups")),
            **sums,
            runs=True,
            again=again,
            parts=(*parts, *idle),
            edges=tuple(
                Edge(numbers.get(source, source), numbers.get(target, target), shape)
                for (source, target, _), shape in edges.items()
            ),
        )  # fmt: skip

    def _inner(self, inner: Pass | Event, name: str, label: str) -> Part:
        if isinstance(inner, Pass):
            return self.part(inner, name, label)
        row = self.rows.get(id(inner))
        inputs, outputs, _ = _ends(inner)
        slides = ("kernel_size", "stride", "dilation", "groups")
        return Part(
            name, label, inner.kind if isinstance(inner, Run) else inner.name.strip("_"),
            self._own(inner),
            **self._ends_of(inputs, outputs),
            **{key: row and getattr(row, key) for key in slides},
            **{key: getattr(row, key) if row else 0 for key in SUMS},
            runs=True,
            again=self._again(self._own(inner)),
        )  # fmt: skip

    def _own(self, inner: Pass | Event) -> nn.Module | None:
        """Return the model's own module of what ran; None for a function."""
        ran = getattr(inner, "module", None)
        if ran is None:
            return self.model if inner is self.top else None
        return self.model.get_submodule(self.names[ran])

    def _again(self, module: nn.Module | None) -> bool:
        """Return whether a module has been here before."""
        before = module is not None and module in self.ran
        self.ran.add(module)
        return before

    def _ends_of(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> dict:
        field = self.sees.get(id(outputs[0])) if outputs else None
        return {
            "input_shapes": tuple(tuple(tensor.shape) for tensor in inputs),
            "output_shapes": tuple(tuple(tensor.shape) for tensor in outputs),
            "receptive_field": field_size(field),
            "jump": field_jump(field),
        }

    def _idle(self, one: Pass, module: nn.Module, name: str, labels: set[str]) -> list[Part]:
        """Return the parts with parameters that did not run: auxiliary heads, say."""
        path = f"{one.name}." if one.name else ""
        inside = tuple(f"{inner.name}." for inner in one.parts if isinstance(inner, Pass))
        mine = [row for row in self.left if f"{row.name}.".startswith(path) and not row.name.startswith(inside)]
        if not path:
            mine = [row for row in self.left if not f"{row.name}.".startswith(inside)] if inside else list(self.left)
        self.left = [row for row in self.left if row not in mine]
        sums: dict[str, int] = {}
        for row in mine:
            rest = row.name.removeprefix(path)
            own = row.name == one.name or row.kind == type(module).__name__ == row.name
            sums.setdefault("" if own else rest.partition(".")[0], 0)
            sums["" if own else rest.partition(".")[0]] += row.parameters
        nothing = ("kernel_size", "stride", "dilation", "groups", "receptive_field", "jump")
        return [
            Part(
                f"{name}.{label}".lstrip("."), label, type(child).__name__, child, (), (),
                **dict.fromkeys(nothing), **dict.fromkeys(SUMS, 0) | {"parameters": parameters}, runs=False,
            )
            for first, parameters in sums.items() if parameters
            for child in [module.get_submodule(first)]
            for label in [_unused(first or "unused", labels)]
        ]  # fmt: skip

    def _label(self, inner: Pass | Event, around: Pass, labels: set[str]) -> str:
        """Return the name within the larger part, and take it; as in the layer table, modules come before functions."""
        if getattr(inner, "module", None) is None:
            kind = inner.kind if isinstance(inner, Run) else inner.name.strip("_")
            own = around.module._modules if around.module is not None else ()
            return _unused(kind, labels, own)
        path = f"{around.name}." if around.name else ""
        return _unused(self.names[inner.module].removeprefix(path) or type(inner.module).__name__, labels)


def _unused(label: str, labels: set[str], others: Container[str] = ()) -> str:
    """Return the label, with _1, _2 and so on at its end if it is taken, and take it."""
    candidate, number = label, 0
    while candidate in labels or candidate in others:
        number += 1
        candidate = f"{label}_{number}"
    labels.add(candidate)
    return candidate
