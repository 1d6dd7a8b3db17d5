"""Reading a recording, a line at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

import attrs

from .._redact import DEPTH_LIMIT, parse
from ..errors import RecordingError
from ._format import Frame, Happening, Header, Incomplete, Opened, Sender
from ._format import read_happening as _read_happening
from ._format import read_header as _read_header

__all__ = ["Place", "Recording", "read_recording"]

LONGEST_LINE: Final = 128 * 2**20
"""Bytes. The longest frame is 64 MiB."""


@attrs.frozen
class Place:
    """Where in a file a line begins.

    Attributes:
      offset: In bytes.
      line: From 1.
    """

    offset: int
    line: int


@attrs.frozen
class Recording:
    """A recording on disk. Iterating reads it from the beginning, a line at a time.

    ::

        for happening in read_recording("session.jsonl"):
            match happening:
                case Frame(sender="server", events=events): ...
                case Ended(by=by, code=code): ...

    Iterating raises ``RecordingError`` at a line that can't be read. A recording that was cut off
    ends with ``Incomplete``.

    Attributes:
      path: The file.
      header: When it was begun, and how.
    """

    path: Path
    header: Header
    _body: Place = attrs.field(repr=False)

    def __iter__(self) -> Iterator[Happening]:
        return (happening for _, happening in self._read(self._body))

    def frames(
        self, sender: Sender | None = None, *, connection: int | None = None
    ) -> Iterator[Frame]:
        """Read the frames only.

        Args:
          sender: Only those of the ``"client"`` or the ``"server"``.
          connection: Only those of this connection.

        Raises:
          RecordingError: at a line that can't be read.
        """
        for happening in self:
            if (
                isinstance(happening, Frame)
                and sender in (None, happening.sender)
                and connection in (None, happening.connection)
            ):
                yield happening

    def openings(self) -> list[Place]:
        """Read it all, and tell where each connection begins, in their order.

        Raises:
          RecordingError: at a line that can't be read.
        """
        return [place for place, happening in self.places() if isinstance(happening, Opened)]

    def places(self) -> Iterator[tuple[Place, Happening]]:
        """Read it from the beginning, with the place of each line.

        Raises:
          RecordingError: at a line that can't be read.
        """
        return self._read(self._body)

    def read_from(self, place: Place) -> Iterator[Happening]:
        """Read on from a place that ``openings`` told."""
        return (happening for _, happening in self._read(place))

    def _read(self, place: Place) -> Iterator[tuple[Place, Happening]]:
        complete = False
        number = place.line - 1
        with _open(self.path) as file:
            file.seek(place.offset)
            while True:
                here = Place(file.tell(), number + 1)
                text = _read_line(file, self.path, here.line)
                if not text:
                    break
                number += 1
                value = _parse(text, self.path, number)
                if value is _CUT:
                    break
                try:
                    happening = _read_happening(value, number)
                except (ValueError, TypeError) as error:
                    raise _broken(self.path, number, str(error)) from None
                complete = isinstance(value, dict) and value.get("complete") is True
                if happening is not None:
                    yield here, happening
        if text:
            yield here, Incomplete("the last line is cut off", number)
        elif not complete:
            yield here, Incomplete("the line that ends a recording is missing", number)


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Open a recording; what happened in it is read when it is iterated.

    Raises:
      RecordingError: the file can't be read, or isn't a recording.
    """
    place = Path(path)
    with _open(place) as file:
        text = _read_line(file, place, 1)
        value = _parse(text, place, 1)
        if value is _CUT:
            raise _broken(place, 1, "the header is cut off" if text else "the file is empty")
        try:
            header = _read_header(value)
        except ValueError as error:
            raise _broken(place, 1, str(error)) from None
        return Recording(place, header, Place(file.tell(), 2))


_CUT: Final = object()


def _open(path: Path) -> BinaryIO:
    if path.is_fifo():
        raise RecordingError(f"{path} is a pipe; name a file.")
    try:
        return path.open("rb")
    except OSError as error:
        raise RecordingError(
            f"Can't read the recording {path}: {error.strerror or error}."
        ) from None


def _read_line(file: BinaryIO, path: Path, line: int) -> bytes:
    try:
        text = file.readline(LONGEST_LINE)
    except OSError as error:
        raise RecordingError(
            f"Can't read the recording {path}: {error.strerror or error}.", line=line
        ) from None
    if len(text) == LONGEST_LINE:
        raise _broken(path, line, f"it is longer than {LONGEST_LINE:,} bytes")
    return text


def _parse(text: bytes, path: Path, line: int) -> Any:
    try:
        return parse(text, levels=DEPTH_LIMIT + 8)
    except ValueError as error:
        if not text.endswith(b"\n"):
            return _CUT  # whatever wrote it was stopped in the middle
        raise _broken(path, line, f"it isn't JSON ({error})") from None


def _broken(path: Path, line: int, why: str) -> RecordingError:
    return RecordingError(f"Can't read line {line} of the recording {path}: {why}.", line=line)
