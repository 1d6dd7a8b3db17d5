"""A session's books: transcript, usage, turn state, statistics."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from books.feeding import (
    COMPLETE,
    GENERATED,
    GOES_ON,
    IDLE,
    INTERRUPTED,
    NOTHING,
    SECOND,
    calls,
    counted,
    heard,
    said,
    sounds,
)
from support import Connect, puppet, tone, turn, until, words
from trio.testing import MockClock

from gemini_live_trio import Budget, LiveSession, ReconnectPolicy, SessionConfig, wire
from gemini_live_trio.errors import BudgetExhausted
from gemini_live_trio.events import (
    BudgetWarning,
    Event,
    Interrupted,
    ModelAudio,
    OutputTranscription,
    Reconnected,
    ReconnectState,
    Stalled,
    ToolCall,
    TranscriptUpdate,
    TurnComplete,
    Usage,
)
from gemini_live_trio.simulator import ServerConnection, Simulator
from gemini_live_trio.statistics import TurnState
from gemini_live_trio.transcript import Speaker, TextState


async def play(server: ServerConnection, *messages: wire.LiveServerMessage) -> None:
    for message in messages:
        await server.send(message)


# --- Transcript ------------------------------------------------------------------------------


async def test_a_conversation_is_written_down(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session:
        await session.send_text("Hello!")
        answer = words(await turn(session))
        user, model = session.transcript
        assert (user.speaker, user.text, user.typed) == (Speaker.USER, "Hello!", True)
        assert user.delivered
        assert (model.text, model.state) == (answer, TextState.FINAL)
        assert model.audio_seconds > 0
        assert user.started < model.started < (model.ended or 0)


async def test_speech_is_written_down(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session:
        await session.send_audio(tone(1.0) + bytes(32_000))
        await turn(session)
        user, _model = session.transcript
        assert "of speech" in user.text
        assert not user.typed


async def test_updates_come_right_before_what_they_tell(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session:
        await session.send_text("Hello!")
        events = await turn(session)
    updates = [event for event in events if isinstance(event, TranscriptUpdate)]
    assert updates[0].text == "Hello!"
    assert "".join(update.delta for update in updates if update.speaker is Speaker.MODEL) == words(
        events
    )
    assert updates[-1].state is TextState.FINAL


async def test_a_narrow_subscription_has_no_updates(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session, session.subscribe(kinds=[TurnComplete]) as ends:
        await session.send_text("Hello!")
        assert isinstance(await ends.receive(), TurnComplete)


async def test_what_was_cut_off_is_closed_with_its_connection(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await session.send_text("Tell me a story.")
        await until(session, ModelAudio)
        await (await simulator.accept()).drop()
        await until(session, Reconnected)
        entry = next(entry for entry in session.transcript if entry.speaker is Speaker.MODEL)
        assert (entry.state, entry.reason) == (TextState.INFERRED, "the connection ended")


async def test_a_service_that_forgot_is_told_from_the_transcript(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await session.send_text("My name is Ada.")
        await turn(session)
        await simulator.restart()
        assert (await until(session, Reconnected)).state is ReconnectState.RESEEDED
        await session.send_text("What is my name?")
        assert "Ada" in words(await turn(session))
        assert [entry.text for entry in session.transcript if entry.typed] == [
            "My name is Ada.",
            "What is my name?",
        ]


async def test_replayed_text_stands_in_it_once(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        first = await simulator.accept()
        first.freeze()
        await session.send_text("Are you there?")
        await trio.testing.wait_all_tasks_blocked()
        await first.reset()
        await turn(session)
        typed = [entry for entry in session.transcript if entry.typed]
        assert [(entry.text, entry.delivered) for entry in typed] == [("Are you there?", True)]


async def test_what_a_player_reports_cuts_an_interrupted_answer(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        await play(server, said("one two three four"), *[sounds(SECOND)] * 4)
        audio = await until(session, ModelAudio)
        session.played(audio.generation, 2.0)
        await play(server, INTERRUPTED, COMPLETE)
        await until(session, TurnComplete)
        assert session.transcript[-1].heard == "one two"


# --- Turn state ------------------------------------------------------------------------------


async def test_four_facts_about_a_turn(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        assert session.turn_state == TurnState()
        await play(server, sounds(SECOND))
        audio = await until(session, ModelAudio)
        assert session.turn_state == TurnState(generation=1, idle=False)
        await play(server, GENERATED, GOES_ON)
        await until(session, TurnComplete)
        assert session.turn_state == TurnState(
            generation=1, generated=True, complete=True, idle=False
        )
        session.played(audio.generation, 0.5)
        assert session.turn_state.played_out is False
        session.played(audio.generation, 1.0)
        assert session.turn_state.played_out is True
        await play(server, counted(IDLE, total_token_count=1))
        await until(session, Usage)
        assert session.turn_state.idle
        assert session.turn_state.complete


async def test_a_session_that_never_says_idle_is_not_idle(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        await play(server, said("x"), GENERATED, GOES_ON)
        await until(session, TurnComplete)
        assert not session.turn_state.idle


async def test_an_interrupted_turn(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        await play(server, sounds(), INTERRUPTED, COMPLETE)
        await until(session, TurnComplete)
        assert session.turn_state == TurnState(
            generation=1, complete=True, interrupted=True, idle=True
        )


def result(call_id: str, **fields: Any) -> wire.FunctionResponse:
    return wire.FunctionResponse(id=call_id, name="get_weather", response={"output": 1}, **fields)


SILENT = wire.FunctionResponseScheduling.SILENT


async def test_an_answer_is_awaited_from_the_moment_something_asks_for_it(
    autojump_clock: MockClock,
) -> None:
    async with puppet() as (session, server):
        await session.send_text("Weather?")
        assert not session.turn_state.idle
        await play(server, said("Sunny."), GENERATED, COMPLETE)
        await until(session, TurnComplete)
        assert session.turn_state.idle


@pytest.mark.parametrize("early", [True, False])
async def test_a_turn_that_only_called_ends_before_or_after_its_result(
    autojump_clock: MockClock, early: bool
) -> None:
    """The result has a turn of its own, wherever the end of the one that called comes."""
    async with puppet() as (session, server):
        await play(server, calls("a"))
        await until(session, ToolCall)
        if not early:
            await play(server, COMPLETE)
            await until(session, TurnComplete)
            assert session.turn_state.idle  # nobody knows what the function will give
        await session.send_tool_response([result("a")])
        assert not session.turn_state.idle
        if early:
            await play(server, COMPLETE)
            await until(session, TurnComplete)
        assert not session.turn_state.idle
        await trio.testing.wait_all_tasks_blocked()
        assert not session.turn_state.idle
        await play(server, said("Sunny."), GENERATED, COMPLETE)
        await until(session, TurnComplete)
        assert session.turn_state.idle


async def test_a_result_that_is_not_spoken_of_is_not_awaited(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        await play(server, calls("a"), COMPLETE)
        await until(session, TurnComplete)
        receipt = await session.send_tool_response([result("a", scheduling=SILENT)])
        assert session.turn_state.idle
        await receipt.wait_sent()
        assert session.turn_state.idle


async def test_an_answer_is_awaited_while_there_is_no_connection(
    autojump_clock: MockClock,
) -> None:
    async with puppet() as (session, server), session.subscribe(kinds=[TurnComplete]) as told:
        receipt = await session.send_text("Weather?")
        await receipt.wait_sent()
        await server.drop()
        while not isinstance(await told.receive(), Reconnected):
            assert not session.turn_state.idle
        assert not session.turn_state.idle
        await trio.sleep(10)  # it was sent once more
        assert not session.turn_state.idle


async def test_what_does_not_fit_is_logged_and_never_raised(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gemini_live_trio.turns")
    async with puppet() as (session, server):
        await play(server, GENERATED, INTERRUPTED, COMPLETE, COMPLETE)
        assert (await until(session, Interrupted)).spurious
        await until(session, TurnComplete)
        await until(session, TurnComplete)
    assert [record.getMessage() for record in caplog.records] == [
        "generationComplete came while the turn was idle",
        "interrupted came while the turn was idle",
        "turnComplete came while the turn was idle",
        "turnComplete came while the turn was idle",
    ]


# --- Usage and budget ------------------------------------------------------------------------


async def test_usage_is_added_up_over_reconnects(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        totals = []
        for number in range(2):
            await session.send_text("Hello!")
            events = await turn(session)
            events.append(await until(session, Usage))
            totals += [
                event.metadata.total_token_count for event in events if isinstance(event, Usage)
            ]
            if not number:
                await (await simulator.accept()).drop()
                await until(session, Reconnected)
        usage = session.usage
        assert usage.total.total == sum(totals) > 0
        assert usage.connection.total == totals[-1]
        assert [entry.connection for entry in usage.turns] == [1, 2]


async def spend(session: LiveSession, server: ServerConnection, tokens: int) -> None:
    await play(server, said("x"), counted(COMPLETE, total_token_count=tokens))
    await until(session, Usage)


@pytest.fixture
def tight(connect: Connect) -> Connect:
    def tight(**options: object) -> object:
        return connect(budget=Budget(tokens=100, warn_at=0.5), **options)

    return tight  # type: ignore[return-value]


async def test_a_budget_warns_once_then_ends_the_session(
    autojump_clock: MockClock, simulator: Simulator, tight: Connect
) -> None:
    seen: list[Event] = []
    with pytest.raises(BudgetExhausted, match="120 tokens of its budget of 100"):
        async with tight() as session:
            server = await simulator.accept()
            await spend(session, server, 40)
            await spend(session, server, 40)
            await play(server, said("x"), counted(COMPLETE, total_token_count=40))
            async for event in session:
                seen.append(event)
    assert seen.count(BudgetWarning(80, 100)) == 1
    assert server.ending is not None
    assert (server.ending.by, server.ending.code) == ("client", 1000)


async def test_a_budget_that_is_not_reached_says_nothing(
    autojump_clock: MockClock, simulator: Simulator, tight: Connect
) -> None:
    async with tight() as session:
        await spend(session, await simulator.accept(), 49)
        await session.aclose()
        assert not [event async for event in session if isinstance(event, BudgetWarning)]


# --- Statistics ------------------------------------------------------------------------------


async def test_statistics_of_a_turn(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session:
        before = session.statistics()
        assert before.answer is None
        assert before.playback is None
        assert before.round_trip is None
        assert (before.connections, before.connected) == (1, True)
        await session.send_text("Hello!")
        events = await turn(session)
        audio = next(event for event in events if isinstance(event, ModelAudio))
        session.played(audio.generation, 0.02)
        session.played(audio.generation, 0.04)
        after = session.statistics()
        assert after.frames_sent == before.frames_sent + 1 == 2
        assert after.frames_received > before.frames_received
        assert after.bytes_sent > before.bytes_sent
        assert after.answer is not None
        assert after.answer.count == 1
        assert 0 < after.answer.last < 5
        assert after.playback is not None
        assert after.playback.count == 1
        assert after.playback.last >= 0
        assert before.frames_sent == 1
    assert not session.statistics().connected


async def test_statistics_of_a_reconnect(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        first = await simulator.accept()
        await session.send_text("Hello!")
        await turn(session)
        await first.close(1011, "Internal error encountered.")
        gap = (await until(session, Reconnected)).gap_seconds
        await (await simulator.accept()).go_away(10)
        await until(session, Reconnected)
        statistics = session.statistics()
        assert statistics.connections == 3
        assert sum(statistics.reconnects.values()) == 2
        assert statistics.reconnects["planned"] == 1
        assert statistics.longest_gap_seconds >= gap > 0
        assert statistics.gap_seconds >= statistics.longest_gap_seconds


async def test_drops_are_counted_and_told_now_and_then(
    autojump_clock: MockClock,
    simulator: Simulator,
    connect: Connect,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "gemini_live_trio.drops")
    async with connect(reconnect=ReconnectPolicy(base=20, cap=20)) as session:
        server = await simulator.accept()
        await server.send_raw("no JSON")
        await server.send_raw("no JSON either")
        await server.drop()
        for _ in range(30):
            await session.send_audio(bytes(16_000))
            await session.send_video(b"\xff\xd8\xff")
        reconnected = await until(session, Reconnected)
        drops = session.statistics().drops
        assert drops.undecodable_frames == 2
        assert drops.audio_seconds == pytest.approx(reconnected.dropped_audio_seconds) == 5.0
        assert drops.video_frames == reconnected.dropped_video_frames == 29
    told: dict[str, float] = {}
    for record in caplog.records:
        _, amount, kind = record.getMessage().split(" ", 2)
        told[kind] = told.get(kind, 0) + float(amount)
    assert told == {"audio seconds": 5.0, "undecodable frames": 2, "video frames": 29}
    assert len(caplog.records) <= 6


async def test_a_slow_receiver_is_counted(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        for _ in range(5_000):
            await server.send(said("x"))
        assert session.statistics().drops.events == 0  # nobody receives, so nobody misses
        await until(session, OutputTranscription)
        for _ in range(5_000):
            await server.send(said("x"))
        statistics = session.statistics()
        assert statistics.drops.events > 0
        assert statistics.queues.events > 0


async def test_tools_hold_a_turn_up(autojump_clock: MockClock) -> None:
    config = SessionConfig(model="gemini-3.1-flash-live-preview")
    async with puppet(config) as (session, server):
        await play(server, heard("Weather?"), NOTHING, calls("fc_1"), COMPLETE)
        await until(session, ToolCall)
        await until(session, TurnComplete)
        assert not session.turn_state.idle
        receipt = await session.send_tool_response([wire.FunctionResponse(id="fc_1", response={})])
        await receipt.wait_sent()
        assert not session.turn_state.idle  # what the model makes of it is still to come
        await play(server, said("Sunny."), GENERATED, COMPLETE)
        await until(session, TurnComplete)
        assert session.turn_state.idle
        assert [use.state for use in session.transcript[1].tools] == ["answered"]


async def test_a_blocking_tool_does_not_leave_the_session_waiting(
    autojump_clock: MockClock,
) -> None:
    config = SessionConfig(model="gemini-3.1-flash-live-preview")
    async with puppet(config) as (session, server), session.subscribe(kinds=[]) as told:
        await session.send_text("Weather?")
        await play(server, calls("fc_1"))
        await until(session, ToolCall)
        await session.send_tool_response([wire.FunctionResponse(id="fc_1", response={})])
        await trio.testing.wait_all_tasks_blocked()
        await play(server, said("Sunny."), GENERATED, COMPLETE)
        await until(session, TurnComplete)
        assert session.turn_state.idle
        # It may leave at once when it is asked to, and tells of no silence.
        with trio.move_on_after(300):
            assert isinstance(await told.receive(), Reconnected)
        await server.go_away(50)
        before = trio.current_time()
        while not isinstance(event := await told.receive(), Reconnected):
            assert not isinstance(event, Stalled)
        assert trio.current_time() - before < 5


async def test_latency_is_not_ended_by_the_answer_before(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        await play(server, said("One", sound=SECOND))
        await until(session, ModelAudio)
        receipt = await session.send_text("Stop.")
        await receipt.wait_sent()
        await play(server, said(" two", sound=SECOND), INTERRUPTED, COMPLETE)
        await until(session, TurnComplete)
        assert session.statistics().answer is None
        await play(server, said("Yes."), COMPLETE)
        await until(session, TurnComplete)
        answer = session.statistics().answer
        assert answer is not None
        assert answer.count == 1


async def test_latency_of_speech_that_the_client_ends(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect(config=SessionConfig(model="gemini-3.1-flash-live-preview")) as session:
        await session.send_audio(tone(1.0))
        await session.send_audio_stream_end()
        await turn(session)
        answer = session.statistics().answer
        assert answer is not None
        assert 0 < answer.last < 5


async def test_the_last_update_of_a_turn_reaches_its_prompt(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session, session.prompt("Hello!") as answer:
        events = [event async for event in answer]
    updates = [event for event in events if isinstance(event, TranscriptUpdate)]
    assert updates[-1].state is TextState.FINAL


async def test_closing_is_no_reconnect(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session:
        await session.aclose()
        statistics = session.statistics()
    assert not statistics.reconnects
    with pytest.raises(TypeError):
        statistics.reconnects["oops"] = 9  # type: ignore[index]
