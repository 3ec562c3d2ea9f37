"""What a network loses when single blocks are deleted or change places after training.

A. Veit, M. Wilber and S. Belongie, Residual networks behave like ensembles of relatively shallow networks, NeurIPS
2016, section 4: one block, several at random, and blocks in another order.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from cnnviz.analysis.arrays import Stored
from cnnviz.analysis.evaluate import check_fit, check_images, device_of
from cnnviz.analysis.hooks import uncompiled, untouched
from cnnviz.analysis.residual_chain import Parts, residual_chain, with_forward

Forwards = Mapping[nn.Module, Callable[[Tensor], Tensor]]


@dataclass(frozen=True, eq=False)
class LesionStudy(Stored):
    """Errors of a network without some of its blocks, and with blocks in another order: fractions of the images."""

    error: float  # of the network as it is
    single: np.ndarray  # float64 [n], without one block; NaN where nothing else could make the shape that follows
    reshapes: np.ndarray  # bool [n], whether the block changes the shape
    deleted: np.ndarray  # int64 [L], number of blocks deleted at random
    several: np.ndarray  # float64 [L, draws], errors without them
    swaps: np.ndarray  # int64 [M], pairs of blocks of equal shape that changed places
    tau: np.ndarray  # float64 [M, draws], Kendall's rank correlation of the new order with the old one
    swapped: np.ndarray  # float64 [M, draws], errors in that order
    images: int
    metadata: Mapping = field(default_factory=dict)  # what was computed, of what

    def describe(self) -> str:
        """Say what one block costs at most and in the median, and how many it takes to double the error."""
        text = f"{len(self.single)} blocks, {self.images:,} images: error {self.error:.1%}"
        if not np.isnan(self.single).all():
            worst = int(np.nanargmax(self.single))
            text += (
                f"; without one block {np.nanmedian(self.single):.1%} in the median, {self.single[worst]:.1%} without "
                f"block {worst + 1}{', which changes the shape' if self.reshapes[worst] else ''}"
            )
        if len(self.deleted):
            text += f"; without {self.deleted[-1]} blocks at random {np.median(self.several[-1]):.1%} in the median"
        return text + "."

    def __repr__(self) -> str:
        return self.describe()


@contextmanager
def deleted(net: nn.Module, blocks: Iterable[int]) -> Iterator[None]:
    """Let a network compute without the layers of some blocks for as long as the block runs: their shortcuts stay.

    In a plain network, which has no shortcuts, the image goes through as it is.

    Args:
        blocks: their numbers, from 0, in the order of `residual_chain`.

    Raises:
        IndexError: there is no such block.
    """
    chain = list(residual_chain(uncompiled(net)).values())
    blocks = sorted(set(blocks))
    if blocks and not 0 <= blocks[0] <= blocks[-1] < len(chain):
        raise IndexError(f"blocks (={blocks}) must be from 0 to {len(chain) - 1}")
    with with_forward(_without(chain, blocks)):
        yield


@contextmanager
def reordered(net: nn.Module, order: Sequence[int]) -> Iterator[None]:
    """Let a network compute with its blocks in another order for as long as the block runs.

    Args:
        order: for each place the number of the block that stands there; a permutation.

    Raises:
        ValueError: it is none.
    """
    chain = list(residual_chain(uncompiled(net)).values())
    if sorted(order) != list(range(len(chain))):
        raise ValueError(f"order (={list(order)}) must have every number from 0 to {len(chain) - 1} once")
    with with_forward(_in_order(chain, order)):
        yield


def lesion_study(
    net: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    several: Sequence[int] = (),
    swaps: Sequence[int] = (),
    draws: int = 5,
    generator: torch.Generator | None = None,
    batch_size: int = 100,
    progress: bool = False,
) -> LesionStudy:
    """Return the errors of a network without each of its blocks, without several, and with blocks that changed places.

    Args:
        net: a network of residual blocks, or the plain network of such blocks; it is given back as it was.
        x: images [N, C, H, W], normalised.
        y: int64 [N], labels.
        several: numbers of blocks to delete at random at once.
        swaps: numbers of pairs to exchange, one after the other, each of two blocks of equal shape.
        draws: how often blocks and pairs are drawn for each number.
        generator: of the draws.
        batch_size: images at a time; the outputs of all blocks are kept for them.
        progress: show a bar.

    Raises:
        TypeError, ValueError: the network has no such blocks, or something does not fit; the message says what.
    """
    net = uncompiled(net)
    chain = list(residual_chain(net).values())
    check_images(x)
    check_fit(net, x[:1], y, len(x))
    shapes = _shapes(net, [block for block, _ in chain], x[:1])
    reshapes = np.array([before != after for before, after in shapes])
    has_shortcut = np.array([parts.shortcut is not None for _, parts in chain])
    free = np.flatnonzero(has_shortcut | ~reshapes)
    for name, value in (("draws", draws), ("batch_size", batch_size)):
        if value < 1:
            raise ValueError(f"{name} (={value}) must be at least 1")
    if any(not 1 <= number <= len(free) for number in several):
        raise ValueError(f"several (={tuple(several)}) must be from 1 to {len(free)}, the blocks that can be deleted")
    if any(number < 1 for number in swaps) or (swaps and not _alike(shapes)):
        raise ValueError(f"swaps (={tuple(swaps)}) must be at least 1, in a network with two blocks of equal shape")
    gone = [_some(free, count, generator) for count in several for _ in range(draws)]
    orders = [_swapped(shapes, count, generator) for count in swaps for _ in range(draws)]
    changes = [*(_without(chain, [number]) for number in free), *(_without(chain, numbers) for numbers in gone),
               *(_in_order(chain, order) for order in orders)]  # fmt: skip
    errors = _errors(net, [block for block, _ in chain], changes, x, y, batch_size, progress)
    single = np.full(len(chain), np.nan)
    single[free] = errors[1 : 1 + len(free)]
    without, moved = np.split(errors[1 + len(free) :], [len(gone)])
    return LesionStudy(
        error=float(errors[0]),
        single=single,
        reshapes=reshapes,
        deleted=np.array(several, np.int64),
        several=without.reshape(len(several), draws),
        swaps=np.array(swaps, np.int64),
        tau=np.array([kendall_tau(order) for order in orders]).reshape(len(swaps), draws),
        swapped=moved.reshape(len(swaps), draws),
        images=len(x),
    )


def kendall_tau(order: Sequence[int]) -> float:
    """Return Kendall's rank correlation of a permutation with the order 0, 1, 2, ...: 1 as it is, -1 reversed."""
    order = np.asarray(order)
    later, earlier = np.tril_indices(len(order), -1)
    return float(np.sign(order[later] - order[earlier]).mean())


