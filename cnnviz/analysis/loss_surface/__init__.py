"""The loss of a network along a line or over a plane through its weights.

H. Li, Z. Xu, G. Taylor, C. Studer and T. Goldstein, Visualizing the loss landscape of neural nets, NeurIPS 2018.
"""

import json
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cnnviz.analysis.arrays import Stored
from cnnviz.analysis.device import hardware
from cnnviz.analysis.directions import Direction, cosine, length, tensors_of
from cnnviz.analysis.evaluate import device_of
from cnnviz.analysis.hooks import uncompiled
from cnnviz.analysis.losses import Loss
from cnnviz.analysis.slice import SHOWN, Data, Slice, pair_of

GUESSING = math.log(10)  # nats: the cross-entropy of a network that gives ten classes the same chance
# How far a mean loss may be from the exact one, as a fraction and in nats (a small loss is a difference of large
# logits): a difference of losses must exceed both to mean anything.
ROUNDING = {"float64": (1e-13, 1e-14), "float32": (1e-5, 1e-6), "bfloat16": (2e-2, 1e-6)}


@dataclass(frozen=True, eq=False)
class LossLine:
    """The loss of a network along a line through its weights."""

    alphas: np.ndarray  # float64 [A], how far along the direction; 0 is the network
    loss: np.ndarray  # float64 [A], mean over the images; nats for cross-entropy
    accuracy: np.ndarray  # float64 [A], fraction of the images
    standard_error: np.ndarray  # float64 [A], of the mean loss: how much other images of the same kind would change it
    metadata: Mapping = field(default_factory=dict)  # what was computed, of what, how and where

    def describe(self) -> str:
        """Say the loss at both ends and where it is lowest."""
        if not np.isfinite(self.loss).any():
            return f"{_what(self.metadata)}: the loss is not finite anywhere."
        low = int(np.nanargmin(self.loss))
        return (
            f"{_what(self.metadata)}: loss {self.loss[0]:.3g} at {self.alphas[0]:g}, lowest {self.loss[low]:.3g} at "
            f"{self.alphas[low]:g} (accuracy {self.accuracy[low]:.1%}), {self.loss[-1]:.3g} at {self.alphas[-1]:g}."
        )

    def __repr__(self) -> str:
        return self.describe()


