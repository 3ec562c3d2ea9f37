import traceback

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cnnviz.analysis import evaluate
from cnnviz.models import lenet5


class Table(nn.Module):
    """Returns logits that were written down beforehand: image k holds its own number."""

    def __init__(self, logits):
        super().__init__()
        self.register_buffer("logits", logits)

    def forward(self, x):
        return self.logits[x[:, 0, 0, 0].long()]


def numbered(count):
    return torch.arange(float(count))[:, None, None, None]


def by_hand(logits, labels, topk):
    """The same four results from Python loops over single images."""
    classes = logits.shape[1]
    confusion, predictions, loss, misses = np.zeros((classes, classes), int), [], 0.0, dict.fromkeys(topk, 0)
    for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
        order = sorted(range(classes), key=lambda k: -row[k])
        confusion[label][order[0]] += 1
        predictions.append(order[0])
        loss += np.log(sum(np.exp(value) for value in row)) - row[label]
        for k in topk:
            misses[k] += label not in order[:k]
    count = len(labels)
    return loss / count, {k: missed / count for k, missed in misses.items()}, confusion, predictions


@given(
    seed=st.integers(0, 2**31),
    count=st.integers(1, 30),
    classes=st.integers(1, 7),
    batch_size=st.integers(1, 40),
    topk=st.lists(st.integers(1, 6), min_size=1, max_size=3, unique=True),
)
def test_all_results_are_those_of_a_loop_over_single_images(seed, count, classes, batch_size, topk):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, classes, generator=generator)
    labels = torch.randint(classes, (count,), generator=generator)
    result = evaluate(Table(logits), numbered(count), labels, topk=topk, batch_size=batch_size)
    loss, error, confusion, predictions = by_hand(logits, labels, topk)
    assert result.loss == pytest.approx(loss, rel=1e-4, abs=1e-6)
    assert result.error == pytest.approx(error)
    np.testing.assert_array_equal(result.confusion, confusion)
    assert result.predictions.tolist() == predictions


