"""The screen, or a window of it, as pictures for somebody who looks at it now and then.

A picture is taken when the reader asks for the next one, and not before the interval is over. So a
slow reader costs nothing and still sees what is there now; a queue could only give it the past.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Literal

import attrs
import trio

from ..errors import ConfigError, MediaError, MissingDependency
from ._limits import check_number
from ._pinned import Job, PinnedThread, open_pinned_thread
from ._screen_targets import (
    Display,
    Gone,
    ScreenTarget,
    ScreenTargets,
    TargetLost,
    View,
    find,
)

__all__ = ["Picture", "Screen", "ScreenStatistics", "list_targets", "open_screen"]

FRESH_SECONDS = 1.0
"""A picture that has waited longer for its reader is thrown away for a new one."""
INTERVALS = (0.1, 3600)
SIDES = (64, 16_384)
QUALITIES = (1, 95)
MIN_BYTES = 4_096
MAX_BYTES = 500_000

NO_DISPLAY = (
    "There is no screen: DISPLAY isn't set. Run this in a graphical session, or name an X server, "
    "as in DISPLAY=:0."
)
NO_X11_IN_WAYLAND = (
    "This is a Wayland session without an X server, where programs can't look at the screen. "
    "Log in to an X11 session to show it."
)


@attrs.frozen(kw_only=True)
class Picture:
    """What was to be seen at a moment.

    Attributes:
      data: A JPEG.
      width: In pixels.
      height: In pixels.
      number: 1 for the first that was delivered.
      captured_at: When its pixels were read, on Trio's clock.
    """

    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    width: int
    height: int
    number: int
    captured_at: float

    @property
    def age(self) -> float:
        """Seconds since its pixels were read."""
        return trio.current_time() - self.captured_at


@attrs.frozen(kw_only=True)
class ScreenStatistics:
    """What became of the pictures, since the block began.

    Attributes:
      grabbed: How often the screen was looked at; the next four add up to it, but for a picture
        that is waiting.
      delivered: Pictures that the reader got.
      unchanged: Looks at something that was as in the picture before.
      hidden: Looks at a window that was minimised, or on another workspace.
      replaced: Pictures that waited for a reader until they were too old.
      shrunk: Pictures that were made poorer to stay below ``max_bytes``.
      delivered_bytes: The size of what was delivered.
      work_seconds: Time spent on all of it, in its own thread.
      longest_work_seconds: The same, of the look that took longest.
    """

    grabbed: int = 0
    delivered: int = 0
    unchanged: int = 0
    hidden: int = 0
    replaced: int = 0
    shrunk: int = 0
    delivered_bytes: int = 0
    work_seconds: float = 0.0
    longest_work_seconds: float = 0.0


@attrs.frozen
class _Jpeg:
    data: bytes
    width: int
    height: int
    shrunk: bool
    taken: float


@attrs.frozen
class _Look:
    """What came of looking at the target once."""

    found: _Jpeg | Literal["unchanged", "hidden"] | Gone
    seconds: float


class _Camera:
    """Looks at a target and remembers what it saw; belongs to the pinned thread."""

    def __init__(self, view: View, *, max_side: int, quality: int, max_bytes: int) -> None:
        with _extra():
            from ._screen_jpeg import encode

        self._view = view
        self._encode = partial(encode, max_side=max_side, quality=quality, max_bytes=max_bytes)
        self._seen: tuple[int, bytes] | None = None

    def look(self, *, again: bool) -> _Look:
        """Take a picture if anything has changed, or if one is wanted ``again``."""
        start = time.monotonic()
        if again:
            self._seen = None
        found = self._find()
        return _Look(found, time.monotonic() - start)

    def _find(self) -> _Jpeg | Literal["unchanged", "hidden"] | Gone:
        try:
            pixels = self._view()
        except Gone as gone:
            return gone
        if pixels is None:
            return "hidden"
        seen = (pixels.width, pixels.raw)
        if seen == self._seen:
            return "unchanged"
        jpeg = _Jpeg(*self._encode(pixels), pixels.taken)
        self._seen = seen
        return jpeg


class Screen:
    """Pictures of a monitor or a window, as an async iterator; ``open_screen`` makes it.

    The iteration ends when there is nothing left to look at, and ``lost`` then says why. One task
    may iterate at a time; when a ``for`` is left, the next continues.

    Attributes:
      target: What is shown, as it was when the block began.
      lost: Why there are no more pictures; ``None`` while there may be more.
      hidden: Whether the window was minimised, or on another workspace, at the last look.
    """

    target: ScreenTarget
    lost: TargetLost | None
    hidden: bool

    def __init__(
        self, target: ScreenTarget, camera: _Camera, thread: PinnedThread, interval: float
    ) -> None:
        self.target = target
        self.lost = None
        self.hidden = not target.visible
        self._camera = camera
        self._thread = thread
        self._interval = interval
        self._due = trio.current_time()
        self._job: Job[_Look] | None = None
        self._again = False
        self._reading = False
        self._closed = trio.Event()
        self._counts: Counter[str] = Counter()
        self._work_seconds = self._longest_work_seconds = 0.0

    def __aiter__(self) -> AsyncIterator[Picture]:
        return self

    async def __anext__(self) -> Picture:
        """Wait for a picture that differs from the one before; the first comes at once.

        Raises:
          MediaError: The screen can't be read; the next call tries again.
          trio.BusyResourceError: Another task is waiting here.
          trio.ClosedResourceError: The block was left.

        Cancellation: a picture that is being taken is kept for the next call, for a second.
        """
        if self._reading:
            raise trio.BusyResourceError("another task is already waiting for a picture")
        self._reading = True
        try:
            await trio.lowlevel.checkpoint()
            if self._closed.is_set():
                raise trio.ClosedResourceError("the block of this screen was left")
            while self.lost is None:
                picture = await self._look()
                if picture is not None:
                    return picture
            raise StopAsyncIteration
        finally:
            self._reading = False

    async def _look(self) -> Picture | None:
        """Look at the target once, when it is time."""
        waited = self._job is not None  # since a call that was cancelled
        if self._job is None:
            with trio.move_on_at(self._due):
                await self._closed.wait()
                raise trio.ClosedResourceError("the block of this screen was left")
            self._due = trio.current_time() + self._interval
            again, self._again = self._again, False
            self._job = self._thread.start(lambda: self._camera.look(again=again))
        job = self._job
        await job.settled.wait()
        self._job = None
        return self._take(job.result(), waited)

    def _take(self, look: _Look, waited: bool) -> Picture | None:
        """Keep the books, and make a picture of what is worth one."""
        found = look.found
        self._counts["grabbed"] += 1
        self._work_seconds += look.seconds
        self._longest_work_seconds = max(self._longest_work_seconds, look.seconds)
        self.hidden = found == "hidden"
        if isinstance(found, Gone):
            self.lost = TargetLost(target=self.target, reason=found.reason, text=str(found))
            return None
        if not isinstance(found, _Jpeg):
            self._counts[found] += 1
            return None
        self._counts["shrunk"] += found.shrunk
        age = time.monotonic() - found.taken
        if waited and age > FRESH_SECONDS:
            self._counts["replaced"] += 1
            self._again = True
            return None
        self._counts["delivered"] += 1
        self._counts["delivered_bytes"] += len(found.data)
        return Picture(
            data=found.data,
            width=found.width,
            height=found.height,
            number=self._counts["delivered"],
            captured_at=trio.current_time() - age,
        )

    def refresh(self) -> None:
        """Let there be a picture at the next look, also if nothing has changed.

        For somebody who may have missed the last one: a picture that was sent while a connection
        broke isn't sent again, and a session that begins anew has seen none.
        """
        self._again = True

    def statistics(self) -> ScreenStatistics:
        """Return what became of the pictures so far."""
        return ScreenStatistics(
            **self._counts,
            work_seconds=self._work_seconds,
            longest_work_seconds=self._longest_work_seconds,
        )

    def _close(self) -> None:
        self._closed.set()


async def list_targets(*, display: str | None = None) -> ScreenTargets:
    """List what can be shown: monitors, and on X11 also windows.

    Args:
      display: The name of an X server, as in ``":0"``. Unless told: the screen of this machine; on
        Linux that is the X server which ``DISPLAY`` names.

    Raises:
      MediaError: There is no screen, or it can't be reached. The text says what to do.
      MissingDependency: The extra ``screen`` isn't installed.

    Cancellation: at any time; a display that doesn't answer is given up within two seconds.
    """
    make = _finder(display)
    async with open_pinned_thread("screen targets") as thread:
        system = await _opened(thread, make)
        return await thread.start(system.targets).wait()


@asynccontextmanager
async def open_screen(
    target: ScreenTarget | str | None = None,
    *,
    interval: float = 1.0,
    max_side: int = 1280,
    quality: int = 75,
    max_bytes: int = MAX_BYTES,
    display: str | None = None,
) -> AsyncIterator[Screen]:
    """Look at a monitor or a window, for the length of a block.

    A window of X11 is seen whole also when others cover it or when it is partly off the screen, but
    not when it is minimised. Neither a new size of the window nor a new resolution of the monitor
    ends the pictures. Pixels are read and compressed in one thread, which ends with the block.

    Args:
      target: One of ``list_targets``; or its id; or a title or an application, or a part of a
        title, if it means only one of them. Unless told, the main monitor.
      interval: Seconds from one look to the next; 0.1 to 3,600. The service takes one picture a
        second.
      max_side: The longest side of a picture, in pixels; 64 to 16,384. Larger ones are scaled down.
      quality: Of the JPEG, 1 to 95.
      max_bytes: The largest JPEG; 4,096 or more. Quality goes down for it, then size.
      display: As for ``list_targets``.

    Raises:
      ConfigError: A number is out of its range, or something is of another type.
      MediaError: There is no such target (the text names the nearest), it can't be shown, or there
        is no screen.
      MissingDependency: The extra ``screen`` isn't installed.

    Cancellation: at any time; a display that doesn't answer is given up within two seconds.
    """
    check_number("interval", interval, *INTERVALS, "seconds", whole=False)
    check_number("max_side", max_side, *SIDES, "pixels")
    check_number("quality", quality, *QUALITIES, "of JPEG's scale")
    check_number("max_bytes", max_bytes, MIN_BYTES, unit="bytes")
    if target is not None and not isinstance(target, (ScreenTarget, str)):
        raise ConfigError(f"A target is one of list_targets, a str or None, not {target!r}.")
    make = _finder(display)
    async with open_pinned_thread("screen") as thread:
        system = await _opened(thread, make)
        found = await thread.start(lambda: find(system.targets(), target)).wait()
        view = await thread.enter(lambda: system.look_at(found)).wait()
        camera = await thread.start(
            lambda: _Camera(view, max_side=max_side, quality=quality, max_bytes=max_bytes)
        ).wait()
        screen = Screen(found, camera, thread, interval)
        try:
            yield screen
        finally:
            screen._close()


def _finder(name: str | None) -> Callable[[], Display]:
    """Decide whose screen is meant, and how to get at it in the thread that will use it."""
    if name is not None and not isinstance(name, str):
        raise ConfigError(f'A display is named as in ":0", not by {name!r}.')
    if name is None and sys.platform in ("win32", "darwin"):
        return _system
    wayland = name is None and bool(
        os.environ.get("WAYLAND_DISPLAY") or os.environ.get("XDG_SESSION_TYPE") == "wayland"
    )
    server = name or os.environ.get("DISPLAY", "")
    if not server:
        raise MediaError(NO_X11_IN_WAYLAND if wayland else NO_DISPLAY)
    return partial(_x11, server, wayland=wayland)


async def _opened(thread: PinnedThread, make: Callable[[], Display]) -> Display:
    system = await thread.start(make).wait()
    thread.on_stuck(system.interrupt)
    return await thread.enter(lambda: system).wait()


def _system() -> Display:
    with _extra():
        from ._screen_system import System
    return System()


def _x11(name: str, *, wayland: bool) -> Display:
    with _extra():
        from ._screen_x11 import X11
    return X11(name, wayland=wayland)


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise MissingDependency(
            'Showing the screen needs: pip install "gemini-live-trio[screen]"'
        ) from error
