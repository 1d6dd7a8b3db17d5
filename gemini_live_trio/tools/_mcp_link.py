"""The connection to an MCP server, held by a task of its own.

The SDK's connections are nurseries. A body inside one would be cancelled when the server breaks,
and its exceptions would come out in groups; so a task of the block's nursery enters them instead,
and the body only asks it things.

Four more things are done about the SDK (mcp 2.3), and others in ``_mcp_stdio`` and ``_mcp_http``:

* A transport that fails takes all its requests with it and can't be used again. The next call
  opens another.
* What went wrong lies deep in groups, and a refusal by HTTP keeps its status to itself; the first
  is dug out, and the second is noted by a hook of the HTTP client.
* A server's stderr goes to the program's own. Here it goes to the log, and its end into the error
  when the server could not be opened.
* When a call is cancelled, the SDK itself tells the server so, for at most 5 s. For that to arrive
  the connection outlives the block's body, under a shield which the block ends.
"""

from __future__ import annotations

import importlib.metadata
import logging
import math
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from .._redact import Redactor, Secrets
from ..errors import McpError, MissingDependency, ToolError
from ._mcp_http import open_http
from ._mcp_stdio import open_stdio
from ._mcp_words import progress_text, read_result
from ._tool import ToolContext

if TYPE_CHECKING:
    import mcp
    import mcp.types

    from ..wire import JsonValue
    from .mcp import McpHttp, McpStdio

__all__ = ["Link", "call_tool", "list_tools", "require_sdk"]

_log: Final = logging.getLogger("gemini_live_trio.mcp")

_NAME: Final = "gemini-live-trio"
_LEAVING: Final = 2.0
"""Seconds to say goodbye over HTTP."""
_HEAR_OUT: Final = 0.5
"""Seconds for what a process that has ended wrote to stderr before."""
_LAST_LINES: Final = 3
_LONGEST_WORDS: Final = 200
_LONGEST_TEXT: Final = 1_000
_LONGEST_NAME: Final = 60
_MOST_PAGES: Final = 100


def require_sdk() -> Any:
    """Import the SDK.

    Raises:
      MissingDependency: it isn't installed, or too old.
    """
    try:
        import mcp

        mcp.Client  # noqa: B018 - it came with version 2
    except (ImportError, AttributeError) as error:
        raise MissingDependency('MCP servers need: pip install "gemini-live-trio[mcp]"') from error
    # As for this package: without it, Python prints the SDK's tracebacks on the terminal.
    logger = logging.getLogger("mcp")
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())
    return mcp


async def list_tools(session: mcp.ClientSession) -> Sequence[mcp.types.Tool]:
    """Ask for all tools, page by page."""
    from mcp.types import PaginatedRequestParams

    tools: list[mcp.types.Tool] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor))
        tools += page.tools
        cursor = page.next_cursor
        if not cursor:
            break
    return tools


async def call_tool(
    client: mcp.Client | mcp.ClientSession,
    name: str,
    args: Mapping[str, JsonValue],
    context: ToolContext,
) -> object:
    """Call a tool, and pass on what the server tells meanwhile.

    Raises:
      ToolError: the server says that it failed.
      Exception: anything else went wrong; the SDK has many kinds.
    """

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        context.progress(progress_text(progress, total, message))

    return read_result(await client.call_tool(name, dict(args), progress_callback=on_progress))


@attrs.define(eq=False)
class _End:
    """How a connection ends."""

    over: trio.Event = attrs.field(factory=trio.Event)
    """It is to be let go of, or has ended."""

    flaw: str | None = None
    """What the server did that can't go on."""

    def leave(self, flaw: str) -> None:
        """Let go of it for what the server did."""
        self.flaw = flaw
        self.over.set()


@attrs.frozen(eq=False)
class _Held:
    """A connection while it lasts."""

    client: mcp.Client
    end: _End


