"""Calling the functions that the client declared: which there are, who waits for whom, and ids.

How a call looks and whether the model waits for its answer differs by model: that is in
``_profiles``. What is said about the answer is the mind's business.
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

import attrs

from ... import wire
from .._checks._profiles import CallId, Profile

__all__ = [
    "Answer",
    "Answered",
    "Call",
    "OpenCall",
    "answers_to",
    "as_json",
    "declarations",
    "in_words",
    "new_id",
    "waits",
]

log: Final = logging.getLogger("gemini_live_trio.simulator")


@attrs.frozen
class Call:
    """A function that the mind wants called.

    Attributes:
      name: Which one; it is called even if nobody declared it.
      args: What with.
    """

    name: str
    args: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Answer:
    """What a function gave.

    Attributes:
      name: Which one.
      response: The client's words, as they came.
    """

    name: str
    response: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class OpenCall:
    """A call whose answer hasn't come.

    Attributes:
      name: Which function.
      blocking: Whether the model is one that waits for this function.
      held: Whether a turn really stands still until it is answered; not for a call that a test
        sent by itself.
    """

    name: str
    blocking: bool = False
    held: bool = False


@attrs.frozen
class Answered:
    """An answer to a call that was open.

    Attributes:
      call: What it answers.
      answer: What it says.
      scheduling: When to speak of it: ``"INTERRUPT"``, ``"WHEN_IDLE"``, ``"SILENT"``, or an empty
        string where the client leaves it open.
    """

    call: OpenCall
    answer: Answer
    scheduling: str = ""


def declarations(tools: Sequence[wire.Tool]) -> dict[str, wire.FunctionDeclaration]:
    """Every function that was declared, by its name."""
    return {
        declaration.name: declaration
        for tool in tools
        for declaration in tool.function_declarations
        if declaration.name
    }


def waits(declaration: wire.FunctionDeclaration | None, profile: Profile) -> bool:
    """Whether the model waits for this function's answer."""
    behavior = str(declaration.behavior or "").upper() if declaration is not None else ""
    if behavior in (wire.Behavior.BLOCKING, wire.Behavior.NON_BLOCKING):
        return behavior == wire.Behavior.BLOCKING
    return profile.calls == "blocking"


def new_id(style: CallId, taken: Container[str]) -> str:
    """Make an id for a call in a model's style, none of those ``taken``."""
    while True:
        number = uuid.uuid4()
        made = {
            "function-call": f"function-call-{number.int % 10**20}",
            "fc": f"fc_{number.int % 10**18:018}",
            "call": f"call_{number.int % 10**7}",
            "uuid": str(number),
        }[style]
        if made not in taken:
            return made


def answers_to(
    calls: Mapping[str, OpenCall], responses: Sequence[wire.FunctionResponse]
) -> tuple[list[Answered], Mapping[str, OpenCall]]:
    """Take answers to open calls.

    Returns:
      Those that answer an open call, and the calls that are still open. The service ignores
      answers to calls it doesn't know.
    """
    left = dict(calls)
    answered = []
    for response in responses:
        call = left.get(response.id or "")
        if call is None:
            log.info("a tool response for a call that isn't open: ignored")
            continue
        if call.held or not response.will_continue:
            del left[response.id or ""]
        given = response.response or {}
        # The field is the documented place; an older guide puts it into the response.
        scheduling = response.scheduling or given.get("scheduling") or ""
        answer = Answer(call.name, given)
        answered.append(Answered(call, answer, str(scheduling).upper()))
    return answered, left


def in_words(answer: Answer) -> str:
    """Say what a function gave, for a history that is read as text."""
    return f"[{answer.name} answered: {as_json(answer.response)}]"


def as_json(value: object) -> str:
    """Write a value the short way, for people."""
    return json.dumps(value, default=str, ensure_ascii=False)
