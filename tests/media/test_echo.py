"""What leaves the echo canceller: the user's voice, and none of the speaker's."""

import logging
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

np = pytest.importorskip("numpy", reason="needs the extra audio")

from hypothesis import given  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from media.echoes import (  # noqa: E402
    BLOCK,
    RATE_HZ,
    Devices,
    as_int16,
    dbfs,
    echo_of,
    erle,
    likeness,
    needs,
    noise,
    seconds,
    speech,
    through,
)

from gemini_live_trio.errors import ConfigError, MissingDependency  # noqa: E402
from gemini_live_trio.media._echo import open_echo_canceller  # noqa: E402
from gemini_live_trio.media._echo_drift import EchoWatch  # noqa: E402

LENGTH = 13.0
CANCELLING = ["webrtc", "speexdsp"]


@pytest.fixture(params=CANCELLING)
def backend(request):
    needs(request.param)
    return request.param


@pytest.fixture(scope="module")
def far():
    return speech(LENGTH, seed=3)


@pytest.fixture(scope="module")
def user():
    """A voice that begins after nine seconds, and is as loud as the speaker was before its echo."""
    return np.concatenate((np.zeros(seconds(9)), speech(LENGTH - 9, seed=11)))


def without_delay(sound, canceller):
    late = seconds(canceller.statistics().delay)
    return np.concatenate((sound[late:], np.zeros(late, np.int16)))


# --- With devices that behave ----------------------------------------------------------------


async def test_an_echo_is_cancelled(backend, far):
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far)
    assert len(near) == len(out)
    assert erle(near, out, 3, LENGTH) > 25
    assert erle(near, out, 8, LENGTH) > 30


@pytest.mark.parametrize("rate_hz", [24_000, 44_100, 48_000])
async def test_a_speaker_of_any_rate_is_cancelled(backend, far, rate_hz):
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far, rate_hz=rate_hz)
        assert echo.statistics().alignment.skipped_far == 0
    assert erle(near, out, 5, LENGTH) > 25


