"""The tools that are ready for use: what they give, and what they can't be made to do."""

from __future__ import annotations

import codecs
import os
import socket
import sys
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import trio
from support import turn, until, words
from tools.mcp_driving import PATIENCE, Call, alive, named, run
from trio.testing import MockClock

from gemini_live_trio import SessionConfig, open_session, wire
from gemini_live_trio.errors import ConfigError, ToolError
from gemini_live_trio.events import ToolFinished, ToolProgress
from gemini_live_trio.simulator import open_simulator
from gemini_live_trio.tools._results import answer
from gemini_live_trio.tools._workspace import Root
from gemini_live_trio.tools.ready import Command, Commands, Workspace, ready_tools

SECRET = "sesame-street-17"


async def yes(command: Command) -> bool:
    return True


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A workspace with something in it, beside something that isn't in it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text(SECRET)
    root = tmp_path / "root"
    (root / "src" / "deep").mkdir(parents=True)
    (root / "a.txt").write_text("one\ntwo\nthree\n")
    (root / "src" / "b.py").write_text("print()\n")
    (root / "src" / "deep" / "c.md").write_text("# c\n")
    (root / ".env").write_text(f"KEY={SECRET}\n")
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text(SECRET)
    return root


async def read(root: Path, path: str, **args: Any) -> Any:
    return await run([Workspace(root).read_file], "read_file", {"path": path, **args})


async def listed(root: Path, **args: Any) -> Any:
    return await run([Workspace(root).list_files], "list_files", args)


# --- Which there are ------------------------------------------------------------------------------


def test_only_what_is_safe_is_there_unless_asked_for(place: Path) -> None:
    def names(**options: Any) -> list[str]:
        return [tool.name for tool in ready_tools(**options)]

    assert names() == ["current_time", "set_timer"]
    assert names(timer=False) == ["current_time"]
    assert names(workspace=place)[2:] == ["list_files", "read_file"]
    assert names(workspace=place, consent=yes)[4:] == ["run_command"]
    with pytest.raises(ConfigError, match="give workspace="):
        ready_tools(consent=yes)
    with pytest.raises(ConfigError, match="consent takes"):
        ready_tools(workspace=place, consent="yes")  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["no/such/folder", "a.txt", "\0"])
