"""Devices of every kind: which is meant, what it refuses, and what comes of that."""

import math
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
from media.portaudio import Card, FakeSounddevice, Stream
from support import no_thread_to_spare
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import errors
from gemini_live_trio.media import (
    Device,
    DeviceLost,
    DeviceRestored,
    Microphone,
    MicrophoneBlock,
    MicrophonePaused,
    list_devices,
    measure_echo,
    open_echo_canceller,
    open_microphone,
    open_speaker,
)
from gemini_live_trio.media._devices import CLOSE_SECONDS, choose
from gemini_live_trio.media._lines import Line

np = pytest.importorskip("numpy", reason="needs the extra audio")

Plug = Callable[..., FakeSounddevice]


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Plug:
    """Put cards into the machine."""

    def plug(*cards: Card) -> FakeSounddevice:
        fake = FakeSounddevice(*cards)
        monkeypatch.setitem(sys.modules, "sounddevice", fake)
        return fake

    return plug


def device(index: int, name: str, *, api: str = "ALSA", default: bool = False) -> Device:
    return Device(index, name, api, 2, 0, 48_000, default_input=default)


HEADSET, WEBCAM = device(0, "USB Headset: Audio"), device(1, "Webcam C920", default=True)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, WEBCAM),
        (0, HEADSET),
        ("USB Headset: Audio", HEADSET),
        ("usb headset: audio", HEADSET),
        ("headset", HEADSET),
        ("c920", WEBCAM),
    ],
)
def test_a_device_is_found_by_number_name_or_a_part_of_it(
    wanted: str | int | None, found: Device
) -> None:
    assert choose([HEADSET, WEBCAM], "input", wanted) is found


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("USB Haedset", "There is no microphone 'USB Haedset'; did you mean 'USB Headset: Audio'?"),
        ("xyz", "there is 'USB Headset: Audio' or 'Webcam C920'."),
        ("", "There is no microphone ''"),
        (7, "There is no microphone 7"),
        ("1", "There is no microphone '1'; for the device with that number, give the int 1."),
        ("e", "'e' may be 'USB Headset: Audio' or 'Webcam C920'; say more of its name."),
    ],
)
def test_a_device_that_can_not_be_told_is_an_error_that_helps(wanted: str, words: str) -> None:
    with pytest.raises(errors.MediaError) as caught:
        choose([HEADSET, WEBCAM], "input", wanted)
    assert words in str(caught.value)


def test_of_two_ways_to_a_device_the_defaults_is_taken() -> None:
    by_mme, by_wasapi = device(0, "Mic", api="MME"), device(1, "Mic", api="Windows WASAPI")
    default = device(2, "Other", api="Windows WASAPI", default=True)
    assert choose([by_mme, by_wasapi, default], "input", "Mic") is by_wasapi
    assert choose([by_mme, by_wasapi], "input", "Mic") is by_mme


def test_a_device_without_channels_is_no_microphone() -> None:
    monitor = Device(0, "HDMI", "ALSA", 0, 8, 48_000)
    with pytest.raises(errors.MediaError, match="'HDMI' can't be used as a microphone"):
        choose([monitor, HEADSET], "input", "HDMI")
    with pytest.raises(
        errors.MediaError, match="There is no microphone: the system lists no device"
    ):
        choose([monitor], "input", None)


async def test_a_card_that_refuses_rate_and_mono_is_mixed_and_resampled(plug: Plug) -> None:
    fake = plug(Card("Studio", inputs=4, rate_hz=44_100, rates_hz=(44_100,), channels=(4,)))
    async with open_microphone() as microphone:
        (stream,) = fake.streams
        assert (stream.samplerate, stream.channels, stream.blocksize) == (44_100, 4, 882)
        time = np.arange(44_100) / 44_100
        tone = (np.sin(2 * np.pi * 440 * time) * 16_000).astype("<i2")
        heard = b""
        frames = tone.repeat(4).reshape(-1, 882 * 4)
        for number, block in enumerate(frames):
            stream.give(block.tobytes(), at=50 + number * 0.02)
            if number:  # the first fills the resampler
                event = await anext(microphone)
                assert isinstance(event, MicrophoneBlock)
                assert len(event.pcm) == 640
                assert event.adc_time == pytest.approx(50 + (number - 1) * 0.02, abs=0.005)
                heard += event.pcm
    samples = np.frombuffer(heard, "<i2")
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert spectrum.argmax() * 16_000 / len(samples) == pytest.approx(440, abs=2)
    assert np.abs(samples.astype(int)).max() == pytest.approx(16_000, rel=0.02)
    assert fake.tried == [
        (16_000, 1),
        (16_000, 2),
        (16_000, 4),
        (44_100, 1),
        (44_100, 2),
        (44_100, 4),
    ]


