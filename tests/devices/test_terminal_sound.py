"""The terminal client with real devices: what is said into them, and what comes out of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import trio
from cli.client import Person, client, until
from devices.sounds import (
    again_if_the_machine_stalls,
    heard,
    loud,
    needs_sound,
    play_raw,
    tone,
)
from devices.test_conversation import alike, say
from media.screen.xserver import COLOURS, XServer
from media.screen.xserver import Client as Painter

from gemini_live_trio.events import ModelAudio
from gemini_live_trio.media import open_microphone
from gemini_live_trio.repl._sound import Sound
from gemini_live_trio.simulator import Simulator

pytestmark = needs_sound

QUESTION = "What is the weather in London?"


@asynccontextmanager
async def talking(**options: Any) -> AsyncIterator[tuple[Person, Simulator]]:
    devices = {"input_device": "vmic", "output_device": "vspeaker"}
    with trio.fail_after(60):
        async with client(pace=1.0, **{**devices, **options}) as pair:
            yield pair


def spell_cat(pcm: bytes, rate_hz: int) -> str:
    return "Spell cat."


def heard_by(service: Simulator) -> np.ndarray[Any, Any]:
    """What the service got of the microphone."""
    sent = (frame.message and frame.message.realtime_input for frame in service.received)
    pcm = [each.audio.data or b"" for each in sent if each and each.audio is not None]
    return np.frombuffer(b"".join(pcm), "<i2")


async def collect(person: Person, into: list[bytes]) -> None:
    """Keep the model's voice as the service sent it."""
    session = person.client._keeper.session
    assert session is not None
    async with session.subscribe(kinds=[ModelAudio]) as told:
        async for event in told:
            if isinstance(event, ModelAudio):
                into.append(event.pcm)


@again_if_the_machine_stalls
async def test_what_is_said_into_the_microphone_is_answered() -> None:
    async with talking(hears=spell_cat) as (person, service):
        person.will_type("/mic on")
        await person.sees("The microphone is on: vmic")
        await say(QUESTION)
        await person.sees("^model> C, A, T.")
        begin, end = loud(heard_by(service))
        assert 1.0 < (end - begin) / 16_000 < 3.0
        person.will_type("/status")
        await person.sees("^note> microphone +on, vmic$")


@again_if_the_machine_stalls
async def test_the_answer_is_heard_out_of_the_speaker() -> None:
    async with (
        talking(speaker=True) as (person, _),
        open_microphone("vspeaker_mon", rate_hz=24_000) as listener,
        trio.open_nursery() as nursery,
    ):
        await person.sees("The model is heard on vspeaker")
        sent: list[bytes] = []
        nursery.start_soon(collect, person, sent)
        person.will_type("Spell cat.")
        recording = await heard(listener, lambda r: r.quiet_for(1.0))
        nursery.cancel_scope.cancel()
    assert alike(recording.sound, np.frombuffer(b"".join(sent), "<i2")) > 0.98


@again_if_the_machine_stalls
async def test_both_at_once_with_the_echo_taken_out() -> None:
    async with (
        talking(hears=spell_cat, microphone=True, speaker=True) as (person, _),
        open_microphone("vspeaker_mon", rate_hz=24_000) as listener,
        trio.open_nursery() as nursery,
    ):
        await person.sees("The microphone is on")
        await person.sees("The model is heard")
        sent: list[bytes] = []
        nursery.start_soon(collect, person, sent)
        nursery.start_soon(say, QUESTION)
        recording = await heard(listener, lambda r: r.quiet_for(1.0))
        assert "mic " in person.bar
        assert "spk " in person.bar
        nursery.cancel_scope.cancel()
    assert alike(recording.sound, np.frombuffer(b"".join(sent), "<i2")) > 0.98


@again_if_the_machine_stalls
async def test_one_side_is_switched_without_a_hole_in_the_other() -> None:
    async with (
        talking(speaker=True, echo="half_duplex") as (person, _),
        open_microphone("vspeaker_mon", rate_hz=24_000) as listener,
        trio.open_nursery() as nursery,
    ):
        await person.sees("The model is heard")
        sent: list[bytes] = []
        nursery.start_soon(collect, person, sent)
        person.will_type("Spell elephant.")
        recording = await heard(listener, lambda r: r.heard_seconds > 0.3)
        person.will_type("/mic on")
        await recording.listen(listener, lambda r: bool(person.part(Sound).microphone))
        person.will_type("/mic off")
        await recording.listen(listener, lambda r: r.quiet_for(1.0))
        nursery.cancel_scope.cancel()
    assert alike(recording.sound, np.frombuffer(b"".join(sent), "<i2")) > 0.98


async def test_nothing_is_heard_while_muted() -> None:
    async with talking(microphone=True, hears=spell_cat) as (person, service):
        await person.sees("The microphone is on")
        person.will_type("/mute on")
        await person.sees("is muted")
        await play_raw(tone(1.5, rate_hz=16_000))
        assert not np.any(np.abs(heard_by(service).astype(int)) > 200)
        person.will_type("/mute off")
        await person.sees("heard again")
        await say(QUESTION)
        await person.sees("^model> C, A, T.")


@again_if_the_machine_stalls
async def test_ctrl_c_silences_the_speaker_at_once() -> None:
    async with (
        talking(speaker=True) as (person, _),
        open_microphone("vspeaker_mon", rate_hz=24_000) as listener,
    ):
        await person.sees("The model is heard")
        person.will_type("Count to 30.")
        recording = await heard(listener, lambda r: r.heard_seconds > 1)
        person.interrupts()
        pressed = len(recording.samples)
        await recording.listen(listener, lambda r: r.quiet_for(0.5))
        _, end = loud(recording.samples)
        assert (end - pressed) / 24_000 < 0.3


async def test_the_virtual_screen_reaches_the_service() -> None:
    from PIL import Image

    name = os.environ.get("DISPLAY")
    if not name:
        pytest.skip("Xvfb isn't installed")
    with Painter(XServer(None, name)) as painter:  # type: ignore[arg-type]
        painter.paint_desktop(*COLOURS)
        async with talking() as (person, service):
            person.will_type("/share-screen 1 0.2")
            await person.sees("The model sees monitor")

            def shown() -> list[bytes]:
                sent = (each.message and each.message.realtime_input for each in service.received)
                return [each.video.data or b"" for each in sent if each and each.video]

            await until(shown)
            image = np.asarray(Image.open(BytesIO(shown()[0])).convert("RGB"))
            assert image.shape == (720, 1280, 3)
            wanted = [((c >> 16) & 255, (c >> 8) & 255, c & 255) for c in COLOURS]
            found = [image[180 + 360 * (n // 2), 320 + 640 * (n % 2)] for n in range(4)]
            assert np.allclose(found, wanted, atol=12)
