"""What all tests share: time enough on two busy cores."""

import hypothesis

hypothesis.settings.register_profile("cnnviz", deadline=None)  # a busy core is not a failure
hypothesis.settings.load_profile("cnnviz")


def pytest_itemcollected(item):
    """Let nbval wait 60 s for the messages of a cell that has run; its own 5 s are too few on a busy machine."""
    if hasattr(item, "output_timeout"):
        item.output_timeout = 60
