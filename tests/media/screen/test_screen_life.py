"""What a block holds is gone after it, and what it is asked for is checked."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from media.screen.looking import BLUES, GREENS, PATIENCE, QUICK, REDS, look, rest, threads
from media.screen.xserver import Client
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from gemini_live_trio.errors import ConfigError, MissingDependency
from gemini_live_trio.media import Screen, list_targets, open_screen


async def test_one_thread_and_one_connection_last_as_long_as_the_block(client: Client) -> None:
    before = client.clients()
    assert threads() == []
    async with open_screen(interval=QUICK, display=client.server.name) as screen:
        for colours in (REDS, GREENS, BLUES):
            client.paint_desktop(*colours)
            await look(screen)
            assert threads() == ["screen"]
            client.wait_for_clients(before + 1)
    assert threads() == []
    client.wait_for_clients(before)


async def test_connections_do_not_pile_up(client: Client) -> None:
    window = client.window()
    before = client.clients()
    for number in range(100):
        async with open_screen(window.id, display=client.server.name) as screen:
            if number % 10 == 0:
                await look(screen)
        await list_targets(display=client.server.name)
    client.wait_for_clients(before)
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
        client.wait_for_clients(before)


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


async def test_after_the_block_nobody_waits_for_a_picture(client: Client) -> None:
    async with open_screen(display=client.server.name) as screen:
        pass
    with trio.fail_after(PATIENCE), pytest.raises(trio.ClosedResourceError):
        await anext(screen)  # one was due


@pytest.mark.parametrize("options", [{"target": 3}, {"target": b"desktop"}, {"display": 5}])
async def test_what_names_nothing_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"is one of list_targets|is named as in"):
        async with open_screen(**options):
            pass


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


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *((option, "1") for option in ("interval", "max_side", "quality", "max_bytes")),
        ("quality", 75.5),
        ("max_side", 100.5),
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
    text = (Path(__file__).parents[3] / "docs" / "howto" / "screen.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(import trio\n.*?)^```", text, re.M | re.S)
    run = await trio.run_process(
        [sys.executable, "-W", "error", "-c", program],
        env=client.server.environment(),
        capture_stdout=True,
    )
    assert run.stdout.decode() in text
