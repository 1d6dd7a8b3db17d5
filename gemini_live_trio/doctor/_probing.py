"""The devices of this machine, each asked by a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

import trio

from ._report import Check

__all__ = ["DEVICES", "probe"]

DEVICES: Final = ("microphone", "speaker", "echo", "screen")
PATIENCE: Final = 10.0
"""Seconds for one of them; Python, numpy and PortAudio take one or two."""


async def probe(name: str) -> Check:
    """Ask after one device.

    Cancellation: its process is killed.
    """
    began = trio.current_time()
    command = [sys.executable, "-m", "gemini_live_trio.doctor._devices", name]
    run: subprocess.CompletedProcess[bytes] | None = None
    with trio.move_on_after(PATIENCE):
        run = await trio.run_process(
            command, capture_stdout=True, stderr=subprocess.DEVNULL, check=False
        )
    seconds = trio.current_time() - began
    if run is None:
        return Check(
            name=name,
            state="failed",
            text=f"it doesn't answer within {PATIENCE:g} s",
            fix="Either this machine is too busy just now, or it hangs; "
            + (
                "look at the display server."
                if name == "screen"
                else "unplug the device, or restart the sound system."
            ),
            seconds=seconds,
        )
    try:
        found = json.loads(run.stdout)
    except ValueError:
        return Check(
            name=name,
            state="failed",
            text=f"looking at it ended the process that did (status {run.returncode})",
            fix="The driver or its library is broken; update or reinstall it.",
            seconds=seconds,
        )
    return Check(name=name, seconds=seconds, **found)
