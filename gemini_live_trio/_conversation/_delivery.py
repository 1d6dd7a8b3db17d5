"""What was written, and what is known of its fate.

The service doesn't acknowledge messages. Written is therefore not taken, and after a cut nobody can
say of the last messages whether the service has them. Two things tell:

* output of a generation that began after the write: the service reads in order, so it had read
  that message. Output of a generation that was already running tells nothing.
* in transparent mode (Vertex AI), the index of the last consumed message, which comes with each
  handle and is exact: state and index belong together, so all after it is sent again, and nothing
  else.

Without the index, a message that may or may not have been taken waits for a moment after the
resume: if the model begins to answer, it was; if not, it is sent once more. Where even that can't
tell, its fate is ``unknown``, and is said to be so. Nothing is sent a third time.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Literal

import attrs

from .. import codec
from ._gate import Gate
from ._outbox import Bracket, Fate, Kind, Outbox, Outgoing

__all__ = ["Delivery", "Ground", "Mark"]

HOLD_SECONDS = 2.0
"""How long to wait after a resume for a turn to begin by itself."""

EVIDENCE_MARGIN = 0.1
"""Seconds: output that arrives sooner after a write may have been begun before it was read."""

AUDIO_ASKS = 10.0
"""Seconds in which audio that was sent may be what the model answers."""

MOST_UNCONFIRMED = 256
MOST_UNCONFIRMED_CHARACTERS = 8 * 2**20
MOST_UNCONSUMED = 4096
MOST_UNCONSUMED_CHARACTERS = 32 * 2**20
"""Transparent mode keeps audio too."""

MOST_HELD_BACK = 256
"""Messages that may wait for a gate to open; the oldest is given up."""

SILENCE = 0.1
"""Seconds of it that stand in for an utterance without sound."""

BATCH_CHARACTERS = 256 * 2**10
"""Written at once at the most: a tear costs no more than this, and a close needn't wait longer."""

AMBIGUOUS = "the connection broke, and the answer that came doesn't tell"

_START = '{"realtimeInput":{"activityStart":{}}}'


class Ground(enum.Enum):
    """What the service has after a reconnect."""

    RESUMED = "resumed"
    FRESH = "fresh"


Mark = tuple[int, int]
"""Number of the connection, and of the message on it, from 1."""


@attrs.define(eq=False)
class _Sent:
    item: Outgoing
    at: float
    mark: Mark
    evident: bool = False
    """A generation began after it."""
    doubtful: bool = False
    """One did, but the service may have owed it to something older."""


@attrs.define
class _Tally:
    """What a reconnect did with what was under way."""

    replayed: int = 0
    unknown: int = 0


