"""A picture as a JPEG that is no larger than allowed; it takes milliseconds, so in a thread."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image

__all__ = ["fitted_jpeg"]

QUALITIES = (75, 60, 45, 30)
SHRINKING = 0.75
SMALLEST_SIDE = 64
"""A picture of this size and the lowest quality has less than 2 KiB, whatever it shows."""


def fitted_jpeg(
    whole: Image.Image,
    *,
    max_side: int,
    quality: int,
    max_bytes: int,
    resampling: Image.Resampling,
) -> tuple[bytes, int, int, bool]:
    """Return a JPEG, its width and height, and whether ``max_bytes`` made it poorer.

    Args:
      whole: In RGB.
      max_side: Longest side in pixels; a larger picture is scaled down to it, never up.
      quality: Of Pillow's JPEG encoder, 1 to 95.
      max_bytes: Size of the JPEG. Quality goes down for it, then size.
      resampling: How it is scaled.
    """
    size = whole.size
    jpeg, image = b"", whole
    for step, (side, worth) in enumerate(_ladder(min(max_side, max(size)), quality)):
        if side < max(image.size):
            scale = side / max(size)
            fitting = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
            image = whole.resize(fitting, resampling)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=worth)
        jpeg = file.getvalue()
        if len(jpeg) <= max_bytes:
            return jpeg, *image.size, step > 0
    raise AssertionError(f"the smallest picture has {len(jpeg)} bytes")


def _ladder(side: int, quality: int) -> Iterator[tuple[int, int]]:
    yield side, quality
    lower = [step for step in QUALITIES if step < quality]
    for step in lower:
        yield side, step
    quality = min(quality, QUALITIES[-1])
    while side > SMALLEST_SIDE:
        side = max(SMALLEST_SIDE, round(side * SHRINKING))
        yield side, quality
