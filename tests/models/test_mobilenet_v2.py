from importlib import import_module

import pytest
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from cnnviz.datasets import published
from cnnviz.models import create_model, mobilenet_v2
from cnnviz.models.torchvision_weights import load_torchvision_weights
from tests.models.networks import count, images, on_meta, randomised, sides

DOCSTRING = import_module("cnnviz.models.mobilenet_v2").__doc__

# Table 2 of the paper: expansion, channels, blocks, stride of the first; and the side of the maps that come out.
TABLE = ((1, 16, 1, 1, 112), (6, 24, 2, 2, 56), (6, 32, 3, 2, 28), (6, 64, 4, 2, 14), (6, 96, 3, 1, 14))
TABLE += ((6, 160, 3, 2, 7), (6, 320, 1, 1, 7))
STAGES = {"stem": (32, 112)} | {f"stage{i}": (row[1], row[4]) for i, row in enumerate(TABLE, start=1)}


def parameters(normalised: int, bias: int = 1) -> int:
    """Count from table 2, with so many numbers for each channel of a batch normalisation."""
    total, before = 27 * 32 + normalised * 32, 32
    for expansion, after, blocks, _, _ in TABLE:
        for _ in range(blocks):
            hidden = expansion * before
            if expansion > 1:
                total += before * hidden + normalised * hidden
            total += 9 * hidden + normalised * hidden + hidden * after + normalised * after
            before = after
    return total + 320 * 1280 + normalised * 1280 + 1280 * 1000 + bias * 1000


def mult_adds() -> int:
    total, before, side = 27 * 32 * 112 * 112, 32, 112
    for expansion, after, blocks, stride, _ in TABLE:
        for block in range(blocks):
            hidden, expanded_at = expansion * before, side
            side //= stride if block == 0 else 1
            total += before * hidden * expanded_at**2 if expansion > 1 else 0
            total += (9 * hidden + hidden * after) * side**2
            before = after
    return total + 320 * 1280 * side**2 + 1280 * 1000


def test_stages_have_the_papers_shapes():
    assert sides(on_meta(mobilenet_v2)) == STAGES


def test_table_of_the_docstring_is_the_networks():
    model = on_meta(mobilenet_v2)
    rows = {line.split()[1]: line for line in DOCSTRING.splitlines() if line.startswith("| ")}
    for name, stage in model.named_children():
        assert f" {count(stage):,} " in rows[name]
    for name, (channels, side) in STAGES.items():
        assert f" {channels} x {side} x {side} " in rows[name]
    assert f" {count(model):,} " in rows["all"]


def test_stages_are_registered_in_the_order_of_the_forward_pass():
    assert [name for name, _ in on_meta(mobilenet_v2).named_children()] == [*STAGES, "head"]


def test_stages_have_the_papers_blocks():
    blocks = [len(getattr(on_meta(mobilenet_v2), f"stage{i}")) for i in range(1, 8)]
    assert blocks == [row[2] for row in TABLE]


def test_parameters_are_those_of_the_papers_table():
    [row] = published(model="mobilenet_v2", quantity="parameters")
    assert count(on_meta(mobilenet_v2)) == parameters(normalised=2) == row.value


def test_the_papers_3_4_million_are_less_than_its_table_has_in_any_reading():
    [printed] = published(model="mobilenet_v2", quantity="parameters, as printed")
    weights_alone = parameters(normalised=0, bias=0)
    assert weights_alone == 3_469_760
    assert round(weights_alone / 1e6, 1) > printed.value == 3.4


def test_keras_counts_running_statistics_too():
    channels = sum(layer.num_features for layer in on_meta(mobilenet_v2).modules() if isinstance(layer, nn.BatchNorm2d))
    assert count(on_meta(mobilenet_v2)) + 2 * channels == parameters(normalised=4) == 3_538_984


def test_mult_adds_are_those_of_the_papers_table():
    [printed] = published(model="mobilenet_v2", quantity="mult-adds, as printed")
    model = on_meta(mobilenet_v2)
    with FlopCounterMode(display=False) as counter:
        model(images(model))
    assert counter.get_total_flops() == 2 * mult_adds()
    assert mult_adds() / 1e6 == pytest.approx(printed.value, abs=1)


def test_output_equals_torchvisions():
    twin, model = randomised(torchvision.models.mobilenet_v2()), mobilenet_v2().double().eval()
    load_torchvision_weights(model, twin.state_dict())
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected, output = twin(x), model(x)
    assert expected.std() > 0.01
    assert (output - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_only_blocks_that_keep_size_and_channels_have_a_shortcut():
    shortcuts = [
        block.shortcut is not None for i in range(1, 8) for block in getattr(on_meta(mobilenet_v2), f"stage{i}")
    ]
    assert shortcuts == [block > 0 for row in TABLE for block in range(row[2])]


def test_a_block_is_its_input_and_its_residual():
    torch.manual_seed(0)
    first, second = mobilenet_v2(small=True).eval().stage2
    x = torch.randn(1, 16, 8, 8)
    torch.testing.assert_close(first(x), first.residual(x))
    torch.testing.assert_close(second(first(x)), first(x) + second.residual(first(x)))


def test_a_blocks_end_is_linear():
    """Check that negative numbers come through it, and no number above 6 through the layers before it."""
    torch.manual_seed(0)
    block = mobilenet_v2(small=True).eval().stage2[0]
    x = 100 * torch.randn(1, 16, 8, 8)
    assert block.residual[:2](x).max() == 6
    assert block.residual[:2](x).min() == 0
    assert block(x).min() < 0


@pytest.mark.parametrize(("width", "features"), [(0.5, 1280), (1.4, 1792)])
def test_width_leaves_the_last_convolution_alone_below_1(width, features):
    model = on_meta(mobilenet_v2, width=width)
    assert model.head[0].conv.out_channels == features
    for name, (channels, side) in sides(model).items():
        assert side == STAGES[name][1]
        assert abs(channels - width * STAGES[name][0]) <= 4
        assert channels % 8 == 0


def test_small_form_differs_in_two_strides_only():
    model, paper = on_meta(mobilenet_v2, small=True), on_meta(mobilenet_v2)
    assert model.image_size == 32
    assert [side for _, side in sides(model).values()] == [32, 32, 32, 16, 8, 8, 4, 4]
    assert [(key, value.shape) for key, value in model.state_dict().items()] == [
        (key, value.shape) for key, value in paper.state_dict().items()
    ]


@pytest.mark.parametrize("small", [False, True])
def test_least_size_gives_one_pixel_of_the_last_map(small):
    model = on_meta(mobilenet_v2, small=small)
    assert sides(model, model.smallest)["stage7"] == (320, 1)
    with pytest.raises(ValueError, match=f"H and W at least {model.smallest} pixels, not 1 x 3 x"):
        model(images(model, model.smallest - 1))


def test_initial_weights_are_he_normal():
    torch.manual_seed(0)
    for layer in mobilenet_v2(small=True, width=0.5).modules():
        if isinstance(layer, nn.Conv2d):
            fan_in = layer.weight[0].numel()
            spread = layer.weight.std().item() * (fan_in / 2) ** 0.5
            assert spread == pytest.approx(1, abs=4 / layer.weight.numel() ** 0.5)


def test_a_width_that_is_no_factor_is_refused():
    with pytest.raises(ValueError, match=r"width \(=0\) must be above 0"):
        mobilenet_v2(width=0)


def test_other_sizes_classes_and_channels():
    model = create_model("mobilenet_v2", num_classes=2, in_channels=1, small=True, width=0.25)
    assert model(torch.zeros(2, 1, 20, 41)).shape == (2, 2)
