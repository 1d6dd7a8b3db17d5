"""Samples to numbers and back, channels to one, levels, and blocks that lose nothing."""

import math
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from hypothesis import example, given
from hypothesis import strategies as st

from gemini_live_trio import codec
from gemini_live_trio.errors import ConfigError

np = pytest.importorskip("numpy", reason="needs the extra audio")
pytest.importorskip("samplerate", reason="needs the extra audio")

from gemini_live_trio.media.pcm import (  # noqa: E402
    AudioEncoder,
    Chunker,
    Resampler,
    float_to_int16,
    int16_to_float,
    level,
    mix_down,
)

EVERY_INT16 = np.arange(-32_768, 32_768).astype(np.int16)
CUTS = st.lists(st.integers(0, 700), max_size=12)
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


def noise(count: int) -> Any:
    return np.random.default_rng(count).uniform(-0.9, 0.9, count).astype(np.float32)


def pieces(data: Any, lengths: Sequence[int]) -> list[Any]:
    """Cut into pieces of these lengths and a last one."""
    parts = []
    for length in lengths:
        parts.append(data[:length])
        data = data[length:]
    return [*parts, data]


def encoded(encoder: AudioEncoder, parts: Sequence[Any]) -> list[bytes]:
    """Encode to the end."""
    return [block for part in parts for block in encoder.encode(part)] + encoder.flush()


# --- Numbers --------------------------------------------------------------------------------


def test_every_int16_survives_the_way_to_float_and_back() -> None:
    numbers = int16_to_float(EVERY_INT16)
    assert numbers.dtype == np.float32
    assert (numbers.min(), numbers.max()) == (-1.0, 32_767 / 32_768)
    assert np.array_equal(float_to_int16(numbers), EVERY_INT16)


@pytest.mark.parametrize(
    ("number", "sample"),
    [
        (0.0, 0),
        (-0.0, 0),
        (0.4 / 32_768, 0),
        (0.6 / 32_768, 1),
        (-0.6 / 32_768, -1),
        # halves to the even one, so that rounding shifts nothing
        (0.5 / 32_768, 0),
        (1.5 / 32_768, 2),
        (-1.5 / 32_768, -2),
        (1.0, 32_767),
        (-1.0, -32_768),
        (1.5, 32_767),
        (-1.5, -32_768),
        (3e38, 32_767),
        (-3e38, -32_768),
        (math.inf, 32_767),
        (-math.inf, -32_768),
        (math.nan, 0),
    ],
)
def test_floats_are_rounded_and_clipped(number: float, sample: int) -> None:
    assert float_to_int16(np.array([number], np.float32)).tolist() == [sample]


@given(st.lists(FLOATS))
def test_no_float_is_too_wild_and_the_caller_keeps_it(numbers: list[float]) -> None:
    samples = np.array(numbers, np.float32)
    before = samples.copy()
    whole = float_to_int16(samples)
    assert whole.dtype == np.int16
    assert np.array_equal(samples, before, equal_nan=True)
    near = np.abs(samples) < 1
    assert (np.abs(int16_to_float(whole) - samples)[near] <= 1 / 32_768).all()


def test_shapes_stay() -> None:
    frames = noise(20).reshape(5, 4)
    assert float_to_int16(frames).shape == (5, 4)
    assert int16_to_float(float_to_int16(frames)).shape == (5, 4)
    assert float_to_int16(frames[:0]).shape == (0, 4)


# --- Channels -------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 1_024])
def test_channels_that_are_alike_stay_what_they_are(channels: int) -> None:
    mono = EVERY_INT16[::97]
    frames = np.repeat(mono[:, None], channels, axis=1)
    assert np.array_equal(mix_down(frames, channels=channels), mono)
    assert np.array_equal(mix_down(frames.reshape(-1), channels=channels), mono)
    numbers = mix_down(int16_to_float(frames), channels=channels)
    assert numbers.dtype == np.float32
    assert numbers == pytest.approx(int16_to_float(mono), abs=1e-5)


