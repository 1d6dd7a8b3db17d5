"""Sound through standard input and output, and the programs at the other ends."""

import array
import io
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, get_args

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import LiveSession, SessionConfig, open_session
from gemini_live_trio.errors import ConfigError, MediaError
from gemini_live_trio.events import Interrupted, ModelAudio
from gemini_live_trio.repl import main
from gemini_live_trio.repl._orders import Order, read_order
from gemini_live_trio.repl._piping import AHEAD, MOST_HELD, Voice, speak_input
from gemini_live_trio.simulator import Simulator, open_simulator

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes are watched on POSIX")

CONFIG = SessionConfig(model="gemini-3.8-live")
PROGRAM = [sys.executable, "-m", "gemini_live_trio"]
SECOND = 16_000 * 2
"""Bytes."""


@asynccontextmanager
async def talking() -> AsyncIterator[tuple[LiveSession, Simulator]]:
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(CONFIG, connector=simulator.connector) as session,
    ):
        yield session, simulator
        await session.aclose()


def blocks(simulator: Simulator) -> list[tuple[float, bytes]]:
    return [
        (frame.time, message.realtime_input.audio.data or b"")
        for frame in simulator.received
        if (message := frame.message) and message.realtime_input and message.realtime_input.audio
    ]


def tone(seconds: float, rate_hz: int = 16_000) -> bytes:
    steps = range(round(seconds * rate_hz))
    return array.array(
        "h", [round(9_000 * math.sin(2 * math.pi * 300 * step / rate_hz)) for step in steps]
    ).tobytes()


# --- In -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [False, True])
async def test_a_fast_source_is_paced_unless_told_otherwise(
    autojump_clock: MockClock, tmp_path: Path, fast: bool
) -> None:
    (tmp_path / "in").write_bytes(tone(3))
    async with talking() as (session, simulator):
        with (tmp_path / "in").open() as file:
            speak = partial(speak_input, rate_hz=16_000, fast=fast, warn=pytest.fail)
            await speak(session, file.fileno())
    sent = blocks(simulator)
    assert b"".join(data for _, data in sent) == tone(3)
    assert {len(data) for _, data in sent} == {640}
    assert sent[-1][0] - sent[0][0] == pytest.approx(0 if fast else 3 - AHEAD, abs=0.1)
    last = simulator.received[-1].message
    assert last is not None
    assert last.realtime_input is not None
    assert last.realtime_input.audio_stream_end is True


