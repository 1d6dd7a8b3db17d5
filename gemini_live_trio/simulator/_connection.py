"""The service's end of a connection: a conversation, and what may befall it on request."""

from __future__ import annotations

import json
from typing import Final

import trio

from .. import codec, wire
from ._dialogue import Dialogue
from ._frames import audio_part, content
from ._hub import ClientFrame, Hub
from ._ledger import consumed_from
from ._profiles import Profile
from ._rules import Refused, read_message
from ._sessions import Conversation, Session, Turn
from ._socket import ConnectionEnded, Ending, Socket

__all__ = ["ServerConnection"]

GO_AWAY_IGNORED: Final = (
    "Connection aborted because the client failed to close the connection after receiving a "
    "GoAway signal once the session duration limit was reached."
)
NOTICED_AFTER: Final = 480.0
"""Seconds until the service gives up a connection whose other end is gone; measured."""
LARGE: Final = 15 * 2**20
TRANSPARENT_EVERY: Final = 10
"""Messages between handles in transparent mode; assumed."""
_NEVER_SENT: Final = frozenset({1004, 1005, 1006, 1015})
_NOT_NOW: Final = wire.LiveServerSessionResumptionUpdate()


class ServerConnection:
    """The service's end of a connection that finished its setup; ``Simulator.accept`` gives it.

    It answers by itself; the methods add to that, or break it. All of them may be called from any
    task. Sending on a connection that is over raises ``trio.BrokenResourceError``.

    Attributes:
      number: From 1, in the order of arrival.
      setup: What the client asked for.
      resumed_from: The handle it resumed with, ``None`` for a new session.
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
    ) -> None:
        self.number = number
        self.setup = setup
        self.resumed_from = resumed_from
        self._profile = profile
        self._session = session
        self._socket = socket
        self._hub = hub
        self._nursery: trio.Nursery | None = None
        self._over = trio.Event()
        self._silent = False
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

    async def send(self, message: wire.LiveServerMessage) -> None:
        """Send one message, whatever it says; returns when it is written.

        Tool calls in it are open from then on: the conversation waits for their answers, over a
        resume too, and an answer begins a turn.

        Cancellation: atomic; ``Cancelled`` means that nothing was sent.
        """
        if message.tool_call is not None:
            self._dialogue.called(message.tool_call)
        if message.tool_call_cancellation is not None:
            self._dialogue.uncalled(message.tool_call_cancellation)
        frame = codec.encode_server(message)
        if self._profile.pretty:
            frame = json.dumps(json.loads(frame), indent=2, ensure_ascii=False).encode() + b"\n"
        text = self._hub.settings.frames == "text"
        await self._socket.send(frame.decode() if text else frame)

    async def send_raw(self, frame: str | bytes) -> None:
        """Send a frame as it is: text as a text frame, bytes as a binary one."""
        await self._socket.send(frame)

    async def send_handle(self, handle: str | None = None, *, resumable: bool = True) -> str:
        """Send a ``sessionResumptionUpdate``, and take the handle from now on.

        Args:
          handle: Its text; a fresh UUID by default.
          resumable: With ``False`` the update says that there is no handle now.

        Returns:
          The handle, empty if not resumable.
        """
        update = _NOT_NOW
        if resumable:
            latest = self._hub.settings.resume_restores or self._profile.restores
            snapshot = self._transparent or latest == "handle"
            handle = self._hub.store.issue(self._session, snapshot=snapshot, handle=handle)
            # State and number belong together, so both are taken now.
            self._unsaved = 0
            update = wire.LiveServerSessionResumptionUpdate(
                new_handle=handle,
                resumable=True,
                last_consumed_client_message_index=self._index if self._transparent else None,
            )
        elif self._transparent:
            update = wire.LiveServerSessionResumptionUpdate(last_consumed_client_message_index=0)
        await self.send(wire.LiveServerMessage(session_resumption_update=update))
        return handle or ""

    async def go_away(
        self, time_left: float = 50.0, *, abort: bool = True, silent: bool = False
    ) -> None:
        """Tell the client to leave.

        Args:
          time_left: Seconds it has.
          abort: Whether a client that is still there after them is closed with 1008, as the
            service does.
          silent: Whether nothing more of the conversation is sent on this connection.
        """
        notice = wire.LiveServerGoAway(time_left=time_left)
        await self.send(wire.LiveServerMessage(go_away=notice))
        self._silent = self._silent or silent
        if abort and self._nursery is not None:
            self._nursery.start_soon(self._abort_after, time_left)

    async def send_large(self, size: int = LARGE) -> None:
        """Send one piece of audio in a frame of about ``size`` bytes, 15 MiB by default."""
        silence = bytes(size // 4 * 3 // 2 * 2)
        turn = wire.Content(parts=[audio_part(silence)], role="model")
        await self.send(content(model_turn=turn))

    async def close(self, code: int = 1000, reason: str = "", *, hold_open: bool = False) -> None:
        """End the connection with a close frame; the reason is cut at 123 bytes.

        Args:
          code: The close code.
          reason: The close reason.
          hold_open: Whether TCP stays open after it, until the client closes it.

        Raises:
          ValueError: no close frame can carry this code. For 1006 there is ``drop``.
        """
        if not 1000 <= code < 5000 or code in _NEVER_SENT:
            raise ValueError(f"{code} can't stand in a close frame")
        await self._socket.close(code, reason, why="closed on request", hold_open=hold_open)

    async def drop(self) -> None:
        """End the connection without a close frame, as a failing network does."""
        await self._socket.drop()

    async def reset(self) -> None:
        """End the connection with a TCP reset: the client loses what it hasn't read."""
        await self._socket.reset()

    def freeze(self) -> None:
        """Read nothing, send nothing, answer no ping, until ``thaw``; the connection stays open."""
        self._socket.stream.freeze()

    def stop_reading(self) -> None:
        """Read nothing until ``thaw``; a client can write some 128 KiB more before it must wait.

        Pings aren't read either, and so not answered.
        """
        self._socket.stream.freeze(writing=False)

    def thaw(self) -> None:
        """Go on after ``freeze`` or ``stop_reading``; what arrived meanwhile is read now."""
        self._socket.stream.thaw()

    def vanish(self, *, noticed_after: float | None = NOTICED_AFTER) -> None:
        """Lose every byte from now on in both directions, with no end that anybody could see.

        The session stays locked until the service notices.

        Args:
          noticed_after: Seconds until it does; ``None`` for never.
        """
        self._socket.stream.vanish()
        if noticed_after is not None and self._nursery is not None:
            self._nursery.start_soon(self._notice_after, noticed_after)

    def ignore_close(self) -> None:
        """Never answer the client's close frame, and leave TCP open after it."""
        self._socket.stream.swallow_close = True

    def ping_before_close(self) -> None:
        """Send a ping between the client's close frame and the answer to it."""
        self._socket.stream.ping_before_close = True

    def delay_pongs(self, seconds: float) -> None:
        """Answer pings late from now on."""
        self._socket.stream.pong_delay = seconds

    async def _notice_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        await self._socket.drop("the client had vanished")

    async def _abort_after(self, seconds: float) -> None:
        await trio.sleep(seconds)
        await self._socket.close(1008, GO_AWAY_IGNORED, why="goAway was ignored")

    async def _grow_old(self) -> None:
        limit, lead = self._hub.settings.connection_limit, self._hub.settings.go_away_lead
        if limit is not None:
            await trio.sleep(max(0.0, limit - lead))
            await self.go_away(min(lead, limit))

    async def _run(self) -> None:
        """Converse until the connection is over."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._answer)
                nursery.start_soon(self._grow_old)
                await self._receive_loop()
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
        message = read_message(frame)
        if message.setup is not None:
            raise Refused(1007, "setup must be the first message and only the first")
        # Up to here and no further is one step: state, books and number change together.
        state = self._session.state
        heard = state.audio_seconds
        counts = self._dialogue.take(message)
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
        await self._dialogue.react()
        due = self._handle_every is not None and self._unsaved >= self._handle_every
        if due and not self._dialogue.mid_answer and not self._silent:
            await self.send_handle()

    # --- What the conversation says ---

    async def _converse(self, message: wire.LiveServerMessage) -> None:
        if self._silent:
            await trio.sleep_forever()  # what isn't said wasn't answered
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
