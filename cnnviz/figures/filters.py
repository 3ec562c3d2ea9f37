"""The filters of one layer as a static figure."""

import numpy as np
import plotly.graph_objects as go

from cnnviz.figures.feature_maps import heat_sheet
from cnnviz.figures.montage import largest, montage
from cnnviz.figures.style import FONT_SIZE, TEMPLATE

MOST_INPUTS = 64  # tiles in a column; filters on more channels show their first 64


def sheet_of_filters(weights: np.ndarray) -> tuple[np.ndarray, int | None]:
    """Return one layer's weights [out, in, h, w] as a stack for a montage, and its columns (None: near square).

    One input channel: [out, h, w]. Three: [out, 3, h, w], colours. More: a column for each filter, a tile an input.
    """
    _, in_channels, height, width = weights.shape
    if in_channels == 1:
        return weights[:, 0], None
    if in_channels == 3:
        return weights, None
    shown = weights[:, :MOST_INPUTS].swapaxes(0, 1)
    return shown.reshape(-1, height, width), len(weights)


def plot_filters(filters, layer: str, epoch: int | None = None) -> go.Figure:
    """Return the filters of one layer (of `Filters`) at one epoch, by default the last, on the scale of all epochs.

    Filters on three channels are shown in colour, zero grey; others on a diverging map, zero white.

    Raises:
        ValueError: an unknown layer or epoch.
    """
    weights = filters[layer]
    at = position(filters.epochs, epoch)
    limit = largest(weights) or 1.0
    stack, columns = sheet_of_filters(weights[at])
    if stack.ndim == 4:
        figure = go.Figure(go.Image(z=montage(stack, limit=limit), hoverinfo="skip"))
        figure.update_layout(template=TEMPLATE, font_size=FONT_SIZE)
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
    else:
        figure = heat_sheet(stack, columns, "tile", limit)
    out_channels, in_channels, height, width = weights.shape[1:]
    when = f", epoch {filters.epochs[at]}" if filters.epochs else ""
    title = f"{layer}: {out_channels} filters of {in_channels} x {height} x {width}{when}"
    figure.update_layout(title=title, meta=f"{title}. {filters.describe()}")
    return figure


def position(epochs: tuple[int, ...], epoch: int | None) -> int:
    """Return where an epoch stands among those kept; None is the last. Raise ValueError where it was not kept."""
    if epoch is None:
        return -1
    if epoch not in epochs:
        raise ValueError(
            f"epoch (={epoch}) must be one of {', '.join(map(str, epochs)) or 'none: these have no epochs'}"
        )
    return epochs.index(epoch)
