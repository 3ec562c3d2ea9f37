"""How an answer is checked: the learner's function beside torch's on many cases, and a mistake called by its name.

A check is one call of ``compare``: the learner's function, the right one, the cases (small ones first, the first that
fails is shown), and the mistakes that are known. A mistake is known by its answers: a wrong function that answers every
case as the learner's does is what the learner wrote.
"""

import copy
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cnnviz.exercises.verdict import Verdict, numbers, show

NOT_THE_LEARNERS = (str(Path(__file__).parents[1]), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))


@dataclass(frozen=True, eq=False)
class Attempt:
    """One call of the learner's function: what went in, what is right, what came out or was raised."""

    given: dict[str, Any]
    expected: Any
    got: Any = None
    error: str = ""  # "IndexError: ...", one line
    changed: str = ""  # the name of an argument that is not what it was

    @property
    def right(self) -> bool:
        """Same shape and values as expected, and whole numbers where whole numbers are expected."""
        expected, got = numbers(self.expected), numbers(self.got)
        return got is not None and same(expected, got) and (expected.dtype.kind == "f" or got.dtype.kind in "iu")


class Mistake:
    """Wrong answers that learners are known to give: the mistake's name, what to do, and functions that make it."""

    def __init__(self, name: str, advice: str, *answers: Callable):
        self.name, self.advice, self.answers = name, advice, answers

    def explains(self, attempts: Sequence[Attempt]) -> bool:
        """Whether one of the functions gives the learner's answers in all cases."""
        return any(
            all(same(numbers(answer(*_copies(a.given))), numbers(a.got)) for a in attempts) for answer in self.answers
        )


def compare(
    exercise: str,
    function: Callable,
    reference: Callable,
    cases: Sequence[dict[str, Any]],
    mistakes: Sequence[Mistake] = (),
    *,
    reveal: bool = True,
) -> Verdict:
    """Call the learner's function and the right one with every case, and say what is wrong with the first that differs.

    Arguments are passed by position, as copies; torch's random state is afterwards as it was. ``reveal=False`` keeps
    the right answer out of the verdict.
    """
    if function is ...:
        return fail(exercise, "not written yet", "Put your answer in the place of the three dots.")
    if not callable(function):
        advice = f"Pass the function itself, without calling it: check_{exercise}({exercise})."
        return fail(exercise, f"{show(function)} is not a function", advice)
    with torch.random.fork_rng(devices=[]):
        attempts = [_attempt(function, case, reference(*_copies(case))) for case in cases]
    return _judge(exercise, attempts, mistakes, reveal)


def compare_tables(exercise: str, table: dict, right: dict, mistakes: list[Mistake]) -> Verdict:
    """The learner's dict as a function of the layer's name."""
    if table is not ... and not isinstance(table, dict):
        return fail(exercise, "not a table", f"Pass a dict with the keys {', '.join(right)}.")
    if table is not ... and (unknown := [name for name in table if name not in right]):
        return fail(exercise, "unknown layer", f"{unknown[0]!r} is no layer; the layers are {', '.join(right)}.")
    look_up = table if table is ... else lambda layer: table.get(layer, ...)
    return compare(exercise, look_up, right.get, cases("layer", *[(name,) for name in right]), mistakes, reveal=False)


def fail(exercise: str, mistake: str, advice: str, **case: Any) -> Verdict:
    """A verdict on a wrong answer; ``case`` may have given, expected and got."""
    return Verdict(exercise, False, f"{mistake}. {advice}", mistake, **case)


def cases(names: str, *rows: tuple) -> list[dict[str, Any]]:
    """Arguments by name, a dict a case: cases("size stride", (7, 1), (7, 2))."""
    return [dict(zip(names.split(), row, strict=True)) for row in rows]


def whole_numbers(seed: int, *shape: int) -> torch.Tensor:
    """A float tensor of whole numbers from -9 to 9: sums are exact and the learner can follow them."""
    return torch.from_numpy(np.random.default_rng(seed).integers(-9, 10, shape)).float()


def same(expected: np.ndarray, got: np.ndarray) -> bool:
    """Equal shapes, and values equal to within the rounding of float32; NaN equals nothing."""
    return expected.shape == got.shape and np.allclose(expected, got, rtol=1e-4, atol=1e-4)


