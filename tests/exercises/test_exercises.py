"""What holds for every exercise: its solution passes, its starter is not written yet, its mistakes are told apart."""

import importlib
import inspect
import re
import subprocess
import sys

import numpy as np
import pytest
import torch

import cnnviz.exercises
from cnnviz.exercises import check

from .solutions import CHAPTERS, HINTS, STARTERS, run, source

EXERCISES = [(chapter, name) for chapter, names in CHAPTERS.items() for name in names]
FUNCTIONS = [(chapter, name) for chapter, name in EXERCISES if source(name).startswith("def ")]
every_exercise = pytest.mark.parametrize(("chapter", "name"), EXERCISES)
every_function = pytest.mark.parametrize(("chapter", "name"), FUNCTIONS)


def check_of(chapter, name):
    return getattr(importlib.import_module(f"cnnviz.exercises.{chapter}"), f"check_{name}")


@every_exercise
def test_the_solution_passes(chapter, name):
    verdict = check_of(chapter, name)(run(name, source(name)))
    assert verdict.message.startswith("right in all")
    assert verdict.passed


@every_exercise
def test_the_untouched_starter_is_not_written_yet(chapter, name):
    assert check_of(chapter, name)(run(name, STARTERS[name])).mistake == "not written yet"


@every_exercise
def test_the_docstring_says_how_hard_and_how_long(chapter, name):
    assert re.search(r"Difficulty [1-4] of 5, \d+ minutes\.", inspect.getdoc(check_of(chapter, name)))


@every_exercise
def test_there_is_a_hint_that_is_not_the_solution(chapter, name):
    assert 20 < len(HINTS[name]) < 300
    assert source(name) not in HINTS[name]


@every_exercise
def test_three_dots_are_not_written_yet(chapter, name):
    assert check_of(chapter, name)(...).mistake == "not written yet"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_check_of_a_chapter_has_its_solution_here(chapter):
    module = importlib.import_module(f"cnnviz.exercises.{chapter}")
    checks = [name.removeprefix("check_") for name in vars(module) if name.startswith("check_")]
    assert checks == CHAPTERS[chapter]
    assert f"``{chapter}``" in cnnviz.exercises.__doc__


def as_zeros(answer):
    return type(answer)(0 for _ in answer) if isinstance(answer, tuple) else answer * 0


@every_function
def test_all_zeros_are_told_as_such(chapter, name):
    solution = run(name, source(name))
    assert check_of(chapter, name)(lambda *given: as_zeros(solution(*given))).mistake == "all zeros"


@every_function
def test_a_missing_return_is_told_as_such(chapter, name):
    assert check_of(chapter, name)(lambda *given: None).mistake == "returned nothing"


@every_function
def test_an_exception_is_told_with_its_case(chapter, name):
    def divides(*given):
        return 1 / 0

    verdict = check_of(chapter, name)(divides)
    assert verdict.message == "raised an exception. ZeroDivisionError: division by zero, at: return 1 / 0"
    assert list(verdict.given) == list(inspect.signature(run(name, source(name))).parameters)


@every_function
def test_text_is_the_wrong_type(chapter, name):
    assert check_of(chapter, name)(lambda *given: "answer").mistake == "wrong type"


@every_function
def test_changing_an_array_that_was_passed_in_is_told_as_such(chapter, name):
    solution = run(name, source(name))
    changed = set()

    def changes(*given):
        answer = solution(*given)
        for value in given:
            if isinstance(value, np.ndarray | torch.Tensor):
                value[...] = value + 1
                changed.add("changes its input")
        return answer

    verdict = check_of(chapter, name)(changes)
    assert verdict.mistake == "".join(changed)


def known(chapter, name, monkeypatch):
    """The cases, the right answer and the mistakes that a check works with."""
    used = {}
    real = check.compare

    def spy(exercise, function, reference, cases, mistakes=(), **options):
        used.update(cases=cases, reference=reference, mistakes=mistakes, options=options)
        return real(exercise, function, reference, cases, mistakes, **options)

    for module in ("check", "modules", chapter):
        monkeypatch.setattr(f"cnnviz.exercises.{module}.compare", spy)
    check_of(chapter, name)(run(name, source(name)))
    monkeypatch.undo()
    return used


@every_exercise
def test_every_known_mistake_is_told_from_every_other(chapter, name, monkeypatch):
    used = known(chapter, name, monkeypatch)
    for mistake in used["mistakes"]:
        for answer in mistake.answers:
            verdict = check.compare(name, answer, used["reference"], used["cases"], used["mistakes"])
            assert verdict.mistake == mistake.name
            assert verdict.message == f"{mistake.name}. {mistake.advice}"


@every_exercise
def test_every_known_mistake_is_made_by_a_wrong_answer_of_these_tests(chapter, name, monkeypatch):
    wrong = importlib.import_module(f".test_{chapter}", __package__)
    text = inspect.getsource(wrong)
    made = {mistake for exercise, mistake, *_ in wrong.WRONG if exercise == name}
    for mistake in known(chapter, name, monkeypatch)["mistakes"]:
        assert mistake.name in made or f'mistake == "{mistake.name}"' in text


@every_exercise
def test_a_check_leaves_the_learners_random_numbers_alone(chapter, name):
    answer = run(name, source(name))
    torch.manual_seed(1)
    np.random.seed(1)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(1)
    np.random.seed(1)
    check_of(chapter, name)(answer)
    assert torch.equal(torch.rand(3), expected[0])
    assert (np.random.rand(3) == expected[1]).all()


def test_importing_the_package_of_exercises_imports_nothing_heavy():
    code = "import sys, cnnviz.exercises; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
