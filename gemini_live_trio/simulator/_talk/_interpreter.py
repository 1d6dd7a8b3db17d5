"""Interpreting: giving back what is heard in another language, as it goes, in no turns.

There is no language in it. What it says is the transcript with ``[translated to de]`` before it,
in a sound as long as what was said. It keeps time by the sound that comes in: for every quarter of
a second heard it sends a quarter of a second, silent where there is nothing to say, so it needs no
clock and never runs ahead of its client.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from ... import wire
from .._checks._profiles import Profile
from .._mind._resample import resample_in_steps
from .._mind._voice import RATE_HZ, Voice
from .._sessions import Turn
from ._frames import audio_part, content, turn_of
from ._usage import usage_of

__all__ = ["Interpreter", "Passed", "Utterance"]

_NOTHING: Final = wire.LiveServerMessage(server_content=wire.LiveServerContent())
_REPORT_SECONDS: Final = 1.0  # measured: usage and a handle about once a second
_MOST_SECONDS: Final = 60.0
_LANGUAGE: Final = re.compile(r"\[([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})?)\]\s*")


@attrs.frozen
class Utterance:
    """Something that was said.

    Attributes:
      text: Its words; ``[fr] Bonjour`` says which language they are in.
      seconds: How long it took.
      pcm: Its sound, as far as that was kept.
      rate_hz: Of the sound.
    """

    text: str
    seconds: float
    pcm: bytes = attrs.field(default=b"", repr=False)
    rate_hz: int = RATE_HZ


@attrs.frozen
class Passed:
    """So much more sound has come in; ``flush``: the client pauses here."""

    seconds: float
    flush: bool = False


class Interpreter:
    """One connection's interpreter."""

    def __init__(
        self,
        *,
        send: Callable[[wire.LiveServerMessage], Awaitable[None]],
        second_over: Callable[[], Awaitable[None]],
        setup: wire.LiveClientSetup,
        profile: Profile,
        voice: Voice,
        echo: bool,
    ) -> None:
        self._send = send
        self._second_over = second_over
        self._profile = profile
        self._voice = voice
        self._echo = echo
        generation = setup.generation_config or wire.GenerationConfig()
        translation = generation.translation_config or wire.TranslationConfig()
        self._target = translation.target_language_code or "en"
        self._parrots = bool(translation.echo_target_language)
        self._tells_heard = setup.input_audio_transcription is not None
        self._tells_said = setup.output_audio_transcription is not None
        self._sound = bytearray()
        self._due = 0.0
        self._unreported = 0.0

    async def translate(self, said: Utterance) -> None:
        """Tell what was heard and what it means, and begin to say it."""
        marked = _LANGUAGE.match(said.text)
        language = marked[1] if marked else None
        text = said.text[marked.end() :] if marked else said.text
        if self._tells_heard:
            heard = wire.Transcription(text=text, language_code=language)
            await self._tell(wire.LiveServerContent(input_transcription=heard))
        ours = bool(language) and str(language).split("-")[0] == self._target.split("-")[0]
        if ours and not self._parrots:
            return  # documented: what is in the target language already is left alone
        meaning = text if ours else f"[translated to {self._target}] {text}"
        if self._tells_said:
            told = wire.Transcription(text=meaning, language_code=self._target)
            await self._tell(wire.LiveServerContent(output_transcription=told))
        await self._send(_NOTHING)
        if said.pcm and (self._echo or ours):
            sound = await resample_in_steps(said.pcm, said.rate_hz, RATE_HZ)
        else:
            sound = await self._voice.say(meaning)
        size = 2 * round(min(said.seconds, _MOST_SECONDS) * RATE_HZ)
        room = 2 * round(_MOST_SECONDS * RATE_HZ) - len(self._sound)
        self._sound += sound[:size].ljust(size, b"\0")[: max(0, room)]

    async def passed(self, passed: Passed) -> None:
        """Keep up with the sound that came in."""
        piece = self._profile.piece_seconds
        self._due += passed.seconds
        while self._due >= piece - 1e-9:
            self._due -= piece
            await self._send_piece()
            self._unreported += piece
            if self._unreported >= _REPORT_SECONDS - 1e-9:
                await self._report()
        while passed.flush and self._sound:
            await self._send_piece()
        await trio.lowlevel.checkpoint()

    async def _send_piece(self) -> None:
        size = 2 * round(self._profile.piece_seconds * RATE_HZ)
        sound = bytes(self._sound[:size]).ljust(size, b"\0")
        del self._sound[:size]
        part = audio_part(sound, rate=not self._profile.vertex)
        await self._send(content(model_turn=turn_of(self._profile, part)))

    async def _report(self) -> None:
        seconds, self._unreported = self._unreported, 0.0
        heard = Turn(role="user", audio_seconds=seconds)
        tokens = usage_of([heard], Turn(role="model", audio_seconds=seconds))
        usage = tokens.told(vertex=self._profile.vertex)
        await self._send(attrs.evolve(_NOTHING, usage_metadata=usage))
        await self._second_over()

    async def _tell(self, told: wire.LiveServerContent) -> None:
        await self._send(wire.LiveServerMessage(server_content=told))
