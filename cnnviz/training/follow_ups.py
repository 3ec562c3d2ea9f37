"""What an experiment measures of its networks once they are trained: surfaces of the loss, lengths of paths."""

from cnnviz.training import path_profiles, surfaces
from cnnviz.training.experiments import Cell
from cnnviz.training.results import Results


def parts(cell: Cell) -> list[str]:
    """Return what is to follow the training of a cell, most important first; each part is a file of its own."""
    return (surfaces.planes(cell) if cell.surface else []) + (path_profiles.parts(cell) if cell.paths else [])


def missing_parts(results: Results, planned: list[Cell]) -> list[tuple[Cell, str]]:
    """Return the cells and parts that have no file yet: the first part of every network, then the next."""
    most = max((len(parts(cell)) for cell in planned), default=0)
    wanted = [(cell, part) for place in range(most) for cell in planned for part in parts(cell)[place : place + 1]]
    return [(cell, part) for cell, part in wanted if not results.has_part(cell, part)]


def compute(results: Results, cell: Cell, part: str, device, deadline: float, accelerator=None):
    """Return one part, and write it.

    Raises:
        ValueError: weights or rows that are kept beside the checkpoints are of another plan.
    """
    measure = surfaces.compute if cell.surface else path_profiles.compute
    return measure(results, cell, part, device, deadline, accelerator)
