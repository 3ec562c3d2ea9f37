"""A confusion matrix with its counts, and the images that were confused."""

import numpy as np
import plotly.graph_objects as go

from cnnviz.figures.montage import tile
from cnnviz.figures.style import FONT_SIZE, TEMPLATE

MOST_IMAGES = 10  # of one pair, side by side


def plot_confusion(confusion) -> go.Figure:
    """Return the matrix of a `Confusion` as a heat map with its counts: rows true classes, columns predictions.

    The colour is the share of the true class, on a square-root scale, so that rare confusions show beside the diagonal.
    """
    matrix, names = confusion.matrix, list(confusion.class_names)
    share = matrix / matrix.sum(axis=1, keepdims=True).clip(1)
    heat = go.Heatmap(
        z=np.sqrt(share),
        x=names,
        y=names,
        text=np.where(matrix == 0, "", matrix.astype(str)),
        texttemplate="%{text}",
        customdata=share * 100,
        colorscale="Blues",
        zmin=0,
        zmax=1,
        showscale=False,
        xgap=1,
        ygap=1,
        hovertemplate="%{y} taken for %{x}: %{text} images, %{customdata:.1f} % of the class<extra></extra>",
    )
    figure = go.Figure(heat)
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        title="Which class is taken for which",
        height=180 + 36 * len(names),
        meta=confusion.describe(),
    )
    # Names of classes may be digits: without `category` plotly takes them for numbers.
    figure.update_xaxes(title="predicted class", type="category", automargin=True)
    figure.update_yaxes(title="true class", type="category", autorange="reversed", automargin=True)
    return figure


def plot_confused_images(confusion, images, *, most: int = MOST_IMAGES) -> go.Figure:
    """Return the images of the most frequent confusions: one row a pair, named beside it, at most `most` images each.

    Args:
        confusion: a `Confusion`; its indices point into `images`.
        images: the evaluated images, uint8 [N, C, H, W] with 1 or 3 channels.
        most: how many images of a pair to show.

    Raises:
        ValueError: nothing was confused, or images that are not these.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8 or len(images) != confusion.matrix.sum():
        raise ValueError(
            f"images must be the {confusion.matrix.sum()} evaluated ones as uint8 [N, C, H, W], "
            f"got {images.dtype} {list(images.shape)}"
        )
    if not confusion.pairs:
        raise ValueError("no image was confused, so there is none to show")
    columns = min(most, max(pair.count for pair in confusion.pairs))
    rows = [_row(images, pair.indices[:columns], columns) for pair in confusion.pairs]
    pictures = np.concatenate(rows).transpose(0, 2, 3, 1)  # rows * columns, H, W, C
    sheet = tile(np.broadcast_to(pictures, (*pictures.shape[:3], 3)), columns, gap=2, fill=255)
    height = images.shape[2] + 2
    figure = go.Figure(go.Image(z=sheet, hoverinfo="skip"))
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        title="The images that were confused",
        height=110 + 62 * len(rows),
        margin={"t": 50, "b": 10, "r": 10},
        meta=confusion.describe(),
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(
        tickvals=[height * row + images.shape[2] / 2 for row in range(len(rows))],
        ticktext=[f"{confusion.name(pair)} ({pair.count})" for pair in confusion.pairs],
        automargin=True,
        showgrid=False,
    )
    return figure


def _row(images: np.ndarray, indices: np.ndarray, columns: int) -> np.ndarray:
    """Return `columns` images, white where there are fewer."""
    row = np.full((columns, *images.shape[1:]), 255, np.uint8)
    row[: len(indices)] = images[indices]
    return row
