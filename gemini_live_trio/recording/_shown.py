"""A stranger's words on a terminal."""

from __future__ import annotations

from typing import Final

__all__ = ["shown"]

_MOST: Final = 200


def shown(text: str, most: int = _MOST) -> str:
    """Make a stranger's text fit for a terminal: no control characters, and not too long."""
    plain = text if len(text) <= most else f"{text[:most]}..."
    if plain.isprintable():
        return plain
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in plain
    )
