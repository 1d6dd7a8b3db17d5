"""The three tasks of a session and what joins them.

::

    callers ──memory channel──▶ send task ──▶ connection ──▶ receive task ──▶ cursors
                                   ▲                             ▲  │
                                   └───────── reconnect task ────┘  │ memory channels:
                                                   ▲                │ connections one way,
                                                   └────────────────┘ their ends the other

* The **reconnect task** dials, sends ``setup``, waits for ``setupComplete``, hands the connection
  to the other two, and waits for its end, or for the moment to leave it.
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
import random
from collections.abc import Awaitable, Callable, Sequence

import attrs
import trio

from .. import codec, wire
from .._closes import Close, Phase, Rule, classify
from .._conversation import Conversation, Ground, Handle, Impression, Outgoing
from .._transport import Connection, ConnectionEnded, Connector
from ..capabilities import capability_of
from ..config import Liveness, ReconnectPolicy, SessionConfig
from ..errors import (
    ConnectError,
    ConnectionLost,
    DecodeError,
    GeminiLiveError,
    InternalError,
    ReconnectExhausted,
    SetupError,
    SetupRejected,
    SetupTimeout,
)
from ..events import (
    Event,
    Interrupted,
    ModelAudio,
    Reconnected,
    Reconnecting,
    ReconnectState,
    ResumptionUpdate,
    Stalled,
    StallState,
    Undecodable,
)
from ._cursor import Cursor
from ._handshake import close_of, set_up
from ._lines import Line, Lines

__all__ = ["Core", "Timeouts"]

CALLERS_BUFFER = 64
"""Frames that callers may hand over before they have to wait for the send task to run."""

NOT_YET = 1.0
"""Seconds from a refused resume to the next attempt that may well work; measured on 3.8."""

SAME_FAULT = 60.0
"""Seconds within which a second close that blames our input means that a third would follow."""

_log = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Timeouts:
    """Seconds."""

    connect: float
    setup: float
    close: float


@attrs.frozen
class _End:
    """How a connection ended, and when it was seen to."""

    close: Close
    at: float


@attrs.define
class _Outage:
    """The time without a connection."""

    since: float
    close: Close
    planned: bool = False
    attempts: int = 0
    not_before: float = 0.0
    last_error: GeminiLiveError | None = None


class Core:
    """What the tasks share. One per session; used by ``open_session`` and ``LiveSession`` only."""

    def __init__(
        self,
        config: SessionConfig,
        *,
        connector: Connector,
        policy: ReconnectPolicy,
        liveness: Liveness,
        timeouts: Timeouts,
        resume: str | None = None,
        history: Sequence[wire.Content] = (),
        on_handle: Callable[[str], object] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._connector = connector
        self._policy = policy
        self._liveness = liveness
        self._timeouts = timeouts
        self._on_handle = on_handle
        self._chance = chance
        setup = config.setup()
        _check(setup)
        self.conversation: Conversation = Conversation(
            setup,
            capability_of(setup.model or ""),
            now=trio.current_time(),
            handle=resume,
            history=history,
            replay=policy.replay_unconfirmed,
            counts_setup=policy.setup_is_counted,
            reseed=policy.reseed,
            max_connection_age=policy.max_connection_age,
        )

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
        self.connected_since: float | None = None
        self.cursors: list[Cursor] = [Cursor()]

        self._scope = trio.CancelScope(shield=True)
        self._connection: Connection | None = None
        self._leaving = trio.CancelScope()
        self._flushed = trio.Event()
        self._idle = trio.CancelScope()
        self._writing = trio.CancelScope()
        self._blamed_at: float | None = None

        self.to_send: trio.MemorySendChannel[Outgoing]
        """Where callers hand over their frames."""
        self._from_callers: trio.MemoryReceiveChannel[Outgoing]
        self._to_receiver: trio.MemorySendChannel[Connection]
        self._connections: trio.MemoryReceiveChannel[Connection]
        self._report_end: trio.MemorySendChannel[_End]
        self._ends: trio.MemoryReceiveChannel[_End]
        self.to_send, self._from_callers = trio.open_memory_channel[Outgoing](CALLERS_BUFFER)
        self._to_receiver, self._connections = trio.open_memory_channel[Connection](0)
        self._report_end, self._ends = trio.open_memory_channel[_End](1)

    # --- Life ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the tasks until ``stop`` or until the session can't go on."""
        loops = (self._reconnect_loop, self._send_loop, self._receive_loop, self._stall_loop)
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for loop in loops:
                        nursery.start_soon(self._guard, loop)
        finally:
            self._connection = None
            self.connected_since = None
            # Callers that still wait for room get BrokenResourceError, and ask for the outcome.
            for item in self._drain_callers():
                self.conversation.delivery.outbox.put(item)
            self._from_callers.close()
            self.conversation.delivery.close("closed" if self.failure is None else "broken")
            for cursor in tuple(self.cursors):
                cursor.end(self.outcome)
            self._flushed.set()
            self.ready.set()
            self.ended.set()

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
        self.closing = True
        self.to_send.close()
        self.wake()
        deadline = trio.current_time() + self._timeouts.close
        with trio.CancelScope(shield=True, deadline=deadline):
            await self._flushed.wait()
            if self._connection is not None:
                await self._connection.aclose(1000, timeout=deadline - trio.current_time())
        self.stop()
        with trio.CancelScope(shield=True):
            await self.ended.wait()

    def publish(self, event: Event, *, weight: int = 0) -> None:
        """Tell every receiver; ``weight`` is the event's share of its frame, in bytes."""
        for cursor in tuple(self.cursors):
            cursor.publish(event, weight=weight)

    def mark(self, end: Outgoing) -> None:
        """Take the end of an utterance, behind everything that callers have handed over."""
        if not self.ended.is_set() and not self.closing:
            outbox = self.conversation.delivery.outbox
            for item in [*self._drain_callers(), end]:
                outbox.put(item)
            self._idle.cancel()

    def leave_soon(self, setup: wire.LiveClientSetup | None) -> None:
        """Move to another connection at the next moment that cuts nothing."""
        if setup is not None:
            # The service resumes a conversation with the model that it began with.
            setup = attrs.evolve(setup, model=self.conversation.setup.model)
            _check(setup)
            self.conversation.setup = setup
        self.conversation.leave_soon(trio.current_time())
        self._leaving.deadline = self.conversation.leave_at()

    # --- The send task -----------------------------------------------------------------------

    async def _send_loop(self) -> None:
        """Take everything from the callers at once, and write it while there is a connection."""
        delivery = self.conversation.delivery
        while True:
            # While the outbox is full the callers' channel fills up, and then callers wait.
            if not delivery.outbox.full:
                for item in self._drain_callers():
                    delivery.outbox.put(item)
            delivery.tick(trio.current_time())
            if self._connection is not None and delivery.ready:
                await self._write_batch(self._connection)
                continue
            if self.closing and not delivery.unsettled:
                break
            # Not in ``receive``: that would hold a frame that nobody else can see, and the end of
            # an utterance could overtake it.
            with trio.move_on_at(delivery.held_until) as self._idle:
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
        frames = [item.frame for item in self.conversation.delivery.next_batch()]
        written = False
        try:
            with trio.CancelScope() as self._writing:
                await connection.send(*frames)
                written = True
        except ConnectionEnded:
            self._detach()
        finally:
            now = trio.current_time()
            if written:
                self.conversation.written(now)
                self._leaving.deadline = self.conversation.leave_at()
            else:
                self.conversation.delivery.failed(now)

    def _attach(self, connection: Connection) -> None:
        """Let the send task write to a connection."""
        self._connection = connection
        self._idle.cancel()

    def _detach(self) -> None:
        """Let the send task begin no further write; one that is under way may end."""
        self._connection = None

    def _abandon(self) -> None:
        """The connection is gone: write no more to it, and give up a write that is stuck."""
        self._detach()
        self._writing.cancel()
        self.connected_since = None

    # --- The receive task --------------------------------------------------------------------

    async def _receive_loop(self) -> None:
        async for connection in self._connections:
            try:
                while True:
                    self._handle(await connection.receive())
            except ConnectionEnded as end:
                self._abandon()
                self._report_end.send_nowait(_End(end.close, trio.current_time()))

    def _handle(self, frame: str | bytes) -> wire.LiveServerMessage | None:
        """Note what a frame says, then tell it to the receivers."""
        try:
            message = codec.decode(frame)
        except DecodeError as error:
            self.publish(Undecodable(error=error, frame=frame), weight=len(frame))
            return None
        held = self.conversation.delivery.held_until
        impression = self.conversation.received(message, trio.current_time())
        self._leaving.deadline = self.conversation.leave_at()
        if self.conversation.delivery.held_until != held:
            self._idle.cancel()
        events = codec.to_events(message)
        for event in events:
            self.publish(_stamped(event, impression), weight=len(frame) // len(events))
            if isinstance(event, ResumptionUpdate):
                self._tell_handle(event)
        return message

    def _tell_handle(self, event: ResumptionUpdate) -> None:
        newest = self.conversation.handles.newest
        if self._on_handle is None or newest is None or newest.text != event.handle:
            return
        try:
            self._on_handle(newest.text)
        except Exception:  # noqa: BLE001 - not ours to judge, and no reason to end a conversation
            _log.exception("on_handle raised; the session goes on without it")

    # --- The reconnect task ------------------------------------------------------------------

    async def _reconnect_loop(self) -> None:
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            lines = Lines(
                nursery=nursery,
                config=self._config,
                connector=self._connector,
                liveness=self._liveness,
                connect_timeout=self._timeouts.connect,
            )
            try:
                await self._keep_connected(lines)
            except Exception as error:  # noqa: BLE001 - raised below: a nursery would group it
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _keep_connected(self, lines: Lines) -> None:
        outage: _Outage | None = None
        spare: Line | None = None
        while True:
            if self.closing:
                await trio.sleep_forever()
            if outage is not None:
                await self._wait_for_next_attempt(outage)
            setup, handle = self.conversation.next_setup()
            phase = _phase(outage, handle)
            try:
                if spare is None or spare.connection.over:
                    spare = await self._replace(spare, lines)
                line, spare = spare, None
                try:
                    await set_up(
                        line.connection,
                        setup,
                        phase,
                        handle=self._handle,
                        timeout=self._timeouts.setup,
                    )
                    self._welcome(handle, outage)
                    end, spare = await self._use(line, lines)
                finally:
                    line.released.set()
            except (ConnectError, SetupError) as error:
                if outage is None and (handle is None or isinstance(error, ConnectError)):
                    raise
                outage = self._note_refusal(outage, error, phase, handle)
                continue
            outage = _Outage(end.at, end.close, planned=spare is not None)
            self._note_end(end.close, planned=outage.planned)

    def _note_refusal(
        self, outage: _Outage | None, error: GeminiLiveError, phase: Phase, handle: Handle | None
    ) -> _Outage:
        """An attempt failed: decide whether there may be another, and by which way."""
        now = trio.current_time()
        close = close_of(error)
        rule = classify(close, phase)
        outage = outage or _Outage(now, close)
        outage.close, outage.last_error = close, error
        if not rule.retry:
            raise self._lost(close, rule, outage.attempts) from error
        if rule.drops_handle and handle is not None:
            self.conversation.handles.refuse(handle)
        elif isinstance(error, SetupRejected | SetupTimeout) and handle is not None:
            # The service still holds the old connection, or has not put the state away; or it
            # holds it for ever, because our close never got through.
            outage.not_before = now + NOT_YET
            if now > outage.since + self._policy.resume_for:
                self.conversation.handles.forget()
        return outage

    def _note_end(self, close: Close, *, planned: bool) -> None:
        """A connection that worked has ended."""
        now = trio.current_time()
        rule = classify(close, Phase.SESSION)
        blamed_again = self._blamed_at is not None and now - self._blamed_at < SAME_FAULT
        if not planned and not self.closing:
            final = not (rule.retry and self._policy.enabled) or (
                rule.blames_input and blamed_again
            )
            if final:
                raise self._lost(close, rule, 0)
        if rule.blames_input:
            self._blamed_at = now
        self.conversation.disconnected(rule, now)

    async def _wait_for_next_attempt(self, outage: _Outage) -> None:
        outage.attempts += 1
        now = trio.current_time()
        delay = self._policy.delay(outage.attempts, self._chance())
        delay = max(delay, outage.not_before - now)
        if (
            outage.attempts > self._policy.attempts
            or now + delay > outage.since + self._policy.deadline
        ):
            rule = classify(outage.close, Phase.FRESH)
            raise ReconnectExhausted(
                f"The session could not be brought back in {now - outage.since:.1f} s and "
                f"{outage.attempts - 1} attempt{'s' * (outage.attempts != 2)}; the last one: "
                f"{outage.last_error or f'{outage.close}. {rule.advice}'}",
                code=outage.close.code,
                reason=outage.close.reason,
                cause=rule.cause,
                advice=rule.advice,
                attempts=outage.attempts - 1,
            ) from outage.last_error
        self.publish(
            Reconnecting(
                attempt=outage.attempts,
                delay=delay,
                cause=str(outage.last_error or outage.close),
                code=outage.close.code,
                reason=outage.close.reason,
            )
        )
        await trio.sleep(delay)

    def _welcome(self, handle: Handle | None, outage: _Outage | None) -> None:
        """The service confirmed the setup: the conversation goes on, or begins."""
        now = trio.current_time()
        self.connections += 1
        self.connected_since = now
        conversation = self.conversation
        seeded = bool(conversation.seeds())
        conversation.connected(Ground.RESUMED if handle else Ground.FRESH, now, handle)
        self.ready.set()
        if outage is None:
            return
        outbox = conversation.delivery.outbox
        tally = conversation.delivery.take_tally()
        fresh = ReconnectState.RESEEDED if seeded else ReconnectState.FRESH
        self.publish(
            Reconnected(
                state=ReconnectState.RESUMED if handle else fresh,
                attempts=outage.attempts,
                gap_seconds=now - outage.since,
                dropped_audio_seconds=outbox.dropped_audio_seconds,
                dropped_video_frames=outbox.dropped_video_frames,
                replayed=tally.replayed,
                unknown=tally.unknown,
            )
        )
        outbox.dropped_audio_seconds, outbox.dropped_video_frames = 0.0, 0

    async def _use(self, line: Line, lines: Lines) -> tuple[_End, Line | None]:
        """Let the connection work until it ends, or until it is time to leave it.

        Returns how it ended, and in the second case a connection to go on with.
        """
        spare: Line | None = None
        await self._to_receiver.send(line.connection)
        self._attach(line.connection)
        try:
            while True:
                with trio.CancelScope(deadline=self.conversation.leave_at()) as self._leaving:
                    return await self._ends.receive(), spare
                if spare is None or spare.connection.over:
                    spare = await self._dial_or_stay(spare, lines)
                # Something may have begun while it dialled; then there is a better moment.
                if spare is not None and self.conversation.leave_at() <= trio.current_time():
                    break
            # The handle works only once the old socket is closed. Ours is a polite close; the
            # service's own, after a goAway that was ignored, is not.
            self._detach()
            await line.connection.aclose(1000, timeout=self._timeouts.close)
            return await self._ends.receive(), spare
        finally:
            self._abandon()
            self.connected_since = None

    async def _dial_or_stay(self, spare: Line | None, lines: Lines) -> Line | None:
        """Dial the next connection while this one works; after a failure, not at once again."""
        try:
            return await self._replace(spare, lines)
        except ConnectError:
            await trio.sleep(NOT_YET)
            return None

    async def _replace(self, spare: Line | None, lines: Lines) -> Line:
        """Dial, and let go of a spare connection that has died."""
        if spare is not None:
            spare.released.set()
        return await lines.dial()

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

    def _lost(self, close: Close, rule: Rule, attempts: int) -> ConnectionLost:
        return ConnectionLost(
            f"The session ended: {close}. {rule.advice}",
            code=close.code,
            reason=close.reason,
            cause=rule.cause,
            advice=rule.advice,
            attempts=attempts,
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


def _phase(outage: _Outage | None, handle: Handle | None) -> Phase:
    if handle is not None:
        return Phase.RESUME
    return Phase.FIRST if outage is None else Phase.FRESH


def _internal(error: Exception) -> InternalError:
    internal = InternalError(
        f"A fault of gemini-live-trio ended the session ({type(error).__name__}: {error}); "
        "please report it, with the traceback."
    )
    internal.__cause__ = error
    return internal
