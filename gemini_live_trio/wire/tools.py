"""What a model may use: functions, and the tools that run at the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ._base import ABSENT, Duration, JsonValue, Message, sealed
from .enums import Behavior, Environment, SafetyPolicy
from .schema import Schema
from .search import (
    EnterpriseWebSearch,
    GoogleMaps,
    GoogleSearch,
    GoogleSearchRetrieval,
    Retrieval,
    ToolExaAiSearch,
    ToolParallelAiSearch,
)

__all__ = [
    "ComputerUse",
    "FileSearch",
    "FunctionDeclaration",
    "McpServer",
    "StreamableHttpTransport",
    "Tool",
    "ToolCodeExecution",
    "UrlContext",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class Tool(Message):
    """Something that the model may use: functions of the client's, or a tool at the service.

    Each may stand in an object of its own, or several in one.
    """

    function_declarations: Sequence[FunctionDeclaration] = ABSENT
    google_search: GoogleSearch | None = None
    """An empty object is enough."""

    # Vertex only.
    retrieval: Retrieval | None = None
    enterprise_web_search: EnterpriseWebSearch | None = None
    parallel_ai_search: ToolParallelAiSearch | None = None
    exa_ai_search: ToolExaAiSearch | None = None

    # Gemini only.
    file_search: FileSearch | None = None
    mcp_servers: Sequence[McpServer] = ABSENT

    # Not supported by the current Live models, on Gemini at least.
    code_execution: ToolCodeExecution | None = None
    url_context: UrlContext | None = None
    google_maps: GoogleMaps | None = None

    # Undocumented for Live.
    computer_use: ComputerUse | None = None
    google_search_retrieval: GoogleSearchRetrieval | None = None
    """The older form of ``google_search``."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FunctionDeclaration(Message):
    """A function that the model may call and the client runs."""

    name: str | None = None
    """Unique within the session."""
    description: str | None = None
    """Required: what it is for and when to call it, in plain words for the model."""
    behavior: Behavior | str | None = None
    """Whether the model waits for the answer. Unset means ``BLOCKING`` up to 3.1 and
    ``NON_BLOCKING`` for 3.8. 3.1 has only the former, 3.8 extended thinking only the latter.
    """
    parameters: Schema | None = None
    """An object schema; or give ``parameters_json_schema``."""
    parameters_json_schema: JsonValue = None
    """JSON Schema as it is, keys left alone, instead of ``parameters``."""
    response: Schema | None = None
    response_json_schema: JsonValue = None
    """JSON Schema as it is, instead of ``response``."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ToolCodeExecution(Message):
    """Lets the service run Python that the model writes. An empty object.

    Not supported by the current Live models on Gemini.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class UrlContext(Message):
    """Lets the service read pages that the conversation names. An empty object.

    Not supported by the current Live models on Gemini.
    """


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class FileSearch(Message):
    """Lets the service search uploaded files. Gemini only."""

    file_search_store_names: Sequence[str] = ABSENT
    """Required; as in ``fileSearchStores/my-store``."""
    top_k: int | None = None
    """How many pieces to fetch."""
    metadata_filter: str | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class McpServer(Message):
    """An MCP server that the service calls itself. Gemini only."""

    name: str | None = None
    streamable_http_transport: StreamableHttpTransport | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class StreamableHttpTransport(Message):
    """How the service reaches an MCP server. Gemini only."""

    url: str | None = None
    headers: Mapping[str, str] | None = None
    """Usually hold credentials: a secret."""
    timeout: Duration | None = None
    """Seconds for an ordinary request."""
    sse_read_timeout: Duration | None = None
    """Seconds without an event."""
    terminate_on_close: bool | None = None
    """End the MCP session together with the transport."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ComputerUse(Message):
    """Lets the model work a browser or a screen. Not a feature of Live."""

    environment: Environment | str | None = None
    """Required."""
    excluded_predefined_functions: Sequence[str] = ABSENT
    """Names of actions that it must not take."""
    enable_prompt_injection_detection: bool | None = None
    disabled_safety_policies: Sequence[SafetyPolicy | str] = ABSENT
    """Policies that are not enforced."""
