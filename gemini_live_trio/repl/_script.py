"""A conversation without a person: say something, wait for the answer, say the next thing."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

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
from ._options import Options
from ._plain import PlainScreen
from ._render import Narrator, as_json, turn_is_over
from ._speaking import Recorder, speak

__all__ = ["run_script", "turns_of"]

PATIENCE = 60.0
"""Seconds without a word from the service while an answer is due."""
PATIENCE_AFTER_RECONNECT = 15.0
"""The same, once the connection broke in the middle: the answer may be lost."""
PATIENCE_ANSWERED = 3.0
"""The same, after a recording whose speech was answered before its end was reached."""
PATIENCE_TRANSCRIBED = 3.0
"""The same, where the model only writes down what it hears, and never says that it is done."""
PATIENCE_FOR_USAGE = 0.5
"""The same, after the turn, where somebody wants to know what it cost."""


async def turns_of(options: Options) -> AsyncGenerator[str | Path, None]:
    """Give what is to be said: from the command line, else a line of standard input at a time."""
    if options.turns:
        for turn in options.turns:
            yield turn
        return
    if sys.stdin is None:
        raise ConfigError("Standard input is closed; say something with --text or --audio.")
    said = False
    async for line in LineReader(sys.stdin.fileno()):
        if line.strip():
            said = True
            yield line
    if not said:
        raise ConfigError(
            "Standard input ended without a line to say; write one, or use --text or --audio."
        )


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
        self._transcribes = "transcribe" in options.config.model
        self._answer = _Answer(transcribes=self._transcribes)

    async def listen(self) -> None:
        """Show every event, also while nothing is due."""
        async for event in self._session:
            await self._recorder.take(event)
            if self._options.json:
                self._screen.raw(as_json(event))
            else:
                self._narrator.tell(event)
            await self._screen.flush()
            self._answer.seen(event)

    async def take_turn(self, turn: str | Path) -> None:
        """Say something, and wait until it is answered."""
        if not self._options.json:
            self._narrator.said(turn)
            await self._screen.flush()
        answer = self._answer = _Answer(transcribes=self._transcribes)
        if isinstance(turn, Path):
            await speak(self._session, turn, fast=self._options.fast, warn=self._narrator.note)
        else:
            await self._session.send_text(turn)
        answer.all_was_said()
        with answer.patience:
            await answer.over.wait()
        if answer.transcribed:
            self._narrator.finish()
        elif answer.patience.cancelled_caught and not answer.given:
            raise ConversationFailed(answer.complaint)
        if self._options.json or self._options.verbose:
            # The tokens of a turn are counted after its end.
            with trio.move_on_after(PATIENCE_FOR_USAGE):
                await answer.counted.wait()


class _Answer:
    """What is known of the answer that is due.

    Args:
      transcribes: Whether the model answers by writing down what was said, and by nothing else.
    """

    def __init__(self, *, transcribes: bool) -> None:
        self.patience = trio.CancelScope()
        self.over = trio.Event()
        self.counted = trio.Event()
        self.given = False
        """There was an answer, and nothing after it."""
        self.transcribed = False
        """Speech was written down, by a model that does no more than that."""
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
            return f"The model went silent for {PATIENCE:g} s in the middle of its answer."
        return (
            f"The model did not answer within {PATIENCE:g} s; "
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
        seconds = PATIENCE
        if self.given:
            seconds = PATIENCE_ANSWERED
        elif self.transcribed:
            seconds = PATIENCE_TRANSCRIBED
        elif self._reconnected:
            seconds = PATIENCE_AFTER_RECONNECT
        self.patience.deadline = trio.current_time() + seconds