async def test_a_speaker_that_changes_its_rate_is_followed(backend, far):
    async with open_echo_canceller(backend) as echo:
        for rate_hz in (48_000, 16_000, 24_000):
            for number in range(50):
                echo.reference(bytes(rate_hz // 25), rate_hz=rate_hz, when=number / 50)
                assert len(echo.process(bytes(640), when=number / 50)) == 640


async def test_webrtc_cancels_from_the_first_second(far):
    needs("webrtc")
    async with open_echo_canceller("webrtc") as echo:
        near, out = through(echo, far)
    assert erle(near, out, 0.3, 1) > 20


async def test_who_talks_over_the_speaker_is_understood(backend, far, user):
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far, user)
        out = without_delay(out, echo)
    part = slice(seconds(9.5), seconds(LENGTH - 0.5))
    voice = as_int16(user)[part]
    # WebRTC takes away parts of words; an unrelated voice would have 0.1.
    assert likeness(voice, out[part]) > {"webrtc": 0.75, "speexdsp": 0.95}[backend]
    assert abs(dbfs(out[part]) - dbfs(voice)) < {"webrtc": 6, "speexdsp": 1.5}[backend]
    # And the echo was gone before.
    assert erle(near, out, 4, 8) > 25


async def test_who_talks_alone_is_left_as_they_are(backend, far, user):
    async with open_echo_canceller(backend) as echo:
        _, out = through(echo, np.zeros_like(far), user)
        out = without_delay(out, echo)
    part = slice(seconds(9), seconds(LENGTH - 0.5))
    voice = as_int16(user)[part]
    assert likeness(voice, out[part]) > 0.97
    assert abs(dbfs(out[part]) - dbfs(voice)) < 1


async def test_who_cuts_in_where_there_is_no_echo_is_understood(backend, far):
    user = np.concatenate((np.zeros(seconds(3)), speech(3, seed=11)))
    async with open_echo_canceller(backend) as echo:
        _, out = through(echo, far, user, gain_db=-200)
        out = without_delay(out, echo)
        assert echo.statistics().bypassed == (backend == "webrtc")
    part = slice(seconds(3), seconds(6))
    voice = as_int16(user)[part]
    assert likeness(voice, out[part]) > 0.97
    assert abs(dbfs(out[part]) - dbfs(voice)) < 1


def watched(far, *, gain_db, length):
    """Tell, second by second, whether an echo is missed that isn't there, or comes after 5 s."""
    watch = EchoWatch()
    heard = noise(length)
    heard[seconds(5) :] += echo_of(far, gain_db=gain_db)[seconds(5) : seconds(length)]
    far, near = as_int16(far), as_int16(heard)
    absent = []
    for begin in range(0, len(near), seconds(1)):
        part = slice(begin, begin + seconds(1))
        watch.take(near[part], far[part], skew=0.0)
        absent.append(watch.absent)
    return absent


@pytest.mark.parametrize("gain_db", [6, -6, -30])
def test_an_echo_that_was_missing_and_comes_is_noticed(far, gain_db):
    absent = watched(far, gain_db=gain_db, length=9)
    assert absent[1:5] == [True] * 4
    assert not any(absent[7:])


async def test_an_echo_is_not_missed_because_somebody_talks_over_it(far, user):
    needs("webrtc")
    async with open_echo_canceller("webrtc") as echo:
        through(echo, far, user * 3)
        assert not echo.statistics().bypassed


def test_of_a_tone_no_echo_is_missed():
    far = np.sin(np.arange(seconds(9)) * 0.17) * 0.1
    assert not any(watched(far, gain_db=-200, length=9))


async def test_a_known_delay_is_learned_faster(far):
    needs("speexdsp")
    found = []
    for delay in (None, 0.06):
        async with open_echo_canceller("speexdsp", delay=delay) as echo:
            near, out = through(echo, far)
        found.append(erle(near, out, 1, 2.5))
    assert found[1] > found[0] + 2


async def test_a_delay_that_is_told_too_small_does_no_harm(far):
    needs("speexdsp")
    async with open_echo_canceller("speexdsp", delay=0.0) as echo:
        near, out = through(echo, far, delay=0.1)
        assert echo.statistics().alignment.moves == 1
    assert erle(near, out, 9, LENGTH) > 25


# --- With devices that don't -----------------------------------------------------------------


async def test_a_lost_block_of_the_microphone_does_not_undo_what_was_learned(backend, far):
    devices = Devices(lost=frozenset({400}))
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far, devices=devices)
        assert echo.statistics().alignment.skipped_near == BLOCK
    # Speex remembers what it was given last, and leaks until that is forgotten.
    assert erle(near, out, 8.3, LENGTH - 0.5) > 25


async def test_a_burst_of_lost_blocks_is_borne(backend, far):
    devices = Devices(lost=frozenset(range(400, 425)))
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far, devices=devices)
    assert erle(near, out, 8.3, LENGTH - 1) > 25


async def test_stamps_that_wander_do_no_harm(backend, far):
    devices = Devices(wander=lambda time: 0.01 * np.sin(time / 4))
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far, devices=devices)
    assert erle(near, out, 5, LENGTH) > 25


async def test_devices_without_latency_are_waited_for(backend, far):
    devices = Devices(ahead=0.005, age=0.005)
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far, devices=devices)
        found = echo.statistics()
    assert erle(near, out, 5, LENGTH) > 25
    assert found.alignment.late == 0
    assert 0.01 < found.alignment.hold < 0.03 < found.delay + 0.02


@pytest.mark.parametrize("block", [100, 160, 441, 512, 1600, 3200])
async def test_blocks_of_any_length_do(backend, far, block):
    devices = Devices(block=block)
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far, devices=devices)
        assert echo.statistics().delay < 0.045
    assert len(near) == len(out)
    assert erle(near, out, 5, LENGTH) > 25


async def test_stamps_by_which_the_echo_comes_first_are_found_out_by_the_echo(backend, far):
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far, late=0.09)
        found = echo.statistics()
    assert found.alignment.moves == 1
    assert found.echo_delay == pytest.approx(0.04, abs=0.01)
    assert erle(near, out, 7.5, LENGTH) > 25


