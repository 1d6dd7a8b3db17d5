"""What a speaker plays next, and what of it was heard; without a device."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio.media._playout import Heard, Outlet, Playout, Span

np = pytest.importorskip("numpy", reason="needs the extra audio")

RATE = 1_000
BLOCK = 20


def playout(*, prebuffer: float = 0.0, capacity_seconds: float = 60.0) -> Playout:
    return Playout(rate_hz=RATE, capacity_seconds=capacity_seconds, prebuffer=prebuffer)


def sound(frames: int, *, first: int = 1) -> bytes:
    """Samples that tell their place, none of them silent."""
    return array("h", ((first + place - 1) % 30_000 + 1 for place in range(frames))).tobytes()


def samples(pcm: bytes) -> list[int]:
    return list(array("h", pcm))


def drain(queue: Playout, blocks: int = 50) -> list[int]:
    """What is heard over so many blocks, silence left out."""
    taken = b"".join(queue.take(BLOCK)[0] for _ in range(blocks))
    return [sample for sample in samples(taken) if sample]


def test_a_burst_is_kept_whole_and_played_in_order() -> None:
    queue = playout()
    for piece in range(10):
        queue.add(sound(33, first=33 * piece + 1), 1)
    assert drain(queue) == samples(sound(330))


def test_an_empty_queue_gives_silence() -> None:
    assert playout().take(BLOCK) == (bytes(2 * BLOCK), [])


def test_a_block_says_which_generation_lies_where() -> None:
    queue = playout()
    queue.add(sound(5), 1)
    queue.add(sound(6), 1)
    queue.add(sound(4), None)
    queue.add(sound(2), 2)
    _, spans = queue.take(BLOCK)
    assert spans == [Span(1, 0, 11), Span(None, 11, 4), Span(2, 15, 2)]


def test_a_voice_waits_for_the_prebuffer() -> None:
    queue = playout(prebuffer=0.1)
    queue.add(sound(60), 1)
    assert not queue.take(BLOCK)[1]
    queue.add(sound(60, first=61), 1)
    assert samples(queue.take(BLOCK)[0]) == samples(sound(BLOCK))


def test_a_voice_shorter_than_the_prebuffer_waits_only_so_long() -> None:
    queue = playout(prebuffer=0.1)
    queue.add(sound(10), 1)
    silent = 0
    while not queue.take(BLOCK)[1]:
        silent += 1
    assert silent * BLOCK / RATE == pytest.approx(0.1, abs=BLOCK / RATE)


def test_a_late_piece_is_an_underrun_and_makes_the_prebuffer_grow() -> None:
    queue = playout(prebuffer=0.08)
    queue.add(sound(100), 1)
    drain(queue, 20)
    queue.add(sound(100), 1)
    assert queue.underruns == 1
    assert queue.prebuffer == pytest.approx(0.12)
    for _ in range(5):
        drain(queue, 20)
        queue.add(sound(100), 1)
    assert queue.prebuffer == 0.2


def test_the_prebuffer_shrinks_again_while_all_goes_well() -> None:
    queue = playout(prebuffer=0.08)
    for _ in range(3):
        queue.add(sound(100), 1)
        drain(queue, 20)
    grown = queue.prebuffer
    for generation in range(2, 30):
        queue.add(sound(100), generation)
        drain(queue, 20)
    assert queue.prebuffer == 0.08 < grown


def test_the_end_of_a_turn_is_no_underrun() -> None:
    queue = playout()
    for generation in (1, 2):
        queue.add(sound(30), generation)
        drain(queue)
    assert queue.underruns == 0


def test_a_model_that_pauses_is_no_underrun() -> None:
    queue = playout()
    queue.add(sound(30), 1)
    drain(queue, 60)
    queue.add(sound(30), 1)
    assert queue.underruns == 0


def test_a_flush_is_silence_within_the_next_block_after_a_fade() -> None:
    queue = playout()
    queue.add(sound(500, first=10_000), 1)
    queue.take(BLOCK)
    queue.flush(1)
    block = samples(queue.take(BLOCK)[0])
    assert block[:5] == sorted(block[:5], reverse=True)
    assert block[0] > 0
    assert not any(block[5:])
    assert not any(samples(queue.take(BLOCK)[0]))
    assert queue.flushed_frames == 480


def test_a_fade_has_its_length_where_pieces_end_in_it() -> None:
    queue = playout()
    for _ in range(30):
        queue.add(array("h", [10_000, 10_000]).tobytes(), 1)
    queue.add(array("h", [9_000] * 40).tobytes(), 2)
    queue.take(BLOCK + 1)
    queue.flush(1)
    assert samples(queue.take(BLOCK)[0])[:6] == [8_000, 6_000, 4_000, 1_999, 0, 9_000]


def test_late_sound_of_an_interrupted_turn_is_refused_and_counted() -> None:
    queue = playout()
    queue.add(sound(50), 3)
    queue.flush(3)
    queue.add(sound(50), 3)
    queue.add(sound(50), 2)
    assert not drain(queue)
    assert queue.refused_frames == 100


def test_the_turn_after_an_interruption_is_played_from_its_first_sample() -> None:
    queue = playout(prebuffer=0.05)
    queue.add(sound(500), 1)
    drain(queue, 3)
    queue.flush(1)
    queue.take(BLOCK)
    queue.add(sound(500, first=7_000), 2)
    assert drain(queue) == samples(sound(500, first=7_000))


def test_a_turn_that_waits_behind_an_interrupted_one_survives_it() -> None:
    queue = playout()
    queue.add(sound(500), 1)
    queue.add(sound(40, first=9_000), 2)
    queue.flush(1)
    assert drain(queue) == samples(sound(40, first=9_000))


def test_an_old_interruption_leaves_a_newer_turn_alone() -> None:
    queue = playout()
    queue.add(sound(100), 2)
    queue.take(BLOCK)
    queue.flush(1)
    assert drain(queue) == samples(sound(80, first=BLOCK + 1))


def test_flushing_without_a_generation_drops_all_and_refuses_nothing() -> None:
    queue = playout()
    queue.add(sound(100), 1)
    queue.add(sound(100), None)
    queue.flush(None)
    assert queue.frames == 0
    queue.add(sound(30), 1)
    assert drain(queue) == samples(sound(30))


def test_room_is_bounded_but_for_a_first_piece() -> None:
    queue = playout(capacity_seconds=0.1)
    assert queue.fits(1_000)
    queue.add(sound(90), 1)
    assert queue.fits(10)
    assert not queue.fits(11)


def test_heard_is_what_has_sounded() -> None:
    heard = Heard()
    heard.handed(10.0, [Span(1, 0, 100), Span(2, 100, 100)], RATE, 9.9)
    assert heard.position(1, 9.95) == 0
    assert heard.position(1, 10.05) == pytest.approx(0.05)
    assert heard.position(2, 10.05) == 0
    assert heard.end(2) == pytest.approx(10.2)
    assert heard.position(1, 11) == pytest.approx(0.1)
    assert heard.position(2, 11) == pytest.approx(0.1)


def test_what_a_lost_device_had_in_hand_was_not_heard() -> None:
    heard = Heard()
    heard.handed(10.0, [Span(1, 0, 100)], RATE, 9.9)
    heard.lost(10.03)
    assert heard.position(1, 12) == pytest.approx(0.03)
    assert heard.end(1) is None


def test_only_the_newest_generations_are_remembered() -> None:
    heard = Heard()
    for generation in range(200):
        heard.handed(float(generation), [Span(generation, 0, 100)], RATE, float(generation))
    positions = heard.positions(1_000.0)
    assert len(positions) <= 64
    assert positions[199] == pytest.approx(0.1)


PIECE = st.tuples(st.just("add"), st.integers(1, 4), st.integers(0, 70))
TAKE = st.tuples(st.just("take"), st.just(0), st.integers(1, 60))
FLUSH = st.tuples(st.just("flush"), st.integers(1, 4), st.just(0))


@given(st.lists(st.one_of(PIECE, TAKE, FLUSH)), st.sampled_from([0.0, 0.05]))
def test_whatever_happens_each_sample_is_played_once_and_in_order_or_counted(
    steps: list[tuple[str, int, int]], prebuffer: float
) -> None:
    queue = playout(prebuffer=prebuffer)
    added = played = 0
    flushed = 0
    newest = 0
    for step, generation, frames in steps:
        if step == "add":
            queue.add(sound(frames, first=added + 1), generation)
            added += frames
            assert not (generation <= flushed and queue.holds(generation))
        elif step == "take":
            pcm, spans = queue.take(frames)
            assert len(pcm) == 2 * frames
            for span in spans:
                assert span.generation is not None
                assert span.generation > flushed
                played += span.frames
                inside = samples(pcm)[span.start : span.start + span.frames]
                assert all(inside)
                assert inside == sorted(inside)
                assert inside[0] > newest
                newest = inside[-1]
        else:
            queue.flush(generation)
            flushed = max(flushed, generation)
    assert added == played + queue.flushed_frames + queue.refused_frames + queue.frames


@pytest.mark.parametrize("device_hz", [16_000, 44_100, 48_000])
def test_a_device_with_another_rate_gets_whole_blocks_at_the_right_pitch(device_hz: int) -> None:
    rate_hz = 24_000
    queue = Playout(rate_hz=rate_hz, capacity_seconds=10, prebuffer=0)
    tone = np.sin(2 * np.pi * 440 * np.arange(rate_hz) / rate_hz) * 16_000
    queue.add(tone.astype("<i2").tobytes(), 1)
    outlet = Outlet(queue, rate_hz=rate_hz, device_hz=device_hz)
    blocks, frames = [], 0
    for _ in range(45):
        pcm, taken = outlet.take(device_hz // 50)
        assert len(pcm) == device_hz // 50 * 2
        assert all(0 <= delay < 0.02 for delay, _ in taken)
        frames += sum(span.frames for _, spans in taken for span in spans)
        blocks.append(pcm)
    heard = np.frombuffer(b"".join(blocks), "<i2")[device_hz // 10 :]
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert spectrum.argmax() * device_hz / len(heard) == pytest.approx(440, abs=2)
    assert frames == pytest.approx(0.9 * rate_hz, abs=0.01 * rate_hz)
