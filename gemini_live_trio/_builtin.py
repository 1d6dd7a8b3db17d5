"""Tools that run at the service, as what stands in a setup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias, TypeGuard, get_args

from . import wire
from .errors import ConfigError

__all__ = ["BuiltinTool", "as_wire_tool", "as_wire_tools", "is_builtin"]

BuiltinTool: TypeAlias = (
    wire.GoogleSearch
    | wire.GoogleMaps
    | wire.UrlContext
    | wire.ToolCodeExecution
    | wire.FileSearch
    | wire.McpServer
    | wire.EnterpriseWebSearch
    | wire.Retrieval
    | wire.ToolParallelAiSearch
    | wire.ToolExaAiSearch
    | wire.ComputerUse
    | wire.GoogleSearchRetrieval
)
"""A tool that the service runs by itself."""

_FIELDS: Final[dict[type, str]] = {
    wire.GoogleSearch: "google_search",
    wire.GoogleMaps: "google_maps",
    wire.UrlContext: "url_context",
    wire.ToolCodeExecution: "code_execution",
    wire.FileSearch: "file_search",
    wire.EnterpriseWebSearch: "enterprise_web_search",
    wire.Retrieval: "retrieval",
    wire.ToolParallelAiSearch: "parallel_ai_search",
    wire.ToolExaAiSearch: "exa_ai_search",
    wire.ComputerUse: "computer_use",
    wire.GoogleSearchRetrieval: "google_search_retrieval",
}
_LISTS: Final[dict[type, str]] = {
    wire.FunctionDeclaration: "function_declarations",
    wire.McpServer: "mcp_servers",
}


def as_wire_tool(tool: wire.Tool | wire.FunctionDeclaration | BuiltinTool) -> wire.Tool:
    """Put a tool of the service's, or a declaration, into the object that a setup has for it.

    ``SessionConfig(tools=[...])`` does it by itself.

    Raises:
      ConfigError: It is neither.
    """
    if isinstance(tool, wire.Tool):
        return tool
    held: dict[str, Any] = {}
    if name := _FIELDS.get(type(tool)):
        held[name] = tool
    elif name := _LISTS.get(type(tool)):
        held[name] = [tool]
    if held:
        return wire.Tool(**held)
    raise ConfigError(
        "tools takes tools of the service's, such as GoogleSearch(), and wire.Tool, with no "
        f"{_described(tool)}."
    )


def as_wire_tools(given: Any) -> tuple[wire.Tool, ...]:
    """Do the same with a list of them.

    Raises:
      ConfigError: It is no list, or something in it is neither.
    """
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        raise ConfigError("tools takes a list of wire.Tool, or such as [GoogleSearch()].")
    return tuple(map(as_wire_tool, given))


def is_builtin(given: object) -> TypeGuard[BuiltinTool | wire.Tool]:
    """Tell whether a value stands for tools that run at the service, and for no function."""
    if isinstance(given, wire.Tool):
        return not given.function_declarations
    return isinstance(given, get_args(BuiltinTool))


def _described(given: object) -> str:
    if isinstance(given, type):
        return f"{given.__name__} in it: write {given.__name__}()"
    kind = f"{type(given).__name__} in it"
    if callable(given) or hasattr(given, "declaration"):
        return f"{kind}: functions that this program runs go to open_session(tools=[...])"
    return kind
