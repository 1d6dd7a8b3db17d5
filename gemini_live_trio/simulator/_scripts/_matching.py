"""Whether a client's message is what was expected, and how to say what is different."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeGuard

import attrs
import orjson

from ... import codec, wire
from ...errors import DecodeError
from .._books._ledger import summary_of
from ._orders import nearest

__all__ = ["ANY", "PatternError", "describe", "difference", "is_media", "pattern_from", "text_in"]

ANY: Final = "<any>"
"""In a pattern, instead of a text: whatever isn't empty."""

_MOST_SHOWN: Final = 120
_HIDDEN: Final = frozenset({"handle"})


class PatternError(ValueError):
    """A pattern that no message could fit."""


def pattern_from(given: Mapping[str, Any]) -> wire.LiveClientMessage:
    """Read a partial message, with its keys in camel or snake case.

    Raises:
      PatternError: it has a name that no client's message has, or an impossible value.
    """
    try:
        pattern = codec.decode_client(orjson.dumps(dict(given)))
    except (DecodeError, TypeError) as error:
        raise PatternError(f"no client could send this: {error}") from None
    _check_names(pattern, "")
    return pattern


def _check_names(value: Any, path: str) -> None:
    if isinstance(value, wire.Message):
        names = [_json_name(field) for field in attrs.fields(type(value)) if field.name != "extra"]
        for name in value.extra:
            place = f" in {path}" if path else ""
            raise PatternError(f"no message has a {name!r}{place}.{nearest(name, names)}")
        for field in attrs.fields(type(value)):
            if field.name != "extra":
                _check_names(getattr(value, field.name), _under(path, _json_name(field)))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            _check_names(item, f"{path}[{index}]")


def _json_name(field: attrs.Attribute[Any]) -> str:
    names = field.metadata.get("json")
    if names:
        return str(names[0])
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), field.name)


def _under(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def difference(pattern: Any, value: Any, path: str = "") -> str | None:
    """Say where a value isn't as the pattern has it; ``None`` where it fits.

    Objects may hold more than the pattern, lists may not. ``ANY`` fits whatever isn't empty.
    """
    if isinstance(pattern, wire.Message) and isinstance(value, type(pattern)):
        for field in attrs.fields(type(pattern)):
            wanted = getattr(pattern, field.name)
            if field.name == "extra" or wanted is None or wanted is wire.ABSENT:
                continue
            there = _under(path, _json_name(field))
            found = difference(wanted, getattr(value, field.name), there)
            if found is not None:
                return found
        return None
    if isinstance(pattern, Mapping) and isinstance(value, Mapping):
        for name, wanted in pattern.items():
            there = _under(path, name)
            if name not in value:
                return f"there is no {there}"
            found = difference(wanted, value[name], there)
            if found is not None:
                return found
        return None
    if _is_list(pattern) and _is_list(value):
        if len(pattern) != len(value):
            return f"{path} has {len(value)} items, not {len(pattern)}"
        for index, (one, other) in enumerate(zip(pattern, value, strict=True)):
            found = difference(one, other, f"{path}[{index}]")
            if found is not None:
                return found
        return None
    if pattern == ANY and value is not None and value is not wire.ABSENT:
        empty = isinstance(value, (str, bytes, Mapping, Sequence)) and not value
        return f"{path} is empty" if empty else None
    # True isn't 1, though Python holds them equal.
    if pattern == value and isinstance(pattern, bool) is isinstance(value, bool):
        return None
    if value is None or value is wire.ABSENT:
        return f"there is no {path}"
    if path.rpartition(".")[2] in _HIDDEN:
        return f"{path} is another"
    return f"{path} is {_shown(value)}, not {_shown(pattern)}"


def _is_list(value: object) -> TypeGuard[Sequence[Any]]:
    return isinstance(value, Sequence) and not isinstance(value, (str, bytes))


def _shown(value: Any) -> str:
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, wire.Message):
        return "an object"
    shown = repr(value)
    return shown if len(shown) <= _MOST_SHOWN else f"{shown[:_MOST_SHOWN]}..."


def is_media(message: wire.LiveClientMessage) -> bool:
    """Whether it is sound, a picture or a mark around them: what may come at any time."""
    return message.realtime_input is not None and message.realtime_input.text is None


def text_in(message: wire.LiveClientMessage) -> str | None:
    """What is said in text: ``realtimeInput.text``, or the last turn of ``clientContent``."""
    if message.realtime_input is not None:
        return message.realtime_input.text
    if message.client_content is not None and message.client_content.turns:
        parts = message.client_content.turns[-1].parts
        return "".join(part.text for part in parts if part.text)
    return None


def describe(message: wire.LiveClientMessage) -> str:
    """A message in a few words, for a person."""
    kind, text, ids = summary_of(message)
    if message.realtime_input is not None:
        kind = f"realtimeInput.{kind}" if kind != "realtimeInput" else kind
    if ids:
        return f"{kind} to {', '.join(ids)}"
    return f"{kind} {_shown(text)}" if text else kind
