"""UnraveledExplorer in Chromium: its words beside Python's, its chain and rows read back, used by hand."""

import itertools

import numpy as np
import pytest

from cnnviz.widgets.unraveled import UnraveledExplorer, paths_of
from tests.browser.mount import HEIGHT, NAMELESS, OVERLAPS, PAINTED, SET, TOLD, mount

pytestmark = pytest.mark.browser

MARKED = """(mark) => [...document.querySelectorAll(`[data-path].cnnviz-unraveled-${mark}`)]
    .map((node) => Number(node.dataset.path))"""


def table(blocks):
    return np.array([[number in row for number in range(blocks)] for row in paths_of(blocks)])


def shares(blocks, seed=0):
    """Random shares, some below zero."""
    found = np.random.default_rng(seed).normal(0.5, 1, 2**blocks)
    return found / found.sum()


def settings():
    """Every network with every deletion, each with some path or none."""
    for blocks in range(1, 6):
        for count in range(blocks + 1):
            for number, gone in enumerate(itertools.combinations(range(blocks), count)):
                path = (7 * number + count) % (2**blocks + 1)
                yield {"blocks": blocks, "deleted": list(gone), "path": None if path == 2**blocks else path}


@pytest.fixture
def shown(import_module):
    """Call with an explorer, or controls, to have it on a page."""

    def show(widget=None, width=1080, **controls):
        page = import_module(UnraveledExplorer._esm)
        mount(page, widget or UnraveledExplorer(**controls), width)
        return page

    return show


@pytest.fixture
def measured():
    return UnraveledExplorer(table(3), shares(3))


def told(page):
    page.evaluate(TOLD)
    return page.evaluate("() => window.told")


def words(page):
    page.evaluate(PAINTED)
    return page.inner_text(".cnnviz-unraveled-words")


def test_paths_and_words_are_pythons_for_every_network_and_deletion(import_module):
    page = import_module(UnraveledExplorer._esm)
    for blocks in range(1, 6):
        assert page.evaluate("(blocks) => module.pathsOf(blocks)", blocks) == [list(row) for row in paths_of(blocks)]
    states, expected = [], []
    for known, one in itertools.product((False, True), settings()):
        arguments = (table(one["blocks"]), shares(one["blocks"], len(states))) if known else ()
        widget = UnraveledExplorer(*arguments, **one)
        states.append(one | {"shares": widget._shares})
        expected.append(widget.describe())
    assert len(states) == 2 * 62
    assert page.evaluate("(states) => states.map(module.describe)", states) == expected


def test_the_page_shows_what_python_says_and_which_paths_are_dead(import_module):
    page = import_module(UnraveledExplorer._esm)
    for one in list(settings())[::5]:
        widget = UnraveledExplorer(**one)
        mount(page, widget)
        assert words(page) == page.get_attribute("svg[role=group]", "aria-label") == widget.describe()
        rows = table(one["blocks"])
        assert page.locator("[data-path]").count() == len(rows)
        assert page.evaluate(MARKED, "dead") == np.flatnonzero(rows[:, one["deleted"]].any(1)).tolist()
        lengths = rows.sum(1)
        tops = [page.locator(f"[data-path='{place}']").bounding_box()["y"] for place in range(len(rows))]
        assert (np.diff(tops) > 0).all()
        for length in range(one["blocks"] + 1):
            count = (lengths == length).sum()
            left = (lengths[~rows[:, one["deleted"]].any(1)] == length).sum()
            assert page.inner_html(f"[data-count='{length}'] tspan") == str(count)
            assert page.text_content(f"[data-length='{length}']") == f"{left} of {count}"


def test_shares_are_bars_on_both_sides_of_zero_and_sums_by_length(shown, measured):
    page = shown(measured)
    bars = [page.evaluate(f"""() => {{
        const bar = document.querySelector("[data-path='{place}'] .cnnviz-unraveled-share");
        const zero = Number(document.querySelector(".cnnviz-unraveled-zero").getAttribute("x1"));
        const [x, width] = ["x", "width"].map((name) => Number(bar.getAttribute(name)));
        return x < zero - 1e-6 ? -width : width;
    }}""") for place in range(8)]  # fmt: skip
    found = np.array(measured._shares)
    assert (found < 0).any()
    np.testing.assert_allclose(np.array(bars) / bars[0], found / found[0], rtol=1e-6)
    for length in range(4):
        total = found[table(3).sum(1) == length].sum()
        assert page.text_content(f"[data-length='{length}']").startswith(f"{100 * total:.1f} %, ")
    for place, one in enumerate(found):
        assert page.text_content(f"[data-share='{place}']") == f"{100 * one:.1f} %"
    assert page.locator("input[name=blocks]").count() == 0


def test_click_enter_and_space_delete_a_block_and_bring_it_back(shown):
    page = shown()
    page.locator(".cnnviz-unraveled-block").nth(1).click()
    assert told(page) == {"deleted": [1]}
    assert "f2 deleted: 4 of 8 paths are left, 1 2 1 of lengths 0 to 2." in words(page)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    assert told(page)["deleted"] == [0, 1]
    page.keyboard.press("End")
    page.keyboard.press("Space")
    assert told(page)["deleted"] == [0, 1, 2]
    assert "1 of 8 paths is left" in words(page)
    pressed = [node.get_attribute("aria-pressed") for node in page.locator(".cnnviz-unraveled-block").all()]
    assert pressed == ["true"] * 3
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert told(page)["deleted"] == [1, 2]


