"""The prompt: prompt-toolkit beside Trio.

prompt-toolkit needs an asyncio loop, so it gets one, in a thread of its own. That thread is the
only one that touches the terminal, and keys are echoed even while Trio is busy. The two sides leave
each other notes: what was typed goes to Trio with ``run_sync_soon``, rows to be shown and the wish
to stop come from there with ``call_soon_threadsafe``.

Finished rows are printed above the prompt. The row that still grows is part of the prompt's own
message, since text that doesn't end in a newline would be overwritten by the next redrawing.

prompt-toolkit's own way to print above a prompt gives the terminal back to the system's line
editing meanwhile. A key that came just then would be echoed in a wrong place, Enter would become a
newline, and Ctrl-C a signal that ends the program; and after each such row the terminal is asked
where the cursor is, and the bar hidden until it has answered. So here the prompt is erased, rows
are written, and it is drawn again, within one step of the loop. For the same reason one prompt
lasts from the beginning to the end: lines are taken, and questions put, while it stays.

The thread is waited for: it restores the terminal before the nursery closes. Only a terminal that
takes nothing any more can hold the thread up; after ``PATIENCE`` it is left behind, and the
terminal is restored without it. So the thread writes through a file of its own: were it stuck in
``sys.stdout``, Python couldn't end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import attrs
import trio
from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application, create_app_session, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import ConditionalCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition, is_searching
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.search import stop_search
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_cwidth

from ._colours import COLOURS
from ._commands import PRESS_AGAIN, Suggestion
from ._completion import Completions
from ._history import FileHistory, history_path
from ._keyboard import KEPT_FOR_LATER, Keyboard, is_answer, is_yes
from ._render import Kind, harmless
from ._rows import Row, Rows, cut
from ._terminal import Terminal

__all__ = ["Prompt", "open_prompt"]

PATIENCE = 2.0
"""Seconds for the thread to end."""
MANY_ROWS = 200
"""So many may wait to be shown before ``flush`` waits for the terminal."""
PAINT_SECONDS = 0.03
"""Between two drawings of what comes from Trio's side: each costs milliseconds, and Trio needs the
interpreter meanwhile. Keys are echoed at once."""
YES_OR_NO: Final = "yes or no> "

STYLE: Final = Style.from_dict({kind.value: colour.name for kind, colour in COLOURS.items()})


@attrs.define(eq=False)
class _Question:
    text: str
    answer: bool | None = None
    answered: trio.Event = attrs.field(factory=trio.Event)


class Prompt(Keyboard):
    """The terminal, while it shows a prompt; ``open_prompt`` makes it. A ``Front``."""

    def __init__(
        self, token: trio.lowlevel.TrioToken, source: Input | None, sink: Output | None
    ) -> None:
        super().__init__()
        self._token = token
        self._source = source
        self._sink = sink
        # Shared by both sides, as is ``speaking``; each step is one that Python makes whole.
        self._stopping = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._to_show: deque[Row] = deque()
        self._growing: Row | None = None
        self._status = ""
        self._question: _Question | None = None
        self._completions = Completions()
        # Trio's side.
        self._typed: deque[str] = deque()
        self._was_typed = trio.Event()
        self._one_question = trio.Lock()
        self._started = trio.Event()
        self._shown_some = trio.Event()
        self._rows = Rows(self._columns, get_cwidth)
        self._thread_scope = trio.CancelScope(shield=True)
        self._terminal = None if sink is not None else Terminal()
        # The prompt's side.
        self._session: PromptSession[str]
        self._shown: Row | None = None
        self._asked: _Question | None = None
        self._draft = Document()
        self._wake: asyncio.Event
        self._ending: asyncio.Event
        self._fault: BaseException | None = None
        self._about_to_leave = False
        self._was_about_to_leave = False

    # --- Trio's side -----------------------------------------------------------------------

    async def typed(self) -> str:
        """See ``Front``."""
        while not self._typed:
            self._was_typed = trio.Event()
            await self._was_typed.wait()
        await trio.lowlevel.checkpoint()
        return self._typed.popleft()

    async def ask(self, question: str) -> bool:
        """See ``Front``. Questions of several tasks are put one after the other."""
        async with self._one_question:
            self._question = asked = _Question(harmless(question))
            self._call_soon(self._wake.set)
            try:
                await asked.answered.wait()
            finally:
                self._question = None
                self._call_soon(self._wake.set)
            return asked.answer is True

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
        text = harmless(text).replace("\n", " ").replace("\t", " ")
        if text != self._status:
            self._status = text
            self._call_soon(self._wake.set)

    def offer(self, choices: Callable[[str], Sequence[Suggestion]]) -> None:
        """See ``Front``."""
        self._completions.choices = choices

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

    def _call_soon(self, function: Callable[[], object]) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # that loop has ended
            self._loop.call_soon_threadsafe(function)

    def _take(self, line: str) -> None:
        self._typed.append(line)
        self._was_typed.set()

    def _has_shown(self) -> None:
        self._shown_some.set()

    # --- The prompt's side: its life -------------------------------------------------------------

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
            prompt_continuation=lambda width, *_: " " * width,
            bottom_toolbar=lambda: cut(self._status, self._columns(), get_cwidth),
            completer=ConditionalCompleter(
                self._completions, Condition(lambda: self._asked is None)
            ),
            complete_in_thread=True,
            complete_while_typing=False,
            reserve_space_for_menu=4,
            history=FileHistory(history_path(os.environ), lambda why: self._remark(harmless(why))),
            key_bindings=self._keys(),
            style=STYLE,
            erase_when_done=True,
        )
        self._session.default_buffer.accept_handler = self._accept
        self._session.app.key_processor.before_key_press += self._any_key
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._failed)
        self._loop = loop
        self._session.app.after_render += self._drawn
        if not self._stopping:
            await self._prompt_until_the_end()
        self._print_rows()

    async def _prompt_until_the_end(self) -> None:
        """Return when Trio's side says so, or raise what made it impossible to go on."""
        tasks = [
            asyncio.create_task(work)
            for work in (self._prompt(), self._paint_loop(), self._wait_for_end())
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

    def _drawn(self, app: Application[str]) -> None:
        """Let Trio's side go on: what it has to import would take turns with the first drawing."""
        app.after_render -= self._drawn
        self._tell(self._started.set)

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

    async def _prompt(self) -> None:
        try:
            await self._session.prompt_async(handle_sigint=False, set_exception_handler=False)
        except EOFError:  # the terminal is gone, maybe before anything was drawn
            self._tell(self._started.set)
            self._tell(self.leave)
            await asyncio.Event().wait()

    # --- The prompt's side: drawing --------------------------------------------------------------

    async def _paint_loop(self) -> None:
        app = self._session.app
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._turn_to_question()
            if not self._to_show:
                self._shown = self._growing
                app.invalidate()
            elif app.is_running:
                # An answer of the terminal must not be about a place that is none any more.
                await app.renderer.wait_for_cpr_responses()
                below = app.renderer._min_available_height
                app.renderer.erase()
                below -= self._print_rows()
                # Known, so the terminal needn't be asked.
                app.renderer._min_available_height = max(1, below)
                app._redraw()
            else:
                self._print_rows()
            await asyncio.sleep(PAINT_SECONDS)

    def _print_rows(self) -> int:
        """Print what waits to be shown, and return how many rows that was."""
        count = 0
        fragments: StyleAndTextTuples = []
        while self._to_show:
            fragments += [*_fragments(self._to_show.popleft()), ("", "\n")]
            count += 1
        if fragments:
            print_formatted_text(
                self._session.output,
                fragments,
                STYLE,
                color_depth=self._session.output.get_default_color_depth(),
            )
        self._shown = self._growing
        self._tell(self._has_shown)
        return count

    def _message(self) -> StyleAndTextTuples:
        columns = self._columns()
        rows = [] if self._shown is None else [*self._shown.fitted(columns, get_cwidth)]
        mark = Kind.YOU.mark
        if self._asked is not None:
            rows += self._rows_of(self._asked.text)
            mark = YES_OR_NO
        above = [part for row in rows for part in (*_fragments(row), ("", "\n"))]
        return [*above, ("class:you", mark)]

    def _rows_of(self, remark: str) -> Sequence[Row]:
        return Rows(self._columns, get_cwidth).line(Kind.NOTE, remark)

    def _remark(self, text: str) -> None:
        self._to_show.extend(self._rows_of(text))
        self._wake.set()

    # --- The prompt's side: keys -----------------------------------------------------------------

    def _tell(self, function: Callable[..., object], *arguments: Any) -> None:
        self._token.run_sync_soon(function, *arguments)

    def _any_key(self, _processor: object) -> None:
        self._was_about_to_leave, self._about_to_leave = self._about_to_leave, False

    def _accept(self, buffer: Buffer) -> bool:
        """Take a line; what this returns lets the buffer remember it and begin a new one."""
        # What isn't UTF-8 comes from the keyboard as lone surrogates.
        text = buffer.text.encode(errors="surrogateescape").decode(errors="replace")
        self._tell(self._take, text)
        return False

    def _turn_to_question(self) -> None:
        """Put the question that Trio's side wants to be put, or take one back."""
        wanted = self._question
        if wanted is not None and wanted.answer is not None:
            wanted = None
        if wanted is self._asked:
            return
        buffer = self._session.default_buffer
        if self._session.app.layout.is_searching:
            stop_search()
        if self._asked is None:
            self._draft = buffer.document
        self._asked = wanted
        buffer.reset(self._draft if wanted is None else None)

    def _answer(self, text: str) -> None:
        asked = self._asked
        assert asked is not None
        asked.answer = is_yes(text)
        self._turn_to_question()
        self._remark(f"{asked.text} {'Yes.' if asked.answer else 'No.'}")
        self._tell(asked.answered.set)

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        asked = Condition(lambda: self._asked is not None)
        empty = Condition(lambda: not self._session.default_buffer.text)

        @keys.add("c-c", filter=~is_searching)
        def _(event: KeyPressEvent) -> None:
            if self._asked is not None:
                self._answer("")
            elif self.speaking:
                self.begin_interrupt()
                self._tell(self.interrupt)
            elif event.current_buffer.text:
                event.current_buffer.reset()
            elif self._was_about_to_leave:
                self._tell(self.leave)
            else:
                self._about_to_leave = True
                self._remark(PRESS_AGAIN)

        @keys.add("c-d", filter=~is_searching & (asked | empty))
        def _(_event: KeyPressEvent) -> None:
            if self._asked is not None:
                self._answer("")
            else:
                self._tell(self.leave)

        @keys.add("enter", filter=asked & ~is_searching)
        @keys.add("c-o", filter=asked & ~is_searching)
        def _(event: KeyPressEvent) -> None:
            text = event.current_buffer.text
            if is_answer(text):
                self._answer(text)
                return
            # It was begun before the question came, and is meant for the model.
            self._draft = Document(f"{self._draft.text} {text}".strip())
            event.current_buffer.reset()
            self._remark(KEPT_FOR_LATER)

        @keys.add("c-j", filter=~asked & ~is_searching)
        @keys.add("escape", "enter", filter=~asked & ~is_searching)
        def _(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("<vt100-mouse-event>")
        def _(_event: KeyPressEvent) -> None:
            # No mouse is asked for. Colours in what is pasted without brackets look like one, and
            # prompt-toolkit stumbles over those.
            pass

        terminal = self._terminal
        if terminal is not None:

            @keys.add("c-z")
            def _(_event: KeyPressEvent) -> None:
                run_in_terminal(terminal.suspend)

        return keys


def _fragments(row: Row) -> StyleAndTextTuples:
    return [(f"class:{row.kind.value}", row.mark), ("", row.text)]


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
