"""What an examination hands back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs
import trio

from ..wire import JsonValue

__all__ = ["Check", "Notes", "Report", "State"]

State: TypeAlias = Literal["ok", "warning", "failed", "skipped"]
"""A warning is something that works, and that somebody should know of."""

_log: Final = logging.getLogger(__name__)


@attrs.frozen(kw_only=True)
class Check:
    """What was found out about one thing."""

    name: str
    state: State
    text: str
    """What was found, for a person; no secret is in it."""

    fix: str = ""
    """What to do about it; empty where nothing has to be done, or an earlier check says it."""

    seconds: float | None = None
    """How long it took; ``None`` where nothing was measured."""

    facts: Mapping[str, JsonValue] = attrs.field(factory=dict)
    """The same for programs; what there is depends on the check."""


@attrs.frozen(kw_only=True)
class Report:
    """All that was found out, in order."""

    checks: Sequence[Check]
    seconds: float
    """How long all of it took."""

    @property
    def ok(self) -> bool:
        """Whether nothing failed; there may be warnings."""
        return not self.of("failed")

    def of(self, state: State, /) -> list[Check]:
        """Return the checks that ended so."""
        return [check for check in self.checks if check.state == state]

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON object, for scripts."""
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 3),
            "checks": [_as_json(check) for check in self.checks],
        }


def _as_json(check: Check) -> dict[str, Any]:
    seconds = None if check.seconds is None else round(check.seconds, 3)
    return {
        "name": check.name,
        "state": check.state,
        "seconds": seconds,
        "text": check.text,
        "fix": check.fix,
        "facts": dict(check.facts),
    }


class Notes:
    """Collects checks, and tells of each.

    Args:
      on_start: Told the name of what is looked at now.
      on_check: Told each check.
    """

    def __init__(
        self,
        on_start: Callable[[str], object] | None,
        on_check: Callable[[Check], object] | None,
    ) -> None:
        self._on_start = on_start
        self._on_check = on_check
        self.checks: list[Check] = []

    def start(self, name: str) -> None:
        """Say what is looked at."""
        self._tell(self._on_start, name)

    def add(
        self,
        name: str,
        state: State,
        text: str,
        *,
        fix: str = "",
        seconds: float | None = None,
        facts: Mapping[str, JsonValue] | None = None,
    ) -> None:
        """Note a check."""
        self.note(
            Check(name=name, state=state, text=text, fix=fix, seconds=seconds, facts=facts or {})
        )

    def note(self, check: Check) -> None:
        """Note a check that was made elsewhere."""
        self.checks.append(check)
        self._tell(self._on_check, check)

    def skip(self, names: Iterable[str], because: str) -> None:
        """Note that these can't be looked at; ``because`` is what failed."""
        for name in names:
            self.add(name, "skipped", f"because {because} failed", facts={"because": because})

    def report(self, began: float) -> Report:
        """Close the book."""
        return Report(checks=tuple(self.checks), seconds=trio.current_time() - began)

    def _tell(self, listener: Callable[[Any], object] | None, what: object) -> None:
        if listener is None:
            return
        try:
            listener(what)
        except Exception:  # noqa: BLE001 - it is not about the examination
            _log.exception("What was to be told of the examination raised; it goes on")
