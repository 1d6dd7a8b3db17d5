"""A spoken conversation in one call: microphone, session and speaker, joined.

::

    async with open_session(config) as session:
        await run_voice(session)

What it joins can be had one by one in ``gemini_live_trio.media``; this is what has to be done with
it: interrupted answers fall silent at once and late pieces of them aren't played; what the model
says isn't heard by it again; a muted microphone ends the user's turn; the session is told what was
heard; and a device that is lost is waited for.
"""

from __future__ import annotations

import functools
import logging
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Literal

import attrs
import trio

from ._groups import lone
from .errors import ConfigError, SessionBroken
from .events import Event, Interrupted, ModelAudio
from .media import (
    DeviceLost,
    DeviceRestored,
    EchoBackend,
    EchoCanceller,
    Microphone,
    MicrophoneBlock,
    MicrophonePaused,
    Speaker,
    SpeakerTap,
    open_echo_canceller,
    open_microphone,
    open_speaker,
)

if TYPE_CHECKING:
    from ._session import LiveSession

__all__ = ["run_voice"]

ECHO_RATE_HZ = 16_000
REPORT_SECONDS = 0.1
ENDING_SECONDS = 2.0
"""Beyond the sound that waits, for the last of it to be heard once the session has ended."""

_log = logging.getLogger("gemini_live_trio.voice")


async def run_voice(
    session: LiveSession,
    *,
    microphone: Microphone | str | int | Literal[False] | None = None,
    speaker: Speaker | str | int | Literal[False] | None = None,
    echo: EchoCanceller | EchoBackend | Literal["auto"] = "auto",
    on_device: Callable[[DeviceLost | DeviceRestored], object] | None = None,
) -> None:
    """Let the user talk with the model, until the session ends.

    Other tasks may receive from the session, send, and run tools meanwhile. To mute, open the
    microphone yourself and call its ``mute``; to shut the model up, ``session.interrupt()`` and
    ``speaker.flush(speaker.newest_generation)``.

    Where the session marks activity by hand, ``session.speaking()`` stays the caller's affair.

    Devices that are open may serve one session after another. A speaker plays what is left of an
    old one's voice first, and then the new one's, whose generations it numbers on.

    Args:
      session: The conversation. Its answers should be sound.
      microphone: An open one, or the device to open; ``None`` for the system's default; ``False``
        for none.
      speaker: An open one, or the device to open; ``None`` for the system's default; ``False`` for
        none: then the session isn't told that anything was heard.
      echo: An open canceller, or what ``open_echo_canceller`` takes. With headphones,
        ``"headphones"``. Without a speaker there is no echo, and nothing is opened; an open
        canceller is given what the microphone hears all the same, and may have its reference from
        elsewhere.
      on_device: Told when a device is lost and restored; of an open speaker, that one's own
        ``on_device`` is told. Must not wait.

    Raises:
      ConfigError: The microphone has another rate than 16,000, there is neither microphone nor
        speaker, or something else makes no sense.
      MediaError: A device can't be used.
      MissingDependency: What devices or the echo canceller need isn't installed.
      SessionBroken: The session ended by itself; what had been received was played.
      trio.ClosedResourceError: The block of a part that was given has been left.

    Cancellation: at any time. What it opened is closed; what was given to it stays open. Called
      again with the same session and speaker, it goes on with the answer that is being played, also
      where the program played sound of its own in between.
    """
    if microphone is False and speaker is False:
        raise ConfigError("A spoken conversation needs a microphone, a speaker or both.")
    if not isinstance(echo, str) and not callable(getattr(echo, "process", None)):
        raise ConfigError(
            "echo must be an open canceller or what open_echo_canceller takes, such as "
            f"'headphones', not {echo!r}."
        )
    async with AsyncExitStack() as stack:
        # First, so that nothing is missed while devices open.
        kinds = [] if speaker is False else [ModelAudio, Interrupted]
        told = await stack.enter_async_context(session.subscribe(kinds=kinds))
        mouth = ear = canceller = None
        if speaker is not False:
            if not isinstance(speaker, Speaker):
                speaker = await stack.enter_async_context(
                    open_speaker(speaker, on_device=on_device)
                )
            mouth = _Mouth(session, speaker)
        if microphone is not False:
            if not isinstance(echo, str):
                canceller = echo
            elif mouth is not None:
                canceller = await stack.enter_async_context(open_echo_canceller(echo))
            if not isinstance(microphone, Microphone):
                microphone = await stack.enter_async_context(open_microphone(microphone))
            if microphone.rate_hz != ECHO_RATE_HZ:
                raise ConfigError(
                    f"A conversation wants a microphone with {ECHO_RATE_HZ} samples a second, not "
                    f"{microphone.rate_hz}."
                )
            tap = stack.enter_context(speaker.tap()) if isinstance(speaker, Speaker) else None
            ear = _Ear(session, microphone, canceller, tap, on_device)
        await _converse(told, ear, mouth)


