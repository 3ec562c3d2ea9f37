"""Files appear whole or not at all."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it to `path` if the block succeeds, delete it if it does not.

    Also after an exception or an interrupt, `path` holds either what it held before or the whole new content. What a
    process that was killed left beside it is deleted by the next one that writes there.

    Raises:
        OSError: the folder is missing or cannot be written, with the folder and what to do in the message.
    """
    path = Path(path)
    partial = _partial(path, str(os.getpid()))
    try:
        _delete_leftovers(path)
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


def _partial(path: Path, process: str) -> Path:
    # With the machine's name: on a shared disk other machines write too, and their process numbers say nothing here.
    return path.with_name(f".{path.stem}.{platform.node()}.{process}.partial{path.suffix}")


def _delete_leftovers(path: Path) -> None:
    for old in path.parent.glob(_partial(Path(escape(path.name)), "*").name):
        import psutil  # here: there is seldom anything to ask it

        process = old.name.removesuffix(f".partial{path.suffix}").rpartition(".")[2]
        if process.isdecimal() and not psutil.pid_exists(int(process)):
            old.unlink(missing_ok=True)
