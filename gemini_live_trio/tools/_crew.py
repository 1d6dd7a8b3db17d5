"""Running the tools that a model calls.

Each call is a task in the runner's own nursery, which lives in the block of ``open_tool_runner`` or
``open_session``. That nursery is shielded from the block's cancellation until the block has been
left, so that each tool learns why it is stopped, and one that must finish can.

What a tool raises becomes an answer. Only what isn't an ``Exception``, such as Ctrl-C, leaves.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Sequence
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import attrs
import trio

from .._groups import is_urgent, lone
from ..errors import InternalError, ToolError
from ..events import ToolFinished, ToolProgress, ToolStarted
from ._arguments import ArgumentsError
from ._call import Call
from ._declaring import seconds_for
from ._desk import Desk
from ._ledger import Entry, Run
from ._policy import ToolPolicy
from ._results import Answer, answer, failure
from ._tool import Tool

if TYPE_CHECKING:
    from .._session import LiveSession

__all__ = ["Crew"]

MOST_PARTS: Final = 1_000
"""Partial results that a tool may give for one call."""

_log = logging.getLogger("gemini_live_trio.tools")


@attrs.define(eq=False)
class _Job:
    """A run on its way through the runner."""

    run: Run
    tool: Tool
    entry: Entry
    """The call that it was begun for."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """Around the tool itself."""
    running: bool = False
    began_at: float | None = None
    """When it began; ``None`` for a tool that didn't take its arguments, or had no turn yet."""
    reason: str | None = None
    """Why it is stopped."""


@attrs.define
class _Line:
    """Where calls of a tool with a limit wait, in the order in which they came."""

    free: float
    waiting: deque[_Job] = attrs.field(factory=deque)


@attrs.frozen(eq=False)
class _Context:
    """What the tool is told."""

    session: LiveSession
    call_id: str
    _job: _Job
    _crew: Crew

    @property
    def cancel_reason(self) -> str | None:
        """Why the call is being cancelled; ``None`` while it isn't."""
        return self._job.reason

    def progress(self, text: str, /) -> None:
        """Tell how far it is."""
        self._crew.note_progress(self._job, text)


