import itertools
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from cnnviz.analysis.convolution import convolution, pooling
from cnnviz.figures.convolution import ConvolutionAnimation, animate_convolution, readme_picture
from cnnviz.figures.style import ACCENT, INPUT, OUTPUT, WEIGHT

GIF = Path(__file__).parents[2] / "data" / "samples" / "convolution.gif"
NINE = np.arange(9.0).reshape(3, 3)
FOUR = np.arange(4.0).reshape(2, 2)


def texts(figure, start):
    """The numbers that stand in the cells of one grid: {"channel row column": text}."""
    named = {text.get_gid() or "": text.get_text() for text in figure.axes[0].texts}
    return {gid.removeprefix(start): text for gid, text in named.items() if gid.startswith(start)}


def face(figure, cell):
    """The colour (red, green, blue) behind the number of one cell."""
    number = next(text for text in figure.axes[0].texts if text.get_gid() == cell)
    column, row = (part - 0.5 for part in number.get_position())
    box = next(patch for patch in figure.axes[0].patches if np.allclose(patch.get_xy(), (column, row)))
    return to_hex(box.get_facecolor())


def written(figure):
    return " ".join(texts(figure, "sum").popitem()[1].split())


def window(figure, name):
    """Column, row, width and height of the frame in one grid, counted from the grid's first cell."""
    frame = next(patch for patch in figure.axes[0].patches if patch.get_gid() == f"{name} window")
    origin = next(text for text in figure.axes[0].texts if text.get_gid() == f"{name} 0 0 0").get_position()
    return [frame.get_x() - origin[0] + 0.5, frame.get_y() - origin[1] + 0.5, frame.get_width(), frame.get_height()]


def test_nine_by_four_writes_19_25_37_43_one_after_the_other():
    animation = animate_convolution(convolution(NINE, FOUR))
    assert len(animation) == 4
    outputs = [texts(animation.figure(i), "output ") for i in range(4)]
    assert outputs[0] == {"0 0 0": "19"}
    assert outputs[3] == {"0 0 0": "19", "0 0 1": "25", "0 1 0": "37", "0 1 1": "43"}
    assert written(animation.figure(3)) == "4·0 + 5·1 + 7·2 + 8·3 = 43"
    assert window(animation.figure(3), "input") == pytest.approx([1, 1, 2, 2])
    assert window(animation.figure(3), "output") == pytest.approx([1, 1, 1, 1])


def test_the_whole_input_kernel_and_padding_are_shown():
    figure = animate_convolution(convolution(NINE, FOUR - 2, padding=1, padding_mode="replicate")).figure(0)
    assert len(texts(figure, "input ")) == 25
    assert texts(figure, "input ")["0 0 0"] == "0"
    assert texts(figure, "input ")["0 4 4"] == "8"
    assert texts(figure, "kernel ") == {"0 0 0": "−2", "0 0 1": "−1", "0 1 0": "0", "0 1 1": "1"}
    assert written(figure) == "0·(−2) + 0·(−1) + 0·0 + 0·1 = 0"


def test_negative_numbers_have_the_colours_of_the_explorer():
    figure = animate_convolution(convolution(NINE - 4, np.array([[1.0, -1], [2, 0]]))).figure(3)
    assert [texts(figure, "output ")[cell] for cell in ("0 0 0", "0 1 1")] == ["−3", "5"]
    colours = {"input 0 0 0": INPUT, "input 0 2 2": INPUT, "kernel 0 0 0": WEIGHT, "kernel 0 0 1": INPUT,
               "output 0 0 0": ACCENT, "output 0 1 1": OUTPUT}  # fmt: skip
    assert {cell: face(figure, cell) for cell in colours} == colours


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_every_window_lies_where_the_record_says(stride, dilation):
    steps = convolution(np.arange(36.0).reshape(6, 6), FOUR, stride=stride, dilation=dilation)
    animation = animate_convolution(steps)
    for index in range(0, len(steps), 2):
        rows, columns = steps[index].window
        expected = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
        assert window(animation.figure(index), "input") == pytest.approx(expected)


def test_a_volume_adds_its_channels_and_the_bias():
    rng = np.random.default_rng(0)
    steps = convolution(rng.integers(0, 9, (2, 3, 3)), rng.integers(-3, 3, (2, 2, 2, 2)), bias=[0, -1])
    animation = animate_convolution(steps, filter=1)
    text = written(animation.figure(2)).replace("−", "-").replace("(", "").replace(")", "")
    first, second, bias, total = (float(number) for number in re.findall(r"(?:channel \d: |bias |= )(-?\d+)", text))
    assert bias == -1
    assert first + second + bias == total == steps.output[1, 1, 0]
    assert texts(animation.figure(2), "output ")["0 1 0"].replace("−", "-") == f"{total:g}"
    assert "1 0 0" in texts(animation.figure(2), "input ")


def test_pooling_has_no_kernel_and_pads_with_minus_infinity():
    figure = animate_convolution(pooling(NINE, 2, stride=1, padding=1)).figure(0)
    assert not texts(figure, "kernel ")
    assert texts(figure, "input ")["0 0 0"] == "−∞"
    assert written(figure) == "max(−∞, −∞, −∞, 0) = 0"
    average = animate_convolution(pooling(NINE, 2, kind="average", stride=1)).figure(3)
    assert written(average) == "(4 + 5 + 7 + 8) / 4 = 6"
    norm = animate_convolution(pooling(np.array([[3.0, -4], [0, 0]]), 2, kind="L2-norm")).figure(0)
    assert written(norm) == "√(3² + (−4)² + 0² + 0²) = 5"


