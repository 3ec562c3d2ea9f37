"""Files that appear whole or not at all."""

import os
import platform
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from cnnviz.files import whole_file
from tests.processes import start

NAME = "a [b] c.txt"  # a folder's listing must not take the brackets for a pattern


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")
def test_what_a_killed_process_left_is_deleted_by_the_next_that_writes_there(tmp_path):
    path = tmp_path / NAME

    def killed():
        with whole_file(path) as partial:
            partial.write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(start(killed), 0)
    assert len(list(tmp_path.iterdir())) == 1
    assert not path.exists()
    with whole_file(path) as partial:
        partial.write_text("whole")
    assert [one.name for one in tmp_path.iterdir()] == [NAME]
    assert path.read_text() == "whole"


def test_what_a_process_that_is_still_running_writes_is_left_alone(tmp_path):
    path = tmp_path / NAME
    with whole_file(path) as partial:
        of_another = partial.with_name(partial.name.replace(str(os.getpid()), str(os.getppid())))
        of_another.write_text("half")
        on_another_machine = partial.with_name(".a [b] c.elsewhere.1.partial.txt")
        on_another_machine.write_text("half")
        not_ours = partial.with_name(partial.name.replace(str(os.getpid()), "mine"))
        not_ours.write_text("half")
        partial.write_text("whole")
    with whole_file(path) as partial:
        partial.write_text("again")
    assert {one.name for one in tmp_path.iterdir()} == {NAME, of_another.name, on_another_machine.name, not_ours.name}


def test_what_was_left_on_another_machine_stays_though_no_process_here_has_its_number(tmp_path, monkeypatch):
    path = tmp_path / NAME
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with monkeypatch.context() as patch:
        patch.setattr(platform, "node", lambda: "elsewhere")
        patch.setattr(os, "getpid", lambda: ended.pid)
        with whole_file(path) as partial:
            left = tmp_path / partial.name
            content = b"half"
    left.write_bytes(content)
    with whole_file(path) as partial:
        assert partial.name != left.name
    assert left.read_bytes() == content


def test_two_files_can_be_written_at_once(tmp_path):
    names = "one.npz", "two.npz", "one.json"
    with ExitStack() as stack:
        partials = [stack.enter_context(whole_file(tmp_path / name)) for name in names]
        for name, partial in zip(names, partials, strict=True):
            assert partial.suffix == Path(name).suffix  # numpy, for one, adds its own to a name without
            partial.write_text(name)
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {name: name for name in names}


def test_a_folder_that_is_missing_is_named(tmp_path):
    with (
        pytest.raises(OSError, match=r"cannot write a \[b\] c.txt into .*missing .*choose another folder"),
        whole_file(tmp_path / "missing" / NAME),
    ):
        pass


@pytest.mark.parametrize("problem", [ValueError, KeyboardInterrupt])
def test_a_write_that_does_not_end_leaves_what_was_there_and_nothing_else(tmp_path, problem):
    path = tmp_path / NAME
    path.write_text("before")

    def write():
        with whole_file(path) as partial:
            partial.write_text("half")
            raise problem

    with pytest.raises(problem):
        write()
    assert [one.name for one in tmp_path.iterdir()] == [NAME]
    assert path.read_text() == "before"


def test_the_question_whether_a_process_runs_costs_an_import_only_when_it_is_asked():
    said = subprocess.run(
        [sys.executable, "-c", "import sys, cnnviz.files; print('psutil' in sys.modules)"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert said.stdout == "False\n"
