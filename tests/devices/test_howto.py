"""The programs of the pages about sound and the screen, run as they are printed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from devices.sounds import needs_sound, play_raw, tone

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
PATIENCE = 60


def programs(page: str) -> list[str]:
    text = (HOWTO / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
    return [block for block in blocks if "trio.run" in block]


def output(program: str) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@needs_sound
def test_the_list_of_devices_names_the_default() -> None:
    assert "(default)" in output(programs("audio.md")[0])


@needs_sound
def test_a_canceller_by_hand() -> None:
    (program,) = programs("echo.md")
    assert output(program)


@pytest.mark.skipif("DISPLAY" not in os.environ, reason="Xvfb isn't installed")
def test_the_screen_is_shown() -> None:
    pytest.importorskip("Xlib", reason="needs the extra screen")
    (program,) = programs("screen.md")
    assert output(program).startswith("I see a JPEG image, 1280 by 720 pixels.")


async def keep_talking() -> None:
    while True:
        await play_raw(tone(1.0, rate_hz=16_000) + bytes(64_000))


@needs_sound
async def test_the_first_conversation_writes_along_and_ends_by_ctrl_c() -> None:
    program = programs("audio.md")[1]
    with trio.fail_after(PATIENCE):
        process = await trio.lowlevel.open_process(
            [sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            printed = b""
            async with trio.open_nursery() as nursery:
                nursery.start_soon(keep_talking)
                async for piece in process.stdout:
                    printed += piece
                    if b"of speech]" in printed:
                        break
                nursery.cancel_scope.cancel()
            process.send_signal(signal.SIGINT)
            complaints = b"".join([piece async for piece in process.stderr])
            assert b"Traceback" not in complaints
            assert await process.wait() == 0
        finally:
            process.kill()
    assert printed.startswith(b"Speak; Ctrl-C ends it.\nyou: [")
