"""A thousand calls in a storm of drops, cancellations and repetitions: one outcome each.

Tools take any time, fail, hang, stream and must finish; connections drop, reset, close and are left
on request; services forget everything, repeat calls and take them back. All of it is drawn from a
seed, in memory, on a virtual clock.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import trio
from support import tone
from tools.running import M25, M31, M38, THINKING, Args, Witness, config_for, make
from trio.testing import MockClock

from gemini_live_trio import Fate, LiveSession, Status, open_session, wire
from gemini_live_trio.errors import ToolError
from gemini_live_trio.events import (
    InputGate,
    Reconnected,
    ToolCall,
    ToolCallCancellation,
    ToolEnded,
    ToolFinished,
    ToolOutcome,
    ToolStarted,
)
from gemini_live_trio.simulator import ServerConnection, Simulator, open_simulator
from gemini_live_trio.tools import Tool, ToolContext, ToolPolicy

CALLS = 1_000
NAMES = ["quick", "slow", "fails", "hangs", "counts", "finishes", "one_by_one"]


class Tools:
    """Tools that keep a book of their own."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.begun = 0
        self.ended = 0
        self.most = 0

    def all(self) -> list[Tool]:
        return [
            make(self._plain(0.0, 0.5), "quick"),
            make(self._plain(0.5, 12.0), "slow"),
            make(self._plain(0.0, 3.0, fails=True), "fails", timeout=40),
            make(self._plain(500.0, 900.0), "hangs", timeout=8),
            make(self._stream, "counts", streams=True),
            make(self._plain(1.0, 6.0), "finishes", must_finish=True),
            make(self._plain(0.5, 2.0), "one_by_one", limit=1),
        ]

    def _plain(self, least: float, most: float, *, fails: bool = False) -> Any:
        async def handler(args: Args, context: ToolContext) -> object:
            self.begun += 1
            self.most = max(self.most, self.begun - self.ended)
            try:
                await trio.sleep(self._chance.uniform(least, most))
                context.progress("half")
                await trio.sleep(self._chance.uniform(least, most) / 2)
                if fails:
                    raise self._chance.choice([ToolError("No."), ValueError(), KeyError("x")])
                return dict(args)
            finally:
                if self._chance.random() < 0.2:  # some take their time to clean up
                    with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                        await trio.sleep(self._chance.random())
                self.ended += 1

        return handler

    async def _count(self) -> AsyncIterator[int]:
        self.begun += 1
        try:
            for number in range(self._chance.randrange(5)):
                await trio.sleep(self._chance.random())
                yield number
        finally:
            self.ended += 1

    def _stream(self, _args: Args, _context: ToolContext) -> AsyncIterator[int]:
        return self._count()


STORM = {
    "call": 40,
    "several": 8,
    "ask": 14,
    "say": 4,
    "speak": 4,
    "repeat": 5,
    "again": 4,
    "cancel_one": 6,
    "cancel_all": 1,
    "interrupt": 2,
    "drop": 3,
    "reset": 1,
    "close": 1,
    "restart": 0.5,
    "leave": 1,
    "go_away": 1,
    "forget_one": 0.5,
}
"""What happens, and how often."""
WEATHER = {"ask": 12, "say": 1, "drop": 1, "reset": 0.5, "close": 0.5, "leave": 0.5, "restart": 0.2}
"""A service that does nothing by itself, over a bad network."""


