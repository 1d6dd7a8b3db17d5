"""Microphone and speaker in the client, with a stand-in for the hardware.

Devices are opened in threads, so these tests run in real time: nothing in them waits for a clock.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
import trio
from cli.client import Person, client, until
from media.portaudio import Card, FakeSounddevice, Stream
from trio.testing import MockClock

from gemini_live_trio.errors import ToolError
from gemini_live_trio.repl._desktop import desktop_groups
from gemini_live_trio.repl._ears import meter
from gemini_live_trio.repl._sharing import Sharing
from gemini_live_trio.repl._sound import Sound
from gemini_live_trio.simulator import Simulator, open_simulator

HEADSET = "USB Headset"
TONE = (np.sin(np.arange(320) / 5) * 12_000).astype("<i2").tobytes()
"""A block of the microphone."""


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> FakeSounddevice:
    """A machine with two microphones and two speakers."""
    fake = FakeSounddevice(
        Card("Webcam", inputs=1),
        Card(HEADSET, inputs=1, outputs=1),
        Card("Monitor", outputs=2),
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@asynccontextmanager
async def talking(**options: Any) -> AsyncIterator[tuple[Person, Simulator]]:
    """A client in real time, with a limit for what never comes."""
    with trio.fail_after(30):
        async with client(**options) as pair:
            yield pair


def audio_of(server: Simulator, connection: int = 1) -> list[bytes]:
    """What the service got of the microphone, block by block; an empty one for its pause."""
    heard = []
    for frame in server.received:
        message = frame.message
        sent = message and message.realtime_input
        if not sent or frame.connection != connection:
            continue
        if sent.audio is not None:
            heard.append(sent.audio.data or b"")
        if sent.audio_stream_end:
            heard.append(b"")
    return heard


def recorder(cards: FakeSounddevice) -> Stream:
    return next(each for each in cards.streams if each.open and each.card.name == "Webcam")


def player(cards: FakeSounddevice) -> Stream:
    return next(each for each in cards.streams if each.open and each.card.outputs)


async def hear_voice(stream: Stream) -> np.ndarray[Any, Any]:
    """Let the speaker play until something is to be heard, and return that block."""
    while True:
        samples = np.frombuffer(stream.take(), "<i2")
        if np.any(samples):
            return samples
        await trio.sleep(0.005)


# --- The microphone -------------------------------------------------------------------------


async def test_the_microphone_is_heard_while_it_is_on(cards: FakeSounddevice) -> None:
    async with talking() as (person, server):
        person.will_type("/mic on")
        await person.sees("note> The microphone is on: Webcam.")
        await person.sees("/speak lets you hear")
        recorder(cards).give(TONE)
        await until(lambda: audio_of(server))
        assert audio_of(server) == [TONE]
        await person.sees_in_bar("mic ▁▂▃▅")
        person.will_type("/mic off")
        await person.sees("The microphone is off")
        await until(lambda: audio_of(server)[-1] == b"")
        assert not any(stream.open for stream in cards.streams)
        await person.sees_in_bar("^(?!.*mic)")


async def test_the_microphone_asked_for_at_the_start_comes_on_though_something_is_typed_before(
    cards: FakeSounddevice,
) -> None:
    async with open_simulator(port=None, mind="rules", pace=0.0) as server:
        server.delay_next_setup(0.5)
        async with talking(simulator=server, ahead=["/speak"], microphone=True) as (person, _):
            await person.sees("note> The model is heard on USB Headset.")
            await person.sees("note> The microphone is on: Webcam.")


async def test_a_muted_microphone_sends_silence_and_then_says_that_it_pauses(
    cards: FakeSounddevice,
) -> None:
    async with talking() as (person, server):
        person.will_type("/mute")
        await person.sees("nothing to mute")
        person.will_type("/mic")
        await person.sees("The microphone is on")
        recorder(cards).give(TONE)
        await until(lambda: audio_of(server))
        person.will_type("/mute")
        await person.sees("is muted")
        await person.sees_in_bar("mic muted")
        for _ in range(30):
            recorder(cards).give(TONE)
        await until(lambda: audio_of(server)[-1] == b"")
        assert audio_of(server)[1:-1] == [bytes(640)] * 25
        person.will_type("/mute off")
        await person.sees("heard again")
        recorder(cards).give(TONE)
        await until(lambda: audio_of(server)[-1] == TONE)


async def test_the_microphone_goes_on_with_the_next_session(cards: FakeSounddevice) -> None:
    async with talking() as (person, server):
        person.will_type("/mic on")
        await person.sees("The microphone is on")
        person.will_type("/system set Be brief.")
        person.will_type("/apply")
        await person.sees("In force")
        newest = server.connections[-1].number
        assert newest > 1
        stream = recorder(cards)
        await until(lambda: stream.give(TONE) or audio_of(server, newest))
        assert audio_of(server, newest)[-1] == TONE
        assert len(cards.streams) == 1


async def test_the_microphone_wakes_the_session_and_holds_it_awake(
    autojump_clock: MockClock,
) -> None:
    async with client(sleep_after=90.0) as (person, server):
        await person.sees("the connection sleeps")
        # No device is opened on a virtual clock: what fails here comes first.
        await server.aclose()
        person.will_type("/mic on")
        await person.sees("^error> ")
        await trio.sleep(1000)
        assert [line for line in person.lines if line.startswith("error>")] == person.lines[-1:]
        assert "mic" not in person.bar


async def test_a_session_that_breaks_at_once_switches_the_microphone_off(
    cards: FakeSounddevice,
) -> None:
    async with talking() as (person, server):
        person.will_type("/mic on")
        await person.sees("The microphone is on")
        await server.connections[0].close(1007, "API key not valid. Please pass a valid API key.")
        await person.sees("^error> The microphone was switched off: .*API key not valid")
        await until(lambda: not any(stream.open for stream in cards.streams))
        assert len(server.setups) == 1
        person.will_type("/mic on")
        await until(lambda: person.lines.count("note> The microphone is on: Webcam.") == 2)


async def test_a_device_that_goes_and_comes_is_told_of(cards: FakeSounddevice) -> None:
    async with talking() as (person, server):
        person.will_type("/mic on")
        await person.sees("The microphone is on")
        recorder(cards).close()
        await person.sees("note> The microphone 'Webcam' was lost: the system ended its stream.")
        await person.sees("note> The microphone works again after 0 s: Webcam.")
        await until(lambda: any(stream.open for stream in cards.streams))
        stream = recorder(cards)
        await until(lambda: stream.give(TONE) or TONE in audio_of(server))


async def test_what_was_lost_is_counted(cards: FakeSounddevice) -> None:
    async with talking() as (person, _):
        person.will_type("/mic on")
        await person.sees("The microphone is on")
        recorder(cards).give(TONE)
        recorder(cards).give(TONE, overflow=True)
        await person.sees_in_bar(r"mic .*\(1 block lost\)")
        person.will_type("/status")
        await person.sees("microphone +on, Webcam; 1 block lost")


# --- The speaker ----------------------------------------------------------------------------


async def test_the_models_voice_is_played_and_falls_silent_at_ctrl_c(
    cards: FakeSounddevice,
) -> None:
    async with talking() as (person, _):
        person.will_type("/speak on")
        await person.sees(f"note> The model is heard on {HEADSET}.")
        person.will_type("Count to 30.")
        stream = player(cards)
        await hear_voice(stream)
        await person.sees_in_bar("spk ▁")
        person.interrupts()
        speaker = person.part(Sound).speaker
        assert speaker is not None
        await until(lambda: speaker.statistics().waiting_seconds == 0)
        stream.take()  # fades
        assert not any(stream.take())
        person.will_type("Spell cat.")
        await hear_voice(stream)


async def test_the_voice_of_the_next_session_is_played_too(cards: FakeSounddevice) -> None:
    async with talking(pace=0.05) as (person, _):
        person.will_type("/speak on")
        await person.sees("The model is heard")
        person.will_type("Count to 30.")
        await hear_voice(player(cards))
        person.part(Sound).silence()
        person.will_type("/voice puck")
        person.will_type("/apply")
        await person.sees("In force")
        person.will_type("Spell cat.")
        await person.sees("model> C, A, T.")
        await hear_voice(player(cards))


async def test_the_echo_is_taken_out_while_both_are_on(cards: FakeSounddevice) -> None:
    async with talking(microphone=True, speaker=True, echo="half_duplex") as (person, server):
        await person.sees("The model is heard on")
        await person.sees("The microphone is on")
        await person.sees("can't be interrupted by voice")
        person.will_type("/status")
        await person.sees("echo +half_duplex")
        person.will_type("Count to 30.")
        await person.sees("^model> ")
        for number in range(50):
            player(cards).take(at=number / 50)
            recorder(cards).give(TONE, at=number / 50)
            await until(lambda number=number: len(audio_of(server)) > number)
        assert audio_of(server)[-1] == bytes(640)
        person.will_type("/speak off")
        await person.sees("isn't heard any more")
        recorder(cards).give(TONE, at=1.0)
        await until(lambda: len(audio_of(server)) == 51)
        assert audio_of(server)[-1] == TONE


# --- What can't be had ----------------------------------------------------------------------


async def test_a_device_that_does_not_exist_leaves_the_switch_off(cards: FakeSounddevice) -> None:
    async with talking(input_device="USB Hedset", microphone=True) as (person, _):
        line = await person.sees("^error>")
        assert line == f"error> There is no microphone 'USB Hedset'; did you mean '{HEADSET}'?"
        person.will_type("/mic")
        await until(lambda: person.lines.count(line) == 2)
        person.will_type("/status")
        await person.sees("microphone +off")


async def test_a_device_may_be_named_by_its_number(cards: FakeSounddevice) -> None:
    async with talking(input_device="1", output_device="monitor") as (person, _):
        person.will_type("/mic")
        await person.sees(f"The microphone is on: {HEADSET}")
        person.will_type("/speak")
        await person.sees("is heard on Monitor")


async def test_without_the_library_each_command_says_so_in_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    async with talking() as (person, _):
        for number, command in enumerate(("/mic", "/speak", "/devices"), 1):
            person.will_type(command)
            await until(
                lambda number=number: (
                    len([line for line in person.lines if "gemini-live-trio[audio]" in line])
                    == number
                )
            )
        person.will_type("Hello!")
        await person.sees("^model>")


async def test_an_echo_canceller_that_is_not_installed_leaves_the_second_switch_off(
    cards: FakeSounddevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "livekit", None)
    async with talking(echo="webrtc") as (person, _):
        person.will_type("/mic on")
        await person.sees("The microphone is on")
        person.will_type("/speak on")
        await person.sees("^error> .*gemini-live-trio\\[aec\\]")
        person.will_type("/status")
        await person.sees("microphone +on")
        await person.sees("speaker +off")


# --- What there is --------------------------------------------------------------------------


async def test_the_devices_are_listed(cards: FakeSounddevice) -> None:
    async with talking() as (person, _):
        person.will_type("/mic on")
        await person.sees("The microphone is on")
        before = len(person.lines)
        person.will_type("/devices")
        await person.sees("Monitor")
        assert person.lines[before:] == [
            "you> /devices",
            "note> Microphones:",
            "note>    0  Webcam (Fake) [default, in use]",
            f"note>    1  {HEADSET} (Fake)",
            "note> Speakers:",
            f"note>    1  {HEADSET} (Fake) [default]",
            "note>    2  Monitor (Fake)",
        ]


async def test_a_machine_without_devices(
    cards: FakeSounddevice,
) -> None:
    cards.cards.clear()
    async with talking() as (person, _):
        person.will_type("/devices")
        await person.sees("neither a microphone nor a speaker")
        person.will_type("/mic on")
        await person.sees("^error> There is no microphone")


@pytest.mark.parametrize(
    ("level", "encoding", "shown"),
    [
        (-120.0, "utf-8", "     "),
        (-35.0, "utf-8", "▁▂   "),
        (0.0, "utf-8", "▁▂▃▅▇"),
        (-25.0, "ascii", "###.."),
        (-25.0, "cp1252", "###.."),
        (-25.0, None, "###.."),
    ],
)
def test_levels_are_drawn_in_what_the_terminal_can_show(
    level: float, encoding: str | None, shown: str
) -> None:
    assert meter(level, encoding=encoding) == shown


# --- The model at the switches ----------------------------------------------------------------


def tools_of(person: Person) -> dict[str, Any]:
    groups = desktop_groups(lambda: person.part(Sound), lambda: person.part(Sharing), person)
    return {tool.name: tool for _, tools in groups.values() for tool in tools}


async def test_the_model_may_switch_the_microphone_on_where_the_person_allows_it(
    cards: FakeSounddevice,
) -> None:
    async with talking() as (person, _):
        switch = tools_of(person)["desktop_set_microphone"]
        person.answers.append(False)
        with pytest.raises(ToolError, match="The user doesn't allow it"):
            await switch(True)
        assert not cards.streams
        person.answers.append(True)
        state = await switch(True)
        assert state["microphone"] == {"enabled": True, "muted": False, "device": "Webcam"}
        asked = "note> The model wants to switch your microphone on. Allow it? [y/N]"
        assert person.lines.count(asked) == 2
        state = await switch(False)
        assert not state["microphone"]["enabled"]
        await person.sees("note> The microphone is off")


async def test_the_model_may_switch_its_voice_without_asking(cards: FakeSounddevice) -> None:
    async with talking() as (person, _):
        tools = tools_of(person)
        state = await tools["desktop_set_speaker"](True)
        assert state["speaker"] == {"enabled": True, "device": HEADSET}
        assert state == await tools["desktop_get_state"]()


async def test_what_fails_is_told_to_the_model(cards: FakeSounddevice) -> None:
    async with talking(output_device="nowhere") as (person, _):
        with pytest.raises(ToolError, match="There is no speaker 'nowhere'"):
            await tools_of(person)["desktop_set_speaker"](True)


async def test_a_person_who_does_not_answer_allows_nothing(autojump_clock: MockClock) -> None:
    async with client() as (person, _):
        person.hesitates = True
        with pytest.raises(ToolError, match="no answer within 60 s"):
            await tools_of(person)["desktop_set_microphone"](True)
