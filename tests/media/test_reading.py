"""Recordings of every kind become the same blocks."""

import errno
import io
import math
import os
import re
import shutil
import struct
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import trio

from gemini_live_trio.errors import ConfigError, MediaError, MissingDependency
from gemini_live_trio.media import RawPcm, SoundReader, open_sound

np = pytest.importorskip("numpy", reason="needs the extra audio")
soundfile = pytest.importorskip("soundfile", reason="needs the extra audio")
pytest.importorskip("soxr", reason="needs the extra audio")

SPEECH = Path(__file__).parent.parent / "data" / "speech.wav"


def tone(rate_hz: int, seconds: float = 1.0, hz: float = 440.0, level: float = 0.5) -> Any:
    return level * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)


async def read(path: Path, **options: Any) -> Any:
    """Return the samples and the warnings."""
    async with open_sound(path, **options) as sound:
        blocks = [block async for block in sound]
        assert all(len(block) == len(blocks[0]) for block in blocks[:-1])
        assert len(blocks[-1]) <= len(blocks[0])
        return np.frombuffer(b"".join(blocks), "<i2") / 32768, sound.warnings


def pitch(samples: Any, rate_hz: int = 16_000) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate_hz / len(samples))


def level(samples: Any) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4]
    return math.sqrt(2 * float(np.mean(middle**2)))


KINDS = {
    "8k": (8_000, 1, {}),
    "11k": (11_025, 1, {}),
    "16k": (16_000, 1, {}),
    "22k": (22_050, 1, {}),
    "44k-stereo": (44_100, 2, {}),
    "48k": (48_000, 1, {}),
    "48k-six-channels": (48_000, 6, {}),
    "24-bit": (48_000, 2, {"subtype": "PCM_24"}),
    "32-bit": (44_100, 1, {"subtype": "PCM_32"}),
    "8-bit": (16_000, 1, {"subtype": "PCM_U8"}),
    "float": (48_000, 1, {"subtype": "FLOAT"}),
    "double": (48_000, 1, {"subtype": "DOUBLE"}),
    "u-law": (8_000, 1, {"subtype": "ULAW"}),
    "extensible": (44_100, 2, {"format": "WAVEX"}),
    "rf64": (44_100, 1, {"format": "RF64"}),
    "aiff": (44_100, 1, {"format": "AIFF"}),
    "flac": (44_100, 2, {"format": "FLAC"}),
    "ogg": (48_000, 1, {"format": "OGG", "subtype": "VORBIS"}),
    "opus": (48_000, 1, {"format": "OGG", "subtype": "OPUS"}),
    "mp3": (44_100, 1, {"format": "MP3"}),
}


@pytest.mark.parametrize(("rate_hz", "channels", "options"), KINDS.values(), ids=KINDS.keys())
async def test_a_tone_keeps_its_pitch_level_and_length(
    tmp_path: Path, rate_hz: int, channels: int, options: dict[str, str]
) -> None:
    # The ending is no help, on purpose.
    path = tmp_path / "tone.raw"
    signal = tone(rate_hz, 1.0137)
    soundfile.write(
        path, np.stack([signal] * channels, axis=1), rate_hz, **{"format": "WAV", **options}
    )
    samples, warnings = await read(path)
    assert warnings == []
    assert pitch(samples) == pytest.approx(440, abs=1.5)
    assert level(samples) == pytest.approx(0.5, rel=0.02)
    assert len(samples) == pytest.approx(len(signal) * 16_000 / rate_hz, abs=2)


async def test_nothing_is_changed_where_nothing_need_be(tmp_path: Path) -> None:
    exact = np.arange(-32768, 32768, dtype="<i2")
    soundfile.write(tmp_path / "all.wav", exact, 16_000, subtype="PCM_16")
    async with open_sound(tmp_path / "all.wav") as sound:
        assert b"".join([block async for block in sound]) == exact.tobytes()


