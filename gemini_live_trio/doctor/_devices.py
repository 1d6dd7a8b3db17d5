"""Looks at one device and prints what it found, as JSON: ``python -m ..._devices microphone``.

In a process of its own: PortAudio and ALSA write to standard error as they like, and a driver that
crashes or hangs must not take the examination with it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from array import array
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..errors import MissingDependency
from ..media._speexdsp import load_speexdsp

__all__ = ["DEVICES", "LOOKERS"]

LISTEN_SECONDS: Final = 0.4
QUIET: Final = 8
"""A microphone in the quietest room has more than this, of 32,767."""
AUDIO: Final = 'pip install "gemini-live-trio[audio]"'
PORTAUDIO: Final = "Install PortAudio: apt install libportaudio2, or brew install portaudio."

Found = dict[str, Any]


def _found(state: str, text: str, fix: str = "", **facts: object) -> Found:
    return {"state": state, "text": text, "fix": fix, "facts": facts}


def _sounddevice() -> Any:
    """The module, or why there is none."""
    try:
        import sounddevice  # type: ignore[import-untyped]
    except ImportError:
        return _found("skipped", "sounddevice isn't installed", f"{AUDIO}")
    except OSError:
        return _found("failed", "PortAudio isn't installed", PORTAUDIO)
    return sounddevice


def _default(sounddevice: Any, kind: str) -> Any:
    try:
        return sounddevice.query_devices(kind=kind)
    except (ValueError, sounddevice.PortAudioError):
        what = "microphone" if kind == "input" else "loudspeaker"
        return _found(
            "warning",
            f"there is no {what}",
            "Plug one in; on Linux, see that PulseAudio or PipeWire runs.",
        )


def microphone() -> Found:
    """Open the default input and listen for a moment."""
    sounddevice = _sounddevice()
    if isinstance(sounddevice, dict):
        return sounddevice
    device = _default(sounddevice, "input")
    if "state" in device:
        return dict(device)
    rate = int(device["default_samplerate"])
    try:
        with sounddevice.RawInputStream(
            samplerate=rate, channels=1, dtype="int16", blocksize=rate // 50
        ) as stream:
            data, _ = stream.read(int(rate * LISTEN_SECONDS))
    except sounddevice.PortAudioError as error:
        return _found("failed", f"{device['name']} can't be opened: {error}", _FREE)
    samples = array("h", bytes(data))
    peak = max(map(abs, samples), default=0)
    facts = {"device": device["name"], "rate_hz": rate, "peak": peak}
    if peak <= QUIET:
        return _found(
            "warning",
            f"{device['name']} hears nothing at all",
            "See that it isn't muted, and that this program may use it.",
            **facts,
        )
    return _found("ok", f"{device['name']}, {rate:,} Hz, hears something", **facts)


def speaker() -> Found:
    """Open the default output and play a moment of silence."""
    sounddevice = _sounddevice()
    if isinstance(sounddevice, dict):
        return sounddevice
    device = _default(sounddevice, "output")
    if "state" in device:
        return dict(device)
    rate = int(device["default_samplerate"])
    try:
        with sounddevice.RawOutputStream(
            samplerate=rate, channels=1, dtype="int16", blocksize=rate // 50
        ) as stream:
            stream.write(bytes(2 * (rate // 5)))
    except sounddevice.PortAudioError as error:
        return _found("failed", f"{device['name']} can't be opened: {error}", _FREE)
    facts = {"device": device["name"], "rate_hz": rate}
    return _found("ok", f"{device['name']}, {rate:,} Hz", **facts)


_FREE: Final = "See that no other program holds it alone, and that this one may use it."


def _has_speexdsp() -> bool:
    try:
        load_speexdsp()
    except MissingDependency:
        return False
    return True


def echo() -> Found:
    """Say which canceller would be taken."""
    if importlib.util.find_spec("livekit") is not None:
        return _found("ok", "WebRTC's canceller (livekit) is there", backend="webrtc")
    if _has_speexdsp():
        return _found("ok", "Speex's canceller (libspeexdsp) is there", backend="speexdsp")
    return _found(
        "warning",
        "no canceller: through loudspeakers the microphone would be closed while the model speaks",
        'pip install "gemini-live-trio[aec]", or apt install libspeexdsp1; or use headphones.',
        backend="half_duplex",
    )


def screen() -> Found:
    """Take one picture of the screen."""
    if importlib.util.find_spec("mss") is None or importlib.util.find_spec("PIL") is None:
        return _found("skipped", "mss isn't installed", 'pip install "gemini-live-trio[screen]"')
    if sys.platform == "linux" and not os.environ.get("DISPLAY"):
        if os.environ.get("WAYLAND_DISPLAY"):
            return _found(
                "failed",
                "this is Wayland, which lets no program look at the screen by itself",
                "Log in to an X11 session to share the screen.",
            )
        return _found("skipped", "there is no display (DISPLAY isn't set)")
    import mss
    import mss.exception

    try:
        with mss.MSS() as grabber:
            picture = grabber.grab(grabber.monitors[1])
            count = len(grabber.monitors) - 1
    except (mss.exception.ScreenShotError, IndexError) as error:
        return _found(
            "failed",
            f"the screen can't be captured: {str(error).rstrip('.')}",
            "See that DISPLAY is right; on macOS allow screen recording for this terminal.",
        )
    size = f"{picture.width} x {picture.height}"
    return _found("ok", f"{count} monitor{'s' * (count != 1)}, the first {size}", monitors=count)


LOOKERS: Final[Mapping[str, Callable[[], Found]]] = {
    "microphone": microphone,
    "speaker": speaker,
    "echo": echo,
    "screen": screen,
}
DEVICES: Final = tuple(LOOKERS)


if __name__ == "__main__":
    print(json.dumps(LOOKERS[sys.argv[1]]()))  # noqa: T201 - that is what it is for
