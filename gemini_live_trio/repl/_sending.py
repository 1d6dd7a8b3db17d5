"""What somebody says, part by part: words, pictures and recordings, in their order."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeAlias
from weakref import WeakKeyDictionary

import trio

from .. import LiveSession, Receipt, Status
from ..errors import ConfigError, MediaError
from ..media import RawPcm, load_image, open_sound
from ._kinds import FileKind, look_at
from ._speaking import RATE_HZ, speak

__all__ = ["Part", "check_file", "check_listener", "only_listens", "send_parts"]

Part: TypeAlias = str | Path
"""Words as they are, or a file with a picture or a sound."""

PICTURE_SECONDS: Final = 1.0
"""The service takes a picture a second at most, and the session throws away one that still waits to
be written when the next one comes."""

_shown_at: Final[WeakKeyDictionary[LiveSession, float]] = WeakKeyDictionary()
"""When the last picture was shown, or will be, on Trio's clock."""


def only_listens(model: str) -> bool:
    """Tell whether a model writes down what it hears, and answers nothing else."""
    return "transcribe" in model


async def send_parts(
    session: LiveSession,
    parts: Sequence[Part],
    *,
    fast: bool,
    warn: Callable[[str], None],
    tell: Callable[[str], None] | None = None,
    sent: Callable[[str, Receipt], None] = lambda text, receipt: None,
    raw_rate_hz: int = RATE_HZ,
) -> None:
    """Send one part after the other; each recording ends with the word that the microphone pauses.

    Nothing waits between a picture and what is said about it; between two pictures passes a second.

    Args:
      session: Whom to.
      parts: In order.
      fast: Whether recordings may leave faster than they play.
      warn: Takes a sentence for each thing that is wrong with a file that can be used nevertheless.
      tell: Takes a sentence for each file that was sent.
      sent: Takes words that were handed over, and what will tell what becomes of them.
      raw_rate_hz: Of files named ``.pcm`` or ``.raw``: signed 16-bit little-endian mono.

    Raises:
      MediaError: A file isn't there, or is nothing that can be sent; what stood before it was sent.
      MissingDependency: The extra ``audio`` or ``screen`` isn't installed.
      ConfigError: The model takes only sound.

    Cancellation: what was sent stays sent, up to a block of 20 ms.
    """
    model = session.setup.model or ""
    for part in parts:
        if isinstance(part, str):
            check_listener(model, "text")
            sent(part, await session.send_text(part))
            continue
        kind = await _usable(part)
        if kind is FileKind.PICTURE:
            check_listener(model, "pictures")
            what = await _show(session, part)
        else:
            raw = RawPcm(rate_hz=raw_rate_hz) if kind is FileKind.RAW else None
            seconds = await speak(session, part, fast=fast, warn=warn, raw=raw)
            what = f"sound, {seconds:.1f} s"
        if tell is not None:
            tell(f"Sent {part}: {what}.")


async def check_file(path: Path, *, raw_rate_hz: int = RATE_HZ) -> FileKind:
    """Find out whether a file can be sent, before anything is said.

    Raises:
      MediaError: It isn't there, or is nothing that can be sent.
      MissingDependency: The extra ``audio`` or ``screen`` isn't installed.
    """
    kind = await _usable(path)
    if kind is FileKind.PICTURE:
        await load_image(path)
    else:
        raw = RawPcm(rate_hz=raw_rate_hz) if kind is FileKind.RAW else None
        async with open_sound(path, raw=raw):
            pass
    return kind


def check_listener(model: str, what: str) -> None:
    """Refuse what a model would never answer.

    Raises:
      ConfigError: It takes only sound.
    """
    if only_listens(model):
        raise ConfigError(
            f"{model} writes down what it hears and nothing else, so {what} can't be sent to it; "
            "give it a recording."
        )


async def _usable(path: Path) -> FileKind:
    look = await look_at(path)
    if look.kind is FileKind.OTHER:
        raise MediaError(f"{path} is {look.name}; what can be sent are pictures and sounds.")
    return look.kind


async def _show(session: LiveSession, path: Path) -> str:
    picture = await load_image(path)
    due = max(trio.current_time(), _shown_at.get(session, -PICTURE_SECONDS) + PICTURE_SECONDS)
    # Before it waits, so that another one beside it waits for longer.
    _shown_at[session] = due
    await trio.sleep_until(due)
    await _connected(session)
    await session.send_video(picture.data, mime_type=picture.mime_type)
    return f"a picture, {picture.width} x {picture.height} pixels, {len(picture.data):,} bytes"


async def _connected(session: LiveSession) -> None:
    """Wait until there is a connection.

    Without one, a picture would take the place of the one before it, and nobody tells of a picture
    whether it got there.
    """
    with contextlib.suppress(trio.EndOfChannel):
        async with session.subscribe(kinds=()) as told:
            while session.status is Status.RECONNECTING:
                await told.receive()
