"""What every layer of a network costs: shapes, parameters, mult-adds, memory, receptive field.

`python -m cnnviz.analysis.layer_table resnet50` prints the table of a model of the course;
`python -m cnnviz.analysis.layer_table package.module:factory --input-size 3 64 64` that of one's own.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from math import prod

import pandas as pd
from torch import Tensor, nn

from cnnviz.analysis.pixel_fields import Field, Window, pixel_fields, window
from cnnviz.analysis.trace import InputSize, Run, Trace, as_inputs, no_collection, trace

KB, KiB, MB, MiB = 10**3, 2**10, 10**6, 2**20  # bytes; 4 a float32
Shape = tuple[int, ...]
HEAD = (
    "name",
    "kind",
    "output",
    "kernel",
    "stride",
    "parameters",
    "mult-adds",
    "output kB",
    "kept kB",
    "field",
    "jump",
)


@dataclass(frozen=True)
class LayerRow:
    """One run of one layer, or of a function between the layers. All numbers are those of the whole batch.

    Functions that only look at a tensor differently (flatten, a slice) have no row; layers that did not run have one
    without shapes. A parameter that several layers share counts in the first of them.
    """

    name: str  # "stage1.0.conv1"; functions as "stage1.0.add"; a layer that runs again as "stage1.0.relu_1"
    stage: str  # the direct child of the model that it belongs to; "" if to none
    kind: str  # "Conv2d", "add"
    input_shapes: tuple[Shape, ...]  # of every tensor that goes in
    output_shapes: tuple[Shape, ...]
    kernel_size: Shape | None  # pixels along each axis; None where no window slides
    stride: Shape | None
    padding: tuple | None  # pixels on each side of each axis, or a pair (before, after)
    dilation: Shape | None
    groups: int | None
    parameters: int
    buffers: int  # numbers that are stored but not trained, such as running means
    mult_adds: int  # of convolutions and matrix products
    activation_bytes: int  # of the outputs; 0 where the input is overwritten
    kept_bytes: int  # what autograd keeps for the backward pass and no row above keeps already
    receptive_field: tuple[float, ...] | None  # pixels of the image along each axis; None where it is not known
    jump: tuple[float, ...] | None  # pixels of the image from one output to the next; None: there is no next

    @property
    def input_shape(self) -> Shape | None:
        """The shape of the first tensor that goes in."""
        return self.input_shapes[0] if self.input_shapes else None

    @property
    def output_shape(self) -> Shape | None:
        """The shape of the first tensor that comes out."""
        return self.output_shapes[0] if self.output_shapes else None

    @property
    def activations(self) -> int:
        """How many numbers come out."""
        return sum(map(prod, self.output_shapes))

    @property
    def flops(self) -> int:
        """Multiplications and additions of the convolutions and matrix products, each counted: two a mult-add."""
        return 2 * self.mult_adds


@dataclass(frozen=True)
class Stage:
    """The sums of all rows of one direct child of the model."""

    name: str
    output_shape: Shape | None
    layers: int  # with weights: convolutions and linear layers
    parameters: int
    buffers: int
    mult_adds: int
    activation_bytes: int
    kept_bytes: int

    @property
    def flops(self) -> int:
        """Two for each mult-add."""
        return 2 * self.mult_adds


@dataclass(frozen=True, repr=False)
class LayerTable:
    """What ran, row by row, with the sums."""

    model: str
    input_shapes: tuple[Shape, ...]
    rows: tuple[LayerRow, ...]
    stages: tuple[Stage, ...]

    def __getitem__(self, name: str) -> LayerRow:
        """Return the row of that name."""
        for row in self.rows:
            if row.name == name:
                return row
        raise ValueError(f"{self.model} has no row {name!r}; there are {', '.join(row.name for row in self.rows)}")

    @cached_property
    def parameters(self) -> int:
        """Of all layers, also of those that did not run."""
        return sum(row.parameters for row in self.rows)

    @cached_property
    def buffers(self) -> int:
        """Numbers that are stored and not trained."""
        return sum(row.buffers for row in self.rows)

    @cached_property
    def mult_adds(self) -> int:
        """Of convolutions and matrix products."""
        return sum(row.mult_adds for row in self.rows)

    @property
    def flops(self) -> int:
        """Multiplications and additions of convolutions and matrix products, each counted: two a mult-add."""
        return 2 * self.mult_adds

    @cached_property
    def activation_bytes(self) -> int:
        """Of the outputs of all layers, the input left out."""
        return sum(row.activation_bytes for row in self.rows)

    @cached_property
    def kept_bytes(self) -> int:
        """What autograd keeps from the forward to the backward pass, parameters left out."""
        return sum(row.kept_bytes for row in self.rows)

    def describe(self) -> str:
        """Say the sums in a sentence."""
        shapes = ", ".join(_shape(shape) for shape in self.input_shapes)
        return (
            f"{self.model} on {shapes}: {self.parameters:,} parameters, {self.mult_adds:,} mult-adds, outputs of "
            f"{self.activation_bytes / MB:,.1f} MB, {self.kept_bytes / MB:,.1f} MB kept for the backward pass."
        )

    def __repr__(self) -> str:
        return self.describe()

    def to_pandas(self) -> pd.DataFrame:
        """Return one row a layer, columns as the fields of LayerRow (the first tensor's shapes) and flops."""
        names = [field.name.removesuffix("s") if "_shapes" in field.name else field.name for field in fields(LayerRow)]
        names.insert(names.index("mult_adds") + 1, "flops")
        return pd.DataFrame([{name: getattr(row, name) for name in names} for row in self.rows], columns=names)

    def stages_to_pandas(self) -> pd.DataFrame:
        """Return one row a stage, columns as the fields of Stage."""
        return pd.DataFrame([vars(stage) for stage in self.stages])

    def __str__(self) -> str:
        """Return the table as text."""
        lines = [HEAD, *map(_cells, self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
        text = [
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([*text, "", self.describe()])


@no_collection()
def layer_table(
    model: nn.Module, input_size: InputSize = None, *, batch_size: int = 1, training: bool = False
) -> LayerTable:
    """Return what every layer of a network computes and costs; nothing is computed for it, the model stays as it was.

    Works on any module: Python's control flow, shared layers, branches, several inputs and outputs, functions.

    Args:
        model: on any device, also the meta device.
        input_size: shape of one input without the batch, (3, 224, 224); a single number for square images; a list of
            shapes for several inputs, a dict for inputs by name; a tensor where the type matters (word numbers), with
            its batch. By default the model's own `in_channels` and `image_size`.
        batch_size: inputs at a time.
        training: as in training: auxiliary heads run, dropout keeps its mask. Evaluation mode otherwise.

    Raises:
        TypeError: the model is no nn.Module, or input_size no shape.
        ValueError: the model does not run with inputs of that shape, or asks for the value of a tensor.
    """
    record = trace(model, as_inputs(model, input_size, batch_size), training=training)
    return table_of(model, record, pixel_fields(record))


def table_of(model: nn.Module, record: Trace, sees: dict[int, Field | None]) -> LayerTable:
    """Return the table of a model that ran already: a row for each of `record.runs`, then those that did not run."""
    counted: set[int] = set()
    rows = [_row(run, _fresh(run.own, counted), sees) for run in record.runs]
    rows += _not_run(model, record, counted)
    stages = tuple(_stage(name, rows, record) for name, _ in model.named_children())
    return LayerTable(type(model).__name__, tuple(tuple(x.shape) for x in record.inputs), tuple(rows), stages)


def _fresh(tensors: tuple[Tensor, ...], counted: set[int]) -> list[Tensor]:
    """Return the tensors that no row before has counted."""
    fresh = {id(tensor): tensor for tensor in tensors if id(tensor) not in counted}
    counted.update(fresh)
    return list(fresh.values())


def _row(run: Run, own: list[Tensor], sees: dict[int, Field | None]) -> LayerRow:
    slides = next((found for call in run.calls if (found := window(call))), None)
    field = sees.get(id(run.outputs[0])) if run.outputs else None
    memory = {tensor.untyped_storage()._cdata for tensor in run.inputs}
    return LayerRow(
        name=run.name,
        stage=run.name.partition(".")[0] if run.module is not None or "." in run.name else "",
        kind=run.kind,
        input_shapes=tuple(tuple(tensor.shape) for tensor in run.inputs),
        output_shapes=tuple(tuple(tensor.shape) for tensor in run.outputs),
        kernel_size=slides and slides.kernel_size,
        stride=slides and slides.stride,
        padding=slides and _padding(run, slides),
        dilation=slides and slides.dilation,
        groups=slides and slides.groups,
        **_counts(own),
        mult_adds=run.mult_adds,
        activation_bytes=sum(
            tensor.numel() * tensor.element_size()
            for tensor in run.outputs
            if tensor.untyped_storage()._cdata not in memory
        ),
        kept_bytes=run.kept_bytes,
        receptive_field=field_size(field),
        jump=field_jump(field),
    )


def field_size(field: Field | None) -> Shape | None:
    """Return the pixels along each axis of what a tensor sees; None where it is not known."""
    return tuple(int(axis.size) for axis in field) if field else None


def field_jump(field: Field | None) -> tuple[float, ...] | None:
    """Return the pixels from one number of a tensor to the next."""
    return tuple(axis.jump for axis in field) if field and all(axis.jump for axis in field) else None


def _counts(own: list[Tensor]) -> dict[str, int]:
    trained = [tensor.numel() for tensor in own if isinstance(tensor, nn.Parameter)]
    return {"parameters": sum(trained), "buffers": sum(tensor.numel() for tensor in own) - sum(trained)}


def _padding(run: Run, slides: Window) -> tuple:
    """Return what the layer's window and its functions of padding add to each side of each axis."""
    amounts = [list(pair) for pair in slides.padding]
    for call in run.calls:
        if call.name == "pad" and call.made:
            pads = call.kwargs.get("pad", call.args[1] if len(call.args) > 1 else ())
            for pair, (before, after) in zip(reversed(amounts), zip(pads[::2], pads[1::2], strict=True), strict=False):
                pair[0] += before
                pair[1] += after
    return tuple(before if before == after else (before, after) for before, after in amounts)


def _not_run(model: nn.Module, record: Trace, counted: set[int]) -> list[LayerRow]:
    """Return a row without shapes for every module whose parameters or buffers nothing has used."""
    unused: dict[str, list[Tensor]] = {}
    for name, tensor in record.tensors.items():
        if id(tensor) not in counted:
            unused.setdefault(name.rpartition(".")[0], []).append(tensor)
    return [
        LayerRow(
            name=name or type(model).__name__,
            stage=name.partition(".")[0],
            kind=type(model.get_submodule(name)).__name__,
            **dict.fromkeys(("input_shapes", "output_shapes"), ()),
            **dict.fromkeys(("kernel_size", "stride", "padding", "dilation", "groups", "receptive_field", "jump")),
            **_counts(tensors),
            **dict.fromkeys(("mult_adds", "activation_bytes", "kept_bytes"), 0),
        )
        for name, tensors in unused.items()
    ]


def _stage(name: str, rows: list[LayerRow], record: Trace) -> Stage:
    inside = [row for row in rows if row.stage == name]
    shapes = [tuple(tensor.shape) for tensor in record.outputs.get(name, ())]
    shapes = shapes or [row.output_shape for row in inside if row.output_shape is not None][-1:]
    sums = ("parameters", "buffers", "mult_adds", "activation_bytes", "kept_bytes")
    return Stage(
        name=name,
        output_shape=shapes[0] if shapes else None,
        layers=sum(row.mult_adds > 0 for row in inside),
        **{number: sum(getattr(row, number) for row in inside) for number in sums},
    )


def _shape(shape: tuple | None) -> str:
    return "" if shape is None else " x ".join(map(str, shape))


def _cells(row: LayerRow) -> tuple[str, ...]:
    """Return the cells of a row as text."""
    return (
        row.name,
        row.kind,
        _shape(row.output_shape) if row.output_shapes else "does not run",
        _shape(row.kernel_size),
        _shape(row.stride),
        f"{row.parameters:,}",
        f"{row.mult_adds:,}",
        f"{row.activation_bytes / KB:,.1f}",
        f"{row.kept_bytes / KB:,.1f}",
        _shape(row.receptive_field),
        _shape(row.jump and tuple(f"{size:g}" for size in row.jump)),
    )
