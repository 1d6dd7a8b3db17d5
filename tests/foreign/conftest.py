"""One simulator for each module, and a process for each SDK."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from foreign.driving import KEY, SDKS, Sdk, driven, need

from gemini_live_trio.testing import SimulatorThread, simulator_in_thread


@pytest.fixture(scope="module")
def place() -> Iterator[SimulatorThread]:
    """A simulator that waits for nothing."""
    with simulator_in_thread(tls=True, api_key=KEY, pace=0, voice="tone") as place:
        yield place


@pytest.fixture(scope="module", params=SDKS)
def process(
    request: pytest.FixtureRequest, place: SimulatorThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Sdk]:
    """An SDK's process, whose sessions go to the simulator."""
    need(request.param)
    with driven(request.param, place, tmp_path_factory.mktemp("foreign")) as process:
        yield process


@pytest.fixture
def sdk(process: Sdk) -> Iterator[Sdk]:
    """The same, without a session left over from the test before."""
    yield process
    process.close()
