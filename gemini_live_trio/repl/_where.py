"""Whom to talk to, and as whom: from the command line and the environment.

What the command line says counts first, then the environment, then the default. The same for every
subcommand that talks to somebody.
"""

from __future__ import annotations

import argparse
import ipaddress
from collections.abc import Mapping
from typing import Any, Final

import attrs

from .. import (
    ApiKey,
    ApplicationDefault,
    BearerToken,
    Credential,
    CredentialSource,
    Endpoint,
    EphemeralToken,
    GeminiApi,
    VertexAi,
)
from ..errors import ConfigError
from ..wire import ThinkingConfig

__all__ = ["MODEL", "VARIABLES", "Whom", "add_options", "choose", "no_blank"]

MODEL: Final = "models/gemini-3.8-live"
_KEYS: Final = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
_LEVELS: Final = ("minimal", "low", "medium", "high")

VARIABLES: Final = """\
  GEMINI_API_KEY      the key, or an ephemeral token (auth_tokens/...); GOOGLE_API_KEY does too;
                      never taken from the command line
  GEMINI_MODEL        the model, where --model doesn't say
  LIVE_BACKEND        gemini (the default) or vertex; GOOGLE_GENAI_USE_VERTEXAI=true does too
  VERTEX_PROJECT, VERTEX_LOCATION
                      where on Vertex AI; GOOGLE_CLOUD_PROJECT, GOOGLE_CLOUD_LOCATION do too
  VERTEX_MODEL        the model on Vertex AI, before GEMINI_MODEL
  VERTEX_AUTH         adc: Google's application default credentials; static: an access token;
                      by default static where there is a token, else adc
  VERTEX_AI_ACCESS_TOKEN
                      the access token
  GEMINI_THINKING_LEVEL
                      as --thinking
"""


@attrs.frozen(kw_only=True)
class Whom:
    """Where the service is, who we are there, and which model is meant."""

    endpoint: Endpoint
    auth: Credential | CredentialSource | None
    model: str
    thinking: ThinkingConfig | None = None
    source: str = ""
    """Where the credentials come from."""
    no_credentials: ConfigError | None = None
    """Why there are none where some are needed."""


def no_blank(text: str) -> str:
    """Check a text from the command line."""
    if not text.strip():
        raise argparse.ArgumentTypeError("there is nothing in it")
    try:
        text.encode()
    except UnicodeEncodeError:  # Python's stand-ins for bytes that it couldn't decode
        raise argparse.ArgumentTypeError("isn't valid UTF-8") from None
    return text


def add_options(add: Any) -> None:
    """Add the options that ``choose`` reads, by a group's ``add_argument``."""
    add("--simulate", action="store_true", help="talk to the built-in simulator; needs no key")
    add("--model", metavar="NAME", type=no_blank, help=f"default: $GEMINI_MODEL, else {MODEL}")
    add("--url", metavar="URL", help="another server: a gateway, a simulator (ws:// or wss://)")
    add("--thinking", choices=_LEVELS, help="how much the model thinks, where it can be told")
    add("--vertex-project", metavar="ID", type=no_blank, help="Vertex AI, in this project")
    add(
        "--vertex-location",
        metavar="REGION",
        type=no_blank,
        help='a region of Vertex AI, "global", "us" or "eu"',
    )


def choose(given: argparse.Namespace, environment: Mapping[str, str]) -> Whom:
    """Find out whom to talk to.

    Raises:
      ConfigError: It can't be.
    """
    seen = _Environment(environment)
    level = given.thinking or _level(seen)
    thinking = ThinkingConfig(thinking_level=level.upper()) if level else None
    return attrs.evolve(_choose(given, seen), thinking=thinking)


def _choose(given: argparse.Namespace, seen: _Environment) -> Whom:
    if given.simulate:
        for option in ("url", "vertex_project", "vertex_location"):
            if getattr(given, option) is not None:
                name = f"--{option.replace('_', '-')}"
                raise ConfigError(
                    f"--simulate brings its own server, so {name} can't be given as well."
                )
        model = given.model or seen.first("GEMINI_MODEL")[0] or MODEL
        return Whom(endpoint=GeminiApi(), auth=None, model=model)
    if _wants_vertex(given, seen):
        return _on_vertex(given, seen)
    endpoint = GeminiApi() if given.url is None else GeminiApi(base_url=given.url)
    whom = Whom(
        endpoint=endpoint,
        auth=None,
        model=given.model or seen.first("GEMINI_MODEL")[0] or MODEL,
    )
    key, source = seen.first(*_KEYS)
    if key:
        _check_privacy(endpoint)
        return attrs.evolve(whom, auth=_from_key(key), source=source)
    if given.url is not None:
        return whom
    return attrs.evolve(
        whom,
        no_credentials=ConfigError(
            "There is no API key: set GEMINI_API_KEY, or add --simulate to talk to the built-in "
            "simulator without one."
        ),
    )


