"""Which door a client came to: back end, version, method and credentials, from the upgrade request.

The service has two back ends with the same messages and different manners. The Gemini Developer
API takes an API key, or on a method of its own an ephemeral token; Vertex AI takes an access token,
or in express mode an API key. Each knows fields that the other refuses.

Everything here is a check on values. Wrong credentials are told by a close frame, as the service
does: it answers the upgrade with 101 whoever asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qsl, unquote

import attrs

from ... import wire
from .._checks._refused import Refused

__all__ = [
    "ACCESS_TOKEN_INVALID",
    "API_KEY_INVALID",
    "FOREIGN",
    "NOBODY",
    "TOKEN_PREFIX",
    "Backend",
    "Credentials",
    "Door",
    "check_credentials",
    "open_door",
    "plain_path",
    "read_credentials",
]

Backend: TypeAlias = Literal["gemini", "vertex"]

TOKEN_PREFIX: Final = "auth_tokens/"  # noqa: S105 (how one begins)

API_KEY_INVALID: Final = "API key not valid. Please pass a valid API key."
NOBODY: Final = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API consumer identity to call this API."
)
_EXPECTED: Final = (
    "Expected OAuth 2 access token, login cookie or other valid authentication credential. "
    "See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
ACCESS_TOKEN_INVALID: Final = f"Request had invalid authentication credentials. {_EXPECTED}"
_ACCESS_TOKEN_MISSING: Final = f"Request is missing required authentication credential. {_EXPECTED}"

_GEMINI_PATH: Final = re.compile(
    r"/ws/google\.ai\.generativelanguage\.(v1|v1beta|v1alpha)"
    r"\.GenerativeService\.BidiGenerateContent(Constrained)?/?"
)
_VERTEX_PATH: Final = re.compile(
    r"/ws/google\.cloud\.aiplatform\.(v1|v1beta1)\.LlmBidiService/BidiGenerateContent/?"
)


@attrs.frozen(kw_only=True)
class Credentials:
    """What a request says about who sends it; never shown.

    Attributes:
      api_key: From ``?key=`` or ``x-goog-api-key``.
      access_token: From ``?access_token=``, ``Authorization: Bearer`` or ``Authorization: Token``.
    """

    api_key: str | None = attrs.field(default=None, repr=False)
    access_token: str | None = attrs.field(default=None, repr=False)

    @property
    def ephemeral_token(self) -> str | None:
        """The ephemeral token among them, wherever it stands."""
        for text in (self.access_token, self.api_key):
            if text is not None and text.startswith(TOKEN_PREFIX):
                return text
        return None

    def match(self, wanted: str) -> bool:
        """Whether one of them is this one."""
        return wanted in (self.api_key, self.access_token)

    def __bool__(self) -> bool:
        return self.api_key is not None or self.access_token is not None


@attrs.frozen(kw_only=True)
class Door:
    """What the upgrade request decided.

    Attributes:
      backend: ``"gemini"``, the Developer API, or ``"vertex"``.
      version: ``v1``, ``v1beta`` or ``v1alpha``; on Vertex AI ``v1`` or ``v1beta1``.
      constrained: Whether it is the method for ephemeral tokens.
      credentials: Who the client says it is.
    """

    backend: Backend = "gemini"
    version: str = "v1beta"
    constrained: bool = False
    credentials: Credentials = Credentials()

    @property
    def vertex(self) -> bool:
        """Whether it is Vertex AI's door."""
        return self.backend == "vertex"

    @property
    def express(self) -> bool:
        """Whether it is Vertex AI with an API key, which stands for a project."""
        return self.vertex and self.credentials.access_token is None

    def __str__(self) -> str:
        method = ", for ephemeral tokens" if self.constrained else ""
        return f"{'Vertex AI' if self.vertex else 'Gemini'} {self.version}{method}"


def plain_path(target: str) -> str:
    """The path of a request, without its query, runs of slashes as one."""
    return re.sub("/{2,}", "/", "/" + unquote(target.partition("?")[0]))


