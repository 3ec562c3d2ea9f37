"""One Chromium for all browser tests, and pages to put a widget's module on."""

import shutil

import pytest

MODULE_PAGE = """async (source) => {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    window.module = await import(url);
}"""


@pytest.fixture(scope="session")
def browser():
    """Debian's Chromium, headless; the reason to skip says how to get it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium: install it (Debian: apt-get install chromium) and run again")
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
