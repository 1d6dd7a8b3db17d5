"""A client that knows nothing but WebSockets and JSON, so that the simulator is tested bare."""

from __future__ import annotations

import array
import base64
import json
import math
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
import trio_websocket

from gemini_live_trio.simulator import Simulator

MODEL = "models/gemini-3.8-live"
BIDI = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
PATIENCE = 120.0
SETUP = {"model": MODEL}


@attrs.frozen
class Closed:
    """The close frame that came instead of a message."""

    code: int
    reason: str


@attrs.define
class RawClient:
    """One WebSocket; frames are dictionaries."""

    websocket: trio_websocket.WebSocketConnection
    stream: trio.abc.Stream
    kinds: set[type] = attrs.field(factory=set)

    async def send(self, **message: Any) -> None:
        await self.websocket.send_message(json.dumps(message))

    async def send_audio(self, pcm: bytes, rate_hz: int = 16_000) -> None:
        data = base64.b64encode(pcm).decode()
        await self.send(
            realtimeInput={"audio": {"data": data, "mimeType": f"audio/pcm;rate={rate_hz}"}}
        )

    async def receive(self) -> dict[str, Any] | Closed:
        with trio.fail_after(PATIENCE):
            try:
                frame = await self.websocket.get_message()
            except trio_websocket.ConnectionClosed as closed:
                reason = closed.reason or trio_websocket.CloseReason(1006, None)
                return Closed(reason.code, reason.reason or "")
        self.kinds.add(type(frame))
        message = json.loads(frame)
        assert isinstance(message, dict)
        return message

    async def receive_at(self, due: float) -> dict[str, Any] | Closed:
        """Receive what comes at a given time, and not before."""
        with trio.CancelScope(deadline=due - 0.01) as scope:
            early = await self.websocket.get_message()
            raise AssertionError(early)
        assert scope.cancelled_caught
        return await self.receive()

    async def closed(self) -> Closed:
        """Read on to the end."""
        while not isinstance(last := await self.receive(), Closed):
            pass
        return last

    async def until(self, key: str) -> list[dict[str, Any]]:
        """Collect messages up to the one that holds ``key`` at its top or in its content."""
        messages = []
        while True:
            message = await self.receive()
            assert not isinstance(message, Closed), message
            messages.append(message)
            if key in message or key in message.get("serverContent", {}):
                return messages

    async def set_up(self, **setup: Any) -> list[dict[str, Any]]:
        await self.send(setup={"model": MODEL, **setup})
        return await self.until("setupComplete")

    async def refused(self, **setup: Any) -> Closed:
        """Send a setup, and read on to the end."""
        await self.send(setup={"model": MODEL, **setup})
        return await self.closed()

    async def say(self, text: str) -> list[dict[str, Any]]:
        """Say a line and hear the whole answer."""
        turn = {"role": "user", "parts": [{"text": text}]}
        await self.send(clientContent={"turns": [turn], "turnComplete": True})
        return await self.until("turnComplete")


async def dial_port(simulator: Simulator) -> trio.abc.Stream:
    """Open a byte stream to the simulator's port, with TLS done where it speaks that."""
    scheme, host, port = simulator.url.replace("//", "").split(":")
    stream = await trio.open_tcp_stream(host, int(port))
    if scheme == "ws":
        return stream
    trust = ssl.create_default_context(cafile=str(simulator.ca_certificate))
    tls = trio.SSLStream(stream, trust, server_hostname=host)
    await tls.do_handshake()
    return tls


class Bare:
    """A client that writes its frames by hand."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self.open = True

    async def upgrade(self) -> None:
        await self.stream.send_all(
            f"GET {BIDI} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            "".encode()
        )

    async def set_up(self) -> None:
        await self.upgrade()
        assert b" 101 " in await self.stream.receive_some()
        await self.send(0x81, json.dumps({"setup": SETUP}).encode())

    async def send(self, kind: int, payload: bytes) -> None:
        await self.stream.send_all(bytes([kind, 0x80 | len(payload), 0, 0, 0, 0]) + payload)

    async def heard(self, seconds: float) -> bytes:
        """What comes in that time, or until the end."""
        heard = b""
        with trio.move_on_after(seconds):
            while data := await self.stream.receive_some():
                heard += data
            self.open = False
        return heard


@asynccontextmanager
async def dial(
    simulator: Simulator,
    path: str = BIDI,
    *,
    headers: list[tuple[bytes, bytes]] | None = None,
    real: bool = False,
) -> AsyncIterator[RawClient]:
    """Open a WebSocket, in memory or over TCP."""
    if real:
        stream = await dial_port(simulator)
    else:
        stream = await simulator.connector.connect()
    async with trio.open_nursery() as nursery:
        websocket = await trio_websocket.wrap_client_stream(
            nursery, stream, "localhost", path, extra_headers=headers or []
        )
        yield RawClient(websocket, stream)
        with trio.move_on_after(2):
            await websocket.aclose()
        await trio.aclose_forcefully(stream)
        nursery.cancel_scope.cancel()


def spoken(messages: list[dict[str, Any]]) -> str:
    """The transcript of an answer, or its text."""
    words = []
    for message in messages:
        content = message.get("serverContent", {})
        words.append(content.get("outputTranscription", {}).get("text", ""))
        words += [part.get("text", "") for part in _parts(message) if not part.get("thought")]
    return "".join(words)


def sound(messages: list[dict[str, Any]]) -> bytes:
    """The audio of an answer."""
    return b"".join(
        base64.b64decode(part["inlineData"]["data"])
        for message in messages
        for part in _parts(message)
        if "inlineData" in part
    )


def order(messages: list[dict[str, Any]]) -> list[str]:
    """The keys that came, in order, runs of the same one as one."""
    keys: list[str] = []
    for message in messages:
        for key in [*message.get("serverContent", {}), *message]:
            if key != "serverContent" and keys[-1:] != [key]:
                keys.append(key)
    return keys


def _parts(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from message.get("serverContent", {}).get("modelTurn", {}).get("parts", [])


def tone(seconds: float, rate_hz: int = 16_000) -> bytes:
    step = 2 * math.pi * 220 / rate_hz
    return array.array(
        "h", (int(9_000 * math.sin(step * index)) for index in range(int(seconds * rate_hz)))
    ).tobytes()


def silence(seconds: float, rate_hz: int = 16_000) -> bytes:
    return bytes(2 * int(seconds * rate_hz))
