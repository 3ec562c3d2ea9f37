"""Losses beside torch's own, and by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from cnnviz.analysis.losses import LOSSES, loss_function

GROUPS = ((0, 3), (1, 2, 4))


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(20, 5, generator=generator, dtype=torch.float64)
    return logits, torch.randint(5, (20,), generator=generator)


def make(name, **options):
    return loss_function(name, groups=GROUPS if name == "two_level" else (), **options)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_and_bce_and_l1_and_l2_are_torchs_sums(batch, smoothing):
    logits, labels = batch
    target = (1 - smoothing) * F.one_hot(labels, 5).double() + smoothing / 5
    expected = {
        "cross_entropy": -(target * logits.log_softmax(1)).sum(1),
        "bce": F.binary_cross_entropy_with_logits(logits, target, reduction="none").sum(1),
        "l1": F.l1_loss(logits, target, reduction="none").sum(1),
        "l2": F.mse_loss(logits, target, reduction="none").sum(1),
    }
    for name, values in expected.items():
        torch.testing.assert_close(loss_function(name, label_smoothing=smoothing)(logits, labels), values)


def test_hinge_is_torchs_multi_margin_loss_times_the_classes(batch):
    logits, labels = batch
    expected = 5 * F.multi_margin_loss(logits, labels, reduction="none")
    torch.testing.assert_close(loss_function("hinge")(logits, labels), expected)


def test_two_level_probabilities_sum_to_one_and_multiply_as_by_hand(batch):
    logits, _ = batch
    every = torch.stack([make("two_level")(logits, torch.full((20,), label)) for label in range(5)], 1)
    torch.testing.assert_close((-every).exp().sum(1), torch.ones(20, dtype=torch.float64))
    s = [1.0, 2.0, 0.0, 3.0, 4.0]
    means = [(1 + 3) / 2, (2 + 0 + 4) / 3]
    group = math.exp(means[1]) / (math.exp(means[0]) + math.exp(means[1]))
    inside = math.exp(4) / (math.exp(2) + math.exp(0) + math.exp(4))
    found = make("two_level")(torch.tensor([s], dtype=torch.float64), torch.tensor([4]))
    assert found.item() == pytest.approx(-math.log(group * inside))


def test_two_levels_with_a_group_for_each_class_and_with_one_for_all_are_cross_entropy(batch):
    expected = loss_function()(*batch)
    for groups in (((0,), (1,), (2,), (3,), (4,)), ((0, 1, 2, 3, 4),)):
        torch.testing.assert_close(loss_function("two_level", groups=groups)(*batch), expected)


@pytest.mark.parametrize("name", LOSSES)
def test_each_image_has_its_own_loss_and_a_correct_gradient(name, batch):
    logits, labels = batch
    loss = make(name)
    whole = loss(logits, labels)
    torch.testing.assert_close(whole, torch.cat([loss(logits[i : i + 1], labels[i : i + 1]) for i in range(20)]))
    assert torch.autograd.gradcheck(lambda x: loss(x, labels[:3]), logits[:3].clone().requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_a_gradient_step_on_the_logits_makes_the_right_class_the_largest(name, batch):
    logits, labels = batch
    logits = torch.nn.Parameter(logits)
    optimizer = torch.optim.SGD([logits], lr=0.1)
    for _ in range(400):
        optimizer.zero_grad()
        make(name)(logits, labels).sum().backward()
        optimizer.step()
    assert torch.equal(logits.argmax(1), labels)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("softmax", {}, r"loss \(='softmax'\) must be one of cross_entropy, bce, hinge, l1, l2, two_level"),
        ("hinge", {"label_smoothing": 0.1}, r"label_smoothing \(=0.1\) has no meaning for the loss hinge"),
        ("two_level", {}, "two_level, and only it, needs groups"),
        ("bce", {"groups": GROUPS}, "two_level, and only it, needs groups"),
        ("two_level", {"groups": ((0, 1), (1, 2))}, "must hold each class from 0 on once"),
        ("two_level", {"groups": ((0, 1), ())}, "no group may be empty"),
    ],
)
def test_wrong_names_and_groups_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        loss_function(name, **options)


def test_groups_of_other_classes_than_the_models_are_refused(batch):
    with pytest.raises(ValueError, match="groups hold 3 classes, the model has 5 logits"):
        loss_function("two_level", groups=((0, 1), (2,)))(*batch)
