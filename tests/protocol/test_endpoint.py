"""From a back end's name to host, port and path; and who may say what."""

from functools import partial
from typing import Any

import pytest

from gemini_live_trio import (
    ApiKey,
    BearerToken,
    Credential,
    CustomEndpoint,
    EphemeralToken,
    GeminiApi,
    ReconnectPolicy,
    SessionConfig,
    VertexAi,
)
from gemini_live_trio.errors import ConfigError
from gemini_live_trio.wire import Modality

PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


def test_the_service_itself() -> None:
    target = GeminiApi().target()
    assert (target.host, target.port, target.secure) == (
        "generativelanguage.googleapis.com",
        443,
        True,
    )
    assert target.resource == PATH


def test_a_gateway_keeps_its_path_and_port() -> None:
    target = GeminiApi(base_url="ws://127.0.0.1:8123/live/").target()
    assert (target.host, target.port, target.secure) == ("127.0.0.1", 8123, False)
    assert target.resource == "/live" + PATH


def test_the_version_is_in_the_path() -> None:
    assert ".v1alpha." in GeminiApi(version="v1alpha").target().resource


@pytest.mark.parametrize(
    "url",
    [
        *("https://host", "host:1", "ws://", "ws://host:notaport", "ws://host:99999", ""),
        *("ws://host?key=abc", "ws://user:secret@host", "ws://host/#x"),
    ],
)
def test_a_bad_url_is_refused_before_any_io(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        GeminiApi(base_url=url)
    assert "secret" not in str(caught.value)
    assert "abc" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ws://[::1:1", "host"),
        ("ws://[zz]:1", "host"),
        ("ws://a..b", "host"),
        ("ws://" + "a" * 300, "host"),
        ("ws://" + "a.b" * 100, "host"),
        ("ws://", "no host"),
        ("ws://:80", "no host"),
        ("ws://host:99999", "port"),
        ("ws://host:0", "port"),
        ("ws://host:notaport", "port"),
        (" ws://host", "blanks"),
        ("ws://host ", "blanks"),
        ("ws://ho st", "blanks"),
        ("ws://host\n", "blanks"),
        ("ws://host?x=y", "query"),
        ("ws://host/?", "query"),
        ("ws://host/#", "fragment"),
        ("ws://user@host", "credentials"),
        ("ws://host/p\u00e4th", "path"),
        ("https://host", "neither ws:// nor wss://"),
        (None, "NoneType"),
    ],
)
def test_the_refusal_says_what_is_wrong(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match="must look like") as caught:
        GeminiApi(base_url=url)
    assert said in str(caught.value).partition("fragment: ")[2]
    assert caught.value.__cause__ is None


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    target = GeminiApi(base_url="ws://[::1]:8123").target()
    assert (target.host, str(target)) == ("::1", "[::1]:8123")
    assert str(GeminiApi().target()) == "generativelanguage.googleapis.com:443"


def test_a_host_may_be_named_in_any_alphabet() -> None:
    assert GeminiApi(base_url="wss://b\u00fccher.example").target().host == "b\u00fccher.example"


def test_model_names_are_completed() -> None:
    assert GeminiApi().model_name("gemini-3.8-live") == "models/gemini-3.8-live"
    assert GeminiApi().model_name("models/x") == "models/x"


# --- Vertex AI -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "host", "model"),
    [
        (
            VertexAi("p", "europe-west4"),
            "europe-west4-aiplatform.googleapis.com",
            "projects/p/locations/europe-west4/publishers/google/models/m",
        ),
        (
            VertexAi("p", "global"),
            "aiplatform.googleapis.com",
            "projects/p/locations/global/publishers/google/models/m",
        ),
        (
            VertexAi("example.com:p", "eu"),
            "aiplatform.eu.rep.googleapis.com",
            "projects/example.com:p/locations/eu/publishers/google/models/m",
        ),
        (
            VertexAi("7", "us"),
            "aiplatform.us.rep.googleapis.com",
            "projects/7/locations/us/publishers/google/models/m",
        ),
        (VertexAi(express=True), "aiplatform.googleapis.com", "publishers/google/models/m"),
    ],
)
def test_vertex_ai_by_location(endpoint: VertexAi, host: str, model: str) -> None:
    target = endpoint.target()
    assert (target.host, target.port, target.secure) == (host, 443, True)
    path = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
    assert target.resource == path
    for name in ("m", "models/m", "publishers/google/models/m"):
        assert endpoint.model_name(name) == model
    whole = "projects/o/locations/l/publishers/google/models/m"
    assert endpoint.model_name(whole) == whole


def test_vertex_ai_elsewhere() -> None:
    place = VertexAi("p", "l", version="v1beta1", base_url="ws://127.0.0.1:1/gate/")
    assert place.target().resource.startswith("/gate/ws/google.cloud.aiplatform.v1beta1.")
    assert VertexAi("p", "l", base_url="ws://h", path="/x").target().resource == "/x"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "needs a project"),
        ({"project": "p"}, "needs a location"),
        ({"project": "", "location": "l"}, "needs a project"),
        ({"project": "p", "location": "evil.example/"}, "needs a location"),
        ({"project": "p/q", "location": "l"}, "needs a project"),
        ({"project": "p", "express": True}, "takes no project"),
        ({"location": "l", "express": True}, "takes no location"),
        ({"express": True, "version": "v1/../x"}, "version"),
        ({"express": True, "base_url": "https://h"}, "base URL"),
        ({"express": True, "path": "x"}, "slash"),
        ({"express": True, "path": "/x?y"}, "query"),
    ],
)
def test_what_can_not_be_vertex_ai(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        VertexAi(**given)


# --- Endpoints of one's own ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "resource"),
    [
        ("wss://h", "/"),
        ("wss://h/live", "/live"),
        ("wss://h/live/", "/live/"),
        ("wss://h/live?tenant=7&x=%20", "/live?tenant=7&x=%20"),
        ("wss://h?tenant=7", "/?tenant=7"),
    ],
)
def test_a_custom_url_is_dialled_as_it_is(url: str, resource: str) -> None:
    place = CustomEndpoint(url)
    assert place.target().resource == resource
    assert place.model_name("m") == "m"
    assert "tenant" not in repr(place) + repr(place.target())


