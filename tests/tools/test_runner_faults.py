"""Calls and tools that are wrong in every way that was seen or feared: one outcome each."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from support import until
from tools.running import (
    M25,
    M31,
    M38,
    THINKING,
    Args,
    Stage,
    Witness,
    gives,
    make,
    raises,
    stage,
)
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import (
    BearerToken,
    ReconnectPolicy,
    SessionConfig,
    VertexAi,
    open_session,
    wire,
)
from gemini_live_trio.errors import ConnectionLost, ToolError
from gemini_live_trio.events import (
    Reconnected,
    Reconnecting,
    ReconnectState,
    ResumptionUpdate,
    ToolCall,
    ToolEnded,
    ToolFinished,
    ToolOutcome,
    ToolStarted,
    TurnComplete,
)
from gemini_live_trio.simulator import ServerConnection, open_simulator
from gemini_live_trio.tools import ArgumentsError, ToolContext, ToolPolicy, open_tool_runner, tool

ANSWERED, CANCELLED = ToolOutcome.ANSWERED, ToolOutcome.CANCELLED
REFUSED, RETOLD = ToolOutcome.REFUSED, ToolOutcome.RETOLD
TIMED_OUT = ToolOutcome.TIMED_OUT
DOWN = {"error": "The program has stopped this; whether it was done isn't known."}
NOT_BEGUN = {"error": "The program is shutting down, so this was not done."}
STOPPED = "so it was stopped; whether it was done isn't known."


def started(s: Stage) -> list[str | None]:
    return [one.call_id for one in s.witness.tools() if isinstance(one, ToolStarted)]


def finished(s: Stage) -> list[ToolFinished]:
    return [one for one in s.witness.tools() if isinstance(one, ToolFinished)]


async def send_calls(server: ServerConnection, *calls: wire.FunctionCall) -> None:
    """Send calls as they are, without the ids that the simulator would give them."""
    made = wire.LiveServerToolCall(function_calls=calls)
    await server.send(wire.LiveServerMessage(tool_call=made))


# --- The call is wrong ---


async def test_an_unknown_tool(autojump_clock: MockClock) -> None:
    async with stage(gives(1), gives(1, name="find")) as s:
        call_id = await s.server.call("fly")
        assert await s.answered(call_id) == [
            {"error": "There is no function 'fly'. The functions are: find, look."}
        ]
        assert s.witness.outcomes() == [(call_id, REFUSED)]
        assert s.session.tool_calls[0].reason == "unknown tool"


@pytest.mark.parametrize("name", [None, ""])
async def test_a_call_that_names_nothing(name: str | None, autojump_clock: MockClock) -> None:
    async with stage(gives(1)) as s:
        await send_calls(s.server, wire.FunctionCall(id="c1", name=name))
        assert await s.answered("c1") == [
            {"error": "The call names no function. The functions are: look."}
        ]


async def test_missing_and_wrong_arguments(autojump_clock: MockClock) -> None:
    @tool
    async def look(at: str, times: int = 1) -> str:
        """Look somewhere."""
        return at * times

    async with stage(look) as s:
        await s.server.call("look", {}, call_id="c1")
        await s.server.call("look", {"at": "door", "times": "many"}, call_id="c2")
        missing, wrong = await s.answered("c1", "c2")
        assert "at" in missing["error"]
        assert "times" in wrong["error"]
        assert s.witness.outcomes() == [("c1", REFUSED), ("c2", REFUSED)]
        assert [call.reason for call in s.session.tool_calls] == [
            "bad arguments: at: missing",
            'bad arguments: times: expected an integer, got the text "many"',
        ]
        # It never ran.
        assert {type(event) for event in s.witness.tools()} == {ToolEnded}
        assert [call.began_at for call in s.session.tool_calls] == [None, None]


@pytest.mark.parametrize("raw", ['"args":null,', ""])
async def test_arguments_that_are_absent_or_null(raw: str, autojump_clock: MockClock) -> None:
    seen = []

    async def handler(args: Args, _context: ToolContext) -> str:
        await trio.lowlevel.checkpoint()
        seen.append(args)
        return "x"

    async with stage(make(handler)) as s:
        await s.server.send_raw(
            f'{{"toolCall":{{"functionCalls":[{{{raw}"id":"c1","name":"look"}}]}}}}'
        )
        assert await s.answered("c1") == [{"output": "x"}]
        assert seen == [{}]


HUGE = "1" + "0" * 40
"""An integer that only Python can hold; frames that have one are read with more patience."""


@pytest.mark.parametrize(
    "call",
    [
        f'{{"id":"c1","name":"look","args":{{"n":{HUGE}}}}}',
        '{"id":"c1","name":"' + "x" * 100_000 + '"}',
        '{"name":"look","args":{"text":"' + "x" * 100_000 + '"}}',
        '{"id":"c1","name":"look","args":' + '{"a":' * 180 + "1" + "}" * 181,
        "{}",
    ],
)
async def test_what_nobody_would_send(call: str, autojump_clock: MockClock) -> None:
    """However odd a call is, it has an outcome, and the next one is served."""
    async with stage(gives("a cat")) as s:
        await s.server.send_raw(f'{{"toolCall":{{"functionCalls":[{call}]}}}}')
        await s.speak()
        await s.server.call("look", call_id="next")
        assert await s.answered("next") == [{"output": "a cat"}]
        await s.speak()
        await s.witness.settled(2)
        assert all(len(text) < 2_000 for text in s.texts())
    assert len(s.witness.outcomes()) == 2


async def test_no_id_on_gemini_is_answered_in_words(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat")) as s:
        await send_calls(s.server, wire.FunctionCall(name="look", args={"at": "door"}))
        await s.witness.settled()
        assert s.witness.outcomes() == [(None, RETOLD)]
        assert s.responses() == []
        (text,) = s.texts()
        assert text == (
            '[The function look was called with {"at":"door"}. '
            'Its answer could not be given at that time. It was: {"output":"a cat"}]'
        )


async def test_no_id_elsewhere_is_answered_by_name(autojump_clock: MockClock) -> None:
    model = "gemini-live-2.5-flash-native-audio"
    witness = Witness()
    async with open_simulator(port=None, mind=None) as simulator:
        config = SessionConfig(model=model, endpoint=VertexAi("p", "l"), auth=BearerToken("token"))
        async with open_session(
            config,
            tools=[gives("a cat")],
            connector=simulator.connector,
            observers=[witness],
        ) as session:
            s = Stage(simulator, session, await simulator.accept(), witness)
            await send_calls(s.server, wire.FunctionCall(name="look"))
            assert await s.answered(None) == [{"output": "a cat"}]
            assert s.responses()[0].name == "look"
        assert witness.outcomes() == [(None, ANSWERED)]


async def test_the_same_id_twice_in_one_message(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=1)) as s:
        await send_calls(s.server, *[wire.FunctionCall(id="c1", name="look")] * 2)
        await s.answered("c1")
        assert started(s) == ["c1"]
        assert s.session.statistics().tools.duplicates == 1


async def test_the_same_id_again_after_its_answer(autojump_clock: MockClock) -> None:
    async with stage(gives(1)) as s:
        await s.server.call("look", call_id="c1")
        await s.answered("c1")
        await s.server.repeat_calls()
        await s.speak()
        await s.witness.settled()
        assert started(s) == ["c1"]
        assert s.witness.outcomes() == [("c1", ANSWERED)]
        assert s.session.turn_state.idle


async def test_the_same_call_in_both_forms_of_the_wire(autojump_clock: MockClock) -> None:
    async with stage(gives(1)) as s:
        call = wire.FunctionCall(id="c1", name="look", args={"at": "door"})
        turn = wire.Content(parts=[wire.Part(function_call=call)])
        content = wire.LiveServerContent(model_turn=turn)
        await s.server.send(wire.LiveServerMessage(server_content=content))
        await send_calls(s.server, call)
        await s.answered("c1")
        assert started(s) == ["c1"]
        assert s.session.statistics().tools.duplicates == 1


@pytest.mark.parametrize("model", [M25, M31, M38, THINKING])
async def test_fifty_calls_in_one_message(model: str, autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=1), model=model) as s:
        ids = await s.server.call_all(*[wire.FunctionCall(name="look")] * 50)
        assert await s.answered(*ids) == [{"output": 1}] * 50
    assert sorted(s.witness.outcomes()) == sorted((one, ANSWERED) for one in ids)


async def test_a_flood_of_calls_is_bounded(autojump_clock: MockClock) -> None:
    """The service doesn't read, so refusals pile up; those for which there is no room are lost."""
    async with stage(gives(1, after=1_000)) as s:
        s.server.stop_reading(600)
        for _ in range(20):
            await s.server.call_all(*[wire.FunctionCall(name="look")] * 100)
        await s.witness.until(lambda: s.session.statistics().tools.calls == 2_000)
        counts = s.session.statistics().tools
        assert (counts.open, counts.refused) == (64, 2_000 - 64)
        assert s.session.statistics().queues.outgoing <= 320
        assert len(s.session.tool_calls) <= 64 + 256