async def test_block_length_and_rate_can_be_chosen(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(48_000), 48_000)
    async with open_sound(tmp_path / "tone.wav", rate_hz=24_000, block_ms=40) as sound:
        assert (sound.rate_hz, sound.seconds) == (24_000, 1.0)
        assert [len(block) async for block in sound] == [24_000 * 2 // 25] * 25


async def test_what_is_above_hearing_does_not_come_back_as_an_alias(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "high.wav", tone(48_000, hz=9_000), 48_000)
    samples, _ = await read(tmp_path / "high.wav")
    assert level(samples) < 1e-4


async def test_too_loud_and_not_a_number_stay_within_the_scale(tmp_path: Path) -> None:
    signal = tone(16_000, level=4.0).astype("f4")
    signal[100:200] = np.nan
    signal[200:300] = np.inf
    soundfile.write(tmp_path / "wild.wav", signal, 16_000, subtype="FLOAT")
    samples, warnings = await read(tmp_path / "wild.wav")
    assert warnings == ["wild.wav has 100 samples that are not numbers; they are silent."]
    assert len(samples) == 16_000
    assert max(samples) == 32767 / 32768
    assert min(samples) == -1
    assert not samples[100:200].any()


async def test_one_bad_channel_does_not_silence_the_other(tmp_path: Path) -> None:
    frames = np.stack([tone(16_000), np.full(16_000, np.nan)], axis=1)
    soundfile.write(tmp_path / "half.wav", frames, 16_000, subtype="FLOAT")
    samples, warnings = await read(tmp_path / "half.wav")
    assert level(samples) == pytest.approx(0.25, rel=0.01)
    assert warnings == ["half.wav has 16,000 samples that are not numbers; they are silent."]


async def test_the_committed_recording_is_read() -> None:
    samples, warnings = await read(SPEECH)
    assert warnings == []
    assert 1 < len(samples) / 16_000 < 3
    assert level(samples) > 0.05


async def test_it_says_how_far_it_is(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "two.wav", tone(48_000, 2.0), 48_000)
    async with open_sound(tmp_path / "two.wav", block_ms=500) as sound:
        assert (sound.seconds, sound.position_seconds, sound.fraction) == (2.0, 0.0, 0.0)
        places = [(sound.position_seconds, sound.fraction) async for _ in sound]
        assert places == [(0.5, 0.25), (1.0, 0.5), (1.5, 0.75), (2.0, 1.0)]


async def test_of_2_gib_only_a_moment_is_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.raw"
    with path.open("wb") as file:
        file.truncate(2 << 30)  # a hole, which takes no room on the disk
    tracemalloc.start()
    try:
        async with open_sound(path, raw=RawPcm(rate_hz=48_000, channels=2)) as sound:
            assert sound.seconds == pytest.approx((2 << 30) / 4 / 48_000)
            for _ in range(500):
                assert len(await anext(sound)) == 640
            assert sound.position_seconds == 10.0
            assert 0 < sound.fraction < 0.001
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


async def test_memory_stays_as_it_is_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "minutes.wav"
    soundfile.write(path, np.zeros((48_000 * 60, 2), "<i2"), 48_000)
    tracemalloc.start()
    try:
        async with open_sound(path) as sound:
            seconds = sum([len(block) / 32_000 async for block in sound])
        assert seconds == pytest.approx(60)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20 < path.stat().st_size
    finally:
        tracemalloc.stop()


async def test_a_thousand_channels_take_no_more_memory(tmp_path: Path) -> None:
    path = tmp_path / "choir.wav"
    soundfile.write(path, np.tile(tone(16_000)[:, None], (1, 1_024)), 16_000)
    tracemalloc.start()
    try:
        samples, _ = await read(path)
        assert level(samples) == pytest.approx(0.5, rel=0.01)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20 < path.stat().st_size
    finally:
        tracemalloc.stop()


ENCODINGS: dict[str, tuple[str, str]] = {
    "s8": ("PCM_S8", "FILE"),
    "u8": ("PCM_U8", "FILE"),
    "s16le": ("PCM_16", "LITTLE"),
    "s16be": ("PCM_16", "BIG"),
    "s24le": ("PCM_24", "LITTLE"),
    "s24be": ("PCM_24", "BIG"),
    "s32le": ("PCM_32", "LITTLE"),
    "s32be": ("PCM_32", "BIG"),
    "f32le": ("FLOAT", "LITTLE"),
    "f32be": ("FLOAT", "BIG"),
    "f64le": ("DOUBLE", "LITTLE"),
    "f64be": ("DOUBLE", "BIG"),
    "ulaw": ("ULAW", "FILE"),
    "alaw": ("ALAW", "FILE"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_bare_samples_are_read_as_they_are_said_to_be(tmp_path: Path, encoding: Any) -> None:
    path = tmp_path / "bare.mp3"  # a lie
    frames = np.stack([tone(24_000)] * 2, axis=1)
    subtype, endian = ENCODINGS[encoding]
    soundfile.write(path, frames, 24_000, format="RAW", subtype=subtype, endian=endian)
    samples, warnings = await read(path, raw=RawPcm(24_000, channels=2, encoding=encoding))
    assert warnings == []
    assert len(samples) == 16_000
    assert pitch(samples) == pytest.approx(440, abs=1.5)
    assert level(samples) == pytest.approx(0.5, rel=0.02)


async def test_bare_samples_at_the_right_rate_stay_as_they_are(tmp_path: Path) -> None:
    said = os.urandom(32_000)
    (tmp_path / "bare.raw").write_bytes(said)
    async with open_sound(tmp_path / "bare.raw", raw=RawPcm()) as sound:
        assert (sound.seconds, sound.warnings) == (1.0, [])
        assert b"".join([block async for block in sound]) == said


async def test_a_header_is_sound_to_whom_says_that_there_is_none(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "tone.wav", tone(16_000), 16_000)
    samples, _ = await read(tmp_path / "tone.wav", raw=RawPcm())
    assert len(samples) == 16_000 + 22


@pytest.mark.parametrize(("size", "left"), [(32_001, 1), (32_003, 3)])
async def test_a_part_of_a_sample_at_the_end_is_left_out_with_a_word(
    tmp_path: Path, size: int, left: int
) -> None:
    (tmp_path / "odd.raw").write_bytes(bytes(size))
    samples, warnings = await read(tmp_path / "odd.raw", raw=RawPcm(channels=2))
    assert len(samples) == 8_000
    assert warnings == [
        f"odd.raw ends in the middle of a sample; its last {left} bytes are left out."
    ]


async def test_less_than_one_sample_is_no_sound(tmp_path: Path) -> None:
    (tmp_path / "one.raw").write_bytes(b"a")
    with pytest.raises(MediaError, match="holds no sound"):
        async with open_sound(tmp_path / "one.raw", raw=RawPcm()):
            pass


async def test_the_wrong_encoding_is_noise_and_no_fault(tmp_path: Path) -> None:
    (tmp_path / "noise.raw").write_bytes(os.urandom(200_000))
    for encoding in ENCODINGS:
        raw = RawPcm(44_100, channels=3, encoding=encoding)  # type: ignore[arg-type]
        samples, warnings = await read(tmp_path / "noise.raw", raw=raw)
        assert np.abs(samples).max() <= 1
        assert all("middle of a sample" in said or "not numbers" in said for said in warnings)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rate_hz": 0}, "rate_hz must be 1,000 to 768,000"),
        ({"rate_hz": 10**9}, "rate_hz must be"),
        ({"channels": 0}, "channels must be 1 to 1,024, not 0"),
        ({"encoding": "s16"}, "encoding must be one of s8, u8, s16le, .*; not 's16'"),
    ],
)
def test_absurd_bare_samples_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        RawPcm(**options)


async def test_a_truncated_wav_gives_what_is_there(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "cut.wav", tone(16_000, 2.0), 16_000)
    os.truncate(tmp_path / "cut.wav", 44 + 32_001)
    samples, warnings = await read(tmp_path / "cut.wav")
    assert len(samples) == 16_000
    assert warnings == [
        "cut.wav is cut off: it should last 2.0 s, and the 1.0 s that are there are used."
    ]


async def test_a_wav_from_a_pipe_is_whole_although_its_length_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "piped.wav"
    soundfile.write(path, tone(16_000), 16_000)
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = struct.pack("<I", 0xFFFF_FFFF)
    path.write_bytes(content)
    samples, warnings = await read(path)
    assert (len(samples), warnings) == (16_000, [])


async def test_a_header_that_points_before_the_file_writes_nothing_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.aiff"
    soundfile.write(path, np.zeros(480, np.float32), 48_000, format="AIFF", subtype="PCM_16")
    damaged = bytearray(path.read_bytes())
    damaged[38] = 0xFF  # in the name of the chunk that holds the sound
    path.write_bytes(damaged)
    with pytest.raises(MediaError, match="is not a sound file"):
        async with open_sound(path) as sound:
            async for _ in sound:
                pass
    assert capfd.readouterr().err == ""


async def test_a_damaged_flac_gives_what_comes_before(tmp_path: Path) -> None:
    path = tmp_path / "cut.flac"
    soundfile.write(path, tone(16_000, 4.0), 16_000)
    os.truncate(path, path.stat().st_size // 2)
    samples, warnings = await read(path)
    assert 16_000 < len(samples) < 48_000
    assert pitch(samples) == pytest.approx(440, abs=1.5)
    assert len(warnings) == 1
    assert "cut.flac is damaged after" in warnings[0]


async def test_a_cut_mp3_says_so_at_its_end(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp3"
    soundfile.write(path, tone(16_000, 4.0), 16_000, format="MP3")
    assert (await read(path))[1] == []
    os.truncate(path, path.stat().st_size // 2)
    samples, warnings = await read(path)
    assert len(samples) < 48_000
    assert warnings == [
        "cut.mp3 is cut off: it should last 4.0 s, "
        f"and the {len(samples) / 16_000:.1f} s that are there are used."
    ]


async def test_a_flac_from_a_pipe_is_whole_although_its_length_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "piped.flac"
    soundfile.write(path, tone(16_000, 1.0), 16_000)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    async with open_sound(path) as sound:
        blocks = [block async for block in sound]
        assert (sound.seconds, sound.fraction, sound.warnings) == (math.inf, 0.0, [])
    assert len(b"".join(blocks)) == 32_000


async def test_a_recording_is_read_by_one_task_within_its_block() -> None:
    refused: list[trio.BusyResourceError] = []

    async def read_one(sound: SoundReader) -> None:
        try:
            await anext(sound)
        except trio.BusyResourceError as error:
            refused.append(error)

    async with open_sound(SPEECH) as sound, trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(read_one, sound)
    assert len(refused) == 2
    with pytest.raises(trio.ClosedResourceError, match="this recording was closed"):
        await anext(sound)


def bad_files(folder: Path) -> dict[str, tuple[Path, str]]:
    """Every kind of file that is no sound, with what must be said of it."""
    soundfile.write(folder / "none.wav", np.zeros(0), 16_000)
    soundfile.write(folder / "header.wav", tone(16_000), 16_000)
    os.truncate(folder / "header.wav", 20)
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("To whom it may concern: this is not a sound.\n" * 10)
    os.mkfifo(folder / "pipe.wav")
    soundfile.write(folder / "slow.wav", tone(16_000), 16_000)
    content = bytearray((folder / "slow.wav").read_bytes())
    content[24:28] = struct.pack("<I", 3)
    (folder / "slow.wav").write_bytes(content)
    return {
        "missing": (folder / "missing.wav", "There is no file"),
        "folder": (folder, "is a folder"),
        "empty": (folder / "empty.wav", "is empty: 0 bytes"),
        "no samples": (folder / "none.wav", "holds no sound"),
        "half a header": (folder / "header.wav", "is not a sound file"),
        "text": (folder / "text.wav", "is not a sound file"),
        "pipe": (folder / "pipe.wav", "is not an ordinary file"),
        "rate": (folder / "slow.wav", "3 samples a second"),
        "under a file": (folder / "text.wav" / "x.wav", "Not a directory"),
        "nul": (folder / "a\0b.wav", "null"),
    }


async def test_it_is_read_where_libsndfile_has_a_c_library_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Windows, where our numbers of open files mean nothing to it."""

    class Foreign:
        def __getattr__(self, name: str) -> Any:
            return getattr(library, name)

        def sf_open_fd(self, *_: Any) -> Any:
            return soundfile._ffi.NULL

    library = soundfile._snd
    monkeypatch.setattr(soundfile, "_snd", Foreign())
    soundfile.write(tmp_path / "tone.wav", tone(16_000), 16_000)
    samples, warnings = await read(tmp_path / "tone.wav")
    assert (len(samples), warnings) == (16_000, [])


async def test_a_disk_that_fails_is_not_taken_for_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Failing(io.FileIO):
        def readinto(self, buffer: Any) -> int:
            if self.tell() > 40_000:
                raise OSError(errno.EIO, "Input/output error")
            return super().readinto(buffer) or 0

    path = tmp_path / "tone.wav"
    soundfile.write(path, tone(16_000, 2.0), 16_000)
    monkeypatch.setattr(Path, "open", lambda self, _: io.BufferedReader(Failing(self)))
    samples, (warning,) = await read(path)
    assert 16_000 < len(samples) < 32_000
    assert re.fullmatch(
        r"tone.wav can't be read any further \(Input/output error\) after 1\.\d s; "
        r"what comes before is used\.",
        warning,
    )
    assert capfd.readouterr() == ("", "")


async def test_what_is_no_sound_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for kind, (path, said) in bad_files(tmp_path).items():
        with pytest.raises(MediaError, match=said) as caught:
            async with open_sound(path):
                pytest.fail(f"{kind}: opened")
        assert "\n" not in str(caught.value)


def secret(folder: Path) -> Path:
    path = Path(shutil.copy(SPEECH, folder / "secret.wav"))
    path.chmod(0)
    return path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_that_may_not_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="Permission denied"):
        async with open_sound(secret(tmp_path)):
            pass


async def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(MissingDependency, match=r'pip install "gemini-live-trio\[audio\]"'):
        async with open_sound(SPEECH):
            pass


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("any.wav", {"raw": "s16le"}),
        ("any.wav", {"raw": {"rate_hz": 8_000}}),
        *((path, {}) for path in (None, 3, b"any.wav", "")),
    ],
)
async def test_what_is_of_another_type_is_refused(path: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"raw must be a RawPcm|A file is named by"):
        async with open_sound(path, **options):
            pass


@pytest.mark.parametrize(
    ("rate_hz", "block_ms"),
    [(0, 20), (16_000, 0), (16_000, -1), (16_000, 20.5), (16_000, "20"), (16_000, 10_001)],
)
async def test_blocks_of_no_length_are_refused(rate_hz: int, block_ms: Any) -> None:
    with pytest.raises(ConfigError, match="must be"):
        async with open_sound("any.wav", rate_hz=rate_hz, block_ms=block_ms):
            pass
