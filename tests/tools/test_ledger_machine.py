"""The ledger against a small model of the service, driven by Hypothesis.

The service of the model knows calls by their ids, within one conversation. A fresh session knows
none, a handle that restores its own time those that it had then. Whatever happens, every call gets
one outcome, nothing is said under an id that the service doesn't know for that call, and nothing
after it has taken the call back.
"""

from __future__ import annotations

from typing import Any, Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gemini_live_trio import Fate
from gemini_live_trio.events import ToolOutcome
from gemini_live_trio.tools._ledger import Entry, Ledger, Run, Stage
from gemini_live_trio.tools._results import answer, failure

IDS = ["a", "b", "c"]
ARGS: list[dict[str, Any]] = [{}, {"at": "door"}]
TIMEOUT = 10.0


class Book(RuleBasedStateMachine):
    """A service whose handles bring back its latest state."""

    restores: Literal["latest", "handle"] = "latest"
    judge = staticmethod(lambda earlier, new: earlier.args == new.args)

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(restores=self.restores)
        self.ledger.most_results = 1
        self.now = 0.0
        self.entries: list[Entry] = []
        self.outcomes: dict[int, ToolOutcome] = {}
        self.told: list[int] = []
        """Numbers of the calls whose outcome was told, in order."""
        self.running: list[Run] = []
        self.stopped: list[Run] = []
        self.on_the_way: list[tuple[Entry, bool]] = []
        """Answers without a final fate, and whether they were written."""
        self.in_words: list[Entry] = []
        self.known: dict[str, int] = {}
        """What the service knows: numbers of calls by their ids."""
        self.seen: set[str] = set()
        """Ids that came on this connection."""
        self.handles: dict[str, dict[str, int]] = {}
        self.issued = 0

    # --- What follows from everything ------------------------------------------------------

    def look(self) -> None:
        for entry in self.ledger.take_settled():
            self.told.append(entry.call.number)
            assert entry.call.outcome is not None
            self.outcomes[entry.call.number] = entry.call.outcome
        for run, reason in self.ledger.take_unwanted():
            assert reason
            assert run in self.running
            assert run not in self.stopped
            assert not any(entry.open for entry in run.entries)
            self.stopped.append(run)

    def hand_over(self, entries: list[Entry]) -> None:
        for entry in entries:
            assert entry.open
            assert entry.call.id is not None
            assert self.known[entry.call.id] == entry.call.number
            self.ledger.handed(entry)
            self.on_the_way.append((entry, False))

    # --- The service ------------------------------------------------------------------------

    @rule(
        call_id=st.sampled_from(IDS), name=st.sampled_from(["f", "g"]), args=st.sampled_from(ARGS)
    )
    def model_calls(self, call_id: str, name: str, args: dict[str, Any]) -> None:
        self.now += 1
        pending = [
            entry.call for entry in self.ledger.open if entry.known and entry.call.id == call_id
        ]
        again = call_id in self.seen or any(
            (call.name, call.args) == (name, args) for call in pending
        )
        entry = self.ledger.called(call_id, name, args, self.now)
        self.seen.add(call_id)
        assert (entry is None) is again
        if entry is None:
            self.look()
            return
        self.known[call_id] = entry.call.number
        # What is still on the way for a call that had this id is taken back.
        self.on_the_way = [item for item in self.on_the_way if item[0].open]
        self.entries.append(entry)
        run = self.ledger.same_as(entry, self.judge)
        if run is None:
            run = self.ledger.begin(entry, deadline=self.now + TIMEOUT)
            self.running.append(run)
            self.ledger.began(run, self.now)
        else:
            assert run.serves
            self.ledger.share(entry, run, self.now)
            if run.answer is not None:
                self.hand_over([entry])
        self.look()

    @rule()
    def model_calls_without_an_id(self) -> None:
        self.now += 1
        entry = self.ledger.called(None, "f", {}, self.now)
        assert entry is not None
        self.entries.append(entry)
        self.running.append(self.ledger.begin(entry, deadline=self.now + TIMEOUT))
        self.look()

    @rule(call_id=st.sampled_from(IDS))
    def service_cancels(self, call_id: str) -> None:
        self.now += 1
        number = self.known.pop(call_id, None)
        self.ledger.cancelled([call_id], self.now)
        self.look()
        if number is not None:
            assert number in self.outcomes
            self.on_the_way = [item for item in self.on_the_way if item[0].open]

    @precondition(lambda self: len(self.handles) < 5)
    @rule()
    def service_issues_a_handle(self) -> None:
        self.issued += 1
        handle = f"h{self.issued}"
        self.handles[handle] = dict(self.known)
        self.ledger.handle_issued(handle)

    @rule(data=st.data())
    def connection_breaks(self, data: st.DataObject) -> None:
        """The answers on the way fare as the session's delivery has it."""
        handle = data.draw(st.sampled_from([None, *self.handles]), label="resumed with")
        if handle is None:
            self.known = {}
            self.handles.clear()
        elif self.restores == "handle":
            self.known = dict(self.handles[handle])
            later = list(self.handles)[list(self.handles).index(handle) + 1 :]
            for other in later:
                del self.handles[other]
        lost = set(self.ledger.connected(handle))
        self.seen.clear()
        for entry, _ in [*self.on_the_way]:
            if entry.call.id in lost and not entry.known:
                self.ledger.fate(entry, Fate.DROPPED, self.now)
                self.on_the_way = [item for item in self.on_the_way if item[0] is not entry]
        self.look()

    # --- The program ------------------------------------------------------------------------

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["well", "badly", "not", "misfit"]))
    def tool_ends(self, data: st.DataObject, how: str) -> None:
        self.now += 1
        run = data.draw(st.sampled_from(self.running))
        self.running.remove(run)
        wanted = [entry for entry in run.entries if entry.open]
        if how == "not" and wanted:
            how = "well"  # it is stopped only when nobody wants it
        late = self.ledger.counts().late
        if how == "misfit":
            for entry in self.ledger.misfit(run, self.now, "bad arguments"):
                assert self.known[entry.call.id or ""] == entry.call.number
            assert not any(entry.open for entry in run.entries)
        else:
            gave = {"well": answer("x"), "badly": failure(ValueError()), "not": None}[how]
            told = self.ledger.finished(run, gave, self.now)
            assert self.ledger.counts().late - late == (gave is not None and not wanted)
            self.hand_over(list(told))
        self.look()

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data())
    def answer_is_written(self, data: st.DataObject) -> None:
        entry, _ = data.draw(st.sampled_from(self.on_the_way))
        self.on_the_way.remove(next(item for item in self.on_the_way if item[0] is entry))
        self.on_the_way.append((entry, True))
        self.ledger.fate(entry, Fate.SENT, self.now)
        assert entry.open

    @precondition(lambda self: any(written for _, written in self.on_the_way))
    @rule(data=st.data(), fate=st.sampled_from([Fate.CONFIRMED, Fate.UNKNOWN]))
    def answer_has_arrived(self, data: st.DataObject, fate: Fate) -> None:
        written = [item for item in self.on_the_way if item[1]]
        entry, _ = data.draw(st.sampled_from(written))
        self.on_the_way = [item for item in self.on_the_way if item[0] is not entry]
        self.known.pop(entry.call.id or "", None)
        self.ledger.fate(entry, fate, self.now)
        self.look()
        assert entry.call.outcome is ToolOutcome.ANSWERED

    @precondition(lambda self: self.ledger.untold)
    @rule()
    def result_is_told_in_words(self) -> None:
        entry = self.ledger.untold[0]
        assert not entry.known
        assert entry.run is not None
        assert entry.run.answer is not None
        self.ledger.telling(entry)
        self.in_words.append(entry)

    @precondition(lambda self: self.in_words)
    @rule()
    def words_are_written(self) -> None:
        entry = self.in_words.pop()
        self.ledger.told(entry, Fate.SENT, self.now)
        self.look()
        assert not entry.open

    @precondition(lambda self: any(entry.stage is Stage.WAITING for entry in self.ledger.open))
    @rule(data=st.data())
    def call_is_refused(self, data: st.DataObject) -> None:
        waiting = [entry for entry in self.ledger.open if entry.stage is Stage.WAITING]
        entry = data.draw(st.sampled_from(waiting))
        assert self.ledger.refuse(entry, "shutting down", self.now)
        assert not self.ledger.refuse(entry, "twice", self.now)
        self.look()

    @rule()
    def time_passes(self) -> None:
        self.now += TIMEOUT / 2
        due = self.ledger.next_deadline
        expired = self.ledger.expire(self.now)
        assert bool(expired) == (due <= self.now)
        assert self.ledger.next_deadline > self.now
        for entry in expired:
            assert entry.call.outcome is ToolOutcome.TIMED_OUT
            assert self.now - entry.call.came_at >= TIMEOUT or entry.call.shares
        self.look()

    # --- What must hold --------------------------------------------------------------------

    @invariant()
    def each_call_has_one_outcome_and_keeps_it(self) -> None:
        assert len(self.told) == len(set(self.told))
        for entry in self.entries:
            assert entry.call.outcome is self.outcomes.get(entry.call.number)
            assert entry.open == (entry in self.ledger.open)

    @invariant()
    def the_counts_add_up(self) -> None:
        counts = self.ledger.counts()
        ended = counts.answered + counts.cancelled + counts.timed_out + counts.refused
        assert counts.calls == len(self.entries) == ended + counts.retold + counts.open
        assert counts.open == len(self.ledger.open)

    @invariant()
    def what_the_ledger_thinks_is_known_is(self) -> None:
        for entry in self.ledger.open:
            if entry.known:
                assert self.known[entry.call.id or ""] == entry.call.number

    @invariant()
    def nobody_waits_for_a_run_that_was_stopped(self) -> None:
        for run in self.running:
            assert any(entry.open for entry in run.entries) == (run not in self.stopped)

    @invariant()
    def little_is_kept(self) -> None:
        kept = [entry.run for entry in self.entries if not entry.open and entry.run is not None]
        answers = {id(run) for run in kept if run.answer is not None and not _wanted(run)}
        assert len(answers) <= 1

    def teardown(self) -> None:
        for entry, written in self.on_the_way:
            self.ledger.fate(entry, Fate.UNKNOWN if written else Fate.DROPPED, self.now)
        self.ledger.ended(self.now)
        self.look()
        assert sorted(self.told) == [entry.call.number for entry in self.entries]
        assert not self.ledger.open
        assert set(self.stopped) >= set(self.running)
        for run in self.running:
            assert self.ledger.finished(run, answer("late"), self.now) == []
        self.look()
        assert sorted(self.told) == [entry.call.number for entry in self.entries]


def _wanted(run: Run) -> bool:
    return any(entry.open for entry in run.entries)


class BookOfMoments(Book):
    """A service whose handles bring back the state of their own time."""

    restores = "handle"


TestBook = Book.TestCase
TestBookOfMoments = BookOfMoments.TestCase
TestBook.settings = TestBookOfMoments.settings = settings(max_examples=200, stateful_step_count=60)
