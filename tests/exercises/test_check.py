"""How answers are checked: what a verdict says, and what no check may do to the learner's things."""

import dataclasses

import numpy as np
import pytest
import torch

from cnnviz.exercises.check import Mistake, cases, compare
from cnnviz.exercises.verdict import Verdict, numbers, show


def double(x):
    """The right answer of the exercise that these tests ask."""
    return 2 * x


NUMBERS = cases("x y", (1, 0), (2, 0), (3, 1), (4, 1))


def check(function, **options):
    mistakes = [Mistake("halved", "Multiply.", lambda x, y: x / 2), Mistake("squared", "Times 2.", lambda x, y: x**2)]
    return compare("doubled", function, lambda x, y: 2 * x, NUMBERS, mistakes, **options)


def test_a_right_answer_passes():
    verdict = check(lambda x, y: x + x)
    assert verdict.passed
    assert verdict
    assert str(verdict) == "✓ doubled: right in all 4 cases."


def test_a_verdict_shows_the_mistake_and_the_first_case_that_fails():
    verdict = check(lambda x, y: x * x)
    assert not verdict
    assert str(verdict) == ("✗ doubled: squared. Times 2.\n  given     x = 1, y = 0\n  expected  2\n  got       1")
    assert (verdict.mistake, verdict.given, verdict.expected, verdict.got) == ("squared", {"x": 1, "y": 0}, 2, 1)


def test_a_known_mistake_must_explain_every_case():
    assert check(lambda x, y: x**2 if x < 4 else 15).mistake == "wrong values"


def test_where_the_answers_are_right_tells_where_to_look():
    verdict = check(lambda x, y: 2 * x + y)
    assert verdict.message == "wrong values. 2 of 4 cases are right, all of them where y is 0."


def test_the_right_answer_can_be_kept_back():
    assert check(lambda x, y: x, reveal=False).expected is None


def test_a_verdict_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        check(double).passed = True


@pytest.mark.parametrize(
    ("answer", "mistake"),
    [
        (..., "not written yet"),
        (None, "returned nothing"),
        (0, "all zeros"),
        (np.zeros(3), "all zeros"),
        ("2", "wrong type"),
        (True, "wrong type"),
        ({"x": 2}, "wrong type"),
        ([[1, 2], [3]], "wrong type"),
        ([], "wrong type"),
        (2 + 1j, "wrong type"),
        (print, "wrong type"),
        ([2], "wrong shape"),
        (7, "wrong values"),
        (-1.5, "wrong values"),
        (float("nan"), "wrong values"),
        (float("inf"), "wrong values"),
        (10**30, "wrong type"),
    ],
)
def test_whatever_comes_back_gets_a_verdict(answer, mistake):
    verdict = check(lambda x, y: answer)
    assert verdict.mistake == mistake
    assert "0x" not in str(verdict)


def test_a_case_that_still_comes_to_three_dots_is_shown():
    verdict = check(lambda x, y: 2 * x if y == 0 else ...)
    assert (verdict.mistake, verdict.given) == ("not written yet", {"x": 3, "y": 1})


def test_a_case_that_returns_nothing_is_shown():
    assert check(lambda x, y: 2 * x if x < 4 else None).given == {"x": 4, "y": 1}


def test_a_whole_number_is_asked_for_where_the_answer_is_one():
    assert check(lambda x, y: 2.0 * x).message == (
        "wrong type. 2.0 is no whole number to Python; divide with //, or use int()."
    )


@pytest.mark.parametrize("kind", [np.int16, torch.tensor, np.uint8])
def test_a_whole_number_may_be_of_any_kind(kind):
    assert check(lambda x, y: kind(2 * x)).passed


def fails(x, y):
    if x > 2:
        return [x][y]
    return 2 * x


def test_an_exception_becomes_one_line_with_its_case():
    verdict = check(fails)
    assert verdict.message == "raised an exception. IndexError: list index out of range, at: return [x][y]"
    assert verdict.given == {"x": 3, "y": 1}


