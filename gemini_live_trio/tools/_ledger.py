"""The book of tool calls: every call ends in exactly one way, over however many connections.

Sans-IO: it is told what happened and when, and says what follows; it starts, stops and sends
nothing.

**Ids.** An id names a call to the service, within its conversation. The same id twice on one
connection is the same call, in whichever form it comes. After a resume a pending call is known
under its id as before; should the id come again with the same function and arguments, it is that
call, and otherwise another one, as it is when the call had ended. A fresh session knows no call,
and a handle that restores an older moment knows none that came after it: such calls are *lost*.
What they give is told in words; or under a new id, if the service, which remembers nothing of it,
asks the same again. Then the lost call *follows* the new one, and ends with it.

**Stages of an entry**, of which the last three are its own way to the outcome::

    WAITING ──────▶ HANDED ──────────▶ answered
       │  tool over    │ never arrived
       ▼               ▼
    UNTOLD ───────▶ TELLING ─────────▶ retold
             in words

and from each of them it may be cancelled, timed out or refused, after which nothing is sent.
An answer counts as given with the first sign that the service has it: until then a fresh session
would not know it, and it would have to be told again.
"""

from __future__ import annotations

import enum
import math
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, Protocol

import attrs

from .._conversation import Fate
from ..events import ToolOutcome
from ..statistics import ToolCounts
from ..wire import JsonValue
from ._call import Call
from ._results import Answer

__all__ = ["Entry", "Ledger", "Owner", "Run", "Stage"]

MOST_KEPT: Final = 256
"""Ended calls that are kept for looking at."""
MOST_SEEN: Final = 10_000
"""Ids of one connection that are known again."""
MOST_HANDLES: Final = 8
MOST_RESULTS: Final = 32
"""Results of ended calls that may still serve another, where somebody judges that."""

Judge = Callable[[Call, Call], bool]


class Owner(Protocol):
    """Whoever runs tools."""

    def stop(self, run: Run, reason: str, /) -> None:
        """Nobody wants what it gives any more."""
        ...


class Stage(enum.Enum):
    """Where an open call stands."""

    WAITING = "waiting"
    """For the tool, or for its answer to be handed over."""
    HANDED = "handed"
    """Its answer is on its way, or was written without a sign yet that it is there."""
    UNTOLD = "untold"
    """There is a result, and no id to tell it under."""
    TELLING = "telling"
    """It is being told in words."""


@attrs.define(eq=False)
class Run:
    """One execution of a tool, for one call or several that mean the same."""

    name: str
    entries: list[Entry]
    deadline: float = math.inf
    owner: Owner | None = None
    """Whoever runs it."""
    answer: Answer | None = None
    over: bool = False
    """The function has ended, one way or other."""
    unwanted: bool = False
    """No call is open that wants what it gives."""

    @property
    def serves(self) -> bool:
        """Whether another call could still have what it gives."""
        if self.over:
            return self.answer is not None and not self.answer.failed
        return not self.unwanted


@attrs.define(eq=False)
class Entry:
    """A call, and what only the ledger needs to know of it."""

    call: Call
    known: bool
    """Whether the service knows it under its id."""
    place: int
    """Its place among handles and calls, as they came."""
    run: Run | None = None
    stage: Stage = Stage.WAITING
    follows: Entry | None = None
    """The call under a new id that has taken over what is left to do."""

    @property
    def open(self) -> bool:
        """Whether it has no outcome yet."""
        return self.call.outcome is None

    @property
    def lost(self) -> bool:
        """Whether the service has forgotten it, and nothing else stands for it."""
        return self.open and not self.known and self.call.id is not None and self.follows is None


