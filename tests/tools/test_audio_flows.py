"""Sound goes on while a tool holds a thread: over a real socket, on the real clock.

The machine may stall everybody, us included. So a process that does nothing else says when it was
not let run, and a gap is counted without that.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from typing import Any

import pytest
import trio
from support import until
from tools.running import M38, Args, Witness, make

from gemini_live_trio import GeminiApi, SessionConfig, open_session
from gemini_live_trio.events import ToolFinished
from gemini_live_trio.simulator import open_simulator
from gemini_live_trio.tools import ToolContext, tool

SECONDS = 5.0
PIECE = 0.02
MOST_GAP = 0.05

STALLS = """
import time
before = time.perf_counter()
print("ready", flush=True)
while True:
    time.sleep(0.002)
    now = time.perf_counter()
    if now - before > 0.01:
        print(before, now, flush=True)
    before = now
"""
"""Prints when it was kept from running; ``perf_counter`` is the same clock for all on Linux."""


async def speak(session: Any, until_set: trio.Event) -> None:
    """A microphone: a piece of sound each 20 ms, however late the one before was."""
    began, count = trio.current_time(), 0
    while not until_set.is_set():
        await session.send_audio(bytes(640))
        count += 1
        await trio.sleep_until(began + count * PIECE)


def stalled(stalls: list[tuple[float, float]], begin: float, end: float) -> float:
    return sum(max(0.0, min(end, to) - max(begin, since)) for since, to in stalls)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a clock that processes share")
@pytest.mark.parametrize("kind", ["decorated", "by hand"])
async def test_audio_flows_while_a_tool_sleeps_in_its_thread(kind: str) -> None:
    def hold() -> str:
        """Hold a thread for five seconds."""
        time.sleep(SECONDS)  # the tool's own business: it knows nothing of Trio
        return "awake"

    async def handler(_args: Args, _context: ToolContext) -> str:
        return await trio.to_thread.run_sync(hold, abandon_on_cancel=True)

    held = tool(name="look")(hold) if kind == "decorated" else make(handler)
    witness = Witness()
    with subprocess.Popen(  # noqa: ASYNC220 - what it says is read after its end
        [sys.executable, "-c", STALLS], stdout=subprocess.PIPE, text=True
    ) as watch:
        assert watch.stdout is not None
        assert await trio.to_thread.run_sync(watch.stdout.readline) == "ready\n"
        with trio.fail_after(60):
            async with (
                open_simulator(mind=None) as simulator,
                open_session(
                    SessionConfig(model=M38, endpoint=GeminiApi(base_url=simulator.url)),
                    tools=[held],
                    observers=[witness],
                ) as session,
                trio.open_nursery() as nursery,
            ):
                offset = trio.current_time() - time.perf_counter()
                over = trio.Event()
                nursery.start_soon(speak, session, over)
                server = await simulator.accept()
                await server.call("look")
                finished = await until(session, ToolFinished)
                over.set()
        watch.kill()
        said = await trio.to_thread.run_sync(watch.stdout.read)
    assert finished.seconds >= SECONDS
    assert not finished.failed
    end = next(
        time for time, event in zip(witness.times, witness.events, strict=True) if event is finished
    )
    stalls = [
        (float(since) + offset, float(to) + offset)
        for since, _, to in (line.partition(" ") for line in said.splitlines() if " " in line)
    ]
    times = [
        frame.time
        for frame in simulator.received
        if isinstance(frame.frame, str)
        and '"audio"' in frame.frame
        and end - SECONDS <= frame.time <= end
    ]
    gaps = [to - since - stalled(stalls, since, to) for since, to in itertools.pairwise(times)]
    assert len(times) >= SECONDS / PIECE * 0.8
    assert max(gaps) <= MOST_GAP, sorted(gaps)[-5:]
