"""What a tool gave, or how it failed, as the answer to its call.

Nothing here raises for a bad result: a result that can't be written becomes a failure that the
model can act on, and the exception stands beside it for the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from .. import wire
from ..errors import ToolError

__all__ = ["LIMIT_BYTES", "Answer", "answer", "failure"]

LIMIT_BYTES: Final = 256 * 1024
"""How long an answer may be as JSON, its media left out."""


@attrs.frozen(kw_only=True)
class Answer:
    """What goes back to the model for one call."""

    response: Mapping[str, wire.JsonValue]
    """Never empty. ``output`` holds a result, ``error`` a failure; without either the whole object
    is the result."""

    parts: Sequence[wire.FunctionResponsePart] = ()
    """Media among the result."""

    failed: bool = False
    """Whether it says what went wrong."""

    error: BaseException | None = attrs.field(default=None, eq=False)
    """The full story, for the log, where it failed."""


def answer(result: object, *, limit_bytes: int = LIMIT_BYTES) -> Answer:
    """Turn what a tool gave into its answer; a result that can't be written is a failure."""
    if isinstance(result, Mapping):
        return Answer(response=dict(result))
    return Answer(response={"output": "done" if result is None else str(result)})


def failure(error: BaseException) -> Answer:
    """Turn an exception into a short answer, without what is nobody's business."""
    text = str(error) if isinstance(error, ToolError) else type(error).__name__
    return Answer(response={"error": text}, failed=True, error=error)
