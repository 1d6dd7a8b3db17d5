"""Tools of MCP servers that behave: a packaged one, and one made with the SDK."""

from __future__ import annotations

import gc
import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from support import turn, until, words
from tools.mcp_driving import (
    PATIENCE,
    SDK_LEAVES_GENERATORS,
    Call,
    alive,
    http_server,
    named,
    need,
    run,
    server,
)

from gemini_live_trio import SessionConfig, open_session, wire
from gemini_live_trio.errors import ConfigError, ToolError
from gemini_live_trio.events import ToolCallCancellation, ToolFinished, ToolProgress
from gemini_live_trio.simulator import open_simulator
from gemini_live_trio.tools import McpHttp, McpStdio, McpTools, open_mcp_tools
from gemini_live_trio.tools._results import answer

TIME = McpStdio(sys.executable, args=["-m", "mcp_server_time", "--local-timezone=Europe/Berlin"])


pytestmark = SDK_LEAVES_GENERATORS


@pytest.fixture(autouse=True)
def _mcp() -> Iterator[None]:
    need("mcp")
    yield
    gc.collect()


# --- A packaged server --------------------------------------------------------------------------


async def test_a_packaged_server_answers_the_model_over_stdio() -> None:
    need("mcp_server_time")
    with trio.fail_after(PATIENCE):
        async with (
            open_simulator(port=None, pace=0) as simulator,
            open_mcp_tools(TIME) as tools,
            open_session(
                SessionConfig(model="gemini-3.8-live"),
                connector=simulator.connector,
                tools=tools,
            ) as session,
        ):
            await session.send_text("call get_current_time with timezone=Asia/Tokyo")
            assert not (await until(session, ToolFinished)).failed
            said = ""
            while not said:  # the turn of the call may have ended before its answer, or not
                said = words(await turn(session))
    assert "Asia/Tokyo" in said
    assert "+09:00" in said
    assert not simulator.legality.violations


