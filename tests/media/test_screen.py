"""What is on a screen arrives as pictures: with real X servers, windows and window managers."""

from __future__ import annotations

import io
import math
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from media.xserver import COLOURS, Client, Window, XServer, needs, x_server
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from gemini_live_trio.errors import ConfigError, MediaError, MissingDependency
from gemini_live_trio.media import (
    Picture,
    Screen,
    ScreenTarget,
    TargetLost,
    list_targets,
    open_screen,
)

if "DEVICES_REQUIRED" not in os.environ:
    pytest.importorskip("PIL", reason="needs the extra screen")
    pytest.importorskip("Xlib", reason="needs the extra screen")

from PIL import Image
from Xlib import X

PATIENCE = 20
QUICK = 0.1
"""The shortest interval, in seconds."""
REDS, GREENS, BLUES = ([colour] * 4 for colour in COLOURS[:3])


@pytest.fixture(scope="module")
def shared() -> Iterator[XServer]:
    with x_server() as server:
        yield server


@pytest.fixture
def client(shared: XServer) -> Iterator[Client]:
    """A clean desktop of 1280 x 720; the windows of a test go with its client."""
    with Client(shared) as client:
        client.paint_desktop(0, 0, 0, 0)
        yield client


async def look(screen: Screen) -> Picture:
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


def opened(picture: Picture) -> Image.Image:
    image = Image.open(io.BytesIO(picture.data))
    image.load()
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert image.size == (picture.width, picture.height)
    return image


def alike(found: Any, colour: int) -> bool:
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
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("screen")]


# -- what is listed


async def test_a_monitor_and_the_windows_are_listed_topmost_first(client: Client) -> None:
    below, above = client.window(title="below"), client.window(40, 30, 64, 48, title="above")
    targets = await list_targets(display=client.server.name)
    assert targets.notes == ()
    assert [(target.id, target.title) for target in targets] == [
        ("monitor:screen", "screen"),
        (above.id, "above"),
        (below.id, "below"),
    ]
    monitor, window, _ = targets
    assert (monitor.kind, monitor.width, monitor.height) == ("monitor", 1280, 720)
    assert window == ScreenTarget(
        id=above.id,
        kind="window",
        title="above",
        left=40,
        top=30,
        width=64,
        height=48,
        application="Quarters",
        pid=os.getpid(),
    )
    assert all(target.capturable and not target.obstacle for target in targets)
    assert targets[1:] == (window, targets[2])


async def test_menus_and_what_was_never_shown_are_not_listed(client: Client) -> None:
    client.window(title="menu", override_redirect=1)
    hidden = client.window(title="hidden")
    hidden.window.unmap()
    client.display.sync()
    assert len(await list_targets(display=client.server.name)) == 1


async def test_a_window_manager_is_asked_for_its_windows(client: Client) -> None:
    with client.server.manager():
        first, second = client.window(title="first"), client.window(title="second")
        first.minimise()
        targets = await list_targets(display=client.server.name)
        windows = {target.id: target for target in targets if target.kind == "window"}
        assert set(windows) == {first.id, second.id}
        assert not windows[first.id].visible
        assert windows[first.id].capturable
        assert windows[second.id].visible


async def test_the_list_of_a_window_manager_that_crashed_is_not_believed(client: Client) -> None:
    with client.server.manager() as manager:
        client.window(title="before")
        manager.send_signal(signal.SIGKILL)
        manager.wait()
        after = client.window(title="after")
        assert client.has_property(client.root, "_NET_CLIENT_LIST")
        assert after.id in [target.id for target in await list_targets(display=client.server.name)]


async def test_titles_can_not_drive_a_terminal(client: Client) -> None:
    client.window(title="a\x1b[31m\x9b2J\nb\u202ec" + "x" * 1000)
    window = (await list_targets(display=client.server.name))[1]
    assert window.title.startswith("a [31m 2J b c")
    assert window.title.isprintable()
    assert len(window.title) <= 200


