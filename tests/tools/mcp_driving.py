"""MCP servers for the tests, and what a call of one needs."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import trio

from gemini_live_trio import LiveSession
from gemini_live_trio.tools import McpStdio, Tool
from gemini_live_trio.wire import JsonValue

HERE = Path(__file__).parent
PATIENCE = 120
"""Seconds: without a bound a server that says nothing would hang the test. On a busy machine it
takes the SDK's ten to start."""

SDK_LEAVES_GENERATORS = pytest.mark.filterwarnings(
    # The SDK (2.3) stops reading an event stream in the middle of httpx2's generators, which Trio
    # reports when they are collected.
    r"ignore:Exception ignored in. <async_generator object (PoolByteStream|Response|EventSource)"
    ":pytest.PytestUnraisableExceptionWarning",
    "ignore:Async generator 'httpx2:ResourceWarning",
    "ignore:Async generator 'httpcore2:ResourceWarning",
)


def need(*packages: str) -> None:
    """Skip where a package is missing; fail where the runner promised it."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            assert "MCP_REQUIRED" not in os.environ, f"{package} isn't installed"
            pytest.skip(f"needs {package} (nox -s tests installs it)")


def server(*arguments: str, **options: Any) -> McpStdio:
    """The server that is made with the SDK, as a process."""
    script = str(HERE / "mcp_server.py")
    return McpStdio(sys.executable, args=[script, "stdio", *arguments], **options)


def broken(how: str, diary: Path | None = None) -> McpStdio:
    """The server that does something wrong."""
    script = str(HERE / "broken_mcp_server.py")
    return McpStdio(sys.executable, args=[script, how, *([str(diary)] if diary else [])])


@asynccontextmanager
async def http_server(
    how: str = "http", *, token: str | None = None, port: int = 0
) -> AsyncIterator[tuple[int, trio.Process]]:
    """The server that is made with the SDK, on a port of this machine."""
    environment = dict(os.environ) | ({"MCP_TEST_TOKEN": token} if token else {})
    process = await trio.lowlevel.open_process(
        [sys.executable, str(HERE / "mcp_server.py"), how, str(port)],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    try:
        with trio.fail_after(PATIENCE):
            said = b""
            while not said.endswith(b"\n"):
                more = await process.stdout.receive_some()
                assert more, "the server didn't start"
                said += more
        yield int(said), process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
            await process.stdout.aclose()


@attrs.define
class Call:
    """What a tool knows of its call, where no runner serves it."""

    told: list[str] = attrs.field(factory=list)
    """What it told of its progress."""
    heard: trio.Event = attrs.field(factory=trio.Event)
    """It told something."""
    call_id: str = "call-1"
    cancel_reason: str | None = None

    @property
    def session(self) -> LiveSession:
        raise AssertionError("no session has called")

    def progress(self, text: str, /) -> None:
        self.told.append(text)
        self.heard.set()


def named(tools: Sequence[Tool], name: str) -> Tool:
    return next(tool for tool in tools if tool.name == name)


async def run(
    tools: Sequence[Tool],
    name: str,
    args: Mapping[str, JsonValue] | None = None,
    call: Call | None = None,
) -> Any:
    """Call a tool as the runner does, and wait for what it gives."""
    with trio.fail_after(PATIENCE):
        return await cast("Any", named(tools, name).handler(args or {}, call or Call()))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
