"""ConvolutionExplorer driven from Python: what follows from a control, what is refused, what torch says."""

import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from traitlets import TraitError

from cnnviz.analysis.convolution import KINDS
from cnnviz.widgets.convolution import ConvolutionExplorer
from cnnviz.widgets.explorer import IllegalSettingError


def state_of(explorer):
    """Everything that the browser would be told."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in ((name, getattr(explorer, name)) for name in explorer.control_names())
    }


def run_code(code):
    """What the copied PyTorch code computes."""
    names = {}
    exec(code, names)
    return names["y"][0].double().numpy()


controls = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(KINDS),
        "source": st.sampled_from(["numbers", "digit", "photo", "colour photo"]),
        "input_size": st.integers(1, 9),
        "kernel_size": st.integers(1, 5),
        "stride": st.integers(1, 4),
        "padding": st.one_of(st.integers(0, 3), st.sampled_from(["valid", "same", "full"])),
        "padding_mode": st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]),
        "dilation": st.integers(1, 3),
        "output_padding": st.sampled_from([0, 0, 1]),
        "global_pooling": st.sampled_from([False, False, True]),
        "out_channels": st.integers(1, 3),
    }
)


@settings(max_examples=150)
@given(controls)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_every_legal_explorer_agrees_with_its_own_steps_and_with_the_code_it_copies(chosen):
    try:
        explorer = ConvolutionExplorer(**chosen, bias=[0.5])
    except IllegalSettingError:
        assume(False)  # hypothesis complains if hardly any is legal
    output = explorer.output if explorer.output.ndim == 3 else explorer.output[None]
    np.testing.assert_allclose(output, explorer.steps.output, atol=1e-9)
    np.testing.assert_allclose(run_code(explorer.code), output, rtol=1e-4, atol=1e-3)


def test_a_control_is_a_trait_and_the_output_follows():
    explorer = ConvolutionExplorer(input_size=3, kernel_size=2, kernels=["numbers"])
    np.testing.assert_array_equal(explorer.output, [[19, 25], [37, 43]])
    explorer.bias = [1]
    np.testing.assert_array_equal(explorer.output, [[20, 26], [38, 44]])
    explorer.input_size = 5
    explorer.stride = 3
    assert explorer.output.shape == (2, 2)


@pytest.mark.parametrize(
    ("start", "change", "message"),
    [
        ({}, ("stride", 0), r"stride=0 must lie in 1\.\.5"),
        ({"input_size": 4}, ("kernel_size", 5), "reaches over 5 pixels but the padded input has only 4"),
        ({"padding": "same"}, ("stride", 2), '"same" needs stride 1, got stride=2'),
        ({"stride": 2}, ("padding", "same"), '"same" needs stride 1, got stride=2'),
        ({"padding_mode": "reflect", "input_size": 3}, ("padding", 3), "at most 2 pixels to an axis of 3"),
        ({"mode": "max pooling"}, ("padding", 2), r"padding \(=2\) must be at most half of kernel_size \(=3\)"),
        ({"mode": "max pooling"}, ("padding_mode", "reflect"), "max pooling has neither padding_mode"),
        ({"dilation": 2}, ("mode", "average pooling"), "average pooling has no dilation"),
        ({"dilation": 2}, ("mode", "L2-norm pooling"), "L2-norm pooling has no dilation"),
        ({"mode": "L2-norm pooling"}, ("padding", 1), "L2-norm pooling has no padding, got padding=1"),
        ({}, ("global_pooling", True), "belongs to pooling, not to convolution; choose a pooling mode first"),
        ({"mode": "max pooling", "global_pooling": True}, ("mode", "convolution"), "belongs to pooling"),
        ({"padding": "full"}, ("mode", "max pooling"), "pooling takes padding as one number"),
        ({}, ("output_padding", 1), "belongs to transposed convolution"),
        ({"mode": "transposed convolution"}, ("output_padding", 1), "must be smaller than stride"),
        ({"mode": "transposed convolution"}, ("padding_mode", "reflect"), "pads with zeros only"),
        ({"mode": "transposed convolution", "input_size": 16, "kernel_size": 7}, ("stride", 5), "can be drawn"),
        ({}, ("input", [[1, 2], [3, 4]]), "reaches over 3 pixels"),
        ({}, ("input", np.ones((2, 5, 5))), "C 1 or 3"),
        ({}, ("input", [[1, 2], [3]]), "numbers of equal row length"),
        ({}, ("input", np.full((5, 5), np.nan)), "finite numbers"),
        ({}, ("weight", np.ones((1, 2, 3, 3))), "C 1 or 3"),
        ({}, ("weight", np.ones((1, 3, 3, 3))), "is for 3 channels, the input has 1"),
        ({}, ("weight", np.ones((4, 1, 3, 3))), r"out_channels=4 must lie in 1\.\.3"),
        ({}, ("kernels", ["sobel z"]), "there is no kernel 'sobel z'; choose from numbers, identity"),
        ({}, ("step", -1), r"step=-1 must lie in 0\.\.24"),
        ({}, ("step", 25), r"step=25 must lie in 0\.\.24"),
        ({"out_channels": 2}, ("filter", 2), r"filter=2 must lie in 0\.\.1"),
        ({}, ("bias", [1, 2]), "bias has 2 values, but out_channels=1"),
        ({}, ("kernels", ["box", "edited"]), "that has no weight"),
        ({}, ("kernels", ["box"] * 4), r"out_channels=4 must lie in 1\.\.3"),
        ({}, ("input", None), "input must"),
        ({}, ("weight", None), "weight must"),
        ({}, ("bias", None), "bias must"),
        ({}, ("kernels", None), "kernels must be"),
        ({}, ("mode", "median pooling"), "median pooling"),
        ({}, ("stride", "2"), "stride"),
    ],
)
def test_an_illegal_setting_raises_and_leaves_the_widget_as_it_was(start, change, message):
    explorer = ConvolutionExplorer(**start)
    before = state_of(explorer)
    with pytest.raises(TraitError, match=message):
        setattr(explorer, *change)
    assert state_of(explorer) == before


def test_an_illegal_combination_set_at_once_is_rolled_back_whole():
    explorer = ConvolutionExplorer()
    before = state_of(explorer)
    with pytest.raises(IllegalSettingError):
        explorer.set_state({"stride": 2, "padding": "same"})
    assert state_of(explorer) == before


def test_a_legal_combination_whose_halves_are_illegal_can_be_set_at_once():
    explorer = ConvolutionExplorer(input_size=4)
    with explorer.hold_trait_notifications():
        explorer.kernel_size = 6
        explorer.padding = 1
    assert explorer.output.shape == (1, 1)


def test_an_unknown_control_is_a_type_error_that_names_it():
    with pytest.raises(TypeError, match=r"ConvolutionExplorer has no control 'strides'; it has bias, dilation"):
        ConvolutionExplorer(strides=2)


@pytest.mark.parametrize(
    ("controls", "message"),
    [
        ({"source": "own"}, "needs an input"),
        ({"source": "photo", "input": np.ones((5, 5))}, "source='photo' does not fit"),
        ({"input_size": 3, "input": np.ones((5, 5))}, "input_size=3 does not fit what was given with it, which has 5"),
        ({"out_channels": 1, "weight": np.ones((2, 1, 3, 3))}, "out_channels=1 does not fit"),
        ({"kernel_size": 5, "weight": np.ones((1, 1, 3, 3))}, "kernel_size=5 does not fit"),
        ({"kernels": ["edited"]}, "that has no weight"),
    ],
)
def test_controls_that_contradict_each_other_are_refused_from_the_start(controls, message):
    with pytest.raises(IllegalSettingError, match=message):
        ConvolutionExplorer(**controls)


def test_an_array_cannot_be_changed_behind_the_back_of_the_picture():
    explorer = ConvolutionExplorer()
    for array in (explorer.input, explorer.weight, explorer.bias):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 7


def test_an_illegal_setting_points_to_the_learners_line_in_a_short_traceback():
    explorer = ConvolutionExplorer()
    for call in (lambda: setattr(explorer, "stride", 0), lambda: ConvolutionExplorer(padding="same", stride=2)):
        with pytest.raises(IllegalSettingError) as refused:
            call()
        assert len(refused.traceback) <= 4  # this test, the lambda, and no more than two of ours
        assert refused.value.__suppress_context__


def test_a_browser_message_during_a_cell_finds_the_explorer_whole():
    explorer = ConvolutionExplorer(input_size=9)
    errors = []

    def browser():
        for index in range(150):
            try:
                explorer.set_state({"out_channels": 1 + index % 3, "input_size": 7 + index % 3})
            except Exception as error:  # any error of the other thread is the failure that is looked for
                errors.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread = threading.Thread(target=browser)
    thread.start()
    try:
        for index in range(150):
            explorer.kernel_size = 2 + index % 3
            assert explorer.output.shape[-1] >= 1
    finally:
        thread.join()
        sys.setswitchinterval(interval)
    assert errors == []


def test_the_learners_own_arrays_imply_sizes_channels_and_names():
    explorer = ConvolutionExplorer(input=np.arange(48).reshape(3, 4, 4), weight=np.ones((2, 3, 2, 2)))
    assert (explorer.source, explorer.input_size, explorer.kernel_size, explorer.out_channels) == ("own", 4, 2, 2)
    assert explorer.kernels == ["edited", "edited"]
    assert explorer.output.shape == (2, 3, 3)
    explorer.input_size = 5
    np.testing.assert_array_equal(explorer.input[:, :4, :4], np.arange(48).reshape(3, 4, 4))
    assert not explorer.input[:, 4].any()


def test_an_edited_weight_survives_other_sizes_in_the_middle_of_the_kernel():
    explorer = ConvolutionExplorer(kernels=["identity"])
    explorer.weight = explorer.weight + 1
    assert explorer.kernels == ["edited"]
    explorer.kernel_size = 5
    np.testing.assert_array_equal(explorer.weight[0, 0, 1:4, 1:4], [[1, 1, 1], [1, 2, 1], [1, 1, 1]])
    assert explorer.weight.sum() == 10
    explorer.kernel_size = 4  # an even kernel has its centre above and left of the middle
    np.testing.assert_array_equal(explorer.weight[0, 0, :3, :3], [[1, 1, 1], [1, 2, 1], [1, 1, 1]])
    explorer.kernels = ["box"]
    np.testing.assert_allclose(explorer.weight, 1 / 16)


def test_more_filters_get_presets_of_their_own_and_fewer_keep_the_first():
    explorer = ConvolutionExplorer(kernels=["sobel x"], out_channels=3)
    assert explorer.kernels[0] == "sobel x"
    assert len(set(explorer.kernels)) == 3
    explorer.filter = 2
    explorer.out_channels = 1
    assert (explorer.kernels, explorer.filter) == (["sobel x"], 0)


def test_what_the_browser_sends_is_taken_as_a_whole_and_changes_nothing_else():
    explorer = ConvolutionExplorer()
    other = ConvolutionExplorer(source="photo", kernel_size=5, padding=2, kernels=["box"])
    explorer.set_state(other.get_state(other.control_names()))
    assert state_of(explorer) == state_of(other)


def test_the_description_is_the_repr_and_names_the_leftover():
    explorer = ConvolutionExplorer(stride=3)
    assert repr(explorer) == explorer.describe()
    assert explorer.describe() == (
        "Convolution: a 3 x 3 window with stride 3, padding 0 and dilation 1 over an input of 1 x 7 x 7 gives "
        "1 x 2 x 2 in 4 steps. Left over at the end: 1 of each axis."
    )


def test_pooling_says_what_it_throws_away():
    explorer = ConvolutionExplorer(mode="max pooling", input_size=12, kernel_size=2, stride=2)
    explorer.input = np.arange(144.0).reshape(12, 12)
    assert explorer.describe().endswith(
        "144 numbers in, 36 out: 75 % fewer. 108 of the 144 are the largest of no window."
    )
    explorer.kernel_size = 1
    explorer.stride = 3
    assert explorer.describe().endswith(
        "144 numbers in, 16 out: 88.9 % fewer. 128 of the 144 are the largest of no window."
    )
    explorer.mode = "average pooling"
    assert explorer.describe().endswith("88.9 % fewer. 128 of the 144 lie in no window.")


def test_global_pooling_is_one_window_whatever_the_sliders_say():
    explorer = ConvolutionExplorer(mode="average pooling", source="photo", input_size=16, kernel_size=2, stride=2)
    explorer.global_pooling = True
    assert explorer.output.shape == (1, 1)
    assert explorer.output.item() == explorer.input.mean()
    assert explorer.code.endswith("y = F.adaptive_avg_pool2d(x, output_size=1)")
    assert explorer.describe().startswith("Global average pooling: a 16 x 16 window")
    explorer.mode = "L2-norm pooling"
    assert explorer.output.item() == pytest.approx(np.sqrt((explorer.input**2).sum()))
    explorer.global_pooling = False
    assert explorer.output.shape == (8, 8)


def test_the_page_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    explorer = ConvolutionExplorer()
    page = explorer.to_html(tmp_path / "page.html")
    first = page.read_text("utf-8")
    assert "http" not in first.replace("http://www.w3.org/2000/svg", "")  # a name, not an address to be fetched
    monkeypatch.setattr(ConvolutionExplorer, "_page", lambda self: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        explorer.to_html(page)
    assert page.read_text("utf-8") == first
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    with pytest.raises(OSError, match="choose another folder"):
        explorer.to_html(tmp_path / "missing" / "page.html")


def test_the_explorer_leaves_torchs_random_state_alone():
    state = torch.random.get_rng_state()
    assert ConvolutionExplorer(source="colour photo").output.shape == (5, 5)
    assert torch.equal(torch.random.get_rng_state(), state)