class Link:
    """The way to one server: opened when it is first needed, and again after it has ended."""

    def __init__(
        self, server: McpStdio | McpHttp, nursery: trio.Nursery, *, connect_timeout: float
    ) -> None:
        self._server: McpStdio | McpHttp = server
        self._nursery: trio.Nursery = nursery
        self._connect_timeout: float = connect_timeout
        self._label: str = server.label
        self._closed: bool = False
        self._lock: trio.Lock = trio.Lock()
        self._held: _Held | None = None
        self._refused: int | None = None
        """The status of the newest answer over HTTP, where that was a refusal."""
        self._redactor: Redactor = Redactor(secrets=Secrets(server.secrets()))

    def close(self) -> None:
        """Let go of the server, within a bound, and for good."""
        self._closed = True
        if self._held is not None:
            self._held.end.over.set()

    async def tools(self) -> tuple[Sequence[mcp.types.Tool], str]:
        """Connect, and ask what the server has: its tools, and its advice on how to use them.

        Raises:
          McpError: there is no such server, or it doesn't answer as it should.
        """
        held = await self._open()
        try:
            with trio.fail_after(self._connect_timeout):
                return await list_tools(held.client.session), held.client.instructions or ""
        except trio.TooSlowError:
            raise self._error(self._silent()) from None
        except Exception as error:  # noqa: BLE001 - the SDK has many kinds
            raise self._error(self._why(held.end, error)) from self._clean(error)

    async def call(self, name: str, args: Mapping[str, JsonValue], context: ToolContext) -> object:
        """Call a tool.

        Raises:
          ToolError: it failed; the text is for the model.
        """
        held: _Held | None = None
        try:
            held = await self._open()
            return await call_tool(held.client, name, args, context)
        except ToolError as error:
            raise ToolError(self._redactor.text(str(error))) from error.__cause__
        except McpError as error:
            raise ToolError(str(error)) from error
        except Exception as error:  # noqa: BLE001 - the SDK has many kinds
            if held is None or not (held.end.over.is_set() or self._ended(error)):
                raise ToolError(self._explain(error)) from self._clean(error)
            held.end.over.set()
            text = f"{self._label} {held.end.flaw or 'has ended'}; the next call opens it again."
            raise ToolError(self._redactor.text(text)) from self._clean(error)

    async def _open(self) -> _Held:
        async with self._lock:
            if self._closed:
                raise self._error(
                    f"{self._label} is closed: the block of open_mcp_tools has been left."
                )
            if self._held is None or self._held.end.over.is_set():
                try:
                    self._held = await self._nursery.start(self._hold)
                except BaseExceptionGroup as group:  # Trio puts what comes out of it into one
                    raise _cause(group) from None
                assert self._held is not None
            return self._held

    async def _hold(self, *, task_status: trio.TaskStatus[_Held]) -> None:
        """Keep a connection open until it is over."""
        held: _Held | None = None
        failure: Exception | None = None
        words = _Stderr(self._label, self._redactor)
        end = _End()
        try:
            with trio.CancelScope(deadline=trio.current_time() + self._connect_timeout) as scope:
                async with self._client(words, end) as client:
                    scope.deadline, scope.shield = math.inf, True
                    held = _Held(client, end)
                    self._learn_name(client)
                    task_status.started(held)
                    if self._closed:  # while it was opened
                        end.over.set()
                    await end.over.wait()
                    scope.deadline = trio.current_time() + _LEAVING
        except BaseException as error:  # noqa: BLE001 - raised again, unless it is told otherwise
            cause = _cause(error)
            if not isinstance(cause, Exception):
                raise cause from None
            failure = cause
        if held is None:
            raise self._error(self._why(end, failure) + words.last()) from self._clean(failure)
        end.over.set()
        if end.flaw is not None or failure is not None:
            _log.warning("%s", self._why(end, failure))

    def _client(self, words: _Stderr, end: _End) -> mcp.Client:
        import mcp
        from mcp.types import Implementation

        server = self._server
        return mcp.Client(
            open_http(server, self._note_refusal, end.leave)
            if server.kind == "http"
            else _open_stdio(server, words, end.leave),
            client_info=Implementation(name=_NAME, version=_version()),
            cache=None,
        )

    def _learn_name(self, client: mcp.Client) -> None:
        """Call a server by its own name, since the model may read out what we call it."""
        name = client.server_info.name if client.server_info is not None else ""
        if name and name.isprintable():
            self._label = f"The MCP server {name[:_LONGEST_NAME]}"

    def _note_refusal(self, status: int | None) -> None:
        self._refused = status

    def _ended(self, error: Exception) -> bool:
        """Whether there will be no other answer over this connection."""
        from mcp.types import CONNECTION_CLOSED

        # 404 is how a server says that it has forgotten the session.
        return getattr(error, "code", None) == CONNECTION_CLOSED or self._refused == 404

    def _error(self, text: str) -> McpError:
        return McpError(self._redactor.text(text), server=self._label)

    def _clean(self, error: Exception | None) -> Exception | None:
        """Give a cause to chain, unless it quotes a secret, which a traceback would show."""
        quoted = error is not None and self._redactor.text(str(error)) != str(error)
        return None if quoted else error

    def _silent(self) -> str:
        return f"{self._label} didn't answer within {self._connect_timeout:g} s."

    def _why(self, end: _End, error: Exception | None) -> str:
        if end.flaw is not None:
            return self._redactor.text(f"{self._label} {end.flaw}.")
        return self._silent() if error is None else self._explain(error)

    def _explain(self, error: Exception) -> str:
        """Say in a sentence what went wrong, for a person and for the model."""
        return self._redactor.text(f"{self._label} {self._said(error)}")

    def _said(self, error: Exception) -> str:
        import mcp
        from mcp.types import CONNECTION_CLOSED

        verb = "started" if self._server.kind == "stdio" else "reached"
        match error:
            case OSError(strerror=str(reason)):
                named = f" ({error.filename})" if error.filename else ""
                advice = ""
                if isinstance(error, FileNotFoundError) and " " in str(error.filename):
                    advice = " A command stands alone; its arguments go to args."
                return f"can't be {verb}: {reason}{named}.{advice}"
            case mcp.MCPError() if error.code == CONNECTION_CLOSED:
                return "closed the connection."
            case mcp.MCPError() if self._refused is not None:
                return f"refused with HTTP status {self._refused}: {error.message[:_LONGEST_TEXT]}."
            case mcp.MCPError():
                return f"answered: {error.message[:_LONGEST_TEXT]}"
        if type(error).__module__.partition(".")[0] in ("httpx2", "httpcore2"):
            return f"can't be {verb}: {error or type(error).__name__}."
        # What it said instead may be long; the cause has it.
        return f"doesn't speak MCP as it should ({type(error).__name__})."


