"""What every browser-drawn widget shares: its module, its style, its words, and a page that needs no kernel."""

import base64
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import anywidget
import traitlets

from cnnviz.files import whole_file

FOLDER = Path(__file__).parent


def module(*names: str) -> str:
    """Return the ES module of one widget: the shared controls, then each `<name>.js` (an anywidget's cannot import)."""
    return "".join((FOLDER / f"{name}.js").read_text("utf-8") for name in ("controls", *names))


def style() -> str:
    """Return the style sheet that all widgets share."""
    return (FOLDER / "explorer.css").read_text("utf-8")


class IllegalSettingError(traitlets.TraitError, ValueError):
    """A setting that is not allowed; the widget stays as it was."""


class Explorer(anywidget.AnyWidget):
    """A widget that computes and draws in the browser. Subclasses set `_esm` and `_css`, traits, and `describe`.

    The module defines `const widget = { render }` and exports it as default.
    """

    def setup_instance(self, *arguments, **controls) -> None:
        """Make the lock: messages of the browser arrive in a thread of their own, also while a cell runs."""
        object.__setattr__(self, "_lock", threading.RLock())
        super().setup_instance(*arguments, **controls)

    def __init__(self, **controls):
        allowed = self.control_names()
        for name in controls:
            if name not in allowed:
                raise TypeError(f"{type(self).__name__} has no control {name!r}; it has {', '.join(allowed)}")
        try:
            super().__init__(**controls)
        except traitlets.TraitError as error:  # point to the learner's line, not through the depths of traitlets
            raise error.with_traceback(None) from None

    def __setattr__(self, name: str, value) -> None:
        try:
            with self._lock:
                super().__setattr__(name, value)
        except traitlets.TraitError as error:
            raise error.with_traceback(None) from None

    def set_state(self, sync_data: dict) -> None:
        """Take what the browser sends, as a whole."""
        with self._lock:
            super().set_state(sync_data)

    @contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Set several controls at once: they are checked together at the end, and all go back if they do not fit."""
        try:
            with self._lock, super().hold_trait_notifications():
                yield
        except traitlets.TraitError as error:
            raise error.with_traceback(None) from None

    def open(self) -> None:
        """Open the channel to the browser, so that its messages arrive while a cell runs.

        The browser sends them to a thread of their own, but ipykernel 7.4 hands them to the thread that spoke last on
        the channel, and that is the busy one: a slider or a stop button would wait for the end of the cell.
        """
        super().open()
        if hasattr(self.comm, "_reply_subshell_for"):
            self.comm._reply_subshell_for = lambda message, sent_to: sent_to

    @classmethod
    def control_names(cls) -> list[str]:
        """Return the names of the public controls: traits that the widget itself declares."""
        return sorted(name for name in cls._own_traits() if name[0] != "_")

    @classmethod
    def _own_traits(cls) -> list[str]:
        return [name for name in cls.class_traits(sync=True) if name not in anywidget.AnyWidget.class_traits()]

    def describe(self) -> str:
        """Say in a sentence or two, with its numbers, what the widget shows."""
        raise NotImplementedError(f"{type(self).__name__} must describe itself")

    def __repr__(self) -> str:
        return self.describe()

    def to_html(self, path: str | os.PathLike) -> Path:
        """Write the widget, in its present state, as one page that works from disk with no kernel and no network."""
        with whole_file(path) as partial:
            partial.write_text(self._page(), "utf-8")
        return Path(path)

    def _page(self) -> str:
        state = self.get_state(self._own_traits())
        script = (FOLDER / "page.js").read_text("utf-8").replace("__STATE__", json.dumps(state, default=as_text))
        script = (self._esm + script).replace("</", "<\\/")
        return (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{type(self).__name__}</title><style>{self._css}</style>"
            f'<body class="cnnviz-page"><main id="widget"></main><script type="module">{script}</script></body></html>'
        )


def check_kinds(named: Mapping[str, Mapping], kind: type, what: str) -> None:
    """Raise a TypeError unless every value of a mapping of mappings is of that type."""
    for name, others in named.items():
        for other, one in others.items():
            if not isinstance(one, kind):
                raise TypeError(f"{what}[{name!r}][{other!r}] must be a {kind.__name__}, not {type(one).__name__}")


def one_of(name: str, value: str, names: Sequence[str]) -> str:
    """Return the value of a control if it is one of those names; else raise an IllegalSettingError."""
    if value not in names:
        raise IllegalSettingError(f"{name} (={value!r}) must be one of {', '.join(map(repr, names))}")
    return value


def in_range(name: str, value: float, low: float, high: float) -> None:
    """Raise an IllegalSettingError unless low <= value <= high."""
    if not low <= value <= high:  # NaN, too
        raise IllegalSettingError(f"{name} (={value:g}) must lie in {low:g}..{high:g}")


def as_text(value) -> dict:
    """Encode a bytes trait for the page; page.js turns it back into the DataView that a widget manager delivers."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(value).decode("ascii")}
    raise TypeError(f"a widget's state cannot hold {type(value).__name__}")
