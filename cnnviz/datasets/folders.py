"""Where data lies on this machine."""

import os
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "data"  # of the checkout


def data_folders() -> list[Path]:
    """Return the folders that are searched, in this order: $CNNVIZ_DATA where it is set, then data/ of the checkout.

    Raises:
        ValueError: $CNNVIZ_DATA begins with the ~ of somebody who has no home here.
    """
    chosen = os.environ.get("CNNVIZ_DATA")
    try:
        return [Path(chosen).expanduser(), DATA] if chosen else [DATA]
    except RuntimeError as error:
        raise ValueError(f"CNNVIZ_DATA (={chosen!r}) names no folder: {error}") from None
