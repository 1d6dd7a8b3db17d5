"""The microphone is held back while a model waits for a tool and won't have input; no longer."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from support import tone, turn, until, words
from tools.running import M25, M31, M38, THINKING, Stage, config_for, gives, raises, stage
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import Fate, LiveSession, SessionConfig, wire
from gemini_live_trio._conversation import Bracket, Kind, Outgoing
from gemini_live_trio._conversation._gate import Gate
from gemini_live_trio.capabilities import capability_of
from gemini_live_trio.errors import ConfigError
from gemini_live_trio.events import (
    InputGate,
    Reconnected,
    ReconnectState,
    ResumptionUpdate,
    ToolCall,
    ToolCallCancellation,
    ToolOutcome,
    TurnComplete,
)

PIECE = 0.1
MANUAL = wire.RealtimeInputConfig(
    automatic_activity_detection=wire.AutomaticActivityDetection(disabled=True)
)


async def speak_on(session: LiveSession) -> None:
    """A microphone that is never off."""
    sound = tone(PIECE)
    while True:
        await session.send_audio(sound)
        await trio.sleep(PIECE)


def heard(s: Stage, since: float = -math.inf) -> float:
    """Seconds of sound that arrived at the service."""
    pieces = [
        frame
        for frame in s.simulator.received
        if frame.time >= since
        and frame.message is not None
        and frame.message.realtime_input is not None
        and frame.message.realtime_input.audio is not None
    ]
    return len(pieces) * PIECE


def gates(s: Stage) -> list[tuple[bool, str]]:
    return [(one.open, one.reason) for one in s.witness.events if isinstance(one, InputGate)]


SHUT = (False, "the model waits for a tool")


# --- By model and declared behaviour ---


@pytest.mark.parametrize(
    ("model", "options", "gated"),
    [
        (M25, {}, True),
        (M25, {"blocking": False}, False),
        (M31, {}, True),
        (M38, {}, False),
        (M38, {"blocking": True}, True),
        (THINKING, {}, False),
    ],
)
async def test_only_where_the_model_waits_and_minds(
    model: str, options: Any, gated: bool, autojump_clock: MockClock
) -> None:
    async with stage(
        gives("a cat", after=5, **options), model=model, mind="rules", strict_blocking=True
    ) as s:
        await s.session.send_text("call look")
        await until(s.session, ToolCall)
        async with trio.open_nursery() as nursery:
            began = trio.current_time()
            nursery.start_soon(speak_on, s.session)
            if gated:
                while not (await until(s.session, InputGate)).open:
                    pass
            else:
                await trio.sleep(5)
            nursery.cancel_scope.cancel()
        assert gates(s) == ([SHUT, (True, "answered")] if gated else [])
        drops = s.session.statistics().drops
        if gated:
            assert drops.gated_audio_seconds == pytest.approx(5, abs=0.3)
            assert heard(s, began + PIECE) < 0.5
        else:
            assert drops.gated_audio_seconds == 0
            assert heard(s, began) >= 4
        assert s.simulator.legality.legal
        assert all(call.outcome is not ToolOutcome.CANCELLED for call in s.session.tool_calls)


async def test_without_the_gate_speech_cancels_the_call(autojump_clock: MockClock) -> None:
    """What the gate is for."""
    async with stage(gives("a cat", after=5), model=M31, mind="rules", gate_input_for=0) as s:
        await s.session.send_text("call look")
        await until(s.session, ToolCall)
        await s.session.send_audio(tone(1))
        await until(s.session, ToolCallCancellation)
        assert gates(s) == []


async def test_what_was_on_its_way_when_the_call_came_is_held_back_too(
    autojump_clock: MockClock,
) -> None:
    async with stage(gives("a cat", after=5), model=M25, mind="rules", strict_blocking=True) as s:
        await s.session.send_text("call look")
        await until(s.session, ToolCall)
        # As much as the buffers take, in one go; none of it may be written.
        for _ in range(20):
            s.session.send_audio_nowait(tone(PIECE))
        await until(s.session, TurnComplete)
        assert heard(s) == 0
        assert s.session.statistics().drops.gated_audio_seconds == pytest.approx(2)


# --- It always opens again ---


async def test_it_tells_how_much_was_dropped(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=5), model=M25) as s:
        await s.server.call("look")
        await until(s.session, InputGate)
        for _ in range(3):
            await s.session.send_audio(tone(PIECE))
        await s.session.send_video(b"\xff\xd8\xff\xd9")
        opened = await until(s.session, InputGate)
        assert (opened.open, opened.dropped_video_frames) == (True, 1)
        assert opened.dropped_audio_seconds == pytest.approx(0.3)
        assert s.session.statistics().drops.gated_video_frames == 1


async def test_after_a_crash(autojump_clock: MockClock) -> None:
    async with stage(raises(ValueError()), model=M25) as s:
        await s.answered(await s.server.call("look"))
        await wait_all_tasks_blocked()
        assert gates(s) == [SHUT, (True, "answered")]


async def test_after_a_time_out(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=100, timeout=3), model=M25) as s:
        await s.answered(await s.server.call("look"))
        await wait_all_tasks_blocked()
        assert gates(s) == [SHUT, (True, "answered")]


async def test_after_a_cancellation(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=100), model=M25) as s:
        await s.server.call("look")
        await s.server.cancel_calls()
        await s.witness.settled()
        assert gates(s) == [SHUT, (True, "cancelled")]


async def test_after_the_last_of_several(autojump_clock: MockClock) -> None:
    quick, slow = gives(1, after=1), gives(2, after=4, name="find")
    async with stage(quick, slow, model=M31) as s:
        began = trio.current_time()
        await s.server.call_all(wire.FunctionCall(name="look"), wire.FunctionCall(name="find"))
        while not (await until(s.session, InputGate)).open:
            pass
        assert trio.current_time() - began == pytest.approx(4, abs=0.1)
        assert gates(s) == [SHUT, (True, "answered")]


async def test_after_an_unknown_tool(autojump_clock: MockClock) -> None:
    async with stage(gives(1), model=M25) as s:
        await s.answered(await s.server.call("fly"))
        await wait_all_tasks_blocked()
        assert gates(s) == [SHUT, (True, "answered")]


async def test_in_a_fresh_session(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=100), model=M25) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look")
        await until(s.session, InputGate)
        await s.simulator.restart()
        assert (await until(s.session, Reconnected)).state is ReconnectState.FRESH
        await wait_all_tasks_blocked()
        assert gates(s) == [SHUT, (True, "reconnected")]


async def test_where_the_call_was_forgotten(autojump_clock: MockClock) -> None:
    """On 2.5 a handle restores its own time, which was before the call."""
    async with stage(gives(1, after=100), model=M25) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look")
        await until(s.session, InputGate)
        await s.server.drop()
        assert (await until(s.session, Reconnected)).state is ReconnectState.RESUMED
        await wait_all_tasks_blocked()
        assert gates(s) == [SHUT, (True, "reconnected")]


async def test_it_stays_shut_where_the_call_is_still_waited_for(
    autojump_clock: MockClock,
) -> None:
    async with stage(gives(1, after=20, blocking=True)) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look")
        await until(s.session, InputGate)
        await s.server.drop()
        assert (await until(s.session, Reconnected)).state is ReconnectState.RESUMED
        await wait_all_tasks_blocked()
        assert gates(s) == [SHUT]
        while not (await until(s.session, InputGate)).open:
            pass
        assert gates(s) == [SHUT, (True, "answered")]


async def test_at_the_latest_when_it_expires(autojump_clock: MockClock) -> None:
    """Whoever answers by hand, and doesn't."""
    by_hand = wire.Tool(function_declarations=[wire.FunctionDeclaration(name="by_hand")])
    config = SessionConfig(model=M25, tools=[by_hand])
    async with stage(config=config, gate_input_for=30) as s:
        await s.server.call("by_hand")
        await until(s.session, InputGate)
        began = trio.current_time()
        assert (await until(s.session, InputGate)).reason == "expired"
        assert trio.current_time() - began == pytest.approx(30)
        await s.session.send_audio(tone(PIECE))
        await wait_all_tasks_blocked()
        assert heard(s) == pytest.approx(PIECE)


