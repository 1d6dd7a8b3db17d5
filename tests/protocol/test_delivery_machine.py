"""A client's delivery against a small model of the service, driven by Hypothesis.

The service of the model takes messages in order, answers each that asks, forgets nothing on a
resume, and after a resume answers by itself what it had taken and not answered: within the time
for which the client holds back. Cuts happen anywhere; what was written and not taken is gone.
"""

from __future__ import annotations

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gemini_live_trio import Fate, wire
from gemini_live_trio._closes import Close, Phase, classify
from gemini_live_trio._conversation import Conversation, Ground, Kind, Outgoing, Ticket
from gemini_live_trio.capabilities import capability_of

GONE = classify(Close("network", 1006), Phase.SESSION)
TICK = 0.5


def says(text: str) -> wire.LiveServerMessage:
    turn = wire.Content(parts=[wire.Part(text=text)])
    return wire.LiveServerMessage(server_content=wire.LiveServerContent(model_turn=turn))


TURN_COMPLETE = wire.LiveServerMessage(server_content=wire.LiveServerContent(turn_complete=True))


class Delivering(RuleBasedStateMachine):
    """Ordinary resumption: the service keeps the latest state and tells nothing of it."""

    transparent = False

    def __init__(self) -> None:
        super().__init__()
        setup = wire.LiveClientSetup(
            model="gemini-3.8-live",
            session_resumption=wire.SessionResumptionConfig(transparent=self.transparent or None),
        )
        self.client = Conversation(setup, capability_of("gemini-3.8-live"), reseed=False)
        self.now = 0.0
        self.items: dict[str, Outgoing] = {}
        self.taken: list[str] = []
        """What the service has, in its order."""
        self.unanswered: list[str] = []
        self.on_wire: list[Outgoing] = []
        """Written, and not taken yet."""
        self.speaking = False
        self.up = False
        self.handle_state: tuple[int, int] = (0, 0)
        self.connection_taken = 0
        self.connect(Ground.FRESH)

    # --- What the service does -------------------------------------------------------------

    def connect(self, ground: Ground) -> None:
        self.now += TICK
        if ground is Ground.FRESH:
            self.taken.clear()
            self.unanswered.clear()
            self.client.connected(ground, self.now, None)
        else:
            _, handle = self.client.next_setup()
            assert handle is not None
            if self.transparent:
                del self.taken[self.handle_state[1] :]
                self.unanswered.clear()
            self.client.connected(ground, self.now, handle)
        self.up = True
        self.connection_taken = 0
        self.issue_handle()
        if ground is Ground.RESUMED and self.unanswered:
            self.answer()

    def issue_handle(self) -> None:
        index = self.connection_taken
        self.handle_state = (index, len(self.taken))
        update = wire.LiveServerSessionResumptionUpdate(
            new_handle=f"h{self.now}-{len(self.taken)}",
            resumable=True,
            last_consumed_client_message_index=index if self.transparent else None,
        )
        self.client.received(wire.LiveServerMessage(session_resumption_update=update), self.now)

    def answer(self) -> None:
        self.unanswered.clear()
        self.speaking = True
        self.client.received(says("An"), self.now)

    # --- What may happen -------------------------------------------------------------------

    @precondition(lambda self: len(self.items) < 40)
    @rule(asks=st.booleans())
    def hand_in(self, asks: bool) -> None:
        name = f"m{len(self.items)}"
        self.items[name] = Outgoing(name, ticket=Ticket(), asks=asks)
        self.client.delivery.outbox.put(self.items[name])

    @rule()
    def hand_in_audio(self) -> None:
        self.client.delivery.outbox.put(Outgoing("audio", Kind.AUDIO, 0.02))

    @precondition(lambda self: self.client.delivery.ready)
    @rule(data=st.data())
    def write(self, data: st.DataObject) -> None:
        batch = list(self.client.delivery.next_batch())
        self.now += TICK
        if data.draw(st.booleans(), label="the write fails"):
            arrived = data.draw(st.integers(0, len(batch) - 1), label="frames that arrived")
            self.on_wire += batch[:arrived]
            self.take(len(self.on_wire))
            self.client.delivery.failed(self.now)
            self.cut()
        else:
            self.client.written(self.now)
            self.on_wire += batch

    def take(self, count: int) -> None:
        for item in self.on_wire[:count]:
            self.connection_taken += 1
            if item.kind is Kind.CONTROL and item.ticket is not None:
                self.taken.append(item.frame)
                if item.asks:
                    self.unanswered.append(item.frame)
            elif self.transparent:
                self.taken.append(item.frame)
        del self.on_wire[:count]

    @precondition(lambda self: self.up and self.on_wire)
    @rule(data=st.data())
    def service_takes(self, data: st.DataObject) -> None:
        self.take(data.draw(st.integers(1, len(self.on_wire))))

    @precondition(lambda self: self.up and self.unanswered and not self.speaking)
    @rule()
    def service_answers(self) -> None:
        self.now += TICK
        # It reads in order and answers only when it has read what was there.
        self.take(len(self.on_wire))
        self.answer()

    @precondition(lambda self: self.up and self.speaking)
    @rule()
    def service_ends_its_turn(self) -> None:
        self.now += TICK
        self.speaking = False
        self.client.received(TURN_COMPLETE, self.now)
        if self.unanswered:
            self.answer()

    @precondition(lambda self: self.up)
    @rule()
    def service_issues_a_handle(self) -> None:
        self.now += TICK
        self.issue_handle()

    @precondition(lambda self: self.up)
    @rule(data=st.data())
    def break_down(self, data: st.DataObject) -> None:
        self.take(data.draw(st.integers(0, len(self.on_wire)), label="taken before the cut"))
        self.cut()

    def cut(self) -> None:
        self.on_wire.clear()
        self.up = False
        if self.speaking:
            # A cut sentence is spoken again.
            self.unanswered.append("again")
        self.speaking = False
        self.client.disconnected(GONE, self.now)

    @precondition(lambda self: not self.up)
    @rule(fresh=st.booleans())
    def come_back(self, fresh: bool) -> None:
        resumable = self.client.next_setup()[1] is not None
        self.connect(Ground.FRESH if fresh or not resumable else Ground.RESUMED)

    @rule()
    def time_passes(self) -> None:
        self.now += 2 * TICK
        if self.now >= self.client.delivery.held_until:
            self.client.delivery.tick(self.now)

    # --- What must hold --------------------------------------------------------------------

    @invariant()
    def nothing_is_twice_but_what_nobody_could_know(self) -> None:
        """Of a message that asks for no answer the service never shows that it has it."""
        for name, item in self.items.items():
            if self.taken.count(name) > 1:
                assert item.ticket is not None
                assert not item.asks
                assert item.ticket.replays == 1

    @invariant()
    def confirmed_means_taken(self) -> None:
        if self.up:
            for name, item in self.items.items():
                if fate(item) is Fate.CONFIRMED and not self.forgot:
                    assert name in self.taken, name

    @invariant()
    def nothing_is_sent_a_third_time(self) -> None:
        assert all(item.ticket.replays <= 1 for item in self.items.values() if item.ticket)

    @property
    def forgot(self) -> bool:
        """A fresh session has begun, so that what was confirmed before is gone with the old one."""
        return self.client.delivery.mark(None)[0] > 1

    def teardown(self) -> None:
        """In the end all that is neither taken nor settled can be written, and has a fate."""
        if not self.up:
            self.come_back(fresh=False)
        for _ in range(200):
            self.now += TICK
            self.client.delivery.tick(self.now)
            if not self.client.delivery.ready:
                if self.client.delivery.held_until == math.inf:
                    break
                continue
            self.on_wire += list(self.client.delivery.next_batch())
            self.client.written(self.now)
        self.take(len(self.on_wire))
        assert self.client.delivery.unsettled == 0
        self.lost_is_told()
        self.client.delivery.close("closed")
        assert all(fate(item).final for item in self.items.values())

    def lost_is_told(self) -> None:
        if self.forgot and not self.transparent:
            return
        for name, item in self.items.items():
            if name not in self.taken:
                assert fate(item) in (Fate.UNKNOWN, Fate.DROPPED), name


def fate(item: Outgoing) -> Fate:
    assert item.ticket is not None
    return item.ticket.fate


class DeliveringTransparently(Delivering):
    """Transparent resumption: a handle restores exactly what its index says."""

    transparent = True

    def nothing_is_sent_a_third_time(self) -> None:
        """It may be: the index says each time that the service hasn't it."""

    @precondition(lambda self: not self.up)
    @rule()
    def come_back(self, fresh: bool = False) -> None:
        self.connect(Ground.RESUMED)

    def confirmed_means_taken(self) -> None:
        for name, item in self.items.items():
            if fate(item) is Fate.CONFIRMED:
                assert name in self.taken[: self.handle_state[1]], name

    def lost_is_told(self) -> None:
        """Nothing is lost, and nothing is unknown."""
        assert [name for name in self.taken if name != "audio"] == list(self.items)


TestDelivering = Delivering.TestCase
TestDeliveringTransparently = DeliveringTransparently.TestCase
TestDelivering.settings = TestDeliveringTransparently.settings = settings(
    max_examples=200, stateful_step_count=60
)
