"""A conversation led by lines of JSON, in memory and on a virtual clock."""

import base64
import json
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import SessionConfig, open_session, wire
from gemini_live_trio.repl._errors import ConversationFailed
from gemini_live_trio.repl._options import Options
from gemini_live_trio.repl._ordered import run_orders
from gemini_live_trio.repl._orders import (
    AnswerCalls,
    BadOrder,
    EndSound,
    Hear,
    Interrupt,
    Quit,
    Reconnect,
    Say,
    See,
    SendFile,
    Wait,
    read_order,
)
from gemini_live_trio.repl._plain import PlainScreen
from gemini_live_trio.repl._speaking import open_recorder
from gemini_live_trio.simulator import ServerConnection, Simulator, open_simulator

FUNCTION = wire.FunctionDeclaration(name="add", description="Adds.")
CONFIG = SessionConfig(model="gemini-3.8-live", tools=[FUNCTION])
EARLIER = SessionConfig(model="gemini-3.1-flash-live-preview", tools=[FUNCTION])
"""A model that waits for its functions."""
COULDNT = "1 of the orders could not be carried out"
SOUND = base64.b64encode(bytes(640)).decode()


@attrs.frozen
class Led:
    """A run with what leads it, and what it printed."""

    simulator: Simulator
    orders: trio.MemorySendChannel[str]
    path: Path

    async def give(self, *orders: Mapping[str, Any] | str) -> None:
        for order in orders:
            await self.orders.send(order if isinstance(order, str) else json.dumps(order))

    def printed(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def names(self) -> list[str]:
        """The events that matter here, and the errors."""
        skipped = ("TranscriptUpdate", "ModelAudio", "ResumptionUpdate", "SetupComplete", "Usage")
        names = [line.get("event", "error") for line in self.printed()]
        return [name for name in names if name not in skipped]

    def errors(self) -> list[dict[str, Any]]:
        return [line for line in self.printed() if "error" in line]

    def texts(self) -> list[tuple[float, str]]:
        return [
            (frame.time, text)
            for frame in self.simulator.received
            if (message := frame.message)
            and message.realtime_input
            and (text := message.realtime_input.text)
        ]


@asynccontextmanager
async def led(
    folder: Path,
    *,
    mind: Any = "rules",
    config: SessionConfig = CONFIG,
    fails: str | None = None,
    **options: Any,
) -> AsyncIterator[Led]:
    """Start a run, close its input at the end of the block, and wait for its end.

    With ``fails`` it has to fail, with this message.
    """
    failure = pytest.RaisesGroup(
        pytest.RaisesExc(ConversationFailed, match=fails), flatten_subgroups=True
    )
    wanted = Options(config=config, json=True, json_input=True, **options)
    give, lines = trio.open_memory_channel[str](math.inf)
    async with open_simulator(port=None, mind=mind, commands=True) as simulator:
        with failure if fails else nullcontext(), (folder / "out").open("w") as out:
            screen = PlainScreen(out, None, colours=False)
            async with (
                open_session(config, connector=simulator.connector) as session,
                open_recorder(None) as recorder,
                trio.open_nursery() as nursery,
            ):
                nursery.start_soon(run_orders, session, wanted, screen, recorder, lines)
                with give:
                    yield Led(simulator, give, folder / "out")


async def say(server: ServerConnection, text: str, **content: Any) -> None:
    transcription = wire.Transcription(text=text)
    for part in (
        wire.LiveServerContent(output_transcription=transcription),
        wire.LiveServerContent(turn_complete=True, **content),
    ):
        await server.send(wire.LiveServerMessage(server_content=part))


# --- Lines --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ('{"text": "@a \\u00fc"}', Say("@a ü")),
        ('{"file": "a b.jpg"}', SendFile(Path("a b.jpg"))),
        ('{"audio": "AQI="}', Hear(b"\1\2", 16_000)),
        ('{"rate_hz": 8000, "audio": "AQI="}', Hear(b"\1\2", 8_000)),
        ('{"audio_stream_end": true}', EndSound()),
        ('{"video": "AQI=", "mime_type": "image/png"}', See(b"\1\2", "image/png")),
        ('{"interrupt": true}', Interrupt()),
        ('{"reconnect": true}', Reconnect()),
        ('{"wait": "turn"}', Wait("turn")),
        ('{"wait": "idle"}', Wait("idle")),
        ('{"wait": 1.5}', Wait(1.5)),
        ('{"quit": true}', Quit()),
        (
            '{"tool_response": {"id": "a", "name": "f", "response": {"output": 1}}}',
            AnswerCalls((wire.FunctionResponse(id="a", name="f", response={"output": 1}),)),
        ),
        (
            '{"tool_response": [{"id": "a", "response": {}, "will_continue": true}]}',
            AnswerCalls((wire.FunctionResponse(id="a", response={}, will_continue=True),)),
        ),
    ],
)
def test_a_line_is_one_order(line: str, order: object) -> None:
    assert read_order(line) == order


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hello", "isn't JSON"),
        ('{"wait": NaN}', "isn't JSON: NaN"),
        ("[" * 100_000, "isn't JSON"),
        ("[]", "is a JSON object, such as"),
        ("{}", "is empty; an order is one of text, file,"),
        ('{"txt": "a"}', "no order 'txt'; did you mean text?"),
        ('{"zzz": "a"}', "no order 'zzz'; they are text,"),
        ('{"text": "a", "file": "b"}', "two orders, text and file"),
        ('{"text": "a", "rate_hz": 1}', "text doesn't go with 'rate_hz'"),
        ('{"text": 1}', "text must be a text"),
        ('{"text": " "}', "text must be a text with something in it"),
        ('{"text": "\\ud800"}', "half a character"),
        ('{"audio": "AQ=="}', "odd number of bytes"),
        ('{"audio": "%%"}', "audio must be base64"),
        ('{"audio": "AQI=", "rate_hz": "8000"}', "rate_hz must be a whole number"),
        ('{"audio": "AQI=", "rate_hz": true}', "rate_hz must be a whole number"),
        ('{"quit": false}', 'quit takes true and nothing else: {"quit": true}'),
        ('{"wait": "long"}', 'wait takes "turn", "idle" or a number'),
        ('{"wait": true}', 'wait takes "turn", "idle" or a number'),
        ('{"wait": -1}', 'wait takes "turn", "idle" or a number'),
        ('{"wait": 1e9}', "86,400 seconds at most"),
        ('{"tool_response": []}', "answers nothing"),
        ('{"tool_response": {"response": {}}}', "needs the id"),
        ('{"tool_response": {"id": "a"}}', "needs a response"),
        ('{"tool_response": {"id": "a", "response": 1}}', "response: expected an object"),
        ('{"tool_response": {"id": "a", "respnse": {}}}', "doesn't know 'respnse'"),
    ],
)
def test_a_bad_line_says_why(line: str, said: str) -> None:
    with pytest.raises(BadOrder) as caught:
        pytest.fail(str(read_order(line)))
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


