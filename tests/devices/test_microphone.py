"""The microphone, on the rig's devices."""

import itertools
import threading
import time

import pytest
import trio
from devices.sounds import (
    again_if_the_machine_stalls,
    heard,
    longest_hole,
    needs_sound,
    pitch,
    play_raw,
    tone,
)

from gemini_live_trio import errors
from gemini_live_trio.media import (
    MicrophoneBlock,
    MicrophonePaused,
    list_devices,
    open_microphone,
)

pytestmark = needs_sound


@again_if_the_machine_stalls
async def test_what_is_said_is_heard_whole_and_at_its_pitch() -> None:
    said = tone(2, hertz=1000, rate_hz=48_000)
    async with open_microphone("vmic") as microphone, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: play_raw(said, rate_hz=48_000))
        recording = await heard(microphone)
    assert pitch(recording.sound) == pytest.approx(1000, abs=1)
    assert len(recording.sound) / 16_000 == pytest.approx(2, abs=0.01)
    assert longest_hole(recording.sound) < 0.001


@pytest.mark.parametrize(("rate_hz", "block_ms"), [(16_000, 20), (24_000, 10), (48_000, 40)])
async def test_blocks_have_one_length_and_follow_each_other(rate_hz: int, block_ms: int) -> None:
    async with open_microphone("vmic", rate_hz=rate_hz, block_ms=block_ms) as microphone:
        recording = await heard(microphone, lambda r: len(r.blocks) == 50)
    frames = rate_hz * block_ms // 1000
    assert {len(block.pcm) for block in recording.blocks} == {frames * 2}
    assert [block.frame for block in recording.blocks] == [frames * n for n in range(50)]
    first, last = recording.blocks[0], recording.blocks[-1]
    assert last.adc_time - first.adc_time == pytest.approx(49 * block_ms / 1000, abs=0.05)


async def test_loudness_is_told() -> None:
    async with open_microphone("vmic") as microphone, trio.open_nursery() as nursery:
        await heard(microphone, lambda r: len(r.blocks) == 5)
        assert microphone.level_dbfs == -120
        nursery.start_soon(lambda: play_raw(tone(0.5, rate_hz=16_000)))
        recording = await heard(microphone, lambda r: r.heard_seconds > 0.3)
        assert recording.blocks[-1].level_dbfs == pytest.approx(-9.2, abs=0.5)
        assert microphone.level_dbfs == recording.blocks[-1].level_dbfs


