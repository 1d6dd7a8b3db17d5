"""A microphone that hears the loudspeaker: real devices, with PulseAudio's loopback for a room."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

soundfile = pytest.importorskip("soundfile", reason="needs the extra audio")
soxr = pytest.importorskip("soxr", reason="needs the extra audio")

from devices.rig import REQUIRED  # noqa: E402
from devices.sounds import again_if_the_machine_stalls, needs_sound, np  # noqa: E402
from media.echoes import RATE_HZ, dbfs, erle, likeness, needs, seconds  # noqa: E402

from gemini_live_trio.media import (  # noqa: E402
    EchoBackend,
    EchoStage,
    MicrophoneBlock,
    measure_echo,
    open_echo_canceller,
    open_microphone,
    open_speaker,
)

pytestmark = needs_sound

BACKENDS: list[EchoBackend] = ["webrtc", "speexdsp"]
LENGTH = 22.0
SPEAKS = 13.0
"""When somebody begins to talk over the speaker."""
SPEAKER_HZ = 24_000

FAR = """Good morning. The weather in London is mild today, with a light wind from the west and some
clouds over the river. In the afternoon there may be rain, so take an umbrella if you go out.
Tomorrow will be warmer, and on Thursday the sun should shine for most of the day. If you are
planning a trip to the coast, the roads are clear and the trains are running on time."""
USER = """Wait a moment please, I wanted to ask about Friday instead. Can you tell me whether there
will be snow in the mountains?"""


@pytest.fixture
def loop() -> Iterator[None]:
    """What the speaker plays is heard by the microphone, some 0.1 s later, as loud as it was."""
    where = ("source=vspeaker.monitor", "sink=vmic_sink", "source_dont_move=yes")
    more = ("latency_msec=60", "adjust_time=0", "sink_dont_move=yes")
    module = subprocess.run(
        ["pactl", "load-module", "module-loopback", *where, *more],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    yield
    subprocess.run(["pactl", "unload-module", module], check=True)


@pytest.fixture
def voices(tmp_path):
    """Two people, as floats at the speaker's rate."""
    if not shutil.which("espeak-ng"):
        assert REQUIRED not in os.environ, "espeak-ng isn't installed"
        pytest.skip("needs espeak-ng")

    def spoken(text: str, voice: str, length: float, level: float):
        path = tmp_path / f"{voice}.wav"
        subprocess.run(["espeak-ng", "-v", voice, "-w", path, text], check=True)
        sound, rate_hz = soundfile.read(path)
        sound = np.resize(soxr.resample(sound, rate_hz, SPEAKER_HZ), round(length * SPEAKER_HZ))
        return sound * level / np.sqrt(np.mean(sound**2))

    # Who speaks is nearer to the microphone than the loudspeaker is.
    return spoken(FAR, "en", LENGTH + 1, 0.05), spoken(USER, "en+f3", 6.0, 0.1)


def as_pcm(sound) -> bytes:
    return (sound * 32768).round().clip(-32768, 32767).astype("<i2").tobytes()


@asynccontextmanager
async def cancellers() -> AsyncIterator[dict[str, EchoStage]]:
    async with (
        open_echo_canceller("webrtc") as webrtc,
        open_echo_canceller("speexdsp") as speexdsp,
    ):
        yield {"webrtc": webrtc, "speexdsp": speexdsp}


