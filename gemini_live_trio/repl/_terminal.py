"""The terminal as a device: how it was found, and how it is given back."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
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

    def suspend(self) -> None:
        """Stop this process, and what shares its terminal, until the shell lets it go on.

        prompt-toolkit's own way comes back before the process has stopped, where another thread is
        the one to take the signal; and it keeps some modes of the terminal. The shell finds both.
        """
        if sys.platform == "win32":
            return
        import termios

        terminal = sys.stdin.fileno()
        modes = termios.tcgetattr(terminal)
        if self._saved is not None:
            termios.tcsetattr(terminal, termios.TCSADRAIN, self._saved)
        # Blocked in this thread, the signal can be seen to wait for another to take it, and that
        # one stops this one too.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTSTP])
        os.kill(0, signal.SIGTSTP)
        while signal.SIGTSTP in signal.sigpending():
            time.sleep(0.001)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTSTP])
        termios.tcsetattr(terminal, termios.TCSADRAIN, modes)

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
