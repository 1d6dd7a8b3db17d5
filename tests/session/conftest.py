"""A simulator in memory, for sessions on a virtual clock."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from session.accounts import account as account
from session.accounts import endpoint as endpoint
from session.accounts import private_key as private_key
from support import Connect
from trio.testing import MockClock

from gemini_live_trio import LiveSession, SessionConfig, open_session
from gemini_live_trio.simulator import Simulator, open_simulator


@pytest.fixture
async def simulator(autojump_clock: MockClock) -> AsyncIterator[Simulator]:
    async with open_simulator(port=None) as running:
        yield running


@pytest.fixture
def connect(simulator: Simulator) -> Connect:
    """Open a session with the simulator, and hold every exit to its bound.

    Takes ``config=`` and the options of ``open_session``.
    """

    @asynccontextmanager
    async def connect(**options: Any) -> AsyncIterator[LiveSession]:
        config = options.pop("config", SessionConfig(model="gemini-3.8-live"))
        options.setdefault("connector", simulator.connector)
        left = math.inf
        try:
            async with open_session(config, **options) as session:
                try:
                    yield session
                finally:
                    left = trio.current_time()
        finally:
            assert trio.current_time() <= left + options.get("close_timeout", 2) + 0.1

    return connect