@given(st.lists(st.tuples(*[st.integers(-32_768, 32_767)] * 2)))
@example([(32_767, 32_767), (-32_768, -32_768), (32_767, 32_766), (1, 2), (2, 3)])
def test_two_channels_become_their_exact_mean(frames: list[tuple[int, int]]) -> None:
    mixed = mix_down(np.array(frames, np.int16).reshape(-1, 2), channels=2)
    assert mixed.tolist() == [round((left + right) / 2) for left, right in frames]


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 2, 2), ()])
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="Samples of 2 channels must be an array of shape"):
        mix_down(np.zeros(shape, np.int16), channels=2)


# --- Levels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["int16", "float32", "bytes"])
def test_levels_are_relative_to_full_scale(kind: str) -> None:
    def measured(samples: Any) -> tuple[float, float]:
        samples = np.asarray(samples, np.float32)
        whole = float_to_int16(samples)
        found = level(
            {"int16": whole, "float32": samples, "bytes": whole.astype("<i2").tobytes()}[kind]
        )
        return found.rms_db, found.peak_db

    sine = np.sin(2 * np.pi * np.arange(16_000) / 100)
    assert measured(sine) == pytest.approx((-3.01, 0), abs=0.01)
    assert measured(sine / 10) == pytest.approx((-23.01, -20), abs=0.01)
    assert measured([-1.0, -1.0]) == (0, 0)
    assert measured([0.0, 0.0]) == (-math.inf, -math.inf)
    assert measured([]) == (-math.inf, -math.inf)
    assert measured(np.full((10, 2), -0.5)) == pytest.approx((-6.02, -6.02), abs=0.01)


