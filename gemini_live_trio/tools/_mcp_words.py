"""From what an MCP server says to what a session can use: declarations and results."""

from __future__ import annotations

import binascii
import hashlib
import json
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pybase64

from .. import codec, wire
from ..errors import ConfigError, ToolError
from ._openapi import to_wire_schema

if TYPE_CHECKING:
    import mcp.types

__all__ = ["declare", "fit_name", "progress_text", "read_result"]

_log: Final = logging.getLogger("gemini_live_trio.mcp")

_LONGEST_NAME: Final = 64
"""Characters. The service's documents say 128, its error messages 64."""
_UNFIT: Final = re.compile(r"[^A-Za-z0-9_.:-]")
_BEGINS: Final = re.compile(r"[A-Za-z_]")
_DIGITS: Final = 8
_NOTHING: Final = frozenset({"$schema", "type", "title", "properties", "additionalProperties"})
"""Keywords of a schema without properties that leave nothing to say."""


def fit_name(name: str, taken: Collection[str] = ()) -> str:
    """Make a tool's name one that the service takes, and that isn't taken.

    MCP's names have a slash, a blank or any letter; the service takes ASCII letters, digits,
    ``_ . : -``, 64 of them, and a letter or ``_`` first. What is cut or doubled ends in a piece
    of the hash of the name it was, so that it is the same each time.
    """
    fit = _UNFIT.sub("_", name)
    if not _BEGINS.match(fit):
        fit = f"_{fit}"
    if len(fit) <= _LONGEST_NAME and fit not in taken:
        return fit
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
    return f"{fit[: _LONGEST_NAME - _DIGITS - 1]}_{digest}"


def declare(
    listed: Sequence[mcp.types.Tool], *, only: Collection[str] | None, prefix: str
) -> Mapping[str, wire.FunctionDeclaration]:
    """Declare a server's tools, by the names that the server has for them.

    Raises:
      ConfigError: ``only`` names a tool that the server hasn't.
    """
    offered = {tool.name: tool for tool in listed}
    if only is not None:
        missing = sorted(set(only) - offered.keys())
        if missing:
            known = ", ".join(sorted(offered)) or "none"
            raise ConfigError(f"The MCP server has no tool {missing[0]!r}; it has {known}.")
    declarations: dict[str, wire.FunctionDeclaration] = {}
    taken: set[str] = set()
    for name, tool in offered.items():
        if only is not None and name not in only:
            continue
        fit = fit_name(prefix + name, taken)
        taken.add(fit)
        declarations[name] = wire.FunctionDeclaration(
            name=fit,
            description=tool.description or tool.title or name,
            **_parameters(tool.input_schema),
        )
    return declarations


def _parameters(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Say what a tool takes in the form that all models read, or else in JSON Schema.

    ``_openapi`` tells why the former comes first. A function without parameters has neither.
    """
    if not schema.get("properties") and schema.keys() <= _NOTHING:
        return {}
    try:
        parameters = {"parameters": to_wire_schema(schema)}
        _check(parameters)
    except Exception as error:  # noqa: BLE001 - a server's schema may be anything
        _log.debug("A schema goes as JSON Schema: %s", error)
        return {"parameters_json_schema": schema}
    return parameters


def _check(parameters: dict[str, Any]) -> None:
    """See that the codec will take it, before a session depends on it."""
    declaration = wire.FunctionDeclaration(name="f", **parameters)
    tools = [wire.Tool(function_declarations=[declaration])]
    codec.encode(wire.LiveClientMessage(setup=wire.LiveClientSetup(model="models/m", tools=tools)))


def progress_text(progress: float, total: float | None, message: str | None) -> str:
    """Say how far a call is."""
    count = f"{progress:g}" if total is None else f"{progress:g} of {total:g}"
    return f"{count}: {message}" if message else count


def read_result(result: mcp.types.CallToolResult) -> object:
    """Turn the result of a call into what a tool gives.

    Structured content is the result; text that only repeats it is left out. Without it, a single
    block of content is the result, and several are a list. Pictures, sounds and other bytes become
    ``wire.Blob``, links and texts of resources objects with their ``uri``.

    Raises:
      ToolError: the server says that the call failed, or gave base64 that is none.
    """
    blocks = [_read_block(block) for block in result.content]
    if result.is_error:
        told = " ".join(block for block in blocks if isinstance(block, str)).strip()
        raise ToolError(told or "The tool failed, and didn't say why.")
    structured = result.structured_content
    if structured is not None:
        blocks = [block for block in blocks if not _repeats(block, structured)]
        return {"result": structured, "content": blocks} if blocks else structured
    return blocks[0] if len(blocks) == 1 else blocks or None


def _read_block(block: Any) -> object:
    match block.type:
        case "text":
            return str(block.text)
        case "image" | "audio":
            return _blob(block.data, block.mime_type)
        case "resource_link":
            return _about(block, uri=str(block.uri))
        case "resource":
            resource, uri = block.resource, str(block.resource.uri)
            if hasattr(resource, "text"):
                return _about(resource, uri=uri, text=resource.text)
            return _blob(resource.blob, resource.mime_type, name=uri)
    return block.model_dump(mode="json", by_alias=True, exclude_none=True)


def _about(block: Any, **known: str) -> dict[str, str]:
    """What is said of a resource, as far as it is said."""
    told = {name: getattr(block, name, None) for name in ("name", "title", "description")}
    kept = {name: str(value) for name, value in told.items() if value}
    if block.mime_type:
        kept["mime_type"] = str(block.mime_type)
    return known | kept


def _blob(text: str, mime_type: str | None, *, name: str | None = None) -> wire.Blob:
    try:
        data = pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ToolError("The tool gave data that isn't base64.") from error
    return wire.Blob(
        data=data, mime_type=mime_type or "application/octet-stream", display_name=name
    )


def _repeats(block: object, structured: object) -> bool:
    """Whether a text is there only for clients that don't read structured content."""
    if not isinstance(block, str):
        return False
    said = [structured]
    if isinstance(structured, Mapping) and list(structured) == ["result"]:
        # How servers wrap a result that isn't an object; a list has a block for each item.
        result = structured["result"]
        said += [result, *(result if isinstance(result, list) else ())]
    return block in said or _json(block) in said


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
