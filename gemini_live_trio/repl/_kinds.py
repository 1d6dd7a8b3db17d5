"""What kind of file somebody named, by its content: a name's ending proves nothing."""

from __future__ import annotations

import enum
import re
import stat
from pathlib import Path
from typing import Final

import attrs
import trio

from ..errors import MediaError

__all__ = ["FileKind", "Look", "look_at", "recognise"]

HEAD_BYTES: Final = 512
RAW_SUFFIXES: Final = (".pcm", ".raw")


class FileKind(enum.Enum):
    """What can be done with a file."""

    PICTURE = "a picture"
    SOUND = "a sound"
    RAW = "bare samples"
    """Sound that doesn't say what it is; only the name's ending tells."""
    OTHER = "something else"


@attrs.frozen
class Look:
    """What a first look at a file gave."""

    kind: FileKind
    name: str
    """What it is, in words; empty where nobody knows."""


# What files begin with; long enough that bare samples won't begin so by chance. Whether the rest of
# the file keeps the promise is found out when it is read.
_HEADS: Final = [
    (re.compile(head, re.DOTALL), Look(kind, name))
    for head, kind, name in (
        (rb"\xff\xd8\xff", FileKind.PICTURE, "a JPEG picture"),
        (rb"\x89PNG\r\n\x1a\n", FileKind.PICTURE, "a PNG picture"),
        (rb"GIF8[79]a", FileKind.PICTURE, "a GIF picture"),
        (rb"RIFF.{4}WEBP", FileKind.PICTURE, "a WebP picture"),
        (rb".{4}ftypavi[fs]", FileKind.PICTURE, "an AVIF picture"),
        (rb"BM.{4}\0{4}", FileKind.PICTURE, "a BMP picture"),
        (rb"II\*\0|MM\0\*", FileKind.PICTURE, "a TIFF picture"),
        (rb"(RIFF|RIFX|RF64).{4}WAVE", FileKind.SOUND, "a WAV sound"),
        (rb"fLaC", FileKind.SOUND, "a FLAC sound"),
        (rb"OggS", FileKind.SOUND, "an Ogg sound"),
        (rb"ID3", FileKind.SOUND, "an MP3 sound"),
        (rb"FORM.{4}AIF[FC]", FileKind.SOUND, "an AIFF sound"),
        (rb"\.snd", FileKind.SOUND, "an AU sound"),
        (rb"caff\0", FileKind.SOUND, "a CAF sound"),
        (rb"%PDF-", FileKind.OTHER, "a PDF document"),
        (rb"PK\x03\x04", FileKind.OTHER, "a ZIP archive, or a document that is one inside"),
        (rb"\x1f\x8b\x08", FileKind.OTHER, "a gzip archive"),
        (rb"\x7fELF", FileKind.OTHER, "a program"),
        (rb"\x1aE\xdf\xa3", FileKind.OTHER, "a Matroska or WebM film"),
        (rb"RIFF.{4}AVI ", FileKind.OTHER, "an AVI film"),
        (rb".{4}ftyp(hei|mif1)", FileKind.OTHER, "a HEIC picture"),
        (rb".{4}ftypM4A", FileKind.OTHER, "an M4A sound"),
        (rb".{4}ftyp", FileKind.OTHER, "an MP4 film"),
    )
]


def recognise(head: bytes) -> Look | None:
    """Tell what begins so, ``None`` where it is nothing that says what it is."""
    return next((look for pattern, look in _HEADS if pattern.match(head)), None)


async def look_at(path: Path) -> Look:
    """Look at the beginning of a file.

    Raises:
      MediaError: It isn't there, isn't a file, is empty or can't be read.

    Cancellation: at any time; a visit to the disk is waited for.
    """
    head = await trio.to_thread.run_sync(_head, path)
    if look := recognise(head):
        return look
    if path.suffix.lower() in RAW_SUFFIXES:
        return Look(FileKind.RAW, "bare samples")
    # A sound may begin anyhow (an MP3 without tags does), so what is unknown is tried as one.
    return Look(FileKind.OTHER, "text") if _is_text(head) else Look(FileKind.SOUND, "")


def _head(path: Path) -> bytes:
    try:
        # Looked at first: opening a FIFO would wait for somebody who writes.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise MediaError(f"{path} is a folder; name a file.")
        if not stat.S_ISREG(mode):
            raise MediaError(f"{path} is not an ordinary file, so it can't be read.")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError:
        raise MediaError(f"There is no file {path}.") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise MediaError(f"Can't read {path}: {reason}.") from None
    if not head:
        raise MediaError(f"{path} is empty: 0 bytes.")
    return head


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The last letter may have been cut.
        return len(head) == HEAD_BYTES and error.start > HEAD_BYTES - 4
    return True
