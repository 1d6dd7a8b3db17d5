"""What of the client's messages a conversation holds: the books that tests check a client against.

A ledger never changes; writing into it makes a longer one that shares its beginning. So a handle
that stands for one moment simply keeps the ledger of that moment, and going back to it costs
nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

import attrs

from .. import wire

__all__ = ["EMPTY_LEDGER", "Consumed", "Ledger", "consumed_from"]

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


class Ledger:
    """A list that only grows, by making another; the oldest half goes when it is too long."""

    __slots__ = ("_before", "_item", "_length")

    def __init__(self, before: Ledger | None = None, item: Consumed | None = None) -> None:
        self._before = before
        self._item = item
        self._length: int = 0 if before is None else len(before) + 1

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Consumed]:
        items = []
        here = self
        while here._before is not None and here._item is not None:
            items.append(here._item)
            here = here._before
        return reversed(items)

    def and_then(self, item: Consumed) -> Ledger:
        """Return a ledger with one entry more."""
        if self._length < MOST_CONSUMED:
            return Ledger(self, item)
        kept = EMPTY_LEDGER
        for old in list(self)[MOST_CONSUMED // 2 :]:
            kept = Ledger(kept, old)
        return Ledger(kept, item)


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
    kind, text, ids = _describe(message)
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


def _describe(message: wire.LiveClientMessage) -> tuple[str, str, tuple[str, ...]]:
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
