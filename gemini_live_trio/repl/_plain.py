"""The screen of scripts, pipes and dumb terminals: words as they come, remarks beside them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

import trio

from ._colours import COLOURS
from ._descriptors import TextWriter
from ._render import Kind

__all__ = ["PlainScreen", "standard_screen", "wants_colour"]


def wants_colour(environment: Mapping[str, str]) -> bool:
    """Tell whether a terminal may be sent colours (see no-color.org)."""
    return not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"


class PlainScreen:
    """Collects what is to be shown; ``flush`` writes it.

    What is said goes to standard output, remarks to standard error. Into a pipe goes the model's
    answer without a mark, so that it can be used as it is; the marks are for people.

    Args:
      out: Standard output, ``None`` when closed.
      err: Standard error, ``None`` when closed.
      colours: Whether a terminal is sent any.
    """

    def __init__(self, out: TextIO | None, err: TextIO | None, *, colours: bool) -> None:
        self._out = TextWriter(None if out is None else out.fileno(), "standard output")
        self._err = TextWriter(None if err is None else err.fileno(), "standard error")
        self._marks = out is not None and out.isatty()
        self._err_is_terminal = err is not None and err.isatty()
        self._colours = colours
        self._held: list[tuple[TextWriter, str]] = []
        self._flushing = trio.Lock()
        self._open = False
        self._broken_off = False
        """A remark stands where the open line was."""

    def add(self, kind: Kind, text: str) -> None:
        """See ``Screen``."""
        text = _indented(kind, text) if self._marks else text
        if not self._open or self._broken_off:
            text = self._mark(kind) + text
        self._open, self._broken_off = True, False
        self._held.append((self._out, text))

    def end(self) -> None:
        """See ``Screen``."""
        if self._open and not self._broken_off:
            self._held.append((self._out, "\n"))
        self._open = self._broken_off = False

    def line(self, kind: Kind, text: str) -> None:
        """See ``Screen``."""
        spoken = kind in (Kind.YOU, Kind.HEARD)
        if kind is Kind.YOU and not self._marks:
            return  # a pipe wants the answers, and whoever feeds it knows the questions
        at_terminal = self._marks and (spoken or self._err_is_terminal)
        if at_terminal and self._open and not self._broken_off:
            self._held.append((self._out, "\n"))
            self._broken_off = True
        colours = self._colours and (self._marks if spoken else self._err_is_terminal)
        mark = _coloured(kind, kind.mark) if colours else kind.mark
        text = _indented(kind, text) if at_terminal else text
        self._held.append((self._out if spoken else self._err, f"{mark}{text}\n"))

    def raw(self, line: str) -> None:
        """Write a line as it is."""
        self._held.append((self._out, f"{line}\n"))

    async def flush(self) -> None:
        """Write what was collected; raises what ``TextWriter`` does.

        Cancellation: the next call goes on where this one was.
        """
        async with self._flushing:
            for writer in (self._out, self._err):
                await writer.write("")
            while self._held:
                writer, text = self._held.pop(0)
                while self._held and self._held[0][0] is writer:
                    text += self._held.pop(0)[1]
                await writer.write(text)

    def _mark(self, kind: Kind) -> str:
        if not self._marks:
            return "" if kind is Kind.MODEL else kind.mark
        return _coloured(kind, kind.mark) if self._colours else kind.mark


def _indented(kind: Kind, text: str) -> str:
    """Keep a line's further rows away from the left edge, where they could pass for another's."""
    return text.replace("\n", "\n" + " " * len(kind.mark))


def _coloured(kind: Kind, text: str) -> str:
    return f"\x1b[{COLOURS[kind].code}m{text}\x1b[0m"


def standard_screen(*, words_to_error: bool = False) -> PlainScreen:
    """Make the screen of this process.

    Args:
      words_to_error: Whether standard output is left to something else than words.
    """
    out = sys.stderr if words_to_error else sys.stdout
    return PlainScreen(out, sys.stderr, colours=wants_colour(os.environ))
