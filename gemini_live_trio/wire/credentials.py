"""Credentials that tools at the service use elsewhere. ``repr`` hides the secrets."""

from __future__ import annotations

import attrs

from ._base import Message, sealed
from .enums import AuthType, HttpElementLocation

__all__ = [
    "ApiAuth",
    "ApiAuthApiKeyConfig",
    "ApiKeyConfig",
    "AuthConfig",
    "AuthConfigGoogleServiceAccountConfig",
    "AuthConfigHttpBasicAuthConfig",
    "AuthConfigOauthConfig",
    "AuthConfigOidcConfig",
]


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AuthConfig(Message):
    """How a tool at the service identifies itself: set what ``auth_type`` names."""

    auth_type: AuthType | str | None = None
    """Vertex only, like everything but ``api_key``."""
    api_key: str | None = None
    """A secret."""
    api_key_config: ApiKeyConfig | None = None
    google_service_account_config: AuthConfigGoogleServiceAccountConfig | None = None
    http_basic_auth_config: AuthConfigHttpBasicAuthConfig | None = None
    oauth_config: AuthConfigOauthConfig | None = None
    oidc_config: AuthConfigOidcConfig | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ApiKeyConfig(Message):
    """An API key, and where in a request it goes. Vertex only."""

    name: str | None = None
    """The parameter's, as in ``"api_key"``."""
    http_element_location: HttpElementLocation | str | None = None
    api_key_secret: str | None = None
    """Names the entry of Secret Manager that holds the key; comes before ``api_key_string``."""
    api_key_string: str | None = None
    """The key itself: a secret."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AuthConfigHttpBasicAuthConfig(Message):
    """HTTP basic authentication. Vertex only."""

    credential_secret: str | None = None
    """Names the entry of Secret Manager that holds the credentials."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AuthConfigGoogleServiceAccountConfig(Message):
    """A Google service account. Vertex only."""

    service_account: str | None = None
    """Its e-mail address."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AuthConfigOauthConfig(Message):
    """OAuth: set one. Vertex only."""

    access_token: str | None = None
    """A secret."""
    service_account: str | None = None
    """The account that tokens are made for."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class AuthConfigOidcConfig(Message):
    """OpenID Connect: set one. Vertex only."""

    id_token: str | None = None
    """A secret."""
    service_account: str | None = None
    """The account that tokens are made for."""


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ApiAuth(Message):
    """The older form of ``AuthConfig``. Vertex only, deprecated."""

    api_key_config: ApiAuthApiKeyConfig | None = None


@attrs.frozen(kw_only=True, repr=False, field_transformer=sealed)
class ApiAuthApiKeyConfig(Message):
    """The older form of ``ApiKeyConfig``: set one. Vertex only."""

    api_key_secret_version: str | None = None
    """Names the entry of Secret Manager that holds the key."""
    api_key_string: str | None = None
    """The key itself: a secret."""
