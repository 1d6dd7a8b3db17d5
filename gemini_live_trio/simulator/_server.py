"""The simulator itself: where clients come in, and what a test can ask of it."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Literal

import trio

from .. import wire
from ._connection import ServerConnection
from ._dialogue import Manner
from ._door import Doorkeeper, http_error
from ._hub import (
    EmptyResume,
    FrameLog,
    Hub,
    Settings,
    SetupAnswer,
    SetupDelay,
    SetupDrop,
    SetupRefusal,
    SetupSilence,
    UpgradeFault,
)
from ._mind import DefaultMind, Mind
from ._sessions import Conversation
from ._stream import bounded_pair
from ._voice import VoiceName, choose_voice

__all__ = ["MemoryConnector", "Simulator", "open_simulator"]


class MemoryConnector:
    """Dials the simulator without a network, so that a virtual clock can run over it.

    Whatever the target, it is the simulator that answers; asked for TLS, it claims that this
    was done. It fits wherever a session takes a ``connector``.
    """

    def __init__(self, door: Doorkeeper, nursery: trio.Nursery) -> None:
        self._door = door
        self._nursery = nursery

    async def connect(self, target: object = None, /) -> trio.abc.Stream:
        """Open a byte stream to the simulator, whatever the target.

        Raises:
          ConnectionRefusedError: it is closed, or told to refuse.
        """
        await trio.lowlevel.checkpoint()
        if not self._door.hub.accepting:
            raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
        theirs, ours = bounded_pair()
        self._nursery.start_soon(self._door.serve, ours)
        return theirs


class Simulator:
    """A running simulator.

    Attributes:
      url: Base URL for a client: ``ws://127.0.0.1:PORT``. Without a port it is a name that only
        ``connector`` can reach.
      connector: Dials it in memory.
    """

    def __init__(self, door: Doorkeeper, url: str, connector: MemoryConnector) -> None:
        self._door = door
        self._hub = door.hub
        self._listening = trio.CancelScope()
        self.url = url
        self.connector = connector

    @property
    def setups(self) -> Sequence[wire.LiveClientSetup]:
        """Every setup that arrived, refused ones too, oldest first; the last thousand."""
        return self._hub.setups

    @property
    def received(self) -> FrameLog:
        """Every frame that clients sent, with its time; bounded."""
        return self._hub.received

    @property
    def connections(self) -> Sequence[ServerConnection]:
        """The connections that finished their setup and are still open."""
        return tuple(self._hub.connections)

    @property
    def conversations(self) -> Sequence[Conversation]:
        """Every conversation that was begun, oldest first; the last thousand."""
        return tuple(self._hub.conversations)

    async def accept(self) -> ServerConnection:
        """Wait for the next connection that finished its setup."""
        return await self._hub.accept()

    # --- What goes wrong next ---

    def refuse_next_setup(
        self,
        code: int = 1011,
        reason: str = "Internal error encountered.",
        *,
        times: int | None = 1,
        only_resumes: bool = False,
    ) -> None:
        """Answer the next setups with a close frame.

        Args:
          code: The close code.
          reason: The close reason.
          times: How many; ``None`` for all, until ``clear_faults``.
          only_resumes: Whether setups without a handle pass.
        """
        refusal = SetupRefusal(code, reason, only_resumes, for_ever=times is None)
        self._hub.setup_faults.extend([refusal] * (1 if times is None else times))

    def empty_next_resume(self, *, times: int = 1) -> None:
        """Take the next handles, but bring nothing back with them: the history is gone."""
        self._hub.setup_faults.extend([EmptyResume()] * times)

    def answer_next_setup(
        self, message: wire.LiveServerMessage, *, then_complete: bool = False, times: int = 1
    ) -> None:
        """Say something else first than ``setupComplete``.

        Args:
          message: What to say.
          then_complete: Whether ``setupComplete`` follows after all.
          times: How many setups are answered so.
        """
        self._hub.setup_faults.extend([SetupAnswer(message, then_complete)] * times)

    def drop_next_setup(self, *, times: int = 1) -> None:
        """Read the next setups, and end the connection without a close frame."""
        self._hub.setup_faults.extend([SetupDrop()] * times)

    def ignore_next_setup(self, *, times: int = 1) -> None:
        """Never answer the next setups; the connections stay open."""
        self._hub.setup_faults.extend([SetupSilence()] * times)

    def delay_next_setup(self, seconds: float, *, times: int = 1) -> None:
        """Answer the next setups late."""
        self._hub.setup_faults.extend([SetupDelay(seconds)] * times)

    def reject_next_upgrade(
        self, status: int = 503, body: bytes | None = None, *, times: int = 1
    ) -> None:
        """Answer the next upgrade requests with plain HTTP.

        Args:
          status: The HTTP status.
          body: What it says; by default a JSON error as the service writes it.
          times: How many.
        """
        text = http_error(status, "The service is currently unavailable.") if body is None else body
        self._hub.upgrade_faults.extend([UpgradeFault(status, text)] * times)

    def drop_next_upgrade(self, *, times: int = 1) -> None:
        """Read the next upgrade requests, and close TCP without an answer."""
        self._hub.upgrade_faults.extend([UpgradeFault(None)] * times)

    def clear_faults(self) -> None:
        """Forget what was planned for coming upgrades and setups."""
        self._hub.upgrade_faults.clear()
        self._hub.setup_faults.clear()

    # --- What goes wrong now ---

    async def go_away(self, time_left: float = 50.0) -> None:
        """Send ``goAway`` on every open connection."""
        for connection in self.connections:
            with suppress(trio.BrokenResourceError):  # it ended while another was told
                await connection.go_away(time_left)

    async def drop_all(self) -> None:
        """End every connection without a close frame, those in their handshake too."""
        for connection in self.connections:
            await connection.drop()
        for stream in tuple(self._door.streams):
            await stream.let_go()

    def forget_sessions(self) -> None:
        """Forget every handle, as a restarted service does."""
        self._hub.store.forget()

    @property
    def accepting(self) -> bool:
        """Whether new connections are let in; settable. Refused ones end before the upgrade."""
        return self._hub.accepting

    @accepting.setter
    def accepting(self, value: bool) -> None:
        self._hub.accepting = value

    async def restart(self) -> None:
        """Do what killing the server and starting it again does: all ends, all is forgotten."""
        await self.drop_all()
        self.forget_sessions()

    async def aclose(self) -> None:
        """Stop as a killed process does: no more listening, every connection ends."""
        self._hub.accepting = False
        self._listening.cancel()
        await self.drop_all()

    async def _listen(self, listeners: Sequence[trio.SocketListener]) -> None:
        with self._listening:
            await trio.serve_listeners(self._door.serve, list(listeners))


def _url_of(listeners: Sequence[trio.SocketListener]) -> str:
    host, port = listeners[0].socket.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)  # noqa: S104
    return f"ws://{shown or (f'[{host}]' if ':' in host else host)}:{port}"


def _cancelled(error: BaseException) -> bool:
    """Whether a cancellation is in it, which the nursery has to see."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(trio.Cancelled) is not None
    return isinstance(error, trio.Cancelled)


