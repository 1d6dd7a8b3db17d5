"""The program's subcommands, by their names. Without one it holds a conversation."""

from __future__ import annotations

import difflib
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

__all__ = ["SUBCOMMANDS", "nearest", "subcommand"]

Runner = Callable[[Sequence[str], Mapping[str, str], str], int]


def _doctor(arguments: Sequence[str], environment: Mapping[str, str], program: str) -> int:
    from ._doctor import run_doctor

    return run_doctor(arguments, environment, program)


def _simulate(arguments: Sequence[str], _environment: Mapping[str, str], program: str) -> int:
    from ..simulator.__main__ import main

    return main(arguments, program=f"{program} simulate")


def _update(arguments: Sequence[str], environment: Mapping[str, str], program: str) -> int:
    from ._parsing import Parser
    from ._signals import run_until_signal
    from ._update import run_update

    parser = Parser(
        prog=f"{program} update",
        description="Installs the newest version, by the tool that installed this one: pip, pipx\n"
        "or uv. Looks whether it starts, and says what has changed.",
        epilog="exit status:\n"
        "  0 all is well   1 it failed, or --check found a newer version\n"
        "  2 it can't be updated from here",
    )
    parser.add_argument("--check", action="store_true", help="only say whether there is one")
    given = parser.understand(arguments)
    tell = functools.partial(print, flush=True)
    return run_until_signal(functools.partial(run_update, only_check=given.check, tell=tell))


def _config(arguments: Sequence[str], environment: Mapping[str, str], program: str) -> int:
    from ._config import run_config

    return run_config(arguments, environment, program)


SUBCOMMANDS: Final[Mapping[str, Runner]] = {
    "config": _config,
    "doctor": _doctor,
    "simulate": _simulate,
    "update": _update,
}


def subcommand(arguments: Sequence[str] | None) -> tuple[Runner | None, Sequence[str]]:
    """Split the command line into a subcommand, if it begins with one, and its arguments."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in SUBCOMMANDS:
        return SUBCOMMANDS[arguments[0]], arguments[1:]
    return None, arguments


def nearest(word: str) -> str:
    """Say which subcommand may have been meant by a word that is none."""
    near = difflib.get_close_matches(word, SUBCOMMANDS, 1)
    return f"did you mean {near[0]}?" if near else f"the commands are {', '.join(SUBCOMMANDS)}"
