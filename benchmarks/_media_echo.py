"""How much echo is left, after how long, and what that costs: in a simulated room.

    python benchmarks/_media_echo.py [--svg FILE]

What is played is like speech, at -20 dBFS; its echo is 6 dB quieter, dies away by 60 dB in 0.25 s,
and comes 90 ms after its reference, of which the stamps know 60. Noise is at -65 dBFS. What is
printed doesn't depend on the machine, but for the CPU time.
"""

from __future__ import annotations

import argparse
import html
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import trio

from gemini_live_trio.errors import MissingDependency
from gemini_live_trio.media import EchoBackend, EchoStage, erle_db, open_echo_canceller
from gemini_live_trio.media._echo_signal import speech_like

Series = Sequence[tuple[float, float]]
"""Seconds since the beginning, and decibels of attenuation."""

RATE_HZ, SPEAKER_HZ = 16_000, 24_000
BLOCK_SECONDS = 0.02
BACKENDS: tuple[EchoBackend, ...] = ("webrtc", "speexdsp", "half_duplex")
CURVES: dict[str, tuple[EchoBackend, float]] = {
    "webrtc": ("webrtc", 0.0),
    "speexdsp": ("speexdsp", 0.0),
    "speexdsp, clocks 100 ppm apart": ("speexdsp", 100.0),
}


