"""A thread that lives as long as a block."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import trio

from gemini_live_trio.media._pinned import open_pinned_thread

PATIENCE = 20
NAME = "pinned for a test"


def alive() -> bool:
    return any(thread.name == NAME for thread in threading.enumerate())


class Resource:
    def __init__(self, threads: list[int], *, leaving: Exception | None = None) -> None:
        self.threads = threads
        self.leaving = leaving

    @contextmanager
    def open(self) -> Iterator[Resource]:
        self.note()
        yield self
        self.note()
        if self.leaving is not None:
            raise self.leaving

    def note(self) -> int:
        self.threads.append(threading.get_ident())
        return len(self.threads)


async def test_all_is_done_in_one_thread_and_in_order() -> None:
    resource = Resource([])
    async with open_pinned_thread(NAME) as thread:
        assert await thread.enter(resource.open).wait() is resource
        first, second = thread.start(resource.note), thread.start(resource.note)
        assert (await second.wait(), await first.wait(), first.result()) == (3, 2, 2)
        assert alive()
    assert not alive()
    assert len(resource.threads) == 4
    assert len(set(resource.threads)) == 1
    assert threading.get_ident() not in resource.threads


async def test_a_job_raises_where_it_is_waited_for() -> None:
    async with open_pinned_thread(NAME) as thread:
        job = thread.start(lambda: 1 // 0)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await job.wait()
        assert await thread.start(lambda: 1).wait() == 1


async def test_what_is_entered_while_the_block_is_cancelled_is_left() -> None:
    resource, begun, go_on = Resource([]), threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert go_on.wait(PATIENCE)

    with trio.CancelScope() as scope:
        async with open_pinned_thread(NAME) as thread:
            thread.start(wait)
            entered = thread.enter(resource.open)
            await trio.to_thread.run_sync(begun.wait)
            scope.cancel()
            thread.on_stuck(go_on.set)
            await entered.wait()
    assert scope.cancelled_caught
    assert len(resource.threads) == 2
    assert not alive()


async def test_what_goes_wrong_while_leaving_is_told() -> None:
    trouble = OSError("no")
    with pytest.raises(OSError, match="no") as caught:
        async with open_pinned_thread(NAME) as thread:
            await thread.enter(Resource([], leaving=trouble).open).wait()
    assert caught.value is trouble
    with pytest.raises(KeyError, match="mine") as mine:
        async with open_pinned_thread(NAME) as thread:
            await thread.enter(Resource([], leaving=trouble).open).wait()
            raise KeyError("mine")
    assert mine.value.__notes__ == [f"Leaving the thread {NAME!r} failed as well: OSError('no')"]


async def test_a_thread_that_does_not_end_is_left_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    go_on = threading.Event()
    interrupted: list[int] = []
    with caplog.at_level(logging.WARNING), trio.fail_after(PATIENCE):
        async with open_pinned_thread(NAME) as thread:
            thread.start(go_on.wait)
            thread.on_stuck(lambda: interrupted.append(1))
        assert alive()
    assert interrupted == [1]
    assert caplog.messages == [f"The thread {NAME!r} doesn't end; it was left behind."]
    go_on.set()
    with trio.fail_after(PATIENCE):
        while alive():
            await trio.lowlevel.checkpoint()


def test_a_thread_may_outlive_the_run() -> None:
    go_on = threading.Event()

    async def main() -> threading.Thread:
        async with open_pinned_thread(NAME) as thread:
            mine = thread.start(threading.current_thread)
            thread.start(go_on.wait)
            return await mine.wait()

    left_behind = trio.run(main)
    assert left_behind.name == NAME
    go_on.set()
