"""Chapter 05 picks its data and its recipe by profile and by what is there."""

from pathlib import Path

import nbformat
import pytest

from cnnviz.datasets import DatasetNotFoundError, load_dataset
from cnnviz.training import Recipe, profile
from cnnviz.training.experiments import cells

CHAPTER = nbformat.read(Path(__file__).parents[1] / "notebooks" / "05_lenet.ipynb", as_version=nbformat.NO_CONVERT)


def run_cell(beginning, **names):
    """Run the code cell that has this text; return its names."""
    [source] = [cell.source for cell in CHAPTER.cells if cell.cell_type == "code" and beginning in cell.source]
    exec(source, names)
    return names


@pytest.mark.parametrize("chosen", ["quick", "full"])
def test_few_images_get_the_recipe_for_few_images(monkeypatch, chosen):
    monkeypatch.setenv("CNNVIZ_PROFILE", chosen)
    names = run_cell("recipe = Recipe(", data=load_dataset("digits"), profile=profile, Recipe=Recipe, cells=cells)
    assert names["recipe"].batch_size == 32


@pytest.mark.parametrize(("chosen", "download"), [("quick", False), ("full", True)])
def test_only_the_full_profile_downloads(monkeypatch, chosen, download):
    asked = []

    def load(name, *, fallback=None, download=True):
        asked.append((name, download))
        if fallback is None:
            raise DatasetNotFoundError(name)
        return load_dataset(fallback)

    monkeypatch.setenv("CNNVIZ_PROFILE", chosen)
    names = run_cell("load_dataset(", load_dataset=load, profile=profile, DatasetNotFoundError=DatasetNotFoundError)
    assert names["data"].name == "digits"
    assert asked == [("mnist", download), ("fashion_mnist", download)]
