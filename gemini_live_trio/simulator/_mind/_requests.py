"""Reading what a user wants called: names, arguments, and the values that a declaration asks for.

``call get_weather with city=Paris``, ``call a with x=1 and b with y=2``,
``call get_weather {"city": "Paris"}``, and ``call slow with q=x; meanwhile count to 30``.
A name may be spoken: ``call get weather with city equals Paris``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from ... import wire
from ._hands import Call

__all__ = ["Request", "mentioned", "requested"]

_ASKS: Final = re.compile(
    r"\W*(?:(?:please|now|and|then|can you|could you)[\s,]+)*call\s+(?:the\s+)?"
    r"(?:(?:function|tool)s?\s+)?(?=\S)",
    re.IGNORECASE,
)
_NAME: Final = re.compile(r"[A-Za-z_][\w.:-]*\w|[A-Za-z_]")
_PERSONAL: Final = frozenset(
    {"me", "us", "it", "him", "her", "them", "a", "an", "my", "your", "his", "their", "our"}
    | {"this", "that", "off", "for", "on", "back", "again", "later"}
)
_GOES_ON: Final = re.compile(r"\s*(?:[({=]|with\b|using\b|,|;|and\b|[.!?]?\s*$)", re.IGNORECASE)
_LEAD_IN: Final = re.compile(r"[\s(]*(?:(?:with|using|for|where)\b)?[\s:]*", re.IGNORECASE)
_PAIR: Final = re.compile(r"([A-Za-z_]\w*)\s*(?:=|:|\bequals\b)\s*", re.IGNORECASE)
_BREAK: Final = re.compile(r"\s*(?:[,;]\s*(?:and\s+)?|\band\s+)", re.IGNORECASE)
_MEANWHILE: Final = re.compile(r"meanwhile[\s,:]+", re.IGNORECASE)
_ARGUMENTS: Final = re.compile(r"\b[A-Za-z_]\w*\s*(?:=|\bequals\b)", re.IGNORECASE)
_AGAIN: Final = re.compile(r"(?:then\s+)?(?:call\s+)?(?:the\s+)?", re.IGNORECASE)
_MOST_DEPTH: Final = 32
_MOST_CALLS: Final = 16
_MOST_VALUE: Final = 1_000
"""Characters of a value that isn't JSON, so that no value is slow to look at."""
_JSON: Final = json.JSONDecoder()


@attrs.frozen
class Request:
    """What is to be called.

    Attributes:
      calls: The calls, in order.
      unknown: A name that nobody declared; then nothing is called.
      problem: What keeps it from being called, as a sentence.
      rest: What to answer meanwhile.
    """

    calls: tuple[Call, ...] = ()
    unknown: str = ""
    problem: str = ""
    rest: str = ""


def _spoken(name: str) -> str:
    return re.sub(r"[ _-]", "_", name).lower()


class _Unreadable(Exception):
    """An argument isn't what it should be; the message is a sentence for the user."""


def requested(text: str, declared: Mapping[str, wire.FunctionDeclaration]) -> Request | None:
    """Read a text that begins with ``call``; ``None`` for every other text."""
    asks = _ASKS.match(text)
    if asks is None:
        return None
    text = text[asks.end() :]
    reader = _Reader(text, declared)
    if not reader.at_name():
        name = _NAME.match(text)
        if name is None or name[0].lower() in _PERSONAL or not _GOES_ON.match(text, name.end()):
            return None
        return Request(unknown=name[0])
    try:
        calls = tuple(reader.calls())
        return Request(calls=calls, rest=reader.rest)
    except _Unreadable as error:
        return Request(problem=str(error))


def mentioned(text: str, declared: Mapping[str, wire.FunctionDeclaration]) -> Request | None:
    """Find a declared function that a text names without asking for a call."""
    for name in declared:
        spoken = re.escape(name).replace("_", "[_ -]")
        if len(re.split(r"_|(?<=[a-z])(?=[A-Z])|\d", name)) == 1:
            spoken = rf"(?:use|using|run|invoke|ask|try)\s+(?:the\s+)?{spoken}"
        found = re.search(rf"\b{spoken}\b", text, re.IGNORECASE)
        if found is None:
            continue
        arguments = _ARGUMENTS.search(text, found.end())
        given = text[arguments.start() :] if arguments else ""
        try:
            return Request(calls=(_Reader(f"{name} {given}", declared).call(),))
        except _Unreadable as error:
            return Request(problem=str(error))
    return None