async def test_two_monitors_are_shown_alone_and_together(shared: XServer, client: Client) -> None:
    client.paint_desktop(*COLOURS)
    shared.run("xrandr", "--setmonitor", "LEFT", "640/200x720/200+0+0", "screen")
    shared.run("xrandr", "--setmonitor", "*RIGHT", "640/200x720/200+640+0", "none")
    try:
        targets = await list_targets(display=shared.name)
        assert [(target.id, target.left, target.width, target.primary) for target in targets] == [
            ("monitor:RIGHT", 640, 640, True),
            ("monitor:LEFT", 0, 640, False),
            ("desktop", 0, 1280, False),
        ]
        red, green, blue, yellow = COLOURS
        for wanted, colours in (
            (None, (green, green, yellow, yellow)),
            ("LEFT", (red, red, blue, blue)),
            ("desktop", COLOURS),
        ):
            async with open_screen(wanted, display=shared.name) as screen:
                assert shows(await look(screen), *colours)
        async with open_screen("left", interval=QUICK, display=shared.name) as screen:
            await look(screen)
            shared.run("xrandr", "--delmonitor", "LEFT")
            assert await rest(screen) == []
            assert screen.lost == TargetLost(
                target=screen.target,
                reason="unplugged",
                text='The monitor "LEFT" was unplugged or switched off.',
            )
    finally:
        shared.run("xrandr", "--delmonitor", "RIGHT")


# -- pictures


async def test_a_known_picture_arrives_as_the_right_jpeg(client: Client) -> None:
    client.paint_desktop(*COLOURS)
    async with open_screen(display=client.server.name) as screen:
        picture = await look(screen)
    assert (picture.width, picture.height, picture.number) == (1280, 720, 1)
    assert shows(picture, *COLOURS)
    assert repr(picture).startswith(f"Picture(data=<{len(picture.data)} bytes>, width=1280,")


async def test_a_large_screen_is_scaled_down_in_proportion(client: Client) -> None:
    client.paint_desktop(*COLOURS)
    async with open_screen(max_side=320, quality=95, display=client.server.name) as screen:
        picture = await look(screen)
    assert (picture.width, picture.height) == (320, 180)
    assert shows(picture, *COLOURS)


async def test_a_small_window_is_not_scaled_up(client: Client) -> None:
    window = client.window(width=3, height=2)
    async with open_screen(window.id, display=client.server.name) as screen:
        picture = await look(screen)
    assert (picture.width, picture.height) == (3, 2)


async def test_a_window_that_is_black_is_a_picture_too(client: Client) -> None:
    window = client.window(colours=[0, 0, 0, 0])
    async with open_screen(window.id, display=client.server.name) as screen:
        assert shows(await look(screen), 0)


async def test_a_covered_window_is_seen_whole(client: Client) -> None:
    window = client.window()
    client.window(colours=BLUES, title="cover")
    async with (
        open_screen(window.id, display=client.server.name) as screen,
        open_screen(display=client.server.name) as monitor,
    ):
        assert shows(await look(screen), *COLOURS)
        on_the_monitor = opened(await look(monitor)).getpixel((200, 150))
        assert alike(on_the_monitor, COLOURS[2])


async def test_a_window_is_covered_while_it_is_shown(client: Client) -> None:
    window = client.window()
    async with open_screen(window.id, interval=QUICK, display=client.server.name) as screen:
        assert shows(await look(screen), *COLOURS)
        client.window(colours=BLUES, title="cover")
        client.paint(window.window, 400, 300, GREENS)
        assert shows(await look(screen), *GREENS)


async def test_a_window_that_hangs_over_the_edge_is_seen_whole(client: Client) -> None:
    window = client.window(left=-200, top=600)
    async with open_screen(window.id, display=client.server.name) as screen:
        assert shows(await look(screen), *COLOURS)


async def test_the_border_of_a_window_is_left_out(client: Client) -> None:
    window = client.window(border=25, border_pixel=0xFFFFFF)
    async with open_screen(window.id, display=client.server.name) as screen:
        picture = await look(screen)
        assert (picture.width, picture.height) == (400, 300)
        assert alike(opened(picture).getpixel((2, 2)), COLOURS[0])


async def test_a_window_is_seen_under_a_window_manager(client: Client) -> None:
    with client.server.manager():
        window = client.window()
        client.window(colours=BLUES, title="cover")
        async with open_screen(window.id, display=client.server.name) as screen:
            assert shows(await look(screen), *COLOURS)


