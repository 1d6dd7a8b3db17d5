"""The terminal client: what is typed, and what becomes of it."""

from __future__ import annotations

import json
import os
import re
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trio
from cli.client import client, settled
from support import most_bytes
from trio.testing import MockClock

from gemini_live_trio import wire
from gemini_live_trio.errors import MediaError
from gemini_live_trio.repl._commands import COMMANDS
from gemini_live_trio.repl._taping import Tape

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"


def entries(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_conversation(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        shown = await person.types("My name is Ada.")
        assert shown[0] == "you> My name is Ada."
        assert "model> Hello, Ada. I will remember that." in shown


async def test_the_status_bar_tells_how_things_stand(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        await settled()
        assert "connected" in person.bar
        await person.types("Hello!")
        assert "tokens" in person.bar
        assert "limit 9:" in person.bar


async def test_a_session_that_breaks_is_not_counted_twice(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        await person.types("Hello!")
        tokens = re.findall(r"\d+ tokens", person.bar)
        assert tokens
        person.bars.clear()
        await person.loses_the_session()
        assert "asleep" in person.bar
        assert re.findall(r"\d+ tokens", " ".join(person.bars)) == tokens * len(person.bars)


async def test_an_idle_session_sleeps_and_wakes_with_the_conversation(
    autojump_clock: MockClock,
) -> None:
    async with client(sleep_after=90.0) as (person, server):
        await person.types("My name is Ada.")
        await person.sees("the connection sleeps")
        await person.sees_in_bar("asleep")
        assert not server.connections
        shown = await person.types("What is my name?")
        assert "model> Your name is Ada." in shown


async def test_a_session_that_breaks_is_told_and_the_next_input_opens_another(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, _):
        await person.types("My name is Ada.")
        await person.loses_the_session()
        await person.sees_in_bar("asleep")
        shown = await person.types("What is my name?")
        assert "model> Your name is Ada." in shown


async def test_staged_settings_wait_and_are_applied_with_the_conversation_kept(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, _):
        await person.types("My name is Ada.")
        (shown,) = await person.types("/system set Don't be brief.")
        assert shown == "note> Waiting for /apply: system instruction: Don't be brief."
        assert "/apply" in person.bar
        await person.types("/voice puck")
        shown = await person.types("/apply")
        assert "note> In force: voice: Puck; system instruction: Don't be brief." in shown
        assert "note> The conversation goes on as it was." in shown
        assert "/apply" not in person.bar
        assert "model> Your name is Ada." in await person.types("What is my name?")


async def test_another_model_is_told_what_was_said(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        await person.types("My name is Ada.")
        await person.types("/model gemini-3.1-flash-live-preview")
        shown = (await person.types("/model apply"))[-1]
        assert "was told what had been said" in shown
        # No handle leads back to that yet.
        await person.types("/voice puck")
        shown = (await person.types("/apply"))[-1]
        assert "was told what had been said" in shown
        assert "model> Your name is Ada." in await person.types("What is my name?")


async def test_a_model_that_must_be_told_how_much_to_think(autojump_clock: MockClock) -> None:
    async with client() as (person, server):
        await person.types("/model gemini-3.8-live-extended-thinking")
        (refused, *_, way_out) = await person.types("/apply")
        assert re.match("error> .* needs a thinking_level", refused)
        assert "/thinking" in way_out
        (shown,) = await person.types("/thinking lots")
        assert shown == (
            "error> There is no level 'lots'; there are minimal, low, medium, high, and none."
        )
        (shown,) = await person.types("/thinking LOW")
        assert shown.endswith("model: gemini-3.8-live-extended-thinking; thinking: low")
        assert "note> In force: " in "\n".join(await person.types("/thinking apply"))
        config = server.connections[-1].setup.generation_config
        assert config.thinking_config.thinking_level == "LOW"
        (shown,) = await person.types("/thinking none")
        assert shown == "note> Waiting for /apply: thinking: none"
        assert await person.types("/thinking") == [
            "note> The thinking in force: low",
            "note> Waiting for /apply: none",
        ]


@pytest.mark.filterwarnings("ignore::gemini_live_trio.CapabilityWarning")
async def test_settings_that_do_not_work_leave_the_old_ones_in_force(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, _):
        await person.types("My name is Ada.")
        await person.types("/model gemini-of-another-world")
        shown = await person.types("/apply")
        assert any(line.startswith("note> Nothing is known here of the model") for line in shown)
        assert any(line.startswith("error> ") and "1008" in line for line in shown)
        assert shown[-2:] == [
            "note> What was in force stays so; the new settings still wait for /apply.",
            "note> To change them: /system, /tools, /voice, /thinking, /model.",
        ]
        assert "/apply" in person.bar
        assert "model> Your name is Ada." in await person.types("What is my name?")


async def test_settings_that_are_known_to_fail_are_not_tried(autojump_clock: MockClock) -> None:
    async with client() as (person, server):
        before = len(server.connections)
        await person.types("/model gemini-2.0-flash-live-001")
        refused, stays, _ = await person.types("/apply")
        assert refused.startswith("error> ")
        assert stays.startswith("note> What was in force stays so")
        assert len(server.connections) == before


async def test_nothing_waits(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        assert await person.types("/apply") == ["note> Nothing waits to be applied."]
        assert await person.types("/system clear") == ["note> As it is already."]


async def test_reconnecting_on_request(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        shown = await person.types("/reconnect")
        assert "note> A new connection; the conversation goes on." in shown


async def test_usage_and_status(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        await person.types("Hello!")
        shown = await person.types("/usage")
        assert shown[0].startswith("note> All in all ")
        assert [line[:13] for line in shown[1:]] == ["note> Turn 1:"]
        text = "\n".join(await person.types("/status"))
        for word in ("connection", "connected, the simulator", "model", "tokens"):
            assert word in text


async def test_usage_counts_the_turns_of_all_sessions(autojump_clock: MockClock) -> None:
    async with client(sleep_after=90) as (person, _):
        await person.types("Hello!")
        await person.sees("the connection sleeps")
        asleep = await person.types("/usage")
        await person.types("Hello again!")
        awake = await person.types("/usage")
        assert [line[:13] for line in asleep[1:]] == ["note> Turn 1:"]
        assert [line[:13] for line in awake[1:]] == ["note> Turn 1:", "note> Turn 2:"]
        assert awake[1] == asleep[1]


async def test_help_is_enough_to_use_each_command(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        text = "\n".join(await person.types("/help"))
        for command in COMMANDS:
            assert command.name in text
        shown = await person.types("/help system")
        assert any("/system set TEXT" in row for row in shown)
        assert (await person.types("/help nonsense"))[0].startswith("error> There is no command")


async def test_ctrl_c_silences_the_model_once(autojump_clock: MockClock) -> None:
    async with client(pace=1.0) as (person, _):
        person.will_type("Tell me a story")
        await person.sees("Once upon")
        await person.hears_the_model()
        await person.presses_ctrl_c()
        await person.sees("The model was interrupted")
        assert not person.speaking


async def test_tools_are_listed_staged_and_applied(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with client(workspace=tmp_path) as (person, server):
        rows = "\n".join(await person.types("/tools list"))
        assert re.search("clock +on ", rows)
        assert re.search("read-file +off ", rows)
        (shown,) = await person.types("/tools enable read_file")
        assert shown == "note> Waiting for /apply: tools: +read-file"
        (shown,) = await person.types("/tools enable reed-file")
        assert "did you mean read-file?" in shown
        await person.types("/tools apply")
        declared = server.connections[-1].setup.tools[0].function_declarations
        assert "read_file" in [declaration.name for declaration in declared]
        (shown,) = await person.types("/tools")
        assert "clock, desktop-microphone, desktop-speaker, read-file, timer" in shown


async def test_the_model_calls_a_tool(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        shown = await person.types('!call current_time {"timezone": "UTC"}')
        assert 'tool> current_time(timezone="UTC")' in shown


async def test_commands_run_only_with_consent(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with client(tools={"run-command": True}, workspace=tmp_path) as (person, _):
        person.answers.append(False)
        await person.types('!call run_command {"argv": ["touch", "here"]}')
        await person.sees("The model wants to run: touch here")
        await person.sees("tool> run_command failed .* doesn't want this command to run")
        assert not (tmp_path / "here").exists()


async def test_interrupting_stops_a_command(tmp_path: Path) -> None:
    """In real time, as commands are."""
    async with client(tools={"run-command": True}, workspace=tmp_path) as (person, _):
        person.answers.append(True)
        person.will_type('!call run_command {"argv": ["sleep", "31.41"]}')
        await person.sees("tool> run_command\\(")
        person.will_type("/interrupt")
        await person.sees("tool> run_command failed .* The person stopped this")


async def test_saving_the_conversation(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with client(sleep_after=90) as (person, _):
        await person.types("My name is Ada.")
        await person.sees("the connection sleeps")
        await person.types("What is my name?")
        await person.types(f"/save {tmp_path / 'talk of us.md'}")
        await person.sees("Saved 4 utterances to .*talk of us.md")
        text = (tmp_path / "talk of us.md").read_text()
        assert text.index("**User:** My name is Ada.") < text.index("**Model:** Your name is Ada.")
        await person.types(f"/save {tmp_path / 'talk.json'}")
        await person.sees("Saved 4 utterances to .*talk.json")
        entries = json.loads((tmp_path / "talk.json").read_text())
        assert [entry["index"] for entry in entries] == [0, 1, 2, 3]
        assert [entry["turn"] for entry in entries] == [1, 1, 2, 2]
        person.answers.append(False)
        await person.types(f"/save {tmp_path / 'talk.json'}")
        await person.sees("talk.json stays as it was")
        await person.types(f"/save {tmp_path / 'voice.wav'}")
        await person.sees(r"Saved \d+\.\d s of the model's voice")


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of POSIX")
@pytest.mark.parametrize("name", ["talk.md", "voice.wav"])
async def test_what_cannot_be_saved_leaves_what_was_there(
    name: str, autojump_clock: MockClock, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text("From yesterday.")
    async with client() as (person, _):
        await person.types("Hello!")
        person.answers += [True, True]
        with most_bytes(20):
            await person.types(f"/save {path}")
            await person.sees(f"^error> Can't write {path}: File too large.$")
        assert path.read_text() == "From yesterday."
        assert entries(tmp_path) == [name]
        path.chmod(0o640)
        await person.types(f"/save {path}")
        await person.sees("^note> Saved")
        assert path.stat().st_size > 20
        assert path.stat().st_mode & 0o777 == 0o640
        assert entries(tmp_path) == [name]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
async def test_a_read_only_file_is_not_replaced(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "talk.md"
    path.write_text("From yesterday.")
    path.chmod(0o444)
    async with client() as (person, _):
        await person.types("Hello!")
        person.answers.append(True)
        await person.types(f"/save {path}")
        await person.sees(f"^error> Can't write {path}: Permission denied")
        assert path.read_text() == "From yesterday."
        assert entries(tmp_path) == ["talk.md"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs links of POSIX")
async def test_saving_through_a_link(autojump_clock: MockClock, tmp_path: Path) -> None:
    (tmp_path / "link.md").symlink_to("real.md")
    async with client() as (person, _):
        await person.types("Hello!")
        await person.types(f"/save {tmp_path / 'link.md'}")
        await person.sees("^note> Saved 2 utterances")
        assert (tmp_path / "link.md").is_symlink()
        assert "Hello!" in (tmp_path / "real.md").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
@pytest.mark.parametrize("typed", ["/save pipe.md", "/save pipe.wav", "/record pipe.wav"])
async def test_nothing_is_saved_to_a_pipe(
    typed: str, autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = typed.split()[1]
    os.mkfifo(name)
    async with client() as (person, _):
        await person.types("Hello!")
        person.will_type(typed)
        assert await person.sees("^error> ") == (
            f"error> {name} is no ordinary file; name another one."
        )


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/save talk.txt", "writes .md, .json and .wav"),
        ("/save nowhere/talk.md", "There is no folder nowhere"),
        ("/save .", "ends in nothing"),
        ("/record talk.mp3", "writes WAV"),
        ("/record stop", "Nothing is recorded"),
        ("/record", "Nothing is recorded"),
    ],
)
async def test_what_cannot_be_saved(typed: str, said: str, autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        await person.types("Hello!")
        await person.types(typed)
        await person.sees(said)


async def test_of_nothing_there_is_nothing_to_save(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with client() as (person, _):
        await person.types(f"/save {tmp_path / 'talk.md'}")
        await person.sees("Nothing was said yet")
        assert await person.types("/interrupt") == ["note> The model isn't speaking."]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_ends_no_conversation(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    path.symlink_to("/dev/full")
    went_on = False
    refused = pytest.RaisesExc(MediaError, match="Can't write .*voice.wav: No space left")
    with pytest.RaisesGroup(refused, flatten_subgroups=True, allow_unwrapped=True):
        async with client(save_audio=path) as (person, _):
            await person.types("Tell me a story")
            await person.sees("^error> Can't write .*voice.wav: No space left on device. Nothing")
            await person.types("2 plus 2")
            await person.sees("^model> .*makes 4")
            assert sum(line.startswith("error>") for line in person.lines) == 1
            went_on = True
    assert went_on


async def test_what_is_recorded_stands_still_while_the_program_does(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with client(sleep_after=0.0) as (person, _):
        began = trio.current_time()
        await person.types(f"/record {tmp_path / 'both.wav'}")
        await person.sees("Recording both voices")
        await person.types("Hello!")
        autojump_clock.jump(600)  # Ctrl-Z, and after a while fg
        await person.types("Hello again!")
        await person.types("/record stop")
        recorded = await person.sees("^note> Recorded")
        seconds = re.search(r"Recorded ([\d.,]+) s", recorded)
        assert seconds is not None
        passed = trio.current_time() - began
        assert 10 < float(seconds[1].replace(",", "")) < passed - 590


async def test_what_comes_of_an_interrupted_answer_is_not_recorded(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    def sound(level: int, **more: Any) -> wire.LiveServerMessage:
        pcm = np.full(2_400, level, "<i2").tobytes()
        blob = wire.Blob(data=pcm, mime_type="audio/pcm;rate=24000")
        said = wire.Content(parts=[wire.Part(inline_data=blob)])
        return wire.LiveServerMessage(
            server_content=wire.LiveServerContent(model_turn=said, **more)
        )

    def levels(name: str) -> list[int]:
        with wave.open(str(tmp_path / name)) as file:
            return [*np.unique(np.frombuffer(file.readframes(file.getnframes()), "<i2"))]

    # While a thread opens the file, a virtual clock runs on, and an idle session would sleep.
    kept = tmp_path / "model.wav"
    async with client(mind=None, sleep_after=0.0, save_audio=kept) as (person, simulator):
        server = await simulator.accept()
        await person.types(f"/record {tmp_path / 'both.wav'}")
        await person.sees("Recording both voices")
        await server.send(sound(1_000))
        await settled()
        await server.send(sound(2_000, interrupted=True))
        await server.send(sound(3_000))  # late, and played by nobody
        await settled()
        await person.types("/record stop")
        await person.sees("^note> Recorded")
        await person.types(f"/save {tmp_path / 'voice.wav'}")
        await person.sees("^note> Saved")
    assert levels("both.wav") == [0, 1_000]
    assert levels("voice.wav") == levels("model.wav") == [1_000]


async def test_recording_both_voices(tmp_path: Path) -> None:
    path = tmp_path / "both.wav"
    async with client(pace=0.2) as (person, _):
        person.will_type(f"/record {path}")
        await person.sees("Recording both voices")
        person.will_type(f"@{SPEECH}")
        await person.sees("but I was listening")
        assert re.search(r"rec \d+:\d\d", person.bar)
        person.will_type("/record stop")
        await person.sees("Recorded")
    with wave.open(str(path)) as file:
        assert file.getframerate() == 24_000
        sound = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
    with wave.open(str(SPEECH)) as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(float)
        count = round(len(raw) * 24_000 / file.getframerate())
    said = np.interp(np.linspace(0, len(raw) - 1, count), np.arange(len(raw)), raw)
    found = np.fft.irfft(
        np.fft.rfft(sound, 2 * len(sound)) * np.conj(np.fft.rfft(said, 2 * len(sound)))
    )
    at = int(np.argmax(found[: len(sound)]))
    there = sound[at : at + len(said)]
    # The user is there in one piece, and the model comes after that.
    assert found[at] > 0.9 * np.linalg.norm(said[: len(there)]) * np.linalg.norm(there)
    assert np.abs(sound[at + len(said) :]).max() > 300


def test_a_tape_joins_blocks_that_come_unevenly() -> None:
    tape = Tape()
    block = np.full(480, 100, "<i2").tobytes()
    for number in range(50):
        tape.user(block, rate_hz=24_000, at=0.02 * number + (0.03 if number % 3 else 0.0))
    sound = np.frombuffer(tape.take(1.0), "<i2")
    assert sound.all()


def test_a_tape_has_both_voices_where_they_were_heard() -> None:
    tape = Tape()
    second = np.full(24_000, 100, "<i2").tobytes()
    tape.user(second, rate_hz=24_000, at=0.5)
    tape.model(second + second, rate_hz=24_000, at=1.0)
    tape.interrupted(2.0)
    sound = np.frombuffer(tape.take(4.0), "<i2")
    assert [sound[round(at * 24_000)] for at in (0.4, 0.6, 1.2, 1.6, 2.1)] == [0, 100, 200, 100, 0]
    assert len(sound) == 4 * 24_000
    tape.model(second, rate_hz=24_000, at=1.0)
    assert np.frombuffer(tape.take(5.0), "<i2").all()


def test_a_tape_is_bounded_and_counts_what_it_drops() -> None:
    tape = Tape()
    tape.model(bytes(2 * 24_000 * 601), rate_hz=24_000, at=0.0)
    assert tape.dropped_seconds == 1.0


def test_a_tape_takes_any_rate_and_never_wraps_round() -> None:
    tape = Tape()
    loud = np.full(16_000, 30_000, "<i2").tobytes()
    tape.user(loud, rate_hz=16_000, at=0.0)
    tape.model(np.full(24_000, 30_000, "<i2").tobytes(), rate_hz=24_000, at=0.0)
    assert np.frombuffer(tape.take(1.0), "<i2")[12_000] == 32_767


async def test_every_form_of_every_command_has_somebody_who_carries_it_out(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, _):
        forms = {
            " ".join([command.name, *form.keywords])
            for command in COMMANDS
            for form in command.forms
        }
        assert forms == {*person.client._actions}


async def test_a_file_that_cannot_be_used_stops_the_whole_line(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("some words")
    async with client() as (person, _):
        person.will_type(f"look @{SPEECH} and @{note}")
        await person.sees(r"^error> .*note\.txt is .* Nothing of this line was sent\.")
        assert not any("Sent" in line or "[" in line for line in person.lines)
        person.will_type("repeat after me: still here")
        await person.sees("^model> .*still here")
