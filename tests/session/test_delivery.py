"""What becomes of messages; ``docs/delivery.md`` names these tests."""

from __future__ import annotations

import pytest
import trio
from support import Connect, puppet, turn, until, words
from trio.testing import MockClock

from gemini_live_trio import Fate, ReconnectPolicy, Target, wire
from gemini_live_trio.errors import SessionBroken
from gemini_live_trio.events import (
    Reconnected,
    Reconnecting,
    ReconnectState,
    ResumptionUpdate,
)
from gemini_live_trio.simulator import Simulator


async def test_a_receipt_goes_from_queued_to_confirmed(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session:
        receipt = await session.send_text("Hello!")
        assert receipt.state is Fate.QUEUED
        assert await receipt.wait_sent() is Fate.SENT
        assert await receipt.wait_final() is Fate.CONFIRMED
        await turn(session)
    assert receipt.state is Fate.CONFIRMED


async def test_every_receipt_has_an_outcome_at_the_end(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect(close_timeout=1) as session:
        await until(session, ResumptionUpdate)
        sent = await session.send_content(
            [wire.Content(role="user", parts=[wire.Part(text="remember")])], turn_complete=False
        )
        await sent.wait_sent()
        simulator.accepting = False
        await simulator.drop_all()
        await until(session, Reconnecting)
        queued = await session.send_text("never")
    assert (sent.state, queued.state) == (Fate.UNKNOWN, Fate.DROPPED)
    assert queued.reason == "closed"


async def test_a_broken_session_settles_receipts_too(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        receipt = await session.send_text("Hello?")
        await receipt.wait_sent()
        await server.close(1007, "API key not valid.")
        with pytest.raises(SessionBroken):
            await until(session, Reconnected)
        assert await receipt.wait_final() is Fate.UNKNOWN


async def test_a_message_that_was_cut_is_sent_once_more(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await until(session, ResumptionUpdate)
        server = await simulator.accept()
        server.freeze()
        receipt = await session.send_text("Hello!")
        await receipt.wait_sent()
        await server.drop()
        assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
        assert "Hello" in words(await turn(session))
        assert receipt.state is Fate.CONFIRMED
        assert receipt.replays == 1


async def test_replaying_may_be_off(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect(reconnect=ReconnectPolicy(replay_unconfirmed=False)) as session:
        await until(session, ResumptionUpdate)
        server = await simulator.accept()
        server.freeze()
        receipt = await session.send_text("Hello!")
        await receipt.wait_sent()
        await server.drop()
        back = await until(session, Reconnected)
        assert back.unknown == 1
        assert receipt.state is Fate.UNKNOWN
        assert "replay_unconfirmed" in receipt.reason


async def test_a_planned_move_loses_nothing_and_is_short(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await until(session, ResumptionUpdate)
        await (await simulator.accept()).go_away(50)
        receipts = [await session.send_text(f"message {number}") for number in range(5)]
        back = await until(session, Reconnected)
        assert back.state is ReconnectState.RESUMED
        assert back.gap_seconds <= 2.5
        assert back.dropped_audio_seconds == 0
        assert {await receipt.wait_final() for receipt in receipts} == {Fate.CONFIRMED}
        assert sum(receipt.replays for receipt in receipts) == 0


async def test_a_move_dials_before_it_hangs_up(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    open_at_dial: list[int] = []

    class Watching:
        async def connect(self, target: Target, /) -> trio.abc.Stream:
            open_at_dial.append(len(simulator.connections))
            return await simulator.connector.connect(target)

    async with connect(connector=Watching()) as session:
        await until(session, ResumptionUpdate)
        await (await simulator.accept()).go_away(50)
        await until(session, Reconnected)
    assert open_at_dial[:2] == [0, 1]


async def test_a_tool_answer_survives_a_resume_but_not_a_fresh_session(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    answer = [wire.FunctionResponse(id="call_1", name="f", response={"output": "ok"})]
    async with connect() as session:
        await until(session, ResumptionUpdate)
        await simulator.restart()
        await until(session, Reconnecting)
        receipt = await session.send_tool_response(answer)
        assert (await until(session, Reconnected)).state is not ReconnectState.RESUMED
        assert await receipt.wait_final() is Fate.DROPPED
        assert "call" in receipt.reason
