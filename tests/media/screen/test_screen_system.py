"""Monitors through mss, as on Windows and macOS; here it looks at an X server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from media.screen.xserver import COLOURS, Client, XServer, needs, x_server

from gemini_live_trio.errors import MediaError
from gemini_live_trio.media._screen_targets import Gone, Pixels

if TYPE_CHECKING:
    from gemini_live_trio.media._screen_system import System


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[XServer]:
    """One that ``DISPLAY`` names."""
    needs(modules=["mss"])
    with x_server("640x400x24") as server:
        monkeypatch.setenv("DISPLAY", server.name)
        yield server


@pytest.fixture
def system(server: XServer) -> Iterator[System]:
    """What looks at it; imported late, since mss may be missing."""
    from gemini_live_trio.media._screen_system import System

    with System() as system:
        yield system


def quarters(pixels: Pixels) -> list[int]:
    """The colours in the middle of each quarter."""
    places = [
        (row * pixels.height // 4 * pixels.width + column * pixels.width // 4) * 4
        for row in (1, 3)
        for column in (1, 3)
    ]
    return [int.from_bytes(pixels.raw[place : place + 3], "little") for place in places]


def test_a_monitor_is_listed_and_windows_are_said_to_be_missing(
    server: XServer, system: System
) -> None:
    with Client(server) as client:
        client.window()
        targets = system.targets()
    (monitor,) = targets
    assert (monitor.id, monitor.kind, monitor.width, monitor.height) == (
        *("monitor:1", "monitor", 640, 400),
    )
    assert monitor.title
    assert monitor.capturable
    assert [(note.about, note.text) for note in targets.notes] == [
        ("windows", "Single windows can be shown on X11 only; here, whole monitors can.")
    ]


def test_a_monitor_is_seen_and_its_new_size_too(server: XServer, system: System) -> None:
    with Client(server) as client:
        client.paint_desktop(*COLOURS)
        (monitor,) = system.targets()
        with system.look_at(monitor) as view:
            pixels = view()
            assert pixels is not None
            assert (pixels.width, pixels.height) == (640, 400)
            assert quarters(pixels) == list(COLOURS)
            small = ("320x200", "0", "320", "0", "0", "320", "200", "0", "0", "200")
            server.run("xrandr", "--newmode", *small)
            server.run("xrandr", "--addmode", "screen", "320x200")
            server.run("xrandr", "--output", "screen", "--mode", "320x200")
            smaller = view()
            assert smaller is not None
            assert (smaller.width, smaller.height) == (320, 200)


def test_two_monitors_make_a_desktop_and_one_can_be_unplugged(
    server: XServer, system: System
) -> None:
    server.run("xrandr", "--setmonitor", "A", "320/100x400/100+0+0", "screen")
    server.run("xrandr", "--setmonitor", "B", "320/100x400/100+320+0", "none")
    with Client(server) as client:
        client.paint_desktop(*COLOURS)
        targets = system.targets()
        assert [(target.id, target.left, target.width) for target in targets] == [
            ("monitor:1", 0, 320),
            ("monitor:2", 320, 320),
            ("desktop", 0, 640),
        ]
        with system.look_at(targets[1]) as view, system.look_at(targets[2]) as whole:
            half, both = view(), whole()
            assert half is not None
            assert both is not None
            right = [COLOURS[1], COLOURS[1], COLOURS[3], COLOURS[3]]
            assert quarters(half) == right
            assert quarters(both) == list(COLOURS)
            server.run("xrandr", "--delmonitor", "B")
            with pytest.raises(Gone, match=r"^The monitor \".*\" was unplugged or switched off\.$"):
                view()


def test_what_mss_refuses_is_told_in_words(
    server: XServer, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    (monitor,) = system.targets()
    with system.look_at(monitor) as view:
        server.kill()
        with pytest.raises(MediaError, match=r"^Can't .*: .*[^.]\.$"):
            view()
        with pytest.raises(MediaError, match=r"^Can't find out what monitors there are: "):
            system.targets()
    monkeypatch.delenv("DISPLAY")
    with pytest.raises(MediaError, match=r"^Can't use the screen: Cannot connect to display"):
        type(system)().__enter__()
