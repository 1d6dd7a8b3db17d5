"""What a typed line means. One table of commands feeds parsing, help and completion."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias

import attrs

__all__ = [
    "COMMANDS",
    "PRESS_AGAIN",
    "Command",
    "Mistake",
    "Run",
    "Say",
    "help_lines",
    "understand",
]


@attrs.frozen
class Command:
    """One row of the table."""

    name: str
    summary: str
    others: Sequence[str] = ()
    """Other names that it goes by."""


COMMANDS: Final = (
    Command("/help", "show what can be typed here", ("/?",)),
    Command("/quit", "end the conversation and leave", ("/exit", "/q")),
)

PRESS_AGAIN: Final = "Press Ctrl-C again to leave."

_BY_NAME: Final = {
    name: command for command in COMMANDS for name in (command.name, *command.others)
}

TYPED: Final = (
    ("text", "is said to the model; no need to wait for it to finish"),
    ("@speech.wav", 'a recording is spoken; @"with spaces.wav" where the name needs it'),
    ("//text, @@text", "text that begins with / or @"),
    ("Ctrl-C", "clears the line; twice in a row leaves"),
    ("Ctrl-D", "on an empty line leaves"),
)


@attrs.frozen
class Say:
    """Things to say, in order: text, or a recording."""

    parts: Sequence[str | Path]


@attrs.frozen
class Run:
    """A command to carry out."""

    command: Command


@attrs.frozen
class Mistake:
    """Nothing was done, and this is why."""

    text: str


Meaning: TypeAlias = Say | Run | Mistake

_FILE: Final = re.compile(r'(?<!\S)@(?:"([^"]+)"|(?!@)(\S+))')
_SOUNDS: Final = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".au", ".caf"),
)


def understand(line: str) -> Meaning:
    """Tell what a line asks for. Looks at the disk to tell ``@name`` from a file's name."""
    line = line.strip()
    if line.startswith("//"):
        return Say([line[1:]])
    if line.startswith("/"):
        name, _, arguments = line.partition(" ")
        command = _BY_NAME.get(name.lower())
        if command is None:
            return _unknown(name)
        if arguments.strip():
            return Mistake(f"{name} stands alone; nothing was done. (//text says it instead.)")
        return Run(command)
    parts: list[str | Path] = []
    said_until = 0
    for found in _FILE.finditer(line):
        path = Path(os.path.expanduser(found[1] or found[2]))  # noqa: PTH111 - never fails
        # ``@alice`` is a person unless there is such a file; ``@alice.wav`` is a file.
        there = os.path.exists(path)  # noqa: PTH110 - nor does this, however long the name
        if not there and not found[1] and path.suffix.lower() not in _SOUNDS:
            continue
        if not there:
            return Mistake(f"There is no file {path}, so nothing of this line was sent.")
        parts += [line[said_until : found.start()], path]
        said_until = found.end()
    parts.append(line[said_until:])
    told = (
        re.sub(r"(?<!\S)@@", "@", part).strip() if isinstance(part, str) else part for part in parts
    )
    return Say([part for part in told if part])


def _unknown(name: str) -> Mistake:
    if name == "/":
        return Mistake("A command's name goes after /. /help shows what there is.")
    near = difflib.get_close_matches(name.lower(), _BY_NAME, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}?" if near else "/help shows what there is."
    return Mistake(f"There is no command {name}. {hint} (//text says text that begins with /.)")


def help_lines() -> list[str]:
    """Everything that can be typed, a line each."""
    rows = [
        *TYPED,
        *((", ".join((command.name, *command.others)), command.summary) for command in COMMANDS),
    ]
    width = max(len(what) for what, _ in rows)
    return [f"{what:<{width}}  {meaning}" for what, meaning in rows]
