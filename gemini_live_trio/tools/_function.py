"""Tools that are Python functions: how they are called, by the model and by Python."""

from __future__ import annotations

import collections
import functools
import inspect
import types
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping, Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Generic,
    Literal,
    ParamSpec,
    TypeAlias,
    TypeVar,
    overload,
)

import attrs
import trio

from .. import wire
from ..errors import ConfigError
from ._arguments import Arguments
from ._tool import Tool, ToolContext

if TYPE_CHECKING:
    from typing import Self

    from .._session import LiveSession

__all__ = [
    "Binding",
    "BoundTool",
    "FunctionHandler",
    "FunctionTool",
    "Kind",
    "kind_of",
    "require_bound",
]

_P = ParamSpec("_P")
_Q = ParamSpec("_Q")
_R = TypeVar("_R")
_R_co = TypeVar("_R_co", covariant=True)
_S = TypeVar("_S")

Kind: TypeAlias = Literal["async", "stream", "plain", "unbound"]
Binding: TypeAlias = Literal["nothing", "instance", "class"]


# --- Running a function -----------------------------------------------------------------------


@attrs.frozen(eq=False)
class FunctionHandler:
    """Calls a function with what the model gave: the ``handler`` of a tool."""

    whose: str
    function: Callable[..., Any]
    signature: inspect.Signature
    """Without ``self``, ``*`` and ``**``."""
    arguments: Arguments
    contexts: Sequence[str]
    """The parameters that get the context."""
    kind: Kind
    limiter: trio.lowlevel.RunVar[trio.CapacityLimiter]
    """Not a limiter itself: one belongs to one run of Trio."""
    threads: int

    def __call__(
        self, args: Mapping[str, wire.JsonValue], context: ToolContext
    ) -> Awaitable[object] | AsyncIterable[object]:
        # The arguments are read here already: what is wrong with them is told before anything runs.
        match self.kind:
            case "stream":
                stream: AsyncIterable[object] = self._bind(args, context)()
                return stream
            case "async":
                return self._await(self._bind(args, context))
            case "plain":
                return self._run_in_thread(self._bind(args, _FromThread(context)))
        raise self.unbound()

    def unbound(self) -> ConfigError:
        """What is wrong with a method that was taken from its class."""
        return ConfigError(
            f"{self.whose} is a method: take the tool from an instance, so that it has a self."
        )

    def _bind(self, args: Mapping[str, wire.JsonValue], context: ToolContext) -> Callable[[], Any]:
        values = self.arguments.read(args) | dict.fromkeys(self.contexts, context)
        known = collections.OrderedDict[str, Any]()
        others: dict[str, Any] = {}  # for a function with **
        for name, value in values.items():
            (known if name in self.signature.parameters else others)[name] = value
        bound = inspect.BoundArguments(self.signature, known)
        bound.apply_defaults()
        return functools.partial(self.function, *bound.args, **bound.kwargs, **others)

    async def _await(self, call: Callable[[], Any]) -> object:
        result = call()
        return await result if inspect.isawaitable(result) else result

    async def _run_in_thread(self, call: Callable[[], Any]) -> object:
        try:
            limiter = self.limiter.get()
        except LookupError:
            limiter = trio.CapacityLimiter(self.threads)
            self.limiter.set(limiter)
        # A thread can't be stopped. Abandoned, it keeps its place in the limiter until it ends, so
        # that functions that hang take up so many threads and no more.
        return await trio.to_thread.run_sync(call, limiter=limiter, abandon_on_cancel=True)


@attrs.frozen(eq=False)
class _FromThread:
    """A call's context for a function in a worker thread."""

    _context: ToolContext

    @property
    def call_id(self) -> str:
        return self._context.call_id

    @property
    def session(self) -> LiveSession:
        return self._context.session

    @property
    def cancel_reason(self) -> str | None:
        return self._context.cancel_reason

    def progress(self, text: str, /) -> None:
        trio.from_thread.run_sync(self._context.progress, text)


# --- The tools --------------------------------------------------------------------------------


@attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)
class BoundTool(Tool, Generic[_P, _R_co]):
    """A tool made of a Python function, which it can be called like."""

    function: Callable[_P, _R_co]
    """What was decorated; for a method, bound to its object."""

    json_schema: Mapping[str, Any]
    """What the function takes, as JSON Schema (2020-12), whatever the declaration says."""

    def __attrs_post_init__(self) -> None:
        # So that help(), Sphinx and inspect.signature() see the function.
        names = ("__module__", "__name__", "__qualname__", "__doc__")
        found = {name: getattr(self.function, name, None) for name in names}
        vars(self).update({name: value for name, value in found.items() if value is not None})
        vars(self)["__wrapped__"] = self.function

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __call__(self, *args: _P.args, **kwargs: _P.kwargs) -> _R_co:
        """Call the function itself, as if it weren't decorated."""
        return self.function(*args, **kwargs)


@attrs.frozen(kw_only=True, eq=False, repr=False, slots=False)
class FunctionTool(BoundTool[_P, _R_co]):
    """What ``@tool`` makes of a function; of a method, the tool is taken from an instance."""

    _binds: Binding = attrs.field(default="nothing", alias="binds")

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...

    @overload
    def __get__(
        self: FunctionTool[Concatenate[_S, _Q], _R], instance: _S, owner: type[_S] | None = None
    ) -> BoundTool[_Q, _R]: ...

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """Bind a method to its object, or a class method to its class."""
        if self._binds == "class":
            bound_to = type(instance) if owner is None else owner
        elif self._binds == "instance" and instance is not None:
            bound_to = instance
        else:
            return self
        return _bound(self, bound_to)


def _bound(method: FunctionTool[Any, Any], bound_to: object) -> BoundTool[Any, Any]:
    function = types.MethodType(method.function, bound_to)
    handler = method.handler
    assert isinstance(handler, FunctionHandler)
    options = {
        field.name: getattr(method, field.name)
        for field in attrs.fields(Tool)
        if field.name != "handler"
    }
    return BoundTool(
        **options,
        handler=attrs.evolve(handler, function=function, kind=kind_of(function)),
        function=function,
        json_schema=method.json_schema,
    )


def require_bound(tool: Tool) -> None:
    """See that a tool is no method without its object.

    Raises:
      ConfigError: it is one.
    """
    if isinstance(tool.handler, FunctionHandler) and tool.handler.kind == "unbound":
        raise tool.handler.unbound()


def kind_of(function: Callable[..., Any]) -> Kind:
    """Find out how a function has to be called.

    Raises:
      ConfigError: it is a generator, which could neither be awaited nor kept in one thread.
    """
    # A decorator's wrapper may be a plain function that gives what an async one gave it.
    inner = function if inspect.isroutine(function) else type(function).__call__
    for candidate in (function, inner, inspect.unwrap(function)):
        if inspect.isasyncgenfunction(candidate):
            return "stream"
        if inspect.iscoroutinefunction(candidate):
            return "async"
        if inspect.isgeneratorfunction(candidate):
            raise ConfigError(
                "it is a generator: write an async generator to give partial results, or return "
                "a list."
            )
    return "plain"
