"""One line of the table that `make bench` prints."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measurement beside its baseline, and whether it is as good as it was meant to be.

    Attributes:
        what: what was measured, in words.
        ours: in `unit`.
        baseline: in `unit`, measured in the same run; None where the target is a limit on `ours` alone.
        unit: of `ours` and `baseline`.
        ratio: how many times better than the baseline, or None.
        target: in words, such as "at least 8 times".
        met: whether the target was reached.
    """

    what: str
    ours: float
    baseline: float | None
    unit: str
    ratio: float | None
    target: str
    met: bool

    def __str__(self) -> str:
        baseline = "" if self.baseline is None else f"{self.baseline:.4g} {self.unit}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        ours = f"{self.ours:.4g} {self.unit}"
        return line(self.what, ours, baseline, ratio, self.target, "yes" if self.met else "NO")


def line(what: str, ours: str, baseline: str, ratio: str, target: str, met: str) -> str:
    """Lay six words out as one line of the table."""
    return f"{what:<58} {ours:>16} {baseline:>16} {ratio:>7}  {target:<22} {met}"
