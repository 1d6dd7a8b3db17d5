"""How a runner runs its tools."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import attrs

from ..errors import ConfigError
from ._call import Call
from ._results import LIMIT_BYTES
from ._tool import is_positive

__all__ = ["ToolPolicy", "policy_of"]


def _positive(_policy: object, field: attrs.Attribute[Any], value: object) -> None:
    if not is_positive(value):
        raise ConfigError(f"{field.name} must be greater than 0, not {value!r}.")


def _positive_if_any(policy: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        _positive(policy, field, value)


def _function(_policy: object, field: attrs.Attribute[Any], value: object) -> None:
    if not callable(value):
        raise ConfigError(f"{field.name} must be a function of two calls, not {value!r:.80}.")
    if inspect.iscoroutinefunction(value):  # a coroutine is true, whatever would come of it
        raise ConfigError(f"{field.name} must not wait: write def, not async def.")


@attrs.frozen(kw_only=True)
class ToolPolicy:
    """What holds for all calls of a runner.

    Raises:
      ConfigError: A number is none, zero or negative, or ``same_call`` is no plain function.
    """

    timeout: float | None = attrs.field(default=120.0, validator=_positive_if_any)
    """Seconds for a call, from its arrival, of a tool that says nothing itself; ``None`` for any
    length of time. Waiting in line counts."""

    most_calls: int = attrs.field(default=64, validator=_positive)
    """How many calls may be running or wait in line; more are refused."""

    finish_within: float = attrs.field(default=10.0, validator=_positive)
    """Seconds that a tool which ``must_finish`` has to come to its end once nobody wants its answer
    any more. Leaving the session waits for it so long."""

    limit_bytes: int = attrs.field(default=LIMIT_BYTES, validator=_positive)
    """How long an answer may be as JSON, for tools that say nothing themselves."""

    same_call: Callable[[Call, Call], bool] | None = attrs.field(
        default=None, validator=attrs.validators.optional(_function)
    )
    """Told an earlier call and a new one of the same tool, says whether they mean the same, as when
    a model repeats a call in other words after an interruption. The new one then gets what the
    earlier one gave, or is about to give. Earlier calls come newest first, open or ended; those
    that failed or were stopped don't come. It must not wait."""


def policy_of(given: ToolPolicy | None) -> ToolPolicy:
    """Return the policy that was given, or the usual one.

    Raises:
      ConfigError: It isn't one.
    """
    if given is None:
        return ToolPolicy()
    if not isinstance(given, ToolPolicy):
        raise ConfigError(f"Tools are run by a ToolPolicy(...), not by a {type(given).__name__}.")
    return given