class Storm:
    """What befalls the session."""

    def __init__(self, chance: random.Random, simulator: Simulator, session: LiveSession) -> None:
        self._chance = chance
        self._simulator = simulator
        self._session = session
        self._server: ServerConnection | None = None
        self._serial = 0
        self.done: Counter[str] = Counter()

    async def follow(self) -> None:
        """Always know the newest connection."""
        while True:
            self._server = await self._simulator.accept()

    async def rage(self, deeds: Mapping[str, float], calls: int = CALLS) -> None:
        while self._session.statistics().tools.calls < calls:
            assert self._session.status is not Status.BROKEN
            (deed,) = self._chance.choices(list(deeds), list(deeds.values()))
            self.done[deed] += 1
            try:
                await getattr(self, deed)()
            except trio.BrokenResourceError:
                self.done["missed"] += 1  # the connection was gone
            await trio.sleep(self._chance.choice([0.0, 0.0, 0.1, 0.5, 2.0]))

    @property
    def server(self) -> ServerConnection:
        if self._server is None or self._server.ending is not None:
            raise trio.BrokenResourceError
        return self._server

    def _call(self) -> wire.FunctionCall:
        self._serial += 1
        args = {"n": self._chance.choice([self._serial, self._serial, 1])}
        name = "fly" if self._chance.random() < 0.02 else self._chance.choice(NAMES)
        return wire.FunctionCall(name=name, args=args)

    async def call(self) -> None:
        await self.server.call_all(self._call())

    async def several(self) -> None:
        await self.server.call_all(*[self._call() for _ in range(self._chance.randint(2, 20))])

    async def ask(self) -> None:
        name = self._chance.choice(NAMES)
        self._serial += 1
        await self._session.send_text(f"call {name} with n={self._serial}")

    async def say(self) -> None:
        await self._session.send_text("Never mind.")

    async def speak(self) -> None:
        await self._session.send_audio(tone(0.3))
        await self._session.send_audio(bytes(2 * 16_000))

    async def repeat(self) -> None:
        await self.server.repeat_calls()

    async def again(self) -> None:
        await self.server.repeat_calls(fresh_ids=True)

    async def cancel_one(self) -> None:
        calls = list(self.server.conversation.open_calls)
        if calls:
            await self.server.cancel_calls(self._chance.choice(calls))

    async def cancel_all(self) -> None:
        await self.server.cancel_calls()

    async def interrupt(self) -> None:
        await self.server.interrupt()

    async def drop(self) -> None:
        await self.server.drop()

    async def reset(self) -> None:
        await self.server.reset()

    async def close(self) -> None:
        await self.server.close(1011, "Internal error encountered.")

    async def restart(self) -> None:
        await self._simulator.restart()

    async def leave(self) -> None:
        with trio.move_on_after(20):
            await self._session.reconnect()

    async def go_away(self) -> None:
        await self.server.go_away(self._chance.choice([5, 50]))

    async def forget_one(self) -> None:
        self._simulator.forget_sessions()
        await self.server.drop()


def gemini_tasks() -> list[str]:
    root = trio.lowlevel.current_root_task()
    waiting, names = [root] if root else [], []
    while waiting:
        task = waiting.pop()
        names.append(task.name)
        for nursery in task.child_nurseries:
            waiting.extend(nursery.child_tasks)
    return [name for name in names if name.startswith("gemini_live_trio")]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("model", [M25, M31, M38, THINKING])
async def test_a_thousand_calls(model: str, seed: int, autojump_clock: MockClock) -> None:
    chance = random.Random(f"{model} {seed}")
    witness, tools = Witness(), Tools(chance)
    policy = ToolPolicy(
        most_calls=48,
        timeout=60,
        finish_within=20,
        same_call=(lambda earlier, new: earlier.args == new.args) if seed == 2 else None,
    )
    async with open_simulator(port=None, voice="tone") as simulator:
        async with open_session(
            config_for(model),
            tools=tools.all(),
            tool_policy=policy,
            connector=simulator.connector,
            observers=[witness],
        ) as session:
            storm = Storm(chance, simulator, session)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(storm.follow)
                await storm.rage(STORM)
                nursery.cancel_scope.cancel()
            left = trio.current_time()
        assert trio.current_time() - left <= 20 + 2 + 0.1
        assert simulator.legality.legal, str(simulator.legality)
    assert gemini_tasks() == []
    look_into(session, witness, tools, storm)


def look_into(session: LiveSession, witness: Witness, tools: Tools, storm: Storm) -> None:
    # One outcome for each call, as the program was told, and as the books have it.
    ended = [one for one in witness.events if isinstance(one, ToolEnded)]
    counts = session.statistics().tools
    outcomes = Counter(one.outcome for one in ended)
    assert len(ended) == counts.calls >= CALLS
    assert counts.open == 0
    assert outcomes == {
        outcome: count
        for outcome in ToolOutcome
        if (count := getattr(counts, outcome.name.lower()))
    }
    # Each that came by a toolCall was either served or known already.
    came = sum(isinstance(one, ToolCall) for one in witness.events)
    assert came == counts.calls + counts.duplicates
    # An id that came on a connection before is the same call, also when that has ended.
    seen = Counter(
        (connection, one.id)
        for connection, one in zip(witness.connections, witness.events, strict=True)
        if isinstance(one, ToolCall) and one.id
    )
    assert counts.duplicates >= seen.total() - len(seen) > 0
    # Every tool that began has ended, and was seen to.
    began = sum(isinstance(one, ToolStarted) for one in witness.events)
    over = [one for one in witness.events if isinstance(one, ToolFinished)]
    assert tools.begun == tools.ended
    assert tools.begun <= began == len(over)
    assert tools.most <= 48
    # The storm was one.
    assert set(outcomes) >= {
        ToolOutcome.ANSWERED,
        ToolOutcome.CANCELLED,
        ToolOutcome.TIMED_OUT,
        ToolOutcome.REFUSED,
        ToolOutcome.RETOLD,
    }, (outcomes, storm.done)
    assert sum(isinstance(one, Reconnected) for one in witness.events) > 20
    look_at_answers(witness)


