"""python -m cnnviz.training: tables of cells, kept, resumed, refused, out of time."""

import inspect
import json
import time
from dataclasses import asdict, replace
from importlib import import_module
from itertools import groupby

import pytest
import torch

from cnnviz.analysis import layer_table
from cnnviz.datasets import DatasetNotFoundError, measured, published, reference
from cnnviz.models import MODELS
from cnnviz.training import __main__ as command
from cnnviz.training import experiments
from cnnviz.training.experiments import EXPERIMENTS, RELATIVES, SCALES, WIDTHS, Cell, cells
from cnnviz.training.fit import Run
from cnnviz.training.recipe import Recipe
from cnnviz.training.results import Results, is_of

RECIPE = Recipe(epochs=2, batch_size=64, lr=0.02)
TABLE = [Cell("tiny", "quick", "lenet5", "digits", RECIPE, seed, 128, 64) for seed in (0, 1)]


@pytest.fixture
def run_command(tmp_path, monkeypatch):
    """Run the command on a table of two tiny cells, in folders of its own; returns status and table."""
    monkeypatch.setattr(
        experiments, "EXPERIMENTS", {"tiny": lambda scale: [replace(cell, scale=scale) for cell in TABLE]}
    )
    monkeypatch.setattr(command, "EXPERIMENTS", experiments.EXPERIMENTS)

    def run(*arguments, scale="quick"):
        folders = ["--results", str(tmp_path / "results"), "--checkpoints", str(tmp_path / "checkpoints")]
        status = command.main(["tiny", "--scale", scale, *folders, *arguments])
        path = tmp_path / "results" / f"tiny-{scale}.json"
        return status, json.loads(path.read_text("utf-8")) if path.exists() else None

    return run


def figures(table):
    """Everything of a table but the times."""
    times = ("seconds", "images_per_second")
    return [
        [{k: v for k, v in record.items() if k not in times} for record in cell["records"]] for cell in table["cells"]
    ]


def test_a_table_holds_what_design_asks_of_a_result(run_command):
    status, table = run_command()
    assert status == 0
    assert (table["experiment"], table["scale"]) == ("tiny", "quick")
    assert (table["cells_planned"], table["seeds_planned"]) == (2, 2)
    for seed, cell in enumerate(table["cells"]):
        assert (cell["model"], cell["dataset"], cell["seed"]) == ("lenet5", "digits", seed)
        assert Recipe(**cell["recipe"]) == RECIPE
        assert cell["torch"] == torch.__version__
        assert "thread" in cell["hardware"] or torch.cuda.is_available()
        assert cell["date"] == time.strftime("%Y-%m-%d", time.gmtime())
        assert (cell["train_images"], cell["test_images"], cell["parameters"]) == (128, 64, 61_706)
        assert "128 of 1,437 training images" in cell["note"]
        assert [record["epoch"] for record in cell["records"]] == [0, 1, 2]
        assert cell["final"]["test_error"] == cell["records"][-1]["test_error"]
        assert "filters" not in cell["records"][0]


def test_what_is_there_is_not_run_again(run_command, monkeypatch, capsys):
    _, first = run_command()
    monkeypatch.setattr(Run, "__next__", lambda run: pytest.fail("trained again"))
    status, second = run_command()
    assert (status, second) == (0, first)
    assert "2 of 2 cells are there, 0 are missing" in capsys.readouterr().out


