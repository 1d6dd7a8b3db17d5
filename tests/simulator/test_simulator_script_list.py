"""Everything that the simulator must be able to do on request, line by line and item by item.

Each test makes one thing happen by its call, and sees it with a client that knows nothing but
WebSockets. ``test_simulator_commands.py`` does the same by commands.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio_websocket
from simulator.raw_client import (
    BIDI,
    SETUP,
    Bare,
    Closed,
    RawClient,
    dial,
    order,
    silence,
    sound,
    spoken,
    tone,
)
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import wire
from gemini_live_trio.simulator import (
    Call,
    Delivery,
    Reply,
    ServerConnection,
    Simulator,
    Situation,
    open_simulator,
)

VERTEX = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
CONSTRAINED = (
    "/ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained"
)
TOOLS = {"tools": [{"functionDeclarations": [{"name": "look"}, {"name": "listen"}]}]}
HELLO = {"role": "user", "parts": [{"text": "Hello"}]}


@asynccontextmanager
async def talking(
    simulator: Simulator, **setup: Any
) -> AsyncIterator[tuple[RawClient, ServerConnection]]:
    """A client and the service's end of its connection."""
    async with dial(simulator) as client:
        await client.set_up(**{"outputAudioTranscription": {}, **setup})
        yield client, await simulator.accept()


async def nothing_for(seconds: float, client: RawClient) -> None:
    with trio.move_on_after(seconds) as scope:
        await client.websocket.get_message()
    assert scope.cancelled_caught


