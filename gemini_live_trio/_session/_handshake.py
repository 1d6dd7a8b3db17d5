"""From ``setup`` to ``setupComplete``, and what else may come of it."""

from __future__ import annotations

from collections.abc import Callable

import trio

from .. import codec, wire
from .._closes import Close, Phase, classify
from .._transport import Connection, ConnectionEnded
from ..errors import GeminiLiveError, SetupError, SetupRejected, SetupTimeout

__all__ = ["close_of", "set_up"]

_EMPTY = wire.LiveServerMessage()


async def set_up(
    connection: Connection,
    setup: wire.LiveClientSetup,
    phase: Phase,
    *,
    sent: Callable[[str], None],
    handle: Callable[[str | bytes], wire.LiveServerMessage | None],
    timeout: float,  # noqa: ASYNC109 - the setup has a time-out of its own
) -> None:
    """Send ``setup`` and wait until the service confirms it.

    Args:
      connection: A new one.
      setup: What the session shall be.
      phase: For the advice, should it be refused.
      sent: Told the setup's frame, once it is written.
      handle: Takes every frame, so that its events are told; ``None`` for an unreadable one.
      timeout: Seconds.

    Raises:
      SetupTimeout: It doesn't.
      SetupRejected: It hangs up instead.
      SetupError: It says something else.
    """
    frame = codec.encode(wire.LiveClientMessage(setup=setup))
    with trio.move_on_after(timeout):
        try:
            await connection.send(frame)
            sent(frame)
            while True:
                message = handle(await connection.receive())
                if message is None or message == _EMPTY:
                    continue
                if message.setup_complete is not None:
                    return
                raise SetupError(_not_confirmed(message))
        except ConnectionEnded as end:
            raise _rejection(end.close, phase) from None
    raise SetupTimeout(
        f"The service did not answer the setup within {timeout:g} s; "
        "a field that the model doesn't support can cause this, or the wrong model."
    )


def close_of(error: GeminiLiveError) -> Close:
    """Return the close behind a refused attempt; 1006 where there was none."""
    if isinstance(error, SetupRejected):
        return Close("server", error.code, error.reason)
    return Close("network", 1006, str(error))


def _rejection(close: Close, phase: Phase) -> SetupRejected:
    rule = classify(close, phase)
    return SetupRejected(
        f"The service refused the session: {close}. {rule.advice}",
        code=close.code,
        reason=close.reason,
        advice=rule.advice,
    )


def _not_confirmed(message: wire.LiveServerMessage) -> str:
    if message.error is not None:
        return f"The service refused the session with an error: {message.error.message}."
    return (
        f"The service answered the setup with {message!r} instead of setupComplete; "
        "check that the address is one of the Live API."
    )
