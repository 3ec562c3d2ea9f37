"""ArchitectureExplorer in Chromium: where boxes stand for every network, the numbers that it shows, its controls."""

import json
import random

import pytest
import torch
from torch import nn

from cnnviz.models import create_model, list_models
from cnnviz.widgets.architecture import MEASURES, ArchitectureExplorer
from tests.browser.mount import TOLD, mount

pytestmark = pytest.mark.browser

TRAITS = ["part", "selected", "other_part", "other_selected", "depth", "measure", "_networks"]
FIELDS = {"parameters": 0, "mult-adds": 1, "activations": 2, "kept for backward": 3}
QUICK = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
# What is wrong with the layout of a network, as sentences, and how many boxes there were.
INSPECT = """(text) => {
    const network = JSON.parse(text), wrong = [];
    let boxes = 0;
    const context = document.createElement("canvas").getContext("2d");
    const textWidth = (string, font) => {
        context.font = `${font} sans-serif`;
        return Math.ceil(context.measureText(string).width);
    };
    const check = (part, depth, unfolded) => {
        const plan = module.layOut(network, part, { depth, unfolded, textWidth });
        const say = (words) => wrong.push(`${network.model} ${part.name} at depth ${depth}: ${words}`);
        boxes += plan.boxes.length;
        plan.boxes.forEach((a, i) => {
            const beyond = a.x + a.w > plan.width + 0.01 || a.y + a.h > plan.height + 0.01;
            if (a.x < -0.01 || a.y < -0.01 || beyond) say(`${a.part.name} lies outside`);
            const [title, note] = [textWidth(a.title, "600 12px"), textWidth(a.note, "11px")];
            const needs = a.style === "block" ? Math.max(title, note) : title + note + (title && note ? 4 : 0);
            if (needs > a.w - 8) say(`the text of ${a.part.name} is wider (${needs}) than its box (${a.w})`);
            for (const b of plan.boxes.slice(i + 1)) {
                const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
                const within = (one, other) => one.part.name.startsWith(`${other.part.name}.`);
                if (!apart && !within(a, b) && !within(b, a)) say(`${a.part.name} lies on ${b.part.name}`);
            }
        });
        const closed = plan.boxes.filter(({ style }) => style !== "frame");
        for (const { points, from, to } of plan.edges) {
            const up = points.some(([, y], i) => i && y < points[i - 1][1] - 0.01) || points.at(-1)[1] <= points[0][1];
            if (up) say(`the edge from ${from} to ${to} does not point down`);
            points.slice(1).forEach(([x, y], i) => { // straight pieces run past boxes, not through them
                const [x0, y0] = points[i];
                if (Math.abs(x - x0) > 0.5) return;
                const hit = closed.find((box) => x > box.x + 0.5 && x < box.x + box.w - 0.5 &&
                    y0 < box.y + box.h - 0.5 && y > box.y + 0.5);
                if (hit) say(`the edge from ${from} to ${to} runs through ${hit.part.name}`);
            });
        }
        const barred = plan.bands.flatMap((band) => band.boxes).map((box) => module.sumsOf(network, box));
        const sums = [0, 1, 2, 3].map((i) => barred.reduce((sum, numbers) => sum + numbers[i], 0));
        const whole = module.typeOf(network, part).sums;
        if (JSON.stringify(sums) !== JSON.stringify(whole)) say(`the bars sum to ${sums}, the part to ${whole}`);
        plan.bands.forEach(({ y }, i) => {
            if (i && y < plan.bands[i - 1].y + plan.bands[i - 1].h - 0.01) say(`bars lie on one another at ${y}`);
        });
    };
    const top = module.topOf(network), none = new Set();
    for (const depth of [1, 2, 3]) check(top, depth, none);
    for (const part of module.partsOf(network, top))
        if (module.partsOf(network, part).length) for (const depth of [1, 2]) check(part, depth, none);
    return JSON.stringify({ wrong: wrong.slice(0, 5), boxes });
}"""


