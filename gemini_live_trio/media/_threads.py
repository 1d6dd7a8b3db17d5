"""Threads for calls that can't wait until the program's own threads are done."""

from __future__ import annotations

import trio

__all__ = ["thread_apart"]


def thread_apart() -> trio.CapacityLimiter:
    """Let a call have its thread also while the program's own calls hold all that Trio shares out.

    Else a microphone would stay open, and a recording unfinished behind its shield, because 40
    tools are at work. Calls that are given the same one wait for each other.
    """
    return trio.CapacityLimiter(1)
