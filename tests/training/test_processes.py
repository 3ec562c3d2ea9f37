"""Runs in processes of their own: killed at any moment and started again, and shared between two."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings

import pytest
import torch

from cnnviz.training import __main__ as command
from cnnviz.training import experiments
from cnnviz.training.experiments import Cell
from cnnviz.training.recipe import Recipe

RECIPE = Recipe(
    epochs=4, batch_size=50, lr=0.02, momentum=0.9, schedule="plateau", patience=0, crop_padding=2, flip=0.5,
    colour_jitter=0.2, cutout=4,
)  # fmt: skip
OPTIONS = {"channels": [4, 8, 8], "norm": False, "head": "flatten", "image_size": 28}
TABLE = [Cell("tiny", "quick", "lab_net", "digits", RECIPE, 0, 210, 64, options=OPTIONS)]
SCRIPT = """
import sys
from cnnviz.training import __main__ as command, experiments
from cnnviz.training.experiments import Cell
from cnnviz.training.recipe import Recipe

table = {table!r}
command.EXPERIMENTS = experiments.EXPERIMENTS = {{"tiny": lambda scale: table}}
sys.exit(command.main({arguments!r}))
"""


def arguments(folder):
    folders = ["--results", str(folder / "results"), "--checkpoints", str(folder / "checkpoints")]
    return ["tiny", "--device", "cpu", *folders]


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "run.py"
    path.write_text(SCRIPT.format(table=TABLE, arguments=arguments(tmp_path)), "utf-8")
    return path


@pytest.fixture
def alone(tmp_path_factory, monkeypatch):
    """The table of an undisturbed run in this process."""
    folder = tmp_path_factory.mktemp("alone")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the other processes
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"tiny": lambda scale: TABLE})
    monkeypatch.setattr(command, "EXPERIMENTS", experiments.EXPERIMENTS)
    assert command.main(arguments(folder)) == 0
    yield read(folder)
    torch.set_num_threads(threads)


def read(folder):
    [cell] = json.loads((folder / "results" / "tiny-quick.json").read_text("utf-8"))["cells"]
    times = ("seconds", "images_per_second")
    return [{name: value for name, value in record.items() if name not in times} for record in cell["records"]]


def start(folder) -> int:
    """Begin or go on with the run in a copy of this process, which needs no time to import anything; return its id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12 about threads: the copy uses none
        child = os.fork()
    if child:
        return child
    try:
        torch.set_num_threads(1)
        os._exit(command.main(arguments(folder)))
    finally:
        os._exit(70)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")
def test_killed_at_random_moments_it_ends_with_the_same_numbers(alone, tmp_path):
    draw, kills = random.Random(), 0
    for attempt in range(8):
        child = start(tmp_path)
        # Before anything, in an epoch, in a test, while a checkpoint is written; the first time surely before the end.
        time.sleep(draw.uniform(0, 0.05 + 0.08 * attempt))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        kills += os.WIFSIGNALED(status)
    assert kills >= 1  # a run that was over before is not disturbed
    _, status = os.waitpid(start(tmp_path), 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert read(tmp_path) == alone
    assert list((tmp_path / "checkpoints").glob("*.pt")) == []


def test_two_processes_end_with_the_losses_of_one(script, alone, tmp_path):
    # --cpu would launch a single process; without a GPU, --multi_gpu launches two that compute on the processor.
    shared_out = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"]
    plain = ["--mixed_precision", "no", "--dynamo_backend", "no"]
    launch = [sys.executable, "-m", "accelerate.commands.launch", *shared_out, *plain, script]
    done = subprocess.run(launch, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert ", 2 processes" in done.stdout
    assert done.stdout.count("Wrote ") == 1  # one of them speaks and writes
    together = read(tmp_path)
    assert len(together) == len(alone) == RECIPE.epochs + 1
    for shared, single in zip(together, alone, strict=True):
        assert shared["train_error"] == single["train_error"]
        for name in ("train_loss", "test_loss"):
            assert shared[name] == pytest.approx(single[name], rel=1e-5)