def meta(name):
    with torch.device("meta"):
        return create_model(name)


def quantity(number, unit=""):
    """Three significant digits with a prefix, as the bars have them."""
    prefixes = ["", "k", "M", "G", "T"]
    while number >= 999.5:
        number, prefixes = number / 1000, prefixes[1:]
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    text = f"{number:.{digits}f}" if prefixes[0] else str(number)
    return " ".join(word for word in (text, prefixes[0] + unit) if word)


def sums(part):
    return part.parameters, part.mult_adds, part.activation_bytes, part.kept_bytes


def test_every_network_of_the_zoo_is_laid_out_without_a_clash(import_module):
    page = import_module(ArchitectureExplorer._esm)
    boxes = 0
    for name in list_models():
        [network] = ArchitectureExplorer(meta(name)).get_state(["_networks"])["_networks"]
        found = json.loads(page.evaluate(INSPECT, json.dumps(network)))
        assert found["wrong"] == [], name
        boxes += found["boxes"]
    assert boxes > 10_000


NUMBERS = """() => JSON.stringify([...document.querySelectorAll(".cnnviz-architecture-side")].map((side) =>
    [...side.querySelectorAll(".cnnviz-bar-row")].map((row) => [
        row.dataset.part,
        [...row.querySelectorAll("text[data-measure]")].map((node) => [node.dataset.measure, node.textContent]),
        row.dataset.all,
    ])))"""
PANELS = """() => JSON.stringify([...document.querySelectorAll(".cnnviz-architecture-panel")].map((panel) =>
    Object.fromEntries([...panel.querySelectorAll("dt")]
        .map((node) => [node.textContent, node.nextSibling.textContent]))))"""


def compare(page, explorer):
    """Compare every number of the page with those of the layer table; return how many there were."""
    compared = 0
    sides = [(explorer.architecture, ""), (explorer.other_architecture, "other_")]
    bars, panels = json.loads(page.evaluate(NUMBERS)), json.loads(page.evaluate(PANELS))
    for (shown, prefix), rows, panel in zip(sides, bars, panels, strict=False):
        top = sums(shown.top)
        for name, numbers, together in rows:
            members = [shown[one] for one in json.loads(together)]
            assert members[0].name == name
            for measure, text in numbers:
                number = sum(sums(part)[FIELDS[measure]] for part in members)
                unit = "B" if FIELDS[measure] > 1 else ""
                share = top[FIELDS[measure]]
                percent = f", {(200 * number + share) // (2 * share)} %" if explorer.measure != "all three" else ""
                assert text == quantity(number, unit) + percent, (name, measure)
                compared += 1
        part = shown[getattr(explorer, f"{prefix}selected") or getattr(explorer, f"{prefix}part")]
        assert panel["parameters"].split(" ")[0] == f"{part.parameters:,}"
        assert panel["mult-adds"].split(" ")[0] == f"{part.mult_adds:,}"
        assert panel["activations"].split(" ")[0] == f"{part.activation_bytes:,}"
        assert panel["kept for backward"].split(" ")[0] == f"{part.kept_bytes:,}"
        if part.runs and part.receptive_field:
            assert panel["receptive field"].startswith(" × ".join(map(str, part.receptive_field)) + " pixels")
        if part.runs and part.output_shapes:
            assert panel["out"] == " and ".join(" × ".join(map(str, shape[1:])) for shape in part.output_shapes)
    label = page.evaluate("() => document.querySelector('.cnnviz-architecture').getAttribute('aria-label')")
    assert label == explorer.describe()
    return compared


