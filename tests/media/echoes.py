"""A room with a loudspeaker and a microphone, and the devices between them and a program."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest

np = pytest.importorskip("numpy", reason="needs the extra audio")

RATE_HZ = 16_000
BLOCK = 320
SILENCE = np.zeros(0)


def seconds(number: float) -> int:
    return round(number * RATE_HZ)


# --- Sound -----------------------------------------------------------------------------------


def speech(length: float, *, seed: int, dbfs: float = -20.0) -> Any:
    """Floats, full scale being 1."""
    from gemini_live_trio.media._echo_signal import speech_like

    return speech_like(length, rate_hz=RATE_HZ, seed=seed) / 32768 * 10 ** ((dbfs + 20) / 20)


def echo_of(far: Any, *, delay: float = 0.01, gain_db: float = -6.0, rt60: float = 0.25) -> Any:
    """What the microphone hears of the loudspeaker: direct sound, and a tail that dies away."""
    dice = np.random.default_rng(1)
    time = np.arange(seconds(0.3)) / RATE_HZ
    response = dice.standard_normal(len(time)) * 10 ** (-3 * time / rt60)
    response[0] = 3.0
    response *= 10 ** (gain_db / 20) / np.sqrt(np.sum(response**2))
    size = 1 << (len(far) + len(response)).bit_length()
    heard = np.fft.irfft(np.fft.rfft(far, size) * np.fft.rfft(response, size))[: len(far)]
    late = seconds(delay)
    return np.concatenate((np.zeros(late), heard))[: len(far)]


def noise(length: float, *, dbfs: float = -65.0) -> Any:
    return np.random.default_rng(2).standard_normal(seconds(length)) * 10 ** (dbfs / 20)


def at_another_pace(sound: Any, slower_ppm: float) -> Any:
    """What a device whose clock is slower takes for the same sound."""
    fine, size = 8, len(sound)
    spectrum = np.fft.rfft(sound)
    padded = np.concatenate((spectrum, np.zeros(size * fine // 2 + 1 - len(spectrum))))
    between = np.fft.irfft(padded, size * fine) * fine
    clock = np.arange(size) * (1 + slower_ppm * 1e-6)
    return np.interp(clock, np.arange(size * fine) / fine, between)


def as_int16(sound: Any) -> Any:
    return (sound * 32768).round().clip(-32768, 32767).astype(np.int16)


def dbfs(sound: Any) -> float:
    return float(10 * np.log10(max(np.mean((sound / 32768.0) ** 2), 1e-10)))


def likeness(clean: Any, sound: Any) -> float:
    """How alike two recordings of a voice are: 1 is the same, 0 has nothing in common.

    The mean correlation of the loudness in third-octave bands over time, which is what measures of
    intelligibility look at too. Phases, which a high-pass filter turns, don't count.
    """
    size, hop = 512, 160
    frames = range(0, len(clean) - size, hop)
    window = np.hanning(size)

    def bands(samples: Any) -> Any:
        spectra = np.abs(np.fft.rfft([samples[f : f + size] * window for f in frames])) ** 2
        hertz = np.fft.rfftfreq(size, 1 / RATE_HZ)
        centres = 200 * 2 ** (np.arange(15) / 3)
        parts = [(hertz >= c * 2 ** (-1 / 6)) & (hertz < c * 2 ** (1 / 6)) for c in centres]
        return np.sqrt([spectra[:, part].sum(axis=1) for part in parts])

    return float(
        np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(bands(clean), bands(sound), strict=True)])
    )


# --- Devices ---------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Devices:
    """When blocks come, and what is stamped on them; all in seconds.

    Attributes:
      ahead: A block of the speaker sounds so long after it was asked for.
      age: A block of the microphone comes so long after its last sample.
      block: Samples in a block of the microphone.
      far_block: Samples in a block of the speaker.
      drift_ppm: By how much the microphone's clock is slower.
      wander: By how much the microphone's stamps are off, given the time.
      lost: Blocks of the microphone that never come.
      paused: From when to when the speaker isn't asked for anything.
    """

    ahead: float = 0.06
    age: float = 0.03
    block: int = BLOCK
    far_block: int = BLOCK
    drift_ppm: float = 0.0
    wander: Callable[[float], float] = lambda time: 0.0
    lost: frozenset[int] = frozenset()
    paused: tuple[float, float] = (0.0, 0.0)

    def blocks(self, length: float) -> Iterator[tuple[str, int, float]]:
        """Yield what comes when: of which device, its first sample's number, its stamp."""
        yield from (event for _, *event in heapq.merge(self._far(length), self._near(length)))

    def _far(self, length: float) -> Iterator[tuple[float, str, int, float]]:
        for first in range(0, seconds(length + 1), self.far_block):
            time = first / RATE_HZ
            if not self.paused[0] <= time < self.paused[1]:
                yield time, "far", first, time + self.ahead

    def _near(self, length: float) -> Iterator[tuple[float, str, int, float]]:
        pace = (1 + self.drift_ppm * 1e-6) / RATE_HZ
        for number, first in enumerate(range(0, seconds(length), self.block)):
            if number not in self.lost:
                time = 0.003 + first * pace
                arrival = time + self.block * pace + self.age
                yield arrival, "near", first, time + self.wander(arrival)


