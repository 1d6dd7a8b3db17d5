"""What was typed in earlier runs, in a file that several runs may share.

The file is written as prompt-toolkit writes its own: each entry has a line that begins with ``#``,
and its lines begin with ``+``. An entry is added in one write at the end of the file. Where there
are too many, the next run writes those that stay to a new file and puts that in the old one's
place. Whoever writes holds a lock meanwhile, so what another run adds just then isn't lost.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from prompt_toolkit.history import History

from ._whole import replace

__all__ = ["FileHistory", "history_path"]

VARIABLE: Final = "GEMINI_LIVE_HISTORY"
MOST: Final = 1_000
"""Entries that stay."""
LONGEST: Final = 10_000
"""Characters; a longer entry is remembered for this run only."""
MOST_BYTES: Final = 16 * 2**20
"""Of the file that are read: its end."""

_ENTRY: Final = re.compile(r"(?:^\+[^\n]*\n)+", re.MULTILINE)


def history_path(environment: Mapping[str, str]) -> Path | None:
    """Tell where the history is; ``None`` where there shall be none."""
    path = environment.get(VARIABLE)
    if path is not None:
        return Path(path) if path not in ("", os.devnull) else None
    import platformdirs

    return platformdirs.user_state_path("gemini-live-trio") / "history"


class FileHistory(History):
    """Remembers lines, except those that begin with a blank.

    Args:
      path: The file; ``None`` remembers for this run only.
      complain: Told once why lines are remembered for this run only, where they should be longer.
    """

    def __init__(self, path: Path | None, complain: Callable[[str], None]) -> None:
        super().__init__()
        self._path = None if path is None else Path(os.path.realpath(path))
        self._complain = complain

    def append_string(self, string: str) -> None:
        """Remember a line."""
        if not string[:1].isspace():
            super().append_string(string)

    def load_history_strings(self) -> Iterable[str]:
        """Give what earlier runs have left, the newest first."""
        entries: list[str] = []
        with self._in_file() as path:
            if path is not None and path.exists():
                with _opened(path) as file:
                    size = file.seek(0, os.SEEK_END)
                    file.seek(max(0, size - MOST_BYTES))
                    entries = _entries(file.read(MOST_BYTES))
                    if len(entries) > MOST or size > MOST_BYTES:
                        entries = entries[-MOST:]
                        replace(path, b"".join(map(_written, entries)))
        return reversed(entries)

    def store_string(self, string: str) -> None:
        """Leave a line to later runs."""
        if len(string) > LONGEST:
            return
        with self._in_file() as path:
            if path is not None:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with _opened(path) as file:
                    file.write(_written(string))

    @contextmanager
    def _in_file(self) -> Iterator[Path | None]:
        path = self._path
        try:
            yield path
        except OSError as error:
            self._path = None
            self._complain(
                f"What you type is remembered for this run only: {error.strerror}: {path}. "
                f"({VARIABLE} names another file.)"
            )


def _entries(data: bytes) -> list[str]:
    text = data.decode(errors="replace") + "\n"
    return [
        "\n".join(line[1:] for line in found[0].removesuffix("\n").split("\n"))
        for found in _ENTRY.finditer(text)
    ]


def _written(entry: str) -> bytes:
    lines = "".join(f"+{line}\n" for line in entry.split("\n"))
    return f"\n# {time.strftime('%Y-%m-%d %H:%M:%S')}\n{lines}".encode(errors="replace")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file to read it and to add to it, alone where the system has locks for that.

    Raises:
      OSError: It can't be opened. Devices and pipes aren't: one may have no end.
    """
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # of folders the system tells
            raise OSError(errno.EINVAL, "Not an ordinary file")
    while True:
        with open(path, "a+b", opener=_open_private) as file:
            if sys.platform != "win32":
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX)
                if not _is_at(path, file):
                    continue  # another run has replaced it while we waited
            yield file
            return


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
