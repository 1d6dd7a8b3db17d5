"""What a client sends after the setup."""

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
    """LiveClientMessage."""

    setup: LiveClientSetup | None = None
    client_content: LiveClientContent | None = None
    realtime_input: LiveClientRealtimeInput | None = None
    tool_response: LiveClientToolResponse | None = None
    context_update: LiveClientContextUpdate | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientContent(Message):
    """LiveClientContent."""

    turns: Sequence[Content] = ABSENT
    turn_complete: bool | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientRealtimeInput(Message):
    """LiveClientRealtimeInput."""

    media_chunks: Sequence[Blob] = ABSENT
    audio: Blob | None = None
    audio_stream_end: bool | None = None
    video: Blob | None = None
    text: str | None = None
    activity_start: ActivityStart | None = None
    activity_end: ActivityEnd | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ActivityStart(Message):
    """ActivityStart."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ActivityEnd(Message):
    """ActivityEnd."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientToolResponse(Message):
    """LiveClientToolResponse."""

    function_responses: Sequence[FunctionResponse] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientContextUpdate(Message):
    """LiveClientContextUpdate."""

    system_instruction: Content | None = None
    tools: LiveClientContextUpdateTools | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class LiveClientContextUpdateTools(Message):
    """LiveClientContextUpdateTools."""

    tools: Sequence[Tool] = ABSENT