@asynccontextmanager
async def open_simulator(
    *,
    host: str = "127.0.0.1",
    port: int | None = 0,
    api_key: str | None = None,
    voice: VoiceName = "auto",
    seed: int = 0,
    mind: Mind | Literal["rules"] | None = "rules",
    pace: float = 1.0,
    frames: Literal["binary", "text"] = "binary",
    connection_limit: float | None = None,
    go_away_lead: float = 50.0,
    resume_lock: bool = True,
    resume_restores: Literal["latest", "handle"] | None = None,
    handle_every: int | None = None,
    setup_is_counted: bool = False,
    record_bytes: int = 64 * 2**20,
) -> AsyncIterator[Simulator]:
    """Run a simulator of the Gemini Live service for the length of a block.

    Args:
      host: Address to listen on.
      port: Port; 0 takes a free one. ``None`` listens nowhere: only ``Simulator.connector``
        reaches it, and then everything in it runs on a virtual clock too.
      api_key: The only key that is let in. ``None`` lets anybody in, with or without one.
      voice: ``"tone"``: the rhythm of the words; ``"espeak"``: espeak-ng; ``"echo"``: answers
        speech with itself; ``"auto"``: espeak-ng where it is installed and there is a port, else
        the tone.
      seed: Chooses between ways of saying the same thing.
      mind: ``"rules"`` answers by rule; a function answers its way; ``None`` never answers, so
        that a test can send every frame itself.
      pace: Factor on every wait: 1 is the service's pace, 0 waits for nothing.
      frames: Whether answers travel in binary frames, as the service sends them, or in text.
      connection_limit: Seconds after which a connection is closed, with a ``goAway`` before;
        ``None``: never. The service's own is 590.
      go_away_lead: Seconds between that ``goAway`` and the end.
      resume_lock: Whether resuming is refused while the old connection is open, and on 3.8 for
        a moment after an idle one has ended, as the service does.
      resume_restores: What a handle brings back: the ``"latest"`` state, or that at the time of
        the ``"handle"``; by default what the model does. With transparent resumption it is always
        that of the handle.
      handle_every: Send a new handle after so many messages of the client, outside of answers.
        By default only as the model does, and with transparent resumption after ten.
      setup_is_counted: Whether ``lastConsumedClientMessageIndex`` counts ``setup``; nobody has
        published whether the service does.
      record_bytes: How much of what clients send is kept in ``Simulator.received``.

    Raises:
      OSError: it can't listen there.
      ValueError: the voice can't be had, or ``handle_every`` is less than 1.

    The block's own exception leaves as it is. A fault inside the simulator cancels the block and
    is raised from it as a group.
    """
    if handle_every is not None and handle_every < 1:
        raise ValueError(f"handle_every counts messages, from 1; {handle_every} is none")
    chosen: Mind | None = DefaultMind(seed) if mind == "rules" else mind
    manner = Manner(
        mind=chosen,
        voice=choose_voice(voice, real_clock=port is not None),
        echo=voice == "echo",
        pace=pace,
    )
    settings = Settings(
        manner=manner,
        api_key=api_key,
        frames=frames,
        connection_limit=connection_limit,
        go_away_lead=go_away_lead,
        resume_lock=resume_lock,
        resume_restores=resume_restores,
        handle_every=handle_every,
        setup_is_counted=setup_is_counted,
    )
    door = Doorkeeper(Hub(settings, FrameLog(record_bytes)))
    listeners = [] if port is None else await trio.open_tcp_listeners(port, host=host)
    failure: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            url = _url_of(listeners) if listeners else "ws://simulator.invalid"
            simulator = Simulator(door, url, MemoryConnector(door, nursery))
            if listeners:
                nursery.start_soon(partial(simulator._listen, listeners))
            try:
                yield simulator
            except BaseException as error:
                if _cancelled(error):
                    raise
                failure = error  # raised again below, outside the nursery and its group
            door.hub.accepting = False
            nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if failure is None:
            raise
        failure.add_note(f"The simulator failed as well: {group.exceptions!r}")
    if failure is not None:
        try:
            raise failure
        finally:
            del failure
