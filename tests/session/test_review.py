"""What a review found, each as its smallest case."""

from __future__ import annotations

import signal

import pytest
import trio
import trio.testing
from support import Connect, puppet, tone, turn, until, words
from trio.testing import MockClock

from gemini_live_trio import Fate, LiveSession, SessionConfig, Target, open_session, wire
from gemini_live_trio.errors import ConnectError, LocalProtocolError, PromptLost
from gemini_live_trio.events import Reconnected, Reconnecting, ResumptionUpdate
from gemini_live_trio.simulator import Simulator, open_simulator

MANUAL = SessionConfig(
    model="gemini-3.8-live",
    realtime_input=wire.RealtimeInputConfig(
        automatic_activity_detection=wire.AutomaticActivityDetection(disabled=True)
    ),
)


@pytest.mark.parametrize("step", range(1, 30))
def test_ctrl_c_while_a_session_is_being_left(step: int) -> None:
    """Trio delivers it through shields, to whatever the main task does at that moment."""

    async def main() -> None:
        async with open_simulator(port=None) as simulator:
            config = SessionConfig(model="gemini-3.8-live")
            async with open_session(config, connector=simulator.connector) as session:
                await until(session, ResumptionUpdate)
                (await simulator.accept()).freeze()
                nursery.start_soon(interrupt)

    async def interrupt() -> None:
        for _ in range(step):
            await trio.lowlevel.cancel_shielded_checkpoint()
        signal.raise_signal(signal.SIGINT)

    async def bounded() -> None:
        nonlocal nursery
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await main()

    nursery: trio.Nursery
    try:
        trio.run(bounded, clock=MockClock(autojump_threshold=0))
    except* KeyboardInterrupt:
        pass


def heard(simulator: Simulator) -> list[str]:
    kinds = []
    for frame in simulator.received:
        said = frame.message.realtime_input if frame.message else None
        if said is not None:
            kinds.append(
                "start" if said.activity_start else "end" if said.activity_end else "audio"
            )
    return kinds


async def test_an_utterance_of_one_piece_keeps_its_order(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect(config=MANUAL) as session:
        await until(session, ResumptionUpdate)
        for _ in range(20):
            async with session.speaking():
                await session.send_audio(tone(0.1))
        for _ in range(20):
            async with session.speaking():
                session.send_audio_nowait(tone(0.1))
        await session.aclose()
    assert heard(simulator) == ["start", "audio", "end"] * 40


async def test_an_empty_utterance_is_filled_with_silence(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect(config=MANUAL) as session:
        await until(session, ResumptionUpdate)
        for _ in range(5):
            async with session.speaking():
                pass
        await session.aclose()
    assert heard(simulator) == ["start", "audio", "end"] * 5


async def test_an_answered_message_on_a_model_of_older_handles_has_a_fate_and_is_remembered(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect(config=SessionConfig(model=OLDER)) as session:
        await until(session, ResumptionUpdate)
        receipt = await session.send_text("My name is Ada.")
        await turn(session)
        await simulator.restart()
        await until(session, Reconnected)
        async with session.prompt("What did I say?") as answer:
            assert "Ada" in words([event async for event in answer])
    assert receipt.state is Fate.CONFIRMED


OLDER = "gemini-2.5-flash-native-audio-preview-12-2025"


async def test_history_that_was_never_sent_is_not_answered_after_a_cut(
    autojump_clock: MockClock, simulator: Simulator
) -> None:
    class Cut:
        """The first connection dies with its first write after the setup."""

        dialled = 0

        async def connect(self, target: Target, /) -> trio.abc.Stream:
            self.dialled += 1
            if self.dialled == 1:
                nursery.start_soon(drop)
            return await simulator.connector.connect(target)

    async def drop() -> None:
        await (await simulator.accept()).drop()

    history = [wire.Content(role="user", parts=[wire.Part(text="My name is Ada.")])]
    config = SessionConfig(model="gemini-3.8-live")
    async with trio.open_nursery() as nursery:
        async with open_session(config, connector=Cut(), history=history) as session:
            await until(session, Reconnected)
            async with session.prompt("What did I say?") as answer:
                assert "Ada" in words([event async for event in answer])
            assert await quiet(session)
        nursery.cancel_scope.cancel()


async def quiet(session: LiveSession) -> bool:
    """Nothing more is being said."""
    with trio.move_on_after(30):
        async with session.turn() as events:
            async for _ in events:
                pass
        return False
    return True


async def test_a_setup_asked_for_during_an_outage_is_applied(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await until(session, ResumptionUpdate)
        simulator.delay_next_setup(5, times=3)
        await simulator.drop_all()
        await until(session, Reconnecting)
        await trio.testing.wait_all_tasks_blocked()
        new = SessionConfig(model="gemini-3.8-live", system_instruction="Be brief.")
        await session.reconnect(setup=new)
        instruction = simulator.setups[-1].system_instruction
        assert instruction is not None


async def test_a_setup_that_can_not_be_sent_harms_nothing(
    autojump_clock: MockClock, connect: Connect
) -> None:
    async with connect() as session:
        await until(session, ResumptionUpdate)
        with pytest.raises(LocalProtocolError):
            await session.reconnect(
                setup=SessionConfig(model="gemini-3.8-live", temperature=float("nan"))
            )
        await session.send_text("Hello!")
        assert words(await turn(session))


async def test_a_turn_without_a_word_ends_the_waiting(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        await session.send_text("Something that is blocked")
        await server.send_handle()
        await server.send(
            wire.LiveServerMessage(server_content=wire.LiveServerContent(turn_complete=True))
        )
        with trio.fail_after(10):
            await session.reconnect()


async def test_a_first_dial_with_a_handle_is_not_retried(
    autojump_clock: MockClock, connect: Connect
) -> None:
    class Nobody:
        async def connect(self, target: Target, /) -> trio.abc.Stream:
            raise ConnectionRefusedError("nobody is there")

    start = trio.current_time()
    with pytest.raises(ConnectError):
        async with connect(connector=Nobody(), resume="handle"):
            pytest.fail("there is no session")
    assert trio.current_time() == start


async def test_a_prompt_that_can_not_be_answered_says_so(autojump_clock: MockClock) -> None:
    async with puppet() as (session, server):
        await server.send_handle()
        await until(session, ResumptionUpdate)
        async with session.prompt("Are you there?") as answer:
            await server.close(1007, "Request contains an invalid argument.")
            with pytest.raises(PromptLost), trio.fail_after(60):
                async for _ in answer:
                    pass
