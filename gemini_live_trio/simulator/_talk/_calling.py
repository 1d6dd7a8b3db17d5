"""The calls of one conversation: opening, answering and dropping them.

Calls outlive a connection, so they are in the session's state; what is here is how they come
there and go. A call is *held* when a turn stands still until it is answered. Held calls end with
their turn, others stay open until they are answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs
import trio

from ... import wire
from .._checks._profiles import Profile
from .._checks._refused import CATCH_ALL, Refused
from .._mind._hands import Answer, Call, OpenCall, answers_to, declarations, new_id, waits
from .._sessions import Session, Turn

__all__ = ["Calling", "Taken"]

_MOST_DROPPED: Final = 256


@attrs.frozen
class Taken:
    """What a message of answers leads to.

    Attributes:
      counts: Whether any of them answered an open call.
      spoken: What is to be spoken of.
      silent: What is only to be remembered.
      interrupts: Whether the first is to be spoken of at once.
    """

    counts: bool = False
    spoken: Turn | None = None
    silent: Turn | None = None
    interrupts: bool = False


class Calling:
    """The calls of a session, as one connection sees them."""

    def __init__(self, session: Session, tools: Sequence[wire.Tool], profile: Profile) -> None:
        self._session = session
        self._profile = profile
        self._declared = declarations(tools)
        self._dropped: list[str] = []
        self._news = trio.Event()

    def declare(self, tools: Sequence[wire.Tool]) -> None:
        """Exchange what is declared."""
        self._declared = declarations(tools)

    @property
    def holding(self) -> bool:
        """Whether a turn stands still until a call is answered."""
        return any(call.held for call in self._session.state.calls.values())

    @property
    def blocked(self) -> bool:
        """Whether a call is open that the model is one to wait for."""
        return any(call.blocking for call in self._session.state.calls.values())

    def would_hold(self, calls: Sequence[Call]) -> bool:
        """Whether the turn would wait for any of these calls."""
        return any(waits(self._declared.get(call.name), self._profile) for call in calls)

    @contextmanager
    def opened(self, calls: Sequence[Call]) -> Iterator[list[wire.FunctionCall]]:
        """Open calls while they are being sent; what couldn't be sent isn't open."""
        state = self._session.state
        made = []
        for call in calls:
            name = new_id(self._profile.call_id, state.calls)
            held = waits(self._declared.get(call.name), self._profile)
            state.calls = {**state.calls, name: OpenCall(call.name, held, held)}
            # Measured: args are there even when they are empty.
            made.append(wire.FunctionCall(id=name, name=call.name, args=dict(call.args)))
        turn = Turn(role="model", calls=tuple(calls))
        state.add(turn)
        try:
            yield made
        except BaseException:
            state.history = tuple(old for old in state.history if old is not turn)
            gone = {call.id for call in made}
            state.calls = {name: call for name, call in state.calls.items() if name not in gone}
            raise

    def note(self, made: wire.LiveServerToolCall) -> None:
        """Open the calls in a message, those that aren't open yet; no turn waits for them."""
        state = self._session.state
        for call in made.function_calls:
            if call.id and call.id not in state.calls:
                blocking = waits(self._declared.get(call.name or ""), self._profile)
                state.calls = {**state.calls, call.id: OpenCall(call.name or "", blocking)}

    def cancel(self, ids: Sequence[str]) -> None:
        """Close calls whose answers aren't wanted any more."""
        state = self._session.state
        gone = [call for name, call in state.calls.items() if name in ids]
        state.calls = {name: call for name, call in state.calls.items() if name not in ids}
        held = [Answer(call.name, {"error": "cancelled"}) for call in gone if call.held]
        if held:
            state.add(Turn.of_answers(held))
            self._wake()

    def drop_held(self) -> None:
        """Close the calls that a turn waited for, since that turn is over."""
        state = self._session.state
        gone = [name for name, call in state.calls.items() if call.held]
        if gone:
            state.calls = {name: call for name, call in state.calls.items() if not call.held}
            self._dropped = (self._dropped + gone)[-_MOST_DROPPED:]

    def take_dropped(self) -> list[str]:
        """The ids of the calls that were dropped since this was last asked."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def take(self, responses: Sequence[wire.FunctionResponse]) -> Taken:
        """Take answers.

        Raises:
          Refused: the model doesn't let its client say when to speak of an answer.
        """
        state = self._session.state
        answered, left = answers_to(state.calls, responses)
        if not self._profile.schedules and any(one.scheduling for one in answered):
            raise Refused(1007, CATCH_ALL, "this model takes no scheduling")
        state.calls = left
        held = [one.answer for one in answered if one.call.held]
        if held:
            state.add(Turn.of_answers(held))
            self._wake()
        free = [one for one in answered if not one.call.held]
        silent = [one.answer for one in free if one.scheduling == "SILENT"]
        spoken = [one.answer for one in free if one.scheduling != "SILENT"]
        return Taken(
            counts=bool(answered),
            spoken=Turn.of_answers(spoken) if spoken else None,
            silent=Turn.of_answers(silent) if silent else None,
            # INTERRUPTED is how the prose of a model page spells it.
            interrupts=any(one.scheduling in {"INTERRUPT", "INTERRUPTED"} for one in free),
        )

    async def wait_answered(self) -> None:
        """Wait until no turn stands still any more."""
        while self.holding:
            await self._news.wait()

    def _wake(self) -> None:
        self._news.set()
        self._news = trio.Event()
