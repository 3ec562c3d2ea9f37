"""What was measured, kept: a table of finished cells for each experiment and scale, checkpoints of unfinished ones."""

import json
import math
import pickle
from dataclasses import MISSING, asdict, fields
from datetime import UTC, datetime
from pathlib import Path

import torch

from cnnviz.analysis.arrays import metadata_of
from cnnviz.analysis.device import hardware
from cnnviz.analysis.measured_parts import RESULT
from cnnviz.files import whole_file
from cnnviz.training.experiments import Cell, cells
from cnnviz.training.fit import EpochRecord, Run
from cnnviz.training.recipe import Recipe


class Results:
    """The tables in one folder, `<experiment>-<scale>.json`; a table is rewritten whole after each finished cell."""

    def __init__(self, folder: Path, checkpoints: Path):
        self.folder, self.checkpoints = Path(folder), Path(checkpoints)

    def missing(self, planned: list[Cell]) -> list[Cell]:
        """Return those of `planned` that have no result, or only that of another recipe."""
        return [cell for cell in planned if not any(is_of(row, cell) for row in self._rows(cell))]

    def add(self, cell: Cell, run: Run) -> Path:
        """Write the result of a finished run into its table and drop its checkpoint; return the table's path."""
        plan = cells(cell.experiment, cell.scale)
        rows = [row for row in self._rows(cell) if any(is_of(row, other) for other in plan if other != cell)]
        rows.append(_row(cell, run))
        rows.sort(key=lambda row: next(place for place, other in enumerate(plan) if is_of(row, other)))
        planned = {"cells_planned": len(plan), "seeds_planned": len({other.seed for other in plan})}
        table = {"experiment": cell.experiment, "scale": cell.scale, **planned, "cells": rows}
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(self._table(cell)) as partial:
            partial.write_text(json.dumps(table, indent=1, allow_nan=False) + "\n", "utf-8")
        self._checkpoint(cell).unlink(missing_ok=True)
        return self._table(cell)

    def save_checkpoint(self, cell: Cell, run: Run) -> None:
        """Keep the run as it is after its last whole epoch."""
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        with whole_file(self._checkpoint(cell)) as partial:
            torch.save({"of": _identity(cell, run), "run": run.state_dict()}, partial)

    def load_checkpoint(self, cell: Cell, run: Run) -> bool:
        """Take `run` to where this cell was left, if it was; return whether it was.

        Raises:
            ValueError: what lies there cannot be read, or is of another plan, processor or torch. It stays as it is.
        """
        path = self._checkpoint(cell)
        if not path.exists():
            return False
        theirs, state = _loaded(path, run.device, "run")
        _check_same(path, theirs, _identity(cell, run))
        run.load_state_dict(state)
        return True

    def row(self, cell: Cell) -> dict | None:
        """Return the result of a cell, if there is one."""
        return next((row for row in self._rows(cell) if is_of(row, cell)), None)

    def part_file(self, cell: Cell, part: str) -> Path:
        """Return where the part of a follow-up is kept: a surface, a profile of path lengths, lesions."""
        words = f"{cell.experiment}-{cell.scale}-{cell.variant}-{part}"
        return self.folder / f"{words.replace(',', '').replace(' ', '_')}.npz"

    def trained(self, cell: Cell) -> dict:
        """Return what a part must say of its network: how it was trained, with what result, and what is to follow."""
        row = self.row(cell)
        result = row and {key: row[key] for key in RESULT}
        follow_up = {name: dict(getattr(cell, name)) for name in ("surface", "paths") if getattr(cell, name)}
        return json.loads(json.dumps({"recipe": asdict(cell.recipe), **follow_up, "result": result}))

    def has_part(self, cell: Cell, part: str) -> bool:
        """Return whether the file is there, of this plan, and of the training that the table has."""
        path = self.part_file(cell, part)
        try:
            return path.exists() and metadata_of(path).get("trained") == self.trained(cell)
        except ValueError as error:  # damaged: measured again, and then whole
            print(f"{error}. It is measured again.")
            return False

    def save_weights(self, cell: Cell, run: Run) -> None:
        """Keep the weights of a network after its last whole epoch: a point of the path that its training takes."""
        self._path_of(cell).mkdir(parents=True, exist_ok=True)
        with whole_file(self._path_of(cell) / f"epoch-{len(run.records) - 1:03}.pt") as partial:
            torch.save({"of": _identity(cell, run), "weights": run.model.state_dict()}, partial)

    def has_weights(self, cell: Cell) -> bool:
        """Return whether the weights after every epoch, from 0 on, are here."""
        return len(self._weights(cell)) > cell.recipe.epochs

    def load_weights(self, cell: Cell) -> list[dict]:
        """Return the weights after every epoch that is here, in order.

        Raises:
            ValueError: a file cannot be read, or is of another plan. It stays as it is.
        """
        found = []
        for path in self._weights(cell):
            theirs, weights = _loaded(path, "cpu", "weights")
            _check_same(path, theirs, cell.key())
            found.append(weights)
        return found

    def _weights(self, cell: Cell) -> list[Path]:
        return sorted(self._path_of(cell).glob("epoch-*.pt"))

    def _path_of(self, cell: Cell) -> Path:
        return self.checkpoints / f"{cell.name}-path"

    def _table(self, cell: Cell) -> Path:
        return self.folder / f"{cell.experiment}-{cell.scale}.json"

    def _checkpoint(self, cell: Cell) -> Path:
        return self.checkpoints / f"{cell.name}.pt"

    def _rows(self, cell: Cell) -> list[dict]:
        path = self._table(cell)
        return json.loads(path.read_text("utf-8"))["cells"] if path.exists() else []


