"""The gallery of failures: each is named from its signals on five seeds, and sound runs are left in silence."""

import pytest
import torch

from cnnviz.analysis import diagnoses
from cnnviz.datasets import load_dataset
from cnnviz.training.failures import FAILURES, failing_run, lecture_uniform

SEEDS = range(5)
DATA = load_dataset("digits").subset(train=600)


def names(records):
    return [one.name for one in diagnoses(records)]


def causes(records):
    """Without the first word of every cause, which the next epochs make more exact."""
    return [name for name in names(records) if name != "at chance"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FAILURES)
def test_it_is_named_as_soon_as_its_signals_show_it(name, seed):
    run = failing_run(name, DATA, seed=seed, keep_filters=())
    found = next((found for _ in run if (found := causes(run.records))), [])
    assert found == [FAILURES[name].diagnosis]


@pytest.mark.parametrize("seed", SEEDS)
def test_sound_runs_are_left_in_silence(seed):
    run = failing_run("learning rate too high", DATA, seed=seed, repaired=True, keep_filters=())
    assert [names(run.records) for _ in run] == [[]] * 4
    assert run.records[-1].test_error < 0.3


@pytest.mark.parametrize("name", FAILURES)
def test_repaired_it_learns_and_is_not_named(name):
    records = list(failing_run(name, DATA, repaired=True, keep_filters=()))
    assert names(records) == []
    assert records[-1].train_error < 0.7


@pytest.mark.parametrize("name", FAILURES)
def test_nothing_but_its_cause_is_changed(name):
    failing, repaired = (failing_run(name, DATA, repaired=repaired) for repaired in (False, True))
    failure = FAILURES[name]
    changed = [
        failing.recipe != repaired.recipe,
        failing.data is not repaired.data,
        str(failing.model.state_dict()) != str(repaired.model.state_dict()),
    ]
    dropout_alone = name == "evaluation in training mode"  # its weights are the same under another name
    told = [bool(failure.recipe), bool(failure.spoil_data), bool(failure.spoil or failure.wrong)]
    assert changed == told or dropout_alone
    assert sum(told) == 1


def test_all_test_images_leak_and_none_of_the_repaired_run():
    assert failing_run("test data leaked", DATA).data.leaked == 1
    assert DATA.leaked == 0


def test_shuffled_labels_are_the_same_labels():
    data = failing_run("labels shuffled", DATA).data
    assert torch.equal(data.y_train.bincount(), DATA.y_train.bincount())
    assert (data.y_train == DATA.y_train).float().mean() < 0.2


def test_the_lectures_first_weights_are_those_of_the_slide():
    weight = lecture_uniform(torch.empty(64, 4, 5, 5))
    assert 0 <= weight.min() < weight.max() <= 100**-0.5
    assert weight.mean() == pytest.approx(0.05, rel=0.05)


def test_another_failure_is_refused_and_the_random_state_stays():
    state = torch.get_rng_state()
    with pytest.raises(ValueError, match="there is no failure 'bad luck'; choose from learning rate too high, "):
        failing_run("bad luck", DATA)
    failing_run("labels shuffled", DATA)
    assert torch.equal(torch.get_rng_state(), state)
