import pytest

from cnnviz.analysis.tradeoff import Network, Tradeoff
from cnnviz.figures import plot_tradeoff
from cnnviz.figures.tradeoff import LARGEST, SYMBOLS


def point(name, mult_adds, accuracy, parameters=10, family="plain"):
    return Network(name, family, parameters, mult_adds, accuracy, "table 1")


THREE = Tradeoff(
    (point("a", 10, 50), point("b", 1_000, 70, parameters=40), point("c", 1_000, 60, family="separable")), "accuracy"
)


def test_marks_stand_at_their_numbers_and_families_differ_in_more_than_colour():
    figure = plot_tradeoff(THREE)
    front, plain, separable = figure.data
    assert (list(front.x), list(front.y)) == ([10, 1_000], [50, 70])
    assert (list(plain.x), list(plain.y), list(separable.y)) == ([10, 1_000], [50, 70], [60])
    assert plain.marker.symbol != separable.marker.symbol
    assert figure.layout.xaxis.type == "log"


def test_areas_are_parameters_on_one_scale():
    _, plain, separable = plot_tradeoff(THREE).data
    assert list(plain.marker.size) == [10, 40]
    assert separable.marker.size[0] == pytest.approx(10 * SYMBOLS["circle"] / SYMBOLS[separable.marker.symbol])
    assert plain.marker.sizemode == separable.marker.sizemode == "area"
    assert plain.marker.sizeref == separable.marker.sizeref == 2 * 40 / LARGEST**2


def test_a_family_looks_the_same_in_every_picture():
    _, _, separable = plot_tradeoff(THREE).data
    _, alone = plot_tradeoff(Tradeoff((point("c", 1_000, 60, family="separable"),))).data
    assert (separable.marker.symbol, separable.marker.color) == (alone.marker.symbol, alone.marker.color)


def test_every_network_says_its_numbers_and_source_under_the_pointer():
    _, plain, _ = plot_tradeoff(THREE).data
    assert plain.hovertext[0] == "a: 50.0 %<br>0 million mult-adds, 0.0 million parameters<br>table 1"


def test_names_that_would_cover_each_other_stand_apart_or_are_left_out():
    crowd = Tradeoff(tuple(point(f"network {n}", 1_000 + n, 70 + n / 100) for n in range(12)))
    _, marks = plot_tradeoff(crowd).data
    shown = [place for name, place in zip(marks.text, marks.textposition, strict=True) if name]
    assert 0 < len(shown) < 12
    assert len(set(shown)) == len(shown)


def test_it_says_what_it_shows():
    assert plot_tradeoff(THREE).layout.meta == THREE.describe()


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no networks"):
        plot_tradeoff(Tradeoff(()))
