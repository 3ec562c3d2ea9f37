from dataclasses import replace

import numpy as np
import pytest

from cnnviz.analysis.lesion import LesionStudy
from cnnviz.figures import plot_lesions

STUDY = LesionStudy(
    error=0.1,
    single=np.array([0.12, 0.3, 0.11, 0.15]),
    reshapes=np.array([False, True, False, False]),
    deleted=np.array([1, 3]),
    several=np.array([[0.2, 0.1, 0.4], [0.5, 0.9, 0.6]]),
    swaps=np.array([1, 2]),
    tau=np.array([[1.0, 0.9], [0.5, 0.25]]),
    swapped=np.array([[0.1, 0.2], [0.3, 0.75]]),
    images=100,
)
NONE = {"deleted": np.zeros(0, int), "several": np.zeros((0, 3))}
NO_SWAPS = {"swaps": np.zeros(0, int), "tau": np.zeros((0, 2)), "swapped": np.zeros((0, 2))}
PLAIN = replace(STUDY, error=0.2, single=np.array([0.8, np.nan, 0.9, 0.85]), **NONE, **NO_SWAPS)


def of(figure, name, column):
    """The traces of a network in a panel: 1 above, 2 and 3 below."""
    axes = {1: (None, "x"), 2: ("x2",), 3: ("x3",)}[column]
    return [one for one in figure.data if one.legendgroup == name and one.xaxis in axes]


def test_every_block_has_the_error_without_it_and_the_whole_network_a_dashed_line():
    single, whole = of(plot_lesions({"net": STUDY}), "net", 1)
    assert list(single.x) == [1, 2, 3, 4]
    np.testing.assert_allclose(single.y, [12, 30, 11, 15])
    assert list(whole.y) == [10, 10]
    assert whole.line.dash == "dash"
    assert whole.name == "net, whole: 10.0%"


def test_blocks_that_halve_the_size_have_another_symbol_and_words():
    figure = plot_lesions({"net": STUDY})
    single, _ = of(figure, "net", 1)
    symbols = list(single.marker.symbol)
    assert symbols[1] not in symbols[::2]
    assert symbols[0] == symbols[2] == symbols[3]
    assert [text.endswith("changes the shape") for text in single.hovertext] == [False, True, False, False]
    [named] = [one for one in figure.data if one.name == "block that changes the shape"]
    assert named.marker.symbol == symbols[1]
    plain = plot_lesions({"net": replace(STUDY, reshapes=np.zeros(4, bool))})
    assert "block that changes the shape" not in [one.name for one in plain.data]


def test_blocks_that_cannot_be_deleted_are_left_out_and_said():
    figure = plot_lesions({"net": STUDY, "plain": PLAIN})
    single, _ = of(figure, "plain", 1)
    assert list(single.x) == [1, 3, 4]
    np.testing.assert_allclose(single.y, [80, 90, 85])
    words = "plain: block 2 cannot be deleted, nothing else makes the shape that follows"
    assert figure.layout.title.text == words
    assert figure.layout.meta == f"net: {STUDY.describe()} plain: {PLAIN.describe()} {words}."
    two = replace(PLAIN, single=np.array([np.nan, np.nan, 0.9, 0.85]))
    assert "blocks 1, 2 cannot" in plot_lesions({"plain": two}).layout.title.text


def test_several_deleted_blocks_have_the_median_in_a_band_of_all_draws_from_none_on():
    band, median = of(plot_lesions({"net": STUDY}), "net", 2)
    assert list(median.x) == [0, 1, 3]
    np.testing.assert_allclose(median.y, [10, 20, 60])
    assert list(band.x) == [0, 1, 3, 3, 1, 0]
    np.testing.assert_allclose(band.y, [10, 10, 50, 90, 40, 10])
    assert band.fill == "toself"


def test_every_order_is_a_point_over_kendalls_tau():
    figure = plot_lesions({"net": STUDY})
    [points] = of(figure, "net", 3)
    assert list(points.x) == [1, 0.9, 0.5, 0.25]
    np.testing.assert_allclose(points.y, [10, 20, 30, 75])
    assert figure.layout.xaxis3.autorange == "reversed"


@pytest.mark.parametrize(
    ("without", "titles"),
    [
        ({}, ["Without one block", "Without several, drawn at random", "In another order"]),
        (NONE, ["Without one block", "In another order"]),
        (NO_SWAPS, ["Without one block", "Without several, drawn at random"]),
        (NONE | NO_SWAPS, ["Without one block"]),
    ],
)
def test_what_was_not_measured_has_no_panel(without, titles):
    figure = plot_lesions({"net": replace(STUDY, **without)})
    assert [note.text for note in figure.layout.annotations] == titles
    assert len(figure.layout.title.text) == 0


def test_networks_differ_in_colour_and_symbol_and_stand_once_in_the_legend():
    names = ["one", "two", "three", "four", "five", "six"]
    six = plot_lesions(dict.fromkeys(names, STUDY))
    singles = [of(six, name, 1)[0] for name in names]
    assert len({single.marker.color for single in singles}) == len({single.marker.symbol[0] for single in singles}) == 6
    figure = plot_lesions({"one": STUDY, "two": STUDY})
    shown = [one.name for one in figure.data if one.showlegend is not False]
    assert shown == ["one", "one, whole: 10.0%", "two", "two, whole: 10.0%", "block that changes the shape"]


@pytest.mark.parametrize("count", [0, 7])
def test_no_network_or_more_than_there_are_colours_for_are_refused(count):
    with pytest.raises(ValueError, match=f"there are {count} studies to draw; 1 to 6 can be told apart"):
        plot_lesions({str(number): STUDY for number in range(count)})
