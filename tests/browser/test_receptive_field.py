"""ReceptiveFieldExplorer in Chromium: its numbers against torch's and Python's, its table read back, used by hand."""

import random

import numpy as np
import pytest

from cnnviz.analysis.layer_table import layer_table
from cnnviz.widgets.explorer import IllegalSettingError
from cnnviz.widgets.receptive_field import PRESETS, ReceptiveFieldExplorer
from tests.browser.mount import PAINTED, mount, show

pytestmark = pytest.mark.browser

SHOWN = """() => [...document.querySelectorAll(".cnnviz-stack tbody tr")].map((row) =>
    [...row.querySelectorAll("[data-shown]")].map((cell) => cell.textContent))"""
TABLE = """() => [...document.querySelectorAll(".cnnviz-stack tbody tr")].map((row) =>
    [row.querySelector("select").value, ...[...row.querySelectorAll("input")].map((input) => input.value)])"""


def random_layer(rng):
    if rng.random() < 0.7:
        numbers = {"kernel_size": rng.randint(1, 5), "stride": rng.choice([1, 1, 1, 2, 3])}
        return {"kind": "conv", **numbers, "padding": rng.choice([0, 0, 1, 2, 4]), "dilation": rng.choice([1, 1, 2, 3])}
    kind = rng.choice(["max pool", "average pool"])
    return {
        "kind": kind,
        "kernel_size": rng.randint(2, 3),
        "stride": rng.randint(1, 3),
        "padding": rng.choice([0, 0, 1, 2]),
    }


def explorers(count, seed):
    """`count` legal explorers, and the settings that were refused on the way with Python's words."""
    rng = random.Random(seed)
    legal, refused = [], []
    one = ReceptiveFieldExplorer(np.zeros((8, 8), np.uint8))
    while len(legal) < count:
        chosen = {"layers": [random_layer(rng) for _ in range(rng.randint(1, 7))], "image_size": rng.randint(8, 64)}
        try:
            with one.hold_trait_notifications():
                one.layers, one.image_size = chosen["layers"], chosen["image_size"]
        except IllegalSettingError as error:
            refused.append((chosen, str(error)))
            continue
        one.layer = rng.randrange(len(one.layers))
        side = one.field.map_size
        one.position = (rng.randrange(side), rng.randrange(side))
        legal.append((one.get_state([*one.control_names(), "_presets"]), one.describe(), one.field, one.model))
    return legal, refused


def rows_of(model, image_size):
    """What the table must show of each layer, from torch's layers."""
    rows = layer_table(model, (1, image_size, image_size)).rows
    times = [f"{row.output_shape[-1]} × {row.output_shape[-1]}" for row in rows]
    return [
        [side, f"{row.receptive_field[0]} × {row.receptive_field[0]}", f"{row.jump[0]:g}"]
        for side, row in zip(times, rows, strict=True)
    ]


def test_fields_paths_refusals_and_words_are_pythons_on_220_random_stacks(import_module):
    legal, refused = explorers(220, seed=1)
    page = import_module(ReceptiveFieldExplorer._esm)
    theirs = page.evaluate(
        """(states) => states.map((state) => {
            const field = module.fieldOf(state);
            const maps = module.maps(state).slice(1).map(({ side, size, jump }) => [`${side} × ${side}`, `${size} × ${size}`, `${jump}`]);
            return { refused: module.refused(state), words: module.describe(state, field), maps,
                rows: [...field.rows], columns: [...field.columns], pixels: field.pixels };
        })""",  # noqa: E501
        [state for state, *_ in legal],
    )
    for (state, words, field, model), browser in zip(legal, theirs, strict=True):
        assert browser["refused"] is None
        assert browser["words"] == words
        np.testing.assert_array_equal(browser["rows"], field.rows)
        np.testing.assert_array_equal(browser["columns"], field.columns)
        assert browser["pixels"] == field.most_pixels, words
        assert browser["maps"] == rows_of(model, state["image_size"]), words
    assert len(refused) > 50
    reasons = page.evaluate("(states) => states.map(module.refused)", [chosen for chosen, _ in refused])
    assert reasons == [words for _, words in refused]


def test_dilation_and_padding_leave_units_of_the_span_unseen(import_module):
    page = import_module(ReceptiveFieldExplorer._esm)
    explorer = ReceptiveFieldExplorer(preset="dilation 1, 2, 4, 8")
    seen = "(state) => module.fieldOf(state).horizontal.map(module.seenText)"
    assert page.evaluate(seen, explorer.get_state(explorer.control_names())) == [
        "31",
        "15 of 29",
        "7 of 25",
        "3 of 17",
        "1",
    ]
    explorer.preset = "six 3x3"
    explorer.position = (0, 0)
    assert page.evaluate(seen, explorer.get_state(explorer.control_names()))[0] == "7 of 13"


