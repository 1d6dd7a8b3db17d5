"""What the model may do here: a catalogue of tools, each of which can be switched on and off.

Off by default is what sends something of this machine to the service, or costs; commands are asked
for one by one.
"""

from __future__ import annotations

import difflib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path

import attrs
import trio

from .. import SessionConfig, wire
from ..errors import ConfigError, ToolError
from ..tools import Tool, ToolContext
from ..tools.builtin import BuiltinTool, CodeExecution, GoogleMaps, GoogleSearch, UrlContext
from ..tools.ready import Command, Commands, Workspace, current_time, set_timer
from ._commands import Suggestion
from ._console import Action, Console, Part
from ._keeper import Plan
from ._layers import COMMAND_LINE
from ._options import Options
from ._schema import TOOL

__all__ = ["Item", "ToolSwitches", "Toolbox"]


class Brake:
    """Stops what the model has begun here, where the person wants that."""

    def __init__(self) -> None:
        self._scopes: set[trio.CancelScope] = set()

    @property
    def busy(self) -> bool:
        """Whether there is something to stop."""
        return bool(self._scopes)

    def pull(self) -> None:
        """Stop it all; the model is told so."""
        for scope in self._scopes:
            scope.cancel()

    def on(self, tool: Tool) -> Tool:
        """Return a tool that can be stopped."""

        def handler(args: Mapping[str, wire.JsonValue], context: ToolContext) -> Awaitable[object]:
            made = tool.handler(args, context)  # wrong arguments are refused here
            assert isinstance(made, Awaitable)
            return self._stoppable(made)

        return attrs.evolve(tool, handler=handler)

    async def _stoppable(self, made: Awaitable[object]) -> object:
        with trio.CancelScope() as scope:
            self._scopes.add(scope)
            try:
                return await made
            finally:
                self._scopes.remove(scope)
        raise ToolError("The person stopped this.")


@attrs.frozen
class Item:
    """One thing in the catalogue."""

    name: str
    summary: str
    tools: Sequence[Tool] = ()
    """Those that are run here."""
    builtin: BuiltinTool | None = None
    """One that the service runs by itself."""
    default: bool = False


class Toolbox:
    """The catalogue.

    Args:
      options: Where its folder is, and what is switched otherwise than by default.
      ask: Asks the person before a command runs.
      more: Further items.

    Raises:
      ConfigError: There is no such folder, or a tool is named that there isn't.
    """

    def __init__(
        self,
        options: Options,
        ask: Callable[[str], Awaitable[bool]],
        more: Iterable[Item] = (),
    ) -> None:
        folder = options.workspace or Path.cwd()
        workspace = Workspace(folder)

        async def consents(command: Command) -> bool:
            where = "" if command.cwd == workspace.path else f" in {command.cwd}"
            return await ask(f"The model wants to run{where}: {command}  Allow it? [y/N]")

        self.brake = Brake()
        run_command = self.brake.on(Commands(folder, consent=consents).run_command)
        items = [
            Item("clock", "date and time, anywhere", [current_time], default=True),
            Item("timer", "timers up to a day", [set_timer], default=True),
            Item("list-files", f"see what is in {workspace.path}", [workspace.list_files]),
            Item("read-file", f"read text files in {workspace.path}", [workspace.read_file]),
            Item("run-command", "run programs; you are asked each time", [run_command]),
            Item("google-search", "search the web; run by the service", builtin=GoogleSearch()),
            Item("google-maps", "ask Google Maps; run by the service", builtin=GoogleMaps()),
            Item("url-context", "read web pages; run by the service", builtin=UrlContext()),
            Item("code-execution", "run Python; at the service", builtin=CodeExecution()),
            *more,
        ]
        self.items: Mapping[str, Item] = {item.name: item for item in items}
        self._wanted = {self._find_wanted(name, options): on for name, on in options.tools.items()}

    def find(self, name: str) -> str:
        """Return an item's name as it is written here.

        Raises:
          ConfigError: There is none.
        """
        plain = name.lower().replace("_", "-")
        if plain in self.items:
            return plain
        by_function = {
            tool.name.replace("_", "-"): item.name
            for item in self.items.values()
            for tool in item.tools
        }
        if plain in by_function:
            return by_function[plain]
        near = difflib.get_close_matches(plain, [*self.items, *by_function], 1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.items)}."
        raise ConfigError(f"There is no tool {name!r}; {hint}")

    def _find_wanted(self, name: str, options: Options) -> str:
        try:
            return self.find(name)
        except ConfigError as error:
            key = f"{TOOL}{name}"
            if options.profile is None or options.sources.get(key) == COMMAND_LINE:
                raise
            raise ConfigError(
                f"{error} The profile {options.profile} names it; to take it out: "
                f"gemini-live-trio config unset --profile {options.profile} {key}"
            ) from None

    def at_first(self, config: SessionConfig) -> frozenset[str]:
        """What is on when a conversation begins: what was asked for, and what suits the model."""
        on = {
            name
            for name, item in self.items.items()
            if item.default and self._suits(config, item) and self._wanted.get(name, True)
        }
        return frozenset(on | {name for name, wanted in self._wanted.items() if wanted})

    def plan(self, config: SessionConfig, names: Iterable[str]) -> Plan:
        """Make what a session is opened with."""
        names = frozenset(names)
        chosen = [item for name, item in self.items.items() if name in names]
        # What nobody asked for must not keep anybody from a model that won't have it.
        left_out = [
            item.name
            for item in chosen
            if item.default and not self._wanted.get(item.name) and not self._suits(config, item)
        ]
        items = [item for item in chosen if item.name not in left_out]
        builtin = [item.builtin for item in items if item.builtin is not None]
        tools: dict[str, Tool] = {tool.name: tool for item in items for tool in item.tools}
        config = attrs.evolve(config, tools=[*config.tools, *builtin])
        return Plan(config=config, tools=[*tools.values()], left_out=left_out)

    @staticmethod
    def _suits(config: SessionConfig, item: Item) -> bool:
        """Tell whether the model is known to refuse an item, or to be held up by it."""
        capability = config.capabilities.capability_of(config.model, config.endpoint.backend)
        if any(tool.blocking is False for tool in item.tools) and (
            "non_blocking" not in capability.tool_behaviors
        ):
            return False
        declared = wire.Tool(function_declarations=[tool.declaration for tool in item.tools])
        with_it = attrs.evolve(config, tools=[*config.tools, item.builtin or declared])
        before = {str(finding) for finding in config.findings()}
        return not any(
            finding.blocks and str(finding) not in before for finding in with_it.findings()
        )


