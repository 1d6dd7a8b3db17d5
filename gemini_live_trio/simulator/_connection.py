"""The service's end of a connection: a conversation, and what may befall it on request."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, TypeAlias

import trio

from .. import codec, wire
from ._actions import ConnectionActions, ServiceActions
from ._books._ledger import consumed_from
from ._books._log import log
from ._checks._profiles import Profile
from ._checks._rules import Refused
from ._door._dialects import Door
from ._door._socket import ConnectionEnded, Ending, Socket
from ._hub import ClientFrame, Hub
from ._scripts._matching import text_in
from ._scripts._orders import command_in, read_order
from ._sessions import Conversation, Session, Turn
from ._talk._answering import MOST_WAITING
from ._talk._dialogue import Dialogue

__all__ = ["ServerConnection"]

_Plan: TypeAlias = tuple[float, Callable[..., object], tuple[object, ...]]

_MOST_PRETTY: Final = 2**20
"""Bytes of a frame that is laid out in lines; a larger one would hold up everybody meanwhile."""
MOST_COMMAND: Final = 2_000
"""Characters of a command that are read."""
TRANSPARENT_EVERY: Final = 10
"""Messages between handles in transparent mode; assumed."""


class ServerConnection(ConnectionActions):
    """The service's end of a connection that finished its setup; ``Simulator.accept`` gives it.

    It answers by itself; the methods add to that, or break it. All of them may be called from any
    task. Sending on a connection that is over raises ``trio.BrokenResourceError``; ending or
    breaking one that is over does nothing.

    Attributes:
      number: From 1, in the order of arrival.
      setup: What the client asked for.
      resumed_from: The handle it resumed with, ``None`` for a new session.
      door: Back end, version, method and credentials, from the upgrade request.
    """

    def __init__(
        self,
        *,
        number: int,
        setup: wire.LiveClientSetup,
        resumed_from: str | None,
        profile: Profile,
        session: Session,
        socket: Socket,
        hub: Hub,
        door: Door,
    ) -> None:
        self.number = number
        self.door = door
        self.setup = setup
        self.resumed_from = resumed_from
        self._profile = profile
        self._session = session
        self._socket = socket
        self._hub = hub
        self._nursery: trio.Nursery | None = None
        self._planned: list[_Plan] | None = []
        """What is to be done later, while there is no nursery for it yet."""
        self._over = trio.Event()
        self._silent = False
        self._began = trio.current_time()
        self._frames = hub.settings.frames
        self._last_calls: wire.LiveServerToolCall | None = None
        resumption = setup.session_resumption
        self._transparent = bool(resumption and resumption.transparent)
        self._index = 1 if hub.settings.setup_is_counted else 0
        self._unsaved = 0
        self._handle_every: int | None = None
        if resumption is not None:
            usual = TRANSPARENT_EVERY if self._transparent else None
            self._handle_every = hub.settings.handle_every or usual
        self._handle_a_turn = resumption is not None and (
            profile.handles == "turn" or self._transparent
        )
        self._dialogue = Dialogue(
            send=self._converse,
            tell=self._tell,
            turn_begins=self._turn_begins,
            turn_ended=self._turn_ended,
            setup=setup,
            profile=profile,
            session=session,
            resumed=resumed_from is not None,
            manner=hub.settings.manner,
        )

    def _end(self) -> ServerConnection:
        return self

    def __repr__(self) -> str:
        state = "open" if self.ending is None else f"ended by {self.ending.by}"
        return f"<ServerConnection {self.number}, {self.setup.model}, {state}>"

    @property
    def history(self) -> tuple[Turn, ...]:
        """The conversation so far, over all connections of the session."""
        return self._session.state.history

    @property
    def conversation(self) -> Conversation:
        """The service's books on it."""
        return Conversation(self._session)

    @property
    def consumed_index(self) -> int:
        """How many of this connection's messages the service has taken, as it counts them."""
        return self._index

    @property
    def ending(self) -> Ending | None:
        """How the connection ended, ``None`` while it is open."""
        return self._socket.ending

    async def wait_ended(self) -> Ending:
        """Wait until the connection is over, and tell how."""
        await self._over.wait()
        assert self._socket.ending is not None
        return self._socket.ending

    async def _send(self, message: wire.LiveServerMessage) -> None:
        if message.tool_call is not None:
            self._dialogue.called(message.tool_call)
        if message.tool_call_cancellation is not None:
            self._dialogue.uncalled(message.tool_call_cancellation)
        frame = codec.encode_server(message)
        if self._profile.pretty and len(frame) < _MOST_PRETTY:
            frame = json.dumps(json.loads(frame), indent=2, ensure_ascii=False).encode() + b"\n"
        await self._socket.send(self._framed(frame))

    def _framed(self, frame: bytes) -> str | bytes:
        return frame.decode() if self._frames == "text" else frame

    async def _say(self, text: str) -> bool:
        said = trio.Event()
        wholly: list[bool] = []

        def done(to_its_end: bool) -> None:
            wholly.append(to_its_end)
            said.set()

        if self.ending is not None:
            await trio.lowlevel.checkpoint()
            raise ConnectionEnded("the connection is closed")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when_set, self._over, nursery.cancel_scope)
            await self._dialogue.say(_legible(text), done)
            await said.wait()
            nursery.cancel_scope.cancel()
        if not wholly:
            raise ConnectionEnded("the connection ended before it was said")
        return wholly[0]

    def _tell_to_go(self, time_left: float) -> trio.Event:
        """Send ``goAway`` from a task of its own; the event is set once that was tried."""
        told = trio.Event()

        async def tell() -> None:
            try:
                with suppress(ConnectionEnded):
                    await self.go_away(time_left)
            finally:
                told.set()

        if not self._later(0.0, tell):
            told.set()
        return told

    # --- Later ---

    def _later(self, seconds: float, action: Callable[..., object], *arguments: object) -> bool:
        """Do something after a while, if the connection is still there; tell if it is now."""
        plan = (trio.current_time() + seconds, action, arguments)
        if self._nursery is not None:
            self._nursery.start_soon(_carry_out, plan)
        elif self._planned is not None:
            self._planned.append(plan)
        else:
            return False
        return True

    async def _grow_old(self) -> None:
        limit, lead = self._hub.settings.connection_limit, self._hub.settings.go_away_lead
        if limit is not None and lead is None:
            self.close_at_age(limit)
        elif limit is not None and lead is not None:
            await trio.sleep(max(0.0, limit - lead))
            await self.go_away(min(lead, limit))

    async def _run(self) -> None:
        """Converse until the connection is over."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                planned, self._planned = self._planned or [], None
                for plan in planned:
                    nursery.start_soon(_carry_out, plan)
                nursery.start_soon(self._answer)
                nursery.start_soon(self._grow_old)
                try:
                    await self._receive_loop()
                finally:
                    self._nursery = None  # nothing may begin in it any more
        except* ConnectionEnded:
            pass

    async def _answer(self) -> None:
        try:
            await self._dialogue.run()
        except ConnectionEnded:
            await self._dialogue.ignore()

    async def _receive_loop(self) -> None:
        while True:
            frame = await self._socket.receive()
            self._hub.received.append(ClientFrame(trio.current_time(), self.number, frame))
            try:
                await self._take(frame)
            except Refused as refused:
                await self._socket.close(refused.code, refused.reason, why=refused.why)
                raise ConnectionEnded from None
            except ConnectionEnded:
                pass  # the answer is lost, but what the client sent before it left is still read

    async def _take(self, frame: str | bytes) -> None:
        legality = self._hub.legality
        message = legality.read(self.number, frame, self.door.backend)
        if message is None:
            return
        # Up to here and no further is one step: state, books and number change together.
        state = self._session.state
        heard = state.audio_seconds
        try:
            if message.setup is not None:
                raise Refused(1007, "setup must be the first message and only the first")
            order = self._order_in(message)
            counts = order is not None or self._dialogue.take(message)
        except Refused as refused:
            legality.broken(self.number, frame, refused)
            return  # in lenient mode
        self._index += 1
        self._unsaved += 1
        entry = consumed_from(
            message,
            frame,
            connection=self.number,
            index=self._index,
            seconds=state.audio_seconds - heard,
            time=trio.current_time(),
            ignored=not counts,
        )
        state.ledger = state.ledger.and_then(entry)
        if order is not None:
            await self._obey(order)
            return
        for one in self._hub.audience:
            one.heard(self, message, len(frame))
        await self._dialogue.react()
        due = self._handle_every is not None and self._unsaved >= self._handle_every
        if due and not self._dialogue.mid_answer and not self._silent:
            await self.send_handle()

    def _order_in(self, message: wire.LiveClientMessage) -> str | None:
        """The command in a line of the user's, where commands are taken."""
        text = text_in(message) if self._hub.settings.commands else None
        return None if text is None else command_in(_legible(text[:MOST_COMMAND]))

    async def _obey(self, line: str) -> None:
        """Carry out a command, and say so, or what is wrong with it; the history has no part in it.

        After a command that ends the connection, the next one says so, so that the client knows
        that the command arrived.
        """
        try:
            order = read_order(line)
            with suppress(ConnectionEnded):
                await order.obey(_Typing(self), ServiceActions(self._hub))
            answer = order.answer
        except ValueError as error:
            answer = str(error)
        if self.ending is None:
            await self._say_later(answer)
        else:
            self._dialogue.leave_word(answer)

    async def _say_later(self, text: str) -> None:
        """Queue a turn for a command; the receive loop mustn't wait for it to be said."""
        if len(self._session.state.waiting) < MOST_WAITING:
            await self._dialogue.say(_legible(text))
        else:
            await trio.lowlevel.checkpoint()
            log.info("connection %d: too much waits to be said: %r isn't", self.number, text[:80])

    # --- What the conversation says ---

    async def _converse(self, message: wire.LiveServerMessage) -> None:
        if self._silent:
            await trio.lowlevel.checkpoint()
            raise ConnectionEnded("nothing more is said here")  # so it wasn't answered
        await self.send(message)

    async def _tell(self, message: wire.LiveServerMessage) -> None:
        if not self._silent:
            await self.send(message)

    async def _turn_begins(self) -> None:
        if self._handle_a_turn:
            await self.send_handle(resumable=False)

    async def _turn_ended(self) -> None:
        if self._handle_a_turn:
            await self.send_handle()

    async def _send_first_handle(self) -> None:
        """Send the handle that comes with the setup; in transparent mode 0 means none yet."""
        if self.setup.session_resumption is not None:
            await self.send_handle(resumable=not self._transparent or self._index > 0)

    def _leave(self) -> None:
        """Let go of the session, so that another connection may take it up."""
        now = trio.current_time()
        session = self._session
        session.attached -= 1
        session.ended_at = now
        if not self._dialogue.mid_answer:
            # Measured on 3.8: resuming at once is refused after an idle end, not after one in
            # the middle of an answer.
            session.quiet_until = now + self._profile.resume_quiet
        if self in self._hub.connections:
            self._hub.connections.remove(self)
        self._over.set()
        for one in self._hub.audience:
            one.left(self)


class _Typing(ConnectionActions):
    """A connection as its own commands see it: none of them waits for a turn.

    They are carried out by the receive loop, which would no longer see the client leave.
    """

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection

    def _end(self) -> ServerConnection:
        return self._connection

    async def say(self, text: str) -> bool:
        await self._connection._say_later(text)
        return True


def _legible(text: str) -> str:
    """Without lone surrogates, which JSON can smuggle in but nobody can send."""
    return text.encode(errors="replace").decode()


async def _carry_out(plan: _Plan) -> None:
    due, action, arguments = plan
    await trio.sleep_until(due)
    outcome = action(*arguments)
    if isinstance(outcome, Awaitable):
        await outcome


async def _cancel_when_set(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
