"""How an answer is laid out in time and order, where a test wants it otherwise than the model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from simulator.raw_client import RawClient, dial, order, silence, sound, spoken, tone
from trio.testing import MockClock

from gemini_live_trio import wire
from gemini_live_trio.simulator import Delivery, Simulator, open_simulator

SPEECH: dict[str, Any] = {"inputAudioTranscription": {}, "outputAudioTranscription": {}}
ASKED = "repeat after me: the quick brown fox jumps over the lazy dog"
ANSWER = "the quick brown fox jumps over the lazy dog"


@asynccontextmanager
async def session(
    delivery: Delivery, model: str = "gemini-3.1-flash-live-preview"
) -> AsyncIterator[RawClient]:
    async with (
        open_simulator(port=None, delivery=delivery) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up(model=f"models/{model}", **SPEECH)
        yield client


async def arrivals(client: RawClient) -> list[tuple[float, int]]:
    """When audio arrived after the first piece, and how much, up to the end of the turn."""
    await client.send(realtimeInput={"text": ASKED})
    pieces: list[tuple[float, int]] = []
    while True:
        message = await client.receive()
        assert isinstance(message, dict)
        size = len(sound([message]))
        if size > 2:  # the first sample is no piece
            pieces.append((trio.current_time(), size))
        if "turnComplete" in message.get("serverContent", {}):
            return [(time - pieces[0][0], size) for time, size in pieces]


async def whole_turn(client: RawClient, then: float = 1.0) -> list[dict[str, Any]]:
    """Ask, and collect the turn and what follows it within a second."""
    await client.send(realtimeInput={"text": ASKED})
    turn = await client.until("turnComplete")
    return turn + await whatever_follows(client, then)


async def whatever_follows(client: RawClient, seconds: float = 1.0) -> list[dict[str, Any]]:
    messages = []
    with trio.move_on_after(seconds):
        while True:
            message = await client.receive()
            assert isinstance(message, dict)
            messages.append(message)
    return messages


# --- Time ---


@pytest.mark.parametrize("speed", [0.8, 1.0, 4.0])
async def test_speed(speed: float, autojump_clock: MockClock) -> None:
    async with session(Delivery(speed=speed)) as client:
        pieces = await arrivals(client)
        for index, (time, _) in enumerate(pieces):
            assert time == pytest.approx(index * 0.25 / speed)


async def test_bursts(autojump_clock: MockClock) -> None:
    async with session(Delivery(speed=1, burst=4)) as client:
        times = [time for time, _ in await arrivals(client)]
        assert len(times) > 4
        expected = [index // 4 * 4 * 0.25 for index in range(len(times))]
        assert times == pytest.approx(expected)


async def test_gaps(autojump_clock: MockClock) -> None:
    async with session(Delivery(speed=1, gap_every=3, gap_seconds=2)) as client:
        times = [time for time, _ in await arrivals(client)]
        expected = [index * 0.25 + index // 3 * 2 for index in range(len(times))]
        assert times == pytest.approx(expected)


async def test_one_connection_can_be_changed_from_the_next_answer_on(
    autojump_clock: MockClock,
) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(model="models/gemini-3.1-flash-live-preview", **SPEECH)
        server = await simulator.accept()
        server.delivery = Delivery(speed=0.5)
        slow = await arrivals(client)
        assert slow[1][0] == pytest.approx(0.5)
        server.delivery = Delivery()
        usual = await arrivals(client)
        assert usual[1][0] == pytest.approx(0.25)


# --- Late audio ---


@pytest.mark.parametrize("count", [1, 2])
async def test_audio_after_the_turn(count: int, autojump_clock: MockClock) -> None:
    async with session(Delivery()) as client:
        usual = await whole_turn(client)
    async with session(Delivery(late_audio="after_turn", late_pieces=count)) as client:
        late = await whole_turn(client)
    end = next(
        index
        for index, message in enumerate(late)
        if "turnComplete" in message.get("serverContent", {})
    )
    assert sound(late) == sound(usual), "nothing is lost"
    assert [order([message]) for message in late[end + 1 :]] == [["modelTurn"]] * count
    assert spoken(late[:end]) == ANSWER


async def test_audio_with_the_end_of_the_turn(autojump_clock: MockClock) -> None:
    async with session(Delivery()) as client:
        usual = await whole_turn(client)
    async with session(Delivery(late_audio="with_turn", late_pieces=3)) as client:
        late = await whole_turn(client)
    assert sound(late) == sound(usual)
    assert order(late)[-3:] == ["modelTurn", "turnComplete", "usageMetadata"]
    assert {"modelTurn", "turnComplete"} <= set(late[-1]["serverContent"])


@pytest.mark.parametrize("mode", ["after_interrupted", "with_interrupted"])
async def test_audio_after_an_interruption(mode: Any, autojump_clock: MockClock) -> None:
    async with session(Delivery(late_audio=mode, late_pieces=2)) as client:
        await client.send(realtimeInput={"text": "count to 50"})
        await client.until("outputTranscription")
        await client.send(realtimeInput={"text": "stop"})
        cut = await client.until("turnComplete")
        at = next(i for i, message in enumerate(cut) if "interrupted" in message["serverContent"])
        if mode == "with_interrupted":
            assert sound([cut[at]])
            assert not sound(cut[at + 1 :])
        else:
            assert [bool(sound([message])) for message in cut[at:]] == [False, True, True, False]


# --- Transcripts ---


async def test_a_transcript_before_the_audio(autojump_clock: MockClock) -> None:
    async with session(Delivery(transcript="before")) as client:
        turn = await whole_turn(client)
        assert order(turn)[:3] == ["modelTurn", "outputTranscription", "modelTurn"]
        assert "outputTranscription" not in order(turn)[2:]
        assert spoken(turn) == ANSWER


async def test_a_transcript_after_the_audio(autojump_clock: MockClock) -> None:
    async with session(Delivery(transcript="after")) as client:
        turn = await whole_turn(client)
        assert order(turn)[:3] == ["modelTurn", "outputTranscription", "generationComplete"]
        assert spoken(turn) == ANSWER


async def test_the_last_of_a_transcript_after_the_turn(autojump_clock: MockClock) -> None:
    async with session(Delivery(transcript="late")) as client:
        turn = await whole_turn(client)
        assert order(turn)[-2:] == ["usageMetadata", "outputTranscription"]
        assert spoken(turn) == ANSWER


@pytest.mark.parametrize("transcript", ["before", "after", "late"])
async def test_an_interrupted_transcript(transcript: Any, autojump_clock: MockClock) -> None:
    async with session(Delivery(transcript=transcript)) as client:
        await client.send(realtimeInput={"text": "count to 50"})
        for _ in range(4):
            await client.until("modelTurn")
        await client.send(realtimeInput={"text": "stop"})
        cut = await client.until("turnComplete")
        assert order(cut)[-3:] == ["interrupted", "turnComplete", "usageMetadata"]


async def spoken_turn(client: RawClient) -> list[dict[str, Any]]:
    await client.send_audio(tone(0.5))
    await client.send_audio(silence(1))
    turn = await client.until("turnComplete")
    return turn + await whatever_follows(client)


@pytest.mark.parametrize(
    ("heard", "neighbours"),
    [
        (None, (None, "modelTurn")),
        ("after_answer", ("outputTranscription", "generationComplete")),
        ("after_turn", ("usageMetadata", None)),
    ],
)
async def test_the_users_transcript(
    heard: Any, neighbours: tuple[str | None, str | None], autojump_clock: MockClock
) -> None:
    delivery = Delivery(heard=heard, transcript="after")
    async with session(delivery) as client:
        keys: list[str | None] = [None, *order(await spoken_turn(client)), None]
        at = keys.index("inputTranscription")
        assert (keys[at - 1], keys[at + 1]) == neighbours
        assert keys.count("inputTranscription") == 1


# --- Usage and status ---


def usages(messages: list[dict[str, Any]]) -> list[tuple[list[str], int, int]]:
    """Beside what each usage came, and its counts."""
    return [
        (
            [key for key in order([message]) if key != "usageMetadata"],
            message["usageMetadata"]["promptTokenCount"],
            message["usageMetadata"]["responseTokenCount"],
        )
        for message in messages
        if "usageMetadata" in message
    ]


async def test_usage_alone(autojump_clock: MockClock) -> None:
    async with session(Delivery(usage="alone")) as client:
        turn = await whole_turn(client)
        assert order(turn)[-2:] == ["turnComplete", "usageMetadata"]
        assert list(turn[-1]) == ["usageMetadata"]


async def test_usage_repeated(autojump_clock: MockClock) -> None:
    async with session(Delivery(usage="repeated")) as client:
        told = usages(await whole_turn(client))
        assert [beside for beside, _, _ in told] == [["generationComplete"], ["turnComplete"], []]
        assert len({(prompt, answer) for _, prompt, answer in told}) == 1


async def test_usage_missing(autojump_clock: MockClock) -> None:
    async with session(Delivery(usage="missing")) as client:
        assert usages(await whole_turn(client)) == []


async def test_usage_as_a_running_count_and_as_differences(autojump_clock: MockClock) -> None:
    async with session(Delivery(usage="cumulative")) as client:
        running = usages(await whole_turn(client))
    async with session(Delivery(usage="delta")) as client:
        new = usages(await whole_turn(client))
    counts = [answer for _, _, answer in running]
    assert counts == sorted(counts)
    assert len({prompt for _, prompt, _ in running}) == 1
    assert len(new) == len(running)
    assert [prompt for _, prompt, _ in new] == [running[0][1]] + [0] * (len(new) - 1)
    assert sum(answer for _, _, answer in new) == counts[-1]


async def test_a_status_after_the_turn(autojump_clock: MockClock) -> None:
    status = wire.InteractionStatus.IN_PROGRESS
    async with session(Delivery(status_after=status), "gemini-3.8-live") as client:
        turn = await whole_turn(client)
        assert turn[-1] == {"serverContent": {"interactionStatus": "IN_PROGRESS"}}


# --- A mistake in it ---


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"speed": 0}, "speed must be more than 0"),
        ({"burst": 0}, "burst must be"),
        ({"gap_seconds": -1}, "can't be negative"),
        ({"late_audio": "sometimes"}, "late_audio is one of after_turn"),
        ({"transcript": "never"}, "transcript is one of"),
        ({"usage": "twice"}, "usage is one of"),
        ({"heard": "never"}, "heard is one of"),
    ],
)
def test_what_a_delivery_cannot_be(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Delivery(**fields)


async def test_an_empty_delivery_changes_nothing(autojump_clock: MockClock) -> None:
    async def turn(simulator: Simulator) -> list[dict[str, Any]]:
        async with dial(simulator) as client:
            await client.set_up(**SPEECH)
            return await client.say("Hello")

    async with (
        open_simulator(port=None) as one,
        open_simulator(port=None, delivery=Delivery()) as other,
    ):
        assert await turn(one) == await turn(other)


@pytest.mark.parametrize("transcript", [None, "before", "after", "late"])
@pytest.mark.parametrize("late_audio", [None, "after_turn", "with_turn"])
@pytest.mark.parametrize(
    "model",
    ["gemini-2.5-flash-native-audio-latest", "gemini-3.1-flash-live-preview", "gemini-3.8-live"],
)
async def test_no_delivery_loses_anything(
    model: str, late_audio: Any, transcript: Any, autojump_clock: MockClock
) -> None:
    async with session(Delivery(), model) as client:
        usual = await whole_turn(client)
    delivery = Delivery(late_audio=late_audio, transcript=transcript, late_pieces=2)
    async with session(delivery, model) as client:
        turn = await whole_turn(client)
    assert spoken(turn) == spoken(usual) == ANSWER
    assert sound(turn) == sound(usual)
