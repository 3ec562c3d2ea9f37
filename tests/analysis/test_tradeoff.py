import pytest

from cnnviz.analysis import Tradeoff, layer_table, network, tradeoff
from cnnviz.analysis.tradeoff import FAMILIES, Network
from cnnviz.datasets import published
from cnnviz.models import create_model


def point(name, mult_adds, accuracy):
    return Network(name, "plain", 10, mult_adds, accuracy, "nowhere")


def test_costs_are_counted_and_an_error_is_taken_from_100():
    accuracy = published("mobilenet", "top-1 accuracy, imagenet, width 0.25")[0]
    one = network(accuracy, "thin", width=0.25)
    table = layer_table(create_model("mobilenet", width=0.25))
    assert (one.name, one.family, one.accuracy) == ("thin", "separable", accuracy.value)
    assert (one.parameters, one.mult_adds) == (table.parameters, table.mult_adds)
    assert "Howard et al. 2017" in one.source
    [alexnet] = tradeoff(published("alexnet_two_groups", "top-1 error, ilsvrc-2012 validation")).networks
    assert alexnet.accuracy == pytest.approx(59.3)


def test_the_front_is_what_no_other_beats():
    names = {"cheap": (1, 50), "beaten": (2, 40), "as good for more": (3, 50), "good": (3, 60), "waste": (9, 60)}
    found = Tradeoff(tuple(point(name, *at) for name, at in names.items())).front
    assert [one.name for one in found] == ["cheap", "good"]


def test_it_says_all_its_numbers():
    text = repr(Tradeoff((point("a", 2_000_000, 50), point("b", 1_000_000, 60)), "accuracy"))
    assert text == (
        "accuracy. a: 50.0 %, 2 million mult-adds, 0.0 million parameters. "
        "b: 60.0 %, 1 million mult-adds, 0.0 million parameters. Beaten by none: b."
    )


def test_a_number_that_is_no_percentage_is_refused():
    with pytest.raises(ValueError, match="counted in percent, not in million"):
        network(published("mobilenet", "parameters, as printed")[0])


def test_every_network_with_a_published_accuracy_on_imagenet_has_a_family():
    models = {row.model for row in published() if row.quantity.startswith("top-1")}
    assert all(model.startswith(tuple(FAMILIES)) for model in models - {"senet"})
