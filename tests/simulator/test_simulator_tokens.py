"""Ephemeral tokens: how they are made, how long they last, and what they fix."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
import trio.testing
from simulator.raw_client import BIDI, MODEL, Closed, RawClient, dial, dial_port

from gemini_live_trio import wire
from gemini_live_trio.simulator import Simulator, open_simulator
from gemini_live_trio.simulator._door._tokens import MOST_TOKENS

Clock = trio.testing.MockClock

CONSTRAINED = BIDI + "Constrained"
USED_UP = Closed(1011, "Token has been used too many times")
TOO_LATE = Closed(1011, "new_session_expire_time deadline exceeded")


async def ask(
    simulator: Simulator,
    body: Any = None,
    *,
    target: str = "/v1beta/auth_tokens",
    method: str = "POST",
    headers: dict[str, str] | None = None,
    real: bool = False,
) -> tuple[int, Any]:
    """Make one HTTP request; the status, and the JSON of the answer."""
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    stream = await (dial_port(simulator) if real else simulator.connector.connect())
    answer = b""
    async with stream:
        await stream.send_all("\r\n".join([*lines, "", ""]).encode() + data)
        while piece := await stream.receive_some():
            answer += piece
    head, _, text = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(text)


async def mint(simulator: Simulator, **wanted: Any) -> str:
    status, answer = await ask(simulator, wanted)
    assert status == 200, answer
    name = answer["name"]
    assert isinstance(name, str)
    assert name.startswith("auth_tokens/")
    return name


@asynccontextmanager
async def dial_with(simulator: Simulator, token: str) -> AsyncIterator[RawClient]:
    async with dial(simulator, f"{CONSTRAINED}?access_token={token}") as client:
        yield client


async def refusal(simulator: Simulator, token: str, **setup: Any) -> Closed:
    async with dial_with(simulator, token) as client:
        await client.send(setup={"model": MODEL, **setup})
        return await client.closed()


def in_time(**delta: float) -> str:
    return (datetime.now(UTC) + timedelta(**delta)).isoformat()


# --- Making one ---


@pytest.mark.parametrize(
    "target",
    [
        "/v1beta/auth_tokens",
        "/v1alpha/auth_tokens",
        "/v1/auth_tokens",
        "//v1alpha//auth_tokens",
        "/v1beta/auth_tokens?alt=json",
    ],
)
async def test_where_tokens_are_made(target: str, autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        status, answer = await ask(simulator, {}, target=target)
        assert status == 200
        async with dial_with(simulator, answer["name"]) as client:
            assert await client.set_up() == [{"setupComplete": {}}]
            assert (await simulator.accept()).door.constrained


async def test_a_token_over_tcp() -> None:
    async with open_simulator(pace=0, api_key="right") as simulator:
        status, answer = await ask(simulator, target="/v1beta/auth_tokens?key=right", real=True)
        assert status == 200
        path = f"{CONSTRAINED}?access_token={answer['name']}"
        async with dial(simulator, path, real=True) as client:
            assert await client.set_up() == [{"setupComplete": {}}]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Token %s")],
        [(b"authorization", b"Token %s"), (b"x-goog-api-key", b"%s")],
        [(b"Authorization", b"Bearer %s")],
        [(b"x-goog-api-key", b"%s")],
    ],
)
async def test_ways_of_showing_it(
    headers: list[tuple[bytes, bytes]], autojump_clock: Clock
) -> None:
    async with open_simulator(port=None, api_key="right") as simulator:
        token = simulator.mint_token().encode()
        shown = [(name, value.replace(b"%s", token)) for name, value in headers]
        async with dial(simulator, CONSTRAINED, headers=shown) as client:
            assert await client.set_up() == [{"setupComplete": {}}]


@pytest.mark.parametrize(
    ("target", "headers", "status", "name", "words"),
    [
        ("", {}, 403, "PERMISSION_DENIED", "Method doesn't allow unregistered callers"),
        ("?key=wrong", {}, 400, "INVALID_ARGUMENT", "API key not valid."),
        ("", {"x-goog-api-key": "wrong"}, 400, "INVALID_ARGUMENT", "API key not valid."),
        ("", {"Authorization": "Bearer wrong"}, 401, "UNAUTHENTICATED", "Request had invalid"),
        ("?key=auth_tokens/1", {}, 400, "INVALID_ARGUMENT", "API key not valid."),
        ("?key=right", {}, 200, None, None),
        ("", {"X-Goog-Api-Key": "right"}, 200, None, None),
        ("", {"Authorization": "Bearer right"}, 200, None, None),
    ],
)
async def test_who_may_make_one(
    target: str,
    headers: dict[str, str],
    status: int,
    name: str | None,
    words: str | None,
    autojump_clock: Clock,
) -> None:
    async with open_simulator(port=None, api_key="right") as simulator:
        got, answer = await ask(
            simulator, {}, target=f"/v1beta/auth_tokens{target}", headers=headers
        )
        assert got == status
        if words is not None:
            assert (answer["error"]["code"], answer["error"]["status"]) == (status, name)
            assert answer["error"]["message"].startswith(words)


UNKNOWN = "Invalid JSON payload received. Unknown name"
SETUP = "auth_token.bidi_generate_content_setup"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "Invalid JSON payload received. Unexpected token."),
        (b"[]", "Invalid JSON payload received. Unexpected token."),
        (b"[" * 100_000, "Invalid JSON payload received. Unexpected token."),
        ({"use": 1}, f"{UNKNOWN} \"use\" at 'auth_token': Cannot find field."),
        ({"liveConnectConstraints": {}}, f'{UNKNOWN} "liveConnectConstraints"'),  # measured
        ({"uses": -1}, "Request contains an invalid argument."),
        ({"uses": 1.5}, "Invalid value at 'auth_token.uses'"),
        ({"uses": True}, "Invalid value at 'auth_token.uses'"),
        ({"uses": 2**31}, "Invalid value at 'auth_token.uses'"),
        ({"uses": "many"}, "Invalid value at 'auth_token.uses'"),
        ({"expireTime": "soon"}, "Invalid value at 'auth_token.expire_time'"),
        ({"expireTime": 5}, "Invalid value at 'auth_token.expire_time'"),
        ({"expireTime": "2026-01-01T00:00:00"}, "Invalid value at 'auth_token.expire_time'"),
        ({"expireTime": "0001-01-01T00:00:00Z"}, ""),
        ({"expireTime": "2020-01-01T00:00:00Z"}, "Request contains an invalid argument."),
        (
            {"expireTime": "9999-12-31T00:00:00Z"},
            "expire_time is too far in the future. Maximum lifetime is 20h",  # measured
        ),
        ({"newSessionExpireTime": "9999-12-31T00:00:00Z"}, "new_session_expire_time is too far"),
        ({"fieldMask": ["model"]}, "Invalid value at 'auth_token.field_mask'"),
        ({"fieldMask": "model,bogus"}, "Invalid value at 'auth_token.field_mask'"),
        ({"fieldMask": "model.name"}, "Invalid value at 'auth_token.field_mask'"),
        ({"bidiGenerateContentSetup": 1}, f"Invalid value at '{SETUP}'"),
        (
            {"bidiGenerateContentSetup": {"setup": {"model": MODEL}}},
            f"{UNKNOWN} \"setup\" at '{SETUP}': Cannot find field.",
        ),
        (
            {"bidiGenerateContentSetup": {"generationConfig": {"temperature": "warm"}}},
            f"Invalid value at '{SETUP}.generation_config.temperature'",
        ),
    ],
)
async def test_bodies_that_are_refused(body: Any, words: str, autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        status, answer = await ask(simulator, body)
        assert (status, answer["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert answer["error"]["message"].startswith(words)


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 404), ("PUT", 405), ("DELETE", 405), ("PATCH", 405)]
)
async def test_tokens_can_only_be_made(method: str, status: int, autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        got, answer = await ask(simulator, method=method)
        assert got == answer["error"]["code"] == status


# --- How long it is good ---


async def test_one_use_is_one_session(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        token = await mint(simulator)
        async with dial_with(simulator, token) as client:
            await client.set_up()
            assert await refusal(simulator, token) == USED_UP
            assert await client.say("hello")


@pytest.mark.parametrize(("uses", "sessions"), [(2, 2), ("3", 3), (0, 5)])
async def test_several_uses(uses: Any, sessions: int, autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        token = await mint(simulator, uses=uses)
        for _ in range(sessions):
            async with dial_with(simulator, token) as client:
                await client.set_up()
        if uses:
            assert await refusal(simulator, token) == USED_UP


async def test_a_setup_that_is_refused_costs_no_use(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        token = await mint(simulator)
        assert (await refusal(simulator, token, model="models/none")).code == 1008
        async with dial_with(simulator, token) as client:
            assert await client.set_up()


async def test_two_sessions_at_once_with_one_use(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        token = await mint(simulator)
        simulator.delay_next_setup(1, times=2)
        async with dial_with(simulator, token) as one, dial_with(simulator, token) as two:
            await one.send(setup={"model": MODEL})
            await two.send(setup={"model": MODEL})
            answers = [await one.receive(), await two.receive()]
        assert {"setupComplete": {}} in answers
        assert USED_UP in answers


async def test_resuming_costs_no_use(autojump_clock: Clock) -> None:
    async with open_simulator(port=None, resume_lock=False) as simulator:
        token = await mint(simulator)
        async with dial_with(simulator, token) as client:
            await client.set_up(sessionResumption={})
            update = (await client.until("sessionResumptionUpdate"))[-1]
            handle = update["sessionResumptionUpdate"]["newHandle"]
        await trio.sleep(100)  # no new session may begin any more
        for _ in range(3):
            async with dial_with(simulator, token) as client:
                assert await client.set_up(sessionResumption={"handle": handle})
        assert await refusal(simulator, token) == TOO_LATE


async def test_new_sessions_begin_within_a_minute(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        token = await mint(simulator, uses=0)
        await trio.sleep(59)
        async with dial_with(simulator, token) as client:
            assert await client.set_up()
        await trio.sleep(1)
        assert await refusal(simulator, token) == TOO_LATE


async def test_a_session_ends_with_its_token(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        began = trio.current_time()
        token = await mint(simulator)
        async with dial_with(simulator, token) as client:
            await client.set_up(sessionResumption={})
            update = (await client.until("sessionResumptionUpdate"))[-1]
            handle = update["sessionResumptionUpdate"]["newHandle"]
            end = await client.receive_at(began + 30 * 60)
            assert end == Closed(1011, "auth token has expired")
        again = await refusal(simulator, token, sessionResumption={"handle": handle})
        assert again == Closed(1011, "Token has expired")


async def test_times_are_wall_time(autojump_clock: Clock) -> None:
    """The simulator's wall clock goes on with Trio's clock, which may be a virtual one."""
    async with open_simulator(port=None) as simulator:
        token = await mint(
            simulator, uses=0, expireTime=in_time(hours=19), newSessionExpireTime=in_time(hours=2)
        )
        await trio.sleep(2 * 3600 - 60)
        async with dial_with(simulator, token) as client:
            assert await client.set_up()
        await trio.sleep(61)
        assert await refusal(simulator, token) == TOO_LATE
        await trio.sleep(18 * 3600)
        assert await refusal(simulator, token) == Closed(1011, "Token has expired")


async def test_old_tokens_make_room(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        first = simulator.mint_token(uses=0)
        second = simulator.mint_token(uses=0)
        for _ in range(MOST_TOKENS - 1):
            last = simulator.mint_token(uses=0)
        assert (await refusal(simulator, first)).code == 1008
        for token in (second, last):
            async with dial_with(simulator, token) as client:
                assert await client.set_up()


# --- What it fixes ---


async def setup_with(token: dict[str, Any], **setup: Any) -> wire.LiveClientSetup:
    """The setup that a session gets with a token."""
    async with open_simulator(port=None) as simulator:
        name = await mint(simulator, **token)
        async with dial_with(simulator, name) as client:
            await client.set_up(**setup)
            return (await simulator.accept()).setup


INSTRUCTION = {"parts": [{"text": "be brief"}]}


async def test_a_token_without_a_setup_fixes_nothing(autojump_clock: Clock) -> None:
    setup = await setup_with({}, systemInstruction=INSTRUCTION)
    assert setup.system_instruction == wire.Content(parts=[wire.Part(text="be brief")])


async def test_a_token_with_a_setup_fixes_all_of_it(autojump_clock: Clock) -> None:
    """Measured: the client's setup is replaced, not merged."""
    setup = await setup_with(
        {
            "bidiGenerateContentSetup": {
                "model": "models/gemini-2.5-flash-native-audio-latest",
                "generationConfig": {"temperature": 0.5},
            }
        },
        systemInstruction=INSTRUCTION,
        outputAudioTranscription={},
        generationConfig={"temperature": 1, "topK": 3},
    )
    assert setup == wire.LiveClientSetup(
        model="models/gemini-2.5-flash-native-audio-latest",
        generation_config=wire.GenerationConfig(temperature=0.5),
    )


