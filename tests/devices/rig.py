"""Virtual sound cards and a virtual screen, for the tests of real devices.

::

    python tests/devices/rig.py -- pytest tests/devices

starts PulseAudio with null sinks and Xvfb, runs the command among them, and ends with its status.
Where a program isn't installed, its part is missing: ``PULSE_SERVER`` or ``DISPLAY`` is then not in
the environment. Everything lives in a folder of its own, so any number of rigs run side by side and
none touches the user's sound.

PortAudio reads its list of devices when sounddevice is imported, so the daemons must be up before
the process that uses them starts: that is why this is a program and not a fixture. A test that
needs a daemon of its own, to kill it, makes a ``Rig`` and runs a program in its ``environment``.

What PortAudio sees:

=============== ===========================================================
``vspeaker``    an output; ``vspeaker_mon`` hears what is played there
``vmic``        an input; what is played on ``vmic_feed`` is heard there
``vdeaf``       an output that can't be recorded from
=============== ===========================================================

Two things were measured and matter. The monitor of a sink to which nobody plays wakes so lazily
that the first block comes after seconds, so silence is played on every sink all the time. And
``PULSE_LATENCY_MSEC`` must not be set: with small values the streams stutter or stall.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

__all__ = ["MARK", "REQUIRED", "Rig"]

MARK = "DEVICE_RIG"
"""In the environment of whatever runs in a rig: the rig's folder."""
REQUIRED = "DEVICES_REQUIRED"
"""In the environment of CI: a part that isn't installed is an error and skips nothing."""

SOUND_PROGRAMS = ("pulseaudio", "pactl", "pacat", "parec")
SCREEN_PROGRAMS = ("Xvfb",)

START_SECONDS = 20
SCREEN = "1280x720"
SINKS = ("vspeaker", "vmic_sink")

PULSE = """\
.fail
load-module module-native-protocol-unix auth-anonymous=1 socket={socket}
load-module module-null-sink sink_name=vspeaker rate=48000 channels=1
load-module module-null-sink sink_name=vmic_sink rate=48000 channels=1
load-module module-remap-source source_name=vmic master=vmic_sink.monitor
set-default-sink vspeaker
set-default-source vmic
"""

# PortAudio sees one device for each pcm that has a hint.
ALSA = """\
pcm.pulse {{ type pulse }}
ctl.pulse {{ type pulse }}
pcm.!default {{ type pulse }}
ctl.!default {{ type pulse }}
pcm.vdeaf {{ type asym playback.pcm "vspeaker" hint {{ show on description "vdeaf" }} }}
{devices}
"""
ALSA_DEVICE = """\
pcm.{name} {{ type pulse device "{device}" hint {{ show on description "{name}" }} }}
"""
ALSA_DEVICES = {
    "vspeaker": "vspeaker",
    "vspeaker_mon": "vspeaker.monitor",
    "vmic": "vmic",
    "vmic_feed": "vmic_sink",
}


