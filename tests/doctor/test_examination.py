"""``examine``: against the simulator, and against everything that can be wrong on the way to it."""

from __future__ import annotations

import datetime
import socket
import ssl
from pathlib import Path

import pytest
import trio
from transport.proxies import PATIENCE, packaged_proxy, scripted
from trio.testing import MockClock

from gemini_live_trio import (
    ApiKey,
    BearerToken,
    Credential,
    CredentialSource,
    DialReason,
    GeminiApi,
    Proxy,
    SessionConfig,
    StageTimeouts,
    Target,
    TcpConnector,
    VertexAi,
    wire,
)
from gemini_live_trio.doctor import Check, Report, examine
from gemini_live_trio.errors import ConfigError
from gemini_live_trio.simulator import Scene, Simulator, open_simulator

MODEL = "gemini-3.8-live"
WAY = [
    *("credentials", "dns", "proxy", "tcp", "tls", "websocket", "access", "model", "region"),
    *("setup", "round trip", "ping", "resumption"),
]
MACHINE = ["versions", "extras", "environment", "configuration"]
SECRET = "hush-hush-4711"


def config_for(
    url: str,
    *,
    auth: Credential | CredentialSource | None = None,
    model: str = MODEL,
    check: str = "strict",
) -> SessionConfig:
    return SessionConfig(model=model, auth=auth, endpoint=GeminiApi(base_url=url), check=check)  # type: ignore[arg-type]


async def examined(
    config: SessionConfig, connector: TcpConnector | None = None, **options: object
) -> Report:
    with trio.fail_after(PATIENCE):
        report = await examine(
            config,
            connector=connector or TcpConnector(proxy=None),
            devices=False,
            **options,  # type: ignore[arg-type]
        )
    assert SECRET not in str(report)
    assert SECRET not in str(report.to_json())
    return report


def states(report: Report) -> dict[str, str]:
    return {check.name: check.state for check in report.checks}


def the(report: Report, name: str) -> Check:
    (check,) = (check for check in report.checks if check.name == name)
    return check


def assert_failed_at(report: Report, name: str, said: str, fix: str) -> None:
    """One check failed, each before it didn't, and each behind it was skipped because of it."""
    assert not report.ok
    assert [check.name for check in report.of("failed")] == [name]
    check = the(report, name)
    assert said in check.text
    assert fix in check.fix
    behind = report.checks[report.checks.index(check) + 1 :]
    assert behind or name == WAY[-1]
    assert {later.state for later in behind} <= {"skipped"}


async def test_everything_is_fit() -> None:
    begun: list[str] = []
    told: list[Check] = []
    async with open_simulator(voice="tone", pace=0.05, api_key=SECRET) as simulator:
        report = await examined(
            config_for(simulator.url, auth=ApiKey(SECRET)),
            source="GEMINI_API_KEY",
            on_start=begun.append,
            on_check=told.append,
        )
    assert report.ok
    assert list(told) == list(report.checks)
    assert [check.name for check in report.checks] == [*MACHINE, *WAY]
    assert set(states(report).values()) == {"ok", "skipped"}
    assert the(report, "credentials").text == "an API key from GEMINI_API_KEY"
    assert the(report, "tls").text == "ws:// has none"
    assert the(report, "model").text == f"the service has models/{MODEL}"
    trip = the(report, "round trip")
    assert trip.facts["complete"] is True
    assert 0 < trip.facts["first_seconds"] <= (trip.seconds or 0)  # type: ignore[operator]
    assert the(report, "setup").seconds is not None
    assert {"websocket", "round trip"} <= set(begun)
    assert report.to_json()["ok"] is True


async def test_tls_is_looked_into() -> None:
    pytest.importorskip("trustme")
    async with open_simulator(tls=True, voice="tone", pace=0.05) as simulator:
        trust = ssl.create_default_context(cafile=str(simulator.ca_certificate))
        report = await examined(
            config_for(simulator.url), TcpConnector(proxy=None, ssl_context=trust)
        )
    check = the(report, "tls")
    assert check.text.startswith("TLSv1.3, certificate by ")
    assert check.text.endswith("trusted by the connector's own context")
    assert check.facts["version"] == "TLSv1.3"
    assert report.ok


