"""A conversation with a person at the keyboard."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Protocol

import trio

from .. import LiveSession
from ..errors import LocalProtocolError, MediaError, MissingDependency
from ..events import Event, Reconnected, Reconnecting
from ._commands import Mistake, Run, Say, help_lines, understand
from ._lines import open_line_front
from ._options import Options
from ._render import Kind, Narrator, Screen
from ._speaking import Recorder, speak

__all__ = ["Front", "converse", "open_front"]

NO_PROMPT: Final = 'For a prompt that stays below the answers: pip install "gemini-live-trio[repl]"'


class Front(Screen, Protocol):
    """What stands between a person and a conversation."""

    async def typed(self) -> str | None:
        """Wait for a line, ``None`` where the user wants to leave."""
        ...

    async def flush(self) -> None:
        """Make sure that everything is shown."""

    def status(self, text: str) -> None:
        """Show the state of things, where there is a place for it."""


@asynccontextmanager
async def open_front() -> AsyncIterator[Front]:
    """Open the best front that this terminal and this installation allow."""
    if os.environ.get("TERM", "dumb") == "dumb":
        async with open_line_front() as lines:
            yield lines
        return
    try:
        from ._prompt import open_prompt
    except ImportError:
        async with open_line_front() as lines:
            lines.line(Kind.NOTE, NO_PROMPT)
            yield lines
        return
    async with open_prompt() as prompt:
        yield prompt


async def converse(
    session: LiveSession, options: Options, front: Front, recorder: Recorder, *, where: str
) -> None:
    """Talk until the person wants to leave, or the session breaks.

    Args:
      session: The conversation.
      options: What was asked for on the command line.
      front: The terminal.
      recorder: Where the voice goes.
      where: Whom we talk to, for the person.
    """
    dialogue = _Dialogue(session, options, front, recorder, where)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dialogue.listen)
            await dialogue.take_lines(nursery)
            nursery.cancel_scope.cancel()
    finally:
        dialogue.narrator.finish()
        with trio.move_on_after(1) as scope:
            scope.shield = True
            await front.flush()


class _Dialogue:
    def __init__(
        self,
        session: LiveSession,
        options: Options,
        front: Front,
        recorder: Recorder,
        where: str,
    ) -> None:
        self.narrator = Narrator(front, verbose=options.verbose)
        self._session = session
        self._options = options
        self._front = front
        self._recorder = recorder
        self._where = where
        self._one_voice = trio.Lock()

    async def listen(self) -> None:
        async for event in self._session:
            await self._recorder.take(event)
            self.narrator.tell(event)
            self._note_state(event)
            await self._front.flush()

    async def take_lines(self, nursery: trio.Nursery) -> None:
        self._status("connected")
        self.narrator.note(f"Connected to {self._where}. /help shows what can be typed.")
        while True:
            await self._front.flush()
            line = await self._front.typed()
            if line is None:
                return
            if not line.strip():
                continue
            match understand(line):
                case Say(parts=parts):
                    for part in parts:
                        self.narrator.said(part)
                    if any(isinstance(part, Path) for part in parts):
                        # A recording takes its time, and typing goes on meanwhile.
                        nursery.start_soon(self._say, parts)
                    else:
                        await self._say(parts)
                case Run(command=command):
                    if command.name == "/quit":
                        return
                    for row in help_lines():
                        self.narrator.note(row)
                case Mistake(text=text):
                    self.narrator.error(text)

    async def _say(self, parts: Sequence[str | Path]) -> None:
        try:
            for part in parts:
                if isinstance(part, str):
                    await self._session.send_text(part)
                    continue
                async with self._one_voice:
                    await speak(
                        self._session, part, fast=self._options.fast, warn=self.narrator.note
                    )
        except (MediaError, MissingDependency, LocalProtocolError) as error:
            self.narrator.error(str(error))
            await self._front.flush()

    def _note_state(self, event: Event) -> None:
        match event:
            case Reconnecting():
                self._status("reconnecting")
            case Reconnected():
                self._status("connected")

    def _status(self, state: str) -> None:
        model = self._options.config.model.removeprefix("models/")
        self._front.status(f" {state} | {model} | {self._where} | /help")
