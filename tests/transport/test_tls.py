"""Certificates that are right, and those that aren't, over real TLS."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
import trio_websocket

from gemini_live_trio import Target, TcpConnector
from gemini_live_trio._dial import Step
from gemini_live_trio._transport import open_connection
from gemini_live_trio.errors import ConnectError

trustme = pytest.importorskip("trustme")

PATIENCE = 20
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


@asynccontextmanager
async def greeter(certificate: trustme.LeafCert) -> AsyncIterator[Target]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)

    async def greet(request: trio_websocket.WebSocketRequest) -> None:
        peer = await request.accept()
        await peer.send_message("hello")
        await peer.aclose()

    async with trio.open_nursery() as nursery:
        server = await nursery.start(trio_websocket.serve_websocket, greet, "127.0.0.1", 0, context)
        yield Target("127.0.0.1", server.port, True, "/")
        nursery.cancel_scope.cancel()


async def greeted(connector: TcpConnector, target: Target) -> bool:
    async with open_connection(connector, target, [], timeout=PATIENCE) as connection:
        return await connection.receive() == "hello"


async def refusal(target: Target, trust: ssl.SSLContext | None = None) -> str:
    with pytest.raises(ConnectError) as caught:
        await greeted(TcpConnector(ssl_context=trust), target)
    assert (caught.value.stage, caught.value.address) == ("tls", str(target))
    return str(caught.value)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_an_unknown_authority(authority: trustme.CA) -> None:
    async with greeter(authority.issue_cert("127.0.0.1")) as target:
        said = await refusal(target)
    assert "certificate, signed by 'trustme v" in said
    assert "isn't trusted" in said
    assert "set SSL_CERT_FILE" in said


async def test_the_name_of_an_unknown_authority_is_made_harmless() -> None:
    authority = trustme.CA(organization_name="Evil\x1b[2J Corp" + "!" * 200)
    async with greeter(authority.issue_cert("127.0.0.1")) as target:
        said = await refusal(target)
    assert "signed by 'Evil[2J Corp!!!" in said
    assert "\x1b" not in said
    assert len(said) < 500


async def test_what_was_agreed_on_is_told(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    passed: list[Step] = []
    connector = TcpConnector(ssl_context=trust)
    async with (
        greeter(authority.issue_cert("127.0.0.1")) as target,
        open_connection(
            connector, target, [], timeout=PATIENCE, passed=passed.append
        ) as connection,
    ):
        await connection.receive()
    tcp, tls, upgrade = passed
    assert (tcp.stage, tcp.address, tcp.facts) == ("tcp", str(target), {"peer": str(target)})
    assert (tls.stage, upgrade.stage) == ("tls", "upgrade")
    assert tls.facts["version"].startswith("TLSv1")
    assert tls.facts["issuer"].startswith("trustme")
    expires = datetime.datetime.fromisoformat(tls.facts["expires"])
    assert expires > datetime.datetime.now(datetime.UTC)


async def test_a_certificate_signed_by_itself(authority: trustme.CA) -> None:
    async with greeter(_itself(authority)) as target:
        assert "set SSL_CERT_FILE" in await refusal(target)


async def test_an_expired_certificate(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    async with greeter(authority.issue_cert("127.0.0.1", not_after=LONG_AGO)) as target:
        said = await refusal(target, trust)
    assert "expired" in said
    assert "clock" in said


async def test_a_certificate_for_another_name(authority: trustme.CA, trust: ssl.SSLContext) -> None:
    async with greeter(authority.issue_cert("other.example")) as target:
        said = await refusal(target, trust)
    assert "mismatch" in said
    assert "check the address" in said


async def test_the_environment_names_the_authority(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a change of it is noticed: the default context isn't made once and for all."""
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(path)
    async with greeter(authority.issue_cert("127.0.0.1")) as target:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
        said = await refusal(target)
        assert "SSL_CERT_FILE is set to" in said
        assert "nowhere.pem, which can't be read" in said
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        assert await greeted(TcpConnector(), target)


async def test_the_systems_trust_store_by_truststore(authority: trustme.CA) -> None:
    """Its context is a class of its own, which looks up certificates by itself."""
    truststore = pytest.importorskip("truststore")
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with greeter(authority.issue_cert("127.0.0.1")) as target:
        assert "isn't trusted" in await refusal(target, context)
        authority.configure_trust(context)
        assert await greeted(TcpConnector(ssl_context=context), target)


def _itself(authority: trustme.CA) -> trustme.LeafCert:
    """Let an authority serve with its own certificate."""
    return trustme.LeafCert(
        private_key_pem=authority.private_key_pem.bytes(),
        server_cert_pem=authority.cert_pem.bytes(),
        chain_to_ca=[],
    )
