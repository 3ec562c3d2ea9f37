"""Points of a loss surface in a second: `Slice` beside what most code does, a state dict for every point."""

import statistics
import time

import torch
import torch.nn.functional as F

from benchmarks.row import Row
from cnnviz.analysis.device import has_bf16
from cnnviz.analysis.directions import random_direction
from cnnviz.analysis.slice import Slice
from cnnviz.models import resnet20

IMAGES = 512
ROUNDS = 7
POINT = (0.3, -0.2)


def naive(model, state, directions, batches) -> float:
    """Load the weights of a point, and add up the loss over the batches as the authors' code does."""
    moved = {name: tensor.clone() for name, tensor in state.items()}
    for coordinate, direction in zip(POINT, directions, strict=True):
        for name, step in direction.items():
            moved[name] += coordinate * step
    model.load_state_dict(moved)
    model.eval()
    total, right = 0.0, 0
    with torch.no_grad():
        for images, labels in batches:
            logits = model(images)
            total += F.cross_entropy(logits, labels).item() * len(labels)
            right += (logits.argmax(1) == labels).sum().item()
    return total


def measure() -> list[Row]:
    """Run one point of each in turn, on the processor; the medians."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(IMAGES, 3, 32, 32, generator=generator)
    labels = torch.randint(10, (IMAGES,), generator=generator)
    model = resnet20()
    directions = [random_direction(model, generator=generator) for _ in range(2)]
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    targets = {torch.float32: 1.15} | ({torch.bfloat16: 1.8} if has_bf16(torch.device("cpu")) else {})
    rows = []
    for batch_size in (64, 256):
        batches = list(zip(images.split(batch_size), labels.split(batch_size), strict=True))
        ours = {
            dtype: Slice(model, images, labels, directions, dtype=dtype, batch_size=batch_size) for dtype in targets
        }
        other = resnet20()
        seconds = {dtype: [] for dtype in (None, *targets)}
        for _ in range(ROUNDS):
            start = time.perf_counter()
            naive(other, state, directions, batches)
            seconds[None].append(time.perf_counter() - start)
            for dtype, one in ours.items():
                start = time.perf_counter()
                one.at([POINT])
                seconds[dtype].append(time.perf_counter() - start)
        rate = {dtype: 1 / statistics.median(values[1:]) for dtype, values in seconds.items()}
        for dtype, target in targets.items():
            what = f"loss surface, ResNet-20, batch {batch_size}, {str(dtype).removeprefix('torch.')}"
            ratio = rate[dtype] / rate[None]
            rows.append(
                Row(what, rate[dtype], rate[None], "points/s", ratio, f"at least {target} times", ratio >= target)
            )
    return rows
