"""Making ephemeral tokens, over HTTP."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from . import codec
from ._auth import ApiKey, EphemeralToken
from ._endpoint import GeminiApi
from ._redact import Redactor
from .config import SessionConfig
from .errors import ConfigError, CredentialsError, MissingDependency
from .wire import LiveClientMessage, LiveClientSetup

if TYPE_CHECKING:
    import httpx

__all__ = ["mint_ephemeral_token"]

_LONGEST: Final = 20 * 60 * 60.0  # documented
_MOST_USES: Final = 2**31 - 1
_SHOWN: Final = 200


async def mint_ephemeral_token(
    key: ApiKey,
    *,
    endpoint: GeminiApi | None = None,
    uses: int = 1,
    expires_in: float = 1800.0,
    new_session_expires_in: float = 60.0,
    setup: SessionConfig | LiveClientSetup | None = None,
    locked: Sequence[str] | None = None,
    timeout: float = 10.0,  # noqa: ASYNC109 - the request has a time-out of its own
    client: httpx.AsyncClient | None = None,
) -> EphemeralToken:
    """Make an ephemeral token (``POST /v1beta/auth_tokens``; extra ``tokens``).

    A back end that has the API key makes them, for programs that must not have it.

    Args:
      key: The API key to make it with; it travels in a header.
      endpoint: Where; the same that the token is for.
      uses: How many sessions may begin with it; 0 for any number. Resuming one costs none.
      expires_in: Seconds until its sessions end; at most 20 hours.
      new_session_expires_in: Seconds in which a session may begin; at most 20 hours.
      setup: What its sessions get, whatever their client asks for.
      locked: Which fields of ``setup`` count, as in ``["model", "generationConfig.temperature"]``;
        the others are the client's. ``None`` locks the setup as a whole, with what it leaves out;
        an empty sequence locks the fields that it sets.
      timeout: Seconds for the answer.
      client: Makes the request; by default a client of its own, which heeds ``HTTPS_PROXY``.

    Raises:
      ConfigError: A number is out of bounds, or ``locked`` names no fields of a setup.
      MissingDependency: The extra ``tokens`` isn't installed.
      CredentialsError: The service made none.

    Cancellation: at any time; a token may have been made.
    """
    place = endpoint or GeminiApi()
    if not isinstance(key, ApiKey) or not isinstance(place, GeminiApi):
        raise ConfigError("A token is made with an ApiKey, at a GeminiApi.")
    body = _body(uses, expires_in, new_session_expires_in, setup, locked)
    try:
        import httpx
    except ImportError as error:
        raise MissingDependency(
            'Making tokens needs: pip install "gemini-live-trio[tokens]"'
        ) from error
    redactor = Redactor(secrets=(*key.secrets(), *place.headers.values()))
    mine = client if client is not None else httpx.AsyncClient()
    try:
        answer = await mine.post(
            _url(place),
            # Never in the URL: httpx writes URLs into its log.
            headers={"x-goog-api-key": key.key, **place.headers},
            json=body,
            timeout=timeout,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        said = redactor.text(f"{type(error).__name__}: {error}".removesuffix(": "))
        raise CredentialsError(
            f"No ephemeral token could be made at {place.target()} ({said}).",
            advice="Check the address and the network.",
        ) from None
    finally:
        if client is None:
            await mine.aclose()
    if not answer.is_success:
        said = redactor.text(_words(answer.content))
        raise CredentialsError(
            f"No ephemeral token was made: HTTP {answer.status_code}{f' {said}' if said else ''}.",
            advice="Check the API key and the API version, and that the setup suits the model.",
            status=answer.status_code,
        )
    return _token(answer.content)


def _body(
    uses: int,
    expires_in: float,
    new_session_expires_in: float,
    setup: SessionConfig | LiveClientSetup | None,
    locked: Sequence[str] | None,
) -> dict[str, Any]:
    if not isinstance(uses, int) or not 0 <= uses <= _MOST_USES:
        raise ConfigError(f"uses takes a whole number from 0, not {uses!r}.")
    body: dict[str, Any] = {
        "uses": uses,
        "expireTime": _moment("expires_in", expires_in),
        "newSessionExpireTime": _moment("new_session_expires_in", new_session_expires_in),
    }
    if setup is None:
        if locked is not None:
            raise ConfigError("locked names fields of setup, and there is no setup.")
        return body
    if isinstance(setup, SessionConfig):
        setup = setup.setup()
    fixed = json.loads(codec.encode(LiveClientMessage(setup=setup)))["setup"]
    body["bidiGenerateContentSetup"] = fixed
    if locked is not None:
        names = (locked,) if isinstance(locked, str) else (*locked,)
        if not all(isinstance(name, str) and name.strip() for name in names):
            raise ConfigError('locked takes names of fields, such as "model".')
        body["fieldMask"] = ",".join(names or _fields(fixed))
    return body


def _fields(setup: dict[str, Any]) -> Iterator[str]:
    """Name what is set; the generation's fields one by one."""
    for name, value in setup.items():
        if name == "generationConfig":
            yield from (f"{name}.{inner}" for inner in value)
        else:
            yield name


def _moment(name: str, seconds: float) -> str:
    if not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST or math.isnan(seconds):
        raise ConfigError(f"{name} takes seconds, more than 0 and at most {_LONGEST:g}.")
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _url(place: GeminiApi) -> str:
    secure, _, rest = place.base_url.partition("://")
    scheme = "https" if secure.lower() == "wss" else "http"
    return f"{scheme}://{rest.rstrip('/')}/{place.version}/auth_tokens"


def _words(body: bytes) -> str:
    """The service's own words, or the beginning of what came instead."""
    try:
        return str(json.loads(body)["error"]["message"])[:_SHOWN]
    except (ValueError, KeyError, TypeError, RecursionError):
        return body[:_SHOWN].decode("utf-8", "replace").strip()


def _token(body: bytes) -> EphemeralToken:
    try:
        return EphemeralToken(json.loads(body)["name"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise CredentialsError(
            "The answer to the request for an ephemeral token has no token in it.",
            advice="Check that the address is one of the Gemini API.",
        ) from None
