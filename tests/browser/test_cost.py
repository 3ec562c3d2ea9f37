"""CostExplorer in Chromium: every number beside layer_table's of the real modules, its controls used by hand."""

import json
import random
import re

import pytest

from cnnviz.analysis.designs import COMPARISONS
from cnnviz.widgets.cost import MEASURES, CostExplorer, kilobytes
from tests.browser.mount import NAMELESS, PAINTED, TOLD, mount, state_of, tell

pytestmark = pytest.mark.browser

KEYS = {"mult-adds": "mult_adds", "parameters": "parameters", "memory": "activation_bytes"}
WORDS = """(states) => JSON.stringify(states.map((state) => ({
    words: module.describe(state), rule: module.rule(state),
    designs: module.counted(state).map(({ rows, sum, ...design }) => ({
        ...design, sum, rows: rows.map((row) => [row.output, row.parameters, row.mult_adds, row.activation_bytes]),
        field: rows.at(-1).receptive_field,
        formulas: Object.fromEntries(Object.keys(sum).map((key) => [key, module.formulaOf(rows, key)])),
    })),
})))"""


def random_explorer(rng, comparison=None):
    """Any numbers that the sliders have a place for, and now and then others."""
    comparison = comparison or rng.choice(list(COMPARISONS))
    numbers = {}
    for name, (low, high, _) in COMPARISONS[comparison].settings.items():
        if name in ("width", "resolution"):
            numbers[name] = rng.randint(1, 20) / 20
        elif name == "kernel_size":
            numbers[name] = rng.randrange(low, high + 1, 2)
        else:
            numbers[name] = rng.choice([rng.randint(1, min(high, 40)), 8 * rng.randint(1, min(high, 512) // 8 or 1)])
            numbers[name] = min(numbers[name], high)
    if comparison == "grouped":
        numbers["groups"] = rng.choice([1, 2, 3, 8])
        for name in ("in_channels", "out_channels"):
            numbers[name] = numbers["groups"] * rng.randint(1, 40)
    return CostExplorer(comparison=comparison, measure=rng.choice(MEASURES), bias=rng.random() < 0.4, **numbers)


def value_of(formula):
    """What a filled-in formula gives."""
    return eval(formula.replace("·", "*").replace("²", "**2"))


def rows_of(table):
    """The rows that the browser shows; layer_table has one for every layer too."""
    return [[list(r.output_shape[1:]), r.parameters, r.mult_adds, r.activation_bytes] for r in table.rows]


def test_rows_sums_formulas_and_words_are_pythons_on_210_random_settings(import_module):
    rng = random.Random(0)
    explorers = [random_explorer(rng) for _ in range(210 - len(COMPARISONS))]
    explorers += [random_explorer(rng, comparison) for comparison in COMPARISONS]
    page = import_module(CostExplorer._esm)
    theirs = json.loads(page.evaluate(WORDS, [state_of(explorer) for explorer in explorers]))
    for index, (explorer, browser) in enumerate(zip(explorers, theirs, strict=True)):
        if index % 3 == 0:  # the sentence is made of the same numbers, and costs as much time again
            assert browser["words"] == explorer.describe()
        tables = explorer.tables
        for design, table, ours in zip(explorer._pair, tables, browser["designs"], strict=True):
            assert (ours["name"], ours["shape"]) == (design.name, list(design.input_shape))
            assert json.loads(json.dumps(design.layers)) == ours["layers"]
            assert ours["rows"] == rows_of(table)
            assert ours["field"] == table.rows[-1].receptive_field[0]
            for key, number in ours["sum"].items():
                assert number == getattr(table, key) == value_of(ours["formulas"][key])
        _, figures, share = browser["rule"]
        exact = tables[1].mult_adds / tables[0].mult_adds
        assert share == pytest.approx(exact) == pytest.approx(value_of(figures))


def test_the_page_shows_the_numbers_of_layer_table(import_module):
    rng = random.Random(1)
    page = import_module(CostExplorer._esm)
    mount(page, CostExplorer())
    for comparison in [*COMPARISONS] * 4:
        explorer = random_explorer(rng, comparison)
        tell(page, explorer)
        shown = page.evaluate("""() => Object.fromEntries([...document.querySelectorAll("[data-cell], [data-sum]")].map(
            ({ dataset, textContent, firstChild }) => [dataset.cell ?? `${dataset.side} ${dataset.sum}`,
                dataset.cell ? firstChild.textContent : textContent]))""")
        expected = {}
        for side, table in zip("ab", explorer.tables, strict=True):
            for key in KEYS.values():
                written = kilobytes if key == "activation_bytes" else "{:,}".format
                expected[f"{side} {key}"] = written(getattr(table, key))
                for index, row in enumerate(table.rows):
                    expected[f"{side} {index} {key}"] = written(getattr(row, key))
            formula = page.inner_text(f"[data-formula={side}]").removeprefix(side.upper())
            formula, _, number = formula.rpartition(" = ")
            key = KEYS[explorer.measure]
            assert value_of(formula.strip()) == int(re.sub(r"\D", "", number)) == getattr(table, key)
        assert shown == expected, explorer
        assert page.get_attribute(".cnnviz-cost-sides", "aria-label") == explorer.describe()


@pytest.fixture
def shown(page, tmp_path):
    """Open an explorer's page from disk with the network off."""

    def show(**controls):
        page.goto(CostExplorer(**controls).to_html(tmp_path / "cost.html").as_uri())
        page.evaluate(PAINTED)
        return page

    return show


def test_the_lectures_numbers_stand_on_the_page_when_a_comparison_is_chosen(shown):
    page = shown()
    lectures = {  # ids of data/reference/lectures.csv
        "bottleneck": ("346,816,512", "99,549,184"),  # B01, B02
        "depthwise separable": ("462,422,016", "52,283,392"),  # B08, B10
        "width multiplier": ("52,283,392", "29,578,752"),  # B12
        "resolution multiplier": ("29,578,752", "15,091,200"),  # B14
        "inception": ("854,196,224", "271,351,808"),  # B04; B05 counts the 3x3 convolution twice
        "global average pooling": ("50,176,000", "1,024,000"),  # A01, A02
    }
    for comparison, numbers in lectures.items():
        page.select_option("select[name=comparison]", comparison)
        page.evaluate(PAINTED)
        assert tuple(page.inner_text(f"[data-sum=mult_adds][data-side={side}]") for side in "ab") == numbers
        assert page.locator("select[name=example] option:checked").inner_text().startswith("lecture")
    page.select_option("select[name=comparison]", "bottleneck")
    page.select_option("select[name=example]", "lecture: 5x5, 192 to 32 maps")
    page.evaluate(PAINTED)
    assert page.inner_text("[data-formula=a]").endswith("28² · 32 · 192 · 5² = 120,422,400 mult-adds")  # E02
    assert page.inner_text("[data-sum=mult_adds][data-side=b]") == "12,443,648"  # E05


def test_a_slider_moves_both_designs_and_python_is_told_what_it_accepts(import_module):
    page = import_module(CostExplorer._esm)
    explorer = CostExplorer(comparison="grouped")
    mount(page, explorer)
    slider = page.locator("input[name=groups]")
    slider.focus()
    seen = []
    for _ in range(6):
        page.keyboard.press("ArrowRight")
        page.evaluate(TOLD)
        seen.append(page.evaluate("state.groups"))
    assert seen == [4, 8, 16, 32, 32, 32]
    assert slider.get_attribute("aria-valuetext") == "32"
    assert "divides 96 and 256: 1, 2, 4, 8, 16, 32" in slider.locator("xpath=..").inner_text()
    page.locator("input[name=in_channels]").focus()
    page.keyboard.press("ArrowRight")
    page.evaluate(TOLD)
    assert page.evaluate("state.in_channels") == 128  # the next number of channels that 32 divides
    assert page.locator("select[name=example] option:checked").inner_text() == "your own numbers"
    explorer.set_state(page.evaluate("() => ({ groups: state.groups, in_channels: state.in_channels })"))
    assert page.inner_text("[data-sum=parameters][data-side=b]") == f"{explorer.tables[1].parameters:,}"
    page.select_option("select[name=comparison]", "inception")
    page.select_option("select[name=example]", "GoogLeNet's inception4e")
    page.evaluate(TOLD)
    names = ["comparison", *COMPARISONS["inception"].settings]
    explorer.set_state({name: page.evaluate("(name) => state[name]", name) for name in names})
    assert explorer.describe() == page.get_attribute(".cnnviz-cost-sides", "aria-label")


def test_every_place_of_every_slider_is_legal_for_python(import_module):
    rng = random.Random(2)
    page = import_module(CostExplorer._esm)
    for comparison in COMPARISONS:
        explorer = random_explorer(rng, comparison)
        state = state_of(explorer)
        for name, limits in COMPARISONS[comparison].settings.items():
            places = page.evaluate("(args) => module.placesOf(...args)", [state, name, limits])
            assert places == sorted(set(places))
            assert state[name] in places
            for place in places:
                setattr(explorer, name, place)
            setattr(explorer, name, state[name])


@pytest.mark.parametrize("width", [1080, 760])
def test_nothing_jumps_while_a_slider_moves_and_no_number_is_cut(import_module, width):
    page = import_module(CostExplorer._esm)
    mount(page, CostExplorer(), width)
    places = """() => [...document.querySelectorAll(
        ".cnnviz-control:not([hidden]), .cnnviz-cost-sums, .cnnviz-cost-sides, .cnnviz-cost-rule, .cnnviz-cost-note")]
        .map((node) => node.getBoundingClientRect()).map(({ x, y, width, height }) => [x, y, width, height])"""
    wide = "() => [...document.querySelectorAll('.cnnviz *')].filter((node) => node.scrollWidth > node.clientWidth + 1"
    wide += " && node.clientWidth && !node.closest('.cnnviz-hidden')).map((node) => node.outerHTML)"
    rng = random.Random(3)
    for comparison in COMPARISONS:
        tell(page, CostExplorer(comparison=comparison))
        before = page.evaluate(places)
        for _ in range(6):
            tell(page, random_explorer(rng, comparison))
            assert page.evaluate(places) == before, comparison
            assert page.evaluate(wide) == [], comparison


def test_every_control_has_a_name_and_a_drag_is_painted_at_once(import_module):
    page = import_module(CostExplorer._esm)
    mount(page, CostExplorer(comparison="inception"))
    assert page.evaluate(NAMELESS) == []
    took = page.evaluate("""async () => {
        const slider = document.querySelector("input[name=out3x3]"), times = [];
        for (let i = 1; i <= 21; i++) {
            await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
            const start = performance.now();
            slider.value = i;
            slider.dispatchEvent(new Event("input"));
            document.body.offsetHeight;
            times.push(performance.now() - start);
        }
        return times.sort((a, b) => a - b)[10];
    }""")
    assert took < 50, f"the largest table took {took:.1f} ms"  # 4 on an idle machine
