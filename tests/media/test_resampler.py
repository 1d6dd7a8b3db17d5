"""Sample rates changed in a stream: pitch, level, aliases, seams, and how much comes out when."""

import gc
import sys
from collections.abc import Sequence
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio.errors import ConfigError, MissingDependency

np = pytest.importorskip("numpy", reason="needs the extra audio")
pytest.importorskip("samplerate", reason="needs the extra audio")
pytest.importorskip("soxr", reason="needs the extra audio")

from gemini_live_trio.media import _resampling, _speexdsp  # noqa: E402
from gemini_live_trio.media.pcm import Backend, Resampler, float_to_int16  # noqa: E402

needs_speexdsp = pytest.mark.skipif(_speexdsp._found() is None, reason="needs libspeexdsp")
LIVE = [pytest.param("libspeexdsp", marks=needs_speexdsp), "samplerate"]
BACKENDS = [*LIVE, "soxr"]
KINDS = ["int16", "float32"]
DOWN = [(48_000, 16_000), (44_100, 16_000), (22_050, 16_000), (96_000, 16_000), (24_000, 16_000)]
UP = [(24_000, 48_000), (24_000, 44_100), (16_000, 48_000), (8_000, 16_000)]


def tone(rate_hz: int, hz: float, kind: str, *, seconds: float = 1.5) -> Any:
    samples = 0.5 * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)
    return as_kind(samples.astype(np.float32), kind)


def noise(count: int, kind: str = "float32") -> Any:
    samples = np.random.default_rng(count).uniform(-0.9, 0.9, count).astype(np.float32)
    return as_kind(samples, kind)


def as_kind(samples: Any, kind: str) -> Any:
    return float_to_int16(samples) if kind == "int16" else samples


def amplitude(samples: Any) -> Any:
    """Return samples as numbers from -1 to 1."""
    return samples / 32_768 if samples.dtype == np.int16 else samples.astype(float)


def resampled(resampler: Resampler, samples: Any) -> Any:
    """Resample in blocks of 20 ms."""
    length = resampler.from_hz // 50
    starts = range(0, len(samples), length)
    parts = [resampler.process(samples[start : start + length]) for start in starts]
    return np.concatenate([*parts, resampler.process(samples[:0], last=True)])


def cut(samples: Any, lengths: Sequence[int]) -> list[Any]:
    """Cut into pieces of these lengths and a last one."""
    return np.split(samples, np.minimum(np.cumsum(lengths), len(samples)))


def sine_in(samples: Any, hz: float, rate_hz: int) -> tuple[complex, float]:
    """Return amplitude and phase of a sine, and by how many dB it exceeds everything else."""
    times = np.arange(len(samples)) / rate_hz
    waves = np.stack([np.sin(2 * np.pi * hz * times), np.cos(2 * np.pi * hz * times)], axis=1)
    (sine, cosine), *_ = np.linalg.lstsq(waves, samples, rcond=None)
    rest = samples - waves @ (sine, cosine)
    power = (sine**2 + cosine**2) / 2
    return complex(sine, cosine), float(10 * np.log10(power / np.mean(rest**2)))


def middle(samples: Any, rate_hz: int) -> Any:
    """Leave out what the beginning and the end do."""
    return amplitude(samples)[rate_hz // 4 : rate_hz // 4 + rate_hz]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("from_hz", "to_hz"), DOWN + UP)
def test_a_tone_stays_pure_and_no_seam_is_heard(
    from_hz: int, to_hz: int, backend: Backend, kind: str
) -> None:
    with Resampler(from_hz, to_hz, backend=backend) as resampler:
        for hz in (1_000.0, 0.4 * min(from_hz, to_hz)):
            samples = resampled(resampler, tone(from_hz, hz, kind))
            assert samples.dtype == kind
            found, purity = sine_in(middle(samples, to_hz), hz, to_hz)
            assert abs(found) == pytest.approx(0.5, rel=0.001)
            # 16 bits allow some 92 dB for a tone at half of full scale.
            assert purity > (86 if kind == "int16" else 100)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("from_hz", "to_hz"), DOWN)
