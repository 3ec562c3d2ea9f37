"""Loss or error over the epochs of one or more runs, beside a committed result and published values."""

import math
import textwrap
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cnnviz.figures.style import FONT_SIZE, GREY, SERIES, TEMPLATE

QUANTITIES = {"error": ("error, percent of the images", 100), "loss": ("loss, cross-entropy in nats", 1)}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")  # a run has a colour and a symbol of its own
TICKS = ((1, 2, 5), range(1, 10), [half / 2 for half in range(2, 20)], [tenth / 10 for tenth in range(10, 100)])


def plot_learning_curves(
    runs: Sequence | Mapping[str, Sequence],
    *,
    quantity: str = "error",
    committed: Mapping[str, Sequence[dict]] | None = None,
    published: Mapping[str, float] | None = None,
    note: str = "",
) -> go.Figure:
    """Return the curves of the learner's runs and, in a panel beside them on the same scale, of committed results.

    Test is a solid line with filled marks, training a dashed line with open ones. The axis is logarithmic, so that the
    start near chance and the last tenth of a percent both show; exactly 0 has no place on it and is left out.

    Args:
        runs: the records of one run, or several by name.
        quantity: "error" (shown in percent) or "loss".
        committed: cells as `measured` returns them by caption, which says scale, hardware, seeds and date; each cell
            (a seed) is a curve of its own.
        published: values by source, in the unit of the axis (percent for "error"), drawn across both panels.
        note: what must be said of the runs (data used instead, a quick run); it stands above their panel.

    Raises:
        ValueError: another quantity, or no records.
    """
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity (={quantity!r}) must be one of {', '.join(QUANTITIES)}")
    named = {"your run": runs} if not isinstance(runs, Mapping) else runs
    mine = {name: [records] for name, records in named.items()}
    panels = [(note or "your run", mine)]
    if committed:
        kept = {f"committed {i}" if i > 1 else "committed": cells for i, cells in enumerate(committed.values(), 1)}
        panels.append((" and ".join(committed), {k: [cell["records"] for cell in cells] for k, cells in kept.items()}))
    if not mine or not all(len(records) for _, group in panels for seeds in group.values() for records in seeds):
        raise ValueError("there are no records to draw; train first")
    figure = make_subplots(
        cols=len(panels),
        shared_yaxes=True,
        horizontal_spacing=0.04,
        subplot_titles=[_wrap(title) for title, _ in panels],
    )
    lines = [(column, name, seeds) for column, (_, group) in enumerate(panels, 1) for name, seeds in group.items()]
    for index, (column, name, seeds) in enumerate(lines):
        for number, records in enumerate(seeds):
            for trace in _curves(name, records, quantity, index):
                figure.add_trace(trace.update(legendgroup=trace.name, showlegend=number == 0), col=column, row=1)
    lines_above = max(_wrap(title).count("<br>") + 1 for title, _ in panels)
    figure.update_annotations(font_size=11)  # the captions above the panels: a column each, also on a narrow page
    for source, value in (published or {}).items():
        figure.add_hline(value, line={"color": GREY, "dash": "dot"})
        figure.add_annotation(
            text=f"{source}: {value:g}",
            x=0.01,
            xref="paper",
            y=math.log10(value),
            yanchor="bottom",
            showarrow=False,
            bgcolor="rgba(255, 255, 255, 0.8)",
        )
    title, _ = QUANTITIES[quantity]
    ticks = _ticks([y for trace in figure.data for y in trace.y if y])
    figure.update_yaxes(type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks])
    figure.update_yaxes(title=title, col=1)
    figure.update_xaxes(title="epoch", rangemode="tozero")
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=460,
        margin={"t": 30 + 15 * lines_above, "b": 90},
        legend={"orientation": "h", "y": -0.2},
    )
    figure.layout.meta = _describe(panels, quantity, published or {})
    return figure


def _curves(name: str, records: Sequence, quantity: str, index: int) -> list[go.Scatter]:
    _, unit = QUANTITIES[quantity]
    colour, symbol = SERIES[index % len(SERIES)], SYMBOLS[index % len(SYMBOLS)]
    return [
        go.Scatter(
            x=[_get(record, "epoch") for record in records],
            y=[_drawable(_get(record, f"{part}_{quantity}"), unit) for record in records],
            name=f"{name}, {part}",
            mode="lines+markers",
            line={"color": colour, "dash": dash},
            marker={"symbol": symbol + mark, "size": 7},
        )
        for part, dash, mark in (("test", "solid", ""), ("train", "dash", "-open"))
    ]


def _get(record, name: str):
    """Return a number of an EpochRecord or of its form in data/results, a dict."""
    return record[name] if isinstance(record, Mapping) else getattr(record, name)


def _drawable(value: float | None, unit: float) -> float | None:
    """Return the value in the axis' unit; None, a gap, where a logarithmic axis has no place for it."""
    return None if value is None or not math.isfinite(value) or value <= 0 else value * unit


def _wrap(text: str) -> str:
    return "<br>".join(textwrap.wrap(text, 42))


def _ticks(values: Sequence[float]) -> list[float]:
    """Return numbers for a logarithmic axis: as round as they can be with three of them between the values."""
    for digits in TICKS:
        ticks = [round(digit * 10.0**power, 10) for power in range(-5, 3) for digit in digits]
        if values and sum(min(values) <= tick <= max(values) for tick in ticks) >= 3:
            break
    return ticks


def _describe(panels: list, quantity: str, published: Mapping[str, float]) -> str:
    title, unit = QUANTITIES[quantity]
    sentences = [
        f"{name}: test {quantity} {_get(records[-1], f'test_{quantity}') * unit:.3g} "
        f"after epoch {_get(records[-1], 'epoch')}."
        for _, group in panels
        for name, seeds in group.items()
        for records in seeds
    ]
    return " ".join([f"Curves of {title}.", *sentences, *(f"{k}: {value:g}." for k, value in published.items())])
