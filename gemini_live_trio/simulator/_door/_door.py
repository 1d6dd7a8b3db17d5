"""Where clients come in: from a byte stream through TLS and HTTP to a WebSocket and a conversation.

Whatever comes in at this door ends here: garbage, plain HTTP, a client that is too slow or leaves.
Only a fault of the simulator itself goes further.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Final

import trio
import trio_websocket
from wsproto.utilities import ProtocolError

from .._books._log import log, shown
from .._hub import Hub
from .._service import serve_client
from ._dialects import Door, open_door, plain_path
from ._http import (
    BadRequest,
    Exchange,
    Gone,
    http_error,
    problem,
    read_request,
    refuse,
    usual_words,
)
from ._rest import respond
from ._socket import CLOSE_TIMEOUT, Socket
from ._stream import GatedStream
from ._tokens import TokenStore
from ._visitors import Visitors

__all__ = ["Doorkeeper", "http_error"]

HANDSHAKE_TIMEOUT: Final = 10.0
"""Seconds from the first byte to a whole request: TLS, headers and body."""
MAX_MESSAGE_BYTES: Final = 16 * 2**20
RECEIVE_BYTES: Final = 65_536
MOST_STREAMS: Final = 1_024
"""Clients at once; one more is turned away at the door."""

_GARBAGE: Final = (trio_websocket.ConnectionClosed, ProtocolError, UnicodeError)
"""What the WebSocket's reader raises when the peer, not we, broke the rules."""