def block_the_thread(seconds: float) -> None:
    """Keep Trio from running, as a slow program does."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


@pytest.mark.parametrize("busy", [0.010, 0.015])
async def test_a_program_that_is_just_fast_enough_loses_nothing(busy: float) -> None:
    async with open_microphone("vmic") as microphone:
        async for event in microphone:
            assert isinstance(event, MicrophoneBlock)
            block_the_thread(busy)
            if event.frame >= 16_000 * 3:
                break
        now = microphone.statistics()
    assert now.dropped == now.gaps == 0
    assert now.blocks == 151


async def test_under_load_nothing_is_lost_but_what_is_counted() -> None:
    said = tone(8, hertz=1000, rate_hz=16_000)
    blocks = []
    async with open_microphone("vmic") as microphone, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: play_raw(said))
        async for event in microphone:
            assert isinstance(event, MicrophoneBlock)
            blocks.append(event)
            block_the_thread(0.030)
            if event.frame >= 16_000 * 5:
                break
        now = microphone.statistics()
        nursery.cancel_scope.cancel()
    assert now.dropped > 30
    assert now.captured == now.blocks + now.dropped + now.waiting
    jumps = [b.frame - a.frame - 320 for a, b in itertools.pairwise(blocks)]
    # What makes room after the newest block that was given can't be seen in it yet.
    assert sum(jumps) / 320 <= now.dropped <= sum(jumps) / 320 + now.waiting
    assert 0 < now.gaps <= now.dropped
    assert all(jump >= 0 and jump % 320 == 0 for jump in jumps)
    # Each block is where its number says, by the device's clock too.
    for block in blocks:
        place = (block.frame - blocks[0].frame) / 16_000
        assert block.adc_time - blocks[0].adc_time == pytest.approx(place, abs=0.05)
    # It settles at what the buffer holds instead of lagging more and more.
    assert now.waiting <= 25


async def test_muting_sends_silence_then_the_end_then_nothing() -> None:
    async with open_microphone("vmic") as microphone, trio.open_nursery() as nursery:
        nursery.start_soon(lambda: play_raw(tone(20, rate_hz=16_000)))
        await heard(microphone, lambda r: r.heard_seconds > 0.2)
        microphone.mute()
        microphone.mute()
        muted = await heard(microphone, lambda r: bool(r.others))
        assert muted.others == [MicrophonePaused()]
        assert not muted.samples.any()
        assert len(muted.samples) / 16_000 == pytest.approx(0.5, abs=0.05)
        with trio.move_on_after(0.5) as nothing:
            await anext(microphone)
        assert nothing.cancelled_caught
        microphone.unmute()
        after = await heard(microphone, lambda r: r.heard_seconds > 0.2)
        assert not after.others
        assert microphone.statistics().gaps == 0
        assert microphone.statistics().muted >= 25
        nursery.cancel_scope.cancel()


async def test_unmuting_at_once_needs_no_end() -> None:
    async with open_microphone("vmic") as microphone:
        microphone.mute()
        await heard(microphone, lambda r: len(r.blocks) == 5)
        microphone.unmute()
        after = await heard(microphone, lambda r: len(r.blocks) == 50)
        assert not after.others


async def test_a_misspelt_name_suggests_the_nearest() -> None:
    with pytest.raises(errors.MediaError, match=r"no microphone 'vmik'; did you mean 'vmic'\?"):
        async with open_microphone("vmik"):
            pass


async def test_an_output_can_not_be_listened_to() -> None:
    with pytest.raises(errors.MediaError, match="'vdeaf' can't be used as a microphone"):
        async with open_microphone("vdeaf"):
            pass


async def test_devices_are_listed_with_what_they_can() -> None:
    devices = {device.name: device for device in await list_devices(refresh=True)}
    assert devices["vdeaf"].inputs == 0
    assert devices["vdeaf"].outputs > 0
    assert devices["vmic"].inputs > 0
    assert sum(device.default_input for device in devices.values()) == 1


async def test_the_list_can_not_be_made_anew_under_an_open_microphone() -> None:
    async with open_microphone("vmic"):
        with pytest.raises(errors.MediaError, match="close it first"):
            await list_devices(refresh=True)
        assert await list_devices()
    assert await list_devices(refresh=True)


async def test_only_one_task_may_listen_and_none_after_the_block() -> None:
    async with open_microphone("vmic") as microphone, trio.open_nursery() as nursery:
        nursery.start_soon(heard, microphone)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(microphone)
        nursery.cancel_scope.cancel()
    with pytest.raises(trio.ClosedResourceError):
        await anext(microphone)


async def test_opening_often_leaves_nothing_behind() -> None:
    for _ in range(3):
        async with open_microphone("vmic"):
            pass
    before = threading.active_count()
    for _ in range(20):
        async with open_microphone("vmic") as microphone:
            await anext(microphone)
    assert threading.active_count() <= before
    assert await list_devices(refresh=True)


async def test_it_can_be_cancelled_while_it_opens() -> None:
    for number in range(10):
        with trio.move_on_after(number / 2000):
            async with open_microphone("vmic") as microphone:
                await anext(microphone)
    # It would say so if one were still open.
    assert await list_devices(refresh=True)


async def test_alsa_writes_nothing_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    """Not even of a device that it can't open."""
    import ctypes

    await list_devices()
    alsa = ctypes.CDLL("libasound.so.2")
    alsa.snd_pcm_open(ctypes.byref(ctypes.c_void_p()), b"no such device", 0, 0)
    assert capfd.readouterr().err == ""
