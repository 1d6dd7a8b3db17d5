"""Connections that end, or don't, in every way that was seen or feared."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
import trio_websocket
from support import Connect, turn, until, words
from trio.testing import MockClock

from gemini_live_trio import (
    Liveness,
    ReconnectPolicy,
    SessionConfig,
    Status,
    Target,
    open_session,
)
from gemini_live_trio._closes import CLOSES, Close, Phase, classify
from gemini_live_trio.errors import (
    ConnectError,
    ConnectionLost,
    GeminiLiveError,
    SetupError,
    SetupRejected,
)
from gemini_live_trio.events import (
    GoAway,
    ModelAudio,
    Reconnected,
    Reconnecting,
    ReconnectState,
    ResumptionUpdate,
    ToolCall,
)
from gemini_live_trio.simulator import Simulator

CONFIG = SessionConfig(model="gemini-3.8-live")
SETUP_COMPLETE = b'{"setupComplete":{}}'
HANDLE = b'{"sessionResumptionUpdate":{"newHandle":"h","resumable":true}}'

Talk = Callable[[trio_websocket.WebSocketConnection], Awaitable[None]]


class Scripted:
    """A server whose connections follow a script, one function each; the last one repeats."""

    def __init__(self, nursery: trio.Nursery, *talks: Talk) -> None:
        self._nursery = nursery
        self._talks = list(talks)
        self.dialled = 0

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()
        talk = self._talks[min(self.dialled, len(self._talks) - 1)]
        self.dialled += 1
        self._nursery.start_soon(self._serve, theirs, talk)
        await trio.lowlevel.checkpoint()
        return ours

    async def _serve(self, stream: trio.abc.Stream, talk: Talk) -> None:
        try:
            async with trio.open_nursery() as nursery:
                request = await trio_websocket.wrap_server_stream(nursery, stream)  # type: ignore[arg-type]
                await talk(await request.accept())
                nursery.cancel_scope.cancel()
        except* (trio_websocket.ConnectionClosed, trio.BrokenResourceError):
            pass


async def welcome(peer: trio_websocket.WebSocketConnection) -> None:
    await peer.get_message()
    await peer.send_message(SETUP_COMPLETE)
    await peer.send_message(HANDLE)


async def stay(peer: trio_websocket.WebSocketConnection) -> None:
    await welcome(peer)
    while True:
        await peer.get_message()


def exit_is_quick(start: float, *, close_timeout: float = 2) -> None:
    assert trio.current_time() - start <= close_timeout + 0.1


SEEN = sorted({(rule.code or 1011, rule.prefix) for rule in CLOSES})


@pytest.mark.parametrize(("code", "reason"), SEEN)
async def test_every_close_in_mid_session(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect, code: int, reason: str
) -> None:
    if code == 1006:
        pytest.skip("no close frame says 1006; a drop is tested by itself")
    rule = classify(Close("server", code, reason), Phase.SESSION)
    told: ConnectionLost | None = None
    try:
        async with connect() as session:
            await until(session, ResumptionUpdate)
            await (await simulator.accept()).close(code, reason)
            state = (await until(session, Reconnected)).state
            assert state is ReconnectState.RESUMED
    except ConnectionLost as error:
        told = error
    assert (told is None) is rule.retry
    if told is not None:
        assert (told.code, told.reason, told.cause) == (code, reason, rule.cause)


@pytest.mark.parametrize(("code", "reason"), SEEN)
async def test_every_close_of_the_first_setup(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect, code: int, reason: str
) -> None:
    if code == 1006:
        pytest.skip("no close frame says 1006")
    simulator.refuse_next_setup(code, reason)
    with pytest.raises(SetupRejected) as caught:
        async with connect():
            pytest.fail("there is no session")
    assert (caught.value.code, caught.value.reason) == (code, reason)
    assert caught.value.advice


@pytest.mark.parametrize(("code", "reason"), SEEN)
async def test_every_close_of_a_resume(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect, code: int, reason: str
) -> None:
    if code == 1006:
        pytest.skip("no close frame says 1006")
    rule = classify(Close("server", code, reason), Phase.RESUME)
    told: GeminiLiveError | None = None
    try:
        async with connect() as session:
            await until(session, ResumptionUpdate)
            simulator.refuse_next_setup(code, reason, only_resumes=True)
            await simulator.drop_all()
            state = (await until(session, Reconnected)).state
            assert (state is ReconnectState.RESUMED) is not rule.drops_handle
    except ConnectionLost as error:
        told = error
    assert (told is None) is rule.retry


async def test_a_handle_that_is_refused_for_ever_is_given_up_for_a_fresh_session(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await session.send_text("My name is Ada.")
        await turn(session)
        simulator.refuse_next_setup(
            1008, "BidiGenerateContent session expired", times=99, only_resumes=True
        )
        await simulator.drop_all()
        back = await until(session, Reconnected)
        assert back.state is ReconnectState.RESEEDED
        assert back.attempts == 2


async def test_not_yet_is_tried_again_a_second_later_with_the_same_handle(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await until(session, ResumptionUpdate)
        simulator.refuse_next_setup(1011, "Internal error encountered.", times=2, only_resumes=True)
        await simulator.drop_all()
        back = await until(session, Reconnected)
        assert back.state is ReconnectState.RESUMED
        assert back.attempts >= 3
        assert back.gap_seconds >= 2


async def test_blame_twice_within_a_minute_is_final(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    with pytest.raises(ConnectionLost) as caught:
        async with connect() as session:
            for _ in range(2):
                await (await simulator.accept()).close(
                    1007, "Request contains an invalid argument."
                )
                await until(session, Reconnected)
    assert caught.value.cause == "invalid_argument"


async def test_a_dead_peer_is_noticed_in_a_minute_and_replaced(autojump_clock: MockClock) -> None:
    async def dead(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        peer._reader_running = False
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        server = Scripted(nursery, dead, stay)
        async with open_session(CONFIG, connector=server) as session:
            await until(session, ResumptionUpdate)
            start = trio.current_time()
            trying = await until(session, Reconnecting)
            assert trio.current_time() - start == pytest.approx(60, abs=1)
            assert "this client gave the connection up" in trying.cause
            await until(session, Reconnected)
        nursery.cancel_scope.cancel()


async def test_pongs_half_a_minute_late_are_life(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect() as session:
        await until(session, ResumptionUpdate)
        server = await simulator.accept()
        server.delay_pongs(30)
        with trio.move_on_after(1000):
            await until_forever(session)
        assert session.status is Status.CONNECTED
        assert server.ending is None


async def until_forever(session: trio.abc.ReceiveChannel[object]) -> None:
    async for _ in session:
        pass


async def test_pings_of_the_peer_are_answered_while_nobody_receives(
    autojump_clock: MockClock,
) -> None:
    answered = trio.Event()

    async def ping(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        for _ in range(100):
            await peer.send_message(b'{"serverContent":{"inputTranscription":{"text":"x"}}}')
        await peer.ping()
        answered.set()
        await stay(peer)

    async with trio.open_nursery() as nursery:
        async with open_session(CONFIG, connector=Scripted(nursery, ping)):
            with trio.fail_after(1):
                await answered.wait()
        nursery.cancel_scope.cancel()


def before_the_echo(peer: trio_websocket.WebSocketConnection, frame: bytes) -> None:
    """Have a peer write a frame between our close frame and its answer."""
    write = peer._stream.send_all

    async def write_first(data: bytes) -> None:
        if data[:1] == b"\x88":
            await write(frame)
        await write(data)

    peer._stream.send_all = write_first  # type: ignore[method-assign,assignment]


async def test_a_ping_between_our_close_and_its_echo(autojump_clock: MockClock) -> None:
    async def ping_late(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        before_the_echo(peer, b"\x89\x00")
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        async with open_session(CONFIG, connector=Scripted(nursery, ping_late)) as session:
            await until(session, ResumptionUpdate)
            start = trio.current_time()
        exit_is_quick(start)
        nursery.cancel_scope.cancel()


async def test_a_tool_call_that_crosses_our_goodbye_is_heard(autojump_clock: MockClock) -> None:
    call = b'{"toolCall":{"functionCalls":[{"id":"1","name":"f"}]}}'

    async def call_late(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        await peer.send_message(b'{"goAway":{"timeLeft":"50s"}}')
        before_the_echo(peer, bytes([0x82, len(call)]) + call)
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        server = Scripted(nursery, call_late, stay)
        async with open_session(CONFIG, connector=server) as session:
            assert (await until(session, ToolCall)).id == "1"
            assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
        nursery.cancel_scope.cancel()


async def test_a_peer_that_never_answers_our_goodbye(autojump_clock: MockClock) -> None:
    async def deaf(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        peer._reader_running = False
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        async with open_session(CONFIG, connector=Scripted(nursery, deaf)) as session:
            await until(session, ResumptionUpdate)
            start = trio.current_time()
        exit_is_quick(start)
        nursery.cancel_scope.cancel()


async def test_a_peer_that_stops_reading_can_not_hold_the_exit(autojump_clock: MockClock) -> None:
    class Stuck:
        """Takes the setup, then nothing more."""

        async def connect(self, target: Target, /) -> trio.abc.Stream:
            stream = await inner.connect(target)
            assert isinstance(stream, trio.StapledStream)
            deliver = stream.send_stream.send_all_hook  # type: ignore[attr-defined]
            writes = 0

            async def choke() -> None:
                nonlocal writes
                writes += 1
                if writes > 2:
                    await trio.sleep_forever()
                await deliver()

            stream.send_stream.send_all_hook = choke  # type: ignore[attr-defined]
            return stream

    async with trio.open_nursery() as nursery:
        inner = Scripted(nursery, stay)
        async with open_session(CONFIG, connector=Stuck()) as session:
            await until(session, ResumptionUpdate)
            for _ in range(50):
                await session.send_text("into the void")
            start = trio.current_time()
        exit_is_quick(start)
        nursery.cancel_scope.cancel()


async def test_a_close_frame_with_tcp_left_open(autojump_clock: MockClock) -> None:
    async def close_and_hold(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        await peer._send(trio_websocket._impl.CloseConnection(code=1011, reason="Internal error"))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        server = Scripted(nursery, close_and_hold, stay)
        async with open_session(CONFIG, connector=server) as session:
            back = await until(session, Reconnected)
            assert back.gap_seconds < 1
            start = trio.current_time()
        exit_is_quick(start)
        nursery.cancel_scope.cancel()


async def test_a_first_message_that_is_no_confirmation(autojump_clock: MockClock) -> None:
    async def go_away_first(peer: trio_websocket.WebSocketConnection) -> None:
        await peer.get_message()
        await peer.send_message(b'{"goAway":{"timeLeft":"5s"}}')
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        with pytest.raises(SetupError, match="instead of setupComplete"):
            async with open_session(CONFIG, connector=Scripted(nursery, go_away_first)):
                pytest.fail("there is no session")
        nursery.cancel_scope.cancel()


async def test_an_error_instead_of_a_confirmation(autojump_clock: MockClock) -> None:
    async def fail(peer: trio_websocket.WebSocketConnection) -> None:
        await peer.get_message()
        await peer.send_message(b'{"error":{"code":400,"message":"No such model"}}')
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        with pytest.raises(SetupError, match="No such model"):
            async with open_session(CONFIG, connector=Scripted(nursery, fail)):
                pytest.fail("there is no session")
        nursery.cancel_scope.cancel()


async def test_frames_of_fifteen_mebibytes(autojump_clock: MockClock) -> None:
    async def big(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        data = "A" * (15 * 2**20)
        part = f'{{"inlineData":{{"mimeType":"audio/pcm","data":"{data}"}}}}'
        await peer.send_message(
            f'{{"serverContent":{{"modelTurn":{{"parts":[{part}]}}}}}}'.encode()
        )
        await stay(peer)

    async with trio.open_nursery() as nursery:
        async with open_session(CONFIG, connector=Scripted(nursery, big)) as session:
            assert len((await until(session, ModelAudio)).pcm) == 15 * 2**20 * 3 // 4
        nursery.cancel_scope.cancel()


async def test_a_frame_beyond_every_bound_ends_in_a_sentence(autojump_clock: MockClock) -> None:
    async def flood(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        await peer.send_message(b" " * (17 * 2**20))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        with pytest.raises(ConnectionLost) as caught:
            async with open_session(CONFIG, connector=Scripted(nursery, flood)) as session:
                await until(session, Reconnected)
        assert (caught.value.code, caught.value.cause) == (1009, "too_big")
        nursery.cancel_scope.cancel()


async def test_go_away_and_then_silence(autojump_clock: MockClock) -> None:
    async def mute(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        await peer.send_message(b'{"serverContent":{"outputTranscription":{"text":"I was about"}}}')
        await peer.send_message(b'{"goAway":{"timeLeft":"30s"}}')
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        async with open_session(CONFIG, connector=Scripted(nursery, mute, stay)) as session:
            await until(session, GoAway)
            start = trio.current_time()
            await until(session, Reconnected)
            assert 27 < trio.current_time() - start < 31
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("left", [0.0, 1.0])
async def test_go_away_at_once_in_mid_turn(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect, left: float
) -> None:
    async with connect() as session:
        server = await simulator.accept()
        await session.send_text("Tell me something long, please, as long as you can.")
        await until(session, ModelAudio)
        await server.go_away(left)
        assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
        await session.send_text("Go on.")
        while not words(await turn(session)):
            pass


async def test_a_drop_before_the_first_handle(autojump_clock: MockClock) -> None:
    async def drop(peer: trio_websocket.WebSocketConnection) -> None:
        await peer.get_message()
        await peer.send_message(SETUP_COMPLETE)
        await trio.aclose_forcefully(peer._stream)

    async with trio.open_nursery() as nursery:
        async with open_session(CONFIG, connector=Scripted(nursery, drop, stay)) as session:
            assert (await until(session, Reconnected)).state is ReconnectState.FRESH
        nursery.cancel_scope.cancel()


async def test_a_drop_during_every_step_of_a_reconnect(autojump_clock: MockClock) -> None:
    async def drop_at_once(peer: trio_websocket.WebSocketConnection) -> None:
        await trio.aclose_forcefully(peer._stream)

    async def drop_at_setup(peer: trio_websocket.WebSocketConnection) -> None:
        await peer.get_message()
        await trio.aclose_forcefully(peer._stream)

    async def drop_after(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        await trio.aclose_forcefully(peer._stream)

    async with trio.open_nursery() as nursery:
        talks = (drop_after, drop_at_once, drop_at_setup, drop_after, drop_at_once, stay)
        server = Scripted(nursery, *talks)
        async with open_session(CONFIG, connector=server) as session:
            for _ in range(2):
                assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
        assert server.dialled == len(talks)
        nursery.cancel_scope.cancel()


async def test_a_setup_that_is_never_answered_on_a_reconnect(autojump_clock: MockClock) -> None:
    async def mute(peer: trio_websocket.WebSocketConnection) -> None:
        await trio.sleep_forever()

    async def drop(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        await trio.aclose_forcefully(peer._stream)

    async with trio.open_nursery() as nursery:
        server = Scripted(nursery, drop, mute, stay)
        async with open_session(CONFIG, connector=server, setup_timeout=5) as session:
            back = await until(session, Reconnected)
            assert back.attempts == 2
            assert 5 <= back.gap_seconds < 8
        nursery.cancel_scope.cancel()


async def test_two_failures_at_once_leave_as_the_users(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    error = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        async with connect() as session:
            await until(session, ResumptionUpdate)
            await (await simulator.accept()).close(1007, "API key not valid.")
            await trio.testing.wait_all_tasks_blocked()
            raise error
    assert caught.value is error


async def test_a_proxy_that_cuts_at_a_fixed_age_is_forestalled(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    async with connect(reconnect=ReconnectPolicy(max_connection_age=120)) as session:
        await until(session, ResumptionUpdate)
        start = trio.current_time()
        for number in (1, 2):
            assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
            assert trio.current_time() - start == pytest.approx(120 * number, abs=10)


async def test_a_spare_that_can_not_be_dialled_keeps_the_old_connection(
    autojump_clock: MockClock, simulator: Simulator, connect: Connect
) -> None:
    class Flaky:
        tried = 0

        async def connect(self, target: Target, /) -> trio.abc.Stream:
            self.tried += 1
            if self.tried in (2, 3):
                raise OSError("no route")
            return await simulator.connector.connect(target)

    async with connect(connector=Flaky()) as session:
        await until(session, ResumptionUpdate)
        await (await simulator.accept()).go_away(50)
        back = await until(session, Reconnected)
        assert back.state is ReconnectState.RESUMED
        assert back.gap_seconds < 3


async def test_an_unreadable_first_address_is_a_connect_error(autojump_clock: MockClock) -> None:
    class Broken:
        async def connect(self, target: Target, /) -> trio.abc.Stream:
            raise ConnectError("no way", stage="tcp")

    with pytest.raises(ConnectError, match="no way"):
        async with open_session(CONFIG, connector=Broken()):
            pytest.fail("there is no session")


async def test_a_frozen_model_is_left_for_another_connection_when_wanted(
    autojump_clock: MockClock,
) -> None:
    async def frozen(peer: trio_websocket.WebSocketConnection) -> None:
        await welcome(peer)
        await peer.get_message()
        await peer.send_message(b'{"serverContent":{"outputTranscription":{"text":"I was"}}}')
        await stay_open(peer)

    async with trio.open_nursery() as nursery:
        server = Scripted(nursery, frozen, stay)
        liveness = Liveness(stalled_after=10, recover_after=20)
        async with open_session(CONFIG, connector=server, liveness=liveness) as session:
            await session.send_text("Are you there?")
            trying = await until(session, Reconnecting)
            assert "the model said nothing for" in trying.cause
            await until(session, Reconnected)
        nursery.cancel_scope.cancel()


async def stay_open(peer: trio_websocket.WebSocketConnection) -> None:
    while True:
        await peer.get_message()
