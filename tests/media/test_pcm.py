"""Numbers, resampling and blocks of sound."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

np = pytest.importorskip("numpy")

from gemini_live_trio.errors import ConfigError, MediaError  # noqa: E402
from gemini_live_trio.media import _speexdsp, pcm  # noqa: E402
from gemini_live_trio.media.pcm import (  # noqa: E402
    AudioEncoder,
    Resampler,
    level_dbfs,
    mix_down,
    peak_dbfs,
    to_float32,
    to_int16,
    to_pcm,
)

LIVE = ["libspeexdsp", "samplerate"]


def tone(hertz: float, rate_hz: int, seconds: float = 1.0, level: float = 0.5) -> Any:
    steps = np.arange(int(rate_hz * seconds)) * 2 * np.pi * hertz / rate_hz
    return (level * np.sin(steps)).astype(np.float32)


def in_pieces(resampler: Resampler, samples: Any, length: int) -> Any:
    pieces = [
        resampler.process(samples[start : start + length])
        for start in range(0, len(samples), length)
    ]
    return np.concatenate([*pieces, resampler.process(samples[:0], last=True)])


def strength(samples: Any, hertz: float, rate_hz: int) -> float:
    """Of one frequency, in dB of full scale."""
    window = np.blackman(len(samples))
    waves = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / rate_hz)
    return float(20 * np.log10(2 * abs((samples * window * waves).sum()) / window.sum() + 1e-12))


@pytest.fixture(params=LIVE)
def live(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each library that may serve live sound, for a system that has it or lacks the better one."""
    if request.param == "samplerate":
        pytest.importorskip("samplerate")
        monkeypatch.setattr(_speexdsp, "_found", lambda: None)
    elif _speexdsp._found() is None:
        pytest.skip("needs libspeexdsp")
    return str(request.param)


# --- Numbers ----------------------------------------------------------------------------------


@given(st.lists(st.integers(-32_768, 32_767), max_size=50))
def test_integers_survive_a_journey_through_floats(values: list[int]) -> None:
    samples = np.array(values, np.int16)
    assert (to_int16(to_float32(samples)) == samples).all()
    assert np.frombuffer(to_pcm(samples), "<i2").tolist() == values


def test_what_is_beyond_full_scale_or_no_number_is_made_harmless() -> None:
    samples = np.array([2.0, -2.0, np.inf, -np.inf, np.nan, 0.5], np.float32)
    assert to_int16(samples).tolist() == [32_767, -32_768, 32_767, -32_768, 0, 16_384]


def test_channels_are_mixed_to_their_mean() -> None:
    assert mix_down(np.array([[100, 200], [-3, 0]], np.int16)).tolist() == [150, -2]
    both = mix_down(np.array([[32_767, 32_767], [-32_768, -32_768]], np.int16))
    assert both.tolist() == [32_767, -32_768]  # no overflow on the way
    assert mix_down(np.array([[0.5, 0.0]], np.float32)).tolist() == [0.25]


def test_levels_are_those_of_the_book() -> None:
    assert level_dbfs(tone(1_000, 16_000, level=1.0)) == pytest.approx(-3.01, abs=0.01)
    assert peak_dbfs(tone(1_000, 16_000, level=0.5)) == pytest.approx(-6.02, abs=0.01)
    assert level_dbfs(to_pcm(tone(440, 16_000, level=0.1))) == pytest.approx(-23.01, abs=0.05)
    assert level_dbfs(b"") == level_dbfs(bytes(100)) == peak_dbfs(bytes(2)) == -120.0


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(4, np.float64), "numpy samples of type float64"),
        ([1, 2], "not list"),
        (np.zeros((2, 0), np.int16), "shape"),
        (np.zeros((1, 1, 1), np.int16), "shape"),
    ],
)
def test_samples_of_another_kind_are_refused(samples: Any, said: str) -> None:
    with pytest.raises(MediaError, match=said):
        mix_down(samples)


def test_half_a_sample_has_no_level() -> None:
    with pytest.raises(MediaError, match="even number of bytes, not 3"):
        level_dbfs(b"abc")


