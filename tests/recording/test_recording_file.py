"""Recordings: what is written down, what never is, and what reads back."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from gemini_live_trio import events
from gemini_live_trio.errors import RecordingError
from gemini_live_trio.recording import (
    Ended,
    Frame,
    Happening,
    Incomplete,
    Lost,
    MediaMode,
    Opened,
    RecordingWriter,
    Redactor,
    read_recording,
)
from gemini_live_trio.testing import strategies

KEY = "AIza" + "SyD3m0" * 5 + "_-xyz"
SOUND = bytes(range(256)) * 10
BLOB = {"mimeType": "audio/pcm;rate=24000", "data": base64.b64encode(SOUND).decode()}
AUDIO = {"serverContent": {"modelTurn": {"parts": [{"inlineData": BLOB}]}}}


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def written(
    path: Path, *frames: str | bytes, media: MediaMode = "hash", secrets: tuple[str, ...] = ()
) -> list[Frame]:
    """Record what a server sends, and read it back."""
    with RecordingWriter(path, by="a test", media=media, secrets=secrets) as writer:
        for frame in frames:
            writer.frame(1, "server", frame)
    happenings = list(read_recording(path))
    assert all(isinstance(happening, Frame) for happening in happenings)
    return [happening for happening in happenings if isinstance(happening, Frame)]


def frame_of(value: Any) -> bytes:
    return json.dumps(value).encode()


# --- Writing and reading back ---


def test_a_recording_reads_back_as_it_happened(tmp_path: Path) -> None:
    path = tmp_path / "session.jsonl"
    clock = Clock()
    with RecordingWriter(path, by="a test", clock=clock) as writer:
        writer.opened(1, "/ws/somewhere?key=secret", "gemini")
        clock.now += 0.25
        writer.frame(1, "client", '{"setup":{"model":"models/x"}}')
        clock.now += 1.5
        writer.frame(1, "server", b'{"setupComplete":{}}')
        writer.ended(1, "server", 1008, "go away")
    recording = read_recording(path)
    assert recording.header.by == "a test"
    assert recording.header.begun.tzinfo is not None
    opened, setup, complete, ended = recording
    assert opened == Opened(0.0, 1, "/ws/somewhere", "gemini", line=2)
    assert isinstance(setup, Frame)
    assert (setup.time, setup.sender, setup.opcode) == (0.25, "client", "text")
    assert setup.payload == '{"setup":{"model":"models/x"}}'
    assert setup.message is not None
    assert setup.events == ()
    assert isinstance(complete, Frame)
    assert complete.payload == b'{"setupComplete":{}}'
    assert [type(event) for event in complete.events] == [events.SetupComplete]
    assert ended == Ended(1.75, 1, "server", 1008, "go away", line=5)
    assert list(recording.frames("client")) == [setup]
    assert list(recording.frames(connection=2)) == []


def test_frames_that_are_no_json_are_kept(tmp_path: Path) -> None:
    odd: list[str | bytes] = ["hello", b"\x00\xff", "", b"", "[" * 1_000 + "]" * 1_000, "NaN"]
    frames = written(tmp_path / "odd", *odd)
    assert [frame.payload for frame in frames] == odd
    assert [frame.message for frame in frames] == [None] * len(odd)


def test_numbers_keep_their_digits(tmp_path: Path) -> None:
    text = b'{"big":123456789012345678901234567890,"small":-0.1,"one":1.0}'
    (frame,) = written(tmp_path / "numbers", text)
    assert frame.payload == text


anything: Any = st.one_of(
    strategies.frames(), strategies.near_frames(), strategies.hostile_frames()
)


@given(frames=st.lists(anything, max_size=5), media=st.sampled_from(["hash", "whole"]))
def test_whatever_is_sent_can_be_recorded(frames: list[str | bytes], media: MediaMode) -> None:
    with tempfile.TemporaryDirectory() as folder:
        read = written(Path(folder) / "any", *frames, media=media)
    assert [type(frame.payload) for frame in read] == [type(frame) for frame in frames]


names = st.sampled_from(["$media", "$$media", "$", "data", "a", "mimeType", "audio"])
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab$ ", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=2),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(names, trees, max_size=2), max_size=5))
def test_what_looks_like_a_marker_comes_back_as_it_was(values: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        frames = written(Path(folder) / "any", *map(frame_of, values), media="whole")
    assert [json.loads(frame.payload) for frame in frames] == values


# --- Media ---


def test_whole_media_come_back(tmp_path: Path) -> None:
    (frame,) = written(tmp_path / "whole", frame_of(AUDIO), media="whole")
    assert json.loads(frame.payload) == AUDIO
    (event,) = frame.events
    assert isinstance(event, events.ModelAudio)
    assert event.pcm == SOUND


def test_media_by_hash_come_back_as_silence_of_their_length(tmp_path: Path) -> None:
    path = tmp_path / "hash"
    (frame,) = written(path, frame_of(AUDIO))
    marker = frame.json["serverContent"]["modelTurn"]["parts"][0]["inlineData"]["data"]
    digest = hashlib.sha256(SOUND).hexdigest()
    assert marker == {"$media": {"sha256": digest, "bytes": len(SOUND)}}
    (event,) = frame.events
    assert isinstance(event, events.ModelAudio)
    assert event.pcm == bytes(len(SOUND))
    assert BLOB["data"] not in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        base64.urlsafe_b64encode(SOUND).decode(),
        base64.urlsafe_b64encode(SOUND).decode().rstrip("="),
        base64.b64encode(SOUND).decode().rstrip("="),
    ],
)
def test_media_have_one_hash_in_every_alphabet(text: str) -> None:
    tree = Redactor("hash").tree({"realtimeInput": {"audio": {"data": text}}})
    digest = hashlib.sha256(SOUND).hexdigest()
    assert tree["realtimeInput"]["audio"]["data"]["$media"]["sha256"] == digest


@pytest.mark.parametrize(
    "value",
    [
        {"realtimeInput": {"mediaChunks": [BLOB]}},
        {"realtime_input": {"video": {"mime_type": "image/png", "data": "iVBORw0KGgo="}}},
        {"setup": {"generationConfig": {"x": {"voiceSampleAudio": "AAAA", "consent_audio": "A="}}}},
        {"realtimeInput": {"audio": {"data": "this is no base64!"}}},
    ],
)
def test_media_are_found_wherever_they_stand(value: Any) -> None:
    text = json.dumps(Redactor("hash").tree(value))
    assert "$media" in text
    for medium in (BLOB["data"], "iVBORw0KGgo=", "AAAA", "A=", "no base64"):
        assert medium not in text


def test_what_isn_t_json_may_hold_media_too(tmp_path: Path) -> None:
    cut = frame_of(AUDIO) * 2
    (frame,) = written(tmp_path / "cut", cut)
    assert frame.payload == bytes(len(cut))
    assert BLOB["data"].encode() not in (tmp_path / "cut").read_bytes()


# --- Credentials ---

SECRETS = {
    "a key in its place": {"setup": {"tools": [{"x": {"authConfig": {"apiKey": "plain"}}}]}},
    "headers": {"setup": {"mcpServers": [{"headers": {"X-Anything": "plain"}}]}},
    "a token by its name": {"toolResponse": {"response": {"access_token": "plain"}}},
    "a number by its name": {"password": 5_318_008},
    "a key in a text": {"realtimeInput": {"text": f"my key is {KEY}, keep it"}},
    "an ephemeral token": {"error": {"message": "auth_tokens/plain-0123456789abcdef is over"}},
    "an access token": {"text": "ya29.plain-0123456789"},
    "a bearer": {"text": "Authorization: Bearer plain-0123456789"},
    "a key in a URL": {"text": "dial wss://host/path?key=plain-0123 or &key=plain-4567"},
    "a web token": {"text": f"it is eyJ{'plain' * 3}.{'plain' * 3}.signed"},
    "one that was told": {"text": "it is hunter-two"},
    "anything under headers": {"headers": {"a": {"b": "plain"}, "pin": 5_318_008}},
    "headers in a list": {"headers": ["X-Anything: plain", [5_318_008]]},
    "whatever a key consists of": {"apiKey": {"value": "plain", "more": [{KEY: 1}]}},
    "a key as a name": {"response": {KEY: 1, "hunter-two": {"x": 2}}},
    "two of them as names": {KEY: 1, KEY + "x": 2, "hunter-two": 3},
}


@pytest.mark.parametrize("value", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("media", ["hash", "whole"])
def test_credentials_are_never_written(value: Any, media: MediaMode, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    written(path, frame_of(value), media=media, secrets=("hunter-two",))
    text = path.read_text()
    assert "[redacted]" in text
    for secret in ("plain", KEY, "hunter-two", "5318008"):
        assert secret not in text


@pytest.mark.parametrize("frame", [f"key {KEY}", f"key {KEY}".encode() + b"\xff"])
def test_credentials_in_what_isn_t_json_are_not_written_either(
    frame: str | bytes, tmp_path: Path
) -> None:
    (read,) = written(tmp_path / "raw", frame)
    assert KEY not in str(read.payload)
    assert "[redacted]" in str(read.payload)


ODD = 'q"u\\o/t\n\u00e9<\U0001f511>'


@pytest.mark.parametrize(
    "text",
    [
        ODD,
        json.dumps(ODD),
        json.dumps(ODD, ensure_ascii=False),
        json.dumps(json.dumps(ODD)),
        json.dumps(ODD).replace("/", r"\/").replace("<", r"\u003C").replace(">", r"\u003e"),
    ],
)
@pytest.mark.parametrize("form", ["text", "bytes", "json"])
def test_a_secret_is_found_however_json_writes_it(text: str, form: str, tmp_path: Path) -> None:
    said = f"it is {text} here"
    frames: dict[str, str | bytes] = {
        "text": said,
        "bytes": said.encode() + b"\xff",
        "json": frame_of({"text": said}),
    }
    (frame,) = written(tmp_path / "odd", frames[form], secrets=(ODD,))
    payload = frame.payload
    clean = payload if isinstance(payload, str) else payload.decode(errors="surrogateescape")
    assert "[redacted]" in clean
    for piece in ('q"u', "o/t", "u00e9", "\u00e9", "003C", "\U0001f511", "ud83d"):
        assert piece not in clean


def test_a_long_row_of_backslashes_takes_no_time() -> None:
    text = "\\" * 300_000
    assert Redactor(secrets=(ODD, "a\\b")).text(text) == text


def test_what_is_redacted_keeps_its_form(tmp_path: Path) -> None:
    value = {"parameters": {"password": {"type": "STRING", "nullable": True, "x": {"$media": 1}}}}
    (frame,) = written(tmp_path / "form", frame_of(value))
    assert json.loads(frame.payload) == {
        "parameters": {
            "password": {"type": "[redacted]", "nullable": True, "x": {"$media": "[redacted]"}}
        }
    }


def test_credentials_in_a_close_reason_are_not_written(tmp_path: Path) -> None:
    with RecordingWriter(tmp_path / "end", by="a test") as writer:
        writer.ended(1, "server", 1007, f"API key {KEY} is not valid")
    (ended,) = read_recording(tmp_path / "end")
    assert isinstance(ended, Ended)
    assert ended.reason == "API key [redacted] is not valid"


def test_a_handle_keeps_one_name_that_is_not_its_own(tmp_path: Path) -> None:
    path = tmp_path / "handles"
    given = [
        {"sessionResumptionUpdate": {"newHandle": "h-1", "resumable": True}},
        {"setup": {"sessionResumption": {"handle": "h-1"}}},
        {"setup": {"session_resumption": {"handle": "h-2"}}},
        {"toolResponse": {"handle": "h-1"}},
    ]
    frames = written(path, *map(frame_of, given))
    first = frames[0].json["sessionResumptionUpdate"]["newHandle"]
    assert first.startswith("handle-")
    assert frames[1].json["setup"]["sessionResumption"]["handle"] == first
    assert frames[2].json["setup"]["session_resumption"]["handle"] != first
    assert frames[3].json == given[3]
    again = written(tmp_path / "again", *(frame.payload for frame in frames))
    assert [frame.json for frame in again] == [frame.json for frame in frames]


# --- Trouble while writing ---


def test_a_file_that_can_t_be_made_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="No such file or directory"):
        RecordingWriter(tmp_path / "nowhere" / "x", by="a test")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_is_told_once_and_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    writer = RecordingWriter("/dev/full", by="a test", media="whole")
    for _ in range(100):
        writer.frame(1, "server", frame_of(AUDIO))
    writer.close()
    writer.frame(1, "server", b"{}")
    writer.close()
    assert "No space left" in writer.failure
    assert writer.lost == 101
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len([text for text in told if "No space left" in text]) == 1
    assert len(told) == 2  # and how much is missing


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_disk_that_is_too_slow_loses_frames_and_says_where(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = RecordingWriter(pipe, by="a test", media="whole")
    os.set_blocking(end, True)
    large = frame_of({"text": "x" * 2**20})
    for _ in range(64):
        writer.frame(1, "server", large)
    lost = writer.lost
    assert 16 < lost < 64
    data = bytearray()

    def drain() -> None:
        while piece := os.read(end, 2**20):
            data.extend(piece)

    drainer = threading.Thread(target=drain)
    drainer.start()
    writer.close()
    drainer.join()
    os.close(end)
    copy = tmp_path / "copy"
    copy.write_bytes(data)
    happenings = list(read_recording(copy))
    gaps = [one.count for one in happenings if isinstance(one, Lost)]
    assert sum(gaps) == lost
    assert len(happenings) == 64 - lost + len(gaps)
    assert not any(isinstance(one, Incomplete) for one in happenings)


# --- Files that aren't what they should be ---


def broken(path: Path) -> RecordingError:
    with pytest.raises(RecordingError) as caught:
        list(read_recording(path))
    assert str(path) in str(caught.value)
    return caught.value


HEADER = '{"gemini_live_recording":1,"begun":"2026-11-22T12:00:00Z","by":"x","media":"hash"}\n'
GOOD = '{"t":1,"connection":1,"from":"server","opcode":"binary","json":{}}\n'


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    assert "No such file" in str(broken(tmp_path / "none"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the file is empty"),
        ("hello\n", "it isn't JSON"),
        ('{"a":1}\n', "this is another file"),
        (HEADER.replace(":1,", ":2,", 1), "the file has 2"),
        (HEADER.replace("hash", "both"), "expected media"),
        (HEADER.replace("2026", "last year"), "Invalid isoformat"),
    ],
)
def test_what_is_no_recording_is_told_at_its_first_line(
    text: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    error = broken(path)
    assert why in str(error)
    assert error.line == 1


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{]", "it isn't JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "expected t"),
        ('{"t":true,"lost":1}', "expected t"),
        ('{"t":1,"lost":"many"}', "expected lost"),
        ('{"t":1,"connection":1,"from":"me","opcode":"text"}', "a frame from 'me'"),
        ('{"t":1,"connection":1,"from":"server","opcode":"ping"}', "opcode 'ping'"),
        ('{"t":1,"connection":1,"from":"server","opcode":"text"}', "neither json nor raw"),
        ('{"t":1,"connection":1,"from":"server","opcode":"binary","raw":"*"}', "raw"),
        ('{"t":1,"connection":1,"from":"server","opcode":"text","json":{"$media":1}}', "$media"),
        ('{"t":1,"from":"server","opcode":"text","json":{}}', "expected connection"),
        ('{"t":1,"connection":1,"ended":"them","code":1,"reason":""}', "ended by 'them'"),
        ('{"t":1,"connection":1,"ended":"client","code":1}', "expected reason"),
        ('{"t":1,"connection":1,"opened":5}', "expected opened"),
        ('{"t":1,"connection":1,"from":"client","opcode":"text","raw":{"a":1}}', "marker"),
        (
            '{"t":1,"connection":1,"from":"client","opcode":"binary",'
            '"raw":{"$media":{"characters":1}}}',
            "tells its bytes",
        ),
        (
            '{"t":1,"connection":1,"from":"server","opcode":"text","json":['
            + ",".join(['{"$media":{"bytes":67108864}}'] * 8)
            + "]}",
            "more than 67,108,864 bytes",
        ),
        ('{"t":1e300,"lost":1}', "expected t"),
        ('{"t":1,"connection":1,"ended":"client","code":65536,"reason":""}', "expected code"),
        ('{"t":1,"connection":-1,"ended":"client","code":1000,"reason":""}', "expected conn"),
        ("[" * 900 + "]" * 900, "nested too deeply"),
    ],
)
def test_a_broken_line_is_told_with_its_number(line: str, why: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(HEADER + GOOD + line + "\n" + GOOD)
    error = broken(path)
    assert error.line == 3
    assert why in str(error)


def test_lines_of_a_kind_to_come_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text(HEADER + '{"t":1,"weather":"fine"}\n' + GOOD + '{"t":2,"complete":true}\n')
    (frame,) = read_recording(path)
    assert isinstance(frame, Frame)


@pytest.mark.parametrize(
    ("end", "why"), [('{"t":2,"connec', "cut off"), ("", "missing"), ("{", "cut off")]
)
def test_a_recording_that_was_cut_off_is_read_as_far_as_it_goes(
    end: str, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_text(HEADER + GOOD + end)
    happenings: list[Happening] = list(read_recording(path))
    assert isinstance(happenings[0], Frame)
    assert isinstance(happenings[1], Incomplete)
    assert why in happenings[1].why


# --- The command ---


def command(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-W", "error", "-m", "gemini_live_trio.recording"]
    return subprocess.run(
        [*program, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )


def test_the_command_shows_and_compares(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    written(one, b'{"setupComplete":{}}', frame_of(AUDIO))
    written(other, b'{"setupComplete":{}}', b'{"goAway":{"timeLeft":"5s"}}')
    shown = command("show", one)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert '< {"setupComplete": {}}' in shown.stdout
    assert "(2,560 bytes)" in shown.stdout
    same = command("diff", one, one)
    assert (same.returncode, same.stdout) == (0, "")
    changed = command("diff", one, other)
    assert changed.returncode == 1
    assert "connection 1, server, message 2" in changed.stdout
    missing = command("diff", one, tmp_path / "none")
    assert missing.returncode == 2
    assert "No such file" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_the_command_writes_no_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "hostile"
    evil = "\x1b[2J\x9b31m\u202e\n"
    with RecordingWriter(path, by=f"x{evil}") as writer:
        writer.opened(1, f"/ws{evil}", evil)
        writer.frame(1, "client", frame_of({"text": f"na\u00efve{evil}"}))
        writer.frame(1, "client", f"raw{evil}")
        writer.ended(1, "server", 1000, f"{evil}red")
    shown = command("show", path)
    assert (shown.returncode, shown.stderr) == (0, "")
    other = tmp_path / "other"
    with RecordingWriter(other, by="x") as writer:
        writer.opened(1, "/ws")
        writer.ended(1, "server", 1001, evil)
    compared = command("diff", path, other)
    assert compared.returncode == 1
    assert "red" in compared.stdout
    for line in (shown.stdout + compared.stdout).splitlines():
        assert line.isprintable()
    assert len(shown.stdout.splitlines()) == 5
    assert r"\x1b[2J" in shown.stdout


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
async def test_closing_holds_up_no_event_loop(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    end = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = RecordingWriter(pipe, by="a test", media="whole")
    writer.frame(1, "server", frame_of({"text": "x" * 2**20}))
    data = bytearray()

    async def drain() -> None:
        await trio.lowlevel.wait_readable(end)
        while not data.endswith(b'"complete":true}\n'):
            with contextlib.suppress(BlockingIOError):
                data.extend(os.read(end, 2**16))
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drain)
        nursery.start_soon(writer.aclose)
    os.close(end)
    assert writer.failure == ""
    assert writer.lost == 0
    assert len(data) > 2**20
    await writer.aclose()  # which does nothing any more


async def test_a_virtual_clock_stands_still_while_a_recording_is_closed(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep, 1_000)
        writer = RecordingWriter(tmp_path / "one", by="a test", clock=trio.current_time)
        for _ in range(200):
            writer.frame(1, "server", frame_of(AUDIO))
        await writer.aclose()
        assert trio.current_time() == 0
        nursery.cancel_scope.cancel()
    assert len(list(read_recording(tmp_path / "one"))) == 200
