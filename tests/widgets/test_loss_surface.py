"""LossSurfaceExplorer driven from Python: what it says, refuses, hands to the browser and computes."""

import numpy as np
import pytest
import torch
from torch import nn
from traitlets import TraitError

from cnnviz.analysis.directions import random_direction
from cnnviz.analysis.loss_surface import LossSurface, loss_surface
from cnnviz.analysis.trajectory import Trajectory
from cnnviz.widgets.explorer import IllegalSettingError
from cnnviz.widgets.loss_surface import LossSurfaceExplorer, number


def surface(top=8.0, rows=3, low=-1.0, high=1.0):
    """Three alphas, two betas."""
    loss = np.array([[4.0, 2.0], [0.5, 1.0], [3.0, top]])
    accuracy = np.array([[0.1, 0.2], [0.9, 0.8], [0.3, 0.1]])
    loss[rows:], accuracy[rows:] = np.nan, np.nan
    guesses = np.arange(12).reshape(3, 2, 2) % 3
    axes = np.linspace(low, high, 3), np.linspace(low, high, 2)
    return LossSurface(*axes, loss, accuracy, 0.1 * loss, guesses, np.array([1, 2]), {"network": "net"})


def path():
    coordinates, numbers = np.array([[1.0, 0.5], [0.0, 0.0]]), np.array([2.0, 0.0])
    return Trajectory(coordinates, numbers, 2 * numbers, np.array([np.inf, 0.5]), np.array([0.1, 0.9]), np.arange(2.0))


PLANES = {"deep": {"seed 0": surface(), "path": surface(low=-2, high=4)}, "plain": {"seed 0": surface(np.inf, rows=3)}}


def explorer(**controls):
    return LossSurfaceExplorer(PLANES, paths={"deep": {"path": path()}}, **controls)


def controls_of(widget):
    return {name: getattr(widget, name) for name in widget.control_names()}


def test_the_first_two_networks_stand_side_by_side_in_the_first_plane():
    shown = explorer()
    assert (shown.left, shown.right, shown.plane) == ("deep", "plain", "seed 0")
    alone = LossSurfaceExplorer({"deep": PLANES["deep"]})
    assert alone.left == alone.right == "deep"


def test_it_says_loss_accuracy_share_clipped_and_basin_of_both():
    shown = explorer(alpha=0.1, beta=-0.9, ceiling=3.5)
    assert repr(shown) == shown.describe()
    basin = PLANES["deep"]["seed 0"].basin_area()
    assert shown.describe() == (
        "deep, seed 0: loss 0.5 (± 0.05) and accuracy 90.0 % at alpha 0, beta -1; 33.3 % of the points above the "
        f"ceiling of 3.5 and clipped; below ln 10, the loss of guessing, in {100 * basin:.1f} % of the plane. "
        "plain, seed 0: loss 0.5 (± 0.05) and accuracy 90.0 % at alpha 0, beta -1; 33.3 % of the points above the "
        f"ceiling of 3.5 and clipped; below ln 10, the loss of guessing, in {100 * basin:.1f} % of the plane."
    )


def test_what_is_infinite_partial_or_missing_is_said():
    assert "16.7 % of the points infinite and clipped" in explorer().describe()
    part = LossSurfaceExplorer({"net": {"a": surface(rows=1)}}, alpha=1.0)
    assert part.describe() == "net, a: nothing computed at alpha 1, beta -1; partial, 1 of 3 rows are computed."
    assert "plain, path: not computed." in explorer(plane="path").describe()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("left", "vgg"), r"left \(='vgg'\) must be one of 'deep', 'plain'"),
        (("plane", "seed 9"), r"plane \(='seed 9'\) must be one of 'seed 0', 'path'"),
        (("ceiling", 0.0), r"ceiling \(=0.0\) must be a finite loss above 0"),
        (("ceiling", float("inf")), r"ceiling \(=inf\)"),
        (("azimuth", 181.0), r"azimuth \(=181\) must lie in -180..180"),
        (("elevation", 0.0), r"elevation \(=0\) must lie in 5..90"),
        (("cut", float("nan")), r"cut \(=nan\) must lie in 0..180"),
        (("alpha", 1.5), r"alpha \(=1.5\) must lie in -1..1"),
        (("beta", -2.0), r"beta \(=-2\) must lie in -1..1"),
        (("points", 4), r"points \(=4\) must lie in 5..101"),
        (("points", 20), r"points \(=20\) must be odd"),
        (("seed", -1), r"seed \(=-1\) must lie in 0..999"),
        (("logarithmic", "yes"), "logarithmic"),
    ],
)
def test_an_illegal_setting_raises_and_changes_nothing(change, message):
    shown = explorer()
    before = controls_of(shown)
    with pytest.raises(TraitError, match=message):
        setattr(shown, *change)
    assert controls_of(shown) == before
    with pytest.raises(TraitError, match=message):
        explorer(**dict([change]))


