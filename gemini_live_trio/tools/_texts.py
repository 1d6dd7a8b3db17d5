"""Texts by name, such as an environment and headers: they may be secrets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError

__all__ = ["texts"]


def texts(option: str, given: Any) -> Mapping[str, str]:
    """See that names and values are texts, before something far away trips over them.

    Raises:
      ConfigError: they aren't. The text has no value in it.
    """
    if not isinstance(given, Mapping):
        raise ConfigError(f"{option} takes a dict of texts, not a {type(given).__name__}.")
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str):
            shown = name if isinstance(name, str) else "a name"
            kind = type(value if isinstance(name, str) else name).__name__
            raise ConfigError(f"{option} takes a dict of texts, and {shown} is of type {kind}.")
    return dict(given)
