"""Sound as numbers: from what a device or a file gives to what the service takes.

Needs numpy, and for resampling libspeexdsp or samplerate (live) or soxr (files): the extra
``audio`` has all but the first. Nothing here waits or knows Trio.

Samples are one-dimensional and mono unless something else is said: ``int16`` from -32768 to 32767,
or ``float32`` from -1 to 1. ``pcm`` is the same as bytes: signed 16-bit little-endian.

Resampling is a filter with a memory, so every stream needs a ``Resampler`` of its own; a block
resampled by itself clicks at both ends. Which one serves was measured (48 to 16 kHz, SINAD of
1 kHz, level of an alias, what it holds back, CPU per second of sound): libspeexdsp of quality 5 has
91 dB, under -120 dB, 2.5 ms and 1.7 ms; ``sinc_medium`` the same with 2.9 ms and 13 ms; soxr is the
cheapest and best for files, but gives blocks of 0 or 490 samples and is 37 ms late.
"""

from __future__ import annotations

import ctypes
import math
import weakref
from collections.abc import Iterator
from typing import Any, Final, Literal, Protocol, TypeAlias

import numpy as np

from ..errors import ConfigError, MediaError, MissingDependency
from ._speexdsp import load_speexdsp

__all__ = [
    "AudioEncoder",
    "Resampler",
    "Samples",
    "level_dbfs",
    "mix_down",
    "peak_dbfs",
    "to_float32",
    "to_int16",
    "to_pcm",
]

Samples: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
"""A numpy array of ``int16`` or ``float32``."""

RATES_HZ: Final = range(1_000, 768_001)
"""What a stream may have; anything else is a damaged header or a slip."""
SILENCE_DBFS: Final = -120.0
"""What the level of silence is taken for, since its logarithm isn't a number."""
_FULL: Final = 32_768.0
_SPEEX_QUALITY: Final = 5


# --- Numbers ----------------------------------------------------------------------------------


def to_float32(samples: Samples, /) -> Samples:
    """Turn ``int16`` into ``float32``; ``float32`` comes back as it is.

    Raises:
      MediaError: Samples of another kind.
    """
    _check(samples)
    if samples.dtype == np.float32:
        return samples
    return samples.astype(np.float32) / np.float32(_FULL)


def to_int16(samples: Samples, /) -> Samples:
    """Turn ``float32`` into ``int16``, rounded; ``int16`` comes back as it is.

    What is beyond full scale becomes full scale, and what isn't a number silence.

    Raises:
      MediaError: Samples of another kind.
    """
    _check(samples)
    if samples.dtype == np.int16:
        return samples
    scaled = np.nan_to_num(samples * np.float32(_FULL), posinf=_FULL, neginf=-_FULL)
    return np.rint(scaled).clip(-32_768, 32_767).astype(np.int16)


def to_pcm(samples: Samples, /) -> bytes:
    """Turn samples into signed 16-bit little-endian bytes."""
    return to_int16(samples).astype("<i2", copy=False).tobytes()


def mix_down(samples: Samples, /) -> Samples:
    """Make one channel of several, as their mean, with the kind of number that came.

    Args:
      samples: Of shape ``(frames,)`` or ``(frames, channels)``.

    Raises:
      MediaError: Another shape, no channel, or samples of another kind.
    """
    _check(samples)
    if samples.ndim == 1:
        return samples
    if samples.ndim != 2 or not samples.shape[1]:
        raise MediaError(f"Samples have the shape (frames, channels), not {samples.shape}.")
    if samples.shape[1] == 1:
        return samples[:, 0]
    if samples.dtype == np.float32:
        mean: Samples = samples.mean(axis=1, dtype=np.float32)
        return mean
    rounded: Samples = np.rint(samples.mean(axis=1)).astype(np.int16)
    return rounded


def level_dbfs(sound: Samples | bytes, /) -> float:
    """Return the loudness in dB of full scale: 0 for a square wave at its limit, down to -120.

    It is the root mean square, so a sine at its limit has -3.
    """
    samples = _read(sound)
    if not samples.size:
        return SILENCE_DBFS
    return _dbfs(math.sqrt(float(np.mean(np.square(samples, dtype=np.float64)))))


