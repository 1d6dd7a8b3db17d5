"""Reading a command and the words after it, and doing it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from typing import Any, Final

import attrs
import trio

from .._actions import ConnectionActions, ServiceActions
from ._commands import COMMANDS, Command
from ._parameters import Parameter

__all__ = ["CommandError", "Order", "command_in", "nearest", "read_order"]

_COMMAND: Final = re.compile(r"\s*!([A-Za-z][\w-]*.*)", re.DOTALL)
_BY_NAME: Final = {command.name: command for command in COMMANDS}
_HELP: Final = "help"


class CommandError(ValueError):
    """A command that can't be done, in one sentence that says why."""


def nearest(name: str, names: Iterable[str]) -> str:
    """A question that names what somebody may have meant; empty where nothing is near."""
    near = difflib.get_close_matches(name.lower(), list(names), n=1)
    return f" Did you mean {near[0]}?" if near else ""


@attrs.frozen
class Order:
    """A command with the values it was given.

    Attributes:
      line: As it was written, without the mark.
      command: Which; ``None`` asks for help.
      values: One for each parameter.
      answer: What to say to whoever gave it.
    """

    line: str
    command: Command | None
    values: tuple[Any, ...]
    answer: str

    async def obey(self, connection: ConnectionActions, service: ServiceActions) -> None:
        """Do it.

        Raises:
          ValueError: it can't be done so.
          trio.BrokenResourceError: the connection is over.
        """
        await trio.lowlevel.checkpoint()
        if self.command is None:
            return
        target = connection if self.command.on == "connection" else service
        outcome = self.command.act(target, *self.values)
        if outcome is not None:
            await outcome


def command_in(text: str) -> str | None:
    """The command in a user's line; ``None`` where it is none. ``"!!"`` and ``"! "`` aren't."""
    match = _COMMAND.fullmatch(text)
    return match[1].strip() if match else None


def read_order(line: str) -> Order:
    """Read a command and the words after it.

    Raises:
      CommandError: there is no such command, or a word doesn't fit.
    """
    name, _, rest = line.strip().partition(" ")
    name = name.lower()
    if name == _HELP:
        return Order(line, None, (), _help_on(rest.strip()))
    command = _BY_NAME.get(name)
    if command is None:
        near = nearest(name, (*_BY_NAME, _HELP))
        raise CommandError(f"There is no command {name!r}.{near or ' help lists them all.'}")
    values = []
    for parameter in command.parameters:
        rest = rest.strip()
        word, rest = (rest, "") if parameter.rest else _split(rest)
        values.append(_value_of(command, parameter, word))
    if rest.strip():
        raise CommandError(f"{name} takes no {rest.strip()!r}. Usage: {command.usage}.")
    return Order(line, command, tuple(values), f"Done: {line.strip()}.")


def _split(text: str) -> tuple[str, str]:
    word, _, rest = text.partition(" ")
    return word, rest


def _value_of(command: Command, parameter: Parameter, word: str) -> Any:
    if not word:
        if parameter.required:
            raise CommandError(
                f"{command.name} wants {parameter.name}: {parameter.kind}. Usage: {command.usage}."
            )
        return parameter.default
    try:
        return parameter.read(word)
    except ValueError:
        raise CommandError(
            f"{command.name}: {parameter.name} is {parameter.kind}, not {word!r}. "
            f"Usage: {command.usage}."
        ) from None


def _help_on(name: str) -> str:
    if not name:
        return f"Commands: {', '.join(_BY_NAME)}. help and a name tells more."
    command = _BY_NAME.get(name.removeprefix("!").lower())
    if command is None:
        raise CommandError(f"There is no command {name!r}.{nearest(name, _BY_NAME)}")
    return f"{command.usage}: {command.help}."
