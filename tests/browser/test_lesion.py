"""LesionExplorer in Chromium: its words beside Python's, its bars and curves read back, used by mouse and keyboard."""

import re

import numpy as np
import pytest

from cnnviz.analysis.lesion import LesionStudy
from cnnviz.widgets.lesion import LesionExplorer
from tests.browser.mount import HEIGHT, NAMELESS, OVERLAPS, PAINTED, SET, TOLD, mount, state_of
from tests.widgets.test_lesion import trained

pytestmark = pytest.mark.browser

BARS = """() => [...document.querySelectorAll("section")].map((one) => [...one.querySelectorAll("[data-block]")]
    .map((node) => Number(node.querySelector(".cnnviz-lesion-bar").getAttribute("height")) / 100))"""
CURVES = "() => [...document.querySelectorAll('.cnnviz-mark')].map((node) => node.previousSibling.getAttribute('d'))"


@pytest.fixture(scope="module")
def arguments():
    return trained()


@pytest.fixture
def widget(arguments):
    return LesionExplorer(*arguments)


@pytest.fixture
def shown(import_module):
    """Call with an explorer to have it on a page."""

    def show(widget, width=1080):
        page = import_module(LesionExplorer._esm)
        mount(page, widget, width)
        return page

    return show


def stored(blocks=54, several=()):
    """A study of many blocks, with errors from 0 to 1; two of them change the shape, one of these stays."""
    single, reshapes = np.linspace(0, 1, blocks), np.zeros(blocks, bool)
    reshapes[[blocks // 3, 2 * blocks // 3]] = True
    single[blocks // 3] = np.nan
    found = np.array([[0.2, 0.4, 0.6]] * len(several)).reshape(len(several), 3)
    empty = np.zeros((0, 3))
    return LesionStudy(0.1, single, reshapes, np.array(several, int), found, np.zeros(0, int), empty, empty, 99)


def told(page):
    page.evaluate(TOLD)
    return page.evaluate("() => window.told")


def words(page):
    page.evaluate(PAINTED)
    return page.inner_text(".cnnviz-lesion-words")


def answer(page, widget):
    """Let Python compute what the browser asks for, and tell it."""
    widget.deleted = told(page)["deleted"]
    page.evaluate(SET, ["_known", state_of(widget)["_known"]])
    page.evaluate(PAINTED)


def test_the_words_are_pythons(import_module, widget):
    page = import_module(LesionExplorer._esm)
    rng = np.random.default_rng(0)
    for count in range(6):
        gone = {"residual": rng.permutation(6)[:count].tolist()}
        gone["plain"] = [one for one in rng.permutation(6).tolist() if one not in (2, 4)][: min(count, 4)]
        widget.deleted = gone
        said = page.evaluate(
            "([networks, deleted, known]) => module.describe(networks, deleted, known)",
            [state_of(widget)[name] for name in ("_networks", "deleted", "_known")],
        )
        assert said == widget.describe()
    networks = LesionExplorer(studies={"a": stored(), "b": stored(1)})
    mount(page, networks)
    assert words(page) == page.get_attribute(".cnnviz-lesion-stage", "aria-label") == networks.describe()


def test_a_bar_above_each_block_is_its_error_on_one_scale(shown, widget):
    page = shown(widget)
    expected = [[error or 0 for error in one["single"]] for one in widget._networks]
    np.testing.assert_allclose(page.evaluate(BARS), expected)
    shapes = page.evaluate("() => [...document.querySelectorAll('section text')].map((node) => node.textContent)")
    assert shapes.count("new shape") == 4
    assert shapes.count("guessing 75.0 %") == 2


def test_click_enter_and_space_delete_ask_python_and_bring_back(shown, widget):
    page = shown(widget)
    tall = page.evaluate(HEIGHT)
    page.locator("section").first.locator("[data-block='1']").click()
    assert told(page)["deleted"] == {"residual": [1], "plain": []}
    known = f"without 1 block: {100 * widget._known['residual']['1']:.1f} %"
    assert page.inner_text("[data-now=residual]") == known  # known from the start
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    assert told(page)["deleted"] == {"residual": [1, 3], "plain": []}
    assert page.inner_text("[data-now=residual]") == "without 2 blocks: computing …"
    assert "not computed without blocks 2, 4" in words(page)
    assert page.evaluate(HEIGHT) == tall
    answer(page, widget)
    assert page.inner_text("[data-now=residual]") == f"without 2 blocks: {100 * widget._known['residual']['1,3']:.1f} %"
    assert words(page) == widget.describe()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert told(page)["deleted"] == {"residual": [3], "plain": []}
    assert page.evaluate(HEIGHT) == tall


def test_the_answer_to_an_earlier_click_does_not_overwrite_the_last(shown, widget):
    page = shown(widget)
    block = page.locator("section").first.locator("[data-block]")
    for number in (0, 1, 3):
        block.nth(number).click()
    widget.deleted = {"residual": [0, 1]}
    page.evaluate(SET, ["_known", state_of(widget)["_known"]])
    page.evaluate(PAINTED)
    assert page.inner_text("[data-now=residual]") == "without 3 blocks: computing …"


def test_the_curve_joins_the_errors_in_the_order_of_the_deletions(shown, widget):
    widget.deleted = {"residual": [4, 0, 5], "plain": [1]}
    page = shown(widget)
    expected = [widget._known["residual"][key] for key in ("", "4", "0,4", "0,4,5")]
    points = np.array(
        [[float(one) for one in pair] for pair in re.findall(r"[ML]([\d.]+) ([\d.]+)", page.evaluate(CURVES)[0])]
    )
    np.testing.assert_allclose(np.diff(points[:, 0]), points[1, 0] - points[0, 0])
    np.testing.assert_allclose(1 - (points[:, 1] - 10) / 150, expected, atol=1e-9)
    assert len(re.findall("[ML]", page.evaluate(CURVES)[1])) == 2
    known = {
        name: {key: value for key, value in errors.items() if key != "0,4"} for name, errors in widget._known.items()
    }
    page.evaluate(SET, ["_known", known])
    page.evaluate(PAINTED)
    assert page.evaluate(CURVES)[0].count("M") == 2  # broken where an error is missing


def test_a_block_that_nothing_replaces_is_not_deleted_and_says_why(shown, widget):
    page = shown(widget)
    block = page.locator("section").last.locator("[data-block='2']")
    block.click(force=True)
    assert told(page) == {}
    assert block.get_attribute("aria-disabled") == "true"
    reason = "plain, block 3 (new shape): it cannot be deleted, as nothing else makes the shape that follows."
    assert page.inner_text(".cnnviz-lesion-pointed") == reason == block.get_attribute("aria-label")


def test_one_more_at_random_and_restore_all(shown, widget):
    page = shown(widget)
    more, restore = page.locator("button[name=random]"), page.locator("button[name=restore]")
    assert restore.is_disabled()
    for count in range(1, 7):
        more.click()
        gone = told(page)["deleted"]
        assert len(set(gone["residual"])) == count
        assert len(set(gone["plain"])) == min(count, 4)
        assert not {2, 4} & set(gone["plain"])
        widget.set_state({"deleted": gone})
    page.evaluate(PAINTED)
    assert more.is_disabled()
    restore.click()
    assert told(page)["deleted"] == {"residual": [], "plain": []}


def test_what_python_deletes_is_shown(shown, widget):
    page = shown(widget)
    widget.deleted = {"plain": [5, 0]}
    for name in ("_known", "deleted"):
        page.evaluate(SET, [name, state_of(widget)[name]])
    assert words(page) == widget.describe()
    gone = page.locator("section").last.locator(".cnnviz-lesion-gone")
    assert [node.get_attribute("data-block") for node in gone.all()] == ["0", "5"]
    page.evaluate(SET, ["_problem", "ArithmeticError: no more memory"])
    page.evaluate(PAINTED)
    assert page.inner_text(".cnnviz-lesion-message") == "It ended with ArithmeticError: no more memory"


def test_stored_studies_show_bars_and_random_deletions_and_delete_nothing(shown):
    page = shown(LesionExplorer(studies={"a": stored(9, several=[1, 4])}))
    page.locator("[data-block='0']").click(force=True)
    assert told(page) == {}
    assert page.locator("button[name=random]").is_disabled()
    assert "stored measurements" in page.inner_text(".cnnviz-lesion-message")
    assert page.get_attribute(".cnnviz-lesion-spread path", "d").count("V") == 2


@pytest.mark.parametrize("width", [1080, 690])
@pytest.mark.parametrize("blocks", [3, 9, 27, 54])
def test_no_text_is_cut_or_lies_on_another(shown, width, blocks):
    page = shown(LesionExplorer(studies={"resnet": stored(blocks, several=[1, 2]), "plain": stored(blocks)}), width)
    assert page.evaluate(OVERLAPS) == []
    assert (
        page.evaluate(
            "() => { const one = document.querySelector('.cnnviz'); return one.scrollWidth - one.clientWidth; }"
        )
        <= 0
    )


@pytest.mark.parametrize("width", [1080, 690])
def test_nothing_jumps_whatever_is_deleted_pointed_at_or_wrong(shown, widget, width):
    page = shown(widget, width)
    tall = page.evaluate(HEIGHT)
    for gone in ([1, 2, 3, 4], [0, 1, 2, 3, 4, 5]):
        page.evaluate(SET, ["deleted", {"residual": gone, "plain": [0, 1, 3, 5]}])
        page.locator("section").last.locator("[data-block='2']").focus()
        page.evaluate(PAINTED)
        assert page.evaluate(HEIGHT) == tall
    page.evaluate(SET, ["_problem", "RuntimeError: " + "memory is full, " * 4])
    page.evaluate(PAINTED)
    assert page.evaluate(HEIGHT) == tall


def test_every_control_has_a_name_and_a_network_is_one_stop(shown, widget):
    page = shown(widget)
    assert page.evaluate(NAMELESS) == []
    assert page.locator("[tabindex='0']").count() == 2
    assert page.locator("[tabindex]:not([data-lm-suppress-shortcuts=true])").count() == 0


def test_the_page_from_disk_shows_what_is_known_and_says_what_is_not(page, tmp_path, widget):
    page.goto(widget.to_html(tmp_path / "lesion.html").as_uri())
    page.evaluate(PAINTED)
    page.locator("section").first.locator("[data-block='0']").click()
    widget.deleted = {"residual": [0]}
    assert words(page) == widget.describe()
    page.locator("section").first.locator("[data-block='1']").click()
    page.evaluate(PAINTED)
    assert page.inner_text("[data-now=residual]") == "without 2 blocks: not computed"
    assert "need Python" in page.inner_text(".cnnviz-lesion-message")
    assert page.locator("button[name=random]").is_disabled()
    colour = "() => getComputedStyle(document.querySelector('.cnnviz-lesion-bar')).fill"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colour) != light
