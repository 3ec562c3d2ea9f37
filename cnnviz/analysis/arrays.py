"""Dataclasses of arrays as files, and read back."""

import json
import os
import pickle
import re
import zipfile
import zlib
from pathlib import Path
from typing import Self

import numpy as np

from cnnviz.files import whole_file

DAMAGED = (
    zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, NotImplementedError, ValueError, LookupError, TypeError,
    EOFError, OSError,
)  # fmt: skip


class Stored:
    """A dataclass of arrays, numbers and perhaps `metadata` that an npz file can hold."""

    def save(self, path: str | os.PathLike) -> Path:
        """Write everything as one npz file, whole or not at all."""
        arrays = dict(vars(self))
        if "metadata" in arrays:
            arrays["metadata"] = json.dumps(dict(arrays["metadata"]))
        with whole_file(path) as partial, partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Return what a file holds that `save` wrote; nothing in it is executed.

        Raises:
            FileNotFoundError: there is none.
            ValueError: it is damaged or something else; the message says that, and what it should hold.
        """
        with open(path, "rb") as opened:
            try:
                with np.load(opened, allow_pickle=False) as file:
                    arrays = {name: file[name] if file[name].ndim else file[name].item() for name in file.files}
                if "metadata" in arrays:
                    arrays["metadata"] = json.loads(arrays["metadata"])
                return cls(**arrays)
            except DAMAGED as error:
                what = re.sub("(?<!^)([A-Z])", r" \1", cls.__name__).lower()  # LossSurface: a loss surface
                why = error or type(error).__name__
                raise ValueError(f"{path} holds no {what} ({why}); move or delete it") from None


def metadata_of(path: str | os.PathLike) -> dict:
    """Return the metadata of a file that `Stored.save` wrote, and no array; empty where it has none.

    Raises:
        FileNotFoundError, ValueError: as for `Stored.load`.
    """
    with open(path, "rb") as opened:
        try:
            with np.load(opened, allow_pickle=False) as file:
                return json.loads(file["metadata"].item()) if "metadata" in file.files else {}
        except DAMAGED as error:
            raise ValueError(f"{path} cannot be read ({error or type(error).__name__}); move or delete it") from None
