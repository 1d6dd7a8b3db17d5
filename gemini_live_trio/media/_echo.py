"""Taking out of the microphone what came from the speaker, so that the model doesn't hear itself.

It hears itself on every loudspeaker, takes that for the user, and interrupts itself without end. So
the microphone goes through an echo canceller, which is told what the speaker plays::

    async with open_echo_canceller() as echo:
        ...
            for played in tap.take():
                echo.reference(
                    played.pcm, rate_hz=played.rate_hz, when=played.dac_time, frame=played.frame
                )
            pcm = echo.process(block.pcm, when=block.adc_time, frame=block.frame)
            await session.send_audio(pcm)
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, get_args

import attrs
import trio

from ..errors import ConfigError, MissingDependency
from ._limits import check_number

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ._echo_stage import Engine

__all__ = [
    "EchoAlignment",
    "EchoBackend",
    "EchoCanceller",
    "EchoChoice",
    "EchoStage",
    "EchoStatistics",
    "SoundBlock",
    "open_echo_canceller",
]

EchoBackend: TypeAlias = Literal["webrtc", "speexdsp", "half_duplex", "headphones", "off"]
"""What can be done about echo; ``docs/howto/echo.md`` says which is for whom."""

SoundBlock: TypeAlias = (
    "bytes | bytearray | memoryview | npt.NDArray[np.int16] | npt.NDArray[np.float32]"
)
"""Mono: bytes of 16-bit little-endian samples; or an array of shape ``(samples,)``, of ``int16`` or
of ``float32`` from -1 to 1.
"""

RATE_HZ = 16_000
"""Of everything about echo: what the service takes, and what all back-ends were measured with."""
MOST_DELAY = 1.0
HALF_DUPLEX_WARNING = (
    "The microphone is off while the model is heard, so the model can't be interrupted by voice."
)
OFF_WARNING = "On a loudspeaker the model will hear itself, and interrupt itself."
_log = logging.getLogger("gemini_live_trio.echo")


class EchoCanceller(Protocol):
    """What cancels echo; ``open_echo_canceller`` gives one, and anything of this form will do.

    Not safe for threads: one thread calls all of it, and it may be Trio's, since nothing waits.
    """

    def reference(
        self,
        far: SoundBlock,
        /,
        *,
        rate_hz: int = 16_000,
        when: float | None = None,
        frame: int | None = None,
    ) -> None:
        """Take what the speaker was given to play, silence included, as soon as it was given.

        Every block must come, in order, before the blocks of the microphone in which it may be
        heard.

        Args:
          far: Any number of samples, mono.
          rate_hz: Their rate, 8,000 to 192,000; other than 16,000 are resampled.
          when: When the first of them sounds, in seconds, on a clock that the microphone's blocks
            are stamped with too: PortAudio's ``outputBufferDacTime``. Without stamps, blocks are
            matched as they come.
          frame: How many samples the speaker was given before them. Where this jumps, silence is
            taken for what is missing.

        Raises:
          ConfigError: Half a sample, more than one channel, a type or rate that makes no sense.
          MissingDependency: It has to be resampled, and there is nothing that could.
          trio.ClosedResourceError: It was closed.
        """
        ...

    def process(
        self, near: SoundBlock, /, *, when: float | None = None, frame: int | None = None
    ) -> bytes:
        """Return a block of the microphone without its echo.

        Args:
          near: Any number of samples, mono, 16,000 a second; best are multiples of 20 ms.
          when: When the first of them was at the microphone: PortAudio's ``inputBufferAdcTime``.
          frame: How many samples the microphone gave before them. Where this jumps, as much of the
            reference is left out; without it, that is found by the stamps, three blocks later.

        Returns:
          As many samples as came in, 16-bit little-endian mono. They are later than those by the
          time that the back-end needs, and by ``EchoStatistics.delay``.

        Raises:
          ConfigError: Half a sample, more than one channel, or a type that makes no sense.
          trio.ClosedResourceError: It was closed.
        """
        ...

    def close(self) -> None:
        """Free what it holds. More than once is once."""
        ...


@attrs.frozen
class EchoChoice:
    """What is done about echo, and why.

    Attributes:
      backend: What is done.
      asked: What was asked for.
      why: A sentence for a person.
      warning: What the user has to know about it, or an empty string.
      missing: What was tried first, and the sentence that says how to get it.
    """

    backend: EchoBackend
    asked: EchoBackend | Literal["auto"]
    why: str
    warning: str = ""
    missing: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class EchoAlignment:
    """How speaker and microphone lie beside each other, and what happened to that.

    Attributes:
      lead: Seconds by which the reference is ahead of what the devices' stamps say; ``None`` while
        there are no stamps to go by, and blocks are matched as they come.
      hold: Seconds by which the microphone is held back, because the speaker tells of its blocks
        late.
      skipped_near: Samples that the microphone didn't give. As much of the reference was left out.
      skipped_far: Samples that the speaker didn't tell of; silence was taken for them.
      late: Samples of the reference that came after they had been needed.
      moves: How often the streams were laid beside each other anew, after the first second.
    """

    lead: float | None
    hold: float
    skipped_near: int
    skipped_far: int
    late: int
    moves: int


@attrs.frozen(kw_only=True)
class EchoStatistics:
    """How an echo canceller is doing, since it was opened.

    Attributes:
      seconds: Sound of the microphone that went through.
      reference_seconds: Sound of the speaker that it was told of, silence included.
      delay: Seconds by which the microphone's sound leaves later than it came.
      not_numbers: Samples that were no numbers, and were taken for silence.
      drift_ppm: By how many millionths the microphone's clock is slower than the speaker's, as far
        as that was heard; it is corrected. 0 where nothing is cancelled.
      echo_delay: By how many seconds the echo comes after its reference; ``None`` while that isn't
        clear, and where nothing is cancelled.
      bypassed: Whether sound goes round the canceller, since nothing of the speaker is heard at the
        microphone, and ``"webrtc"`` takes the user for echo then.
      alignment: How speaker and microphone lie beside each other.
    """

    seconds: float
    reference_seconds: float
    delay: float
    not_numbers: int
    drift_ppm: float
    echo_delay: float | None
    bypassed: bool
    alignment: EchoAlignment


class EchoStage(EchoCanceller, Protocol):
    """An ``EchoCanceller`` that tells about itself: what ``open_echo_canceller`` gives.

    What a second of sound costs stands in ``docs/performance.md``; once a second there is a step of
    some 5 ms.

    Attributes:
      choice: What it is, and why.
    """

    choice: EchoChoice

    def statistics(self) -> EchoStatistics:
        """Count what happened so far; a copy that doesn't change."""
        ...


