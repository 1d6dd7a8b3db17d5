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

    def __init__(
        self,
        simulator: Simulator,
        token: trio.lowlevel.TrioToken,
        trouble: Callable[[], BaseException | None],
    ) -> None:
        self.simulator: Simulator = simulator
        self.url: str = simulator.url
        self.ca_certificate: Path | None = simulator.ca_certificate
        self._token = token
        self._trouble = trouble

    def run(self, function: Callable[..., Awaitable[_T]], /, *arguments: Any) -> _T:
        """Call an async function in the simulator's thread, such as ``simulator.go_away``.

        Blocks until it returns. Raises what it raises.

        Raises:
          trio.RunFinishedError: the simulator is over; if something went wrong in it, that is the
            cause.
        """
        try:
            return trio.from_thread.run(function, *arguments, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled):
            raise trio.RunFinishedError("the simulator is over") from self._trouble()

    def run_sync(self, function: Callable[..., _T], /, *arguments: Any) -> _T:
        """Call a function in the simulator's thread, such as ``simulator.refuse_next_setup``.

        Returns what it returns, and raises what it raises.

        Raises:
          trio.RunFinishedError: the simulator is over; if something went wrong in it, that is the
            cause.
        """
        try:
            return trio.from_thread.run_sync(function, *arguments, trio_token=self._token)
        except (trio.RunFinishedError, trio.Cancelled):
            raise trio.RunFinishedError("the simulator is over") from self._trouble()


class _Serving:
    """The thread, and how to end it, from whatever moment on."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._news: queue.SimpleQueue[SimulatorThread | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._given_up = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._stop: trio.Event | None = None
        self._thread = threading.Thread(
            # Should a second Ctrl-C keep us from waiting for it, the process can still end.
            target=self._work,
            name="gemini_live_trio simulator",
            daemon=True,
        )
        self._gone = threading.Event()
        self.trouble: BaseException | None = None

    def begin(self) -> SimulatorThread:
        """Start it, and wait until it serves."""
        self._thread.start()
        running = self._news.get()
        if running is None:
            self._wait()
            assert self.trouble is not None
            raise self.trouble
        return running

    def end(self) -> None:
        """Let the simulator come to its end, and wait for that."""
        if self._stop is not None:
            self._call(self._stop.set)
        self._wait()

    def give_up(self) -> None:
        """Cancel it, even if it hasn't begun, and wait until it is gone."""
        with self._lock:
            self._given_up = True
        self._call(self._scope.cancel)
        if self._thread.ident is not None:
            self._wait()

    def why_over(self) -> BaseException | None:
        """What went wrong, once the simulator doesn't run any more."""
        self._wait()
        return self.trouble

    def _wait(self) -> None:
        # A join() that Ctrl-C interrupts takes the thread for ended, before Python 3.13.
        self._gone.wait()
        self._thread.join()

    def _call(self, function: Callable[[], object]) -> None:
        with self._lock:
            token = self._token
        if token is not None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(function)

    async def _serve(self) -> None:
        with self._lock:
            self._token = trio.lowlevel.current_trio_token()
            if self._given_up:
                self._scope.cancel()
        with self._scope:
            async with open_simulator(**self._options) as simulator:
                self._stop = trio.Event()
                self._news.put(SimulatorThread(simulator, self._token, self.why_over))
                await self._stop.wait()

    def _work(self) -> None:
        try:
            trio.run(self._serve)
        except BaseException as error:  # noqa: BLE001 (raised in the other thread)
            self.trouble = error
        finally:
            self._news.put(None)
            self._gone.set()


@contextmanager
def simulator_in_thread(**options: Any) -> Iterator[SimulatorThread]:
    """Run a simulator in a thread, for the length of a block.

    For clients that know nothing of Trio: asyncio, plain threads, other programs.

    Args:
      options: Those of ``open_simulator``; ``port`` is a free one unless told.

    Raises:
      ValueError: ``port=None``: a thread is reached over a port only.

    What goes wrong inside the simulator is raised where the block ends, and what ``open_simulator``
    raises where it begins. The block's own exception wins, and has a note of the other. The thread
    ends with the block, after Ctrl-C too, whenever that comes.
    """
    if options.get("port", 0) is None:
        raise ValueError("a simulator in a thread needs a port")
    serving = _Serving(options)
    try:
        running = serving.begin()
        try:
            yield running
        except BaseException as error:
            serving.end()
            if serving.trouble is not None and error.__cause__ is not serving.trouble:
                error.add_note(f"The simulator failed as well: {serving.trouble!r}")
            raise
        serving.end()
    except BaseException:
        serving.give_up()
        raise
    if serving.trouble is not None:
        raise serving.trouble
