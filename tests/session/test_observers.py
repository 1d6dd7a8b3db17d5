"""Observers, the wire log, recordings and traces of a session."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trio
from books.feeding import COMPLETE, GENERATED, INTERRUPTED, SECOND, calls, counted, said, sounds
from support import Connect, puppet, tone, turn, until, words
from trio.testing import MockClock

from gemini_live_trio import (
    ApiKey,
    DialReason,
    Liveness,
    SessionConfig,
    SessionObserver,
    open_session,
    wire,
)
from gemini_live_trio.errors import CredentialsError, SetupRejected
from gemini_live_trio.events import Event, ModelAudio, Reconnected, ToolCall, TurnComplete
from gemini_live_trio.recording import (
    Ended,
    Opened,
    RecordingWriter,
    SessionRecorder,
    read_recording,
    record,
    transcript_of,
    usage_of,
)
from gemini_live_trio.simulator import Simulator, open_simulator

KEY = "AIzaSyA-secret-of-35-characters-0123456"


class Notes(SessionObserver):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.frames: list[tuple[str, int]] = []
        self.events: list[Event] = []
        self.times: list[float] = []

    def dialling(
        self, *, connection: int, model: str, path: str, resumes: bool, time: float
    ) -> None:
        assert path.startswith("/ws/")
        self.told.append(f"dialling {connection} {model} {resumes}")
        self.times.append(time)

    def connected(self, *, connection: int, resumed: bool, time: float) -> None:
        self.told.append(f"connected {connection} {resumed}")
        self.times.append(time)

    def frame_sent(self, frame: str, *, connection: int, time: float) -> None:
        self.frames.append((">", connection))

    def frame_received(self, frame: str | bytes, *, connection: int, time: float) -> None:
        self.frames.append(("<", connection))

    def asked(self, *, time: float) -> None:
        self.told.append("asked")

    def event(self, event: Event, *, time: float) -> None:
        self.events.append(event)

    def disconnected(
        self, *, connection: int, by: str, code: int, reason: str, time: float
    ) -> None:
        self.told.append(f"disconnected {connection} {by} {code}")
        self.times.append(time)

    def ended(self, error: Exception | None, *, time: float) -> None:
        self.told.append(f"ended {error}")
        self.times.append(time)


async def test_an_observer_is_told_everything_in_order(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    notes = Notes()
    async with connect(observers=[notes]) as session:
        await session.send_text("Hello!")
        received = await turn(session)
        await (await simulator.accept()).drop()
        await until(session, Reconnected)
    model = "models/gemini-3.8-live"
    assert notes.told[:4] == [
        f"dialling 1 {model} False",
        "connected 1 False",
        "asked",
        "disconnected 1 network 1006",
    ]
    assert notes.told[-3:] == ["connected 3 True", "disconnected 3 client 1000", "ended None"]
    assert notes.frames[:2] == [(">", 1), ("<", 1)]
    assert notes.times == sorted(notes.times)
    assert notes.events[: len(received)] == received


async def test_an_observer_that_raises_harms_nobody(
    autojump_clock: MockClock, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(SessionObserver):
        def frame_received(self, frame: str | bytes, *, connection: int, time: float) -> None:
            raise ZeroDivisionError

        def event(self, event: Event, *, time: float) -> None:
            raise KeyError("event")

    notes = Notes()
    async with connect(observers=[Broken(), notes]) as session:
        await session.send_text("Hello!")
        assert await turn(session)
        assert session.statistics().observer_errors > 2
    assert notes.told[-1] == "ended None"
    assert len([line for line in caplog.records if "Broken" in line.getMessage()]) == 1


class Stages(SessionObserver):
    """Writes down how far each connection comes, and how it feels."""

    def __init__(self) -> None:
        self.passed: list[tuple[int, str]] = []
        self.pings: list[float] = []

    def stage_passed(
        self,
        *,
        connection: int,
        stage: str,
        address: str,
        seconds: float,
        facts: Mapping[str, str],
        time: float,
    ) -> None:
        assert 0 <= seconds <= time
        self.passed.append((connection, stage))

    def dialling(
        self, *, connection: int, model: str, path: str, resumes: bool, time: float
    ) -> None:
        self.passed.append((connection, "dialling"))

    def connected(self, *, connection: int, resumed: bool, time: float) -> None:
        self.passed.append((connection, "connected"))

    def pinged(self, *, seconds: float, time: float) -> None:
        self.pings.append(seconds)


async def test_an_observer_is_told_of_stages_and_pings(
    autojump_clock: MockClock, connect: Connect
) -> None:
    stages = Stages()
    async with connect(observers=[stages], liveness=Liveness(ping_after=1)) as session:
        await session.reconnect()  # dialled ahead
        await trio.sleep(3)
    # What the service says to the second, too early to resume on it, is another matter.
    assert stages.passed[:7] == [
        (1, "dialling"),
        (1, "credentials"),
        (1, "upgrade"),
        (1, "connected"),
        (2, "credentials"),
        (2, "upgrade"),
        (2, "dialling"),
    ]
    assert stages.pings
    assert max(stages.pings) < 0.1


async def test_a_stage_that_fails_is_not_passed(autojump_clock: MockClock) -> None:
    async def auth(reason: DialReason) -> ApiKey:
        raise OSError("no key")

    stages = Stages()
    with pytest.raises(CredentialsError):
        async with open_session(
            SessionConfig(model="gemini-3.8-live", auth=auth), observers=[stages]
        ):
            pytest.fail("there should be no session")
    assert stages.passed == [(1, "dialling")]


async def test_an_observer_for_the_length_of_a_block(
    autojump_clock: MockClock, connect: Connect
) -> None:
    notes = Notes()
    async with connect() as session:
        with session.observe(notes):
            await session.send_text("Hello!")
            await turn(session)
        seen = len(notes.events)
        await session.send_text("Hello!")
        await turn(session)
    assert len(notes.events) == seen > 0
    assert notes.told == ["asked"]


# --- The wire log ----------------------------------------------------------------------------


async def talk(key: str) -> None:
    config = SessionConfig(model="gemini-3.8-live", auth=ApiKey(key))
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, connector=simulator.connector) as session,
    ):
        await session.send_text(f"My key is {key}.")
        await session.send_audio(tone(0.1))
        await turn(session)
        assert session.resumption.handle


async def test_the_wire_log_shows_frames_without_media_and_secrets(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gemini_live_trio.wire")
    await talk("a-key-of-no-known-form")
    lines = [line for line in caplog.records if line.name == "gemini_live_trio.wire"]
    assert {line.direction for line in lines if hasattr(line, "direction")} == {"<", ">"}
    text = "\n".join(line.getMessage() for line in lines)
    assert "a-key-of-no-known-form" not in text
    assert '"setup"' in text
    assert '"sha256"' in text
    assert "ended by the client: 1000" in text
    assert max(map(len, text.splitlines())) < 2_100


async def test_the_wire_log_is_off_by_default(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    await talk(KEY)
    assert not [line for line in caplog.records if line.name == "gemini_live_trio.wire"]


# --- Recordings ------------------------------------------------------------------------------


async def test_a_session_is_recorded_from_its_first_frame(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "session.jsonl"
    notes = Notes()
    with RecordingWriter(path, by="test", clock=trio.current_time) as writer:
        async with connect(observers=[SessionRecorder(writer), notes]) as session:
            await session.send_text("Hello!")
            await turn(session)
            await (await simulator.accept()).drop()
            await until(session, Reconnected)
    recording = read_recording(path)
    frames = list(recording.frames())
    assert [(">" if frame.sender == "client" else "<", frame.connection) for frame in frames] == (
        notes.frames
    )
    first = frames[0].message
    assert isinstance(first, wire.LiveClientMessage)
    assert first.setup is not None
    # Events of the recording are those that were told, but for what only the session knows.
    told = [event for event in notes.events if isinstance(event, TurnComplete)]
    read = [event for frame in recording.frames("server") for event in frame.events]
    assert [event for event in read if isinstance(event, TurnComplete)] == told
    text = path.read_text(encoding="utf-8")
    assert '"ended"' in text
    assert str(session.resumption.handle) not in text


async def test_recording_for_the_length_of_a_block(
    autojump_clock: MockClock, connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "block.jsonl"
    async with connect() as session:
        await turn_of(session, "One")
        async with record(session, path, media="whole"):
            await turn_of(session, "Two")
        await turn_of(session, "Three")
    sent = [frame.message for frame in read_recording(path).frames("client")]
    setup, said = sent
    assert isinstance(setup, wire.LiveClientMessage)
    assert setup.setup == session.setup
    assert isinstance(said, wire.LiveClientMessage)
    assert said.realtime_input is not None
    assert said.realtime_input.text == "Two"


async def turn_of(session: Any, text: str) -> list[Event]:
    await session.send_text(text)
    return await turn(session)


async def test_a_full_disk_does_not_end_the_session(
    autojump_clock: MockClock, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect() as session, record(session, "/dev/full") as writer:
        for _ in range(3):
            assert await turn_of(session, "Hello!")
    assert writer.lost > 0
    assert writer.failure
    assert len([line for line in caplog.records if "has stopped" in line.getMessage()]) == 1


# --- Traces ----------------------------------------------------------------------------------


async def test_the_span_tree_of_a_scripted_session(autojump_clock: MockClock) -> None:
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    simple = pytest.importorskip("opentelemetry.sdk.trace.export")
    from gemini_live_trio.otel import OpenTelemetryObserver

    exporter = export.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(simple.SimpleSpanProcessor(exporter))
    observer = OpenTelemetryObserver(provider.get_tracer("test"))
    async with puppet(observers=[observer]) as (session, server):
        await session.send_text("A secret question?")
        for message in (
            said("Let me see."),
            calls("call_1"),
            GENERATED,
            counted(COMPLETE, prompt_token_count=9, response_token_count=3),
        ):
            await server.send(message)
        await until(session, ToolCall)
        await until(session, TurnComplete)
        await session.send_tool_response([wire.FunctionResponse(id="call_1", response={})])
        await server.send(sounds(SECOND))
        session.played((await until(session, ModelAudio)).generation, 0.5)
        for message in (INTERRUPTED, COMPLETE):
            await server.send(message)
        await until(session, TurnComplete)
        await server.close(1011, "Internal error encountered.")
        await until(session, Reconnected)
    spans = {span.context.span_id: span for span in exporter.get_finished_spans()}

    def tree(parent: int | None) -> list[tuple[str, Any]]:
        children = [
            span
            for span in spans.values()
            if (span.parent.span_id if span.parent else None) == parent
        ]
        children.sort(key=lambda span: span.start_time)
        return [(span.name, tree(span.context.span_id)) for span in children]

    model = "gemini-3.8-live"
    assert tree(None) == [
        (
            f"realtime {model}",
            [
                ("connection 1", []),
                (f"generate_content {model}", [("execute_tool get_weather", [])]),
                (f"generate_content {model}", []),
                ("connection 2", []),  # refused: too early to resume
                ("connection 3", []),
            ],
        )
    ]
    by_name: dict[str, list[Any]] = {}
    for span in sorted(spans.values(), key=lambda span: span.start_time):
        by_name.setdefault(span.name, []).append(span)
    first, second = by_name[f"generate_content {model}"]
    assert first.attributes["gen_ai.usage.input_tokens"] == 9
    assert second.attributes["gemini_live.interrupted"] is True
    assert [event.name for event in second.events] == ["first_output", "first_sound_played"]
    (tool,) = by_name["execute_tool get_weather"]
    assert tool.attributes["gemini_live.tool.outcome"] == "answered"
    assert by_name["connection 1"][0].attributes["gemini_live.close.code"] == 1011
    (early,), (late,) = by_name["connection 2"], by_name["connection 3"]
    assert early.attributes["gemini_live.close.code"] == 1011
    assert late.attributes["gemini_live.resumed"] is True
    assert "secret" not in json.dumps([span.to_json() for span in spans.values()])


# --- What reviews found ----------------------------------------------------------------------


async def test_a_first_dial_that_is_refused_is_told(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect, tmp_path: Path
) -> None:
    notes = Notes()
    path = tmp_path / "refused.jsonl"
    simulator.refuse_next_setup(1008, "models/x is not found")
    with (
        RecordingWriter(path, by="test", clock=trio.current_time) as writer,
        pytest.raises(SetupRejected),
    ):
        async with connect(observers=[notes, SessionRecorder(writer)]):
            pytest.fail("it was refused")
    assert notes.told[1] == "disconnected 1 server 1008"
    assert notes.told[2].startswith("ended The service refused")
    (ended,) = [item for item in read_recording(path) if isinstance(item, Ended)]
    assert (ended.code, ended.reason) == (1008, "models/x is not found")


async def test_each_dial_is_a_connection_of_the_recording(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "retries.jsonl"
    with RecordingWriter(path, by="test", clock=trio.current_time) as writer:
        async with connect(observers=[SessionRecorder(writer)]) as session:
            simulator.refuse_next_setup(1011, times=2)
            await (await simulator.accept()).drop()
            await until(session, Reconnected)
    happenings = list(read_recording(path))
    opened = [item.connection for item in happenings if isinstance(item, Opened)]
    ended = [item.connection for item in happenings if isinstance(item, Ended)]
    assert opened == ended == sorted(set(opened))
    assert len(opened) == 4


async def test_what_was_recorded_in_a_block_can_be_replayed(
    autojump_clock: MockClock, connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "block.jsonl"
    async with connect() as session:
        await turn_of(session, "One")
        async with record(session, path):
            answer = words(await turn_of(session, "Two"))
    async with (
        open_simulator(port=None, replay=path) as replaying,
        open_session(
            SessionConfig(model="gemini-3.8-live"), connector=replaying.connector
        ) as again,
    ):
        assert words(await turn_of(again, "Two")) == answer


async def test_the_books_of_a_recording_are_those_of_the_session(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "reseeded.jsonl"
    with RecordingWriter(path, by="test", clock=trio.current_time) as writer:
        async with connect(observers=[SessionRecorder(writer)]) as session:
            await turn_of(session, "My name is Ada.")
            await simulator.restart()
            await until(session, Reconnected)
            await turn_of(session, "What is my name?")
    written = transcript_of(read_recording(path))
    assert [(entry.speaker, entry.text) for entry in written] == [
        (entry.speaker, entry.text) for entry in session.transcript
    ]
    assert usage_of(read_recording(path)).total == session.usage.total


async def test_no_secret_is_in_a_recording_or_the_wire_log(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG, "gemini_live_trio.wire")
    key = "gateway-secret-42"
    path = tmp_path / "secret.jsonl"
    config = SessionConfig(model="gemini-3.8-live", auth=ApiKey(key))
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, connector=simulator.connector) as session,
        record(session, path),
    ):
        await turn_of(session, f"My key is {key}.")
        await (await simulator.accept()).close(1011, f"API key {key} is tired")
        await until(session, Reconnected)
    wire_lines = [line for line in caplog.records if line.name == "gemini_live_trio.wire"]
    assert wire_lines
    assert not [line for line in wire_lines if key in line.getMessage()]
    assert key not in path.read_text(encoding="utf-8")


async def test_an_observer_may_be_watching_twice(
    autojump_clock: MockClock, connect: Connect
) -> None:
    notes = Notes()
    async with connect(observers=[notes]) as session:
        with session.observe(notes):
            pass
    assert notes.told[-1] == "ended None"
