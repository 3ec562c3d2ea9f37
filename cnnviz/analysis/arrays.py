"""A dataclass of arrays as a file, and read back."""

import json
import os
import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np

from cnnviz.files import whole_file

DAMAGED = (
    zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, NotImplementedError, ValueError, LookupError, TypeError,
    EOFError, OSError,
)  # fmt: skip


def save_arrays(found, path: str | os.PathLike) -> Path:
    """Write a dataclass of arrays, numbers and perhaps `metadata` as one npz file, whole or not at all."""
    arrays = dict(vars(found))
    if "metadata" in arrays:
        arrays["metadata"] = json.dumps(dict(arrays["metadata"]))
    with whole_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return Path(path)


def load_arrays(cls: type, path: str | os.PathLike, what: str):
    """Return the dataclass that `save_arrays` wrote; nothing in the file is executed.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged or something else; the message says that it should be `what`.
    """
    with open(path, "rb") as opened:
        try:
            with np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] if file[name].ndim else file[name].item() for name in file.files}
            if "metadata" in arrays:
                arrays["metadata"] = json.loads(arrays["metadata"])
            return cls(**arrays)
        except DAMAGED as error:
            raise ValueError(f"{path} holds no {what} ({error or type(error).__name__}); move or delete it") from None


def metadata_of(path: str | os.PathLike) -> dict:
    """Return the metadata of a file that `save_arrays` wrote, and no array; empty where it has none.

    Raises:
        FileNotFoundError, ValueError: as for `load_arrays`.
    """
    with open(path, "rb") as opened:
        try:
            with np.load(opened, allow_pickle=False) as file:
                return json.loads(file["metadata"].item()) if "metadata" in file.files else {}
        except DAMAGED as error:
            raise ValueError(f"{path} cannot be read ({error or type(error).__name__}); move or delete it") from None
