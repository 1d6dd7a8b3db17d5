"""The rig itself: what every other test here leans on."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from devices.rig import MARK, REQUIRED
from devices.sounds import needs_sound


@needs_sound
def test_the_rigs_devices_are_there() -> None:
    code = "import sounddevice; print(*(d['name'] for d in sounddevice.query_devices()))"
    listing = [sys.executable, "-c", code]
    names = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    assert {"vspeaker", "vspeaker_mon", "vmic", "vmic_feed"} <= set(names)


def test_what_disturbs_the_sound_is_not_in_the_environment() -> None:
    assert "PULSE_LATENCY_MSEC" not in os.environ


@pytest.mark.parametrize("required", [False, True])
def test_without_a_sound_server_tests_are_skipped_unless_they_are_required(required: bool) -> None:
    environment = {**os.environ, MARK: "somewhere", **({REQUIRED: "1"} if required else {})}
    environment.pop("PULSE_SERVER", None)
    if not required:
        environment.pop(REQUIRED, None)
    tests = Path(__file__).with_name("test_speaker.py")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rsE", str(tests)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert run.returncode == required
    assert "needs PulseAudio and the extra audio" in run.stdout
    *_, summary = run.stdout.splitlines()
    assert re.match(r"\d+ errors in" if required else r"\d+ skipped in", summary)
