"""Whom to talk to, and as whom: the same for every subcommand that talks to somebody."""

from __future__ import annotations

import ipaddress
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
from ..wire import ThinkingConfig, TranslationConfig
from ._layers import COMMAND_LINE, Settled, first
from ._readers import no_blank
from ._schema import SECRETS, SETTINGS, add_settings
from ._settings import thinking_at

__all__ = [
    "Whom",
    "access_token",
    "add_options",
    "add_profile",
    "api_key",
    "choose",
    "credential",
]

_KEYS: Final = SECRETS[0].variables
_TOKENS: Final = SECRETS[1].variables


@attrs.frozen(kw_only=True)
class Whom:
    """Where the service is, who we are there, and which model is meant."""

    endpoint: Endpoint
    auth: Credential | CredentialSource | None
    model: str
    thinking: ThinkingConfig | None = None
    translation: TranslationConfig | None = None
    source: str = ""
    """Where the credentials come from."""
    no_credentials: ConfigError | None = None
    """Why there are none where some are needed."""


def add_options(add: Any) -> None:
    """Add the options that ``choose`` goes by, by a group's ``add_argument``."""
    add("--simulate", action="store_true", help="talk to the built-in simulator; needs no key")
    add_profile(add)
    add_settings(add, "whom")


def add_profile(add: Any) -> None:
    """Add ``--profile``."""
    add("--profile", metavar="NAME", type=no_blank, help="settings under a name; see config")


def choose(settled: Settled, *, simulate: bool) -> Whom:
    """Find out whom to talk to.

    Raises:
      ConfigError: It can't be.
    """
    language = settled["language"]
    return attrs.evolve(
        _choose(settled, simulate),
        thinking=thinking_at(settled["thinking"]),
        translation=TranslationConfig(target_language_code=language) if language else None,
    )


def _choose(settled: Settled, simulate: bool) -> Whom:
    if simulate:
        for key in ("url", "vertex_project", "vertex_location"):
            if settled.sources[key] == COMMAND_LINE:
                raise ConfigError(
                    f"--simulate brings its own server, so {SETTINGS[key].flag} can't be given as "
                    "well."
                )
        return Whom(endpoint=GeminiApi(), auth=None, model=settled["model"])
    for key in ("vertex_project", "vertex_location"):
        if settled["backend"] == "gemini" and settled.sources[key] == COMMAND_LINE:
            raise ConfigError(
                f"{SETTINGS[key].flag} is for Vertex AI, and --backend says gemini; leave one out."
            )
    if settled["backend"] == "vertex":
        return _on_vertex(settled)
    url = settled["url"]
    endpoint = GeminiApi() if url is None else GeminiApi(base_url=url)
    endpoint.target()  # so that what is wrong with it is known before the key is looked for
    whom = Whom(endpoint=endpoint, auth=None, model=settled["model"])
    key, source = api_key(settled)
    if key:
        _check_privacy(endpoint, source)
        return attrs.evolve(whom, auth=credential(key), source=source)
    if url is not None:
        return whom
    return attrs.evolve(
        whom,
        no_credentials=ConfigError(
            "There is no API key: set GEMINI_API_KEY, or add --simulate to talk to the built-in "
            "simulator without one."
        ),
    )


def api_key(settled: Settled) -> tuple[str, str]:
    """The key, and where it is from; two empty texts where there is none.

    Raises:
      ConfigError: The profile says that it is in the keyring, and it isn't, or can't be read.
    """
    key, source = first(settled.environment, *_KEYS)
    if key or not settled["keyring"]:
        return key, source
    from ._vault import look_up

    profile = settled.profile
    kept = look_up(profile)
    if kept is None:
        raise ConfigError(
            f"The keyring has no API key for the profile {profile.name}; to keep one: "
            f"{profile.command('set-key')}"
        )
    return kept, f"the keyring (profile {profile.name})"


def access_token(settled: Settled) -> tuple[str, str]:
    """The access token for Vertex AI, and where it is from; two empty texts for none."""
    return first(settled.environment, *_TOKENS)


def _on_vertex(settled: Settled) -> Whom:
    model = settled["model"]
    in_name = model.split("/") if model.startswith("projects/") else []
    project = settled["vertex_project"] or (in_name[1] if len(in_name) > 3 else "")
    location = settled["vertex_location"] or (in_name[3] if len(in_name) > 3 else "")
    base = {} if settled["url"] is None else {"base_url": settled["url"]}
    if not project:
        key, source = api_key(settled)
        if key:
            endpoint: Endpoint = VertexAi(express=True, **base)
            _check_privacy(endpoint, source)
            return Whom(endpoint=endpoint, auth=credential(key), model=model, source=source)
    if not project or not location:
        lacking = "project: --vertex-project or VERTEX_PROJECT"
        if project:
            lacking = 'region: --vertex-location or VERTEX_LOCATION, such as "europe-west4"'
        raise ConfigError(f"Vertex AI needs a {lacking}.")
    endpoint = VertexAi(project, location, **base)
    how = settled["vertex_auth"]
    token, source = access_token(settled)
    _check_privacy(endpoint, source or "Google's account")
    whom = Whom(endpoint=endpoint, auth=None, model=model)
    if how == "static" or (how is None and token):
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


def credential(key: str) -> Credential:
    """Take a key for what it is.

    Raises:
      ConfigError: It can't be one.
    """
    return EphemeralToken(key) if key.startswith("auth_tokens/") else ApiKey(key)


def _check_privacy(endpoint: Endpoint, source: str) -> None:
    target = endpoint.target()
    if not target.secure and not _is_this_machine(target.host):
        raise ConfigError(
            f"The API key would travel to {target.host} in the clear: use wss:// in --url, or call "
            f"without a key (it is from {source})."
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
