"""The commands for sound and screen typed into a real terminal, with virtual devices."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("prompt_toolkit", reason="needs the extra repl")
from cli.tmux import NEEDED, Terminal
from devices.sounds import needs_sound

needs_screen = pytest.mark.skipif("DISPLAY" not in os.environ, reason="needs Xvfb")
pytestmark = [pytest.mark.terminal, NEEDED, needs_sound, needs_screen]


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A wide one, whose programs find the devices."""
    server = f"gemini-live-trio-devices-{os.getpid()}"
    opened = Terminal(server, tmp_path)
    opened.resize(120, 40)
    yield opened
    subprocess.run(["tmux", "-L", server, "kill-server"], check=True)


def test_ears_voice_and_eyes(terminal: Terminal) -> None:
    def shows(line: str, pattern: str) -> None:
        terminal.clear()
        terminal.type(line)
        terminal.see(pattern)

    terminal.start("--simulate", "--input-device", "vmic", "--output-device", "vspeaker")
    terminal.see(r"^note> Connected")
    shows("/devices", r"^note> Speakers:\n(.*\n)*note> +\d+ +vspeaker ")
    shows("/mute", r"^note> The microphone is off, so there is nothing to mute")
    shows("/speak", r"^note> The model is heard on vspeaker")
    shows("/mic on", r"^note> The microphone is on: vmic")
    terminal.see(r"^ connected .*\| mic .*\| spk")
    shows("/mute", r"^note> The microphone is muted")
    terminal.see(r"\| mic muted ")
    shows("/mute off", r"^note> The microphone is heard again")
    shows("/share-screen list", r"^note> +1  monitor ")
    shows("/share-screen 1 nan", r"^error> ")
    shows("/share-screen 1 0.5", r"^note> The model sees monitor .*, every 0\.5 s")
    terminal.see(r"\| screen ")
    shows("/status", r"^note> screen +monitor ")
    shows("/share-screen", r"^note> The screen isn't shared any more")
    shows("/mic", r"^note> The microphone is off\.")
    shows("/speak off", r"^note> The model isn't heard any more")
    terminal.see(lambda screen: "mic " not in screen.splitlines()[-1])
    terminal.type("/quit")
    terminal.ended(0)