class _SessionOver(Exception):
    """Nothing can be sent any more; apart from what a closed microphone or canceller raises."""


async def _converse(
    told: trio.abc.ReceiveChannel[Event], ear: _Ear | None, mouth: _Mouth | None
) -> None:
    """Let both sides work until the session ends, or one of them fails."""
    failures: list[Exception] = []

    async def part(work: Callable[[], Awaitable[None]]) -> None:
        # A nursery would wrap what a part raises in a group, so it goes round it.
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - raised again below
            failures.append(error)
        nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            if ear is not None:
                nursery.start_soon(part, ear.hear)
            if mouth is not None:
                nursery.start_soon(part, mouth.report)
            nursery.start_soon(part, functools.partial(_follow, told, mouth))
    except BaseExceptionGroup as group:  # of Ctrl-C, say
        raise lone(group) from None
    for other in failures[1:]:
        _log.error("another part of the conversation failed too", exc_info=other)
    if failures:
        raise failures[0]


async def _follow(told: trio.abc.ReceiveChannel[Event], mouth: _Mouth | None) -> None:
    """Hand the mouth what it is to say, until the session ends; raise what ended it."""
    broken: SessionBroken | None = None
    try:
        async for event in told:
            if mouth is not None:
                mouth.take(event)
    except SessionBroken as error:
        broken = error
    if mouth is not None:
        await mouth.finish()
    if broken is not None:
        raise broken


class _Ear:
    """From the microphone to the session."""

    def __init__(
        self,
        session: LiveSession,
        microphone: Microphone,
        echo: EchoCanceller | None,
        tap: SpeakerTap | None,
        on_device: Callable[[DeviceLost | DeviceRestored], object] | None,
    ) -> None:
        self._session = session
        self._microphone = microphone
        self._echo = echo
        self._tap = tap
        self._on_device = on_device

    async def hear(self) -> None:
        paused = by_hand = _marks_by_hand(self._session)
        try:
            async for event in self._microphone:
                match event:
                    case MicrophoneBlock():
                        pcm = self._without_echo(event)
                        # It waits only while the session's buffers are full; then the microphone
                        # drops its oldest blocks, and counts them.
                        with self._while_it_lives():
                            await self._session.send_audio(pcm, rate_hz=ECHO_RATE_HZ)
                        paused = by_hand
                    case MicrophonePaused():
                        if not paused:
                            with self._while_it_lives():
                                await self._session.send_audio_stream_end()
                        paused = True
                    case DeviceLost() | DeviceRestored():
                        _log.warning("%s", event)
                        if self._on_device is not None:
                            self._on_device(event)
        except _SessionOver:
            await trio.sleep_forever()  # the other side tells how the session ended

    @contextmanager
    def _while_it_lives(self) -> Iterator[None]:
        try:
            yield
        except (trio.ClosedResourceError, SessionBroken) as error:
            raise _SessionOver from error

    def _without_echo(self, block: MicrophoneBlock) -> bytes:
        if self._echo is None:
            return block.pcm
        for played in self._tap.take() if self._tap is not None else ():
            self._echo.reference(
                played.pcm, rate_hz=played.rate_hz, when=played.dac_time, frame=played.frame
            )
        return self._echo.process(block.pcm, when=block.adc_time, frame=block.frame)