def peak_dbfs(sound: Samples | bytes, /) -> float:
    """Return the largest sample in dB of full scale, from 0 down to -120."""
    samples = _read(sound)
    return _dbfs(float(np.abs(samples).max())) if samples.size else SILENCE_DBFS


def _read(sound: Samples | bytes) -> Samples:
    if isinstance(sound, bytes | bytearray | memoryview):
        if len(sound) % 2:
            raise MediaError(f"16-bit sound has an even number of bytes, not {len(sound)}.")
        sound = np.frombuffer(sound, "<i2").astype(np.int16, copy=False)
    return np.nan_to_num(to_float32(sound))


def _dbfs(amplitude: float) -> float:
    return max(SILENCE_DBFS, 20 * math.log10(amplitude)) if amplitude > 0 else SILENCE_DBFS


def _check(samples: Samples) -> None:
    kind = getattr(samples, "dtype", None)
    if kind not in (np.int16, np.float32):
        what = type(samples).__name__ if kind is None else f"numpy samples of type {kind}"
        raise MediaError(f"Samples are a numpy array of int16 or float32, not {what}.")


def _check_rate(name: str, rate_hz: int) -> None:
    if not isinstance(rate_hz, int) or rate_hz not in RATES_HZ:
        raise ConfigError(
            f"{name} must be a whole number of samples a second, 1,000 to 768,000, not {rate_hz}."
        )


# --- Resampling -------------------------------------------------------------------------------


class _Engine(Protocol):
    name: str
    delay_seconds: float

    def process(self, samples: Samples, last: bool) -> Samples:
        """Take and give ``float32``."""
        ...


class Resampler:
    """One stream of sound, brought to another rate piece by piece.

    However the stream is cut into pieces, the same samples come out. With ``purpose="live"`` a
    piece of 960 samples at 48 kHz gives 320 at 16 kHz, each time but the first; with ``"file"``
    some pieces give nothing and others more. Not for several threads at once.

    Args:
      from_hz: Rate of what comes in; 1,000 to 768,000.
      to_hz: Rate of what goes out; 1,000 to 768,000.
      purpose: ``"live"`` for little delay, ``"file"`` for the best quality at the least cost.

    Raises:
      ConfigError: A rate makes no sense.
      MissingDependency: No library that could do it is there.
    """

    def __init__(
        self, from_hz: int, to_hz: int, *, purpose: Literal["live", "file"] = "live"
    ) -> None:
        _check_rate("from_hz", from_hz)
        _check_rate("to_hz", to_hz)
        self.from_hz: int = from_hz
        self.to_hz: int = to_hz
        self._engine: _Engine | None = None
        if from_hz != to_hz:
            self._engine = (_live if purpose == "live" else _Soxr)(from_hz, to_hz)
        self._over = False

    @property
    def backend(self) -> str:
        """What does it: ``"libspeexdsp"``, ``"samplerate"``, ``"soxr"``, or ``"none"``."""
        return "none" if self._engine is None else self._engine.name

    @property
    def delay_seconds(self) -> float:
        """How much later a sound comes out than it would have gone in."""
        return 0.0 if self._engine is None else self._engine.delay_seconds

    def process(self, samples: Samples, /, *, last: bool = False) -> Samples:
        """Take the next piece and give what is ready, with the kind of number that came.

        Args:
          samples: Mono, of any length, also none.
          last: Whether the stream ends with it: then what is held back comes out as well.

        Raises:
          MediaError: Samples of another kind or shape, or more of them after the last.
        """
        _check(samples)
        if samples.ndim != 1:
            raise MediaError(f"A Resampler takes one channel, not samples of {samples.shape}.")
        if self._over:
            raise MediaError("This stream of sound is over; another needs its own Resampler.")
        self._over = last
        if self._engine is None:
            return samples
        # Not a number would spread over everything that follows.
        out = self._engine.process(np.nan_to_num(to_float32(samples)), last)
        return to_int16(out) if samples.dtype == np.int16 else out


