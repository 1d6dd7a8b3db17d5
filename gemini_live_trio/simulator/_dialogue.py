"""One conversation on one connection: what is heard, when it is answered, and what cuts in.

Two tasks work here. The connection's receive loop calls ``take`` with each legal message; it
listens, notes what was asked, and never waits for an answer to be made. The answering task
(``run``) takes one prompt after the other and is the only one that sends a turn, so the frames of
a turn can't mix with those of another.

Cutting in is a number. Whatever interrupts raises ``_epoch`` and cancels the scope of the answer
in progress; a prompt carries the number it was asked under, and one that was overtaken while it
waited is given up as if it had just begun. The answering task itself then says ``interrupted``
and ``turnComplete``, so they come where they belong.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import attrs
import trio

from .. import wire
from ._ears import Ears, Noticed, SpeechEnded, SpeechGoesOn, SpeechStarted
from ._eyes import describe_image
from ._frames import content, voice_activity
from ._mind import Mind, Reply, Situation
from ._profiles import Profile
from ._resample import resample
from ._rules import CATCH_ALL, Refused, modality_of
from ._sessions import Session, Turn
from ._speaker import Speaker
from ._voice import RATE_HZ, Voice

__all__ = ["Dialogue", "Manner"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

MOST_WAITING: Final = 16
"""Prompts that wait for their answer; with more, the client isn't read until one is done."""
RATES_HZ: Final = range(4_000, 192_001)
_DEFAULT_RATE_HZ: Final = 16_000


@attrs.frozen(kw_only=True)
class Manner:
    """How a simulator answers, the same for all its connections.

    Attributes:
      mind: Makes the answers; ``None`` never answers.
      voice: Speaks them.
      echo: Whether speech is answered with itself.
      pace: Factor on all waiting; 0 waits for nothing.
    """

    mind: Mind | None
    voice: Voice
    echo: bool = False
    pace: float = 1.0


@attrs.frozen
class _Prompt:
    epoch: int
    turns: tuple[Turn, ...]
    answer: bool = True
    echo: bytes = attrs.field(default=b"", repr=False)


def _text_of(content: wire.Content) -> str:
    return " ".join(part.text for part in content.parts if part.text)


def _turn_from(content: wire.Content) -> Turn:
    images = []
    seconds = 0.0
    for part in content.parts:
        blob = part.inline_data
        if blob is None:
            continue
        if (blob.mime_type or "").startswith("audio/"):
            seconds += len(blob.data or b"") / 2 / _rate_of(blob)
        else:
            images.append(describe_image(blob.data or b""))
    role: Literal["user", "model"] = "model" if content.role == "model" else "user"
    return Turn(role=role, text=_text_of(content), audio_seconds=seconds, images=tuple(images))


