"""From tools to declarations that the model takes, with nothing left to its defaults.

Whether the model waits for an answer, and when it speaks of one that it didn't wait for, is its own
choice unless it is told, and that choice changed between two models. So both are written down
always; where the model doesn't know what is asked for, nothing is dialled.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, get_args

import attrs

from .. import wire
from .._builtin import BuiltinTool, as_wire_tool, is_builtin
from ..capabilities import Capability
from ..config import CapabilityWarning
from ..errors import ConfigError
from ._decorator import _NAME, tool
from ._function import require_bound
from ._tool import Tool, check_options

__all__ = [
    "blocks",
    "declarations",
    "declared_names",
    "gather",
    "part",
    "scheduling_of",
    "seconds_for",
]

Check = Literal["strict", "warn", "off"]

_SCHEDULING: Final = {
    None: wire.FunctionResponseScheduling.WHEN_IDLE,
    "when_idle": wire.FunctionResponseScheduling.WHEN_IDLE,
    "interrupt": wire.FunctionResponseScheduling.INTERRUPT,
    "silent": wire.FunctionResponseScheduling.SILENT,
}


def gather(
    given: Any,
    capability: Capability,
    *,
    taken: Iterable[str] = (),
    check: Check = "strict",
) -> tuple[Tool, ...]:
    """Make tools of what a user gave, and look whether the model can use them as they are.

    Args:
      given: Tools, and functions to make some of.
      capability: What the model does.
      taken: Names that other tools have.
      check: As in ``SessionConfig``.

    Raises:
      ConfigError: Something isn't a tool, two have the same name, or the model won't have it.
    """
    names = set(taken)
    gathered = []
    for item in _listed(given):
        one = _as_tool(item)
        require_bound(one)
        if not _NAME.fullmatch(one.name):
            raise ConfigError(
                f"{one.name!r} can't be a tool's name: the service takes up to 64 letters, digits, "
                "'_', '.', ':' and '-', a letter or '_' first."
            )
        if one.name in names:
            raise ConfigError(f"There are two tools with the name {one.name!r}; rename one.")
        names.add(one.name)
        check_options(
            one.name,
            blocking=one.blocking,
            on_result=one.on_result,
            timeout=one.timeout,
            limit=one.limit,
            must_finish=one.must_finish,
            limit_bytes=one.limit_bytes,
        )
        if check != "off":
            for slip in _slips(one, capability):
                if check == "strict":
                    raise ConfigError(slip)
                warnings.warn(slip, CapabilityWarning, stacklevel=4)
        gathered.append(one)
    return tuple(gathered)


def part(given: Any) -> tuple[list[wire.Tool], list[Any]]:
    """Part what a user gave into what runs at the service, and the rest, for ``gather``.

    Raises:
      ConfigError: It is no list.
    """
    theirs: list[wire.Tool] = []
    ours: list[Any] = []
    for item in _listed(given):
        if is_builtin(item):
            theirs.append(as_wire_tool(item))
        else:
            ours.append(item)
    return theirs, ours


def _listed(given: Any) -> Iterable[Any]:
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        advice = ": write tools=[...]" if callable(given) or is_builtin(given) else ""
        raise ConfigError(f"tools takes a list of tools, not a {type(given).__name__}{advice}.")
    return given


def _as_tool(item: object) -> Tool:
    if isinstance(item, Tool):
        return _made_by_hand(item)
    if isinstance(item, wire.Tool | wire.FunctionDeclaration):
        raise ConfigError(
            "tools takes functions and tools.Tool values, which this program runs; a "
            f"wire.{type(item).__name__}, which it doesn't, goes into SessionConfig(tools=[...])."
        )
    if is_builtin(item):
        raise ConfigError(
            f"{type(item).__name__} runs at the service, not here: it goes to "
            "open_session(tools=[...]) or SessionConfig(tools=[...])."
        )
    if isinstance(item, type) and item in get_args(BuiltinTool):
        raise ConfigError(f"tools takes values, not classes: write {item.__name__}().")
    if isinstance(item, Iterable) and not isinstance(item, str | Mapping) and not callable(item):
        raise ConfigError(
            f"There is a {type(item).__name__} in tools: write tools=[*first, *second] to give "
            "what is in several."
        )
    if not callable(item):
        raise ConfigError(f"{item!r:.80} isn't a tool, nor a function to make one of.")
    return tool(item)


def _made_by_hand(one: Tool) -> Tool:
    declaration: object = one.declaration
    if not isinstance(declaration, wire.FunctionDeclaration):
        raise ConfigError(
            f"Tool(declaration=...) takes a wire.FunctionDeclaration, not a "
            f"{type(declaration).__name__}."
        )
    if not callable(one.handler):
        raise ConfigError(
            f"{one.name}: Tool(handler=...) takes a function, not a {type(one.handler).__name__}."
        )
    return one


def _slips(one: Tool, capability: Capability) -> Iterable[str]:
    blocking = _wish(one)
    if blocking is not None:
        wanted = "blocking" if blocking else "non_blocking"
        if _sure(capability, "tool_behaviors") and wanted not in capability.tool_behaviors:
            yield (
                f"{one.name}: {_model(capability)} "
                + ("waits for no tool" if blocking else "waits for every tool")
                + f", so leave blocking={blocking} out."
            )
    if one.on_result is None:
        return
    if blocks(one, capability):
        yield (
            f"{one.name}: on_result says when the model speaks of an answer that it didn't wait "
            f"for, and {_model(capability)} waits for this one; leave it out"
            + (", or add blocking=False." if "non_blocking" in capability.tool_behaviors else ".")
        )
    elif _sure(capability, "tool_scheduling") and not capability.tool_scheduling:
        yield (
            f"{one.name}: {_model(capability)} decides by itself when to speak of an answer; leave "
            "on_result out."
        )


def _model(capability: Capability) -> str:
    return f"this model ({capability.name})"


def _sure(capability: Capability, attribute: str) -> bool:
    return capability.source_of(attribute).confidence != "assumed"


def _wish(one: Tool) -> bool | None:
    """Whether the model shall wait, as far as the tool says."""
    behavior = str(one.declaration.behavior or "").upper()
    declared = {"BLOCKING": True, "NON_BLOCKING": False}.get(behavior)
    if None not in (declared, one.blocking) and declared is not one.blocking:
        raise ConfigError(
            f"{one.name}: blocking={one.blocking} contradicts the declaration's {behavior}."
        )
    return declared if one.blocking is None else one.blocking


def blocks(one: Tool, capability: Capability) -> bool:
    """Tell whether the model will wait for a tool's answers."""
    wish = _wish(one)
    return capability.blocking_tools if wish is None else wish


