"""Run the long experiments headless: `python -m cnnviz.training EXPERIMENT --scale full --minutes 9`.

Runs the cells that have no result yet, most important first, and writes data/results/EXPERIMENT-SCALE.json after each.
Stopped by the clock or by Ctrl-C it keeps finished cells and the last whole epoch of the one at work, and goes on from
there next time.
"""

import argparse
import contextlib
import io
import os
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

from cnnviz.analysis.device import as_device, best_device, hardware
from cnnviz.datasets import DatasetNotFoundError, load_dataset
from cnnviz.datasets.reference import RESULTS
from cnnviz.training.experiments import EXPERIMENTS, SCALES, Cell, cells
from cnnviz.training.fit import Run, fit
from cnnviz.training.follow_ups import compute, missing_parts, parts
from cnnviz.training.results import Results


def main(arguments: list[str] | None = None) -> int:
    """Run missing cells; return 0, or 1 where data or a checkpoint cannot be used, 2 where full needs a GPU.

    Under `accelerate launch` all processes train each cell together, and the first of them speaks and writes.
    """
    options = _parse(arguments)
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return _run(options, as_device(options.device), None)
    from accelerate import Accelerator  # slow to import, and only several processes need it

    accelerator = Accelerator(cpu=options.device == "cpu")
    with contextlib.nullcontext() if accelerator.is_main_process else contextlib.redirect_stdout(io.StringIO()):
        status = _run(options, accelerator.device, accelerator)
    accelerator.end_training()
    return status


def _run(options, device: torch.device, accelerator) -> int:
    shared = f", {accelerator.num_processes} processes" if accelerator else ""
    print(f"Device: {device.type} ({hardware(device)}){shared}.")
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
    unmeasured = {cell.name: cell for cell, _ in missing_parts(results, planned)}.values()
    missing += [cell for cell in unmeasured if cell not in missing and not results.has_weights(cell)]
    absent = False
    for cell in missing:
        try:
            results.load_weights(cell)  # refuses those of another plan before they are written over
            run = _start(cell, device, accelerator)
            resumed = results.load_checkpoint(cell, run)
        except (DatasetNotFoundError, ValueError) as error:  # no file of the data, a damaged one, a foreign checkpoint
            print(f"Left out {cell.name}: {error}")
            absent = True
            continue
        if resumed:
            print(f"{cell.name} goes on. {run.describe()}")
        if not _finish(cell, run, results, deadline, accelerator):
            print(f"Time is up; the same command goes on from here. {run.describe()}")
            break
        if not accelerator or accelerator.is_main_process:
            print(f"{run.records[-1].describe()} Wrote {results.add(cell, run)}.")
    if accelerator:
        accelerator.wait_for_everyone()  # the first process may still be writing the last weights
    for cell, part in missing_parts(results, planned):
        if not results.has_weights(cell) or _any(time.monotonic() > deadline, device, accelerator):
            continue
        if _any(results.has_part(cell, part), device, accelerator):  # another command has measured it meanwhile
            continue
        try:
            found = compute(results, cell, part, device, deadline, accelerator)
            print(f"{cell.name}, {part}: {found.describe()}")
        except (DatasetNotFoundError, ValueError) as error:  # weights or rows of another plan
            print(f"Left out {cell.name}, {part}: {error}")
            absent = True
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


def _start(cell: Cell, device: torch.device, accelerator=None) -> Run:
    """Return the run of a cell, its weights drawn from its seed."""
    data = load_dataset(cell.dataset).subset(cell.train_limit, cell.test_limit)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(cell.seed)
        model = cell.build(data.num_classes, data.image_shape[0])
    return fit(
        model, data, cell.recipe, device=device, seed=cell.seed, keep_filters=(), signals=cell.signals,
        accelerator=accelerator,
    )  # fmt: skip


def _finish(cell: Cell, run: Run, results: Results, deadline: float, accelerator=None) -> bool:
    """Train to the end, a checkpoint an epoch; return False where the next epoch would end after `deadline`."""
    longest = max((record.seconds for record in run.records), default=0.0)
    first = not accelerator or accelerator.is_main_process
    begun = max(0, len(run.records) - 1)
    if accelerator:
        accelerator.wait_for_everyone()  # all have read the checkpoint before the first process writes the next
    with tqdm(total=cell.recipe.epochs, initial=begun, desc=cell.name, unit="epoch", disable=not first) as bar:
        while len(run.records) <= cell.recipe.epochs:
            if _any(time.monotonic() + longest > deadline, run.device, accelerator):
                return False
            record = next(run)
            if first:
                if parts(cell):
                    results.save_weights(cell, run)  # first: a checkpoint says that the epoch is over
                results.save_checkpoint(cell, run)
            longest = max(longest, record.seconds)
            bar.update(min(1, record.epoch))
            bar.set_postfix(test_error=f"{record.test_error:.2%}")
    return True


def _any(here: bool, device: torch.device, accelerator) -> bool:
    """Return whether it is so in any process: clocks differ, and all must do the same."""
    return bool(accelerator.reduce(torch.tensor(here, device=device).int(), "sum")) if accelerator else here


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Stopped. Finished cells and the last whole epoch are kept; the same command goes on from there.")
        sys.exit(130)
