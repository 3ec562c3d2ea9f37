"""The gradient by path length beside one plain gradient at the image: time, and the memory it takes."""

import resource
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

from benchmarks.row import Row
from cnnviz.analysis.residual_paths import path_gradients
from cnnviz.models import resnet56, resnet110

ROUNDS = 5
MB = 1e6


def plain(net, x, y) -> torch.Tensor:
    """One forward and one backward pass to the image; the parameters are frozen."""
    x = x.clone().requires_grad_()
    return torch.autograd.grad(F.cross_entropy(net(x), y, reduction="sum"), x)[0]


def measure() -> list[Row]:
    """Run both in turn on one thread; the medians. The work alone is (n + 1) / 2 backward passes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = [
            _times(f"path gradients, ResNet-56, {form}, batch 32", resnet56(preactivation=pre), 32, 25)
            for pre, form in ((False, "post-activation"), (True, "pre-activation"))
        ] + [
            _times(f"path gradients, 54 blocks, {form}, batch 8", resnet110(preactivation=pre), 8, 45)
            for pre, form in ((False, "post-activation"), (True, "pre-activation"))
        ]
    finally:
        torch.set_num_threads(threads)
    return [*times, _memory()]


def _times(what: str, net, batch: int, target: float) -> Row:
    net.eval().requires_grad_(False)
    x, y = torch.randn(batch, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.arange(batch) % 10
    seconds = {plain: [], path_gradients: []}
    for _ in range(ROUNDS):
        for work, spent in seconds.items():
            start = time.perf_counter()
            work(net, x, y)
            spent.append(time.perf_counter() - start)
    base, ours = (statistics.median(spent[1:]) for spent in seconds.values())
    return Row(what, 1000 * ours, 1000 * base, "ms", ours / base, f"at most {target} times", ours <= target * base)


def _memory() -> Row:
    """Beside the vectors that all lengths need at the first block, (n + 1) N C H W floats; a process of its own."""
    carried = 55 * 32 * 16 * 32 * 32 * 4 / MB
    said = subprocess.run(
        [sys.executable, "-m", "benchmarks.residual_paths"], check=True, capture_output=True, text=True
    )
    ours = float(said.stdout)
    what = "path gradients, 54 blocks, batch 32: memory above a plain gradient"
    return Row(what, ours, carried, "MB", ours / carried, "at most 5 times", ours <= 5 * carried)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB


if __name__ == "__main__":
    torch.set_num_threads(1)
    net = resnet110().eval().requires_grad_(False)
    x, y = torch.randn(32, 3, 32, 32), torch.arange(32) % 10
    plain(net, x, y)
    before = _peak()
    path_gradients(net, x, y)
    print(_peak() - before)
