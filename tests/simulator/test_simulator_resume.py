"""Transparent resumption, the service's books, and turns that begin by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from simulator.raw_client import Closed, RawClient, dial, silence, spoken, tone
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import wire
from gemini_live_trio.simulator import Simulator, open_simulator

VERTEX = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
VERTEX_MODEL = "projects/p/locations/l/publishers/google/models/gemini-3.8-live"
TRANSPARENT: dict[str, Any] = {
    "model": VERTEX_MODEL,
    "sessionResumption": {"transparent": True},
    "outputAudioTranscription": {},
}


@asynccontextmanager
async def dial_vertex(simulator: Simulator, handle: str | None = None) -> AsyncIterator[RawClient]:
    async with dial(simulator, VERTEX) as client:
        resumption = {"transparent": True, **({"handle": handle} if handle else {})}
        await client.send(
            setup={**TRANSPARENT, "sessionResumption": resumption, "explicitVadSignal": True}
        )
        await client.until("setupComplete")
        yield client


async def update(client: RawClient) -> dict[str, Any]:
    """The next update that brings a handle."""
    while True:
        found = (await client.until("sessionResumptionUpdate"))[-1]["sessionResumptionUpdate"]
        if "newHandle" in found:
            assert isinstance(found, dict)
            return found


def texts(simulator: Simulator) -> list[str]:
    return [message.text for message in simulator.conversations[-1].consumed]


# --- Vertex AI's door ---


@pytest.mark.parametrize(
    "path",
    [
        VERTEX,
        "//ws//google.cloud.aiplatform.v1beta1.LlmBidiService//BidiGenerateContent",
        VERTEX + "/",
    ],
)
async def test_vertex_has_a_door_of_its_own(path: str, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator, path) as client:
        await client.send(setup={**TRANSPARENT, "explicitVadSignal": True})
        await client.until("setupComplete")


async def test_vertex_knows_models_by_their_path_only(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        for path, model in [
            (VERTEX, "models/gemini-3.8-live"),
            (VERTEX, VERTEX_MODEL + "-no-such"),
        ]:
            async with dial(simulator, path) as client:
                await client.send(setup={"model": model})
                end = await client.closed()
                assert (end.code, end.reason[:17]) == (1008, "Publisher Model `")


async def test_vertex_wants_an_access_token(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, api_key="right") as simulator:
        for header, taken in [(b"Bearer right", True), (b"Bearer wrong", False)]:
            headers = [(b"Authorization", header)]
            async with dial(simulator, VERTEX, headers=headers) as client:
                await client.send(setup={"model": VERTEX_MODEL})
                assert isinstance(await client.receive(), Closed) is not taken


async def test_transparent_resumption_is_for_vertex_only(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.send(setup={**TRANSPARENT, "model": "models/gemini-3.8-live"})
        end = await client.closed()
        assert (end.code, "transparent" in end.reason) == (1007, True)


# --- The index ---


@pytest.mark.parametrize("setup_is_counted", [False, True])
async def test_handles_come_with_the_number_of_messages_taken(
    setup_is_counted: bool, autojump_clock: MockClock
) -> None:
    first = 1 if setup_is_counted else 0
    async with (
        open_simulator(
            port=None, mind=None, handle_every=3, setup_is_counted=setup_is_counted
        ) as simulator,
        dial_vertex(simulator) as client,
    ):
        start = await client.receive()
        assert isinstance(start, dict)
        early = start["sessionResumptionUpdate"]
        assert early["lastConsumedClientMessageIndex"] == str(first)
        # 0 stands for "not resumable".
        assert ("newHandle" in early) is setup_is_counted
        for number in range(6):
            await client.send(realtimeInput={"text": f"message {number}"})
        indexes = [(await update(client))["lastConsumedClientMessageIndex"] for _ in range(2)]
        assert indexes == [str(first + 3), str(first + 6)]


async def test_there_is_a_handle_after_every_turn_and_none_in_it(
    autojump_clock: MockClock,
) -> None:
    async with open_simulator(port=None) as simulator, dial_vertex(simulator) as client:
        await client.until("sessionResumptionUpdate")
        frames = await client.say("Hello")
        updates = [frame for frame in frames if "sessionResumptionUpdate" in frame]
        assert updates == [{"sessionResumptionUpdate": {"lastConsumedClientMessageIndex": "0"}}]
        assert (await update(client))["lastConsumedClientMessageIndex"] == "1"


async def test_a_handle_restores_what_its_number_says(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, mind=None, resume_lock=False) as simulator:
        async with dial_vertex(simulator) as client:
            server = await simulator.accept()
            await client.send(realtimeInput={"text": "one"})
            await client.send_audio(silence(2))
            await wait_all_tasks_blocked()
            handle = await server.send_handle()
            assert (await update(client))["lastConsumedClientMessageIndex"] == "2"
            await client.send_audio(silence(5))
            await client.send(realtimeInput={"text": "two"})
            await wait_all_tasks_blocked()
            (conversation,) = simulator.conversations
            assert texts(simulator) == ["one", "", "", "two"]
            assert conversation.audio_seconds == 7
            await server.drop()
        for _ in range(2):  # as often as one likes
            async with dial_vertex(simulator, handle):
                again = await simulator.accept()
                assert texts(simulator) == ["one", ""]
                assert again.conversation.audio_seconds == conversation.audio_seconds == 2
                assert again.consumed_index == 0
                assert [turn.text for turn in again.history] == ["one"]


async def test_an_utterance_is_cut_at_its_number(autojump_clock: MockClock) -> None:
    """What was heard before the handle and what is sent again after it are one utterance."""
    async with open_simulator(port=None) as simulator:
        async with dial_vertex(simulator) as client:
            server = await simulator.accept()
            await client.send_audio(tone(2))
            await wait_all_tasks_blocked()
            handle = await server.send_handle()
            await client.send_audio(tone(1))
            await server.drop()
        autojump_clock.jump(5)
        async with dial_vertex(simulator, handle) as client:
            await client.send_audio(tone(1))
            await client.send_audio(silence(1))
            activity = (await client.until("voiceActivity"))[-1]["voiceActivity"]
            assert activity["type"] == "ACTIVITY_END"
            assert "3.0 seconds" in spoken(await client.until("turnComplete"))


@pytest.mark.parametrize(("restores", "kept"), [("latest", ["one", "two"]), ("handle", ["one"])])
async def test_what_an_ordinary_handle_restores_can_be_chosen(
    restores: Any, kept: list[str], autojump_clock: MockClock
) -> None:
    async with open_simulator(
        port=None, mind=None, resume_lock=False, resume_restores=restores
    ) as simulator:
        async with dial(simulator) as client:
            await client.set_up(sessionResumption={})
            server = await simulator.accept()
            await client.send(realtimeInput={"text": "one"})
            await wait_all_tasks_blocked()
            handle = await server.send_handle()
            await client.send(realtimeInput={"text": "two"})
            await wait_all_tasks_blocked()
        async with dial(simulator) as client:
            await client.set_up(sessionResumption={"handle": handle})
            assert texts(simulator) == kept


async def test_a_cadence_is_at_least_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        async with open_simulator(port=None, handle_every=0):
            pass


# --- The books ---


async def test_the_books_hold_what_was_taken_over_all_connections(
    autojump_clock: MockClock,
) -> None:
    async with open_simulator(port=None, mind=None, resume_lock=False) as simulator:
        async with dial(simulator) as client:
            await client.set_up(sessionResumption={})
            handle = (await client.until("sessionResumptionUpdate"))[-1]
            await client.send(realtimeInput={"text": "one"})
            await client.send_audio(silence(0.5))
            await client.send(clientContent={"turns": [{"parts": [{"text": "two"}]}]})
            await wait_all_tasks_blocked()
        async with dial(simulator) as client:
            text = handle["sessionResumptionUpdate"]["newHandle"]
            await client.set_up(sessionResumption={"handle": text})
            await client.send(realtimeInput={"audioStreamEnd": True})
            await wait_all_tasks_blocked()
        async with dial(simulator) as client:
            await client.set_up()
        first, second = simulator.conversations
        assert [
            (message.connection, message.index, message.kind, message.text, message.seconds)
            for message in first.consumed
        ] == [
            (1, 1, "text", "one", 0),
            (1, 2, "audio", "", 0.5),
            (1, 3, "clientContent", "two", 0),
            (2, 1, "audioStreamEnd", "", 0),
        ]
        assert [message.media for message in first.consumed] == [False, True, False, False]
        assert (first.number, second.number, second.consumed) == (1, 2, ())
        assert (first.model, len(first.history)) == ("models/gemini-3.8-live", 2)


async def test_tool_calls_are_open_until_they_are_answered(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            await client.set_up(sessionResumption={}, outputAudioTranscription={})
            handle = (await client.until("sessionResumptionUpdate"))[-1]
            server = await simulator.accept()
            calls = [wire.FunctionCall(id=f"c{n}", name="add", args={}) for n in range(3)]
            call = wire.LiveServerToolCall(function_calls=calls)
            await server.send(wire.LiveServerMessage(tool_call=call))
            gone = wire.LiveServerToolCallCancellation(ids=["c2"])
            await server.send(wire.LiveServerMessage(tool_call_cancellation=gone))
            assert server.conversation.open_calls == ("c0", "c1")
            await client.send(toolResponse=answer("c0"))
            assert "add answered" in spoken(await client.until("turnComplete"))
            await client.send(toolResponse=answer("c0"))
            await client.send(toolResponse=answer("c2"))
        await server.wait_ended()
        autojump_clock.jump(2)
        async with dial(simulator) as client:
            text = handle["sessionResumptionUpdate"]["newHandle"]
            await client.set_up(sessionResumption={"handle": text}, outputAudioTranscription={})
            await client.send(toolResponse=answer("c1"))
            await client.until("turnComplete")
        (conversation,) = simulator.conversations
        assert [(message.ids, message.ignored) for message in conversation.consumed] == [
            (("c0",), False),
            (("c0",), True),
            (("c2",), True),
            (("c1",), False),
        ]
        assert conversation.open_calls == ()


def answer(call: str) -> dict[str, Any]:
    return {"functionResponses": [{"id": call, "name": "add", "response": {"sum": 3}}]}


# --- Turns that were cut ---


@pytest.mark.parametrize("heard", [False, True])
async def test_a_turn_that_was_cut_begins_by_itself(heard: bool, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            await client.set_up(sessionResumption={})
            handle = (await client.until("sessionResumptionUpdate"))[-1]
            server = await simulator.accept()
            await client.send(realtimeInput={"text": "Tell me a story."})
            if heard:
                await client.until("modelTurn")
            else:
                await wait_all_tasks_blocked()
            await server.drop()
        await server.wait_ended()
        async with dial(simulator) as client:
            text = handle["sessionResumptionUpdate"]["newHandle"]
            await client.set_up(sessionResumption={"handle": text}, outputAudioTranscription={})
            start = trio.current_time()
            assert spoken(await client.until("modelTurn"))
            assert trio.current_time() - start < 1
            await client.until("turnComplete")
            (conversation,) = simulator.conversations
            assert [turn.role for turn in conversation.history] == ["user", "model"]


async def test_a_turn_that_was_whole_is_not_said_again(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            await client.set_up(sessionResumption={})
            handle = (await client.until("sessionResumptionUpdate"))[-1]
            server = await simulator.accept()
            await client.send(realtimeInput={"text": "Hello"})
            await client.until("generationComplete")
            await server.drop()
        await server.wait_ended()
        async with dial(simulator) as client:
            text = handle["sessionResumptionUpdate"]["newHandle"]
            await client.set_up(sessionResumption={"handle": text})
            await client.until("sessionResumptionUpdate")
            with trio.move_on_after(60) as scope:
                await client.receive()
            assert scope.cancelled_caught