def test_a_workspace_that_is_no_folder_is_refused(
    place: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    with pytest.raises(ConfigError, match="workspace"):
        Workspace(path)


@pytest.mark.parametrize("value", ["", 3, None])
def test_a_workspace_is_never_taken_by_mistake(value: Any) -> None:
    with pytest.raises(ConfigError, match="workspace takes a folder, not"):
        Workspace(value)
    if value is not None:
        with pytest.raises(ConfigError, match="workspace takes a folder, not"):
            ready_tools(workspace=value, consent=yes)


@pytest.mark.parametrize("env", [{"PORT": 80}, {80: "PORT"}, ["PORT=80"], "PORT=80"])
def test_an_environment_is_made_of_texts(place: Path, env: Any) -> None:
    with pytest.raises(ConfigError, match="env takes a dict of texts") as caught:
        Commands(place, consent=yes, env=env)
    assert "80" not in str(caught.value)


def test_an_environment_is_one_that_a_process_can_have(place: Path) -> None:
    with pytest.raises(ConfigError, match="the value of KEY has a NUL") as caught:
        Commands(place, consent=yes, env={"KEY": "sesame\0"})
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("model", ["gemini-3.8-live", "gemini-2.5-flash-native-audio-latest"])
async def test_the_service_takes_their_declarations(
    place: Path, model: str, autojump_clock: MockClock
) -> None:
    tools = ready_tools(workspace=place, consent=yes)
    declared = wire.Tool(function_declarations=[tool.declaration for tool in tools])
    async with (
        open_simulator(port=None) as simulator,
        open_session(SessionConfig(model=model, tools=[declared]), connector=simulator.connector),
    ):
        assert not simulator.legality.violations


# --- Clock and timer ------------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "America/New_York", "UTC"])
async def test_the_clock_tells_the_time_elsewhere(zone: str) -> None:
    told = await run(ready_tools(), "current_time", {"timezone": zone})
    when = datetime.fromisoformat(told["time"])
    now = datetime.now(ZoneInfo(zone))
    assert abs(now - when) < timedelta(seconds=PATIENCE)
    assert when.utcoffset() == now.utcoffset()
    assert told["timezone"] == zone
    assert told["weekday"] == when.strftime("%A")


async def test_the_clock_tells_the_time_here() -> None:
    told = await run(ready_tools(), "current_time")
    here = datetime.now().astimezone()
    when = datetime.fromisoformat(told["time"])
    assert abs(here - when) < timedelta(seconds=PATIENCE)
    assert when.utcoffset() == here.utcoffset()


@pytest.mark.parametrize(
    "zone",
    ["Mars/Olympus", "../../../etc/passwd", "/etc/localtime", "\0", "Europe", "ü", "x" * 5000],
)
async def test_a_time_zone_that_is_none_is_told(zone: str) -> None:
    with pytest.raises(ToolError, match="There is no time zone"):
        await run(ready_tools(), "current_time", {"timezone": zone})


async def test_a_timer_goes_off_when_it_should(autojump_clock: MockClock) -> None:
    started = trio.current_time()
    call = Call()
    timer = named(ready_tools(), "set_timer")
    told: Any = await timer.handler({"hours": 1, "minutes": 1, "seconds": 2.5}, call)  # type: ignore[misc]
    assert trio.current_time() - started == pytest.approx(3662.5)
    assert told == {"timer": "timer", "state": "has gone off after 1 hour 1 minute 2.5 seconds"}
    assert call.told == ["set to 1 hour 1 minute 2.5 seconds"]
    assert timer.blocking is False
    assert timer.timeout is not None
    assert timer.timeout > 24 * 3600


@pytest.mark.parametrize("args", [{}, {"seconds": 0}, {"hours": 25}, {"minutes": 1e300}])
async def test_a_timer_without_a_length_is_refused(args: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="24 hours"):
        await run(ready_tools(), "set_timer", args)


async def test_a_timer_can_be_cancelled(autojump_clock: MockClock) -> None:
    timer = named(ready_tools(), "set_timer")
    with trio.move_on_after(10) as scope:
        await timer.handler({"minutes": 1}, Call())  # type: ignore[misc]
    assert scope.cancelled_caught


async def test_a_timer_speaks_up_in_a_conversation(autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None) as simulator,
        open_session(
            SessionConfig(model="gemini-3.8-live"),
            connector=simulator.connector,
            tools=ready_tools(),
        ) as session,
    ):
        await session.send_text("call set_timer with minutes=2 and label=tea")
        first = await turn(session)
        set_at = trio.current_time()
        assert [event.text for event in first if isinstance(event, ToolProgress)] == [
            "set to 2 minutes"
        ]
        # Meanwhile the conversation goes on.
        await session.send_text("Hello!")
        assert words(await turn(session))
        assert trio.current_time() - set_at < 60
        await until(session, ToolFinished)
        assert trio.current_time() - set_at == pytest.approx(120, abs=10)
        assert "tea" in words(await turn(session))


async def test_a_model_that_waits_for_every_tool_has_no_timer(autojump_clock: MockClock) -> None:
    config = SessionConfig(model="gemini-3.1-flash-live-preview")
    async with open_simulator(port=None) as simulator:
        with pytest.raises(ConfigError, match="set_timer"):
            async with open_session(config, connector=simulator.connector, tools=ready_tools()):
                pass
        tools = ready_tools(timer=False)
        async with open_session(config, connector=simulator.connector, tools=tools) as session:
            await session.send_text("call current_time with timezone=UTC")
            assert not (await until(session, ToolFinished)).failed


# --- Listing --------------------------------------------------------------------------------------


async def test_a_folder_is_listed_by_name(place: Path) -> None:
    assert await listed(place) == {
        "entries": [
            {"path": "a.txt", "kind": "file", "bytes": 14},
            {"path": "src", "kind": "folder"},
        ],
        "more": False,
    }
    deep = await listed(place, recursive=True)
    assert [entry["path"] for entry in deep["entries"]] == [
        "a.txt",
        "src",
        "src/b.py",
        "src/deep",
        "src/deep/c.md",
    ]
    within = await listed(place, path="src/deep/..")
    assert [entry["path"] for entry in within["entries"]] == ["b.py", "deep"]


