"""Connections, each held open by a small task of its own.

A connection's nursery and cancel scope must be left in the task that entered them, in reverse
order. Held by a task each, two connections can overlap: the next is dialled while the other still
works. The same task listens for its connection's pulse.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from .._auth import DialReason
from .._dial import Step
from .._groups import lone
from .._transport import Connection, Connector, TcpConnector, open_connection
from ..config import Liveness
from ._asking import Asker

__all__ = ["Line", "Lines"]


@attrs.frozen(eq=False)
class Line:
    """A connection and the way to let go of it."""

    connection: Connection
    released: trio.Event = attrs.field(factory=trio.Event)


@attrs.frozen(kw_only=True)
class Lines:
    """Dials, for as long as a nursery lives."""

    nursery: trio.Nursery
    asker: Asker
    connector: Connector
    liveness: Liveness
    connect_timeout: float
    round_trip: Callable[[float], None]
    """Told how long a ping took."""

    async def dial(self, reason: DialReason, passed: Callable[[Step], None]) -> Line:
        """Open a connection up to the WebSocket, held by a task of its own.

        ``passed`` is told of each stage that is behind it.
        """
        try:
            line: Line = await self.nursery.start(self._hold, reason, passed)
        except BaseExceptionGroup as group:
            error = lone(group)
            raise error from error.__cause__
        return line

    async def _hold(
        self,
        reason: DialReason,
        passed: Callable[[Step], None],
        *,
        task_status: trio.TaskStatus[Line],
    ) -> None:
        asking = Step("credentials", "", "", trio.current_time())
        target, headers, left = await self.asker.ask(reason, timeout=self.connect_timeout)
        passed(asking)
        if isinstance(self.connector, TcpConnector):
            # By now, since the environment may name another proxy for each dial.
            self.asker.secrets.add(self.connector.secrets(target))
        async with open_connection(
            self.connector, target, headers, timeout=left, passed=passed
        ) as connection:
            line = Line(connection)
            task_status.started(line)
            await self._feel_pulse(line)

    async def _feel_pulse(self, line: Line) -> None:
        """Ping a silent connection until it is released, and give up a dead one."""
        connection, liveness = line.connection, self.liveness
        while not line.released.is_set():
            heard_at = connection.heard_at
            with trio.move_on_at(heard_at + liveness.ping_after):
                await line.released.wait()
                return
            if connection.heard_at == heard_at:
                # Any byte is life, so a late answer counts as well as one in time.
                patience = max(0.0, liveness.timeout - liveness.ping_after)
                seconds = await connection.ping(timeout=patience)
                if seconds is not None:
                    self.round_trip(seconds)
            if connection.over:
                await line.released.wait()
            elif connection.heard_at == heard_at:
                await connection.abort(
                    f"nothing was heard from the service for {liveness.timeout:g} s, "
                    "so this client gave the connection up"
                )
