"""Opening and leaving a session."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import attrs
import trio

from .. import wire
from .._builtin import BuiltinTool
from .._groups import is_urgent, lone
from .._transport import Connector, TcpConnector
from ..config import Liveness, ReconnectPolicy, SessionConfig
from ..errors import ConfigError
from ..observers import SessionObserver
from ..tools._crew import Crew
from ..tools._declaring import declarations, declared_names, gather, part
from ..tools._policy import ToolPolicy, policy_of
from ..tools._tool import Tool
from ..usage import Budget
from ._asking import Asker
from ._core import Core
from ._live import LiveSession
from ._reconnect import Timeouts
from ._vet import vet

__all__ = ["open_session"]


@asynccontextmanager
async def open_session(
    config: SessionConfig,
    *,
    tools: Iterable[Tool | Callable[..., Any] | BuiltinTool | wire.Tool] = (),
    tool_policy: ToolPolicy | None = None,
    gate_input_for: float = 60.0,
    connector: Connector | None = None,
    reconnect: ReconnectPolicy | None = None,
    liveness: Liveness | None = None,
    resume: str | None = None,
    history: Sequence[wire.Content] = (),
    on_handle: Callable[[str], object] | None = None,
    observers: Sequence[SessionObserver] = (),
    budget: Budget | None = None,
    connect_timeout: float = 10.0,
    setup_timeout: float = 30.0,
    close_timeout: float = 2.0,
) -> AsyncIterator[LiveSession]:
    """Connect, and hold the conversation for the length of the block.

    The block is entered once the service has confirmed the setup. From then on the session looks
    after itself: when a connection ends it opens another and resumes. If that fails for good, the
    block is not cancelled; receiving and sending raise ``SessionBroken``, and so does leaving the
    block, unless a call already has.

    Leaving the block normally writes what is still waiting and closes the connection. Leaving it
    by an exception or by cancellation drops the connection at once. Either way nothing is left
    running, and the block's own exception comes out unchanged.

    Args:
      config: What the session shall be.
      tools: What the model may use, beside ``config.tools``. Functions (values of ``@tool``, other
        ``Tool`` values, and plain functions) are declared, run here, and answered. Tools that run
        at the service, such as ``GoogleSearch()``, are put into the setup as they are.
      tool_policy: Bounds for running them; ``ToolPolicy()`` by default.
      gate_input_for: Seconds for which a tool call that the model waits for may shut the microphone
        off, where the model would close the connection or drop the call if it heard something;
        ``math.inf`` for as long as it is open, 0 for never.
      connector: How to reach the service; TCP and TLS by default.
      reconnect: When to dial again; ``ReconnectPolicy()`` by default.
      liveness: When silence means something; ``Liveness()`` by default.
      resume: A handle of an earlier session, to go on with its conversation. When the service
        refuses it, the session starts afresh, and ``Reconnected`` says so.
      history: Turns that the conversation begins with; the model doesn't answer them.
      on_handle: Called with each new handle, to keep it somewhere; must not wait. What it raises
        is logged.
      observers: Told what the session does, as it does it.
      budget: What the session may cost; ``None`` for no bound.
      connect_timeout: Seconds for credentials, address, TCP, TLS and WebSocket, for each attempt.
      setup_timeout: Seconds from ``setup`` to ``setupComplete``, for each attempt.
      close_timeout: Seconds for a polite end.

    Raises:
      ConfigError: That isn't a ``SessionConfig``, or its model is known to refuse it; see
        ``SessionConfig.check``; or a tool can't be used with this model, or ``gate_input_for`` is
        no time. Nothing was dialled.
      CredentialsError: ``config.auth`` gave no credential.
      ConnectError: No WebSocket could be opened.
      SetupError: The service did not accept the session.
      SessionBroken: The session ended by itself during the block.
      InternalError: A fault of this library.

    Cancellation: at any time.
    """
    if not isinstance(config, SessionConfig):
        raise ConfigError(f"open_session takes a SessionConfig, not a {type(config).__name__}.")
    if not isinstance(gate_input_for, int | float) or math.isnan(gate_input_for):
        raise ConfigError(f"gate_input_for takes seconds, or math.inf, not {gate_input_for!r:.80}.")
    crew = None
    if tools:
        theirs, ours = part(tools)
        config = attrs.evolve(config, tools=[*config.tools, *theirs])
        if ours:
            crew = _crew_for(config, ours, policy_of(tool_policy))
            config = _declaring(config, crew)
    vet(config, stacklevel=3)  # the caller, past contextlib
    asker = Asker(config)
    core = Core(
        config,
        asker=asker,
        connector=connector or TcpConnector(),
        policy=reconnect or ReconnectPolicy(),
        liveness=liveness or Liveness(),
        resume=resume,
        history=history,
        on_handle=on_handle,
        observers=observers,
        budget=budget,
        timeouts=Timeouts(connect=connect_timeout, setup=setup_timeout, close=close_timeout),
        gate_input_for=gate_input_for,
    )
    core.watch_wire()
    session = LiveSession(core)
    if crew is not None:
        crew.attach(session)  # before the first connection, so that no call is missed
    # A nursery wraps whatever leaves it in a group, so the block's exception goes round it.
    leaving: BaseException | None = None
    entered = False
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(core.run)
            try:
                await core.ready.wait()
                if core.failure is None:
                    entered = True
                    async with nullcontext() if crew is None else crew.running():
                        yield session
                # Here, because Ctrl-C may come out of it too, and must stop the services then.
                await core.close()
            except BaseException as error:  # noqa: BLE001 - raised again below
                leaving = error
                core.stop()
    except BaseException as error:  # noqa: BLE001 - raised again below, in its order of precedence
        # Services record their failures; what they raise is Ctrl-C and its like.
        other = lone(error)
        if leaving is None or is_urgent(other):
            leaving = other
    if leaving is not None:
        if core.failure is not None and core.failure is not leaving and entered:
            leaving.add_note(f"The session had broken: {core.failure}")
        try:
            raise leaving
        finally:
            del leaving
    if core.failure is not None and not core.told:
        raise core.failure


def _crew_for(
    config: SessionConfig, tools: Sequence[Tool | Callable[..., Any]], policy: ToolPolicy
) -> Crew:
    capability = config.capabilities.capability_of(config.model, config.endpoint.backend)
    taken = declared_names(config.tools)
    return Crew(gather(tools, capability, taken=taken, check=config.check), policy)


def _declaring(config: SessionConfig, crew: Crew) -> SessionConfig:
    capability = config.capabilities.capability_of(config.model, config.endpoint.backend)
    declared = wire.Tool(function_declarations=declarations(crew.tools, capability))
    return attrs.evolve(config, tools=[*config.tools, declared])
