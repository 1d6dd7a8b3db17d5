"""Whose turn it is, as far as the service's messages tell.

A generation is one run of output, from its first piece to ``turnComplete``. Generated, complete and
idle are three facts: the answer may be made long before it has been spoken, and a complete turn may
be followed by another without the user saying anything (``interactionStatus: IN_PROGRESS``).
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable

import attrs

from .. import wire

__all__ = ["Progress", "Turns"]

MOST_CALLS = 1_000
"""Open calls that are kept; the oldest will hardly be answered any more."""

_log = logging.getLogger("gemini_live_trio.turns")


class Progress(enum.Enum):
    """Where the model's turn stands."""

    IDLE = "idle"
    """Nothing was asked yet, or all was answered."""
    GENERATING = "generating"
    """Output is coming in."""
    GENERATED = "generated"
    """All of the output was made; it is being spoken, as far as the service knows."""
    INTERRUPTED = "interrupted"
    """The output was cut; ``turnComplete`` follows."""


_RUNNING = (Progress.GENERATING, Progress.GENERATED, Progress.INTERRUPTED)


@attrs.define
class Turns:
    """Fed with every message; asked what it means."""

    generation: int = 0
    """Number of the newest run of output, from 1."""
    progress: Progress = Progress.IDLE
    generated: bool = False
    """All of the newest run of output was made."""
    complete: bool = False
    """It has been spoken, as far as the service knows."""
    interrupted: bool = False
    """The user cut into it."""
    in_progress: bool = False
    """The model goes on without the user: more turns follow."""
    user_speaking: bool = False
    """The service hears speech."""
    outputs: int = 0
    """How many messages had output in them."""
    calls: dict[str, bool] = attrs.field(factory=dict)
    """Open tool calls by id, and whether the model waits for the answer."""
    thinking: bool = False
    """The newest output was reasoning."""

    @property
    def idle(self) -> bool:
        """Whether nothing more will come unless the user says something."""
        return (
            self.progress is Progress.IDLE and not self.in_progress and not any(self.calls.values())
        )

    @property
    def busy(self) -> bool:
        """Whether moving to another connection now would cut something."""
        return (
            self.progress is not Progress.IDLE
            or self.in_progress
            or self.user_speaking
            or any(self.calls.values())
        )

    def received(
        self, message: wire.LiveServerMessage, blocks: Callable[[str | None], bool]
    ) -> bool:
        """Note what a message says; tell whether it begins a new generation.

        Args:
          message: What came.
          blocks: Whether the model waits for the answer of a function, by its name.
        """
        begins = self._note_output(message)
        content = message.server_content
        status = message.interaction_status
        if content is not None:
            if content.generation_complete:
                self._expect("generationComplete", Progress.GENERATING, Progress.INTERRUPTED)
                self.generated = self.progress is not Progress.IDLE or self.generated
                if self.progress is Progress.GENERATING:
                    self.progress = Progress.GENERATED
            if content.interrupted:
                self._expect("interrupted", Progress.GENERATING, Progress.GENERATED)
                if self.progress is not Progress.IDLE:
                    self.progress = Progress.INTERRUPTED
                    self.interrupted = True
            if content.turn_complete:
                self._expect("turnComplete", *_RUNNING)
                if self.progress is Progress.INTERRUPTED:
                    # Measured on 3.8: a call that the turn waited for is dropped without a word.
                    self.calls = dict.fromkeys(self.calls, False)
                self.complete = self.progress is not Progress.IDLE or self.complete
                self.progress = Progress.IDLE
                self.thinking = False
            status = content.interaction_status or status
            if content.turn_complete or status is not None:
                self.in_progress = status == wire.InteractionStatus.IN_PROGRESS
        elif status is not None:
            self.in_progress = status == wire.InteractionStatus.IN_PROGRESS
        if message.tool_call is not None:
            for call in message.tool_call.function_calls:
                if call.id is not None:
                    self.calls[call.id] = blocks(call.name)
            while len(self.calls) > MOST_CALLS:
                del self.calls[next(iter(self.calls))]
        if message.tool_call_cancellation is not None:
            for call_id in message.tool_call_cancellation.ids:
                self.calls.pop(call_id, None)
        activity = message.voice_activity
        if activity is not None:
            self.user_speaking = (
                activity.voice_activity_type == wire.VoiceActivityType.ACTIVITY_START
            )
        return begins

    def _expect(self, what: str, *wanted: Progress) -> None:
        """Say what doesn't fit; the service does such things, and they are no fault of the user."""
        if self.progress not in wanted:
            _log.info("%s came while the turn was %s", what, self.progress.value)

    def answered(self, call_ids: tuple[str, ...]) -> None:
        """The user answered these calls."""
        for call_id in call_ids:
            self.calls.pop(call_id, None)

    def disconnected(self) -> None:
        """A turn that was cut with its connection is over; its calls may be answered yet."""
        self.progress = Progress.IDLE
        self.in_progress = self.user_speaking = self.thinking = False

    def _note_output(self, message: wire.LiveServerMessage) -> bool:
        content = message.server_content
        spoken = content is not None and (
            (content.model_turn is not None and bool(content.model_turn.parts))
            or (
                content.output_transcription is not None and bool(content.output_transcription.text)
            )
        )
        if not spoken and message.tool_call is None:
            return False
        self.outputs += 1
        if content is not None and content.model_turn is not None:
            self.thinking = all(bool(part.thought) for part in content.model_turn.parts)
        if self.progress in (Progress.GENERATING, Progress.INTERRUPTED, Progress.GENERATED):
            # Late output of the generation that is known already.
            return False
        self.progress = Progress.GENERATING
        self.generated = self.complete = self.interrupted = False
        self.generation += 1
        return True
