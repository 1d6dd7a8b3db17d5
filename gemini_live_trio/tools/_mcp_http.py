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

__all__ = ["open_http"]

_SEND_OR_DIAL: Final = 30.0
_SILENT: Final = 300.0
"""Seconds without a byte of an answer, as the SDK has it; a call has a time-out of its own."""
_ENDS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")
"""Of an event. One that is cut between two pieces isn't seen, and two events count as one then."""


@asynccontextmanager
async def open_http(
    server: McpHttp, note_refusal: Callable[[int | None], None], note_flaw: Callable[[str], None]
) -> AsyncIterator[Any]:
    """Give the SDK what it reads from, and writes to.

    Args:
      server: Where it is.
      note_refusal: Told the status of each answer to a message, where that is a refusal, else
        ``None``.
      note_flaw: Told why an answer was left, where that is the server's fault.
    """
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    class Bounded(httpx2.AsyncByteStream):
        """What comes, as long as no message in it is too long."""

        def __init__(self, response: httpx2.Response) -> None:
            self._stream: Any = response.stream
            self._answers: bool = response.request.method == "POST"
            kind = response.headers.get("content-type", "").lower()
            self._events: bool = kind.startswith("text/event-stream")

        async def __aiter__(self) -> AsyncIterator[bytes]:
            length = 0
            async with aclosing(aiter(self._stream)) as pieces:
                async for piece in pieces:
                    ended = max((piece.rfind(end) for end in _ENDS), default=-1)
                    if self._events and ended >= 0:
                        length = -ended
                    length += len(piece)
                    if length > LONGEST_LINE:
                        if self._answers:
                            note_flaw(
                                f"sent a message of more than {LONGEST_LINE:,} bytes, and was left"
                            )
                        raise httpx2.StreamError(f"more than {LONGEST_LINE:,} bytes")
                    yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()

    async def look_at(response: httpx2.Response) -> None:
        if response.request.method == "POST":  # the others are the SDK's own affair
            note_refusal(response.status_code if response.is_error else None)
        response.stream = Bounded(response)

    # Compressed, nobody could say how long it will be.
    headers = httpx2.Headers({"Accept-Encoding": "identity"})
    headers.update(server.headers)
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
