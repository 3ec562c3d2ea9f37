from functools import cache

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from cnnviz.datasets import published
from cnnviz.models import create_model
from cnnviz.models.resnet import (
    BasicBlock,
    Bottleneck,
    PaddingShortcut,
    PreactivationBasicBlock,
    PreactivationBottleneck,
    residual_blocks,
)
from cnnviz.models.torchvision_weights import load_torchvision_weights
from tests.models.networks import count, on_meta, randomised

CHANNELS = (64, 128, 256, 512)
DEPTHS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}  # table 1
FIRST = [f"resnet{depth}" for depth in DEPTHS]
SECOND = [f"resnet{depth}_v2" for depth in DEPTHS]
PLAIN = ["plain18", "plain34"]


@cache
def forward_pass(name, **options):
    """Return the shape after each stage and the mult-adds of one image: of each layer, weights times pixels out."""
    model, shapes, mult_adds = on_meta(name, **options), {}, []
    hooks = [
        stage.register_forward_hook(lambda m, x, y, child=child: shapes.update({child: tuple(y.shape[1:])}))
        for child, stage in model.named_children()
    ] + [
        layer.register_forward_hook(lambda m, x, y: mult_adds.append(m.weight.numel() * y[0, 0].numel()))
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    model(torch.zeros(1, 3, model.image_size, model.image_size, device="meta"))
    for hook in hooks:
        hook.remove()
    return shapes, sum(mult_adds)


def mult_adds(name, **options):
    return forward_pass(name, **options)[1]


def table_1(depth):
    """List the blocks of the paper's table 1: channels in, inside and out, whether the maps shrink, height after it."""
    expansion, previous = 1 if depth < 50 else 4, 64
    for stage, (channels, blocks) in enumerate(zip(CHANNELS, DEPTHS[depth], strict=True)):
        for number in range(blocks):
            yield previous, channels, expansion * channels, stage > 0 and number == 0, 56 >> stage
            previous = expansion * channels


def weights_of_table_1(depth):
    """Return the weights of convolutions and the linear layer, and the channels that are normalised, both forms."""
    weights, channels_v1, channels_v2, last = 7 * 7 * 3 * 64, 64, 64, 512 if depth < 50 else 2048
    projections = projected = 0
    for number, (before, inside, after, _, _) in enumerate(table_1(depth)):
        if depth < 50:
            weights += 9 * before * inside + 9 * inside * after
            channels_v1 += inside + after
            channels_v2 += (before if number else 0) + inside
        else:
            weights += before * inside + 9 * inside * inside + inside * after
            channels_v1 += 2 * inside + after
            channels_v2 += (before if number else 0) + 2 * inside
        if before != after:
            projections += before * after
            projected += after
    return weights + 1000 * last + 1000, channels_v1, channels_v2 + last, projections, projected


@pytest.mark.parametrize("depth", DEPTHS)
def test_parameters_are_those_of_table_1(depth):
    weights, first, second, projections, projected = weights_of_table_1(depth)
    assert count(on_meta(f"resnet{depth}")) == weights + 2 * first + projections + 2 * projected
    assert count(on_meta(f"resnet{depth}_v2")) == weights + 2 * second + projections
    if depth < 50:
        assert count(on_meta(f"plain{depth}")) == count(on_meta(f"resnet{depth}", shortcut="A")) == weights + 2 * first


@pytest.mark.parametrize("name", FIRST + SECOND + PLAIN)
def test_parameters_are_as_published(name):
    [row] = published(model=name, quantity="parameters")
    assert count(on_meta(name)) == row.value


@pytest.mark.parametrize(
    ("depth", "stride_in"), [*((depth, "1x1") for depth in DEPTHS), *((depth, "3x3") for depth in (50, 101, 152))]
)
def test_mult_adds_follow_from_table_1(depth, stride_in):
    total = 7 * 7 * 3 * 64 * 112 * 112 + (512 if depth < 50 else 2048) * 1000
    for before, inside, after, shrinks, height in table_1(depth):
        first = 4 * height**2 if shrinks and stride_in == "3x3" else height**2  # pixels after the first convolution
        if depth < 50:
            total += 9 * (before * inside + inside * after) * height**2
        else:
            total += before * inside * first + (9 * inside * inside + inside * after) * height**2
        total += before * after * height**2 if before != after else 0
    assert mult_adds(f"resnet{depth}", **({"stride_in": stride_in} if stride_in == "3x3" else {})) == total
    if stride_in == "3x3" or depth < 50:  # pre-activated bottlenecks have the stride there too
        assert mult_adds(f"resnet{depth}_v2") == total


@pytest.mark.parametrize("name", [*FIRST, "plain34"])
def test_mult_adds_are_those_that_the_paper_prints(name):
    """The paper cuts digits off: 3.664 and 3.858 are printed 3.6 and 3.8; 7.570 as 7.6."""
    [row] = published(model=name, quantity="mult-adds, as printed")
    assert mult_adds(name) / 1e9 == pytest.approx(row.value, abs=0.07)


def test_with_the_stride_in_3x3_resnet50_takes_more_than_the_paper_prints():
    assert mult_adds("resnet50", stride_in="3x3") == pytest.approx(4.089e9, rel=1e-3)
    assert count(on_meta("resnet50", stride_in="3x3")) == count(on_meta("resnet50"))


@pytest.mark.parametrize("name", FIRST + SECOND + PLAIN)
@pytest.mark.parametrize("small", [False, True])
def test_stages_are_the_children_in_order_and_have_the_papers_shapes(name, small):
    options = {"small": True} if small else {}
    seen, _ = forward_pass(name, **options)
    expansion = 4 if any(depth in name for depth in ("50", "101", "152")) else 1
    top = 32 if small else 56
    stages = {f"stage{i + 1}": (expansion * CHANNELS[i], top >> i, top >> i) for i in range(4)}
    assert seen == {"stem": (64, top, top)} | stages | {"head": (1000,)}
    assert list(seen) == [child for child, _ in on_meta(name, **options).named_children()]


@pytest.mark.parametrize("name", FIRST + SECOND)
def test_depth_is_the_number_of_layers_with_weights(name):
    """Projections and normalisation are not counted; the first number of the name is."""
    model = on_meta(name)
    layers = [key for key, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear) and "shortcut" not in key]
    assert f"resnet{len(layers)}" == name.removesuffix("_v2")


