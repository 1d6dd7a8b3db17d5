"""The program as a process of its own, over real sockets."""

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import termios
import wave
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from gemini_live_trio.simulator import Simulator, open_simulator

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
PROGRAM = [sys.executable, "-m", "gemini_live_trio"]
PATIENCE = 60
"""Seconds of real time; nothing here should take three."""
AT_ONCE = trio.CapacityLimiter(3)
PACE = 0.05
REPEAT = "repeat after me: one, two, three, four, five, six"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and shells of POSIX")

needs_audio = pytest.mark.skipif(
    importlib.util.find_spec("soxr") is None, reason="needs the extra audio"
)


@attrs.frozen
class Result:
    status: int
    out: str
    err: str

    def failed(self, status: int, said: str) -> None:
        """Check that it failed as it should: with one sentence, after remarks."""
        *remarks, last = self.err.splitlines()
        assert last.startswith("gemini-live-trio: ")
        assert said in last
        assert all(remark.startswith("note> ") for remark in remarks)
        assert self.status == status


@attrs.frozen
class Running:
    """A program that runs, with what it has said so far."""

    process: trio.Process
    out: bytearray = attrs.field(factory=bytearray)
    err: bytearray = attrs.field(factory=bytearray)
    pieces: list[bytes] = attrs.field(factory=list)
    _news: trio.Condition = attrs.field(factory=trio.Condition)

    async def collect(self, stream: trio.abc.ReceiveStream, into: bytearray) -> None:
        try:
            async for piece in stream:
                into += piece
                if into is self.out:
                    self.pieces.append(bytes(piece))
                async with self._news:
                    self._news.notify_all()
        except trio.ClosedResourceError:
            return  # by the test

    async def said(self, text: str, *, on_err: bool = False) -> None:
        """Wait until it has."""
        async with self._news:
            while text.encode() not in (self.err if on_err else self.out):
                await self._news.wait()

    async def end(self) -> Result:
        status = await self.process.wait()
        # Its pipes are read to their ends by the tasks of the block.
        return Result(status, self.out.decode(), self.err.decode())


