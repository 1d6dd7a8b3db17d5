"""What two recordings are said to say differently."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from gemini_live_trio.recording import MediaMode, Recording, RecordingWriter, diff, read_recording

SETUP = {"setup": {"model": "models/x"}}
HELLO = {"realtimeInput": {"text": "Hello"}}
BYE = {"realtimeInput": {"text": "Bye"}}
DONE = {"serverContent": {"turnComplete": True}}


def sound(size: int) -> Any:
    data = base64.b64encode(bytes([size % 256]) * size).decode()
    return {"realtimeInput": {"audio": {"mimeType": "audio/pcm;rate=16000", "data": data}}}


def handle(text: str) -> Any:
    return {"sessionResumptionUpdate": {"newHandle": text, "resumable": True}}


def recorded(
    path: Path,
    *connections: list[tuple[str, Any]],
    ending: tuple[Any, int, str] = ("client", 1000, ""),
    media: MediaMode = "hash",
) -> Recording:
    with RecordingWriter(path, by="a test", media=media) as writer:
        for number, frames in enumerate(connections, 1):
            writer.opened(number, "/ws/x")
            for sender, value in frames:
                writer.frame(number, "client" if sender == ">" else "server", json.dumps(value))
            writer.ended(number, *ending)
    return read_recording(path)


def told(
    tmp_path: Path, first: list[tuple[str, Any]], second: list[tuple[str, Any]], **other: Any
) -> list[str]:
    one = recorded(tmp_path / "one", first)
    return list(map(str, diff(one, recorded(tmp_path / "other", second, **other))))


BEFORE = [(">", SETUP), ("<", handle("h-1")), (">", HELLO), (">", sound(100)), ("<", DONE)]


@pytest.mark.parametrize(
    "after",
    [
        BEFORE,
        # The directions are compared apart: who came first may be chance.
        [(">", SETUP), (">", HELLO), ("<", handle("h-1")), ("<", DONE), (">", sound(100))],
        # Handles and media differ, and how sound is cut.
        [
            (">", SETUP),
            ("<", handle("h-9")),
            (">", HELLO),
            (">", sound(50)),
            (">", sound(60)),
            ("<", {}),
            ("<", {"serverContent": {}}),
            ("<", DONE),
        ],
    ],
)
@pytest.mark.parametrize("media", ["hash", "whole"])
def test_what_doesn_t_matter_is_no_difference(
    after: list[tuple[str, Any]], media: MediaMode, tmp_path: Path
) -> None:
    assert told(tmp_path, BEFORE, after, media=media) == []


def test_what_does_is(tmp_path: Path) -> None:
    after = [(">", SETUP), ("<", handle("h-1")), (">", BYE), (">", sound(100))]
    changed, missing = told(tmp_path, BEFORE, after)
    assert changed.startswith("connection 1, client, message 2: ")
    assert '"Hello"' in changed
    assert '"Bye"' in changed
    assert missing.startswith("connection 1, server, message 2: missing: ")
    assert "turnComplete" in missing


def test_a_message_too_many_is_extra(tmp_path: Path) -> None:
    (extra,) = told(tmp_path, BEFORE, [*BEFORE, ("<", DONE)])
    assert extra.startswith("connection 1, server, message 3: extra: ")


def test_another_ending_is_told(tmp_path: Path) -> None:
    (line,) = told(tmp_path, BEFORE, BEFORE, ending=("server", 1011, "quota"))
    assert line == (
        "connection 1: ended by client with 1000 became ended by server with 1011 quota"
    )


def test_a_connection_too_many_is_told(tmp_path: Path) -> None:
    one = recorded(tmp_path / "one", BEFORE)
    two = recorded(tmp_path / "two", BEFORE, BEFORE)
    assert [str(found) for found in diff(one, two)] == ["connection 2: only in the second"]
    assert [found.kind for found in diff(two, one)] == ["connection"]