def test_a_path_lights_up_where_the_pointer_or_the_focus_is_and_stays_when_chosen(shown, measured):
    page = shown(measured)
    page.locator("[data-path='4']").hover()  # f1 and f2
    page.evaluate(PAINTED)
    assert page.evaluate(MARKED, "lit") == [4]
    percent = f"{100 * measured._shares[4]:.1f} %"
    sentence = f"The path through f1 and f2, of length 2, with {percent} of the gradient."
    assert page.inner_text(".cnnviz-unraveled-pointed") == sentence
    lit = page.locator(".cnnviz-unraveled-block.cnnviz-unraveled-lit")
    assert [node.get_attribute("data-block") for node in lit.all()] == ["0", "1"]
    page.locator("select[name=path]").focus()
    page.keyboard.press("Tab")  # to the chain
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.evaluate(PAINTED)
    assert page.inner_text(".cnnviz-unraveled-pointed").startswith("The path through f1, of length 1")
    page.keyboard.press("Enter")
    assert told(page) == {"path": 1}
    assert page.locator("select[name=path]").input_value() == "1"
    page.keyboard.press("Space")
    assert told(page) == {"path": None}
    page.locator("select[name=path]").select_option("f1, f2 and f3")
    assert told(page) == {"path": 7}
    measured.path = 7
    assert words(page) == measured.describe()


def test_half_of_the_paths_pass_through_a_block(shown):
    page = shown(blocks=4)
    page.locator(".cnnviz-unraveled-block").nth(2).hover()
    page.evaluate(PAINTED)
    assert page.evaluate(MARKED, "lit") == np.flatnonzero(table(4)[:, 2]).tolist()
    assert "Block 3: 8 of 16 paths pass through its layers f3, 8 go past." in page.inner_text(
        ".cnnviz-unraveled-pointed"
    )


def test_fewer_blocks_take_along_what_is_no_longer_there_as_in_python(shown):
    widget = UnraveledExplorer(blocks=5, deleted=[1, 4], path=20)
    page = shown(widget)
    page.locator("input[name=blocks]").focus()
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    widget.blocks = 3
    assert told(page) == {name: getattr(widget, name) for name in widget.control_names()}
    assert words(page) == widget.describe()
    page.evaluate(SET, ["blocks", 1])  # Python tells of the blocks first
    widget.blocks = 1
    assert words(page) == widget.describe()


def test_a_network_that_was_drawn_before_is_neither_seen_nor_in_the_way(shown):
    page = shown(blocks=5, deleted=[1])
    for blocks in (2, 5, 3):
        page.evaluate(SET, ["blocks", blocks])
        page.evaluate(PAINTED)
        assert page.locator("[data-path]:visible").count() == 2**blocks
        assert page.locator(".cnnviz-unraveled-cross:visible").count() == 1
        assert page.evaluate(OVERLAPS) == []
        page.wait_for_function(f"() => document.querySelector('select[name=path]').length === {2**blocks + 1}")
        page.locator("[data-path]:visible").first.click()
        assert told(page)["path"] == 0
        page.locator("[data-path]:visible").first.click()


def test_the_slider_works_while_the_pointer_rests_on_a_path_that_goes(shown):
    page = shown(blocks=5)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.locator("input[name=blocks]").focus()
    page.locator("[data-path='31']").hover()
    for blocks in (4, 3, 2):
        page.keyboard.press("ArrowLeft")
        assert words(page) == UnraveledExplorer(blocks=blocks).describe()
    assert errors == []


@pytest.mark.parametrize("width", [1080, 690])
def test_nothing_jumps_while_blocks_are_deleted_and_paths_chosen(shown, width):
    for widget in (UnraveledExplorer(), UnraveledExplorer(table(5), shares(5))):
        page = shown(widget, width)
        tall = page.evaluate(HEIGHT)
        changes = [("deleted", list(range(widget.blocks))), ("path", 2**widget.blocks - 1)]
        if not widget._shares:
            changes += [("blocks", blocks) for blocks in (1, 2, 4, 5)]
        for name, value in changes:
            page.evaluate(SET, [name, value])
            page.evaluate(PAINTED)
            assert page.evaluate(HEIGHT) == tall, (name, value)


@pytest.mark.parametrize("width", [1080, 690])
@pytest.mark.parametrize("blocks", [1, 3, 4, 5])
def test_no_text_is_cut_or_lies_on_another(shown, width, blocks):
    gone = list(range(blocks))
    for widget in (UnraveledExplorer(blocks=blocks, deleted=gone), UnraveledExplorer(table(blocks), shares(blocks))):
        page = shown(widget, width)
        assert page.evaluate(OVERLAPS) == []


def test_every_control_has_a_name_and_keeps_its_keys_from_jupyterlab(shown):
    page = shown()
    assert page.evaluate(NAMELESS) == []
    unmarked = page.evaluate("""() => [...document.querySelectorAll("input, select, [tabindex]")]
        .filter((node) => node.getAttribute("data-lm-suppress-shortcuts") !== "true").length""")
    assert unmarked == 0
    stops = page.evaluate("() => [...document.querySelectorAll('[tabindex=\"0\"]')].length")
    assert stops == 2  # the chain and the rows, each one stop


def test_the_page_from_disk_works_and_follows_the_theme(page, tmp_path, measured):
    page.goto(measured.to_html(tmp_path / "unraveled.html").as_uri())
    page.evaluate(PAINTED)
    page.locator(".cnnviz-unraveled-block").first.click()
    measured.deleted = [0]
    assert words(page) == measured.describe()
    colour = "() => getComputedStyle(document.querySelector('[data-path] > path')).stroke"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colour) != light
