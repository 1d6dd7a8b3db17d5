"""The session outlives its socket."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from support import Connect, turn, until, words
from trio.testing import MockClock

from gemini_live_trio import ReconnectPolicy, SessionConfig, Target, open_session, wire
from gemini_live_trio.errors import ConnectionLost, ReconnectExhausted, SessionBroken
from gemini_live_trio.events import (
    GoAway,
    ModelAudio,
    Reconnected,
    Reconnecting,
    ReconnectState,
    ResumptionUpdate,
)
from gemini_live_trio.simulator import Simulator, open_simulator


async def test_a_drop_is_survived_and_the_conversation_with_it(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await session.send_text("My name is Ada.")
        await turn(session)
        server = await simulator.accept()
        await server.drop()
        trying = await until(session, Reconnecting)
        assert (trying.attempt, trying.delay, trying.code) == (1, 0.0, 1006)
        back = await until(session, Reconnected)
        assert back.state is ReconnectState.RESUMED
        await session.send_text("What did I say?")
        assert "Ada" in words(await turn(session))
    handles = [
        setup.session_resumption.handle for setup in simulator.setups if setup.session_resumption
    ]
    assert handles[0] is None
    assert handles[1]


async def test_what_a_fresh_session_was_told_survives_a_drop(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    history = [
        wire.Content(role=role, parts=[wire.Part(text=text)])
        for role, text in (("user", "My name is Ada."), ("model", "Hello, Ada."))
    ]
    config = SessionConfig(model="gemini-3.1-flash-live-preview")
    async with connect(config=config, history=history) as session:
        await trio.sleep(1)  # a handle has come, from before the history
        await (await simulator.accept()).drop()
        assert (await until(session, Reconnected)).state is ReconnectState.RESEEDED
        await session.send_text("What is my name?")
        assert "Ada" in words(await turn(session))


class Door:
    """Lets the first one in; whoever comes later is refused after a while, until it is opened."""

    def __init__(self, simulator: Simulator, seconds: float) -> None:
        self.open = False
        self._simulator = simulator
        self._seconds = seconds

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        if self._simulator.setups and not self.open:
            await trio.sleep(self._seconds)
            raise ConnectionRefusedError("nobody is there")
        return await self._simulator.connector.connect(target)


@pytest.mark.parametrize("during", ["a pause", "an attempt that fails"])
async def test_who_wants_another_connection_does_not_wait_for_the_next_attempt(
    during: str, autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator:
        door = Door(simulator, 4.0 if during == "an attempt that fails" else 0.0)
        async with open_session(
            SessionConfig(model="gemini-3.8-live"),
            connector=door,
            reconnect=ReconnectPolicy(base=600, factor=1, cap=600, attempts=100, deadline=10_000),
        ) as session:
            await (await simulator.accept()).drop()
            if during == "a pause":
                while (await until(session, Reconnecting)).delay < 20:  # a random one
                    pass
                await trio.sleep(5)  # before, the service isn't ready
                door.open = True
            else:
                await until(session, Reconnecting)
                await trio.sleep(2)
                door.open = True  # for those who come from now on
            began = trio.current_time()
            assert await session.reconnect() is ReconnectState.RESUMED
            assert trio.current_time() - began < 5


async def test_without_a_handle_the_conversation_starts_afresh_and_says_so(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    config = SessionConfig(model="gemini-3.8-live", session_resumption=False)
    async with connect(config=config) as session:
        await (await simulator.accept()).drop()
        assert (await until(session, Reconnected)).state is ReconnectState.FRESH


async def test_a_server_that_forgot_us_is_no_end(autojump_clock: MockClock) -> None:
    """Killed and brought back: the same loop goes on, with a fresh conversation."""
    async with open_simulator(port=None) as first, open_simulator(port=None) as second:
        up = [first]

        class Switch:
            async def connect(self, target: Target, /) -> trio.abc.Stream:
                if not up:
                    raise ConnectionRefusedError("nobody is there")
                return await up[0].connector.connect(target)

        async with open_session(
            SessionConfig(model="gemini-3.8-live"), connector=Switch()
        ) as session:
            await until(session, ResumptionUpdate)
            up.clear()
            await (await first.accept()).drop()
            for attempt in (1, 2, 3):
                trying = await until(session, Reconnecting)
                assert trying.attempt == attempt
            assert "nobody is there" in trying.cause
            up.append(second)
            back = await until(session, Reconnected)
            assert back.state is ReconnectState.FRESH
            assert back.attempts >= 4
            await session.send_text("Hello again!")
            assert words(await turn(session))


@pytest.mark.parametrize(
    ("code", "reason"), [(1011, "Internal error encountered."), (1000, ""), (1001, "moving")]
)
async def test_a_close_that_may_pass_is_survived(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect, code: int, reason: str
) -> None:
    async with connect() as session:
        await until(session, ResumptionUpdate)
        await (await simulator.accept()).close(code, reason)
        trying = await until(session, Reconnecting)
        assert (trying.code, trying.reason) == (code, reason)
        assert (await until(session, Reconnected)).state is ReconnectState.RESUMED


async def test_a_close_that_no_retry_mends_ends_the_session_with_advice(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    with pytest.raises(ConnectionLost) as caught:
        async with connect() as session:
            server = await simulator.accept()
            await server.close(1007, "API key expired. Please renew the API key.")
            await until(session, Reconnected)
    error = caught.value
    assert (error.code, error.cause) == (1007, "bad_key")
    assert error.advice
    assert error.advice in str(error)


async def test_reconnecting_may_be_off(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    with pytest.raises(ConnectionLost):
        async with connect(reconnect=ReconnectPolicy(enabled=False)) as session:
            await (await simulator.accept()).drop()
            await until(session, Reconnecting)


async def test_the_policy_has_an_end(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        up = [simulator]

        class Once:
            async def connect(self, target: Target, /) -> trio.abc.Stream:
                if not up:
                    raise ConnectionRefusedError("nobody is there")
                return await up.pop().connector.connect(target)

        tried: list[int] = []
        with pytest.raises(ReconnectExhausted, match="4 attempts") as caught:
            async with open_session(
                SessionConfig(model="gemini-3.8-live"),
                connector=Once(),
                reconnect=ReconnectPolicy(attempts=4),
            ) as session:
                await (await simulator.accept()).drop()
                async for event in session:
                    if isinstance(event, Reconnecting):
                        tried.append(event.attempt)
        assert tried == [1, 2, 3, 4]
        assert caught.value.attempts == 4


async def test_go_away_is_answered_at_once_when_nothing_is_going_on(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await until(session, ResumptionUpdate)
        start = trio.current_time()
        await (await simulator.accept()).go_away(50)
        assert (await until(session, GoAway)).time_left == 50
        assert (await until(session, Reconnecting)).cause == "the session moves to another"
        back = await until(session, Reconnected)
        assert back.state is ReconnectState.RESUMED
        assert trio.current_time() - start < 5


async def test_go_away_lets_a_turn_end(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        server = await simulator.accept()
        await session.send_text("Tell me something long, please, as long as you can.")
        await until(session, ModelAudio)
        await server.go_away(50)
        spoken = await turn(session)
        assert not any(isinstance(event, Reconnecting | Reconnected) for event in spoken)
        assert (await until(session, Reconnected)).state is ReconnectState.RESUMED


async def test_what_is_said_meanwhile_arrives_in_order(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await until(session, ResumptionUpdate)
        server = await simulator.accept()
        await server.drop()
        await until(session, Reconnecting)
        for number in range(3):
            await session.send_text(f"message {number}")
        await until(session, Reconnected)
        again = await simulator.accept()
        assert again.resumed_from
        await until(session, ModelAudio)
        await session.aclose()
    texts = [
        frame.message.realtime_input.text
        for frame in simulator.received
        if frame.message is not None
        and frame.message.realtime_input is not None
        and frame.message.realtime_input.text
    ]
    assert texts == [f"message {number}" for number in range(3)]


async def test_audio_said_meanwhile_is_bounded_and_the_loss_told(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        down = trio.Event()
        down.set()

        class Slow:
            async def connect(self, target: Target, /) -> trio.abc.Stream:
                await down.wait()
                return await simulator.connector.connect(target)

        async with open_session(
            SessionConfig(model="gemini-3.8-live"), connector=Slow()
        ) as session:
            await until(session, ResumptionUpdate)
            down = trio.Event()
            await (await simulator.accept()).drop()
            await until(session, Reconnecting)
            second = bytes(2 * 16_000)
            for _ in range(15):
                await session.send_audio(second)
                await trio.testing.wait_all_tasks_blocked()
            down.set()
            assert (await until(session, Reconnected)).dropped_audio_seconds == 5


async def test_closing_while_there_is_no_connection_is_bounded(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    class Once:
        tried = 0

        async def connect(self, target: Target, /) -> trio.abc.Stream:
            self.tried += 1
            if self.tried > 1:
                await trio.sleep_forever()
            return await simulator.connector.connect(target)

    async with connect(connector=Once(), close_timeout=2) as session:
        await (await simulator.accept()).drop()
        await until(session, Reconnecting)
        await session.send_text("never to be heard")
        start = trio.current_time()
    assert trio.current_time() - start <= 2.1


async def test_a_broken_session_says_so_to_senders_and_receivers_and_the_block_goes_on(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await (await simulator.accept()).close(1007, "API key not valid.")
        for _ in range(2):
            with pytest.raises(SessionBroken):
                await until(session, Reconnected)
        with pytest.raises(SessionBroken):
            await session.send_text("anybody?")
        with pytest.raises(SessionBroken):
            session.send_audio_nowait(bytes(2))
