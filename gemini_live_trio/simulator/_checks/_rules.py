"""What the service refuses, and in which words.

Everything here is a check on values: no clock, no socket. A broken rule raises ``Refused`` with the
close code and the reason that the service gives, and with ``why`` for a person who reads the
simulator's log. Where the service's own words for a case are not known, its catch-all stands in
(``Request contains an invalid argument.``), which it uses for many things.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, Final, TypeAlias

import attrs

from ... import codec, wire
from ...errors import DecodeError
from .._door._dialects import FOREIGN, Backend, Door
from ._fit import check_fit
from ._profiles import Profile, profile_of
from ._refused import CATCH_ALL, Refused

__all__ = [
    "CATCH_ALL",
    "Door",
    "Refused",
    "check_setup",
    "modality_of",
    "read_message",
    "snake",
]

_INVALID: Final = 1007
_POLICY: Final = 1008
_VERTEX_MODEL: Final = re.compile(
    r"(projects/[^/]+/locations/[^/]+/)?publishers/google/models/([^/]+)"
)


# --- The message: JSON, known names, one root ------------------------------------------------


def read_message(frame: str | bytes, backend: Backend = "gemini") -> wire.LiveClientMessage:
    """Decode a client's frame, strictly.

    Raises:
      Refused: it isn't JSON, has an unknown name or an unreadable value anywhere, or its roots
        are none or several. A name that only the other back end has is unknown.
    """
    try:
        message = codec.decode_client(frame)
    except DecodeError as error:
        if not error.path:
            text = "Invalid JSON payload received. Unexpected token."
        else:
            text = f"Invalid value at '{_snake_path(error.path)}'"
        raise Refused(_INVALID, text, str(error)) from None
    for path, name, known in _strangers(message, backend):
        if known:
            place = f"{path}.{snake(name)}" if path else snake(name)
            raise Refused(_INVALID, f"Invalid value at '{place}'")
        at = f" at '{path}'" if path else ""
        raise Refused(
            _INVALID,
            f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find field.',
        )
    roots = [
        field.name
        for field in attrs.fields(wire.LiveClientMessage)
        if field.name != "extra" and getattr(message, field.name) is not None
    ]
    if len(roots) != 1:
        found = ", ".join(roots) if roots else "none"
        raise Refused(
            _INVALID, CATCH_ALL, f"a message has exactly one root field, this one has {found}"
        )
    return message


@attrs.frozen
class _Field:
    name: str
    proto: str
    enum: type[Enum] | None
    nested: bool


def snake(name: str) -> str:
    """A name in snake case, whichever way it was written."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _snake_path(path: str) -> str:
    return ".".join(snake(step) for step in path.split("."))


def _leaves(annotation: Any) -> Iterator[Any]:
    """Every plain type in an annotation; what is inside a mapping belongs to the user."""
    origin = typing.get_origin(annotation)
    if origin in {typing.Union, types.UnionType, typing.Annotated, Sequence}:
        for argument in typing.get_args(annotation):
            yield from _leaves(argument)
    elif isinstance(annotation, type):
        yield annotation


_Shape: TypeAlias = tuple[tuple[_Field, ...], frozenset[str]]
_shapes: Final[dict[type[wire.Message], _Shape]] = {}


def _shape(cls: type[wire.Message]) -> _Shape:
    """The fields of a wire class worth looking into, and all its names in snake case."""
    if cls not in _shapes:
        _shapes[cls] = _read_shape(cls)
    return _shapes[cls]


def _read_shape(cls: type[wire.Message]) -> _Shape:
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = []
    names = set()
    for field in attrs.fields(cls):
        if field.name == "extra":
            continue
        json_names = field.metadata.get("json", (field.name,))
        names |= {field.name, *(snake(name) for name in json_names)}
        leaves = tuple(_leaves(hints[field.name]))
        enum = next((leaf for leaf in leaves if issubclass(leaf, Enum)), None)
        nested = any(issubclass(leaf, wire.Message) for leaf in leaves)
        if enum or nested:
            fields.append(_Field(field.name, snake(json_names[0]), enum, nested))
    return tuple(fields), frozenset(names)


def _json_name(cls: type[wire.Message], name: str) -> str:
    names: tuple[str, ...] = attrs.fields_dict(cls)[name].metadata.get("json", ())
    return names[0] if names else re.sub("_([a-z])", lambda found: found[1].upper(), name)


