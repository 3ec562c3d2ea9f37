"""Work in processes of their own: copies of this one that are killed, and two that share what they do."""

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

# --cpu would launch a single process; without a GPU, --multi_gpu launches two that compute on the processor.
MACHINES = ["--multi_gpu", "--num_processes", "2", "--num_machines", "1", "--main_process_port", "0"]
PLAIN = ["--mixed_precision", "no", "--dynamo_backend", "no"]
LAUNCH = ["-m", "accelerate.commands.launch", *MACHINES, *PLAIN]


def start(work: Callable[[], object]) -> int:
    """Begin `work` in a copy of this process, which needs no time to import anything; return its id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12 about threads: the copy uses none
        child = os.fork()
    if child:
        return child
    try:
        torch.set_num_threads(1)
        work()
        os._exit(0)
    finally:
        os._exit(70)


def kill_at_random_moments(work: Callable[[], object], times: int, until: Callable[[], bool] = lambda: True) -> None:
    """Begin `work` so many times, and on until something is there, and kill each; the first surely before its end."""
    kills = []
    while len(kills) < times or not until():
        child = start(work)
        time.sleep(random.uniform(0, 0.05 + 0.08 * len(kills)))
        os.kill(child, signal.SIGKILL)
        kills.append(os.WIFSIGNALED(os.waitpid(child, 0)[1]))
    assert any(kills)  # a run that was over before is not disturbed


def run_script(script: Path, *, shared: bool) -> str:
    """Run a script in a process of its own, or shared between two; return what it printed."""
    command = [sys.executable, *(LAUNCH if shared else []), script]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
