"""A receiver's buffer."""

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from gemini_live_trio._session._cursor import Cursor
from gemini_live_trio.errors import SessionBroken
from gemini_live_trio.events import Event, GenerationComplete, Lagged, ModelAudio, ModelText


def end_of_channel() -> Exception:
    return trio.EndOfChannel()


async def drained(cursor: Cursor) -> list[Event]:
    cursor.end(end_of_channel)
    return [event async for event in cursor]


async def test_events_come_in_order_and_the_end_after_them(autojump_clock: MockClock) -> None:
    cursor = Cursor()
    published = [ModelText("a"), ModelText("b"), GenerationComplete()]
    for event in published:
        cursor.publish(event)
    assert await drained(cursor) == published
    cursor.publish(ModelText("too late"))
    with pytest.raises(trio.EndOfChannel):
        await cursor.receive()


async def test_a_waiting_receiver_is_woken(autojump_clock: MockClock) -> None:
    cursor = Cursor()
    async with trio.open_nursery() as nursery:

        async def publish_late() -> None:
            await trio.testing.wait_all_tasks_blocked()
            cursor.publish(ModelText("a"))

        nursery.start_soon(publish_late)
        assert await cursor.receive() == ModelText("a")


async def test_a_broken_session_is_told_after_its_events_and_each_time(
    autojump_clock: MockClock,
) -> None:
    cursor = Cursor()
    cursor.publish(ModelText("a"))
    cursor.end(lambda: SessionBroken("gone"))
    assert await cursor.receive() == ModelText("a")
    for _ in range(2):
        with pytest.raises(SessionBroken, match="gone"):
            await cursor.receive()


async def test_cancelling_a_receiver_loses_nothing(autojump_clock: MockClock) -> None:
    cursor = Cursor()
    with trio.move_on_after(0):
        await cursor.receive()
    cursor.publish(ModelText("a"))
    with trio.CancelScope() as scope:
        scope.cancel()
        await cursor.receive()
    assert scope.cancelled_caught
    assert await cursor.receive() == ModelText("a")


async def test_receiving_is_a_checkpoint(autojump_clock: MockClock) -> None:
    cursor = Cursor()
    cursor.publish(ModelText("a"))
    with trio.testing.assert_checkpoints():
        await cursor.receive()


async def test_two_receivers_are_one_too_many(autojump_clock: MockClock) -> None:
    cursor = Cursor()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(cursor.receive)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await cursor.receive()
        cursor.publish(ModelText("a"))


async def test_closing_wakes_the_receiver_and_forgets(autojump_clock: MockClock) -> None:
    cursor = Cursor()

    async def wait_in_vain() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await cursor.receive()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait_in_vain)
        await trio.testing.wait_all_tasks_blocked()
        await cursor.aclose()
    cursor.publish(ModelText("a"))
    with pytest.raises(trio.ClosedResourceError):
        await cursor.receive()


async def test_audio_goes_first_and_the_gap_is_marked(autojump_clock: MockClock) -> None:
    cursor = Cursor(max_events=10)
    for number in range(6):
        cursor.publish(ModelText(str(number)))
        cursor.publish(ModelAudio(bytes(2)))
    got = await drained(cursor)
    texts = [event.text for event in got if isinstance(event, ModelText)]
    assert texts == ["0", "1", "2", "3", "4", "5"]
    missing = sum(event.count for event in got if isinstance(event, Lagged))
    assert missing + sum(isinstance(event, ModelAudio) for event in got) == 6
    assert missing > 0


async def test_no_event_is_missing_without_being_counted(autojump_clock: MockClock) -> None:
    cursor = Cursor(max_events=100)
    for number in range(10_000):
        cursor.publish(ModelText(str(number)))
    got = await drained(cursor)
    assert len(got) <= 101
    assert isinstance(got[0], Lagged)
    assert got[0].count + len(got) - 1 == 10_000
    assert got[-1] == ModelText("9999")
    kept = [event.text for event in got if isinstance(event, ModelText)]
    assert kept == [str(number) for number in range(10_000 - len(kept), 10_000)]


async def test_bytes_are_bounded_too(autojump_clock: MockClock) -> None:
    cursor = Cursor(max_bytes=1000)
    for _ in range(100):
        cursor.publish(ModelText("x"), weight=100)
    got = await drained(cursor)
    assert sum(isinstance(event, ModelText) for event in got) <= 10
    assert isinstance(got[0], Lagged)
    assert got[0].count + len(got) - 1 == 100
