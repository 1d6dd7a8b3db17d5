"""A spoken conversation with devices that are moved by hand."""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from media.portaudio import Card, FakeSounddevice
from support import puppet, until

from gemini_live_trio import LiveSession, errors, wire
from gemini_live_trio.events import Interrupted, ModelAudio, TurnComplete
from gemini_live_trio.media import Speaker, open_speaker
from gemini_live_trio.simulator import ServerConnection
from gemini_live_trio.voice import run_voice

pytest.importorskip("numpy", reason="needs the extra audio")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSounddevice:
    """A machine with one card."""
    fake = FakeSounddevice(Card("Both", inputs=1, outputs=1))
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


def said(
    pcm: bytes = b"", *, interrupted: bool | None = None, complete: bool | None = None
) -> wire.LiveServerMessage:
    blob = wire.Blob(data=pcm, mime_type="audio/pcm;rate=24000")
    turn = wire.Content(parts=[wire.Part(inline_data=blob)]) if pcm else None
    content = wire.LiveServerContent(
        model_turn=turn, interrupted=interrupted, turn_complete=complete
    )
    return wire.LiveServerMessage(server_content=content)


@asynccontextmanager
async def talking(session: LiveSession, **options: Any) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: run_voice(session, **options))
        await trio.testing.wait_all_tasks_blocked()
        yield
        nursery.cancel_scope.cancel()


async def eventually(true: Callable[[], bool]) -> None:
    with trio.fail_after(5):
        while not true():
            await trio.lowlevel.checkpoint()


async def hears_one_second(
    session: LiveSession, server: ServerConnection, speaker: Speaker
) -> None:
    """Begin a conversation, and end it with all of an answer in the speaker's hands."""
    async with talking(session, microphone=False, speaker=speaker):
        await server.send(said(b"\0\x10" * 24_000))
        await until(session, ModelAudio)
        await eventually(lambda: speaker.newest_generation == 1)


async def test_a_conversation_that_goes_on_still_has_its_answer_in_hand(
    fake: FakeSounddevice,
) -> None:
    async with puppet() as (session, server), open_speaker(prebuffer_ms=0) as speaker:
        await hears_one_second(session, server, speaker)
        for number in range(10):
            fake.streams[0].take(at=50 + number * 0.02)
        async with talking(session, microphone=False, speaker=speaker):
            await eventually(lambda: session.transcript.sound_of(1) == (1.0, pytest.approx(0.2)))
            await server.send(said(b"\0\x10" * 2_400))
            await until(session, ModelAudio)
            await server.send(said(interrupted=True))
            await until(session, Interrupted)
            await eventually(lambda: speaker.statistics().waiting_seconds == 0)
        assert speaker.newest_generation == 1
        assert speaker.statistics().flushed_seconds == pytest.approx(0.9)


async def test_what_a_program_played_of_its_own_costs_no_answer(fake: FakeSounddevice) -> None:
    async with puppet() as (session, server), open_speaker(prebuffer_ms=0) as speaker:
        for generation in (1, 3, 5):
            async with talking(session, microphone=False, speaker=speaker):
                await server.send(said(b"\0\x10" * 480, complete=True))
                await until(session, TurnComplete)
                await eventually(lambda: speaker.newest_generation == generation)  # noqa: B023
            speaker.play_nowait(b"\0\x10" * 480, generation=generation + 1)
            speaker.flush(generation + 1)
        assert speaker.statistics().refused_seconds == 0


async def test_an_answer_that_waits_stays_in_hand_whatever_the_program_played_since(
    fake: FakeSounddevice,
) -> None:
    async with puppet() as (session, server), open_speaker(prebuffer_ms=0) as speaker:
        await hears_one_second(session, server, speaker)
        speaker.play_nowait(b"\0\x10" * 2_400, generation=2)
        for _ in range(2):
            async with talking(session, microphone=False, speaker=speaker):
                pass
        speaker.play_nowait(b"\0\x10" * 2_400, generation=3)
        for number in range(10):
            fake.streams[0].take(at=50 + number * 0.02)
        async with talking(session, microphone=False, speaker=speaker):
            await eventually(lambda: session.transcript.sound_of(1) == (1.0, pytest.approx(0.2)))
            await server.send(said(interrupted=True))
            await until(session, Interrupted)
            await eventually(lambda: speaker.statistics().flushed_seconds > 0)
        assert speaker.statistics().flushed_seconds == pytest.approx(0.8)
        assert speaker.statistics().waiting_seconds == pytest.approx(0.2)


async def test_another_session_goes_on_counting(fake: FakeSounddevice) -> None:
    async with open_speaker(prebuffer_ms=0) as speaker:
        for generation in (1, 2):
            async with (
                puppet() as (session, server),
                talking(session, microphone=False, speaker=speaker),
            ):
                await server.send(said(b"\0\x10" * 480))
                await until(session, ModelAudio)
                await eventually(lambda: speaker.newest_generation == generation)  # noqa: B023


@pytest.mark.parametrize("echo", [False, None, 3, object()])
async def test_what_can_not_cancel_is_refused_before_a_device_is_opened(
    fake: FakeSounddevice, echo: Any
) -> None:
    async with puppet() as (session, _):
        with trio.fail_after(5), pytest.raises(errors.ConfigError, match="echo must be"):
            await run_voice(session, echo=echo)
    assert not fake.tried
