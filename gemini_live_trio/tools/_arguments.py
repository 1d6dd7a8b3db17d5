"""From the arguments of a call to those of a function.

JSON is read into the declared types by a cattrs converter of the tool's own. Its hooks are ours,
for cattrs' own are generous where a model should be corrected (``int("3")``, ``list("abc")``,
``bool("false")``), and because the model is told everything that is wrong in one go.

A place with a default takes ``null`` as well: some models write that for what they leave out.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import attrs
import cattrs
import orjson

from ..codec._scalars import describe
from ..errors import ToolError
from ._bounds import bounds_of
from ._hints import (
    Choice,
    Field,
    Hints,
    aliased,
    alternatives,
    annotated,
    array_parts,
    choices,
    fixed_parts,
    is_model,
    is_object,
    renamed,
    table_part,
)
from ._results import Unwritable, to_json
from ._scalars import READ_FAILURES, SCALARS, JsonSchema
from ._schema import Schemas, takes_null
from ._words import in_words

__all__ = ["Arguments", "ArgumentsError"]

Reader: TypeAlias = Callable[[Any, Any], Any]
Step: TypeAlias = str | int
_Fault: TypeAlias = tuple[list[Step], str]

_MOST_FAULTS: Final = 10
_LONGEST_FAULT: Final = 200


class ArgumentsError(ToolError):
    """The model called a tool with arguments that it doesn't take.

    Attributes:
      faults: Everything that is wrong, as in ``days: expected an integer from 1 to 7, got the text
        "many"``; at most ten.
    """

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = faults
        super().__init__(f"The arguments don't fit: {'; '.join(faults)}")


class _Misfit(Exception):
    """Values that don't fit: where each is, from the inside out, and what is wrong with it.

    ``shallow`` where it isn't of the kind at all, so that nothing in it is worth telling.
    """

    def __init__(self, *faults: _Fault, shallow: bool = False) -> None:
        super().__init__(faults)
        self.faults = faults
        self.shallow = shallow

    def below(self, step: Step) -> _Misfit:
        """The same, seen from one level up."""
        for steps, _ in self.faults:
            steps.append(step)
        self.shallow = False
        return self


class Arguments:
    """Knows what a function takes.

    Args:
      fields: Its parameters.
      hints: Reads the annotations of classes.
      whose: The function, for errors.
      others: Whether it takes arguments of any other name too.

    Raises:
      ConfigError: a schema can't say what it takes.
    """

    def __init__(
        self, fields: Sequence[Field], hints: Hints, whose: str, *, others: bool = False
    ) -> None:
        self._fields = fields
        self._others = others
        self._hints = hints
        self._schemas = Schemas(hints, self._default)
        self._converter = self._fresh_converter()
        self.schema: JsonSchema = self._schemas.of_arguments(fields, whose)
        """What it takes, as JSON Schema."""
        hints.forget_names()

    def read(self, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
        """Read the arguments of a call; those that weren't given aren't in the result.

        Raises:
          ArgumentsError: they don't fit.
        """
        try:
            given = {} if arguments is None else arguments
            return self._read_fields(self._fields, given, others=self._others)
        except _Misfit as misfit:
            raise ArgumentsError(_told(misfit)) from None
        except RecursionError:
            raise ArgumentsError(["nested too deeply"]) from None

    def _read_fields(
        self, fields: Sequence[Field], given: Any, *, others: bool = False
    ) -> dict[str, Any]:
        if not isinstance(given, Mapping):
            raise _Misfit(([], f"expected an object, got {describe(given)}"), shallow=True)
        read: dict[str, Any] = {}
        faults: list[_Fault] = []
        for field in fields:
            value = given.get(field.name)
            if field.name not in given or (value is None and self._is_left_out(field)):
                if field.required:
                    faults.append(([field.name], "missing"))
                continue
            try:
                read[field.argument] = self._hook(field.hint)(value, field.hint)
            except _Misfit as misfit:
                faults += misfit.below(field.name).faults
        known = {field.name for field in fields}
        for name in given:
            if name in known:
                continue
            if others:
                read[name] = copy.deepcopy(given[name])
            else:
                faults.append(([name], f"unknown{_did_you_mean(name, known)}"))
        if faults:
            raise _Misfit(*faults)
        return read

    def _is_left_out(self, field: Field) -> bool:
        return not field.required and not takes_null(self._schemas.of(field.hint))

    def _default(self, field: Field) -> Mapping[str, Any]:
        """Show a default, if JSON has it and the parameter itself would take it."""
        if field.default is attrs.NOTHING:
            return {}
        try:
            value = to_json(field.default)
            self._hook(field.hint)(value, field.hint)
        except (Unwritable, _Misfit):
            return {}
        return {"default": value}

    # --- Readers ------------------------------------------------------------------------------

    def _fresh_converter(self) -> cattrs.Converter:
        converter = cattrs.Converter()
        for kind, scalar in SCALARS.items():
            if kind is not None:
                reader = self._scalar_reader(kind, scalar.read)
                converter.register_structure_hook(kind, reader)
        converter.register_structure_hook_func(lambda hint: hint is Any or hint is object, _copied)
        for parts_of, make in (
            (aliased, self._alias_reader),
            (renamed, self._alias_reader),
            (alternatives, self._union_reader),
            (array_parts, self._array_reader),
            (fixed_parts, self._fixed_reader),
            (table_part, self._table_reader),
        ):
            self._register(converter, parts_of, make)
        converter.register_structure_hook_factory(is_object, self._object_reader)
        converter.register_structure_hook_func(is_model, _read_model)
        return converter

    def _register(
        self,
        converter: cattrs.Converter,
        parts_of: Callable[[Any], Any],
        make: Callable[[Any, Any], Reader],
    ) -> None:
        """Let the converter make a reader of every hint that has such parts."""

        def factory(hint: Any) -> Reader:
            return make(hint, parts_of(hint))

        converter.register_structure_hook_factory(lambda hint: parts_of(hint) is not None, factory)

    def _hook(self, hint: Any) -> Reader:
        # What follows never reaches the converter: it asks for the class and its bases first, which
        # for a str enum are str's, and it can't remember an annotation that has no hash.
        if hint is None:
            hint = type(None)
        inside = annotated(hint)
        if inside is not None:
            return self._bounded_reader(hint, *inside)
        if (pairs := choices(hint)) is not None:
            return self._choice_reader(hint, pairs)
        return self._converter.get_structure_hook(hint)

    def _misfit(self, hint: Any, value: Any) -> _Misfit:
        expected = in_words(self._schemas.of(hint))
        found = f"{len(value)} of them" if isinstance(value, (list, tuple)) else describe(value)
        return _Misfit(([], f"expected {expected}, got {found}"), shallow=True)

    def _scalar_reader(self, hint: Any, read: Callable[[Any], object]) -> Reader:
        def reader(value: Any, _hint: Any) -> object:
            try:
                return read(value)
            except READ_FAILURES:
                raise self._misfit(hint, value) from None

        return reader

    def _bounded_reader(self, hint: Any, base: Any, metadata: Sequence[object]) -> Reader:
        read = self._hook(base)
        bounds = bounds_of(metadata)
        if bounds is None:
            return read

        def reader(value: Any, _hint: Any) -> Any:
            try:
                result = read(value, base)
            except _Misfit as misfit:
                # Better said with the bounds.
                raise (self._misfit(hint, value) if misfit.shallow else misfit) from None
            if not bounds.hold(value):
                raise self._misfit(hint, value)
            return result

        return reader

    def _choice_reader(self, hint: Any, pairs: Sequence[Choice]) -> Reader:
        def reader(value: Any, _hint: Any) -> object:
            for shown, meant in pairs:
                # True == 1 == 1.0, but JSON's true isn't its 1.
                if shown == value and isinstance(shown, bool) == isinstance(value, bool):
                    return meant
            raise self._misfit(hint, value)

        return reader

    def _alias_reader(self, _hint: Any, meant: Any) -> Reader:
        # Looked up when it is needed, since an alias may contain itself.
        return lambda value, _hint: self._hook(meant)(value, meant)

    def _union_reader(self, hint: Any, members: Sequence[Any]) -> Reader:
        """The first that fits, in the order in which they were written."""

        def reader(value: Any, _hint: Any) -> Any:
            near: list[_Misfit] = []
            for member in members:
                try:
                    return self._hook(member)(value, member)
                except _Misfit as misfit:
                    if not misfit.shallow:
                        near.append(misfit)
            raise min(near, key=lambda misfit: len(misfit.faults), default=None) or self._misfit(
                hint, value
            )

        return reader

    def _array_reader(self, hint: Any, parts: tuple[Callable[..., Any], Any]) -> Reader:
        make, item_hint = parts

        def reader(value: Any, _hint: Any) -> Any:
            if not isinstance(value, (list, tuple)):
                raise self._misfit(hint, value)
            read = self._hook(item_hint)
            items = _each((index, read, item_hint, item) for index, item in enumerate(value))
            try:
                return make(items)
            except TypeError:  # a set of what has no hash, which only Any lets through
                raise _Misfit(([], "has items that can't be in a set")) from None

        return reader

    def _fixed_reader(self, hint: Any, item_hints: Sequence[Any]) -> Reader:
        def reader(value: Any, _hint: Any) -> tuple[Any, ...]:
            if not isinstance(value, (list, tuple)) or len(value) != len(item_hints):
                raise self._misfit(hint, value)
            pairs = enumerate(zip(item_hints, value, strict=True))
            return tuple(_each((place, self._hook(one), one, item) for place, (one, item) in pairs))

        return reader

    def _table_reader(self, hint: Any, parts: tuple[Any]) -> Reader:
        (item_hint,) = parts

        def reader(value: Any, _hint: Any) -> dict[str, Any]:
            if not isinstance(value, Mapping):
                raise self._misfit(hint, value)
            read = self._hook(item_hint)
            items = _each((key, read, item_hint, item) for key, item in value.items())
            return dict(zip(value, items, strict=True))

        return reader

    def _object_reader(self, kind: Any) -> Reader:
        fields = self._hints.fields(kind)

        def reader(value: Any, _hint: Any) -> Any:
            read = self._read_fields(fields, value)
            try:
                return kind(**read)
            except (TypeError, ValueError, AssertionError) as error:
                # The class's own checks: attrs' validators put their words first.
                words = error.args[0] if error.args else "isn't allowed"
                raise _Misfit(([], str(words))) from error

        return reader


def _read_model(value: Any, model: Any) -> Any:
    """Have pydantic read what is its own, as the JSON that it came as."""
    try:
        return model.model_validate_json(orjson.dumps(value))
    except ValueError as error:  # pydantic's, and that the value is none for JSON
        told = getattr(error, "errors", None)
        if told is None:
            raise _Misfit(([], str(error))) from None
        faults = told(include_url=False, include_context=False, include_input=False)
        raise _Misfit(*[([*reversed(one["loc"])], str(one["msg"])) for one in faults]) from None


def _copied(value: Any, _hint: Any) -> Any:
    # The function may do with it as it likes; the call's arguments belong to others too.
    return copy.deepcopy(value)


def _each(items: Iterable[tuple[Step, Reader, Any, Any]]) -> list[Any]:
    """Read items, and raise what is wrong with all of them together."""
    results: list[Any] = []
    faults: list[_Fault] = []
    for step, read, hint, item in items:
        try:
            results.append(read(item, hint))
        except _Misfit as misfit:
            faults += misfit.below(step).faults
    if faults:
        raise _Misfit(*faults)
    return results


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _told(misfit: _Misfit) -> Sequence[str]:
    texts = [_shown(steps, what) for steps, what in misfit.faults[:_MOST_FAULTS]]
    more = len(misfit.faults) - len(texts)
    return [*texts, f"and {more} more"] if more else texts


def _shown(steps: Sequence[Step], what: str) -> str:
    path = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step:.40}" for step in reversed(steps)
    )
    text = f"{path.lstrip('.')}: {what}" if path else what
    return text if len(text) <= _LONGEST_FAULT else f"{text[: _LONGEST_FAULT - 1]}…"