def _version() -> str:
    try:
        return importlib.metadata.version(_NAME)
    except importlib.metadata.PackageNotFoundError:  # packed into one file, or not installed
        return "unknown"


def _cause(error: BaseException) -> BaseException:
    """Return what a group is about.

    Ctrl-C and cancellation come first, since they must not get lost. That a connection was closed
    is mostly the consequence of something else in the group.
    """
    leaves = _leaves(error)
    leaves.sort(key=lambda leaf: (isinstance(leaf, Exception), isinstance(leaf, trio.Cancelled)))
    if isinstance(leaves[0], Exception):
        leaves.sort(key=lambda leaf: type(leaf).__name__ == "MCPError")
    return leaves[0]


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]


@asynccontextmanager
async def _open_stdio(
    server: McpStdio, words: _Stderr, note: Callable[[str], None]
) -> AsyncIterator[Any]:
    if server.stderr is not None:
        async with open_stdio(server, server.stderr, note) as streams:
            yield streams
    elif sys.platform == "win32":
        # There, a pipe can be read in a thread only, which could outlive all this.
        async with open_stdio(server, subprocess.DEVNULL, note) as streams:
            yield streams
    else:
        async with words.open() as pipe, open_stdio(server, pipe, note) as streams:
            yield streams


class _Stderr:
    """What a server writes to its stderr: logged line by line, the end of it kept."""

    def __init__(self, label: str, redactor: Redactor) -> None:
        self._label: str = label
        self._redactor: Redactor = redactor
        self._end: str = ""
        self._ended: trio.Event = trio.Event()

    def last(self) -> str:
        """A sentence with the last words, or nothing."""
        lines = [line.strip()[:_LONGEST_WORDS] for line in self._end.splitlines() if line.strip()]
        return f" Its last words: {' / '.join(lines[-_LAST_LINES:])}" if lines else ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Any]:
        """Give the end of a pipe for a process to write to."""
        reading, writing = os.pipe()
        with os.fdopen(writing, "w") as pipe:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, trio.lowlevel.FdStream(reading))
                try:
                    yield pipe
                finally:
                    pipe.close()
                    with trio.move_on_after(_HEAR_OUT, shield=True):
                        await self._ended.wait()
                    # A process of the server's may have outlived it, and keep the pipe open.
                    nursery.cancel_scope.cancel()

    async def _read(self, stream: trio.lowlevel.FdStream) -> None:
        line = ""
        async with stream:
            async for chunk in stream:
                text = chunk.decode(errors="backslashreplace")
                self._end = (self._end + text)[-_LAST_LINES * _LONGEST_TEXT :]
                *lines, line = (line + text).split("\n")
                lines += [line] if len(line) > _LONGEST_TEXT else []
                for whole in lines:
                    self._log(whole)
                line = "" if len(line) > _LONGEST_TEXT else line
            self._log(line)
        self._ended.set()

    def _log(self, line: str) -> None:
        if line and _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s: %s", self._label, self._redactor.text(line[:_LONGEST_TEXT]))
