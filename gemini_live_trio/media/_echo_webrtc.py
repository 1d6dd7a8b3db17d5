"""Echo cancelling with WebRTC's AEC3, which the package ``livekit`` brings.

Of that package only the audio processing is used: no room is joined, no event loop needed. It
brings some 30 MB and five threads of its own, which stay until the process ends; its import takes
half a second.

Noise suppression and the high-pass filter are on: together they take away 12 dB more of the echo
and leave the user's voice as it is with the canceller alone. Automatic gain is off, since the
service has its own and level is what tells near from far.

Where there is no echo at all, it takes the user for one until it has heard some eight seconds of
the speaker, whatever it is told: so ``wants_echo``, and a way round it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import MissingDependency
from ._echo import RATE_HZ
from ._echo_align import Int16

__all__ = ["Webrtc", "open_webrtc"]

FRAME_SAMPLES = 160
"""10 ms, the only length it takes."""


class Webrtc:
    """WebRTC's audio processing, with all that belongs to echo.

    Args:
      rtc: The package.
    """

    frame_samples = FRAME_SAMPLES
    delay_samples = 223
    covers = 0.3
    wants_echo = True

    def __init__(self, rtc: Any) -> None:
        self._frame: Any = rtc.AudioFrame
        self._module: Any = rtc.AudioProcessingModule(
            echo_cancellation=True,
            noise_suppression=True,
            high_pass_filter=True,
            auto_gain_control=False,
        )

    def cancel(self, near: Int16, far: Int16) -> Int16:
        """Return a frame without its echo, some 14 ms later."""
        self._module.process_reverse_stream(self._framed(far)[0])
        frame, samples = self._framed(near)
        self._module.process_stream(frame)
        return np.frombuffer(samples, np.int16)

    def _framed(self, samples: Int16) -> tuple[Any, bytearray]:
        # It writes where it reads.
        own = bytearray(samples.tobytes())
        return self._frame(own, RATE_HZ, 1, len(samples)), own

    def close(self) -> None:
        """Free what the package holds. More than once is once."""
        self._module = None


def open_webrtc() -> Webrtc:
    """Return a canceller.

    Raises:
      MissingDependency: The extra ``aec`` isn't installed, or doesn't run on this system or with
        what else is installed.
    """
    try:
        from livekit import rtc
    except (ImportError, OSError) as error:  # OSError: its library doesn't suit the system
        raise MissingDependency(
            'Echo cancelling with WebRTC needs: pip install "gemini-live-trio[aec]"'
        ) from error
    except Exception as error:  # such as protobuf's, where another package keeps an old one
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise MissingDependency(
            f"Echo cancelling with WebRTC is installed and can't be loaded ({reason}); try: "
            'pip install --upgrade --force-reinstall "gemini-live-trio[aec]"'
        ) from error
    return Webrtc(rtc)
