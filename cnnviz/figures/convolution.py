"""A convolution or pooling as a moving picture for slides and pages: GIF, HTML or MP4, drawn by matplotlib."""

import base64
import io
import os
import shutil
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from cnnviz.analysis.convolution import Steps, convolution
from cnnviz.figures.style import ACCENT, GREY, INPUT, OUTPUT, THIRD, WEIGHT
from cnnviz.files import whole_file

GAP = 1.4  # cells between input, kernel and output
DPI = 100
PAUSE = 5  # the last picture stays for as many steps
LARGEST = 24  # cells along an edge whose numbers can still be read
INK = "#1f1f1f"
COLOURS = 63  # of a GIF; one more stands for "as before"


@dataclass(frozen=True, eq=False)
class ConvolutionAnimation:
    """The steps of one convolution or pooling as pictures, one a step. `save` writes them into one file."""

    steps: Steps
    filter: int  # which filter (pooling: channel) fills the output that is shown
    seconds: float  # per step
    width: int  # pixels

    def __len__(self) -> int:
        return len(self.steps)

    def figure(self, index: int) -> Figure:
        """Draw step `index`: input with padding, kernel, the output so far, and the sum written out."""
        return _Picture(self, range(len(self))[index]).figure

    def frame(self, index: int) -> np.ndarray:
        """Return the picture of one step as uint8 [height, width, 3]."""
        canvas = FigureCanvasAgg(self.figure(index))
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()

    def save(self, path: str | os.PathLike) -> Path:
        """Write a .gif, an .html page that needs no network, or an .mp4 (with ffmpeg); whole or not at all.

        Raises:
            ValueError: another ending.
            RuntimeError: .mp4 without ffmpeg, or ffmpeg failed.
            OSError: the folder cannot be written.
        """
        path = Path(path)
        writers = {".gif": _gif, ".html": _html, ".mp4": _mp4}
        if path.suffix.lower() not in writers:
            raise ValueError(f"cannot write {path.name!r}; its name must end with {', '.join(writers)}")
        with whole_file(path) as partial:
            partial.write_bytes(writers[path.suffix.lower()](self))
        return path

    def describe(self) -> str:
        """Say what is shown and how long it takes."""
        return f"{self.steps.describe()} {self.seconds:g} seconds a step."

    __repr__ = describe

    def _repr_html_(self) -> str:
        """The moving picture itself, where a notebook shows this object."""
        return (
            f'<img alt="{self.describe()}" style="max-width: 100%" src="data:image/gif;base64,{_base64(_gif(self))}">'
        )


def animate_convolution(
    steps: Steps, *, filter: int = 0, seconds: float = 0.5, width: int = 1200
) -> ConvolutionAnimation:
    """Return the steps of a convolution or pooling as a moving picture.

    Args:
        steps: from `analysis.convolution.convolution` or `pooling`; one or two spatial axes.
        filter: which filter's output is shown; for pooling, which channel's.
        seconds: how long one step is shown.
        width: of the picture in pixels.

    Raises:
        ValueError: no such filter, more cells than can be read, or a time or width that is not positive.
    """
    channels = len(steps.output)
    if not 0 <= filter < channels:
        raise ValueError(f"filter (={filter}) must lie in 0..{channels - 1}: the output has {channels} channels")
    widest = max(*steps.canvas.shape[1:], *steps.input.shape[1:], *steps.output.shape[1:])
    if widest > LARGEST or len(steps.input) > 3:
        raise ValueError(
            f"{len(steps.input)} channels of {widest} cells along an edge cannot be read; "
            f"use an input of at most 3 channels and {LARGEST} cells with its padding"
        )
    if not seconds > 0 or not 200 <= width <= 4000:
        raise ValueError(f"seconds (={seconds}) must be above 0 and width (={width}) must lie in 200..4000 pixels")
    return ConvolutionAnimation(steps, filter, float(seconds), int(width))


