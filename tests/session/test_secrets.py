"""No secret comes out: a whole failing conversation, and everything that is left of it."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from support import turn, until
from trio.testing import MockClock

from gemini_live_trio import (
    ApiKey,
    BearerToken,
    Credential,
    CredentialSource,
    CustomEndpoint,
    DialReason,
    Endpoint,
    EphemeralToken,
    GeminiApi,
    ReconnectPolicy,
    SessionConfig,
    SessionObserver,
    VertexAi,
    open_session,
)
from gemini_live_trio.errors import GeminiLiveError, UpgradeRejected
from gemini_live_trio.events import Event, Reconnected, Reconnecting, ResumptionUpdate
from gemini_live_trio.recording import RecordingWriter, SessionRecorder, record
from gemini_live_trio.simulator import Simulator, open_simulator

KEY = "Zq7-plain-key+of/no_known~form"
QUOTED_KEY = "Zq7-plain-key%2Bof%2Fno_known~form"
BEARER = "Zq8.plain-bearer.of-no-known-form"
HEADER = "Zq9-gateway-secret"
QUERY = "Zq10-tenant-secret"
FROM_FUNCTION = "ya29.Zq11-vault-secret"
"""Never handed to the library, which knows it by its form."""
VERTEX_PATH = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"
GEMINI_PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
MODEL = "gemini-3.8-live"


@attrs.frozen
class Way:
    """One way in, and what must not come out."""

    endpoint: Endpoint
    auth: Credential | CredentialSource
    secrets: list[str]
    model: str = MODEL


def gemini(simulator: Simulator, **options: Any) -> GeminiApi:
    return GeminiApi(base_url=simulator.url, headers={"x-gateway": f"Basic {HEADER}"}, **options)


def ephemeral(simulator: Simulator, *, in_url: bool) -> Way:
    token = simulator.mint_token(uses=0)
    auth = EphemeralToken(token, in_url=in_url)
    return Way(gemini(simulator), auth, [token, token.partition("/")[2], HEADER])


def asked_for(simulator: Simulator) -> Way:
    secrets: list[str] = []

    async def mint(reason: DialReason) -> EphemeralToken:
        secrets.append(simulator.mint_token(uses=1))
        return EphemeralToken(secrets[-1])

    return Way(gemini(simulator), mint, secrets)


def bearer_asked_for(simulator: Simulator) -> Way:
    secrets: list[str] = []

    async def token(reason: DialReason) -> BearerToken:
        secrets.append(f"{len(secrets)}{BEARER}")
        return BearerToken(secrets[-1])

    return Way(VertexAi("p", "l", base_url=simulator.url), token, secrets)


def failing_later(simulator: Simulator) -> Way:
    tokens = [simulator.mint_token(uses=1)]

    async def mint(reason: DialReason) -> EphemeralToken:
        if reason is not DialReason.FIRST:
            raise RuntimeError(f"the vault said: ?key={FROM_FUNCTION} {HEADER} {tokens[0]}")
        return EphemeralToken(tokens[0])

    return Way(gemini(simulator), mint, [tokens[0], FROM_FUNCTION, HEADER])


WAYS: dict[str, Callable[[Simulator], Way]] = {
    "key": lambda simulator: Way(gemini(simulator), ApiKey(KEY), [KEY, HEADER]),
    "key in the url": lambda simulator: Way(
        gemini(simulator),
        ApiKey(KEY, in_url=True),
        [KEY, "Zq7-plain-key%2Bof%2Fno_known~form", HEADER],
    ),
    "express": lambda simulator: Way(
        VertexAi(express=True, base_url=simulator.url), ApiKey(KEY), [KEY]
    ),
    "ephemeral": lambda simulator: ephemeral(simulator, in_url=False),
    "ephemeral in the url": lambda simulator: ephemeral(simulator, in_url=True),
    "bearer": lambda simulator: Way(
        VertexAi("p", "l", base_url=simulator.url), BearerToken(BEARER), [BEARER]
    ),
    "gateway": lambda simulator: Way(
        CustomEndpoint(f"{simulator.url}{GEMINI_PATH}?tenant={QUERY}", headers={"x-k": HEADER}),
        BearerToken(BEARER),
        [BEARER, QUERY, HEADER],
        f"models/{MODEL}",
    ),
    "asked for": asked_for,
    "bearer asked for": bearer_asked_for,
    "a function that fails": failing_later,
}


class Shown(SessionObserver):
    """Everything that an observer is told, except the frames and what the service said in them."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def dialling(self, **details: Any) -> None:
        self.lines.append(repr(details))

    def disconnected(self, **details: Any) -> None:
        self.lines.append(repr(details))

    def event(self, event: Event, *, time: float) -> None:
        if isinstance(event, Reconnecting | Reconnected):
            self.lines.append(repr(event))

    def ended(self, error: Exception | None, *, time: float) -> None:
        self.lines.append(repr(error))


@attrs.define
class Left:
    """What came out of a run, by where it came out."""

    texts: dict[str, str] = attrs.field(factory=dict)

    def add(self, where: str, *things: object) -> None:
        self.texts[where] = "\n".join([self.texts.get(where, ""), *map(str, things)])

    def assert_without(self, secrets: list[str]) -> None:
        for where, text in self.texts.items():
            for secret in secrets:
                at = text.find(secret)
                assert at < 0, f"{where}: ...{text[max(0, at - 300) : at + 60]}"


