"""An MCP server over streamable HTTP: the SDK's transport, with a bound on what it takes in.

The SDK (mcp 2.3) reads an answer that is JSON to its end, however far that is, and gives up an
event of more than 1 MiB, which a picture easily is. Here one bound holds for both, the same as for
a process.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from ._mcp_stdio import LONGEST_LINE

if TYPE_CHECKING:
    import httpx2

    from .mcp import McpHttp

__all__ = ["Meter", "open_http"]

_SEND_OR_DIAL: Final = 30.0
_SILENT: Final = 300.0
"""Seconds without a byte of an answer, as the SDK has it; a call has a time-out of its own."""
_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")
"""Of an event."""


class Meter:
    """Counts the bytes of a message that comes in pieces."""

    def __init__(self, *, events: bool) -> None:
        self._events: bool = events
        self._length: int = 0
        self._tail: bytes = b""

    def feed(self, piece: bytes) -> int:
        """Take what came; return how much there is of the last message, its end counted in."""
        self._length += len(piece)
        if self._events:
            seen = self._tail + piece  # an end may be cut in two
            ended = max(map(seen.rfind, _ENDS))
            if ended >= 0:
                self._length = len(seen) - ended
            self._tail = seen[1 - len(max(_ENDS, key=len)) :]
        return self._length


@asynccontextmanager
async def open_http(
    server: McpHttp, note_refusal: Callable[[int | None], None], leave: Callable[[str], None]
) -> AsyncIterator[Any]:
    """Give the SDK what it reads from, and writes to.

    Args:
      server: Where it is.
      note_refusal: Told the status of each answer to a message, where that is a refusal, else
        ``None``.
      leave: Told what the server did that can't go on.
    """
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    class Bounded(httpx2.AsyncByteStream):
        """What comes, as long as no message in it is too long."""

        def __init__(self, response: httpx2.Response) -> None:
            self._stream: Any = response.stream
            self._answers: bool = response.request.method == "POST"
            kind = response.headers.get("content-type", "").lower()
            self._meter = Meter(events=kind.startswith("text/event-stream"))

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async with aclosing(aiter(self._stream)) as pieces:
                async for piece in pieces:
                    if self._meter.feed(piece) > LONGEST_LINE:
                        reason = f"sent a message of more than {LONGEST_LINE:,} bytes"
                        if self._answers:
                            leave(f"{reason}, and was left")
                        raise httpx2.StreamError(reason)
                    yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def look_at(response: httpx2.Response) -> None:
        if response.request.method == "POST":  # the others are the SDK's own affair
            note_refusal(response.status_code if response.is_error else None)
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            # Nobody could say how long it will be.
            reason = f"compresses what it sends ({coding[:20]!r}), which isn't asked for"
            leave(f"{reason}, and was left")
            raise httpx2.StreamError(reason)
        response.stream = Bounded(response)

    headers = httpx2.Headers(server.headers)
    headers["Accept-Encoding"] = "identity"
    options: dict[str, Any] = {}
    if "max_sse_event_size" in inspect.signature(streamable_http_client).parameters:
        options["max_sse_event_size"] = LONGEST_LINE
    async with (
        httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(_SEND_OR_DIAL, read=_SILENT),
            event_hooks={"response": [look_at]},
        ) as client,
        streamable_http_client(server.url, http_client=client, **options) as streams,
    ):
        yield streams
