"""Tokens counted by the service."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ._base import ABSENT, Message, json_name, sealed
from .enums import MediaModality, ServiceTier, TrafficType

__all__ = ["ModalityTokenCount", "UsageMetadata"]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class UsageMetadata(Message):
    """UsageMetadata."""

    prompt_token_count: int | None = None
    cached_content_token_count: int | None = None
    response_token_count: int | None = attrs.field(
        default=None, metadata=json_name("responseTokenCount", "candidatesTokenCount")
    )
    tool_use_prompt_token_count: int | None = None
    thoughts_token_count: int | None = None
    total_token_count: int | None = None
    prompt_tokens_details: Sequence[ModalityTokenCount] = ABSENT
    cache_tokens_details: Sequence[ModalityTokenCount] = ABSENT
    response_tokens_details: Sequence[ModalityTokenCount] = attrs.field(
        default=ABSENT, metadata=json_name("responseTokensDetails", "candidatesTokensDetails")
    )
    tool_use_prompt_tokens_details: Sequence[ModalityTokenCount] = ABSENT
    traffic_type: TrafficType | str | None = None
    service_tier: ServiceTier | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ModalityTokenCount(Message):
    """ModalityTokenCount."""

    modality: MediaModality | str | None = None
    token_count: int | None = None
