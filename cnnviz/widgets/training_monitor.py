"""TrainingMonitor: a run as it happens: curves, time left, a button that stops it, a word when it goes wrong."""

import base64
import math
import time

import traitlets
from IPython.display import display

from cnnviz.analysis.diagnosis import diagnoses
from cnnviz.figures.filters import sheet_of_filters
from cnnviz.figures.montage import montage, png
from cnnviz.training import EpochRecord, Run, profile
from cnnviz.widgets.explorer import Explorer, module, style

NUMBERS = ("train_loss", "train_error", "test_loss", "test_error", "lr", "seconds", "images_per_second")
LAYERS = ("activation_std", "gradient_std", "update_ratio", "silent")  # signals that are drawn for every layer
PAUSE = 0.2  # seconds between two messages about batches: more would slow the training down
QUICK = "Quick profile: little data and few epochs, not the full experiment."
AFTER = {
    "stopped": "Stopped after {} whole epochs; the records are kept. Watch the run again to go on from there.",
    "interrupted": "Interrupted after {} whole epochs; the records are kept. Watch the run again to go on from there.",
    "failed": "Training ended with an exception after {} whole epochs; it stands below the cell.",
    "finished": "Finished all {} epochs.",
}


class TrainingMonitor(Explorer):
    """Curves of loss and error while a run trains, with progress, time left, warnings in words and a stop button.

    `records = TrainingMonitor().watch(fit(model, data, recipe))` shows itself below the cell. Or show `monitor` in one
    cell and call `monitor.watch(run)` in another. The button works while the cell runs where the kernel takes messages
    meanwhile (ipykernel 7 in JupyterLab); elsewhere interrupting the cell does the same. Both keep the records, and
    watching the same run again goes on.

    Args:
        logarithmic: draw both curves on logarithmic axes.
        signals: draw the signals of every layer, before training and now, and the first layer's filters.
    """

    _esm = module("training_monitor")
    _css = style()

    logarithmic = traitlets.Bool(False).tag(sync=True)
    signals = traitlets.Bool(False).tag(sync=True)
    _state = traitlets.Unicode("waiting").tag(sync=True)  # waiting, running, stopping, or a key of AFTER
    _title = traitlets.Unicode().tag(sync=True)
    _notes = traitlets.List().tag(sync=True)  # what must be said of the data and the profile
    _records = traitlets.List().tag(sync=True)  # dicts: epoch and NUMBERS, None for what is not finite
    _progress = traitlets.Dict().tag(sync=True)  # epoch, epochs, done and total batches, seconds left (None: unknown)
    _diagnoses = traitlets.List().tag(sync=True)
    _layers = traitlets.Dict().tag(sync=True)  # names, epochs, and for each of LAYERS the numbers of both epochs
    _filters = traitlets.Dict().tag(sync=True)  # of the first convolution that the records keep: caption, picture
    _classes = traitlets.Int(10).tag(sync=True)
    _description = traitlets.Unicode("No run yet: watch(fit(...)) shows one.").tag(sync=True)

    def __init__(self, **controls):
        super().__init__(**controls)
        self._run = None
        self._shown = False
        self.on_msg(self._answer)

    def watch(self, run: Run) -> list[EpochRecord]:
        """Train to the end of `run`, or until it is stopped or interrupted; return its records so far.

        Raises:
            TypeError: this is no `Run`. What the training raises is shown and raised on.
        """
        if not isinstance(run, Run):
            raise TypeError(f"watch takes the Run that fit(...) returns, not {type(run).__name__}")
        if not self._shown:
            display(self)
        iter(run)  # forgets an earlier stop; `for` would also forget one that comes from here on
        with self._lock:
            self._begin(run)
        state, before = "failed", run.on_batch
        run.on_batch = self._on_batch
        try:
            while (record := next(run, None)) is not None:
                self._add(record)
            state = "finished" if len(run.records) > run.recipe.epochs else "stopped"
        except KeyboardInterrupt:
            state = "interrupted"  # by hand, as a way to stop: the cells below go on with the records
        finally:
            with self._lock:
                run.on_batch, self._run = before, None
                self._state = state
            self._description = self.describe()
        return run.records

    def stop(self) -> None:
        """Stop the run after its current batch; does nothing when none is running."""
        with self._lock:
            if self._run is not None:
                self._state = "stopping"
                self._run.stop()

    def describe(self) -> str:
        """Say how far the run is, its last and its best figures, and what is wrong with it."""
        if not self._title:
            return "No run yet: watch(fit(...)) shows one."
        epochs = len(self._records) - 1
        text = [f"{self._title}."]
        if self._records:
            last = self._records[-1]
            text.append(f"Epoch {last['epoch']}: {_figures(last)}.")
        text.append(AFTER[self._state].format(max(epochs, 0)) if self._state in AFTER else "Training.")
        return " ".join([*text, *self._diagnoses, *self._notes])

    def _repr_mimebundle_(self, **kwargs):
        self._shown = True
        return super()._repr_mimebundle_(**kwargs)

    def _begin(self, run: Run) -> None:
        self._run, self._all = run, list(run.records)
        name = type(run.model).__name__
        self._title = f"{name} on {run.data.name}, {run.recipe.epochs} epochs, on {run.device}"
        notes = [f"Data: {run.note}." if run.note else "", QUICK if profile() == "quick" else ""]
        self._notes = [note for note in notes if note]
        self._classes = run.data.num_classes
        self._records = [_plain(record) for record in self._all]
        self._look_inside()
        self._state = "running"
        self._set_clock()
        self._tell(0, 0)

    def _add(self, record: EpochRecord) -> None:
        self._all.append(record)
        self._records = [*self._records, _plain(record)]
        self._look_inside()
        if record.epoch == 0:
            self._set_clock()  # the test before training says nothing about the time of an epoch
        self._tell(0, 0)
        self._description = self.describe()

    def _look_inside(self) -> None:
        self._diagnoses = [str(one) for one in diagnoses(self._all, self._run.recipe.lr)]
        self._layers, self._filters = _of_layers(self._all), _first_filters(self._all)

    def _on_batch(self, done: int, total: int) -> None:
        if time.monotonic() - self._told >= PAUSE:
            self._tell(done, total)

    def _tell(self, done: int, total: int) -> None:
        """Send progress and time left, estimated from the pace since the start of this call of `watch`."""
        epochs, whole = self._run.recipe.epochs, max(len(self._all) - 1, 0)
        position = whole + (done / total if total else 0)
        self._told = time.monotonic()
        moved = position - self._start_position
        left = (self._told - self._start_time) * (epochs - position) / moved if moved else None
        epoch = min(whole + 1, epochs)
        self._progress = {"epoch": epoch, "epochs": epochs, "done": done, "total": total, "share": position / epochs,
                          "left": left}  # fmt: skip

    def _set_clock(self) -> None:
        self._start_time, self._start_position = time.monotonic(), max(len(self._all) - 1, 0)

    def _answer(self, widget, content, buffers) -> None:
        if content == "stop":
            self.stop()


