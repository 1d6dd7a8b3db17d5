"""Conversations through proxies that others wrote, over real sockets."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from support import turn, until, words
from transport.proxies import PATIENCE, packaged_proxy, scripted

from gemini_live_trio import (
    GeminiApi,
    LiveSession,
    Proxy,
    ReconnectPolicy,
    SessionConfig,
    TcpConnector,
    open_session,
)
from gemini_live_trio._dial import Step
from gemini_live_trio._transport import open_connection
from gemini_live_trio.errors import ConnectError, ReconnectExhausted, UpgradeRejected
from gemini_live_trio.events import Reconnected, Reconnecting, ReconnectState, ResumptionUpdate
from gemini_live_trio.simulator import Simulator, open_simulator


def config_for(simulator: Simulator) -> SessionConfig:
    return SessionConfig(model="gemini-3.8-live", endpoint=GeminiApi(base_url=simulator.url))


@asynccontextmanager
async def service(*, tls: bool) -> AsyncIterator[tuple[Simulator, ssl.SSLContext | None]]:
    if tls:
        pytest.importorskip("trustme")
    async with open_simulator(tls=tls, voice="tone", pace=0.1) as simulator:
        yield (
            simulator,
            ssl.create_default_context(cafile=str(simulator.ca_certificate)) if tls else None,
        )


async def talk(session: LiveSession) -> None:
    with trio.fail_after(PATIENCE):
        await session.send_text("Hello!")
        assert "Hello" in words(await turn(session))


@pytest.fixture
def certified(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for loopback with its key, and who trusts it."""
    authority = pytest.importorskip("trustme").CA()
    path = tmp_path / "proxy.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    return path, trust


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("credentials", ["", "user:secret"], ids=["open", "password"])
@pytest.mark.parametrize("protocol", ["http", "socks5"])
async def test_a_conversation_through_a_proxy(protocol: str, credentials: str, tls: bool) -> None:
    if protocol == "socks5":
        pytest.importorskip("python_socks")
    login = f"{credentials}@" if credentials else ""
    async with (
        service(tls=tls) as (simulator, trust),
        packaged_proxy(protocol, credentials=credentials) as (address, _),
        open_session(
            config_for(simulator),
            connector=TcpConnector(proxy=f"{protocol}://{login}{address}", ssl_context=trust),
        ) as session,
    ):
        await talk(session)


@pytest.mark.parametrize("protocol", ["http", "socks5"])
async def test_what_a_proxy_did_is_told_apart_from_the_rest(protocol: str) -> None:
    if protocol == "socks5":
        pytest.importorskip("python_socks")
    passed: list[tuple[str, str]] = []
    async with (
        service(tls=True) as (simulator, trust),
        packaged_proxy(protocol) as (address, _),
    ):
        target = config_for(simulator).endpoint.target()
        connector = TcpConnector(proxy=f"{protocol}://{address}", ssl_context=trust)

        def note(step: Step) -> None:
            passed.append((step.stage, step.address))

        async with open_connection(connector, target, [], timeout=PATIENCE, passed=note):
            pass
    # TCP and tunnel; python-socks does both in one.
    steps = 2 if protocol == "http" else 1
    assert passed == [
        *([("proxy", address)] * steps),
        ("tls", str(target)),
        ("upgrade", str(target)),
    ]


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
async def test_a_conversation_through_an_https_proxy(
    tls: bool, certified: tuple[Path, ssl.SSLContext]
) -> None:
    """With ``wss`` it is TLS inside TLS, with an authority for each."""
    certificate, trust_in_proxy = certified
    async with (
        service(tls=tls) as (simulator, trust),
        packaged_proxy("http", credentials="user:pass:word", certificate=certificate) as (at, _),
        open_session(
            config_for(simulator),
            connector=TcpConnector(
                proxy=Proxy(f"https://user:pass%3Aword@{at}", ssl_context=trust_in_proxy),
                ssl_context=trust,
            ),
        ) as session,
    ):
        await talk(session)


