"""Where the gradient of a residual network flows: through which of its 2^n paths, sorted by their length.

A. Veit, M. Wilber and S. Belongie, Residual networks behave like ensembles of relatively shallow networks, NeurIPS
2016, section 3 (the unravelled view) and section 5 (path lengths and gradients).

Each of n blocks is passed through its layers (Jacobian J) or its shortcut (S): 2^n paths; the length of a path is the
number of blocks whose layers it takes. The gradient at the image is the sum over all paths. Veit et al. sample paths;
here the sum over all paths of one length is computed exactly, for every length at once. The vector that backpropagation
carries becomes a polynomial, one vector c_k for each length k; at a block with what follows its addition, D, and what
stands before its fork, A, it is multiplied by S + J t:

    c'_k = S^T D^T c_k + J^T D^T c_(k-1),    then A^T c'_k

The work is (n + 1) / 2 backward passes. At one point the network is linear in this sense only: another image has other
active units, and so other maps along the same paths.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from tqdm import tqdm

from cnnviz.analysis.arrays import Stored
from cnnviz.analysis.evaluate import check_fit, check_images, device_of
from cnnviz.analysis.hooks import given_back, uncompiled
from cnnviz.analysis.path_lengths import band, number_of_paths
from cnnviz.analysis.residual_chain import Parts, residual_chain, with_forward
from cnnviz.analysis.slice import exact_float32

BACKENDS = ("auto", "loop", "batched")


@dataclass(frozen=True, eq=False)
class PathLengthProfile(Stored):
    """The gradient at each of N images, by the length of the paths that it takes, for lengths 0 to n (blocks).

    Norms are relative to that of the gradient which enters the last block: an image that is classified well has a small
    gradient, and not another profile.
    """

    norm: np.ndarray  # float64 [n+1, N], length of the summed gradient of all paths of that length
    share: np.ndarray  # float64 [n+1, N], its part of the whole gradient, signed; sums to 1 for every image
    rms: np.ndarray  # float64 [n+1, N], root-mean-square norm over all paths of that length; NaN where not asked for
    metadata: Mapping = field(default_factory=dict)  # what was computed, of what

    @property
    def blocks(self) -> int:
        """n, the number of residual blocks."""
        return len(self.norm) - 1

    @property
    def paths(self) -> np.ndarray:
        """Number of paths of each length, float64 [n+1]."""
        return number_of_paths(self.blocks)

    @property
    def exact(self) -> np.ndarray:
        """Fraction of the norms at each length, mean over the images: float64 [n+1], sums to 1."""
        return _fractions(self.norm)

    @property
    def signed(self) -> np.ndarray:
        """Part of the gradient at each length, mean over the images: float64 [n+1], sums to 1."""
        return _mean(self.share[:, ~np.isnan(self.share).any(axis=0)])

    def describe(self) -> str:
        """Say how long the paths are, by their number and by the gradient that they carry."""
        low, high = band(self.exact)
        return (
            f"{self.blocks} blocks, {self.norm.shape[1]} images: all {2.0**self.blocks:.3g} paths have a mean length "
            f"of {self.blocks / 2:g}; weighted by the gradient that they carry, {mean_length(self.exact):.1f}, with "
            f"95 % of it at lengths {low} to {high}."
        )

    def __repr__(self) -> str:
        return self.describe()


@dataclass(frozen=True, eq=False)
class PathSample(Stored):
    """Norms of the gradient along single paths, as Veit et al. measured them, for lengths 0 to n (blocks).

    Where there are no more paths than were to be drawn, all of them are taken and there is no error.
    """

    norm: np.ndarray  # float64 [n+1, N], mean over the drawn paths, relative to the gradient that enters the last block
    standard_error: np.ndarray  # float64 [n+1, N], of that mean
    drawn: np.ndarray  # int64 [n+1], paths
    metadata: Mapping = field(default_factory=dict)  # what was computed, of what

    @property
    def product(self) -> np.ndarray:
        """Number of paths times the norm of one, as fractions, mean over the images: float64 [n+1], sums to 1."""
        return _fractions(self.norm * number_of_paths(len(self.norm) - 1)[:, None])

    def describe(self) -> str:
        """Say how strong the shortest and the longest path are, and which lengths carry the product."""
        low, high = band(self.product)
        mean = self.norm.mean(1)
        return (
            f"{len(self.norm) - 1} blocks, {self.norm.shape[1]} images, up to {self.drawn.max()} paths of each length: "
            f"one path of length 0 carries {mean[0]:.2g}, one of length {len(mean) - 1} carries {mean[-1]:.2g}; their "
            f"number times their norm has a mean length of {mean_length(self.product):.1f}, with 95 % of it at lengths "
            f"{low} to {high}."
        )

    def __repr__(self) -> str:
        return self.describe()


def path_gradients(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    kmax: int | None = None,
    signs: Sequence[float] | Tensor | None = None,
    unit: bool = True,
    backend: str = "auto",
) -> Tensor:
    """Return for every length the gradient of the loss at the image, summed over all paths of that length.

    The loss is the cross-entropy, summed over the images: every image has its own gradient. The network is taken in the
    mode in which it is, and given back as it was; in training mode the images of a batch share their statistics.

    Args:
        net: a network that is one chain of residual blocks (`residual_chain`).
        x: images [N, C, H, W], normalised.
        y: int64 [N], labels.
        kmax: the longest length that is wanted; None: all, up to the number of blocks, n.
        signs: +1 or -1 for every block, [n]: its layers' gradient is multiplied by that.
        unit: divide by the norm of the gradient that enters the last block (of each image; in training mode of all
            together): well classified images have gradients that single precision hardly holds.
        backend: "loop" over the lengths, "batched" in one call, or "auto": loop on a processor, batched on a GPU.

    Returns:
        [kmax+1, N, C, H, W] in the network's own precision. With all lengths the sum over the first dimension is the
        gradient that autograd has.

    Raises:
        TypeError, ValueError: the network is no chain of residual blocks, or something does not fit; the message says
            what was given and what is allowed.
    """
    with unravelled(net, x, y, unit=unit, backend=backend) as backward:
        return torch.stack(backward.by_length(kmax, signs))


def path_length_profile(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    n_signs: int = 0,
    generator: torch.Generator | None = None,
    batch_size: int = 16,
    backend: str = "auto",
    progress: bool = False,
) -> PathLengthProfile:
    """Return how much of the gradient at each image flows through paths of each length, exactly.

    Args:
        net, x, y, backend: as for `path_gradients`.
        n_signs: draws of random signs for the root-mean-square norm of single paths, over ALL paths: with a random
            sign for every block, the expected square of the sum over all paths of a length is the sum of their squares.
            Each draw takes as long as the rest; 0: none.
        generator: of the signs.
        batch_size: images at a time; a network that is in training mode takes all at once.
        progress: show a bar.
    """
    if n_signs < 0:
        raise ValueError(f"n_signs (={n_signs}) must be at least 0")
    found = []
    for images, labels in _batches(net, x, y, batch_size, progress):
        with unravelled(net, images, labels, backend=backend) as backward:
            parts = torch.stack(backward.by_length())
            flat = parts.cpu().double().flatten(2)  # squares of small numbers leave float32; Apple's GPUs have no other
            squares = torch.zeros(flat.shape[:2], dtype=torch.float64)
            for _ in range(n_signs):
                signs = (2 * torch.randint(2, (backward.blocks,), generator=generator) - 1).tolist()
                squares += _squares(backward.by_length(signs=signs)) / n_signs
        counts = torch.from_numpy(number_of_paths(len(parts) - 1))[:, None]
        rms = (squares / counts).sqrt() if n_signs else torch.full_like(squares, math.nan)
        found.append([array.numpy() for array in (flat.norm(dim=2), _shares(flat), rms)])
    return PathLengthProfile(*(np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True)))


def sample_path_gradients(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    n_samples: int = 20,
    generator: torch.Generator | None = None,
    batch_size: int = 16,
    backend: str = "auto",
    progress: bool = False,
) -> PathSample:
    """Return the mean norm of the gradient along single paths of each length, of paths drawn at random (section 5).

    Veit et al. drew 1,000 for each length, on batches of training images; here every image has its own norm.

    Args:
        net, x, y, batch_size, backend, progress: as for `path_length_profile`.
        n_samples: paths of each length; where there are no more than that, all are taken.
        generator: of the paths.
    """
    if n_samples < 2:
        raise ValueError(f"n_samples (={n_samples}) must be at least 2")
    found, paths = [], None
    for images, labels in _batches(net, x, y, batch_size, progress):
        with unravelled(net, images, labels, backend=backend) as backward:
            paths = paths or [_drawn(backward.blocks, k, n_samples, generator) for k in range(backward.blocks + 1)]
            found.append([_squares(backward.along(of_length)).sqrt().numpy() for of_length in paths])
    norms = [np.concatenate(arrays, axis=1) for arrays in zip(*found, strict=True)]  # for each length: paths, N
    drawn = np.array([len(of_length) for of_length in paths])
    exact = drawn == number_of_paths(len(paths) - 1)
    errors = [
        np.zeros(norm.shape[1]) if whole else norm.std(axis=0, ddof=1) / math.sqrt(len(norm))
        for norm, whole in zip(norms, exact, strict=True)
    ]
    return PathSample(np.stack([norm.mean(0) for norm in norms]), np.stack(errors), drawn)


def path_shares(net: nn.Module, x: Tensor, y: Tensor, *, backend: str = "auto") -> tuple[np.ndarray, np.ndarray]:
    """Return every single path of a network with few blocks, and its part of the gradient at each image.

    Returns:
        bool [2^n, n], whether the path takes the layers of each block, sorted by length; float64 [2^n, N], signed, sums
        to 1 for every image.

    Raises:
        ValueError: more than 12 blocks, or something does not fit.
    """
    blocks = len(residual_chain(net))
    if blocks > 12:
        raise ValueError(f"{blocks} blocks have {2**blocks:,} paths; at most 12 are taken apart: path_length_profile")
    paths = np.concatenate([_drawn(blocks, length, 2**blocks, None) for length in range(blocks + 1)])
    with unravelled(net, x, y, backend=backend) as backward:
        flat = torch.stack([one.cpu().double().flatten(1) for one in backward.along(paths)])
    return paths, _shares(flat).numpy()


def mean_length(fractions: np.ndarray) -> float:
    """Return the mean path length, in blocks, of a distribution over the lengths 0 to n."""
    return float(np.arange(len(fractions)) @ fractions / fractions.sum())


class Backward:
    """The backward pass of a residual network at a batch of images, cut into the linear maps of its blocks."""

    def __init__(self, stem: tuple[Tensor, Tensor], links: list["_Link"], cotangent: Tensor, batched: bool):
        self._stem, self._links, self._cotangent, self._batched = stem, links, cotangent, batched
        self.blocks = len(links)

    def by_length(self, kmax: int | None = None, signs: Sequence[float] | Tensor | None = None) -> list[Tensor]:
        """Return the gradients at the images [N, C, H, W], for the lengths 0 to kmax."""
        kmax = self.blocks if kmax is None else kmax
        if not isinstance(kmax, int | np.integer) or not 0 <= kmax <= self.blocks:
            raise ValueError(f"kmax (={kmax}) must be a whole number from 0 to {self.blocks}, the number of blocks")
        signs = [1.0] * self.blocks if signs is None else [float(sign) for sign in signs]
        if len(signs) != self.blocks or {abs(sign) for sign in signs} != {1.0}:
            raise ValueError(f"signs must be +1 or -1 for each of {self.blocks} blocks, not {signs}")
        carried = [self._cotangent]
        for link, sign in zip(reversed(self._links), reversed(signs), strict=True):
            carried = self._pull(link.post, carried)
            through = self._pull(link.residual, carried[:kmax])
            carried = [*self._pull(link.shortcut, carried), *([None] if len(carried) <= kmax else [])]
            for k, part in enumerate(through, 1):
                part = -part if sign < 0 else part
                carried[k] = part if carried[k] is None else carried[k] + part
            carried = self._pull(link.pre, carried)
        return self._pull(self._stem, carried)

    def along(self, paths: np.ndarray) -> list[Tensor]:
        """Return the gradient at the images [N, C, H, W] along single paths: bool [P, blocks], through the layers?"""
        carried = [self._cotangent] * len(paths)
        for link, chosen in zip(reversed(self._links), paths.T[::-1], strict=True):
            carried = self._pull(link.post, carried)
            for way, places in ((link.residual, np.flatnonzero(chosen)), (link.shortcut, np.flatnonzero(~chosen))):
                for place, pulled in zip(places, self._pull(way, [carried[one] for one in places]), strict=True):
                    carried[place] = pulled
            carried = self._pull(link.pre, carried)
        return self._pull(self._stem, carried)

    def _pull(self, step: "_Step", carried: list[Tensor]) -> list[Tensor]:
        """Return the transposed Jacobian of a step times each vector."""
        if step is None or not carried:
            return carried
        into, out = step
        if not out.requires_grad:  # stochastic depth left the layers out
            return [torch.zeros_like(into) for _ in carried]
        if self._batched:
            return list(
                torch.autograd.grad(out, into, torch.stack(carried), retain_graph=True, is_grads_batched=True)[0]
            )
        return [torch.autograd.grad(out, into, vector, retain_graph=True)[0] for vector in carried]


_Step = tuple[Tensor, Tensor] | None  # what goes in, and what came out of it; None: the identity


@dataclass(frozen=True)
class _Link:
    """One block of the chain."""

    pre: _Step
    shortcut: _Step
    residual: _Step
    post: _Step


@contextmanager
def unravelled(net: nn.Module, x: Tensor, y: Tensor, *, unit: bool = True, backend: str = "auto") -> Iterator[Backward]:
    """Run a network on images and yield its backward pass, block by block; then give back the network as it was.

    Args: as for `path_gradients`.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend (={backend!r}) must be one of {', '.join(map(repr, BACKENDS))}")
    chain = residual_chain(net)
    net = uncompiled(net)
    for name, (block, parts) in chain.items():
        if "forward" in vars(block):
            raise ValueError(
                f"block {name} of {type(net).__name__} has got another forward; what is allowed is its own"
            )
        if parts.shortcut is None:
            raise ValueError(
                f"block {name} of {type(net).__name__} has no shortcut: there is a single path through it. "
                "What is allowed is a chain of blocks that all have one"
            )
    _check_images(x)
    check_fit(net, x[:1], y, len(x))
    device = device_of(net)
    with given_back(net), torch.inference_mode(False), torch.enable_grad(), exact_float32(device):
        net.requires_grad_(False)
        x = x.detach().clone().to(device).requires_grad_()
        cuts = _Cuts()
        forwards = {block: cuts.of(name, parts) for name, (block, parts) in chain.items()}
        with with_forward(forwards):
            try:
                logits = net(x)
            except RuntimeError as error:
                if isinstance(error, torch.OutOfMemoryError):
                    raise
                raise ValueError(  # in one piece it ran before
                    f"{type(net).__name__} does not run cut into its blocks ({str(error).splitlines()[0]}); what is "
                    "allowed between them is nothing, also nothing that works in place"
                ) from error
        if not cuts.links:
            raise ValueError(f"{type(net).__name__} runs without any of its residual blocks: no paths")
        if not logits.requires_grad:
            raise ValueError(
                f"the logits of {type(net).__name__} have no gradient; a forward that detaches nothing is allowed"
            )
        losses = F.cross_entropy(logits, y.to(device), reduction="sum")
        leaves = [x, *cuts.leaves]
        *others, cotangent = torch.autograd.grad(losses, leaves, allow_unused=True)
        if cotangent is None or any(other is not None for other in others):
            raise ValueError(
                f"{type(net).__name__} is no single chain of residual blocks: a way from the image to the logits leads "
                "past them; what is allowed is a stem, blocks one after the other, and a head"
            )
        if unit:
            together = _mixes(net)
            exact = cotangent.cpu().double()  # a gradient of 1e-38 has no reciprocal in single precision
            norm = torch.linalg.vector_norm(exact, dim=None if together else (1, 2, 3), keepdim=True)
            cotangent = (exact / torch.where(norm > 0, norm, 1)).to(cotangent)
        yield Backward((x, cuts.stem), cuts.links, cotangent, backend == "batched" or _on_gpu(backend, device))


