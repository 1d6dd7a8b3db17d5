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
from urllib.parse import parse_qs, urlsplit

import attrs

from .. import codec, wire
from ..errors import DecodeError
from ._profiles import Profile, profile_of

__all__ = [
    "CATCH_ALL",
    "Door",
    "Refused",
    "check_key",
    "check_setup",
    "modality_of",
    "open_door",
    "read_message",
]

CATCH_ALL: Final = "Request contains an invalid argument."

_INVALID: Final = 1007
_POLICY: Final = 1008


class Refused(Exception):
    """The service would close the connection here.

    Attributes:
      code: The close code.
      reason: The service's words, not yet cut.
      why: For a person, where the words say too little.
    """

    def __init__(self, code: int, reason: str, why: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.why = why or reason


# --- The door: path and credential ----------------------------------------------------------


@attrs.frozen
class Door:
    """What the upgrade request asked for.

    Attributes:
      version: ``v1``, ``v1beta`` or ``v1alpha``; on Vertex AI ``v1`` or ``v1beta1``.
      key: The API key, or on Vertex AI the access token; ``None`` if there was none.
      vertex: Whether it is Vertex AI's door.
    """

    version: str
    key: str | None = attrs.field(repr=False)
    vertex: bool = False


_PATH: Final = re.compile(
    r"/+ws/+google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)"
    r"\.GenerativeService\.BidiGenerateContent/*"
)
_VERTEX_PATH: Final = re.compile(
    r"/+ws/+google\.cloud\.aiplatform\.(v1|v1beta1)\.LlmBidiService/+BidiGenerateContent/*"
)
_VERTEX_MODEL: Final = re.compile(
    r"projects/[^/]+/locations/[^/]+/publishers/google/models/([^/]+)"
)


def open_door(target: str, headers: Sequence[tuple[bytes, bytes]]) -> Door | None:
    """Read the request line and the headers; ``None`` for a path that leads nowhere."""
    url = urlsplit(target)
    place = "/" + target.split("?", 1)[0].lstrip("/")
    if vertex := _VERTEX_PATH.fullmatch(place):
        tokens = [
            value.decode("latin-1").removeprefix("Bearer ")
            for name, value in headers
            if name.lower() == b"authorization"
        ]
        return Door(vertex.group(1), tokens[0] if tokens else None, vertex=True)
    path = _PATH.fullmatch(place)
    if path is None:
        return None
    keys = parse_qs(url.query).get("key", [])
    keys += [
        value.decode("latin-1") for name, value in headers if name.lower() == b"x-goog-api-key"
    ]
    return Door(path.group(1), keys[0] if keys else None)


def check_key(given: str | None, wanted: str | None) -> None:
    """Compare the key; ``wanted=None`` takes any and none."""
    if wanted is None or given == wanted:
        return
    if not given:
        raise Refused(
            _POLICY,
            "Method doesn't allow unregistered callers (callers without established identity). "
            "Please use API Key or other form of API consumer identity to call this API.",
            "no API key was given",
        )
    raise Refused(
        _INVALID, "API key not valid. Please pass a valid API key.", "another API key was expected"
    )


# --- The message: JSON, known names, one root ------------------------------------------------


def read_message(frame: str | bytes) -> wire.LiveClientMessage:
    """Decode a client's frame, strictly.

    Raises:
      Refused: it isn't JSON, has an unknown name or an unreadable value anywhere, or its roots
        are none or several.
    """
    try:
        message = codec.decode_client(frame)
    except DecodeError as error:
        if not error.path:
            text = "Invalid JSON payload received. Unexpected token."
        else:
            text = f"Invalid value at '{_snake_path(error.path)}'"
        raise Refused(_INVALID, text, str(error)) from None
    for path, name, known in _strangers(message):
        if known:
            place = f"{path}.{_snake(name)}" if path else _snake(name)
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


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _snake_path(path: str) -> str:
    return ".".join(_snake(step) for step in path.split("."))


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
        names |= {field.name, *(_snake(name) for name in json_names)}
        leaves = tuple(_leaves(hints[field.name]))
        enum = next((leaf for leaf in leaves if issubclass(leaf, Enum)), None)
        nested = any(issubclass(leaf, wire.Message) for leaf in leaves)
        if enum or nested:
            fields.append(_Field(field.name, _snake(json_names[0]), enum, nested))
    return tuple(fields), frozenset(names)


def _strangers(message: wire.Message, path: str = "") -> Iterator[tuple[str, str, bool]]:
    """Walk a message: the path and name of what doesn't belong, and whether the name is known."""
    fields, names = _shape(type(message))
    for name in message.extra:
        yield path, name, _snake(name) in names
    for field in fields:
        value = getattr(message, field.name)
        if value is None:
            continue
        here = f"{path}.{field.proto}" if path else field.proto
        many = isinstance(value, tuple)
        for index, item in enumerate(value if many else (value,)):
            if isinstance(item, wire.Message):
                yield from _strangers(item, f"{here}[{index}]" if many else here)
            elif field.enum is not None and str(item).upper() not in field.enum.__members__:
                yield path, field.proto, True


# --- The setup -------------------------------------------------------------------------------


def check_setup(setup: wire.LiveClientSetup, door: Door) -> Profile:
    """Check what the first message asks for, and find how its model behaves.

    Raises:
      Refused: the model is unknown, or something in it is not for this model or backend.
    """
    if not door.vertex:
        _check_backend(setup)
    if not setup.model:
        raise Refused(_INVALID, CATCH_ALL, "setup names no model")
    profile = _find_profile(setup.model, door)
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
    return profile_of(f"models/{place.group(1)}") if place else None


def modality_of(setup: wire.LiveClientSetup, profile: Profile) -> wire.Modality:
    """What the session answers in."""
    generation = setup.generation_config
    if generation is None or not generation.response_modalities:
        return profile.default_modality
    return wire.Modality(str(generation.response_modalities[0]).upper())


def _check_backend(setup: wire.LiveClientSetup) -> None:
    """Refuse what only Vertex knows."""
    resumption = setup.session_resumption
    if resumption is not None and resumption.transparent is not None:
        raise Refused(
            _INVALID,
            'Invalid JSON payload received. Unknown name "transparent" at '
            "'setup.session_resumption': Cannot find field.",
        )
    if setup.explicit_vad_signal is not None:
        raise Refused(
            _INVALID,
            "Invalid JSON payload received. Unknown name \"explicitVadSignal\" at 'setup': "
            "Cannot find field.",
        )


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
