"""What was said, by whom, and how much of it was heard.

A ``Transcript`` is fed with events, in the order in which they came, and with what the client
itself said. It makes one ``Entry`` of each utterance. ``session.transcript`` is kept by the
session; one for the events of a recording is made and fed by whoever reads it.

Why it isn't enough to append:

* The service promises no order between what it heard, what it says, and the sound. So inside one
  turn there is one entry for the user's speech and one for the model's, wherever the pieces fall.
  Indices count entries as they began; ``in_order``, exports and seeds put a question before its
  answer, also where it was written down later.
* It hardly ever says that a piece was the last one. An entry is ``FINAL`` where it was said, and
  ``INFERRED`` where something else shows it, with the reason.
* The pieces carry their own spaces. They are joined as they are.

What belongs to the next turn is told by three signs: ``interrupted``, speech that begins while the
model is answering (``voiceActivity``), and the end of the turn. A model that sends no
``voiceActivity`` may thus have the first words of an interruption put at the end of the question
before, if their transcript comes before ``interrupted`` does. What the client writes while the
model is answering belongs to the next turn.

A piece of the model's transcript that comes after the end of its turn belongs to the answer that
ended, if it comes within two seconds, in a frame without sound, and before other output:

* Where transcript and sound share their frames (3.1, 3.8), a piece alone can't begin an answer, so
  this holds whatever the user has said since; also while ``voiceActivity`` says that the user is
  still speaking.
* Elsewhere (2.5) the transcript may lead the sound. There a piece after the next question began, a
  tool's answer, or an end that said ``IN_PROGRESS`` begins the next answer, and after an
  interruption half a second counts. That is wrong for a late piece after the first words of a
  question, and for a very quick answer to a question that isn't transcribed.

Nothing here waits or looks at a clock: times are given, in seconds on any steady clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal, overload

from .. import events, wire
from ..events import Event, Speaker, TextState, TranscriptUpdate
from ._entries import ENTRY_COST, Answer, Draft, Entry, ToolUse
from ._entries import as_json as as_json
from ._entries import as_markdown as as_markdown

__all__ = ["Entry", "Speaker", "TextState", "ToolUse", "Transcript", "as_json", "as_markdown"]

MOST_CHARACTERS: Final = 2**20
"""Kept by default: some twenty hours of talk. Each entry and tool call takes a hundred of it."""
LONGEST_ENTRY: Final = 8 * 2**10
"""Characters after which an entry is closed where nothing else ends it, as in a translation; a
tool call counts for a hundred."""
TRAILING_SECONDS: Final = 2.0
"""How long after ``turnComplete`` a piece of transcript may still belong to it, and a mark of
``voiceActivity`` to a transcript that comes later."""
QUICKEST_ANSWER: Final = 0.5
"""Seconds after an interrupted turn in which no other answer begins."""
ONE_BLOCK: Final = 0.02
"""Seconds of sound that a player may keep for itself, and yet have played all."""

_TURN_OVER: Final = "the model's turn ended"
_INTERRUPTED: Final = "the user interrupted the model"
_SPOKE_AGAIN: Final = "the user began to speak again"
_WRITTEN_DOWN: Final = "the service finished writing it down"
_TOO_LONG: Final = "it was too long for one entry"


class Transcript(Sequence[Entry]):
    """Utterances in the order in which they began; the oldest make room.

    An index counts what is still kept; ``Entry.index`` counts all there ever were.

    Args:
      most_characters: How much text is kept, as ``MOST_CHARACTERS`` counts.

    Attributes:
      dropped: How many entries had to make room.
      interim: The service's newest guess at what the user is saying, where it makes any.
    """

    def __init__(self, *, most_characters: int = MOST_CHARACTERS) -> None:
        self._most_characters = most_characters
        self._drafts: deque[Draft] = deque()
        self._characters = 0
        self.dropped: int = 0
        self.interim: str = ""
        self._user: Draft | None = None
        self._model: Draft | None = None
        self._spoken: Draft | None = None
        """The newest entry of the user's speech, open or not."""
        self._late: Draft | None = None
        """The answer that was closed last, while late pieces may still belong to it."""
        self._run: Answer | None = None
        """The answer of this turn."""
        self._newest: Answer | None = None
        """The newest answer of all, which may still be playing."""
        self._sounds: dict[int, Answer] = {}
        self._calls: dict[str, Draft] = {}
        """Where open tool calls stand."""
        self._turn = 1
        self._turns_used = 0
        self._first: int | None = None
        """Where the answer of this turn begins."""
        self._goes_on = False
        """The user's speech of this turn was too long for one entry."""
        self._output = False
        """The model has begun to answer in this turn."""
        self._interrupted = False
        self._barged_in = False
        """Speech has begun since the model began to answer."""
        self._spoke = False
        """An utterance of the user has ended, as the service heard it."""
        self._asked = False
        """The next answer may come: something was asked since the newest began."""
        self._speech_began: float | None = None
        """When the speech began of which no text has come yet, by ``voiceActivity``."""
        self._speech_ended: float | None = None

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

    def __iter__(self) -> Iterator[Entry]:
        return (draft.copied() for draft in tuple(self._drafts))

    def __reversed__(self) -> Iterator[Entry]:
        return (draft.copied() for draft in tuple(self._drafts)[::-1])

    def __repr__(self) -> str:
        return f"<Transcript of {len(self)} entries, {self.dropped} dropped>"

    def in_order(self) -> Sequence[Entry]:
        """Return the entries turn by turn, each question before its answer."""
        return tuple(draft.copied() for draft in self._in_order())

    def _in_order(self) -> list[Draft]:
        return sorted(self._drafts, key=lambda draft: (draft.turn, draft.place, draft.index))

    def to_markdown(self) -> str:
        """Return it for people: a paragraph for each utterance, tool calls in their place."""
        return as_markdown(self.in_order())

    def to_json(self) -> str:
        """Return it for programs: a JSON list with an object for each entry, times in seconds."""
        return as_json(self.in_order())

    def contents(self, *, most_characters: int = 64 * 2**10) -> list[wire.Content]:
        """Return what the service has heard and said, as another conversation can begin with it.

        What was cut off by the user goes in as far as it was heard.

        Args:
          most_characters: The oldest entries are left out beyond that; 64 Ki characters are about
            16,000 tokens.
        """
        contents: deque[wire.Content] = deque()
        room = most_characters
        for draft in reversed(self._in_order()):
            if not draft.delivered or not draft.text:
                continue
            entry = draft.copied()
            text = entry.heard
            if not text:
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
        self._asked = True
        # What is written while the model answers is for the next turn.
        turn = self._turn + self._output
        draft = self._begin(speaker, turn, now, typed=True, delivered=delivered)
        draft.state, draft.closed = TextState.FINAL, now
        self._append(draft, text, updates)
        if speaker is Speaker.MODEL and not self._output:
            self._next_turn()
        return updates

    def confirm(self, index: int) -> None:
        """Note that the service has the utterance with this ``Entry.index``."""
        if (draft := self._find(index)) is not None:
            draft.delivered = True

    def answered(self, call_ids: Iterable[str]) -> None:
        """Note that this client has answered these tool calls."""
        self._settle(call_ids, "answered")
        self._asked = True

    def played(self, generation: int, seconds: float) -> None:
        """Note how much of an answer's sound was played, as a player knows it.

        Args:
          generation: The answer's number, as ``ModelAudio.generation`` gives it.
          seconds: From the answer's first sample; never negative.
        """
        if (answer := self._sounds.get(generation)) is not None:
            answer.played = max(0.0, seconds)

    def sound_of(self, generation: int) -> tuple[float, float | None]:
        """Return how many seconds of sound an answer has, and how many of them were played."""
        answer = self._sounds.get(generation)
        return (0.0, None) if answer is None else (answer.seconds, answer.played)

    def end(self, now: float, reason: str) -> Sequence[TranscriptUpdate]:
        """Close what is open, because nothing more of it can come."""
        updates: list[TranscriptUpdate] = []
        self._close_user(reason, now, updates)
        self._close_model(reason, now, updates)
        if self._output:
            self._next_turn()
        self._output = self._interrupted = self._barged_in = self._spoke = False
        self._run = self._late = self._speech_began = self._speech_ended = None
        self.interim = ""
        return updates

    # --- What each kind of event does ------------------------------------------------------

    def _take_input(
        self, event: events.InputTranscription, now: float, updates: list[TranscriptUpdate]
    ) -> None:
        self.interim = ""
        if event.text:
            if self._user is None:
                self._user = self._begin_speech(now)
            elif not self._user.marked:
                self._user.ended = now
            if self._user.turn > self._turn or not self._output:
                self._asked = True
            self._append(self._user, event.text, updates)
        if self._user is None:
            return
        if event.finished:
            self._close(self._user, TextState.FINAL, "", now, updates)
            self._user = None
        elif len(self._user.text) > LONGEST_ENTRY:
            self._goes_on = self._user.turn == self._turn
            self._close_user(_TOO_LONG, now, updates)

    def _begin_speech(self, now: float) -> Draft:
        """Begin an entry with what ``voiceActivity`` told of its times."""
        ahead = self._interrupted or self._barged_in
        started = now if self._speech_began is None else self._speech_began
        draft = self._begin(Speaker.USER, self._turn + ahead, started)
        draft.marked = self._speech_ended is not None
        draft.ended = now if self._speech_ended is None else self._speech_ended
        self._speech_began = self._speech_ended = None
        if self._first is not None and not ahead and not self._goes_on:
            draft.place = self._first - 0.5
        self._spoken = draft
        return draft

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
        self._asked = True
        if event.activity != wire.VoiceActivityType.ACTIVITY_START:
            self._spoke = True
            if self._speech_began is not None:
                self._speech_ended = now
            elif self._spoken is not None and not self._spoken.marked:
                self._spoken.ended, self._spoken.marked = now, True
            return
        if self._output or self._spoke:
            self._close_user(_SPOKE_AGAIN, now, updates)
        self._barged_in = self._output
        self._spoke = False
        if self._user is None:
            ended, self._speech_ended = self._speech_ended, None
            # Text may come after the next speech has begun; then it is the text of both.
            if ended is None or now > ended + TRAILING_SECONDS:
                self._speech_began = now

    def _take_words(
        self,
        event: events.OutputTranscription | events.ModelText,
        now: float,
        updates: list[TranscriptUpdate],
    ) -> None:
        if not event.text:
            return
        typed = isinstance(event, events.ModelText)
        if self._late is not None and not typed and self._is_late(self._late, event, now):
            self._append(self._late, event.text, updates)
            return
        draft = self._answer(now, typed=typed)
        if not typed and draft.answer is not None:
            draft.answer.together = draft.answer.together is not False and not _is_alone(event)
        draft.ended = now
        self._append(draft, event.text, updates)
        self._bound(draft, now, updates)

    def _take_audio(
        self, event: events.ModelAudio, now: float, _updates: list[TranscriptUpdate]
    ) -> None:
        draft = self._model or self._answer(now)
        answer = draft.answer
        if self._interrupted or event.stale or answer is None:
            return
        draft.ended = now
        answer.seconds += event.seconds
        if answer.generation is None:
            answer.generation = event.generation
            self._sounds[event.generation] = answer

    def _take_thought(
        self,
        _event: events.ModelThought | events.ExecutableCode,
        _now: float,
        _updates: list[TranscriptUpdate],
    ) -> None:
        self._late = None  # the next answer begins, which may go on with a transcript

    def _take_call(
        self, event: events.ToolCall, now: float, updates: list[TranscriptUpdate]
    ) -> None:
        draft = self._answer(now)
        draft.ended = now
        draft.tools += (ToolUse(event.id, event.name, len(draft.text), now),)
        if event.id is not None:
            self._calls[event.id] = draft
        self._charge(ENTRY_COST)
        self._bound(draft, now, updates)

    def _take_cancellation(
        self, event: events.ToolCallCancellation, _now: float, _updates: list[TranscriptUpdate]
    ) -> None:
        self._settle(event.ids, "cancelled")

    def _take_interruption(
        self, event: events.Interrupted, now: float, updates: list[TranscriptUpdate]
    ) -> None:
        if event.spurious or not self._output:
            # The turn is over for the service, and may yet be playing.
            answer = self._newest
            if (
                answer is not None
                and answer.interrupted_at is None
                and answer.played is not None
                and answer.played < answer.seconds - ONE_BLOCK
            ):
                answer.interrupted_at = answer.length
            return
        self._interrupted = True
        if self._run is not None and self._run.interrupted_at is None:
            self._run.interrupted_at = max(0, self._run.length - _came_along(event))
        if self._user is not None and self._user.turn == self._turn:
            self._close_user(_INTERRUPTED, now, updates)

    def _take_generated(
        self, _event: events.GenerationComplete, now: float, updates: list[TranscriptUpdate]
    ) -> None:
        if not self._output:
            # Nothing was answered: it is a model that only writes down.
            self._close_user(_WRITTEN_DOWN, now, updates)
            self._next_turn()

    def _take_end(
        self, event: events.TurnComplete, now: float, updates: list[TranscriptUpdate]
    ) -> None:
        if self._model is not None:
            self._late = self._model
            self._close(self._model, TextState.FINAL, "", now, updates)
            self._model = None
        if event.interaction_status == wire.InteractionStatus.IN_PROGRESS:
            self._asked = True
        if self._user is not None and self._user.turn == self._turn:
            self._close_user(_TURN_OVER, now, updates)
        self._next_turn()
        self._run = None
        self._output = self._interrupted = self._barged_in = False

    # --- Entries ---------------------------------------------------------------------------

    def _answer(self, now: float, *, typed: bool = False) -> Draft:
        self._output = True
        self._late = None
        if self._model is None:
            if self._run is None:
                self._run = self._newest = Answer()
                self._asked = False
            draft = self._begin(Speaker.MODEL, self._turn, now, typed=typed, answer=self._run)
            if self._first is None:
                self._first = draft.index
            self._model = draft
        return self._model

    def _is_late(self, late: Draft, event: events.ServerEvent, now: float) -> bool:
        """Whether a piece of transcript is the late end of an answer whose turn is over."""
        answer = late.answer
        if answer is None or late.closed is None or not _is_alone(event):
            return False
        window = TRAILING_SECONDS
        if not answer.together:
            if self._asked:
                return False
            if answer.interrupted_at is not None:
                window = QUICKEST_ANSWER
        return now <= late.closed + window and late.size <= LONGEST_ENTRY

    def _next_turn(self) -> None:
        """A turn is over; one in which nothing was said has no number."""
        if self._turns_used >= self._turn:
            self._turn += 1
        self._first = None
        self._goes_on = False

    def _begin(
        self,
        speaker: Speaker,
        turn: int,
        now: float,
        *,
        typed: bool = False,
        delivered: bool = True,
        answer: Answer | None = None,
    ) -> Draft:
        index = self.dropped + len(self._drafts)
        draft = Draft(index, turn, speaker, now, now, typed, delivered)
        if answer is not None:
            draft.answer, draft.offset = answer, answer.length
            answer.newest = draft
        self._turns_used = max(self._turns_used, turn)
        self._drafts.append(draft)
        self._charge(ENTRY_COST)
        return draft

    def _append(self, draft: Draft, text: str, updates: list[TranscriptUpdate]) -> None:
        draft.text += text
        if draft.answer is not None:
            draft.answer.length += len(text)
        _tell(draft, text, updates)
        self._charge(len(text))

    def _charge(self, characters: int) -> None:
        """Make room for what was added; the newest entry stays."""
        self._characters += characters
        while self._characters > self._most_characters and len(self._drafts) > 1:
            self._drop(self._drafts.popleft())

    def _drop(self, draft: Draft) -> None:
        self._characters -= draft.size
        self.dropped += 1
        for use in draft.tools:
            if use.id is not None and self._calls.get(use.id) is draft:
                del self._calls[use.id]
        answer = draft.answer
        if answer is not None and answer.newest is draft:
            generation = answer.generation
            if generation is not None and self._sounds.get(generation) is answer:
                del self._sounds[generation]
            if self._run is answer:
                self._run = None
        # What still comes of it begins another entry.
        if self._user is draft:
            self._user = None
        if self._model is draft:
            self._model = None
        if self._late is draft:
            self._late = None

    def _bound(self, draft: Draft, now: float, updates: list[TranscriptUpdate]) -> None:
        if draft.size - ENTRY_COST > LONGEST_ENTRY:
            self._close_model(_TOO_LONG, now, updates)

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
        draft: Draft,
        state: TextState,
        reason: str,
        now: float,
        updates: list[TranscriptUpdate],
    ) -> None:
        draft.state, draft.reason, draft.closed = state, reason, now
        _tell(draft, "", updates)

    def _settle(self, call_ids: Iterable[str], state: Literal["answered", "cancelled"]) -> None:
        """Note what became of tool calls; an answer may come long after its entry was closed."""
        for call_id in call_ids:
            if (draft := self._calls.pop(call_id, None)) is not None:
                draft.settle(call_id, state)

    def _find(self, index: int) -> Draft | None:
        place = index - self.dropped
        return self._drafts[place] if 0 <= place < len(self._drafts) else None


def _tell(draft: Draft, delta: str, updates: list[TranscriptUpdate]) -> None:
    updates.append(
        TranscriptUpdate(draft.index, draft.speaker, delta, draft.text, draft.state, draft.reason)
    )


def _is_alone(event: events.ServerEvent) -> bool:
    """Whether a piece of transcript came in a frame without sound."""
    content = event.message.server_content
    return content is None or content.model_turn is None


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
    events.ModelThought: Transcript._take_thought,
    events.ExecutableCode: Transcript._take_thought,
    events.ToolCall: Transcript._take_call,
    events.ToolCallCancellation: Transcript._take_cancellation,
    events.Interrupted: Transcript._take_interruption,
    events.GenerationComplete: Transcript._take_generated,
    events.TurnComplete: Transcript._take_end,
}
