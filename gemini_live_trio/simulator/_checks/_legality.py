"""Which frames of the clients were legal, and how to go on after one that wasn't.

The rules themselves are in ``_rules`` and ``_dialogue``; here is the book. In strict mode a broken
rule is noted and closes the connection. In lenient mode it is noted, and what can be used of the
frame is used:

* what isn't JSON, or can't be read, is ignored;
* unknown names and unknown enum values are left out;
* of several roots only the first counts, in the order setup, clientContent, realtimeInput,
  toolResponse, contextUpdate;
* anything before ``setup`` is ignored, and so is a second ``setup``;
* a setup that its model refuses is taken without what is refused; for an unknown model
  ``gemini-3.8-live`` answers;
* what the conversation refuses (an activity mark under automatic detection, another sample rate,
  ``mediaChunks``) is ignored.

Each frame has at most one entry, for the first thing wrong with it: the one that the service would
name. A refusal that is not the frame's fault has none, and is made in lenient mode too: a handle
that is unknown, locked or of another model, a wrong key, a fault on request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
import trio

from ... import codec, wire
from ...errors import DecodeError
from ...recording import Redactor
from .._door._dialects import Backend, Door
from ._profiles import Profile, profile_of
from ._refused import Refused
from ._rules import _shape as shape_of
from ._rules import check_setup, modality_of, read_message

__all__ = ["LegalityBook", "LegalityReport", "Violation"]

MOST_VIOLATIONS: Final = 1_000
MOST_CONNECTIONS: Final = 1_000
_ROOTS: Final = {
    "setup": "setup",
    "client_content": "clientContent",
    "realtime_input": "realtimeInput",
    "tool_response": "toolResponse",
    "context_update": "contextUpdate",
}
_STAND_IN: Final = "models/gemini-3.8-live"


@attrs.frozen
class Violation:
    """A frame that the service would have closed the connection for.

    Attributes:
      time: When it arrived, on Trio's clock.
      connection: The number of its connection, from 1.
      code: The close code.
      reason: The close reason, in the service's words, not cut.
      why: For a person, where those say too little.
      excerpt: How the frame begins, without media and credentials.
    """

    time: float
    connection: int
    code: int
    reason: str
    why: str
    excerpt: str

    def __str__(self) -> str:
        why = "" if self.why == self.reason else f" ({self.why})"
        return f"connection {self.connection}: {self.code} {self.reason}{why}: {self.excerpt}"


@attrs.frozen(kw_only=True)
class LegalityReport:
    """What was legal of everything that clients sent, up to now.

    Attributes:
      frames: How many frames were judged.
      roots: How many had which root: ``setup``, ``realtimeInput`` and so on; ``several``, ``none``,
        or ``unreadable``.
      connections: The same for each connection by its number; the last thousand.
      violations: Every frame that broke a rule, oldest first; the first thousand.
      unlisted: How many more there were.
    """

    frames: int
    roots: Mapping[str, int]
    connections: Mapping[int, Mapping[str, int]]
    violations: tuple[Violation, ...]
    unlisted: int = 0

    @property
    def legal(self) -> bool:
        """Whether no frame broke a rule."""
        return not self.violations

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "frames": self.frames,
            "roots": dict(self.roots),
            "connections": {str(number): dict(roots) for number, roots in self.connections.items()},
            "violations": [attrs.asdict(violation) for violation in self.violations],
            "unlisted": self.unlisted,
        }

    def __str__(self) -> str:
        if not self.frames:
            return "No frames from clients were judged."
        roots = ", ".join(f"{count} {root}" for root, count in self.roots.items())
        lines = [f"{self.frames} frames from clients: {roots}."]
        if self.legal:
            lines.append("All of them were legal.")
        else:
            lines.append(f"{len(self.violations) + self.unlisted} broke a rule:")
            lines += [f"  {violation}" for violation in self.violations]
            if self.unlisted:
                lines.append(f"  and {self.unlisted} more")
        return "\n".join(lines)


class LegalityBook:
    """Judges every frame of every client, and keeps the result.

    Args:
      lenient: Whether what is wrong is passed over rather than refused.
      redactor: Keeps credentials out of the report.

    Attributes:
      told: Called with each broken rule; for a script.
    """

    def __init__(self, *, lenient: bool = False, redactor: Redactor | None = None) -> None:
        self.lenient: bool = lenient
        self.told: Callable[[Violation], None] | None = None
        self._redactor = redactor or Redactor()
        self._roots: Counter[str] = Counter()
        self._connections: dict[int, Counter[str]] = {}
        self._violations: list[Violation] = []
        self._unlisted = 0
        self._wrong: set[int] = set()  # connections whose last frame has its entry

    def read(
        self, connection: int, frame: str | bytes, backend: Backend = "gemini"
    ) -> wire.LiveClientMessage | None:
        """Read one frame.

        Returns:
          The message, with one root; in lenient mode what is left of it, ``None`` for nothing.

        Raises:
          Refused: it breaks a rule, in strict mode.
        """
        self._wrong.discard(connection)
        try:
            message = read_message(frame, backend)
        except Refused as refused:
            rest = self._count_illegal(connection, frame)
            self.broken(connection, frame, refused)
            return rest
        self._count(connection, _roots_of(message)[0])
        return message

    def broken(self, connection: int, frame: str | bytes, refused: Refused) -> None:
        """Note that a frame broke a rule.

        Raises:
          Refused: in strict mode.
        """
        if connection in self._wrong:
            return  # in lenient mode a frame may be wrong twice
        self._wrong.add(connection)
        violation = Violation(
            trio.current_time(),
            connection,
            refused.code,
            self._redactor.text(refused.reason),
            self._redactor.text(refused.why),
            self._redactor.excerpt(frame),
        )
        if len(self._violations) < MOST_VIOLATIONS:
            self._violations.append(violation)
        else:
            self._unlisted += 1
        if self.told is not None:
            self.told(violation)
        if not self.lenient:
            raise refused

    def check_setup(
        self,
        connection: int,
        frame: str | bytes,
        setup: wire.LiveClientSetup,
        door: Door,
        unknown: Profile | None = None,
    ) -> tuple[wire.LiveClientSetup, Profile]:
        """Check a setup against its model.

        Returns:
          The setup, in lenient mode without what its model refuses, and the model's profile.

        Raises:
          Refused: it breaks a rule, in strict mode.
        """
        try:
            return setup, check_setup(setup, door, unknown)
        except Refused as refused:
            self.broken(connection, frame, refused)
        return _acceptable(setup, door, unknown)

    def report(self) -> LegalityReport:
        """Everything up to now."""
        return LegalityReport(
            frames=self._roots.total(),
            roots=dict(self._roots),
            connections={number: dict(roots) for number, roots in self._connections.items()},
            violations=tuple(self._violations),
            unlisted=self._unlisted,
        )

    def _count_illegal(self, connection: int, frame: str | bytes) -> wire.LiveClientMessage | None:
        try:
            message = codec.decode_client(frame)
        except DecodeError:
            self._count(connection, "unreadable")
            return None
        roots = _roots_of(message)
        self._count(connection, roots[0] if len(roots) == 1 else "several" if roots else "none")
        if not roots:
            return None
        message = _without_strangers(message)
        first = next(name for name in _ROOTS if getattr(message, name) is not None)
        return wire.LiveClientMessage(**{first: getattr(message, first)})

    def _count(self, connection: int, root: str) -> None:
        self._roots[root] += 1
        if connection not in self._connections:
            self._connections[connection] = Counter()
            if len(self._connections) > MOST_CONNECTIONS:
                oldest = next(iter(self._connections))
                del self._connections[oldest]
                self._wrong.discard(oldest)
        self._connections[connection][root] += 1


def _roots_of(message: wire.LiveClientMessage) -> list[str]:
    return [name for field, name in _ROOTS.items() if getattr(message, field) is not None]


def _without_strangers(message: Any) -> Any:
    """Leave out unknown names and unknown enum values, at every depth."""
    changes: dict[str, Any] = {"extra": {}} if message.extra else {}
    fields, _ = shape_of(type(message))
    for field in fields:
        value = getattr(message, field.name)
        if value is None or value is wire.ABSENT:
            continue  # an empty list would say something else
        many = isinstance(value, tuple)
        kept = []
        for item in value if many else (value,):
            if isinstance(item, wire.Message):
                kept.append(_without_strangers(item))
            elif field.enum is None or str(item).upper() in field.enum.__members__:
                kept.append(item)
        changes[field.name] = tuple(kept) if many else next(iter(kept), None)
    return attrs.evolve(message, **changes)


def _acceptable(
    setup: wire.LiveClientSetup, door: Door, unknown: Profile | None
) -> tuple[wire.LiveClientSetup, Profile]:
    """Take out of a setup what the simulator couldn't work with."""
    resumption = setup.session_resumption
    if resumption is not None and not door.vertex:
        setup = attrs.evolve(setup, session_resumption=attrs.evolve(resumption, transparent=None))
    model = (setup.model or "").rpartition("/")[2]
    profile = profile_of(f"models/{model}") or unknown or profile_of(_STAND_IN)
    assert profile is not None
    generation = setup.generation_config
    if generation is not None:
        first = attrs.evolve(
            generation, response_modalities=tuple(generation.response_modalities)[:1]
        )
        if modality_of(attrs.evolve(setup, generation_config=first), profile) in profile.refused:
            first = attrs.evolve(first, response_modalities=())
        setup = attrs.evolve(setup, generation_config=first)
    return setup, profile