class _Reader:
    """Reads calls from a text, from left to right.

    Attributes:
      rest: What follows ``meanwhile``.
    """

    def __init__(self, text: str, declared: Mapping[str, wire.FunctionDeclaration]) -> None:
        self._text = text
        self._at = 0
        self._declared = declared
        self.rest: str = ""
        names = sorted(declared, key=len, reverse=True)
        either = "|".join(re.escape(name).replace("_", "[_ -]") for name in names)
        self._names = re.compile(rf"(?:{either})(?!\w)" if names else r"(?!)", re.IGNORECASE)

    def at_name(self) -> bool:
        return self._names.match(self._text, self._at) is not None

    def calls(self) -> list[Call]:
        calls = [self.call()]
        while (separator := _BREAK.match(self._text, self._at)) and len(calls) < _MOST_CALLS:
            self._at = separator.end()
            if meanwhile := _MEANWHILE.match(self._text, self._at):
                self.rest = self._text[meanwhile.end() :]
                break
            if again := _AGAIN.match(self._text, self._at):
                self._at = again.end()
            if not self.at_name():
                if name := _NAME.match(self._text, self._at):
                    raise _Unreadable(
                        f"I can't make out what to do with {name[0]!r}: it is neither a function "
                        "that you gave me nor an argument."
                    )
                break
            calls.append(self.call())
        return calls

    def call(self) -> Call:
        found = self._names.match(self._text, self._at)
        assert found is not None
        name = next(name for name in self._declared if _spoken(name) == _spoken(found[0]))
        self._at = found.end()
        fields = _Fields(self._declared[name])
        lead_in = _LEAD_IN.match(self._text, self._at)
        assert lead_in is not None
        if self._text[lead_in.end() : lead_in.end() + 1] == "{":
            self._at = lead_in.end()
            given = self._json()
            if not isinstance(given, dict):
                raise _Unreadable(f"The arguments of {name} aren't readable as JSON.")
            return Call(name, given)
        args: dict[str, Any] = {}
        at = lead_in.end()
        while pair := _PAIR.match(self._text, at):
            self._at = pair.end()
            field = fields.spelt(pair[1])
            args[field] = fields.typed(name, field, self._value())
            separator = _BREAK.match(self._text, self._at)
            if separator is None:
                break
            at = separator.end()
        if self._text[self._at : self._at + 1] == ")" or self._text.startswith("()", self._at):
            self._at += 1 if self._text[self._at] == ")" else 2
        return Call(name, fields.completed(args))

    def _value(self) -> Any:
        if self._text[self._at : self._at + 1] in {'"', "[", "{"}:
            return self._json()
        end = self._at
        last = min(len(self._text), self._at + _MOST_VALUE)
        while end < last:
            if self._text[end] == ")":
                break
            separator = _BREAK.match(self._text, end)
            if separator is not None and self._ends_value(separator.end()):
                break
            end += 1
        value = self._text[self._at : end].strip()
        self._at = end
        # What a sentence ends with isn't part of its last word.
        return value.rstrip(".!?") if end == len(self._text) else value

    def _ends_value(self, at: int) -> bool:
        """Whether what follows a separator is another argument or another call."""
        if _PAIR.match(self._text, at) or _MEANWHILE.match(self._text, at):
            return True
        again = _AGAIN.match(self._text, at)
        return again is not None and self._names.match(self._text, again.end()) is not None

    def _json(self) -> Any:
        depth = most = 0
        for character in self._text[self._at :]:
            depth += (character in "[{") - (character in "]}")
            most = max(most, depth)
        if most > _MOST_DEPTH:
            raise _Unreadable(f"I call nothing with more than {_MOST_DEPTH} levels of brackets.")
        try:
            value, end = _JSON.raw_decode(self._text, self._at)
            # An escape can smuggle in half a surrogate pair, which nobody can send.
            clean = json.dumps(value, ensure_ascii=False).encode(errors="replace")
        except ValueError:
            raise _Unreadable("I can't read the arguments: they aren't JSON.") from None
        self._at = end
        return json.loads(clean)


