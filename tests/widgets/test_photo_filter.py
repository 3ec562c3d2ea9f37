import numpy as np
import pytest
import traitlets
from PIL import Image

from cnnviz.analysis.kernels import KERNELS, kernel
from cnnviz.analysis.noise import add_noise
from cnnviz.analysis.photo import photo
from cnnviz.analysis.photo_filter import PADDING_MODES, edge_magnitude, median_filter, photo_filter
from cnnviz.widgets.explorer import IllegalSettingError
from cnnviz.widgets.photo_filter import FILTERS, PhotoFilterExplorer

GREY = photo("camera", longest=24)
COLOUR = photo("chelsea", longest=30)


def state_of(widget):
    return {name: np.array(getattr(widget, name)).tolist() for name in widget.control_names()}


@pytest.mark.parametrize("filter", FILTERS)
@pytest.mark.parametrize("mode", PADDING_MODES)
def test_output_and_code_are_the_filter_in_torch(filter, mode):
    image = COLOUR if mode in ("zeros", "valid") else GREY
    widget = PhotoFilterExplorer(
        image, filter=filter, kernel_size=5, padding_mode=mode, strength=1.35, noise="gaussian"
    )
    scope = {"photo": widget.input}
    exec(widget.code, scope)
    from_code = scope["y"][:, 0].permute(1, 2, 0).numpy().reshape(widget.output.shape)
    np.testing.assert_allclose(from_code, widget.output, atol=0.02)


def test_output_uses_the_filter_that_is_chosen():
    widget = PhotoFilterExplorer(COLOUR, padding_mode="reflect")
    expected = {
        "median": median_filter(COLOUR, 3, padding_mode="reflect"),
        "edge magnitude": edge_magnitude(COLOUR, padding_mode="reflect"),
        "emboss": photo_filter(COLOUR, "emboss", padding_mode="reflect"),
    }
    for name, filtered in expected.items():
        widget.filter = name
        np.testing.assert_array_equal(widget.output, filtered.result)


def test_difference_is_measured_from_the_clean_photo():
    widget = PhotoFilterExplorer(
        GREY, noise="salt and pepper", amount=30, seed=4, filter="median", padding_mode="valid"
    )
    np.testing.assert_array_equal(widget.input, add_noise(GREY, "salt and pepper", 30, seed=4))
    np.testing.assert_array_equal(widget.difference, widget.output - GREY[1:-1, 1:-1].astype(np.float32))
    assert widget.output.shape == (22, 22)


def test_presets_fill_the_cells_and_the_size_follows():
    widget = PhotoFilterExplorer(GREY)
    for name in KERNELS:
        for size in (5, 3):
            widget.filter, widget.kernel_size = name, size
            np.testing.assert_array_equal(widget.weight, kernel(name, size))


def test_edited_cells_are_kept_in_the_middle_when_the_size_changes():
    widget = PhotoFilterExplorer(GREY, filter="median")
    own = np.arange(9.0).reshape(3, 3)
    widget.filter = "sobel x"
    widget.weight = own
    assert (widget.filter, widget.kernel_size) == ("edited", 3)
    widget.kernel_size = 5
    np.testing.assert_array_equal(widget.weight, np.pad(own, 1))
    widget.kernel_size = 3
    np.testing.assert_array_equal(widget.weight, own)
    widget.weight = np.eye(5)
    assert widget.kernel_size == 5


@pytest.mark.parametrize("filter", ["median", "edge magnitude"])
def test_a_weight_replaces_a_filter_without_cells_but_another_size_does_not(filter):
    widget = PhotoFilterExplorer(GREY, filter=filter)
    widget.kernel_size = 5
    assert (widget.filter, widget.weight.shape) == (filter, (5, 5))
    cells = widget.weight[1:-1, 1:-1].tolist()
    widget.set_state({"kernel_size": 3, "weight": cells})  # what the browser sends
    assert (widget.filter, widget.weight.tolist()) == (filter, cells)
    widget.set_state({"filter": "edited"})
    widget.set_state({"filter": filter, "weight": np.ones((3, 3)).tolist()})  # two changes that it sent as one
    assert widget.filter == filter
    widget.weight = np.ones((3, 3))
    assert widget.filter == "edited"
    np.testing.assert_array_equal(widget.output, photo_filter(GREY, np.ones((3, 3))).result)


def test_a_weight_given_beside_another_filter_is_refused():
    for filter in ("box", "median"):
        with pytest.raises(ValueError, match=f"filter='{filter}' does not have the weight that is given"):
            PhotoFilterExplorer(GREY, weight=np.ones((3, 3)), filter=filter)
    assert PhotoFilterExplorer(GREY, weight=kernel("box", 5), filter="box").kernel_size == 5
    assert PhotoFilterExplorer(GREY, weight=np.ones((3, 3)), filter="edited").weight.sum() == 9


def test_a_cell_cannot_be_set_behind_the_back_of_the_browser():
    widget = PhotoFilterExplorer(GREY)
    for weight in (None, np.ones((3, 3)), np.eye(5)):
        if weight is not None:
            widget.weight = weight
            weight[0, 0] = 7  # a copy: the learner's own array stays free
        before = widget.weight.copy()
        with pytest.raises(ValueError, match="read-only"):
            widget.weight[0, 0] = 7
        np.testing.assert_array_equal(widget.weight, before)
    widget.filter = "sobel x"
    assert not widget.weight.flags.writeable


