"""What an experiment measured: variants, seeds, scales, and what is not measured yet."""

import json

import numpy as np
import pytest

from cnnviz.analysis import experiment
from cnnviz.datasets import reference
from cnnviz.figures import plot_experiment


def cell(variant, seed, errors, group="", model="lenet5"):
    records = [
        {"epoch": epoch, "train_error": error, "test_error": error + 0.1, "train_loss": 10 * error,
         "test_loss": 11 * error, "images_per_second": 100.0 * epoch}
        for epoch, error in enumerate(errors)
    ]  # fmt: skip
    return {
        "model": model, "variant": variant, "group": group, "seed": seed, "dataset": "digits", "train_images": 1_000,
        "recipe": {"epochs": len(errors) - 1}, "hardware": "a processor", "date": f"2026-01-0{seed + 1}",
        "parameters": 1_234, "records": records, "final": records[-1],
    }  # fmt: skip


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "RESULTS", tmp_path)

    def write(scale, *cells):
        table = {"cells_planned": 6, "seeds_planned": 3, "cells": cells}
        (tmp_path / f"trial-{scale}.json").write_text(json.dumps(table), "utf-8")

    return write


CELLS = [cell("plain", 0, [0.9, 0.5]), cell("residual", 0, [0.9, 0.3]), cell("plain", 1, [0.8, 0.4])]


def test_variants_hold_their_seeds_in_the_order_of_the_table(store):
    store("reduced", *CELLS)
    found = experiment("trial")
    assert list(found.variants) == ["plain", "residual"]
    plain = found.variants["plain"]
    assert np.array_equal(plain.curve("train_error"), [[0.9, 0.5], [0.8, 0.4]])
    assert np.array_equal(plain.final("test_error"), [0.6, 0.5])
    assert (plain.parameters, plain.images_per_second) == (1_234, 100)


def test_it_says_numbers_with_their_range_and_how_many_seeds_are_measured(store):
    store("reduced", *CELLS)
    text = experiment("trial").describe()
    assert (
        "trial, reduced scale, digits, 1,000 training images, 1 epochs, a processor, 2026-01-02; partial: 3 of 6"
        in text
    )
    assert "plain: training error 45.0 % (40.0 to 50.0), test error 55.0 % (50.0 to 60.0) (seeds: 2 of 3)." in text
    assert "residual: training error 30.0 %, test error 40.0 % (seeds: 1 of 3)." in text
    table = experiment("trial")._repr_markdown_()
    assert "| residual | 1,234 | 30.0 % | 40.0 % | 100 | 1 of 3 |" in table


def test_full_is_preferred_and_scales_are_never_mixed(store):
    store("reduced", *CELLS)
    store("full", cell("plain", 0, [0.9, 0.1]))
    assert experiment("trial").scale == "full"
    assert list(experiment("trial").variants) == ["plain"]
    assert len(experiment("trial", scale="reduced").variants["plain"].cells) == 2


def test_what_is_not_measured_says_so_with_the_command(store):
    nothing = experiment("trial")
    assert nothing.variants == {}
    for text in (nothing.describe(), nothing._repr_markdown_()):
        assert "not measured yet" in text
        assert "python -m cnnviz.training trial --scale reduced" in text


def test_groups_are_kept_apart_and_another_one_is_refused(store):
    store("reduced", cell("a", 0, [0.9, 0.5], "one"), cell("a", 0, [0.9, 0.2], "two"))
    assert experiment("trial", "two").variants["a"].final("train_error") == [0.2]
    with pytest.raises(ValueError, match=r"group \(=''\) must be one of 'one', 'two'"):
        experiment("trial")


def test_a_group_of_which_nothing_is_measured_yet_says_so(store):
    store("reduced", cell("a", 0, [0.9, 0.5], "one"))
    assert "not measured yet" in experiment("trial", "two").describe()
    store("reduced", *[cell("a", seed, [0.9, 0.5], "one") for seed in range(6)])
    with pytest.raises(ValueError, match=r"group \(='two'\) must be one of 'one'"):
        experiment("trial", "two")


def test_a_cell_without_a_variant_is_called_by_its_model(store):
    store("reduced", cell("", 0, [0.9, 0.5], model="resnet20"))
    assert list(experiment("trial").variants) == ["resnet20"]


def test_a_loss_that_is_not_finite_is_nan(store):
    broken = cell("plain", 0, [0.9, 0.5])
    broken["records"][1]["train_loss"] = None
    store("reduced", broken)
    assert np.isnan(experiment("trial").variants["plain"].curve("train_loss")[0, 1])


def test_another_scale_is_refused():
    with pytest.raises(ValueError, match=r"scale \(='quick'\) must be one of full, reduced"):
        experiment("lenet", scale="quick")


@pytest.mark.parametrize(("count", "words"), [(3, "; partial: 3 of 6 cells are not measured yet"), (6, "2026-01-03")])
def test_a_table_with_missing_cells_says_that_it_is_a_part(store, count, words):
    cells = [cell(name, seed, [0.9, 0.5]) for seed in range(3) for name in ("plain", "residual")]
    store("reduced", *cells[:count])
    found = experiment("trial")
    assert found.missing == 6 - count
    assert found.provenance.endswith(words)
    assert found.provenance in found._repr_markdown_()
    title = plot_experiment(found).layout.annotations[0].text
    assert ("partial" in title) == (count < 6)
