"""Entering and leaving a session."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from support import Connect, tone, turn, until, words
from trio.testing import MockClock

from gemini_live_trio import SessionConfig, Target, wire
from gemini_live_trio.errors import (
    ConfigError,
    ConnectError,
    LocalProtocolError,
    SessionBroken,
    SetupRejected,
    SetupTimeout,
)
from gemini_live_trio.events import (
    Interrupted,
    ModelAudio,
    OutputTranscription,
    Reconnected,
    ResumptionUpdate,
    SetupComplete,
    TurnComplete,
)
from gemini_live_trio.simulator import Simulator

MANUAL = SessionConfig(
    model="gemini-3.8-live",
    realtime_input=wire.RealtimeInputConfig(
        automatic_activity_detection=wire.AutomaticActivityDetection(disabled=True)
    ),
)


async def test_a_conversation(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session:
        await session.send_text("Hello!")
        events = await turn(session)
    assert isinstance(events[0], SetupComplete)
    assert sum(isinstance(event, OutputTranscription) for event in events) > 1
    assert sum(event.seconds for event in events if isinstance(event, ModelAudio)) > 0.5
    assert "Hello" in words(events)


async def test_several_turns_in_one_loop(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session:
        turns = 0
        await session.send_text("One")
        async for event in session:
            if isinstance(event, TurnComplete):
                turns += 1
                if turns == 3:
                    await session.aclose()
                else:
                    await session.send_text("More")
    assert turns == 3


async def test_leaving_a_loop_and_coming_back_misses_nothing(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session:
        await until(session, SetupComplete)
        await session.send_text("Hello!")
        first = await until(session, ModelAudio)
        rest = await turn(session)
        assert first not in rest
        assert isinstance(rest[-1], TurnComplete)


async def test_leaving_says_goodbye_after_the_last_word(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await until(session, ResumptionUpdate)
        server = await simulator.accept()
        for number in range(100):
            await session.send_text(str(number))
    assert (await server.wait_ended()).code == 1000
    texts = [
        frame.message.realtime_input.text
        for frame in simulator.received
        if frame.message is not None and frame.message.realtime_input is not None
    ]
    assert texts == [str(number) for number in range(100)]


async def test_after_aclose_nothing_is_sent_and_the_iteration_ends(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session:
        await session.aclose()
        await session.aclose()
        with pytest.raises(trio.ClosedResourceError):
            await session.send_text("late")
        with pytest.raises(trio.ClosedResourceError):
            session.send_audio_nowait(bytes(2))
        events = [event async for event in session]
        assert isinstance(events[0], SetupComplete)


async def test_the_users_exception_leaves_unchanged(
    autojump_clock: MockClock, connect: Connect
) -> None:
    error = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        async with connect():
            raise error
    assert caught.value is error
    assert not isinstance(caught.value, BaseExceptionGroup)


async def test_the_users_exception_carries_our_trouble_as_a_note(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    with pytest.raises(KeyError) as caught:
        async with connect() as session:
            await (await simulator.accept()).close(1007, "API key not valid.")
            with pytest.raises(SessionBroken):
                await until(session, TurnComplete)
            raise KeyError("mine")
    assert any("API key not valid" in note for note in caught.value.__notes__)


async def test_the_exit_tells_what_no_call_has(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    with pytest.raises(SessionBroken, match="API key not valid"):
        async with connect():
            await (await simulator.accept()).close(1007, "API key not valid.")
            await trio.testing.wait_all_tasks_blocked()


async def test_a_cancelled_block_still_has_a_working_session_in_its_finally(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    with trio.CancelScope() as scope:
        async with connect() as session:
            server = await simulator.accept()
            try:
                scope.cancel()
                await trio.sleep_forever()
            finally:
                with trio.CancelScope(shield=True):
                    await session.send_text("farewell")
                    await until(session, ModelAudio)
    assert scope.cancelled_caught
    assert (await server.wait_ended()).code == 1006


async def test_cancelling_while_connecting(autojump_clock: MockClock, connect: Connect) -> None:
    class Never:
        async def connect(self, target: Target, /) -> trio.abc.Stream:
            await trio.sleep_forever()
            raise AssertionError

    with trio.move_on_after(1) as scope:
        async with connect(connector=Never()):
            pytest.fail("there is no session")
    assert scope.cancelled_caught
    assert trio.current_time() < 2


async def test_a_setup_that_is_never_answered(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    simulator.ignore_next_setup()
    start = trio.current_time()
    with pytest.raises(SetupTimeout, match="within 7 s"):
        async with connect(setup_timeout=7):
            pytest.fail("there is no session")
    assert trio.current_time() - start == pytest.approx(7, abs=0.1)


async def test_a_refused_setup_tells_code_reason_and_advice(
    autojump_clock: MockClock, connect: Connect
) -> None:
    with pytest.raises(SetupRejected) as caught:
        async with connect(config=SessionConfig(model="gemini-nope", check="off")):
            pytest.fail("there is no session")
    assert caught.value.code == 1008
    assert caught.value.reason.startswith("models/gemini-nope is not found")
    assert "model" in caught.value.advice


async def test_marks_are_refused_where_the_service_detects_speech(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session:
        with pytest.raises(LocalProtocolError, match="detects speech by itself"):
            async with session.speaking():
                pytest.fail("nothing may be said")
        await session.send_text("Hello!")
        assert words(await turn(session))


async def test_nobody_answers(autojump_clock: MockClock, connect: Connect) -> None:
    class Nobody:
        async def connect(self, target: Target, /) -> trio.abc.Stream:
            raise ConnectionRefusedError("nobody is there")

    with pytest.raises(ConnectError, match="nobody is there"):
        async with connect(connector=Nobody()):
            pytest.fail("there is no session")


async def test_illegal_messages_are_refused_at_the_call(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session:
        with pytest.raises(LocalProtocolError):
            await session.send_audio(b"odd")
        await session.send_audio(bytes(4))
        with pytest.raises(LocalProtocolError, match="16000"):
            await session.send_audio(bytes(4), rate_hz=24_000)
        with pytest.raises(LocalProtocolError):
            await session.send_video(b"x", mime_type="audio/pcm")


async def test_speaking_over_the_model_interrupts_it(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect(config=MANUAL) as session:
        await session.send_text("Tell me something long, please, as long as you can.")
        await until(session, ModelAudio)
        async with session.speaking():
            await session.send_audio(tone(1))
            await until(session, Interrupted)
        await turn(session)
        assert words(await turn(session))


async def test_an_utterance_that_is_cancelled_is_ended_all_the_same(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect(config=MANUAL) as session:
        with trio.move_on_after(1):
            async with session.speaking():
                await session.send_audio(tone(0.1))
                await trio.sleep_forever()
        await session.aclose()
    marks = [
        (frame.message.realtime_input.activity_start, frame.message.realtime_input.activity_end)
        for frame in simulator.received
        if frame.message is not None
        and frame.message.realtime_input is not None
        and frame.message.realtime_input.audio is None
    ]
    assert marks == [(wire.ActivityStart(), None), (None, wire.ActivityEnd())]


async def test_the_blocks_own_exception_comes_out_of_an_utterance(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    with pytest.raises(KeyError):
        async with connect(config=MANUAL) as session, session.speaking():
            await (await simulator.accept()).close(1007, "API key not valid.")
            with pytest.raises(SessionBroken):
                await until(session, TurnComplete)
            raise KeyError("mine")


async def test_an_utterance_ends_even_with_full_buffers(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect(config=MANUAL) as session:
        await until(session, ResumptionUpdate)
        with trio.move_on_after(1):
            async with session.speaking():
                simulator.accepting = False
                await simulator.drop_all()
                while True:
                    await session.send_text("into the void")
        simulator.accepting = True
        await until(session, Reconnected)
        await trio.testing.wait_all_tasks_blocked()
        await session.aclose()
    marks = [
        mark
        for frame in simulator.received
        if frame.message is not None and (said := frame.message.realtime_input) is not None
        for mark in ("start" if said.activity_start else "", "end" if said.activity_end else "")
        if mark
    ]
    assert marks[-1] == "end"


async def test_a_refused_rate_is_forgotten(autojump_clock: MockClock, connect: Connect) -> None:
    async with connect() as session:
        with pytest.raises(LocalProtocolError):
            await session.send_audio(bytes(4), rate_hz=-1)
        await session.send_audio(bytes(4))


def test_a_key_as_plain_text_is_refused_without_being_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        SessionConfig(model="m", auth="s3cret")  # type: ignore[arg-type]
    assert "s3cret" not in str(caught.value)
    assert "ApiKey" in str(caught.value)


def test_modalities_are_read_in_any_case() -> None:
    assert SessionConfig(model="m", response_modalities="audio").response_modalities == (
        wire.Modality.AUDIO,
    )
    assert (
        SessionConfig(model="m", response_modalities=["audio"]).setup().output_audio_transcription
    )
