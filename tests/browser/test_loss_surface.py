"""LossSurfaceExplorer in Chromium: its arithmetic beside numpy, its words beside Python's, its views used by hand."""

import json

import numpy as np
import pytest

from cnnviz.analysis.loss_surface import LossSurface
from cnnviz.analysis.trajectory import Trajectory
from cnnviz.widgets.loss_surface import LossSurfaceExplorer, number
from tests.browser.mount import NAMELESS, PAINTED, TOLD, mount, state_of

pytestmark = pytest.mark.browser

PICTURES = "() => [...document.querySelectorAll('canvas')].map((canvas) => canvas.toDataURL())"
SET = "([name, value]) => model.set(name, value)"


def surface(rows=9, columns=7, *, seed=0, computed=None, top=None, reach=1.0):
    """A rugged bowl on a grid that is not square, in numbers that float32 holds."""
    rng = np.random.default_rng(seed)
    axes = np.linspace(-reach, reach, rows), np.linspace(-reach, reach, columns)
    a, b = np.meshgrid(*axes, indexing="ij")
    loss = np.float32(0.2 + 5 * (a**2 + b**2) / reach**2 + rng.random(a.shape)).astype(float)
    accuracy = np.float32(np.exp(-loss)).astype(float)
    if top is not None:
        loss[-1, -1] = top
    error = np.float32(0.1 * loss).astype(float)
    guesses, labels = rng.integers(0, 3, (rows, columns, 4)), np.array([0, 1, 2, 0])
    for values in (loss, accuracy, error):
        values[rows if computed is None else computed :] = np.nan
    return LossSurface(*axes, loss, accuracy, error, guesses, labels, {"network": "net"})


def path():
    coordinates = np.array([[0.8, 0.6], [0.2, -0.3], [0.0, 0.0]])
    residual, loss = np.array([3.0, 1.0, 0.0]), np.array([4.0, 1.0, 0.3])
    return Trajectory(coordinates, residual, 2 * residual, loss, np.array([0.1, 0.6, 0.9]), np.array([0.0, 5.0, 30.0]))


def explorer(**controls):
    surfaces = {
        "deep": {"seed 0": surface(), "seed 1": surface(seed=1, computed=4), "path": surface(reach=2.0)},
        "plain": {"seed 0": surface(seed=2, top=np.inf), "seed 1": surface(5, 11, seed=3)},
    }
    images = np.random.default_rng(0).integers(0, 255, (4, 3, 8, 8), dtype=np.uint8)
    controls = {"images": images, "labels": [0, 1, 2, 0], "class_names": ("cat", "dog", "fox")} | controls
    return LossSurfaceExplorer(surfaces, paths={"deep": {"path": path()}}, **controls)


@pytest.fixture
def shown(import_module):
    """Call with controls to have the explorer on a page."""

    def show(widget=None, width=1080, **controls):
        page = import_module(LossSurfaceExplorer._esm)
        mount(page, widget or explorer(**controls), width)
        return page

    return show


@pytest.fixture
def arithmetic(import_module):
    """Call with the body of a function of `module` and its argument; what it returns comes back."""

    def run(body, argument=None):
        page = import_module(LossSurfaceExplorer._esm)
        return json.loads(page.evaluate(f"(given) => JSON.stringify((() => {{ {body} }})())", argument))

    return run


def grid(one):
    """A surface as the pure functions take it, and its loss."""
    return {"alphas": one.alphas.tolist(), "betas": one.betas.tolist(), "values": one.loss.flatten().tolist()}


# Arithmetic


def test_bilinear_interpolation_is_numpys(arithmetic):
    rng = np.random.default_rng(0)
    alphas, betas = np.sort(rng.normal(size=5)), np.sort(rng.normal(size=4))
    values = rng.normal(size=(5, 4))
    points = np.stack([rng.uniform(alphas[0], alphas[-1], 50), rng.uniform(betas[0], betas[-1], 50)], axis=1)
    along = np.array([[np.interp(beta, betas, row) for row in values] for beta in points[:, 1]])
    expected = [np.interp(alpha, alphas, line) for alpha, line in zip(points[:, 0], along, strict=True)]
    given = {"alphas": alphas.tolist(), "betas": betas.tolist(), "values": values.flatten().tolist(),
             "points": points.tolist()}  # fmt: skip
    found = arithmetic("return given.points.map((point) => module.bilinear(given, given.values, ...point));", given)
    np.testing.assert_allclose(found, expected)
    outside = arithmetic("return module.bilinear(given, given.values, 99, 0) + '';", given)
    assert outside == "NaN"


