"""What goes on beside the keyboard until it is switched off: a device, and the work with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

import trio

from ..errors import GeminiLiveError, InternalError

__all__ = ["Activity", "begin"]

T = TypeVar("T")


class Activity(Generic[T]):
    """Something that was switched on; ``begin`` makes it.

    Attributes:
      device: What it works with.
    """

    def __init__(self, device: T, scope: trio.CancelScope) -> None:
        self.device = device
        self._scope = scope
        self._known = trio.Event()
        self._over = trio.Event()

    async def stop(self) -> None:
        """Switch it off, and wait until its device is closed."""
        self._scope.cancel()
        await self._over.wait()

    def stop_soon(self) -> None:
        """Switch it off, and don't wait."""
        self._scope.cancel()


async def begin(
    nursery: trio.Nursery,
    opened: AbstractAsyncContextManager[T],
    work: Callable[[T], Awaitable[object]],
    ended: Callable[[T, GeminiLiveError | None], object],
) -> Activity[T]:
    """Open a device and begin to work with it.

    Args:
      nursery: What it lives in.
      opened: Opens the device for the length of its block.
      work: Is done as long as it is on; not before the caller knows the activity.
      ended: Told when the work ended by itself, and what failed; the device is open until then.

    Raises:
      GeminiLiveError: It can't be opened; nothing was begun.

    Cancellation: nothing was begun.
    """
    made: list[Activity[T]] = []

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        try:
            with trio.CancelScope() as scope:
                async with opened as device:
                    made.append(Activity(device, scope))
                    task_status.started()
                    await made[0]._known.wait()
                    failure: GeminiLiveError | None = None
                    try:
                        await work(device)
                    except InternalError:
                        raise
                    except GeminiLiveError as error:
                        failure = error
                    ended(device, failure)
        finally:
            for activity in made:
                activity._over.set()

    try:
        await nursery.start(run)
    except BaseException:
        for activity in made:
            activity.stop_soon()
        raise
    made[0]._known.set()
    return made[0]