async def test_a_list_says_truly_whether_there_is_more(place: Path) -> None:
    assert (await listed(place, recursive=True, max_entries=5))["more"] is False
    cut = await listed(place, recursive=True, max_entries=4)
    assert cut["more"] is True
    assert [entry["path"] for entry in cut["entries"]][-1] == "src/deep"
    for number in (0, 501):
        with pytest.raises(ToolError):
            await listed(place, max_entries=number)


async def test_hidden_names_are_there_only_if_wanted(place: Path) -> None:
    shown = Workspace(place, hidden=True)
    names = await run([shown.list_files], "list_files", {"recursive": True})
    assert ".git/config" in [entry["path"] for entry in names["entries"]]
    told = await run([shown.read_file], "read_file", {"path": ".env"})
    assert SECRET in told["text"]
    for path in (".env", ".git/config", "src/../.env", "./.env"):
        with pytest.raises(ToolError, match="is hidden"):
            await read(place, path)
    (place / "link").symlink_to(".env")
    with pytest.raises(ToolError, match="is hidden"):
        await read(place, "link")
    with pytest.raises(ToolError, match="is hidden"):
        await listed(place, path=".git")


async def test_strange_things_are_listed_as_what_they_are(place: Path) -> None:
    os.mkfifo(place / "fifo")
    (place / "loop").symlink_to(place)
    (place / "nowhere").symlink_to("no/such/thing")
    os.close(os.open(os.fsencode(place) + b"/b\xffd", os.O_CREAT))
    entries = (await listed(place, recursive=True))["entries"]
    kinds = {entry["path"]: entry["kind"] for entry in entries}
    assert kinds["fifo"] == "other"
    assert kinds["loop"] == kinds["nowhere"] == "link"
    assert kinds["b\ufffdd"] == "file"
    # Links aren't followed, so this came to an end.
    assert not [path for path in kinds if path.startswith("loop/")]


