"""The prompt: prompt-toolkit beside Trio.

prompt-toolkit needs an asyncio loop, so it gets one, in a thread of its own. That thread is the
only one that touches the terminal, and keys are echoed even while Trio is busy. The two sides leave
each other notes: lines that were typed go to Trio with ``run_sync_soon``, rows to be shown and the
wish to stop come from there with ``call_soon_threadsafe``.

Finished rows are printed above the prompt. The row that still grows is part of the prompt's own
message, since text that doesn't end in a newline would be overwritten by the next redrawing.

The thread is waited for: it restores the terminal before the nursery closes. Only a terminal that
takes nothing any more can hold the thread up; after ``PATIENCE`` it is left behind, and the
terminal is restored without it. So the thread writes through a file of its own: were it stuck in
``sys.stdout``, Python couldn't end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TextIO

import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session, in_terminal
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output, create_output
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from ._commands import COMMANDS, PRESS_AGAIN
from ._render import Kind
from ._rows import Row, Rows

__all__ = ["Prompt", "open_prompt"]

PATIENCE = 2.0
"""Seconds for the thread to end."""
MANY_ROWS = 200
"""So many may wait to be shown before ``flush`` waits for the terminal."""

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
        self._shown_some = trio.Event()
        self._rows = Rows(self._columns, get_cwidth)
        self._thread_scope = trio.CancelScope(shield=True)
        self._terminal = None if sink is not None else _Terminal()
        # The prompt's side.
        self._session: PromptSession[str]
        self._shown: Row | None = None
        self._wake: asyncio.Event
        self._ending: asyncio.Event
        self._fault: BaseException | None = None
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
        """Wait until the terminal isn't far behind; all else is the thread's business."""
        await trio.lowlevel.checkpoint()
        while len(self._to_show) > MANY_ROWS:
            if self._shown_some.is_set():
                self._shown_some = trio.Event()
            await self._shown_some.wait()

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
        with self._thread_scope:
            await trio.to_thread.run_sync(self._thread, abandon_on_cancel=True)
        if self._thread_scope.cancelled_caught and self._terminal is not None:
            self._terminal.give_back()

    def _stop(self) -> None:
        self._stopping = True
        self._thread_scope.deadline = trio.current_time() + PATIENCE
        if self._loop is not None:
            self._call_soon(self._ending.set)

    def _call_soon(self, function: Any) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # that loop has ended
            self._loop.call_soon_threadsafe(function)

    # --- The prompt's side -------------------------------------------------------------------

    def _thread(self) -> None:
        sink = self._sink if self._terminal is None else self._terminal.open()
        try:
            with (
                create_app_session(input=self._source, output=sink),
                # Catches what anybody else may print: warnings, for one.
                patch_stdout(raw=True),
            ):
                asyncio.run(self._prompt_main())
        finally:
            if self._terminal is not None:
                self._terminal.close()

    async def _prompt_main(self) -> None:
        self._wake = asyncio.Event()
        self._ending = asyncio.Event()
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
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._failed)
        self._loop = loop
        self._token.run_sync_soon(self._started.set)
        if not self._stopping:
            await self._prompt_until_the_end()
        self._print_all()

    async def _prompt_until_the_end(self) -> None:
        """Return when Trio's side says so, or raise what made it impossible to go on."""
        tasks = [
            asyncio.create_task(work)
            for work in (self._prompt_loop(), self._paint_loop(), self._wait_for_end())
        ]
        # This task itself is never cancelled, so that what comes after this happens.
        ended, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)
        for task in (*ended, *others):
            if not task.cancelled() and (fault := task.exception()) is not None:
                raise fault
        if self._fault is not None:
            raise self._fault

    async def _wait_for_end(self) -> None:
        await self._ending.wait()

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Hear of an exception in a callback: in a redrawing, for one."""
        fault = context.get("exception")
        if fault is None:
            loop.default_exception_handler(context)
            return
        self._fault = self._fault or fault
        self._ending.set()

    async def _prompt_loop(self) -> None:
        while True:
            try:
                line = await self._session.prompt_async(
                    handle_sigint=False, set_exception_handler=False
                )
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
        self._token.run_sync_soon(self._has_shown)

    def _has_shown(self) -> None:
        self._shown_some.set()

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


class _Terminal:
    """What is left of the terminal's state, and a file for the thread alone to write to."""

    def __init__(self) -> None:
        self._file: TextIO | None = None
        self._saved: list[Any] | None = None
        self._streams = sys.stdout, sys.stderr
        if sys.platform != "win32":
            import termios

            with contextlib.suppress(termios.error):
                self._saved = termios.tcgetattr(sys.stdin.fileno())

    def open(self) -> Output | None:
        """Return what to draw on; ``None`` for prompt-toolkit's own choice."""
        if sys.platform == "win32":
            return None
        self._file = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        return create_output(stdout=self._file)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()

    def give_back(self) -> None:
        """Restore the terminal without the thread; what it wouldn't take is dropped."""
        sys.stdout, sys.stderr = self._streams
        if sys.platform == "win32":
            return
        import termios

        with contextlib.suppress(termios.error):
            termios.tcflush(sys.stdout.fileno(), termios.TCOFLUSH)
            if self._saved is not None:
                termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._saved)


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
