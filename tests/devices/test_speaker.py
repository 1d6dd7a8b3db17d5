"""The speaker, on the rig's devices: heard by our own microphone at its monitor."""

import itertools

import pytest
import trio
from devices.sounds import (
    Recording,
    again_if_the_machine_stalls,
    heard,
    longest_hole,
    loud,
    needs_sound,
    np,
    pitch,
    tone,
)

from gemini_live_trio import errors
from gemini_live_trio.media import open_microphone, open_speaker

pytestmark = needs_sound


@again_if_the_machine_stalls
async def test_a_tone_is_heard_at_its_pitch_without_a_gap_for_five_seconds() -> None:
    voice = tone(5)
    async with open_speaker("vspeaker") as speaker, open_microphone("vspeaker_mon") as microphone:
        for start in range(0, len(voice), 4_800):  # all at once, in pieces of 100 ms
            await speaker.play(voice[start : start + 4_800], generation=1)
        recording = await heard(microphone)
        assert speaker.position(1) == pytest.approx(5)
        assert speaker.statistics().underruns == 0
        assert microphone.statistics().gaps == 0
    assert pitch(recording.sound) == pytest.approx(440, abs=0.5)
    assert len(recording.sound) / 16_000 == pytest.approx(5, abs=0.005)
    assert longest_hole(recording.sound) < 0.001
    # No click either: between its ends a sine of one loudness has no other.
    windows = recording.sound[160:-160].astype(float)[: 490 * 160].reshape(490, 160)
    loudness = np.sqrt((windows**2).mean(axis=1))
    assert loudness.min() > 0.9 * loudness.max()


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
async def test_sound_of_another_rate_keeps_its_pitch_and_its_length(rate_hz: int) -> None:
    async with open_speaker("vspeaker") as speaker, open_microphone("vspeaker_mon") as microphone:
        voice = tone(1, rate_hz=rate_hz)
        await speaker.play(voice[:9_999], rate_hz=rate_hz, generation=1)  # half a sample apart
        await speaker.play(voice[9_999:], rate_hz=rate_hz, generation=1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(speaker.turn_played_out, 1)
            recording = await heard(microphone)
    assert pitch(recording.sound) == pytest.approx(440, abs=1)
    assert len(recording.sound) / 16_000 == pytest.approx(1, abs=0.005)


async def test_played_out_comes_when_the_last_sample_was_heard() -> None:
    told: list[tuple[int, float]] = []
    recording = Recording()
    async with (
        open_speaker("vspeaker", on_played=lambda *said: told.append(said)) as speaker,
        open_microphone("vspeaker_mon") as microphone,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(recording.listen, microphone)
        before = trio.current_time()
        await speaker.play(tone(1), generation=7)
        await speaker.turn_played_out(7)
        assert 1 < trio.current_time() - before < 1.4
        assert speaker.position(7) == pytest.approx(1)
        nursery.cancel_scope.cancel()
    seconds = [position for generation, position in told if generation == 7]
    assert seconds == sorted(seconds)
    assert len(seconds) >= 8
    assert seconds[-1] == pytest.approx(1)
    assert len(recording.sound) / 16_000 == pytest.approx(1, abs=0.1)


@again_if_the_machine_stalls
async def test_an_interruption_is_silence_within_two_blocks_and_the_next_turn_is_whole() -> None:
    async with (
        open_speaker("vspeaker") as speaker,
        open_microphone("vspeaker_mon") as microphone,
    ):
        with speaker.tap() as tap:
            await speaker.play(tone(10, hertz=300), generation=1)
            recording = await heard(microphone, lambda r: r.heard_seconds > 1)
            link = speaker._line.link
            assert link is not None
            tap.take()
            cut = link.time()
            speaker.flush(1)
            await speaker.play(tone(1, hertz=300), generation=1)  # comes late
            await recording.listen(microphone, lambda r: r.quiet_for(0.4))
            fade, *silence = (np.frombuffer(block.pcm, "<i2") for block in tap.take())
        assert not fade[len(fade) // 2 :].any()
        assert not np.concatenate(silence).any()
        # In the air: what the device had in hand, two blocks, the rest of one, and the fade.
        _, end = loud(recording.samples)
        silent_at = recording.blocks[0].adc_time + end / 16_000
        assert silent_at - cut < 2 * 0.020 + 0.020 + 0.005 + 0.020
        assert speaker.position(1) == pytest.approx(len(recording.sound) / 16_000, abs=0.02)
        await speaker.turn_played_out(1)

        await speaker.play(tone(1, hertz=1_500, level=12_000), generation=2)
        after = await heard(microphone)
        now = speaker.statistics()
    assert pitch(after.sound) == pytest.approx(1_500, abs=1)
    assert len(after.sound) / 16_000 == pytest.approx(1, abs=0.005)
    assert now.refused_seconds == pytest.approx(1)
    assert now.flushed_seconds > 8


async def test_a_model_slower_than_speech_is_heard_whole_and_its_holes_are_counted() -> None:
    voice = tone(1.8)
    async with (
        open_speaker("vspeaker", prebuffer_ms=80) as speaker,
        open_microphone("vspeaker_mon") as microphone,
    ):
        recording = Recording()
        for third in (1, 2, 3):
            await speaker.play(voice[(third - 1) * 28_800 : third * 28_800], generation=1)

            def is_over(so_far: Recording, third: int = third) -> bool:
                return so_far.heard_seconds > 0.55 * third and so_far.quiet_for(0.2)

            await recording.listen(microphone, is_over)
        now = speaker.statistics()
        assert speaker.position(1) == pytest.approx(1.8)
    assert now.underruns == 2
    assert now.prebuffer_seconds > 0.08
    assert recording.heard_seconds == pytest.approx(1.8, abs=0.1)


async def test_what_waits_is_bounded_and_whoever_plays_waits() -> None:
    async with open_speaker("vspeaker", buffer_seconds=1) as speaker:
        await speaker.play(tone(0.9), generation=1)
        with pytest.raises(trio.WouldBlock):
            speaker.play_nowait(tone(0.5), generation=1)
        before = trio.current_time()
        await speaker.play(tone(0.5), generation=1)
        assert trio.current_time() - before > 0.3
        # What waited for its room was played; what didn't want to wait is counted.
        assert speaker.statistics().overflow_seconds == pytest.approx(0.5)
        await speaker.turn_played_out(1)
        assert speaker.position(1) == pytest.approx(1.4)


async def test_a_flush_wakes_who_waits_for_room_and_for_the_end() -> None:
    async with open_speaker("vspeaker", buffer_seconds=5) as speaker:
        await speaker.play(tone(5), generation=1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(speaker.turn_played_out, 1)
            nursery.start_soon(lambda: speaker.play(tone(1), generation=1))
            await trio.testing.wait_all_tasks_blocked()
            before = trio.current_time()
            speaker.flush(1)
        assert trio.current_time() - before < 1


async def test_a_tap_gives_all_that_the_device_was_given() -> None:
    async with open_speaker("vspeaker") as speaker:
        with speaker.tap(seconds=5) as tap:
            await speaker.play(tone(1), generation=1)
            await speaker.turn_played_out(1)
            blocks = tap.take()
            assert not tap.dropped
    assert all(b.frame == a.frame + len(a.pcm) // 2 for a, b in itertools.pairwise(blocks))
    played = np.frombuffer(b"".join(block.pcm for block in blocks), "<i2")
    begin, end = loud(played)
    assert end - begin == pytest.approx(24_000, abs=10)
    assert {block.rate_hz for block in blocks} == {24_000}


async def test_a_tap_that_nobody_empties_is_bounded_and_counts() -> None:
    async with open_speaker("vspeaker") as speaker:
        with speaker.tap(seconds=0.1) as tap:
            await speaker.play(tone(0.5), generation=1)
            await speaker.turn_played_out(1)
            blocks = tap.take()
    assert len(blocks) == 5
    assert tap.dropped > 20


async def test_what_a_hook_raises_comes_out_once_the_block_ended() -> None:
    def hook(generation: int, seconds: float) -> None:
        raise KeyError("the hook")

    with pytest.raises(KeyError, match="the hook"):
        async with open_speaker("vspeaker", on_played=hook) as speaker:
            await speaker.play(tone(1), generation=1)
            await speaker.turn_played_out(1)


async def test_the_blocks_own_exception_comes_out_unchanged() -> None:
    with pytest.raises(ValueError, match="mine"):
        async with open_speaker("vspeaker"):
            raise ValueError("mine")


async def test_the_blocks_own_exception_wins_over_cancellation() -> None:
    with pytest.raises(ValueError, match="mine"), trio.CancelScope() as scope:
        async with open_speaker("vspeaker"):
            scope.cancel()
            try:
                await trio.sleep_forever()
            finally:
                raise ValueError("mine")


async def test_cancelling_around_it_leaves_no_group_behind() -> None:
    with trio.move_on_after(0.1) as scope:
        async with open_speaker("vspeaker"):
            await trio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_speaker_that_was_closed_says_so() -> None:
    async with open_speaker("vspeaker") as speaker:
        pass
    with pytest.raises(trio.ClosedResourceError):
        await speaker.play(tone(1))
    with pytest.raises(trio.ClosedResourceError):
        await speaker.turn_played_out(None)


async def test_a_speaker_that_is_not_there_is_told_by_name() -> None:
    with pytest.raises(errors.MediaError, match="There is no speaker 'loudhailer'; there is"):
        async with open_speaker("loudhailer"):
            pass