# --- The tool is wrong ---


async def test_a_tool_that_raises(autojump_clock: MockClock) -> None:
    async with stage(
        raises(ToolError("The door is shut.")), raises(KeyError("x"), name="find")
    ) as s:
        ids = [await s.server.call("look"), await s.server.call("find")]
        assert await s.answered(*ids) == [
            {"error": "The door is shut."},
            {"error": "The tool failed (KeyError)."},
        ]
    assert sorted(s.witness.outcomes()) == sorted((one, ANSWERED) for one in ids)
    assert all(call.failed for call in s.session.tool_calls)


async def test_a_tool_that_raises_before_it_waits(autojump_clock: MockClock) -> None:
    def handler(_args: Args, _context: ToolContext) -> Any:
        raise ToolError("Not today.")

    async with stage(make(handler)) as s:
        assert await s.answered(await s.server.call("look")) == [{"error": "Not today."}]


async def test_a_tool_that_gives_nothing_to_wait_for(autojump_clock: MockClock) -> None:
    async with stage(make(lambda args, context: "a cat")) as s:
        assert await s.answered(await s.server.call("look")) == [
            {"error": "The tool failed (TypeError)."}
        ]


async def test_a_tool_that_raises_a_group(autojump_clock: MockClock) -> None:
    async def handler(_args: Args, _context: ToolContext) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_raise, ToolError("The door is shut."))
            nursery.start_soon(trio.sleep_forever)

    async with stage(make(handler)) as s:
        assert await s.answered(await s.server.call("look")) == [{"error": "The door is shut."}]


