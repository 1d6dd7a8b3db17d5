"""Which answers are due, where a program decides what is said when."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import trio

from ..errors import ConfigError
from ..events import (
    Event,
    InputTranscription,
    Interrupted,
    ModelAudio,
    ModelText,
    ModelThought,
    OutputTranscription,
    Reconnected,
    Stalled,
    ToolCall,
    ToolCallCancellation,
    Usage,
)
from ..wire import FunctionResponse, FunctionResponseScheduling
from ._errors import ConversationFailed
from ._patience import AFTER_RECONNECT, ANSWERED, FOR_USAGE, SILENT, TRANSCRIBED, ends_no_turns
from ._render import turn_is_over

__all__ = ["Turns"]


class Turns:
    """What is known of the turns, by what was asked for and by the events that were shown.

    Args:
      model: Whose.

    Attributes:
      speaking: Sound was sent, and nothing says yet that it is over.
      calls: The names of the functions whose results the model waits for, by the calls' ids.
    """

    def __init__(self, model: str) -> None:
        self.speaking = False
        self.calls: dict[str, str] = {}
        self._endless = ends_no_turns(model)
        self._due = False
        self._running = False
        self._older = False
        """A turn was running when the newest thing was said; its end is no answer to that."""
        self._cut = False
        """That turn was interrupted; what comes next isn't its."""
        self._answered = False
        """A turn has ended since sound began."""
        self._uncounted = False
        self._patience = SILENT
        self._perhaps = False
        """Perhaps there is nothing more to come, and then that is no failure."""
        self._changed = trio.Event()
        self._news_at = trio.current_time()

    # --- What is said ----------------------------------------------------------------------

    def asked(self) -> None:
        """Something was said that calls for an answer."""
        self._due = True
        self._older, self._cut = self._running, False
        self._expect(SILENT, perhaps=False)

    def sound_came(self) -> None:
        """A piece of sound is sent."""
        if not self.speaking:
            self.speaking, self._answered = True, False

    def sound_ended(self) -> None:
        """What the microphone heard is over."""
        self.speaking = False
        if not self._answered:
            self.asked()
        elif not self.busy:
            self._due = True
            self._expect(ANSWERED, perhaps=True)

    def answered_call(self, response: FunctionResponse) -> None:
        """A call was answered."""
        if not response.will_continue:
            self.calls.pop(response.id or "", None)
        silent = response.scheduling == FunctionResponseScheduling.SILENT
        if not self.busy and not silent:
            self.asked()
        self._notify()

    def _expect(self, patience: float, *, perhaps: bool) -> None:
        self._patience, self._perhaps = patience, perhaps
        self._news_at = trio.current_time()
        self._notify()

    # --- What comes ------------------------------------------------------------------------

    def seen(self, event: Event) -> None:
        """Learn from an event that was shown."""
        match event:
            case Stalled() | ModelAudio(stale=True):
                return  # the silence goes on
            case ModelText() | ModelAudio() | OutputTranscription() | ModelThought():
                self._came()
            case InputTranscription() if self._endless:
                self._came()
            case Interrupted():
                self._running, self._cut = False, True
            case ToolCall(id=str(call_id), name=name):
                self.calls[call_id] = name
            case ToolCallCancellation(ids=ids):
                for call_id in ids:
                    self.calls.pop(call_id, None)
            case Reconnected():
                self._patience = AFTER_RECONNECT
            case Usage():
                self._uncounted = False
        if turn_is_over(event):
            self._running, self._answered, self._uncounted = False, True, True
            self._due = self._due and self._older
            self._older = False
        self._news_at = trio.current_time()
        self._notify()

    def _came(self) -> None:
        self._older = self._older and not self._cut
        self._running = True
        self._patience = TRANSCRIBED if self._endless else SILENT
        self._perhaps = self._endless

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    # --- Waiting ---------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether an answer runs or is due."""
        return self._due or self._running

    async def wait_for_turn(self) -> None:
        """Wait for the end of the answer that runs or is due.

        Raises:
          ConversationFailed: It doesn't come.
        """
        if self.speaking and not self.busy and not self._answered:
            self.asked()
        await self._wait(lambda: not self.busy)

    async def wait_until_idle(self) -> None:
        """Wait until the model has nothing to say and waits for no function.

        Raises:
          ConversationFailed: An answer doesn't come.
        """
        await self._wait(lambda: not self.busy and not self.calls)

    async def wait_for_the_last(self) -> None:
        """Wait for the end of the answer, where nobody is left to answer calls.

        Raises:
          ConversationFailed: The answer doesn't come, or the model waits for a function.
        """
        await self._wait(lambda: not self.busy or bool(self.calls))
        if self.busy:
            names = ", ".join(self.calls.values())
            raise ConversationFailed(f"The input ended while the model waits for {names}.")
        with trio.move_on_after(FOR_USAGE):
            while self._uncounted:
                await self._changed.wait()

    def check_calls(self, responses: Sequence[FunctionResponse]) -> None:
        """Refuse answers that nobody waits for.

        Raises:
          ConfigError: There is such a one.
        """
        for response in responses:
            if response.id not in self.calls:
                raise ConfigError(f"No call {response.id!r} waits for an answer.")

    async def _wait(self, over: Callable[[], bool]) -> None:
        with trio.CancelScope() as scope:
            while not over():
                # A function may take its time.
                scope.deadline = math.inf if self.calls else self._news_at + self._patience
                await self._changed.wait()
        if scope.cancelled_caught:
            perhaps, patience = self._perhaps, self._patience
            self._due = self._running = False
            if not perhaps:
                raise ConversationFailed(f"The model did not answer within {patience:g} s.")