def test_a_cell_of_another_recipe_is_run_again_and_replaced(run_command, monkeypatch):
    run_command()
    changed = replace(TABLE[1], recipe=replace(RECIPE, lr=0.01))
    monkeypatch.setitem(globals(), "TABLE", [TABLE[0], changed])
    _, table = run_command()
    assert [cell["recipe"]["lr"] for cell in table["cells"]] == [0.02, 0.01]


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5])
def test_interrupted_anywhere_it_goes_on_to_the_same_table(run_command, monkeypatch, tmp_path, epochs):
    _, undisturbed = run_command()
    (tmp_path / "results" / "tiny-quick.json").unlink()
    train, calls = Run._train_and_test, []

    def interrupted(run, epoch):
        calls.append(epoch)
        if len(calls) == epochs:
            raise KeyboardInterrupt
        return train(run, epoch)

    monkeypatch.setattr(Run, "_train_and_test", interrupted)
    if epochs <= 4:
        with pytest.raises(KeyboardInterrupt):
            run_command()
    _, table = run_command()
    assert figures(table) == figures(undisturbed)
    assert len(calls) == (5 if epochs <= 4 else 4)  # no epoch was trained twice but the broken one
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_partial_table_says_how_many_cells_were_planned(run_command, monkeypatch, tmp_path):
    start = command._start

    def interrupted(cell, *given):
        if cell.seed == 1:
            raise KeyboardInterrupt
        return start(cell, *given)

    monkeypatch.setattr(command, "_start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_command()
    table = json.loads((tmp_path / "results" / "tiny-quick.json").read_text("utf-8"))
    assert (table["cells_planned"], table["seeds_planned"]) == (2, 2)
    assert [cell["seed"] for cell in table["cells"]] == [0]


def test_without_time_nothing_is_begun_and_with_it_everything_ends(run_command, capsys):
    status, table = run_command("--minutes", "0")
    assert (status, table) == (0, None)
    assert "Time is up; the same command goes on from here" in capsys.readouterr().out
    assert len(run_command("--minutes", "5")[1]["cells"]) == 2


def test_full_needs_a_gpu_unless_told_otherwise(run_command, monkeypatch, capsys):
    monkeypatch.setattr(import_module("cnnviz.analysis.device"), "best_device", lambda: torch.device("cpu"))
    assert run_command(scale="full") == (2, None)
    assert "--device cpu runs them anyway" in capsys.readouterr().out
    assert run_command("--device", "cpu", scale="full")[0] == 0


@pytest.mark.parametrize(("has", "used"), [(True, "bf16"), (False, "float32")])
def test_a_result_says_in_which_precision_it_was_computed(run_command, monkeypatch, has, used):
    monkeypatch.setattr(import_module("cnnviz.training.fit"), "has_bf16", lambda device: has)
    monkeypatch.setitem(globals(), "TABLE", [replace(TABLE[0], recipe=replace(RECIPE, precision="bf16"))])
    [cell] = run_command()[1]["cells"]
    assert (cell["recipe"]["precision"], cell["precision"]) == ("bf16", used)


def test_missing_data_leaves_its_cells_out_and_says_so(run_command, monkeypatch, capsys):
    def missing(name):
        raise DatasetNotFoundError("digits is not on this machine")

    monkeypatch.setattr(command, "load_dataset", missing)
    assert run_command() == (1, None)
    assert "Left out tiny-quick-lenet5-digits-0: digits is not on this machine" in capsys.readouterr().out


def test_a_damaged_file_leaves_its_cells_out_and_says_so(run_command, monkeypatch, capsys):
    def damaged(name):
        raise ValueError("digits.npz is not a data set")

    monkeypatch.setattr(command, "load_dataset", damaged)
    assert run_command() == (1, None)
    assert "Left out tiny-quick-lenet5-digits-0: digits.npz is not a data set" in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"not a checkpoint", b"", {"weights": torch.ones(2)}, torch.ones(2)])
def test_a_broken_checkpoint_is_named_left_alone_and_other_cells_run(run_command, tmp_path, capsys, content):
    path = tmp_path / "checkpoints" / f"{TABLE[0].name}.pt"
    path.parent.mkdir()
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    before = path.read_bytes()
    status, table = run_command()
    assert (status, [cell["seed"] for cell in table["cells"]]) == (1, [TABLE[1].seed])
    said = capsys.readouterr().out
    assert f"Left out {TABLE[0].name}: {path} is no checkpoint (" in said
    assert "move or delete it" in said
    assert path.read_bytes() == before


def test_a_checkpoint_of_other_hardware_is_named_and_left_alone(tmp_path, monkeypatch):
    results, cell = Results(tmp_path, tmp_path), TABLE[0]
    run = command._start(cell, torch.device("cpu"))
    next(run), next(run)
    results.save_checkpoint(cell, run)
    again = command._start(cell, torch.device("cpu"))
    assert results.load_checkpoint(cell, again)
    assert len(again.records) == 2
    monkeypatch.setattr("cnnviz.training.results.hardware", lambda device: "another machine")
    before = (tmp_path / f"{cell.name}.pt").read_bytes()
    fresh = command._start(cell, torch.device("cpu"))
    with pytest.raises(ValueError, match=r"the checkpoint of another run: hardware .*, here 'another machine'"):
        results.load_checkpoint(cell, fresh)
    assert fresh.records == []
    assert (tmp_path / f"{cell.name}.pt").read_bytes() == before


def test_a_loss_that_is_not_finite_is_null_in_the_table(run_command, monkeypatch):
    monkeypatch.setitem(globals(), "TABLE", [replace(TABLE[0], recipe=replace(RECIPE, lr=1e9))])
    [cell] = run_command()[1]["cells"]
    assert cell["final"]["train_loss"] is None


