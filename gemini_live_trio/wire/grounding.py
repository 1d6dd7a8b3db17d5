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
    """The evidence for an answer: what was searched, what was found, which words rest on it."""

    web_search_queries: Sequence[str] = ABSENT
    image_search_queries: Sequence[str] = ABSENT
    retrieval_queries: Sequence[str] = ABSENT
    """Vertex only."""
    grounding_chunks: Sequence[GroundingChunk] = ABSENT
    """The sources; ``GroundingSupport`` points to them by position."""
    grounding_supports: Sequence[GroundingSupport] = ABSENT
    search_entry_point: SearchEntryPoint | None = None
    """Has to be shown where search results are."""
    retrieval_metadata: RetrievalMetadata | None = None
    google_maps_widget_context_token: str | None = None
    """Deprecated."""
    source_flagging_uris: Sequence[GroundingMetadataSourceFlaggingUri] = ABSENT
    """Vertex only."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunk(Message):
    """One source; one field is set."""

    web: GroundingChunkWeb | None = None
    image: GroundingChunkImage | None = None
    maps: GroundingChunkMaps | None = None
    retrieved_context: GroundingChunkRetrievedContext | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkWeb(Message):
    """A web page."""

    domain: str | None = None
    """Vertex only."""
    title: str | None = None
    uri: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkImage(Message):
    """An image, and the page that shows it."""

    image_uri: str | None = None
    source_uri: str | None = None
    """The page's."""
    title: str | None = None
    domain: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkMaps(Message):
    """A place, or a route, from Google Maps."""

    title: str | None = None
    uri: str | None = None
    text: str | None = None
    """What Maps says of it."""
    place_id: str | None = None
    """``places/{id}``."""
    place_answer_sources: GroundingChunkMapsPlaceAnswerSources | None = None
    route: GroundingChunkMapsRoute | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkMapsRoute(Message):
    """A route from Google Maps."""

    distance_meters: int | None = None
    """Metres."""
    duration: Duration | None = None
    """Seconds."""
    encoded_polyline: str | None = None
    """Its course, in Google's polyline encoding."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkMapsPlaceAnswerSources(Message):
    """What an answer about a place rests on."""

    review_snippets: Sequence[GroundingChunkMapsPlaceAnswerSourcesReviewSnippet] = ABSENT
    review_snippet: Sequence[GroundingChunkMapsPlaceAnswerSourcesReviewSnippet] = ABSENT
    """An older name for ``review_snippets``."""
    flag_content_uri: str | None = None
    """Where a person can report a problem."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkMapsPlaceAnswerSourcesReviewSnippet(Message):
    """A review of a place."""

    title: str | None = None
    review: str | None = None
    author_attribution: GroundingChunkMapsPlaceAnswerSourcesAuthorAttribution | None = None
    relative_publish_time_description: str | None = None
    """When it was written, in words: ``"a month ago"``."""
    flag_content_uri: str | None = None
    """Where a person can report a problem."""
    google_maps_uri: str | None = None
    review_id: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkMapsPlaceAnswerSourcesAuthorAttribution(Message):
    """Who wrote a review."""

    display_name: str | None = None
    photo_uri: str | None = None
    uri: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkRetrievedContext(Message):
    """A piece of a user's own data."""

    title: str | None = None
    uri: str | None = None
    text: str | None = None
    document_name: str | None = None
    """Vertex only."""
    rag_chunk: RagChunk | None = None
    """Vertex only."""
    custom_metadata: Sequence[GroundingChunkCustomMetadata] = ABSENT
    """Gemini only."""
    file_search_store: str | None = None
    """Gemini only."""
    page_number: int | None = None
    """Gemini only."""
    media_id: str | None = None
    """Gemini only."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkCustomMetadata(Message):
    """One of the user's own notes on a document; one value is set. Gemini only."""

    key: str | None = None
    numeric_value: float | None = None
    string_list_value: GroundingChunkStringList | None = None
    string_value: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingChunkStringList(Message):
    """Several strings as one value. Gemini only."""

    values: Sequence[str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagChunk(Message):
    """A piece from a RAG store. Vertex only."""

    text: str | None = None
    page_span: RagChunkPageSpan | None = None
    chunk_id: str | None = None
    file_id: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagChunkPageSpan(Message):
    """The pages a piece stands on, both inclusive. Vertex only."""

    first_page: int | None = None
    last_page: int | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingSupport(Message):
    """A claim of the answer and the sources behind it."""

    segment: Segment | None = None
    """The claim."""
    grounding_chunk_indices: Sequence[int] = ABSENT
    """Positions in ``GroundingMetadata.grounding_chunks``."""
    confidence_scores: Sequence[float] = ABSENT
    """From 0 to 1, one for each index."""
    rendered_parts: Sequence[int] = ABSENT
    """Positions of rendered parts."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Segment(Message):
    """A stretch of an answer's text."""

    part_index: int | None = None
    """Which part of the content."""
    start_index: int | None = None
    """In bytes, inclusive."""
    end_index: int | None = None
    """In bytes, exclusive."""
    text: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SearchEntryPoint(Message):
    """What to show for a search."""

    rendered_content: str | None = None
    """HTML to embed as it is."""
    sdk_blob: bytes | None = None
    """JSON with queries and their URLs, for a display of one's own."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RetrievalMetadata(Message):
    """How likely a search was to help."""

    google_search_dynamic_retrieval_score: float | None = None
    """From 0 to 1."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GroundingMetadataSourceFlaggingUri(Message):
    """Where a person can report a place or a review. Vertex only."""

    flag_content_uri: str | None = None
    source_id: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class UrlContextMetadata(Message):
    """Which pages were read. Gemini; not on Vertex's pages."""

    url_metadata: Sequence[UrlMetadata] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class UrlMetadata(Message):
    """One page that was read, or was not."""

    retrieved_url: str | None = None
    url_retrieval_status: UrlRetrievalStatus | str | None = None
