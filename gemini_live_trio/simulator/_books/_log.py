"""The simulator's log, and how a stranger's words are put into it."""

from __future__ import annotations

import logging
from typing import Final

__all__ = ["log", "shown"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

_SHOWN: Final = 200


def shown(text: str) -> str:
    """Make a stranger's text fit for a terminal: no control characters, and not too long."""
    plain = ascii(text)[1:-1]
    return plain if len(plain) <= _SHOWN else f"{plain[:_SHOWN]}..."