def test_a_weight_can_be_given_at_the_start():
    widget = PhotoFilterExplorer(GREY, weight=np.eye(5) / 5)
    assert (widget.filter, widget.kernel_size) == ("edited", 5)
    np.testing.assert_allclose(widget.output, photo_filter(GREY, np.eye(5) / 5).result)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("strength", 3.5, r"strength=3.5 must lie in 0\.\.3"),
        ("strength", float("nan"), "strength=nan"),
        ("amount", -1, "amount=-1"),
        ("seed", 100, "seed=100"),
        ("pixel", (24, 0), r"pixel=\(24, 0\) must lie in the photo of 24 x 24 pixels"),
        ("weight", [[1, 2], [3, 4]], r"3 x 3 or 5 x 5 finite numbers, got shape \(2, 2\)"),
        ("weight", [[1, 2], [3]], "rows of numbers of equal length"),
        ("weight", np.full((3, 3), np.nan), "finite numbers"),
        ("weight", None, r"3 x 3 or 5 x 5 finite numbers, got shape \(\)"),
        ("filter", "blur", "'filter' trait .* expected any of .*'identity'"),
        ("kernel_size", 4, r"expected any of \[3, 5\], not the int 4"),
        ("padding_mode", "mirror", "expected any of"),
        ("noise", "pink", "expected any of"),
        ("zoom", "middle", "expected any of"),
        ("display", "x-ray", "expected any of"),
    ],
)
def test_what_is_not_allowed_raises_and_changes_nothing(name, value, words):
    widget = PhotoFilterExplorer(GREY, filter="sharpen", strength=2)
    before, output = state_of(widget), widget.output
    with pytest.raises(traitlets.TraitError, match=words):
        setattr(widget, name, value)
    assert state_of(widget) == before
    np.testing.assert_array_equal(widget.output, output)
    with pytest.raises(traitlets.TraitError, match=words):
        PhotoFilterExplorer(GREY, **{name: value})


def test_an_illegal_setting_is_a_value_error():
    assert issubclass(IllegalSettingError, ValueError)


def test_an_unknown_argument_is_a_type_error_that_names_it():
    with pytest.raises(TypeError, match=r"no control 'kernel'; it has amount, display, filter, kernel_size"):
        PhotoFilterExplorer(GREY, kernel="box")


def test_every_control_is_a_synchronised_trait():
    arithmetic = {"filter", "kernel_size", "weight", "padding_mode", "strength", "noise", "amount", "seed"}
    assert set(PhotoFilterExplorer.control_names()) == arithmetic | {"display", "zoom", "pixel"}


def test_image_is_kept_or_shrunk_and_can_be_set(tmp_path):
    widget = PhotoFilterExplorer()
    assert widget.image.shape == (256, 256)
    assert repr(widget).startswith("camera, 256 x 256 pixels, shrunk from 512 x 512: gaussian kernel, 3 x 3")
    Image.fromarray(COLOUR).save(tmp_path / "mine.png")
    widget.image = tmp_path / "mine.png"
    np.testing.assert_array_equal(widget.image, COLOUR)
    assert repr(widget).startswith("mine.png, 20 x 30 pixels: ")
    assert widget.pixel == (19, 29)
    np.testing.assert_array_equal(PhotoFilterExplorer(COLOUR / 255).image, COLOUR)
    assert PhotoFilterExplorer("coffee", longest=60).image.shape == (40, 60, 3)


def test_image_is_a_copy_that_can_be_written_to():
    widget = PhotoFilterExplorer(GREY)
    widget.image[:] = 0  # writable, and the widget keeps its own
    np.testing.assert_array_equal(widget.image, GREY)


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((0, 0)), "shape"),
        (np.zeros((7, 30)), r"photo \(7 x 30\) is too small; it needs at least 8"),
        (np.full((9, 9), np.nan), "NaN"),
    ],
)
def test_a_bad_image_raises_and_leaves_the_old_one(image, words):
    widget = PhotoFilterExplorer(GREY)
    with pytest.raises(ValueError, match=words):
        widget.image = image
    np.testing.assert_array_equal(widget.image, GREY)
    with pytest.raises(ValueError, match=words):
        PhotoFilterExplorer(image)
    with pytest.raises(ValueError, match=r"longest \(=1000\) must lie in 8\.\.512"):
        PhotoFilterExplorer(GREY, longest=1000)


def test_repr_tells_the_numbers_and_repeats_itself():
    def make():
        return PhotoFilterExplorer(GREY, noise="gaussian", amount=20, filter="median", padding_mode="replicate")

    widget = make()
    assert repr(widget) == repr(make()) == widget.describe()
    after = np.sqrt(np.mean(widget.difference**2))
    assert f"{after:.1f} after" in repr(widget)
    assert "with gaussian noise of 20 grey levels: median, 3 x 3" in repr(widget)


def test_code_writes_whole_numbers_over_a_common_denominator():
    widget = PhotoFilterExplorer(GREY, filter="gaussian", kernel_size=5, strength=0.5)
    assert "[1., 4., 7., 4., 1.]" in widget.code
    assert "/ 273" in widget.code
    assert widget.code.endswith("y = x + 0.5 * (y - x)")
    widget.weight = np.full((3, 3), -0.12345678)
    assert "-0.123457" in widget.code


def test_a_zoomed_corner_takes_the_pixel_along():
    widget = PhotoFilterExplorer(COLOUR)
    assert widget.pixel == (10, 15)
    widget.zoom = "bottom left"
    assert widget.pixel == (19, 0)
    widget.zoom = "whole photo"
    assert widget.pixel == (19, 0)
    assert PhotoFilterExplorer(COLOUR, zoom="top right").pixel == (0, 29)


def test_to_html_is_one_page_without_an_address_and_nothing_is_left_after_a_failure(tmp_path):
    page = PhotoFilterExplorer(GREY).to_html(tmp_path / "photo.html").read_text("utf-8")
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
    with pytest.raises(OSError, match="cannot write"):
        PhotoFilterExplorer(GREY).to_html(tmp_path / "missing" / "photo.html")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.html"]