class Rig:
    """Daemons of its own in a folder of its own, from ``__enter__`` to ``__exit__``.

    Args:
      screen: ``WIDTHxHEIGHT`` of a virtual screen, ``""`` for none.

    Attributes:
      environment: For the processes that shall see the devices.
      folder: Where the daemons live.
      pulse: The sound server, to be killed by whoever wants that.
    """

    environment: dict[str, str]
    folder: Path
    pulse: subprocess.Popen[bytes]

    def __init__(self, *, screen: str = "") -> None:
        self._screen = screen
        self._open = ExitStack()

    def __enter__(self) -> Rig:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rig-")))
            self.environment = {
                **{name: value for name, value in os.environ.items() if name not in _OTHERS},
                MARK: str(self.folder),
            }
            if all(map(shutil.which, SOUND_PROGRAMS)):
                self.start_pulse(stack)
            if self._screen and all(map(shutil.which, SCREEN_PROGRAMS)):
                self._start_xvfb(stack)
            self._open = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def start_pulse(self, stack: ExitStack | None = None) -> None:
        """Start the sound server; once more, after it was killed, with the same address."""
        stack = stack or self._open
        socket = self.folder / "pulse.socket"
        socket.unlink(missing_ok=True)
        script = self.folder / "pulse.pa"
        script.write_text(PULSE.format(socket=socket), encoding="utf-8")
        alsa = self.folder / "asoundrc"
        devices = (ALSA_DEVICE.format(name=n, device=d) for n, d in ALSA_DEVICES.items())
        alsa.write_text(ALSA.format(devices="".join(devices)), encoding="utf-8")
        self.environment |= {
            "PULSE_SERVER": f"unix:{socket}",
            "ALSA_CONFIG_PATH": f"/usr/share/alsa/alsa.conf:{alsa}",
        }
        own = {name: str(self.folder) for name in ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")}
        log = stack.enter_context((self.folder / "pulse.log").open("ab"))
        self.pulse = subprocess.Popen(
            # In the foreground, so that it is ours to end.
            [
                *("pulseaudio", "-n", "-F", script, "--daemonize=no", "--exit-idle-time=-1"),
                *("--use-pid-file=no", "--disallow-exit", "--log-target=stderr"),
            ],
            env={**self.environment, **own},
            stdin=subprocess.DEVNULL,
            stderr=log,
        )
        stack.callback(_end, self.pulse)
        self._wait_for_pulse()
        for sink in SINKS:
            stack.callback(_end, self.play_silence(sink))
        for sink in SINKS:
            self._wait_for_sound(f"{sink}.monitor")

    def play_silence(self, sink: str) -> subprocess.Popen[bytes]:
        """Keep a sink awake, by which its monitor has a steady clock."""
        form = ["--rate=16000", "--channels=1", "--format=s16le", "--raw", "--latency-msec=20"]
        return subprocess.Popen(
            ["pacat", "-d", sink, *form, "/dev/zero"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def _wait_for_pulse(self) -> None:
        # pactl waits by itself until the server answers; what may be missing is the socket.
        for _ in range(START_SECONDS * 10):
            ready = subprocess.run(
                ["pactl", "info"], env=self.environment, capture_output=True, timeout=START_SECONDS
            )
            if ready.returncode == 0:
                return
            if self.pulse.poll() is not None:
                break
            try:
                self.pulse.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
        log = (self.folder / "pulse.log").read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"pulseaudio did not start:\n{log}")

    def _wait_for_sound(self, source: str) -> None:
        """Wait until a source gives blocks at a steady pace: half a second, taken live."""
        listening = subprocess.Popen(
            ["parec", "-d", source, "--rate=16000", "--channels=1", "--raw", "--latency-msec=20"],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert listening.stdout is not None
        with listening.stdout as sound:
            sound.read(16_000)
            _end(listening)

    def _start_xvfb(self, stack: ExitStack) -> None:
        log = stack.enter_context((self.folder / "xvfb.log").open("ab"))
        read_end, write_end = os.pipe()
        xvfb = subprocess.Popen(
            # With -noreset, what was drawn stays when the last client leaves.
            [
                *("Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{self._screen}x24"),
                *("-nolisten", "tcp", "-noreset"),
            ],
            pass_fds=[write_end],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        stack.callback(_end, xvfb)
        os.close(write_end)
        with os.fdopen(read_end) as number:
            display = number.readline().strip()
        if not display:
            log.flush()
            text = (self.folder / "xvfb.log").read_text(encoding="utf-8", errors="replace")
            raise RuntimeError(f"Xvfb did not start:\n{text}")
        self.environment["DISPLAY"] = f":{display}"


_OTHERS = frozenset(
    ("PULSE_LATENCY_MSEC", "PULSE_SINK", "PULSE_SOURCE", "WAYLAND_DISPLAY", "XAUTHORITY", "DISPLAY")
)
"""What could lead to other devices than the rig's, or disturb them."""


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def main() -> int:
    """Run the command that follows ``--`` in a rig."""
    command = sys.argv[2:]
    if sys.argv[1:2] != ["--"] or not command:
        sys.exit("usage: python tests/devices/rig.py -- COMMAND ...")
    # Those of this interpreter, whatever comes first on the path.
    ours = {"python": [sys.executable], "pytest": [sys.executable, "-m", "pytest"]}
    command[:1] = ours.get(command[0], command[:1])
    lacking = [name for name in SOUND_PROGRAMS + SCREEN_PROGRAMS if not shutil.which(name)]
    if lacking and REQUIRED in os.environ:
        sys.exit(f"{REQUIRED} is set, but {', '.join(lacking)} is not installed.")
    # What keeps the time of sound must not wait for what else the machine does.
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with Rig(screen=SCREEN) as rig:
        return subprocess.run(command, env=rig.environment).returncode


if __name__ == "__main__":
    sys.exit(main())