def through(
    canceller: Any,
    far: Any,
    user: Any = SILENCE,
    *,
    devices: Devices = Devices(),
    frames: bool = False,
    late: float = 0.0,
    rate_hz: int = RATE_HZ,
    **room: float,
) -> tuple[Any, Any]:
    """Send sound through room, devices and canceller; return what it heard, and what it made of it.

    Args:
      canceller: What is tested.
      far: What the speaker is given.
      user: What somebody says in the room.
      devices: Theirs.
      frames: Whether the canceller is told what the microphone lost.
      late: How many seconds later than it sounds the reference is said to sound.
      rate_hz: The speaker's; its blocks stay as long as they are.
      **room: For ``echo_of``.
    """
    length = len(far) / RATE_HZ
    # In the room's own time: the speaker's sample 0 sounds when ``ahead`` has passed.
    played = np.concatenate((np.zeros(seconds(devices.ahead)), far))[: len(far)]
    air = echo_of(played, **room) + noise(length)
    air[: len(user)] += user
    heard = as_int16(at_another_pace(air, devices.drift_ppm) if devices.drift_ppm else air)
    given = as_int16(far)
    if rate_hz != RATE_HZ:
        soxr = pytest.importorskip("soxr", reason="needs the extra audio")
        given = as_int16(soxr.resample(far, RATE_HZ, rate_hz))
    near, out = [], []
    for device, first, stamp in devices.blocks(length):
        if device == "far":
            begin = first * rate_hz // RATE_HZ
            block = given[begin : (first + devices.far_block) * rate_hz // RATE_HZ]
            if len(block):
                canceller.reference(block, rate_hz=rate_hz, when=stamp + late, frame=begin)
        else:
            block = heard[first : first + devices.block]
            frame = first if frames else None
            near.append(block)
            out.append(np.frombuffer(canceller.process(block, when=stamp, frame=frame), "<i2"))
    return np.concatenate(near), np.concatenate(out)


def erle(near: Any, out: Any, begin: float, end: float) -> float:
    from gemini_live_trio.media._echo_measure import erle_db

    part = slice(seconds(begin), seconds(end))
    return erle_db(near[part], out[part])


def needs(backend: str) -> None:
    """Skip, where a back-end isn't installed; fail, where it must be."""
    from devices.rig import REQUIRED

    from gemini_live_trio.errors import MissingDependency
    from gemini_live_trio.media._echo import _made

    try:
        _made(backend, None).close()
    except MissingDependency as error:
        if REQUIRED in os.environ:
            raise
        pytest.skip(str(error))
