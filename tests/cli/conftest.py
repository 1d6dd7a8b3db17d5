"""Nobody's own profiles and keys get near these tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the program's settings, as processes of its own see it too."""
    folder = tmp_path_factory.mktemp("config")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder))
    for name in list(os.environ):
        if name.startswith("GEMINI_LIVE_"):
            monkeypatch.delenv(name)
    return folder / "gemini-live-trio"
