"""Numbers that are typed into the text are those of papers.csv, or are worked out here."""

import re
from pathlib import Path

import nbformat
import pytest

from cnnviz.datasets import load_dataset, published

ROOT = Path(__file__).parents[1]
FILES = ["README.md", "notebooks/00_start_here.ipynb", "notebooks/05_lenet.ipynb"]

# Words around a published number, model, quantity.
CLAIMS = [
    (r"that network makes (\S+) % errors", "lenet5_1998", "test error, mnist"),
    (r"LeNet-5, has (\S+) parameters", "lenet5_1998", "parameters"),
    (r"wrong on handwritten digits: (\S+) percent", "lenet5_1998", "test error, mnist"),
    (r"high-school students: (\S+) to learn from", "lenet5_1998", "training images, mnist"),
    (r"The paper counts (\S+)\.", "lenet5_1998", "parameters"),
    (r"Ours has (\S+),", "lenet5", "parameters"),
    (r"an error of (\S+) percent is 95 images", "lenet5_1998", "test error, mnist"),
    (r"the paper went from (\S+) to", "lenet5_1998", "test error, mnist"),
    (r"to (\S+) percent with distorted ones", "lenet5_1998", "test error, mnist, trained with distortions"),
    (r"(\S+) parameters in the modern form", "lenet5", "parameters"),
    (r"modern form, (\S+) in the paper", "lenet5_1998", "parameters"),
]
LAYERS = {f"{side * side * maps:,}" for side, maps in ((28, 6), (14, 6), (10, 16))}  # c1, s2, c3 of LeNet-5
TEST_IMAGES = "10,000"  # of MNIST; test_stored.py counts them
NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+|\d+\.\d+(?= (?:%|percent|to [\d.]+ percent))")


def prose(name):
    path = ROOT / name
    if path.suffix == ".md":
        text = path.read_text("utf-8")
    else:
        cells = nbformat.read(path, as_version=nbformat.NO_CONVERT).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return " ".join(text.split())


@pytest.mark.parametrize(("words", "model", "quantity"), CLAIMS)
def test_a_published_number_in_the_text_is_that_of_the_table(words, model, quantity):
    typed = re.findall(words, " ".join(map(prose, FILES)))
    [row] = published(model, quantity)
    assert typed == [f"{row.value:,g}" if row.value < 1000 else f"{row.value:,.0f}"]


def test_the_95_images_are_the_published_error():
    [row] = published("lenet5_1998", "test error, mnist")
    assert 10_000 * row.value / 100 == pytest.approx(95)


@pytest.mark.parametrize("name", FILES)
def test_no_other_number_of_that_kind_is_typed(name):
    """A new one needs a line above."""
    text = prose(name)
    claimed = {match.start(1) for words, *_ in CLAIMS for match in re.finditer(words, text)}
    others = {match[0] for match in NUMBER.finditer(text) if match.start() not in claimed}
    digits = load_dataset("digits")
    assert others <= LAYERS | {TEST_IMAGES, f"{len(digits.x_train) + len(digits.x_test):,}"}
