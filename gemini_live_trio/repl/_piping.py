"""Sound through the standard streams, as bare samples: in at any rate, out at 24 kHz."""

from __future__ import annotations

import math
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

import trio

from .. import LiveSession
from ..errors import ConfigError, MediaError
from ..events import Event, Interrupted, ModelAudio
from ._descriptors import WRITE_BYTES, ByteWriter, read_some
from ._kinds import recognise
from ._speaking import RATE_HZ

__all__ = ["Voice", "open_voice", "speak_input"]

BLOCK_BYTES: Final = RATE_HZ * 20 // 1000 * 2
AHEAD: Final = 0.5
"""Seconds that a source may be ahead of the speed of speech: a live one hands over some tenths of a
second at once, and its clock isn't ours."""
VOICE_RATE_HZ: Final = 24_000
MOST_HELD: Final = 16 << 20
"""Bytes of the model's voice that may wait for their reader, almost six minutes."""


# --- In -------------------------------------------------------------------------------------


async def speak_input(
    session: LiveSession,
    descriptor: int,
    *,
    rate_hz: int,
    fast: bool,
    warn: Callable[[str], None],
) -> None:
    """Send sound from standard input until it ends, then say that the microphone pauses.

    What a live source gives leaves at once; what comes faster leaves at the speed of speech.

    Args:
      session: Whom to.
      descriptor: Gives signed 16-bit little-endian mono samples.
      rate_hz: Their rate; another one than 16,000 needs the extra ``audio``.
      fast: Whether it may leave faster.
      warn: Takes a sentence about what is wrong with the sound.

    Raises:
      ConfigError: There is no sound, or it has a header.
      MissingDependency: The rate can't be changed.

    Cancellation: at any time.
    """
    blocks = _Blocks() if rate_hz == RATE_HZ else _ResampledBlocks(rate_hz)
    due = -math.inf
    count = 0
    while data := await read_some(descriptor):
        if not count and (look := recognise(data)):
            raise ConfigError(
                f"Standard input holds {look.name}; --audio - takes bare samples, as of arecord "
                "-t raw. (--file FILE takes files of any kind.)"
            )
        count += len(data)
        for block in blocks.feed(data):
            due = await _send(session, block, due, fast=fast)
    if not count:
        raise ConfigError("Standard input ended without a sound.")
    if count % 2:
        warn("Standard input ended in the middle of a sample; its last byte is left out.")
    for block in blocks.flush():
        due = await _send(session, block, due, fast=fast)
    await session.send_audio_stream_end()


async def _send(session: LiveSession, block: bytes, due: float, *, fast: bool) -> float:
    """Send a block when it is due; return when the next one is."""
    due = max(due, trio.current_time() - AHEAD)
    if not fast:
        await trio.sleep_until(due)
    await session.send_audio(block, rate_hz=RATE_HZ)
    return due + len(block) / 2 / RATE_HZ


class _Blocks:
    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> Iterable[bytes]:
        self._held += data
        while len(self._held) >= BLOCK_BYTES:
            block = bytes(self._held[:BLOCK_BYTES])
            del self._held[:BLOCK_BYTES]
            yield block

    def flush(self) -> Iterable[bytes]:
        rest = bytes(self._held[: len(self._held) // 2 * 2])
        return [rest] if rest else []


class _ResampledBlocks:
    def __init__(self, rate_hz: int) -> None:
        from ..media.pcm import AudioEncoder

        self._encoder = AudioEncoder(RATE_HZ, from_hz=rate_hz)
        self.feed = self._encoder.encode
        self.flush = self._encoder.flush


# --- Out ------------------------------------------------------------------------------------


class Voice:
    """The model's voice on its way to a reader who takes it at the speed of speech.

    What waits for the reader doesn't hold up the conversation, and is dropped when the model is
    interrupted.
    """

    def __init__(self, descriptor: int) -> None:
        self._writer = ByteWriter(descriptor, "standard output")
        self._held = bytearray()
        self._changed = trio.Event()
        self._over = False

    async def take(self, event: Event) -> None:
        """Take the sound of an event, if it has any.

        Raises:
          MediaError: It isn't at 24 kHz.
        """
        await trio.lowlevel.checkpoint()
        match event:
            case ModelAudio(stale=False, pcm=pcm, rate_hz=rate_hz):
                if rate_hz != VOICE_RATE_HZ:
                    raise MediaError(
                        f"The model speaks with {rate_hz:,} samples a second; standard output "
                        f"takes {VOICE_RATE_HZ:,}. Name a file in --save-audio instead."
                    )
                while len(self._held) > MOST_HELD:
                    await self._changed.wait()
                self._held += pcm
            case Interrupted():
                self._held.clear()
        self._notify()

    def end(self) -> None:
        """No more will come."""
        self._over = True
        self._notify()

    async def write_loop(self) -> None:
        """Write until the end, in pieces of whole samples."""
        while True:
            piece = bytes(self._held[: min(WRITE_BYTES, len(self._held) // 2 * 2)])
            if piece:
                del self._held[: len(piece)]
                self._notify()
                await self._writer.write_bytes(piece)
            elif self._over:
                return
            else:
                await self._changed.wait()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()


@asynccontextmanager
async def open_voice() -> AsyncIterator[Voice]:
    """Write the model's voice to standard output; at the end, wait until all of it is taken.

    Raises:
      ConfigError: There is no standard output.
      BrokenPipeError: Nobody reads any more.
    """
    if sys.stdout is None:
        raise ConfigError("Standard output is closed, so --save-audio - can't write to it.")
    voice = Voice(sys.stdout.fileno())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(voice.write_loop)
        yield voice
        voice.end()
