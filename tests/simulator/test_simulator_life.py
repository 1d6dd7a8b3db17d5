"""Connections and sessions: their ends, their return, and what can be made to go wrong."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio_websocket
from simulator.raw_client import BIDI, Closed, RawClient, dial, silence, spoken, tone
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import wire
from gemini_live_trio.simulator import Simulator, open_simulator

RESUMABLE: dict[str, Any] = {"sessionResumption": {}, "outputAudioTranscription": {}}
NOT_FOUND = Closed(1008, "BidiGenerateContent session not found")
INTERNAL = Closed(1011, "Internal error encountered.")


async def first_handle(client: RawClient, **setup: Any) -> str:
    await client.set_up(**{**RESUMABLE, **setup})
    update = (await client.until("sessionResumptionUpdate"))[-1]["sessionResumptionUpdate"]
    assert isinstance(update["newHandle"], str)
    return update["newHandle"]


async def resume(simulator: Simulator, handle: str, **setup: Any) -> Closed | str:
    """Take a session up and ask what was said; or see how it was refused."""
    async with dial(simulator) as client:
        await client.send(
            setup={
                "model": "models/gemini-3.8-live",
                **RESUMABLE,
                **setup,
                "sessionResumption": {"handle": handle},
            }
        )
        first = await client.receive()
        if isinstance(first, Closed):
            return first
        return spoken(await client.say("What was the first thing I said?"))


async def test_a_handle_brings_the_conversation_back(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            handle = await first_handle(client)
            await client.say("the first words")
            (connection,) = simulator.connections
            assert connection.resumed_from is None
        await connection.wait_ended()
        autojump_clock.jump(2)
        answer = await resume(simulator, handle)
        assert answer == 'The first thing you said was: "the first words".'
        await simulator.accept()
        assert (await simulator.accept()).resumed_from == handle


async def test_the_clock_of_the_sound_goes_on(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            handle = await first_handle(client)
            await client.send_audio(silence(10))
            await client.say("Hello")
        await (await simulator.accept()).wait_ended()
        autojump_clock.jump(2)
        async with dial(simulator) as client:
            await client.set_up(sessionResumption={"handle": handle})
            await client.send_audio(tone(1))
            activity = (await client.until("voiceActivity"))[-1]["voiceActivity"]
            assert activity == {"type": "ACTIVITY_START", "audioOffset": "10.14s"}


async def test_a_handle_of_25_stands_for_its_moment(autojump_clock: MockClock) -> None:
    model = "models/gemini-2.5-flash-native-audio-latest"
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            early = await first_handle(client, model=model)
            await client.say("the first words")
        await (await simulator.accept()).wait_ended()
        answer = await resume(simulator, early, model=model)
        assert answer == "This is the first thing you said."


@pytest.mark.parametrize("forgets", ["told to", "restarted", "two hours"])
async def test_a_forgotten_handle(forgets: str, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            handle = await first_handle(client)
        await (await simulator.accept()).wait_ended()
        if forgets == "told to":
            simulator.forget_sessions()
        elif forgets == "restarted":
            await simulator.restart()
        else:
            autojump_clock.jump(2 * 60 * 60 + 1)
        assert await resume(simulator, handle) == NOT_FOUND


async def test_another_model_cannot_take_a_session_up(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            handle = await first_handle(client)
        refused = await resume(simulator, handle, model="models/gemini-3.1-flash-live-preview")
        assert refused == Closed(1007, "Request contains an invalid argument.")


async def test_a_session_is_locked_while_its_connection_is_open(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        handle = await first_handle(client)
        before = trio.current_time()
        assert await resume(simulator, handle) == INTERNAL
        assert trio.current_time() - before == pytest.approx(0.6)


async def test_an_idle_session_is_locked_for_a_moment_longer(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            handle = await first_handle(client)
        await (await simulator.accept()).wait_ended()
        assert await resume(simulator, handle) == INTERNAL
        autojump_clock.jump(1)
        assert await resume(simulator, handle) == "This is the first thing you said."


async def test_a_session_cut_off_in_an_answer_is_not(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            handle = await first_handle(client)
            await client.send(realtimeInput={"text": "Tell me a story."})
            await client.until("modelTurn")
            await (await simulator.accept()).drop()
            assert (await client.closed()).code == 1006
        async with dial(simulator) as client:
            await client.set_up(**{**RESUMABLE, "sessionResumption": {"handle": handle}})
            # The answer that was cut off is given again, without being asked for.
            assert spoken(await client.until("turnComplete")).startswith("Once upon a time")
            answer = spoken(await client.say("What did I say?"))
            assert "Tell me a story." in answer


async def test_the_lock_can_be_turned_off(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, resume_lock=False) as simulator, dial(simulator) as client:
        handle = await first_handle(client)
        assert await resume(simulator, handle) == "This is the first thing you said."


# --- goAway ---

ABORTED = (
    "Connection aborted because the client failed to close the connection after receiving a "
    "GoAway signal once the session durat"
)


async def test_go_away_comes_before_the_limit_and_the_end_at_it(autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None, connection_limit=590) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        start = trio.current_time()
        notice = await client.receive_at(start + 540)
        assert notice == {"goAway": {"timeLeft": "50s"}}
        assert await client.receive_at(start + 590) == Closed(1008, ABORTED)


async def test_go_away_on_request_spares_who_leaves(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            await client.set_up()
            connection = await simulator.accept()
            await simulator.go_away(1.5)
            assert await client.receive() == {"goAway": {"timeLeft": "1.5s"}}
        ending = await connection.wait_ended()
        assert (ending.by, ending.code) == ("client", 1000)


async def test_go_away_may_be_an_empty_threat(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(outputAudioTranscription={})
        await (await simulator.accept()).go_away(5, abort=False)
        await client.until("goAway")
        autojump_clock.jump(50)
        assert spoken(await client.say("say on")) == "on"


# --- Faults ---


async def test_ends_are_told_from_both_sides(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        for code, reason in [(1011, "quota"), (1000, ""), (4000, "é" * 100)]:
            async with dial(simulator) as client:
                await client.set_up()
                connection = await simulator.accept()
                await connection.close(code, reason)
                assert await client.closed() == Closed(code, reason[:61])
                assert (await connection.wait_ended()).by == "server"
        async with dial(simulator) as client:
            await client.set_up()
            connection = await simulator.accept()
            await connection.drop()
            assert (await client.closed()).code == 1006
            ending = await connection.wait_ended()
            assert (ending.by, ending.code) == ("nobody", 1006)
            with pytest.raises(trio.BrokenResourceError):
                await connection.send_raw("{}")
        async with dial(simulator) as client:
            await client.set_up()
            connection = await simulator.accept()
            await client.websocket.aclose(4001, "bye")
            ending = await connection.wait_ended()
            assert (ending.by, ending.code, ending.reason) == ("client", 4001, "bye")
        assert simulator.connections == ()


@pytest.mark.parametrize("code", [0, 999, 1005, 1006, 1015, 5000])
async def test_some_codes_no_close_frame_can_carry(code: int, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up()
        connection = await simulator.accept()
        with pytest.raises(ValueError, match=str(code)):
            await connection.close(code)
        assert connection.ending is None


async def test_what_was_sent_before_a_drop_arrives(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up()
        connection = await simulator.accept()
        handle = await connection.send_handle("h1")
        await connection.send_handle(resumable=False)
        await connection.send(wire.LiveServerMessage(go_away=wire.LiveServerGoAway(time_left=1)))
        await connection.drop()
        assert handle == "h1"
        update = {"newHandle": "h1", "resumable": True}
        assert await client.receive() == {"sessionResumptionUpdate": update}
        assert await client.receive() == {"sessionResumptionUpdate": {}}
        assert await client.receive() == {"goAway": {"timeLeft": "1s"}}
        assert (await client.closed()).code == 1006


async def test_frozen_it_answers_nothing_and_thawed_everything(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(outputAudioTranscription={})
        connection = await simulator.accept()
        connection.freeze()
        await client.send(realtimeInput={"text": "say hello"})
        with trio.move_on_after(300) as scope:
            await client.websocket.ping()
        assert scope.cancelled_caught
        connection.thaw()
        await client.websocket.ping()
        assert spoken(await client.until("turnComplete")) == "hello"


async def test_a_frozen_connection_can_be_dropped(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up()
        connection = await simulator.accept()
        connection.freeze()
        await connection.drop()
        assert (await client.closed()).code == 1006


async def test_planned_refusals(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, resume_lock=False) as simulator:
        simulator.refuse_next_setup(1011, "Resource has been exhausted (e.g. check quota).")
        for expected in (1011, None):
            async with dial(simulator) as client:
                await client.send(setup={"model": "models/gemini-3.8-live"})
                first = await client.receive()
                assert (first.code if isinstance(first, Closed) else None) == expected
        simulator.refuse_next_setup(times=2, only_resumes=True)
        async with dial(simulator) as client:
            handle = await first_handle(client)
        assert [await resume(simulator, handle) for _ in range(2)] == [INTERNAL] * 2
        assert isinstance(await resume(simulator, handle), str)
        assert len(simulator.setups) == 6


async def test_a_setup_that_is_never_answered_or_late(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        simulator.ignore_next_setup()
        async with dial(simulator) as client:
            await client.send(setup={"model": "models/gemini-3.8-live"})
            with trio.move_on_after(1000) as scope:
                await client.websocket.get_message()
            assert scope.cancelled_caught
        simulator.delay_next_setup(30)
        async with dial(simulator) as client:
            before = trio.current_time()
            await client.set_up()
            assert trio.current_time() - before == pytest.approx(30.2)


async def test_an_upgrade_that_is_rejected(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        simulator.reject_next_upgrade(503)
        with pytest.RaisesGroup(
            pytest.RaisesExc(
                trio_websocket.ConnectionRejected,
                check=lambda error: error.status_code == 503 and b"unavailable" in error.body,
            ),
            flatten_subgroups=True,
        ):
            async with dial(simulator):
                pass
        async with dial(simulator) as client:
            await client.set_up()


async def test_it_may_refuse_to_be_dialled(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        simulator.accepting = False
        with pytest.raises(ConnectionRefusedError):
            await simulator.connector.connect()
        simulator.accepting = True
        await simulator.connector.connect()
        await simulator.aclose()
        with pytest.raises(ConnectionRefusedError):
            await simulator.connector.connect()


# --- What is kept ---


async def test_every_frame_is_kept_with_its_time(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up()
        autojump_clock.jump(3)
        await client.send(realtimeInput={"text": "Hello"})
        await client.send(oops=1)
        await client.closed()
        setup, text, oops = simulator.received
        assert setup.message is not None
        assert setup.message.setup == simulator.setups[0]
        assert text.message is not None
        assert text.message.realtime_input == wire.LiveClientRealtimeInput(text="Hello")
        assert text.time - setup.time == pytest.approx(3.2)
        assert oops.connection == 1
        assert [frame.frame for frame in simulator.received[1:]] == [text.frame, oops.frame]


async def test_the_record_is_bounded(autojump_clock: MockClock) -> None:
    async with (
        open_simulator(port=None, record_bytes=100_000) as simulator,
        dial(simulator) as client,
    ):
        await client.set_up()
        for _ in range(50):
            await client.send_audio(silence(1))
        await client.say("Hello")
        received = simulator.received
        assert len(received) + received.dropped == 52
        assert sum(len(frame.frame) for frame in received) <= 100_000


# --- Leaving ---


async def test_the_block_leaves_nothing_behind(autojump_clock: MockClock) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    async with open_simulator(port=None) as simulator:
        streams = [await simulator.connector.connect() for _ in range(3)]
        async with dial(simulator) as client:
            await client.set_up()
            await client.send(realtimeInput={"text": "Tell me a story."})
            await client.until("modelTurn")
    assert trio.lowlevel.current_statistics().tasks_living == before
    for stream in streams:
        assert await stream.receive_some() == b""


async def test_the_blocks_own_exception_leaves_as_it_is(autojump_clock: MockClock) -> None:
    with pytest.raises(KeyError) as caught:
        async with open_simulator(port=None):
            raise KeyError("mine")
    assert caught.value.__cause__ is None


async def test_leaving_does_not_wait_for_a_client_that_never_reads(
    autojump_clock: MockClock,
) -> None:
    async with open_simulator(port=None, pace=0) as simulator:
        stream = await simulator.connector.connect()
        async with trio.open_nursery() as nursery:
            websocket = await trio_websocket.wrap_client_stream(nursery, stream, "localhost", BIDI)
            await websocket.send_message('{"setup":{"model":"models/gemini-3.8-live"}}')
            await websocket.get_message()
            nursery.cancel_scope.cancel()
        await websocket.send_message('{"realtimeInput":{"text":"Tell me a story."}}')
        await wait_all_tasks_blocked()
        (connection,) = simulator.connections
        start = trio.current_time()
    assert trio.current_time() == start
    assert (await connection.wait_ended()).by == "nobody"


async def test_a_client_that_never_reads_is_given_up(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, pace=0) as simulator:
        stream = await simulator.connector.connect()
        async with trio.open_nursery() as nursery:
            websocket = await trio_websocket.wrap_client_stream(nursery, stream, "localhost", BIDI)
            await websocket.send_message('{"setup":{"model":"models/gemini-3.8-live"}}')
            await websocket.get_message()
            nursery.cancel_scope.cancel()
        connection = await simulator.accept()
        start = trio.current_time()
        await websocket.send_message('{"realtimeInput":{"text":"Tell me a story."}}')
        ending = await connection.wait_ended()
        assert ending.why == "nothing was read for 60 s"
        assert trio.current_time() - start == pytest.approx(60)
