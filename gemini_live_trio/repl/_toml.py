"""The little TOML that profiles are written in; what reads it is Python's ``tomllib``.

A document here has settings at its top and tables of settings below, nothing deeper. A key of
``tools.timer`` means ``timer`` in the table ``tools``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["dumped", "edited", "line_of", "written"]

_HEADER: Final = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(?:#.*)?")
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_LONGEST: Final = 1_000
"""Lines of one value."""


def written(value: str | bool | int | float) -> str:
    """Write a value; what can't be seen in it is escaped. The number is finite."""
    if isinstance(value, str):
        return f'"{"".join(map(_letter, value))}"'
    return str(value).lower()


def _letter(letter: str) -> str:
    if letter in _SHORT:
        return _SHORT[letter]
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def dumped(document: dict[str, Any]) -> str:
    """Write a whole document."""
    tables = {name: value for name, value in document.items() if isinstance(value, dict)}
    lines = [_line(name, value) for name, value in document.items() if name not in tables]
    for name, table in tables.items():
        lines += [f"\n[{_name(name)}]\n", *(_line(*item) for item in table.items())]
    return "".join(lines).lstrip("\n")


def _line(name: str, value: Any) -> str:
    return f"{_name(name)} = {_any(value)}\n"


def _any(value: Any) -> str:
    """Write what a person may have put into a file, to leave it there."""
    if isinstance(value, list):
        return f"[{', '.join(map(_any, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_name(key)} = {_any(item)}' for key, item in value.items())}}}"
    return written(value)


def _name(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else written(name)


def _split(key: str) -> tuple[str, str]:
    table, dot, name = key.partition(".")
    return (table, name) if dot else ("", key)


def line_of(text: str, key: str) -> int | None:
    """The number of the line where a key stands, where it stands in a line as usual."""
    index = _index(text.splitlines(), key)
    return None if index is None else index + 1


def _index(lines: list[str], key: str) -> int | None:
    table, name = _split(key)
    plain = re.compile(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=")
    dotted = re.compile(rf"\s*{re.escape(table)}\s*\.\s*{re.escape(name)}\s*=")
    here = ""
    for index, line in enumerate(lines):
        if header := _HEADER.fullmatch(line.rstrip("\n")):
            here = header[1]
        elif (here == table and plain.match(line)) or (not here and dotted.match(line)):
            return index
    return None


def edited(text: str, key: str, value: str | bool | int | float | None) -> str:
    """Set one key, or take it out for ``None``, and leave the rest of the text as it is.

    Each attempt is read back; where none of them comes out right, as with a table in one line, the
    whole is written anew, without its comments.
    """
    document = tomllib.loads(text)
    _put(document, key, value)
    table, name = _split(key)
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    new = [] if value is None else [f"{_name(name)} = {written(value)}\n"]
    first = _index(lines, key)
    if first is not None:
        # A value may go on over several lines.
        ends = range(first + 1, min(len(lines), first + _LONGEST) + 1)
        attempts: Iterable[str] = ("".join([*lines[:first], *new, *lines[end:]]) for end in ends)
    else:
        attempts = [_inserted(lines, table, new)]
    for attempt in attempts:
        if _reads_as(attempt, document):
            return attempt
    return dumped(document)


def _put(document: dict[str, Any], key: str, value: Any) -> None:
    table, name = _split(key)
    inner = document.setdefault(table, {}) if table else document
    if not isinstance(inner, dict):
        inner = document[table] = {}
    if value is None:
        inner.pop(name, None)
    else:
        inner[name] = value


def _inserted(lines: list[str], table: str, new: list[str]) -> str:
    headers = [(index, _HEADER.fullmatch(line.rstrip("\n"))) for index, line in enumerate(lines)]
    at = next((index + 1 for index, found in headers if found and found[1] == table), None)
    if table and at is None:
        return "".join([*lines, *(["\n"] if lines else []), f"[{table}]\n", *new])
    if at is None:
        at = next((index for index, found in headers if found), len(lines))
        while 0 < at < len(lines) and not lines[at - 1].strip():
            at -= 1  # the blank line before a table stays there
    return "".join([*lines[:at], *new, *lines[at:]])


def _reads_as(text: str, document: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == document
    except tomllib.TOMLDecodeError:
        return False
