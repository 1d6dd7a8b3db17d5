"""Every way in at once: endpoint, credential, proxy and TLS, over real sockets.

Each combination that the service allows holds the same conversation. Each that it forbids is
refused before any I/O: there nobody listens, and the connector would notice.
"""

from __future__ import annotations

import itertools
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
import trio
from session.accounts import TokenEndpoint
from session.test_ways_in import ENDPOINTS, GEMINI_PATH, MODEL, VERTEX_PATH, model_for, source_of
from support import turn, words
from transport.proxies import PATIENCE, packaged_proxy

from gemini_live_trio import (
    ApiKey,
    ApplicationDefault,
    BearerToken,
    Credential,
    CredentialSource,
    CustomEndpoint,
    DialReason,
    EphemeralToken,
    Proxy,
    SessionConfig,
    Target,
    TcpConnector,
    explain,
    mint_ephemeral_token,
    open_session,
)
from gemini_live_trio.errors import ConfigError, CredentialsError
from gemini_live_trio.simulator import Simulator, open_simulator

SECRET = "key-and-token-in-one"
"""So that one simulator serves all."""

Auth = Credential | CredentialSource


def _minting(simulator: Simulator) -> CredentialSource:
    async def mint(reason: DialReason) -> EphemeralToken:
        return EphemeralToken(simulator.mint_token(uses=1))

    return mint


CREDENTIALS: Final[Mapping[str, Callable[[Simulator], Auth]]] = {
    "key": lambda _: ApiKey(SECRET),
    "key in the url": lambda _: ApiKey(SECRET, in_url=True),
    "key asked for": lambda _: source_of(ApiKey(SECRET), []),
    "ephemeral": lambda simulator: EphemeralToken(simulator.mint_token()),
    "ephemeral in the url": lambda simulator: EphemeralToken(simulator.mint_token(), in_url=True),
    "ephemeral asked for": _minting,
    "bearer": lambda _: BearerToken(SECRET, quota_project="q"),
    "bearer asked for": lambda _: source_of(BearerToken(SECRET), []),
    "google account": lambda _: ApplicationDefault(),
}
KEYS: Final = {"key", "key in the url", "key asked for"}
TOKENS: Final = {"ephemeral", "ephemeral in the url", "ephemeral asked for"}
GOOGLE: Final = {"bearer", "bearer asked for", "google account"}
ALLOWED: Final = {
    "gemini": KEYS | TOKENS,
    "vertex": GOOGLE,
    "express": KEYS,
    # A gateway takes what it likes; a simulator behind this path takes what the service would.
    "custom gemini": KEYS,
    "custom vertex": GOOGLE,
}
PAIRS: Final = list(itertools.product(ENDPOINTS, CREDENTIALS))
PROXIES: Final = ["none", "http", "http password", "https", "socks5", "socks5 password"]


def config_for(place: str, kind: str, simulator: Simulator) -> SessionConfig:
    return SessionConfig(
        model=model_for(place),
        auth=CREDENTIALS[kind](simulator),
        endpoint=ENDPOINTS[place](simulator.url),
    )


@asynccontextmanager
async def proxied(
    kind: str, certificate: Path, trust: ssl.SSLContext
) -> AsyncIterator[Proxy | None]:
    if kind == "none":
        yield None
        return
    scheme, _, password = kind.partition(" ")
    if scheme == "socks5":
        pytest.importorskip("python_socks")
    credentials = "user:secret" if password else ""
    async with packaged_proxy(
        "http" if scheme == "https" else scheme,
        credentials=credentials,
        certificate=certificate if scheme == "https" else None,
    ) as (address, _):
        login = f"{credentials}@" if credentials else ""
        yield Proxy(
            f"{scheme}://{login}{address}", ssl_context=trust if scheme == "https" else None
        )


@pytest.mark.parametrize("tls", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("proxy_kind", PROXIES)
async def test_the_same_conversation_over_every_way_that_is_allowed(
    proxy_kind: str,
    tls: bool,
    tmp_path: Path,
    account: Path,
    endpoint: TokenEndpoint,
) -> None:
    pytest.importorskip("google.auth")
    authority = pytest.importorskip("trustme").CA()
    certificate = tmp_path / "proxy.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(certificate)
    trust_in_proxy = ssl.create_default_context()
    authority.configure_trust(trust_in_proxy)
    held = 0
    endpoint.answer = 200, {"access_token": SECRET, "expires_in": 3600, "token_type": "Bearer"}
    async with (
        open_simulator(tls=tls, api_key=SECRET, voice="tone", pace=0.02) as simulator,
        proxied(proxy_kind, certificate, trust_in_proxy) as proxy,
    ):
        trust = ssl.create_default_context(cafile=str(simulator.ca_certificate)) if tls else None
        connector = TcpConnector(proxy=proxy, ssl_context=trust)
        for place, kind in PAIRS:
            if kind not in ALLOWED[place]:
                continue
            with trio.fail_after(PATIENCE):
                async with open_session(
                    config_for(place, kind, simulator), connector=connector
                ) as session:
                    await session.send_text("Hello!")
                    assert "Hello" in words(await turn(session)), (place, kind)
            held += 1
        assert len(simulator.setups) == held == sum(map(len, ALLOWED.values()))
        assert simulator.legality.violations == ()


class Untouched:
    """A connector that must not be used."""

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        pytest.fail(f"it dialled {target}")


@pytest.mark.parametrize(("place", "kind"), PAIRS)
async def test_what_is_forbidden_is_refused_before_any_io(
    place: str, kind: str, account: Path, endpoint: TokenEndpoint
) -> None:
    pytest.importorskip("google.auth")
    allowed = kind in ALLOWED[place]
    gateway = place.startswith("custom") and kind not in TOKENS
    async with open_simulator(port=None, api_key=SECRET) as simulator:
        if allowed or gateway:
            # That a gateway may take more than the service is its own affair.
            explain(config_for(place, kind, simulator))
            return
        # A function can be judged only when it has answered, still before anything is dialled.
        error = CredentialsError if kind.endswith("asked for") else ConfigError
        with pytest.raises(error):
            async with open_session(config_for(place, kind, simulator), connector=Untouched()):
                pytest.fail("there is no session")
    assert endpoint.count == 0


@pytest.mark.parametrize("path", [GEMINI_PATH, VERTEX_PATH])
async def test_a_gateway_that_wants_a_token_of_the_service_is_told_so(path: str) -> None:
    with pytest.raises(ConfigError, match="GeminiApi"):
        SessionConfig(
            model=MODEL,
            endpoint=CustomEndpoint(f"ws://127.0.0.1:1{path}"),
            auth=EphemeralToken("auth_tokens/x"),
        )


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_a_token_that_was_minted_lets_in(tls: bool) -> None:
    httpx = pytest.importorskip("httpx")
    if tls:
        pytest.importorskip("trustme")
    async with open_simulator(tls=tls, api_key=SECRET, voice="tone", pace=0.02) as simulator:
        trust = ssl.create_default_context(cafile=str(simulator.ca_certificate)) if tls else None
        place = ENDPOINTS["gemini"](simulator.url)
        async with httpx.AsyncClient(verify=trust or True) as client:
            token = await mint_ephemeral_token(ApiKey(SECRET), endpoint=place, client=client)
        config = SessionConfig(model=MODEL, endpoint=place, auth=token)
        async with open_session(config, connector=TcpConnector(ssl_context=trust)) as session:
            await session.send_text("Hello!")
            assert "Hello" in words(await turn(session))
