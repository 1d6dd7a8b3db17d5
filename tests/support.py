"""What the tests of sessions share."""

from __future__ import annotations

import array
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol, TypeVar

import trio
from trio.abc import Instrument
from trio.testing import MockClock

from gemini_live_trio import LiveSession, SessionConfig, open_session
from gemini_live_trio.events import Event, ModelText, OutputTranscription, TurnComplete
from gemini_live_trio.simulator import ServerConnection, open_simulator

E = TypeVar("E", bound=Event)

PATIENCE = 300
"""Seconds, on the virtual clock: without a bound a lost event would hang the test."""

THREAD_SECONDS = 1.0
"""In real time, for which a virtual clock waits for a thread."""


class Connect(Protocol):
    """Open a session with the test's simulator; ``config=`` and the options of ``open_session``."""

    def __call__(self, **options: Any) -> AbstractAsyncContextManager[LiveSession]: ...


async def until(session: LiveSession, kind: type[E]) -> E:
    """Receive until an event of that kind comes."""
    with trio.fail_after(PATIENCE):
        async for event in session:
            if isinstance(event, kind):
                return event
    raise AssertionError(f"the session ended without a {kind.__name__}")


async def turn(session: LiveSession) -> list[Event]:
    """Receive to the end of a turn."""
    events: list[Event] = []
    with trio.fail_after(PATIENCE):
        async for event in session:
            events.append(event)
            if isinstance(event, TurnComplete):
                return events
    raise AssertionError("the session ended before the turn did")


def words(events: list[Event]) -> str:
    """What the model said, written or spoken."""
    return "".join(
        event.text for event in events if isinstance(event, ModelText | OutputTranscription)
    )


def tone(seconds: float, *, hertz: float = 220.0, rate_hz: int = 16_000) -> bytes:
    """A sound that voice activity detection takes for speech."""
    step = 2 * math.pi * hertz / rate_hz
    return array.array(
        "h", (int(12_000 * math.sin(step * n)) for n in range(int(seconds * rate_hz)))
    ).tobytes()


@asynccontextmanager
async def puppet(
    config: SessionConfig | None = None, **options: Any
) -> AsyncIterator[tuple[LiveSession, ServerConnection]]:
    """A session, and a service that says only what the test says."""
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(
            config or SessionConfig(model="gemini-3.8-live"),
            connector=simulator.connector,
            **options,
        ) as session,
    ):
        yield session, await simulator.accept()


@contextmanager
def most_bytes(count: int) -> Iterator[None]:
    """Let files grow so far and then have the system refuse, as where a disk is full; on POSIX."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class _ThreadsFirst(Instrument):
    def __init__(self, clock: MockClock) -> None:
        self._clock = clock
        self._threads = trio.to_thread.current_default_thread_limiter()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        wanted = THREAD_SECONDS if self._threads.borrowed_tokens else 0.0
        if self._clock.autojump_threshold != wanted:
            self._clock.autojump_threshold = wanted


@asynccontextmanager
async def threads_first() -> AsyncIterator[None]:
    """Let the virtual clock jump only when no thread is at work, or one is so for long.

    By itself it doesn't see them: a deadline would be over before a disk was asked.
    """
    clock = trio.lowlevel.current_clock()
    if not isinstance(clock, MockClock) or clock.autojump_threshold == math.inf:
        yield
        return
    instrument = _ThreadsFirst(clock)
    trio.lowlevel.add_instrument(instrument)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(instrument)
        clock.autojump_threshold = 0.0


@contextmanager
def no_thread_to_spare() -> Iterator[None]:
    """Hold all threads that Trio shares out, as many tools at work would."""
    threads = trio.to_thread.current_default_thread_limiter()
    taken = [object() for _ in range(int(threads.available_tokens))]
    for borrower in taken:
        threads.acquire_on_behalf_of_nowait(borrower)
    try:
        yield
    finally:
        for borrower in taken:
            threads.release_on_behalf_of(borrower)
