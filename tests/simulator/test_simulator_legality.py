"""What was legal, and lenient mode."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from simulator.raw_client import MODEL, Closed, dial, silence

from gemini_live_trio import wire
from gemini_live_trio.simulator import open_simulator
from gemini_live_trio.testing import strategies

Clock = trio.testing.MockClock

KEY = "AIza" + "SyD3m0" * 5 + "_-xyz"
HELLO = {"clientContent": {"turns": [{"parts": [{"text": "Hello"}]}], "turnComplete": True}}
MARK: dict[str, Any] = {"realtimeInput": {"activityStart": {}}}


async def test_a_legal_conversation_has_no_violations(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up()
        await client.say("Hello")
        await client.send_audio(silence(0.1))
        await client.say("Bye")
        report = simulator.legality
    assert report.legal
    assert report.violations == ()
    assert report.frames == 4
    assert report.roots == {"setup": 1, "clientContent": 2, "realtimeInput": 1}
    assert report.connections == {1: report.roots}
    assert "All of them were legal." in str(report)


async def test_what_closed_each_connection_is_in_the_report(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            await client.set_up()
            await client.websocket.send_message(json.dumps({"clientContent": {"bogus": KEY}}))
            closed = await client.closed()
        async with dial(simulator) as client:
            await client.websocket.send_message("{")
            await client.closed()
        first, second = simulator.legality.violations
        assert isinstance(closed, Closed)
        assert (first.connection, first.code, first.reason) == (1, closed.code, closed.reason)
        assert first.excerpt.startswith('{"clientContent": {"bogus": ')
        assert KEY not in str(simulator.legality)
        assert KEY not in json.dumps(simulator.legality.to_json())
        assert (second.connection, second.code) == (2, 1007)
        assert simulator.legality.roots == {"setup": 1, "clientContent": 1, "unreadable": 1}
        assert not simulator.legality.legal


async def test_refusals_that_no_frame_is_to_blame_for_are_no_violations(
    autojump_clock: Clock,
) -> None:
    async with open_simulator(port=None) as simulator:
        simulator.refuse_next_setup(1011, "on request")
        async with dial(simulator) as client:
            await client.send(setup={"model": MODEL})
            assert (await client.closed()).reason == "on request"
        async with dial(simulator) as client:
            await client.send(setup={"model": MODEL, "sessionResumption": {"handle": "unknown"}})
            assert (await client.closed()).code == 1008
        assert simulator.legality.violations == ()


LATER: dict[str, tuple[str, str]] = {
    "not json": ("{", "Unexpected token"),
    "not an object": ("[]", "Invalid JSON payload"),
    "nothing": ("{}", "invalid argument"),
    "a second setup": (json.dumps({"setup": {"model": MODEL}}), "setup must be the first"),
    "an unknown root": ('{"start": {}}', "Unknown name"),
    "an activity mark": (json.dumps(MARK), "Explicit activity control"),
    "an odd sample rate": (
        '{"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=8000", "data": "AAA="}}}',
        "Sample rate changed",
    ),
    "old media": (
        '{"realtimeInput": {"mediaChunks": [{"mimeType": "audio/pcm", "data": "AAA="}]}}',
        "media_chunks is deprecated",
    ),
}


@pytest.mark.parametrize(("frame", "words"), LATER.values(), ids=LATER)
async def test_a_lenient_simulator_notes_it_and_goes_on(
    frame: str, words: str, autojump_clock: Clock
) -> None:
    async with open_simulator(port=None, lenient=True) as simulator, dial(simulator) as client:
        await client.set_up()
        await client.send_audio(silence(0.1))
        await client.websocket.send_message(frame)
        await client.say("Hello")
        (violation,) = simulator.legality.violations
        assert words in violation.reason
        assert violation.connection == 1


@pytest.mark.parametrize("wrong", [{"bogus": 1}, {"turns": [{"bogus": 1}]}])
async def test_an_unknown_name_is_left_out(wrong: dict[str, Any], autojump_clock: Clock) -> None:
    async with open_simulator(port=None, lenient=True) as simulator, dial(simulator) as client:
        await client.set_up()
        given = {**HELLO["clientContent"], **wrong, "turnComplete": True}
        await client.send(clientContent=given)
        await client.until("turnComplete")
        assert "Unknown name" in simulator.legality.violations[0].reason


async def test_of_two_roots_the_first_counts(autojump_clock: Clock) -> None:
    async with open_simulator(port=None, lenient=True) as simulator, dial(simulator) as client:
        await client.set_up()
        await client.send(**HELLO, realtimeInput={"text": "and this"})
        await client.until("turnComplete")
        asked = simulator.conversations[0].history[0]
        assert asked.text == "Hello"
        assert simulator.legality.roots["several"] == 1


SETUPS: dict[str, dict[str, Any]] = {
    "an unknown model": {"model": "models/gemini-nobody"},
    "no model": {},
    "a model without its prefix": {"model": "gemini-3.8-live"},
    "a modality that it hasn't": {"generationConfig": {"responseModalities": ["TEXT"]}},
    "two modalities": {"generationConfig": {"responseModalities": ["AUDIO", "TEXT"]}},
    "a modality that nobody knows": {"generationConfig": {"responseModalities": ["SMELL"]}},
    "a thinking level": {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}},
    "an unknown name": {"bogus": True},
    "a misplaced name": {"generationConfig": {"outputAudioTranscription": {}}},
    "what only Vertex has": {"sessionResumption": {"transparent": True}},
}


@pytest.mark.parametrize("setup", SETUPS.values(), ids=SETUPS)
async def test_a_setup_that_is_refused_is_taken_as_far_as_it_goes(
    setup: dict[str, Any], autojump_clock: Clock
) -> None:
    model = {} if "model" not in setup and not setup else {"model": MODEL}
    async with open_simulator(port=None, lenient=True) as simulator, dial(simulator) as client:
        await client.send(setup={**model, **setup})
        await client.until("setupComplete")
        await client.say("Hello")
        assert len(simulator.legality.violations) == 1


async def test_what_comes_before_the_setup_is_passed_over(autojump_clock: Clock) -> None:
    async with open_simulator(port=None, lenient=True) as simulator, dial(simulator) as client:
        await client.send(**HELLO)
        await client.send(bogus=True)
        await client.set_up()
        await client.say("Hello")
        assert len(simulator.legality.violations) == 2


async def test_lenient_mode_still_asks_for_the_key(autojump_clock: Clock) -> None:
    async with (
        open_simulator(port=None, lenient=True, api_key="right") as simulator,
        dial(simulator) as client,
    ):
        assert (await client.refused()).code == 1008
        assert simulator.legality.frames == 0


async def test_the_report_is_bounded(autojump_clock: Clock) -> None:
    async with open_simulator(port=None, lenient=True) as simulator, dial(simulator) as client:
        await client.set_up()
        for _ in range(1_010):
            await client.websocket.send_message("{")
        await client.say("Hello")
        report = simulator.legality
    assert len(report.violations) == 1_000
    assert report.unlisted == 10
    assert "1010 broke a rule" in str(report)
    assert math.isfinite(report.violations[0].time)


odd = st.one_of(
    strategies.near_frames(wire.LiveClientMessage),
    strategies.frames(wire.LiveClientMessage),
    strategies.hostile_frames(),
)


@settings(max_examples=200)
@given(first=st.lists(odd, max_size=3), later=st.lists(odd, max_size=4))
def test_a_lenient_simulator_survives_whatever_comes(
    first: list[str | bytes], later: list[str | bytes]
) -> None:
    async def main() -> None:
        async with open_simulator(port=None, lenient=True, mind=None) as simulator:
            async with dial(simulator) as client:
                for frame in first:
                    await client.websocket.send_message(_sendable(frame))
                await client.send(setup={"model": MODEL})
                for frame in later:
                    await client.websocket.send_message(_sendable(frame))
                await trio.sleep(5)
            assert simulator.legality.frames <= len(first) + len(later) + 1
            ending = simulator.legality
            assert len(ending.violations) <= ending.frames

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def _sendable(frame: str | bytes) -> str | bytes:
    return frame.encode(errors="replace").decode() if isinstance(frame, str) else frame
