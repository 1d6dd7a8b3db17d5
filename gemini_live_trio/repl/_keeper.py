"""One conversation over any number of sessions.

A session looks after its connections; this looks after sessions. An idle one is closed and opened
again when something is to be said. Settings that a session can't change come with another one. In
both cases the conversation goes on: the service resumes it by the newest handle, or is told what
was said.

A session that breaks ends nothing here either: the person is told, and the next thing to be said
opens another.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Final, Protocol, TypeVar

import attrs
import trio

from .. import LiveSession, SessionConfig, wire
from ..errors import ConfigError, GeminiLiveError, SessionBroken
from ..events import Event, Reconnected, Reconnecting, ReconnectState, Stalled
from ..observers import SessionObserver
from ..tools import Tool
from ..transcript import Entry
from ..usage import Tokens, TurnUsage
from ._advice import refusal

__all__ = ["CLOSE_SECONDS", "Keeper", "Opener", "Plan"]

T = TypeVar("T")

HANDLE_SECONDS = 2 * 60 * 60.0
"""How long the Gemini API keeps a handle."""
MOST_ENTRIES = 20_000
"""How many utterances of earlier sessions are kept."""
QUIET_SECONDS = 10.0
"""How long a running turn, or a recording, may hold up a change of settings."""
UNANSWERED_SECONDS = 300.0
"""How long an answer that doesn't come keeps a session awake: a model may choose not to answer."""
CLOSE_SECONDS = 1.0
"""For a polite end of a session; nobody wants to wait for a server that is gone."""

_FORGOT: Final = {
    ReconnectState.RESEEDED: (
        "The service no longer had the conversation; it was told what had been said."
    ),
    ReconnectState.FRESH: "The service no longer has the conversation and begins anew.",
}


@attrs.frozen(kw_only=True)
class Plan:
    """What sessions are opened with."""

    config: SessionConfig
    tools: Sequence[Tool] = ()
    left_out: Sequence[str] = ()
    """What of the toolbox the model won't have."""


class Opener(Protocol):
    """Opens a session, as ``open_session`` does."""

    def __call__(
        self,
        plan: Plan,
        *,
        resume: str | None,
        history: Sequence[wire.Content],
        observers: Sequence[SessionObserver],
    ) -> AbstractAsyncContextManager[LiveSession]:
        """Open one."""
        ...


class _Arrival(SessionObserver):
    """Sees whether a session began by resuming."""

    def __init__(self) -> None:
        self.resumed = False

    def connected(self, *, connection: int, resumed: bool, time: float) -> None:
        self.resumed = resumed


@attrs.define
class _Past:
    """What earlier sessions leave behind."""

    entries: list[Entry] = attrs.field(factory=list)
    forgotten: int = 0
    """How many of the oldest made room."""
    tokens: Tokens = attrs.field(factory=Tokens)
    turns: deque[TurnUsage] = attrs.field(factory=lambda: deque(maxlen=MOST_ENTRIES))
    handle: str | None = None
    handle_until: float = -math.inf
    history: Sequence[wire.Content] = ()


