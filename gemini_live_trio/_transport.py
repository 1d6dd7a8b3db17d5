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
* ``ping`` never returns when the connection ends meanwhile. So it is raced with the reader's end.

Between it and the socket stands a stream of ours. It notes when bytes came in, which is the only
sign of life that counts, and it gathers the frames of one batch into one write: a write costs more
than making a frame. It gathers only while a batch is being handed over; a stream that always did
would withhold pongs, and hang the close.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, cast

import trio
import trio_websocket
import wsproto.events
import wsproto.utilities

from ._closes import Close
from ._dial import Connector, Journey, Step, TcpConnector, sentence, step
from ._endpoint import Target
from .errors import ConnectError, UpgradeRejected

__all__ = ["Connection", "ConnectionEnded", "Connector", "TcpConnector", "open_connection"]

MAX_MESSAGE_BYTES = 16 * 2**20
RECEIVE_BUFFER_BYTES = 64 * 2**10  # four times as fast as trio-websocket's 4 KiB
MESSAGES_WAITING = 64  # so that a burst costs one hop between tasks, not one for each message
_BODY_SHOWN = 200
_ADVICE = {
    401: "check the credentials",
    403: "check the credentials, and that their project may use the API",
    404: "check the address and the API version",
}
_REDIRECTS = {301, 302, 303, 307, 308, 511}


class ConnectionEnded(Exception):
    """There is no connection any more; internal, never seen by users."""

    def __init__(self, close: Close) -> None:
        super().__init__(str(close))
        self.close = close


class _GatheringStream(trio.abc.Stream):
    """Passes everything through, but writes of one batch go out together."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._gathered: list[bytes | bytearray | memoryview] | None = None
        self._writing = trio.StrictFIFOLock()
        self.heard_at: float = trio.current_time()

    def cork(self) -> None:
        self._gathered = []

    async def uncork(self) -> None:
        gathered, self._gathered = self._gathered, None
        if gathered:
            await self.send_all(b"".join(gathered))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        if self._gathered is not None:
            self._gathered.append(data)
            return
        async with self._writing:
            await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        data = await self._stream.receive_some(max_bytes)
        self.heard_at = trio.current_time()
        return data

    async def aclose(self) -> None:
        await self._stream.aclose()


class _ReaderHost:
    """Stands in for the nursery that trio-websocket starts its reader in."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._waits: deque[trio.CancelScope] = deque(maxlen=4)
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
            for scope in self._waits:
                scope.cancel()

    def while_reading(self, *, timeout: float = math.inf) -> trio.CancelScope:
        """Return a scope for a wait that only the reader can end well."""
        scope = trio.CancelScope(deadline=trio.current_time() + timeout)
        self._waits.append(scope)
        if self._ended:
            scope.cancel()
        return scope


