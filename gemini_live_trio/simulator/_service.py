"""Serving one client: key, setup, checks, then a conversation, until either side ends it."""

from __future__ import annotations

import logging
import math
from typing import Final

import trio

from .. import codec, wire
from ._connection import ServerConnection
from ._hub import (
    ClientFrame,
    EmptyResume,
    Hub,
    SetupAnswer,
    SetupDelay,
    SetupDrop,
    SetupRefusal,
    SetupSilence,
)
from ._profiles import Profile
from ._rules import CATCH_ALL, Door, Refused, check_key, check_setup, read_message
from ._sessions import Session
from ._socket import ConnectionEnded, Ending, Socket

__all__ = ["serve_client"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

SETUP_WAIT: Final = 60.0
"""Seconds a client has to send its ``setup``."""
_NOT_FOUND: Final = "BidiGenerateContent session not found"
_INTERNAL: Final = "Internal error encountered."


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
    empty = await _suffer(hub, socket, resumes=handle is not None)
    profile = check_setup(setup, door)
    pace = hub.settings.manner.pace
    session = await _find_session(hub, setup, profile, None if empty else handle, pace)
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
        await connection._send_first_handle()
    except BaseException:
        connection._leave()
        raise
    hub.arrived(connection)
    return connection


async def _suffer(hub: Hub, socket: Socket, *, resumes: bool) -> bool:
    """Undergo the faults that were planned for this setup; tell whether its handle is empty."""
    match hub.take_setup_fault(resumes=resumes):
        case SetupRefusal(code=code, reason=reason):
            raise Refused(code, reason, "refused on request")
        case SetupSilence():
            await socket.stream.ended.wait()
            raise ConnectionEnded("the client gave up")
        case SetupDelay(seconds=seconds):
            await trio.sleep(seconds)
        case SetupDrop():
            await socket.drop()
            raise ConnectionEnded("dropped on request")
        case SetupAnswer(message=message, then_complete=then_complete):
            await socket.send(codec.encode_server(message))
            if not then_complete:
                await socket.stream.ended.wait()
                raise ConnectionEnded("the client gave up")
        case EmptyResume():
            return True
        case None:
            pass
    return False


async def _find_session(
    hub: Hub, setup: wire.LiveClientSetup, profile: Profile, handle: str | None, pace: float
) -> Session:
    model = setup.model or ""
    instruction = setup.system_instruction
    text = " ".join(part.text or "" for part in instruction.parts) if instruction else ""
    if handle is None:
        session = hub.begin_session(model)
        session.state.instruction = text
        return session
    found = hub.store.find(handle)
    if found is None:
        raise Refused(1008, _NOT_FOUND, "this simulator issued no such handle")
    session, state = found
    if session.model != model:
        raise Refused(1007, CATCH_ALL, f"the session was with {session.model}")
    if hub.settings.resume_lock:
        held = session.attached > 0
        if held or trio.current_time() < session.quiet_until:
            await trio.sleep(profile.refuse_seconds * pace)
            why = "the old connection is still open" if held else "it ended only a moment ago"
            raise Refused(1011, _INTERNAL, why)
    session.state = state
    session.ended_at = math.inf
    if instruction is not None:
        state.instruction = text
    return session
