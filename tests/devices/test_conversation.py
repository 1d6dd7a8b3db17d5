"""A spoken conversation over devices, a real socket and the simulator: the whole loop."""

import os
import shutil
import subprocess
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from devices.rig import REQUIRED
from devices.sounds import (
    Recording,
    Samples,
    again_if_the_machine_stalls,
    heard,
    loud,
    needs_sound,
    np,
    play_raw,
    tone,
)

from gemini_live_trio import GeminiApi, LiveSession, SessionConfig, errors, open_session
from gemini_live_trio.events import Interrupted, ModelAudio, Speaker, TurnComplete, VoiceActivity
from gemini_live_trio.media import (
    SoundBlock,
    open_echo_canceller,
    open_microphone,
    open_speaker,
)
from gemini_live_trio.simulator import Simulator, open_simulator
from gemini_live_trio.voice import run_voice

pytestmark = needs_sound

RECORDED = Path(__file__).parents[1] / "data" / "speech.wav"


def spoken(text: str) -> tuple[bytes, int]:
    """Speech and its rate: by espeak-ng where that is installed."""
    if shutil.which("espeak-ng"):
        said = subprocess.run(["espeak-ng", "--stdout", text], check=True, capture_output=True)
        # The length in the header is that of a stream, so what comes after it is taken.
        return said.stdout[44:], 22_050
    assert REQUIRED not in os.environ, "espeak-ng isn't installed"
    with wave.open(str(RECORDED)) as file:
        return file.readframes(file.getnframes()), file.getframerate()