@pytest.mark.parametrize("name", ["resnet18", "resnet50_v2", "plain18"])
@pytest.mark.parametrize("small", [False, True])
def test_the_smallest_image_works_and_a_smaller_one_is_refused(name, small):
    model = on_meta(name, **({"small": True} if small else {}))
    assert model(torch.zeros(2, 3, model.smallest, model.smallest, device="meta")).shape == (2, 1000)
    assert model(torch.zeros(2, 3, model.smallest + 7, model.smallest, device="meta")).shape == (2, 1000)
    with pytest.raises(ValueError, match=rf"ResNet takes images .* at least {model.smallest} pixels, not 2 x 3 x"):
        model(torch.zeros(2, 3, model.smallest, model.smallest - 1, device="meta"))


def test_width_scales_every_number_of_channels():
    full, half = on_meta("resnet50"), on_meta("resnet50", width=0.5)
    pairs = zip(full.modules(), half.modules(), strict=True)
    assert all(2 * b.out_channels == a.out_channels for a, b in pairs if isinstance(a, nn.Conv2d))


@pytest.mark.parametrize("block", [BasicBlock, Bottleneck, PreactivationBasicBlock, PreactivationBottleneck])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_block_is_post_of_shortcut_plus_residual_of_pre(block, stride):
    torch.manual_seed(0)
    block, x = block(16, 8, stride), torch.randn(2, 16, 6, 6)
    start = block.pre(x)
    expected = block.post(block.shortcut(start) + block.residual(start))
    assert torch.equal(block(x), expected)
    assert expected.shape == (2, block.out_channels, 6 // stride, 6 // stride)


def test_a_block_leaves_its_input_as_it_is():
    for block in residual_blocks(create_model("resnet18", small=True, width=0.25)):
        x = torch.randn(2, block.residual.conv1.in_channels, 4, 4)
        before = x.clone()
        block(x)
        assert torch.equal(x, before)


def test_a_preactivated_block_that_keeps_its_shape_adds_to_the_untouched_input():
    torch.manual_seed(0)
    block, x = PreactivationBottleneck(32, 8), torch.randn(2, 32, 5, 5)
    r = block.residual
    y = r.conv1(F.relu(r.bn1(x)))
    y = r.conv2(F.relu(r.bn2(y)))
    y = r.conv3(F.relu(r.bn3(y)))
    assert torch.equal(block(x), x + y)


def test_a_preactivated_block_that_changes_its_shape_activates_before_both_paths():
    torch.manual_seed(0)
    block, x = PreactivationBasicBlock(16, 32, 2), torch.randn(2, 16, 6, 6)
    a = F.relu(block.pre.bn1(x))
    y = block.residual.conv2(F.relu(block.residual.bn2(block.residual.conv1(a))))
    assert torch.equal(block(x), block.shortcut.conv(a) + y)


@pytest.mark.parametrize("name", SECOND)
def test_in_a_v2_network_each_block_but_the_first_begins_with_an_activation(name):
    first, *others = residual_blocks(on_meta(name))
    assert isinstance(first.pre, nn.Identity)
    assert "bn1" not in dict(first.residual.named_children())
    assert all(
        isinstance(block.pre, nn.Sequential) != ("bn1" in dict(block.residual.named_children())) for block in others
    )
    assert sum(isinstance(block.pre, nn.Sequential) for block in others) == 3  # where stages 2, 3 and 4 begin
    assert [child for child, _ in on_meta(name).head.named_children()] == ["bn", "relu", "pool", "flatten", "fc"]


def test_shortcut_a_takes_every_second_pixel_and_adds_maps_of_zeros():
    x = torch.arange(32.0).reshape(1, 2, 4, 4)
    expected = torch.zeros(1, 5, 2, 2)
    expected[0, 0], expected[0, 1] = torch.tensor([[0.0, 2], [8, 10]]), torch.tensor([[16.0, 18], [24, 26]])
    assert torch.equal(PaddingShortcut(5, 2)(x), expected)


def test_a_plain_network_is_its_resnet_with_nothing_added():
    torch.manual_seed(0)
    plain, residual = (
        create_model("plain18", small=True, width=0.25).eval(),
        create_model("resnet18", small=True, width=0.25),
    )
    plain.load_state_dict({key: value for key, value in residual.state_dict().items() if "shortcut" not in key})
    x = torch.randn(2, 3, 32, 32)
    expected = plain.stem(x)
    for block in residual_blocks(plain):
        expected = F.relu(block.residual(expected))
    assert torch.equal(plain(x), plain.head(expected))
    assert all(block.shortcut is None for block in residual_blocks(plain))


def test_weights_begin_with_the_variance_of_two_over_fan_out():
    torch.manual_seed(0)
    for module in create_model("resnet50", small=True, width=0.5).modules():
        if isinstance(module, nn.Conv2d):
            scaled = module.weight * (module.weight[:, 0].numel() / 2) ** 0.5
            assert scaled.std().item() == pytest.approx(1, abs=4 / scaled.numel() ** 0.5)


def test_survival_falls_linearly_to_the_last_block():
    blocks = residual_blocks(on_meta("resnet50", survival=0.5))
    assert [block.residual.survival for block in blocks] == pytest.approx([1 - n / 32 for n in range(1, 17)])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet50", {"stride_in": "2x2"}, r"stride_in \(='2x2'\) must be '1x1' or '3x3'"),
        ("resnet18", {"shortcut": "C"}, r"shortcut \(='C'\) must be 'A' \(padding\) or 'B'"),
        ("resnet34", {"shortcut": "none"}, "the plain networks"),
        ("resnet18_v2", {"width": 0}, r"width \(=0\) must be above 0"),
        ("resnet101", {"survival": 0}, r"survival \(=0\) of the last block must be above 0"),
    ],
)
def test_an_option_that_does_not_exist_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        on_meta(name, **options)


