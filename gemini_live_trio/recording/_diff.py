"""What two recordings say differently.

Compared are the messages of each connection, in each direction by itself, in their order. Not
compared are times, media, handles, and message counts that depend on them
(``lastConsumedClientMessageIndex``). Frames that say nothing (``{}``, an empty ``serverContent``)
are passed over, and frames in a row that differ only in their media count as one.

What both have is found with Myers' greedy algorithm ("An O(ND) Difference Algorithm and Its
Variations", 1986), whose work grows with the number of differences. It is given up after 500 of
them, or some 2 million steps; the messages after that are compared by their position, and a
difference of its own kind says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final, Literal, TypeAlias

import attrs

from .._redact import MediaMode, Redactor
from ._format import Ended, Frame, Opened, Sender, frame_fields
from ._reader import Recording
from ._shown import shown

__all__ = [
    "Difference",
    "Said",
    "comparable",
    "compare_in_steps",
    "compare_messages",
    "diff",
    "told_ending",
]

Kind: TypeAlias = Literal["missing", "extra", "changed", "cut", "ending", "connection"]

MOST_SHOWN: Final = 200
MOST_ENTRIES: Final = 100_000
"""Messages of one side of a connection that are compared; those after them are not."""
MOST_EDITS: Final = 500
MOST_STEPS: Final = 2_000_000
_PAUSE_STEPS: Final = 5_000
"""Some two milliseconds of work."""
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
        ``"changed"``; ``"cut"``: there are too many differences, so what follows was compared by
        position, or not at all; ``"ending"``: the connections ended differently;
        ``"connection"``: only one recording has this connection.
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
            case "cut":
                return f"{place}: too much differs; {self.first}"
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
        self.entries.append((digest, shown(text, MOST_SHOWN)))

    def add_frame(self, frame: str | bytes) -> None:
        """Note a frame as it came."""
        fields = frame_fields(frame, _REDACTOR)
        self.add(fields["json"] if "json" in fields else {"raw": fields["raw"]})


@attrs.define
class _Connection:
    client: Said = attrs.field(factory=Said)
    server: Said = attrs.field(factory=Said)
    ending: tuple[str, int, str] | None = None


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
            before, now = told_ending(one.ending), told_ending(other.ending)
            yield Difference(number, None, "ending", first=before, second=now)


def told_ending(ending: tuple[str, int, str] | None) -> str:
    """How a connection ended, for a person."""
    if ending is None:
        return "still open"
    by, code, reason = ending
    return f"ended by {by} with {code} {shown(reason)}".rstrip()


def compare_messages(
    connection: int,
    sender: Sender,
    first: Sequence[tuple[bytes, str]],
    second: Sequence[tuple[bytes, str]],
) -> Iterator[Difference]:
    """Compare what one side of a connection said in two runs."""
    for found in compare_in_steps(connection, sender, first, second):
        if found is not None:
            yield found


def compare_in_steps(
    connection: int,
    sender: Sender,
    first: Sequence[tuple[bytes, str]],
    second: Sequence[tuple[bytes, str]],
) -> Iterator[Difference | None]:
    """The same, with a ``None`` after every few milliseconds of work."""
    start = 0
    while start < min(len(first), len(second)) and first[start][0] == second[start][0]:
        start += 1
    end = 0
    most = min(len(first), len(second)) - start
    while end < most and first[-1 - end][0] == second[-1 - end][0]:
        end += 1
    ours, theirs = first[start : len(first) - end], second[start : len(second) - end]
    found = yield from _common(ours, theirs)
    here = there = 0
    for one, other, length in [*found.runs, (found.first, found.second, 0)]:
        pairs = zip_longest(ours[here:one], theirs[there:other])
        yield from _told_pairs(connection, sender, start + here, pairs)
        here, there = one + length, other + length
    if here < len(ours) or there < len(theirs):
        text = "the messages from here on are compared by their position"
        yield Difference(connection, sender, "cut", start + here + 1, first=text)
        pairs = zip_longest(ours[here:], theirs[there:])
        yield from _told_pairs(connection, sender, start + here, pairs)


def _told_pairs(
    connection: int,
    sender: Sender,
    start: int,
    pairs: Iterable[tuple[tuple[bytes, str] | None, tuple[bytes, str] | None]],
) -> Iterator[Difference | None]:
    for position, (one, other) in enumerate(pairs, start + 1):
        if position % _PAUSE_STEPS == 0:
            yield None
        if other is None:
            if one is not None:
                yield Difference(connection, sender, "missing", position, first=one[1])
        elif one is None:
            yield Difference(connection, sender, "extra", position, second=other[1])
        elif one[0] != other[0]:
            yield Difference(connection, sender, "changed", position, one[1], other[1])


@attrs.frozen
class _Common:
    """What two lists have in common: ``(first, second, length)`` for each run, up to a place."""

    runs: Sequence[tuple[int, int, int]]
    first: int
    second: int


def _common(
    first: Sequence[tuple[bytes, str]], second: Sequence[tuple[bytes, str]]
) -> Generator[None, None, _Common]:
    # rounds[d][i]: how far into the first d differences lead on the diagonal 2 * i - d, where the
    # diagonal is the place in the first less that in the second.
    if not first or not second:
        return _Common([], len(first), len(second))
    rounds: list[list[int]] = []
    steps, pause = 0, _PAUSE_STEPS
    for edits in range(MOST_EDITS + 1):
        reached: list[int] = []
        for index in range(edits + 1):
            diagonal = 2 * index - edits
            here = _begin(rounds, edits, index)
            there = here - diagonal
            before = here
            while here < len(first) and there < len(second) and first[here][0] == second[there][0]:
                here += 1
                there += 1
            reached.append(here)
            steps += 1 + here - before
            if here >= len(first) and there >= len(second):
                return _Common(_runs([*rounds, reached], index), len(first), len(second))
            if steps >= pause:
                pause = steps + _PAUSE_STEPS
                yield
            if steps > MOST_STEPS:
                break
        if steps > MOST_STEPS:
            break
        rounds.append(reached)
    edits = len(rounds) - 1
    inside = [
        (2 * here - diagonal, here, diagonal, index)
        for index, here in enumerate(rounds[-1])
        for diagonal in [2 * index - edits]
        if here <= len(first) and here - diagonal <= len(second)
    ]
    _, here, diagonal, index = max(inside)
    return _Common(_runs(rounds, index), here, here - diagonal)


def _begin(rounds: Sequence[Sequence[int]], edits: int, index: int) -> int:
    """Where a diagonal is entered: from the one above or below it, whichever leads farther."""
    if edits == 0:
        return 0
    last = rounds[edits - 1]
    if index == 0 or (index != edits and last[index - 1] < last[index]):
        return last[index]
    return last[index - 1] + 1


def _runs(rounds: Sequence[Sequence[int]], index: int) -> list[tuple[int, int, int]]:
    """Walk back from where a diagonal ends in the last round."""
    found: list[tuple[int, int, int]] = []
    for edits in range(len(rounds) - 1, -1, -1):
        here = _begin(rounds, edits, index)
        length = rounds[edits][index] - here
        if length:
            found.append((here, here - (2 * index - edits), length))
        if edits:
            last = rounds[edits - 1]
            down = index == 0 or (index != edits and last[index - 1] < last[index])
            index = index if down else index - 1
    return found[::-1]


def comparable(frame: Frame, media: MediaMode) -> Any:
    """A frame's JSON as ``Said`` takes it: without media, whether they are in the file or not."""
    if frame.json is None:
        return {"raw": frame.raw}
    return _REDACTOR.recorded(frame.json) if media == "whole" else frame.json


def _connections(recording: Recording) -> Iterable[_Connection]:
    every: list[_Connection] = []
    found: dict[int, _Connection] = {}
    for happening in recording:
        number = getattr(happening, "connection", None)
        if number is not None and (number not in found or isinstance(happening, Opened)):
            found[number] = _Connection()
            every.append(found[number])
        match happening:
            case Frame(connection=number, sender=sender):
                sides = found[number]
                said = sides.client if sender == "client" else sides.server
                said.add(comparable(happening, recording.header.media))
            case Ended(connection=number, by=by, code=code, reason=reason):
                found[number].ending = by, code, reason
            case _:
                pass
    return every


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
