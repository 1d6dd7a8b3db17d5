"""Several receivers, single turns, and what the session adds to events."""

from __future__ import annotations

import pytest
import trio
from support import Connect, puppet, turn, until, words
from trio.testing import MockClock

from gemini_live_trio import LiveSession, SessionConfig, Status, wire
from gemini_live_trio.events import (
    Event,
    Interrupted,
    Lagged,
    ModelAudio,
    OutputTranscription,
    Reconnected,
    ReconnectState,
    ResumptionUpdate,
    Stalled,
    StallState,
    TurnComplete,
)
from gemini_live_trio.simulator import Simulator


def content(**fields: object) -> wire.LiveServerMessage:
    return wire.LiveServerMessage(server_content=wire.LiveServerContent(**fields))  # type: ignore[arg-type]


def audio(*, interrupted: bool | None = None) -> wire.LiveServerMessage:
    blob = wire.Blob(data=bytes(480), mime_type="audio/pcm;rate=24000")
    model_turn = wire.Content(parts=[wire.Part(inline_data=blob)])
    return content(model_turn=model_turn, interrupted=interrupted)


async def test_a_stuck_receiver_harms_nobody(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session, session.subscribe(buffer=3) as stuck:
        for _ in range(3):
            await session.send_text("Hello!")
            assert words(await turn(session))
        await session.aclose()
        got = [event async for event in stuck]
    assert isinstance(got[0], Lagged)
    assert got[0].count > 3


async def test_a_receiver_may_ask_for_failure_instead_of_loss(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session, session.subscribe(buffer=3, overflow="fail") as strict:
        await session.send_text("Hello!")
        await turn(session)
        for _ in range(4):
            await strict.receive()
        with pytest.raises(trio.BrokenResourceError, match="overflow"):
            await strict.receive()


async def test_kinds_narrow_a_subscription_but_not_what_the_session_says(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session, session.subscribe(kinds=[TurnComplete]) as ends:
        await session.send_text("Hello!")
        await turn(session)
        await (await simulator.accept()).drop()
        await until(session, Reconnected)
        await session.aclose()
        kinds = [type(event).__name__ async for event in ends]
    assert kinds[0] == "TurnComplete"
    assert set(kinds) == {"TurnComplete", "Reconnecting", "Reconnected"}


async def test_a_subscription_ends_with_its_block_and_the_session(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session:
        async with session.subscribe() as events:
            pass
        with pytest.raises(trio.ClosedResourceError):
            await events.receive()
        await session.aclose()
        async with session.subscribe() as events:
            assert [event async for event in events] == []


async def test_one_turn(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session, session.turn() as events:
        await session.send_text("Hello!")
        got = [event async for event in events]
    assert isinstance(got[-1], TurnComplete)
    assert words(got)


async def test_prompts_get_their_own_answer_even_when_they_interrupt(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session:
        await session.send_text("Tell me something long, please, as long as you can.")
        await until(session, ModelAudio)
        async with session.prompt("What is your name?") as answer:
            got = [event async for event in answer]
        assert not any(isinstance(event, Interrupted) for event in got)
        assert words(got)
        assert "name" in words(got)


async def test_receivers_beside_each_other(autojump_clock: MockClock, connect: Connect) -> None:
    heard: dict[str, list[Event]] = {"a": [], "b": []}

    async def listen(session: LiveSession, name: str, task_status: trio.TaskStatus[None]) -> None:
        async with session.subscribe() as events:
            task_status.started()
            heard[name] = [event async for event in events]

    async with connect() as session, trio.open_nursery() as nursery:
        await until(session, ResumptionUpdate)
        for name in heard:
            await nursery.start(listen, session, name)
        await session.send_text("Hello!")
        await turn(session)
        await session.aclose()
    assert heard["a"] == heard["b"]
    assert words(heard["a"])


async def test_generations_and_stale_audio(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        await server.send(audio())
        await server.send(audio(interrupted=True))
        await server.send(audio())
        await server.send(content(turn_complete=True))
        await server.send(audio())
        await server.send(content(turn_complete=True))
        await server.send(content(interrupted=True))
        got: list[Event] = []
        async for event in session:
            got.append(event)
            if isinstance(event, Interrupted) and event.spurious:
                break
    pieces = [(e.generation, e.stale) for e in got if isinstance(e, ModelAudio)]
    assert pieces == [(1, False), (1, True), (1, True), (2, False)]
    assert [e.spurious for e in got if isinstance(e, Interrupted)] == [False, True]


async def test_a_model_that_never_answers_is_told_of(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        await session.send_text("Are you there?")
        stalled = await until(session, Stalled)
        assert stalled.state is StallState.MODEL
        assert 30 <= stalled.seconds < 40
        again = await until(session, Stalled)
        assert again.seconds >= 2 * stalled.seconds
        await server.send(audio())
        assert (await until(session, Stalled)).state is StallState.SERVER


async def test_an_idle_session_is_not_stalled(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session, session.subscribe(kinds=[Stalled]) as stalls:
        await session.send_text("Hello!")
        await turn(session)
        with trio.move_on_after(1000):
            await stalls.receive()
            pytest.fail("nothing was waited for")


async def test_status_and_resumption(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    kept: list[str] = []
    async with connect(on_handle=kept.append) as session:
        await until(session, ResumptionUpdate)
        assert session.status is Status.CONNECTED
        assert session.resumption.handle == kept[-1]
        assert session.resumption.resumable
        assert kept[-1] not in repr(session.resumption)
        await session.send_text("My name is Ada.")
        await turn(session)
    assert session.status is Status.CLOSED
    async with connect(resume=kept[-1]) as session, session.prompt("What did I say?") as answer:
        assert "Ada" in words([event async for event in answer])


async def test_a_hook_that_raises_ends_nothing(
    autojump_clock: MockClock, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(handle: str) -> None:
        raise OSError("disk full")

    async with connect(on_handle=fail) as session:
        await session.send_text("Hello!")
        assert words(await turn(session))
    assert "on_handle raised" in caplog.text


async def test_a_foreign_handle_leads_to_a_fresh_session_that_says_so(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect(resume="from-somewhere-else") as session:
        assert (await until(session, Reconnected)).state is ReconnectState.FRESH
        await session.send_text("Hello!")
        assert words(await turn(session))


async def test_history_is_remembered_and_not_answered(
    autojump_clock: MockClock, connect: Connect
) -> None:
    history = [
        wire.Content(role="user", parts=[wire.Part(text="My name is Ada.")]),
        wire.Content(role="model", parts=[wire.Part(text="Hello Ada!")]),
    ]
    async with connect(history=history) as session:
        async with session.prompt("What did I say?") as answer:
            got = [event async for event in answer]
        assert "Ada" in words(got)
        assert sum(isinstance(event, TurnComplete) for event in got) == 1


async def test_a_lost_conversation_is_told_to_the_next_session(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await session.send_text("My name is Ada.")
        await turn(session)
        await simulator.restart()
        assert (await until(session, Reconnected)).state is ReconnectState.RESEEDED
        async with session.prompt("What did I say?") as answer:
            assert "Ada" in words([event async for event in answer])


async def test_other_instructions_for_the_same_conversation(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await session.send_text("My name is Ada.")
        await turn(session)
        new = SessionConfig(model="gemini-3.8-live", system_instruction="Speak like a pirate.")
        assert await session.reconnect(setup=new) is ReconnectState.RESUMED
        instruction = simulator.setups[-1].system_instruction
        assert instruction is not None
        assert instruction.parts[0].text == "Speak like a pirate."
        async with session.prompt("What did I say?") as answer:
            assert "Ada" in words([event async for event in answer])


async def test_stopping_the_model(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session:
        await session.send_text("Tell me something long, please, as long as you can.")
        await until(session, OutputTranscription)
        await session.interrupt()
        assert not (await until(session, Interrupted)).spurious
