"""MCP servers that aren't there, break, say nothing or say nonsense: one clear error each."""

from __future__ import annotations

import builtins
import gc
import itertools
import json
import logging
import os
import re
import signal
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from tools.mcp_driving import (
    HERE,
    PATIENCE,
    SDK_LEAVES_GENERATORS,
    Call,
    alive,
    broken,
    http_server,
    need,
    run,
    server,
)
from trio.testing import wait_all_tasks_blocked

from gemini_live_trio import SessionConfig, open_session, wire
from gemini_live_trio.errors import McpError, MissingDependency, ToolError
from gemini_live_trio.simulator import open_simulator
from gemini_live_trio.tools import McpHttp, McpStdio, McpTools, open_mcp_tools
from gemini_live_trio.tools._mcp_http import Meter
from gemini_live_trio.tools._mcp_stdio import Lines

SECRET = "sesame-street-17"


pytestmark = SDK_LEAVES_GENERATORS


@pytest.fixture(autouse=True)
def _mcp() -> Iterator[None]:
    need("mcp")
    yield
    gc.collect()


def messages(diary: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in diary.read_text(encoding="utf-8").splitlines()]


async def refused(server: McpStdio | McpHttp, **options: Any) -> McpError:
    """What is told of a server that gives no tools; never a group."""
    with trio.fail_after(PATIENCE), pytest.raises(McpError) as caught:
        async with open_mcp_tools(server, **options):
            raise AssertionError("it was opened")
    return caught.value


# --- It can't be opened ---------------------------------------------------------------------------


async def test_a_missing_sdk_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    importing = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "mcp":
            raise ImportError(name)
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependency, match=r"pip install .gemini-live-trio\[mcp\]"):
        async with open_mcp_tools(server()):
            pass


async def test_an_sdk_that_is_too_old_is_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    import mcp

    monkeypatch.delattr(mcp, "Client")
    with pytest.raises(MissingDependency, match="gemini-live-trio"):
        async with open_mcp_tools(server()):
            pass


async def test_a_command_that_is_not_there_is_named() -> None:
    error = await refused(McpStdio("no-such-mcp-server"))
    assert str(error) == (
        "The MCP server no-such-mcp-server can't be started: "
        "No such file or directory (no-such-mcp-server)."
    )
    assert error.server == "The MCP server no-such-mcp-server"
    error = await refused(McpStdio("no-such-mcp-server --local"))
    assert str(error).endswith(" A command stands alone; its arguments go to args.")
    error = await refused(McpStdio(sys.executable, cwd="/no/such/folder"))
    assert "/no/such/folder" in str(error)


