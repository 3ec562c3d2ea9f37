"""The exercises of chapter 19: each wrong answer is called by its own name, right ones may be written otherwise."""

import pytest
import torch

from cnnviz.analysis import keras_parameters
from cnnviz.exercises import ch19
from cnnviz.models import create_model

from .solutions import rewritten

BEATS = "no_worse and better"

# exercise, the mistake's name, edits of the solution (old, new, ...)
WRONG = [
    ("keras_count", "running statistics forgotten", "trained + stored", "trained"),
    ("keras_count", "counters counted", 'if "running" in name', ""),
    ("keras_count", "parameters forgotten", "trained + stored", "stored"),
    ("keras_count", "tensors counted", "p.numel()", "1", "b.numel()", "1"),
    ("keras_count", "running means only", '"running"', '"running_mean"'),
    ("best_within", "budget ignored", "work <= budget", "True"),
    ("best_within", "less than for at most", "<=", "<"),
    ("best_within", "least work chosen", "accuracy[place]", "-mult_adds[place]"),
    ("best_within", "most work chosen", "accuracy[place]", "mult_adds[place]"),
    ("best_within", "place among those that fit",
     "max(inside, key=lambda place: accuracy[place])",
     "max(range(len(inside)), key=lambda place: accuracy[inside[place]])"),
    ("best_within", "one chosen where none fits", "return -1", "return 0"),
    ("front", "beaten ones marked", "0 if beaten else 1", "1 if beaten else 0"),
    ("front", "better in one is enough", BEATS, "better"),
    ("front", "equal in one beats nothing", "accuracy[j] > accuracy[i] or", "accuracy[j] > accuracy[i] and"),
    ("front", "equal networks beat each other", BEATS, "no_worse and i != j"),
    ("front", "accuracy upside down", "accuracy[j] >= accuracy[i]", "accuracy[j] <= accuracy[i]",
     "accuracy[j] > accuracy[i]", "accuracy[j] < accuracy[i]"),
    ("front", "work upside down", "mult_adds[j] <= mult_adds[i]", "mult_adds[j] >= mult_adds[i]",
     "mult_adds[j] < mult_adds[i]", "mult_adds[j] > mult_adds[i]"),
    ("front", "most accurate only", BEATS, "accuracy[j] > accuracy[i]"),
    ("deviations", "deviations added",
     "(variance_a + variance_b) ** 0.5", "(variance_a**0.5 + variance_b**0.5)"),
    ("deviations", "variance of one error only", "variance_a + variance_b", "variance_a"),
    ("deviations", "variances subtracted", "variance_a + variance_b", "abs(variance_a - variance_b)"),
    ("deviations", "root forgotten", " ** 0.5", ""),
    ("deviations", "images forgotten", " / images", ""),
    ("deviations", "not divided", " / (variance_a + variance_b) ** 0.5", ""),
    ("deviations", "sign kept", "abs(error_a - error_b)", "(error_a - error_b)"),
]  # fmt: skip


@pytest.mark.parametrize(("exercise", "mistake", "edits"), [(e, m, edits) for e, m, *edits in WRONG])
def test_a_known_wrong_answer_is_called_by_its_name(exercise, mistake, edits):
    verdict = getattr(ch19, f"check_{exercise}")(rewritten(exercise, *edits))
    assert verdict.mistake == mistake


def test_the_solution_counts_a_network_of_keras():
    model = create_model("mobilenet")
    assert rewritten("keras_count")(model) == keras_parameters("mobilenet").keras


def test_a_front_may_be_found_by_sorting():
    def front(accuracy, mult_adds):
        pairs = list(zip(mult_adds.tolist(), (-accuracy).tolist(), strict=True))
        marks, best = torch.zeros(len(pairs), dtype=torch.long), {}
        for work, negative in sorted(pairs):
            if not best or negative < min(best.values()):
                best[work] = negative
        for place, (work, negative) in enumerate(pairs):
            marks[place] = best.get(work) == negative
        return marks

    assert ch19.check_front(front).passed