@pytest.mark.parametrize(("name", "options"), [("resnet18", {}), ("resnet34", {}), ("resnet50", {"stride_in": "3x3"})])
def test_output_is_that_of_torchvisions_twin(name, options):
    torch.manual_seed(0)
    theirs = randomised(torchvision.models.get_model(name, num_classes=5))
    ours = create_model(name, num_classes=5, **options).double().eval()
    load_torchvision_weights(ours, theirs.state_dict())
    x = torch.randn(2, 3, 40, 33, dtype=torch.float64)
    expected = theirs(x)
    torch.testing.assert_close(ours(x), expected, rtol=0, atol=1e-5 * expected.abs().max().item())
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * expected.abs().max()  # it depends on the image


@pytest.mark.parametrize("name", ["resnet101", "resnet152"])
def test_names_and_shapes_of_torchvisions_weights_fit(name):
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name)
    load_torchvision_weights(on_meta(name, stride_in="3x3"), theirs.state_dict())


@pytest.mark.parametrize("name", ["resnet50", "resnet50_v2", "plain34"])
def test_a_network_that_torchvision_does_not_have_refuses_its_weights(name):
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name.replace("plain", "resnet").removesuffix("_v2"))
    with pytest.raises(ValueError, match=r"no network that computes what this ResNet does|do not fit ResNet"):
        load_torchvision_weights(on_meta(name), theirs.state_dict())