async def test_an_echo_beyond_the_filter_is_brought_into_it(far):
    needs("speexdsp")
    async with open_echo_canceller("speexdsp") as echo:
        near, out = through(echo, far, delay=0.3)
        assert echo.statistics().alignment.moves == 1
    assert erle(near, out, 0.5, 3) < 1
    assert erle(near, out, 8, LENGTH) > 25


async def test_stamps_by_which_sound_is_heard_before_it_is_told_of_are_not_believed(backend, far):
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far, late=-0.25)
        found = echo.statistics().alignment
    assert (found.late, found.moves) == (0, 0)
    assert erle(near, out, 5, LENGTH) > 20


@pytest.mark.parametrize("drift_ppm", [20, -60, 150])
async def test_two_clocks_that_differ_are_found_out_by_the_echo(backend, drift_ppm):
    far = speech(24, seed=3)
    user = np.concatenate((np.zeros(seconds(16)), speech(4, seed=11)))
    async with open_echo_canceller(backend) as echo:
        near, out = through(echo, far, user, devices=Devices(drift_ppm=drift_ppm))
        if backend == "speexdsp":
            assert echo.statistics().drift_ppm == pytest.approx(drift_ppm, abs=2)
    assert erle(near, out, 13, 16) > 28
    assert erle(near, out, 21, 24) > 28


async def test_a_speaker_that_says_nothing_needs_no_reference(backend):
    voice = as_int16(speech(3, seed=5))
    async with open_echo_canceller(backend) as echo:
        out = b"".join(
            echo.process(voice[first : first + BLOCK]) for first in range(0, len(voice), BLOCK)
        )
        assert echo.statistics().reference_seconds == 0
    assert dbfs(np.frombuffer(out, "<i2")) == pytest.approx(dbfs(voice), abs=1)


# --- Without cancelling ----------------------------------------------------------------------


async def test_half_duplex_mutes_the_microphone_while_the_speaker_is_heard():
    far = np.concatenate((np.zeros(seconds(2)), speech(3, seed=3), np.zeros(seconds(3))))
    user = speech(8, seed=11)
    async with open_echo_canceller("half_duplex") as echo:
        near, out = through(echo, far, user)
        assert echo.statistics().delay == 0
    assert (out[seconds(2.1) : seconds(5.3)] == 0).all()
    assert (out[: seconds(1.9)] == near[: seconds(1.9)]).all()
    assert (out[seconds(6) :] == near[seconds(6) :]).all()


async def test_half_duplex_does_not_click():
    far = np.concatenate((np.zeros(seconds(1)), speech(1, seed=3), np.zeros(seconds(1))))
    async with open_echo_canceller("half_duplex") as echo:
        steady = as_int16(0.5 * np.sin(2 * np.pi * 100 * np.arange(seconds(3)) / RATE_HZ))
        out = np.concatenate(
            [
                np.frombuffer(echo.process(steady[first : first + BLOCK]), "<i2")
                for first in range(0, seconds(3), BLOCK)
                if echo.reference(as_int16(far[first : first + BLOCK])) is None
            ]
        )
    assert (out == 0).sum() > seconds(1)
    # A sine of 100 Hz changes by no more than this from sample to sample.
    assert np.abs(np.diff(out.astype(int))).max() < 0.5 * 32768 * 2 * np.pi * 100 / RATE_HZ * 1.1


@pytest.mark.parametrize("way", ["headphones", "off"])
async def test_sound_passes_where_nothing_is_done(way, far):
    sound = as_int16(far[: seconds(1)])
    async with open_echo_canceller(way) as echo:
        echo.reference(sound.tobytes(), rate_hz=48_000)
        assert echo.process(sound) == sound.tobytes()
        assert echo.choice.backend == way
        assert bool(echo.choice.warning) == (way == "off")
        assert echo.statistics().reference_seconds == pytest.approx(1 / 3)
        with pytest.raises(ConfigError):
            echo.process(b"odd")


# --- Which it is -----------------------------------------------------------------------------


async def test_auto_takes_the_best_and_says_so(caplog):
    needs("webrtc")
    with caplog.at_level(logging.INFO, "gemini_live_trio.echo"):
        async with open_echo_canceller() as echo:
            choice = echo.choice
    assert (choice.asked, choice.backend, choice.warning) == ("auto", "webrtc", "")
    assert [record.levelno for record in caplog.records] == [logging.INFO]
    assert "webrtc" in caplog.text


