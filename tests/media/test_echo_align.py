"""Speaker and microphone are laid beside each other, and stay there."""

import math

import pytest

np = pytest.importorskip("numpy", reason="needs the extra audio")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from media.echoes import BLOCK, RATE_HZ, Devices, seconds  # noqa: E402

from gemini_live_trio.media._echo_align import (  # noqa: E402
    DRIFT_SECONDS,
    KEPT_SECONDS,
    LEAD_SECONDS,
    LEAST_LEAD_SECONDS,
    Aligner,
)

CYCLE = 32_003
"""Samples say which they are, modulo this; longer than the reference that is kept."""


def numbers(first, count):
    return (np.arange(first, first + count) % CYCLE - CYCLE // 2).astype(np.int16)


class Leads:
    """Runs devices, and says for each block how far ahead its reference is, in samples.

    The reference of a block should sound ``lead`` later than the block; NaN is a block that got
    silence.
    """

    def __init__(self, devices, length, *, stamps=True, gone=frozenset(), told=False):
        self.aligner = Aligner()
        self.leads = []
        lost = 0
        for number, (device, first, stamp) in enumerate(devices.blocks(length)):
            when = stamp if stamps else None
            if device == "far":
                if number in gone:
                    lost += devices.far_block
                    continue
                samples = numbers(first, devices.far_block)
                self.aligner.reference(samples, when=when, lost=lost if told else 0)
                lost = 0
            else:
                self.take(devices, first, when)
        self.settled = np.array(self.leads[-(seconds(length - 4) // devices.block) :])

    def take(self, devices, first, when):
        reference = self.aligner.match(devices.block, when=when)
        assert reference.shape == (devices.block,)
        if not reference.any():
            self.leads.append(math.nan)
            return
        heard = (0.003 - devices.ahead) * RATE_HZ + first * (1 + devices.drift_ppm * 1e-6)
        got = int(reference[0]) + CYCLE // 2
        ahead = got - heard + self.aligner.hold_samples
        self.leads.append((ahead + CYCLE // 2) % CYCLE - CYCLE // 2)


def test_the_reference_is_ahead_by_the_lead():
    run = Leads(Devices(), 5)
    assert run.settled == pytest.approx(LEAD_SECONDS * RATE_HZ, abs=1)
    assert run.aligner.alignment().lead == LEAD_SECONDS
    assert run.aligner.alignment().moves == run.aligner.alignment().late == 0


def test_a_speaker_that_tells_late_makes_the_microphone_wait():
    run = Leads(Devices(ahead=0.004, age=0.004), 5)
    assert run.settled == pytest.approx(LEAST_LEAD_SECONDS * RATE_HZ, abs=1)
    found = run.aligner.alignment()
    assert 0 < found.hold < 0.06
    assert found.late == 0


@given(
    ahead=st.floats(0.0, 0.3),
    age=st.floats(0.0, 0.3),
    block=st.integers(160, 960),
    far_block=st.integers(160, 960),
    size=st.floats(0, 0.006),
    period=st.floats(10, 60),
)
def test_stamps_that_wander_move_nothing(ahead, age, block, far_block, size, period):
    devices = Devices(
        ahead=ahead,
        age=age,
        block=block,
        far_block=far_block,
        wander=lambda time: size * math.sin(2 * math.pi * time / period),
    )
    run = Leads(devices, 8)
    assert np.ptp(run.settled) <= 1
    assert run.settled[0] > (LEAST_LEAD_SECONDS - 0.012) * RATE_HZ - 1
    assert run.settled[0] < (LEAD_SECONDS + 0.012) * RATE_HZ + 1
    assert run.aligner.alignment().moves == 0
    assert run.aligner.alignment().late == 0


@given(lost=st.sets(st.integers(100, 200), min_size=1, max_size=30))
def test_lost_blocks_of_the_microphone_take_their_reference_with_them(lost):
    run = Leads(Devices(lost=frozenset(lost)), 6)
    assert run.leads[-1] == pytest.approx(LEAD_SECONDS * RATE_HZ, abs=1)
    assert run.aligner.alignment().skipped_near == len(lost) * BLOCK
    off = np.abs(np.array(run.leads) - LEAD_SECONDS * RATE_HZ) > 1
    assert off[1:].sum() <= 3 * len(lost)


@pytest.mark.parametrize(
    "steps",
    [
        # As PulseAudio has it after an underrun; and the other way round.
        {3.0: -0.022, 3.9: -0.010, 4.0: 0.002},
        {3.0: 0.022, 4.0: 0.0},
        {3.0: 0.013, 4.0: 0.022, 5.0: 0.0},
        {3.0: -0.05, 5.5: -0.001},
    ],
)
def test_stamps_that_step_and_come_back_move_nothing(steps):
    def wander(time):
        return next((size for since, size in reversed(steps.items()) if time >= since), 0.0)

    run = Leads(Devices(wander=wander), 10)
    assert run.leads[-1] == pytest.approx(LEAD_SECONDS * RATE_HZ, abs=1)
    assert run.aligner.alignment().moves == 0


def test_samples_that_are_known_to_be_missing_are_left_out_at_once():
    aligner = Aligner()
    aligner.reference(numbers(0, 16_000), when=0.0)
    before = aligner.match(BLOCK, when=0.1)
    after = aligner.match(BLOCK, when=0.1 + (BLOCK + 1_000) / RATE_HZ, lost=1_000)
    assert int(after[0]) - int(before[-1]) == 1_001
    assert aligner.alignment().skipped_near == 1_000


@pytest.mark.parametrize("told", [True, False])
def test_blocks_that_the_speaker_did_not_tell_of_are_silence(told):
    run = Leads(Devices(), 6, gone=frozenset(range(300, 308)), told=told)
    assert run.leads[-1] == pytest.approx(LEAD_SECONDS * RATE_HZ, abs=1)
    assert run.aligner.alignment().skipped_far == 4 * BLOCK


def test_a_speaker_that_pauses_is_silence_and_comes_back_to_its_place():
    run = Leads(Devices(paused=(3.0, 7.5)), 12)
    leads = np.array(run.leads)
    paused = leads[round(3.2 * 50) : round(7.5 * 50)]
    assert np.isnan(paused).all()
    after = leads[round(7.8 * 50) :]
    assert after == pytest.approx(LEAD_SECONDS * RATE_HZ, abs=1)
    assert run.aligner.alignment().moves == 0


@given(drift_ppm=st.floats(-300, 300))
@settings(max_examples=40)  # of 200 s of sound each
def test_clocks_that_drift_apart_are_brought_together(drift_ppm):
    run = Leads(Devices(drift_ppm=drift_ppm, block=1600, far_block=1600), 200)
    bound = (DRIFT_SECONDS + 0.02) * RATE_HZ
    assert np.abs(run.settled - LEAD_SECONDS * RATE_HZ).max() < bound
    assert run.settled.min() > 0
    moves = 200 * abs(drift_ppm) * 1e-6 / DRIFT_SECONDS
    assert run.aligner.alignment().moves <= moves + 1


def test_first_stamps_that_are_wrong_are_forgotten():
    def wander(time):
        return 0.5 if time < 0.3 else 0.0

    run = Leads(Devices(wander=wander), 6)
    assert run.settled == pytest.approx(LEAD_SECONDS * RATE_HZ, abs=1)
    assert run.aligner.alignment().skipped_near == 0


@pytest.mark.parametrize("nonsense", [math.nan, math.inf, -math.inf, 1e12, -1e12])
def test_a_stamp_that_is_nonsense_changes_nothing(nonsense):
    def wander(time):
        return nonsense if 3.0 <= time < 3.02 else 0.0

    run = Leads(Devices(wander=wander), 6)
    assert run.settled == pytest.approx(LEAD_SECONDS * RATE_HZ, abs=1)


def test_without_stamps_blocks_are_matched_as_they_come():
    run = Leads(Devices(), 5, stamps=False)
    assert np.ptp(run.settled) == 0
    # The reference comes before its echo by as much as both devices hold.
    assert 0 < run.settled[0] < (0.06 + 0.03 + 0.04) * RATE_HZ
    assert run.aligner.alignment().lead is None


def test_without_stamps_a_microphone_that_paused_finds_its_place():
    aligner = Aligner()
    for first in range(0, 200 * BLOCK, BLOCK):
        aligner.reference(numbers(first, BLOCK))
        if not 50 <= first // BLOCK < 150:
            newest = aligner.match(BLOCK)
    assert newest == pytest.approx(numbers(199 * BLOCK, BLOCK))


def test_a_reference_that_nobody_needs_is_bounded_and_forgotten():
    aligner = Aligner()
    aligner.reference(numbers(0, seconds(60)), when=0.0)
    assert aligner._ring.nbytes == KEPT_SECONDS * RATE_HZ * 2
    assert not aligner.match(BLOCK, when=10.0).any()
    for number in range(3):
        newest = aligner.match(BLOCK, when=59.0 + number * BLOCK / RATE_HZ)
    assert newest == pytest.approx(numbers(seconds(59.0 + LEAD_SECONDS) + 2 * BLOCK, BLOCK))


def test_a_reference_that_comes_late_is_counted_and_moves_nothing():
    devices = Devices()
    aligner = Aligner()
    held_up = []
    for device, first, stamp in devices.blocks(8):
        if device == "near":
            newest = aligner.match(BLOCK, when=stamp)
            continue
        held_up.append((numbers(first, BLOCK), stamp))
        if not 4.0 < first / RATE_HZ < 4.25:
            for samples, when in held_up:
                aligner.reference(samples, when=when)
            held_up.clear()
    assert newest.any()
    found = aligner.alignment()
    assert 5 * BLOCK < found.late < 13 * BLOCK
    assert found.moves <= 1


@pytest.mark.parametrize("stamp", [0.0, 5.0])
def test_stamps_that_stand_still_are_none(stamp):
    aligner = Aligner()
    for first in range(0, 300 * BLOCK, BLOCK):
        aligner.reference(numbers(first, BLOCK), when=stamp)
        newest = aligner.match(BLOCK, when=100 + first / RATE_HZ)
    assert newest.any()
    assert aligner.alignment().moves == 0


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(0, 5_000),
            st.none() | st.floats(allow_nan=True, allow_infinity=True),
            st.integers(0, 100_000),
        ),
        max_size=60,
    )
)
def test_whatever_comes_a_block_of_that_length_is_returned(events):
    aligner = Aligner()
    for far, count, when, lost in events:
        if far:
            aligner.reference(numbers(0, count), when=when, lost=lost)
        else:
            assert aligner.match(count, when=when, lost=lost).shape == (count,)
    assert 0 <= aligner.hold_samples < RATE_HZ / 2
