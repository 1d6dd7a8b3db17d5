"""What sound and pictures cost in time and CPU, and how much echo is left.

    nox -s bench            or    python benchmarks/media.py [--quick] [--only PART]

It starts the virtual devices that it needs, and prints Markdown for ``docs/performance.md``:

devices
    From the microphone to the socket, and from an interruption to silence, through PulseAudio.
echo
    Attenuation over time, who is heard, and CPU, for each way to cancel echo; in a simulated room,
    so that nothing but the CPU depends on the machine.
pcm
    CPU for a second of sound in each stage and library; for a picture.
screen
    Looks at a monitor and at a window, on Xvfb.

A part that can't run says why, and the others go on. Where the load printed at the end is near the
number of cores, times say more about the other programs than about this one.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import trio
from _media_report import Table

from gemini_live_trio.errors import MediaError, MissingDependency

LIBRARIES = ("numpy", "sounddevice", "livekit", "soxr", "samplerate", "soundfile", "mss", "Pillow")
RIG = Path(__file__).parents[1] / "tests" / "devices" / "rig.py"
IN_RIG = "DEVICE_RIG"
"""In the environment of what runs in a rig: ``MARK`` there."""


def devices(options: argparse.Namespace) -> Iterable[Table]:
    """Measure latency."""
    if "PULSE_SERVER" not in os.environ:
        raise MediaError("PulseAudio isn't installed: apt install pulseaudio pulseaudio-utils")
    import _media_devices

    return trio.run(lambda: _media_devices.tables(quick=options.quick))


def echo(options: argparse.Namespace) -> Iterable[Table]:
    """Measure the cancellers, and draw."""
    import _media_echo
    from _media_picture import draw_svg

    found = _media_echo.curves()
    if options.picture:
        options.picture.write_text(draw_svg(found), encoding="utf-8")
    return _media_echo.tables(found, quick=options.quick)


def pcm(options: argparse.Namespace) -> Iterable[Table]:
    """Measure CPU."""
    import _media_pcm

    return _media_pcm.tables(quick=options.quick)


def screen(options: argparse.Namespace) -> Iterable[Table]:
    """Measure looks."""
    if shutil.which("Xvfb") is None:
        raise MediaError("Xvfb isn't installed: apt install xvfb")
    import _media_screen

    return trio.run(lambda: _media_screen.tables(quick=options.quick))


MEASURE: dict[str, Callable[[argparse.Namespace], Iterable[Table]]] = {
    "devices": devices,
    "echo": echo,
    "pcm": pcm,
    "screen": screen,
}


def machine() -> str:
    """Say what all this ran on."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text(encoding="utf-8").splitlines()
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        model = next(names, model)
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        system = platform.platform(terse=True)
    return (
        f"{model}, {os.cpu_count()} cores; {system}, "
        f"Python {platform.python_version()}; {', '.join(map(version, LIBRARIES))}"
    )


def version(library: str) -> str:
    """Return a library and its version."""
    try:
        return f"{library} {importlib.metadata.version(library)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {library}"


def load() -> str:
    """Say how many programs wanted to run in the last minute, in the mean."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def main() -> int:
    """Measure what can be measured; 1 if a part couldn't run that was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, in about a minute")
    parser.add_argument("--only", choices=MEASURE, action="append", help="may be given repeatedly")
    parser.add_argument("--picture", type=Path, help="draw echo attenuation into this SVG")
    options = parser.parse_args()
    chosen = options.only or MEASURE
    if "devices" in chosen and IN_RIG not in os.environ and RIG.exists():
        # PortAudio knows only the devices that were there when a process began.
        command = [sys.executable, str(RIG), "--", sys.executable, __file__, *sys.argv[1:]]
        return subprocess.run(command).returncode
    print(f"On {machine()}. Load before: {load()}.\n", flush=True)
    missed = False
    for name in chosen:
        try:
            for table in MEASURE[name](options):
                print(f"{table}\n", flush=True)
        except (ImportError, MissingDependency, MediaError) as error:
            print(f"{name} couldn't run: {error}\n", flush=True)
            missed = True
    print(f"Load after: {load()}.")
    return int(missed and options.only is not None)


if __name__ == "__main__":
    sys.exit(main())
