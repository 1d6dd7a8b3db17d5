"""Credentials: who we are, said when dialling, never in a repr or an error.

Three are plain values: ``ApiKey``, ``EphemeralToken``, ``BearerToken``. Where one doesn't last as
long as the session does, an async function gives them, and is asked again for every dial.
"""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, quote

import attrs

from ._endpoint import CustomEndpoint, Endpoint, GeminiApi, Target, VertexAi
from .errors import ConfigError

__all__ = [
    "ApiKey",
    "BearerToken",
    "Credential",
    "CredentialSource",
    "DialReason",
    "EphemeralToken",
    "GoogleAccount",
    "approach",
    "check_pair",
    "secrets_in",
]

_LEAST: Final = 8
"""Characters of a header's value that may be a secret; shorter ones would redact half of a log."""


class DialReason(enum.Enum):
    """Why a credential is asked for."""

    FIRST = "first"
    """A session begins."""
    RESUME = "resume"
    """A session that the service knows goes on; of an ephemeral token this costs no use."""
    FRESH = "fresh"
    """The session goes on, but for the service it is a new one."""


def _secret(what: str) -> Callable[[object, object, Any], None]:
    def check(_instance: object, _attribute: object, value: Any) -> None:
        if not isinstance(value, str):
            raise ConfigError(
                f"The {what} must be text, not of type {type(value).__name__}; "
                "is the environment variable set?"
            )
        if not value.isascii() or not value.isprintable() or value.split() != [value]:
            raise ConfigError(
                f"The {what} is empty or has blanks or odd characters in it; "
                "copy it again, it is one word."
            )

    return check


def _hidden(_value: object) -> str:
    return "<redacted>"


@attrs.frozen
class ApiKey:
    """A key of the Gemini Developer API, or of Vertex AI in express mode.

    Raises:
      ConfigError: The key is no text, empty, or can't be a key at all. The text doesn't repeat it.
    """

    key: str = attrs.field(repr=_hidden, validator=_secret("API key"))

    in_url: bool = attrs.field(default=False, kw_only=True)
    """Say it in the URL (``?key=``) instead of a header, for a gateway that wants it there.
    Servers and proxies write URLs into their logs."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """HTTP headers for the WebSocket upgrade."""
        return [] if self.in_url else [(b"x-goog-api-key", self.key.encode("ascii"))]

    def query(self) -> str:
        """What is said in the URL, if anything."""
        return f"key={quote(self.key, safe='')}" if self.in_url else ""

    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be written down."""
        return self.key, quote(self.key, safe="")


def _token_form(_instance: object, _attribute: object, value: str) -> None:
    if not value.startswith("auth_tokens/"):
        raise ConfigError(
            "An ephemeral token begins with auth_tokens/, it is the name in the answer to the "
            "request for one; for an API key use ApiKey(...), for an OAuth token BearerToken(...)."
        )


@attrs.frozen
class EphemeralToken:
    """A short-lived token of the Gemini Developer API; ``mint_ephemeral_token`` makes one.

    With it the service's method for such tokens is dialled.

    Raises:
      ConfigError: That can't be one. The text doesn't repeat it.
    """

    token: str = attrs.field(repr=_hidden, validator=[_secret("ephemeral token"), _token_form])

    in_url: bool = attrs.field(default=False, kw_only=True)
    """Say it in the URL (``?access_token=``) instead of a header."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """HTTP headers for the WebSocket upgrade."""
        return [] if self.in_url else [(b"authorization", f"Token {self.token}".encode("ascii"))]

    def query(self) -> str:
        """What is said in the URL, if anything."""
        return f"access_token={quote(self.token, safe='')}" if self.in_url else ""

    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be written down."""
        bare = self.token.removeprefix("auth_tokens/")
        return (self.token, quote(self.token, safe=""), *([bare] if len(bare) > 7 else []))


def _project(_instance: object, _attribute: object, value: Any) -> None:
    if value is not None:
        _secret("quota project")(None, None, value)


