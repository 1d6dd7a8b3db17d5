"""The books of a session, kept afterwards from its recording."""

from __future__ import annotations

from collections.abc import Sequence

from .. import wire
from ..capabilities import capability_of
from ..events import Speaker
from ..transcript import Transcript
from ..usage import Usage, UsageLedger
from ._format import Ended, Frame, Opened
from ._reader import Recording

__all__ = ["transcript_of", "usage_of"]


def transcript_of(recording: Recording) -> Transcript:
    """Write down again what was said in a recording, with the recording's times.

    It differs from ``session.transcript`` in what only the session knew: what a player had played,
    and which messages were sent twice; and it has what was sent with ``send_raw``.

    Raises:
      RecordingError: the file can't be read.
    """
    transcript = Transcript()
    now = 0.0
    seed: list[wire.Content] = []
    for happening in recording:
        if isinstance(happening, Frame):
            now = happening.time
            if happening.sender == "client":
                if _is_fresh(happening):
                    seed = transcript.contents()
                elif seed and _tells(happening, seed):
                    seed = []  # said before, and told again to a service that had forgotten it
                else:
                    _take_client(transcript, happening)
            for event in happening.events:
                transcript.feed(event, now)
        elif isinstance(happening, Ended):
            transcript.end(happening.time, "the connection ended")
    transcript.end(now, "the recording ended")
    return transcript


def usage_of(recording: Recording) -> Usage:
    """Count again what a recorded session has cost, by the rule of its model.

    Raises:
      RecordingError: the file can't be read.
    """
    ledger: UsageLedger | None = None
    for happening in recording:
        if isinstance(happening, Opened) and ledger is not None:
            ledger.connected()
        elif isinstance(happening, Frame):
            if ledger is None:
                ledger = UsageLedger(capability_of(_model(happening)).usage)
                ledger.connected()
            if _asks(happening):
                ledger.asked()
            for event in happening.events:
                ledger.feed(event)
    return Usage() if ledger is None else ledger.usage


def _asks(frame: Frame) -> bool:
    """Whether a frame is the client's and will be answered."""
    message = frame.message
    if not isinstance(message, wire.LiveClientMessage):
        return False
    typed = message.realtime_input is not None and bool(message.realtime_input.text)
    content = message.client_content
    return typed or (content is not None and bool(content.turn_complete))


def _is_fresh(frame: Frame) -> bool:
    """Whether a frame is the setup of a conversation that the service doesn't have."""
    message = frame.message
    if not isinstance(message, wire.LiveClientMessage) or message.setup is None:
        return False
    resumption = message.setup.session_resumption
    return resumption is None or not resumption.handle


def _tells(frame: Frame, seed: Sequence[wire.Content]) -> bool:
    message = frame.message
    if not isinstance(message, wire.LiveClientMessage) or message.client_content is None:
        return False
    return _texts(message.client_content.turns) == _texts(seed)


def _texts(turns: Sequence[wire.Content]) -> list[tuple[str, str]]:
    return [
        (turn.role or "user", "".join(part.text or "" for part in turn.parts)) for turn in turns
    ]


def _model(frame: Frame) -> str:
    message = frame.message
    if isinstance(message, wire.LiveClientMessage) and message.setup is not None:
        return message.setup.model or ""
    return ""


def _take_client(transcript: Transcript, frame: Frame) -> None:
    message = frame.message
    if not isinstance(message, wire.LiveClientMessage):
        return
    if message.realtime_input is not None and message.realtime_input.text:
        transcript.said(Speaker.USER, message.realtime_input.text, frame.time)
    if message.client_content is not None:
        for turn in message.client_content.turns:
            text = "".join(part.text or "" for part in turn.parts)
            speaker = Speaker.MODEL if turn.role == "model" else Speaker.USER
            transcript.said(speaker, text, frame.time)
    if message.tool_response is not None:
        answers = message.tool_response.function_responses
        transcript.answered(answer.id for answer in answers if answer.id)
