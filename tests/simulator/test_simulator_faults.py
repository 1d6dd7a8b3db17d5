"""What can be made to go wrong, seen by a client that knows nothing but WebSockets."""

from __future__ import annotations

import base64

import pytest
import trio
import trio_websocket
from simulator.raw_client import BIDI, SETUP, Bare, Closed, RawClient, dial, spoken
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import wire
from gemini_live_trio.simulator import ServerConnection, Simulator, open_simulator


async def connected(simulator: Simulator, client: RawClient) -> ServerConnection:
    await client.set_up(outputAudioTranscription={})
    return await simulator.accept()


async def nothing_for(seconds: float, client: RawClient) -> None:
    with trio.move_on_after(seconds) as scope:
        await client.websocket.get_message()
    assert scope.cancelled_caught


# --- How a connection ends ---


async def test_a_close_frame_with_tcp_left_open(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        client = Bare(await simulator.connector.connect())
        await client.set_up()
        server = await simulator.accept()
        await server.close(1011, "but I stay", hold_open=True)
        ending = await server.wait_ended()
        assert (ending.by, ending.code) == ("server", 1011)
        assert (await client.heard(1000)).endswith(b"\x03\xf3but I stay")
        assert client.open
        await client.stream.aclose()
        async with dial(simulator) as other:  # and the simulator goes on
            await connected(simulator, other)


async def test_a_close_that_is_never_answered(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        server = await connected(simulator, client)
        server.ignore_close()
        with trio.move_on_after(1000) as scope:
            await client.websocket.aclose()
        assert scope.cancelled_caught
        ending = await server.wait_ended()
        assert (ending.by, ending.code) == ("client", 1000)


async def test_a_ping_between_a_close_and_its_answer(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        client = Bare(await simulator.connector.connect())
        await client.set_up()
        server = await simulator.accept()
        server.ping_before_close()
        await client.send(0x88, b"\x03\xe8")
        assert (await client.heard(60)).endswith(b"\x89\x00\x88\x02\x03\xe8")
        assert not client.open


@pytest.mark.parametrize("real", [False, True])
async def test_a_reset(real: bool) -> None:
    async with (
        open_simulator(port=0 if real else None, voice="tone") as simulator,
        dial(simulator, real=real) as client,
    ):
        server = await connected(simulator, client)
        await server.reset()
        assert (await client.closed()).code == 1006
        ending = await server.wait_ended()
        assert (ending.by, ending.code, ending.why) == ("nobody", 1006, "reset on request")


async def test_a_reset_takes_what_was_not_read_and_is_an_error(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        client = Bare(await simulator.connector.connect())
        await client.set_up()
        await (await simulator.accept()).reset()
        with pytest.raises(trio.BrokenResourceError):
            await client.stream.receive_some()
        with pytest.raises(trio.BrokenResourceError):
            await client.stream.send_all(b"x")


@pytest.mark.parametrize("noticed", [True, False])
async def test_a_half_open_connection(noticed: bool, autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            server = await connected(simulator, client)
            server.vanish(noticed_after=480 if noticed else None)
            start = trio.current_time()
            await client.send(realtimeInput={"text": "Hello?"})
            with trio.move_on_after(600) as scope:
                await client.websocket.ping()
            assert scope.cancelled_caught
            assert server.conversation.consumed == ()
            assert (server.ending is not None) is noticed
        await wait_all_tasks_blocked()
        if noticed:
            ending = await server.wait_ended()
            assert (ending.by, ending.why) == ("nobody", "the client had vanished")
        else:
            assert simulator.connections == (server,)  # it didn't see the client leave, either
        assert trio.current_time() - start < 700


async def test_a_vanished_connection_holds_its_session(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        async with dial(simulator) as client:
            await client.set_up(sessionResumption={})
            update = (await client.until("sessionResumptionUpdate"))[-1]
            (await simulator.accept()).vanish(noticed_after=100)
        handle = update["sessionResumptionUpdate"]["newHandle"]
        for wait, code in [(10, 1011), (100, None)]:
            autojump_clock.jump(wait)
            await wait_all_tasks_blocked()
            autojump_clock.jump(2)
            async with dial(simulator) as client:
                await client.send(setup={**SETUP, "sessionResumption": {"handle": handle}})
                first = await client.receive()
                assert (first.code if isinstance(first, Closed) else None) == code


# --- What a connection does while it lasts ---


async def test_it_may_stop_reading(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        server = await connected(simulator, client)
        server.stop_reading()
        written = 0
        with trio.move_on_after(100) as scope:
            while True:
                await client.send(realtimeInput={"text": "x" * 10_000})
                written += 10_000
        assert scope.cancelled_caught
        assert written < 200_000
        await server.send(wire.LiveServerMessage(go_away=wire.LiveServerGoAway(time_left=1)))
        assert "goAway" in (await client.until("goAway"))[-1]  # it still writes


async def test_what_was_not_read_is_read_after_a_thaw(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        server = await connected(simulator, client)
        server.stop_reading()
        await client.send(realtimeInput={"text": "say hello"})
        await nothing_for(10, client)
        server.thaw()
        assert spoken(await client.until("turnComplete")) == "hello"


async def test_pongs_may_be_late(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        server = await connected(simulator, client)
        server.delay_pongs(30)
        start = trio.current_time()
        await client.websocket.ping(b"1")
        assert trio.current_time() - start == pytest.approx(30)
        # Nothing else is late.
        assert spoken(await client.say("say hello")) == "hello"


@pytest.mark.parametrize("real", [False, True])
async def test_a_frame_of_fifteen_mebibytes(real: bool) -> None:
    async with open_simulator(port=0 if real else None, voice="tone") as simulator:
        if real:
            host, port = simulator.url.removeprefix("ws://").split(":")
            stream: trio.abc.Stream = await trio.open_tcp_stream(host, int(port))
        else:
            stream = await simulator.connector.connect()
        async with trio.open_nursery() as nursery:
            websocket = await trio_websocket.wrap_client_stream(
                nursery,
                stream,
                "localhost",
                BIDI,
                max_message_size=2**24,
                receive_buffer_size=2**16,
            )
            client = RawClient(websocket, stream)
            server = await connected(simulator, client)
            nursery.start_soon(server.send_large)
            message = await client.receive()
            assert isinstance(message, dict)
            data = message["serverContent"]["modelTurn"]["parts"][0]["inlineData"]["data"]
            assert len(data) == pytest.approx(15 * 2**20, abs=8)
            assert len(base64.b64decode(data)) % 2 == 0
            nursery.cancel_scope.cancel()
        await trio.aclose_forcefully(stream)


async def test_silence_after_go_away(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        server = await connected(simulator, client)
        await server.go_away(50, abort=False, silent=True)
        assert "goAway" in (await client.until("goAway"))[-1]
        await client.send(realtimeInput={"text": "Hello?"})
        await nothing_for(1000, client)
        await client.websocket.ping()  # the connection itself lives
        assert [turn.role for turn in server.history] == ["user"]


async def test_go_away_at_once(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        server = await connected(simulator, client)
        start = trio.current_time()
        await server.go_away(0)
        assert await client.receive() == {"goAway": {"timeLeft": "0s"}}
        assert (await client.closed()).code == 1008
        assert trio.current_time() == start


# --- How a connection begins ---


async def test_resumes_may_be_refused_for_ever(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, resume_lock=False) as simulator:
        simulator.refuse_next_setup(1008, "not today", times=None, only_resumes=True)
        async with dial(simulator) as client:
            await client.set_up(sessionResumption={})
            update = (await client.until("sessionResumptionUpdate"))[-1]
        resume = {"sessionResumption": update["sessionResumptionUpdate"]}
        resume = {"sessionResumption": {"handle": resume["sessionResumption"]["newHandle"]}}
        for _ in range(20):
            async with dial(simulator) as client:
                await client.send(setup={**SETUP, **resume})
                assert await client.receive() == Closed(1008, "not today")
        simulator.clear_faults()
        async with dial(simulator) as client:
            await client.set_up(**resume)


async def test_a_resume_may_come_back_empty(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, resume_lock=False) as simulator:
        simulator.empty_next_resume()
        async with dial(simulator) as client:  # a fresh session isn't meant
            await client.set_up(sessionResumption={})
            update = (await client.until("sessionResumptionUpdate"))[-1]
            await client.say("Remember this.")
        handle = update["sessionResumptionUpdate"]["newHandle"]
        answers = []
        for _ in range(2):
            async with dial(simulator) as client:
                resumption = {"sessionResumption": {"handle": handle}}
                await client.set_up(**resumption, outputAudioTranscription={})
                answers.append(spoken(await client.say("What did I say?")))
        assert answers[0] == "You haven't said anything before this."
        assert "Remember this." in answers[1]
        assert len(simulator.conversations) == 2


@pytest.mark.parametrize("then_complete", [True, False])
async def test_something_else_may_come_before_the_setup_is_complete(
    then_complete: bool, autojump_clock: MockClock
) -> None:
    async with open_simulator(port=None) as simulator:
        notice = wire.LiveServerMessage(go_away=wire.LiveServerGoAway(time_left=9))
        simulator.answer_next_setup(notice, then_complete=then_complete)
        async with dial(simulator) as client:
            await client.send(setup=SETUP)
            assert await client.receive() == {"goAway": {"timeLeft": "9s"}}
            if then_complete:
                assert await client.receive() == {"setupComplete": {}}
            else:
                await nothing_for(1000, client)
        async with dial(simulator) as client:
            await client.set_up()


async def test_a_setup_may_be_answered_by_the_end(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        simulator.drop_next_setup(times=2)
        for expected in (1006, 1006, None):
            async with dial(simulator) as client:
                await client.send(setup=SETUP)
                first = await client.receive()
                assert (first.code if isinstance(first, Closed) else None) == expected
        assert len(simulator.setups) == 3


@pytest.mark.parametrize("real", [False, True])
async def test_tcp_may_end_before_the_upgrade_is_answered(real: bool) -> None:
    async with open_simulator(port=0 if real else None, voice="tone") as simulator:
        simulator.drop_next_upgrade()
        if real:
            host, port = simulator.url.removeprefix("ws://").split(":")
            stream: trio.abc.Stream = await trio.open_tcp_stream(host, int(port))
        else:
            stream = await simulator.connector.connect()
        client = Bare(stream)
        await client.upgrade()
        assert await client.heard(10) == b""
        assert not client.open
        await stream.aclose()
        async with dial(simulator, real=real) as next_client:
            await next_client.set_up()


async def test_no_fault_outlives_the_block(autojump_clock: MockClock) -> None:
    before = trio.lowlevel.current_statistics().tasks_living
    async with open_simulator(port=None) as simulator:
        for fault in ("hold", "ignore", "vanish", "stop", "silence"):
            if fault == "silence":
                simulator.ignore_next_setup()
            client = Bare(await simulator.connector.connect())
            await client.set_up()
            if fault == "silence":
                break
            server = await simulator.accept()
            match fault:
                case "hold":
                    await server.close(1011, hold_open=True)
                case "ignore":
                    server.ignore_close()
                    await client.send(0x88, b"\x03\xe8")
                case "vanish":
                    server.vanish(noticed_after=None)
                case "stop":
                    server.stop_reading()
        await wait_all_tasks_blocked()
    assert trio.lowlevel.current_statistics().tasks_living == before