@attrs.frozen
class BearerToken:
    """An OAuth access token, for Vertex AI or a gateway.

    It lasts about an hour; ``ApplicationDefault``, or a function of yours, has always a new one.

    Raises:
      ConfigError: That can't be one. The text doesn't repeat it.
    """

    token: str = attrs.field(repr=_hidden, validator=_secret("access token"))

    quota_project: str | None = attrs.field(default=None, kw_only=True, validator=_project)
    """The project that is charged for the call, where it isn't the token's own."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """HTTP headers for the WebSocket upgrade."""
        headers = [(b"authorization", f"Bearer {self.token}".encode("ascii"))]
        if self.quota_project is not None:
            headers.append((b"x-goog-user-project", self.quota_project.encode("ascii")))
        return headers

    def query(self) -> str:
        """What is said in the URL: nothing."""
        return ""

    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be written down."""
        return (self.token,)


Credential: TypeAlias = ApiKey | EphemeralToken | BearerToken
"""Who we are, as a value."""


class GoogleAccount:
    """A source that is known to give OAuth tokens, so that a pair can be judged before it does."""


CredentialSource: TypeAlias = Callable[[DialReason], Awaitable[Credential]]
"""Who we are, asked again for every dial, and told why."""


def check_pair(endpoint: Endpoint, credential: object) -> None:
    """Refuse a credential that the endpoint never takes.

    Raises:
      ConfigError: It never does; the text names what it takes.
    """
    match endpoint, credential:
        case GeminiApi(), BearerToken() | GoogleAccount():
            raise ConfigError(
                "The Gemini API takes an ApiKey or an EphemeralToken, no OAuth token; "
                "that is for VertexAi(...) or CustomEndpoint(...)."
            )
        case VertexAi(express=True), EphemeralToken() | BearerToken() | GoogleAccount():
            raise ConfigError(
                "Vertex AI in express mode takes an ApiKey; with Google credentials name project "
                'and region instead, as in VertexAi("my-project", "europe-west4").'
            )
        case VertexAi(express=False), ApiKey():
            raise ConfigError(
                "Vertex AI takes an ApiKey only in express mode, VertexAi(express=True); for a "
                "project use ApplicationDefault() or BearerToken(...)."
            )
        case VertexAi(), EphemeralToken():
            raise ConfigError(
                "Vertex AI has no ephemeral tokens; use ApplicationDefault() or BearerToken(...), "
                "or GeminiApi()."
            )
        case CustomEndpoint(), EphemeralToken():
            raise ConfigError(
                "An ephemeral token needs a path of the Gemini API's own; "
                "use GeminiApi(base_url=...) for a gateway in front of it."
            )


def approach(
    endpoint: Endpoint, credential: Credential | None
) -> tuple[Target, list[tuple[bytes, bytes]]]:
    """Return where to dial, and with which headers.

    Raises:
      ConfigError: The endpoint never takes that credential.
    """
    check_pair(endpoint, credential)
    if isinstance(endpoint, GeminiApi) and isinstance(credential, EphemeralToken):
        target = endpoint.target(constrained=True)
    else:
        target = endpoint.target()
    given = [(name.lower().encode(), text.encode()) for name, text in endpoint.headers.items()]
    if credential is None:
        return target, given
    if query := credential.query():
        mark = "&" if "?" in target.resource else "?"
        target = attrs.evolve(target, resource=f"{target.resource}{mark}{query}")
    named = {name for name, _ in given}
    return target, [*given, *(header for header in credential.headers() if header[0] not in named)]


def secrets_in(endpoint: Endpoint, auth: object) -> Iterator[str]:
    """Secrets that stand in a configuration."""
    if isinstance(auth, ApiKey | EphemeralToken | BearerToken):
        yield from auth.secrets()
    for value in endpoint.headers.values():
        for part in (value, value.rpartition(" ")[2]):
            if len(part) >= _LEAST:
                yield part
    if isinstance(endpoint, CustomEndpoint):
        for _, value in parse_qsl(endpoint.url.partition("?")[2]):
            if len(value) >= _LEAST:
                yield value
