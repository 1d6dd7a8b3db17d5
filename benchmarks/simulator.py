"""Many sessions at the pace of real microphones: does the simulator keep up?

    nox -s bench            or    python benchmarks/simulator.py [--sessions 200] [--seconds 20]

The simulator runs in a process of its own, the clients in this one. Each client sends audio without
a pause, as a microphone does: two seconds of tone, then silence while it hears the answer, and so
on. The model is one that sends its voice as it plays, so that both directions are busy, and so that
every piece of an answer has a moment at which it is due. Most of the work is done once for each
frame, so frames of 20 ms cost more than those of 100. What is told, and not asserted:

pacing
    How much later than due a piece of an answer came. The answer's timeliest piece says when the
    others were due.
loop lag
    How much longer than asked for a task slept, in either process. Where the clients' is large, the
    other numbers say more about them than about the simulator.
CPU
    The share of one core; 100 % is all that one process can use. Beside it, on Linux, how long the
    process wanted to run while something else did: where that is much, the machine was too busy for
    the numbers to mean anything.
"""

from __future__ import annotations

import argparse
import array
import base64
import json
import math
import os
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from gemini_live_trio.simulator import open_simulator

RATE_HZ: Final = 16_000
MODEL: Final = "models/gemini-3.1-flash-live-preview"
PATH: Final = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
SPEAKS, LISTENS = 2.0, 8.0
"""Seconds of a cycle."""
SHORTEST: Final = 0.01
"""Seconds: shorter pieces only announce an answer, before it is made."""
LAG_STEP: Final = 0.02
LATE: Final = 0.1
"""Seconds at the 99th percentile from which on it falls behind: a player's usual buffer."""
BUSY: Final = 0.1
"""Share of the time that a process may wait for a core on a machine of its own."""


def client_frame(message: dict[str, Any]) -> bytes:
    """A whole WebSocket frame, masked with zeros, so that it can be made once and sent often."""
    payload = json.dumps(message).encode()
    size = len(payload)
    if size < 126:
        head = struct.pack(">BB", 0x81, 0x80 | size)
    elif size < 65_536:
        head = struct.pack(">BBH", 0x81, 0x80 | 126, size)
    else:
        head = struct.pack(">BBQ", 0x81, 0x80 | 127, size)
    return head + bytes(4) + payload


def audio(milliseconds: int, *, loud: bool) -> bytes:
    """A frame of sound."""
    step = 2 * math.pi * 220 / RATE_HZ
    level = 12_000 if loud else 0
    count = RATE_HZ * milliseconds // 1000
    pcm = array.array("h", (int(level * math.sin(step * n)) for n in range(count))).tobytes()
    blob = {"mimeType": f"audio/pcm;rate={RATE_HZ}", "data": base64.b64encode(pcm).decode()}
    return client_frame({"realtimeInput": {"audio": blob}})


async def measure_lag(lags: list[float]) -> None:
    """Note how late the loop wakes a task that sleeps."""
    while True:
        due = trio.current_time() + LAG_STEP
        await trio.sleep_until(due)
        lags.append(trio.current_time() - due)


