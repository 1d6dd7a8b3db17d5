"""Ephemeral tokens, made over real HTTP at the simulator."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
import trio
from support import turn, until, words

from gemini_live_trio import (
    ApiKey,
    DialReason,
    EphemeralToken,
    GeminiApi,
    SessionConfig,
    mint_ephemeral_token,
    open_session,
    wire,
)
from gemini_live_trio.errors import ConfigError, CredentialsError, SetupRejected
from gemini_live_trio.events import Reconnected, ReconnectState, ResumptionUpdate
from gemini_live_trio.simulator import Simulator, open_simulator

httpx = pytest.importorskip("httpx")

KEY = ApiKey("a-key-of-no-known-form")
MODEL = "gemini-3.8-live"


def place(simulator: Simulator) -> GeminiApi:
    return GeminiApi(base_url=simulator.url)


async def test_a_token_opens_a_session() -> None:
    async with open_simulator(api_key=KEY.key, pace=0.1, voice="tone") as simulator:
        token = await mint_ephemeral_token(KEY, endpoint=place(simulator))
        config = SessionConfig(model=MODEL, auth=token, endpoint=place(simulator))
        async with open_session(config) as session:
            await session.send_text("Hello!")
            assert words(await turn(session))
        with pytest.raises(SetupRejected, match="used too many times"):
            async with open_session(config):
                pytest.fail("it was for one session")


async def test_one_minted_for_every_dial() -> None:
    reasons: list[DialReason] = []
    async with open_simulator(
        api_key=KEY.key, pace=0.1, voice="tone", resume_lock=False
    ) as simulator:

        async def credentials(reason: DialReason) -> EphemeralToken:
            reasons.append(reason)
            return await mint_ephemeral_token(KEY, endpoint=place(simulator))

        config = SessionConfig(model=MODEL, auth=credentials, endpoint=place(simulator))
        async with open_session(config) as session:
            await until(session, ResumptionUpdate)
            await simulator.drop_all()
            assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
    assert reasons == [DialReason.FIRST, DialReason.RESUME]


@pytest.mark.parametrize("in_url", [False, True])
async def test_the_setup_is_locked(in_url: bool) -> None:
    key = ApiKey(KEY.key, in_url=in_url)
    async with open_simulator(api_key=KEY.key, voice="tone") as simulator:
        fixed = SessionConfig(model=MODEL, voice="Kore", system_instruction="Be brief.")
        token = await mint_ephemeral_token(key, endpoint=place(simulator), setup=fixed, uses=0)
        config = SessionConfig(
            model="gemini-2.5-flash-native-audio-latest", auth=token, endpoint=place(simulator)
        )
        async with open_session(config):
            server = await simulator.accept()
            assert server.setup is not None
            assert server.setup.model == f"models/{MODEL}"
            assert server.setup.system_instruction == fixed.setup().system_instruction


async def posted(**options: Any) -> Any:
    """What would be sent."""
    bodies: list[Any] = []

    def answer(request: Any) -> Any:
        bodies.append(request)
        return httpx.Response(200, json={"name": "auth_tokens/t"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        assert await mint_ephemeral_token(KEY, client=client, **options) == EphemeralToken(
            "auth_tokens/t"
        )
    return bodies[0]


async def test_what_is_asked_for() -> None:
    import json

    request = await posted(
        endpoint=GeminiApi(version="v1alpha", headers={"x-team": "a"}), uses=3, expires_in=60
    )
    assert str(request.url) == "https://generativelanguage.googleapis.com/v1alpha/auth_tokens"
    assert (request.headers["x-goog-api-key"], request.headers["x-team"]) == (KEY.key, "a")
    body = json.loads(request.content)
    assert set(body) == {"uses", "expireTime", "newSessionExpireTime"}
    assert body["uses"] == 3
    assert body["expireTime"].endswith("Z")

    setup = wire.LiveClientSetup(
        model="models/m", generation_config=wire.GenerationConfig(temperature=0.5)
    )
    whole = json.loads((await posted(setup=setup)).content)
    assert whole["bidiGenerateContentSetup"]["model"] == "models/m"
    assert "fieldMask" not in whole
    some = json.loads((await posted(setup=setup, locked=["model"])).content)
    assert some["fieldMask"] == "model"
    those_set = json.loads((await posted(setup=setup, locked=())).content)
    assert those_set["fieldMask"] == "model,generationConfig.temperature"


@pytest.mark.parametrize(
    "options",
    [
        {"uses": -1},
        {"uses": 1.5},
        {"expires_in": 0},
        {"expires_in": 20 * 3600 + 1},
        {"new_session_expires_in": float("nan")},
        {"locked": ["model"]},
        {"setup": SessionConfig(model="m"), "locked": [""]},
        {"endpoint": "wss://host"},
    ],
)
async def test_what_can_not_be_asked_for(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        await mint_ephemeral_token(KEY, **options)


async def test_a_refusal_says_why_without_the_key() -> None:
    async with open_simulator(api_key="another") as simulator:
        for key in (KEY, ApiKey(KEY.key, in_url=True)):
            with pytest.raises(CredentialsError, match="API key not valid") as caught:
                await mint_ephemeral_token(key, endpoint=place(simulator))
            assert (caught.value.status, caught.value.stage) == (400, "credentials")
            assert KEY.key not in str(caught.value)
        url = simulator.url
    with pytest.raises(CredentialsError, match="network") as caught:
        await mint_ephemeral_token(KEY, endpoint=GeminiApi(base_url=url))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("in_url", [False, True])
async def test_minting_leaves_no_secret_in_a_log(
    in_url: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with open_simulator(api_key=KEY.key) as simulator:
        key = ApiKey(KEY.key, in_url=in_url)
        token = await mint_ephemeral_token(key, endpoint=place(simulator))
    said = "".join(f"{line.getMessage()} {vars(line)}" for line in caplog.records)
    assert "httpcore" in said
    assert KEY.key not in said
    assert token.token not in said


async def test_an_answer_that_is_none() -> None:
    for content in (b"<html>welcome</html>", b"{}", b'{"name": "key"}', b"[]", b'{"name": 5}'):
        transport = httpx.MockTransport(lambda _, c=content: httpx.Response(200, content=c))
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(CredentialsError, match="no token in it"):
                await mint_ephemeral_token(KEY, client=client)


async def test_minting_has_its_time() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    with pytest.raises(CredentialsError, match="ReadTimeout"):
        await mint_ephemeral_token(
            KEY, endpoint=GeminiApi(base_url=f"ws://127.0.0.1:{port}"), timeout=0.1
        )
    for listener in listeners:
        await listener.aclose()


@pytest.mark.parametrize(
    ("name", "extra", "call"),
    [
        ("httpx", "tokens", "trio.run(lambda: g.mint_ephemeral_token(g.ApiKey('k')))"),
        ("google.auth", "vertex", "g.ApplicationDefault()"),
    ],
)
def test_what_is_missing_is_named(name: str, extra: str, call: str) -> None:
    code = f"import sys, trio, gemini_live_trio as g; sys.modules[{name!r}] = None; {call}"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f'pip install "gemini-live-trio[{extra}]"' in run.stderr
    assert "MissingDependency" in run.stderr
