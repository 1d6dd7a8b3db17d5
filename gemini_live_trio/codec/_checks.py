"""What a client message must keep to beyond its types, checked before it is written.

The service answers a message that breaks one of these rules by closing the connection, mostly with
code 1007 and a sentence about something else. Only rules that hold on every backend stand here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import wire
from ..wire import ABSENT
from ._scalars import Malformed, describe
from ._shapes import shape_of

__all__ = ["check_client", "is_pcm"]


def is_pcm(mime_type: str) -> bool:
    """Tell whether a MIME type names raw 16-bit samples."""
    family = mime_type.partition(";")[0].strip().lower()
    return family in ("audio/pcm", "audio/l16")


def check_client(message: wire.LiveClientMessage) -> None:
    """Raise ``Malformed`` where a client message would be refused; its path is in snake case."""
    root = _only_field(message, "one of its fields")
    value = getattr(message, root, None)
    with _at(root):
        match value:
            case wire.LiveClientSetup():
                _check_setup(value)
            case wire.LiveClientContent():
                _check_contents("turns", value.turns)
            case wire.LiveClientRealtimeInput():
                _check_realtime(value)
            case wire.LiveClientToolResponse():
                _check_responses(value)
            case wire.LiveClientContextUpdate():
                _check_context(value)


@contextmanager
def _at(*steps: str | int) -> Iterator[None]:
    try:
        yield
    except Malformed as error:
        error.steps.extend(reversed(steps))
        raise


def _only_field(message: wire.Message, expected: str) -> str:
    """Name the one field that is set; a field that only ``extra`` knows counts as one."""
    names = [
        name
        for name in shape_of(type(message)).names
        if (value := getattr(message, name)) is not None and value is not ABSENT
    ]
    names += message.extra
    if len(names) == 1:
        return names[0]
    if not names:
        raise Malformed(f"exactly {expected}", "all of them None")
    raise Malformed(f"exactly {expected}", " and ".join(names))


def _require_text(name: str, value: object) -> None:
    if value is None or value == "":
        with _at(name):
            raise Malformed("a name", "nothing")


def _check_setup(setup: wire.LiveClientSetup) -> None:
    _require_text("model", setup.model)
    if isinstance(setup.system_instruction, wire.Content):
        with _at("system_instruction"):
            _check_content(setup.system_instruction)
    _check_tools(setup.tools)


def _check_context(update: wire.LiveClientContextUpdate) -> None:
    if isinstance(update.system_instruction, wire.Content):
        with _at("system_instruction"):
            _check_content(update.system_instruction)
    if isinstance(update.tools, wire.LiveClientContextUpdateTools):
        with _at("tools"):
            _check_tools(update.tools.tools)


def _check_tools(tools: Sequence[wire.Tool]) -> None:
    for index, tool in _numbered(tools):
        if isinstance(tool, wire.Tool):
            for place, declaration in _numbered(tool.function_declarations):
                if isinstance(declaration, wire.FunctionDeclaration):
                    with _at("tools", index, "function_declarations", place):
                        _require_text("name", declaration.name)


def _check_contents(name: str, contents: Sequence[wire.Content]) -> None:
    for index, content in _numbered(contents):
        if isinstance(content, wire.Content):
            with _at(name, index):
                _check_content(content)


def _check_content(content: wire.Content) -> None:
    for index, part in _numbered(content.parts):
        if isinstance(part, wire.Part) and isinstance(part.inline_data, wire.Blob):
            with _at("parts", index, "inline_data"):
                _check_samples(part.inline_data)


def _check_realtime(given: wire.LiveClientRealtimeInput) -> None:
    name = _only_field(given, "one of its fields (each is a stream of its own)")
    match name:
        case "audio" | "video":
            blob = getattr(given, name)
            if isinstance(blob, wire.Blob):
                with _at(name):
                    _check_media(blob, "audio/" if name == "audio" else "image/")
        case "media_chunks":
            for index, chunk in _numbered(given.media_chunks):
                if isinstance(chunk, wire.Blob):
                    with _at(name, index):
                        _check_samples(chunk)


def _check_media(blob: wire.Blob, family: str) -> None:
    if blob.data is None:
        with _at("data"):
            raise Malformed("bytes", "nothing")
    mime_type = blob.mime_type
    if not (isinstance(mime_type, str) and mime_type.lower().startswith(family)):
        found = "nothing" if mime_type is None else describe(mime_type)
        with _at("mime_type"):
            raise Malformed(f"a MIME type that begins with {family}", found)
    _check_samples(blob)


def _check_samples(blob: wire.Blob) -> None:
    data, mime_type = blob.data, blob.mime_type
    if isinstance(data, bytes) and isinstance(mime_type, str) and is_pcm(mime_type):  # noqa: SIM102
        if len(data) % 2:
            with _at("data"):
                raise Malformed("16-bit samples, so an even number of bytes", f"{len(data)} bytes")


def _check_responses(answer: wire.LiveClientToolResponse) -> None:
    for index, response in _numbered(answer.function_responses):
        # Answers are matched by id; only Vertex takes one without, and then the name is all it has.
        if isinstance(response, wire.FunctionResponse) and not (response.id or response.name):
            with _at("function_responses", index, "id"):
                raise Malformed("the call's id, or its name on Vertex", "neither")


def _numbered(items: Any) -> Iterator[tuple[int, Any]]:
    # What isn't a sequence is refused by the writer, with its path.
    return enumerate(items if isinstance(items, (tuple, list)) else ())