class Connection:
    """An open WebSocket. One task may send, one may receive; ``open_connection`` makes them."""

    def __init__(
        self,
        websocket: trio_websocket.WebSocketConnection,
        host: _ReaderHost,
        stream: _GatheringStream,
    ) -> None:
        self._websocket = websocket
        self._host = host
        self._stream = stream
        self._closed_by_us: Close | None = None
        self._goodbye_said = trio.Event()
        self._torn = False
        self.polite: bool = False
        """Whether our goodbye was answered."""

    @property
    def heard_at(self) -> float:
        """When the last bytes came in, on Trio's clock."""
        return self._stream.heard_at

    async def send(self, *frames: str) -> None:
        """Write text frames, whole and at once.

        Raises:
          ConnectionEnded: They were not all wholly written; the last one certainly not.

        Cancellation: tears a frame, so the connection is of no more use.
        """
        if self._torn:
            raise ConnectionEnded(self._end())
        try:
            if len(frames) > 1:
                self._stream.cork()
            for frame in frames:
                await self._websocket.send_message(frame)
            await self._stream.uncork()
        except (
            trio_websocket.ConnectionClosed,
            wsproto.utilities.LocalProtocolError,
            trio.BrokenResourceError,
            trio.ClosedResourceError,
        ):
            self._torn = True
            raise ConnectionEnded(self._end()) from None
        except BaseException:
            self._torn = True
            raise

    async def ping(self, *, timeout: float) -> float | None:  # noqa: ASYNC109
        """Ask for a sign of life; return the seconds it took, or ``None`` without an answer."""
        start = trio.current_time()
        with self._host.while_reading(timeout=timeout):
            try:
                await self._websocket.ping()
            except trio_websocket.ConnectionClosed:
                return None
            return trio.current_time() - start
        return None

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

        Until the answer comes, ``receive`` goes on giving what was on its way.
        """
        if self._closed_by_us is None and self._websocket.closed is None:
            self._closed_by_us = Close("client", code)
            try:
                if not self._torn:
                    with self._host.while_reading(timeout=timeout):
                        await self._say_goodbye(code)
            finally:
                self._goodbye_said.set()
        await trio.aclose_forcefully(self._stream)

    async def _say_goodbye(self, code: int) -> None:
        # The WebSocket's own ``aclose`` throws away what it has received and what still arrives:
        # a tool call among it would never be answered. So this does the rest of what it does.
        websocket = self._websocket
        with contextlib.suppress(
            trio_websocket.ConnectionClosed, wsproto.utilities.LocalProtocolError
        ):
            await websocket._send(wsproto.events.CloseConnection(code=code))
            await websocket._close_handshake.wait()
            self.polite = True

    async def abort(self, why: str) -> None:
        """Drop the connection without a word; ``why`` is told as its end."""
        if self._closed_by_us is None and self._websocket.closed is None:
            self._closed_by_us = Close("client", 1006, why)
            self._goodbye_said.set()
        await trio.aclose_forcefully(self._stream)

    @property
    def over(self) -> bool:
        """Whether it is known to have ended."""
        return self._torn or self._websocket.closed is not None or self._closed_by_us is not None

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
    passed: Callable[[Step], object] | None = None,
) -> AsyncIterator[Connection]:
    """Dial, and own the connection for the length of the block.

    Leaving the block without ``Connection.aclose`` drops the connection without a word.
    ``passed`` is told of each stage that is behind it.

    Raises:
      ConnectTimeout: Neither connected nor refused within ``timeout`` seconds.
      UpgradeRejected: The server answered with HTTP.
      ConnectError: Anything else on the way.
    """
    failure: BaseException | None = None
    journey = Journey(str(target), passed)
    async with trio.open_nursery() as nursery:
        stream: _GatheringStream | None = None
        connection: Connection | None = None
        try:
            with journey.noted(), trio.move_on_after(timeout):
                stream = _GatheringStream(await _open_stream(connector, target, journey))
                connection = await _upgrade(nursery, stream, connector, target, headers)
            if connection is None:
                here = journey.step
                raise here.timeout(
                    f"No connection to {target} within {timeout:g} s{_by(here, target)}",
                    "check the network, a proxy or firewall may be in the way",
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


def _by(here: Step, target: Target) -> str:
    return "" if here.place == str(target) else f", while waiting for {here.place}"


async def _open_stream(connector: Connector, target: Target, journey: Journey) -> trio.abc.Stream:
    try:
        return await connector.connect(target)
    except OSError as error:
        raise journey.step.error(
            f"Can't reach {target} ({error})", "check the address and the network"
        ) from error


async def _upgrade(
    nursery: trio.Nursery,
    stream: _GatheringStream,
    connector: Connector,
    target: Target,
    headers: list[tuple[bytes, bytes]],
) -> Connection:
    host = _ReaderHost(nursery)
    # Anything but the scheme's own port belongs into the Host header.
    usual = f":{443 if target.secure else 80}"
    websocket = None
    with step(
        "upgrade",
        str(target),
        seconds=connector.timeouts.upgrade if isinstance(connector, TcpConnector) else math.inf,
        lacking=f"No answer from {target} to the WebSocket upgrade",
        advice="check that it is a server of the Live API; a firewall may hold WebSockets back",
    ) as here:
        with host.while_reading():
            websocket = await trio_websocket.wrap_client_stream(
                cast(trio.Nursery, host),
                # Annotated as a socket stream; any stream serves.
                cast(trio.SocketStream, cast(object, stream)),
                str(target).removesuffix(usual),
                target.resource,
                extra_headers=headers,
                message_queue_size=MESSAGES_WAITING,
                max_message_size=MAX_MESSAGE_BYTES,
                receive_buffer_size=RECEIVE_BUFFER_BYTES,
            )
        if websocket is None:
            raise _refusal(host.error, here)
        for name, value in websocket.handshake_headers:
            if name == b"date":
                here.facts["date"] = value.decode("latin-1")
    return Connection(websocket, host, stream)


def _refusal(error: Exception | None, here: Step) -> ConnectError:
    """Say why there was no WebSocket at the end of the upgrade."""
    if isinstance(error, trio_websocket.ConnectionRejected):
        body = (error.body or b"")[:_BODY_SHOWN].decode("utf-8", "replace").strip()
        page = _is_page(body, error.headers)
        said = f": {body}" if body and not page else ""
        advice = (
            "that is a page for people: open one in a browser, a captive portal or a proxy may "
            "want something first"
            if page or error.status_code in _REDIRECTS
            else _ADVICE.get(error.status_code, "check the address and the credentials")
        )
        what = f"{here.place} answered the WebSocket upgrade with HTTP {error.status_code}{said}"
        return UpgradeRejected(
            here.text(what, advice),
            status=error.status_code,
            body=body,
            address=here.address,
            seconds=here.seconds,
            advice=sentence(advice),
        )
    why = f" ({error})" if error else ""
    return here.error(
        f"{here.place} hung up during the WebSocket upgrade{why}",
        "check that it is a server of the Live API",
    )


def _is_page(body: str, headers: Iterable[tuple[bytes, bytes]] | None) -> bool:
    return body.startswith("<") or any(
        name.lower() == b"content-type" and value.lower().startswith(b"text/html")
        for name, value in headers or ()
    )
