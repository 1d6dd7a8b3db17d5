"""The simulator itself: where clients come in, and what a test can ask of it."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Final, Literal

import trio

from .. import wire
from ..recording import Difference, MediaMode, Redactor
from ._actions import ServiceActions
from ._books._log import discreet
from ._books._records import open_recorder, open_replay
from ._checks._arguments import check_pace, check_seconds
from ._checks._legality import LegalityBook, LegalityReport
from ._connection import ServerConnection
from ._door._door import Doorkeeper
from ._door._pair import bounded_pair
from ._door._tls import open_certificates
from ._door._visitors import Visitors
from ._hub import FrameLog, Hub, Settings
from ._mind._mind import DefaultMind, Mind
from ._mind._voice import VoiceName, choose_voice
from ._scripts._expecting import ScriptError
from ._scripts._script import Scene, Script
from ._scripts._steps import read_script
from ._sessions import Conversation
from ._talk._delivery import AS_THE_MODEL_DOES, Delivery
from ._talk._manner import Hears, Manner

__all__ = ["MemoryConnector", "Simulator", "open_simulator"]

_TOLD_WITHIN: Final = 1.0
"""Seconds that clients who don't read are waited for, when all are told to leave."""


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


class Simulator(ServiceActions):
    """A running simulator.

    Attributes:
      url: Base URL for a client: ``ws://127.0.0.1:PORT``, or with TLS ``wss://127.0.0.1:PORT``.
        Without a port it is a name that only ``connector`` can reach.
      connector: Dials it in memory.
      ca_certificate: With TLS, a PEM file with the certificate that clients have to trust; it is
        gone when the block ends.
    """

    def __init__(
        self,
        door: Doorkeeper,
        url: str,
        connector: MemoryConnector,
        ca_certificate: Path | None = None,
    ) -> None:
        super().__init__(door.hub)
        self._door = door
        self._listening = trio.CancelScope()
        self.url = url
        self.connector = connector
        self.ca_certificate = ca_certificate
        self._scene: Scene | None = None

    @property
    def visitors(self) -> Visitors:
        """What came to the door, counted; as it is now."""
        return self._door.visitors.copied()

    def mint_token(
        self,
        *,
        uses: int = 1,
        expires_in: float = 1800.0,
        new_sessions_for: float = 60.0,
        setup: wire.LiveClientSetup | None = None,
    ) -> str:
        """Make an ephemeral token, as ``POST /v1beta/auth_tokens`` does.

        Args:
          uses: How many sessions may begin with it; 0 is any number. Resuming costs nothing.
          expires_in: Seconds until its sessions end.
          new_sessions_for: Seconds in which a session may begin.
          setup: What its sessions get, whatever the client asks for; by default what it asks for.

        Returns:
          The credential, ``auth_tokens/...``.

        Raises:
          ValueError: fewer than 0 uses, or a time that isn't more than 0.
        """
        return self._door.tokens.mint(
            uses=uses, expires_in=expires_in, new_sessions_for=new_sessions_for, setup=setup
        ).name

    @property
    def setups(self) -> Sequence[wire.LiveClientSetup]:
        """Every setup that arrived, refused ones too, oldest first; the last thousand."""
        return tuple(self._hub.setups)

    @property
    def received(self) -> FrameLog:
        """Every frame that clients sent, with its time; bounded."""
        return self._hub.received

    @property
    def legality(self) -> LegalityReport:
        """Which client frames were legal, up to now; ``violations`` holds those that weren't."""
        return self._hub.legality.report()

    @property
    def replay_differences(self) -> Sequence[Difference]:
        """What clients sent otherwise than in the recording, of connections that are over."""
        return () if self._hub.replay is None else self._hub.replay.differences

    @property
    def connections(self) -> Sequence[ServerConnection]:
        """The connections whose ``setupComplete`` was sent and that are still open."""
        return tuple(self._hub.connections)

    @property
    def conversations(self) -> Sequence[Conversation]:
        """Every conversation that was begun, oldest first; the last thousand."""
        return tuple(self._hub.conversations)

    async def accept(self) -> ServerConnection:
        """Wait for the next connection that finished its setup.

        Raises:
          trio.ClosedResourceError: the simulator is closed, or its block has ended.
        """
        return await self._hub.accept()

    def assert_complete(self) -> None:
        """See that the script has come to its end, and that the client sent nothing after it.

        The end of the block does the same, after a moment for what is still on its way.

        Raises:
          ScriptMismatch: it failed, isn't over, or something came that nobody expected.
          ScriptError: there is no script.
        """
        if self._scene is None:
            raise ScriptError("The simulator has no script.")
        problem = self._scene._problem()
        if problem is not None:
            raise problem

    # --- What goes wrong now ---

    async def go_away(self, time_left: float = 50.0) -> None:
        """Send ``goAway`` on every open connection, on all at once.

        The time of each counts from the call. A client that doesn't read is told as soon as it
        reads again; that isn't waited for longer than a second.

        Raises:
          ValueError: ``time_left`` is no time.
        """
        check_seconds(time_left, "time_left")
        told = [connection._tell_to_go(time_left) for connection in self.connections]
        await trio.lowlevel.checkpoint()
        with trio.move_on_after(_TOLD_WITHIN):
            for event in told:
                await event.wait()

    async def aclose(self) -> None:
        """Stop as a killed process does: no more listening, every connection ends."""
        self._hub.close()
        self._listening.cancel()
        await self.drop_all()

    async def _listen(self, listeners: Sequence[trio.SocketListener]) -> None:
        with self._listening:
            await trio.serve_listeners(self._door.serve, list(listeners))


