"""How much of an echo is taken away: on sound that is there, or by a test of what is plugged in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs
import trio

from ..errors import ConfigError, MediaError
from ._echo import RATE_HZ, EchoChoice
from ._limits import check_number

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ._echo import EchoCanceller
    from ._microphone import Microphone, MicrophoneBlock
    from ._speaker import Speaker

__all__ = [
    "EchoMeasurement",
    "erle_db",
    "measure_echo",
]

FRAME = 320
"""20 ms: attenuation is reckoned over frames of this length, those with echo in them."""
MOST_DB = 100.0
SHORTEST, LONGEST = 3, 60
QUIET_SECONDS = 0.5
"""How long the microphone is heard before the test signal, to know its noise."""
PATIENCE_SECONDS = 3.0
SPEAKER_RATE_HZ = 24_000


@attrs.frozen(kw_only=True)
class EchoMeasurement:
    """What an echo canceller did to a test signal that went through speaker and microphone.

    Attributes:
      heard: Whether the microphone heard the speaker. If not, there is nothing to cancel, and what
        follows says nothing: headphones, a speaker turned down, a microphone turned off.
      echo_dbfs: Loudness of the echo in the microphone, 0 being full scale.
      noise_dbfs: Loudness of the microphone before the test signal.
      delay: Seconds by which the echo came after its reference, for ``open_echo_canceller``;
        ``None`` where that wasn't clear.
      attenuation_db: How much quieter the echo left than it came, over the last third of the test.
      by_second: The same for each second of the test, by which one sees how fast it learns;
        ``None`` for a second without echo.
    """

    heard: bool
    echo_dbfs: float
    noise_dbfs: float
    delay: float | None
    attenuation_db: float
    by_second: tuple[float | None, ...]


def erle_db(
    near: npt.NDArray[Any], out: npt.NDArray[Any], active: npt.NDArray[np.bool_] | None = None
) -> float:
    """Return by how many decibels an echo was attenuated ("echo return loss enhancement").

    Args:
      near: What the microphone heard, shape ``(samples,)``, at 16,000 a second, in any unit.
      out: What the canceller made of it, in the same shape and unit.
      active: For each whole frame of 320 samples, whether it has echo in it, shape
        ``(samples // 320,)``. Without it, frames that are less than 40 dB below the loudest.

    Returns:
      100 where nothing is left; not a number where no frame has echo in it.

    Raises:
      ConfigError: The shapes don't fit each other.
    """
    if near.shape != out.shape or near.ndim != 1:
        raise ConfigError(f"The shapes {near.shape} and {out.shape} are not those of one sound.")
    before, after = powers(near), powers(out)
    if active is None:
        active = before > before.max(initial=0.0) * 1e-4
    elif active.shape != before.shape:
        raise ConfigError(f"There are {len(before)} frames, and active has {active.shape}.")
    heard, left = float(before[active].sum()), float(after[active].sum())
    if not heard:
        return math.nan
    return min(10 * math.log10(heard / left), MOST_DB) if left else MOST_DB


def powers(samples: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the mean square of each whole frame."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype("float64")
    power: npt.NDArray[np.float64] = (frames**2).mean(axis=1)
    return power


async def measure_echo(
    microphone: Microphone,
    speaker: Speaker,
    canceller: EchoCanceller,
    *,
    seconds: float = 9.0,
) -> EchoMeasurement:
    """Play a test signal, and find out how much of its echo is left.

    It sounds like somebody who speaks no language, as loud as the model. Nobody should speak
    meanwhile. The canceller has to be new, since how it learns is measured too.

    Args:
      microphone: Open, unmuted, with 16,000 samples a second, and nobody else reads it.
      speaker: Open; nothing else is played.
      canceller: What is tested.
      seconds: Length of the test signal, 3 to 60; with less than 6 not much is learned.

    Raises:
      ConfigError: The microphone has another rate, or the time makes no sense.
      MediaError: A device went away, or the microphone is muted or gives nothing.

    Cancellation: at any time; the signal stops.
    """
    if microphone.rate_hz != RATE_HZ:
        raise ConfigError(f"The microphone must give 16,000 samples, not {microphone.rate_hz}.")
    check_number("seconds", seconds, SHORTEST, LONGEST, whole=False)
    from ._echo_signal import Probe, measured, speech_like
    from ._echo_stage import Stage

    probe = Probe()
    matched = Stage(probe, EchoChoice("off", "off", "It only watches."))
    out: list[bytes] = []

    async def listen(duration: float) -> None:
        left = round(duration * RATE_HZ)
        while left > 0:
            block = await _next_block(microphone)
            for played in tap.take():
                for stage in (canceller, matched):
                    stage.reference(
                        played.pcm, rate_hz=played.rate_hz, when=played.dac_time, frame=played.frame
                    )
            matched.process(block.pcm, when=block.adc_time, frame=block.frame)
            out.append(canceller.process(block.pcm, when=block.adc_time, frame=block.frame))
            left -= len(block.pcm) // 2

    with speaker.tap() as tap:
        await listen(QUIET_SECONDS)
        signal = speech_like(seconds, rate_hz=SPEAKER_RATE_HZ)
        try:
            await speaker.play(signal.astype("<i2").tobytes(), rate_hz=SPEAKER_RATE_HZ)
            await listen(seconds)
        finally:
            speaker.flush()
    return measured(probe, b"".join(out), quiet=QUIET_SECONDS)


async def _next_block(microphone: Microphone) -> MicrophoneBlock:
    """Return the next block, or say why none will come."""
    from ._microphone import MicrophoneBlock

    if microphone.muted:
        raise MediaError("The microphone is muted, so no echo can be measured; unmute it.")
    with trio.move_on_after(PATIENCE_SECONDS):
        event = await anext(microphone)
        if isinstance(event, MicrophoneBlock):
            return event
        raise MediaError(f"The microphone {microphone.device!r} went away during the test.")
    raise MediaError(
        f"The microphone {microphone.device!r} gave nothing for {PATIENCE_SECONDS:.0f} s."
    )
