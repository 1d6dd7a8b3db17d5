"""CPU per message over TLS on loopback, beside google-genai on the same work.

    nox -s bench            or    python benchmarks/session.py [--messages N]

A server in a process of its own takes the setup and then either reads what it gets or sends what
it was asked for. What is measured is the CPU time of the client alone, so that neither the
server nor waiting counts. Absolute times on a shared machine mean little; the ratio is the result.

A second table tells what it costs to watch: an observer that does nothing, the wire log, and a
recording (whose thread counts too), each beside a session that nobody watches.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import trio
import trio_websocket
import trustme
from google import genai
from google.genai import types

from gemini_live_trio import (
    GeminiApi,
    SessionConfig,
    SessionObserver,
    TcpConnector,
    codec,
    open_session,
    wire,
)
from gemini_live_trio.events import ModelAudio
from gemini_live_trio.recording import RecordingWriter, SessionRecorder

CHUNK = bytes(640)
"""20 ms of microphone audio."""
ANSWER = bytes(4800)
"""100 ms of the model's voice."""
BURST = 8
GOALS = {"send": 0.4, "receive": 0.7}


def audio_frame() -> bytes:
    """One message of the model's voice."""
    blob = wire.Blob(data=ANSWER, mime_type="audio/pcm;rate=24000")
    turn = wire.Content(parts=[wire.Part(inline_data=blob)])
    message = wire.LiveServerMessage(server_content=wire.LiveServerContent(model_turn=turn))
    return codec.encode_server(message)


async def serve(folder: Path) -> None:
    """Be the server: one client after the other, until killed."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    frame = audio_frame()

    async def talk(request: trio_websocket.WebSocketRequest) -> None:
        peer = await request.accept()
        try:
            setup = json.loads(await peer.get_message())["setup"]
            await peer.send_message(b'{"setupComplete":{}}')
            model = setup["model"].rpartition("/")[2]
            if model.startswith("send-"):
                for _ in range(int(model.removeprefix("send-"))):
                    await peer.send_message(frame)
            while True:
                await peer.get_message()
        except trio_websocket.ConnectionClosed:
            pass

    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, talk, "127.0.0.1", 0, context)
        print(server.port, flush=True)


async def ours(port: int, folder: Path, messages: int) -> dict[str, float]:
    """Measure this library."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    endpoint = GeminiApi(base_url=f"wss://127.0.0.1:{port}")
    connector = TcpConnector(ssl_context=context)
    took = {}
    config = SessionConfig(model="sink", endpoint=endpoint)
    async with open_session(config, connector=connector) as session:
        start = time.process_time()
        for number in range(messages):
            await session.send_audio(CHUNK)
            if number % BURST == BURST - 1:
                await trio.lowlevel.checkpoint()
        last = await session.send_text("done")
        await last.wait_sent()
        took["send"] = time.process_time() - start
    took["receive"] = await receive(port, folder, messages)
    took["observer"] = await receive(port, folder, messages, SessionObserver())
    wire_log = logging.getLogger("gemini_live_trio.wire")
    wire_log.setLevel(logging.DEBUG)
    took["wire log"] = await receive(port, folder, messages)
    wire_log.setLevel(logging.NOTSET)
    writer = RecordingWriter(folder / "recording.jsonl", by="benchmark", clock=trio.current_time)
    with writer:
        took["recording"] = await receive(port, folder, messages, SessionRecorder(writer))
    return took


async def receive(port: int, folder: Path, messages: int, *observers: SessionObserver) -> float:
    """Measure receiving, watched or not."""
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    endpoint = GeminiApi(base_url=f"wss://127.0.0.1:{port}")
    config = SessionConfig(model=f"send-{messages}", endpoint=endpoint)
    connector = TcpConnector(ssl_context=context)
    async with open_session(config, connector=connector, observers=observers) as session:
        start = time.process_time()
        got = 0
        async for event in session:
            got += isinstance(event, ModelAudio)
            if got == messages:
                break
        return time.process_time() - start


async def theirs(port: int, messages: int) -> dict[str, float]:
    """Measure google-genai."""
    options = types.HttpOptions(base_url=f"https://127.0.0.1:{port}", api_version="v1beta")
    client = genai.Client(api_key="none", http_options=options)
    config = types.LiveConnectConfig(response_modalities=[types.Modality.AUDIO])
    took = {}
    async with client.aio.live.connect(model="sink", config=config) as session:
        blob = types.Blob(data=CHUNK, mime_type="audio/pcm;rate=16000")
        start = time.process_time()
        for _ in range(messages):
            await session.send_realtime_input(audio=blob)
        took["send"] = time.process_time() - start
    async with client.aio.live.connect(model=f"send-{messages}", config=config) as session:
        start = time.process_time()
        got = 0
        async for _ in session.receive():
            got += 1
            if got == messages:
                break
        took["receive"] = time.process_time() - start
    return took


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        trio.run(serve, arguments.serve)
    best: dict[str, dict[str, float]] = {"ours": {}, "theirs": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, __file__, "--serve", name]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            os.environ["SSL_CERT_FILE"] = str(folder / "ca.pem")
            for _ in range(arguments.rounds):
                rounds = {
                    "ours": trio.run(ours, port, folder, arguments.messages),
                    "theirs": asyncio.run(theirs(port, arguments.messages)),
                }
                for who, took in rounds.items():
                    for what, seconds in took.items():
                        best[who][what] = min(seconds, best[who].get(what, seconds))
            server.terminate()
    print(f"{'CPU per message over TLS':34} {'ours':>9} {'google-genai':>13} {'ratio':>6}  goal")
    for what, label in (
        ("send", "send 20 ms of audio, bursts"),
        ("receive", "receive 100 ms of audio"),
    ):
        mine, their = (best[who][what] / arguments.messages * 1e6 for who in ("ours", "theirs"))
        ratio = mine / their
        print(f"{label:34} {mine:6.0f} us {their:10.0f} us {ratio:6.2f}  at most {GOALS[what]}")
    print(f"\n{'receiving, watched':34} {'time':>9} {'of unwatched':>13}")
    alone = best["ours"]["receive"]
    for what in ("receive", "observer", "wire log", "recording"):
        label = {"receive": "nobody watches", "observer": "an observer that does nothing"}
        took = best["ours"][what]
        each = took / arguments.messages * 1e6
        print(f"{label.get(what, what):34} {each:6.0f} us {took / alone:13.2f}")


if __name__ == "__main__":
    main()
