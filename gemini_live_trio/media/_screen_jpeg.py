"""The screen's pixels as a JPEG."""

from __future__ import annotations

from PIL import Image

from ._jpeg import fitted_jpeg
from ._screen_targets import Pixels

__all__ = ["encode"]


def encode(
    pixels: Pixels, *, max_side: int, quality: int, max_bytes: int
) -> tuple[bytes, int, int, bool]:
    """Return a JPEG, its width and height, and whether ``max_bytes`` made it poorer.

    The arguments are those of ``fitted_jpeg``.
    """
    size = (pixels.width, pixels.height)
    return fitted_jpeg(
        Image.frombuffer("RGB", size, pixels.raw, "raw", "BGRX", 0, 1),
        max_side=max_side,
        quality=quality,
        max_bytes=max_bytes,
        resampling=Image.Resampling.BILINEAR,
    )
