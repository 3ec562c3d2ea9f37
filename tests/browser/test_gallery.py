"""The explorers of feature maps and filters in the browser, with a stand-in for the kernel."""

import pytest
import torch
from torch import nn

from cnnviz.widgets.explorer import module
from cnnviz.widgets.feature_maps import FeatureMapExplorer

pytestmark = pytest.mark.browser


@pytest.fixture
def explorer():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3))
    return FeatureMapExplorer(model, torch.randn(2, 1, 12, 12), channel=4)


@pytest.fixture
def opened(page, explorer, tmp_path):
    page.goto(explorer.to_html(tmp_path / "page.html").as_uri())
    return page


def test_a_frame_and_the_click_inside_it_belong_to_the_same_value(import_module):
    page = import_module(module("gallery"))
    picks = [
        {"columns": 3, "tile": [4, 5], "gap": 1, "span": 1, "count": 8},
        {"columns": 4, "tile": [18, 12], "gap": 2, "span": 6, "count": 4},
    ]
    for pick in picks:
        found = page.evaluate(
            """(pick) => Array.from({ length: pick.count }, (_, value) => {
                const { x, y, width, height } = module.frame(pick, value);
                return [[x, y], [x + width - 0.1, y + height - 0.1]].map(([a, b]) => module.picked(pick, a, b));
            })""",
            pick,
        )
        assert found == [[value, value] for value in range(pick["count"])]


def test_a_click_on_a_free_place_picks_nothing(import_module):
    page = import_module(module("gallery"))
    pick = {"columns": 3, "tile": [4, 5], "gap": 1, "span": 1, "count": 8}
    assert page.evaluate("(pick) => module.picked(pick, 14, 12)", pick) is None


@pytest.mark.parametrize(("size", "scale"), [(28, 10), (300, 1), (600, 0.5)])
def test_values_become_squares_of_whole_pixels_unless_the_picture_must_shrink(import_module, size, scale):
    page = import_module(module("gallery"))
    assert page.evaluate("(n) => module.enlargement({ width: n, height: n, size: 300 })", size) == scale


def test_every_picture_has_an_alternative_text_and_the_root_says_the_numbers(opened, explorer):
    assert all(opened.locator("img").evaluate_all("(all) => all.map((one) => one.alt.length > 3)"))
    assert opened.locator(".cnnviz").get_attribute("aria-label") == explorer.describe()


def test_arrow_keys_move_the_frame_and_say_that_no_kernel_answers(opened):
    frame = opened.locator(".cnnviz-frame")
    before = frame.bounding_box()
    opened.locator("[name=channel]").press("ArrowRight")
    after = frame.bounding_box()
    assert after["x"] > before["x"]
    assert after["y"] == before["y"]
    opened.wait_for_function(
        "document.querySelector('.cnnviz-why[role=status]:not([id])').textContent.includes('no kernel')"
    )


def test_a_click_on_a_map_chooses_its_channel(opened):
    opened.locator(".cnnviz-pick").click(position={"x": 5, "y": 5})
    assert opened.locator("[name=channel]").input_value() == "0"


def test_every_input_keeps_its_arrow_keys_in_jupyterlab(opened):
    marks = opened.locator("input, select").evaluate_all("(all) => all.map((one) => one.dataset.lmSuppressShortcuts)")
    assert marks == ["true"] * 3
