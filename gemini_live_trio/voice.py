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

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING, Literal

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
    microphone: Microphone | str | int | None = None,
    speaker: Speaker | str | int | None = None,
    echo: EchoCanceller | EchoBackend | Literal["auto"] = "auto",
    on_device: Callable[[DeviceLost | DeviceRestored], object] | None = None,
) -> None:
    """Let the user talk with the model, until the session ends.

    Other tasks may receive from the session, send, and run tools meanwhile. To mute, open the
    microphone yourself and call its ``mute``; to shut the model up, ``session.interrupt()`` and
    ``speaker.flush(session.turn_state.generation)``.

    Where the session marks activity by hand, ``session.speaking()`` stays the caller's affair.

    Args:
      session: The conversation. Its answers should be sound.
      microphone: An open one, or the device to open; ``None`` for the system's default.
      speaker: An open one, or the device to open; ``None`` for the system's default.
      echo: An open canceller, or what ``open_echo_canceller`` takes. With headphones,
        ``"headphones"``.
      on_device: Told when a device is lost and restored; of an open speaker, that one's own
        ``on_device`` is told. Must not wait.

    Raises:
      ConfigError: The microphone has another rate than 16,000, or something else makes no sense.
      MediaError: A device can't be used.
      MissingDependency: What devices or the echo canceller need isn't installed.
      SessionBroken: The session ended by itself; what had been received was played.
      trio.ClosedResourceError: The block of a part that was given has been left.

    Cancellation: at any time. What it opened is closed; what was given to it stays open.
    """
    async with AsyncExitStack() as stack:
        # First, so that nothing is missed while devices open.
        told = await stack.enter_async_context(session.subscribe(kinds=[ModelAudio, Interrupted]))
        if not isinstance(speaker, Speaker):
            speaker = await stack.enter_async_context(open_speaker(speaker, on_device=on_device))
        if isinstance(echo, str):
            canceller: EchoCanceller = await stack.enter_async_context(open_echo_canceller(echo))
        else:
            canceller = echo
        if not isinstance(microphone, Microphone):
            microphone = await stack.enter_async_context(open_microphone(microphone))
        if microphone.rate_hz != ECHO_RATE_HZ:
            raise ConfigError(
                f"A conversation wants a microphone with {ECHO_RATE_HZ} samples a second, not "
                f"{microphone.rate_hz}."
            )
        tap = stack.enter_context(speaker.tap())
        await _Voice(session, told, microphone, speaker, canceller, tap, on_device).run()


class _SessionOver(Exception):
    """Nothing can be sent any more; apart from what a closed microphone or canceller raises."""


class _Voice:
    def __init__(
        self,
        session: LiveSession,
        told: trio.abc.ReceiveChannel[Event],
        microphone: Microphone,
        speaker: Speaker,
        echo: EchoCanceller,
        tap: SpeakerTap,
        on_device: Callable[[DeviceLost | DeviceRestored], object] | None,
    ) -> None:
        self._session = session
        self._told = told
        self._microphone = microphone
        self._speaker = speaker
        self._echo = echo
        self._tap = tap
        self._on_device = on_device
        self._newest: int | None = None
        """The newest generation that was handed to the speaker."""
        self._played: dict[int, float] = {}
        """What the session knows to be heard, of the newest generations."""

    async def run(self) -> None:
        try:
            await self._run_parts()
        except BaseExceptionGroup as group:  # of Ctrl-C, say
            raise lone(group) from None

    async def _run_parts(self) -> None:
        failures: list[Exception] = []

        async def part(work: Callable[[], Awaitable[None]]) -> None:
            # A nursery would wrap what a part raises in a group, so it goes round it.
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - raised again below
                failures.append(error)
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(part, self._hear)
            nursery.start_soon(part, self._report)
            nursery.start_soon(part, self._speak)
        for other in failures[1:]:
            _log.error("another part of the conversation failed too", exc_info=other)
        if failures:
            raise failures[0]

    async def _hear(self) -> None:
        paused = by_hand = _marks_by_hand(self._session)
        try:
            async for event in self._microphone:
                match event:
                    case MicrophoneBlock(pcm=pcm, adc_time=when, frame=frame):
                        self._tell_reference()
                        pcm = self._echo.process(pcm, when=when, frame=frame)
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

    def _tell_reference(self) -> None:
        for played in self._tap.take():
            self._echo.reference(
                played.pcm, rate_hz=played.rate_hz, when=played.dac_time, frame=played.frame
            )

    async def _speak(self) -> None:
        broken: SessionBroken | None = None
        try:
            async for event in self._told:
                match event:
                    case ModelAudio(stale=False):
                        self._play(event)
                    case Interrupted(spurious=False) if self._newest is not None:
                        self._speaker.flush(self._newest)
        except SessionBroken as error:
            broken = error
        if self._newest is not None:
            waiting = self._speaker.statistics().waiting_seconds
            with trio.move_on_after(waiting + ENDING_SECONDS):
                await self._speaker.turn_played_out(self._newest)
            self._tell_played()
        if broken is not None:
            raise broken

    def _play(self, sound: ModelAudio) -> None:
        self._newest = sound.generation
        self._played.setdefault(sound.generation, 0.0)
        while len(self._played) > 4:
            del self._played[next(iter(self._played))]
        try:
            self._speaker.play_nowait(sound.pcm, rate_hz=sound.rate_hz, generation=sound.generation)
        except trio.WouldBlock:
            # To wait here would be to hear of no interruption. The speaker counts it.
            _log.warning(
                "%.2f s of the model's voice were dropped: the speaker's buffer is full",
                sound.seconds,
            )

    async def _report(self) -> None:
        while True:
            await trio.sleep(REPORT_SECONDS)
            self._tell_played()

    def _tell_played(self) -> None:
        for generation, told in self._played.items():
            seconds = self._speaker.position(generation)
            if seconds != told:
                self._played[generation] = seconds
                self._session.played(generation, seconds)


def _marks_by_hand(session: LiveSession) -> bool:
    """Tell whether the service doesn't listen for activity, so that no stream of it ends."""
    configured = session.setup.realtime_input_config
    detection = configured and configured.automatic_activity_detection
    return bool(detection and detection.disabled)
