"""A run of the learner's in the form in which measured results are kept."""

from dataclasses import asdict
from datetime import UTC, datetime

from cnnviz.analysis.device import hardware, profile
from cnnviz.training.fit import Run


def summary(run: Run, model: str) -> dict:
    """Return a run as a cell of data/results, as `measured` gives them: where it comes from, recipe, figures, records.

    Raises:
        ValueError: the run has not finished its first epoch.
    """
    if len(run.records) < 2:
        raise ValueError(f"the run has {max(len(run.records) - 1, 0)} whole epochs; train first")
    records = [
        {name: value for name, value in vars(one).items() if name not in ("filters", "signals")} for one in run.records
    ]
    return {
        "model": model,
        "dataset": run.data.name,
        "scale": profile(),
        "seed": run.seed,
        "hardware": hardware(run.device),
        "date": datetime.now(UTC).date().isoformat(),
        "recipe": asdict(run.recipe) | {"epochs": records[-1]["epoch"]},  # as many as were trained
        "train_images": len(run.data.x_train),
        "final": {name: records[-1][name] for name in ("train_loss", "train_error", "test_loss", "test_error")},
        "records": records,
    }
