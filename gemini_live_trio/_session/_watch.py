"""Telling observers what happens, without letting them do harm."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from .._redact import KeepsSecrets, Secrets
from ..observers import SessionObserver

__all__ = ["Watch"]

_log = logging.getLogger(__name__)


class Watch:
    """The observers of one session. False where there are none, so that asking costs nothing.

    Those of ours that write down what they see are given the session's secrets, to leave them out.

    Attributes:
      errors: How often one of them raised.
    """

    def __init__(self, observers: Sequence[SessionObserver], secrets: Secrets) -> None:
        self._secrets = secrets
        self._observers: list[SessionObserver] = []
        self._blamed: list[SessionObserver] = []
        self.errors: int = 0
        for observer in observers:
            self.add(observer)

    def __bool__(self) -> bool:
        return bool(self._observers)

    def add(self, observer: SessionObserver) -> None:
        """Tell one more from now on."""
        self._observers = [*self._observers, observer]
        if isinstance(observer, KeepsSecrets):
            observer._keep_out(self._secrets)

    def remove(self, observer: SessionObserver) -> None:
        """Undo one ``add``."""
        self._observers = self._observers.copy()
        for place in reversed(range(len(self._observers))):
            if self._observers[place] is observer:
                del self._observers[place]
                break
        self._blamed = [other for other in self._blamed if other is not observer]

    def tell(self, method: str, /, *args: object, **details: object) -> None:
        """Call a method of every observer; what they raise is logged once each."""
        for observer in self._observers:
            try:
                getattr(observer, method)(*args, **details)
            except Exception:  # noqa: BLE001 - not ours to judge, and no reason to end a session
                self.errors += 1
                if not any(other is observer for other in self._blamed):
                    self._blamed.append(observer)
                    _log.exception(
                        "%s.%s raised; the session goes on, and further exceptions of this "
                        "observer are only counted",
                        type(observer).__name__,
                        method,
                    )
