"""Arrays in a file, read back."""

import os
import pickle
import zipfile
import zlib

import numpy as np

DAMAGED = (
    zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, NotImplementedError, ValueError, LookupError, TypeError,
    EOFError, OSError,
)  # fmt: skip


def read_arrays(path: str | os.PathLike, what: str) -> dict[str, np.ndarray]:
    """Return the arrays of an npz file; nothing in it is executed.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is damaged or no such file; the message says that it should be `what`.
    """
    with open(path, "rb") as opened:
        try:
            with np.load(opened, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except DAMAGED as error:
            raise ValueError(f"{path} holds no {what} ({error or type(error).__name__}); move or delete it") from None
