"""The C library libspeexdsp, if the system has it.

It is looked for under its own names first, since ``find_library`` starts programs to answer, and
in the folders of Homebrew and MacPorts, where ``find_library`` doesn't look. What the functions
take is declared by whoever calls them: the resampler's below, others where they are used.
"""

from __future__ import annotations

import ctypes
import functools
from ctypes.util import find_library

from ..errors import MissingDependency

__all__ = ["load_speexdsp"]

NAMES = (
    "libspeexdsp.so.1",
    "libspeexdsp.1.dylib",
    "/opt/homebrew/lib/libspeexdsp.1.dylib",
    "/usr/local/lib/libspeexdsp.1.dylib",
    "/opt/local/lib/libspeexdsp.1.dylib",
)
STEMS = ("speexdsp", "libspeexdsp-1", "libspeexdsp")
"""What ``find_library`` is asked for; the latter two are what Windows builds are called."""


def load_speexdsp() -> ctypes.CDLL:
    """Return the library; the same object each time, so that declarations last.

    Raises:
      MissingDependency: The system has none.
    """
    library = _found()
    if library is None:
        raise MissingDependency(
            "libspeexdsp isn't there; install it: apt install libspeexdsp1, dnf install speexdsp, "
            "brew install speexdsp, or on Windows put libspeexdsp-1.dll on the PATH."
        )
    return library


@functools.cache
def _found() -> ctypes.CDLL | None:
    for name in NAMES:
        library = _opened(name)
        if library is not None:
            return library
    for stem in STEMS:
        try:
            path = find_library(stem)
        except OSError:  # it asks gcc and then looks into what that names, which may not exist
            continue
        library = _opened(path) if path else None
        if library is not None:
            return library
    return None


def _opened(name: str) -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(name)
        _declare_resampler(library)
    except (OSError, AttributeError):  # not there, or something else under that name
        return None
    return library


def _declare_resampler(library: ctypes.CDLL) -> None:
    """Say what ``speex/speex_resampler.h`` says; the state is an opaque pointer."""
    state, number = ctypes.c_void_p, ctypes.c_uint32
    counter = ctypes.POINTER(ctypes.c_uint32)

    def declare(name: str, returns: type | None, *arguments: type) -> None:
        function = getattr(library, f"speex_resampler_{name}")
        function.restype = returns
        function.argtypes = arguments

    declare(
        *("init", state, number, number, number, ctypes.c_int, ctypes.POINTER(ctypes.c_int)),
    )
    declare("destroy", None, state)
    declare("reset_mem", ctypes.c_int, state)
    declare("get_input_latency", ctypes.c_int, state)
    declare("get_output_latency", ctypes.c_int, state)
    declare("strerror", ctypes.c_char_p, ctypes.c_int)
    for kind in ("process_int", "process_float"):
        # state, channel, samples in, how many, samples out, how many
        declare(
            *(kind, ctypes.c_int, state, number),
            *(ctypes.c_void_p, counter, ctypes.c_void_p, counter),
        )
