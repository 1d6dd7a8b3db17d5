"""The pytest plugin, in runs of pytest of its own."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import trio

import _gemini_live_trio_pytest
from gemini_live_trio.simulator import Scene
from gemini_live_trio.testing import simulator_in_thread

PLUGIN = "_gemini_live_trio_pytest"
INSTALLED = any(
    entry.value == PLUGIN for entry in importlib.metadata.entry_points(group="pytest11")
)
HEAD = """
import asyncio
import socket

import pytest
import trio

from gemini_live_trio.events import Reconnected, TurnComplete


def address(url):
    host, port = url.removeprefix("ws://").split(":")
    return host, int(port)

"""


def run_pytest(
    folder: Path, test: str, *options: str, head: str = HEAD
) -> subprocess.CompletedProcess[str]:
    """Run pytest on one file, as somebody would who has installed the package."""
    (folder / "test_it.py").write_text(head + textwrap.dedent(test))
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    home = str(Path(_gemini_live_trio_pytest.__file__).parent)
    path = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    chosen = [] if INSTALLED else ["-p", PLUGIN]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--strict-markers", *chosen, *options, "."],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )


def passed(run: subprocess.CompletedProcess[str], count: int) -> None:
    assert f"{count} passed" in run.stdout, run.stdout + run.stderr
    assert run.returncode == 0, run.stdout


def test_a_session_and_its_simulator_on_a_virtual_clock(tmp_path: Path) -> None:
    run = run_pytest(
        tmp_path,
        """
        async def test_it_goes_on_after_a_drop(gemini_session, gemini_simulator, autojump_clock):
            assert gemini_simulator.url.endswith(".invalid")
            await gemini_session.send_text("Hello")
            await (await gemini_simulator.accept()).drop()
            async for event in gemini_session:
                if isinstance(event, Reconnected):
                    return
        """,
        "-o",
        "trio_mode=true",
    )
    passed(run, 1)


def test_marks_pass_options(tmp_path: Path) -> None:
    run = run_pytest(
        tmp_path,
        """
        pytestmark = pytest.mark.gemini_simulator(connection_limit=60, pace=0)

        @pytest.mark.trio
        @pytest.mark.gemini_session(model="gemini-3.1-flash-live-preview")
        async def test_the_session_has_its_model(gemini_session, gemini_simulator, autojump_clock):
            assert gemini_simulator.setups[0].model == "models/gemini-3.1-flash-live-preview"
            async for event in gemini_session:
                if isinstance(event, Reconnected):
                    assert 5 < trio.current_time() < 65
                    return

        @pytest.mark.trio
        @pytest.mark.gemini_simulator(port=0)
        async def test_a_real_port(gemini_simulator):
            stream = await trio.open_tcp_stream(*address(gemini_simulator.url))
            await stream.aclose()
        """,
    )
    passed(run, 2)


def test_clients_without_trio_have_a_simulator_in_a_thread(tmp_path: Path) -> None:
    run = run_pytest(
        tmp_path,
        """
        def test_sync(gemini_simulator_url):
            socket.create_connection(address(gemini_simulator_url)).close()

        @pytest.mark.gemini_simulator(api_key="a")
        def test_asyncio(gemini_simulator_thread):
            async def main():
                running = gemini_simulator_thread
                running.run_sync(running.simulator.reject_next_upgrade, 418)
                running.run(running.simulator.go_away, 5)
                reader, writer = await asyncio.open_connection(*address(running.url))
                writer.write(
                    b"GET /ws/google.ai.generativelanguage.v1beta.GenerativeService"
                    b".BidiGenerateContent HTTP/1.1\\r\\nHost: localhost\\r\\n"
                    b"Connection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
                    b"Sec-WebSocket-Version: 13\\r\\n"
                    b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\\r\\n\\r\\n"
                )
                assert b"418" in await reader.readline()
                writer.close()
                await writer.wait_closed()
            asyncio.run(main())
        """,
    )
    passed(run, 2)


def test_without_pytest_trio_it_says_what_to_install(tmp_path: Path) -> None:
    run = run_pytest(
        tmp_path,
        """
        def test_no(gemini_session):
            pass

        def test_yes(gemini_simulator_url):
            assert gemini_simulator_url.startswith("ws://127.0.0.1:")
        """,
        "-p",
        "no:trio",
    )
    assert "1 passed, 1 error" in run.stdout
    assert 'The fixture gemini_session needs pytest-trio: pip install "gemini' in run.stdout
    assert "Traceback" not in run.stdout


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        ("gemini_simulator('x')", "takes arguments by name"),
        ("gemini_simulator(voice='nobody')", "nobody"),
        ("gemini_simulator(port=None)", "needs a port"),
        ("gemini_simulator(pce=0)", "knows no 'pce'; did you mean pace?"),
    ],
)
def test_a_wrong_mark_is_told(mark: str, text: str, tmp_path: Path) -> None:
    run = run_pytest(
        tmp_path,
        f"""
        @pytest.mark.{mark}
        def test_it(gemini_simulator_url):
            pass
        """,
    )
    assert "1 error" in run.stdout
    assert text in run.stdout


def test_whoever_uses_no_fixture_doesn_t_pay_for_it(tmp_path: Path) -> None:
    run = run_pytest(
        tmp_path,
        """
        import sys

        def test_it():
            heavy = {"gemini_live_trio", "trio_websocket", "cattrs", "orjson", "hypothesis"}
            assert heavy & set(sys.modules) == set()
        """,
        *("-p", "no:trio", "-p", "no:hypothesispytest"),  # which have their own price
        head="",
    )
    passed(run, 1)


def test_the_fixtures_are_documented() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "pytest", "--markers", *([] if INSTALLED else ["-p", PLUGIN])],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(_gemini_live_trio_pytest.__file__).parent)},
    ).stdout
    assert "@pytest.mark.gemini_simulator(**options)" in help_text
    assert "@pytest.mark.gemini_session(**fields)" in help_text


# --- The same without pytest ---


def test_a_simulator_in_a_thread_ends_with_its_block() -> None:
    with simulator_in_thread(pace=0) as running:
        assert running.run_sync(lambda: running.simulator.setups) == ()
    with pytest.raises(OSError), simulator_in_thread(host="192.0.2.1"):  # noqa: PT011 (as it is)
        raise AssertionError
    with pytest.raises(KeyError, match="mine"), simulator_in_thread():
        raise KeyError("mine")


def test_who_calls_a_simulator_that_is_over_is_told_why() -> None:
    async def script(_server: Scene) -> None:
        await trio.lowlevel.checkpoint()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"), simulator_in_thread(script=script) as running:
        with pytest.raises(trio.RunFinishedError, match="the simulator is over") as caught:
            running.run(trio.sleep_forever)
        assert isinstance(caught.value.__cause__, KeyError)
        for call in (running.run_sync, running.run):
            with pytest.raises(trio.RunFinishedError) as caught:
                call(trio.lowlevel.checkpoint)
            assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(IndexError) as mine, simulator_in_thread(script=script) as running:
        with pytest.raises(trio.RunFinishedError):
            running.run(trio.sleep_forever)
        raise IndexError
    assert mine.value.__notes__ == ["The simulator failed as well: KeyError('mine')"]
    with simulator_in_thread() as running:
        pass
    with pytest.raises(trio.RunFinishedError) as caught:
        running.run_sync(int)
    assert caught.value.__cause__ is None


STOPPED = """
import signal, threading, trio
from gemini_live_trio.testing import simulator_in_thread