@asynccontextmanager
async def open_echo_canceller(
    backend: EchoBackend | Literal["auto"] = "auto", *, delay: float | None = None
) -> AsyncIterator[EchoStage]:
    """Open an echo canceller for the length of the block.

    Args:
      backend: ``"webrtc"`` and ``"speexdsp"`` cancel. ``"half_duplex"`` mutes the microphone while
        the speaker is heard, so that the model can't be interrupted by voice. ``"headphones"`` and
        ``"off"`` do nothing, the former because there is no echo. ``"auto"`` takes the first of the
        first three that can be had, and logs what it took: a warning if that is half-duplex.
      delay: Seconds by which the echo comes after its reference, where that is known: 0 to 1; as
        ``EchoMeasurement.delay`` has it. ``"speexdsp"`` learns faster with it; if it is too
        small, four seconds pass before that is noticed. The others don't need it.

    Raises:
      ConfigError: No such back-end, or a delay that makes no sense.
      MissingDependency: The back-end that was asked for isn't installed, or numpy isn't.

    Cancellation: at any time; importing a back-end may take half a second, which is waited for.
    """
    if backend != "auto" and backend not in get_args(EchoBackend):
        near = difflib.get_close_matches(str(backend), get_args(EchoBackend), n=1)
        advice = f"did you mean {near[0]!r}?" if near else f"there is {_listed()}."
        raise ConfigError(f"There is no way {backend!r} to cancel echo; {advice}")
    if delay is not None:
        check_number("delay", delay, 0.0, MOST_DELAY, "seconds", whole=False)
    stage = await trio.to_thread.run_sync(_made, backend, delay)
    choice = stage.choice
    fallen_back = backend == "auto" and choice.warning
    _log.log(
        logging.WARNING if fallen_back else logging.INFO,
        "echo: %s. %s",
        choice.backend,
        " ".join(filter(None, (choice.why, choice.warning))),
    )
    try:
        yield stage
    finally:
        stage.close()


def _listed() -> str:
    *others, last = map(repr, ("auto", *get_args(EchoBackend)))
    return f"{', '.join(others)} or {last}"


def _made(asked: EchoBackend | Literal["auto"], delay: float | None) -> EchoStage:
    try:
        from ._echo_stage import HalfDuplex, Stage
    except ImportError as error:
        raise MissingDependency(
            'Echo cancelling needs numpy: pip install "gemini-live-trio[audio]"'
        ) from error

    missing: dict[str, str] = {}

    def stage(
        backend: EchoBackend, engine: Engine | None, why: str, warning: str = ""
    ) -> EchoStage:
        return Stage(engine, EchoChoice(backend, asked, why, warning, missing))

    if asked in ("auto", "webrtc"):
        from ._echo_webrtc import open_webrtc

        try:
            return stage("webrtc", open_webrtc(), "It is WebRTC's, of the package livekit.")
        except MissingDependency as error:
            if asked != "auto":
                raise
            missing["webrtc"] = str(error)
    if asked in ("auto", "speexdsp"):
        from ._echo_speexdsp import open_speexdsp

        try:
            engine, what = open_speexdsp(delay)
            return stage("speexdsp", engine, f"It is {what}.")
        except MissingDependency as error:
            if asked != "auto":
                raise
            missing["speexdsp"] = str(error)
    if asked in ("auto", "half_duplex"):
        why = " ".join(missing.values()) or "It was asked for."
        return stage("half_duplex", HalfDuplex(), why, HALF_DUPLEX_WARNING)
    if asked == "headphones":
        return stage("headphones", None, "With headphones there is no echo.")
    return stage("off", None, "It was asked for.", OFF_WARNING)
