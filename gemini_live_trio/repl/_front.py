"""What stands between a person and a conversation, and the choice of it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from ._commands import Suggestion
from ._lines import open_line_front
from ._render import Kind, Screen

__all__ = ["Front", "open_front"]

NO_PROMPT: Final = 'For a prompt that stays below the answers: pip install "gemini-live-trio[repl]"'


class Front(Screen, Protocol):
    """The terminal: it shows lines, and takes what is typed.

    Of what waits for the person, each may be waited for by one task, beside the others.
    """

    @property
    def speaking(self) -> bool:
        """Whether the model is to be heard, so that Ctrl-C is meant for it first."""
        ...

    @speaking.setter
    def speaking(self, value: bool) -> None: ...

    async def typed(self) -> str:
        """Wait for a line; it may have several, where they were pasted or typed so."""
        ...

    async def interrupted(self) -> None:
        """Wait for a Ctrl-C that is meant for the model's speech."""

    async def left(self) -> None:
        """Wait until the person wants to leave."""

    async def ask(self, question: str) -> bool:
        """Put a question, and wait for yes or no; only a clear yes is one.

        Cancellation: the question is taken back, and what was being typed stays.
        """
        ...

    async def flush(self) -> None:
        """Make sure that everything is shown."""

    def status(self, text: str) -> None:
        """Show the state of things, where there is a place for it."""

    def offer(self, choices: Callable[[str], Sequence[Suggestion]]) -> None:
        """Say what the blanks of commands can be filled with.

        Args:
          choices: Takes the name of a blank; may be called in another thread, and must not wait.
        """


@asynccontextmanager
async def open_front() -> AsyncIterator[Front]:
    """Open the best front that this terminal and this installation allow."""
    if os.environ.get("TERM", "dumb") == "dumb":
        async with open_line_front() as lines:
            yield lines
        return
    try:
        from ._prompt import open_prompt
    except ImportError:
        async with open_line_front() as lines:
            lines.line(Kind.NOTE, NO_PROMPT)
            yield lines
        return
    async with open_prompt() as prompt:
        yield prompt
