"""The surfaces of an experiment: trained, sliced, kept, resumed, and read back as a table."""

import json
import math

import numpy as np
import pytest
import torch

from cnnviz.analysis.landscape import landscape
from cnnviz.analysis.loss_surface import LossSurface
from cnnviz.analysis.trajectory import Trajectory
from cnnviz.training import __main__ as command
from cnnviz.training import experiments, surfaces
from cnnviz.training.experiments import Cell
from cnnviz.training.recipe import Recipe

RECIPE = Recipe(epochs=3, batch_size=50, lr=0.05, momentum=0.9)
OPTIONS = {"channels": [4, 8, 8], "head": "flatten", "image_size": 28}
SURFACE = {"points": 3, "images": 60, "seeds": [0, 1]}
TABLE = [
    Cell("loss_surfaces", "reduced", "lab_net", "digits", one, 0, 120, 64, name, options=OPTIONS, surface=SURFACE)
    for name, one in (("net", RECIPE), ("net, large batch", Recipe(epochs=3, batch_size=120, lr=0.05)))
]


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"loss_surfaces": lambda scale: TABLE})
    monkeypatch.setattr(command, "EXPERIMENTS", experiments.EXPERIMENTS)


def run(folder, *arguments):
    folders = ["--results", str(folder / "results"), "--checkpoints", str(folder / "checkpoints")]
    return command.main(["loss_surfaces", "--scale", "reduced", "--device", "cpu", *folders, *arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the whole experiment was run."""
    folder, patch = tmp_path_factory.mktemp("whole"), pytest.MonkeyPatch()
    patch.setattr(experiments, "EXPERIMENTS", {"loss_surfaces": lambda scale: TABLE})
    patch.setattr(command, "EXPERIMENTS", experiments.EXPERIMENTS)
    assert run(folder) == 0
    patch.undo()
    return folder


def names(folder):
    return sorted(path.name for path in (folder / "results").iterdir())


def test_every_network_gets_a_surface_in_every_plane_and_the_path_over_it(folder):
    stems = [f"loss_surfaces-reduced-{net}-{plane}" for net in ("net", "net_large_batch") for plane in
             ("path", "seed_0", "seed_0_batch_statistics", "seed_1")]  # fmt: skip
    files = [f"{stem}{end}.npz" for stem in stems for end in ("", "-trajectory")]
    assert names(folder) == sorted(["loss_surfaces-reduced.json", *files])
    assert list((folder / "checkpoints").glob("*.npz")) == []


def test_the_centre_of_a_random_plane_is_the_trained_network_and_the_path_ends_there(folder):
    seed = folder / "results" / "loss_surfaces-reduced-net-seed_0.npz"
    surface, path = LossSurface.load(seed), Trajectory.load(seed.with_name(f"{seed.stem}-trajectory.npz"))
    assert surface.loss.shape == (3, 3)
    assert surface.metadata["images"] == 60
    assert surface.metadata["dtype"] == "float32"
    assert len(path.loss) == RECIPE.epochs + 1
    assert path.loss[-1] == pytest.approx(surface.loss[surface.centre], rel=1e-4)
    assert path.distance[-1] == 0
    assert (path.residual[:-1] > 0.9 * path.distance[:-1]).all()  # a random plane shows nearly nothing of a path


def test_the_first_random_plane_is_drawn_with_frozen_statistics_and_with_those_of_the_batch(folder):
    ends = ("seed_0", "seed_0_batch_statistics")
    frozen, batch = (LossSurface.load(folder / "results" / f"loss_surfaces-reduced-net-{end}.npz") for end in ends)
    assert (frozen.metadata["bn"], batch.metadata["bn"]) == ("frozen", "batch")
    for key in ("seed", "lengths", "cosine", "images", "dtype"):
        assert frozen.metadata[key] == batch.metadata[key]
    assert not np.isclose(frozen.loss, batch.loss, rtol=1e-3).any()
    grown = batch.metadata["growth"]
    assert list(grown) == ["1", "2", "3"]  # passes; 3 are all
    assert all(factor > 0 for factors in grown.values() for factor in factors.values())
    assert "growth" not in frozen.metadata


def test_the_plane_of_the_path_holds_the_whole_path_with_room_around_it(folder):
    file = folder / "results" / "loss_surfaces-reduced-net-path.npz"
    surface, path = LossSurface.load(file), Trajectory.load(file.with_name(f"{file.stem}-trajectory.npz"))
    for axis, coordinates in zip((surface.alphas, surface.betas), path.coordinates.T, strict=True):
        assert axis[0] < coordinates.min()
        assert coordinates.max() < axis[-1]
    assert surface.metadata["bn"] == "batch"
    assert sum(surface.metadata["explained_variance_ratio"]) <= 1
    assert (path.residual < 0.9 * path.distance)[:-1].any()


def test_run_again_it_does_nothing(folder, capsys):
    before = {path: path.stat().st_mtime_ns for path in (folder / "results").iterdir()}
    assert run(folder) == 0
    assert "2 of 2 cells are there" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "results").iterdir()}


def test_the_time_is_up_between_rows_and_the_next_run_ends_with_the_same_numbers(folder, tmp_path, monkeypatch):
    whole = surfaces.loss_surface
    monkeypatch.setattr(surfaces, "loss_surface", lambda *a, **o: whole(*a, **o | {"minutes": 1e-9}))
    for _ in range(2):
        assert run(tmp_path) == 0
    assert names(tmp_path) == ["loss_surfaces-reduced.json"]
    assert len(list((tmp_path / "checkpoints").glob("*.npz"))) == 8
    monkeypatch.undo()
    monkeypatch.setattr(experiments, "EXPERIMENTS", {"loss_surfaces": lambda scale: TABLE})
    monkeypatch.setattr(command, "EXPERIMENTS", experiments.EXPERIMENTS)
    assert run(tmp_path) == 0
    assert names(tmp_path) == names(folder)
    for name in names(folder):
        if name.endswith("0.npz"):
            loss = [LossSurface.load(where / "results" / name).loss for where in (folder, tmp_path)]
            np.testing.assert_array_equal(*loss)


def test_where_the_weights_are_not_the_network_is_trained_again_for_its_missing_surface(folder, tmp_path):
    (tmp_path / "results").mkdir()
    for path in (folder / "results").iterdir():
        (tmp_path / "results" / path.name).write_bytes(path.read_bytes())
    missing = tmp_path / "results" / "loss_surfaces-reduced-net-seed_1.npz"
    before = LossSurface.load(missing).loss
    missing.unlink()
    assert run(tmp_path) == 0
    np.testing.assert_array_equal(LossSurface.load(missing).loss, before)
    assert [path.name for path in (tmp_path / "checkpoints").glob("*-path")] == [f"{TABLE[0].name}-path"]


def test_weights_of_another_plan_are_named_and_left_alone(folder, tmp_path, capsys):
    place = tmp_path / "checkpoints" / f"{TABLE[0].name}-path"
    place.mkdir(parents=True)
    for epoch in range(4):
        torch.save({"of": {"model": "other"}, "weights": {}}, place / f"epoch-{epoch:03}.pt")
    content = (place / "epoch-000.pt").read_bytes()
    assert run(tmp_path) == 1
    assert "is the checkpoint of another run" in capsys.readouterr().out
    assert (place / "epoch-000.pt").read_bytes() == content


def test_the_landscape_is_a_table_of_what_the_files_hold(folder):
    table = json.loads((folder / "results" / "loss_surfaces-reduced.json").read_text("utf-8"))
    found = landscape("reduced", folder / "results")
    assert list(found.surfaces) == ["net", "net, large batch"]
    assert list(found.surfaces["net"]) == ["path", "seed 0", "seed 0, batch statistics", "seed 1"]
    assert [surface.metadata["bn"] for surface in found.random("net")] == ["frozen", "frozen"]
    assert [surface.metadata["bn"] for surface in found.random("net", bn="batch")] == ["batch"]
    assert found.planned == 8
    assert "partial" not in found.describe()
    assert "digits, 60 training images, 3 x 3 points" in found.provenance  # the path's plane has fewer
    areas = [surface.basin_area() for surface in found.random("net")]
    assert f"{np.mean(areas):.1%} ({min(areas):.1%} to {max(areas):.1%})" in found._repr_markdown_()
    assert f"{table['cells'][0]['final']['train_error']:.1%}" in found.describe()
    assert not math.isnan(areas[0])
    [batch] = found.random("net", bn="batch")
    assert f", with batch statistics {np.median(batch.rim()):.3g}, below ln 10" in found.describe()


def test_a_landscape_without_files_says_how_to_measure_it(tmp_path):
    found = landscape("full", tmp_path)
    assert "python -m cnnviz.training loss_surfaces --scale full" in found.describe()
    with pytest.raises(ValueError, match=r"scale .* must be one of full, reduced"):
        landscape("quick")


def test_the_networks_of_the_experiment_are_those_of_the_paper_and_differ_in_shortcuts_alone():
    for scale in ("reduced", "full"):
        cells = {cell.variant: cell for cell in experiments.loss_surfaces(scale)}
        assert list(cells) == ["resnet20", "plain20", "resnet56", "plain56", "resnet20, large batch"]
        assert cells["resnet20"].recipe == cells["plain20"].recipe == cells["resnet56"].recipe
        assert cells["plain56"].recipe.lr == 0.01
        assert cells["resnet20"].recipe.lr == 0.1
    assert experiments.loss_surfaces("full")[0].surface == {"points": 51, "images": 10_000, "seeds": [0, 1, 2]}
