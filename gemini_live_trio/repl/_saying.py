"""What a typed line says to the model: words, and files after ``@``."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from ._commands import Mistake, Run, understand_command

__all__ = ["Say", "understand"]


@attrs.frozen
class Say:
    """Things to say, in order: text, a recording, a picture."""

    parts: Sequence[str | Path]


_FILE: Final = re.compile(r'(?<!\S)@(?:"([^"]+)"|(?!@)(\S+))')
_SUFFIXES: Final = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".au", ".caf", ".pcm", ".raw"),
    *(".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif", ".bmp", ".tif", ".tiff"),
)


def understand(line: str) -> Say | Run | Mistake:
    """Tell what a line asks for. Looks at the disk to tell ``@name`` from a file's name."""
    line = line.strip()
    if line.startswith("//"):
        return Say([line[1:]])
    if line.startswith("/"):
        return understand_command(line)
    parts: list[str | Path] = []
    said_until = 0
    for found in _FILE.finditer(line):
        path = Path(os.path.expanduser(found[1] or found[2]))  # noqa: PTH111 - never fails
        # ``@alice`` is a person unless there is such a file; ``@alice.wav`` is a file.
        there = os.path.exists(path)  # noqa: PTH110 - nor does this, however long the name
        meant = found[1] or path.suffix.lower() in _SUFFIXES
        if not there and not meant:
            continue
        if not there:
            return Mistake(f"There is no file {path}, so nothing of this line was sent.")
        if path.is_dir():
            if not meant:
                continue  # ``@home`` is more likely a word than a folder to be shown
            return Mistake(f"{path} is a folder, so nothing of this line was sent.")
        parts += [line[said_until : found.start()], path]
        said_until = found.end()
    parts.append(line[said_until:])
    told = (
        re.sub(r"(?<!\S)@@", "@", part).strip() if isinstance(part, str) else part for part in parts
    )
    return Say([part for part in told if part])
