"""Functions that the model may call, each call answered exactly once."""

from ._arguments import ArgumentsError as ArgumentsError
from ._bounds import Bounds as Bounds
from ._call import Call as Call
from ._decorator import SchemaDialect as SchemaDialect
from ._decorator import tool as tool
from ._function import BoundTool as BoundTool
from ._function import FunctionTool as FunctionTool
from ._policy import ToolPolicy as ToolPolicy
from ._results import ToolMedia as ToolMedia
from ._runner import ToolRunner as ToolRunner
from ._runner import open_tool_runner as open_tool_runner
from ._tool import OnResult as OnResult
from ._tool import Tool as Tool
from ._tool import ToolContext as ToolContext
from .mcp import McpHttp as McpHttp
from .mcp import McpStdio as McpStdio
from .mcp import McpTools as McpTools
from .mcp import open_mcp_tools as open_mcp_tools

__all__ = [
    "ArgumentsError",
    "BoundTool",
    "Bounds",
    "Call",
    "FunctionTool",
    "McpHttp",
    "McpStdio",
    "McpTools",
    "OnResult",
    "SchemaDialect",
    "Tool",
    "ToolContext",
    "ToolMedia",
    "ToolPolicy",
    "ToolRunner",
    "open_mcp_tools",
    "open_tool_runner",
    "tool",
]
