"""The three tasks of a session and what joins them.

::

    callers ──memory channel──▶ send task ──▶ connection ──▶ receive task ──▶ cursors
                                   ▲                             ▲  │
                                   └───────── reconnect task ────┘  │ memory channels:
                                                   ▲                │ connections one way,
                                                   └────────────────┘ their ends the other

* The **reconnect task** (in ``_reconnect``) dials, sends ``setup``, waits for ``setupComplete``,
  hands the connection to the other two, and waits for its end, or for the moment to leave it.
* The **send task** is the only one that writes to a connection after that, since a write that is
  cancelled half-way spoils the connection. Callers only hand over whole frames, and all that are
  waiting go out in one write.
* The **receive task** reads without ever waiting for a receiver, so that the WebSocket's own
  messages (pings, closes) are seen at once.

Each connection is held open by a small task of its own, which also listens for its pulse; so one
can be dialled while the other still works. A last one looks for silences.

They run in a nursery inside the block of ``open_session`` and are shielded from its cancellation,
so that a ``finally`` in the block still finds a working session; ``stop`` ends them. None of them
raises: what goes wrong is recorded, told to everybody who waits, and raised at the block's end.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Awaitable, Callable, Sequence

import attrs
import trio

from .. import codec, wire
from .._conversation import Conversation, Impression, Outgoing, Progress
from .._transport import Connection, ConnectionEnded, Connector
from ..capabilities import Backend
from ..config import Liveness, ReconnectPolicy, SessionConfig
from ..errors import BudgetExhausted, DecodeError, GeminiLiveError, InternalError
from ..events import (
    BudgetWarning,
    Event,
    Interrupted,
    ModelAudio,
    ResumptionUpdate,
    Stalled,
    StallState,
    TranscriptUpdate,
    Undecodable,
    VoiceActivity,
)
from ..observers import SessionObserver
from ..statistics import SessionStatistics
from ..usage import Budget
from ._asking import Asker
from ._cursor import Cursor
from ._meter import Meter
from ._reconnect import End, Reconnector, Timeouts
from ._snapshot import snapshot
from ._toolside import ToolSide
from ._watch import Watch

__all__ = ["Core"]

WIRE_LOG = "gemini_live_trio.wire"

CALLERS_BUFFER = 64
"""Frames that callers may hand over before they have to wait for the send task to run."""

_log = logging.getLogger(__name__)


class Core:
    """What the tasks share. One per session; used by ``open_session`` and ``LiveSession`` only."""

    def __init__(
        self,
        config: SessionConfig,
        *,
        asker: Asker,
        connector: Connector,
        policy: ReconnectPolicy,
        liveness: Liveness,
        timeouts: Timeouts,
        observers: Sequence[SessionObserver] = (),
        budget: Budget | None = None,
        resume: str | None = None,
        history: Sequence[wire.Content] = (),
        on_handle: Callable[[str], object] | None = None,
        chance: Callable[[], float] = random.random,
        gate_input_for: float = math.inf,
    ) -> None:
        self.config: SessionConfig = config
        """As the session was opened; ``conversation.setup`` may have changed since."""
        self._liveness = liveness
        self._budget = budget
        self._warned = False
        self.meter: Meter = Meter()
        self.watch: Watch = Watch(observers, asker.secrets)
        self._timeouts = timeouts
        self._on_handle = on_handle
        self._reconnector = Reconnector(
            self,
            config,
            asker=asker,
            connector=connector,
            policy=policy,
            liveness=liveness,
            timeouts=timeouts,
            chance=chance,
        )
        setup = config.setup()
        _check(setup)
        self.conversation: Conversation = Conversation(
            setup,
            config.capabilities.capability_of(setup.model or "", config.endpoint.backend),
            now=trio.current_time(),
            handle=resume,
            history=history,
            replay=policy.replay_unconfirmed,
            counts_setup=policy.setup_is_counted,
            reseed=policy.reseed,
            max_connection_age=policy.max_connection_age,
            longest_gate=gate_input_for,
        )
        self.backend: Backend | None = config.endpoint.backend
        self.tools: ToolSide = ToolSide(self)

        self.ready: trio.Event = trio.Event()
        """The first ``setupComplete`` came, or it is certain that none will."""
        self.ended: trio.Event = trio.Event()
        """No task is left."""
        self.failure: GeminiLiveError | None = None
        """Why the session ended by itself."""
        self.told: bool = False
        """Whether a call has raised the failure."""
        self.closing: bool = False
        """The user wants it to end."""
        self.connections: int = 0
        """How many connections the session has had."""
        self.dials: int = 0
        """How many it has tried to have: the number of the one that works, or is being made."""
        self.connected_since: float | None = None
        self.cursors: list[Cursor] = [Cursor(lost=self.note_lag)]
        self._dropped_audio = 0.0
        self._dropped_video = 0

        self._scope = trio.CancelScope(shield=True)
        self._nursery: trio.Nursery | None = None
        self._connection: Connection | None = None
        self.leaving: trio.CancelScope = trio.CancelScope()
        self.wished: trio.Event = trio.Event()
        """The user wants another connection than the one that is there or being made."""
        self._flushed = trio.Event()
        self._idle = trio.CancelScope()
        self._writing = trio.CancelScope()

        self.to_send: trio.MemorySendChannel[Outgoing]
        """Where callers hand over their frames."""
        self._from_callers: trio.MemoryReceiveChannel[Outgoing]
        self.to_receiver: trio.MemorySendChannel[Connection]
        self._connections: trio.MemoryReceiveChannel[Connection]
        self._report_end: trio.MemorySendChannel[End]
        self.ends: trio.MemoryReceiveChannel[End]
        self.to_send, self._from_callers = trio.open_memory_channel[Outgoing](CALLERS_BUFFER)
        self.to_receiver, self._connections = trio.open_memory_channel[Connection](0)
        self._report_end, self.ends = trio.open_memory_channel[End](1)

    def watch_wire(self) -> None:
        """Begin the wire log, where it is wanted."""
        if logging.getLogger(WIRE_LOG).isEnabledFor(logging.DEBUG):
            from ._wirelog import WireLog  # not for those who never look

            self.watch.add(WireLog())

    # --- Life ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the tasks until ``stop`` or until the session can't go on."""
        loops = (self._reconnector.run, self._send_loop, self._receive_loop, self._stall_loop)
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    for loop in loops:
                        nursery.start_soon(self._guard, loop)
        finally:
            self._connection = None
            self.connected_since = None
            # Callers that still wait for room get BrokenResourceError, and ask for the outcome.
            self.gather_callers()
            self._from_callers.close()
            self.conversation.delivery.close("closed" if self.failure is None else "broken")
            now = trio.current_time()
            self.tools.ended(now)
            self.publish_all(self.conversation.ended(now))
            self.meter.tell_rest()
            for cursor in tuple(self.cursors):
                cursor.end(self.outcome)
            self._flushed.set()
            self.ready.set()
            self.ended.set()
            if self.watch:
                self.watch.tell("ended", self.failure, time=now)

    async def _guard(self, loop: Callable[[], Awaitable[None]]) -> None:
        try:
            await loop()
        except GeminiLiveError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - told to the user as what it is, a fault of ours
            self._fail(_internal(error))

    def _fail(self, error: GeminiLiveError) -> None:
        if self.failure is None:
            self.failure = error
        self._scope.cancel()

    def outcome(self) -> Exception:
        """Make the exception for whoever wants more of a session that has ended."""
        if self.failure is None:
            return trio.EndOfChannel("the session was closed")
        self.told = True
        return self.failure.with_traceback(None)

    def stop(self) -> None:
        """End all tasks now; the connection is dropped without a word."""
        self._scope.cancel()

    async def close(self) -> None:
        """Write what is waiting, say goodbye, end all tasks; in bounded time."""
        await self._say_goodbye()
        self.stop()
        with trio.CancelScope(shield=True):
            await self.ended.wait()

    async def _say_goodbye(self) -> None:
        self.closing = True
        self.gather_callers()
        self.tools.closing()
        self.to_send.close()
        self.wake()
        deadline = trio.current_time() + self._timeouts.close
        with trio.CancelScope(shield=True, deadline=deadline):
            await self._flushed.wait()
            if self._connection is not None:
                await self._connection.aclose(1000, timeout=deadline - trio.current_time())

    def publish(self, event: Event, *, weight: int = 0) -> None:
        """Tell every receiver; ``weight`` is the event's share of its frame, in bytes."""
        for cursor in tuple(self.cursors):
            cursor.publish(event, weight=weight)
        if self.watch:
            self.watch.tell("event", event, time=trio.current_time())

    def publish_all(self, events: Sequence[Event]) -> None:
        """Tell every receiver of several events; a transcript weighs as much as its text."""
        for event in events:
            weight = len(event.text) if isinstance(event, TranscriptUpdate) else 0
            self.publish(event, weight=weight)

    def mark(self, end: Outgoing) -> None:
        """Take the end of an utterance, behind everything that callers have handed over."""
        if not self.closing:
            self.put(end)

    def put(self, item: Outgoing, *, unless_full: bool = False) -> bool:
        """Take a message without waiting for room; tell whether it was taken.

        Args:
          item: What to send.
          unless_full: Don't take it while others would have to wait.
        """
        if self.ended.is_set() or (unless_full and self.conversation.delivery.outbox.full):
            return False
        self.gather_callers()
        self._take(item)
        self._idle.cancel()
        return True

    async def hand_over(self, item: Outgoing) -> None:
        """Take a message like any caller's.

        Raises:
          trio.ClosedResourceError: The session is closing.
          trio.BrokenResourceError: It is over.
        """
        await self.to_send.send(item)
        self._idle.cancel()

    def gather_callers(self) -> None:
        """Put what callers have handed over where it can be seen, and dropped."""
        for item in self._drain_callers():
            self._take(item)

    def look_at_callers(self) -> None:
        """Put what callers have handed over where it can be seen, as far as there is room."""
        # While the outbox is full the callers' channel fills up, and then callers wait.
        if not self.conversation.delivery.outbox.full:
            self.gather_callers()

    def _take(self, item: Outgoing) -> None:
        if item.update is not None:
            self._update_setup(item.update)
        self.conversation.delivery.outbox.put(item)

    def _update_setup(self, update: wire.LiveClientContextUpdate) -> None:
        """Have the connections to come begin with what this one is told in mid-session."""
        setup = self.conversation.setup
        if update.system_instruction is not None:
            setup = attrs.evolve(setup, system_instruction=update.system_instruction)
        if update.tools is not None:
            tools = self.tools.with_ours(update.tools.tools)
            setup = attrs.evolve(setup, tools=tools or wire.ABSENT)
        self.conversation.setup = setup

    def leave_soon(self, setup: wire.LiveClientSetup | None) -> None:
        """Move to another connection at the next moment that cuts nothing."""
        if setup is not None:
            # The service resumes a conversation with the model that it began with.
            tools = self.tools.with_ours(setup.tools)
            setup = attrs.evolve(
                setup, model=self.conversation.setup.model, tools=tools or wire.ABSENT
            )
            _check(setup)
            self.gather_callers()
            self.conversation.delivery.overruled()
            self.conversation.setup = setup
        self.conversation.leave_soon(trio.current_time())
        self.wished.set()
        self.leaving.deadline = self.conversation.leave_at()

    # --- The send task -----------------------------------------------------------------------

    async def _send_loop(self) -> None:
        """Take everything from the callers at once, and write it while there is a connection."""
        delivery = self.conversation.delivery
        while True:
            self.look_at_callers()
            self._note_drops()
            delivery.tick(trio.current_time())
            self.tools.tend_gate(trio.current_time(), "expired")
            if self._connection is not None and delivery.ready:
                await self._write_batch(self._connection)
                continue
            if self.closing and not delivery.unsettled:
                break
            # Not in ``receive``: that would hold a frame that nobody else can see, and the end of
            # an utterance could overtake it.
            gate = self.conversation.gate
            moment = min(delivery.held_until, gate.opens_at if gate.closed else math.inf)
            with trio.move_on_at(moment) as self._idle:
                await trio.sleep_forever()
        self._flushed.set()
        await trio.sleep_forever()

    def wake(self) -> None:
        """Something was handed over."""
        self._idle.cancel()

    def _drain_callers(self) -> list[Outgoing]:
        items = []
        while True:
            try:
                items.append(self._from_callers.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel, trio.ClosedResourceError):
                return items

    async def _write_batch(self, connection: Connection) -> None:
        batch = self.conversation.delivery.next_batch()
        if not batch:
            await trio.lowlevel.checkpoint()
            return
        frames = [item.frame for item in batch]
        written = False
        try:
            with trio.CancelScope() as self._writing:
                await connection.send(*frames)
                written = True
        except ConnectionEnded:
            self.detach()
        finally:
            now = trio.current_time()
            if written:
                self._note_sent(batch, now)
                self.publish_all(self.conversation.written(now))
                self.tools.tend_gate(now, "answered")
                self.leaving.deadline = self.conversation.leave_at()
            else:
                self.conversation.delivery.failed(now)

    def _note_sent(self, batch: Sequence[Outgoing], now: float) -> None:
        """Count what was written, and tell those who watch."""
        self.meter.sent(*[item.frame for item in batch])
        if self.watch:
            for item in batch:
                self.watch.tell("frame_sent", item.frame, connection=self.dials, time=now)
                if item.call_ids and not item.partial:
                    self.watch.tell("answered", item.call_ids, time=now)
        if any(item.asks or item.ends_speech for item in batch):
            self._note_asked(now)

    def drops_told(self) -> None:
        """The receivers were told what was given up: count from nothing again."""
        self._note_drops()
        outbox = self.conversation.delivery.outbox
        outbox.dropped_audio_seconds, outbox.dropped_video_frames = 0.0, 0
        self._dropped_audio, self._dropped_video = 0.0, 0

    def note_lag(self, count: int) -> None:
        """A receiver was too slow; one that never received isn't one."""
        self.meter.drop("events", count, trio.current_time())

    def sent_setup(self, frame: str) -> None:
        """A ``setup`` was written to a connection that isn't ready yet."""
        self.meter.sent(frame)
        if self.watch:
            self.watch.tell("frame_sent", frame, connection=self.dials, time=trio.current_time())

    def _note_drops(self) -> None:
        """Count what the outbox gave up since it was looked at last."""
        outbox, now = self.conversation.delivery.outbox, trio.current_time()
        seconds = outbox.dropped_audio_seconds - self._dropped_audio
        frames = outbox.dropped_video_frames - self._dropped_video
        self._dropped_audio += seconds
        self._dropped_video += frames
        if seconds > 0:
            self.meter.drop("audio_seconds", seconds, now)
        if frames > 0:
            self.meter.drop("video_frames", frames, now)

    def attach(self, connection: Connection) -> None:
        """Let the send task write to a connection."""
        self._connection = connection
        self._idle.cancel()

    def detach(self) -> None:
        """Let the send task begin no further write; one that is under way may end."""
        self._connection = None

    def abandon(self) -> None:
        """The connection is gone: write no more to it, and give up a write that is stuck."""
        self.detach()
        self._writing.cancel()
        self.connected_since = None

    # --- The receive task --------------------------------------------------------------------

    async def _receive_loop(self) -> None:
        async for connection in self._connections:
            try:
                while True:
                    self.handle(await connection.receive())
            except ConnectionEnded as end:
                self.abandon()
                self._report_end.send_nowait(End(end.close, trio.current_time()))

    def handle(self, frame: str | bytes) -> wire.LiveServerMessage | None:
        """Note what a frame says, then tell it to the receivers."""
        now = trio.current_time()
        self.meter.received(frame)
        if self.watch:
            self.watch.tell("frame_received", frame, connection=self.dials, time=now)
        try:
            message = codec.decode(frame)
        except DecodeError as error:
            self.meter.drop("undecodable_frames", 1, now)
            self.publish(Undecodable(error=error, frame=frame), weight=len(frame))
            return None
        if message.tool_call_cancellation is not None:
            self.gather_callers()  # an answer among them must not go out any more
            self.tools.taken_back(message.tool_call_cancellation.ids, now)
        held = self.conversation.delivery.held_until
        impression = self.conversation.received(message, now)
        self.leaving.deadline = self.conversation.leave_at()
        if self.conversation.delivery.held_until != held:
            self._idle.cancel()
        events = codec.to_events(message)
        for event in events:
            stamped = _stamped(event, impression)
            # The books first: whoever is told the event finds them up to date.
            self.publish_all(self.conversation.heard(stamped, now))
            self.publish(stamped, weight=len(frame) // len(events))
            self.meter.event(stamped, now, impression.generation)
            if isinstance(event, VoiceActivity):
                self._note_activity(event, now)
            if isinstance(event, ResumptionUpdate):
                self._tell_handle(event)
        self.tools.received(message, now)
        if self._budget is not None and message.usage_metadata is not None:
            self._check_budget(self._budget)
        return message

    def _note_activity(self, event: VoiceActivity, now: float) -> None:
        """The user has ended what is to be answered; a late note of that comes mid-answer."""
        ended = event.activity == wire.VoiceActivityType.ACTIVITY_END
        if ended and self.conversation.turns.progress is Progress.IDLE:
            self._note_asked(now)

    def _note_asked(self, now: float) -> None:
        self.meter.asked(now, self.conversation.turns.generation)
        if self.watch:
            self.watch.tell("asked", time=now)

    def _check_budget(self, budget: Budget) -> None:
        """Warn once, then end the session, politely: it isn't the service's fault."""
        spent = self.conversation.usage.total
        if spent >= budget.tokens * budget.warn_at and not self._warned:
            self._warned = True
            self.publish(BudgetWarning(spent, budget.tokens))
        if spent >= budget.tokens and self.failure is None and self._nursery is not None:
            self.failure = BudgetExhausted(
                f"The session has used {spent:,} tokens of its budget of {budget.tokens:,}, so it "
                "was ended; give it a larger Budget, or begin another session.",
                cause="budget",
            )
            self._nursery.start_soon(self._end_politely)

    def statistics(self) -> SessionStatistics:
        """Take a snapshot."""
        self._note_drops()
        return snapshot(self, callers=self._from_callers.statistics().current_buffer_used)

    async def _end_politely(self) -> None:
        await self._say_goodbye()
        self.stop()

    def _tell_handle(self, event: ResumptionUpdate) -> None:
        newest = self.conversation.handles.newest
        if self._on_handle is None or newest is None or newest.text != event.handle:
            return
        try:
            self._on_handle(newest.text)
        except Exception:  # noqa: BLE001 - not ours to judge, and no reason to end a conversation
            _log.exception("on_handle raised; the session goes on without it")

    # --- Silences ----------------------------------------------------------------------------

    async def _stall_loop(self) -> None:
        """Say when nothing happens though something should; then ever more rarely."""
        after = self._liveness.stalled_after
        if after is None:
            return
        told = 0.0
        while True:
            await trio.sleep(after / 4)
            silence = self.conversation.waiting_for(trio.current_time())
            if silence is None or silence[1] < told:
                told = 0.0
            elif silence[1] >= max(after, told * 2):
                told = silence[1]
                self.publish(Stalled(*silence))
            if silence is not None and self._connection is not None:
                await self._recover(self._connection, *silence)

    async def _recover(self, connection: Connection, state: StallState, seconds: float) -> None:
        """Give up a connection over which nothing comes any more, where that is wanted."""
        limit = self._liveness.recover_after
        waiting = state in (StallState.MODEL, StallState.SERVER)
        if limit is not None and waiting and seconds >= limit:
            await connection.abort(
                f"the model said nothing for {seconds:.0f} s, so this client gave the connection up"
            )


def _check(setup: wire.LiveClientSetup) -> None:
    """Refuse at the call what could only fail after a connection was given up for it."""
    codec.encode(wire.LiveClientMessage(setup=setup))


def _stamped(event: Event, impression: Impression) -> Event:
    """Add what only the session knows of an event."""
    if isinstance(event, ModelAudio):
        return ModelAudio(
            event.pcm,
            event.rate_hz,
            impression.generation,
            impression.stale,
            message=event.message,
        )
    if isinstance(event, Interrupted) and impression.spurious:
        return Interrupted(spurious=True, message=event.message)
    return event


def _internal(error: Exception) -> InternalError:
    internal = InternalError(
        f"A fault of gemini-live-trio ended the session ({type(error).__name__}: {error}); "
        "please report it, with the traceback."
    )
    internal.__cause__ = error
    return internal
