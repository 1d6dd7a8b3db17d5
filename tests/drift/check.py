"""Compare our wire classes with the newest google-genai, both ways.

    nox -s drift

prints what is new there, gone from there, or different, and fails when a difference isn't
explained in ``known.toml`` or an explanation is no longer needed. It compares all messages that can
be reached from the roots of the Live protocol: their fields, the fields' JSON types, and the values
of their enums. It is how a maintainer keeps up with the service; the SDK is generated from the
service's definitions within days of a change.
"""

from __future__ import annotations

import collections.abc
import enum
import sys
import tomllib
import types as python_types
import typing
from pathlib import Path
from typing import Annotated, Any

import attrs
import pydantic
from google import genai
from google.genai import types as theirs

from gemini_live_trio import wire

KNOWN = Path(__file__).with_name("known.toml")
# The SDK assembles tools and activity detection from dicts, so no annotation leads to these.
ROOTS = ["LiveClientMessage", "LiveServerMessage", "Tool", "RealtimeInputConfig"]

Difference = tuple[str, str, str]  # place, kind, detail


def unwrapped(annotation: Any) -> Any:
    """Drop ``Optional`` and what our open enums allow besides."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, python_types.UnionType):
        rest = [arg for arg in typing.get_args(annotation) if arg is not type(None)]
        enums = [arg for arg in rest if isinstance(arg, type) and issubclass(arg, enum.Enum)]
        return unwrapped((enums or rest)[0])
    return annotation


def shape(annotation: Any) -> tuple[str, type | None]:
    """Describe what JSON a field takes, and the class behind it where there is one."""
    annotation = unwrapped(annotation)
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        inner, mark = typing.get_args(annotation)
        return ("str", None) if mark == "duration" else shape(inner)
    if origin is typing.Literal:
        return "str", None
    if origin in (list, collections.abc.Sequence):
        inner, found = shape(typing.get_args(annotation)[0])
        return f"[{inner}]", found
    if origin in (dict, collections.abc.Mapping):
        inner, found = shape(typing.get_args(annotation)[1])
        return f"{{{inner}}}", found
    if annotation is Any:
        return "any", None
    if isinstance(annotation, type):
        if issubclass(annotation, enum.Enum):
            return annotation.__name__, annotation
        if issubclass(annotation, pydantic.BaseModel | wire.Message):
            return annotation.__name__, annotation
        if annotation in (int, float):
            return "number", None
        return annotation.__name__, None
    return str(annotation), None


Fields = dict[str, tuple[str, type | None]]


def their_fields(cls: type[pydantic.BaseModel]) -> Fields:
    return {name: shape(field.annotation) for name, field in cls.model_fields.items()}


def our_fields(cls: type[wire.Message]) -> Fields:
    attrs.resolve_types(cls, include_extras=True)
    return {field.name: shape(field.type) for field in attrs.fields(cls) if field.name != "extra"}


def json_names(
    cls: type[pydantic.BaseModel], mine: type[wire.Message]
) -> list[tuple[str, str, str]]:
    """Fields that both have, with their JSON name there and here."""
    fields = attrs.fields_dict(mine)
    pairs = []
    for name, field in cls.model_fields.items():
        if name in fields:
            head, *tail = name.split("_")
            camel = head + "".join(word.capitalize() for word in tail)
            here = fields[name].metadata.get("json", (camel,))[0]
            pairs.append((name, field.alias or name, here))
    return pairs


def reachable(fields_of: Any, roots: list[type]) -> dict[str, type]:
    """Every class that a frame can hold, by its name."""
    found: dict[str, type] = {}
    waiting = list(roots)
    while waiting:
        cls = waiting.pop()
        if cls.__name__ in found:
            continue
        found[cls.__name__] = cls
        if not issubclass(cls, enum.Enum):
            waiting += [inner for _, inner in fields_of(cls).values() if inner is not None]
    return found


def differences() -> list[Difference]:
    """List every difference, in the order of places."""
    them = reachable(their_fields, [getattr(theirs, root) for root in ROOTS])
    us = reachable(our_fields, [getattr(wire, root) for root in ROOTS])
    found: list[Difference] = []
    for name in sorted(them.keys() | us.keys()):
        if name not in us:
            found.append((name, "new", "a class there, not here"))
        elif name not in them:
            found.append((name, "gone", "a class here, not there"))
        elif issubclass(them[name], enum.Enum):
            values_there = {str(member.value) for member in them[name]}  # type: ignore[attr-defined]
            values_here = {str(member.value) for member in us[name]}  # type: ignore[attr-defined]
            found += [(f"{name}.{v}", "new", "a value there") for v in values_there - values_here]
            found += [(f"{name}.{v}", "gone", "a value here") for v in values_here - values_there]
        else:
            there, here = their_fields(them[name]), our_fields(us[name])
            for field in there.keys() | here.keys():
                place = f"{name}.{field}"
                if field not in here:
                    found.append((place, "new", there[field][0]))
                elif field not in there:
                    found.append((place, "gone", here[field][0]))
                elif there[field][0] != here[field][0]:
                    found.append((place, "type", f"{there[field][0]} there, {here[field][0]} here"))
            for field, name_there, name_here in json_names(them[name], us[name]):
                if name_there != name_here:
                    found.append(
                        (f"{name}.{field}", "name", f"{name_there} there, {name_here} here")
                    )
    return sorted(found)


def main() -> int:
    """Print the table; return 1 when something in it wants a maintainer."""
    known: dict[str, str] = tomllib.loads(KNOWN.read_text(encoding="utf-8"))["known"]
    found = differences()
    print(f"google-genai {genai.__version__}: {len(found)} differences")
    unexplained = 0
    for place, kind, detail in found:
        reason = known.pop(f"{kind} {place}", None)
        unexplained += reason is None
        print(f"  {kind:5} {place:60} {detail:30} {reason or '<-- not explained'}")
    for entry in known:
        print(f"  known.toml explains {entry!r}, which is no difference any more")
    return 1 if unexplained or known else 0


if __name__ == "__main__":
    sys.exit(main())
