"""Which sample rates, numbers of channels and lengths of blocks make sense."""

from __future__ import annotations

from ..errors import ConfigError

__all__ = ["RATES_HZ", "check_block", "check_channels", "check_rate"]

RATES_HZ = range(1_000, 768_001)
"""What sound may have; others come from damaged headers and slips of the pen."""

CHANNELS = range(1, 1_025)
"""libsndfile's limit, which is above that of every device."""

MOST_BLOCK_MS = 10_000
"""A block is held in memory."""


def check_rate(name: str, rate_hz: int) -> None:
    """Refuse a rate that makes no sense.

    Raises:
      ConfigError: It isn't a whole number from 1,000 to 768,000.
    """
    if type(rate_hz) is not int or rate_hz not in RATES_HZ:
        raise ConfigError(f"{name} must be 1,000 to 768,000 samples a second, not {rate_hz!r}.")


def check_channels(channels: int) -> None:
    """Refuse a number of channels that no device has.

    Raises:
      ConfigError: It isn't a whole number from 1 to 1,024.
    """
    if type(channels) is not int or channels not in CHANNELS:
        raise ConfigError(f"channels must be 1 to 1,024, not {channels!r}.")


def check_block(block_ms: float) -> None:
    """Refuse a block that is no piece of a stream.

    Raises:
      ConfigError: It isn't 1 to 10,000 milliseconds long.
    """
    if not 1 <= block_ms <= MOST_BLOCK_MS:
        raise ConfigError(f"block_ms must be 1 to {MOST_BLOCK_MS:,}, not {block_ms!r}.")