def test_a_contour_line_crosses_every_edge_of_the_grid_whose_ends_lie_on_both_sides(arithmetic):
    one, level = surface(12, 9, seed=5), 2.0
    segments = arithmetic("return module.contourLine(given, given.values, 2.0);", grid(one))
    ends = np.array(segments).reshape(-1, 2)
    above = one.loss > level
    crossings = []
    for i, j in np.ndindex(above.shape):
        for di, dj in ((1, 0), (0, 1)):
            k, m = i + di, j + dj
            if k < above.shape[0] and m < above.shape[1] and above[i, j] != above[k, m]:
                share = (level - one.loss[i, j]) / (one.loss[k, m] - one.loss[i, j])
                place = [
                    one.alphas[i] + share * (one.alphas[k] - one.alphas[i]),
                    one.betas[j] + share * (one.betas[m] - one.betas[j]),
                ]
                inner = 0 < (j if di else i) < above.shape[1 if di else 0] - 1
                crossings += [place] * (2 if inner else 1)  # an inner edge belongs to two cells
    assert len(ends) == len(crossings)
    by_place = [np.array(sorted(np.round(points, 9).tolist())) for points in (ends, crossings)]
    np.testing.assert_allclose(*by_place, atol=1e-8)


@pytest.mark.parametrize(("middle", "joined"), [(0.9, True), (-0.9, False)])
def test_the_middle_of_a_saddle_says_which_corners_belong_together(arithmetic, middle, joined):
    values = [1 + middle, -1.0, -1.0, 1 + middle]  # [alpha, beta]: high at (0, 0) and (1, 1)
    given = {"alphas": [0, 1], "betas": [0, 1], "values": values}
    lines = np.array(arithmetic("return module.contourLine(given, given.values, 0);", given)).reshape(-1, 2, 2)
    assert len(lines) == 2
    # Joined high corners are cut off from the low ones at (1, 0) and (0, 1); else the high ones are cut off.
    off = [(1, 0), (0, 1)] if joined else [(0, 0), (1, 1)]
    for corner in off:
        assert any(np.abs(line - corner).sum(1).max() <= 1 + 1e-9 for line in lines)


@pytest.mark.parametrize(("azimuth", "elevation"), [(0, 90), (30, 35), (-140, 5), (180, 60)])
def test_the_camera_turns_and_tilts(arithmetic, azimuth, elevation):
    points = np.random.default_rng(1).uniform(-1, 1, (20, 3))
    points[:, 2] = abs(points[:, 2])
    a, e = np.radians([azimuth, elevation])
    right = [np.cos(a), -np.sin(a), 0]
    up = [np.sin(e) * np.sin(a), np.sin(e) * np.cos(a), np.cos(e)]
    expected = (points * [1, 1, 1.1]) @ np.array([right, up]).T
    body = """const camera = module.cameraOf(given.camera, 500, 300);
        return given.points.map((point) => module.projected(camera, ...point));"""
    found = arithmetic(body, {"camera": {"azimuth": azimuth, "elevation": elevation}, "points": points.tolist()})
    found = np.array(found)
    scale = np.linalg.lstsq(expected[:, :1] - expected[:1, :1], found[:, 0] - found[0, 0], rcond=None)[0][0]
    assert scale > 50
    np.testing.assert_allclose(found[:, 0] - found[0, 0], scale * (expected[:, 0] - expected[0, 0]), atol=1e-6)
    np.testing.assert_allclose(found[:, 1] - found[0, 1], -scale * (expected[:, 1] - expected[0, 1]), atol=1e-6)
    assert (found > 0).all()
    assert (found < [500, 300]).all()


