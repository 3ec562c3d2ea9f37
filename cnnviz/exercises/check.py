"""How an answer is checked: the learner's function beside torch's on many cases, and a mistake called by its name."""

import copy
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that learners are known to give: its name, what to do about it, and the answer itself."""

    name: str
    advice: str
    function: Callable


@dataclass(frozen=True, eq=False, repr=False)
class Verdict:
    """What a check found; true where the answer is right.

    ``given`` holds the arguments of the first case that went wrong, by name, ready for ``function(**verdict.given)``;
    ``expected`` is what torch answers there (None where showing it would give the exercise away) and ``got`` what the
    learner answered.
    """

    exercise: str
    passed: bool
    message: str
    mistake: str = ""
    given: dict[str, Any] = field(default_factory=dict)
    expected: Any = None
    got: Any = None

    def __bool__(self) -> bool:
        return self.passed

    def __repr__(self) -> str:
        lines = [f"{'✓' if self.passed else '✗'} {self.exercise}: {self.message}"]
        if self.given:
            lines.append(_block("given", _arguments(self.given)))
        if self.expected is not None:
            lines.append(_block("expected", show(self.expected)))
        if self.got is not None:
            lines.append(_block("got", show(self.got)))
        return "\n".join(lines)


@dataclass(frozen=True, eq=False)
class Attempt:
    """One call of the learner's function: what went in, what was right, what came out or was raised."""

    given: dict[str, Any]
    expected: Any
    got: Any = None
    error: str = ""
    changed: str = ""  # the name of an argument that the call changed

    @property
    def right(self) -> bool:
        """Same shape and values as expected, and a whole number where one is expected."""
        expected, got = numbers(self.expected), numbers(self.got)
        whole = got is not None and (expected.dtype.kind == "f" or got.dtype.kind in "iu")
        return whole and same(expected, got)


def compare(
    exercise: str,
    function: Callable,
    reference: Callable,
    cases: Sequence[dict[str, Any]],
    mistakes: Sequence[Mistake] = (),
    *,
    reveal: bool = True,
) -> Verdict:
    """Call the learner's function and the reference with every case, and say what is wrong with the first that differs.

    The arguments are passed by position, as copies; torch's random state is as it was afterwards. ``reveal=False``
    keeps the right answer out of the verdict.
    """
    if function is ...:
        return Verdict(exercise, False, *_told("not written yet", "Put your answer in the place of the three dots."))
    if not callable(function):
        advice = f"Pass the function itself, without calling it: check_{exercise}({exercise})."
        return Verdict(exercise, False, *_told(f"{show(function)} is not a function", advice))
    with torch.random.fork_rng(devices=[]):
        attempts = [attempt(function, case, reference(*copy.deepcopy(list(case.values())))) for case in cases]
    return judge(exercise, attempts, mistakes, reveal=reveal)


def attempt(function: Callable, given: dict[str, Any], expected: Any) -> Attempt:
    """Call the function once with copies of the arguments; an exception becomes one line of text."""
    arguments = copy.deepcopy(list(given.values()))
    try:
        got = function(*arguments)
    except Exception as error:
        return Attempt(given, expected, error=_one_line(error, function))
    changed = [name for name, now in zip(given, arguments, strict=True) if _changed(given[name], now)]
    return Attempt(given, expected, got, changed="".join(changed[:1]))


def judge(
    exercise: str, attempts: Sequence[Attempt], mistakes: Sequence[Mistake] = (), *, reveal: bool = True
) -> Verdict:
    """The verdict on all attempts together: a fault of a single call first, then a known mistake, then what differs."""
    fault = _fault_of_one(attempts)
    if fault is None:
        wrong = [a for a in attempts if not a.right]
        if not wrong:
            return Verdict(exercise, True, f"right in all {len(attempts)} cases." if len(attempts) > 1 else "right.")
        fault = (*(_known(attempts, mistakes) or _difference(wrong[0], attempts)), wrong[0])
    name, advice, case = fault
    return Verdict(
        exercise, False, *_told(name, advice), case.given, case.expected if reveal else None, None if case.error else case.got
    )


def _told(name: str, advice: str) -> tuple[str, str]:
    """The message and the mistake's name, in the order of Verdict's fields."""
    return f"{name}. {advice}", name


def _fault_of_one(attempts: Sequence[Attempt]) -> tuple[str, str, Attempt] | None:
    """What makes the answers not worth comparing, with the first attempt that shows it."""
    for a in attempts:
        if a.got is ...:
            return "not written yet", "Put your code in the place of the three dots.", a
        if a.error:
            return "raised an exception", a.error, a
        if a.got is None:
            return "returned nothing", "Does every way through the function end with return?", a
        if a.changed:
            return "changes its input", f"Work on a copy of {a.changed}, or on a new array.", a
    return None


