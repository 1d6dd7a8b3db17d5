"""Streamed text as rows of a terminal: finished ones, and the one that still grows.

A character takes no column, one or two. What the terminal draws as one character may be written
with several: letters with marks, flags, families of emoji. Their widths are added up, though a
terminal may draw them in less: then a row ends early, and none is ever too long. They are never
torn apart between two rows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence

import attrs

from ._render import Kind

__all__ = ["Row", "Rows", "cut"]

NARROWEST = 10
"""Columns for text beside a mark; where there are fewer, rows begin at the left edge."""
WIDEST_CHARACTER = 2
LONGEST_CHARACTER = 32
"""Code points; what piles up more of them on one letter is no writing (UAX #15 allows thirty)."""
MOST_IN_COLUMN = 8
"""Code points for each column of a row: what takes no columns must not make it endless."""
JOINER = "\u200d"


@attrs.frozen
class Row:
    """One row of the screen."""

    kind: Kind
    mark: str
    """Words in the first row of a line and after another line; else blanks, as many."""
    text: str

    def fitted(self, columns: int, measure: Callable[[str], int]) -> Sequence[Row]:
        """Return what becomes of it in a terminal of another width."""
        rows = Rows(lambda: columns, measure)
        finished = rows.resume(self)
        return finished if rows.growing is None else [*finished, rows.growing]


class Rows:
    """Wraps lines between words.

    Args:
      columns: Tells the width of the terminal, which may change.
      measure: Tells the width of a character in columns.
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

    def resume(self, row: Row) -> Sequence[Row]:
        """Go on with a row that another has begun; return the rows that this finished."""
        self._kind, self._mark, self._text = row.kind, row.mark, row.text
        finished: list[Row] = []
        self._wrap(finished)
        return finished

    def end(self) -> Sequence[Row]:
        """End the open line; return its last row, or rows where the terminal is narrower now."""
        finished: list[Row] = []
        self._wrap(finished)
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
        while (end := _overflow(self._text, self._width(), self._measure)) is not None:
            blank = self._text.rfind(" ", 0, end + 1)
            if blank > 0 and self._text[:blank].strip():
                end = blank
            rest = self._text[end:].lstrip(" ")
            self._finish_row(finished, self._text[:end])
            self._text = rest

    def _width(self) -> int:
        return max(WIDEST_CHARACTER, self._columns() - len(self._mark) - 1)

    def _finish_row(self, finished: list[Row], text: str) -> None:
        assert self._kind is not None
        finished.append(Row(self._kind, self._mark, text.rstrip()))
        indent = len(self._kind.mark)
        self._mark = " " * indent if self._columns() - indent > NARROWEST else ""


def cut(text: str, columns: int, measure: Callable[[str], int]) -> str:
    """Return as much of a text as fits, with a mark where something is missing."""
    if _overflow(text, columns, measure) is None:
        return text
    return text[: _overflow(text, columns - 1, measure)] + "…" if columns > 1 else ""


def _overflow(text: str, width: int, measure: Callable[[str], int]) -> int | None:
    """Return where a row of a text must end, where not all of it fits."""
    if text[: width + 1].isascii():
        return width if len(text) > width else None
    used = 0
    for start, end in _drawn(text):
        used += sum(map(measure, text[start:end]))
        if used > width or end > width * MOST_IN_COLUMN:
            return start or end
    return None


def _drawn(text: str) -> Iterator[tuple[int, int]]:
    """Give the bounds of what is drawn as one character each."""
    start = 0
    flag = False
    for index in range(1, len(text)):
        before, character = text[index - 1], text[index]
        if _is_half_a_flag(character) and _is_half_a_flag(before) and not flag:
            flag = True
        elif index - start >= LONGEST_CHARACTER or not (before == JOINER or _joins(character)):
            yield start, index
            start, flag = index, False
    if text:
        yield start, len(text)


def _joins(character: str) -> bool:
    return character == JOINER or (
        character > "\x7f"
        and (
            unicodedata.category(character) in ("Mn", "Me", "Mc")
            or "\U0001f3fb" <= character <= "\U0001f3ff"  # the colours of skins
        )
    )


def _is_half_a_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"