class _Picture:
    """One figure, drawn in cells: x to the right, y down."""

    def __init__(self, animation: ConvolutionAnimation, index: int):
        self.steps, self.filter, self.index = animation.steps, animation.filter, index
        self.step = self.steps[index]
        self.transposed = self.steps.kind == "transposed convolution"
        left, weight, right = self._arrays()
        rows = max(_height(left), _height(weight), _height(right))
        columns = [left.shape[2], weight.shape[2] if len(weight) else 0, right.shape[2]]
        self.columns = sum(columns) + GAP * (2 if len(weight) else 1)
        self.cell = animation.width / (self.columns + 1)  # pixels
        self.text = self._sum()
        rows += 1.1 + 0.7 * max(2, self._most_lines())
        height = round(self.cell * (rows + 0.6)) // 2 * 2  # even, as video wants it
        self.figure = Figure((animation.width // 2 * 2 / DPI, height / DPI), dpi=DPI, facecolor="white")
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(-0.5, self.columns + 0.5), ylim=(height / self.cell - 1.3, -1.3))
        self.axes.axis("off")
        self._draw(left, weight, right)

    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What stands left, in the middle and right: each [channels, rows, columns]; a line is one row."""
        steps = self.steps
        own = slice(self.filter, self.filter + 1)
        weight = np.zeros((0, 1, 1))
        if steps.weight is not None:
            weight = _flat(steps.weight[:, self.filter] if self.transposed else steps.weight[self.filter])
        if self.transposed:
            return _flat(steps.input), weight, _flat(self._added()[own])
        left = steps.canvas if weight.size else steps.canvas[own]
        return _flat(left), weight, _flat(self._filled()[own])

    def _filled(self) -> np.ndarray:
        """The output so far; NaN where it is still to come."""
        output = np.full(self.steps.output.shape, np.nan)
        for step in (self.steps[i] for i in range(self.index + 1)):
            output[(slice(None), *step.position)] = step.result
        return output

    def _added(self) -> np.ndarray:
        """The sum so far on the uncropped output of a transposed convolution."""
        canvas = self.steps.canvas.copy()
        for step in (self.steps[i] for i in range(self.index + 1)):
            canvas[(slice(None), *np.ix_(*step.window))] += step.result
        return canvas

    def _draw(self, left: np.ndarray, weight: np.ndarray, right: np.ndarray) -> None:
        window = [axis.tolist() for axis in self.step.window]
        window = window if len(window) == 2 else [[0], *window]
        row, column = self.step.position if len(self.step.position) == 2 else (0, *self.step.position)
        cell = ([row], [column])
        inside = _inside(self.steps)
        padded, moving = (None, cell) if self.transposed else (inside, window)
        self._grid("input", left, 0, INPUT, INPUT, padded, moving)
        x = left.shape[2] + GAP
        if len(weight):
            self._grid("kernel", weight, x, WEIGHT, INPUT)
            x += weight.shape[2] + GAP
        cropped, filled = (inside, window) if self.transposed else (None, cell)
        self._grid("output", right, x, OUTPUT, ACCENT, cropped, filled)
        self._write_sum(max(_height(left), _height(weight), _height(right)) + 0.75)

    def _grid(self, name, array, x, colour, negative, inside=None, marked=None) -> None:
        """Draw numbers in cells, negative ones in a colour of their own.

        Cells that are not `inside` are padding; there is a frame around the `marked` ones.
        """
        size = " × ".join(str(n) for n in array.shape if n > 1 or array.ndim == 2) or "1"
        self._text(x, -0.55, f"{name} {size}", colour, 0.4, horizontalalignment="left", weight="bold")
        largest = np.abs(array[np.isfinite(array)]).max(initial=0) or 1
        for channel, plane in enumerate(array):
            top = channel * (array.shape[1] + 0.5)
            for (row, column), value in np.ndenumerate(plane):
                real = inside is None or (row in inside[0] and column in inside[1])
                share = 0.08 + 0.4 * min(abs(value) / largest, 1) if np.isfinite(value) else 0
                face = (negative if value < 0 else colour, share) if real else "#efefef"
                self._box(x + column, top + row, 1, 1, facecolor=face, edgecolor="#b8b8b8", linewidth=1)
                if not np.isnan(value):
                    shade = INK if real else GREY
                    gid = f"{name} {channel} {row} {column}"
                    self._text(x + column + 0.5, top + row + 0.5, _short(value), shade, 0.36, gid=gid)
            if marked:
                self._frame(name, x, top, marked)

    def _frame(self, name: str, x: float, top: float, marked: tuple) -> None:
        rows, columns = marked
        for row in rows:
            for column in columns:  # with dilation the window has holes
                self._box(x + column, top + row, 1, 1, facecolor=(THIRD, 0.3), edgecolor="none")
        tall, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        style = {"facecolor": "none", "edgecolor": WEIGHT, "linewidth": self.cell / 18, "gid": f"{name} window"}
        self._box(x + columns[0], top + rows[0], wide, tall, zorder=3, **style)

    def _write_sum(self, y: float) -> None:
        lines = textwrap.wrap(self.text, int(self.columns / 0.235))
        self._text(0, y, "\n".join(lines), INK, 0.4, horizontalalignment="left", verticalalignment="top", gid="sum")

    def _most_lines(self) -> int:
        """Lines of the longest sum, about, so that the picture keeps its size."""
        texts = (_sum(self.steps, self.steps[i], self.filter) for i in (0, len(self.steps) // 2, len(self.steps) - 1))
        return max(len(textwrap.wrap(text, int(self.columns / 0.235))) for text in texts)

    def _sum(self) -> str:
        return _sum(self.steps, self.step, self.filter)

    def _box(self, x, y, wide, tall, **style) -> None:
        self.axes.add_artist(Rectangle((x, y), wide, tall, **style))  # add_patch would measure it: slower

    def _text(self, x, y, text, colour, height, **style) -> None:
        size = height * self.cell * 72 / DPI  # `height` in cells
        style = {"horizontalalignment": "center", "verticalalignment": "center"} | style
        self.axes.text(x, y, text, color=colour, fontsize=size, **style)


def _sum(steps: Steps, step, filter: int) -> str:
    """The arithmetic of one step in words and numbers."""
    if steps.kind == "max pooling":
        return f"max({', '.join(_short(v) for v in step.values[filter].flat)}) = {_short(step.result[filter])}"
    if steps.kind == "average pooling":
        values = " + ".join(_factor(v) for v in step.values[filter].flat)
        return f"({values}) / {step.values[filter].size} = {_short(step.result[filter])}"
    if steps.kind == "L2-norm pooling":
        return f"√({' + '.join(f'{_factor(v)}²' for v in step.values[filter].flat)}) = {_short(step.result[filter])}"
    if steps.kind == "transposed convolution":
        cells = " and ".join(_short(value) for value in step.values)
        return f"input {cells}, times the kernel, is added into the window of the output"
    bias = f" + bias {_factor(steps.bias[filter])}" if steps.bias.any() else ""
    products = step.products[filter]  # [C, *kernel]
    if len(products) > 1:
        terms = " + ".join(f"channel {c}: {_factor(product.sum())}" for c, product in enumerate(products))
    else:
        pairs = zip(step.values[0].flat, steps.weight[filter, 0].flat, strict=True)
        terms = " + ".join(f"{_factor(value)}·{_factor(weight)}" for value, weight in pairs)
    return f"{terms}{bias} = {_short(step.result[filter])}"


def _inside(steps: Steps) -> tuple[range, range]:
    """Rows and columns of the canvas that are no padding (transposed: that are not cropped away)."""
    sizes = steps.output.shape[1:] if steps.kind == "transposed convolution" else steps.input.shape[1:]
    inside = [range(before, before + n) for (before, _), n in zip(steps.padding, sizes, strict=True)]
    return tuple(inside) if len(inside) == 2 else (range(1), inside[0])


def _flat(array: np.ndarray) -> np.ndarray:
    """[C, n] as [C, 1, n]; [C, n, m] as it is."""
    return array[:, None] if array.ndim == 2 else array


def _height(array: np.ndarray) -> float:
    return len(array) * (array.shape[1] + 0.5) - 0.5


def _short(value: float) -> str:
    """At most two decimals, a true minus sign."""
    return "−∞" if value == -np.inf else f"{round(value, 2) + 0:g}".replace("-", "−")


def _factor(value: float) -> str:
    return f"({_short(value)})" if value < 0 else _short(value)


def _gif(animation: ConvolutionAnimation) -> bytes:
    pictures = np.stack([animation.frame(index) for index in range(len(animation))])
    palette = _palette(pictures)
    frames = [Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    for i in range(len(frames) - 1, 0, -1):  # what stays the same is transparent, and packs well
        same = (pictures[i] == pictures[i - 1]).all(axis=2)
        frames[i] = Image.fromarray(np.where(same, COLOURS, np.asarray(frames[i])).astype(np.uint8), "P")
        frames[i].putpalette(palette.getpalette())
    times = [round(1000 * animation.seconds)] * len(frames)
    times[-1] *= PAUSE
    file = io.BytesIO()
    options = {"save_all": True, "loop": 0, "optimize": False, "disposal": 1, "transparency": COLOURS}
    frames[0].save(file, "GIF", append_images=frames[1:], duration=times, **options)
    return file.getvalue()


def _palette(pictures: np.ndarray) -> Image.Image:
    """The most frequent colours of all pictures, exact; the rest are shades at the edges of letters."""
    words = pictures.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, counts = np.unique(words, return_counts=True)
    often = colours[np.argsort(-counts, kind="stable")[:COLOURS]]
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for word in often.tolist() for part in word.to_bytes(3, "big")])
    return palette


PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Convolution, step by step</title>
<style>
body {{ margin: 1em auto; max-width: {width}px; font: 16px/1.5 sans-serif; color: #1f1f1f; background: #fff }}
img {{ width: 100% }}
input {{ width: 60% }}
</style>
<p>{words}</p><img id="picture" alt="{words}">
<p><button id="play">Pause</button> <label>step <input id="step" type="range" min="0" max="{last}" value="0"></label>
<output id="shown"></output></p>
<script>
const pictures = [{pictures}];
const [picture, play, step, shown] = ["picture", "play", "step", "shown"].map((id) => document.getElementById(id));
let timer = null;
function show(index) {{
  step.value = index;
  picture.src = "data:image/png;base64," + pictures[index];
  shown.textContent = `${{index + 1}} of ${{pictures.length}}`;
}}
function start() {{
  timer = setInterval(() => show((Number(step.value) + 1) % pictures.length), {milliseconds});
  play.textContent = "Pause";
}}
function stop() {{
  clearInterval(timer);
  timer = null;
  play.textContent = "Play";
}}
play.onclick = () => (timer === null ? start() : stop());
step.oninput = () => {{ stop(); show(Number(step.value)); }};
show(0);
if (matchMedia("(prefers-reduced-motion: reduce)").matches) stop(); else start();
</script></html>
"""


def _html(animation: ConvolutionAnimation) -> bytes:
    pictures = []
    for index in range(len(animation)):
        file = io.BytesIO()
        Image.fromarray(animation.frame(index)).quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
        pictures.append(f'"{_base64(file.getvalue())}"')
    return PAGE.format(
        words=animation.describe(),
        width=animation.width,
        last=len(animation) - 1,
        pictures=",\n".join(pictures),
        milliseconds=round(1000 * animation.seconds),
    ).encode()


def _mp4(animation: ConvolutionAnimation) -> bytes:
    program = _ffmpeg()
    frames = [animation.frame(index) for index in range(len(animation))]
    frames += [frames[-1]] * (PAUSE - 1)
    height, width, _ = frames[0].shape
    command = [program, "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    command += ["-framerate", f"{1 / animation.seconds:.6f}", "-i", "-", "-pix_fmt", "yuv420p", "-r", "25"]
    command += ["-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "-"]  # a pipe cannot be rewound
    done = subprocess.run(command, input=b"".join(frame.tobytes() for frame in frames), capture_output=True)
    if done.returncode:
        raise RuntimeError(f"ffmpeg could not write the film: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _ffmpeg() -> str:
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError):  # not installed, or without a program for this machine
        program = shutil.which("ffmpeg")
    if program is None:
        raise RuntimeError(
            "an .mp4 needs ffmpeg: pip install 'cnnviz[mp4]' (or install ffmpeg), or save as .gif or .html instead"
        )
    return program


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def readme_picture() -> ConvolutionAnimation:
    """The moving picture of the README: a 3 x 3 Sobel kernel slides over a 7 x 7 picture of a seven."""
    seven = ["0000000", "0999990", "0000990", "0009900", "0009900", "0099000", "0000000"]
    pixels = np.array([[float(letter) for letter in line] for line in seven])
    sobel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    return animate_convolution(convolution(pixels, sobel), seconds=0.6)
