"""What is committed: no address of one machine, no package index, no large file, no data that somebody else owns."""

import csv
import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LISTED = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
FILES = [ROOT / name for name in LISTED.stdout.split("\0") if name and (ROOT / name).is_file()]
pytestmark = pytest.mark.skipif(not FILES, reason="not a git checkout, so there is no list of committed files")

MACHINE = re.compile(rf"/(home|root|Users|work|mnt)/\w|[A-Z]:\\Users|{re.escape(str(ROOT))}\b")
INDEX = re.compile(r"--?(extra-)?index(-url)?[= ]|find-links|resolved.*://")


def lines_that_match(pattern):
    for path in FILES:
        if path == Path(__file__) or path.suffix in (".gif", ".png", ".npz"):
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if pattern.search(line):
                yield f"{path.relative_to(ROOT)}:{number}: {line[:120]}"


def test_no_file_holds_a_path_of_one_machine():
    assert list(lines_that_match(MACHINE)) == []


def test_no_file_chooses_a_package_index():
    assert list(lines_that_match(INDEX)) == []


def test_no_file_is_large_and_the_samples_are_small_together():
    sizes = {str(path.relative_to(ROOT)): path.stat().st_size for path in FILES}
    assert {name: size for name, size in sizes.items() if size > 1_000_000} == {}
    assert sum(size for name, size in sizes.items() if name.startswith("data/samples/")) < 1_000_000


@pytest.mark.parametrize("path", sorted((ROOT / "data/reference").glob("*.csv")), ids=lambda path: path.name)
def test_every_published_number_has_all_its_columns(path):
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    assert rows
    assert [row for row in rows if len(row) != len(header)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "data/results").glob("*.json")), ids=lambda path: path.name)
def test_every_measured_result_says_how_it_was_measured(path):
    table = json.loads(path.read_text("utf-8"))
    wanted = {"model", "dataset", "recipe", "seed", "hardware", "torch", "date", "records", "final"}
    assert path.stem == f"{table['experiment']}-{table['scale']}"
    assert table["cells"]
    assert [wanted - set(cell) for cell in table["cells"]] == [set()] * len(table["cells"])