def test_the_random_state_is_as_it_was(run_command):
    before = torch.get_rng_state()
    run_command()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_cells_of_every_experiment_are_named_once(name, scale):
    table = cells(name, scale)
    assert len({cell.name for cell in table}) == len(table)
    assert {(cell.experiment, cell.scale) for cell in table} == {(name, scale)}


def shapes_of(cell):
    with torch.device("meta"):
        return layer_table(cell.build(10, 3), 32)


def test_all_cells_but_their_variants_are_trained_alike():
    """What differs between two cells of a group is its seed and its model, or the one thing that is compared."""
    for name in EXPERIMENTS:
        for group, found in groupby(sorted(cells(name, "full"), key=lambda cell: cell.group), lambda cell: cell.group):
            recipes = {cell.variant or cell.model: asdict(cell.recipe) for cell in found}
            differing = {key for a in recipes.values() for b in recipes.values() for key in a if a[key] != b[key]}
            compared = {
                "regularisation": {"crop_padding", "flip"},
                "loss": {"loss"},
                "loss_surfaces": {"lr", "batch_size"},
            }
            assert differing == compared.get(group or name, set()), (name, group)


@pytest.mark.parametrize("model", WIDTHS)
def test_no_network_of_the_equal_budget_is_above_it_or_could_be_wider(model):
    few, cheap = (cell for cell in cells("equal_budget", "reduced") if cell.model == model)
    assert shapes_of(cheap).mult_adds <= 40_600_000
    assert parameters(few) <= 270_000
    if few.options["width"] < 1:  # those of width 1 are the paper's
        assert parameters(replace(few, options=few.options | {"width": few.options["width"] + 0.01})) > 270_000


def parameters(cell):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in cell.build(10, 3).parameters())


def variants(experiment, group):
    return {cell.variant: shapes_of(cell) for cell in cells(experiment, "reduced") if cell.group == group}


def test_small_filters_are_compared_at_equal_costs():
    tables = variants("small_filters", "filters")
    large, same = tables["one 7x7"], tables["three 3x3, as wide"]
    assert same.mult_adds < large.mult_adds
    assert tables["three 3x3, as many parameters"].parameters == pytest.approx(large.parameters, rel=0.02)
    assert tables["three 3x3, as many mult-adds"].mult_adds == pytest.approx(large.mult_adds, rel=0.02)


def test_kinds_of_convolutions_are_compared_at_equal_mult_adds():
    tables = variants("convolution_kinds", "kind")
    assert [table.mult_adds for table in tables.values()] == pytest.approx([tables["full"].mult_adds] * 3, rel=0.02)


def test_lenet_has_three_seeds_of_each_in_full():
    full = cells("lenet", "full")
    assert len(full) == 12
    assert {cell.seed for cell in full} == {0, 1, 2}
    assert all(cell.train_limit is None and cell.test_limit is None for cell in full)


def test_committed_results_are_cells_of_the_present_tables():
    for path in reference.RESULTS.glob("*.json"):
        table = json.loads(path.read_text("utf-8"))
        planned = cells(table["experiment"], table["scale"])
        assert table["cells_planned"] == len(planned)
        assert table["seeds_planned"] == len({cell.seed for cell in planned})
        assert all(any(is_of(row, cell) for cell in planned) for row in table["cells"])


@pytest.mark.parametrize("model", ["lenet5", "lenet5_1998"])
def test_full_lenet_on_mnist_is_near_the_published_error(model):
    results = measured("lenet", model=model, dataset="mnist")
    if not results:
        pytest.skip(
            f"no full result of {model} on mnist in data/results: run python -m cnnviz.training lenet --scale full"
        )
    [paper] = published(model="lenet5_1998", quantity="test error, mnist")
    for cell in results:
        assert cell["train_images"] == 60_000
        assert 100 * cell["final"]["test_error"] == pytest.approx(paper.value, abs=0.5)


def test_the_deepest_members_of_every_family_learned_in_under_a_minute():
    found = {cell["model"]: cell for cell in measured("relatives", "reduced")}
    small = {name for name, build in MODELS.items() if "small" in inspect.signature(build).parameters}
    families = {name for name in small if name.startswith(("resnet", "plain", "resnext", "densenet"))}
    assert set(found) == families == set(RELATIVES)
    for name, cell in found.items():
        assert cell["final"]["test_error"] <= 0.75, name
        assert cell["seconds"] < 60, name
