"""Recording what passes through the simulator, and serving it again."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio
from simulator.raw_client import BIDI, Closed, dial, order, silence, sound, spoken, tone
from support import turn, words
from trio.testing import MockClock

from gemini_live_trio import GeminiApi, SessionConfig, open_session
from gemini_live_trio.errors import RecordingError
from gemini_live_trio.events import Reconnected, ReconnectState
from gemini_live_trio.recording import (
    Ended,
    Frame,
    Opened,
    RecordingWriter,
    diff,
    read_recording,
)
from gemini_live_trio.simulator import Simulator, open_simulator

KEY = "AIza" + "SyD3m0" * 5 + "_-xyz"
SPEECH = {"inputAudioTranscription": {}, "outputAudioTranscription": {}}


def texts(path: Path, sender: Any) -> list[str]:
    return [str(frame.payload) for frame in read_recording(path).frames(sender)]


# --- Recording ---


async def test_every_frame_is_recorded_with_its_time(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "session.jsonl"
    async with open_simulator(port=None, record=path) as simulator, dial(simulator) as client:
        setup = await client.set_up(**SPEECH)
        await trio.sleep(5)
        began = trio.current_time()
        answer = await client.say("Hello")
    opened, *frames, ended = read_recording(path)
    assert isinstance(opened, Opened)
    assert (opened.path, opened.backend) == (BIDI, "gemini")
    assert isinstance(ended, Ended)
    assert (ended.by, ended.code) == ("client", 1000)
    assert all(isinstance(frame, Frame) for frame in frames)
    sent = [frame for frame in frames if isinstance(frame, Frame) and frame.sender == "server"]
    assert len(sent) == len(setup) + len(answer)
    asked = list(read_recording(path).frames("client"))[1]
    assert asked.time == pytest.approx(began - opened.time)
    assert {frame.opcode for frame in sent} == {"binary"}
    assert asked.opcode == "text"


async def test_a_recording_holds_no_credentials(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    async with open_simulator(api_key=KEY, record=path, record_media="whole") as simulator:
        async with dial(simulator, f"{BIDI}?key={KEY}", real=True) as client:
            first, *_ = await client.set_up(sessionResumption={})
            assert first == {"setupComplete": {}}
            update = await client.receive()
        async with dial(simulator, BIDI, headers=[(b"x-goog-api-key", b"wrong")]) as client:
            assert isinstance(await client.closed(), Closed)
    text = path.read_text()
    assert isinstance(update, dict)
    assert update["sessionResumptionUpdate"]["newHandle"] not in text
    assert KEY not in text
    assert "wrong" not in text
    assert text.count('"opened"') == text.count('"ended"') == 2


async def test_whole_media_are_kept_where_wanted(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "session.jsonl"
    async with (
        open_simulator(port=None, record=path, record_media="whole") as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        await client.send_audio(tone(0.1))
        heard = sound(await client.say("Hello"))
    kept = [json.loads(frame.payload) for frame in read_recording(path).frames("server")]
    assert sound(kept) == heard
    assert len(heard) > 10_000


async def test_a_recording_that_can_t_be_made_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file"):
        async with open_simulator(record=tmp_path / "none" / "x"):
            pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
async def test_a_full_disk_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        open_simulator(record="/dev/full", pace=0) as simulator,
        dial(simulator, real=True) as client,
    ):
        await client.set_up(**SPEECH)
        assert spoken(await client.say("say one two")) == "one two"
    assert "No space left" in caplog.text


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
async def test_a_slow_disk_holds_up_no_event_loop_at_the_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    data = bytearray()
    over = trio.Event()

    async def drain() -> None:
        await over.wait()
        while not data.endswith(b'"complete":true}\n'):
            with contextlib.suppress(BlockingIOError):
                data.extend(os.read(end, 2**16))
            await trio.lowlevel.checkpoint()

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(drain)
            async with open_simulator(port=None, mind=None, record=pipe) as simulator:
                async with dial(simulator) as client:
                    await client.set_up()
                    await client.send(realtimeInput={"text": "x" * 2**18})
                over.set()
    os.close(end)
    assert len(data) > 2**18


# --- Replaying ---


async def record(path: Path, *lines: str, **options: Any) -> list[dict[str, Any]]:
    """Record a short conversation; returns what the client got."""
    got: list[dict[str, Any]] = []
    async with (
        open_simulator(port=None, record=path, **options) as simulator,
        dial(simulator) as client,
    ):
        got += await client.set_up(**SPEECH)
        for line in lines:
            got += await client.say(line)
    return got


async def test_a_replay_says_the_same_at_the_same_times(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path, again = tmp_path / "one", tmp_path / "two"
    before = await record(path, "Hello", "say one two three", record_media="whole")
    async with open_simulator(port=None, replay=path, record=again) as simulator:
        async with dial(simulator) as client:
            after = await client.set_up(**SPEECH)
            for line in ("Hello", "say one two three"):
                after += await client.say(line)
        assert simulator.replay_differences == ()
    assert after == before
    times = [[frame.time for frame in read_recording(file).frames()] for file in (path, again)]
    assert times[0] == pytest.approx(times[1], abs=1e-5)
    assert diff(read_recording(path), read_recording(again)) == ()


async def test_answers_wait_for_what_they_answer(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "one"
    await record(path, "Hello")
    done = next(
        frame
        for frame in read_recording(path).frames("server")
        if b"outputT" in frame.payload  # type: ignore[operator]
    )
    asked = list(read_recording(path).frames("client"))[-1]
    async with open_simulator(port=None, replay=path) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        await trio.sleep(1_000)
        began = trio.current_time()
        await client.send(clientContent={"turns": [], "turnComplete": True})
        while "serverContent" not in (message := await client.receive()):
            pass
        while "outputTranscription" not in message["serverContent"]:
            message = await client.receive()
        assert trio.current_time() - began == pytest.approx(done.time - asked.time, abs=1e-5)


@pytest.mark.parametrize(("speed", "seconds"), [(2.0, 0.5), (math.inf, 0.0)])
async def test_a_replay_can_be_faster(
    speed: float, seconds: float, tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "one"
    await record(path, "tell me a story")
    *_, last = read_recording(path).frames("server")
    async with (
        open_simulator(port=None, replay=path, replay_speed=speed) as simulator,
        dial(simulator) as client,
    ):
        began = trio.current_time()
        await client.set_up(**SPEECH)
        await client.say("tell me a story")
        took = trio.current_time() - began
    assert took == pytest.approx(last.time * seconds, abs=1e-4)


async def test_sound_may_be_cut_otherwise(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "one"

    async def speak(simulator: Simulator, piece: float) -> list[dict[str, Any]]:
        async with dial(simulator) as client:
            await client.set_up(**SPEECH)
            for _ in range(round(1 / piece)):
                await client.send_audio(tone(piece))
                await trio.sleep(piece)
            await client.send_audio(silence(1))
            return await client.until("turnComplete")

    async with open_simulator(port=None, record=path) as simulator:
        before = await speak(simulator, 0.1)
    async with open_simulator(port=None, replay=path) as simulator:
        after = await speak(simulator, 0.02)
        assert simulator.replay_differences == ()
    assert order(after) == order(before)
    assert sound(after) == bytes(len(sound(before)))


async def test_an_ending_is_replayed_with_its_code_and_reason(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "one"
    async with open_simulator(port=None, record=path) as simulator:
        for end in ("close", "drop"):
            async with dial(simulator) as client:
                await client.set_up()
                server = await simulator.accept()
                await trio.sleep(3)
                await (server.close(1011, "too bad") if end == "close" else server.drop())
                await client.closed()
    async with open_simulator(port=None, replay=path) as simulator:
        async with dial(simulator) as client:
            await client.set_up()
            began = trio.current_time()
            assert await client.closed() == Closed(1011, "too bad")
            assert trio.current_time() - began == pytest.approx(3, abs=1e-4)
        async with dial(simulator) as client:
            await client.set_up()
            assert await client.closed() == Closed(1006, "")
        async with dial(simulator) as client:
            last = await client.closed()
            assert last.code == 1008
            assert last.reason == "The recording has 2 connections, and this is the next."
        assert simulator.replay_differences == ()


async def test_a_refused_setup_is_refused_again(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "one"
    async with open_simulator(port=None, record=path) as simulator:
        async with dial(simulator) as client:
            refusal = await client.refused(model="models/nobody-knows")
        async with dial(simulator) as client:
            before = await client.set_up()
    with RecordingWriter(tmp_path / "two", by="a test") as writer:
        writer.opened(1, BIDI)  # as a client saw it whose key was wrong
        writer.ended(1, "server", 1008, "the key")
        writer.opened(2, BIDI)  # and one that was not even answered
        writer.ended(2, "nobody", 1006)
        writer.opened(3, BIDI)
        writer.ended(3, "server", 4)
    async with open_simulator(port=None, replay=path) as simulator:
        async with dial(simulator) as client:
            assert await client.refused(model="models/nobody-knows") == refusal
        async with dial(simulator) as client:
            assert await client.set_up() == before
        assert simulator.replay_differences == ()
    async with open_simulator(port=None, replay=tmp_path / "two") as simulator:
        for last in (Closed(1008, "the key"), Closed(1006, ""), Closed(1006, "")):
            async with dial(simulator) as client:
                assert await client.refused() == last


async def test_a_client_that_is_not_let_in_takes_no_place(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "one"
    before = await record(path)
    async with open_simulator(port=None, replay=path, api_key=KEY) as simulator:
        async with dial(simulator) as client:
            assert "recording" not in (await client.refused()).reason
        async with dial(simulator, f"{BIDI}?key={KEY}") as client:
            assert await client.set_up(**SPEECH) == before
        async with dial(simulator, f"{BIDI}?key={KEY}") as client:
            last = await client.closed()
            assert last.reason == "The recording has 1 connection, and this is the next."


async def test_a_long_comparison_lets_others_go_on(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "one"
    with RecordingWriter(path, by="a test") as writer:
        writer.opened(1, BIDI)
        writer.frame(1, "client", json.dumps({"setup": {"model": "models/gemini-3.8-live"}}))
        for number in range(4_000):
            writer.frame(1, "client", json.dumps({"realtimeInput": {"text": str(number)}}))
        writer.ended(1, "client", 1000)
    rounds = 0

    async def count_rounds(simulator: Simulator) -> None:
        nonlocal rounds
        while not simulator.replay_differences:
            rounds += 1
            await trio.lowlevel.checkpoint()

    async with (
        open_simulator(port=None, replay=path) as simulator,
        trio.open_nursery() as nursery,
        dial(simulator) as client,
    ):
        await client.send(setup={"model": "models/gemini-3.8-live"})
        nursery.start_soon(count_rounds, simulator)
    assert rounds > 200
    assert [found.kind for found in simulator.replay_differences] == ["missing"] * 4_000


async def test_a_session_resumes_in_a_replay(tmp_path: Path, autojump_clock: MockClock) -> None:
    path = tmp_path / "one"

    async def talk(simulator: Simulator, *, drop: bool) -> list[str]:
        said = []
        config = SessionConfig(model="gemini-3.8-live")
        async with open_session(config, connector=simulator.connector) as session:
            await session.send_text("My name is Ada.")
            said.append(words(await turn(session)))
            if drop:
                await (await simulator.accept()).drop()
            async for event in session:
                if isinstance(event, Reconnected):
                    assert event.state is ReconnectState.RESUMED
                    break
            await session.send_text("What is my name?")
            said.append(words(await turn(session)))
        return said

    async with open_simulator(port=None, record=path) as simulator:
        before = await talk(simulator, drop=True)
    assert "Ada" in before[1]
    async with open_simulator(port=None, replay=path) as simulator:
        assert await talk(simulator, drop=False) == before
        assert simulator.replay_differences == ()
        handles = [setup.session_resumption for setup in simulator.setups]
        assert handles[-1] is not None
        assert handles[-1].handle is not None


async def test_what_a_client_says_otherwise_is_told_and_not_refused(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "one"
    await record(path, "Hello", "Bye")
    async with open_simulator(port=None, replay=path) as simulator:
        async with dial(simulator) as client:
            await client.set_up(**SPEECH)
            await client.send(bogus=True)
            await client.say("Good morning")
            await client.websocket.aclose(1001)
        first, *others = map(str, simulator.replay_differences)
        assert "message 2" in first
        assert "bogus" in first
        assert any("Good morning" in line for line in others)
        assert any("Bye" in line for line in others)
        assert "ended by client with 1000 became ended by client with 1001" in others[-1]


async def test_a_replay_refuses_what_can_t_be_replayed(tmp_path: Path) -> None:
    path = tmp_path / "one"
    with RecordingWriter(path, by="a test"):
        pass
    for speed in (0, -1, math.nan):
        with pytest.raises(ValueError, match="above 0"):
            async with open_simulator(replay=path, replay_speed=speed):
                pass
    with pytest.raises(ValueError, match="at once"):
        async with open_simulator(replay=path, record=path):
            pass
    with path.open("a") as file:
        file.write("broken\n")
    with pytest.raises(RecordingError, match="line 3"):
        async with open_simulator(replay=path):
            pass


async def test_a_recording_that_was_cut_off_is_replayed_as_far_as_it_goes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    path = tmp_path / "one"
    await record(path, "Hello")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]) + lines[5][:20])
    async with open_simulator(port=None, replay=path) as simulator, dial(simulator) as client:
        await client.set_up(**SPEECH)
        with trio.move_on_after(60) as scope:
            await client.say("Hello")
        assert scope.cancelled_caught


# --- The program ---


def start(*options: str | Path) -> tuple[subprocess.Popen[str], str]:
    program = [sys.executable, "-W", "error", "-m", "gemini_live_trio.simulator", "--pace", "0"]
    process = subprocess.Popen(
        [*program, *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["url"]


def stop(process: subprocess.Popen[str]) -> str:
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 0
    return told


async def converse(url: str) -> str:
    config = SessionConfig(model="gemini-3.8-live", endpoint=GeminiApi(base_url=url))
    with trio.fail_after(30):
        async with open_session(config) as session:
            await session.send_text("say one two three")
            return words(await turn(session))


async def test_the_program_records_and_replays(tmp_path: Path) -> None:
    path, report = tmp_path / "one", tmp_path / "report.json"
    process, url = start("--record", path, "--report", "--report-json", report)
    assert await converse(url) == "one two three"
    assert "2 frames from clients" in stop(process)
    assert json.loads(report.read_text())["violations"] == []
    process, url = start("--replay", path, "--replay-speed", "inf", "--report")
    assert await converse(url) == "one two three"
    assert "not as recorded" not in stop(process)


async def test_the_program_can_be_lenient() -> None:
    process, url = start("--lenient", "--report")
    host, port = url.removeprefix("ws://").split(":")
    stream = await trio.open_tcp_stream(host, int(port))
    await stream.aclose()
    assert "No frames from clients were judged." in stop(process)


def test_the_program_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    for option in ("--record", "--replay"):
        program = [sys.executable, "-W", "error", "-m", "gemini_live_trio.simulator", option]
        run = subprocess.run(
            [*program, os.fspath(tmp_path / "no" / "file")],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert run.returncode == 1
        assert "No such file" in run.stderr
        assert "Traceback" not in run.stderr
