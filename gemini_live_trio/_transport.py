"""One WebSocket connection: frames in, frames out, and a plain account of how it ended.

This module knows no JSON. It wraps trio-websocket, whose manners with a connection that is ending
need care; each of these was measured with version 0.12.2:

* Its reader runs in a nursery that we give it, and raises there: for an HTTP answer to the upgrade,
  for bytes that are no WebSocket, for a ping that falls between our close and its echo. So the
  nursery that it gets is a stand-in, which runs the reader inside a task of ours and keeps what it
  raised.
* ``wrap_client_stream`` waits for the end of the handshake and never returns when the peer hangs up
  before that. The stand-in knows when the reader has ended and cancels the wait.
* After a close frame from the server, the client's reader waits for the server to close TCP,
  without limit. So our exit closes the stream itself and doesn't wait.
* Cancelling ``send_message`` in the middle of a write leaves half a frame on the wire, and the next
  frame would be read as the rest of it. So a connection whose write was cancelled is torn: nothing
  more is written to it, not even a close frame.
* Three unread messages stop it from answering pings. So whoever owns a connection must read it
  without waiting for anybody.
"""

from __future__ import annotations

import functools
import math
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol, cast

import attrs
import trio
import trio_websocket
import wsproto.utilities

from ._closes import Close
from ._endpoint import Target
from .errors import ConnectError, ConnectTimeout, UpgradeRejected

__all__ = ["Connection", "ConnectionEnded", "Connector", "TcpConnector", "open_connection"]

MAX_MESSAGE_BYTES = 16 * 2**20
RECEIVE_BUFFER_BYTES = 64 * 2**10  # four times as fast as trio-websocket's 4 KiB
_BODY_SHOWN = 200


class Connector(Protocol):
    """Opens the byte stream under a WebSocket.

    Replace it to reach the service some other way; a simulator's connects in memory.
    """

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        """Open a stream to ``target``, with TLS done where ``target.secure``.

        Raises:
          ConnectError: It didn't work; the text says at which stage and why.
          OSError: The same, in the operating system's words.
        """
        ...


@attrs.frozen(kw_only=True)
class TcpConnector:
    """TCP, and TLS with the system's certificates unless a context is given."""

    ssl_context: ssl.SSLContext | None = None
    """``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are honoured by the default one."""

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        """Open a stream; see ``Connector.connect``."""
        try:
            tcp = await trio.open_tcp_stream(target.host, target.port)
        except socket.gaierror as error:
            raise ConnectError(
                f"The name {target.host!r} can't be resolved ({error.strerror}); "
                "check the name and the network.",
                stage="dns",
            ) from error
        except OSError as error:
            raise ConnectError(
                f"Nothing answers at {target} ({error}); check the address and the network.",
                stage="tcp",
            ) from error
        if not target.secure:
            return tcp
        context = self.ssl_context or _default_ssl_context()
        tls = trio.SSLStream(tcp, context, server_hostname=target.host, https_compatible=True)
        try:
            await tls.do_handshake()
        except (trio.BrokenResourceError, ssl.SSLError) as error:
            await trio.aclose_forcefully(tls)
            why = error.__cause__ or error
            raise ConnectError(
                f"No secure connection to {target} ({why}); "
                "set SSL_CERT_FILE if a private authority signs here.",
                stage="tls",
            ) from error
        except BaseException:
            await trio.aclose_forcefully(tls)
            raise
        return tls


@functools.cache
def _default_ssl_context() -> ssl.SSLContext:
    return ssl.create_default_context()


class ConnectionEnded(Exception):
    """There is no connection any more; internal, never seen by users."""

    def __init__(self, close: Close) -> None:
        super().__init__(str(close))
        self.close = close


