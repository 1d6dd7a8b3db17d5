"""CPU that a second of sound takes: resamplers, the encoder, sound files and pictures.

Each figure is the CPU time of this process, the best of several rounds, since everything else only
adds.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import soundfile
import trio
from _media_report import Table
from PIL import Image

from gemini_live_trio import codec
from gemini_live_trio.errors import MissingDependency
from gemini_live_trio.media import load_image, open_sound
from gemini_live_trio.media.pcm import AudioEncoder, Backend, Resampler, float_to_int16

__all__ = ["tables"]

ROUNDS = 5
SECONDS = 2
RATES = ((48_000, 16_000), (44_100, 16_000), (24_000, 48_000))


def cpu_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the CPU time of a call in milliseconds."""
    best = float("inf")
    for _ in range(rounds):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return best * 1_000


def sound(rate_hz: int, channels: int = 1) -> np.ndarray:
    """Make noise, so that no sample is an easy one: float32 ``(frames, channels)``."""
    shape = (rate_hz * SECONDS, channels)
    return np.random.default_rng(0).uniform(-0.5, 0.5, shape).astype(np.float32)


def resampler_rows(rounds: int) -> list[tuple[str, ...]]:
    """Measure each library in blocks of 20 ms of int16."""
    rows: list[tuple[str, ...]] = []
    for backend in get_args(Backend):
        for from_hz, to_hz in RATES:
            try:
                resampler = Resampler(from_hz, to_hz, backend=backend)
            except MissingDependency as missing:
                print(missing)
                continue
            blocks = float_to_int16(sound(from_hz)).reshape(-1, from_hz // 50)

            def work(resampler: Resampler = resampler, blocks: np.ndarray = blocks) -> None:
                for block in blocks:
                    resampler.process(block)

            figure = cpu_ms(work, rounds) / SECONDS
            rows.append((f"resampler {backend}, {from_hz} to {to_hz} Hz", f"{figure:.2f}"))
            resampler.close()
    return rows


def encoder_rows(rounds: int) -> list[tuple[str, ...]]:
    """Measure a microphone's blocks of 20 ms all the way to the frame."""
    rows: list[tuple[str, ...]] = []
    for from_hz, channels, kind in (
        *((16_000, 1, "int16"), (16_000, 1, "float32")),
        *((48_000, 1, "int16"), (48_000, 2, "float32")),
    ):
        samples = sound(from_hz, channels)
        blocks = (float_to_int16(samples) if kind == "int16" else samples).reshape(
            -1, from_hz // 50, channels
        )
        with AudioEncoder(from_hz=from_hz, channels=channels) as encoder:

            def work(encoder: AudioEncoder = encoder, blocks: np.ndarray = blocks) -> None:
                for block in blocks:
                    for pcm in encoder.encode(block):
                        codec.encode_audio(pcm)

            figure = cpu_ms(work, rounds) / SECONDS
        plural = "s" * (channels > 1)
        what = f"encoder, {kind}, {from_hz} Hz, {channels} channel{plural}, to frames"
        rows.append((what, f"{figure:.2f}"))
    return rows


def file_rows(rounds: int) -> list[tuple[str, ...]]:
    """Measure whole files, worker threads included."""

    async def read(path: Path) -> None:
        async with open_sound(path) as reader:
            async for _ in reader:
                pass

    rows: list[tuple[str, ...]] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sound"
        for kind, rate_hz in (("WAV", 16_000), ("WAV", 48_000), ("FLAC", 44_100), ("MP3", 44_100)):
            soundfile.write(path, sound(rate_hz, 2), rate_hz, format=kind)
            figure = cpu_ms(lambda: trio.run(read, path), rounds) / SECONDS
            rows.append((f"sound file, {kind}, {rate_hz} Hz, 2 channels", f"{figure:.2f}"))
    return rows


def picture_rows(rounds: int) -> list[tuple[str, ...]]:
    """Measure whole pictures, the worker thread included."""
    rows: list[tuple[str, ...]] = []
    photo = Image.effect_noise((4_000, 3_000), 40).convert("RGB")
    for kind in ("JPEG", "PNG"):
        file = io.BytesIO()
        photo.save(file, kind)
        figure = cpu_ms(partial(trio.run, load_image, file.getvalue()), rounds)
        rows.append((f"{kind}, 4,000 x 3,000", f"{figure:.0f}"))
    return rows


def tables(*, quick: bool) -> list[Table]:
    """Measure all of it; when ``quick``, in one round each."""
    rounds = 1 if quick else ROUNDS
    stages = [*resampler_rows(rounds), *encoder_rows(rounds), *file_rows(rounds)]
    return [
        Table("CPU for a second of sound, in ms", ("", "ms"), stages),
        Table("CPU for a picture, in ms", ("", "ms"), picture_rows(rounds)),
    ]
