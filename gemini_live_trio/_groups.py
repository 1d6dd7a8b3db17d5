"""Exceptions that come out of nurseries, which put them into groups."""

from __future__ import annotations

__all__ = ["is_urgent", "lone"]


def lone(error: BaseException) -> BaseException:
    """Return what a group is about, where it holds one exception."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def is_urgent(error: BaseException) -> bool:
    """Tell whether an exception goes before the user's own: Ctrl-C and its like."""
    return isinstance(error, KeyboardInterrupt | SystemExit)
