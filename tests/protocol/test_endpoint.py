"""From a back end's name to host, port and path; and who may say what."""

import pytest

from gemini_live_trio import ApiKey, GeminiApi, ReconnectPolicy, SessionConfig
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
