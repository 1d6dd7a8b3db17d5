"""Opening what a user named, or saying in one sentence why not."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from ..errors import ConfigError, MediaError

__all__ = ["open_file", "path_of"]


def path_of(name: str | os.PathLike[str]) -> Path:
    """Return the path that a user gave.

    Raises:
      ConfigError: It isn't one.
    """
    try:
        if name:  # Path("") would be the folder where the program runs
            return Path(name)
    except TypeError:
        pass
    raise ConfigError(f"A file is named by a str or a Path, not by {name!r}.")


def open_file(path: Path) -> BinaryIO:
    """Open an ordinary file that isn't empty.

    Raises:
      MediaError: It isn't there, isn't a file, is empty or can't be read.
    """
    try:
        # Looked at first: opening a FIFO would wait for somebody who writes.
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise MediaError(f"{path} is a folder; name a file.")
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"{path} is not an ordinary file, so it can't be read.")
        if not status.st_size:
            raise MediaError(f"{path} is empty: 0 bytes.")
        return path.open("rb")
    except FileNotFoundError:
        raise MediaError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise MediaError(f"Can't read {path}: {reason}.") from None
