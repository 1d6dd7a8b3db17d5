"""Files that are replaced whole: whoever reads one finds the old or the new, after a crash too."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["put", "replace"]


def replace(path: Path, data: bytes) -> None:
    """Write a file that only its owner may read; a link stays one.

    Raises:
      OSError: It can't be written; what was there stays, and nothing else is left.
    """
    path = Path(os.path.realpath(path))
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    beside = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
            file.write(data)
        put(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def put(beside: Path, path: Path) -> None:
    """Let a file in the same folder take the place of ``path``, once all of it is on the disk.

    Raises:
      OSError: It can't; both are as they were.
    """
    with beside.open("r+b") as file:
        os.fsync(file.fileno())
    beside.replace(path)
    # Not every system and folder can be synced; the file is in its place all the same.
    with contextlib.suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