async def test_a_huge_tree_is_not_walked_to_its_end(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemini_live_trio.tools._workspace._MOST_VISITED", 50)
    for number in range(60):
        (place / "src" / f"{number}").touch()
    with pytest.raises(ToolError, match="more than 50 entries"):
        await listed(place, recursive=True)
    assert len((await listed(place))["entries"]) == 2


async def test_a_folder_that_can_not_be_entered_is_shown_all_the_same(place: Path) -> None:
    deep = place
    for _ in range(80):
        deep /= "d"
        deep.mkdir()
    entries = (await listed(place, recursive=True, max_entries=500))["entries"]
    assert 60 < len(entries) < 80
    with pytest.raises(ToolError, match="too deep"):
        await listed(place, path="/".join("d" * 80))


# --- Reading --------------------------------------------------------------------------------------


async def test_a_path_that_is_empty_is_the_workspace(place: Path) -> None:
    with pytest.raises(ToolError, match=r"^\. is a folder\.$"):
        await run([Workspace(place).read_file], "read_file", {"path": ""})


async def test_lines_of_a_file_are_read(place: Path) -> None:
    assert await read(place, "a.txt") == {
        "text": "one\ntwo\nthree\n",
        "first_line": 1,
        "last_line": 3,
        "more": False,
    }
    part = await read(place, "a.txt", start_line=2, line_count=1)
    assert part == {"text": "two\n", "first_line": 2, "last_line": 2, "more": True}
    assert (await read(place, "a.txt", start_line=3))["more"] is False
    with pytest.raises(ToolError, match="has 3 lines"):
        await read(place, "a.txt", start_line=4)
    (place / "empty").touch()
    assert (await read(place, "empty"))["text"] == ""


async def test_a_last_line_without_an_end_is_a_line(place: Path) -> None:
    (place / "x").write_bytes(b"one\r\ntwo")
    assert (await read(place, "x"))["text"] == "one\ntwo"
    assert (await read(place, "x", start_line=2)) == {
        "text": "two",
        "first_line": 2,
        "last_line": 2,
        "more": False,
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
async def test_texts_in_many_encodings_are_read(place: Path, encoding: str) -> None:
    (place / "x").write_bytes("Grüße\nÄ\n".encode(encoding))
    told = await read(place, "x")
    assert told["text"] == "Grüße\nÄ\n"
    assert ("encoding" in told) is (encoding == "latin-1")
    (place / "y").write_bytes(codecs.BOM_UTF16_BE + "ok\n".encode("utf-16-be"))
    assert (await read(place, "y"))["text"] == "ok\n"
    (place / "z").write_bytes(codecs.BOM_UTF16_BE + b"o")
    assert (await read(place, "z"))["encoding"]


async def test_what_is_no_text_is_not_read(place: Path) -> None:
    (place / "x.png").write_bytes(b"\x89PNG\0\0" + bytes(100))
    with pytest.raises(ToolError, match=r"x\.png isn't text: it has 106 bytes"):
        await read(place, "x.png")


async def test_an_answer_never_is_longer_than_it_may_be(place: Path) -> None:
    (place / "long").write_text("x" * 1_000_000 + "\n" + "y" * 10 + "\n")
    told = await read(place, "long")
    assert len(told["text"]) < 5_000
    assert "cut" in told["note"]
    assert told["text"].endswith("…\nyyyyyyyyyy\n")
    (place / "just").write_text("z" * 4_000 + "\n" + "z" * 4_000)
    assert (await read(place, "just"))["text"] == "z" * 4_000 + "\n" + "z" * 4_000
    (place / "many").write_text("ä" * 3_999 + "\n" + ("ä" * 999 + "\n") * 1_000)
    told = await read(place, "many", line_count=2000)
    assert len(told["text"]) <= 64_000
    assert told["more"] is True
    assert not answer(told).failed
    following = await read(place, "many", start_line=told["last_line"] + 1)
    assert following["text"]


async def test_a_huge_file_is_not_read_to_its_end(place: Path) -> None:
    with (place / "sparse").open("wb") as file:
        file.write(b"first\n" + b"x" * 10_000 + b"\n")
        file.truncate(2**34)
    assert (await read(place, "sparse", line_count=1))["text"] == "first\n"
    with pytest.raises(ToolError, match="too long"):
        await read(place, "sparse", start_line=3)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("no.txt", "no.txt can't be read: No such file"),
        ("src", "src is a folder"),
        ("", "is a folder"),
        ("a.txt/b", "leads through a file"),
        ("a.txt/..", "leads through a file"),
        ("..", "outside the workspace"),
        ("../outside/secret.txt", "outside the workspace"),
        ("src/../../outside/secret.txt", "outside the workspace"),
        ("../root/a.txt", "outside the workspace"),
        ("/etc/passwd", "outside the workspace"),
        ("/dev/zero", "outside the workspace"),
        ("//etc/passwd", "outside the workspace"),
        ("\0", "That is no path"),
        ("\ud800", "That is no path"),
        ("x" * 5_000, "That is no path"),
        ("x" * 300, "can't be read"),
        ("to-secret", "outside the workspace"),
        ("to-secret-relative", "outside the workspace"),
        ("to-folder/secret.txt", "outside the workspace"),
        ("to-parent/outside/secret.txt", "outside the workspace"),
        ("to-proc/1/environ", "outside the workspace"),
        ("circle", "circle of links"),
        ("nowhere", "No such file"),
        ("fifo", "no ordinary file"),
        ("socket", "no ordinary file"),
        ("a.txt/", None),
        ("./src/..//a.txt", None),
        ("to-a", None),
        ("to-a-absolute", None),
        ("src/to-root/a.txt", None),
        ("src/up/a.txt", None),
    ],
)
@pytest.mark.parametrize("walks", [True, False])
def test_paths_lead_nowhere_but_into_the_workspace(
    place: Path, path: str, says: str | None, walks: bool
) -> None:
    outside = place.parent / "outside"
    (place / "to-secret").symlink_to(outside / "secret.txt")
    (place / "to-secret-relative").symlink_to("../outside/secret.txt")
    (place / "to-folder").symlink_to(outside)
    (place / "to-parent").symlink_to("..")
    (place / "to-proc").symlink_to("/proc")
    (place / "circle").symlink_to("circle")
    (place / "nowhere").symlink_to("nowhere-else")
    (place / "to-a").symlink_to("src/../a.txt")
    (place / "to-a-absolute").symlink_to(place / "a.txt")
    (place / "src" / "to-root").symlink_to(place)
    (place / "src" / "up").symlink_to("deep/../..")
    os.mkfifo(place / "fifo")
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(place)  # the path of a socket must be short
        try:
            bound.bind("socket")
        finally:
            os.chdir(here)
    root = Root(place, walks=walks)
    try:
        with root.open_file(path) as file:
            told = file.read().decode()
    except ToolError as error:
        told = str(error)
    assert SECRET not in told
    assert str(place.parent) not in told
    if walks:
        assert (says or "one\ntwo\nthree\n") in told


