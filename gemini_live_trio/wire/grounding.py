"""Where an answer came from: searches, maps, documents and pages."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ._base import ABSENT, Duration, Message, sealed
from .enums import UrlRetrievalStatus

__all__ = [
    "GroundingChunk",
    "GroundingChunkCustomMetadata",
    "GroundingChunkImage",
    "GroundingChunkMaps",
    "GroundingChunkMapsPlaceAnswerSources",
    "GroundingChunkMapsPlaceAnswerSourcesAuthorAttribution",
    "GroundingChunkMapsPlaceAnswerSourcesReviewSnippet",
    "GroundingChunkMapsRoute",
    "GroundingChunkRetrievedContext",
    "GroundingChunkStringList",
    "GroundingChunkWeb",
    "GroundingMetadata",
    "GroundingMetadataSourceFlaggingUri",
    "GroundingSupport",
    "RagChunk",
    "RagChunkPageSpan",
    "RetrievalMetadata",
    "SearchEntryPoint",
    "Segment",
    "UrlContextMetadata",
    "UrlMetadata",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingMetadata(Message):
    """GroundingMetadata."""

    image_search_queries: Sequence[str] = ABSENT
    grounding_chunks: Sequence[GroundingChunk] = ABSENT
    grounding_supports: Sequence[GroundingSupport] = ABSENT
    retrieval_metadata: RetrievalMetadata | None = None
    search_entry_point: SearchEntryPoint | None = None
    web_search_queries: Sequence[str] = ABSENT
    google_maps_widget_context_token: str | None = None
    retrieval_queries: Sequence[str] = ABSENT
    source_flagging_uris: Sequence[GroundingMetadataSourceFlaggingUri] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class UrlContextMetadata(Message):
    """UrlContextMetadata."""

    url_metadata: Sequence[UrlMetadata] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunk(Message):
    """GroundingChunk."""

    image: GroundingChunkImage | None = None
    maps: GroundingChunkMaps | None = None
    retrieved_context: GroundingChunkRetrievedContext | None = None
    web: GroundingChunkWeb | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingSupport(Message):
    """GroundingSupport."""

    confidence_scores: Sequence[float] = ABSENT
    grounding_chunk_indices: Sequence[int] = ABSENT
    segment: Segment | None = None
    rendered_parts: Sequence[int] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RetrievalMetadata(Message):
    """RetrievalMetadata."""

    google_search_dynamic_retrieval_score: float | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SearchEntryPoint(Message):
    """SearchEntryPoint."""

    rendered_content: str | None = None
    sdk_blob: bytes | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingMetadataSourceFlaggingUri(Message):
    """GroundingMetadataSourceFlaggingUri."""

    flag_content_uri: str | None = None
    source_id: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class UrlMetadata(Message):
    """UrlMetadata."""

    retrieved_url: str | None = None
    url_retrieval_status: UrlRetrievalStatus | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkImage(Message):
    """GroundingChunkImage."""

    source_uri: str | None = None
    image_uri: str | None = None
    title: str | None = None
    domain: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkMaps(Message):
    """GroundingChunkMaps."""

    place_answer_sources: GroundingChunkMapsPlaceAnswerSources | None = None
    place_id: str | None = None
    text: str | None = None
    title: str | None = None
    uri: str | None = None
    route: GroundingChunkMapsRoute | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkRetrievedContext(Message):
    """GroundingChunkRetrievedContext."""

    document_name: str | None = None
    rag_chunk: RagChunk | None = None
    text: str | None = None
    title: str | None = None
    uri: str | None = None
    custom_metadata: Sequence[GroundingChunkCustomMetadata] = ABSENT
    file_search_store: str | None = None
    page_number: int | None = None
    media_id: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkWeb(Message):
    """GroundingChunkWeb."""

    domain: str | None = None
    title: str | None = None
    uri: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Segment(Message):
    """Segment."""

    start_index: int | None = None
    end_index: int | None = None
    part_index: int | None = None
    text: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkMapsPlaceAnswerSources(Message):
    """GroundingChunkMapsPlaceAnswerSources."""

    review_snippet: Sequence[GroundingChunkMapsPlaceAnswerSourcesReviewSnippet] = ABSENT
    flag_content_uri: str | None = None
    review_snippets: Sequence[GroundingChunkMapsPlaceAnswerSourcesReviewSnippet] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkMapsRoute(Message):
    """GroundingChunkMapsRoute."""

    distance_meters: int | None = None
    duration: Duration | None = None
    encoded_polyline: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagChunk(Message):
    """RagChunk."""

    page_span: RagChunkPageSpan | None = None
    text: str | None = None
    chunk_id: str | None = None
    file_id: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkCustomMetadata(Message):
    """GroundingChunkCustomMetadata."""

    key: str | None = None
    numeric_value: float | None = None
    string_list_value: GroundingChunkStringList | None = None
    string_value: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkMapsPlaceAnswerSourcesReviewSnippet(Message):
    """GroundingChunkMapsPlaceAnswerSourcesReviewSnippet."""

    author_attribution: GroundingChunkMapsPlaceAnswerSourcesAuthorAttribution | None = None
    flag_content_uri: str | None = None
    google_maps_uri: str | None = None
    relative_publish_time_description: str | None = None
    review: str | None = None
    review_id: str | None = None
    title: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagChunkPageSpan(Message):
    """RagChunkPageSpan."""

    first_page: int | None = None
    last_page: int | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkStringList(Message):
    """GroundingChunkStringList."""

    values: Sequence[str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkMapsPlaceAnswerSourcesAuthorAttribution(Message):
    """GroundingChunkMapsPlaceAnswerSourcesAuthorAttribution."""

    display_name: str | None = None
    photo_uri: str | None = None
    uri: str | None = None
