"""What a tool gave, or how it failed, as the answer to its call.

The service takes a JSON object. ``output`` holds a result and ``error`` a failure; without either
the whole object is the result. It should not be empty: a model that is told nothing tends to call
again.

========================  ====================================================================
result                    ``response``
========================  ====================================================================
a mapping, a dataclass,   the object itself; under ``output`` if it has a key ``output`` or
an attrs object or a      ``error`` among others, which would hide them
pydantic model
anything else             ``{"output": ...}``
``None``                  ``{"output": "done"}``
empty                     ``{"output": "(empty list)"}`` and the like
media                     a word in its place, and the bytes in ``parts``
``ToolError("...")``      ``{"error": "..."}``, in exactly these words
another exception         ``{"error": "The tool failed (ValueError)."}``
========================  ====================================================================

An exception's own text may hold whatever the program was at: a path, a query, a password. The model
would read it to whoever is on the line, so it stays in the log; only ``ToolError`` speaks.

What JSON can't hold (bytes, NaN, integers beyond 64 bits, cycles, more than ``LIMIT_BYTES``) makes
the whole result a failure that says so. A result cut short or bent would look like a good one.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import math
from collections.abc import Iterable, Mapping, Sequence, Set, ValuesView
from typing import Any, Final

import attrs
import cattrs
import orjson

from .. import wire
from ..errors import ConfigError, ToolError
from ._hints import Unsayable, choices, is_model, is_object
from ._scalars import SCALARS

__all__ = ["LIMIT_BYTES", "Answer", "ToolMedia", "Unwritable", "answer", "failure", "to_json"]

LIMIT_BYTES: Final = 256 * 1024
"""How long an answer may be as JSON, its media left out. Some 60,000 tokens: more is no answer."""
MEDIA_LIMIT_BYTES: Final = 4 * 1024 * 1024
"""How much media an answer may have, all together."""
_MOST_LEVELS: Final = 150
"""The whole frame may have 200."""
_LONGEST_ERROR: Final = 4_096
_MOST_STEPS: Final = 12


@attrs.frozen(kw_only=True)
class Answer:
    """What goes back to the model for one call."""

    response: Mapping[str, wire.JsonValue]
    """Never empty."""

    parts: Sequence[wire.FunctionResponsePart] = ()
    """Media among the result."""

    failed: bool = False
    """Whether it says what went wrong."""

    error: BaseException | None = attrs.field(default=None, eq=False)
    """The whole story where it failed, for the log."""


def _check_mime_type(_media: ToolMedia, _field: attrs.Attribute[str], value: str) -> None:
    family, _, kind = value.partition("/")
    if not family or not kind:
        raise ConfigError(f'{value!r} is no MIME type: use one such as "image/png".')


def _check_data(_media: ToolMedia, _field: attrs.Attribute[bytes], value: bytes) -> None:
    if not isinstance(value, bytes) or not value:
        raise ConfigError("ToolMedia takes bytes, at least one: give the contents of a file.")


@attrs.frozen
class ToolMedia:
    """A picture, a sound or a document that a tool gives, alone or within its result.

    It travels beside the JSON; whether a model looks at it is up to the model (Gemini 3 does in
    ordinary requests, Live models are not known to say).

    Raises:
      ConfigError: there is no data, or the MIME type is none.
    """

    data: bytes = attrs.field(validator=_check_data, repr=lambda data: f"<{len(data)} bytes>")
    """A whole file, such as a PNG."""

    mime_type: str = attrs.field(kw_only=True, validator=_check_mime_type)
    """As in ``"image/png"``, ``"audio/wav"`` or ``"application/pdf"``."""

    name: str = attrs.field(kw_only=True, default="")
    """By which the result's text refers to it; numbered if empty."""


class Unwritable(Exception):
    """A result that JSON, or an answer, can't hold."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what
        self.steps: list[str | int] = []

    def __str__(self) -> str:
        path = "".join(
            f"[{step}]" if isinstance(step, int) else f".{step:.40}"
            for step in self.steps[: -_MOST_STEPS - 1 : -1]
        )
        place = f"{path.lstrip('.')}{'…' if len(self.steps) > _MOST_STEPS else ''}" or "it"
        return f"The tool's result can't be sent: {place} {self.what}."


class _TooLong(Unwritable):
    """Where the limit was passed is of no interest."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"is longer than {limit_bytes:,} bytes; ask for less at a time")


