"""What is measured about echo."""

import math

import pytest

np = pytest.importorskip("numpy", reason="needs the extra audio")

from media.echoes import (  # noqa: E402
    Devices,
    as_int16,
    dbfs,
    echo_of,
    needs,
    noise,
    seconds,
    speech,
    through,
)

from gemini_live_trio.errors import ConfigError  # noqa: E402
from gemini_live_trio.media import EchoChoice, erle_db, open_echo_canceller  # noqa: E402
from gemini_live_trio.media._echo_drift import EchoWatch, echo_delay  # noqa: E402
from gemini_live_trio.media._echo_signal import Probe, measured, speech_like  # noqa: E402
from gemini_live_trio.media._echo_stage import Stage  # noqa: E402


@pytest.mark.parametrize("decibels", [0.0, 6.0, 20.0, 60.0])
def test_attenuation_is_what_it_is(decibels):
    near = speech(2, seed=1)
    assert erle_db(near, near * 10 ** (-decibels / 20)) == pytest.approx(decibels)
    assert erle_db(as_int16(near), as_int16(near)) == 0


def test_only_frames_with_echo_count():
    near = np.concatenate((np.full(3200, 1000), np.full(3200, 5)))
    out = np.concatenate((np.full(3200, 100), np.full(3200, 5)))
    assert erle_db(near, out) == pytest.approx(20)
    assert erle_db(near, out, np.arange(20) >= 10) == pytest.approx(0)


def test_the_ends_of_attenuation():
    sound = np.ones(640)
    assert erle_db(sound, sound * 0) == 100
    assert math.isnan(erle_db(sound * 0, sound))
    assert math.isnan(erle_db(sound[:0], sound[:0]))
    assert math.isnan(erle_db(sound, sound, np.zeros(2, bool)))


@pytest.mark.parametrize(
    ("near", "out", "active"),
    [
        (np.ones(640), np.ones(320), None),
        (np.ones((2, 320)), np.ones((2, 320)), None),
        (np.ones(640), np.ones(640), np.ones(3, bool)),
    ],
)
def test_sounds_that_do_not_fit_each_other_are_refused(near, out, active):
    with pytest.raises(ConfigError):
        erle_db(near, out, active)


@pytest.mark.parametrize("delay", [0.0, 0.013, 0.1, 0.35])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_delay_of_an_echo_is_found(delay, sign):
    far = speech(4, seed=3)
    near = sign * echo_of(far, delay=delay) + noise(4)
    assert echo_delay(as_int16(near), as_int16(far)) == pytest.approx(delay, abs=0.001)


def test_an_echo_before_its_reference_is_found():
    far = speech(4, seed=3)
    near = echo_of(far, delay=0.0) + noise(4)
    assert echo_delay(as_int16(near)[800:], as_int16(far)[:-800]) == pytest.approx(-0.05, abs=0.001)


@pytest.mark.parametrize("near", [speech(20, seed=9), noise(20, dbfs=-40), np.zeros(seconds(20))])
def test_where_no_echo_is_none_is_found(near):
    near, far = as_int16(near), as_int16(speech(20, seed=3))
    assert echo_delay(near, far) is None
    watch = EchoWatch()
    for first in range(0, len(near), 320):
        watch.take(near[first : first + 320], far[first : first + 320], skew=0.0)
        assert watch.pace_ppm == 0
        assert watch.delay is None


@pytest.mark.parametrize("rate_hz", [16_000, 24_000, 48_000])
def test_the_test_signal_sounds_like_speech(rate_hz):
    sound = speech_like(5, rate_hz=rate_hz)
    assert len(sound) == 5 * rate_hz
    assert (sound == speech_like(5, rate_hz=rate_hz)).all()
    assert dbfs(sound) == pytest.approx(-20, abs=0.5)
    # It has pauses, and is lowest where speech is.
    frames = sound.reshape(-1, rate_hz // 50).astype(float)
    loudness = 10 * np.log10((frames**2).mean(axis=1) + 1)
    assert np.ptp(np.quantile(loudness, [0.05, 0.95])) > 15
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / rate_hz)
    assert spectrum[(hertz > 80) & (hertz < 4000)].sum() > 0.8 * spectrum.sum()


async def test_a_test_says_how_much_and_how_fast():
    needs("webrtc")
    quiet = 0.5
    far = np.concatenate((np.zeros(seconds(quiet)), speech(9, seed=3)))
    probe = Probe()
    through(Stage(probe, EchoChoice("off", "off", "")), far, delay=0.05)
    async with open_echo_canceller("webrtc") as echo:
        _, out = through(echo, far, delay=0.05)
    found = measured(probe, out.tobytes(), quiet=quiet)
    assert found.heard
    assert found.attenuation_db > 30
    assert len(found.by_second) == 9
    assert found.by_second[-1] > 30
    assert found.delay == pytest.approx(0.05 + 0.04, abs=0.005)
    assert found.echo_dbfs == pytest.approx(-24, abs=3)
    assert found.noise_dbfs == pytest.approx(-65, abs=2)


@pytest.mark.parametrize("near", [speech(9, seed=5), np.zeros(seconds(9))])
def test_a_test_without_echo_says_so(near):
    probe = Probe()
    stage = Stage(probe, EchoChoice("off", "off", ""))
    far, near = as_int16(speech(9, seed=3)), as_int16(near)
    out = b"".join(
        stage.process(near[first : first + 320], when=stamp)
        for device, first, stamp in Devices(block=320).blocks(9)
        if device == "near"
        or stage.reference(far[first : first + 320], when=stamp)  # which returns None
    )
    found = measured(probe, out, quiet=0.5)
    assert not found.heard
    assert found.delay is None
