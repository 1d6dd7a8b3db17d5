"""An MCP server's process and its pipes: a transport for the SDK, whose messages are lines of JSON.

The SDK has one too (mcp 2.3), which on Windows is used as it is. Elsewhere this one takes its
place, since that one keeps a line of any length, and goes through all that it has of a line with
each piece that comes: a server that never ends its line takes all memory, and one that gives
pictures holds up everything else in the program. How a process is ended is the same in both, and is
MCP's rule: its stdin is closed, and what doesn't end by that is asked to, and killed then, with all
that it has started.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TextIO

import trio
from trio.abc import ReceiveStream, SendStream

if TYPE_CHECKING:
    from .mcp import McpStdio

__all__ = ["LONGEST_LINE", "LineTooLong", "Lines", "open_stdio"]

_log: Final = logging.getLogger("gemini_live_trio.mcp")

LONGEST_LINE: Final = 16 * 2**20
"""Bytes of one message. An answer may have a quarter of that; the rest is for what is refused with
a reason."""
_FLUSH: Final = 0.5
"""Seconds for what is to be written when the connection is let go of, such as a cancellation."""
_GRACE: Final = 2.0
"""Seconds for each way to end a process."""


class LineTooLong(Exception):
    """A line has passed the bound, and goes on."""


class Lines:
    """Cuts a stream of bytes into lines, looking at each byte once."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest: int = longest
        self._pieces: list[bytes] = []
        self._length: int = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take what came; return the lines that it ends, without their ends.

        Raises:
          LineTooLong: the line that has begun is too long already.
        """
        first, *others = chunk.split(b"\n")
        self._pieces.append(first)
        self._length += len(first)
        lines: list[bytes] = []
        if others:
            lines = [b"".join(self._pieces), *others[:-1]]
            self._pieces, self._length = [others[-1]], len(others[-1])
        if self._length > self._longest:
            raise LineTooLong
        return lines


@asynccontextmanager
async def open_stdio(
    server: McpStdio, stderr: TextIO | int, note: Callable[[str], None]
) -> AsyncIterator[Any]:
    """Start a server; give the SDK what it reads from, and writes to.

    Args:
      server: What to start.
      stderr: Where its stderr goes: a file, or ``subprocess.DEVNULL``.
      note: Told why there will be no further message, where that is the server's fault.

    Raises:
      OSError: it can't be started.
      ValueError: there is a NUL in its command or arguments.

    Cancellation: at any time; ending the process takes its time all the same, which has a bound.
    """
    if sys.platform == "win32":
        from mcp.client.stdio import StdioServerParameters, stdio_client

        parameters = StdioServerParameters(
            command=server.command,
            args=list(server.args),
            env=dict(server.env),
            cwd=None if server.cwd is None else os.fspath(server.cwd),
        )
        errlog: Any = stderr
        async with stdio_client(parameters, errlog) as streams:
            yield streams
        return

    import anyio
    from mcp.client.stdio import get_default_environment

    process = await trio.lowlevel.open_process(
        [server.command, *server.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        env=get_default_environment() | dict(server.env),
        cwd=server.cwd,
        start_new_session=True,
    )
    # Nothing waits from here on until somebody looks after the process.
    assert process.stdin is not None
    assert process.stdout is not None
    deliver, incoming = anyio.create_memory_object_stream[Any](0)
    outgoing, accepted = anyio.create_memory_object_stream[Any](0)
    written = trio.Event()
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_read, process.stdout, deliver, note)
            nursery.start_soon(_write, process.stdin, accepted, deliver, written)
            try:
                yield incoming, outgoing
            finally:
                incoming.close()
                outgoing.close()
                with trio.CancelScope(shield=True):
                    with trio.move_on_after(_FLUSH):
                        await written.wait()
                    await process.stdin.aclose()
                    await _end(process)
                # What has outlived it may keep its stdout open.
                nursery.cancel_scope.cancel()
    finally:
        with trio.CancelScope(shield=True):
            await process.stdout.aclose()


async def _read(stdout: ReceiveStream, deliver: Any, note: Callable[[str], None]) -> None:
    import anyio
    from mcp.shared.message import SessionMessage
    from mcp.types import jsonrpc_message_adapter

    lines, wanted = Lines(), True
    with deliver:
        try:
            async for chunk in stdout:
                # A server that can't get rid of what it says would not end, so it is read on.
                for line in lines.feed(bytes(chunk)) if wanted else ():
                    message: Any
                    try:
                        message = SessionMessage(
                            jsonrpc_message_adapter.validate_json(line, by_name=False)
                        )
                    except ValueError as error:  # the session is told of it
                        message = error
                    try:
                        await deliver.send(message)
                    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
                        wanted = False
                        break
        except LineTooLong:
            note(f"sent a message of more than {LONGEST_LINE:,} bytes, and was left")


async def _write(stdin: SendStream, accepted: Any, deliver: Any, written: trio.Event) -> None:
    try:
        with accepted:
            async for said in accepted:
                text = said.message.model_dump_json(by_alias=True, exclude_unset=True)
                await stdin.send_all(text.encode() + b"\n")
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        deliver.close()  # so that nobody waits for an answer
    finally:
        written.set()


async def _end(process: trio.Process) -> None:
    """Wait for a process whose stdin was closed; end it otherwise, with what it has started."""
    for way in (None, signal.SIGTERM, signal.SIGKILL):
        if way is not None:
            # It isn't reaped yet, so the number of its group can't be another's.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, way)
        with trio.move_on_after(_GRACE):
            await process.wait()
            if way is not None:  # whatever it had started holds the number, or is gone too
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
            return
    _log.warning("The process %d of an MCP server is still there; it was killed.", process.pid)