def answer(result: object, *, limit_bytes: int = LIMIT_BYTES) -> Answer:
    """Turn what a tool gave into its answer.

    Never raises: what can't be sent is a failure, whose text tells the model why.

    Args:
      result: Anything; ``ToolMedia`` and ``wire.Blob`` may stand anywhere in it.
      limit_bytes: How long the answer may be as JSON, its media left out.
    """
    writer = _Writer(limit_bytes)
    try:
        response = _respond(writer.write(result))
        length = len(orjson.dumps(response))
        if length > limit_bytes:
            raise _TooLong(limit_bytes)
    except Unwritable as error:
        return Answer(response={"error": str(error)}, failed=True, error=error)
    except Exception as error:  # noqa: BLE001 - the result's own code was run, such as a mapping's
        return failure(error)
    failed = "error" in response and "output" not in response
    return Answer(response=response, parts=tuple(writer.parts), failed=failed)


def failure(error: BaseException) -> Answer:
    """Turn an exception into a short answer, without what is nobody's business."""
    text = _words_of(error)
    if text is None:
        text = f"The tool failed ({type(error).__name__})."
    elif len(text) > _LONGEST_ERROR:
        text = f"{text[: _LONGEST_ERROR - 1]}…"
    text = text.encode(errors="replace").decode()
    return Answer(response={"error": text or "The tool failed."}, failed=True, error=error)


def _words_of(error: BaseException) -> str | None:
    """What the tool says itself; also where a nursery has put its error into a group."""
    if isinstance(error, ToolError):
        try:
            return str(error)
        except Exception:  # noqa: BLE001 - a subclass of the user's; what it wraps is logged
            return None
    if isinstance(error, BaseExceptionGroup):
        texts = [_words_of(inner) for inner in error.exceptions]
        told = [text for text in texts if text is not None]
        return " ".join(dict.fromkeys(told)) if len(told) == len(texts) else None
    return None


def to_json(value: object) -> Any:
    """Write a value as JSON has it.

    Raises:
      Unwritable: it can't be.
    """
    writer = _Writer(LIMIT_BYTES)
    written = writer.write(value)
    if writer.parts:
        raise Unwritable("holds media")
    return written