def test_a_cut_runs_from_edge_to_edge_through_the_marker(arithmetic):
    box = {"alpha": [-1, 3], "beta": [-1, 1]}
    body = "return given.map((marker) => module.cutPoints({ alpha: [-1, 3], beta: [-1, 1] }, marker, 5));"
    level, steep, slope = arithmetic(
        body,
        [{"alpha": 1, "beta": 0.5, "cut": 0}, {"alpha": 1, "beta": 0.5, "cut": 90}, {"alpha": 0, "beta": 0, "cut": 45}],
    )
    assert [(one["t"], one["alpha"], one["beta"]) for one in level] == [(t, 1 + t, 0.5) for t in (-2, -1, 0, 1, 2)]
    assert [(one["t"], one["alpha"], one["beta"]) for one in steep][::4] == [(-1.5, 1, -1), (0.5, 1, 1)]
    np.testing.assert_allclose([slope[0]["t"], slope[-1]["t"]], [-np.sqrt(2), np.sqrt(2)])
    assert box["beta"] == [slope[0]["beta"], slope[-1]["beta"]]


def test_a_hill_hides_what_stands_behind_it(arithmetic):
    axis = np.linspace(-1, 1, 21)
    heights = np.zeros((21, 21))
    heights[:, 10] = 1  # a ridge at beta 0
    body = """const square = module.squared({ alpha: [-1, 1], beta: [-1, 1] });
        return given.points.map((point) => module.hidden(given, given.heights, square,
            module.cameraOf({ azimuth: 0, elevation: given.elevation }, 400, 300), point));"""
    given = {"alphas": axis.tolist(), "betas": axis.tolist(), "heights": heights.flatten().tolist()}
    points = [[0, 0.5, 0], [0, -0.5, 0], [0, 0.5, 1]]  # behind, in front, and above
    assert arithmetic(body, given | {"points": points, "elevation": 20}) == [True, False, False]
    assert arithmetic(body, given | {"points": points, "elevation": 90}) == [False, False, False]


def test_the_surface_from_above_is_the_map(arithmetic):
    one = surface(6, 4)
    body = """const square = module.squared({ alpha: [-1, 1], beta: [-1, 1] });
        const mesh = module.meshOf(given, given.values.map((value) => value / 10), square);
        const camera = module.cameraOf({ azimuth: 0, elevation: 90 }, 200, 200);
        const pixels = new Uint32Array(200 * 200);
        module.fillSurface(pixels, 200, 200, mesh, camera, 1);
        const found = [];
        for (let i = 0; i < 5; i++) for (let j = 0; j < 3; j++) {
            const middle = (axis) => (axis[0] + axis[1]) / 2;
            // A little off the middle, where no two triangles meet.
            const [alpha, beta] = [middle(mesh.x.slice(i, i + 2)) + 0.05, middle(mesh.y.slice(j, j + 2))];
            const [x, y] = module.projected(camera, alpha, beta, 0);
            found.push(pixels[Math.floor(y) * 200 + Math.floor(x)] === mesh.colours[i * 3 + j]);
        }
        return [found, pixels[0]];"""
    found, corner = arithmetic(body, grid(one))
    assert found == [True] * 15
    assert corner == 0


def test_a_cell_with_a_missing_corner_is_a_hole(arithmetic):
    body = """const square = module.squared({ alpha: [-1, 1], beta: [-1, 1] });
        const { colours } = module.meshOf(given, given.values.map((value) => value ?? NaN), square);
        return [...colours].map((colour) => colour === 0);"""
    one = surface(4, 3, computed=2)
    given = grid(one) | {"values": [None if np.isnan(value) else value / 10 for value in one.loss.flatten()]}
    assert arithmetic(body, given) == [False, False, True, True, True, True]


@pytest.mark.parametrize(
    ("low", "high", "logarithmic", "ticks"),
    [
        (0.3, 9.7, False, [2, 4, 6, 8]),
        (0, 1, False, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.2, 30, True, [0.3, 1, 3, 10, 30]),
        (1e-3, 1e9, True, [0.001, 1, 1000, 1e6, 1e9]),
        (4, 5, True, [4, 5]),
        (4.2, 4.8, True, [4.2, 4.3, 4.4, 4.5, 4.6, 4.7, 4.8][::2]),
    ],
)
def test_ticks_are_round(arithmetic, low, high, logarithmic, ticks):
    scale = {"low": low, "high": high, "logarithmic": logarithmic}
    assert arithmetic("return module.ticksOf(given, 6);", scale) == pytest.approx(ticks)


