"""``ApplicationDefault``: google-auth as it is, with a token endpoint on loopback."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from session.accounts import PATIENCE, TokenEndpoint
from support import turn, words

from gemini_live_trio import (
    ApplicationDefault,
    BearerToken,
    DialReason,
    SessionConfig,
    VertexAi,
    open_session,
)
from gemini_live_trio.errors import ConfigError, CredentialsError
from gemini_live_trio.simulator import open_simulator

pytest.importorskip("google.auth")
pytest.importorskip("requests")


def redirect(account: Path, url: str) -> None:
    data = json.loads(account.read_text())
    account.write_text(json.dumps({**data, "token_uri": url}))


async def ask(source: ApplicationDefault, into: list[BearerToken] | None = None) -> BearerToken:
    with trio.fail_after(PATIENCE):
        token = await source(DialReason.FIRST)
    if into is not None:
        into.append(token)
    return token


async def test_a_conversation_with_a_service_account(
    endpoint: TokenEndpoint, account: Path
) -> None:
    auth = ApplicationDefault(quota_project="q")
    async with open_simulator(api_key="a-token-of-google-1", pace=0.1, voice="tone") as simulator:
        place = VertexAi("p", "europe-west4", base_url=simulator.url)
        config = SessionConfig(model="gemini-3.8-live", auth=auth, endpoint=place)
        for _ in range(2):
            async with open_session(config) as session:
                await session.send_text("Hello!")
                assert words(await turn(session))
    assert endpoint.count == 1  # the second session took the first one's token
    assert (b"x-goog-user-project", b"q") in (await ask(auth)).headers()


async def test_many_who_ask_share_one_call(endpoint: TokenEndpoint, account: Path) -> None:
    auth = ApplicationDefault()
    endpoint.gate.clear()
    given: list[BearerToken] = []
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask, auth, given)
        assert await trio.to_thread.run_sync(endpoint.asked.acquire, True, PATIENCE)
        endpoint.gate.set()
    assert endpoint.count == 1
    assert len({token.token for token in given}) == 1


async def test_a_token_is_renewed_ahead_while_the_old_one_serves(
    endpoint: TokenEndpoint, account: Path
) -> None:
    auth = ApplicationDefault(refresh_ahead=300)
    endpoint.lasts = 200
    first = await ask(auth)
    endpoint.gate.clear()
    assert endpoint.asked.acquire(blocking=False)
    assert await ask(auth) == first  # at once, with the endpoint stuck
    assert await trio.to_thread.run_sync(endpoint.asked.acquire, True, PATIENCE)
    assert await ask(auth) == first
    endpoint.lasts = 3600
    endpoint.gate.set()
    with trio.fail_after(PATIENCE):
        while await ask(auth) == first:
            await trio.lowlevel.checkpoint()
    assert endpoint.count == 2


async def test_an_expired_token_is_waited_for(endpoint: TokenEndpoint, account: Path) -> None:
    auth = ApplicationDefault()
    endpoint.lasts = 10
    assert await ask(auth) != await ask(auth)
    assert endpoint.count == 2


async def test_a_call_that_hangs_is_given_up_and_not_doubled() -> None:
    from google.auth.credentials import Credentials

    gate, calls = threading.Event(), []

    class Stuck(Credentials):  # type: ignore[misc]
        def refresh(self, request: object) -> None:
            calls.append(request)
            gate.wait(PATIENCE)
            self.token = "a-late-token"

    auth = ApplicationDefault(credentials=Stuck(), timeout=0.05)
    for _ in range(3):
        with pytest.raises(CredentialsError, match=r"within 0\.05 s") as caught:
            await ask(auth)
        assert caught.value.stage == "credentials"
    assert len(calls) == 1
    gate.set()
    with trio.fail_after(PATIENCE):
        while True:
            with suppress(CredentialsError):
                assert (await ask(auth)).token == "a-late-token"
                break
    assert len(calls) == 1


async def test_an_endpoint_that_hangs_is_given_up(endpoint: TokenEndpoint, account: Path) -> None:
    endpoint.gate.clear()
    with pytest.raises(CredentialsError) as caught:
        await ask(ApplicationDefault(timeout=0.2))
    assert "network" in caught.value.advice


async def test_cancelling_one_who_asks_leaves_it_to_the_others(
    endpoint: TokenEndpoint, account: Path
) -> None:
    auth = ApplicationDefault()
    endpoint.gate.clear()
    given: list[BearerToken] = []
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def impatient() -> None:
            with scope:
                await ask(auth)

        nursery.start_soon(impatient)
        assert await trio.to_thread.run_sync(endpoint.asked.acquire, True, PATIENCE)
        nursery.start_soon(ask, auth, given)
        await trio.lowlevel.checkpoint()
        scope.cancel()
        await trio.lowlevel.checkpoint()
        endpoint.gate.set()
    assert len(given) == endpoint.count == 1


async def test_revoked_credentials_are_explained(endpoint: TokenEndpoint, account: Path) -> None:
    endpoint.answer = 400, {"error": "invalid_grant", "error_description": "Account was deleted"}
    with pytest.raises(CredentialsError, match="invalid_grant") as caught:
        await ask(ApplicationDefault())
    assert "revoked" in caught.value.advice
    assert caught.value.__cause__ is None


async def test_no_credentials_at_all_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    with pytest.raises(CredentialsError, match="no Google credentials") as caught:
        await ask(ApplicationDefault())
    assert "gcloud auth application-default login" in caught.value.advice


async def test_a_token_endpoint_that_is_gone_is_explained(
    endpoint: TokenEndpoint, account: Path
) -> None:
    redirect(account, "http://127.0.0.1:1/token")
    with pytest.raises(CredentialsError) as caught:
        await ask(ApplicationDefault())
    assert "network" in caught.value.advice


async def test_neither_key_nor_token_is_in_any_text(
    endpoint: TokenEndpoint, account: Path, private_key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    auth = ApplicationDefault()
    token = await ask(auth)
    endpoint.answer = 400, {"error": "invalid_grant", "error_description": "of ya29.a-secret-token"}
    with pytest.raises(CredentialsError) as caught:
        await ask(ApplicationDefault())
    said = "".join(traceback.format_exception(caught.value))
    said += f"{auth!r} {vars(caught.value)} {token!r} {caught.value.__context__!r}"
    assert "ya29.a-secret-token" not in said  # google-auth's debug log has the answer as it came
    said += "".join(f"{line.getMessage()} {vars(line)}" for line in caplog.records)
    assert "google.auth" in said
    assert token.token not in said
    assert private_key.splitlines()[3] not in said


def test_one_object_serves_several_runs(endpoint: TokenEndpoint, account: Path) -> None:
    auth = ApplicationDefault()
    endpoint.gate.clear()

    async def give_up() -> None:
        with trio.move_on_after(0.2):
            await auth(DialReason.FIRST)

    trio.run(give_up)  # its thread goes on, and finds nobody
    endpoint.gate.set()
    assert trio.run(ask, auth).token.startswith("a-token-of-google-")


def test_numbers_that_are_none() -> None:
    for options in ({"timeout": 0.0}, {"refresh_ahead": -1.0}):
        with pytest.raises(ConfigError):
            ApplicationDefault(**options)
