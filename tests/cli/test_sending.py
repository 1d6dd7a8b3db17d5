"""Words, pictures and recordings in their order, each known by its content."""

import io
import os
import struct
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from cli.client import patiently
from trio.testing import MockClock

from gemini_live_trio import LiveSession, SessionConfig, open_session, wire
from gemini_live_trio.errors import ConfigError, MediaError
from gemini_live_trio.repl._kinds import FileKind, look_at, recognise
from gemini_live_trio.repl._sending import check_file, send_parts
from gemini_live_trio.simulator import Simulator, open_simulator

CONFIG = SessionConfig(model="gemini-3.8-live")
SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"


def sent(simulator: Simulator) -> list[tuple[float, wire.LiveClientRealtimeInput]]:
    return [
        (frame.time, frame.message.realtime_input)
        for frame in simulator.received
        if frame.message and frame.message.realtime_input
    ]


@asynccontextmanager
async def talking(
    config: SessionConfig = CONFIG,
) -> AsyncIterator[tuple[LiveSession, Simulator]]:
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(config, connector=simulator.connector) as session,
    ):
        yield session, simulator
        await session.aclose()


def picture(kind: str) -> bytes:
    image = pytest.importorskip("PIL.Image", reason="needs the extra screen")
    buffer = io.BytesIO()
    image.new("RGB", (64, 48), "navy").save(buffer, kind)
    return buffer.getvalue()


# --- What a file is -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF"])
def test_pictures_are_known_by_their_content(kind: str) -> None:
    if kind == "AVIF" and not pytest.importorskip("PIL.features").check("avif"):
        pytest.skip("this Pillow knows no AVIF")
    look = recognise(picture(kind))
    assert look is not None
    assert look.kind is FileKind.PICTURE
    assert kind.lower() in look.name.lower()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "AIFF", "AU", "CAF", "RF64", "MP3"])
async def test_sounds_are_known_or_tried(kind: str, tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    numpy = pytest.importorskip("numpy")
    path = tmp_path / "named.jpg"
    soundfile.write(path, numpy.zeros(16_000), 16_000, format=kind)
    assert (await look_at(path)).kind is FileKind.SOUND
    assert await check_file(path) is FileKind.SOUND


async def test_samples_are_bare_only_where_the_name_says_so(tmp_path: Path) -> None:
    samples = struct.pack("<400h", *range(-200, 200))
    for name, kind in (("a.pcm", FileKind.RAW), ("a.RAW", FileKind.RAW), ("a", FileKind.SOUND)):
        (tmp_path / name).write_bytes(samples)
        assert (await look_at(tmp_path / name)).kind is kind
    (tmp_path / "b.pcm").write_bytes(picture("JPEG"))
    assert (await look_at(tmp_path / "b.pcm")).kind is FileKind.PICTURE


@pytest.mark.skipif(os.name != "posix", reason="FIFOs and /dev/null")
async def test_what_cannot_be_sent_is_said_to_be_what_it_is(tmp_path: Path) -> None:
    def file(content: bytes) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.wav"
        path.write_bytes(content)
        return path

    os.mkfifo(tmp_path / "fifo")
    refused = {
        tmp_path / "none.jpg": "There is no file",
        tmp_path: "is a folder; name a file",
        tmp_path / "fifo": "is not an ordinary file",
        file(b""): "is empty: 0 bytes",
        file(b"%PDF-1.7 ..."): "is a PDF document; what can be sent are pictures and sounds",
        file(b"PK\x03\x04" + bytes(30)): "is a ZIP archive",
        file(b"\0\0\0\x20ftypisom" + bytes(30)): "is an MP4 film",
        file(b"\0\0\0\x20ftypheic" + bytes(30)): "is a HEIC picture",
        file("Grüße. ".encode() * 200): "is text",
        file(picture("JPEG")[:400]): "is no picture that can be read",
        Path("a\0b"): "Can't read",
        Path("x" * 5_000): "Can't read",
    }
    for path, said in refused.items():
        with pytest.raises(MediaError, match=said) as caught:
            pytest.fail(f"{path}: {await check_file(path)}")
        assert "\n" not in str(caught.value)


async def test_a_picture_of_2_gib_is_refused_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "huge.jpg").write_bytes(picture("JPEG"))
    os.truncate(tmp_path / "huge.jpg", 2 << 30)  # sparse: it takes no room
    with pytest.raises(MediaError, match=r"2,147,483,648 bytes; above .*, no picture is read"):
        await check_file(tmp_path / "huge.jpg")


async def test_a_sound_of_2_gib_is_opened_at_once(tmp_path: Path) -> None:
    pytest.importorskip("soxr")
    (tmp_path / "huge.pcm").write_bytes(b"\0\1")
    os.truncate(tmp_path / "huge.pcm", 2 << 30)
    with trio.fail_after(5):
        assert await check_file(tmp_path / "huge.pcm") is FileKind.RAW