def _respond(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {"output": "done"}
        case "":
            return {"output": "(empty text)"}
        case []:
            return {"output": "(empty list)"}
        case dict():
            if not value:
                return {"output": "(empty object)"}
            told = value.keys() & {"output", "error"}
            return {"output": value} if told and value.keys() - told else value
        case _:
            return {"output": value}


class _Writer:
    """Writes one result, and gathers its media."""

    def __init__(self, limit_bytes: int) -> None:
        self.parts: list[wire.FunctionResponsePart] = []
        self._limit = limit_bytes
        self._left = limit_bytes
        self._media_left = MEDIA_LIMIT_BYTES
        self._open: set[int] = set()

    def write(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            self._spend(4)
            return value
        if isinstance(value, enum.Enum):
            return self.write(_member_value(value))
        if isinstance(value, str):
            return self._write_text(value)
        if isinstance(value, int):
            return self._write_integer(value)
        if isinstance(value, float):
            self._spend(3)
            if not math.isfinite(value):
                raise Unwritable(f"is {float(value)}, which JSON doesn't have")
            return float(value)
        if isinstance(value, (ToolMedia, wire.Blob, wire.FunctionResponseBlob)):
            return self._attach(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            raise Unwritable("holds bytes; a tool gives media as ToolMedia, and text as text")
        if isinstance(value, tuple) and (as_dict := getattr(value, "_asdict", None)) is not None:
            value = as_dict()
        if isinstance(value, (Mapping, Set, Sequence, ValuesView)):
            if len(value) > self._left:
                raise _TooLong(self._limit)
            if isinstance(value, Mapping):
                return self._within(value, self._write_mapping)
            items = _in_order(value) if isinstance(value, Set) else value
            return self._within(items, self._write_items)
        plain = _converter().unstructure(value)
        if plain is value:
            raise Unwritable(f"holds an object of type {type(value).__name__}")
        return self._within(value, lambda _: self.write(plain))

    def _within(self, value: Any, write: Any) -> Any:
        if id(value) in self._open:
            raise Unwritable("contains itself")
        if len(self._open) >= _MOST_LEVELS:
            raise Unwritable(f"has more than {_MOST_LEVELS} levels")
        self._open.add(id(value))
        self._spend(1)
        try:
            return write(value)
        finally:
            self._open.discard(id(value))

    def _write_mapping(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for key, item in value.items():
            name = self._write_text(_key(key))
            if name in written:
                raise Unwritable(f"has two keys that are {name:.40} in JSON")
            written[name] = self._step(name, item)
        return written

    def _write_items(self, value: Iterable[Any]) -> list[Any]:
        written: list[Any] = []
        for item in value:
            written.append(self._step(len(written), item))
        return written

    def _step(self, step: str | int, item: Any) -> Any:
        self._spend(1)
        try:
            return self.write(item)
        except Unwritable as error:
            if not isinstance(error, _TooLong):
                error.steps.append(step)
            raise

    def _write_text(self, value: str) -> str:
        text = str.__str__(value)
        self._spend(len(text) + 2)
        if not text.isascii():
            try:
                text.encode()
            except UnicodeEncodeError:
                raise Unwritable("holds half of a surrogate pair, which isn't Unicode") from None
        return text

    def _write_integer(self, value: int) -> int:
        self._spend(1)
        if not -(2**63) <= value < 2**64:
            raise Unwritable("holds an integer beyond 64 bits; a tool may give it as text")
        return int(value)

    def _attach(self, media: ToolMedia | wire.Blob | wire.FunctionResponseBlob) -> str:
        data, mime_type = media.data, media.mime_type
        if not data or not mime_type:
            raise Unwritable("holds media without data or without a MIME type")
        self._media_left -= len(data)
        if self._media_left < 0:
            raise Unwritable(f"holds more than {MEDIA_LIMIT_BYTES:,} bytes of media")
        given = media.name if isinstance(media, ToolMedia) else media.display_name
        name = given or f"media-{len(self.parts) + 1}"
        blob = wire.FunctionResponseBlob(data=data, mime_type=mime_type, display_name=name)
        self.parts.append(wire.FunctionResponsePart(inline_data=blob))
        return self._write_text(f"({mime_type}, attached as {name})")

    def _spend(self, length: int) -> None:
        """Count what is the least that JSON needs, so that writing ends soon after the limit."""
        self._left -= length
        if self._left < 0:
            raise _TooLong(self._limit)


def _member_value(member: enum.Enum) -> object:
    """What the model would be shown of an enum's member, were it a parameter."""
    try:
        return next(value for value, known in choices(type(member)) or () if known is member)
    except (Unsayable, StopIteration):  # a combination of flags
        return member.value


def _key(key: object) -> str:
    if isinstance(key, enum.Enum):
        key = _member_value(key)
    scalar = SCALARS.get(type(key))
    if scalar is not None and scalar.write is not None and not isinstance(key, bytes):
        key = scalar.write(key)
    if isinstance(key, str):
        return key
    if isinstance(key, int) and not isinstance(key, bool):
        return str(key)
    raise Unwritable(f"has a key of type {type(key).__name__}; keys are text")


def _in_order(value: Set[Any]) -> Sequence[Any]:
    try:
        return sorted(value)
    except TypeError:
        return list(value)


def _fields_of(value: Any) -> dict[str, Any]:
    """An object's fields, as the model would name them."""
    if attrs.has(type(value)):
        return {field.alias: getattr(value, field.name) for field in attrs.fields(type(value))}
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _dumped(model: Any) -> Any:
    return model.model_dump(by_alias=True)


@functools.cache
def _converter() -> cattrs.Converter:
    """A converter of our own that takes one level off an object at a time.

    The rest is up to ``_Writer``, which knows how much may still come, and where it is.
    """
    converter = cattrs.Converter()
    for kind, scalar in SCALARS.items():
        if scalar.write is not None and kind is not bytes:
            converter.register_unstructure_hook(kind, scalar.write)
    converter.register_unstructure_hook_func(is_object, _fields_of)
    converter.register_unstructure_hook_func(
        is_model, lambda model: model.model_dump(by_alias=True)
    )
    return converter
