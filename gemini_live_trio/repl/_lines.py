"""A terminal without a prompt of ours: its own line editing, and Ctrl-C as a signal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from ._commands import PRESS_AGAIN
from ._descriptors import LineReader
from ._plain import PlainScreen, wants_colour
from ._render import Kind

__all__ = ["LineFront", "open_line_front"]


class LineFront(PlainScreen):
    """Lines in, words out; ``open_line_front`` makes it."""

    def __init__(self) -> None:
        super().__init__(sys.stdout, sys.stderr, colours=wants_colour(os.environ))
        self._to_person, self._from_person = trio.open_memory_channel[str | None](0)
        self._about_to_leave = False

    async def typed(self) -> str | None:
        """Wait for a line, ``None`` where the user wants to leave."""
        return await self._from_person.receive()

    def line(self, kind: Kind, text: str) -> None:
        """See ``Screen``; what was typed stands on the terminal already."""
        if kind is not Kind.YOU:
            super().line(kind, text)

    def status(self, text: str) -> None:
        """There is no place for it; what matters is said in remarks."""

    async def _read_lines(self) -> None:
        async for line in LineReader(sys.stdin.fileno()):
            self._about_to_leave = False
            await self._to_person.send(line)
        await self._to_person.send(None)

    async def _watch_keyboard(self) -> None:
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
            return
        with trio.open_signal_receiver(signal.SIGINT) as signals:
            async for _ in signals:
                if self._about_to_leave:
                    self.raw("")
                    await self._to_person.send(None)
                    return
                self._about_to_leave = True
                if not self._open:
                    self.raw("")  # the terminal shows ^C and stays in that row
                self.line(Kind.NOTE, PRESS_AGAIN)
                await self.flush()


@asynccontextmanager
async def open_line_front() -> AsyncIterator[LineFront]:
    """Listen to the keyboard for the length of the block."""
    front = LineFront()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(front._read_lines)
        nursery.start_soon(front._watch_keyboard)
        yield front
        nursery.cancel_scope.cancel()
