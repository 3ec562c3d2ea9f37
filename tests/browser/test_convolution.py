"""ConvolutionExplorer in Chromium: its arithmetic against torch, its drawing read back, its controls used by hand."""

import random
import re

import numpy as np
import pytest
from playwright.sync_api import expect

from cnnviz.analysis.convolution import KINDS
from cnnviz.widgets.convolution import ConvolutionExplorer
from cnnviz.widgets.convolution_settings import RANGES
from cnnviz.widgets.explorer import IllegalSettingError
from tests.browser.mount import PAINTED, mount

pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore:Using padding='same'")]

CONTROLS = ["mode", "source", "input_size", "kernel_size", "stride", "padding", "padding_mode", "dilation"]
CONTROLS += ["output_padding", "global_pooling", "out_channels"]

# What is painted is kept, canvas by canvas, as the canvas is told to paint it.
RECORD = """() => {
    const canvas = CanvasRenderingContext2D.prototype;
    for (const call of ["clearRect", "fillText", "fillRect", "strokeRect", "rect"]) {
        const real = canvas[call];
        canvas[call] = function (...args) {
            if (call === "clearRect") this.canvas.painted = [];
            const { lineWidth, strokeStyle, globalAlpha: alpha } = this;
            this.canvas.painted.push({ call, args, lineWidth, strokeStyle, alpha });
            return real.apply(this, args);
        };
    }
}"""
# Cells are the thin squares: their panel, channel, row and column follow from where they stand, their text from what
# is written in their middle.
DRAWN = """() => {
    const painted = [...document.querySelectorAll(".cnnviz-drawing canvas")].flatMap((canvas) => canvas.painted);
    const stage = document.querySelector(".cnnviz-drawing").getBoundingClientRect();
    const texts = painted.filter(({ call }) => call === "fillText").map(({ args }) => args);
    const thin = painted.filter(({ call, lineWidth }) => call === "strokeRect" && lineWidth < 1);
    const squares = thin.map(({ args }) => args);
    const cells = {};
    for (const panel of document.querySelectorAll("[data-panel]")) {
        const [left, width] = [parseFloat(panel.style.left), parseFloat(panel.style.width)];
        const mine = squares.filter(([x]) => x >= left && x < left + width);
        const lines = [...new Set(mine.map(([, y]) => y))].sort((a, b) => a - b);
        let [channel, row] = [0, 0];
        lines.forEach((y, index) => {
            if (index) [channel, row] = y - lines[index - 1] > 1.1 * mine[0][2] ? [channel + 1, 0] : [channel, row + 1];
            const line = mine.filter((square) => square[1] === y).sort((a, b) => a[0] - b[0]);
            line.forEach(([x, , width, height], column) => {
                const inside = ([, at, down]) => Math.hypot(at - x - width / 2, down - y - height / 2) < 1;
                cells[`${panel.dataset.panel} ${channel} ${row} ${column}`] =
                    { text: texts.find(inside)?.[0], x: x + stage.left, y: y + stage.top, width, height };
            });
        });
    }
    return cells;
}"""
FRAMES = """(role) => {
    const node = document.querySelector(".cnnviz");
    const colour = getComputedStyle(node).getPropertyValue(`--${role}`).trim();
    return [...node.querySelectorAll("canvas")].flatMap((canvas) => canvas.painted)
        .filter(({ call, lineWidth, strokeStyle }) => call === "strokeRect" && lineWidth > 1 && strokeStyle === colour)
        .map(({ args: [x, y, width, height] }) => ({ x, y, width, height }));
}"""
SHAPES = "[...document.querySelectorAll('.cnnviz-drawing canvas')].flatMap((canvas) => canvas.painted)"
HATCHED = f"() => {SHAPES}.filter(({{ call }}) => call === 'rect').length"


def random_controls(rng):
    """Any setting that the sliders can name, legal or not; words and modes often enough to meet each other."""
    mode = rng.choice(KINDS)
    return {
        "mode": mode,
        "source": rng.choice(["numbers", "numbers", "digit", "photo", "colour photo"]),
        "input_size": rng.randint(1, 12),
        "kernel_size": rng.randint(1, 6),
        "stride": rng.randint(1, 4),
        "padding": rng.choice([0, 0, 1, 1, 2, 3, "valid", "same", "full"] if mode == "convolution" else [0, 0, 1, 2]),
        "padding_mode": rng.choice(["zeros", "reflect", "replicate", "circular"] if rng.random() < 0.4 else ["zeros"]),
        "dilation": rng.choice([1, 1, 1, 2, 3]),
        "output_padding": rng.choice([0, 0, 0, 1]),
        "global_pooling": rng.random() < (0.25 if "pooling" in mode else 0.03),
        "out_channels": rng.randint(1, 3),
    }


