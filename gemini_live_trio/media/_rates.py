"""Which sample rates exist."""

from __future__ import annotations

from ..errors import ConfigError

__all__ = ["RATES_HZ", "check_rate"]

RATES_HZ = range(1_000, 768_001)
"""What sound may have; others come from damaged headers and slips of the pen."""


def check_rate(name: str, rate_hz: int) -> None:
    """Refuse a rate that makes no sense.

    Raises:
      ConfigError: It isn't a whole number from 1,000 to 768,000.
    """
    if type(rate_hz) is not int or rate_hz not in RATES_HZ:
        raise ConfigError(f"{name} must be 1,000 to 768,000 samples a second, not {rate_hz!r}.")