def test_numbers_are_written_as_python_writes_them(arithmetic):
    rng = np.random.default_rng(0)
    values = [0.0, 999.4, 999.5, 1234567.0, 99.5, 0.1, 12.0, -3.27, *(10 ** rng.uniform(-7, 6, 200)).tolist()]
    for digits in (2, 3):
        found = arithmetic(f"return given.map((value) => module.number(value, {digits}));", values)
        assert found == [number(value, digits) for value in values]


def test_the_words_are_pythons(import_module):
    page = import_module(LossSurfaceExplorer._esm)
    rng = np.random.default_rng(0)
    for plane in ("seed 0", "seed 1", "path"):
        for ceiling in (None, 1.5, 40.0):
            alpha, beta = rng.uniform(-1, 1, 2).tolist()
            widget = explorer(plane=plane, ceiling=ceiling, alpha=alpha, beta=beta)
            mount(page, widget)
            assert page.get_attribute(".cnnviz-surface-stage", "aria-label") == widget.describe()
            assert page.inner_text(".cnnviz-surface-words").startswith(widget.describe())


# Use


def told(page):
    page.evaluate(TOLD)
    return page.evaluate("() => window.told")


def test_dragging_one_view_turns_both(shown):
    page = shown()
    before = page.evaluate(PICTURES)
    frame = page.locator(".cnnviz-surface-view").first.bounding_box()
    x, y = frame["x"] + 200, frame["y"] + 150
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 20)
    page.mouse.up()
    assert told(page) == {"azimuth": 50, "elevation": 43}
    changed = [one != two for one, two in zip(before, page.evaluate(PICTURES), strict=True)]
    kinds = page.evaluate("""() => [...document.querySelectorAll("canvas")].map((canvas) =>
        canvas.closest(".cnnviz-surface-layers")?.querySelector("[tabindex]").className ?? "")""")
    assert changed == [kind == "cnnviz-surface-view" for kind in kinds]


def test_keys_turn_and_tilt_and_stop_at_the_top(shown):
    page = shown(azimuth=-178.0, elevation=87.0)
    page.locator(".cnnviz-surface-view").last.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp")
    assert told(page) == {"azimuth": 177, "elevation": 90}


def test_a_click_on_the_map_puts_the_marker_of_both_on_the_nearest_point(shown):
    page = shown()
    widget = explorer()
    frame = page.locator(".cnnviz-surface-map").first.bounding_box()
    left, top, wide, tall = 46, 8, frame["width"] - 56, frame["height"] - 46
    page.mouse.click(frame["x"] + left + 0.76 * wide, frame["y"] + top + 0.3 * tall)
    one = widget.surfaces["deep"]["seed 0"]
    alpha = one.alphas[abs(one.alphas - 0.52).argmin()]
    beta = one.betas[abs(one.betas - 0.4).argmin()]
    found = told(page)
    assert (found["alpha"], found["beta"]) == (alpha, beta)
    widget.alpha, widget.beta = alpha, beta
    assert page.get_attribute(".cnnviz-surface-stage", "aria-label") == widget.describe()
    for side, name in zip("ab", ("deep", "plain"), strict=True):
        planes = widget.surfaces[name]["seed 0"]
        i, j = abs(planes.alphas - alpha).argmin(), abs(planes.betas - beta).argmin()
        text = page.inner_text(f"[data-side={side}] [data-reading=loss]")
        assert text == f"loss {number(planes.loss[i, j])} ± {number(planes.standard_error[i, j], 2)}"
        guesses = page.locator(f"[data-side={side}] li")
        right = planes.predictions[i, j] == planes.labels
        assert [item.get_attribute("data-right") for item in guesses.all()] == [str(bool(one)).lower() for one in right]
        words = [f"{'✓' if fine else '✗'} {('cat', 'dog', 'fox')[guess]}"
                 for fine, guess in zip(right, planes.predictions[i, j], strict=True)]  # fmt: skip
        assert [item.inner_text() for item in guesses.all()] == words
        assert (
            page.inner_text(f"[data-side={side}] [data-reading=right]")
            == f"right in {right.sum()} of the first 4 images"
        )


