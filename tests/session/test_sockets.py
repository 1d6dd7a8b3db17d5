"""The same over a real socket, on the real clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
from support import turn, until, words

from gemini_live_trio import ApiKey, GeminiApi, SessionConfig, TcpConnector, open_session
from gemini_live_trio.errors import ConnectError, SetupRejected
from gemini_live_trio.events import Reconnected, Reconnecting, ReconnectState, ResumptionUpdate
from gemini_live_trio.simulator import open_simulator


def config_for(url: str, key: str | None = None) -> SessionConfig:
    return SessionConfig(
        model="gemini-3.8-live",
        endpoint=GeminiApi(base_url=url),
        auth=ApiKey(key) if key else None,
    )


async def test_a_conversation_over_tcp() -> None:
    async with (
        open_simulator(voice="tone", pace=0.1) as simulator,
        open_session(config_for(simulator.url)) as session,
    ):
        await session.send_text("Hello!")
        assert "Hello" in words(await turn(session))


async def test_a_server_killed_and_brought_back_on_the_same_port() -> None:
    async with open_simulator(voice="tone", pace=0.1) as first:
        port = int(first.url.rpartition(":")[2])
        async with open_session(config_for(first.url)) as session:
            await until(session, ResumptionUpdate)
            await first.aclose()
            await until(session, Reconnecting)
            async with open_simulator(voice="tone", pace=0.1, port=port):
                back = await until(session, Reconnected)
                assert back.state is ReconnectState.FRESH
                await session.send_text("Hello again!")
                assert words(await turn(session))
                await session.aclose()


async def test_keys_are_checked() -> None:
    async with open_simulator(api_key="right", voice="tone", pace=0.1) as simulator:
        async with open_session(config_for(simulator.url, "right")):
            pass
        with pytest.raises(SetupRejected) as wrong:
            async with open_session(config_for(simulator.url, "wrong")):
                pytest.fail("there should be no session")
        assert (wrong.value.code, wrong.value.reason[:17]) == (1007, "API key not valid")
        assert "wrong" not in str(wrong.value)
        with pytest.raises(SetupRejected, match="unregistered callers"):
            async with open_session(config_for(simulator.url)):
                pytest.fail("there should be no session")


async def test_nobody_listens() -> None:
    async with open_simulator(voice="tone") as simulator:
        url = simulator.url
    with pytest.raises(ConnectError, match="Nothing answers"):
        async with open_session(config_for(url), connector=TcpConnector()):
            pytest.fail("there should be no session")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to count descriptors")
async def test_no_descriptor_remains() -> None:
    async with open_simulator(voice="tone", pace=0.1, resume_lock=False) as simulator:
        counts = []
        for _ in range(5):
            async with open_session(config_for(simulator.url)) as session:
                await until(session, ResumptionUpdate)
                await simulator.drop_all()
                await until(session, Reconnected)
            while simulator.connections:
                await trio.lowlevel.checkpoint()
            counts.append(len(os.listdir("/proc/self/fd")))  # noqa: PTH208
        assert counts[-1] == counts[0]
