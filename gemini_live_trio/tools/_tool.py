"""What a tool is: a declaration for the model, and what runs when it is called."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import attrs

from .. import wire
from ..errors import ConfigError

if TYPE_CHECKING:
    from .._session import LiveSession

__all__ = ["Handler", "OnResult", "Tool", "ToolContext", "check_options", "is_positive"]

OnResult: TypeAlias = Literal["interrupt", "when_idle", "silent"]


class ToolContext(Protocol):
    """What a tool may know of the call that it serves. The runner makes it."""

    @property
    def call_id(self) -> str:
        """The service's id of the call."""
        ...

    @property
    def session(self) -> LiveSession:
        """The session in which the model called."""
        ...

    @property
    def cancel_reason(self) -> str | None:
        """Why the call is being cancelled; ``None`` while it isn't."""
        ...

    def progress(self, text: str, /) -> None:
        """Tell how far it is: an event for the program, not for the model."""
        ...


Handler: TypeAlias = Callable[
    [Mapping[str, wire.JsonValue], ToolContext], Awaitable[object] | AsyncIterable[object]
]


@attrs.frozen(kw_only=True)
class Tool:
    """A function that the model may call.

    ``@tool`` makes one of a Python function; other sources (an MCP server) make them by hand.
    """

    declaration: wire.FunctionDeclaration
    """Name, description and parameters. Its ``behavior`` is written by the runner."""

    handler: Handler
    """Called with the arguments as they came and the call's context. Gives an awaitable of the
    result, or, where ``streams``, an async iterable of partial results. Raises ``ToolError`` to
    speak to the model. An ``ArgumentsError`` that the call itself raises, with nothing awaited yet,
    means that the function never ran."""

    streams: bool = False
    blocking: bool | None = None
    """Whether the model waits for the answer; ``None`` for what the model does by itself."""

    on_result: OnResult | None = None
    """When the model speaks of the answer, where it didn't wait for it."""

    timeout: float | None = None
    """Seconds, ``math.inf`` for any length of time; ``None`` for the runner's."""

    limit: int | None = None
    """How many calls may run at once; the others wait."""

    must_finish: bool = False
    """Whether it runs to its end even when nobody wants its answer any more."""

    limit_bytes: int | None = None
    """How long its answer may be as JSON, media left out; ``None`` for the runner's limit."""

    @property
    def name(self) -> str:
        """What the model calls it."""
        return self.declaration.name or ""


def is_positive(value: object) -> bool:
    """Tell whether a value is a number above 0; infinity is one."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def check_options(
    whose: str,
    *,
    blocking: Any,
    on_result: Any,
    timeout: Any,
    limit: Any = None,
    must_finish: Any = False,
    limit_bytes: Any = None,
) -> None:
    """See that a tool's options are what they may be, before a call trips over one.

    Raises:
      ConfigError: one isn't.
    """
    for name, switch in (("blocking", blocking), ("must_finish", must_finish)):
        if not isinstance(switch, bool) and (switch is not None or name != "blocking"):
            raise ConfigError(f"{whose}: {name}={switch!r} is none: use True or False.")
    if on_result not in (None, "interrupt", "when_idle", "silent"):
        raise ConfigError(
            f"{whose}: on_result={on_result!r} is none: use 'interrupt', 'when_idle' or 'silent'."
        )
    if timeout is not None and not is_positive(timeout):
        raise ConfigError(
            f"{whose}: timeout={timeout!r} is none: use seconds above 0, or math.inf."
        )
    for name, number in (("limit", limit), ("limit_bytes", limit_bytes)):
        if number is not None and (not isinstance(number, int) or number < 1):
            raise ConfigError(f"{whose}: {name}={number!r} is none: use an int from 1.")