@attrs.define(eq=False)
class _Numbers:
    """Which number a generation of a session has at a speaker, which is used for others as well."""

    session: weakref.ref[LiveSession]
    before: int
    """How many generations of others the speaker had; a session counts its own from 1."""
    newest: int = 0
    """The newest that was handed over, as the session counts."""
    _earlier: tuple[int, int] = (0, 0)
    """Up to this one of the session's, so many of others came before."""

    def number(self, generation: int) -> int:
        """Return the speaker's number for one of the session's generations."""
        until, before = self._earlier
        return generation + (before if generation <= until else self.before)

    def begin_again(self, newest: int) -> None:
        """Take note of what the speaker played since; an answer that still waits keeps its number.

        Args:
          newest: The newest generation that it was given, by whomever.
        """
        if newest > self.before + self.newest:
            if self.newest > self._earlier[0]:
                self._earlier = (self.newest, self.before)
            self.before = newest - self.newest


_served: Final[weakref.WeakKeyDictionary[Speaker, _Numbers]] = weakref.WeakKeyDictionary()
"""Which session a speaker served last.

Of a conversation that is begun again, the answer that still waits is the session's own.
"""


class _Mouth:
    """From the session to the speaker."""

    def __init__(self, session: LiveSession, speaker: Speaker) -> None:
        self._session = session
        self._speaker = speaker
        newest = speaker.newest_generation or 0
        numbers = _served.get(speaker)
        if numbers is None or numbers.session() is not session:
            numbers = _served[speaker] = _Numbers(weakref.ref(session), newest)
        numbers.begin_again(newest)
        self._numbers = numbers
        self._played: dict[int, float] = {numbers.newest: 0.0} if numbers.newest else {}
        """What the session knows to be heard, of the newest generations."""

    def take(self, event: Event) -> None:
        match event:
            case ModelAudio(stale=False):
                self._play(event)
            case Interrupted(spurious=False) if newest := self._numbers.newest:
                self._speaker.flush(self._numbers.number(newest))

    async def finish(self) -> None:
        if newest := self._numbers.newest:
            waiting = self._speaker.statistics().waiting_seconds
            with trio.move_on_after(waiting + ENDING_SECONDS):
                await self._speaker.turn_played_out(self._numbers.number(newest))
            self._tell_played()

    def _play(self, sound: ModelAudio) -> None:
        self._numbers.newest = sound.generation
        self._played.setdefault(sound.generation, 0.0)
        while len(self._played) > 4:
            del self._played[next(iter(self._played))]
        try:
            self._speaker.play_nowait(
                sound.pcm,
                rate_hz=sound.rate_hz,
                generation=self._numbers.number(sound.generation),
            )
        except trio.WouldBlock:
            # To wait here would be to hear of no interruption. The speaker counts it.
            _log.warning(
                "%.2f s of the model's voice were dropped: the speaker's buffer is full",
                sound.seconds,
            )

    async def report(self) -> None:
        while True:
            await trio.sleep(REPORT_SECONDS)
            self._tell_played()

    def _tell_played(self) -> None:
        for generation, told in self._played.items():
            seconds = self._speaker.position(self._numbers.number(generation))
            if seconds != told:
                self._played[generation] = seconds
                self._session.played(generation, seconds)


def _marks_by_hand(session: LiveSession) -> bool:
    """Tell whether the service doesn't listen for activity, so that no stream of it ends."""
    configured = session.setup.realtime_input_config
    detection = configured and configured.automatic_activity_detection
    return bool(detection and detection.disabled)
