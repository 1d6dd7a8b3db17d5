"""What is on a screen arrives as pictures."""

from __future__ import annotations

import random

import pytest
import trio
from media.screen.looking import (
    BLUES,
    GREENS,
    QUICK,
    REDS,
    again,
    alike,
    give_up_while_looking,
    look,
    look_until,
    opened,
    rest,
    shows,
    until_picture,
)
from media.screen.xserver import COLOURS, Client, needs, x_server

from gemini_live_trio.media import TargetLost, open_screen
from gemini_live_trio.media._screen_targets import Pixels


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


@pytest.mark.parametrize("max_bytes", [4_096, 20_000, 150_000])
async def test_no_picture_is_larger_than_allowed(client: Client, max_bytes: int) -> None:
    from Xlib import X

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


@pytest.mark.parametrize("size", [(1, 1), (16_384, 1), (3, 5_000), (1_000, 999)])
@pytest.mark.parametrize(("quality", "max_bytes"), [(95, 4_096), (1, 4_096), (75, 100_000)])
def test_any_shape_of_noise_fits(size: tuple[int, int], quality: int, max_bytes: int) -> None:
    needs(modules=["PIL"])
    from gemini_live_trio.media._screen_jpeg import encode

    width, height = size
    raw = random.Random(2).randbytes(4 * width * height)
    pixels = Pixels(raw, width, height, taken=0.0)
    jpeg, new_width, new_height, _ = encode(
        pixels, max_side=1280, quality=quality, max_bytes=max_bytes
    )
    assert len(jpeg) <= max_bytes
    assert 1 <= new_width <= min(width, 1280)
    assert 1 <= new_height <= min(height, 1280)