async def test_an_authority_that_nobody_trusts() -> None:
    pytest.importorskip("trustme")
    async with open_simulator(tls=True) as simulator:
        report = await examined(config_for(simulator.url))
    assert_failed_at(report, "tls", "isn't trusted", "SSL_CERT_FILE")
    assert "signed by" in the(report, "tls").text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"not_after": "past"}, "expired"),
        ({"name": "elsewhere.example"}, "is not valid for"),
    ],
)
async def test_a_certificate_that_is_not_right(
    options: dict[str, str], said: str, tmp_path: Path
) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    name = options.get("name", "127.0.0.1")
    extra = {"not_after": past, "not_before": past} if "not_after" in options else {}
    certificate = authority.issue_cert(name, **extra)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(server)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
        with trio.move_on_after(1):
            try:
                await stream.receive_some()
            except trio.BrokenResourceError:
                return

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_ssl_over_tcp_listeners(0, server, host="127.0.0.1")
        port = listener.transport_listener.socket.getsockname()[1]
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        report = await examined(
            config_for(f"wss://127.0.0.1:{port}"), TcpConnector(proxy=None, ssl_context=trust)
        )
        nursery.cancel_scope.cancel()
    assert_failed_at(report, "tls", "", "")
    assert said.lower() in the(report, "tls").text.lower()


# --- Who we are -------------------------------------------------------------------------------


async def test_a_key_that_is_wrong() -> None:
    async with open_simulator(api_key="another") as simulator:
        report = await examined(config_for(simulator.url, auth=ApiKey(SECRET)))
    assert_failed_at(report, "access", "API key not valid", "Check the API key")
    assert states(report)["websocket"] == "ok"


async def test_nobody_says_who_he_is() -> None:
    async with open_simulator(api_key="k1234567") as simulator:
        report = await examined(config_for(simulator.url))
    assert_failed_at(report, "access", "no credentials were given", "GEMINI_API_KEY")


async def test_without_credentials_the_network_is_looked_at_all_the_same() -> None:
    lacking = ConfigError("There is no API key: set GEMINI_API_KEY.")
    async with open_simulator(api_key="k1234567") as simulator:
        report = await examined(config_for(simulator.url), no_credentials=lacking)
    assert states(report)["websocket"] == "ok"
    assert [check.name for check in report.of("failed")] == ["credentials"]
    check = the(report, "credentials")
    assert (check.text, check.fix) == ("There is no API key", "Set GEMINI_API_KEY.")
    assert the(report, "setup").text == "because credentials failed"


async def test_a_function_that_gives_no_credentials() -> None:
    async def vault(reason: DialReason) -> ApiKey:
        raise RuntimeError("the vault is shut")

    async with open_simulator() as simulator:
        report = await examined(config_for(simulator.url, auth=vault))
    assert [check.name for check in report.of("failed")] == ["credentials"]
    assert "the vault is shut" in the(report, "credentials").text
    assert states(report)["websocket"] == "ok"


async def test_an_access_token_that_has_expired() -> None:
    async with open_simulator(api_key="fresh-token-1") as simulator:
        endpoint = VertexAi("p", "europe-west4", base_url=simulator.url)
        config = SessionConfig(model=MODEL, auth=BearerToken(SECRET), endpoint=endpoint)
        report = await examined(config)
    assert_failed_at(report, "access", "invalid authentication credentials", "access token")


# --- What is asked for ------------------------------------------------------------------------


async def test_a_model_that_the_service_does_not_have() -> None:
    async with open_simulator() as simulator:
        report = await examined(config_for(simulator.url, model="gemini-17-live"))
    assert_failed_at(report, "model", "models/gemini-17-live is not found", "Choose a Live model")
    assert states(report)["configuration"] == "warning"


async def test_a_setup_that_the_model_refuses_is_not_dialled() -> None:
    config = SessionConfig(
        model=MODEL,
        endpoint=GeminiApi(base_url="ws://127.0.0.1:1"),
        thinking=wire.ThinkingConfig(thinking_level="LOW"),
    )
    report = await examined(config)
    assert_failed_at(report, "configuration", "takes no thinking_level", "Leave it out")


async def test_models_that_answer_to_speech_only_are_not_asked_in_writing() -> None:
    async with open_simulator() as simulator:
        report = await examined(config_for(simulator.url, model="gemini-3.5-transcribe-live"))
    assert states(report)["round trip"] == "skipped"
    assert report.ok


# --- The network ------------------------------------------------------------------------------


async def test_a_name_that_nobody_knows() -> None:
    report = await examined(config_for("wss://no-such-host.invalid"))
    assert_failed_at(report, "dns", "no-such-host.invalid can't be resolved", "Check the address")


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    report = await examined(config_for(f"ws://127.0.0.1:{port}"))
    assert_failed_at(report, "tcp", "Nothing answers", "")
    assert the(report, "tcp").fix


async def test_a_captive_portal() -> None:
    page = b"<html>Please log in</html>"
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n%s"
    async with scripted(answer % (len(page), page)) as visit:
        report = await examined(config_for(f"ws://{visit.address}"))
    assert_failed_at(report, "websocket", "HTTP 200", "captive portal")


