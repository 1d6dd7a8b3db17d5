"""What a docstring tells: what a thing is for, and what its parameters mean.

The three usual styles are understood, since a docstring is written for people and its style is the
project's choice: Google (``Args:``), NumPy (a line of dashes under ``Parameters``) and Sphinx
(``:param name:``). A small parser is here rather than a dependency of every user, because only two
things are wanted of it, and because text that it doesn't understand does no harm: it stays in the
description.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

import attrs

__all__ = ["Docstring", "read_docstring"]

_PARAMETERS: Final = frozenset(
    {
        *("args", "arguments", "parameters", "params", "other parameters"),
        *("keyword args", "keyword arguments", "attributes"),
    }
)
_OTHERS: Final = frozenset(
    {
        *("returns", "return", "yields", "yield", "raises", "warns", "example", "examples"),
        *("note", "notes", "warning", "warnings", "see also", "references", "todo", "methods"),
    }
)
_PARAMETER_FIELDS: Final = frozenset({"param", "parameter", "arg", "argument", "key", "keyword"})
_OTHER_FIELDS: Final = frozenset(
    {
        *("type", "return", "returns", "rtype", "yield", "yields", "raise", "raises", "except"),
        *("exception", "var", "ivar", "cvar", "vartype", "meta"),
    }
)
_FIELD: Final = re.compile(r":(\w+)(?:\s+([^:]*))?:\s*(.*)")
_ENTRY: Final = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_NUMPY_ENTRY: Final = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?")


@attrs.frozen
class Docstring:
    """A docstring taken apart."""

    description: str = ""
    """What comes before and between the sections, the summary first."""

    parameters: Mapping[str, str] = attrs.field(factory=dict)
    """What each parameter means, in one line."""


def read_docstring(text: str | None) -> Docstring:
    """Take a docstring apart."""
    description: list[str] = []
    parameters: dict[str, str] = {}
    for section in _sections(inspect.cleandoc(text or "").splitlines()):
        match section.kind:
            case "text":
                description += section.lines
            case "google" if section.name in _PARAMETERS:
                margin = min((_indent(line) for line in section.lines if line.strip()), default=0)
                parameters.update(_entries(section.lines, margin, _ENTRY))
            case "numpy" if section.name in _PARAMETERS:
                parameters.update(_entries(section.lines, 0, _NUMPY_ENTRY))
            case "field" if section.name:
                parameters[section.name] = _one_line(section.lines)
    kept = re.sub(r"\n{3,}", "\n\n", "\n".join(description)).strip()
    return Docstring(kept, {name: words for name, words in parameters.items() if words})


@attrs.define
class _Section:
    kind: Literal["text", "google", "numpy", "field"]
    name: str = ""
    """Its heading in lower case, or the parameter that a field describes."""
    at_margin: bool = False
    """Whether its lines begin at the margin, so that only another heading ends it."""
    lines: list[str] = attrs.Factory(list)


def _sections(lines: list[str]) -> Iterator[_Section]:
    section = _Section("text", at_margin=True)
    skip = False
    for line, below in itertools.pairwise([*lines, ""]):
        if skip:  # the line of dashes
            skip = False
            continue
        begun = _begun(line.rstrip(), below.strip())
        if begun is None and line and not line[0].isspace() and not section.at_margin:
            begun = _Section("text", at_margin=True, lines=["", line])
        if begun is None:
            section.lines.append(line)
        else:
            yield section
            section = begun
            skip = section.kind == "numpy"
    yield section


def _begun(line: str, below: str) -> _Section | None:
    """The section that a line begins, if it is a heading."""
    name = line.lower()
    if len(below) >= 3 and set(below) in ({"-"}, {"="}) and name in _PARAMETERS | _OTHERS:
        return _Section("numpy", name, at_margin=True)
    heading = name.removesuffix(":").rstrip()
    if line.endswith(":") and heading in _PARAMETERS | _OTHERS:
        return _Section("google", heading)
    field = _FIELD.fullmatch(line)
    if field is not None and field[1] in _PARAMETER_FIELDS | _OTHER_FIELDS:
        words = (field[2] or "").split() if field[1] in _PARAMETER_FIELDS else []
        # As in ":param int days:".
        return _Section("field", words[-1].lstrip("*") if words else "", lines=[field[3]])
    return None


def _entries(lines: list[str], margin: int, pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Entries begin at the margin, what is indented further goes on with one."""
    names = ""
    words: list[str] = []
    for line in [*lines, " " * margin + "end: "]:
        entry = pattern.fullmatch(line.strip()) if _indent(line) == margin else None
        if line.strip() and entry is None:
            words.append(line)
        elif entry is not None:
            for name in filter(None, re.split(r"[\s,]+", names)):
                yield name.lstrip("*"), _one_line(words)
            names = entry[1]
            words = [entry[2]] if pattern.groups > 1 else []


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _one_line(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())