async def test_a_speaker_that_wants_two_channels_gets_the_voice_on_both(plug: Plug) -> None:
    fake = plug(Card("HDMI", outputs=2, rates_hz=(48_000,), channels=(2,)))
    async with open_speaker(prebuffer_ms=0) as speaker:
        (stream,) = fake.streams
        await speaker.play(b"\x00\x10" * 4_800, generation=1)
        both = np.frombuffer(b"".join(stream.take(at=n * 0.02) for n in range(8)), "<i2")
    assert (both[::2] == both[1::2]).all()
    assert both[2_000:4_000] == pytest.approx(0x1000, abs=50)


async def test_a_card_that_another_program_has_is_told_as_that(plug: Plug) -> None:
    fake = plug(Card("Studio", inputs=1, busy=True))
    with pytest.raises(
        errors.MediaError, match="microphone 'Studio': it is in use by another program"
    ):
        async with open_microphone():
            pass
    assert await list_devices(refresh=True)
    assert not fake.streams


async def test_a_card_that_refuses_all_says_what(plug: Plug) -> None:
    plug(Card("Odd", outputs=1, rate_hz=8_000, rates_hz=(11_025,)))
    with pytest.raises(errors.MediaError) as caught:
        async with open_speaker():
            pass
    assert str(caught.value) == (
        "Can't open the speaker 'Odd': it refuses 24000 samples a second; "
        "it refuses 8000 samples a second."
    )


async def test_a_card_that_is_plugged_in_later_is_found(plug: Plug) -> None:
    fake = plug(Card("Built-in", inputs=1))
    assert len(await list_devices()) == 1
    initialize = fake._initialize

    def plugged_in() -> None:
        initialize()
        fake.cards.append(Card("Headset", inputs=1))

    fake._initialize = plugged_in  # type: ignore[method-assign]
    async with open_microphone("Headset") as microphone:
        assert microphone.device == "Headset"
    assert fake.refreshed == 1


async def test_an_overflow_that_the_system_tells_is_counted(plug: Plug) -> None:
    fake = plug(Card("Mic", inputs=1))
    async with open_microphone() as microphone:
        for overflow in (False, True, False):
            fake.streams[0].give(bytes(640), overflow=overflow)
            await anext(microphone)
        now = microphone.statistics()
    assert (now.captured, now.overflows, now.gaps) == (3, 1, 1)


async def test_a_system_that_stamps_nothing_gets_stamps_by_latency(plug: Plug) -> None:
    fake = plug(Card("Mic", inputs=1, outputs=1, stamps=False))
    async with open_microphone() as microphone, open_speaker(prebuffer_ms=0) as speaker:
        hears, speaks = fake.streams
        hears.give(bytes(640), at=7.0)
        event = await anext(microphone)
        assert isinstance(event, MicrophoneBlock)
        assert event.adc_time == pytest.approx(7.0)
        with speaker.tap() as tap:
            speaks.take(at=9.0)
            assert tap.take()[0].dac_time == pytest.approx(9.0)


async def test_blocks_of_another_length_than_was_asked_for_lose_nothing(plug: Plug) -> None:
    fake = plug(Card("Mic", inputs=1))
    ramp = np.arange(16_000, dtype="<i2").tobytes()
    heard = b""
    given = 0
    async with open_microphone() as microphone:
        while len(heard) < len(ramp):
            while given < min(len(ramp), len(heard) + 640):
                fake.streams[0].give(ramp[given : given + 500])
                given += 500
            event = await anext(microphone)
            assert isinstance(event, MicrophoneBlock)
            heard += event.pcm
    assert heard == ramp


@pytest.mark.parametrize(
    "options",
    [
        {"rate_hz": 0},
        {"rate_hz": 1},
        {"rate_hz": -16_000},
        {"rate_hz": 10**9},
        {"block_ms": 0},
        {"block_ms": 10_000},
        {"rate_hz": 16_000.0},
        {"block_ms": 20.0},
        {"block_ms": "20"},
        {"latency": -1},
        {"latency": math.nan},
        {"latency": math.inf},
        {"latency": "medium"},
        {"latency": 100},
        {"device": 3.0},
        {"device": b"Both"},
        {"device": True},
    ],
)
async def test_absurd_options_are_refused_before_anything_is_opened(
    plug: Plug, options: dict[str, Any]
) -> None:
    fake = plug(Card("Both", inputs=1, outputs=1))
    for opened in (open_microphone, open_speaker):
        with pytest.raises(errors.ConfigError):
            async with opened(**options):  # type: ignore[operator]
                pass
    assert not fake.tried


