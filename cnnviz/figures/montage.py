"""A stack of small pictures (feature maps, filters, images) on one sheet: one array, one PNG, however many there are.

64 maps as 64 matplotlib axes take 645 ms to redraw, as one sheet of PNG bytes 33 ms.
"""

import io
import math

import numpy as np
from matplotlib import colormaps
from PIL import Image

from cnnviz.figures.style import SIGNED, UNSIGNED

GAP = (127, 127, 127)  # between the tiles, and a value that is not finite; grey stands out in both themes


def default_columns(count: int) -> int:
    """Return how many tiles a row holds when nobody says: a sheet about as wide as high, 6 -> 3, 16 -> 4, 120 -> 11."""
    return math.ceil(math.sqrt(count))


def tile(stack: np.ndarray, columns: int | None = None, gap: int = 1, fill=0) -> np.ndarray:
    """Lay tiles [n, h, w, ...] out row by row on one sheet [H, W, ...], `gap` pixels of `fill` between them.

    Two tiles of 1 x 2, one column, gap 1: `12` and `34` become `12`, `00`, `34`. The last row may have free places.
    """
    stack = np.asarray(stack)
    if stack.ndim < 3 or not stack.size:
        raise ValueError(f"a stack of tiles is [n, h, w, ...] with at least one pixel, got {list(stack.shape)}")
    count, height, width, *rest = stack.shape
    columns = default_columns(count) if columns is None else columns
    if columns < 1 or gap < 0:
        raise ValueError(f"columns (={columns}) must be at least 1 and gap (={gap}) at least 0")
    rows = math.ceil(count / columns)
    sheet = np.empty((rows * (height + gap) - gap, columns * (width + gap) - gap, *rest), stack.dtype)
    sheet[:] = fill
    for index, picture in enumerate(stack):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def largest(values: np.ndarray) -> float:
    """Return the largest absolute value that is finite; 0 where none is."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0))


def colour(values: np.ndarray, limit: float | None = None, signed: bool | None = None) -> np.ndarray:
    """Return the colours uint8 [..., 3] of numbers: diverging and centred on zero if `signed`, else sequential.

    `signed` is by default whether any value is negative; `limit`, the largest absolute value of the scale, that of
    `values`. What is not finite is grey.
    """
    values = np.asarray(values, np.float32)
    finite = np.isfinite(values)
    signed = bool((values[finite] < 0).any()) if signed is None else signed
    limit = largest(values) if limit is None else limit
    share = np.where(finite, values, 0) / (limit or 1)
    share = (share + 1) / 2 if signed else share
    # 255 steps, so that zero is exactly the middle colour of the diverging map
    table = colormaps[SIGNED if signed else UNSIGNED](np.linspace(0, 1, 255), bytes=True)[:, :3]
    picture = table[np.rint(share.clip(0, 1) * 254).astype(int)]
    picture[~finite] = GAP
    return picture


def montage(
    stack: np.ndarray,
    columns: int | None = None,
    gap: int = 1,
    *,
    limit: float | None = None,
    signed: bool | None = None,
    enlarge: int = 1,
) -> np.ndarray:
    """Return a sheet uint8 [H, W, 3] of a stack of numbers or pictures, all on one colour scale.

    Args:
        stack: float [n, h, w], coloured as `colour` does; float [n, 3, h, w], filters on RGB, zero is grey; or uint8
            [n, h, w], [n, 1, h, w] or [n, 3, h, w], pictures as they are.
        columns: tiles in a row; a sheet about as wide as high by default.
        gap: pixels between tiles.
        limit: the largest absolute value of the scale; that of the stack by default.
        signed: whether the scale has negative values; by default whether the stack has.
        enlarge: pixels along each side of a value; small filters need it beside a gap of one pixel.

    Raises:
        ValueError: another shape.
    """
    stack = np.asarray(stack)
    if stack.ndim == 4 and stack.shape[1] == 1:
        stack = stack[:, 0]
    if stack.ndim not in (3, 4) or (stack.ndim == 4 and stack.shape[1] != 3):
        raise ValueError(
            f"a montage takes [n, h, w] or [n, 3, h, w], got {list(stack.shape)}; show channels one by one"
        )
    if stack.ndim == 4:
        tiles = (stack if stack.dtype == np.uint8 else _rgb(stack, limit)).transpose(0, 2, 3, 1)
    else:
        tiles = np.repeat(stack[..., None], 3, axis=3) if stack.dtype == np.uint8 else colour(stack, limit, signed)
    return tile(tiles.repeat(enlarge, axis=1).repeat(enlarge, axis=2), columns, gap, GAP)


def png(picture: np.ndarray) -> bytes:
    """Return a picture uint8 [H, W, 3] as the bytes of a PNG file, one pixel a value."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _rgb(weights: np.ndarray, limit: float | None) -> np.ndarray:
    limit = largest(weights) if limit is None else limit
    finite = np.nan_to_num(weights.astype(np.float32), nan=0, posinf=0, neginf=0)
    return np.rint(127.5 + 127.5 * (finite / (limit or 1)).clip(-1, 1)).astype(np.uint8)
