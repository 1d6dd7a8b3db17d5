"""A simulator beside a program that doesn't run on Trio."""

from __future__ import annotations

import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import trio

from ..simulator import Simulator, open_simulator

__all__ = ["SimulatorThread", "simulator_in_thread"]

_T = TypeVar("_T")


class SimulatorThread:
    """A simulator on a real port, in a thread of its own.

    Attributes:
      url: Base URL for a client.
      ca_certificate: The file with the certificate to trust, with ``tls=True``.
      simulator: The simulator. It belongs to the other thread: use ``run`` and ``run_sync``.
    """

    def __init__(self, simulator: Simulator, token: trio.lowlevel.TrioToken) -> None:
        self.simulator: Simulator = simulator
        self.url: str = simulator.url
        self.ca_certificate: Path | None = simulator.ca_certificate
        self._token = token

    def run(self, function: Callable[..., Awaitable[_T]], /, *arguments: Any) -> _T:
        """Call an async function in the simulator's thread, such as ``simulator.go_away``.

        Blocks until it returns. Raises what it raises.
        """
        return trio.from_thread.run(function, *arguments, trio_token=self._token)

    def run_sync(self, function: Callable[..., _T], /, *arguments: Any) -> _T:
        """Call a function in the simulator's thread, such as ``simulator.refuse_next_setup``."""
        return trio.from_thread.run_sync(function, *arguments, trio_token=self._token)


@contextmanager
def simulator_in_thread(**options: Any) -> Iterator[SimulatorThread]:
    """Run a simulator in a thread, for the length of a block.

    For clients that know nothing of Trio: asyncio, plain threads, other programs.

    Args:
      options: Those of ``open_simulator``; ``port`` is a free one unless told.

    Raises:
      ValueError: ``port=None``: a thread is reached over a port only.

    What goes wrong inside the simulator is raised where the block ends, and what ``open_simulator``
    raises where it begins.
    """
    if options.get("port", 0) is None:
        raise ValueError("a simulator in a thread needs a port")
    news: queue.SimpleQueue[tuple[SimulatorThread, trio.Event] | BaseException] = (
        queue.SimpleQueue()
    )
    trouble: list[BaseException] = []

    async def serve() -> None:
        async with open_simulator(**options) as simulator:
            stop = trio.Event()
            news.put((SimulatorThread(simulator, trio.lowlevel.current_trio_token()), stop))
            await stop.wait()

    def work() -> None:
        try:
            trio.run(serve)
        except BaseException as error:  # noqa: BLE001 (raised in the other thread)
            trouble.append(error)
            news.put(error)

    thread = threading.Thread(target=work, name="gemini_live_trio simulator")
    thread.start()
    begun = news.get()
    if isinstance(begun, BaseException):
        thread.join()
        raise begun
    running, stop = begun
    try:
        yield running
    finally:
        with suppress(trio.RunFinishedError):
            running._token.run_sync_soon(stop.set)
        thread.join()
    if trouble:
        raise trouble[0]