def declarations(
    tools: Iterable[Tool], capability: Capability
) -> Sequence[wire.FunctionDeclaration]:
    """Declare tools; a default that isn't known for sure is left to the service."""
    declared = []
    for one in tools:
        behavior: wire.Behavior | str | None = one.declaration.behavior
        if _wish(one) is not None or _sure(capability, "blocking_tools"):
            waits = blocks(one, capability)
            behavior = wire.Behavior.BLOCKING if waits else wire.Behavior.NON_BLOCKING
        declared.append(attrs.evolve(one.declaration, behavior=behavior))
    return declared


def declared_names(tools: Iterable[wire.Tool]) -> set[str]:
    """The names of all functions among what is declared."""
    return {
        declaration.name
        for group in tools
        for declaration in group.function_declarations
        if declaration.name
    }


def scheduling_of(
    one: Tool | None, capability: Capability, *, blocking: bool
) -> wire.FunctionResponseScheduling | None:
    """Say when the model shall speak of an answer; ``None`` where that isn't to be said."""
    if blocking:
        return None
    on_result = None if one is None else one.on_result
    # Asked for and not known to be refused, it is said; by itself only where it is known.
    if capability.tool_scheduling or (on_result and not _sure(capability, "tool_scheduling")):
        return _SCHEDULING[on_result]
    return None


def seconds_for(one: Tool, default: float | None) -> float:
    """How long a call may take."""
    chosen = default if one.timeout is None else one.timeout
    return math.inf if chosen is None else chosen