def test_a_wrong_number_of_parameters_is_an_exception_of_the_learners():
    assert "takes 1 positional argument but 2 were given" in check(double).message


def test_a_long_exception_message_is_one_line():
    def fails(x, y):
        raise ValueError("first\n\n   second")

    assert "ValueError: first second, at: raise" in check(fails).message


def test_an_interrupt_is_not_swallowed():
    def interrupted(x, y):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check(interrupted)


@pytest.mark.parametrize("value", [3, "f", None, [1], np.zeros(2), torch.ones(1)])
def test_what_is_no_function_is_told_so(value):
    verdict = check(value)
    assert verdict.mistake.endswith("is not a function")
    assert "without calling it: check_doubled(doubled)" in verdict.message


def test_three_dots_for_a_function_are_not_written_yet():
    assert check(...).mistake == "not written yet"


@pytest.mark.parametrize("make", [np.array, torch.tensor])
def test_a_function_that_changes_its_input_is_told_so_and_changes_nothing_of_the_checks(make):
    original = make([1.0, 2.0])

    def changes(values):
        values *= 2
        return values

    verdict = compare("doubled", changes, double, cases("values", (original,)))
    assert verdict.message == "changes its input. Work on a copy of values, or write into a new one."
    assert original.tolist() == [1.0, 2.0]
    assert verdict.given["values"].tolist() == [1.0, 2.0]


def test_a_list_that_is_changed_is_told_so():
    def takes_one_out(values):
        values.pop()
        return 2

    verdict = compare("counted", takes_one_out, len, cases("values", ([5, 6],)))
    assert verdict.mistake == "changes its input"
    assert verdict.given == {"values": [5, 6]}


def test_returning_the_input_itself_is_no_change_of_it():
    assert compare("same", lambda x: x, lambda x: x, cases("x", (np.arange(3),))).passed


@pytest.mark.parametrize("fail", [False, True])
def test_torchs_random_numbers_go_on_as_if_nothing_had_been_checked(fail):
    def draws(x, y):
        torch.rand(3)
        return 1 // 0 if fail else 2 * x

    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    check(draws)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (torch.tensor([[19.0, 25.0], [37.0, 43.0]]), "[[19 25]\n [37 43]]"),
        (torch.tensor(0.25), "0.25"),
        (np.float64(3), "3.0"),
        (np.array([0.5, 1e-9, 12.34567]), "[ 0.5     0.     12.3457]"),
        (np.array([np.nan, -np.inf]), "[ nan -inf]"),
        (np.zeros((2, 1, 2)), "[[[0 0]]\n [[0 0]]]"),
        (np.zeros((20, 20)), "an array of shape (20, 20)"),
        ((6, 28, 28), "(6, 28, 28)"),
        (["text"], "a list"),
        (object(), "a object"),
    ],
)
def test_values_are_shown_short_and_the_same_on_every_run(value, text):
    assert show(value) == text


def test_arrays_keep_their_columns_in_a_verdict():
    given = {"image": torch.arange(4.0).view(2, 2), "stride": 2, "mode": "zeros"}
    verdict = Verdict("pool", False, "wrong.", given=given, got=np.array([[1], [2]]))
    assert str(verdict).splitlines() == [
        "✗ pool: wrong.",
        "  given     image = [[0 1]",
        "                     [2 3]]",
        "            stride = 2, mode = 'zeros'",
        "  got       [[1]",
        "             [2]]",
    ]


def test_a_long_message_is_broken_into_lines():
    lines = str(Verdict("pool", False, "word " * 60)).splitlines()
    assert len(lines) == 4
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize(
    "value", [torch.ones(2, requires_grad=True), [torch.tensor(1.0), 1], ((1.0, 1.0)), np.float16([1, 1])]
)
def test_numbers_come_in_many_forms(value):
    assert numbers(value).tolist() == [1, 1]


def test_a_verdict_does_not_depend_on_the_run():
    assert str(check(fails)) == str(check(fails))