async def test_a_monitor_that_hangs_over_the_edge_is_cut(client: Client) -> None:
    client.paint_desktop(*COLOURS)
    name = client.server.name
    client.server.run("xrandr", "--setmonitor", "ODD", "1000/9x1000/9+640+-280", "none")
    try:
        async with open_screen("ODD", display=name) as screen:
            picture = await look(screen)
            assert (picture.width, picture.height) == (640, 720)
            assert shows(picture, COLOURS[1], COLOURS[1], COLOURS[3], COLOURS[3])
    finally:
        client.server.run("xrandr", "--delmonitor", "ODD")


async def test_what_has_not_changed_is_not_sent_again(client: Client) -> None:
    client.paint_desktop(*COLOURS)
    async with open_screen(interval=QUICK, display=client.server.name) as screen:
        await look(screen)
        await look_until(screen, lambda: screen.statistics().unchanged >= 2)
        assert screen.statistics().delivered == 1
        client.paint_desktop(*REDS)
        picture = await look(screen)
        assert shows(picture, *REDS)
        assert picture.number == 2
        counts = screen.statistics()
        assert counts.grabbed == counts.delivered + counts.unchanged
        assert 0 < counts.longest_work_seconds <= counts.work_seconds


async def test_a_picture_can_be_asked_for_although_nothing_has_changed(client: Client) -> None:
    async with open_screen(interval=QUICK, display=client.server.name) as screen:
        first = await look(screen)
        await look_until(screen, lambda: screen.statistics().unchanged >= 1)
        screen.refresh()
        second = await look(screen)
        assert second.data == first.data
        assert second.captured_at > first.captured_at


async def test_a_slow_reader_sees_what_is_there_now(client: Client) -> None:
    async with open_screen(interval=QUICK, display=client.server.name) as screen:
        await look(screen)
        for colours in (BLUES, REDS, GREENS):
            client.paint_desktop(*colours)
        picture = await look(screen)
        assert shows(picture, *GREENS)
        assert 0 <= picture.age < 1
        assert screen.statistics().grabbed == 2


async def test_the_interval_is_kept_between_looks(client: Client) -> None:
    async with open_screen(interval=0.3, display=client.server.name) as screen:
        started = trio.current_time()
        for colours in (REDS, GREENS, BLUES):
            client.paint_desktop(*colours)
            await look(screen)
        assert trio.current_time() - started >= 0.6


async def test_a_picture_whose_reader_gave_up_is_kept_for_the_next(client: Client) -> None:
    client.paint_desktop(*COLOURS)
    with x_server() as server, Client(server) as painter:
        painter.paint_desktop(*REDS)
        async with open_screen(interval=3600, display=server.name) as screen:
            await give_up_while_looking(screen, server)
            assert shows(await look(screen), *REDS)
            assert screen.statistics().grabbed == screen.statistics().delivered == 1


async def test_a_picture_that_waited_too_long_is_replaced(client: Client) -> None:
    with x_server() as server, Client(server) as painter:
        painter.paint_desktop(*REDS)
        async with (
            open_screen(interval=QUICK, display=server.name) as screen,
            open_screen(interval=1.2, display=client.server.name) as clock,
        ):
            await give_up_while_looking(screen, server)
            await look(clock)
            client.paint_desktop(*BLUES)
            await look(clock)
            assert shows(await look(screen), *REDS)
            counts = screen.statistics()
            assert (counts.grabbed, counts.replaced, counts.delivered) == (2, 1, 1)


async def give_up_while_looking(screen: Screen, server: XServer) -> None:
    """Cancel a reader when its picture is being taken."""
    server.pause()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(look, screen)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    server.go_on()


@pytest.mark.parametrize("max_bytes", [4_096, 20_000, 150_000])
async def test_no_picture_is_larger_than_allowed(client: Client, max_bytes: int) -> None:
    width, height = 400, 300
    window = client.window(width=width, height=height)
    noise = random.Random(1).randbytes(width * 4)
    pen = window.window.create_gc()
    for row in range(height):
        shifted = noise[4 * row :] + noise[: 4 * row]
        window.window.put_image(pen, 0, row, width, 1, X.ZPixmap, 24, 0, shifted)
    client.display.sync()
    async with open_screen(
        window.id, quality=90, max_bytes=max_bytes, display=client.server.name
    ) as screen:
        picture = await look(screen)
        assert len(picture.data) <= max_bytes
        opened(picture)
        assert picture.width / picture.height == pytest.approx(4 / 3, rel=0.05)
        assert screen.statistics().shrunk == (max_bytes < 150_000)
        assert screen.statistics().delivered_bytes == len(picture.data)