@asynccontextmanager
async def start(
    *arguments: str | Path,
    key: str | None = None,
    stdin: int = subprocess.DEVNULL,
    program: Sequence[str] = PROGRAM,
) -> AsyncIterator[Running]:
    """Start the program, and kill it should it still run at the end of the block."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("GEMINI_", "GOO"))
    }
    environment |= {"GEMINI_API_KEY": key} if key else {}
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(
                partial(
                    trio.run_process,
                    [*program, *map(str, arguments)],
                    env=environment,
                    stdin=stdin,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    check=False,
                )
            )
            assert process.stdout is not None
            assert process.stderr is not None
            running = Running(process)
            async with process.stdout, process.stderr, trio.open_nursery() as readers:
                readers.start_soon(running.collect, process.stdout, running.out)
                readers.start_soon(running.collect, process.stderr, running.err)
                yield running
            nursery.cancel_scope.cancel()


async def run(*arguments: str | Path, key: str | None = None) -> Result:
    async with AT_ONCE, start(*arguments, key=key) as running:
        pass
    return await running.end()


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with open_simulator(pace=PACE, voice="tone") as running:
        yield running


# --- What it is for -----------------------------------------------------------------------------


async def test_the_built_in_simulator_answers_in_pieces_over_a_real_socket(tmp_path: Path) -> None:
    saved = tmp_path / "answer.wav"
    async with start("--simulate", "--text", REPEAT, "--save-audio", saved) as running:
        pass
    result = await running.end()
    assert (result.status, result.err) == (0, "")
    assert len(running.pieces) > 2
    assert len(result.out.splitlines()) == 1
    with wave.open(str(saved)) as answer:
        assert (answer.getframerate(), answer.getnchannels()) == (24_000, 1)
        assert answer.getnframes() > 24_000


@needs_audio
async def test_speech_in_and_events_out(simulator: Simulator, tmp_path: Path) -> None:
    saved = tmp_path / "answer.wav"
    result = await run(
        *("--url", simulator.url, "--json", "--fast"),
        *("--audio", SPEECH, "--text", "What did I say?", "--save-audio", saved),
    )
    assert (result.status, result.err) == (0, "")
    lines = [json.loads(line) for line in result.out.splitlines()]
    names = [line["event"] for line in lines]
    assert names.count("TurnComplete") == 2
    assert {"InputTranscription", "OutputTranscription", "ModelAudio", "Usage"} <= set(names)
    with wave.open(str(saved)) as answer:
        seconds = sum(line["seconds"] for line in lines if line["event"] == "ModelAudio")
        assert answer.getnframes() / 24_000 == pytest.approx(seconds, abs=0.01)


async def test_each_line_of_standard_input_is_a_turn(simulator: Simulator) -> None:
    async with AT_ONCE, start("--url", simulator.url, stdin=subprocess.PIPE) as running:
        keyboard = running.process.stdin
        assert keyboard is not None
        await keyboard.send_all(b"repeat after me: one\n")
        await running.said("one")
        await running.said("\n")
        await keyboard.send_all(b"\nrepeat after me: two")
        await keyboard.aclose()
    result = await running.end()
    assert (result.status, result.err) == (0, "")
    assert [("one" in line, "two" in line) for line in result.out.splitlines()] == [
        (True, False),
        (False, True),
    ]


async def test_the_conversation_goes_on_when_the_server_comes_back(simulator: Simulator) -> None:
    async with AT_ONCE, start("--url", simulator.url, stdin=subprocess.PIPE) as running:
        keyboard = running.process.stdin
        assert keyboard is not None
        await keyboard.send_all(b"repeat after me: one\n")
        await running.said("\n")
        await simulator.restart()
        await running.said("which was told what had been said", on_err=True)
        await keyboard.send_all(b"repeat after me: two\n")
        await running.said("two")
        await keyboard.aclose()
    result = await running.end()
    assert result.status == 0
    assert "note> The connection ended" in result.err


# --- What goes wrong ----------------------------------------------------------------------------


async def test_bad_calls_end_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a sound" * 100)
    with wave.open(str(tmp_path / "silent.wav"), "wb") as silent:
        silent.setparams((1, 2, 16_000, 0, "NONE", ""))
    sounds = {
        "missing.wav": "There is no file",
        "empty.wav": "is empty: 0 bytes",
        "text.wav": "is text; what can be sent are pictures and sounds",
        "silent.wav": "holds no sound",
        ".": "is a folder",
    }
    if importlib.util.find_spec("soxr") is None:
        sounds["silent.wav"] = 'pip install "gemini-live-trio[audio]"'
    url = "--url"
    with socket.create_server(("127.0.0.1", 0)) as unused:
        nobody = f"ws://127.0.0.1:{unused.getsockname()[1]}"
    async with (
        open_simulator(pace=PACE, voice="tone", api_key="the-right-key") as simulator,
        trio.open_nursery() as nursery,
    ):
        here = simulator.url

        async def check(status: int, said: str, *arguments: str, key: str | None = None) -> None:
            result = await run(*arguments, key=key)
            result.failed(status, said)
            assert result.out == ""

        nursery.start_soon(check, 2, "set GEMINI_API_KEY, or add --simulate")
        nursery.start_soon(lambda: check(1, "Check the API key", url, here, "--text", "a", key="x"))
        nursery.start_soon(check, 1, "Check the API key", url, here, "--text", "a")
        nursery.start_soon(check, 1, "models/nope", "--simulate", "--text", "a", "--model", "nope")
        nursery.start_soon(check, 1, "Nothing answers", url, nobody, "--text", "a")
        nursery.start_soon(check, 2, "ended without a line", "--simulate")
        for name, said in sounds.items():
            nursery.start_soon(check, 2, said, "--simulate", "--audio", str(tmp_path / name))


@needs_audio
async def test_a_truncated_recording_is_used_with_a_remark(
    simulator: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "cut.wav").write_bytes(SPEECH.read_bytes()[:40_000])
    result = await run("--url", simulator.url, "--fast", "--audio", tmp_path / "cut.wav")
    assert result.status == 0
    assert result.err.startswith("note> cut.wav is cut off")
    assert result.out


async def test_a_server_that_vanishes_is_given_up() -> None:
    async with AT_ONCE, open_simulator(voice="tone") as simulator:
        story = ("--text", "Tell me a story", "--retries", "2")
        async with start("--url", simulator.url, *story) as running:
            await running.said("Once upon")
            await simulator.aclose()
        result = await running.end()
    result.failed(1, "could not be brought back")
    assert "note> The connection ended" in result.err
    assert result.out.endswith("\n")


async def test_without_retries_the_end_of_the_connection_is_the_end() -> None:
    async with AT_ONCE, open_simulator(voice="tone") as simulator:
        async with start(
            "--url", simulator.url, "--text", "Tell me a story", "--retries", "0"
        ) as running:
            await running.said("Once upon")
            await simulator.drop_all()
        result = await running.end()
    result.failed(1, "The session ended")


async def test_closed_streams() -> None:
    def closed(which: str, *arguments: str) -> list[str]:
        return ["sh", "-c", f'exec "$@" {which}', "sh", *PROGRAM, "--simulate", *arguments]

    async def check(command: list[str], status: int, said: str) -> None:
        async with AT_ONCE:
            done = await trio.run_process(command, check=False, capture_stderr=True)
        assert done.returncode == status
        assert said in done.stderr.decode()
        assert "Traceback" not in done.stderr.decode()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(check, closed("<&- >/dev/null"), 2, "Standard input is closed")
        nursery.start_soon(check, closed(">&-", "--text", "2 plus 2"), 0, "")
        nursery.start_soon(check, closed("2>&- >/dev/null", "--text", "2 plus 2"), 0, "")
        nursery.start_soon(
            check,
            closed(">/dev/full", "--text", "Hi"),
            1,
            "Can't write to standard output: No space left on device.",
        )


async def test_a_reader_that_leaves_ends_it_quietly(simulator: Simulator) -> None:
    async with AT_ONCE, start("--url", simulator.url, stdin=subprocess.PIPE) as running:
        keyboard = running.process.stdin
        assert keyboard is not None
        await keyboard.send_all(b"Hello\n")
        await running.said("\n")
        assert running.process.stdout is not None
        await running.process.stdout.aclose()
        await keyboard.send_all(b"Hello again\n")
        await running.process.wait()
    result = await running.end()
    assert (result.status, result.err) == (128 + signal.SIGPIPE, "")


async def test_a_signal_ends_it_in_every_state(simulator: Simulator, tmp_path: Path) -> None:
    """Connecting; setting up; waiting for the keyboard, for an answer; in an answer; speaking."""
    saved = tmp_path / "answer.wav"

    async def check(number: int, running: Running) -> None:
        running.process.send_signal(number)
        with trio.fail_after(10):
            await running.process.wait()

    def ended(number: int, result: Result) -> None:
        words = {signal.SIGINT: "Stopped by Ctrl-C."}.get(
            signal.Signals(number), f"Stopped by signal {number}."
        )
        result.failed(128 + number, words)

    async def connecting(number: int) -> None:
        with trio.socket.socket() as deaf:
            await deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            url = f"ws://127.0.0.1:{deaf.getsockname()[1]}"
            async with AT_ONCE, start("--url", url, "--text", "a") as running:
                caller, _ = await deaf.accept()
                await check(number, running)
                caller.close()
        ended(number, await running.end())

    async def waiting(number: int) -> None:
        async with (
            AT_ONCE,
            open_simulator(mind=None) as silent,
            start("--url", silent.url, "--text", "a") as running,
        ):
            await silent.accept()
            await check(number, running)
        ended(number, await running.end())

    async def reading(number: int) -> None:
        arguments = ("--url", simulator.url, "--json")
        async with AT_ONCE, start(*arguments, stdin=subprocess.PIPE) as running:
            keyboard = running.process.stdin
            assert keyboard is not None
            await keyboard.send_all(b"Hi\n")
            await running.said("Usage")
            await check(number, running)
        ended(number, await running.end())

    async def streaming(number: int) -> None:
        story = ("--text", "Tell me a story", "--save-audio", saved)
        async with AT_ONCE, start("--simulate", *story) as running:
            await running.said("knocked")
            await check(number, running)
        ended(number, await running.end())
        with wave.open(str(saved)) as answer:
            assert answer.getnframes() > 0

    async def speaking(number: int) -> None:
        async with AT_ONCE, open_simulator(mind=None, pace=PACE) as silent:
            speech = [word for _ in range(9) for word in ("--audio", SPEECH)]
            async with start("--url", silent.url, *speech) as running:
                await silent.accept()
                await check(number, running)
        ended(number, await running.end())

    async with trio.open_nursery() as nursery:
        for state in (connecting, waiting, reading, streaming):
            nursery.start_soon(state, signal.SIGINT)
        if importlib.util.find_spec("soxr"):
            nursery.start_soon(speaking, signal.SIGINT)
        nursery.start_soon(waiting, signal.SIGTERM)
        nursery.start_soon(waiting, signal.SIGHUP)


def test_what_ends_it_is_put_away_whatever_signal_comes_next() -> None:
    program = """
