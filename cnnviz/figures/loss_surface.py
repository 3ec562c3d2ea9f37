"""The loss over a plane or along a line through a network's weights, and the path of training in that plane."""

import math
from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from plotly.colors import get_colorscale

from cnnviz.figures.style import DASHES, FONT_SIZE, GREY, SERIES, TEMPLATE, UNSIGNED, WEIGHT

KINDS = ("contour", "surface")
LEVELS = 12  # contour lines
LOSS = "loss"
GREY_FROM = 0.999999  # of the colour scale: what is clipped stands at its very end


def clipped(surface, ceiling: float | None) -> np.ndarray:
    """Return which computed points of a `LossSurface` lie above `ceiling`, bool [A, B]; an infinite one always does."""
    above = ~np.isfinite(surface.loss) if ceiling is None else ~(surface.loss <= ceiling)
    return above & ~np.isnan(surface.accuracy)


def plot_loss_surface(
    surface, *, kind: str = "contour", logarithmic: bool = False, ceiling: float | None = None, path=None
) -> go.Figure:
    """Return the loss over the plane, as a map with contour lines or in three dimensions.

    Rows that are not computed yet stay blank, what lies above the ceiling is flat and grey; both are said in words.

    Args:
        surface: a `LossSurface`.
        kind: "contour" or "surface".
        logarithmic: colours, lines and heights by the logarithm of the loss.
        ceiling: the largest loss that is shown as it is; none where it is left out.
        path: a `Trajectory` in the same plane. In three dimensions its heights are the network's own losses.

    Raises:
        ValueError: another kind, a ceiling that is not positive, or no computed point.
    """
    if kind not in KINDS:
        raise ValueError(f"kind (={kind!r}) must be one of {', '.join(map(repr, KINDS))}")
    if ceiling is not None and not (math.isfinite(ceiling) and ceiling > 0):
        raise ValueError(f"ceiling (={ceiling}) must be a finite number above 0")
    beyond = clipped(surface, ceiling)
    shown = surface.loss[~beyond & np.isfinite(surface.loss)]
    if not shown.size and not beyond.any():
        raise ValueError(f"there is no point to draw: {surface.describe()}")
    top = ceiling if ceiling is not None and beyond.any() else shown.max(initial=1e-12)
    low = _lowest(shown, top, logarithmic)
    ends = _scaled(np.array([low, top]), low, logarithmic)
    # Colours end at the ceiling; what is above, by the scale's length at most, tells where it is between the points.
    loss = np.where(beyond & np.isnan(surface.loss), np.inf, surface.loss)
    heights = np.minimum(_scaled(loss, low, logarithmic), 2 * ends[1] - ends[0])
    words = _clipped_words(surface, beyond, ceiling)
    ticks = _ticks(low, top, logarithmic)
    bar = {
        "title": f"{LOSS}, clipped<br>at {top:.3g} (grey)<br>&nbsp;" if beyond.any() else LOSS,
        "tickvals": _scaled(np.array(ticks), low, logarithmic),
        "ticktext": [f"{tick:g}" for tick in ticks],
    }
    look = {
        "x": surface.alphas,
        "y": surface.betas,
        "customdata": surface.loss.T,
        "hovertemplate": "alpha %{x:.3g}, beta %{y:.3g}: loss %{customdata:.4g}<extra></extra>",
        "colorscale": _colours(beyond.any()),
        "colorbar": bar,
    }
    figure = (_map if kind == "contour" else _relief)(heights.T, ends, look)  # [A, B]: plotly wants a row for every y
    if path is not None:
        figure.add_trace(_path(path, kind, _scaled(np.fmin(path.loss, top), low, logarithmic)))
        if kind == "contour":
            _name_ends(figure, path)
    off = [] if path is None else [_off_plane(path)]
    title = [_title(surface), *([words] if words else []), *off]
    figure.update_layout(
        title={"text": "<br>".join(title), "font": {"size": FONT_SIZE}, "y": 0.98, "yanchor": "top"},
        template=TEMPLATE,
        font_size=FONT_SIZE,
        width=700,
        height=560 + 18 * len(title),
        margin={"t": 34 + 18 * len(title), "b": 60, "l": 70 if kind == "contour" else 10},
        showlegend=False,
        meta=" ".join(
            [surface.describe(), *([f"{words}."] if words else []), *([path.describe()] if path is not None else [])]
        ),
    )
    return figure


def plot_loss_line(lines: Mapping, logarithmic: bool = False) -> go.Figure:
    """Return the loss along lines through the weights, each in a band of two standard errors to both sides.

    Args:
        lines: `LossLine`s by name.
        logarithmic: whether the axis of the loss is.

    Raises:
        ValueError: there are none.
    """
    if not lines:
        raise ValueError("there are no lines to draw")
    figure = go.Figure()
    for index, (name, line) in enumerate(lines.items()):
        colour, dash = SERIES[index % len(SERIES)], DASHES[index % len(DASHES)]
        low, high = line.loss - 2 * line.standard_error, line.loss + 2 * line.standard_error
        if logarithmic:  # a loss below 0 has no place on the axis
            low = np.maximum(low, line.loss / 10)
        figure.add_trace(
            go.Scatter(
                x=np.concatenate([line.alphas, line.alphas[::-1]]),
                y=np.concatenate([high, low[::-1]]),
                mode="lines",
                fill="toself",
                fillcolor=colour,
                opacity=0.2,
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=name,
            )
        )
        look = {"color": colour, "dash": dash}
        figure.add_trace(go.Scatter(x=line.alphas, y=line.loss, name=name, mode="lines", line=look, legendgroup=name))
    figure.update_xaxes(title="alpha, along the direction")
    figure.update_yaxes(title=f"{LOSS}, ± 2 standard errors", type="log" if logarithmic else "linear")
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=420,
        margin={"t": 30, "b": 60},
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        meta=" ".join(f"{name}: {line.describe()}" for name, line in lines.items()),
    )
    return figure


