"""Lets ALSA tell its troubles to the log.

Unless it is told otherwise, it writes them to standard error, from any thread and in the middle of
whatever a terminal shows: an underrun, or each of the cards that a machine could have and hasn't.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import logging
import sys
from typing import Final

__all__ = ["silence_alsa"]

_log: Final = logging.getLogger("gemini_live_trio.devices")


def _note(_file: bytes, _line: int, function: bytes, _error: int, text: bytes) -> None:
    # The text is C's format: its values come as variable arguments, which ctypes can't take.
    _log.debug("ALSA: %r in %r", text, function)


_handler: Final = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p
)(_note)


@functools.cache
def silence_alsa() -> None:
    """Do it for the whole process, once; nothing happens where there is no ALSA."""
    if not sys.platform.startswith("linux"):
        return
    try:
        set_handler = ctypes.CDLL("libasound.so.2").snd_lib_error_set_handler
    except (OSError, AttributeError):
        return
    set_handler(_handler)
    # Nothing of Python may be called once it is gone. What is imported later ends before this.
    atexit.register(set_handler, None)