import os, signal, trio, trio.testing
from gemini_live_trio.repl._errors import Terminated
from gemini_live_trio.repl._signals import run_until_signal

async def run():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await trio.sleep_forever()
    finally:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        with trio.CancelScope(shield=True):
            await trio.testing.wait_all_tasks_blocked()
        print("put away")

try:
    run_until_signal(run)
except Terminated as error:
    print(error.number)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "put away\n15\n", "")


async def test_what_nohup_ignores_stays_ignored(simulator: Simulator) -> None:
    command = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *PROGRAM, "--url", simulator.url]
    async with AT_ONCE, start(stdin=subprocess.PIPE, program=command) as running:
        keyboard = running.process.stdin
        assert keyboard is not None
        await keyboard.send_all(b"repeat after me: one\n")
        await running.said("\n")
        running.process.send_signal(signal.SIGHUP)
        await keyboard.send_all(b"repeat after me: two\n")
        await keyboard.aclose()
    result = await running.end()
    assert result.status == 0
    assert "two" in result.out


async def test_a_terminal_that_takes_nothing_does_not_keep_it_alive() -> None:
    pytest.importorskip("prompt_toolkit", reason="needs the extra repl")
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)
    shown = b""
    with trio.fail_after(PATIENCE):
        async with AT_ONCE, trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(
                partial(
                    trio.run_process,
                    [*PROGRAM, "--simulate"],
                    env=os.environ | {"TERM": "xterm"},
                    **dict.fromkeys(("stdin", "stdout", "stderr"), slave),
                    check=False,
                )
            )
            while b"/help shows" not in shown:
                await trio.lowlevel.wait_readable(master)
                shown += os.read(master, 4096)
            # What it echoes of this is more than the terminal holds.
            os.set_blocking(master, False)
            with contextlib.suppress(BlockingIOError):
                for _ in range(40):
                    os.write(master, b"word " * 100 + b"\r")
            process.terminate()
            assert await process.wait() == 128 + signal.SIGTERM
            assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