def test_200_random_settings_show_the_numbers_of_the_layer_table(import_module):
    rng = random.Random(4)
    page = import_module(ArchitectureExplorer._esm)
    compared = 0
    names = [
        ("googlenet", "resnet18"),
        ("nasnet_mobile", None),
        ("densenet_bc100", "resnet110"),
        ("vgg16", "mobilenet_v2"),
    ]
    for first, second in names:
        explorer = ArchitectureExplorer(meta(first), meta(second) if second else None)
        mount(page, explorer)
        for _ in range(51):
            settings = {"depth": rng.randint(1, 3), "measure": rng.choice(MEASURES)}
            for prefix, shown in (("", explorer.architecture), ("other_", explorer.other_architecture)):
                if shown:
                    part = rng.choice([shown.top, rng.choice([part for part in shown.parts.values() if part.parts])])
                    inside = [inner.name for inner in part.walk()]
                    settings |= {f"{prefix}part": part.name, f"{prefix}selected": rng.choice(["", *inside])}
            for name, value in settings.items():
                setattr(explorer, name, value)
            page.evaluate(
                "(settings) => Object.entries(settings).forEach(([name, value]) => model.set(name, value))", settings
            )
            page.evaluate(QUICK)
            compared += compare(page, explorer)
    assert compared > 5000


def test_texts_on_the_page_lie_within_their_boxes(import_module):
    page = import_module(ArchitectureExplorer._esm)
    outside = """() => [...document.querySelectorAll(".cnnviz-box")].flatMap((box) => {
        const body = box.querySelector(".cnnviz-body").getBoundingClientRect();
        const texts = [...box.querySelectorAll("text")].map((node) => node.getBoundingClientRect());
        const beside = texts.length > 1 && !box.classList.contains("cnnviz-box-block");
        const wrong = texts.some(({ left, right }) => left < body.left || right > body.right);
        return wrong || (beside && texts[0].right > texts[1].left + 0.5) ? [box.dataset.part] : [];
    })"""
    for name, part in (("googlenet", ""), ("nasnet_mobile", "stage3.cells.0"), ("densenet121", ""), ("resnet152", "")):
        mount(page, ArchitectureExplorer(meta(name), part=part))
        for depth in (1, 2, 3):
            page.evaluate("(depth) => model.set('depth', depth)", depth)
            page.evaluate(QUICK)
            assert page.evaluate(outside) == [], (name, depth)


class Tower(nn.Module):
    """A chain of like blocks, then a pooling."""

    in_channels, image_size = 3, 16

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()) for _ in range(5)))
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        return self.fc(self.blocks(self.stem(x).relu()).mean((2, 3)))


def boxes_on(page):
    return page.evaluate("() => [...document.querySelectorAll('.cnnviz-box')].map((box) => box.dataset.part)")


def test_keys_select_open_unfold_and_go_out(import_module):
    page = import_module(ArchitectureExplorer._esm)
    mount(page, ArchitectureExplorer(Tower()))
    page.focus(".cnnviz-architecture-frame")

    def press(*keys):
        for key in keys:
            page.keyboard.press(key)
            page.evaluate(QUICK)

    press("ArrowDown")
    page.evaluate(TOLD)
    assert page.evaluate("() => state.selected") == "stem"
    press("ArrowDown", "ArrowDown", "Enter")
    page.evaluate(TOLD)
    assert page.evaluate("() => [state.part, state.selected]") == ["blocks", ""]
    assert boxes_on(page) == ["blocks.0"]  # five in one
    press("ArrowDown", "Space")
    assert boxes_on(page) == [f"blocks.{n}" for n in range(5)]
    press("Space")
    assert boxes_on(page) == ["blocks.0"]
    press("Escape")
    page.evaluate(TOLD)
    assert page.evaluate("() => [state.part, state.selected]") == ["", "blocks"]
    press("End", "Home", *["ArrowDown"] * 4)
    page.evaluate(TOLD)
    assert page.evaluate("() => state.selected") == "fc"
    press("Enter")  # a layer has nothing within
    assert page.evaluate("() => state.part") == ""
    page.focus("input[name=depth]")
    press("ArrowRight")
    page.evaluate(TOLD)
    assert page.evaluate("() => state.depth") == 2
    assert boxes_on(page) == ["blocks", "stem", "relu", "blocks.0", "mean", "fc"]
    press("Tab", "k")
    page.evaluate(TOLD)
    assert page.evaluate("() => state.measure") == "kept for backward"


