"""What the calls of a test may be given: each check is one sentence when it fails.

A value that makes no sense is refused where it is given. Later, in a task of the simulator's, it
would look like a fault of the simulator.
"""

from __future__ import annotations

import math
from typing import Final

__all__ = [
    "check_code",
    "check_count",
    "check_pace",
    "check_seconds",
    "check_speed",
    "check_status",
]

MOST_TIMES: Final = 1_000_000
_NEVER_SENT: Final = frozenset({1004, 1005, 1006, 1015})
_BODILESS: Final = frozenset({204, 205, 304})


def check_code(code: int) -> None:
    """See that a close frame can carry this code.

    Raises:
      ValueError: it can't.
    """
    if not 1000 <= code < 5000 or code in _NEVER_SENT:
        raise ValueError(f"{code} can't stand in a close frame")


def check_status(status: int) -> None:
    """See that a request for a WebSocket can be refused with this HTTP status.

    Raises:
      ValueError: it can't: there is no such status, or it is no end, or has no body.
    """
    if not 200 <= status < 600 or status in _BODILESS:
        raise ValueError(f"{status} is no HTTP status that can refuse a WebSocket")


def check_seconds(seconds: float | None, what: str) -> None:
    """See that it is a time that passes; ``None`` is for the caller to explain.

    Raises:
      ValueError: it is negative, infinite, or no number.
    """
    if seconds is not None and not 0 <= seconds < math.inf:
        raise ValueError(f"{what} is a finite number of seconds from 0, not {seconds:g}")


def check_pace(pace: float) -> None:
    """See that waits can be multiplied by it.

    Raises:
      ValueError: it is negative, infinite, or no number.
    """
    if not 0 <= pace < math.inf:
        raise ValueError(f"pace is a finite factor from 0, not {pace:g}")


def check_speed(value: float) -> None:
    """See that it is a number of bytes a second with which something goes on.

    Raises:
      ValueError: it isn't above 0, is infinite, or no number.
    """
    if not 0 < value < math.inf:
        raise ValueError(f"{value:g} bytes a second is no speed")


def check_count(count: int, what: str) -> None:
    """See that it counts something.

    Raises:
      ValueError: it is less than 1, or more than a million.
    """
    if not 1 <= count <= MOST_TIMES:
        raise ValueError(f"{what} is a whole number from 1 to {MOST_TIMES:,}, not {count}")