class Delivery:
    """The outbox and what comes after it."""

    def __init__(
        self,
        *,
        transparent: bool = False,
        counts_setup: bool = False,
        replay: bool = True,
        restores: Literal["latest", "handle"] = "latest",
        audio_seconds: float = 10.0,
        gate: Gate | None = None,
    ) -> None:
        self.outbox: Outbox = Outbox(audio_seconds=audio_seconds)
        self._gate = gate
        self._held_back: deque[Outgoing] = deque()
        self.gated_audio_seconds: float = 0.0
        self.gated_video_frames: int = 0
        self._transparent = transparent
        self._counts_setup = counts_setup
        self._replay = replay
        self._restores = restores
        self._open = False
        self._connection = 0
        self._index = 0
        self._consumed: Mark = (0, 0)
        """What the newest index covers, in transparent mode."""
        self._in_flight: list[Outgoing] = []
        self._revoked: list[tuple[Outgoing, str]] = []
        """What is among them and mustn't be sent again, and why."""
        self._sent: deque[_Sent] = deque()
        self._characters = 0
        self._waiting: list[Outgoing] = []
        self._others_asked = False
        self._owes = False
        """Whether the service may go on by itself after a resume, with what it had before."""
        self._owed_until = -math.inf
        """A turn that begins by itself may answer something that isn't waiting."""
        self._held_until = -math.inf
        self._bracket_open = False
        self._reopen = False
        self._empty = False
        self._rate_hz = 16_000
        self._audio_at = -math.inf
        self.tally: _Tally = _Tally()

    # --- Writing ---------------------------------------------------------------------------

    @property
    def held_until(self) -> float:
        """When waiting messages must be decided; ``math.inf`` while nothing waits."""
        return self._held_until if self._waiting else math.inf

    @property
    def ready(self) -> bool:
        """Whether something may be written now."""
        return self._open and not self._waiting and len(self.outbox) > 0

    @property
    def user_marked_speaking(self) -> bool:
        """Whether an utterance was begun by a mark and not ended yet."""
        return self._bracket_open

    @property
    def unsettled(self) -> int:
        """How many messages were not written yet, and could be."""
        return len(self.outbox) + len(self._in_flight) + len(self._waiting)

    @property
    def unconfirmed(self) -> int:
        """How many messages were written, and no sign has come that the service has them."""
        return len(self._sent)

    @property
    def asks(self) -> bool:
        """Whether something calls for an answer that is still to be written, perhaps once more."""
        waiting = [*self._held_back, *self._in_flight, *self._waiting]
        if not self._open:
            waiting += [sent.item for sent in self._sent if not sent.evident]
        return self.outbox.asks > 0 or any(item.asks for item in waiting)

    def next_batch(self) -> list[Outgoing]:
        """Take what is to be written now, at once and in this order."""
        characters = 0
        while self.ready and characters < BATCH_CHARACTERS:
            item = self.outbox.take()
            if self._gate is not None and self._gate.holds(item):
                self._hold_back(item)
                continue
            if self._reopen and not self._goes_as_it_is(item):
                continue
            self._fill(item)
            self._in_flight.append(item)
            characters += len(item.frame)
        return self._in_flight

    def _hold_back(self, item: Outgoing) -> None:
        """Keep what is still worth something when the gate opens."""
        if item.kind is Kind.AUDIO:
            self.gated_audio_seconds += item.seconds
        elif item.kind is Kind.VIDEO:
            self.gated_video_frames += 1
        else:
            self._held_back.append(item)
            if len(self._held_back) > MOST_HELD_BACK:
                given_up = self._held_back.popleft()
                given_up.become(Fate.DROPPED, "too much was said while the model waited for a tool")

    def gate_opened(self) -> None:
        """Let what was held back be the next to go."""
        self.outbox.put_back(self._held_back)
        self._held_back.clear()

    def _fill(self, item: Outgoing) -> None:
        """Let no utterance be empty: the service takes its end for an error then."""
        if item.kind is Kind.AUDIO:
            self._rate_hz = item.rate_hz or self._rate_hz
            self._empty = False
        elif item.bracket is Bracket.START:
            self._empty = True
        elif item.bracket is Bracket.END and self._empty:
            silence = bytes(int(SILENCE * self._rate_hz) * 2)
            frame = codec.encode_audio(silence, rate_hz=self._rate_hz)
            self._in_flight.append(Outgoing(frame, Kind.AUDIO, SILENCE, rate_hz=self._rate_hz))

    def drop_seed(self) -> bool:
        """Take out the seed; tell whether it had not been written."""
        return bool(self.outbox.drop(lambda item: item.seed))

    def _goes_as_it_is(self, item: Outgoing) -> bool:
        """Mend an utterance that was begun on the connection before this one.

        Its first sound here opens it again. Without any its end would end nothing, which the
        service takes for an error.
        """
        if item.kind is Kind.AUDIO:
            self._in_flight.append(Outgoing(_START, bracket=Bracket.START))
            self._reopen = False
        elif item.bracket is not None:
            self._bracket_open = self._reopen = False
            return item.bracket is Bracket.START
        return True

    def written(self, now: float) -> list[Outgoing]:
        """The batch was written to its last byte; return it."""
        batch, self._in_flight = self._in_flight, []
        for item in batch:
            self._note_sent(item, now)
            item.become(Fate.SENT)
        self._forget_revoked()
        return batch

    def failed(self, now: float) -> None:
        """The batch was not written to its last byte: the last frame of it can't have arrived."""
        batch, self._in_flight = self._in_flight, []
        if self._transparent:
            self.outbox.put_back(batch)
        else:
            for item in batch[:-1]:
                self._note_sent(item, now)
            self.outbox.put_back(batch[-1:])
        self._forget_revoked()

    def _forget_revoked(self) -> None:
        """Send nothing again that was taken back while it was being written."""
        revoked, self._revoked = self._revoked, []
        for item, reason in revoked:
            self._withdraw({item}.__contains__, reason)

    def _note_sent(self, item: Outgoing, now: float) -> None:
        self._index += 1
        if item.kind is Kind.AUDIO:
            self._audio_at = now
        if item.bracket is not None:
            self._bracket_open = item.bracket is Bracket.START
        keep = item.ticket is not None or self._transparent
        if keep and not (item.kind is not Kind.CONTROL and not self._transparent):
            sent = _Sent(item, now, (self._connection, self._index))
            self._sent.append(sent)
            self._characters += len(item.frame)
            if self._transparent and sent.mark <= self._consumed:
                # The service was quicker than the end of our write.
                sent.evident = True
                item.become(Fate.CONFIRMED)
            most = MOST_UNCONSUMED if self._transparent else MOST_UNCONFIRMED
            characters = (
                MOST_UNCONSUMED_CHARACTERS if self._transparent else MOST_UNCONFIRMED_CHARACTERS
            )
            while len(self._sent) > most or self._characters > characters:
                self._forget(self._sent[0], Fate.UNKNOWN, "too many were waiting for evidence")

    def _forget(self, sent: _Sent, fate: Fate, reason: str = "") -> None:
        self._sent.remove(sent)
        self._characters -= len(sent.item.frame)
        sent.item.become(fate, reason)

    # --- Evidence --------------------------------------------------------------------------

    def generation_began(self, now: float) -> list[Outgoing]:
        """Output of a new generation arrived; return what it shows to be taken, in order."""
        owed, self._owed_until = now < self._owed_until, -math.inf
        if self._waiting:
            return self._settle_waiting()
        if self._transparent:
            return []
        if owed:
            for sent in self._sent:
                sent.doubtful = True
            return []
        evident = []
        # With nobody speaking, only a message can have asked for it: the first, at the least.
        somebody_asked = self._audio_at > now - AUDIO_ASKS
        for sent in list(self._sent):
            if sent.at > now - EVIDENCE_MARGIN and somebody_asked:
                break
            if sent.evident:
                continue
            somebody_asked = somebody_asked or sent.item.asks
            sent.evident = True
            evident.append(sent.item)
            if self._restores == "latest":
                self._forget(sent, Fate.CONFIRMED)
        return evident

    def _settle_waiting(self) -> list[Outgoing]:
        """The model answers by itself after a resume: to what?"""
        waiting, self._waiting = self._waiting, []
        asked = next((n for n, item in enumerate(waiting, 1) if item.asks), 0)
        if self._others_asked:
            asked = 0
        for item in waiting[:asked]:
            item.become(Fate.CONFIRMED)
        for item in waiting[asked:]:
            self._give_up(item, AMBIGUOUS)
        return waiting[:asked]

    def _give_up(self, item: Outgoing, reason: str) -> None:
        if item.ticket is not None and not item.ticket.fate.final:
            self.tally.unknown += 1
        item.become(Fate.UNKNOWN, reason)

    def handle_issued(self, consumed: int | None, previous: Mark | None) -> list[Outgoing]:
        """A handle came; return what it confirms.

        Args:
          consumed: The index that came with it, in transparent mode.
          previous: The mark of the handle before it, which may still be needed.
        """
        confirmed: list[Outgoing] = []
        if self._transparent:
            mark = self._consumed = (self._connection, consumed or 0)
            for sent in self._sent:
                if sent.mark <= mark and not sent.evident:
                    sent.evident = True
                    sent.item.become(Fate.CONFIRMED)
                    confirmed.append(sent.item)
            while self._sent and previous is not None and self._sent[0].mark <= previous:
                self._forget(self._sent[0], Fate.CONFIRMED)
        elif self._restores == "handle":
            for sent in [sent for sent in self._sent if sent.evident]:
                self._forget(sent, Fate.CONFIRMED)
        return confirmed

    def mark(self, consumed: int | None) -> Mark:
        """Return the place in the stream of messages that a handle stands for."""
        return (self._connection, consumed or 0)

    # --- Connections -----------------------------------------------------------------------

    def disconnected(self, now: float, *, in_turn: bool, poisoned: bool) -> None:
        """The connection is gone.

        Args:
          now: When.
          in_turn: Whether a generation was running.
          poisoned: Whether the service ended it because of something that was sent: then nothing
            is sent again.
        """
        self._open = False
        if self._in_flight:
            self.failed(now)
        self._owes = (
            in_turn
            or now < self._owed_until
            or self._audio_at > now - AUDIO_ASKS
            or any(item.asks for item in self._waiting)
            or any(sent.item.asks for sent in self._sent)
        )
        if self._waiting:
            # Cut once more while waiting: what is known of them has not changed.
            for item in self._waiting:
                self._sent.append(_Sent(item, now, (self._connection, self._index)))
                self._characters += len(item.frame)
            self._waiting = []
        elif self._sent:
            self._others_asked = in_turn or self._audio_at > now - AUDIO_ASKS
        if poisoned and not self._transparent:
            for sent in list(self._sent):
                self._forget(sent, Fate.UNKNOWN, "the service closed because of what was sent")
                self.tally.unknown += 1

    def connected(self, ground: Ground, now: float, *, used: Mark | None = None) -> None:
        """A connection is ready.

        Args:
          ground: What the service has.
          now: When.
          used: The mark of the handle that was used.
        """
        self._connection += 1
        self._index = 1 if self._counts_setup else 0
        owes = self._owes and ground is Ground.RESUMED
        self._owed_until = now + HOLD_SECONDS if owes else -math.inf
        cut, self._sent, self._characters = list(self._sent), deque(), 0
        if self._transparent and ground is Ground.RESUMED and used is not None:
            self._resend([sent.item for sent in cut if sent.mark > used])
            self._begin()
            return
        for sent in cut:
            if sent.doubtful:
                self._give_up(sent.item, AMBIGUOUS)
        cut = [sent for sent in cut if not sent.doubtful]
        if ground is Ground.FRESH:
            for sent in cut:
                if sent.evident:
                    sent.item.become(Fate.CONFIRMED)
            self._start_afresh([sent.item for sent in cut if not sent.evident])
        else:
            items = [sent.item for sent in cut]
            self._waiting = [item for item in items if self._may_replay(item)]
            self._held_until = now + HOLD_SECONDS
            if any(item.asks and item not in self._waiting for item in items):
                self._others_asked = True
        self._begin()

    def _begin(self) -> None:
        # The user may be in the middle of an utterance, and the new connection doesn't know.
        self._reopen = self._bracket_open
        self._open = True

    def _resend(self, items: Iterable[Outgoing]) -> None:
        again = list(items)
        for item in again:
            if item.ticket is not None:
                item.ticket.replays += 1
                self.tally.replayed += 1
        self.outbox.put_back(again)
        self._bracket_open = False

    def _start_afresh(self, items: Iterable[Outgoing]) -> None:
        reason = "the new session doesn't know the call"
        for item in self.outbox.drop(lambda item: bool(item.call_ids)):
            item.become(Fate.DROPPED, reason)
        kept = []
        for item in items:
            if item.call_ids:
                item.become(Fate.DROPPED, reason)
            elif not item.seed:  # it gets another one
                kept.append(item)
        if self._transparent:
            # Exact even here: the service has none of it, and sound was kept too.
            self._resend(kept)
        else:
            self._send_again([item for item in kept if self._may_replay(item)])

    def _may_replay(self, item: Outgoing) -> bool:
        if item.kind is not Kind.CONTROL or item.bracket is not None or item.ticket is None:
            return False
        if item.partial:
            self._give_up(item, "a part of an answer is never sent twice")
        elif item.ticket.replays:
            self._give_up(item, "the connection broke again after it was sent twice")
        elif not self._replay:
            self._give_up(item, "the connection broke, and replay_unconfirmed is off")
        else:
            return True
        return False

    def _send_again(self, items: list[Outgoing]) -> None:
        for item in items:
            assert item.ticket is not None
            item.ticket.replays += 1
            self.tally.replayed += 1
        self.outbox.put_back(items)

    def cancelled(
        self, call_ids: Iterable[str], reason: str = "the service cancelled the call"
    ) -> None:
        """The service no longer wants the answers to these calls."""
        gone = set(call_ids)
        self._withdraw(lambda item: _answers(item, gone), reason)

    def overruled(self) -> None:
        """Another setup has taken the place of the one that updates were to change."""
        self._withdraw(lambda item: item.update is not None, "a later setup took its place")

    def _withdraw(self, unwanted: Callable[[Outgoing], bool], reason: str) -> None:
        for item in self.outbox.drop(unwanted):
            item.become(Fate.DROPPED, reason)
        for item in [item for item in self._waiting if unwanted(item)]:
            self._waiting.remove(item)
            item.become(Fate.DROPPED, reason)
        self._revoked += [(item, reason) for item in self._in_flight if unwanted(item)]
        # What was written and has shown no effect must not be sent once more after a cut.
        for sent in [sent for sent in self._sent if unwanted(sent.item)]:
            self._forget(sent, Fate.UNKNOWN, reason)

    def updates(self) -> Collection[Outgoing]:
        """Return the updates of which it isn't known that the service has them."""
        known = [*self.outbox, *self._waiting, *(sent.item for sent in self._sent)]
        return {item for item in known if item.update is not None}

    def told(self, updates: Collection[Outgoing]) -> None:
        """The service has these updates with its setup, so they needn't be sent any more."""
        for item in self.outbox.drop(updates.__contains__):
            item.become(Fate.CONFIRMED)
        for sent in [sent for sent in self._sent if sent.item in updates]:
            self._forget(sent, Fate.CONFIRMED)

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self._waiting and now >= self._held_until:
            waiting, self._waiting = self._waiting, []
            self._send_again(waiting)

    def close(self, why: str) -> None:
        """The session is over: everything gets its last state."""
        self._open = False
        for item in [*self._in_flight, *self._held_back, *self.outbox.clear()]:
            item.become(Fate.DROPPED, why)
        self._held_back.clear()
        for item in [*(sent.item for sent in self._sent), *self._waiting]:
            item.become(Fate.UNKNOWN, "the session ended before the service showed that it had it")
        self._in_flight, self._waiting = [], []
        self._sent.clear()

    def take_tally(self) -> _Tally:
        """Return what the reconnect did, and begin a new count."""
        tally, self.tally = self.tally, _Tally()
        return tally


def _answers(item: Outgoing, call_ids: set[str]) -> bool:
    """Tell whether a message answers some of these calls, and no other."""
    return bool(item.call_ids) and call_ids >= set(item.call_ids)
