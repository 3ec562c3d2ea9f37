"""LossSurfaceExplorer in JupyterLab, two surfaces of 51 x 51: key press to changed pixels of turning, cutting, moving.

The clock, and the bare slider beside it, are those of `benchmarks.slider`.
"""

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.row import Row
from benchmarks.slider import PASSES, _open, _press
from tests.browser.lab import JupyterLab, find_chromium

EXPLORER = """
import numpy as np
from cnnviz.analysis.loss_surface import LossSurface
from cnnviz.widgets import LossSurfaceExplorer

axis = np.linspace(-1, 1, 51)
a, b = np.meshgrid(axis, axis, indexing="ij")
bowl = 0.1 + 4 * (a**2 + b**2)

def surface(loss):
    guesses = np.zeros((51, 51, 12), int)
    return LossSurface(axis, axis, loss, np.exp(-loss), 0.1 * loss, guesses, guesses[0, 0])

networks = {"smooth": bowl, "rugged": np.exp(bowl + np.sin(9 * a) * np.cos(7 * b))}
images = np.zeros((12, 3, 32, 32), np.uint8)
surfaces = {name: {"a plane": surface(loss)} for name, loss in networks.items()}
LossSurfaceExplorer(surfaces, images=images, labels=12 * [0], ceiling=30.0, logarithmic=True)
"""
MOVED = {
    "turn": ".cnnviz input[name=azimuth]",
    "cut": ".cnnviz input[name=cut]",
    "marker": ".cnnviz .cnnviz-surface-map",
    "ceiling": ".cnnviz input[name=ceiling]",
}
LIMIT = 50  # ms, for 95 % of the presses


def measure() -> list[Row]:
    """Press arrow keys on each control by turns; return median and 95 % of each beside the bare slider."""
    with tempfile.TemporaryDirectory() as folder, JupyterLab(Path(folder)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = _open(lab, browser, Path(folder) / "surface.ipynb", EXPLORER)
        times = {name: [] for name in [*MOVED, "bare"]}
        for _ in range(PASSES):
            for name, selector in (MOVED | {"bare": ".bare"}).items():
                times[name] += _press(page, selector)
        browser.close()
    bare = statistics.quantiles(times["bare"], n=20)[-1]
    rows = []
    for name in MOVED:
        middle, late = statistics.median(times[name]), statistics.quantiles(times[name], n=20)[-1]
        what = f"key to pixels, LossSurfaceExplorer, {name}, 95 %"
        rows.append(
            Row(f"{what} (median {middle:.0f})", late, bare, "ms", bare / late, f"at most {LIMIT} ms", late <= LIMIT)
        )
    return rows
