from types import SimpleNamespace

import pytest

from cnnviz.figures import plot_growth, plot_signals

SOUND = SimpleNamespace(layers=("a", "b"), activation_std=(1.0, 0.5), gradient_std=(0.1, 0.2))
DEAD = SimpleNamespace(layers=("a", "b"), activation_std=(0.01, 0.0), gradient_std=(float("nan"), 0.2))


def test_every_layer_has_its_place_and_every_network_a_line_of_its_own():
    sound, dead = plot_signals({"sound": SOUND, "dead": DEAD}).data
    assert (list(sound.x), list(sound.y), list(sound.text)) == ([1, 2], [1.0, 0.5], ["a", "b"])
    assert (sound.name, dead.name) == ("sound", "dead")
    assert (sound.line.color, sound.line.dash, sound.marker.symbol) != (
        dead.line.color, dead.line.dash, dead.marker.symbol,
    )  # fmt: skip


@pytest.mark.parametrize(("quantity", "drawn"), [("activation_std", (0.01, None)), ("gradient_std", (None, 0.2))])
def test_what_has_no_place_on_a_logarithmic_axis_is_a_gap(quantity, drawn):
    assert plot_signals({"dead": DEAD}, quantity).data[0].y == drawn


def test_it_says_its_numbers():
    text = plot_signals({"sound": SOUND}).layout.meta
    assert text == "Deviation of the activations, from the first layer to the last: sound 1 to 0.5."


def test_the_growth_of_maps_is_drawn_and_told_in_the_same_way():
    figure = plot_growth({"one": {"a": 2.0, "b": 40.0}, "other": {f"layer {n}": 1.5**n for n in range(1, 56)}})
    assert figure.data[0].y == (2.0, 40.0)
    assert figure.data[1].text[0] == "layer 1"
    text = figure.layout.meta
    assert text.startswith("Maps, times as large as before the step, from the first layer to the last: one 2 to 40; ")


@pytest.mark.parametrize(("last", "ticks"), [(31.0, "D2"), (32.0, 1), (1e12, 1), (1e13, 2)])
def test_an_axis_of_few_decades_has_ticks_between_the_powers_of_ten_and_one_of_many_leaves_some_out(last, ticks):
    assert plot_growth({"one": {"a": 1.0, "b": last}}).layout.yaxis.dtick == ticks


def test_another_quantity_is_refused():
    with pytest.raises(ValueError, match=r"quantity \(='silent'\) must be one of activation_std, "):
        plot_signals({}, "silent")
