"""Where the service is: from a back end's name to host, port and path."""

from __future__ import annotations

import contextlib
from urllib.parse import urlsplit

import attrs

from .errors import ConfigError

__all__ = ["GeminiApi", "Target"]

_PORTS = {"ws": 80, "wss": 443}


@attrs.frozen
class Target:
    """What the transport needs to know to dial."""

    host: str
    port: int
    secure: bool
    resource: str
    """Path of the WebSocket, beginning with a slash."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@attrs.frozen
class GeminiApi:
    """The Gemini Developer API, or anything that speaks its protocol.

    Raises:
      ConfigError: ``base_url`` isn't a WebSocket URL.
    """

    version: str = attrs.field(default="v1beta", kw_only=True)
    """``"v1beta"`` is the documented one; ``"v1alpha"`` and ``"v1"`` exist."""

    base_url: str = attrs.field(default="wss://generativelanguage.googleapis.com", kw_only=True)
    """Another place to dial, such as a gateway, or a simulator's ``ws://127.0.0.1:1234``."""

    def __attrs_post_init__(self) -> None:
        self.target()

    def target(self) -> Target:
        """Return host, port and path."""
        url = urlsplit(self.base_url)
        host, port = url.hostname, None
        with contextlib.suppress(KeyError, ValueError):
            port = url.port or _PORTS[url.scheme]
        if not host or port is None or url.query or url.fragment or url.username or url.password:
            raise ConfigError(
                f"The base URL must look like wss://host or ws://host:port/path, "
                f"with no credentials or query in it; its scheme is {url.scheme!r}, "
                f"its host {host!r}."
            )
        method = f"google.ai.generativelanguage.{self.version}.GenerativeService"
        return Target(
            host=host,
            port=port,
            secure=url.scheme == "wss",
            resource=f"{url.path.rstrip('/')}/ws/{method}.BidiGenerateContent",
        )

    def model_name(self, model: str) -> str:
        """Complete a model's short name to the form that ``setup`` wants."""
        return model if "/" in model else f"models/{model}"
