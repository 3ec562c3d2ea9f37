"""A JupyterLab of its own, and the notebooks that a browser opens in it."""

import itertools
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none"},  # draw the cells out of view, too
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
}
OPTIONS = ("--no-browser", "--allow-root", "--expose-app-in-browser", "--ServerApp.port_retries=0")
QUICK = {"CNNVIZ_PROFILE": "quick", "OMP_NUM_THREADS": "1"}
RUN_ALL = """() => {
    window.ranWell = undefined;
    window.jupyterapp.commands.execute("notebook:run-all-cells").then((well) => { window.ranWell = well; });
}"""
READY = """() => {
    const kernel = window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
    return kernel?.status === "idle" && kernel.connectionStatus === "connected";
}"""
# JupyterLab draws a traceback as it draws the error stream, in a cell and in an Output widget.
TRACEBACKS = """() => [...document.querySelectorAll(".jp-OutputArea-output[data-mime-type]")]
    .map((output) => output.textContent).filter((text) => text.includes("Traceback (most recent call last)"))"""
EVALUATE = """async (expression) => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const request = { code: "", silent: true, user_expressions: { value: expression } };
    return (await kernel.requestExecute(request).done).content.user_expressions.value;
}"""
LENGTH = """(panel) => [
    [...panel.querySelectorAll(".jp-Cell")].at(-1).getBoundingClientRect().bottom
        - panel.getBoundingClientRect().top + panel.scrollTop,
    panel.clientHeight,
]"""


def find_chromium() -> str | None:
    """Return the path of the system's Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


class JupyterLab:
    """A JupyterLab server on a free port of this machine, with settings, kernels and files of its own.

    `folder` is where its notebooks lie. Use it in a `with` statement: the server and its kernels stop at the end.
    """

    def __init__(self, folder: Path, environment: dict[str, str] | None = None):
        self.folder = Path(folder)
        self.token = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        self._environment = {**os.environ, **QUICK, **(environment or {})}
        self._workspaces = itertools.count()

    def __enter__(self) -> "JupyterLab":
        private = self.folder / ".jupyter"
        overrides = private / "labconfig" / "default_setting_overrides.json"
        overrides.parent.mkdir(parents=True)
        overrides.write_text(json.dumps(SETTINGS), "utf-8")
        places = {"JUPYTER_CONFIG_DIR": ".", "JUPYTER_DATA_DIR": "data", "IPYTHONDIR": "ipython"}
        environment = self._environment | {name: str(private / place) for name, place in places.items()}
        port = self.url.rpartition(":")[2]
        command = [sys.executable, "-m", "jupyterlab", *OPTIONS, f"--ServerApp.port={port}"]
        self._log = open(private / "log.txt", "wb")
        self._server = subprocess.Popen(
            command,
            env=environment | {"JUPYTER_TOKEN": self.token},
            cwd=self.folder,
            stdout=self._log,
            stderr=self._log,
        )
        try:
            self._wait_until_up(60)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception) -> None:
        if self._server.poll() is None:
            self._server.terminate()  # a server that is told to end ends its kernels, too
        try:
            self._server.wait(15)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()
        self._log.close()

    def request(self, method: str, path: str, content: dict | None = None) -> dict | list | None:
        """Call the server's own interface, /api/`path`; return its answer."""
        body = None if content is None else json.dumps(content).encode()
        header = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        with urlopen(Request(f"{self.url}/api/{path}", body, header, method=method), timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def open(self, browser, notebook: str | Path, *, theme="light", width=1280, height=900) -> "OpenNotebook":
        """Open a notebook of `folder`, or a copy of one from elsewhere, in a page of `browser`, with a fresh kernel."""
        path = self.folder / Path(notebook).name
        if not path.exists():
            shutil.copy(notebook, path)
        kernel = {"path": path.name, "name": path.name, "type": "notebook", "kernel": {"name": "python3"}}
        # The session comes first: opening by address alone sometimes starts two kernels.
        session = self.request("POST", "sessions", kernel)
        context = browser.new_context(viewport={"width": width, "height": height})
        page = context.new_page()
        opened = OpenNotebook(self, page, session["id"])
        try:
            page.goto(f"{self.url}/doc/workspaces/page{next(self._workspaces)}/tree/{path.name}?token={self.token}")
            page.wait_for_function(READY, timeout=60_000)
            opened.set_theme(theme)
        except BaseException:
            opened.close()
            raise
        return opened

    def _wait_until_up(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            try:
                self.request("GET", "status")
                return
            except (URLError, ConnectionError) as error:
                if self._server.poll() is None and time.monotonic() < end:
                    time.sleep(0.2)
                    continue
                log = (self.folder / ".jupyter" / "log.txt").read_text("utf-8", "replace")
                raise RuntimeError(f"JupyterLab did not start ({error}):\n{log[-3000:]}") from None


class OpenNotebook:
    """One notebook in one page (`page` is Playwright's); notes JavaScript's errors and calls to other machines."""

    def __init__(self, server: JupyterLab, page, session: str):
        self.page = page
        self.page_errors: list[str] = []  # exceptions of JavaScript
        self.outside: list[str] = []  # addresses beyond this machine that the page asked for
        self._server = server
        self._session = session
        page.on("pageerror", lambda error: self.page_errors.append(str(error)))
        page.on("request", self._note_outside)

    def run_all(self, timeout: float = 120) -> bool:
        """Run every cell from top to bottom and wait; False if a cell raised. `timeout` in seconds."""
        self.page.evaluate(RUN_ALL)
        self.page.wait_for_function("() => window.ranWell !== undefined", timeout=timeout * 1000)
        self.wait_until_idle()
        return self.page.evaluate("() => window.ranWell")

    def wait_until_idle(self, timeout: float = 60) -> None:
        """Wait until the kernel has nothing left to do. `timeout` in seconds."""
        self.page.wait_for_function(READY, timeout=timeout * 1000)

    def errors(self) -> list[str]:
        """Return every traceback that stands on the page, those inside Output widgets included."""
        return self.page.evaluate(TRACEBACKS)

    def evaluate(self, expression: str) -> str:
        """Return the repr of a Python expression in the notebook's kernel; a RuntimeError if it raised there."""
        answer = self.page.evaluate(EVALUATE, expression)
        if answer["status"] != "ok":
            raise RuntimeError(f"{expression}: {answer['ename']}: {answer['evalue']}")
        return answer["data"]["text/plain"]

    def set_theme(self, theme: str) -> None:
        """Switch JupyterLab to "light" or "dark"."""
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", THEMES[theme]
        )
        self.page.wait_for_selector(f'body[data-jp-theme-light="{str(theme == "light").lower()}"]', state="attached")

    def screenshots(self, stem: str | Path) -> list[Path]:
        """Write the whole notebook as `stem`_1.png, `stem`_2.png, ... each as tall as the window."""
        panel = self.page.locator(".jp-Notebook .jp-WindowedPanel-outer").first
        length, seen = panel.evaluate(LENGTH)
        files = []
        for number, top in enumerate(range(0, int(length), seen), 1):
            panel.evaluate("(panel, top) => { panel.scrollTop = top; }", top)
            self.page.wait_for_timeout(200)
            files.append(Path(f"{stem}_{number}.png"))
            panel.screenshot(path=files[-1])
        return files

    def close(self) -> None:
        """Close the page and end its kernel."""
        self.page.context.close()
        self._server.request("DELETE", f"sessions/{self._session}")

    def _note_outside(self, request) -> None:
        if not request.url.startswith((self._server.url, "data:", "blob:")):
            self.outside.append(request.url)
