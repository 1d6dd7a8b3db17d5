"""TLS: the certificate, and faults that look the same with it as without."""

from __future__ import annotations

import errno
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing
from simulator.raw_client import BIDI, MODEL, RawClient, dial, dial_port

from gemini_live_trio.errors import MissingDependency
from gemini_live_trio.simulator import ServerConnection, Simulator, open_simulator
from gemini_live_trio.simulator._door._door import HANDSHAKE_TIMEOUT

# Errors of OpenSSL for an end without a goodbye; Python raises the one as the other's subclass.
RUDE = (ssl.SSLEOFError, ssl.SSLSyscallError)


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[RawClient, ServerConnection]]:
    async with (
        open_simulator(tls=True, pace=0, voice="tone") as simulator,
        dial(simulator, real=True) as client,
    ):
        await client.set_up(sessionResumption={})
        await client.until("sessionResumptionUpdate")
        yield client, await simulator.accept()


class Bare:
    """A WebSocket after its setup, with no task that reads: to see how the bytes end."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream

    async def read(self) -> bytes:
        with trio.fail_after(20):
            return bytes(await self.stream.receive_some(65_536))


def masked(text: str) -> bytes:
    data = text.encode()
    assert len(data) < 126
    return bytes([0x81, 0x80 | len(data)]) + bytes(4) + data


@asynccontextmanager
async def bare() -> AsyncIterator[tuple[Bare, ServerConnection]]:
    upgrade = (
        f"GET {BIDI} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    async with open_simulator(tls=True, pace=0, voice="tone") as simulator:
        stream = await dial_port(simulator)
        client = Bare(stream)
        try:
            setup = json.dumps({"setup": {"model": MODEL}})
            await stream.send_all(upgrade.encode())
            assert (await client.read()).startswith(b"HTTP/1.1 101 ")
            await stream.send_all(masked(setup))
            received = b""
            while b"setupComplete" not in received:
                received += await client.read()
            yield client, await simulator.accept()
        finally:
            await trio.aclose_forcefully(stream)


async def test_a_conversation_over_tls() -> None:
    async with (
        open_simulator(tls=True, pace=0, voice="tone") as simulator,
        dial(simulator, real=True) as client,
    ):
        assert simulator.url.startswith("wss://127.0.0.1:")
        await client.set_up()
        assert await client.say("hello")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
async def test_names_the_certificate_is_for(name: str) -> None:
    async with open_simulator(tls=True) as simulator:
        port = int(simulator.url.rsplit(":", 1)[1])
        trust = ssl.create_default_context(cafile=str(simulator.ca_certificate))
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        tls = trio.SSLStream(stream, trust, server_hostname=name)
        await tls.do_handshake()
        await trio.aclose_forcefully(tls)


async def test_nobody_else_vouches_for_it() -> None:
    async with open_simulator(tls=True) as simulator, open_simulator(tls=True) as other:
        for trust in (
            ssl.create_default_context(),
            ssl.create_default_context(cafile=str(other.ca_certificate)),
        ):
            stream = await trio.open_tcp_stream("127.0.0.1", int(simulator.url.rsplit(":", 1)[1]))
            tls = trio.SSLStream(stream, trust, server_hostname="localhost")
            with pytest.raises(trio.BrokenResourceError):
                await tls.do_handshake()
            await trio.aclose_forcefully(tls)


async def test_the_file_holds_no_private_key_and_goes_with_the_block() -> None:
    async with open_simulator(tls=True) as simulator:
        assert simulator.ca_certificate is not None
        directory = simulator.ca_certificate.parent
        assert [path.name for path in directory.iterdir()] == [simulator.ca_certificate.name]
        text = simulator.ca_certificate.read_text()
        assert text.startswith("-----BEGIN CERTIFICATE-----")
        assert "PRIVATE KEY" not in text
    assert not directory.exists()


async def test_without_tls_there_is_no_certificate() -> None:
    async with open_simulator() as simulator:
        assert simulator.ca_certificate is None


async def test_memory_needs_no_tls() -> None:
    with pytest.raises(ValueError, match="TLS needs a port"):
        async with open_simulator(port=None, tls=True):
            pass


async def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(MissingDependency, match=r"gemini-live-trio\[simulator\]"):
        async with open_simulator(tls=True):
            pass


# --- Faults ---


async def test_a_close_frame_is_followed_by_a_proper_end() -> None:
    async with bare() as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(server.close, 1001, "bye")
        assert await client.read() == b"\x88\x05\x03\xe9bye"
        await client.stream.send_all(b"\x88\x82\0\0\0\0\x03\xe9")
        assert await client.read() == b""  # close_notify came


async def test_the_clients_close_frame_is_answered_by_a_proper_end() -> None:
    async with bare() as (client, _):
        await client.stream.send_all(b"\x88\x82\0\0\0\0\x03\xe8")
        assert await client.read() == b"\x88\x02\x03\xe8"
        assert await client.read() == b""


async def test_a_drop_is_no_proper_end() -> None:
    async with bare() as (client, server):
        await server.drop()
        with pytest.raises(trio.BrokenResourceError) as broken:
            await client.read()
        assert isinstance(broken.value.__cause__, RUDE)


async def test_a_reset_is_one() -> None:
    async with bare() as (client, server):
        await server.reset()
        with pytest.raises(trio.BrokenResourceError) as broken:
            await client.read()
        cause = broken.value.__cause__
        assert isinstance(cause, OSError)
        assert cause.errno == errno.ECONNRESET


async def test_a_frozen_connection_says_nothing_and_goes_on_where_it_was() -> None:
    async with connected() as (client, server):
        server.freeze()
        with trio.move_on_after(0.05) as scope:
            await client.say("hello")
        assert scope.cancelled_caught
        assert server.ending is None
        server.thaw()
        assert await client.until("turnComplete")


async def test_a_half_open_connection() -> None:
    async with connected() as (client, server):
        server.vanish(noticed_after=None)
        with trio.move_on_after(0.05) as scope:
            await client.websocket.ping()
        assert scope.cancelled_caught
        await trio.aclose_forcefully(client.stream)
        await trio.testing.wait_all_tasks_blocked()
        assert server.ending is None
        await server.drop()
        assert (await server.wait_ended()).code == 1006


async def test_a_close_frame_with_the_connection_held_open() -> None:
    async with bare() as (client, server), trio.open_nursery() as nursery:
        nursery.start_soon(partial(server.close, 1000, hold_open=True))
        assert (await client.read())[:2] == b"\x88\x02"
        await client.stream.send_all(b"\x88\x82\0\0\0\0\x03\xe8")
        with trio.move_on_after(0.05) as scope:
            await client.stream.receive_some()
        assert scope.cancelled_caught


async def test_a_client_that_leaves_without_a_goodbye() -> None:
    async with connected() as (client, server):
        await trio.aclose_forcefully(client.stream)
        assert (await server.wait_ended()).by == "nobody"


async def test_all_are_dropped_in_their_handshake_too() -> None:
    async with open_simulator(tls=True) as simulator:
        port = int(simulator.url.rsplit(":", 1)[1])
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        with trio.fail_after(20):
            while not simulator.visitors.inside:
                await trio.testing.wait_all_tasks_blocked(0.01)
            before = trio.current_time()
            await simulator.drop_all()
            assert await stream.receive_some() == b""
            assert trio.current_time() - before < HANDSHAKE_TIMEOUT / 10
        await stream.aclose()
        async with dial(simulator, real=True) as client:
            assert await client.set_up()


# --- What isn't TLS ---


async def talk_plainly(simulator: Simulator, data: bytes) -> bytes:
    port = int(simulator.url.rsplit(":", 1)[1])
    answer = b""
    with trio.fail_after(20):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            try:
                await stream.send_all(data)
                await stream.send_eof()
                async for piece in stream:
                    answer += piece
            except trio.BrokenResourceError:
                pass
    return answer


@pytest.mark.parametrize(
    "garbage",
    [b"", b"\0" * 100, bytes(range(256)) * 400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"],
)
async def test_garbage_on_a_tls_port(garbage: bytes) -> None:
    async with open_simulator(tls=True) as simulator:
        await talk_plainly(simulator, garbage)
        assert simulator.visitors.garbage == 1
        async with dial(simulator, real=True) as client:
            assert await client.set_up()


async def test_plain_text_on_a_tls_port_is_told_in_plain_text() -> None:
    async with open_simulator(tls=True) as simulator:
        answer = await talk_plainly(simulator, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"This port speaks TLS" in answer


async def test_tls_on_a_plain_port(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with open_simulator() as simulator:
        port = int(simulator.url.rsplit(":", 1)[1])
        tls = trio.SSLStream(
            await trio.open_tcp_stream("127.0.0.1", port),
            ssl.create_default_context(),
            server_hostname="localhost",
        )
        with pytest.raises(trio.BrokenResourceError):
            await tls.do_handshake()
        await trio.aclose_forcefully(tls)
        assert simulator.visitors.garbage == 1
    assert "this port speaks no TLS" in caplog.text


# --- The program ---


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent another way there")
async def test_the_program_names_the_certificate() -> None:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-W", "error", "-m", "gemini_live_trio.simulator", "--tls"],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with trio.fail_after(30):
        line = b""
        while not line.endswith(b"\n"):
            line += await process.stdout.receive_some()
        said = json.loads(line)
        certificate = Path(said["ca_certificate"])
        trust = ssl.create_default_context(cafile=os.fspath(certificate))
        host, port = said["url"].removeprefix("wss://").split(":")
        stream = await trio.open_ssl_over_tcp_stream(host, int(port), ssl_context=trust)
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 ")
        await trio.aclose_forcefully(stream)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    await process.stdout.aclose()
    assert not certificate.parent.exists()