def _as_it_is(x: Tensor) -> Tensor:
    return x


def _without(chain: Sequence[tuple[nn.Module, Parts]], numbers: Iterable[int]) -> Forwards:
    """Return what blocks compute whose layers are deleted."""
    chosen = [chain[number] for number in numbers]
    return {block: _as_it_is if parts.shortcut is None else parts.without_residual for block, parts in chosen}


def _in_order(chain: Sequence[tuple[nn.Module, Parts]], order: Sequence[int]) -> Forwards:
    """Return what the blocks compute whose place another one takes; each forward is bound to its own block."""
    return {chain[place][0]: chain[number][0].forward for place, number in enumerate(order) if place != number}


def _errors(
    net: nn.Module,
    blocks: Sequence[nn.Module],
    changes: Sequence[Forwards],
    x: Tensor,
    y: Tensor,
    batch_size: int,
    progress: bool,
) -> np.ndarray:
    """Return the error of the network as it is, then with each of the changes: float64 [1 + changes].

    What stands before the first changed block is computed once for each batch: nearly half of the work.
    """
    device, wrong = device_of(net), np.zeros(1 + len(changes), np.int64)
    batches = list(zip(x.split(batch_size), y.split(batch_size), strict=True))
    with untouched(net), tqdm(total=len(batches) * len(wrong), delay=1, disable=not progress) as bar:
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            calls: list[tuple[nn.Module, Tensor]] = []  # of blocks, in turn, and what they gave
            with with_forward({block: _kept(block, calls) for block in blocks}):
                wrong[0] += (net(images).argmax(1) != labels).sum().item()
            bar.update()
            if len({block for block, _ in calls}) < len(calls):
                calls = []  # a block that runs twice gives two things
            for place, change in enumerate(changes, 1):
                known = itertools.takewhile(lambda call: call[0] not in change, calls)  # noqa: B023
                with with_forward({block: _given(output) for block, output in known} | change):
                    wrong[place] += (net(images).argmax(1) != labels).sum().item()
                bar.update()
    return wrong / len(x)


def _kept(block: nn.Module, calls: list[tuple[nn.Module, Tensor]]) -> Callable[[Tensor], Tensor]:
    forward = block.forward

    def run(x: Tensor) -> Tensor:
        calls.append((block, forward(x)))
        return calls[-1][1]

    return run


def _given(output: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: output


def _shapes(net: nn.Module, blocks: Sequence[nn.Module], image: Tensor) -> list[tuple[tuple, tuple]]:
    """Return for every block the shapes of its input and its output, without the number of images."""
    found = {}

    def watched(block: nn.Module) -> Callable[[Tensor], Tensor]:
        forward = block.forward

        def run(x: Tensor) -> Tensor:
            out = forward(x)
            found[block] = tuple(x.shape[1:]), tuple(out.shape[1:])
            return out

        return run

    with untouched(net), with_forward({block: watched(block) for block in blocks}):
        net(image.to(device_of(net)))
    return [found[block] for block in blocks]


def _some(numbers: np.ndarray, count: int, generator: torch.Generator | None) -> list[int]:
    return [int(numbers[place]) for place in torch.randperm(len(numbers), generator=generator)[:count]]


def _alike(shapes: Sequence[tuple]) -> list[tuple[int, int]]:
    """Return the pairs of blocks that may change places: they keep the shape of their input, and it is the same."""
    return [
        (a, b)
        for a, b in itertools.combinations(range(len(shapes)), 2)
        if shapes[a] == shapes[b] and shapes[a][0] == shapes[a][1]
    ]


def _swapped(shapes: Sequence[tuple], count: int, generator: torch.Generator | None) -> list[int]:
    """Return an order in which so many pairs of blocks, each of two of equal shape, have changed places."""
    alike = _alike(shapes)
    order = list(range(len(shapes)))
    for draw in torch.randint(len(alike), (count,), generator=generator).tolist():
        a, b = alike[draw]
        order[a], order[b] = order[b], order[a]
    return order
