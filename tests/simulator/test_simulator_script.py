"""Scripts: what is expected, how a mismatch is told, and what becomes of a failure."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from simulator.raw_client import SETUP, RawClient, dial, sound, spoken, tone
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import GeminiApi, SessionConfig, open_session, wire
from gemini_live_trio.events import Reconnected, ReconnectState, TurnComplete
from gemini_live_trio.simulator import Scene, ScriptError, ScriptMismatch, open_simulator


async def say(client: RawClient, text: str) -> None:
    await client.send(realtimeInput={"text": text})


async def patience() -> None:
    with trio.fail_after(1000):
        await trio.sleep_forever()


async def mismatch_of(script: Any, *messages: Mapping[str, Any], **options: Any) -> ScriptMismatch:
    """Send some messages to a script and wait; how it fails."""
    with pytest.raises(ScriptMismatch) as caught:
        async with (
            open_simulator(port=None, script=script, **options) as simulator,
            dial(simulator) as client,
        ):
            await client.set_up()
            for message in messages:
                await client.send(**message)
            await patience()
    return caught.value


TEXT = {"realtimeInput": {"text": "Hello"}}
AUDIO = {
    "realtimeInput": {
        "audio": {
            "data": base64.b64encode(tone(0.1)).decode(),
            "mimeType": "audio/pcm;rate=16000",
        }
    }
}
TURN = {
    "clientContent": {
        "turns": [
            {"role": "user", "parts": [{"text": "Before."}]},
            {"role": "user", "parts": [{"text": "Hello"}]},
        ],
        "turnComplete": True,
    }
}


# --- A script that goes well ---


@pytest.mark.parametrize("real", [False, True])
async def test_a_conversation_by_script(real: bool) -> None:
    steps = []

    async def scenario(server: Scene) -> None:
        connection = await server.connected({"model": SETUP["model"]})
        assert connection is server.connection
        assert await server.expect_text("Hello") == "Hello"
        assert await server.say("Good day to you.")
        assert await server.expect_audio(0.25) == tone(0.3)
        await server.transcribe("You hummed.")
        ending = await server.expect_end(by="client", code=1000)
        steps.append(ending.code)

    async with (
        open_simulator(
            port=0 if real else None, script=scenario, pace=0, voice="tone"
        ) as simulator,
        dial(simulator, real=real) as client,
    ):
        await client.set_up(outputAudioTranscription={})
        await say(client, "Hello")
        answer = await client.until("turnComplete")
        assert spoken(answer) == "Good day to you."
        assert sound(answer)
        for start in range(0, 9_600, 3_200):
            await client.send_audio(tone(0.3)[start : start + 3_200])
        message = (await client.until("inputTranscription"))[-1]
        assert message["serverContent"]["inputTranscription"]["text"] == "You hummed."
        await client.websocket.aclose()
    assert steps == [1000]
    simulator.assert_complete()


async def test_it_goes_on_over_several_connections(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.send_handle("h1")
        await server.expect_text("Remember me.")
        await server.say("I will.")
        await server.drop()
        await server.connected({"sessionResumption": {"handle": "h1"}})
        await server.expect_text("Who am I?")
        await server.say("Somebody.")

    async with open_simulator(port=None, script=scenario) as simulator:
        config = SessionConfig(model="gemini-3.8-live")
        async with open_session(config, connector=simulator.connector) as session:
            await session.send_text("Remember me.")
            turns = 0
            async for event in session:
                if isinstance(event, Reconnected):
                    assert event.state is ReconnectState.RESUMED
                    await session.send_text("Who am I?")
                if isinstance(event, TurnComplete):
                    turns += 1
                    if turns == 2:
                        break
        simulator.assert_complete()


async def test_it_works_over_a_real_port_with_a_session() -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_text(re.compile("^Hel"), within=10)
        await server.say("Good day.")

    async with open_simulator(script=scenario, pace=0, voice="tone") as simulator:
        config = SessionConfig(model="gemini-3.8-live", endpoint=GeminiApi(base_url=simulator.url))
        async with open_session(config) as session:
            await session.send_text("Hello")
            async for event in session:
                if isinstance(event, TurnComplete):
                    break


async def test_a_turn_that_is_interrupted_was_not_said_wholly(autojump_clock: MockClock) -> None:
    outcomes = []

    async def scenario(server: Scene) -> None:
        await server.connected()
        outcomes.append(await server.say("One. Two. Three. " * 20))
        await server.expect_text("Stop")
        outcomes.append(await server.say("Well."))

    async with (
        open_simulator(port=None, script=scenario) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        await client.until("modelTurn")
        await say(client, "Stop")
        await client.until("interrupted")
        await client.until("turnComplete")
        await client.until("turnComplete")
    assert outcomes == [False, True]


@pytest.mark.parametrize(
    "wanted",
    [
        "realtimeInput",
        "text",
        {"realtimeInput": {"text": "Hello"}},
        {"realtime_input": {"text": "Hello"}},
        {"realtimeInput": {}},
        lambda message: message.realtime_input.text.startswith("H"),
    ],
)
async def test_a_message_is_expected_by_name_by_part_or_by_function(
    wanted: Any, autojump_clock: MockClock
) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        message = await server.expect(wanted)
        assert message.realtime_input is not None
        assert message.realtime_input.text == "Hello"

    async with (
        open_simulator(port=None, script=scenario) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        await say(client, "Hello")


async def test_a_part_may_leave_things_out_but_not_of_a_list(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        turns = [{"parts": [{"text": "Before."}]}, {"role": "user"}]
        await server.expect({"clientContent": {"turns": turns}})
        await server.expect({"clientContent": {"turns": turns[:1]}})

    mismatch = await mismatch_of(scenario, TURN, TURN)
    assert mismatch.step == 3
    assert mismatch.got.endswith("clientContent.turns has 2 items, not 1")


async def test_text_may_come_in_either_field(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        for _ in range(2):
            await server.expect_text("Hello")
        assert await server.expect_text() == "Hello"

    async with (
        open_simulator(port=None, script=scenario) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        for message in (TURN, TEXT, TEXT):
            await client.send(**message)


async def test_media_need_not_be_expected(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_text("Hello")
        await server.expect("audioStreamEnd")

    async with (
        open_simulator(port=None, script=scenario) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        await client.send(**AUDIO)
        await client.send(**TEXT)
        await client.send(**AUDIO)
        await client.send(realtimeInput={"audioStreamEnd": True})
        await client.send(**AUDIO)


async def test_answers_in_one_message_are_expected_one_by_one(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        first = await server.call("look", {"at": "sky"})
        second = await server.call("listen", call_id="c2")
        assert second == "c2"
        assert (await server.expect_tool_response("c2")).response == {"heard": "rain"}
        answer = await server.expect_tool_response(name="look")
        assert (answer.id, answer.response) == (first, {"seen": "clouds"})

    async with (
        open_simulator(port=None, script=scenario) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        (call,) = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
        assert call["args"] == {"at": "sky"}
        await client.until("toolCall")
        answers = [
            {"id": call["id"], "name": "look", "response": {"seen": "clouds"}},
            {"id": "c2", "name": "listen", "response": {"heard": "rain"}},
        ]
        await client.send(toolResponse={"functionResponses": answers})


async def test_with_a_mind_only_what_is_expected_counts(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        assert server.strict is False
        await server.expect_text("Goodbye")

    async with (
        open_simulator(port=None, script=scenario, mind="rules") as simulator,
        dial(simulator) as client,
    ):
        await client.set_up(outputAudioTranscription={})
        assert spoken(await client.say("say hello")) == "hello"
        await say(client, "Goodbye")


async def test_skipping_is_up_to_the_step(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_text("Hello", skip=True)
        await server.expect_nothing(5)

    async with (
        open_simulator(port=None, script=scenario) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        await say(client, "Hm.")
        await say(client, "Hello")
        await client.send(**AUDIO)
        await wait_all_tasks_blocked()
        autojump_clock.jump(5)
        await wait_all_tasks_blocked()
        simulator.assert_complete()


async def test_a_script_gets_a_moment_at_the_end(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_end()
        with trio.move_on_after(0.9):
            await trio.sleep_forever()

    async with (
        open_simulator(port=None, script=scenario) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
    simulator.assert_complete()


# --- A script that fails ---


async def test_a_mismatch_ends_the_block_at_once_and_says_everything(
    autojump_clock: MockClock,
) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_text("Hello")
        await server.expect({"realtimeInput": {"text": "How are you?"}})

    mismatch = await mismatch_of(scenario, TEXT, {"realtimeInput": {"text": "How old are you?"}})
    assert isinstance(mismatch, AssertionError)
    assert str(mismatch) == (
        "The script failed at step 3, expect({'realtimeInput': {'text': 'How are you?'}}): the "
        "client sent realtimeInput.text 'How old are you?' (connection 1, at 0.20 s): "
        "realtimeInput.text is 'How old are you?', not 'How are you?'. "
        "Before it: 1 connected(); 2 expect_text('Hello')."
    )
    assert mismatch.step == 3
    assert mismatch.expected == "expect({'realtimeInput': {'text': 'How are you?'}})"
    assert mismatch.got.startswith("the client sent realtimeInput.text 'How old are you?'")


async def steps_then(server: Scene, step: str) -> None:
    await server.connected()
    match step:
        case "text":
            await server.expect_text("Hullo")
        case "tool":
            await server.expect_tool_response("c1")
        case "audio":
            await server.expect_audio(1)
        case "nothing":
            await server.expect_nothing(5)
        case "end":
            await server.expect_end()
        case "next":
            await server.connected()
        case "function":
            await server.expect(lambda message: message.setup is not None)


@pytest.mark.parametrize("step", ["text", "tool", "audio", "nothing", "end", "next", "function"])
async def test_another_message_is_a_mismatch(step: str, autojump_clock: MockClock) -> None:
    mismatch = await mismatch_of(lambda server: steps_then(server, step), AUDIO, TEXT)
    assert mismatch.step == 2
    assert "the client sent realtimeInput.text 'Hello'" in str(mismatch)


@pytest.mark.parametrize("step", ["text", "tool", "audio", "function"])
async def test_the_end_is_a_mismatch_where_a_message_was_expected(
    step: str, autojump_clock: MockClock
) -> None:
    with pytest.raises(
        ScriptMismatch, match="the connection is over: ended by the client with 1000"
    ):
        async with open_simulator(
            port=None, script=lambda server: steps_then(server, step)
        ) as simulator:
            async with dial(simulator) as client:
                await client.set_up()
            await patience()


@pytest.mark.parametrize("step", ["connected", "expect", "text", "tool", "audio", "end"])
async def test_a_step_may_have_a_limit(step: str, autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        match step:
            case "connected":
                await server.connected(within=5)
            case "expect":
                await server.expect("text", within=5)
            case "text":
                await server.expect_text(within=5)
            case "tool":
                await server.expect_tool_response(within=5)
            case "audio":
                await server.expect_audio(9, within=5)
            case _:
                await server.expect_end(within=5)

    mismatch = await mismatch_of(scenario, AUDIO)
    assert mismatch.got.startswith("it didn't come within 5 s")
    assert ("0.10 s of sound had come" in mismatch.got) is (step == "audio")
    assert trio.current_time() == pytest.approx(5, abs=1)


async def test_an_end_of_another_kind_is_a_mismatch(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.close(1011, "Oh.")
        await server.expect_end(by="client", code=1000)

    mismatch = await mismatch_of(scenario)
    assert mismatch.got == (
        "the connection is over: ended by the server with 1011 Oh. (closed on request)"
    )


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"tools": [{}]}, "setup.tools has 0 items, not 1"),
        ({"model": "models/gemini-3.1-flash-live-preview"}, "setup.model is 'models/gemini-3.8-l"),
        ({"sessionResumption": {"handle": "h"}}, "there is no setup.sessionResumption"),
        (lambda setup: setup.model is None, "the function says no"),
    ],
)
async def test_another_setup_is_a_mismatch(
    wanted: Any, why: str, autojump_clock: MockClock
) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected(wanted)

    assert f"the setup doesn't fit: {why}" in str(await mismatch_of(scenario))


async def test_a_script_that_is_not_over_is_a_mismatch(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.connected()

    with pytest.raises(ScriptMismatch, match=r"isn't over: it has got to step 2, connected\(\)"):
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            dial(simulator) as client,
        ):
            await client.set_up()
            await wait_all_tasks_blocked()
            with pytest.raises(ScriptMismatch, match="isn't over"):
                simulator.assert_complete()
    with pytest.raises(ScriptMismatch, match="isn't over"):
        simulator.assert_complete()


@pytest.mark.parametrize("strict", [True, False])
async def test_what_comes_after_the_end_of_the_script(
    strict: bool, autojump_clock: MockClock
) -> None:
    async def scenario(server: Scene) -> None:
        server.strict = strict
        await server.connected()

    async def converse() -> None:
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            dial(simulator) as client,
        ):
            await client.set_up()
            await client.send(**AUDIO)
            await wait_all_tasks_blocked()
            simulator.assert_complete()
            await client.send(**TEXT)

    if strict:
        with pytest.raises(ScriptMismatch, match="at step 1, the end of the script"):
            await converse()
    else:
        await converse()


async def test_an_exception_of_the_script_leaves_as_it_is(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            dial(simulator) as client,
        ):
            await client.set_up()
            await patience()
    assert caught.value.__notes__ == ["It came from the script, at step 1, connected()."]


async def test_the_blocks_own_exception_wins(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected(within=5)

    with pytest.raises(KeyError) as caught:
        async with open_simulator(port=None, script=scenario):
            try:
                await patience()
            finally:
                raise KeyError("mine")
    assert any("The script had failed as well: " in note for note in caught.value.__notes__)
    with pytest.raises(KeyError) as caught:
        async with open_simulator(port=None, script=scenario):
            raise KeyError("mine")
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("step", ["send", "say", "go_away"])
async def test_sending_on_a_connection_that_is_over_is_a_mismatch(
    step: str, autojump_clock: MockClock
) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_end()
        match step:
            case "send":
                await server.send(wire.LiveServerMessage())
            case "say":
                await server.say("Hello?")
            case _:
                await server.go_away(5)

    with pytest.raises(ScriptMismatch, match="the connection is closed, so nothing can be sent"):
        async with open_simulator(port=None, script=scenario) as simulator:
            async with dial(simulator) as client:
                await client.set_up()
            await patience()


async def test_too_much_that_nobody_expects_is_told_and_bounded(autojump_clock: MockClock) -> None:
    go_on = trio.Event()

    async def scenario(server: Scene) -> None:
        await server.connected()
        await go_on.wait()
        await server.expect_text("Hello", skip=True)

    with pytest.raises(ScriptMismatch, match="too much came at once, and realtimeInput"):
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            dial(simulator) as client,
        ):
            await client.set_up()
            for _ in range(6):
                await say(client, "x" * 4_000_000)
            await wait_all_tasks_blocked()
            go_on.set()
            await patience()


@pytest.mark.parametrize("script_goes_on", [False, True])
@pytest.mark.parametrize("which", ["never taken", "left behind"])
async def test_no_message_may_come_on_another_connection(
    which: str, script_goes_on: bool, autojump_clock: MockClock
) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        if which == "left behind":
            await server.connected()
        if script_goes_on:
            await server.expect_text("Hello")

    number = 2 if which == "never taken" else 1
    with pytest.raises(
        ScriptMismatch, match=rf"sent realtimeInput\.text 'Oh\.' \(connection {number},"
    ):
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            dial(simulator) as first,
        ):
            await first.set_up()
            async with dial(simulator) as second:
                await second.set_up()
                await wait_all_tasks_blocked()
                await say(first if which == "left behind" else second, "Oh.")
                await wait_all_tasks_blocked()
                if which == "never taken" and script_goes_on:
                    await say(first, "Hello")


async def test_more_connections_than_are_kept_are_not_forgotten(
    autojump_clock: MockClock,
) -> None:
    async def scenario(server: Scene) -> None:
        await trio.lowlevel.checkpoint()

    with pytest.raises(ScriptMismatch, match=r"sent realtimeInput\.text 'Oh\.' \(connection 1,"):
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            trio.open_nursery() as nursery,
        ):
            async with dial(simulator) as client:
                await client.set_up()
                await say(client, "Oh.")
            for _ in range(64):
                async with dial(simulator) as client:
                    await client.set_up()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("expected", [False, True])
async def test_nothing_is_not_the_end(expected: bool, autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        if expected:
            await server.expect_end()
        await server.expect_nothing(0.5)

    async def converse() -> None:
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            dial(simulator) as client,
        ):
            await client.set_up()

    if expected:
        await converse()
    else:
        with pytest.raises(ScriptMismatch, match=r"expect_nothing\(0\.5\): the connection is over"):
            await converse()


@pytest.mark.parametrize("what", ["frame", "setup"])
@pytest.mark.parametrize("step", ["none", "connected", "expect", "nothing"])
async def test_what_is_illegal_is_a_mismatch(
    what: str, step: str, autojump_clock: MockClock
) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        match step:
            case "connected":
                await server.connected()
            case "expect":
                await server.expect_text("Hello")
            case "nothing":
                await server.expect_nothing(0.5)

    why = "Unknown name" if what == "frame" else "models/nope is not found"
    with pytest.raises(ScriptMismatch, match=f"the client sent what is illegal .*{why}"):
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            dial(simulator) as client,
        ):
            await client.set_up()
            if what == "frame":
                await client.send(nonsense={})
            else:
                async with dial(simulator) as other:
                    await other.refused(model="models/nope")


async def test_an_illegal_frame_whose_end_is_expected(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_end(by="server", code=1007)

    async with open_simulator(port=None, script=scenario) as simulator, dial(simulator) as client:
        await client.set_up()
        await client.send(nonsense={})
        await client.closed()


async def test_in_lenient_mode_what_is_illegal_is_ignored(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_text("Hello")

    async with (
        open_simulator(port=None, script=scenario, lenient=True) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        await client.send(nonsense={})
        await say(client, "Hello")


@pytest.mark.parametrize("step", ["none", "nothing"])
async def test_what_was_forgotten_is_told(step: str, autojump_clock: MockClock) -> None:
    go_on = trio.Event()

    async def scenario(server: Scene) -> None:
        await server.connected()
        await go_on.wait()
        if step == "nothing":
            await server.expect_nothing(0.5)

    with pytest.raises(ScriptMismatch, match=r"realtimeInput\.text 'Oh\.' had to be forgotten"):
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            dial(simulator) as client,
        ):
            await client.set_up()
            await say(client, "Oh.")
            for _ in range(5):
                await client.send_audio(bytes(3_000_000))
            await wait_all_tasks_blocked()
            go_on.set()


async def test_true_is_not_one(autojump_clock: MockClock) -> None:
    def answer(value: object) -> dict[str, Any]:
        response = {"id": "c1", "name": "look", "response": {"ok": value}}
        return {"toolResponse": {"functionResponses": [response]}}

    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.call("look", call_id="c1")
        await server.expect(answer(True))

    mismatch = await mismatch_of(scenario, answer(1))
    assert mismatch.got.endswith("response.ok is 1, not True")


@pytest.mark.parametrize(
    ("handle", "why"),
    [
        ("h1", None),
        ("", "setup.sessionResumption.handle is empty"),
        (None, "there is no setup.sessionResumption.handle"),
    ],
)
async def test_any_text_but_the_empty_one(
    handle: str | None, why: str | None, autojump_clock: MockClock
) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.send_handle("h1")
        await server.expect_end()
        await server.connected({"sessionResumption": {"handle": "<any>"}})

    async def converse() -> None:
        async with open_simulator(port=None, script=scenario, resume_lock=False) as simulator:
            async with dial(simulator) as client:
                await client.set_up()
                await client.until("sessionResumptionUpdate")
            async with dial(simulator) as client:
                await client.set_up(sessionResumption={} if handle is None else {"handle": handle})

    if why is None:
        await converse()
    else:
        with pytest.raises(ScriptMismatch, match=re.escape(why)):
            await converse()


async def test_what_fails_while_the_block_leaves_has_the_scripts_failure(
    autojump_clock: MockClock,
) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_text("Hello")

    async def check_at_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise AssertionError("mine")

    async def converse() -> None:
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            trio.open_nursery() as nursery,
            dial(simulator) as client,
        ):
            nursery.start_soon(check_at_the_end)
            await client.set_up()
            await say(client, "Hullo")
            await patience()

    with pytest.RaisesGroup(pytest.RaisesExc(AssertionError, match="mine")) as caught:
        await converse()
    assert any("The script had failed as well: " in note for note in caught.value.__notes__)


async def test_a_script_that_leaves_with_a_group(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            raise KeyError("mine")

    with pytest.RaisesGroup(KeyError) as caught:
        async with open_simulator(port=None, script=scenario):
            await patience()
    assert caught.value.__notes__ == ["It came from the script, at step 1."]


async def test_a_cancelled_block_does_not_hide_the_scripts_failure(
    autojump_clock: MockClock,
) -> None:
    async def scenario(server: Scene) -> None:
        await trio.lowlevel.checkpoint()
        raise KeyError("mine")

    async def waits(server: Scene) -> None:
        await server.connected()

    with pytest.raises(KeyError), trio.CancelScope() as scope:
        async with open_simulator(port=None, script=scenario):
            try:
                await patience()
            finally:
                scope.cancel()
    with trio.CancelScope() as scope:
        async with open_simulator(port=None, script=waits):
            scope.cancel()
            await patience()
    assert scope.cancelled_caught


async def test_ctrl_c_among_what_leaves_the_block_wins(autojump_clock: MockClock) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected(within=5)

    async def stop_at_the_end() -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        async with open_simulator(port=None, script=scenario):
            try:
                await patience()
            finally:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(stop_at_the_end)
                    await patience()
    assert any("The script had failed as well: " in note for note in caught.value.__notes__)


# --- A script that can't be run ---


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ("toolRespons", "No message has a field 'toolRespons'. Did you mean toolResponse?"),
        ({"realtimeInputs": {}}, "no message has a 'realtimeInputs'. Did you mean realtimeInput?"),
        (
            {"clientContent": {"turns": [{"part": []}]}},
            "no message has a 'part' in clientContent.turns[0]. Did you mean parts?",
        ),
        ({"realtimeInput": 5}, "no client could send this"),
    ],
)
async def test_what_no_message_can_be_is_no_expectation(
    wanted: Any, why: str, autojump_clock: MockClock
) -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect(wanted)

    with pytest.raises(ScriptError, match=re.escape(why)):
        async with (
            open_simulator(port=None, script=scenario) as simulator,
            dial(simulator) as client,
        ):
            await client.set_up()
            await patience()


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (lambda server: server.say("Hello"), "There is no connection yet"),
        (lambda server: server.expect_text(), "There is no connection yet"),
        (
            lambda server: server.do("refuze 2"),
            "There is no command 'refuze'. Did you mean refuse?",
        ),
        (lambda server: server.do("refuse much"), "times is a whole number from 1, not 'much'"),
    ],
)
async def test_steps_that_make_no_sense(step: Any, why: str, autojump_clock: MockClock) -> None:
    with pytest.raises(ScriptError, match=re.escape(why)):
        async with open_simulator(port=None, script=step):
            await patience()


async def test_without_a_script_there_is_nothing_to_complete(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        with pytest.raises(ScriptError, match="no script"):
            simulator.assert_complete()


async def test_every_call_of_a_connection_and_of_the_simulator_is_there(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async def scenario(server: Scene) -> None:
        server.refuse_next_setup(1011, "Later.")
        server.delay_next_setup(5)
        await server.connected()
        server.freeze(1)
        server.delay_pongs(5)
        await server.do("late-pongs 6")
        await server.go_away(3)
        assert (await server.expect_end(by="server", code=1008)).code == 1008

    async with open_simulator(port=None, script=scenario) as simulator:
        async with dial(simulator) as client:
            await client.send(setup=SETUP)
            assert (await client.closed()).reason == "Later."
        async with dial(simulator) as client:
            await client.set_up()
            assert (await client.closed()).code == 1008
        await wait_all_tasks_blocked()
        simulator.assert_complete()
