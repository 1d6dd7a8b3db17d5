"""The pytest plugin: fixtures with a simulator of the Gemini Live service.

It is a module beside the package, because pytest imports every installed plugin at its start, and
importing the package takes a quarter of a second. Whoever doesn't use a fixture doesn't pay for it.
``docs/testing.md`` tells what there is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from difflib import get_close_matches
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from gemini_live_trio import LiveSession
    from gemini_live_trio.simulator import Simulator
    from gemini_live_trio.testing import SimulatorThread

MODEL = "gemini-3.8-live"
_SIMULATOR_MARK = "gemini_simulator"
_SESSION_MARK = "gemini_session"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks, and the fixtures that fit what is installed."""
    config.addinivalue_line(
        "markers",
        "gemini_simulator(**options): options of open_simulator for the fixtures gemini_simulator, "
        "gemini_simulator_thread and gemini_simulator_url",
    )
    config.addinivalue_line(
        "markers",
        "gemini_session(**fields): fields of SessionConfig for the fixture gemini_session",
    )
    manager = config.pluginmanager
    if manager.has_plugin("trio"):
        manager.register(_trio_fixtures(), "gemini_live_trio_fixtures")
    else:
        manager.register(_NeedsTrio(), "gemini_live_trio_fixtures")


def _options(
    request: pytest.FixtureRequest, mark: str, target: Callable[..., object]
) -> dict[str, Any]:
    """Collect the arguments of all marks of a name, nearest first, and check them by ``target``."""
    options: dict[str, Any] = {}
    for found in reversed(list(request.node.iter_markers(mark))):
        if found.args:
            pytest.fail(f"the mark {mark} takes arguments by name", pytrace=False)
        options.update(found.kwargs)
    known = list(signature(target).parameters)
    for name in options:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            pytest.fail(f"the mark {mark} knows no {name!r}{hint}", pytrace=False)
    return options


@pytest.fixture
def gemini_simulator_thread(request: pytest.FixtureRequest) -> Iterator[SimulatorThread]:
    """A simulator on a real port, in a thread: for clients that know nothing of Trio."""
    from gemini_live_trio.simulator import open_simulator
    from gemini_live_trio.testing import simulator_in_thread

    options = _options(request, _SIMULATOR_MARK, open_simulator)
    with simulator_in_thread(**options) as running:
        yield running


@pytest.fixture
def gemini_simulator_url(gemini_simulator_thread: SimulatorThread) -> str:
    """Where the simulator in a thread is: ``ws://127.0.0.1:PORT``."""
    return gemini_simulator_thread.url


class _NeedsTrio:
    """What stands for the fixtures of Trio's tests where pytest-trio isn't installed."""

    @pytest.fixture
    def gemini_simulator(self) -> None:
        """A simulator, in a test of pytest-trio."""
        _fail("gemini_simulator")

    @pytest.fixture
    def gemini_session(self) -> None:
        """A session with a simulator, in a test of pytest-trio."""
        _fail("gemini_session")


def _fail(name: str) -> None:
    pytest.fail(
        f'The fixture {name} needs pytest-trio: pip install "gemini-live-trio[test]". '
        "Tests without Trio can have gemini_simulator_url.",
        pytrace=False,
    )


def _trio_fixtures() -> object:
    # pytest-trio has no type annotations.
    trio_fixture: Callable[[Callable[..., Any]], Callable[..., Any]]
    trio_fixture = import_module("pytest_trio").trio_fixture

    class Fixtures:
        @trio_fixture
        async def gemini_simulator(
            self, request: pytest.FixtureRequest
        ) -> AsyncIterator[Simulator]:
            """A simulator in memory; with the mark's ``port=0`` on a real port as well."""
            from gemini_live_trio.simulator import open_simulator

            options = _options(request, _SIMULATOR_MARK, open_simulator)
            async with open_simulator(**{"port": None, **options}) as simulator:
                yield simulator

        @trio_fixture
        async def gemini_session(
            self, request: pytest.FixtureRequest, gemini_simulator: Simulator
        ) -> AsyncIterator[LiveSession]:
            """An open session with the simulator, in memory."""
            from gemini_live_trio import SessionConfig, open_session

            fields = _options(request, _SESSION_MARK, SessionConfig)
            config = SessionConfig(**{"model": MODEL, **fields})
            async with open_session(config, connector=gemini_simulator.connector) as session:
                yield session

    return Fixtures()
