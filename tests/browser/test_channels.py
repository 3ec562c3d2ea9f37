"""ChannelExplorer in Chromium: its numbers beside layer_table's, its lines beside gradients, its controls by hand."""

import json
import random

import pytest
import torch
from playwright.sync_api import expect

from cnnviz.analysis.layer_table import layer_table
from cnnviz.widgets.channels import KINDS, MOST, SEPARABLE, ChannelExplorer
from cnnviz.widgets.explorer import IllegalSettingError
from tests.browser.mount import NAMELESS, PAINTED, TOLD, mount, state_of, tell

pytestmark = pytest.mark.browser

WORDS = """(states) => JSON.stringify(states.map((state) => ({
    cost: module.channelCosts(state).cost, full: module.channelCosts(state).full, code: module.code(state),
    words: module.describe(state), parameters: module.formulaOf(module.channelCosts(state).rows, "parameters"),
    mult_adds: module.formulaOf(module.channelCosts(state).rows, "mult_adds"), savings: module.savings(state),
})))"""
# Every text on the canvas with the box that it fills.
RECORD = """() => {
    const canvas = CanvasRenderingContext2D.prototype;
    const [clear, fill] = [canvas.clearRect, canvas.fillText];
    canvas.clearRect = function (...args) { this.canvas.texts = []; return clear.apply(this, args); };
    canvas.fillText = function (text, x, y) {
        const { width, actualBoundingBoxAscent: up, actualBoundingBoxDescent: down } = this.measureText(text);
        const left = this.textAlign === "center" ? x - width / 2 : this.textAlign === "right" ? x - width : x;
        this.canvas.texts.push({ text, left, right: left + width, top: y - up, bottom: y + down });
        return fill.call(this, text, x, y);
    };
}"""