def _url_of(listeners: Sequence[trio.SocketListener], *, tls: bool) -> str:
    if not listeners:
        return "ws://simulator.invalid"
    scheme = "wss" if tls else "ws"
    host, port = listeners[0].socket.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host)  # noqa: S104
    return f"{scheme}://{shown or (f'[{host}]' if ':' in host else host)}:{port}"


def _parted(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """Part the cancellation in it, which the nursery has to see, from the rest."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(trio.Cancelled)
    return (error, None) if isinstance(error, trio.Cancelled) else (None, error)


def _stop_in(error: BaseException) -> BaseException | None:
    """Ctrl-C or its like, which goes before any other exception."""
    if not isinstance(error, BaseExceptionGroup):
        return None
    found: BaseException | None = error.subgroup((KeyboardInterrupt, SystemExit))
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found


@asynccontextmanager
async def open_simulator(
    *,
    host: str = "127.0.0.1",
    port: int | None = 0,
    tls: bool = False,
    api_key: str | None = None,
    voice: VoiceName = "auto",
    seed: int = 0,
    mind: Mind | Literal["auto", "rules"] | None = "auto",
    pace: float = 1.0,
    frames: Literal["binary", "text"] = "binary",
    connection_limit: float | None = None,
    go_away_lead: float | None = 50.0,
    resume_lock: bool = True,
    resume_restores: Literal["latest", "handle"] | None = None,
    handle_every: int | None = None,
    setup_is_counted: bool = False,
    unknown_models: Literal["refuse", "like-3.8"] = "refuse",
    hears: Hears | None = None,
    delivery: Delivery = AS_THE_MODEL_DOES,
    strict_blocking: bool = False,
    record_bytes: int = 64 * 2**20,
    lenient: bool = False,
    record: str | os.PathLike[str] | None = None,
    record_media: MediaMode = "hash",
    replay: str | os.PathLike[str] | None = None,
    replay_speed: float = 1.0,
    script: Script | str | os.PathLike[str] | None = None,
    commands: bool = False,
) -> AsyncIterator[Simulator]:
    """Run a simulator of the Gemini Live service for the length of a block.

    Args:
      host: Address to listen on.
      port: Port; 0 takes a free one. ``None`` listens nowhere: only ``Simulator.connector``
        reaches it, and then everything in it runs on a virtual clock too.
      tls: Speak TLS on the port, with a certificate for loopback and ``host`` that
        ``Simulator.ca_certificate`` vouches for.
      api_key: The only key that is let in. ``None`` lets anybody in, with or without one.
      voice: ``"tone"``: the rhythm of the words; ``"espeak"``: espeak-ng; ``"echo"``: answers
        speech with itself; ``"auto"``: espeak-ng where it is installed and there is a port, else
        the tone.
      seed: Chooses between ways of saying the same thing.
      mind: ``"rules"`` answers by rule; a function answers its way; ``None`` never answers, so
        that a test can send every frame itself. ``"auto"`` is ``"rules"``, or ``None`` where there
        is a script.
      pace: Factor on every wait: 1 is the service's pace, 0 waits for nothing.
      frames: Whether answers travel in binary frames, as the service sends them, or in text.
      connection_limit: Seconds after which a connection is closed, with a ``goAway`` before;
        ``None``: never. The service's own is 590.
      go_away_lead: Seconds between that ``goAway`` and the end; ``None``: there is no ``goAway``,
        and the end is a 1011.
      resume_lock: Whether resuming is refused while the old connection is open, and on 3.8 for
        a moment after an idle one has ended, as the service does.
      resume_restores: What a handle brings back: the ``"latest"`` state, or that at the time of
        the ``"handle"``; by default what the model does. With transparent resumption it is always
        that of the handle.
      handle_every: Send a new handle after so many messages of the client, outside of answers.
        By default only as the model does, and with transparent resumption after ten.
      setup_is_counted: Whether ``lastConsumedClientMessageIndex`` counts ``setup``; nobody has
        published whether the service does.
      unknown_models: What becomes of a setup for a model that nobody knows: ``"refuse"``, as the
        service does, or ``"like-3.8"``: it is let in, and behaves so.
      hears: Tells what was said in an utterance, given its sound (signed 16-bit mono, at most the
        first minute) and its rate in hertz; ``None`` where it can't. What it says becomes the
        transcript, and the mind takes it for what was said. It is called between two frames, so
        it has to be quick.
      delivery: How answers are laid out in time and order; by default as the model does.
      strict_blocking: Close with 1008 on ``realtimeInput`` while the answer to a blocking function
        call is waited for, as 2.5 has been seen to do; by default that is let pass.
      record_bytes: How much of what clients send is kept in ``Simulator.received``.
      lenient: Note illegal frames in ``Simulator.legality`` and go on, rather than close the
        connection; the frame, or what is wrong in it, is ignored.
      record: Record every frame both ways in this file; one that exists is replaced.
        ``docs/recordings.md`` tells how to read it.
      record_media: ``"whole"`` keeps sounds and pictures in it; ``"hash"`` only what proves which
        they were.
      replay: Answer as in this recording, instead of conversing.
      replay_speed: How many times faster than it was recorded; ``math.inf`` waits only for the
        client.
      script: What the service does and expects, step by step: an async function of a ``Scene``, or
        a file of JSON lines. It is run once, beside the block; when the block ends, it has a
        second to come to its end.
      commands: Whether a line of the user's such as ``!goaway 5`` is a command to the simulator.

    Raises:
      OSError: it can't listen there.
      ScriptError: the file of the script can't be read, or a line in it is wrong.
      ScriptMismatch: the client did something else than the script expects, or the block ended
        before the script.
      ValueError: the voice can't be had, ``handle_every`` is less than 1, ``tls`` is wanted
        without a port, ``replay_speed`` isn't above 0, ``pace``, ``connection_limit``,
        ``go_away_lead`` or ``record_bytes`` is negative or not finite, or a recording would be
        replaced while it is replayed.
      RecordingError: the recording can't be read or written.
      MissingDependency: ``tls`` is wanted, but the extra ``simulator`` isn't installed.

    The block's own exception leaves as it is. An exception of the script cancels the block and is
    raised from it. A fault inside the simulator does so too, as a group.
    """
    if handle_every is not None and handle_every < 1:
        raise ValueError(f"handle_every counts messages, from 1; {handle_every} is none")
    if record_bytes < 0:
        raise ValueError(f"record_bytes counts bytes, from 0; {record_bytes} is none")
    check_pace(pace)
    check_seconds(connection_limit, "connection_limit")
    check_seconds(go_away_lead, "go_away_lead")
    if tls and port is None:
        raise ValueError("TLS needs a port: in memory there is nothing to protect")
    play = read_script(script) if isinstance(script, (str, os.PathLike)) else script
    if mind == "auto":
        mind = "rules" if play is None else None
    chosen: Mind | None = DefaultMind(seed) if mind == "rules" else mind
    manner = Manner(
        mind=chosen,
        voice=choose_voice(voice, real_clock=port is not None),
        echo=voice == "echo",
        pace=pace,
        hears=hears,
        delivery=delivery,
        strict_blocking=strict_blocking,
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
        unknown_models=unknown_models,
        commands=commands,
    )
    redactor = Redactor(secrets=(api_key or "",))
    legality = LegalityBook(lenient=lenient, redactor=redactor)
    hub = Hub(settings, FrameLog(record_bytes), legality)
    hub.replay = await open_replay(replay, replay_speed, record)
    scene = None if play is None else Scene(hub, strict=chosen is None)
    failure: BaseException | None = None
    try:
        with (
            open_certificates(host) if tls else nullcontext() as certificates,
            discreet(api_key),
            open_recorder(record, record_media, api_key) as hub.recorder,
            closing(hub),
        ):
            door = Doorkeeper(hub, certificates.context if certificates else None)
            listeners = [] if port is None else await trio.open_tcp_listeners(port, host=host)
            async with (
                aclosing(hub.recorder) if hub.recorder else nullcontext(),
                trio.open_nursery() as nursery,
            ):
                simulator = Simulator(
                    door,
                    _url_of(listeners, tls=tls),
                    MemoryConnector(door, nursery),
                    certificates.authority if certificates else None,
                )
                if listeners:
                    nursery.start_soon(partial(simulator._listen, listeners))
                simulator._scene = scene
                if scene is not None and play is not None:
                    nursery.start_soon(scene._perform, play, nursery.cancel_scope)
                try:
                    yield simulator
                    if scene is not None:
                        failure = await scene._finish()
                except BaseException as error:
                    cancelled, failure = _parted(error)
                    if cancelled is error:
                        raise
                    if cancelled is not None:
                        failure = (failure and _stop_in(failure)) or failure
                        raise cancelled from None
                    # What failed is raised again below, outside the nursery and its group.
                hub.accepting = False
                nursery.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        _, faults = _parted(group)
        stop = _stop_in(group)
        if stop is not None:
            failure = stop
        elif failure is not None and isinstance(faults, BaseExceptionGroup):
            failure.add_note(f"The simulator failed as well: {faults.exceptions!r}")
        elif failure is None and (faults is not None or scene is None or scene._failure is None):
            if scene is not None and scene._failure is not None:
                group.add_note(f"The script had failed as well: {scene._failure}")
            raise
    if scene is not None and scene._failure is not None and failure is not scene._failure:
        if failure is None:
            failure = scene._failure
        else:
            failure.add_note(f"The script had failed as well: {scene._failure}")
    if failure is not None:
        try:
            raise failure
        finally:
            del failure
