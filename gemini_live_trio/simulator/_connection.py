"""One client's connection: key, setup, checks, then a conversation, until either side ends it."""

from __future__ import annotations

import json
import logging
import math
from typing import Final

import trio

from .. import codec, wire
from ._dialogue import Dialogue
from ._hub import ClientFrame, Hub, SetupDelay, SetupRefusal, SetupSilence
from ._profiles import Profile
from ._rules import CATCH_ALL, Door, Refused, check_key, check_setup, read_message
from ._sessions import Session, Turn
from ._socket import ConnectionEnded, Ending, Socket

__all__ = ["ServerConnection", "serve_client"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

SETUP_WAIT: Final = 60.0
"""Seconds a client has to send its ``setup``."""
GO_AWAY_IGNORED: Final = (
    "Connection aborted because the client failed to close the connection after receiving a "
    "GoAway signal once the session duration limit was reached."
)
_NEVER_SENT: Final = frozenset({1004, 1005, 1006, 1015})
_NOT_FOUND: Final = "BidiGenerateContent session not found"
_INTERNAL: Final = "Internal error encountered."


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
        self._dialogue = Dialogue(
            send=self.send,
            send_handle=self._send_own_handle,
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
        return self._session.history

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

        Cancellation: atomic; ``Cancelled`` means that nothing was sent.
        """
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
        update = wire.LiveServerSessionResumptionUpdate()
        if resumable:
            snapshot = self._profile.restores == "handle"
            handle = self._hub.store.issue(self._session, snapshot=snapshot, handle=handle)
            update = wire.LiveServerSessionResumptionUpdate(new_handle=handle, resumable=True)
        await self.send(wire.LiveServerMessage(session_resumption_update=update))
        return handle or ""

    async def _send_own_handle(self) -> None:
        await self.send_handle()

    async def go_away(self, time_left: float = 50.0, *, abort: bool = True) -> None:
        """Tell the client to leave.

        Args:
          time_left: Seconds it has.
          abort: Whether a client that is still there after them is closed with 1008, as the
            service does.
        """
        notice = wire.LiveServerGoAway(time_left=time_left)
        await self.send(wire.LiveServerMessage(go_away=notice))
        if abort and self._nursery is not None:
            self._nursery.start_soon(self._abort_after, time_left)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the connection with a close frame; the reason is cut at 123 bytes.

        Raises:
          ValueError: no close frame can carry this code. For 1006 there is ``drop``.
        """
        if not 1000 <= code < 5000 or code in _NEVER_SENT:
            raise ValueError(f"{code} can't stand in a close frame")
        await self._socket.close(code, reason, why="closed on request")

    async def drop(self) -> None:
        """End the connection without a close frame, as a failing network does."""
        await self._socket.drop()

    def freeze(self) -> None:
        """Read nothing, send nothing, answer no ping, until ``thaw``; the connection stays open."""
        self._socket.freeze()

    def thaw(self) -> None:
        """Go on after ``freeze``; what arrived meanwhile is read now."""
        self._socket.thaw()

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
                message = read_message(frame)
                if message.setup is not None:
                    raise Refused(1007, "setup must be the first message and only the first")
                await self._dialogue.take(message)
            except Refused as refused:
                await _refuse(self._socket, refused, self.number)
                raise ConnectionEnded from None
            except ConnectionEnded:
                pass  # the answer is lost, but what the client sent before it left is still read

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


async def serve_client(hub: Hub, socket: Socket, door: Door) -> None:
    """Serve one client from the upgrade to the end.

    Whatever the client does, this returns; what it raises is a fault of the simulator.
    """
    number = hub.next_number()
    connection: ServerConnection | None = None
    try:
        check_key(door.key, hub.settings.api_key)
        connection = await _set_up(hub, socket, door, number)
        await connection._run()
    except Refused as refused:
        await _refuse(socket, refused, number)
    except ConnectionEnded:
        pass
    finally:
        if socket.ending is None:
            socket.ending = Ending("nobody", 1006, why="the simulator stopped")
        if connection is not None:
            connection._leave()
        log.info("connection %d: %s", number, socket.ending)


async def _refuse(socket: Socket, refused: Refused, number: int) -> None:
    log.info("connection %d refused: %d %s (%s)", number, refused.code, refused, refused.why)
    await socket.close(refused.code, refused.reason, why=refused.why)


async def _set_up(hub: Hub, socket: Socket, door: Door, number: int) -> ServerConnection:
    frame: str | bytes | None = None
    with trio.move_on_after(SETUP_WAIT):
        frame = await socket.receive()
    if frame is None:
        raise Refused(
            1011, "Deadline expired before operation could complete.", "no setup was sent"
        )
    hub.received.append(ClientFrame(trio.current_time(), number, frame))
    setup = read_message(frame).setup
    if setup is None:
        raise Refused(1007, CATCH_ALL, "the first message must be a setup")
    hub.note_setup(setup)
    resumption = setup.session_resumption
    handle = (resumption and resumption.handle) or None
    await _suffer(hub, resumes=handle is not None)
    profile = check_setup(setup, door)
    pace = hub.settings.manner.pace
    session = await _find_session(hub, setup, profile, handle, pace)
    connection = ServerConnection(
        number=number,
        setup=setup,
        resumed_from=handle,
        profile=profile,
        session=session,
        socket=socket,
        hub=hub,
    )
    session.attached += 1
    try:
        await trio.sleep(profile.setup_seconds * pace)
        await connection.send(wire.LiveServerMessage(setup_complete=wire.LiveServerSetupComplete()))
        if resumption is not None:
            await connection.send_handle()
    except BaseException:
        connection._leave()
        raise
    hub.arrived(connection)
    return connection


async def _suffer(hub: Hub, *, resumes: bool) -> None:
    """Undergo the faults that were planned for this setup."""
    match hub.take_setup_fault(resumes=resumes):
        case SetupRefusal(code=code, reason=reason):
            raise Refused(code, reason, "refused on request")
        case SetupSilence():
            await trio.sleep_forever()
        case SetupDelay(seconds=seconds):
            await trio.sleep(seconds)
        case None:
            pass


async def _find_session(
    hub: Hub, setup: wire.LiveClientSetup, profile: Profile, handle: str | None, pace: float
) -> Session:
    model = setup.model or ""
    instruction = setup.system_instruction
    text = " ".join(part.text or "" for part in instruction.parts) if instruction else ""
    if handle is None:
        return Session(model=model, instruction=text)
    found = hub.store.find(handle)
    if found is None:
        raise Refused(1008, _NOT_FOUND, "this simulator issued no such handle")
    session, history = found
    if session.model != model:
        raise Refused(1007, CATCH_ALL, f"the session was with {session.model}")
    if hub.settings.resume_lock:
        held = session.attached > 0
        if held or trio.current_time() < session.quiet_until:
            await trio.sleep(profile.refuse_seconds * pace)
            why = "the old connection is still open" if held else "it ended only a moment ago"
            raise Refused(1011, _INTERNAL, why)
    session.history = history
    session.ended_at = math.inf
    if instruction is not None:
        session.instruction = text
    return session
