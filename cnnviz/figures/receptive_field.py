"""Measured receptive fields: how large the gradient at each pixel is, and the square that could have one."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cnnviz.figures.style import FONT_SIZE, GREY, TEMPLATE, UNSIGNED, WEIGHT

COUNTS = 1 - 0.9545  # of the largest gradient, as in ReceptiveField.effective_size


def plot_receptive_field(*fields, names: Sequence[str] | None = None) -> go.Figure:
    """Return the effective fields of one or more `ReceptiveField`s side by side, with the theoretical ones as frames.

    The white line surrounds the pixels that count: those with more than 4.55 % of the largest gradient.

    Args:
        fields: of images (two axes); one without an effective field is its frame alone.
        names: one for each field, such as "untrained" and "trained"; model and layer if None.

    Raises:
        ValueError: no field, one of another number of axes, or as many names as fields are not given.
    """
    if not fields:
        raise ValueError("give at least one ReceptiveField")
    for field in fields:
        if len(field.image_size) != 2:
            raise ValueError(f"only fields of images can be drawn, these inputs have {len(field.image_size)} axes")
    names = [f"{field.model}, {field.layer}" for field in fields] if names is None else list(names)
    if len(names) != len(fields):
        raise ValueError(f"there are {len(names)} names for {len(fields)} fields")
    titles = [f"{name}<br>{_sizes(field)}" for name, field in zip(names, fields, strict=True)]
    figure = make_subplots(cols=len(fields), subplot_titles=titles, horizontal_spacing=0.06)
    for column, field in enumerate(fields, 1):
        if field.effective is not None:
            figure.add_traces(_traces(field, last=column == len(fields)), rows=1, cols=column)
        for corners, colour, width in zip(_corners(field), (GREY, WEIGHT), (1, 3), strict=False):
            figure.add_shape(_frame(corners, colour, width), row=1, col=column)
        # One scale for all, where the images are of one size.
        alike = [other for other in fields if other.image_size == field.image_size]
        _axes(figure, column, [corners for other in alike for corners in _corners(other)])
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=440,
        margin={"t": 80, "b": 50},
        showlegend=False,
        meta=" ".join(f"{name}: {field.describe()}" for name, field in zip(names, fields, strict=True)),
    )
    figure.update_annotations(font_size=FONT_SIZE)
    return figure


def _sizes(field) -> str:
    parts = ["not known"] if field.size is None else [" × ".join(map(str, field.size))]
    if field.effective is not None:
        parts.append(f"effective {field.effective_size:.0f} × {field.effective_size:.0f}")
    return "theoretical " + ", ".join(parts)


def _traces(field, last: bool) -> list[go.Heatmap | go.Contour]:
    heat = go.Heatmap(
        z=field.effective,
        zmin=0,
        zmax=1,
        colorscale=UNSIGNED,
        showscale=last,
        colorbar={"title": {"text": "mean absolute gradient", "side": "right", "font_size": FONT_SIZE}},
        hovertemplate="row %{y}, column %{x}: %{z:.3f}<extra></extra>",
    )
    line = go.Contour(
        z=field.effective,
        contours={"start": COUNTS, "end": COUNTS, "size": 1, "coloring": "none"},
        line={"color": "#ffffff", "width": 1.5},
        showscale=False,
        hoverinfo="skip",
    )
    return [heat, line]


def _corners(field) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of the image and, if it is known, of the theoretical field."""
    height, width = field.image_size
    corners = [(-0.5, -0.5, width - 0.5, height - 0.5)]
    if field.first is not None and len(field.first) == 2:
        (top, left), (bottom, right) = field.first, field.last
        corners.append((left - 0.5, top - 0.5, right + 0.5, bottom + 0.5))
    return corners


def _axes(figure: go.Figure, column: int, corners: list[tuple[float, float, float, float]]) -> None:
    """Leave room for all corners, also where a field goes on in the padding; pixels are square."""
    left, top = np.min(corners, axis=0)[:2]
    right, bottom = np.max(corners, axis=0)[2:]
    edge = 0.02 * max(right - left, bottom - top)
    style = {"constrain": "domain", "showgrid": False, "zeroline": False, "title_font_size": FONT_SIZE, "col": column}
    figure.update_xaxes(range=[left - edge, right + edge], title="column", **style)
    axis = "x" if column == 1 else f"x{column}"
    figure.update_yaxes(
        range=[bottom + edge, top - edge], scaleanchor=axis, title="row" if column == 1 else None, **style
    )


def _frame(corners: tuple, colour: str, width: int) -> dict:
    x0, y0, x1, y1 = corners
    return {"type": "rect", "x0": x0, "y0": y0, "x1": x1, "y1": y1, "line": {"color": colour, "width": width}}
