"""The program's subcommands, by their names. Without one it holds a conversation."""

from __future__ import annotations

import argparse
import difflib
import functools
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import trio

__all__ = ["SUBCOMMANDS", "nearest", "run_until_signal", "subcommand"]

T = TypeVar("T")
Runner = Callable[[Sequence[str], Mapping[str, str], str], int]


def _doctor(arguments: Sequence[str], environment: Mapping[str, str], program: str) -> int:
    from ._doctor import run_doctor

    return run_doctor(arguments, environment, program)


def _simulate(arguments: Sequence[str], _environment: Mapping[str, str], program: str) -> int:
    from ..simulator.__main__ import main

    return main(arguments, program=f"{program} simulate")


def _update(arguments: Sequence[str], environment: Mapping[str, str], program: str) -> int:
    from ._update import run_update

    parser = argparse.ArgumentParser(
        prog=f"{program} update",
        description="Installs the newest version, by the tool that installed this one: pip, pipx\n"
        "or uv. Looks whether it starts, and says what has changed.",
        epilog="exit status:\n"
        "  0 all is well   1 it failed, or --check found a newer version\n"
        "  2 it can't be updated from here",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--check", action="store_true", help="only say whether there is one")
    given = parser.parse_args(arguments)
    tell = functools.partial(print, flush=True)
    return run_until_signal(functools.partial(run_update, only_check=given.check, tell=tell))


def run_until_signal(function: Callable[[], Awaitable[T]]) -> T:
    """Run it with Trio until it ends or a signal asks it to: no child process is left behind.

    Raises:
      Terminated: The signal was SIGTERM or SIGHUP.
    """
    from ._program import _watch_signals

    async def watched() -> T:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch_signals)
            result = await function()
            nursery.cancel_scope.cancel()
        return result

    return trio.run(watched, restrict_keyboard_interrupt_to_checkpoints=True)


SUBCOMMANDS: Final[Mapping[str, Runner]] = {
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
