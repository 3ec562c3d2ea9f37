"""PathLengthExplorer in Chromium: its numbers and words beside Python's, its pictures read back, used by hand."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest

from cnnviz.analysis.path_lengths import band, number_of_paths
from cnnviz.analysis.residual_paths import PathLengthProfile, PathSample
from cnnviz.figures.path_lengths import NEGLIGIBLE, against, signed_band
from cnnviz.widgets import PathLengthExplorer
from cnnviz.widgets.path_lengths import quantity, share
from tests.browser.mount import NAMELESS, PAINTED, TOLD, mount, state_of

pytestmark = pytest.mark.browser

SET = "([name, value]) => model.set(name, value)"
STAGE = ".cnnviz-paths-stage"
PICTURE = ".cnnviz-paths-picture"
VIEWS = """({ _index, _numbers }, example) => {
    const bytes = Uint8Array.from(_numbers);
    const networks = module.profilesOf(_index, new DataView(bytes.buffer));
    return [...networks].flatMap(([, stages]) => [...stages.values()]).map((one) => module.viewOf(one, example, 0.01));
}"""


def measured(blocks, images, sampled=None, *, seed=0, rms=True):
    """A profile and a sample such as networks have them, with a path in fifty that points the other way."""
    rng = np.random.default_rng(seed)
    counts = number_of_paths(blocks)[:, None]
    one = 0.25 ** np.arange(blocks + 1)[:, None] * np.exp(rng.normal(size=(blocks + 1, images)))
    norm = one * counts**0.8
    shares = norm * rng.normal(1, 0.5, norm.shape)
    profile = PathLengthProfile(norm, shares / shares.sum(0), one * 1.2 if rms else np.full_like(one, np.nan))
    few = one[:, : sampled or images]
    drawn = np.minimum(counts[:, 0], 20).astype(int)
    return profile, PathSample(few, 0.2 * few * (drawn < counts[:, 0])[:, None], drawn)


def explorer(**controls):
    """Networks of 54, 9 and 3 blocks; one stage has no sample, one neither that nor norms of single paths."""
    deep = {name: measured(54, 6, 4, seed=n) for n, name in enumerate(["at initialisation", "after 1 epoch", "10"])}
    shallow = {"at initialisation": measured(9, 3), "10": measured(9, 2, seed=5, rms=False)}
    tiny = {"at initialisation": measured(3, 1)}
    found = {"deep": deep, "shallow": shallow, "tiny": tiny}
    profiles = {name: {stage: one for stage, (one, _) in stages.items()} for name, stages in found.items()}
    samples = {name: {stage: one for stage, (_, one) in stages.items()} for name, stages in found.items()}
    del samples["deep"]["after 1 epoch"], samples["shallow"]["10"]
    return PathLengthExplorer(profiles, samples, **controls)


@pytest.fixture
def shown(import_module):
    """Call with controls to have the explorer on a page."""

    def show(widget=None, width=1080, **controls):
        page = import_module(PathLengthExplorer._esm)
        mount(page, widget or explorer(**controls), width)
        return page

    return show


def words(page):
    page.evaluate(PAINTED)
    return page.get_attribute(STAGE, "aria-label")


def told(page):
    page.evaluate(TOLD)
    return page.evaluate("() => window.told")


# Arithmetic


def test_the_numbers_of_paths_are_pythons_to_the_last_digit(import_module):
    page = import_module(PathLengthExplorer._esm)
    for blocks in (1, 3, 54, 100, 600):
        found = page.evaluate("(blocks) => module.numberOfPaths(blocks)", blocks)
        assert list(map(float, found)) == number_of_paths(blocks).tolist()


def test_bands_are_pythons_on_300_distributions(import_module):
    page = import_module(PathLengthExplorer._esm)
    rng = np.random.default_rng(0)
    given = [number_of_paths(n).tolist() for n in (1, 2, 3, 10, 54)]
    given += [rng.dirichlet(np.full(rng.integers(1, 60), rng.choice([0.05, 0.5, 5]))).tolist() for _ in range(200)]
    given += [rng.normal(1, 0.4, rng.integers(2, 30)).tolist() for _ in range(95)]
    found = page.evaluate("(given) => given.map((one) => module.band(one))", given)
    assert [tuple(ends) for ends in found] == [band(np.array(one)) for one in given]


@pytest.mark.parametrize("example", [None, 0, 1, 2])
def test_means_fractions_and_bands_are_those_of_the_dataclasses(import_module, example):
    page = import_module(PathLengthExplorer._esm)
    pairs = [measured(blocks, 3, sampled, seed=blocks) for blocks, sampled in ((1, 2), (3, 3), (9, 2), (54, 1))]
    profiles, samples = ({str(n): {"a": pair[part]} for n, pair in enumerate(pairs)} for part in (0, 1))
    state = state_of(PathLengthExplorer(profiles, samples))
    given = [{"_index": state["_index"], "_numbers": list(state["_numbers"])}, example]
    found = page.evaluate(f"([state, example]) => ({VIEWS})(state, example)", given)
    for view, (profile, sample) in zip(found, pairs, strict=True):
        if example is not None:
            one = slice(example, example + 1)
            profile = PathLengthProfile(profile.norm[:, one], profile.share[:, one], profile.rms[:, one])
            sample = replace(sample, norm=sample.norm[:, one], standard_error=sample.standard_error[:, one])
        expected = [
            ("exact", profile.exact, band(profile.exact)),
            ("signed", profile.signed, signed_band(profile.signed)),
        ]
        if sample.norm.size:
            expected.append(("product", sample.product, band(sample.product)))
            np.testing.assert_allclose(view["sample"], sample.norm.mean(1))
            np.testing.assert_allclose(view["error"], sample.standard_error.mean(1))
        else:
            assert "sample" not in view
        np.testing.assert_allclose(view["counts"], profile.paths / profile.paths.sum())
        np.testing.assert_allclose(view["rms"], profile.rms.mean(1))
        for one, (look, values, ends) in zip(view["carried"], expected, strict=True):
            assert one["look"] == look
            np.testing.assert_allclose(one["values"], values)
            assert (one["band"] and tuple(one["band"])) == ends
        assert view["carried"][1]["against"] == pytest.approx(against(profile.signed))


def test_a_few_lengths_that_point_the_other_way_leave_the_range(import_module):
    page = import_module(PathLengthExplorer._esm)
    for part, expected in ((0.5 * NEGLIGIBLE, True), (2 * NEGLIGIBLE, False)):
        shares = np.array([[0.3], [0.7 + part], [-part]])
        widget = PathLengthExplorer({"net": {"a": PathLengthProfile(abs(shares), shares, abs(shares))}})
        mount(page, widget)
        assert (page.locator(".cnnviz-paths-signed .cnnviz-paths-bracket").count() == 1) is expected
        assert words(page) == widget.describe()
        assert ("no range of the gradient" in widget.describe()) is not expected


def test_numbers_are_written_as_python_writes_them(import_module):
    page = import_module(PathLengthExplorer._esm)
    rng = np.random.default_rng(0)
    values = [0.0, 1.0, 999_999.7, 2.0**54, -0.00012, *number_of_paths(54).tolist()]
    values += (10 ** rng.uniform(-45, 20, 300) * rng.choice([-1, 1], 300)).tolist()
    for digits in (2, 3):
        found = page.evaluate(f"(given) => given.map((value) => module.quantity(value, {digits}))", values)
        assert found == [quantity(value, digits) for value in values]
    parts = rng.normal(0, 0.3, 200).tolist() + (10 ** rng.uniform(-30, 0, 200)).tolist() + [0.0, 0.0005, 1.0]
    assert page.evaluate("(given) => given.map((value) => module.share(value))", parts) == [share(one) for one in parts]


def test_the_words_are_pythons_whatever_is_shown(shown):
    rng = random.Random(0)
    widget = explorer()
    page = shown(widget)
    for _ in range(40):
        with widget.hold_trait_notifications():
            widget.network = rng.choice(["deep", "shallow", "tiny"])
            widget.stage = rng.choice(list(widget._profiles[widget.network]))
            profile = widget._profiles[widget.network][widget.stage]
            widget.example = rng.choice([None, *range(profile.norm.shape[1])])
            widget.length = rng.randint(0, profile.blocks)
        # One after the other, as Python's messages come: what is shown between them must not fail.
        for name in rng.sample(["network", "stage", "example", "length"], 4):
            page.evaluate(SET, [name, getattr(widget, name)])
        page.evaluate("(state) => { Object.assign(window.state, state); model.set('length', state.length); }",
                      widget.get_state(widget.control_names()))  # fmt: skip
        assert words(page) == widget.describe()


# The pictures


def bars(page, look):
    """Heights of the bars in pixels, from left to right."""
    path = page.locator(f"{PICTURE} .cnnviz-paths-{look} > .cnnviz-paths-bars").get_attribute("d")
    return np.array([float(one[0]) - float(one[1]) for one in re.findall(r"M[^,]+,([-.\de]+)V([-.\de]+)", path)])


def points(page, look):
    """x and y of the points of a line in pixels."""
    path = page.locator(f"{PICTURE} .cnnviz-paths-{look} > .cnnviz-paths-line").get_attribute("d")
    return np.array(re.findall(r"[ML]([-.\de]+),([-.\de]+)", path), float)


def test_bars_and_lines_stand_as_high_as_the_numbers(shown):
    widget = explorer()
    page = shown(widget)
    profile, sample = measured(54, 6, 4)
    counts = bars(page, "count")
    np.testing.assert_allclose(counts / counts.max(), profile.paths / profile.paths.max(), atol=1e-9)
    heights = bars(page, "exact")
    np.testing.assert_allclose(heights / heights.sum(), profile.exact, atol=1e-9)
    unit = heights[0] / profile.exact[0]
    floor = points(page, "product")[-1, 1]  # nothing is carried by the longest paths
    np.testing.assert_allclose((floor - points(page, "product")[:, 1]) / unit, sample.product, atol=1e-6)
    np.testing.assert_allclose((floor - points(page, "signed")[:, 1]) / unit, profile.signed, atol=1e-6)
    for look, norms in (("sample", sample.norm.mean(1)), ("rms", profile.rms.mean(1))):
        y = points(page, look)[:, 1]
        slope = (y[-1] - y[0]) / np.log(norms[-1] / norms[0])
        np.testing.assert_allclose(y - y[0], slope * np.log(norms / norms[0]), atol=1e-6)


def test_all_three_pictures_have_one_axis_and_the_line_crosses_all_of_them(shown):
    page = shown(length=20)
    x = points(page, "rms")[:, 0]
    np.testing.assert_allclose(np.diff(x), np.diff(x)[0])
    np.testing.assert_allclose(points(page, "signed")[:, 0], x)
    segments = re.findall(r"M([-.\d]+),([-.\d]+)V([-.\d]+)", page.locator(".cnnviz-paths-mark").get_attribute("d"))
    assert len(segments) == 3
    assert [float(one[0]) for one in segments] == pytest.approx([x[20]] * 3)
    assert page.locator(".cnnviz-paths-length").text_content() == "20"


def test_a_logarithmic_axis_shows_the_rare_lengths(shown):
    page = shown(length=0)
    assert bars(page, "count")[0] < 1e-9
    page.locator("input[name=logarithmic]").focus()
    page.keyboard.press("Space")
    assert told(page) == {"logarithmic": True}
    heights = bars(page, "count")
    assert heights[0] > 1
    logs = np.log(number_of_paths(54))
    np.testing.assert_allclose((heights - heights[0]) / (heights[27] - heights[0]), logs / logs[27], atol=1e-9)


def test_the_range_of_95_percent_is_drawn_over_its_lengths_and_said(shown):
    page = shown()
    profile, _ = measured(54, 6, 4)
    low, high = band(profile.exact)
    assert page.locator(".cnnviz-paths-exact > text").text_content() == f"95 %: {low} to {high}"
    assert f"95 % at lengths {low} to {high}" in page.inner_text("[data-look=exact]").replace("\u00a0", " ")
    ends = re.findall(r"M([-.\d]+),", page.locator(".cnnviz-paths-exact > .cnnviz-paths-bracket").get_attribute("d"))
    x = points(page, "signed")[:, 0]
    np.testing.assert_allclose([float(ends[0]), float(ends[-1])], [x[low], x[high]], atol=np.diff(x)[0])


def test_the_lectures_range_is_shaded_where_there_are_54_blocks_only(shown):
    page = shown()
    boxes = page.locator(".cnnviz-paths-lectures").all()
    assert len(boxes) == 3
    x, step = points(page, "rms")[:, 0], np.diff(points(page, "rms")[:, 0])[0]
    left = float(boxes[0].get_attribute("x"))
    assert left == pytest.approx(x[5] - step / 2)
    assert left + float(boxes[0].get_attribute("width")) == pytest.approx(x[17] + step / 2)
    assert "lectures: 5 to 17 of 54" in page.locator(PICTURE).text_content()
    held = share(measured(54, 6, 4)[0].exact[5:18].sum()).replace(" ", "\u00a0")
    assert f"The lectures say: 5 to 17 carry most. Here: norms {held}" in page.inner_text("[data-look=lectures]")
    page.locator("select[name=network]").select_option("shallow")
    page.evaluate(PAINTED)
    assert page.locator(".cnnviz-paths-lectures").count() == 0
    assert page.inner_text("[data-look=lectures]") == ""


def test_axes_stay_while_the_stage_of_training_changes(shown):
    page = shown()
    labels = """() => [...document.querySelectorAll(".cnnviz-paths-picture text[text-anchor=end]")]
        .map((one) => one.textContent)"""
    before = page.evaluate(labels)
    page.evaluate(SET, ["stage", "10"])
    page.evaluate(PAINTED)
    after = page.evaluate(labels)
    assert [one for one in after if "to" not in one] == [one for one in before if "to" not in one]


@pytest.mark.parametrize(
    ("controls", "look", "says"),
    [
        ({"stage": "after 1 epoch"}, "sample", "sampled paths: not measured"),
        ({"stage": "after 1 epoch"}, "product", "number × one path (Veit): not measured"),
        ({"example": 5}, "sample", "sampled paths: drawn for the first 4 images only"),
        ({"network": "shallow", "stage": "10"}, "rms", "all paths, root mean square: not measured"),
    ],
)
def test_what_is_missing_is_said_and_not_drawn(shown, controls, look, says):
    page = shown(**controls)
    assert page.inner_text(f"[data-look={look}]") == says
    assert page.locator(f"{PICTURE} .cnnviz-paths-{look}").count() == 0
    assert page.locator(f"{PICTURE} .cnnviz-paths-exact > .cnnviz-paths-bars").count() == 1
    empty = page.locator(PICTURE).get_by_text("not measured").count()
    assert empty == (controls.get("network") == "shallow")


def test_an_image_without_a_gradient_has_an_empty_picture_that_says_so(shown):
    profile, sample = measured(9, 2)
    norm = profile.norm * [1, 0]
    gone = replace(profile, norm=norm, share=profile.share * [1, np.nan], rms=profile.rms * [1, 0])
    none = replace(sample, norm=sample.norm * [1, 0], standard_error=0 * sample.norm)
    widget = PathLengthExplorer({"net": {"a": gone}}, {"net": {"a": none}}, example=1)
    page = shown(widget)
    assert words(page) == widget.describe()
    assert page.locator(PICTURE).get_by_text("nothing to share out").count() == 1
    widget.example = None
    page.evaluate(SET, ["example", None])
    assert words(page) == widget.describe()
    assert page.locator(PICTURE).get_by_text("nothing to share out").count() == 0


# Use


def test_every_slider_is_moved_by_keys_and_tells_python(shown):
    page = shown()
    widget = explorer()
    for name, value in {"stage": "after 1 epoch", "example": 0, "length": widget.length + 1}.items():
        page.locator(f"input[name={name}]").focus()
        page.keyboard.press("ArrowRight")
        assert told(page)[name] == value
        setattr(widget, name, value)
        assert words(page) == widget.describe()
    assert page.locator("input[name=stage]").get_attribute("aria-valuetext") == "after 1 epoch"
    assert page.inner_text(".cnnviz-control:has([name=example]) output") == "image 1 of 6"
    page.locator("input[name=example]").focus()
    page.keyboard.press("Home")
    assert told(page)["example"] is None


def test_keys_on_the_pictures_move_the_mark_to_both_ends(shown):
    page = shown(length=20)
    page.locator(PICTURE).focus()
    for key, length in (("ArrowRight", 21), ("Shift+ArrowRight", 26), ("ArrowLeft", 25), ("End", 54), ("Home", 0),
                        ("ArrowLeft", 0)):  # fmt: skip
        page.keyboard.press(key)
        assert told(page)["length"] == length
        assert f"Length {length}: " in words(page)


@pytest.mark.parametrize("height", [0.1, 0.4, 0.9])
def test_a_click_in_any_picture_and_a_drag_move_the_mark(shown, height):
    page = shown(length=20)
    frame, x = page.locator(PICTURE).bounding_box(), points(page, "rms")[:, 0]
    y = frame["y"] + height * frame["height"]
    page.mouse.click(frame["x"] + x[30] + 3, y)
    assert told(page)["length"] == 30
    page.mouse.down()
    page.mouse.move(frame["x"] + x[12], y + 5)
    assert told(page)["length"] == 12
    page.mouse.move(frame["x"] - 50, y)
    page.mouse.up()
    assert told(page)["length"] == 0


def test_another_network_keeps_what_exists_there_as_python_does(shown):
    widget = explorer(stage="10", example=5, length=40)
    page = shown(widget)
    for network in ("shallow", "tiny", "deep"):
        page.locator("select[name=network]").select_option(network)
        widget.network = network
        found = told(page)
        assert {name: found.get(name, getattr(widget, name)) for name in ("network", "stage", "example", "length")} == {
            name: getattr(widget, name) for name in ("network", "stage", "example", "length")
        }
        assert words(page) == widget.describe()
    assert (widget.stage, widget.example, widget.length) == ("at initialisation", 0, 3)


def test_a_slider_with_one_place_is_off(shown):
    page = shown(network="tiny")
    assert page.locator("input[name=stage]").is_disabled()
    assert page.locator("input[name=example]").is_enabled()


@pytest.mark.parametrize("width", [1080, 690])
def test_nothing_jumps_overflows_or_is_cut_when_controls_move(shown, width):
    page = shown(width=width)
    sizes = """() => {
        const root = document.querySelector(".cnnviz"), stage = document.querySelector(".cnnviz-paths-stage");
        const [picture, ...columns] = stage.children, box = picture.getBoundingClientRect();
        const fits = (one) => one.scrollHeight <= one.clientHeight && one.scrollWidth <= one.clientWidth;
        const texts = [...picture.querySelectorAll("text")].map((one) => one.getBoundingClientRect());
        const seen = texts.every((one) => one.left >= box.left && one.right <= box.right && one.bottom <= box.bottom);
        return [root.offsetHeight, root.scrollWidth <= root.clientWidth, columns.every(fits), seen];
    }"""
    expected = [page.evaluate(sizes)[0], True, True, True]
    for name, value in [
        ("stage", "after 1 epoch"),
        ("example", 5),
        ("length", 54),
        ("stage", "10"),
        ("length", 0),
        ("logarithmic", True),
        ("example", None),
        ("network", "shallow"),
        ("network", "tiny"),
    ]:
        page.evaluate(SET, [name, value])
        page.evaluate(PAINTED)
        assert page.evaluate(sizes) == expected, (name, value)


@pytest.mark.parametrize("width", [1080, 690])
@pytest.mark.parametrize("network", ["deep", "shallow", "tiny"])
def test_no_text_of_the_pictures_covers_another(shown, width, network):
    page = shown(width=width, network=network)
    texts = """() => [...document.querySelectorAll(".cnnviz-paths-picture text")].map((one) => {
        const { left, right, top, bottom } = one.getBoundingClientRect();
        return [one.textContent, left, right, top + 2, bottom - 2];
    })"""
    for logarithmic in (False, True):
        for length in (0, 1, 3):
            page.evaluate(SET, ["logarithmic", logarithmic])
            page.evaluate(SET, ["length", length])
            page.evaluate(PAINTED)
            boxes = page.evaluate(texts)
            for n, (one, *a) in enumerate(boxes):
                for other, *b in boxes[:n]:
                    apart = a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]
                    assert apart, (one, other)


def test_every_control_has_a_name_and_keeps_its_keys_from_jupyterlab(shown):
    page = shown()
    assert page.evaluate(NAMELESS) == []
    unmarked = """() => [...document.querySelectorAll(".cnnviz :is(input, select, [tabindex])")]
        .filter((node) => node.dataset.lmSuppressShortcuts !== "true").map((node) => node.outerHTML)"""
    assert page.evaluate(unmarked) == []


def test_colours_follow_the_theme(shown):
    page = shown()
    fill = "() => getComputedStyle(document.querySelector('.cnnviz-paths-exact .cnnviz-paths-bars')).fill"
    light = page.evaluate(fill)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(fill) != light


def test_the_page_from_disk_works(page, tmp_path):
    widget = explorer(length=20)
    page.goto(widget.to_html(tmp_path / "paths.html").as_uri())
    assert words(page) == widget.describe()
    page.locator(PICTURE).focus()
    page.keyboard.press("ArrowRight")
    page.locator("select[name=network]").select_option("shallow")
    widget.length = 21
    widget.network = "shallow"
    assert words(page) == widget.describe()
