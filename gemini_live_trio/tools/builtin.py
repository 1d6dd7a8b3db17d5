"""Tools that run at the service: the model uses them by itself, and nobody has to answer.

They go into ``SessionConfig(tools=[GoogleSearch()])``, or among the functions in
``open_session(tools=[...])``; ``LiveSession.update_context`` takes them too. What they found
arrives as events: ``Grounding`` (searches, maps, documents), ``UrlContext`` (pages),
``ExecutableCode`` and ``CodeResult``.
Which model has which is written down in ``capabilities``.

======================== ========================================== ==============
tool                     lets the model                             where
======================== ========================================== ==============
``GoogleSearch``         search the web                             everywhere
``CodeExecution``        write Python and have it run               not for 3.x
``UrlContext``           read pages that the conversation names     not for 3.x
``GoogleMaps``           ask Google Maps                            not for 3.x
``FileSearch``           search uploaded files                      Gemini
``McpServer``            use an MCP server, called by the service   Gemini
``EnterpriseWebSearch``  search the web, for regulated businesses   Vertex AI
``Retrieval``            search a store of one's own                Vertex AI
``ParallelAiSearch``     search with Parallel                       Vertex AI
``ExaAiSearch``          search with Exa                            Vertex AI
======================== ========================================== ==============

"Not for 3.x" is said of the Gemini API's Live models.
"""

from .._builtin import BuiltinTool as BuiltinTool
from .._builtin import as_wire_tool as as_wire_tool
from ..wire import EnterpriseWebSearch as EnterpriseWebSearch
from ..wire import FileSearch as FileSearch
from ..wire import GoogleMaps as GoogleMaps
from ..wire import GoogleSearch as GoogleSearch
from ..wire import McpServer as McpServer
from ..wire import Retrieval as Retrieval
from ..wire import StreamableHttpTransport as StreamableHttpTransport
from ..wire import ToolCodeExecution as CodeExecution
from ..wire import ToolExaAiSearch as ExaAiSearch
from ..wire import ToolParallelAiSearch as ParallelAiSearch
from ..wire import UrlContext as UrlContext

__all__ = [
    "BuiltinTool",
    "CodeExecution",
    "EnterpriseWebSearch",
    "ExaAiSearch",
    "FileSearch",
    "GoogleMaps",
    "GoogleSearch",
    "McpServer",
    "ParallelAiSearch",
    "Retrieval",
    "StreamableHttpTransport",
    "UrlContext",
    "as_wire_tool",
]