@pytest.mark.parametrize("buffer_ms", [0, 19, 60_001, math.inf, math.nan, 250.5, "500"])
async def test_an_absurd_buffer_of_a_microphone_is_refused(plug: Plug, buffer_ms: Any) -> None:
    plug(Card("In", inputs=1))
    with pytest.raises(errors.ConfigError, match="buffer_ms must be 20 to 60,000 milliseconds"):
        async with open_microphone(buffer_ms=buffer_ms):
            pass


@pytest.mark.parametrize(
    ("options", "words"),
    [
        *(
            ({"buffer_seconds": value}, "buffer_seconds must be 0.1 to 86,400")
            for value in (0, math.inf, math.nan, "10")
        ),
        *(
            ({"prebuffer_ms": value}, "prebuffer_ms must be 0 to 10,000 milliseconds")
            for value in (-1, 10**9, math.nan, "80")
        ),
    ],
)
async def test_an_absurd_buffer_of_a_speaker_is_refused(
    plug: Plug, options: dict[str, Any], words: str
) -> None:
    plug(Card("Out", outputs=1))
    with pytest.raises(errors.ConfigError, match=words):
        async with open_speaker(**options):
            pass


async def test_absurd_times_are_refused_before_they_reach_a_callback(plug: Plug) -> None:
    plug(Card("Both", inputs=1, outputs=1))
    absurd: Any
    async with (
        open_speaker() as speaker,
        open_microphone() as microphone,
        open_echo_canceller("off") as echo,
    ):
        for absurd in ("2", None, -1, math.nan):
            with (
                pytest.raises(errors.ConfigError, match=r"seconds must be 0\.0 to 86,400"),
                speaker.tap(seconds=absurd),
            ):
                pass
            with pytest.raises(errors.ConfigError, match="seconds must be 3 to 60"):
                await measure_echo(microphone, speaker, echo, seconds=absurd)


async def test_an_array_is_refused_where_bytes_are_played(plug: Plug) -> None:
    plug(Card("Out", outputs=1))
    async with open_speaker() as speaker:
        for play in (speaker.play, lambda pcm: trio.to_thread.run_sync(speaker.play_nowait, pcm)):
            with pytest.raises(errors.ConfigError, match="must be bytes of 16-bit samples, not nd"):
                await play(np.zeros(100, np.int16))  # type: ignore[arg-type]


async def test_a_view_of_samples_counts_in_bytes(plug: Plug) -> None:
    plug(Card("Out", outputs=1))
    async with open_speaker() as speaker:
        speaker.play_nowait(memoryview(np.zeros(2_400, np.int16)))  # type: ignore[arg-type]
        assert speaker.statistics().waiting_seconds == pytest.approx(0.1)


async def test_a_card_that_claims_no_rate_is_refused_by_what_it_said(plug: Plug) -> None:
    plug(Card("Odd", inputs=1, rate_hz=0, rates_hz=(1,)))
    with pytest.raises(errors.MediaError, match="'Odd': it refuses 16000 samples a second"):
        async with open_microphone():
            pass


async def test_portaudio_that_does_not_start_is_told_and_tried_again(plug: Plug) -> None:
    fake = plug()
    fake.broken = True
    for _ in range(2):
        with pytest.raises(errors.MediaError, match="Error initializing PortAudio: Unanticipated"):
            await list_devices(refresh=True)
    fake.broken = False
    assert await list_devices(refresh=True) == []


async def test_late_sound_of_an_interrupted_answer_leaves_no_seam_in_the_next(plug: Plug) -> None:
    fake = plug(Card("Out", outputs=1))
    tone = (np.sin(np.arange(4_800) / 5) * 16_000).astype("<i2").tobytes()

    async def played(late: bytes) -> tuple[bytes, float]:
        async with open_speaker(prebuffer_ms=0) as speaker:
            speaker.flush(1)
            for start in range(0, len(tone), 1_601):
                piece = tone[start : start + 1_601]
                speaker.play_nowait(piece, rate_hz=16_000, generation=2)
                if late:
                    speaker.play_nowait(late, rate_hz=16_000, generation=1)
            sound = b"".join(fake.streams[-1].take(at=n * 0.02) for n in range(12))
            return sound, speaker.statistics().refused_seconds

    whole, _ = await played(b"")
    disturbed, refused = await played(b"\x00\x10" * 1_600)
    assert disturbed == whole
    assert refused == pytest.approx(0.6)