def test_several_settings_that_do_not_fit_all_go_back():
    shown = explorer()
    before = controls_of(shown)
    with pytest.raises(IllegalSettingError, match="alpha"), shown.hold_trait_notifications():
        shown.plane, shown.alpha = "path", 9.0
    assert controls_of(shown) == before


def test_the_marker_stays_on_the_surfaces_when_the_plane_changes():
    shown = explorer(plane="path", alpha=4.0, beta=-2.0)
    shown.plane = "seed 0"
    assert (shown.alpha, shown.beta) == (1, -1)


def test_what_the_browser_sends_is_taken_as_a_whole():
    shown, other = explorer(), explorer(plane="path", alpha=4.0, beta=2.5, ceiling=2.0, cut=30.0)
    shown.set_state(other.get_state(shown.control_names()))
    assert controls_of(shown) == controls_of(other)
    assert shown.describe() == other.describe()


def test_arrays_travel_as_bytes_in_the_order_of_the_index():
    shown = explorer()
    names = [(one["network"], one["plane"]) for one in shown._index]
    assert names == [("deep", "seed 0"), ("deep", "path"), ("plain", "seed 0")]
    numbers = np.frombuffer(shown._numbers, np.float32).reshape(3, 3, 3, 2)
    first = PLANES["deep"]["seed 0"]
    np.testing.assert_array_equal(numbers[0], np.float32([first.loss, first.accuracy, first.standard_error]))
    assert numbers[2, 0, 2, 1] == np.inf
    guesses = np.frombuffer(shown._predictions, np.uint16).reshape(3, 3, 2, 2)
    np.testing.assert_array_equal(guesses[0], first.predictions)
    assert shown._index[0]["labels"] == [1, 2]
    assert shown._index[1]["path"]["loss"] == [None, 0.5]  # JSON has no infinity


def test_images_are_handed_over_as_rgb():
    images = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 1, 3, 4)
    shown = explorer(images=images, labels=torch.tensor([1, 2]), class_names=("a", "b", "c"))
    pixels = np.frombuffer(shown._images, np.uint8).reshape(2, 3, 4, 3)
    np.testing.assert_array_equal(pixels, np.repeat(images.transpose(0, 2, 3, 1), 3, axis=3))
    assert shown._image_shape == [2, 3, 4]
    assert shown._image_labels == [1, 2]


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 3, 4, 4)), r"must be uint8 \[K, C, H, W\] with 1 or 3 channels, not float64 \[2, 3, 4, 4\]"),
        (np.zeros((2, 2, 4, 4), np.uint8), r"not uint8 \[2, 2, 4, 4\]"),
        (np.zeros((13, 1, 4, 4), np.uint8), "at most 12 images, the first of the data, not 13"),
    ],
)
def test_images_that_do_not_fit_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        explorer(images=images, labels=[0] * len(images))


def test_images_come_with_a_label_each():
    images = np.zeros((2, 1, 4, 4), np.uint8)
    with pytest.raises(ValueError, match="images and labels belong together"):
        explorer(images=images)
    with pytest.raises(ValueError, match="one for each of 2 images, not 3"):
        explorer(images=images, labels=[0, 1, 2])


def test_what_are_no_surfaces_is_refused():
    with pytest.raises(TypeError, match=r"surfaces\['net'\]\['a'\] must be a LossSurface, not int"):
        LossSurfaceExplorer({"net": {"a": 1}})
    with pytest.raises(TypeError, match=r"paths\['net'\]\['a'\] must be a Trajectory, not int"):
        LossSurfaceExplorer({"net": {"a": surface()}}, paths={"net": {"a": 1}})
    with pytest.raises(ValueError, match="there is no network"):
        LossSurfaceExplorer({})
    with pytest.raises(ValueError, match="networks and data belong together"):
        LossSurfaceExplorer({"net": {"a": surface()}}, networks={"net": nn.Flatten()})
    with pytest.raises(TypeError, match="has no control 'angle'"):
        explorer(angle=3)


