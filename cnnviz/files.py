"""Files appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it to `path` if the block succeeds, delete it if it does not.

    Also after an exception or an interrupt, `path` holds either what it held before or the whole new content.

    Raises:
        OSError: the folder is missing or cannot be written, with the folder and what to do in the message.
    """
    path = Path(path)
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        partial.touch()
    except OSError as error:
        raise OSError(
            f"cannot write {path.name} into {path.parent} ({error.strerror}); "
            "choose another folder, or create it and allow writing"
        ) from None
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
