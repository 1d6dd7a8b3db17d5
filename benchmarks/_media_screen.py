"""What pictures of the screen cost: per look, and the rest of the program.

Xvfb shows coloured rectangles that another process keeps changing: this file, run with ``paint``.
"""

from __future__ import annotations

import functools
import math
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import attrs
import trio
from _media_report import Table

from gemini_live_trio.media import Screen, open_screen

__all__ = ["tables"]

SIZES = ((1280, 720), (1920, 1080), (3840, 2160))
LOOKS = 30
INTERVAL = 0.1
RECTANGLES = 400
TICK = 0.001


@attrs.frozen(kw_only=True)
class Figures:
    """One target at one size.

    Attributes:
      target: What was looked at.
      width: Of the screen or the window, in pixels.
      height: In pixels.
      open_ms: From the call of ``open_screen`` to the first picture.
      look_ms: Reading, comparing, scaling and compressing, on the average.
      worst_look_ms: The longest of them.
      unchanged_ms: A look that finds nothing new.
      jpeg_kib: Size of a picture, on the average.
      stall_ms: The longest that another task had to wait while all of this went on.
      idle_stall_ms: The same without looking at anything, to compare.
    """

    target: str
    width: int
    height: int
    open_ms: float
    look_ms: float
    worst_look_ms: float
    unchanged_ms: float
    jpeg_kib: float
    stall_ms: float
    idle_stall_ms: float


async def tables(*, quick: bool) -> list[Table]:
    """Measure a monitor and a covered window at each size; when ``quick``, at one."""
    rows = []
    for width, height in SIZES[:1] if quick else SIZES:
        with _x_server(width, height) as display:
            for kind in ("monitor", "window"):
                rows.append(_row(await _measure(display, kind, width, height)))
    head = "target, size, first picture, look, worst, unchanged, JPEG, stall, idle stall"
    title = "Looking at the screen; how long another task waits meanwhile, and without"
    return [Table(title, tuple(head.split(", ")), rows)]


def _row(found: Figures) -> tuple[str, ...]:
    return (
        *(found.target, f"{found.width} x {found.height}", f"{found.open_ms:.0f} ms"),
        *(f"{found.look_ms:.1f} ms", f"{found.worst_look_ms:.1f} ms"),
        *(f"{found.unchanged_ms:.1f} ms", f"{found.jpeg_kib:.0f} KiB"),
        *(f"{found.stall_ms:.1f} ms", f"{found.idle_stall_ms:.1f} ms"),
    )


async def _measure(display: str, kind: str, width: int, height: int) -> Figures:
    async with _painting(display, kind) as brush:
        wanted = "painted" if kind == "window" else None
        async with _stalls() as idle:
            await trio.sleep(LOOKS * INTERVAL / 2)
        async with _stalls() as stalls:
            begun = trio.current_time()
            async with open_screen(wanted, interval=INTERVAL, display=display) as screen:
                await anext(screen)
                opened = trio.current_time() - begun
                pictures = [await anext(screen) for _ in range(LOOKS)]
                busy = screen.statistics()
                await brush.aclose()
                unchanged = await _unchanged(screen)
    return Figures(
        target=kind,
        width=width,
        height=height,
        open_ms=opened * 1e3,
        look_ms=busy.work_seconds / busy.grabbed * 1e3,
        worst_look_ms=busy.longest_work_seconds * 1e3,
        unchanged_ms=unchanged * 1e3,
        jpeg_kib=sum(len(picture.data) for picture in pictures) / len(pictures) / 1024,
        stall_ms=max(stalls) * 1e3,
        idle_stall_ms=max(idle) * 1e3,
    )


async def _unchanged(screen: Screen) -> float:
    """Mean seconds of looks at something that stays as it is."""
    with trio.move_on_after(5 * INTERVAL):  # the last changes
        async for _ in screen:
            pass
    before = screen.statistics()
    with trio.move_on_after(LOOKS / 2 * INTERVAL):
        await anext(screen)
    after = screen.statistics()
    looks = after.unchanged - before.unchanged
    return (after.work_seconds - before.work_seconds) / looks if looks else math.nan


@asynccontextmanager
async def _stalls() -> AsyncIterator[list[float]]:
    """Collect by how much a task that wakes every millisecond is late, in seconds."""
    late: list[float] = []

    async def watch() -> None:
        while True:
            due = trio.current_time() + TICK
            await trio.sleep_until(due)
            late.append(trio.current_time() - due)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch)
        yield late
        nursery.cancel_scope.cancel()


@contextmanager
def _x_server(width: int, height: int) -> Iterator[str]:
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{width}x{height}x24"]
    with subprocess.Popen(
        [*command, "-nolisten", "tcp", "-noreset"],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            os.close(write_end)
            with os.fdopen(read_end) as number:
                yield f":{number.readline().strip()}"
        finally:
            process.terminate()


@asynccontextmanager
async def _painting(display: str, kind: str) -> AsyncIterator[trio.abc.SendStream]:
    """Run ``paint`` in a process of its own; closing what is given makes it stop painting."""
    command = [sys.executable, __file__, "paint", display, kind]
    run = functools.partial(
        trio.run_process, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    async with trio.open_nursery() as nursery:
        painter: trio.Process = await nursery.start(run)
        assert painter.stdin is not None
        assert painter.stdout is not None
        await painter.stdout.receive_some()  # it has begun
        yield painter.stdin
        nursery.cancel_scope.cancel()


def paint(display: str, kind: str) -> None:
    """Change the desktop, or a window that another one covers, until the input is closed."""
    from Xlib.display import Display

    connection = Display(display)
    root = connection.screen().root
    size = root.get_geometry()
    target = root
    if kind == "window":
        target = root.create_window(0, 0, size.width, size.height, 0, size.depth)
        target.set_wm_name("painted")
        target.map()
        root.create_window(0, 0, size.width, size.height, 0, size.depth).map()
    pen = target.create_gc()
    chance = random.Random(1)
    rectangles = RECTANGLES
    while not select.select([sys.stdin], [], [], INTERVAL / 3)[0]:
        for _ in range(rectangles):
            pen.change(foreground=chance.randrange(1 << 24))
            place = (chance.randrange(size.width), chance.randrange(size.height))
            target.fill_rectangle(pen, *place, chance.randrange(200), chance.randrange(60))
        connection.sync()
        if rectangles == RECTANGLES:
            print("painting", flush=True)
            rectangles //= 10
    signal.pause()  # its window would go with it


if __name__ == "__main__":
    paint(*sys.argv[2:])
