"""PathLengthExplorer driven from Python: what it says, what follows from a control, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from traitlets import TraitError

from cnnviz.analysis.path_lengths import number_of_paths
from cnnviz.analysis.residual_paths import PathLengthProfile, PathSample, path_length_profile, sample_path_gradients
from cnnviz.models.resnet_cifar import ResNetCifar
from cnnviz.widgets import PathLengthExplorer
from cnnviz.widgets.path_lengths import quantity, share

NORM = np.array([[4.0, 1.0], [2.0, 2.0], [1.0, 3.0], [1.0, 2.0]])  # three blocks, two images
SHARE = np.array([[0.5, 0.1], [0.3, 0.2], [0.2, 0.4], [0.0, 0.3]])
SMALL = PathLengthProfile(NORM, SHARE, NORM / 2)
SAMPLE = PathSample(NORM[:, :1] / 4, NORM[:, :1] / 40, np.array([1, 2, 2, 1]))  # of the first image only


def profile(blocks, images):
    """A profile as deep as one likes, whose paths keep a fifth of the gradient in each block."""
    one = 0.2 ** np.arange(blocks + 1)[:, None] * np.linspace(1, 2, images)
    norm = one * number_of_paths(blocks)[:, None]
    return PathLengthProfile(norm, norm / norm.sum(0), one)


PROFILES = {
    "small": {"start": SMALL, "end": replace(SMALL, rms=np.full_like(NORM, np.nan))},
    "deep": {"start": profile(54, 3), "middle": profile(54, 3), "last": profile(54, 1)},
}


def explorer(**controls):
    return PathLengthExplorer(PROFILES, {"small": {"start": SAMPLE}}, **controls)


def controls_of(widget):
    return {name: getattr(widget, name) for name in widget.control_names()}


def test_it_begins_with_the_first_stage_of_the_first_network_where_the_contribution_is_largest():
    assert controls_of(explorer()) == {
        "network": "small", "stage": "start", "example": None, "length": 0, "logarithmic": False,
    }  # fmt: skip
    assert explorer(network="deep").length == profile(54, 1).exact.argmax()


def test_it_says_the_numbers_at_the_marked_length():
    shown = explorer(length=1)
    assert repr(shown) == shown.describe()
    assert shown.describe() == (
        "small, start, mean of 2 images: 3 blocks, 8 paths. Length 1: 3 of them (37.5 %). One path carries 0.5 ± 0.05 "
        "(mean of 2 drawn, first 1 images), 1 in the root mean square of all. Together they carry 25.0 % of the norms, "
        "25.0 % of the gradient, signed, 42.9 % by Veit's estimate. Lengths with 95 %: 0 to 3 of the norms; 0 to 3 of "
        "the gradient, signed; 0 to 3 by Veit's estimate."
    )
    shown.length, shown.example = 0, 0
    assert "image 1 of 2" in shown.describe()
    assert "One path carries 1 ± 0.1 (all of them), 2 in the root mean square of all." in shown.describe()
    assert "50.0 % of the norms, 50.0 % of the gradient, signed, 28.6 % by Veit's estimate" in shown.describe()
    assert "0 to 2 of the gradient, signed" in shown.describe()


def test_an_image_beyond_the_sample_has_no_estimate():
    assert "Veit" not in explorer(example=1).describe()
    assert "One path carries 0.5 in the root mean square of all." in explorer(example=1, length=0).describe()


def test_what_was_not_measured_is_said():
    text = explorer(stage="end").describe()
    assert "How strong one path is was not measured." in text
    assert "Veit" not in text


def test_what_has_no_gradient_has_nothing_to_share_out():
    norm, gone = NORM.copy(), SHARE.copy()
    norm[:, 1], gone[:, 1] = 0, np.nan
    shown = PathLengthExplorer({"net": {"start": PathLengthProfile(norm, gone, norm)}}, example=1)
    assert shown.describe().endswith("Its gradient is 0 or not a number: nothing to share out.")
    shown.example = None  # the other image alone
    assert "50.0 % of the norms" in shown.describe()
    dead = PathLengthExplorer({"net": {"start": PathLengthProfile(0 * norm, gone, 0 * norm)}})
    assert "nothing to share out" in dead.describe()


def test_lengths_that_cancel_each_other_have_no_range():
    cancelling = np.array([[0.5], [1.3], [-0.8], [0.0]])
    shown = PathLengthExplorer({"net": {"start": replace(SMALL, share=cancelling * [1, 1])}})
    assert "no range of the gradient, signed (80.0 % point the other way)" in shown.describe()


def test_the_lectures_range_is_named_where_there_are_54_blocks():
    shown = explorer(network="deep")
    held = profile(54, 1).exact[5:18].sum()
    assert f"Lengths 5 to 17, which the lectures name: {share(held)} of the norms" in shown.describe()
    assert "lectures" not in explorer().describe()


def test_the_numbers_of_a_real_network():
    torch.manual_seed(0)
    net, x, y = ResNetCifar(8).eval(), torch.randn(2, 3, 8, 8), torch.tensor([1, 2])
    found, sample = path_length_profile(net, x, y, n_signs=2), sample_path_gradients(net, x, y)
    shown = PathLengthExplorer({"net": {"start": found}}, {"net": {"start": sample}}, length=2)
    for fractions in (found.exact, found.signed, sample.product):
        assert share(fractions[2]) in shown.describe()
    for norms in (found.rms, sample.norm):
        assert quantity(norms[2].mean()) in shown.describe()


def test_another_network_keeps_what_exists_there_and_brings_the_rest_into_range():
    shown = explorer(network="deep", stage="start", example=2, length=40)
    shown.stage = "last"
    assert (shown.example, shown.length) == (0, 40)
    shown.example = None
    shown.network = "small"
    assert (shown.stage, shown.example, shown.length) == ("end", None, 3)  # the third of two stages
    shown.network = "deep"
    assert (shown.stage, shown.length) == ("middle", 3)  # the second
    shown.stage, shown.network = "start", "small"
    assert shown.stage == "start"


def test_what_is_set_together_keeps_what_it_was_set_to():
    shown = explorer(length=3)
    with shown.hold_trait_notifications():
        shown.length, shown.example, shown.stage, shown.network = 50, 2, "middle", "deep"
    assert (shown.network, shown.stage, shown.example, shown.length) == ("deep", "middle", 2, 50)
    with shown.hold_trait_notifications():
        shown.length, shown.network = 2, "small"
    assert (shown.network, shown.stage, shown.example, shown.length) == ("small", "end", 1, 2)


def test_what_the_browser_sends_is_taken_as_a_whole():
    shown, other = explorer(), explorer(network="deep", stage="middle", example=1, length=30, logarithmic=True)
    shown.set_state(other.get_state(shown.control_names()))
    assert controls_of(shown) == controls_of(other)
    assert shown.describe() == other.describe()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("network", "vgg"), r"network \(='vgg'\) must be one of 'small', 'deep'"),
        (("stage", "middle"), r"stage \(='middle'\) must be one of 'start', 'end'"),
        (("example", 2), r"example \(=2\) must lie in 0..1"),
        (("example", -1), r"example \(=-1\) must lie in 0..1"),
        (("length", 4), r"length \(=4\) must lie in 0..3"),
        (("length", -1), r"length \(=-1\) must lie in 0..3"),
        (("length", 1.5), "length"),
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
    with pytest.raises(TraitError, match="length"), shown.hold_trait_notifications():
        shown.network, shown.length = "deep", 99
    assert controls_of(shown) == before
    with pytest.raises(TraitError, match="network"), shown.hold_trait_notifications():
        shown.stage, shown.network, shown.length = "end", "vgg", 1
    assert controls_of(shown) == before


@pytest.mark.parametrize(
    ("profiles", "samples", "error", "message"),
    [
        ({}, None, ValueError, "there is nothing to show"),
        ({"net": {}}, None, ValueError, "there is nothing to show"),
        ({"net": {"a": 1}}, None, TypeError, r"profiles\['net'\]\['a'\] must be a PathLengthProfile, not int"),
        ({"net": {"a": SMALL}}, {"net": {"a": SMALL}}, TypeError, "must be a PathSample, not PathLengthProfile"),
        ({"net": {"a": SMALL, "b": profile(4, 2)}}, None, ValueError, r"same number of blocks .* not \[3, 4\]"),
        ({"net": {"a": SMALL}}, {"net": {"b": SAMPLE}}, ValueError, r"samples\['net'\]\['b'\] has no profile"),
        ({"net": {"a": profile(4, 2)}}, {"net": {"a": SAMPLE}}, ValueError, r"\(norm \[4, 1\]\) must have as many"),
        (
            {"net": {"a": replace(SMALL, norm=NORM[:, :1], share=SHARE[:, :1], rms=NORM[:, :1])}},
            {"net": {"a": PathSample(NORM, NORM, np.array([1, 2, 2, 1]))}},
            ValueError,
            r"no more images \(\[4, 1\]\)",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(profiles, samples, error, message):
    with pytest.raises(error, match=message):
        PathLengthExplorer(profiles, samples)


def test_arrays_travel_as_bytes_in_the_order_of_the_index():
    shown = explorer()
    assert [(one["network"], one["stage"]) for one in shown._index] == [
        (name, stage) for name, stages in PROFILES.items() for stage in stages
    ]
    assert shown._index[0] == {
        "network": "small", "stage": "start", "blocks": 3, "images": 2, "sampled": 1, "drawn": [1, 2, 2, 1],
    }  # fmt: skip
    numbers = np.frombuffer(shown._numbers, np.float64)
    first = np.concatenate([array.ravel() for array in (NORM, SHARE, NORM / 2, SAMPLE.norm, SAMPLE.standard_error)])
    np.testing.assert_array_equal(numbers[: len(first)], first)
    assert len(numbers) == len(first) + 3 * (4 * 2 + 2 * 55 * 3 + 55)


def test_numbers_in_words():
    values = [0, 0.5, 0.00123, 0.000999, 1e-7, -2.341e-9, 999_999, 1e6, 2.0**54]
    assert [quantity(value) for value in values] == [
        "0", "0.5", "0.00123", "9.99·10⁻⁴", "10⁻⁷", "-2.34·10⁻⁹", "999,999", "10⁶", "1.8·10¹⁶",
    ]  # fmt: skip
    assert [share(value) for value in (0, 1, 0.0123, -0.5, 1.23e-9)] == [
        "0.0 %", "100.0 %", "1.2 %", "-50.0 %", "1.2·10⁻⁷ %",
    ]  # fmt: skip
