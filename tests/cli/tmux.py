"""A real terminal: real key presses, the screen read back."""

import itertools
import os
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

NEEDED = pytest.mark.skipif(
    not (shutil.which("tmux") and shutil.which("dash")), reason="needs tmux and dash"
)
PATIENCE = 60
"""Seconds of real time."""
NUMBERS = itertools.count()


class Service:
    """A simulator in a process of its own, so that it can be killed."""

    def __init__(self, *options: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gemini_live_trio.simulator", *options],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        found = re.search(r"ws://[^\"]*", self._process.stdout.readline())
        assert found is not None
        self.url = found[0]

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


class Terminal:
    """A terminal with a plain shell in it. ``dash``, since ``bash`` mends a broken terminal."""

    def __init__(self, server: str, folder: Path) -> None:
        self._server = server
        self._name = f"t{next(NUMBERS)}"
        os.mkfifo(folder / "changes")
        self._changes = os.open(folder / "changes", os.O_RDONLY | os.O_NONBLOCK)
        self.tmux(
            "new-session", "-d", "-s", self._name, "-x", "80", "-y", "24", "-c", folder, "dash"
        )
        self.tmux("pipe-pane", "-t", self._name, f"cat > {shlex.quote(str(folder / 'changes'))}")
        self.type(
            "PS1='READY> '; unset NO_COLOR; export GEMINI_LIVE_HISTORY=history; stty -g > before"
        )
        self.see(r"READY>$")

    def tmux(self, *arguments: str | Path, data: str | None = None) -> str:
        command = ["tmux", "-L", self._server, "-f", os.devnull, *map(str, arguments)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, input=data)
        return done.stdout

    def close(self) -> None:
        self.tmux("kill-session", "-t", self._name)
        os.close(self._changes)

    def keys(self, *names: str) -> None:
        self.tmux("send-keys", "-t", self._name, *names)

    def text(self, text: str) -> None:
        self.tmux("send-keys", "-t", self._name, "-l", text)

    def type(self, line: str) -> None:
        self.text(line)
        self.keys("Enter")

    def paste(self, text: str) -> None:
        self.tmux("load-buffer", "-", data=text)
        self.tmux("paste-buffer", "-p", "-t", self._name)

    def resize(self, columns: int, rows: int) -> None:
        self.tmux("resize-window", "-t", self._name, "-x", str(columns), "-y", str(rows))

    def screen(self, *options: str) -> str:
        return self.tmux("capture-pane", "-p", "-t", self._name, *options)

    def see(self, pattern: str | Callable[[str], bool]) -> str:
        """Wait until the screen shows it, and return the screen."""
        deadline = time.monotonic() + PATIENCE
        while True:
            screen = self.screen()
            if pattern(screen) if callable(pattern) else re.search(pattern, screen, re.MULTILINE):
                return screen
            left = deadline - time.monotonic()
            # Whatever the program draws passes by here as well.
            if left < 0 or not select.select([self._changes], [], [], left)[0]:
                pytest.fail(f"never saw {pattern!r} in:\n{screen}")
            os.read(self._changes, 65_536)

    def see_line_end(self) -> None:
        """Wait until what was written last is a whole line."""
        self.see(lambda _: self.tmux("display", "-p", "-t", self._name, "#{cursor_x}") == "0\n")

    def clear(self) -> None:
        """Have the program empty the screen, so that what is seen next is new."""
        self.keys("C-l")
        self.see(lambda screen: len(screen.split("\n\n")[0].splitlines()) <= 2)

    def start(self, *arguments: str, program: Sequence[str] = ("-m", "gemini_live_trio")) -> None:
        line = shlex.join([sys.executable, *program, *arguments])
        self.type(f"clear; {line}; echo status=$?")

    def ended(self, status: int) -> str:
        """Check that the program has left and the terminal is as it was before."""
        screen = self.see(rf"^status={status}\n")
        self.type("clear; stty -g > after; cmp before after && echo as it was")
        # The prompt may come after what was typed, where the shell was slow.
        self.see(r"^(READY> )?as it was")
        return screen
