"""Photos side by side, and a grey photo as a landscape of its values."""

import base64
import io

import numpy as np
import plotly.graph_objects as go
from PIL import Image
from plotly.subplots import make_subplots

from cnnviz.figures.style import FONT_SIZE, TEMPLATE


def plot_photos(photos: dict[str, np.ndarray]) -> go.Figure:
    """Draw photos in one row, each under its name: uint8 [H, W] or [H, W, 3], 0 black to 255 white.

    Raises:
        ValueError: no photo, or one that is not uint8 of such a shape.
    """
    if not photos:
        raise ValueError('give at least one photo: plot_photos({"clean": photo})')
    figure = make_subplots(1, len(photos), subplot_titles=list(photos), horizontal_spacing=0.02)
    for column, (name, levels) in enumerate(photos.items(), 1):
        if levels.dtype != np.uint8 or not (levels.ndim == 2 or (levels.ndim == 3 and levels.shape[2] == 3)):
            raise ValueError(f"{name!r} must be uint8 [H, W] or [H, W, 3], got {levels.dtype} {list(levels.shape)}")
        file = io.BytesIO()
        Image.fromarray(levels).save(file, "PNG")
        source = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
        figure.add_trace(go.Image(source=source, name=name, hovertemplate="row %{y}, column %{x}: %{z[0]}"), 1, column)
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    height = 45 + 850 / len(photos) * max(levels.shape[0] / levels.shape[1] for levels in photos.values())
    shape = " x ".join(str(n) for n in levels.shape[:2])
    words = f"{len(photos)} photos: {', '.join(photos)}; the last has {shape} pixels."
    return figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=min(height, 330),
        margin={"l": 5, "r": 5, "t": 35, "b": 5},
        meta=words,
    )


def plot_landscape(levels: np.ndarray) -> go.Figure:
    """Draw a grey photo [H, W] as the function that it is: the height over each pixel is its value, 0..255.

    Raises:
        ValueError: the photo is not grey.
    """
    if levels.ndim != 2:
        raise ValueError(f"a landscape needs one value a pixel, [H, W]; this photo is {list(levels.shape)}")
    surface = go.Surface(
        z=levels,
        colorscale="gray",
        cmin=0,
        cmax=255,
        hovertemplate="row %{y}, column %{x}: %{z}<extra></extra>",
        colorbar={"title": "grey level"},
    )
    scene = {
        "xaxis_title": "column",
        "yaxis": {"title": "row", "autorange": "reversed"},
        # no tick at 0: it would lie on the first tick of another axis
        "zaxis": {"title": "grey level", "range": [0, 255], "tickvals": [50, 100, 150, 200, 250]},
        "aspectratio": {"x": 1, "y": levels.shape[0] / levels.shape[1], "z": 0.5},
        "camera_eye": {"x": 0.5, "y": -1.3, "z": 1.1},  # from below the photo: row 0 far away, column 0 on the left
    }
    words = f"Grey levels of {levels.shape[0]} x {levels.shape[1]} pixels as heights, {levels.min()} to {levels.max()}."
    return go.Figure(surface).update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=430,
        margin={"l": 5, "r": 5, "t": 5, "b": 5},
        scene=scene,
        meta=words,
    )
