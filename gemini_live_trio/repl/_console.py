"""What the parts of the terminal client share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

import attrs
import trio

from ..events import Event
from ._commands import Suggestion
from ._front import Front
from ._keeper import Keeper
from ._options import Options
from ._render import Narrator
from ._settings import Staged

__all__ = ["Action", "Console", "Part"]

Action: TypeAlias = Callable[[Mapping[str, str]], Awaitable[None]]
"""Carries out a form of a command, given what its blanks are filled with."""


@attrs.frozen
class Console:
    """The terminal, the conversation, and what is to be known of both.

    Attributes:
      front: The terminal.
      narrator: Tells the person something.
      nursery: What goes on beside the keyboard runs in it, for the length of the program.
      keeper: The conversation.
      staged: The settings.
      options: What was asked for at the start.
    """

    front: Front
    narrator: Narrator
    nursery: trio.Nursery
    keeper: Keeper
    staged: Staged
    options: Options


class Part:
    """A part of the client: it has some commands, and perhaps something to show."""

    def actions(self) -> Mapping[str, Action]:
        """What it can do, by ``Run.action``. Errors of the library are told to the person."""
        return {}

    def choices(self) -> Mapping[str, Sequence[Suggestion]]:
        """What the blanks of its commands can be filled with; called in another thread."""
        return {}

    def status(self) -> Sequence[str]:
        """A few words for the status bar, for each thing that is worth it."""
        return ()

    def lively(self) -> bool:
        """Whether what it shows changes all the time."""
        return False

    def details(self) -> Sequence[tuple[str, str]]:
        """Rows for ``/status``: a name, and how it stands."""
        return ()

    def holds_awake(self) -> bool:
        """Whether it needs the session, though nothing is said."""
        return False

    def is_busy(self) -> bool:
        """Whether something that the model began goes on: it is still heard, or runs a command."""
        return False

    def silence(self) -> None:
        """The person wants the model to stop at once, whatever it does."""

    async def hear(self, event: Event) -> None:
        """Learn from an event of the conversation; must not wait for long."""