# --- Resampling -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("from_hz", "to_hz"), [(48_000, 16_000), (44_100, 16_000), (24_000, 48_000)]
)
def test_a_tone_keeps_its_pitch_and_its_level(live: str, from_hz: int, to_hz: int) -> None:
    resampler = Resampler(from_hz, to_hz)
    assert resampler.backend == live
    out = in_pieces(resampler, tone(1_000, from_hz), from_hz // 50)[2_000:-2_000]
    wanted = strength(tone(1_000, to_hz), 1_000, to_hz)
    assert strength(out, 1_000, to_hz) == pytest.approx(wanted, abs=0.1)
    # Everything else together: distortion, noise, and what a click at each edge would be.
    steps = 2 * np.pi * 1_000 / to_hz * np.arange(len(out))
    base = np.stack([np.sin(steps), np.cos(steps)], axis=1)
    rest = out - base @ np.linalg.lstsq(base, out, rcond=None)[0]
    assert level_dbfs(rest.astype(np.float32)) < -80


def test_what_the_new_rate_cannot_hold_does_not_come_back_as_another_pitch(live: str) -> None:
    out = in_pieces(Resampler(48_000, 16_000), tone(9_000, 48_000), 960)[1_000:-1_000]
    assert level_dbfs(out) < -80


def test_a_higher_rate_has_no_image(live: str) -> None:
    out = in_pieces(Resampler(24_000, 48_000), tone(9_000, 24_000), 480)[2_000:-2_000]
    assert strength(out, 15_000, 48_000) < -80


def test_live_blocks_have_always_the_same_length(live: str) -> None:
    resampler = Resampler(48_000, 16_000)
    samples = tone(1_000, 48_000)
    resampler.process(samples[:9_600])  # the first block may be shorter by what is held back
    lengths = {len(resampler.process(samples[n : n + 960])) for n in range(9_600, 48_000, 960)}
    assert lengths == {320}
    assert resampler.delay_seconds < 0.005


@pytest.mark.parametrize("purpose", ["live", "file"])
@given(lengths=st.lists(st.integers(1, 2_000), min_size=1, max_size=8))
def test_however_the_stream_is_cut_the_same_samples_come_out(
    purpose: Any, lengths: list[int]
) -> None:
    samples = tone(700, 48_000, sum(lengths) / 48_000)
    samples = np.resize(samples, sum(lengths)).astype(np.float32)
    whole = Resampler(48_000, 16_000, purpose=purpose)
    once = np.concatenate([whole.process(samples), whole.process(samples[:0], last=True)])
    cut = Resampler(48_000, 16_000, purpose=purpose)
    pieces, start = [], 0
    for length in lengths:
        pieces.append(cut.process(samples[start : start + length]))
        start += length
    pieces.append(cut.process(samples[:0], last=True))
    again = np.concatenate(pieces)
    assert len(once) == len(again)
    assert np.allclose(once, again, atol=1e-6)


@pytest.mark.parametrize("purpose", ["live", "file"])
def test_nothing_is_lost_at_the_end(purpose: Any) -> None:
    """A click in the very last samples is heard."""
    samples = np.zeros(4_800, np.float32)
    samples[-3:] = 0.9
    resampler = Resampler(48_000, 16_000, purpose=purpose)
    out = in_pieces(resampler, samples, 960)
    assert 1_600 <= len(out) <= 1_600 + 2 * round(resampler.delay_seconds * 16_000) + 1
    assert peak_dbfs(out[-150:]) > -20


def test_equal_rates_change_nothing() -> None:
    resampler = Resampler(16_000, 16_000)
    samples = tone(1_000, 16_000)
    assert resampler.process(samples) is samples
    assert (resampler.backend, resampler.delay_seconds) == ("none", 0.0)


def test_integers_come_back_as_integers(live: str) -> None:
    out = Resampler(48_000, 16_000).process(to_int16(tone(1_000, 48_000)))
    assert out.dtype == np.int16


def test_one_sample_that_is_no_number_does_not_spread(live: str) -> None:
    samples = tone(1_000, 48_000)
    samples[100] = np.nan
    out = Resampler(48_000, 16_000).process(samples)
    assert np.isfinite(out).all()
    assert level_dbfs(out[2_000:]) == pytest.approx(-9.03, abs=0.1)


@pytest.mark.parametrize("rate", [0, -1, 999, 10**9, 16_000.0, None])
def test_absurd_rates_are_refused(rate: Any) -> None:
    with pytest.raises(ConfigError, match="from_hz must be"):
        Resampler(rate, 16_000)
    with pytest.raises(ConfigError, match="to_hz must be"):
        Resampler(16_000, rate)


def test_a_stream_that_is_over_takes_nothing_more() -> None:
    resampler = Resampler(48_000, 16_000)
    resampler.process(tone(1_000, 48_000), last=True)
    with pytest.raises(MediaError, match="is over"):
        resampler.process(tone(1_000, 48_000))
    with pytest.raises(MediaError, match="one channel"):
        Resampler(48_000, 16_000).process(np.zeros((4, 2), np.float32))


def test_without_any_library_the_way_to_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_speexdsp, "_found", lambda: None)
    monkeypatch.setitem(__import__("sys").modules, "samplerate", None)
    with pytest.raises(ImportError, match=r'pip install "gemini-live-trio\[audio\]"'):
        Resampler(48_000, 16_000)
    assert Resampler(16_000, 16_000).backend == "none"
    assert pcm.RATES_HZ.start == 1_000


