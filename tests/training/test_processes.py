"""Runs in processes of their own: killed at any moment and started again, and shared between two."""

import json
import os

import pytest
import torch

from cnnviz.training import __main__ as command
from cnnviz.training import experiments
from cnnviz.training.experiments import Cell
from cnnviz.training.recipe import Recipe
from tests.processes import kill_at_random_moments, run_script

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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")
def test_killed_at_random_moments_it_ends_with_the_same_numbers(alone, tmp_path):
    kill_at_random_moments(lambda: command.main(arguments(tmp_path)), 8)
    assert command.main(arguments(tmp_path)) == 0
    assert read(tmp_path) == alone
    assert list((tmp_path / "checkpoints").glob("*.pt")) == []


def test_two_processes_end_with_the_losses_of_one(script, alone, tmp_path):
    said = run_script(script, shared=True)
    assert ", 2 processes" in said
    assert said.count("Wrote ") == 1  # one of them speaks and writes
    together = read(tmp_path)
    assert len(together) == len(alone) == RECIPE.epochs + 1
    for shared, single in zip(together, alone, strict=True):
        assert shared["train_error"] == single["train_error"]
        for name in ("train_loss", "test_loss"):
            assert shared[name] == pytest.approx(single[name], rel=1e-5)
