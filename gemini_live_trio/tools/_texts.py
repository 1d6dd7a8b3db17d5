"""Texts by name, such as an environment and headers: they may be secrets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..errors import ConfigError

__all__ = ["is_word", "texts", "variables"]


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


def variables(given: Any) -> Mapping[str, str]:
    """See that an environment is one that a process can have.

    Raises:
      ConfigError: it isn't. The text has no value in it.
    """
    env = texts("env", given)
    for name, value in env.items():
        if not name or "=" in name or not is_word(name):
            raise ConfigError(f"env has a variable {name!r:.80}; no process can have that.")
        if not is_word(value):
            raise ConfigError(f"env: the value of {name} has a NUL, or half of a surrogate pair.")
    return env


def is_word(text: str) -> bool:
    """Tell whether a process can be given a text, as an argument or in a variable."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False
