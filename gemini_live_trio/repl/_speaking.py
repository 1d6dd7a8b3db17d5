"""Recordings into a session, as a microphone would send them; the model's voice into a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from .. import LiveSession
from ..events import Event, ModelAudio
from ..media import WavWriter, open_sound, open_wav_writer

__all__ = ["Recorder", "open_recorder", "speak"]


async def speak(
    session: LiveSession, path: Path, *, fast: bool, warn: Callable[[str], None]
) -> None:
    """Send a recording, then say that the microphone pauses.

    Each block leaves when a microphone would have heard all of it. The times are counted from the
    beginning, so that late blocks don't make later ones late.
    """
    async with open_sound(path) as sound:
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


class Recorder:
    """Keeps the model's voice, where it shall be kept."""

    def __init__(self, wav: WavWriter | None) -> None:
        self._wav = wav

    async def take(self, event: Event) -> None:
        """Write the sound of an event, if it has any."""
        if self._wav is not None and isinstance(event, ModelAudio):
            await self._wav.write(event.pcm, rate_hz=event.rate_hz)


@asynccontextmanager
async def open_recorder(path: Path | None) -> AsyncIterator[Recorder]:
    """Open the file that ``--save-audio`` named, or none."""
    if path is None:
        yield Recorder(None)
    else:
        async with open_wav_writer(path) as wav:
            yield Recorder(wav)