class Keeper:
    """Keeps the conversation; made by whoever has a nursery for it.

    Args:
      nursery: Sessions live in it.
      plan: What the first session is opened with.
      opener: Opens a session.
      hear: Takes each event of the sessions, in order.
      tell: Takes a sentence about a session that ended by itself.
      sleep_after: Seconds without activity; 0 for never.
      holds_awake: Says that something needs the session, though nothing is said.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        plan: Plan,
        opener: Opener,
        *,
        hear: Callable[[Event], Awaitable[None]],
        tell: Callable[[str], Awaitable[None]],
        sleep_after: float = 0.0,
        holds_awake: Callable[[], bool] = lambda: False,
    ) -> None:
        self.plan = plan
        self.session: LiveSession | None = None
        """The one that is open."""
        self.dialling = True
        """A session is being opened; the first one is from the beginning."""
        self.observers: list[SessionObserver] = []
        """Told what the sessions do that are opened from now on."""
        self._nursery = nursery
        self._opener = opener
        self._hear = hear
        self._tell = tell
        self._sleep_after = sleep_after
        self._holds_awake = holds_awake
        self._one_change = trio.Lock()
        self._past = _Past()
        self._seeded = 0
        """The first entry of the session's transcript that doesn't tell of earlier ones."""
        self._users = 0
        """How many tasks do something with the session."""
        self._unused = trio.Event()
        self._kept = ReconnectState.FRESH
        """Of the conversation, when the session began."""
        self._over = trio.Event()
        self._active_at = trio.current_time()

    # --- What there is ---------------------------------------------------------------------

    @property
    def entries(self) -> Sequence[Entry]:
        """The conversation as it was said, over all sessions, numbered through."""
        if self.session is None:
            return [*self._past.entries]
        return [*self._past.entries, *self._new_entries(self.session)]

    @property
    def forgotten(self) -> int:
        """How many of the oldest utterances are no longer kept."""
        return self._past.forgotten

    @property
    def tokens(self) -> Tokens:
        """What all sessions have cost."""
        if self.session is None:
            return self._past.tokens
        return self._past.tokens + self.session.usage.total

    @property
    def turns(self) -> Sequence[TurnUsage]:
        """What their turns have cost, oldest first."""
        if self.session is None:
            return [*self._past.turns]
        return [*self._past.turns, *self.session.usage.turns]

    # --- Sleeping and waking -----------------------------------------------------------------

    async def awake(self) -> LiveSession:
        """Return the session, and open one if there is none.

        Raises:
          GeminiLiveError: None could be opened.
        """
        self.note_activity()
        async with self._one_change:
            if self.session is None and self._past.entries:
                session = await self._wake()
                if self._kept in _FORGOT:
                    await self._tell(_FORGOT[self._kept])
                return session
            return await self._wake()

    async def use(self, do: Callable[[LiveSession], Awaitable[T]], *, again: bool = True) -> T:
        """Do something with the session, which isn't put to sleep meanwhile.

        Args:
          do: What to do.
          again: Whether to do it once more with another session if this one ends under it.

        Raises:
          GeminiLiveError: There is no session to be had, or what was done failed.
          trio.ClosedResourceError: The session was closed meanwhile, and it isn't done again.
        """
        session = await self.awake()
        try:
            with self._in_use():
                return await do(session)
        except (trio.ClosedResourceError, SessionBroken):
            if not again:
                raise
            session = await self.successor(session)
            with self._in_use():
                return await do(session)

    async def successor(self, session: LiveSession) -> LiveSession:
        """Return the session that goes on with the conversation after one that has ended.

        Raises:
          GeminiLiveError: None could be opened.
        """
        if session is self.session:
            await self._over.wait()
        return await self.awake()

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            self.note_activity()
            if not self._users:
                self._unused.set()
                self._unused = trio.Event()

    async def sleep(self) -> None:
        """Close the session, if there is one; the conversation is kept."""
        async with self._one_change:
            await self._close()

    def note_activity(self) -> None:
        """Something was said, so the session isn't idle."""
        self._active_at = trio.current_time()

    async def run(self) -> None:
        """Put idle sessions to sleep, until cancelled."""
        if not self._sleep_after:
            await trio.sleep_forever()
        look_again = 0.0
        while True:
            await trio.sleep_until(max(look_again, self._active_at + self._sleep_after))
            async with self._one_change:
                # Looked at with the lock in hand: whoever held it may have woken the session.
                if trio.current_time() < self._active_at + self._sleep_after:
                    continue
                if self.session is None or self._is_needed(self.session):
                    look_again = trio.current_time() + self._sleep_after
                    continue
                await self._close()
            await self._tell(
                f"Nothing was said for {self._sleep_after:g} s, so the connection sleeps. "
                "The next input wakes it, and the conversation goes on."
            )

    def _is_needed(self, session: LiveSession) -> bool:
        """Tell whether something goes on, also if nothing is heard of it for long."""
        # A call that the model doesn't wait for, such as a timer, leaves its turn idle.
        calls = any(call.outcome is None for call in session.tool_calls)
        patient = trio.current_time() < self._active_at + UNANSWERED_SECONDS
        answering = patient and not session.turn_state.idle
        return bool(self._users or calls or answering or self._holds_awake())

    # --- Other settings ----------------------------------------------------------------------

    async def change(self, plan: Plan) -> ReconnectState | None:
        """Go on with other settings; return what was kept, ``None`` where nothing was running.

        A running turn may end first, if it does so soon. If no session can be had with the new
        settings, one with the old settings goes on.

        Raises:
          GeminiLiveError: The new settings don't work; the old ones are in force.
        """
        if refused := refusal(plan.config, {}):
            raise ConfigError(refused)
        async with self._one_change:
            if self.session is None:
                self._take_up(plan)
                return None
            await self._quiet(self.session)
            await self._close()
            old, past = self.plan, attrs.evolve(self._past)
            self._take_up(plan)
            try:
                await self._wake()
            except BaseException as error:
                # Also when cancelled: what is in force and what people are told must agree.
                self.plan, self._past = old, past
                if isinstance(error, GeminiLiveError):
                    await self._wake()
                raise
            return self._kept

    def _take_up(self, plan: Plan) -> None:
        # The service resumes a conversation only with the model that it began with.
        if self.plan.config.model != plan.config.model:
            self._past.handle = None
        self.plan = plan

    async def _quiet(self, session: LiveSession) -> None:
        def cuts_something() -> bool:
            # A handle of the time before the turn would bring back the time before the turn.
            resumption = session.resumption
            stale = resumption.handle is not None and not resumption.resumable
            return stale or not session.turn_state.idle

        with (
            trio.move_on_after(QUIET_SECONDS),
            contextlib.suppress(trio.EndOfChannel, SessionBroken),
        ):
            while self._users:
                await self._unused.wait()
            async with session.subscribe() as told:
                while cuts_something():
                    await told.receive()

    # --- Within ----------------------------------------------------------------------------

    def _new_entries(self, session: LiveSession) -> Sequence[Entry]:
        """What a session's transcript has beyond what it began with."""
        past = self._past.entries
        # The oldest make room, those of earlier sessions first.
        seeded = max(0, self._seeded - session.transcript.dropped)
        entries = session.transcript.in_order()[seeded:]
        turns = (past[-1].turn if past else 0) - (entries[0].turn - 1 if entries else 0)
        return [
            attrs.evolve(entry, index=index, turn=entry.turn + turns)
            for index, entry in enumerate(entries, self._past.forgotten + len(past))
        ]

    async def _wake(self) -> LiveSession:
        if self.session is None:
            self.dialling = True
            try:
                await self._nursery.start(self._hold)
            finally:
                self.dialling = False
            assert self.session is not None
        return self.session

    def _handle(self) -> str | None:
        return self._past.handle if trio.current_time() < self._past.handle_until else None

    async def _hold(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Be the block of one session."""
        entered = False
        broken: SessionBroken | None = None
        self._over = trio.Event()
        try:
            history, arrival = self._past.history, _Arrival()
            async with self._opener(
                self.plan,
                resume=self._handle(),
                history=history,
                observers=[arrival, *self.observers],
            ) as session:
                self._seeded = session.transcript.dropped + len(session.transcript)
                self._kept = _kept(arrival.resumed, self._seeded)
                arriving = bool(session.statistics().reconnects)
                self.session = session
                entered = True
                task_status.started()
                try:
                    async for event in session:
                        if not isinstance(event, Stalled):
                            self.note_activity()
                        if arriving and isinstance(event, Reconnecting | Reconnected):
                            # The way in may take several attempts, and that is no news.
                            arriving = isinstance(event, Reconnecting)
                            continue
                        await self._hear(event)
                finally:
                    self._keep(session)
        except SessionBroken as error:
            if not entered:
                raise
            broken = error
        finally:
            self.session = None
            self._over.set()
        if broken is not None:
            # Not before: what is kept of a session mustn't be counted beside it.
            await self._tell(f"{broken} The next input opens another connection.")

    async def _close(self) -> None:
        if self.session is not None:
            await self.session.aclose()
            await self._over.wait()

    def _keep(self, session: LiveSession) -> None:
        """Take out of a session that is over what the next one needs."""
        past, resumption = self._past, session.resumption
        past.entries.extend(self._new_entries(session))
        too_many = max(0, len(past.entries) - MOST_ENTRIES)
        del past.entries[:too_many]
        past.forgotten += too_many
        past.tokens += session.usage.total
        past.turns.extend(session.usage.turns)
        past.history = session.transcript.contents()
        # None where nothing leads back; an older one leads to another session.
        past.handle = resumption.handle
        past.handle_until = trio.current_time() + HANDLE_SECONDS - (resumption.age or 0)


def _kept(resumed: bool, seeded: int) -> ReconnectState:
    if resumed:
        return ReconnectState.RESUMED
    return ReconnectState.RESEEDED if seeded else ReconnectState.FRESH