async def test_a_file_that_is_no_program_is_named(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    assert "Permission denied" in str(await refused(McpStdio(str(tmp_path / "text"))))


async def test_the_last_words_of_a_server_that_ended_are_told_without_secrets() -> None:
    error = await refused(attrs.evolve(broken("dies-at-once"), env={"KEY": "sesame-street"}))
    assert "closed the connection. Its last words: Boom:" in str(error)
    assert "sesame-street" not in str(error)


async def test_a_server_that_refuses_is_quoted() -> None:
    assert str(await refused(broken("refuses"))).endswith(" refuses answered: Not on Sundays")


@pytest.mark.parametrize("how", ["old", "bad-list"])
async def test_a_server_that_speaks_another_language_is_told(how: str) -> None:
    assert "doesn't speak MCP as it should" in str(await refused(broken(how)))


async def test_a_program_that_is_no_mcp_server_is_told() -> None:
    error = await refused(McpStdio("echo", args=["hello"]))
    assert str(error) == "The MCP server echo hello closed the connection."


@pytest.mark.parametrize("how", ["silent", "silent-list"])
async def test_a_server_that_does_not_answer_is_given_up(how: str) -> None:
    error = await refused(broken(how), connect_timeout=1.5)
    assert "didn't answer within 1.5 s" in str(error)


async def test_connecting_can_be_cancelled() -> None:
    with trio.move_on_after(1.5) as scope:
        async with open_mcp_tools(broken("silent")):
            raise AssertionError("it was opened")
    assert scope.cancelled_caught


async def test_pages_are_read_to_their_end_and_not_beyond() -> None:
    async with open_mcp_tools(broken("pages")) as tools:
        assert [tool.name for tool in tools] == [f"go-{p}-{n}" for p in range(3) for n in range(3)]
    async with open_mcp_tools(broken("endless-pages")) as tools:
        assert [tool.name for tool in tools] == ["go"]


async def test_names_that_the_service_would_refuse_are_made_fit_and_distinct() -> None:
    async with open_mcp_tools(broken("odd-names")) as tools:
        names = [tool.name for tool in tools]
        assert len(set(names)) == len(names) == 9
        assert names[0] == "a_b"
        assert names[1].startswith("a_b_")
        assert names[3] == "_7up"
        assert names[-1] == "a.b:c-d"
        assert all(len(name) <= 64 and name.isascii() for name in names)
        # The server is called by the names that it knows.
        assert await run(tools, names[5]) == "gone"
    async with open_mcp_tools(broken("odd-names")) as again:
        assert [tool.name for tool in again] == names


async def test_schemas_that_the_service_does_not_know_go_as_json_schema() -> None:
    async with open_mcp_tools(broken("odd-schemas")) as tools:
        unsaid, empty, referring, *nonsense = [tool.declaration for tool in tools]
        assert unsaid.parameters is None
        assert isinstance(unsaid.parameters_json_schema, dict)
        assert empty.parameters is empty.parameters_json_schema is None
        assert referring.parameters is not None
        for declaration in nonsense:
            assert declaration.parameters is None
            assert declaration.parameters_json_schema is not None
        # Whatever a server says, a session can be opened with it.
        declared = wire.Tool(function_declarations=[tool.declaration for tool in tools])
        config = SessionConfig(model="gemini-3.8-live", tools=[declared])
        async with (
            open_simulator(port=None, pace=0) as simulator,
            open_session(config, connector=simulator.connector),
        ):
            assert simulator.setups


# --- It breaks later ------------------------------------------------------------------------------


async def test_a_server_that_dies_in_a_call_is_started_again_for_the_next() -> None:
    async with open_mcp_tools(server()) as tools:
        first = (await run(tools, "where"))["result"][0]
        with pytest.raises(ToolError, match="everything has ended; the next call opens it again"):
            await run(tools, "die", {"status": 3})
        second = (await run(tools, "where"))["result"][0]
        assert second != first
    assert not alive(first)
    assert not alive(second)


async def test_all_calls_of_a_server_that_dies_are_answered(tmp_path: Path) -> None:
    errors: list[ToolError] = []

    async def wait(call: Call) -> None:
        try:
            await run(tools, "wait", {"diary": str(tmp_path / "diary")}, call)
        except ToolError as error:
            errors.append(error)

    async with open_mcp_tools(server()) as tools:
        calls = [Call() for _ in range(3)]
        async with trio.open_nursery() as nursery:
            for call in calls:
                nursery.start_soon(wait, call)
            with trio.fail_after(PATIENCE):
                for call in calls:
                    await call.heard.wait()
            with pytest.raises(ToolError):
                await run(tools, "die", {"status": 3})
        assert len(errors) == 3
        assert await run(tools, "add", {"a": 1}) == {"result": 2}


async def test_a_server_that_can_not_be_started_again_is_told_at_each_call(tmp_path: Path) -> None:
    script = tmp_path / "server"
    script.write_text(f"#!{sys.executable}\n" + (HERE / "broken_mcp_server.py").read_text())
    script.chmod(0o755)
    async with open_mcp_tools(McpStdio(str(script), args=["dies-in-call"])) as tools:
        with pytest.raises(ToolError, match="broken has ended"):
            await run(tools, "go")
        script.unlink()
        for _ in range(2):
            with pytest.raises(ToolError, match="can't be started: No such file"):
                await run(tools, "go")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("bad-result", "doesn't speak MCP as it should"),
        ("bad-block", "doesn't speak MCP as it should"),
        ("bad-base64", "isn't base64"),
        ("silent-error", "didn't say why"),
        ("protocol-error", "broken answered: no such thing"),
    ],
)
async def test_an_answer_that_is_none_is_an_error_of_the_call(how: str, says: str) -> None:
    async with open_mcp_tools(broken(how)) as tools:
        with pytest.raises(ToolError, match=says):
            await run(tools, "go")
        # The server is still there.
        with pytest.raises(ToolError, match=says):
            await run(tools, "go")


