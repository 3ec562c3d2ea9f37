"""What a paper published beside what was measured here: the numbers, the gap, and what was done differently."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cnnviz.datasets import PublishedNumber, published


@dataclass(frozen=True)
class Measurement:
    """Test errors of one model on one data set, one for each seed."""

    label: str  # where the numbers come from: data, scale, hardware, seeds, date
    errors: tuple[float, ...]  # percent; empty: not measured yet
    comparable: bool  # the same data set as the paper's
    differences: tuple[str, ...]  # from the paper, in words

    @property
    def mean(self) -> float:
        """Mean error over the seeds, percent."""
        return float(np.mean(self.errors))


@dataclass(frozen=True)
class Comparison:
    """The box of a chapter: paper, ours, gap, why. Jupyter shows it as a table."""

    paper: PublishedNumber
    measurements: tuple[Measurement, ...]

    def gap(self, measurement: Measurement) -> float | None:
        """Return by how many percentage points ours is worse than the paper's; None for another data set."""
        return measurement.mean - self.paper.value if measurement.comparable else None

    def describe(self) -> str:
        """Say every number of the box, and why they differ."""
        lines = [f"{self.paper.paper}, {self.paper.where}: {self.paper.value:g} %."]
        return " ".join([*lines, *(f"{' | '.join(self._cells(one))}." for one in self.measurements)])

    def __repr__(self) -> str:
        return self.describe()

    def _repr_markdown_(self) -> str:
        paper = f"**paper**: {self.paper.paper}, {self.paper.where}, {self.paper.model}"
        rows = [(paper, f"{self.paper.value:g} %", "", ""), *map(self._cells, self.measurements)]
        head = f"| | {self.paper.quantity} | gap | why |\n| --- | --- | --- | --- |"
        return "\n".join([head, *("| " + " | ".join(row) + " |" for row in rows)])

    def _cells(self, one: Measurement) -> tuple[str, str, str, str]:
        if not one.errors:
            return one.label, "not measured yet", "", ""
        spread = f" ({min(one.errors):.2f} to {max(one.errors):.2f})" if len(one.errors) > 1 else ""
        gap = self.gap(one)
        words = "none: other images" if gap is None else f"{gap:+.2f} points"
        return one.label, f"{one.mean:.2f} %{spread}", words, "; ".join(one.differences)


def comparison(model: str, dataset: str, ours: Mapping[str, Sequence[dict]]) -> Comparison:
    """Return the published test error of a model beside measured ones.

    Args:
        model: of the paper, as in data/reference/papers.csv.
        dataset: on which the paper reports it.
        ours: cells as `measured` returns them (one for each seed), by what they are called: {"committed": cells}. An
            entry without cells is shown as not measured yet.

    Raises:
        ValueError: the paper published no test error on this data set.
    """
    paper, *_ = published(model, f"test error, {dataset}")
    known = {row.quantity: row.value for row in published(model)}
    done = {part: known.get(f"{part}, {dataset}") for part in ("training images", "passes")}
    return Comparison(
        paper,
        tuple(
            Measurement(
                label=f"**{name}**: {provenance(cells)}",
                errors=tuple(100 * cell["final"]["test_error"] for cell in cells),
                comparable=cells[0]["dataset"] == dataset,
                differences=_differences(cells[0], model, dataset, done),
            )
            if cells
            else Measurement(f"**{name}**", (), comparable=False, differences=())
            for name, cells in ours.items()
        ),
    )


def provenance(cells: Sequence[dict]) -> str:
    """Say where measured cells come from: model, data set, scale, hardware, seeds, date (that of the last).

    Fewer seeds than planned are said to be a part: "seed 0 (1 of 3 seeds)".
    """
    first, seeds = cells[0], ", ".join(str(cell["seed"]) for cell in cells)
    planned = first.get("seeds_planned", len(cells))
    partial = f" ({len(cells)} of {planned} seeds)" if len(cells) < planned else ""
    return (
        f"{first['model']} on {first['dataset']}, {first['scale']}, {first['hardware']}, "
        f"seed{'s' * (len(cells) > 1)} {seeds}{partial}, {max(cell['date'] for cell in cells)}"
    )


def _differences(cell: dict, model: str, dataset: str, done: dict[str, float | None]) -> tuple[str, ...]:
    here = {"training images": cell["train_images"], "passes": cell["recipe"]["epochs"]}
    return tuple(
        [f"{cell['dataset']} instead of {dataset}"] * (cell["dataset"] != dataset)
        + [f"{cell['model']} instead of {model}"] * (cell["model"] != model)
        + [f"width {width:g} instead of 1" for width in [cell.get("options", {}).get("width", 1)] if width != 1]
        + [
            f"{here[part]:,} instead of {value:,.0f} {part}"
            for part, value in done.items()
            if value is not None and here[part] != value
        ]
    )