WITHOUT = """
import ctypes, logging, sys
import trio
from gemini_live_trio.errors import MissingDependency
from gemini_live_trio.media._echo import open_echo_canceller

without, asked = sys.argv[1].split(","), sys.argv[2]
for module in without:
    sys.modules[module] = None
if "libspeexdsp" in without:
    class Library(ctypes.CDLL):
        def __init__(self, name, *arguments, **options):
            if "speexdsp" in str(name):
                raise OSError(f"{name}: cannot open shared object file")
            super().__init__(name, *arguments, **options)
    ctypes.CDLL = Library
logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stdout)

async def main():
    try:
        async with open_echo_canceller(asked) as echo:
            print(echo.choice.backend)
            print(echo.choice.why)
            print(*echo.choice.missing)
    except MissingDependency as error:
        print(error)

trio.run(main)
"""


def without(*missing: str, asked: str) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, ",".join(missing), asked], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()


async def test_a_livekit_that_can_not_be_loaded_is_passed_over_and_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needs("speexdsp")
    (tmp_path / "livekit").mkdir()
    (tmp_path / "livekit" / "__init__.py").touch()
    (tmp_path / "livekit" / "rtc.py").write_text(
        "raise TypeError('Descriptors cannot be created directly.\\nIf this call came from ...')"
    )
    monkeypatch.setitem(sys.modules, "livekit", None)  # so that it goes again when the test is over
    for name in [name for name in sys.modules if name.split(".")[0] == "livekit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependency) as caught:
        async with open_echo_canceller("webrtc"):
            pass
    assert str(caught.value) == (
        "Echo cancelling with WebRTC is installed and can't be loaded (Descriptors cannot be "
        "created directly); try: "
        'pip install --upgrade --force-reinstall "gemini-live-trio[aec]"'
    )
    async with open_echo_canceller() as echo:
        assert echo.choice.backend == "speexdsp"
        assert echo.choice.missing == {"webrtc": str(caught.value)}


def test_without_livekit_it_is_speexdsp():
    needs("speexdsp")
    backend, why, missing = without("livekit", asked="auto")
    assert (backend, missing) == ("speexdsp", "webrtc")
    assert "preprocessor" in why


def test_without_both_it_is_half_duplex_with_a_warning():
    warning, backend, why, missing = without("livekit", "speexdsp", "libspeexdsp", asked="auto")
    assert (backend, missing) == ("half_duplex", "webrtc speexdsp")
    assert warning.startswith("WARNING")
    for advice in ('pip install "gemini-live-trio[aec]"', "libspeexdsp1", "interrupted by voice"):
        assert advice in warning
    assert why in warning


@pytest.mark.parametrize(
    ("asked", "missing", "advice"),
    [
        ("webrtc", ["livekit"], ['pip install "gemini-live-trio[aec]"']),
        (
            "speexdsp",
            ["speexdsp", "libspeexdsp"],
            ["libspeexdsp1", 'pip install "gemini-live-trio[speexdsp]"'],
        ),
        ("auto", ["numpy"], ['pip install "gemini-live-trio[audio]"']),
    ],
)
def test_what_is_missing_is_said_in_one_line(asked, missing, advice):
    (line,) = without(*missing, asked=asked)
    for words in advice:
        assert words in line


async def test_a_back_end_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'speexdsp'"):
        async with open_echo_canceller("speex"):
            pass
    with pytest.raises(ConfigError, match=r"'auto', 'webrtc', .* or 'off'"):
        async with open_echo_canceller("bat"):
            pass
    for delay in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigError, match="delay"):
            async with open_echo_canceller("off", delay=delay):
                pass


async def test_the_binding_cancels_where_the_library_is_not_found(far):
    from gemini_live_trio.media._echo import EchoChoice
    from gemini_live_trio.media._echo_speexdsp import SpeexBinding, binding, tail_samples
    from gemini_live_trio.media._echo_stage import Stage

    module = binding()
    if module is None:
        pytest.skip("needs the extra speexdsp, which installs before Python 3.12 only")
    echo = Stage(SpeexBinding(module, tail_samples(None)), EchoChoice("speexdsp", "auto", ""))
    near, out = through(echo, far)
    echo.close()
    assert erle(near, out, 8, LENGTH) > 15


