"""The surfaces that the experiment measured (data/results), network by network and plane by plane."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cnnviz.analysis.loss_surface import LossSurface
from cnnviz.analysis.measured_parts import measured_parts
from cnnviz.analysis.slice import BN
from cnnviz.analysis.trajectory import Trajectory
from cnnviz.datasets.reference import RESULTS

EXPERIMENT = "loss_surfaces"
PATH = "path"  # the plane in which training moves most; all others are random
BATCH = "batch statistics"  # ends the name of a random plane that was drawn with them; the others have frozen ones


@dataclass(frozen=True, eq=False)
class Landscape:
    """Loss surfaces of several networks, at one scale. Jupyter shows it as a table."""

    scale: str  # full or reduced
    surfaces: dict[str, dict[str, LossSurface]]  # network -> plane ("seed 0", "path", ...) -> surface
    paths: dict[str, dict[str, Trajectory]]  # likewise: the path of training over that plane
    trained: dict[str, dict]  # network -> its training, as `measured` gives it
    planned: int  # surfaces of the whole experiment

    def random(self, network: str, bn: str = "frozen") -> list[LossSurface]:
        """Return the surfaces of a network in its random planes, with frozen statistics or those of the "batch"."""
        planes = self.surfaces.get(network, {}).items()
        return [surface for plane, surface in planes if plane != PATH and surface.metadata["bn"] == bn]

    def describe(self) -> str:
        """Say what was measured, and of every network how large its basin is, how many minima and how rough."""
        if not self.surfaces:
            return f"Loss surfaces, {self.scale} scale: not measured yet. Measure them: {self.command}"
        words = ("training error", "planes", "median on the rim", f"with {BATCH}", "below ln 10", "local minima",
                 "not convex")  # fmt: skip
        rows = {network: zip(words, self._row(network), strict=True) for network in self.surfaces}
        lines = [f"{name}: {', '.join(f'{word} {text}' for word, text in row)}." for name, row in rows.items()]
        return " ".join([f"Loss surfaces, {self.scale} scale, {self.provenance}.", *lines])

    @property
    def provenance(self) -> str:
        """Images, grid, hardware and date, and that it is a part where surfaces are missing."""
        found = [surface for planes in self.surfaces.values() for surface in planes.values()]
        drawn = [surface for network in self.surfaces for surface in self.random(network)] or found
        about = drawn[0].metadata
        grid = " x ".join(map(str, drawn[0].loss.shape))
        part = f"; partial: {self.planned - len(found)} of {self.planned} are not measured yet"
        return (
            f"{about['dataset']}, {about['images']:,} training images, {grid} points, "
            f"{', '.join(sorted({one.metadata['hardware'] for one in found}))}, "
            f"{max(one.metadata['date'] for one in found)}{part if len(found) < self.planned else ''}"
        )

    @property
    def command(self) -> str:
        """What measures the missing surfaces."""
        return f"python -m cnnviz.training {EXPERIMENT} --scale {self.scale}"

    def __repr__(self) -> str:
        return self.describe()

    def _repr_markdown_(self) -> str:
        if not self.surfaces:
            return f"**Loss surfaces, {self.scale} scale**: not measured yet. Measure them: `{self.command}`"
        rows = [f"| {' | '.join([network, *self._row(network)])} |" for network in self.surfaces]
        head = (
            f"| network | training error | planes | median loss on the rim | the same with {BATCH} "
            "| loss below ln 10 | local minima | not convex |\n"
            "| --- | --- | --- | --- | --- | --- | --- | --- |"
        )
        return "\n".join([f"**Loss surfaces, {self.scale} scale**: {self.provenance}\n", head, *rows])

    def _row(self, network: str) -> list[str]:
        """Return training error, random planes, rims, basin, minima and roughness in words: means and ranges."""
        found, final = self.random(network), self.trained[network]["final"]
        return [
            f"{final['train_error']:.1%}",
            f"{len(found)} random",
            *(_spread([float(np.median(one.rim())) for one in self.random(network, bn)], _loss) for bn in BN),
            _spread([surface.basin_area() for surface in found], "{:.1%}".format),
            _spread([len(surface.local_minima()) for surface in found], "{:.3g}".format),
            _spread([surface.nonconvex_share() for surface in found], "{:.1%}".format),
        ]


def landscape(scale: str | None = None, folder: Path = RESULTS) -> Landscape:
    """Return the measured surfaces, never two scales together.

    Args:
        scale: full or reduced; None: full where any surface of it is measured, else reduced.
        folder: of the results.
    """
    scale, cells, files = measured_parts(EXPERIMENT, scale, folder)
    surfaces = {
        network: {plane: LossSurface.load(file) for plane, file in planes.items()} for network, planes in files.items()
    }
    paths = {
        network: {
            plane: Trajectory.load(file.with_name(f"{file.stem}-trajectory.npz")) for plane, file in planes.items()
        }
        for network, planes in files.items()
    }
    first = next(iter(cells.values()), None)
    planned = first["cells_planned"] * (2 + len(first["surface"]["seeds"])) if first else 0
    return Landscape(scale, surfaces, paths, cells, planned)


def _loss(value: float) -> str:
    """Return three digits of a small loss and all before the point of a large one."""
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _spread(values: list[float], words: Callable[[float], str]) -> str:
    """Return the mean, and the range where there are several."""
    if not values:
        return "not measured yet"
    spread = f" ({words(min(values))} to {words(max(values))})" if len(values) > 1 else ""
    return f"{words(float(np.mean(values)))}{spread}"
