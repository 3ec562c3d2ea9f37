import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnviz.datasets import published
from cnnviz.models import create_model
from cnnviz.models.resnet import PaddingShortcut, residual_blocks
from cnnviz.models.resnet_cifar import ResNetCifar
from cnnviz.models.stochastic_depth import StochasticDepth
from tests.models.networks import count, on_meta

RESNETS = [f"resnet{depth}" for depth in (20, 32, 44, 56, 110, 1202)]
PLAIN = [f"plain{depth}" for depth in (20, 32, 44, 56, 110)]


def count_of_section_4_2(depth):
    """Add up 6n + 1 convolutions, each normalised (two numbers a map), and the linear layer from 64 to 10."""
    n = (depth - 2) // 6
    weights = 9 * (3 * 16 + 2 * n * 16 * 16 + 16 * 32 + (2 * n - 1) * 32 * 32 + 32 * 64 + (2 * n - 1) * 64 * 64)
    return weights + 2 * (16 + 2 * n * (16 + 32 + 64)) + 650


@pytest.mark.parametrize("name", RESNETS + PLAIN)
def test_parameters_are_those_of_section_4_2(name):
    [row] = published(model=name, quantity="parameters")
    assert count(on_meta(name)) == row.value == count_of_section_4_2(int(name.strip("resntplai")))


@pytest.mark.parametrize("name", RESNETS)
def test_parameters_round_to_those_that_table_6_prints(name):
    [row] = published(model=name, quantity="parameters, as printed")
    digits = 1 if row.value > 1 else 2
    assert round(count(on_meta(name)) / 1e6, digits) == row.value


@pytest.mark.parametrize("name", RESNETS)
def test_depth_is_the_number_of_layers_with_weights(name):
    layers = [m for m in on_meta(name).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert f"resnet{len(layers)}" == name


@pytest.mark.parametrize("name", ["resnet20", "resnet56"])
def test_projections_add_2752_parameters_and_preactivation_none(name):
    assert count(on_meta(name, shortcut="B")) - count(on_meta(name)) == 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64 == 2752
    assert count(on_meta(name, preactivation=True)) == count(on_meta(name))
    assert count(on_meta(name, preactivation=True, shortcut="B")) - count(on_meta(name)) == 16 * 32 + 32 * 64


@pytest.mark.parametrize("options", [{}, {"shortcut": "B"}, {"preactivation": True}])
def test_stages_are_the_children_in_order_and_have_the_papers_shapes(options):
    model, seen = create_model("resnet20", **options), {}
    for child, module in model.named_children():
        module.register_forward_hook(lambda m, x, y, child=child: seen.update({child: tuple(y.shape[1:])}))
    model(torch.zeros(2, 3, 32, 32))
    maps = {"stage1": (16, 32, 32), "stage2": (32, 16, 16), "stage3": (64, 8, 8)}
    assert seen == {"stem": (16, 32, 32)} | maps | {"head": (10,)}
    assert list(seen) == [child for child, _ in model.named_children()]


def test_maps_are_padded_where_a_stage_begins_and_otherwise_left_alone():
    shortcuts = [block.shortcut for block in residual_blocks(on_meta("resnet56"))]
    assert [type(shortcut) for shortcut in shortcuts].count(PaddingShortcut) == 2
    assert [i for i, shortcut in enumerate(shortcuts) if not isinstance(shortcut, nn.Identity)] == [9, 18]


def test_a_plain_network_has_the_weights_of_its_resnet_and_no_way_past_them():
    torch.manual_seed(0)
    plain, residual = create_model("plain20").eval(), create_model("resnet20")
    plain.load_state_dict(residual.state_dict())
    x = torch.randn(2, 3, 32, 32)
    expected = plain.stem(x)
    for block in residual_blocks(plain):
        expected = F.relu(block.residual(expected))
    assert torch.equal(plain(x), plain.head(expected))


def test_a_preactivated_network_adds_up_what_its_blocks_say():
    """From the second block of a stage on, the sum is only ever added to; the head activates it."""
    torch.manual_seed(0)
    model = create_model("resnet20", preactivation=True).eval()
    x = model.stem(torch.randn(2, 3, 32, 32))
    assert (x >= 0).all()  # activated once, before the first fork
    for first, *others in (model.stage1, model.stage2, model.stage3):
        x = first(x)
        corrections = []
        for block in others:
            corrections.append(block.residual(x + sum(corrections)))
        x = x + sum(corrections)
    expected = model.head.fc(F.relu(model.head.bn(x)).mean((2, 3)))
    torch.manual_seed(0)
    model = create_model("resnet20", preactivation=True).eval()
    torch.testing.assert_close(model(torch.randn(2, 3, 32, 32)), expected)


def test_the_smallest_image_works_and_a_smaller_one_is_refused():
    model = create_model("resnet20", num_classes=2, in_channels=1).eval()
    assert model(torch.zeros(1, 1, 4, 5)).shape == (1, 2)
    with pytest.raises(ValueError, match=r"ResNet for CIFAR takes images .* at least 4 pixels, not 1 x 1 x 4 x 3"):
        model(torch.zeros(1, 1, 4, 3))


def test_width_scales_every_number_of_channels():
    convs = [m.out_channels for m in on_meta("resnet20", width=2).modules() if isinstance(m, nn.Conv2d)]
    assert convs == 7 * [32] + 6 * [64] + 6 * [128]


def test_survival_falls_linearly_over_all_54_blocks():
    survivors = [
        module for module in on_meta("resnet110", survival=0.5).modules() if isinstance(module, StochasticDepth)
    ]
    assert [survivor.survival for survivor in survivors] == pytest.approx([1 - n / 108 for n in range(1, 55)])


@pytest.mark.parametrize("options", [{}, {"preactivation": True, "survival": 0.5}, {"shortcut": "B", "survival": 0.5}])
def test_a_step_down_the_gradient_lowers_the_loss(options):
    torch.manual_seed(0)
    model = create_model("resnet20", **options).eval()
    x, y = torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 3])
    before = F.cross_entropy(model(x), y)
    before.backward()
    squared = sum(parameter.grad.square().sum() for parameter in model.parameters())
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 1e-3 / squared * parameter.grad
        assert F.cross_entropy(model(x), y) - before == pytest.approx(-1e-3, rel=0.2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ResNetCifar(21), r"depth \(=21\) must be 6n \+ 2"),
        (lambda: ResNetCifar(2), r"depth \(=2\) must be 6n \+ 2"),
        (lambda: create_model("resnet20", shortcut="none"), r"shortcut \(='none'\) must be 'A' \(padding\) or 'B'"),
        (lambda: create_model("resnet20", survival=2), r"survival \(=2\) of the last block"),
    ],
)
def test_an_option_that_does_not_exist_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
