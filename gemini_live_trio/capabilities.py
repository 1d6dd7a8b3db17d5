"""What differs between models, as data: each entry with its source.

Sources are named as in ``docs/protocol.md``. The first entry whose name begins a model's name
counts; a model that isn't known gets the last one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import attrs

from .usage import CountingRule

__all__ = ["CAPABILITIES", "Capability", "capability_of"]


@attrs.frozen(kw_only=True)
class Capability:
    """What one family of models does."""

    family: str
    """How the models' names begin, without ``models/``."""
    resume_restores: Literal["latest", "handle"]
    """Whether a handle brings back the latest state, or the state at its own time."""
    blocking_tools: bool
    """Whether the model waits for a tool's answer unless it is told not to."""
    tool_behaviors: frozenset[Literal["blocking", "non_blocking"]] = frozenset(
        {"blocking", "non_blocking"}
    )
    """What a function's declaration may ask for."""
    tool_scheduling: bool = True
    """Whether an answer may say when the model shall speak of it (``scheduling``)."""
    tool_streaming: bool = True
    """Whether a call may be answered in several parts (``willContinue``)."""
    input_while_blocking: Literal["free", "refused", "cancels"] = "free"
    """What speech does to a call that the model waits for: nothing, the connection is closed with
    1008, or the call is dropped and the speech taken as a new turn."""
    seed: Literal["history", "content"]
    """How turns are put into a fresh session: announced in ``setup``, or just sent."""
    usage: CountingRule
    """How ``usageMetadata`` adds up; ``gemini_live_trio.usage`` explains the rules."""
    source: str


CAPABILITIES: Sequence[Capability] = (
    Capability(
        family="gemini-3.8-live-extended-thinking",
        resume_restores="latest",
        blocking_tools=False,
        tool_behaviors=frozenset({"non_blocking"}),
        tool_scheduling=False,
        seed="history",
        usage="turn",
        source="as 3.8; tools: model page, 2026-09",
    ),
    Capability(
        family="gemini-3.8-live",
        resume_restores="latest",
        blocking_tools=False,
        input_while_blocking="cancels",
        seed="history",
        usage="turn",
        source="resumption measured 2026-10; tools: model page; usage: recorded beside "
        "turnComplete",
    ),
    Capability(
        family="gemini-3.1",
        resume_restores="handle",
        blocking_tools=True,
        tool_behaviors=frozenset({"blocking"}),
        input_while_blocking="cancels",
        seed="history",
        usage="turn",
        source="session management and tools pages, 2026-09; usage: recorded beside turnComplete",
    ),
    Capability(
        family="gemini-2.5",
        resume_restores="handle",
        blocking_tools=True,
        input_while_blocking="refused",
        seed="content",
        usage="turn",
        source="session management and capabilities pages, 2026-09; usage: recorded beside "
        "turnComplete",
    ),
    Capability(
        family="gemini-live-2.5",
        resume_restores="handle",
        blocking_tools=True,
        input_while_blocking="refused",
        seed="content",
        usage="turn",
        source="session management and capabilities pages, 2026-09; usage: recorded beside "
        "turnComplete",
    ),
    Capability(
        family="gemini-3.5-live-translate",
        resume_restores="latest",
        blocking_tools=True,
        seed="history",
        usage="message",
        source="usage: assumed, it comes once a second and no turn ever ends; else nothing known",
    ),
    Capability(
        family="gemini-3.5-transcribe",
        resume_restores="latest",
        blocking_tools=True,
        seed="history",
        usage="message",
        source="usage: assumed, it may come with each utterance and turnComplete hardly ever does; "
        "else nothing known",
    ),
    Capability(
        family="",
        resume_restores="latest",
        blocking_tools=True,
        seed="history",
        usage="turn",
        source="nothing known: what does the least harm; usage: as in recordings of 2.0",
    ),
)


def capability_of(model: str) -> Capability:
    """Find what is known of a model.

    Args:
      model: In any of its forms: short, ``models/...``, or a Vertex AI path.
    """
    name = model.rpartition("/")[2]
    return next(entry for entry in CAPABILITIES if name.startswith(entry.family))
