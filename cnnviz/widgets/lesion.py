"""LesionExplorer: delete blocks of trained networks, and see what each of them loses."""

import copy
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import traitlets
from torch import Tensor, nn

from cnnviz.analysis import lesion
from cnnviz.analysis.evaluate import evaluate
from cnnviz.analysis.hooks import uncompiled
from cnnviz.analysis.lesion import LesionStudy
from cnnviz.widgets.channels import percent
from cnnviz.widgets.explorer import Explorer, IllegalSettingError, module, style

LISTED = 4  # more blocks are not named: the sentence keeps its length


class LesionExplorer(Explorer):
    """Networks as rows of blocks; a deleted block's layers are left out, and the error is computed anew (Veit et al.).

    The control is a trait; what does not fit raises `IllegalSettingError` (a ValueError) and changes nothing. The
    networks are copied: they stay as they are, and what they learn later is not seen.

    Args:
        networks: by name, networks of residual blocks, or plain ones of such blocks (`analysis.lesion`).
        data: normalised images [N, C, H, W] and labels [N]: errors are those on them.
        studies: by name, in place of networks: what was measured is shown, and nothing can be deleted.
        classes: of the data of the studies, for the error of guessing.
        deleted: network -> numbers of its deleted blocks, from 0, in the order in which they were deleted; a network
            that is not named has none. Set in Python, it returns when all errors on the way are computed.
    """

    _esm = module("cost_words", "lesion")
    _css = style()

    deleted = traitlets.Dict().tag(sync=True)
    _networks = traitlets.List().tag(sync=True)  # what stands fast: _entry of each
    _known = traitlets.Dict().tag(sync=True)  # network -> "1,4" (sorted numbers of deleted blocks) -> error
    _live = traitlets.Bool(False).tag(sync=True)  # whether Python can compute
    _problem = traitlets.Unicode().tag(sync=True)  # what the last computation raised

    def __init__(
        self,
        networks: Mapping[str, nn.Module] | None = None,
        data: tuple[Tensor, Tensor] | None = None,
        *,
        studies: Mapping[str, LesionStudy] | None = None,
        classes: int = 10,
        **controls,
    ):
        if bool(networks) == bool(studies) or bool(networks) != (data is not None):
            raise ValueError("give networks and data, or studies alone")
        self._modules = {name: copy.deepcopy(uncompiled(net)) for name, net in (networks or {}).items()}
        self._data, self._working, self._from_browser = data, False, False
        found = {name: lesion.lesion_study(net, *data, progress=True) for name, net in self._modules.items()}
        self._studies = found or dict(studies)
        for name, study in self._studies.items():
            if not isinstance(study, LesionStudy):
                raise TypeError(f"studies[{name!r}] must be a LesionStudy, not {type(study).__name__}")
        for net in self._modules.values():
            classes = len(evaluate(net, data[0][:1], data[1][:1]).confusion)
        super().__init__(**{"deleted": {}} | controls)
        self._networks = [_entry(name, study, 1 - 1 / classes) for name, study in self._studies.items()]
        self._known = {name: _measured(study) for name, study in self._studies.items()}
        self._live = bool(networks)
        self.observe(self._answer, "deleted")
        self._compute()

    @traitlets.validate("deleted")
    def _valid_deleted(self, proposal):
        for name in proposal.value:
            if name not in self._studies:
                raise IllegalSettingError(f"deleted has {name!r}; it must be one of {', '.join(self._studies)}")
        return {name: self._checked(name, proposal.value.get(name, [])) for name in self._studies}

    def _checked(self, name: str, blocks: Iterable[int]) -> list[int]:
        """Return the numbers, each once, in their order."""
        single = self._studies[name].single
        allowed = np.flatnonzero(~np.isnan(single)).tolist()
        if not isinstance(blocks, Sequence) or isinstance(blocks, str):
            raise IllegalSettingError(f"deleted[{name!r}] must be a list of numbers of blocks, not {blocks!r}")
        for number in blocks:
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(single):
                raise IllegalSettingError(f"deleted[{name!r}] (={blocks}) must be numbers from 0 to {len(single) - 1}")
            if number not in allowed:
                raise IllegalSettingError(
                    f"block {number} of {name} cannot be deleted: nothing else makes the shape that follows"
                )
        if blocks and not self._modules:
            raise IllegalSettingError("blocks of a study cannot be deleted: give networks and data")
        return list(dict.fromkeys(blocks))

    def describe(self) -> str:
        """Say for each network its error, that without the deleted blocks, or the least and the most without one."""
        with self._lock:
            said = [self._sentence(name, study) for name, study in self._studies.items()]
            return f"{' '.join(said)} Guessing: {percent(self._networks[0]['guess'])}."

    def _sentence(self, name: str, study: LesionStudy) -> str:
        text = f"{name}, {len(study.single)} blocks: error {percent(study.error)}"
        if gone := self.deleted[name]:
            error = self._known[name].get(_key(gone))
            numbers = ", ".join(str(number + 1) for number in sorted(gone))
            which = f"block{'s' if len(gone) > 1 else ''} {numbers}" if len(gone) <= LISTED else f"{len(gone)} blocks"
            return f"{text}; {'not computed' if error is None else percent(error)} without {which}."
        if np.isnan(study.single).all():
            return f"{text}; no block can be deleted."
        least, most = int(np.nanargmin(study.single)), int(np.nanargmax(study.single))
        return (
            f"{text}; without one block from {percent(study.single[least])} (block {least + 1}) "
            f"to {percent(study.single[most])} (block {most + 1})."
        )

    def set_state(self, sync_data: dict) -> None:
        """Take a change from the browser; the errors that it asks for are computed in a thread of their own."""
        with self._lock, self._browser_speaks():
            super().set_state(sync_data)

    @contextmanager
    def _browser_speaks(self) -> Iterator[None]:
        self._from_browser = True
        try:
            yield
        finally:
            self._from_browser = False

    def _answer(self, change) -> None:
        if not self._from_browser:
            self._compute()
        elif not self._working:  # else that thread looks again when it has the error that it is computing
            self._working = True
            threading.Thread(target=self._compute_for_browser, daemon=True).start()

    def _compute_for_browser(self) -> None:
        try:
            while True:
                self._compute()
                with self._lock:  # a click that comes later starts another thread
                    if self._next() is None:
                        self._working = False
                        return
        except Exception as error:  # nobody is there to catch it; the widget shows it
            self._working, self._problem = False, f"{type(error).__name__}: {error}"

    def _compute(self) -> None:
        """Compute what the present deletions lack: their errors first, then those on the way there."""
        self._problem = ""
        while wanted := self._next():
            name, blocks = wanted
            net = copy.deepcopy(self._modules[name])  # another thread may compute at the same time
            with lesion.deleted(net, blocks):
                error = evaluate(net, *self._data).error[1]
            with self._lock:
                self._known = self._known | {name: self._known[name] | {_key(blocks): error}}

    def _next(self) -> tuple[str, list[int]] | None:
        with self._lock:
            ends = list(self.deleted.items())
            ways = [(name, gone[:count]) for name, gone in ends for count in range(len(gone))]
            return next(((name, gone) for name, gone in ends + ways if _key(gone) not in self._known[name]), None)


def _key(blocks: Iterable[int]) -> str:
    return ",".join(map(str, sorted(blocks)))


def _measured(study: LesionStudy) -> dict[str, float]:
    """Return the errors that a study has, of the whole network and without each block."""
    singles = {str(number): float(error) for number, error in enumerate(study.single) if not np.isnan(error)}
    return {"": float(study.error)} | singles


def _entry(name: str, study: LesionStudy, guess: float) -> dict:
    """Return a network as the browser is told of it."""
    several = [
        [int(count), *(float(one) for one in np.quantile(errors, [0.5, 0, 1]))]
        for count, errors in zip(study.deleted, study.several, strict=True)
    ]
    return {
        "name": name,
        "single": [None if np.isnan(error) else float(error) for error in study.single],
        "reshapes": study.reshapes.tolist(),
        "several": several,  # number of blocks deleted at random, then median, least and largest error
        "images": study.images,
        "guess": guess,
    }
