import pytest
import torch
import torchvision
from torch import nn

from cnnviz.datasets import published
from cnnviz.models import create_model
from cnnviz.models.resnet import residual_blocks
from cnnviz.models.resnext import ResNeXtBlock
from cnnviz.models.torchvision_weights import load_torchvision_weights
from tests.models.networks import count, on_meta, randomised

TABLE_1 = {"resnext50_32x4d": ((3, 4, 6, 3), 128), "resnext101_32x8d": ((3, 4, 23, 3), 256)}  # blocks, channels inside


def expected_counts(name):
    """Return parameters and mult-adds, added up over table 1."""
    depths, inside = TABLE_1[name]
    parameters, mult_adds, maps, height = 7 * 7 * 3 * 64 + 2 * 64, 7 * 7 * 3 * 64 * 112 * 112, 64, 56
    for stage, depth in enumerate(depths):
        out = 256 << stage
        for number in range(depth):
            shrinks = stage > 0 and number == 0
            height //= 2 if shrinks else 1
            up, down, paths = maps * inside, inside * out, 9 * inside * inside // 32
            parameters += up + paths + down + 2 * (2 * inside + out)
            mult_adds += up * height**2 * (4 if shrinks else 1) + (paths + down) * height**2
            if maps != out:
                parameters += maps * out + 2 * out
                mult_adds += maps * out * height**2
            maps = out
        inside *= 2
    return parameters + (2048 + 1) * 1000, mult_adds + 2048 * 1000


@pytest.mark.parametrize("name", TABLE_1)
def test_parameters_are_those_of_table_1(name):
    [row] = published(model=name, quantity="parameters")
    assert count(on_meta(name)) == row.value == expected_counts(name)[0]


@pytest.mark.parametrize("name", TABLE_1)
def test_stages_have_the_papers_shapes_and_mult_adds(name):
    model, shapes, mult_adds = on_meta(name), [], []
    hooks = [
        stage.register_forward_hook(lambda m, x, y: shapes.append(tuple(y.shape[1:]))) for stage in model.children()
    ] + [
        layer.register_forward_hook(lambda m, x, y: mult_adds.append(m.weight.numel() * y[0, 0].numel()))
        for layer in model.modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    model(torch.zeros(1, 3, 224, 224, device="meta"))
    for hook in hooks:
        hook.remove()
    maps = [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]
    assert shapes == [(64, 56, 56), *maps, (1000,)]
    assert sum(mult_adds) == expected_counts(name)[1]


def test_resnext_50_has_about_the_numbers_that_table_1_prints():
    [parameters] = published(model="resnext50_32x4d", quantity="parameters, as printed")
    [mult_adds] = published(model="resnext50_32x4d", quantity="mult-adds, as printed")
    assert round(count(on_meta("resnext50_32x4d")) / 1e6, 1) == parameters.value
    assert round(expected_counts("resnext50_32x4d")[1] / 1e9, 1) == mult_adds.value


def test_a_block_is_the_sum_of_its_paths():
    """Figure 3: 32 thin bottlenecks added up (a) are one grouped convolution (c)."""
    torch.manual_seed(0)
    block, x = ResNeXtBlock(256, 64, cardinality=32, group_width=4).eval(), torch.randn(2, 256, 5, 5)
    r, total = block.residual, 0
    for path in range(32):
        mine = slice(4 * path, 4 * path + 4)
        y = torch.relu(r.bn1(r.conv1(x)))[:, mine]
        y = torch.conv2d(y, r.conv2.weight[mine], padding=1)
        y = torch.relu(y / (1 + r.bn2.eps) ** 0.5)  # batch normalisation as it begins: mean 0, variance 1
        total = total + torch.conv2d(y, r.conv3.weight[:, mine])
    torch.testing.assert_close(block(x), torch.relu(x + r.bn3(total)), rtol=1e-4, atol=1e-4)


def test_the_small_form_keeps_stages_and_blocks():
    full, small = on_meta("resnext50_32x4d"), on_meta("resnext50_32x4d", small=True)
    assert small.image_size == 32
    assert [key for key, _ in small.stage4.named_modules()] == [key for key, _ in full.stage4.named_modules()]
    maps = torch.zeros(1, 3, 32, 32, device="meta")
    for stage in (small.stem, small.stage1, small.stage2, small.stage3, small.stage4):
        maps = stage(maps)
    assert maps.shape == (1, 2048, 4, 4)


@pytest.mark.parametrize("width", [0.125, 0.25, 0.6])
def test_any_width_leaves_32_paths_of_whole_channels(width):
    model = create_model("resnext50_32x4d", num_classes=3, small=True, width=width).eval()
    assert all(block.residual.conv2.groups == 32 for block in residual_blocks(model))
    assert model(torch.zeros(1, 3, 8, 8)).shape == (1, 3)


def test_survival_is_an_option():
    blocks = residual_blocks(on_meta("resnext50_32x4d", survival=0.5))
    assert [block.residual.survival for block in blocks] == pytest.approx([1 - n / 32 for n in range(1, 17)])


def test_a_smaller_image_is_refused_by_name():
    with pytest.raises(ValueError, match=r"ResNeXt takes images .* at least 32 pixels, not 1 x 3 x 31 x 32"):
        on_meta("resnext50_32x4d")(torch.zeros(1, 3, 31, 32, device="meta"))


def test_output_is_that_of_torchvisions_twin():
    theirs = randomised(torchvision.models.resnext50_32x4d(num_classes=5))
    ours = create_model("resnext50_32x4d", num_classes=5).double().eval()
    load_torchvision_weights(ours, theirs.state_dict())
    x = torch.randn(2, 3, 40, 33, dtype=torch.float64)
    expected = theirs(x)
    torch.testing.assert_close(ours(x), expected, rtol=0, atol=1e-5 * expected.abs().max().item())
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * expected.abs().max()  # it depends on the image


def test_names_and_shapes_of_torchvisions_weights_fit_resnext_101():
    with torch.device("meta"):
        theirs = torchvision.models.resnext101_32x8d()
    load_torchvision_weights(on_meta("resnext101_32x8d"), theirs.state_dict())
