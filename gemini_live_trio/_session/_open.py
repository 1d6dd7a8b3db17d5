"""Opening and leaving a session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from .. import wire
from .._transport import Connector, TcpConnector
from ..config import Liveness, ReconnectPolicy, SessionConfig
from ..errors import ConfigError
from ..observers import SessionObserver
from ..usage import Budget
from ._asking import Asker
from ._core import Core
from ._lines import lone
from ._live import LiveSession
from ._reconnect import Timeouts
from ._vet import vet

__all__ = ["open_session"]


@asynccontextmanager
async def open_session(
    config: SessionConfig,
    *,
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
        ``SessionConfig.check``. Nothing was dialled.
      CredentialsError: ``config.auth`` gave no credential.
      ConnectError: No WebSocket could be opened.
      SetupError: The service did not accept the session.
      SessionBroken: The session ended by itself during the block.
      InternalError: A fault of this library.

    Cancellation: at any time.
    """
    if not isinstance(config, SessionConfig):
        raise ConfigError(f"open_session takes a SessionConfig, not a {type(config).__name__}.")
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
    )
    core.watch_wire()
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
                    yield LiveSession(core)
                # Here, because Ctrl-C may come out of it too, and must stop the services then.
                await core.close()
            except BaseException as error:  # noqa: BLE001 - raised again below
                leaving = error
                core.stop()
    except BaseException as error:  # noqa: BLE001 - raised again below, in its order of precedence
        # Services record their failures; what they raise is Ctrl-C and its like.
        other = lone(error)
        if leaving is None or isinstance(other, KeyboardInterrupt | SystemExit):
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