def test_what_the_lower_rate_cannot_hold_vanishes(
    from_hz: int, to_hz: int, backend: Backend
) -> None:
    with Resampler(from_hz, to_hz, backend=backend) as resampler:
        samples = middle(resampled(resampler, tone(from_hz, 9_000, "float32")), to_hz)
    spectrum = np.abs(np.fft.rfft(samples * np.blackman(len(samples))))
    loudest = 2 * spectrum.max() / np.blackman(len(samples)).sum()
    assert 20 * np.log10(loudest / 0.5) < -80


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("from_hz", "to_hz"), UP)
def test_the_higher_rate_brings_no_mirror_images(
    from_hz: int, to_hz: int, backend: Backend
) -> None:
    hz = 0.4 * from_hz
    with Resampler(from_hz, to_hz, backend=backend) as resampler:
        samples = middle(resampled(resampler, tone(from_hz, hz, "float32")), to_hz)
    spectrum = np.abs(np.fft.rfft(samples * np.blackman(len(samples))))
    image = round(from_hz - hz)
    if image < to_hz / 2:
        assert spectrum[image] < 1e-4 * spectrum[round(hz)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("from_hz", "to_hz"), DOWN + UP)
def test_the_sound_is_as_late_as_said(from_hz: int, to_hz: int, backend: Backend) -> None:
    # Of 40 Hz, a quarter of a second holds ten whole waves, so that only lateness turns the phase.
    with Resampler(from_hz, to_hz, backend=backend) as resampler:
        samples = resampled(resampler, tone(from_hz, 40.0, "float32"))
        found, _ = sine_in(middle(samples, to_hz), 40.0, to_hz)
        late = -np.angle(found) / (2 * np.pi * 40.0)
        assert late == pytest.approx(resampler.delay_seconds, abs=2e-6)
        assert late < 0.006


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", LIVE)
def test_a_block_of_960_gives_320_from_the_first_on(backend: Backend, kind: str) -> None:
    with Resampler(48_000, 16_000, backend=backend) as resampler:
        blocks = noise(9_600, kind).reshape(10, 960)
        assert [len(resampler.process(block)) for block in blocks] == [320] * 10