def _rate_of(blob: wire.Blob) -> int:
    kind, *parameters = (blob.mime_type or "").replace(" ", "").split(";")
    if not kind.startswith("audio/"):
        raise Refused(1007, CATCH_ALL, f"audio must have an audio type, not {kind!r}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "rate":
            digits = value.isascii() and value.isdigit() and len(value) < 10
            if not digits or int(value) not in RATES_HZ:
                raise Refused(1007, CATCH_ALL, f"{value!r} is no sample rate")
            return int(value)
    return _DEFAULT_RATE_HZ


class Dialogue:
    """The conversation on one connection.

    Attributes:
      mid_answer: Whether an answer is being made; stays as it was when the connection ends.
    """

    def __init__(
        self,
        *,
        send: Callable[[wire.LiveServerMessage], Awaitable[None]],
        send_handle: Callable[[], Awaitable[None]],
        setup: wire.LiveClientSetup,
        profile: Profile,
        session: Session,
        resumed: bool,
        manner: Manner,
    ) -> None:
        self._send = send
        self._send_handle = send_handle
        self._setup = setup
        self._profile = profile
        self._session = session
        self._manner = manner
        self._modality = modality_of(setup, profile)
        realtime = setup.realtime_input_config or wire.RealtimeInputConfig()
        self._detection = realtime.automatic_activity_detection
        self._manual = bool(self._detection and self._detection.disabled)
        self._gives_way = realtime.activity_handling != wire.ActivityHandling.NO_INTERRUPTION
        history = setup.history_config
        self._seeding = bool(history and history.initial_history_in_client_content) and not resumed
        self._ears: Ears | None = None
        self._rate_free = True  # no sound has come yet, so any rate will do
        self._marked = False
        self._marked_anything = False
        self._typed: list[str] = []
        self._seen: list[str] = []
        self._epoch = 0
        self._answering: trio.CancelScope | None = None
        self._ask, self._asked = trio.open_memory_channel[_Prompt](MOST_WAITING)
        self.mid_answer = False

    # --- What comes in ---

    async def take(self, message: wire.LiveClientMessage) -> None:
        """Act on one legal message.

        Raises:
          Refused: it isn't legal in this state after all.
        """
        if message.client_content is not None:
            await self._take_content(message.client_content)
        elif message.realtime_input is not None:
            await self._take_realtime(message.realtime_input)
        elif message.context_update is not None:
            self._take_context(message.context_update)
        elif message.tool_response is not None:
            # No call of ours is open, and the service ignores answers to calls it doesn't know.
            log.info("a tool response for a call that was never made: ignored")

    async def _take_content(self, given: wire.LiveClientContent) -> None:
        turns = tuple(_turn_from(content) for content in given.turns)
        self._interrupt()
        if self._seeding:
            self._seeding = not given.turn_complete
            await self._put(turns, answer=False)
        else:
            await self._put(turns, answer=bool(given.turn_complete))

    async def _take_realtime(self, given: wire.LiveClientRealtimeInput) -> None:
        if given.media_chunks:
            if not self._profile.media_chunks:
                raise Refused(
                    1007,
                    "realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
                )
            blob = given.media_chunks[0]
            if (blob.mime_type or "").startswith("image/"):
                self._look(blob)
            else:
                await self._listen(blob)
        if given.activity_start is not None or given.activity_end is not None:
            await self._take_marks(given)
        if given.audio is not None:
            await self._listen(given.audio)
        if given.video is not None:
            self._look(given.video)
        if given.text is not None:
            await self._read(given.text)
        if given.audio_stream_end and self._ears is not None:
            await self._notice(self._ears.flush())

    async def _take_marks(self, given: wire.LiveClientRealtimeInput) -> None:
        if not self._manual:
            raise Refused(
                1007,
                "Explicit activity control is not supported when automatic activity detection "
                "is enabled.",
            )
        if given.activity_start is not None:
            self._marked = True
            self._marked_anything = False
            await self._notice(self._line(_DEFAULT_RATE_HZ).begin())
        elif self._marked:
            self._marked = False
            if not self._marked_anything:
                raise Refused(1007, "Precondition check failed.", "an activity without any input")
            await self._notice(self._line(_DEFAULT_RATE_HZ).finish())

    def _take_context(self, given: wire.LiveClientContextUpdate) -> None:
        if given.system_instruction is not None:
            self._session.instruction = _text_of(given.system_instruction)
        if given.tools is not None:
            self._setup = attrs.evolve(self._setup, tools=given.tools.tools)

    async def _listen(self, blob: wire.Blob) -> None:
        rate_hz = _rate_of(blob)
        ears = self._ears
        if ears is not None and not self._rate_free and ears.rate_hz != rate_hz:
            raise Refused(
                1007,
                f"Sample rate changed from previously {ears.rate_hz} to {rate_hz}, "
                "which is not supported.",
            )
        pcm = blob.data or b""
        self._marked_anything = True
        ears = self._line(rate_hz)
        self._session.audio_seconds += len(pcm) / 2 / rate_hz
        self._rate_free = False
        await self._notice(ears.hear(pcm))

    def _line(self, rate_hz: int) -> Ears:
        before = self._ears
        if before is not None and (before.rate_hz == rate_hz or not self._rate_free):
            return before
        ears = self._ears = Ears(
            rate_hz,
            self._detection,
            offset=self._session.audio_seconds,
            keep=self._manner.echo,
        )
        if before is not None and before.speaking:
            ears.begin()  # marked before the first sound told its rate
        return ears

    def _look(self, blob: wire.Blob) -> None:
        if not (blob.mime_type or "").startswith("image/"):
            raise Refused(1007, CATCH_ALL, f"video must be images, not {blob.mime_type!r}")
        self._marked_anything = True
        self._seen = [*self._seen, describe_image(blob.data or b"")][-3:]

    async def _read(self, text: str) -> None:
        self._marked_anything = True
        if self._marked:
            self._typed.append(text[: 1 << 16])
            del self._typed[:-64]
            return
        if self._gives_way:
            self._interrupt()
        await self._put((Turn(role="user", text=text, images=self._take_seen()),))

    # --- What is noticed in the sound ---

    async def _notice(self, noticed: list[Noticed]) -> None:
        profile = self._profile
        for item in noticed:
            match item:
                case SpeechStarted(offset=offset):
                    await self._tell_activity(wire.VoiceActivityType.ACTIVITY_START, offset)
                    if self._gives_way and not profile.only_transcribes:
                        self._interrupt()
                case SpeechGoesOn(seconds=seconds):
                    if profile.only_transcribes:
                        await self._send(content(guessed=_heard(seconds)))
                case SpeechEnded():
                    await self._speech_ended(item)

    async def _speech_ended(self, ended: SpeechEnded) -> None:
        profile = self._profile
        if profile.only_transcribes:
            # Measured: the final transcript, then generationComplete, then the end; and a take
            # of silence only has the end.
            if ended.seconds:
                await self._send(content(heard=_heard(ended.seconds)))
                await self._send(content(generation_complete=True))
            await self._tell_activity(wire.VoiceActivityType.ACTIVITY_END, ended.offset)
            return
        await self._tell_activity(wire.VoiceActivityType.ACTIVITY_END, ended.offset)
        typed = " ".join(self._typed)
        self._typed.clear()
        heard = _heard(ended.seconds) if ended.seconds else ""
        if heard and self._setup.input_audio_transcription is not None:
            await self._send(content(heard=heard))
        turn = Turn(
            role="user",
            text=" ".join(filter(None, (typed, heard))) or "[silence]",
            audio_seconds=ended.seconds,
            images=self._take_seen(),
        )
        await self._put((turn,), echo=ended.pcm)

    async def _tell_activity(self, kind: wire.VoiceActivityType, offset: float) -> None:
        if self._profile.voice_activity is not None:
            await self._send(voice_activity(self._profile, kind, offset))

    def _take_seen(self) -> tuple[str, ...]:
        seen, self._seen = tuple(self._seen), []
        return seen

    # --- What is answered ---

    def _interrupt(self) -> None:
        self._epoch += 1
        if self._answering is not None:
            self._answering.cancel()

    async def _put(
        self, turns: tuple[Turn, ...], *, answer: bool = True, echo: bytes = b""
    ) -> None:
        answer = answer and self._manner.mind is not None and not self._profile.only_transcribes
        await self._ask.send(_Prompt(self._epoch, turns, answer, echo))

    async def run(self) -> None:
        """Answer prompts until cancelled."""
        async for prompt in self._asked:
            self._session.add(*prompt.turns)
            if not prompt.answer:
                continue
            self.mid_answer = True
            speaker = Speaker(
                send=self._send,
                setup=self._setup,
                profile=self._profile,
                session=self._session,
                modality=self._modality,
                voice=self._manner.voice,
                pace=self._manner.pace,
            )
            if self._profile.handles == "turn" and self._setup.session_resumption is not None:
                await self._send(_NOT_NOW)
            with trio.CancelScope() as scope:
                self._answering = scope
                if prompt.epoch < self._epoch:
                    scope.cancel()
                try:
                    await self._answer(prompt, speaker)
                finally:
                    self._answering = None
            if scope.cancelled_caught:
                await speaker.cut_short()
            self.mid_answer = False
            if self._profile.handles == "turn" and self._setup.session_resumption is not None:
                await self._send_handle()

    async def ignore(self) -> None:
        """Take prompts without answering them, until cancelled."""
        async for _prompt in self._asked:
            pass

    async def _answer(self, prompt: _Prompt, speaker: Speaker) -> None:
        await trio.sleep(self._profile.think_seconds * self._manner.pace)
        if prompt.echo and self._ears is not None:
            sound = resample(prompt.echo, self._ears.rate_hz, RATE_HZ)
            await speaker.play(sound, prompt.turns[-1].text)
            return
        assert self._manner.mind is not None
        reply = self._manner.mind(
            Situation(
                history=self._session.history,
                instruction=self._session.instruction,
                tools=self._setup.tools,
                modality=self._modality.value,
            )
        )
        await speaker.deliver(reply if isinstance(reply, Reply) else Reply(reply))


_NOT_NOW: Final = wire.LiveServerMessage(
    session_resumption_update=wire.LiveServerSessionResumptionUpdate()
)


def _heard(seconds: float) -> str:
    """What stands in for a transcript: we hear that somebody speaks, not what."""
    return f"[{seconds:.1f} s of speech]"
