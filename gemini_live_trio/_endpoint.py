"""Where the service is: a back end's host, port, path and headers, and its names of models."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import SplitResult, urlsplit

import attrs

from .errors import ConfigError

__all__ = ["CustomEndpoint", "Endpoint", "GeminiApi", "Target", "VertexAi", "check_header"]

_PORTS: Final = {"ws": 80, "wss": 443}
_LONGEST_NAME: Final = 253
_PATH = re.compile(r"[!-~]*", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*", re.ASCII)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII)
_HANDSHAKE: Final = ("connection", "content-length", "host", "transfer-encoding", "upgrade")
_MULTI_REGIONS: Final = ("eu", "us")


@attrs.frozen
class Target:
    """What the transport needs to know to dial."""

    host: str
    port: int
    secure: bool
    resource: str = attrs.field(repr=lambda path: repr(path.partition("?")[0]))
    """Path of the WebSocket, beginning with a slash; a query may hold a credential."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def check_header(name: object, value: object) -> None:
    """Refuse what can't be a header of the upgrade; the text doesn't repeat the value.

    Raises:
      ConfigError: It can't.
    """
    if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
        raise ConfigError(f"{name!r} can't be the name of a header.")
    if name.lower() in _HANDSHAKE or name.lower().startswith("sec-websocket-"):
        raise ConfigError(f"The header {name} belongs to the WebSocket handshake; leave it out.")
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise ConfigError(f"The value of the header {name} must be printable ASCII text.")


def _copied(headers: Mapping[str, str]) -> Mapping[str, str]:
    if not isinstance(headers, Mapping):
        raise ConfigError(f"headers takes a mapping, not a {type(headers).__name__}.")
    return dict(headers)


def _headers(_instance: object, _attribute: object, value: Mapping[str, str]) -> None:
    for name, text in value.items():
        check_header(name, text)


def _names_only(headers: Mapping[str, str]) -> str:
    return repr(dict.fromkeys(headers, "<redacted>"))


def _path(_instance: object, _attribute: object, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, str) or not value.startswith("/"):
        raise ConfigError("The path must be text that begins with a slash.")
    if not _PATH.fullmatch(value) or "?" in value or "#" in value:
        raise ConfigError("The path has a query, a fragment, blanks or odd characters in it.")


def _version(_instance: object, _attribute: object, value: Any) -> None:
    if not isinstance(value, str) or not _WORD.fullmatch(value):
        raise ConfigError('version takes the name of an API version, such as "v1beta".')


@attrs.frozen
class GeminiApi:
    """The Gemini Developer API, or anything that speaks its protocol.

    Raises:
      ConfigError: Something in it can't be part of a URL or header.
    """

    version: str = attrs.field(default="v1beta", kw_only=True, validator=_version)
    """``"v1beta"`` is the documented one; ``"v1alpha"`` and ``"v1"`` exist."""

    base_url: str = attrs.field(default="wss://generativelanguage.googleapis.com", kw_only=True)
    """Another place to dial, such as a gateway, or a simulator's ``ws://127.0.0.1:1234``."""

    path: str | None = attrs.field(default=None, kw_only=True, validator=_path)
    """Another path, behind that of ``base_url``; with ephemeral tokens it is taken as it is too."""

    headers: Mapping[str, str] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=_copied,
        validator=_headers,
        repr=_names_only,
        hash=False,
    )
    """More headers for the upgrade. One that a credential would set takes that one's place."""

    def __attrs_post_init__(self) -> None:
        self.target()

    @property
    def backend(self) -> Literal["gemini"]:
        """Whose rules hold there."""
        return "gemini"

    def target(self, *, constrained: bool = False) -> Target:
        """Return host, port and path.

        Args:
          constrained: Whether it is the method for ephemeral tokens.

        Raises:
          ConfigError: ``base_url`` isn't a WebSocket URL.
        """
        method = "BidiGenerateContentConstrained" if constrained else "BidiGenerateContent"
        service = f"google.ai.generativelanguage.{self.version}.GenerativeService"
        return _target(self.base_url, self.path or f"/ws/{service}.{method}")

    def model_name(self, model: str) -> str:
        """Complete a model's short name to the form that ``setup`` wants."""
        return model if "/" in model else f"models/{model}"


