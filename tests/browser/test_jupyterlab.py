"""Widgets and chapters in a real JupyterLab, and the fixture that opens them.

nbval runs every chapter. Here stands the first, and a page with every widget, which is what the others add to it.
"""

import nbformat
import pytest

from cnnviz import widgets

pytestmark = pytest.mark.browser
BEGINNING = """
import torch
from cnnviz.datasets import load_dataset
from cnnviz.models import lenet5, resnet20
from cnnviz.training import Recipe, fit
from cnnviz.widgets import *

data = load_dataset("digits").subset(64, 16)
images, model = data.normalise(data.x_test), lenet5()
"""
SHOWN = {
    "ArchitectureExplorer": "ArchitectureExplorer(model)",
    "ChannelExplorer": "ChannelExplorer()",
    "ConvolutionExplorer": "ConvolutionExplorer()",
    "CostExplorer": "CostExplorer()",
    "FeatureMapExplorer": "FeatureMapExplorer(model, images, data.y_test, data.class_names)",
    "FilterExplorer": "FilterExplorer(model)",
    "LesionExplorer": "LesionExplorer({'resnet20': resnet20(in_channels=1)}, (images, data.y_test))",
    "LossSurfaceExplorer": (
        "plane = LossSurfaceExplorer({}, networks={'lenet5': model}, data=(images, data.y_test), points=5)\n"
        "plane.compute()\nplane"
    ),
    "PathLengthExplorer": (
        "from cnnviz.analysis.residual_paths import path_length_profile\n"
        "from cnnviz.models.resnet_cifar import ResNetCifar\n"
        "net = ResNetCifar(8, in_channels=1).eval()\n"
        "PathLengthExplorer({'net': {'at initialisation': path_length_profile(net, images[:2], data.y_test[:2])}})"
    ),
    "PhotoFilterExplorer": "PhotoFilterExplorer()",
    "ReceptiveFieldExplorer": "ReceptiveFieldExplorer()",
    "TrainingMonitor": "TrainingMonitor(signals=True).watch(fit(model, data, Recipe(epochs=1)));",
    "UnraveledExplorer": "UnraveledExplorer()",
}


def test_the_first_chapter_runs_from_top_to_bottom(open_notebook):
    opened = open_notebook("00_start_here.ipynb")
    assert opened.run_all(), opened.errors()
    assert opened.errors() == []


def test_every_widget_is_shown_without_an_error(open_notebook, jupyterlab):
    assert set(SHOWN) == {name for name in widgets.__all__ if name.endswith(("Explorer", "Monitor"))}
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in (BEGINNING, *SHOWN.values())]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), jupyterlab.folder / "widgets.ipynb")
    opened = open_notebook("widgets.ipynb")
    assert opened.run_all(), opened.errors()
    assert opened.errors() == []
    assert opened.page.locator(".cnnviz").count() == len(SHOWN)


@pytest.mark.parametrize(
    ("source", "ran_well"),
    [
        ("1 / 0", False),
        ("import ipywidgets\nout = ipywidgets.Output()\nwith out:\n    1 / 0\nout", True),
    ],
    ids=["in a cell", "in an Output widget"],
)
def test_a_traceback_on_the_page_is_found(open_notebook, jupyterlab, source, ran_well):
    broken = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    nbformat.write(broken, jupyterlab.folder / "broken.ipynb")
    opened = open_notebook("broken.ipynb")
    assert opened.run_all() == ran_well
    (traceback,) = opened.errors()
    assert "ZeroDivisionError: division by zero" in traceback


def test_theme_switches_to_dark_and_back(open_notebook, jupyterlab):
    nbformat.write(nbformat.v4.new_notebook(), jupyterlab.folder / "empty.ipynb")
    opened = open_notebook("empty.ipynb", theme="dark")
    papers = [opened.page.evaluate("() => getComputedStyle(document.body).backgroundColor")]
    opened.set_theme("light")
    papers.append(opened.page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
    assert papers[0] != papers[1]


def test_evaluate_reads_the_kernel_and_raises_what_it_raised(open_notebook, jupyterlab):
    answer = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("answer = 6 * 7")])
    nbformat.write(answer, jupyterlab.folder / "answer.ipynb")
    opened = open_notebook("answer.ipynb")
    opened.run_all()
    assert opened.evaluate("answer") == "42"
    with pytest.raises(RuntimeError, match="NameError: name 'question' is not defined"):
        opened.evaluate("question")
