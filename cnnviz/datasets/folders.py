"""Where data lies on this machine."""

import os
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "data"  # of the checkout


def data_folders() -> list[Path]:
    """Return the folders that are searched, in this order: $CNNVIZ_DATA where it is set, then data/ of the checkout."""
    chosen = os.environ.get("CNNVIZ_DATA")
    return [Path(chosen).expanduser(), DATA] if chosen else [DATA]
