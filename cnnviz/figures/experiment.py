"""The learning curves of the variants of an experiment, with bands over the seeds, beside the learner's own."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cnnviz.analysis.experiment import Experiment
from cnnviz.figures.style import DASHES, FONT_SIZE, SERIES, TEMPLATE

QUANTITIES = {
    "train_error": "training error, percent of the images",
    "test_error": "test error, percent of the images",
    "train_loss": "training loss",
    "test_loss": "test loss",
}


def plot_experiment(
    experiment: Experiment, quantity: str = "test_error", *, ours: Mapping[str, Sequence] | None = None
) -> go.Figure:
    """Return a curve for each variant: the mean over its seeds, in a band from the least to the largest of them.

    Args:
        experiment: what was measured.
        quantity: train_error, test_error (both drawn in percent), train_loss or test_loss.
        ours: records of the learner's runs by name; they get a panel of their own, on the same scale.

    Raises:
        ValueError: another quantity, or nothing to draw: no variant is measured and there are no runs.
    """
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity (={quantity!r}) must be one of {', '.join(QUANTITIES)}")
    unit = 100 if quantity.endswith("error") else 1
    panels = []
    if ours:
        runs = {name: np.array([[getattr(one, quantity) for one in records]]) for name, records in ours.items()}
        panels.append(("your runs", runs))
    if experiment.variants:
        seeds = {len(one.cells) for one in experiment.variants.values()}
        scale = f"{experiment.scale}, partial" if experiment.missing else experiment.scale
        words = f"committed, {scale}, seeds: {'-'.join(map(str, sorted(seeds)))} of {experiment.planned[1]}"
        panels.append((words, {name: one.curve(quantity) for name, one in experiment.variants.items()}))
    if not panels:
        raise ValueError(f"nothing to draw: {experiment.describe()}")
    figure = make_subplots(
        cols=len(panels), shared_yaxes=True, horizontal_spacing=0.04, subplot_titles=[title for title, _ in panels]
    )
    names = list(dict.fromkeys([*experiment.variants, *(ours or {})]))  # a name looks the same in both panels
    for column, (_, curves) in enumerate(panels, 1):
        for name, values in curves.items():
            for trace in _curves(name, unit * values, names.index(name)):
                figure.add_trace(trace, row=1, col=column)
    named = set()
    for trace in figure.data:
        trace.showlegend = trace.mode == "lines" and trace.fill is None and trace.name not in named
        named.add(trace.name)
    figure.update_annotations(font_size=FONT_SIZE)
    figure.update_xaxes(title="epoch", rangemode="tozero")
    figure.update_yaxes(title=QUANTITIES[quantity], col=1)
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=420 + 22 * len(names),
        margin={"t": 40, "b": 70 + 22 * len(names)},
        legend={"orientation": "v", "y": -0.2, "yanchor": "top", "x": 0, "xanchor": "left"},
        meta=_describe(panels, quantity, unit, experiment),
    )
    return figure


def _curves(name: str, values: np.ndarray, index: int) -> list[go.Scatter]:
    """Return the mean of values [seeds, epochs + 1], and the band around it where there are several seeds."""
    colour, dash = SERIES[index % len(SERIES)], DASHES[index % len(DASHES)]
    epochs = np.arange(values.shape[1])
    line = go.Scatter(
        x=epochs, y=values.mean(0), name=name, mode="lines", line={"color": colour, "dash": dash}, legendgroup=name
    )
    if len(values) == 1:
        return [line]
    band = go.Scatter(
        x=np.concatenate([epochs, epochs[::-1]]),
        y=np.concatenate([values.min(0), values.max(0)[::-1]]),
        fill="toself",
        fillcolor=colour,
        opacity=0.2,
        line={"width": 0},
        hoverinfo="skip",
        legendgroup=name,
    )
    return [band, line]


def _describe(panels: list, quantity: str, unit: int, experiment: Experiment) -> str:
    title = QUANTITIES[quantity]
    sentences = [
        f"{head}: {name} {unit * values[:, -1].mean():.3g} after epoch {values.shape[1] - 1}."
        for head, curves in panels
        for name, values in curves.items()
    ]
    return " ".join([f"Curves of {title}.", *sentences, experiment.provenance if experiment.variants else ""]).strip()
