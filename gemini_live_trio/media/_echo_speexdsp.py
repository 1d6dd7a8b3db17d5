"""Echo cancelling with SpeexDSP: the C library by ctypes, or by the binding ``speexdsp`` of PyPI.

The library is tried first. Both run the same adaptive filter with the same result, but only the
library also has the preprocessor, which takes away what the filter leaves, 8 to 15 dB more in a
simulated room; and the binding needs a compiler to install, doesn't import from Python 3.12 on, and
reads past the end of what is too short. It serves where Python can't find the library although the
binding was linked with it.

Measured: frames of 20 ms do better than 10 ms once the preprocessor is on. The filter has to be as
long as the delay of the loop and the echo of the room together; a longer one learns more slowly, a
shorter one learns nothing. Without denoising, the preprocessor did nothing at all.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np

from ..errors import MissingDependency
from ._echo import RATE_HZ
from ._echo_align import Int16
from ._speexdsp import load_speexdsp

__all__ = ["SpeexBinding", "SpeexLibrary", "binding", "open_speexdsp", "tail_samples"]

FRAME_SAMPLES = 320
REVERB_SECONDS = 0.12
"""How long a room's echo lasts, for what matters."""
ROOM_SECONDS = 0.14
UNKNOWN_DELAY = 0.18
LEAST_DELAY = 0.06
"""The reference is ahead by almost that on purpose."""

# speex/speex_echo.h and speex/speex_preprocess.h
ECHO_SET_SAMPLING_RATE = 24
PREPROCESS_SET_DENOISE = 0
PREPROCESS_SET_ECHO_STATE = 24


def tail_samples(delay: float | None) -> int:
    """Return the length of the filter: whole frames, 5,120 samples where the delay isn't known."""
    seconds = ROOM_SECONDS + (UNKNOWN_DELAY if delay is None else max(delay, LEAST_DELAY))
    return -(-round(seconds * RATE_HZ) // FRAME_SAMPLES) * FRAME_SAMPLES


class SpeexLibrary:
    """The C library's canceller and preprocessor.

    Args:
      tail: Length of the filter in samples.
    """

    frame_samples = FRAME_SAMPLES
    delay_samples = FRAME_SAMPLES
    wants_echo = False

    def __init__(self, tail: int) -> None:
        self.covers: float | None = tail / RATE_HZ - REVERB_SECONDS
        self._speex = speex = _declared()
        self._echo: Any = speex.speex_echo_state_init(FRAME_SAMPLES, tail)
        self._preprocess: Any = speex.speex_preprocess_state_init(FRAME_SAMPLES, RATE_HZ)
        if not self._echo or not self._preprocess:
            self.close()
            raise MemoryError("libspeexdsp has no memory for an echo canceller")
        rate, on = ctypes.c_int(RATE_HZ), ctypes.c_int(1)
        speex.speex_echo_ctl(self._echo, ECHO_SET_SAMPLING_RATE, ctypes.byref(rate))
        speex.speex_preprocess_ctl(self._preprocess, PREPROCESS_SET_ECHO_STATE, self._echo)
        speex.speex_preprocess_ctl(self._preprocess, PREPROCESS_SET_DENOISE, ctypes.byref(on))

    def cancel(self, near: Int16, far: Int16) -> Int16:
        """Return a frame without its echo, one frame later."""
        out: Int16 = np.empty(FRAME_SAMPLES, np.int16)
        near, far = np.ascontiguousarray(near), np.ascontiguousarray(far)
        self._speex.speex_echo_cancellation(
            self._echo, near.ctypes.data, far.ctypes.data, out.ctypes.data
        )
        self._speex.speex_preprocess_run(self._preprocess, out.ctypes.data)
        return out

    def close(self) -> None:
        """Free what the library holds. More than once is once."""
        # In this order: the preprocessor knows of the canceller.
        if self._preprocess:
            self._speex.speex_preprocess_state_destroy(self._preprocess)
        if self._echo:
            self._speex.speex_echo_state_destroy(self._echo)
        self._preprocess = self._echo = None


class SpeexBinding:
    """The PyPI package ``speexdsp``, which knows the canceller without its preprocessor.

    Args:
      module: The package.
      tail: Length of the filter in samples.
    """

    frame_samples = FRAME_SAMPLES
    delay_samples = 0
    wants_echo = False

    def __init__(self, module: Any, tail: int) -> None:
        self.covers: float | None = tail / RATE_HZ - REVERB_SECONDS
        self._canceller: Any = module.EchoCanceller.create(FRAME_SAMPLES, tail, RATE_HZ)

    def cancel(self, near: Int16, far: Int16) -> Int16:
        """Return a frame without its echo."""
        # It takes nothing but bytes.
        return np.frombuffer(self._canceller.process(near.tobytes(), far.tobytes()), np.int16)

    def close(self) -> None:
        """Free what the library holds. More than once is once."""
        self._canceller = None


def open_speexdsp(delay: float | None) -> tuple[SpeexLibrary | SpeexBinding, str]:
    """Return a canceller, and what it is.

    Raises:
      MissingDependency: Neither the library nor the binding is there.
    """
    tail = tail_samples(delay)
    try:
        return SpeexLibrary(tail), "the library libspeexdsp, with its preprocessor"
    except MissingDependency:
        module = binding()
        if module is None:
            raise MissingDependency(
                "Echo cancelling with speexdsp needs: apt install libspeexdsp1, or what your "
                'system calls it (the binding that pip install "gemini-live-trio[speexdsp]" '
                "compiles needs it too)"
            ) from None
    return SpeexBinding(module, tail), "the binding speexdsp, without a preprocessor"


def binding() -> Any:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports ``imp``
        try:
            import speexdsp  # type: ignore[import-not-found, import-untyped, unused-ignore]
        except (ImportError, OSError):
            return None
    return speexdsp


@functools.cache
def _declared() -> Any:
    """Say what the headers say; the states are opaque pointers, samples are addresses."""
    speex = load_speexdsp()
    pointer, number = ctypes.c_void_p, ctypes.c_int
    functions: dict[str, tuple[Any, list[Any]]] = {
        "speex_echo_state_init": (pointer, [number, number]),
        "speex_echo_state_destroy": (None, [pointer]),
        "speex_echo_ctl": (number, [pointer, number, pointer]),
        "speex_echo_cancellation": (None, [pointer, pointer, pointer, pointer]),
        "speex_preprocess_state_init": (pointer, [number, number]),
        "speex_preprocess_state_destroy": (None, [pointer]),
        "speex_preprocess_ctl": (number, [pointer, number, pointer]),
        "speex_preprocess_run": (number, [pointer, pointer]),
    }
    for name, (returns, arguments) in functions.items():
        function = getattr(speex, name)
        function.restype, function.argtypes = returns, arguments
    return speex
