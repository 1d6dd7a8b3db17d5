"""What a model may use: functions with their schemas, and the built-in tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ._base import ABSENT, Duration, Int64, JsonValue, Message, Struct, sealed
from .enums import (
    ApiSpec,
    AuthType,
    Behavior,
    DynamicRetrievalConfigMode,
    Environment,
    HttpElementLocation,
    PhishBlockThreshold,
    SafetyPolicy,
    Type,
)

__all__ = [
    "ApiAuth",
    "ApiAuthApiKeyConfig",
    "ApiKeyConfig",
    "AuthConfig",
    "AuthConfigGoogleServiceAccountConfig",
    "AuthConfigHttpBasicAuthConfig",
    "AuthConfigOauthConfig",
    "AuthConfigOidcConfig",
    "ComputerUse",
    "DynamicRetrievalConfig",
    "EnterpriseWebSearch",
    "ExternalApi",
    "ExternalApiElasticSearchParams",
    "ExternalApiSimpleSearchParams",
    "FileSearch",
    "FunctionDeclaration",
    "GoogleMaps",
    "GoogleMapsGroundingTypes",
    "GoogleMapsPlaces",
    "GoogleMapsRouting",
    "GoogleSearch",
    "GoogleSearchRetrieval",
    "ImageSearch",
    "Interval",
    "McpServer",
    "RagRetrievalConfig",
    "RagRetrievalConfigFilter",
    "RagRetrievalConfigHybridSearch",
    "RagRetrievalConfigRanking",
    "RagRetrievalConfigRankingLlmRanker",
    "RagRetrievalConfigRankingRankService",
    "Retrieval",
    "Schema",
    "SearchTypes",
    "StreamableHttpTransport",
    "Tool",
    "ToolCodeExecution",
    "ToolExaAiSearch",
    "ToolParallelAiSearch",
    "UrlContext",
    "VertexAISearch",
    "VertexAISearchDataStoreSpec",
    "VertexRagStore",
    "VertexRagStoreRagResource",
    "WebSearch",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Tool(Message):
    """Tool."""

    retrieval: Retrieval | None = None
    computer_use: ComputerUse | None = None
    file_search: FileSearch | None = None
    google_search: GoogleSearch | None = None
    google_maps: GoogleMaps | None = None
    code_execution: ToolCodeExecution | None = None
    enterprise_web_search: EnterpriseWebSearch | None = None
    function_declarations: Sequence[FunctionDeclaration] = ABSENT
    google_search_retrieval: GoogleSearchRetrieval | None = None
    parallel_ai_search: ToolParallelAiSearch | None = None
    url_context: UrlContext | None = None
    mcp_servers: Sequence[McpServer] = ABSENT
    exa_ai_search: ToolExaAiSearch | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Schema(Message):
    """Schema."""

    additional_properties: JsonValue = None
    defs: Mapping[str, Schema] | None = None
    ref: str | None = None
    any_of: Sequence[Schema] = ABSENT
    default: JsonValue = None
    description: str | None = None
    enum: Sequence[str] = ABSENT
    example: JsonValue = None
    format: str | None = None
    items: Schema | None = None
    max_items: Int64 | None = None
    max_length: Int64 | None = None
    max_properties: Int64 | None = None
    maximum: float | None = None
    min_items: Int64 | None = None
    min_length: Int64 | None = None
    min_properties: Int64 | None = None
    minimum: float | None = None
    nullable: bool | None = None
    pattern: str | None = None
    properties: Mapping[str, Schema] | None = None
    property_ordering: Sequence[str] = ABSENT
    required: Sequence[str] = ABSENT
    title: str | None = None
    type: Type | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Retrieval(Message):
    """Retrieval."""

    disable_attribution: bool | None = None
    external_api: ExternalApi | None = None
    vertex_ai_search: VertexAISearch | None = None
    vertex_rag_store: VertexRagStore | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ComputerUse(Message):
    """ComputerUse."""

    environment: Environment | str | None = None
    excluded_predefined_functions: Sequence[str] = ABSENT
    enable_prompt_injection_detection: bool | None = None
    disabled_safety_policies: Sequence[SafetyPolicy | str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FileSearch(Message):
    """FileSearch."""

    file_search_store_names: Sequence[str] = ABSENT
    top_k: int | None = None
    metadata_filter: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleSearch(Message):
    """GoogleSearch."""

    search_types: SearchTypes | None = None
    blocking_confidence: PhishBlockThreshold | str | None = None
    exclude_domains: Sequence[str] = ABSENT
    time_range_filter: Interval | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleMaps(Message):
    """GoogleMaps."""

    auth_config: AuthConfig | None = None
    enable_widget: bool | None = None
    grounding_types: GoogleMapsGroundingTypes | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ToolCodeExecution(Message):
    """ToolCodeExecution."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class EnterpriseWebSearch(Message):
    """EnterpriseWebSearch."""

    blocking_confidence: PhishBlockThreshold | str | None = None
    exclude_domains: Sequence[str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionDeclaration(Message):
    """FunctionDeclaration."""

    description: str | None = None
    name: str | None = None
    parameters: Schema | None = None
    parameters_json_schema: JsonValue = None
    response: Schema | None = None
    response_json_schema: JsonValue = None
    behavior: Behavior | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleSearchRetrieval(Message):
    """GoogleSearchRetrieval."""

    dynamic_retrieval_config: DynamicRetrievalConfig | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ToolParallelAiSearch(Message):
    """ToolParallelAiSearch."""

    api_key: str | None = None
    custom_configs: Struct | None = None
    enable_data_retention: bool | None = None
    enable_zero_data_retention: bool | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class UrlContext(Message):
    """UrlContext."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class McpServer(Message):
    """McpServer."""

    name: str | None = None
    streamable_http_transport: StreamableHttpTransport | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ToolExaAiSearch(Message):
    """ToolExaAiSearch."""

    api_key: str | None = None
    custom_configs: Struct | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ExternalApi(Message):
    """ExternalApi."""

    api_auth: ApiAuth | None = None
    api_spec: ApiSpec | str | None = None
    auth_config: AuthConfig | None = None
    elastic_search_params: ExternalApiElasticSearchParams | None = None
    endpoint: str | None = None
    simple_search_params: ExternalApiSimpleSearchParams | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VertexAISearch(Message):
    """VertexAISearch."""

    data_store_specs: Sequence[VertexAISearchDataStoreSpec] = ABSENT
    datastore: str | None = None
    engine: str | None = None
    filter: str | None = None
    max_results: int | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VertexRagStore(Message):
    """VertexRagStore."""

    rag_corpora: Sequence[str] = ABSENT
    rag_resources: Sequence[VertexRagStoreRagResource] = ABSENT
    rag_retrieval_config: RagRetrievalConfig | None = None
    similarity_top_k: int | None = None
    store_context: bool | None = None
    vector_distance_threshold: float | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class SearchTypes(Message):
    """SearchTypes."""

    web_search: WebSearch | None = None
    image_search: ImageSearch | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Interval(Message):
    """Interval."""

    end_time: str | None = None
    start_time: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AuthConfig(Message):
    """AuthConfig."""

    api_key: str | None = None
    api_key_config: ApiKeyConfig | None = None
    auth_type: AuthType | str | None = None
    google_service_account_config: AuthConfigGoogleServiceAccountConfig | None = None
    http_basic_auth_config: AuthConfigHttpBasicAuthConfig | None = None
    oauth_config: AuthConfigOauthConfig | None = None
    oidc_config: AuthConfigOidcConfig | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleMapsGroundingTypes(Message):
    """GoogleMapsGroundingTypes."""

    places: GoogleMapsPlaces | None = None
    routing: GoogleMapsRouting | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class DynamicRetrievalConfig(Message):
    """DynamicRetrievalConfig."""

    dynamic_threshold: float | None = None
    mode: DynamicRetrievalConfigMode | str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class StreamableHttpTransport(Message):
    """StreamableHttpTransport."""

    headers: Mapping[str, str] | None = None
    sse_read_timeout: Duration | None = None
    terminate_on_close: bool | None = None
    timeout: Duration | None = None
    url: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ApiAuth(Message):
    """ApiAuth."""

    api_key_config: ApiAuthApiKeyConfig | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ExternalApiElasticSearchParams(Message):
    """ExternalApiElasticSearchParams."""

    index: str | None = None
    num_hits: int | None = None
    search_template: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ExternalApiSimpleSearchParams(Message):
    """ExternalApiSimpleSearchParams."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VertexAISearchDataStoreSpec(Message):
    """VertexAISearchDataStoreSpec."""

    data_store: str | None = None
    filter: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class VertexRagStoreRagResource(Message):
    """VertexRagStoreRagResource."""

    rag_corpus: str | None = None
    rag_file_ids: Sequence[str] = ABSENT


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfig(Message):
    """RagRetrievalConfig."""

    filter: RagRetrievalConfigFilter | None = None
    hybrid_search: RagRetrievalConfigHybridSearch | None = None
    ranking: RagRetrievalConfigRanking | None = None
    top_k: int | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class WebSearch(Message):
    """WebSearch."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ImageSearch(Message):
    """ImageSearch."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ApiKeyConfig(Message):
    """ApiKeyConfig."""

    api_key_secret: str | None = None
    api_key_string: str | None = None
    http_element_location: HttpElementLocation | str | None = None
    name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AuthConfigGoogleServiceAccountConfig(Message):
    """AuthConfigGoogleServiceAccountConfig."""

    service_account: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AuthConfigHttpBasicAuthConfig(Message):
    """AuthConfigHttpBasicAuthConfig."""

    credential_secret: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AuthConfigOauthConfig(Message):
    """AuthConfigOauthConfig."""

    access_token: str | None = None
    service_account: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AuthConfigOidcConfig(Message):
    """AuthConfigOidcConfig."""

    id_token: str | None = None
    service_account: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleMapsPlaces(Message):
    """GoogleMapsPlaces."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class GoogleMapsRouting(Message):
    """GoogleMapsRouting."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ApiAuthApiKeyConfig(Message):
    """ApiAuthApiKeyConfig."""

    api_key_secret_version: str | None = None
    api_key_string: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfigFilter(Message):
    """RagRetrievalConfigFilter."""

    metadata_filter: str | None = None
    vector_distance_threshold: float | None = None
    vector_similarity_threshold: float | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfigHybridSearch(Message):
    """RagRetrievalConfigHybridSearch."""

    alpha: float | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfigRanking(Message):
    """RagRetrievalConfigRanking."""

    llm_ranker: RagRetrievalConfigRankingLlmRanker | None = None
    rank_service: RagRetrievalConfigRankingRankService | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfigRankingLlmRanker(Message):
    """RagRetrievalConfigRankingLlmRanker."""

    model_name: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class RagRetrievalConfigRankingRankService(Message):
    """RagRetrievalConfigRankingRankService."""

    model_name: str | None = None