async def _raise(error: BaseException) -> None:
    await trio.lowlevel.checkpoint()
    raise error


async def test_a_tool_that_hangs(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=1_000, timeout=5)) as s:
        call_id = await s.server.call("look")
        assert await s.answered(call_id) == [{"error": f"look took longer than 5 s, {STOPPED}"}]
        assert s.witness.outcomes() == [(call_id, TIMED_OUT)]
        await s.witness.until(lambda: finished(s))
        assert finished(s)[0].late


async def test_a_tool_that_ignores_cancellation_for_a_while(autojump_clock: MockClock) -> None:
    async def handler(_args: Args, context: ToolContext) -> str:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 9):
            await trio.sleep_forever()
        assert context.cancel_reason == "timed out after 5 s"
        return "late"

    async with stage(make(handler, timeout=5)) as s:
        call_id = await s.server.call("look")
        assert await s.answered(call_id) == [{"error": f"look took longer than 5 s, {STOPPED}"}]
        await s.witness.until(lambda: finished(s))
        assert finished(s)[0].late
        assert s.session.statistics().tools.late == 1
        assert s.witness.outcomes() == [(call_id, TIMED_OUT)]
    assert s.witness.outcomes() == [(call_id, TIMED_OUT)]
    assert len(s.responses()) == 1


async def test_a_stream_that_floods(autojump_clock: MockClock) -> None:
    async def pour(_args: Args, _context: ToolContext) -> AsyncIterator[int]:
        number = 0
        while True:
            number += 1
            yield number

    async with stage(make(lambda args, context: pour(args, context))) as s:
        call_id = await s.server.call("look")
        assert await s.answered(call_id) == [{"error": "look gave more than 1000 partial results."}]
        assert len(s.responses()) == 1_001


@pytest.mark.parametrize("model", [M31, M38])
async def test_progress_that_floods(model: str, autojump_clock: MockClock) -> None:
    async def handler(_args: Args, context: ToolContext) -> str:
        for number in range(20_000):
            context.progress(f"{number}")
        await trio.lowlevel.checkpoint()
        return "x"

    async with stage(make(handler), model=model) as s:
        assert await s.answered(await s.server.call("look")) == [{"output": "x"}]
        assert s.session.statistics().queues.events <= 4_097


async def test_progress_of_any_length_takes_no_more_than_its_room(
    autojump_clock: MockClock,
) -> None:
    async def handler(_args: Args, context: ToolContext) -> str:
        for _ in range(200):
            context.progress("x" * 2**20)
        await trio.lowlevel.checkpoint()
        return "x"

    async with stage(make(handler)) as s:
        assert await s.answered(await s.server.call("look")) == [{"output": "x"}]
        queues = s.session.statistics().queues
        assert queues.events < 50
        assert 10 * 2**20 < queues.event_bytes <= 32 * 2**20


@pytest.mark.parametrize("result", ["x" * 50 * 2**20, ["x" * 1_000] * 52_000, b"x" * 50 * 2**20])
async def test_a_result_of_fifty_mebibytes(result: Any, autojump_clock: MockClock) -> None:
    async with stage(gives(result)) as s:
        (answer,) = await s.answered(await s.server.call("look"))
        assert answer["error"].startswith("The tool's result can't be sent")
        assert s.session.statistics().bytes_sent < 10_000


@pytest.mark.parametrize("result", [float("nan"), b"raw", object(), {1j: 2}, "\ud800"])
async def test_results_that_json_does_not_hold(result: Any, autojump_clock: MockClock) -> None:
    async with stage(gives(result)) as s:
        (answer,) = await s.answered(await s.server.call("look"))
        assert list(answer) == ["error"]


async def test_limits_of_ones_own(autojump_clock: MockClock) -> None:
    small = gives("x" * 200, name="small", limit_bytes=100)
    policy = ToolPolicy(limit_bytes=300)
    async with stage(small, gives("x" * 200), tool_policy=policy) as s:
        first, second = await s.answered(await s.server.call("small"), await s.server.call("look"))
        assert "error" in first
        assert second == {"output": "x" * 200}


# --- Cancelled by the service ---


