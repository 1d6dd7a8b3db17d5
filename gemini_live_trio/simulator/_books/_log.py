"""The simulator's log, and how a stranger's words are put into it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ...recording import Redactor
from ...recording._shown import shown as fit

__all__ = ["discreet", "log", "shown"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

_PLAIN: Final = Redactor()


def shown(text: str) -> str:
    """Make a stranger's text fit for a log: nothing like a credential, no control characters."""
    return fit(_PLAIN.text(text))


class _Discretion(logging.Filter):
    """Takes a secret out of what is logged, wherever a client has put it."""

    def __init__(self, secret: str) -> None:
        super().__init__()
        self._redactor = Redactor(secrets=(secret,))

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the line; let it pass."""
        record.msg, record.args = self._redactor.text(record.getMessage()), ()
        return True


@contextmanager
def discreet(secret: str | None) -> Iterator[None]:
    """Keep a secret out of the log for the length of a block."""
    if not secret:
        yield
        return
    discretion = _Discretion(secret)
    log.addFilter(discretion)
    try:
        yield
    finally:
        log.removeFilter(discretion)