async def test_a_live_source_is_not_held_up(
    autojump_clock: MockClock, pipe: tuple[int, int]
) -> None:
    read, write = pipe
    periods = 40
    written = []
    async with talking() as (session, simulator), trio.open_nursery() as nursery:
        speak = partial(speak_input, rate_hz=16_000, fast=False, warn=pytest.fail)
        nursery.start_soon(speak, session, read)
        for _ in range(periods):
            await trio.sleep(0.125)  # as sound devices do it
            os.write(write, bytes(SECOND // 8))
            written.append(trio.current_time())
        os.close(write)
    sent = blocks(simulator)
    assert sum(len(data) for _, data in sent) == periods * SECOND // 8
    for number, (time, _) in enumerate(sent):
        whole = min((number + 1) * 640, periods * SECOND // 8)
        assert time - written[math.ceil(whole / (SECOND // 8)) - 1] < 0.02


async def test_any_rate_will_do_and_half_a_sample_is_left_out(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    pytest.importorskip("numpy")
    pytest.importorskip("samplerate")
    (tmp_path / "in").write_bytes(tone(1, 44_100) + b"\1")
    warned: list[str] = []
    async with talking() as (session, simulator):
        with (tmp_path / "in").open() as file:
            speak = partial(speak_input, rate_hz=44_100, fast=True, warn=warned.append)
            await speak(session, file.fileno())
    sound = b"".join(data for _, data in blocks(simulator))
    assert len(sound) / SECOND == pytest.approx(1, abs=0.02)
    assert warned == ["Standard input ended in the middle of a sample; its last byte is left out."]


async def test_what_is_no_bare_sound_is_refused(autojump_clock: MockClock, tmp_path: Path) -> None:
    speech = Path(__file__).parent.parent / "data" / "speech.wav"
    (tmp_path / "empty").touch()
    async with talking() as (session, simulator):
        for path, said in (
            (speech, "Standard input holds a WAV sound; --audio - takes bare samples"),
            (tmp_path / "empty", "ended without a sound"),
        ):
            with path.open() as file, pytest.raises(ConfigError, match=said):
                await speak_input(
                    session, file.fileno(), rate_hz=16_000, fast=True, warn=pytest.fail
                )
    assert blocks(simulator) == []


# --- Out ----------------------------------------------------------------------------------------


async def test_a_slow_listener_holds_nobody_up_and_misses_what_was_interrupted(
    autojump_clock: MockClock, pipe: tuple[int, int]
) -> None:
    read, write = pipe
    os.set_blocking(read, False)
    voice = Voice(write)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(voice.write_loop)
        with trio.fail_after(1):
            for _ in range(10):
                await voice.take(ModelAudio(pcm=b"\1\1" * 24_000))
        await wait_all_tasks_blocked()
        await voice.take(Interrupted())
        await voice.take(ModelAudio(pcm=b"\1\1" * 24_000, stale=True))
        await voice.take(ModelAudio(pcm=b"\2\2\2"))
        await voice.take(ModelAudio(pcm=b"\2"))
        voice.end()
        heard = b""
        while not heard.endswith(b"\2" * 4):
            await trio.lowlevel.wait_readable(read)
            heard += os.read(read, 65_536)
    assert heard.count(b"\1") + 4 == len(heard)
    assert len(heard) < 200_000  # what the pipe holds, of almost 500,000
    assert len(heard) % 2 == 0


async def test_the_voice_waits_for_room_and_takes_one_rate(
    autojump_clock: MockClock, pipe: tuple[int, int]
) -> None:
    voice = Voice(pipe[1])
    await voice.take(ModelAudio(pcm=bytes(MOST_HELD + 2)))
    with trio.move_on_after(1) as scope:
        await voice.take(ModelAudio(pcm=b"\0\0"))
    assert scope.cancelled_caught
    with pytest.raises(MediaError, match="16,000 samples a second"):
        await voice.take(ModelAudio(pcm=b"\0\0", rate_hz=16_000))


# --- Whole programs -----------------------------------------------------------------------------


async def run(command: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    with trio.fail_after(60):
        return await trio.run_process(
            ["sh", "-c", command, "sh", *PROGRAM],
            check=False,
            capture_stdout=True,
            capture_stderr=True,
            **options,
        )


async def test_sound_goes_from_pipe_to_pipe_and_words_stay_beside(tmp_path: Path) -> None:
    (tmp_path / "in.pcm").write_bytes(tone(1))
    async with open_simulator(voice="tone", pace=0.05) as simulator:
        done = await run(
            f'cat {tmp_path}/in.pcm | "$@" --url {simulator.url} --audio - --save-audio - | cat'
        )
    assert done.returncode == 0
    assert len(done.stdout) > 24_000
    assert len(done.stdout) % 2 == 0
    assert max(array.array("h", done.stdout)) > 1_000
    heard, answer = done.stderr.decode().splitlines()
    assert heard.startswith("heard> ")
    assert "I heard you speak for 1.0 seconds" in answer


async def test_a_player_that_leaves_ends_it_quietly() -> None:
    async with open_simulator(voice="tone", pace=0.05) as simulator:
        done = await run(
            f'{{ "$@" --url {simulator.url} --text "Tell me a story" --save-audio -; '
            "echo $? >&2; } | head -c 1000"
        )
    assert len(done.stdout) == 1_000
    assert done.stderr.decode().splitlines()[-1] == "141"
    assert "gemini-live-trio:" not in done.stderr.decode()


async def test_a_program_in_any_language_lends_its_functions(tmp_path: Path) -> None:
    declared = [{"name": "add", "description": "Adds.", "parameters": {"type": "OBJECT"}}]
    (tmp_path / "tools.json").write_text(json.dumps(declared))
    async with open_simulator(voice="tone", pace=0.05, commands=True) as simulator:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                options = ("--url", simulator.url, "--json-input")
                process: trio.Process = await nursery.start(
                    partial(
                        trio.run_process,
                        [*PROGRAM, *options, "--tools-file", str(tmp_path / "tools.json")],
                        stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE,
                        check=False,
                    )
                )
                assert process.stdin is not None
                assert process.stdout is not None
                await process.stdin.send_all(
                    b'{"text": "call add with a=1"}\n{"wait": "idle"}\n{"no": 1}\n{"text": "bye"}\n'
                )
                lines = []
                held = b""
                async for data in process.stdout:
                    *whole, held = (held + data).split(b"\n")
                    for line in map(json.loads, whole):
                        lines.append(line)
                        if line.get("event") == "ToolCall":
                            result = {"id": line["id"], "response": {"output": 3}}
                            answer = json.dumps({"tool_response": result}).encode()
                            await process.stdin.send_all(answer + b"\n")
                            await process.stdin.aclose()
                status = await process.wait()
    assert status == 1
    assert [line["line"] for line in lines if "error" in line] == [3]
    said = "".join(line["text"] for line in lines if line.get("event") == "OutputTranscription")
    assert "add answered" in said, lines
    assert "Goodbye" in said
    assert held == b""


def test_the_simulator_has_the_same_help_as_a_subcommand(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from gemini_live_trio.simulator.__main__ import main as simulate

    texts = []
    for call in (partial(main, ["simulate", "--help"]), partial(simulate, ["--help"])):
        with pytest.raises(SystemExit) as caught:
            call()
        assert caught.value.code == 0
        texts.append(capsys.readouterr().out.split("\n\n", 1))
    (ours, help_), (theirs, same) = texts
    assert ours.startswith("usage: gemini-live-trio simulate [-h]")
    assert theirs.startswith("usage: python -m gemini_live_trio.simulator [-h]")
    assert help_ == same


async def test_the_simulator_serves_as_a_subcommand() -> None:
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(
                partial(
                    trio.run_process,
                    [*PROGRAM, "simulate", "--pace", "0"],
                    stdout=subprocess.PIPE,
                    check=False,
                )
            )
            assert process.stdout is not None
            line = b""
            while b"\n" not in line:
                line += await process.stdout.receive_some()
            assert json.loads(line)["url"].startswith("ws://127.0.0.1:")
            process.terminate()
            assert await process.wait() == 0


def test_a_terminal_is_no_source_and_no_player_of_sound(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    master, slave = os.openpty()
    with os.fdopen(slave, "r+b", buffering=0) as raw:
        terminal = io.TextIOWrapper(raw, write_through=True)
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", terminal)
            assert main(["--simulate", "--audio", "-"]) == 2
        assert "standard input is a terminal" in capfd.readouterr().err
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", terminal)
            assert main(["--simulate", "--text", "a", "--save-audio", "-"]) == 2
        assert "standard output is a terminal" in capfd.readouterr().err
        with monkeypatch.context() as patched:
            # A conversation with a person: the samples would be drawn between the words.
            patched.setattr(sys, "stdin", terminal)
            patched.setattr(sys, "stdout", terminal)
            assert main(["--simulate", "--save-audio", "-"]) == 2
        assert "standard output is a terminal" in capfd.readouterr().err
    os.close(master)


# --- docs/json.md -------------------------------------------------------------------------------

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "json.md"


def test_every_order_in_the_document_is_one() -> None:
    documented = [
        line.split("`")[1]
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `{")
    ]
    kinds = {type(read_order(order)) for order in documented}
    assert kinds == set(get_args(Order))


async def test_the_example_in_the_document_prints_what_it_says(tmp_path: Path) -> None:
    (session,) = re.findall(
        r"^```text\n\$ .*? <<'END'\n(.*?)^> END\n(.*?)^```",
        DOCUMENT.read_text(encoding="utf-8"),
        re.M | re.S,
    )
    orders, shown = (part.splitlines() for part in session)
    (tmp_path / "orders").write_text("".join(f"{line.removeprefix('> ')}\n" for line in orders))
    done = await run(f'"$@" --simulate --json-input < {tmp_path}/orders')
    printed = [json.loads(line) for line in done.stdout.decode().splitlines()]
    by_name = {line.get("event", "error"): line for line in printed}
    *lines, verdict = shown
    assert done.stderr.decode() == f"{verdict}\n"
    for line in lines:
        if line == "...":
            continue
        expected = json.loads(line.replace(", ...", ""))
        if expected.get("event") in (None, "SetupComplete", "GenerationComplete", "TurnComplete"):
            assert expected in printed
        else:  # sizes and pieces hang on the voice
            assert expected.keys() == by_name[expected["event"]].keys()


async def test_the_program_in_the_document_runs(tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    (tools,) = re.findall(r"^```json\n(.*?)^```", text, re.M | re.S)
    (program,) = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    (promise,) = re.findall(r"^this program prints `(.*?)`:$", text, re.M)
    (tmp_path / "tools.json").write_text(tools)
    with trio.fail_after(60):
        done = await trio.run_process(
            [sys.executable, "-c", program], capture_stdout=True, cwd=tmp_path
        )
    assert done.stdout.decode() == f"{promise}\n"
