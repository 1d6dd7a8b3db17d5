"""One call of the model's, from its arrival to its outcome."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .._conversation import Fate
from ..events import ToolOutcome
from ..wire import JsonValue

__all__ = ["Call"]


@attrs.define(eq=False, kw_only=True)
class Call:
    """A call that a runner serves. It is for reading; the runner keeps it up to date."""

    number: int
    """Within the session, from 1."""

    id: str | None
    """The service's; ``None`` where it gave none."""

    name: str
    args: Mapping[str, JsonValue] = attrs.field(repr=False)
    """As they came."""

    blocking: bool = False
    """Whether the model waits for the answer."""

    came_at: float
    """On Trio's clock, as all times here."""

    began_at: float | None = None
    """When the tool began to run for it; ``None`` while it waits, or if it never did."""

    finished_at: float | None = None
    """When the tool's function was over."""

    ended_at: float | None = None
    """When it had its outcome."""

    outcome: ToolOutcome | None = None
    """``None`` while it is open."""

    reason: str = ""
    """Why, where the outcome alone doesn't say."""

    failed: bool = False
    """Whether what the tool gave is a failure."""

    fate: Fate | None = None
    """What is known of its answer's way; ``None`` before one was handed over."""

    shares: int | None = None
    """The number of the call whose run serves this one too."""

    @property
    def open(self) -> bool:
        """Whether it has no outcome yet."""
        return self.outcome is None
