from pathlib import Path

import numpy as np
import pytest

from cnnviz.analysis.path_lengths import number_of_paths
from cnnviz.analysis.residual_paths import PathLengthProfile, PathSample
from cnnviz.figures import plot_path_lengths
from cnnviz.figures.path_lengths import LECTURES, against, signed_band

LECTURE_NUMBERS = Path(__file__).parents[2] / "data/reference/lectures.csv"
NORM = np.array([[4.0, 1.0], [2.0, 2.0], [1.0, 3.0], [1.0, 2.0]])  # three blocks, two images
SHARE = np.array([[0.5, 0.1], [0.3, 0.2], [0.2, 0.4], [0.0, 0.3]])
PROFILE = PathLengthProfile(NORM, SHARE, NORM / 2)
SAMPLE = PathSample(NORM / 4, NORM / 40, np.array([1, 2, 2, 1]))


def traces(figure, row):
    """The traces of a panel by name."""
    axis = {1: None, 2: "x2", 3: "x3"}[row]
    return {one.name: one for one in figure.data if one.xaxis in ((None, "x") if axis is None else (axis,))}


def test_the_first_panel_has_the_binomial_coefficients_as_a_share_of_all():
    [bars] = traces(plot_path_lengths(PROFILE, SAMPLE), 1).values()
    assert list(bars.x) == [0, 1, 2, 3]
    assert list(bars.y) == [1 / 8, 3 / 8, 3 / 8, 1 / 8]


def test_the_second_has_the_mean_norm_with_its_error_and_the_root_mean_square():
    panel = traces(plot_path_lengths(PROFILE, SAMPLE), 2)
    sampled, rms = panel["sampled paths, mean"], panel["all paths, root mean square"]
    assert list(sampled.y) == [0.625, 0.5, 0.5, 0.375]
    np.testing.assert_allclose(sampled.error_y.array, [0.0625, 0.05, 0.05, 0.0375])
    assert list(rms.y) == [1.25, 1, 1, 0.75]
    assert plot_path_lengths(PROFILE, SAMPLE).layout.yaxis2.type == "log"


def test_the_third_has_what_is_carried_and_the_range_with_95_percent_of_each():
    panel = traces(plot_path_lengths(PROFILE, SAMPLE), 3)
    np.testing.assert_allclose(panel["exact, of the norms"].y, [(4 + 1) / 16, 4 / 16, 4 / 16, 3 / 16])
    np.testing.assert_allclose(panel["exact, of the gradient, signed"].y, [0.3, 0.25, 0.3, 0.15])
    estimate = np.array([[4, 6, 3, 1], [1, 6, 9, 2]]).T
    np.testing.assert_allclose(panel["number × one path (Veit et al.)"].y, (estimate / [14, 18]).mean(1))
    brackets = [(name, tuple(one.x)) for name, one in panel.items() if name.startswith("95 %")]
    assert brackets == [
        (f"95 % {what}: lengths 0 to 3", (-0.4, 3.4))
        for what in ("of the norms", "of the gradient, signed", "of number × one path")
    ]


def test_the_words_are_those_of_profile_and_sample():
    assert plot_path_lengths(PROFILE, SAMPLE).layout.meta == f"{PROFILE.describe()} {SAMPLE.describe()}"
    assert plot_path_lengths(PROFILE, name="net").layout.meta == PROFILE.describe()
    assert plot_path_lengths(PROFILE, name="net").layout.title.text == "net"


def test_what_was_not_measured_is_said_and_the_rest_is_drawn():
    bare = PathLengthProfile(NORM, SHARE, np.full_like(NORM, np.nan))
    figure = plot_path_lengths(bare)
    assert "not measured" in [note.text for note in figure.layout.annotations]
    assert len(traces(figure, 3)) == 4  # two shares, two ranges
    for profile, sample in ((PROFILE, None), (bare, SAMPLE)):
        assert "not measured" not in [note.text for note in plot_path_lengths(profile, sample).layout.annotations]


def test_a_norm_of_zero_has_no_place_on_the_logarithmic_axis():
    norm = NORM.copy()
    norm[1] = 0
    figure = plot_path_lengths(PROFILE, PathSample(norm, 0 * norm, np.array([1, 2, 2, 1])))
    assert list(traces(figure, 2)["sampled paths, mean"].y) == [2.5, None, 2, 1.5]


def test_the_lectures_range_stands_where_there_are_54_blocks_only():
    norm = number_of_paths(54)[:, None] * 0.2 ** np.arange(55)[:, None]
    wide = plot_path_lengths(PathLengthProfile(norm, norm / norm.sum(), norm))
    assert {(shape.x0, shape.x1) for shape in wide.layout.shapes} == {(4.5, 17.5)}
    assert len(wide.layout.shapes) == 3
    assert "lectures: 5 to 17 of 54" in [note.text for note in wide.layout.annotations]
    assert not plot_path_lengths(PROFILE).layout.shapes


def test_the_range_is_the_one_that_the_lectures_print():
    [printed] = [line for line in LECTURE_NUMBERS.read_text("utf-8").splitlines() if line.startswith("B07,")]
    blocks, low, high = LECTURES
    assert f"{blocks} residual connections" in printed
    assert f",{low}-{high},path length" in printed


def test_shares_that_cancel_have_no_range():
    assert signed_band(np.array([0.02, 0.5, 0.46, 0.02])) == (1, 2)
    cancelling = np.array([0.5, 1.3, -0.8])
    assert signed_band(cancelling) is None
    assert against(cancelling) == pytest.approx(0.8)
    assert against(np.array([0.5, 0.5])) == 0
    figure = plot_path_lengths(PathLengthProfile(NORM[:3], cancelling[:, None] * [1, 1], NORM[:3]))
    assert "of the gradient, signed: no range has 95 %, 80.0% point the other way" in traces(figure, 3)


def test_a_sample_of_another_network_is_refused():
    with pytest.raises(ValueError, match=r"profile \(3 blocks\) and sample \(2 blocks\)"):
        plot_path_lengths(PROFILE, PathSample(NORM[:3], NORM[:3], np.array([1, 2, 1])))
