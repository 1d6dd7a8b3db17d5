"""A few tools that are ready for use: a clock, a timer, and a folder to look into and work in.

``ready_tools()`` gives those that are safe anywhere. With a ``workspace`` the model may also list
and read what is in that folder, and with a ``consent`` run commands there, each asked for.
"""

from __future__ import annotations

import codecs
import inspect
import io
import os
import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs
import trio

from ..errors import ConfigError, ToolError
from ._bounds import Bounds
from ._decorator import tool
from ._process import run_process
from ._texts import variables
from ._tool import Tool, ToolContext
from ._workspace import Entry, Root

__all__ = [
    "Command",
    "Commands",
    "Consent",
    "Workspace",
    "current_time",
    "ready_tools",
    "set_timer",
]

_LONGEST_TIMER: Final = 24 * 60 * 60.0
_LONGEST_LINE: Final = 4_000
_MOST_TEXT: Final = 64_000
"""Characters of a file in one answer."""
_MOST_READ: Final = 64 * 1024 * 1024
"""Bytes of a file that are gone through to get to a line."""
_LOOKED_AT: Final = 8_192
_LONGEST_RUN: Final = 30.0
_ASKING: Final = 10 * 60.0
"""Seconds for a person to give consent."""
_INHERITED: Final = (
    *("HOME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TMPDIR", "TZ", "USER"),
    *("APPDATA", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA", "PATHEXT", "SYSTEMDRIVE"),
    *("SYSTEMROOT", "TEMP", "TMP", "USERNAME", "USERPROFILE", "WINDIR"),
)
"""What a command sees of the environment; ``LC_*`` too. A list of what is kept back would never be
complete, and keys stand there under many names."""


# --- Time -----------------------------------------------------------------------------------------


@tool
async def current_time(timezone: str = "") -> dict[str, str]:
    """Tell date and time, here or elsewhere.

    Args:
      timezone: An IANA name such as Europe/Berlin or UTC; empty for the user's own.
    """
    await trio.lowlevel.checkpoint()
    name = timezone.strip()
    if name:
        try:
            now = datetime.now(ZoneInfo(name))
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ToolError(
                f"There is no time zone {name!r}; use an IANA name such as Europe/Berlin."
            ) from error
    else:
        now = datetime.now().astimezone()
        name = now.tzname() or ""
    return {
        "time": now.isoformat(timespec="seconds"),
        "weekday": now.strftime("%A"),
        "timezone": name,
    }


_Count: TypeAlias = Annotated[float, Bounds(ge=0)]


@tool(blocking=False, timeout=_LONGEST_TIMER + 60)
async def set_timer(
    context: ToolContext,
    seconds: _Count = 0,
    minutes: _Count = 0,
    hours: _Count = 0,
    label: str = "",
) -> dict[str, str]:
    """Set a timer, up to 24 hours, and get an answer when it goes off.

    The conversation goes on meanwhile. Tell the user that the timer is set, and then again when it
    has gone off.

    Args:
      seconds: Added to the others.
      minutes: Added to the others.
      hours: Added to the others.
      label: What it is for, in a few words.
    """
    length = seconds + 60 * minutes + 3600 * hours
    if not 0 < length <= _LONGEST_TIMER:
        raise ToolError("A timer takes more than nothing, and 24 hours at most.")
    context.progress(f"set to {_spoken(length)}")
    await trio.sleep(length)
    return {"timer": label or "timer", "state": f"has gone off after {_spoken(length)}"}


def _spoken(seconds: float) -> str:
    minutes, left = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "hour"), (minutes, "minute"), (left, "second")]
    return " ".join(f"{n:g} {unit}{'' if n == 1 else 's'}" for n, unit in parts if n)


# --- Files ----------------------------------------------------------------------------------------


