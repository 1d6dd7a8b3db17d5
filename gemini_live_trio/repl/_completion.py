"""What Tab offers: commands and what follows them, and files.

A name with spaces is completed into quotation marks, since it would be several words without: after
``@`` as `_saying` reads them, for commands as a shell does.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from ._commands import Suggestion, suggestions
from ._render import harmless

__all__ = ["Completions"]

MOST: Final = 500
"""More can't be chosen from."""

_AT: Final = re.compile(r'(?<!\S)@(?:"([^"]*)|(?![@"])(\S*))\Z')


class Completions(Completer):
    """Completes the word before the cursor. Looks at the disk, so a thread is the place for it."""

    def __init__(self) -> None:
        self.choices: Callable[[str], Sequence[Suggestion]] = lambda blank: ()
        """What the blanks of commands can be filled with; see ``Front.offer``."""

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Give what may stand there instead."""
        return itertools.islice(self._completions(document.text_before_cursor), MOST)

    def _completions(self, before: str) -> Iterator[Completion]:
        if before.startswith("/") and not before.startswith("//"):
            yield from self._in_command(before)
        elif (found := _AT.search(before)) is not None:
            typed = found[0]
            quoted = found[1] is not None
            for path in _paths(found[1] if quoted else found[2]):
                if '"' in path and (quoted or " " in path):
                    continue  # there is no way to write it
                written = _in_quotes(path) if quoted or " " in path else path
                yield _completion(f"@{written}", typed, _last_part(path))

    def _in_command(self, before: str) -> Iterator[Completion]:
        for blank in re.finditer(" +", before):
            offered, wants_file = self._offered(before[: blank.end()])
            if wants_file:
                typed = before[blank.end() :]
                yield from _files(typed)
                yield from (
                    _completion(word, typed, word, note)
                    for word, note in offered
                    if word.startswith(typed.lower())
                )
                return
        typed = before.rpartition(" ")[2]
        for word, note in self._offered(before)[0]:
            written = _in_quotes(word) if " " in word else word
            yield _completion(written, typed, word, note)

    def _offered(self, before: str) -> tuple[Sequence[Suggestion], bool]:
        """Return the words that may come next, and whether a file may."""
        blanks = []

        def choices(blank: str) -> Sequence[Suggestion]:
            blanks.append(blank)
            return () if blank == "FILE" else self.choices(blank)

        words = [each for each in suggestions(before, choices) if harmless(each[0]) == each[0]]
        return words, "FILE" in blanks


def _files(typed: str) -> Iterator[Completion]:
    """Complete a file's name that takes all the rest of a command."""
    partial = typed
    if typed.startswith('"'):
        partial = typed[1:] if os.name == "nt" else re.sub(r'\\(["\\])', r"\1", typed[1:])
    for path in _paths(partial):
        written = path
        if typed.startswith('"') or re.search(r"""[\s'"\\]""", path):
            written = _in_quotes(path if os.name == "nt" else re.sub(r'(["\\])', r"\\\1", path))
        yield _completion(written, typed, _last_part(path))


def _paths(partial: str) -> Iterator[str]:
    """Give the files and folders that a path may go on to; folders end with ``/``."""
    if partial == "~":
        yield "~/"
        return
    cut = max(partial.rfind("/"), partial.rfind(os.sep)) + 1
    folder, name = partial[:cut], partial[cut:]
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as entries:  # noqa: PTH111
            found = sorted(
                entry.name + "/" * _is_folder(entry)
                for entry in entries
                if entry.name.startswith(name) and (name or not entry.name.startswith("."))
            )
    except (OSError, ValueError):
        return  # there is no such folder, or it can't be read: nothing to offer
    for each in found:
        if each.isprintable() and harmless(each) == each:
            yield folder + each


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _in_quotes(path: str) -> str:
    # What a folder holds comes before the end of the quotation.
    return f'"{path}' if path.endswith("/") else f'"{path}"'


def _last_part(path: str) -> str:
    return re.split("/(?=.)", path)[-1]


def _completion(text: str, typed: str, shown: str, note: str = "") -> Completion:
    """Make one whose beginning stands there already, so that several can share what comes next."""
    return Completion(
        text, -len(typed), display=shown, display_meta=harmless(note).replace("\n", " ")
    )
