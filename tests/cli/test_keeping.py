"""Nothing is lost, doubled or held up while sessions come and go under the terminal client."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path

import pytest
import trio
from cli.client import client, patiently, settled
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import ReconnectPolicy, SessionObserver
from gemini_live_trio.simulator import Simulator


def silence(path: Path, seconds: float) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(round(seconds * 16_000) * 2))
    return path


def said_to(server: Simulator) -> list[str]:
    """What the server was sent, in order: words as they are, each run of sound as one."""
    told: list[str] = []
    for frame in server.received:
        sent = frame.message.realtime_input if frame.message else None
        if sent is None:
            continue
        if sent.audio is not None:
            if told[-1:] != ["sound"]:
                told.append("sound")
        elif sent.video is not None:
            told.append("picture")
        elif sent.text is not None:
            told.append(sent.text)
        elif sent.audio_stream_end:
            told.append("pause")
    return told


# --- Leaving ------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["/quit", "Ctrl-D"])
@pytest.mark.parametrize("meanwhile", ["/apply waits", "reconnecting", "no answer to the setup"])
async def test_leaving_waits_for_nothing(
    way: str, meanwhile: str, autojump_clock: MockClock
) -> None:
    unsaid = {
        "/apply waits": ["said meanwhile", "//said after that"],
        "reconnecting": ["said meanwhile"],
        "no answer to the setup": ["said to nobody", "nor that"],
    }[meanwhile]
    async with client(pace=1.0) as (person, _):
        match meanwhile:
            case "/apply waits":
                person.will_type("Tell me a story")
                await person.sees("Once upon")
                person.will_type("/system set Be brief.")
                person.will_type("/apply")
                person.will_type("said meanwhile")
                person.will_type("/voice Puck")
                person.will_type("//said after that")
                await wait_all_tasks_blocked()
            case "reconnecting":
                await person.types("!accept off")
                person.will_type("!drop")
                await person.sees("Dialling again")
                person.will_type("said meanwhile")
            case _:
                await person.types("!ignore-setup 9")
                await person.loses_the_session()
                person.will_type("said to nobody")
                person.will_type("nor that")
                await wait_all_tasks_blocked()
        began = trio.current_time()
        if way == "/quit":
            person.will_type("/quit")
        else:
            person.leaves()
        await person.gone.wait()
        assert trio.current_time() - began <= 1.5
        told = [line for line in person.lines if "not said any more" in line]
        assert told == [f"note> This was not said any more: {line}" for line in unsaid]


async def test_only_what_was_not_said_is_told_at_the_end(autojump_clock: MockClock) -> None:
    async with client(pace=1.0) as (person, _):
        person.will_type("Tell me a story")
        await person.sees("Once upon")
        person.leaves()
        await person.gone.wait()
        assert not any("not said" in line for line in person.lines)
    async with client() as (person, _):
        await person.types("!ignore-setup 9")
        await person.loses_the_session()
        for number in range(15):
            person.will_type(f"number {number}")
        await wait_all_tasks_blocked()
        person.leaves()
        await person.gone.wait()
        told = [line for line in person.lines if "not said any more" in line]
        assert told == [f"note> This was not said any more: number {n}" for n in range(10)]
        assert person.lines[-1] == "note> Nor were 5 lines after those."


async def test_what_is_asked_about_the_state_needs_no_connection(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, _):
        await person.types("!ignore-setup 9")
        await person.loses_the_session()
        person.will_type("said to nobody")
        await wait_all_tasks_blocked()
        person.will_type("/status")
        await wait_all_tasks_blocked()
        assert any(line.startswith("note> connection") for line in person.lines)
        assert "connecting" in person.bar
        await person.presses_ctrl_c()
        await person.sees("Given up")


# --- Settings -----------------------------------------------------------------------------------


async def test_settings_given_up_while_they_wait_are_not_in_force_later(
    autojump_clock: MockClock,
) -> None:
    async with client(pace=1.0, sleep_after=30.0) as (person, server):
        person.will_type("Tell me a story")
        await person.sees("Once upon")
        person.will_type("/system set Be brief.")
        person.will_type("/apply")
        await wait_all_tasks_blocked()
        await person.presses_ctrl_c()
        await person.sees("Given up")
        await person.sees("the connection sleeps")
        await person.types("Hello!")
        assert len(server.connections) == 1
        assert server.connections[-1].setup.system_instruction is None
        assert "/apply" in person.bar


@pytest.mark.parametrize("after", [0.01, 0.5, 2.0, 4.5, 5.0, 6.0])
async def test_whenever_settings_are_given_up_what_is_shown_is_in_force(
    after: float, autojump_clock: MockClock
) -> None:
    async with client() as (person, server):
        await person.types("My name is Ada.")
        await person.types("/system set Be brief.")
        await person.types("!delay-setup 5")
        person.will_type("/apply")
        await trio.sleep(after)
        await person.presses_ctrl_c()
        await settled()
        assert "model> Your name is Ada." in await person.types("What is my name?")
        given_up = "/apply to change" in person.bar
        assert (server.connections[-1].setup.system_instruction is None) is given_up
        assert after == 5.0 or given_up is (after < 5)  # then it is a tie


async def test_what_the_model_will_not_have_is_not_said_to_be_in_force(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, server):
        await person.types("/model gemini-3.1-flash-live-preview")
        shown = await person.types("/apply")
        assert any("won't have timer" in line for line in shown)
        declared = server.connections[-1].setup.tools[0].function_declarations
        names = [declaration.name for declaration in declared]
        assert "current_time" in names
        assert "set_timer" not in names
        (row, *_) = await person.types("/tools")
        assert row.startswith("note> In force: clock")
        assert "timer" not in row
        rows = "\n".join(await person.types("/tools list"))
        assert "timer" in rows
        assert "left out" in next(row for row in rows.splitlines() if "timers" in row)
        (row,) = [line for line in await person.types("/status") if line.startswith("note> tools")]
        assert "timer" not in row


# --- Sleep --------------------------------------------------------------------------------------


def test_a_recording_keeps_the_session_awake(tmp_path: Path) -> None:
    path = silence(tmp_path / "long.wav", 4.0)

    async def check() -> None:
        async with client(sleep_after=1.0, mind=None) as (person, server):
            person.will_type(f"@{path}")
            await person.sees("Sent .*long.wav: sound, 4.0 s")
            await settled()
            seconds = sum(
                len(sent.audio.data or b"") / 2 / 16_000
                for frame in server.received
                if frame.message and (sent := frame.message.realtime_input) and sent.audio
            )
            assert seconds == pytest.approx(4.0)

    patiently(check)


async def test_a_running_tool_keeps_the_session_awake(autojump_clock: MockClock) -> None:
    async with client(sleep_after=20.0) as (person, server):
        await person.types('!call set_timer {"minutes": 2}')
        await trio.sleep(110)
        assert not any("sleeps" in line for line in person.lines)
        await trio.sleep(20)
        answers = [
            frame.message.tool_response
            for frame in server.received
            if frame.message and frame.message.tool_response
        ]
        assert "has gone off" in str(answers[-1])
        await person.sees("the connection sleeps")


async def test_what_is_never_answered_does_not_keep_the_session_awake_for_ever(
    autojump_clock: MockClock,
) -> None:
    async with client(mind=None, sleep_after=20.0) as (person, _):
        await person.types("Is anybody there?")
        began = trio.current_time()
        with trio.move_on_after(3_600):
            await person.sees("the connection sleeps")
        assert 280 < trio.current_time() - began < 340


# --- What is said -------------------------------------------------------------------------------


async def test_what_was_said_to_a_connection_that_never_came_back_is_said_to_the_next(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, server):
        await person.types("!accept off")
        person.will_type("!drop")
        await person.sees("Dialling again")
        person.will_type("My name is Ada.")
        await person.sees("The next input opens another connection")
        assert any("will be said before the next input: My name is Ada." in x for x in person.lines)
        server.accepting = True
        shown = await person.types("What is my name?")
        assert "model> Your name is Ada." in shown
        assert said_to(server).count("My name is Ada.") == 1


async def test_what_woke_nobody_is_said_once_somebody_wakes(autojump_clock: MockClock) -> None:
    async with client() as (person, server):
        await person.types("!accept off")
        await person.loses_the_session()
        for said in ("My name is Ada.", "Hello!"):
            person.will_type(said)
            await person.sees(f"^you> {said}")
            await settled()
        server.accepting = True
        shown = await person.types("What is my name?")
        assert "model> Your name is Ada." in shown
        assert said_to(server)[-3:] == ["My name is Ada.", "Hello!", "What is my name?"]


async def test_what_waits_for_a_session_is_told_once_and_bounded(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemini_live_trio.repl._client.MOST_LINES", 3)
    async with client() as (person, _):
        await person.types("!accept off")
        await person.loses_the_session()
        before = len(person.lines)
        for number in range(5):
            await person.types(f"number {number}")
        told = [line for line in person.lines[before:] if "number" in line and "you>" not in line]
        assert told == [
            *(f"note> This will be said before the next input: number {n}" for n in range(3)),
            *(f"error> 3 lines wait already; not kept: number {n}" for n in (3, 4)),
        ]


async def test_what_is_to_be_said_first_outlives_what_is_given_up(
    autojump_clock: MockClock,
) -> None:
    async with client() as (person, server):
        await person.types("!accept off")
        await person.loses_the_session()
        person.will_type("My name is Ada.")
        await person.sees("will be said before the next input: My name is Ada.")
        server.accepting = True
        server.ignore_next_setup()
        person.will_type("Never mind.")
        await wait_all_tasks_blocked()
        await person.presses_ctrl_c()
        await person.sees("Given up")
        await person.types("What is my name?")
        assert said_to(server)[-2:] == ["My name is Ada.", "What is my name?"]


def test_pictures_and_words_keep_their_order(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs the extra screen")
    buffer = io.BytesIO()
    image.new("RGB", (64, 48), "navy").save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue())

    async def check() -> None:
        async with client() as (person, server):
            person.will_type(f"@{tmp_path / 'a.png'}")
            person.will_type("What is that?")
            await person.sees("^model> ")
            assert said_to(server) == ["picture", "What is that?"]

    patiently(check)


@pytest.mark.parametrize("back", [True, False], ids=["soon", "only in the next session"])
def test_no_picture_is_lost_while_it_reconnects(back: bool, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs the extra screen")
    names = [tmp_path / name for name in ("a.png", "b.png")]
    for name in names:
        image.new("RGB", (64, 48), "navy").save(name)
    # The clock doesn't see the thread that loads a picture, and hours may pass meanwhile.
    policy = ReconnectPolicy(attempts=10**6, deadline=1e9) if back else None

    async def check() -> None:
        async with client(policy=policy) as (person, server):
            await person.types("!accept off")
            person.will_type("!drop")
            await person.sees("Dialling again")
            already = len(said_to(server))
            person.will_type(f"@{names[0]} @{names[1]} What are these?")
            await person.sees("^you> What are these?")
            if back:
                await person.sees(r"Dialling again .* \(3\)")
            else:
                await person.sees("^error> ")
            assert not any(line.startswith("note> Sent") for line in person.lines)
            server.accepting = True
            if not back:
                person.will_type("Well?")
            await person.sees("^note> Sent .*b.png")
            await person.sees("^model> I see" if back else "Well")
            await settled()
            said = ["picture", "picture", "What are these?", *([] if back else ["Well?"])]
            assert said_to(server)[already:] == said

    patiently(check)


def test_files_that_woke_nobody_are_sent_once_somebody_wakes(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs the extra screen")
    picture = tmp_path / "a.png"
    image.new("RGB", (64, 48), "navy").save(picture)
    sound = silence(tmp_path / "a.wav", 1.0)
    gone = silence(tmp_path / "gone.wav", 1.0)

    async def check() -> None:
        async with client() as (person, server):
            await person.types("!accept off")
            await person.loses_the_session()
            already = len(said_to(server))
            person.will_type(f"@{picture} @{sound} @{gone} What is that?")
            kept = [
                f"note> This will be said before the next input: {part}"
                for part in (f"[{picture}]", f"[{sound}]", f"[{gone}]", "What is that?")
            ]
            await person.sees("^error> ")
            assert person.lines[-5:-1] == kept
            gone.unlink()
            server.accepting = True
            person.will_type("Well?")
            await person.sees(f"^error> There is no file {gone}")
            await settled()
            assert said_to(server)[already:] == ["picture", "sound", "pause"]
            assert person.lines[-2] == kept[3].replace("What is that?", "Well?")
            person.will_type("Hello!")
            await person.sees("^model> Hello!")
            await settled()
            said = ["picture", "sound", "pause", "What is that?", "Well?", "Hello!"]
            assert said_to(server)[already:] == said

    patiently(check)


@pytest.mark.parametrize("back", [True, False], ids=["at once", "only for the next input"])
def test_what_was_dropped_comes_before_what_was_to_follow_it(back: bool, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs the extra screen")
    picture = tmp_path / "a.png"
    image.new("RGB", (64, 48), "navy").save(picture)

    async def check() -> None:
        async with client() as (person, server):

            class Returns(SessionObserver):
                def ended(self, failure: Exception | None, *, time: float) -> None:
                    server.accepting = back

            session = person.client._keeper.session
            assert session is not None
            with session.observe(Returns()):
                await person.types("!accept off")
                person.will_type("!drop")
                await person.sees("Dialling again")
                already = len(said_to(server))
                person.will_type(f"My name is Ada. @{picture} What is that?")
                await person.sees("The next input opens another connection")
            if not back:
                await person.sees("^error> ")
                server.accepting = True
                person.will_type("Well?")
            await person.sees("^note> Sent .*a.png")
            await person.sees("^model> ")
            await settled()
            said = ["My name is Ada.", "picture", "What is that?", *([] if back else ["Well?"])]
            assert said_to(server)[already:] == said

    patiently(check)


def test_what_the_model_does_not_take_holds_up_nothing_that_follows(tmp_path: Path) -> None:
    path = silence(tmp_path / "a.wav", 1.0)

    async def check() -> None:
        async with client() as (person, server):
            await person.types("!accept off")
            await person.loses_the_session()
            person.will_type("said to nobody")
            await person.sees("will be said before the next input: said to nobody")
            await person.types("/model gemini-3.5-transcribe-live")
            await person.types("/apply")
            server.accepting = True
            already = len(said_to(server))
            person.will_type(f"@{path}")
            await person.sees("^error> .* text can't be sent to it")
            await settled()
            person.will_type(f"@{path}")
            await person.sees("^note> Sent .*a.wav")
            await settled()
            assert said_to(server)[already:] == ["sound", "pause", "sound", "pause"]

    patiently(check)


def test_a_recording_that_waits_for_another_is_told_to_who_leaves(tmp_path: Path) -> None:
    first, second = (silence(tmp_path / name, 60.0) for name in ("a.wav", "b.wav"))

    async def check() -> None:
        async with client(mind=None) as (person, _):
            person.will_type(f"@{first}")
            person.will_type(f"@{second} What was that?")
            await trio.sleep(5)
            person.leaves()
            await person.gone.wait()
            assert person.lines[-2:] == [
                f"note> This was not said any more: [{second}]",
                "note> This was not said any more: What was that?",
            ]

    patiently(check)


def test_what_is_to_be_said_first_may_change_while_it_is_looked_at(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="needs the extra screen")
    kept = tmp_path / "a.png"
    image.new("RGB", (64, 48), "navy").save(kept)

    async def check() -> None:
        async with client() as (person, server):
            await person.types("!accept off")
            await person.loses_the_session()
            person.will_type(f"@{kept}")
            await person.sees("will be said before the next input: .*a.png")
            await settled()
            limiter = trio.to_thread.current_default_thread_limiter()
            limiter.total_tokens, before = 1, limiter.total_tokens
            async with limiter:  # the disk is slow
                person.will_type("Well?")
                await settled()
                person.client._unsent.append("Hello?")
            limiter.total_tokens = before
            server.accepting = True
            already = len(said_to(server))
            await person.sees("^note> Sent .*a.png")
            await person.sees("^model> ")
            await settled()
            assert said_to(server)[already:] == ["picture", "Hello?", "Well?"]

    patiently(check)


def test_lines_with_recordings_are_said_one_after_the_other(tmp_path: Path) -> None:
    path = silence(tmp_path / "a.wav", 1.0)

    async def check() -> None:
        async with client(mind=None) as (person, server):
            person.will_type(f"@{path} one")
            person.will_type(f"@{path} two")
            await trio.sleep(5)
            assert said_to(server) == ["sound", "pause", "one", "sound", "pause", "two"]

    patiently(check)


def test_ctrl_c_ends_a_recording(tmp_path: Path) -> None:
    path = silence(tmp_path / "long.wav", 60.0)

    async def check() -> None:
        async with client(mind=None) as (person, server):
            person.will_type(f"@{path} and more")
            await trio.sleep(3)
            assert person.speaking
            await person.presses_ctrl_c()
            await person.sees("Given up")
            await settled()
            assert said_to(server) == ["sound", "pause"]
            assert not person.speaking

    patiently(check)


async def test_a_huge_paste_is_said_whole_and_shown_in_part(autojump_clock: MockClock) -> None:
    async with client(mind=None) as (person, server):
        text = "word " * 20_000 + "end"
        (shown,) = await person.types(text)
        assert shown.startswith("you> word word")
        assert len(shown) < 3_000
        assert "100,003 characters" in shown
        assert said_to(server) == [text]


async def test_ctrl_c_is_meant_for_what_was_just_begun(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        await person.types("!ignore-setup 9")
        await person.loses_the_session()
        await settled()
        person.will_type("said to nobody")
        await trio.sleep(0.01)
        assert person.speaking
        await person.presses_ctrl_c()


# --- Files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["x" * 300 + ".md", "a\0b.md", "x" * 300 + "/talk.md", "a\0b.wav", "a\0/b.json"],
)
async def test_a_path_that_cannot_be_is_told(name: str, autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        await person.types("Hello!")
        person.will_type(f"/save {name}")
        await person.sees("^error> ")
        await person.types("/usage")


async def test_what_was_said_is_kept_within_a_bound(
    autojump_clock: MockClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemini_live_trio.repl._keeper.MOST_ENTRIES", 3)
    async with client(sleep_after=90) as (person, _):
        for number in (1, 2):
            await person.types(f"repeat after me: number {number}")
            await trio.sleep(120)
        await person.types("repeat after me: number 3")
        await person.types(f"/save {tmp_path / 'talk.json'}")
        await person.sees("Saved 5 utterances .* The 1 before those are no longer kept")
    entries = json.loads((tmp_path / "talk.json").read_text())
    assert [entry["index"] for entry in entries] == [1, 2, 3, 4, 5]
    assert [entry["turn"] for entry in entries] == [1, 2, 2, 3, 3]
