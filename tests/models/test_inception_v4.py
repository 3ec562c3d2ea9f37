import math

import pytest
import torch
from torch import nn

from cnnviz.datasets import published
from cnnviz.models import create_model
from cnnviz.models.inception_v4 import InceptionResNetBlock, InceptionResNetC
from cnnviz.models.resnet import residual_blocks
from cnnviz.models.stochastic_depth import StochasticDepth
from cnnviz.models.torchvision_weights import load_torchvision_weights
from tests.models.networks import count, on_meta, stage_shapes

NETWORKS = {
    "v4": ("inception_v4", {}),
    "resnet": ("inception_resnet_v2", {}),
    "figures": ("inception_resnet_v2", {"released": False}),
}
CHANNELS = {  # stem and stage1, reduction1 and stage2, reduction2 and stage3
    "v4": (384, 1024, 1536),
    "resnet": (320, 1088, 2080),
    "figures": (384, 1152, 2144),
}
DEPTHS = {"v4": (4, 7, 3), "resnet": (10, 20, 10), "figures": (5, 10, 5)}
STAGES = ["stem", "stage1", "reduction1", "stage2", "reduction2", "stage3", "head"]


def meta(network, **options):
    name, fixed = NETWORKS[network]
    return on_meta(name, **fixed, **options)


def expected_shapes(channels, sizes):
    stages = dict(zip(STAGES[:6], [n for n in range(3) for _ in range(2)], strict=True))
    return {name: (channels[n], sizes[n], sizes[n]) for name, n in stages.items()} | {"head": (1000,)}


def path(*layers):
    """Return weights and channels of convolutions in a row: channels before, then (channels, area of the filter)."""
    before, *rest = layers
    weights = channels = 0
    for after, area in rest:
        weights, channels, before = weights + before * after * area, channels + after, after
    return weights, channels


def total(*paths, times=1):
    """Return the parameters of paths side by side: weights, and two numbers a channel of batch normalisation."""
    return times * sum(weights + 2 * channels for weights, channels in paths)


def parameters_of_v4():
    stem = total(
        path(3, (32, 9), (32, 9), (64, 9), (96, 9)),
        path(160, (64, 1), (96, 9)),
        path(160, (64, 1), (64, 7), (64, 7), (96, 9)),
        path(192, (192, 9)),
    )
    a = path(384, (96, 1)), path(384, (64, 1), (96, 9)), path(384, (64, 1), (96, 9), (96, 9)), path(384, (96, 1))
    b = (
        path(1024, (384, 1)),
        path(1024, (128, 1)),
        path(1024, (192, 1), (224, 7), (256, 7)),
        path(1024, (192, 1), (192, 7), (224, 7), (224, 7), (256, 7)),
    )
    c = (
        path(1536, (256, 1)),
        path(1536, (256, 1)),
        path(1536, (384, 1)),
        *2 * [path(384, (256, 3))],
        path(1536, (384, 1), (448, 3), (512, 3)),
        *2 * [path(512, (256, 3))],
    )
    return {
        "stem": stem,
        "stage1": total(*a, times=4),
        "reduction1": total(path(384, (384, 9)), path(384, (192, 1), (224, 9), (256, 9))),
        "stage2": total(*b, times=7),
        "reduction2": total(path(1024, (192, 1), (192, 9)), path(1024, (256, 1), (256, 7), (320, 7), (320, 9))),
        "stage3": total(*c, times=3),
        "head": (1536 + 1) * 1000,
    }


