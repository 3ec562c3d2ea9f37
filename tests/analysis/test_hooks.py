import random
import threading
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.analysis.hooks import capture, given_back, same_random_numbers_after, untouched


class Counter(nn.Module):
    """Replaces a buffer and draws random numbers whenever it runs, whatever its mode."""

    def __init__(self):
        super().__init__()
        self.register_buffer("runs", torch.zeros(()))

    def forward(self, x):
        self.runs = self.runs + 1
        return x + torch.rand_like(x)


def network():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True), nn.Dropout(), Counter(), nn.Flatten()
    )


def state(model):
    hooks = [len(module._forward_hooks) for module in model.modules()]
    modes = [module.training for module in model.modules()]
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    return weights, hooks, modes, torch.get_rng_state(), torch.is_grad_enabled()


def assert_same(before, after):
    assert before[0].keys() == after[0].keys()
    for name in before[0]:
        assert torch.equal(before[0][name], after[0][name]), f"{name} changed"
    assert before[1:3] == after[1:3]
    assert torch.equal(before[3], after[3]), "the random numbers went on"
    assert before[4] == after[4]


def test_outputs_are_those_of_the_layers_in_order():
    model, images = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Sigmoid(), nn.Flatten()), torch.randn(2, 1, 6, 6)
    with capture(model) as outputs:
        model(images)
    assert list(outputs) == ["0", "1", "2"]
    torch.testing.assert_close(outputs["0"], model[0](images))
    torch.testing.assert_close(outputs["2"], model(images))


def test_an_inplace_relu_does_not_overwrite_what_was_captured():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True))
    with capture(model) as outputs:
        model(torch.randn(1, 1, 8, 8))
    assert outputs["0"].min() < 0 <= outputs["1"].min()


def test_a_shared_layer_is_captured_at_every_call():
    relu = nn.ReLU()
    model = nn.Sequential(relu, nn.Conv2d(1, 1, 3), relu)
    with capture(model, ["0"]) as outputs:
        model(torch.randn(1, 1, 8, 8))
    assert [tuple(output.shape) for output in outputs.values()] == [(1, 1, 8, 8), (1, 1, 6, 6)]
    assert list(outputs) == ["0", "0_1"]


def test_model_and_random_numbers_are_left_as_they_were():
    model = network().train()
    model[1].eval()  # a frozen part stays frozen, the rest stays in training mode
    before = state(model)
    with capture(model):
        assert not torch.is_grad_enabled()
        model(torch.randn(2, 1, 8, 8))
    assert_same(before, state(model))


@pytest.mark.parametrize("context", [capture, untouched])
def test_model_is_left_as_it_was_after_an_exception(context):
    model = network().train()
    model.append(nn.Linear(1, 1))  # refuses what the layers before it return, after they ran
    before = state(model)
    with pytest.raises(RuntimeError, match="multiplied"), context(model):
        model(torch.randn(2, 1, 8, 8))
    assert_same(before, state(model))


@pytest.mark.parametrize("context", [capture, untouched])
def test_what_is_no_module_is_refused(context):
    with pytest.raises(TypeError, match=r"must be an nn.Module, not str"), context("lenet5"):
        pass


class Keeper(nn.Module):
    """Keeps what it saw in a list, a dict, a set, a tensor that is no buffer, and under a new name."""

    def __init__(self):
        super().__init__()
        self.layer, self.list, self.dict, self.set, self.last = nn.Linear(2, 2), [1], {1: 1}, {1}, torch.zeros(2)
        self.register_buffer("runs", torch.zeros(()))

    def forward(self, x):
        self.list.append(2)
        self.dict[2] = 2
        self.set.add(2)
        self.last += 1
        self.runs += 1  # in place
        self.new = random.random() + np.random.rand()
        self.layer.requires_grad_(not self.layer.bias.requires_grad)
        return self.layer(x)


@pytest.mark.parametrize("problem", [None, KeyboardInterrupt])
def test_what_a_module_keeps_and_the_gradients_it_asks_for_are_given_back(problem):
    model = Keeper()
    model.layer.weight.requires_grad_(False)
    inside = model.list, model.dict, model.set, model.last
    numbers = random.getstate(), np.random.get_state()[1].tolist()
    with pytest.raises(problem) if problem else nullcontext(), given_back(model):
        model(torch.ones(1, 2))
        model.list = []  # another one
        if problem:
            raise problem
    assert not hasattr(model, "new")
    assert all(
        now is before for now, before in zip((model.list, model.dict, model.set, model.last), inside, strict=True)
    )
    assert (model.list, model.dict, model.set, model.last.tolist()) == ([1], {1: 1}, {1}, [0, 0])
    assert model.runs == 0
    assert [model.layer.weight.requires_grad, model.layer.bias.requires_grad] == [False, True]
    assert (random.getstate(), np.random.get_state()[1].tolist()) == numbers


def test_random_numbers_of_an_apple_gpu_are_given_back(monkeypatch):
    state = [7]
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: state[0])
    monkeypatch.setattr(torch.mps, "set_rng_state", lambda before: state.__setitem__(0, before))
    with same_random_numbers_after([torch.device("mps")]):
        state[0] = 8
    assert state == [7]


def test_a_look_in_another_thread_sets_back_no_random_numbers_that_a_cell_draws_meanwhile():
    model, looking, drawn = Counter(), threading.Event(), threading.Event()

    def work():
        with untouched(model):
            looking.set()
            assert drawn.wait(60)

    before = torch.get_rng_state(), random.getstate(), np.random.get_state()
    expected = draws(), draws()
    torch.set_rng_state(before[0])
    random.setstate(before[1])
    np.random.set_state(before[2])
    thread = threading.Thread(target=work)
    thread.start()
    assert looking.wait(60)
    first = draws()
    drawn.set()
    thread.join()
    assert (first, draws()) == expected


def draws():
    return torch.rand(()).item(), random.random(), np.random.rand()


def test_hooks_of_others_stay():
    model, seen = network(), []
    model[0].register_forward_hook(lambda *_: seen.append(1))
    with capture(model):
        model(torch.randn(1, 1, 8, 8))
    model(torch.randn(1, 1, 8, 8))
    assert seen == [1, 1]


def test_an_unknown_layer_is_named_with_those_that_exist():
    model = network()
    message = r"Sequential has no layer 'c3'; its layers are 0, 1, 2, 3, 4, 5"
    with pytest.raises(ValueError, match=message), capture(model, ["0", "c3"]):
        model(torch.randn(1, 1, 8, 8))
    assert not any(module._forward_hooks for module in model.modules())