def test_the_pointer_names_selects_opens_and_unfolds(import_module):
    page = import_module(ArchitectureExplorer._esm)
    explorer = ArchitectureExplorer(Tower(), depth=2)
    mount(page, explorer)
    page.hover(".cnnviz-box[data-part=fc]")
    page.evaluate(TOLD)
    assert (
        page.inner_text(".cnnviz-architecture-pointed")
        == "fc (Linear): 18 parameters, 16 mult-adds, 8 B of activations"
    )
    page.hover(".cnnviz-box[data-part='blocks.0']")
    words = page.inner_text(".cnnviz-architecture-pointed")
    assert words.startswith("blocks.0 … 4 (5 × Sequential): 2.92 k parameters, 737 k mult-adds")
    page.click(".cnnviz-box[data-part='blocks.0']")
    page.evaluate(TOLD)
    assert page.evaluate("() => state.selected") == "blocks.0"
    assert "5 in a row, 0 to 4" in page.inner_text(".cnnviz-architecture-panel")
    page.click("[data-fold]")
    page.evaluate(TOLD)
    assert len(boxes_on(page)) == 10
    page.dblclick(".cnnviz-box[data-part='blocks.3']")
    page.evaluate(TOLD)
    assert page.evaluate("() => state.part") == "blocks.3"
    assert page.locator("nav button").all_inner_texts() == ["Tower", "blocks", "3"]
    page.click("nav button:first-child")
    page.evaluate(TOLD)
    assert page.evaluate("() => state.part") == ""
    page.click(".cnnviz-box[data-part=stem]")
    page.click("summary")
    assert page.inner_text("pre").startswith("class Conv2d(")


def test_two_models_share_one_scale_and_nothing_jumps(import_module):
    page = import_module(ArchitectureExplorer._esm)
    explorer = ArchitectureExplorer(meta("vgg16"), meta("resnet18"), measure="parameters")
    widest = """() => [...document.querySelectorAll(".cnnviz-architecture-side")].map((side) =>
        Math.max(...[...side.querySelectorAll(".cnnviz-bar")].map((bar) => Number(bar.getAttribute("width")))))"""
    places = """() => [".cnnviz-architecture-frame", ".cnnviz-control", ".cnnviz-architecture-panel", "summary"]
        .flatMap((selector) => [...document.querySelectorAll(selector)])
        .map((node) => node.getBoundingClientRect()).map(({ x, y, width, height }) => [x, y, width, height])"""
    for width in (1080, 760):
        mount(page, explorer, width)
        vgg, resnet = page.evaluate(widest)
        assert resnet / vgg == pytest.approx(8_393_728 / 102_764_544, rel=0.02)
        before = page.evaluate(places)
        for name, value in [
            ("depth", 3), ("measure", "all three"), ("selected", "stage1.0"), ("other_part", "stage2.0"),
            ("part", "stage1"),
            ("other_selected", "stage2.0.residual"), ("depth", 1),
        ]:  # fmt: skip
            page.evaluate("([name, value]) => model.set(name, value)", [name, value])
            page.evaluate(QUICK)
            assert page.evaluate(places) == before, (width, name)


def test_the_saved_page_works_with_the_network_off(page, tmp_path):
    explorer = ArchitectureExplorer(Tower(), selected="stem")
    page.goto(explorer.to_html(tmp_path / "architecture.html").as_uri())
    page.evaluate(TOLD)
    compare_text = page.evaluate("() => document.querySelector('.cnnviz-architecture').getAttribute('aria-label')")
    assert compare_text == explorer.describe()
    page.get_by_role("button", name="Tower").click()
    page.dblclick(".cnnviz-box[data-part=blocks]")
    page.evaluate(TOLD)
    explorer.part, explorer.selected = "blocks", ""
    assert compare(page, explorer) == 3
    named = """() => [...document.querySelectorAll("input, select, button")]
        .every((node) => node.labels?.length || node.textContent)"""
    assert page.evaluate(named)
