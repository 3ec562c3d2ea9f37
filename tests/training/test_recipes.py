"""The papers' numbers, counted in their own units."""

import math

import pytest
import torch

from cnnviz.datasets import load_dataset
from cnnviz.models import lenet5
from cnnviz.training import fit
from cnnviz.training.recipes import RECIPES


def test_he_takes_64000_batches_and_steps_after_32000_and_48000():
    recipe = RECIPES["he2015_cifar"]
    batches = math.ceil(50_000 / recipe.batch_size)
    assert recipe.epochs * batches == pytest.approx(64_000, rel=0.005)
    rates = {recipe.lr_at(count / batches) for count in range(0, 31_900, 100)}
    assert rates == {0.1}
    assert recipe.lr_at(32_200 / batches) == recipe.lr_at(47_900 / batches) == pytest.approx(0.01)
    assert recipe.lr_at(48_200 / batches) == recipe.lr_at(64_000 / batches) == pytest.approx(0.001)


def test_lenet_of_1998_takes_its_five_step_sizes_in_20_passes():
    recipe = RECIPES["lenet1998"]
    printed = [0.0005] * 2 + [0.0002] * 3 + [0.0001] * 3 + [0.00005] * 4 + [0.00001] * 8
    assert [recipe.lr_at(epoch + 0.5) for epoch in range(20)] == pytest.approx(printed)


@pytest.mark.parametrize("name", RECIPES)
def test_a_batch_of_each_recipe_leaves_a_finite_network(name):
    data = load_dataset("digits").subset(train=64, test=10)
    with torch.random.fork_rng(devices=[]):
        model = lenet5()
    run = fit(model, data, RECIPES[name], device="cpu")
    records = [next(run), next(run)]
    assert all(math.isfinite(record.test_loss) for record in records)
    assert records[0].test_loss != records[1].test_loss
