"""Functions that the model may call, each call answered exactly once."""

from ._tool import OnResult as OnResult
from ._tool import Tool as Tool
from ._tool import ToolContext as ToolContext
from .mcp import McpHttp as McpHttp
from .mcp import McpStdio as McpStdio
from .mcp import McpTools as McpTools
from .mcp import open_mcp_tools as open_mcp_tools

__all__ = [
    "McpHttp",
    "McpStdio",
    "McpTools",
    "OnResult",
    "Tool",
    "ToolContext",
    "open_mcp_tools",
]