async def test_after_a_cancellation_nothing_is_sent(autojump_clock: MockClock) -> None:
    reasons = []

    async def handler(_args: Args, context: ToolContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            reasons.append(context.cancel_reason)

    async with stage(make(handler)) as s:
        call_id = await s.server.call("look")
        await s.witness.until(lambda: started(s))
        await s.server.cancel_calls()
        await s.witness.settled()
        await s.server.cancel_calls(call_id)  # twice
        await wait_all_tasks_blocked()
        assert s.witness.outcomes() == [(call_id, CANCELLED)]
        assert reasons == ["cancelled by the service"]
    assert s.responses() == []
    assert s.witness.outcomes() == [(call_id, CANCELLED)]


async def test_cancelled_before_it_began(autojump_clock: MockClock) -> None:
    async with stage(gives(1)) as s:
        call = wire.LiveServerToolCall(function_calls=[wire.FunctionCall(id="c1", name="look")])
        gone = wire.LiveServerToolCallCancellation(ids=["c1"])
        await s.server.send(wire.LiveServerMessage(tool_call=call, tool_call_cancellation=gone))
        await s.witness.settled()
        await wait_all_tasks_blocked()
        assert started(s) == []
    assert s.witness.outcomes() == [("c1", CANCELLED)]


async def test_cancelled_while_it_cleans_up(autojump_clock: MockClock) -> None:
    """It times out, takes its time in ``finally``, and is cancelled there."""
    cleaned = []

    async def handler(_args: Args, _context: ToolContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 3):
                await trio.sleep(2)
                cleaned.append(True)

    async with stage(make(handler, timeout=5)) as s:
        call_id = await s.server.call("look")
        await s.answered(call_id)
        await s.server.cancel_calls(call_id)
        await s.witness.until(lambda: finished(s))
        assert cleaned == [True]
    assert s.witness.outcomes() == [(call_id, TIMED_OUT)]
    assert len(s.responses()) == 1


async def test_a_result_that_comes_in_spite_of_a_cancellation_is_late(
    autojump_clock: MockClock,
) -> None:
    async def handler(_args: Args, _context: ToolContext) -> str:
        try:
            await trio.sleep_forever()
        except trio.Cancelled:
            return "all the same"  # a bad habit, but people have it
        return ""

    async with stage(make(handler)) as s:
        await s.server.call("look")
        await s.witness.until(lambda: started(s))
        await s.server.cancel_calls()
        await s.witness.until(lambda: finished(s))
        assert s.session.statistics().tools.late == 1
    assert s.responses() == []


async def test_an_error_in_spite_of_a_cancellation_is_logged_only(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_args: Args, _context: ToolContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while it cleaned up")

    async with stage(make(handler)) as s:
        await s.server.call("look")
        await s.witness.until(lambda: started(s))
        await s.server.cancel_calls()
        await s.witness.until(lambda: finished(s))
    assert s.responses() == []
    assert "while it cleaned up" in caplog.text


async def test_an_answer_that_waits_for_its_turn_is_taken_back(autojump_clock: MockClock) -> None:
    """The service reads nothing, so the answer is still here when the call is cancelled."""
    async with stage(gives("x" * 200_000)) as s:
        s.server.stop_reading(30)
        ids = await s.server.call_all(*[wire.FunctionCall(name="look")] * 5)
        await s.witness.until(lambda: len(finished(s)) == 5)
        await wait_all_tasks_blocked()
        last = finished(s)[-1].call_id
        assert last is not None
        await s.server.cancel_calls(last)
        await s.witness.settled()
        await s.answered(*set(ids) - {last})
        assert s.witness.outcomes()[0] == (last, CANCELLED)
    assert last not in s.answers()


# --- must_finish ---


async def test_what_must_finish_does_and_does_not_answer(autojump_clock: MockClock) -> None:
    done = []

    async def handler(_args: Args, context: ToolContext) -> str:
        await trio.sleep(5)
        done.append(context.cancel_reason)
        return "booked"

    async with stage(make(handler, must_finish=True)) as s:
        call_id = await s.server.call("look")
        await s.witness.until(lambda: started(s))
        await s.server.cancel_calls()
        await s.witness.settled()
        assert done == []
        await s.witness.until(lambda: finished(s))
        assert done == ["cancelled by the service"]
        assert finished(s)[0].late
        assert s.session.statistics().tools.late == 1
    assert s.responses() == []
    assert s.witness.outcomes() == [(call_id, CANCELLED)]


@pytest.mark.parametrize("way", ["cancelled", "left", "raised", "outside"])
async def test_what_must_finish_has_a_deadline(
    way: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    endless = gives(1, after=1_000, must_finish=True, timeout=float("inf"))
    began = 0.0
    with trio.CancelScope() as outer:
        try:
            async with stage(endless, tool_policy=ToolPolicy(finish_within=7)) as s:
                await s.server.call("look")
                await s.witness.until(lambda: started(s))
                began = trio.current_time()
                if way == "cancelled":
                    await s.server.cancel_calls()
                    await s.witness.until(lambda: finished(s))
                elif way == "raised":
                    raise KeyError(way)
                elif way == "outside":
                    outer.cancel()
                    await trio.sleep_forever()
        except KeyError:
            assert way == "raised"
    assert outer.cancelled_caught == (way == "outside")
    assert trio.current_time() - began == pytest.approx(7, abs=0.5)
    assert "must finish, and had not after 7 s more" in caplog.text


async def test_what_must_finish_need_not_begin(autojump_clock: MockClock) -> None:
    one_by_one = gives(1, after=5, limit=1, must_finish=True)
    async with stage(one_by_one) as s:
        await s.server.call_all(*[wire.FunctionCall(name="look")] * 3)
        await s.witness.until(lambda: started(s))
        began = trio.current_time()
    assert trio.current_time() - began == pytest.approx(5, abs=0.5)
    assert len(started(s)) == 1
    assert [outcome for _, outcome in s.witness.outcomes()] == [REFUSED] * 3


# --- The end of the session ---


async def test_closing_with_three_tools_alive(autojump_clock: MockClock) -> None:
    reasons = []

    async def handler(_args: Args, context: ToolContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            reasons.append(context.cancel_reason)

    async with stage(make(handler)) as s:
        ids = await s.server.call_all(*[wire.FunctionCall(name="look")] * 3)
        await s.witness.until(lambda: len(started(s)) == 3)
        left = trio.current_time()
    assert trio.current_time() - left < 2
    assert s.answers() == dict.fromkeys(ids, DOWN)
    assert sorted(s.witness.outcomes()) == sorted((one, REFUSED) for one in ids)
    assert reasons == ["the session is ending"] * 3


async def test_only_of_what_never_began_is_it_known_that_it_was_not_done(
    autojump_clock: MockClock,
) -> None:
    async with stage(gives(1, after=5, limit=1, must_finish=True)) as s:
        first, second = await s.server.call_all(*[wire.FunctionCall(name="look")] * 2)
        await s.witness.until(lambda: started(s))
    assert finished(s)  # it went on, whatever the model was told
    assert s.answers() == {first: DOWN, second: NOT_BEGUN}


async def test_closing_from_within(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=1_000)) as s:
        call_id = await s.server.call("look")
        await s.witness.until(lambda: started(s))
        await s.session.aclose()
        assert s.answers() == {call_id: DOWN}
        assert s.witness.outcomes() == [(call_id, REFUSED)]
    assert s.witness.outcomes() == [(call_id, REFUSED)]


async def test_a_tool_may_close_its_session(autojump_clock: MockClock) -> None:
    async def handler(_args: Args, context: ToolContext) -> None:
        await context.session.aclose()

    async with stage(make(handler)) as s:
        call_id = await s.server.call("look")
        with trio.fail_after(10):
            async for _event in s.session:
                pass
    assert s.witness.outcomes() == [(call_id, REFUSED)]
    assert s.answers() == {call_id: DOWN}


async def test_the_session_is_cancelled_with_three_tools_alive(autojump_clock: MockClock) -> None:
    cleaned = []

    async def handler(_args: Args, context: ToolContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            cleaned.append(context.cancel_reason)

    with trio.CancelScope() as scope:
        async with stage(make(handler)) as s:
            await s.server.call_all(*[wire.FunctionCall(name="look")] * 3)
            await s.witness.until(lambda: len(started(s)) == 3)
            scope.cancel()
            try:
                await trio.sleep_forever()
            finally:
                # Services, and so tools, are there until the block has been left.
                assert cleaned == []
    assert scope.cancelled_caught
    assert cleaned == ["the session is ending"] * 3
    assert [outcome for _, outcome in s.witness.outcomes()] == [REFUSED] * 3


async def test_a_session_that_breaks_ends_its_calls(autojump_clock: MockClock) -> None:
    stopped = []

    async def handler(_args: Args, context: ToolContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            stopped.append(context.cancel_reason)

    with pytest.raises(ConnectionLost):
        async with stage(make(handler), reconnect=ReconnectPolicy(enabled=False)) as s:
            call_id = await s.server.call("look")
            await s.witness.until(lambda: started(s))
            await s.server.drop()
            await s.witness.settled()
            await wait_all_tasks_blocked()
            assert stopped == ["the session ended"]
            assert s.witness.outcomes() == [(call_id, REFUSED)]
            with trio.fail_after(1):
                async for _event in s.session:
                    pass


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_what_is_no_exception_leaves_as_itself(
    kind: type[BaseException], autojump_clock: MockClock
) -> None:
    ended = []

    async def other(_args: Args, _context: ToolContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append(True)

    with pytest.raises(kind):
        async with stage(raises(kind()), make(other, "other")) as s:
            await s.server.call("other")
            await s.server.call("look")
            await trio.sleep_forever()
    assert ended == [True]
    assert [outcome for _, outcome in s.witness.outcomes()] == [REFUSED] * 2


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
async def test_what_must_finish_holds_up_ctrl_c_no_longer_than_its_deadline(
    kind: type[BaseException], autojump_clock: MockClock
) -> None:
    reasons = []

    async def other(_args: Args, context: ToolContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            reasons.append((context.cancel_reason, trio.current_time() - raised_at))

    with pytest.raises(kind):
        async with stage(raises(kind()), make(other, "other", must_finish=True, timeout=900)) as s:
            await s.server.call("other")
            await s.witness.until(lambda: started(s))
            raised_at = trio.current_time()
            await s.server.call("look")
            await trio.sleep(1_000)
    assert reasons == [("the session is ending", pytest.approx(10, abs=1))]
    assert [outcome for _, outcome in s.witness.outcomes()] == [REFUSED] * 2


async def test_the_blocks_own_exception_leaves_unchanged(autojump_clock: MockClock) -> None:
    mine = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        async with stage(gives(1, after=1_000)) as s:
            await s.server.call("look")
            await s.witness.until(lambda: started(s))
            raise mine
    assert caught.value is mine
    with pytest.raises(KeyError) as caught:
        async with stage() as s, open_tool_runner(s.session, [gives(1, after=1_000)]):
            raise mine
    assert caught.value is mine


async def test_ctrl_c_in_the_block_wins_over_a_tools_error(autojump_clock: MockClock) -> None:
    async def handler(_args: Args, _context: ToolContext) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while it cleaned up")

    with pytest.raises(KeyboardInterrupt):
        async with stage(make(handler)) as s:
            await s.server.call("look")
            await s.witness.until(lambda: started(s))
            raise KeyboardInterrupt


def test_ctrl_c_while_a_tool_runs() -> None:
    async def main() -> None:
        async def handler(_args: Args, _context: ToolContext) -> None:
            signal.raise_signal(signal.SIGINT)
            await trio.sleep_forever()

        async with stage(make(handler)) as s:
            await s.server.call("look")
            await trio.sleep_forever()

    with pytest.raises(KeyboardInterrupt):
        trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_a_thread_that_hangs_is_left_behind() -> None:
    """On the real clock, as threads need; nothing here waits for time to pass."""
    release, began = threading.Event(), threading.Event()

    def hang() -> str:
        began.set()
        release.wait(60)
        return "late"

    async def handler(_args: Args, _context: ToolContext) -> str:
        return await trio.to_thread.run_sync(hang, abandon_on_cancel=True)

    try:
        with trio.fail_after(30):
            async with stage(make(handler)) as s:
                call_id = await s.server.call("look")
                await trio.to_thread.run_sync(began.wait)
            assert s.answers() == {call_id: DOWN}
            assert s.witness.outcomes() == [(call_id, REFUSED)]
    finally:
        release.set()


# --- Reconnects ---


async def resumed(s: Stage, state: ReconnectState = ReconnectState.RESUMED) -> ServerConnection:
    """Wait for the next connection; return the service's end of it."""
    told = await until(s.session, Reconnected)
    assert told.state is state
    return await s.simulator.accept()


async def test_a_drop_between_call_and_answer(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat", after=5)) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.witness.until(lambda: started(s))
        await s.server.drop()
        server = await resumed(s)
        assert list(server.conversation.open_calls) == ["c1"]
        assert await s.answered("c1") == [{"output": "a cat"}]
        assert list(server.conversation.open_calls) == []
        await s.speak(server=server)
        await s.witness.settled()
    assert s.witness.outcomes() == [("c1", ANSWERED)]
    assert len(s.responses()) == 1


async def test_a_drop_before_the_answer_was_read(autojump_clock: MockClock) -> None:
    """It was written, and the service didn't read it: after the resume it is sent once more."""
    async with stage(gives("a cat")) as s:
        await until(s.session, ResumptionUpdate)
        s.server.stop_reading(5)
        await s.server.call("look", call_id="c1")
        await s.witness.until(lambda: finished(s))
        await wait_all_tasks_blocked()
        await s.server.drop()
        server = await resumed(s)
        assert list(server.conversation.open_calls) == ["c1"]
        await s.answered("c1")
        await s.speak(server=server)
        await s.witness.settled()
        assert list(server.conversation.open_calls) == []
    assert s.witness.outcomes() == [("c1", ANSWERED)]


async def test_a_drop_between_answer_and_evidence(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat"), mind="rules") as s:
        await s.session.send_text("call look")
        await s.witness.until(lambda: finished(s))
        await wait_all_tasks_blocked()
        assert s.witness.outcomes() == []
        await s.server.drop()
        await resumed(s)
        await s.witness.settled()
        (consumed,) = [
            one
            for one in s.simulator.conversations[0].consumed
            if one.kind == "toolResponse" and not one.ignored
        ]
        assert consumed
    assert [outcome for _, outcome in s.witness.outcomes()] == [ANSWERED]


async def test_a_fresh_session_is_told_in_words(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat", after=30)) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", {"at": "door"}, call_id="c1")
        await s.witness.until(lambda: started(s))
        await s.simulator.restart()
        server = await resumed(s, ReconnectState.FRESH)
        await s.witness.settled()
        assert s.witness.outcomes() == [("c1", RETOLD)]
        (text,) = s.texts()
        assert "The function look was called with" in text
        assert '"a cat"' in text
        assert s.responses() == []
        # The id is free again, and its call another one.
        await server.call("look", call_id="c1")
        await s.answered("c1")
        assert started(s) == ["c1", "c1"]


async def test_what_is_lost_between_answer_and_evidence_is_told_in_words(
    autojump_clock: MockClock,
) -> None:
    async with stage(gives("a cat")) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.answered("c1")
        assert s.witness.outcomes() == []
        await s.simulator.restart()
        await resumed(s, ReconnectState.FRESH)
        await s.witness.settled()
        assert s.witness.outcomes() == [("c1", RETOLD)]
        assert '"a cat"' in s.texts()[0]


async def test_what_is_told_in_words_does_not_interrupt(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat")) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.answered("c1")
        await s.simulator.restart()
        server = await resumed(s, ReconnectState.FRESH)
        said = wire.LiveServerContent(model_turn=wire.Content(parts=[wire.Part(text="Well,")]))
        await server.send(wire.LiveServerMessage(server_content=said))
        await trio.sleep(8)
        assert s.texts() == []
        over = wire.LiveServerContent(turn_complete=True)
        await server.send(wire.LiveServerMessage(server_content=over))
        await s.witness.settled()
        assert len(s.texts()) == 1


async def test_what_is_told_in_words_does_not_wait_for_ever(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat")) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.answered("c1")
        await s.simulator.restart()
        server = await resumed(s, ReconnectState.FRESH)
        began = trio.current_time()
        said = wire.LiveServerContent(model_turn=wire.Content(parts=[wire.Part(text="Well,")]))
        await server.send(wire.LiveServerMessage(server_content=said))
        await s.witness.settled()
        assert trio.current_time() - began == pytest.approx(15, abs=0.5)


async def test_a_silent_result_is_told_in_words_silently(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat", after=30, on_result="silent")) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.witness.until(lambda: started(s))
        await s.simulator.restart()
        await resumed(s, ReconnectState.FRESH)
        await s.witness.settled()
        (content,) = [
            frame.message.client_content
            for frame in s.simulator.received
            if frame.message is not None and frame.message.client_content is not None
        ]
        assert not content.turn_complete


async def test_a_call_of_a_time_that_was_rolled_back_is_taken_up_again(
    autojump_clock: MockClock,
) -> None:
    """On 3.1 a handle restores its own time: the question is put once more, and the call made."""
    runs = []

    async def handler(_args: Args, _context: ToolContext) -> str:
        runs.append(trio.current_time())
        await trio.sleep(6)
        return "a cat"

    async with stage(make(handler), model=M31, mind="rules") as s:
        await until(s.session, ResumptionUpdate)
        await s.session.send_text("call look with at=door")
        await s.witness.until(lambda: started(s))
        await s.server.drop()
        await resumed(s)
        await until(s.session, TurnComplete)
        await s.witness.settled(2)
        first, second = s.session.tool_calls
        assert (first.outcome, second.outcome) == (RETOLD, ANSWERED)
        assert first.reason == f"as the call {second.id}"
        assert len(runs) == 1
        assert list(s.answers()) == [second.id]
        assert s.texts() == ["call look with at=door"] * 2


async def test_a_resumed_connection_may_use_an_id_again(autojump_clock: MockClock) -> None:
    async with stage(gives(1)) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.answered("c1")
        await s.speak()
        await s.witness.settled(1)
        await s.server.drop()
        server = await resumed(s)
        await server.call("look", call_id="c1")
        await s.speak(server=server)
        await s.witness.settled(2)
        assert started(s) == ["c1", "c1"]
    assert s.witness.outcomes() == [("c1", ANSWERED)] * 2


async def test_a_pending_call_that_comes_again_after_a_resume_runs_once(
    autojump_clock: MockClock,
) -> None:
    async with stage(gives(1, after=10)) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", {"at": "door"}, call_id="c1")
        await s.witness.until(lambda: started(s))
        await s.server.drop()
        server = await resumed(s)
        await server.call("look", {"at": "door"}, call_id="c1")
        await s.answered("c1")
        assert started(s) == ["c1"]


async def test_an_id_that_goes_to_another_call_ends_the_one_before(
    autojump_clock: MockClock,
) -> None:
    async with stage(gives(1, after=10)) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", {"at": "door"}, call_id="c1")
        await s.witness.until(lambda: started(s))
        await s.server.drop()
        server = await resumed(s)
        await server.call("look", {"at": "sky"}, call_id="c1")
        await s.answered("c1")
        assert started(s) == ["c1", "c1"]
        assert s.witness.outcomes()[0] == ("c1", CANCELLED)
        assert s.session.tool_calls[0].reason == "its id went to another call"


async def test_parts_of_an_answer_are_not_sent_twice(autojump_clock: MockClock) -> None:
    async def count(_args: Args, _context: ToolContext) -> AsyncIterator[int]:
        for number in range(6):
            yield number
            await trio.sleep(1)

    async with stage(make(lambda args, context: count(args, context))) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.witness.until(lambda: started(s))
        await trio.sleep(2.5)
        await s.server.drop()
        await resumed(s)
        await s.answered("c1")
        told = [one.response for one in s.responses()]
        assert told == [*({"output": number} for number in range(6)), {"output": "done"}]


async def test_a_stream_that_was_cut_is_told_whole(autojump_clock: MockClock) -> None:
    async def count(_args: Args, _context: ToolContext) -> AsyncIterator[int]:
        for number in range(6):
            yield number
            await trio.sleep(1)

    async with stage(make(lambda args, context: count(args, context))) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.witness.until(lambda: started(s))
        await trio.sleep(2.5)
        await s.simulator.restart()
        await resumed(s, ReconnectState.FRESH)
        await s.witness.settled()
        assert s.witness.outcomes() == [("c1", RETOLD)]
        assert '{"output":[0,1,2,3,4,5]}' in s.texts()[0]
        assert len(s.responses()) == 3


@pytest.mark.parametrize("way", ["left", "closed"])
async def test_what_is_untold_is_told_at_the_end(way: str, autojump_clock: MockClock) -> None:
    async with stage(gives("a cat")) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.answered("c1")
        await s.simulator.restart()
        await resumed(s, ReconnectState.FRESH)
        if way == "closed":
            await s.session.aclose()
    assert s.witness.outcomes() == [("c1", RETOLD)]
    assert len(s.texts()) == 1


async def test_an_end_before_the_words_could_be_told(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat")) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.answered("c1")
        await s.simulator.restart()
        await resumed(s, ReconnectState.FRESH)
        s.simulator.accepting = False
        await s.simulator.drop_all()
        await until(s.session, Reconnecting)
    assert s.witness.outcomes() == [("c1", REFUSED)]
    assert s.session.tool_calls[0].reason == "the session ended"


async def test_calls_while_there_is_no_connection_end_in_time(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat", after=3), timeout_policy()) as s:
        await until(s.session, ResumptionUpdate)
        await s.server.call("look", call_id="c1")
        await s.server.call("slow", call_id="c2")
        await s.witness.until(lambda: len(started(s)) == 2)
        s.simulator.accepting = False
        await s.server.drop()
        await until(s.session, Reconnecting)
        await s.witness.settled()
        assert s.witness.outcomes() == [("c2", TIMED_OUT)]
        await trio.sleep(5)
        s.simulator.accepting = True
        await resumed(s)
        first, second = await s.answered("c1", "c2")
        assert first == {"output": "a cat"}
        assert "took longer than 4 s" in second["error"]


def timeout_policy() -> Any:
    return gives("late", after=100, name="slow", timeout=4)


# --- Cancelling what the user calls ---


def tasks() -> list[str]:
    root = trio.lowlevel.current_root_task()
    waiting, names = [root] if root else [], []
    while waiting:
        task = waiting.pop()
        names.append(task.name)
        for nursery in task.child_nurseries:
            waiting.extend(nursery.child_tasks)
    return names


async def cancel_after(ticks: int, scope: trio.CancelScope) -> None:
    for _ in range(ticks):
        await trio.lowlevel.cancel_shielded_checkpoint()
    scope.cancel()


@pytest.mark.parametrize("ticks", range(0, 60, 3))
async def test_cancelling_a_session_with_tools_at_any_moment_leaves_nothing_running(
    ticks: int, autojump_clock: MockClock
) -> None:
    async def converse() -> None:
        async with stage(gives(1, after=1), mind="rules") as s:
            await s.session.send_text("call look")
            await until(s.session, ToolCall)
            await trio.sleep_forever()

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(cancel_after, ticks, scope)
            await converse()
    assert not [name for name in tasks() if name.startswith("gemini_live_trio")]


@pytest.mark.parametrize("ticks", [*range(0, 90, 3)])
async def test_cancelling_the_opening_of_a_runner_leaves_a_working_session(
    ticks: int, autojump_clock: MockClock
) -> None:
    async with stage(gives(1), mind="rules") as s:
        await until(s.session, ResumptionUpdate)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel_after, ticks, scope)
                async with open_tool_runner(s.session, [gives(2, name="find")]) as runner:
                    await runner.aclose()
                    await runner.receive()
        await s.session.send_text("call look")
        await s.witness.until(lambda: finished(s))
        await s.witness.settled()
        assert [outcome for _, outcome in s.witness.outcomes()] == [ANSWERED]


@pytest.mark.parametrize("name", ["receive", "aclose"])
async def test_every_call_of_a_runner_is_a_checkpoint(name: str, autojump_clock: MockClock) -> None:
    async with stage(mind="rules") as s, open_tool_runner(s.session, [gives(1)]) as runner:
        with trio.testing.assert_checkpoints():
            await (runner.receive() if name == "receive" else runner.aclose())


async def test_a_runner_for_a_closed_session_is_refused(autojump_clock: MockClock) -> None:
    declared = wire.Tool(function_declarations=[gives(1).declaration])
    async with stage(config=SessionConfig(model=M38, tools=[declared])) as s:
        await s.session.aclose()
        with pytest.raises(trio.ClosedResourceError):
            async with open_tool_runner(s.session, [gives(1)]):
                raise AssertionError("it was opened")


async def test_nothing_is_kept_of_what_is_over(autojump_clock: MockClock) -> None:
    class Large:
        pass

    alive = 0

    async def handler(_args: Args, _context: ToolContext) -> str:
        nonlocal alive
        thing = Large()
        await trio.lowlevel.checkpoint()
        return f"{type(thing).__name__}" * 100

    async with stage(make(handler)) as s:
        for _ in range(40):
            await s.answered(*await s.server.call_all(*[wire.FunctionCall(name="look")] * 10))
        await s.speak()
        await s.speak()
        gc.collect()
        alive = sum(isinstance(thing, Large) for thing in gc.get_objects())
        kept = s.session.tool_calls
        assert len([call for call in kept if not call.open]) <= 256
    assert alive == 0


async def test_arguments_errors_are_for_the_tool_to_raise_too(autojump_clock: MockClock) -> None:
    async with stage(raises(ArgumentsError(["at: there is no such door"]))) as s:
        (answer,) = await s.answered(await s.server.call("look"))
        assert "no such door" in answer["error"]
        assert [outcome for _, outcome in s.witness.outcomes()] == [REFUSED]
        kinds = [type(event) for event in s.witness.tools()]
        assert kinds == [ToolStarted, ToolEnded, ToolFinished]


async def test_a_session_that_runs_no_tools_keeps_no_book_of_them(
    autojump_clock: MockClock,
) -> None:
    async with stage() as s:
        await s.server.call("look")
        await until(s.session, ToolCall)
        assert s.session._core.tools.desk is None