class ToolSwitches(Part):
    """``/tools``: what is on, and what waits to be.

    Args:
      console: The terminal and the conversation.
      toolbox: The catalogue.
    """

    def __init__(self, console: Console, toolbox: Toolbox) -> None:
        self._console = console
        self._staged = console.staged
        self._toolbox = toolbox

    def actions(self) -> Mapping[str, Action]:
        """See ``Part``."""
        return {
            "/tools": self._show,
            "/tools list": self._list,
            "/tools enable": self._enable,
            "/tools disable": self._disable,
            "/tools toggle": self._toggle,
        }

    def choices(self) -> Mapping[str, Sequence[Suggestion]]:
        """See ``Part``."""
        return {"TOOL": [(item.name, item.summary) for item in self._toolbox.items.values()]}

    def details(self) -> Sequence[tuple[str, str]]:
        """See ``Part``."""
        rows = [("tools", self._in_force())]
        session = self._console.keeper.session
        if session is not None and (calls := session.statistics().tools):
            counts = [
                f"{count} {name}"
                for name, count in attrs.asdict(calls).items()
                if count and name != "calls"
            ]
            if counts:
                rows.append(("tool calls", ", ".join(counts)))
        return rows

    def is_busy(self) -> bool:
        """See ``Part``."""
        return self._toolbox.brake.busy

    def silence(self) -> None:
        """See ``Part``."""
        self._toolbox.brake.pull()

    async def _show(self, _values: Mapping[str, str]) -> None:
        note = self._console.narrator.note
        active, waiting = self._staged.active.tools, self._staged.waiting.tools
        note(f"In force: {self._in_force()}")
        if left_out := self._console.keeper.plan.left_out:
            note(f"Left out, as this model won't have it: {', '.join(left_out)}")
        if waiting != active:
            note(f"Waiting for /apply: {', '.join(sorted(waiting)) or 'none'}")

    def _in_force(self) -> str:
        left_out = self._console.keeper.plan.left_out
        return ", ".join(sorted(self._staged.active.tools.difference(left_out))) or "none"

    async def _list(self, _values: Mapping[str, str]) -> None:
        width = max(map(len, self._toolbox.items))
        for item in self._toolbox.items.values():
            note = f"{item.name:<{width}}  {self._state(item.name):<8}  {item.summary}"
            self._console.narrator.note(note)

    def _state(self, name: str) -> str:
        on, wanted = (name in some.tools for some in (self._staged.active, self._staged.waiting))
        if on == wanted:
            if name in self._console.keeper.plan.left_out:
                return "left out"
            return "on" if on else "off"
        return "on soon" if wanted else "off soon"

    async def _enable(self, values: Mapping[str, str]) -> None:
        self._switch(values["TOOL"], lambda _on: True)

    async def _disable(self, values: Mapping[str, str]) -> None:
        self._switch(values["TOOL"], lambda _on: False)

    async def _toggle(self, values: Mapping[str, str]) -> None:
        self._switch(values["TOOL"], lambda on: not on)

    def _switch(self, name: str, to: Callable[[bool], bool]) -> None:
        name = self._toolbox.find(name)
        others = self._staged.waiting.tools - {name}
        on = to(name in self._staged.waiting.tools)
        self._staged.stage(tools=others | {name} if on else others)
        self._console.narrator.note(self._staged.told())