def test_every_layers_numbers_are_read_back_from_the_page_on_40_random_stacks(import_module):
    page = import_module(ReceptiveFieldExplorer._esm)
    for state, words, field, model in explorers(40, seed=2)[0]:
        show(page, state | {"_photo": bytes(256 * 256 * 3)}, ReceptiveFieldExplorer._css)
        shown = page.evaluate(SHOWN)
        assert [row[:3] for row in shown] == rows_of(model, state["image_size"])
        start = int(shown[state["layer"]][3])
        assert start + state["position"][0] * field.jump == field.first[0]
        assert page.locator(".cnnviz-field-text").inner_text() == words
        numbers = ("kernel_size", "stride", "padding", "dilation")
        layers = [[layer["kind"], *(str(layer.get(name, "")) for name in numbers)] for layer in state["layers"]]
        assert page.evaluate(TABLE) == layers


def test_what_the_learner_does_by_chance_is_always_a_state_that_python_takes(import_module):
    page = import_module(ReceptiveFieldExplorer._esm)
    rng = random.Random(3)
    explorer = ReceptiveFieldExplorer(np.zeros((8, 8), np.uint8))
    mount(page, explorer)
    for _ in range(40):
        page.evaluate(
            """([what, where, value]) => {
                const all = (selector) => [...document.querySelectorAll(`.cnnviz ${selector}:not(:disabled)`)];
                const set = (node, value, event) => { node.value = value; node.dispatchEvent(new Event(event)); };
                const pick = (nodes) => nodes[Math.floor(where * nodes.length)];
                if (what === "button") pick(all("button")).click();
                if (what === "number") set(pick(all("input[type=number]")), value, "change");
                if (what === "slider") set(pick(all("input[type=range]")), value * 9, "input");
                if (what === "list") { const node = pick(all("select")); set(node, node.options[value % node.options.length].value, "change"); }
            }""",  # noqa: E501
            [rng.choice(["button", "number", "number", "slider", "list"]), rng.random(), rng.randint(0, 6)],
        )
        page.wait_for_timeout(130)  # Python is told ten times a second
        explorer.set_state(page.evaluate("() => told"))
        assert page.locator(".cnnviz-field-text").inner_text() == explorer.describe()


@pytest.fixture
def shown(page, tmp_path):
    """Open an explorer's page from disk with the network off."""

    def show(**controls):
        page.goto(ReceptiveFieldExplorer(**controls).to_html(tmp_path / "explorer.html").as_uri())
        page.evaluate(PAINTED)
        return page

    return show


def text(page):
    page.evaluate(PAINTED)
    return page.locator(".cnnviz-field-text").inner_text()


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_is_chosen_from_the_list_and_shown_as_python_shows_it(shown, preset):
    page = shown(layers=[{"kind": "conv", "kernel_size": 4}])
    assert page.locator("select[name=preset]").input_value() == "own"
    page.locator("select[name=preset]").select_option(preset)
    assert text(page) == ReceptiveFieldExplorer(preset=preset).describe()


def test_layers_are_added_edited_moved_and_removed(shown):
    page = shown()
    page.get_by_role("button", name="Add max pooling").click()
    assert "Layer 4 of 4, max pool 2 x 2 / 2. " in text(page)
    assert "receptive field 8 x 8" in text(page)
    page.locator("[name='kernel_size 0']").fill("5")
    page.keyboard.press("Enter")
    assert "receptive field 10 x 10" in text(page)
    page.locator("[name='up 3']").click()
    assert [row[0] for row in page.evaluate(TABLE)] == ["conv", "conv", "max pool", "conv"]
    assert "receptive field 12 x 12" in text(page)
    assert page.evaluate("document.activeElement.name") == "up 2"
    page.locator("[name='kind 2']").select_option("conv")
    assert page.evaluate(TABLE)[2] == ["conv", "2", "1", "0", "1"]
    page.locator("[name='remove 0']").click()
    assert len(page.evaluate(TABLE)) == 3
    page.locator("select[name=preset]").select_option("one 7x7")
    assert page.locator("[name='remove 0']").is_disabled()
    for _ in range(25):
        if page.get_by_role("button", name="Add convolution").is_enabled():
            page.get_by_role("button", name="Add convolution").click()
    assert len(page.evaluate(TABLE)) <= 20


