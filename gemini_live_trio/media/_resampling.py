"""Sample rates changed in a stream, without a seam where two blocks meet.

Three libraries, each where it is best. Measured, 48 to 16 kHz in blocks of 20 ms: libspeexdsp takes
1.7 ms a second of sound and delays by 2.5 ms; libsamplerate takes 13 ms and delays by 3; soxr takes
0.5 ms, but gives its sound in lumps and up to 37 ms late, which is no matter in a file. Straight
lines between samples, where many programs stop, fold everything above half the new rate back into
it at full strength.

Live, the number of samples that come out is always known: after n samples, ``n * to / from``,
rounded up, have come out. libspeexdsp keeps to that by itself, since it begins with silence in its
filter. libsamplerate holds back what its filter needs to see, so as much silence is put in front.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import weakref
from types import TracebackType
from typing import Any, Literal, Protocol, TypeAlias, get_args

import numpy as np
import trio
from numpy.typing import NDArray

from ..errors import ConfigError, MediaError, MissingDependency
from ._limits import check_channels, check_rate
from ._samples import Sample, float_to_int16, int16_to_float, mix_down
from ._speexdsp import load_speexdsp

__all__ = ["Backend", "Resampler"]

Backend: TypeAlias = Literal["libspeexdsp", "samplerate", "soxr"]
Purpose: TypeAlias = Literal["live", "file"]

SPEEX_QUALITY = 5
SAMPLERATE_CONVERTER = "sinc_medium"
SAMPLERATE_MOST = 256
"""By how much libsamplerate can change a rate, up or down."""


class Resampler:
    """One stream of sound from one sample rate to another.

    ::

        with Resampler(48_000, 16_000) as resampler:
            for block in blocks:  # 960 samples each
                use(resampler.process(block))  # 320 samples each

    With ``purpose="live"``, n samples give ``n * to_hz / from_hz``, rounded up, at once, however
    they are cut into blocks. The sound is late by ``delay_seconds``, 2 to 3 ms at usual rates, so
    it begins with so much silence. With ``purpose="file"``, the sound is not late at all, but comes
    out unevenly, in its full length only when the last block was given.

    What lies above half the lower rate is weakened by 80 dB or more. Two equal rates cost nothing.
    One thread at a time may use it.

    Args:
      from_hz: Sample rate of what goes in; 1,000 to 768,000.
      to_hz: Sample rate of what comes out; the same limits.
      purpose: ``"live"`` for devices: libspeexdsp, or libsamplerate where that isn't installed.
        ``"file"`` for what needn't be on time: soxr.
      channels: How many channels go in; they are mixed to one.
      backend: Which library to use, whatever the purpose.

    Raises:
      ConfigError: A rate, the number of channels, the purpose or the back-end makes no sense.
      MissingDependency: No library is there for this.

    Attributes:
      from_hz: As given.
      to_hz: As given.
      channels: As given.
      backend: The library in use; ``None`` where the rates are equal.
      delay_seconds: How late the sound comes out, counted in samples.
    """

    def __init__(
        self,
        from_hz: int,
        to_hz: int,
        *,
        purpose: Purpose = "live",
        channels: int = 1,
        backend: Backend | None = None,
    ) -> None:
        check_rate("from_hz", from_hz)
        check_rate("to_hz", to_hz)
        check_channels(channels)
        if purpose not in get_args(Purpose):
            raise ConfigError(f"purpose must be 'live' or 'file', not {purpose!r}.")
        if backend is not None and backend not in get_args(Backend):
            raise ConfigError(
                f"backend must be 'libspeexdsp', 'samplerate' or 'soxr', not {backend!r}."
            )
        self.from_hz = from_hz
        self.to_hz = to_hz
        self.channels = channels
        self.backend: Backend | None = None
        self.delay_seconds: float = 0.0
        self._engine: _Engine | None = None
        self._closed = False
        if from_hz != to_hz:
            self.backend, self._engine = _start(from_hz, to_hz, purpose, backend)
            self.delay_seconds = self._engine.delay_seconds

    def process(self, samples: NDArray[Sample], /, *, last: bool = False) -> NDArray[Sample]:
        """Resample the next piece, of any length.

        Args:
          samples: int16, or float32 of finite numbers; ``(frames, channels)``, or interleaved in
            one dimension. What isn't a finite number spoils a few milliseconds around it.
          last: Whether the sound ends here. What was held back comes out as well: live, as much as
            the delay. The next piece begins another sound.

        Returns:
          A new one-dimensional array of the same type.

        Raises:
          ConfigError: Type or shape of the samples is wrong.
          trio.ClosedResourceError: It was closed.
        """
        if self._closed:
            raise trio.ClosedResourceError("this resampler was closed")
        mono = mix_down(samples, channels=self.channels)
        if self._engine is None:
            return mono.copy() if self.channels == 1 else mono
        return self._engine.process(np.ascontiguousarray(mono), last)

    def reset(self) -> None:
        """Forget what went in, as at the beginning of another sound."""
        if self._engine is not None and not self._closed:
            self._engine.reset()

    def close(self) -> None:
        """Give the memory back; garbage collection does it as well."""
        self._closed = True
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def __enter__(self) -> Resampler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Engine(Protocol):
    """A library at work; ``process`` takes contiguous samples of one channel."""

    delay_seconds: float

    def process(self, samples: NDArray[Any], last: bool) -> NDArray[Any]: ...

    def reset(self) -> None: ...

    def close(self) -> None: ...


def _start(
    from_hz: int, to_hz: int, purpose: Purpose, wanted: Backend | None
) -> tuple[Backend, _Engine]:
    if wanted == "soxr" or (wanted is None and purpose == "file"):
        return "soxr", _Soxr(from_hz, to_hz)
    if wanted != "samplerate":
        try:
            return "libspeexdsp", _Speex(from_hz, to_hz)
        except MissingDependency:
            if wanted is not None:
                raise
    return "samplerate", _Samplerate(from_hz, to_hz)


class _Speex:
    """libspeexdsp; its state lives in C and ends with this object."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        library = load_speexdsp()
        failed = ctypes.c_int()
        state = library.speex_resampler_init(1, from_hz, to_hz, SPEEX_QUALITY, ctypes.byref(failed))
        if not state:
            reason = library.speex_resampler_strerror(failed).decode()
            raise MediaError(f"libspeexdsp can't go from {from_hz} to {to_hz} Hz: {reason}")
        self._finalizer = weakref.finalize(self, library.speex_resampler_destroy, state)
        self._library = library
        self._state = state
        self._from_hz = from_hz
        self._to_hz = to_hz
        self._held_in: int = library.speex_resampler_get_input_latency(state)
        self._held_out: int = library.speex_resampler_get_output_latency(state)
        self.delay_seconds = self._held_in / from_hz

    def process(self, samples: NDArray[Any], last: bool) -> NDArray[Any]:
        resampled = self._push(samples)
        if last:
            # Enough silence to push the rest out, of which the part that is sound is kept.
            more = self._held_in + -(-self._from_hz // self._to_hz)
            rest = self._push(np.zeros(more, dtype=samples.dtype))[: self._held_out]
            resampled = np.concatenate((resampled, rest))
            self.reset()
        return resampled

    def _push(self, samples: NDArray[Any]) -> NDArray[Any]:
        is_float = samples.dtype == np.float32
        if is_float:
            # A build for machines without floating point wants this scale, others any.
            samples = samples * np.float32(32_768)
        room = len(samples) * self._to_hz // self._from_hz + 2
        resampled = np.empty(room, dtype=samples.dtype)
        taken, made = ctypes.c_uint32(len(samples)), ctypes.c_uint32(room)
        process = (
            self._library.speex_resampler_process_float
            if is_float
            else self._library.speex_resampler_process_int
        )
        process(
            *(self._state, 0),
            *(samples.ctypes.data, ctypes.byref(taken)),
            *(resampled.ctypes.data, ctypes.byref(made)),
        )
        assert taken.value == len(samples)
        resampled = resampled[: made.value]
        if is_float:
            resampled *= np.float32(1 / 32_768)
        return resampled

    def reset(self) -> None:
        self._library.speex_resampler_reset_mem(self._state)

    def close(self) -> None:
        self._finalizer()


class _Samplerate:
    """libsamplerate, with as much silence in front as its filter wants to see."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        if max(from_hz, to_hz) > SAMPLERATE_MOST * min(from_hz, to_hz):
            raise ConfigError(
                f"libsamplerate changes rates by a factor of {SAMPLERATE_MOST} at most, "
                f"so not {from_hz} to {to_hz} Hz."
            )
        self._ratio = to_hz / from_hz
        self._from_hz = from_hz
        self._to_hz = to_hz
        self._ahead = _samplerate_ahead(from_hz, to_hz)
        self.delay_seconds = self._ahead / to_hz
        self._resampler = _samplerate_resampler()
        self._taken = 0
        self._given = 0
        self._waiting: NDArray[Any] = np.zeros(self._ahead, np.float32)

    def process(self, samples: NDArray[Any], last: bool) -> NDArray[Any]:
        is_float = samples.dtype == np.float32
        numbers = samples if is_float else int16_to_float(samples)
        made = self._resampler.process(numbers, self._ratio)
        self._taken += len(numbers)
        due = -(-self._taken * self._to_hz // self._from_hz)
        if last:
            due += self._ahead
            silence = np.zeros(-(-2 * self._ahead * self._from_hz // self._to_hz), np.float32)
            made = np.concatenate((made, self._resampler.process(silence, self._ratio)))
        waiting = np.concatenate((self._waiting, made))
        resampled, self._waiting = np.split(waiting, [due - self._given])
        self._given = due
        if last:
            self.reset()
        return resampled if is_float else float_to_int16(resampled)

    def reset(self) -> None:
        self._resampler.reset()
        self._taken = 0
        self._given = 0
        self._waiting = np.zeros(self._ahead, np.float32)

    def close(self) -> None:
        pass


def _samplerate_resampler() -> Any:
    try:  # by name, since it tells type checkers nothing
        samplerate = importlib.import_module("samplerate")
    except (ImportError, OSError) as error:
        raise MissingDependency(
            "Changing the sample rate of live sound needs libspeexdsp (on Debian: apt install "
            'libspeexdsp1) or: pip install "gemini-live-trio[audio]"'
        ) from error
    return samplerate.Resampler(SAMPLERATE_CONVERTER, channels=1)


@functools.lru_cache(maxsize=64)
def _samplerate_ahead(from_hz: int, to_hz: int) -> int:
    """Measure how many samples libsamplerate holds back, counted at the new rate."""
    count = 4_096 * -(-max(from_hz, to_hz) // to_hz)
    made = len(_samplerate_resampler().process(np.zeros(count, np.float32), to_hz / from_hz))
    # One more, since its position in the sound is rounded now and then.
    return -(-count * to_hz // from_hz) - made + 1


class _Soxr:
    """soxr at its setting HQ, always in float32: given int16, it would add noise of its own."""

    delay_seconds = 0.0

    def __init__(self, from_hz: int, to_hz: int) -> None:
        try:
            soxr = importlib.import_module("soxr")
        except (ImportError, OSError) as error:
            raise MissingDependency(
                'Changing the sample rate of files needs: pip install "gemini-live-trio[audio]"'
            ) from error
        self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="float32", quality="HQ")

    def process(self, samples: NDArray[Any], last: bool) -> NDArray[Any]:
        is_float = samples.dtype == np.float32
        numbers = samples if is_float else int16_to_float(samples)
        resampled: NDArray[Any] = self._stream.resample_chunk(numbers, last=last)
        if last:
            self.reset()
        return resampled if is_float else float_to_int16(resampled)

    def reset(self) -> None:
        self._stream.clear()

    def close(self) -> None:
        pass
