"""Serving one client: key, setup, checks, then a conversation, until either side ends it."""

from __future__ import annotations

import math
from functools import partial
from typing import Final
from uuid import uuid4

import trio

from .. import codec, wire
from ..errors import DecodeError
from ._books._log import log, shown
from ._books._records import begin_record, end_record
from ._checks._fit import as_served
from ._checks._profiles import UNKNOWN, Profile
from ._checks._refused import CATCH_ALL, Refused
from ._connection import ServerConnection
from ._door._dialects import Door, check_credentials
from ._door._socket import ConnectionEnded, Ending, Socket
from ._door._tokens import EXPIRED_MEANWHILE, Token, TokenStore
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
from ._sessions import Session

__all__ = ["serve_client"]

SETUP_WAIT: Final = 60.0
"""Seconds a client has to send its ``setup``."""
_NOT_FOUND: Final = "BidiGenerateContent session not found"
_INTERNAL: Final = "Internal error encountered."


async def serve_client(hub: Hub, socket: Socket, door: Door, tokens: TokenStore, peer: str) -> None:
    """Serve one client from the upgrade to the end.

    Whatever the client does, this returns; what it raises is a fault of the simulator.
    """
    number = hub.next_number()
    connection: ServerConnection | None = None
    try:
        begin_record(hub.recorder, number, socket, door)
        log.info("connection %d from %s: %s", number, peer, door)
        if hub.replay is not None:
            await hub.replay.serve(hub, number, socket, partial(_let_in, hub, door, tokens))
            return
        connection, token = await _set_up(hub, socket, door, number, tokens)
        async with trio.open_nursery() as nursery:
            if token is not None:
                nursery.start_soon(_end_with, token, socket)
            await connection._run()
            nursery.cancel_scope.cancel()
    except Refused as refused:
        await _refuse(socket, refused)
    except ConnectionEnded:
        pass
    finally:
        if socket.ending is None:
            socket.ending = Ending("nobody", 1006, why="the simulator stopped")
        if connection is not None:
            connection._leave()
        end_record(hub.recorder, number, socket)
        log.info("connection %d: %s", number, socket.ending)


def _let_in(hub: Hub, door: Door, tokens: TokenStore, frame: str | bytes) -> None:
    """Judge a client of a recording by its first message, as one of a conversation is.

    Raises:
      Refused: its credentials or its token are none.
    """
    check_credentials(door, hub.settings.api_key)
    token = _token_of(door, tokens)
    if token is None:
        return
    try:
        setup = codec.decode_client(frame).setup
    except DecodeError:
        setup = None
    resumption = setup and setup.session_resumption
    resumes = bool(resumption and resumption.handle)
    token.check(resumes=resumes)
    if not resumes:
        token.use()


async def _refuse(socket: Socket, refused: Refused) -> None:
    await socket.close(refused.code, refused.reason, why=refused.why)


def _token_of(door: Door, tokens: TokenStore) -> Token | None:
    """The ephemeral token that a client came with, where one is wanted."""
    name = door.credentials.ephemeral_token
    return tokens.find(name) if door.constrained and name is not None else None


async def _end_with(token: Token, socket: Socket) -> None:
    await trio.sleep_until(token.expires_at)
    await socket.close(1011, EXPIRED_MEANWHILE, why="the token's expireTime has come")


async def _set_up(
    hub: Hub, socket: Socket, door: Door, number: int, tokens: TokenStore
) -> tuple[ServerConnection, Token | None]:
    frame, setup = await _receive_setup(hub, socket, door, number)
    token = _token_of(door, tokens)
    hub.note_setup(setup)
    resumption = setup.session_resumption
    handle = (resumption and resumption.handle) or None
    model, purpose = shown(setup.model or "no model"), ", with a handle" if handle else ""
    log.info("connection %d: setup for %s%s", number, model, purpose)
    if token is not None:
        token.check(resumes=handle is not None)
        setup = token.lock(setup)
    empty = await _suffer(hub, socket, setup)
    unknown = UNKNOWN if hub.settings.unknown_models == "like-3.8" else None
    setup, profile = hub.legality.check_setup(number, frame, setup, door, unknown)
    profile = as_served(setup, profile, vertex=door.vertex)
    if token is not None and handle is None:
        token.use()
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
        door=door,
    )
    session.attached += 1
    try:
        await trio.sleep(profile.setup_seconds * pace)
        hub.connections.append(connection)  # before the client can know that it is there
        # Vertex AI names the session, the Developer API doesn't.
        complete = wire.LiveServerSetupComplete(session_id=str(uuid4()) if door.vertex else None)
        await connection.send(wire.LiveServerMessage(setup_complete=complete))
        await connection._send_first_handle()
    except BaseException:
        connection._leave()
        raise
    how = "begins" if handle is None or empty else "goes on"
    log.info("connection %d: conversation %d %s", number, session.number, how)
    hub.arrived(connection)
    return connection, token


async def _receive_setup(
    hub: Hub, socket: Socket, door: Door, number: int
) -> tuple[str | bytes, wire.LiveClientSetup]:
    with trio.move_on_after(SETUP_WAIT):
        while True:
            frame = await socket.receive()
            hub.received.append(ClientFrame(trio.current_time(), number, frame))
            # Measured: the service looks at credentials when the first message is there.
            check_credentials(door, hub.settings.api_key)
            message = hub.legality.read(number, frame, door.backend)
            if message is not None and message.setup is not None:
                return frame, message.setup
            if message is not None:
                early = Refused(1007, CATCH_ALL, "the first message must be a setup")
                hub.legality.broken(number, frame, early)
    raise Refused(1011, "Deadline expired before operation could complete.", "no setup was sent")


async def _suffer(hub: Hub, socket: Socket, setup: wire.LiveClientSetup) -> bool:
    """Undergo the faults that were planned for this setup; tell whether its handle is empty."""
    match hub.take_setup_fault(setup):
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
