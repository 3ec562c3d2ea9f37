"""What residual and plain networks lose when blocks are deleted or change places."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cnnviz.figures.style import DASHES, FONT_SIZE, GREY, SERIES, TEMPLATE

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")
RESHAPES = "star"  # a block that changes the shape, of every network
WITHOUT_ONE, WITHOUT_SEVERAL, REORDERED = "Without one block", "Without several, drawn at random", "In another order"


def plot_lesions(studies: Mapping) -> go.Figure:
    """Return the errors without each block, and below, where measured, without several and in another order.

    Blocks that cannot be deleted, since nothing else makes the shape that follows, are left out; the title says which.

    Args:
        studies: `LesionStudy` by the name of the network.

    Raises:
        ValueError: there are none, or more than colours and symbols that can be told apart.
    """
    if not 1 <= len(studies) <= len(SYMBOLS):
        raise ValueError(f"there are {len(studies)} studies to draw; 1 to {len(SYMBOLS)} can be told apart")
    panels = {
        WITHOUT_SEVERAL: any(len(study.deleted) for study in studies.values()),
        REORDERED: any(len(study.swaps) for study in studies.values()),
    }
    below = [title for title, measured in panels.items() if measured]
    figure = make_subplots(
        rows=2 if below else 1,
        cols=max(1, len(below)),
        specs=[[{"colspan": max(1, len(below))}, *[None] * (len(below) - 1)], *([[{}] * len(below)] if below else [])],
        subplot_titles=[WITHOUT_ONE, *below],
        vertical_spacing=0.17,
    )
    columns = {title: column for column, title in enumerate(below, 1)}
    for index, (name, study) in enumerate(studies.items()):
        look, symbol = {"color": SERIES[index], "dash": DASHES[index]}, SYMBOLS[index]
        _without_one(figure, name, study, look["color"], symbol)
        if len(study.deleted):
            _without_several(figure, columns[WITHOUT_SEVERAL], name, study, look, symbol)
        if len(study.swaps):
            mark = {"color": look["color"], "symbol": symbol, "size": 7}
            figure.add_scatter(
                x=study.tau.ravel(), y=100 * study.swapped.ravel(), **_named(name), mode="markers", marker=mark,
                row=2, col=columns[REORDERED],
            )  # fmt: skip
    if any(study.reshapes.any() for study in studies.values()):
        star = {"color": GREY, "symbol": RESHAPES, "size": 12}
        figure.add_scatter(x=[None], y=[None], mode="markers", marker=star, name="block that changes the shape")
    figure.update_annotations(font_size=FONT_SIZE)
    most = max(len(study.single) for study in studies.values())
    figure.update_xaxes(title="block, from the image on", range=[0.3, most + 0.7], row=1, col=1)
    figure.update_yaxes(title="error, percent of the images", col=1)
    figure.update_yaxes(rangemode="tozero")
    if WITHOUT_SEVERAL in columns:
        figure.update_xaxes(title="blocks deleted; bands: all draws", row=2, col=columns[WITHOUT_SEVERAL])
    if REORDERED in columns:  # as in the other panels, the network as it is stands on the left
        title = "Kendall's tau (1: as it was)"
        figure.update_xaxes(title=title, autorange="reversed", row=2, col=columns[REORDERED])
    left_out = [words for name, study in studies.items() if (words := _left_out(name, study))]
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=(760 if below else 440) + 18 * len(left_out),
        margin={"t": 40 + 18 * len(left_out), "b": 110},
        legend={"orientation": "h", "y": -0.13 if below else -0.25, "yanchor": "top"},
        title={
            "text": "<br>".join(left_out),
            "font": {"size": FONT_SIZE - 1},
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 12},
        },
        meta=" ".join(
            [*(f"{name}: {study.describe()}" for name, study in studies.items()), *(f"{words}." for words in left_out)]
        ),
    )
    return figure


def _without_one(figure: go.Figure, name: str, study, colour: str, symbol: str) -> None:
    blocks = np.flatnonzero(~np.isnan(study.single))
    reshapes = study.reshapes[blocks]
    words = np.where(reshapes, ", changes the shape", "")
    figure.add_scatter(
        x=blocks + 1,
        y=100 * study.single[blocks],
        **_named(name, shown=True),
        mode="markers",
        marker={
            "color": colour,
            "symbol": np.where(reshapes, RESHAPES, symbol).tolist(),
            "size": np.where(reshapes, 12, 7).tolist(),
            "opacity": 1,
        },
        hovertext=[f"{name} without block {block + 1}{halved}" for block, halved in zip(blocks, words, strict=True)],
        row=1,
        col=1,
    )
    figure.add_scatter(
        x=[0.5, len(study.single) + 0.5],
        y=[100 * study.error] * 2,
        legendgroup=name,
        name=f"{name}, whole: {study.error:.1%}",
        mode="lines",
        line={"color": colour, "dash": "dash", "width": 1.5},
        row=1,
        col=1,
    )


def _without_several(figure: go.Figure, column: int, name: str, study, look: dict, symbol: str) -> None:
    """Draw the median of the draws in a band from the least to the largest; none deleted is the network as it is."""
    deleted = np.concatenate([[0], study.deleted])
    low, middle, high = (
        100 * np.concatenate([[study.error], over(study.several, axis=1)]) for over in (np.min, np.median, np.max)
    )
    where = {"row": 2, "col": column}
    figure.add_scatter(
        x=np.concatenate([deleted, deleted[::-1]]),
        y=np.concatenate([low, high[::-1]]),
        **_named(name),
        mode="lines",
        fill="toself",
        fillcolor=look["color"],
        opacity=0.2,
        line={"width": 0},
        hoverinfo="skip",
        **where,
    )
    mark = {"symbol": symbol, "size": 7}
    figure.add_scatter(x=deleted, y=middle, **_named(name), mode="lines+markers", line=look, marker=mark, **where)


def _named(name: str, *, shown: bool = False) -> dict:
    """Put a trace under its network; one of them stands in the legend."""
    return {"name": name, "legendgroup": name, "showlegend": shown}


def _left_out(name: str, study) -> str:
    blocks = np.flatnonzero(np.isnan(study.single)) + 1
    if not len(blocks):
        return ""
    which = f"block{'s' if len(blocks) > 1 else ''} {', '.join(map(str, blocks))}"
    return f"{name}: {which} cannot be deleted, nothing else makes the shape that follows"
