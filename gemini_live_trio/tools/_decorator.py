"""``@tool``: from a Python function to a tool.

Everything that can be wrong with a function is found when it is decorated, so that no model ever
sees a tool that can't work.

Which of the two forms of schema is written? ``parameters``, the service's own, unless
``dialect="json_schema"`` asks for the other, which says more but isn't read by all models;
``_openapi`` has the story.
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, ParamSpec, TypeAlias, TypeVar, overload

import attrs
import trio

from .. import wire
from ..errors import ConfigError
from ._arguments import Arguments
from ._docstring import read_docstring
from ._function import FunctionHandler, FunctionTool, kind_of
from ._hints import Hints, Unsayable
from ._openapi import check_schema, to_wire_schema
from ._signature import Taken, parameters_of, subject_of
from ._tool import OnResult, ToolContext, check_options

__all__ = ["SchemaDialect", "tool"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

SchemaDialect: TypeAlias = Literal["openapi", "json_schema"]

_THREADS: Final = 8
"""How many threads the calls of one plain function may hold, where no ``limit`` is given."""
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
"""What the service takes; the documents say 128 characters, its error messages 64."""


@overload
def tool(function: Callable[_P, _R], /) -> FunctionTool[_P, _R]: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    blocking: bool | None = None,
    on_result: OnResult | None = None,
    timeout: float | None = None,
    limit: int | None = None,
    must_finish: bool = False,
    limit_bytes: int | None = None,
    dialect: SchemaDialect = "openapi",
    schema: Mapping[str, Any] | wire.Schema | None = None,
    declaration: wire.FunctionDeclaration | None = None,
) -> Callable[[Callable[_P, _R]], FunctionTool[_P, _R]]: ...


def tool(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    blocking: bool | None = None,
    on_result: OnResult | None = None,
    timeout: float | None = None,
    limit: int | None = None,
    must_finish: bool = False,
    limit_bytes: int | None = None,
    dialect: SchemaDialect = "openapi",
    schema: Mapping[str, Any] | wire.Schema | None = None,
    declaration: wire.FunctionDeclaration | None = None,
) -> Any:
    """Make a tool of a function, which can still be called as before.

    Its name, its docstring (the text, and what it says of each parameter) and its type hints become
    what the model sees. An async function runs in the session's task tree, a plain one in a worker
    thread, and an async generator gives partial results. ``docs/tools.md`` has the types.

    A parameter annotated ``ToolContext`` gets the call's context, and the model doesn't see it. A
    method is a tool once it is taken from an instance: ``[home.set_light]``. A ``classmethod`` or a
    ``functools.partial`` is decorated from the outside.

    A plain function can't be stopped: when its call is cancelled, its thread is abandoned and what
    it gives is dropped. It may end early by itself where it calls
    ``trio.from_thread.check_cancelled()``.

    Args:
      function: The function; left out, a decorator is returned.
      name: Instead of the function's.
      description: Instead of the docstring's text. Without either, the model reads the name.
      blocking: Whether the model waits for the answer; ``None`` for what it does by itself.
      on_result: When the model speaks of the answer, where it didn't wait for it.
      timeout: Seconds, ``math.inf`` for any length of time; ``None`` for the runner's.
      limit: How many calls may run at once; for a plain function also how many threads, abandoned
        ones counted (8 without a limit).
      must_finish: Run to the end even when nobody wants the answer any more.
      limit_bytes: How long the answer may be as JSON; ``None`` for the runner's limit.
      dialect: How the parameters are declared: ``"openapi"`` is the service's own form, which all
        models read; ``"json_schema"`` can also say what contains itself, and isn't read by models
        up to 2.5.
      schema: What the model is told of the parameters, instead of what the hints say: JSON Schema,
        or the service's own form. The hints still say what is accepted; a parameter without one
        takes any JSON, and ``**others`` what the function doesn't name.
      declaration: All that the model is told, instead.

    Raises:
      ConfigError: the function can't be a tool as it is. The text names function, parameter and
        type, and says what to do.
    """
    names = _visible_names(sys._getframe(1))

    def make(function: Any) -> FunctionTool[Any, Any]:
        return make_tool(
            function,
            names,
            _Told(name, description, schema, declaration, dialect),
            _Options(blocking, on_result, timeout, limit, must_finish, limit_bytes),
        )

    return make if function is None else make(function)


def _visible_names(frame: types.FrameType) -> Mapping[str, object]:
    """The local names where a tool is made; a class defined in a function is only there."""
    names: dict[str, object] = {}
    scopes: list[Mapping[str, object]] = []
    while frame.f_locals is not frame.f_globals:
        scopes.append(frame.f_locals)
        # The body of a class sees the names of the function around it, which is running it.
        if "__qualname__" not in frame.f_locals or frame.f_back is None:
            break
        frame = frame.f_back
    for scope in reversed(scopes):
        names.update(scope)
    return names


# --- What was given ---------------------------------------------------------------------------


@attrs.frozen
class _Told:
    """What the model is to be told, as far as it was given."""

    name: str | None
    description: str | None
    schema: Mapping[str, Any] | wire.Schema | None
    declaration: wire.FunctionDeclaration | None
    dialect: SchemaDialect

    def check(self, whose: str) -> None:
        kinds = {
            "name": (str, "text"),
            "description": (str, "text"),
            "schema": (Mapping | wire.Schema, "JSON Schema as a dict, or a wire.Schema"),
            "declaration": (wire.FunctionDeclaration, "a wire.FunctionDeclaration"),
        }
        for option, (kind, words) in kinds.items():
            given = getattr(self, option)
            if given is not None and not isinstance(given, kind):
                raise ConfigError(f"{whose}: {option}={given!r:.80} is none: use {words}.")
        if self.dialect not in ("openapi", "json_schema"):
            raise ConfigError(
                f"{whose}: dialect={self.dialect!r} is none: use 'openapi' or 'json_schema'."
            )
        others = (self.name, self.description, self.schema)
        if self.declaration is not None and others != (None, None, None):
            raise ConfigError(
                f"{whose}: declaration= says it all; leave out name=, description= and schema=."
            )
        if isinstance(self.schema, wire.Schema) and self.dialect == "json_schema":
            raise ConfigError(f"{whose}: schema= is in the service's form: leave out dialect=.")


@attrs.frozen
class _Options:
    """How the tool is run; named as the attributes of ``Tool``."""

    blocking: bool | None
    on_result: OnResult | None
    timeout: float | None
    limit: int | None
    must_finish: bool
    limit_bytes: int | None

    def check(self, whose: str) -> None:
        check_options(whose, **attrs.asdict(self, recurse=False))
        if self.on_result is not None and self.blocking:
            raise ConfigError(
                f"{whose}: a model that waits speaks at once: leave out on_result=, or say "
                f"blocking=False."
            )


# --- Making the tool --------------------------------------------------------------------------


def make_tool(
    function: Any, names: Mapping[str, object], told: _Told, options: _Options
) -> FunctionTool[Any, Any]:
    """Make a tool of whatever was decorated."""
    subject = subject_of(function)
    whose = f"@tool {subject.name}"
    told.check(whose)
    options.check(whose)
    name = told.declaration.name if told.declaration is not None else told.name or subject.name
    if not _NAME.fullmatch(name or ""):
        raise ConfigError(
            f"{whose}: {name!r} is no name for a tool: the service takes ASCII letters, digits "
            f"and _ . : -, 64 at most, a letter or _ first. Give it one with name=."
        )
    visible = dict(names)
    if "ToolContext" not in getattr(inspect.unwrap(subject.source), "__globals__", {}):
        # Often imported for type checkers only.
        visible.setdefault("ToolContext", ToolContext)
    hints = Hints(visible)
    doc = read_docstring(inspect.getdoc(subject.source))
    given = told.schema is not None or told.declaration is not None
    taken = parameters_of(subject, hints, doc, whose, given=given)
    arguments = Arguments(taken.fields, hints, whose, others=taken.others)
    try:
        kind = kind_of(subject.function)
    except ConfigError as error:
        raise ConfigError(f"{whose}: {error}") from None
    handler = FunctionHandler(
        whose=whose,
        function=subject.function,
        signature=taken.signature,
        arguments=arguments,
        contexts=taken.contexts,
        kind="unbound" if subject.binds != "nothing" else kind,
        limiter=trio.lowlevel.RunVar(f"threads of {whose}"),
        threads=options.limit or _THREADS,
    )
    declaration = told.declaration or _declaration(
        name=name or "",
        description=told.description or doc.description or _in_plain_words(name or ""),
        schema=told.schema if told.schema is not None else arguments.schema,
        dialect=told.dialect,
        whose=whose,
    )
    if given:
        _check_given(declaration, taken, whose)
    made: dict[str, Any] = {
        "declaration": declaration,
        "handler": handler,
        "streams": kind == "stream",
        "function": subject.function,
        "json_schema": arguments.schema,
        **attrs.asdict(options, recurse=False),
    }
    return FunctionTool(**made, binds=subject.binds)


def _declaration(
    *,
    name: str,
    description: str,
    schema: Mapping[str, Any] | wire.Schema,
    dialect: SchemaDialect,
    whose: str,
) -> wire.FunctionDeclaration:
    if isinstance(schema, wire.Schema):
        return wire.FunctionDeclaration(name=name, description=description, parameters=schema)
    if schema.get("type") != "object":
        raise ConfigError(f'{whose}: the schema= of the parameters is one of {{"type": "object"}}.')
    if not schema.get("properties") and not schema.get("additionalProperties"):
        # A function without parameters has no schema either: one without properties is refused.
        return wire.FunctionDeclaration(name=name, description=description)
    try:
        check_schema(schema)
        if dialect == "json_schema":
            return wire.FunctionDeclaration(
                name=name, description=description, parameters_json_schema=dict(schema)
            )
        parameters = to_wire_schema(schema)
    except Unsayable as error:
        raise ConfigError(f"{whose}: {error}") from error
    return wire.FunctionDeclaration(name=name, description=description, parameters=parameters)


def _check_given(declaration: wire.FunctionDeclaration, taken: Taken, whose: str) -> None:
    """See that what the model is told to give is what the function takes."""
    schema: Any = declaration.parameters_json_schema
    if isinstance(declaration.parameters, wire.Schema):
        told = set(declaration.parameters.properties or ())
    elif isinstance(schema, Mapping):
        told = set(schema.get("properties", ()))
    else:
        told = set()
    known = {field.name for field in taken.fields}
    needed = {field.name for field in taken.fields if field.required}
    if (unknown := sorted(told - known)) and not taken.others:
        raise ConfigError(
            f"{whose}: the model is told of {unknown[0]}, which the function doesn't take."
        )
    if untold := sorted(needed - told):
        raise ConfigError(
            f"{whose}, parameter {untold[0]}: the function needs it, but the model isn't told of "
            f"it: put it into the schema, or give it a default."
        )


def _in_plain_words(name: str) -> str:
    words = " ".join(re.split(r"[_.:-]+", name)).strip()
    return f"{words[:1].upper()}{words[1:]}."
