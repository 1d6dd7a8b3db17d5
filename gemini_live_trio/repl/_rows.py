"""Streamed text as rows of a terminal: finished ones, and the one that still grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from ._render import Kind

__all__ = ["Row", "Rows"]

NARROWEST = 10
"""Columns for text, however little the terminal has."""


@attrs.frozen
class Row:
    """One row of the screen."""

    kind: Kind
    mark: str
    """Words in the first row of a line and after another line; else blanks, as many."""
    text: str


class Rows:
    """Wraps lines between words.

    Args:
      columns: Tells the width of the terminal, which may change.
      measure: Tells the width of a text in columns.
    """

    def __init__(self, columns: Callable[[], int], measure: Callable[[str], int]) -> None:
        self._columns = columns
        self._measure = measure
        self._kind: Kind | None = None
        self._mark = ""
        self._text = ""

    @property
    def growing(self) -> Row | None:
        """The row that isn't finished."""
        return None if self._kind is None else Row(self._kind, self._mark, self._text)

    def add(self, kind: Kind, text: str) -> Sequence[Row]:
        """Go on with the open line, or begin one; return the rows that this finished."""
        if self._kind is None:
            self._kind, self._mark, self._text = kind, kind.mark, ""
        finished: list[Row] = []
        first, *others = text.expandtabs(4).split("\n")
        self._text += first
        self._wrap(finished)
        for other in others:
            self._finish_row(finished, self._text)
            self._text = other
            self._wrap(finished)
        return finished

    def end(self) -> Sequence[Row]:
        """End the open line; return its last row."""
        finished: list[Row] = []
        if self._kind is not None and (self._text.strip() or self._mark.strip()):
            self._finish_row(finished, self._text)
        self._kind = None
        return finished

    def line(self, kind: Kind, text: str) -> Sequence[Row]:
        """Return the rows of a whole line; the open one goes on after it, with its mark."""
        rows = Rows(self._columns, self._measure)
        if self._kind is not None:
            self._mark = self._kind.mark
        return [*rows.add(kind, text), *rows.end()]

    def _wrap(self, finished: list[Row]) -> None:
        width = max(NARROWEST, self._columns() - len(self._mark) - 1)
        while (cut := self._overflow(width)) is not None:
            blank = self._text.rfind(" ", 0, cut + 1)
            end = blank if blank > 0 and self._text[:blank].strip() else cut
            rest = self._text[end:].lstrip(" ")
            self._finish_row(finished, self._text[:end])
            self._text = rest

    def _overflow(self, width: int) -> int | None:
        """Return how many characters fit, where not all do."""
        if self._measure(self._text[: width + 1]) <= width and len(self._text) <= width:
            return None
        used = 0
        for index, character in enumerate(self._text):
            used += self._measure(character)
            if used > width:
                return max(1, index)
        return None

    def _finish_row(self, finished: list[Row], text: str) -> None:
        assert self._kind is not None
        finished.append(Row(self._kind, self._mark, text.rstrip()))
        self._mark = " " * len(self._mark)