def _live(from_hz: int, to_hz: int) -> _Engine:
    try:
        return _Speex(from_hz, to_hz)
    except MissingDependency:
        pass
    try:
        return _Samplerate(from_hz, to_hz)
    except ImportError:
        raise MissingDependency(
            'Resampling live sound needs: pip install "gemini-live-trio[audio]" (or libspeexdsp: '
            "apt install libspeexdsp1)"
        ) from None


class _Speex:
    """libspeexdsp through ctypes."""

    name = "libspeexdsp"

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._library = library = load_speexdsp()
        failure = ctypes.c_int()
        state = library.speex_resampler_init(
            1, from_hz, to_hz, _SPEEX_QUALITY, ctypes.byref(failure)
        )
        if not state:
            words = library.speex_resampler_strerror(failure).decode()
            raise MediaError(f"libspeexdsp can't resample {from_hz} Hz to {to_hz} Hz: {words}.")
        self._state = state
        weakref.finalize(self, library.speex_resampler_destroy, state)
        self._ratio = to_hz / from_hz
        self._held_in: int = library.speex_resampler_get_input_latency(state)
        self.delay_seconds: float = self._held_in / from_hz

    def process(self, samples: Samples, last: bool) -> Samples:
        if last:
            samples = np.concatenate([samples, np.zeros(self._held_in, np.float32)])
        samples = np.ascontiguousarray(samples)
        out = np.empty(math.ceil(len(samples) * self._ratio) + 16, np.float32)
        taken, given = 0, 0
        while taken < len(samples):
            count_in = ctypes.c_uint32(len(samples) - taken)
            count_out = ctypes.c_uint32(len(out) - given)
            failure = self._library.speex_resampler_process_float(
                self._state,
                0,
                samples[taken:].ctypes.data,
                ctypes.byref(count_in),
                out[given:].ctypes.data,
                ctypes.byref(count_out),
            )
            if failure or not (count_in.value or count_out.value):
                words = self._library.speex_resampler_strerror(failure).decode()
                raise MediaError(f"libspeexdsp can't resample: {words}.")
            taken += count_in.value
            given += count_out.value
        return out[:given]


class _Samplerate:
    """libsamplerate, as Python wheels bring it."""

    name = "samplerate"

    def __init__(self, from_hz: int, to_hz: int) -> None:
        import samplerate  # type: ignore[import-not-found, unused-ignore]

        self._stream = samplerate.Resampler("sinc_medium", channels=1)
        self._ratio = to_hz / from_hz
        self.delay_seconds = 0.0029 if to_hz < from_hz else 0.002

    def process(self, samples: Samples, last: bool) -> Samples:
        out: Samples = self._stream.process(samples, self._ratio, end_of_input=last)
        return out.astype(np.float32, copy=False)


class _Soxr:
    """libsoxr."""

    name = "soxr"

    def __init__(self, from_hz: int, to_hz: int) -> None:
        try:
            import soxr  # type: ignore[import-untyped]
        except ImportError:
            raise MissingDependency(
                'Resampling files needs: pip install "gemini-live-trio[audio]"'
            ) from None
        self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")
        self.delay_seconds: float = self._stream.delay() / to_hz or 0.037

    def process(self, samples: Samples, last: bool) -> Samples:
        out: Samples = self._stream.resample_chunk(samples, last=last)
        return out


# --- Encoding ---------------------------------------------------------------------------------


