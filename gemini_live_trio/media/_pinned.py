"""A thread of one's own, for libraries that want to be opened, used and closed in the same one.

``trio.to_thread`` takes any thread for each call. Here a thread lives as long as a block does, and
does one job after the other. What it has entered, it leaves by itself at its end, so that nothing
stays open when the block is cancelled while something is being opened.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, suppress
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

import trio

__all__ = ["Job", "PinnedThread", "open_pinned_thread"]

T = TypeVar("T")

log: Final = logging.getLogger("gemini_live_trio.media")

GRACE_SECONDS = 1.0
"""For the job that is being done when the block is left; once more after it was interrupted."""


class Job(Generic[T]):
    """Something that the thread does; any task may wait for it, or give up waiting.

    Attributes:
      settled: Set when it is done.
    """

    settled: trio.Event

    def __init__(self) -> None:
        self.settled = trio.Event()
        self._future: Future[T] = Future()
        self._token = trio.lowlevel.current_trio_token()

    def settle(self, work: Callable[[], T]) -> None:
        """Do it, in the thread."""
        try:
            self._future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - goes to whoever waits
            self._future.set_exception(error)
        # Over before us is only a run that has left this thread behind.
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(self.settled.set)

    def result(self) -> T:
        """Return or raise what a settled job did."""
        return self._future.result(timeout=0)

    async def wait(self) -> T:
        """Wait for it, and return or raise what it did.

        Cancellation: the job goes on, and can be waited for again.
        """
        await self.settled.wait()
        return self.result()


class PinnedThread:
    """A thread that does jobs in their order; ``open_pinned_thread`` makes it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._entered = ExitStack()
        self._interrupt: Callable[[], None] | None = None
        self._ended: Job[None] = Job()
        trio.lowlevel.start_thread_soon(
            self._serve, lambda outcome: self._ended.settle(outcome.unwrap), name
        )

    def start(self, work: Callable[[], T]) -> Job[T]:
        """Let the thread do something, after what it has to do already."""
        job: Job[T] = Job()
        self._jobs.put(lambda: job.settle(work))
        return job

    def enter(self, make: Callable[[], AbstractContextManager[T]]) -> Job[T]:
        """Let the thread make and enter a context, which it leaves at its own end."""
        return self.start(lambda: self._entered.enter_context(make()))

    def on_stuck(self, interrupt: Callable[[], None]) -> None:
        """Say how to get the thread out of a job that doesn't end; called from Trio's thread."""
        self._interrupt = interrupt

    def _serve(self) -> None:
        with self._entered:
            for job in iter(self._jobs.get, None):
                job()

    async def end(self) -> None:
        """Let the thread leave what it has entered, and wait for its end, but not for ever."""
        self._jobs.put(None)
        with trio.CancelScope(shield=True):
            with trio.move_on_after(GRACE_SECONDS):
                return await self._ended.wait()
            if self._interrupt is not None:
                self._interrupt()
                with trio.move_on_after(GRACE_SECONDS):
                    return await self._ended.wait()
        log.warning("The thread %r doesn't end; it was left behind.", self._name)
        return None


@asynccontextmanager
async def open_pinned_thread(name: str) -> AsyncIterator[PinnedThread]:
    """Start a thread that lives as long as the block.

    Cancellation: the job that is being done is waited for. One that doesn't end within a second is
    interrupted, and a thread that can't be interrupted within another is left behind, with a line
    in the log ``gemini_live_trio.media``; it ends when its job does.
    """
    thread = PinnedThread(name)
    try:
        yield thread
    except BaseException as error:
        try:
            await thread.end()
        except Exception as trouble:  # noqa: BLE001 - the block's own exception wins
            error.add_note(f"Leaving the thread {name!r} failed as well: {trouble!r}")
        raise
    await thread.end()
