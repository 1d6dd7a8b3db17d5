"""Setups that keep to a rule of the table, and setups that break it, made from the rule itself."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from enum import Enum
from typing import Any

import attrs

from gemini_live_trio import wire
from gemini_live_trio.capabilities import TABLE, Backend, Capability, Rule

__all__ = ["breaking", "keeping", "names_a_field", "place_of", "whole"]

NEEDED: dict[str, dict[str, Any]] = {
    "3.8-extended": {
        "generation_config": {"thinking_config": {"thinking_level": wire.ThinkingLevel.LOW}}
    },
    "3.5-translate": {"generation_config": {"translation_config": {"target_language_code": "es"}}},
}
"""What a setup of a family can't do without."""


def place_of(rule: Rule) -> tuple[Capability, Backend, str]:
    """A family, back end and version for which the rule holds."""
    served = {entry.name: entry for entry in TABLE.models}
    names = rule.families or ("3.8", "3.8-vertex")
    if rule.when is not None and rule.when[1] == {"TEXT"}:
        names = ("3.5-transcribe",)
    for name in names:
        for backend in sorted(served[name].backends & rule.backends):
            version = "v1beta" if backend == "gemini" else "v1"
            return served[name], backend, version
    raise AssertionError(f"{rule.name} holds nowhere")


def model_name(entry: Capability) -> str:
    return {"2.5": "gemini-2.5-flash-native-audio-preview-12-2025"}.get(
        entry.name,
        {
            "2.5-vertex": "gemini-live-2.5-flash-native-audio",
            "3.1": "gemini-3.1-flash-live-preview",
            "2.5-text": "gemini-2.0-flash-live-001",
            "3.5-translate": "gemini-3.5-live-translate-preview",
            "robotics": "gemini-robotics-er-2-streaming-preview",
            "unknown": "gemini-17-live",
        }.get(entry.name, entry.models[0]),
    )


def whole(entry: Capability, tree: dict[str, Any] | None = None) -> wire.LiveClientSetup:
    """A setup of the family with what it needs, and this in it."""
    needed = _merged(NEEDED.get(entry.name, {}), tree or {})
    if "response_modalities" not in needed.get("generation_config", {}):
        needed = _merged(
            {"generation_config": {"response_modalities": [entry.modalities[0]]}}, needed
        )
    return _built(wire.LiveClientSetup, {"model": f"models/{model_name(entry)}", **needed})


def breaking(rule: Rule) -> wire.LiveClientSetup:
    """A setup that the rule finds fault with."""
    entry, _, _ = place_of(rule)
    match rule.demand:
        case "absent":
            tree = _path(rule.field, _some(rule.field))
        case "present":
            return _built(
                wire.LiveClientSetup,
                _without(_merged(_tree_of(whole(entry)), _condition(rule)), rule.field),
            )
        case "none of":
            tree = _path(rule.field, _read(rule.field, min(rule.values)))
        case _:
            tree = _path(rule.field, _other(rule))
    return whole(entry, _merged(tree, _condition(rule)))


def keeping(rule: Rule) -> wire.LiveClientSetup:
    """A setup that keeps to it although it has to do with it, where there is such a one."""
    entry, _, _ = place_of(rule)
    match rule.demand:
        case "absent":
            return whole(entry, _condition(rule))
        case "present":
            return whole(entry, _path(rule.field, _some(rule.field)))
        case "none of":
            return whole(entry, _path(rule.field, _other(rule)))
        case _:
            return whole(entry, _path(rule.field, _read(rule.field, min(rule.values))))


def names_a_field(path: str) -> bool:
    """Whether wire classes have it."""
    try:
        _kind(path)
    except KeyError:
        return False
    return True


def _condition(rule: Rule) -> dict[str, Any]:
    if rule.when is None:
        return {}
    field, values = rule.when
    value = min(values)
    return _path(field, {} if value.startswith("{") else value)


def _kind(path: str) -> Any:
    kind: Any = wire.LiveClientSetup
    for step in path.split(".") if path else ():
        if not hasattr(kind, "__attrs_attrs__"):
            raise KeyError(path)
        kind = _single(typing.get_type_hints(kind)[step])
    return kind


def _single(annotation: Any) -> Any:
    """The class that matters in ``X | None``, ``Sequence[X]`` and the like."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        kinds = [one for one in typing.get_args(annotation) if one is not type(None)]
        return _single(next((one for one in kinds if _is_enum(one)), kinds[0]))
    if origin is Sequence:
        return _single(typing.get_args(annotation)[0])
    return annotation


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def _some(path: str) -> Any:
    """Any value of the field's kind."""
    if not names_a_field(path):
        return {}
    kind = _kind(path)
    if _is_enum(kind):
        return next(one for one in kind if "UNSPECIFIED" not in one)
    if isinstance(kind, type) and attrs.has(kind):
        return {}
    return {bool: True, str: "es", int: 1, float: 1.0, bytes: b"x"}.get(kind, {})


def _read(path: str, spelt: str) -> Any:
    return {"true": True, "false": False}.get(spelt, spelt)


def _other(rule: Rule) -> Any:
    kind = _kind(rule.field)
    values = ["true", "false"] if kind is bool else [one.name for one in kind]
    if "TEXT" in values:
        values = ["AUDIO", "TEXT"]  # the others aren't for Live
    spelt = next(
        value for value in values if value not in rule.values and "UNSPECIFIED" not in value
    )
    return _read(rule.field, spelt)


NAMED = {"function_declarations": {"name": "f", "description": "Does it."}}


def _path(path: str, value: Any) -> dict[str, Any]:
    tree = value
    steps = path.split(".")
    for number in reversed(range(len(steps))):
        step = steps[number]
        if isinstance(tree, dict):
            tree = {**NAMED.get(step, {}), **tree}
        tree = {step: [tree] if _is_list(steps[: number + 1]) else tree}
    return typing.cast("dict[str, Any]", tree)


def _is_list(steps: list[str]) -> bool:
    parent = _kind(".".join(steps[:-1])) if len(steps) > 1 else wire.LiveClientSetup
    return "Sequence" in str(typing.get_type_hints(parent).get(steps[-1]))


def _merged(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return {
        **under,
        **{
            key: _merged(under[key], value) if key in under else value
            for key, value in over.items()
        },
    }


def _without(tree: dict[str, Any], path: str) -> dict[str, Any]:
    first, _, rest = path.partition(".")
    if first not in tree:
        return tree
    if not rest:
        return {key: value for key, value in tree.items() if key != first}
    return {**tree, first: _without(tree[first], rest)}


def _tree_of(message: wire.Message) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, wire.Message):
            return _tree_of(value)
        return [plain(item) for item in value] if isinstance(value, tuple) else value

    return {
        field.name: plain(value)
        for field in attrs.fields(type(message))
        if field.name != "extra"
        and (value := getattr(message, field.name)) is not None
        and value is not wire.ABSENT
    }


def _built(kind: Any, tree: dict[str, Any]) -> Any:
    hints = typing.get_type_hints(kind)
    known: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in tree.items():
        if name not in hints:
            extra[name] = value
            continue
        inner = _single(hints[name])

        def made(item: Any, inner: Any = inner) -> Any:
            return _built(inner, item) if isinstance(item, dict) and attrs.has(inner) else item

        known[name] = [made(item) for item in value] if isinstance(value, list) else made(value)
    return kind(**known, extra=extra)
