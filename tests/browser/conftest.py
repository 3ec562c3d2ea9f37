"""One Chromium for all browser tests, pages to put a widget's module on, and a real JupyterLab."""

import os
import shutil
from pathlib import Path

import pytest

from tests.browser.lab import JupyterLab, find_chromium

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
MODULE_PAGE = """async (source) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    window.module = await import(url);
}"""


@pytest.fixture(scope="session")
def browser():
    """The system's Chromium, headless; the reason to skip says how to get it. In CI its absence is a failure."""
    chromium = find_chromium()
    if chromium is None:
        reason = "no Chromium: install it (Debian: apt-get install chromium) and run again"
        if os.environ.get("CNNVIZ_BROWSER") == "required":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    """A blank page, 1280 pixels wide, with the network off; a JavaScript error on it fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, f"JavaScript errors on the page: {errors}"


@pytest.fixture
def import_module(page):
    """Call with the text of a widget's ES module; the page then has it as `module`."""

    def load(source):
        page.evaluate(MODULE_PAGE, source)
        return page

    return load


@pytest.fixture(scope="session")
def jupyterlab(browser, tmp_path_factory):
    """A JupyterLab server on copies of all chapters, quick profile, one thread; ends with the tests."""
    folder = tmp_path_factory.mktemp("jupyterlab")
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        shutil.copy(notebook, folder)
    with JupyterLab(folder) as server:
        yield server


@pytest.fixture
def open_notebook(browser, jupyterlab):
    """Call with a notebook's name (and theme, width, height) to have it open in JupyterLab with a kernel of its own.

    A JavaScript error on the page, or a call to an address beyond this machine, fails the test.
    """
    opened = []

    def open_one(name, **look):
        opened.append(jupyterlab.open(browser, name, **look))
        return opened[-1]

    yield open_one
    for notebook in opened:
        notebook.close()
    assert not any(notebook.page_errors for notebook in opened), [notebook.page_errors for notebook in opened]
    assert not any(notebook.outside for notebook in opened), [notebook.outside for notebook in opened]
