"""What two recordings say differently.

Compared are the messages of each connection, in each direction by itself, in their order. Not
compared are times, media, handles, and message counts that depend on them
(``lastConsumedClientMessageIndex``). Frames that say nothing (``{}``, an empty ``serverContent``)
are passed over, and frames in a row that differ only in their media count as one.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final, Literal, TypeAlias

import attrs

from .._redact import MediaMode, Redactor, restore
from ._format import Ended, Frame, Opened, Sender, frame_fields
from ._reader import Recording

__all__ = ["Difference", "Said", "comparable", "compare_messages", "diff"]

Kind: TypeAlias = Literal["missing", "extra", "changed", "ending", "connection"]

MOST_SHOWN: Final = 200
MOST_ENTRIES: Final = 100_000
"""Messages of one side of a connection that are compared; those after them are not."""
_TIMES: Final = frozenset(
    {"audioOffset", "audio_offset", "lastConsumedClientMessageIndex"}
    | {"last_consumed_client_message_index"}
)
_HANDLES: Final = frozenset({"handle", "newHandle", "new_handle"})
_REDACTOR: Final = Redactor("hash")


@attrs.frozen
class Difference:
    """One place where two recordings differ.

    Attributes:
      connection: Counted from 1 in the order in which they were opened.
      sender: Whose message it is; ``None`` for a difference of the connections themselves.
      kind: ``"missing"``: only the first has it; ``"extra"``: only the second has it;
        ``"changed"``; ``"ending"``: the connections ended differently; ``"connection"``: only one
        recording has this connection.
      position: Which message of that sender, from 1, in the first recording.
      first: What the first says, shortened, without media; empty if nothing.
      second: What the second says.
    """

    connection: int
    sender: Sender | None
    kind: Kind
    position: int = 0
    first: str = ""
    second: str = ""

    def __str__(self) -> str:
        place = f"connection {self.connection}"
        if self.sender is not None:
            place += f", {self.sender}, message {self.position}"
        match self.kind:
            case "missing":
                return f"{place}: missing: {self.first}"
            case "extra":
                return f"{place}: extra: {self.second}"
            case "connection":
                return f"{place}: only in the {'first' if self.first else 'second'}"
            case _:
                return f"{place}: {self.first} became {self.second}"


@attrs.define
class Said:
    """What one side of a connection said, one small entry for each message that counts."""

    entries: list[tuple[bytes, str]] = attrs.field(factory=list)
    _last_was_media: bool = False

    def add(self, tree: Any) -> None:
        """Note a message's JSON."""
        if tree in ({}, {"serverContent": {}}) or len(self.entries) >= MOST_ENTRIES:
            return
        seen: list[bool] = []
        text = json.dumps(_normal(tree, seen), ensure_ascii=False, sort_keys=True)
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:16]
        if seen and self._last_was_media and self.entries[-1][0] == digest:
            return
        self._last_was_media = bool(seen)
        shown = text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."
        self.entries.append((digest, shown))

    def add_frame(self, frame: str | bytes) -> None:
        """Note a frame as it came."""
        fields = frame_fields(frame, _REDACTOR)
        self.add(fields["json"] if "json" in fields else {"raw": fields["raw"]})


@attrs.define
class _Connection:
    client: Said = attrs.field(factory=Said)
    server: Said = attrs.field(factory=Said)
    ending: str = ""


def diff(first: Recording, second: Recording) -> tuple[Difference, ...]:
    """Compare two recordings; nothing is left of two runs of the same conversation.

    Raises:
      RecordingError: one of them has a line that can't be read.
    """
    return tuple(_compare(first, second))


def _compare(first: Recording, second: Recording) -> Iterator[Difference]:
    pairs = zip_longest(_connections(first), _connections(second))
    for number, (one, other) in enumerate(pairs, 1):
        if one is None or other is None:
            yield Difference(
                number,
                None,
                "connection",
                first="" if one is None else "it is there",
                second="" if other is None else "it is there",
            )
            continue
        yield from compare_messages(number, "client", one.client.entries, other.client.entries)
        yield from compare_messages(number, "server", one.server.entries, other.server.entries)
        if one.ending != other.ending:
            yield Difference(number, None, "ending", first=one.ending, second=other.ending)


def compare_messages(
    connection: int,
    sender: Sender,
    first: Sequence[tuple[bytes, str]],
    second: Sequence[tuple[bytes, str]],
) -> Iterator[Difference]:
    """Compare what one side of a connection said in two runs."""
    matcher = difflib.SequenceMatcher(
        None, [digest for digest, _ in first], [digest for digest, _ in second]
    )
    for kind, start, stop, other_start, other_stop in matcher.get_opcodes():
        if kind == "equal":
            continue
        ours, theirs = first[start:stop], second[other_start:other_stop]
        for index, (one, other) in enumerate(zip_longest(ours, theirs)):
            position = start + index + 1
            if other is None:
                yield Difference(connection, sender, "missing", position, first=one[1])
            elif one is None:
                yield Difference(connection, sender, "extra", position, second=other[1])
            else:
                yield Difference(connection, sender, "changed", position, one[1], other[1])


def comparable(frame: Frame, media: MediaMode) -> Any:
    """A frame's JSON as ``Said`` takes it: without media, whether they are in the file or not."""
    if frame.json is None:
        return {"raw": frame.raw}
    return _REDACTOR.tree(restore(frame.json)) if media == "whole" else frame.json


def _connections(recording: Recording) -> Iterable[_Connection]:
    found: dict[int, _Connection] = {}
    for happening in recording:
        match happening:
            case Opened(connection=number):
                found.setdefault(number, _Connection())
            case Frame(connection=number, sender=sender):
                sides = found.setdefault(number, _Connection())
                said = sides.client if sender == "client" else sides.server
                said.add(comparable(happening, recording.header.media))
            case Ended(connection=number, by=by, code=code, reason=reason):
                ending = f"ended by {by} with {code} {reason}".rstrip()
                found.setdefault(number, _Connection()).ending = ending
            case _:
                pass
    return found.values()


def _normal(value: Any, seen: list[bool], name: str = "") -> Any:
    """Replace what isn't compared; ``seen`` tells of media."""
    if isinstance(value, list):
        return [_normal(item, seen, name) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$media"}:
        seen.append(True)
        return "(media)"
    copy: dict[str, Any] = {}
    for key, item in value.items():
        if key in _TIMES:
            continue
        if key in _HANDLES and "esumption" in name:
            copy[key] = "(handle)"
        else:
            copy[key] = _normal(item, seen, key)
    return copy
