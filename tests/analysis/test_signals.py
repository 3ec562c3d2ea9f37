"""The health of every layer: numbers that autograd gives one layer at a time, and a model that stays as it was."""

import copy
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cnnviz.analysis.signals import signals, update_ratios, weights_of


def mean_loss(outputs, labels):
    return F.cross_entropy(outputs, labels)


def batch(count=16):
    generator = torch.Generator().manual_seed(0)
    images = 3 + 2 * torch.randn(count, 1, 8, 8, generator=generator)
    return images, torch.randint(10, (count,), generator=generator)


def network(**options):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=options.get("inplace", False)),
        nn.Flatten(),
        nn.Dropout(options.get("dropout", 0.0)),
        nn.Linear(4 * 36, 10),
    )


def test_activations_and_gradients_are_those_of_each_layer():
    model, (images, labels) = network(), batch()
    found = signals(model, images, labels, mean_loss)
    maps = model[0](images)
    maps.retain_grad()
    logits = model[1:](maps)
    logits.retain_grad()
    mean_loss(logits, labels).backward()
    assert found.layers == ("0", "5")
    for name, output, layer in (("0", maps, model[0]), ("5", logits, model[5])):
        one = found.of(name)
        assert one["activation_mean"] == pytest.approx(output.mean().item(), abs=1e-6)
        assert one["activation_std"] == pytest.approx(output.std().item(), rel=1e-5)
        assert one["gradient_std"] == pytest.approx(16 * output.grad.std().item(), rel=1e-4)
        assert one["gradient_norm"] == pytest.approx(layer.weight.grad.norm().item(), rel=1e-5)
    assert (found.input_mean, found.input_std) == pytest.approx((images.mean().item(), images.std().item()))


def test_an_inplace_activation_does_not_change_what_is_measured():
    assert signals(network(inplace=True), *batch(), mean_loss) == signals(network(), *batch(), mean_loss)


def test_gradients_of_one_image_do_not_depend_on_the_number_of_images():
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    (images, labels), twice = batch(), lambda x: torch.cat([x, x])
    one, two = (signals(model, *pair, mean_loss) for pair in ((images, labels), (twice(images), twice(labels))))
    assert two.gradient_std[0] == pytest.approx(one.gradient_std[0], rel=0.01)  # std divides by n - 1


def test_a_filter_behind_a_dead_relu_is_silent():
    model = network()
    model[1].weight.data[:3] = 0  # its maps are constant, and below 0: the ReLU shuts them
    model[1].bias.data[:3] = -1
    assert signals(model, *batch(), mean_loss).of("0")["silent"] == 0.75


def test_all_zeros_is_silent_but_for_the_last_bias():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 10))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    found = signals(model, *batch(), mean_loss)
    assert found.silent == (1.0, 1.0)
    assert found.activation_std == (0.0, 0.0)


def test_layers_stand_in_the_order_in_which_they_run_and_those_that_do_not_run_are_left_out():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first, self.idle = nn.Linear(8, 10), nn.Linear(64, 8), nn.Linear(3, 3)

        def forward(self, x):
            return self.last(self.first(x.flatten(1)))

    assert signals(Turned(), *batch(), mean_loss).layers == ("first", "last")


def test_a_layer_that_is_not_trained_has_no_gradient():
    model = network().requires_grad_(False)
    found = signals(model, *batch(), mean_loss)
    assert all(math.isnan(one) for one in (*found.gradient_std, *found.gradient_norm, *found.silent))
    model[5].requires_grad_(True)
    found = signals(model, *batch(), mean_loss)
    assert math.isnan(found.gradient_norm[0])
    assert found.gradient_norm[1] > 0


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda x: F.dropout(x, 0.5), id="dropout that does not ask whether it trains"),
        pytest.param(lambda x: F.batch_norm(x, None, None, training=True), id="statistics of the batch"),
    ],
)
def test_a_model_that_still_trains_in_evaluation_has_noise_and_a_sound_one_has_none(broken):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(64, 10)

        def forward(self, x):
            return self.head(broken(x).flatten(1))

    assert signals(Model(), *batch(), mean_loss).evaluation_noise > 0.02
    assert signals(network(dropout=0.5), *batch(), mean_loss).evaluation_noise < 1e-4


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_stays_as_it_was(fails):
    model, (images, labels) = network(dropout=0.5).eval(), batch()
    model[0].train()
    model[5].weight.grad = torch.ones_like(model[5].weight)
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    state = torch.get_rng_state()

    def objective(outputs, labels):
        if fails:
            raise KeyboardInterrupt
        return mean_loss(outputs, labels)

    try:
        signals(model, images, labels, objective)
    except KeyboardInterrupt:
        assert fails
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert (model[5].weight.grad == 1).all()
    assert model[0].weight.grad is None
    assert all(not module._forward_hooks for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_update_ratio_is_the_step_over_the_weight():
    model = network()
    before = weights_of(model)
    with torch.no_grad():
        model[0].weight *= 1.01
    assert update_ratios(model, before) == pytest.approx({"0": 0.01, "5": 0.0}, rel=1e-3)


def test_it_says_how_signals_go_from_the_first_layer_to_the_last():
    assert "2 layers, from 0 to 5: deviation of the activations" in signals(network(), *batch(), mean_loss).describe()
