"""Delivering one answer: in pieces, in step with its transcript, at the speed of its model.

The times of the pieces are counted from the first one, so a slow voice doesn't slow down what
comes after it. ``turnComplete`` comes when the answer would have been played.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import trio

from .. import wire
from ._frames import EMPTY, audio_part, content, fragments, phrases, turn_of
from ._mind import Reply
from ._profiles import Profile
from ._sessions import Session, Turn, usage_of
from ._voice import RATE_HZ, Voice, sentences

__all__ = ["Speaker"]

_PHRASE_SECONDS: Final = 0.08  # assumed: a text model writes some forty words a second
_ONE_SAMPLE: Final = b"\0\0"
_PREAMBLE: Final = "Let me think about that."
_THOUGHT: Final = (
    "**Considering the request**\n\nI look for the rule that fits what was said.\n\n\n"
)
_NOTHING: Final = wire.LiveServerMessage(server_content=wire.LiveServerContent())


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
    ) -> None:
        self._send = send
        self._profile = profile
        self._session = session
        self._modality = modality
        self._voice = voice
        self._pace = pace
        self._transcribes = setup.output_audio_transcription is not None
        thinking = (setup.generation_config or wire.GenerationConfig()).thinking_config
        self._thinks_aloud = bool(thinking and thinking.include_thoughts)
        self._begun: float | None = None
        self._said: list[str] = []
        self._seconds = 0.0
        self._usage: wire.UsageMetadata | None = None

    async def deliver(self, reply: Reply) -> None:
        """Send the whole answer; takes as long as it would take to play.

        Cancellation: what was sent is sent; ``cut_short`` then ends the turn.
        """
        if self._thinks_aloud:
            thought = wire.Part(text=_THOUGHT, thought=True)
            await self._send(content(model_turn=turn_of(self._profile, thought)))
        if self._profile.preamble:
            await self._utter(_PREAMBLE)
            await self._finish(wire.InteractionStatus.IN_PROGRESS)
        await self._utter(reply.text)
        await self._finish(wire.InteractionStatus.IDLE if self._profile.preamble else None)

    async def play(self, pcm: bytes, text: str) -> None:
        """Send a sound as the answer, with ``text`` for its transcript."""
        await self._open()
        await self._send_sound(pcm, text)
        await self._finish(None)

    async def cut_short(self) -> None:
        """End the turn after it was interrupted."""
        if self._usage is None:
            self._commit(done=True)
        await self._send(content(interrupted=True))
        await self._close(wire.InteractionStatus.IDLE if self._profile.preamble else None)

    async def _utter(self, text: str) -> None:
        await self._open()
        if self._modality is wire.Modality.TEXT:
            for phrase in phrases(text, self._profile):
                part = wire.Part(text=phrase)
                await self._send(content(model_turn=turn_of(self._profile, part)))
                self._said.append(phrase)
                await trio.sleep(_PHRASE_SECONDS * self._pace)
            return
        for sentence in sentences(text, self._profile.space):
            await self._send_sound(await self._voice.say(sentence), sentence)

    async def _open(self) -> None:
        if self._profile.empty_frames != "none":
            await self._send(_NOTHING)
        if self._profile.first_sample and self._modality is wire.Modality.AUDIO:
            part = audio_part(_ONE_SAMPLE)
            await self._send(content(model_turn=turn_of(self._profile, part)))

    async def _send_sound(self, pcm: bytes, text: str) -> None:
        if self._begun is None:
            self._begun = trio.current_time()
        for sound, said in self._pieces(pcm, text):
            due = self._begun + self._seconds / self._profile.speed * self._pace
            await trio.sleep_until(due)
            shown = said if self._transcribes and said else None
            turn = turn_of(self._profile, audio_part(sound)) if sound else None
            if turn is None or shown is None or self._profile.shared_frame:
                if turn is not None or shown is not None:
                    await self._send(content(model_turn=turn, said=shown))
            else:
                await self._send(content(said=shown))
                await self._send(content(model_turn=turn))
            self._said.append(said)
            self._seconds += len(sound) / 2 / RATE_HZ
            if self._profile.empty_frames == "between":
                await self._send(EMPTY)

    def _pieces(self, pcm: bytes, text: str) -> Iterator[tuple[bytes, str]]:
        """Cut sound and words alike: a word goes with the piece in which it begins."""
        words = list(fragments(text, self._profile))
        letters = max(1, sum(map(len, words)))
        size = max(2, 2 * round(self._profile.piece_seconds * RATE_HZ))
        passed = 0
        for start in range(0, max(len(pcm), 1), size):
            end = start + size
            said = []
            while words and (end >= len(pcm) or passed / letters * len(pcm) < end):
                said.append(words.pop(0))
                passed += len(said[-1])
            yield pcm[start:end], "".join(said)

    async def _finish(self, status: wire.InteractionStatus | None) -> None:
        # Wholly made, it is part of the conversation, even if its connection ends here.
        self._commit(done=status is not wire.InteractionStatus.IN_PROGRESS)
        await self._send(content(generation_complete=True))
        if self._begun is not None:
            await trio.sleep_until(self._begun + self._seconds * self._pace)
        await self._close(status)

    def _commit(self, *, done: bool) -> None:
        """Put what was said into the conversation; ``done``: it needn't be said again."""
        state = self._session.state
        answer = Turn(role="model", text="".join(self._said), audio_seconds=self._seconds)
        self._usage = usage_of(state.history, answer)
        if answer.text or answer.audio_seconds:
            state.add(answer)
        if done:
            state.asked = None

    async def _close(self, status: wire.InteractionStatus | None) -> None:
        usage, self._usage = self._usage, None
        self._begun, self._said, self._seconds = None, [], 0.0
        await self._send(content(turn_complete=True, usage=usage, status=status))
