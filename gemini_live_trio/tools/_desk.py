"""The place in a session where calls come in and answers go out; one for all its runners.

The session tells it what happened, from its own tasks and without waiting, so that no call is ever
missed, however slowly events are received. It keeps the ledger, hands calls to the crew whose
tool is meant, refuses those that nobody serves, and tells what came of each.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import trio

from .. import codec, wire
from .._conversation import Fate, Outgoing, Ticket
from ..errors import GeminiLiveError, ToolError
from ..events import Event, ToolEnded, ToolProgress
from ._arguments import ArgumentsError
from ._call import Call
from ._declaring import declared_names, scheduling_of
from ._ledger import MOST_RESULTS, Entry, Ledger, Run, Stage
from ._results import Answer, failure

if TYPE_CHECKING:
    from .._session._core import Core
    from ._crew import Crew
    from ._tool import Tool

__all__ = ["Desk"]

ASKED_AGAIN_WITHIN: Final = 3.0
"""Seconds after a reconnect in which the service may ask again for what it has forgotten; what was
not confirmed is sent to it after two."""
TOLD_WITHIN: Final = 15.0
"""Seconds after which a result is told in words even if that interrupts."""

MOST_ARGS: Final = 1_000
"""Characters of a call's arguments that are repeated in words."""

_SHUTTING_DOWN: Final = "The program is shutting down, so this was not done."
_STOPPED: Final = "The program has stopped this; whether it was done isn't known."
"""Of what had begun nobody can tell: a thread goes on, and so does what must finish."""

_log = logging.getLogger("gemini_live_trio.tools")