# --- What is sent -------------------------------------------------------------------------------


def test_parts_leave_in_their_order_and_as_what_they_are(tmp_path: Path) -> None:
    pytest.importorskip("soxr")
    (tmp_path / "photo.wav").write_bytes(picture("PNG"))
    (tmp_path / "raw.pcm").write_bytes(b"\1\2" * 800)
    told: list[str] = []

    async def check() -> None:
        async with talking() as (session, simulator):
            parts: list[str | Path] = [
                "@not.a.file",
                tmp_path / "photo.wav",
                tmp_path / "raw.pcm",
                "bye",
            ]
            await send_parts(session, parts, fast=True, warn=pytest.fail, tell=told.append)
        text, shown, *sounds, end, bye = (message for _, message in sent(simulator))
        assert (text.text, bye.text) == ("@not.a.file", "bye")
        assert shown.video is not None
        assert shown.video.mime_type == "image/jpeg"
        assert b"".join(sound.audio.data or b"" for sound in sounds if sound.audio) == b"\1\2" * 800
        assert end.audio_stream_end is True

    patiently(check)
    assert [line.partition(": ")[2].partition(",")[0] for line in told] == ["a picture", "sound"]
    assert "64 x 48 pixels" in told[0]
    assert told[1].endswith("sound, 0.1 s.")


def test_bare_samples_have_the_rate_that_was_named(tmp_path: Path) -> None:
    pytest.importorskip("soxr")
    (tmp_path / "raw.pcm").write_bytes(bytes(48_000 * 2))

    async def check() -> None:
        async with talking() as (session, simulator):
            raw = [tmp_path / "raw.pcm"]
            await send_parts(session, raw, fast=True, warn=pytest.fail, raw_rate_hz=48_000)
        sound = [len(message.audio.data or b"") for _, message in sent(simulator) if message.audio]
        assert sum(sound) == pytest.approx(16_000 * 2, abs=4)

    patiently(check)


def test_two_pictures_are_a_second_apart_and_text_follows_at_once(tmp_path: Path) -> None:
    """Else the session would throw the first away, and the service takes no more anyway."""
    (tmp_path / "a.png").write_bytes(picture("PNG"))

    async def check() -> None:
        async with talking() as (session, simulator):
            for _ in range(2):  # over calls as well
                await send_parts(session, [tmp_path / "a.png"], fast=True, warn=pytest.fail)
            await send_parts(session, [tmp_path / "a.png", "What?"], fast=True, warn=pytest.fail)
        assert session.statistics().drops.video_frames == 0
        (one, a), (two, b), (three, c), (said, text) = sent(simulator)
        assert a.video
        assert b.video
        assert c.video
        assert text.text == "What?"
        assert two - one >= 1
        assert three - two >= 1
        assert said - three < 0.5

    patiently(check)


async def test_what_stands_before_a_bad_file_is_sent(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talking() as (session, simulator):
        with pytest.raises(MediaError, match="There is no file"):
            await send_parts(session, ["a", tmp_path / "b", "c"], fast=True, warn=pytest.fail)
    assert [message.text for _, message in sent(simulator)] == ["a"]


async def test_a_model_that_only_listens_is_sent_nothing_else(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    config = SessionConfig(model="gemini-3.5-transcribe-live", response_modalities=["TEXT"])
    (tmp_path / "a.jpg").write_bytes(picture("JPEG"))
    async with talking(config) as (session, simulator):
        for part in ("Hello", tmp_path / "a.jpg"):
            with pytest.raises(ConfigError, match="writes down what it hears and nothing else"):
                await send_parts(session, [part], fast=True, warn=pytest.fail)
    assert sent(simulator) == []


def test_a_damaged_recording_is_used_with_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("soxr")
    (tmp_path / "cut.wav").write_bytes(SPEECH.read_bytes()[:40_000])
    warned: list[str] = []

    async def check() -> None:
        async with talking() as (session, simulator):
            await send_parts(session, [tmp_path / "cut.wav"], fast=True, warn=warned.append)
        with wave.open(str(SPEECH)) as whole:
            frames = whole.getnframes()
        sound = sum(len(it.audio.data or b"") for _, it in sent(simulator) if it.audio)
        assert 0 < sound / 2 / 16_000 < frames / 22_050

    patiently(check)
    assert warned
    assert warned[0].startswith("cut.wav is cut off")


def test_pictures_shown_at_once_by_two_are_both_seen(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture("PNG"))

    async def check() -> None:
        async with talking() as (session, simulator):
            async with trio.open_nursery() as nursery:
                for _ in range(2):
                    nursery.start_soon(
                        lambda: send_parts(session, [tmp_path / "a.png"], fast=True, warn=print)
                    )
            await trio.sleep(1)
            first, second = (time for time, what in sent(simulator) if what.video)
            assert second - first > 0.99

    patiently(check)
