"""Functions that the model may call, each call answered exactly once."""

from ._arguments import ArgumentsError as ArgumentsError
from ._bounds import Bounds as Bounds
from ._decorator import SchemaDialect as SchemaDialect
from ._decorator import tool as tool
from ._function import BoundTool as BoundTool
from ._function import FunctionTool as FunctionTool
from ._results import ToolMedia as ToolMedia
from ._tool import OnResult as OnResult
from ._tool import Tool as Tool
from ._tool import ToolContext as ToolContext

__all__ = [
    "ArgumentsError",
    "BoundTool",
    "Bounds",
    "FunctionTool",
    "OnResult",
    "SchemaDialect",
    "Tool",
    "ToolContext",
    "ToolMedia",
    "tool",
]
