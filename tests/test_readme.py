"""The README promises nothing that is not there, and leaves out no chapter, no folder and no widget."""

import os
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path

import anywidget
import pytest

import cnnviz.widgets

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = "\n".join(re.findall(r"```(?:\w+)?\n(.*?)```", README, re.DOTALL) + re.findall(r"`([^`\n]+)`", README))


def section(title):
    """Return the text under a second-level heading."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^make ([a-z-]+)", COMMANDS, re.MULTILINE))))
def test_make_knows_every_target_of_the_readme(target):
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    }
    made = subprocess.run(["make", "--dry-run", target], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert all((ROOT / "notebooks" / name).is_file() for name in re.findall(r"\d\d_\w+\.ipynb", made.stdout))


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m ([\w.]+)", COMMANDS))))
def test_every_module_that_the_readme_runs_exists(module):
    assert find_spec(module)


def test_chapter_table_is_what_notebooks_holds():
    listed = re.findall(r"\]\(notebooks/([^)]+)\)", section("Chapters"))
    assert listed == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


def test_tree_is_the_top_level():
    listed = re.findall(
        r"^([\w.-]+)/? ", re.search(r"```\w*\n(.*?)```", section("The house"), re.DOTALL)[1], re.MULTILINE
    )
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("not a git checkout, so there is no list of the project's files")
    assert sorted(listed) == sorted({path.partition("/")[0] for path in tracked.stdout.splitlines()})


def test_gallery_shows_every_widget():
    shown = re.findall(r"^\| `(\w+)`", section("Widgets"), re.MULTILINE)
    public = [getattr(cnnviz.widgets, name) for name in cnnviz.widgets.__all__]
    assert sorted(shown) == sorted(it.__name__ for it in public if issubclass(it, anywidget.AnyWidget))


@pytest.mark.parametrize("link", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_every_link_leads_to_a_file(link):
    assert (ROOT / link).is_file() or (ROOT / link).is_dir()