def test_a_surface_of_other_images_is_shown_without_pictures_and_nothing_moves(shown):
    heights = []
    for labels, visible in ([0, 1, 2, 0], True), ([0, 1, 2, 1], False):  # a plane may have fewer images of the set
        page = shown(labels=labels)
        assert page.is_visible("[data-side=a] li") == visible
        assert "of the first 4 images" in page.inner_text("[data-side=a] [data-reading=right]")
        heights.append(page.evaluate("document.querySelector('.cnnviz').offsetHeight"))
    assert heights[0] == heights[1]


def test_arrow_keys_move_the_marker_by_a_point_of_their_own_map(shown):
    page = shown(plane="seed 1")
    page.locator(".cnnviz-surface-map").last.focus()  # 5 x 11 points
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    found = told(page)
    assert (found["alpha"], found["beta"]) == pytest.approx((0.5, 0.2))
    page.keyboard.press("Shift+ArrowUp")
    assert told(page)["beta"] == 1


def test_every_slider_tells_python_and_changes_the_picture(shown):
    page = shown()
    for name, value in {"azimuth": 31, "elevation": 36, "cut": 1, "alpha": 0.25, "beta": pytest.approx(1 / 3)}.items():
        before = page.evaluate(PICTURES)
        page.locator(f"input[name={name}]").focus()
        page.keyboard.press("ArrowRight")
        assert told(page)[name] == value
        assert page.evaluate(PICTURES) != before
    assert page.locator("input[name=ceiling]").get_attribute("aria-valuetext") == "none"
    page.locator("input[name=ceiling]").focus()
    page.keyboard.press("ArrowLeft")
    ceiling = told(page)["ceiling"]
    assert f"above the ceiling of {number(ceiling)} and clipped" in page.inner_text(".cnnviz-surface-words")
    page.keyboard.press("End")
    assert told(page)["ceiling"] is None


def test_nothing_jumps_when_controls_move(shown):
    page = shown()
    tall = page.evaluate("() => document.querySelector('.cnnviz').offsetHeight")
    for name, value in {
        "ceiling": 1.5,
        "logarithmic": True,
        "plane": "seed 1",
        "alpha": 1.0,
        "path": False,
        "azimuth": 100.0,
        "cut": 77.0,
    }.items():
        page.evaluate(SET, [name, value])
        page.evaluate(PAINTED)
        assert page.evaluate("() => document.querySelector('.cnnviz').offsetHeight") == tall, name


def test_one_network_has_the_whole_width(shown):
    page = shown(right="deep")
    assert page.locator("[data-side=b]").is_hidden()
    assert page.locator("[data-side=a]").bounding_box()["width"] > 1000
    page.evaluate(SET, ["right", "plain"])
    page.evaluate(PAINTED)
    assert page.locator("[data-side=b]").is_visible()


def test_a_plane_that_one_network_lacks_says_so(shown):
    page = shown(plane="path")
    assert page.inner_text("[data-side=b] [data-reading=loss]") == "not computed"
    assert "plain, path: not computed." in page.inner_text(".cnnviz-surface-words")


def test_the_path_is_drawn_where_there_is_one_and_its_distance_said(shown):
    page = shown(plane="path")
    words = (
        "deep: the path of training, epochs 0 to 30, runs up to 3 off this plane, "
        "50 % of its longest way to the centre."
    )
    assert words in page.inner_text(".cnnviz-surface-words")
    before = page.evaluate(PICTURES)
    page.locator("input[name=path]").focus()
    page.keyboard.press("Space")
    assert told(page)["path"] is False
    assert words not in page.inner_text(".cnnviz-surface-words")
    assert page.evaluate(PICTURES) != before
    page.locator("select[name=plane]").select_option("seed 0")
    assert told(page)["plane"] == "seed 0"
    assert page.locator("input[name=path]").is_disabled()


def test_another_plane_keeps_the_marker_on_it(shown):
    page = shown(plane="path", alpha=2.0)
    page.locator("select[name=plane]").select_option("seed 0")
    found = told(page)
    assert (found["plane"], found["alpha"]) == ("seed 0", 1)


