"""How much of an echo is taken away: on sound that is there, or by a test of what is plugged in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import numpy.typing as npt
import trio

from ..errors import ConfigError, MediaError
from ._echo import EchoChoice
from ._echo_align import RATE_HZ, Int16
from ._echo_drift import echo_delay
from ._echo_stage import EchoStage

if TYPE_CHECKING:
    from ._echo import EchoCanceller
    from ._microphone import Microphone, MicrophoneBlock
    from ._speaker import Speaker

__all__ = [
    "EchoMeasurement",
    "erle_db",
    "measure_echo",
    "measured",
    "speech_like",
]

Sound = npt.NDArray[Any]

FRAME = 320
"""20 ms: attenuation is reckoned over frames of this length, those with echo in them."""
AUDIBLE_DB = 12.0
"""An echo that is less above the noise isn't measured, it is the noise that would be."""
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


def _dbfs(power: float) -> float:
    return 10 * math.log10(max(power / 32768.0**2, 1e-10))


def erle_db(near: Sound, out: Sound, active: npt.NDArray[np.bool_] | None = None) -> float:
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
    before, after = _powers(near), _powers(out)
    if active is None:
        active = before > before.max(initial=0.0) * 1e-4
    elif active.shape != before.shape:
        raise ConfigError(f"There are {len(before)} frames, and active has {active.shape}.")
    heard, left = float(before[active].sum()), float(after[active].sum())
    if not heard:
        return math.nan
    return min(10 * math.log10(heard / left), MOST_DB) if left else MOST_DB


def _powers(samples: Sound) -> npt.NDArray[np.float64]:
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    power: npt.NDArray[np.float64] = np.mean(frames**2, axis=1)
    return power


def speech_like(seconds: float, *, rate_hz: int, seed: int = 1) -> Int16:
    """Return a sound with the rhythm and the spectrum of speech, at -20 dBFS, always the same.

    Args:
      seconds: Its length.
      rate_hz: Int16 a second; 16,000 or more.
      seed: Which of many.
    """
    dice = np.random.default_rng(seed)
    count = round(seconds * rate_hz)
    sound = np.zeros(count)
    place = 0
    while place < count:
        length = round(dice.uniform(0.1, 0.3) * rate_hz)
        syllable = _syllable(length, rate_hz, dice)[: count - place]
        sound[place : place + len(syllable)] = syllable
        pause = dice.uniform(0.2, 0.4) if dice.random() < 0.15 else dice.uniform(0.01, 0.08)
        place += length + round(pause * rate_hz)
    scale = 3276.8 / math.sqrt(float(np.mean(sound**2)))
    return (sound * scale).clip(-32768, 32767).astype(np.int16)


def _syllable(length: int, rate_hz: int, dice: np.random.Generator) -> Sound:
    """A voice's pulses with some breath, through two formants."""
    seconds = np.arange(length) / rate_hz
    pitch = dice.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * 3 * seconds))
    pulses = np.diff(np.floor(np.cumsum(pitch) / rate_hz), prepend=0.0)
    source = pulses * 12 + dice.standard_normal(length) * dice.uniform(0.3, 1.0)
    hertz = np.fft.rfftfreq(length, 1 / rate_hz)
    shape = 0.05 / (1 + hertz / 3000)
    for low, high, width in ((250, 900, 120), (900, 2600, 250), (2600, 6000, 900)):
        shape += dice.uniform(0.3, 1) * np.exp(-(((hertz - dice.uniform(low, high)) / width) ** 2))
    shape *= (hertz > 80) & (hertz < 7500)
    sound: Sound = np.fft.irfft(np.fft.rfft(source) * shape, length)
    return sound * np.sin(np.pi * np.arange(length) / length) * dice.uniform(0.4, 1.0)


def measured(
    near: Sequence[Sound], out: Sequence[Sound], far: Sequence[Sound], *, quiet: float
) -> EchoMeasurement:
    """Return what three streams of blocks, side by side, say about the echo in them.

    Args:
      near: What the microphone heard.
      out: What the canceller made of it.
      far: The reference.
      quiet: How many seconds at the beginning are without echo.
    """
    heard, left, played = (np.concatenate(blocks) for blocks in (near, out, far))
    first = round(quiet * RATE_HZ)
    noise = float(_powers(heard[:first]).mean())
    delay = echo_delay(heard[first:], played[first:])
    powers = _powers(heard[first:])
    active = powers > max(noise, 1.0) * 10 ** (AUDIBLE_DB / 10)
    frames = RATE_HZ // FRAME

    def attenuation(begin: int, end: int) -> float | None:
        part = slice(first + begin * FRAME, first + end * FRAME)
        value = erle_db(heard[part], left[part], active[begin:end])
        return None if math.isnan(value) else value

    late = attenuation(len(active) * 2 // 3, len(active))
    return EchoMeasurement(
        heard=late is not None and delay is not None and float(active.mean()) > 0.1,
        echo_dbfs=_dbfs(float(powers[active].mean()) if active.any() else 0.0),
        noise_dbfs=_dbfs(noise),
        delay=delay,
        attenuation_db=late or 0.0,
        by_second=tuple(
            attenuation(second * frames, (second + 1) * frames)
            for second in range(len(active) // frames)
        ),
    )


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
      seconds: Length of the test signal; with less than 6 not much is learned.

    Raises:
      ConfigError: The microphone has another rate, or the time makes no sense.
      MediaError: A device went away, or the microphone is muted or gives nothing.

    Cancellation: at any time; the signal stops.
    """
    if microphone.rate_hz != RATE_HZ:
        raise ConfigError(f"The microphone must give 16,000 samples, not {microphone.rate_hz}.")
    if not SHORTEST <= seconds <= LONGEST:
        raise ConfigError(f"A test lasts {SHORTEST} to {LONGEST} s, not {seconds!r}.")
    probe = _Probe()
    matched = EchoStage(probe, EchoChoice("off", "off", "It only watches."))
    out: list[Int16] = []

    async def listen(duration: float) -> None:
        until = sum(map(len, out)) + round(duration * RATE_HZ)
        while sum(map(len, out)) < until:
            block = await _next_block(microphone)
            for played in tap.take():
                for stage in (canceller, matched):
                    stage.reference(
                        played.pcm, rate_hz=played.rate_hz, when=played.dac_time, frame=played.frame
                    )
            matched.process(block.pcm, when=block.adc_time)
            out.append(np.frombuffer(canceller.process(block.pcm, when=block.adc_time), "<i2"))

    with speaker.tap() as tap:
        await listen(QUIET_SECONDS)
        try:
            signal = speech_like(seconds, rate_hz=SPEAKER_RATE_HZ)
            await speaker.play(signal.astype("<i2").tobytes(), rate_hz=SPEAKER_RATE_HZ)
            await listen(seconds)
        finally:
            speaker.flush()
    return measured(probe.near, out, probe.far, quiet=QUIET_SECONDS)


class _Probe:
    """An engine that changes nothing and remembers all."""

    frame_samples = FRAME
    delay_samples = 0
    covers = None

    def __init__(self) -> None:
        self.near: list[Int16] = []
        self.far: list[Int16] = []

    def cancel(self, near: Int16, far: Int16) -> Int16:
        self.near.append(near)
        self.far.append(far)
        return near

    def close(self) -> None:
        """Do nothing."""


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