@pytest.mark.parametrize("backend", LIVE)
@given(
    rates=st.sampled_from([*DOWN, *UP, (44_101, 16_000), (8_000, 48_000)]),
    lengths=st.lists(st.integers(0, 1_500), max_size=8),
    kind=st.sampled_from(KINDS),
)
def test_live_however_it_is_cut_the_same_comes_out_at_once(
    backend: Backend, rates: tuple[int, int], lengths: list[int], kind: str
) -> None:
    from_hz, to_hz = rates
    samples = noise(sum(lengths) + 100, kind)
    with Resampler(from_hz, to_hz, backend=backend) as resampler:
        whole = resampler.process(samples, last=True)
        late = round(resampler.delay_seconds * to_hz)
        assert abs(len(whole) - (-(-len(samples) * to_hz // from_hz) + late)) <= 1
        taken, parts = 0, []
        for piece in cut(samples, lengths):
            parts.append(resampler.process(piece))
            taken += len(piece)
            assert sum(map(len, parts)) == -(-taken * to_hz // from_hz)
        parts.append(resampler.process(samples[:0], last=True))
    assert np.array_equal(np.concatenate(parts), whole)


@given(
    rates=st.sampled_from([*DOWN, *UP]),
    lengths=st.lists(st.integers(0, 20_000), max_size=6),
    kind=st.sampled_from(KINDS),
)
def test_in_a_file_however_it_is_cut_the_same_comes_out(
    rates: tuple[int, int], lengths: list[int], kind: str
) -> None:
    from_hz, to_hz = rates
    samples = noise(sum(lengths) + 100, kind)
    with Resampler(from_hz, to_hz, purpose="file") as resampler:
        whole = resampler.process(samples, last=True)
        assert abs(len(whole) - len(samples) * to_hz / from_hz) <= 1
        parts = [resampler.process(piece) for piece in cut(samples, lengths)]
        parts.append(resampler.process(samples[:0], last=True))
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_sound_leaves_nothing_in_the_next(backend: Backend) -> None:
    with Resampler(48_000, 16_000, backend=backend) as resampler:
        fresh = resampled(resampler, noise(4_800))
        assert np.array_equal(resampled(resampler, noise(4_800)), fresh)
        resampler.process(noise(1_234))
        resampler.reset()
        assert np.array_equal(resampled(resampler, noise(4_800)), fresh)


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_no_number_spoils_milliseconds_only(backend: Backend) -> None:
    samples = tone(48_000, 400.0, "float32")
    samples[24_000] = np.nan
    with Resampler(48_000, 16_000, backend=backend) as resampler:
        after = resampled(resampler, samples)[12_000:20_000]
    _, purity = sine_in(amplitude(after), 400.0, 16_000)
    assert purity > 100


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_channels_are_mixed_in_either_shape(backend: Backend, kind: str) -> None:
    left, right = tone(48_000, 400.0, kind), tone(48_000, 1_000.0, kind)
    frames = np.stack([left, right], axis=1)
    with Resampler(48_000, 16_000, channels=2, backend=backend) as resampler:
        mixed = resampler.process(frames, last=True)
        assert np.array_equal(resampler.process(frames.reshape(-1), last=True), mixed)
    for hz in (400.0, 1_000.0):
        found, _ = sine_in(middle(mixed, 16_000), hz, 16_000)
        assert abs(found) == pytest.approx(0.25, rel=0.001)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_column_of_an_array_will_do(backend: Backend) -> None:
    frames = noise(9_600).reshape(-1, 2)
    with Resampler(48_000, 16_000, backend=backend) as resampler:
        expected = resampler.process(frames[:, 1].copy(), last=True)
        assert np.array_equal(resampler.process(frames[:, 1], last=True), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_rates_change_nothing_and_need_no_library(kind: str) -> None:
    with Resampler(16_000, 16_000) as resampler:
        assert (resampler.backend, resampler.delay_seconds) == (None, 0.0)
        samples = noise(320, kind)
        same = resampler.process(samples, last=True)
        assert np.array_equal(same, samples)
        assert not np.shares_memory(same, samples)
        resampler.reset()


@pytest.mark.parametrize("backend", BACKENDS)
def test_loud_sound_is_clipped_and_not_wrapped_around(backend: Backend) -> None:
    square = np.where(np.arange(48_000) // 60 % 2, 32_767, -32_768).astype(np.int16)
    with Resampler(48_000, 16_000, backend=backend) as resampler:
        samples = resampled(resampler, square)[1_000:-1_000]
    # The filter rings above full scale; wrapped around, it would jump from one end to the other.
    assert set(np.sign(samples[np.abs(amplitude(samples)) > 0.9])) == {-1, 1}
    assert np.abs(np.diff(amplitude(samples), 2)).max() < 3


@needs_speexdsp
def test_live_sound_prefers_libspeexdsp() -> None:
    assert Resampler(48_000, 16_000).backend == "libspeexdsp"
    assert Resampler(48_000, 16_000, purpose="file").backend == "soxr"


@pytest.fixture
def no_speexdsp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_speexdsp, "NAMES", ("libnone.so.0",))
    monkeypatch.setattr(_speexdsp, "STEMS", ("none-such",))
    monkeypatch.setattr(_speexdsp, "_found", _speexdsp._found.__wrapped__)


@pytest.mark.usefixtures("no_speexdsp")
def test_without_libspeexdsp_live_sound_takes_libsamplerate() -> None:
    assert Resampler(48_000, 16_000).backend == "samplerate"
    with pytest.raises(MissingDependency, match="apt install libspeexdsp1"):
        Resampler(48_000, 16_000, backend="libspeexdsp")


@pytest.mark.usefixtures("no_speexdsp")
def test_without_any_library_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "samplerate", None)
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(MissingDependency, match=r'pip install "gemini-live-trio\[audio\]"'):
        Resampler(48_000, 16_000)
    with pytest.raises(MissingDependency, match=r'pip install "gemini-live-trio\[audio\]"'):
        Resampler(48_000, 16_000, purpose="file")


@needs_speexdsp
@pytest.mark.skipif(sys.platform != "linux", reason="names libraries as Linux does")
def test_another_library_under_the_name_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _speexdsp._found.__wrapped__
    monkeypatch.setattr(_speexdsp, "STEMS", ())
    monkeypatch.setattr(_speexdsp, "NAMES", ("libc.so.6",))
    assert found() is None
    monkeypatch.setattr(_speexdsp, "STEMS", ("speexdsp",))
    assert found() is not None


@pytest.mark.parametrize("rate_hz", [0, -1, 999, 768_001, 10**12, 16_000.0, "16000", True, None])
def test_absurd_rates_are_refused(rate_hz: Any) -> None:
    with pytest.raises(ConfigError, match="from_hz must be 1,000 to 768,000"):
        Resampler(rate_hz, 16_000)
    with pytest.raises(ConfigError, match="to_hz must be 1,000 to 768,000"):
        Resampler(16_000, rate_hz)


@pytest.mark.parametrize("channels", [0, -1, 1_025, 1.0, True])
def test_absurd_channels_are_refused(channels: Any) -> None:
    with pytest.raises(ConfigError, match="channels must be 1 to 1,024"):
        Resampler(48_000, 16_000, channels=channels)


@pytest.mark.parametrize("option", ["purpose", "backend"])
def test_a_misspelt_choice_is_refused(option: str) -> None:
    with pytest.raises(ConfigError, match=rf"{option} must be .*, not 'Live'"):
        Resampler(48_000, 16_000, **{option: "Live"})  # type: ignore[arg-type]


@pytest.mark.parametrize("rates", [(1_000, 768_000), (768_000, 1_000), (767_999, 1_001)])
def test_the_utmost_rates_work_or_say_why_not(rates: tuple[int, int]) -> None:
    for backend in ("libspeexdsp", "soxr"):
        if backend == "soxr" or _speexdsp._found() is not None:
            with Resampler(*rates, backend=backend) as resampler:  # type: ignore[arg-type]
                resampler.process(noise(2_000), last=True)
    with pytest.raises(ConfigError, match="by a factor of 256 at most"):
        Resampler(*rates, backend="samplerate")


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        (np.zeros(10), "int16 or float32, not float64"),
        (np.zeros(10, "u1"), "int16 or float32, not uint8"),
        (np.zeros((5, 2), "f4"), r"shape \(frames, 1\)"),
        (np.zeros((5, 1, 1), "f4"), r"shape \(frames, 1\)"),
        (np.zeros((), "f4"), r"shape \(frames, 1\)"),
        (b"\0\0", "must be an array of numpy, not bytes"),
    ],
)
def test_arrays_that_are_no_sound_are_refused(samples: Any, said: str) -> None:
    with Resampler(48_000, 16_000) as resampler, pytest.raises(ConfigError, match=said):
        resampler.process(samples)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_closed_one_says_so(backend: Backend) -> None:
    with Resampler(48_000, 16_000, backend=backend) as resampler:
        pass
    resampler.close()
    resampler.reset()
    with pytest.raises(trio.ClosedResourceError):
        resampler.process(noise(10))


@needs_speexdsp
def test_its_memory_goes_with_it() -> None:
    engine = _resampling._Speex(48_000, 16_000)
    finalizer = engine._finalizer
    assert finalizer.alive
    del engine
    gc.collect()
    assert not finalizer.alive