@attrs.frozen
class _Environment:
    variables: Mapping[str, str]

    def first(self, *names: str) -> tuple[str, str]:
        """The first that isn't blank, and its name."""
        for name in names:
            if value := self.variables.get(name, "").strip():
                return value, name
        return "", ""


def _wants_vertex(given: argparse.Namespace, seen: _Environment) -> bool:
    if given.vertex_project is not None or given.vertex_location is not None:
        return True
    backend, _ = seen.first("LIVE_BACKEND")
    if backend.lower() not in ("", "gemini", "vertex"):
        raise ConfigError(f'LIVE_BACKEND must be "gemini" or "vertex", not {backend!r}.')
    if backend:
        return backend.lower() == "vertex"
    return seen.first("GOOGLE_GENAI_USE_VERTEXAI")[0].lower() in ("1", "true", "yes")


def _on_vertex(given: argparse.Namespace, seen: _Environment) -> Whom:
    model = given.model or seen.first("VERTEX_MODEL", "GEMINI_MODEL")[0] or MODEL
    in_name = model.split("/") if model.startswith("projects/") else []
    project = given.vertex_project or seen.first("VERTEX_PROJECT", "GOOGLE_CLOUD_PROJECT")[0]
    project = project or (in_name[1] if len(in_name) > 3 else "")
    location = given.vertex_location or seen.first("VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION")[0]
    location = location or (in_name[3] if len(in_name) > 3 else "")
    base = {} if given.url is None else {"base_url": given.url}
    key, source = seen.first(*_KEYS)
    if not project and key:
        endpoint: Endpoint = VertexAi(express=True, **base)
        _check_privacy(endpoint)
        return Whom(endpoint=endpoint, auth=_from_key(key), model=model, source=source)
    if not project or not location:
        lacking = "project: --vertex-project or VERTEX_PROJECT"
        if project:
            lacking = 'region: --vertex-location or VERTEX_LOCATION, such as "europe-west4"'
        raise ConfigError(f"Vertex AI needs a {lacking}.")
    endpoint = VertexAi(project, location, **base)
    _check_privacy(endpoint)
    how = seen.first("VERTEX_AUTH")[0].lower()
    if how not in ("", "adc", "static"):
        # What it is stays unsaid: it may be the token that belongs into the other variable.
        raise ConfigError(
            'VERTEX_AUTH must be "adc" or "static"; a token goes into VERTEX_AI_ACCESS_TOKEN.'
        )
    token, source = seen.first("VERTEX_AI_ACCESS_TOKEN")
    whom = Whom(endpoint=endpoint, auth=None, model=model)
    if how == "static" or (not how and token):
        if token:
            return attrs.evolve(whom, auth=BearerToken(token), source=source)
        error = ConfigError(
            "There is no access token: set VERTEX_AI_ACCESS_TOKEN, or leave VERTEX_AUTH out."
        )
        return attrs.evolve(whom, no_credentials=error)
    try:
        auth = ApplicationDefault()
    except ConfigError as error:  # the extra is missing, which keeps nobody from the network
        command = str(error).partition(": ")[2]
        reason = ConfigError(f"Google accounts need google-auth: {command}")
        return attrs.evolve(whom, no_credentials=reason)
    return attrs.evolve(whom, auth=auth, source="application default credentials")


def _from_key(key: str) -> Credential:
    return EphemeralToken(key) if key.startswith("auth_tokens/") else ApiKey(key)


def _level(seen: _Environment) -> str:
    level = seen.first("GEMINI_THINKING_LEVEL")[0].lower()
    if level and level not in _LEVELS:
        raise ConfigError(
            f"GEMINI_THINKING_LEVEL must be one of {', '.join(_LEVELS)}, not {level!r}."
        )
    return level


def _check_privacy(endpoint: Endpoint) -> None:
    target = endpoint.target()
    if not target.secure and not _is_this_machine(target.host):
        raise ConfigError(
            f"The API key would travel to {target.host} in the clear: use wss:// in --url, or call "
            "without a key in the environment."
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
