"""Function calls: who waits for whom, what comes in which order, and what an interruption does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from simulator.raw_client import Closed, RawClient, dial, order, silence, sound, spoken, tone
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio.simulator import Call, Reply, Simulator, Situation, open_simulator

M25 = "gemini-2.5-flash-native-audio-latest"
M31 = "gemini-3.1-flash-live-preview"
M38 = "gemini-3.8-live"
THINKING = "gemini-3.8-live-extended-thinking"
TEXT_25 = "gemini-live-2.5-flash-preview"
VERTEX = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
VERTEX_25 = "projects/p/locations/l/publishers/google/models/gemini-live-2.5-flash-native-audio"

BOTH = [{"name": "look"}, {"name": "find"}]
HELD = [{"name": "look", "behavior": "BLOCKING"}, {"name": "find", "behavior": "NON_BLOCKING"}]


@asynccontextmanager
async def session(
    model: str, functions: list[dict[str, Any]] = BOTH, **options: Any
) -> AsyncIterator[tuple[Simulator, RawClient]]:
    async with open_simulator(port=None, **options) as simulator, dial(simulator) as client:
        await set_up(client, model, functions)
        yield simulator, client


async def set_up(
    client: RawClient, model: str, functions: list[dict[str, Any]] = BOTH, **setup: Any
) -> list[dict[str, Any]]:
    level = {"thinkingConfig": {"thinkingLevel": "LOW"}}
    return await client.set_up(
        model=model if "/" in model else f"models/{model}",
        generationConfig=level if model == THINKING else {},
        tools=[{"functionDeclarations": functions}],
        outputAudioTranscription={},
        inputAudioTranscription={},
        **setup,
    )


async def type_in(client: RawClient, text: str) -> None:
    await client.send(realtimeInput={"text": text})


async def called(client: RawClient, text: str) -> list[dict[str, Any]]:
    """Ask for a call; return the calls."""
    await type_in(client, text)
    (*_, last) = await client.until("toolCall")
    calls = last["toolCall"]["functionCalls"]
    assert isinstance(calls, list)
    return calls


async def answer(client: RawClient, *calls: dict[str, Any], **fields: Any) -> None:
    responses = [
        {"id": call["id"], "name": call["name"], "response": {"output": "a cat"}, **fields}
        for call in calls
    ]
    await client.send(toolResponse={"functionResponses": responses})


def kinds(messages: list[dict[str, Any]]) -> list[str]:
    """What came, without the pieces of speech and the frames that say nothing."""
    speech = {"modelTurn", "outputTranscription", "usageMetadata"}
    return [key for key in order(messages) if key not in speech]


# --- A turn with a call, model by model ---


async def test_25_waits_and_goes_on_in_the_same_turn(autojump_clock: MockClock) -> None:
    async with session(M25) as (_, client):
        (call,) = await called(client, "call look with at=door")
        assert re.fullmatch(r"function-call-\d{1,20}", call["id"])
        assert (call["name"], call["args"]) == ("look", {"at": "door"})
        waited = trio.current_time()
        with trio.move_on_after(30) as nothing:
            await client.websocket.get_message()
        assert nothing.cancelled_caught
        await answer(client, call)
        turn = await client.until("turnComplete")
        assert kinds(turn) == ["generationComplete", "turnComplete"]
        assert spoken(turn) == 'look answered: {"output": "a cat"}.'
        assert trio.current_time() > waited + 30
        assert turn[-1]["usageMetadata"]["responseTokenCount"] > 0


async def test_31_says_nothing_first_and_then_goes_on(autojump_clock: MockClock) -> None:
    async with session(M31) as (_, client):
        await type_in(client, "call look")
        before = await client.until("toolCall")
        assert before[:-1] == [{"serverContent": {}}] * (len(before) - 1)
        (call,) = before[-1]["toolCall"]["functionCalls"]
        assert re.fullmatch(r"fc_\d{18}", call["id"])
        assert call["args"] == {}
        await answer(client, call)
        turn = await client.until("turnComplete")
        assert turn[0] == {"serverContent": {}}
        assert sound(turn)[:2] == b"\0\0"
        assert kinds(turn) == ["generationComplete", "turnComplete"]


async def test_38_ends_its_turn_with_the_call(autojump_clock: MockClock) -> None:
    async with session(M38) as (simulator, client):
        (call,) = await called(client, "call look")
        assert re.fullmatch(r"call_\d{1,7}", call["id"])
        (end,) = await client.until("turnComplete")
        assert end["serverContent"] == {"turnComplete": True}
        assert end["usageMetadata"]["responseTokenCount"] > 0
        assert "what did" not in spoken(await client.say("What did I say?"))
        connection = await simulator.accept()
        assert list(connection.conversation.open_calls) == [call["id"]]
        await answer(client, call)
        turn = await client.until("turnComplete")
        assert kinds(turn) == ["generationComplete", "turnComplete"]
        assert "look answered" in spoken(turn)
        assert list(connection.conversation.open_calls) == []


async def test_extended_thinking_says_when_it_is_done(autojump_clock: MockClock) -> None:
    async with session(THINKING) as (_, client):
        await type_in(client, "call look")
        thinking = await client.until("turnComplete")
        assert "think" in spoken(thinking)
        assert thinking[-1]["serverContent"]["interactionStatus"] == "IN_PROGRESS"
        (*_, call) = await client.until("toolCall")
        (end,) = await client.until("turnComplete")
        assert end["serverContent"] == {"turnComplete": True, "interactionStatus": "IN_PROGRESS"}
        assert end["usageMetadata"]["thoughtsTokenCount"] > 0
        await answer(client, *call["toolCall"]["functionCalls"])
        done = await client.until("turnComplete")
        assert "look answered" in spoken(done)
        assert "think" not in spoken(done)
        assert done[-1]["serverContent"]["interactionStatus"] == "IDLE"


async def test_25_goes_on_talking_where_it_does_not_wait(autojump_clock: MockClock) -> None:
    async with session(M25, HELD) as (_, client):
        (call,) = await called(client, "call find; meanwhile count to 3")
        turn = await client.until("turnComplete")
        assert spoken(turn) == "1, 2, 3."
        assert kinds(turn) == ["generationComplete", "turnComplete"]
        await answer(client, call)
        assert "find answered" in spoken(await client.until("turnComplete"))


async def test_38_speaks_before_the_call(autojump_clock: MockClock) -> None:
    async with session(M38) as (_, client):
        await type_in(client, "call find; meanwhile count to 3")
        assert spoken(await client.until("toolCall")) == "1, 2, 3."
        turn = await client.until("turnComplete")
        assert kinds(turn) == ["generationComplete", "turnComplete"]


async def test_38_can_be_made_to_wait(autojump_clock: MockClock) -> None:
    async with session(M38, HELD) as (_, client):
        (call,) = await called(client, "call look")
        await answer(client, call)
        turn = await client.until("turnComplete")
        assert kinds(turn) == ["generationComplete", "turnComplete"]
        assert "look answered" in spoken(turn)


async def test_text_models_show_the_call_as_code(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(
            model=f"models/{TEXT_25}",
            generationConfig={"responseModalities": ["TEXT"]},
            tools=[{"functionDeclarations": BOTH}],
        )
        await type_in(client, "call look with at=door")
        code, last = await client.until("toolCall")
        (part,) = code["serverContent"]["modelTurn"]["parts"]
        assert part["executableCode"]["code"] == "print(default_api.look(at='door'))\n"
        await answer(client, *last["toolCall"]["functionCalls"])
        turn = await client.until("turnComplete")
        (part,) = turn[0]["serverContent"]["modelTurn"]["parts"]
        assert part["codeExecutionResult"] == {
            "outcome": "OUTCOME_OK",
            "output": '{"output": "a cat"}',
        }
        assert "look answered" in spoken(turn)


async def test_vertex_has_its_own_ids_and_usage(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator, VERTEX) as client:
        await client.send(setup={"model": VERTEX_25, "tools": [{"functionDeclarations": BOTH}]})
        (complete,) = await client.until("setupComplete")
        assert len(complete["setupComplete"]["sessionId"]) == 36
        (call,) = await called(client, "call look")
        assert re.fullmatch(r"[0-9a-f-]{36}", call["id"])
        after = await client.receive()
        assert after == {"serverContent": {"generationComplete": True}}
        await answer(client, call)
        turn = await client.until("turnComplete")
        usage = turn[-1]["usageMetadata"]
        assert usage["trafficType"] == "ON_DEMAND"
        details = {
            item["modality"]: item["tokenCount"] for item in usage["candidatesTokensDetails"]
        }
        assert usage["candidatesTokenCount"] == details["TEXT"] + details["AUDIO"]
        assert "responseTokenCount" not in usage
        (part,) = turn[1]["serverContent"]["modelTurn"]["parts"]
        assert part["inlineData"]["mimeType"] == "audio/pcm"
        assert turn[1]["serverContent"]["modelTurn"]["role"] == "model"


# --- Several calls ---


@pytest.mark.parametrize("together", [True, False])
async def test_a_turn_waits_for_all_its_calls(together: bool, autojump_clock: MockClock) -> None:
    async with session(M31) as (_, client):
        first, second = await called(client, "call look with a=1 and find with b=2")
        assert [first["args"], second["args"]] == [{"a": 1}, {"b": 2}]
        assert first["id"] != second["id"]
        if together:
            await answer(client, second, first)
        else:
            await answer(client, second)
            with trio.move_on_after(10) as nothing:
                await client.websocket.get_message()
            assert nothing.cancelled_caught
            await answer(client, first)
        turn = await client.until("turnComplete")
        assert "look answered" in spoken(turn)
        assert ("find answered" in spoken(turn)) is together


async def test_mixed_calls_wait_for_the_blocking_one(autojump_clock: MockClock) -> None:
    async with session(M38, HELD) as (_, client):
        look, find = await called(client, "call look and find")
        await answer(client, look)
        turn = await client.until("turnComplete")
        assert "look answered" in spoken(turn)
        await answer(client, find)
        assert "find answered" in spoken(await client.until("turnComplete"))


async def test_answers_to_unknown_calls_are_ignored(autojump_clock: MockClock) -> None:
    async with session(M31) as (simulator, client):
        (call,) = await called(client, "call look")
        await answer(client, {"id": "nobody", "name": "look"})
        await answer(client, call)
        assert "look answered" in spoken(await client.until("turnComplete"))
        await answer(client, call)
        assert "again" in spoken(await client.say("say again"))
        (conversation,) = simulator.conversations
        ignored = [item.ignored for item in conversation.consumed if item.kind == "toolResponse"]
        assert ignored == [True, False, True]


async def test_a_function_may_fail(autojump_clock: MockClock) -> None:
    async with session(M31) as (_, client):
        (call,) = await called(client, "call look")
        failed = {"id": call["id"], "response": {"error": "no light"}}
        await client.send(toolResponse={"functionResponses": [failed]})
        assert spoken(await client.until("turnComplete")) == 'look failed: "no light".'


async def test_what_nobody_declared_is_answered_in_words(autojump_clock: MockClock) -> None:
    async with session(M38) as (_, client):
        turn = await client.say("call fly with to=Rome")
        assert spoken(turn) == "I can't call fly: the functions you gave me are: look, find."
        assert "toolCall" not in order(turn)


async def test_exchanged_functions_must_fit_the_model(autojump_clock: MockClock) -> None:
    async with session(M31) as (_, client):
        declaration = {"name": "fly", "behavior": "NON_BLOCKING"}
        await client.send(
            contextUpdate={"tools": {"tools": [{"functionDeclarations": [declaration]}]}}
        )
        assert (await client.closed()).code == 1008


async def test_functions_can_be_exchanged(autojump_clock: MockClock) -> None:
    async with session(M38) as (_, client):
        tools = {"tools": [{"functionDeclarations": [{"name": "fly"}]}]}
        await client.send(contextUpdate={"tools": tools})
        (call,) = await called(client, "call fly")
        assert call["name"] == "fly"


# --- When an answer is spoken of ---


@pytest.mark.parametrize("where", ["field", "response"])
async def test_interrupt_cuts_in(where: str, autojump_clock: MockClock) -> None:
    async with session(M38) as (_, client):
        (call,) = await called(client, "call look")
        await client.until("turnComplete")
        await type_in(client, "count to 50")
        await client.until("modelTurn")
        if where == "field":
            await answer(client, call, scheduling="INTERRUPT")
        else:
            inside = {"id": call["id"], "response": {"output": 1, "scheduling": "INTERRUPT"}}
            await client.send(toolResponse={"functionResponses": [inside]})
        assert kinds(await client.until("turnComplete")) == ["interrupted", "turnComplete"]
        assert "look answered" in spoken(await client.until("turnComplete"))


@pytest.mark.parametrize("fields", [{}, {"scheduling": "WHEN_IDLE"}])
async def test_by_default_an_answer_waits_its_turn(
    fields: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with session(M38) as (_, client):
        (call,) = await called(client, "call look")
        await client.until("turnComplete")
        await type_in(client, "count to 50")
        await client.until("modelTurn")
        await answer(client, call, **fields)
        turn = await client.until("turnComplete")
        assert kinds(turn) == ["generationComplete", "turnComplete"]
        assert spoken(turn).endswith("49, 50.")
        assert "look answered" in spoken(await client.until("turnComplete"))


async def test_a_silent_answer_is_only_remembered(autojump_clock: MockClock) -> None:
    async with session(M38) as (simulator, client):
        (call,) = await called(client, "call look")
        await client.until("turnComplete")
        await answer(client, call, scheduling="SILENT")
        with trio.move_on_after(10) as nothing:
            await client.websocket.get_message()
        assert nothing.cancelled_caught
        turn = (await simulator.accept()).history[-1]
        assert [(one.name, one.response) for one in turn.answers] == [("look", {"output": "a cat"})]


async def test_an_answer_may_come_in_parts(autojump_clock: MockClock) -> None:
    async with session(M38) as (_, client):
        (call,) = await called(client, "call look")
        await client.until("turnComplete")
        for last in (False, True):
            await answer(client, call, willContinue=not last)
            assert "look answered" in spoken(await client.until("turnComplete"))
        await answer(client, call)
        assert "again" in spoken(await client.say("say again"))


async def test_an_answer_waits_while_the_user_speaks(autojump_clock: MockClock) -> None:
    async with session(M38) as (_, client):
        (call,) = await called(client, "call look")
        await client.until("turnComplete")
        await client.send_audio(tone(0.5))
        await client.until("voiceActivity")
        await answer(client, call, scheduling="INTERRUPT")
        with trio.move_on_after(10) as nothing:
            await client.websocket.get_message()
        assert nothing.cancelled_caught
        await client.send_audio(silence(1))
        assert "I heard you" in spoken(await client.until("turnComplete"))
        assert "look answered" in spoken(await client.until("turnComplete"))


async def test_an_answer_kept_for_a_speaker_outlives_the_connection(
    autojump_clock: MockClock,
) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            await set_up(client, M38, sessionResumption={})
            handle = (await client.until("sessionResumptionUpdate"))[-1]
            (call,) = await called(client, "call look")
            await client.until("turnComplete")
            await client.send_audio(tone(0.5))
            await client.until("voiceActivity")
            await answer(client, call)
            await wait_all_tasks_blocked()
        await trio.sleep(2)
        async with dial(simulator) as client:
            text = handle["sessionResumptionUpdate"]["newHandle"]
            await set_up(client, M38, sessionResumption={"handle": text})
            assert "look answered" in spoken(await client.until("turnComplete"))


async def test_extended_thinking_takes_no_scheduling(autojump_clock: MockClock) -> None:
    async with session(THINKING) as (_, client):
        (call,) = await called(client, "call look")
        await answer(client, call, scheduling="SILENT")
        assert (await client.closed()).code == 1007


# --- Interruption ---


@pytest.mark.parametrize("model", [M25, M31])
@pytest.mark.parametrize("how", ["text", "content", "speech"])
async def test_a_call_that_is_waited_for_is_cancelled(
    model: str, how: str, autojump_clock: MockClock
) -> None:
    async with session(model) as (_, client):
        calls = await called(client, "call look and find")
        await cut_in(client, how)
        cut = await client.until("turnComplete")
        heard = {"inputTranscription"}
        assert [kind for kind in kinds(cut) if kind not in heard] == [
            "toolCallCancellation",
            "interrupted",
            "turnComplete",
        ]
        (gone,) = [message for message in cut if "toolCallCancellation" in message]
        assert gone["toolCallCancellation"] == {"ids": [call["id"] for call in calls]}
        await answer(client, *calls)
        assert "answered" not in spoken(await client.until("turnComplete"))
        assert "again" in spoken(await client.say("say again"))


async def test_38_drops_a_call_without_notice(autojump_clock: MockClock) -> None:
    async with session(M38, HELD) as (_, client):
        (call,) = await called(client, "call look")
        await cut_in(client, "speech")
        cut = await client.until("turnComplete")
        heard = {"inputTranscription", "voiceActivity"}
        told = [kind for kind in kinds(cut) if kind not in heard]
        assert told == ["interrupted", "turnComplete"]
        await answer(client, call)
        assert "answered" not in spoken(await client.until("turnComplete"))


async def test_a_call_that_nobody_waits_for_outlives_an_interruption(
    autojump_clock: MockClock,
) -> None:
    async with session(M38) as (_, client):
        (call,) = await called(client, "call look")
        await client.until("turnComplete")
        turn = await client.say("Hello")
        assert "interrupted" not in order(turn)
        await answer(client, call)
        assert "look answered" in spoken(await client.until("turnComplete"))


async def cut_in(client: RawClient, how: str) -> None:
    match how:
        case "text":
            await type_in(client, "never mind")
        case "content":
            turn = {"role": "user", "parts": [{"text": "never mind"}]}
            await client.send(clientContent={"turns": [turn], "turnComplete": True})
        case _:
            await client.send_audio(tone(0.5))
            await client.send_audio(silence(1))


@pytest.mark.parametrize("strict", [True, False])
async def test_input_while_a_call_is_waited_for(strict: bool, autojump_clock: MockClock) -> None:
    async with session(M25, strict_blocking=strict) as (_, client):
        (call,) = await called(client, "call look")
        await client.send_audio(silence(0.1))
        if strict:
            closed = await client.closed()
            assert closed == Closed(1008, "Operation is not implemented, or supported, or enabled.")
        else:
            await answer(client, call)
            assert "look answered" in spoken(await client.until("turnComplete"))


async def test_strictness_ends_with_the_answer(autojump_clock: MockClock) -> None:
    async with session(M25, strict_blocking=True) as (_, client):
        (call,) = await called(client, "call look")
        await answer(client, call)
        await client.send_audio(silence(0.1))
        assert "look answered" in spoken(await client.until("turnComplete"))


# --- Over a resume ---


@pytest.mark.parametrize("answered", ["before", "after"])
async def test_a_waiting_turn_goes_on_after_a_resume(
    answered: str, autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            await set_up(client, M38, HELD, sessionResumption={})
            handle = (await client.until("sessionResumptionUpdate"))[-1]
            (call,) = await called(client, "call look")
            if answered == "before":
                await answer(client, call)
                await wait_all_tasks_blocked()
        await trio.sleep(2)
        async with dial(simulator) as client:
            text = handle["sessionResumptionUpdate"]["newHandle"]
            await set_up(client, M38, HELD, sessionResumption={"handle": text})
            if answered == "after":
                update = await client.receive()
                assert isinstance(update, dict)
                assert "sessionResumptionUpdate" in update
                with trio.move_on_after(60) as nothing:
                    await client.websocket.get_message()
                assert nothing.cancelled_caught, "the call isn't sent again"
                await answer(client, call)
            turn = await client.until("turnComplete")
            assert "look answered" in spoken(turn)
            assert "toolCall" not in order(turn)


async def test_a_call_that_could_not_be_sent_is_made_again(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            await set_up(client, M38, HELD, sessionResumption={})
            handle = (await client.until("sessionResumptionUpdate"))[-1]
            await type_in(client, "call look")
            await wait_all_tasks_blocked()
        server = await simulator.accept()
        await trio.sleep(2)
        assert list(server.conversation.open_calls) == []
        async with dial(simulator) as client:
            text = handle["sessionResumptionUpdate"]["newHandle"]
            await set_up(client, M38, HELD, sessionResumption={"handle": text})
            (*_, last) = await client.until("toolCall")
            await answer(client, *last["toolCall"]["functionCalls"])
            assert "look answered" in spoken(await client.until("turnComplete"))


async def test_a_turn_goes_on_when_its_call_is_taken_back(autojump_clock: MockClock) -> None:
    async with session(M31) as (simulator, client):
        (call,) = await called(client, "call look")
        server = await simulator.accept()
        assert await server.cancel_calls() == (call["id"],)
        assert spoken(await client.until("turnComplete")) == 'look failed: "cancelled".'
        await answer(client, call)
        assert "again" in spoken(await client.say("say again"))


# --- What a setup may declare ---


@pytest.mark.parametrize(
    ("model", "behavior", "code"),
    [
        (M31, "NON_BLOCKING", 1008),
        (THINKING, "BLOCKING", 1008),
        (M25, "NON_BLOCKING", None),
        (M38, "blocking", None),
        (M31, "BLOCKING", None),
        (THINKING, "NON_BLOCKING", None),
        (THINKING, "UNSPECIFIED", None),
    ],
)
async def test_behaviours_that_a_model_has(
    model: str, behavior: str, code: int | None, autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        level = {"thinkingConfig": {"thinkingLevel": "LOW"}}
        declaration = {"name": "look", "behavior": behavior}
        await client.send(
            setup={
                "model": f"models/{model}",
                "generationConfig": level if model == THINKING else {},
                "tools": [{"functionDeclarations": [declaration]}],
            }
        )
        first = await client.receive()
        assert (first.code if isinstance(first, Closed) else None) == code


# --- Minds of one's own, ears that understand ---


async def test_any_mind_can_call_and_go_on(autojump_clock: MockClock) -> None:
    def mind(situation: Situation) -> Reply:
        answers = situation.asked.answers
        if answers:
            return Reply(f"{len(answers)} of {answers[0].name}.")
        return Reply("Let me see.", [Call("look"), Call("look", {"again": True})])

    async with session(M31, mind=mind) as (_, client):
        await type_in(client, "anything")
        before = await client.until("toolCall")
        assert spoken(before) == "Let me see."
        calls = before[-1]["toolCall"]["functionCalls"]
        assert [call["args"] for call in calls] == [{}, {"again": True}]
        await answer(client, *calls)
        assert spoken(await client.until("turnComplete")) == "2 of look."


async def test_calls_can_follow_calls_but_not_for_ever(autojump_clock: MockClock) -> None:
    async with session(M31, mind=lambda _: Reply(calls=[Call("look")])) as (_, client):
        await type_in(client, "anything")
        for _ in range(16):
            (*_, last) = await client.until("toolCall")
            await answer(client, *last["toolCall"]["functionCalls"])
        assert "stop here" in spoken(await client.until("turnComplete"))


async def test_spoken_words_are_understood_where_somebody_tells_them(
    autojump_clock: MockClock,
) -> None:
    heard: list[tuple[float, int]] = []

    def hears(pcm: bytes, rate_hz: int) -> str | None:
        heard.append((len(pcm) / 2 / rate_hz, rate_hz))
        return "call look with at equals door" if len(heard) == 1 else None

    async with session(M38, hears=hears) as (_, client):
        await cut_in(client, "speech")
        before = await client.until("toolCall")
        transcripts = [
            message["serverContent"]["inputTranscription"]
            for message in before
            if "inputTranscription" in message.get("serverContent", {})
        ]
        assert transcripts == [{"text": "call look with at equals door"}]
        assert before[-1]["toolCall"]["functionCalls"][0]["args"] == {"at": "door"}
        await client.until("turnComplete")
        await cut_in(client, "speech")
        assert "I heard you speak for 0.5 seconds" in spoken(await client.until("turnComplete"))
    assert [rate for _, rate in heard] == [16_000, 16_000]
    assert heard[0][0] == pytest.approx(1.0, abs=0.1)


async def test_a_history_may_hold_calls(autojump_clock: MockClock) -> None:
    async with session(M38) as (simulator, client):
        parts = [{"functionCall": {"name": "look", "args": {"at": "door"}}}]
        given = [{"functionResponse": {"name": "look", "response": {"output": "a cat"}}}]
        turns = [{"role": "model", "parts": parts}, {"role": "user", "parts": given}]
        await client.send(clientContent={"turns": turns})
        await wait_all_tasks_blocked()
        model, user = (await simulator.accept()).history
        assert model.calls == (Call("look", {"at": "door"}),)
        assert user.text == '[look answered: {"output": "a cat"}]'
        assert "haven't said" in spoken(await client.say("What did I say?"))
