"""What a client sends: the setup first, then these."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ._base import ABSENT, Message, sealed
from .content import Blob, Content, FunctionResponse
from .setup import LiveClientSetup
from .tools import Tool

__all__ = [
    "ActivityEnd",
    "ActivityStart",
    "LiveClientContent",
    "LiveClientContextUpdate",
    "LiveClientContextUpdateTools",
    "LiveClientMessage",
    "LiveClientRealtimeInput",
    "LiveClientToolResponse",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientMessage(Message):
    """One frame from the client; the service wants exactly one of its fields."""

    setup: LiveClientSetup | None = None
    """The first frame of a connection, and only that: a second one is closed with 1007."""
    client_content: LiveClientContent | None = None
    """Turns for the history, in order; interrupts what the model is saying."""
    realtime_input: LiveClientRealtimeInput | None = None
    """Live input. The order between kinds, and against ``client_content``, isn't kept."""
    tool_response: LiveClientToolResponse | None = None
    context_update: LiveClientContextUpdate | None = None
    """Documented for Vertex and sent by the official SDKs; not on Gemini's pages."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientRealtimeInput(Message):
    """Live input: audio, image, text or a mark. Set one field per message.

    Audio, images and text are streams of their own, with no order between them.
    """

    audio: Blob | None = None
    """Signed 16-bit little-endian mono. ``mime_type`` names the rate, as in
    ``audio/pcm;rate=16000``; 16 kHz is native and other rates are resampled. Send 20 to 100 ms at a
    time.
    """
    video: Blob | None = None
    """One JPEG or PNG, at most one per second; 768 x 768 pixels are recommended."""
    text: str | None = None
    """Text as the user's live input. With automatic detection it counts as activity."""
    activity_start: ActivityStart | None = None
    activity_end: ActivityEnd | None = None
    audio_stream_end: bool | None = None
    """The microphone pauses (for a second or more): what was heard is taken as finished. Only
    ``True`` makes sense, and only with automatic detection; new audio reopens the stream.
    """
    media_chunks: Sequence[Blob] = ABSENT
    """Deprecated: only the first item counts, and some models close with 1007. Use ``audio`` and
    ``video``.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ActivityStart(Message):
    """The user begins to speak or act. An empty object.

    Only while automatic detection is disabled; otherwise 2.5 models close with 1007.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ActivityEnd(Message):
    """The user has finished, which ends a manually marked turn. An empty object.

    Only while automatic detection is disabled, like ``ActivityStart``.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientContent(Message):
    """Turns for the conversation, appended to the history in order.

    Always interrupts a running generation. With ``HistoryConfig`` on, the messages after
    ``setupComplete`` are taken as history, without an answer, until one completes the turn.
    """

    turns: Sequence[Content] = ABSENT
    """``role`` is ``"user"`` or ``"model"``; on Vertex a ``"system"`` turn replaces the
    instruction. A function response in here answers no live call.
    """
    turn_complete: bool | None = None
    """``True`` makes the model answer; ``False`` or absent only adds to the history."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientToolResponse(Message):
    """Answers to ``LiveServerToolCall``, matched by ``id``.

    The answers to one message of calls may come in one or in several of these.
    """

    function_responses: Sequence[FunctionResponse] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientContextUpdate(Message):
    """Changes the instruction or the tools while connected, in order with other input.

    An absent field stays as it was. Documented for Vertex only.
    """

    system_instruction: Content | None = None
    tools: LiveClientContextUpdateTools | None = None
    """Replaces all tools; an explicit empty list inside removes them."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientContextUpdateTools(Message):
    """The new tools, in an object of their own so that an empty list can be told from none."""

    tools: Sequence[Tool] = ABSENT
    """The full list. ``[]`` removes every tool; left out (``ABSENT``) it is not sent."""
