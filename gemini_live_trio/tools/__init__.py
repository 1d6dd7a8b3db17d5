"""Functions that the model may call, each call answered exactly once."""

from ._tool import OnResult as OnResult
from ._tool import Tool as Tool
from ._tool import ToolContext as ToolContext

__all__ = ["OnResult", "Tool", "ToolContext"]