# --- Conversations ------------------------------------------------------------------------------


async def test_sends_wait_for_nothing_unless_told(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with led(tmp_path) as run:
        await run.give({"text": "Tell me a story"}, {"wait": 1}, {"text": "2 plus 2"})
        await run.give({"wait": "turn"}, {"text": "bye"})
    (story, _), (sum_, _), (bye, _) = run.texts()
    assert 1 <= sum_ - story < 1.1
    assert bye > sum_ + 0.5
    names = run.names()
    # The first answer was cut short by the second text; its end isn't taken for the second's.
    assert names.index("Interrupted") < names.index("TurnComplete")
    said = "".join(
        line["text"] for line in run.printed() if line.get("event") == "OutputTranscription"
    )
    assert said.index("makes 4") < said.index("Goodbye")


async def test_at_the_end_of_input_the_answer_is_waited_for(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with led(tmp_path) as run:
        await run.give({"text": "2 plus 2"})
    assert run.names()[-1] == "TurnComplete"
    assert run.printed()[-1]["event"] == "Usage"


async def test_quit_waits_for_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    begin = trio.current_time()
    async with led(tmp_path, mind=None) as run:
        await run.give({"text": "Hello"}, {"wait": 2}, {"quit": True}, {"text": "too late"})
    assert [text for _, text in run.texts()] == ["Hello"]
    assert trio.current_time() - begin < 3


async def test_bad_lines_are_answered_and_counted(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with led(tmp_path, fails="^5 of the orders could not be carried out") as run:
        await run.give("{", "", {"txt": "a"}, {"file": str(tmp_path / "none")})
        await run.give({"tool_response": {"id": "x", "response": {"output": 1}}})
        await run.give({"video": "AQI=", "mime_type": "audio/pcm"}, {"text": "2 plus 2"})
    said = {error["line"]: error["error"] for error in run.errors()}
    assert sorted(said) == [1, 3, 4, 5, 6]
    assert "There is no file" in said[4]
    assert said[5] == "No call 'x' waits for an answer."
    assert "image/" in said[6]
    assert "TurnComplete" in run.names()


async def test_strict_ends_at_the_first_bad_line(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with led(tmp_path, fails="^Line 2: There is no order 'txt'", strict=True) as run:
        await run.give({"wait": 1}, {"txt": "a"}, {"text": "Hello"})
    assert run.texts() == []
    assert run.errors() == []


async def test_a_model_that_never_answers_is_told_of_and_given_up(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    begin = trio.current_time()
    async with led(tmp_path, fails=COULDNT, mind=None) as run:
        await run.give({"text": "a"}, {"wait": "turn"}, {"wait": "idle"})
    assert run.errors() == [{"error": "The model did not answer within 60 s.", "line": 2}]
    assert trio.current_time() - begin == pytest.approx(60, abs=2)


async def test_the_answer_that_a_broken_connection_swallowed_is_given_up(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with led(tmp_path, fails=COULDNT, mind=None) as run:
        server = await run.simulator.accept()
        await run.give({"text": "a"})
        await wait_all_tasks_blocked()
        await server.drop()
    (error,) = run.errors()
    assert error == {"error": "The model did not answer within 15 s."}


async def test_reconnect_and_interrupt(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with led(tmp_path) as run:
        await run.give({"text": "Tell me a story"}, {"wait": 2}, {"interrupt": True})
        await run.give({"wait": "idle"}, {"reconnect": True}, {"text": "2 plus 2"})
    passed_over = ("OutputTranscription", "Reconnecting")
    assert [name for name in run.names() if name not in passed_over] == [
        *("Interrupted", "TurnComplete", "Reconnected", "GenerationComplete", "TurnComplete")
    ]


# --- Sound and pictures -------------------------------------------------------------------------


async def test_sound_in_lines_and_media_in_events(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with led(tmp_path, json_media=True) as run:
        tone = base64.b64encode(b"\0\x40\0\xc0" * 8_000).decode()
        await run.give({"audio": tone}, {"audio_stream_end": True}, {"wait": "turn"})
    sounds = [line for line in run.printed() if line.get("event") == "ModelAudio"]
    assert sounds
    for line in sounds:
        pcm = base64.b64decode(line["pcm"]["base64"])
        assert len(pcm) == line["pcm"]["bytes"] == round(line["seconds"] * 48_000)


async def test_sound_that_nobody_ended_ends_with_the_input(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with led(tmp_path, mind=None) as run:
        server = await run.simulator.accept()
        await run.give({"audio": SOUND})
        run.orders.close()
        await wait_all_tasks_blocked()
        last = run.simulator.received[-1].message
        assert last is not None
        assert last.realtime_input is not None
        assert last.realtime_input.audio_stream_end is True
        await say(server, "Yes?")
    assert run.names() == ["OutputTranscription", "TurnComplete"]


async def test_sound_that_was_answered_before_its_end_is_waited_for_only_a_little(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with led(tmp_path, mind=None) as run:
        server = await run.simulator.accept()
        await run.give({"audio": SOUND})
        await wait_all_tasks_blocked()
        await say(server, "Yes?")
        await wait_all_tasks_blocked()
        begin = trio.current_time()
        await run.give({"audio": SOUND}, {"audio_stream_end": True})
    assert trio.current_time() - begin == pytest.approx(3, abs=1)
    assert run.errors() == []


async def test_a_file_that_is_no_sound_is_no_sound_whose_answer_would_be_waited_for(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are words.")
    async with led(tmp_path, fails=COULDNT, mind=None) as run:
        await run.give({"file": str(path)}, {"wait": "turn"})
    (error,) = run.errors()
    assert error["line"] == 1
    assert "notes.txt is text" in error["error"]


async def test_a_recording_at_another_rate_than_the_sound_before_leaves_that_as_it_was(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    pytest.importorskip("soxr", reason="needs the extra audio")
    path = tmp_path / "more.raw"
    path.write_bytes(bytes(6_400))
    async with led(tmp_path, fails=COULDNT, mind=None) as run:
        server = await run.simulator.accept()
        await run.give({"audio": SOUND, "rate_hz": 8_000}, {"audio_stream_end": True})
        await wait_all_tasks_blocked()
        await say(server, "Yes?")
        await wait_all_tasks_blocked()
        await run.give({"file": str(path)}, {"wait": "turn"})
    (error,) = run.errors()
    assert error["line"] == 3
    assert "8000 samples a second" in error["error"]


async def test_a_model_that_only_transcribes_is_done_when_it_falls_silent(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    config = SessionConfig(model="gemini-3.5-transcribe-live", response_modalities=["TEXT"])
    async with led(tmp_path, fails=COULDNT, mind=None, config=config) as run:
        server = await run.simulator.accept()
        await run.give({"text": "Hello"}, {"audio": SOUND}, {"audio_stream_end": True})
        await wait_all_tasks_blocked()
        heard = wire.LiveServerContent(input_transcription=wire.Transcription(text="Hello"))
        await server.send(wire.LiveServerMessage(server_content=heard))
        begin = trio.current_time()
    assert trio.current_time() - begin < 5
    (error,) = run.errors()
    assert error["line"] == 1
    assert "text can't be sent to it" in error["error"]


# --- Functions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [CONFIG, EARLIER], ids=lambda config: config.model)
async def test_calls_are_answered_while_an_order_waits_for_the_turn(
    autojump_clock: MockClock, tmp_path: Path, config: SessionConfig
) -> None:
    async with led(tmp_path, config=config) as run:
        await run.give({"text": '!call add {"a": 1}'}, {"wait": "idle"}, {"text": "2 plus 2"})
        await trio.sleep(10)
        (call,) = [line for line in run.printed() if line.get("event") == "ToolCall"]
        assert call["name"] == "add"
        assert call["args"] == {"a": 1}
        await trio.sleep(200)  # a function may take its time
        assert [text for _, text in run.texts()] == ['!call add {"a": 1}']
        await run.give({"tool_response": {"id": call["id"], "response": {"output": 3}}})
    (answer,) = [
        response
        for frame in run.simulator.received
        if frame.message and frame.message.tool_response
        for response in frame.message.tool_response.function_responses
    ]
    assert (answer.id, answer.name, answer.response) == (call["id"], "add", {"output": 3})
    assert [text for _, text in run.texts()][1] == "2 plus 2"
    assert run.errors() == []


@pytest.mark.parametrize("pause", [None, 1])
async def test_the_answer_to_a_result_is_waited_for_though_the_turn_that_called_ends_after_it(
    autojump_clock: MockClock, tmp_path: Path, pause: int | None
) -> None:
    async with led(tmp_path, mind=None) as run:
        server = await run.simulator.accept()
        await server.call("add", {})
        await wait_all_tasks_blocked()
        (call,) = [line for line in run.printed() if line.get("event") == "ToolCall"]
        await run.give(
            {"tool_response": {"id": call["id"], "response": {"output": 3}}},
            {"wait": "turn"},
            {"text": "bye"},
        )
        if pause:
            await trio.sleep(pause)
        over = wire.LiveServerContent(turn_complete=True)
        await server.send(wire.LiveServerMessage(server_content=over))
        await trio.sleep(20)
        assert run.texts() == []
        await say(server, "It is 3.")
        await wait_all_tasks_blocked()
        assert [text for _, text in run.texts()] == ["bye"]
        await say(server, "Goodbye.")
    assert run.errors() == []


async def test_a_call_that_nobody_is_left_to_answer(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with led(tmp_path, fails=COULDNT, config=EARLIER) as run:
        await run.give({"text": '!call add {"a": 1}'})
    assert [error["error"] for error in run.errors()] == [
        "The input ended while the model waits for add."
    ]


async def test_calls_that_were_taken_back_wait_no_more(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with led(tmp_path, fails=COULDNT, mind=None) as run:
        server = await run.simulator.accept()
        await server.call("add", {})
        await wait_all_tasks_blocked()
        (call,) = [line for line in run.printed() if line.get("event") == "ToolCall"]
        await server.cancel_calls()
        over = wire.LiveServerContent(turn_complete=True)
        await server.send(wire.LiveServerMessage(server_content=over))
        await wait_all_tasks_blocked()
        await run.give({"wait": "idle"})
        await run.give({"tool_response": {"id": call["id"], "response": {"output": 3}}})
    assert [error["line"] for error in run.errors()] == [2]
