"""Credentials: who we are, said in a header, never in a URL, a repr or an error."""

from __future__ import annotations

from typing import Any

import attrs

from .errors import ConfigError

__all__ = ["ApiKey"]


def _check_key(_instance: object, _attribute: object, value: Any) -> None:
    if not isinstance(value, str):
        raise ConfigError(
            f"The API key must be text, not of type {type(value).__name__}; "
            "is the environment variable set?"
        )
    if not value.isascii() or not value.isprintable() or value.split() != [value]:
        raise ConfigError(
            "The API key is empty or has blanks or odd characters in it; "
            "copy it again, it is one word."
        )


@attrs.frozen
class ApiKey:
    """A key of the Gemini Developer API.

    Raises:
      ConfigError: The key is no text, empty, or can't be a key at all. The text doesn't repeat it.
    """

    key: str = attrs.field(repr=lambda _: "<redacted>", validator=_check_key)

    def headers(self) -> list[tuple[bytes, bytes]]:
        """HTTP headers for the WebSocket upgrade."""
        return [(b"x-goog-api-key", self.key.encode("ascii"))]
