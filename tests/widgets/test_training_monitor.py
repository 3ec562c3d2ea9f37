import json
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.datasets import ImageSet, load_dataset
from cnnviz.models import lenet5
from cnnviz.training import Recipe, fit
from cnnviz.widgets.training_monitor import TrainingMonitor


class Bright(nn.Module):
    """Tells bright images from dark ones with one weight a class; small enough for a hundred epochs in a second."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 2)

    def forward(self, x):
        return self.layer(x.mean((1, 2, 3))[:, None])


@pytest.fixture
def data():
    labels = torch.arange(32) % 2
    images = (labels * 200 + 20).to(torch.uint8)[:, None, None, None].expand(32, 1, 4, 4).contiguous()
    return ImageSet("bright", images, labels, images[:8] + 1, labels[:8], ("dark", "bright"), note="drawn for a test")


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setenv("CNNVIZ_PROFILE", "quick")


def start(data, epochs=3, lr=0.5, **options):
    torch.manual_seed(0)
    return fit(Bright(), data, Recipe(epochs=epochs, batch_size=8, lr=lr, **options), device="cpu")


def test_all_records_come_back_and_are_shown(data):
    monitor = TrainingMonitor()
    records = monitor.watch(start(data))
    assert [record.epoch for record in records] == [0, 1, 2, 3]
    assert [shown["test_loss"] for shown in monitor._records] == [record.test_loss for record in records]
    assert monitor._state == "finished"
    assert monitor._progress["share"] == 1
    assert repr(monitor) == (
        f"Bright on bright, 3 epochs, on cpu. Epoch 3: test error 0.00%, training error 0.00%, test loss "
        f"{records[-1].test_loss:.4f}. Finished all 3 epochs. Data: drawn for a test. "
        "Quick profile: little data and few epochs, not the full experiment."
    )


def test_it_shows_itself_once(data, capsys):
    monitor = TrainingMonitor()
    assert "No run yet" in repr(monitor)
    monitor.watch(start(data, epochs=1))
    assert capsys.readouterr().out.count("No run yet") == 1  # the plain text of a display without a kernel
    monitor.watch(start(data, epochs=1))
    assert capsys.readouterr().out.count("Bright on bright") == 1
    shown = TrainingMonitor()
    shown._repr_mimebundle_()  # what JupyterLab asks of the last line of a cell
    shown.watch(start(data, epochs=1))
    assert capsys.readouterr().out == ""


def test_watching_changes_nothing_of_the_training(data):
    alone = start(data)
    for _ in alone:
        pass
    watched = start(data)
    TrainingMonitor().watch(watched)
    np.testing.assert_array_equal(alone.model.layer.weight.detach(), watched.model.layer.weight.detach())


def test_the_button_stops_after_the_current_batch_and_watching_again_goes_on(data):
    run, monitor = start(data), TrainingMonitor()
    batches = []

    def press(done, total):
        batches.append(done)
        if len(batches) == 6:  # the second batch of the second epoch
            monitor._handle_custom_msg("stop", [])
            assert monitor._state == "stopping"

    tell = monitor._on_batch
    monitor._on_batch = lambda done, total: (tell(done, total), press(done, total))
    records = monitor.watch(run)
    assert (len(batches), len(records), monitor._state) == (6, 2, "stopped")
    assert "Stopped after 1 whole epochs; the records are kept." in monitor.describe()
    monitor._on_batch = tell
    assert len(monitor.watch(run)) == 4
    assert monitor._state == "finished"
    reference = start(data)
    for _ in reference:
        pass
    assert torch.equal(run.model.layer.weight, reference.model.layer.weight)


def test_a_stop_that_is_pressed_at_once_is_not_lost(data):
    run, monitor = start(data), TrainingMonitor()
    press = lambda change: change.new == "running" and monitor.stop()  # noqa: E731
    monitor.observe(press, "_state")
    assert monitor.watch(run) == []
    assert monitor._state == "stopped"
    monitor.unobserve(press, "_state")
    assert len(monitor.watch(run)) == 4


def test_a_stop_that_meets_the_end_of_the_run_neither_fails_nor_lasts(data):
    ended, inside = threading.Event(), threading.Event()

    class Slow(TrainingMonitor):
        @property
        def _run(self):
            run = self._watched
            if threading.current_thread() is not threading.main_thread():
                inside.set()
                ended.wait(0.3)  # passes in vain: `watch` waits until `stop` is through
            return run

        @_run.setter
        def _run(self, run):
            self._watched = run

    monitor = Slow()
    with ThreadPoolExecutor() as pool:
        pressed = []

        def press(done, total):
            if not pressed and len(monitor._all) == 3 and done == total:
                pressed.append(pool.submit(monitor.stop))
                assert inside.wait(5)

        monitor._on_batch = press
        monitor.watch(start(data))
        ended.set()
        pressed[0].result(5)
    assert monitor._state == "finished"


def test_interrupting_the_cell_does_the_same_as_the_button(data):
    run, monitor = start(data), TrainingMonitor()

    def interrupt(done, total):
        if len(run.records) == 3:
            raise KeyboardInterrupt

    monitor._on_batch = interrupt
    assert len(monitor.watch(run)) == 3
    assert monitor._state == "interrupted"
    assert "the records are kept" in repr(monitor)
    assert run.on_batch is None


def test_an_exception_of_the_training_reaches_the_learner_and_the_page(data):
    run, monitor = start(data), TrainingMonitor()
    monitor._on_batch = lambda done, total: 1 / 0
    with pytest.raises(ZeroDivisionError):
        monitor.watch(run)
    assert (monitor._state, run.on_batch) == ("failed", None)
    assert "ended with an exception after 0 whole epochs" in repr(monitor)


def test_stop_without_a_run_does_nothing():
    monitor = TrainingMonitor()
    monitor.stop()
    assert monitor._state == "waiting"


def test_a_loss_that_is_not_finite_is_said_and_can_be_sent_to_the_browser(data):
    monitor = TrainingMonitor()
    run = start(data, epochs=2)
    nn.init.constant_(run.model.layer.weight, torch.nan)
    monitor.watch(run)
    assert "The loss is not finite since epoch 1" in monitor._diagnoses[0]
    assert monitor._records[-1]["test_loss"] is None
    json.dumps(monitor.get_state(), allow_nan=False)  # a browser's parser takes no NaN


def test_a_network_that_learns_nothing_is_told_why(data):
    monitor = TrainingMonitor()
    run = start(data, epochs=2, lr=0.0)
    nn.init.zeros_(run.model.layer.weight)
    nn.init.zeros_(run.model.layer.bias)
    monitor.watch(run)
    assert any("all weights are 0" in signal for signal in monitor._diagnoses)


def test_a_full_run_on_whole_data_has_no_note(data, monkeypatch):
    monkeypatch.setenv("CNNVIZ_PROFILE", "full")
    monitor = TrainingMonitor()
    monitor.watch(start(data, epochs=1))
    assert monitor._notes == ["Data: drawn for a test."]


def test_progress_counts_batches_and_estimates_the_time_left(data, monkeypatch):
    monkeypatch.setattr("cnnviz.widgets.training_monitor.PAUSE", 0)
    monitor, seen = TrainingMonitor(), []
    monitor.observe(lambda change: seen.append(change.new), "_progress")
    monitor.watch(start(data, epochs=2))
    shares = [progress["share"] for progress in seen]
    assert shares == sorted(shares)
    assert {(1, 1, 4), (2, 4, 4)} <= {(one["epoch"], one["done"], one["total"]) for one in seen}
    assert seen[0]["left"] is None
    assert seen[-1]["left"] == 0


def test_only_a_run_can_be_watched(data):
    with pytest.raises(TypeError, match=r"watch takes the Run that fit\(...\) returns, not list"):
        TrainingMonitor().watch([])
    with pytest.raises(TypeError, match="TrainingMonitor has no control 'log'; it has logarithmic"):
        TrainingMonitor(log=True)


def test_signals_of_the_first_and_the_last_record_are_sent_with_the_first_filters():
    torch.manual_seed(0)
    digits = load_dataset("digits").subset(64, 16)
    monitor = TrainingMonitor()
    records = monitor.watch(fit(lenet5(), digits, Recipe(epochs=2, batch_size=16, lr=0.02)))
    sent = json.loads(json.dumps(monitor._layers, allow_nan=False))
    assert (sent["layers"], sent["epochs"]) == (["c1", "c3", "c5", "f6", "output"], [0, 2])
    for place, record in ((0, records[0]), (1, records[2])):
        assert sent["activation_std"][place] == list(record.signals.activation_std)
    assert sent["update_ratio"][0] == [None] * 5  # no step yet, and a logarithm has no place for 0
    assert monitor._filters["caption"] == "Filters of c1 after epoch 2"


def test_a_run_without_signals_and_filters_sends_none(data):
    monitor = TrainingMonitor()
    monitor.watch(fit(Bright(), data, Recipe(epochs=1, batch_size=8), signals=False))
    assert (monitor._layers, monitor._filters) == ({}, {})