class _ReaderHost:
    """Stands in for the nursery that trio-websocket starts its reader in."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._waiting: trio.CancelScope | None = None
        self._ended = False
        self.error: Exception | None = None

    def start_soon(self, reader: Callable[..., Awaitable[Any]], *args: Any) -> None:
        self._nursery.start_soon(self._run, reader, args)

    async def _run(self, reader: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> None:
        try:
            await reader(*args)
        except Exception as error:  # noqa: BLE001 - kept, and told by whoever asks next
            self.error = error
        finally:
            self._ended = True
            if self._waiting is not None:
                self._waiting.cancel()

    def while_reading(self, *, timeout: float = math.inf) -> trio.CancelScope:
        """Return a scope for a wait that only the reader can end well."""
        self._waiting = trio.CancelScope(deadline=trio.current_time() + timeout)
        if self._ended:
            self._waiting.cancel()
        return self._waiting


class Connection:
    """An open WebSocket. One task may send, one may receive; ``open_connection`` makes them."""

    def __init__(
        self, websocket: trio_websocket.WebSocketConnection, host: _ReaderHost, stream: Any
    ) -> None:
        self._websocket = websocket
        self._host = host
        self._stream: trio.abc.Stream = stream
        self._closed_by_us: Close | None = None
        self._goodbye_said = trio.Event()
        self._torn = False

    async def send(self, frame: str) -> None:
        """Write one text frame, whole.

        Raises:
          ConnectionEnded: The frame was not, or not wholly, written.

        Cancellation: tears the frame, so the connection is of no more use.
        """
        if self._torn:
            raise ConnectionEnded(self._end())
        try:
            await self._websocket.send_message(frame)
        except (trio_websocket.ConnectionClosed, wsproto.utilities.LocalProtocolError):
            raise ConnectionEnded(self._end()) from None
        except BaseException:
            self._torn = True
            raise

    async def receive(self) -> str | bytes:
        """Wait for the next frame.

        Raises:
          ConnectionEnded: All that came before the end has been received.

        Cancellation: no frame is lost.
        """
        try:
            return await self._websocket.get_message()
        except trio_websocket.ConnectionClosed:
            # During our own close it says so at once, but there is an end only after the goodbye.
            if self._closed_by_us is not None:
                await self._goodbye_said.wait()
            raise ConnectionEnded(self._end()) from None

    async def aclose(self, code: int = 1000, *, timeout: float) -> None:  # noqa: ASYNC109 - a close needs one
        """Say goodbye, and wait for the answer at most ``timeout`` seconds.

        Frames that are still unread are lost.
        """
        if self._closed_by_us is None and self._websocket.closed is None:
            self._closed_by_us = Close("client", code)
            try:
                if not self._torn:
                    with self._host.while_reading(timeout=timeout):
                        await self._websocket.aclose(code)
            finally:
                self._goodbye_said.set()
        await trio.aclose_forcefully(self._stream)

    def _end(self) -> Close:
        """Who ended it, with which words."""
        if self._closed_by_us is not None:
            return self._closed_by_us
        reason = self._websocket.closed
        if reason is None or reason.code == 1006:
            told = self._host.error
            return Close("network", 1006, f"the connection broke ({told})" if told else "")
        text = reason.reason or ""
        if reason.code == 1009 and text.startswith("Exceeded maximum message size"):
            return Close("client", 1009, text)
        return Close("server", reason.code, text)


@asynccontextmanager
async def open_connection(
    connector: Connector,
    target: Target,
    headers: list[tuple[bytes, bytes]],
    *,
    timeout: float,  # noqa: ASYNC109 - connecting has a time-out of its own
) -> AsyncIterator[Connection]:
    """Dial, and own the connection for the length of the block.

    Leaving the block without ``Connection.aclose`` drops the connection without a word.

    Raises:
      ConnectTimeout: Neither connected nor refused within ``timeout`` seconds.
      UpgradeRejected: The server answered with HTTP.
      ConnectError: Anything else on the way.
    """
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        stream: trio.abc.Stream | None = None
        connection: Connection | None = None
        try:
            with trio.move_on_after(timeout):
                stream = await _open_stream(connector, target)
                connection = await _upgrade(nursery, stream, target, headers)
            if connection is None:
                stage = "tcp" if stream is None else "upgrade"
                raise ConnectTimeout(
                    f"No connection to {target} within {timeout:g} s; check the network, "
                    "a proxy or firewall may be in the way.",
                    stage=stage,
                )
            yield connection
        except BaseException as error:  # noqa: BLE001 - raised again outside the nursery, ungrouped
            failure = error
        finally:
            if stream is not None:
                with trio.CancelScope(shield=True):
                    await trio.aclose_forcefully(stream)
            nursery.cancel_scope.cancel()
    if failure is not None:
        try:
            raise failure
        finally:
            del failure


async def _open_stream(connector: Connector, target: Target) -> trio.abc.Stream:
    try:
        return await connector.connect(target)
    except OSError as error:
        raise ConnectError(
            f"Can't reach {target} ({error}); check the address and the network.", stage="tcp"
        ) from error


async def _upgrade(
    nursery: trio.Nursery,
    stream: trio.abc.Stream,
    target: Target,
    headers: list[tuple[bytes, bytes]],
) -> Connection:
    host = _ReaderHost(nursery)
    # Anything but the scheme's own port belongs into the Host header.
    port = "" if target.port == (443 if target.secure else 80) else f":{target.port}"
    websocket = None
    with host.while_reading():
        websocket = await trio_websocket.wrap_client_stream(
            cast(trio.Nursery, host),
            # Annotated as a socket stream; any stream serves.
            cast(trio.SocketStream, stream),
            f"{target.host}{port}",
            target.resource,
            extra_headers=headers,
            max_message_size=MAX_MESSAGE_BYTES,
            receive_buffer_size=RECEIVE_BUFFER_BYTES,
        )
    if websocket is None:
        raise _refusal(host.error, target)
    return Connection(websocket, host, stream)


def _refusal(error: Exception | None, target: Target) -> ConnectError:
    """Say why there was no WebSocket at the end of the upgrade."""
    if isinstance(error, trio_websocket.ConnectionRejected):
        body = (error.body or b"")[:_BODY_SHOWN].decode("utf-8", "replace").strip()
        said = f": {body}" if body else ""
        return UpgradeRejected(
            f"{target} answered the WebSocket upgrade with HTTP {error.status_code}{said}; "
            "check the address, the API version and the credentials.",
            status=error.status_code,
            body=body,
        )
    why = f" ({error})" if error else ""
    return ConnectError(
        f"{target} hung up during the WebSocket upgrade{why}; "
        "check that it is a server of the Live API.",
        stage="upgrade",
    )
