"""The files that an experiment wrote beside its table (data/results): what was measured of each trained network."""

from pathlib import Path

from cnnviz.analysis.arrays import metadata_of
from cnnviz.analysis.experiment import SCALES
from cnnviz.datasets.reference import measured


def measured_parts(
    experiment: str, scale: str | None, folder: Path
) -> tuple[str, dict[str, dict], dict[str, dict[str, Path]]]:
    """Return the scale, the networks' training, and the files by network and part; never two scales together.

    Args:
        scale: full or reduced; None: full where any part of it is measured, else reduced.

    Raises:
        ValueError: another scale, or a file of a network that the table does not have.
    """
    if scale not in (None, *SCALES):
        raise ValueError(f"scale (={scale!r}) must be one of {', '.join(SCALES)}, or None")
    for one in SCALES if scale is None else (scale,):
        files = sorted(folder.glob(f"{experiment}-{one}-*.npz"))
        if files:
            break
    trained = {cell["variant"]: cell for cell in measured(experiment, one, folder=folder)}
    parts: dict[str, dict[str, Path]] = {network: {} for network in trained}
    for file in files:
        about = metadata_of(file)
        if not about:  # the path of training over a surface belongs to that
            continue
        if about["network"] not in trained:
            raise ValueError(
                f"{file} is of {about['network']}, and {experiment}-{one}.json has no such network; move or delete it"
            )
        parts[about["network"]][about.get("part") or about["plane"]] = file
    return one, trained, {network: found for network, found in parts.items() if found}