def explorers(count, seed):
    """`count` legal explorers with weights and biases of their own, and all settings that were refused on the way."""
    rng = random.Random(seed)
    legal, refused = [], []
    while len(legal) < count:
        chosen = random_controls(rng)
        try:
            explorer = ConvolutionExplorer(**chosen)
        except IllegalSettingError:
            refused.append(chosen)
            continue
        if "pooling" not in explorer.mode:
            shape = explorer.weight.shape
            explorer.weight = np.array([rng.randint(-9, 9) / 4 for _ in range(int(np.prod(shape)))]).reshape(shape)
            explorer.bias = [rng.randint(-8, 8) / 4 for _ in range(explorer.out_channels)]
        legal.append(explorer)
    return legal, refused


def test_arithmetic_code_and_words_agree_with_torch_on_320_random_settings(import_module):
    legal, refused = explorers(320, seed=1)
    page = import_module(ConvolutionExplorer._esm)
    states = [explorer.get_state(explorer.control_names()) for explorer in legal]
    theirs = page.evaluate(
        """(states) => states.map((state) => ({
            refusal: module.refusal(state), ...module.forward(module.windowed(state)),
            size: module.sizes(module.windowed(state)).output,
            code: module.pytorch(state), words: module.describe(state),
            same: JSON.stringify(module.complete(state, {}, {}).weight) === JSON.stringify(state.weight) }))""",
        [state | {"source": "own", "kernels": ["edited"] * state["out_channels"]} for state in states],
    )
    for explorer, browser in zip(legal, theirs, strict=True):
        output = explorer.output if explorer.output.ndim == 3 else explorer.output[None]
        assert browser["refusal"] is None, (explorer, browser["refusal"])
        np.testing.assert_allclose(browser["output"], output, atol=1e-9, err_msg=repr(explorer))
        assert browser["size"] == output.shape[-1]
        if "pooling" in explorer.mode:
            np.testing.assert_array_equal(browser["unused"], explorer.steps.unused)
        assert browser["code"] == explorer.code
        assert browser["words"] == explorer.describe()
        assert browser["same"], "the browser would change a state that is already complete"
    assert len(refused) > 100
    reasons = page.evaluate("(states) => states.map(module.refusal)", refused)
    assert [chosen for chosen, reason in zip(refused, reasons, strict=True) if not reason] == []


def test_completing_a_choice_gives_the_same_arrays_in_browser_and_python(import_module):
    page = import_module(ConvolutionExplorer._esm)
    given = ConvolutionExplorer().get_state(["_pictures", "_presets"])
    page.evaluate("(given) => { window.given = given; }", given)
    rng = random.Random(2)
    for explorer in explorers(40, seed=3)[0]:
        for name, value in [
            ("kernel_size", rng.randint(1, 5)),
            ("input_size", rng.randint(3, 12)),
            ("source", "photo"),
        ]:
            before = explorer.get_state(explorer.control_names())
            try:
                setattr(explorer, name, value)
            except IllegalSettingError:
                continue
            after = page.evaluate(
                "([state, change]) => module.complete({ ...state, ...change }, given._pictures, given._presets)",
                [before, {name: value}],
            )
            assert after == explorer.get_state(explorer.control_names())


def test_every_slider_stops_exactly_where_python_refuses_and_says_why(import_module):
    page = import_module(ConvolutionExplorer._esm)
    names = [name for name in RANGES if name != "speed"]
    for explorer in explorers(25, seed=4)[0]:
        state = {name: getattr(explorer, name) for name in CONTROLS}
        for name in names:
            if not isinstance(state[name], int):
                continue
            limits = page.evaluate("([state, name]) => module.limits(state, name)", [state, name])
            for end, step in (("low", -1), ("high", 1)):
                assert_stops(explorer, name, limits[end], step, limits["why"].get(end))


def assert_stops(explorer, name, value, step, why):
    """At `value` the setting is legal; one further it is refused, and `why` says so, or the slider ends there."""
    here = getattr(explorer, name)
    setattr(explorer, name, value)
    if why is None:
        assert value in RANGES.get(name, (0, 6))
    else:
        assert why.startswith(f"stops at {value}: ")
        with pytest.raises(IllegalSettingError):
            setattr(explorer, name, value + step)
    setattr(explorer, name, here)


