"""Run the long experiments headless: `python -m cnnviz.training EXPERIMENT --scale full --minutes 9`.

Runs the cells that have no result yet, most important first, and writes data/results/EXPERIMENT-SCALE.json after each.
Stopped by the clock or by Ctrl-C it keeps finished cells and the last whole epoch of the one at work, and goes on from
there next time.
"""

import argparse
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

from cnnviz.datasets import DatasetNotFoundError, load_dataset
from cnnviz.datasets.reference import RESULTS
from cnnviz.training.device import as_device, best_device, hardware
from cnnviz.training.experiments import EXPERIMENTS, SCALES, Cell, cells
from cnnviz.training.fit import Run, fit
from cnnviz.training.results import Results


def main(arguments: list[str] | None = None) -> int:
    """Run missing cells; return the exit status: 0, or 1 where data is missing or damaged, 2 where full needs a GPU."""
    options = _parse(arguments)
    device = as_device(options.device)
    print(f"Device: {device.type} ({hardware(device)}).")
    if options.scale == "full" and device.type == "cpu" and options.device is None:
        print(
            "No GPU here, and the full experiments are meant for one: nothing was run. --device cpu runs them anyway."
        )
        return 2
    deadline = time.monotonic() + 60 * options.minutes
    results = Results(options.results, options.checkpoints)
    planned = cells(options.experiment, options.scale)
    missing = results.missing(planned)
    print(f"{len(planned) - len(missing)} of {len(planned)} cells are there, {len(missing)} are missing.")
    absent = False
    for cell in missing:
        try:
            run = _start(cell, device)
        except (DatasetNotFoundError, ValueError) as error:  # no file, or a damaged one
            print(f"Left out {cell.name}: {error}")
            absent = True
            continue
        if not _finish(cell, run, results, deadline):
            print(f"Time is up; the same command goes on from here. {run.describe()}")
            break
        print(f"{run.records[-1].describe()} Wrote {results.add(cell, run)}.")
    return 1 if absent else 0


def _parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m cnnviz.training", description=__doc__.splitlines()[0])
    parser.add_argument("experiment", choices=[*EXPERIMENTS, "all"])
    parser.add_argument("--scale", choices=SCALES, default="quick")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many minutes")
    parser.add_argument("--device", help=f"cuda, mps or cpu; here the default is {best_device()}")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    parser.add_argument("--checkpoints", type=Path, default=RESULTS.parents[1] / "build" / "training")
    return parser.parse_args(arguments)


def _start(cell: Cell, device: torch.device) -> Run:
    """Return the run of a cell, its weights drawn from its seed."""
    data = load_dataset(cell.dataset).subset(cell.train_limit, cell.test_limit)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(cell.seed)
        model = cell.build(data.num_classes, data.image_shape[0])
    return fit(model, data, cell.recipe, device=device, seed=cell.seed, keep_filters=(), signals=cell.signals)


def _finish(cell: Cell, run: Run, results: Results, deadline: float) -> bool:
    """Train to the end, a checkpoint an epoch; return False where the next epoch would end after `deadline`."""
    if results.load_checkpoint(cell, run):
        print(f"{cell.name} goes on. {run.describe()}")
    longest = max((record.seconds for record in run.records), default=0.0)
    with tqdm(total=cell.recipe.epochs, initial=max(0, len(run.records) - 1), desc=cell.name, unit="epoch") as bar:
        while len(run.records) <= cell.recipe.epochs:
            if time.monotonic() + longest > deadline:
                return False
            record = next(run)
            results.save_checkpoint(cell, run)
            longest = max(longest, record.seconds)
            bar.update(min(1, record.epoch))
            bar.set_postfix(test_error=f"{record.test_error:.2%}")
    return True


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Stopped. Finished cells and the last whole epoch are kept; the same command goes on from there.")
        sys.exit(130)
