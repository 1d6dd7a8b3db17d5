"""The session as its user sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import trio

from .. import codec, wire
from .._conversation import Kind, Outgoing
from ..errors import LocalProtocolError
from ..events import Event
from ._core import Core

__all__ = ["LiveSession"]

INPUT_RATE_HZ = 16_000


class LiveSession(trio.abc.ReceiveChannel[Event]):
    """A conversation with a model; ``open_session`` makes it.

    ``async for event in session`` gives every event of the session, over all its turns and
    connections, and ends after ``aclose``. Any number of tasks may send, one may receive.

    What is sent while there is no connection is held: audio for ten seconds, video as its newest
    frame, everything else in order.

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
        return await self._core.cursor.receive()

    # --- Sending ---------------------------------------------------------------------------

    async def send_text(self, text: str, /) -> None:
        """Say something in writing, and be answered (wire: ``realtimeInput.text``)."""
        await self._send(_realtime(text=text))

    async def send_audio(self, pcm: bytes, /, *, rate_hz: int = INPUT_RATE_HZ) -> None:
        """Send a piece of what the microphone hears (wire: ``realtimeInput.audio``).

        Pieces of 20 to 40 ms serve best; the service takes them at the speed of speech.

        Args:
          pcm: Signed 16-bit little-endian mono samples; an even number of bytes.
          rate_hz: Sample rate. The service refuses a change of it, so this method does too.
        """
        await self._put(self._audio(pcm, rate_hz))

    def send_audio_nowait(self, pcm: bytes, /, *, rate_hz: int = INPUT_RATE_HZ) -> None:
        """Send audio like ``send_audio``, but never wait.

        Raises:
          trio.WouldBlock: The buffers are full; nothing was queued.
        """
        item = self._audio(pcm, rate_hz)
        try:
            self._core.to_send.send_nowait(item)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise self._ended() from None

    async def send_audio_stream_end(self) -> None:
        """Say that the microphone pauses (wire: ``realtimeInput.audioStreamEnd``).

        Under automatic activity detection this ends what the user says; audio may follow later.
        """
        await self._send(_realtime(audio_stream_end=True))

    async def send_video(self, data: bytes, /, *, mime_type: str = "image/jpeg") -> None:
        """Show a picture: one JPEG or PNG, at most one a second (wire: ``realtimeInput.video``)."""
        message = _realtime(video=wire.Blob(data=data, mime_type=mime_type))
        await self._send(message, Kind.VIDEO)

    async def send_content(
        self, turns: Sequence[wire.Content], /, *, turn_complete: bool = True
    ) -> None:
        """Append turns to the conversation (wire: ``clientContent``).

        Always interrupts what the model is saying.

        Args:
          turns: In order; ``role`` is ``"user"`` or ``"model"``.
          turn_complete: Whether the model shall answer now, or only remember.
        """
        content = wire.LiveClientContent(turns=turns, turn_complete=turn_complete)
        await self._send(wire.LiveClientMessage(client_content=content))

    async def send_tool_response(self, responses: Sequence[wire.FunctionResponse], /) -> None:
        """Answer tool calls, each by its ``id`` (wire: ``toolResponse``)."""
        answer = wire.LiveClientToolResponse(function_responses=responses)
        await self._send(wire.LiveClientMessage(tool_response=answer))

    @asynccontextmanager
    async def speaking(self) -> AsyncIterator[None]:
        """Mark the block as one utterance of the user, for sessions with manual activity detection.

        The end is marked however the block is left.
        """
        await self._send(_realtime(activity_start=wire.ActivityStart()))
        try:
            yield
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1):
                await self._send(_realtime(activity_end=wire.ActivityEnd()))

    async def send_raw(self, message: Mapping[str, wire.JsonValue], /) -> None:
        """Send a JSON object as it is, unchecked: for what is younger than this release."""
        await self._put(Outgoing(codec.encode_raw(message)))

    # --- Ending ----------------------------------------------------------------------------

    async def aclose(self) -> None:
        """End the session: write what is waiting, say goodbye, end the iteration.

        Takes at most the ``close_timeout`` of ``open_session``. Leaving the block does the same.
        """
        await self._core.close()
        await trio.lowlevel.checkpoint()

    # --- Within ----------------------------------------------------------------------------

    def _audio(self, pcm: bytes, rate_hz: int) -> Outgoing:
        if self._audio_rate_hz is None:
            self._audio_rate_hz = rate_hz
        elif rate_hz != self._audio_rate_hz:
            raise LocalProtocolError(
                f"This session's audio has {self._audio_rate_hz} samples a second; "
                f"rate_hz can't change to {rate_hz}, so resample it."
            )
        frame = codec.encode_audio(pcm, rate_hz=rate_hz)
        return Outgoing(frame, Kind.AUDIO, len(pcm) / 2 / rate_hz)

    async def _send(self, message: wire.LiveClientMessage, kind: Kind = Kind.CONTROL) -> None:
        await self._put(Outgoing(codec.encode(message), kind))

    async def _put(self, item: Outgoing) -> None:
        try:
            await self._core.to_send.send(item)
        except (trio.ClosedResourceError, trio.BrokenResourceError):
            raise self._ended() from None

    def _ended(self) -> Exception:
        if self._core.failure is not None:
            return self._core.outcome()
        return trio.ClosedResourceError("the session was closed")


def _realtime(**fields: object) -> wire.LiveClientMessage:
    return wire.LiveClientMessage(realtime_input=wire.LiveClientRealtimeInput(**fields))  # type: ignore[arg-type]