class Desk:
    """Made by a session that has tools to run."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.ledger: Ledger = Ledger(restores=core.conversation.capability.resume_restores)
        self.crews: list[Crew] = []
        self._tools: dict[str, Crew] = {}
        """Who serves which function."""
        self._left: set[str] = set()
        """Functions whose crew is gone."""
        self.closing: bool = False
        self._connected_at = -math.inf
        self._moment = math.inf
        """What the runners wait for."""

    # --- Runners ---------------------------------------------------------------------------

    def join(self, crew: Crew) -> None:
        """Have a crew serve its tools from now on."""
        self.crews.append(crew)
        for tool in crew.tools:
            self._tools[tool.name] = crew
            self._left.discard(tool.name)
        if crew.policy.same_call is not None:
            self.ledger.most_results = MOST_RESULTS

    def leave(self, crew: Crew) -> None:
        """A crew ends: its calls are refused, and told so."""
        self._core.gather_callers()
        self._refuse_open([entry for entry in self.ledger.open if _owner(entry) is crew])
        for tool in crew.tools:
            if self._tools.get(tool.name) is crew:
                del self._tools[tool.name]
                self._left.add(tool.name)
        if crew in self.crews:
            self.crews.remove(crew)

    @property
    def tools(self) -> Sequence[Tool]:
        """All that are served."""
        return [tool for crew in self.crews for tool in crew.tools]

    # --- What the session tells --------------------------------------------------------------

    def received(self, message: wire.LiveServerMessage, now: float) -> None:
        """A message came in, and was told to the receivers."""
        if message.tool_call is not None:
            for call in message.tool_call.function_calls:
                self._called(call, now)
        content = message.server_content
        if content is not None and content.model_turn is not None:
            for part in content.model_turn.parts:
                if part.function_call is not None and part.function_call.id:
                    self._called(part.function_call, now)
        if message.tool_call_cancellation is not None:
            self.ledger.cancelled(message.tool_call_cancellation.ids, now)
        update = message.session_resumption_update
        if update is not None and update.resumable and update.new_handle:
            self.ledger.handle_issued(update.new_handle)
        self.tend(now)

    def connected(self, handle: str | None, now: float) -> None:
        """A connection is ready, resumed by a handle or fresh."""
        self._connected_at = now
        lost = self.ledger.connected(handle)
        if lost:
            self._core.conversation.forget_calls(lost, "the conversation no longer knows the call")
        self.tend(now)

    def close(self) -> None:
        """The session is about to end politely: answer what is open, and stop what runs."""
        self.closing = True
        self._refuse_open(self.ledger.open)

    def ended(self, now: float) -> None:
        """The session is over."""
        self.closing = True
        self.ledger.ended(now)
        self._tell_outcomes()

    # --- Calls -------------------------------------------------------------------------------

    def _called(self, call: wire.FunctionCall, now: float) -> None:
        name = call.name or ""
        crew = self._tools.get(name)
        if call.will_continue or (crew is None and self._is_somebody_elses(name)):
            return
        conversation = self._core.conversation
        before = self.ledger.pending(call.id)
        entry = self.ledger.called(
            call.id or None,
            name,
            call.args or {},
            now,
            blocking=conversation.blocks(name),
            nameable=self._core.backend != "gemini",
        )
        if entry is None:
            if call.id and not self.ledger.awaits(call.id):
                conversation.turns.answered((call.id,))
            return
        if before is not None and before.call.id:
            # It is gone, and so must its answer be, wherever that waits.
            self._core.gather_callers()
            conversation.delivery.cancelled((before.call.id,), before.call.reason)
            self._tell_outcomes()
        if self.closing or (crew is not None and crew.leaving):
            self.refuse(entry, _SHUTTING_DOWN, "the session is ending")
        elif crew is None:
            self._refuse_unknown(entry)
        else:
            crew.take(entry, now)

    def _is_somebody_elses(self, name: str) -> bool:
        """Whether the user answers it by hand."""
        if name in self._left:
            return False
        return name in declared_names(self._core.conversation.setup.tools)

    def _refuse_unknown(self, entry: Entry) -> None:
        name = entry.call.name
        if name in self._left:
            self.refuse(entry, f"{name} is no longer available.", "its crew is gone")
            return
        known = ", ".join(sorted(self._tools)) or "none"
        told = f"There is no function {name!r}." if name else "The call names no function."
        self.refuse(entry, f"{told} The functions are: {known}.", "unknown tool")

    def refuse(self, entry: Entry, told: str, reason: str) -> None:
        """End a call without running it, and tell the model why."""
        if self.ledger.refuse(entry, reason, trio.current_time()):
            entry.call.failed = True
            answer = failure(ToolError(told))
            if not self._core.put(self._item(entry, answer), unless_full=not self.closing):
                _log.warning("the answer to %s could not be sent: too much waits", entry.call.name)
            self._tell_outcomes()

    def _refuse_open(self, entries: Sequence[Entry]) -> None:
        now = trio.current_time()
        for entry in entries:
            if entry.stage is Stage.WAITING:
                known = entry.known
                if self.ledger.refuse(entry, "the session is ending", now) and known:
                    told = _SHUTTING_DOWN if entry.call.began_at is None else _STOPPED
                    self._core.put(self._item(entry, failure(ToolError(told))))
            elif entry.stage is Stage.UNTOLD and entry.follows is None:
                self._tell_in_words(entry)
        self._tell_outcomes()

    # --- Answers -----------------------------------------------------------------------------

    def finished(self, run: Run, answer: Answer | None, now: float) -> Sequence[Entry]:
        """A tool is over; return the calls to be answered under their ids."""
        told = self.ledger.finished(run, answer, now)
        self.tend(now)
        return told

    def misfit(self, run: Run, answer: Answer, error: ArgumentsError, now: float) -> None:
        """The model called a tool with arguments that it doesn't take."""
        for entry in self.ledger.misfit(run, now, f"bad arguments: {'; '.join(error.faults)}"):
            self._core.put(self._item(entry, answer))
        self.tend(now)

    async def answer(self, entry: Entry, answer: Answer, *, quietly: bool = False) -> None:
        """Hand an answer over; wait while too much is waiting already.

        Args:
          entry: The call.
          answer: What to say.
          quietly: It has nothing new to say after its parts.
        """
        self.ledger.handed(entry)
        try:
            await self._core.hand_over(self._item(entry, answer, listens=True, quietly=quietly))
        except BaseException as error:
            self.ledger.not_handed(entry)
            # A session that ended meanwhile has an outcome for the call, or gives it one.
            if not isinstance(error, trio.ClosedResourceError | trio.BrokenResourceError):
                raise

    def answer_now(self, entry: Entry, answer: Answer) -> None:
        """Hand an answer over that is there at once."""
        self.ledger.handed(entry)
        self._core.put(self._item(entry, answer, listens=True))

    def takes_parts(self, entry: Entry) -> bool:
        """Tell whether a part of an answer may be told by itself now."""
        capability = self._core.conversation.capability
        return (
            capability.tool_streaming
            and not entry.call.blocking
            and entry.known
            and entry.open
            and not self.closing
        )

    async def answer_in_part(self, entry: Entry, answer: Answer) -> None:
        """Hand over a part of an answer."""
        # Into a session that is ending it doesn't go any more.
        with suppress(trio.ClosedResourceError, trio.BrokenResourceError):
            await self._core.hand_over(self._item(entry, answer, partial=True))

    def _item(
        self,
        entry: Entry,
        answer: Answer,
        *,
        listens: bool = False,
        partial: bool = False,
        quietly: bool = False,
    ) -> Outgoing:
        call = entry.call
        if call.id is None and not entry.known:
            return self._in_words(entry, answer)
        capability = self._core.conversation.capability
        scheduling = scheduling_of(self._tool_of(entry), capability, blocking=call.blocking)
        if quietly and scheduling is not None:
            scheduling = wire.FunctionResponseScheduling.SILENT
        response = wire.FunctionResponse(
            id=call.id,
            name=call.name or None,
            response=answer.response,
            scheduling=scheduling,
            will_continue=True if partial else None,
            parts=answer.parts or wire.ABSENT,
        )
        try:
            frame = _frame(response)
        except GeminiLiveError as error:
            _log.warning("the answer to %r can't be written", call.name, exc_info=error)
            return self._in_words(entry, answer)
        ticket = Ticket()
        if listens:
            ticket.listener = lambda: self._answer_fared(entry, ticket.fate)
        return Outgoing(
            frame,
            ticket=ticket,
            asks=scheduling != wire.FunctionResponseScheduling.SILENT,
            call_ids=(call.id or "",),
            partial=partial,
        )

    def _tool_of(self, entry: Entry) -> Tool | None:
        """The tool that a call is for."""
        crew = self._tools.get(entry.call.name)
        return None if crew is None else crew.tool(entry.call.name)

    def _answer_fared(self, entry: Entry, fate: Fate) -> None:
        self.ledger.fate(entry, fate, trio.current_time())
        self._tell_outcomes()

    # --- In words ----------------------------------------------------------------------------

    def _tell_in_words(self, entry: Entry) -> None:
        """Tell a result to a model whose service no longer knows the call."""
        assert entry.run is not None
        assert entry.run.answer is not None
        item = self._in_words(entry, entry.run.answer)
        self.ledger.telling(entry)
        ticket = item.ticket
        assert ticket is not None
        ticket.listener = lambda: self._words_fared(entry, ticket.fate)
        self._core.put(item)

    def _words_fared(self, entry: Entry, fate: Fate) -> None:
        self.ledger.told(entry, fate, trio.current_time())
        self._tell_outcomes()

    def _in_words(self, entry: Entry, answer: Answer) -> Outgoing:
        call = entry.call
        tool = self._tool_of(entry)
        given = _as_text(call.args)
        if len(given) > MOST_ARGS:
            given = f"{given[:MOST_ARGS]}…"
        text = (
            f"[The function {call.name} was called with {given}. Its answer could not be given at "
            f"that time. It was: {_as_text(answer.response)}]"
        )
        silent = tool is not None and tool.on_result == "silent"
        if silent:
            turn = wire.Content(role="user", parts=[wire.Part(text=text)])
            content = wire.LiveClientContent(turns=[turn], turn_complete=False)
            message = wire.LiveClientMessage(client_content=content)
        else:
            message = wire.LiveClientMessage(realtime_input=wire.LiveClientRealtimeInput(text=text))
        return Outgoing(codec.encode(message), ticket=Ticket(), asks=not silent, typed=not silent)

    # --- Time --------------------------------------------------------------------------------

    def next_moment(self, now: float) -> float:
        """When to be tended, if nothing happens before."""
        moment = self.ledger.next_deadline
        for entry in self._untold():
            may_come_again = self._connected_at + ASKED_AGAIN_WITHIN
            moment = min(moment, may_come_again if now < may_come_again else self._due(entry))
        return moment

    def _untold(self) -> Sequence[Entry]:
        """What can be told in words now, if it is the time for it."""
        connected = self._core.connected_since is not None and not self.closing
        return self.ledger.untold if connected else ()

    def _due(self, entry: Entry) -> float:
        """When a result is told in words, whatever is going on."""
        if entry.call.id is None:
            return -math.inf
        return max(self._connected_at, entry.call.finished_at or 0.0) + TOLD_WITHIN

    def tend(self, now: float) -> None:
        """Do what is due."""
        for entry in self.ledger.expire(now):
            entry.call.failed = True
            if entry.known:
                self._core.put(self._item(entry, failure(ToolError(_too_late(entry.call, now)))))
        calm = now >= self._connected_at + ASKED_AGAIN_WITHIN and self._core.conversation.quiet
        for entry in self._untold():
            if calm or now >= self._due(entry):
                self._tell_in_words(entry)
                calm = False
        self._tell_outcomes()
        moment = self.next_moment(now)
        if moment != self._moment:
            self._moment = moment
            for crew in self.crews:
                crew.wake()

    # --- What came of it ---------------------------------------------------------------------

    def publish(self, event: Event) -> None:
        """Tell the program, as long as there is a session to tell of."""
        if not self._core.ended.is_set():
            # Of as long as a tool likes, or a server far away; receivers have room for so much.
            weight = len(event.text) if isinstance(event, ToolProgress) else 0
            self._core.publish(event, weight=weight)

    def _tell_outcomes(self) -> None:
        """Tell what has ended, and stop what nobody wants."""
        for run, reason in self.ledger.take_unwanted():
            if run.owner is not None:
                run.owner.stop(run, reason)
        for entry in self.ledger.take_settled():
            call = entry.call
            assert call.outcome is not None
            seconds = (call.ended_at or call.came_at) - call.came_at
            self.publish(ToolEnded(call.id, call.name, call.outcome, call.reason, seconds))


def _too_late(call: Call, now: float) -> str:
    seconds = f"{now - call.came_at:.3g} s"
    if call.began_at is None:
        return f"{call.name} had to wait in line for {seconds}, so it was not done."
    told = f"{call.name} took longer than {seconds}, so it was stopped; "
    return f"{told}whether it was done isn't known."


def _owner(entry: Entry) -> object:
    return None if entry.run is None else entry.run.owner


def _frame(response: wire.FunctionResponse) -> str:
    answer = wire.LiveClientToolResponse(function_responses=[response])
    return codec.encode(wire.LiveClientMessage(tool_response=answer))


def _as_text(value: Mapping[str, wire.JsonValue]) -> str:
    return json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))
