"""What all tests share: the quick profile, time enough on two busy cores, a reason to skip where there is no GPU."""

import os

import hypothesis
import pytest

os.environ.setdefault("CNNVIZ_PROFILE", "quick")  # also for the kernels that run chapters; a GPU waits to be asked
hypothesis.settings.register_profile("cnnviz", deadline=None)  # a busy core is not a failure
hypothesis.settings.load_profile("cnnviz")


def pytest_itemcollected(item):
    """Let nbval wait 60 s for the messages of a cell that has run; its own 5 s are too few on a busy machine."""
    if hasattr(item, "output_timeout"):
        item.output_timeout = 60


def pytest_runtest_setup(item):
    """Skip what is marked gpu on a machine without CUDA."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("needs a CUDA device")