class Doorkeeper:
    """Turns byte streams into served clients.

    Args:
      hub: What all of them share.
      tls: How to speak TLS; ``None`` for plain text.
    """

    def __init__(self, hub: Hub, tls: ssl.SSLContext | None = None) -> None:
        self.hub = hub
        self.tokens: TokenStore = TokenStore()
        self.visitors: Visitors = Visitors()
        self._tls = tls

    async def serve(self, raw: trio.abc.Stream) -> None:
        """Serve one byte stream until it ends.

        The WebSocket's reader has a nursery of its own: what it raises is the peer's fault and
        ends here, while what we raise is kept apart and goes on.
        """
        inner = raw if self._tls is None else trio.SSLStream(raw, self._tls, server_side=True)
        stream = GatedStream(inner)
        fault: Exception | None = None
        self.hub.streams.add(stream)
        self.visitors.enter()
        try:
            if not self.hub.accepting:
                return
            if len(self.hub.streams) > MOST_STREAMS:
                self.visitors.turned_away += 1
                log.info("%s was turned away: %d are inside", _peer(raw), MOST_STREAMS)
                return
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_abort_when_cancelled, stream)
                nursery.start_soon(stream.send_late)
                try:
                    await self._serve(nursery, raw, stream)
                except Exception as error:  # noqa: BLE001 (raised again below)
                    fault = error
                nursery.cancel_scope.cancel()
        except* _GARBAGE as group:
            self.visitors.garbage += 1
            what = shown(str(group.exceptions[0]))
            log.info("%s broke the WebSocket protocol: %s", _peer(raw), what)
        finally:
            self.hub.streams.discard(stream)
            self.visitors.leave()
            # Shielded, since a cancellation here would take the place of what is on its way out.
            with trio.CancelScope(shield=True):
                await stream.let_go()
        if fault is not None:
            raise fault

    async def _serve(
        self, nursery: trio.Nursery, raw: trio.abc.Stream, stream: GatedStream
    ) -> None:
        request: trio_websocket.WebSocketRequest | None = None
        with trio.move_on_after(HANDSHAKE_TIMEOUT) as scope:
            try:
                if self._tls is not None and not await self._shake_hands(raw, stream):
                    return
                exchange = await read_request(stream)
                if not exchange.wants_websocket:
                    await self._answer(exchange)
                    return
                exchange.give_back()
                request = await _get_request(nursery, stream)
            except BadRequest as bad:
                self.visitors.garbage += 1
                log.info("%s sent nothing that can be read: %s", _peer(raw), bad)
                with suppress(Gone):
                    await refuse(stream, bad)
            except Gone:
                self.visitors.left += 1
        if scope.cancelled_caught:
            self.visitors.slow += 1
            log.info("%s sent no whole request within %g s", _peer(raw), HANDSHAKE_TIMEOUT)
        if request is not None:
            await self._serve_websocket(request, stream, _peer(raw))

    async def _shake_hands(self, raw: trio.abc.Stream, stream: GatedStream) -> bool:
        """Do the TLS handshake, and tell whether it worked."""
        try:
            await stream.shake_hands()
        except trio.ClosedResourceError:
            raise Gone from None  # dropped on request
        except trio.BrokenResourceError as error:
            self.visitors.garbage += 1
            reason = getattr(error.__cause__, "reason", None) or "the connection ended"
            log.info("the TLS handshake with %s failed: %s", _peer(raw), reason)
            if reason == "HTTP_REQUEST":
                # Not a byte of TLS was written yet, so it can be told in its own language.
                plainly = BadRequest("This port speaks TLS: use wss:// and https://.")
                with suppress(Gone):
                    await refuse(GatedStream(raw), plainly)
            return False
        return True

    async def _answer(self, exchange: Exchange) -> None:
        settings = self.hub.settings
        try:
            answer = await respond(exchange, api_key=settings.api_key, tokens=self.tokens)
        except BadRequest as bad:
            answer = problem(bad.status or 400, str(bad))
        self.visitors.answered += 1
        path = shown(plain_path(exchange.target))
        log.info("HTTP %s %s: %d", shown(exchange.method), path, answer.status)
        await exchange.answer(answer)

    async def _serve_websocket(
        self, request: trio_websocket.WebSocketRequest, stream: GatedStream, peer: str
    ) -> None:
        try:
            if self.hub.upgrade_faults:
                refusal = self.hub.upgrade_faults.popleft()
                if refusal.status is None:
                    log.info("a WebSocket dropped on request")
                    return
                log.info("a WebSocket refused on request: %d", refusal.status)
                text = http_error(refusal.status, usual_words(refusal.status))
                await _reject(
                    request, refusal.status, text if refusal.body is None else refusal.body
                )
                return
            door = open_door(request.path, request.headers)
            if door is None:
                self.visitors.answered += 1
                log.info("a WebSocket for %s refused: 404", shown(plain_path(request.path)))
                await _reject(request, 404, http_error(404, "Requested entity was not found."))
                return
            websocket = None
            with trio.move_on_after(HANDSHAKE_TIMEOUT):
                websocket = await request.accept()
        except trio_websocket.ConnectionClosed:
            self.visitors.left += 1
            return
        if websocket is not None:
            self.visitors.upgraded += 1
            await self._converse(Socket(websocket, stream), door, stream, peer)

    async def _converse(self, socket: Socket, door: Door, stream: GatedStream, peer: str) -> None:
        await serve_client(self.hub, socket, door, self.tokens, peer)
        if stream.held_open:
            await stream.linger()
        elif socket.ending is not None and socket.ending.code == 1009:
            await stream.end_politely()
        elif socket.ending is not None and socket.ending.code != 1006:
            with trio.move_on_after(CLOSE_TIMEOUT):
                await stream.aclose()


def _peer(raw: trio.abc.Stream) -> str:
    """Who it is, for the log."""
    if isinstance(raw, trio.SocketStream):
        with suppress(OSError):
            host, port = raw.socket.getpeername()[:2]
            return f"{host}:{port}"
    return "a client in memory"


async def _get_request(
    nursery: trio.Nursery, stream: GatedStream
) -> trio_websocket.WebSocketRequest | None:
    """Wait for the upgrade request; ``None`` if the client leaves first, or it is a bad one.

    ``wrap_server_stream`` itself never returns when the peer goes away or sends garbage.
    """
    request: trio_websocket.WebSocketRequest | None = None
    async with trio.open_nursery() as race:
        race.start_soon(_cancel_when_ended, stream, race.cancel_scope)
        request = await trio_websocket.wrap_server_stream(
            nursery,
            stream,
            max_message_size=MAX_MESSAGE_BYTES,
            receive_buffer_size=RECEIVE_BYTES,
        )
        race.cancel_scope.cancel()
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


async def _reject(request: trio_websocket.WebSocketRequest, status: int, body: bytes) -> None:
    headers = [(b"Content-Type", b"application/json; charset=UTF-8"), (b"Connection", b"close")]
    with trio.move_on_after(HANDSHAKE_TIMEOUT):
        await request.reject(status, extra_headers=headers, body=body)
