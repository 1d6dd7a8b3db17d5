"""What the soak found, each reduced to its smallest case."""

from __future__ import annotations

import pytest
import trio
from support import tone, until
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import SessionConfig, open_session, wire
from gemini_live_trio._conversation import Fate, Ground, Kind, Outgoing, Ticket
from gemini_live_trio._conversation._delivery import Delivery
from gemini_live_trio.events import Reconnected, ReconnectState, ResumptionUpdate
from gemini_live_trio.simulator import open_simulator


def line(frame: str) -> Outgoing:
    return Outgoing(frame, ticket=Ticket(), asks=True)


def fate(item: Outgoing) -> Fate:
    assert item.ticket is not None
    return item.ticket.fate


def write(delivery: Delivery, now: float, *items: Outgoing) -> None:
    for item in items:
        delivery.outbox.put(item)
    delivery.next_batch()
    delivery.written(now)


def cut(delivery: Delivery, now: float) -> None:
    delivery.disconnected(now, in_turn=False, poisoned=False)
    delivery.connected(Ground.RESUMED, now)


def test_a_turn_after_a_resume_may_answer_what_was_given_up() -> None:
    """Seed 2: the first line was sent twice and taken; the second was lost in the cut."""
    delivery = Delivery()
    delivery.connected(Ground.FRESH, 0)
    taken, lost = line("taken"), line("lost")
    write(delivery, 1, taken)
    cut(delivery, 2)
    delivery.tick(4)  # nothing was heard: it is sent once more
    delivery.next_batch()
    delivery.written(4)
    write(delivery, 5, lost)
    cut(delivery, 5)
    assert fate(taken) is Fate.UNKNOWN
    delivery.generation_began(5.6)
    assert fate(lost) is Fate.UNKNOWN


def test_a_turn_after_a_resume_may_answer_what_was_spoken() -> None:
    delivery = Delivery()
    delivery.connected(Ground.FRESH, 0)
    lost = line("lost")
    write(delivery, 1, Outgoing("speech", Kind.AUDIO, 0.1))
    write(delivery, 2, lost)
    cut(delivery, 2)
    delivery.generation_began(2.6)
    assert fate(lost) is Fate.UNKNOWN


def test_a_turn_after_a_resume_answers_the_only_line_there_was() -> None:
    delivery = Delivery()
    delivery.connected(Ground.FRESH, 0)
    taken = line("taken")
    write(delivery, 2, taken)
    cut(delivery, 2)
    delivery.generation_began(2.6)
    assert fate(taken) is Fate.CONFIRMED


async def test_an_utterance_whose_sound_was_all_sent_before_the_cut_may_end_after_it(
    autojump_clock: MockClock,
) -> None:
    manual = wire.AutomaticActivityDetection(disabled=True)
    config = SessionConfig(
        model="gemini-3.8-live",
        realtime_input=wire.RealtimeInputConfig(automatic_activity_detection=manual),
    )
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, connector=simulator.connector) as session,
    ):
        await until(session, ResumptionUpdate)
        server = await simulator.accept()
        async with session.speaking():
            await session.send_audio(tone(1))
            await wait_all_tasks_blocked()
            await server.drop()
            await until(session, Reconnected)
            again = await simulator.accept()
        with trio.move_on_after(10):
            pytest.fail(f"the service ended it: {await again.wait_ended()}")


def test_transparent_mode_sends_everything_again_to_a_fresh_session() -> None:
    """A cut before the first handle: the service has nothing, and the client has everything."""
    delivery = Delivery(transparent=True)
    delivery.connected(Ground.FRESH, 0)
    write(delivery, 1, Outgoing("speech", Kind.AUDIO, 0.1), line("line"))
    delivery.disconnected(2, in_turn=False, poisoned=False)
    delivery.connected(Ground.FRESH, 2)
    assert [item.frame for item in delivery.next_batch()] == ["speech", "line"]


async def test_a_session_that_stays_locked_is_given_up_for_a_fresh_one(
    autojump_clock: MockClock,
) -> None:
    """As when the old path never comes back: every resume is refused with 1011."""
    config = SessionConfig(model="gemini-3.8-live")
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, connector=simulator.connector) as session,
    ):
        await until(session, ResumptionUpdate)
        simulator.refuse_next_setup(times=None, only_resumes=True)
        await (await simulator.accept()).drop()
        assert (await until(session, Reconnected)).state is not ReconnectState.RESUMED


def test_a_turn_that_goes_on_after_a_resume_confirms_nothing_that_was_sent_since() -> None:
    """Seed 1: cut while the model spoke; the next line went into a connection that was dead."""
    delivery = Delivery()
    delivery.connected(Ground.FRESH, 0)
    write(delivery, 1, line("asked"))
    delivery.generation_began(1.5)
    delivery.disconnected(2, in_turn=True, poisoned=False)
    delivery.connected(Ground.RESUMED, 3)
    lost = line("lost")
    write(delivery, 3.1, lost)
    delivery.generation_began(3.6)
    assert fate(lost) is Fate.SENT
    taken = line("taken")
    write(delivery, 4, taken)
    cut(delivery, 4)
    assert fate(lost) is Fate.UNKNOWN
    assert fate(taken) is Fate.SENT


def test_an_index_may_come_before_our_write_has_returned() -> None:
    """Seed 1, transparent: the receipt stayed as it was for ever."""
    delivery = Delivery(transparent=True)
    delivery.connected(Ground.FRESH, 0)
    quick = line("quick")
    delivery.outbox.put(quick)
    delivery.next_batch()
    delivery.handle_issued(1, None)
    delivery.written(1)
    assert fate(quick) is Fate.CONFIRMED
    delivery.disconnected(2, in_turn=False, poisoned=False)
    delivery.connected(Ground.RESUMED, 3, used=(1, 1))
    assert not delivery.ready
