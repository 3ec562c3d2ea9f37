"""How long the table of the longest network takes, beside torch's own run of it without numbers."""

import time

import torch

from benchmarks.row import Row
from cnnviz.analysis.layer_table import layer_table
from cnnviz.analysis.trace import as_inputs
from cnnviz.models import create_model

ROUNDS = 3
TARGET = 2.0  # seconds


def seconds(function, *args) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    function(*args)
    return time.perf_counter() - start


def measure() -> list[Row]:
    """Run ResNet-1202 (5,406 rows) in turn both ways, so that a busy moment meets both; compare the best of each."""
    with torch.device("meta"):
        model = create_model("resnet1202").eval()
        layer_table(create_model("lenet5"))  # what is loaded and remembered at the first table
    images = as_inputs(model, None)
    pairs = [(seconds(layer_table, model), seconds(model, *images)) for _ in range(ROUNDS)]
    ours, torchs = map(min, zip(*pairs, strict=True))
    what = "layer_table of ResNet-1202, beside torch's empty run"
    return [Row(what, ours, torchs, "s", torchs / ours, f"under {TARGET:g} s", ours < TARGET)]
