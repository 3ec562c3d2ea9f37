"""What an experiment measured, for each of the variants that it compares."""

from dataclasses import dataclass

import numpy as np

from cnnviz.datasets.reference import measured

SCALES = ("full", "reduced")  # in the order in which they are believed


@dataclass(frozen=True)
class Variant:
    """The results of one variant, one for each seed that is measured."""

    name: str
    cells: tuple[dict, ...]  # as `measured` gives them, by seed

    @property
    def parameters(self) -> int:
        """Of the network."""
        return self.cells[0]["parameters"]

    @property
    def images_per_second(self) -> float:
        """Of the training, in its fastest epoch: the one in which the machine had the least else to do."""
        return max(record["images_per_second"] for cell in self.cells for record in cell["records"])

    def final(self, quantity: str) -> np.ndarray:
        """Return train_loss, train_error, test_loss or test_error after the last epoch, [seeds]; nan: not finite."""
        return np.array([cell["final"][quantity] for cell in self.cells], dtype=float)

    def curve(self, quantity: str) -> np.ndarray:
        """Return the same after every epoch, [seeds, epochs + 1]; the first column is the untrained network."""
        return np.array([[record[quantity] for record in cell["records"]] for cell in self.cells], dtype=float)


@dataclass(frozen=True)
class Experiment:
    """Variants that differ in one thing and were trained alike. Jupyter shows it as a table."""

    name: str
    group: str  # of the variants; empty where the experiment has one group
    scale: str  # full or reduced
    variants: dict[str, Variant]  # in the order of the plan; without those that are not measured yet
    planned: tuple[int, int]  # cells and seeds of the whole experiment
    missing: int = 0  # cells of the whole experiment that have no result yet

    def describe(self) -> str:
        """Say scale, provenance, and the errors of every variant."""
        if not self.variants:
            return f"{self._title}: not measured yet. Measure it: {self.command}"
        lines = [
            f"{name}: training error {_percent(one.final('train_error'))}, "
            f"test error {_percent(one.final('test_error'))} (seeds: {len(one.cells)} of {self.planned[1]})."
            for name, one in self.variants.items()
        ]
        return " ".join([f"{self._title}, {self.provenance}.", *lines])

    @property
    def provenance(self) -> str:
        """Data, images, epochs, hardware and date, and that it is a part where cells are missing."""
        cells = [cell for one in self.variants.values() for cell in one.cells]
        first, hardware = cells[0], sorted({cell["hardware"] for cell in cells})
        part = f"; partial: {self.missing} of {self.planned[0]} cells are not measured yet" if self.missing else ""
        return (
            f"{first['dataset']}, {first['train_images']:,} training images, {first['recipe']['epochs']} epochs, "
            f"{', '.join(hardware)}, {max(cell['date'] for cell in cells)}{part}"
        )

    @property
    def command(self) -> str:
        """What measures the missing cells."""
        return f"python -m cnnviz.training {self.name} --scale {self.scale}"

    @property
    def _title(self) -> str:
        return f"{self.name.replace('_', ' ')}{f' ({self.group})' if self.group else ''}, {self.scale} scale"

    def __repr__(self) -> str:
        return self.describe()

    def _repr_markdown_(self) -> str:
        if not self.variants:
            return f"**{self._title}**: not measured yet. Measure it: `{self.command}`"
        rows = [
            f"| {name} | {one.parameters:,} | {_percent(one.final('train_error'))} "
            f"| {_percent(one.final('test_error'))} | {one.images_per_second:,.0f} "
            f"| {len(one.cells)} of {self.planned[1]} |"
            for name, one in self.variants.items()
        ]
        head = (
            "| | parameters | training error | test error | images / s | seeds |\n| --- | --- | --- | --- | --- | --- |"
        )
        return "\n".join([f"**{self._title}**: {self.provenance}\n", head, *rows])


def experiment(name: str, group: str = "", scale: str | None = None) -> Experiment:
    """Return what is measured of an experiment (data/results), never two scales together.

    Args:
        name: of the experiment, as `python -m cnnviz.training` knows it.
        group: of the variants that are compared, where an experiment has several.
        scale: full or reduced; None: full where anything of it is measured, else reduced.

    Raises:
        ValueError: there is no such scale, or all results and none of this group; the message lists what there is.
    """
    if scale not in (None, *SCALES):
        raise ValueError(f"scale (={scale!r}) must be one of {', '.join(SCALES)}, or None")
    for one in SCALES if scale is None else (scale,):
        cells = measured(name, one)
        if cells:
            break
    groups = dict.fromkeys(cell.get("group", "") for cell in cells)
    partial = bool(cells) and len(cells) < cells[0]["cells_planned"]
    if cells and group not in groups and not (group and partial):  # its cells may be among those still to come
        raise ValueError(f"group (={group!r}) must be one of {', '.join(map(repr, groups))}")
    names = dict.fromkeys(label(cell) for cell in cells if cell.get("group", "") == group)
    variants = {
        name: tuple(cell for cell in cells if (label(cell), cell.get("group", "")) == (name, group)) for name in names
    }
    planned = (cells[0]["cells_planned"], cells[0]["seeds_planned"]) if cells else (0, 0)
    found = {name: Variant(name, cells) for name, cells in variants.items()}
    return Experiment(name, group, one, found, planned, missing=planned[0] - len(cells))


def label(cell: dict) -> str:
    """Return what a measured cell is called in tables and curves."""
    return cell.get("variant") or cell["model"]


def _percent(errors: np.ndarray) -> str:
    """Return mean and range of errors, in percent."""
    errors = 100 * errors
    spread = f" ({errors.min():.1f} to {errors.max():.1f})" if len(errors) > 1 else ""
    return f"{errors.mean():.1f} %{spread}"
