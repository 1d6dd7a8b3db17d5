"""Samples as numbers: between int16 and float32, many channels to one, how loud."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from ._limits import check_channels, check_pcm

__all__ = [
    "FULL_SCALE",
    "Level",
    "Sample",
    "check_samples",
    "float_to_int16",
    "int16_to_float",
    "level",
    "mix_down",
    "round_to_int16",
    "within_scale",
]

FULL_SCALE = 32_768
"""The int16 value that stands for 1.0; its last step upward, 32,768 itself, doesn't fit."""

SCALE = np.float32(FULL_SCALE)
LOWEST = np.float32(-1.0)
HIGHEST = np.float32(32_767 / FULL_SCALE)

Sample = TypeVar("Sample", np.int16, np.float32)


def check_type(samples: NDArray[Any]) -> None:
    """Refuse what is no array of int16 or float32.

    Raises:
      ConfigError: It is something else.
    """
    if not isinstance(samples, np.ndarray):
        raise ConfigError(f"Samples must be an array of numpy, not {type(samples).__name__}.")
    if samples.dtype != np.int16 and samples.dtype != np.float32:
        raise ConfigError(f"Samples must be int16 or float32, not {samples.dtype}.")


def check_samples(samples: NDArray[Any], *, channels: int) -> None:
    """Refuse an array that can't be sound with that many channels.

    Raises:
      ConfigError: Its type or its shape is wrong.
    """
    check_type(samples)
    fits = (
        samples.size % channels == 0
        if samples.ndim == 1
        else samples.ndim == 2 and samples.shape[1] == channels
    )
    if not fits:
        raise ConfigError(
            f"Samples of {channels} channel{'s' * (channels > 1)} must be an array of shape "
            f"(frames, {channels}) or (frames * {channels},), not {samples.shape}."
        )


def int16_to_float(samples: NDArray[np.int16], /) -> NDArray[np.float32]:
    """Return int16 samples as float32 in [-1.0, 1.0), exactly; the shape stays.

    ``float_to_int16`` gives back the same.
    """
    return np.multiply(samples, np.float32(1 / FULL_SCALE), dtype=np.float32)


def float_to_int16(samples: NDArray[np.float32], /) -> NDArray[np.int16]:
    """Return float32 samples in [-1.0, 1.0] as int16; the shape stays.

    Rounded to the nearest, halves to the even one. What is beyond full scale, infinity included,
    becomes full scale, and what isn't a number becomes 0.
    """
    numbers = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
    rounded = np.empty(samples.shape, np.int16)
    round_to_int16(numbers, scratch=numbers, out=rounded)
    return rounded


def round_to_int16(
    numbers: NDArray[np.float32], *, scratch: NDArray[np.float32], out: NDArray[np.int16]
) -> None:
    """Fill ``out`` with float32 samples, none of them NaN, and use ``scratch`` on the way."""
    numbers.clip(LOWEST, HIGHEST, out=scratch)
    np.multiply(scratch, SCALE, out=scratch)
    np.rint(scratch, out=scratch)
    np.copyto(out, scratch, casting="unsafe")


def mix_down(samples: NDArray[Sample], /, *, channels: int) -> NDArray[Sample]:
    """Return one channel, the mean of all; int16 is rounded, halves to the even one.

    Args:
      samples: int16 or float32 of shape ``(frames, channels)``, or interleaved in one dimension.
      channels: How many there are; 1 to 1,024. With 1, the samples themselves are returned.

    Raises:
      ConfigError: Type, shape or number of channels is wrong.
    """
    check_channels(channels)
    check_samples(samples, channels=channels)
    if channels == 1:
        return samples.reshape(-1)
    frames = samples.reshape(-1, channels)
    # A matrix product, since numpy sums short rows ten times slower.
    mean = frames.astype(np.float32, copy=False) @ np.full(channels, 1 / channels, np.float32)
    if frames.dtype == np.int16:
        np.rint(mean, out=mean)
    return mean.astype(frames.dtype, copy=False)


def within_scale(samples: NDArray[Any]) -> tuple[NDArray[Any], int, int]:
    """Return float32 samples in [-1.0, 1.0], how many were no numbers, and how many were beyond.

    Where nothing is wrong, they are the same array, else NaN has become 0.
    """
    # A comparison with NaN is false, so NaN takes the longer way as well.
    if not samples.size or (samples.min() >= -1.0 and samples.max() <= 1.0):
        return samples, 0, 0
    nan = int(np.count_nonzero(np.isnan(samples)))
    beyond = int(np.count_nonzero(np.abs(samples) > 1.0))
    return np.nan_to_num(samples.clip(-1.0, 1.0), copy=False), nan, beyond


@attrs.frozen
class Level:
    """How loud a piece of sound is, in dB relative to full scale; silence is minus infinity.

    A sine that reaches full scale has a peak of 0 dB and an RMS of -3 dB.

    Attributes:
      rms_db: The mean power.
      peak_db: The largest sample.
    """

    rms_db: float
    peak_db: float


def level(
    samples: NDArray[np.int16] | NDArray[np.float32] | bytes | bytearray | memoryview, /
) -> Level:
    """Measure how loud samples are.

    Args:
      samples: int16, or float32 of finite numbers, of any shape; or bytes, as 16-bit little-endian
        samples.

    Raises:
      ConfigError: An odd number of bytes, or samples of another type.
    """
    if not isinstance(samples, np.ndarray):
        data = check_pcm(samples)
        if len(data) % 2:
            raise ConfigError(f"16-bit samples have an even number of bytes, not {len(data)}.")
        samples = np.frombuffer(data, "<i2").astype(np.int16, copy=False)
    check_type(samples)
    if not samples.size:
        return Level(-math.inf, -math.inf)
    flat: NDArray[Any] = samples.reshape(-1)
    peak = max(float(flat.max()), -float(flat.min()))
    numbers = flat.astype(np.float32)
    rms = math.sqrt(float(numbers @ numbers) / len(numbers))
    if samples.dtype == np.int16:
        peak, rms = peak / FULL_SCALE, rms / FULL_SCALE
    return Level(_decibels(rms), _decibels(peak))


def _decibels(amplitude: float) -> float:
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf
