"""A conversation without a person: say something, wait for the answer, say the next thing."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TextIO, TypeAlias

import trio

from .. import LiveSession
from ..errors import ConfigError
from ..events import (
    Event,
    InputTranscription,
    ModelAudio,
    ModelText,
    OutputTranscription,
    Reconnected,
    Stalled,
    Usage,
)
from ._descriptors import LineReader
from ._errors import ConversationFailed
from ._json import as_json
from ._kinds import FileKind, look_at
from ._options import Options
from ._patience import AFTER_RECONNECT, ANSWERED, FOR_USAGE, SILENT, TRANSCRIBED, ends_no_turns
from ._piping import speak_input
from ._plain import PlainScreen
from ._render import Narrator, turn_is_over
from ._script_options import StandardInput
from ._sending import Part, check_file, check_listener, send_parts
from ._speaking import Recorder

__all__ = ["check_script", "run_script", "turns_of"]

Turn: TypeAlias = Sequence[Part | StandardInput]
"""Pictures, then the text or the sound that is answered."""


async def check_script(options: Options) -> None:
    """Find out what would go wrong in the middle of a conversation.

    Raises:
      ConfigError: There is nothing to answer, or the model won't.
      MediaError: A file can't be sent.
      MissingDependency: An extra isn't installed.
    """
    model = options.config.model
    if not options.turns:
        check_listener(model, "lines of text")
    kind = None
    for part in options.turns:
        if isinstance(part, str):
            check_listener(model, "text")
        elif isinstance(part, Path):
            kind = await check_file(part, raw_rate_hz=options.audio_rate)
            if kind is FileKind.PICTURE:
                check_listener(model, "pictures")
        elif _input().isatty():
            raise ConfigError(
                "--audio - takes sound from a pipe, and standard input is a terminal."
            )
    if options.turns and isinstance(options.turns[-1], Path) and kind is FileKind.PICTURE:
        raise ConfigError(
            f"Nothing is said after the picture {options.turns[-1]}, so nothing would answer; put "
            "--text after it."
        )


async def turns_of(options: Options) -> AsyncGenerator[Turn, None]:
    """Give what is to be said: from the command line, else a line of standard input at a time."""
    if options.turns:
        async with aclosing(_grouped(options.turns)) as turns:
            async for turn in turns:
                yield turn
        return
    said = False
    async for line in LineReader(_input().fileno()):
        if line.strip():
            said = True
            yield [line]
    if not said:
        raise ConfigError(
            "Standard input ended without a line to say; write one, or use --text or --audio."
        )


async def _grouped(parts: Turn) -> AsyncGenerator[Turn, None]:
    """Put pictures and what is said after them together."""
    turn: list[Part | StandardInput] = []
    for part in parts:
        turn.append(part)
        if isinstance(part, Path) and (await look_at(part)).kind is FileKind.PICTURE:
            continue
        yield turn
        turn = []


def _input() -> TextIO:
    if sys.stdin is None:
        raise ConfigError("Standard input is closed; say something with --text or --audio.")
    return sys.stdin


async def run_script(
    session: LiveSession, options: Options, screen: PlainScreen, recorder: Recorder
) -> None:
    """Hold the conversation.

    Raises:
      ConversationFailed: An answer never came.
      ConfigError: There is nothing to say.
      MediaError: A recording can't be used.
    """
    narrator = Narrator(screen, verbose=options.verbose)
    script = _Script(session, options, screen, narrator, recorder)
    try:
        async with trio.open_nursery() as nursery, aclosing(turns_of(options)) as turns:
            nursery.start_soon(script.listen)
            async for turn in turns:
                await script.take_turn(turn)
            nursery.cancel_scope.cancel()
    finally:
        # What was said so far is shown in whole lines, however this ends.
        narrator.finish()
        with trio.move_on_after(1) as scope:
            scope.shield = True
            await screen.flush()


class _Script:
    def __init__(
        self,
        session: LiveSession,
        options: Options,
        screen: PlainScreen,
        narrator: Narrator,
        recorder: Recorder,
    ) -> None:
        self._session = session
        self._options = options
        self._screen = screen
        self._narrator = narrator
        self._recorder = recorder
        self._transcribes = ends_no_turns(options.config.model)
        self._answer = _Answer(transcribes=self._transcribes)

    async def listen(self) -> None:
        """Show every event, also while nothing is due."""
        async for event in self._session:
            await self._recorder.take(event)
            if self._options.json:
                self._screen.raw(as_json(event, media=self._options.json_media))
            else:
                self._narrator.tell(event)
            await self._screen.flush()
            self._answer.seen(event)

    async def take_turn(self, turn: Turn) -> None:
        """Say something, and wait until it is answered."""
        narrator, options = self._narrator, self._options
        if not options.json:
            for part in turn:
                if not isinstance(part, StandardInput):
                    narrator.said(part)
            await self._screen.flush()
        answer = self._answer = _Answer(transcribes=self._transcribes)
        for part in turn:
            if isinstance(part, StandardInput):
                await speak_input(
                    self._session,
                    _input().fileno(),
                    rate_hz=options.audio_rate,
                    fast=options.fast,
                    warn=narrator.note,
                )
            else:
                await send_parts(
                    self._session,
                    [part],
                    fast=options.fast,
                    warn=narrator.note,
                    tell=narrator.note if options.verbose else None,
                    raw_rate_hz=options.audio_rate,
                )
        answer.all_was_said()
        with answer.patience:
            await answer.over.wait()
        if answer.transcribed:
            self._narrator.finish()
        elif answer.patience.cancelled_caught and not answer.given:
            raise ConversationFailed(answer.complaint)
        if self._options.json or self._options.verbose:
            # The tokens of a turn are counted after its end.
            with trio.move_on_after(FOR_USAGE):
                await answer.counted.wait()


class _Answer:
    """What is known of the answer that is due.

    Args:
      transcribes: Whether the model follows what it hears, and never says that it is done.
    """

    def __init__(self, *, transcribes: bool) -> None:
        self.patience = trio.CancelScope()
        self.over = trio.Event()
        self.counted = trio.Event()
        self.given = False
        """There was an answer, and nothing after it."""
        self.transcribed = False
        """Speech was followed, by a model that does no more than that."""
        self._transcribes = transcribes
        self._all_said = False
        self._begun = False
        self._reconnected = False

    @property
    def complaint(self) -> str:
        """Why it is given up."""
        if self._reconnected:
            return (
                "The connection broke in the middle, and the model did not take its answer up "
                "again; say it once more."
            )
        if self._begun:
            return f"The model went silent for {SILENT:g} s in the middle of its answer."
        return (
            f"The model did not answer within {SILENT:g} s; "
            "if it was to hear a recording, there may be no speech in it."
        )

    def all_was_said(self) -> None:
        """From now on the answer is due; until then, the model may answer too."""
        self._all_said = True
        self._renew()

    def seen(self, event: Event) -> None:
        """Learn from an event."""
        match event:
            case Stalled():
                return  # the silence goes on
            case Reconnected():
                self._reconnected = True
            case ModelText() | ModelAudio() | OutputTranscription() | InputTranscription():
                self._begun = True
                self._reconnected = self.given = False
                self.transcribed = self._transcribes
            case Usage():
                self.counted.set()
        if turn_is_over(event):
            self.given = True
            if self._all_said:
                self.over.set()
        self._renew()

    def _renew(self) -> None:
        if not self._all_said:
            return
        seconds = SILENT
        if self.given:
            seconds = ANSWERED
        elif self.transcribed:
            seconds = TRANSCRIBED
        elif self._reconnected:
            seconds = AFTER_RECONNECT
        self.patience.deadline = trio.current_time() + seconds
