"""Sound goes on while a tool holds a thread: over a real socket, on the real clock.

The machine may stall everybody, us included. So the system is asked how long this thread could have
run and wasn't let, and a gap is counted without that.
"""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
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
WAITED = Path("/proc/thread-self/schedstat")


def waited() -> float:
    """Seconds for which this thread wanted to run and had to wait, since it began."""
    return int(WAITED.read_bytes().split()[1]) / 1e9


class Microphone:
    """A piece of sound each 20 ms, however late the one before was."""

    def __init__(self) -> None:
        self.off = False
        self._waits: list[tuple[float, float]] = []

    async def speak(self, session: Any) -> None:
        began = trio.current_time()
        for count in itertools.count(1):
            self._waits.append((trio.current_time(), waited()))
            if self.off:
                break
            await session.send_audio(bytes(640))
            await trio.sleep_until(began + count * PIECE)

    def stalled(self, begin: float, end: float) -> float:
        """How long the machine kept us from running, at the most, between two times."""
        before = [wait for at, wait in self._waits if at <= begin]
        after = [wait for at, wait in self._waits if at >= end]
        return after[0] - before[-1]


@pytest.fixture
def tidy() -> Iterator[None]:
    """What other tests have left isn't searched for garbage meanwhile; that would take its time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("tidy")
@pytest.mark.skipif(not WAITED.exists(), reason="the system doesn't say how long a thread waited")
@pytest.mark.parametrize("kind", ["decorated", "by hand"])
async def test_audio_flows_while_a_tool_sleeps_in_its_thread(kind: str) -> None:
    def hold() -> str:
        """Hold a thread for five seconds."""
        time.sleep(SECONDS)  # the tool's own business: it knows nothing of Trio
        return "awake"

    async def handler(_args: Args, _context: ToolContext) -> str:
        return await trio.to_thread.run_sync(hold, abandon_on_cancel=True)

    held = tool(name="look")(hold) if kind == "decorated" else make(handler)
    witness, microphone = Witness(), Microphone()
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
            nursery.start_soon(microphone.speak, session)
            server = await simulator.accept()
            await server.call("look")
            finished = await until(session, ToolFinished)
            microphone.off = True
    assert finished.seconds >= SECONDS
    assert not finished.failed
    end = next(
        time for time, event in zip(witness.times, witness.events, strict=True) if event is finished
    )
    begin = end - SECONDS
    times = [
        frame.time
        for frame in simulator.received
        if isinstance(frame.frame, str) and '"audio"' in frame.frame and begin <= frame.time <= end
    ]
    gaps = [
        to - since - microphone.stalled(since, to)
        for since, to in itertools.pairwise([begin, *times, end])
    ]
    assert max(gaps) <= MOST_GAP, sorted(gaps)[-5:]
