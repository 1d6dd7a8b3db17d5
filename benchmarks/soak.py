"""Cut a conversation a thousand times and count what was lost.

::

    python benchmarks/soak.py [--disconnects 1000] [--seed 1] [--mode ordinary|transparent] [--real]

A scripted user talks to the simulator (lines, notes, speech, answers to tools) while the connection
is cut at random moments in random ways. Every message carries a number, so that afterwards the
service's own books say which of them it has, and how often; the receipts say what the client
believed. The same seed gives the same run on the virtual clock.

It prints, and exits with 1 if a message was lost or doubled:

lost
    The client says that the service has it, or says nothing, and the service hasn't.
doubled
    One conversation of the service holds it twice, though the client could have known: output of a
    generation that began after the service took it had come before it was sent again.
sent twice unknowingly
    The same, but nothing told. Where nothing tells, the client sends a message once more, as
    ``ReconnectPolicy.replay_unconfirmed`` wants.
unknown
    The client says that nobody can know; by the kind of cut.
"""

from __future__ import annotations

import argparse
import array
import gc
import itertools
import math
import os
import random
import sys
import time
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import trio
from _soak_report import Report
from trio.testing import MockClock

from gemini_live_trio import (
    Fate,
    GeminiApi,
    LiveSession,
    Receipt,
    ReconnectPolicy,
    SessionConfig,
    VertexAi,
    codec,
    open_session,
    wire,
)
from gemini_live_trio.events import (
    ModelAudio,
    Reconnected,
    Reconnecting,
    ReconnectState,
    ResumptionUpdate,
    ToolCall,
    TurnComplete,
)
from gemini_live_trio.simulator import (
    Consumed,
    ServerConnection,
    Simulator,
    Situation,
    open_simulator,
)

RATE_HZ = 16_000
CHUNK_SECONDS = 0.1
PATIENCE = 400.0
EVIDENCE_MARGIN = 0.1
"""Seconds: output that comes sooner may have been begun before the message was read."""
HOLD = 2.5
"""Seconds: the client waits for two after a resume, to see whether a turn begins by itself."""
SETTLING = 6.0
"""Seconds of peace at the end: longer than the client waits before it sends something again."""

CLOSES: Sequence[tuple[int, str]] = (
    (1000, ""),
    (1001, "going away"),
    (1008, "The operation was aborted."),
    (1011, "Internal error encountered."),
    (1011, "The service is currently unavailable."),
    (1011, "Deadline expired before operation could complete."),
    (1012, "restart"),
)

MODEL = "gemini-3.8-live"


def _answer(situation: Situation) -> str:
    """Some answers are short and some are long enough to be cut."""
    words = len(situation.history) % 3
    return "I see. " + "And there is more to say about that, at some length. " * (words * 2)


