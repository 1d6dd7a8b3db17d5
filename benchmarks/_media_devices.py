"""How long sound takes: from the microphone to the socket, and from an interruption to silence.

On the virtual devices of ``tests/devices/rig.py``. Times are by PortAudio's clock, by which both
devices stamp their blocks.
"""

from __future__ import annotations

import statistics

import numpy as np
import trio
from _media_report import Table

from gemini_live_trio import GeminiApi, SessionConfig, SessionObserver, open_session
from gemini_live_trio.media import MicrophoneBlock, open_microphone, open_speaker
from gemini_live_trio.media._devices import Link
from gemini_live_trio.simulator import open_simulator

__all__ = ["tables"]

BLOCK_SECONDS = 0.020
QUIET = 200


async def capture_to_socket(count: int) -> list[float]:
    """From the end of a block at the device to when its frame was written, for each block."""
    written: list[float] = []
    blocks: list[MicrophoneBlock] = []
    clock: list[Link] = []

    class Stamps(SessionObserver):
        def frame_sent(self, frame: str, *, connection: int, time: float) -> None:
            if '"audio"' in frame[:60]:
                written.append(clock[0].time())

    async with open_simulator(mind=None) as simulator:
        config = SessionConfig(model="gemini-3.8-live", endpoint=GeminiApi(base_url=simulator.url))
        async with (
            open_session(config, observers=[Stamps()]) as session,
            open_microphone("vmic") as microphone,
        ):
            assert microphone._line.link is not None
            clock.append(microphone._line.link)
            async for event in microphone:
                if isinstance(event, MicrophoneBlock):
                    blocks.append(event)
                    await session.send_audio(event.pcm)
                if len(blocks) == count:
                    break
    return [at - block.adc_time - BLOCK_SECONDS for at, block in zip(written, blocks, strict=False)]


async def interruption_to_silence(count: int) -> tuple[list[float], list[float]]:
    """From ``flush`` to the last sound: as handed to the device, and as heard at its output."""
    handed: list[float] = []
    heard: list[float] = []
    voice = (np.sin(np.arange(24_000 * 5) / 12) * 16_000).astype("<i2").tobytes()
    async with open_speaker("vspeaker") as speaker, open_microphone("vspeaker_mon") as microphone:
        link = speaker._line.link
        assert link is not None
        with speaker.tap(seconds=10) as tap:
            for generation in range(1, count + 1):
                await speaker.play(voice, generation=generation)
                cut, last, quiet, blocks = 0.0, 0.0, 0, 0
                # Each time at another moment between two blocks.
                wanted = 30 + generation % 7
                async for event in microphone:
                    assert isinstance(event, MicrophoneBlock)
                    places = np.nonzero(np.abs(np.frombuffer(event.pcm, "<i2")) > QUIET)[0]
                    if len(places):
                        last = event.adc_time + (places[-1] + 1) / event.rate_hz
                        blocks += 1
                        quiet = 0
                    quiet += 1
                    if blocks == wanted and not cut:
                        await trio.sleep(generation % 10 / 500)
                        tap.take()
                        cut = link.time()
                        speaker.flush(generation)
                    if cut and quiet > 15:
                        break
                heard.append(last - cut)
                sounding = [block for block in tap.take() if any(block.pcm)]
                handed.append(len(sounding) * BLOCK_SECONDS)
    return handed, heard


async def tables(*, quick: bool) -> list[Table]:
    """Measure everything, in about a minute and a half; in a quarter of that when ``quick``."""
    sent = await capture_to_socket(250 if quick else 1_000)
    handed, heard = await interruption_to_silence(8 if quick else 30)
    return [
        Table(
            "How long sound takes, in ms",
            ("from ... to ...", "median", "p99", "worst", "of"),
            [
                _row("the end of a block at the microphone to its frame on the socket", sent),
                _row("an interruption to the device's first silent block", handed),
                _row("an interruption to silence at the output", heard),
            ],
        )
    ]


def _row(what: str, seconds: list[float]) -> tuple[str, ...]:
    found = (statistics.median(seconds), float(np.percentile(seconds, 99)), max(seconds))
    return what, *(f"{value * 1e3:.1f}" for value in found), str(len(seconds))