class _Fields:
    """The arguments that a function was declared with, in either kind of schema."""

    def __init__(self, declaration: wire.FunctionDeclaration) -> None:
        schema = declaration.parameters
        plain = declaration.parameters_json_schema
        self._types: dict[str, Any] = {}
        self._required: Sequence[str] = ()
        if schema is not None:
            self._types = dict(schema.properties or {})
            self._required = schema.required
        elif isinstance(plain, Mapping):
            properties = plain.get("properties")
            required = plain.get("required")
            self._types = dict(properties) if isinstance(properties, Mapping) else {}
            if isinstance(required, Sequence) and not isinstance(required, str):
                self._required = [name for name in required if isinstance(name, str)]

    def spelt(self, name: str) -> str:
        """The declared spelling of a name, else the name."""
        return next((known for known in self._types if known.lower() == name.lower()), name)

    def typed(self, function: str, field: str, value: Any) -> Any:
        try:
            return _convert(value, self._types.get(field))
        except ValueError as error:
            raise _Unreadable(
                f"I can't call {function}: {field} is to be {error}, and {value!r} is none."
            ) from None

    def completed(self, args: dict[str, Any]) -> dict[str, Any]:
        """Fill in what is required and wasn't given, as a model would make something up."""
        for name in self._required:
            if name not in args:
                args[name] = _example(self._types.get(name))
        return args


def _get(schema: Any, name: str) -> Any:
    if isinstance(schema, Mapping):
        return schema.get(name)
    return getattr(schema, name, None)


def _kind(schema: Any) -> str:
    kind = _get(schema, "type")
    if isinstance(kind, Sequence) and not isinstance(kind, str):
        kind = next((one for one in kind if one != "null"), None)
    return str(kind or "").lower()


def _convert(value: Any, schema: Any) -> Any:
    """Read a value as the declared type; raise ``ValueError`` with what it should be."""
    kind = _kind(schema)
    text = value if isinstance(value, str) else None
    match kind:
        case "integer":
            if text is not None and re.fullmatch(r"[+-]?\d{1,18}", text):
                return int(text)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
            raise ValueError("a whole number")
        case "number":
            if text is not None and re.fullmatch(
                r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text
            ):
                number = float(text)
                return int(text) if re.fullmatch(r"[+-]?\d{1,15}", text) else number
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return value
            raise ValueError("a number")
        case "boolean":
            if isinstance(value, bool):
                return value
            if str(value).lower() in {"true", "yes", "on", "1"}:
                return True
            if str(value).lower() in {"false", "no", "off", "0"}:
                return False
            raise ValueError("true or false")
        case "array":
            items = re.split(r"\s*(?:,|\band\b)\s*", text) if text is not None else value
            if not isinstance(items, list):
                raise ValueError("a list")
            return [_convert(item, _get(schema, "items")) for item in items]
        case "object":
            if not isinstance(value, dict):
                raise ValueError("an object")
            return value
        case "string":
            allowed = _get(schema, "enum") or ()
            spelt = text if text is not None else json.dumps(value)
            return next((one for one in allowed if str(one).lower() == spelt.lower()), spelt)
        case _:
            return _guess(value)


def _guess(value: Any) -> Any:
    """Read a value that nobody declared: a number or a truth where it looks like one."""
    if not isinstance(value, str) or not re.fullmatch(r"true|false|-?\d{1,15}(\.\d{1,9})?", value):
        return value
    return json.loads(value)


def _example(schema: Any, depth: int = 0) -> Any:
    """Make up a value of a declared type."""
    if _get(schema, "default") is not None:
        return _get(schema, "default")
    allowed = _get(schema, "enum")
    if allowed:
        return next(iter(allowed))
    match _kind(schema):
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "array":
            return []
        case "object" if depth < 4:
            properties = _get(schema, "properties") or {}
            names = [name for name in (_get(schema, "required") or ()) if name in properties]
            return {name: _example(properties[name], depth + 1) for name in names}
        case "object":
            return {}
        case _:
            return "anything"
