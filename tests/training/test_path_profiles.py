"""The path lengths and lesions of an experiment: trained, measured, kept."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from cnnviz.analysis.arrays import metadata_of
from cnnviz.analysis.lesion import LesionStudy, lesion_study
from cnnviz.analysis.residual_paths import PathLengthProfile, PathSample, path_length_profile, sample_path_gradients
from cnnviz.datasets import load_dataset
from cnnviz.training import __main__ as command
from cnnviz.training import experiments
from cnnviz.training.experiments import Cell, cells
from cnnviz.training.follow_ups import compute, missing_parts, parts
from cnnviz.training.recipe import Recipe
from cnnviz.training.results import Results

PATHS = {"images": 3, "signs": 1, "sampled": 2, "samples": 2, "lesions": 20}
TABLE = [
    Cell(
        "residual_paths", "reduced", model, "digits", Recipe(epochs=2, batch_size=50), 0, 100, 40, f"{model}, small",
        options={"width": 0.25}, paths=PATHS | {"epochs": epochs},
    )
    for model, epochs in (("resnet20", [0, 2]), ("plain20", []))
]  # fmt: skip


def run(folder, table, *arguments):
    patch = pytest.MonkeyPatch()
    patch.setattr(experiments, "EXPERIMENTS", {"residual_paths": lambda scale: table})
    patch.setattr(command, "EXPERIMENTS", experiments.EXPERIMENTS)
    folders = ["--results", str(folder / "results"), "--checkpoints", str(folder / "checkpoints")]
    try:
        return command.main(["residual_paths", "--scale", "reduced", "--device", "cpu", *folders, *arguments])
    finally:
        patch.undo()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the whole experiment was run."""
    folder = tmp_path_factory.mktemp("whole")
    assert run(folder, TABLE) == 0
    return folder


def file(folder, part, net="resnet20"):
    return folder / "results" / f"residual_paths-reduced-{net}_small-{part}.npz"


def test_every_network_gets_its_parts_and_a_plain_one_lesions_alone(folder):
    found = sorted(path.name for path in (folder / "results").glob("*.npz"))
    wanted = [file(folder, part).name for part in ("lesions", "profile_0", "profile_2", "sample_0", "sample_2")]
    assert found == sorted([*wanted, file(folder, "lesions", "plain20").name])
    assert missing_parts(Results(folder / "results", folder / "checkpoints"), []) == []


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_profile_is_that_of_the_network_after_its_epoch_on_test_images(folder, epoch):
    profile = PathLengthProfile.load(file(folder, f"profile_{epoch}"))
    net = trained(folder, epoch)
    if epoch == 0:  # a new network has no statistics of its own: those of the training images
        data = load_dataset("digits").subset(100, 40)
        for norm in (module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)):
            norm.train().momentum = 1.0
        with torch.no_grad():
            net(data.normalise(data.x_train))
        net.eval()
    wanted = path_length_profile(net, *shown(3), n_signs=1, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(profile.norm, wanted.norm, rtol=1e-4)
    np.testing.assert_allclose(profile.rms, wanted.rms, rtol=1e-4)
    assert {name: profile.metadata[name] for name in ("network", "part", "dataset", "images")} == {
        "network": "resnet20, small", "part": f"profile {epoch}", "dataset": "digits", "images": 3,
    }  # fmt: skip


def test_lesions_are_those_of_the_trained_network(folder):
    study = LesionStudy.load(file(folder, "lesions"))
    drawn = {"several": [2, 4], "swaps": [1, 4, 16], "draws": 5, "generator": torch.Generator().manual_seed(0)}
    wanted = lesion_study(trained(folder, 2), *shown(20), **drawn)
    for name in ("single", "deleted", "several", "swaps", "tau", "swapped"):
        np.testing.assert_array_equal(getattr(study, name), getattr(wanted, name))


def test_a_sample_is_drawn_with_the_seed_of_its_cell_and_has_images_of_its_own_number(folder):
    sample = PathSample.load(file(folder, "sample_2"))
    drawn = {"n_samples": 2, "generator": torch.Generator().manual_seed(0)}
    np.testing.assert_allclose(
        sample.norm, sample_path_gradients(trained(folder, 2), *shown(2), **drawn).norm, rtol=1e-4
    )
    assert sample.metadata["images"] == 2


def test_the_most_important_part_of_every_network_comes_before_the_next(tmp_path):
    between = replace(TABLE[0], paths=PATHS | {"epochs": [0, 1, 2]})
    assert parts(between) == ["profile 0", "profile 2", "lesions", "sample 2", "sample 0", "profile 1"]
    wanted = [(cell.variant.split(",")[0], part) for cell, part in missing_parts(Results(tmp_path, tmp_path), TABLE)]
    assert wanted[:3] == [("resnet20", "profile 0"), ("plain20", "lesions"), ("resnet20", "profile 2")]


def trained(folder, epoch):
    state = torch.load(folder / "checkpoints" / f"{TABLE[0].name}-path" / f"epoch-{epoch:03}.pt", weights_only=True)
    data = load_dataset("digits")
    net = TABLE[0].build(data.num_classes, data.image_shape[0])
    net.load_state_dict(state["weights"])
    return net.eval()


def shown(count):
    data = load_dataset("digits").subset(100, 40)
    return data.normalise(data.x_test[:count]), data.y_test[:count]


def test_what_is_there_is_not_measured_again_and_another_plan_trains_nothing_again(folder, capsys):
    before = {path: path.stat().st_mtime_ns for path in (folder / "results").iterdir()}
    assert run(folder, TABLE) == 0
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "results").iterdir()}
    more = [replace(cell, paths={**cell.paths, "lesions": 30}) for cell in TABLE]
    assert run(folder, more) == 0
    assert "2 of 2 cells are there, 0 are missing." in capsys.readouterr().out
    table = next(path for path in before if path.suffix == ".json")
    assert table.stat().st_mtime_ns == before[table]
    assert LesionStudy.load(file(folder, "lesions")).images == 30
    assert run(folder, TABLE) == 0  # as it was, for other tests


def test_a_part_that_another_command_wrote_meanwhile_is_not_measured_again(folder, monkeypatch):
    asked, both = [], ("profile 0", "sample 0")
    for part in both:
        file(folder, part.replace(" ", "_")).unlink()

    def beside_another(results, cell, part, *others):
        asked.append(part)
        found = [compute(results, cell, one, *others) for one in both]
        return found[0]

    monkeypatch.setattr(command, "compute", beside_another)
    assert run(folder, TABLE) == 0
    assert asked == ["profile 0"]


@pytest.mark.parametrize("scale", experiments.SCALES)
def test_the_experiment_has_profiles_of_every_residual_network_from_the_start_to_the_end(scale):
    for cell in cells("residual_paths", scale):
        epochs = cell.paths["epochs"]
        assert epochs == [] if "plain" in cell.model else (epochs[0], epochs[-1]) == (0, cell.recipe.epochs)
        ends = ([epochs[0], epochs[-1]]) if epochs else []
        wanted = [f"profile {epoch}" for epoch in epochs] + ["lesions"] + [f"sample {epoch}" for epoch in ends]
        assert sorted(parts(cell)) == sorted(wanted)


def test_files_say_of_which_training_they_are(folder):
    about = metadata_of(file(folder, "lesions"))["trained"]
    assert about["paths"]["lesions"] == 20
    assert about["recipe"]["epochs"] == 2
    assert 0 <= about["result"]["final"]["test_error"] <= 1
