"""Cancel any call at any checkpoint: the session still works."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from support import Connect, tone, turn, until, words
from trio.testing import MockClock

from gemini_live_trio import LiveSession, SessionConfig, open_session, wire
from gemini_live_trio.events import Reconnecting, ResumptionUpdate
from gemini_live_trio.simulator import Simulator, open_simulator

MANUAL = SessionConfig(
    model="gemini-3.8-live",
    realtime_input=wire.RealtimeInputConfig(
        automatic_activity_detection=wire.AutomaticActivityDetection(disabled=True)
    ),
)


async def speak(session: LiveSession) -> None:
    async with session.speaking():
        await session.send_audio(tone(0.1))


async def prompt(session: LiveSession) -> None:
    async with session.prompt("cancelled") as answer:
        await answer.receive()


async def subscribe(session: LiveSession) -> None:
    async with session.subscribe() as events:
        await events.receive()


async def one_turn(session: LiveSession) -> None:
    async with session.turn() as events:
        await session.send_text("cancelled")
        await events.receive()


async def wait_sent(session: LiveSession) -> None:
    await (await session.send_text("cancelled")).wait_sent()


async def wait_final(session: LiveSession) -> None:
    await (await session.send_text("cancelled")).wait_final()


CALLS: dict[str, Callable[[LiveSession], Awaitable[object]]] = {
    "receive": lambda session: session.receive(),
    "send_text": lambda session: session.send_text("cancelled"),
    "send_audio": lambda session: session.send_audio(tone(0.02)),
    "send_audio_stream_end": lambda session: session.send_audio_stream_end(),
    "send_video": lambda session: session.send_video(b"\xff\xd8\xff\xd9"),
    "send_content": lambda session: session.send_content(
        [wire.Content(role="user", parts=[wire.Part(text="cancelled")])]
    ),
    "send_tool_response": lambda session: session.send_tool_response(
        [wire.FunctionResponse(id="1", name="f", response={})]
    ),
    "send_raw": lambda session: session.send_raw({"realtimeInput": {"text": "cancelled"}}),
    "speaking": speak,
    "update_context": lambda session: session.update_context(system_instruction="Be brief."),
    "interrupt": lambda session: session.interrupt(),
    "reconnect": lambda session: session.reconnect(),
    "prompt": prompt,
    "subscribe": subscribe,
    "turn": one_turn,
    "wait_sent": wait_sent,
    "wait_final": wait_final,
}
WAITING = {"receive", "subscribe", "reconnect"}
"""Calls that send nothing, or only wait."""


async def cancelled_after(ticks: int, call: Callable[[], Awaitable[object]]) -> bool:
    """Make a call, and cancel it after so many turns of the scheduler; tell whether that cut it."""
    finished = False
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:

            async def cancel() -> None:
                for _ in range(ticks):
                    await trio.lowlevel.cancel_shielded_checkpoint()
                scope.cancel()

            if ticks:
                nursery.start_soon(cancel)
            else:
                scope.cancel()
            await call()
            finished = True
            nursery.cancel_scope.cancel()
    return not finished


@pytest.mark.parametrize("name", CALLS)
async def test_a_cancelled_call_leaves_a_working_session(
    autojump_clock: MockClock, connect: Connect, name: str
) -> None:
    cut = 0
    async with connect(config=MANUAL) as session:
        await until(session, ResumptionUpdate)
        for ticks in range(8):
            cut += await cancelled_after(ticks, lambda: CALLS[name](session))
        # Whatever was cut, the marks are in pairs and the conversation goes on.
        await session.send_content(
            [wire.Content(role="user", parts=[wire.Part(text="Are you there?")])]
        )
        while not words(await turn(session)):
            pass
    assert cut


@pytest.mark.parametrize("name", CALLS)
async def test_every_call_is_a_checkpoint(
    autojump_clock: MockClock, connect: Connect, name: str
) -> None:
    async with connect(config=MANUAL) as session:
        await until(session, ResumptionUpdate)
        if name in WAITING:
            await session.send_text("Hello!")
        with trio.testing.assert_checkpoints():
            await CALLS[name](session)


@pytest.mark.parametrize("name", [name for name in CALLS if name not in WAITING])
async def test_cancelled_means_not_queued(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect, name: str
) -> None:
    async with connect(config=MANUAL) as session:
        await until(session, ResumptionUpdate)
        before = len(simulator.received)
        with trio.CancelScope() as scope:
            scope.cancel()
            await CALLS[name](session)
        assert scope.cancelled_caught
        await session.aclose()
    assert len(simulator.received) == before


def task_names() -> list[str]:
    root = trio.lowlevel.current_root_task()
    waiting, names = [root] if root else [], []
    while waiting:
        task = waiting.pop()
        names.append(task.name)
        for nursery in task.child_nurseries:
            waiting.extend(nursery.child_tasks)
    return names


async def test_an_open_session_is_seen_by_the_next_tests_measure(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect():
        assert [name for name in task_names() if "_session" in name]


@pytest.mark.parametrize("ticks", range(0, 60, 3))
async def test_cancelling_the_whole_block_at_any_moment_leaves_nothing_running(
    autojump_clock: MockClock, connect: Connect, ticks: int
) -> None:
    async def talk() -> None:
        async with connect() as session:
            await session.send_text("Hello!")
            await turn(session)

    await cancelled_after(ticks, talk)
    assert not [name for name in task_names() if "_session" in name or "_transport" in name]


async def test_cancelling_during_a_reconnect(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    with trio.CancelScope() as scope:
        async with connect() as session:
            await until(session, ResumptionUpdate)
            simulator.accepting = False
            await simulator.drop_all()
            await until(session, Reconnecting)
            await until(session, Reconnecting)
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught


@pytest.mark.parametrize("phase", ["entered", "receiving", "reconnecting", "leaving"])
def test_ctrl_c_comes_out_as_itself(phase: str) -> None:
    async def main() -> None:
        async with open_simulator(port=None) as simulator:
            config = SessionConfig(model="gemini-3.8-live")
            async with open_session(config, connector=simulator.connector) as session:
                if phase == "entered":
                    signal.raise_signal(signal.SIGINT)
                await until(session, ResumptionUpdate)
                if phase == "reconnecting":
                    simulator.accepting = False
                    await simulator.drop_all()
                    await until(session, Reconnecting)
                if phase != "leaving":
                    signal.raise_signal(signal.SIGINT)
                    await trio.sleep_forever()
            signal.raise_signal(signal.SIGINT)
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=MockClock(autojump_threshold=0))
