"""Every way in: the same conversation for each pair of endpoint and credential, or a refusal."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
import trio
from support import turn, until, words
from trio.testing import MockClock

from gemini_live_trio import (
    ApiKey,
    ApplicationDefault,
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
    Target,
    VertexAi,
    open_session,
    wire,
)
from gemini_live_trio.errors import (
    ConfigError,
    ConnectError,
    CredentialsError,
    ReconnectExhausted,
    SetupRejected,
)
from gemini_live_trio.events import Reconnected, ReconnectState, ResumptionUpdate
from gemini_live_trio.simulator import Simulator, open_simulator

SECRET = "a-secret-of-no-known-form"
MODEL = "gemini-3.8-live"
GEMINI_PATH = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"
VERTEX_PATH = "/ws/google.cloud.aiplatform.v1.LlmBidiService/BidiGenerateContent"

ENDPOINTS: dict[str, Callable[[str], Endpoint]] = {
    "gemini": lambda url: GeminiApi(base_url=url),
    "vertex": lambda url: VertexAi("p", "europe-west4", base_url=url),
    "express": lambda url: VertexAi(express=True, base_url=url),
    "custom gemini": lambda url: CustomEndpoint(url + GEMINI_PATH),
    "custom vertex": lambda url: CustomEndpoint(url + VERTEX_PATH),
}
PLAIN: dict[str, Callable[[Simulator], Credential]] = {
    "key": lambda _: ApiKey(SECRET),
    "key in the url": lambda _: ApiKey(SECRET, in_url=True),
    "ephemeral": lambda simulator: EphemeralToken(simulator.mint_token()),
    "ephemeral in the url": lambda simulator: EphemeralToken(simulator.mint_token(), in_url=True),
    "bearer": lambda _: BearerToken(SECRET, quota_project="q"),
}
FORBIDDEN = {
    *itertools.product(["gemini"], ["bearer"]),
    *itertools.product(["vertex"], ["key", "key in the url", "ephemeral", "ephemeral in the url"]),
    *itertools.product(["express"], ["bearer", "ephemeral", "ephemeral in the url"]),
    *itertools.product(["custom gemini", "custom vertex"], ["ephemeral", "ephemeral in the url"]),
}


class Dials:
    """Counts; and dials the simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.targets: list[Target] = []

    async def connect(self, target: Target, /) -> trio.abc.Stream:
        self.targets.append(target)
        return await self._simulator.connector.connect(target)


def model_for(place: str) -> str:
    """A custom endpoint completes nothing."""
    return {
        "custom gemini": f"models/{MODEL}",
        "custom vertex": f"projects/p/locations/l/publishers/google/models/{MODEL}",
    }.get(place, MODEL)


def source_of(credential: Credential, asked: list[DialReason]) -> CredentialSource:
    async def source(reason: DialReason) -> Credential:
        asked.append(reason)
        await trio.sleep(0.1)
        return credential

    return source


@pytest.mark.parametrize("asked", [False, True], ids=["as a value", "asked for"])
@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("place", ENDPOINTS)
async def test_the_same_conversation_over_every_pair(
    place: str, kind: str, asked: bool, autojump_clock: MockClock
) -> None:
    reasons: list[DialReason] = []
    async with open_simulator(port=None, api_key=SECRET) as simulator:
        dials = Dials(simulator)
        credential = PLAIN[kind](simulator)
        auth = source_of(credential, reasons) if asked else credential
        endpoint = ENDPOINTS[place](simulator.url)
        if (place, kind) in FORBIDDEN:
            with pytest.raises(
                CredentialsError if asked else ConfigError, match=r"takes|has no|use"
            ):
                async with open_session(
                    SessionConfig(model=MODEL, auth=auth, endpoint=endpoint), connector=dials
                ):
                    pytest.fail("there should be no session")
            assert not dials.targets
            return
        config = SessionConfig(model=model_for(place), auth=auth, endpoint=endpoint)
        async with open_session(config, connector=dials) as session:
            await until(session, ResumptionUpdate)
            await session.send_text("Hello!")
            assert words(await turn(session))
            await simulator.drop_all()
            back = await until(session, Reconnected)
            assert back.state is ReconnectState.RESUMED
            await session.send_text("Hello again!")
            assert words(await turn(session))
        in_url = {"?" in target.resource for target in dials.targets}
        assert in_url == {"url" in kind}
        assert all(SECRET not in f"{target!r} {target}" for target in dials.targets)
        if asked:
            assert reasons[0] is DialReason.FIRST
            assert set(reasons[1:]) == {DialReason.RESUME}


