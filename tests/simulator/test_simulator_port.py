"""The simulator on a real port: real clients, unreal ones, and the program."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from simulator.raw_client import BIDI, Closed, dial, sound, spoken, tone

from gemini_live_trio.simulator import Simulator, open_simulator

SPEECH = {"inputAudioTranscription": {}, "outputAudioTranscription": {}}
UPGRADE = (
    b"GET " + BIDI.encode() + b" HTTP/1.1\r\n"
    b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
)


async def raw(simulator: Simulator, *pieces: bytes, eof: bool = True) -> bytes:
    """Send bytes, close our side, and read whatever comes back."""
    host, port = simulator.url.removeprefix("ws://").split(":")
    answer = b""
    with trio.fail_after(20):
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            try:
                for piece in pieces:
                    await stream.send_all(piece)
                if eof:
                    await stream.send_eof()
                async for data in stream:
                    answer += data
            except trio.BrokenResourceError:
                pass
    return answer


async def still_up(simulator: Simulator) -> bool:
    async with dial(simulator, real=True) as client:
        return await client.set_up() == [{"setupComplete": {}}]


async def test_a_conversation_over_tcp() -> None:
    async with (
        open_simulator(pace=0, voice="tone") as simulator,
        dial(simulator, real=True) as client,
    ):
        assert simulator.url.startswith("ws://127.0.0.1:")
        await client.set_up(**SPEECH)
        answer = await client.say("say one two three")
        assert spoken(answer) == "one two three"
        await client.send_audio(tone(1))
        await client.send(realtimeInput={"audioStreamEnd": True})
        assert sound(await client.until("turnComplete"))


@pytest.mark.parametrize("eof", [True, False])
@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\0" * 100,
        b"hello?\r\n\r\n",
        bytes(range(256)) * 400,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1beta/auth_tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
        UPGRADE,
        UPGRADE + b"Sec-WebSocket-Protocol: \xff\xfe\r\n\r\n",
        UPGRADE + b"Sec-WebSocket-Extensions: \xff\r\n\r\n",
        UPGRADE.replace(b"localhost", b"xn--\xff\xff") + b"\r\n",
        UPGRADE + b"\r\n" + b"\xff" * 100,
        UPGRADE + b"\r\n" + b"\x81\x05hello",
        UPGRADE + b"\r\n" + b"\x88\x80\0\0\0\0",
        UPGRADE + b"\r\n" + b"\x81\x82\0\0\0\0\xff\xff",
        UPGRADE + b"\r\n" + b"\x82\x82\0\0\0\0\xff\xff",
        UPGRADE + b"\r\n" + b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0",
        UPGRADE + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_garbage_does_no_harm(garbage: bytes, eof: bool) -> None:
    async with open_simulator() as simulator:
        with trio.move_on_after(0.05):
            await raw(simulator, garbage, eof=eof)
        assert await still_up(simulator)


async def test_random_bytes_do_no_harm() -> None:
    chance = random.Random(7)
    async with open_simulator() as simulator:
        for _ in range(100):
            head = chance.choice([b"", UPGRADE, UPGRADE + b"\r\n"])
            await raw(simulator, head + chance.randbytes(chance.randrange(300)))
        assert await still_up(simulator)


async def test_plain_http_gets_an_answer() -> None:
    async with open_simulator() as simulator:
        answer = await raw(simulator, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", eof=False)
        assert answer.startswith(b"HTTP/1.1 200 ")
        elsewhere = UPGRADE.replace(b"/ws/google", b"/elsewhere")
        answer = await raw(simulator, elsewhere + b"\r\n", eof=False)
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert json.loads(answer.split(b"\r\n\r\n")[1])["error"]["status"] == "NOT_FOUND"


async def test_a_message_too_large_is_refused() -> None:
    async with (
        open_simulator() as simulator,
        dial(simulator, real=True) as client,
    ):
        await client.set_up()
        connection = await simulator.accept()
        await client.websocket.send_message("x" * (17 * 2**20))
        assert (await client.closed()).code == 1009
        assert (await connection.wait_ended()).code == 1009
        assert await still_up(simulator)


async def test_clients_that_come_and_go() -> None:
    async with open_simulator() as simulator:
        host, port = simulator.url.removeprefix("ws://").split(":")
        for _ in range(20):
            streams = [await trio.open_tcp_stream(host, int(port)) for _ in range(20)]
            for stream in streams:
                await trio.aclose_forcefully(stream)
        assert await still_up(simulator)


async def test_the_same_port_can_be_had_again_and_the_handles_are_gone() -> None:
    async with open_simulator(pace=0) as simulator:
        port = int(simulator.url.rsplit(":", 1)[1])
        async with dial(simulator, real=True) as client:
            await client.set_up(sessionResumption={})
            update = (await client.until("sessionResumptionUpdate"))[-1]
            handle = update["sessionResumptionUpdate"]["newHandle"]
            await simulator.aclose()
            assert (await client.closed()).code == 1006
    async with (
        open_simulator(port=port, pace=0) as simulator,
        dial(simulator, real=True) as client,
    ):
        await client.send(
            setup={"model": "models/gemini-3.8-live", "sessionResumption": {"handle": handle}}
        )
        assert await client.closed() == Closed(1008, "BidiGenerateContent session not found")


async def test_the_host_shows_in_the_url() -> None:
    async with open_simulator(host="0.0.0.0") as simulator:
        assert simulator.url.startswith("ws://127.0.0.1:")
        assert await still_up(simulator)


def test_a_voice_that_cannot_be_had() -> None:
    async def main() -> None:
        async with open_simulator(port=None, voice="espeak"):
            pass

    with pytest.raises(ValueError, match="it needs a real port"):
        trio.run(main)


# --- The program ---

PROGRAM = [sys.executable, "-W", "error", "-m", "gemini_live_trio.simulator"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent another way there")
async def test_the_program_serves_until_it_is_told_to_end(end: signal.Signals) -> None:
    key = {**os.environ, "THE_KEY": "secret"}
    process = await trio.lowlevel.open_process(
        [*PROGRAM, "--pace", "0", "--voice", "tone", "--api-key-env", "THE_KEY"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=key,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with trio.fail_after(30):
        line = b""
        while not line.endswith(b"\n"):
            line += await process.stdout.receive_some()
        host, port = json.loads(line)["url"].removeprefix("ws://").split(":")
        upgrade = UPGRADE.replace(b"Content HTTP", b"Content?key=secret HTTP")
        stream = await trio.open_tcp_stream(host, int(port))
        await stream.send_all(upgrade + b"\r\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")
        process.send_signal(end)
        assert await process.wait() == 0
        assert await process.stderr.receive_some() == b""
        assert await process.stdout.receive_some() == b""
    await stream.aclose()
    await process.stdout.aclose()
    await process.stderr.aclose()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=60)


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("--port", str(port))
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert f"can't listen on 127.0.0.1:{port}" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--port", "66000"],
        ["--pace", "-1"],
        ["--api-key-env", "NO_SUCH_VARIABLE"],
        ["--host", "no.such.host.invalid"],
        ["--nonsense"],
    ],
)
def test_wrong_arguments_are_told(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_help() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "--api-key-env" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for espeak-ng")
@pytest.mark.parametrize("works", [True, False])
async def test_espeak_speaks_and_the_tone_stands_in(
    works: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in program writes a WAV of a known length, or fails."""
    program = tmp_path / "espeak-ng"
    body = f"""
import sys, wave
text = sys.stdin.buffer.read()
assert text == b"one two", text
if not {works}:
    sys.exit("no voice")
with wave.open(sys.stdout.buffer, "wb") as file:
    file.setnchannels(1), file.setsampwidth(2), file.setframerate(22050)
    file.writeframes(bytes(22050 * 2))
"""
    program.write_text(f"#!{sys.executable}\n{body}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    async with (
        open_simulator(pace=0, voice="espeak") as simulator,
        dial(simulator, real=True) as client,
    ):
        await client.set_up(**SPEECH)
        answer = await client.say("say one two")
        assert spoken(answer) == "one two"
        assert (len(sound(answer)) == 48_000) is works
        assert sound(answer)
