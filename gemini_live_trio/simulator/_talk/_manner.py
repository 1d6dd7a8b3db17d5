"""How a simulator answers, the same for all its connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs

from .._mind._mind import Mind
from .._mind._voice import Voice
from ._delivery import AS_THE_MODEL_DOES, Delivery

__all__ = ["Hears", "Manner"]

Hears: TypeAlias = Callable[[bytes, int], str | None]
"""Tells what was said in a sound, given with its rate in hertz; ``None`` where it can't."""


@attrs.frozen(kw_only=True)
class Manner:
    """How a simulator answers, the same for all its connections.

    Attributes:
      mind: Makes the answers; ``None`` never answers.
      voice: Speaks them.
      echo: Whether speech is answered with itself.
      pace: Factor on all waiting; 0 waits for nothing.
      hears: Tells what was said in a sound, if anybody can.
      delivery: How answers are laid out, until a connection gets another one.
      strict_blocking: Whether input is refused while a turn waits for a function's answer.
    """

    mind: Mind | None
    voice: Voice
    echo: bool = False
    pace: float = 1.0
    hears: Hears | None = None
    delivery: Delivery = AS_THE_MODEL_DOES
    strict_blocking: bool = False
