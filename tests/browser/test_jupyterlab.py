"""The chapters in a real JupyterLab, and the fixture that opens them."""

from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.browser
CHAPTERS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_runs_from_top_to_bottom(open_notebook, chapter):
    opened = open_notebook(chapter.name)
    assert opened.run_all(), opened.errors()
    assert opened.errors() == []


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
