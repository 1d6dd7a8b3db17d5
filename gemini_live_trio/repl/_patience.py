"""How long an answer is waited for, in seconds."""

from __future__ import annotations

from typing import Final

__all__ = [
    "AFTER_RECONNECT",
    "ANSWERED",
    "FOR_USAGE",
    "SILENT",
    "TRANSCRIBED",
    "ends_no_turns",
]

SILENT: Final = 60.0
"""Without a word from the service while an answer is due."""
AFTER_RECONNECT: Final = 15.0
"""The same, once the connection broke in the middle: the answer may be lost."""
ANSWERED: Final = 3.0
"""The same, after a recording whose speech was answered before its end was reached."""
TRANSCRIBED: Final = 3.0
"""The same, where the model only follows what it hears, and never says that it is done."""
FOR_USAGE: Final = 0.5
"""The same, after the turn, where somebody wants to know what it cost."""


def ends_no_turns(model: str) -> bool:
    """Tell whether a model follows what it hears, and never says that it is done."""
    return "transcribe" in model or "translate" in model
