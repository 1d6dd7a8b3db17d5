"""Where clients come in: from a byte stream through the WebSocket upgrade to a conversation.

Whatever comes in at this door ends here: garbage, plain HTTP, a client that is too slow or leaves.
Only a fault of the simulator itself goes further.
"""

from __future__ import annotations

import logging
from typing import Final

import trio
import trio_websocket
from wsproto.utilities import ProtocolError

from ._hub import Hub
from ._rules import open_door
from ._service import serve_client
from ._socket import CLOSE_TIMEOUT, Socket
from ._stream import GatedStream

__all__ = ["Doorkeeper", "http_error"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

HANDSHAKE_TIMEOUT: Final = 10.0
MAX_MESSAGE_BYTES: Final = 16 * 2**20
RECEIVE_BYTES: Final = 65_536
MOST_STREAMS: Final = 1_024
"""Clients at once; one more is turned away at the door."""

_GARBAGE: Final = (trio_websocket.ConnectionClosed, ProtocolError, UnicodeError)
"""What the WebSocket's reader raises when the peer, not we, broke the rules."""


class Doorkeeper:
    """Turns byte streams into served clients."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.streams: set[GatedStream] = set()

    async def serve(self, raw: trio.abc.Stream) -> None:
        """Serve one byte stream until it ends.

        The WebSocket's reader has a nursery of its own: what it raises is the peer's fault and
        ends here, while what we raise is kept apart and goes on.
        """
        stream = GatedStream(raw)
        fault: Exception | None = None
        self.streams.add(stream)
        try:
            if not self.hub.accepting or len(self.streams) > MOST_STREAMS:
                return
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_abort_when_cancelled, stream)
                nursery.start_soon(stream.send_late)
                try:
                    await self._serve_websocket(nursery, stream)
                except Exception as error:  # noqa: BLE001 (raised again below)
                    fault = error
                nursery.cancel_scope.cancel()
        except* _GARBAGE as group:
            log.info("a client broke the WebSocket protocol: %r", group.exceptions[0])
        finally:
            self.streams.discard(stream)
            await stream.let_go()
        if fault is not None:
            raise fault

    async def _serve_websocket(self, nursery: trio.Nursery, stream: GatedStream) -> None:
        request = await _get_request(nursery, stream)
        if request is None:
            return
        try:
            door = open_door(request.path, request.headers)
            if self.hub.upgrade_faults:
                refusal = self.hub.upgrade_faults.popleft()
                if refusal.status is None:
                    return
                await _reject(request, refusal.status, refusal.body)
                return
            if door is None:
                log.info("a client asked for a path that isn't here")
                await _reject(request, 404, http_error(404, "Requested entity was not found."))
                return
            websocket = None
            with trio.move_on_after(HANDSHAKE_TIMEOUT):
                websocket = await request.accept()
        except trio_websocket.ConnectionClosed:
            return
        if websocket is None:
            return
        socket = Socket(websocket, stream)
        await serve_client(self.hub, socket, door)
        if stream.held_open:
            await stream.linger()
        elif socket.ending is not None and socket.ending.code == 1009:
            # Closing with unread input would wipe our close frame off the wire.
            with trio.move_on_after(CLOSE_TIMEOUT):
                await stream.linger()


async def _get_request(
    nursery: trio.Nursery, stream: GatedStream
) -> trio_websocket.WebSocketRequest | None:
    """Wait for the upgrade request; ``None`` if the client leaves first, or is too slow.

    ``wrap_server_stream`` itself never returns when the peer goes away or sends garbage.
    """
    request: trio_websocket.WebSocketRequest | None = None
    with trio.move_on_after(HANDSHAKE_TIMEOUT) as scope:
        async with trio.open_nursery() as race:
            race.start_soon(_cancel_when_ended, stream, race.cancel_scope)
            request = await trio_websocket.wrap_server_stream(
                nursery,
                stream,
                max_message_size=MAX_MESSAGE_BYTES,
                receive_buffer_size=RECEIVE_BYTES,
            )
            race.cancel_scope.cancel()
    if scope.cancelled_caught:
        log.info("a client sent no upgrade request within %g s", HANDSHAKE_TIMEOUT)
    return request


async def _cancel_when_ended(stream: GatedStream, scope: trio.CancelScope) -> None:
    await stream.ended.wait()
    scope.cancel()


async def _abort_when_cancelled(stream: GatedStream) -> None:
    """Free a write that is shielded: it must not hold up the end of the simulator."""
    try:
        await trio.sleep_forever()
    finally:
        await stream.let_go()


def http_error(status: int, message: str) -> bytes:
    """The body of an HTTP error, as the service writes it."""
    name = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}.get(
        status, "UNAVAILABLE" if status >= 500 else "INVALID_ARGUMENT"
    )
    return f'{{"error":{{"code":{status},"message":"{message}","status":"{name}"}}}}\n'.encode()


async def _reject(request: trio_websocket.WebSocketRequest, status: int, body: bytes) -> None:
    headers = [(b"Content-Type", b"application/json; charset=UTF-8"), (b"Connection", b"close")]
    with trio.move_on_after(HANDSHAKE_TIMEOUT):
        await request.reject(status, extra_headers=headers, body=body)
