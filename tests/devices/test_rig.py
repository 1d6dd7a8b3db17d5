"""The rig itself: what every other test here leans on."""

import os
import subprocess
import sys


def test_the_rigs_devices_are_there() -> None:
    code = "import sounddevice; print(*(d['name'] for d in sounddevice.query_devices()))"
    listing = [sys.executable, "-c", code]
    names = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    assert {"vspeaker", "vspeaker_mon", "vmic", "vmic_feed"} <= set(names)


def test_what_disturbs_the_sound_is_not_in_the_environment() -> None:
    assert "PULSE_LATENCY_MSEC" not in os.environ