async def test_the_resolution_changes_while_a_monitor_is_shown() -> None:
    with x_server("1024x768x24") as server, Client(server) as painter:
        painter.paint_desktop(*REDS)
        small = ("640x400", "0", "640", "0", "0", "640", "400", "0", "0", "400")
        server.run("xrandr", "--newmode", *small)
        server.run("xrandr", "--addmode", "screen", "640x400")
        async with open_screen(interval=QUICK, display=server.name) as screen:
            assert (await look(screen)).width == 1024
            server.run("xrandr", "--output", "screen", "--mode", "640x400")
            painter.paint_desktop(*COLOURS)
            picture = await until_picture(screen, 640, 400)
            assert shows(picture, *COLOURS)
        async with open_screen(interval=QUICK, display=server.name) as screen:
            assert (await look(screen)).width == 640
            server.run("xrandr", "--output", "screen", "--mode", "1024x768")
            painter.paint_desktop(*COLOURS)
            picture = await until_picture(screen, 1024, 768)
            assert shows(picture, *COLOURS)
            assert screen.lost is None


async def until_picture(screen: Screen, width: int, height: int) -> Picture:
    """The last of those with a new size: while it changes, a picture may show anything."""
    picture = await look(screen)
    while (picture.width, picture.height) != (width, height) or not shows(picture, *COLOURS):
        picture = await look(screen)
    return picture


# -- what happens to windows


async def test_a_window_is_resized(client: Client) -> None:
    window = client.window()
    async with open_screen(window.id, interval=QUICK, display=client.server.name) as screen:
        await look(screen)
        for width, height in ((600, 200), (64, 500)):
            window.resize(width, height)
            assert shows(await until_picture(screen, width, height), *COLOURS)


async def test_a_minimised_window_is_waited_for(client: Client) -> None:
    with client.server.manager():
        window = client.window()
        async with open_screen(window.id, interval=QUICK, display=client.server.name) as screen:
            await look(screen)
            assert not screen.hidden
            window.minimise()
            await look_until(screen, lambda: screen.hidden)
            assert screen.lost is None
            assert screen.statistics().hidden > 0
            client.paint(window.window, 400, 300, BLUES)
            window.show()
            picture = await look(screen)
            while not shows(picture, *BLUES):
                picture = await look(screen)
            assert not screen.hidden


async def test_a_window_that_is_minimised_already_can_be_opened(client: Client) -> None:
    with client.server.manager():
        window = client.window()
        window.minimise()
        async with open_screen(window.id, interval=QUICK, display=client.server.name) as screen:
            assert screen.hidden
            await look_until(screen, lambda: screen.statistics().hidden > 0)
            window.show()
            await look_until(screen, lambda: screen.statistics().delivered > 0)
            assert not screen.hidden


async def test_pictures_end_when_the_window_is_closed(client: Client) -> None:
    window = client.window(title="going")
    async with open_screen(window.id, interval=QUICK, display=client.server.name) as screen:
        await look(screen)
        assert screen.lost is None
        window.close()
        assert await rest(screen) == []
        assert screen.lost == TargetLost(
            target=screen.target, reason="closed", text='The window "going" was closed.'
        )
        assert await rest(screen) == []


async def test_a_closed_window_is_not_mistaken_for_a_new_one_with_its_number(
    client: Client,
) -> None:
    window = client.window()
    async with open_screen(window.id, interval=QUICK, display=client.server.name) as screen:
        await look(screen)
        window.close()
        again(window, colours=BLUES)
        assert await rest(screen) == []
        assert screen.lost is not None
        assert screen.lost.reason == "closed"


def again(window: Window, colours: list[int]) -> None:
    """Make a window with the number of one that was closed."""
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


