"""The screen in the client, looked at on a virtual display, in real time."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import trio
from cli.client import Person, client, until
from media.screen.xserver import COLOURS, Client, XServer, x_server
from PIL import Image

from gemini_live_trio.errors import ToolError
from gemini_live_trio.repl._desktop import desktop_groups
from gemini_live_trio.repl._sharing import Sharing
from gemini_live_trio.repl._sound import Sound
from gemini_live_trio.simulator import Simulator


@pytest.fixture(scope="module")
def server() -> Iterator[XServer]:
    with x_server("640x480x24") as running:
        yield running


@pytest.fixture
def screen(server: XServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A desktop with a known picture, and a connection to paint on it."""
    monkeypatch.setenv("DISPLAY", server.name)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with Client(server) as connection:
        connection.paint_desktop(*COLOURS)
        yield connection


@pytest.fixture
def no_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def showing(**options: Any) -> AsyncIterator[tuple[Person, Simulator]]:
    with trio.fail_after(30):
        async with client(**options) as pair:
            yield pair


async def says(person: Person, line: str) -> list[str]:
    """Enter a command, and return what is shown after it once something is."""
    before = len(person.lines) + 1
    person.will_type(line)
    await until(lambda: len(person.lines) > before)
    await trio.testing.wait_all_tasks_blocked(0.05)
    return person.lines[before:]


def pictures(service: Simulator) -> list[bytes]:
    found = []
    for frame in service.received:
        sent = frame.message and frame.message.realtime_input
        if sent and sent.video is not None:
            found.append(sent.video.data or b"")
    return found


def colours(jpeg: bytes) -> tuple[tuple[int, int], list[int]]:
    """The size of a picture, and the colours in the middle of its quarters."""
    image = np.asarray(Image.open(BytesIO(jpeg)).convert("RGB")).astype(int)
    height, width, _ = image.shape
    middles = [image[height * row // 4, width * column // 4] for row in (1, 3) for column in (1, 3)]
    return (width, height), [int(red << 16 | green << 8 | blue) for red, green, blue in middles]


def near(one: int, other: int) -> bool:
    return all(abs((one >> shift & 255) - (other >> shift & 255)) < 12 for shift in (0, 8, 16))


async def test_the_model_sees_the_screen_until_it_is_stopped(screen: Client) -> None:
    async with showing() as (person, service):
        shown = await says(person, "/share-screen list")
        assert shown[0].startswith("note>   1  monitor")
        assert "640x480" in shown[0]
        shown = await says(person, "/share-screen 1 0.1")
        assert shown[0].startswith("note> The model sees monitor")
        assert shown[0].endswith("every 0.1 s.")
        await until(lambda: pictures(service))
        size, found = colours(pictures(service)[0])
        assert size == (640, 480)
        assert all(map(near, found, COLOURS))
        await person.sees_in_bar(r"\| screen ")
        screen.paint_desktop(0, 0, 0, 0)
        await until(lambda: len(pictures(service)) > 1)
        person.will_type("/status")
        await person.sees("^note> screen +monitor .* every 0.1 s; pictures: 2 ")
        assert await says(person, "/share-screen") == ["note> The screen isn't shared any more."]
        await person.sees_in_bar("^(?!.*screen)")
        assert (await says(person, "/share-screen"))[0].startswith("note> Nothing is shared.")


async def test_sharing_holds_the_session_awake_and_a_new_one_gets_a_picture(
    screen: Client,
) -> None:
    async with showing(share_screen="screen", share_interval=0.1, sleep_after=0.5) as (
        person,
        service,
    ):
        await person.sees("The model sees")
        await until(lambda: pictures(service))
        await trio.sleep(1.2)
        assert not any("sleeps" in line for line in person.lines)
        person.will_type("/voice puck")
        person.will_type("/apply")
        await person.sees("In force")
        await until(lambda: len(pictures(service)) > 1)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("quarter 0", "every 0.1 to 3600 s, not every 0 s"),
        ("quarter nan", "every 0.1 to 3600 s, not every nan s"),
        ("quarter inf", "every 0.1 to 3600 s, not every inf s"),
        ("quarter 1e999", "not every inf s"),
        ("quarter x", "a number, 0.1 to 3600, not 'x'"),
        ("1.5", "1.5 is no target"),
        ("77", "There is no such number: there are 1 to"),
        ("0", "There is no such number"),
        (f"{'9' * 5000}", "There is no such number"),
        ("quater", 'Did you mean window:0x[0-9a-f]+ "quarters of one"'),
        ('"quarters of"', 'may mean window:0x[0-9a-f]+ "quarters of'),
    ],
)
async def test_what_cannot_be_shared_leaves_what_is_shared(
    screen: Client, words: str, why: str
) -> None:
    screen.window(title="quarters of one")
    screen.window(title="quarters of two")
    async with showing() as (person, _):
        person.will_type('/share-screen "of one" 0.1')
        await person.sees('The model sees window "quarters of one"')
        person.will_type(f"/share-screen {words}")
        await person.sees(f"^error> .*{why}")
        await person.sees_in_bar("screen quarters of one")
        shared = person.part(Sharing).shared
        assert shared is not None
        assert shared.screen.target.title == "quarters of one"


