"""Opening and leaving a session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from .._transport import Connector, TcpConnector
from ..config import ReconnectPolicy, SessionConfig
from ._core import Core, Timeouts
from ._live import LiveSession

__all__ = ["open_session"]


@asynccontextmanager
async def open_session(
    config: SessionConfig,
    *,
    connector: Connector | None = None,
    reconnect: ReconnectPolicy | None = None,
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
      connect_timeout: Seconds for address, TCP, TLS and WebSocket, for each attempt.
      setup_timeout: Seconds from ``setup`` to ``setupComplete``, for each attempt.
      close_timeout: Seconds for a polite end.

    Raises:
      ConnectError: No WebSocket could be opened.
      SetupError: The service did not accept the session.
      SessionBroken: The session ended by itself during the block.
      InternalError: A fault of this library.

    Cancellation: at any time.
    """
    core = Core(
        config,
        connector=connector or TcpConnector(),
        policy=reconnect or ReconnectPolicy(),
        timeouts=Timeouts(connect=connect_timeout, setup=setup_timeout, close=close_timeout),
    )
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
            except BaseException as error:  # noqa: BLE001 - raised again below
                leaving = error
                core.stop()
            else:
                await core.close()
    except BaseException as error:  # noqa: BLE001 - raised again below, in its order of precedence
        # Services record their failures; what they raise is Ctrl-C and its like.
        other = _lone(error)
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


def _lone(error: BaseException) -> BaseException:
    """Return what a group is about, where it holds one exception."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