async def test_an_error_that_quotes_a_secret_is_told_without_it() -> None:
    hidden = attrs.evolve(broken("protocol-error"), env={"KEY": "sesame-street"})
    async with open_mcp_tools(hidden) as tools:
        with pytest.raises(ToolError, match=r"no such thing as \[redacted\]") as caught:
            await run(tools, "go")
    told = "".join(traceback.format_exception(caught.value))
    assert "sesame-street" not in told


@pytest.mark.parametrize("how", ["garbage-in-call", "answers-others", "floods"])
async def test_noise_around_an_answer_does_no_harm(
    how: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with open_mcp_tools(broken(how)) as tools:
        assert await run(tools, "go") == "gone"
    assert capfd.readouterr().err == ""


async def test_a_line_without_an_end_ends_the_server(caplog: pytest.LogCaptureFixture) -> None:
    async with open_mcp_tools(broken("endless-line")) as tools:
        for _ in range(2):
            with pytest.raises(ToolError, match=r"sent a message of more than 16,777,216 bytes"):
                await run(tools, "go")
    assert "was left" in caplog.text


async def test_a_long_line_is_read() -> None:
    async with open_mcp_tools(broken("long-line")) as tools:
        assert len(await run(tools, "go")) == 12_000_000


@given(st.binary().map(lambda data: data.replace(b"x", b"\n")), st.data())
def test_lines_are_cut_wherever_their_pieces_are(said: bytes, data: st.DataObject) -> None:
    lines, cut = Lines(), list[bytes]()
    rest = said
    while rest:
        length = data.draw(st.integers(1, len(rest)))
        cut += lines.feed(rest[:length])
        rest = rest[length:]
    assert cut == said.split(b"\n")[:-1]


async def test_an_empty_answer_is_no_error() -> None:
    async with open_mcp_tools(broken("empty")) as tools:
        assert await run(tools, "go") is None


async def test_a_call_that_hangs_is_cancelled_at_the_server_too(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    async with open_mcp_tools(broken("hangs-in-call", diary)) as tools:
        with trio.move_on_after(PATIENCE) as scope:
            await run(tools, "go", call=CancelsWhenHeard(scope=scope))
        assert scope.cancelled_caught
    said = messages(diary)
    call = next(message for message in said if message["method"] == "tools/call")
    cancelled = next(m for m in said if m["method"] == "notifications/cancelled")
    assert cancelled["params"]["requestId"] == call["id"]


async def test_a_call_is_cancelled_at_the_server_when_the_whole_block_is(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with trio.move_on_after(PATIENCE) as scope:
        async with open_mcp_tools(broken("hangs-in-call", diary)) as tools:
            await run(tools, "go", call=CancelsWhenHeard(scope=scope))
    assert scope.cancelled_caught
    assert messages(diary)[-1]["method"] == "notifications/cancelled"


@attrs.define
class CancelsWhenHeard(Call):
    """Cancels the call once the server has it."""

    scope: trio.CancelScope = attrs.field(kw_only=True)

    def progress(self, text: str, /) -> None:
        self.scope.cancel()


async def test_a_process_that_does_not_want_to_end_is_killed(tmp_path: Path) -> None:
    async with open_mcp_tools(broken("stubborn")) as tools:
        assert await run(tools, "go") == "gone"
        started = trio.current_time()
    assert trio.current_time() - started < 7


async def test_tools_of_a_block_that_was_left_say_so() -> None:
    async with open_mcp_tools(broken("good")) as tools:
        pass
    with pytest.raises(ToolError, match="is closed: the block of open_mcp_tools has been left"):
        await run(tools, "go")


async def test_leaving_while_a_server_is_opened_again_does_not_hang() -> None:
    async def call(tools: McpTools) -> None:
        with pytest.raises(ToolError, match="has ended"):
            await run(tools, "go")

    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery, open_mcp_tools(broken("tells-who")) as tools:
            os.kill(int(await run(tools, "go")), signal.SIGKILL)
            await call(tools)
            nursery.start_soon(call, tools)
            await wait_all_tasks_blocked()


async def test_a_server_that_died_long_ago_does_not_disturb_leaving() -> None:
    async with open_mcp_tools(broken("dies-in-call")) as tools:
        with pytest.raises(ToolError):
            await run(tools, "go")


# --- Over HTTP ------------------------------------------------------------------------------------


@asynccontextmanager
async def http_that_says(answer: bytes) -> AsyncIterator[str]:
    """An HTTP server that has one answer to everything; none at all if that is empty."""

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            said = b""
            async for data in stream:
                said += data
                if b"\r\n\r\n" in said and answer:
                    await stream.send_all(answer)
                    return

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        yield f"http://127.0.0.1:{port}/mcp"
        nursery.cancel_scope.cancel()


def response(status: str, body: str, kind: str = "text/plain") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n"
    return f"{head}connection: close\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (response("404 Not Found", "no"), "refused with HTTP status 404"),
        (response("500 Internal Server Error", "no"), "refused with HTTP status 500"),
        (response("302 Found\r\nlocation: https://example.com/", ""), "https://example.com/"),
        (response("200 OK", "<p>Hello", "text/html"), "Unexpected content type: text/html"),
        (response("200 OK", "{", "application/json"), "Failed to parse JSON"),
        (response("200 OK", "data: {\n\n", "text/event-stream"), "SSE|parse|closed"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\nhm",
            "can't be reached|closed",
        ),
        (b"SSH-2.0-OpenSSH\r\n", "can't be reached"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n"
            b"content-length: 9\r\n\r\n",
            r"compresses what it sends \('gzip'\), which isn't asked for, and was left",
        ),
    ],
)
async def test_what_is_no_mcp_server_over_http_is_told(answer: bytes, says: str) -> None:
    async with http_that_says(answer) as url:
        error = await refused(McpHttp(url), connect_timeout=5)
    assert re.search(says, str(error))


@pytest.mark.parametrize("how", ["http", "http-json"])
async def test_what_is_too_long_over_http_is_left_and_what_is_long_is_not(how: str) -> None:
    async with (
        http_server(how) as (port, _),
        open_mcp_tools(McpHttp(f"http://127.0.0.1:{port}/mcp")) as tools,
    ):
        assert len((await run(tools, "photograph", {"length": 4 * 2**20})).data) == 4 * 2**20
        with pytest.raises(ToolError, match="sent a message of more than 16,777,216 bytes, and"):
            await run(tools, "photograph", {"length": 13 * 2**20})
        assert await run(tools, "add", {"a": 1}) == {"result": 2}


@given(
    st.lists(st.binary(min_size=1, max_size=20).filter(lambda data: not {*data} & {*b"\r\n"})),
    st.sampled_from([b"\n\n", b"\r\n\r\n", b"\r\r"]),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_each_event_is_counted_by_itself_however_it_is_cut(
    events: list[bytes], end: bytes, cuts: list[int]
) -> None:
    stream = b"".join(event + end for event in events)
    longest = max((len(event) for event in events), default=0)
    for is_cut in (True, False):
        meter, place = Meter(events=is_cut), 0
        sizes = itertools.cycle(cuts)
        while place < len(stream):
            piece = stream[place : place + next(sizes)]
            place += len(piece)
            length = meter.feed(piece)
            assert length <= longest + 2 * len(end) if is_cut else length == place
    assert Meter(events=True).feed(b"x" * longest) == longest


async def test_an_http_server_that_does_not_answer_is_given_up() -> None:
    async with http_that_says(b"") as url:
        error = await refused(McpHttp(url), connect_timeout=0.5)
    assert "didn't answer within 0.5 s" in str(error)


async def test_nobody_at_an_address_is_told() -> None:
    with trio.socket.socket() as taken:
        await taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        error = await refused(McpHttp(f"http://127.0.0.1:{port}/mcp?key={SECRET}"))
    assert f"The MCP server at http://127.0.0.1:{port}/mcp can't be reached" in str(error)
    assert SECRET not in str(error)


async def test_a_wrong_token_is_told_and_not_quoted(caplog: pytest.LogCaptureFixture) -> None:
    async with http_server(token="another") as (port, _):
        url = f"http://127.0.0.1:{port}/mcp"
        with caplog.at_level(logging.DEBUG):
            error = await refused(McpHttp(url, headers={"Authorization": f"Bearer {SECRET}"}))
    assert "refused with HTTP status 401" in str(error)
    assert SECRET not in str(error) + caplog.text


async def test_an_http_server_that_went_away_and_came_back_is_dialled_again(
    tmp_path: Path,
) -> None:
    async with http_server() as (port, process):
        async with open_mcp_tools(McpHttp(f"http://127.0.0.1:{port}/mcp")) as tools:
            assert await run(tools, "add", {"a": 1}) == {"result": 2}
            call = Call()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(kill_once_heard, call, process)
                with pytest.raises(ToolError):
                    await run(tools, "wait", {"diary": str(tmp_path / "diary")}, call)
            with pytest.raises(ToolError, match="can't be reached"):
                await run(tools, "add", {"a": 1})
            async with http_server(port=port):
                assert await run(tools, "add", {"a": 1}) == {"result": 2}
                started = trio.current_time()
        assert trio.current_time() - started < 4


@asynccontextmanager
async def sessions_without_end() -> AsyncIterator[tuple[str, list[str]]]:
    """An HTTP server of the older kind, which has sessions, and answers no GET and no DELETE."""
    heard: list[str] = []

    async def serve(stream: trio.SocketStream) -> None:
        said = b""
        async with stream:
            async for data in stream:
                said += data
                head, _, body = said.partition(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                if length is None:
                    heard.append(head.split()[0].decode())
                if length is None or len(body) < int(length[1]):
                    continue
                message, said = json.loads(body), b""
                heard.append(message["method"])
                await stream.send_all(answer(message))

    def answer(message: dict[str, Any]) -> bytes:
        if "id" not in message:
            return response("202 Accepted", "").replace(b"connection: close\r\n", b"")
        told: dict[str, Any] = {"error": {"code": -32601, "message": "What?"}}
        if message["method"] == "initialize":
            version = message["params"]["protocolVersion"]
            about = {"serverInfo": {"name": "old", "version": "1"}, "capabilities": {"tools": {}}}
            told = {"result": {"protocolVersion": version, **about}}
        elif message["method"] == "tools/list":
            told = {"result": {"tools": [{"name": "go", "inputSchema": {"type": "object"}}]}}
        elif message["method"] == "tools/call":
            told = {"error": {"code": -32000, "message": "Session not found"}}
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], **told})
        said = response("200 OK\r\nmcp-session-id: 1", body, "application/json")
        return said.replace(b"connection: close\r\n", b"")

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        yield f"http://127.0.0.1:{listener.socket.getsockname()[1]}/mcp", heard
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_server_that_does_not_say_goodbye_is_left_all_the_same(cancelled: bool) -> None:
    async with sessions_without_end() as (url, heard):
        with trio.CancelScope() as scope:
            async with open_mcp_tools(McpHttp(url)) as tools:
                assert [tool.name for tool in tools] == ["go"]
                started = trio.current_time()
                if cancelled:
                    scope.cancel()
        assert trio.current_time() - started < 3
        assert "DELETE" in heard


async def test_a_session_that_a_server_has_forgotten_is_opened_again() -> None:
    async with sessions_without_end() as (url, heard), open_mcp_tools(McpHttp(url)) as tools:
        for _ in range(2):
            with pytest.raises(ToolError, match="old has ended; the next call opens it again"):
                await run(tools, "go")
        assert heard.count("initialize") == 2


async def kill_once_heard(call: Call, process: trio.Process) -> None:
    await call.heard.wait()
    process.kill()