def _attempt(function: Callable, given: dict[str, Any], expected: Any) -> Attempt:
    """Call the function once with copies of the arguments; an exception becomes a line of text."""
    arguments = _copies(given)
    try:
        got = function(*arguments)
    except Exception as error:
        return Attempt(given, expected, error=_one_line(error))
    changed = [name for name, now in zip(given, arguments, strict=True) if not _equal(given[name], now)]
    return Attempt(given, expected, got, changed=", ".join(changed))


def _judge(exercise: str, attempts: Sequence[Attempt], mistakes: Sequence[Mistake], reveal: bool) -> Verdict:
    """What kept the function from answering, else a mistake with a name, else what differs, shown on the first case."""
    if all(a.got is ... for a in attempts):
        return fail(exercise, "not written yet", "Put your code in the place of the three dots.")
    for a in attempts:
        if fault := _fault(a):
            return fail(exercise, *fault, given=a.given)
    wrong = [a for a in attempts if not a.right]
    if not wrong:
        return Verdict(exercise, True, f"right in all {len(attempts)} cases.")
    finding = _known(attempts, mistakes) or _difference(wrong[0], attempts)
    expected = wrong[0].expected if reveal else None
    return fail(exercise, *finding, given=wrong[0].given, expected=expected, got=wrong[0].got)


def _fault(attempt: Attempt) -> tuple[str, str] | None:
    """What makes an answer no answer."""
    if attempt.error:
        return "raised an exception", attempt.error
    if attempt.got is ...:
        return "not written yet", "This case still comes to three dots."
    if attempt.got is None:
        return "returned nothing", "Does every way through the function end with return?"
    if attempt.changed:
        return "changes its input", f"Work on a copy of {attempt.changed}, or write into a new one."
    return None


def _known(attempts: Sequence[Attempt], mistakes: Sequence[Mistake]) -> tuple[str, str] | None:
    """The known mistake that gives the learner's answers."""
    answers = [numbers(a.got) for a in attempts]
    if any(answer is None for answer in answers):
        return None
    if not any(answer.any() for answer in answers):
        return "all zeros", "Is nothing written into the answer, or does a condition never hold?"
    return next(((m.name, m.advice) for m in mistakes if m.explains(attempts)), None)


def _difference(first: Attempt, attempts: Sequence[Attempt]) -> tuple[str, str]:
    """Words for a mistake without a name: the type, the shape or the values."""
    expected, got = numbers(first.expected), numbers(first.got)
    if got is None:
        return "wrong type", f"Numbers are expected, not {show(first.got)}."
    if got.shape != expected.shape:
        return "wrong shape", f"The shape is {got.shape}, expected {expected.shape}; {_share(attempts)}."
    if same(expected, got):
        return "wrong type", f"{show(first.got)} is no whole number to Python; divide with //, or use int()."
    return "wrong values", f"{_share(attempts)}."


def _share(attempts: Sequence[Attempt]) -> str:
    """How many cases are right, and each argument that has one value with which all are, and no other such value."""
    clues = [f"{sum(a.right for a in attempts)} of {len(attempts)} cases are right"]
    for name, value in attempts[0].given.items():
        if isinstance(value, int | str):
            values = [a.given[name] for a in attempts]
            good = set(values) - {a.given[name] for a in attempts if not a.right}
            if len(good) == 1 and values.count(*good) > 1:
                clues.append(f"all of them where {name} is {show(*good)}")
    return ", ".join(clues)


def _copies(given: dict[str, Any]) -> list[Any]:
    return copy.deepcopy(list(given.values()))


def _equal(before: Any, after: Any) -> bool:
    """Whether an argument is what it was; only arrays and lists can have changed."""
    if isinstance(before, np.ndarray | torch.Tensor):
        return before.shape == after.shape and bool((before == after).all())
    return before == after if isinstance(before, list) else True


def _one_line(error: Exception) -> str:
    """'IndexError: index 5 is out of bounds, at: total += image[i]' instead of a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.line for frame in frames if frame.line and not frame.filename.startswith(NOT_THE_LEARNERS)]
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return f"{text}, at: {lines[-1]}" if lines else text
