"""What a session knows, apart from sockets, tasks and clocks.

Connection, session and conversation are three things. A connection lives for minutes, the session
for as long as its block, and the conversation is what the service remembers. ``Conversation`` holds
what is needed to carry the last over the first. It is told what happened and asked what to do next;
time is a parameter: seconds on any steady clock.

* ``_outbox``: what waits to be written
* ``_delivery``: what was written, and what is known of its fate
* ``_turns``: whose turn it is
* ``_handles``: the ways back
* ``_gate``: when the microphone is held back

The books, ``transcript`` and ``usage``, are modules of their own, since a recording has them too.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Collection, Iterable, Sequence

import attrs

from .. import codec, wire
from .._closes import Rule
from ..capabilities import Capability
from ..events import Event, Speaker, StallState, TranscriptUpdate
from ..statistics import TurnState
from ..transcript import Transcript
from ..usage import UsageLedger
from ._delivery import Delivery, Ground, Mark
from ._gate import Gate
from ._handles import Handle, Handles
from ._outbox import Bracket, Fate, Kind, Outbox, Outgoing, Ticket
from ._turns import Progress, Turns

__all__ = [
    "Bracket",
    "Conversation",
    "Fate",
    "Ground",
    "Handle",
    "Impression",
    "Kind",
    "Outbox",
    "Outgoing",
    "Progress",
    "Ticket",
]

GO_AWAY_MARGIN = 2.0
"""Seconds before the service's own deadline at which we leave, whatever is going on."""

ONE_BLOCK = 0.02
"""Seconds of sound that a player may keep for itself, and yet have played all."""

GO_AWAY_DEFAULT = 10.0
"""Seconds to leave in where the service didn't say; the shortest notice that was ever seen."""


@attrs.frozen
class Impression:
    """What a message means beyond what it says."""

    generation: int
    stale: bool
    """Its audio belongs to a generation that was interrupted."""
    spurious: bool
    """It interrupts, but nothing was generating or being spoken."""


