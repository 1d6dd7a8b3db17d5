"""The settings of one run: command line, environment, profile, default, and the first that says
something counts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any, Final

import attrs

from ..errors import ConfigError
from ._profiles import Profile, read
from ._schema import SETTINGS, TOOL, Setting

__all__ = ["COMMAND_LINE", "NOBODY", "Settled", "first", "settle", "told"]

COMMAND_LINE: Final = "command line"
NOBODY: Final = "default"


@attrs.frozen(kw_only=True)
class Settled:
    """What each setting is, and who says so."""

    profile: Profile
    values: Mapping[str, Any]
    """By key; a tool about which nobody says anything isn't in it."""

    sources: Mapping[str, str]
    """By key: ``"command line"``, a variable's name, ``"profile work"`` or ``"default"``."""

    environment: Mapping[str, str] = attrs.field(repr=False)

    def __getitem__(self, key: str) -> Any:
        return self.values[key]

    @property
    def tools(self) -> Mapping[str, bool]:
        """The tools that somebody switches on or off, by name."""
        return {
            key.removeprefix(TOOL): value
            for key, value in self.values.items()
            if key.startswith(TOOL)
        }

    def named(self, key: str) -> str:
        """What a person calls a setting that has this value: the variable, the option, the key."""
        source = self.sources[key]
        if source in (COMMAND_LINE, NOBODY):
            return SETTINGS[key].flag
        return source if source in SETTINGS[key].variables else f"{key} in the {source}"


def first(environment: Mapping[str, str], *variables: str) -> tuple[str, str]:
    """The first variable that isn't blank, and its name; two empty texts where none is."""
    for name in variables:
        if value := environment.get(name, "").strip():
            return value, name
    return "", ""


def told(given: argparse.Namespace) -> Mapping[str, Any]:
    """What the command line says, by key."""
    said = {key: getattr(given, key, None) for key in SETTINGS}
    tools = getattr(given, "tools", None) or {}
    return {
        **{key: value for key, value in said.items() if value is not None},
        **{f"{TOOL}{name}": on for name, on in tools.items()},
    }


def settle(given: argparse.Namespace, environment: Mapping[str, str]) -> Settled:
    """Find out what each setting is.

    Raises:
      ConfigError: The environment or the profile says something that can't be.
    """
    profile = read(getattr(given, "profile", None), environment)
    line = _with_backend(told(given))
    kept = _with_backend(profile.values)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}

    def put(key: str, value: Any, source: str) -> None:
        values[key], sources[key] = value, source

    ordered = [SETTINGS["backend"], *(one for one in SETTINGS.values() if one.key != "backend")]
    for setting in ordered:
        key = setting.key
        if key in line:
            put(key, line[key], COMMAND_LINE)
            continue
        value, variable = _from_environment(setting, environment, values)
        if variable:
            put(key, value, variable)
        elif key in kept:
            put(key, kept[key], f"profile {profile.name}")
        else:
            put(key, setting.default, NOBODY)
    for key in sorted({*line, *kept} - {*SETTINGS}):
        layer, source = (line, COMMAND_LINE) if key in line else (kept, f"profile {profile.name}")
        put(key, layer[key], source)
    return Settled(
        profile=profile,
        values={key: values[key] for key in (*SETTINGS, *(values.keys() - SETTINGS.keys()))},
        sources=sources,
        environment=environment,
    )


def _with_backend(layer: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take a project or region of Vertex AI to mean Vertex AI.

    Not so in the environment, where they are there for other programs too.
    """
    named = [key for key in ("vertex_project", "vertex_location") if key in layer]
    return {"backend": "vertex", **layer} if named else layer


def _from_environment(
    setting: Setting, environment: Mapping[str, str], settled: Mapping[str, Any]
) -> tuple[Any, str]:
    variables = setting.variables
    if setting.key == "model" and settled["backend"] == "vertex":
        variables = ("VERTEX_MODEL", *variables)
    text, variable = first(environment, *variables)
    if not variable:
        if setting.key == "backend":
            text, variable = first(environment, "GOOGLE_GENAI_USE_VERTEXAI")
            if text.lower() in ("1", "true", "yes"):
                return "vertex", variable
        return None, ""
    try:
        return setting.read(text), variable
    except argparse.ArgumentTypeError as error:
        raise ConfigError(f"{variable} {_clause(str(error))}.") from None


def _clause(text: str) -> str:
    return text if text.startswith(("must ", "isn't ", "names ")) else f"can't be used: {text}"
