"""The terminal as a device: how it was found, and how it is given back."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, TextIO

from prompt_toolkit.output import Output, create_output

__all__ = ["Terminal"]


class Terminal:
    """What is left of the terminal's state, and a file for the prompt's thread to write to."""

    def __init__(self) -> None:
        self._file: TextIO | None = None
        self._saved: list[Any] | None = None
        self._streams = sys.stdout, sys.stderr
        if sys.platform != "win32":
            import termios

            with contextlib.suppress(termios.error):
                self._saved = termios.tcgetattr(sys.stdin.fileno())

    def open(self) -> Output | None:
        """Return what to draw on; ``None`` for prompt-toolkit's own choice."""
        if sys.platform == "win32":
            return None
        self._file = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        return create_output(stdout=self._file)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def give_back(self) -> None:
        """Restore the terminal without the thread; what it wouldn't take is dropped."""
        sys.stdout, sys.stderr = self._streams
        if sys.platform == "win32":
            return
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(sys.stdout.fileno(), termios.TCOFLUSH)
            if self._saved is not None:
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._saved)
