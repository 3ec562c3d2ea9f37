"""The package as a whole: what importing it costs, and its map."""

import importlib
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import cnnviz

HEAVY = (
    "torch",
    "torchvision",
    "numpy",
    "plotly",
    "matplotlib",
    "ipywidgets",
    "anywidget",
    "IPython",
    "sklearn",
    "skimage",
    "PIL",
)
ENTRY = re.compile(r"^cnnviz\.(\w+) (.*?)(?=^cnnviz\.|\Z)", re.MULTILINE | re.DOTALL)
MAP = {layer: re.findall(r"`(\w+)`", text) for layer, text in ENTRY.findall(cnnviz.__doc__)}


def test_importing_cnnviz_imports_nothing_heavy():
    code = f"import sys, cnnviz; print([name for name in {HEAVY} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_map_has_every_part_of_the_package():
    folder = Path(cnnviz.__file__).parent
    parts = {path.stem for path in folder.iterdir() if not path.name.startswith("__")}
    assert set(MAP) == parts


@pytest.mark.parametrize(("layer", "name"), [(layer, name) for layer, names in MAP.items() for name in names])
def test_every_name_on_the_map_exists(layer, name):
    module = importlib.import_module(f"cnnviz.{layer}")
    assert hasattr(module, name) or find_spec(f"cnnviz.{layer}.{name}")
