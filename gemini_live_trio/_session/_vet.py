"""Looking at a setup before it is dialled."""

from __future__ import annotations

import warnings

from ..config import CapabilityWarning, SessionConfig
from ..errors import ConfigError

__all__ = ["vet"]


def vet(config: SessionConfig, *, stacklevel: int = 2) -> None:
    """Look before a dial: refuse or warn, as ``config.check`` says.

    Raises:
      ConfigError: The model is known to refuse it, and the check is strict.
    """
    if config.check == "off":
        return
    findings = config.findings()
    refused = [finding for finding in findings if finding.blocks]
    if refused and config.check == "strict":
        raise ConfigError(
            f"{' Also, '.join(f'{finding}.' for finding in refused)} "
            '(Nothing was dialled; SessionConfig(check="warn") dials all the same.)'
        )
    for finding in findings:
        warnings.warn(f"{finding}.", CapabilityWarning, stacklevel=stacklevel + 1)
