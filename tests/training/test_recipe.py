import json
from dataclasses import asdict, fields

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cnnviz.training import Recipe


def test_every_field_has_a_unit():
    assert all(Recipe.unit(field.name) for field in fields(Recipe))


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"epochs": 0}, ValueError, r"epochs \(=0\) must be at least 1 .*passes over the training images"),
        ({"epochs": 1.5}, TypeError, r"epochs \(=1.5\) must be a whole number, not float"),
        ({"batch_size": -4}, ValueError, r"batch_size \(=-4\) must be at least 1"),
        ({"batch_size": True}, TypeError, r"batch_size \(=True\) must be a whole number"),
        ({"lr": -0.1}, ValueError, r"lr \(=-0.1\) must be at least 0"),
        ({"lr": float("nan")}, ValueError, r"lr \(=nan\)"),
        ({"lr": float("inf")}, ValueError, r"lr \(=inf\) must be at least 0 and finite"),
        ({"lr": "0.1"}, TypeError, r"lr \(='0.1'\) must be a number, not str"),
        ({"momentum": 1.5}, ValueError, r"momentum \(=1.5\) must be from 0 to 1"),
        ({"flip": 50}, ValueError, r"flip \(=50\) must be from 0 to 1: fraction"),
        ({"warmup": 6}, ValueError, r"warmup \(=6\) must be from 0 to 5"),
        ({"crop_padding": -1}, ValueError, r"crop_padding \(=-1\)"),
        ({"optimizer": "adam"}, ValueError, r"optimizer \(='adam'\) must be one of sgd, adamw"),
        (
            {"schedule": "linear"},
            ValueError,
            r"schedule \(='linear'\) must be one of constant, step, cosine, one-cycle",
        ),
        ({"schedule": "step"}, ValueError, r"schedule \(='step'\) and steps \(=\(\)\) do not fit: step needs steps"),
        ({"steps": ((0.5, 0.1),)}, ValueError, r"schedule \(='cosine'\) and steps .* do not fit"),
        (
            {"schedule": "step", "steps": ((2, 0.1),)},
            ValueError,
            r"steps .* must be pairs \(share of the run from 0 to 1",
        ),
        ({"precision": "fp16"}, ValueError, r"precision \(='fp16'\) must be one of float32, bf16"),
        ({"nesterov": True, "momentum": 0}, ValueError, "nesterov=True needs a momentum above 0"),
        ({"clip_norm": -1}, ValueError, r"clip_norm \(=-1\) must be at least 0"),
        ({"loss": "softmax"}, ValueError, r"loss \(='softmax'\) must be one of cross_entropy, bce"),
        ({"loss": "hinge", "label_smoothing": 0.1}, ValueError, "no meaning for the loss hinge"),
    ],
)
def test_a_number_out_of_range_is_refused_with_what_is_allowed(changes, kind, message):
    with pytest.raises(kind, match=message):
        Recipe(**changes)


@given(epochs=st.integers(1, 50), warmup=st.floats(0, 1), lr=st.floats(1e-6, 10), when=st.floats(0, 1))
def test_lr_rises_during_the_warm_up_and_never_exceeds_lr(epochs, warmup, lr, when):
    recipe = Recipe(epochs=epochs, warmup=warmup * epochs, lr=lr)
    assert 0 <= recipe.lr_at(when * epochs) <= lr
    if recipe.warmup > 1e-3:
        assert recipe.lr_at(recipe.warmup / 2) == pytest.approx(lr / 2)


def test_cosine_goes_from_lr_through_half_to_0_and_constant_stays():
    cosine, constant = Recipe(epochs=10, lr=0.4), Recipe(epochs=10, lr=0.4, schedule="constant")
    assert [cosine.lr_at(epoch) for epoch in (0, 5, 10)] == pytest.approx([0.4, 0.2, 0])
    assert [constant.lr_at(epoch) for epoch in (0, 5, 10)] == [0.4, 0.4, 0.4]


def test_cosine_is_torchs():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=7)
    recipe = Recipe(epochs=7, lr=0.3)
    for epoch in range(7):
        assert recipe.lr_at(epoch) == pytest.approx(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()


def test_one_cycle_is_torchs():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.3)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.3, total_steps=10_001, cycle_momentum=False)
    recipe = Recipe(epochs=10, lr=0.3, schedule="one-cycle")
    for step in range(10_000):
        assert recipe.lr_at(step / 1000) == pytest.approx(scheduler.get_last_lr()[0], abs=2e-4)
        optimizer.step()
        scheduler.step()
    assert max(recipe.lr_at(step / 100) for step in range(1001)) == pytest.approx(0.3) == recipe.lr_at(3)


def test_steps_are_torchs_multi_step_and_begin_at_their_share_of_the_run():
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[82, 123])
    recipe = Recipe(epochs=164, lr=0.1, schedule="step", steps=((0.5, 0.1), (0.75, 0.01)))
    for epoch in range(164):
        assert recipe.lr_at(epoch) == pytest.approx(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()


@given(losses=st.lists(st.floats(0.5, 1.5), max_size=40), patience=st.integers(0, 4))
def test_plateau_is_torchs_and_needs_nothing_but_the_losses_so_far(losses, patience):
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=patience, eps=0)
    recipe = Recipe(epochs=40, lr=1.0, schedule="plateau", patience=patience)
    for done, loss in enumerate(losses, 1):
        scheduler.step(loss)
        assert recipe.lr_at(done, losses[:done]) == pytest.approx(scheduler.get_last_lr()[0])


def test_a_recipe_that_was_written_as_json_is_the_same_recipe():
    recipe = Recipe(schedule="step", steps=((0.5, 0.1),), loss="two_level", groups=((0, 1), (2,)))
    assert Recipe(**json.loads(json.dumps(asdict(recipe)))) == recipe


def test_optimizers_are_torchs_with_the_recipes_numbers():
    sgd = Recipe(lr=0.3, momentum=0.8, nesterov=True, weight_decay=0.01).build_optimizer(nn.Linear(2, 2))
    adamw = Recipe(lr=0.002, weight_decay=0.1, optimizer="adamw").build_optimizer(nn.Linear(2, 2))
    assert isinstance(sgd, torch.optim.SGD)
    assert isinstance(adamw, torch.optim.AdamW)
    assert [sgd.defaults[key] for key in ("lr", "momentum", "nesterov", "weight_decay")] == [0.3, 0.8, True, 0.01]
    assert [adamw.defaults[key] for key in ("lr", "weight_decay")] == [0.002, 0.1]


def test_frozen_parameters_are_left_out_and_nothing_to_train_is_an_error():
    model = nn.Linear(2, 2)
    model.bias.requires_grad = False
    [group] = Recipe().build_optimizer(model).param_groups
    assert group["params"] == [model.weight]
    model.weight.requires_grad = False
    with pytest.raises(ValueError, match="no parameter with requires_grad=True"):
        Recipe().build_optimizer(model)


def test_description_names_every_field():
    text = Recipe(lr=0.3).describe()
    assert "lr = 0.3" in text
    assert all(field.name in text for field in fields(Recipe))
