"""What goes wrong on the way to a WebSocket: told with its stage, and no socket remains."""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest
import trio
import trio.testing
from rendered import DOCS
from transport.proxies import PATIENCE, scripted
from transport.tell import tell

from gemini_live_trio import (
    Connector,
    GeminiApi,
    SessionConfig,
    StageTimeouts,
    Target,
    TcpConnector,
    open_session,
)
from gemini_live_trio._transport import open_connection
from gemini_live_trio.errors import ConfigError, ConnectError, ConnectTimeout, UpgradeRejected

SHORT = 0.1
"""A budget that is meant to run out."""

LIVE = Target("live.example", 443, True, "/")
PLAIN = Target("live.example", 80, False, "/")
SOCKS_ANSWERS = (b"\x05\x00", b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50")


async def refusal(
    connector: Connector,
    target: Target = LIVE,
    *,
    timeout: float = PATIENCE,  # noqa: ASYNC109
) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        async with open_connection(connector, target, [], timeout=timeout):
            pytest.fail("there should be no connection")
    return caught.value


def here(port: int, *, secure: bool) -> Target:
    return Target("127.0.0.1", port, secure, "/")


def needs_socks(scheme: str) -> None:
    if scheme == "socks5":
        pytest.importorskip("python_socks")


# --- The request -----------------------------------------------------------------------------


async def test_the_request_to_an_http_proxy() -> None:
    async with scripted(b"HTTP/1.1 200 OK\r\n\r\n", hang_up=True) as proxy:
        connector = TcpConnector(proxy=f"http://us%40er:pass@{proxy.address}")
        assert (await refusal(connector)).stage == "tls"
    assert proxy.heard.startswith(
        b"CONNECT live.example:443 HTTP/1.1\r\n"
        b"Host: live.example:443\r\n"
        b"Proxy-Authorization: Basic dXNAZXI6cGFzcw==\r\n\r\n"
    )


async def test_the_request_for_an_ipv6_address_or_a_foreign_name() -> None:
    for host, asked in (("2001:db8::1", b"[2001:db8::1]"), ("bücher.example", b"xn--bcher-kva.")):
        async with scripted(b"HTTP/1.1 502 Bad\r\n\r\n") as proxy:
            connector = TcpConnector(proxy=f"http://{proxy.address}")
            await refusal(connector, Target(host, 443, True, "/"))
        assert proxy.heard.startswith(b"CONNECT " + asked)


async def test_a_session_takes_the_proxy_of_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = SessionConfig(
        model="gemini-3.8-live", endpoint=GeminiApi(base_url="wss://live.example")
    )
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with scripted(b"HTTP/1.1 403 No\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        with pytest.raises(ConnectError, match="allow CONNECT"):
            async with open_session(config):
                pytest.fail("there should be no session")
    assert proxy.heard.startswith(b"CONNECT live.example:443 ")
    monkeypatch.setenv("HTTPS_PROXY", "gopher://old:hush@p")
    with pytest.raises(ConfigError, match="HTTPS_PROXY"):
        async with open_session(config):
            pytest.fail("there should be no session")


async def test_an_answer_in_pieces_is_one_answer() -> None:
    """The rest of it must not be taken for the service's bytes."""
    upgrade = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")

        async def serve(stream: trio.SocketStream) -> None:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await stream.receive_some()
            for piece in (b"HTTP/1.1 100 Wait\r\n\r\nHTTP/1.1 2", b"00 OK\r\nVia: a", b"\r\n\r\n"):
                await stream.send_all(piece)
                await trio.testing.wait_all_tasks_blocked(0.01)
            await stream.receive_some()
            await stream.send_all(upgrade)

        nursery.start_soon(trio.serve_listeners, serve, [listener])
        port = listener.socket.getsockname()[1]
        error = await refusal(TcpConnector(proxy=f"http://127.0.0.1:{port}"), PLAIN)
        assert isinstance(error, UpgradeRejected)
        assert (error.status, error.address) == (403, "live.example:80")
        assert f"through the proxy 127.0.0.1:{port}" in str(error)
        nursery.cancel_scope.cancel()


# --- Proxies that go wrong -------------------------------------------------------------------

GARBAGE = b"\x15\x03\x01\x00\x02\x02\x46 what?\r\n\r\n"

NOWHERE = b"\x01" + bytes(6)
CHALLENGE = b"HTTP/1.1 407 Secret\r\nProxy-Authenticate: %s\r\nProxy-Authenticate: %s\r\n\r\n"

WRONG_ANSWERS = {
    "garbage": ("http", [GARBAGE], "doesn't answer in HTTP"),
    "endless": ("http", [b"HTTP/1.1 200 " + b"x" * 100_000], "doesn't answer in HTTP"),
    "407": (
        "http",
        [CHALLENGE % (b"NTLM", b"Basic realm=a")],
        "HTTP 407 Proxy Authentication Required .*check the user name and the password",
    ),
    "407 for others": (
        "http",
        [CHALLENGE % (b"Negotiate", b"NTLM")],
        "only Basic is spoken here, and it wants Negotiate or NTLM",
    ),
    "403": ("http", [b"HTTP/1.1 403 No\r\n\r\n"], "allow CONNECT to live.example:443"),
    "503": ("http", [b"HTTP/1.1 503 No\r\n\r\n"], "can't reach the service"),
    "302": ("http", [b"HTTP/1.1 302 No\r\nLocation: http://a/\r\n\r\n"], "HTTP 302 Found"),
    "unheard-of": ("http", [b"HTTP/1.1 599 No\r\n\r\n"], "HTTP 599"),
    "talkative": ("http", [b"HTTP/1.1 200 OK\r\n\r\nWelcome"], "said more"),
    "socks garbage": ("socks5", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "refused to speak"),
    "socks no method": ("socks5", [b"\x05\xff"], "refused to speak"),
    "socks odd method": ("socks5", [b"\x05\x77"], "refused to speak"),
    "socks refused": ("socks5", [b"\x05\x00", b"\x05\x05\x00" + NOWHERE], "Connection refused"),
    "socks forbidden": ("socks5", [b"\x05\x00", b"\x05\x02\x00" + NOWHERE], "not allowed"),
    "socks odd name": (
        "socks5",
        [b"\x05\x00", b"\x05\x00\x00\x03\x02\xff\xfe\x00\x50"],
        "doesn't answer in SOCKS5",
    ),
}


@pytest.mark.parametrize(("scheme", "answers", "words"), WRONG_ANSWERS.values(), ids=WRONG_ANSWERS)
async def test_a_proxy_that_refuses_or_babbles(
    scheme: str, answers: list[bytes], words: str
) -> None:
    needs_socks(scheme)
    async with scripted(*answers) as proxy:
        error = await refusal(TcpConnector(proxy=f"{scheme}://user:hush@{proxy.address}"))
        with trio.fail_after(PATIENCE):
            await proxy.gone.wait()
    assert (type(error), error.stage, error.address) == (ConnectError, "proxy", proxy.address)
    assert 0 <= error.seconds < PATIENCE
    with pytest.raises(ConnectError, match=words):
        raise error
    assert "hush" not in str(error)
    assert "Secret" not in str(error)


@pytest.mark.parametrize("reset", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_that_hangs_up(scheme: str, reset: bool) -> None:
    needs_socks(scheme)
    async with scripted(hang_up=True, reset=reset) as proxy:
        error = await refusal(TcpConnector(proxy=f"{scheme}://{proxy.address}"))
    assert (type(error), error.stage, error.address) == (ConnectError, "proxy", proxy.address)
    assert "hung up" in str(error) or "closed unexpectedly" in str(error)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
async def test_a_proxy_that_stalls_costs_its_budget(scheme: str) -> None:
    needs_socks(scheme)
    timeouts = StageTimeouts(proxy=SHORT, tls=SHORT)
    async with scripted() as proxy:
        error = await refusal(TcpConnector(proxy=f"{scheme}://{proxy.address}", timeouts=timeouts))
        with trio.fail_after(PATIENCE):
            await proxy.gone.wait()
    assert isinstance(error, ConnectTimeout)
    assert (error.stage, error.address) == ("proxy", proxy.address)
    assert SHORT <= error.seconds < PATIENCE
    assert f"within {SHORT} s" in str(error)


async def test_the_whole_time_rules_over_the_stages() -> None:
    async with scripted() as proxy:
        error = await refusal(TcpConnector(proxy=f"http://{proxy.address}"), timeout=SHORT)
        with trio.fail_after(PATIENCE):
            await proxy.gone.wait()
    assert isinstance(error, ConnectTimeout)
    assert (error.stage, error.address) == ("proxy", proxy.address)
    assert f"No connection to live.example:443 within {SHORT} s" in str(error)
    assert f"waiting for the proxy {proxy.address}" in str(error)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_that_is_not_there(scheme: str) -> None:
    needs_socks(scheme)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = await refusal(TcpConnector(proxy=f"{scheme}://user:hush@127.0.0.1:{port}"))
    assert (error.stage, error.address) == ("proxy", f"127.0.0.1:{port}")
    assert f"Nothing answers at the proxy 127.0.0.1:{port}: Connection refused (" in str(error)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
async def test_a_proxy_whose_name_does_not_exist(scheme: str) -> None:
    needs_socks(scheme)
    error = await refusal(TcpConnector(proxy=f"{scheme}://nowhere.invalid:3128"))
    assert (error.stage, error.address) == ("proxy", "nowhere.invalid:3128")
    assert "can't be resolved" in str(error)


# --- Servers that go wrong -------------------------------------------------------------------


@asynccontextmanager
async def blackhole() -> AsyncIterator[int]:
    """Listen on a port whose queue is full: Linux then leaves new visitors without an answer."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(8):
            queued = stack.enter_context(trio.socket.socket())
            with trio.move_on_after(SHORT) as scope, suppress(ConnectionRefusedError):
                await queued.connect(("127.0.0.1", port))
            if scope.cancelled_caught:
                break
        else:
            pytest.skip("this system's queue of visitors has no end")
        yield port


async def test_an_address_that_swallows_everything() -> None:
    async with blackhole() as port:
        error = await refusal(
            TcpConnector(timeouts=StageTimeouts(tcp=SHORT)), here(port, secure=True)
        )
        assert isinstance(error, ConnectTimeout)
        assert (error.stage, error.address) == ("tcp", f"127.0.0.1:{port}")
        assert "No TCP connection" in str(error)
        error = await refusal(
            TcpConnector(proxy=f"http://127.0.0.1:{port}", timeouts=StageTimeouts(tcp=SHORT))
        )
        assert isinstance(error, ConnectTimeout)
        assert (error.stage, error.address) == ("proxy", f"127.0.0.1:{port}")


async def test_a_server_that_stalls_in_its_handshake() -> None:
    async with scripted() as server:
        error = await refusal(
            TcpConnector(timeouts=StageTimeouts(tls=SHORT)), here(server.port, secure=True)
        )
        with trio.fail_after(PATIENCE):
            await server.gone.wait()
    assert isinstance(error, ConnectTimeout)
    assert (error.stage, error.address) == ("tls", server.address)


async def test_a_server_that_stalls_in_the_upgrade() -> None:
    async with scripted() as server:
        error = await refusal(
            TcpConnector(timeouts=StageTimeouts(upgrade=SHORT)), here(server.port, secure=False)
        )
        with trio.fail_after(PATIENCE):
            await server.gone.wait()
    assert isinstance(error, ConnectTimeout)
    assert (error.stage, error.address) == ("upgrade", server.address)


async def test_what_answers_does_not_speak_tls() -> None:
    async with scripted(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        error = await refusal(TcpConnector(), here(server.port, secure=True))
        with trio.fail_after(PATIENCE):
            await server.gone.wait()
    assert (error.stage, error.address) == ("tls", server.address)
    assert "doesn't speak TLS" in str(error)


async def test_a_server_that_finds_no_tls_in_common() -> None:
    async with scripted(b"\x15\x03\x03\x00\x02\x02\x46") as server:  # the alert that says so
        error = await refusal(TcpConnector(), here(server.port, secure=True))
    assert (error.stage, error.address) == ("tls", server.address)
    assert "TLS failed (" in str(error)


PAGE = b"<!DOCTYPE html><title>Log in</title>"
PORTALS = {
    "page": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 36\r\n\r\n" + PAGE,
    "unmarked": b"HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n" + PAGE,
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://portal/\r\nContent-Length: 0\r\n\r\n",
    "required": b"HTTP/1.1 511 Network Authentication Required\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("answer", PORTALS.values(), ids=PORTALS)
async def test_a_captive_portal(answer: bytes) -> None:
    async with scripted(answer) as server:
        error = await refusal(TcpConnector(), here(server.port, secure=False))
    assert isinstance(error, UpgradeRejected)
    assert (error.stage, error.address) == ("upgrade", server.address)
    assert "captive portal" in str(error)
    assert "<" not in str(error)


# --- Leaving in the middle -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "answers", "secure"),
    [
        (None, [], True),
        (None, [], False),
        ("http", [], True),
        ("http", [b"HTTP/1.1 200"], True),
        ("http", [b"HTTP/1.1 200 OK\r\n\r\n"], True),
        ("http", [b"HTTP/1.1 200 OK\r\n\r\n"], False),
        ("https", [], True),
        ("socks5", [], True),
        ("socks5", [*SOCKS_ANSWERS[:1]], True),
        ("socks5", [*SOCKS_ANSWERS], True),
        ("socks5", [*SOCKS_ANSWERS], False),
    ],
)
async def test_cancelled_at_each_stage_it_leaves_no_socket(
    scheme: str | None, answers: list[bytes], secure: bool
) -> None:
    needs_socks(scheme or "")
    async with scripted(*answers) as peer:
        connector = TcpConnector(
            proxy=f"{scheme}://{peer.address}" if scheme else None,
            timeouts=StageTimeouts(tcp=math.inf, proxy=math.inf, tls=math.inf, upgrade=math.inf),
        )
        target = here(peer.port, secure=secure)
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_connect, connector, target)
                await peer.spoke.wait()
                await trio.testing.wait_all_tasks_blocked(0.02)
                assert not peer.gone.is_set()
                nursery.cancel_scope.cancel()
            await peer.gone.wait()


async def _connect(connector: Connector, target: Target) -> None:
    async with open_connection(connector, target, [], timeout=math.inf):
        pytest.fail("there should be no connection")


def test_budgets_are_positive() -> None:
    with pytest.raises(ConfigError, match="tls"):
        StageTimeouts(tls=0)


async def test_the_document_shows_what_is_said() -> None:
    text = (DOCS / "proxies.md").read_text(encoding="utf-8")
    for line in await tell():
        assert f"    {line}\n" in text