async def test_another_target_takes_the_place_of_the_first(screen: Client) -> None:
    screen.window(title="one")
    screen.window(title="two", width=200, height=100)
    async with showing() as (person, service):
        person.will_type("/share-screen one 0.1")
        await person.sees('sees window "one"')
        person.will_type("/share-screen two 0.1")
        await person.sees('sees window "two"')
        await until(lambda: (200, 100) in [colours(each)[0] for each in pictures(service)])
        await person.sees_in_bar("screen two")


async def test_a_window_that_is_closed_ends_it_with_a_line(screen: Client) -> None:
    async with showing() as (person, service):
        window = screen.window(title="brief")
        person.will_type("/share-screen brief 0.1")
        await person.sees('sees window "brief"')
        await until(lambda: pictures(service))
        window.close()
        line = await person.sees("^error> .*It isn't shared any more")
        assert "brief" in line
        await person.sees_in_bar("^(?!.*screen)")


async def test_a_display_that_dies_ends_it_with_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(x_server("320x200x24"))
        monkeypatch.setenv("DISPLAY", server.name)
        async with showing() as (person, service):
            person.will_type("/share-screen 1 0.1")
            await until(lambda: pictures(service))
            server.kill()
            await person.sees("^error> .*It isn't shared any more")
            person.will_type("Hello!")
            await person.sees("^model>")


async def test_targets_are_completed_by_what_was_listed_last(screen: Client) -> None:
    async with showing() as (person, _):
        assert list(person.choices("TARGET")) == []
        await until(lambda: person.choices("TARGET"))
        (target, note), *_ = person.choices("TARGET")
        assert target.startswith("monitor:")
        assert "640x480" in note


async def test_without_a_screen_each_command_says_so_in_a_line(no_screen: None) -> None:
    async with showing(share_screen="monitor") as (person, _):
        await person.sees("^error> There is no screen: DISPLAY isn't set")
        for command in ("/share-screen list", "/share-screen 1", "/share-screen xterm"):
            (line,) = await says(person, command)
            assert line.startswith("error> There is no screen")
        person.choices("TARGET")
        await trio.sleep(0.05)
        assert person.choices("TARGET") == []


async def test_sharing_wakes_the_session(screen: Client) -> None:
    async with showing(sleep_after=0.2) as (person, service):
        await person.sees("the connection sleeps")
        person.will_type("/share-screen 1")
        await person.sees("The model sees")
        await until(lambda: pictures(service))


# --- The model at the switches ----------------------------------------------------------------


def tools_of(person: Person) -> dict[str, Any]:
    groups = desktop_groups(lambda: person.part(Sound), lambda: person.part(Sharing), person)
    assert list(groups) == ["desktop-microphone", "desktop-speaker", "desktop-screen-share"]
    return {tool.name: tool for _, tools in groups.values() for tool in tools}


async def test_the_model_may_look_where_the_person_allows_it(screen: Client) -> None:
    async with showing() as (person, service):
        tools = tools_of(person)
        listed = await tools["desktop_list_screen_targets"]()
        target = listed["targets"][0]["id"]
        share = tools["desktop_set_screen_share"]
        person.answers.extend([False, True])
        with pytest.raises(ToolError, match="doesn't allow"):
            await share(True, target, 0.5)
        assert person.part(Sharing).shared is None
        state = await share(True, target, 0.5)
        assert state["screen_share"] == {
            "enabled": True,
            "target": target,
            "interval_seconds": 0.5,
        }
        await until(lambda: pictures(service))
        state = await share(False)
        assert not state["screen_share"]["enabled"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((True,), "Name a target"),
        ((True, "window:0x1"), "There is no target 'window:0x1'"),
        ((True, "monitor:screen", float("nan")), "not every nan s"),
        ((True, "monitor:screen", float("inf")), "not every inf s"),
        ((True, "monitor:screen", 1e300), "not every 1e"),
    ],
)
async def test_what_makes_no_sense_is_refused_before_the_person_is_asked(
    screen: Client, arguments: tuple[Any, ...], why: str
) -> None:
    async with showing() as (person, _):
        with pytest.raises(ToolError, match=why):
            await tools_of(person)["desktop_set_screen_share"](*arguments)
        assert not any("Allow it?" in line for line in person.lines)
