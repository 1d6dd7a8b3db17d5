"""A tool runner for a session that is open already."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from ..errors import ConfigError
from ..events import Event
from ._call import Call
from ._crew import Crew
from ._declaring import declared_names, gather
from ._policy import ToolPolicy, policy_of
from ._tool import Tool

if TYPE_CHECKING:
    from .._session import LiveSession

__all__ = ["ToolRunner", "open_tool_runner"]


class ToolRunner(trio.abc.ReceiveChannel[Event]):
    """Runs tools for a session; ``open_tool_runner`` makes it.

    Receiving from it is receiving from the session.
    """

    def __init__(self, session: LiveSession, crew: Crew) -> None:
        self._session = session
        self._crew = crew

    @property
    def tools(self) -> Sequence[Tool]:
        """What it runs."""
        return self._crew.tools

    @property
    def calls(self) -> Sequence[Call]:
        """Its calls as they came: the open ones, and of the ended ones the last."""
        names = {tool.name for tool in self.tools}
        return [call for call in self._session.tool_calls if call.name in names]

    async def receive(self) -> Event:
        """Wait for the session's next event; see ``LiveSession.receive``."""
        return await self._session.receive()

    async def aclose(self) -> None:
        """Run no more calls: refuse those that are open, and stop what runs.

        Leaving the block does the same, and waits until all of it has stopped.
        """
        self._crew.stop_all()
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_tool_runner(
    session: LiveSession,
    tools: Iterable[Tool | Callable[..., Any]],
    /,
    *,
    policy: ToolPolicy | None = None,
) -> AsyncIterator[ToolRunner]:
    """Run tools for a session that is open already, for the length of the block.

    Tools that the session's setup doesn't declare are declared first, by moving to a new connection
    that resumes the conversation (``LiveSession.reconnect``); the block is entered after that.
    ``open_session(tools=...)`` needs no such move.

    Leaving the block refuses the calls that are open, stops what runs for them, and waits until it
    has stopped. Afterwards the model is told that these tools are gone, should it call one.

    Args:
      session: Whose calls are served.
      tools: Values of ``@tool``, other ``Tool`` values, and plain functions.
      policy: Bounds for all of them; ``ToolPolicy()`` by default.

    Raises:
      ConfigError: Something isn't a tool, two have the same name, the model won't have it, or
        ``session`` is none.
      trio.ClosedResourceError: The session was closed.
      SessionBroken: The session had ended by itself.

    Cancellation: at any time.
    """
    if not hasattr(session, "_core"):
        raise ConfigError(
            f"open_tool_runner takes the session that open_session gave, not a "
            f"{type(session).__name__}."
        )
    core = session._core
    if core.closing or core.ended.is_set():
        raise session._ended()
    capability = core.conversation.capability
    taken = {tool.name for other in core.tools.open_desk().crews for tool in other.tools}
    crew = Crew(gather(tools, capability, taken=taken), policy_of(policy))
    crew.attach(session)
    names = {tool.name for tool in crew.tools} - declared_names(core.conversation.setup.tools)
    try:
        async with crew.running():
            if names:
                core.tools.declare([tool for tool in crew.tools if tool.name in names])
                await session.reconnect()
            yield ToolRunner(session, crew)
    finally:
        core.tools.undeclare(names)