class Workspace:
    """A folder that the model may look into: take ``list_files`` and ``read_file`` from it.

    Nothing leads out of it, neither ``..`` nor an absolute path nor a link; links within it are
    followed. What is no ordinary file is not opened.

    Args:
      path: The folder.
      hidden: Whether names that begin with a dot are there too. They often hold secrets: ``.env``,
        ``.git``, ``.ssh``.

    Raises:
      ConfigError: there is no such folder.
    """

    def __init__(self, path: str | os.PathLike[str], *, hidden: bool = False) -> None:
        self._root: Root = Root(path, hidden)

    @property
    def path(self) -> Path:
        """The folder, absolute and without links."""
        return self._root.path

    @tool
    def list_files(
        self,
        path: str = ".",
        recursive: bool = False,
        max_entries: Annotated[int, Bounds(ge=1, le=500)] = 100,
    ) -> dict[str, object]:
        """List what is in a folder of the workspace, by name.

        Args:
          path: The folder; "." is the workspace itself.
          recursive: Whether to go into the folders in it as well.
          max_entries: How many to list at most.
        """
        found, more = self._root.entries(path, recursive=recursive, most=max_entries)
        return {"entries": [_listed(entry) for entry in found], "more": more}

    @tool
    def read_file(
        self,
        path: str,
        start_line: Annotated[int, Bounds(ge=1)] = 1,
        line_count: Annotated[int, Bounds(ge=1, le=2000)] = 200,
    ) -> dict[str, object]:
        """Read lines of a text file in the workspace.

        Args:
          path: The file.
          start_line: The first line to read, from 1.
          line_count: How many lines to read at most.
        """
        with self._root.open_file(path) as file:
            try:
                return _read_lines(file, _encoding(file, path), path, start_line, line_count)
            except UnicodeError:
                file.seek(0)
                return _read_lines(file, "latin-1", path, start_line, line_count)


def _listed(entry: Entry) -> dict[str, object]:
    told: dict[str, object] = {"path": entry.path, "kind": entry.kind}
    return told | {"bytes": entry.size} if entry.kind == "file" else told


_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _encoding(file: BinaryIO, path: str) -> str:
    head = file.read(_LOOKED_AT)
    file.seek(0)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if b"\0" in head:
        raise ToolError(f"{path} isn't text: it has {os.fstat(file.fileno()).st_size:,} bytes.")
    return "utf-8"


def _read_lines(
    file: BinaryIO, encoding: str, path: str, start: int, count: int
) -> dict[str, object]:
    lines: list[str] = []
    number, length, cut, more = 0, 0, False, False
    reader = io.TextIOWrapper(file, encoding=encoding)
    try:
        while line := reader.readline(_LONGEST_LINE):
            number += 1
            kept, whole, longer = line, line.endswith("\n"), False
            while not whole and (rest := reader.readline(_LONGEST_LINE)):
                whole = rest.endswith("\n")
                longer = longer or rest != "\n"
                kept = f"{line}…\n" if longer else f"{line}\n"
                _check_far(file, path)
            if number >= start:
                if len(lines) == count or length + len(kept) > _MOST_TEXT:
                    more = True
                    break
                cut = cut or longer
                lines.append(kept)
                length += len(kept)
            _check_far(file, path)
    finally:
        reader.detach()
    if start > max(1, number):
        raise ToolError(f"{path} has {number} lines.")
    told: dict[str, object] = {
        "text": "".join(lines),
        "first_line": start,
        "last_line": start + len(lines) - 1,
        "more": more,
    }
    if cut:
        told["note"] = f"Lines of more than {_LONGEST_LINE:,} characters are cut."
    return told if encoding.startswith("utf") else told | {"encoding": "unknown; read as latin-1"}


def _check_far(file: BinaryIO, path: str) -> None:
    if file.tell() > _MOST_READ:
        raise ToolError(f"{path} is too long: that line is beyond {_MOST_READ:,} bytes.")


# --- Commands -------------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Command:
    """What the model wants to run; its text is what a person is asked about."""

    argv: Sequence[str]
    """The program and its arguments; there is no shell."""
    cwd: Path
    """Where it would run."""
    seconds: float
    """After which it would be killed."""

    def __str__(self) -> str:
        """As for a shell, in one line, with what can't be seen written as escapes."""
        return "".join(
            letter if letter.isprintable() else letter.encode("unicode_escape").decode()
            for letter in shlex.join(self.argv)
        )


