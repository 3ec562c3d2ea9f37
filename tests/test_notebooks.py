"""What every chapter looks like on disk; that they run is nbval's part (`make test`)."""

import re
from pathlib import Path

import nbformat
import pytest

CHAPTERS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


def hidden(cell):
    return cell.metadata.get("jupyter", {}).get("source_hidden", False)


def tagged(chapter, tag):
    return [cell for cell in chapter.cells if tag in cell.metadata.get("tags", [])]


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    return nbformat.read(request.param, as_version=nbformat.NO_CONVERT)


def code_cells(chapter):
    return [cell for cell in chapter.cells if cell.cell_type == "code"]


def test_is_valid_and_each_cell_has_an_id(chapter):
    nbformat.validate(chapter)
    assert (chapter.nbformat, chapter.nbformat_minor) == (4, 5)


def test_is_stripped(chapter):
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code_cells(chapter))


def test_first_code_cell_imports_and_sets_the_seed(chapter):
    first = code_cells(chapter)[0].source
    assert re.search(r"^(import|from) ", first, re.MULTILINE)
    assert "seed" in first


def test_no_code_cell_is_long(chapter):
    assert [cell.source for cell in code_cells(chapter) if len(cell.source.splitlines()) > 40] == []


def test_a_hidden_cell_drives_the_widgets(chapter):
    drivers = tagged(chapter, "remove-cell")
    assert drivers
    assert all(hidden(cell) and cell.cell_type == "code" for cell in drivers)


def test_solutions_are_folded_away(chapter):
    assert all(hidden(cell) for cell in tagged(chapter, "solution"))


def test_chapters_that_the_text_names_exist(chapter):
    text = "\n".join(cell.source for cell in chapter.cells if cell.cell_type == "markdown")
    lists = re.findall(r"[Cc]hapters? (\d\d(?:(?:, | and )\d\d)*)\b", text)
    named = {number for found in lists for number in re.findall(r"\d\d", found)}
    assert named <= {path.name[:2] for path in CHAPTERS}
