"""Recording a session of this client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Protocol

import trio

from .. import codec, wire
from .._redact import KeepsSecrets, MediaMode, Secrets
from ..observers import SessionObserver
from ._format import Ender
from ._writer import RecordingWriter

__all__ = ["SessionRecorder", "record"]

WRITER = "gemini-live-trio"


class SessionRecorder(SessionObserver, KeepsSecrets):
    """Writes down every frame of a session, both ways.

    Give it to ``open_session(observers=[...])``, so that the first ``setup`` is in the recording
    too, and it can be replayed.

    Args:
      writer: Where to. The session's credentials never go there.
    """

    def __init__(self, writer: RecordingWriter) -> None:
        self._writer = writer
        self._opened = 0
        self._path = ""

    def _keep_out(self, secrets: Secrets) -> None:
        self._writer._keep_out(secrets)

    def dialling(
        self, *, connection: int, model: str, path: str, resumes: bool, time: float
    ) -> None:
        """Note where to."""
        self._path = path

    def frame_sent(self, frame: str, *, connection: int, time: float) -> None:
        """Write it down."""
        self._open(connection)
        self._writer.frame(connection, "client", frame)

    def frame_received(self, frame: str | bytes, *, connection: int, time: float) -> None:
        """Write it down."""
        self._open(connection)
        self._writer.frame(connection, "server", frame)

    def disconnected(
        self, *, connection: int, by: str, code: int, reason: str, time: float
    ) -> None:
        """Write it down."""
        if connection == self._opened:
            who: Ender = "client" if by == "client" else "server" if by == "server" else "nobody"
            self._writer.ended(connection, who, code, reason)

    def _open(self, connection: int) -> None:
        if connection != self._opened:
            self._opened = connection
            self._writer.opened(connection, self._path)


class _Recordable(Protocol):
    @property
    def setup(self) -> wire.LiveClientSetup: ...
    @property
    def connection(self) -> int: ...
    def observe(self, observer: SessionObserver, /) -> AbstractContextManager[None]: ...


@asynccontextmanager
async def record(
    session: _Recordable, path: str | os.PathLike[str], *, media: MediaMode = "hash"
) -> AsyncIterator[RecordingWriter]:
    """Record what a session sends and receives, from here to the end of the block.

    The recording begins with the session's setup and ``setupComplete``, as if they had just been
    exchanged, so that it can be replayed. The disk never holds up the session: what can't be
    written is counted (``writer.lost``) and told once, in the log.

    Args:
      session: A session that is open.
      path: The file; one that exists is replaced.
      media: ``"whole"`` keeps sounds and pictures; ``"hash"`` their SHA-256 and length.

    Raises:
      RecordingError: the file can't be written.

    Cancellation: at any time; what waits is still written, for 5 s at most.
    """
    clock = trio.lowlevel.current_clock().current_time  # it works in the writer's thread too
    writer = RecordingWriter(path, by=WRITER, media=media, clock=clock)
    recorder = SessionRecorder(writer)
    setup = codec.encode(wire.LiveClientMessage(setup=session.setup))
    complete = wire.LiveServerMessage(setup_complete=wire.LiveServerSetupComplete())
    try:
        with session.observe(recorder):
            number = session.connection
            recorder.frame_sent(setup, connection=number, time=clock())
            recorder.frame_received(codec.encode_server(complete), connection=number, time=clock())
            yield writer
    finally:
        await writer.aclose()