def parameters_of_resnet(released):
    first, second, third = CHANNELS["resnet" if released else "figures"]
    depths = DEPTHS["resnet" if released else "figures"]
    a = path(first, (32, 1)), path(first, (32, 1), (32, 9)), path(first, (32, 1), (48, 9), (64, 9))
    b = path(second, (192, 1)), path(second, (128, 1), (160, 7), (192, 7))
    c = path(third, (192, 1)), path(third, (192, 1), (224, 3), (256, 3))
    released_stem = total(
        path(3, (32, 9), (32, 9), (64, 9), (80, 1), (192, 9)),
        path(192, (96, 1)),
        path(192, (48, 1), (64, 25)),
        path(192, (64, 1), (96, 9), (96, 9)),
        path(192, (64, 1)),
    )
    return {
        "stem": released_stem if released else parameters_of_v4()["stem"],
        "stage1": total(*a, times=depths[0]) + depths[0] * (128 + 1) * first,
        "reduction1": total(path(first, (384, 9)), path(first, (256, 1), (256, 9), (384, 9))),
        "stage2": total(*b, times=depths[1]) + depths[1] * (384 + 1) * second,
        "reduction2": total(
            path(second, (256, 1), (384, 9)),
            path(second, (256, 1), (288, 9)),
            path(second, (256, 1), (288, 9), (320, 9)),
        ),
        "stage3": total(*c, times=depths[2]) + depths[2] * (448 + 1) * third,
        "head": total(path(2080, (1536, 1))) + (1536 + 1) * 1000 if released else (2144 + 1) * 1000,
    }


EXPECTED = {"v4": parameters_of_v4(), "resnet": parameters_of_resnet(True), "figures": parameters_of_resnet(False)}
QUANTITIES = {"v4": "parameters", "resnet": "parameters", "figures": "parameters, by the figures of the paper"}


@pytest.mark.parametrize("network", NETWORKS)
def test_stages_are_the_children_in_the_order_of_the_forward_pass_with_the_papers_shapes(network):
    model = meta(network)
    assert [name for name, _ in model.named_children()] == STAGES
    seen = stage_shapes(model)
    assert seen == expected_shapes(CHANNELS[network], (35, 17, 8))
    assert list(seen) == STAGES


@pytest.mark.parametrize("network", NETWORKS)
def test_parameters_are_those_of_the_figures(network):
    model = meta(network)
    assert {name: count(stage) for name, stage in model.named_children()} == EXPECTED[network]
    assert tuple(len(stage) for stage in (model.stage1, model.stage2, model.stage3)) == DEPTHS[network]
    [row] = published(model=NETWORKS[network][0], quantity=QUANTITIES[network])
    assert sum(EXPECTED[network].values()) == row.value == count(model)


def test_keras_count_follows_from_the_channels_of_batch_normalisation():
    """Keras has one parameter and two statistics a channel, in the place of two parameters."""
    model = meta("resnet")
    channels = sum(layer.num_features for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))
    stem, a, b, c = 400 + 96 + 48 + 64 + 64 + 96 + 96 + 64, 32 + 64 + 144, 192 + 480, 192 + 672
    reductions = 384 + 896 + 640 + 544 + 864
    assert channels == stem + 10 * a + 20 * b + 10 * c + reductions + 1536 == 30_272
    assert count(model) - 2 * channels + 3 * channels == 55_873_736