@attrs.frozen
class VertexAi:
    """Vertex AI: of a project in a region, or with an API key in express mode.

    ::

        VertexAi("my-project", "europe-west4")   # a region
        VertexAi("my-project", "global")         # wherever there is room
        VertexAi("my-project", "eu")             # anywhere in the European Union; "us" likewise
        VertexAi(express=True)                   # with an API key, without project and region

    Raises:
      ConfigError: Project or location is missing, given in express mode too, or can't be one.
    """

    project: str | None = None
    """Its id, such as ``"my-project"``, or its number."""

    location: str | None = None
    """A region, ``"global"``, or the multi-regions ``"us"`` and ``"eu"``."""

    version: str = attrs.field(default="v1", kw_only=True, validator=_version)
    """``"v1"`` or ``"v1beta1"``."""

    express: bool = attrs.field(default=False, kw_only=True)
    """Express mode: an API key stands for project and region."""

    base_url: str | None = attrs.field(default=None, kw_only=True)
    """Another place to dial than the location's own."""

    path: str | None = attrs.field(default=None, kw_only=True, validator=_path)
    """Another path, behind that of ``base_url``."""

    headers: Mapping[str, str] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=_copied,
        validator=_headers,
        repr=_names_only,
        hash=False,
    )
    """More headers for the upgrade. One that a credential would set takes that one's place."""

    def __attrs_post_init__(self) -> None:
        given = {"project": self.project, "location": self.location}
        for name, value in given.items():
            if self.express and value is not None:
                raise ConfigError(
                    f"In express mode Vertex AI takes no {name}; the key stands for it."
                )
            if not self.express and (
                not isinstance(value, str) or not _WORD.fullmatch(value) or value.endswith(".")
            ):
                raise ConfigError(
                    f"Vertex AI needs a {name}, one word, as in "
                    'VertexAi("my-project", "europe-west4"); an API key, VertexAi(express=True).'
                )
        self.target()

    @property
    def backend(self) -> Literal["vertex"]:
        """Whose rules hold there."""
        return "vertex"

    def target(self) -> Target:
        """Return host, port and path.

        Raises:
          ConfigError: ``base_url`` isn't a WebSocket URL.
        """
        path = f"/ws/google.cloud.aiplatform.{self.version}.LlmBidiService/BidiGenerateContent"
        return _target(self.base_url or f"wss://{self._host()}", self.path or path)

    def _host(self) -> str:
        if self.express or self.location == "global":
            return "aiplatform.googleapis.com"
        if self.location in _MULTI_REGIONS:
            return f"aiplatform.{self.location}.rep.googleapis.com"
        return f"{self.location}-aiplatform.googleapis.com"

    def model_name(self, model: str) -> str:
        """Complete a model's short name to the form that ``setup`` wants."""
        if model.startswith("projects/"):
            return model
        name = model.removeprefix("models/")
        if "/" not in name:
            name = f"publishers/google/models/{name}"
        if self.express:
            return name
        return f"projects/{self.project}/locations/{self.location}/{name}"


@attrs.frozen
class CustomEndpoint:
    """A gateway or another service of the same protocol, by its whole URL.

    Nothing is completed: the URL is dialled and the model named as they are.

    Raises:
      ConfigError: That isn't a WebSocket URL. The text doesn't repeat it.
    """

    url: str = attrs.field(repr=lambda url: repr(url.partition("?")[0]))
    """Such as ``"wss://gateway.example/live?tenant=7"``."""

    headers: Mapping[str, str] = attrs.field(
        factory=dict,
        kw_only=True,
        converter=_copied,
        validator=_headers,
        repr=_names_only,
        hash=False,
    )
    """More headers for the upgrade. One that a credential would set takes that one's place."""

    def __attrs_post_init__(self) -> None:
        self.target()

    @property
    def backend(self) -> Literal["gemini", "vertex"] | None:
        """Whose rules hold there, as far as the URL tells."""
        url = self.url.partition("?")[0]
        if "google.ai.generativelanguage." in url:
            return "gemini"
        return "vertex" if "google.cloud.aiplatform." in url else None

    @property
    def version(self) -> str | None:
        """The API version, as far as the URL tells."""
        found = re.search(r"google\.(?:ai\.generativelanguage|cloud\.aiplatform)\.(v\w+)", self.url)
        return found[1] if found else None

    def target(self) -> Target:
        """Return host, port, path and query.

        Raises:
          ConfigError: That isn't a WebSocket URL.
        """
        if not isinstance(self.url, str):
            raise _refusal(f"it is text, not of type {type(self.url).__name__}")
        base, mark, query = self.url.partition("?")
        target = _target(base, "")
        if mark and (not _PATH.fullmatch(query) or "#" in query):
            raise _refusal("its query has a fragment, blanks or odd characters in it")
        return attrs.evolve(target, resource=f"{urlsplit(base).path or '/'}{mark}{query}")

    def model_name(self, model: str) -> str:
        """Return it as it is."""
        return model


Endpoint: TypeAlias = GeminiApi | VertexAi | CustomEndpoint
"""A place to dial."""


def _target(base_url: object, path: str) -> Target:
    url = _split(base_url)
    return Target(
        host=_host(url),
        port=_port(url),
        secure=url.scheme == "wss",
        resource=f"{url.path.rstrip('/')}{path}",
    )


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
