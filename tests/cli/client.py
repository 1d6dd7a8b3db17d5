"""The terminal client without a terminal: a front in memory, a simulator, a virtual clock."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar

import pytest
import trio
from support import threads_first
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import LiveSession, SessionConfig, open_session
from gemini_live_trio.repl._client import Client
from gemini_live_trio.repl._commands import Suggestion
from gemini_live_trio.repl._keeper import CLOSE_SECONDS, Plan
from gemini_live_trio.repl._options import Options
from gemini_live_trio.repl._render import Kind
from gemini_live_trio.repl._speaking import open_recorder_later
from gemini_live_trio.simulator import Simulator, open_simulator

P = TypeVar("P")
CONFIG = SessionConfig(model="gemini-3.8-live")


class Person:
    """A front, and the person before it."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        """What was shown, each with its mark."""
        self.bar = ""
        self.bars: list[str] = []
        """All that stood in the bar."""
        self.client: Client
        """The program that this person runs."""
        self._speaking = False
        self.answers: deque[bool] = deque()
        """To the questions that are asked."""
        self.hesitates = False
        """Whether there never is one."""
        self.choices: Callable[[str], Sequence[Suggestion]] = lambda _blank: ()
        self._to_type, self._typed = trio.open_memory_channel[str](math.inf)
        self.gone = trio.Event()
        """Set once the program has ended."""
        self._presses = trio.Semaphore(0)
        self._left = trio.Event()
        self._open: Kind | None = None
        self._shown = trio.Event()

    # --- As a person -----------------------------------------------------------------------

    async def types(self, line: str) -> list[str]:
        """Type a line, wait until nothing moves any more, and return what was shown since.

        What was typed is shown too; of a command it is left out here.
        """
        before = len(self.lines)
        self.will_type(line)
        await settled()
        shown = self.lines[before:]
        return shown[1:] if shown[:1] == [f"you> {line}"] and line.startswith("/") else shown

    def will_type(self, line: str) -> None:
        """Type a line, and wait for nothing."""
        self._to_type.send_nowait(line)

    async def presses_ctrl_c(self) -> None:
        """Press it while the model speaks."""
        self.interrupts()
        await settled()

    def interrupts(self) -> None:
        """Press Ctrl-C and wait for nothing."""
        self._presses.release()

    def leaves(self) -> None:
        """Press Ctrl-D."""
        self._left.set()

    async def sees(self, pattern: str) -> str:
        """Wait until a line is shown in which the pattern is found."""
        # A virtual clock runs on while a thread reads or writes, so it needs much of its time.
        with trio.move_on_after(20_000):
            while not (found := [line for line in self.lines if re.search(pattern, line)]):
                self._shown = trio.Event()
                await self._shown.wait()
            return found[0]
        pytest.fail(f"never saw {pattern!r} in {self.lines}")

    async def sees_in_bar(self, pattern: str) -> str:
        """Wait until the status bar says something."""
        with trio.move_on_after(600):
            while not re.search(pattern, self.bar):
                self._shown = trio.Event()
                await self._shown.wait()
        if not re.search(pattern, self.bar):
            pytest.fail(f"never saw {pattern!r} in {self.bar!r}")
        return self.bar

    async def loses_the_session(self) -> None:
        """Have the service end it for good; the next input opens another."""
        await self.types("!close 1009")
        await self.sees("The next input opens another connection")

    def part(self, kind: type[P]) -> P:
        """Return a part of the program."""
        return next(part for part in self.client._parts if isinstance(part, kind))

    async def hears_the_model(self) -> None:
        """Wait until Ctrl-C would be meant for the model."""
        while not self.speaking:
            self._shown = trio.Event()
            await self._shown.wait()

    # --- As a front ------------------------------------------------------------------------

    @property
    def speaking(self) -> bool:
        """See ``Front``."""
        return self._speaking

    @speaking.setter
    def speaking(self, value: bool) -> None:
        self._speaking = value
        self._shown.set()

    def add(self, kind: Kind, text: str) -> None:
        """See ``Screen``."""
        if self._open is not kind:
            self.lines.append(kind.mark)
        self._open = kind
        self.lines[-1] += text
        self._shown.set()

    def end(self) -> None:
        """See ``Screen``."""
        self._open = None

    def line(self, kind: Kind, text: str) -> None:
        """See ``Screen``."""
        self._open = None
        self.lines.append(f"{kind.mark}{text}")
        self._shown.set()

    async def typed(self) -> str:
        """See ``Front``."""
        return await self._typed.receive()

    async def interrupted(self) -> None:
        """See ``Front``."""
        await self._presses.acquire()

    async def left(self) -> None:
        """See ``Front``."""
        await self._left.wait()

    async def ask(self, question: str) -> bool:
        """See ``Front``."""
        await trio.lowlevel.checkpoint()
        self.line(Kind.NOTE, question)
        if self.hesitates:
            await trio.sleep_forever()
        return self.answers.popleft()

    async def flush(self) -> None:
        """See ``Front``."""
        await trio.lowlevel.checkpoint()

    def status(self, text: str) -> None:
        """See ``Front``."""
        self.bar = text
        self.bars.append(text)
        self._shown.set()

    def offer(self, choices: Callable[[str], Sequence[Suggestion]]) -> None:
        """See ``Front``."""
        self.choices = choices


async def until(condition: Callable[[], object]) -> None:
    """Wait for what a thread or a device does, in real time; for a minute at the most."""
    with trio.fail_after(60):
        while not condition():  # noqa: ASYNC110 - nobody there could set an event
            await trio.sleep(0.005)


def patiently(check: Callable[[], Awaitable[None]]) -> None:
    """Run what visits the disk, on a virtual clock that waits for threads."""

    async def run() -> None:
        async with threads_first():
            await check()

    trio.run(run, clock=MockClock(autojump_threshold=0))


async def settled() -> None:
    """Let so much time go by that an answer, if one was asked for, has come: none but virtual."""
    assert isinstance(trio.lowlevel.current_clock(), MockClock), "wait for what is to come instead"
    for _ in range(5):
        await trio.sleep(1)
        await wait_all_tasks_blocked()


@asynccontextmanager
async def client(
    *,
    config: SessionConfig = CONFIG,
    simulator: Simulator | None = None,
    ahead: Sequence[str] = (),
    **options: Any,
) -> AsyncIterator[tuple[Person, Simulator]]:
    """Run the client for the length of the block, which ends with the person's leaving.

    The lines of ``ahead`` are typed before there is a connection.
    """
    service: dict[str, Any] = {"mind": "rules", "pace": 0.0}
    for name in ("mind", "pace", "hears"):
        if name in options:
            service[name] = options.pop(name)
    policy = options.pop("policy", None)
    async with (
        threads_first(),
        open_simulator(port=None, commands=True, **service) as opened,
        open_recorder_later(options.get("save_audio")) as recorder,
    ):
        server = simulator or opened

        def opener(plan: Plan, **how: Any) -> AbstractAsyncContextManager[LiveSession]:
            return open_session(
                plan.config,
                tools=plan.tools,
                connector=server.connector,
                close_timeout=CLOSE_SECONDS,
                reconnect=policy,
                **how,
            )

        person = Person()
        running = Client(
            Options(config=config, simulate=True, **options),
            config,
            person,
            recorder,
            opener,
            where="the simulator",
        )
        person.client = running
        for line in ahead:
            person.will_type(line)

        async def run() -> None:
            await running.run()
            person.gone.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await person.sees("^note> Connected")
            yield person, server
            person.leaves()