class Conversation:
    """The state that outlives a connection."""

    def __init__(
        self,
        setup: wire.LiveClientSetup,
        capability: Capability,
        *,
        now: float = 0.0,
        handle: str | None = None,
        history: Sequence[wire.Content] = (),
        replay: bool = True,
        counts_setup: bool = False,
        reseed: bool = True,
        max_connection_age: float = math.inf,
        longest_gate: float = math.inf,
    ) -> None:
        resumption = setup.session_resumption
        self.capability = capability
        self.setup = setup
        self.turns: Turns = Turns()
        self.handles: Handles = Handles(handle, now)
        self.transcript: Transcript = Transcript()
        self.usage: UsageLedger = UsageLedger(capability.usage)
        self._entries: weakref.WeakKeyDictionary[Outgoing, list[int]] = weakref.WeakKeyDictionary()
        """Where the transcript has what a message says."""
        self.gate: Gate = Gate(capability, longest=longest_gate)
        self._transparent = bool(resumption and resumption.transparent)
        self.delivery: Delivery = Delivery(
            transparent=self._transparent,
            counts_setup=counts_setup,
            replay=replay,
            restores=capability.resume_restores,
            gate=self.gate if self.gate.used else None,
        )
        self._max_age = max_connection_age
        self._reseed = reseed
        for given in history:
            text = "".join(part.text or "" for part in given.parts)
            self.transcript.said(_speaker(given.role), text, now)
        self._seed = list(history)
        self._seeded = False
        """Whether a fresh session was told what had been said, and has shown nothing since."""
        self._leave_by = math.inf
        self._leave_from = math.inf
        self.wishes: int = 0
        """How often the user has asked for another connection."""
        self.granted: int = 0
        """How many of these wishes the newest connection was set up for."""
        self._noted = 0
        self._told: Collection[Outgoing] = ()
        """The updates that the newest setup has in it."""
        self._interrupted = False
        """Whether something was interrupted since something was asked."""
        self._asked_at: float | None = None
        self._goes_on = False
        """What was asked last is answered by the running turn."""
        self._output_at = now

    # --- Connections -----------------------------------------------------------------------

    def next_setup(self) -> tuple[wire.LiveClientSetup, Handle | None]:
        """Return the ``setup`` for the next connection, and the handle in it."""
        self._noted = self.wishes
        self._told = self.delivery.updates()
        handle = self.handles.next()
        if handle is None:
            return self._fresh_setup(), None
        # The service waits for history after a setup that announces it, even on a resume.
        resumption = self.setup.session_resumption or wire.SessionResumptionConfig()
        return attrs.evolve(
            self.setup,
            session_resumption=attrs.evolve(resumption, handle=handle.text),
            history_config=None,
        ), handle

    def _fresh_setup(self) -> wire.LiveClientSetup:
        if not self._seed or self.capability.seed != "history":
            return self.setup
        announced = wire.HistoryConfig(initial_history_in_client_content=True)
        return attrs.evolve(self.setup, history_config=announced)

    def seeds(self) -> Sequence[wire.Content]:
        """Return what a fresh session must be told first."""
        return self._seed

    def connected(self, ground: Ground, now: float, handle: Handle | None) -> None:
        """A connection is ready; ``handle`` is the one that its setup used."""
        self._leave_by = math.inf
        self.granted = self._noted
        self.usage.connected()
        self._leave_from = now + self._max_age if self.granted == self.wishes else now
        if ground is Ground.FRESH:
            self.handles.forget()
            self.turns.calls.clear()
        self.delivery.told(self._told)
        self.delivery.connected(ground, now, used=handle.mark if handle else None)
        self._seeded = ground is Ground.FRESH and bool(self._seed)
        if ground is Ground.FRESH and self._seed:
            content = wire.LiveClientContent(
                turns=self._seed, turn_complete=self.capability.seed == "history" or None
            )
            frame = codec.encode(wire.LiveClientMessage(client_content=content))
            seed = Outgoing(frame, seed=True)
            self.delivery.outbox.put_back([seed])

    def disconnected(self, rule: Rule, now: float) -> Sequence[TranscriptUpdate]:
        """A connection that was ready has ended; returns what that cuts off."""
        in_turn = self.turns.progress is not Progress.IDLE
        self.delivery.disconnected(now, in_turn=in_turn, poisoned=rule.blames_input)
        self.turns.disconnected()
        updates = self.transcript.end(now, "the connection ended")
        self._leave_by = self._leave_from = math.inf
        self._asked_at = None
        if self.delivery.drop_seed():
            # That session was never told; only another fresh one can be, and not be answered.
            self.handles.forget()
        else:
            self._seed = self.transcript.contents() if self._reseed else []
            if self._seeded and self._seed and not self._transparent:
                # Nothing tells that it got there, and a fresh session loses no more than that.
                self.handles.forget()
        return updates

    # --- Messages --------------------------------------------------------------------------

    def written(self, now: float) -> Sequence[TranscriptUpdate]:
        """The batch from ``delivery.next_batch`` is on the wire; returns what it says."""
        updates: list[TranscriptUpdate] = []
        for item in self.delivery.written(now):
            goes_on = any(self.turns.calls.get(call_id) for call_id in item.call_ids)
            if item.call_ids and not item.partial:
                self.turns.answered(item.call_ids)
                self.transcript.answered(item.call_ids)
            if item.asks:
                # The turn that waited for a tool goes on with its answer; nothing new begins.
                self._goes_on = goes_on and self.turns.progress is not Progress.IDLE
                if not self._goes_on:
                    self.usage.asked()
                self._asked_at = now
                self._interrupted = False
            if item.said and item not in self._entries:
                updates += self._note_said(item, now)
        return updates

    def received(self, message: wire.LiveServerMessage, now: float) -> Impression:
        """A message came in."""
        turns = self.turns
        interrupts = message.server_content is not None and bool(message.server_content.interrupted)
        before, outputs = turns.progress, turns.outputs
        begins = turns.received(message, self.blocks)
        content = message.server_content
        # A turn may end without a word; the end of one that was interrupted is no such thing.
        self._interrupted = self._interrupted or interrupts
        ended = content is not None and content.turn_complete
        refused = ended and before is Progress.IDLE and not self._interrupted
        went_on = self._goes_on and turns.outputs > outputs
        if begins or refused or went_on or (self._goes_on and ended):
            self._asked_at = None
            self._goes_on = False
        if begins or went_on or _shows_input(message):
            self._seeded = False
        if begins or went_on:
            # A turn that stood still and goes on shows the answer to be taken, as a new one would.
            self._confirmed(self.delivery.generation_began(now))
        if turns.progress is Progress.GENERATING or before is not Progress.IDLE:
            self._output_at = now
        if message.tool_call_cancellation is not None:
            self.delivery.cancelled(message.tool_call_cancellation.ids)
        update = message.session_resumption_update
        if update is not None:
            self._note_handle(update, now)
        if message.go_away is not None:
            left = message.go_away.time_left
            notice = (GO_AWAY_DEFAULT if left is None else left) - GO_AWAY_MARGIN
            self._leave_by = now + max(0.0, notice)
            self._leave_from = now
        spurious = interrupts and before is Progress.IDLE and not begins
        stale = before is Progress.INTERRUPTED or (interrupts and not spurious)
        return Impression(turns.generation, stale, spurious)

    def heard(self, event: Event, now: float) -> Sequence[TranscriptUpdate]:
        """Enter into the books what came in, an event after the other."""
        self.usage.feed(event)
        return self.transcript.feed(event, now)

    def ended(self, now: float) -> Sequence[TranscriptUpdate]:
        """The session is over."""
        return self.transcript.end(now, "the session ended")

    def forget_calls(self, call_ids: Iterable[str], reason: str) -> None:
        """The service doesn't know these calls any more."""
        gone = tuple(call_ids)
        self.turns.answered(gone)
        self.delivery.cancelled(gone, reason)

    def tend_gate(self, now: float) -> bool:
        """Shut real-time input off, or let it through, as the calls want; tell whether it changed.

        To be asked after everything that opens or ends a call, and when ``gate.opens_at`` has come.
        """
        realtime = self.setup.realtime_input_config
        detection = realtime and realtime.automatic_activity_detection
        self.gate.marked = bool(detection and detection.disabled)
        changed = self.gate.look(self.turns.calls, now)
        if changed and not self.gate.closed:
            self.delivery.gate_opened()
        return changed

    def blocks(self, function: str | None) -> bool:
        """Tell whether the model waits for a function: as declared, or as it does by default."""
        for tool in self.setup.tools:
            for declared in tool.function_declarations:
                if declared.name == function and declared.behavior is not None:
                    return declared.behavior == wire.Behavior.BLOCKING
        return self.capability.blocking_tools

    def _note_handle(self, update: wire.LiveServerSessionResumptionUpdate, now: float) -> None:
        consumed = update.last_consumed_client_message_index
        previous = self.handles.newest
        mark: Mark = self.delivery.mark(consumed)
        # Where a handle stands for the moment it was issued, one that came with the setup leads
        # back to before the seed. In transparent mode that would be sent again.
        snapshot = self.capability.resume_restores == "handle" and not self._transparent
        if self.handles.received(update, now, mark, complete=not (self._seeded and snapshot)):
            self._confirmed(
                self.delivery.handle_issued(consumed, previous.mark if previous else None)
            )

    def _confirmed(self, items: Sequence[Outgoing]) -> None:
        for item in items:
            for index in self._entries.get(item, ()):
                self.transcript.confirm(index)

    def _note_said(self, item: Outgoing, now: float) -> list[TranscriptUpdate]:
        updates: list[TranscriptUpdate] = []
        known = item.ticket is None or item.ticket.fate is Fate.CONFIRMED
        for role, text in item.said:
            updates += self.transcript.said(_speaker(role), text, now, delivered=known)
        self._entries[item] = [update.index for update in updates]
        return updates

    # --- What now --------------------------------------------------------------------------

    def leave_soon(self, now: float) -> None:
        """The user wants another connection, as soon as nothing is cut by it."""
        self.wishes += 1
        self._leave_from = now

    def leave_at(self) -> float:
        """Return when to move to a new connection: ``math.inf`` for not as things stand."""
        return min(self._leave_from, self._leave_by) if self.quiet else self._leave_by

    @property
    def quiet(self) -> bool:
        """Whether nothing is asked, said, or waited for: whatever is done now cuts nothing."""
        asked = self._asked_at is not None
        return not (asked or self.turns.busy or self.delivery.user_marked_speaking)

    def turn_state(self) -> TurnState:
        """Return where the newest answer stands."""
        turns = self.turns
        awaited = self._asked_at is not None or self.delivery.asks
        return TurnState(
            generation=turns.generation,
            generated=turns.generated,
            complete=turns.complete,
            interrupted=turns.interrupted,
            idle=turns.idle and not awaited and not turns.user_speaking,
            played_out=self._played_out(),
        )

    def _played_out(self) -> bool | None:
        made, played = self.transcript.sound_of(self.turns.generation)
        if played is None:
            return None
        over = self.turns.generated or self.turns.complete
        return over and played >= made - ONE_BLOCK

    def waiting_for(self, now: float) -> tuple[StallState, float] | None:
        """Return what a silence is about and its length; ``None`` in an idle session."""
        turns = self.turns
        if turns.calls:
            return StallState.TOOL, now - self._output_at
        if turns.progress is Progress.GENERATING:
            state = StallState.THINKING if turns.thinking else StallState.SERVER
            return state, now - self._output_at
        if turns.in_progress:
            return StallState.THINKING, now - self._output_at
        if self._asked_at is not None:
            return StallState.MODEL, now - self._asked_at
        return None


def _shows_input(message: wire.LiveServerMessage) -> bool:
    """Tell whether the service has read what was said to it."""
    content = message.server_content
    transcribes = content is not None and content.input_transcription is not None
    return transcribes or message.voice_activity is not None


def _speaker(role: str | None) -> Speaker:
    return Speaker.MODEL if role == "model" else Speaker.USER
