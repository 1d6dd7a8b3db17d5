"""What a script may expect of a message, and how it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from ... import wire
from ._matching import difference, pattern_from
from ._orders import nearest

__all__ = [
    "Expected",
    "ScriptError",
    "ScriptMismatch",
    "Test",
    "arguments",
    "field_path",
    "make_test",
]

Expected: TypeAlias = "str | Mapping[str, Any] | Callable[[wire.LiveClientMessage], bool]"
"""What to expect: the name of a field, a partial message, or a function that says yes or no."""

Test: TypeAlias = Callable[[wire.LiveClientMessage], "str | None"]
"""Returns ``None`` for a message that fits, else what is wrong with it."""


class ScriptMismatch(AssertionError):
    """The client did something else than its script expects, or the script isn't over.

    Attributes:
      step: Which step of the script, from 1; 0 where no step is to blame.
      expected: What the script expected.
      got: What came instead.
    """

    def __init__(self, text: str, *, step: int = 0, expected: str = "", got: str = "") -> None:
        super().__init__(text)
        self.step: int = step
        self.expected: str = expected
        self.got: str = got


class ScriptError(ValueError):
    """A script that can't be run: one sentence says where, and what is wrong."""


def make_test(wanted: Expected) -> tuple[Test, str]:
    """Make the test for what is expected, and the words that show it."""
    if isinstance(wanted, Mapping):
        try:
            pattern = pattern_from(wanted)
        except ValueError as error:
            raise ScriptError(f"It can't be expected: {error}") from None
        return lambda message: difference(pattern, message), repr(dict(wanted))
    if isinstance(wanted, str):
        pattern_path = field_path(wanted)
        return lambda message: _has(message, pattern_path), repr(wanted)
    return lambda message: None if wanted(message) else "the function says no", "a function"


_ROOTS: Final = {
    "clientContent": ("client_content",),
    "contextUpdate": ("context_update",),
    "realtimeInput": ("realtime_input",),
    "toolResponse": ("tool_response",),
    "activityEnd": ("realtime_input", "activity_end"),
    "activityStart": ("realtime_input", "activity_start"),
    "audio": ("realtime_input", "audio"),
    "audioStreamEnd": ("realtime_input", "audio_stream_end"),
    "mediaChunks": ("realtime_input", "media_chunks"),
    "text": ("realtime_input", "text"),
    "video": ("realtime_input", "video"),
}


def field_path(name: str) -> tuple[str, ...]:
    """Find the field of a client message that a step names; raises ``ScriptError`` for none."""
    if name not in _ROOTS:
        raise ScriptError(f"No message has a field {name!r}.{nearest(name, _ROOTS)}")
    return _ROOTS[name]


def _has(message: wire.LiveClientMessage, path: tuple[str, ...]) -> str | None:
    value: Any = message
    for name in path:
        value = getattr(value, name)
        if value is None or value is wire.ABSENT or value is False:
            return f"it has no {path[-1]}"
    return None


def arguments(**given: object) -> str:
    """The arguments of a step that were given, as they would be written."""
    return ", ".join(f"{name}={value!r}" for name, value in given.items() if value is not None)
