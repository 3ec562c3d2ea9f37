import math

import pytest
import torch
import torchvision
from torch import nn

from cnnviz.datasets import published
from cnnviz.models import create_model, inception_v3
from cnnviz.models.inception_v3 import Branches, ConvNormReLU, InceptionV3Outputs
from cnnviz.models.torchvision_weights import load_torchvision_weights
from tests.models.networks import close, count, on_meta, randomised, stage_shapes

SHAPES = {
    "stem": (192, 35, 35),
    "stage1": (288, 35, 35),
    "reduction1": (768, 17, 17),
    "stage2": (768, 17, 17),
    "aux": (1000,),
    "reduction2": (1280, 8, 8),
    "stage3": (2048, 8, 8),
    "head": (1000,),
}


def meta(**options):
    return on_meta(inception_v3, **options).train()  # with its auxiliary heads


def a(before, pool):
    """Weights and channels of the module on 35 x 35 maps."""
    weights = [before * (64 + 48 + 64 + pool), 25 * 48 * 64, 9 * (64 * 96 + 96 * 96)]
    return sum(weights), 64 + 48 + 64 + 64 + 96 + 96 + pool


def b(n):
    """The same of the module on 17 x 17 maps: ten convolutions, six of them one-sided."""
    weights = [768 * (192 + n + n + 192), 7 * (n * n + n * 192), 7 * (3 * n * n + n * 192)]
    return sum(weights), 4 * 192 + 6 * n


def c(before):
    """The same of the module on 8 x 8 maps."""
    weights = [before * (320 + 384 + 448 + 192), 2 * 3 * 384 * 384, 9 * 448 * 384, 2 * 3 * 384 * 384]
    return sum(weights), 320 + 384 + 2 * 384 + 448 + 384 + 2 * 384 + 192


def expected_weights_and_channels():
    """Return for each stage the weights of its convolutions and the channels that they give, by hand."""
    stem = 9 * 3 * 32 + 9 * 32 * 32 + 9 * 32 * 64 + 64 * 80 + 9 * 80 * 192, 32 + 32 + 64 + 80 + 192
    reduction1 = 9 * 288 * 384 + 288 * 64 + 9 * (64 * 96 + 96 * 96), 384 + 64 + 96 + 96
    reduction2 = 768 * 192 + 9 * 192 * 320 + 768 * 192 + (7 + 7 + 9) * 192 * 192, 192 + 320 + 4 * 192
    return {
        "stem": [stem],
        "stage1": [a(192, 32), a(256, 64), a(288, 64)],
        "reduction1": [reduction1],
        "stage2": [b(128), b(160), b(160), b(192)],
        "aux": [(768 * 128 + 25 * 128 * 768, 128 + 768)],
        "reduction2": [reduction2],
        "stage3": [c(1280), c(2048)],
    }


def test_stages_are_the_children_in_the_order_of_the_forward_pass_with_the_papers_shapes():
    model = meta()
    assert [name for name, _ in model.named_children()] == list(SHAPES)
    seen = stage_shapes(model)
    assert seen == SHAPES
    assert list(seen) == list(SHAPES)


def test_the_modules_of_stage_1_give_256_288_and_288_channels():
    assert [module.out_channels for module in meta().stage1] == [256, 288, 288]


def test_parameters_are_two_a_channel_and_the_weights_of_the_figures():
    expected = {
        stage: sum(weights + 2 * channels for weights, channels in parts)
        for stage, parts in expected_weights_and_channels().items()
    }
    expected["aux"] += (768 + 1) * 1000
    expected["head"] = (2048 + 1) * 1000
    assert {name: count(stage) for name, stage in meta().named_children()} == expected
    [row] = published(model="inception_v3", quantity="parameters")
    [row_without] = published(model="inception_v3", quantity="parameters, without auxiliary head")
    assert sum(expected.values()) == row.value == count(meta())
    assert row.value - expected["aux"] == row_without.value == count(meta(aux_logits=False))
    [printed] = published(model="inception_v3", quantity="parameters, as printed: less than")
    assert row_without.value < printed.value * 1e6


def test_keras_count_follows_from_the_channels_of_batch_normalisation():
    """Keras has one parameter and two statistics a channel, in the place of two parameters."""
    model = meta(aux_logits=False)
    by_hand = sum(
        channels for name, parts in expected_weights_and_channels().items() if name != "aux" for _, channels in parts
    )
    channels = sum(layer.num_features for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))
    assert channels == by_hand == 17_216
    assert count(model) - 2 * channels + 3 * channels == 23_851_784


