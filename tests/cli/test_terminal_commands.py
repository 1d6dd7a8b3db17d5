"""Every command typed into a real terminal, and Ctrl-C wherever somebody may lose patience."""

import json
import os
import re
import select
import socket
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("prompt_toolkit", reason="needs the extra repl")
from cli.tmux import NEEDED, PATIENCE, Service, Terminal

pytestmark = [pytest.mark.terminal, NEEDED]

AGAIN = r"^note> Press Ctrl-C again to leave\."
SLOW = "4"
"""The pace of a service whose story lasts for more than a minute, and so is under way whenever a
test comes to it."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    service = Service("--pace", "0.05", "--voice", "tone", "--commands")
    yield service.url
    service.kill()


@pytest.fixture
def wide(terminal: Terminal) -> Terminal:
    terminal.resize(160, 50)
    return terminal


def shows(terminal: Terminal, line: str, pattern: str) -> str:
    """Type a line into an empty screen, and see what comes of it."""
    terminal.clear()
    terminal.type(line)
    return terminal.see(pattern)


# --- Commands -----------------------------------------------------------------------------------


def test_commands_that_tell(wide: Terminal, url: str) -> None:
    wide.start("--url", url)
    wide.see(r"^note> Connected")
    shows(wide, "repeat after me: good morning", r"^model> .*(?i:good morning)")

    screen = shows(wide, "/help", r"^note> /help COMMAND +shows how")
    assert re.search(r"^note> /quit, /exit, /q +end the conversation", screen, re.MULTILINE)
    shows(wide, "/help save", r"^note> +/save FILE +\.md or \.json")
    shows(wide, "/help me", r"^error> There is no command me; /help shows all")

    screen = shows(wide, "/status", r"^note> waits for /apply +nothing")
    assert re.search(r"^note> connection +connected, 127\.0\.0\.1", screen, re.MULTILINE)
    tools = "clock, desktop-microphone, desktop-speaker, timer"
    assert re.search(f"^note> tools +{tools}", screen, re.MULTILINE)
    screen = shows(wide, "/usage", r"^note> Turn 1: [1-9]\d* tokens")
    assert re.search(r"^note> All in all [1-9]\d* tokens", screen, re.MULTILINE)
    shows(wide, "/model", r"^note> The model in force: (models/)?gemini-3\.8-live")
    shows(wide, "/voice", r"^note> There are Achernar, ")
    shows(wide, "/system", r"^note> The system instruction in force: none")
    screen = shows(wide, "/tools list", r"^note> code-execution +off ")
    assert re.search(r"^note> clock +on ", screen, re.MULTILINE)
    shows(wide, "/tools", f"^note> In force: {tools}")

    shows(wide, "/quit now", r"^error> /quit stands alone; nothing was done")
    wide.type("/quit")
    wide.ended(0)


def test_commands_that_change_settings(wide: Terminal, url: str) -> None:
    wide.start("--url", url)
    wide.see(r"^note> Connected")
    shows(wide, "My name is Ada.", r"^model> Hello, Ada")

    shows(wide, "/system set Don't be brief.", r"^note> Waiting for /apply: system.*Don't be brief")
    wide.see(r"connected \|.*/apply to change")
    screen = shows(wide, "/system show", r"^note> Waiting for /apply: Don't be brief\.")
    assert "in force: none" in screen
    shows(wide, "/voice puck", r"^note> Waiting for /apply: voice: Puck; system")
    shows(wide, "/tools enable list_files", r"^note> Waiting for /apply: .*tools: \+list-files")
    shows(wide, "/tools disable clock", r"^note> Waiting for /apply: .*\+list-files -clock")
    shows(wide, "/tools enable tiger", r"^error> There is no tool 'tiger'; did you mean timer\?")
    shows(wide, "/apply", r"^note> In force: voice: Puck; .*\nnote> The conversation goes on")
    wide.see(lambda shown: "/apply to change" not in shown)
    screen = shows(wide, "/status", r"^note> waits for /apply +nothing")
    for row in ("voice +Puck", "system instruction +Don't be brief", "tools .*list-files, timer"):
        assert re.search(f"^note> {row}", screen, re.MULTILINE)
    shows(wide, "/apply", r"^note> Nothing waits to be applied\.")

    shows(wide, "/tools toggle clock", r"^note> Waiting for /apply: tools: \+clock")
    shows(wide, "/tools apply", r"^note> In force: tools: \+clock")
    shows(wide, "/system clear", r"^note> Waiting for /apply: system instruction: none")
    shows(wide, "/system apply", r"^note> In force: system instruction: none")
    shows(wide, "/model gemini-3.1-flash-live-preview", r"^note> Waiting for /apply: model: ")
    shows(wide, "/model apply", r"^note> In force: model: .*\n(.*\n)*note> .*told what had been")
    shows(wide, "/thinking low", r"^note> Waiting for /apply: thinking: low")
    shows(wide, "/thinking apply", r"^note> In force: thinking: low\n.*told what had been said")
    shows(wide, "What is my name?", r"^model> Your name is Ada")
    wide.keys("C-d")
    wide.ended(0)


def test_commands_that_write_files(wide: Terminal, url: str, tmp_path: Path) -> None:
    wide.start("--url", url)
    wide.see(r"^note> Connected")
    shows(wide, "/save voice.wav", r"^error> Nothing was said yet")
    shows(wide, "/record", r"^note> Nothing is recorded")
    shows(wide, "/record both.wav", r"^note> Recording both voices to both\.wav")
    wide.see(r"connected \|.*rec 0:\d\d")
    shows(wide, "/record", r"^note> Recording to both\.wav")
    shows(wide, "repeat after me: good morning", r"^model> .*(?i:good morning)")
    shows(wide, "/record stop", r"^note> Recorded \d+\.\d s to both\.wav")
    with wave.open(str(tmp_path / "both.wav")) as file:
        assert any(file.readframes(file.getnframes()))

    shows(wide, "/save my talk.md", r"^note> Saved 2 utterances to my talk\.md")
    assert "repeat after me: good morning" in (tmp_path / "my talk.md").read_text()
    shows(wide, "/save talk.json", r"^note> Saved 2 utterances to talk\.json")
    assert len(json.loads((tmp_path / "talk.json").read_text())) == 2
    shows(wide, "/save voice.wav", r"^note> Saved \d+\.\d s of the model's voice")
    with wave.open(str(tmp_path / "voice.wav")) as file:
        assert any(file.readframes(file.getnframes()))

    for answer, then in (("n", "stays as it was"), ("y", "Saved 2 utterances")):
        shows(wide, "/save talk.json", r"is there already\. Replace it\? \[y/N\]\nyes or no>$")
        wide.type(answer)
        wide.see(then)
    shows(wide, f"/save {'x' * 300}.md", r"^error> Can't look at\s+x+")
    wide.type("/q")
    wide.ended(0)


def test_commands_to_the_connection(wide: Terminal) -> None:
    service = Service("--pace", SLOW, "--voice", "tone", "--commands")
    wide.start("--url", service.url)
    wide.see(r"^note> Connected")
    shows(wide, "/reconnect", r"^note> A new connection; the conversation goes on\.")
    shows(wide, "Tell me a story", r"^model> Once upon")
    shows(wide, "/interrupt", r"^note> The model was interrupted\.")
    wide.type("/exit")
    wide.ended(0)
    service.kill()


# --- Ctrl-C -------------------------------------------------------------------------------------


def leave(terminal: Terminal) -> None:
    """Press it twice in a row, and be out in two seconds, with the terminal as it was."""
    terminal.keys("C-c")
    terminal.see(AGAIN)
    began = time.monotonic()
    terminal.keys("C-c")
    terminal.see(r"^status=0\n")
    assert time.monotonic() - began < 2
    terminal.ended(0)


def test_ctrl_c_while_the_model_speaks(wide: Terminal) -> None:
    service = Service("--pace", SLOW, "--voice", "tone")
    wide.start("--url", service.url)
    wide.see(r"^note> Connected")
    shows(wide, "Tell me a story", r"^model> Once upon")
    wide.keys("C-c")
    wide.see(r"^note> The model was interrupted\.")
    leave(wide)
    service.kill()


def test_ctrl_c_while_a_tool_runs(wide: Terminal, url: str, tmp_path: Path) -> None:
    wide.start("--url", url, "--tool", "run-command")
    wide.see(r"^note> Connected")
    os.mkfifo(tmp_path / "alive")
    alive = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    call = json.dumps({"argv": ["dash", "-c", "exec > alive; echo; exec sleep 27.182"]})
    shows(wide, f"!call run_command {call}", r"^yes or no>$")
    wide.type("y")
    wide.see(r"^note> .*Allow it\? \[y/N\] Yes\.")
    assert select.select([alive], [], [], PATIENCE)[0]
    assert os.read(alive, 9) == b"\n"
    with pytest.raises(BlockingIOError):
        os.read(alive, 9)  # the command holds it open
    wide.keys("C-c")
    wide.see(r"^tool> run_command failed after .* The person stopped this")
    assert os.read(alive, 9) == b""  # and is gone
    os.close(alive)
    wide.see(r"^model> run_command failed: .The person stopped this")
    wide.keys("C-d")
    wide.ended(0)


def test_ctrl_c_while_a_question_waits(wide: Terminal, url: str) -> None:
    wide.start("--url", url, "--tool", "run-command")
    wide.see(r"^note> Connected")
    shows(wide, '!call run_command {"argv": ["touch", "here"]}', r"^yes or no>$")
    wide.keys("C-c")
    wide.see(r"^note> .*Allow it\? \[y/N\] No\.")
    wide.see(r"run_command failed")
    wide.keys("C-d")
    wide.ended(0)


def test_ctrl_c_while_it_reconnects(wide: Terminal) -> None:
    service = Service("--pace", "0.05", "--voice", "tone", "--commands")
    wide.start("--url", service.url)
    wide.see(r"^note> Connected")
    shows(wide, "!reject 503 99", r"^model> ")
    shows(wide, "!drop", r"Dialling again in \d\.\d s")
    wide.see(r"^ reconnecting \|")
    wide.type("said meanwhile")
    wide.see(r"^you> said meanwhile")
    wide.keys("C-c")  # nobody is to answer that any more
    leave(wide)
    service.kill()


def test_ctrl_c_while_settings_wait(wide: Terminal) -> None:
    service = Service("--pace", SLOW, "--voice", "tone")
    wide.start("--url", service.url)
    wide.see(r"^note> Connected")
    shows(wide, "/system set Be brief.", r"^note> Waiting for /apply")
    shows(wide, "Tell me a story", r"^model> Once upon")
    wide.type("/apply")
    wide.see(r"^you> /apply\n(.*\n)*you>$")
    wide.keys("C-c")
    wide.see(r"^note> Given up\.")
    wide.see(r"/apply to change")
    wide.keys("C-c")
    wide.see(r"^note> The model was interrupted\.")
    leave(wide)
    service.kill()


def test_ctrl_c_while_nobody_answers(wide: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        wide.start("--url", f"ws://127.0.0.1:{deaf.getsockname()[1]}")
        wide.see(r"^note> Connecting")
        wide.type("said to nobody")
        wide.see(r"^you> said to nobody")
        wide.see(r"^ connecting")
        wide.type("/status")
        wide.see(r"^note> connection +connecting, 127")
        wide.keys("C-c")
        wide.see(r"^note> Given up\.")
        leave(wide)
