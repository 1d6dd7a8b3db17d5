"""What ``update_context`` changed stays changed, on whatever connection."""

from __future__ import annotations

import pytest
import trio
from support import puppet, until
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import Fate, LiveSession, SessionConfig, open_session, wire
from gemini_live_trio.events import Reconnected, Reconnecting, ReconnectState
from gemini_live_trio.simulator import Simulator, open_simulator
from gemini_live_trio.tools import open_tool_runner, tool
from gemini_live_trio.tools.builtin import GoogleSearch

EARLY = wire.FunctionDeclaration(name="early")
LATE = wire.FunctionDeclaration(name="late")
CONFIG = SessionConfig(model="gemini-3.8-live", system_instruction="Be kind.", tools=[EARLY])


@tool
def look() -> str:
    """Look."""
    return "a cat"


def instruction(setup: wire.LiveClientSetup) -> str:
    assert setup.system_instruction is not None
    return "".join(part.text or "" for part in setup.system_instruction.parts)


def functions(setup: wire.LiveClientSetup) -> list[str | None]:
    return [one.name for group in setup.tools for one in group.function_declarations]


def updates(simulator: Simulator) -> int:
    messages = [frame.message for frame in simulator.received]
    return sum(one is not None and one.context_update is not None for one in messages)


async def cut(simulator: Simulator, session: LiveSession) -> ReconnectState:
    """Break the connection, and wait until what can be sent again has been."""
    await (await simulator.accept()).drop()
    state = (await until(session, Reconnected)).state
    await trio.sleep(10)
    return state


@pytest.mark.parametrize("resumes", [True, False])
async def test_an_update_outlives_its_connection(autojump_clock: MockClock, resumes: bool) -> None:
    config = SessionConfig(
        model="gemini-3.8-live",
        system_instruction="Be kind.",
        tools=[EARLY],
        session_resumption=resumes,
    )
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(config, connector=simulator.connector) as session,
    ):
        await wait_all_tasks_blocked()
        receipt = await session.update_context(
            system_instruction="Be brief.", tools=[GoogleSearch(), LATE]
        )
        assert instruction(session.setup) == "Be brief."
        assert functions(session.setup) == ["late"]
        await receipt.wait_sent()
        state = await cut(simulator, session)
        assert state is (ReconnectState.RESUMED if resumes else ReconnectState.FRESH)
        setup = simulator.setups[-1]
        assert instruction(setup) == "Be brief."
        assert functions(setup) == ["late"]
        assert setup.tools[0].google_search is not None
        # The setup has it, so it isn't sent again.
        assert updates(simulator) == 1
        assert (receipt.state, receipt.replays) == (Fate.CONFIRMED, 0)


async def test_what_is_not_given_stays(autojump_clock: MockClock) -> None:
    async with puppet(CONFIG) as (session, _server):
        await session.update_context(system_instruction="Be brief.")
        assert functions(session.setup) == ["early"]
        await session.update_context(tools=[])
        assert instruction(session.setup) == "Be brief."
        assert functions(session.setup) == []


async def test_what_was_removed_does_not_come_back_but_what_is_run_here_stays(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(CONFIG, tools=[look], connector=simulator.connector) as session,
    ):
        await wait_all_tasks_blocked()
        await session.update_context(tools=[])
        assert functions(session.setup) == ["look"]
        await session.update_context(tools=[LATE])
        await cut(simulator, session)
        assert functions(simulator.setups[-1]) == ["late", "look"]


async def test_an_update_that_had_to_wait_goes_with_the_next_setup(
    autojump_clock: MockClock,
) -> None:
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(CONFIG, connector=simulator.connector) as session,
    ):
        await wait_all_tasks_blocked()
        await (await simulator.accept()).drop()
        await until(session, Reconnecting)
        receipt = await session.update_context(system_instruction="Be brief.")
        await until(session, Reconnected)
        await trio.sleep(10)
        assert instruction(simulator.setups[-1]) == "Be brief."
        assert updates(simulator) == 0
        assert receipt.state is Fate.CONFIRMED


async def test_a_cancelled_update_changes_nothing(autojump_clock: MockClock) -> None:
    async with puppet(CONFIG) as (session, _server):
        with trio.CancelScope() as scope:
            scope.cancel()
            await session.update_context(system_instruction="Be brief.")
        assert instruction(session.setup) == "Be kind."


async def test_the_later_of_update_and_setup_wins(autojump_clock: MockClock) -> None:
    other = SessionConfig(model="gemini-3.8-live", system_instruction="Be bold.")
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(CONFIG, connector=simulator.connector) as session,
    ):
        await simulator.accept()
        early = await session.update_context(system_instruction="Be brief.", tools=[LATE])
        await early.wait_sent()
        await session.reconnect(setup=other)
        await trio.sleep(10)
        assert instruction(simulator.setups[-1]) == "Be bold."
        assert functions(simulator.setups[-1]) == []
        assert updates(simulator) == 1
        assert early.state is Fate.UNKNOWN
        assert early.reason == "a later setup took its place"
        await session.update_context(tools=[LATE])
        await cut(simulator, session)
        assert instruction(simulator.setups[-1]) == "Be bold."
        assert functions(simulator.setups[-1]) == ["late"]


async def test_a_waiting_update_is_dropped_for_a_setup_that_was_asked_for_later(
    autojump_clock: MockClock,
) -> None:
    other = SessionConfig(model="gemini-3.8-live", system_instruction="Be bold.")
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(CONFIG, connector=simulator.connector) as session,
    ):
        await wait_all_tasks_blocked()
        await (await simulator.accept()).drop()
        await until(session, Reconnecting)
        early = await session.update_context(system_instruction="Be brief.")
        await session.reconnect(setup=other)
        await trio.sleep(10)
        assert instruction(simulator.setups[-1]) == "Be bold."
        assert updates(simulator) == 0
        assert early.state is Fate.DROPPED


async def test_a_runner_adds_to_what_was_updated(autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(CONFIG, connector=simulator.connector) as session,
    ):
        await wait_all_tasks_blocked()
        await session.update_context(tools=[LATE])
        async with open_tool_runner(session, [look]):
            await trio.sleep(10)
            assert functions(simulator.setups[-1]) == ["late", "look"]
            # The update, that knew nothing of it, isn't sent again.
            assert updates(simulator) == 1
        assert functions(session.setup) == ["late"]