def test_the_forward_pass_names_its_outputs_in_training_and_gives_logits_alone_in_evaluation():
    model, x = meta(num_classes=5), torch.zeros(2, 3, 299, 299, device="meta")
    outputs = model(x)
    assert isinstance(outputs, InceptionV3Outputs)
    assert (outputs.logits.shape, outputs.aux.shape) == ((2, 5), (2, 5))
    assert model.eval()(x).shape == (2, 5)
    assert meta(num_classes=5, aux_logits=False)(x).shape == (2, 5)


def test_the_auxiliary_head_averages_5x5_windows_of_stride_3():
    with torch.device("meta"):
        pool = inception_v3().aux.pool
    x = torch.rand(1, 2, 17, 17)
    windows = [x[:, :, 3 * i : 3 * i + 5, 3 * j : 3 * j + 5].mean((2, 3)) for i in range(5) for j in range(5)]
    torch.testing.assert_close(pool(x).flatten(2), torch.stack(windows, 2))


def test_branches_are_joined_along_the_channels():
    torch.manual_seed(0)
    branches = Branches({"one": nn.Conv2d(2, 3, 1), "two": nn.MaxPool2d(3, stride=1, padding=1)})
    x = torch.randn(2, 2, 5, 4)
    assert torch.equal(branches(x)[:, :3], branches["one"](x))
    assert torch.equal(branches(x)[:, 3:], branches["two"](x))


@pytest.mark.parametrize(("kernel_size", "weights"), [(3, 9), ((1, 7), 7), ((7, 1), 7), (1, 1)])
def test_a_padded_convolution_keeps_the_size_of_its_input(kernel_size, weights):
    layer = ConvNormReLU(2, 4, kernel_size)
    assert layer(torch.randn(2, 2, 6, 9)).shape == (2, 4, 6, 9)
    assert layer.conv.weight[0, 0].numel() == weights


def test_small_form_has_the_same_modules_at_half_the_channels_on_maps_of_16_7_and_3_pixels():
    model, whole = meta(small=True), meta()
    sizes = {35: 16, 17: 7, 8: 3}
    halves = {name: (s[0] // 2, sizes[s[1]], sizes[s[2]]) for name, s in SHAPES.items() if len(s) == 3}
    seen = stage_shapes(model)
    assert list(seen) == list(SHAPES)
    assert {name: seen[name] for name in halves} == halves
    for stage in ("stage1", "reduction1", "stage2", "reduction2", "stage3"):
        names = [[name for name, _ in getattr(net, stage).named_modules()] for net in (model, whole)]
        assert names[0] == names[1]


@pytest.mark.parametrize("small", [False, True])
def test_the_smallest_image_works_and_a_smaller_one_does_not(small):
    model = meta(small=small)
    assert model(torch.zeros(2, 3, model.smallest, model.smallest, device="meta")).logits.shape == (2, 1000)
    with pytest.raises(ValueError, match=f"Inception-v3 takes .* at least {model.smallest} pixels"):
        model(torch.zeros(2, 3, model.smallest - 1, model.smallest, device="meta"))
    model.smallest -= 1
    with pytest.raises(RuntimeError):
        model(torch.zeros(2, 3, model.smallest, model.smallest, device="meta"))


def test_width_scales_every_number_of_channels():
    seen = stage_shapes(meta(width=0.5), size=107)
    assert {name: seen[name][0] for name in ("stem", "stage1", "stage2", "reduction2", "stage3")} == {
        "stem": 96, "stage1": 144, "stage2": 384, "reduction2": 640, "stage3": 1024,
    }  # fmt: skip
    assert count(meta(width=0.25)) < count(meta(width=0.5)) < count(meta())


def test_a_width_that_is_not_above_0_is_refused():
    with pytest.raises(ValueError, match=r"width \(=0\) must be above 0"):
        meta(width=0)


def test_weights_begin_with_the_variance_of_two_over_fan_in():
    torch.manual_seed(0)
    for layer in inception_v3(small=True, width=0.5).modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            scaled = layer.weight * math.sqrt(layer.weight[0].numel() / 2)
            assert scaled.std().item() == pytest.approx(1, abs=4 / scaled.numel() ** 0.5)


def test_torchvisions_weights_give_torchvisions_outputs():
    torch.set_default_dtype(torch.float64)
    try:
        theirs = randomised(torchvision.models.inception_v3(init_weights=False)).eval()
        with torch.device("meta"):
            ours = create_model("inception_v3").eval()
        ours.to_empty(device="cpu")
    finally:
        torch.set_default_dtype(torch.float32)
    load_torchvision_weights(ours, theirs.state_dict())
    x = torch.randn(2, 3, 107, 117, dtype=torch.float64)
    with torch.no_grad():
        logits = theirs(x)
        assert close(ours(x), logits)
        assert not close(logits[0], logits[1])  # the outputs depend on the image
        maps = torch.randn(2, 768, 17, 17, dtype=torch.float64)
        assert close(ours.aux(maps), theirs.AuxLogits(maps))
