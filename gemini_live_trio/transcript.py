"""What was said, by whom, and how much of it was heard.

A ``Transcript`` is fed with events, in the order in which they came, and with what the client
itself said. It makes one ``Entry`` of each utterance. ``session.transcript`` is kept by the
session; one for the events of a recording is made and fed by whoever reads it.

Why it isn't enough to append:

* The service promises no order between what it heard, what it says, and the sound. So inside one
  turn there is one entry for the user's speech and one for the model's, wherever the pieces fall.
* It hardly ever says that a piece was the last one. An entry is ``FINAL`` where it was said, and
  ``INFERRED`` where something else shows it, with the reason.
* The pieces carry their own spaces. They are joined as they are.

What belongs to the next turn is told by three signs: ``interrupted``, speech that begins while the
model is answering (``voiceActivity``), and the end of the turn. A model that sends no
``voiceActivity`` may thus have the first words of an interruption put at the end of the question
before, if their transcript comes before ``interrupted`` does.

Nothing here waits or looks at a clock: times are given, in seconds on any steady clock.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, overload

import attrs

from . import events, wire
from .events import Event, Speaker, TextState, TranscriptUpdate

__all__ = ["Entry", "Speaker", "TextState", "ToolUse", "Transcript"]

MOST_CHARACTERS: Final = 2**20
"""Kept by default: some twenty hours of talk."""
LONGEST_ENTRY: Final = 8 * 2**10
"""Characters after which an entry is closed where nothing else ends it, as in a translation."""
TRAILING_SECONDS: Final = 2.0
"""How long after ``turnComplete`` a piece of transcript may still belong to it."""

_TURN_OVER: Final = "the model's turn ended"
_INTERRUPTED: Final = "the user interrupted the model"
_SPOKE_AGAIN: Final = "the user began to speak again"
_WRITTEN_DOWN: Final = "the service finished writing it down"
_TOO_LONG: Final = "it was too long for one entry"
_CONNECTION_OVER: Final = "the connection ended"


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
      speaker: Who said it.
      text: All that the service wrote down, its pieces joined as they came.
      state: Whether more of it may come.
      reason: Why it is taken to be final, where that was inferred.
      started: When it began: with the first sound or the first piece of text.
      ended: When it was closed, ``None`` while it is open.
      typed: Whether it was written rather than spoken; answers in text are.
      delivered: Whether the service is known to have it; only what this client sent can lack that.
      interrupted_at: How many characters had come when the user cut in, ``None`` if nobody did.
      audio_seconds: How much sound came with it.
      played_seconds: How much of that was played, ``None`` where no player tells.
      generation: ``ModelAudio.generation`` of its sound; 0 where there was none.
      tools: The functions that were called in it.
    """

    index: int
    speaker: Speaker
    text: str = ""
    state: TextState = TextState.PARTIAL
    reason: str = ""
    started: float = 0.0
    ended: float | None = None
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
class _Draft:
    """An entry as it is kept: readers get copies."""

    index: int
    speaker: Speaker
    started: float
    typed: bool
    delivered: bool
    text: str = ""
    state: TextState = TextState.PARTIAL
    reason: str = ""
    ended: float | None = None
    interrupted_at: int | None = None
    audio_seconds: float = 0.0
    played_seconds: float | None = None
    generation: int = 0
    tools: tuple[ToolUse, ...] = ()
    ahead: bool = False
    """It belongs to the turn after the running one."""

    def copied(self) -> Entry:
        return Entry(**{name: getattr(self, name) for name in _FIELDS})


_FIELDS: Final = tuple(field.name for field in attrs.fields(Entry))


