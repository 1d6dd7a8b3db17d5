"""What the facts about TLS and the server's clock mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from ._report import Check, State

__all__ = ["clock_check", "tls_check"]

SOON_DAYS: Final = 14
"""A certificate that ends earlier than this is worth a word."""
SKEW_SECONDS: Final = 90
"""A clock that is wrong by less does no harm; tokens and certificates mind more."""


def tls_check(facts: Mapping[str, str], *, own_trust: bool) -> tuple[State, str, str]:
    """Return state, text and fix of a handshake that went well.

    Args:
      facts: As ``SessionObserver.stage_passed`` tells them.
      own_trust: Whether the connector was given its own idea of whom to trust.
    """
    words = [facts.get("version") or "TLS"]
    if issuer := facts.get("issuer"):
        words.append(f"certificate by {issuer}")
    state: State = "ok"
    fix = ""
    if expires := facts.get("expires"):
        left = (datetime.fromisoformat(expires) - _now()).days
        words.append(f"valid for {left:,} days")
        if left < SOON_DAYS:
            state, fix = "warning", "Let the server's operators renew its certificate."
    store = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), "")
    if own_trust:
        words.append("trusted by the connector's own context")
    elif store:
        words.append(f"trusted by {store}")
    return state, ", ".join(words), fix


def clock_check(date: str) -> Check | None:
    """Compare this machine's clock with a server's; ``None`` where the two agree."""
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    skew = (_now() - theirs).total_seconds()
    if abs(skew) < SKEW_SECONDS:
        return None
    return Check(
        name="clock",
        state="warning",
        text=f"this machine's clock is {timedelta(seconds=round(abs(skew)))} "
        f"{'ahead of' if skew > 0 else 'behind'} the server's",
        fix="Set the clock; tokens and certificates depend on it.",
        facts={"skew_seconds": round(skew)},
    )


def _now() -> datetime:
    return datetime.now(UTC)
