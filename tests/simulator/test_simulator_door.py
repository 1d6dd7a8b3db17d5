"""Bad input at the door: the simulator answers or drops it, says what it saw, and stays up."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import Any

import pytest
import trio
import trio.testing
from simulator.raw_client import BIDI, dial, dial_port

from gemini_live_trio.simulator import Simulator, Situation, open_simulator
from gemini_live_trio.simulator._door._door import MOST_STREAMS
from gemini_live_trio.simulator._door._pieces import MOST_PIECES

Clock = trio.testing.MockClock

UPGRADE = (
    f"GET {BIDI} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
).encode()


async def exchange(stream: trio.abc.Stream, *pieces: bytes) -> bytes:
    """Send bytes and read whatever comes back, to the end."""
    answer = b""
    with trio.fail_after(20):
        async with stream:
            try:
                for piece in pieces:
                    await stream.send_all(piece)
                while data := await stream.receive_some():
                    answer += data
            except trio.BrokenResourceError:
                pass
    return answer


async def still_up(simulator: Simulator) -> bool:
    async with dial(simulator, real=simulator.url != "ws://simulator.invalid") as client:
        return await client.set_up() == [{"setupComplete": {}}]


async def empty(simulator: Simulator) -> None:
    """Wait until nobody is inside."""
    with trio.fail_after(20):
        while simulator.visitors.inside:
            await trio.testing.wait_all_tasks_blocked(0.01)


# --- Plain HTTP ---


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: x", *headers, "", ""]).encode() + body


MINT = "POST /v1beta/auth_tokens"
HUGE = request(MINT, "Content-Length: 2000000", body=bytes(2_000_000))
CHUNKED = request(MINT, "Transfer-Encoding: chunked", body=b"10000\r\n" + bytes(65_536) + b"\r\n")


@pytest.mark.parametrize("port", [None, 0], ids=["memory", "tcp"])
@pytest.mark.parametrize(
    ("pieces", "status", "name"),
    [
        ([request("GET /nowhere")], 404, "NOT_FOUND"),
        ([request("GET /v1beta/models")], 404, "NOT_FOUND"),
        ([request("POST /", "Content-Length: 0")], 405, "UNIMPLEMENTED"),
        ([request(f"GET {BIDI}")], 400, "INVALID_ARGUMENT"),
        ([request(f"POST {BIDI}", "Content-Length: 2", body=b"{}")], 405, "UNIMPLEMENTED"),
        ([request("BREW /coffee")], 404, "NOT_FOUND"),
        ([b"hello?\r\n\r\n"], 400, "INVALID_ARGUMENT"),
        ([b"GET /\r\n\r\n"], 400, "INVALID_ARGUMENT"),
        ([request("GET / with blanks")], 400, "INVALID_ARGUMENT"),
        ([request(MINT, "Content-Length: lots")], 400, "INVALID_ARGUMENT"),
        ([request("GET /", "X: " + "y" * 100_000)], 431, "INVALID_ARGUMENT"),
        ([HUGE], 413, "INVALID_ARGUMENT"),
        ([CHUNKED, *[b"10000\r\n" + bytes(65_536) + b"\r\n"] * 20], 413, "INVALID_ARGUMENT"),
        ([request(MINT, "Transfer-Encoding: chunked", body=b"zz\r\n")], 400, "INVALID_ARGUMENT"),
        ([request(MINT, "Transfer-Encoding: gzip")], 501, "UNIMPLEMENTED"),
        ([request("CONNECT example.org:443")], 404, "NOT_FOUND"),
        ([request("GET /nowhere", "Connection: Upgrade", "Upgrade: h2c")], 404, "NOT_FOUND"),
    ],
)
async def test_errors_are_the_services(
    pieces: list[bytes], status: int, name: str, port: int | None
) -> None:
    async with open_simulator(port=port) as simulator:
        stream = await (simulator.connector.connect() if port is None else dial_port(simulator))
        answer = await exchange(stream, *pieces)
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        error = json.loads(body)["error"]
        assert (error["code"], error["status"]) == (status, name)
        assert error["message"]
        await empty(simulator)
        assert simulator.visitors.answered + simulator.visitors.garbage == 1
        assert await still_up(simulator)


async def test_a_page_for_people(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        answer = await exchange(await simulator.connector.connect(), request("GET /"))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"text/plain" in answer
        assert b"simulator of the Gemini Live service" in answer
        assert b"POST /VERSION/auth_tokens" in answer
        head = await exchange(await simulator.connector.connect(), request("HEAD //"))
        assert head.startswith(b"HTTP/1.1 200 ")
        assert head.endswith(b"\r\n\r\n")


async def test_a_client_that_waits_to_be_asked_for_its_body(autojump_clock: Clock) -> None:
    """As curl does with a long one."""
    async with open_simulator(port=None) as simulator:
        stream = await simulator.connector.connect()
        await stream.send_all(request(MINT, "Content-Length: 2", "Expect: 100-continue"))
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 100 ")
        answer = await exchange(stream, b"{}")
        assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"Version: 13", b"Version: 8", 426),
        (b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n", b"", 400),
        (b"Connection: Upgrade\r\n", b"", 400),
        (b"GET", b"POST", 400),
    ],
)
async def test_bad_upgrades(old: bytes, new: bytes, status: int, autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        bad = UPGRADE.replace(old, new) + b"\r\n"
        answer = await exchange(await simulator.connector.connect(), bad)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert await still_up(simulator)


# --- Slow, many, greedy ---


@pytest.mark.parametrize(
    "text",
    [UPGRADE + b"\r\n", request(MINT, "Content-Length: 100", body=bytes(100))],
    ids=["upgrade", "body"],
)
async def test_a_slow_request_is_given_up(text: bytes, autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        stream = await simulator.connector.connect()
        began = trio.current_time()
        with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
            for byte in text:
                await stream.send_all(bytes([byte]))
                with trio.move_on_after(0.5):
                    assert await stream.receive_some() == b""
                    await stream.aclose()
        assert 9.9 < trio.current_time() - began < 10.6
        await empty(simulator)
        assert simulator.visitors.slow == 1
        assert await still_up(simulator)


async def test_a_thousand_connections_opened_and_dropped() -> None:
    async with open_simulator() as simulator:
        for number in range(1000):
            stream = await dial_port(simulator)
            if number % 3:
                await stream.send_all(UPGRADE[: number % len(UPGRADE)])
            await trio.aclose_forcefully(stream)
        assert await still_up(simulator)
        await empty(simulator)
        assert simulator.visitors.came == 1001
        assert simulator.visitors.upgraded == 1


async def test_more_than_there_is_room_for(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        streams = [await simulator.connector.connect() for _ in range(MOST_STREAMS + 10)]
        await trio.testing.wait_all_tasks_blocked()
        assert simulator.visitors.turned_away == 10
        assert simulator.visitors.inside == MOST_STREAMS
        assert await streams[-1].receive_some() == b""
        for stream in streams:
            await stream.aclose()
        assert await still_up(simulator)


FRAGMENT = b"\x01\x80\0\0\0\0"
MORE = b"\x00\x80\0\0\0\0"


@pytest.mark.parametrize("port", [None, 0], ids=["memory", "tcp"])
async def test_endless_fragments_are_ended(port: int | None) -> None:
    """Empty ones too, which no bound on bytes would ever stop."""
    async with open_simulator(port=port, pace=0) as simulator:
        async with dial(simulator, real=port is not None) as client:
            await client.set_up()
            server = await simulator.accept()
            with pytest.raises((trio.BrokenResourceError, trio.ClosedResourceError)):
                await client.stream.send_all(FRAGMENT)
                with trio.fail_after(60):
                    while True:
                        await client.stream.send_all(MORE * 1000)
            assert "65,536 pieces" in (await server.wait_ended()).why
            assert (await client.closed()).code == 1006
        assert await still_up(simulator)


async def test_many_fragments_are_a_message(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        frame = json.dumps({"setup": {"model": "models/gemini-3.8-live"}}).encode()
        pieces = [bytes([0, 0x81, 0, 0, 0, 0, byte]) for byte in frame]
        pieces[0] = b"\x01" + pieces[0][1:]
        pieces[-1] = b"\x80" + pieces[-1][1:]
        empty_ones = MORE * (MOST_PIECES - len(frame) - 10)
        ping = b"\x89\x81\0\0\0\0!"
        await client.stream.send_all(b"".join([*pieces[:5], empty_ones, ping, *pieces[5:]]))
        assert await client.until("setupComplete")


@pytest.mark.parametrize("size", [2**63, 2**40])
async def test_a_frame_that_claims_to_be_huge(size: int, autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        stream = await simulator.connector.connect()
        await stream.send_all(UPGRADE + b"\r\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")
        head = b"\x81\xff" + (size - 1).to_bytes(8, "big") + bytes(4)
        answer = await exchange(stream, head, *[b"x" * 65_536] * 300)
        assert answer.startswith(b"\x88")
        assert answer[2:4] == (1009).to_bytes(2, "big")
        await empty(simulator)
        assert await still_up(simulator)


def turn(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


# --- What it says ---


async def test_the_log_tells_who_came_and_how_it_ended(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gemini_live_trio.simulator")
    async with open_simulator(port=None, api_key="secret1") as simulator:
        async with dial(simulator, f"{BIDI}?key=secret1") as client:
            await client.set_up()
        async with dial(simulator, f"{BIDI}?key=secret2") as client:
            await client.refused()
        stream = await simulator.connector.connect()
        await exchange(stream, request("GET /%1b[2J/x?key=secret3"))
        await exchange(await simulator.connector.connect(), b"\0\1\2\r\n\r\n")
    lines = [record.getMessage() for record in caplog.records]
    ours = [line for line in lines if line.startswith("connection")]
    first = [
        "connection 1 from a client in memory: Gemini v1beta",
        "connection 1: setup for models/gemini-3.8-live",
        "connection 1: ended by the client with 1000",
        "connection 2 from a client in memory: Gemini v1beta",
    ]
    assert [line for line in ours if line in first] == first
    assert ours[-1].startswith("connection 2: ended by the server with 1007 API key not valid.")
    assert "HTTP GET /\\x1b[2J/x: 404" in lines
    assert "sent nothing that can be read" in lines[-1]
    assert "secret" not in caplog.text


async def test_it_listens_on_loopback() -> None:
    async with open_simulator() as simulator:
        assert simulator.url.startswith("ws://127.0.0.1:")


def test_ctrl_c_goes_before_the_blocks_own_exception() -> None:
    def interrupted(_: Situation) -> str:
        raise KeyboardInterrupt

    async def main() -> None:
        async with (
            open_simulator(port=None, pace=0, mind=interrupted) as simulator,
            dial(simulator) as client,
        ):
            await client.set_up()
            await client.send(clientContent={"turns": [turn("x")], "turnComplete": True})
            try:
                await client.closed()
            finally:
                raise LookupError("the block's own")

    with pytest.raises(KeyboardInterrupt):
        trio.run(main)


# --- The program's own output ---

PROGRAM = [sys.executable, "-W", "error", "-m", "gemini_live_trio.simulator"]


@pytest.mark.parametrize("option", ["--pace", "--connection-limit"])
@pytest.mark.parametrize("value", ["nan", "inf", "-1", "fast"])
def test_numbers_that_are_none(option: str, value: str) -> None:
    done = subprocess.run([*PROGRAM, f"{option}={value}"], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"'{value}' is no number from 0 up" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("where", ["full", "closed pipe", "closed"])
def test_an_output_that_takes_nothing(where: str) -> None:
    command = [*PROGRAM]
    if where == "closed":
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM]
    reading, writing = os.pipe()
    os.close(reading)
    if where == "full":
        os.close(writing)
        writing = os.open("/dev/full", os.O_WRONLY)
    try:
        done = subprocess.run(
            command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60
        )
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert done.stderr.startswith("The simulator can't say where it is: ")
    assert done.stderr.count("\n") == 1


async def test_no_credential_is_in_the_log_wherever_a_client_puts_it(
    autojump_clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gemini_live_trio.simulator")
    key, strange = "a-key-of-no-known-form", "AIza" + "x" * 35
    async with open_simulator(port=None, api_key=key) as simulator:
        for secret in (key, strange):
            async with dial(simulator, f"{BIDI}?key={key}") as client:
                await client.refused(model=f"models/{secret}")
            async with dial(simulator, f"{BIDI}?key={key}") as client:
                await client.set_up()
                await client.websocket.aclose(1000, f"bye {secret}")
            stream = await simulator.connector.connect()
            await exchange(stream, request(f"POST /v1beta/{secret}/auth_tokens"))
    assert len(caplog.records) > 6
    assert key not in caplog.text
    assert strange not in caplog.text
