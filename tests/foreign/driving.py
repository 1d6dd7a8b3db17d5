"""Leading the official SDKs from a test: each is a process that obeys one JSON line after another.

They talk over TLS to a simulator in a thread, so that a test can look into it and cause faults.
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gemini_live_trio.simulator import Violation
from gemini_live_trio.testing import SimulatorThread

HERE = Path(__file__).parent
KEY = "a-key-for-tests"
MODEL = "gemini-3.8-live"
SPOKEN = {
    "responseModalities": ["AUDIO"],
    "inputAudioTranscription": {},
    "outputAudioTranscription": {},
}
SDKS = ("python", "javascript")
PATIENCE = 30.0
"""Seconds for one step; the SDK's process has ten of its own before it tells of a failure."""


def unavailable(sdk: str) -> str | None:
    """Why an SDK can't be driven here; ``None`` where it can."""
    if sdk == "python":
        try:
            found = importlib.util.find_spec("google.genai")
        except ModuleNotFoundError:
            found = None
        return None if found else "google-genai isn't installed"
    if shutil.which("node") is None:
        return "Node isn't installed"
    if "FOREIGN_NODE_MODULES" not in os.environ:
        return "FOREIGN_NODE_MODULES doesn't say where @google/genai is; nox -s foreign does"
    return None


def need(sdk: str) -> None:
    """Skip where an SDK is missing; fail where the runner promised it."""
    if reason := unavailable(sdk):
        if os.environ.get("FOREIGN_REQUIRED"):
            pytest.fail(reason)
        pytest.skip(reason)


def violations(place: SimulatorThread) -> tuple[Violation, ...]:
    """What was illegal up to now, over all tests with this simulator."""
    return place.run_sync(lambda: place.simulator.legality.violations)


class SdkFailed(Exception):
    """The SDK raised.

    Attributes:
      code: The close code or HTTP status that it told, if any.
      text: What it said.
    """

    def __init__(self, code: int | None, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


class Heard(list[Mapping[str, Any]]):
    """What the SDK handed to its user, in the names of the wire."""

    def all(self, name: str) -> list[Any]:
        """Every value of this name, at the top of a message or in its content."""
        return [
            place[name]
            for message in self
            for place in (message, message.get("serverContent", {}))
            if name in place
        ]

    @property
    def said(self) -> str:
        """The model's words: their transcript, or their text."""
        spoken = [piece.get("text", "") for piece in self.all("outputTranscription")]
        return "".join(spoken or [part.get("text", "") for part in self._parts()])

    @property
    def understood(self) -> str:
        """The user's words."""
        return "".join(piece.get("text", "") for piece in self.all("inputTranscription"))

    @property
    def pcm(self) -> bytes:
        """The model's voice."""
        return b"".join(base64.urlsafe_b64decode(_standard(blob["data"])) for blob in self._blobs())

    @property
    def mime_types(self) -> set[str]:
        """The kinds of media that came."""
        return {blob["mimeType"] for blob in self._blobs()}

    @property
    def calls(self) -> list[Mapping[str, Any]]:
        """The tool calls."""
        return [call for calls in self.all("toolCall") for call in calls["functionCalls"]]

    def _parts(self) -> Iterator[Mapping[str, Any]]:
        for turn in self.all("modelTurn"):
            yield from turn.get("parts", ())

    def _blobs(self) -> Iterator[Mapping[str, Any]]:
        return (part["inlineData"] for part in self._parts() if "inlineData" in part)


def _standard(data: str) -> str:
    return data.replace("+", "-").replace("/", "_")


class Sdk:
    """One SDK's process.

    Attributes:
      name: ``"python"`` or ``"javascript"``.
    """

    def __init__(self, name: str, process: subprocess.Popen[str], place: SimulatorThread) -> None:
        self.name = name
        self._process = process
        self._url = place.url.replace("wss:", "https:")  # in which both SDKs want it
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def tell(self, do: str, **order: Any) -> Any:
        """Give an order and wait until it is done.

        Raises:
          SdkFailed: the SDK raised.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **order}) + "\n")
        self._process.stdin.flush()
        try:
            line = self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            self._process.kill()  # what it says later would answer another order
            pytest.fail(f"the {self.name} SDK's process doesn't answer to {do}")
        assert line, f"the {self.name} SDK's process is gone"
        answer = json.loads(line)
        if failed := answer.get("failed"):
            raise SdkFailed(failed["code"], failed["text"])
        return answer["result"]

    def connect(self, **order: Any) -> None:
        """Open a session; by default with the right key, a voice and transcripts."""
        defaults = {"url": self._url, "key": KEY, "model": MODEL, "config": SPOKEN}
        self.tell("connect", **{**defaults, **order})

    def mint(self, **order: Any) -> str:
        """Have an ephemeral token made."""
        defaults = {"url": self._url, "key": KEY, "version": "v1alpha"}
        return str(self.tell("mint", **{**defaults, **order}))

    def say(self, text: str) -> Heard:
        """Type a line, and hear the answer."""
        self.tell("content", turns=[{"role": "user", "parts": [{"text": text}]}])
        return self.hear()

    def hear(self, until: str = "turnComplete") -> Heard:
        """Receive until something of that name comes."""
        return Heard(self.tell("hear", until=until))

    def close(self) -> None:
        """Close the session, if there is one."""
        self.tell("close")


@contextmanager
def driven(name: str, place: SimulatorThread, folder: Path) -> Iterator[Sdk]:
    """Start an SDK's process, and end it with the block."""
    environment = {
        **os.environ,
        "SSL_CERT_FILE": str(place.ca_certificate),
        "NODE_EXTRA_CA_CERTS": str(place.ca_certificate),
    }
    if name == "python":
        command = [sys.executable, str(HERE / "python_sdk.py")]
    else:
        command = ["node", str(in_node_project(folder, HERE / "javascript_sdk.mjs"))]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=environment,
    ) as process:
        try:
            yield Sdk(name, process, place)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(timeout=PATIENCE) == 0
        finally:
            process.kill()  # which does nothing where it is gone


def in_node_project(folder: Path, script: Path) -> Path:
    """Copy a script to where Node finds the SDK beside it."""
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(os.environ["FOREIGN_NODE_MODULES"], target_is_directory=True)
    return Path(shutil.copy(script, folder))