class _Cuts:
    """Runs blocks part by part, and cuts the graph between the parts, so that each can be pulled back alone."""

    def __init__(self):
        self.stem: Tensor | None = None  # what the first block is given
        self.links: list[_Link] = []
        self.leaves: list[Tensor] = []  # inputs of all blocks, and the output of the last
        self._last = ""

    def of(self, name: str, parts: Parts) -> Callable[[Tensor], Tensor]:
        def forward(x: Tensor) -> Tensor:
            if self.stem is None:
                self.stem, x = x, x.detach().requires_grad_()
                self.leaves.append(x)
            elif x is not self.leaves[-1]:
                raise ValueError(
                    f"between block {self._last} and block {name} stands something that is no residual block; what is "
                    "allowed is a stem, blocks one after the other, and a head: a ResNet, ResNeXt or Xception"
                )
            self._last = name
            pre, x = _step(parts.pre, x)
            shortcut, past = _step(parts.shortcut, x)
            residual, through = _step(parts.residual, x)
            post, out = _step(parts.post, (past + through).detach().requires_grad_())
            self.links.append(_Link(pre, shortcut, residual, post))
            self.leaves.append(out)
            return out

        return forward


def _step(module: nn.Module, x: Tensor) -> tuple[_Step, Tensor]:
    """Return a part's own piece of the graph, and what it gives, cut off."""
    if isinstance(module, nn.Identity):
        return None, x
    x = x.detach().requires_grad_()
    out = module(x.clone())  # a copy: a ReLU may work in place
    return (x, out), out.detach().requires_grad_()


