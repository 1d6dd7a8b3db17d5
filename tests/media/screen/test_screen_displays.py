"""Displays that fail, refuse, or aren't there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import trio
from media.screen.looking import PATIENCE, QUICK, give_up_while_looking, look, rest, shows, threads
from media.screen.xserver import COLOURS, Client, needs, x_server

from gemini_live_trio.errors import MediaError
from gemini_live_trio.media import TargetLost, list_targets, open_screen


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
        (":99999", r"^Can't connect to the display :99999: .*0-65535\.$"),
        ("nonsense", r'^"nonsense" is no name of a display; they look like ":0" or "host:0.0".$'),
    ],
)
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # python-xlib forgets it
async def test_a_display_that_is_not_there(display: str, sentence: str) -> None:
    needs(modules=["Xlib"])
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
