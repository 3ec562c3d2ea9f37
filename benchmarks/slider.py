"""Key press to changed pixels: an explorer beside a picture redrawn by matplotlib in an Output.

Each explorer has a page of a real JupyterLab to itself and these two, and arrow keys move a slider of each. The clock
starts at the time stamp of the key's event and stops when the frame that shows the change has been laid out and
painted. One more slider stands there that only clears one pixel: what it needs is JupyterLab's, the browser's and the
machine's part of the time.
"""

import statistics
import tempfile
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

from benchmarks.row import Row
from tests.browser.lab import JupyterLab, find_chromium

PRESSES = 40
PASSES = 2

# An explorer, in the settings in which the chapters show it, and the slider that is moved.
EXPLORERS = {
    'ConvolutionExplorer(kernels=["sobel x"])': "stride",
    'ChannelExplorer(kind="grouped")': "in_channels",
    "CostExplorer()": "in_channels",
    "ReceptiveFieldExplorer()": "image_size",
    "UnraveledExplorer()": "blocks",
    'PathLengthExplorer({"54 blocks": {"trained": path_study("reduced").profiles[VEIT][10]}})': "length",
}
IMPORTS = """from cnnviz.analysis.path_study import VEIT, path_study
from cnnviz.widgets import *
"""
BARE = """
import anywidget

class Bare(anywidget.AnyWidget):
    _esm = '''export default { render({ el }) {
        const [slider, canvas] = ["input", "canvas"].map((tag) => document.createElement(tag));
        Object.assign(slider, { type: "range", min: 1, max: 5, value: 1, className: "bare" });
        slider.dataset.lmSuppressShortcuts = "true";
        slider.oninput = () => canvas.getContext("2d").clearRect(0, 0, 1, 1);
        el.append(slider, canvas);
    } };'''

Bare()
"""
# What most courses do: an ipywidgets slider, an Output, and a figure drawn anew for every position.
REDRAWN = """
%matplotlib inline
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F

image = (np.arange(49) % 10).reshape(7, 7).astype(float)
kernel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
slider = ipywidgets.IntSlider(1, 1, 5, description="stride")
picture = ipywidgets.Output()

def draw(change=None):
    layers = torch.tensor(image)[None, None], torch.tensor(kernel)[None, None]
    result = F.conv2d(*layers, stride=slider.value)[0, 0].numpy()
    with picture:
        picture.clear_output(wait=True)
        figure, axes = plt.subplots(1, 3, figsize=(10, 3.2))
        for axis, values in zip(axes, (image, kernel, result)):
            axis.imshow(values)
            axis.set_axis_off()
            for (row, column), value in np.ndenumerate(values):
                axis.text(column, row, f"{value:g}", ha="center", va="center")
        plt.show()

slider.observe(draw, "value")
draw()
ipywidgets.VBox([slider, picture])
"""

# A message posted during a frame arrives when the frame has been painted. A change made outside a frame waits for one.
# What changes is a canvas that is painted anew, an element of an explorer, or an image that is put into the page.
CLOCK = """() => {
    const frame = { inside: false };
    const request = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (call) => request((time) => {
        frame.inside = true;
        after(() => { frame.inside = false; });
        call(time);
    });
    function after(call) {
        const channel = new MessageChannel();
        channel.port1.onmessage = call;
        channel.port2.postMessage(0);
    }
    window.pressed = null;
    window.latency = null;
    addEventListener("keydown", (event) => { window.pressed = event.timeStamp; window.latency = null; }, true);
    const changed = () => {
        if (window.pressed === null || window.latency !== null) return;
        const done = () => { window.latency ??= performance.now() - window.pressed; };
        if (frame.inside) after(done);
        else requestAnimationFrame(() => after(done));
    };
    const clear = CanvasRenderingContext2D.prototype.clearRect;
    CanvasRenderingContext2D.prototype.clearRect = function (...box) { changed(); return clear.apply(this, box); };
    new MutationObserver(async (changes) => {
        const added = changes.flatMap((change) => [...change.addedNodes]);
        const image = added.map((node) => (node.matches?.("img") ? node : node.querySelector?.("img"))).find(Boolean);
        if (!image) return;
        await image.decode();
        changed();
    }).observe(document.querySelector(".widget-output"), { childList: true, subtree: true });
    const all = { childList: true, characterData: true, attributes: true, subtree: true };
    const explorers = new MutationObserver(changed);
    window.watch = (slider) => { if (slider.closest(".cnnviz")) explorers.observe(slider.closest(".cnnviz"), all); };
}"""


def measure() -> list[Row]:
    """Press arrow keys on the sliders of a page by turns, a page for each explorer; return its rows."""
    with tempfile.TemporaryDirectory() as folder, JupyterLab(Path(folder)) as lab, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        rows = [
            row
            for explorer, slider in EXPLORERS.items()
            for row in _rows(lab, browser, Path(folder) / f"{explorer.partition('(')[0]}.ipynb", explorer, slider)
        ]
        browser.close()
    return rows


def _rows(lab: JupyterLab, browser, path: Path, explorer: str, slider: str) -> list[Row]:
    """Median and 95 % of one explorer beside the bare slider, and the explorer beside matplotlib."""
    sliders = {"ours": f".cnnviz input[name={slider}]", "bare": ".bare", "matplotlib": ".widget-slider .noUi-handle"}
    times = {name: [] for name in sliders}
    page = _open(lab, browser, path, explorer)
    for _ in range(PASSES):
        for name, selector in sliders.items():
            times[name] += _press(page, selector)
    page.close()
    middle = {name: statistics.median(found) for name, found in times.items()}
    late = {name: statistics.quantiles(found, n=20)[-1] for name, found in times.items()}
    rows = []
    for what, found, limit in (("median", middle, 10), ("95 %", late, 33)):
        ours, bare = found["ours"], found["bare"]
        name = f"key to pixels, {path.stem}, {what}"
        rows.append(Row(name, ours, bare, "ms", bare / ours, f"at most {limit} ms", ours <= limit))
    ours, theirs = middle["ours"], middle["matplotlib"]
    what = f"{path.stem} beside matplotlib in an Output"
    return [*rows, Row(what, ours, theirs, "ms", theirs / ours, "8 times", theirs / ours >= 8)]


def _open(lab: JupyterLab, browser, path: Path, explorer: str):
    """Run the cells in JupyterLab and start the clock on what each of them draws."""
    cells = [f"{IMPORTS}{explorer}", REDRAWN, BARE]
    cells = [nbformat.v4.new_code_cell(source) for source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    notebook = lab.open(browser, path.name)
    if not notebook.run_all():
        raise RuntimeError(f"the benchmark's page failed: {notebook.errors()}")
    notebook.page.wait_for_selector(".jp-OutputArea .widget-output img")
    notebook.page.evaluate(CLOCK)
    return notebook.page


def _press(page, slider: str) -> list[float]:
    """Move a slider by keys, one up and back; return the milliseconds that each press took."""
    page.locator(slider).first.focus()
    page.locator(slider).first.evaluate("(slider) => watch(slider)")
    times = []
    for index in range(PRESSES + 4):
        page.keyboard.press("ArrowLeft" if index % 2 else "ArrowRight")
        page.wait_for_function("() => window.latency !== null", polling=20)
        if index >= 4:  # the first four warm up
            times.append(page.evaluate("() => window.latency"))
        page.wait_for_timeout(30)
    return times