@pytest.mark.parametrize(
    "url",
    ["https://h", "wss://h/a b", "wss://h?a#s3cret", "wss://u:s3cret@h", "wss://?s3cret", None],
)
def test_what_can_not_be_a_custom_url(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CustomEndpoint(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["Host", "upgrade", "Sec-WebSocket-Key", "a b", "a:", "", 5])
def test_what_can_not_be_a_header(name: str) -> None:
    for kind in (GeminiApi, partial(VertexAi, express=True), partial(CustomEndpoint, "wss://h")):
        with pytest.raises(ConfigError, match="header"):
            kind(headers={name: "x"})
        for value in ("s3cret\r\nx: y", "s3crét", b"s3cret"):
            with pytest.raises(ConfigError, match="x-team") as caught:
                kind(headers={"x-team": value})
            assert "s3cr" not in str(caught.value)


def test_headers_are_ones_own_afterwards() -> None:
    headers = {"x-team": "blue"}
    place = GeminiApi(headers=headers)
    headers["host"] = "elsewhere"
    assert place.headers == {"x-team": "blue"}
    assert hash(place) == hash(GeminiApi())
    with pytest.raises(ConfigError, match="mapping"):
        GeminiApi(headers=[("a", "b")])  # type: ignore[arg-type]


# --- Credentials -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("credential", "headers", "query"),
    [
        (ApiKey("s3/cret", in_url=True), [], "key=s3%2Fcret"),
        (
            EphemeralToken("auth_tokens/s3cret"),
            [(b"authorization", b"Token auth_tokens/s3cret")],
            "",
        ),
        (
            EphemeralToken("auth_tokens/s3cret", in_url=True),
            [],
            "access_token=auth_tokens%2Fs3cret",
        ),
        (
            BearerToken("s3cret", quota_project="q"),
            [(b"authorization", b"Bearer s3cret"), (b"x-goog-user-project", b"q")],
            "",
        ),
    ],
)
def test_how_credentials_are_said(
    credential: Credential, headers: list[tuple[bytes, bytes]], query: str
) -> None:
    assert (credential.headers(), credential.query()) == (headers, query)
    assert "cret" not in repr(credential)


@pytest.mark.parametrize("token", ["", "s3cret", "AIza-s3cret", "auth_tokens/s3 cret", None])
def test_what_can_not_be_an_ephemeral_token(token: str) -> None:
    with pytest.raises(ConfigError) as caught:
        EphemeralToken(token)
    assert "s3" not in str(caught.value)


@pytest.mark.parametrize("auth", ["s3cret", ApiKey, b"s3cret", {"key": "s3cret"}])
def test_what_can_not_be_auth(auth: Any) -> None:
    with pytest.raises(ConfigError, match="auth takes") as caught:
        SessionConfig(model="m", auth=auth)
    assert "s3cret" not in str(caught.value)


def test_what_can_not_be_an_endpoint() -> None:
    with pytest.raises(ConfigError, match="endpoint takes"):
        SessionConfig(model="m", endpoint="wss://host")  # type: ignore[arg-type]


def test_a_key_is_said_in_a_header_and_nowhere_else() -> None:
    key = ApiKey("s3cret")
    assert key.headers() == [(b"x-goog-api-key", b"s3cret")]
    config = SessionConfig(model="m", auth=key)
    for text in (repr(key), str(key), repr(config)):
        assert "s3cret" not in text


@pytest.mark.parametrize("key", ["", "s3 cret", " s3cret", "s3cret\n", "s3\r\ncret", "s3crét"])
def test_what_can_not_be_a_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ApiKey(key)
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize("key", [None, b"s3cret", 5])
def test_a_key_is_text(key: str) -> None:
    with pytest.raises(ConfigError, match="must be text") as caught:
        ApiKey(key)
    assert "s3cr" not in str(caught.value)


def test_two_modalities_are_refused() -> None:
    with pytest.raises(ConfigError, match="exactly one"):
        SessionConfig(model="m", response_modalities=[Modality.TEXT, Modality.AUDIO])


def test_an_empty_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="model"):
        SessionConfig(model=" ")


@pytest.mark.parametrize("field", ["base", "factor", "cap", "attempts", "deadline"])
def test_a_policy_of_nothing_is_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        ReconnectPolicy(**{field: 0})


def test_delays_grow_to_the_cap_and_begin_at_nothing() -> None:
    policy = ReconnectPolicy(base=0.5, factor=2, cap=5)
    assert [policy.delay(n, 1.0) for n in range(1, 8)] == [0, 0.5, 1, 2, 4, 5, 5]
    assert policy.delay(4, 0.25) == 0.5
    assert policy.delay(5000, 1.0) == 5
