"""The files that an experiment wrote beside its table (data/results): what was measured of each trained network."""

import warnings
from pathlib import Path

from cnnviz.analysis.arrays import metadata_of
from cnnviz.analysis.experiment import SCALES
from cnnviz.datasets.reference import measured

RESULT = ("hardware", "torch", "final")  # of a row of the table: a part says them of the training that it followed


def measured_parts(
    experiment: str, scale: str | None, folder: Path
) -> tuple[str, dict[str, dict], dict[str, dict[str, Path]]]:
    """Return the scale, the networks' training, and the files by network and part; never two scales together.

    A file of another training than the table has is left out, with a warning: it is to be measured again.

    Args:
        scale: full or reduced; None: full where any part of it is measured, else reduced.

    Raises:
        ValueError: another scale, or a file that does not say of what it is, or of a network that is not in the table.
    """
    if scale not in (None, *SCALES):
        raise ValueError(f"scale (={scale!r}) must be one of {', '.join(SCALES)}, or None")
    for one in SCALES if scale is None else (scale,):
        files = sorted(folder.glob(f"{experiment}-{one}-*.npz"))
        if files:
            break
    table = f"{experiment}-{one}.json"
    trained = {cell["variant"]: cell for cell in measured(experiment, one, folder=folder)}
    parts: dict[str, dict[str, Path]] = {network: {} for network in trained}
    for file in files:
        about = metadata_of(file)
        if not about:  # the path of training over a surface belongs to that
            continue
        network, part = about.get("network"), about.get("part") or about.get("plane")
        if network is None or part is None:
            raise ValueError(f"{file} does not say what it is of; move or delete it")
        if network not in trained:
            raise ValueError(f"{file} is of {network}, and {table} has no such network; move or delete it")
        if (about.get("trained") or {}).get("result") != {key: trained[network][key] for key in RESULT}:
            warnings.warn(
                f"{file.name} is of another training of {network} than {table} and is left out; measure it again: "
                f"python -m cnnviz.training {experiment} --scale {one}",
                stacklevel=3,
            )
            continue
        parts[network][part] = file
    return one, trained, {network: found for network, found in parts.items() if found}
