"""The model's voice in a file, whatever happens."""

import array
import os
import struct
import wave
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import trio
from support import most_bytes, no_thread_to_spare

from gemini_live_trio.errors import ConfigError, MediaError
from gemini_live_trio.media import open_wav_writer
from gemini_live_trio.media._writing import BUFFER_BYTES, MOST_BYTES, MOST_HELD_BYTES


def content(path: Path) -> tuple[int, bytes]:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.getframerate(), file.readframes(file.getnframes())


async def test_pieces_of_any_length_become_one_recording(tmp_path: Path) -> None:
    said = os.urandom(100_000)
    async with open_wav_writer(tmp_path / "out.wav") as wav:
        for start, end in [(0, 1), (1, 2), (2, 60_001), (60_001, 60_001), (60_001, 100_000)]:
            await wav.write(said[start:end])
        assert wav.seconds == pytest.approx(100_000 / 48_000)
    assert content(tmp_path / "out.wav") == (24_000, said)


async def test_half_a_sample_at_the_very_end_is_left_out(tmp_path: Path) -> None:
    async with open_wav_writer(tmp_path / "out.wav") as wav:
        await wav.write(b"abc")
    assert content(tmp_path / "out.wav") == (24_000, b"ab")


async def test_a_recording_is_finished_while_the_program_has_no_thread_to_spare(
    tmp_path: Path,
) -> None:
    finished = trio.Event()

    async def write(task_status: trio.TaskStatus[trio.Event]) -> None:
        async with open_wav_writer(tmp_path / "out.wav") as wav:
            await wav.write(b"abcd")
            leave = trio.Event()
            task_status.started(leave)
            await leave.wait()
        finished.set()

    async with trio.open_nursery() as nursery:
        leave = await nursery.start(write)
        with no_thread_to_spare(), trio.move_on_after(5):
            leave.set()
            await finished.wait()
        assert finished.is_set()
    assert content(tmp_path / "out.wav") == (24_000, b"abcd")


async def test_without_a_word_it_is_a_valid_empty_recording(tmp_path: Path) -> None:
    async with open_wav_writer(tmp_path / "out.wav"):
        pass
    assert content(tmp_path / "out.wav") == (24_000, b"")


async def test_the_first_piece_settles_the_rate(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="has 16000 samples a second; a piece with 24000"):
        async with open_wav_writer(tmp_path / "out.wav") as wav:
            await wav.write(b"abcd", rate_hz=16_000)
            await wav.write(b"efgh", rate_hz=24_000)
    assert content(tmp_path / "out.wav") == (16_000, b"abcd")


async def test_what_no_header_could_count_is_refused_and_the_file_stays_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gemini_live_trio.media._writing.MOST_BYTES", 100_000)
    async with open_wav_writer(tmp_path / "out.wav") as wav:
        await wav.write(bytes(99_998))
        with pytest.raises(MediaError, match=r"out\.wav is full: .* Begin another"):
            await wav.write(bytes(4))
        await wav.write(bytes(2))
    assert content(tmp_path / "out.wav") == (24_000, bytes(100_000))


def test_a_header_can_count_the_longest_recording() -> None:
    # As the wave module writes it: the sound, and what of the header comes after the size.
    struct.pack("<L", MOST_BYTES + 36)


@pytest.mark.parametrize("leave", ["cancelled", "failed"])
async def test_the_header_is_right_however_the_block_is_left(tmp_path: Path, leave: str) -> None:
    with trio.CancelScope() as scope:
        try:
            async with open_wav_writer(tmp_path / "out.wav") as wav:
                await wav.write(b"abcd")
                if leave == "failed":
                    raise ZeroDivisionError
                scope.cancel()
                await trio.lowlevel.checkpoint()
        except ZeroDivisionError:
            assert leave == "failed"
    assert content(tmp_path / "out.wav") == (24_000, b"abcd")


