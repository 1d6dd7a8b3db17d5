"""Recordings into a session, as a microphone would send them; the model's voice into a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import trio

from .. import LiveSession
from ..events import Event, ModelAudio

if TYPE_CHECKING:
    from ..media import RawPcm, WavWriter

__all__ = ["RATE_HZ", "Recorder", "open_recorder", "open_recorder_later", "speak"]

RATE_HZ: Final = 16_000
"""Of the sound that is sent."""


async def speak(
    session: LiveSession,
    path: Path,
    *,
    fast: bool,
    warn: Callable[[str], None],
    raw: RawPcm | None = None,
) -> float:
    """Send a recording, then say that the microphone pauses; return its length in seconds.

    Each block leaves when a microphone would have heard all of it. The times are counted from the
    beginning, so that late blocks don't make later ones late.
    """
    from ..media import open_sound

    async with open_sound(path, rate_hz=RATE_HZ, raw=raw) as sound:
        told = 0
        begin = trio.current_time()
        sent = 0.0
        async for block in sound:
            for warning in sound.warnings[told:]:
                warn(warning)
            told = len(sound.warnings)
            sent += len(block) / 2 / sound.rate_hz
            if not fast:
                await trio.sleep_until(begin + sent)
            await session.send_audio(block, rate_hz=sound.rate_hz)
        for warning in sound.warnings[told:]:
            warn(warning)
    await session.send_audio_stream_end()
    return sent


class Recorder(Protocol):
    """Takes the model's voice out of the events."""

    async def take(self, event: Event) -> None:
        """Take the sound of an event, if it has any."""


class _Nowhere:
    async def take(self, event: Event) -> None:
        await trio.lowlevel.checkpoint()


class _Wav:
    def __init__(self, wav: WavWriter) -> None:
        self._wav = wav

    async def take(self, event: Event) -> None:
        if isinstance(event, ModelAudio) and not event.stale:
            await self._wav.write(event.pcm, rate_hz=event.rate_hz)


class _Later:
    def __init__(self, stack: AsyncExitStack, path: Path | None) -> None:
        self._stack = stack
        self._path = path
        self._opened: Recorder | None = None

    async def take(self, event: Event) -> None:
        if self._opened is None:
            self._opened = await self._stack.enter_async_context(open_recorder(self._path))
        await self._opened.take(event)


@asynccontextmanager
async def open_recorder_later(path: Path | None) -> AsyncIterator[Recorder]:
    """As ``open_recorder``, but a file that is there stays so until there is a session's event.

    Errors in opening it come out of ``take``.
    """
    async with AsyncExitStack() as stack:
        yield _Later(stack, path)


@asynccontextmanager
async def open_recorder(path: Path | None) -> AsyncIterator[Recorder]:
    """Open what ``--save-audio`` named: a WAV file, ``-`` for standard output, or nothing."""
    if path is None:
        yield _Nowhere()
    elif str(path) == "-":
        from ._piping import open_voice

        async with open_voice() as voice:
            yield voice
    else:
        from ..media import open_wav_writer

        async with open_wav_writer(path) as wav:
            yield _Wav(wav)