def _plain(record: EpochRecord) -> dict:
    """Return the numbers of a record as JSON can hold them."""
    numbers = {name: getattr(record, name) for name in NUMBERS}
    return {"epoch": record.epoch} | {k: value if math.isfinite(value) else None for k, value in numbers.items()}


def _of_layers(records: list[EpochRecord]) -> dict:
    """Return the signals of every layer in the first and the last record; None where a logarithm has no place."""
    measured = [record for record in records if record.signals]
    if not measured:
        return {}
    ends = measured[0], measured[-1]
    numbers = {
        name: [[_positive(value) for value in getattr(record.signals, name)] for record in ends] for name in LAYERS
    }
    return {"layers": list(ends[-1].signals.layers), "epochs": [record.epoch for record in ends], **numbers}


def _positive(value: float) -> float | None:
    return value if math.isfinite(value) and value > 0 else None


def _first_filters(records: list[EpochRecord]) -> dict:
    """Return the filters of the first layer as a picture; empty where the records keep none."""
    if not records or not records[-1].filters:
        return {}
    layer, weights = next(iter(records[-1].filters.items()))
    stack, columns = sheet_of_filters(weights.numpy())
    picture = montage(stack, columns, enlarge=max(1, 40 // stack.shape[-1]))
    caption = f"Filters of {layer} after epoch {records[-1].epoch}"
    return {"caption": caption, "width": picture.shape[1], "png": base64.b64encode(png(picture)).decode()}


def _figures(record: dict) -> str:
    loss = "not finite" if record["test_loss"] is None else f"{record['test_loss']:.4f}"
    return f"test error {record['test_error']:.2%}, training error {record['train_error']:.2%}, test loss {loss}"
