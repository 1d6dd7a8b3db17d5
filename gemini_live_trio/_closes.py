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
    blames_input: bool = False
    """Something that was sent may be the cause, so nothing is sent again, and it is tried once."""

    def fits(self, close: Close, phase: Phase) -> bool:
        """Tell whether this row speaks of that close."""
        return (
            (self.code is None or self.code == close.code)
            and phase in self.phases
            and close.reason.lower().startswith(self.prefix.lower())
        )


_RESUME = (Phase.RESUME,)
_SESSION = (Phase.SESSION,)
_RECONNECT = (Phase.RESUME, Phase.FRESH)
_ANEW = (Phase.FIRST, Phase.FRESH)
_BEGINNING = (Phase.FIRST, Phase.RESUME, Phase.FRESH)

_KEY = "Check the API key: it must be a valid Gemini API key, with the API enabled."
_OAUTH = "Check the access token: it must be current, and its project have the API enabled."
_EPHEMERAL = "Mint a new ephemeral token; this one's time or uses are over."
_FIELD = "Mend the setup: the service doesn't know the field or value that it names."
_MODEL = "Choose a Live model that this key, API version and region can use."
_QUOTA = "Wait, or raise the quota or the spending limit of the project."
_AGAIN = "Try again; if it keeps happening, the service has a problem of its own."
_HANDLE = "The conversation can't be resumed with this handle; a fresh session starts."
_INPUT = "Something that was sent doesn't suit the model or the API version."
_ALLOWED = "The model, the API version or the key doesn't allow what was asked."
_MODALITY = "Choose the response modality, voice and language that the model supports."


def _same(cause: str, advice: str, *prefixes: str) -> tuple[Rule, ...]:
    """Rows that no retry mends, told apart by their words alone."""
    return tuple(Rule(cause, False, advice, prefix=prefix) for prefix in prefixes)


CLOSES: Sequence[Rule] = (
    # Credentials, project and region: no retry will mend them.
    *_same("bad_key", _KEY, "API key not valid", "API key not found", "API key expired"),
    *_same("no_credentials", _KEY, "Method doesn't allow unregistered callers"),
    *_same(
        "token",
        _EPHEMERAL,
        "Token has been used too many times",
        "Token has expired",
        "auth token has expired",
        "new_session_expire_time deadline exceeded",
    ),
    *_same(
        "bad_token",
        _OAUTH,
        "Request had invalid authentication credentials",
        "Request is missing required authentication credential",
    ),
    *_same("api_disabled", _KEY, "Generative Language API has not been used"),
    *_same("denied", _KEY, "Your project has been denied access"),
    *_same("region", "Use the service from a supported region.", "User location is not supported"),
    # Handles: the session exists no more, or not for this setup.
    Rule("stale_handle", True, _HANDLE, prefix="BidiGenerateContent session", drops_handle=True),
    Rule("stale_handle", True, _HANDLE, 1007, phases=_RESUME, drops_handle=True),
    Rule("stale_handle", True, _HANDLE, 1008, phases=_RESUME, drops_handle=True),
    # Setup or input that can't work, whatever the phase.
    *_same(
        "unknown_field", _FIELD, "Invalid JSON payload received", "Unknown name", "Invalid value"
    ),
    *_same("unknown_model", _MODEL, "models/", "Publisher Model", "model not found", "gemini-"),
    *_same(
        "modality",
        _MODALITY,
        "Cannot extract voices",
        "The requested combination of response modalities",
        "Unsupported language code",
        "The audio content type",
    ),
    *_same("order", "Send one setup, first, and wait for its answer.", "setup must be the first"),
    *_same(
        "activity_marks",
        "Turn automatic activity detection off, or send no activity marks.",
        "Explicit activity control is not supported",
    ),
    *_same(
        "media_chunks", "Use audio, video or text.", "realtime_input.media_chunks is deprecated"
    ),
    *_same(
        "audio_format", "Send 16-bit mono PCM of one rate.", "Sample rate changed", "error when"
    ),
    Rule("unknown_model", False, _MODEL, 1008, "Requested entity was not found", _ANEW),
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
    # The service's own clock, or a proxy's.
    Rule("go_away_ignored", True, _AGAIN, 1008, "Connection aborted because the client failed"),
    Rule("aborted", True, _AGAIN, 1008, "The operation was aborted"),
    # What is left of the two codes for "you did something wrong". In the middle of a session they
    # have been seen to come once and not again; what was sent last isn't sent again then.
    Rule("invalid_argument", True, _INPUT, 1007, phases=_SESSION, blames_input=True),
    Rule("policy", True, _ALLOWED, 1008, phases=_SESSION, blames_input=True),
    Rule("invalid_argument", False, _INPUT, 1007, phases=_BEGINNING),
    Rule("policy", False, _ALLOWED, 1008, phases=_BEGINNING),
    Rule("too_big", False, "Send or ask for smaller messages.", 1009),
    # The service's own troubles, the network's, and closes without a word.
    Rule("deadline", True, _AGAIN, 1011, "Deadline expired"),
    Rule("unavailable", True, _AGAIN, 1011, "The service is currently unavailable"),
    Rule("internal", True, _AGAIN, 1011),
    Rule("network", True, "Check the network; the connection broke on the way.", 1006),
    Rule("closed", True, _AGAIN),
)


def classify(close: Close, phase: Phase) -> Rule:
    """Find the row of ``CLOSES`` for the end of a connection."""
    return next(rule for rule in CLOSES if rule.fits(close, phase))