arrived = threading.Event()
main = threading.main_thread().ident

def stop(*arguments):
    arrived.set()
    raise KeyboardInterrupt

def ctrl_c():
    signal.pthread_kill(main, signal.SIGINT)
    arrived.wait()

class Script:
    def __fspath__(self):
        if not arrived.is_set():
            ctrl_c()
        return __FILE__

async def at_the_end():
    try:
        await trio.sleep_forever()
    finally:
        ctrl_c()

signal.signal(signal.SIGINT, stop)
options = {"script": Script()} if WHEN == "it starts" else {}
try:
    with simulator_in_thread(**options) as running:
        if WHEN == "it ends":
            running.run_sync(trio.lowlevel.spawn_system_task, at_the_end)
        else:
            ctrl_c()
except KeyboardInterrupt:
    print(WHEN, [thread.name for thread in threading.enumerate() if "simulator" in thread.name])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent another way there")
@pytest.mark.parametrize("when", ["it starts", "it serves", "it ends"])
def test_ctrl_c_ends_the_thread(when: str, tmp_path: Path) -> None:
    script = tmp_path / "play.jsonl"
    script.write_text('{"connection": "next"}')
    done = subprocess.run(
        [sys.executable, "-c", f"WHEN, __FILE__ = {when!r}, {str(script)!r}\n{STOPPED}"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{when} []\n", "")


# --- The page ---


def test_the_examples_of_the_page_run(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "testing.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    tests = [block for block in blocks if "def test_" in block]
    assert len(tests) == 2
    for block in tests:
        passed(run_pytest(tmp_path, block, head=""), 2)