def test_python_moves_what_is_shown(shown):
    page = shown()
    page.evaluate(SET, ["ceiling", 2.5])
    page.evaluate(PAINTED)
    assert "above the ceiling of 2.5" in page.inner_text(".cnnviz-surface-words")
    assert page.inner_text(".cnnviz-control:has([name=ceiling]) output") == "2.5"


def test_every_control_has_a_name_and_every_image_a_word(shown):
    page = shown()
    assert page.evaluate(NAMELESS) == []
    assert page.get_attribute(".cnnviz-surface-guesses", "aria-label")


@pytest.mark.parametrize("width", [1080, 690])
@pytest.mark.parametrize("right", ["deep", "plain"])
def test_nothing_is_wider_than_its_room(shown, width, right):
    page = shown(width=width, right=right)
    assert (
        page.evaluate(
            "() => { const root = document.querySelector('.cnnviz'); return root.scrollWidth - root.clientWidth; }"
        )
        <= 0
    )
    canvases = page.evaluate(
        "() => [...document.querySelectorAll('canvas')].map((one) => one.getBoundingClientRect().right)"
    )
    assert max(canvases) <= width + 8  # the body's margin


def test_a_dark_theme_paints_anew(shown):
    page = shown()
    before = page.evaluate(PICTURES)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("(before) => document.querySelectorAll('canvas')[0].toDataURL() !== before", arg=before[0])


def test_computing_is_hidden_without_networks_and_a_press_asks_python(shown):
    page = shown()
    assert page.locator(".cnnviz-surface-compute").is_hidden()
    page.evaluate(SET, ["_seconds", 0.05])
    page.evaluate(PAINTED)
    message = page.locator(".cnnviz-surface-message")
    assert message.inner_text() == "21 × 21 points for 2 networks, random directions of seed 0: about 22 s"
    page.locator("input[name=points]").focus()
    page.keyboard.press("ArrowRight")
    assert told(page)["points"] == 23
    assert "about 26 s" in message.inner_text()
    page.evaluate("() => { window.sent = []; model.send = (text) => sent.push(text); }")
    page.locator("button[name=compute]").click()
    page.evaluate(SET, ["_progress", "3 of 23 rows, about 9 s left"])
    page.evaluate(SET, ["_computing", True])
    page.evaluate(PAINTED)
    assert message.inner_text() == "3 of 23 rows, about 9 s left"
    page.get_by_role("button", name="Stop").click()
    assert page.evaluate("() => sent") == ["compute", "stop"]
    page.evaluate(SET, ["_problem", "ValueError: too large"])
    page.evaluate(SET, ["_computing", False])
    page.evaluate(PAINTED)
    assert message.inner_text() == "It ended with ValueError: too large"


def test_rows_that_arrive_are_drawn(shown):
    part, whole = ({"net": {"a": surface(computed=rows)}} for rows in (3, None))
    page = shown(LossSurfaceExplorer(part))
    assert "partial, 3 of 9 rows are computed" in page.inner_text(".cnnviz-surface-words")
    before = page.evaluate(PICTURES)
    state = state_of(LossSurfaceExplorer(whole))
    page.evaluate(
        """([index, bytes]) => {
            window.state._numbers = new DataView(Uint8Array.from(bytes).buffer);
            model.set("_index", index);
        }""",
        [state["_index"], list(state["_numbers"])],
    )
    page.evaluate(PAINTED)
    assert "partial" not in page.inner_text(".cnnviz-surface-words")
    assert page.evaluate(PICTURES) != before


def test_the_page_from_disk_works_and_says_why_it_cannot_compute(page, tmp_path):
    widget = explorer()
    widget._seconds = 0.05
    page.goto(widget.to_html(tmp_path / "surface.html").as_uri())
    page.evaluate(PAINTED)
    page.locator(".cnnviz-surface-map").first.focus()
    page.keyboard.press("ArrowRight")
    page.evaluate(PAINTED)
    widget.alpha = 0.25
    assert page.get_attribute(".cnnviz-surface-stage", "aria-label") == widget.describe()
    assert page.locator("button[name=compute]").is_disabled()
    assert "needs Python" in page.inner_text(".cnnviz-surface-message")
