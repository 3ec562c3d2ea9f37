"""Data sets that are one npz file: found in a data folder, or downloaded once and written there."""

import io
import math
import socket
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from http.client import HTTPException
from pathlib import Path
from time import monotonic

import numpy as np
import torch

from cnnviz.datasets.folders import data_folders
from cnnviz.datasets.image_set import ImageSet
from cnnviz.files import whole_file

KEYS = ("x_train", "y_train", "x_test", "y_test", "class_names")
LAYOUT = "x_train, x_test uint8 [N, H, W] or [N, H, W, 3]; y_train, y_test integers [N]; class_names"
SILENCE = 20  # seconds without a byte after which a download is given up
ADDRESS, CONNECTING = 5, 10  # seconds to connect to one address, and to all of a download's
PAUSE = 60  # seconds after a download without any connection, in which no other is tried
# What NumPy, zipfile and an ImageSet raise for a file that is damaged or something else.
UNREADABLE = (
    OSError, ValueError, TypeError, EOFError, AttributeError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


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
    path = find(name)
    if path is not None:
        return read_npz(path)
    if monotonic() - _Connections.failed_at < PAUSE:
        raise not_found(name, "there was no network a moment ago")
    print(f"Downloading {name} ({megabytes} MB), once.")
    arrays = _fetch(name, download)
    _keep(data_folders()[0] / f"{name}.npz", arrays)
    return _image_set(name, arrays)


def find(name: str) -> Path | None:
    """Return the first `<folder>/<name>.npz` that exists in the data folders."""
    return next((path for folder in data_folders() if (path := folder / f"{name}.npz").exists()), None)


def not_found(name: str, reason: str) -> DatasetNotFoundError:
    """Return the error that says where to put what."""
    return DatasetNotFoundError(
        f"{name} is not on this machine and could not be downloaded ({reason}). Put {name}.npz ({LAYOUT}) "
        f"into {data_folders()[0]}, or set CNNVIZ_DATA to the folder that has it, "
        f'or say load_dataset("{name}", fallback="shapes").'
    )


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
    except UNREADABLE as error:
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


def _fetch(name: str, download: Callable[[Path], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Download into a temporary folder, which is removed whatever happens."""
    try:
        with tempfile.TemporaryDirectory() as folder, _patience_limited(), redirect_stdout(io.StringIO()):
            return download(Path(folder))
    except (OSError, RuntimeError, HTTPException) as error:  # torchvision raises the second for a wrong checksum
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = " ".join(dict.fromkeys((lines[0], lines[-1])))  # what failed, and why
    raise not_found(name, reason) from None


@contextmanager
def _patience_limited() -> Iterator[None]:
    """Give up in time: torchvision sets no limit, and some networks drop packets without a word."""
    silence, connect = socket.getdefaulttimeout(), socket.create_connection
    connections = _Connections(connect)
    socket.setdefaulttimeout(SILENCE)
    socket.create_connection = connections
    try:
        yield
    finally:
        socket.create_connection = connect
        socket.setdefaulttimeout(silence)
        if connections.left <= 0 and not connections.made:
            _Connections.failed_at = monotonic()


class _Connections:
    """In the place of `socket.create_connection`: one limit for all addresses of all mirrors of a download."""

    failed_at = -math.inf  # seconds on the monotonic clock: the last download that made no connection

    def __init__(self, connect: Callable):
        self.connect, self.left, self.made = connect, CONNECTING, 0

    def __call__(self, address: tuple[str, int], *args, **options) -> socket.socket:
        error, deadline = TimeoutError(f"{address[0]} does not answer"), monotonic() + self.left
        try:
            for *_, place in socket.getaddrinfo(*address, type=socket.SOCK_STREAM) if self.left > 0 else ():
                left = deadline - monotonic()
                if left <= 0:
                    break
                try:
                    connection = self.connect(place[:2], timeout=min(ADDRESS, left))
                except OSError as failed:
                    error = failed
                else:
                    connection.settimeout(SILENCE)
                    self.made += 1
                    return connection
        finally:
            self.left = deadline - monotonic()
        raise error


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