class Ledger:
    """All calls of one session.

    Args:
      restores: Whether a handle brings back the latest state, or that of its own time.
    """

    def __init__(self, *, restores: Literal["latest", "handle"] = "latest") -> None:
        self._exact = restores == "latest"
        self._tally: Counter[str] = Counter()
        self._place = 0
        self._number = 0
        self._handles: OrderedDict[str, int] = OrderedDict()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._open: dict[int, Entry] = {}
        """By number, which is the order in which they came."""
        self._by_id: dict[str, Entry] = {}
        """The open ones that the service knows."""
        self._ended: deque[Entry] = deque(maxlen=MOST_KEPT)
        self._settled: list[Entry] = []
        self._unwanted: list[tuple[Run, str]] = []
        self._results: deque[Run] = deque()
        self.most_results: int = 0
        """How many results of ended calls are kept."""

    # --- Looking ---------------------------------------------------------------------------

    @property
    def calls(self) -> Sequence[Call]:
        """The open ones, and the last that ended, as they came."""
        entries = [*self._ended, *self._open.values()]
        return [entry.call for entry in sorted(entries, key=lambda entry: entry.call.number)]

    @property
    def open(self) -> Sequence[Entry]:
        """The calls without an outcome, as they came."""
        return tuple(self._open.values())

    @property
    def untold(self) -> Sequence[Entry]:
        """Calls whose results can only be told in words."""
        return [
            entry
            for entry in self._open.values()
            if entry.stage is Stage.UNTOLD and entry.follows is None
        ]

    @property
    def next_deadline(self) -> float:
        """When the next call runs out of time."""
        return min((run.deadline for _, run in self._running()), default=math.inf)

    def _running(self) -> Iterator[tuple[Entry, Run]]:
        """The open calls whose tool isn't over, and that follow no other, with their runs."""
        for entry in self._open.values():
            run = entry.run
            if run is not None and not run.over and entry.follows is None:
                yield entry, run

    def pending(self, call_id: str | None) -> Entry | None:
        """Return the open call that the service knows under this id."""
        return None if call_id is None else self._by_id.get(call_id)

    def named(self, call_id: str) -> Call | None:
        """Return the call that has this id, or the last that had it."""
        entry = self._by_id.get(call_id)
        if entry is not None:
            return entry.call
        calls = (entry.call for entry in reversed(self._ended) if entry.call.id == call_id)
        return next(calls, None)

    def awaits(self, call_id: str) -> bool:
        """Tell whether the service still waits for an answer under this id, and will have one."""
        entry = self._by_id.get(call_id)
        return entry is not None and entry.call.fate in (None, Fate.QUEUED)

    def counts(self) -> ToolCounts:
        """Return the counts so far."""
        return ToolCounts(open=len(self._open), **self._tally)

    def take_settled(self) -> Sequence[Entry]:
        """Return the calls that have ended since this was last asked."""
        settled, self._settled = self._settled, []
        return settled

    def take_unwanted(self) -> Sequence[tuple[Run, str]]:
        """Return the runs that nobody wants any more since this was last asked, and why."""
        unwanted, self._unwanted = self._unwanted, []
        return unwanted

    # --- What the service says ---------------------------------------------------------------

    def called(
        self,
        call_id: str | None,
        name: str,
        args: Mapping[str, JsonValue],
        now: float,
        *,
        blocking: bool = False,
        nameable: bool = False,
    ) -> Entry | None:
        """The model calls a function; ``None`` if it is a call that is known already.

        Args:
          call_id: The service's id, ``None`` where there is none.
          name: Which function.
          args: What with.
          now: When.
          blocking: Whether the model waits.
          nameable: Whether an answer may go without an id, by the function's name.
        """
        if call_id is not None and self._is_known(call_id, name, args, now):
            self._tally["duplicates"] += 1
            return None
        self._number += 1
        self._place += 1
        call = Call(
            number=self._number, id=call_id, name=name, args=args, blocking=blocking, came_at=now
        )
        entry = Entry(call, known=call_id is not None or nameable, place=self._place)
        self._open[call.number] = entry
        if call_id is not None:
            self._by_id[call_id] = entry
        self._tally["calls"] += 1
        return entry

    def _is_known(self, call_id: str, name: str, args: Mapping[str, JsonValue], now: float) -> bool:
        if call_id in self._seen:
            return True
        self._seen[call_id] = None
        if len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)
        before = self._by_id.get(call_id)
        if before is None:
            return False
        if before.call.name == name and before.call.args == args:
            return True
        self._settle(before, ToolOutcome.CANCELLED, "its id went to another call", now)
        return False

    def cancelled(self, call_ids: Iterable[str], now: float) -> None:
        """The service no longer wants the answers to these calls."""
        for call_id in call_ids:
            entry = self._by_id.get(call_id)
            if entry is not None:
                self._settle(entry, ToolOutcome.CANCELLED, "by the service", now)

    def handle_issued(self, handle: str) -> None:
        """A handle came: the calls before it are in the state that it stands for."""
        self._place += 1
        self._handles[handle] = self._place
        self._handles.move_to_end(handle)
        while len(self._handles) > MOST_HANDLES:
            self._handles.popitem(last=False)

    def connected(self, handle: str | None) -> Sequence[str]:
        """A connection is ready; return the ids that the service no longer knows.

        Args:
          handle: What the conversation was resumed with, ``None`` for a fresh session.
        """
        self._seen.clear()
        if handle is not None and self._exact:
            return []
        since = -1 if handle is None else self._handles.get(handle, -1)
        lost = [entry for entry in self._open.values() if entry.known and entry.place > since]
        for entry in lost:
            entry.known = False
            if entry.call.id is not None:
                self._by_id.pop(entry.call.id, None)
        return [entry.call.id for entry in lost if entry.call.id is not None]

    # --- Runs --------------------------------------------------------------------------------

    def begin(self, entry: Entry, *, deadline: float = math.inf, owner: Owner | None = None) -> Run:
        """Have a call served by a run of its own."""
        run = entry.run = Run(entry.call.name, [entry], deadline, owner)
        return run

    def same_as(self, entry: Entry, judge: Judge | None = None) -> Run | None:
        """Find a run that serves another call too: the same, as far as anybody can tell.

        A call that was lost with the service's memory of it, and comes again word for word, is the
        same call. Whether one is that is worded otherwise, or came twice, is for ``judge`` to say,
        who is given the earlier call and the new one.
        """
        others = [
            other
            for other in (*self._ended, *self._open.values())
            if other is not entry
            and other.call.name == entry.call.name
            and other.run is not None
            and other.run.serves
        ]
        for other in others:
            if other.lost and other.call.args == entry.call.args:
                return other.run
        for other in reversed(others):
            if judge is not None and judge(other.call, entry.call):
                return other.run
        return None

    def share(self, entry: Entry, run: Run, now: float) -> None:
        """Have a call served by the run of another; if that is over, there is an answer at once."""
        first = run.entries[0].call
        entry.run = run
        entry.call.shares, entry.call.began_at = first.number, first.began_at
        lost = next((other for other in run.entries if other.lost), None)
        if lost is not None:
            lost.follows = entry
        # The first stays, since the run is told of by it; what else has ended would only pile up.
        run.entries[1:] = [*(other for other in run.entries[1:] if other.open), entry]
        run.unwanted = False
        if run in self._results:
            self._results.remove(run)
        self._tally["shared"] += 1
        if run.answer is not None:
            entry.call.failed, entry.call.finished_at = run.answer.failed, now

    def began(self, run: Run, now: float) -> None:
        """The tool begins to run."""
        for entry in run.entries:
            entry.call.began_at = now

    def finished(self, run: Run, answer: Answer | None, now: float) -> Sequence[Entry]:
        """The function is over; return the calls to be answered under their ids.

        Args:
          run: Which one.
          answer: What it gave; ``None`` if it was stopped.
          now: When.
        """
        run.over = True
        for entry in run.entries:
            if entry.call.finished_at is None:
                entry.call.finished_at = now
        if answer is None:
            return []
        run.answer = answer
        wanted = [entry for entry in run.entries if entry.open]
        if not wanted:
            self._tally["late"] += 1
            run.answer = None
        for entry in wanted:
            entry.call.failed = answer.failed
            if not entry.known:
                entry.stage = Stage.UNTOLD
        return [entry for entry in wanted if entry.known]

    def misfit(self, run: Run, now: float, reason: str) -> Sequence[Entry]:
        """The arguments don't fit; return the calls that are to be told under their ids."""
        run.over = True
        wanted = [entry for entry in run.entries if entry.open]
        for entry in wanted:
            entry.call.failed, entry.call.finished_at = True, now
            self._settle(entry, ToolOutcome.REFUSED, reason, now)
        return [entry for entry in wanted if entry.known]

    # --- Answers -----------------------------------------------------------------------------

    def handed(self, entry: Entry) -> None:
        """The answer was handed over to be sent."""
        entry.stage = Stage.HANDED
        entry.call.fate = Fate.QUEUED

    def not_handed(self, entry: Entry) -> None:
        """It could not be handed over after all."""
        if entry.open and entry.stage is Stage.HANDED:
            entry.stage, entry.call.fate = Stage.WAITING, None

    def fate(self, entry: Entry, fate: Fate, now: float) -> None:
        """Something became known of an answer's way."""
        entry.call.fate = fate
        if not entry.open:
            return
        if fate is Fate.DROPPED:
            # Why is told next: the call was cancelled, or is lost, or all is over.
            entry.stage = Stage.UNTOLD
        elif fate.final:
            reason = "" if fate is Fate.CONFIRMED else "whether it arrived isn't known"
            self._settle(entry, ToolOutcome.ANSWERED, reason, now)

    def telling(self, entry: Entry) -> None:
        """The result was handed over in words."""
        entry.stage = Stage.TELLING

    def told(self, entry: Entry, fate: Fate, now: float) -> None:
        """Something became known of the way of these words."""
        entry.call.fate = fate
        if entry.open and fate in (Fate.SENT, Fate.CONFIRMED, Fate.UNKNOWN):
            self._settle(entry, ToolOutcome.RETOLD, "in words", now)

    # --- Other ways to end -------------------------------------------------------------------

    def refuse(self, entry: Entry, reason: str, now: float) -> bool:
        """It isn't run, or not to its end; tell whether that is news."""
        return self._settle(entry, ToolOutcome.REFUSED, reason, now)

    def expire(self, now: float) -> Sequence[Entry]:
        """Time has passed; return the calls that ran out of it."""
        late = [entry for entry, run in self._running() if run.deadline <= now]
        for entry in late:
            seconds = now - entry.call.came_at
            self._settle(entry, ToolOutcome.TIMED_OUT, f"after {seconds:g} s", now)
        return late

    def ended(self, now: float) -> None:
        """The session is over: what is still open will never be told."""
        for entry in self.open:
            self._settle(entry, ToolOutcome.REFUSED, "the session ended", now)

    def _settle(self, entry: Entry, outcome: ToolOutcome, reason: str, now: float) -> bool:
        """The one place where a call gets its outcome."""
        call = entry.call
        if call.outcome is not None:
            return False
        call.outcome, call.reason, call.ended_at = outcome, reason, now
        del self._open[call.number]
        if call.id is not None and self._by_id.get(call.id) is entry:
            del self._by_id[call.id]
        self._ended.append(entry)
        self._settled.append(entry)
        self._tally[outcome.name.lower()] += 1
        run = entry.run
        if run is None:
            return True
        for other in run.entries:
            if other.follows is entry:
                whole = outcome if outcome is not ToolOutcome.ANSWERED else ToolOutcome.RETOLD
                self._settle(other, whole, f"as the call {call.id}", now)
        if not run.unwanted and not any(other.open for other in run.entries):
            run.unwanted = True
            if not run.over:
                self._unwanted.append((run, _reason_of(outcome, reason)))
            elif run.answer is not None:
                self._keep_result(run)
        return True

    def _keep_result(self, run: Run) -> None:
        self._results.append(run)
        while len(self._results) > self.most_results:
            self._results.popleft().answer = None


def _reason_of(outcome: ToolOutcome, reason: str) -> str:
    match outcome:
        case ToolOutcome.CANCELLED:
            return f"cancelled {reason}" if reason.startswith("by") else f"cancelled: {reason}"
        case ToolOutcome.TIMED_OUT:
            return f"timed out {reason}"
        case _:
            return reason