def _known(attempts: Sequence[Attempt], mistakes: Sequence[Mistake]) -> tuple[str, str] | None:
    """The known mistake that gives the learner's answers in all cases."""
    got = [numbers(a.got) for a in attempts]
    if any(answer is None for answer in got):
        return None
    if not any(answer.any() for answer in got):
        return "all zeros", "The function never puts anything into its answer."
    for mistake in mistakes:
        if all(same(numbers(mistake.function(*copy.deepcopy(list(a.given.values())))), g) for a, g in zip(attempts, got, strict=True)):
            return mistake.name, mistake.advice
    return None


def _difference(first: Attempt, attempts: Sequence[Attempt]) -> tuple[str, str]:
    """Words for a mistake that has no name: wrong type, shape or values, and where the answers are right."""
    expected, got = numbers(first.expected), numbers(first.got)
    if got is None:
        return "wrong type", f"Numbers are expected, not {show(first.got)}."
    if got.shape != expected.shape:
        return "wrong shape", f"The shape is {got.shape}, expected {expected.shape}. {_clue(attempts)}".rstrip()
    if same(expected, got):
        return "wrong type", f"{show(first.got)} is a float; a whole number is expected: divide with //."
    return "wrong values", _clue(attempts)


def _clue(attempts: Sequence[Attempt]) -> str:
    """How many cases are right, and the argument that tells them from the wrong ones, if there is one."""
    right = [a.given for a in attempts if a.right]
    wrong = [a.given for a in attempts if not a.right]
    for name, value in wrong[0].items():
        if len(right) > 1 and isinstance(value, int | str):
            good = {given[name] for given in right}
            if len(good) == 1 and good.isdisjoint(given[name] for given in wrong):
                return f"Right wherever {name} is {show(good.pop())}, so look at what {name} does."
    return f"{len(right)} of {len(attempts)} cases are right."


def numbers(value: Any) -> np.ndarray | None:
    """A number, tensor, array or nested list as an array; None for anything else, such as text or a ragged list."""
    try:
        if isinstance(value, list | tuple):
            value = np.stack([numbers(part) for part in value])
        array = value.numpy(force=True) if isinstance(value, torch.Tensor) else np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # ragged, sparse, on no device
        return None
    return array if array.dtype.kind in "iuf" else None


def same(expected: np.ndarray, got: np.ndarray) -> bool:
    """Equal shapes, and values equal to within float32's rounding; NaN equals nothing."""
    return expected.shape == got.shape and np.allclose(expected, got, rtol=1e-4, atol=1e-4)


def show(value: Any) -> str:
    """A value as short text that is the same on every run: arrays row by row, other things by their type."""
    if isinstance(value, str | bool | int | float | None | tuple[int, ...].__origin__):
        return repr(value)
    array = numbers(value)
    if array is None:
        return f"a {type(value).__name__}"
    if array.dtype.kind == "f" and array.ndim and np.isfinite(array).all() and (array == array.round()).all():
        array = array.astype(np.int64)  # 19 reads better than 19.
    text = np.array2string(array, max_line_width=100, precision=4, suppress_small=True, threshold=150, edgeitems=2)
    return text.replace("\n\n", "\n")


def _arguments(given: dict[str, Any]) -> str:
    """Arguments by name: arrays on lines of their own, then numbers and words on one line."""
    shown = {name: show(value) for name, value in given.items()}
    arrays = [_indent(f"{name} = ", text) for name, text in shown.items() if isinstance(given[name], np.ndarray | torch.Tensor)]
    plain = [f"{name} = {text}" for name, text in shown.items() if not isinstance(given[name], np.ndarray | torch.Tensor)]
    return "\n".join([*arrays, ", ".join(plain)] if plain else arrays)


def _block(title: str, text: str) -> str:
    return _indent(f"  {title:<10}", text)


def _indent(start: str, text: str) -> str:
    """Text of several lines that keeps its column behind a start."""
    return start + text.replace("\n", "\n" + " " * len(start))


def _changed(before: Any, after: Any) -> bool:
    """Whether an array argument is not what it was."""
    if isinstance(before, np.ndarray | torch.Tensor):
        return before.shape != after.shape or not bool((before == after).all())
    return False


def _one_line(error: Exception, function: Callable) -> str:
    """'IndexError: index 5 is out of bounds, at: total += image[i]', without a traceback."""
    code = getattr(function, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.line for frame in frames if code and frame.filename == code.co_filename and frame.line]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" + (f", at: {lines[-1]}" if lines else "")