@pytest.mark.parametrize("place", ["gemini", "express"])
def test_google_accounts_are_refused_where_they_never_serve(place: str) -> None:
    pytest.importorskip("google.auth")
    with pytest.raises(ConfigError, match="takes an ApiKey"):
        SessionConfig(
            model=MODEL, auth=ApplicationDefault(), endpoint=ENDPOINTS[place]("ws://127.0.0.1:1")
        )


async def test_headers_of_the_endpoint_come_first(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None, api_key=SECRET) as simulator:
        place = GeminiApi(base_url=simulator.url, headers={"X-Goog-Api-Key": SECRET, "x-team": "a"})
        assert SECRET not in repr(place)
        config = SessionConfig(model=MODEL, auth=ApiKey("another-key"), endpoint=place)
        async with open_session(config, connector=simulator.connector):
            pass


async def test_a_path_of_ones_own(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        dials = Dials(simulator)
        place = VertexAi("p", "l", base_url=simulator.url, path="/" + VERTEX_PATH)
        async with open_session(SessionConfig(model=MODEL, endpoint=place), connector=dials):
            assert dials.targets[0].resource == "/" + VERTEX_PATH


# --- One credential for each dial ------------------------------------------------------------


async def test_a_token_of_one_use_for_each_dial_goes_with_resumption(
    autojump_clock: MockClock,
) -> None:
    asked: list[DialReason] = []
    async with open_simulator(port=None, api_key="k") as simulator:

        async def mint(reason: DialReason) -> EphemeralToken:
            asked.append(reason)
            return EphemeralToken(simulator.mint_token(uses=1, new_sessions_for=30))

        config = SessionConfig(model=MODEL, auth=mint, endpoint=GeminiApi(base_url=simulator.url))
        async with open_session(config, connector=simulator.connector) as session:
            await until(session, ResumptionUpdate)
            for _ in range(2):
                await simulator.go_away(5)
                assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
        # The lock of a resume may need another dial.
        assert asked[0] is DialReason.FIRST
        assert len(asked) >= 3
        assert set(asked[1:]) == {DialReason.RESUME}


async def test_a_token_that_expires_meanwhile_is_followed_by_another(
    autojump_clock: MockClock,
) -> None:
    async with open_simulator(port=None, api_key="k") as simulator:

        async def mint(reason: DialReason) -> EphemeralToken:
            return EphemeralToken(simulator.mint_token(expires_in=100))

        config = SessionConfig(model=MODEL, auth=mint, endpoint=GeminiApi(base_url=simulator.url))
        async with open_session(config, connector=simulator.connector) as session:
            assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
            await session.send_text("Hello!")
            assert words(await turn(session))


async def test_a_lost_handle_asks_for_a_fresh_session(autojump_clock: MockClock) -> None:
    asked: list[DialReason] = []
    async with open_simulator(port=None) as simulator:
        config = SessionConfig(
            model=MODEL,
            auth=source_of(ApiKey("k"), asked),
            endpoint=GeminiApi(base_url=simulator.url),
            session_resumption=False,
        )
        async with open_session(config, connector=simulator.connector) as session:
            await session.send_text("Hello!")
            await turn(session)
            await simulator.drop_all()
            assert (await until(session, Reconnected)).state is not ReconnectState.RESUMED
    assert asked == [DialReason.FIRST, DialReason.FRESH]


async def fail_to_open(
    simulator: Simulator, auth: CredentialSource, **options: float
) -> CredentialsError:
    config = SessionConfig(model=MODEL, auth=auth, endpoint=GeminiApi(base_url=simulator.url))
    dials = Dials(simulator)
    with pytest.raises(CredentialsError) as caught:
        async with open_session(config, connector=dials, **options):  # type: ignore[arg-type]
            pytest.fail("there should be no session")
    assert not dials.targets
    assert caught.value.stage == "credentials"
    return caught.value


async def test_a_source_that_hangs_costs_the_time_for_connecting(
    autojump_clock: MockClock, simulator: Simulator
) -> None:
    async def hang(reason: DialReason) -> Credential:
        await trio.sleep_forever()
        raise AssertionError

    started = trio.current_time()
    error = await fail_to_open(simulator, hang, connect_timeout=7)
    assert trio.current_time() - started == 7
    assert "within 7 s" in str(error)
    assert "connect_timeout" in error.advice


async def test_what_a_source_raises_is_told_and_chained(
    autojump_clock: MockClock, simulator: Simulator
) -> None:
    async def fail(reason: DialReason) -> Credential:
        raise RuntimeError("the vault is sealed")

    error = await fail_to_open(simulator, fail)
    assert "RuntimeError: the vault is sealed" in str(error)
    assert isinstance(error.__cause__, RuntimeError)


async def test_what_a_source_raises_with_a_secret_in_it_is_not_chained(
    autojump_clock: MockClock, simulator: Simulator
) -> None:
    async def fail(reason: DialReason) -> Credential:
        try:
            raise ValueError(f"bad token ya29.{SECRET}")
        except ValueError as error:
            raise RuntimeError("no luck") from error

    error = await fail_to_open(simulator, fail)
    assert error.__cause__ is None
    assert error.__suppress_context__
    assert SECRET not in str(error)


async def test_an_error_of_a_source_loses_a_cause_with_a_secret(
    autojump_clock: MockClock, simulator: Simulator
) -> None:
    async def fail(reason: DialReason) -> Credential:
        try:
            raise ValueError(f"bad token ya29.{SECRET}")
        except ValueError as error:
            raise CredentialsError("No luck.", advice="Try again.") from error

    error = await fail_to_open(simulator, fail)
    assert (error.__cause__, str(error)) == (None, "No luck. Try again.")


@pytest.mark.parametrize("given", [None, "a-key", b"a-key", 5])
async def test_a_source_gives_a_credential(
    autojump_clock: MockClock, simulator: Simulator, given: object
) -> None:
    async def wrong(reason: DialReason) -> Credential:
        return given  # type: ignore[return-value]

    error = await fail_to_open(simulator, wrong)
    assert "ApiKey" in error.advice
    assert "a-key" not in str(error)


async def test_the_time_for_credentials_is_part_of_that_for_connecting(
    autojump_clock: MockClock,
) -> None:
    class Blackhole:
        async def connect(self, target: Target, /) -> trio.abc.Stream:
            await trio.sleep_forever()
            raise AssertionError

    async def slow(reason: DialReason) -> Credential:
        await trio.sleep(4)
        return ApiKey("k")

    started = trio.current_time()
    with pytest.raises(ConnectError) as caught:
        async with open_session(
            SessionConfig(model=MODEL, auth=slow), connector=Blackhole(), connect_timeout=10
        ):
            pytest.fail("there should be no session")
    assert caught.value.stage == "tcp"
    assert trio.current_time() - started == 10


async def test_a_source_that_fails_for_a_while_is_asked_again(autojump_clock: MockClock) -> None:
    answers: list[Exception | None] = [None, OSError("gone"), OSError("gone"), None]

    async def flaky(reason: DialReason) -> Credential:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return ApiKey("k")

    async with open_simulator(port=None, resume_lock=False) as simulator:
        config = SessionConfig(model=MODEL, auth=flaky, endpoint=GeminiApi(base_url=simulator.url))
        async with open_session(config, connector=simulator.connector) as session:
            await until(session, ResumptionUpdate)
            await simulator.drop_all()
            assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
    assert not answers


async def test_a_source_that_fails_for_good_ends_the_session(autojump_clock: MockClock) -> None:
    asked: list[DialReason] = []

    async def once(reason: DialReason) -> Credential:
        asked.append(reason)
        if len(asked) > 1:
            raise CredentialsError("The vault is sealed.", advice="Unseal it.")
        return ApiKey("k")

    async with open_simulator(port=None) as simulator:
        config = SessionConfig(model=MODEL, auth=once, endpoint=GeminiApi(base_url=simulator.url))
        with pytest.raises(ReconnectExhausted) as caught:
            async with open_session(
                config, connector=simulator.connector, reconnect=ReconnectPolicy(attempts=3)
            ) as session:
                await until(session, ResumptionUpdate)
                await simulator.drop_all()
                await turn(session)
    assert len(asked) == 4
    assert (caught.value.cause, caught.value.advice) == ("credentials", "Unseal it.")
    assert isinstance(caught.value.__cause__, CredentialsError)


async def test_leaving_while_a_source_is_asked(autojump_clock: MockClock) -> None:
    left: list[str] = []

    async def second_hangs(reason: DialReason) -> Credential:
        if reason is DialReason.FIRST:
            return ApiKey("k")
        try:
            await trio.sleep_forever()
        finally:
            left.append("left")
        raise AssertionError

    async with open_simulator(port=None) as simulator:
        config = SessionConfig(
            model=MODEL, auth=second_hangs, endpoint=GeminiApi(base_url=simulator.url)
        )
        async with open_session(
            config, connector=simulator.connector, connect_timeout=1000
        ) as session:
            await until(session, ResumptionUpdate)
            await simulator.drop_all()
            await trio.testing.wait_all_tasks_blocked()
            await trio.sleep(5)
    assert left == ["left"]


# --- What the service says no to -------------------------------------------------------------

WRONG: Sequence[tuple[str, Credential, int, str, str]] = (
    ("gemini", ApiKey("wrong-key"), 1007, "API key not valid", "API key"),
    ("gemini", EphemeralToken("auth_tokens/foreign"), 1008, "Method doesn't allow", "API key"),
    ("vertex", BearerToken("wrong-token"), 1008, "Request had invalid", "access token"),
    ("express", ApiKey("wrong-key"), 1007, "API key not valid", "API key"),
)


@pytest.mark.parametrize(("place", "credential", "code", "reason", "advice"), WRONG)
async def test_a_wrong_credential_is_refused_with_advice(
    place: str,
    credential: Credential,
    code: int,
    reason: str,
    advice: str,
    autojump_clock: MockClock,
) -> None:
    async with open_simulator(port=None, api_key=SECRET) as simulator:
        config = SessionConfig(
            model=MODEL, auth=credential, endpoint=ENDPOINTS[place](simulator.url)
        )
        with pytest.raises(SetupRejected, match=reason) as caught:
            async with open_session(config, connector=simulator.connector):
                pytest.fail("there should be no session")
        assert caught.value.code == code
        assert advice in caught.value.advice


async def test_a_used_up_token_is_refused_with_advice(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        config = SessionConfig(
            model=MODEL,
            auth=EphemeralToken(simulator.mint_token(uses=1)),
            endpoint=GeminiApi(base_url=simulator.url),
        )
        async with open_session(config, connector=simulator.connector):
            pass
        with pytest.raises(SetupRejected, match="used too many times") as caught:
            async with open_session(config, connector=simulator.connector):
                pytest.fail("there should be no session")
        assert "Mint a new" in caught.value.advice


async def test_transparent_resumption_over_vertex(autojump_clock: MockClock) -> None:
    async with open_simulator(port=None) as simulator:
        config = SessionConfig(
            model=MODEL,
            endpoint=VertexAi("p", "l", base_url=simulator.url),
            session_resumption=wire.SessionResumptionConfig(transparent=True),
        )
        async with open_session(config, connector=simulator.connector) as session:
            await session.send_text("Hello!")
            await turn(session)
            await until(session, ResumptionUpdate)
            await simulator.drop_all()
            assert (await until(session, Reconnected)).state is ReconnectState.RESUMED