def _strangers(
    message: wire.Message, backend: Backend, path: str = ""
) -> Iterator[tuple[str, str, bool]]:
    """Walk a message: the path and name of what doesn't belong, and whether the name is known."""
    fields, names = _shape(type(message))
    for name in message.extra:
        yield path, name, snake(name) in names
    for name in FOREIGN[backend].get(type(message), ()):
        value = getattr(message, name)
        if value is not None and value is not wire.ABSENT:
            yield path, _json_name(type(message), name), False
    for field in fields:
        value = getattr(message, field.name)
        if value is None:
            continue
        here = f"{path}.{field.proto}" if path else field.proto
        many = isinstance(value, tuple)
        for index, item in enumerate(value if many else (value,)):
            if isinstance(item, wire.Message):
                yield from _strangers(item, backend, f"{here}[{index}]" if many else here)
            elif field.enum is not None and str(item).upper() not in field.enum.__members__:
                yield path, field.proto, True


# --- The setup -------------------------------------------------------------------------------


def check_setup(setup: wire.LiveClientSetup, door: Door, unknown: Profile | None = None) -> Profile:
    """Check what the first message asks for, and find how its model behaves.

    Args:
      setup: What was asked for.
      door: Where.
      unknown: The profile of models that nobody knows; ``None`` refuses them.

    Raises:
      Refused: the model is unknown, or something in it is not for this model or backend.
    """
    if not setup.model:
        raise Refused(_INVALID, CATCH_ALL, "setup names no model")
    profile = _find_profile(setup.model, door) or unknown
    if profile is None and door.vertex:
        raise Refused(_POLICY, f"Publisher Model `{setup.model}` was not found.")
    if profile is None:
        raise Refused(
            _POLICY,
            f"{setup.model} is not found for API version {door.version}, or is not supported for "
            "bidiGenerateContent. Call ModelService.ListModels to see the list of available "
            "models and their supported methods.",
        )
    _check_modalities(setup, profile)
    check_fit(setup, profile)
    generation = setup.generation_config or wire.GenerationConfig()
    level = generation.thinking_config and generation.thinking_config.thinking_level
    if profile.thinking_level == "refused" and level is not None:
        raise Refused(_INVALID, CATCH_ALL, f"{setup.model} takes no thinkingLevel")
    if profile.thinking_level == "required" and level is None:
        raise Refused(_INVALID, CATCH_ALL, f"{setup.model} needs a thinkingLevel")
    if (
        not profile.proactive_off
        and setup.proactivity is not None
        and setup.proactivity.proactive_audio is False
    ):
        raise Refused(_INVALID, CATCH_ALL, f"{setup.model} can't turn proactive audio off")
    return profile


def _find_profile(model: str, door: Door) -> Profile | None:
    if not door.vertex:
        return profile_of(model)
    place = _VERTEX_MODEL.fullmatch(model)
    if place is None or (place.group(1) is None and door.credentials.access_token is not None):
        return None  # an access token says nothing about the project, so the model's name has to
    return profile_of(f"models/{place.group(2)}")


def modality_of(setup: wire.LiveClientSetup, profile: Profile) -> wire.Modality:
    """What the session answers in."""
    generation = setup.generation_config
    if generation is None or not generation.response_modalities:
        return profile.default_modality
    return wire.Modality(str(generation.response_modalities[0]).upper())


def _check_modalities(setup: wire.LiveClientSetup, profile: Profile) -> None:
    generation = setup.generation_config or wire.GenerationConfig()
    asked = [str(modality).upper() for modality in generation.response_modalities]
    if len(asked) > 1:
        raise Refused(
            _INVALID,
            "The requested combination of response modalities "
            f"({', '.join(asked)}) is not supported",
            "a session answers in exactly one modality",
        )
    modality = modality_of(setup, profile)
    if modality in profile.refused:
        raise Refused(*profile.refused[modality], f"{setup.model} doesn't answer in {modality}")
    if modality is not wire.Modality.AUDIO and generation.speech_config is not None:
        raise Refused(
            _INVALID,
            "Cannot extract voices from a non-audio request.",
            "speechConfig is for answers in audio",
        )
