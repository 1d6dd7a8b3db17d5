"""Scripts: what the service does and what it expects of the client, one step after the other.

A script is an async function that gets a ``Scene``::

    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_text("Hello")
        await server.say("Good day.")

    async with open_simulator(script=scenario) as simulator: ...

It runs beside the block. Where the client does something else than expected, the block is
cancelled and ``ScriptMismatch`` is raised from it.
"""

from __future__ import annotations

import logging
import math
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs
import trio

from ... import wire
from .._actions import ConnectionActions, ServiceActions
from .._checks._legality import Violation
from .._connection import ServerConnection
from .._door._socket import Ending
from .._hub import Hub
from .._talk._incoming import rate_of
from ._expecting import (
    Expected,
    ScriptError,
    ScriptMismatch,
    Test,
    arguments,
    make_test,
)
from ._inbox import Heard, Inbox
from ._matching import describe, text_in
from ._orders import read_order

__all__ = ["Scene", "Script"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

FINISH_SECONDS: Final = 1.0
"""How long a script may go on after the end of the block."""
MOST_BYTES: Final = 16 * 2**20
MOST_ARRIVALS: Final = 64
MOST_WAITING_BYTES: Final = MOST_BYTES // MOST_ARRIVALS
"""What is kept of a connection that the script hasn't come to."""
_STEPS_SHOWN: Final = 5


class Scene(ConnectionActions, ServiceActions):
    """What a script acts on: the steps, and every call of a connection and of the simulator.

    The calls of a connection mean the one that ``connected`` gave last.

    Attributes:
      strict: Whether a message that no step expects is a mismatch, on whichever connection it
        comes, and so is an illegal frame. Sound, pictures and the marks around them never are:
        they are passed over where something else is expected. It is ``True`` where no mind
        answers, ``False`` where one does; settable.
      place: Where the script stands, for its errors; set by scripts in files.
    """

    def __init__(self, hub: Hub, *, strict: bool) -> None:
        super().__init__(hub)
        self.strict: bool = strict
        self.place: str = ""
        self._inbox: Inbox | None = None
        self._arrived: deque[Inbox] = deque()
        self._inboxes: dict[ServerConnection, Inbox] = {}
        self._stray = ""
        self._illegal: dict[int, Violation] = {}
        self._changed = trio.lowlevel.ParkingLot()
        self._steps = 0
        self._doing = ""
        self._done: deque[str] = deque(maxlen=_STEPS_SHOWN)
        self._over = trio.Event()
        self._complete = False
        self._failure: Exception | None = None
        self._began = trio.current_time()
        hub.audience.append(self)
        hub.legality.told = self._broken

    def __repr__(self) -> str:
        return f"<Scene, {self._where()}>"

    @property
    def connection(self) -> ServerConnection:
        """The connection that the steps are about.

        Raises:
          ScriptError: there is none yet.
        """
        if self._inbox is None:
            raise ScriptError("There is no connection yet: a script begins with connected().")
        return self._inbox.connection

    def _end(self) -> ServerConnection:
        return self.connection

    # --- What is expected ---

    async def connected(
        self,
        setup: Mapping[str, Any] | Callable[[wire.LiveClientSetup], bool] | None = None,
        *,
        within: float = math.inf,
    ) -> ServerConnection:
        """Wait for the next connection that finished its setup; the steps are about it from now on.

        Args:
          setup: What its setup must say: a part of it, or a function that says yes or no. In a
            part, ``"<any>"`` is any text but the empty one, such as a handle.
          within: Seconds until then.

        Raises:
          ScriptMismatch: it didn't come in time, or with another setup; or a connection before
            it sent something that nobody expected.
        """
        if isinstance(setup, Mapping):
            shown = f"connected({dict(setup)!r})"
        else:
            shown = "connected()" if setup is None else "connected(a function)"
        self._begin(shown)
        with trio.move_on_after(within):
            await trio.lowlevel.checkpoint()
            while not self._arrived:
                self._refuse_leftovers()
                self._refuse_illegal()
                await self._changed.park()
            self._refuse_leftovers()
            self._refuse_illegal()
            if self._inbox is not None:
                self._inboxes.pop(self._inbox.connection, None)
            self._inbox = self._arrived.popleft()
            self._check_setup(setup)
            return self._inbox.connection
        raise self._late(within)

    async def expect(
        self, wanted: Expected, /, *, within: float = math.inf, skip: bool = False
    ) -> wire.LiveClientMessage:
        """Wait for the client's next message, which must be this one.

        Args:
          wanted: The name of its field, such as ``"toolResponse"`` or ``"audio"``; or a part of
            it, such as ``{"realtimeInput": {"text": "Hello"}}``; or a function that says yes or
            no. A part fits where everything in it is in the message; lists must be as long, and
            ``"<any>"`` is any text but the empty one.
          within: Seconds until then.
          skip: Whether other messages may come before it.

        Returns:
          The message.

        Raises:
          ScriptMismatch: another message came, the connection ended, or nothing came in time.
          ScriptError: no message could be like this.
        """
        test, shown = make_test(wanted)
        return (await self._take(f"expect({shown})", test, within=within, skip=skip)).message

    async def expect_text(
        self,
        text: str | re.Pattern[str] | None = None,
        /,
        *,
        within: float = math.inf,
        skip: bool = False,
    ) -> str:
        """Wait for a text of the user's, in ``realtimeInput`` or ``clientContent``.

        Args:
          text: The whole text, or a pattern that is searched in it, or ``None`` for any.
          within: Seconds until then.
          skip: Whether other messages may come before it.

        Returns:
          The text.

        Raises:
          ScriptMismatch: another message came, the connection ended, or nothing came in time.
        """

        def test(message: wire.LiveClientMessage) -> str | None:
            said = text_in(message)
            if said is None:
                return "it has no text"
            fits = text is None or (said == text if isinstance(text, str) else text.search(said))
            return None if fits else ""

        shown = text.pattern if isinstance(text, re.Pattern) else text
        heard = await self._take(
            f"expect_text({'' if shown is None else repr(shown)})", test, within=within, skip=skip
        )
        return text_in(heard.message) or ""

    async def expect_audio(self, seconds: float = 0.0, *, within: float = math.inf) -> bytes:
        """Wait until so much sound has come since the last step.

        Args:
          seconds: How much, as it plays; 0: any.
          within: Seconds until then.

        Returns:
          The sound, as it came.

        Raises:
          ScriptMismatch: another message came, the connection ended, or there wasn't enough in
            time.
        """
        pcm = bytearray()
        heard_for = 0.0

        def test(message: wire.LiveClientMessage) -> str | None:
            realtime = message.realtime_input or wire.LiveClientRealtimeInput()
            blob = realtime.audio or next(iter(realtime.media_chunks), None)
            return None if blob is not None and blob.data else "it is no sound"

        self._begin(f"expect_audio({seconds:g})")
        with trio.move_on_after(within):
            while True:
                heard = await self._next(test, skip=False)
                realtime = heard.message.realtime_input or wire.LiveClientRealtimeInput()
                blob = realtime.audio or realtime.media_chunks[0]
                pcm += blob.data or b""
                heard_for += len(blob.data or b"") / 2 / rate_of(blob)
                if heard_for >= seconds:
                    return bytes(pcm)
        raise self._late(within, f"{heard_for:.2f} s of sound had come")

    async def expect_tool_response(
        self,
        call_id: str | None = None,
        *,
        name: str | None = None,
        within: float = math.inf,
    ) -> wire.FunctionResponse:
        """Wait for the answer to a call; of several in one message the others stay for later.

        Args:
          call_id: Which call; ``None`` for any.
          name: The function; ``None`` for any.
          within: Seconds until then.

        Returns:
          The answer.

        Raises:
          ScriptMismatch: another message came, the connection ended, or nothing came in time.
        """

        def fits(response: wire.FunctionResponse) -> bool:
            return call_id in (None, response.id) and name in (None, response.name)

        def test(message: wire.LiveClientMessage) -> str | None:
            answers = message.tool_response
            if answers is None:
                return "it is no tool response"
            return None if any(map(fits, answers.function_responses)) else ""

        wanted = arguments(call_id=call_id, name=name)
        heard = await self._take(f"expect_tool_response({wanted})", test, within=within)
        assert heard.message.tool_response is not None
        answers = list(heard.message.tool_response.function_responses)
        found = next(filter(fits, answers))
        answers.remove(found)
        if answers and self._inbox is not None:
            rest = wire.LiveClientToolResponse(function_responses=answers)
            message = attrs.evolve(heard.message, tool_response=rest)
            self._inbox.put_back(attrs.evolve(heard, message=message))
        return found

    async def expect_nothing(self, seconds: float) -> None:
        """Wait so long, in which no message may come but sound, pictures and marks.

        The connection has to stay, unless ``expect_end`` was there before.

        Raises:
          ScriptMismatch: something came, or the connection ended.
        """
        self._begin(f"expect_nothing({seconds:g})")
        with trio.move_on_after(seconds):
            inbox = self._current()
            while True:
                while inbox.heard:
                    heard = inbox.take()
                    if heard.matters:
                        raise self._mismatch(heard, "")
                self._refuse_lost(inbox)
                self._refuse_strays()
                self._refuse_illegal()
                if inbox.ended and not inbox.seen_over:
                    raise self._failed(f"the connection is over: {inbox.connection.ending}")
                await self._changed.park()

    async def expect_end(
        self,
        *,
        by: Literal["client", "server", "nobody"] | None = None,
        code: int | None = None,
        within: float = math.inf,
    ) -> Ending:
        """Wait until the connection is over.

        Args:
          by: Who must have ended it; ``None``: anybody.
          code: With which close code; 1006 is the end without a close frame. ``None``: any.
          within: Seconds until then.

        Returns:
          How it ended.

        Raises:
          ScriptMismatch: it ended otherwise, not in time, or a message came before that.
        """
        self._begin(f"expect_end({arguments(by=by, code=code)})")
        with trio.move_on_after(within):
            inbox = self._current()
            await trio.lowlevel.checkpoint()
            while True:
                self._refuse_leftovers()
                if inbox.ended:
                    break
                await self._changed.park()
            ending = await inbox.connection.wait_ended()
            inbox.seen_over = True
            self._illegal.pop(inbox.connection.number, None)  # what it ended with
            if by not in (None, ending.by) or code not in (None, ending.code):
                raise self._failed(f"the connection is over: {ending}")
            return ending
        raise self._late(within)

    async def do(self, line: str) -> None:
        """Carry out a command, such as ``"goaway 5"``; the commands are listed in the documents.

        Raises:
          ScriptError: there is no such command, or a word doesn't fit.
          trio.BrokenResourceError: the connection is over.
        """
        try:
            await read_order(line.removeprefix("!")).obey(self, self)
        except ValueError as error:
            raise ScriptError(str(error)) from None

    # --- How a step goes ---

    def _begin(self, shown: str) -> None:
        if self._doing:
            self._done.append(f"{self._steps} {self._doing}")
        self._steps += 1
        self._doing = shown

    def _where(self) -> str:
        place = f"{self.place}, " if self.place else ""
        return f"{place}step {self._steps}, {self._doing}" if self._steps else f"{place}step 1"

    def _current(self) -> Inbox:
        if self._inbox is None:
            raise ScriptError("There is no connection yet: a script begins with connected().")
        return self._inbox

    async def _take(
        self,
        shown: str,
        test: Test,
        *,
        within: float,
        skip: bool = False,
    ) -> Heard:
        self._begin(shown)
        with trio.move_on_after(within):
            return await self._next(test, skip=skip)
        raise self._late(within)

    async def _next(self, test: Test, *, skip: bool) -> Heard:
        """Wait for a message that passes the test, which returns ``None`` or says what is wrong."""
        inbox = self._current()
        await trio.lowlevel.checkpoint()
        while True:
            while inbox.heard:
                heard = inbox.take()
                wrong = test(heard.message)
                if wrong is None:
                    return heard
                if heard.matters and self.strict and not skip:
                    raise self._mismatch(heard, wrong)
            self._refuse_lost(inbox)
            self._refuse_strays()
            self._refuse_illegal()
            if inbox.ended:
                ending = inbox.connection.ending
                raise self._failed(f"the connection is over: {ending}")
            await self._changed.park()

    def _refuse_leftovers(self) -> None:
        inbox = self._inbox
        while inbox is not None and inbox.heard:
            heard = inbox.take()
            if heard.matters and self.strict:
                raise self._mismatch(heard, "")
        if inbox is not None and self.strict:
            self._refuse_lost(inbox)
        self._refuse_strays()

    def _refuse_lost(self, inbox: Inbox) -> None:
        if inbox.lost:
            raise self._failed(f"too much came at once, and {inbox.lost} had to be forgotten")

    def _refuse_strays(self) -> None:
        if self._stray and self.strict:
            raise self._failed(self._stray)

    def _refuse_illegal(self) -> None:
        illegal = next(iter(self._illegal.values()), None)
        if illegal is not None and self.strict:
            when = illegal.time - self._began
            why = "" if illegal.why == illegal.reason else f" ({illegal.why})"
            raise self._failed(
                f"the client sent what is illegal (connection {illegal.connection}, at "
                f"{when:.2f} s): {illegal.code} {illegal.reason.rstrip('.')}{why}"
            )

    def _check_setup(
        self, wanted: Mapping[str, Any] | Callable[[wire.LiveClientSetup], bool] | None
    ) -> None:
        setup = self.connection.setup
        if isinstance(wanted, Mapping):
            test, _ = make_test({"setup": wanted})
            wrong = test(wire.LiveClientMessage(setup=setup))
            if wrong is not None:
                raise self._failed(f"the setup doesn't fit: {wrong}")
        elif wanted is not None and not wanted(setup):
            raise self._failed("the setup doesn't fit: the function says no")

    def _mismatch(self, heard: Heard, why: str) -> ScriptMismatch:
        why = f": {why}" if why else ""
        return self._failed(f"{self._told(heard, self.connection)}{why}")

    def _told(self, heard: Heard, connection: ServerConnection) -> str:
        when = heard.time - self._began
        sent = f"the client sent {describe(heard.message)}"
        return f"{sent} (connection {connection.number}, at {when:.2f} s)"

    def _late(self, seconds: float, more: str = "") -> ScriptMismatch:
        return self._failed(f"it didn't come within {seconds:g} s{more and f'; {more}'}")

    def _failed(self, got: str) -> ScriptMismatch:
        before = f" Before it: {'; '.join(self._done)}." if self._done else ""
        text = f"The script failed at {self._where()}: {got}.{before}"
        return ScriptMismatch(text, step=self._steps, expected=self._doing, got=got)

    # --- Its life ---

    async def _perform(self, script: Script, scope: trio.CancelScope) -> None:
        """Run the script; if it fails, keep why and cancel the scope."""
        try:
            await script(self)
            self._complete = True
            log.info("the script is complete")
        except trio.BrokenResourceError as error:
            self._failure = self._failed(f"{error}, so nothing can be sent")
            self._failure.__cause__ = error
        except BaseExceptionGroup as group:
            cancelled, rest = group.split(trio.Cancelled)
            if not isinstance(rest, ExceptionGroup):
                raise
            rest.add_note(f"It came from the script, at {self._where()}.")
            self._failure = rest
            if cancelled is not None:
                raise cancelled from None
        except Exception as error:  # noqa: BLE001 (raised from the block)
            if not isinstance(error, ScriptMismatch):
                error.add_note(f"It came from the script, at {self._where()}.")
            self._failure = error
        finally:
            self._over.set()
            if self._failure is not None:
                scope.cancel()

    async def _finish(self) -> Exception | None:
        """Give the script a moment to come to its end, and tell what is wrong with it."""
        with trio.move_on_after(FINISH_SECONDS):
            await self._over.wait()
        return self._problem()

    def _problem(self) -> Exception | None:
        if self._failure is not None:
            return self._failure
        if not self._complete:
            text = f"The script isn't over: it has got to {self._where()}."
            return ScriptMismatch(text, step=self._steps, expected=self._doing)
        self._doing = "the end of the script"
        try:
            self._refuse_leftovers()
            self._refuse_illegal()
            for inbox in self._arrived:
                self._pass_over(inbox)
            self._refuse_strays()
        except ScriptMismatch as mismatch:
            self._failure = mismatch
        return self._failure

    # --- What the simulator tells it ---

    def arrived(self, connection: ServerConnection) -> None:
        """A connection finished its setup."""
        if len(self._arrived) == MOST_ARRIVALS:
            forgotten = self._arrived.popleft()
            self._inboxes.pop(forgotten.connection, None)
            self._pass_over(forgotten)
        inbox = Inbox(connection)
        self._inboxes[connection] = inbox
        self._arrived.append(inbox)
        self._changed.unpark_all()

    def heard(
        self, connection: ServerConnection, message: wire.LiveClientMessage, size: int
    ) -> None:
        """A message was taken."""
        inbox = self._inboxes.get(connection)
        heard = Heard(trio.current_time(), message, size)
        if inbox is not None:
            inbox.put(heard, most=MOST_BYTES if inbox is self._inbox else MOST_WAITING_BYTES)
        elif heard.matters and self.strict:
            self._stray = self._stray or self._told(heard, connection)
        self._changed.unpark_all()

    def left(self, connection: ServerConnection) -> None:
        """A connection is over."""
        inbox = self._inboxes.pop(connection, None)
        if inbox is not None:
            inbox.ended = True
            self._changed.unpark_all()

    def _broken(self, violation: Violation) -> None:
        """A frame was illegal; in lenient mode that is passed over."""
        if self.strict and not self._hub.legality.lenient and len(self._illegal) < MOST_ARRIVALS:
            self._illegal.setdefault(violation.connection, violation)
            self._changed.unpark_all()

    def _pass_over(self, inbox: Inbox) -> None:
        """Note what came on a connection that the script won't come to."""
        if inbox.lost and self.strict and not self._stray:
            number = inbox.connection.number
            self._stray = f"the client sent {inbox.lost} (connection {number})"
        for heard in inbox.heard:
            if heard.matters and self.strict and not self._stray:
                self._stray = self._told(heard, inbox.connection)


Script: TypeAlias = Callable[[Scene], Awaitable[None]]
"""What the service does: an async function of the ``Scene``."""
