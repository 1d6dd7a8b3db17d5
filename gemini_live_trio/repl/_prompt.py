"""The prompt: prompt-toolkit beside Trio.

prompt-toolkit needs an asyncio loop, so it gets one, in a thread of its own. That thread is the
only one that touches the terminal, and keys are echoed even while Trio is busy. The two sides leave
each other notes: lines that were typed go to Trio with ``run_sync_soon``, rows to be shown and the
wish to stop come from there with ``call_soon_threadsafe``.

Finished rows are printed above the prompt. The row that still grows is part of the prompt's own
message, since text that doesn't end in a newline would be overwritten by the next redrawing.

The thread is waited for, always: it restores the terminal before the nursery closes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session, in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from ._commands import COMMANDS, PRESS_AGAIN
from ._render import Kind
from ._rows import Row, Rows

__all__ = ["Prompt", "open_prompt"]

STYLE: Final = Style.from_dict(
    {
        "you": "ansicyan bold",
        "heard": "ansicyan",
        "model": "ansigreen bold",
        "thought": "ansibrightblack",
        "note": "ansiyellow",
        "error": "ansired bold",
    }
)


class Prompt:
    """The terminal, while it shows a prompt; ``open_prompt`` makes it. Also a ``Screen``."""

    def __init__(
        self, token: trio.lowlevel.TrioToken, source: Input | None, sink: Output | None
    ) -> None:
        self._token = token
        self._source = source
        self._sink = sink
        # Shared by both sides; each step is one that the interpreter makes whole.
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._to_show: deque[Row] = deque()
        self._growing: Row | None = None
        self._status = ""
        # Trio's side.
        self._typed: deque[str | None] = deque()
        self._was_typed = trio.Event()
        self._started = trio.Event()
        self._rows = Rows(self._columns, get_cwidth)
        # The prompt's side.
        self._session: PromptSession[str]
        self._shown: Row | None = None
        self._wake: asyncio.Event
        self._main: asyncio.Task[None]
        self._about_to_leave = False

    # --- Trio's side -----------------------------------------------------------------------

    async def typed(self) -> str | None:
        """Wait for a line, ``None`` where the user wants to leave."""
        while not self._typed:
            self._was_typed = trio.Event()
            await self._was_typed.wait()
        await trio.lowlevel.checkpoint()
        return self._typed.popleft()

    def add(self, kind: Kind, text: str) -> None:
        """See ``Screen``."""
        self._show(self._rows.add(kind, text))

    def end(self) -> None:
        """See ``Screen``."""
        self._show(self._rows.end())

    def line(self, kind: Kind, text: str) -> None:
        """See ``Screen``."""
        self._show(self._rows.line(kind, text))

    async def flush(self) -> None:
        """Nothing waits here: the thread shows what it was given."""
        await trio.lowlevel.checkpoint()

    def status(self, text: str) -> None:
        """Put a text in the bar at the bottom."""
        self._status = text
        self._show(())

    def _show(self, rows: Sequence[Row]) -> None:
        self._to_show.extend(rows)
        self._growing = self._rows.growing
        self._call_soon(self._wake.set)

    def _columns(self) -> int:
        return self._session.output.get_size().columns

    async def _run(self) -> None:
        await trio.to_thread.run_sync(self._thread)

    def _stop(self) -> None:
        self._stopping = True
        if self._loop is not None:
            self._call_soon(self._main.cancel)

    def _call_soon(self, function: Any) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # that loop has ended
            self._loop.call_soon_threadsafe(function)

    # --- The prompt's side -------------------------------------------------------------------

    def _thread(self) -> None:
        with (
            create_app_session(input=self._source, output=self._sink),
            # Catches what anybody else may print: warnings, for one.
            patch_stdout(raw=True),
            contextlib.suppress(asyncio.CancelledError),
        ):
            asyncio.run(self._prompt_main())

    async def _prompt_main(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._main = task
        self._wake = asyncio.Event()
        self._session = PromptSession(
            message=self._message,
            bottom_toolbar=lambda: self._status,
            completer=_Completions(),
            complete_while_typing=False,
            reserve_space_for_menu=4,
            key_bindings=self._keys(),
            style=STYLE,
            erase_when_done=True,
        )
        self._session.default_buffer.on_text_changed += self._stay
        self._loop = asyncio.get_running_loop()
        self._token.run_sync_soon(self._started.set)
        painter = asyncio.create_task(self._paint_loop())
        try:
            if not self._stopping:
                await self._prompt_loop()
        finally:
            painter.cancel()
            await asyncio.wait([painter])
            self._print_all()

    async def _prompt_loop(self) -> None:
        while True:
            try:
                line = await self._session.prompt_async(handle_sigint=False)
            except EOFError:
                self._tell(None)
                await asyncio.Event().wait()
            else:
                self._about_to_leave = False
                self._tell(line)

    async def _paint_loop(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._to_show:
                async with in_terminal():
                    self._print_all()
            else:
                self._shown = self._growing
                self._session.app.invalidate()

    def _print_all(self) -> None:
        while self._to_show:
            fragments = [*_fragments(self._to_show.popleft()), ("", "\n")]
            print_formatted_text(
                self._session.output,
                fragments,
                STYLE,
                color_depth=self._session.output.get_default_color_depth(),
            )
        self._shown = self._growing

    def _message(self) -> StyleAndTextTuples:
        shown = self._shown
        growing = [] if shown is None else [*_fragments(shown), ("", "\n")]
        return [*growing, ("class:you", Kind.YOU.mark)]

    def _tell(self, line: str | None) -> None:
        self._token.run_sync_soon(self._take, line)

    def _take(self, line: str | None) -> None:
        self._typed.append(line)
        self._was_typed.set()

    def _stay(self, _buffer: object) -> None:
        self._about_to_leave = False

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            if self._about_to_leave:
                self._tell(None)
                return
            event.current_buffer.reset()
            self._about_to_leave = True
            self._to_show.append(Row(Kind.NOTE, Kind.NOTE.mark, PRESS_AGAIN))
            self._wake.set()

        return keys


def _fragments(row: Row) -> StyleAndTextTuples:
    return [(f"class:{row.kind.value}", row.mark), ("", row.text)]


class _Completions(Completer):
    """Commands after ``/``, files after ``@``."""

    def __init__(self) -> None:
        self._paths = PathCompleter(expanduser=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Give what may follow."""
        text = document.text_before_cursor
        if text.startswith("/") and " " not in text:
            for command in COMMANDS:
                if command.name.startswith(text):
                    yield Completion(command.name, -len(text), display_meta=command.summary)
            return
        word = text.rpartition(" ")[2]
        if word.startswith("@"):
            path = Document(word[1:], len(word) - 1)
            yield from self._paths.get_completions(path, complete_event)


@asynccontextmanager
async def open_prompt(
    *, source: Input | None = None, sink: Output | None = None
) -> AsyncIterator[Prompt]:
    """Show a prompt for the length of the block.

    Args:
      source: Where keys come from; the terminal by default.
      sink: What is drawn on; the terminal by default.
    """
    prompt = Prompt(trio.lowlevel.current_trio_token(), source, sink)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(prompt._run)
        try:
            await prompt._started.wait()
            yield prompt
        finally:
            prompt._stop()