def test_a_choice_is_made_legal_with_what_was_changed_in_words_or_refused(import_module):
    page = import_module(ConvolutionExplorer._esm)
    rng = random.Random(5)
    changed = 0
    for explorer in explorers(60, seed=6)[0]:
        state = {name: getattr(explorer, name) for name in CONTROLS} | {"mode": rng.choice(KINDS)}
        legal, words = page.evaluate("(state) => module.adapt(state)", state)
        assert legal is not None, words
        ConvolutionExplorer(**legal)
        assert (legal != state) == bool(words)
        changed += legal != state
    assert changed > 5


def test_thirty_settings_are_read_back_from_the_drawing(import_module):
    page = import_module(ConvolutionExplorer._esm)
    page.evaluate(RECORD)
    read = 0
    for explorer in explorers(150, seed=7)[0]:
        if read == 30:
            break
        if explorer.source == "colour photo" or max(explorer.steps.canvas.shape[-1], *explorer.steps.output_size) > 7:
            continue
        mount(page, explorer)
        assert_drawn(page, explorer)
        read += 1
    assert read == 30


def assert_drawn(page, explorer):
    """Every number of input, filter and output stands in its cell, rounded as cellText rounds."""
    drawn = page.evaluate(DRAWN)
    steps, turned = explorer.steps, explorer.mode == "transposed convolution"
    grids = {"left": steps.input if turned else steps.canvas, "right": explorer.steps.output}
    if steps.weight is not None:
        grids["kernel"] = explorer.weight[explorer.filter]
    before = steps.padding[0][0] if turned else 0
    for panel, channels in grids.items():
        shift = before if panel == "right" else 0
        expected = {
            f"{panel} {c} {row + shift} {column + shift}": value
            for c, grid in enumerate(channels)
            for row, line in enumerate(grid)
            for column, value in enumerate(line)
        }
        assert expected.keys() <= drawn.keys(), (repr(explorer), panel)
        for name, value in expected.items():
            text = drawn[name]["text"]
            if np.isinf(value):
                assert text == "-∞"
            else:
                assert (
                    abs(float(text) - value)
                    <= (0.5 if abs(value) >= 100 else 0.05 if abs(value) >= 10 else 0.005) + 1e-9
                )


@pytest.fixture
def shown(page, tmp_path):
    """Open an explorer's page from disk with the network off; the page keeps its model as nobody else does."""

    def show(**controls):
        path = ConvolutionExplorer(**controls).to_html(tmp_path / "explorer.html")
        page.add_init_script(f"({RECORD})()")
        page.goto(path.as_uri())
        page.evaluate(PAINTED)
        return page

    return show


def shown_state(page, name):
    return page.locator(f".cnnviz [name={name}]").input_value()


def test_the_page_works_from_disk_with_the_network_off(shown):
    page = shown(stride=3)
    assert "7 - 3 = 4, 4 / 3 leaves 1" in page.locator(".cnnviz-size").inner_text()
    assert page.evaluate(HATCHED) == 2
    page.locator("input[name=stride]").focus()
    page.keyboard.press("ArrowLeft")
    page.evaluate(PAINTED)
    assert page.evaluate(HATCHED) == 0
    assert "gives 1 x 3 x 3 in 9 steps" in page.locator(".cnnviz-drawing").get_attribute("aria-label")


def test_a_slider_that_stops_says_why_and_forgets_it_once_it_moves_back(shown):
    page = shown(input_size=4, kernel_size=3)
    slider = page.locator("input[name=kernel_size]")
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    why = slider.locator("xpath=..").locator(".cnnviz-why")
    assert slider.input_value() == "4"
    assert why.inner_text() == "stops at 4: the kernel reaches over 5 cells, the padded input has 4"
    page.keyboard.press("ArrowLeft")
    page.evaluate(PAINTED)
    assert why.inner_text() == ""


def test_of_two_changes_within_one_frame_the_one_that_became_illegal_goes_back(shown):
    page = shown(input_size=7, kernel_size=3)
    page.evaluate("""() => ["kernel_size", "input_size"].forEach((name, index) => {
        const slider = document.querySelector(`input[name=${name}]`);
        slider.value = [7, 3][index];
        slider.dispatchEvent(new Event("input"));
    })""")
    page.evaluate(PAINTED)
    assert [shown_state(page, name) for name in ("kernel_size", "input_size")] == ["7", "7"]
    assert "a 7 x 7 window" in page.locator(".cnnviz-drawing").get_attribute("aria-label")


