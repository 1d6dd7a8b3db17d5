"""Lines of JSON: of events, and of whatever else goes to a program that reads them."""

from __future__ import annotations

import base64
import enum
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from .. import events
from ..events import Event

__all__ = ["as_json", "as_line"]

_UNSAFE: Final = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def as_json(event: Event, *, media: bool = False) -> str:
    """Describe an event in one line: its class's name, and its attributes as they are named there.

    Media are told by their size, frames left out, handles withheld. Fields that hold nothing are
    left out.

    Args:
      event: What to describe.
      media: Whether media come whole as well, in base64.
    """
    fields = {
        name: value
        for name, value in _attributes(event, media).items()
        if name not in ("message", "transcription", "call")
    }
    match event:
        case events.ModelAudio(pcm=pcm):
            fields |= {"pcm": _plain(pcm, media), "seconds": round(event.seconds, 4)}
        case events.ResumptionUpdate(handle=handle) if handle is not None:
            fields |= {"handle": "(withheld)"}
        case events.Undecodable(error=error, frame=frame):
            fields |= {"error": str(error), "frame": {"length": len(frame)}}
        case events.ModelMedia():
            fields.pop("part", None)
    return as_line({"event": type(event).__name__, **fields})


def as_line(value: Mapping[str, Any]) -> str:
    """Write an object in one line that no terminal obeys."""
    text = json.dumps(value, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _attributes(value: Any, media: bool) -> dict[str, Any]:
    return {
        field.name: plain
        for field in attrs.fields(type(value))
        if field.name != "message"
        and (plain := _plain(getattr(value, field.name), media)) not in (None, [], {})
    }


def _plain(value: Any, media: bool) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        content = {"base64": base64.b64encode(value).decode()} if media else {}
        return {"bytes": len(value), **content}
    if attrs.has(type(value)):
        return _attributes(value, media)
    if isinstance(value, Mapping):
        return {str(key): _plain(item, media) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item, media) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
