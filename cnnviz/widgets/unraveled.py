"""UnraveledExplorer: a residual network as a chain of blocks, and the 2^n paths that it is made of."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import traitlets

from cnnviz.widgets.channels import percent
from cnnviz.widgets.explorer import Explorer, IllegalSettingError, module, style

MOST_BLOCKS = 5


class UnraveledExplorer(Explorer):
    """The paths of a residual network, drawn apart (Veit et al. 2016, figure 1b); delete blocks and see which die.

    `UnraveledExplorer(blocks=3)`, or with what each path carries: `UnraveledExplorer(*path_shares(net, x, y))`.
    Every control is a trait; what does not fit raises `IllegalSettingError` (a ValueError) and changes nothing.

    Args:
        paths: bool [2^n, n], whether each path takes the layers of each block, as `path_shares` returns them: sorted by
            length, then in the order of `itertools.combinations`.
        shares: float [2^n, N], the part of the gradient that flows along each path, of each image (their mean is
            shown), or [2^n] of one; they sum to 1. Then `blocks` is n and stays.
        blocks: 1..5.
        deleted: numbers of the blocks without their layers, from 0.
        path: the chosen path, its number in the order of rows, from 0; None: no path.
    """

    _esm = module("cost_words", "unraveled_arithmetic", "unraveled")
    _css = style()

    blocks = traitlets.Int(3).tag(sync=True)
    deleted = traitlets.List(traitlets.Int()).tag(sync=True)
    path = traitlets.Int(None, allow_none=True).tag(sync=True)
    _shares = traitlets.List().tag(sync=True)  # of each path, in the order of rows; empty where they are not known

    def __init__(self, paths: np.ndarray | None = None, shares: np.ndarray | None = None, **controls):
        self._fixed = None
        if (paths is None) != (shares is None):
            raise ValueError("paths and shares belong together: give both, as path_shares returns them, or neither")
        if shares is not None:
            means = _mean_shares(paths, shares)
            self._fixed = int(math.log2(len(means)))
            controls = {"blocks": self._fixed} | controls
        super().__init__(**controls)
        if shares is not None:
            self._shares = means.tolist()
        self.observe(self._keep_what_fits, "blocks")

    @traitlets.validate("blocks")
    def _valid_blocks(self, proposal):
        blocks = proposal.value
        if self._fixed not in (None, blocks):
            raise IllegalSettingError(f"blocks (={blocks}) must be {self._fixed}: the shares are those of its paths")
        if not 1 <= blocks <= MOST_BLOCKS:
            raise IllegalSettingError(f"blocks (={blocks}) must be from 1 to {MOST_BLOCKS}")
        return blocks

    @traitlets.validate("deleted")
    def _valid_deleted(self, proposal):
        numbers = sorted(set(proposal.value))
        if numbers and not 0 <= numbers[0] <= numbers[-1] < self.blocks:
            raise IllegalSettingError(f"deleted (={proposal.value}) must be numbers from 0 to {self.blocks - 1}")
        return numbers

    @traitlets.validate("path")
    def _valid_path(self, proposal):
        if proposal.value is not None and not 0 <= proposal.value < 2**self.blocks:
            raise IllegalSettingError(f"path (={proposal.value}) must be from 0 to {2**self.blocks - 1}, or None")
        return proposal.value

    def _keep_what_fits(self, change) -> None:
        """Fewer blocks: those that are no longer there cannot be deleted, nor paths chosen."""
        with self.hold_trait_notifications():
            self.deleted = [number for number in self.deleted if number < self.blocks]
            if self.path is not None and self.path >= 2**self.blocks:
                self.path = None

    def describe(self) -> str:
        """Say how many paths there are and are left, by length; their shares of the gradient; the chosen path."""
        with self._lock:
            rows = paths_of(self.blocks)
            there = self.blocks - len(self.deleted)
            counts = " ".join(str(math.comb(there, length)) for length in range(there + 1))
            by_length = f"{counts} of lengths 0 to {there}" if there else "of length 0"
            text = f"{self.blocks} block{'s' if self.blocks > 1 else ''}"
            if self.deleted:
                text += f", {_names(self.deleted)} deleted: {2**there} of {len(rows)} paths "
                text += f"{'are' if there else 'is'} left, {by_length}."
            else:
                text += f": {len(rows)} paths, {by_length}."
            if self._shares:
                sums = [0.0] * (self.blocks + 1)
                left = 0.0
                for row, share in zip(rows, self._shares, strict=True):
                    sums[len(row)] += share
                    left += 0 if set(row) & set(self.deleted) else share
                shown = ", ".join(percent(one) for one in sums)
                text += f" Of the whole network's gradient, lengths 0 to {self.blocks} have {shown}"
                text += f"; the paths that are left had {percent(left)}." if self.deleted else "."
            if self.path is not None:
                text += f" Chosen: {self._path_words(rows[self.path])}."
            return text

    def _path_words(self, row: Sequence[int]) -> str:
        text = f"the path {f'through {_names(row)}' if row else 'past all layers'}, of length {len(row)}"
        if self._shares:
            text += f", with {percent(self._shares[self.path])} of the gradient"
        dead = [number for number in row if number in self.deleted]
        return text + (f", dead without {_names(dead)}" if dead else "")


def paths_of(blocks: int) -> list[tuple[int, ...]]:
    """Return for each of the 2^n paths the numbers of the blocks whose layers it takes, shortest paths first."""
    return [row for length in range(blocks + 1) for row in itertools.combinations(range(blocks), length)]


def _names(numbers: Sequence[int]) -> str:
    """[0, 2, 3] -> "f1, f3 and f4"."""
    *others, last = (f"f{number + 1}" for number in numbers)
    return f"{', '.join(others)} and {last}" if others else last


def _mean_shares(paths: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the mean share of each path, float64 [2^n], over the images that have any gradient."""
    paths, shares = np.asarray(paths), np.asarray(shares, float)
    blocks = paths.shape[1] if paths.ndim == 2 else 0
    if not 1 <= blocks <= MOST_BLOCKS:
        raise ValueError(f"paths must be [2^n, n] for 1 to {MOST_BLOCKS} blocks, not {list(paths.shape)}")
    expected = [[number in row for number in range(blocks)] for row in paths_of(blocks)]
    if not np.array_equal(paths, expected):
        raise ValueError("paths must be all paths in the order of path_shares, the shortest first")
    if shares.ndim not in (1, 2) or len(shares) != len(paths) or not shares.size:
        raise ValueError(f"shares must be [{len(paths)}] or [{len(paths)}, N], not {list(shares.shape)}")
    images = shares.reshape(len(paths), -1)
    images = images[:, np.isfinite(images).all(0)]  # no gradient at an image: nothing to share
    if not images.size or not np.allclose(images.sum(0), 1, atol=1e-3):
        raise ValueError("shares must be finite and sum to 1 over the paths, for every image that has a gradient")
    return images.mean(1)
