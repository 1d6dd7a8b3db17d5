"""A conversation with a person at the keyboard.

Lines are taken in their order, one after the other; recordings are spoken beside them. Neither the
keyboard nor the session waits for the other: what leaves, silences the model or only looks doesn't
wait for the lines before it. Each command belongs to a part of the client, see ``_console.Part``.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from .. import Fate, LiveSession, Receipt, SessionConfig, wire
from ..errors import (
    ConfigError,
    ConnectError,
    GeminiLiveError,
    InternalError,
    MediaError,
    MissingDependency,
    SessionBroken,
    SetupError,
)
from ..events import Event
from ._basics import Basics
from ._changing import Changing
from ._commands import Mistake, Run, Suggestion, urgent
from ._console import Action, Console, Part
from ._desktop import desktop_groups
from ._front import Front
from ._keeper import CLOSE_SECONDS, Keeper, Opener, Plan
from ._kinds import FileKind, look_at
from ._options import Options
from ._render import Narrator
from ._saving import Saving
from ._saying import Say, understand
from ._sending import check_file, send_parts
from ._settings import Settings, Staged, shortened
from ._sharing import Sharing
from ._sound import Sound
from ._speaking import Recorder
from ._toolbox import Item, Toolbox, ToolSwitches

__all__ = ["Client"]

STATUS_SECONDS = 1.0
LIVELY_SECONDS = 0.1
"""Between two looks at how things stand; the second where something moves all the time."""
MOST_LINES = 1_000
"""So many may wait for those before them; then no more are taken."""
LONG_COMMAND = 10_000
"""Letters from which on to split it into words takes a while."""
MOST_UNSAID = 10
"""So many of them are told at the end."""
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
        self._recorder: Recorder | None = recorder
        self._opener = opener
        self._where = where
        self._narrator = Narrator(front, verbose=options.verbose)
        self._leaving = trio.Event()
        self._doing: trio.CancelScope | None = None
        """What the person has asked for last, while it isn't done."""
        self._silenced = SILENT
        """The generation that the person wanted to hear no more of."""
        self._to_do, self._due = trio.open_memory_channel[str](MOST_LINES)
        self._one_voice = trio.Lock()
        self._speaking: set[trio.CancelScope] = set()
        """The lines that are being said beside the others."""
        self._unsent: deque[str | Path] = deque()
        """What was said and found no session, or one that ended before it got there."""
        self._changed = trio.Event()
        """Something happened that the status may tell of."""
        self._parts: Sequence[Part] = ()
        self._actions: Mapping[str, Action] = {}
        self._keeper: Keeper
        self._wishes: trio.Nursery
        """For what the person wants; all of it is given up when they leave."""

    async def run(self) -> None:
        """Talk until the person wants to leave.

        Raises:
          GeminiLiveError: There never was a session.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._assemble(nursery)
                self._front.offer(self._choices)
                async with trio.open_nursery() as self._wishes:
                    for task in (
                        self._keeper.run,
                        self._begin,
                        self._listen,
                        self._take_lines,
                        self._take_interruptions,
                        self._watch_door,
                        self._show_status,
                    ):
                        self._wishes.start_soon(task)
                    await self._leaving.wait()
                    # Before the session ends: one of them may be waiting for it.
                    self._wishes.cancel_scope.cancel()
                with trio.move_on_after(CLOSE_SECONDS):
                    await self._keeper.sleep()
                nursery.cancel_scope.cancel()
            self._tell_unsaid()
        finally:
            self._narrator.finish()
            with trio.move_on_after(1) as scope:
                scope.shield = True
                await self._front.flush()

    def _assemble(self, nursery: trio.Nursery) -> None:
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
                thinking=_level_of(self._config),
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

    async def _listen(self) -> None:
        while True:
            line = await self._front.typed()
            command = urgent(line)
            if command is not None:
                self._narrator.said(line)
                with self._telling():
                    await self._actions[command.action](command.values)
                self._changed.set()
                await self._front.flush()
            elif line.strip():
                await self._to_do.send(line)

    async def _take_lines(self) -> None:
        async for line in self._due:
            with trio.CancelScope() as self._doing, self._telling():
                self._changed.set()
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
            self._changed.set()

    async def _watch_door(self) -> None:
        await self._front.left()
        self._leaving.set()

    async def _show_status(self) -> None:
        while True:
            self._changed = trio.Event()
            words = [word for part in self._parts for word in part.status()]
            self._front.status(f" {' | '.join(words)}")
            begun = [*self._speaking, *([self._doing] if self._doing else [])]
            self._front.speaking = (
                any(not scope.cancel_called for scope in begun) or self._is_speaking()
            )
            lively = any(part.lively() for part in self._parts)
            with trio.move_on_after(LIVELY_SECONDS if lively else STATUS_SECONDS):
                await self._changed.wait()

    # --- What is typed -----------------------------------------------------------------------

    async def _do(self, line: str) -> None:
        match await self._understand(line):
            case Say(parts=parts):
                kinds = await self._look_at(line, parts)
                for part in parts:
                    self._narrator.said(part)
                if kinds <= {FileKind.PICTURE} and not await self._owes_recording():
                    await self._say(parts)
                else:
                    # A recording takes its time, and typing goes on meanwhile.
                    self._wishes.start_soon(self._say_beside, parts)
            case Run(action=action, values=values):
                self._narrator.said(line)
                await self._actions[action](values)
            case Mistake(text=text):
                self._narrator.said(line)
                self._narrator.error(text)

    async def _look_at(self, line: str, parts: Sequence[str | Path]) -> set[FileKind]:
        """Find out what files there are: better now than after half of the line was said."""
        try:
            return {await check_file(part) for part in parts if isinstance(part, Path)}
        except (MediaError, MissingDependency) as error:
            self._narrator.said(line)
            raise MediaError(f"{error} Nothing of this line was sent.") from error

    async def _owes_recording(self) -> bool:
        for part in tuple(self._unsent):
            if isinstance(part, Path):
                with suppress(MediaError):  # it is told when its turn comes
                    if (await look_at(part)).kind is not FileKind.PICTURE:
                        return True
        return False

    async def _understand(self, line: str) -> Say | Run | Mistake:
        is_long = line.startswith("/") and len(line) > LONG_COMMAND
        if "@" not in line and not is_long:
            return understand(line)
        # @ may begin a file's name, and the disk where it is may be slow.
        return await trio.to_thread.run_sync(understand, line, abandon_on_cancel=True)

    async def _say(self, parts: Sequence[str | Path]) -> None:
        left = deque([*self._unsent, *parts])
        self._unsent.clear()
        part: str | Path | None = None
        try:
            while left:
                part = left[0]
                await self._say_part(part, left)
        except GeminiLiveError as error:
            nobody = isinstance(error, ConnectError | SetupError | SessionBroken)
            if not nobody and left and left[0] is part:
                left.popleft()  # a file that is there no longer, or what the model doesn't take
            self._keep(left, new=len(parts))
            raise
        except BaseException:
            # Given up is what was said now, and by who leaves not even that; what was to be said
            # before it still is.
            given_up = 0 if self._leaving.is_set() else len(parts)
            self._keep([*left][: max(0, len(left) - given_up)])
            raise

    async def _say_part(self, part: str | Path, left: deque[str | Path]) -> None:
        """Say the first of what is left, and take it out: a recording once it begins.

        Where something turns out to come before it, that is put there instead.
        """
        is_recording = isinstance(part, Path) and (await look_at(part)).kind is not FileKind.PICTURE

        async def say(session: LiveSession) -> bool:
            dropped = [*self._unsent]
            if dropped and all(isinstance(one, str) for one in dropped):
                # The session before this one never said them, and they come before this part.
                left.extendleft(reversed(dropped))
                self._unsent.clear()
                return False
            if is_recording:
                # Half of it may have been heard soon, and mustn't be heard twice.
                left.popleft()
            await send_parts(
                session,
                [part],
                fast=self._options.fast,
                warn=self._narrator.note,
                tell=self._narrator.note,
                sent=self._follow,
            )
            return True

        self._silenced = SILENT  # what is answered now was asked for
        said = await self._keeper.use(say, again=not is_recording)
        if said and not is_recording:
            left.popleft()

    async def _say_beside(self, parts: Sequence[str | Path]) -> None:
        with trio.CancelScope() as scope, self._telling():
            self._speaking.add(scope)
            begun = False
            try:
                async with self._one_voice:
                    begun = True
                    await self._say(parts)
            finally:
                self._speaking.remove(scope)
                if not begun and self._leaving.is_set():
                    self._keep(parts)
        if scope.cancelled_caught:
            self._narrator.note("Given up.")
            await self._end_speech()
        self._changed.set()
        await self._front.flush()

    async def _end_speech(self) -> None:
        """Say that the microphone pauses, as ``speak`` couldn't."""
        if self._keeper.session is not None:
            with self._telling():
                await self._keeper.session.send_audio_stream_end()

    def _follow(self, text: str, receipt: Receipt) -> None:
        """Hear what becomes of words that were sent."""
        receipt.when_final(functools.partial(self._tell_fate, text, receipt))

    def _tell_fate(self, text: str, receipt: Receipt) -> None:
        if receipt.state is Fate.DROPPED:
            self._keep([text], new=1)
        elif self._leaving.is_set():
            return
        elif receipt.state is Fate.UNKNOWN and receipt.reason:
            self._narrator.note(
                f"Nobody knows whether the service has this: {shortened(text)} ({receipt.reason})"
            )

    def _keep(self, parts: Collection[str | Path], *, new: int = 0) -> None:
        """Have parts said before the next input, behind what waits; tell of those that are new.

        Args:
          parts: In their order.
          new: How many of the last ones the person doesn't know of.
        """
        known = len(parts) - new
        for number, part in enumerate(parts):
            if len(self._unsent) >= MOST_LINES:
                self._narrator.error(f"{MOST_LINES:,} lines wait already; not kept: {_named(part)}")
                continue
            self._unsent.append(part)
            if number >= known and not self._leaving.is_set():
                self._narrator.note(f"This will be said before the next input: {_named(part)}")

    def _tell_unsaid(self) -> None:
        """Tell at the end what the model never got."""
        waiting: list[str] = []
        with suppress(trio.WouldBlock):
            while True:
                waiting.append(self._due.receive_nowait())
        lines = [line for line in waiting if line.startswith("//") or not line.startswith("/")]
        unsaid = [_named(part) for part in (*self._unsent, *lines)]
        for what in unsaid[:MOST_UNSAID]:
            self._narrator.note(f"This was not said any more: {what}")
        if (more := len(unsaid) - MOST_UNSAID) > 0:
            self._narrator.note(f"Nor were {more:,} lines after those.")

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
            self._narrator.error("The session was closed before all of that was sent.")

    # --- The model's speech ------------------------------------------------------------------

    def _interrupt(self) -> bool:
        """Silence the model and stop recordings; tell whether there was anything of either."""
        was_any = self._is_speaking() or bool(self._speaking)
        for part in self._parts:
            part.silence()
        for scope in self._speaking:
            scope.cancel()
        session = self._keeper.session
        if session is not None:
            self._silenced = session.turn_state.generation
            self._wishes.start_soon(self._ask_for_silence, session)
        return was_any

    async def _ask_for_silence(self, session: LiveSession) -> None:
        with self._telling():
            await session.interrupt()

    def _is_speaking(self) -> bool:
        session = self._keeper.session
        if session is None:
            return False
        state = session.turn_state
        busy = not state.idle or any(part.is_busy() for part in self._parts)
        return busy and state.generation != self._silenced

    # --- What comes ----------------------------------------------------------------------------

    async def _hear(self, event: Event) -> None:
        await self._record(event)
        self._narrator.tell(event)
        for part in self._parts:
            await part.hear(event)
        self._changed.set()
        await self._front.flush()

    async def _record(self, event: Event) -> None:
        if self._recorder is None:
            return
        try:
            await self._recorder.take(event)
        except (ConfigError, MediaError) as error:
            # A full disk, for one, and that ends no conversation.
            self._recorder = None
            self._narrator.error(f"{error} Nothing more of the model's voice is kept there.")

    async def _tell(self, text: str) -> None:
        self._narrator.finish()
        self._narrator.note(text)
        self._changed.set()
        await self._front.flush()

    def _choices(self, blank: str) -> Sequence[Suggestion]:
        return [choice for part in self._parts for choice in part.choices().get(blank, ())]


def _named(part: str | Path) -> str:
    return shortened(part) if isinstance(part, str) else f"[{part}]"


def _level_of(config: SessionConfig) -> str | None:
    level = config.thinking and config.thinking.thinking_level
    return level.lower() if level else None


def _text_of(instruction: str | wire.Content | None) -> str | None:
    if instruction is None or isinstance(instruction, str):
        return instruction
    return "".join(part.text or "" for part in instruction.parts)
