"""What the explorers of feature maps and filters share: pictures drawn in Python, controls in the browser."""

import base64

import numpy as np
import traitlets

from cnnviz.figures.montage import png
from cnnviz.widgets.explorer import Explorer, IllegalSettingError, module, style


class Gallery(Explorer):
    """An explorer of pictures that only Python can compute: each change goes to the kernel and PNGs come back.

    Why not ipywidgets sliders around an Image widget, which is as fast (33 ms): in Notebook 7 their sliders do not
    answer to the arrow keys, an Image has no alternative text, and neither can be written as a page of its own. The
    maps of a large network are too many to send them all to the browser.

    Subclasses have traits for their controls and fill `_controls` and `_panels` in `_draw`.
    """

    _esm = module("gallery")
    _css = style()

    _controls = traitlets.List().tag(sync=True)  # what `choice_control` and `slider_control` return
    _panels = traitlets.List().tag(sync=True)  # what `panel` returns
    _description = traitlets.Unicode().tag(sync=True)
    _problem = traitlets.Unicode().tag(sync=True)  # an exception that a change in the browser raised
    _drawn = traitlets.Int(0).tag(sync=True)  # counts the answers, so that the browser knows when it waits for one

    def set_state(self, sync_data: dict) -> None:
        """Take a change from the browser; what it raises is shown in the widget, too, not only in the server's log."""
        try:
            super().set_state(sync_data)
        except Exception as error:
            self._problem = f"{type(error).__name__}: {error}"
            self.send_state(list(sync_data))  # the browser's controls go back
            raise

    def _refresh(self, change=None) -> None:
        """Draw anew after a change."""
        self._controls, self._panels = self._draw()
        self._description, self._problem = self.describe(), ""
        self._drawn += 1

    def _draw(self) -> tuple[list[dict], list[dict]]:
        raise NotImplementedError(f"{type(self).__name__} must draw itself")


def check_position(name: str, value: int, count: int) -> int:
    """Return `value` if it is from 0 to `count` - 1.

    Raises:
        IllegalSettingError: it is not.
    """
    if not 0 <= value < count:
        raise IllegalSettingError(f"{name} (={value}) must be from 0 to {count - 1}")
    return value


def check_name(name: str, value: str, names: tuple[str, ...]) -> str:
    """Return `value` if it is one of `names`.

    Raises:
        IllegalSettingError: it is not.
    """
    if value not in names:
        raise IllegalSettingError(f"{name} (={value!r}) must be one of {', '.join(names)}")
    return value


def choice_control(name: str, options: list[tuple]) -> dict:
    """Return a list of named choices for the trait `name`; options are (value, text)."""
    return {"name": name, "label": name, "kind": "choice", "options": [list(option) for option in options]}


def slider_control(name: str, high: int, low: int = 0, step: int = 1) -> dict:
    """Return a slider from `low` to `high` for the trait `name`."""
    return {"name": name, "label": name, "kind": "slider", "min": low, "max": high, "step": step}


def panel(title: str, picture: np.ndarray, alt: str, size: int, pick: dict | None = None) -> dict:
    """Return one picture uint8 [H, W, 3] with its title, alternative text and the most pixels of its longer side.

    `pick` makes a montage answer to clicks: {"trait", "columns", "tile" (height, width), "gap", "span" (tiles below
    each other that belong to one value of the trait), "count" (of values)}; the present value's tiles have a frame.
    """
    height, width, _ = picture.shape
    source = "data:image/png;base64," + base64.b64encode(png(picture)).decode("ascii")
    return {"title": title, "source": source, "height": height, "width": width, "alt": alt, "size": size, "pick": pick}