@dataclass(frozen=True, eq=False)
class LossSurface(Stored):
    """The loss of a network over a grid in a plane through its weights. Rows that are not computed yet hold NaN."""

    alphas: np.ndarray  # float64 [A], along the first direction; 0 is the network
    betas: np.ndarray  # float64 [B], along the second
    loss: np.ndarray  # float64 [A, B] at (alphas[i], betas[j]), mean over the images; nats for cross-entropy
    accuracy: np.ndarray  # float64 [A, B], fraction of the images
    standard_error: np.ndarray  # float64 [A, B], of the mean loss: how much other such images would change it
    predictions: np.ndarray  # int64 [A, B, K], class that the network sees in the first images
    labels: np.ndarray  # int64 [K], their true classes
    metadata: Mapping = field(default_factory=dict)  # what was computed, of what, how and where

    @property
    def complete(self) -> bool:
        """Whether every row is computed."""
        return not np.isnan(self.accuracy).any()

    @property
    def centre(self) -> tuple[int, int]:
        """Indices of the point nearest to the network itself."""
        return int(np.abs(self.alphas).argmin()), int(np.abs(self.betas).argmin())

    def basin_area(self, level: float = GUESSING) -> float:
        """Return the fraction of the computed area whose loss lies below `level`: that of guessing by default."""
        known = self._areas * ~np.isnan(self.accuracy)
        return float((known * (self.loss < level)).sum() / known.sum()) if known.any() else math.nan

    def rim(self) -> np.ndarray:
        """Return the losses on the rim of the plane, once around: float64 [2 A + 2 B - 4]."""
        return np.concatenate([self.loss[0, :-1], self.loss[:-1, -1], self.loss[-1, :0:-1], self.loss[:0:-1, 0]])

    def local_minima(self) -> np.ndarray:
        """Return the inner points that lie lower than their eight neighbours: float64 [M, 2], alpha and beta.

        By more than rounding explains.
        """
        inside = self.loss[1:-1, 1:-1] + self._rounding
        around = [self._shifted(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
        rows, columns = np.nonzero(np.all([inside < other for other in around], axis=0))
        return np.stack([self.alphas[rows + 1], self.betas[columns + 1]], axis=1)

    def curvature(self) -> tuple[np.ndarray, np.ndarray]:
        """Return both principal curvatures within the plane, float64 [A-2, B-2] each: the smaller, the larger.

        Eigenvalues of the 2 x 2 matrix of second differences of neighbouring points, in nats per unit of alpha and beta
        squared. The plane's curvature, not the network's: it says nothing about the other directions.
        """
        (before_a, after_a), (before_b, after_b) = _gaps(self.alphas)[:, :, None], _gaps(self.betas)[:, None, :]
        f = self._shifted
        with np.errstate(invalid="ignore"):  # far away a loss may be infinite: no curvature there
            aa = 2 * ((f(1, 0) - f(0, 0)) / after_a - (f(0, 0) - f(-1, 0)) / before_a) / (before_a + after_a)
            bb = 2 * ((f(0, 1) - f(0, 0)) / after_b - (f(0, 0) - f(0, -1)) / before_b) / (before_b + after_b)
            ab = (f(1, 1) - f(1, -1) - f(-1, 1) + f(-1, -1)) / ((before_a + after_a) * (before_b + after_b))
            half = np.hypot((aa - bb) / 2, ab)
            return (aa + bb) / 2 - half, (aa + bb) / 2 + half

    def nonconvex_share(self, level: float = math.inf) -> float:
        """Return the fraction of the inner points with a loss below `level` where it bends downwards in some direction.

        By more than rounding explains: with bf16 that is much, and a share that was computed so is too small. Points
        with a neighbour that is not finite or not computed do not count; NaN where none is left.
        """
        gap = min(np.diff(self.alphas).min(), np.diff(self.betas).min())
        smaller, noise = self.curvature()[0], 4 * self._rounding / gap**2
        known = np.isfinite(smaller) & (self.loss[1:-1, 1:-1] < level)
        return float((smaller < -noise)[known].mean()) if known.any() else math.nan

    def describe(self) -> str:
        """Say the loss at the centre and on the rim, how large the basin is, and how rough the surface."""
        if not self.complete:
            done = int((~np.isnan(self.accuracy[:, 0])).sum())
            return f"{_what(self.metadata)}: partial, {done} of {len(self.alphas)} rows are computed."
        i, j = self.centre
        rim = self.rim()
        minima = len(self.local_minima())
        return (
            f"{_what(self.metadata)}: loss {self.loss[i, j]:.3g} (± {self.standard_error[i, j]:.2g}) and accuracy "
            f"{self.accuracy[i, j]:.1%} in the centre, {np.nanmin(rim):.3g} to {np.nanmax(rim):.3g} on the rim; below "
            f"ln 10 in {self.basin_area():.1%} of the square; {minima} local minim{'um' if minima == 1 else 'a'}; "
            f"not convex at {self.nonconvex_share():.1%} of the points."
        )

    def __repr__(self) -> str:
        return self.describe()

    @property
    def _rounding(self) -> np.ndarray:
        """How far the loss of every inner point may be from the exact one, nats, [A-2, B-2]."""
        fraction, nats = ROUNDING[self.metadata.get("dtype", "float64")]
        return fraction * np.abs(self.loss[1:-1, 1:-1]) + nats

    @property
    def _areas(self) -> np.ndarray:
        """What each point stands for, [A, B]: half the way to its neighbours on every side."""
        widths = [np.convolve(np.diff(axis), [0.5, 0.5]) for axis in (self.alphas, self.betas)]
        return np.outer(*widths)

    def _shifted(self, i: int, j: int) -> np.ndarray:
        """Return the loss beside every inner point, [A-2, B-2]."""
        rows, columns = self.loss.shape
        return self.loss[1 + i : rows - 1 + i, 1 + j : columns - 1 + j]


def loss_line(
    model: nn.Module,
    data: Data,
    d: Direction,
    *,
    alphas: Sequence[float] | np.ndarray | None = None,
    bn: str = "frozen",
    dtype: torch.dtype = torch.float32,
    batch_size: int | None = None,
    loss: Loss | None = None,
) -> LossLine:
    """Return the loss of `model` at its weights plus alpha times `d`; the model stays as it is.

    Args:
        alphas: 51 from -1 to 1 by default.
        model, data, d, bn, dtype, batch_size, loss: as for `loss_surface`.
    """
    alphas = _axis("alphas", alphas)
    images, labels = pair_of(data)
    one = Slice(model, images, labels, [d], bn=bn, dtype=dtype, batch_size=batch_size, loss=loss)
    sums, _ = one.at([(alpha,) for alpha in alphas])
    metadata = _metadata(model, images, [d], bn=bn, dtype=dtype, batch_size=one.batch_size)
    return LossLine(alphas, *_means(sums, one.count), metadata)


def loss_surface(
    model: nn.Module,
    data: Data,
    d1: Direction,
    d2: Direction,
    *,
    alphas: Sequence[float] | np.ndarray | None = None,
    betas: Sequence[float] | np.ndarray | None = None,
    bn: str = "frozen",
    dtype: torch.dtype = torch.float32,
    batch_size: int | None = None,
    loss: Loss | None = None,
    resume: str | os.PathLike | None = None,
    metadata: Mapping | None = None,
    minutes: float = math.inf,
    progress: bool = True,
    accelerator=None,
) -> LossSurface:
    """Return the loss of `model` at its weights plus alpha times `d1` plus beta times `d2`; the model stays as it is.

    Args:
        model: any module that takes images [N, C, H, W] and returns logits [N, num_classes].
        data: an ImageSet, whose training images are taken, or a pair of normalised float32 images [N, C, H, W] and
            int64 labels [N]. The same images at every point, not augmented.
        d1, d2: directions, `random_direction` for instance; they need not be perpendicular.
        alphas, betas: rising coordinates; 51 from -1 to 1 by default.
        bn: "frozen" (the paper's): batch normalisation keeps the running statistics that belong to the centre. "batch":
            it takes those of each batch of `batch_size` images, as in training.
        dtype: of the arithmetic. With bfloat16 a loss below 0.1 is computed again in float32.
        batch_size: images at a time; with frozen statistics it changes the speed alone. None: what is fast, and 250
            with those of the batch.
        loss: of each image, from logits and labels (`loss_function`); cross-entropy by default.
        resume: an npz file. Every finished row is written there, and a second call goes on from what it holds.
        metadata: more that should be kept with the numbers, as JSON has it: seeds, where the weights come from.
        minutes: return what is there, a partial surface, where the next row would end later than that.
        progress: show a bar, and how long it will take before anything that takes over a minute.
        accelerator: `accelerate.Accelerator()` in each of several processes that call alike: rows are shared out, and
            all return the same surface; the first of them writes.

    Raises:
        TypeError, ValueError: something does not fit, or `resume` holds another surface or something else, which is
            left as it is; the message says what was given and what is allowed.
    """
    alphas, betas, (images, labels) = _axis("alphas", alphas), _axis("betas", betas), pair_of(data)
    one = Slice(model, images, labels, [d1, d2], bn=bn, dtype=dtype, batch_size=batch_size, loss=loss)
    about = _metadata(model, images, [d1, d2], bn=bn, dtype=dtype, batch_size=one.batch_size) | dict(metadata or {})
    about["fingerprint"] = _fingerprint(model, d1, d2, {"": images, "labels": labels}, alphas, betas, one.probe)
    surface = _alike(lambda: _begun(resume, alphas, betas, labels[:SHOWN].cpu().numpy(), about), accelerator)
    about = surface.metadata
    rows = np.flatnonzero(np.isnan(surface.accuracy[:, 0]))
    process, processes = (accelerator.process_index, accelerator.num_processes) if accelerator else (0, 1)
    progress = progress and process == 0
    if progress and len(rows):
        _announce(one, len(rows) * len(betas) / processes, model)
    spent, longest = about.get("seconds", 0.0), 0.0
    begun = started = time.perf_counter()
    try:
        with tqdm(total=len(alphas), initial=len(alphas) - len(rows), unit="row", disable=not progress) as bar:
            for first in range(0, len(rows), processes):
                late = torch.tensor([started + longest - begun > 60 * minutes])
                if any(flag.any() for (flag,) in _all((late,), accelerator)):
                    break
                shared = rows[first : first + processes]
                mine = shared[min(process, len(shared) - 1)]  # in the last round some have nothing left: they repeat
                found = one.at([(alphas[mine], beta) for beta in betas])
                for row, (sums, guesses) in zip(shared, _all(found, accelerator), strict=False):
                    values = _means(sums, one.count)
                    for name, value in zip(("loss", "accuracy", "standard_error"), values, strict=True):
                        getattr(surface, name)[row] = value
                    surface.predictions[row] = guesses
                longest = max(longest, time.perf_counter() - started)
                started = time.perf_counter()
                about["seconds"] = round(spent + started - begun, 2)
                if resume is not None and process == 0:
                    surface.save(resume)
                bar.update(len(shared))
    except KeyboardInterrupt:
        kept = f"kept in {resume}; the same call goes on from there" if resume else "lost; resume=PATH would keep them"
        done = int((~np.isnan(surface.accuracy[:, 0])).sum())
        print(f"Interrupted. {done} of {len(alphas)} rows are computed and {kept}.")
        raise
    return surface


def _axis(name: str, values) -> np.ndarray:
    values = np.linspace(-1, 1, 51) if values is None else np.asarray(values, dtype=float)
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all() or (np.diff(values) <= 0).any():
        raise ValueError(f"{name} must be at least two rising finite numbers, not {values}")
    return values


def _means(sums: Tensor, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean loss, accuracy and standard error of the mean from sums over the images, [points, 3]."""
    total, squares, right = sums.numpy().T
    with np.errstate(all="ignore"):  # far away a loss may be infinite, and is then shown as that
        unbiased = count / (count - 1) if count > 1 else math.nan
        variance = np.maximum(squares / count - (total / count) ** 2, 0) * unbiased
    return total / count, right / count, np.sqrt(variance / count)


def _metadata(model: nn.Module, images: Tensor, directions, *, bn, dtype, batch_size) -> dict:
    angle = {"cosine": cosine(*directions)} if len(directions) == 2 else {}
    return {
        "model": type(uncompiled(model)).__name__,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "images": len(images),
        "bn": bn,
        "dtype": str(dtype).removeprefix("torch."),
        "batch_size": batch_size,
        "lengths": [length(direction) for direction in directions],
        **angle,
        "hardware": hardware(device_of(model)),
        "torch": str(torch.__version__),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _fingerprint(model, d1: Direction, d2: Direction, data: Mapping, alphas, betas, probe: float) -> str:
    """Return a text that changes with anything that the surface is computed from; `probe` stands for the loss."""
    found = sha256(f"{probe:.6g}".encode())
    for tensors in (tensors_of(model), d1, d2, data):
        for name, tensor in tensors.items():
            found.update(name.encode())
            found.update(tensor.detach().to("cpu").contiguous().flatten().view(torch.uint8).numpy())
    for axis in (alphas, betas):
        found.update(axis.tobytes())
    return found.hexdigest()


def _begun(path, alphas, betas, labels, metadata) -> LossSurface:
    """Return what is kept in the file, or a surface without any row."""
    shape = len(alphas), len(betas)
    if path is None or not Path(path).exists():
        empty = [np.full(shape, np.nan) for _ in range(3)]
        return LossSurface(alphas, betas, *empty, np.zeros((*shape, len(labels)), np.int64), labels, metadata)
    kept = LossSurface.load(path)
    passing = {"date", "seconds"}
    differs = [
        f"{name} {kept.metadata.get(name)!r}, here {value!r}"
        for name, value in metadata.items()
        if name not in passing and kept.metadata.get(name) != json.loads(json.dumps(value))
    ]
    if differs:
        raise ValueError(
            f"{path} is of another surface: {'; '.join(differs)}. It was left as it is; move or delete it, or give "
            "another path"
        )
    metadata["seconds"] = kept.metadata.get("seconds", 0.0)
    return LossSurface(**vars(kept) | {"metadata": metadata})


def _announce(one: Slice, points: float, model: nn.Module) -> None:
    """Say how long it will take, if that is over a minute."""
    seconds = points * seconds_per_point(one)
    if seconds > 60:
        where = hardware(device_of(model))
        print(f"{points:,.0f} points, {one.count:,} images each: about {seconds / 60:,.0f} minutes on {where}.")


def seconds_per_point(one: Slice) -> float:
    """Return how long the evaluation of one point takes now, after one that warms up."""
    here = [(0.0,) * one.axes]
    one.at(here)
    start = time.perf_counter()
    one.at(here)
    return time.perf_counter() - start


def _alike(read: Callable[[], LossSurface], accelerator) -> LossSurface:
    """Return in every process what the first one reads, or raise in every process what it raises."""
    if accelerator is None:
        return read()
    from accelerate.utils import broadcast_object_list  # slow to import, and only several processes need it

    found = [None]
    if accelerator.is_main_process:
        try:
            found = [read()]
        except ValueError as error:
            found = [error]
    [found] = broadcast_object_list(found)
    if isinstance(found, ValueError):
        raise found
    return found


def _all(found: tuple[Tensor, ...], accelerator) -> list[tuple[Tensor, ...]]:
    """Return what each process found, in their order."""
    if accelerator is None:
        return [found]
    device = accelerator.device
    gathered = [accelerator.gather(tensor[None].to(device)).cpu() for tensor in found]
    return list(zip(*gathered, strict=True))


def _gaps(axis: np.ndarray) -> np.ndarray:
    """Return the distances of every inner point to the one before and the one behind, [2, inner]."""
    steps = np.diff(axis)
    return np.stack([steps[:-1], steps[1:]])


def _what(metadata: Mapping) -> str:
    name = metadata.get("network") or metadata.get("model", "loss")
    images = f", {metadata['images']:,} images" if "images" in metadata else ""
    return f"{name}{images}, statistics {metadata['bn']}" if "bn" in metadata else f"{name}{images}"
