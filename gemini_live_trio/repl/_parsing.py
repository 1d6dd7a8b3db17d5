"""A command line that wasn't understood is answered by one sentence."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

__all__ = ["Parser"]


class Parser(argparse.ArgumentParser):
    """As argparse's, but what is wrong isn't lost below a list of all options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings
        )

    def understand(
        self, arguments: Sequence[str] | None, nearest: Callable[[str], str] = lambda word: ""
    ) -> argparse.Namespace:
        """Read a command line, as ``parse_args`` does.

        Args:
          arguments: The words; ``None`` for those of the process.
          nearest: Says what may have been meant by a word that is no option, if anything.

        Raises:
          SystemExit: It wasn't understood (status 2), or only asked for help (0).
        """
        given, stray = self.parse_known_args(arguments)
        if stray:
            word = stray[0]
            hint = self._nearest_option(word) if word.startswith("-") else nearest(word)
            self.error(f"unrecognized arguments: {' '.join(stray)}{hint and f' ({hint})'}")
        return given

    def error(self, message: str) -> NoReturn:
        """Say it, and leave with status 2."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")

    def _nearest_option(self, word: str) -> str:
        near = difflib.get_close_matches(word.partition("=")[0], self._option_string_actions, 1)
        return f"did you mean {near[0]}?" if near else ""