@again_if_the_machine_stalls
async def test_an_echo_is_cancelled_and_who_talks_over_it_is_understood(loop, voices):
    for backend in BACKENDS:
        needs(backend)
    far, user = voices
    near = []
    out = {backend: [] for backend in BACKENDS}
    async with (
        open_speaker("vspeaker") as speaker,
        open_speaker("vmic_feed") as mouth,
        open_microphone("vmic") as microphone,
        cancellers() as echoes,
    ):
        with speaker.tap() as tap:
            speaker.play_nowait(as_pcm(far), rate_hz=SPEAKER_HZ)
            spoken = False
            async for block in microphone:
                assert isinstance(block, MicrophoneBlock)
                played = tap.take()
                for backend, echo in echoes.items():
                    for reference in played:
                        echo.reference(
                            reference.pcm,
                            rate_hz=reference.rate_hz,
                            when=reference.dac_time,
                            frame=reference.frame,
                        )
                    out[backend].append(
                        echo.process(block.pcm, when=block.adc_time, frame=block.frame)
                    )
                near.append(block.pcm)
                heard = len(near) * 0.02
                if heard > SPEAKS and not spoken:
                    mouth.play_nowait(as_pcm(user), rate_hz=SPEAKER_HZ)
                    spoken = True
                if heard > LENGTH:
                    break
        found = {backend: echo.statistics() for backend, echo in echoes.items()}
    heard = np.frombuffer(b"".join(near), "<i2")
    voice = (soxr.resample(user, SPEAKER_HZ, RATE_HZ) * 32768).astype(np.int16)
    for backend in BACKENDS:
        left = np.frombuffer(b"".join(out[backend]), "<i2")
        told = f"{backend}: {found[backend]}"
        # Not the mean: a machine that is busy may tear a hole into what is played.
        by_half = [erle(heard, left, t, t + 0.5) for t in np.arange(8, SPEAKS - 0.5, 0.5)]
        assert np.median(by_half) > 25, (told, by_half)
        # Where the voice is: when it was played isn't known to the sample.
        begin = first_place(voice, left[seconds(SPEAKS) :]) + seconds(SPEAKS)
        said = left[begin : begin + len(voice)]
        # WebRTC takes away parts of words, and a busy machine tears holes into what is played; an
        # unrelated voice would have 0.1.
        assert likeness(voice, said) > {"webrtc": 0.6, "speexdsp": 0.75}[backend], told
        assert abs(dbfs(said) - dbfs(voice)) < 6, told


def first_place(voice, sound) -> int:
    """Where a voice begins in a sound, by the correlation of the two."""
    size = 1 << (len(voice) + len(sound)).bit_length()
    cross = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(voice, size)))
    return int(np.argmax(cross[: len(sound) - len(voice)]))


@pytest.mark.parametrize("backend", BACKENDS)
@again_if_the_machine_stalls
async def test_echo_is_measured(loop, backend):
    needs(backend)
    async with (
        open_speaker("vspeaker") as speaker,
        open_microphone("vmic") as microphone,
        open_echo_canceller(backend) as echo,
    ):
        found = await measure_echo(microphone, speaker, echo, seconds=10)
    assert found.heard
    assert found.attenuation_db > 25, found
    assert 0.0 < found.delay < 0.3
    assert speaker.statistics().waiting_seconds == 0


async def test_where_no_echo_is_the_measurement_says_so():
    async with (
        open_speaker("vspeaker") as speaker,
        open_microphone("vmic") as microphone,
        open_echo_canceller("half_duplex") as echo,
    ):
        found = await measure_echo(microphone, speaker, echo, seconds=3)
    assert not found.heard


async def test_a_muted_microphone_is_not_measured():
    from gemini_live_trio.errors import MediaError

    async with (
        open_speaker("vspeaker") as speaker,
        open_microphone("vmic") as microphone,
        open_echo_canceller("off") as echo,
    ):
        microphone.mute()
        with pytest.raises(MediaError, match="unmute"):
            await measure_echo(microphone, speaker, echo)


async def test_a_measurement_that_is_cancelled_falls_silent(loop):
    async with (
        open_speaker("vspeaker") as speaker,
        open_microphone("vmic") as microphone,
        open_echo_canceller("off") as echo,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(measure_echo, microphone, speaker, echo)
            with speaker.tap() as tap:
                while not any(any(block.pcm) for block in tap.take()):
                    await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()
        assert speaker.statistics().waiting_seconds == 0