def everything_of(error: BaseException) -> Iterator[str]:
    """Texts, attributes, causes, contexts and notes, and the traceback with them all."""
    waiting, seen = [error], set[int]()
    while waiting:
        link = waiting.pop()
        if id(link) not in seen:
            seen.add(id(link))
            yield f"{link} {link!r} {vars(link)} {getattr(link, '__notes__', '')}"
            waiting += [e for e in (link.__cause__, link.__context__) if e is not None]
            waiting += getattr(link, "exceptions", ())
    yield "".join(traceback.format_exception(error))


async def fail(way: Way, simulator: Simulator, left: Left, file: Path) -> None:
    """A conversation in which the service quotes each secret back, and which then breaks."""
    shown = Shown()
    config = SessionConfig(model=way.model, auth=way.auth, endpoint=way.endpoint)
    left.add("reprs", config, repr(config), repr(way.endpoint), repr(way.auth))
    left.add("reprs", repr(way.endpoint.target()), way.endpoint.target())
    writer = RecordingWriter(file.with_suffix(".whole"), by="test", media="whole")
    try:
        async with (
            open_session(
                config,
                connector=simulator.connector,
                observers=[shown, *traces(left), SessionRecorder(writer)],
                reconnect=ReconnectPolicy(attempts=2),
            ) as session,
            record(session, file),
        ):
            await until(session, ResumptionUpdate)
            said = " ".join(way.secrets)
            await session.send_text(f"I know it: {said}")
            await turn(session)
            left.add("statistics", session.statistics(), repr(session), session.status)
            left.add("reprs", repr(session.usage), repr(session.resumption))
            for secret in tuple(way.secrets[:2]):
                for connection in simulator.connections:
                    await connection.close(1011, f"no luck with {secret}")
                await until(session, Reconnected)
            for connection in simulator.connections:
                await connection.close(1007, f"Unknown name {way.secrets[-1]}")
            await turn(session)
    except GeminiLiveError as error:
        left.add("errors", *everything_of(error))
    else:
        pytest.fail("it should have broken")
    finally:
        await trio.to_thread.run_sync(writer.close)
    left.add("observers", *shown.lines)
    for written in (file, file.with_suffix(".whole")):
        left.add("recordings", await trio.Path(written).read_text())


def lines_of(caplog: pytest.LogCaptureFixture) -> Iterator[str]:
    """The logs of everybody but the other side; also trio-websocket's, except how it was told of
    the close, in the service's words."""
    for line in caplog.records:
        text = f"{line.getMessage()} {vars(line)}"
        theirs = line.name == "trio-websocket" and "websocket closed" in text
        if not theirs and not line.name.startswith("gemini_live_trio.simulator"):
            yield text


def traces(left: Left) -> list[SessionObserver]:
    """Spans, shown as their JSON; none without the SDK."""
    try:
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter
    except ImportError:
        return []
    from gemini_live_trio.otel import OpenTelemetryObserver

    class Exporter(SpanExporter):
        def export(self, spans: Any) -> Any:
            left.add("spans", *(span.to_json() for span in spans))

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Exporter()))
    return [OpenTelemetryObserver(provider.get_tracer("test"))]


@pytest.mark.parametrize("name", WAYS)
async def test_nothing_that_comes_out_holds_a_secret(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    caplog.set_level(logging.DEBUG)
    left = Left()
    async with open_simulator(port=None, resume_lock=False) as simulator:
        way = WAYS[name](simulator)
        await fail(way, simulator, left, tmp_path / "session.jsonl")
    left.add("logs", *lines_of(caplog))
    left.assert_without(way.secrets)
    # They were there to be found, and are marked where they stood.
    for where in ("errors", "observers", "recordings", "logs"):
        assert "[redacted]" in left.texts[where], where
    assert re.search(r'"setup"', left.texts["logs"])


@pytest.mark.parametrize("name", WAYS)
async def test_no_secret_is_in_a_refusal(
    name: str, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """A proxy answers the upgrade with a page that quotes what it was sent."""
    caplog.set_level(logging.DEBUG)
    left = Left()
    async with open_simulator(port=None) as simulator:
        way = WAYS[name](simulator)
        config = SessionConfig(model=way.model, auth=way.auth, endpoint=way.endpoint)
        with pytest.raises(UpgradeRejected) as caught:
            async with open_session(config, connector=Quoting()):
                pytest.fail("there should be no session")
    left.add("errors", *everything_of(caught.value))
    left.add("logs", *lines_of(caplog))
    assert caught.value.status == 403
    left.assert_without(way.secrets)


class Quoting:
    """Answers any request with HTTP 403 and that request."""

    async def connect(self, target: object, /) -> trio.abc.Stream:
        ours, theirs = trio.testing.memory_stream_pair()

        async def answer() -> None:
            request = await theirs.receive_some(100_000)
            head = b"HTTP/1.1 403 No\r\ncontent-length: %d\r\n\r\n" % len(request)
            await theirs.send_all(head + bytes(request))

        trio.lowlevel.spawn_system_task(answer)
        return ours
