"""A folder that nothing leads out of, whatever a path says and whoever moves things meanwhile.

A path is walked one name at a time, each opened relative to the folder before it and never through
a link (``O_NOFOLLOW``). A link is read and its target walked in its place; ``..`` goes back to a
folder that is still open. So what was looked at is what is opened, and no rename in between can
lead elsewhere. That a file has another name outside (a hard link) can't be seen.

Where folders can't be opened (Windows), the whole path is resolved, opened, and resolved again:
somebody who exchanges folders at the right moments could get past that.
"""

from __future__ import annotations

import heapq
import os
import stat
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import attrs

from ..errors import ConfigError, ToolError

__all__ = ["Entry", "Root"]

_MOST_LINKS: Final = 40
_MOST_NAMES: Final = 64
_LONGEST_PATH: Final = 4_096
_MOST_VISITED: Final = 20_000
_FOLDER: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_FILE: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a FIFO that came there meanwhile would wait for a writer
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
_WALKS: Final = (
    os.open in os.supports_dir_fd
    and os.stat in os.supports_dir_fd
    and os.readlink in os.supports_dir_fd
    and os.scandir in os.supports_fd
    and hasattr(os, "O_NOFOLLOW")
)


@attrs.frozen(order=True)
class Entry:
    """What stands in a folder."""

    path: str
    """From the folder that was asked for, with slashes."""
    kind: str
    """``file``, ``folder``, ``link`` or ``other``."""
    size: int


def _real_folder(value: str | os.PathLike[str]) -> Path:
    # What comes from an unset variable would be the working directory.
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ConfigError(f'workspace takes a folder, not {value!r:.80}; "." is where you are.')
    try:
        path = Path(value).expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"The workspace {os.fspath(value)!r} can't be used: {error}.") from None
    if not path.is_dir():
        raise ConfigError(f"The workspace {str(path)!r} is no folder.")
    return path