def test_moving_a_slider_does_not_move_the_page_below(shown):
    page = shown()
    top = page.locator("button[name=play]").bounding_box()["y"]
    for name in ("stride", "padding", "kernel_size", "dilation"):
        page.locator(f"input[name={name}]").focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft"):
            page.keyboard.press(key)
            page.evaluate(PAINTED)
            assert page.locator("button[name=play]").bounding_box()["y"] == top, (name, key)


def test_play_pause_step_and_scrub_move_the_window(shown):
    page = shown(speed=30)
    page.locator("button[name=next]").click()
    page.evaluate(PAINTED)
    assert page.locator(".cnnviz-sum").inner_text().startswith("output[0, 0, 1] = ")
    page.locator("button[name=back]").click()
    page.locator("button[name=play]").click()
    page.wait_for_function("() => Number(document.querySelector('input[name=step]').value) >= 4")
    page.locator("button[name=play]").click()
    page.evaluate(PAINTED)
    still = shown_state(page, "step")
    page.wait_for_timeout(150)
    assert shown_state(page, "step") == still
    assert page.locator("button[name=play]").inner_text() == "Play"
    page.locator("input[name=step]").fill("24")
    page.evaluate(PAINTED)
    assert page.locator(".cnnviz-sum").inner_text().startswith("output[0, 4, 4] = ")


def cell(page, name):
    return page.evaluate(DRAWN)[name]


def hover(page, name):
    box = cell(page, name)
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.evaluate(PAINTED)


def test_pointing_at_a_cell_lights_up_what_it_feeds_and_what_feeds_it(shown):
    page = shown(input_size=7, kernel_size=3)
    hover(page, "left 0 0 0")
    assert len(page.evaluate(FRAMES, "third")) == 1
    hover(page, "left 0 3 3")
    assert len(page.evaluate(FRAMES, "third")) == 9
    assert "feeds 9 outputs" in page.locator(".cnnviz-pointed").inner_text()
    hover(page, "kernel 0 1 1")
    assert len(page.evaluate(FRAMES, "third")) == 25
    assert "is used 25 times" in page.locator(".cnnviz-pointed").inner_text()
    hover(page, "right 0 2 2")
    [window] = page.evaluate(FRAMES, "third")
    assert window["width"] == pytest.approx(3 * cell(page, "right 0 2 2")["width"])
    page.mouse.move(5, 5)
    page.evaluate(PAINTED)
    assert len(page.evaluate(FRAMES, "third")) == 0


def test_colours_follow_the_theme(shown):
    page = shown(input_size=4, kernel_size=3)
    for scheme, colour in (("light", "#d55e00"), ("dark", "#ff9148")):  # of the weights
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"() => {PAINTED}.some(({{ strokeStyle }}) => strokeStyle === '{colour}')")


def test_colours_follow_a_theme_that_changed_while_the_widget_was_off_the_page(shown):
    page = shown(input_size=4, kernel_size=3)
    page.emulate_media(color_scheme="light")
    page.evaluate("() => { window.kept = document.getElementById('widget'); kept.remove(); }")
    page.emulate_media(color_scheme="dark")
    page.evaluate(PAINTED)
    page.evaluate("() => document.body.append(kept)")
    page.wait_for_function(f"() => {PAINTED}.some(({{ strokeStyle }}) => strokeStyle === '#ff9148')")