async def test_a_target_that_was_listed_must_still_be_the_same(client: Client) -> None:
    window = client.window()
    listed = (await list_targets(display=client.server.name))[1]
    async with open_screen(listed, display=client.server.name) as screen:
        assert screen.target == listed
    window.close()
    again(window, colours=BLUES)
    with pytest.raises(MediaError, match=rf'^The window "quarters" \({window.id}\) isn\'t there'):
        async with open_screen(listed, display=client.server.name):
            pass


# -- names


async def test_a_target_goes_by_many_names(client: Client) -> None:
    window = client.window(title="An Editor - draft.txt")
    for name in (
        *(window.id, window.id.upper(), f" {window.id} ", window.id.partition(":")[2]),
        *("an editor - draft.txt", "quarters", "DRAFT"),
    ):
        async with open_screen(name, display=client.server.name) as screen:
            assert screen.target.id == window.id
    async with open_screen("Screen", display=client.server.name) as screen:
        assert screen.target.id == "monitor:screen"


async def test_a_wrong_name_is_answered_with_the_nearest(client: Client) -> None:
    window = client.window(title="Terminal")
    for name, hint in (
        ("Treminal", f'Did you mean {window.id} "Terminal"?'),
        ("monitor:scren", 'Did you mean monitor:screen "screen"?'),
        ("zzz", f'There is, for example, monitor:screen "screen", {window.id} "Terminal".'),
        ("", "There is, for example,"),
    ):
        with pytest.raises(MediaError) as caught:
            async with open_screen(name, display=client.server.name):
                pass
        assert str(caught.value).startswith(f'There is nothing called "{name}" to show. {hint}')


async def test_a_name_of_several_is_answered_with_all_of_them(client: Client) -> None:
    first, second = client.window(title="one"), client.window(title="other")
    with pytest.raises(MediaError) as caught:
        async with open_screen("quarters", display=client.server.name):
            pass
    assert str(caught.value) == (
        f'"quarters" may mean {second.id} "other", {first.id} "one"; '
        "use the id, in front of the title."
    )


# -- threads and connections


async def test_one_thread_and_one_connection_last_as_long_as_the_block(client: Client) -> None:
    before = client.clients()
    assert threads() == []
    async with open_screen(interval=QUICK, display=client.server.name) as screen:
        for colours in (REDS, GREENS, BLUES):
            client.paint_desktop(*colours)
            await look(screen)
            assert threads() == ["screen"]
            assert client.clients() == before + 1
    assert threads() == []
    assert client.clients() == before


async def test_connections_do_not_pile_up(client: Client) -> None:
    window = client.window()
    before = client.clients()
    for number in range(100):
        async with open_screen(window.id, display=client.server.name) as screen:
            if number % 10 == 0:
                await look(screen)
        await list_targets(display=client.server.name)
    assert client.clients() == before
    assert threads() == []


async def test_a_block_that_is_cancelled_anywhere_leaves_nothing_behind(client: Client) -> None:
    window = client.window()
    before = client.clients()
    for microseconds in range(0, 30_000, 700):
        with trio.move_on_after(microseconds / 1e6):
            async with open_screen(window.id, interval=QUICK, display=client.server.name) as screen:
                await look(screen)
                await trio.sleep_forever()
        assert threads() == []
        assert client.clients() == before


async def test_an_exception_leaves_the_block_as_it_is(client: Client) -> None:
    with pytest.raises(KeyError, match="mine"):
        async with open_screen(display=client.server.name):
            raise KeyError("mine")


async def test_looking_is_a_checkpoint_and_takes_one_reader(client: Client) -> None:
    window = client.window()
    async with open_screen(window.id, interval=3600, display=client.server.name) as screen:
        with assert_checkpoints():
            await look(screen)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(look, screen)
            await wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await anext(screen)
            nursery.cancel_scope.cancel()
    with assert_checkpoints(), pytest.raises(trio.ClosedResourceError):
        await anext(screen)


async def test_a_reader_elsewhere_is_told_that_the_block_was_left(client: Client) -> None:
    told = trio.Event()

    async def read(screen: Screen) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await rest(screen)
        told.set()

    async with trio.open_nursery() as nursery:
        async with open_screen(interval=3600, display=client.server.name) as screen:
            nursery.start_soon(read, screen)
            await wait_all_tasks_blocked()
        with trio.fail_after(PATIENCE):
            await told.wait()