async def test_a_server_that_says_nothing_takes_its_time_and_no_more() -> None:
    connector = TcpConnector(proxy=None, timeouts=StageTimeouts(upgrade=0.2))
    async with scripted() as visit:
        report = await examined(config_for(f"ws://{visit.address}"), connector)
    assert_failed_at(report, "websocket", "", "")
    assert report.seconds < PATIENCE


async def test_without_tls_there_is_none_whatever_the_server_answers() -> None:
    answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 9\r\n\r\nuse\n   it"
    begun: list[str] = []
    async with scripted(answer) as visit:
        report = await examined(config_for(f"ws://{visit.address}"), on_start=begun.append)
    assert_failed_at(report, "websocket", "HTTP 400: use it", "")
    assert [check.name for check in report.checks] == [*MACHINE, *WAY]
    assert the(report, "tls").text == "ws:// has none"
    assert "tls" not in begun


async def test_a_service_that_drops_the_session_is_told_once() -> None:
    async def scenario(server: Scene) -> None:
        await server.connected()
        await server.expect_text()
        await server.close(1011, "Internal error encountered.")

    async with open_simulator(script=scenario) as simulator:
        report = await examined(config_for(simulator.url))
    assert_failed_at(report, "round trip", "1011 'Internal error encountered.'", "")
    assert the(report, "round trip").fix


# --- Proxies ----------------------------------------------------------------------------------


async def test_a_proxy_is_named_without_its_password() -> None:
    async with (
        open_simulator(voice="tone", pace=0.05) as simulator,
        packaged_proxy("http", credentials=f"user:{SECRET}") as (address, _),
    ):
        report = await examined(
            config_for(simulator.url),
            TcpConnector(proxy=Proxy(f"http://user:{SECRET}@{address}")),
        )
    assert report.ok
    check = the(report, "proxy")
    assert check.text == f"{address} (given to the connector)"
    assert check.seconds is not None
    assert "the proxy has reached" in the(report, "tcp").text


async def test_the_variable_that_chose_the_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with scripted(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        report = await examined(config_for("wss://live.example"), TcpConnector())
    assert "(HTTPS_PROXY)" in the(report, "proxy").text
    assert_failed_at(report, "proxy", "HTTP 407", "Put its credentials into its URL")


async def test_a_variable_that_can_be_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"gopher://user:{SECRET}@p")
    report = await examined(config_for("wss://live.example"), TcpConnector())
    assert_failed_at(report, "proxy", "HTTPS_PROXY in the environment can't be used", "Mend")


@pytest.mark.parametrize("kind", ["refuses", "stalls"])
async def test_a_proxy_that_does_not_do_its_work(kind: str) -> None:
    timeouts = StageTimeouts(proxy=0.3)
    if kind == "refuses":
        with socket.create_server(("127.0.0.1", 0)) as unused:
            address = f"127.0.0.1:{unused.getsockname()[1]}"
        report = await examined(
            config_for("wss://live.example"), TcpConnector(proxy=f"http://{address}")
        )
    else:
        async with scripted() as visit:
            report = await examined(
                config_for("wss://live.example"),
                TcpConnector(proxy=f"http://{visit.address}", timeouts=timeouts),
            )
    assert [check.name for check in report.of("failed")] == ["proxy"]
    assert the(report, "proxy").fix


# --- Otherwise --------------------------------------------------------------------------------


async def test_a_listener_that_raises_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    def broken(check: Check) -> None:
        raise RuntimeError("no paper")

    async with open_simulator(voice="tone", pace=0.05) as simulator:
        report = await examined(config_for(simulator.url), on_check=broken)
    assert report.ok
    assert "no paper" in caplog.text


async def test_it_can_be_cancelled_anywhere() -> None:
    async with open_simulator() as simulator:
        for delay in (0, 0.01, 0.1, 0.3):
            with trio.move_on_after(delay) as scope:
                await examine(config_for(simulator.url), connector=TcpConnector(proxy=None))
            assert scope.cancelled_caught


async def test_a_service_that_falls_silent_is_told(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, mind=None) as simulator:
        report = await examine(
            SessionConfig(model=MODEL), connector=Elsewhere(simulator), devices=False
        )
    assert the(report, "round trip").state == "failed"
    assert "no answer within" in the(report, "round trip").text


class Elsewhere:
    """A connector of somebody's own."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        return await self._simulator.connector.connect(target)


async def test_a_connector_of_ones_own_is_used(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        report = await examine(
            SessionConfig(model=MODEL), connector=Elsewhere(simulator), devices=False
        )
    assert report.ok
    assert states(report)["tcp"] == "skipped"
    assert states(report)["round trip"] == "ok"
