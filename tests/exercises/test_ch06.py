"""The exercises of chapter 06: right answers pass, each wrong one is called by its own name."""

import pytest
import torch
import torch.nn.functional as F

from cnnviz.analysis import diagnoses
from cnnviz.exercises import ch06

from .solutions import named, rewritten

PIXELS, KEPT = "(images / 255 - mean[:, None, None])", "(random >= p)"
TERMS, STEP = "(logits - right + 1).clamp(min=0)", "(after - before).norm()"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("normalise", "not divided by 255", " / 255", ""),
    ("normalise", "mean forgotten", " - mean[:, None, None]", ""),
    ("normalise", "deviation forgotten", " / std[:, None, None]", ""),
    ("normalise", "variance for deviation", "std[:, None, None]", "std[:, None, None] ** 2"),
    ("normalise", "mean and deviation exchanged", "mean[", "m[", "std[", "mean[", "m[", "std["),
    ("normalise", "divided first",
     PIXELS + " / std[:, None, None]", "images / 255 / std[:, None, None] - mean[:, None, None]"),
    ("normalise", "multiplied", "/ std", "* std"),
    ("normalise", "these images' own statistics",
     "return", "mean, std = [f(images / 255, dim=(0, 2, 3)) for f in (torch.mean, torch.std)]\n    return"),
    ("normalise", "one number for all channels",
     "mean[:, None, None]", "mean.mean()", "std[:, None, None]", "std.mean()"),
    ("normalise", "along the width", "[:, None, None]", ""),
    ("normalise", "raised an exception", "None, None", "None"),
    ("hinge_loss", "right class counted", " - 1", ""),
    ("hinge_loss", "margin forgotten", " + 1)", ")", " - 1", ""),
    ("hinge_loss", "not cut off at 0", ".clamp(min=0)", ""),
    ("hinge_loss", "cut off after the sum", ".clamp(min=0)", "", "terms.sum(1) - 1", "(terms.sum(1) - 1).clamp(min=0)"),
    ("hinge_loss", "largest term only",
     "terms.sum(1) - 1", "terms.scatter(1, labels[:, None], 0).amax(1)"),
    ("hinge_loss", "squared", ".sum(1)", ".square().sum(1)"),
    ("hinge_loss", "difference turned round", "logits - right", "right - logits"),
    ("hinge_loss", "mean over the classes", "terms.sum(1) - 1", "(terms.sum(1) - 1) / logits.shape[1]"),
    ("hinge_loss", "mean over the classes", "terms.sum(1) - 1", "(terms.sum(1) - 1) / (logits.shape[1] - 1)"),
    ("hinge_loss", "summed over the images", "terms.sum(1) - 1", "(terms.sum(1) - 1).sum()"),
    ("hinge_loss", "mean over the images", "terms.sum(1) - 1", "(terms.sum(1) - 1).mean()"),
    ("hinge_loss", "cross-entropy",
     "terms.sum(1) - 1", "nn.functional.cross_entropy(logits, labels, reduction='none')"),
    ("first_deviation", "ReLU forgotten", "2 / inputs", "1 / inputs"),
    ("first_deviation", "variance for deviation", "math.sqrt(2 / inputs)", "2 / inputs"),
    ("first_deviation", "outputs for inputs", "shape[1:])", "shape[2:]) * shape[0]"),
    ("first_deviation", "outputs for inputs", "math.prod(shape[1:])", "shape[0]"),
    ("first_deviation", "kernel forgotten", "math.prod(shape[1:])", "shape[1]"),
    ("first_deviation", "all weights counted", "shape[1:]", "shape"),
    ("first_deviation", "inputs and outputs", "shape[1:])", "shape[1:]) + shape[0] * math.prod(shape[2:])"),
    ("first_deviation", "U(0, 1) / sqrt(n)", "2 / inputs", "1 / 12 / inputs"),
    ("first_deviation", "0.01", "math.sqrt(2 / inputs)", "0.01"),
    ("update_ratio", "divided by the new weight", "/ before.norm()", "/ after.norm()"),
    ("update_ratio", "upside down", f"{STEP} / before.norm()", f"before.norm() / {STEP}"),
    ("update_ratio", "root forgotten",
     f"{STEP} / before.norm()", "(after - before).square().sum() / before.square().sum()"),
    ("update_ratio", "difference of the lengths", STEP, "(after.norm() - before.norm())"),
    ("update_ratio", "difference of the lengths", STEP, "(after.norm() - before.norm()).abs()"),
    ("update_ratio", "weight by weight", f"{STEP} / before.norm()", "((after - before) / before).abs().mean()"),
    ("update_ratio", "weight by weight", f"{STEP} / before.norm()", "((after - before) / before).norm()"),
    ("update_ratio", "largest weight", ".norm()", ".abs().max()"),
    ("update_ratio", "absolute values", ".norm()", ".abs().sum()"),
    ("update_ratio", "not divided", " / before.norm()", ""),
    ("dropout", "not scaled", " / (1 - p)", ""),
    ("dropout", "scaled in the test", "return x\n", "return x * (1 - p)\n", " / (1 - p)", ""),
    ("dropout", "scaled in the test", "return x\n", "return x * (1 - p)\n"),
    ("dropout", "divided by p", "/ (1 - p)", "/ p"),
    ("dropout", "multiplied", "/ (1 - p)", "* (1 - p)"),
    ("dropout", "kept for dropped", ">=", "<"),
    ("dropout", "kept for dropped", ">=", "<", "(1 - p)", "p"),
    ("dropout", "at work in the test", "if not training:\n        return x\n    ", ""),
    ("dropout", "training and test exchanged", "not ", ""),
    ("dropout", "never at work", f"x * {KEPT} / (1 - p)", "x"),
    ("named", "explode and vanish exchanged", "explode", "vanish"),
    ("named", "too high for too low", "too low", "too high"),
    ("named", "sound run accused", "nothing is wrong", "labels do not fit"),
    ("named", "leak not seen", "test data leaked", "nothing is wrong"),
    ("named", "dead units not seen", "dead ReLUs", "nothing is wrong"),
    ("named", "unknown name", "dead ReLUs", "dead relus"),
    ("named", "unknown run", '"A"', '"a"'),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch06, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


