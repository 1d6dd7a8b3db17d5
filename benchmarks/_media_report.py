"""What the parts of ``media.py`` hand in: tables, printed as Markdown."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Table"]


class Table(NamedTuple):
    """Figures with a heading.

    Attributes:
      title: A phrase that says what was measured, and in which unit.
      head: The names of the columns.
      rows: As many cells each as there are columns.
    """

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def __str__(self) -> str:
        """Return it as Markdown, ready to be pasted."""
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        return "\n".join((f"**{self.title}**", "", *(f"| {' | '.join(line)} |" for line in lines)))