async def test_a_dead_stream_that_tells_no_time_is_no_fault(plug: Plug) -> None:
    card = Card("Out", outputs=1)
    fake = plug(card)
    async with open_speaker(prebuffer_ms=0) as speaker:
        speaker.play_nowait(b"\x00\x10" * 480, generation=1)
        fake.streams[0].take(at=99.99)
        assert speaker.position(1) == pytest.approx(0.01)
        card.clock = 0.0
        assert speaker.position(1) == pytest.approx(0.01)


async def test_what_was_heard_is_known_after_the_speaker_was_closed(plug: Plug) -> None:
    fake = plug(Card("Out", outputs=1))
    async with open_speaker(prebuffer_ms=0) as speaker:
        speaker.play_nowait(b"\x00\x10" * 480, generation=1)
        fake.streams[0].take(at=99.99)
    assert speaker.position(1) == pytest.approx(0.01)


async def test_frames_count_what_was_thrown_away_while_muted(plug: Plug) -> None:
    fake = plug(Card("Mic", inputs=1))
    async with open_microphone(buffer_ms=2_000) as microphone:
        microphone.mute()
        for _ in range(40):  # 25 are given out as silence before the pause, 15 then wait in vain
            fake.streams[0].give(bytes(640))
        while not isinstance(await anext(microphone), MicrophonePaused):
            pass
        with trio.move_on_after(0.01):
            await anext(microphone)
        for _ in range(10):  # thrown away at once
            fake.streams[0].give(bytes(640))
        microphone.unmute()
        fake.streams[0].give(bytes(640))
        block = await anext(microphone)
        now = microphone.statistics()
    assert isinstance(block, MicrophoneBlock)
    assert block.frame == 50 * 320
    assert now.muted == 50
    assert now.captured == 51


async def test_a_microphone_that_is_being_looked_for_is_not_opened_after_its_block(
    plug: Plug,
) -> None:
    fake = plug(Card("Mic", inputs=1))
    lost, ended = trio.Event(), trio.Event()

    async def listen(microphone: Microphone) -> None:
        with pytest.raises(trio.ClosedResourceError):
            async for event in microphone:
                if isinstance(event, DeviceLost):
                    lost.set()
        ended.set()

    async with trio.open_nursery() as nursery:
        async with open_microphone() as microphone:
            nursery.start_soon(listen, microphone)
            fake.streams[0].close()
            await lost.wait()
        with trio.fail_after(5):
            await ended.wait()
    assert not any(stream.open for stream in fake.streams)


async def test_a_microphone_that_nobody_waits_for_long_is_lost_and_restored_all_the_same(
    plug: Plug,
) -> None:
    fake = plug(Card("Mic", inputs=1))
    told: list[object] = []
    async with open_microphone() as microphone:
        fake.streams[0].close()
        with trio.fail_after(30):
            while len(told) < 3:
                with trio.move_on_after(0.1):
                    event = await anext(microphone)
                    if not isinstance(event, MicrophoneBlock):
                        told.append(event)
    assert [type(event) for event in told] == [MicrophonePaused, DeviceLost, DeviceRestored]