async def test_the_handle_stays_the_clients(autojump_clock: Clock) -> None:
    setup = await setup_with(
        {"bidiGenerateContentSetup": {"generationConfig": {}}}, sessionResumption={}
    )
    assert setup.model == MODEL
    assert setup.session_resumption is not None


@pytest.mark.parametrize(
    "mask",
    [
        "generationConfig.temperature,systemInstruction",
        "generation_config.temperature,system_instruction",
        "generationConfig.temperature, system_instruction,tools",
    ],
)
async def test_a_mask_fixes_what_it_names(mask: str, autojump_clock: Clock) -> None:
    setup = await setup_with(
        {
            "bidiGenerateContentSetup": {
                "generationConfig": {"temperature": 0.5, "topP": 0.25},
                "systemInstruction": INSTRUCTION,
            },
            "fieldMask": mask,
        },
        generationConfig={"temperature": 1, "topP": 1, "topK": 3},
        systemInstruction={"parts": [{"text": "talk a lot"}]},
        outputAudioTranscription={},
    )
    assert setup.generation_config == wire.GenerationConfig(temperature=0.5, top_p=1, top_k=3)
    assert setup.system_instruction == wire.Content(parts=[wire.Part(text="be brief")])
    assert setup.output_audio_transcription is not None


async def test_a_mask_alone_fixes_the_defaults(autojump_clock: Clock) -> None:
    """google-genai adds fields to the mask that it has no value for."""
    setup = await setup_with(
        {"fieldMask": "generationConfig.response_modalities,generationConfig.seed,tools"},
        generationConfig={"seed": 3},
        tools=[{"googleSearch": {}}],
    )
    assert setup.generation_config == wire.GenerationConfig()
    assert not setup.tools


