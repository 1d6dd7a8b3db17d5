"""The colours that tell lines apart; their marks do so where there are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from ._render import Kind

__all__ = ["COLOURS", "Colour"]


@attrs.frozen
class Colour:
    """One of the sixteen that every terminal has, in the person's own shades."""

    code: str
    """As a terminal is told (ECMA-48, SGR)."""
    name: str
    """As prompt-toolkit is told."""


COLOURS: Final[Mapping[Kind, Colour]] = {
    Kind.YOU: Colour("1;36", "ansicyan bold"),
    Kind.HEARD: Colour("36", "ansicyan"),
    Kind.MODEL: Colour("1;32", "ansigreen bold"),
    Kind.THOUGHT: Colour("90", "ansibrightblack"),
    Kind.TOOL: Colour("35", "ansimagenta"),
    Kind.NOTE: Colour("33", "ansiyellow"),
    Kind.ERROR: Colour("1;31", "ansired bold"),
}