async def test_the_certificate_of_an_https_proxy_is_checked(
    certified: tuple[Path, ssl.SSLContext],
) -> None:
    certificate, _ = certified
    async with (
        service(tls=False) as (simulator, _),
        packaged_proxy("http", certificate=certificate) as (address, _),
    ):
        with pytest.raises(ConnectError, match=r"the proxy .* isn't trusted") as caught:
            async with open_session(
                config_for(simulator), connector=TcpConnector(proxy=f"https://{address}")
            ):
                pytest.fail("there should be no session")
    assert (caught.value.stage, caught.value.address) == ("proxy", address)


@pytest.mark.parametrize("login", ["", "user:wrongpass@"], ids=["none", "wrong"])
@pytest.mark.parametrize("protocol", ["http", "socks5"])
async def test_a_proxy_that_wants_other_credentials(protocol: str, login: str) -> None:
    if protocol == "socks5":
        pytest.importorskip("python_socks")
    async with (
        service(tls=False) as (simulator, _),
        packaged_proxy(protocol, credentials="user:secret") as (address, _),
    ):
        connector = TcpConnector(proxy=f"{protocol}://{login}{address}")
        with pytest.raises(ConnectError, match="URL") as caught:
            async with open_session(config_for(simulator), connector=connector):
                pytest.fail("there should be no session")
        assert (caught.value.stage, caught.value.address) == ("proxy", address)
        assert 0 <= caught.value.seconds < PATIENCE
        assert protocol == "socks5" or "HTTP 407" in str(caught.value)
        assert not any(
            "wrongpass" in text for text in (str(caught.value), repr(caught.value), repr(connector))
        )
        assert simulator.visitors.came == 0


async def test_a_proxy_that_cannot_reach_the_service() -> None:
    async with service(tls=False) as (simulator, _):
        config = config_for(simulator)
    async with packaged_proxy("http") as (address, _):
        with pytest.raises(ConnectError) as caught:
            async with open_session(config, connector=TcpConnector(proxy=f"http://{address}")):
                pytest.fail("there should be no session")
    assert (caught.value.stage, caught.value.address) == ("proxy", address)


async def test_after_a_drop_the_proxy_is_asked_again() -> None:
    async with (
        service(tls=True) as (simulator, trust),
        packaged_proxy("http", credentials="user:secret") as (address, _),
        open_session(
            config_for(simulator),
            connector=TcpConnector(proxy=f"http://user:secret@{address}", ssl_context=trust),
        ) as session,
    ):
        await until(session, ResumptionUpdate)
        await simulator.drop_all()
        assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
        await talk(session)
        assert len(simulator.setups) >= 2


async def test_a_proxy_that_dies_in_the_middle_ends_the_session_with_its_name() -> None:
    async with (
        service(tls=False) as (simulator, _),
        packaged_proxy("http") as (address, process),
    ):
        with pytest.raises(ReconnectExhausted, match=f"the proxy {address}") as caught:
            async with open_session(
                config_for(simulator),
                connector=TcpConnector(proxy=f"http://{address}"),
                reconnect=ReconnectPolicy(attempts=2, base=0.01),
            ) as session:
                await until(session, ResumptionUpdate)
                process.kill()
                await until(session, Reconnecting)
                async for _ in session:
                    pass
    cause = caught.value.__cause__
    assert isinstance(cause, ConnectError)
    assert cause.stage == "proxy"


async def test_a_password_that_is_quoted_back_is_taken_out() -> None:
    """The tunnel stands, and whoever answers behind it repeats what it was told."""
    said = b"no entry with hush-hush-4711, dXNlcjpodXNoLWh1c2gtNDcxMQ=="
    answer = b"HTTP/1.1 403 No\r\ncontent-length: %d\r\n\r\n%s" % (len(said), said)
    config = SessionConfig(
        model="gemini-3.8-live", endpoint=GeminiApi(base_url="ws://live.example")
    )
    async with scripted(b"HTTP/1.1 200 OK\r\n\r\n", answer) as proxy:
        connector = TcpConnector(proxy=f"http://user:hush-hush-4711@{proxy.address}")
        with pytest.raises(UpgradeRejected) as caught:
            async with open_session(config, connector=connector):
                pytest.fail("there should be no session")
    assert b"dXNlcjpodXNoLWh1c2gtNDcxMQ==" in proxy.heard
    assert caught.value.body == "no entry with [redacted], [redacted]"
    assert "hush" not in f"{caught.value} {caught.value!r} {vars(caught.value)}"