def echo_of(far: Any, *, delay: float, drift_ppm: float) -> Any:
    """Return what a microphone hears of a loudspeaker, as 16-bit samples."""
    dice = np.random.default_rng(1)
    seconds = np.arange(round(0.3 * RATE_HZ)) / RATE_HZ
    response = dice.standard_normal(len(seconds)) * 10 ** (-3 * seconds / 0.25)
    response[0] = 3.0
    response *= 0.5 / np.sqrt(np.sum(response**2))
    size = 1 << (len(far) + len(response)).bit_length()
    heard = np.fft.irfft(np.fft.rfft(far, size) * np.fft.rfft(response, size))
    heard = np.concatenate((np.zeros(round(delay * RATE_HZ)), heard))[: len(far)]
    if drift_ppm:
        fine = 8
        spectrum = np.concatenate((np.fft.rfft(heard), np.zeros(len(far) // 2 * (fine - 1))))
        between = np.fft.irfft(spectrum, len(far) * fine) * fine
        clock = np.arange(len(far)) * (1 + drift_ppm * 1e-6)
        heard = np.interp(clock, np.arange(len(far) * fine) / fine, between)
    noise = dice.standard_normal(len(far)) * 32768 * 10 ** (-65 / 20)
    return (heard + noise).round().clip(-32768, 32767).astype(np.int16)


def attenuation(backend: EchoBackend, *, seconds: float = 20.0, drift_ppm: float = 0.0) -> Series:
    """Return how much of an echo a back-end takes away, each half second over the last second.

    Raises:
      MissingDependency: It isn't installed.
    """
    far, near = _sound(seconds, drift_ppm)
    out, _ = trio.run(_through, backend, far, near)
    return [
        (end / 2, erle_db(near[part], out[part]))
        for end in range(2, round(seconds * 2) + 1)
        if (part := slice((end - 2) * RATE_HZ // 2, end * RATE_HZ // 2))
    ]


def cpu_per_second(backend: EchoBackend, *, seconds: float = 20.0) -> float:
    """Return the CPU time in seconds that a second of sound takes, all threads together.

    The speaker's 24,000 samples a second are resampled within that.

    Raises:
      MissingDependency: It isn't installed.
    """
    far, near = _sound(seconds, 0.0)
    _, spent = trio.run(_through, backend, far, near)
    return spent / seconds


def _sound(seconds: float, drift_ppm: float) -> tuple[Any, Any]:
    """The same signal at the speaker's rate, and its echo at the microphone's."""
    far = speech_like(seconds, rate_hz=SPEAKER_HZ)
    # To 16 kHz by leaving out what lies above 8: good enough for air.
    spectrum = np.fft.rfft(far)[: len(far) // 3 + 1]
    air = np.fft.irfft(spectrum, round(seconds * RATE_HZ)) * RATE_HZ / SPEAKER_HZ
    return far, echo_of(air, delay=0.09, drift_ppm=drift_ppm)


async def _through(backend: EchoBackend, far: Any, near: Any) -> tuple[Any, float]:
    async with open_echo_canceller(backend) as echo:
        before = time.process_time()
        out = b"".join(_blocks(echo, far, near))
        return np.frombuffer(out, "<i2"), time.process_time() - before


def _blocks(echo: EchoStage, far: Any, near: Any) -> Iterator[bytes]:
    played, heard = round(SPEAKER_HZ * BLOCK_SECONDS), round(RATE_HZ * BLOCK_SECONDS)
    for number in range(len(near) // heard):
        now = number * BLOCK_SECONDS
        reference = far[number * played : (number + 1) * played]
        # It sounds 60 ms after it was handed over, and is heard 30 ms later than that.
        echo.reference(reference, rate_hz=SPEAKER_HZ, when=now + 0.06)
        yield echo.process(near[number * heard : (number + 1) * heard], when=now)


# --- A picture ----------------------------------------------------------------------------------

COLOURS = ("#1b6ca8", "#c0392b", "#e59866", "#2e8b57", "#6c3483", "#7f8c8d")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 380, 62, 18, 44, 52


def draw_svg(
    curves: Mapping[str, Series],
    *,
    title: str = "Echo attenuation",
    across: str = "seconds of the speaker's voice",
    up: str = "dB",
) -> str:
    """Return a picture of curves, with nothing needed to draw it.

    Args:
      curves: Each with its name; where a value is no number, its line is broken.
      title: Stands above.
      across: What the first number of a point is.
      up: What the second is.
    """
    points = [point for series in curves.values() for point in series if math.isfinite(point[1])]
    right = max((x for x, _ in points), default=1.0)
    top = max((y for _, y in points), default=1.0)
    step_x, step_y = _step(right), _step(top)
    right, top = (
        math.ceil(value / step) * step for value, step in ((right, step_x), (top, step_y))
    )

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (WIDTH - LEFT - RIGHT) * x / right,
            HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * max(y, 0.0) / top,
        )

    def text(x: float, y: float, words: str, more: str = "") -> str:
        return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{html.escape(words)}</text>'

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'font-family="sans-serif" font-size="13" fill="#333">',
        f"<title>{html.escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        text(LEFT, 24, title, 'font-size="16" font-weight="bold"'),
        text((WIDTH + LEFT) / 2, HEIGHT - 12, across, 'text-anchor="middle"'),
        text(16, (HEIGHT - BOTTOM + TOP) / 2, up, 'text-anchor="middle"'),
    ]
    for number in range(round(right / step_x) + 1):
        x, y = place(number * step_x, 0)
        lines.append(_line([(x, TOP), (x, y)], "#ddd"))
        lines.append(text(x, y + 18, f"{number * step_x:g}", 'text-anchor="middle"'))
    for number in range(round(top / step_y) + 1):
        x, y = place(0, number * step_y)
        lines.append(_line([(x, y), (WIDTH - RIGHT, y)], "#ddd"))
        lines.append(text(x - 8, y + 4, f"{number * step_y:g}", 'text-anchor="end"'))
    for number, (name, series) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        piece: list[tuple[float, float]] = []
        for x, y in (*series, (0.0, math.nan)):
            if math.isfinite(y):
                piece.append(place(x, y))
                continue
            if piece:
                lines.append(_line(piece, colour, width=2))
            piece = []
        y = HEIGHT - BOTTOM - 14 - 18 * (len(curves) - 1 - number)
        lines.append(_line([(WIDTH - 262, y - 4), (WIDTH - 240, y - 4)], colour, width=3))
        lines.append(text(WIDTH - 232, y, name))
    return "\n".join([*lines, "</svg>"]) + "\n"


def _line(points: Sequence[tuple[float, float]], colour: str, *, width: int = 1) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def _step(most: float) -> float:
    """A round number of which some five to ten fit."""
    size: float = 10 ** math.floor(math.log10(most / 5)) if most > 0 else 1.0
    return next(size * factor for factor in (1, 2, 5, 10) if most / (size * factor) <= 10)


# --- What is printed ----------------------------------------------------------------------------


def curves() -> dict[str, Series]:
    """Return a curve for each back-end that is installed, by name."""
    found: dict[str, Series] = {}
    for name, (backend, drift_ppm) in CURVES.items():
        try:
            found[name] = attenuation(backend, drift_ppm=drift_ppm)
        except MissingDependency as error:
            print(f"{name}: {error}")
    return found


def main() -> None:
    """Print tables, and draw the picture where asked."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--svg", type=Path, help="where to write the picture")
    options = parser.parse_args()
    found = curves()
    print("echo attenuation in dB over the last second, after so many seconds of speech")
    marks = (1, 2, 3, 5, 8, 12, 16, 20)
    print(f"{'':32}" + "".join(f"{mark:>6}" for mark in marks))
    for name, series in found.items():
        values = dict(series)
        print(f"{name:32}" + "".join(f"{values[mark]:6.0f}" for mark in marks))
    print("\nCPU for a second of sound, in ms")
    for backend in BACKENDS:
        try:
            print(f"{backend:32}{cpu_per_second(backend) * 1000:6.1f}")
        except MissingDependency as error:
            print(f"{backend:32}{error}")
    if options.svg:
        options.svg.write_text(draw_svg(found), encoding="utf-8")


if __name__ == "__main__":
    main()
