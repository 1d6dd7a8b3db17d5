"""Terminals for tests."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.tmux import Terminal


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    name = f"gemini-live-trio-{os.getpid()}"
    command = ["tmux", "-L", name, "-f", os.devnull]
    # One session stays, so that the server doesn't end between two tests.
    subprocess.run([*command, "new-session", "-d", "-s", "keep", "cat"], check=True)
    yield name
    subprocess.run([*command, "kill-server"], check=True)


@pytest.fixture
def terminal(server: str, tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(server, tmp_path)
    yield opened
    opened.close()
