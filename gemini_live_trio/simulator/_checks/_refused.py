"""How a broken rule is told inside the simulator, from where it is noticed to the close frame."""

from __future__ import annotations

from typing import Final

__all__ = ["CATCH_ALL", "Refused"]

CATCH_ALL: Final = "Request contains an invalid argument."
"""What the service says to many things, and what stands in where its words aren't known."""


class Refused(Exception):
    """The service would close the connection here.

    Attributes:
      code: The close code.
      reason: The service's words, not yet cut.
      why: For a person, where the words say too little.
    """

    def __init__(self, code: int, reason: str, why: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.why: str = why or reason
