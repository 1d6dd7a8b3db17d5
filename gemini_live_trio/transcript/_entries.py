"""One utterance: as readers get it, as it is kept, and as it is written out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final, Literal

import attrs

from ..events import Speaker, TextState

__all__ = ["ENTRY_COST", "Answer", "Draft", "Entry", "ToolUse", "as_json", "as_markdown"]

ENTRY_COST: Final = 100
"""What an entry, and each tool call in it, takes of the room besides its text, in characters."""


@attrs.frozen
class ToolUse:
    """A function that the model called while it was speaking, or instead.

    Attributes:
      id: As the service gave it; ``None`` on old Vertex AI models.
      name: The function's name.
      offset: How many characters of the entry had come before it.
      time: When it came.
      state: ``"open"``, ``"answered"`` by this client, or ``"cancelled"`` by the service.
    """

    id: str | None
    name: str
    offset: int
    time: float
    state: Literal["open", "answered", "cancelled"] = "open"


@attrs.frozen(kw_only=True)
class Entry:
    """One utterance, as far as it is known now.

    Attributes:
      index: Its number in the transcript, from 0; it never changes.
      turn: The number of its turn, from 1: what was asked, and what was answered.
      speaker: Who said it.
      text: All that the service wrote down, its pieces joined as they came.
      state: Whether more of it may come.
      reason: Why it is taken to be final, where that was inferred.
      started: When it began: with ``voiceActivity`` where the user's speech was marked so, else
        with the first sound or the first piece of text.
      ended: When it ended, or its newest sound or piece of text where no ``voiceActivity`` told.
      closed: From when on nothing more was expected of it, ``None`` while it is open.
      typed: Whether it was written rather than spoken; answers in text are.
      delivered: Whether the service is known to have it; only what this client sent can lack that.
      interrupted_at: How many characters had come when the user cut in, ``None`` if nobody did.
      audio_seconds: How much sound came with it. The sound of an answer that is too long for one
        entry is spread over its entries as its text is.
      played_seconds: How much of that was played, ``None`` where no player tells.
      generation: ``ModelAudio.generation`` of its sound; 0 where there was none.
      tools: The functions that were called in it.
    """

    index: int
    turn: int = 1
    speaker: Speaker
    text: str = ""
    state: TextState = TextState.PARTIAL
    reason: str = ""
    started: float = 0.0
    ended: float = 0.0
    closed: float | None = None
    typed: bool = False
    delivered: bool = True
    interrupted_at: int | None = None
    audio_seconds: float = 0.0
    played_seconds: float | None = None
    generation: int = 0
    tools: Sequence[ToolUse] = ()

    @property
    def heard(self) -> str:
        """The part of the text that the user can have heard, cut after a word.

        All of it, unless the user cut in. Then what a player reported decides: the same share of
        the words as of the sound. Without a player it is what had come until then.
        """
        if self.interrupted_at is None:
            return self.text
        if self.played_seconds is None or not self.audio_seconds:
            return self.text[: self.interrupted_at]
        share = min(1.0, self.played_seconds / self.audio_seconds)
        return _whole_words(self.text, round(share * len(self.text)))


def _whole_words(text: str, length: int) -> str:
    """Cut so that no word is broken: the one in which the cut falls wasn't heard."""
    if length >= len(text) or text[length].isspace():
        return text[:length]
    spaces = [position for position in range(length) if text[position].isspace()]
    return text[: spaces[-1]] if spaces else ""


@attrs.define(eq=False)
class Answer:
    """What the model says in one turn, over all entries that it takes."""

    generation: int | None = None
    length: int = 0
    """Characters of all its entries."""
    seconds: float = 0.0
    played: float | None = None
    interrupted_at: int | None = None
    together: bool | None = None
    """Its transcript came in the frames of its sound."""
    newest: Draft | None = None