async def test_an_absolute_path_into_the_workspace_is_one(place: Path) -> None:
    assert (await read(place, str(place / "a.txt")))["last_line"] == 3
    assert (await listed(place, path=str(place)))["entries"]


def test_no_exchange_of_folders_leads_outside(place: Path) -> None:
    """While one thread makes a folder a link to the outside and back, nothing of that is read."""
    outside = place.parent / "outside"
    (place / "box").mkdir()
    (place / "box" / "secret.txt").write_text("harmless")
    (place / "link").symlink_to(outside)
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            (place / "box").rename(place / "aside")
            (place / "link").rename(place / "box")
            (place / "box").rename(place / "link")
            (place / "aside").rename(place / "box")

    exchanging = threading.Thread(target=exchange)
    exchanging.start()
    seen: set[bytes | str] = set()
    root = Root(place)
    try:
        for attempt in range(100_000):
            if attempt >= 2_000 and len(seen) > 1:
                break
            try:
                with root.open_file("box/secret.txt") as file:
                    seen.add(file.read())
            except ToolError as error:
                seen.add(str(error).partition(":")[0])
    finally:
        stop.set()
        exchanging.join()
    assert b"harmless" in seen
    assert len(seen) > 1, "nothing was exchanged in the right moment"
    assert SECRET.encode() not in seen


def test_no_descriptor_is_left_open(place: Path) -> None:
    def lowest_free() -> int:
        descriptor = os.open(place, os.O_RDONLY)
        os.close(descriptor)
        return descriptor

    (place / "to-secret").symlink_to("../outside/secret.txt")
    root = Root(place)
    before = lowest_free()
    for path in ("a.txt", "src/deep/c.md", "src/deep/none", "to-secret", "src", "src/../.."):
        with suppress(ToolError), root.open_file(path) as file:
            file.read()
    root.entries(".", recursive=True, most=100)
    assert lowest_free() == before


# --- Commands -------------------------------------------------------------------------------------


async def command(root: Path, *argv: str, consent: Any = yes, env: Any = None, **args: Any) -> Any:
    tools = ready_tools(workspace=root, consent=consent, env=env)
    return await run(tools, "run_command", {"argv": list(argv), **args})


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def test_a_command_runs_when_it_is_allowed(place: Path) -> None:
    asked: list[Command] = []

    async def consent(command: Command) -> bool:
        asked.append(command)
        return True

    told = await command(place, "ls", "-1", consent=consent, folder="src", max_seconds=5)
    assert told == {
        "exit_status": 0,
        "ended": "done",
        "stdout": "b.py\ndeep\n",
        "stderr": "",
    }
    assert asked == [Command(argv=("ls", "-1"), cwd=place / "src", seconds=5)]


@pytest.mark.parametrize("said", [False, None, 1, "yes"])
async def test_a_command_runs_only_when_it_is_allowed(place: Path, said: Any) -> None:
    async def consent(command: Command) -> Any:
        return said

    with pytest.raises(ToolError, match="doesn't want"):
        await command(place, "touch", "made", consent=consent)
    assert not (place / "made").exists()


async def test_consent_that_fails_or_answers_at_once_is_no_consent(place: Path) -> None:
    async def broken(command: Command) -> bool:
        raise KeyError("mine")

    with pytest.raises(KeyError):
        await command(place, "touch", "made", consent=broken)
    with pytest.raises(ConfigError, match="async"):
        await command(place, "touch", "made", consent=lambda command: True)
    assert not (place / "made").exists()


def test_a_person_is_shown_the_whole_command(place: Path) -> None:
    shown = Command(
        argv=("rm", "-rf", "a b", "x\r\nls", "\x1b[2J", "\u202etxt.exe"), cwd=place, seconds=1
    )
    assert str(shown) == r"rm -rf 'a b' 'x\r\nls' '\x1b[2J' '\u202etxt.exe'"


