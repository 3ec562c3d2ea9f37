"""ArchitectureExplorer: any network as boxes within boxes, with what each costs beside it."""

import traitlets
from torch import nn

from cnnviz.analysis.architecture import Architecture, Part, architecture, source
from cnnviz.analysis.trace import InputSize
from cnnviz.widgets.explorer import Explorer, IllegalSettingError, module, style

MEASURES = ("all three", "parameters", "mult-adds", "activations", "kept for backward")
SUMS = {"parameters": "parameters", "mult-adds": "mult_adds", "activations": "activation_bytes"}
DEPTHS = (1, 3)


class ArchitectureExplorer(Explorer):
    """A block diagram of any network, from what ran: stages, branches, shortcuts; beside it where the costs sit.

    Every control is a trait. `w.part = "stage3"` lets that part fill the picture, `w.selected = "stage3.0"` shows what
    it is and costs; what the network does not have raises `IllegalSettingError` (a ValueError) and changes nothing.

    Args:
        model: any module; it is traced without numbers and stays as it was.
        other: a second one, beside it, its bars in the same scale.
        input_size: as for `layer_table`, of both; by default each model's own.
        part: name of the part that fills the picture, "" for the whole. other_part: of the second.
        selected: name of the part that is written out, "" for none. other_selected: of the second.
        depth: how many levels are drawn within one another, 1 to 3.
        measure: "all three" (parameters, mult-adds, activations), one of them, or "kept for backward".
    """

    _esm = module("architecture_layout", "architecture")
    _css = style()

    part = traitlets.Unicode("").tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    other_part = traitlets.Unicode("").tag(sync=True)
    other_selected = traitlets.Unicode("").tag(sync=True)
    depth = traitlets.Int(1).tag(sync=True)
    measure = traitlets.Enum(MEASURES, "all three").tag(sync=True)
    _networks = traitlets.List().tag(sync=True)

    def __init__(self, model: nn.Module, other: nn.Module | None = None, input_size: InputSize = None, **controls):
        self._architectures = [architecture(one, input_size) for one in (model, other) if one is not None]
        super().__init__(**controls)
        self._networks = [_network(one) for one in self._architectures]

    @property
    def architecture(self) -> Architecture:
        """The parts of the model, with their numbers."""
        return self._architectures[0]

    @property
    def other_architecture(self) -> Architecture | None:
        """Those of the second model; None if there is none."""
        return self._architectures[1] if len(self._architectures) > 1 else None

    @traitlets.validate("part", "selected", "other_part", "other_selected")
    def _known(self, proposal):
        name, value = proposal.trait.name, proposal.value
        shown = self.other_architecture if name.startswith("other") else self.architecture
        if shown is None:
            if value:
                raise IllegalSettingError(f"{name}={value!r}, but there is no second model; give other=")
            return value
        if value not in shown.parts:
            raise IllegalSettingError(f"{name}={value!r}: {_among(shown, value)}")
        if name.endswith("part") and not shown.parts[value].parts:
            raise IllegalSettingError(f"{name}={value!r} is a {shown.parts[value].kind} and has no parts to show")
        return value

    @traitlets.validate("depth")
    def _in_range(self, proposal):
        low, high = DEPTHS
        if not low <= proposal.value <= high:
            raise IllegalSettingError(f"depth={proposal.value} must lie in {low}..{high}")
        return proposal.value

    def describe(self) -> str:
        """Say what each network costs in all, where in the picture that sits, and what the selected part is."""
        return " ".join(
            _sentences(shown, getattr(self, f"{prefix}part"), getattr(self, f"{prefix}selected"))
            for shown, prefix in zip(self._architectures, ("", "other_"), strict=False)
        )


def _among(shown: Architecture, name: str) -> str:
    """Say which parts there are, as near to the wanted one as the names agree."""
    around = shown.top
    while inner := [part for part in around.parts if name.startswith(f"{part.name}.")]:
        around = inner[0]
    names = [part.name for part in around.parts]
    there = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "") or "no parts"
    return f"{around.name or shown.model} has no such part; there are {there}"