async def test_answers_by_hand_open_it(autojump_clock: MockClock) -> None:
    by_hand = wire.Tool(function_declarations=[wire.FunctionDeclaration(name="by_hand")])
    config = SessionConfig(model=M25, tools=[by_hand])
    async with stage(config=config) as s:
        await s.server.call("by_hand", call_id="c1")
        await until(s.session, InputGate)
        await s.session.send_tool_response([wire.FunctionResponse(id="c1", response={"a": 1})])
        assert (await until(s.session, InputGate)).reason == "answered"


async def test_a_call_that_was_dropped_without_a_word_opens_it(
    autojump_clock: MockClock,
) -> None:
    """As 3.8 does, where what is written interrupts a turn that waits for a tool."""
    async with stage(gives(1, after=100, blocking=True), mind="rules") as s:
        await s.session.send_text("call look")
        await until(s.session, ToolCall)
        await s.session.send_text("Never mind.")
        while not words(await turn(s.session)):
            pass
        assert gates(s)[:2] == [SHUT, (True, "cancelled")]


# --- What is written, and what is marked ---


async def test_text_waits_where_any_input_is_refused(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat", after=5), model=M25, mind="rules", strict_blocking=True) as s:
        await s.session.send_text("call look")
        await until(s.session, ToolCall)
        first = await s.session.send_text("One.")
        second = await s.session.send_text("Two.")
        await s.session.send_audio_stream_end()
        await wait_all_tasks_blocked()
        assert (first.state, second.state) == (Fate.QUEUED, Fate.QUEUED)
        assert await second.wait_sent() is Fate.SENT
        await wait_all_tasks_blocked()
        assert s.texts() == ["call look", "One.", "Two."]
        assert s.answers()


async def test_text_goes_out_where_it_only_cancels(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat", after=5), model=M31, mind="rules") as s:
        await s.session.send_text("call look")
        await until(s.session, ToolCall)
        await s.session.send_text("Never mind.")
        await s.witness.settled()
        assert [outcome for _, outcome in s.witness.outcomes()] == [ToolOutcome.CANCELLED]
        assert gates(s) == [SHUT, (True, "cancelled")]


async def test_whole_turns_go_out_always(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat", after=5), model=M25, mind="rules", strict_blocking=True) as s:
        await s.session.send_text("call look")
        await until(s.session, ToolCall)
        content = wire.Content(role="user", parts=[wire.Part(text="Never mind.")])
        await s.session.send_content([content])
        await s.witness.settled()
        assert [outcome for _, outcome in s.witness.outcomes()] == [ToolOutcome.CANCELLED]


async def test_marked_speech_is_meant(autojump_clock: MockClock) -> None:
    config = config_for(M31, realtime_input=MANUAL)
    async with stage(gives("a cat", after=5), config=config, mind="rules") as s:
        await s.session.send_text("call look")
        await until(s.session, ToolCall)
        async with s.session.speaking():
            await s.session.send_audio(tone(PIECE))
        await s.witness.settled()
        assert heard(s) == pytest.approx(PIECE)
        assert [outcome for _, outcome in s.witness.outcomes()] == [ToolOutcome.CANCELLED]


async def test_marks_wait_where_any_input_is_refused(autojump_clock: MockClock) -> None:
    config = config_for(M25, realtime_input=MANUAL)
    async with stage(
        gives("a cat", after=5), config=config, mind="rules", strict_blocking=True
    ) as s:
        await s.session.send_text("call look")
        await until(s.session, ToolCall)
        async with s.session.speaking():
            await s.session.send_audio(tone(PIECE))
        while not (await until(s.session, InputGate)).open:
            pass
        await wait_all_tasks_blocked()
        marks = [
            (bool(given.activity_start), bool(given.activity_end))
            for frame in s.simulator.received
            if frame.message is not None
            and (given := frame.message.realtime_input) is not None
            and (given.activity_start or given.activity_end)
        ]
        assert marks == [(True, False), (False, True)]
        assert s.simulator.legality.legal


async def test_what_waits_is_bounded(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=50), model=M25) as s:
        await s.server.call("look")
        await until(s.session, InputGate)
        receipts = [await s.session.send_text(f"{number}") for number in range(400)]
        await wait_all_tasks_blocked()
        dropped = [one for one in receipts if one.state is Fate.DROPPED]
        assert len(dropped) == 400 - 256
        assert dropped == receipts[: len(dropped)]
        assert dropped[0].reason == "too much was said while the model waited for a tool"
        await receipts[-1].wait_sent()
        await wait_all_tasks_blocked()
        assert s.texts() == [f"{number}" for number in range(400 - 256, 400)]


async def test_leaving_does_not_wait_for_it(autojump_clock: MockClock) -> None:
    by_hand = wire.Tool(function_declarations=[wire.FunctionDeclaration(name="by_hand")])
    config = SessionConfig(model=M25, tools=[by_hand])
    async with stage(config=config) as s:
        await s.server.call("by_hand")
        await until(s.session, InputGate)
        receipt = await s.session.send_text("Hello!")
        left = trio.current_time()
    assert trio.current_time() - left < 0.5
    assert (receipt.state, receipt.reason) == (Fate.DROPPED, "closed")


# --- By itself ---


def sound() -> Outgoing:
    return Outgoing("sound", Kind.AUDIO, 0.02)


def test_a_gate_knows_what_to_hold() -> None:
    picture, mark = Outgoing("p", Kind.VIDEO), Outgoing("m", bracket=Bracket.START)
    typed, whole = Outgoing("t", typed=True), Outgoing("w")
    items = [sound(), picture, mark, typed, whole]
    for model, marked, held in [
        (M25, False, [True, True, True, True, False]),
        (M25, True, [True, True, True, True, False]),
        (M31, False, [True, False, False, False, False]),
        (M31, True, [False] * 5),
        (THINKING, False, [False] * 5),
    ]:
        gate = Gate(capability_of(model))
        gate.marked = marked
        assert [gate.holds(item) for item in items] == [False] * 5
        gate.look({"a": True}, 0.0)
        assert [gate.holds(item) for item in items] == held


def test_each_call_shuts_a_gate_for_so_long() -> None:
    gate = Gate(capability_of(M25), longest=10)
    assert not gate.look({"free": False}, 0.0)
    assert gate.look({"free": False, "a": True}, 1.0)
    assert not gate.look({"a": True, "b": True}, 5.0)
    assert gate.opens_at == 15.0
    assert not gate.look({"a": True, "b": True}, 14.9)
    assert gate.look({"a": True, "b": True}, 15.0)
    assert not gate.closed
    # One that has had its time doesn't shut it again; another one does.
    assert not gate.look({"a": True, "b": True}, 16.0)
    assert gate.look({"a": True, "b": True, "c": True}, 17.0)
    assert gate.look({}, 18.0)
    assert gate.look({"a": True}, 19.0)


@pytest.mark.parametrize("longest", [0, -1])
def test_a_gate_can_be_left_out(longest: float) -> None:
    gate = Gate(capability_of(M25), longest=longest)
    assert not gate.used
    assert not gate.look({"a": True}, 0.0)


@pytest.mark.parametrize("seconds", ["60", None, math.nan])
async def test_what_is_no_time_for_a_gate_is_refused(
    seconds: Any, autojump_clock: MockClock
) -> None:
    with pytest.raises(ConfigError, match="gate_input_for takes seconds"):
        async with stage(gives(1), gate_input_for=seconds):
            pytest.fail("there should be no session")
