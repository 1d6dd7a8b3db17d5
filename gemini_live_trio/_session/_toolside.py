"""What a session does about tools: telling the desk, declaring, and holding the microphone back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import attrs

from .. import wire
from .._conversation import Handle
from ..events import InputGate
from ..statistics import ToolCounts
from ..tools._call import Call
from ..tools._declaring import declarations, declared_names
from ..tools._desk import Desk
from ..tools._tool import Tool

if TYPE_CHECKING:
    from ._core import Core

__all__ = ["ToolSide"]


class ToolSide:
    """One per session, also where no tools are run: then there is no desk, and little to do."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.desk: Desk | None = None
        """Where calls are taken in."""
        self._gated_before = (0.0, 0)
        """What had been held back when the gate was shut."""

    def open_desk(self) -> Desk:
        """Return the desk, and begin to have one."""
        if self.desk is None:
            self.desk = Desk(self._core)
        return self.desk

    def counts(self) -> ToolCounts:
        """Count the calls so far."""
        return ToolCounts() if self.desk is None else self.desk.ledger.counts()

    def served(self, call_ids: Iterable[str]) -> Call | None:
        """Return the first of these calls that is answered here, or was, or won't be any more."""
        if self.desk is None:
            return None
        by_hand = self._core.conversation.turns.calls
        for call_id in call_ids:
            call = self.desk.ledger.named(call_id)
            # An id may have gone to another call, of a function that isn't run here.
            if call is not None and (call.outcome is None or call_id not in by_hand):
                return call
        return None

    # --- What happens ------------------------------------------------------------------------

    def taken_back(self, call_ids: Iterable[str], now: float) -> None:
        """The service no longer wants the answers to these calls; those on their way go next."""
        if self.desk is not None:
            self.desk.ledger.cancelled(call_ids, now)

    def received(self, message: wire.LiveServerMessage, now: float) -> None:
        """A message came in, and was told to the receivers."""
        self.tend_gate(now, "cancelled")
        if self.desk is not None:
            self.desk.received(message, now)

    def connected(self, handle: Handle | None, now: float) -> None:
        """Another connection is ready, with or without the calls of the one before."""
        if self.desk is not None:
            self.desk.connected(None if handle is None else handle.text, now)
        self.tend_gate(now, "reconnected")

    def closing(self) -> None:
        """The session is about to end politely."""
        if self.desk is not None:
            self.desk.close()

    def ended(self, now: float) -> None:
        """The session is over."""
        if self.desk is not None:
            self.desk.ended(now)

    # --- Declarations ------------------------------------------------------------------------

    def declare(self, tools: Sequence[Tool]) -> None:
        """Have the next connection declare these tools too."""
        self._core.gather_callers()
        known = self._core.conversation.setup.tools
        names = declared_names(known)
        self._set([*known, *self._as_declared([one for one in tools if one.name not in names])])

    def undeclare(self, names: Collection[str]) -> None:
        """Have the next connection leave these functions out."""
        self._core.gather_callers()
        tools = []
        for group in self._core.conversation.setup.tools:
            kept = [one for one in group.function_declarations if one.name not in names]
            if len(kept) < len(group.function_declarations):
                group = attrs.evolve(group, function_declarations=kept or wire.ABSENT)
            if group != wire.Tool():
                tools.append(group)
        self._set(tools)

    def with_ours(self, tools: Sequence[wire.Tool]) -> Sequence[wire.Tool]:
        """Add to what a user declares the tools that are run here."""
        served = [] if self.desk is None else self.desk.tools
        others = declared_names(tools)
        return [*tools, *self._as_declared([tool for tool in served if tool.name not in others])]

    def _as_declared(self, tools: Sequence[Tool]) -> Sequence[wire.Tool]:
        declared = declarations(tools, self._core.conversation.capability)
        return [wire.Tool(function_declarations=declared)] if declared else []

    def _set(self, tools: Sequence[wire.Tool]) -> None:
        conversation = self._core.conversation
        conversation.setup = attrs.evolve(conversation.setup, tools=tools or wire.ABSENT)

    # --- The microphone ----------------------------------------------------------------------

    def tend_gate(self, now: float, why: str) -> None:
        """Shut the microphone off, or let it through again, as open calls want it.

        Args:
          now: When.
          why: The reason if it is let through.
        """
        conversation = self._core.conversation
        gate, delivery = conversation.gate, conversation.delivery
        idle = not gate.closed and not conversation.turns.calls
        if not gate.used or idle or not conversation.tend_gate(now):
            return
        gated = delivery.gated_audio_seconds, delivery.gated_video_frames
        if gate.closed:
            self._gated_before = gated
            self._core.publish(InputGate(open=False, reason="the model waits for a tool"))
        else:
            before = self._gated_before
            self._core.publish(
                InputGate(
                    open=True,
                    reason=why,
                    dropped_audio_seconds=gated[0] - before[0],
                    dropped_video_frames=gated[1] - before[1],
                )
            )
        # The send task has something to write, perhaps, and another moment to wait for.
        self._core.wake()
