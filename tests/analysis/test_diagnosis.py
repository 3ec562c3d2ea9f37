"""Words about a run from hand-written records; that they fit real runs is tested with the gallery of failures."""

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from cnnviz.analysis import diagnoses
from cnnviz.analysis.signals import Signals

SOUND = Signals(
    layers=("conv1", "conv2", "fc"),
    activation_mean=(0.0, 0.0, 0.0),
    activation_std=(1.0, 1.2, 0.1),
    gradient_std=(0.01, 0.01, 0.3),
    gradient_norm=(1.0, 1.0, 1.0),
    silent=(0.0, 0.1, 0.0),
    update_ratio=(2e-3, 1e-3, 1e-2),
    input_mean=0.0,
    input_std=1.0,
    evaluation_noise=1e-7,
)


def record(epoch, train_error=0.1, train_loss=0.3, lr=0.1, num_classes=10, test_error=0.15, signals=None, leaked=0.0):
    return SimpleNamespace(**locals())


def told(records, lr=None):
    return [(one.name, str(one)) for one in diagnoses(records, lr)]


def test_a_healthy_run_and_an_untrained_network_are_left_in_silence():
    assert diagnoses([]) == ()
    assert diagnoses([record(0, 0.9)]) == ()
    assert diagnoses([record(0, 0.9), record(1, 0.5)]) == ()
    assert diagnoses([record(0, 0.9, 2.3, signals=SOUND), record(1, 0.5, signals=SOUND)]) == ()


@pytest.mark.parametrize(
    ("num_classes", "at_chance", "learning"), [(10, 0.89, 0.80), (2, 0.49, 0.40), (100, 0.98, 0.9)]
)
def test_chance_depends_on_the_number_of_classes(num_classes, at_chance, learning):
    [(name, text)] = told([record(0, 1), record(1, at_chance, num_classes=num_classes)])
    assert name == "at chance"
    assert "still at chance after epoch 1" in text
    assert "smaller (0.01) or larger (1)" in text
    assert told([record(0, 1), record(1, learning, num_classes=num_classes)]) == []


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_the_only_one_and_names_its_epoch(loss):
    [(name, text)] = told([record(0, 0.9), record(1), record(2, 0.9, loss), record(3, 0.9, loss)])
    assert name == "learning rate too high"
    assert "not finite since epoch 2" in text
    assert "0.01 instead of 0.1" in text


def test_the_advice_starts_from_the_recipes_rate_or_the_highest_of_the_records():
    [(_, text)] = told([record(1, 0.9, lr=0.2), record(2, 0.9, lr=0.0)])
    assert "smaller (0.02)" in text
    [(_, text)] = told([record(1, 0.9, lr=0.2), record(2, 0.9, lr=0.0)], lr=0.4)
    assert "smaller (0.04)" in text


BEGIN = record(0, 0.9, 2.3, signals=SOUND)
CASES = {
    "test data leaked": [BEGIN, record(1, leaked=0.3, signals=SOUND)],
    "evaluation in training mode": [BEGIN, record(1, signals=replace(SOUND, evaluation_noise=0.5))],
    "input not normalised": [record(0, 0.9, 40, signals=replace(SOUND, input_mean=120.0, input_std=60.0))],
    "zero weights": [record(0, 0.9, 2.3, signals=replace(SOUND, activation_std=(0.0, 0.0, 0.0)))],
    "activations explode": [record(0, 0.9, 1e5, signals=replace(SOUND, activation_std=(1.0, 500.0, 500.0)))],
    "activations vanish": [record(0, 0.9, 2.3, signals=replace(SOUND, activation_std=(1.0, 1e-3, 1e-5)))],
    "learning rate too high": [BEGIN, record(1, 0.9, 5.0, signals=SOUND)],
    "dead ReLUs": [BEGIN, record(1, 0.6, signals=replace(SOUND, silent=(0.0, 0.7, 0.0)))],
    "learning rate too low": [BEGIN, record(1, 0.89, 2.3, signals=replace(SOUND, update_ratio=(1e-8, 1e-7, 1e-4)))],
    "labels do not fit": [BEGIN, record(3, 0.3, 1.0, test_error=0.9, signals=SOUND)],
    "at chance": [BEGIN, record(1, 0.9, 2.3, test_error=0.9, signals=SOUND)],
    "overfitting": [BEGIN, record(9, 0.02, 0.1, test_error=0.4, signals=SOUND)],
}


@pytest.mark.parametrize("name", CASES)
def test_each_is_named_alone_and_says_its_numbers(name):
    [(found, text)] = told(CASES[name], lr=0.1)
    assert found == name
    assert name == "zero weights" or any(digit.isdigit() for digit in text)


def test_pixels_that_are_not_normalised_explain_all_that_is_seen_inside():
    broken = replace(SOUND, input_std=60.0, activation_std=(60.0, 1e5, 1e5))
    assert [name for name, _ in told([record(0, 0.9, 50, signals=broken), record(1, 0.9, 1e5, signals=broken)])] == [
        "input not normalised"
    ]


def test_a_leak_does_not_hide_what_is_wrong_inside():
    found = told([BEGIN, record(1, 0.9, 5.0, leaked=1.0, signals=SOUND)])
    assert [name for name, _ in found] == ["test data leaked", "learning rate too high"]


def test_small_steps_at_the_end_of_a_schedule_are_no_fault():
    still = replace(SOUND, update_ratio=(1e-8, 1e-7, 1e-4))
    assert told([BEGIN, record(1, signals=SOUND), record(2, lr=0.001, signals=still)], lr=0.1) == []


def test_layers_that_are_not_trained_are_not_dead():
    frozen = replace(SOUND, silent=(math.nan, math.nan, 0.0))
    assert told([BEGIN, record(1, signals=frozen)]) == []


@pytest.mark.parametrize(("loss", "expected"), [(2.25, ["labels do not fit"]), (1.9, [])])
def test_errors_below_guessing_are_luck_where_the_loss_has_hardly_fallen_in_three_epochs(loss, expected):
    records = [record(0, 0.9, 2.3, signals=SOUND)]
    records += [record(epoch, 0.84, loss, test_error=0.84, signals=SOUND) for epoch in (1, 2, 3)]
    assert [one.name for one in diagnoses(records)] == expected
    assert diagnoses(records[:3]) == ()