async def test_a_microphone_that_opens_while_its_reader_gives_up_is_kept_for_the_next(
    plug: Plug, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = plug(Card("Mic", inputs=1))
    token = trio.lowlevel.current_trio_token()
    opening, gate = trio.Event(), threading.Event()

    def slow(stream: Stream) -> None:
        token.run_sync_soon(opening.set)
        assert gate.wait(10)

    async with open_microphone() as microphone, trio.open_nursery() as nursery:
        monkeypatch.setattr(Stream, "start", slow)
        fake.streams[0].close()
        while not isinstance(await anext(microphone), DeviceLost):
            pass
        reader, gave_up = trio.CancelScope(), trio.Event()

        async def read() -> None:
            with reader:
                await anext(microphone)
            gave_up.set()

        nursery.start_soon(read)
        await opening.wait()
        reader.cancel()
        gate.set()
        await gave_up.wait()
        assert reader.cancelled_caught
        assert isinstance(await anext(microphone), DeviceRestored)
        assert [stream.open for stream in fake.streams] == [False, True]
        fake.streams[1].give(b"\1\0" * 320)
        event = await anext(microphone)
        assert isinstance(event, MicrophoneBlock)
        assert event.pcm == b"\1\0" * 320
    assert not any(stream.open for stream in fake.streams)


async def test_devices_open_and_close_while_the_program_has_no_thread_to_spare(plug: Plug) -> None:
    fake = plug(Card("Both", inputs=1, outputs=1))
    with no_thread_to_spare(), trio.fail_after(5):
        async with open_microphone(), open_speaker():
            pass
    assert [stream.open for stream in fake.streams] == [False, False]


def a_line() -> Line:
    return Line(
        "input",
        None,
        rate_hz=16_000,
        block_ms=20,
        latency="low",
        work=lambda link: lambda *_: True,
        wake=lambda: None,
    )


async def test_a_driver_that_hangs_holds_one_thread_however_often_it_is_tried(
    plug: Plug, monkeypatch: pytest.MonkeyPatch, mock_clock: MockClock
) -> None:
    fake = plug(Card("Mic", inputs=1))
    start, gate = Stream.start, threading.Event()

    def hang(stream: Stream) -> None:
        assert gate.wait(60)
        start(stream)

    monkeypatch.setattr(Stream, "start", hang)
    mock_clock.rate = 500
    line = a_line()
    try:
        while not fake.streams:
            with pytest.raises(errors.MediaError, match="did not open the microphone within 10 s"):
                await line.open()
        threads = threading.active_count()
        for _ in range(20):
            with pytest.raises(errors.MediaError, match="did not open the microphone within 10 s"):
                await line.open()
        assert threading.active_count() <= threads

        mock_clock.rate = 1
        before = trio.current_time()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(line.open)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert trio.current_time() - before < CLOSE_SECONDS
    finally:
        gate.set()
    await line.open()
    assert [stream.open for stream in fake.streams] == [False, True]
    await line.close()


async def test_what_a_device_was_handed_while_it_was_closed_keeps_nobody_waiting(
    plug: Plug,
) -> None:
    fake = plug(Card("Out", outputs=1))
    restored = trio.Event()

    def told(event: object) -> None:
        if isinstance(event, DeviceLost):
            # The stream that had fallen silent takes one more block before it is closed.
            fake.streams[0].take(at=1e9)
        else:
            restored.set()

    async with open_speaker(prebuffer_ms=0, on_device=told) as speaker:
        speaker.play_nowait(b"\x00\x10" * 480, generation=1)
        fake.streams[0].finished()
        with trio.fail_after(10):
            await restored.wait()
            await speaker.turn_played_out(1)
        assert speaker.position(1) == 0


async def test_a_piece_of_sound_with_an_absurd_rate_is_refused(plug: Plug) -> None:
    plug(Card("Out", outputs=1))
    async with open_speaker() as speaker:
        for rate_hz in (0, -1, 10**9):
            with pytest.raises(errors.ConfigError):
                await speaker.play(b"\0\0", rate_hz=rate_hz)


async def test_half_a_sample_waits_for_its_other_half(plug: Plug) -> None:
    fake = plug(Card("Out", outputs=1))
    voice = np.arange(1, 1_001, dtype="<i2").tobytes()
    async with open_speaker(prebuffer_ms=0) as speaker:
        for start in range(0, len(voice), 333):
            await speaker.play(voice[start : start + 333], generation=1)
        played = b"".join(fake.streams[0].take(at=n * 0.02) for n in range(4))
    assert played[: len(voice)] == voice


async def test_a_stream_left_open_when_its_run_ended_stops_by_itself(plug: Plug) -> None:
    fake = plug(Card("Mic", inputs=1))

    async def careless() -> Line:
        line = a_line()
        await line.open()
        return line

    line = await trio.to_thread.run_sync(trio.run, careless)
    (stream,) = fake.streams
    assert line.link is not None
    ended: list[bool] = []
    stream.finished = lambda: ended.append(True)
    stream.give(bytes(640))
    assert ended == [True]


MISSING = """\
import sys, trio
{setup}
from gemini_live_trio.media import list_devices
try:
    trio.run(list_devices)
except ImportError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("setup", "words"),
    [
        ("sys.modules['sounddevice'] = None", 'pip install "gemini-live-trio[audio]"'),
        ("import ctypes.util; ctypes.util.find_library = lambda name: None", "libportaudio2"),
    ],
)
def test_what_is_not_installed_is_told_in_one_line(setup: str, words: str) -> None:
    code = MISSING.format(setup=setup)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("MissingDependency ")
    assert words in run.stdout
    assert run.stdout.count("\n") == 1


def test_importing_the_package_of_media_imports_no_library() -> None:
    code = "import sys, gemini_live_trio.media, gemini_live_trio.voice; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "sounddevice", "soundfile", "livekit"} & set(run.stdout.split())
