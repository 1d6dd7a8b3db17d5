"""Which answers are due, where a program decides what is said when."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import trio

from .. import LiveSession
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
from ._patience import (
    AFTER_RECONNECT,
    ANSWERED,
    FOR_USAGE,
    SILENT,
    TRANSCRIBED,
    ends_no_turns,
)
from ._render import turn_is_over

__all__ = ["Turns"]


class Turns:
    """What is known of the turns, by what was asked for and by the events that were shown.

    Args:
      session: Knows what its events don't tell: whether a call's result is part of the turn that
        runs, or begins another.

    Attributes:
      speaking: Sound was sent, and nothing says yet that it is over.
      calls: The names of the functions whose results the model waits for, by the calls' ids.
    """

    def __init__(self, session: LiveSession) -> None:
        self.speaking = False
        self.calls: dict[str, str] = {}
        self._session = session
        self._endless = ends_no_turns(session.setup.model or "")
        self._due = False
        self._running = False
        self._older = False
        """A turn was running when the newest thing was said; its end is no answer to that."""
        self._cut = False
        """A turn was interrupted, and has still to end; that end answers nothing."""
        self._answered = False
        """A turn has ended since sound began."""
        self._gave_up = False
        """Nothing came for too long, so nothing is waited for until something is said."""
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
        self._older = self._running
        self._expect(SILENT, perhaps=False)

    def silenced(self) -> None:
        """The model was asked to stop, and nothing else."""
        self._due = False
        self._notify()

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
        if response.scheduling != FunctionResponseScheduling.SILENT and not self.busy:
            self.asked()
        self._expect(self._patience, perhaps=self._perhaps)

    def _expect(self, patience: float, *, perhaps: bool) -> None:
        self._patience, self._perhaps = patience, perhaps
        self._news_at = trio.current_time()
        self._gave_up = False
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
                self._cut = True
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
            self._running, self._uncounted = False, True
            if not self._cut:
                self._answered = True
                self._due = self._due and self._older
            self._older = self._cut = False
        self._news_at = trio.current_time()
        self._notify()

    def _came(self) -> None:
        if self._cut:  # so that this is the next turn
            self._older = self._cut = False
        self._running = True
        self._gave_up = False
        self._patience = TRANSCRIBED if self._endless else SILENT
        self._perhaps = self._endless

    def _notify(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    # --- Waiting ---------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether an answer runs or is due."""
        if self._due or self._running:
            return True
        if self.calls or self._endless or self._gave_up:
            return False  # the session would wait for calls too, and for what won't come
        return not self._session.turn_state.idle

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
            self._due = self._running = self._older = self._cut = False
            self._gave_up = True
            if not perhaps:
                raise ConversationFailed(f"The model did not answer within {patience:g} s.")