class Transcript(Sequence[Entry]):
    """Utterances in the order in which they began; the oldest make room.

    An index counts what is still kept; ``Entry.index`` counts all there ever were.

    Args:
      most_characters: How much text is kept.

    Attributes:
      dropped: How many entries had to make room.
      interim: The service's newest guess at what the user is saying, where it makes any.
    """

    def __init__(self, *, most_characters: int = MOST_CHARACTERS) -> None:
        self._most_characters = most_characters
        self._drafts: deque[_Draft] = deque()
        self._characters = 0
        self.dropped: int = 0
        self.interim: str = ""
        self._user: _Draft | None = None
        self._model: _Draft | None = None
        self._last: _Draft | None = None
        """The answer that was closed last, while late pieces may still belong to it."""
        self._output = False
        """The model has begun to answer in this turn."""
        self._interrupted = False
        self._barged_in = False
        """Speech has begun since the model began to answer."""
        self._spoke = False
        """An utterance of the user has ended, as the service heard it."""

    # --- Reading ---------------------------------------------------------------------------

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | Sequence[Entry]:
        if isinstance(index, slice):
            return tuple(draft.copied() for draft in tuple(self._drafts)[index])
        return self._drafts[index].copied()

    def __len__(self) -> int:
        return len(self._drafts)

    def __repr__(self) -> str:
        return f"<Transcript of {len(self)} entries, {self.dropped} dropped>"

    def to_markdown(self) -> str:
        """Return it for people: a paragraph for each utterance, tool calls in their place."""
        return "\n".join(_markdown(entry) for entry in self if entry.text or entry.tools)

    def to_json(self) -> str:
        """Return it for programs: a JSON list with an object for each entry, times in seconds."""
        return json.dumps([_plain(entry) for entry in self], ensure_ascii=False)

    def contents(self, *, most_characters: int = 64 * 2**10) -> list[wire.Content]:
        """Return what the service has heard and said, as another conversation can begin with it.

        What was cut off by the user goes in as far as it was heard.

        Args:
          most_characters: The oldest entries are left out beyond that; 64 Ki characters are about
            16,000 tokens.
        """
        contents: deque[wire.Content] = deque()
        room = most_characters
        for entry in reversed(self):
            text = entry.heard
            if not entry.delivered or not text:
                continue
            room -= len(text)
            if room < 0 and contents:
                break
            contents.appendleft(
                wire.Content(role=entry.speaker.value, parts=[wire.Part(text=text)])
            )
        return list(contents)

    # --- Feeding ---------------------------------------------------------------------------

    def feed(self, event: Event, now: float) -> Sequence[TranscriptUpdate]:
        """Take the next event; return what that changed, mostly nothing.

        Args:
          event: As it came from a session or from ``codec.to_events``, each once and in order.
          now: When it came.
        """
        take = _TAKES.get(type(event))
        if take is None:
            return ()
        updates: list[TranscriptUpdate] = []
        take(self, event, now, updates)
        return updates

    def said(
        self, speaker: Speaker, text: str, now: float, *, delivered: bool = True
    ) -> Sequence[TranscriptUpdate]:
        """Take a whole utterance in writing, which this client sends.

        Args:
          speaker: Whose words they are.
          text: All of it; an empty text leaves no entry.
          now: When it was sent.
          delivered: Whether the service is known to have it; else ``confirm`` tells later.
        """
        if not text:
            return ()
        updates: list[TranscriptUpdate] = []
        self._last = None
        draft = self._begin(speaker, now, typed=True, delivered=delivered)
        draft.state, draft.ended = TextState.FINAL, now
        self._append(draft, text, updates)
        return updates

    def confirm(self, index: int) -> None:
        """Note that the service has the utterance with this ``Entry.index``."""
        if (draft := self._find(index)) is not None:
            draft.delivered = True

    def answered(self, call_ids: Iterable[str]) -> None:
        """Note that this client has answered these tool calls."""
        self._settle(set(call_ids), "answered")
        self._last = None

    def played(self, generation: int, seconds: float) -> None:
        """Note how much of an answer's sound was played, as a player knows it.

        Args:
          generation: The answer's number, as ``ModelAudio.generation`` gives it.
          seconds: From the answer's first sample; never negative.
        """
        for draft in reversed(self._drafts):
            if draft.generation == generation and draft.speaker is Speaker.MODEL:
                draft.played_seconds = max(0.0, seconds)
                return

    def sound_of(self, generation: int) -> tuple[float, float | None]:
        """Return how many seconds of sound an answer has, and how many of them were played."""
        for draft in reversed(self._drafts):
            if draft.generation == generation and draft.speaker is Speaker.MODEL:
                return draft.audio_seconds, draft.played_seconds
        return 0.0, None

    def end(self, now: float, reason: str) -> Sequence[TranscriptUpdate]:
        """Close what is open, because nothing more of it can come."""
        updates: list[TranscriptUpdate] = []
        self._close_user(reason, now, updates)
        self._close_model(reason, now, updates)
        self._output = self._interrupted = self._barged_in = self._spoke = False
        self._last = None
        self.interim = ""
        return updates

    # --- What each kind of event does ------------------------------------------------------

    def _take_input(
        self, event: events.InputTranscription, now: float, updates: list[TranscriptUpdate]
    ) -> None:
        self.interim = ""
        if event.text:
            self._last = None
            if self._user is None:
                self._user = self._begin(Speaker.USER, now)
                self._user.ahead = self._interrupted or self._barged_in
            self._append(self._user, event.text, updates)
        if self._user is None:
            return
        if event.finished:
            self._close(self._user, TextState.FINAL, "", now, updates)
            self._user = None
        elif len(self._user.text) > LONGEST_ENTRY:
            self._close_user(_TOO_LONG, now, updates)

    def _take_interim(
        self,
        event: events.InterimInputTranscription,
        _now: float,
        _updates: list[TranscriptUpdate],
    ) -> None:
        self.interim = event.text

    def _take_activity(
        self, event: events.VoiceActivity, now: float, updates: list[TranscriptUpdate]
    ) -> None:
        if event.activity != wire.VoiceActivityType.ACTIVITY_START:
            self._spoke = True
            return
        self._last = None
        if self._output or self._spoke:
            self._close_user(_SPOKE_AGAIN, now, updates)
        self._barged_in = self._output
        self._spoke = False

    def _take_words(
        self,
        event: events.OutputTranscription | events.ModelText,
        now: float,
        updates: list[TranscriptUpdate],
    ) -> None:
        if not event.text:
            return
        typed = isinstance(event, events.ModelText)
        if self._last is not None and not typed and self._belongs_to(self._last, event, now):
            self._append(self._last, event.text, updates)
            return
        draft = self._answer(now, typed=typed)
        self._append(draft, event.text, updates)
        if len(draft.text) > LONGEST_ENTRY:
            self._close_model(_TOO_LONG, now, updates)

    def _take_audio(
        self, event: events.ModelAudio, now: float, _updates: list[TranscriptUpdate]
    ) -> None:
        draft = self._model or self._answer(now)
        if not self._interrupted and not event.stale:
            draft.audio_seconds += event.seconds
            draft.generation = event.generation

    def _take_call(
        self, event: events.ToolCall, now: float, _updates: list[TranscriptUpdate]
    ) -> None:
        draft = self._answer(now)
        draft.tools += (ToolUse(event.id, event.name, len(draft.text), now),)

    def _take_cancellation(
        self, event: events.ToolCallCancellation, _now: float, _updates: list[TranscriptUpdate]
    ) -> None:
        self._settle(set(event.ids), "cancelled")

    def _take_interruption(
        self, event: events.Interrupted, now: float, updates: list[TranscriptUpdate]
    ) -> None:
        if event.spurious or not self._output:
            return
        self._interrupted = True
        if self._model is not None and self._model.interrupted_at is None:
            self._model.interrupted_at = max(0, len(self._model.text) - _came_along(event))
        if self._user is not None and not self._user.ahead:
            self._close_user(_INTERRUPTED, now, updates)

    def _take_generated(
        self, _event: events.GenerationComplete, now: float, updates: list[TranscriptUpdate]
    ) -> None:
        if not self._output:
            # Nothing was answered: it is a model that only writes down.
            self._close_user(_WRITTEN_DOWN, now, updates)

    def _take_end(
        self, event: events.TurnComplete, now: float, updates: list[TranscriptUpdate]
    ) -> None:
        more = event.interaction_status == wire.InteractionStatus.IN_PROGRESS
        if self._model is not None:
            self._last = None if more or self._interrupted else self._model
            self._close(self._model, TextState.FINAL, "", now, updates)
            self._model = None
        if self._user is not None and self._user.ahead:
            self._user.ahead = False
        else:
            self._close_user(_TURN_OVER, now, updates)
        self._output = self._interrupted = self._barged_in = False

    # --- Entries ---------------------------------------------------------------------------

    def _answer(self, now: float, *, typed: bool = False) -> _Draft:
        self._output = True
        self._last = None
        if self._model is None:
            self._model = self._begin(Speaker.MODEL, now, typed=typed)
        return self._model

    @staticmethod
    def _belongs_to(last: _Draft, event: events.ServerEvent, now: float) -> bool:
        """Whether a piece of transcript is the late end of an answer that was complete."""
        content = event.message.server_content
        alone = content is None or content.model_turn is None
        return alone and last.ended is not None and now <= last.ended + TRAILING_SECONDS

    def _begin(
        self, speaker: Speaker, now: float, *, typed: bool = False, delivered: bool = True
    ) -> _Draft:
        draft = _Draft(self.dropped + len(self._drafts), speaker, now, typed, delivered)
        self._drafts.append(draft)
        return draft

    def _append(self, draft: _Draft, text: str, updates: list[TranscriptUpdate]) -> None:
        draft.text += text
        _tell(draft, text, updates)
        self._characters += len(text)
        while self._characters > self._most_characters and len(self._drafts) > 1:
            self._characters -= len(self._drafts.popleft().text)
            self.dropped += 1

    def _close_user(self, reason: str, now: float, updates: list[TranscriptUpdate]) -> None:
        if self._user is not None:
            self._close(self._user, TextState.INFERRED, reason, now, updates)
            self._user = None

    def _close_model(self, reason: str, now: float, updates: list[TranscriptUpdate]) -> None:
        if self._model is not None:
            self._close(self._model, TextState.INFERRED, reason, now, updates)
            self._model = None

    @staticmethod
    def _close(
        draft: _Draft,
        state: TextState,
        reason: str,
        now: float,
        updates: list[TranscriptUpdate],
    ) -> None:
        draft.state, draft.reason, draft.ended = state, reason, now
        _tell(draft, "", updates)

    def _settle(self, call_ids: set[str], state: Literal["answered", "cancelled"]) -> None:
        """Note what became of tool calls; an answer may come long after its entry was closed."""
        for draft in self._drafts:
            if draft.tools:
                draft.tools = tuple(
                    attrs.evolve(use, state=state)
                    if use.id in call_ids and use.state == "open"
                    else use
                    for use in draft.tools
                )

    def _find(self, index: int) -> _Draft | None:
        place = index - self.dropped
        return self._drafts[place] if 0 <= place < len(self._drafts) else None