# --- What can't be used ----------------------------------------------------------------------


@pytest.fixture(params=["webrtc", "speexdsp", "half_duplex", "headphones"])
def any_backend(request):
    needs(request.param)
    return request.param


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (b"\0" * 639, "not 639"),
        (memoryview(b"\0" * 3), "not 3"),
        (np.zeros((320, 2), np.int16), r"\(320, 2\)"),
        (np.zeros(320, np.int32), "int32"),
        (np.zeros(320), "float64"),
        (np.zeros(320, bool), "bool"),
        ("sound", "str"),
        (None, "NoneType"),
        ([0, 1], "list"),
        (640, "int"),
    ],
)
async def test_a_block_that_is_no_sound_is_refused(any_backend, block, words):
    async with open_echo_canceller(any_backend) as echo:
        for call in (echo.process, echo.reference):
            with pytest.raises(ConfigError, match=words):
                call(block)
        assert len(echo.process(bytes(640))) == 640


@pytest.mark.parametrize("rate_hz", [0, -1, 7_999, 192_001, 16_000.5, None, "16000"])
async def test_a_rate_that_makes_no_sense_is_refused(any_backend, rate_hz):
    async with open_echo_canceller(any_backend) as echo:
        with pytest.raises(ConfigError, match="8,000 to 192,000"):
            echo.reference(bytes(640), rate_hz=rate_hz)


async def test_samples_that_are_no_numbers_are_counted(any_backend):
    block = np.full(BLOCK, np.nan, np.float32)
    block[:10] = [np.inf, -np.inf, 2.0, -2.0, 0.5, 0, 0, 0, 0, 0]
    async with open_echo_canceller(any_backend) as echo:
        echo.reference(block, when=float("nan"))
        out = echo.process(block, when=float("nan"))
        assert len(out) == BLOCK * 2
        assert echo.statistics().not_numbers == 2 * (BLOCK - 8)
        if any_backend == "headphones":
            assert list(np.frombuffer(out, "<i2")[:6]) == [32767, -32768, 32767, -32768, 16384, 0]


async def test_an_empty_block_is_an_empty_block(any_backend):
    async with open_echo_canceller(any_backend) as echo:
        echo.reference(b"")
        assert echo.process(b"") == b""
        assert echo.process(np.zeros(0, np.int16)) == b""


async def test_a_closed_canceller_says_so(any_backend):
    async with open_echo_canceller(any_backend) as echo:
        echo.process(bytes(640))
    for call in (echo.process, echo.reference):
        with pytest.raises(trio.ClosedResourceError):
            call(bytes(640))
    echo.close()
    assert echo.statistics().seconds == pytest.approx(0.02)


async def test_more_reference_than_anybody_needs_takes_no_memory(any_backend):
    import tracemalloc

    async with open_echo_canceller(any_backend) as echo:
        minute = bytes(RATE_HZ * 2 * 60)
        echo.reference(minute)
        tracemalloc.start()
        for _ in range(5):
            echo.reference(minute)
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert kept < 1_000_000


@given(
    blocks=st.lists(
        st.tuples(st.booleans(), st.integers(0, 2_000), st.none() | st.integers(0, 10**9)),
        max_size=30,
    )
)
def test_as_many_samples_leave_as_come(blocks):
    needs("speexdsp")

    async def main():
        async with open_echo_canceller("speexdsp") as echo:
            for far, count, frame in blocks:
                if far:
                    echo.reference(np.ones(count, np.int16), frame=frame)
                else:
                    assert len(echo.process(np.ones(count, np.int16), frame=frame)) == 2 * count
            assert echo.statistics().delay < 0.5

    trio.run(main)


@pytest.mark.parametrize("delay", ["0.1", -0.1, 1.5, math.nan, True])
async def test_a_delay_that_makes_no_sense_is_refused(delay: Any) -> None:
    with pytest.raises(ConfigError, match=r"delay must be 0\.0 to 1\.0 seconds"):
        async with open_echo_canceller("half_duplex", delay=delay):
            pass
