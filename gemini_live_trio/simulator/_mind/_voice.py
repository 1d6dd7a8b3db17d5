"""Speaking: text in, 24 kHz speech out.

Two voices. ``ToneVoice`` sings the rhythm of the words: a short tone for each syllable, a pause at
each comma and full stop, pitch falling towards the end of a sentence. It needs nothing and takes
no time, so it works on a virtual clock. ``EspeakVoice`` runs ``espeak-ng``, a program of its own,
so it belongs to real clocks only.
"""

from __future__ import annotations

import functools
import io
import logging
import math
import re
import shutil
import subprocess
import sys
import wave
from array import array
from typing import Final, Literal, Protocol, TypeAlias

import trio

from ._resample import resample

__all__ = ["RATE_HZ", "EspeakVoice", "ToneVoice", "Voice", "VoiceName", "choose_voice", "sentences"]

log: Final = logging.getLogger("gemini_live_trio.simulator")

RATE_HZ: Final = 24_000
"""What the service speaks in."""

VoiceName: TypeAlias = Literal["auto", "tone", "espeak", "echo"]

_ESPEAK_SECONDS: Final = 10.0
_MOST_SENTENCE: Final = 400


class Voice(Protocol):
    """Anything that can say a sentence."""

    async def say(self, sentence: str, /) -> bytes:
        """Return the sentence as 24 kHz signed 16-bit little-endian mono."""
        ...


_BREATHS: Final = {
    "before": re.compile(r"(?<=[.!?])(?=\s)"),
    "after": re.compile(r"(?<=[.!?]\s)(?=\S)"),
}


def sentences(text: str, space: Literal["before", "after"] = "after") -> list[str]:
    """Cut a text where a speaker breathes; joined again they are the text.

    Args:
      text: What to say.
      space: Where the space between two goes: ``"before"`` the second, or ``"after"`` the first.
    """
    return [
        sentence[start : start + _MOST_SENTENCE]
        for sentence in _BREATHS[space].split(text)
        for start in range(0, len(sentence), _MOST_SENTENCE)
    ]


# --- A tone for each syllable ---------------------------------------------------------------

_BASE_HZ: Final = 190.0
_SYLLABLE_SECONDS: Final = 0.13
_GAP_SECONDS: Final = 0.045
_PAUSES: Final = {",": 0.15, ";": 0.2, ":": 0.2, ".": 0.3, "!": 0.3, "?": 0.3}
_LOUDNESS: Final = 6_500  # -14 dBFS at the peak
_PARTIALS: Final = ((1, 0.6), (2, 0.28), (3, 0.12))
_DIGIT_SYLLABLES: Final = 1
_LATIN_VOWELS: Final = re.compile(r"[aeiouyäöüáéíóúàèâêô]+", re.IGNORECASE)


@functools.lru_cache(maxsize=256)
def _syllable(pitch_hz: int, milliseconds: int) -> bytes:
    count = RATE_HZ * milliseconds // 1000
    step = 2 * math.pi * pitch_hz / RATE_HZ
    samples = array(
        "h",
        (
            round(
                _LOUDNESS
                * math.sin(math.pi * index / count) ** 0.7
                * sum(share * math.sin(step * index * times) for times, share in _PARTIALS)
            )
            for index in range(count)
        ),
    )
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()


def _silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE_HZ))


def _syllables(word: str) -> int:
    digits = sum(character.isdigit() for character in word)
    return max(1, len(_LATIN_VOWELS.findall(word)) + digits * _DIGIT_SYLLABLES)


class ToneVoice:
    """The rhythm of speech, without the words."""

    async def say(self, sentence: str, /) -> bytes:
        """Return the sentence's rhythm; takes no time."""
        await trio.lowlevel.checkpoint()
        words = sentence.split()
        asks = sentence.rstrip().endswith("?")
        sound = bytearray()
        for index, word in enumerate(words):
            place = index / max(1, len(words) - 1)
            fall = 1.12 - 0.28 * place
            if asks and place > 0.7:
                fall = 1.2
            for syllable in range(_syllables(word)):
                # Steps of 5 Hz, so that a few dozen waves serve every sentence.
                lift = 1.06 if syllable % 2 == 0 else 0.97
                pitch = round(_BASE_HZ * fall * lift / 5) * 5
                sound += _syllable(pitch, round(_SYLLABLE_SECONDS * 1000))
            sound += _silence(_PAUSES.get(word[-1], _GAP_SECONDS))
        return bytes(sound)


# --- espeak-ng --------------------------------------------------------------------------------


class EspeakVoice:
    """Real speech, by ``espeak-ng``.

    Args:
      program: Its path.
    """

    def __init__(self, program: str) -> None:
        self._program = program
        self._fallback = ToneVoice()

    async def say(self, sentence: str, /) -> bytes:
        """Return the sentence as speech; its rhythm only, where the program fails.

        Cancellation: the program is ended.
        """
        if not sentence.strip():
            return b""
        with trio.move_on_after(_ESPEAK_SECONDS):
            try:
                done = await trio.run_process(
                    [self._program, "--stdin", "--stdout", "-s", "165"],
                    stdin=sentence.encode(),
                    capture_stdout=True,
                    capture_stderr=True,
                )
                return await trio.to_thread.run_sync(_from_wav, done.stdout)
            except (OSError, subprocess.CalledProcessError, wave.Error, EOFError) as error:
                log.warning("espeak-ng failed (%s): the tone voice stands in", error)
                return await self._fallback.say(sentence)
        log.warning("espeak-ng took over %g s: the tone voice stands in", _ESPEAK_SECONDS)
        return await self._fallback.say(sentence)


def _from_wav(data: bytes) -> bytes:
    with wave.open(io.BytesIO(data)) as file:
        if file.getsampwidth() != 2 or file.getnchannels() != 1:
            raise wave.Error("espeak-ng wrote something else than 16-bit mono")
        # It can't know the length when it writes to a pipe, so the header claims the largest one.
        rate = file.getframerate()
        pcm = file.readframes(min(file.getnframes(), len(data)))
    return resample(pcm, rate, RATE_HZ)


def choose_voice(name: VoiceName, *, real_clock: bool) -> Voice:
    """Find the voice for a name.

    Args:
      name: ``"auto"`` is ``"espeak"`` where it is installed and the clock is real, else
        ``"tone"``; ``"echo"`` speaks with ``"tone"`` when there is nothing to repeat.
      real_clock: Whether the simulator listens on a port. Without one it may run on a virtual
        clock, which would run away while a program works.

    Raises:
      ValueError: ``"espeak"`` is not installed, or asked for without a port.
    """
    if name not in {"auto", "tone", "espeak", "echo"}:
        raise ValueError(f"voice must be auto, tone, espeak or echo, not {name!r}")
    if name in {"auto", "espeak"} and real_clock:
        program = shutil.which("espeak-ng")
        if program is not None:
            return EspeakVoice(program)
    if name == "espeak":
        problem = "espeak-ng is not installed" if real_clock else "it needs a real port"
        raise ValueError(f"The voice can't be espeak: {problem}.")
    return ToneVoice()
