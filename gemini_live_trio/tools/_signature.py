"""What was decorated, and what it takes."""

from __future__ import annotations

import functools
import inspect
import re
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import attrs

from ..errors import ConfigError
from ._docstring import Docstring
from ._function import Binding, BoundTool
from ._hints import Field, Hints, alternatives, underlying
from ._tool import ToolContext

__all__ = ["Subject", "Taken", "parameters_of", "subject_of"]

_PARAMETER_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@attrs.frozen
class Subject:
    """A function, with all that may be around it taken off."""

    function: Callable[..., Any]
    """What is called."""
    source: Any
    """What has the annotations and the docstring."""
    name: str
    binds: Binding = "nothing"
    fixed: frozenset[str] = frozenset()
    """Parameters that a ``partial`` has given already."""


def subject_of(function: Any) -> Subject:
    """Find the function in what was decorated.

    Raises:
      ConfigError: there is none.
    """
    if isinstance(function, BoundTool):
        raise ConfigError(f"@tool {function.name}: it is a tool already.")
    if isinstance(function, (classmethod, staticmethod)):
        inside = subject_of(function.__func__)
        static = isinstance(function, staticmethod)
        return attrs.evolve(inside, binds="nothing" if static else "class")
    if isinstance(function, type) or not callable(function):
        what = f"the class {function.__qualname__}" if isinstance(function, type) else function
        raise ConfigError(f"@tool takes a function, not {what!s:.80}: decorate a function.")
    if isinstance(function, functools.partial):
        inside = subject_of(function.func)
        fixed = inside.fixed | function.keywords.keys()
        return attrs.evolve(inside, function=function, binds="nothing", fixed=fixed)
    if inspect.isroutine(function):
        binds: Binding = "instance" if _is_method(function) else "nothing"
        return Subject(function, function, function.__name__, binds)
    # An object that can be called.
    kind = type(function)
    return Subject(function, kind.__call__, getattr(function, "__name__", kind.__name__))


def _is_method(function: Any) -> bool:
    """Tell whether a function stands in the body of a class, and takes a ``self``."""
    around = getattr(function, "__qualname__", "").rpartition(".")[0]
    if not isinstance(function, types.FunctionType) or not around or around.endswith("<locals>"):
        return False
    first = next(iter(inspect.signature(function).parameters.values()), None)
    return (
        first is not None
        and first.kind in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD)
        and (first.name == "self" or first.annotation is first.empty)
    )


@attrs.frozen
class Taken:
    """What a function takes."""

    signature: inspect.Signature
    fields: Sequence[Field]
    contexts: Sequence[str]
    others: bool


def parameters_of(
    subject: Subject, hints: Hints, doc: Docstring, whose: str, *, given: bool
) -> Taken:
    """Read a signature.

    Args:
      subject: Whose.
      hints: Reads its annotations.
      doc: Describes its parameters.
      whose: The function, for errors.
      given: Whether the model is told something else than the hints say.

    Raises:
      ConfigError: a parameter can't be given by a model.
    """
    try:
        parameters = list(inspect.signature(subject.function).parameters.values())
    except ValueError as error:
        raise ConfigError(f"{whose}: it has no signature to read: wrap it in a def.") from error
    if subject.binds != "nothing":
        del parameters[:1]
    annotations = hints.of_function(subject.source, whose)
    kept, fields, contexts, others = [], [], [], False
    for parameter in parameters:
        place = f"{whose}, parameter {parameter.name}"
        if parameter.kind is parameter.VAR_KEYWORD and given:
            others = True
            continue
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise ConfigError(
                f"{place}: * and ** have no names that a model could be told: "
                f"{_instead_of(parameters)}."
            )
        kept.append(parameter)
        hint = annotations.get(parameter.name, Any if given else parameter.empty)
        if parameter.name in subject.fixed:
            continue
        if _is_context(hint):
            contexts.append(parameter.name)
            continue
        if hint is parameter.empty:
            raise ConfigError(f"{place}: it has no type: annotate it, as in {parameter.name}: str.")
        if not _PARAMETER_NAME.fullmatch(parameter.name):
            raise ConfigError(
                f"{place}: the service takes only ASCII letters, digits and _ in a name, 64 at "
                f"most: rename it."
            )
        missing = parameter.default is parameter.empty
        fields.append(
            Field(
                name=parameter.name,
                argument=parameter.name,
                hint=hint,
                default=attrs.NOTHING if missing else parameter.default,
                required=missing,
                description=doc.parameters.get(parameter.name, ""),
            )
        )
    return Taken(inspect.Signature(kept), fields, contexts, others)


def _instead_of(parameters: Iterable[inspect.Parameter]) -> str:
    """What to write instead of * or **."""
    kinds = {parameter.kind for parameter in parameters}
    if {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD} <= kinds:
        return "write them out; in a decorator, functools.wraps shows those of the function"
    return f"take a {'list' if inspect.Parameter.VAR_POSITIONAL in kinds else 'dict[str, ...]'}"


def _is_context(hint: Any) -> bool:
    members = alternatives(underlying(hint)) or [hint]
    return any(underlying(member) is ToolContext for member in members)
