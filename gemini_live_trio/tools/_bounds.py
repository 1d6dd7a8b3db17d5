"""Bounds of values, as annotations give them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from ..errors import ConfigError
from ._hints import Unsayable

__all__ = ["Bounds", "bounds_of"]

_NUMBERS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_KEYWORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "integer": _NUMBERS,
    "number": _NUMBERS,
    "string": {"min_length": "minLength", "max_length": "maxLength", "pattern": "pattern"},
    "array": {"min_length": "minItems", "max_length": "maxItems"},
    "object": {"min_length": "minProperties", "max_length": "maxProperties"},
}
_NAMES: Final = (*_NUMBERS, "min_length", "max_length", "pattern")


@attrs.frozen(kw_only=True)
class Bounds:
    """What a parameter's value must keep to, as in ``Annotated[int, Bounds(ge=1, le=7)]``.

    The objects of the ``annotated_types`` package (``Ge(1)``, ``Interval(gt=0)``, ``MaxLen(10)``)
    say the same, as does anything that has these attributes.

    Raises:
      ConfigError: a bound is none, or together they leave nothing.
    """

    ge: float | None = None
    """The least number."""
    gt: float | None = None
    """The number is greater than this."""
    le: float | None = None
    """The greatest number."""
    lt: float | None = None
    """The number is less than this."""
    multiple_of: float | None = None
    """The number is a multiple of this."""
    min_length: int | None = None
    """The least number of characters, items or keys."""
    max_length: int | None = None
    """The greatest number of characters, items or keys."""
    pattern: str | None = None
    """A regular expression that is found somewhere in the text."""

    def __attrs_post_init__(self) -> None:
        for name, bound in self._given():
            _check(name, bound)
        least = max((bound for bound in (self.ge, self.gt) if bound is not None), default=-math.inf)
        most = min((bound for bound in (self.le, self.lt) if bound is not None), default=math.inf)
        without_ends = least == self.gt or most == self.lt
        longest = math.inf if self.max_length is None else self.max_length
        if least > most or (least == most and without_ends) or (self.min_length or 0) > longest:
            raise ConfigError(f"No value keeps to {dict(self._given())}: mend these bounds.")

    def _given(self) -> Iterator[tuple[str, Any]]:
        return ((name, bound) for name in _NAMES if (bound := getattr(self, name)) is not None)

    def within(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Write the bounds into the schema of what they are for, or of what may be that.

        Raises:
          Unsayable: the schema has no values that one of them could be for.
        """
        left = dict(self._given())
        written = dict(schema)
        members = [dict(member) for member in schema.get("anyOf", ())]
        for target in members or [written]:
            for name, keyword in _keywords(target).items():
                if (bound := getattr(self, name)) is not None:
                    target[keyword] = bound
                    left.pop(name, None)
        if members:
            written["anyOf"] = members
        for name, bound in left.items():
            raise Unsayable(
                f"the bound {name}={bound!r} isn't for values of this type",
                "leave it out, or check it in the function.",
            )
        return written

    def hold(self, value: Any) -> bool:
        """Tell whether a JSON value keeps to those bounds that are for its kind."""
        if isinstance(value, bool):
            return True
        if isinstance(value, (int, float)):
            return (
                (self.ge is None or value >= self.ge)
                and (self.gt is None or value > self.gt)
                and (self.le is None or value <= self.le)
                and (self.lt is None or value < self.lt)
                and (self.multiple_of is None or _is_multiple(value, self.multiple_of))
            )
        if isinstance(value, (str, list, tuple, Mapping)):
            longest = math.inf if self.max_length is None else self.max_length
            return (self.min_length or 0) <= len(value) <= longest and (
                self.pattern is None
                or not isinstance(value, str)
                or re.search(self.pattern, value) is not None
            )
        return True


def _check(name: str, bound: Any) -> None:
    if name == "pattern":
        try:
            re.compile(bound)
        except (re.error, TypeError) as error:
            raise ConfigError(f"pattern={bound!r} is no regular expression: {error}.") from None
    elif isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
        raise ConfigError(f"{name}={bound!r} is no bound: use a finite int or float.")
    elif name.endswith("_length") and (bound < 0 or not isinstance(bound, int)):
        raise ConfigError(f"{name}={bound!r} is no length: use a whole number from 0.")
    elif name == "multiple_of" and bound <= 0:
        raise ConfigError(f"multiple_of={bound!r} is no step: use a number above 0.")


def _keywords(schema: Mapping[str, Any]) -> Mapping[str, str]:
    # Text that stands for something else, such as a date, has no length worth bounding.
    if "format" in schema or "contentEncoding" in schema:
        return {}
    return _KEYWORDS.get(schema.get("type", ""), {})


def _is_multiple(value: float, step: float) -> bool:
    if isinstance(value, int) and isinstance(step, int):
        return value % step == 0
    # 0.3 is a multiple of 0.1 to everybody but floats.
    times = value / step
    return math.isclose(times, round(times), rel_tol=1e-9)


def bounds_of(metadata: Iterable[object]) -> Bounds | None:
    """Gather the bounds among what an annotation holds; what has none of the names is ignored.

    Raises:
      ConfigError: one is given twice, or is none.
    """
    found: dict[str, Any] = {}
    for item in metadata:
        for name in () if isinstance(item, str) else _NAMES:
            bound = getattr(item, name, None)
            if bound is not None and found.setdefault(name, bound) != bound:
                raise ConfigError(f"{name} is given twice: {found[name]!r} and {bound!r}.")
    return Bounds(**found) if found else None
