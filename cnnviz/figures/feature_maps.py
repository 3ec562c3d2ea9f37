"""The maps of one layer as a static figure."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cnnviz.figures.montage import default_columns, tile
from cnnviz.figures.style import FONT_SIZE, SIGNED, TEMPLATE, UNSIGNED


def plot_feature_maps(maps, layer: str, image: int = 0, *, columns: int | None = None) -> go.Figure:
    """Return the maps of one layer (of `FeatureMaps`) for one image as a heat map; hovering tells channel and value.

    Raises:
        ValueError: an unknown layer, or an image that is not there.
    """
    stack = maps[layer]
    if not 0 <= image < len(stack):
        raise ValueError(f"image (={image}) must be from 0 to {len(stack) - 1}")
    channels, height, width = stack[image].shape
    figure = heat_sheet(stack[image], columns, "channel")
    figure.update_layout(
        title=f"{layer}: {channels} maps of {height} x {width}, image {image}",
        meta=f"The {channels} feature maps of layer {layer} for image {image}. {maps.describe()}",
    )
    return figure


def plot_layers(maps, image: int = 0) -> go.Figure:
    """Return all layers of `FeatureMaps` from left to right, each as one sheet on its own scale: the whole network.

    Raises:
        ValueError: an image that is not there.
    """
    sheets = [plot_feature_maps(maps, layer, image).data[0] for layer in maps.names]
    sizes = [" × ".join(map(str, maps[layer].shape[1:])) for layer in maps.names]
    titles = [f"{layer}<br>{size}" for layer, size in zip(maps.names, sizes, strict=True)]
    figure = make_subplots(cols=len(sheets), subplot_titles=titles, horizontal_spacing=0.02)
    for column, sheet in enumerate(sheets, 1):
        figure.add_trace(sheet.update(showscale=False), row=1, col=column)
        figure.update_yaxes(scaleanchor="x" if column == 1 else f"x{column}", col=column)
    figure.update_layout(
        template=TEMPLATE, font_size=FONT_SIZE, height=330, margin={"l": 10, "r": 10, "t": 70, "b": 10}
    )
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed", constrain="domain")
    figure.layout.meta = f"All layers for image {image}, left to right. {maps.describe()}"
    return figure


def heat_sheet(stack: np.ndarray, columns: int | None, what: str, limit: float | None = None) -> go.Figure:
    """Return tiles float [n, h, w] on one sheet as a plotly heat map with a scale; `what` names a tile on hovering.

    With a `limit` the scale goes from -limit to limit, without one to the largest value, from 0 if none is negative.
    """
    columns = default_columns(len(stack)) if columns is None else columns
    values = tile(np.asarray(stack, np.float32), columns, fill=np.nan)
    index = tile(np.broadcast_to(np.arange(len(stack), dtype=np.float32)[:, None, None], stack.shape), columns, fill=-1)
    finite = values[np.isfinite(values)]
    signed = limit is not None or bool((finite < 0).any())
    limit = float(np.abs(finite).max(initial=0) or 1) if limit is None else limit
    heat = go.Heatmap(
        z=values,
        customdata=index,
        colorscale=SIGNED if signed else UNSIGNED,
        zmin=-limit if signed else 0,
        zmax=limit,
        hovertemplate=f"{what} %{{customdata}}: %{{z:.3f}}<extra></extra>",
        hoverongaps=False,
    )
    figure = go.Figure(heat)
    figure.update_layout(template=TEMPLATE, font_size=FONT_SIZE, margin={"l": 10, "r": 10, "t": 50, "b": 10})
    figure.update_xaxes(visible=False, constrain="domain")
    figure.update_yaxes(visible=False, autorange="reversed", scaleanchor="x", constrain="domain")
    return figure
