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
  cancelled half-way spoils the connection. Callers only hand over whole frames.
* The **receive task** reads without ever waiting for a receiver, so that the WebSocket's own
  messages (pings, closes) are seen at once.

They run in a nursery inside the block of ``open_session`` and are shielded from its cancellation,
so that a ``finally`` in the block still finds a working session; ``stop`` ends them. None of them
raises: what goes wrong is recorded, told to everybody who waits, and raised at the block's end.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import attrs
import trio

from .. import codec, wire
from .._closes import Close, Phase, Rule, classify
from .._conversation import Conversation, Outbox, Outgoing
from .._transport import Connection, ConnectionEnded, Connector, open_connection
from ..config import ReconnectPolicy, SessionConfig
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
from ..events import Event, Reconnected, Reconnecting, ReconnectState, Undecodable
from ._cursor import Cursor

__all__ = ["Core", "Timeouts"]

CALLERS_BUFFER = 64
"""Frames that callers may hand over before they have to wait for the send task to run."""


@attrs.frozen(kw_only=True)
class Timeouts:
    """Seconds."""

    connect: float
    setup: float
    close: float


class Core:
    """What the tasks share. One per session; used by ``open_session`` and ``LiveSession`` only."""

    def __init__(
        self,
        config: SessionConfig,
        *,
        connector: Connector,
        policy: ReconnectPolicy,
        timeouts: Timeouts,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._connector = connector
        self._policy = policy
        self._timeouts = timeouts
        self._chance = chance
        self._conversation = Conversation(config.setup())
        self._outbox = Outbox()

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
        self.cursor: Cursor = Cursor()

        self._scope = trio.CancelScope(shield=True)
        self._connection: Connection | None = None
        self._leaving = trio.CancelScope()
        self._flushed = trio.Event()
        self._idle = trio.CancelScope()
        self._writing = trio.CancelScope()

        self.to_send: trio.MemorySendChannel[Outgoing]
        """Where callers hand over their frames."""
        self._from_callers: trio.MemoryReceiveChannel[Outgoing]
        self._to_receiver: trio.MemorySendChannel[Connection]
        self._connections: trio.MemoryReceiveChannel[Connection]
        self._report_end: trio.MemorySendChannel[Close]
        self._ends: trio.MemoryReceiveChannel[Close]
        self.to_send, self._from_callers = trio.open_memory_channel[Outgoing](CALLERS_BUFFER)
        self._to_receiver, self._connections = trio.open_memory_channel[Connection](0)
        self._report_end, self._ends = trio.open_memory_channel[Close](1)

    # --- Life ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Run the three tasks until ``stop`` or until the session can't go on."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    for loop in (self._reconnect_loop, self._send_loop, self._receive_loop):
                        nursery.start_soon(self._guard, loop)
        finally:
            self._connection = None
            self.cursor.end(self.outcome)
            # Callers that still wait for room get BrokenResourceError, and ask for the outcome.
            self._from_callers.close()
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
        deadline = trio.current_time() + self._timeouts.close
        with trio.CancelScope(shield=True, deadline=deadline):
            await self._flushed.wait()
            if self._connection is not None:
                await self._connection.aclose(1000, timeout=deadline - trio.current_time())
        self.stop()
        with trio.CancelScope(shield=True):
            await self.ended.wait()

    def publish(self, event: Event) -> None:
        """Tell every receiver."""
        self.cursor.publish(event)

    # --- The send task -----------------------------------------------------------------------

    async def _send_loop(self) -> None:
        """Take everything from the callers at once, and write it while there is a connection."""
        while True:
            self._take_all()
            connection = self._connection
            if connection is not None and len(self._outbox):
                await self._write_one(connection)
                continue
            if self._outbox.full:
                # The callers' channel fills up now, and then the callers wait.
                with self._idle_scope():
                    await trio.sleep_forever()
                continue
            try:
                with self._idle_scope():
                    self._outbox.put(await self._from_callers.receive())
            except trio.EndOfChannel:
                if not len(self._outbox):
                    break
                with self._idle_scope():
                    await trio.sleep_forever()
        self._flushed.set()
        await trio.sleep_forever()

    def _idle_scope(self) -> trio.CancelScope:
        self._idle = trio.CancelScope()
        return self._idle

    def _take_all(self) -> None:
        while not self._outbox.full:
            try:
                self._outbox.put(self._from_callers.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                return

    async def _write_one(self, connection: Connection) -> None:
        item = self._outbox.take()
        written = False
        try:
            with trio.CancelScope() as self._writing:
                await connection.send(item.frame)
                written = True
        except ConnectionEnded:
            self._detach()
        finally:
            if not written:
                self._outbox.put_back(item)

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

    # --- The receive task --------------------------------------------------------------------

    async def _receive_loop(self) -> None:
        async for connection in self._connections:
            try:
                while True:
                    self._handle(await connection.receive())
            except ConnectionEnded as end:
                self._abandon()
                self._report_end.send_nowait(end.close)

    def _handle(self, frame: str | bytes) -> wire.LiveServerMessage | None:
        """Note what a frame says, then tell it to the receivers."""
        try:
            message = codec.decode(frame)
        except DecodeError as error:
            self.publish(Undecodable(error=error, frame=frame))
            return None
        now = trio.current_time()
        self._conversation.received(message, now)
        self._leaving.deadline = self._conversation.leave_at(now)
        for event in codec.to_events(message):
            self.publish(event)
        return message

    # --- The reconnect task ------------------------------------------------------------------

    async def _reconnect_loop(self) -> None:
        outage: _Outage | None = None
        while True:
            resuming = self._conversation.resumable
            if outage is None:
                phase = Phase.FIRST
            else:
                phase = Phase.RESUME if resuming else Phase.FRESH
                await self._wait_for_next_attempt(outage)
            try:
                async with open_connection(
                    self._connector,
                    self._config.endpoint.target(),
                    self._config.auth.headers() if self._config.auth else [],
                    timeout=self._timeouts.connect,
                ) as connection:
                    await self._set_up(connection, phase)
                    if outage is None:
                        self.ready.set()
                    else:
                        self._tell_reconnected(outage, resumed=resuming)
                    close = await self._use(connection)
            except (ConnectError, SetupError) as error:
                if outage is None:
                    raise
                close = _close_of(error)
                outage.last_error = error
                rule = classify(close, phase)
                if not rule.retry:
                    raise self._lost(close, rule, outage.attempts) from error
            else:
                if self.closing:
                    await trio.sleep_forever()
                outage = _Outage(since=trio.current_time(), close=close)
                rule = classify(close, Phase.SESSION)
                if not (rule.retry and self._policy.enabled):
                    raise self._lost(close, rule, 0)
            outage.close = close
            self._conversation.disconnected(rule)

    async def _wait_for_next_attempt(self, outage: _Outage) -> None:
        outage.attempts += 1
        now = trio.current_time()
        delay = self._policy.delay(outage.attempts, self._chance())
        if (
            outage.attempts > self._policy.attempts
            or now + delay > outage.since + self._policy.deadline
        ):
            rule = classify(outage.close, Phase.FRESH)
            raise ReconnectExhausted(
                f"The session could not be brought back in {outage.attempts - 1} attempts over "
                f"{now - outage.since:.1f} s; the last one failed because "
                f"{outage.last_error or outage.close}. {rule.advice}",
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

    async def _set_up(self, connection: Connection, phase: Phase) -> None:
        """Send ``setup`` and wait until the service confirms it.

        Raises:
          SetupTimeout: It doesn't.
          SetupRejected: It hangs up instead.
          SetupError: It says something else.
        """
        frame = codec.encode(wire.LiveClientMessage(setup=self._conversation.next_setup()))
        with trio.move_on_after(self._timeouts.setup):
            try:
                await connection.send(frame)
                while True:
                    message = self._handle(await connection.receive())
                    if message is None or message == _EMPTY:
                        continue
                    if message.setup_complete is not None:
                        self._conversation.connected()
                        return
                    raise SetupError(_not_confirmed(message))
            except ConnectionEnded as end:
                raise _rejection(end.close, phase) from None
        raise SetupTimeout(
            f"The service did not answer the setup within {self._timeouts.setup:g} s; "
            "a field that the model doesn't support can cause this, or the wrong model."
        )

    async def _use(self, connection: Connection) -> Close:
        """Let the connection work until it ends, or until it is time to leave it."""
        self._leaving = trio.CancelScope()
        await self._to_receiver.send(connection)
        self._attach(connection)
        try:
            with self._leaving:
                return await self._ends.receive()
            # The service asked us to go. The handle works only once the old socket is closed.
            self._detach()
            await connection.aclose(1000, timeout=self._timeouts.close)
            return await self._ends.receive()
        finally:
            self._abandon()

    def _tell_reconnected(self, outage: _Outage, *, resumed: bool) -> None:
        dropped = self._outbox.dropped_audio_seconds
        self._outbox.dropped_audio_seconds = 0.0
        self.publish(
            Reconnected(
                state=ReconnectState.RESUMED if resumed else ReconnectState.FRESH,
                attempts=outage.attempts,
                gap_seconds=trio.current_time() - outage.since,
                dropped_audio_seconds=dropped,
            )
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


_EMPTY = wire.LiveServerMessage()


@attrs.define
class _Outage:
    """The time without a connection."""

    since: float
    close: Close
    attempts: int = 0
    last_error: GeminiLiveError | None = None


def _close_of(error: GeminiLiveError) -> Close:
    if isinstance(error, SetupRejected):
        return Close("server", error.code, error.reason)
    return Close("network", 1006, str(error))


def _rejection(close: Close, phase: Phase) -> SetupRejected:
    rule = classify(close, phase)
    return SetupRejected(
        f"The service refused the session: {close}. {rule.advice}",
        code=close.code,
        reason=close.reason,
        advice=rule.advice,
    )


def _not_confirmed(message: wire.LiveServerMessage) -> str:
    if message.error is not None:
        return f"The service refused the session with an error: {message.error.message}."
    return (
        f"The service answered the setup with {message!r} instead of setupComplete; "
        "check that the address is one of the Live API."
    )


def _internal(error: Exception) -> InternalError:
    internal = InternalError(
        f"A fault of gemini-live-trio ended the session ({type(error).__name__}: {error}); "
        "please report it, with the traceback."
    )
    internal.__cause__ = error
    return internal
