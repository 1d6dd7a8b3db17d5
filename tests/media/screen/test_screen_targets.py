"""Monitors and windows are listed, and found by their names."""

from __future__ import annotations

import os
import signal

import pytest
from media.screen.looking import BLUES, QUICK, again, look, rest, shows
from media.screen.xserver import COLOURS, Client, XServer

from gemini_live_trio.errors import MediaError
from gemini_live_trio.media import ScreenTarget, TargetLost, list_targets, open_screen


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
        before = client.window(title="before").window
        manager.send_signal(signal.SIGKILL)
        # Then the server has noticed, and redirects no window to it any more.
        client.wait_for(lambda: before.query_tree().parent == client.root)
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
