"""A scripted conversation, in memory and on a virtual clock."""

import importlib.util
import json
import math
import os
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from cli.client import patiently
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import SessionConfig, open_session, wire
from gemini_live_trio.errors import ConfigError, MediaError
from gemini_live_trio.repl._errors import ConversationFailed
from gemini_live_trio.repl._options import Options
from gemini_live_trio.repl._patience import SILENT
from gemini_live_trio.repl._plain import PlainScreen
from gemini_live_trio.repl._render import Kind
from gemini_live_trio.repl._script import check_script, run_script
from gemini_live_trio.repl._speaking import open_recorder
from gemini_live_trio.simulator import ServerConnection, Simulator, open_simulator

CONFIG = SessionConfig(model="gemini-3.8-live")
TRANSCRIBING = SessionConfig(model="gemini-3.5-transcribe-live", response_modalities=["TEXT"])
SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"

needs_audio = pytest.mark.skipif(
    importlib.util.find_spec("soxr") is None, reason="needs the extra audio"
)


@asynccontextmanager
async def script(
    folder: Path, turns: Sequence[str | Path], *, mind: Any = "rules", **options: Any
) -> AsyncIterator[tuple[Simulator, trio.Nursery]]:
    """Start a script, give its server to the block, and wait for the script's end."""
    wanted = Options(config=CONFIG, simulate=True, turns=turns, **options)
    async with open_simulator(port=None, mind=mind) as simulator:
        with (folder / "out").open("w") as out, (folder / "err").open("w") as err:
            screen = PlainScreen(out, err, colours=False)
            async with (
                open_session(CONFIG, connector=simulator.connector) as session,
                open_recorder(wanted.save_audio) as recorder,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(run_script, session, wanted, screen, recorder)
                yield simulator, nursery


async def failure_of(running: AbstractAsyncContextManager[Any]) -> BaseException:
    """Return what ended a script, out of its groups."""
    try:
        async with running:
            pass
    except BaseException as error:  # noqa: BLE001 - looked at by the test
        while isinstance(error, BaseExceptionGroup):
            (error,) = error.exceptions
        return error
    raise AssertionError("it went well")


def out(folder: Path) -> str:
    return (folder / "out").read_text()


def err(folder: Path) -> str:
    return (folder / "err").read_text()


async def test_each_turn_waits_for_the_answer_before_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with script(tmp_path, ["My name is Ada.", "What did I say?"]):
        pass
    first, second = out(tmp_path).splitlines()
    assert "My name is Ada." in second
    assert first
    assert err(tmp_path) == ""


async def test_json_has_an_event_in_each_line_and_the_usage_last(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with script(tmp_path, ["Hello"], json=True):
        pass
    lines = [json.loads(line) for line in out(tmp_path).splitlines()]
    names = [line["event"] for line in lines]
    assert names[0] == "SetupComplete"
    assert names[-1] == "Usage"
    assert names.index("TurnComplete") < len(names) - 1
    assert names.count("OutputTranscription") > 2


def test_the_voice_is_saved(tmp_path: Path) -> None:
    async def check() -> None:
        async with script(tmp_path, ["Hello"], json=True, save_audio=tmp_path / "answer.wav"):
            pass

    patiently(check)
    lines = [json.loads(line) for line in out(tmp_path).splitlines()]
    seconds = sum(line["seconds"] for line in lines if line["event"] == "ModelAudio")
    with wave.open(str(tmp_path / "answer.wav")) as answer:
        assert answer.getframerate() == 24_000
        assert answer.getnframes() / 24_000 == pytest.approx(seconds, abs=0.01)
        assert seconds > 1


async def test_a_model_that_never_answers_is_given_up(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    begin = trio.current_time()
    error = await failure_of(script(tmp_path, ["Hello"], mind=None))
    assert isinstance(error, ConversationFailed)
    assert str(error).startswith(f"The model did not answer within {SILENT:g} s")
    assert trio.current_time() - begin == pytest.approx(SILENT, abs=5)


async def test_an_answer_that_a_broken_connection_swallowed_is_given_up(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[None]:
        async with script(tmp_path, ["Hello"], mind=None) as (simulator, _):
            server = await simulator.accept()
            await wait_all_tasks_blocked()
            assert any(_text_of(frame.message) for frame in simulator.received)
            await server.drop()
            yield

    error = await failure_of(broken())
    assert isinstance(error, ConversationFailed)
    assert "The connection broke in the middle" in str(error)
    assert "note> The connection ended" in err(tmp_path)
    assert "note> Connected again" in err(tmp_path)


def _stream_ended(simulator: Simulator) -> bool:
    messages = [frame.message for frame in simulator.received if frame.message]
    return any(it.realtime_input and it.realtime_input.audio_stream_end for it in messages)


def _text_of(message: wire.LiveClientMessage | None) -> str | None:
    return message.realtime_input.text if message and message.realtime_input else None


@needs_audio
def test_a_model_that_only_transcribes_is_done_when_it_falls_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "CONFIG", TRANSCRIBING)
    (tmp_path / "speech.pcm").write_bytes(bytes(3200))

    async def check() -> None:
        async with script(tmp_path, [tmp_path / "speech.pcm"], mind=None) as (simulator, _):
            server = await simulator.accept()
            while not _stream_ended(simulator):  # noqa: ASYNC110 - the disk takes its time
                await trio.sleep(0.1)
            for text in ("Hello, ", "hello."):
                heard = wire.LiveServerContent(input_transcription=wire.Transcription(text=text))
                await server.send(wire.LiveServerMessage(server_content=heard))
                await trio.sleep(2)  # a pause, but not yet silence
            begin = trio.current_time()
        assert trio.current_time() - begin < 5

    patiently(check)
    assert out(tmp_path) == "heard> Hello, hello.\n"


async def test_a_model_that_only_transcribes_answers_no_text(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "CONFIG", TRANSCRIBING)
    error = await failure_of(script(tmp_path, ["Hello"], mind=None))
    assert isinstance(error, ConfigError)
    assert "text can't be sent to it" in str(error)
    assert trio.current_time() < 1
    for turns in (["Hello"], []):  # without turns, lines would be text too
        with pytest.raises(ConfigError, match="writes down what it hears and nothing else"):
            await check_script(Options(config=TRANSCRIBING, turns=turns))


async def test_a_turn_that_goes_on_is_waited_for(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with script(tmp_path, ["Hello"], mind=None) as (simulator, _):
        server = await simulator.accept()
        await say(server, "Let me think.", interaction_status="IN_PROGRESS")
        await wait_all_tasks_blocked()
        autojump_clock.jump(SILENT / 2)
        await say(server, "42.", interaction_status="IDLE")
    assert out(tmp_path) == "Let me think.\n42.\n"


async def say(server: ServerConnection, text: str, **content: Any) -> None:
    transcription = wire.Transcription(text=text)
    for part in (
        wire.LiveServerContent(output_transcription=transcription),
        wire.LiveServerContent(turn_complete=True, **content),
    ):
        await server.send(wire.LiveServerMessage(server_content=part))


# --- Recordings ---------------------------------------------------------------------------------


@needs_audio
def test_a_recording_leaves_at_the_speed_of_speech(tmp_path: Path) -> None:
    patiently(partial(_speech_is_paced, tmp_path))


async def _speech_is_paced(folder: Path) -> None:
    async with script(folder, [SPEECH]) as (simulator, _):
        pass
    blobs = [
        (frame.time, message.realtime_input.audio.data)
        for frame in simulator.received
        if (message := frame.message) and message.realtime_input and message.realtime_input.audio
    ]
    with wave.open(str(SPEECH)) as speech:
        seconds = speech.getnframes() / speech.getframerate()
    sound = b"".join(data for _, data in blobs if data)
    assert len(sound) / 2 == pytest.approx(seconds * 16_000, abs=2)
    assert max(len(data or b"") for _, data in blobs) <= 0.04 * 16_000 * 2
    begin = blobs[0][0] - 0.02
    for number, (time, _) in enumerate(blobs[:-1], start=1):
        assert time - begin == pytest.approx(number * 0.02, abs=0.015)
    last = simulator.received[-1].message
    assert last is not None
    assert last.realtime_input is not None
    assert last.realtime_input.audio_stream_end is True
    assert "I heard you" in out(folder)


@needs_audio
def test_fast_sends_all_of_a_long_recording(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    soundfile = pytest.importorskip("soundfile")
    times = numpy.arange(16_000 * 60) / 16_000
    soundfile.write(tmp_path / "long.wav", 0.3 * numpy.sin(2 * math.pi * 220 * times), 16_000)

    async def check() -> None:
        async with script(tmp_path, [tmp_path / "long.wav"], fast=True) as (simulator, _):
            pass
        sent = 0
        for frame in simulator.received:
            message = frame.message
            if message and message.realtime_input and message.realtime_input.audio:
                sent += len(message.realtime_input.audio.data or b"")
        assert sent == 16_000 * 60 * 2

    patiently(check)


@needs_audio
async def test_a_recording_that_is_not_there(autojump_clock: MockClock, tmp_path: Path) -> None:
    error = await failure_of(script(tmp_path, [tmp_path / "none.wav"]))
    assert isinstance(error, MediaError)


@needs_audio
def test_speech_that_was_answered_before_the_recording_ended(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    numpy = pytest.importorskip("numpy")
    soundfile.write(tmp_path / "quiet.wav", numpy.zeros(16_000 * 2), 16_000)

    async def check() -> None:
        async with script(tmp_path, [tmp_path / "quiet.wav"], mind=None) as (simulator, _):
            server = await simulator.accept()
            with trio.move_on_after(0.5):  # a quarter of the recording
                pytest.fail(f"the client left: {await server.wait_ended()}")
            await say(server, "Yes?")
        assert out(tmp_path) == "Yes?\n"

    patiently(check)


@pytest.mark.skipif(os.name != "posix", reason="needs a pseudo-terminal")
async def test_nothing_that_is_said_passes_for_a_remark_of_ours() -> None:
    leader, follower = os.openpty()
    try:
        with os.fdopen(follower, "w") as terminal:
            screen = PlainScreen(terminal, terminal, colours=False)
            screen.add(Kind.MODEL, "a\nnote> b")
            screen.add(Kind.MODEL, "\nnote> c")
            screen.end()
            screen.line(Kind.TOOL, "tool: d\nerror> e")
            await screen.flush()
            read = b""
            while b"error> e" not in read:  # the system hands it on piece by piece
                read += os.read(leader, 1_000)
            shown = read.decode().splitlines()
    finally:
        os.close(leader)
    assert shown == [
        "model> a",
        "       note> b",
        "       note> c",
        "tool> tool: d",
        "      error> e",
    ]