def _tell(draft: _Draft, delta: str, updates: list[TranscriptUpdate]) -> None:
    updates.append(
        TranscriptUpdate(draft.index, draft.speaker, delta, draft.text, draft.state, draft.reason)
    )


def _came_along(event: events.Interrupted) -> int:
    """Count the characters in the interruption's own frame, which nobody can have heard."""
    content = event.message.server_content
    if content is None:
        return 0
    spoken = content.output_transcription
    count = len(spoken.text or "") if spoken is not None else 0
    if content.model_turn is not None:
        count += sum(
            len(part.text) for part in content.model_turn.parts if part.text and not part.thought
        )
    return count


_TAKES: Final[dict[type[Event], Any]] = {
    events.InputTranscription: Transcript._take_input,
    events.InterimInputTranscription: Transcript._take_interim,
    events.VoiceActivity: Transcript._take_activity,
    events.OutputTranscription: Transcript._take_words,
    events.ModelText: Transcript._take_words,
    events.ModelAudio: Transcript._take_audio,
    events.ToolCall: Transcript._take_call,
    events.ToolCallCancellation: Transcript._take_cancellation,
    events.Interrupted: Transcript._take_interruption,
    events.GenerationComplete: Transcript._take_generated,
    events.TurnComplete: Transcript._take_end,
}


def _markdown(entry: Entry) -> str:
    text = entry.text if entry.interrupted_at is None else entry.heard
    for use in sorted(entry.tools, key=lambda use: use.offset, reverse=True):
        mark = f" `{use.name}()` {use.state} "
        text = text[: use.offset] + mark + text[use.offset :]
    cut = " *(interrupted)*" if entry.interrupted_at is not None else ""
    unsure = "" if entry.delivered else " *(not known to be delivered)*"
    name = {Speaker.USER: "User", Speaker.MODEL: "Model"}[entry.speaker]
    return f"**{name}:** {' '.join(text.split())}{cut}{unsure}\n"


def _plain(entry: Entry) -> dict[str, object]:
    plain = attrs.asdict(entry, value_serializer=lambda _, __, value: _name_of(value))
    return {**plain, "heard": entry.heard}


def _name_of(value: object) -> object:
    return value.value if isinstance(value, Speaker | TextState) else value