def read_credentials(target: str, headers: Sequence[tuple[bytes, bytes]]) -> Credentials:
    """Find the credentials in a request; what is empty counts as absent."""
    query = target.partition("?")[2]
    try:
        asked = dict(reversed(parse_qsl(query, max_num_fields=100)))
    except ValueError:
        asked = {}
    said = {name.lower(): value.decode("latin-1").strip() for name, value in reversed(headers)}
    scheme, _, bearer = said.get(b"authorization", "").partition(" ")
    if scheme.lower() not in ("bearer", "token"):
        bearer = ""
    return Credentials(
        api_key=asked.get("key") or said.get(b"x-goog-api-key") or None,
        access_token=asked.get("access_token") or bearer.strip() or None,
    )


def open_door(target: str, headers: Sequence[tuple[bytes, bytes]]) -> Door | None:
    """Read the request line and the headers; ``None`` for a path that leads nowhere."""
    path = plain_path(target)
    if vertex := _VERTEX_PATH.fullmatch(path):
        return Door(
            backend="vertex",
            version=vertex.group(1),
            credentials=read_credentials(target, headers),
        )
    gemini = _GEMINI_PATH.fullmatch(path)
    if gemini is None:
        return None
    return Door(
        version=gemini.group(1),
        constrained=gemini.group(2) is not None,
        credentials=read_credentials(target, headers),
    )


def check_credentials(door: Door, wanted: str | None) -> None:
    """Compare what the client showed with the one key that is let in; ``None`` lets in anybody.

    An ephemeral token is refused here, at doors that aren't for it; at its own, the store of tokens
    judges it.

    Raises:
      Refused: the service wouldn't have let it in either.
    """
    given = door.credentials
    if door.constrained:
        if given.ephemeral_token is None:
            raise Refused(1008, NOBODY, "this method is for ephemeral tokens, and there was none")
        return
    if given.ephemeral_token is not None:
        why = "an ephemeral token is for BidiGenerateContentConstrained"
        if door.vertex:
            raise Refused(1008, ACCESS_TOKEN_INVALID, "Vertex AI has no ephemeral tokens")
        if given.ephemeral_token == given.api_key:
            raise Refused(1007, API_KEY_INVALID, why)
        raise Refused(1008, NOBODY, why)
    if wanted is None or given.match(wanted):
        return
    if not given:
        text = _ACCESS_TOKEN_MISSING if door.vertex else NOBODY
        raise Refused(1008, text, "no credential was given")
    if given.api_key is not None:
        raise Refused(1007, API_KEY_INVALID, "another API key was expected")
    raise Refused(1008, ACCESS_TOKEN_INVALID, "another access token was expected")


# --- Fields that the other back end has ---

FOREIGN: Final[Mapping[Backend, Mapping[type[wire.Message], tuple[str, ...]]]] = {
    # What google-genai refuses to send to this back end; each is an unknown name there.
    "gemini": {
        wire.LiveClientSetup: ("explicit_vad_signal",),  # seen: 1007
        wire.SessionResumptionConfig: ("transparent",),  # seen: 1007
        wire.SafetySetting: ("method",),
        wire.Tool: ("retrieval", "enterprise_web_search", "parallel_ai_search", "exa_ai_search"),
        wire.GoogleSearch: ("blocking_confidence", "exclude_domains"),
        wire.GoogleMaps: ("grounding_types",),
        wire.AuthConfig: (
            "api_key_config",
            "auth_type",
            "google_service_account_config",
            "http_basic_auth_config",
            "oauth_config",
            "oidc_config",
        ),
        wire.FunctionCall: ("partial_args", "will_continue"),
        wire.GenerationConfig: ("model_selection_config",),
    },
    "vertex": {
        wire.FunctionResponse: ("will_continue",),
        wire.Part: ("tool_call", "tool_response", "part_metadata"),
        wire.Tool: ("file_search", "mcp_servers"),
        wire.ReplicatedVoiceConfig: ("consent_audio", "voice_consent_signature"),
        wire.GenerationConfig: ("enable_enhanced_civic_answers",),
    },
}