def test_cells_are_edited_by_mouse_and_by_keyboard_and_escape_drops_the_edit(shown):
    page = shown(input_size=3, kernel_size=2, kernels=["numbers"])
    box = cell(page, "left 0 0 0")
    page.mouse.dblclick(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.locator(".cnnviz-edit").fill("-7")
    page.keyboard.press("Enter")
    page.evaluate(PAINTED)
    assert cell(page, "left 0 0 0")["text"] == "-7"
    assert shown_state(page, "source") == "own"
    page.locator("[data-panel=kernel]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".cnnviz-edit").fill("5")
    page.keyboard.press("Enter")
    page.evaluate(PAINTED)
    drawn = page.evaluate(DRAWN)
    assert drawn["kernel 0 1 0"]["text"] == "5"
    assert drawn["right 0 0 0"]["text"] == str(-7 * 0 + 1 * 1 + 3 * 5 + 4 * 3)
    assert shown_state(page, "kernel") == "edited"
    page.keyboard.press("Enter")
    page.locator(".cnnviz-edit").fill("99")
    page.keyboard.press("Escape")
    page.evaluate(PAINTED)
    assert cell(page, "kernel 0 1 0")["text"] == "5"


def test_a_mode_that_does_not_fit_is_adapted_and_says_what_it_changed(shown):
    page = shown(dilation=2, padding="full")
    page.locator("select[name=mode]").select_option("average pooling")
    page.evaluate(PAINTED)
    assert shown_state(page, "dilation") == "1"
    assert (
        "dilation was set to 1 (average pooling has no dilation)" in page.locator(".cnnviz > .cnnviz-why").inner_text()
    )


def test_max_pooling_draws_what_it_throws_away_faint_and_counts_it(shown):
    page = shown(mode="max pooling", input_size=12, kernel_size=2, stride=2, source="photo")
    kept = page.locator(".cnnviz-kept")
    assert kept.inner_text().startswith(
        "144 numbers in, 36 out: 75 % fewer. 108 of the 144 are the largest of no window."
    )
    faint = f"() => {SHAPES}.filter(({{ call, alpha }}) => call === 'fillRect' && Math.abs(alpha - 0.2) < 1e-9).length"
    assert page.evaluate(faint) == 108
    page.locator("input[name=stride]").focus()
    page.keyboard.press("ArrowLeft")
    page.evaluate(PAINTED)
    assert kept.inner_text().startswith("144 numbers in, 121 out: 16 % fewer.")
    assert (
        page.evaluate(faint)
        == ConvolutionExplorer(mode="max pooling", input_size=12, kernel_size=2, source="photo").steps.unused.sum()
    )


def test_global_pooling_takes_the_whole_input_and_gives_the_window_back(shown):
    page = shown(mode="average pooling", input_size=4, kernel_size=2, stride=2)
    page.locator("input[name=global_pooling]").focus()
    page.keyboard.press("Space")
    page.evaluate(PAINTED)
    assert {name for name in page.evaluate(DRAWN) if name.startswith("right")} == {"right 0 0 0"}
    assert cell(page, "right 0 0 0")["text"] == "3.75"
    assert "= 3.75" in page.locator(".cnnviz-sum").inner_text()
    assert page.locator("input[name=kernel_size]").is_disabled()
    assert page.locator(".cnnviz-drawing").get_attribute("aria-label").startswith("Global average pooling: a 4 x 4")
    page.locator("select[name=mode]").select_option("convolution")
    page.evaluate(PAINTED)
    assert not page.locator("input[name=global_pooling]").is_checked()
    assert "a 2 x 2 window with stride 2" in page.locator(".cnnviz-drawing").get_attribute("aria-label")


def test_copying_shows_the_code_that_python_gives(shown):
    explorer = {"stride": 2, "padding": 1, "padding_mode": "reflect", "kernels": ["box"], "bias": [1.5]}
    page = shown(**explorer)
    page.locator("button[name=copy]").click()
    page.wait_for_function("() => document.querySelector('details').open")
    assert page.locator(".cnnviz-code").inner_text() == ConvolutionExplorer(**explorer).code
    assert page.evaluate("() => String(getSelection())").strip() == ConvolutionExplorer(**explorer).code.strip()


def test_the_live_region_speaks_the_present_step(shown):
    page = shown(input_size=3, kernel_size=2, kernels=["numbers"])
    page.locator("button[name=next]").click()
    page.wait_for_function(
        "() => document.querySelector('.cnnviz-hidden').textContent.startsWith('Step 2. output[0, 0, 1]')"
    )


def test_every_control_has_a_label_and_is_reached_by_tab(shown):
    page = shown()
    names = page.evaluate(
        "() => [...document.querySelectorAll('.cnnviz input, .cnnviz select')].map((node) => node.name)"
    )
    assert len(names) == 17
    unlabelled = (
        "() => [...document.querySelectorAll('.cnnviz input, .cnnviz select')].filter((n) => !n.labels.length).length"
    )
    assert page.evaluate(unlabelled) == 0
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("() => document.activeElement.name || document.activeElement.dataset.panel"))
    enabled = page.evaluate(
        "() => [...document.querySelectorAll('.cnnviz :is(input, select, button):enabled')].map((n) => n.name)"
    )
    assert {*enabled, "left", "kernel", "right"} <= reached


# In a real JupyterLab: the same controls, with Python behind them.


@pytest.fixture(scope="module")
def chapter(browser, jupyterlab):
    """Chapter 02 in JupyterLab, run to its end once for the tests below."""
    notebook = jupyterlab.open(browser, "02_convolution_arithmetic.ipynb", height=1500)
    assert notebook.run_all(), notebook.errors()
    yield notebook
    notebook.close()
    assert (notebook.page_errors, notebook.outside) == ([], [])


@pytest.fixture
def explorer_at(chapter):
    """Call with controls: the chapter's first explorer has them, and its part of the page is in view."""

    def at(**controls):
        changes = {"mode": "convolution", "source": "numbers", "input_size": 7, "kernel_size": 3, "stride": 1}
        changes |= {"padding": 0, "padding_mode": "zeros", "dilation": 1, "output_padding": 0, "out_channels": 2}
        changes |= {"kernels": ["sharpen", "box"], "bias": [0.0, 0.0], "filter": 0, "step": 0, "speed": 4} | controls
        chapter.evaluate(f"first.set_state({changes!r})")
        widget = chapter.page.locator(".cnnviz-convolution").first
        widget.scroll_into_view_if_needed()
        expect(widget.locator("[name=mode]")).to_have_value(changes["mode"])
        return widget

    return at


def wait_for(chapter, expression, expected):
    """Wait until an expression in the kernel has the expected value: the browser tells Python a moment later."""
    for _ in range(50):
        value = chapter.evaluate(expression)
        if value == repr(expected):
            return
        chapter.page.wait_for_timeout(100)
    assert value == repr(expected)


SLIDERS = ["input_size", "kernel_size", "stride", "padding", "dilation", "out_channels", "step", "speed"]


@pytest.mark.parametrize("name", [*SLIDERS, "output_padding", "bias"])
def test_each_slider_is_moved_by_arrow_key_and_by_mouse_and_python_follows(chapter, explorer_at, name):
    start = {"output_padding": {"mode": "transposed convolution", "stride": 3}, "out_channels": {"out_channels": 1}}
    start["out_channels"] |= {"kernels": ["sharpen"], "bias": [0.0]}
    widget = explorer_at(**start.get(name, {}))
    slider = widget.locator(f"input[name={name}]")
    expression = "first.bias[0].item()" if name == "bias" else f"first.{name}"
    before = float(chapter.evaluate(expression))
    slider.focus()
    chapter.page.keyboard.press("ArrowRight")
    wait_for(chapter, expression, before + 1 if name == "bias" else int(before) + 1)
    box = slider.bounding_box()
    chapter.page.mouse.click(box["x"] + 1, box["y"] + box["height"] / 2)
    low = {"bias": -20.0, "input_size": 3}.get(name, RANGES.get(name, (0,))[0])
    wait_for(chapter, expression, low)


CHOICES = {
    "mode": "max pooling",
    "source": "photo",
    "amount": "same",
    "padding_mode": "reflect",
    "filter": "1",
    "kernel": "sobel y",
}


@pytest.mark.parametrize("name", CHOICES)
def test_each_list_is_changed_by_key_and_by_choice_and_python_follows(chapter, explorer_at, name):
    widget = explorer_at()
    trait = {"amount": "padding", "kernel": "kernels[0]"}.get(name, name)
    before = chapter.evaluate(f"first.{trait}")
    select = widget.locator(f"select[name={name}]")
    select.focus()
    chapter.page.keyboard.press("ArrowDown")
    chapter.page.wait_for_timeout(300)
    assert chapter.evaluate(f"first.{trait}") != before
    select.select_option(CHOICES[name])
    wait_for(chapter, f"first.{trait}", 1 if name == "filter" else CHOICES[name])


def test_buttons_grids_and_the_python_side_meet_in_jupyterlab(chapter, explorer_at):
    widget = explorer_at(input_size=3, kernel_size=2, kernels=["numbers", "box"])
    widget.locator("button[name=next]").click()
    wait_for(chapter, "first.step", 1)
    widget.locator("[data-panel=kernel]").focus()
    chapter.page.keyboard.press("Enter")
    chapter.page.keyboard.type("9")
    chapter.page.keyboard.press("Enter")
    wait_for(chapter, "first.weight[0, 0, 0, 0].item()", 9.0)
    wait_for(chapter, "first.kernels[0]", "edited")
    chapter.evaluate("setattr(first, 'stride', 2)")
    expect(widget.locator(".cnnviz-drawing")).to_have_attribute("aria-label", re.compile("stride 2"))
    assert chapter.errors() == []
