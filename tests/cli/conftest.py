"""Terminals for tests, and nobody's own profiles and keys near them."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.tmux import Terminal


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
    name = f"gemini-live-trio-{os.getpid()}"
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
