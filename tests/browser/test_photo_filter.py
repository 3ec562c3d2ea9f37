"""PhotoFilterExplorer in Chromium: its arithmetic against torch, its drawing read back, its controls used by hand."""

import json
import random

import numpy as np
import pytest

from cnnviz.analysis.kernels import KERNELS
from cnnviz.analysis.photo import photo
from cnnviz.analysis.photo_filter import PADDING_MODES
from cnnviz.widgets.photo_filter import FILTERS, ZOOMS, PhotoFilterExplorer
from tests.browser.mount import TOLD, mount

pytestmark = pytest.mark.browser

GREY = photo("camera", longest=16)[:13]
COLOUR = photo("chelsea", longest=15)

# Settings and results travel as text: Playwright is slow with long lists.
COMPUTE = """(text) => {
    const { photos, states } = JSON.parse(text);
    const planes = ({ data, height, width, channels }) => ({ data: [...data], shape: [channels, height, width] });
    return JSON.stringify(states.map(([which, state]) => {
        const photo = module.photoFrom(photos[which].bytes, photos[which].shape);
        const input = module.addNoise(photo, state), out = module.filtered(input, state);
        const change = module.difference(photo, out);
        return { input: planes(input), result: planes(out.result), difference: planes(change),
            numbers: module.statistics(out.result), rms: module.statistics(change).rms,
            code: module.code(state), written: module.writtenOut(out, state, ...state.pixel) };
    }));
}"""
# The colours in the middle of `rows` x `columns` equal parts of a canvas.
COLOURS = """([panel, rows, columns]) => {
    const canvas = document.querySelector(`canvas[data-panel="${panel}"]`), { width, height } = canvas;
    const { data } = canvas.getContext("2d").getImageData(0, 0, width, height), colours = [];
    for (let y = 0; y < rows; y++) for (let x = 0; x < columns; x++) {
        const at = 4 * (Math.floor((y + 0.5) * height / rows) * width + Math.floor((x + 0.5) * width / columns));
        colours.push(...data.slice(at, at + 4));
    }
    return JSON.stringify(colours);
}"""


def states_of(widget):
    return widget.get_state([*widget.control_names(), "_shape", "_presets", "_title"])


def random_widget(rng, image):
    cells = [[rng.randint(-20, 20) / 8 for _ in range(5)] for _ in range(5)]
    filter = rng.choice(FILTERS)
    size = rng.choice([3, 5])
    own = {"weight": np.array(cells)[:size, :size]} if filter == "edited" else {"filter": filter, "kernel_size": size}
    return PhotoFilterExplorer(
        image,
        **own,
        padding_mode=rng.choice(PADDING_MODES),
        strength=rng.choice([1, 1, 0, rng.randint(0, 60) / 20]),
        noise=rng.choice(["none", "gaussian", "salt and pepper"]),
        amount=rng.randint(0, 100),
        seed=rng.randint(0, 99),
        pixel=(rng.randrange(image.shape[0]), rng.randrange(image.shape[1])),
    )


def in_the_browser(page, images, which, widgets):
    photos = [{"bytes": i.ravel().tolist(), "shape": [*i.shape, 1][:3]} for i in images]
    states = [[i, states_of(widget)] for i, widget in zip(which, widgets, strict=True)]
    return json.loads(page.evaluate(COMPUTE, json.dumps({"photos": photos, "states": states})))


def channels_last(planes):
    array = np.array(planes["data"]).reshape(planes["shape"]).transpose(1, 2, 0)
    return array[..., 0] if array.shape[2] == 1 else array


def test_arithmetic_noise_and_code_agree_with_torch_on_330_random_settings(import_module):
    rng = random.Random(3)
    images = [GREY, COLOUR]
    which = [i % 2 for i in range(330)]
    widgets = [random_widget(rng, images[i]) for i in which]
    theirs = in_the_browser(import_module(PhotoFilterExplorer._esm), images, which, widgets)
    assert len(theirs) == 330
    for widget, browser in zip(widgets, theirs, strict=True):
        np.testing.assert_array_equal(channels_last(browser["input"]), widget.input)
        tolerance = 1e-5 * 255 * max(1, np.abs(widget.weight).sum()) * max(1, widget.strength)
        np.testing.assert_allclose(channels_last(browser["result"]), widget.output, atol=tolerance)
        np.testing.assert_allclose(channels_last(browser["difference"]), widget.difference, atol=tolerance)
        assert browser["code"] == widget.code
        assert browser["rms"] == pytest.approx(np.sqrt(np.mean(widget.difference.astype(float) ** 2)), abs=tolerance)
        assert browser["numbers"]["outside"] == pytest.approx(widget.filtered.clipped, abs=0.02)


def test_the_sum_that_is_written_out_is_the_value_of_the_result(import_module):
    rng = random.Random(5)
    images = [GREY, COLOUR]
    which = [i % 2 for i in range(150)]
    widgets = [random_widget(rng, images[i]) for i in which]
    theirs = in_the_browser(import_module(PhotoFilterExplorer._esm), images, which, widgets)
    left_out = 0
    for widget, browser in zip(widgets, theirs, strict=True):
        red = widget.output if widget.output.ndim == 2 else widget.output[..., 0]
        edge = widget.kernel_size // 2 if widget.padding_mode == "valid" else 0
        row, column = (i - edge for i in widget.pixel)
        if 0 <= row < widget.output.shape[0] and 0 <= column < widget.output.shape[1]:
            last = float(browser["written"].rstrip(".").rpartition("= ")[2])
            assert last == pytest.approx(red[row, column], abs=0.06)
            assert browser["written"].startswith("Row" if widget.output.ndim == 2 else "Red plane, row")
        else:
            left_out += 1
            assert "the window would leave the photo" in browser["written"]
    assert 0 < left_out < 30


def test_a_scale_is_centred_on_zero_and_few_values_lie_beyond(import_module):
    page = import_module(PhotoFilterExplorer._esm)
    rng = np.random.default_rng(0)
    for spread in (0, 1, 7, 30, 400):
        values = rng.normal(0, spread, 3000)
        scale = page.evaluate("(values) => module.scaleFor(values)", values.tolist())
        assert np.mean(np.abs(values) > scale) <= 0.02
        assert scale == 8 or np.mean(np.abs(values) > scale / 2) > 0.02
    assert page.evaluate("() => [module.scaleFor([8]), module.scaleFor([8.01, -16]), module.scaleFor([17])]") == [
        8,
        16,
        32,
    ]


def drawn(page, panel, shape):
    """The colour (red, green, blue, alpha) in the middle of every pixel of the photo, as it stands on the canvas."""
    page.evaluate(TOLD)
    return np.array(json.loads(page.evaluate(COLOURS, [panel, *shape[:2]]))).reshape(*shape[:2], 4)


def test_thirty_settings_read_back_from_the_drawing(import_module):
    rng = random.Random(8)
    page = import_module(PhotoFilterExplorer._esm)
    compared = 0
    for i in range(30):
        image = (GREY, COLOUR)[i % 2]
        widget = random_widget(rng, image)
        widget.display = "photo"
        mount(page, widget)
        edge = widget.kernel_size // 2 if widget.padding_mode == "valid" else 0
        far = np.ones(image.shape[:2], bool)  # the mark of the pixel hides a few
        row, column = widget.pixel
        far[max(0, row - 3) : row + 4, max(0, column - 3) : column + 4] = False
        colours = drawn(page, "result", image.shape)
        covered = np.zeros(image.shape[:2], bool)
        covered[edge : covered.shape[0] - edge, edge : covered.shape[1] - edge] = True
        expected = np.zeros((*image.shape[:2], 3))
        expected[covered] = widget.filtered.shown.reshape(-1, widget.filtered.shown.shape[2] if image.ndim == 3 else 1)
        assert np.abs(colours[..., :3] - expected)[far & covered].max() <= 1
        assert (colours[..., 3] == 255)[far & covered].all()
        assert (colours[..., 3] == 0)[far & ~covered].all()
        differing = widget.difference.mean(-1) if image.ndim == 3 else widget.difference
        signed = drawn(page, "difference", image.shape)[far & covered]
        flat = differing[far[edge : far.shape[0] - edge, edge : far.shape[1] - edge]]
        strong = np.abs(flat) > 0.1 * np.abs(flat).max() + 1e-6
        assert ((signed[:, 0] - signed[:, 2] > 0) == (flat > 0))[strong].all()  # red is brighter, blue is darker
        compared += strong.sum()
    assert compared > 1000


