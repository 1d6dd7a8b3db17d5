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


_FREE: Final = "See that no other program holds it alone, and that this one may use it."


def _tried(kind: str, stream_class: str, what: str, use: Callable[[Any, str, int], Found]) -> Found:
    """Open the default device at its own rate, and use it, given its name and rate."""
    try:
        import sounddevice  # type: ignore[import-untyped]
    except ImportError:
        return _found("skipped", "sounddevice isn't installed", AUDIO)
    except OSError:
        return _found("failed", "PortAudio isn't installed", PORTAUDIO)
    try:
        device = sounddevice.query_devices(kind=kind)
    except (ValueError, sounddevice.PortAudioError):
        plug = "Plug one in; on Linux, see that PulseAudio or PipeWire runs."
        return _found("warning", f"there is no {what}", plug)
    rate = int(device["default_samplerate"])
    form = {"samplerate": rate, "channels": 1, "dtype": "int16", "blocksize": rate // 50}
    try:
        with getattr(sounddevice, stream_class)(**form) as stream:
            return use(stream, device["name"], rate)
    except sounddevice.PortAudioError as error:
        return _found("failed", f"{device['name']} can't be opened: {error}", _FREE)


def microphone() -> Found:
    """Open the default input and listen for a moment."""
    return _tried("input", "RawInputStream", "microphone", _listen)


def _listen(stream: Any, name: str, rate: int) -> Found:
    data, _ = stream.read(int(rate * LISTEN_SECONDS))
    peak = max(map(abs, array("h", bytes(data))), default=0)
    facts: Found = {"device": name, "rate_hz": rate, "peak": peak}
    if peak <= QUIET:
        text = f"{name} hears nothing at all"
        fix = "See that it isn't muted, and that this program may use it."
        return _found("warning", text, fix, **facts)
    return _found("ok", f"{name}, {rate:,} Hz, hears something", **facts)


def speaker() -> Found:
    """Open the default output and play a moment of silence."""
    return _tried("output", "RawOutputStream", "loudspeaker", _play_silence)


def _play_silence(stream: Any, name: str, rate: int) -> Found:
    stream.write(bytes(2 * (rate // 5)))
    return _found("ok", f"{name}, {rate:,} Hz", device=name, rate_hz=rate)


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