def test_confusion_is_by_true_then_predicted_class():
    logits = torch.tensor([[0.0, 9, 0], [0, 9, 0], [9, 0, 0]])
    result = evaluate(Table(logits), numbered(3), torch.tensor([2, 1, 0]))
    assert result.confusion.tolist() == [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert result.error == {1: pytest.approx(1 / 3), 5: 0.0}


def test_equal_logits_are_no_knowledge():
    result = evaluate(Table(torch.zeros(40, 4)), numbered(40), torch.arange(40) % 4, topk=(1,))
    assert result.error[1] == 0.75
    assert result.loss == pytest.approx(np.log(4))


def test_logits_that_are_not_finite_give_a_loss_that_is_not():
    result = evaluate(Table(torch.full((2, 3), torch.nan)), numbered(2), torch.tensor([0, 1]))
    assert np.isnan(result.loss)


def test_description_has_the_numbers():
    logits = torch.tensor([[2.0, 1, 0], [0, 2, 1], [0, 1, 2]])
    result = evaluate(Table(logits), numbered(3), torch.tensor([1, 1, 0]), topk=(1, 2))
    assert repr(result) == f"3 images: mean loss {result.loss:.4f}, top-1 error 66.67 %, top-2 error 33.33 %."


def network():
    """Dropout, batch normalisation and a frozen part: everything that a careless evaluation changes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Flatten(), nn.Linear(8, 3))
    model[1].eval()
    return model


@pytest.mark.parametrize("broken", [False, True])
def test_model_random_numbers_and_grad_mode_stay_as_they_were(broken):
    model = network()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    random_state, modes = torch.get_rng_state(), [module.training for module in model.modules()]
    images = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    if broken:
        model[4].register_forward_hook(lambda module, inputs, output: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            evaluate(model, images, labels)
    else:
        evaluate(model, images, labels)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in model.parameters())


def test_it_works_under_grad_mode_and_in_evaluation_mode_even_from_training():
    model, images = network().train(), torch.randn(50, 1, 4, 4)
    labels = torch.arange(50) % 3
    first, second = (evaluate(model, images, labels) for _ in range(2))
    assert first.loss == second.loss
    assert model.training


images = torch.zeros(4, 1, 28, 28)
labels = torch.tensor([0, 1, 2, 9])


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        (
            {"images": images.byte()},
            TypeError,
            "must be a normalised float32 tensor, not torch.uint8; use ImageSet.norm",
        ),
        ({"images": images.double()}, TypeError, "not torch.float64"),
        ({"images": None}, TypeError, "not NoneType"),
        ({"images": images[0]}, ValueError, r"must have the shape N, C, H, W .* not \(1, 28, 28\)"),
        ({"images": images[:0], "labels": labels[:0]}, ValueError, r"N at least 1, not \(0, 1, 28, 28\)"),
        ({"images": images.index_fill(0, torch.tensor([1, 3]), torch.nan)}, ValueError, "2 of 4 images hold NaN"),
        ({"images": images.index_fill(0, torch.tensor([2]), -torch.inf)}, ValueError, "1 of 4 images hold NaN or inf"),
        ({"images": torch.zeros(4, 3, 32, 32)}, ValueError, "N x 1 x 28 x 28, not 1 x 3 x 32 x 32"),
        ({"labels": labels + 1}, ValueError, "labels run from 1 to 10; the model's 10 logits allow 0 to 9"),
        ({"labels": labels - 1}, ValueError, "labels run from -1 to 8; the model's 10 logits allow 0 to 9"),
        ({"labels": labels[:3]}, ValueError, r"one label for each of 4 images; the shape is \(3,\)"),
        ({"labels": labels.float()}, TypeError, "labels must be an int64 tensor, not torch.float32"),
        ({"labels": [0, 1, 2, 9]}, TypeError, "labels must be an int64 tensor, not list"),
        ({"topk": (0,)}, ValueError, r"topk \(=\(0,\)\) and batch_size \(=1000\) must be at least 1"),
        ({"batch_size": 0}, ValueError, r"batch_size \(=0\) must be at least 1"),
    ],
)
def test_what_cannot_be_evaluated_is_one_clear_error(changes, kind, message):
    options = {"images": images, "labels": labels} | changes
    with pytest.raises(kind, match=message) as caught:
        evaluate(lenet5(), options.pop("images"), options.pop("labels"), **options)
    assert caught.value.__cause__ is None


def test_a_model_that_torch_refuses_is_named_with_the_shape():
    model = nn.Sequential(nn.Flatten(), nn.Linear(100, 3))
    with pytest.raises(ValueError, match=r"does not take images of shape 1 x 28 x 28 .*784.*100") as caught:
        evaluate(model, images, labels)
    assert caught.value.__suppress_context__


def test_a_model_without_logits_is_refused():
    with pytest.raises(ValueError, match=r"must return logits N, num_classes; for one image it gave \(1, 6, 28, 28\)"):
        evaluate(lenet5().c1, images, labels)


class Own(nn.Module):
    """A learner's network whose forward is a function of the images."""

    def __init__(self, forward):
        super().__init__()
        self.layer, self.own_forward = nn.Linear(784, 10), forward

    def forward(self, x):
        return self.own_forward(self.layer, x)


@pytest.mark.parametrize(("returned", "kind"), [(None, "NoneType"), ((1, 2), "tuple"), ([1], "list")])
def test_a_forward_that_returns_no_tensor_is_told_so(returned, kind):
    with pytest.raises(TypeError, match=rf"a tensor of logits N, num_classes, not {kind}; what does forward return"):
        evaluate(Own(lambda layer, x: returned), images, labels)


def test_a_model_of_another_precision_is_told_so():
    with pytest.raises(ValueError, match=r"weights are torch.float64, images are torch.float32 .*say model.float\(\)"):
        evaluate(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).double(), images, labels)


def value_error(layer, x):
    raise ValueError("mine")


@pytest.mark.parametrize("forward", [value_error, lambda layer, x: layer(x)])
def test_an_error_in_the_learners_forward_keeps_its_line(forward):
    with pytest.raises(ValueError, match=r"mine|does not take images of shape 1 x 28 x 28") as caught:
        evaluate(Own(forward), images, labels)
    error = caught.value.__cause__ or caught.value
    assert forward.__name__ in [frame.name for frame in traceback.extract_tb(error.__traceback__)]


@pytest.mark.gpu
def test_the_gpu_agrees_with_the_processor():
    model, x = lenet5(), torch.randn(300, 1, 28, 28)
    y = torch.arange(300) % 10
    cpu = evaluate(model, x, y)
    gpu = evaluate(model.cuda(), x, y)
    assert gpu.loss == pytest.approx(cpu.loss, rel=1e-3)
    assert (gpu.predictions == cpu.predictions).mean() > 0.98
