"""Sound as samples: conversions, resampling, and blocks for the wire.

The one module of ``media`` that needs numpy as soon as it is imported, so it is imported by its own
name, ``gemini_live_trio.media.pcm``, when it is wanted.
"""

from __future__ import annotations

from ..errors import MissingDependency

try:
    import numpy  # noqa: F401
except ImportError as _error:
    raise MissingDependency(
        'gemini_live_trio.media.pcm needs numpy: pip install "gemini-live-trio[audio]"'
    ) from _error

from ._blocks import AudioEncoder as AudioEncoder
from ._blocks import Chunker as Chunker
from ._resampling import Backend as Backend
from ._resampling import Resampler as Resampler
from ._samples import Level as Level
from ._samples import float_to_int16 as float_to_int16
from ._samples import int16_to_float as int16_to_float
from ._samples import level as level
from ._samples import mix_down as mix_down

__all__ = [
    "AudioEncoder",
    "Backend",
    "Chunker",
    "Level",
    "Resampler",
    "float_to_int16",
    "int16_to_float",
    "level",
    "mix_down",
]