async def test_it_can_be_played_while_it_grows(tmp_path: Path) -> None:
    async with open_wav_writer(tmp_path / "out.wav") as wav:
        await wav.write(bytes(50_000))
        assert content(tmp_path / "out.wav") == (24_000, bytes(50_000))


async def test_what_cannot_be_written_is_refused_in_one_sentence(tmp_path: Path) -> None:
    for path, said in [
        (tmp_path, "Is a directory"),
        (tmp_path / "none" / "out.wav", "No such file"),
        (Path("a\0b"), "null"),
    ]:
        with pytest.raises(MediaError, match=said):
            async with open_wav_writer(path):
                pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No space left"):
        async with open_wav_writer("/dev/full") as wav:
            await wav.write(bytes(100_000))
    with pytest.raises(MediaError, match="No space left"):
        async with open_wav_writer("/dev/full") as wav:
            await wav.write(bytes(100))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_replaces_no_other_exception() -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        async with open_wav_writer("/dev/full") as wav:
            await wav.write(bytes(100))
            raise ZeroDivisionError
    assert "No space left" in caught.value.__notes__[0]
    with trio.CancelScope() as scope:
        async with open_wav_writer("/dev/full") as wav:
            await wav.write(bytes(100))
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught


@pytest.mark.skipif(os.name != "posix", reason="needs FIFOs")
async def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.wav")
    with pytest.raises(MediaError, match="is no ordinary file"):
        async with open_wav_writer(tmp_path / "fifo.wav"):
            pass


@pytest.mark.parametrize("rate_hz", [0, -5, 999, 10**9, 16_000.0, "16000"])
async def test_an_absurd_rate_is_refused(tmp_path: Path, rate_hz: Any) -> None:
    async with open_wav_writer(tmp_path / "out.wav") as wav:
        with pytest.raises(ConfigError, match="rate_hz must be 1,000 to 768,000"):
            await wav.write(b"abcd", rate_hz=rate_hz)
        await wav.write(b"abcd")
    assert content(tmp_path / "out.wav") == (24_000, b"abcd")


@pytest.mark.parametrize("pcm", [array.array("h", [0]), "abcd", None])
async def test_what_is_not_bytes_is_refused(tmp_path: Path, pcm: Any) -> None:
    async with open_wav_writer(tmp_path / "out.wav") as wav:
        with pytest.raises(ConfigError, match="must be bytes of 16-bit samples"):
            await wav.write(pcm)


async def test_after_its_block_it_takes_nothing(tmp_path: Path) -> None:
    async with open_wav_writer(tmp_path / "out.wav") as wav:
        await wav.write(b"abcd")
    for pcm in (b"ef", bytes(100_000)):
        with pytest.raises(trio.ClosedResourceError, match="this recording was closed"):
            await wav.write(pcm)


@pytest.mark.parametrize("path", [None, 5, ""])
async def test_what_names_no_file_is_refused(path: Any) -> None:
    with pytest.raises(ConfigError, match="A file is named by"):
        async with open_wav_writer(path):
            pass


@pytest.mark.skipif(os.name != "posix", reason="the limit is POSIX's")
@pytest.mark.parametrize("room", [0, 20, 44, 20_000, 100_000])
async def test_a_disk_that_stays_full_fills_no_memory_and_loses_nothing_that_it_took(
    tmp_path: Path, room: int
) -> None:
    second = os.urandom(BUFFER_BYTES)
    taken = 0
    async with open_wav_writer(tmp_path / "out.wav") as wav:
        with most_bytes(room):
            for _ in range(100):
                before = wav.seconds
                with suppress(MediaError):
                    await wav.write(second)
                taken += wav.seconds > before
        assert len(wav._held) == MOST_HELD_BYTES
        assert taken < 70
        before = wav.seconds
        with trio.CancelScope() as scope:
            scope.cancel()
            await wav.write(second)
        assert scope.cancelled_caught
        assert wav.seconds == before
        await wav.write(second)
    _, said = content(tmp_path / "out.wav")
    assert said == second * (taken + 1)