def _on_gpu(backend: str, device: torch.device) -> bool:
    return backend == "auto" and device.type != "cpu"


def _mixes(net: nn.Module) -> bool:
    """Return whether the images of a batch share the statistics of a normalisation."""
    norms = [module for module in net.modules() if isinstance(module, _BatchNorm)]
    return any(norm.training or norm.running_mean is None for norm in norms)


def _check_images(x: Tensor) -> None:
    """Raise as `check_images` does, which knows single precision alone."""
    check_images(x.float() if isinstance(x, Tensor) and x.dtype == torch.float64 else x)


def _batches(net: nn.Module, x: Tensor, y: Tensor, batch_size: int, progress: bool) -> Iterator[tuple[Tensor, Tensor]]:
    residual_chain(net)  # what is no network is said before its modules are looked at
    _check_images(x)
    if batch_size < 1:
        raise ValueError(f"batch_size (={batch_size}) must be at least 1")
    if not isinstance(y, Tensor) or y.shape != (len(x),):
        raise ValueError(f"y must be one label for each of {len(x)} images")
    if _mixes(net):
        batch_size = len(x)
    pairs = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
    yield from tqdm(pairs, unit="batch", delay=1, disable=not progress)


def _drawn(blocks: int, length: int, count: int, generator: torch.Generator | None) -> np.ndarray:
    """Return paths of one length, bool [P, blocks]: `count` at random, or all where there are no more."""
    if math.comb(blocks, length) <= count:
        chosen = list(itertools.combinations(range(blocks), length))
    else:
        chosen = [torch.randperm(blocks, generator=generator)[:length].tolist() for _ in range(count)]
    paths = np.zeros((len(chosen), blocks), bool)
    for path, places in zip(paths, chosen, strict=True):
        path[list(places)] = True
    return paths


def _shares(parts: Tensor) -> Tensor:
    """Return the signed part that each gradient [K, N, D] has of their sum, [K, N]."""
    whole = parts.sum(0)
    return (parts * whole).sum(2) / (whole * whole).sum(1)


def _squares(gradients: list[Tensor]) -> Tensor:
    """Return the squared norm of each gradient for each image, float64 [gradients, N]."""
    return torch.stack([one.cpu().double().flatten(1).square().sum(1) for one in gradients])


def _fractions(values: np.ndarray) -> np.ndarray:
    """Return the mean over images of what each makes of its own sum: [n+1, N] -> [n+1]; NaN without any gradient."""
    total = values.sum(axis=0)
    return _mean(values[:, total > 0] / total[total > 0])


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over images that are left; NaN where none is: [n+1, N] -> [n+1]."""
    return values.mean(axis=1) if values.shape[1] else np.full(len(values), np.nan)