def test_numbers_in_words():
    values = [0, 0.123456, 12.34, 999.4, 999.5, 12345.6, 1.5e-5, np.inf, np.nan, -0.5]
    words = ["0", "0.123", "12.3", "999", "1,000", "12,346", "1.5e-05", "infinite", "not a number", "-0.5"]
    assert [number(value) for value in values] == words
    assert number(120.0, 2) == "120"


def test_it_writes_a_page_of_its_own(tmp_path):
    page = explorer().to_html(tmp_path / "surface.html").read_text("utf-8")
    assert "<title>LossSurfaceExplorer</title>" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


# Computing


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.fails = False

    def forward(self, images):
        if self.fails:
            raise ArithmeticError("the learner's own mistake")
        return self.layer(images.flatten(1))


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(20, 1, 2, 2, generator=generator), torch.randint(0, 3, (20,), generator=generator)


@pytest.fixture
def networks():
    torch.manual_seed(0)
    return {"one": Linear(), "two": Linear()}


def test_a_computed_plane_is_loss_surfaces_and_is_shown(networks, data):
    shown = LossSurfaceExplorer({}, networks=networks, data=data, points=5, seed=3)
    assert shown.describe() == "one and two: no plane is computed yet."
    assert shown._seconds > 0
    shown.compute()
    plane = "random directions, seed 3, 5 x 5"
    assert (shown.plane, shown._computing, shown._progress, shown._problem) == (plane, False, "", "")
    generator, axis = torch.Generator().manual_seed(3), np.linspace(-1, 1, 5)
    directions = [random_direction(networks["two"], generator=generator) for _ in range(2)]
    expected = loss_surface(networks["two"], data, *directions, alphas=axis, betas=axis, progress=False)
    found = shown.surfaces["two"][plane]
    for name in ("alphas", "betas", "loss", "accuracy", "standard_error", "predictions", "labels"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-6)
    assert found.metadata["network"] == "two"
    assert found.metadata["seed"] == 3
    assert "fingerprint" not in found.metadata
    assert f"one, {plane}: loss" in shown.describe()


def test_rows_appear_as_they_come_and_stop_keeps_them(networks, data):
    shown = LossSurfaceExplorer({}, networks=networks, data=data, points=21)
    shown._seconds = 1.0  # as if it took long: two rows at a time
    seen = []

    def look(change):
        seen.append(change.new)
        if len(seen) == 3:
            shown.stop()

    shown.observe(look, "_progress")
    shown.compute()
    assert seen[0] == "starts"
    assert seen[1].startswith("3 of 21 rows, about")
    assert seen[2].startswith("5 of 21 rows, about")
    assert "partial, 5 of 21 rows are computed" in shown.describe()
    shown.compute()
    assert "partial" not in shown.describe()


def test_an_exception_is_shown_and_raised_and_leaves_everything_as_it_was(networks, data):
    shown = LossSurfaceExplorer({"one": {"a": surface()}}, networks=networks, data=data, points=5)
    before = controls_of(shown)
    networks["two"].fails = True
    with pytest.raises(ArithmeticError, match="the learner's own mistake"):
        shown.compute()
    assert "the learner's own mistake" in shown._problem
    assert (shown._computing, shown._progress) == (False, "")
    assert controls_of(shown) == before
    assert list(shown.surfaces["one"]) == ["a"]
    networks["two"].fails = False
    shown.compute()
    assert shown._problem == ""
    assert shown.plane == "random directions, seed 0, 5 x 5"


def test_the_button_computes_in_a_thread_of_its_own(networks, data, monkeypatch):
    started = []
    monkeypatch.setattr("cnnviz.widgets.loss_surface.threading.Thread", lambda **how: started.append(how) or Now(**how))
    shown = LossSurfaceExplorer({}, networks=networks, data=data, points=5)
    shown._handle_custom_msg("compute", [])
    assert started[0]["daemon"]
    assert shown.plane == "random directions, seed 0, 5 x 5"
    networks["one"].fails = True
    shown._handle_custom_msg("compute", [])  # nobody is there to catch it
    assert "the learner's own mistake" in shown._problem
    assert shown._computing is False


class Now:
    """A thread that runs at once."""

    def __init__(self, target, daemon):
        self.start = target


def test_nothing_is_computed_without_networks():
    with pytest.raises(ValueError, match="give networks and data"):
        explorer().compute()
    assert explorer()._seconds == 0


def test_only_one_plane_is_computed_at_a_time(networks, data):
    shown = LossSurfaceExplorer({}, networks=networks, data=data)
    shown._computing = True
    with pytest.raises(ValueError, match="a plane is being computed"):
        shown.compute()
