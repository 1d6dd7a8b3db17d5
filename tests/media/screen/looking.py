"""What the tests of the screen do with pictures."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from typing import Any

import trio
from media.screen.xserver import COLOURS, Window, XServer
from trio.testing import wait_all_tasks_blocked

from gemini_live_trio.media import Picture, Screen

__all__ = [
    "BLUES",
    "GREENS",
    "PATIENCE",
    "QUICK",
    "REDS",
    "again",
    "alike",
    "give_up_while_looking",
    "look",
    "look_until",
    "opened",
    "rest",
    "shows",
    "threads",
    "until_picture",
]

PATIENCE = 20
"""Seconds: without a bound a lost picture would hang the test."""
QUICK = 0.1
"""The shortest interval, in seconds."""
REDS, GREENS, BLUES = ([colour] * 4 for colour in COLOURS[:3])


async def look(screen: Screen) -> Picture:
    """The next picture."""
    with trio.fail_after(PATIENCE):
        return await anext(screen)


async def look_until(screen: Screen, condition: Callable[[], bool]) -> None:
    """Wait for pictures that don't come, until something else is seen."""
    with trio.fail_after(PATIENCE):
        while not condition():
            with trio.move_on_after(QUICK / 2):
                await anext(screen)


async def rest(screen: Screen) -> list[Picture]:
    """Everything up to the end."""
    with trio.fail_after(PATIENCE):
        return [picture async for picture in screen]


def opened(picture: Picture) -> Any:
    """The picture as Pillow reads it."""
    from PIL import Image

    image = Image.open(io.BytesIO(picture.data))
    image.load()
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert image.size == (picture.width, picture.height)
    return image


def alike(found: Any, colour: int) -> bool:
    """Whether a pixel has a colour, as far as a JPEG can tell."""
    wanted = (colour >> 16, colour >> 8 & 255, colour & 255)
    return all(abs(one - other) <= 12 for one, other in zip(found, wanted, strict=True))


def shows(picture: Picture, *colours: int) -> bool:
    """Whether its quarters have these colours, or all have one."""
    image = opened(picture)
    width, height = image.size
    places = [(column * width // 8, row * height // 8) for row in (2, 6) for column in (2, 6)]
    wanted = colours if len(colours) == 4 else colours * 4
    return all(
        alike(image.getpixel(place), colour) for place, colour in zip(places, wanted, strict=True)
    )


def threads() -> list[str]:
    """The names of ours."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("screen")]


async def give_up_while_looking(screen: Screen, server: XServer) -> None:
    """Cancel a reader when its picture is being taken."""
    server.pause()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(look, screen)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    server.go_on()


async def until_picture(screen: Screen, width: int, height: int) -> Picture:
    """The last of those with a new size: while it changes, a picture may show anything."""
    picture = await look(screen)
    while (picture.width, picture.height) != (width, height) or not shows(picture, *COLOURS):
        picture = await look(screen)
    return picture


def again(window: Window, colours: list[int]) -> None:
    """Make a window with the number of one that was closed."""
    from Xlib import X
    from Xlib.protocol import request

    client = window.client
    request.CreateWindow(
        display=client.display.display,
        depth=24,
        wid=window.window.id,
        parent=client.root.id,
        x=0,
        y=0,
        width=400,
        height=300,
        border_width=0,
        window_class=X.CopyFromParent,
        visual=X.CopyFromParent,
        background_pixel=colours[0],
    )
    window.show()