def queued() -> float:
    """Seconds that we could have run and weren't let; Linux tells."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


@attrs.define
class Meter:
    """The CPU that this process used and waited for, from now on."""

    cpu: float = attrs.field(factory=time.process_time)
    queue: float = attrs.field(factory=queued)
    clock: float = attrs.field(factory=time.perf_counter)

    def read(self) -> tuple[float, float]:
        """Both as shares of one core."""
        passed = time.perf_counter() - self.clock
        return (time.process_time() - self.cpu) / passed, (queued() - self.queue) / passed


async def serve() -> None:
    """Be the simulator: tell the address, measure between two lines on standard input, tell."""
    lags: list[float] = []
    lines = trio.wrap_file(sys.stdin)
    async with open_simulator(voice="tone") as simulator, trio.open_nursery() as nursery:
        print(json.dumps({"url": simulator.url}), flush=True)
        await lines.readline()
        meter = Meter()
        nursery.start_soon(measure_lag, lags)
        await lines.readline()
        print(json.dumps({"lags": lags, "cpu": meter.read()}), flush=True)
        await lines.readline()
        nursery.cancel_scope.cancel()


@attrs.define
class Run:
    """What the clients saw."""

    sessions: int
    frame_ms: int
    measuring: bool = False
    sent: int = 0
    received: int = 0
    sound: float = 0.0
    turns: int = 0
    lost: int = 0
    first_sounds: list[float] = attrs.field(factory=list)
    late: list[float] = attrs.field(factory=list)
    sent_late: list[float] = attrs.field(factory=list)


class Client:
    """One session, its frames read and written by hand: the clients must cost little."""

    def __init__(self, run: Run, stream: trio.SocketStream) -> None:
        self._run = run
        self._stream = stream
        self._buffer = bytearray()
        self._quiet_since = math.inf
        self._places: list[float] = []
        self._heard = 0.0

    async def set_up(self) -> None:
        """Shake hands, and wait for ``setupComplete``."""
        request = (
            f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
        )
        await self._stream.send_all(request.encode())
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += await self._stream.receive_some()
        del self._buffer[: self._buffer.index(b"\r\n\r\n") + 4]
        generation = {"responseModalities": ["AUDIO"]}
        transcripts: dict[str, Any] = {
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
        }
        setup = {"model": MODEL, "generationConfig": generation, **transcripts}
        await self._stream.send_all(client_frame({"setup": setup}))
        assert "setupComplete" in await self._message()

    async def talk(self, offset: float) -> None:
        """Send sound for ever, each piece at its moment."""
        run = self._run
        loud, silent = audio(run.frame_ms, loud=True), audio(run.frame_ms, loud=False)
        start = trio.current_time()
        number = 0
        while True:
            due = start + number * run.frame_ms / 1000
            await trio.sleep_until(due)
            place = (number * run.frame_ms / 1000 + offset) % (SPEAKS + LISTENS)
            speaks = place < SPEAKS
            if speaks:
                self._quiet_since = math.inf
            elif self._quiet_since == math.inf:
                self._quiet_since = due
            await self._stream.send_all(loud if speaks else silent)
            number += 1
            if run.measuring:
                run.sent += 1
                run.sent_late.append(trio.current_time() - due)

    async def listen(self) -> None:
        """Receive for ever."""
        while True:
            message = await self._message()
            content = message.get("serverContent", {})
            if self._run.measuring:
                self._run.received += 1
                self._run.turns += "turnComplete" in content
            for part in content.get("modelTurn", {}).get("parts", ()):
                if "inlineData" in part:
                    self._note_sound(len(part["inlineData"]["data"]) * 3 / 4 / 2 / 24_000)
            if "turnComplete" in content or "interrupted" in content:
                self._judge()

    def _note_sound(self, seconds: float) -> None:
        """Note when a piece came, less what there is to play before it."""
        now = trio.current_time()
        if self._run.measuring:
            self._run.sound += seconds
            if not self._places and self._quiet_since < now:
                self._run.first_sounds.append(now - self._quiet_since)
        if seconds >= SHORTEST:
            self._places.append(now - self._heard)
        self._heard += seconds

    def _judge(self) -> None:
        if self._run.measuring and self._places:
            timely = min(self._places)
            self._run.late += [place - timely for place in self._places]
        self._places, self._heard = [], 0.0

    async def _message(self) -> dict[str, Any]:
        await self._have(2)
        size, start = self._buffer[1], 2
        if size >= 126:
            width = 2 if size == 126 else 8
            await self._have(2 + width)
            size, start = int.from_bytes(self._buffer[2 : 2 + width], "big"), 2 + width
        await self._have(start + size)
        payload = bytes(self._buffer[start : start + size])
        opcode = self._buffer[0] & 15
        del self._buffer[: start + size]
        if opcode == 8:
            raise EOFError(payload[2:].decode(errors="replace"))
        return dict(json.loads(payload))

    async def _have(self, size: int) -> None:
        while len(self._buffer) < size:
            data = await self._stream.receive_some()
            if not data:
                raise EOFError("the connection ended")
            self._buffer += data


async def hold_session(run: Run, url: str, offset: float) -> None:
    """Hold one session until cancelled; one that is lost is counted."""
    host, port = url.removeprefix("ws://").split(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        client = Client(run, stream)
        try:
            await client.set_up()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(client.talk, offset)
                nursery.start_soon(client.listen)
        except* (EOFError, trio.BrokenResourceError) as group:
            run.lost += 1
            print(f"A session was lost: {group.exceptions[0]!r}", file=sys.stderr)


async def drive(run: Run, seconds: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run it: the simulator's own numbers, and ours."""
    lags: list[float] = []
    process = subprocess.Popen(  # noqa: ASYNC220 (nothing runs yet)
        [sys.executable, __file__, "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        url = json.loads(process.stdout.readline())["url"]
        async with trio.open_nursery() as nursery:
            cycle = SPEAKS + LISTENS
            for number in range(run.sessions):
                nursery.start_soon(hold_session, run, url, cycle * number / run.sessions)
                await trio.sleep(0.01)
            await trio.sleep(1)  # what starting cost is over
            nursery.start_soon(measure_lag, lags)
            process.stdin.write("\n")
            process.stdin.flush()
            run.measuring = True
            meter = Meter()
            await trio.sleep(seconds)
            run.measuring = False
            cpu = meter.read()
            process.stdin.write("\n")
            process.stdin.flush()
            served = json.loads(await trio.to_thread.run_sync(process.stdout.readline))
            nursery.cancel_scope.cancel()
        process.stdin.close()
    return served, {"lags": lags, "cpu": cpu}


def spread(values: Sequence[float], unit: float = 1000.0, name: str = "ms") -> str:
    """Median, 99th percentile and maximum."""
    if not values:
        return "nothing measured"
    return (
        f"{statistics.median(values) * unit:,.1f} {name} median, "
        f"{p99(values) * unit:,.1f} {name} p99, {max(values) * unit:,.1f} {name} at most"
    )


def p99(values: Sequence[float]) -> float:
    """The 99th percentile."""
    return sorted(values)[int(len(values) * 0.99)] if values else math.inf


def report(run: Run, seconds: float, served: dict[str, Any], ours: dict[str, Any]) -> str:
    """Say what was measured, and whether it kept up."""
    due = run.sessions * 1000 / run.frame_ms
    behind = []
    if run.lost:
        behind.append(f"{run.lost} sessions were lost")
    if p99(run.late) > LATE:
        behind.append("answers came late")
    if run.sent < 0.98 * due * seconds:
        behind.append("frames couldn't be sent in time")
    verdict = "It kept up." if not behind else f"It fell behind: {', '.join(behind)}."
    if behind and max(served["cpu"][1], ours["cpu"][1]) > BUSY:
        verdict += " But something else kept the machine busy: measure again."
    return "\n".join(
        [
            f"{run.sessions} sessions for {seconds:g} s, frames of {run.frame_ms} ms, "
            f"{os.cpu_count()} cores",
            f"  in          {run.sent / seconds:,.0f} frames/s of {due:,.0f} that were due",
            f"  out         {run.received / seconds:,.0f} frames/s; "
            f"{run.sound / seconds:,.0f} s of sound a second; {run.turns} turns ended",
            f"  answer      begins after {spread(run.first_sounds, 1, 's')}",
            f"  pacing      {spread(run.late)} late",
            f"  sending     {spread(run.sent_late)} late",
            f"  loop lag    simulator {spread(served['lags'])}",
            f"              clients {spread(ours['lags'])}",
            f"  CPU         simulator {used(*served['cpu'])}; clients {used(*ours['cpu'])}",
            verdict,
        ]
    )


def used(share: float, waited: float) -> str:
    """A share of a core in words."""
    return f"{share:.0%} of a core, and waited {waited:.0%} of the time for one"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--frame-ms", type=int, default=100, help="20 to 100 (%(default)s)")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        trio.run(serve)
        return
    run = Run(options.sessions, options.frame_ms)
    served, ours = trio.run(drive, run, options.seconds)
    print(report(run, options.seconds, served, ours))


if __name__ == "__main__":
    main()