def random_explorer(rng, most=MOST):
    groups = rng.choice([1, 1, 2, 3, 4, rng.randint(1, most)])
    inputs, outputs = (groups * rng.randint(1, most // groups) for _ in range(2))
    kind = {"kind": SEPARABLE} if rng.random() < 0.25 else {"groups": groups}
    return ChannelExplorer(
        in_channels=inputs,
        out_channels=outputs,
        **kind,
        kernel_size=rng.choice([1, 3, 3, 5, 7]),
        size=rng.randint(1, 64),
        bias=rng.random() < 0.4,
        channel=rng.randrange(outputs),
    )


def full_table(explorer):
    inputs, outputs, k, size = explorer.in_channels, explorer.out_channels, explorer.kernel_size, explorer.size
    with torch.device("meta"):
        layer = torch.nn.Conv2d(inputs, outputs, k, padding=k // 2, bias=explorer.bias)
    return layer_table(layer, (inputs, size, size))


def value_of(formula):
    """What a filled-in formula gives."""
    value = eval(formula.replace("·", "*").replace("²", "**2"))
    assert value == int(value)
    return int(value)


def test_numbers_formulas_code_and_words_are_pythons_on_210_random_settings(import_module):
    rng = random.Random(0)
    explorers = [random_explorer(rng) for _ in range(210)]
    page = import_module(ChannelExplorer._esm)
    theirs = json.loads(page.evaluate(WORDS, [state_of(explorer) for explorer in explorers]))
    assert {explorer.kind for explorer in explorers} == set(KINDS)
    for index, (explorer, browser) in enumerate(zip(explorers, theirs, strict=True)):
        table, full = explorer.table, full_table(explorer)
        for name in ("parameters", "mult_adds"):
            assert browser["cost"][name] == getattr(table, name) == value_of(browser[name])
            assert browser["full"][name] == getattr(full, name)
        if index % 3 == 0:  # the sentence is made of the same numbers, and costs as much time again
            assert browser["words"] == explorer.describe()
        assert browser["code"] == explorer.code
        if "=" in browser["savings"]:
            share = float(browser["savings"].split(" %")[0].rpartition("= ")[2])
            assert share == pytest.approx(100 * table.mult_adds / full.mult_adds, abs=0.051)


def test_the_page_shows_the_numbers_of_layer_table(import_module):
    rng = random.Random(1)
    page = import_module(ChannelExplorer._esm)
    mount(page, ChannelExplorer())
    for _ in range(40):
        explorer = random_explorer(rng)
        tell(page, explorer)
        table, full = explorer.table, full_table(explorer)
        for name in ("parameters", "mult_adds"):
            number = getattr(table, name)
            assert page.inner_text(f"[data-number={name}]") == f"{number:,}"
            assert value_of(page.inner_text(f"[data-formula={name}]").rstrip(" =")) == number
            share = float(page.inner_text(f"[data-share={name}]").split(" %")[0])
            assert share == pytest.approx(100 * number / getattr(full, name), abs=0.051)


def test_what_lights_up_is_what_has_a_gradient(import_module):
    """An output channel is lit with all inputs that it depends on, an input channel with all that depend on it."""
    rng = random.Random(2)
    page = import_module(ChannelExplorer._esm)
    for _ in range(12):
        explorer = random_explorer(rng, most=8)
        model = explorer.model.double()
        for parameter in model.parameters():
            torch.nn.init.uniform_(parameter, 0.5, 1)
        x = torch.ones(1, explorer.in_channels, 3, 3, dtype=torch.float64, requires_grad=True)
        gradients = torch.stack([torch.autograd.grad(y.sum(), x, retain_graph=True)[0][0] for y in model(x)[0]])
        depends = gradients.abs().sum((2, 3)) > 0  # out_channels, in_channels
        volumes = len(explorer.layers)
        ends = [(0, c) for c in range(explorer.in_channels)] + [(volumes, f) for f in range(explorer.out_channels)]
        found = page.evaluate(
            """([state, ends]) => ends.map(([volume, channel]) => {
                const { volumes, slices } = module.connected(state, { volume, channel });
                return [volumes.map((one) => [...one].sort((a, b) => a - b)), slices];
            })""",
            [state_of(explorer), ends],
        )
        for (volume, channel), (lit, slices) in zip(ends, found, strict=True):
            other = depends[:, channel] if volume == 0 else depends[channel]
            assert lit[volumes if volume == 0 else 0] == other.nonzero().flatten().tolist()
            assert lit[volume] == [channel]
            assert all(len(pairs) == len({tuple(pair) for pair in pairs}) for pairs in slices)


def test_a_control_changes_the_same_in_browser_and_python_and_is_legal_where_python_says_so(import_module):
    rng = random.Random(3)
    page = import_module(ChannelExplorer._esm)
    values = {key: list(range(1, MOST + 1)) for key in ["in_channels", "out_channels", "groups"]}
    values |= {"kind": list(KINDS), "kernel_size": [1, 3, 5, 7]}
    for explorer in [random_explorer(rng) for _ in range(24)]:
        state = state_of(explorer)
        name = rng.choice(list(values))
        theirs = page.evaluate(
            "([state, name, values]) => values.map((value) => module.adapted(state, name, value)[0])",
            [state, name, values[name]],
        )
        legal = [value for value, next_state in zip(values[name], theirs, strict=True) if next_state[name] == value]
        for value, next_state in zip(values[name], theirs, strict=True):
            explorer.set_state(state)
            if value in legal:
                setattr(explorer, name, value)
                assert next_state == state_of(explorer)
                continue
            with pytest.raises(IllegalSettingError):
                setattr(explorer, name, value)
            assert state_of(explorer) == state
            assert next_state[name] in legal
            moved = next_state[name] - state[name]
            assert moved == 0 or (moved > 0) == (value > state[name])


@pytest.fixture
def shown(page, tmp_path):
    """Open an explorer's page from disk with the network off."""

    def show(**controls):
        path = ChannelExplorer(**controls).to_html(tmp_path / "channels.html")
        page.goto(path.as_uri())
        page.evaluate(PAINTED)
        return page

    return show


def test_the_groups_slider_goes_from_divisor_to_divisor_and_says_why(shown):
    page = shown(in_channels=12, out_channels=18)
    slider = page.locator("input[name=groups]")
    why = slider.locator("xpath=..").locator(".cnnviz-why")
    slider.focus()
    seen = []
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        page.evaluate(PAINTED)
        seen.append((slider.input_value(), why.inner_text()))
    reason = "divides 12 and 18: 1, 2, 3, 6"
    assert seen == [("2", ""), ("3", ""), ("6", reason), ("6", reason)]
    assert page.input_value("select[name=kind]") == "grouped"
    page.keyboard.press("Home")
    page.evaluate(PAINTED)
    assert why.inner_text() == ""
    assert page.input_value("select[name=kind]") == "full"


def test_kinds_by_name_move_the_sliders(shown):
    page = shown()
    line = page.locator("pre")
    page.select_option("select[name=kind]", "depthwise")
    expect(line).to_have_text("nn.Conv2d(8, 8, kernel_size=3, padding=1, groups=8, bias=False)")
    page.locator("input[name=in_channels]").fill("12")
    expect(line).to_have_text("nn.Conv2d(12, 12, kernel_size=3, padding=1, groups=12, bias=False)")
    page.select_option("select[name=kind]", SEPARABLE)
    assert page.locator("input[name=groups]").is_disabled()
    assert "1/12 + 1/3² = 19.4 %" in page.inner_text(".cnnviz-channels-saved")
    page.select_option("select[name=kind]", "1x1")
    expect(line).to_have_text("nn.Conv2d(12, 12, kernel_size=1, bias=False)")


def point_of(page, volume, channel):
    """Where on the page the sheet of a channel lies."""
    spot = page.evaluate(
        """([links, volume, channel]) => {
            const stage = document.querySelector(".cnnviz-channels-stage").getBoundingClientRect();
            const { x, width, ys } = module.layout(links, Math.floor(stage.width)).volumes[volume];
            return { x: stage.left + x + width / 2, y: stage.top + ys[channel] }; }""",
        [page.links, volume, channel],
    )
    return spot["x"], spot["y"]


def test_pointing_lights_a_channel_and_a_click_or_an_arrow_key_keeps_an_output(import_module):
    page = import_module(ChannelExplorer._esm)
    explorer = ChannelExplorer(in_channels=8, groups=2)
    mount(page, explorer)
    page.links = [{"inputs": 8, "outputs": 8, "groups": 2, "kernel_size": 3}]
    line = page.locator(".cnnviz-channels-pointed")
    assert line.inner_text().startswith(
        "Filter 0 (group 0) makes output channel 0 from input channels 0 to 3: 4 slices"
    )
    page.mouse.move(*point_of(page, 0, 6))
    page.evaluate(PAINTED)
    assert line.inner_text() == "Input channel 6 (group 1) is read by filters 4 to 7: 4 of 8; 36 weights touch it."
    page.mouse.click(*point_of(page, 1, 5))
    page.mouse.move(5, 5)
    page.evaluate(TOLD)
    assert line.inner_text().startswith("Filter 5 (group 1) makes output channel 5 from input channels 4 to 7")
    assert page.evaluate("state.channel") == 5
    stage = page.locator(".cnnviz-channels-stage")
    stage.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.evaluate(TOLD)
    assert page.evaluate("state.channel") == 3
    page.keyboard.press("ArrowLeft")
    page.evaluate(PAINTED)
    assert line.inner_text().startswith("Input channel 3 (group 0) is read by filters 0 to 3")
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    page.evaluate(TOLD)
    assert page.evaluate("state.channel") == 7
    explorer.set_state(page.evaluate("() => ({ channel: state.channel })"))
    assert stage.get_attribute("aria-label") == f"{explorer.describe()} Arrow keys move to other channels."


def test_no_text_of_the_drawing_is_cut_or_written_over_another(import_module):
    rng = random.Random(4)
    page = import_module(ChannelExplorer._esm)
    page.evaluate(RECORD)
    corners = [ChannelExplorer(kind=SEPARABLE, in_channels=n, out_channels=32, size=224) for n in (1, 8, 32)]
    corners += [ChannelExplorer(in_channels=32, groups=groups, size=224) for groups in (1, 2, 8, 16, 32)]
    for width in (1080, 760):
        mount(page, corners[0], width)
        for explorer in [*corners, *(random_explorer(rng) for _ in range(15))]:
            tell(page, explorer)
            texts, size = page.evaluate(
                """() => { const { texts, clientWidth, clientHeight } = document.querySelector("canvas");
                    return [texts, [clientWidth, clientHeight]]; }"""
            )
            numbers = [text["text"] for text in texts if text["text"].isdigit()]
            assert numbers.count("0") >= 2
            assert len(numbers) >= explorer.in_channels + explorer.out_channels
            for text in texts:
                inside = (
                    text["left"] >= 0 and text["right"] <= size[0] and text["top"] >= 0 and text["bottom"] <= size[1]
                )
                assert inside, (explorer, text)
            for i, one in enumerate(texts):
                for other in texts[:i]:
                    apart = one["left"] >= other["right"] or other["left"] >= one["right"]
                    assert apart or one["top"] >= other["bottom"] or other["top"] >= one["bottom"], (one, other)


@pytest.mark.parametrize("width", [1080, 760])
def test_nothing_jumps_when_settings_change(import_module, width):
    page = import_module(ChannelExplorer._esm)
    mount(page, ChannelExplorer(), width)
    places = """() => [...document.querySelectorAll(".cnnviz-control, canvas, .cnnviz-channels-costs > *, pre")]
        .map((node) => node.getBoundingClientRect()).map(({ x, y, width, height }) => [x, y, width, height])"""
    before = page.evaluate(places)
    rng = random.Random(5)
    corners = [ChannelExplorer(kind=SEPARABLE, in_channels=32, size=224, bias=True)]
    for explorer in [*corners, *(random_explorer(rng) for _ in range(25))]:
        tell(page, explorer)
        assert page.evaluate(places) == before, explorer
    page.locator("input[name=groups]").focus()
    page.keyboard.press("ArrowRight")
    page.evaluate(PAINTED)
    assert page.evaluate(places) == before


def test_every_control_has_a_name_and_a_drag_is_painted_at_once(import_module):
    page = import_module(ChannelExplorer._esm)
    mount(page, ChannelExplorer(in_channels=32, out_channels=32, kernel_size=3))
    assert page.evaluate(NAMELESS) == []
    took = page.evaluate("""async () => {
        const slider = document.querySelector("input[name=size]"), times = [];
        for (let i = 1; i <= 21; i++) {
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            const start = performance.now();
            slider.value = 28 + i;
            slider.dispatchEvent(new Event("input"));
            times.push(performance.now() - start);
        }
        return times.sort((a, b) => a - b)[10];
    }""")
    assert took < 50, f"the largest drawing took {took:.1f} ms"  # 4 on an idle machine
