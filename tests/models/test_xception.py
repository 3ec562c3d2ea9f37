from importlib import import_module
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnviz.datasets import published
from cnnviz.models import create_model, xception, xception_small
from cnnviz.models.xception import SeparableConv2d, XceptionBlock
from tests.models.networks import count, images, on_meta, sides

DOCSTRING = import_module("cnnviz.models.xception").__doc__

# Figure 5 of the paper: the separable convolutions of each module, each followed by batch normalisation; the modules
# that pool have a 1x1 convolution around them.
POOLED = ((64, 128, 128), (128, 256, 256), (256, 728, 728), (728, 728, 1024))
MIDDLE = ((728, 728, 728, 728),) * 8
END = (1024, 1536, 2048)
SHAPES = {
    xception: {"stem": (64, 147), "stage1": (128, 74), "stage2": (256, 37), "stage3": (728, 19), "stage4": (728, 19)}
    | {"stage5": (1024, 10), "stage6": (2048, 10)},
    xception_small: {"stem": (32, 176), "stage1": (32, 88), "stage2": (64, 44), "stage3": (128, 22)}
    | {"stage4": (256, 11), "stage5": (512, 6)},
}


def parameters(normalised: int) -> int:
    """Count from figure 5, with so many numbers for each channel of a batch normalisation."""
    total = 27 * 32 + 9 * 32 * 64 + normalised * (32 + 64)
    for module in (*POOLED, *MIDDLE, END):
        total += sum(9 * a + a * b + normalised * b for a, b in pairwise(module))
    total += sum(module[0] * module[-1] + normalised * module[-1] for module in POOLED)
    return total + 2048 * 1000 + 1000


def parameters_of_the_small_one(normalised: int, num_classes: int) -> int:
    total, before = 3 * 25 * 32, 32
    for after in (32, 64, 128, 256, 512):
        total += normalised * (before + after) + 9 * (before + after) + before * after + after * after + before * after
        before = after
    return total + 512 * num_classes + num_classes


def normalised_channels(model):
    return sum(layer.num_features for layer in model.modules() if isinstance(layer, nn.BatchNorm2d))


@pytest.mark.parametrize("build", SHAPES)
def test_stages_have_the_published_shapes(build):
    assert sides(on_meta(build)) == SHAPES[build]


@pytest.mark.parametrize(("build", "table"), [(xception, 0), (xception_small, 1)])
def test_tables_of_the_docstring_are_the_networks(build, table):
    model = on_meta(build)
    text = DOCSTRING.split("`xception_small` is")[table]
    rows = {line.split()[1]: line for line in text.splitlines() if line.startswith("| ")}
    for name, stage in model.named_children():
        assert f" {count(stage):,} " in rows[name]
    for name, (channels, side) in SHAPES[build].items():
        assert f" {channels} x {side} x {side} " in rows[name]
    assert f" {count(model):,} " in rows["all"]


@pytest.mark.parametrize("build", SHAPES)
def test_stages_are_registered_in_the_order_of_the_forward_pass(build):
    assert [name for name, _ in on_meta(build).named_children()] == [*SHAPES[build], "head"]


def test_xceptions_parameters_are_those_of_the_figure_and_printed_in_the_paper():
    [row] = published(model="xception", quantity="parameters")
    [printed] = published(model="xception", quantity="parameters, as printed")
    assert count(on_meta(xception)) == parameters(normalised=2) == row.value == printed.value


def test_keras_counts_running_statistics_too():
    assert (
        count(on_meta(xception)) + 2 * normalised_channels(on_meta(xception)) == parameters(normalised=4) == 22_910_480
    )


def test_the_small_ones_parameters_are_the_books():
    [row] = published(model="xception_small", quantity="parameters")
    [keras] = published(model="xception_small", quantity="parameters, one class, with running statistics")
    assert count(on_meta(xception_small)) == parameters_of_the_small_one(2, 1000) == row.value
    one = on_meta(xception_small, num_classes=1)
    assert count(one) + 2 * normalised_channels(one) == parameters_of_the_small_one(4, 1) == keras.value == 721_857


def test_middle_flow_has_eight_modules_of_three_separable_convolutions():
    layers = [
        sum(isinstance(layer, SeparableConv2d) for layer in block.modules()) for block in on_meta(xception).stage4
    ]
    assert layers == [3] * 8


def test_separable_convolution_is_the_full_one_with_the_product_of_its_filters():
    torch.manual_seed(0)
    layer, x = SeparableConv2d(3, 5, kernel_size=5, stride=2).double(), torch.randn(2, 3, 9, 8, dtype=torch.float64)
    filters = layer.pointwise.weight * layer.depthwise.weight[:, 0]  # [5, 3, 1, 1] * [3, 5, 5]
    torch.testing.assert_close(layer(x), F.conv2d(x, filters, stride=2, padding=2))