def test_half_a_sample_has_no_level() -> None:
    with pytest.raises(ConfigError, match="an even number of bytes, not 3"):
        level(b"abc")


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(4, np.int32), "int16 or float32, not int32"),
        (np.zeros(4), "int16 or float32, not float64"),
        ([1, 2], "bytes of 16-bit samples, not list"),
    ],
)
def test_what_is_no_sound_has_no_level(samples: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        level(samples)


def test_a_view_of_samples_has_the_level_of_its_bytes() -> None:
    half = np.full(321, 16_384, "<i2")
    assert level(memoryview(half)) == level(half)  # type: ignore[arg-type]


@pytest.mark.parametrize("samples", [[0, 1], "ab", None])
def test_what_is_neither_an_array_nor_bytes_is_refused(samples: Any) -> None:
    with AudioEncoder() as encoder, pytest.raises(ConfigError, match="must be bytes of 16-bit"):
        encoder.encode(samples)


def test_a_closed_encoder_says_that_it_is_one() -> None:
    encoder = AudioEncoder()
    encoder.close()
    with pytest.raises(trio.ClosedResourceError, match="this encoder was closed"):
        encoder.encode(bytes(640))


# --- Blocks ---------------------------------------------------------------------------------


@given(data=st.binary(max_size=4_000), cuts=CUTS, length=st.integers(1, 700))
def test_bytes_come_out_in_whole_blocks_and_in_order(
    data: bytes, cuts: list[int], length: int
) -> None:
    chunker = Chunker(length)
    blocks, taken = [], 0
    for piece in pieces(data, cuts):
        changing = bytearray(piece)
        blocks += chunker.feed(changing)
        changing[:] = bytes(len(changing))  # as a device does with its buffer
        taken += len(piece)
        assert {len(block) for block in blocks} <= {length}
        assert len(blocks) == taken // length
        assert chunker.held_bytes == taken % length
    assert b"".join(blocks) + chunker.flush() == data
    assert (chunker.held_bytes, chunker.flush()) == (0, b"")


def test_blocks_of_no_length_are_refused() -> None:
    with pytest.raises(ConfigError, match="block_bytes must be 1 or more, not 0"):
        Chunker(0)


# --- The encoder ----------------------------------------------------------------------------


@given(cuts=CUTS, block_ms=st.sampled_from([1, 20, 21, 100]))
def test_samples_come_out_as_they_went_in_whatever_form_they_had(
    cuts: list[int], block_ms: int
) -> None:
    samples = float_to_int16(noise(sum(cuts) + 50))
    for form in (samples, int16_to_float(samples), samples[:, None]):
        with AudioEncoder(block_ms=block_ms) as encoder:
            blocks = encoded(encoder, pieces(form, cuts))
            assert {len(block) for block in blocks[:-1]} <= {32 * block_ms}
            assert len(blocks[-1]) <= 32 * block_ms
            assert b"".join(blocks) == samples.astype("<i2").tobytes()
            assert (encoder.nan_samples, encoder.clipped_samples) == (0, 0)


@given(cuts=CUTS, channels=st.sampled_from([1, 2, 3]))
def test_bytes_may_be_cut_in_the_middle_of_a_sample(cuts: list[int], channels: int) -> None:
    frames = float_to_int16(noise((sum(cuts) + 50) * channels)).reshape(-1, channels)
    data = frames.astype("<i2").tobytes()
    with AudioEncoder(channels=channels) as encoder:
        whole = encoded(encoder, [frames])
        assert encoded(encoder, pieces(data, cuts)) == whole
        assert encoded(encoder, pieces(memoryview(data), cuts)) == whole
        assert encoded(encoder, pieces(bytearray(data), cuts)) == whole
        assert encoder.odd_bytes == 0


def test_half_a_sample_at_the_very_end_is_counted() -> None:
    with AudioEncoder(channels=2) as encoder:
        assert encoder.encode(b"\1\0\1\0\2\0\2") == []
        assert encoder.flush() == [b"\1\0"]
        assert encoder.odd_bytes == 3
        assert encoded(encoder, [b"\5\0\5\0"]) == [b"\5\0"]
        assert encoder.odd_bytes == 3


@given(cuts=CUTS, form=st.sampled_from(["int16", "float32", "bytes"]))
def test_resampled_however_it_is_cut_the_same_blocks_come_out(cuts: list[int], form: str) -> None:
    count = (sum(cuts) + 1_000) // 2 * 2
    data = noise(count) if form == "float32" else float_to_int16(noise(count))
    cuts = [length // 2 * 2 for length in cuts]
    if form == "bytes":
        data = data.astype("<i2").tobytes()
    with AudioEncoder(from_hz=48_000, channels=2) as encoder:
        whole = encoded(encoder, [data])
        assert encoded(encoder, pieces(data, cuts)) == whole
        expected = -(-count // 2 // 3) + round(encoder.delay_seconds * 16_000)
        assert sum(map(len, whole)) / 2 == pytest.approx(expected, abs=1)


def test_a_device_block_of_20_ms_gives_one_block_from_the_first_on() -> None:
    with AudioEncoder(from_hz=48_000, channels=2) as encoder:
        assert encoder.block_samples == 320
        for _ in range(10):
            (block,) = encoder.encode(noise(1_920).reshape(960, 2))
            assert len(block) == 640


def test_it_says_how_much_waits() -> None:
    with AudioEncoder(from_hz=48_000) as encoder:
        waiting = []
        for _ in range(4):
            encoder.encode(noise(480))
            waiting.append(encoder.held_seconds)
        assert waiting == [0.01, 0.0, 0.01, 0.0]


def test_it_resamples_as_the_resampler_does() -> None:
    samples = noise(44_100)
    with AudioEncoder(from_hz=44_100) as encoder, Resampler(44_100, 16_000) as resampler:
        expected = float_to_int16(resampler.process(samples, last=True))
        assert b"".join(encoded(encoder, [samples])) == expected.astype("<i2").tobytes()


@pytest.mark.parametrize("from_hz", [16_000, 48_000])
def test_what_is_no_sound_is_mended_and_counted(from_hz: int) -> None:
    samples = noise(9_600)
    samples[[10, 20, 30]] = np.nan
    samples[[40, 50]] = np.inf, -np.inf
    samples[[60, 70]] = 1.5, -3e38
    samples[[80, 90]] = 1.0, -1.0  # the very edge is no fault
    given_ = samples.copy()
    with AudioEncoder(from_hz=from_hz) as encoder:
        blocks = encoded(encoder, [samples])
        assert (encoder.nan_samples, encoder.clipped_samples) == (3, 4)
    assert np.array_equal(samples, given_, equal_nan=True)
    if from_hz == 16_000:
        made = np.frombuffer(b"".join(blocks), "<i2")
        assert made[[10, 40, 50, 60, 70, 80, 90]].tolist() == [
            *(0, 32_767, -32_768, 32_767, -32_768, 32_767, -32_768)
        ]


def test_one_bad_channel_does_not_silence_the_other() -> None:
    frames = noise(640).reshape(320, 2)
    frames[:, 0] = np.nan
    with AudioEncoder(channels=2) as encoder:
        (block,) = encoder.encode(frames)
        assert encoder.nan_samples == 320
    assert np.frombuffer(block, "<i2").tolist() == float_to_int16(frames[:, 1] / 2).tolist()


@given(st.lists(st.lists(FLOATS, max_size=50), max_size=5), st.sampled_from([16_000, 48_000]))
def test_no_microphone_is_too_wild(parts: list[list[float]], from_hz: int) -> None:
    arrays = [np.array(part, np.float32) for part in parts]
    with AudioEncoder(from_hz=from_hz) as encoder:
        blocks = encoded(encoder, arrays)
        wrong = sum(math.isnan(number) for part in parts for number in part)
        beyond = sum(abs(number) > 1 for part in parts for number in part)
        assert (encoder.nan_samples, encoder.clipped_samples) == (wrong, beyond)
        if from_hz == 16_000:
            assert sum(map(len, blocks)) == 2 * sum(map(len, parts))


def test_its_working_memory_is_used_again() -> None:
    with AudioEncoder() as encoder:
        encoder.encode(noise(1_600))
        scratch, rounded = encoder._scratch, encoder._rounded
        for count in (1_600, 7, 0, 1_599):
            encoder.encode(noise(count))
            assert encoder._scratch is scratch
            assert encoder._rounded is rounded


def test_its_blocks_are_what_the_codec_takes() -> None:
    with AudioEncoder() as encoder:
        (block,) = encoder.encode(noise(320))
    (part,) = [codec.decode_client(codec.encode_audio(block).encode())]
    assert part.realtime_input is not None
    assert part.realtime_input.audio is not None
    assert part.realtime_input.audio.data == block


def test_blocks_already_given_do_not_change() -> None:
    with AudioEncoder() as encoder:
        (first,) = encoder.encode(noise(320))
        copy = bytes(bytearray(first))
        encoder.encode(noise(640))
        assert first == copy


def test_a_rate_that_20_ms_do_not_divide_has_shorter_blocks() -> None:
    with AudioEncoder(11_025) as encoder:
        assert encoder.block_samples == 220
        assert len(encoder.encode(noise(1_000))[0]) == 440


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rate_hz": 0}, "rate_hz must be"),
        ({"rate_hz": 10**9}, "rate_hz must be"),
        ({"from_hz": -48_000}, "from_hz must be"),
        ({"from_hz": 48_000.5}, "from_hz must be"),
        ({"block_ms": 0}, "block_ms must be"),
        ({"block_ms": 10_001}, "block_ms must be"),
        ({"block_ms": math.nan}, "block_ms must be"),
        ({"block_ms": 20.5}, "block_ms must be 1 to 10,000 milliseconds, not 20.5; give an int"),
        ({"block_ms": "20"}, "block_ms must be"),
        ({"from_hz": 48_000, "backend": "sox"}, "'samplerate' or 'soxr', not 'sox'"),
        ({"channels": 0}, "channels must be"),
    ],
)
def test_absurd_settings_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        AudioEncoder(**options)


def test_a_refused_piece_changes_nothing() -> None:
    with AudioEncoder(channels=2) as encoder:
        for wrong in (np.zeros(4), np.zeros(3, np.int16), np.zeros((4, 1), np.float32)):
            with pytest.raises(ConfigError):
                encoder.encode(wrong)
        assert encoder.flush() == []


def test_a_closed_one_says_so() -> None:
    with AudioEncoder() as encoder:
        pass
    with pytest.raises(trio.ClosedResourceError):
        encoder.encode(noise(10))
    with pytest.raises(trio.ClosedResourceError):
        encoder.flush()


# --- Imports --------------------------------------------------------------------------------


def test_numpy_comes_only_with_this_module() -> None:
    code = (
        "import sys, gemini_live_trio.media; assert 'numpy' not in sys.modules;"
        "import gemini_live_trio.media.pcm; assert 'numpy' in sys.modules;"
        "print(*{'samplerate', 'soxr', 'soundfile', 'PIL', 'sounddevice'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""


def test_without_numpy_one_line_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['numpy'] = None;"
        "from gemini_live_trio.errors import MissingDependency\n"
        "try: import gemini_live_trio.media.pcm\n"
        "except MissingDependency as error: print(error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == (
        'gemini_live_trio.media.pcm needs numpy: pip install "gemini-live-trio[audio]"\n'
    )
