"""Devices that go away while they are used: their sound server is killed, or hangs."""

import functools
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from devices.rig import Rig
from devices.sounds import needs_sound

pytestmark = needs_sound

PROGRAM = Path(__file__).with_name("vanishing.py")
PATIENCE = 30


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as own:
        yield own


class Running:
    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._text = ""

    async def line(self) -> str:
        assert self.process.stdout is not None
        with trio.fail_after(PATIENCE):
            while "\n" not in self._text:
                some = await self.process.stdout.receive_some()
                assert some, f"it ended after {self._text!r}"
                self._text += bytes(some).decode()
        line, _, self._text = self._text.partition("\n")
        return line


@asynccontextmanager
async def running(rig: Rig, *arguments: str) -> AsyncIterator[Running]:
    async with trio.open_nursery() as nursery:
        start = functools.partial(
            trio.run_process,
            [sys.executable, str(PROGRAM), *arguments],
            env=rig.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            check=False,
        )
        process = await nursery.start(start)
        yield Running(process)
        nursery.cancel_scope.cancel()


async def test_a_microphone_that_vanishes_ends_in_silence_and_comes_back(rig: Rig) -> None:
    async with running(rig, "listen") as program:
        assert await program.line() == "MicrophoneBlock"
        rig.pulse.kill()
        kind, silence = (await program.line()).split()
        assert kind == "MicrophonePaused"
        assert int(silence) / 16_000 >= 0.5
        assert (await program.line()).startswith("DeviceLost")
        await trio.to_thread.run_sync(rig.start_pulse)
        assert (await program.line()).startswith("DeviceRestored")
        assert await program.line() == "MicrophoneBlock"


async def test_a_microphone_whose_server_hangs_is_lost_too(rig: Rig) -> None:
    async with running(rig, "listen") as program:
        assert await program.line() == "MicrophoneBlock"
        rig.pulse.send_signal(signal.SIGSTOP)
        try:
            assert (await program.line()).startswith("MicrophonePaused")
            assert (await program.line()).startswith("DeviceLost")
        finally:
            rig.pulse.send_signal(signal.SIGCONT)
        assert (await program.line()).startswith("DeviceRestored")
        assert await program.line() == "MicrophoneBlock"


async def test_a_voice_goes_on_where_it_was_when_its_speaker_comes_back(rig: Rig) -> None:
    async with running(rig, "speak") as program:
        assert await program.line() == "speaking"
        rig.pulse.kill()
        assert await program.line() == "DeviceLost"
        await trio.to_thread.run_sync(rig.start_pulse)
        assert await program.line() == "DeviceRestored"
        word, seconds, restored = (await program.line()).split()
        # What the device had in hand when it went is the only thing that nobody heard.
        assert (word, restored) == ("heard", "1")
        assert 3.8 <= float(seconds) <= 4.0


async def test_the_terminal_tells_of_devices_that_go_and_come(rig: Rig) -> None:
    async with running(rig, "terminal") as program:

        async def seen(*words: str) -> None:
            """Each in a line, in any order."""
            waited = set(words)
            while waited:
                line = await program.line()
                waited -= {word for word in waited if word in line}

        await seen("The model is heard on", "The microphone is on")
        rig.pulse.kill()
        await seen("was lost: ", "mic lost", "spk lost")
        await trio.to_thread.run_sync(rig.start_pulse)
        await seen("The microphone works again", "The speaker works again")


async def test_a_server_that_hangs_keeps_nobody_from_leaving(rig: Rig) -> None:
    async with running(rig, "leave") as program:
        assert await program.line() == "open"
        rig.pulse.send_signal(signal.SIGSTOP)
        try:
            assert program.process.stdin is not None
            await program.process.stdin.send_all(b"\n")
            assert await program.line() == "closed True"
        finally:
            rig.pulse.send_signal(signal.SIGCONT)


async def test_without_a_sound_server_each_device_is_missing_by_one_sentence(rig: Rig) -> None:
    rig.pulse.kill()
    rig.pulse.wait()
    async with running(rig, "look") as program:
        assert await program.line() == ""
        assert await program.line() == (
            "MediaError There is no microphone: the system lists no device for input."
        )
        assert await program.line() == (
            "MediaError There is no speaker: the system lists no device for output."
        )


def test_each_rig_is_a_world_of_its_own(rig: Rig) -> None:
    assert rig.environment["PULSE_SERVER"] != os.environ["PULSE_SERVER"]
