"""Pictures of any common kind as the JPEG that the service takes.

Every picture is written anew, also one that could go as it is: what a camera writes beside the
pixels, the place and the owner among it, is nobody's business, and turning, transparency and size
need it anyway. Pillow decodes, in a worker thread. Which kind of picture it is is seen from its
content, and only the kinds named here are tried, so that a file can't reach the many decoders for
which nobody asked.
"""

from __future__ import annotations

import io
import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, BinaryIO, Final, cast

import attrs
import trio

from ..errors import ConfigError, MediaError, MissingDependency
from ._files import open_file, path_of
from ._limits import check_number

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["LoadedImage", "load_image"]

KINDS: Final[tuple[str, ...]] = ("JPEG", "PNG", "GIF", "WEBP", "AVIF", "BMP", "TIFF")
MOST_PIXELS: Final = 80_000_000
"""Decoded, they take 320 MB at most; Pillow begins to warn a little above."""
MOST_FILE_BYTES: Final = 256 << 20
"""Some decoders want the whole file in memory."""
SIDES: Final = range(16, 16_385)
LEAST_BYTES: Final = 10_000


@attrs.frozen
class LoadedImage:
    """A picture as ``send_video`` takes it.

    Attributes:
      data: The encoded picture.
      mime_type: ``"image/jpeg"``.
      width: In pixels.
      height: In pixels.
    """

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    mime_type: str
    width: int
    height: int


async def load_image(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview,
    /,
    *,
    max_side: int = 1_536,
    quality: int = 85,
    max_bytes: int = 1_000_000,
) -> LoadedImage:
    """Read a picture and make a JPEG of it: JPEG, PNG, GIF, WebP, AVIF, BMP, TIFF.

    It is turned as its camera says, what is transparent becomes white, of several pictures in one
    file the first is taken, and nothing but the pixels is kept. Of a damaged picture nothing is.

    Args:
      source: The file, or its content.
      max_side: The longer side in pixels, 16 to 16,384; a larger picture is made smaller. The
        service looks at squares of 768 pixels, so that the default is two of them.
      quality: Of the JPEG, 1 to 95.
      max_bytes: How large the JPEG may be, 10,000 or more; to keep to it, first the quality is
        lowered, then the size.

    Raises:
      ConfigError: A limit makes no sense, or the source is neither.
      MediaError: It can't be read, is no such picture, is damaged, or has over 80 million pixels.
      MissingDependency: The extra ``screen``, which brings Pillow, isn't installed.

    Cancellation: at any time; a picture that is being decoded is waited for.
    """
    check_number("max_side", max_side, SIDES[0], SIDES[-1], "pixels")
    check_number("quality", quality, 1, 95)
    check_number("max_bytes", max_bytes, LEAST_BYTES)
    if not isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview)):
        raise ConfigError(
            f"A picture is the path of a file or its bytes, not {type(source).__name__}."
        )
    return await trio.to_thread.run_sync(_load, source, max_side, quality, max_bytes)


def _load(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview,
    max_side: int,
    quality: int,
    max_bytes: int,
) -> LoadedImage:
    try:
        from PIL import Image

        from ._jpeg import fitted_jpeg
    except ImportError as error:
        raise MissingDependency(
            'Reading pictures needs: pip install "gemini-live-trio[screen]"'
        ) from error
    with ExitStack() as stack:
        name, file, size = _named(source, stack)
        if not size:
            raise MediaError(f"{name} is empty: 0 bytes.")
        if size > MOST_FILE_BYTES:
            raise MediaError(
                f"{name} has {size:,} bytes; above {MOST_FILE_BYTES:,}, no picture is read."
            )
        Image.init()
        known = [kind for kind in KINDS if kind in Image.OPEN]
        try:
            image: Image.Image = stack.enter_context(Image.open(file, formats=known))
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise MediaError(
                f"{name} has too many pixels; {MOST_PIXELS:,} in all can be read."
            ) from error
        except Exception as error:  # damaged headers raise all there is
            raise MediaError(
                f"{name} is no picture that can be read; JPEG, PNG, GIF, WebP, AVIF, BMP and "
                "TIFF can be."
            ) from error
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise MediaError(
                f"{name} has too many pixels, {width:,} x {height:,}; "
                f"{MOST_PIXELS:,} in all can be read."
            )
        try:
            # A JPEG can be decoded at a half, a quarter or an eighth of its size at once.
            image.draft(None, (max_side, max_side))
            image.load()
            _turn(image)
            picture = _flat(image)
        except Exception as error:  # and so do damaged pixels
            raise MediaError(f"{name} is damaged or cut off ({_reason(error)}).") from error
        picture.info.clear()  # Pillow would hand a comment on
        try:
            jpeg, width, height, _ = fitted_jpeg(
                picture,
                max_side=max_side,
                quality=quality,
                max_bytes=max_bytes,
                resampling=Image.Resampling.LANCZOS,
            )
        except MemoryError:  # as for a strip of 1 x 60,000,000 pixels
            raise MediaError(
                f"{name} can't be made smaller, {width:,} x {height:,}: it takes too much memory."
            ) from None
        return LoadedImage(jpeg, "image/jpeg", width, height)


def _named(
    source: str | os.PathLike[str] | bytes | bytearray | memoryview, stack: ExitStack
) -> tuple[str, BinaryIO, int]:
    """Return what errors call it, its content, and how many bytes that has."""
    if not isinstance(source, (str, os.PathLike)):
        content = bytes(source)
        return "The data", io.BytesIO(content), len(content)
    path = path_of(source)
    file = stack.enter_context(open_file(path))
    return str(path), file, os.fstat(file.fileno()).st_size


def _turn(image: Image.Image) -> None:
    from PIL import ImageOps

    # What is damaged here is a note beside the picture, which is then left as it is.
    with suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)


def _flat(image: Image.Image) -> Image.Image:
    """Return it in plain colours, on white where it is transparent."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        # Pillow would cut off everything above 255.
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    elif image.mode in ("I", "F"):
        # Measurements, on a scale that nobody knows.
        low, high = cast("tuple[float, float]", image.getextrema())
        scale = 255 / ((high - low) or 1)
        image = image.point(lambda value: value * scale - low * scale).convert("L")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    colours = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(colours, mask=colours.getchannel("A"))
    return white


def _reason(error: Exception) -> str:
    """Say in a few words what a decoder found."""
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__
