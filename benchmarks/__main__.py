"""Run every benchmark, or those named, and print one table; exit with 1 if a target was missed."""

import importlib
import pkgutil
import sys

import benchmarks
from benchmarks.row import line

ALL = sorted(found.name for found in pkgutil.iter_modules(benchmarks.__path__) if found.name not in ("__main__", "row"))


def main(names: list[str]) -> int:
    """Run `names` (all if there are none) one after the other."""
    unknown = set(names) - set(ALL)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    print(line("what", "ours", "baseline", "ratio", "target", "met"))
    met = True
    for name in names or ALL:
        for row in importlib.import_module(f"benchmarks.{name}").measure():
            print(row, flush=True)
            met = met and row.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