async def test_a_call_of_a_session_is_followed_and_cancelled_at_the_server(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with trio.fail_after(PATIENCE):
        async with (
            open_simulator(port=None, pace=0) as simulator,
            open_mcp_tools(server()) as tools,
            open_session(
                SessionConfig(model="gemini-2.5-flash-native-audio-latest"),
                connector=simulator.connector,
                tools=tools,
            ) as session,
        ):
            service = await simulator.accept()
            await session.send_text(f'call wait {{"diary": "{diary}"}}')
            told = [await until(session, ToolProgress) for _ in range(2)]
            assert {event.text for event in told} == {"1 of 4: begun", "2"}
            await service.cancel_calls()
            await until(session, ToolCallCancellation)
            await session.send_text("call add with a=1")
            finished = await until(session, ToolFinished)
            while finished.name != "add":
                finished = await until(session, ToolFinished)
            assert not finished.failed
    assert diary.read_text() == "cancelled"


async def test_leaving_a_session_cancels_its_calls_at_the_server(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with trio.fail_after(PATIENCE):
        async with (
            open_simulator(port=None, pace=0) as simulator,
            open_mcp_tools(server()) as tools,
        ):
            async with open_session(
                SessionConfig(model="gemini-3.8-live"), connector=simulator.connector, tools=tools
            ) as session:
                await session.send_text(f'call wait {{"diary": "{diary}"}}')
                await until(session, ToolProgress)
            assert await run(tools, "add", {"a": 1}) == {"result": 2}
    assert diary.read_text() == "cancelled"


async def test_a_packaged_server_tells_the_model_what_was_wrong() -> None:
    need("mcp_server_time")
    async with open_mcp_tools(TIME) as tools:
        with pytest.raises(ToolError, match="Mars/Olympus"):
            await run(tools, "get_current_time", {"timezone": "Mars/Olympus"})
        with pytest.raises(ToolError, match="timezone"):
            await run(tools, "get_current_time")


# --- What is declared -----------------------------------------------------------------------------


async def test_tools_are_declared_as_the_service_wants_them() -> None:
    async with open_mcp_tools(server()) as tools:
        assert isinstance(tools, McpTools)
        assert tools.instructions == "Ask twice."
        add = named(tools, "add").declaration
        assert add.description == "Add two numbers."
        assert isinstance(add.parameters, wire.Schema)
        assert add.parameters.required == ("a",)
        assert named(tools, "files_ls__berall").declaration.description == "List files"
        nothing = named(tools, "nothing").declaration
        assert nothing.parameters is None
        assert nothing.parameters_json_schema is None
        # They are taken by the rules that the simulator holds setups to.
        declared = wire.Tool(function_declarations=[tool.declaration for tool in tools])
        config = SessionConfig(model="gemini-3.8-live", tools=[declared])
        async with (
            open_simulator(port=None, pace=0) as simulator,
            open_session(config, connector=simulator.connector),
        ):
            assert not simulator.legality.violations


async def test_only_what_is_wanted_is_declared_under_a_prefix() -> None:
    async with open_mcp_tools(
        server(),
        only=["files/ls überall", "add"],
        prefix="my ",
        blocking=False,
        on_result="silent",
        timeout=3,
    ) as tools:
        assert [tool.name for tool in tools] == ["my_add", "my_files_ls__berall"]
        assert {tool.blocking for tool in tools} == {False}
        assert {tool.on_result for tool in tools} == {"silent"}
        assert {tool.timeout for tool in tools} == {3}
        assert await run(tools, "my_add", {"a": 1, "b": 2}) == {"result": 3}
        folders = {"folders": ["x"]}
        assert await run(tools, "my_files_ls__berall", folders) == {"result": ["x/file"]}


async def test_two_servers_stand_side_by_side() -> None:
    async with (
        open_mcp_tools(server(), prefix="one_") as one,
        open_mcp_tools(server(), prefix="two_") as two,
    ):
        names = [tool.name for tool in (*one, *two)]
        assert len(set(names)) == len(names)
        pids = [
            (await run(each, f"{which}where"))["result"][0]
            for each, which in ((one, "one_"), (two, "two_"))
        ]
        assert len(set(pids)) == 2


# --- What a call gives ----------------------------------------------------------------------------


async def test_results_of_every_kind_become_answers() -> None:
    async with open_mcp_tools(server()) as tools:
        described = await run(tools, "describe", {"who": "Ada"})
        assert described == {"name": "Ada", "length": 3, "tags": ["a", None]}
        assert await run(tools, "nothing") is None
        picture = await run(tools, "picture")
        assert picture.mime_type == "image/png"
        assert picture.data.startswith(b"\x89PNG")
        told = answer(await run(tools, "mixture"))
        assert not told.failed
        assert [part.inline_data.data for part in told.parts if part.inline_data] == [
            b"RIFF",
            b"\x00\x01\x02",
        ]
        text, _, link, inside, _ = told.response["output"]  # type: ignore[misc]
        assert text == "Look:"
        assert link == {"uri": "https://example.com/", "name": "a page", "description": "Of old."}
        assert inside == {"uri": "file:///a.txt", "text": "inside", "mime_type": "text/plain"}


async def test_an_error_of_a_tool_is_told_in_its_own_words_without_secrets() -> None:
    secret = "sesame-street-17"
    async with open_mcp_tools(server(env={"MCP_TEST_SECRET": secret})) as tools:
        with pytest.raises(ToolError) as told:
            await run(tools, "fail", {"how": "milk"})
    assert "no milk today" in str(told.value)
    assert secret not in str(told.value)


async def test_a_client_lends_no_model() -> None:
    async with open_mcp_tools(server()) as tools:
        with pytest.raises(ToolError):
            await run(tools, "ask_back")
        assert await run(tools, "add", {"a": 1}) == {"result": 2}


async def test_progress_reaches_the_call_and_cancelling_it_reaches_the_server(
    tmp_path: Path,
) -> None:
    diary = tmp_path / "diary"
    async with open_mcp_tools(server()) as tools:
        await cancel_a_call(tools, diary)
        assert await run(tools, "add", {"a": 1}) == {"result": 2}
    assert diary.read_text() == "cancelled"


async def cancel_a_call(tools: McpTools, diary: Path) -> None:
    call = Call()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, tools, "wait", {"diary": str(diary)}, call)
        with trio.fail_after(PATIENCE):
            while len(call.told) < 2:
                await call.heard.wait()
                call.heard = trio.Event()
        nursery.cancel_scope.cancel()
    assert sorted(call.told) == ["1 of 4: begun", "2"]


async def test_calls_run_side_by_side(tmp_path: Path) -> None:
    async with open_mcp_tools(server()) as tools:
        calls = [Call() for _ in range(5)]
        async with trio.open_nursery() as nursery:
            for number, call in enumerate(calls):
                diary = {"diary": str(tmp_path / str(number))}
                nursery.start_soon(run, tools, "wait", diary, call)
            with trio.fail_after(PATIENCE):
                for call in calls:
                    await call.heard.wait()
                assert await run(tools, "add", {"a": 1}) == {"result": 2}
            nursery.cancel_scope.cancel()
    assert sorted(os.listdir(tmp_path)) == [*"01234"]  # noqa: PTH208


async def test_a_list_that_changes_is_the_servers_affair() -> None:
    async with open_mcp_tools(server()) as tools:
        before = [tool.name for tool in tools]
        await run(tools, "change")
        assert [tool.name for tool in tools] == before
        with pytest.raises(ToolError, match="nothing"):
            await run(tools, "nothing")


# --- The life of a server -------------------------------------------------------------------------


async def test_a_process_sees_no_keys_and_ends_with_the_block(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "sesame-street-17")
    async with open_mcp_tools(server(cwd=tmp_path, env={"MORE": "1"})) as tools:
        names = (await run(tools, "environment"))["result"]
        assert "MORE" in names
        assert not [name for name in names if "KEY" in name or "GOOGLE" in name]
        pid, cwd = (await run(tools, "where"))["result"]
        assert cwd == str(tmp_path)
        assert alive(pid)
    assert not alive(pid)


async def test_what_a_process_writes_to_stderr_is_logged_or_goes_to_a_file(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with caplog.at_level(logging.DEBUG, "gemini_live_trio.mcp"):
        async with open_mcp_tools(server()):
            pass
    assert "ready to serve" in caplog.text
    path = tmp_path / "stderr"
    with path.open("w") as file:
        async with open_mcp_tools(server(stderr=file)):
            pass
    assert "ready to serve" in path.read_text()
    assert capfd.readouterr().err == ""


async def test_the_blocks_own_exception_comes_out_unchanged() -> None:
    mine = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        async with open_mcp_tools(server()) as tools:
            pid = (await run(tools, "where"))["result"][0]
            raise mine
    assert caught.value is mine
    assert not alive(pid)


async def test_a_cancelled_blocks_own_finally_still_finds_the_server() -> None:
    late: Any = None
    with trio.CancelScope() as scope:
        async with open_mcp_tools(server()) as tools:
            pid = (await run(tools, "where"))["result"][0]
            scope.cancel()
            try:
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + PATIENCE):
                    late = await run(tools, "add", {"a": 1})
    assert late == {"result": 2}
    assert not alive(pid)


# --- Over HTTP ------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["http", "http-json"])
async def test_a_server_over_http_is_called(how: str, tmp_path: Path) -> None:
    async with (
        http_server(how) as (port, _),
        open_mcp_tools(McpHttp(f"http://127.0.0.1:{port}/mcp")) as tools,
    ):
        assert tools.instructions == "Ask twice."
        assert await run(tools, "add", {"a": 1, "b": 2}) == {"result": 3}
        assert (await run(tools, "picture")).mime_type == "image/png"
        if how == "http":
            await cancel_a_call(tools, tmp_path / "diary")
        assert await run(tools, "add", {"a": 1}) == {"result": 2}


async def test_headers_let_in() -> None:
    token = "sesame-street-17"
    async with http_server(token=token) as (port, _):
        guarded = McpHttp(
            f"http://127.0.0.1:{port}/mcp", headers={"Authorization": f"Bearer {token}"}
        )
        async with open_mcp_tools(guarded, only=["add"]) as tools:
            assert await run(tools, "add", {"a": 1}) == {"result": 2}
        assert token not in repr(guarded)


# --- A session that is ready ----------------------------------------------------------------------


async def test_a_ready_session_of_the_sdk_is_used_and_left_open() -> None:
    import mcp
    from mcp.client.stdio import stdio_client

    script = server()
    parameters = mcp.StdioServerParameters(command=script.command, args=list(script.args))
    async with mcp.Client(stdio_client(parameters)) as client:
        for ready in (client, client.session):
            async with open_mcp_tools(ready, only=["add", "fail"]) as tools:
                assert tools.instructions == "Ask twice."
                assert await run(tools, "add", {"a": 1}) == {"result": 2}
                with pytest.raises(ToolError, match="no luck today"):
                    await run(tools, "fail", {"how": "luck"})
        assert (await client.list_tools()).tools


async def test_a_client_of_the_sdk_that_is_not_open_is_refused() -> None:
    import mcp
    from mcp.server.mcpserver import MCPServer

    with pytest.raises(ConfigError, match="that is open: write `async with client:` around it"):
        async with open_mcp_tools(mcp.Client(MCPServer("inside"))):
            pass


async def test_a_server_in_the_same_program_is_called() -> None:
    import mcp
    from mcp.server.mcpserver import MCPServer

    inside = MCPServer("inside")
    inside.add_tool(lambda text: text[::-1], name="turn", description="Turn a text round.")
    async with mcp.Client(inside) as client, open_mcp_tools(client) as tools:
        assert await run(tools, "turn", {"text": "abc"}) == "cba"


# --- What can't be asked for ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: McpStdio(""), "takes a command"),
        (lambda: McpStdio(["uvx", "x"]), "takes a command"),  # type: ignore[arg-type]
        (lambda: McpStdio("uvx", args="mcp-server-time"), "args takes a list"),
        (lambda: McpStdio("uvx", args=[1]), "args takes a list"),  # type: ignore[list-item]
        (lambda: McpStdio("uvx", args=1), "args takes a list"),  # type: ignore[arg-type]
        (lambda: McpStdio("x", env={"PORT": 80}), "env takes a dict of texts, and PORT is of"),  # type: ignore[dict-item]
        (lambda: McpStdio("l\0s"), "takes a command"),
        (lambda: McpStdio("ls", args=["se\0same"]), "args: one has a NUL"),
        (lambda: McpStdio("ls", args=["\ud800"]), "half of a surrogate"),
        (lambda: McpStdio("ls", env={"A=B": "x"}), "no process can have that"),
        (lambda: McpStdio("ls", env={"": "x"}), "no process can have that"),
        (lambda: McpStdio("ls", env={"A": "x\0"}), "the value of A has a NUL"),
        (lambda: McpStdio("ls", cwd=3), "cwd takes a folder, not 3"),  # type: ignore[arg-type]
        (lambda: McpStdio("ls", stderr="x"), "stderr takes an open file"),  # type: ignore[arg-type]
        (lambda: McpStdio("ls", stderr=io.StringIO()), "stderr takes an open file"),
        (lambda: McpHttp("http://x", headers={"Key": "ключ"}), "'Key' has a blank or"),
        (lambda: McpHttp("http://x", headers={"Key": "sesame\n"}), "'Key' has a blank or"),
        (lambda: McpHttp("http://x", headers={"Key": " sesame"}), "'Key' has a blank or"),
        (lambda: McpHttp("http://x", headers={"Key": "ses\r\name"}), "'Key' has a blank or"),
        (lambda: McpHttp("http://x", headers={"Key": "ses\0ame"}), "'Key' has a blank or"),
        (lambda: McpHttp("http://x", headers={"my key": "x"}), "can't be the name"),
        (lambda: McpHttp("http://x", headers={"": "x"}), "can't be the name"),
        (lambda: McpHttp("http://x", headers=["a: b"]), "headers takes a dict of texts"),  # type: ignore[arg-type]
        (lambda: McpHttp("example.com/mcp"), "begins with http"),
        (lambda: McpHttp("ftp://example.com"), "begins with http"),
        (lambda: McpHttp("http://[::1/mcp"), "begins with http"),
        (lambda: McpHttp(None), "begins with http"),  # type: ignore[arg-type]
    ],
)
def test_a_server_that_can_not_be_is_refused(make: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        make()


async def test_what_is_no_server_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a str"):
        async with open_mcp_tools("uvx mcp-server-time"):  # type: ignore[arg-type]
            pass
    with pytest.raises(ConfigError, match=r"only takes a list of names.*\['add'\]"):
        async with open_mcp_tools(server(), only="add"):
            pass


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"only": 3}, "only takes a list of names, not 3"),
        ({"prefix": None}, "prefix takes text, not None"),
        ({"connect_timeout": 0}, "connect_timeout must be greater than 0, not 0"),
        ({"connect_timeout": "3"}, "connect_timeout must be greater than 0, not '3'"),
        ({"connect_timeout": None}, "connect_timeout must be greater than 0, not None"),
        ({"timeout": "3"}, "open_mcp_tools: timeout='3' is none"),
        ({"on_result": "whenidle"}, "open_mcp_tools: on_result='whenidle' is none"),
        ({"blocking": "yes"}, "open_mcp_tools: blocking='yes' is none"),
    ],
)
async def test_wrong_options_are_refused_before_a_server_is_started(
    options: Any, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        async with open_mcp_tools(McpStdio("there-is-no-such-program"), **options):
            pass


async def test_a_tool_that_is_not_there_is_named_before_anything_is_declared() -> None:
    with pytest.raises(ConfigError, match="no tool 'sub'; it has add, ask_back"):
        async with open_mcp_tools(server(), only=["add", "sub"]):
            pass


def test_a_server_shows_no_secrets() -> None:
    stdio = McpStdio("x", args=["--token", "sesame"], env={"TOKEN": "sesame"})
    http = McpHttp("https://me:sesame@host/mcp?key=sesame", headers={"X-Key": "sesame"})
    for each in (stdio, http):
        assert "sesame" not in repr(each)
        assert "sesame" not in each.label
    assert "TOKEN" in repr(stdio)
    assert "X-Key" in repr(http)
    assert "https://host/mcp" in repr(http)


def test_the_package_does_without_the_sdk_until_it_is_needed() -> None:
    code = "import sys, gemini_live_trio.tools; print('mcp' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
