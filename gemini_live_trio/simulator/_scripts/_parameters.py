"""What may stand after the name of a command: words, and how each is read."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from .._actions import check_code

__all__ = [
    "Parameter",
    "above_zero",
    "close_code",
    "count",
    "http_status",
    "json_object",
    "mebibytes",
    "one_of",
    "seconds",
    "words",
]

MOST_MEBIBYTES: Final = 64
_REQUIRED: Final = object()


def _number(text: str) -> float:
    value = float(text.removesuffix("s"))
    if not 0 <= value < math.inf:
        raise ValueError
    return value


def _above_zero(text: str) -> float:
    value = _number(text)
    if value <= 0:
        raise ValueError
    return value


def _mebibytes(text: str) -> float:
    value = _above_zero(text)
    if value > MOST_MEBIBYTES:
        raise ValueError
    return value


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 1_000_000:
        raise ValueError
    return value


def _code(text: str) -> int:
    value = int(text)
    check_code(value)
    return value


def _status(text: str) -> int:
    value = int(text)
    if not 400 <= value < 600:
        raise ValueError
    return value


def _object(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError:
        raise ValueError from None
    if not isinstance(value, dict):
        raise ValueError
    return value


def _choice(*words: str) -> Callable[[str], str]:
    def choose(text: str) -> str:
        if text not in words:
            raise ValueError
        return text

    return choose


@attrs.frozen(kw_only=True)
class Parameter:
    """One word after a command's name.

    Attributes:
      name: What it means.
      kind: What it must be, for a person.
      read: Makes a value of the word; raises ``ValueError``.
      default: The value without it; none where it has to be given.
      rest: Whether it is all that follows, spaces included.
      choices: The words it may be, the usual one first; none: any that ``read`` takes.
    """

    name: str
    kind: str
    read: Callable[[str], Any]
    default: Any = _REQUIRED
    rest: bool = False
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return self.default is _REQUIRED

    def __str__(self) -> str:
        name = "/".join(self.choices) or self.name
        if self.required:
            return f"<{name}>"
        if self.rest or self.choices:
            return f"[{name}]"
        shown = f"{self.default:g}" if isinstance(self.default, float) else self.default
        return f"[{self.name}={shown}]"


def _parameter(kind: str, read: Callable[[str], Any]) -> Callable[..., Parameter]:
    def make(name: str, default: Any = _REQUIRED, *, rest: bool = False) -> Parameter:
        return Parameter(name=name, kind=kind, read=read, default=default, rest=rest)

    return make


seconds = _parameter("a number of seconds", _number)
above_zero = _parameter("a number above 0", _above_zero)
mebibytes = _parameter(f"a number above 0, at most {MOST_MEBIBYTES}", _mebibytes)
count = _parameter("a whole number from 1", _count)
close_code = _parameter("a code that a close frame can carry, such as 1011", _code)
http_status = _parameter("an HTTP status from 400 to 599", _status)
words = _parameter("some words", str)
json_object = _parameter("a JSON object", _object)


def one_of(name: str, *choices: str, required: bool = False) -> Parameter:
    """A word out of several; the first is the default, unless it has to be given."""
    return Parameter(
        name=name,
        kind=f"{', '.join(choices[:-1])} or {choices[-1]}",
        read=_choice(*choices),
        default=_REQUIRED if required else choices[0],
        choices=choices,
    )
