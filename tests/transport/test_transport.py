"""Real WebSocket frames over in-memory streams, on a virtual clock."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing
import trio_websocket
from trio.testing import MockClock

from gemini_live_trio import Target, TcpConnector
from gemini_live_trio._closes import Close
from gemini_live_trio._transport import Connection, ConnectionEnded, open_connection
from gemini_live_trio.errors import ConnectError, ConnectTimeout, UpgradeRejected

TARGET = Target(host="live.example", port=443, secure=True, resource="/ws/method")
Serve = Callable[[trio.abc.Stream], Awaitable[None]]


class Memory:
    """Connects to a handler in memory."""

    def __init__(self, nursery: trio.Nursery, serve: Serve) -> None:
        self._nursery = nursery
        self._serve = serve

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        self._nursery.start_soon(self._serve, theirs)
        await trio.lowlevel.checkpoint()
        return ours


@asynccontextmanager
async def connected(serve: Serve, *, timeout: float = 5) -> AsyncIterator[Connection]:  # noqa: ASYNC109
    async with trio.open_nursery() as nursery:
        headers = [(b"x-goog-api-key", b"k")]
        async with open_connection(
            Memory(nursery, serve), TARGET, headers, timeout=timeout
        ) as connection:
            yield connection
        nursery.cancel_scope.cancel()


def websocket(
    talk: Callable[[trio_websocket.WebSocketConnection], Awaitable[None]],
) -> Serve:
    async def serve(stream: trio.abc.Stream) -> None:
        async with trio.open_nursery() as nursery:
            request = await trio_websocket.wrap_server_stream(nursery, stream)  # type: ignore[arg-type]
            assert request.path == "/ws/method"
            assert (b"x-goog-api-key", b"k") in request.headers
            await talk(await request.accept())
            nursery.cancel_scope.cancel()

    return serve


async def refusal(serve: Serve, *, timeout: float = 5) -> ConnectError:  # noqa: ASYNC109
    with pytest.RaisesGroup(ConnectError, flatten_subgroups=True) as caught:
        async with connected(serve, timeout=timeout):
            pytest.fail("there should be no connection")
    error = caught.value.exceptions[0]
    assert isinstance(error, ConnectError)
    return error


async def test_frames_go_both_ways(autojump_clock: MockClock) -> None:
    async def echo(peer: trio_websocket.WebSocketConnection) -> None:
        for _ in range(2):
            await peer.send_message((await peer.get_message()).encode())  # type: ignore[union-attr]
        await peer.aclose(1000)

    async with connected(websocket(echo)) as connection:
        await connection.send("one")
        await connection.send("two")
        assert [await connection.receive(), await connection.receive()] == [b"one", b"two"]
        with pytest.raises(ConnectionEnded) as end:
            await connection.receive()
        assert end.value.close == Close("server", 1000)


async def test_the_servers_words_are_kept(autojump_clock: MockClock) -> None:
    async def refuse(peer: trio_websocket.WebSocketConnection) -> None:
        await peer.send_message("last words")
        await peer.aclose(1008, "models/x is not found")

    async with connected(websocket(refuse)) as connection:
        assert await connection.receive() == "last words"
        for _ in range(2):
            with pytest.raises(ConnectionEnded) as end:
                await connection.receive()
            assert end.value.close == Close("server", 1008, "models/x is not found")
        with pytest.raises(ConnectionEnded) as end:
            await connection.send("too late")
        assert end.value.close.by == "server"


async def test_a_dropped_stream_is_the_networks_doing(autojump_clock: MockClock) -> None:
    async def drop(peer: trio_websocket.WebSocketConnection) -> None:
        await trio.aclose_forcefully(peer._stream)

    async with connected(websocket(drop)) as connection:
        with pytest.raises(ConnectionEnded) as end:
            await connection.receive()
        assert (end.value.close.by, end.value.close.code) == ("network", 1006)


async def test_an_http_answer_is_told_with_its_body(autojump_clock: MockClock) -> None:
    async def refuse(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        body = b'{"error": {"code": 403}}'
        await stream.send_all(
            b"HTTP/1.1 403 Forbidden\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )

    error = await refusal(refuse)
    assert isinstance(error, UpgradeRejected)
    assert (error.status, error.body, error.stage) == (403, '{"error": {"code": 403}}', "upgrade")
    assert "403" in str(error)


async def test_garbage_instead_of_an_answer(autojump_clock: MockClock) -> None:
    async def babble(stream: trio.abc.Stream) -> None:
        await stream.receive_some()
        await stream.send_all(b"\x00\xff not http at all\r\n\r\n")

    assert (await refusal(babble)).stage == "upgrade"


async def test_a_hang_up_before_the_answer(autojump_clock: MockClock) -> None:
    async def hang_up(stream: trio.abc.Stream) -> None:
        assert b"\r\nHost: live.example\r\n" in await stream.receive_some()
        await stream.aclose()

    error = await refusal(hang_up)
    assert "hung up" in str(error)
    assert trio.current_time() < 1


@pytest.mark.parametrize(
    ("target", "named"),
    [
        (Target("::1", 443, True, "/"), b"[::1]"),
        (Target("::1", 80, True, "/"), b"[::1]:80"),
        (Target("live.example", 80, False, "/"), b"live.example"),
    ],
)
async def test_the_host_header_names_the_address_as_http_wants_it(
    target: Target, named: bytes, autojump_clock: MockClock
) -> None:
    async def hang_up(stream: trio.abc.Stream) -> None:
        assert b"\r\nHost: %s\r\n" % named in await stream.receive_some()
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        with pytest.raises(ConnectError, match="hung up"):
            async with open_connection(Memory(nursery, hang_up), target, [], timeout=5):
                pytest.fail("there should be no connection")


async def test_silence_costs_the_timeout_and_no_more(autojump_clock: MockClock) -> None:
    async def silent(stream: trio.abc.Stream) -> None:
        await trio.sleep_forever()

    start = trio.current_time()
    error = await refusal(silent, timeout=3)
    assert isinstance(error, ConnectTimeout)
    assert "within 3 s" in str(error)
    assert trio.current_time() - start == pytest.approx(3)


async def test_leaving_after_a_close_does_not_wait_for_tcp(autojump_clock: MockClock) -> None:
    async def close_and_hold(stream: trio.abc.Stream) -> None:
        async with trio.open_nursery() as nursery:
            request = await trio_websocket.wrap_server_stream(nursery, stream)  # type: ignore[arg-type]
            peer = await request.accept()
            await peer._send(trio_websocket._impl.CloseConnection(code=1011, reason="oops"))
            await trio.sleep_forever()

    async with connected(close_and_hold) as connection:
        with pytest.raises(ConnectionEnded) as end:
            await connection.receive()
        assert end.value.close == Close("server", 1011, "oops")
    assert trio.current_time() < 1


async def test_a_goodbye_that_nobody_answers_is_bounded(autojump_clock: MockClock) -> None:
    async def deaf(peer: trio_websocket.WebSocketConnection) -> None:
        peer._reader_running = False
        await trio.sleep_forever()

    async with connected(websocket(deaf)) as connection:
        start = trio.current_time()
        await connection.aclose(1000, timeout=2)
        assert trio.current_time() - start == pytest.approx(2)
        with pytest.raises(ConnectionEnded) as end:
            await connection.receive()
        assert end.value.close == Close("client", 1000)


async def test_our_goodbye_reaches_the_server(autojump_clock: MockClock) -> None:
    heard: list[int] = []

    async def listen(peer: trio_websocket.WebSocketConnection) -> None:
        with pytest.raises(trio_websocket.ConnectionClosed) as closed:
            await peer.get_message()
        assert closed.value.reason is not None
        heard.append(closed.value.reason.code)

    async with connected(websocket(listen)) as connection:
        await connection.aclose(1000, timeout=2)
        assert heard == [1000]


async def test_a_cancelled_write_spoils_the_connection_and_nothing_follows_it(
    autojump_clock: MockClock,
) -> None:
    """The peer must never read the next frame as the rest of the torn one."""
    got: list[int] = []

    async def slow(stream: trio.abc.Stream) -> None:
        async with trio.open_nursery() as nursery:
            request = await trio_websocket.wrap_server_stream(nursery, stream)  # type: ignore[arg-type]
            await request.accept()
            await trio.sleep_forever()

    class Narrow:
        """A stream that takes one piece of a frame, and then no more."""

        async def connect(self, target: Target, /) -> trio.abc.Stream:
            ours, theirs = trio.testing.memory_stream_pair()
            nursery.start_soon(slow, theirs)
            deliver = ours.send_stream.send_all_hook
            assert deliver is not None

            async def choke() -> None:
                got.append(1)
                if len(got) > 1:
                    await trio.sleep_forever()
                await deliver()  # type: ignore[misc]

            ours.send_stream.send_all_hook = choke
            await trio.lowlevel.checkpoint()
            return ours

    async with trio.open_nursery() as nursery:
        async with open_connection(Narrow(), TARGET, [], timeout=5) as connection:
            with trio.move_on_after(1) as scope:
                await connection.send("x" * 1000)
            assert scope.cancelled_caught
            with pytest.raises(ConnectionEnded):
                await connection.send("next")
            await connection.aclose(timeout=1)
        nursery.cancel_scope.cancel()
    assert len(got) == 2


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    target = Target(host="127.0.0.1", port=port, secure=False, resource="/")
    with pytest.raises(ConnectError, match="Nothing answers") as caught:
        async with open_connection(TcpConnector(), target, [], timeout=5):
            pytest.fail("there should be no connection")
    assert caught.value.stage == "tcp"


async def test_a_name_that_does_not_exist() -> None:
    target = Target(host="nowhere.invalid", port=1, secure=False, resource="/")
    with pytest.raises(ConnectError, match="can't be resolved") as caught:
        async with open_connection(TcpConnector(), target, [], timeout=20):
            pytest.fail("there should be no connection")
    assert caught.value.stage == "dns"


async def test_tls_is_real_and_an_unknown_authority_is_refused() -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server_side)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    async def greet(request: trio_websocket.WebSocketRequest) -> None:
        peer = await request.accept()
        await peer.send_message("hello")
        await peer.aclose()

    async with trio.open_nursery() as nursery:
        server = await nursery.start(
            trio_websocket.serve_websocket, greet, "127.0.0.1", 0, server_side
        )
        target = Target(host="127.0.0.1", port=server.port, secure=True, resource="/")
        connector = TcpConnector(ssl_context=trusting)
        async with open_connection(connector, target, [], timeout=10) as connection:
            assert await connection.receive() == "hello"
        with pytest.raises(ConnectError, match="secure connection") as caught:
            async with open_connection(TcpConnector(), target, [], timeout=10):
                pytest.fail("there should be no connection")
        assert caught.value.stage == "tls"
        nursery.cancel_scope.cancel()
