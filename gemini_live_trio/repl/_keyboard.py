"""What a person can wish besides saying something, whatever the terminal."""

from __future__ import annotations

from typing import Final

import trio

__all__ = ["KEPT_FOR_LATER", "Keyboard", "is_answer", "is_yes"]


class Keyboard:
    """Waits for wishes; see ``Front``."""

    def __init__(self) -> None:
        self._speaking = False
        self._interrupting = False
        self._interrupted = trio.Event()
        self._left = trio.Event()

    @property
    def speaking(self) -> bool:
        """See ``Front``."""
        return self._speaking

    @speaking.setter
    def speaking(self, value: bool) -> None:
        # Who sets it may not yet know that it was interrupted; the next Ctrl-C isn't for that.
        self._speaking = value and not self._interrupting

    async def interrupted(self) -> None:
        """See ``Front``."""
        await self._interrupted.wait()
        self._interrupted = trio.Event()
        self._interrupting = False

    async def left(self) -> None:
        """See ``Front``."""
        await self._left.wait()

    def begin_interrupt(self) -> None:
        """The model shall be silent; from any thread, ``interrupt`` is to follow in Trio's."""
        self._interrupting = True
        self.speaking = False

    def interrupt(self) -> None:
        """The model shall be silent; ``speaking`` is false until ``interrupted`` has told that."""
        self.begin_interrupt()
        self._interrupted.set()

    def leave(self) -> None:
        """The person wants to leave."""
        self._left.set()


KEPT_FOR_LATER: Final = "Yes or no? What you typed waits until that is answered."


def is_answer(text: str) -> bool:
    """Tell whether a line answers a question, and isn't meant for the model."""
    return text.strip().lower() in ("y", "yes", "n", "no", "")


def is_yes(text: str) -> bool:
    """Tell whether an answer is a clear yes."""
    return text.strip().lower() in ("y", "yes")
