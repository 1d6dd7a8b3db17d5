"""Which proxy is taken, from its URL or the environment."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from gemini_live_trio import Proxy, Target, TcpConnector
from gemini_live_trio._dial._proxy import proxy_for, way_to
from gemini_live_trio.errors import ConfigError, MissingDependency

LIVE = Target("live.example", 443, True, "/")
PLAIN = Target("live.example", 80, False, "/")
IPV6 = Target("2001:db8::1", 1, True, "/")

READ = {
    "http://p": ("http", "p", 80, None, None),
    "http://p:3128/": ("http", "p", 3128, None, None),
    "HTTPS://p": ("https", "p", 443, None, None),
    "socks5://p": ("socks5", "p", 1080, None, None),
    "socks5h://p:9050": ("socks5", "p", 9050, None, None),
    "socks://p:1": ("socks5", "p", 1, None, None),
    "http://[::1]:8080": ("http", "::1", 8080, None, None),
    "http://me@p:1": ("http", "p", 1, "me", ""),
    "http://me:a%40b%3A%2F@p:1": ("http", "p", 1, "me", "a@b:/"),
    "socks5://me:word@p": ("socks5", "p", 1080, "me", "word"),
}


@pytest.mark.parametrize("url", READ)
def test_urls_are_read(url: str) -> None:
    proxy = Proxy(url)
    assert (proxy.scheme, proxy.host, proxy.port, proxy.username, proxy.password) == READ[url]


REFUSED = [
    *("", " http://p", "p:3128", "p", "ftp://p", "socks4://p", "http:/p:1", "http://", "http://:1"),
    *("http://p:0", "http://p:70000", "http://p:x", "http://p/path", "http://p?q", "http://[::1"),
    *("http://me:hu/sh@p:1", "http://me:hu#sh@p:1", "http://me%3Ame:hush@p", "http://p\t:1"),
    *("socks5://me@p", "socks5://:hush@p", "socks5://mé:hush@p", f"socks5://me:{'h' * 256}@p"),
]


@pytest.mark.parametrize("url", [*REFUSED, 3128, b"http://p"])
def test_others_are_refused_and_not_repeated(url: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        TcpConnector(proxy=url)
    text = str(caught.value)
    assert text.startswith("A proxy's URL must look like")
    assert "hush" not in text
    assert "hu/" not in text


@pytest.mark.parametrize("host", ["a..b", ".a", "x" * 64, "a." + "b" * 70])
def test_a_host_that_no_resolver_takes_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="its host can't be the name of one"):
        Proxy(f"http://{host}:3128")


def test_what_is_secret_about_a_proxy() -> None:
    assert Proxy("http://p:1").secrets() == ()
    assert Proxy("http://me:a%2Fb@p:1").secrets() == ("a/b", "a%2Fb", "bWU6YS9i")
    # Some proxies take a token for the user name, and no password.
    assert Proxy("http://token-4711@p:1").secrets()[0] == "token-4711"


def test_no_secret_in_its_repr() -> None:
    proxy = Proxy("http://me:hush@p:1")
    for text in (repr(proxy), str(proxy), repr(TcpConnector(proxy=proxy))):
        assert "p" in text
        assert "hush" not in text
        assert "me:" not in text


# --- The environment -------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_PROXY".upper(), raising=False)


CHOICES = [
    ({}, LIVE, None),
    ({"HTTPS_PROXY": "http://a:1"}, LIVE, "a:1"),
    ({"https_proxy": "http://a:1"}, LIVE, "a:1"),
    ({"HTTPS_PROXY": "http://a:1", "https_proxy": "http://b:2"}, LIVE, "b:2"),
    ({"HTTPS_PROXY": "a:1"}, LIVE, "a:1"),
    ({"HTTPS_PROXY": "http://a:1"}, PLAIN, None),
    ({"HTTP_PROXY": "http://a:1"}, PLAIN, "a:1"),
    ({"HTTP_PROXY": "http://a:1"}, LIVE, None),
    ({"ALL_PROXY": "socks5://a:1"}, LIVE, "a:1"),
    ({"all_proxy": "socks5://a:1"}, PLAIN, "a:1"),
    ({"ALL_PROXY": "http://a:1", "HTTPS_PROXY": "http://b:2"}, LIVE, "b:2"),
    ({"ALL_PROXY": "http://a:1", "https_proxy": ""}, LIVE, "a:1"),
    ({"ALL_PROXY": "http://a:1", "NO_PROXY": "*"}, LIVE, None),
    ({"ALL_PROXY": "http://a:1", "NO_PROXY": "live.example"}, LIVE, None),
    ({"ALL_PROXY": "http://a:1", "no_proxy": "x, .example"}, LIVE, None),
    ({"ALL_PROXY": "http://a:1", "NO_PROXY": "LIVE.example:443"}, LIVE, None),
    ({"ALL_PROXY": "http://a:1", "NO_PROXY": "live.example:444"}, LIVE, "a:1"),
    ({"ALL_PROXY": "http://a:1", "NO_PROXY": "ive.example"}, LIVE, "a:1"),
    (
        {"ALL_PROXY": "http://a:1", "NO_PROXY": "2001:db8::1"},
        Target("2001:db8::1", 1, True, "/"),
        None,
    ),
    ({"ALL_PROXY": "http://a:1"}, Target("localhost", 1, True, "/"), None),
    ({"ALL_PROXY": "http://a:1"}, Target("127.1.2.3", 1, True, "/"), None),
    ({"ALL_PROXY": "http://a:1"}, Target("::1", 1, True, "/"), None),
    ({"ALL_PROXY": "http://a:1"}, Target("10.0.0.1", 1, True, "/"), "a:1"),
]


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the system has its own settings")
@pytest.mark.parametrize(("environment", "target", "taken"), CHOICES)
def test_the_environment_is_asked(
    environment: dict[str, str],
    target: Target,
    taken: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    proxy = proxy_for(TcpConnector().proxy, target)
    assert (str(proxy) if proxy else None) == taken
    assert proxy_for(None, target) is None
    assert proxy_for(False, target) is None
    given = Proxy("http://given:1")
    assert proxy_for(given, target) is given


async def test_a_variable_that_cannot_be_is_named_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://me:hush@p:1")
    with pytest.raises(ConfigError, match="ALL_PROXY in the environment") as caught:
        await TcpConnector().connect(LIVE)
    assert "hush" not in str(caught.value)


async def test_socks_without_its_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "python_socks", None)  # as if it weren't there
    with pytest.raises(MissingDependency, match=r'pip install "gemini-live-trio\[proxy\]"'):
        await TcpConnector(proxy="socks5://127.0.0.1:1").connect(LIVE)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the system has its own settings")
@pytest.mark.parametrize(
    ("environment", "target", "why"),
    [
        ({}, LIVE, "none is set"),
        ({"HTTPS_PROXY": "a:1"}, LIVE, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "a:1", "https_proxy": "b:2"}, LIVE, "https_proxy"),
        ({"ALL_PROXY": "a:1", "https_proxy": ""}, LIVE, "ALL_PROXY"),
        ({"ALL_PROXY": "a:1", "NO_PROXY": ".example"}, LIVE, "NO_PROXY names the host"),
        ({"ALL_PROXY": "a:1"}, Target("::1", 1, True, "/"), "it is this machine itself"),
    ],
)
def test_it_is_known_why_it_is_that_proxy(
    environment: dict[str, str], target: Target, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert way_to(True, target).why == why
    assert way_to(None, target).why == "the connector takes none"
    assert way_to(Proxy("http://given:1"), target).why == "given to the connector"
