"""A terminal without a prompt of ours: its own line editing, and Ctrl-C as a signal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import trio

from ._commands import PRESS_AGAIN, Suggestion
from ._descriptors import LineReader
from ._keyboard import Keyboard, is_yes
from ._plain import PlainScreen, wants_colour
from ._render import Kind, harmless

__all__ = ["LineFront", "open_line_front"]


class LineFront(PlainScreen, Keyboard):
    """Lines in, words out; ``open_line_front`` makes it. A ``Front``."""

    def __init__(self) -> None:
        PlainScreen.__init__(self, sys.stdout, sys.stderr, colours=wants_colour(os.environ))
        Keyboard.__init__(self)
        self._to_person, self._from_person = trio.open_memory_channel[str](0)
        self._one_question = trio.Lock()
        self._answers: trio.MemorySendChannel[bool] | None = None
        """While a question waits."""
        self._about_to_leave = False

    async def typed(self) -> str:
        """See ``Front``."""
        return await self._from_person.receive()

    async def ask(self, question: str) -> bool:
        """See ``Front``. The next line is the answer."""
        async with self._one_question:
            self.line(Kind.NOTE, f"{harmless(question)} (yes or no)")
            await self.flush()
            self._answers, answer = trio.open_memory_channel[bool](1)
            try:
                return await answer.receive()
            finally:
                self._answers = None

    def line(self, kind: Kind, text: str) -> None:
        """See ``Screen``; what was typed stands on the terminal already."""
        if kind is not Kind.YOU:
            super().line(kind, text)

    def status(self, text: str) -> None:
        """There is no place for it; what matters is said in remarks."""

    def offer(self, choices: Callable[[str], Sequence[Suggestion]]) -> None:
        """Nothing is completed here."""

    def _answer(self, answer: bool) -> bool:
        """Answer the question that waits; return whether there is one."""
        if self._answers is None:
            return False
        self._answers.send_nowait(answer)
        self._answers = None
        return True

    async def _read_lines(self) -> None:
        async for line in LineReader(sys.stdin.fileno()):
            self._about_to_leave = False
            if not self._answer(is_yes(line)):
                await self._to_person.send(line)
        self._answer(False)
        self.leave()

    async def _watch_keyboard(self) -> None:
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            return
        with trio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
                if not self._open:
                    self.raw("")  # the terminal shows ^C and stays in that row
                    await self.flush()
                self._take_ctrl_c()
                await self.flush()

    def _take_ctrl_c(self) -> None:
        if self._answer(False):
            return
        if self.speaking:
            self.interrupt()
        elif self._about_to_leave:
            self.leave()
        else:
            self._about_to_leave = True
            self.line(Kind.NOTE, PRESS_AGAIN)


@asynccontextmanager
async def open_line_front() -> AsyncIterator[LineFront]:
    """Listen to the keyboard for the length of the block."""
    front = LineFront()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(front._read_lines)
        nursery.start_soon(front._watch_keyboard)
        yield front
        nursery.cancel_scope.cancel()
