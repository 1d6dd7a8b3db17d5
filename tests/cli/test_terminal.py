"""The program in a real terminal: real key presses, the screen read back."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("prompt_toolkit", reason="needs the extra repl")
from cli.tmux import NEEDED, Service, Terminal

pytestmark = [pytest.mark.terminal, NEEDED]

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"
MAIN = "from gemini_live_trio.repl import main; raise SystemExit(main())"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    service = Service("--pace", "0.05", "--voice", "tone")
    yield service.url
    service.kill()


def test_a_conversation(terminal: Terminal, url: str, tmp_path: Path) -> None:
    shutil.copy(SPEECH, tmp_path / "my speech.wav")
    terminal.start("--url", url, "--fast")
    terminal.see(r"^note> Connected to 127.0.0.1:\d+")
    screen = terminal.see(r"^you>$(.|\n)* connected \|")
    assert screen.count("you>") == 1

    terminal.type("repeat after me: good morning")
    terminal.see(r"^you> repeat after me: good morning\nmodel> .*(?i:good morning)")
    terminal.type("/help")
    terminal.see(r"^note> /quit")
    terminal.type("/hepl")
    terminal.see(r"Did you mean /help\?")
    terminal.type("@none.wav")
    terminal.see(r"^error> There is no file none.wav")
    terminal.type("//tmp is a folder")
    terminal.see(r"^you> /tmp is a folder")
    pytest.importorskip("soxr", reason="needs the extra audio")
    terminal.type('@"my speech.wav"')
    terminal.see(r"^you> \[my speech.wav\]\n(.|\n)*^heard> .*\n(.|\n)*^model> I heard you")
    terminal.type("/quit")
    screen = terminal.ended(0)
    assert "Traceback" not in screen


def test_a_recording_is_replaced_once_there_is_a_session(
    terminal: Terminal, url: str, tmp_path: Path
) -> None:
    path = tmp_path / "voice.wav"
    path.write_bytes(b"from yesterday")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        nowhere = f"ws://127.0.0.1:{nobody.getsockname()[1]}"
        terminal.start("--url", nowhere, "--retries", "0", "--save-audio", str(path))
        terminal.ended(1)
    assert path.read_bytes() == b"from yesterday"
    terminal.start("--url", url, "--save-audio", str(path))
    terminal.see(r"^note> Connected to")
    terminal.type("Hello!")
    terminal.see(r"^model> .*Hello")
    terminal.type("/quit")
    terminal.ended(0)
    assert path.read_bytes().startswith(b"RIFF")


def test_what_is_typed_stays_whole_while_answers_stream(terminal: Terminal, url: str) -> None:
    command = [sys.executable, "-m", "gemini_live_trio", "--url", url, "--text", "Tell me a story"]
    story = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    terminal.start("--url", url)
    terminal.see(r"^note> Connected")
    terminal.type("Tell me a story")
    terminal.see(r"^model> Once upon")
    for letter in "a line that nobody disturbs":
        terminal.text(letter)
    terminal.see(re.escape(story[-10:].strip()))
    screen = terminal.see(r"^you> a line that nobody disturbs$")
    assert screen.count("a line that nobody disturbs") == 1
    # All of the answer is there, in whole words, in order.
    shown = screen.partition("model>")[2].partition("you>")[0]
    assert shown.split() == story.split()
    terminal.keys("C-u")
    terminal.type("/quit")
    terminal.ended(0)


def test_ctrl_c_clears_then_leaves(terminal: Terminal, url: str) -> None:
    terminal.start("--url", url)
    terminal.see(r"^note> Connected")
    terminal.text("a draft")
    terminal.see(r"^you> a draft")
    terminal.keys("C-c")
    screen = terminal.see(r"^you>$")
    assert "a draft" not in screen
    assert "Press Ctrl-C" not in screen
    terminal.keys("C-c")
    terminal.see(r"^note> Press Ctrl-C again to leave\.")
    # Another line, and nothing that the model would speak of.
    terminal.type("/help quit")
    terminal.see(r"^note> +/quit +Ctrl-D does too")
    terminal.keys("C-c")
    terminal.see(r"(again to leave(.|\n)*){2}")
    terminal.keys("C-c")
    terminal.ended(0)


def test_ctrl_d_leaves_on_an_empty_line_only(terminal: Terminal, url: str) -> None:
    terminal.start("--url", url)
    terminal.see(r"^note> Connected")
    terminal.text("ab")
    terminal.keys("C-a", "C-d")
    terminal.see(r"^you> b$")
    terminal.keys("C-d", "C-d")
    terminal.ended(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_restores_the_terminal(
    terminal: Terminal, url: str, number: signal.Signals, tmp_path: Path
) -> None:
    program = "import os; print(os.getpid(), file=open('pid', 'w')); " + MAIN
    terminal.start("--url", url, program=["-c", program])
    terminal.see(r"^note> Connected")
    terminal.text("a draft")
    terminal.see(r"^you> a draft")
    os.kill(int((tmp_path / "pid").read_text()), number)
    screen = terminal.ended(128 + number)
    assert "gemini-live-trio: Stopped by" in screen


def test_a_server_that_dies_is_told_and_restores_the_terminal(terminal: Terminal) -> None:
    service = Service("--voice", "tone")
    terminal.start("--url", service.url, "--retries", "1")
    terminal.see(r"^note> Connected")
    terminal.type("Tell me a story")
    terminal.see(r"^model> Once upon")
    service.kill()
    screen = terminal.see(r"could not be brought back")
    assert "note> The connection ended" in screen
    # The prompt lives on, and the next input would try again.
    terminal.text("a draft")
    terminal.see(r"^you> a draft$")
    terminal.keys("C-c", "C-d")
    terminal.ended(0)


def test_ctrl_c_while_it_connects(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        terminal.start("--url", f"ws://127.0.0.1:{deaf.getsockname()[1]}")
        terminal.see(r"^note> Connecting")
        terminal.keys("C-c")
        terminal.see(r"^note> Press Ctrl-C again to leave\.")
        terminal.keys("C-c")
        terminal.ended(0)


def test_narrow_and_resized_terminals(terminal: Terminal, url: str) -> None:
    terminal.resize(40, 20)
    terminal.start("--url", url)
    terminal.see(r"^note> Connected")
    terminal.type("Tell me a story")
    terminal.see(r"^you> Tell me a story\nmodel> Once upon a time there was a\n       small")
    terminal.resize(100, 30)
    terminal.text("typed after the resize")
    terminal.see(r"^you> typed after the resize$")
    terminal.keys("C-u", "C-d")
    terminal.ended(0)


def test_colours_and_none(terminal: Terminal, url: str) -> None:
    for unwanted in (False, True):
        if unwanted:
            terminal.type("export NO_COLOR=1")
        terminal.start("--url", url)
        terminal.see(r"^note> Connected")
        coloured = re.search("\x1b\\[[0-9;]*[39][0-7]m", terminal.screen("-e"))
        assert bool(coloured) is not unwanted
        terminal.keys("C-d")
        terminal.ended(0)


@pytest.fixture(scope="module")
def quick() -> Iterator[str]:
    """A service whose answers are over as soon as they are seen, so that Ctrl-C isn't for them."""
    service = Service("--pace", "0", "--voice", "tone")
    yield service.url
    service.kill()


@pytest.mark.parametrize("way", ["dumb", "missing"])
def test_without_a_prompt_it_is_still_a_conversation(
    terminal: Terminal, quick: str, way: str
) -> None:
    if way == "dumb":
        terminal.type("export TERM=dumb")
        terminal.start("--url", quick)
    else:
        program = "import sys; sys.modules['prompt_toolkit'] = None; " + MAIN
        terminal.start("--url", quick, program=["-c", program])
    screen = terminal.see(r"^note> Connected")
    assert ('pip install "gemini-live-trio[repl]"' in screen.replace("\n", "")) is (
        way == "missing"
    )
    terminal.type("repeat after me: plain")
    terminal.see(r"^model> .*plain")
    terminal.see_line_end()  # the model is silent
    terminal.keys("C-c")
    terminal.see(r"^note> Press Ctrl-C again")
    # Another line, and nothing that the model would speak of.
    terminal.type("/help quit")
    terminal.see(r"^note> +/quit +Ctrl-D does too")
    if way == "dumb":
        terminal.keys("C-c")
        terminal.see(r"(Press Ctrl-C again(.|\n)*){2}")
        terminal.keys("C-c")
    else:
        terminal.keys("C-d")
    terminal.ended(0)
