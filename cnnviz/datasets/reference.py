"""The numbers that the course may show: published ones (data/reference) and measured ones (data/results)."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from cnnviz.datasets.folders import DATA

PAPERS = DATA / "reference" / "papers.csv"
LECTURES = DATA / "reference" / "lectures.csv"
RESULTS = DATA / "results"


@dataclass(frozen=True)
class PublishedNumber:
    """One number of one paper."""

    id: str  # of the paper, for instance lenet1998
    paper: str
    model: str  # name in MODELS
    quantity: str  # "parameters" or "test error, mnist", for instance
    value: float
    unit: str
    where: str  # section, table or page of the paper

    def describe(self) -> str:
        """Say the number with its unit and its source."""
        return f"{self.model}, {self.quantity}: {self.value:,g} {self.unit} ({self.paper}, {self.where})"


def published(model: str | None = None, quantity: str | None = None) -> list[PublishedNumber]:
    """Return the published numbers of a model, of a quantity, of both, or all.

    Raises:
        ValueError: there is none; the message lists the models, or the quantities of this model.
    """
    with PAPERS.open(encoding="utf-8", newline="") as file:
        rows = [PublishedNumber(**row | {"value": float(row["value"])}) for row in csv.DictReader(file)]
    of_model = [row for row in rows if model in (None, row.model)]
    if not of_model:
        raise ValueError(f"no published number of {model!r}; there are some of {', '.join({r.model: 0 for r in rows})}")
    found = [row for row in of_model if quantity in (None, row.quantity)]
    if not found:
        there = "; ".join(dict.fromkeys(row.quantity for row in of_model))
        raise ValueError(f"no published {quantity!r} of {model or 'any model'}; there is: {there}")
    return found


def measured(experiment: str, scale: str = "full", *, folder: Path | None = None, **keys) -> list[dict]:
    """Return the measured cells of an experiment, possibly none: `measured("lenet", model="lenet5", dataset="mnist")`.

    Each is one result of `python -m cnnviz.training` as written in data/results; `keys` choose by equality. The
    fields: model, dataset, seed, recipe, hardware, torch, date, records (one dict an epoch), final, and
    cells_planned and seeds_planned: fewer than that are a part of what was planned.
    """
    path = (folder or RESULTS) / f"{experiment}-{scale}.json"
    if not path.exists():
        return []
    table = json.loads(path.read_text("utf-8"))
    planned = {name: table[name] for name in ("cells_planned", "seeds_planned")}
    cells = [cell | planned for cell in table["cells"]]
    return [cell for cell in cells if all(cell[key] == value for key, value in keys.items())]