def _sentences(shown: Architecture, name: str, selected: str) -> str:
    top, part = shown.top, shown.parts[name]
    shapes = f"{_shapes(top.input_shapes)} in, {_shapes(top.output_shapes)} out"
    text = (
        f"{shown.model}, {shapes}: {top.parameters:,} parameters, {top.mult_adds:,} mult-adds, "
        f"{_megabytes(top.activation_bytes)} of activations. "
        f"Shown: {f'{name}, ' if name else ''}{len(part.parts)} parts"
    )
    most = []
    for measure, field in SUMS.items():
        if total := getattr(part, field):
            largest = max(part.parts, key=lambda inner: getattr(inner, field))
            most.append(f"most {measure} in {largest.label} ({_percent(getattr(largest, field), total)})")
    text += "".join(f"; {words}" for words in most) + "."
    return f"{text} Selected: {_selected(shown.parts[selected], top)}" if selected else text


def _selected(part: Part, top: Part) -> str:
    if not part.runs:
        return f"{part.name} ({part.kind}) does not run in evaluation mode; {part.parameters:,} parameters."
    return (
        f"{part.name} ({part.kind}), {_shapes(part.input_shapes)} in, {_shapes(part.output_shapes)} out: "
        f"{part.parameters:,} parameters ({_percent(part.parameters, top.parameters)} of all), "
        f"{part.mult_adds:,} mult-adds ({_percent(part.mult_adds, top.mult_adds)}), "
        f"{_megabytes(part.activation_bytes)} of activations ({_percent(part.activation_bytes, top.activation_bytes)})."
    )


def _percent(part: int, whole: int) -> str:
    """Whole percent, halves up, as the browser writes them too."""
    return f"{(200 * part + whole) // (2 * whole)} %" if whole else "0 %"


def _megabytes(number: int) -> str:
    tenths = (2 * number + 10**5) // (2 * 10**5)
    return f"{tenths // 10:,}.{tenths % 10} MB"


def _shapes(shapes: tuple) -> str:
    return " and ".join(" × ".join(map(str, _without_batch(shape))) or "one number" for shape in shapes) or "nothing"


def _without_batch(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape


def _network(shown: Architecture) -> dict:
    """Return what the browser needs: each kind of part once, however often it occurs."""
    types, known, sources = [], {}, {}

    def type_of(part: Part) -> int:
        inner = tuple((each.label, type_of(each)) for each in part.parts)
        edges = tuple((edge.source, edge.target, _without_batch(edge.shape)) for edge in part.edges)
        cls = type(part.module) if part.module is not None else None
        shapes = [tuple(map(_without_batch, shapes)) for shapes in (part.input_shapes, part.output_shapes)]
        window = (part.kernel_size, part.stride, part.dilation, part.groups)
        sums = (part.parameters, part.mult_adds, part.activation_bytes, part.kept_bytes)
        key = (part.kind, cls, part.settings, *shapes, window, sums, part.runs, part.again, inner, edges)
        if key not in known:
            known[key] = len(types)
            if cls and cls not in sources:
                sources[cls] = {"name": f"{cls.__module__}.{cls.__qualname__}", "text": source(cls)}
            names = ("kind", "settings", "in", "out", "kernel", "stride", "dilation", "groups")
            values = (part.kind, part.settings, *shapes, *window)
            names += ("sums", "runs", "again", "parts", "edges", "source")
            values += (sums, part.runs, part.again, inner, edges, list(sources).index(cls) if cls else None)
            types.append(dict(zip(names, values, strict=True)))
        return known[key]

    root = type_of(shown.top)
    return {
        "model": shown.model,
        "root": root,
        "types": types,
        "fields": [_field(part) for part in shown.top.walk()],
        "sources": list(sources.values()),
    }


def _field(part: Part) -> list | None:
    """Return receptive field and jump, one number where all axes agree."""
    if part.receptive_field is None:
        return None
    return [values and (values[0] if len(set(values)) == 1 else values) for values in (part.receptive_field, part.jump)]