class Soak:
    """One run."""

    def __init__(
        self,
        simulator: Simulator,
        session: LiveSession,
        *,
        mode: str,
        seed: int,
        cuts: int,
        patient: bool = True,
    ) -> None:
        self.report = Report(mode, seed)
        self._simulator = simulator
        self._session = session
        self._transparent = mode == "transparent"
        self._cuts = cuts
        self._patient = patient
        # Who cuts and who talks must not disturb each other's chances.
        self._fate = random.Random(seed)
        self._taste = random.Random(seed + 1)
        self._number = 0
        self._states: dict[str, Fate] = {}
        self._open: dict[str, Receipt] = {}
        self._audio: dict[int, int] = {}
        self._order: list[str] = []
        self._turns = 0
        self._generation = 0
        self._begun: list[float] = []
        self._outages = 0
        self._changed = trio.Event()
        self._speaking = False
        self._has_handle = False
        self._connected = True
        self._busy = False
        self._done = False
        self._blamed_at = -math.inf
        self._back_at = -math.inf
        self._last_cut = "none"
        self._cut_times: list[tuple[float, str]] = []

    async def run(self) -> Report:
        """Talk and cut until there were enough cuts, then look at the books."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            nursery.start_soon(self._talk)
            nursery.start_soon(self._let_go)
            await self._until(lambda: self._has_handle)
            before = _resources()
            for number in range(self._cuts):
                if number == self._cuts // 5:
                    before = _resources()
                await self._cut()
                self._sort_receipts()
            self._done = True
            await self._until(lambda: not self._busy)
            await trio.sleep(SETTLING)
            self._sort_receipts()
            after = _resources()
            self.report.descriptors = before[0], after[0]
            self.report.mebibytes = before[1], after[1]
            nursery.cancel_scope.cancel()
        await self._session.aclose()
        self._sort_receipts(last=True)
        self._compare()
        return self.report

    # --- The user ---

    async def _listen(self) -> None:
        async for event in self._session:
            match event:
                case ModelAudio(generation=generation):
                    self._speaking = True
                    if generation > self._generation:
                        self._generation = generation
                        self._begun.append(trio.current_time())
                case TurnComplete():
                    self._speaking = False
                    self._turns += 1
                case ResumptionUpdate(handle=handle) if handle:
                    self._has_handle = True
                case ToolCall(id=call, name=name):
                    await self._answer_call(call or "", name)
                case Reconnecting():
                    self._connected = self._speaking = False
                case Reconnected(state=state):
                    self._connected = True
                    self._back_at = trio.current_time()
                    self._outages += 1
                    self._has_handle = self._has_handle and state is ReconnectState.RESUMED
                    self.report.states[state.value] += 1
                    self.report.gaps.append(event.gap_seconds)
                    self.report.audio_told_dropped += event.dropped_audio_seconds
                case _:
                    continue
            self._tell()

    async def _answer_call(self, call: str, name: str) -> None:
        response = wire.FunctionResponse(id=call, name=name, response={"ok": True})
        await self._send(f"tool {call}", lambda: self._session.send_tool_response([response]))

    async def _talk(self) -> None:
        deeds = (self._say, self._say, self._say_more, self._note, self._speak, self._call)
        while not self._done:
            self._busy = True
            await self._taste.choice(deeds)()
            self._busy = False
            self._tell()
            await trio.sleep(self._taste.uniform(0, 1.5))

    async def _say(self) -> None:
        """A line, and its answer."""
        before = self._turns
        await self._line()
        with trio.move_on_after(8):
            await self._until(lambda: self._turns > before)

    async def _say_more(self) -> None:
        """Lines on top of each other."""
        for _ in range(self._taste.randint(2, 4)):
            await self._line()
            if self._taste.random() < 0.5:
                await trio.sleep(self._taste.uniform(0, 0.3))

    async def _line(self) -> None:
        text = f"line {self._next()}"
        await self._send(text, lambda: self._session.send_text(text))

    async def _note(self) -> None:
        """Something to remember and not to answer."""
        text = f"note {self._next()}"
        turn = wire.Content(role="user", parts=[wire.Part(text=text)])
        await self._send(text, lambda: self._session.send_content([turn], turn_complete=False))

    async def _speak(self) -> None:
        """A sentence in sound, as a microphone gives it, and the pause after it."""
        loud = int(self._taste.uniform(5, 15))
        for index in range(loud + 7):
            await self._sound(loud=index < loud)
            await trio.sleep(CHUNK_SECONDS)
        await trio.sleep(self._taste.uniform(0, 3))

    async def _sound(self, *, loud: bool) -> None:
        number = self._next()
        level = 9_000 if loud else 0
        samples = array.array("h", [level, -level] * int(CHUNK_SECONDS * RATE_HZ / 2))
        samples[0], samples[1] = number % 30_000, number // 30_000
        pcm = samples.tobytes()
        mark = zlib.crc32(codec.encode_audio(pcm).encode())
        self._audio[mark] = number
        self._order.append(str(mark))
        self.report.audio_sent += CHUNK_SECONDS
        await self._session.send_audio(pcm)

    async def _call(self) -> None:
        """The model wants a tool, and gets its answer."""
        connections = self._simulator.connections
        # A model calls when it was asked. Just after a resume, a call out of the blue would look
        # as if it answered what was said before.
        if not connections or trio.current_time() < self._back_at + HOLD:
            return
        calls = [
            wire.FunctionCall(id=f"call {self._next()}", name="look", args={})
            for _ in range(self._taste.randint(1, 2))
        ]
        message = wire.LiveServerMessage(tool_call=wire.LiveServerToolCall(function_calls=calls))
        try:
            await connections[-1].send(message)
        except trio.BrokenResourceError:
            return

    def _next(self) -> int:
        self._number += 1
        return self._number

    async def _send(self, name: str, send: Callable[[], Awaitable[Receipt]]) -> None:
        self._order.append(name)
        self.report.sent[name.split()[0]] += 1
        receipt = await send()
        self._open[name] = receipt

    # --- The network ---

    async def _let_go(self) -> None:
        """Take the connections that nobody asks for, or the simulator keeps the last of them."""
        while True:
            await self._simulator.accept()

    async def _cut(self) -> None:
        """Wait for a moment, cut, and wait until the conversation goes on."""
        await trio.sleep(self._fate.uniform(0, 3))
        await self._until(
            lambda: self._connected and self._has_handle and bool(self._simulator.connections)
        )
        kinds = self._kinds()
        name = self._fate.choice(sorted(kinds))
        before = self._outages
        self._last_cut = name
        self._cut_times.append((trio.current_time(), name))
        self.report.cuts[name] += 1
        await kinds[name](self._simulator.connections[-1])
        await self._until(lambda: self._outages > before and self._connected)
        self._simulator.clear_faults()

    def _kinds(self) -> dict[str, Callable[[ServerConnection], Awaitable[None]]]:
        kinds: dict[str, Callable[[ServerConnection], Awaitable[None]]] = {
            "drop": lambda server: server.drop(),
            "reset": lambda server: server.reset(),
            "close": self._close,
            "goAway": lambda server: server.go_away(self._fate.uniform(0, 10)),
            "goAway, then silence": lambda server: server.go_away(
                self._fate.uniform(2.5, 10), silent=True
            ),
            "goAway in an answer": self._go_away_in_answer,
            "refused resumes": self._refused,
            "while sending": self._while_sending,
            "while it speaks": self._while_speaking,
            "while reconnecting": self._while_reconnecting,
            "at the upgrade": self._at_the_upgrade,
        }
        if self._patient:  # the client waits for a minute before it believes it
            kinds["half-open"] = self._vanish
        if not self._transparent:
            kinds["server restarts"] = lambda server: self._simulator.restart()
            kinds["empty resume"] = self._empty
            if trio.current_time() > self._blamed_at + 70:
                kinds["close that blames"] = self._blame
        return kinds

    async def _close(self, server: ServerConnection) -> None:
        await server.close(*self._fate.choice(CLOSES), hold_open=self._fate.random() < 0.2)

    async def _blame(self, server: ServerConnection) -> None:
        self._blamed_at = trio.current_time()
        await server.close(1007, "Request contains an invalid argument.")

    async def _go_away_in_answer(self, server: ServerConnection) -> None:
        await self._hear_it_speak()
        await self._unless_over(server.go_away(self._fate.uniform(0, 10)))

    async def _vanish(self, server: ServerConnection) -> None:
        server.vanish(noticed_after=self._fate.uniform(30, 65))

    async def _refused(self, server: ServerConnection) -> None:
        self._simulator.refuse_next_setup(times=self._fate.randint(1, 4), only_resumes=True)
        await server.drop()

    async def _empty(self, server: ServerConnection) -> None:
        self._simulator.empty_next_resume()
        await server.drop()

    async def _while_sending(self, server: ServerConnection) -> None:
        for _ in range(self._fate.randint(1, 6)):
            if self._fate.random() < 0.5:
                await self._line()
            else:
                await self._sound(loud=False)
        for _ in range(self._fate.randint(0, 12)):
            await trio.lowlevel.checkpoint()
        await server.drop()

    async def _while_speaking(self, server: ServerConnection) -> None:
        await self._hear_it_speak()
        await trio.sleep(self._fate.uniform(0, 0.6))
        await server.drop()

    async def _while_reconnecting(self, server: ServerConnection) -> None:
        self._simulator.drop_next_setup(times=self._fate.randint(1, 2))
        await server.drop()

    async def _at_the_upgrade(self, server: ServerConnection) -> None:
        self._simulator.drop_next_upgrade()
        if times := self._fate.randint(0, 2):
            self._simulator.reject_next_upgrade(503, times=times)
        await server.drop()

    async def _hear_it_speak(self) -> None:
        with trio.move_on_after(10):
            await self._until(lambda: self._speaking)

    async def _unless_over(self, call: Awaitable[None]) -> None:
        try:
            await call
        except trio.BrokenResourceError:
            await self._simulator.drop_all()

    # --- The books ---

    def _sort_receipts(self, *, last: bool = False) -> None:
        """Count the receipts that came to their end, and by which cut."""
        for name, receipt in list(self._open.items()):
            state = receipt.state
            if not (state.final or last):
                continue
            del self._open[name]
            self._states[name] = state
            self.report.fates[state.name.lower()] += 1
            if state is Fate.UNKNOWN:
                self.report.unknown[f"{self._last_cut}: {receipt.reason}"] += 1
            elif state is Fate.DROPPED:
                self.report.dropped[f"{self._last_cut}: {receipt.reason}"] += 1

    def _compare(self) -> None:
        report = self.report
        had: Counter[str] = Counter()
        for conversation in self._simulator.conversations:
            times: dict[str, list[float]] = {}
            for message in conversation.consumed:
                if name := self._name_of(message):
                    had[name] += 1
                    if not message.ignored:
                        times.setdefault(name, []).append(message.time)
            for name, taken in times.items():
                if len(taken) > 1 and name.isdigit():
                    report.audio_doubled += 1
                elif len(taken) > 1:
                    self._note_doubled(name, taken)
        for name, state in self._states.items():
            if not had[name] and state not in (Fate.UNKNOWN, Fate.DROPPED):
                report.lost.append(f"{name} ({state.value})")
        report.audio_missing = CHUNK_SECONDS * sum(not had[str(mark)] for mark in self._audio)
        if self._transparent:
            self._compare_exactly()

    def _note_doubled(self, name: str, taken: Sequence[float]) -> None:
        first = taken[0] + EVIDENCE_MARGIN
        if len(taken) > 2 or any(first < begun < taken[1] for begun in self._begun):
            self.report.doubled.append(f"{name} at {taken} ({self._states[name].value})")
        else:
            cut = next((cut for at, cut in reversed(self._cut_times) if at <= taken[1]), "none")
            self.report.unknowingly[f"{name.split()[0]} by {cut!r}"] += 1

    def _compare_exactly(self) -> None:
        """Every message once, audio too, and in the order in which it was handed in."""
        consumed = self._simulator.conversations[-1].consumed
        names = [name for message in consumed if (name := self._name_of(message))]
        place = {name: index for index, name in enumerate(self._order)}
        places = [place[name] for name in names]
        for earlier, later in itertools.pairwise(places):
            if later < earlier:
                self.report.out_of_order.append(f"{self._order[later]} late")

    def _name_of(self, message: Consumed) -> str:
        match message.kind:
            case "audio":
                return str(message.fingerprint)
            case "text" | "clientContent":
                return message.text if message.text in self._states else ""
            case "toolResponse":
                return f"tool {message.ids[0]}"
        return ""

    # --- Waiting ---

    def _tell(self) -> None:
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        with trio.fail_after(PATIENCE):
            while not holds():
                with trio.move_on_after(0.25):  # connections come without an event of ours
                    await self._changed.wait()


def _resources() -> tuple[int, float]:
    gc.collect()
    descriptors = Path("/proc/self/fd")
    count = len(os.listdir(descriptors)) if descriptors.is_dir() else 0  # noqa: PTH208
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[1]) if statm.exists() else 0
    return count, pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def soak(*, disconnects: int, seed: int, mode: str, real: bool = False) -> Report:
    """Run it; on a virtual clock unless ``real``."""
    started = time.perf_counter()
    start = trio.current_time()
    transparent = mode == "transparent"
    async with open_simulator(
        port=0 if real else None,
        voice="tone",
        mind=_answer,
        record_bytes=100_000,
        handle_every=3 if transparent else None,
    ) as simulator:
        url = simulator.url
        config = SessionConfig(model=MODEL, endpoint=GeminiApi(base_url=url))
        if transparent:
            # Vertex AI is the one back end that has it.
            config = SessionConfig(
                model=MODEL,
                endpoint=VertexAi("p", "l", base_url=url),
                session_resumption=wire.SessionResumptionConfig(transparent=True),
            )
        async with open_session(
            config,
            connector=None if real else simulator.connector,
            reconnect=ReconnectPolicy(attempts=40, deadline=600),
        ) as session:
            run = Soak(simulator, session, mode=mode, seed=seed, cuts=disconnects, patient=not real)
            report = await run.run()
    report.virtual_seconds = trio.current_time() - start
    report.real_seconds = time.perf_counter() - started
    return report


def run(*, disconnects: int, seed: int, mode: str, real: bool = False) -> Report:
    """Run it repeatably: the clients' chances and Trio's own are seeded too."""
    random.seed(seed)
    # Trio shuffles the tasks that are ready, on purpose; Hypothesis seeds it by the same names.
    scheduler: Any = trio._core._run
    before = scheduler._ALLOW_DETERMINISTIC_SCHEDULING
    scheduler._ALLOW_DETERMINISTIC_SCHEDULING = True
    scheduler._r.seed(seed)

    async def main() -> Report:
        return await soak(disconnects=disconnects, seed=seed, mode=mode, real=real)

    try:
        return trio.run(main, clock=None if real else MockClock(autojump_threshold=0))
    finally:
        scheduler._ALLOW_DETERMINISTIC_SCHEDULING = before


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--disconnects", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", choices=["ordinary", "transparent"], default="ordinary")
    clock = parser.add_mutually_exclusive_group()
    clock.add_argument("--real", action="store_true", help="over TCP, on the real clock")
    clock.add_argument("--virtual", dest="real", action="store_false", help="in memory (default)")
    options = parser.parse_args()
    report = run(
        disconnects=options.disconnects, seed=options.seed, mode=options.mode, real=options.real
    )
    print(report)
    return 0 if report.clean else 1


if __name__ == "__main__":
    sys.exit(main())