def test_the_first_relu_of_the_first_block_changes_nothing():
    """Leave it out, as figure 5 does."""
    torch.manual_seed(0)
    model = xception(small=True, width=0.25).eval()
    x = model.stem(torch.randn(1, 3, 32, 32))
    expected = model.stage1(x)
    model.stage1.residual[0] = nn.Identity()
    assert torch.equal(model.stage1(x), expected)


def test_a_block_is_its_shortcut_and_its_residual():
    """Compute both in functions, the ReLU not before the shortcut."""
    torch.manual_seed(0)
    block, x = XceptionBlock(4, (6, 8), stride=2).double().eval(), torch.randn(2, 4, 9, 7, dtype=torch.float64)
    weights = [layer for layer in block.residual if isinstance(layer, SeparableConv2d)]
    scale = (1 + 1e-5) ** -0.5  # of an untrained batch normalisation, once for each layer
    hidden = weights[1](F.relu(weights[0](F.relu(x)) * scale)) * scale
    expected = F.max_pool2d(hidden, 3, 2, 1) + F.conv2d(x, block.shortcut[0].weight, stride=2) * scale
    torch.testing.assert_close(block(x), expected)


def test_shortcuts_of_the_middle_flow_are_the_input_itself():
    torch.manual_seed(0)
    block, x = XceptionBlock(4, (4, 4, 4)).eval(), torch.randn(1, 4, 5, 5)
    torch.testing.assert_close(block(x) - block.residual(x), x)


@pytest.mark.parametrize(
    ("build", "expected"), [(xception, [32, 32, 16, 8, 8, 4, 4]), (xception_small, [32, 32, 32, 16, 8, 4])]
)
def test_small_form_keeps_stages_and_ends_in_4_x_4(build, expected):
    model = on_meta(build, small=True)
    assert model.image_size == 32
    assert list(sides(model)) == list(SHAPES[build])
    assert [side for _, side in sides(model).values()] == expected


def test_small_form_of_xception_has_half_of_the_channels_and_of_the_middle_flow():
    model = on_meta(xception, small=True)
    assert [channels for channels, _ in sides(model).values()] == [32, 64, 128, 364, 364, 512, 1024]
    assert len(model.stage4) == 4


def test_small_form_of_the_small_one_has_its_weights():
    model, paper = on_meta(xception_small, small=True), on_meta(xception_small)
    assert [(key, value.shape) for key, value in model.state_dict().items()] == [
        (key, value.shape) for key, value in paper.state_dict().items()
    ]


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("build", SHAPES)
def test_least_size_gives_one_pixel_of_the_last_map(build, small):
    model = on_meta(build, small=small)
    assert list(sides(model, model.smallest).values())[-1][1] == 1
    with pytest.raises(ValueError, match=f"H and W at least {model.smallest} pixels, not 1 x 3 x"):
        model(images(model, model.smallest - 1))


@pytest.mark.parametrize("build", SHAPES)
@pytest.mark.parametrize("width", [0.5, 2])
def test_width_multiplies_all_channels(build, width):
    for name, (channels, side) in sides(on_meta(build, width=width)).items():
        expected, expected_side = SHAPES[build][name]
        assert side == expected_side
        assert abs(channels - width * expected) <= 4
        assert channels % 8 == 0


def test_initial_weights_of_xception_are_he_normal():
    torch.manual_seed(0)
    for layer in xception(small=True, width=0.5).modules():
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.weight[0].numel()
            spread = layer.weight.std().item() * (fan_in / 2) ** 0.5
            assert spread == pytest.approx(1, abs=4 / layer.weight.numel() ** 0.5)


def test_initial_weights_of_the_small_one_are_glorots():
    torch.manual_seed(0)
    for layer in xception_small(small=True).modules():
        if isinstance(layer, nn.Conv2d):
            fans = (layer.weight.shape[0] + layer.weight.shape[1]) * layer.weight[0, 0].numel()
            assert 0.9 < layer.weight.abs().max().item() / (6 / fans) ** 0.5 <= 1


@pytest.mark.parametrize("build", SHAPES)
def test_a_width_that_is_no_factor_is_refused(build):
    with pytest.raises(ValueError, match=r"width \(=0\) must be above 0"):
        build(width=0)


@pytest.mark.parametrize("name", ["xception", "xception_small"])
def test_other_sizes_classes_and_channels(name):
    model = create_model(name, num_classes=2, in_channels=1, small=True, width=0.25)
    assert model(torch.zeros(2, 1, 20, 41)).shape == (2, 2)