async def http_answer(simulator: Simulator) -> tuple[int, dict[str, Any]]:
    """Ask for a WebSocket, and read the plain HTTP that comes instead."""
    stream = await simulator.connector.connect()
    await stream.send_all(
        f"GET {BIDI} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    answer = b""
    while data := await stream.receive_some():
        answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


async def handle_of(client: RawClient) -> str:
    update = (await client.until("sessionResumptionUpdate"))[-1]["sessionResumptionUpdate"]
    assert update["resumable"] is True
    return str(update["newHandle"])


async def resume(client: RawClient, handle: str) -> dict[str, Any] | Closed:
    await client.send(setup={**SETUP, "sessionResumption": {"handle": handle}})
    return await client.receive()


def contents(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message["serverContent"] for message in messages if "serverContent" in message]


# --- Setup ---


async def test_setup_is_accepted(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.send(setup=SETUP)
        assert await client.receive() == {"setupComplete": {}}


async def test_setup_is_delayed(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        simulator.delay_next_setup(29)
        start = trio.current_time()
        await client.send(setup=SETUP)
        assert await client.receive() == {"setupComplete": {}}
        assert trio.current_time() - start == pytest.approx(29, abs=0.5)


async def test_setup_is_never_answered(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        simulator.ignore_next_setup()
        await client.send(setup=SETUP)
        await nothing_for(3600, client)


async def test_setup_is_answered_by_a_wrong_first_message(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        error = wire.RpcStatus(code=500, message="Oh.", status="INTERNAL")
        simulator.answer_next_setup(wire.LiveServerMessage(error=error))
        await client.send(setup=SETUP)
        first = {"error": {"code": 500, "message": "Oh.", "status": "INTERNAL"}}
        assert await client.receive() == first
        await nothing_for(3600, client)


async def test_setup_is_rejected_by_rule_with_a_reason(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        simulator.refuse_next_setup(
            1008,
            "Operation is not implemented, or supported, or enabled.",
            times=2,
            when=lambda setup: bool(setup.tools),
        )
        for tools, code in [(None, 0), (TOOLS, 1008), (None, 0), (TOOLS, 1008), (TOOLS, 0)]:
            async with dial(simulator) as client:
                await client.send(setup={**SETUP, **(tools or {})})
                first = await client.receive()
                assert (first.code if isinstance(first, Closed) else 0) == code


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (401, "UNAUTHENTICATED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (429, "RESOURCE_EXHAUSTED"),
        (503, "UNAVAILABLE"),
    ],
)
async def test_the_upgrade_is_refused_by_http_with_a_body(
    status: int, name: str, autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator:
        simulator.reject_next_upgrade(status)
        simulator.reject_next_upgrade(status, b'{"mine": 1}')
        got, body = await http_answer(simulator)
        assert (got, body["error"]["code"], body["error"]["status"]) == (status, status, name)
        assert len(body["error"]["message"]) > 10
        assert await http_answer(simulator) == (status, {"mine": 1})
        async with dial(simulator) as client:
            await client.set_up()


# --- Dialects and profiles ---


@pytest.mark.parametrize("dialect", ["developer", "constrained", "vertex"])
async def test_it_speaks_three_dialects(dialect: str, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, api_key="k") as simulator:
        model = "models/gemini-3.8-live"
        match dialect:
            case "developer":
                path = f"{BIDI}?key=k"
            case "constrained":
                path = f"{CONSTRAINED}?access_token={simulator.mint_token()}"
            case _:
                path = f"{VERTEX}?access_token=k"
                model = "projects/p/locations/l/publishers/google/models/gemini-3.8-live"
        async with dial(simulator, path) as client:
            await client.send(setup={"model": model})
            assert "setupComplete" in (await client.until("setupComplete"))[-1]


@pytest.mark.parametrize(
    ("model", "mark"),
    [
        ("gemini-2.5-flash-native-audio-latest", "pretty"),
        ("gemini-3.1-flash-live-preview", "one sample"),
        ("gemini-3.8-live", "empty frames"),
        ("gemini-3.8-live-extended-thinking", "status"),
    ],
)
async def test_a_model_has_its_profile(model: str, mark: str, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        thinking = {"thinkingConfig": {"thinkingLevel": "LOW"}} if mark == "status" else {}
        await client.send(setup={"model": f"models/{model}", "generationConfig": thinking})
        raw = await client.websocket.get_message()
        assert (b"\n" in raw) is (mark == "pretty")
        answer = await client.say("say hello")
        pieces = [len(sound([message])) for message in answer if sound([message])]
        assert (pieces[0] == 2) is (mark == "one sample")
        assert ({} in answer) is (mark in {"empty frames", "status"})
        assert ("interactionStatus" in order(answer)) is (mark == "status")


async def test_a_model_nobody_knows_is_refused_or_let_in(autojump_clock: MockClock) -> None:
    setup = {"model": "models/gemini-9"}
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.send(setup=setup)
        closed = await client.closed()
        assert closed.code == 1008
        assert closed.reason.startswith("models/gemini-9 is not found for API version v1beta")
    async with (
        open_simulator(port=None, unknown_models="like-3.8") as simulator,
        dial(simulator) as client,
    ):
        await client.send(setup=setup)
        await client.until("setupComplete")


# --- Frames ---


async def test_frames_are_text_or_binary(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        assert client.kinds == {bytes}
        client.kinds.clear()
        server.use_frames("text")
        await client.say("say hello")
        assert client.kinds == {str}
        client.kinds.clear()
        server.use_frames("binary")
        await client.say("say hello")
        assert client.kinds == {bytes}
        with pytest.raises(ValueError, match="binary or text"):
            server.use_frames("hex")


@pytest.mark.parametrize("size", [1, 64, 200, 100_000])
async def test_messages_come_in_fragments(size: int, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        stream = await simulator.connector.connect()
        seen = bytearray()

        class Spy(trio.abc.Stream):
            async def receive_some(self, max_bytes: int | None = None) -> bytes:
                data = bytes(await stream.receive_some(max_bytes))
                seen.extend(data)
                return data

            async def send_all(self, data: bytes | bytearray | memoryview) -> None:
                await stream.send_all(data)

            async def wait_send_all_might_not_block(self) -> None:
                await stream.wait_send_all_might_not_block()

            async def aclose(self) -> None:
                await stream.aclose()

        async with trio.open_nursery() as nursery:
            websocket = await trio_websocket.wrap_client_stream(nursery, Spy(), "x", BIDI)
            client = RawClient(websocket, stream)
            await client.set_up()
            server = await simulator.accept()
            server.fragment(size)
            del seen[:]
            await server.send_raw("x" * 500)
            await server.send_raw(b"")
            assert await client.websocket.get_message() == "x" * 500
            assert await client.websocket.get_message() == b""
            server.fragment(None)
            await server.send_raw("whole")
            assert await client.websocket.get_message() == "whole"
            kinds = []
            while seen:
                length, head = seen[1], 2
                if length == 126:
                    length, head = int.from_bytes(seen[2:4], "big"), 4
                kinds.append(seen[0])
                del seen[: head + length]
            pieces = -(-500 // size)
            first = [0x81] if pieces == 1 else [0x01, *[0x00] * (pieces - 2), 0x80]
            assert kinds == [*first, 0x82, 0x81]
            with pytest.raises(ValueError, match="at least one byte"):
                server.fragment(0)
            nursery.cancel_scope.cancel()


async def test_several_payloads_come_in_one_message(autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None, mind=None) as simulator,
        talking(simulator) as (client, server),
    ):
        words = wire.LiveServerContent(output_transcription=wire.Transcription(text="Hm."))
        over = wire.LiveServerContent(turn_complete=True)
        call = wire.FunctionCall(id="c1", name="look", args={"at": "sky"})
        await server.send_together(
            wire.LiveServerMessage(server_content=words),
            wire.LiveServerMessage(tool_call=wire.LiveServerToolCall(function_calls=[call])),
            wire.LiveServerMessage(
                server_content=over, usage_metadata=wire.UsageMetadata(total_token_count=3)
            ),
        )
        assert await client.receive() == {
            "serverContent": {"outputTranscription": {"text": "Hm."}, "turnComplete": True},
            "toolCall": {"functionCalls": [{"id": "c1", "name": "look", "args": {"at": "sky"}}]},
            "usageMetadata": {"totalTokenCount": 3},
        }
        assert server.conversation.open_calls == ("c1",)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("message", {"somethingNew": {"number": 1}}),
        ("part", {"serverContent": {"modelTurn": {"parts": [{"somethingNew": {"number": 1}}]}}}),
    ],
)
async def test_fields_and_kinds_that_nobody_knows(
    where: Any, message: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        await server.send_unknown(where)
        assert await client.receive() == message
        await server.send_unknown("field")
        assert "somethingNew" in (await client.until("usageMetadata"))[-1]["serverContent"]
        await server.send_unknown("value")
        assert "SOMETHING_NEW" in str(await client.receive())
        with pytest.raises(ValueError, match="one of message, field, part, value"):
            await server.send_unknown("nowhere")


async def test_a_message_above_one_mebibyte(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        stream = await simulator.connector.connect()
        async with trio.open_nursery() as nursery:
            websocket = await trio_websocket.wrap_client_stream(
                nursery, stream, "x", BIDI, max_message_size=2**22, receive_buffer_size=2**16
            )
            client = RawClient(websocket, stream)
            await client.set_up()
            server = await simulator.accept()
            nursery.start_soon(server.send_large, 1_200_000)
            frame = await websocket.get_message()
            assert len(frame) == pytest.approx(1_200_000, rel=0.001)
            nursery.cancel_scope.cancel()


# --- Life ---


async def test_handles_are_resumable_or_not(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        assert await server.send_handle() == await handle_of(client)
        assert await server.send_handle(resumable=False) == ""
        assert await client.receive() == {"sessionResumptionUpdate": {}}
        assert await server.send_handle("mine") == "mine" == await handle_of(client)


async def test_a_handle_comes_between_turns(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, resume_lock=False) as simulator:
        async with talking(simulator) as (client, server):
            await client.say("My name is Ada.")
            await server.send_handle("later")
            assert await handle_of(client) == "later"
        async with dial(simulator) as client:
            resumption = {"sessionResumption": {"handle": "later"}}
            await client.set_up(outputAudioTranscription={}, **resumption)
            assert spoken(await client.say("What is my name?")) == "Your name is Ada."


@pytest.mark.parametrize(("left", "shown"), [(50, "50s"), (0.5, "0.5s"), (0, "0s")])
async def test_go_away_with_any_time_left(
    left: float, shown: str, autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        start = trio.current_time()
        await server.go_away(left)
        assert await client.receive() == {"goAway": {"timeLeft": shown}}
        closed = await client.closed()
        assert closed.code == 1008
        assert closed.reason.startswith("Connection aborted because the client failed to close")
        assert trio.current_time() - start == pytest.approx(left)


async def test_go_away_without_a_time_left(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        await server.go_away(None)
        assert await client.receive() == {"goAway": {}}
        await nothing_for(3600, client)


async def test_silence_after_go_away(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        await server.go_away(60, abort=False, silent=True)
        await client.receive()
        await client.send(realtimeInput={"text": "Hello?"})
        await nothing_for(3600, client)
        await client.websocket.ping()


@pytest.mark.parametrize("by", ["call", "option"])
async def test_a_connection_is_closed_at_a_fixed_age(by: str, autojump_clock: MockClock) -> None:
    limit = 3480.0 if by == "option" else None
    async with (
        open_simulator(port=None, connection_limit=limit, go_away_lead=None) as simulator,
        talking(simulator) as (client, server),
    ):
        if by == "call":
            autojump_clock.jump(100)
            server.close_at_age(3480)
        due = simulator.received[0].time + 3480
        with trio.move_on_at(due - 1) as scope:
            await client.websocket.get_message()
        assert scope.cancelled_caught
        assert (await client.closed()).code == 1011
        assert trio.current_time() == pytest.approx(due, abs=1)


async def test_a_resume_succeeds(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, resume_lock=False) as simulator:
        async with talking(simulator, sessionResumption={}) as (client, _server):
            handle = await handle_of(client)
        async with dial(simulator) as client:
            assert await resume(client, handle) == {"setupComplete": {}}
        assert len(simulator.conversations) == 1


async def test_a_resume_comes_back_empty(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, resume_lock=False) as simulator:
        simulator.empty_next_resume()
        async with talking(simulator, sessionResumption={}) as (client, _server):
            handle = await handle_of(client)
            await client.say("My name is Ada.")
        async with dial(simulator) as client:
            assert await resume(client, handle) == {"setupComplete": {}}
            assert (await simulator.accept()).history == ()


@pytest.mark.parametrize("code", [1007, 1008, 1011])
async def test_a_resume_is_refused_by_code(code: int, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, resume_lock=False) as simulator:
        simulator.refuse_next_setup(code, "No.", only_resumes=True)
        async with talking(simulator, sessionResumption={}) as (client, _server):
            handle = await handle_of(client)
        async with dial(simulator) as client:
            assert await resume(client, handle) == Closed(code, "No.")
        async with dial(simulator) as client:
            assert await resume(client, handle) == {"setupComplete": {}}


async def test_a_resume_is_refused_while_the_old_socket_is_open(autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None) as simulator,
        talking(simulator, sessionResumption={}) as (client, _server),
    ):
        handle = await handle_of(client)
        async with dial(simulator) as other:
            assert await resume(other, handle) == Closed(1011, "Internal error encountered.")
        simulator.resume_lock = False
        async with dial(simulator) as other:
            assert await resume(other, handle) == {"setupComplete": {}}


async def test_a_token_is_good_for_one_session(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, api_key="k") as simulator:
        path = f"{CONSTRAINED}?access_token={simulator.mint_token(uses=1)}"
        async with dial(simulator, path) as client:
            await client.set_up()
        async with dial(simulator, path) as client:
            await client.send(setup=SETUP)
            assert isinstance(await client.receive(), Closed)


# --- Ends ---


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1001, "going"), (1007, "x" * 200), (4321, "Ü" * 100)]
)
async def test_any_code_and_reason(code: int, reason: str, autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None) as simulator,
        talking(simulator) as (client, server),
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(server.close, code, reason)
        cut = reason.encode()[:123].decode(errors="ignore")
        assert await client.closed() == Closed(code, cut)
    with pytest.raises(ValueError, match="can't stand in a close frame"):
        await server.close(1006)


async def test_a_close_frame_with_tcp_kept_open(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        client = Bare(await simulator.connector.connect())
        await client.set_up()
        await (await simulator.accept()).close(1011, "Bye.", hold_open=True)
        assert (await client.heard(3600)).endswith(b"\x03\xf3Bye.")
        assert client.open
        await client.stream.aclose()


async def test_a_tcp_reset(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        await server.reset()
        assert (await client.closed()).code == 1006
        with pytest.raises(trio.BrokenResourceError):
            await client.stream.send_all(b"x")


async def test_a_half_open_connection(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        server.vanish(noticed_after=None)
        await client.send(realtimeInput={"text": "Hello?"})
        await nothing_for(3600, client)
        assert server.conversation.consumed == ()
        assert server.ending is None


async def test_no_reply_to_a_close(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        server.ignore_close()
        with trio.move_on_after(3600) as scope:
            await client.websocket.aclose()
        assert scope.cancelled_caught


async def test_it_stops_reading(autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None, mind=None) as simulator,
        talking(simulator) as (client, server),
    ):
        server.stop_reading(30)
        with trio.move_on_after(29) as scope:
            for _ in range(100):
                await client.send(realtimeInput={"text": "x" * 10_000})
        assert scope.cancelled_caught
        assert server.conversation.consumed == ()
        autojump_clock.jump(2)
        await wait_all_tasks_blocked()
        assert server.conversation.consumed != ()


async def test_it_reads_slowly(autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None, mind=None) as simulator,
        talking(simulator) as (client, server),
    ):
        server.read_slowly(1_000)
        start = trio.current_time()
        for _ in range(20):
            await client.send(realtimeInput={"text": "x" * 10_000})
        # 200 kB at 1 kB/s, less what fits into the buffers between.
        assert 60 < trio.current_time() - start < 210
        server.read_slowly(None)
        autojump_clock.jump(1)
        await wait_all_tasks_blocked()
        assert len(server.conversation.consumed) == 20
        with pytest.raises(ValueError, match="no speed"):
            server.read_slowly(0)


async def test_pongs_are_late(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        server.delay_pongs(30)
        start = trio.current_time()
        await client.websocket.ping()
        assert trio.current_time() - start == pytest.approx(30)


# --- Audio ---


async def timed(client: RawClient, text: str) -> list[tuple[float, float]]:
    """Say a line; when each piece of the answer's audio came, and how long it plays."""
    await client.send(
        clientContent={"turns": [{**HELLO, "parts": [{"text": text}]}], "turnComplete": True}
    )
    pieces = []
    while True:
        message = await client.receive()
        assert isinstance(message, dict)
        if pcm := sound([message]):
            pieces.append((trio.current_time(), len(pcm) / 48_000))
        if "turnComplete" in message.get("serverContent", {}):
            return pieces


def speed(pieces: list[tuple[float, float]]) -> float:
    return sum(seconds for _, seconds in pieces[:-1]) / (pieces[-1][0] - pieces[0][0])


async def test_audio_comes_four_times_as_fast_and_in_bursts(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        server.delivery = Delivery(speed=4, burst=4)
        pieces = await timed(client, "tell me a story")
        assert speed(pieces) == pytest.approx(4, rel=0.15)
        times = [time for time, _ in pieces]
        assert times[0] == times[1] == times[2] == times[3] < times[4] == times[5]


async def test_audio_has_gaps(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        server.delivery = Delivery(gap_every=3, gap_seconds=2)
        times = [time for time, _ in await timed(client, "tell me a story")]
        waits = [after - before for before, after in itertools.pairwise(times)]
        assert [wait >= 2 for wait in waits[:6]] == [False, False, True, False, False, True]


async def test_audio_comes_too_slowly(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        server.delivery = Delivery(speed=0.8)
        assert speed(await timed(client, "tell me a story")) == pytest.approx(0.8, rel=0.05)


async def test_audio_trails_after_turn_complete(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        server.delivery = Delivery(late_audio="after_turn", late_pieces=2)
        answer = await client.say("count to 5")
        assert len(sound(answer)) > 0
        for _ in range(2):
            assert sound(await client.until("modelTurn"))


@pytest.mark.parametrize("where", ["after_interrupted", "with_interrupted"])
async def test_audio_trails_after_interrupted_and_in_the_same_message(
    where: Any, autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        server.delivery = Delivery(late_audio=where, late_pieces=3)
        await client.send(realtimeInput={"text": "tell me a story"})
        await client.until("modelTurn")
        await server.interrupt()
        cut = (await client.until("interrupted"))[-1]
        rest = await client.until("turnComplete")
        assert bool(sound([cut])) is (where == "with_interrupted")
        assert bool(sound(rest)) is (where == "after_interrupted")


async def test_interrupted_comes_though_nobody_spoke(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        await server.interrupt()
        assert order(await client.until("turnComplete")) == ["interrupted", "turnComplete"]
        await client.send(realtimeInput={"text": "tell me a story"})
        await client.until("modelTurn")
        await server.interrupt()
        rest = order(await client.until("turnComplete"))
        assert "interrupted" in rest
        assert "generationComplete" not in rest
        assert len(spoken(await client.say("say hello"))) == len("hello")


async def test_it_freezes(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        await client.send(realtimeInput={"text": "count to 30"})
        await client.until("modelTurn")
        server.freeze(95)
        start = last = trio.current_time()
        with trio.move_on_after(94):
            while True:
                await client.websocket.get_message()
                last = trio.current_time()
        assert last == start  # what was on its way arrives at once, and nothing more
        await client.until("turnComplete")
        assert trio.current_time() - start >= 95


# --- Tools ---


def calls_once(*calls: Call) -> Any:
    """A mind that calls some functions, and then tells what they answered."""

    def mind(situation: Situation) -> Reply:
        answers = situation.asked.answers
        if answers:
            return Reply("Answered: " + ", ".join(sorted(answer.name for answer in answers)))
        return Reply(calls=calls) if situation.asked.text == "Hello" else Reply("Yes?")

    return mind


async def answer_calls(client: RawClient, *calls: dict[str, Any], **more: Any) -> None:
    responses = [{"id": call["id"], "name": call["name"], "response": {"ok": 1}} for call in calls]
    await client.send(toolResponse={"functionResponses": [{**one, **more} for one in responses]})


@asynccontextmanager
async def called(
    behavior: str, *names: str, **options: Any
) -> AsyncIterator[tuple[RawClient, ServerConnection, list[dict[str, Any]]]]:
    """A conversation in which the model has just called some functions."""
    declarations = [{"name": name, "behavior": behavior} for name in names]
    mind = calls_once(*(Call(name) for name in names))
    async with open_simulator(port=None, mind=mind, **options) as simulator:
        tools = {"tools": [{"functionDeclarations": declarations}]}
        model = {"model": options.get("model", "models/gemini-2.5-flash-native-audio-latest")}
        async with talking(simulator, **tools, **model) as (client, server):
            await client.send(clientContent={"turns": [HELLO], "turnComplete": True})
            made = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
            yield client, server, made


async def test_a_blocking_call_is_waited_for(autojump_clock: MockClock) -> None:
    async with called("BLOCKING", "look") as (client, _server, (call,)):
        await nothing_for(100, client)
        await answer_calls(client, call)
        assert "look" in spoken(await client.until("turnComplete"))


async def test_a_non_blocking_call_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with called("NON_BLOCKING", "look") as (client, server, (call,)):
        await client.until("turnComplete")
        assert server.conversation.open_calls == (call["id"],)
        await answer_calls(client, call)
        assert "look" in spoken(await client.until("turnComplete"))


async def test_calls_are_parallel(autojump_clock: MockClock) -> None:
    async with called("BLOCKING", "look", "listen") as (client, server, calls):
        assert [call["name"] for call in calls] == ["look", "listen"]
        assert len({call["id"] for call in calls}) == 2
        await answer_calls(client, calls[1])
        await nothing_for(10, client)
        await answer_calls(client, calls[0])
        await client.until("turnComplete")
        assert server.conversation.open_calls == ()


async def test_calls_are_cancelled(autojump_clock: MockClock) -> None:
    async with called("NON_BLOCKING", "look", "listen") as (client, server, calls):
        await client.until("turnComplete")
        assert await server.cancel_calls(calls[0]["id"]) == (calls[0]["id"],)
        gone = (await client.until("toolCallCancellation"))[-1]["toolCallCancellation"]
        assert gone == {"ids": [calls[0]["id"]]}
        assert server.conversation.open_calls == (calls[1]["id"],)
        assert await server.cancel_calls() == (calls[1]["id"],)
        await client.until("toolCallCancellation")
        assert await server.cancel_calls() == ()


@pytest.mark.parametrize("fresh", [False, True])
async def test_a_call_is_doubled(fresh: bool, autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None, mind=None) as simulator,
        talking(simulator, **TOOLS) as (client, server),
    ):
        assert await server.repeat_calls() == []
        first = await server.call("look", {"at": "sky"})
        (second,) = await server.repeat_calls(fresh_ids=fresh)
        assert (first == second) is not fresh
        for made in (first, second):
            (call,) = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
            assert call == {"id": made, "name": "look", "args": {"at": "sky"}}


async def test_input_while_a_call_is_pending_is_a_1008(autojump_clock: MockClock) -> None:
    async with called("BLOCKING", "look") as (client, server, _calls):
        server.strict_blocking = True
        await client.send(realtimeInput={"text": "Hello?"})
        assert (await client.closed()).code == 1008


async def test_input_cancels_a_pending_call(autojump_clock: MockClock) -> None:
    async with called("BLOCKING", "look") as (client, server, (call,)):
        await client.send(clientContent={"turns": [HELLO], "turnComplete": True})
        gone = (await client.until("toolCallCancellation"))[-1]["toolCallCancellation"]
        assert gone == {"ids": [call["id"]]}
        assert call["id"] not in server.conversation.open_calls


async def test_answers_to_unknown_ids_are_ignored(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        await answer_calls(client, {"id": "nobody-called", "name": "look"})
        await nothing_for(60, client)
        (consumed,) = server.conversation.consumed
        assert consumed.ignored
        assert server.ending is None


@pytest.mark.parametrize(
    "response",
    [
        {"id": "c1", "name": "look", "response": "sunny"},
        {"id": "c1", "name": "look", "response": {}, "schedule": "SILENT"},
        {"id": "c1", "name": "look", "response": {}, "scheduling": "SOMETIME"},
    ],
)
async def test_the_shape_of_an_answer_is_checked(
    response: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator, **TOOLS) as talk:
        client, server = talk
        await server.call("look", call_id="c1")
        await client.send(toolResponse={"functionResponses": [response]})
        assert (await client.closed()).code == 1007


# --- Text ---


@pytest.mark.parametrize("where", ["before", "after", "late", None])
async def test_every_order_of_the_models_transcript(where: Any, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        server.delivery = Delivery(transcript=where)
        answer = await client.say("count to 9")
        if where == "late":
            answer += await client.until("outputTranscription")
        words = [index for index, message in enumerate(answer) if spoken([message])]
        pieces = [index for index, message in enumerate(answer) if sound([message])]
        over = next(i for i, message in enumerate(contents(answer)) if "turnComplete" in message)
        match where:
            case "before":
                assert max(words) <= min(pieces)
            case "after":
                assert min(words) >= max(pieces)
            case "late":
                assert "outputTranscription" in contents(answer)[-1]
                assert over < len(contents(answer)) - 1
            case _:
                assert words[0] <= pieces[0] < words[-1]
        assert spoken(answer) == "1, 2, 3, 4, 5, 6, 7, 8, 9."


@pytest.mark.parametrize("when", [None, "after_answer", "after_turn"])
async def test_every_order_of_the_users_transcript(when: Any, autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None) as simulator,
        talking(simulator, inputAudioTranscription={}) as (client, server),
    ):
        server.delivery = Delivery(heard=when)
        await client.send_audio(silence(0.5) + tone(1) + silence(1))
        answer = await client.until("turnComplete")
        if when == "after_turn":
            answer += await client.until("inputTranscription")
        keys = [key for content in contents(answer) for key in content]
        heard = keys.index("inputTranscription")
        match when:
            case None:
                assert heard < keys.index("modelTurn")
            case "after_answer":
                last = len(keys) - 1 - keys[::-1].index("modelTurn")
                assert last < heard < keys.index("generationComplete")
            case _:
                assert heard > keys.index("turnComplete")


async def test_a_transcript_out_of_nowhere(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        await server.transcribe("Nobody said this.")
        message = await client.receive()
        assert message == {"serverContent": {"inputTranscription": {"text": "Nobody said this."}}}


async def test_thought_parts(autojump_clock: MockClock) -> None:
    thinking = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
    async with (
        open_simulator(port=None) as simulator,
        talking(simulator, **thinking) as (client, _server),
    ):
        answer = await client.say("say hello")
        parts = [
            part for one in contents(answer) for part in one.get("modelTurn", {}).get("parts", [])
        ]
        assert [bool(part.get("thought")) for part in parts[:2]] == [True, False]


async def test_interaction_status_and_in_progress_after_turn_complete(
    autojump_clock: MockClock,
) -> None:
    thinking = {
        "model": "models/gemini-3.8-live-extended-thinking",
        "generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}},
    }
    async with open_simulator(port=None) as simulator:
        async with talking(simulator, **thinking) as (client, _server):
            first = (await client.say("say hello"))[-1]["serverContent"]
            last = (await client.until("turnComplete"))[-1]["serverContent"]
            assert first["interactionStatus"] == "IN_PROGRESS"
            assert last["interactionStatus"] == "IDLE"
        async with talking(simulator) as (client, server):
            server.delivery = Delivery(status_after=wire.InteractionStatus.IN_PROGRESS)
            await client.say("say hello")
            after = (await client.until("interactionStatus"))[-1]["serverContent"]
            assert after["interactionStatus"] == "IN_PROGRESS"


@pytest.mark.parametrize("mode", ["alone", "repeated", "cumulative", "delta", "missing", None])
async def test_usage_alone_repeated_cumulative_and_delta(
    mode: Any, autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator, talking(simulator) as (client, server):
        server.delivery = Delivery(usage=mode)
        answer = await client.say("count to 9")
        with trio.move_on_after(5):
            while isinstance(message := await client.receive(), dict):
                answer.append(message)
        usages = [message for message in answer if "usageMetadata" in message]
        counts = [one["usageMetadata"].get("responseTokenCount", 0) for one in usages]
        match mode:
            case "alone":
                assert [list(one) for one in usages] == [["usageMetadata"]]
            case "repeated":
                assert len(counts) == 3
                assert len(set(counts)) == 1
            case "cumulative":
                assert len(counts) > 3
                assert counts == sorted(counts)
                assert counts[-1] > counts[0]
            case "delta":
                assert len(counts) > 3
                assert max(counts) < sum(counts)
            case "missing":
                assert usages == []
            case _:
                assert ["turnComplete" in one["serverContent"] for one in usages] == [True]


# --- Always ---


async def test_there_is_a_record_with_times_of_all_that_the_client_sent(
    autojump_clock: MockClock,
) -> None:
    async with open_simulator(port=None, mind=None) as simulator:
        start = trio.current_time()
        async with talking(simulator) as (client, _server):
            autojump_clock.jump(7)
            await client.send(realtimeInput={"text": "Hello"})
            await client.send(nonsense=1)
            await client.closed()
        times = [round(frame.time - start) for frame in simulator.received]
        assert times == [0, 7, 7]
        assert json.loads(simulator.received[-1].frame) == {"nonsense": 1}


async def test_every_client_frame_is_checked_against_the_profile(
    autojump_clock: MockClock,
) -> None:
    async with open_simulator(port=None, mind=None) as simulator:
        async with talking(simulator) as (client, _server):
            await client.send(realtimeInput={"text": "Hello"})
            await wait_all_tasks_blocked()
            assert simulator.legality.legal
            await client.send(realtimeInput={"activityStart": {}})
            assert (await client.closed()).code == 1007
        (violation,) = simulator.legality.violations
        assert violation.reason.startswith("Explicit activity control is not supported")