def test_transposed_convolution_adds_into_the_window_of_the_output():
    steps = convolution(FOUR, FOUR, stride=2, transposed=True)
    figure = animate_convolution(steps).figure(3)
    assert window(figure, "input") == pytest.approx([1, 1, 1, 1])
    assert window(figure, "output") == pytest.approx([2, 2, 2, 2])
    shown = np.array([float(text) for text in texts(figure, "output ").values()]).reshape(4, 4)
    np.testing.assert_array_equal(shown, steps.output[0])


def test_a_line_is_a_grid_of_one_row():
    figure = animate_convolution(convolution([1, 2, 3, 4], np.array([1, -1]), padding=1)).figure(4)
    assert list(texts(figure, "output ").values()) == ["−1", "−1", "−1", "−1", "4"]
    assert window(figure, "input") == pytest.approx([4, 0, 2, 1])


def test_all_pictures_have_one_size_and_step_by_step_they_differ():
    animation = animate_convolution(convolution(NINE, FOUR), width=301)
    frames = [animation.frame(index) for index in range(4)]
    assert {frame.shape for frame in frames} == {frames[0].shape}
    assert frames[0].shape[1] == 300
    assert all((a != b).any() for a, b in itertools.pairwise(frames))
    np.testing.assert_array_equal(frames[0][0, 0], [255, 255, 255])


def test_gif_has_every_step_its_time_and_the_right_pictures(tmp_path):
    animation = animate_convolution(convolution(NINE, FOUR), width=300, seconds=0.25)
    path = animation.save(tmp_path / "steps.gif")
    with Image.open(path) as gif:
        assert gif.n_frames == 4
        assert gif.info.get("loop") == 0
        for index in range(4):
            gif.seek(index)
            assert gif.info["duration"] == (250 if index < 3 else 1250)
            difference = np.abs(np.asarray(gif.convert("RGB")).astype(int) - animation.frame(index))
            assert np.mean(difference) < 1  # 63 colours


def test_html_holds_every_picture_and_no_address(tmp_path):
    animation = animate_convolution(convolution(NINE, FOUR), width=300)
    page = animation.save(tmp_path / "steps.html").read_text("utf-8")
    assert page.count('"iVBOR') == 4
    assert "http" not in page
    assert animation.describe() in page


def test_mp4_is_written_where_ffmpeg_is(tmp_path):
    pytest.importorskip("imageio_ffmpeg", reason="no ffmpeg: pip install 'cnnviz[mp4]'")
    film = animate_convolution(convolution(NINE, FOUR), width=300).save(tmp_path / "steps.mp4").read_bytes()
    assert film[4:8] == b"ftyp"
    assert len(film) > 2000


def test_mp4_without_ffmpeg_is_one_clear_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match=r"needs ffmpeg: pip install 'cnnviz\[mp4\]'.*\.gif or \.html"):
        animate_convolution(convolution(NINE, FOUR), width=300).save(tmp_path / "steps.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["steps.avi", "steps"])
def test_another_ending_is_refused_before_anything_is_drawn(tmp_path, name):
    with pytest.raises(ValueError, match=r"its name must end with \.gif, \.html, \.mp4"):
        animate_convolution(convolution(NINE, FOUR)).save(tmp_path / name)
    with pytest.raises(OSError, match="cannot write"):
        animate_convolution(convolution(NINE, FOUR)).save(tmp_path / "missing" / "steps.gif")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"filter": 1}, r"filter \(=1\) must lie in 0\.\.0"),
        ({"seconds": 0}, r"seconds \(=0\) must be above 0"),
        ({"width": 100}, r"width \(=100\) must lie in 200\.\.4000"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        animate_convolution(convolution(NINE, FOUR), **options)


def test_too_many_cells_are_refused():
    with pytest.raises(ValueError, match="1 channels of 30 cells along an edge cannot be read"):
        animate_convolution(convolution(np.zeros((30, 30)), FOUR))


def test_a_notebook_shows_the_moving_picture():
    animation = animate_convolution(convolution(NINE, FOUR), width=300)
    assert repr(animation) == animation.describe()
    assert animation._repr_html_().startswith(f'<img alt="{animation.describe()}"')
    assert "data:image/gif;base64,R0lGOD" in animation._repr_html_()


def test_the_picture_of_the_readme_is_what_its_alternative_text_says():
    animation = readme_picture()
    assert isinstance(animation, ConvolutionAnimation)
    assert (animation.steps.input.shape, animation.steps.kernel_size) == ((1, 7, 7), (3, 3))
    with Image.open(GIF) as gif:
        assert GIF.stat().st_size < 400_000
        assert gif.n_frames == len(animation) == 25
        gif.seek(24)
        difference = np.abs(np.asarray(gif.convert("RGB")).astype(int) - animation.frame(24))
        assert np.mean(difference) < 2, "the picture is out of date: make picture"