# -- displays that fail


@pytest.mark.parametrize("kind", ["monitor", "window"])
async def test_pictures_end_when_the_server_dies(kind: str) -> None:
    with x_server("640x400x24") as server, Client(server) as painter:
        wanted = painter.window().id if kind == "window" else None
        async with open_screen(wanted, interval=QUICK, display=server.name) as screen:
            await look(screen)
            server.kill()
            assert await rest(screen) == []
            assert screen.lost == TargetLost(
                target=screen.target,
                reason="display",
                text=f"The display {server.name} has gone.",
            )


async def test_a_server_dies_in_the_middle_of_a_picture() -> None:
    for _ in range(5):
        with x_server("640x400x24") as server:
            async with open_screen(interval=QUICK, display=server.name) as screen:
                await give_up_while_looking(screen, server)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(trio.to_thread.run_sync, server.kill)
                    await rest(screen)
                assert screen.lost is not None
                assert screen.lost.reason == "display"


async def test_a_server_that_hangs_does_not_keep_the_block(client: Client) -> None:
    with x_server("640x400x24") as server:
        with trio.fail_after(PATIENCE), trio.move_on_after(1) as patience:
            async with open_screen(display=server.name) as screen:
                await look(screen)
                await give_up_while_looking(screen, server)
                server.pause()
                patience.deadline = trio.current_time()
                await trio.sleep_forever()
        assert threads() == []


async def test_a_server_that_hangs_from_the_start_does_not_keep_the_block() -> None:
    with x_server("640x400x24") as server:
        server.pause()
        for use in (list_targets, opening):
            with trio.fail_after(PATIENCE), trio.move_on_after(0.2) as patience:
                await use(display=server.name)
            assert patience.cancelled_caught
            assert threads() == []


async def opening(display: str) -> None:
    async with open_screen(display=display):
        pass


async def test_a_depth_of_16_is_refused_in_words() -> None:
    with x_server("640x400x16") as server, Client(server) as painter:
        painter.window()
        targets = await list_targets(display=server.name)
        sentence = (
            "It has 16 bits for a pixel, and pictures can be taken of 24 and 32; "
            f"start the X server of {server.name} with a depth of 24."
        )
        assert [target.obstacle for target in targets] == [sentence, sentence]
        assert not targets[0].capturable
        with pytest.raises(MediaError, match=f"^{re.escape(sentence)}$"):
            async with open_screen(display=server.name):
                pass


async def test_without_composite_windows_can_not_be_shown() -> None:
    with x_server("640x400x24", "-extension", "Composite") as server, Client(server) as painter:
        window = painter.window()
        async with open_screen(display=server.name) as screen:
            await look(screen)
        with pytest.raises(MediaError, match="has no Composite extension, which windows need"):
            async with open_screen(window.id, display=server.name):
                pass


async def test_without_randr_there_is_still_a_desktop() -> None:
    with x_server("640x400x24", "-extension", "RANDR") as server, Client(server) as painter:
        painter.paint_desktop(*COLOURS)
        (desktop,) = await list_targets(display=server.name)
        assert (desktop.id, desktop.primary) == ("desktop", True)
        async with open_screen(display=server.name) as screen:
            assert shows(await look(screen), *COLOURS)


async def test_a_display_that_keeps_its_windows_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("xauth")
    theirs, ours = tmp_path / "server", tmp_path / "client"

    def xauth(file: Path, *command: str) -> None:
        subprocess.run(["xauth", "-q", "-f", file, *command], check=True, stderr=subprocess.DEVNULL)

    cookie = "0123456789abcdef" * 2
    xauth(theirs, "add", ":0", ".", cookie)
    with x_server("640x400x24", "-auth", str(theirs)) as server:
        with pytest.raises(MediaError, match=r"^Can't connect to the display .*: .*\.$"):
            await list_targets(display=server.name)
        monkeypatch.setenv("XAUTHORITY", str(ours))
        xauth(ours, "add", server.name, ".", cookie)
        async with open_screen(display=server.name) as screen:
            await look(screen)
        # As ssh -X does.
        xauth(ours, "generate", server.name, ".", "untrusted")
        async with open_screen(display=server.name) as screen:
            for _ in range(2):
                with pytest.raises(MediaError) as caught:
                    await look(screen)
            assert str(caught.value) == (
                f"The display {server.name} doesn't let this program look at it (BadAccess). "
                "Through ssh, connect with -Y instead of -X."
            )
            assert screen.lost is None


