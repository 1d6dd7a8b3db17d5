"""JSON text to trees and back, within bounds, and the functions that tie it together."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import cattrs
import orjson

from .. import wire
from ..errors import DecodeError, LocalProtocolError
from ..wire import LiveClientMessage, LiveServerMessage
from ._checks import check_client
from ._direct import learn, read_directly
from ._reading import fresh_reader
from ._scalars import (
    DEPTH_LIMIT,
    Malformed,
    Reader,
    Rounded,
    count_objects,
    deeper_than,
    describe_python,
    plain,
)
from ._writing import fresh_writer

__all__ = [
    "SIZE_LIMIT",
    "decode",
    "decode_client",
    "encode",
    "encode_raw",
    "encode_server",
]

SIZE_LIMIT: Final = 64 * 1024 * 1024
"""Characters or bytes of one frame; the transport's own limit is a quarter of it."""

OBJECTS_LIMIT: Final = 250_000
"""Objects of one frame. Real ones have dozens; five million empty ones fit into 16 MiB and would
take 20 s and 2 GB.
"""

_UNSUSPICIOUS_SIZE: Final = 1024 * 1024

_M = TypeVar("_M", bound=wire.Message)


# --- Reading --------------------------------------------------------------------------------


def decode(frame: str | bytes) -> LiveServerMessage:
    """Read a frame from the service.

    Tolerant: unknown fields are kept in ``extra``, unknown enum names stay text, keys may be in
    camel or snake case, base64 in either alphabet, numbers may be text, and a null is an absent
    field. Flags, durations and enums that can't be read go to ``extra`` as they came.

    Raises:
      DecodeError: the frame is no JSON object, or a known field holds something that it can't hold.
      TypeError: it is neither text nor bytes.
    """
    if type(frame) is bytes and len(frame) <= SIZE_LIMIT:
        message = read_directly(frame)
        if message is None:
            message = _read(frame, LiveServerMessage)
            learn(frame, message, _read)
        return message
    return _read(frame, LiveServerMessage)


def decode_client(frame: str | bytes) -> LiveClientMessage:
    """Read a frame from a client, for servers and recordings; as tolerant as ``decode``.

    Raises:
      DecodeError: the frame is no JSON object, or a known field holds something that it can't hold.
      TypeError: it is neither text nor bytes.
    """
    return _read(frame, LiveClientMessage)


@functools.cache
def _converter(exact: bool) -> cattrs.Converter:
    return fresh_reader(exact=exact)


_HOOKS: Final[dict[type[wire.Message], Reader]] = {}
"""Of the converter for orjson's trees; asking it for every frame would cost a tenth of the time."""


def _hook(cls: type[wire.Message]) -> Reader:
    hook = _HOOKS.get(cls)
    if hook is None:
        hook = _HOOKS[cls] = _converter(False).get_structure_hook(cls)
    return hook


def _read(frame: str | bytes, cls: type[_M]) -> _M:
    tree = _parse(frame)
    try:
        # Only what a client sends has places of its own (schemas) without a limit; elsewhere
        # ``Rounded`` tells of free-form values that may be too deep.
        if cls is LiveClientMessage and deeper_than(tree, DEPTH_LIMIT):
            raise _too_deep()
        try:
            message: _M = _hook(cls)(tree, cls)
            return message
        except Rounded:
            if deeper_than(tree, DEPTH_LIMIT):
                raise _too_deep() from None
            return _converter(True).structure(json.loads(frame), cls)
    except Malformed as error:
        failure = DecodeError(path=error.path, expected=error.expected, found=error.found)
    # Raised out here so that what was being read doesn't hang on the error as its context.
    raise failure


def _too_deep() -> Malformed:
    return Malformed(f"at most {DEPTH_LIMIT} levels", "more")


def _parse(frame: str | bytes) -> Any:
    if not isinstance(frame, (str, bytes, bytearray)):
        raise TypeError(
            "a frame is passed as the JSON text that came, in str or bytes, "
            f"not as {describe_python(frame)}."
        )
    if len(frame) > SIZE_LIMIT:
        raise DecodeError(
            path="", expected=f"at most {SIZE_LIMIT:,} bytes", found=f"{len(frame):,}"
        )
    try:
        tree = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        # The position helps, the text around it may be media; .doc is the whole frame.
        failure = DecodeError(
            path="", expected="JSON", found=f"something else ({error.msg} at {error.pos:,})"
        )
    else:
        if len(frame) > _UNSUSPICIOUS_SIZE and count_objects(tree, OBJECTS_LIMIT) > OBJECTS_LIMIT:
            raise DecodeError(path="", expected=f"at most {OBJECTS_LIMIT:,} objects", found="more")
        return tree
    raise failure


# --- Writing --------------------------------------------------------------------------------


def encode(message: LiveClientMessage) -> str:
    """Write a message to the service, as compact JSON text.

    Strict: exactly one root field, one realtime field, names where they are needed, fitting MIME
    types, whole samples, finite numbers, and no key in ``extra`` that looks like a slip.

    Raises:
      LocalProtocolError: the message would be refused; the text says where and why.
    """
    try:
        if not isinstance(message, LiveClientMessage):
            raise Malformed(
                "a wire.LiveClientMessage",
                f"{describe_python(message)} (plain JSON objects go through session.send_raw "
                "or codec.encode_raw)",
            )
        check_client(message)
        return _dump(_tree(LiveClientMessage, True, message)).decode()
    except Malformed as error:
        failure = _refusal(error)
    raise failure


def encode_raw(message: Mapping[str, wire.JsonValue]) -> str:
    """Write a JSON object as it is, for what is younger than this release; only JSON is checked.

    Raises:
      LocalProtocolError: it holds something that isn't JSON.
    """
    try:
        if not isinstance(message, Mapping):
            raise Malformed("a mapping", describe_python(message))
        return _dump(plain(message)).decode()
    except Malformed as error:
        failure = _refusal(error)
    raise failure


def encode_server(message: LiveServerMessage) -> bytes:
    """Write a message from the service, as JSON text in bytes, for servers and recordings.

    What ``decode`` kept in ``extra`` goes out as it came.

    Raises:
      LocalProtocolError: a field holds something that can't be written.
    """
    try:
        return _dump(_tree(LiveServerMessage, False, message))
    except Malformed as error:
        failure = _refusal(error)
    raise failure


def _tree(cls: type[wire.Message], strict: bool, message: wire.Message) -> Any:
    try:
        return _writer(strict).unstructure(message, cls)
    except RecursionError:
        # A schema without an end; what can be sent at all stays far from Python's limit.
        raise _too_deep() from None


@functools.cache
def _writer(strict: bool) -> cattrs.Converter:
    return fresh_writer(strict=strict)


def _refusal(error: Malformed) -> LocalProtocolError:
    place = f"{error.path}: " if error.path else ""
    return LocalProtocolError(
        f"Can't send the message: {place}expected {error.expected}, found {error.found}."
    )


def _dump(tree: Any) -> bytes:
    if deeper_than(tree, DEPTH_LIMIT):
        raise _too_deep()
    try:
        return orjson.dumps(tree)
    except TypeError:
        # All that the writers let through is JSON, but orjson stops at 64 bits.
        return json.dumps(tree, ensure_ascii=False, separators=(",", ":")).encode()
