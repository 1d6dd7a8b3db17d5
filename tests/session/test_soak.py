"""Short runs of ``benchmarks/soak.py``, and a long conversation in a short time."""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
import trio
from support import turn, until, words
from trio.testing import MockClock

from gemini_live_trio import SessionConfig, open_session
from gemini_live_trio.events import (
    Event,
    OutputTranscription,
    Reconnected,
    ReconnectState,
    TurnComplete,
)
from gemini_live_trio.simulator import open_simulator

PLACE = Path(__file__).parents[2] / "benchmarks" / "soak.py"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("soak", PLACE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["soak"] = module
    # As for a program, the folder of its other half; not for longer, for its names are common.
    sys.path.insert(0, str(PLACE.parent))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(PLACE.parent))
    return module


soak = load()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_or_doubled_that_could_be_known(seed: int) -> None:
    report = soak.run(disconnects=40, seed=seed, mode="ordinary")
    assert report.clean, str(report)
    assert sum(report.cuts.values()) == 40
    assert sum(report.fates.values()) == sum(report.sent.values())
    assert report.audio_doubled == 0
    assert report.descriptors[0] == report.descriptors[1]


@pytest.mark.parametrize("seed", [1, 2])
def test_transparent_resumption_is_exactly_once_for_every_message(seed: int) -> None:
    report = soak.run(disconnects=100, seed=seed, mode="transparent")
    assert report.clean, str(report)
    assert report.fates == {"confirmed": sum(report.sent.values())}
    assert report.unknowingly.total() == 0
    assert (report.audio_missing, report.audio_doubled) == (0, 0)
    assert report.states == {"resumed": 100}


def test_a_run_is_repeatable() -> None:
    first, second = (soak.run(disconnects=8, seed=7, mode="ordinary") for _ in range(2))
    assert (first.cuts, first.sent, first.gaps) == (second.cuts, second.sent, second.gaps)


def test_fifty_eight_minutes_and_their_rotations() -> None:
    """A conversation of 58 minutes over connections of ten."""

    async def main() -> None:
        states: list[ReconnectState] = []
        async with (
            open_simulator(port=None, connection_limit=590) as simulator,
            open_session(
                SessionConfig(model="gemini-3.8-live"), connector=simulator.connector
            ) as session,
        ):
            await session.send_text("My name is Ada.")
            await turn(session)
            for minute in range(1, 58):
                with trio.move_on_at(60 * minute):
                    while True:
                        states.append((await until(session, Reconnected)).state)
                await session.send_text(f"Minute {minute}.")
                said: list[Event] = []
                while not isinstance(event := await session.receive(), TurnComplete):
                    said.append(event)
                assert any(isinstance(event, OutputTranscription) for event in said)
            with trio.move_on_at(58 * 60):
                while True:
                    states.append((await until(session, Reconnected)).state)
            await session.send_text("What is my name?")
            assert "Ada" in words(await turn(session))
            assert len(simulator.conversations) == 1
            asked = [
                turn.text for turn in simulator.conversations[0].history if turn.role == "user"
            ]
            assert len(asked) == len(set(asked)) == 59
        assert states == [ReconnectState.RESUMED] * 6

    started = time.perf_counter()
    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert time.perf_counter() - started < 10  # about one second; a busy machine may take longer