def _loaded(path: Path, device, what: str) -> tuple[dict, dict]:
    """Return of what a checkpoint is, and `what` it holds.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        return dict(saved["of"]), saved[what]
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError, LookupError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is no checkpoint ({_first_line(error)}). {_MOVE_IT}") from None


def _check_same(path: Path, theirs: dict, ours: dict) -> None:
    # What cells did not have when it was written had its default.
    before = {item.name: item.default_factory() for item in fields(Cell) if item.default_factory is not MISSING}
    beside = {item.name for item in fields(Cell) if not item.compare}
    differs = [
        f"{key} {theirs.get(key, before.get(key))!r}, here {value!r}"
        for key, value in ours.items()
        if key not in beside and theirs.get(key, before.get(key)) != value
    ]
    if differs:
        raise ValueError(f"{path} is the checkpoint of another run: {'; '.join(differs)}. {_MOVE_IT}")


_MOVE_IT = "It was left as it is; move or delete it, and the cell begins anew."


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def is_of(row: dict, cell: Cell) -> bool:
    """Return whether a row is this cell's; what cells and recipes did not have when it was written had its default."""
    given = {key: row[key] for key in cell.key() if key in row} | {"recipe": Recipe(**row["recipe"])}
    return Cell(**given) == cell


def _identity(cell: Cell, run: Run) -> dict:
    """Return what must agree for a checkpoint to be continued: a result has one hardware and one version."""
    return cell.key() | {"hardware": hardware(run.device), "torch": str(torch.__version__)}


def _row(cell: Cell, run: Run) -> dict:
    """Return one cell of a table; times are seconds, errors fractions, losses nats."""
    records = [_plain(record) for record in run.records]
    return _identity(cell, run) | {
        "device": run.device.type,
        "precision": run.precision,  # what was used; the recipe has what was wished
        "date": datetime.now(UTC).date().isoformat(),
        "parameters": sum(parameter.numel() for parameter in run.model.parameters()),
        "train_images": len(run.data.x_train),
        "test_images": len(run.data.x_test),
        "note": run.note,
        "seconds": round(sum(record.seconds for record in run.records), 1),
        "final": {key: records[-1][key] for key in ("train_loss", "train_error", "test_loss", "test_error")},
        "records": records,
    }


def _plain(record: EpochRecord) -> dict:
    """Return a record without its filters, as JSON has it; signals, which fill pages, with four digits."""
    values = {key: _finite(value) for key, value in vars(record).items() if key not in ("filters", "signals")}
    if record.signals is None:
        return values
    layers, *numbers = vars(record.signals).items()
    rounded = {key: [_rounded(one) for one in value] if isinstance(value, tuple) else value for key, value in numbers}
    return values | {"signals": dict([layers]) | rounded}


def _finite(value):
    """Return null for a number that JSON does not have."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _rounded(value: float) -> float | None:
    return _finite(float(f"{value:.4g}"))
