"""Which of the package's extras are installed, by the package's own metadata."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import metadata
from typing import Final

__all__ = ["installed_extras"]

_REQUIREMENT: Final = re.compile(r"([\w.-]+).*\bextra *== *['\"]([\w-]+)['\"]")
_FOR_SOME: Final = ("sys_platform", "platform_system", "python_version")


def installed_extras(distribution: metadata.Distribution) -> tuple[Sequence[str], Sequence[str]]:
    """Return the extras of which every distribution is there, and those that lack one.

    What an extra needs on some systems or Pythons only decides nothing, nor does an extra that is
    made up of others.
    """
    needed: dict[str, list[str]] = {}
    for requirement in distribution.requires or ():
        found = _REQUIREMENT.match(requirement)
        if found and _plain(found[1]) != _plain(distribution.name):
            parts = needed.setdefault(found[2], [])
            if not any(marker in requirement for marker in _FOR_SOME):
                parts.append(found[1])
    there = [extra for extra, parts in needed.items() if parts and all(map(_is_there, parts))]
    missing = [extra for extra, parts in needed.items() if parts and extra not in there]
    return there, missing


def _plain(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


def _is_there(name: str) -> bool:
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return False
    return True