def look_at_answers(witness: Witness) -> None:
    """What was sent: once for each call on each connection, and nothing after a cancellation."""
    taken_back: dict[str, int] = {}
    called: Counter[str] = Counter()
    story: list[tuple[float, int, Any]] = [
        *zip(witness.times, witness.connections, witness.events, strict=True),
        *witness.answered_at,
    ]
    last: Counter[tuple[int, str]] = Counter()
    for _time, connection, what in sorted(story, key=lambda item: item[0]):
        if isinstance(what, ToolCallCancellation):
            for call_id in what.ids:
                taken_back[call_id] = connection
        elif isinstance(what, ToolCall):
            # The service's ids are random, and one that is free may come again.
            taken_back.pop(what.id or "", None)
            called[what.id or ""] += 1
        elif isinstance(what, wire.FunctionResponse):
            call_id = what.id or ""
            assert call_id in called
            # What was being written when the service took the call back can't be stopped.
            assert taken_back.get(call_id, connection) == connection, f"{call_id} was taken back"
            last[connection, call_id] += not what.will_continue
    for (_, call_id), count in last.items():
        assert count <= called[call_id]
    for call_id in called:
        sent = sum(count for (_, name), count in last.items() if name == call_id)
        assert sent <= 2 * called[call_id]


@pytest.mark.parametrize("model", [M38, THINKING])
async def test_what_is_said_to_have_arrived_has(model: str, autojump_clock: MockClock) -> None:
    """Where the service calls only when it is asked to, so that its output is evidence."""
    chance = random.Random(f"weather {model}")
    witness, tools = Witness(), Tools(chance)
    async with (
        open_simulator(port=None, voice="tone") as simulator,
        open_session(
            config_for(model),
            tools=tools.all(),
            connector=simulator.connector,
            observers=[witness],
        ) as session,
    ):
        storm = Storm(chance, simulator, session)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(storm.follow)
            await storm.rage(WEATHER, 80)
            nursery.cancel_scope.cancel()
    confirmed = {
        call.id
        for call in session.tool_calls
        if call.outcome is ToolOutcome.ANSWERED and call.fate is Fate.CONFIRMED
    }
    consumed = Counter(
        call_id
        for conversation in simulator.conversations
        for message in conversation.consumed
        if not message.ignored
        for call_id in set(message.ids)
    )
    assert len(confirmed) > 40
    assert confirmed <= consumed.keys()
    plain = {call.id for call in session.tool_calls if call.name != "counts"}
    assert {consumed[call_id] for call_id in confirmed & plain} == {1}


def at_rest(session: LiveSession) -> bool:
    return (
        session.status is Status.CONNECTED
        and session.turn_state.idle
        and not any(call.open for call in session.tool_calls)
    )


async def test_the_gate_is_open_in_the_end(autojump_clock: MockClock) -> None:
    """However a storm goes, the microphone isn't left shut."""
    chance = random.Random(7)
    witness, tools = Witness(), Tools(chance)
    async with (
        open_simulator(port=None, voice="tone") as simulator,
        open_session(
            config_for(M25),
            tools=tools.all(),
            tool_policy=ToolPolicy(timeout=30),
            connector=simulator.connector,
            observers=[witness],
        ) as session,
    ):
        storm = Storm(chance, simulator, session)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(storm.follow)
            with trio.move_on_after(300):
                await storm.rage(STORM)
            nursery.cancel_scope.cancel()
        with trio.fail_after(3600):
            # What was asked for may come late, where the session was long without a connection.
            while not at_rest(session):  # noqa: ASYNC110 - nobody tells that nothing happens
                await trio.sleep(1)
        await trio.sleep(61)  # as long as a call may shut it
        gates = [one for one in witness.events if isinstance(one, InputGate)]
        assert len(gates) > 10
        assert [one.open for one in gates] == [False, True] * (len(gates) // 2)
        assert simulator.legality.legal
