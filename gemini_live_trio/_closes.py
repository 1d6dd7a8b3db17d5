"""What the end of a connection means.

The service says why it hung up with a WebSocket close code and up to 123 bytes of text. The same
code stands for many things and the same text comes with several codes, so a close is judged by
who ended the connection, the code, the beginning of the reason, and the phase it happened in. The
table below is read from the top; the first row that fits counts.

Reasons and codes were seen by users of the service, as listed in ``docs/protocol.md``.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Literal

import attrs

__all__ = ["CLOSES", "Close", "Phase", "Rule", "classify"]


class Phase(enum.Enum):
    """How far the connection had come."""

    FIRST = "first"
    """First ``setup`` of the session."""
    RESUME = "resume"
    """``setup`` of a reconnect, with a handle."""
    FRESH = "fresh"
    """``setup`` of a reconnect, without a handle."""
    SESSION = "session"
    """After ``setupComplete``."""


@attrs.frozen
class Close:
    """How a connection ended."""

    by: Literal["client", "server", "network"]
    code: int
    """1006 when there was no close frame."""
    reason: str = ""

    def __str__(self) -> str:
        if self.by == "network":
            return self.reason or "the connection broke without a close frame"
        who = "the service" if self.by == "server" else "this client"
        return (
            f"{who} closed it with {self.code} {self.reason!r}"
            if self.reason
            else (f"{who} closed it with {self.code} and no reason")
        )


@attrs.frozen
class Rule:
    """One row of the table."""

    cause: str
    """A word for it, for programs."""
    retry: bool
    """Whether another connection may succeed where this one ended."""
    advice: str
    """What a person can do, one sentence."""
    code: int | None = None
    """``None`` fits every code."""
    prefix: str = ""
    """How the reason begins, in any case of letters."""
    phases: Sequence[Phase] = tuple(Phase)
    drops_handle: bool = False
    """The handle used for this ``setup`` must not be used again."""

    def fits(self, close: Close, phase: Phase) -> bool:
        """Tell whether this row speaks of that close."""
        return (
            (self.code is None or self.code == close.code)
            and phase in self.phases
            and close.reason.lower().startswith(self.prefix.lower())
        )


_RESUME = (Phase.RESUME,)
_RECONNECT = (Phase.RESUME, Phase.FRESH)
_KEY = "Check the API key: it must be a valid Gemini API key, with the API enabled."
_FIELD = "Mend the setup: the service doesn't know the field that it names."
_MODALITY = "Choose a response modality, voice and language that the model supports."
_MODEL = "Choose a Live model that this key, API version and region can use."
_QUOTA = "Wait, or raise the quota or the spending limit of the project."
_AGAIN = "Try again; if it keeps happening, the service has a problem of its own."
_HANDLE = "The conversation can't be resumed with this handle; a fresh session starts."

CLOSES: Sequence[Rule] = (
    # Credentials, project and region: no retry will mend them.
    Rule("bad_key", False, _KEY, prefix="API key not valid"),
    Rule("bad_key", False, _KEY, prefix="API key not found"),
    Rule("bad_key", False, _KEY, prefix="API key expired"),
    Rule("no_credentials", False, _KEY, prefix="Method doesn't allow unregistered callers"),
    Rule("api_disabled", False, _KEY, prefix="Generative Language API has not been used"),
    Rule("denied", False, _KEY, prefix="Your project has been denied access"),
    Rule("region", False, "Use the service from a supported region.", prefix="User location is"),
    # Handles: the session exists no more, or not for this setup.
    Rule("stale_handle", True, _HANDLE, prefix="BidiGenerateContent session", drops_handle=True),
    Rule("stale_handle", True, _HANDLE, 1007, phases=_RESUME, drops_handle=True),
    Rule("stale_handle", True, _HANDLE, 1008, phases=_RESUME, drops_handle=True),
    # Setup that can't work.
    Rule("unknown_field", False, _FIELD, prefix="Invalid JSON payload received. Unknown name"),
    Rule("modality", False, _MODALITY, prefix="Cannot extract voices"),
    Rule("modality", False, _MODALITY, prefix="The requested combination of response modalities"),
    Rule("unknown_model", False, _MODEL, 1008, "models/"),
    Rule("unknown_model", False, _MODEL, 1008, "Publisher Model"),
    Rule("unknown_model", False, _MODEL, 1008, "model not found"),
    Rule(
        "unknown_model",
        False,
        _MODEL,
        1008,
        "Requested entity was not found",
        (Phase.FIRST, Phase.FRESH),
    ),
    # Limits of money and number. On a reconnect it may be our own session, not yet released.
    *(
        Rule("quota", phase in _RECONNECT, _QUOTA, prefix=prefix, phases=(phase,))
        for prefix in (
            "You exceeded your current quota",
            "Resource has been exhausted",
            "Your project has exceeded its monthly spending cap",
            "Your prepayment credits are depleted",
        )
        for phase in Phase
    ),
    # The service's own clock.
    Rule("go_away_ignored", True, _AGAIN, 1008, "Connection aborted because the client failed"),
    Rule("aborted", True, _AGAIN, 1008, "The operation was aborted"),
    # What is left of the two codes for "you did something wrong".
    Rule(
        "invalid_argument",
        False,
        "Something that was sent doesn't suit the model or the API version.",
        1007,
    ),
    Rule(
        "policy",
        False,
        "The model, the API version or the key doesn't allow what was asked.",
        1008,
    ),
    Rule("too_big", False, "Send smaller messages.", 1009),
    # The service's own troubles, the network's, and closes without a word.
    Rule("internal", True, _AGAIN, 1011),
    Rule("network", True, "Check the network; the connection broke on the way.", 1006),
    Rule("closed", True, _AGAIN),
)


def classify(close: Close, phase: Phase) -> Rule:
    """Find the row of ``CLOSES`` for the end of a connection."""
    return next(rule for rule in CLOSES if rule.fits(close, phase))
