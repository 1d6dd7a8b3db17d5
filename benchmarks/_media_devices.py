"""How long sound takes: from the microphone to the socket, and from an interruption to silence.

    python tests/devices/rig.py -- python benchmarks/_media_devices.py

All times are by PortAudio's clock, in which both devices stamp their blocks. ``measure_all`` is for
a report about all media.
"""

from __future__ import annotations

import statistics

import attrs
import numpy as np
import trio

from gemini_live_trio import GeminiApi, SessionConfig, SessionObserver, open_session
from gemini_live_trio.media import MicrophoneBlock, open_microphone, open_speaker
from gemini_live_trio.media._devices import Link
from gemini_live_trio.simulator import open_simulator

__all__ = ["Figures", "capture_to_socket", "interruption_to_silence", "measure_all", "table"]

BLOCK_SECONDS = 0.020
BLOCKS = 1_000
INTERRUPTIONS = 30
QUIET = 200


@attrs.frozen(kw_only=True)
class Figures:
    """Many measurements of one duration.

    Attributes:
      what: What was measured.
      median: In seconds.
      p99: Of a hundred, only one was longer.
      worst: The longest.
      count: How many there were.
    """

    what: str
    median: float
    p99: float
    worst: float
    count: int


def figures(what: str, seconds: list[float]) -> Figures:
    """Sum up."""
    return Figures(
        what=what,
        median=statistics.median(seconds),
        p99=float(np.percentile(seconds, 99)),
        worst=max(seconds),
        count=len(seconds),
    )


async def capture_to_socket() -> list[float]:
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
                if len(blocks) == BLOCKS:
                    break
    return [at - block.adc_time - BLOCK_SECONDS for at, block in zip(written, blocks, strict=False)]


async def interruption_to_silence() -> tuple[list[float], list[float]]:
    """From ``flush`` to the last sound: as handed to the device, and as heard at its output."""
    handed: list[float] = []
    heard: list[float] = []
    voice = (np.sin(np.arange(24_000 * 5) / 12) * 16_000).astype("<i2").tobytes()
    async with open_speaker("vspeaker") as speaker, open_microphone("vspeaker_mon") as microphone:
        link = speaker._line.link
        assert link is not None
        with speaker.tap(seconds=10) as tap:
            for generation in range(1, INTERRUPTIONS + 1):
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


async def measure_all() -> list[Figures]:
    """Measure everything, in about a minute and a half."""
    sent = await capture_to_socket()
    handed, heard = await interruption_to_silence()
    return [
        figures("microphone to socket", sent),
        figures("interruption to the device's first silent block", handed),
        figures("interruption to silence at the output", heard),
    ]


def table(rows: list[Figures]) -> str:
    """The figures as Markdown."""
    head = "| ms | median | p99 | worst | of |\n|---|---|---|---|---|\n"
    return head + "\n".join(
        f"| {row.what} | {row.median * 1e3:.1f} | {row.p99 * 1e3:.1f} | {row.worst * 1e3:.1f} "
        f"| {row.count} |"
        for row in rows
    )


if __name__ == "__main__":
    print(table(trio.run(measure_all)))
