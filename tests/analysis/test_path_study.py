"""What was measured of path lengths and lesions, read back as one table."""

import json
from dataclasses import replace

import numpy as np
import pytest

from cnnviz.analysis.lectures import readings
from cnnviz.analysis.lesion import LesionStudy
from cnnviz.analysis.path_lengths import number_of_paths
from cnnviz.analysis.path_study import VEIT, path_study
from cnnviz.analysis.residual_paths import PathLengthProfile, PathSample


def row(variant):
    return {
        "variant": variant, "dataset": "cifar10", "train_images": 10_000, "recipe": {"epochs": 10}, "seed": 0,
        "hardware": "a processor", "torch": "2.15", "date": "2026-01-02",
        "final": {"train_error": 0.25, "test_error": 0.375},
    }  # fmt: skip


OF = {"result": {key: row(VEIT)[key] for key in ("hardware", "torch", "final")}}  # what a part says of its training


def peaked(at, blocks=54):
    """A profile whose gradient has the lengths `at` alone, two images."""
    values = np.zeros((blocks + 1, 2))
    values[at] = 1 / len(at)
    return values


@pytest.fixture
def folder(tmp_path):
    table = {"cells_planned": 3, "seeds_planned": 1, "cells": [row(VEIT), row("plain20")]}
    (tmp_path / "residual_paths-reduced.json").write_text(json.dumps(table), "utf-8")

    def keep(found, network, part):
        found.metadata.update(network=network, part=part, trained=OF)
        found.save(tmp_path / f"residual_paths-reduced-{network}-{part}.npz".replace(" ", "_"))

    for epoch, at in ((0, [26, 28]), (10, [5, 9, 17, 18])):
        values = peaked(at)
        share = np.roll(values, 1, axis=0)  # by its share the gradient is one block longer than by its norm
        keep(PathLengthProfile(values, share, np.full_like(values, np.nan)), VEIT, f"profile {epoch}")
    product = peaked([10, 20])
    keep(PathSample(product / number_of_paths(54)[:, None], 0 * product, np.full(55, 20)), VEIT, "sample 10")
    nothing = np.zeros((0, 5))
    study = LesionStudy(0.3, np.array([0.35, np.nan, 0.45]), np.array([0, 1, 0], bool), np.zeros(0, int), nothing,
                        np.zeros(0, int), nothing, nothing, 1000)  # fmt: skip
    keep(study, "plain20", "lesions")
    return tmp_path


def test_it_holds_what_the_files_hold(folder):
    study = path_study(folder=folder)
    assert study.scale == "reduced"
    assert list(study.profiles) == [VEIT]
    assert list(study.profiles[VEIT]) == [0, 10]
    assert list(study.samples[VEIT]) == [10]
    assert list(study.lesions) == ["plain20"]


def test_shares_are_those_of_the_lengths_asked_for(folder):
    study = path_study(folder=folder)
    assert study.share(VEIT, 5, 17) == pytest.approx(
        {"paths": 0.0045370, "product": 0.5, "exact": 0.75, "signed": 0.5}, rel=1e-4
    )
    assert study.share(VEIT, 5, 17, 0) == pytest.approx({"paths": 0.0045370, "exact": 0, "signed": 0}, rel=1e-4)


def test_the_table_says_the_scale_what_is_missing_and_every_network(folder):
    study = path_study(folder=folder)
    text = study.describe()
    assert repr(study) == text
    for words in (
        "reduced scale, cifar10, 10,000 training images, 10 passes, seed 0, a processor, 2026-01-02",
        "partial: 1 of 3 networks are not measured yet",
        "training error 25.0%, test error 37.5%, mean path length (95 %), untrained 27.0 (26 to 28)",
        "trained 12.2 (5 to 18)",
        "Veit's product 15.0 (10 to 20)",
        "30.0%, then 40.0%",
    ):
        assert words in text
    lines = study._repr_markdown_().splitlines()
    assert len({line.count("|") for line in lines[2:]}) == 1
    assert len(lines) == 2 + 2 + 2


def test_the_product_in_the_table_is_that_after_training_where_that_before_is_known_too(folder):
    before = peaked([27])
    sample = PathSample(before / number_of_paths(54)[:, None], 0 * before, np.full(55, 20))
    sample.metadata.update(network=VEIT, part="sample 0", trained=OF)
    sample.save(folder / "residual_paths-reduced-sample_0.npz")
    study = path_study(folder=folder)
    assert "Veit's product 15.0 (10 to 20)" in study.describe()
    assert study.share(VEIT, 27, 27, 0)["product"] == pytest.approx(1)
    assert study.share(VEIT, 27, 27)["product"] == 0


def test_a_scale_without_results_says_how_to_measure_them(folder):
    study = path_study("full", folder=folder)
    command = "python -m cnnviz.training residual_paths --scale full"
    assert "not measured yet" in study.describe()
    assert command in study.describe()
    assert command in study._repr_markdown_()


def test_a_file_of_an_unknown_network_is_named(folder):
    other = PathSample.load(folder / f"residual_paths-reduced-{VEIT}-sample_10.npz".replace(" ", "_"))
    other.metadata["network"] = "resnet1202"
    other.save(folder / "residual_paths-reduced-other.npz")
    with pytest.raises(ValueError, match="is of resnet1202"):
        path_study(folder=folder)


def test_a_file_of_another_training_is_left_out_with_a_warning(folder):
    table = folder / "residual_paths-reduced.json"
    table.write_text(table.read_text("utf-8").replace('"train_error": 0.25', '"train_error": 0.125', 1), "utf-8")
    with pytest.warns(UserWarning, match=rf"another training of {VEIT} than residual_paths-reduced.json .* again: py"):
        study = path_study(folder=folder)
    assert list(study.profiles) == []
    assert list(study.lesions) == ["plain20"]


def test_a_file_that_does_not_say_what_it_is_of_is_named(folder):
    kept = PathSample.load(folder / f"residual_paths-reduced-{VEIT}-sample_10.npz".replace(" ", "_"))
    for key in ("network", "part"):
        sample = replace(kept, metadata={name: value for name, value in kept.metadata.items() if name != key})
        sample.save(folder / "residual_paths-reduced-other.npz")
        with pytest.raises(ValueError, match=r"other.npz does not say what it is of; move or delete it"):
            path_study(folder=folder)


def test_an_unknown_scale_is_refused(folder):
    with pytest.raises(ValueError, match=r"scale .='half'."):
        path_study("half", folder=folder)


def test_the_lectures_get_a_verdict_before_and_after_training(folder, monkeypatch):
    monkeypatch.setattr("cnnviz.analysis.lectures.path_study", lambda: path_study(folder=folder))
    after, before = readings("B07")
    assert (after.value, before.value) == ("5-17", "26-28")
    assert "after 10 passes over 10,000 images (reduced scale, test error 37.5%)" in after.because
    assert "carry 75.0 % of the exact gradients by length, 50.0 % of the estimate" in after.because
    assert "before training" in before.because


def test_the_committed_results_are_of_the_present_table():
    study = path_study()
    assert study.scale in ("reduced", "full")
    for network, profiles in study.profiles.items():
        for profile in profiles.values():
            np.testing.assert_allclose(profile.share.sum(0), 1, atol=1e-3)
            assert profile.metadata["network"] == network
            assert profile.blocks == {"110": 54, "t56": 27, "t20": 9}[network.split(",")[0][-3:]]
