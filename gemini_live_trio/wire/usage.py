"""Tokens counted by the service."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ._base import ABSENT, Message, json_name, sealed
from .enums import MediaModality, ServiceTier, TrafficType

__all__ = [
    "ModalityTokenCount",
    "UsageMetadata",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class UsageMetadata(Message):
    """The tokens of a turn, by kind.

    Every turn pays for the whole context again, so ``prompt_token_count`` grows as a session goes
    on.
    """

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    """How much of the prompt was cached."""
    response_token_count: int | None = attrs.field(
        default=None, metadata=json_name("responseTokenCount", "candidatesTokenCount")
    )
    """Named ``responseTokenCount`` by Gemini, ``candidatesTokenCount`` by Vertex."""
    tool_use_prompt_token_count: int | None = None
    """What tools gave, as part of the prompt."""
    thoughts_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: Sequence[ModalityTokenCount] = ABSENT
    cache_tokens_details: Sequence[ModalityTokenCount] = ABSENT
    response_tokens_details: Sequence[ModalityTokenCount] = attrs.field(
        default=ABSENT, metadata=json_name("responseTokensDetails", "candidatesTokensDetails")
    )
    """Named ``responseTokensDetails`` by Gemini, ``candidatesTokensDetails`` by Vertex."""
    tool_use_prompt_tokens_details: Sequence[ModalityTokenCount] = ABSENT
    traffic_type: TrafficType | str | None = None
    """Vertex only."""
    service_tier: ServiceTier | str | None = None
    """Gemini only."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ModalityTokenCount(Message):
    """How many tokens one kind of medium took."""

    modality: MediaModality | str | None = None
    token_count: int | None = None
