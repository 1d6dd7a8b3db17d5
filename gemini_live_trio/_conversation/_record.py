"""What was said, kept for the case that the service forgets it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import attrs

from .. import wire

__all__ = ["Record"]

MOST_CHARACTERS = 64 * 2**10
"""About 16,000 tokens; the oldest turns make room."""


@attrs.define
class _Turn:
    role: str
    text: str
    heard: bool = False
    """From a transcription, which goes on until the other side speaks."""


class Record:
    """Turns in text, each with its speaker, cut where the user interrupted."""

    def __init__(self, history: Sequence[wire.Content] = ()) -> None:
        self._turns: deque[_Turn] = deque()
        self._characters = 0
        for content in history:
            text = "".join(part.text or "" for part in content.parts)
            self.said(content.role or "user", text)

    def said(self, role: str, text: str) -> None:
        """Note a whole utterance."""
        if text:
            self._add(_Turn(role, text))

    def received(self, message: wire.LiveServerMessage) -> None:
        """Note what a message adds to either side."""
        content = message.server_content
        if content is None:
            return
        if content.input_transcription is not None:
            self._heard("user", content.input_transcription.text)
        if content.interrupted:
            # What comes with or after the interruption was never heard.
            return
        if content.output_transcription is not None:
            self._heard("model", content.output_transcription.text)
        if content.model_turn is not None:
            for part in content.model_turn.parts:
                if not part.thought:
                    self._heard("model", part.text)
        if content.turn_complete and self._turns:
            self._turns[-1].heard = False

    def contents(self) -> list[wire.Content]:
        """Return the turns as a fresh session can be seeded with."""
        return [
            wire.Content(role=turn.role, parts=[wire.Part(text=turn.text)]) for turn in self._turns
        ]

    def _heard(self, role: str, text: str | None) -> None:
        if not text:
            return
        last = self._turns[-1] if self._turns else None
        if last is not None and last.heard and last.role == role:
            last.text += text
            self._characters += len(text)
            self._trim()
        else:
            self._add(_Turn(role, text, heard=True))

    def _add(self, turn: _Turn) -> None:
        self._turns.append(turn)
        self._characters += len(turn.text)
        self._trim()

    def _trim(self) -> None:
        while self._characters > MOST_CHARACTERS and len(self._turns) > 1:
            self._characters -= len(self._turns.popleft().text)
