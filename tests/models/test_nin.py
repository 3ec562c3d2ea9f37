import pytest
import torch
import torch.nn.functional as F

from cnnviz.datasets import published
from cnnviz.models import nin
from cnnviz.models.nin import MLPConv
from tests.models.networks import count, on_meta, stage_shapes

# The authors' networks for Caffe: side of the filters, and maps of conv, cccp and cccp of each stage.
FILES = {
    False: [(11, 96, 96, 96), (5, 256, 256, 256), (3, 384, 384, 384), (3, 1024, 1024, 1000)],
    True: [(5, 192, 160, 96), (5, 192, 192, 192), (3, 192, 192, 10)],
}


def test_maps_have_the_sizes_of_the_authors_network():
    assert stage_shapes(on_meta(nin)) == {
        "mlpconv1": (96, 54, 54),
        "pool1": (96, 27, 27),
        "mlpconv2": (256, 27, 27),
        "pool2": (256, 13, 13),
        "mlpconv3": (384, 13, 13),
        **dict.fromkeys(("pool3", "drop3"), (384, 6, 6)),
        "mlpconv4": (1000, 6, 6),
    }


def test_maps_of_the_small_form_have_the_sizes_of_the_authors_network_for_cifar_10():
    assert stage_shapes(on_meta(nin, num_classes=10, small=True)) == {
        "mlpconv1": (96, 32, 32),
        **dict.fromkeys(("pool1", "drop1"), (96, 16, 16)),
        "mlpconv2": (192, 16, 16),
        **dict.fromkeys(("pool2", "drop2"), (192, 8, 8)),
        "mlpconv3": (10, 8, 8),
    }


@pytest.mark.parametrize("small", [False, True])
def test_counts_follow_from_the_authors_networks(small):
    expected, seen = [], 3
    for side, conv, cccp1, cccp2 in FILES[small]:
        expected.append(conv * (seen * side**2 + 1) + cccp1 * (conv + 1) + cccp2 * (cccp1 + 1))
        seen = cccp2
    model = on_meta(nin, num_classes=FILES[small][-1][-1], small=small)
    assert [count(stage) for stage in model.children() if count(stage)] == expected
    [row] = published(model="nin", quantity="parameters, cifar-10" if small else "parameters")
    assert sum(expected) == row.value


def test_the_file_of_the_authors_network_has_four_bytes_a_parameter():
    [row] = published(model="nin", quantity="file of parameters, as printed")
    assert round(4 * count(on_meta(nin)) / 2**20) == row.value == 29


def test_a_stage_is_a_perceptron_slid_over_the_image():
    torch.manual_seed(0)
    stage, x = MLPConv(3, (5, 4, 2), kernel_size=3, stride=2, padding=1), torch.randn(2, 3, 9, 7)
    patches = F.unfold(x, kernel_size=3, stride=2, padding=1).transpose(1, 2)  # N, places, 3 * 3 * 3
    for layer in (stage.conv, stage.cccp1, stage.cccp2):
        patches = F.relu(F.linear(patches, layer.weight.flatten(1), layer.bias))
    torch.testing.assert_close(stage(x), patches.transpose(1, 2).reshape(2, 2, 5, 4))


def test_a_logit_is_the_mean_of_its_map():
    torch.manual_seed(0)
    model, maps = nin(num_classes=10, small=True, width=0.1).eval(), []
    model.mlpconv3.register_forward_hook(lambda module, inputs, output: maps.append(output))
    logits = model(torch.randn(2, 3, 32, 32))
    torch.testing.assert_close(logits, maps[0].flatten(2).sum(2) / 64)
    assert (logits >= 0).all()


def test_no_layer_is_linear():
    assert not [layer for layer in on_meta(nin).modules() if isinstance(layer, torch.nn.Linear)]


@pytest.mark.parametrize("small", [False, True])
def test_width_leaves_the_number_of_classes(small):
    model = on_meta(nin, num_classes=7, small=small, width=0.5)
    assert list(stage_shapes(model).values())[-1][0] == 7
    assert 0.2 < count(model) / count(on_meta(nin, num_classes=7, small=small)) < 0.3


@pytest.mark.parametrize("small", [False, True])
def test_poolings_round_up(small):
    """The last column of pixels counts too: without rounding up, the small form would not see it."""
    pools = [stage for name, stage in on_meta(nin, small=small).named_children() if name.startswith("pool")]
    assert [tuple(pool(torch.zeros(1, 1, 8, 8)).shape[2:]) for pool in pools] == [(4, 4)] * len(pools)


@pytest.mark.parametrize("small", [False, True])
def test_smaller_images_than_the_least_are_refused_and_the_least_is_one_pixel_in_the_last_map(small):
    model = on_meta(nin, small=small, width=0.1)
    least = model.smallest
    seen = []
    list(model.children())[-1].register_forward_hook(lambda module, inputs, output: seen.append(output.shape[2:]))
    assert model(torch.zeros(1, 3, least, least + 3, device="meta")).shape == (1, 1000)
    assert seen[0][0] == 1
    with pytest.raises(ValueError, match=f"NiN takes images .* at least {least} pixels, not 1 x 3 x {least - 1} x"):
        model(torch.zeros(1, 3, least - 1, least, device="meta"))
    model.smallest = 1
    with pytest.raises(RuntimeError):  # so `smallest` is not too large
        model(torch.zeros(1, 3, least - 1, least, device="meta"))


def test_signal_keeps_its_size_up_to_the_last_layer_which_begins_near_one():
    torch.manual_seed(0)
    model, passed = nin(num_classes=10, small=True, width=0.5).eval(), []
    model.mlpconv3.cccp1.register_forward_hook(lambda module, inputs, output: passed.append(output))
    with torch.no_grad():
        logits = model(torch.randn(8, 3, 32, 32))
    assert 0.1 < passed[0].std() < 10
    assert (logits > 0.2).all()  # none is dead
    assert logits.std() < 0.5