@attrs.define(eq=False)
class Draft:
    """An entry as it is kept: readers get copies."""

    index: int
    turn: int
    speaker: Speaker
    started: float
    ended: float
    typed: bool = False
    delivered: bool = True
    place: float = attrs.field(default=attrs.Factory(lambda self: self.index, takes_self=True))
    """Where it stands within its turn, among indices."""
    text: str = ""
    state: TextState = TextState.PARTIAL
    reason: str = ""
    closed: float | None = None
    marked: bool = False
    """``ended`` is what ``voiceActivity`` told."""
    answer: Answer | None = None
    offset: int = 0
    """How many characters of the answer stand in entries before."""
    tools: tuple[ToolUse, ...] = ()

    @property
    def size(self) -> int:
        """What it takes of the room."""
        return len(self.text) + ENTRY_COST * (1 + len(self.tools))

    def settle(self, call_id: str, state: Literal["answered", "cancelled"]) -> None:
        """Note what became of a tool call."""
        self.tools = tuple(
            attrs.evolve(use, state=state) if use.id == call_id and use.state == "open" else use
            for use in self.tools
        )

    def copied(self) -> Entry:
        """Return it as readers get it."""
        seconds, played, interrupted_at = self._sound()
        return Entry(
            index=self.index,
            turn=self.turn,
            speaker=self.speaker,
            text=self.text,
            state=self.state,
            reason=self.reason,
            started=self.started,
            ended=self.ended,
            closed=self.closed,
            typed=self.typed,
            delivered=self.delivered,
            interrupted_at=interrupted_at,
            audio_seconds=seconds,
            played_seconds=played,
            generation=(self.answer and self.answer.generation) or 0,
            tools=self.tools,
        )

    def _sound(self) -> tuple[float, float | None, int | None]:
        """Return this entry's part of its answer's sound, of what was played, and of the cut."""
        answer = self.answer
        if answer is None:
            return 0.0, None, None
        last = answer.newest is self
        if last and not self.offset:
            return answer.seconds, answer.played, answer.interrupted_at
        # Text leads the sound or trails it, so what came with each entry says little.
        rate = answer.seconds / answer.length if answer.length else 0.0
        seconds = rate * len(self.text)
        played = None
        if answer.played is not None:
            played = max(0.0, answer.played - rate * self.offset)
            played = played if last else min(played, seconds)
        if answer.interrupted_at is None:
            return seconds, played, None
        cut = answer.interrupted_at
        if played is not None and seconds:
            whole = played >= seconds
        else:
            whole = cut >= self.offset + len(self.text)
        if whole and not last:
            return seconds, played, None
        return seconds, played, min(max(0, cut - self.offset), len(self.text))


_NAMES: Final = {Speaker.USER: "User", Speaker.MODEL: "Model"}


def as_markdown(entries: Iterable[Entry]) -> str:
    """Write entries out for people: a paragraph for each, tool calls in their place."""
    return "\n".join(_markdown(entry) for entry in entries if entry.text or entry.tools)


def _markdown(entry: Entry) -> str:
    text = entry.text if entry.interrupted_at is None else entry.heard
    for use in sorted(entry.tools, key=lambda use: use.offset, reverse=True):
        mark = f" `{use.name}()` {use.state} "
        text = text[: use.offset] + mark + text[use.offset :]
    cut = " *(interrupted)*" if entry.interrupted_at is not None else ""
    unsure = "" if entry.delivered else " *(not known to be delivered)*"
    return f"**{_NAMES[entry.speaker]}:** {' '.join(text.split())}{cut}{unsure}\n"


def as_json(entries: Iterable[Entry]) -> str:
    """Write entries out for programs: a list of objects."""
    return json.dumps([_plain(entry) for entry in entries], ensure_ascii=False)


def _plain(entry: Entry) -> dict[str, object]:
    plain = attrs.asdict(entry, value_serializer=lambda _, __, value: _name_of(value))
    return {**plain, "heard": entry.heard}


def _name_of(value: object) -> object:
    return value.value if isinstance(value, Speaker | TextState) else value
