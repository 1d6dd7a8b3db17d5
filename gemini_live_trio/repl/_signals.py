"""Signals that ask the program to end."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from ._errors import Terminated

__all__ = ["run_until_signal", "watch_signals"]

T = TypeVar("T")


async def watch_signals() -> None:
    """Wait until a signal asks the program to end.

    Raises:
      Terminated: The signal was SIGTERM or SIGHUP.
    """
    names = ("SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # nohup has them ignored, and so do we then.
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    if not numbers:
        return
    with trio.open_signal_receiver(*numbers) as received:
        async for number in received:
            raise Terminated(number)


def run_until_signal(function: Callable[[], Awaitable[T]]) -> T:
    """Run it with Trio until it ends or a signal asks it to: no child process is left behind.

    Raises:
      Terminated: The signal was SIGTERM or SIGHUP.
    """

    async def watched() -> T:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch_signals)
            result = await function()
            nursery.cancel_scope.cancel()
        return result

    # Ctrl-C arrives where the program waits, so nothing is torn in the middle.
    return trio.run(watched, restrict_keyboard_interrupt_to_checkpoints=True)