async def test_there_is_no_shell_and_no_input(place: Path) -> None:
    told = await command(place, "echo", "$HOME", "*", ";", "ls")
    assert told["stdout"] == "$HOME * ; ls\n"
    assert (await command(place, *python("import sys; print(repr(sys.stdin.read()))")))[
        "stdout"
    ] == "''\n"


async def test_how_a_command_ended_is_told(place: Path) -> None:
    failed = await command(place, *python("import sys; print('no', file=sys.stderr); sys.exit(3)"))
    assert (failed["exit_status"], failed["ended"], failed["stderr"]) == (3, "failed", "no\n")
    killed = await command(place, *python("import os; os.kill(os.getpid(), 15)"))
    assert (killed["exit_status"], killed["ended"]) == (None, "killed by SIGTERM")


@pytest.mark.parametrize(
    ("argv", "folder", "says"),
    [
        (["no-such-command"], ".", "no-such-command can't be run: No such file"),
        (["./a.txt"], ".", "can't be run: Permission denied"),
        (["ls"], "..", "outside the workspace"),
        (["ls"], "no", "No such file"),
        (["ls"], "a.txt", "is no folder"),
        ([""], ".", "no command"),
        (["ls", "\0"], ".", "no command"),
        ([], ".", "argv"),
        (["x"] * 33, ".", "argv"),
    ],
)
async def test_what_can_not_be_run_is_told(
    place: Path, argv: list[str], folder: str, says: str
) -> None:
    with pytest.raises(ToolError, match=says):
        await command(place, *argv, folder=folder)


async def test_a_command_sees_no_keys(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_APPLICATION_CREDENTIALS", "MY_KEY"):
        monkeypatch.setenv(name, SECRET)
    told = await command(place, *python("import os; print(dict(os.environ))"), env={"MORE": "1"})
    assert SECRET not in told["stdout"]
    assert "'MORE': '1'" in told["stdout"]
    assert "'PATH'" in told["stdout"]


async def test_a_flood_is_cut_in_the_middle(place: Path) -> None:
    code = "import sys; print('begin'); sys.stdout.write('x' * 50_000_000); print('end')"
    told = await command(place, *python(code))
    assert told["stdout"].startswith("begin\nxxx")
    assert told["stdout"].endswith("xend\n")
    assert "bytes left out]" in told["stdout"]
    assert len(told["stdout"]) < 17_000
    assert not answer(told).failed


async def test_output_that_is_no_text_is_told_as_well_as_can_be(place: Path) -> None:
    code = "import sys; sys.stdout.buffer.write(b'\\xff\\0\\xc3')"
    assert (await command(place, *python(code)))["stdout"] == "\ufffd\0\ufffd"


# A process that has a child, which holds on to its output, and tells both their numbers.
FAMILY = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    print(os.getpid(), child, flush=True)
    {then}
signal.pause()
"""


async def test_a_command_that_takes_too_long_is_killed_with_its_children(place: Path) -> None:
    started = trio.current_time()
    told = await command(place, *python(FAMILY.format(then="pass")), max_seconds=1)
    assert told["ended"] == "stopped after 1 s"
    assert trio.current_time() - started < 4
    for pid in told["stdout"].split():
        await gone(int(pid))


async def test_what_a_command_leaves_behind_is_killed(place: Path) -> None:
    started = trio.current_time()
    told = await command(place, *python(FAMILY.format(then="sys.exit(0)")), max_seconds=20)
    assert told["ended"] == "done"
    assert trio.current_time() - started < 10
    for pid in told["stdout"].split():
        await gone(int(pid))


async def test_cancelling_the_call_kills_the_command(place: Path) -> None:
    fifo = place / "fifo"
    os.mkfifo(fifo)
    code = f"import os, signal\nopen({str(fifo)!r}, 'w').write(str(os.getpid()))\nsignal.pause()"
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: command(place, *python(code), max_seconds=30))
        with trio.fail_after(PATIENCE):
            pid = int(await trio.to_thread.run_sync(fifo.read_text))
        assert alive(pid)
        started = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - started < 2
    assert not alive(pid)


async def gone(pid: int) -> None:
    """Wait until init has buried a process that lost its parent."""
    with trio.fail_after(PATIENCE):
        while alive(pid) and not zombie(pid):
            await trio.lowlevel.checkpoint()


def zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True