RIGHT = {
    "normalise as an affine map": lambda: ch06.check_normalise(
        lambda images, mean, std: (images - 255 * mean.view(1, -1, 1, 1)) / (255 * std.view(1, -1, 1, 1))
    ),
    "hinge_loss of torch": lambda: ch06.check_hinge_loss(
        lambda logits, labels: logits.shape[1] * F.multi_margin_loss(logits, labels, reduction="none")
    ),
    "first_deviation as a tensor": lambda: ch06.check_first_deviation(
        lambda shape: (2 / torch.ones(shape)[0].numel()) ** torch.tensor(0.5)
    ),
    "update_ratio with the root of a sum": lambda: ch06.check_update_ratio(
        lambda before, after: float((((after - before) ** 2).sum() / (before**2).sum()) ** 0.5)
    ),
    "dropout with where": lambda: ch06.check_dropout(
        lambda x, p, random, training: torch.where(random < p, 0, x / (1 - p)) if training else x
    ),
}


@pytest.mark.parametrize("way", RIGHT)
def test_a_right_answer_may_be_written_otherwise(way):
    assert RIGHT[way]().message.startswith("right in all")


def test_the_names_of_the_mysteries_are_what_the_monitor_says():
    for letter, records in ch06.mysteries().items():
        said = [one.name for one in diagnoses(records)] or [ch06.SOUND]
        assert said == [named[letter]]


def test_what_is_no_table_of_names_is_told_so():
    assert ch06.check_named(["dead ReLUs"]).mistake == "not a table"
    assert ch06.check_named({"A": ch06.SOUND}).mistake == "not written yet"
    assert str(ch06.check_named(dict.fromkeys(named, ch06.SOUND))) == (
        "✗ named: wrong values. 1 of 5 cases are right.\n  given     run = 'A'"
    )
