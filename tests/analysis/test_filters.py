from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.analysis.filters import filters


def records(count):
    return [
        SimpleNamespace(epoch=epoch, filters={"c1": torch.full((2, 1, 3, 3), 1.0 + epoch)}) for epoch in range(count)
    ]


def test_every_convolution_of_a_model_is_there_and_is_a_copy():
    model = nn.Sequential(nn.Conv2d(3, 4, 5), nn.ReLU(), nn.Sequential(nn.Conv2d(4, 6, 3, groups=2)), nn.Linear(1, 1))
    found = filters(model)
    assert {name: found[name].shape for name in found.names} == {"0": (1, 4, 3, 5, 5), "2.0": (1, 6, 2, 3, 3)}
    before = found["0"].copy()
    nn.init.zeros_(model[0].weight)
    np.testing.assert_array_equal(found["0"], before)
    assert found.epochs == ()


def test_a_convolution_of_ones_own_counts_and_a_transposed_one_does_not():
    from cnnviz.models.lenet import lenet5_1998

    assert filters(lenet5_1998()).names == ("c1", "c3", "c5")
    assert filters(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ConvTranspose2d(2, 1, 3))).names == ("0",)


def test_records_give_one_state_an_epoch():
    found = filters(records(3))
    assert found["c1"].shape == (3, 2, 1, 3, 3)
    assert found.epochs == (0, 1, 2)
    np.testing.assert_array_equal(found["c1"][2], np.full((2, 1, 3, 3), 3.0))


def test_change_is_measured_in_lengths_of_the_first_filter():
    np.testing.assert_allclose(filters(records(3)).change("c1"), [[0, 0], [1, 1], [2, 2]], rtol=1e-6)


def test_a_run_is_as_good_as_its_records():
    run = SimpleNamespace(records=records(2))
    assert filters(run).describe() == "Filters, epochs 0 to 1: c1 2 of 1 x 3 x 3, moved by 100% of their length."


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (nn.Linear(2, 2), "Linear has no 2-D convolution"),
        ([], "is empty; train first"),
        ([SimpleNamespace(epoch=0, filters={})], r"kept no filters; name layers: fit\(..., keep_filters="),
    ],
)
def test_a_source_without_filters_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        filters(source)


@pytest.mark.parametrize("wrong", [None, "lenet5", 3, [1, 2], nn.Conv2d])
def test_what_has_no_filters_at_all_is_refused(wrong):
    kind = type(wrong).__name__
    with pytest.raises(TypeError, match=f"filters takes an nn.Module, a run or its records, not {kind}"):
        filters(wrong)


def test_an_unknown_layer_lists_the_valid_ones():
    with pytest.raises(ValueError, match="no filters of a layer 'c9'; there are c1"):
        filters(records(1))["c9"]