@pytest.mark.parametrize("network", NETWORKS)
def test_small_form_halves_channels_and_blocks_on_maps_of_16_7_and_3_pixels(network):
    model = meta(network, small=True)
    assert stage_shapes(model) == expected_shapes([channels // 2 for channels in CHANNELS[network]], (16, 7, 3))
    depths = tuple(len(stage) for stage in (model.stage1, model.stage2, model.stage3))
    assert depths == tuple(math.ceil(depth / 2) for depth in DEPTHS[network])
    assert [name for name, _ in model.named_children()] == STAGES


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("small", [False, True])
def test_the_smallest_image_works_and_a_smaller_one_does_not(network, small):
    model = meta(network, small=small).eval()
    assert model(torch.zeros(2, 3, model.smallest, model.smallest, device="meta")).shape == (2, 1000)
    with pytest.raises(ValueError, match=f"Inception-.* takes .* at least {model.smallest} pixels"):
        model(torch.zeros(2, 3, model.smallest - 1, model.smallest, device="meta"))
    model.smallest -= 1
    with pytest.raises(RuntimeError):
        model(torch.zeros(2, 3, model.smallest, model.smallest, device="meta"))


@pytest.mark.parametrize("network", NETWORKS)
def test_width_scales_the_channels_of_every_stage_to_multiples_of_8(network):
    seen = stage_shapes(meta(network, width=0.3), size=75)
    for stage, channels in expected_shapes(CHANNELS[network], (1, 1, 1)).items():
        if stage != "head":
            assert seen[stage][0] == pytest.approx(0.3 * channels[0], rel=0.15)
            assert seen[stage][0] % 8 == 0


def test_a_width_that_is_not_above_0_is_refused():
    for network in NETWORKS:
        with pytest.raises(ValueError, match=r"width \(=-2\) must be above 0"):
            meta(network, width=-2)


def test_a_block_adds_its_scaled_residual_and_the_last_one_of_all_is_neither_scaled_nor_activated():
    torch.manual_seed(0)
    model = create_model("inception_resnet_v2", small=True, width=0.2).eval()
    for stage, factor in ((model.stage1, 0.17), (model.stage2, 0.1), (model.stage3, 0.2)):
        block = stage[0]
        x = torch.randn(2, block.residual.expand.out_channels, 5, 4)
        joined = torch.cat([branch(x) for branch in block.residual.branches.values()], 1)
        torch.testing.assert_close(block(x), torch.relu(x + factor * block.residual.expand(joined)))
    last = model.stage3[-1]
    x = torch.randn(2, last.residual.expand.out_channels, 5, 4)
    torch.testing.assert_close(last(x), x + last.residual.expand(last.residual.branches(x)))
    assert last(x).min() < 0
    figures = create_model("inception_resnet_v2", small=True, width=0.2, released=False).eval()
    assert figures.stage3[-1].residual.scale.factor == 0.2
    assert isinstance(figures.stage3[-1].post, nn.ReLU)


def test_a_block_can_be_taken_apart():
    torch.manual_seed(0)
    block, x = InceptionResNetC(16, lambda channels: channels // 16).eval(), torch.randn(2, 16, 4, 5)
    z = block.pre(x)
    assert torch.equal(block(x), block.post(block.shortcut(z) + block.residual(z)))


def test_averages_do_not_count_the_zeros_of_the_border():
    for network in ("v4", "resnet"):
        pools = [layer for layer in meta(network).modules() if isinstance(layer, nn.AvgPool2d)]
        assert len(pools) == {"v4": 14, "resnet": 1}[network]
        assert not any(pool.count_include_pad for pool in pools)


def test_stochastic_depth_reaches_every_block_and_changes_no_name():
    model = meta("resnet", small=True, survival=0.5)
    blocks = residual_blocks(model)
    assert len(blocks) == 5 + 10 + 5
    assert all(isinstance(block, InceptionResNetBlock) for block in blocks)
    assert all(isinstance(block.residual, StochasticDepth) for block in blocks)
    assert [block.residual.survival for block in blocks] == pytest.approx([1 - k / 40 for k in range(1, 21)])
    assert list(model.state_dict()) == list(meta("resnet", small=True).state_dict())


def test_torchvision_has_neither_network():
    for network in ("v4", "resnet"):
        with pytest.raises(ValueError, match="torchvision has no network that computes what this Inception"):
            load_torchvision_weights(meta(network, small=True), {})


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_begin_with_the_variance_of_two_over_fan_in(network):
    torch.manual_seed(0)
    name, options = NETWORKS[network]
    for layer in create_model(name, small=True, width=0.25, **options).modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            scaled = layer.weight * math.sqrt(layer.weight[0].numel() / 2)
            assert scaled.std().item() == pytest.approx(1, abs=4 / scaled.numel() ** 0.5)
            assert layer.bias is None or not layer.bias.any()
