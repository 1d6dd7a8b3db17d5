"""What of the client's messages a conversation holds: the books that tests check a client against.

A ledger never changes; writing into it makes a longer one that shares its beginning. So a handle
that stands for one moment simply keeps the ledger of that moment.
"""

from __future__ import annotations

import itertools
import operator
import zlib
from collections.abc import Iterator
from typing import Any, Final

import attrs

from ... import wire

__all__ = ["EMPTY_LEDGER", "Consumed", "Ledger", "consumed_from", "summary_of"]

MOST_CONSUMED: Final = 100_000
MOST_TEXT: Final = 1_000


@attrs.frozen(kw_only=True)
class Consumed:
    """One message of a client that is part of a conversation.

    Attributes:
      kind: Its field: ``"text"``, ``"audio"``, ``"video"``, ``"activityStart"``, ``"activityEnd"``
        or ``"audioStreamEnd"`` of ``realtimeInput``; else ``"clientContent"``,
        ``"contextUpdate"``, ``"toolResponse"``.
      connection: The number of the connection it came on.
      index: Which of that connection's messages it was, as the service counts them.
      text: What it says, at most 1,000 characters of it.
      ids: The tool calls that it answers.
      seconds: How long it plays, for audio.
      fingerprint: CRC-32 of the frame, to tell pieces of audio apart.
      time: When it was taken, on Trio's clock.
      ignored: Whether it was taken to no effect: an answer to a tool call that isn't open.
    """

    kind: str
    connection: int
    index: int
    text: str = ""
    ids: tuple[str, ...] = ()
    seconds: float = 0.0
    fingerprint: int = 0
    time: float = 0.0
    ignored: bool = False

    @property
    def media(self) -> bool:
        """Whether it is audio or video."""
        return self.kind in ("audio", "video")


_FIELDS: Final = tuple(field.name for field in attrs.fields(Consumed))
_ROW: Final = operator.attrgetter(*_FIELDS)


class Ledger:
    """A list that only grows, by making another; the oldest half goes when it is too long.

    All that began as one share one list, of which each sees as much as was there when it was made.
    Who adds to a ledger that isn't the longest of them gets a list of its own. The entries are kept
    as plain tuples, as in ``FrameLog``, and for the same reason.
    """

    __slots__ = ("_length", "_rows")

    def __init__(self, rows: list[tuple[Any, ...]] | None = None) -> None:
        self._rows: list[tuple[Any, ...]] = [] if rows is None else rows
        self._length: int = len(self._rows)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Consumed]:
        rows = itertools.islice(self._rows, self._length)
        return (Consumed(**dict(zip(_FIELDS, row, strict=True))) for row in rows)

    def and_then(self, item: Consumed) -> Ledger:
        """Return a ledger with one entry more."""
        if self._length >= MOST_CONSUMED:
            rows = self._rows[self._length - MOST_CONSUMED // 2 : self._length]
        elif self._length == 0 or self._length < len(self._rows):
            rows = self._rows[: self._length]
        else:
            rows = self._rows
        rows.append(_ROW(item))
        return Ledger(rows)


EMPTY_LEDGER: Final = Ledger()

_REALTIME: Final = (
    ("text", "text"),
    ("audio", "audio"),
    ("media_chunks", "audio"),
    ("video", "video"),
    ("activity_start", "activityStart"),
    ("activity_end", "activityEnd"),
    ("audio_stream_end", "audioStreamEnd"),
)


def consumed_from(
    message: wire.LiveClientMessage,
    frame: str | bytes,
    *,
    connection: int,
    index: int,
    seconds: float,
    time: float,
    ignored: bool,
) -> Consumed:
    """Make the entry for a message."""
    kind, text, ids = summary_of(message)
    return Consumed(
        kind=kind,
        connection=connection,
        index=index,
        text=text[:MOST_TEXT],
        ids=ids,
        seconds=seconds,
        fingerprint=zlib.crc32(frame.encode() if isinstance(frame, str) else frame),
        time=time,
        ignored=ignored,
    )


def summary_of(message: wire.LiveClientMessage) -> tuple[str, str, tuple[str, ...]]:
    """What a message is: its kind, its text, and the ids of the calls that it answers."""
    if message.client_content is not None:
        parts = [part for turn in message.client_content.turns for part in turn.parts]
        return "clientContent", " ".join(part.text for part in parts if part.text), ()
    if message.tool_response is not None:
        responses = message.tool_response.function_responses
        return "toolResponse", "", tuple(response.id or "" for response in responses)
    if message.context_update is not None:
        return "contextUpdate", "", ()
    realtime = message.realtime_input or wire.LiveClientRealtimeInput()
    kinds = [kind for name, kind in _REALTIME if getattr(realtime, name)]
    # Marks are empty objects, which are true; media in the same message counts before them.
    return (kinds or ["realtimeInput"])[0], realtime.text or "", ()
