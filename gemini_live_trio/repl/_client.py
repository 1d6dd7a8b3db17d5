"""A conversation with a person at the keyboard.

Lines are taken in their order, one after the other; recordings are spoken beside them. Neither the
keyboard nor the session waits for the other: leaving and silencing the model come by ways of their
own. Each command belongs to a part of the client, see ``_console.Part``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import trio

from .. import LiveSession, SessionConfig, wire
from ..errors import GeminiLiveError, InternalError
from ..events import Event
from ._basics import Basics
from ._changing import Changing
from ._commands import Mistake, Run, Suggestion
from ._console import Action, Console, Part
from ._desktop import desktop_groups
from ._front import Front
from ._keeper import Keeper, Opener, Plan
from ._options import Options
from ._render import Narrator
from ._saving import Saving
from ._saying import Say, understand
from ._sending import check_file, send_parts
from ._settings import Settings, Staged
from ._sharing import Sharing
from ._sound import Sound
from ._speaking import Recorder
from ._toolbox import Item, Toolbox, ToolSwitches

__all__ = ["Client"]

STATUS_SECONDS = 1.0
LIVELY_SECONDS = 0.1
"""Between two looks at how things stand; the second where something moves all the time."""
ENDING_SECONDS = 2.0
"""For a polite end of the session."""
SILENT = -1


class Client:
    """The terminal program, once there is a terminal.

    Args:
      options: What was asked for at the start.
      config: Of the first session.
      front: The terminal.
      recorder: Where the model's voice goes.
      opener: Opens sessions.
      where: Whom we talk to, for the person.
    """

    def __init__(
        self,
        options: Options,
        config: SessionConfig,
        front: Front,
        recorder: Recorder,
        opener: Opener,
        *,
        where: str,
    ) -> None:
        self._options = options
        self._config = config
        self._front = front
        self._recorder = recorder
        self._opener = opener
        self._where = where
        self._narrator = Narrator(front, verbose=options.verbose)
        self._leaving = trio.Event()
        self._doing: trio.CancelScope | None = None
        """What the person has asked for last, while it isn't done."""
        self._silenced = SILENT
        """The generation that the person wanted to hear no more of."""
        self._one_voice = trio.Lock()
        self._changed = trio.Event()
        """Something happened that the status may tell of."""
        self._parts: Sequence[Part] = ()
        self._actions: Mapping[str, Action] = {}
        self._nursery: trio.Nursery
        self._keeper: Keeper

    async def run(self) -> None:
        """Talk until the person wants to leave.

        Raises:
          GeminiLiveError: There never was a session.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._assemble(nursery)
                self._front.offer(self._choices)
                for task in (
                    self._keeper.run,
                    self._begin,
                    self._take_lines,
                    self._take_interruptions,
                    self._watch_door,
                    self._show_status,
                ):
                    nursery.start_soon(task)
                await self._leaving.wait()
                with trio.move_on_after(ENDING_SECONDS):
                    await self._keeper.sleep()
                nursery.cancel_scope.cancel()
        finally:
            self._narrator.finish()
            with trio.move_on_after(1) as scope:
                scope.shield = True
                await self._front.flush()

    def _assemble(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        # The parts come last, but tools that work with them are declared before.
        desktop = desktop_groups(lambda: sound, lambda: sharing, self._front)
        groups = [
            # Titles of windows may be nobody else's affair.
            Item(name, summary, tools, default=name != "desktop-screen-share")
            for name, (summary, tools) in desktop.items()
        ]
        self._toolbox = Toolbox(self._options, self._front.ask, groups)
        staged = Staged(
            Settings(
                model=self._config.model,
                voice=self._config.voice,
                system=_text_of(self._config.system_instruction),
                tools=self._toolbox.at_first(self._config),
            )
        )
        parts: list[Part] = []
        self._keeper = Keeper(
            nursery,
            self._plan(staged.active),
            self._opener,
            hear=self._hear,
            tell=self._tell,
            sleep_after=self._options.sleep_after,
            holds_awake=lambda: any(part.holds_awake() for part in self._parts),
        )
        console = Console(self._front, self._narrator, nursery, self._keeper, staged, self._options)
        sound, sharing, saving = Sound(console), Sharing(console), Saving(console)
        self._keeper.observers.append(saving)
        parts += [
            Basics(
                console,
                where=self._where,
                parts=parts,
                quit_now=self._leaving.set,
                interrupt=self._interrupt,
            ),
            Changing(console, self._plan),
            ToolSwitches(console, self._toolbox),
            sound,
            sharing,
            saving,
        ]
        self._parts = parts
        self._actions = {name: do for part in parts for name, do in part.actions().items()}

    def _plan(self, settings: Settings) -> Plan:
        return self._toolbox.plan(settings.applied(self._config), settings.tools)

    # --- Tasks -----------------------------------------------------------------------------

    async def _begin(self) -> None:
        self._narrator.note(f"Connecting to {self._where}; /help shows what can be typed.")
        await self._front.flush()
        await self._keeper.awake()
        self._changed.set()
        self._narrator.note(f"Connected to {self._where}.")
        await self._front.flush()

    async def _take_lines(self) -> None:
        while True:
            line = await self._front.typed()
            if not line.strip():
                continue
            with trio.CancelScope() as self._doing, self._telling():
                await self._do(line)
            if self._doing.cancelled_caught:
                self._narrator.note("Given up.")
            self._doing = None
            self._changed.set()
            await self._front.flush()

    async def _take_interruptions(self) -> None:
        while True:
            await self._front.interrupted()
            if self._doing is not None:
                self._doing.cancel()
            else:
                self._interrupt()

    async def _watch_door(self) -> None:
        await self._front.left()
        self._leaving.set()

    async def _show_status(self) -> None:
        while True:
            self._changed = trio.Event()
            words = [word for part in self._parts for word in part.status()]
            self._front.status(f" {' | '.join(words)}")
            self._front.speaking = self._doing is not None or self._is_speaking()
            lively = any(part.lively() for part in self._parts)
            with trio.move_on_after(LIVELY_SECONDS if lively else STATUS_SECONDS):
                await self._changed.wait()

    # --- What is typed -----------------------------------------------------------------------

    async def _do(self, line: str) -> None:
        match understand(line):
            case Say(parts=parts):
                for part in parts:
                    self._narrator.said(part)
                if any(isinstance(part, Path) for part in parts):
                    # A recording takes its time, and typing goes on meanwhile.
                    self._nursery.start_soon(self._say_beside, parts)
                else:
                    await self._say(parts)
            case Run(action=action, values=values):
                self._narrator.said(line)
                await self._actions[action](values)
            case Mistake(text=text):
                self._narrator.said(line)
                self._narrator.error(text)

    async def _say(self, parts: Sequence[str | Path]) -> None:
        for part in parts:
            if isinstance(part, Path):
                # Better known now than after half of the line was said.
                await check_file(part)
        for part in parts:
            await self._keeper.use(functools.partial(self._say_part, part))

    async def _say_part(self, part: str | Path, session: LiveSession) -> None:
        async with nullcontext() if isinstance(part, str) else self._one_voice:
            await send_parts(
                session,
                [part],
                fast=self._options.fast,
                warn=self._narrator.note,
                tell=self._narrator.note,
            )

    async def _say_beside(self, parts: Sequence[str | Path]) -> None:
        with self._telling():
            await self._say(parts)
        await self._front.flush()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """What goes wrong within is told to the person, and nothing else ends."""
        try:
            yield
        except InternalError:
            raise
        except GeminiLiveError as error:
            self._narrator.error(str(error))
        except trio.ClosedResourceError:
            self._narrator.error("The session was closed before that was sent.")

    # --- The model's speech ------------------------------------------------------------------

    def _interrupt(self) -> None:
        for part in self._parts:
            part.silence()
        session = self._keeper.session
        if session is not None:
            self._silenced = session.turn_state.generation
            self._nursery.start_soon(self._ask_for_silence, session)

    async def _ask_for_silence(self, session: LiveSession) -> None:
        with self._telling():
            await session.interrupt()

    def _is_speaking(self) -> bool:
        session = self._keeper.session
        if session is None:
            return False
        state = session.turn_state
        heard = not state.idle or state.played_out is False
        return heard and state.generation != self._silenced

    # --- What comes ----------------------------------------------------------------------------

    async def _hear(self, event: Event) -> None:
        await self._recorder.take(event)
        self._narrator.tell(event)
        for part in self._parts:
            await part.hear(event)
        self._changed.set()
        await self._front.flush()

    async def _tell(self, text: str) -> None:
        self._narrator.finish()
        self._narrator.note(text)
        self._changed.set()
        await self._front.flush()

    def _choices(self, blank: str) -> Sequence[Suggestion]:
        return [choice for part in self._parts for choice in part.choices().get(blank, ())]


def _text_of(instruction: str | wire.Content | None) -> str | None:
    if instruction is None or isinstance(instruction, str):
        return instruction
    return "".join(part.text or "" for part in instruction.parts)