# --- Blocks -----------------------------------------------------------------------------------


@given(lengths=st.lists(st.integers(0, 1_000), max_size=12))
def test_an_encoder_loses_no_sample_however_they_come(lengths: list[int]) -> None:
    total = sum(lengths)
    samples = (np.arange(total) % 30_000).astype(np.int16)
    encoder = AudioEncoder()
    blocks: list[bytes] = []
    start = 0
    for length in lengths:
        blocks += encoder.feed(samples[start : start + length])
        start += length
    assert {len(block) for block in blocks} <= {640}
    assert encoder.held_seconds == (total % 320) / 16_000
    assert b"".join([*blocks, encoder.flush()]) == samples.astype("<i2").tobytes()


@pytest.mark.parametrize("length", [128, 256, 441, 480, 512, 1_024])
@pytest.mark.parametrize("from_hz", [44_100, 48_000])
def test_device_buffers_of_any_length_lose_nothing(from_hz: int, length: int) -> None:
    encoder = AudioEncoder(from_hz=from_hz, channels=2)
    stereo = np.stack([tone(440, from_hz)] * 2, axis=1)
    blocks = [
        block
        for start in range(0, len(stereo), length)
        for block in encoder.feed(stereo[start : start + length])
    ]
    pcm_bytes = b"".join([*blocks, encoder.flush()])
    assert len(pcm_bytes) / 2 == pytest.approx(16_000, abs=100)
    heard = to_float32(np.frombuffer(pcm_bytes, "<i2").astype(np.int16))
    assert strength(heard[500:-500], 440, 16_000) == pytest.approx(-6.02, abs=0.2)


def test_an_encoder_counts_what_it_had_to_mend() -> None:
    encoder = AudioEncoder(block_ms=1)
    blocks = list(encoder.feed(np.array([np.nan, np.inf, 3.0, 0.0] * 4, np.float32)))
    assert (encoder.not_numbers, encoder.clipped) == (8, 4)
    assert np.frombuffer(blocks[0], "<i2").tolist() == [0, 32_767, 32_767, 0] * 4


def test_interleaved_bytes_and_numbers_are_the_same() -> None:
    samples = np.arange(640, dtype=np.int16)
    one, other = AudioEncoder(channels=2), AudioEncoder(channels=2)
    assert list(one.feed(samples)) == list(other.feed_pcm(samples.tobytes()))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"channels": 0}, "channels must be 1 to 64, not 0"),
        ({"block_ms": 0}, "block_ms must be 1 to 1,000, not 0"),
        ({"from_hz": 5}, "from_hz must be"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused(options: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        AudioEncoder(**options)


def test_what_an_encoder_cannot_take_is_refused_and_harms_nothing() -> None:
    encoder = AudioEncoder(channels=2)
    with pytest.raises(MediaError, match="3 bytes aren't whole frames"):
        encoder.feed_pcm(b"abc")
    with pytest.raises(MediaError, match="3 samples aren't whole frames"):
        encoder.feed(np.zeros(3, np.int16))
    with pytest.raises(MediaError, match="have 3 channels; this encoder was made for 2"):
        encoder.feed(np.zeros((4, 3), np.int16))
    assert len(list(encoder.feed(np.zeros((320, 2), np.int16)))) == 1
