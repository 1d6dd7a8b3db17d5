"""Delivering one answer: in pieces, in step with its transcript, at the speed of its model.

The times of the pieces are counted from the first one, so a slow voice doesn't slow down what
comes after it. ``turnComplete`` comes when the answer would have been played. A ``Delivery`` says
what shall be otherwise.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

import attrs
import trio

from ... import wire
from .._checks._profiles import Profile
from .._mind._hands import Answer, Call
from .._mind._mind import Reply
from .._mind._voice import RATE_HZ, Voice, sentences
from .._sessions import Session, Turn
from ._delivery import Delivery
from ._frames import EMPTY, audio_part, code_of, content, fragments, phrases, result_of, turn_of
from ._usage import Tokens, usage_of

__all__ = ["Speaker"]

_PHRASE_SECONDS: Final = 0.08  # assumed: a text model writes some forty words a second
_ONE_SAMPLE: Final = b"\0\0"
_PREAMBLE: Final = "Let me think about that."
_THOUGHT: Final = (
    "**Considering the request**\n\nI look for the rule that fits what was said.\n\n\n"
)
_THOUGHT_TOKENS: Final = len(_THOUGHT) // 4
_NOTHING: Final = wire.LiveServerMessage(server_content=wire.LiveServerContent())

_Piece: TypeAlias = tuple[bytes, str]


class Speaker:
    """One answer, from its first frame to ``turnComplete``."""

    def __init__(
        self,
        *,
        send: Callable[[wire.LiveServerMessage], Awaitable[None]],
        setup: wire.LiveClientSetup,
        profile: Profile,
        session: Session,
        modality: wire.Modality,
        voice: Voice,
        pace: float,
        delivery: Delivery,
        take_heard: Callable[[], Sequence[str]],
    ) -> None:
        self._send = send
        self._profile = profile
        self._session = session
        self._modality = modality
        self._voice = voice
        self._pace = pace
        self._delivery = delivery
        self._take_heard = take_heard
        self._transcribes = setup.output_audio_transcription is not None
        thinking = (setup.generation_config or wire.GenerationConfig()).thinking_config
        self._thinks_aloud = bool(thinking and thinking.include_thoughts)
        thinks = profile.thoughts_count and (self._thinks_aloud or profile.preamble)
        self._thoughts = _THOUGHT_TOKENS if thinks else 0
        self._speed = delivery.speed or profile.speed
        # The time line of the whole turn, and what of it isn't in the history yet.
        self._begun: float | None = None
        self._played = 0.0
        self._pieces_sent = 0
        self._burst_at = 0.0
        self._late = 0.0
        self._said: list[str] = []
        self._seconds = 0.0
        self._calls: tuple[Call, ...] = ()
        # What the delivery keeps back.
        self._coming: Iterator[_Piece] = iter(())
        self._withheld: deque[_Piece] = deque()
        self._unshown = ""
        self._tokens: Tokens | None = None
        self._told = Tokens()

    # --- What an answer consists of ---

    async def begin(self) -> None:
        """Send what comes before the answer to a user: thoughts, and that it thinks."""
        if self._thinks_aloud:
            thought = wire.Part(text=_THOUGHT, thought=True)
            await self._send(content(model_turn=turn_of(self._profile, thought)))
        if self._profile.preamble:
            await self.speak(_PREAMBLE)
            await self.finish(self._in_progress, done=False)

    async def deliver(self, reply: Reply) -> None:
        """Send the whole answer; takes as long as it would take to play.

        Cancellation: what was sent is sent; ``cut_short`` then ends the turn.
        """
        if reply.text or not reply.waiting:
            await self.speak(reply.text)
        await self.finish(self._idle, waiting=reply.waiting)

    async def speak(self, text: str) -> None:
        """Send a text in the session's modality, and leave the turn open."""
        await self._open()
        if self._modality is wire.Modality.TEXT:
            for phrase in phrases(text, self._profile):
                part = wire.Part(text=phrase)
                await self._send(content(model_turn=turn_of(self._profile, part)))
                self._said.append(phrase)
                await trio.sleep(_PHRASE_SECONDS * self._pace)
            return
        if self._delivery.transcript == "before" and self._transcribes:
            for phrase in phrases(text, self._profile):
                await self._send(content(said=phrase))
        for sentence in sentences(text, self._profile.space):
            await self._send_sound(await self._voice.say(sentence), sentence)

    async def play(self, pcm: bytes, text: str) -> None:
        """Send a sound as the answer, with ``text`` for its transcript."""
        await self._open()
        if self._delivery.transcript == "before" and self._transcribes:
            await self._send(content(said=text))
        await self._send_sound(pcm, text)
        await self.finish(self._idle)

    async def call(self, calls: Sequence[wire.FunctionCall]) -> None:
        """Call functions, after what was said so far and is committed."""
        self._tokens = None
        self._calls += tuple(Call(call.name or "", call.args or {}) for call in calls)
        if self._profile.empty_frames != "none":
            await self._send(_NOTHING)
        if self._profile.shows_code:
            parts = map(code_of, self._calls[-len(calls) :])
            await self._send(content(model_turn=turn_of(self._profile, *parts)))
        await self._send(
            wire.LiveServerMessage(tool_call=wire.LiveServerToolCall(function_calls=calls))
        )
        if self._profile.vertex:
            await self._send(content(generation_complete=True))  # measured

    async def show_results(self, answers: Sequence[Answer]) -> None:
        """Show what functions gave, where the model does that."""
        if self._profile.shows_code and answers:
            parts = map(result_of, answers)
            await self._send(content(model_turn=turn_of(self._profile, *parts)))

    async def end_at_call(self) -> None:
        """End the turn at a call whose answer isn't waited for."""
        if self._profile.talks_on or self._begun is not None:
            await self.finish(self._in_progress)
            return
        self.commit(done=True)
        await self._close(self._in_progress)

    async def cut_short(self) -> None:
        """End the turn after it was interrupted."""
        late = self._delivery.late_audio
        pieces = [] if late not in {"after_interrupted", "with_interrupted"} else self._stragglers()
        if self._tokens is None:
            self.commit(done=True)
        self._withheld.clear()
        await self._show_rest()
        with_it = None
        if late == "with_interrupted":
            with_it, pieces = self._turn_with(pieces[0]), []
        await self._send(content(interrupted=True, model_turn=with_it))
        for sound in pieces:
            await self._send(content(model_turn=self._turn_with(sound)))
        await self._close(self._idle)

    async def finish(
        self, status: wire.InteractionStatus | None, *, done: bool = True, waiting: bool = False
    ) -> None:
        """End the turn, when the answer would have been played; ``done``: nothing is left to do."""
        with_turn = self._delivery.late_audio == "with_turn"
        while with_turn and len(self._withheld) > 1:
            await self._release()
        # Wholly made, it is part of the conversation, even if its connection ends here.
        unsaid, self._withheld = self._withheld, deque()
        for sound, said in unsaid:
            self._note(sound, said)
            if self._delivery.transcript != "before":
                self._unshown += said
        self.commit(done=done)
        if self._delivery.transcript != "late":
            await self._show_rest()
        if self._transcribes and self._profile.vertex and self._modality is wire.Modality.AUDIO:
            finished = wire.Transcription(finished=True)
            await self._send(
                wire.LiveServerMessage(
                    server_content=wire.LiveServerContent(output_transcription=finished)
                )
            )
        if self._delivery.heard == "after_answer":
            await self._tell_heard()
        if not waiting:
            usage = self._usage() if self._delivery.usage == "repeated" else None
            await self._send(content(generation_complete=True, usage=usage))
        if self._begun is not None:
            await trio.sleep_until(self._begun + self._late + self._played * self._pace)
        await self._close(status, [sound for sound, _ in unsaid if sound], waiting=waiting)

    # --- Sound, in pieces ---

    @property
    def _idle(self) -> wire.InteractionStatus | None:
        return wire.InteractionStatus.IDLE if self._profile.preamble else None

    @property
    def _in_progress(self) -> wire.InteractionStatus | None:
        return wire.InteractionStatus.IN_PROGRESS if self._profile.preamble else None

    async def _open(self) -> None:
        if self._profile.empty_frames != "none":
            await self._send(_NOTHING)
        if self._profile.first_sample and self._modality is wire.Modality.AUDIO:
            await self._send(content(model_turn=self._turn_with(_ONE_SAMPLE)))

    async def _send_sound(self, pcm: bytes, text: str) -> None:
        if self._begun is None:
            self._begun = trio.current_time()
        keep = self._delivery.late_audio in {"after_turn", "with_turn"}
        self._coming = self._pieces(pcm, text)
        for piece in self._coming:
            self._withheld.append(piece)
            if not keep or len(self._withheld) > self._delivery.late_pieces:
                await self._release()

    async def _release(self) -> None:
        """Send the next piece when it is due."""
        sound, said = self._withheld[0]
        assert self._begun is not None
        delivery = self._delivery
        if self._pieces_sent % delivery.burst == 0:
            self._burst_at = self._played
        if delivery.gap_every and self._pieces_sent and self._pieces_sent % delivery.gap_every == 0:
            self._late += delivery.gap_seconds * self._pace
        due = self._begun + self._late + self._burst_at / self._speed * self._pace
        await trio.sleep_until(due)
        self._withheld.popleft()
        shown = self._shown(said)
        turn = self._turn_with(sound) if sound else None
        usage = self._running_usage(sound, said)
        if turn is not None and shown is not None and not self._profile.shared_frame:
            await self._send(content(said=shown))
            shown = None
        if turn is not None or shown is not None:
            await self._send(content(said=shown, model_turn=turn, usage=usage))
        self._note(sound, said)
        if self._profile.empty_frames == "between":
            await self._send(EMPTY)

    def _note(self, sound: bytes, said: str) -> None:
        seconds = len(sound) / 2 / RATE_HZ
        self._said.append(said)
        self._seconds += seconds
        self._played += seconds
        self._pieces_sent += 1

    def _turn_with(self, sound: bytes) -> wire.Content:
        part = audio_part(sound, rate=not self._profile.vertex)
        return turn_of(self._profile, part)

    def _pieces(self, pcm: bytes, text: str) -> Iterator[_Piece]:
        """Cut sound and words alike: a word goes with the piece in which it begins."""
        words = deque(fragments(text, self._profile))
        letters = max(1, sum(map(len, words)))
        size = max(2, 2 * round(self._profile.piece_seconds * RATE_HZ))
        passed = 0
        for start in range(0, max(len(pcm), 1), size):
            end = start + size
            said = []
            while words and (end >= len(pcm) or passed / letters * len(pcm) < end):
                said.append(words.popleft())
                passed += len(said[-1])
            yield pcm[start:end], "".join(said)

    def _stragglers(self) -> list[bytes]:
        """The sound that was on its way when the answer was cut."""
        count = self._delivery.late_pieces
        coming = [sound for sound, _ in islice(self._coming, count) if sound]
        silence = bytes(max(2, 2 * round(self._profile.piece_seconds * RATE_HZ)))
        return coming + [silence] * (count - len(coming))

    # --- Transcripts ---

    def _shown(self, said: str) -> str | None:
        """What of the transcript goes with the next piece."""
        if not self._transcribes or not said or self._delivery.transcript == "before":
            return None
        if self._delivery.transcript == "after":
            self._unshown += said
            return None
        if self._delivery.transcript == "late":
            said, self._unshown = self._unshown, said
        return said or None

    async def _show_rest(self) -> None:
        rest, self._unshown = self._unshown, ""
        if rest and self._transcribes:
            await self._send(content(said=rest))

    async def _tell_heard(self) -> None:
        for text in self._take_heard():
            await self._send(content(heard=text))

    # --- The end, and what it cost ---

    def commit(self, *, done: bool) -> None:
        """Put what was said into the conversation; ``done``: it needn't be said again."""
        state = self._session.state
        answer = self._so_far()
        self._tokens = usage_of(
            state.history, attrs.evolve(answer, calls=self._calls), thoughts=self._thoughts
        )
        if answer.text or answer.audio_seconds:
            state.add(answer)
        self._said, self._seconds = [], 0.0
        if done:
            state.asked = None

    def _so_far(self) -> Turn:
        return Turn(role="model", text="".join(self._said), audio_seconds=self._seconds)

    def _running_usage(self, sound: bytes, said: str) -> wire.UsageMetadata | None:
        if self._delivery.usage not in {"cumulative", "delta"}:
            return None
        seconds = self._seconds + len(sound) / 2 / RATE_HZ
        so_far = Turn(role="model", text="".join([*self._said, said]), audio_seconds=seconds)
        self._tokens = usage_of(self._session.state.history, so_far, thoughts=self._thoughts)
        usage = self._usage()
        self._tokens = None
        return usage

    def _usage(self) -> wire.UsageMetadata | None:
        if self._tokens is None or self._delivery.usage == "missing":
            return None
        tokens = self._tokens
        if self._delivery.usage == "delta":
            tokens, self._told = tokens.since(self._told), tokens
        return tokens.told(vertex=self._profile.vertex)

    async def _close(
        self,
        status: wire.InteractionStatus | None,
        late: Sequence[bytes] = (),
        *,
        waiting: bool = False,
    ) -> None:
        delivery = self._delivery
        usage = self._usage()
        self._tokens, self._told, self._calls = None, Tokens(), ()
        self._begun, self._played, self._late, self._pieces_sent = None, 0.0, 0.0, 0
        with_it = None
        if delivery.late_audio == "with_turn" and late:
            with_it, late = self._turn_with(late[0]), late[1:]
        await self._send(
            content(
                model_turn=with_it,
                turn_complete=True,
                usage=None if delivery.usage == "alone" else usage,
                status=status,
                waiting=waiting,
            )
        )
        for sound in late:
            await self._send(content(model_turn=self._turn_with(sound)))
        await self._show_rest()
        await self._tell_heard()
        if delivery.usage in {"alone", "repeated"} and usage is not None:
            await self._send(wire.LiveServerMessage(usage_metadata=usage))
        if delivery.status_after is not None:
            await self._send(content(status=delivery.status_after))