async def test_what_it_fixes_is_judged_like_the_clients_own(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        locked = {"model": MODEL, "generationConfig": {"responseModalities": ["TEXT"]}}
        token = await mint(simulator, bidiGenerateContentSetup=locked)
        end = await refusal(simulator, token)
        assert end == Closed(1007, "Cannot extract voices from a non-audio request.")


async def test_a_locked_model_is_used_whatever_the_client_asks_for(autojump_clock: Clock) -> None:
    """Measured: even one that doesn't exist connects."""
    setup = await setup_with(
        {"bidiGenerateContentSetup": {"model": MODEL}, "fieldMask": "model"}, model="models/none"
    )
    assert setup.model == MODEL


async def test_a_token_from_inside_the_program(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        fixed = wire.LiveClientSetup(model=MODEL)
        token = simulator.mint_token(expires_in=10, new_sessions_for=5, setup=fixed)
        async with dial_with(simulator, token) as client:
            await client.set_up(model="models/none")
            await trio.sleep(4)
            assert await refusal(simulator, token) == USED_UP
            await trio.sleep(6)
            assert (await client.closed()).reason == "auth token has expired"


@pytest.mark.parametrize(
    "wrong",
    [{"uses": -1}, {"expires_in": 0.0}, {"new_sessions_for": float("nan")}, {"expires_in": -1.0}],
)
async def test_tokens_that_could_never_be_used(
    wrong: dict[str, Any], autojump_clock: Clock
) -> None:
    async with open_simulator(port=None) as simulator:
        with pytest.raises(ValueError, match="lasts for more than 0 seconds"):
            simulator.mint_token(**wrong)
