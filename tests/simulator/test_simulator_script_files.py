"""Scripts in files: each step, whatever is wrong with a line, and the program's exit status."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio_websocket
from simulator.raw_client import BIDI, RawClient, dial, spoken, tone
from trio.testing import MockClock

from gemini_live_trio import SessionConfig, open_session
from gemini_live_trio.events import OutputTranscription, TurnComplete
from gemini_live_trio.simulator import ScriptError, ScriptMismatch, Simulator, open_simulator
from gemini_live_trio.simulator._scripts._steps import STEPS

PAGE = Path(__file__).parents[2] / "docs" / "simulator-scripts.md"
EXAMPLE = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
NEXT = '{"connection": "next"}'


@asynccontextmanager
async def played(path: Path, *lines: str) -> AsyncIterator[tuple[RawClient, Simulator]]:
    """A client that has set up a connection to a simulator with this script."""
    file = path / "play.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    async with (
        open_simulator(port=None, script=file) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up(outputAudioTranscription={})
        yield client, simulator


async def test_every_step(tmp_path: Path, autojump_clock: MockClock) -> None:
    async with played(
        tmp_path,
        '{"#": "a remark"}',
        "",
        '{"connection": "next", "setup": {"model": "models/gemini-3.8-live"}, "within": 5}',
        '{"expect": {"realtime_input": {"text": "One"}}, "within": 5, "#": "beside a step"}',
        '{"expect": "text", "skip": true}',
        '{"expect_text": "Three"}',
        '{"expect_text": {"like": "^Fou"}, "within": 5}',
        '{"expect_text": true}',
        '{"expect_audio": 0.2}',
        '{"expect_audio": true, "within": 5}',
        '{"call": {"name": "look", "args": {"at": "sky"}, "id": "c1"}}',
        '{"call": [{"name": "look"}, {"name": "listen", "id": "c3"}]}',
        '{"expect_tool_response": "c1"}',
        '{"expect_tool_response": {"name": "listen"}}',
        '{"expect_tool_response": true}',
        '{"expect_nothing": 3}',
        '{"say": "Hm."}',
        '{"transcribe": "You hummed."}',
        '{"send": {"serverContent": {"turnComplete": true}, "new": 1}}',
        '{"send_raw": "no JSON"}',
        '{"wait": 7}',
        '{"do": "!goaway-untimed"}',
        '{"refuse": {"code": 1008, "reason": "No.", "times": null, "when": {"tools": [{}]}}}',
        '{"strict": false}',
        '{"expect_end": {"by": "client", "code": 1000}, "within": 60}',
        '{"connection": "next"}',
        '{"expect_end": true}',
    ) as (client, simulator):
        for text in ("One", "Two", "Three", "Four", "Five"):
            await client.send(realtimeInput={"text": text})
        for _ in range(3):
            await client.send_audio(tone(0.1))
        (first,) = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
        assert first == {"id": "c1", "name": "look", "args": {"at": "sky"}}
        second, third = (await client.until("toolCall"))[-1]["toolCall"]["functionCalls"]
        assert third["id"] == "c3"
        responses = [
            {"id": call["id"], "name": call["name"], "response": {}}
            for call in (third, first, second)
        ]
        await client.send(toolResponse={"functionResponses": responses})
        assert spoken(await client.until("turnComplete")) == "Hm."
        await client.until("inputTranscription")
        assert await client.receive() == {"serverContent": {"turnComplete": True}, "new": 1}
        assert await client.websocket.get_message() == "no JSON"
        before = trio.current_time()
        assert await client.receive() == {"goAway": {}}
        assert trio.current_time() - before == pytest.approx(7)
        await client.send(realtimeInput={"text": "nobody expects this"})
        await client.websocket.aclose()
        async with dial(simulator) as other:
            await other.send(setup={"model": "models/gemini-3.8-live", "tools": [{}]})
            assert (await other.closed()).reason == "No."
        async with dial(simulator) as other:
            await other.set_up()


async def test_only_a_newline_ends_a_line(tmp_path: Path, autojump_clock: MockClock) -> None:
    text = "One.\u2028Two.\u0085Three."
    say = json.dumps({"say": text}, ensure_ascii=False)
    async with played(tmp_path, f"{NEXT}\r", say) as (client, _simulator):
        assert spoken(await client.until("turnComplete")) == text


async def test_the_example_refuses_a_client_without_its_handle(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    (example,) = EXAMPLE
    file = tmp_path / "reconnect.jsonl"
    file.write_text(example, encoding="utf-8")
    with pytest.raises(ScriptMismatch) as caught:
        async with open_simulator(port=None, script=file) as simulator:
            async with dial(simulator) as client:
                await client.set_up(sessionResumption={})
                await client.send(realtimeInput={"text": "Hello"})
                await client.closed()
            async with dial(simulator) as client:
                await client.set_up(sessionResumption={})
                await client.closed()
    told = str(caught.value).replace(f"{tmp_path}/", "")
    assert told in " ".join(PAGE.read_text(encoding="utf-8").split())


async def test_a_mismatch_names_the_line(tmp_path: Path, autojump_clock: MockClock) -> None:
    with pytest.raises(ScriptMismatch) as caught:
        async with played(tmp_path, NEXT, "", '{"expect_text": "Hello"}') as (client, _simulator):
            await client.send(realtimeInput={"text": "Hullo"})
            with trio.fail_after(100):
                await trio.sleep_forever()
    assert str(caught.value).startswith(
        f"The script failed at {tmp_path / 'play.jsonl'}, line 3, step 2, expect_text('Hello'): the"
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "{",
            "this is no JSON (Expecting property name enclosed in double quotes, at ",
        ),
        ("[" * 100_000, "this is"),
        ('"say"', 'a step is a JSON object, such as {"say": "Hello"}.'),
        ('{"expect_text": "a", "expect_text": "b"}', "'expect_text' stands twice in one object."),
        ('{"call": {"name": "a", "args": {"x": 1, "x": 2}}}', "'x' stands twice in one object."),
        ('{"say": "a\\ud800b"}', "this has half of a surrogate pair in it"),
        ('{"wait": 1e999}', "wait: it is a number of seconds, not inf."),
        ('{"expect_text": {"like": "' + "(" * 5_000 + '"}}', "expect_text: this is no regular"),
        ('{"expct": "text"}', "there is no step 'expct'. Did you mean expect?"),
        ('{"zzz": 1}', "there is no step 'zzz'."),
        ('{"say": "a", "wait": 1}', "a line is one step, and this is 2: say, wait."),
        ('{"say": "a", "within": 1}', "say takes no 'within'."),
        (
            '{"expect_text": "a", "witin": 1}',
            "expect_text takes no 'witin'; it takes within, skip. Did you mean within?",
        ),
        (
            '{"expect_text": "a", "within": "5"}',
            "expect_text: within is a number of seconds, not '5'.",
        ),
        ('{"expect_text": "a", "skip": 1}', "expect_text: it is true or false, not 1."),
        ('{"expect_text": {"like": "("}}', "expect_text: this is no regular expression: "),
        ('{"expect_text": {"lik": "a"}}', "expect_text: it has no 'lik'. Did you mean like?"),
        ('{"expect_text": 5}', "expect_text: it is a text, not 5."),
        ('{"expect": "toolCall"}', "expect: No message has a field 'toolCall'."),
        ('{"expect": ["a"]}', "expect: it is an object, not ['a']."),
        (
            '{"expect": {"realtimInput": {}}}',
            "expect: no message has a 'realtimInput'. Did you mean realtimeInput?",
        ),
        ('{"connection": "last"}', "connection: it is \"next\", not 'last'."),
        (
            '{"connection": "next", "setup": {"modle": "x"}}',
            "connection: no message has a 'modle' in setup. Did you mean model?",
        ),
        ('{"wait": -1}', "wait: it is a number of seconds, not -1."),
        ('{"wait": true}', "wait: it is a number of seconds, not True."),
        ('{"expect_end": {"by": "me"}}', "expect_end: by is client, server or nobody, not 'me'."),
        ('{"expect_end": {"code": "x"}}', "expect_end: code is a whole number, not 'x'."),
        ('{"send": {"serverContent": 5}}', "send: no client could read this"),
        ('{"send": "x"}', "send: it is an object, not 'x'."),
        ('{"call": {"args": {}}}', "call: it is a text, not None."),
        ('{"do": "gowaay"}', "do: There is no command 'gowaay'. Did you mean goaway?"),
        ('{"do": "goaway soon"}', "do: goaway: seconds is a number of seconds, not 'soon'."),
        ('{"refuse": {"code": 1006}}', "refuse: 1006 can't stand in a close frame."),
        ('{"refuse": {"times": 0}}', "refuse: times is a whole number from 1, or null for all"),
        ('{"refuse": {"when": {"tols": 1}}}', "refuse: no message has a 'tols' in setup."),
        ('{"strict": "yes"}', "strict: it is true or false, not 'yes'."),
    ],
)
async def test_what_is_wrong_with_a_line(line: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "play.jsonl"
    file.write_text(f'{NEXT}\n{{"#": "one more"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(ScriptError) as caught:
        async with open_simulator(port=None, script=file):
            raise AssertionError("it began to serve")
    assert str(caught.value).startswith(f"{file}, line 3: {problem}")


async def test_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    empty, binary, missing = (tmp_path / name for name in ("empty", "binary", "missing"))
    empty.write_text('\n{"#": "nothing"}\n')
    binary.write_bytes(b"\xff\xfe")
    hasty = tmp_path / "hasty"
    hasty.write_text('{"expect_text": "x"}', encoding="utf-8-sig")
    for path, problem in [
        (empty, "has no step in it"),
        (binary, "is no text in UTF-8"),
        (missing, "can't be read: No such file or directory"),
        (tmp_path, "can't be read: Is a directory"),
        (hasty, "line 1: there is no connection yet"),
    ]:
        with pytest.raises(ScriptError, match=f"{re.escape(str(path))},? {problem}"):
            async with open_simulator(port=None, script=str(path)):
                raise AssertionError("it began to serve")


# --- The page's examples ---


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_example_in_python_runs(program: str) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == ("Good day. I am about to leave. [resumed] Here I am again.")


async def test_the_example_in_a_file_runs(tmp_path: Path, autojump_clock: MockClock) -> None:
    (example,) = EXAMPLE
    file = tmp_path / "reconnect.jsonl"
    file.write_text(example, encoding="utf-8")
    async with open_simulator(port=None, script=file, resume_lock=False) as simulator:
        config = SessionConfig(model="gemini-3.8-live")
        async with open_session(config, connector=simulator.connector) as session:
            await session.send_text("Hello")
            said = []
            async for event in session:
                if isinstance(event, OutputTranscription):
                    said.append(event.text)
                if isinstance(event, TurnComplete) and "".join(said).endswith("again."):
                    break


def test_every_step_is_on_the_page() -> None:
    _, _, table = PAGE.read_text(encoding="utf-8").partition("| step | value |")
    told = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (.*?) \|", table, re.M))))
    assert told == set(STEPS)


# --- The program ---


@asynccontextmanager
async def program(script: Path, *more: str) -> AsyncIterator[tuple[trio.Process, str]]:
    """The simulator's program and its URL."""
    command = [
        *(sys.executable, "-m", "gemini_live_trio.simulator", "--pace", "0", "--voice", "tone"),
        *("--verbose", "--script", str(script), *more),
    ]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(
            partial(
                trio.run_process,
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
        )
        line = await process.stdout.receive_some()
        yield process, json.loads(line)["url"]


async def told_by(process: trio.Process) -> str:
    assert process.stderr is not None
    text = b""
    with trio.fail_after(30):
        async for data in process.stderr:
            text += data
        await process.wait()
    return text.decode()


@pytest.mark.parametrize("said", ["Hello", "Hullo", None])
async def test_the_programs_status(said: str | None, tmp_path: Path) -> None:
    file = tmp_path / "play.jsonl"
    file.write_text(f'{NEXT}\n{{"expect_text": "Hello"}}\n{{"say": "Good day."}}\n')
    async with program(file) as (process, url):
        host, _, port = url.removeprefix("ws://").partition(":")
        if said is not None:
            stream = await trio.open_tcp_stream(host, int(port))
            async with trio.open_nursery() as nursery:
                websocket = await trio_websocket.wrap_client_stream(nursery, stream, host, BIDI)
                client = RawClient(websocket, stream)
                await client.set_up(outputAudioTranscription={})
                await client.send(realtimeInput={"text": said})
                if said == "Hello":
                    assert spoken(await client.until("turnComplete")) == "Good day."
                else:
                    await client.closed()
                nursery.cancel_scope.cancel()
            await trio.aclose_forcefully(stream)
        if said != "Hullo":  # that one ends by itself
            process.send_signal(signal.SIGTERM)
        told = await told_by(process)
    assert (process.returncode, "the script is complete" in told) == (
        (0, True) if said == "Hello" else (1, False)
    )
    assert ("the client sent realtimeInput.text 'Hullo'" in told) is (said == "Hullo")
    assert ("The script isn't over" in told) is (said is None)
    assert "Traceback" not in told


@pytest.mark.parametrize("unwritable", [False, True])
async def test_a_script_that_fails_has_its_report(tmp_path: Path, unwritable: bool) -> None:
    script, report = tmp_path / "play.jsonl", tmp_path / "report.json"
    script.write_text(f'{NEXT}\n{{"expect_end": true, "within": 0}}\n')
    if unwritable:
        report.mkdir()
    async with program(script, "--report", "--report-json", str(report)) as (process, url):
        host, _, port = url.removeprefix("ws://").partition(":")
        stream = await trio.open_tcp_stream(host, int(port))
        async with trio.open_nursery() as nursery:
            websocket = await trio_websocket.wrap_client_stream(nursery, stream, host, BIDI)
            await RawClient(websocket, stream).set_up()
            told = await told_by(process)
            nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(stream)
    assert process.returncode == 1
    assert "1 frames from clients: 1 setup." in told
    assert "The script failed at " in told
    assert ("Can't write the report " in told) is unwritable
    assert "Traceback" not in told
    if not unwritable:
        assert json.loads(report.read_text())["roots"] == {"setup": 1}


async def test_the_program_refuses_a_wrong_script(tmp_path: Path) -> None:
    file = tmp_path / "play.jsonl"
    file.write_text('{"expct": "text"}')
    command = [sys.executable, "-m", "gemini_live_trio.simulator", "--script", str(file)]
    done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode() == (
        f"{file}, line 1: there is no step 'expct'. Did you mean expect?\n"
    )
