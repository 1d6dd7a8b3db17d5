"""What numbers and sound must be, and the sentences for those that aren't."""

from __future__ import annotations

import math

from ..errors import ConfigError

__all__ = ["RATES_HZ", "check_channels", "check_number", "check_pcm", "check_rate"]

RATES_HZ = range(1_000, 768_001)
"""What sound may have; others come from damaged headers and slips of the pen."""

CHANNELS = range(1, 1_025)
"""libsndfile's limit, which is above that of every device."""


def check_number(
    name: str,
    number: float,
    low: float,
    high: float = math.inf,
    unit: str = "",
    *,
    whole: bool = True,
) -> None:
    """Refuse a number out of its range, or what is no number.

    Args:
      name: What the user calls it.
      number: What the user gave.
      low: The least that it may be.
      high: The most.
      unit: What is counted, for the sentence.
      whole: Only an int will do.

    Raises:
      ConfigError: It isn't from ``low`` to ``high``, or is of another type.
    """
    fits = isinstance(number, int if whole else (int, float)) and not isinstance(number, bool)
    if fits and low <= number <= high:
        return
    limits = f"{low:,} to {high:,}" if high < math.inf else f"{low:,} or more"
    advice = "" if fits else "; give an int" if whole else "; give a number"
    raise ConfigError(f"{name} must be {limits}{unit and ' ' + unit}, not {number!r}{advice}.")


def check_rate(name: str, rate_hz: int) -> None:
    """Refuse a rate that makes no sense.

    Raises:
      ConfigError: It isn't a whole number from 1,000 to 768,000.
    """
    check_number(name, rate_hz, RATES_HZ[0], RATES_HZ[-1], "samples a second")


def check_channels(channels: int) -> None:
    """Refuse a number of channels that no device has.

    Raises:
      ConfigError: It isn't a whole number from 1 to 1,024.
    """
    check_number("channels", channels, CHANNELS[0], CHANNELS[-1])


def check_pcm(pcm: bytes | bytearray | memoryview) -> bytes | bytearray:
    """Return 16-bit samples as bytes that can be counted, and refuse what isn't bytes.

    Raises:
      ConfigError: It is something else, such as an array.
    """
    if isinstance(pcm, memoryview):
        return pcm.tobytes()
    if not isinstance(pcm, (bytes, bytearray)):
        raise ConfigError(
            f"Sound must be bytes of 16-bit samples, not {type(pcm).__name__}; "
            "gemini_live_trio.media.pcm makes them of arrays."
        )
    return pcm