class AudioEncoder:
    """Turns sound of any kind into blocks that a session takes, without losing a sample.

    ::

        encoder = AudioEncoder(from_hz=48_000, channels=2)
        for block in encoder.feed(samples):
            session.send_audio_nowait(block)

    Whatever the length of the pieces that come in, every block that goes out has the same; what
    is too short waits for the next piece, and ``flush`` gives the rest. The buffer between is made
    once and used again.

    Args:
      from_hz: Rate of what comes in.
      rate_hz: Rate of what goes out.
      channels: How many channels come in; they are mixed to one.
      block_ms: Length of a block, 1 to 1,000.

    Raises:
      ConfigError: A number makes no sense.
      MissingDependency: It would have to resample, and nothing is there that can.
    """

    def __init__(
        self,
        *,
        from_hz: int = 16_000,
        rate_hz: int = 16_000,
        channels: int = 1,
        block_ms: int = 20,
    ) -> None:
        if not 1 <= channels <= 64:
            raise ConfigError(f"channels must be 1 to 64, not {channels}.")
        if not 1 <= block_ms <= 1_000:
            raise ConfigError(f"block_ms must be 1 to 1,000, not {block_ms}.")
        self.rate_hz: int = rate_hz
        self.channels: int = channels
        self.block_frames: int = rate_hz * block_ms // 1000
        """Samples in a block."""
        self.clipped: int = 0
        """How many samples were beyond full scale."""
        self.not_numbers: int = 0
        """How many weren't numbers, and became silence."""
        self._resampler = Resampler(from_hz, rate_hz)
        self._block = np.zeros(self.block_frames, dtype="<i2")
        self._filled = 0

    @property
    def held_seconds(self) -> float:
        """How much sound waits for the rest of its block."""
        return self._filled / self.rate_hz

    def feed(self, samples: Samples, /) -> Iterator[bytes]:
        """Add a piece, and give the blocks that are full now.

        Args:
          samples: ``int16`` or ``float32``; of shape ``(frames,)`` interleaved, or
            ``(frames, channels)``.

        Raises:
          MediaError: Samples of another kind or shape, or half a frame.
        """
        return self._cut(self._resampler.process(self._mono(samples)))

    def feed_pcm(self, pcm: bytes, /) -> Iterator[bytes]:
        """Add a piece of signed 16-bit little-endian bytes, and give the blocks that are full now.

        Raises:
          MediaError: Half a sample or half a frame.
        """
        if len(pcm) % (2 * self.channels):
            raise MediaError(
                f"{len(pcm)} bytes aren't whole frames of {self.channels} 16-bit samples."
            )
        return self.feed(np.frombuffer(pcm, "<i2").astype(np.int16, copy=False))

    def flush(self) -> bytes:
        """End the stream: give what is left, shorter than a block, or nothing.

        Another piece would begin another stream and is refused.
        """
        blocks = list(self._cut(self._resampler.process(np.zeros(0, np.int16), last=True)))
        rest = self._block[: self._filled].tobytes()
        self._filled = 0
        return b"".join([*blocks, rest])

    def _mono(self, samples: Samples) -> Samples:
        _check(samples)
        if samples.ndim == 1 and self.channels > 1:
            if len(samples) % self.channels:
                raise MediaError(
                    f"{len(samples)} samples aren't whole frames of {self.channels} channels."
                )
            samples = samples.reshape(-1, self.channels)
        if samples.ndim > 1 and samples.shape[1] != self.channels:
            raise MediaError(
                f"The samples have {samples.shape[1]} channels; this encoder was made for "
                f"{self.channels}."
            )
        if samples.dtype == np.float32:
            numbers = np.isfinite(samples)
            self.not_numbers += samples.size - int(numbers.sum())
            self.clipped += int((np.abs(samples[numbers]) > 1.0).sum())
            samples = np.nan_to_num(samples, posinf=1.0, neginf=-1.0).clip(-1.0, 1.0)
        return mix_down(samples)

    def _cut(self, samples: Samples) -> Iterator[bytes]:
        ready = to_int16(samples)
        blocks: list[bytes] = []
        taken = 0
        while taken < len(ready):
            count = min(self.block_frames - self._filled, len(ready) - taken)
            self._block[self._filled : self._filled + count] = ready[taken : taken + count]
            self._filled += count
            taken += count
            if self._filled == self.block_frames:
                blocks.append(self._block.tobytes())
                self._filled = 0
        return iter(blocks)