@pytest.mark.parametrize(
    ("display", "sentence"),
    [
        (":4711", r"^Can't connect to the display :4711: .*[a-z]\.$"),
        ("nonsense", r'^"nonsense" is no name of a display; they look like ":0" or "host:0.0".$'),
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # python-xlib forgets it
async def test_a_display_that_is_not_there(display: str, sentence: str) -> None:
    with pytest.raises(MediaError, match=sentence):
        await list_targets(display=display)
    with pytest.raises(MediaError, match=sentence):
        async with open_screen(display=display):
            pass


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No screen in the environment."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


async def test_no_display_is_told_in_words(bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(MediaError, match=r"^There is no screen: DISPLAY isn't set\. Run this in"):
        await list_targets()


async def test_the_display_of_the_environment_is_used(
    bare: pytest.MonkeyPatch, client: Client
) -> None:
    bare.setenv("DISPLAY", client.server.name)
    assert (await list_targets())[0].id == "monitor:screen"
    async with open_screen() as screen:
        await look(screen)


@pytest.mark.parametrize(
    "variable", [("WAYLAND_DISPLAY", "wayland-0"), ("XDG_SESSION_TYPE", "wayland")]
)
async def test_wayland_is_told_in_words(
    bare: pytest.MonkeyPatch, client: Client, variable: tuple[str, str]
) -> None:
    bare.setenv(*variable)
    with pytest.raises(MediaError, match=r"^This is a Wayland session without an X server"):
        await list_targets()
    window = client.window()
    bare.setenv("DISPLAY", client.server.name)
    targets = await list_targets()
    assert [note.about for note in targets.notes] == ["wayland"]
    assert [target.capturable for target in targets] == [False, True]
    with pytest.raises(MediaError, match="only windows of X11 programs can be shown"):
        async with open_screen():
            pass
    async with open_screen(window.id) as screen:
        assert shows(await look(screen), *COLOURS)


async def test_an_empty_authority_file_prints_nothing(
    client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").touch()
    monkeypatch.setenv("XAUTHORITY", str(tmp_path / "empty"))
    await list_targets(display=client.server.name)
    assert capfd.readouterr() == ("", "")


# -- what is asked for


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("interval", value) for value in (0, -1, 0.05, 3601, math.inf, math.nan)),
        *(("max_side", value) for value in (0, 63, 20_000)),
        *(("quality", value) for value in (0, 96)),
        *(("max_bytes", value) for value in (0, 4_095)),
    ],
)
async def test_absurd_numbers_are_refused(option: str, value: float) -> None:
    with pytest.raises(ConfigError, match=rf"^{option} must be [\d.,]+ (to [\d,.]+|or more) "):
        async with open_screen(**{option: value}):  # type: ignore[arg-type]
            pass


@pytest.mark.parametrize(("module", "ours"), [("Xlib", "_screen_x11"), ("PIL", "_screen_jpeg")])
async def test_a_missing_library_is_told_in_one_line(
    client: Client, monkeypatch: pytest.MonkeyPatch, module: str, ours: str
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"gemini_live_trio.media.{ours}", raising=False)
    with pytest.raises(
        MissingDependency,
        match=r'^Showing the screen needs: pip install "gemini-live-trio\[screen\]"$',
    ):
        async with open_screen(display=client.server.name):
            pass


def test_the_libraries_are_imported_when_they_are_used() -> None:
    code = "import sys, gemini_live_trio.media; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {name.partition(".")[0] for name in run.stdout.split()} & {"mss", "PIL", "Xlib"}


async def test_the_program_of_the_guide_runs(client: Client) -> None:
    text = (Path(__file__).parents[2] / "docs" / "howto" / "screen.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(import trio\n.*?)^```", text, re.M | re.S)
    run = await trio.run_process(
        [sys.executable, "-W", "error", "-c", program],
        env=client.server.environment(),
        capture_stdout=True,
    )
    assert run.stdout.decode() in text
