"""What a check says to the learner, as plain text that is the same on every run."""

import re
import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """What a check found; true where the answer is right.

    ``given`` holds the arguments of the first case that went wrong, by name, ready for ``function(**verdict.given)``;
    ``expected`` is the right answer there (None where showing it would give the exercise away) and ``got`` the
    learner's.
    """

    exercise: str  # the name of the learner's function: "output_size"
    passed: bool
    message: str  # one or two sentences, the mistake's name first
    mistake: str = ""  # its name alone: "kernel flipped"
    given: dict[str, Any] = field(default_factory=dict)
    expected: Any = None
    got: Any = None

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        sign = "✓" if self.passed else "✗"
        lines = textwrap.wrap(f"{sign} {self.exercise}: {self.message}", 100, subsequent_indent="  ")
        if self.given:
            lines.append(_beside("  given     ", _arguments(self.given)))
        if self.expected is not None:
            lines.append(_beside("  expected  ", show(self.expected)))
        if self.got is not None:
            lines.append(_beside("  got       ", show(self.got)))
        return "\n".join(lines)


def show(value: Any) -> str:
    """Short text for a value: small arrays row by row, large ones by their shape, other things by their type."""
    if isinstance(value, str | bool | int | torch.Size):
        return repr(value)
    if isinstance(value, tuple) and all(isinstance(part, int) for part in value):
        return repr(value)
    if isinstance(value, list) and any(isinstance(part, tuple) for part in value):
        return repr(value)  # layers, as the learner would type them
    array = numbers(value)
    if array is None:
        return f"a {type(value).__name__}"
    if array.ndim == 0:
        return repr(array.item())
    if array.size > 50:  # more cannot be taken in at a glance
        return f"an array of shape {array.shape}"
    if np.isfinite(array).all() and (array == array.round()).all():
        array = array.astype(np.int64)  # 19 reads better than 19.
    return re.sub("\n\n+", "\n", np.array2string(array, max_line_width=100, precision=4, suppress_small=True))


def numbers(value: Any) -> np.ndarray | None:
    """A number, tensor, array or nested list as an array; None for anything else, such as text or a ragged list."""
    try:
        if isinstance(value, list | tuple):
            value = np.stack([numbers(part) for part in value])
        array = value.numpy(force=True) if isinstance(value, torch.Tensor) else np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # ragged, sparse, without memory
        return None
    return array if array.dtype.kind in "iuf" else None


def _arguments(given: dict[str, Any]) -> str:
    """Arguments by name: arrays in blocks of their own, then numbers and words on one line."""
    arrays = {name for name, value in given.items() if isinstance(value, np.ndarray | torch.Tensor)}
    blocks = [_beside(f"{name} = ", show(given[name])) for name in given if name in arrays]
    plain = [f"{name} = {show(given[name])}" for name in given if name not in arrays]
    return "\n".join(blocks + ([", ".join(plain)] if plain else []))


def _beside(start: str, text: str) -> str:
    """Text of several lines that keeps its column behind a start."""
    return start + text.replace("\n", "\n" + " " * len(start))