class Crew:
    """Runs some tools for a session."""

    def __init__(self, tools: Sequence[Tool], policy: ToolPolicy) -> None:
        self.tools: Sequence[Tool] = tools
        self.policy: ToolPolicy = policy
        self.leaving: bool = False
        """No call is run any more."""
        self._by_name = {tool.name: tool for tool in tools}
        self._lines = {tool.name: _Line(tool.limit or math.inf) for tool in tools}
        self._jobs: dict[Run, _Job] = {}
        self._session: LiveSession | None = None
        self._desk: Desk | None = None
        self._nursery: trio.Nursery | None = None
        self._early: list[_Job] = []
        """Runs from before there was a nursery."""
        self._nap = trio.CancelScope()
        self._left = trio.Event()

    # --- Life ------------------------------------------------------------------------------

    def attach(self, session: LiveSession) -> None:
        """Take the session's calls from now on; they are run within ``running``."""
        self._session = session
        self._desk = session._core.tools.open_desk()
        self._desk.join(self)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run what is called, for the length of the block."""
        leaving: BaseException | None = None
        try:
            async with trio.open_nursery() as nursery:
                # Not ``start``: a cancellation in it would wait for what only we can end.
                nursery.start_soon(self._hold)
                try:
                    yield
                except BaseException as error:  # noqa: BLE001 - raised again below
                    leaving = error
                self.stop_all()
        except BaseException as error:  # noqa: BLE001 - raised again below, in its order of precedence
            other = lone(error)
            if isinstance(other, Exception):  # what tools raise doesn't come here
                other = _internal(other)
            if leaving is None or isinstance(leaving, trio.Cancelled) or is_urgent(other):
                leaving = other
        finally:
            self.stop_all()
        if leaving is not None:
            try:
                raise leaving
            finally:
                del leaving

    async def _hold(self) -> None:
        """Hold the nursery of the calls, apart from the block's cancellation."""
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._keep_time)
                early, self._early = self._early, []
                for job in early:
                    nursery.start_soon(self._serve, job)
                try:
                    await self._left.wait()
                finally:
                    # Ctrl-C out of a tool: what must finish is shielded, and has to be told.
                    self.stop_all()

    def stop_all(self) -> None:
        """Run no more calls: refuse those that are open, and stop what runs."""
        if not self.leaving:
            self.leaving = True
            if self._desk is not None:
                self._desk.leave(self)
            self._left.set()
            self._nap.cancel()

    async def _keep_time(self) -> None:
        assert self._desk is not None
        while not self.leaving:
            moment = self._desk.next_moment(trio.current_time())
            with trio.move_on_at(moment) as self._nap:
                await trio.sleep_forever()
            # Woken before, it only looks again: several runners would wake each other for ever.
            if trio.current_time() >= moment:
                self._desk.tend(trio.current_time())

    def wake(self) -> None:
        """Something has changed, perhaps the time to wait."""
        self._nap.cancel()

    # --- Calls -------------------------------------------------------------------------------

    def tool(self, name: str) -> Tool | None:
        """The tool of that name."""
        return self._by_name.get(name)

    def take(self, entry: Entry, now: float) -> None:
        """Serve a call: by a run of its own, or by one that it shares."""
        assert self._desk is not None
        ledger = self._desk.ledger
        run = ledger.same_as(entry, self._judge)
        running = len(self._jobs) if run is None else sum(other.open for other in run.entries)
        if running >= self.policy.most_calls:
            told = f"{running} calls are running already; wait for their answers."
            self._desk.refuse(entry, told, "too many calls")
            return
        if run is not None:
            ledger.share(entry, run, now)
            if run.answer is not None:
                self._desk.answer_now(entry, run.answer)
            return
        tool = self._by_name[entry.call.name]
        deadline = now + seconds_for(tool, self.policy.timeout)
        run = ledger.begin(entry, deadline=deadline, owner=self)
        job = self._jobs[run] = _Job(run, tool, entry)
        self._lines[tool.name].waiting.append(job)
        self._move_up(tool.name)

    def _move_up(self, name: str) -> None:
        """Begin with those who wait for a tool, as many as may run."""
        line = self._lines[name]
        while line.free and line.waiting:
            job = line.waiting.popleft()
            line.free -= 1
            if self._nursery is None:
                self._early.append(job)
            else:
                self._nursery.start_soon(self._serve, job)

    def _judge(self, earlier: Call, new: Call) -> bool:
        if self.policy.same_call is None:
            return False
        try:
            return bool(self.policy.same_call(earlier, new))
        except Exception:  # noqa: BLE001 - the user's; a call too many is better than none
            _log.exception("same_call raised; the call is taken for a new one")
            return False

    def stop(self, run: Run, reason: str, /) -> None:
        """Nobody wants what this run gives any more."""
        job = self._jobs.get(run)
        if job is None or job.reason is not None:
            return
        job.reason = reason
        line = self._lines[job.tool.name]
        if job in line.waiting:
            line.waiting.remove(job)
            del self._jobs[run]
            run.over = True
        elif job.running and job.tool.must_finish:
            job.scope.deadline = trio.current_time() + self.policy.finish_within
        else:
            job.scope.cancel()

    def note_progress(self, job: _Job, text: str) -> None:
        """A tool says how far it is."""
        if self._desk is not None and not job.run.over and job.reason is None:
            call = job.entry.call
            self._desk.publish(ToolProgress(call.id, call.name, str(text)))

    async def _serve(self, job: _Job) -> None:
        """Run a tool, and answer the calls that want it."""
        assert self._desk is not None
        run = job.run
        given: Answer | None = None
        rest: Answer | None = None
        try:
            if job.reason is None:
                given, rest = await self._execute(job)
        finally:
            self._lines[job.tool.name].free += 1
            self._move_up(job.tool.name)
            del self._jobs[run]
            now = trio.current_time()
            if run.over:  # refused for its arguments
                told: Sequence[Entry] = ()
            else:
                told = self._desk.finished(run, given, now)
        if given is None or not told:
            return
        # All but one are handed over at once: an answer that isn't can't be taken back.
        first, *others = told
        for entry in others:
            self._desk.answer_now(entry, given)
        if rest is not None and first is job.entry:
            await self._desk.answer(first, rest, quietly=True)
        else:
            await self._desk.answer(first, given)

    async def _execute(self, job: _Job) -> tuple[Answer | None, Answer | None]:
        """Run the tool itself.

        Returns its answer, and what is left to be said of it where all was told in parts.
        """
        assert self._desk is not None
        assert self._session is not None
        call = job.entry.call
        context = _Context(self._session, call.id or f"unnamed-{call.number}", job, self)
        given: Answer | None = None
        rest: Answer | None = None
        job.running = True
        try:
            job.scope.shield = job.tool.must_finish
            with job.scope:
                made = self._begin(job, context)
                given, rest = await self._call(job, made)
        except ArgumentsError as error:
            given = failure(error)
            if not job.run.unwanted:
                self._desk.misfit(job.run, given, error, trio.current_time())
        except Exception as error:  # noqa: BLE001 - told to the model and the log, and goes no further
            given = failure(error)
        finally:
            job.running = False
            self._tell_finished(job, given)
        return given, rest

    def _begin(self, job: _Job, context: _Context) -> Awaitable[object] | AsyncIterable[object]:
        """Give the tool its arguments, and tell that it runs, unless it refuses them."""
        try:
            made = job.tool.handler(job.entry.call.args, context)
        except ArgumentsError:
            raise
        except Exception:
            self._tell_started(job)
            raise
        self._tell_started(job)
        return made

    async def _call(
        self, job: _Job, made: Awaitable[object] | AsyncIterable[object]
    ) -> tuple[Answer, Answer | None]:
        limit_bytes = job.tool.limit_bytes or self.policy.limit_bytes
        if isinstance(made, AsyncIterable):
            stream: Any = made
            async with aclosing(stream) if hasattr(made, "aclose") else nullcontext():
                return await self._gather_parts(job, made, limit_bytes)
        return answer(await made, limit_bytes=limit_bytes), None

    async def _gather_parts(
        self, job: _Job, made: AsyncIterable[object], limit_bytes: int
    ) -> tuple[Answer, Answer | None]:
        """Tell partial results as they come, where the model takes that; otherwise all at the end.

        They are kept in any case, for whoever else is answered with them.
        """
        assert self._desk is not None
        parts: list[object] = []
        told = 0
        async for part in made:
            if len(parts) == MOST_PARTS:
                raise ToolError(f"{job.tool.name} gave more than {MOST_PARTS} partial results.")
            parts.append(part)
            if self._desk.takes_parts(job.entry):
                given = answer(part, limit_bytes=limit_bytes)
                if given.failed:
                    return given, None
                await self._desk.answer_in_part(job.entry, given)
                told += 1
        whole = answer(parts[0] if len(parts) == 1 else parts or None, limit_bytes=limit_bytes)
        return whole, answer(None) if 0 < told == len(parts) else None

    def _tell_started(self, job: _Job) -> None:
        assert self._desk is not None
        call, now = job.entry.call, trio.current_time()
        job.began_at = now
        self._desk.ledger.began(job.run, now)
        self._desk.publish(ToolStarted(call.id, call.name, call.args))

    def _tell_finished(self, job: _Job, given: Answer | None) -> None:
        assert self._desk is not None
        call = job.entry.call
        error = None if given is None else given.error
        wanted = any(entry.open for entry in job.run.entries)
        if isinstance(error, ToolError):
            _log.info("%s, call %s: %s", call.name, call.id, error)
        elif given is not None and given.failed:
            _log.warning("%s, call %s failed", call.name, call.id, exc_info=error)
        elif given is None and job.tool.must_finish and job.scope.cancelled_caught:
            _log.warning(
                "%s, call %s must finish, and had not after %g s more: it was cancelled",
                call.name,
                call.id,
                self.policy.finish_within,
            )
        if job.began_at is None:
            return
        self._desk.publish(
            ToolFinished(
                call.id,
                call.name,
                trio.current_time() - job.began_at,
                failed=given is not None and given.failed,
                late=not wanted,
                error=error,
            )
        )


def _internal(error: Exception) -> InternalError:
    internal = InternalError(
        f"A fault of gemini-live-trio stopped its tools ({type(error).__name__}: {error}); "
        "please report it, with the traceback."
    )
    internal.__cause__ = error
    return internal
