"""Where the service is: from a back end's name to host, port and path."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

import attrs

from .errors import ConfigError

__all__ = ["GeminiApi", "Target"]

_PORTS: Final = {"ws": 80, "wss": 443}
_LONGEST_NAME: Final = 253
_PATH = re.compile(r"[!-~]*", re.ASCII)


@attrs.frozen
class Target:
    """What the transport needs to know to dial."""

    host: str
    port: int
    secure: bool
    resource: str
    """Path of the WebSocket, beginning with a slash."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


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
        """Return host, port and path.

        Raises:
          ConfigError: ``base_url`` isn't a WebSocket URL.
        """
        url = _split(self.base_url)
        port = _port(url)
        method = f"google.ai.generativelanguage.{self.version}.GenerativeService"
        return Target(
            host=_host(url),
            port=port,
            secure=url.scheme == "wss",
            resource=f"{url.path.rstrip('/')}/ws/{method}.BidiGenerateContent",
        )

    def model_name(self, model: str) -> str:
        """Complete a model's short name to the form that ``setup`` wants."""
        return model if "/" in model else f"models/{model}"


def _refusal(what: str) -> ConfigError:
    # The URL itself isn't repeated: what is wrong with it may be a password or a key.
    return ConfigError(
        f"The base URL must look like wss://host or ws://host:port/path, without credentials, "
        f"query or fragment: {what}."
    )


def _split(base_url: object) -> SplitResult:
    if not isinstance(base_url, str):
        raise _refusal(f"it is text, not of type {type(base_url).__name__}")
    if base_url.split() != [base_url]:
        raise _refusal("it is empty or has blanks in or around it")
    try:
        url = urlsplit(base_url)
    except ValueError:
        raise _refusal("its host can't be read; an IPv6 address stands in brackets") from None
    if url.scheme not in _PORTS:
        raise _refusal("it begins with neither ws:// nor wss://")
    if url.username is not None or url.password is not None:
        raise _refusal("it has credentials in it; give the key as auth=ApiKey(...)")
    if "?" in base_url:
        raise _refusal("it has a query, a part from a ? on")
    if "#" in base_url:
        raise _refusal("it has a fragment, a part from a # on")
    if not _PATH.fullmatch(url.path):
        raise _refusal("its path has odd characters in it; write them as %XX")
    return url


def _port(url: SplitResult) -> int:
    try:
        port = url.port
    except ValueError:
        port = 0
    if port == 0:
        raise _refusal("its port is no number from 1 to 65535")
    return _PORTS[url.scheme] if port is None else port


def _host(url: SplitResult) -> str:
    host = url.hostname
    if not host:
        raise _refusal("it has no host")
    try:
        # What the resolver will do with it; it fails on empty and overlong labels.
        name = host.encode("idna") if ":" not in host else host.encode("ascii")
    except UnicodeError:
        name = b""
    if not 0 < len(name) <= _LONGEST_NAME or not name.isascii() or not host.isprintable():
        raise _refusal("its host can't be the name of one")
    return host