def test_a_zoomed_corner_shows_what_lies_beyond_the_border(import_module):
    page = import_module(PhotoFilterExplorer._esm)
    image = np.full((60, 60), 200, np.uint8)
    for mode, beyond in {"zeros": [0, 0, 0, 255], "replicate": [200, 200, 200, 255], "valid": [0, 0, 0, 0]}.items():
        mount(page, PhotoFilterExplorer(image, zoom="top left", padding_mode=mode, kernel_size=5, pixel=(20, 20)))
        colours = drawn(page, "input", (24, 24))  # from three pixels beyond the border
        assert colours[0, 8].tolist() == [0, 0, 0, 0]  # the kernel reaches two pixels beyond, not three
        assert colours[1, 8].tolist() == colours[8, 2].tolist() == beyond
        assert colours[5, 5].tolist() == [200, 200, 200, 255]
        coarse = drawn(page, "input", (24, 4))  # its first column is where the border is
        assert coarse[10, 0].tolist() == [230, 159, 0, 255]


def test_every_control_works_from_the_keyboard(import_module):
    page = import_module(PhotoFilterExplorer._esm)
    mount(page, PhotoFilterExplorer(COLOUR, filter="identity"))
    presses = {
        "filter": ("b", "box"), "kernel_size": ("5", 5), "padding_mode": ("v", "valid"), "zoom": ("b", "bottom left"),
        "display": ("s", "signed"), "strength": ("ArrowRight", 1.05), "noise": ("s", "salt and pepper"),
        "amount": ("End", 100), "seed": ("ArrowUp", 1),
    }  # fmt: skip
    page.focus("select[name=filter]")
    for _ in range(9):
        name = page.evaluate("() => document.activeElement.name")
        key, value = presses.pop(name)
        page.keyboard.press(key)
        page.evaluate(TOLD)
        assert page.evaluate("(name) => state[name]", name) == value, name
        page.keyboard.press("Tab")
        if name == "noise":
            page.evaluate(TOLD)
    assert not presses
    assert page.evaluate("() => state.weight") == pytest.approx(np.full((5, 5), 0.04))
    assert page.evaluate("() => state.pixel") == [COLOUR.shape[0] - 1, 0]
    page.focus("canvas[data-panel=input]")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowRight")
    page.evaluate(TOLD)
    assert page.evaluate("() => state.pixel") == [COLOUR.shape[0] - 2, 10]


def test_an_edited_cell_makes_the_kernel_ones_own(import_module):
    page = import_module(PhotoFilterExplorer._esm)
    mount(page, PhotoFilterExplorer(GREY, filter="identity"))
    page.fill("input[aria-label='kernel, row 0, column 2']", "-2.5")
    page.keyboard.press("Enter")
    page.evaluate(TOLD)
    assert page.evaluate("() => state.weight") == [[0, 0, -2.5], [0, 1, 0], [0, 0, 0]]
    assert page.input_value("select[name=filter]") == "edited"
    page.fill("input[aria-label='kernel, row 0, column 2']", "")
    page.keyboard.press("Enter")
    assert page.input_value("input[aria-label='kernel, row 0, column 2']") == "-2.5"
    page.select_option("select[name=kernel_size]", "5")
    page.evaluate(TOLD)
    assert page.evaluate("() => state.weight[1]") == [0, 0, 0, -2.5, 0]


