"""How long `import cnnviz` takes, above what Python itself takes to start."""

import statistics
import subprocess
import sys
import time

from benchmarks.row import Row

ROUNDS = 21


def seconds(code: str) -> float:
    """Return how long a fresh Python takes to run `code`."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def measure() -> list[Row]:
    """Start Python with and without the import in turn, so that a busy moment meets both; compare the medians."""
    pairs = [(seconds("import cnnviz"), seconds("pass")) for _ in range(ROUNDS)]
    ours, empty = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    met = ours - empty < 100
    return [Row("import cnnviz, beside python -c pass", ours, empty, "ms", empty / ours, "under 100 ms more", met)]
