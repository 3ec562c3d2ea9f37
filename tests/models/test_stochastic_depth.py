import inspect
from collections import OrderedDict

import pytest
import torch
from torch import nn

from cnnviz.models import MODELS, create_model
from cnnviz.models.resnet import residual_blocks
from cnnviz.models.stochastic_depth import StochasticDepth, survival_probabilities
from tests.models.networks import on_meta


def branch(survival):
    layer = nn.Conv2d(2, 3, 1)
    return StochasticDepth(nn.Sequential(OrderedDict(conv=layer)), survival), layer


def test_survival_probabilities_fall_linearly():
    assert survival_probabilities(4, last=0.5) == [0.875, 0.75, 0.625, 0.5]
    assert survival_probabilities(3, last=1) == [1, 1, 1]


def test_three_quarters_of_the_blocks_of_a_deep_network_survive():
    """The paper's 110 layers have 54 blocks, of which 40 are expected to take part (section 3)."""
    assert round(sum(survival_probabilities(54, last=0.5))) == 40


@pytest.mark.parametrize("last", [0, -0.1, 1.2])
def test_a_survival_that_is_no_probability_is_refused(last):
    with pytest.raises(ValueError, match=rf"survival \(={last}\) of the last block must be above 0 and at most 1"):
        survival_probabilities(3, last)


def test_in_training_a_branch_takes_part_as_often_as_its_probability_says():
    torch.manual_seed(0)
    survivor, layer = branch(0.3)
    x = torch.randn(2, 2, 4, 4)
    outputs = [survivor(x) for _ in range(2000)]
    took_part = [output.shape == (2, 3, 4, 4) for output in outputs]
    assert sum(took_part) / len(took_part) == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 2000) ** 0.5)
    assert all(torch.equal(y, layer(x)) if there else y == 0 for y, there in zip(outputs, took_part, strict=True))


def test_in_evaluation_the_branch_is_scaled_by_its_probability():
    survivor, layer = branch(0.3)
    x = torch.randn(2, 2, 4, 4)
    torch.testing.assert_close(survivor.eval()(x), 0.3 * layer(x))


def test_a_skipped_branch_is_not_computed_and_gets_no_gradient(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda size: torch.tensor(0.99))
    model = create_model("resnet18", num_classes=3, small=True, width=0.25, survival=0.5).train()
    calls = []
    for block in residual_blocks(model):
        block.residual.conv1.register_forward_hook(lambda *args: calls.append(args))
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    assert calls == []
    assert all(parameter.grad is None for block in residual_blocks(model) for parameter in block.residual.parameters())
    assert all(block.residual.bn1.num_batches_tracked == 0 for block in residual_blocks(model))
    assert model.stem.conv.weight.grad.abs().sum() > 0


def test_the_last_block_that_shrinks_the_maps_can_be_skipped_too():
    torch.manual_seed(0)
    model = create_model("resnet50", small=True, width=0.125, survival=0.01).train()
    assert model(torch.randn(2, 3, 16, 16)).shape == (2, 1000)


@pytest.mark.parametrize("name", ["resnet18", "resnet18_v2"])
def test_names_of_the_weights_are_those_without_stochastic_depth(name):
    options = {"num_classes": 4, "small": True, "width": 0.25}
    assert list(create_model(name, survival=0.5, **options).state_dict()) == list(
        create_model(name, **options).state_dict()
    )


def test_survival_1_is_the_network_itself():
    assert not any(
        isinstance(block.residual, StochasticDepth) for block in residual_blocks(create_model("resnet18", small=True))
    )


def test_a_printed_network_says_the_probability():
    assert "survival=0.562" in repr(create_model("resnet18", small=True, width=0.25, survival=0.5))


FAMILIES = ("resnet18", "resnet50_v2", "resnet20", "resnext50_32x4d", "inception_resnet_v2", "mobilenet_v2", "xception")
FAMILIES += ("xception_small",)


@pytest.mark.parametrize("name", FAMILIES)
def test_every_residual_family_has_it_in_all_blocks_with_a_shortcut_and_in_their_order(name):
    options = {"num_classes": 3, "survival": 0.5} | ({} if name == "resnet20" else {"small": True})
    model = on_meta(name, **options)
    blocks = [block for block in residual_blocks(model) if block.shortcut is not None]
    assert [block.residual.survival for block in blocks] == pytest.approx(survival_probabilities(len(blocks), 0.5))
    others = [block for block in residual_blocks(model) if block.shortcut is None]
    assert not any(isinstance(block.residual, StochasticDepth) for block in others)
    assert list(model.state_dict()) == list(on_meta(name, **options | {"survival": 1.0}).state_dict())


def test_a_network_has_the_option_if_and_only_if_it_has_residual_blocks_with_shortcuts():
    """NASNet's cells add, too, but the sums are of their branches: no way leads past a cell unchanged."""
    with_blocks = {
        name for name in MODELS if any(block.shortcut is not None for block in residual_blocks(on_meta(name)))
    }
    assert {name for name in MODELS if "survival" in inspect.signature(MODELS[name]).parameters} == with_blocks


@pytest.mark.parametrize("name", ["mobilenet_v2", "xception", "xception_small"])
def test_a_block_can_be_taken_apart(name):
    torch.manual_seed(0)
    model = create_model(name, num_classes=3, small=True, width=0.25).eval()
    seen = {}
    for block in residual_blocks(model):
        block.register_forward_hook(lambda block, args, output: seen.update({block: (args[0], output)}))
    model(torch.randn(2, 3, 32, 32))
    for block, (x, output) in seen.items():
        assert output.shape[1] == block.out_channels
        inside = block.pre(x)
        past = 0 if block.shortcut is None else block.shortcut(inside)
        torch.testing.assert_close(block.post(past + block.residual(inside)), output)


@pytest.mark.parametrize("name", ["mobilenet_v2", "xception", "xception_small"])
def test_skipped_branches_leave_the_shortcuts(name, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda size: torch.tensor(0.99))
    model = create_model(name, num_classes=3, small=True, width=0.25, survival=0.5).train()
    model(torch.randn(4, 3, 32, 32)).sum().backward()
    for block in residual_blocks(model):
        without = all(parameter.grad is None for parameter in block.residual.parameters())
        assert without == (block.shortcut is not None)
