"""The path lengths and lesions that the experiment measured (data/results), network by network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnviz.analysis.lesion import LesionStudy
from cnnviz.analysis.measured_parts import measured_parts
from cnnviz.analysis.path_lengths import band
from cnnviz.analysis.residual_paths import PathLengthProfile, PathSample, mean_length
from cnnviz.datasets.reference import RESULTS

EXPERIMENT = "residual_paths"
VEIT = "resnet110, pre-activated"  # the network of Veit et al., 54 blocks


@dataclass(frozen=True, eq=False)
class PathStudy:
    """Path lengths and lesions of several networks, at one scale. Jupyter shows it as a table."""

    scale: str  # full or reduced
    profiles: dict[str, dict[int, PathLengthProfile]]  # network -> epoch -> exact profile
    samples: dict[str, dict[int, PathSample]]  # network -> epoch -> Veit's estimate
    lesions: dict[str, LesionStudy]  # network -> lesions after training
    trained: dict[str, dict]  # network -> its training, as `measured` gives it

    @property
    def command(self) -> str:
        """What measures what is missing."""
        return f"python -m cnnviz.training {EXPERIMENT} --scale {self.scale}"

    @property
    def provenance(self) -> str:
        """Images, passes, hardware and date, and how many networks are missing."""
        cells = list(self.trained.values())
        planned = cells[0]["cells_planned"]
        part = f"; partial: {planned - len(cells)} of {planned} networks are not measured yet"
        return (
            f"{cells[0]['dataset']}, {cells[0]['train_images']:,} training images, {cells[0]['recipe']['epochs']} "
            f"passes, seed {', '.join(sorted({str(cell['seed']) for cell in cells}))}, "
            f"{', '.join(sorted({cell['hardware'] for cell in cells}))}, {max(cell['date'] for cell in cells)}"
            f"{part if len(cells) < planned else ''}"
        )

    def passes(self, network: str) -> int:
        """Return the epochs of a network's whole training."""
        return self.trained[network]["recipe"]["epochs"]

    def share(self, network: str, low: int, high: int, epoch: int | None = None) -> dict[str, float]:
        """Return what lengths low to high are of all paths, of Veit's product, of the exact norms and of the gradient.

        Args:
            network: one of `profiles`.
            low, high: path lengths in blocks, both included.
            epoch: one of `profiles[network]`; None: the last.

        Returns:
            Fractions by name: "paths", "product" (where a sample was measured), "exact", "signed".
        """
        epoch = max(self.profiles[network]) if epoch is None else epoch
        profile, sample = self.profiles[network][epoch], self.samples.get(network, {}).get(epoch)
        fractions = {"paths": profile.paths / profile.paths.sum()}
        if sample is not None:
            fractions["product"] = sample.product
        fractions |= {"exact": profile.exact, "signed": profile.signed}
        return {name: float(values[low : high + 1].sum()) for name, values in fractions.items()}

    def describe(self) -> str:
        """Say for every network how long the paths are that carry its gradient, at first and after training."""
        if not self.trained:
            return f"Residual paths, {self.scale} scale: not measured yet. Measure them: {self.command}"
        rows = {network: zip(WORDS, self._row(network), strict=True) for network in self.trained}
        lines = [f"{name}: {', '.join(f'{word} {text}' for word, text in row)}." for name, row in rows.items()]
        return " ".join([f"Residual paths, {self.scale} scale, {self.provenance}.", *lines])

    def __repr__(self) -> str:
        return self.describe()

    def _repr_markdown_(self) -> str:
        if not self.trained:
            return f"**Residual paths, {self.scale} scale**: not measured yet. Measure them: `{self.command}`"
        rows = [f"| {' | '.join([network, *self._row(network)])} |" for network in self.trained]
        head = f"| network | {' | '.join(WORDS)} |\n| --- |{' --- |' * len(WORDS)}"
        return "\n".join([f"**Residual paths, {self.scale} scale**: {self.provenance}\n", head, *rows])

    def _row(self, network: str) -> list[str]:
        final = self.trained[network]["final"]
        profiles, samples = self.profiles.get(network, {}), self.samples.get(network, {})
        passes = self.passes(network)
        first, last = profiles.get(0), profiles.get(passes)
        sample, lesion = samples.get(passes), self.lesions.get(network)
        return [
            f"{final['train_error']:.1%}",
            f"{final['test_error']:.1%}",
            _or_none(first, lambda one: lengths_in_words(one.exact)),
            _or_none(last, lambda one: lengths_in_words(one.exact)),
            _or_none(sample, lambda one: lengths_in_words(one.product)),
            _or_none(lesion, lambda one: f"{one.error:.1%}, then {np.nanmedian(one.single):.1%}"),
        ]


WORDS = (
    "training error", "test error", "mean path length (95 %), untrained", "trained", "Veit's product",
    "error, then without one block (median)",
)  # fmt: skip


def path_study(scale: str | None = None, folder: Path = RESULTS) -> PathStudy:
    """Return what was measured of path lengths and lesions, never two scales together.

    Args:
        scale: full or reduced; None: full where anything of it is measured, else reduced.
        folder: of the results.
    """
    scale, trained, files = measured_parts(EXPERIMENT, scale, folder)
    profiles = {network: _by_epoch(parts, "profile", PathLengthProfile) for network, parts in files.items()}
    samples = {network: _by_epoch(parts, "sample", PathSample) for network, parts in files.items()}
    lesions = {network: LesionStudy.load(parts["lesions"]) for network, parts in files.items() if "lesions" in parts}
    return PathStudy(
        scale,
        {network: found for network, found in profiles.items() if found},
        {network: found for network, found in samples.items() if found},
        lesions,
        trained,
    )


def lengths_in_words(fractions: np.ndarray) -> str:
    """Return the mean length and the band that holds 95 %: "6.4 (2 to 11)"."""
    low, high = band(fractions)
    return f"{mean_length(fractions):.1f} ({low} to {high})"


def _by_epoch(parts: dict[str, Path], kind: str, cls: type) -> dict:
    found = {int(part.split()[1]): file for part, file in parts.items() if part.startswith(f"{kind} ")}
    return {epoch: cls.load(found[epoch]) for epoch in sorted(found)}


def _or_none(value, words: Callable) -> str:
    return "" if value is None else words(value)