Consent: TypeAlias = Callable[[Command], Awaitable[bool]]
"""Asked before each command; only ``True`` is consent."""


class Commands:
    """Runs commands in a workspace, each with a person's consent: take ``run_command`` from it.

    This is no sandbox. A command can do what the program's user can: read any file, use the
    network. The workspace is only where it begins. What keeps it in check is who is asked.

    A command gets no input and no shell, 30 s at most, and an environment with what is needed to
    run (``PATH``, ``HOME``, ``LANG`` and the like), without keys. When it has ended, in whatever
    way, its process group is killed. Of its output the first 4 KiB and the last 12 KiB are kept.

    Args:
      workspace: The folder.
      consent: Asked before each command.
      env: Further environment variables for the commands.

    Raises:
      ConfigError: there is no such folder, ``consent`` isn't a function, or ``env`` is something
        that no process can have.
    """

    def __init__(
        self,
        workspace: str | os.PathLike[str],
        *,
        consent: Consent,
        env: Mapping[str, str] | None = None,
    ) -> None:
        if not callable(consent):
            raise ConfigError("consent takes an async function from a Command to a bool.")
        self._root: Root = Root(workspace, hidden=True)
        self._consent: Consent = consent
        self._env: Mapping[str, str] = variables(env or {})

    @tool(timeout=_ASKING + _LONGEST_RUN + 10, limit=1)
    async def run_command(
        self,
        argv: Annotated[list[str], Bounds(min_length=1, max_length=32)],
        folder: str = ".",
        max_seconds: Annotated[float, Bounds(gt=0, le=_LONGEST_RUN)] = 10,
    ) -> dict[str, object]:
        """Run a program on the user's computer, who is asked first and may refuse.

        There is no shell: no pipes, variables, wildcards or redirections, and no input.

        Args:
          argv: The program and its arguments, each a text of its own.
          folder: The folder of the workspace to run it in.
          max_seconds: After so long it is killed.
        """
        if not argv[0].strip() or any("\0" in word for word in argv):
            raise ToolError("That is no command.")
        cwd = await trio.to_thread.run_sync(self._root.folder, folder)
        command = Command(argv=tuple(argv), cwd=cwd, seconds=max_seconds)
        if not await self._agreed(command):
            raise ToolError("The user doesn't want this command to run.")
        try:
            done = await run_process(
                argv, cwd=cwd, env=_environment(self._env), seconds=max_seconds
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ToolError(f"{argv[0]} can't be run: {reason}.") from error
        return attrs.asdict(done)

    async def _agreed(self, command: Command) -> bool:
        asked: Any = self._consent(command)
        if not inspect.isawaitable(asked):
            raise ConfigError("consent takes an async function; this one answered at once.")
        with trio.move_on_after(_ASKING):
            return await asked is True
        return False


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _INHERITED or name.startswith("LC_")
    }
    return kept | {"TERM": "dumb", "NO_COLOR": "1"} | dict(more)


# --- All of them ----------------------------------------------------------------------------------


def ready_tools(
    *,
    workspace: str | os.PathLike[str] | None = None,
    consent: Consent | None = None,
    timer: bool = True,
    hidden: bool = False,
    env: Mapping[str, str] | None = None,
) -> list[Tool]:
    """Give the tools that may be used here.

    Args:
      workspace: A folder that the model may look into, with ``list_files`` and ``read_file``.
      consent: Asked before each command; with it, and a workspace, there is ``run_command``.
      timer: Whether there is ``set_timer``. Models that wait for every tool (3.1) can't have it.
      hidden: As for ``Workspace``.
      env: As for ``Commands``.

    Raises:
      ConfigError: there is no such folder, or a ``consent`` without one.
    """
    tools: list[Tool] = [current_time, *([set_timer] if timer else [])]
    if workspace is not None:
        files = Workspace(workspace, hidden=hidden)
        tools += [files.list_files, files.read_file]
    if consent is not None:
        if workspace is None:
            raise ConfigError("consent is for commands in a workspace: give workspace= too.")
        tools.append(Commands(workspace, consent=consent, env=env).run_command)
    return tools
