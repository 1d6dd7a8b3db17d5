"""Tools that a session runs: what they, the model and the program are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from support import turn, until, words
from tools.running import (
    M25,
    M31,
    M38,
    THINKING,
    Args,
    Witness,
    config_for,
    gives,
    make,
    raises,
    stage,
)
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import GeminiApi, SessionConfig, open_session, wire
from gemini_live_trio.capabilities import TABLE, capability_of
from gemini_live_trio.config import CapabilityWarning
from gemini_live_trio.errors import ConfigError, LocalProtocolError, ToolError
from gemini_live_trio.events import (
    Reconnected,
    ReconnectState,
    ToolCall,
    ToolEnded,
    ToolFinished,
    ToolOutcome,
    ToolProgress,
    ToolStarted,
    TurnComplete,
)
from gemini_live_trio.simulator import open_simulator
from gemini_live_trio.tools import (
    Call,
    McpTools,
    Tool,
    ToolContext,
    ToolPolicy,
    open_tool_runner,
    tool,
)
from gemini_live_trio.tools._declaring import declarations, gather

ALL_MODELS = [M25, M31, M38, THINKING]
ANSWERED = ToolOutcome.ANSWERED


# --- A whole conversation ---


@pytest.mark.parametrize("model", ALL_MODELS)
async def test_a_call_is_run_and_answered_by_itself(model: str, autojump_clock: MockClock) -> None:
    async with stage(gives("a cat", after=2), model=model, mind="rules") as s:
        await s.session.send_text("call look with at=door")
        said = ""
        while "look answered" not in said:
            said += words(await turn(s.session))
        assert 'look answered: {"output": "a cat"}' in " ".join(said.split())
        await s.witness.settled()
        assert [outcome for _, outcome in s.witness.outcomes()] == [ANSWERED]
        (call,) = s.session.tool_calls
        assert (call.name, call.args, call.outcome) == ("look", {"at": "door"}, ANSWERED)
        assert call.finished_at == pytest.approx(call.came_at + 2)
        counts = s.session.statistics().tools
        assert (counts.calls, counts.answered, counts.open) == (1, 1, 0)


async def test_plain_functions_become_tools(autojump_clock: MockClock) -> None:
    async def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @tool
    async def greet(name: str) -> str:
        """Greet somebody."""
        return f"Hello, {name}!"

    async with stage(add, greet) as s:
        (setup,) = s.simulator.setups
        declared = setup.tools[0].function_declarations
        assert [one.name for one in declared] == ["add", "greet"]
        first = await s.server.call("add", {"a": 1, "b": 2})
        second = await s.server.call("greet", {"name": "Ada"})
        assert await s.answered(first, second) == [{"output": 3}, {"output": "Hello, Ada!"}]


async def test_the_program_is_told_of_every_step(autojump_clock: MockClock) -> None:
    async def handler(args: Args, context: ToolContext) -> str:
        assert context.session is s.session
        assert context.call_id == "c1"
        assert context.cancel_reason is None
        context.progress("half")
        await trio.sleep(3)
        return "done"

    async with stage(make(handler)) as s:
        async with s.session.subscribe(kinds=[ToolStarted, ToolProgress, ToolFinished]) as told:
            await s.server.call("look", {"at": "sky"}, call_id="c1")
            assert await told.receive() == ToolStarted("c1", "look", {"at": "sky"})
            assert await told.receive() == ToolProgress("c1", "look", "half")
            assert await told.receive() == ToolFinished("c1", "look", pytest.approx(3))
        await s.speak("It is done.")
        ended = await until(s.session, ToolEnded)
        assert (ended.outcome, ended.reason) == (ANSWERED, "")
    kinds = [type(event) for event in s.witness.events if not isinstance(event, TurnComplete)]
    assert kinds.index(ToolCall) < kinds.index(ToolStarted)


async def test_answers_in_doubt_are_told_at_the_end(autojump_clock: MockClock) -> None:
    async with stage(gives(1)) as s:
        call_id = await s.server.call("look")
        await s.answered(call_id)
        assert s.witness.outcomes() == []
        assert s.session.statistics().tools.open == 1
    assert s.witness.outcomes() == [(call_id, ANSWERED)]
    (call,) = s.session.tool_calls
    assert call.reason == "whether it arrived isn't known"


async def test_answers_carry_id_and_name(autojump_clock: MockClock) -> None:
    async with stage(gives({"output": 1})) as s:
        call_id = await s.server.call("look")
        await s.answered(call_id)
        (response,) = s.responses()
        assert (response.id, response.name, response.response) == (call_id, "look", {"output": 1})


# --- Behaviour and scheduling, explicit on the wire ---


@pytest.mark.parametrize(
    ("model", "blocking", "expected"),
    [
        (M25, None, "BLOCKING"),
        (M25, True, "BLOCKING"),
        (M25, False, "NON_BLOCKING"),
        (M31, None, "BLOCKING"),
        (M31, True, "BLOCKING"),
        (M38, None, "NON_BLOCKING"),
        (M38, True, "BLOCKING"),
        (M38, False, "NON_BLOCKING"),
        (THINKING, None, "NON_BLOCKING"),
        (THINKING, False, "NON_BLOCKING"),
    ],
)
async def test_behaviour_is_declared(
    model: str, blocking: bool | None, expected: str, autojump_clock: MockClock
) -> None:
    async with stage(gives(1, blocking=blocking), model=model) as s:
        ((group,),) = (setup.tools for setup in s.simulator.setups)
        assert [one.behavior for one in group.function_declarations] == [expected]


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        (M38, {}, "WHEN_IDLE"),
        (M38, {"on_result": "when_idle"}, "WHEN_IDLE"),
        (M38, {"on_result": "interrupt"}, "INTERRUPT"),
        (M38, {"on_result": "silent"}, "SILENT"),
        (M38, {"blocking": True}, None),
        (M25, {"blocking": False, "on_result": "silent"}, "SILENT"),
        (M25, {}, None),
        (M31, {}, None),
        (THINKING, {}, None),
    ],
)
async def test_scheduling_is_told(
    model: str, options: Any, expected: str | None, autojump_clock: MockClock
) -> None:
    async with stage(gives(1, **options), model=model) as s:
        await s.answered(await s.server.call("look"))
        assert [response.scheduling for response in s.responses()] == [expected]


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (M31, {"blocking": False}, "look: this model (3.1) waits for every tool"),
        (THINKING, {"blocking": True}, "waits for no tool"),
        (THINKING, {"on_result": "silent"}, "decides by itself"),
        (M31, {"on_result": "silent"}, "waits for this one; leave it out."),
        (M25, {"on_result": "silent"}, "leave it out, or add blocking=False"),
        (M38, {"blocking": True, "on_result": "interrupt"}, "waits for this one"),
        (M38, {"timeout": 0}, "timeout=0 is none"),
        (M38, {"timeout": float("nan")}, "timeout=nan is none"),
        (M38, {"limit": 0}, "limit=0 is none: use an int from 1"),
    ],
)
async def test_what_the_model_does_not_have_is_refused_before_any_io(
    model: str, options: Any, said: str, autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator:
        with pytest.raises(ConfigError) as error:
            async with open_session(
                config_for(model), tools=[gives(1, **options)], connector=simulator.connector
            ):
                pytest.fail("there should be no session")
        assert said in str(error.value)
        assert not simulator.setups


async def test_a_warning_is_enough_where_that_is_wanted(autojump_clock: MockClock) -> None:
    capability = capability_of(M31)
    with pytest.warns(CapabilityWarning, match="waits for every tool"):
        gather([gives(1, blocking=False)], capability, check="warn")
    gather([gives(1, blocking=False)], capability, check="off")


@tool(dialect="json_schema")
async def nested(tree: dict[str, Any]) -> int:
    return len(tree)


async def test_parameters_that_the_model_would_not_read_are_told(autojump_clock: MockClock) -> None:
    with pytest.warns(CapabilityWarning, match="calls the function without arguments; declare it"):
        async with stage(nested, model=M25):
            pass
    async with stage(nested, model=M31):  # a warning would be an error here
        pass


async def test_of_an_unknown_model_nothing_is_assumed() -> None:
    capability = TABLE.capability_of("gemini-9")
    (plain, blocking) = gather(
        [gives(1), gives(1, name="find", blocking=True, on_result=None)], capability
    )
    declared = declarations([plain, blocking], capability)
    assert [one.behavior for one in declared] == [None, "BLOCKING"]


class Lamp:
    @tool
    async def light(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("tools", "said"),
    [
        ([gives(1), gives(2)], "two tools with the name 'look'"),
        ([gives(1, name="by_hand")], "two tools with the name 'by_hand'"),
        ([gives(1, name="")], "'' can't be a tool's name"),
        ([gives(1, name="a b")], "'a b' can't be a tool's name"),
        ([gives(1, name="x" * 65)], "can't be a tool's name"),
        (
            [wire.Tool(function_declarations=[wire.FunctionDeclaration(name="f")])],
            "goes into SessionConfig(tools=",
        ),
        ([wire.FunctionDeclaration(name="f")], "goes into SessionConfig(tools="),
        ([wire.GoogleSearch], "write GoogleSearch()"),
        (wire.GoogleSearch(), "not a GoogleSearch: write tools=[...]"),
        (gives, "not a function: write tools=[...]"),
        ({"look": gives}, "not a dict."),
        ([[gives(1)]], "There is a list in tools: write tools=[*first, *second]"),
        ([McpTools([gives(1)])], "There is a McpTools in tools"),
        ([gives(1, timeout="3")], "look: timeout='3' is none: use seconds above 0"),
        ([gives(1, limit=1.5)], "look: limit=1.5 is none: use an int from 1"),
        ([gives(1, limit_bytes=0)], "look: limit_bytes=0 is none: use an int from 1"),
        ([gives(1, on_result="whenidle")], "look: on_result='whenidle' is none: use 'interrupt'"),
        ([gives(1, on_result=["silent"])], "look: on_result=['silent'] is none"),
        ([gives(1, blocking="no")], "look: blocking='no' is none: use True or False"),
        ([gives(1, must_finish=None)], "look: must_finish=None is none"),
        (
            [Tool(declaration={"name": "f"}, handler=gives(1).handler)],  # type: ignore[arg-type]
            "Tool(declaration=...) takes a wire.FunctionDeclaration, not a dict",
        ),
        (
            [Tool(declaration=wire.FunctionDeclaration(name="f"), handler=3)],  # type: ignore[arg-type]
            "f: Tool(handler=...) takes a function, not a int",
        ),
        ([Lamp.light], "@tool light is a method: take the tool from an instance"),
        ([1], "1 isn't a tool"),
        (["look"], "'look' isn't a tool"),
        ("look", "takes a list of tools, not a str"),
        (
            [
                Tool(
                    declaration=wire.FunctionDeclaration(name="f", behavior=wire.Behavior.BLOCKING),
                    handler=gives(1).handler,
                    blocking=False,
                )
            ],
            "contradicts the declaration's BLOCKING",
        ),
    ],
)
async def test_what_is_no_set_of_tools_is_refused_before_any_io(
    tools: Any, said: str, autojump_clock: MockClock
) -> None:
    by_hand = wire.Tool(function_declarations=[wire.FunctionDeclaration(name="by_hand")])
    config = SessionConfig(
        model=M38, tools=[by_hand], endpoint=GeminiApi(base_url="ws://127.0.0.1:9")
    )
    with pytest.raises(ConfigError) as error:
        async with open_session(config, tools=tools):
            pytest.fail("there should be no session")
    assert said in str(error.value)


# --- Streams ---


async def count(_args: Args, _context: ToolContext) -> AsyncIterator[int]:
    for number in (1, 2, 3):
        await trio.sleep(1)
        yield number


def counting(**options: Any) -> Tool:
    return make(lambda args, context: count(args, context), "count", streams=True, **options)


async def test_partial_results_are_told_as_they_come(autojump_clock: MockClock) -> None:
    async with stage(counting()) as s:
        began = trio.current_time()
        await s.answered(await s.server.call("count"))
        *parts, last = s.responses()
        assert [part.response for part in parts] == [{"output": number} for number in (1, 2, 3)]
        assert all(part.will_continue and part.scheduling == "WHEN_IDLE" for part in parts)
        assert (last.will_continue, last.scheduling) == (None, "SILENT")
        assert last.response == {"output": "done"}
        times = [
            frame.time - began
            for frame in s.simulator.received
            if frame.message is not None and frame.message.tool_response is not None
        ]
        assert times == pytest.approx([1, 2, 3, 3])


@pytest.mark.parametrize(("model", "options"), [(M31, {}), (M25, {}), (M38, {"blocking": True})])
async def test_elsewhere_they_are_one_answer(
    model: str, options: Any, autojump_clock: MockClock
) -> None:
    async with stage(counting(**options), model=model) as s:
        assert await s.answered(await s.server.call("count")) == [{"output": [1, 2, 3]}]
        assert len(s.responses()) == 1


async def test_a_stream_that_fails_ends_with_its_error(autojump_clock: MockClock) -> None:
    async def handler(_args: Args, _context: ToolContext) -> AsyncIterator[int]:
        yield 1
        await trio.sleep(1)
        raise ToolError("The tap is dry.")

    async with stage(make(lambda args, context: handler(args, context))) as s:
        assert await s.answered(await s.server.call("look")) == [{"error": "The tap is dry."}]
        assert [one.will_continue for one in s.responses()] == [True, None]
        assert s.responses()[-1].scheduling == "WHEN_IDLE"


async def test_an_empty_stream_is_an_answer_too(autojump_clock: MockClock) -> None:
    async def handler(_args: Args, _context: ToolContext) -> AsyncIterator[int]:
        await trio.lowlevel.checkpoint()
        return
        yield

    async with stage(make(lambda args, context: handler(args, context))) as s:
        assert await s.answered(await s.server.call("look")) == [{"output": "done"}]
        assert s.responses()[-1].scheduling == "WHEN_IDLE"


# --- Bounds ---


async def test_calls_wait_in_line_for_a_limited_tool(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=10, limit=2)) as s:
        began = trio.current_time()
        ids = await s.server.call_all(*[wire.FunctionCall(name="look")] * 5)
        await s.answered(*ids)
        assert trio.current_time() - began == pytest.approx(30, abs=0.1)
        starts = [one.call_id for one in s.witness.tools() if isinstance(one, ToolStarted)]
        assert [set(starts[:2]), set(starts[2:4]), starts[4:]] == [
            set(ids[:2]),
            set(ids[2:4]),
            [ids[4]],
        ]


async def test_a_call_in_line_runs_out_of_time_too(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=10, limit=1, timeout=15)) as s:
        ids = await s.server.call_all(*[wire.FunctionCall(name="look")] * 3)
        first, *rest = await s.answered(*ids)
        assert first == {"output": 1}
        waited = "look had to wait in line for 15 s, so it was not done."
        stopped = "look took longer than 15 s, so it was stopped; whether it was done isn't known."
        assert rest == [{"error": stopped}, {"error": waited}]
        assert [outcome for _, outcome in s.witness.outcomes()] == [ToolOutcome.TIMED_OUT] * 2
        assert sum(isinstance(one, ToolStarted) for one in s.witness.tools()) == 2


async def test_a_call_in_line_can_be_cancelled(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=10, limit=1)) as s:
        first, second = await s.server.call_all(*[wire.FunctionCall(name="look")] * 2)
        await s.server.cancel_calls(second)
        await s.answered(first)
        assert s.witness.outcomes() == [(second, ToolOutcome.CANCELLED)]
        assert sum(isinstance(one, ToolStarted) for one in s.witness.tools()) == 1


async def test_what_is_too_much_is_refused(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=5), tool_policy=ToolPolicy(most_calls=2)) as s:
        ids = await s.server.call_all(*[wire.FunctionCall(name="look")] * 3)
        answers = await s.answered(*ids)
        assert answers[:2] == [{"output": 1}] * 2
        assert answers[2] == {"error": "2 calls are running already; wait for their answers."}
        assert s.witness.outcomes() == [(ids[2], ToolOutcome.REFUSED)]
        # There is room again afterwards.
        assert await s.answered(await s.server.call("look")) == [{"output": 1}]


@pytest.mark.parametrize("field", ["timeout", "most_calls", "finish_within", "limit_bytes"])
def test_a_policy_has_no_nothings(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} must be greater than 0"):
        ToolPolicy(**{field: 0})
    with pytest.raises(ConfigError, match=f"{field} must be greater than 0, not 'many'"):
        ToolPolicy(**{field: "many"})
    if field == "timeout":
        assert ToolPolicy(timeout=None).timeout is None
    else:
        with pytest.raises(ConfigError, match=f"{field} must be greater than 0, not None"):
            ToolPolicy(**{field: None})


def test_a_policy_compares_with_a_function() -> None:
    with pytest.raises(ConfigError, match="same_call must be a function of two calls, not True"):
        ToolPolicy(same_call=True)  # type: ignore[arg-type]

    async def same(_earlier: Call, _new: Call) -> bool:
        return False

    with pytest.raises(ConfigError, match="same_call must not wait: write def"):
        ToolPolicy(same_call=same)  # type: ignore[arg-type]


@pytest.mark.parametrize("policy", [30, {"timeout": 30}])
async def test_what_is_no_policy_is_refused(policy: Any, autojump_clock: MockClock) -> None:
    said = "Tools are run by a ToolPolicy"
    config = config_for(M38, endpoint=GeminiApi(base_url="ws://127.0.0.1:9"))
    with pytest.raises(ConfigError, match=said):
        async with open_session(config, tools=[gives(1)], tool_policy=policy):
            pytest.fail("there should be no session")
    async with stage() as s:
        with pytest.raises(ConfigError, match=said):
            async with open_tool_runner(s.session, [gives(1)], policy=policy):
                pytest.fail("there should be no runner")


async def test_a_tool_without_a_time_of_its_own_has_the_policys(autojump_clock: MockClock) -> None:
    patient = gives(1, after=1_000, name="patient", timeout=float("inf"))
    async with stage(gives(1, after=1_000), patient, tool_policy=ToolPolicy(timeout=7)) as s:
        ids = [await s.server.call("look"), await s.server.call("patient")]
        began = trio.current_time()
        (told,) = await s.answered(ids[0])
        assert told["error"].startswith("look took longer than 7 s, so it was stopped")
        assert trio.current_time() - began == pytest.approx(7, abs=0.1)
        with trio.move_on_after(1_001) as waiting:
            await trio.sleep_forever()
        assert waiting.cancelled_caught
        assert s.answers()[ids[1]] == {"output": 1}


# --- Several runners, tools of others ---


async def test_functions_that_nobody_runs_are_left_to_the_program(
    autojump_clock: MockClock,
) -> None:
    by_hand = wire.Tool(function_declarations=[wire.FunctionDeclaration(name="by_hand")])
    config = SessionConfig(model=M38, tools=[by_hand])
    async with stage(gives(1), config=config) as s:
        await s.server.call("by_hand", call_id="c1")
        call = await until(s.session, ToolCall)
        assert call.name == "by_hand"
        await s.session.send_tool_response(
            [wire.FunctionResponse(id="c1", name="by_hand", response={"output": 2})]
        )
        assert await s.answered("c1") == [{"output": 2}]
        assert s.session.tool_calls == []


@pytest.mark.parametrize("when", ["while it runs", "after its answer", "after it was taken back"])
async def test_what_is_run_here_can_not_be_answered_by_hand_too(
    when: str, autojump_clock: MockClock
) -> None:
    async with stage(gives(1, after=5)) as s:
        await s.server.call("look", call_id="c1")
        if when == "after its answer":
            await s.answered("c1")
        elif when == "after it was taken back":
            await s.server.cancel_calls("c1")
        await wait_all_tasks_blocked()
        for more in (None, True):
            by_hand = wire.FunctionResponse(
                id="c1", name="look", response={"output": 2}, will_continue=more
            )
            with pytest.raises(LocalProtocolError, match="'c1' of look is answered by the session"):
                await s.session.send_tool_response([by_hand])
        await trio.sleep(10)
        taken_back = when == "after it was taken back"
        assert s.answers() == ({} if taken_back else {"c1": {"output": 1}})


async def test_an_id_that_goes_to_a_function_of_the_programs_is_answered_by_hand(
    autojump_clock: MockClock,
) -> None:
    by_hand = wire.Tool(function_declarations=[wire.FunctionDeclaration(name="by_hand")])
    async with stage(gives(1), config=SessionConfig(model=M38, tools=[by_hand])) as s:
        await s.server.call("look", call_id="c1")
        await s.answered("c1")
        await s.speak()
        await s.witness.settled()
        await s.server.call("by_hand", call_id="c1")
        await until(s.session, ToolCall)
        await until(s.session, ToolCall)
        await s.session.send_tool_response(
            [wire.FunctionResponse(id="c1", name="by_hand", response={"output": 2})]
        )
        await trio.sleep(1)
        assert [one.response for one in s.responses()] == [{"output": 1}, {"output": 2}]


async def test_functions_told_of_in_mid_session_are_left_alone_too(
    autojump_clock: MockClock,
) -> None:
    async with stage(gives(1)) as s:
        late = wire.Tool(function_declarations=[wire.FunctionDeclaration(name="late")])
        await s.session.update_context(tools=[late])
        await wait_all_tasks_blocked()
        (update,) = [
            frame.message.context_update
            for frame in s.simulator.received
            if frame.message is not None and frame.message.context_update is not None
        ]
        assert update.tools is not None
        names = [one.name for group in update.tools.tools for one in group.function_declarations]
        assert names == ["late", "look"]
        await s.server.call("late", call_id="c1")
        await until(s.session, ToolCall)
        assert s.session.tool_calls == []


@pytest.mark.parametrize("given", [None, "session"])
async def test_a_runner_wants_a_session(given: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        async with open_tool_runner(given, [gives(1)]):
            pytest.fail("there should be no runner")
    assert str(caught.value) == (
        f"open_tool_runner takes the session that open_session gave, not a {type(given).__name__}."
    )


async def test_a_runner_can_come_to_a_session_that_is_open(autojump_clock: MockClock) -> None:
    async with stage(mind="rules") as s, open_tool_runner(s.session, [gives("a cat")]) as events:
        assert [len(s.simulator.setups[place].tools) for place in (0, -1)] == [0, 1]
        await s.session.send_text("call look")
        async for event in events:
            if isinstance(event, ToolEnded):
                assert event.outcome is ANSWERED
                break
        (call,) = events.calls
        assert call.outcome is ANSWERED


async def test_what_is_declared_already_needs_no_new_connection(
    autojump_clock: MockClock,
) -> None:
    declared = wire.Tool(
        function_declarations=[wire.FunctionDeclaration(name="look", behavior="NON_BLOCKING")]
    )
    config = SessionConfig(model=M38, tools=[declared])
    async with stage(config=config) as s:
        async with open_tool_runner(s.session, [gives(1)]):
            assert await s.answered(await s.server.call("look")) == [{"output": 1}]
        assert len(s.simulator.setups) == 1


async def test_after_its_block_a_runners_tools_are_gone(autojump_clock: MockClock) -> None:
    async with stage(gives(1, name="stays")) as s:
        async with open_tool_runner(s.session, [gives(1, after=100)]) as runner:
            server = await s.simulator.accept()
            running = await server.call("look")
            await s.witness.until(lambda: runner.calls and runner.calls[0].began_at is not None)
        assert await s.answered(running) == [
            {"error": "The program has stopped this; whether it was done isn't known."}
        ]
        assert s.witness.outcomes() == [(running, ToolOutcome.REFUSED)]
        late = await server.call("look")
        assert await s.answered(late) == [{"error": "look is no longer available."}]
        assert await s.answered(await server.call("stays")) == [{"output": 1}]
        await s.speak(server=server)
        assert await s.session.reconnect() is ReconnectState.RESUMED
        names = [
            one.name
            for group in s.simulator.setups[-1].tools
            for one in group.function_declarations
        ]
        assert names == ["stays"]


async def test_runners_are_at_rest_while_nothing_happens(autojump_clock: MockClock) -> None:
    class Steps(trio.abc.Instrument):
        taken = 0

        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            self.taken += 1

    async with (
        stage(gives(1, after=50, name="stays")) as s,
        open_tool_runner(s.session, [gives(1)]),
        open_tool_runner(s.session, [gives(1, name="find")]),
    ):
        await s.simulator.accept()
        server = await s.simulator.accept()
        await s.answered(await server.call("find"))
        await wait_all_tasks_blocked()
        steps = Steps()
        trio.lowlevel.add_instrument(steps)
        await trio.sleep(19)  # less than until the next ping
        trio.lowlevel.remove_instrument(steps)
        assert steps.taken < 10


async def test_runners_do_not_share_names(autojump_clock: MockClock) -> None:
    async with stage(gives(1)) as s:
        with pytest.raises(ConfigError, match="two tools with the name 'look'"):
            async with open_tool_runner(s.session, [gives(2)]):
                pytest.fail("there should be no runner")
        assert await s.answered(await s.server.call("look")) == [{"output": 1}]


async def test_a_closed_runner_refuses(autojump_clock: MockClock) -> None:
    async with stage() as s, open_tool_runner(s.session, [gives(1)]) as runner:
        server = await s.simulator.accept()
        await runner.aclose()
        late = await server.call("look")
        assert await s.answered(late) == [{"error": "look is no longer available."}]


async def test_another_setup_keeps_the_tools(autojump_clock: MockClock) -> None:
    async with stage(gives(1)) as s:
        other = SessionConfig(model=M38, system_instruction="Be brief.")
        assert await s.session.reconnect(setup=other) is ReconnectState.RESUMED
        first, *_, second = s.simulator.setups
        assert first.tools == second.tools != []
        assert second.system_instruction is not None
        server = await s.simulator.accept()
        assert await s.answered(await server.call("look")) == [{"output": 1}]


async def test_a_session_without_tools_has_none(autojump_clock: MockClock) -> None:
    async with stage() as s:
        assert s.session.tool_calls == ()
        await s.server.call("look")
        await until(s.session, ToolCall)
        assert s.responses() == []
        assert not s.simulator.setups[0].tools


# --- The same call once more ---


async def test_a_judge_may_take_a_call_for_one_before(autojump_clock: MockClock) -> None:
    ran = []

    async def handler(args: Args, _context: ToolContext) -> str:
        ran.append(args)
        await trio.sleep(5)
        return "booked"

    def same(earlier: Any, new: Any) -> bool:
        return str(earlier.args["at"]).lower() == str(new.args["at"]).lower()

    async with stage(make(handler), tool_policy=ToolPolicy(same_call=same)) as s:
        await s.server.call("look", {"at": "Three"}, call_id="c1")
        await s.server.call("look", {"at": "three"}, call_id="c2")
        await s.server.call("look", {"at": "four"}, call_id="c3")
        answers = await s.answered("c1", "c2", "c3")
        assert answers == [{"output": "booked"}] * 3
        assert [args["at"] for args in ran] == ["Three", "four"]
        # The result of one that has ended serves as well.
        await s.speak("It is done.")
        await s.witness.settled(3)
        await s.server.call("look", {"at": "FOUR"}, call_id="c4")
        assert await s.answered("c4") == [{"output": "booked"}]
        assert len(ran) == 2
        assert [call.shares for call in s.session.tool_calls] == [None, 1, None, 3]
        assert s.session.statistics().tools.shared == 2


async def test_a_shared_run_goes_on_while_anybody_wants_it(autojump_clock: MockClock) -> None:
    policy = ToolPolicy(same_call=lambda earlier, new: True)
    async with stage(gives(1, after=5), tool_policy=policy) as s:
        await s.server.call("look", call_id="c1")
        await s.server.call("look", call_id="c2")
        await s.server.cancel_calls("c1")
        assert await s.answered("c2") == [{"output": 1}]
        assert s.witness.outcomes() == [("c1", ToolOutcome.CANCELLED)]
        assert "c1" not in s.answers()


async def test_without_a_judge_each_id_is_a_call_of_its_own(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=5)) as s:
        ids = await s.server.call_all(*[wire.FunctionCall(name="look", args={"a": 1})] * 2)
        await s.answered(*ids)
        assert sum(isinstance(one, ToolStarted) for one in s.witness.tools()) == 2


async def test_a_judge_that_raises_is_not_listened_to(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def judge(_earlier: Any, _new: Any) -> bool:
        raise ValueError("I don't know")

    async with stage(gives(1), tool_policy=ToolPolicy(same_call=judge)) as s:
        ids = await s.server.call_all(*[wire.FunctionCall(name="look")] * 2)
        assert await s.answered(*ids) == [{"output": 1}] * 2
    assert "same_call raised" in caplog.text


# --- Over a reconnect ---


async def test_a_call_survives_a_planned_move(autojump_clock: MockClock) -> None:
    async with stage(gives("a cat", after=8), mind="rules") as s:
        await s.session.send_text("call look")
        await until(s.session, TurnComplete)
        await s.session.reconnect()
        await s.witness.settled()
        assert [outcome for _, outcome in s.witness.outcomes()] == [ANSWERED]
        (frame,) = [
            frame
            for frame in s.simulator.received
            if frame.message is not None and frame.message.tool_response is not None
        ]
        assert frame.connection > 1


async def test_a_move_waits_for_a_tool_that_the_model_waits_for(
    autojump_clock: MockClock,
) -> None:
    async with stage(gives("a cat", after=8), model=M31, mind="rules") as s:
        await s.session.send_text("call look")
        await until(s.session, ToolCall)
        await s.server.go_away(60)
        assert (await until(s.session, Reconnected)).state is ReconnectState.RESUMED
        order = [type(event) for event in s.witness.events]
        assert order.index(ToolEnded) < order.index(Reconnected)


# --- Who watches ---


async def test_failures_are_short_for_the_model_and_whole_for_the_log(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(raises(ValueError("secret path"))) as s:
        assert await s.answered(await s.server.call("look")) == [
            {"error": "The tool failed (ValueError)."}
        ]
        (finished,) = [one for one in s.witness.tools() if isinstance(one, ToolFinished)]
        assert finished.failed
        assert isinstance(finished.error, ValueError)
    assert "secret path" in caplog.text
    (call,) = s.session.tool_calls
    assert call.failed


async def test_traces_tell_how_each_call_ended(autojump_clock: MockClock) -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    from gemini_live_trio.otel import OpenTelemetryObserver

    exporter = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    tools = [
        gives(1),
        gives(1, name="slow", after=50, timeout=2),
        raises(ToolError("secret"), name="fails"),
        gives({"error": "No."}, name="says_no"),
        gives(1, name="unwanted", after=50),
    ]
    async with stage(*tools) as s:
        with s.session.observe(OpenTelemetryObserver(provider.get_tracer("test"))):
            for name in ("look", "slow", "fails", "says_no", "unwanted", "fly"):
                await s.server.call(name, call_id=name)
            await s.answered("look", "slow", "fails", "says_no", "fly")
            await s.server.cancel_calls("unwanted")
            await wait_all_tasks_blocked()
            await s.session.aclose()
    spans = {
        span.attributes["gen_ai.tool.name"]: span
        for span in exporter.get_finished_spans()
        if span.name.startswith("execute_tool")
    }
    assert {name: span.attributes["gemini_live.tool.outcome"] for name, span in spans.items()} == {
        "look": "answered",
        "slow": "timed out",
        "fails": "answered",
        "says_no": "answered",
        "unwanted": "cancelled",
        "fly": "refused",
    }
    kinds = {name: span.attributes.get("error.type") for name, span in spans.items()}
    assert kinds["fails"] == "ToolError"
    assert kinds["says_no"] == "tool_error"
    assert kinds["look"] is None
    assert "secret" not in "".join(span.to_json() for span in spans.values())


async def test_progress_after_the_end_is_nothing(autojump_clock: MockClock) -> None:
    kept: list[ToolContext] = []

    async def handler(_args: Args, context: ToolContext) -> str:
        await trio.lowlevel.checkpoint()
        kept.append(context)
        return "x"

    async with stage(make(handler)) as s:
        await s.answered(await s.server.call("look"))
        kept[0].progress("too late")
    kept[0].progress("much too late")
    assert not [one for one in s.witness.tools() if isinstance(one, ToolProgress)]


async def test_witnesses_see_no_event_after_the_end(autojump_clock: MockClock) -> None:
    class Last(Witness):
        over = False

        def ended(self, error: Exception | None, *, time: float) -> None:
            self.over = True

        def event(self, event: Any, *, time: float) -> None:
            assert not self.over
            super().event(event, time=time)

    witness = Last()
    slow = gives(1, after=5, must_finish=True)
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(
            SessionConfig(model=M38),
            tools=[slow],
            connector=simulator.connector,
            observers=[witness],
        ) as session,
    ):
        server = await simulator.accept()
        await server.call("look")
        await witness.until(lambda: witness.tools())
        await session.aclose()
    assert session.statistics().observer_errors == 0
    assert witness.over
