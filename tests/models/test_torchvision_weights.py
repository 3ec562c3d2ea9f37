"""Weights under torchvision's names: what is taken, what is refused, and that a refusal changes nothing."""

import re

import pytest
import torch
import torchvision

from cnnviz.models import create_model, load_torchvision_weights
from tests.models.networks import close, randomised


def twins(name, **options):
    """Return torchvision's network with random numbers, and ours with others."""
    theirs = randomised(torchvision.models.get_model(name, num_classes=5))
    for layer in theirs.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.num_batches_tracked.fill_(7)
    torch.manual_seed(1)
    return theirs, create_model(name, num_classes=5, **options).double().eval()


def older(key):
    """Return a name as torchvision's first files of DenseNet have it: denselayer1.norm.1 for denselayer1.norm1."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", key)


RESNET18 = ("resnet18", {})


@pytest.mark.parametrize(("name", "options"), [RESNET18, ("densenet121", {}), ("resnet50", {"stride_in": "3x3"})])
@pytest.mark.parametrize("rename", [str, older])
def test_older_files_do_not_count_batches_and_have_a_dot_more(name, options, rename):
    theirs, ours = twins(name, **options)
    weights = {rename(key): value for key, value in theirs.state_dict().items() if "num_batches" not in key}
    assert any(".norm.1." in key for key in weights) == (rename is older and name == "densenet121")
    load_torchvision_weights(ours, weights)
    x = torch.randn(2, 3, 40, 33, dtype=torch.float64)
    assert close(ours(x), theirs(x))
    counts = [value.item() for key, value in ours.state_dict().items() if "num_batches" in key]
    assert counts
    assert set(counts) == {0}, "the model keeps its own"


def test_a_count_of_batches_that_is_there_is_taken():
    theirs, ours = twins("resnet18")
    load_torchvision_weights(ours, theirs.state_dict())
    assert {value.item() for key, value in ours.state_dict().items() if "num_batches" in key} == {7}


def changed(weights, **changes):
    return {**weights, **{key.replace("__", "."): value for key, value in changes.items()}}


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            "resnet18",
            lambda w: {key: w[key] for key in w if key != "bn1.running_var"},
            "not there: stem.bn.running_var",
        ),
        ("resnet18", lambda w: {key: w[key] for key in w if key != "fc.weight"}, "not there: head.fc.weight"),
        ("resnet18", lambda w: changed(w, other__weight=w["fc.bias"]), "unknown: other.weight"),
        ("resnet18", lambda w: changed(w, fc__bias=torch.zeros(6)), "of another shape: head.fc.bias"),
        ("resnet18", lambda w: changed(w, fc__bias=torch.zeros(5, device="meta")), "without numbers: head.fc.bias"),
        ("resnet18", lambda w: changed(w, fc__bias=[0.0] * 5), "without numbers: head.fc.bias"),
        ("densenet121", lambda w: {**w, **{older(key): w[key] for key in w}}, "given twice: block1.layer1.new.bn1"),
    ],
)
def test_what_does_not_fit_is_named_and_the_model_stays_as_it_was(name, change, message):
    theirs, ours = twins(name)
    before = {key: value.clone() for key, value in ours.state_dict().items()}
    with pytest.raises(ValueError, match=f"these weights do not fit .*{re.escape(message)}"):
        load_torchvision_weights(ours, change(theirs.state_dict()))
    assert all(torch.equal(value, before[key]) for key, value in ours.state_dict().items())


def test_a_network_that_torchvision_does_not_have_is_refused():
    with pytest.raises(ValueError, match="torchvision has no network that computes what this LeNet5 does"):
        load_torchvision_weights(create_model("lenet5"), {})