@attrs.frozen
class Root:
    """A folder, and what is in it."""

    path: Path = attrs.field(converter=_real_folder)
    hidden: bool = False
    """Whether names that begin with a dot are there."""
    walks: bool = _WALKS
    """Whether paths are walked, or else resolved."""

    @contextmanager
    def open_file(self, path: str) -> Iterator[BinaryIO]:
        """Open a file for reading.

        Raises:
          ToolError: there is none, it can't be read, or is no ordinary file.
        """
        with _told(path), self._opened(path) as (descriptor, _):
            if not stat.S_ISREG(_mode(descriptor)):
                raise ToolError(
                    f"{path or '.'} is a folder." if _is_folder(descriptor) else _odd(path)
                )
            with os.fdopen(os.dup(descriptor), "rb") as file:
                yield file

    def folder(self, path: str) -> Path:
        """Return where a folder is, for a process to begin in.

        Raises:
          ToolError: there is none.
        """
        with _told(path), self._opened(path) as (descriptor, place):
            if not _is_folder(descriptor):
                raise ToolError(f"{path} is no folder.")
            return place

    def entries(self, path: str, *, recursive: bool, most: int) -> tuple[Sequence[Entry], bool]:
        """List a folder by name, and tell whether there is more.

        Raises:
          ToolError: there is none, or it can't be read.
        """
        with _told(path), self._opened(path) as (descriptor, place):
            if not _is_folder(descriptor):
                raise ToolError(f"{path} is no folder.")
            found = list(
                heapq.nsmallest(
                    most + 1, self._walk(descriptor if self.walks else place, "", recursive, [0])
                )
            )
        return found[:most], len(found) > most

    def _walk(
        self, folder: int | Path, prefix: str, recursive: bool, visited: list[int]
    ) -> Iterator[Entry]:
        inner: list[str] = []
        with os.scandir(folder) as scan:
            for item in scan:
                visited[0] += 1
                if visited[0] > _MOST_VISITED:
                    raise ToolError(
                        f"There are more than {_MOST_VISITED:,} entries; list a smaller folder."
                    )
                if item.name.startswith(".") and not self.hidden:
                    continue
                info = item.stat(follow_symlinks=False)
                kind = _kind(info.st_mode)
                shown = os.fsencode(item.name).decode(errors="replace")
                yield Entry(prefix + shown, kind, info.st_size if kind == "file" else 0)
                if kind == "folder":
                    inner.append(item.name)
        if not recursive or prefix.count("/") >= _MOST_NAMES:
            return
        for name in inner:
            shown = os.fsencode(name).decode(errors="replace")
            try:
                if isinstance(folder, Path):
                    yield from self._walk(folder / name, f"{prefix}{shown}/", True, visited)
                    continue
                descriptor = os.open(name, _FOLDER, dir_fd=folder)
            except OSError:
                continue  # it is shown all the same
            try:
                yield from self._walk(descriptor, f"{prefix}{shown}/", True, visited)
            finally:
                os.close(descriptor)

    @contextmanager
    def _opened(self, path: str) -> Iterator[tuple[int, Path]]:
        """Open what a path leads to, and tell its place."""
        if "\0" in path or len(path) > _LONGEST_PATH:
            raise ToolError("That is no path.")
        if not self.walks:
            with self._resolved(path) as opened:
                yield opened
            return
        folders = [os.open(self.path, _FOLDER)]
        try:
            yield self._follow(folders, deque(self._names(path)), path)
        finally:
            for descriptor in folders:
                os.close(descriptor)

    def _names(self, path: str) -> list[str]:
        """A path's names from here on."""
        if Path(path).is_absolute():
            try:
                path = os.path.relpath(path, self.path) if _within(path, self.path) else ".."
            except ValueError:
                path = ".."
        return path.replace(os.sep, "/").split("/")

    def _follow(self, opened: list[int], names: deque[str], asked: str) -> tuple[int, Path]:
        """Walk, with each folder on the way in ``opened``, and at last what was asked for."""
        walked: list[str] = []
        links = 0
        while names:
            name = names.popleft()
            if name in ("", "."):
                continue
            if name == "..":
                if not walked:
                    raise _outside(asked)
                walked.pop()
                os.close(opened.pop())
                continue
            self._check(name, asked)
            if len(walked) >= _MOST_NAMES:
                raise ToolError(f"{asked} is too deep.")
            mode = os.stat(name, dir_fd=opened[-1], follow_symlinks=False).st_mode
            if stat.S_ISLNK(mode):
                links += 1
                if links > _MOST_LINKS:
                    raise ToolError(f"{asked} leads round in a circle of links.")
                target = os.readlink(name, dir_fd=opened[-1])
                if Path(target).is_absolute():
                    while walked:
                        walked.pop()
                        os.close(opened.pop())
                names.extendleft(reversed(self._names(target)))
                continue
            if stat.S_ISDIR(mode):
                opened.append(os.open(name, _FOLDER, dir_fd=opened[-1]))
            elif not stat.S_ISREG(mode):
                raise ToolError(_odd(asked))
            elif any(rest not in ("", ".") for rest in names):
                raise ToolError(f"{asked} leads through a file.")
            else:
                opened.append(os.open(name, _FILE, dir_fd=opened[-1]))
            walked.append(name)
        return opened[-1], self.path.joinpath(*walked)

    @contextmanager
    def _resolved(self, path: str) -> Iterator[tuple[int | Any, Path]]:
        place = self._resolve(path)
        for name in place.relative_to(self.path).parts:
            self._check(name, path)
        info = place.stat()
        if stat.S_ISDIR(info.st_mode):
            yield place, place
            return
        if not stat.S_ISREG(info.st_mode):
            raise ToolError(_odd(path))
        descriptor = os.open(place, _FILE)
        try:
            if self._resolve(path) != place or not os.path.samestat(info, os.fstat(descriptor)):
                raise ToolError(f"{path} was moved while it was opened.")
            yield descriptor, place
        finally:
            os.close(descriptor)

    def _resolve(self, path: str) -> Path:
        try:
            place = Path(self.path, path).resolve(strict=True)
        except RuntimeError:  # up to Python 3.12
            raise ToolError(f"{path} leads round in a circle of links.") from None
        if not _within(place, self.path):
            raise _outside(path)
        return place

    def _check(self, name: str, asked: str) -> None:
        if name.startswith(".") and not self.hidden:
            raise ToolError(f"{asked} is hidden: names that begin with a dot aren't shown.")


def _within(path: str | Path, root: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(root)


def _is_folder(opened: int | Path) -> bool:
    return stat.S_ISDIR(_mode(opened))


def _mode(opened: int | Path) -> int:
    return (opened.stat() if isinstance(opened, Path) else os.fstat(opened)).st_mode


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def _odd(path: str) -> str:
    return f"{path} is no ordinary file."


def _outside(path: str) -> ToolError:
    return ToolError(f"{path} is outside the workspace.")


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Tell the model what the system says, without where on the disk that was."""
    try:
        yield
    except OSError as error:
        raise ToolError(f"{path} can't be read: {error.strerror or error}.") from error
    except UnicodeEncodeError as error:  # half of a surrogate pair
        raise ToolError("That is no path.") from error
