import math
from types import SimpleNamespace

import pytest

from cnnviz.analysis.diagnosis import diagnoses


def record(epoch, train_error=0.1, train_loss=0.3, lr=0.1, num_classes=10):
    return SimpleNamespace(epoch=epoch, train_error=train_error, train_loss=train_loss, lr=lr, num_classes=num_classes)


def test_a_healthy_run_and_an_untrained_network_raise_no_signal():
    assert diagnoses([]) == ()
    assert diagnoses([record(0, 0.9)]) == ()
    assert diagnoses([record(0, 0.9), record(1, 0.5)]) == ()


@pytest.mark.parametrize(
    ("num_classes", "at_chance", "learning"), [(10, 0.89, 0.80), (2, 0.49, 0.40), (100, 0.98, 0.9)]
)
def test_chance_depends_on_the_number_of_classes(num_classes, at_chance, learning):
    (message,) = diagnoses([record(0, 1), record(1, at_chance, num_classes=num_classes)])
    assert "still at chance after epoch 1" in message
    assert "smaller (0.01) or larger (1)" in message
    assert diagnoses([record(0, 1), record(1, learning, num_classes=num_classes)]) == ()


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_the_only_signal_and_names_its_epoch(loss):
    (message,) = diagnoses([record(0, 0.9), record(1), record(2, 0.9, loss), record(3, 0.9, loss)])
    assert "not finite since epoch 2" in message
    assert "0.01 instead of 0.1" in message


def test_advice_starts_from_the_highest_rate_of_the_schedule():
    (message,) = diagnoses([record(1, 0.9, lr=0.2), record(2, 0.9, lr=0.0)])
    assert "smaller (0.02) or larger (2)" in message
