"""Signals that ask the program to end.

They are listened for until all has ended. Whoever closes a terminal or stops a service may send
several, and one that came while the terminal is being restored would end the program in the middle.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext
from typing import TypeVar

import trio

from ._errors import Terminated

__all__ = ["run_until_signal"]

T = TypeVar("T")


def run_until_signal(function: Callable[[], Awaitable[T]]) -> T:
    """Run it with Trio until it ends or a signal asks it to: no child process is left behind.

    Raises:
      Terminated: The signal was SIGTERM or SIGHUP.
    """
    names = ("SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # nohup has them ignored, and so do we then.
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]

    async def watched() -> T:
        caught: list[int] = []
        scope = trio.CancelScope()

        async def listen(received: AsyncIterator[int]) -> None:
            async for number in received:
                caught.append(number)
                scope.cancel()

        receiver = trio.open_signal_receiver(*numbers) if numbers else nullcontext()
        with receiver as received:
            async with trio.open_nursery() as nursery:
                if received is not None:
                    nursery.start_soon(listen, received)
                try:
                    with scope:
                        return await function()
                except Exception as error:
                    # What went wrong on the way out isn't why it ends.
                    if caught:
                        raise Terminated(caught[0]) from error
                    raise
                finally:
                    nursery.cancel_scope.cancel()
            raise Terminated(caught[0])

    # Ctrl-C arrives where the program waits, so nothing is torn in the middle.
    return trio.run(watched, restrict_keyboard_interrupt_to_checkpoints=True)
