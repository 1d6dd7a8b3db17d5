"""What two recordings are said to say differently."""

from __future__ import annotations

import base64
import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio.recording import (
    Difference,
    MediaMode,
    Recording,
    RecordingWriter,
    diff,
    read_recording,
)
from gemini_live_trio.recording._diff import compare_in_steps

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


def compared(first: str | list[str], second: str | list[str]) -> list[Difference]:
    ours, theirs = ([(word.encode(), word) for word in words] for words in (first, second))
    found = compare_in_steps(1, "client", ours, theirs)
    return [difference for difference in found if difference is not None]


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("a" + "t" * 300, "b" + "t" * 300, "changed"),
        ("t" * 300 + "a", "t" * 300 + "b", "changed"),
        ("se" * 150, "x" + "se" * 150, "extra"),
        ("se" * 75 + "x" + "se" * 75, "se" * 150, "missing"),
    ],
)
def test_messages_that_come_often_confuse_nothing(first: str, second: str, kind: str) -> None:
    assert [found.kind for found in compared(first, second)] == [kind]


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_a_comparison_adds_up(first: str, second: str) -> None:
    found = compared(first, second)
    kinds = [difference.kind for difference in found]
    changed = kinds.count("changed")
    kept = len(first) - kinds.count("missing") - changed
    assert kept == len(second) - kinds.count("extra") - changed
    assert (found == []) == (first == second)
    assert all(one.first != one.second for one in found)
    assert all(not one.first or first[one.position - 1] == one.first for one in found)


def test_a_comparison_of_what_has_nothing_in_common_is_bounded_and_says_so() -> None:
    dice = random.Random(1)
    first, second = ([(bytes([dice.randrange(110)]), "x") for _ in range(20_000)] for _ in "ab")
    pauses, differences = 0, []
    for found in compare_in_steps(1, "client", first, second):
        if found is None:
            pauses += 1
        else:
            differences.append(found)
    assert 20 < pauses < 500
    (cut,) = [found for found in differences if found.kind == "cut"]
    assert "compared by their position" in str(cut)
    rest = differences[differences.index(cut) + 1 :]
    assert len(rest) > 10_000
    assert {found.kind for found in rest} <= {"changed", "missing", "extra"}


def test_media_are_not_made_up_for_a_comparison(tmp_path: Path) -> None:
    path = tmp_path / "large"
    marker = {"$media": {"sha256": "0", "bytes": 2**26}}
    recorded(path, [])
    header, opened, *_ = path.read_text().splitlines()
    frame = {"t": 1, "connection": 1, "from": "server", "opcode": "text", "json": {"a": marker}}
    for media in ("hash", "whole"):
        path.write_text("\n".join([header.replace("hash", media), opened, json.dumps(frame), ""]))
        tracemalloc.start()
        try:
            assert diff(read_recording(path), read_recording(path)) == ()
            assert tracemalloc.get_traced_memory()[1] < 2**22
        finally:
            tracemalloc.stop()


def test_a_number_that_is_used_again_is_another_connection(tmp_path: Path) -> None:
    path = tmp_path / "again"
    with RecordingWriter(path, by="a test") as writer:
        for code in (1008, 1000):
            writer.opened(1, "/ws/x")
            writer.ended(1, "server", code)
            writer.frame(1, "server", "{}")  # which was still to be read
    once = recorded(tmp_path / "once", [], ending=("server", 1008, ""))
    assert [found.kind for found in diff(read_recording(path), once)] == ["connection"]
