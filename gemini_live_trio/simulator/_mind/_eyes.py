"""Seeing, as far as a header goes: what kind of image it is, and how large."""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["describe_image"]

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE: Final = frozenset({0x01, *range(0xD0, 0xD9)})


def describe_image(data: bytes) -> str:
    """Say in words what ``data`` is: ``"a PNG image, 640 by 480 pixels"``.

    Never fails: what can't be read is said to be unreadable, with its size.
    """
    kind, size = _measure(data)
    if kind is None:
        return f"{len(data):,} bytes that are no image I know"
    if size is None:
        return f"a {kind} image whose size I can't read"
    return f"a {kind} image, {size[0]} by {size[1]} pixels"


def _measure(data: bytes) -> tuple[str | None, tuple[int, int] | None]:
    try:
        if data.startswith(_PNG):
            return "PNG", struct.unpack(">II", data[16:24])
        if data.startswith(b"\xff\xd8"):
            return "JPEG", _jpeg_size(data)
        if data.startswith((b"GIF87a", b"GIF89a")):
            return "GIF", struct.unpack("<HH", data[6:10])
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return "WebP", _webp_size(data)
    except (struct.error, IndexError):
        return _name(data), None
    return None, None


def _name(data: bytes) -> str:
    return {b"\x89": "PNG", b"\xff": "JPEG", b"G": "GIF"}.get(data[:1], "WebP")


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while at < len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        if marker == 0xFF:
            at += 1
        elif marker in _JPEG_BARE:
            at += 2
        else:
            (length,) = struct.unpack(">H", data[at + 2 : at + 4])
            at += 2 + max(length, 2)
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    chunk = data[12:16]
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if chunk == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
        return width, height
    return None
