"""Tools at the service that look things up: Search, Maps, and a user's own stores."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ._base import ABSENT, Message, Struct, sealed
from .credentials import ApiAuth, AuthConfig
from .enums import ApiSpec, DynamicRetrievalConfigMode, PhishBlockThreshold

__all__ = [
    "DynamicRetrievalConfig",
    "EnterpriseWebSearch",
    "ExternalApi",
    "ExternalApiElasticSearchParams",
    "ExternalApiSimpleSearchParams",
    "GoogleMaps",
    "GoogleMapsGroundingTypes",
    "GoogleMapsPlaces",
    "GoogleMapsRouting",
    "GoogleSearch",
    "GoogleSearchRetrieval",
    "ImageSearch",
    "Interval",
    "RagRetrievalConfig",
    "RagRetrievalConfigFilter",
    "RagRetrievalConfigHybridSearch",
    "RagRetrievalConfigRanking",
    "RagRetrievalConfigRankingLlmRanker",
    "RagRetrievalConfigRankingRankService",
    "Retrieval",
    "SearchTypes",
    "ToolExaAiSearch",
    "ToolParallelAiSearch",
    "VertexAISearch",
    "VertexAISearchDataStoreSpec",
    "VertexRagStore",
    "VertexRagStoreRagResource",
    "WebSearch",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleSearch(Message):
    """Lets the model search the web. An empty object is enough."""

    search_types: SearchTypes | None = None
    """Unset means web pages only."""
    blocking_confidence: PhishBlockThreshold | str | None = None
    """Vertex only."""
    exclude_domains: Sequence[str] = ABSENT
    """Vertex only; up to 2,000."""
    time_range_filter: Interval | None = None
    """Give both ends."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SearchTypes(Message):
    """What to search for."""

    web_search: WebSearch | None = None
    image_search: ImageSearch | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class WebSearch(Message):
    """Search for pages. An empty object."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ImageSearch(Message):
    """Search for images. An empty object."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Interval(Message):
    """A stretch of time."""

    start_time: str | None = None
    """RFC 3339 text, inclusive."""
    end_time: str | None = None
    """RFC 3339 text, exclusive."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleSearchRetrieval(Message):
    """The older way to let the model search the web; see ``GoogleSearch``."""

    dynamic_retrieval_config: DynamicRetrievalConfig | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class DynamicRetrievalConfig(Message):
    """When the older search tool is used."""

    dynamic_threshold: float | None = None
    """Search only when it would help at least this much, by a score from 0 to 1."""
    mode: DynamicRetrievalConfigMode | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class EnterpriseWebSearch(Message):
    """Web search for regulated businesses. Vertex only."""

    blocking_confidence: PhishBlockThreshold | str | None = None
    exclude_domains: Sequence[str] = ABSENT
    """Up to 2,000."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleMaps(Message):
    """Lets the model ask Google Maps. Not supported by the current Live models on Gemini."""

    auth_config: AuthConfig | None = None
    """Only an API key is taken."""
    enable_widget: bool | None = None
    """Deprecated."""
    grounding_types: GoogleMapsGroundingTypes | None = None
    """Vertex only; unset means places."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleMapsGroundingTypes(Message):
    """What to ask Maps for. Vertex only."""

    places: GoogleMapsPlaces | None = None
    routing: GoogleMapsRouting | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleMapsPlaces(Message):
    """Ask Maps for places. An empty object; Vertex only."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleMapsRouting(Message):
    """Ask Maps for routes. An empty object; Vertex only."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ToolParallelAiSearch(Message):
    """Search by Parallel. Vertex only."""

    api_key: str | None = None
    """A secret. Without it a subscription through Google Cloud is looked for."""
    custom_configs: Struct | None = None
    """Parameters of Parallel's own interface; keys are left alone."""
    enable_data_retention: bool | None = None
    """Deprecated: use ``enable_zero_data_retention``."""
    enable_zero_data_retention: bool | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ToolExaAiSearch(Message):
    """Search by Exa. Vertex only."""

    api_key: str | None = None
    """Required; a secret."""
    custom_configs: Struct | None = None
    """Parameters of Exa's own interface; keys are left alone."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Retrieval(Message):
    """Lets the model search a user's own data: set one source. Vertex only."""

    vertex_ai_search: VertexAISearch | None = None
    vertex_rag_store: VertexRagStore | None = None
    external_api: ExternalApi | None = None
    disable_attribution: bool | None = None
    """Deprecated."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VertexAISearch(Message):
    """A data store or an engine of Vertex AI Search: set one of the two. Vertex only."""

    datastore: str | None = None
    """Its full resource name."""
    engine: str | None = None
    """Its full resource name."""
    data_store_specs: Sequence[VertexAISearchDataStoreSpec] = ABSENT
    """Which stores of the engine to search."""
    filter: str | None = None
    max_results: int | None = None
    """Up to 10, which is the default."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VertexAISearchDataStoreSpec(Message):
    """One data store of an engine. Vertex only."""

    data_store: str | None = None
    filter: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VertexRagStore(Message):
    """A store of Vertex's RAG engine. Vertex only."""

    rag_resources: Sequence[VertexRagStoreRagResource] = ABSENT
    """One corpus, or several files of one."""
    rag_retrieval_config: RagRetrievalConfig | None = None
    store_context: bool | None = None
    """Live only: the service stores the conversation there and recalls it when needed."""
    rag_corpora: Sequence[str] = ABSENT
    """Deprecated: use ``rag_resources``."""
    similarity_top_k: int | None = None
    """Deprecated: use ``rag_retrieval_config``."""
    vector_distance_threshold: float | None = None
    """Deprecated: use ``rag_retrieval_config``."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VertexRagStoreRagResource(Message):
    """A corpus, or files of it. Vertex only."""

    rag_corpus: str | None = None
    rag_file_ids: Sequence[str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfig(Message):
    """How a RAG store is searched. Vertex only."""

    top_k: int | None = None
    """How many pieces to fetch."""
    filter: RagRetrievalConfigFilter | None = None
    hybrid_search: RagRetrievalConfigHybridSearch | None = None
    ranking: RagRetrievalConfigRanking | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfigFilter(Message):
    """Which pieces count as found. Vertex only."""

    metadata_filter: str | None = None
    vector_distance_threshold: float | None = None
    """Only what is nearer than this."""
    vector_similarity_threshold: float | None = None
    """Only what is more similar than this."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfigHybridSearch(Message):
    """How keywords and meaning are weighed. Vertex only."""

    alpha: float | None = None
    """From 0 (keywords only) to 1 (meaning only); by default 0.5."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfigRanking(Message):
    """What puts the pieces found in order: set one. Vertex only."""

    llm_ranker: RagRetrievalConfigRankingLlmRanker | None = None
    rank_service: RagRetrievalConfigRankingRankService | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfigRankingLlmRanker(Message):
    """A language model ranks. Vertex only."""

    model_name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfigRankingRankService(Message):
    """The rank service ranks. Vertex only."""

    model_name: str | None = None
    """As in ``semantic-ranker-512@latest``."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ExternalApi(Message):
    """A search interface of the user's own, which the service calls. Vertex only."""

    endpoint: str | None = None
    """Its URL."""
    api_spec: ApiSpec | str | None = None
    auth_config: AuthConfig | None = None
    simple_search_params: ExternalApiSimpleSearchParams | None = None
    elastic_search_params: ExternalApiElasticSearchParams | None = None
    api_auth: ApiAuth | None = None
    """Deprecated: use ``auth_config``."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ExternalApiSimpleSearchParams(Message):
    """Parameters of the simple kind: none. Vertex only."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ExternalApiElasticSearchParams(Message):
    """Parameters for Elasticsearch. Vertex only."""

    index: str | None = None
    num_hits: int | None = None
    """How many pieces to fetch."""
    search_template: str | None = None