def test_the_pointer_writes_a_pixel_out_and_a_click_keeps_it(import_module):
    page = import_module(PhotoFilterExplorer._esm)
    mount(page, PhotoFilterExplorer(GREY, filter="identity"))
    box = page.locator("canvas[data-panel=result]").bounding_box()
    x, y = box["x"] + 3.5 / 16 * box["width"], box["y"] + 2.5 / 13 * box["height"]
    page.mouse.move(x, y)
    page.evaluate(TOLD)
    written = page.locator(".cnnviz-photo-written")
    assert written.inner_text() == f"Row 2, column 3: 1·{GREY[2, 3]} = {GREY[2, 3]}."
    page.mouse.move(0, 0)
    page.evaluate(TOLD)
    assert written.inner_text().startswith("Row 6, column 8")
    page.mouse.click(x, y)
    page.evaluate(TOLD)
    assert page.evaluate("() => state.pixel") == [2, 3]


def test_python_moves_the_page(import_module):
    page = import_module(PhotoFilterExplorer._esm)
    mount(page, PhotoFilterExplorer(GREY))
    before = drawn(page, "result", GREY.shape)
    page.evaluate("() => { model.set('weight', [[0,0,0],[0,-1,0],[0,0,0]]); model.set('filter', 'edited'); }")
    assert (drawn(page, "result", GREY.shape) != before).any()
    assert page.input_value("select[name=filter]") == "edited"


@pytest.mark.parametrize("width", [1080, 760, 560])
def test_nothing_jumps_when_settings_change(import_module, width):
    page = import_module(PhotoFilterExplorer._esm)
    mount(page, PhotoFilterExplorer("coffee"), width)
    places = """() => [...document.querySelectorAll("canvas, .cnnviz-control, .cnnviz-photo-written, button")]
        .map((node) => node.getBoundingClientRect()).map(({ x, y, width, height }) => [x, y, width, height])"""
    page.evaluate(TOLD)
    before = page.evaluate(places)
    for name, options in {
        "filter": FILTERS,
        "noise": ["gaussian", "none"],
        "padding_mode": PADDING_MODES,
        "zoom": ZOOMS,
    }.items():
        for option in options:
            page.select_option(f"select[name={name}]", option)
            page.evaluate(TOLD)
            assert page.evaluate(places) == before, (name, option)
    page.select_option("select[name=kernel_size]", "5")
    page.evaluate(TOLD)
    assert page.evaluate(places) == before


def test_every_picture_and_input_has_a_name(import_module):
    page = import_module(PhotoFilterExplorer._esm)
    mount(page, PhotoFilterExplorer(GREY, noise="gaussian"))
    page.evaluate(TOLD)
    labels = page.evaluate(
        "() => [...document.querySelectorAll('canvas')].map((node) => node.getAttribute('aria-label'))"
    )
    assert [label.partition(":")[0] for label in labels] == ["Noisy photo", "Result", "Result − clean photo"]
    nameless = """() => [...document.querySelectorAll("input, select, button")]
        .filter((node) => !node.labels?.length && !node.getAttribute("aria-label") && !node.textContent).length"""
    assert page.evaluate(nameless) == 0


def test_the_saved_page_works_with_the_network_off(page, tmp_path):
    widget = PhotoFilterExplorer(COLOUR, filter="sobel x", display="photo", pixel=(0, 0))
    page.goto(widget.to_html(tmp_path / "photo.html").as_uri())
    colours = drawn(page, "result", COLOUR.shape)
    np.testing.assert_allclose(colours[5:, 5:, :3], widget.filtered.shown[5:, 5:], atol=1)
    page.select_option("select[name=filter]", "median")
    widget.filter = "median"
    np.testing.assert_allclose(drawn(page, "result", COLOUR.shape)[5:, 5:, :3], widget.filtered.shown[5:, 5:], atol=1)
    page.get_by_role("button", name="Copy as PyTorch").click()
    assert page.locator("pre").inner_text() == widget.code


def test_the_list_of_filters_is_complete(import_module):
    page = import_module(PhotoFilterExplorer._esm)
    mount(page, PhotoFilterExplorer(GREY))
    listed = page.evaluate(
        "() => [...document.querySelectorAll('select[name=filter] option')].map((option) => option.value)"
    )
    assert tuple(listed) == FILTERS
    assert set(KERNELS) < set(listed)
