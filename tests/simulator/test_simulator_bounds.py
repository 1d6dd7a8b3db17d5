"""What no client can do to the simulator, and what nobody can ask of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from simulator.raw_client import BIDI, MODEL, Bare, Closed, dial, silence, tone
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio.simulator import (
    Answer,
    Call,
    ServerConnection,
    Simulator,
    Turn,
    open_simulator,
)
from gemini_live_trio.simulator._door._pieces import MOST_PIECES, PieceCounter
from gemini_live_trio.simulator._door._stream import _fragmented
from gemini_live_trio.simulator._mind._ears import Ears
from gemini_live_trio.simulator._sessions import (
    MOST_CHARACTERS_BESIDE,
    MOST_CHARACTERS_IN_ALL,
    Hearing,
    State,
)

CONSTRAINED = BIDI + "Constrained"
UPGRADE = (
    f"GET {BIDI} HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: Upgrade\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n"
).encode()


# --- At the door ---


async def test_a_client_that_leaves_before_it_may_send_its_body(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        stream = await simulator.connector.connect()
        await stream.send_all(
            b"POST /v1beta/auth_tokens HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        await stream.aclose()
        await wait_all_tasks_blocked()
        assert simulator.visitors.left == 1
        async with dial(simulator) as client:
            assert await client.set_up()


async def test_pieces_are_counted_however_the_head_ends(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        stream = await simulator.connector.connect()
        await stream.send_all(UPGRADE + b"\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 101 ")
        with pytest.raises(trio.BrokenResourceError):
            await stream.send_all(b"\x01\x80\0\0\0\0" + b"\0\x80\0\0\0\0" * (MOST_PIECES + 65_536))
        await wait_all_tasks_blocked()
        assert not simulator.visitors.inside


async def test_a_request_for_a_websocket_has_no_body(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        stream = await simulator.connector.connect()
        await stream.send_all(UPGRADE + b"Content-Length: 3\n\nabc")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 400 ")
        await stream.aclose()
        await wait_all_tasks_blocked()
        assert simulator.visitors.garbage == 1


def test_the_counter_skips_the_head_and_no_more() -> None:
    counter = PieceCounter(10)
    assert counter.feed(b"0123456")
    assert counter.feed(b"789\x01\x80\0\0\0\0\0\x80\0\0")
    assert counter.pieces == 1


# --- All at once ---


@pytest.mark.parametrize("end", ["drop_all", "restart", "aclose"])
async def test_nobody_outlasts_the_end_of_all(end: str, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        silent = await simulator.connector.connect()
        held = Bare(await simulator.connector.connect())
        await held.set_up()
        await (await simulator.accept()).close(1011, hold_open=True)
        waiting = Bare(await simulator.connector.connect())
        simulator.ignore_next_setup()
        await waiting.set_up()
        while len(simulator.setups) < 2:
            await wait_all_tasks_blocked()
        now = trio.current_time()
        await getattr(simulator, end)()
        with trio.fail_after(5):
            for stream in (silent, held.stream, waiting.stream):
                while await stream.receive_some():
                    pass
        assert trio.current_time() == now
        await wait_all_tasks_blocked()
        assert not simulator.visitors.inside


async def test_one_who_doesn_t_read_holds_up_no_go_away(autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None) as simulator,
        dial(simulator) as first,
        dial(simulator) as second,
    ):
        servers = []
        for client in (first, second):
            await client.set_up()
            servers.append(await simulator.accept())
        servers[0].freeze()
        began = trio.current_time()
        with trio.fail_after(60):
            await simulator.go_away(5)
        assert trio.current_time() - began <= 1
        assert await second.receive() == {"goAway": {"timeLeft": "5s"}}
        ending = await servers[0].wait_ended()
        assert (ending.by, ending.code) == ("server", 1008)
        assert trio.current_time() - began == pytest.approx(7)  # and two for the close frame


async def test_one_who_doesn_t_read_gets_old_too(autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None, connection_limit=590, pace=0) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        server = await simulator.accept()
        began = trio.current_time()
        server.freeze()
        with trio.fail_after(600):
            assert (await server.wait_ended()).code == 1008
        assert trio.current_time() - began == pytest.approx(590, abs=2.1)


async def test_a_connection_is_there_when_its_setup_is_complete(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, pace=0) as simulator:
        seen: list[int] = []
        async with dial(simulator) as client, trio.open_nursery() as nursery:

            async def watch() -> None:
                assert await client.receive() == {"setupComplete": {}}
                (server,) = simulator.connections
                seen.append(server.number)
                await server.go_away(3)  # which may be before its conversation runs

            nursery.start_soon(watch)
            await client.send(setup={"model": MODEL, "sessionResumption": {}})
        assert seen == [1]
        async with dial(simulator) as other:
            await other.set_up(sessionResumption={})
            server = simulator.connections[-1]
            began = trio.current_time()
            await server.go_away(3)
            assert (await other.closed()).code == 1008
            assert trio.current_time() - began == pytest.approx(3)


async def test_setups_are_a_copy(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        before = simulator.setups
        await client.set_up()
        assert (len(before), len(simulator.setups)) == (0, 1)


async def test_nobody_comes_any_more(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await simulator.accept()

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        await simulator.aclose()
        await wait()
    async with open_simulator(port=None) as other:
        pass
    with pytest.raises(trio.ClosedResourceError):
        await other.accept()


# --- What nobody can ask of it ---

Fault = Callable[[Simulator, ServerConnection], Any]
WRONG: dict[str, Fault] = {
    "status 101": lambda s, _: s.reject_next_upgrade(101),
    "status 42": lambda s, _: s.reject_next_upgrade(42),
    "status 204": lambda s, _: s.reject_next_upgrade(204),
    "no times": lambda s, _: s.drop_next_setup(times=-1),
    "delay": lambda s, _: s.delay_next_setup(-1),
    "all go away": lambda s, _: s.go_away(-1),
    "go away": lambda _, c: c.go_away(-1),
    "go away, no number": lambda _, c: c.go_away(math.nan),
    "freeze": lambda _, c: c.freeze(-1),
    "stop reading": lambda _, c: c.stop_reading(math.nan),
    "late pongs": lambda _, c: c.delay_pongs(-1),
    "vanish": lambda _, c: c.vanish(noticed_after=-1),
    "age": lambda _, c: c.close_at_age(-1),
    "speed": lambda _, c: c.read_slowly(math.inf),
    "large": lambda _, c: c.send_large(2**30),
}


@pytest.mark.parametrize("fault", WRONG.values(), ids=WRONG)
async def test_a_fault_that_makes_no_sense(fault: Fault, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up()
        server = await simulator.accept()
        with pytest.raises(ValueError, match=r"^[^\n]+$"):
            outcome = fault(simulator, server)
            if outcome is not None:
                await outcome
        await client.say("Hello")


@pytest.mark.parametrize(
    "options",
    [
        {"record_bytes": -1},
        {"pace": math.nan},
        {"pace": -1},
        {"connection_limit": -1},
        {"connection_limit": math.nan},
        {"go_away_lead": -1},
    ],
    ids=str,
)
async def test_a_simulator_that_makes_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        async with open_simulator(port=None, **options):
            raise AssertionError


def test_fragments_are_bounded() -> None:
    frame = b"\x82\x7f" + (2**24).to_bytes(8, "big") + bytes(2**24)
    cut = _fragmented(frame, 1)
    assert len(frame) < len(cut) < len(frame) + 10_000 * 10
    assert _fragmented(b"\x81\x03abc", 1) == b"\x01\x01a\x00\x01b\x80\x01c"
    assert _fragmented(b"\x81\x00", 1) == b"\x81\x00"


# --- What is kept ---


def test_a_turn_keeps_no_more_than_it_may() -> None:
    large = {"text": "x" * 2_000_000}
    turn = Turn(
        role="user",
        answers=(Answer("one", large), Answer("two", {"a": 1}), Answer("x" * 10**6), Answer("e")),
        calls=(Call("three", large),),
    )
    assert turn.answers == (Answer("one"), Answer("two", {"a": 1}))
    assert turn.calls == (Call("three"),)
    many = Turn(role="user", answers=(Answer("one"),) * 100_000)
    assert len(many.answers) < MOST_CHARACTERS_BESIDE / 50


def test_a_history_keeps_no_more_than_it_may() -> None:
    state = State()
    answers = (Answer("one", {"text": "x" * (MOST_CHARACTERS_BESIDE // 2)}),)
    for _ in range(100):
        state.add(Turn(role="user", text="x" * 20_000, answers=answers))
    assert 20 < len(state.history) <= MOST_CHARACTERS_IN_ALL / 120_000
    assert state.history[-1].answers == answers


async def test_large_answers_in_a_history_are_emptied(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up()
        answer = {"name": "one", "response": {"text": "x" * 2_000_000}}
        given = {"role": "user", "parts": [{"functionResponse": answer}]}
        await client.send(clientContent={"turns": [given], "turnComplete": True})
        await client.until("turnComplete")
        assert simulator.conversations[0].history[0].answers == (Answer("one"),)


def test_copies_share_the_sound() -> None:
    ears = Ears(16_000, keep=True)
    ears.hear(tone(1.0))
    before = State(hearing=Hearing(ears=ears, typed=["a"]))
    copy = before.copied()
    other = copy.hearing.ears
    assert other is not None
    assert other is not ears
    assert other._kept is ears._kept
    ears.hear(tone(1.0))
    before.hearing.typed.append("b")
    assert copy.hearing.typed == ["a"]
    (first,) = ears.hear(silence(1.0))[-1:]
    (second,) = other.hear(silence(1.0))[-1:]
    assert len(first.pcm) - len(second.pcm) == 32_000  # type: ignore[union-attr]


# --- Half a frame ---

PCM = {"data": "AAAA", "mimeType": "audio/pcm"}
HALF: dict[str, dict[str, Any]] = {
    "video": {"audio": PCM, "video": {"data": "AAAA", "mimeType": "text/plain"}},
    "mark": {"audio": PCM, "activityStart": {}},
    "rate": {"video": {"data": "AAAA", "mimeType": "image/png"}, "audio": {**PCM, "mimeType": "x"}},
}


@pytest.mark.parametrize("frame", HALF.values(), ids=HALF)
async def test_what_is_wrong_in_a_frame_spoils_it_all(
    frame: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None, lenient=True) as simulator, dial(simulator) as client:
        await client.set_up()
        server = await simulator.accept()
        await client.send(realtimeInput=frame)
        await client.say("Hello")
        assert len(simulator.legality.violations) == 1
        assert server.conversation.audio_seconds == 0
        assert [entry.kind for entry in server.conversation.consumed] == ["clientContent"]
        assert server._session.state.hearing.seen == []


# --- Who is let into a recording ---


async def test_a_replay_looks_tokens_up(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "recording"
    async with open_simulator(port=None, record=path) as simulator, dial(simulator) as client:
        await client.set_up()
    async with open_simulator(port=None, replay=path) as simulator:
        async with dial(simulator, f"{CONSTRAINED}?access_token=auth_tokens/never") as client:
            end = await client.refused()
            assert isinstance(end, Closed)
            assert end.code == 1008
        async with dial(simulator, f"{CONSTRAINED}?access_token={simulator.mint_token()}") as good:
            assert await good.set_up()


async def test_a_replay_judges_with_the_first_message(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "recording"
    async with open_simulator(port=None, record=path) as simulator, dial(simulator) as client:
        await client.set_up()
    async with (
        open_simulator(port=None, replay=path, api_key="right") as simulator,
        dial(simulator, f"{BIDI}?key=wrong") as client,
    ):
        with trio.move_on_after(5) as scope:
            await client.websocket.get_message()
        assert scope.cancelled_caught
        assert (await client.refused()).code == 1007
        (frame,) = simulator.received
        assert json.loads(frame.frame)["setup"]
