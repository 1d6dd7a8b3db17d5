"""Answers that find no room at once: meanwhile their calls may be gone, or others come."""

from __future__ import annotations

from typing import Any

import trio
from support import until
from tools.running import Args, Stage, gives, make, stage
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import wire
from gemini_live_trio.events import Reconnected, ToolFinished, ToolOutcome, ToolStarted
from gemini_live_trio.tools import ToolContext, ToolPolicy

ANY = ToolPolicy(same_call=lambda _earlier, _new: True)


async def fill(s: Stage) -> None:
    """Say so much that nobody can hand over anything more."""
    with trio.move_on_after(1):
        while True:
            await s.session.send_text("x" * 2_000)


async def until_told(s: Stage, kind: type, count: int = 1) -> None:
    await s.witness.until(lambda: sum(isinstance(one, kind) for one in s.witness.events) == count)
    await wait_all_tasks_blocked()


async def test_one_of_two_calls_with_one_answer_is_taken_back(autojump_clock: MockClock) -> None:
    async with stage(gives(1, after=5), tool_policy=ANY) as s:
        await s.server.call("look", call_id="c1")
        await s.server.call("look", call_id="c2")
        await until_told(s, ToolStarted)
        s.server.stop_reading(30)
        await fill(s)
        await until_told(s, ToolFinished)
        await s.server.cancel_calls("c2")
        await s.answered("c1")
        await trio.sleep(60)
    assert s.witness.outcomes()[0] == ("c2", ToolOutcome.CANCELLED)
    assert list(s.answers()) == ["c1"]


async def test_an_id_goes_to_another_call_before_its_answer_is_sent(
    autojump_clock: MockClock,
) -> None:
    async def handler(args: Args, _context: ToolContext) -> Any:
        await trio.sleep(20)
        return args["at"]

    async with stage(make(handler)) as s:
        await s.server.call("look", {"at": "door"}, call_id="c1")
        await until_told(s, ToolStarted)
        await s.server.drop()
        await until(s.session, Reconnected)
        server = await s.simulator.accept()
        server.stop_reading(60)
        await fill(s)
        await until_told(s, ToolFinished)
        call = wire.FunctionCall(id="c1", name="look", args={"at": "window"})
        made = wire.LiveServerToolCall(function_calls=[call])
        await server.send(wire.LiveServerMessage(tool_call=made))
        await until_told(s, ToolFinished, 2)
        assert await s.answered("c1") == [{"output": "window"}]
    assert [outcome for _, outcome in s.witness.outcomes()] == [
        ToolOutcome.CANCELLED,
        ToolOutcome.ANSWERED,
    ]


async def test_calls_that_share_a_run_are_bounded(autojump_clock: MockClock) -> None:
    policy = ToolPolicy(same_call=ANY.same_call, most_calls=10)
    async with stage(gives(1, after=100), tool_policy=policy) as s:
        await s.server.call_all(*[wire.FunctionCall(name="look")] * 50)
        await s.witness.settled(40)
        counts = s.session.statistics().tools
        assert (counts.open, counts.refused, counts.shared) == (10, 40, 9)
        # And so are those that would get a result which is there.
        await until_told(s, ToolFinished)
        s.server.stop_reading(60)
        await s.server.call_all(*[wire.FunctionCall(name="look")] * 50)
        await s.witness.settled(90)
        assert s.session.statistics().tools.open == 10


async def test_what_has_ended_is_not_kept_by_the_run_that_it_shared(
    autojump_clock: MockClock,
) -> None:
    async with stage(gives(1), tool_policy=ANY) as s:
        for number in range(20):
            await s.server.call("look", call_id=f"c{number}")
            await s.answered(f"c{number}")
            await s.speak()
            await s.witness.settled(number + 1)
        desk = s.session._core.tools.desk
        assert desk is not None
        (run,) = desk.ledger._results
        assert len(run.entries) == 2
    assert s.session.statistics().tools.shared == 19
