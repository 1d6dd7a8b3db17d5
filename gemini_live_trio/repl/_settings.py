"""What can be changed while a conversation runs: what is in force, and what waits."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from .. import SessionConfig
from ..wire import ThinkingConfig

__all__ = ["Settings", "Staged", "shortened", "thinking_at"]


@attrs.frozen(kw_only=True)
class Settings:
    """What a session is opened with, so far as a person may change it."""

    model: str
    voice: str | None = None
    thinking: str | None = None
    """How much of it, as ``LEVELS`` has it; ``None`` leaves it to the model."""
    system: str | None = None
    tools: frozenset[str] = frozenset()
    """Names of the toolbox."""

    def applied(self, config: SessionConfig) -> SessionConfig:
        """Return a configuration with these settings, except for the tools."""
        return attrs.evolve(
            config,
            model=self.model,
            voice=self.voice,
            thinking=thinking_at(self.thinking),
            system_instruction=self.system,
        )


def thinking_at(level: str | None) -> ThinkingConfig | None:
    """Return what the service is told for one of ``LEVELS``, or for none."""
    return ThinkingConfig(thinking_level=level.upper()) if level else None


class Staged:
    """Settings in force, and those that wait until they are applied."""

    def __init__(self, settings: Settings) -> None:
        self.active = settings
        self.waiting = settings

    @property
    def changes(self) -> Sequence[str]:
        """What waits, in words."""
        found = []
        for name in ("model", "voice", "thinking", "system"):
            old, new = getattr(self.active, name), getattr(self.waiting, name)
            if old != new:
                what = "system instruction" if name == "system" else name
                found.append(f"{what}: {shortened(new)}")
        on, off = self.waiting.tools - self.active.tools, self.active.tools - self.waiting.tools
        if on or off:
            words = [*(f"+{name}" for name in sorted(on)), *(f"-{name}" for name in sorted(off))]
            found.append(f"tools: {' '.join(words)}")
        return found

    def stage(self, **changes: object) -> None:
        """Have some changes wait."""
        self.waiting = attrs.evolve(self.waiting, **changes)  # type: ignore[arg-type]

    def told(self) -> str:
        """Say what waits."""
        changes = "; ".join(self.changes)
        return f"Waiting for /apply: {changes}" if changes else "As it is already."


def shortened(text: str | None, *, most: int = 200) -> str:
    """Quote a setting in one line, however long it is."""
    if text is None:
        return "none"
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1].rstrip()}…"
