"""From an exception to one sentence and an exit status."""

from __future__ import annotations

import traceback
from collections.abc import Iterator

from ..errors import ConfigError, GeminiLiveError, InternalError, MediaError

__all__ = ["ConversationFailed", "OutputFailed", "Terminated", "verdict"]

FAILED = 1
USAGE = 2
SIGNALLED = 128
SIGINT = 2
SIGPIPE = 13


class ConversationFailed(GeminiLiveError):
    """The session works, but the script can't be carried out."""


class OutputFailed(GeminiLiveError):
    """What is to be shown can't be written."""


class Terminated(Exception):
    """A signal asks the program to end.

    Attributes:
      number: The signal's.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _rank(error: BaseException) -> int:
    """How much an exception says about why the program ends; the lowest is told."""
    order = (KeyboardInterrupt, Terminated, SystemExit)
    for rank, kind in enumerate(order):
        if isinstance(error, kind):
            return rank
    if not isinstance(error, GeminiLiveError | OSError) or isinstance(error, InternalError):
        return len(order)  # a fault, and nothing may hide it
    if isinstance(error, BrokenPipeError):
        return len(order) + 1
    return len(order) + (2 if isinstance(error, OutputFailed) else 3)


def verdict(error: BaseException) -> tuple[str, int]:
    """Say what ended the program, and with what status; an empty text where it is obvious.

    Faults of ours, and only they, are told with their traceback.
    """
    error = min(_leaves(error), key=_rank)
    match error:
        case KeyboardInterrupt():
            return "Stopped by Ctrl-C.", SIGNALLED + SIGINT
        case Terminated(number=number):
            return f"Stopped by signal {number}.", SIGNALLED + number
        case BrokenPipeError():
            return "", SIGNALLED + SIGPIPE
        case ConfigError() | MediaError():
            return str(error), USAGE
        case GeminiLiveError() if not isinstance(error, InternalError):
            return str(error), FAILED
        case OSError():
            where = "" if error.filename is None else f": {error.filename}"
            return f"The system refuses: {error.strerror or error}{where}.", FAILED
    trace = "".join(traceback.format_exception(error)).rstrip()
    return f"A fault of gemini-live-trio; please report it.\n{trace}", FAILED
