"""Data sets that are one npz file: found in a data folder, or downloaded once and written there."""

import io
import socket
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch

from cnnviz.datasets.folders import data_folders
from cnnviz.datasets.image_set import ImageSet
from cnnviz.files import whole_file

KEYS = ("x_train", "y_train", "x_test", "y_test", "class_names")
LAYOUT = "x_train, x_test uint8 [N, H, W] or [N, H, W, 3]; y_train, y_test integers [N]; class_names"
SILENCE = 20  # seconds without an answer after which a download is given up


class DatasetNotFoundError(FileNotFoundError):
    """A data set is not on this machine and could not be fetched."""


def stored(name: str, megabytes: int, download: Callable[[Path], dict[str, np.ndarray]]) -> ImageSet:
    """Return the set in `<folder>/<name>.npz` of the first data folder that has it; else download and write it there.

    Args:
        name: of the set and of its file.
        megabytes: size of the download, to be said before it begins.
        download: fetches into an empty folder, checks, and returns the arrays of an npz.

    Raises:
        DatasetNotFoundError: no file and no download; the message says where to put what.
        ValueError: the file is not such an npz; the message names the file and what is wrong with it.
    """
    for folder in data_folders():
        path = folder / f"{name}.npz"
        if path.exists():
            return read_npz(path)
    path = data_folders()[0] / f"{name}.npz"
    print(f"Downloading {name} ({megabytes} MB), once.")
    arrays = _fetch(path, download)
    _keep(path, arrays)
    return _image_set(name, arrays)


def read_npz(path: Path) -> ImageSet:
    """Read one data set, named as its file; nothing in the file is executed (no pickles).

    Raises:
        ValueError: the file is empty, damaged, or does not hold an image set.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:  # np.load leaks a damaged file
            arrays = {key: file[key] for key in KEYS}
        return _image_set(path.stem, arrays)
    except KeyError as error:
        problem = f"it has no {error.args[0].split()[0]}"
    except (OSError, ValueError, TypeError, EOFError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
    raise ValueError(f"{path} is not a data set: {problem}. Delete or replace it; it must hold {LAYOUT}.") from None


def _image_set(name: str, arrays: dict[str, np.ndarray]) -> ImageSet:
    tensors = {part: _as_images(part, arrays[part]) for part in ("x_train", "x_test")}
    tensors |= {part: _as_labels(part, arrays[part]) for part in ("y_train", "y_test")}
    return ImageSet(name=name, class_names=tuple(map(str, arrays["class_names"])), **tensors)


def _as_images(part: str, images: np.ndarray) -> torch.Tensor:
    """Return [N, C, H, W] for [N, H, W] or [N, H, W, 3]; the ImageSet checks the rest."""
    if images.dtype != np.uint8:
        raise TypeError(f"{part} has the type {images.dtype}, not uint8")
    if images.ndim == 3:
        return torch.from_numpy(images[:, None])
    if images.ndim == 4 and images.shape[3] == 3:
        return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
    raise ValueError(f"{part} has the shape {images.shape}, not [N, H, W] or [N, H, W, 3]")


def _as_labels(part: str, labels: np.ndarray) -> torch.Tensor:
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{part} has the type {labels.dtype}, not an integer type")
    return torch.from_numpy(labels.astype(np.int64))


def _fetch(path: Path, download: Callable[[Path], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Download into a temporary folder, which is removed whatever happens."""
    try:
        with tempfile.TemporaryDirectory() as folder, _silence_limited(), redirect_stdout(io.StringIO()):
            return download(Path(folder))
    except (OSError, RuntimeError, HTTPException) as error:  # torchvision raises the second for a wrong checksum
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = " ".join(dict.fromkeys((lines[0], lines[-1])))  # what failed, and why
    raise DatasetNotFoundError(
        f"{path.stem} is not on this machine and could not be downloaded ({reason}). Put {path.name} ({LAYOUT}) "
        f"into {path.parent}, or set CNNVIZ_DATA to the folder that has it, "
        f'or say load_dataset("{path.stem}", fallback="shapes").'
    ) from None


@contextmanager
def _silence_limited() -> Iterator[None]:
    """Give up a connection that says nothing; torchvision sets no limit, and some networks drop packets silently."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _keep(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write the file, whole or not at all; where that fails, say so: the data in memory are good."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as partial:
            np.savez(partial, **arrays)
        print(f"Wrote {path}.")
    except OSError as error:
        print(f"{path.stem} is used from memory and will be downloaded again next time: {error}.")
        print("Set CNNVIZ_DATA to a folder that can be written.")
