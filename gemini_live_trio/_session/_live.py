"""The session as its user sees it."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager

import attrs
import trio

from .. import codec, wire
from .._builtin import BuiltinTool, as_wire_tools
from .._conversation import Bracket, Fate, Kind, Outgoing, Ticket
from ..config import SessionConfig
from ..errors import ConfigError, LocalProtocolError, PromptLost
from ..events import Event, Reconnected, ReconnectState, SessionEvent, TurnComplete
from ..observers import SessionObserver
from ..statistics import SessionStatistics, TurnState
from ..tools._call import Call
from ..transcript import Transcript
from ..usage import Usage
from ._core import Core
from ._cursor import MAX_EVENTS, Cursor, Overflow
from ._receipt import Receipt
from ._vet import vet

__all__ = ["LiveSession", "Resumption", "Status"]


class Status(enum.Enum):
    """Where a session stands."""

    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    CLOSED = "closed"
    """By its user."""
    BROKEN = "broken"
    """By itself, for good."""


@attrs.frozen(kw_only=True)
class Resumption:
    """The way back into this conversation."""

    handle: str | None = attrs.field(repr=lambda handle: "None" if handle is None else "<handle>")
    """For ``open_session(resume=...)``, in this program or another."""
    resumable: bool
    """What the service said last: false while it generates or waits for a tool, on some models."""
    age: float | None
    """Seconds since the handle came; the Gemini API keeps one for two hours."""


INPUT_RATE_HZ = 16_000


class LiveSession(trio.abc.ReceiveChannel[Event]):
    """A conversation with a model; ``open_session`` makes it.

    ``async for event in session`` gives every event of the session, over all its turns and
    connections, and ends after ``aclose``. Any number of tasks may send, one may receive.

    What is sent while there is no connection is held: audio for ten seconds, video as its newest
    frame, everything else in order.

    What is sent and isn't audio or video has a ``Receipt``, which tells what became of it.

    Every method that sends may raise:

    * ``LocalProtocolError``: the message would be illegal; nothing was sent.
    * ``trio.ClosedResourceError``: the session was closed by its user.
    * ``SessionBroken``: the session ended by itself and will not reconnect.

    Cancelling a send is safe: ``Cancelled`` means that nothing was queued. It waits only while the
    session's buffers are full.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._audio_rate_hz: int | None = None

    # --- Receiving -------------------------------------------------------------------------

    async def receive(self) -> Event:
        """Wait for the next event.

        A receiver that falls behind by 4,096 events or 32 MiB misses the oldest, audio first, and
        finds a ``Lagged`` in their place.

        Raises:
          trio.EndOfChannel: The session was closed, and everything has been received.
          SessionBroken: The session ended by itself, and everything has been received.
          trio.BusyResourceError: Another task is receiving.

        Cancellation: no event is lost.
        """
        return await self._core.cursors[0].receive()

    @asynccontextmanager
    async def subscribe(
        self,
        *,
        kinds: Sequence[type[Event]] | None = None,
        buffer: int = MAX_EVENTS,
        overflow: Overflow = "drop_oldest",
    ) -> AsyncIterator[trio.abc.ReceiveChannel[Event]]:
        """Receive events beside the session's own iteration, from here to the end of the block.

        Args:
          kinds: Only these classes of events; what the session itself has to tell comes always.
          buffer: How many events may wait.
          overflow: ``"drop_oldest"`` leaves a ``Lagged`` where events are missing; ``"fail"`` ends
            the subscription with ``trio.BrokenResourceError``.
        """
        classes = None if kinds is None else (*kinds, SessionEvent)
        cursor = Cursor(
            max_events=buffer,
            overflow=overflow,
            wanted=None if classes is None else lambda event: isinstance(event, classes),
            lost=self._core.note_lag,
        )
        async with self._subscribed(cursor):
            yield cursor

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[trio.abc.ReceiveChannel[Event]]:
        """Receive the events of one turn: the running one, or else the next.

        The channel ends after ``TurnComplete``, unless that says that the model goes on.
        """
        cursor = Cursor(last=_ends_turn)
        async with self._subscribed(cursor):
            yield cursor

    @asynccontextmanager
    async def prompt(self, text: str, /) -> AsyncIterator[trio.abc.ReceiveChannel[Event]]:
        """Say something in writing and receive the turn that answers it.

        What is left of a turn that it interrupts doesn't come up here. If the connection broke
        and it can't be known whether the service has it, the channel ends with ``PromptLost``.
        """
        before = self._core.conversation.turns.generation

        def answers(event: Event) -> bool:
            generation = self._core.conversation.turns.generation
            return generation > before or isinstance(event, SessionEvent)

        cursor = Cursor(wanted=answers, last=_ends_turn)
        async with self._subscribed(cursor):
            receipt = await self.send_text(text)

            def give_up() -> None:
                if receipt.state is not Fate.CONFIRMED:
                    reason = receipt.reason
                    cursor.end(lambda: PromptLost(f"The prompt will not be answered: {reason}."))

            receipt.when_final(give_up)
            yield cursor

    @asynccontextmanager
    async def _subscribed(self, cursor: Cursor) -> AsyncIterator[None]:
        core = self._core
        if core.ended.is_set():
            cursor.end(core.outcome)
        core.cursors.append(cursor)
        try:
            yield
        finally:
            core.cursors.remove(cursor)
            with trio.CancelScope(shield=True):
                await cursor.aclose()

    # --- Where it stands -------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """Whether it is connected, between connections, or over."""
        core = self._core
        if core.failure is not None:
            return Status.BROKEN
        if core.closing or core.ended.is_set():
            return Status.CLOSED
        return Status.RECONNECTING if core.connected_since is None else Status.CONNECTED

    @property
    def connection(self) -> int:
        """The number of the connection that works, or is being made, from 1."""
        return self._core.dials

    @property
    def setup(self) -> wire.LiveClientSetup:
        """What the next connection would be set up with, without a handle."""
        self._core.look_at_callers()
        return self._core.conversation.setup

    @property
    def resumption(self) -> Resumption:
        """The newest handle."""
        handles = self._core.conversation.handles
        newest = handles.newest
        return Resumption(
            handle=newest.text if newest else None,
            resumable=handles.resumable,
            age=trio.current_time() - newest.at if newest else None,
        )

    @property
    def transcript(self) -> Transcript:
        """What was said, kept up to date by the session; read it, don't feed it."""
        return self._core.conversation.transcript

    @property
    def usage(self) -> Usage:
        """What the session has cost so far, as the service counts."""
        return self._core.conversation.usage.usage

    def played(self, generation: int, seconds: float, /) -> None:
        """Tell how much of an answer a player has played, so that it is known what was heard.

        Args:
          generation: ``ModelAudio.generation``.
          seconds: From the answer's first sample.
        """
        core, now = self._core, trio.current_time()
        core.conversation.transcript.played(generation, seconds)
        core.meter.played(generation, seconds, now)
        if core.watch and not core.ended.is_set():
            core.watch.tell("played", generation, seconds, time=now)

    @property
    def turn_state(self) -> TurnState:
        """Where the newest answer stands: generated, complete, idle and played out are apart."""
        self._core.look_at_callers()
        return self._core.conversation.turn_state()

    @property
    def tool_calls(self) -> Sequence[Call]:
        """The calls that its tool runners serve, as they came: the open ones, and the last 256."""
        desk = self._core.tools.desk
        return () if desk is None else desk.ledger.calls

    def statistics(self) -> SessionStatistics:
        """Count what happened so far; a copy that doesn't change."""
        return self._core.statistics()

    @contextmanager
    def observe(self, observer: SessionObserver, /) -> Iterator[None]:
        """Tell an observer what the session does, from here to the end of the block."""
        self._core.watch.add(observer)
        try:
            yield
        finally:
            self._core.watch.remove(observer)

    async def reconnect(self, *, setup: SessionConfig | None = None) -> ReconnectState:
        """Move to a new connection at the next moment that cuts nothing; return what was kept.

        While there is no connection, the next attempt is made at once.

        With ``setup`` the new connection has other instructions, tools or voice. Model, key and
        endpoint stay what they were, and so do the tools that are run here. The service resumes the
        conversation with the new setup; whether the model minds a changed instruction is the
        model's affair.

        Raises:
          ConfigError: The model is known to refuse the new setup; nothing has changed.
        """
        if setup is not None:
            if not isinstance(setup, SessionConfig):
                raise ConfigError(
                    f"reconnect takes setup=SessionConfig(...), not a {type(setup).__name__}."
                )
            old = self._core.config
            setup = attrs.evolve(setup, model=old.model, endpoint=old.endpoint, auth=old.auth)
            vet(setup)
        async with self.subscribe(kinds=()) as told:
            self._core.leave_soon(setup.setup() if setup else None)
            wish = self._core.conversation.wishes
            async for event in told:
                # One that was under way already has the old setup.
                granted = self._core.conversation.granted >= wish
                if isinstance(event, Reconnected) and granted:
                    return event.state
        raise self._ended()

    # --- Sending ---------------------------------------------------------------------------

    async def send_text(self, text: str, /) -> Receipt:
        """Say something in writing, and be answered (wire: ``realtimeInput.text``)."""
        return await self._send(_realtime(text=text), asks=True, typed=True, said=[("user", text)])

    async def send_audio(self, pcm: bytes, /, *, rate_hz: int = INPUT_RATE_HZ) -> None:
        """Send a piece of what the microphone hears (wire: ``realtimeInput.audio``).

        Pieces of 20 to 40 ms serve best; the service takes them at the speed of speech.

        Args:
          pcm: Signed 16-bit little-endian mono samples; an even number of bytes.
          rate_hz: Sample rate. The service refuses a change of it, so this method does too.
        """
        await self._put(self._audio(pcm, rate_hz))
        self._audio_rate_hz = rate_hz

    def send_audio_nowait(self, pcm: bytes, /, *, rate_hz: int = INPUT_RATE_HZ) -> None:
        """Send audio like ``send_audio``, but never wait.

        Raises:
          trio.WouldBlock: The buffers are full; nothing was queued.
        """
        item = self._audio(pcm, rate_hz)
        try:
            self._core.to_send.send_nowait(item)
            self._core.wake()
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise self._ended() from None
        self._audio_rate_hz = rate_hz

    async def send_audio_stream_end(self) -> Receipt:
        """Say that the microphone pauses (wire: ``realtimeInput.audioStreamEnd``).

        Under automatic activity detection this ends what the user says; audio may follow later.
        """
        return await self._send(_realtime(audio_stream_end=True), typed=True, ends_speech=True)

    async def send_video(self, data: bytes, /, *, mime_type: str = "image/jpeg") -> None:
        """Show a picture: one JPEG or PNG, at most one a second (wire: ``realtimeInput.video``)."""
        frame = codec.encode(_realtime(video=wire.Blob(data=data, mime_type=mime_type)))
        await self._put(Outgoing(frame, Kind.VIDEO))

    async def send_content(
        self, turns: Sequence[wire.Content], /, *, turn_complete: bool = True
    ) -> Receipt:
        """Append turns to the conversation (wire: ``clientContent``).

        Always interrupts what the model is saying.

        Args:
          turns: In order; ``role`` is ``"user"`` or ``"model"``.
          turn_complete: Whether the model shall answer now, or only remember.
        """
        content = wire.LiveClientContent(turns=turns, turn_complete=turn_complete)
        said = [(turn.role or "user", _text_of(turn)) for turn in turns]
        message = wire.LiveClientMessage(client_content=content)
        return await self._send(message, asks=turn_complete, said=said)

    async def send_tool_response(self, responses: Sequence[wire.FunctionResponse], /) -> Receipt:
        """Answer tool calls, each by its ``id`` (wire: ``toolResponse``).

        Raises:
          LocalProtocolError: One is for a function that the session itself runs, and answers.
        """
        answer = wire.LiveClientToolResponse(function_responses=responses)
        served = self._core.tools.served(response.id for response in responses if response.id)
        if served is not None:
            raise LocalProtocolError(
                f"The call {served.id!r} of {served.name} is answered by the session, which runs "
                "that function: leave it out here, or keep the function out of tools=."
            )
        return await self._send(
            wire.LiveClientMessage(tool_response=answer),
            asks=not all(
                response.scheduling == wire.FunctionResponseScheduling.SILENT
                for response in responses
            ),
            call_ids=tuple(response.id or "" for response in responses),
            partial=any(response.will_continue for response in responses),
        )

    async def update_context(
        self,
        *,
        system_instruction: str | wire.Content | None = None,
        tools: Iterable[wire.Tool | wire.FunctionDeclaration | BuiltinTool] | None = None,
    ) -> Receipt:
        """Change instruction or tools in mid-session (wire: ``contextUpdate``).

        What isn't given stays; an empty ``tools`` removes all but those that are run here.
        Documented for Vertex AI; where the model doesn't take it, use ``reconnect(setup=...)``.

        What was handed over is part of ``setup`` at once: each connection made after that begins
        with it, resumed or fresh, so no reconnect undoes it. An update that hadn't been taken when
        a connection broke isn't sent again: the next setup has it. The latest of updates and
        ``reconnect(setup=...)`` wins, and an update that had still to go out then is dropped.

        Args:
          system_instruction: Instead of the one before.
          tools: As in ``SessionConfig``: tools that run at the service, such as ``GoogleSearch()``,
            and declarations of functions whose calls the program answers by hand. To have others
            run, use ``open_tool_runner``.

        Raises:
          ConfigError: Something in ``tools`` is neither.
        """
        if isinstance(system_instruction, str):
            system_instruction = wire.Content(parts=[wire.Part(text=system_instruction)])
        declared = None
        if tools is not None:
            declared = self._core.tools.with_ours(as_wire_tools(tools))
        update = wire.LiveClientContextUpdate(
            system_instruction=system_instruction,
            tools=None if declared is None else wire.LiveClientContextUpdateTools(tools=declared),
        )
        return await self._send(wire.LiveClientMessage(context_update=update), update=update)

    async def interrupt(self) -> Receipt:
        """Ask the model to stop speaking (wire: an empty ``clientContent``).

        Any ``clientContent`` interrupts, and this one asks for nothing. Whether the model heeds it
        is told by ``Interrupted``; what waits in a player is the caller's to drop.
        """
        content = wire.LiveClientContent(turn_complete=False)
        return await self._send(wire.LiveClientMessage(client_content=content))

    @asynccontextmanager
    async def speaking(self) -> AsyncIterator[None]:
        """Mark the block as one utterance of the user, for sessions with manual activity detection.

        The end is marked however the block is left, as long as the session lives.

        Raises:
          LocalProtocolError: The service detects activity by itself in this session. 2.5 closes the
            connection over a mark then (1007); others are laxer, but nobody says how.
        """
        realtime = self._core.conversation.setup.realtime_input_config
        detection = realtime and realtime.automatic_activity_detection
        if not (detection and detection.disabled):
            raise LocalProtocolError(
                "The service detects speech by itself in this session, so it takes no marks; for "
                "marks of your own configure realtime_input=wire.RealtimeInputConfig("
                "automatic_activity_detection=wire.AutomaticActivityDetection(disabled=True))."
            )
        start = codec.encode(_realtime(activity_start=wire.ActivityStart()))
        end = codec.encode(_realtime(activity_end=wire.ActivityEnd()))
        await self._put(Outgoing(start, bracket=Bracket.START))
        try:
            yield
        finally:
            # It waits for no room and raises nothing: the block's own way out matters more, and a
            # session that is over has no utterance to end.
            self._core.mark(Outgoing(end, bracket=Bracket.END, asks=True))
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def send_raw(self, message: Mapping[str, wire.JsonValue], /) -> Receipt:
        """Send a JSON object as it is, unchecked: for what is younger than this release."""
        ticket = Ticket()
        receipt = Receipt(ticket)
        await self._put(Outgoing(codec.encode_raw(message), ticket=ticket))
        return receipt

    # --- Ending ----------------------------------------------------------------------------

    async def aclose(self) -> None:
        """End the session: write what is waiting, say goodbye, end the iteration.

        Takes at most the ``close_timeout`` of ``open_session``. Leaving the block does the same.
        """
        await self._core.close()
        await trio.lowlevel.checkpoint()

    # --- Within ----------------------------------------------------------------------------

    def _audio(self, pcm: bytes, rate_hz: int) -> Outgoing:
        if rate_hz != (self._audio_rate_hz or rate_hz):
            raise LocalProtocolError(
                f"This session's audio has {self._audio_rate_hz} samples a second; "
                f"rate_hz can't change to {rate_hz}, so resample it."
            )
        frame = codec.encode_audio(pcm, rate_hz=rate_hz)
        return Outgoing(frame, Kind.AUDIO, len(pcm) / 2 / rate_hz, rate_hz=rate_hz)

    async def _send(
        self,
        message: wire.LiveClientMessage,
        *,
        asks: bool = False,
        ends_speech: bool = False,
        said: Sequence[tuple[str, str]] = (),
        call_ids: tuple[str, ...] = (),
        partial: bool = False,
        typed: bool = False,
        update: wire.LiveClientContextUpdate | None = None,
    ) -> Receipt:
        ticket = Ticket()
        receipt = Receipt(ticket)
        item = Outgoing(
            codec.encode(message),
            ticket=ticket,
            asks=asks,
            ends_speech=ends_speech,
            said=said,
            call_ids=call_ids,
            partial=partial,
            typed=typed,
            update=update,
        )
        await self._put(item)
        return receipt

    async def _put(self, item: Outgoing) -> None:
        try:
            await self._core.to_send.send(item)
            self._core.wake()
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise self._ended() from None

    def _ended(self) -> Exception:
        if self._core.failure is not None:
            return self._core.outcome()
        return trio.ClosedResourceError("the session was closed")


def _realtime(**fields: object) -> wire.LiveClientMessage:
    return wire.LiveClientMessage(realtime_input=wire.LiveClientRealtimeInput(**fields))  # type: ignore[arg-type]


def _text_of(content: wire.Content) -> str:
    return "".join(part.text or "" for part in content.parts)


def _ends_turn(event: Event) -> bool:
    return isinstance(event, TurnComplete) and (
        event.interaction_status != wire.InteractionStatus.IN_PROGRESS
    )