def test_an_edit_that_does_not_fit_goes_back_and_says_why(shown):
    page = shown()
    for value, why in (
        ("16", "must be a whole number in 1..15"),
        ("", "must be a whole number"),
        ("2.5", "whole number"),
    ):
        page.locator("[name='kernel_size 0']").fill(value)
        page.keyboard.press("Enter")
        page.evaluate(PAINTED)
        assert why in page.locator(".cnnviz-row .cnnviz-why").inner_text()
        assert page.locator("[name='kernel_size 0']").input_value() == "3"
    page.locator("[name='dilation 2']").fill("16")
    page.keyboard.press("Enter")
    assert (
        "layer 3 (conv): a window of 33 pixels does not fit into 28"
        in page.locator(".cnnviz-row .cnnviz-why").inner_text()
    )
    page.locator("[name='dilation 2']").fill("2")
    page.keyboard.press("Enter")
    assert page.locator(".cnnviz-row .cnnviz-why").inner_text() == ""


def test_the_image_cannot_become_smaller_than_the_layers_need(shown):
    page = shown(preset="VGG-16")
    page.locator("[name=image_size]").focus()
    page.keyboard.press("Home")
    page.evaluate(PAINTED)
    assert page.locator("[name=image_size]").input_value() == "32"
    assert page.get_by_text("stops at 32: layer 18 needs as many pixels").is_visible()


def test_the_unit_is_moved_and_the_layer_chosen_by_key_and_by_mouse(shown):
    page = shown()
    page.locator("[data-panel=photo]").focus()
    for key in ("ArrowUp", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    assert "Unit [12, 11]" in text(page)
    page.keyboard.press("Shift+ArrowRight")
    assert "Unit [12, 16]" in text(page)
    page.locator("[data-panel=pyramid]").focus()
    page.keyboard.press("ArrowDown")
    assert "Layer 2 of 3" in text(page)
    assert "Unit [13, 17] of a map of 28 x 28" in text(page)  # the middle of the field has not moved
    page.keyboard.press("ArrowRight")
    assert "Unit [13, 18]" in text(page)
    photo = page.locator("[data-panel=photo]").bounding_box()
    page.mouse.click(photo["x"] + 1, photo["y"] + 1)
    assert "Unit [0, 0]" in text(page)
    page.mouse.down()
    page.mouse.move(photo["x"] + photo["width"] - 1, photo["y"] + 1)
    page.mouse.up()
    assert "Unit [0, 27]" in text(page)
    page.locator("[name='look 0']").click()
    assert "Layer 1 of 3" in text(page)
    page.locator("input[name=layer]").focus()
    page.keyboard.press("End")
    assert "Layer 3 of 3" in text(page)
    pyramid = page.locator("[data-panel=pyramid]").bounding_box()
    page.mouse.click(pyramid["x"] + 200, pyramid["y"] + 0.4 * pyramid["height"])
    assert "Layer 2 of 3" in text(page)


def test_nothing_jumps_while_sliders_move_and_every_control_has_a_name(shown):
    page = shown(preset="AlexNet")
    height = page.locator(".cnnviz").bounding_box()["height"]
    for name in ("image_size", "layer"):
        page.locator(f"input[name={name}]").focus()
        for key in ("Home", "PageUp", "ArrowRight", "End"):
            page.keyboard.press(key)
            page.evaluate(PAINTED)
            assert page.locator(".cnnviz").bounding_box()["height"] == height, (name, key)
    page.locator("input[name=zoom]").check()
    page.evaluate(PAINTED)
    assert page.locator(".cnnviz").bounding_box()["height"] == height
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll(".cnnviz :is(input, select, button, canvas)")].filter((node) =>
            !(node.labels?.length || node.getAttribute("aria-label") || node.textContent.trim())
            || node.dataset.lmSuppressShortcuts !== "true").map((node) => node.outerHTML)"""
    )
    assert unnamed == []
    assert page.locator(".cnnviz-fields").get_attribute("aria-label") == text(page)


def test_colours_follow_the_theme(shown):
    page = shown()
    page.evaluate("""() => {
        const real = CanvasRenderingContext2D.prototype.stroke;
        CanvasRenderingContext2D.prototype.stroke = function (...args) { (window.strokes ??= new Set()).add(this.strokeStyle); return real.apply(this, args); };
    }""")  # noqa: E501
    for scheme, colour in (("dark", "#2fc898"), ("light", "#009e73")):  # of the outputs
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"() => window.strokes?.has('{colour}')")


def test_a_unit_that_sees_padding_alone_is_drawn_and_says_so(shown):
    page = shown(layers=[{"kind": "conv", "kernel_size": 3, "padding": 8}], position=(0, 0))
    assert text(page).endswith("It sees nothing but padding.")
