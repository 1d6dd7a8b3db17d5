"""Terminals for tests, and nobody's own profiles and keys near them."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.tmux import Terminal

NUMBERS = itertools.count()


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the program's settings, as processes of its own see it too."""
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    for name in list(os.environ):
        if name.startswith("GEMINI_LIVE_"):
            monkeypatch.delenv(name)
    return folder / "gemini-live-trio"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server for terminals, by its name."""
    # One for each module: that of the last one may still be on its way out.
    name = f"gemini-live-trio-{os.getpid()}-{next(NUMBERS)}"
    command = ["tmux", "-L", name, "-f", os.devnull]
    # One session stays, so that the server doesn't end between two tests.
    subprocess.run([*command, "new-session", "-d", "-s", "keep", "cat"], check=True)
    yield name
    subprocess.run([*command, "kill-server"], check=True)


@pytest.fixture
def terminal(server: str, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal with a shell in it."""
    opened = Terminal(server, tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Its two ends, closed afterwards where the test hasn't."""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue
