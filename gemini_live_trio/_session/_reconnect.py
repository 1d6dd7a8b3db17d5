"""The reconnect task: it dials, sets up, waits for the end, and decides what comes after it."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import trio

from .. import wire
from .._auth import DialReason
from .._closes import Close, Phase, Rule, classify
from .._conversation import Ground, Handle
from .._dial import Step
from .._transport import Connector
from ..config import Liveness, ReconnectPolicy, SessionConfig
from ..errors import (
    ConnectError,
    ConnectionLost,
    CredentialsError,
    GeminiLiveError,
    ReconnectExhausted,
    SetupError,
    SetupRejected,
    SetupTimeout,
)
from ..events import Reconnected, Reconnecting, ReconnectState
from ._asking import Asker
from ._handshake import close_of, set_up
from ._lines import Line, Lines

if TYPE_CHECKING:
    from ._core import Core

__all__ = ["End", "Reconnector", "Timeouts"]

NOT_YET = 1.0
"""Seconds from a refused resume to the next attempt that may well work; measured on 3.8."""

SAME_FAULT = 60.0
"""Seconds within which a second close that blames our input means that a third would follow."""


@attrs.frozen(kw_only=True)
class Timeouts:
    """Seconds."""

    connect: float
    setup: float
    close: float


@attrs.frozen
class End:
    """How a connection ended, and when it was seen to."""

    close: Close
    at: float


@attrs.define
class _Outage:
    """The time without a connection."""

    since: float
    close: Close
    cause: str = "refused"
    """Why the connection before ended, in a word."""
    attempts: int = 0
    not_before: float = 0.0
    last_error: GeminiLiveError | None = None


def _how(outage: _Outage) -> str:
    """Say how the connection ended, in words without a code where that was our own wish."""
    return "the session moves to another" if outage.cause == "planned" else str(outage.close)


class Reconnector:
    """Keeps a session connected; ``run`` is the task."""

    def __init__(
        self,
        core: Core,
        config: SessionConfig,
        *,
        asker: Asker,
        connector: Connector,
        policy: ReconnectPolicy,
        liveness: Liveness,
        timeouts: Timeouts,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._core = core
        self._config = config
        self._asker = asker
        self._connector = connector
        self._policy = policy
        self._liveness = liveness
        self._timeouts = timeouts
        self._chance = chance
        self._blamed_at: float | None = None

    async def run(self) -> None:
        """Keep it connected until cancelled, or until nothing more can be done.

        Raises:
          GeminiLiveError: Why the session can't go on.
        """
        failure: Exception | None = None
        async with trio.open_nursery() as nursery:
            lines = Lines(
                nursery=nursery,
                asker=self._asker,
                connector=self._connector,
                liveness=self._liveness,
                connect_timeout=self._timeouts.connect,
                round_trip=self._note_round_trip,
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
            if self._core.closing:
                await trio.sleep_forever()
            if outage is not None:
                await self._wait_for_next_attempt(outage)
            # What is wished from here on this attempt doesn't grant; the next one is for that.
            self._core.wished = trio.Event()
            setup, handle = self._core.conversation.next_setup()
            phase = _phase(outage, handle)
            self._tell_dialling(setup, resumes=handle is not None)
            try:
                if spare is None or spare.connection.over:
                    spare = await self._replace(spare, lines, _reason(phase), self._core.dials)
                line, spare = spare, None
                try:
                    await set_up(
                        line.connection,
                        setup,
                        phase,
                        sent=self._core.sent_setup,
                        handle=self._core.handle,
                        timeout=self._timeouts.setup,
                    )
                    self._welcome(handle, outage)
                    end, spare = await self._use(line, lines)
                finally:
                    line.released.set()
            except (ConnectError, SetupError) as error:
                self._asker.scrub(error)
                self._tell_disconnected(close_of(error))
                if outage is None and (handle is None or isinstance(error, ConnectError)):
                    raise
                outage = self._note_refusal(outage, error, phase, handle)
                continue
            close = attrs.evolve(end.close, reason=self._asker.text(end.close.reason))
            outage = _Outage(end.at, close)
            outage.cause = self._note_end(close, planned=spare is not None)

    def _note_refusal(
        self, outage: _Outage | None, error: GeminiLiveError, phase: Phase, handle: Handle | None
    ) -> _Outage:
        """An attempt failed: decide whether there may be another, and by which way."""
        now = trio.current_time()
        close = close_of(error)
        rule = classify(close, phase)
        outage = outage or _Outage(now, close)
        outage.close, outage.last_error = close, error
        if not self._may_retry(rule):
            raise self._lost(close, rule, outage.attempts) from error
        if rule.drops_handle and handle is not None:
            self._core.conversation.handles.refuse(handle)
        elif isinstance(error, SetupRejected | SetupTimeout) and handle is not None:
            # The service still holds the old connection, or has not put the state away; or it
            # holds it for ever, because our close never got through.
            outage.not_before = now + NOT_YET
            if now > outage.since + self._policy.resume_for:
                self._core.conversation.handles.forget()
        return outage

    def _note_end(self, close: Close, *, planned: bool) -> str:
        """A connection that worked has ended; return why, in a word."""
        now = trio.current_time()
        rule = classify(close, Phase.SESSION)
        self._tell_disconnected(close)
        blamed_again = self._blamed_at is not None and now - self._blamed_at < SAME_FAULT
        if not planned and not self._core.closing:
            final = not (self._may_retry(rule) and self._policy.enabled) or (
                rule.blames_input and blamed_again
            )
            if final:
                raise self._lost(close, rule, 0)
        if rule.blames_input:
            self._blamed_at = now
        self._core.meter.disconnected()
        self._core.publish_all(self._core.conversation.disconnected(rule, now))
        return "planned" if planned else rule.cause

    def _may_retry(self, rule: Rule) -> bool:
        """Whether another connection may succeed, perhaps with another credential."""
        return rule.retry or (rule.cause in ("bad_token", "token") and self._asker.renews)

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
            if isinstance(outage.last_error, CredentialsError):
                rule = Rule("credentials", True, outage.last_error.advice)
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
        self._core.publish(
            Reconnecting(
                attempt=outage.attempts,
                delay=delay,
                cause=str(outage.last_error or _how(outage)),
                code=outage.close.code,
                reason=outage.close.reason,
            )
        )
        with trio.move_on_after(delay):
            await self._core.wished.wait()
            await trio.sleep_until(outage.not_before)

    def _welcome(self, handle: Handle | None, outage: _Outage | None) -> None:
        """The service confirmed the setup: the conversation goes on, or begins."""
        now = trio.current_time()
        self._core.connections += 1
        self._core.connected_since = now
        conversation = self._core.conversation
        seeded = bool(conversation.seeds())
        # Answers among them belong to the conversation that was, and perhaps to no other.
        self._core.gather_callers()
        conversation.connected(Ground.RESUMED if handle else Ground.FRESH, now, handle)
        self._core.meter.connected(now)
        if self._core.watch:
            self._core.watch.tell(
                "connected",
                connection=self._core.dials,
                resumed=handle is not None,
                time=now,
            )
        self._core.ready.set()
        if outage is None:
            return
        outbox = conversation.delivery.outbox
        tally = conversation.delivery.take_tally()
        self._core.meter.reconnects[outage.cause] += 1
        self._core.meter.gap(now - outage.since)
        self._core.meter.replayed += tally.replayed
        if tally.unknown:
            self._core.meter.drop("messages_unknown", tally.unknown, now)
        fresh = ReconnectState.RESEEDED if seeded else ReconnectState.FRESH
        self._core.publish(
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
        self._core.drops_told()
        self._core.tools.connected(handle, now)

    async def _use(self, line: Line, lines: Lines) -> tuple[End, Line | None]:
        """Let the connection work until it ends, or until it is time to leave it.

        Returns how it ended, and in the second case a connection to go on with.
        """
        spare: Line | None = None
        await self._core.to_receiver.send(line.connection)
        self._core.attach(line.connection)
        try:
            while True:
                with trio.CancelScope(
                    deadline=self._core.conversation.leave_at()
                ) as self._core.leaving:
                    return await self._core.ends.receive(), spare
                if spare is None or spare.connection.over:
                    spare = await self._dial_or_stay(spare, lines)
                # Something may have begun while it dialled; then there is a better moment.
                if spare is not None and self._core.conversation.leave_at() <= trio.current_time():
                    break
            # The handle works only once the old socket is closed. Ours is a polite close; the
            # service's own, after a goAway that was ignored, is not.
            self._core.detach()
            await line.connection.aclose(1000, timeout=self._timeouts.close)
            return await self._core.ends.receive(), spare
        except trio.Cancelled:
            # Nobody will look at its end any more.
            self._tell_disconnected(Close("client", 1000 if line.connection.polite else 1006))
            raise
        finally:
            self._core.abandon()
            self._core.connected_since = None

    async def _dial_or_stay(self, spare: Line | None, lines: Lines) -> Line | None:
        """Dial the next connection while this one works; after a failure, not at once again."""
        reason = DialReason.RESUME if self._core.conversation.handles.next() else DialReason.FRESH
        try:
            return await self._replace(spare, lines, reason, self._core.dials + 1)
        except ConnectError:
            await trio.sleep(NOT_YET)
            return None

    async def _replace(
        self, spare: Line | None, lines: Lines, reason: DialReason, number: int
    ) -> Line:
        """Dial, and let go of a spare connection that has died."""
        if spare is not None:
            spare.released.set()
        return await lines.dial(reason, functools.partial(self._tell_passed, number))

    # --- Telling those who watch -------------------------------------------------------------

    def _note_round_trip(self, seconds: float) -> None:
        self._core.meter.round_trip = seconds
        if self._core.watch:
            self._core.watch.tell("pinged", seconds=seconds, time=trio.current_time())

    def _tell_passed(self, connection: int, step: Step) -> None:
        if self._core.watch:
            self._core.watch.tell(
                "stage_passed",
                connection=connection,
                stage=step.stage,
                address=step.address,
                seconds=step.seconds,
                facts=step.facts,
                time=trio.current_time(),
            )

    def _tell_dialling(self, setup: wire.LiveClientSetup, *, resumes: bool) -> None:
        self._core.dials += 1
        if self._core.watch:
            self._core.watch.tell(
                "dialling",
                connection=self._core.dials,
                model=setup.model or "",
                path=self._config.endpoint.target().resource.partition("?")[0],
                resumes=resumes,
                time=trio.current_time(),
            )

    def _tell_disconnected(self, close: Close) -> None:
        if self._core.watch:
            self._core.watch.tell(
                "disconnected",
                connection=self._core.dials,
                by=close.by,
                code=close.code,
                reason=close.reason,
                time=trio.current_time(),
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


def _phase(outage: _Outage | None, handle: Handle | None) -> Phase:
    if handle is not None:
        return Phase.RESUME
    return Phase.FIRST if outage is None else Phase.FRESH


def _reason(phase: Phase) -> DialReason:
    return DialReason(phase.value)