async def say(text: str) -> None:
    pcm, rate_hz = spoken(text)
    await play_raw(pcm + bytes(rate_hz // 2 * 2), rate_hz=rate_hz)


@asynccontextmanager
async def conversation(**options: object) -> AsyncIterator[tuple[LiveSession, Simulator]]:
    async with open_simulator(**options) as simulator:  # type: ignore[arg-type]
        config = SessionConfig(model="gemini-3.8-live", endpoint=GeminiApi(base_url=simulator.url))
        async with open_session(config) as session:
            yield session, simulator


class Sent:
    """The model's voice as the service sent it, by generation, without the silence around it."""

    def __init__(self) -> None:
        self._pcm: dict[int, bytes] = {}
        self.interrupted = trio.Event()
        self.cut_at = 0.0

    async def watch(self, session: LiveSession) -> None:
        async for event in session:
            match event:
                case ModelAudio(stale=False):
                    pcm = self._pcm.get(event.generation, b"")
                    self._pcm[event.generation] = pcm + event.pcm
                case Interrupted(spurious=False):
                    self.cut_at = trio.current_time()
                    self.interrupted.set()

    def __getitem__(self, generation: int) -> Samples:
        samples = np.frombuffer(self._pcm[generation], "<i2")
        begin, end = loud(samples)
        return samples[begin:end]


def is_over(recording: Recording) -> bool:
    return recording.quiet_for(1.0)


def alike(played: Samples, sent: Samples) -> float:
    """How well two recordings fit each other where they fit best, from 0 to 1."""
    size = len(played) + len(sent)
    product = np.fft.irfft(np.fft.rfft(played, size) * np.conj(np.fft.rfft(sent, size)), size)
    norm = np.linalg.norm(played.astype(float)) * np.linalg.norm(sent.astype(float))
    return float(product.max() / norm)


@again_if_the_machine_stalls
async def test_speech_into_the_microphone_is_answered_out_of_the_speaker() -> None:
    sent = Sent()
    async with (
        conversation(voice="tone", hears=lambda pcm, rate_hz: "Spell cat.") as (session, _),
        open_microphone("vspeaker_mon", rate_hz=24_000) as listener,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(lambda: run_voice(session, microphone="vmic", speaker="vspeaker"))
        nursery.start_soon(sent.watch, session)
        nursery.start_soon(say, "What is the weather in London?")
        recording = await heard(listener, is_over)
        assert session.transcript[-1].text == "C, A, T."
        assert session.turn_state.played_out
        nursery.cancel_scope.cancel()
    assert len(recording.sound) == pytest.approx(len(sent[1]), abs=240)
    assert alike(recording.sound, sent[1]) > 0.98


@again_if_the_machine_stalls
async def test_who_cuts_in_hears_silence_and_then_the_next_answer_from_its_first_sample() -> None:
    sent = Sent()
    questions = iter(["Count to 30.", "Spell cat."])
    async with (
        conversation(voice="tone", hears=lambda pcm, rate_hz: next(questions)) as (session, _),
        open_microphone("vspeaker_mon", rate_hz=24_000) as listener,
        trio.open_nursery() as nursery,
    ):
        # The rig's speaker isn't heard by its microphone, and WebRTC must find that out in time.
        nursery.start_soon(lambda: run_voice(session, microphone="vmic", speaker="vspeaker"))
        nursery.start_soon(sent.watch, session)
        nursery.start_soon(say, "Please count as far as thirty.")
        first = await heard(listener, lambda r: r.heard_seconds > 1)
        nursery.start_soon(say, "Stop that, and spell a word for me.")
        await first.listen(listener, lambda r: sent.interrupted.is_set())
        cut = first.blocks[-1].adc_time
        await first.listen(listener, lambda r: r.quiet_for(0.3))
        _, end = loud(first.samples)
        silent_at = first.blocks[0].adc_time + end / 24_000
        # The event and the block that saw it are a block apart at most, each way.
        assert silent_at - cut < 0.065 + 2 * 0.020

        second = await heard(listener, is_over)
        counted = next(e for e in session.transcript if e.speaker is Speaker.MODEL)
        assert 0 < len(counted.heard) < len(counted.text)
        nursery.cancel_scope.cancel()
    assert len(second.sound) == pytest.approx(len(sent[2]), abs=240)
    assert alike(second.sound, sent[2]) > 0.98


async def test_muting_in_mid_word_ends_the_users_turn() -> None:
    async with (
        conversation(voice="tone", hears=lambda pcm, rate_hz: "Spell cat.") as (session, _),
        open_microphone("vmic") as microphone,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(lambda: run_voice(session, microphone=microphone, speaker="vspeaker"))
        nursery.start_soon(lambda: play_raw(tone(30, hertz=200, rate_hz=16_000)))
        with trio.fail_after(30):
            async for event in session:
                if isinstance(event, VoiceActivity):
                    microphone.mute()
                if isinstance(event, TurnComplete):
                    break
        assert session.transcript[-1].text == "C, A, T."
        nursery.cancel_scope.cancel()


async def test_it_ends_with_the_session_once_the_answer_was_heard() -> None:
    async with (
        conversation(voice="tone") as (session, _),
        open_speaker("vspeaker") as speaker,
        trio.open_nursery() as nursery,
    ):
        await session.send_text("Spell cat.")
        finished = trio.Event()

        async def to_the_end() -> None:
            await run_voice(session, microphone="vmic", speaker=speaker)
            finished.set()

        nursery.start_soon(to_the_end)
        async for event in session:
            if isinstance(event, TurnComplete):
                break
        await session.aclose()
        with trio.fail_after(30):
            await finished.wait()
        assert speaker.statistics().waiting_seconds == 0
        assert session.turn_state.played_out


async def test_a_session_that_breaks_ends_it_with_the_sessions_error() -> None:
    with pytest.raises(errors.SessionBroken):
        async with conversation(voice="tone") as (session, simulator):
            server = await simulator.accept()
            await server.close(1007, "API key not valid. Please pass a valid API key.")
            with trio.fail_after(30):
                await run_voice(session, microphone="vmic", speaker="vspeaker")


async def test_another_rate_than_the_services_is_refused() -> None:
    async with (
        conversation() as (session, _),
        open_microphone("vmic", rate_hz=48_000) as microphone,
    ):
        with pytest.raises(errors.ConfigError, match="16000 samples a second, not 48000"):
            await run_voice(session, microphone=microphone, speaker="vspeaker")


async def test_a_missing_device_is_told_before_anything_is_sent() -> None:
    async with conversation() as (session, _):
        with pytest.raises(errors.MediaError, match="did you mean 'vspeaker'"):
            await run_voice(session, microphone="vmic", speaker="vspeeker")
        assert session.statistics().frames_sent == 1


@pytest.mark.parametrize("part", ["microphone", "speaker", "echo"])
async def test_a_part_whose_block_was_left_is_told_of_at_once(part: str) -> None:
    async with (
        open_microphone("vmic") as microphone,
        open_speaker("vspeaker") as speaker,
        open_echo_canceller("half_duplex") as echo,
    ):
        parts = {"microphone": microphone, "speaker": speaker, "echo": echo}
    chosen = {"microphone": "vmic", "speaker": "vspeaker", "echo": "off"} | {part: parts[part]}
    async with conversation() as (session, _):
        await session.send_text("Hello!")
        with trio.fail_after(30), pytest.raises(trio.ClosedResourceError):
            await run_voice(session, **chosen)  # type: ignore[arg-type]


class CtrlC:
    """A canceller during whose work the user presses it."""

    def reference(self, far: SoundBlock, /, **_: object) -> None:
        pass

    def process(self, near: SoundBlock, /, **_: object) -> bytes:
        raise KeyboardInterrupt

    def close(self) -> None:
        pass


async def test_ctrl_c_leaves_it_in_no_group() -> None:
    async with conversation() as (session, _):
        with pytest.raises(KeyboardInterrupt):
            await run_voice(session, microphone="vmic", speaker="vspeaker", echo=CtrlC())


async def test_the_microphone_alone_is_heard_and_nothing_is_played() -> None:
    async with (
        conversation(voice="tone", hears=lambda pcm, rate_hz: "Spell cat.") as (session, _),
        open_microphone("vspeaker_mon") as listener,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(lambda: run_voice(session, microphone="vmic", speaker=False))
        nursery.start_soon(say, "What is the weather in London?")
        recording = Recording()
        nursery.start_soon(recording.listen, listener)
        with trio.fail_after(30):
            async for event in session:
                if isinstance(event, TurnComplete):
                    break
        assert session.transcript[-1].text == "C, A, T."
        assert session.turn_state.played_out is None
        assert len(recording.sound) == 0
        nursery.cancel_scope.cancel()


async def test_a_speaker_serves_one_session_after_another() -> None:
    """Each counts its generations from 1, and one of the first was cut off."""
    async with (
        open_speaker("vspeaker") as speaker,
        open_microphone("vspeaker_mon", rate_hz=24_000) as listener,
        trio.open_nursery() as nursery,
    ):
        async with conversation(voice="tone") as (session, _):
            nursery.start_soon(lambda: run_voice(session, microphone=False, speaker=speaker))
            await session.send_text("Count to 30.")
            first = await heard(listener, lambda r: r.heard_seconds > 0.3)
            speaker.flush(speaker.newest_generation)
            await session.interrupt()
            await first.listen(listener, lambda r: r.quiet_for(0.5))
        sent = Sent()
        async with conversation(voice="tone") as (session, _):
            nursery.start_soon(lambda: run_voice(session, microphone=False, speaker=speaker))
            nursery.start_soon(sent.watch, session)
            await session.send_text("Spell cat.")
            second = await heard(listener, is_over)
            assert session.turn_state.played_out
            nursery.cancel_scope.cancel()
    assert alike(second.sound, sent[1]) > 0.98


async def test_neither_microphone_nor_speaker_is_refused() -> None:
    async with conversation() as (session, _):
        with pytest.raises(errors.ConfigError, match="a microphone, a speaker or both"):
            await run_voice(session, microphone=False, speaker=False)