def _map(heights: np.ndarray, ends: np.ndarray, look: dict) -> go.Figure:
    """Return colours and contour lines of heights [B, A]."""
    step = (ends[1] - ends[0]) / LEVELS
    lines = {"coloring": "heatmap", "start": ends[0] + step, "end": ends[1] - step / 2, "size": step}
    trace = go.Contour(z=heights, zmin=ends[0], zmax=ends[1], contours=lines, line={"width": 0.7}, **look)
    figure = go.Figure(trace)
    figure.update_xaxes(title="alpha, along the first direction")
    figure.update_yaxes(title="beta, along the second direction")
    return figure


def _relief(heights: np.ndarray, ends: np.ndarray, look: dict) -> go.Figure:
    """Return heights [B, A] in three dimensions, flat from the upper end on."""
    figure = go.Figure(go.Surface(z=np.minimum(heights, ends[1]), cmin=ends[0], cmax=ends[1], **look))
    height = {"title": LOSS, "tickvals": look["colorbar"]["tickvals"], "ticktext": look["colorbar"]["ticktext"]}
    axes = {"xaxis": {"title": "alpha"}, "yaxis": {"title": "beta"}, "zaxis": height}
    figure.update_layout(scene=axes | {"aspectmode": "cube", "camera": {"eye": {"x": -1.5, "y": -1.7, "z": 1.3}}})
    return figure


def _lowest(shown: np.ndarray, top: float, logarithmic: bool) -> float:
    """Return where the scale begins; a logarithm has no place for 0."""
    shown = shown[shown > 0] if logarithmic else shown
    low = float(shown.min(initial=top))
    return low if low < top else top / 2


def _scaled(loss: np.ndarray, low: float, logarithmic: bool) -> np.ndarray:
    return np.log10(np.maximum(loss, low)) if logarithmic else loss


def _colours(grey: bool) -> list:
    scale = get_colorscale(UNSIGNED)
    if not grey:
        return scale
    return [[GREY_FROM * place, colour] for place, colour in scale] + [[GREY_FROM, GREY], [1, GREY]]


def _ticks(low: float, top: float, logarithmic: bool) -> list[float]:
    """Return round losses within the scale: some five of them."""
    if not logarithmic:
        step = 10 ** math.floor(math.log10((top - low) / 4))
        step *= max(factor for factor in (1, 2, 5) if factor * step <= (top - low) / 3)
        return [round(number * step, 12) for number in range(math.ceil(low / step), math.floor(top / step) + 1)]
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(top)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5), range(1, 10)):
        ticks = [digit * 10.0**power for power in powers for digit in digits]
        ticks = [tick for tick in ticks if low <= tick <= top]
        if len(ticks) >= 3:
            break
    return ticks or [low, top]


def _path(path, kind: str, heights: np.ndarray) -> go.Scatter | go.Scatter3d:
    """Return the line with a mark for every checkpoint; the first and the last have names."""
    start, end = _ends(path)
    names = [start, *[""] * (len(path.epochs) - 2), end]
    hover = [
        f"epoch {epoch:g}: loss {loss:.3g}, {off:.3g} off the plane"
        for epoch, loss, off in zip(path.epochs, path.loss, path.residual, strict=True)
    ]
    symbols = ["square", *["circle"] * (len(names) - 2), "diamond"][: len(names)]
    look = {
        "hovertext": hover,
        "hoverinfo": "text",
        "line": {"color": WEIGHT, "width": 3},
        "marker": {"color": WEIGHT, "size": 4 if kind == "surface" else 7, "symbol": symbols},
        "name": "path of training",
    }
    x, y = path.coordinates.T
    if kind == "surface":
        return go.Scatter3d(x=x, y=y, z=heights, mode="lines+markers+text", text=names, **look)
    look["marker"]["line"] = {"color": "white", "width": 1}
    return go.Scatter(x=x, y=y, mode="lines+markers", **look)


def _ends(path) -> tuple[str, str]:
    return f"start, epoch {path.epochs[0]:g}", f"end, epoch {path.epochs[-1]:g}"


def _name_ends(figure: go.Figure, path) -> None:
    """Write the names of both ends on a light ground, away from the right edge where the path comes near it."""
    coordinates = path.coordinates[[0, -1]]
    for text, (x, y), (other, _) in zip(_ends(path), coordinates, coordinates[::-1], strict=True):
        left = x > other
        figure.add_annotation(
            text=text,
            x=x,
            y=y,
            showarrow=False,
            xanchor="right" if left else "left",
            yshift=16 if left else -16,
            bgcolor="rgba(255, 255, 255, 0.8)",
        )


def _off_plane(path) -> str:
    far = path.distance.max()
    share = f" ({path.residual.max() / far:.0%} of the longest way to the centre)" if far else ""
    return f"path: up to {path.residual.max():.3g} off the plane{share}"


def _title(surface) -> str:
    name = surface.metadata.get("network") or surface.metadata.get("model", "loss")
    if surface.complete:
        return f"{name}"
    done = int((~np.isnan(surface.accuracy[:, 0])).sum())
    return f"{name}, partial: {done} of {len(surface.alphas)} rows are computed, the rest is blank"


def _clipped_words(surface, beyond: np.ndarray, ceiling: float | None) -> str:
    if not beyond.any():
        return ""
    share = beyond.sum() / (~np.isnan(surface.accuracy)).sum()
    where = "are not finite" if ceiling is None else f"lie above the ceiling of {ceiling:.3g}"
    return f"{share:.1%} of the points {where} and are clipped (grey)"
