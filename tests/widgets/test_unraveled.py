"""UnraveledExplorer driven from Python: which paths there are, which are left, what they carry, what is refused."""

import itertools
import re

import numpy as np
import pytest
import torch
from traitlets import TraitError

from cnnviz.analysis.residual_paths import path_shares
from cnnviz.models.resnet_cifar import ResNetCifar
from cnnviz.widgets.explorer import IllegalSettingError
from cnnviz.widgets.unraveled import UnraveledExplorer, paths_of

SHARES = np.array([0.5, 0.3, -0.1, 0.3])  # of none, f1, f2, both


def table(blocks):
    """Every path as a row of booleans, as path_shares has them."""
    return np.array([[number in row for number in range(blocks)] for row in paths_of(blocks)])


def controls_of(widget):
    return {name: getattr(widget, name) for name in widget.control_names()}


@pytest.mark.parametrize("blocks", range(1, 6))
def test_all_paths_are_there_once_the_shortest_first(blocks):
    rows = table(blocks)
    assert len({tuple(row) for row in rows.tolist()}) == len(rows) == 2**blocks
    lengths = rows.sum(1)
    assert (np.diff(lengths) >= 0).all()
    counts = " ".join(str((lengths == length).sum()) for length in range(blocks + 1))
    assert f": {2**blocks} paths, {counts} of lengths 0 to {blocks}." in UnraveledExplorer(blocks=blocks).describe()


def test_every_deleted_block_halves_the_paths():
    for gone in itertools.chain.from_iterable(itertools.combinations(range(4), count) for count in range(1, 5)):
        left = table(4)[~table(4)[:, list(gone)].any(1)]
        said = UnraveledExplorer(blocks=4, deleted=gone).describe()
        assert f"deleted: {len(left)} of 16 path" in said
        assert len(left) == 2 ** (4 - len(gone))
        counts = np.bincount(left.sum(1)).tolist()
        assert said.endswith(f"{' '.join(map(str, counts))} of lengths 0 to {4 - len(gone)}." if len(gone) < 4 else
                             "1 of 16 paths is left, of length 0.")  # fmt: skip


def test_the_shares_are_the_means_of_path_shares():
    torch.manual_seed(0)
    net, images = ResNetCifar(8, num_classes=4, width=0.25).eval(), torch.randn(5, 3, 8, 8)
    paths, shares = path_shares(net, images, torch.arange(5) % 4)
    np.testing.assert_array_equal(paths, table(3))
    shown = UnraveledExplorer(paths, shares, deleted=[0], path=7)
    assert shown.blocks == 3
    np.testing.assert_allclose(shown._shares, shares.mean(1))
    sums = [shares[paths.sum(1) == length].sum(0).mean() for length in range(4)]
    kept = shares[~paths[:, 0]].sum(0).mean()
    found = [float(one) for one in re.findall(r"(-?\d+\.\d) %", shown.describe())]
    np.testing.assert_allclose(found, [100 * one for one in [*sums, kept, shares[7].mean()]], atol=0.0501)


def test_it_says_what_is_shown():
    shown = UnraveledExplorer(table(2), SHARES, deleted=[1], path=3)
    assert repr(shown) == shown.describe()
    assert shown.describe() == (
        "2 blocks, f2 deleted: 2 of 4 paths are left, 1 1 of lengths 0 to 1. Of the whole network's gradient, lengths "
        "0 to 2 have 50.0 %, 20.0 %, 30.0 %; the paths that are left had 80.0 %. Chosen: the path through f1 and f2, "
        "of length 2, with 30.0 % of the gradient, dead without f2."
    )
    shown = UnraveledExplorer(blocks=1, path=0)
    assert shown.describe() == "1 block: 2 paths, 1 1 of lengths 0 to 1. Chosen: the path past all layers, of length 0."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("blocks", 0), r"blocks \(=0\) must be from 1 to 5"),
        (("blocks", 6), r"blocks \(=6\) must be from 1 to 5"),
        (("deleted", [3]), r"deleted \(=\[3\]\) must be numbers from 0 to 2"),
        (("deleted", [-1, 0]), r"deleted \(=\[-1, 0\]\)"),
        (("deleted", ["f1"]), "deleted"),
        (("path", 8), r"path \(=8\) must be from 0 to 7, or None"),
        (("path", -1), r"path \(=-1\)"),
        (("path", 1.5), "path"),
    ],
)
def test_an_illegal_setting_raises_and_changes_nothing(change, message):
    shown = UnraveledExplorer(deleted=[2], path=5)
    before = controls_of(shown)
    with pytest.raises(TraitError, match=message):
        setattr(shown, *change)
    assert controls_of(shown) == before
    with pytest.raises(TraitError, match=message):
        UnraveledExplorer(**dict([change]))


def test_fewer_blocks_take_along_what_is_no_longer_there():
    shown = UnraveledExplorer(blocks=5, deleted=[4, 1, 1], path=20)
    assert shown.deleted == [1, 4]
    shown.blocks = 3
    assert (shown.deleted, shown.path) == ([1], None)
    with shown.hold_trait_notifications():
        shown.blocks, shown.deleted, shown.path = 5, [4], 31
    assert (shown.deleted, shown.path) == ([4], 31)
    with pytest.raises(IllegalSettingError, match="deleted"), shown.hold_trait_notifications():
        shown.blocks, shown.deleted = 2, [3]
    assert (shown.blocks, shown.deleted, shown.path) == (5, [4], 31)


def test_shares_fix_the_number_of_blocks():
    shown = UnraveledExplorer(table(2), SHARES)
    with pytest.raises(IllegalSettingError, match=r"blocks \(=3\) must be 2: the shares are those of its paths"):
        shown.blocks = 3


@pytest.mark.parametrize(
    ("paths", "shares", "message"),
    [
        (table(2), None, "paths and shares belong together"),
        (table(2)[::-1], SHARES, "in the order of path_shares"),
        (table(2)[:3], SHARES, "in the order of path_shares"),
        (np.zeros((64, 6)), np.ones(64) / 64, r"for 1 to 5 blocks, not \[64, 6\]"),
        (table(2), SHARES[:3], r"shares must be \[4\] or \[4, N\], not \[3\]"),
        (table(2), 2 * SHARES, "sum to 1"),
        (table(2), SHARES * np.nan, "must be finite"),
    ],
)
def test_what_path_shares_does_not_return_is_refused(paths, shares, message):
    with pytest.raises(ValueError, match=message):
        UnraveledExplorer(paths, shares)


def test_an_image_without_a_gradient_is_left_out_of_the_mean():
    shares = np.stack([SHARES, np.full(4, np.nan)], axis=1)
    assert UnraveledExplorer(table(2), shares)._shares == SHARES.tolist()


def test_what_the_browser_sends_is_taken_as_a_whole():
    shown, other = UnraveledExplorer(), UnraveledExplorer(blocks=5, deleted=[0, 4], path=31)
    shown.set_state(other.get_state(other.control_names()))
    assert controls_of(shown) == controls_of(other)
