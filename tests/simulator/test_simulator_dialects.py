"""Doors: both back ends, their versions, credentials and differences."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio.testing
import trio_websocket
from simulator.raw_client import BIDI, MODEL, Closed, dial

from gemini_live_trio.simulator import open_simulator

Clock = trio.testing.MockClock

CONSTRAINED = BIDI + "Constrained"
VERTEX = "/ws/google.cloud.aiplatform.v1beta1.LlmBidiService/BidiGenerateContent"
FULL_NAME = "projects/p/locations/us-central1/publishers/google/models/gemini-3.8-live"
SHORT_NAME = "publishers/google/models/gemini-3.8-live"
TOKEN = "auth_tokens/0123456789abcdef"

BAD_KEY = Closed(1007, "API key not valid. Please pass a valid API key.")
NOBODY = Closed(
    1008,
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API c",
)
# The service cuts its reasons at 123 bytes.
EXPECTED = "Expected OAuth 2 access token, login cookie or other valid authentication credential."
BAD_TOKEN = Closed(1008, f"Request had invalid authentication credentials. {EXPECTED}"[:123])
NO_TOKEN = Closed(1008, f"Request is missing required authentication credential. {EXPECTED}"[:123])

Headers = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?key=right", []),
        ("?alt=json&key=right", []),
        ("?access_token=right", []),
        ("", [(b"X-Goog-Api-Key", b"right")]),
        ("", [(b"Authorization", b"Bearer right")]),
        ("", [(b"authorization", b"bearer right")]),
        ("?key=wrong", [(b"authorization", b"Bearer right")]),
    ],
)
@pytest.mark.parametrize("path", [BIDI, VERTEX])
async def test_credentials_that_are_let_in(
    path: str, query: str, headers: Headers, autojump_clock: Clock
) -> None:
    async with (
        open_simulator(port=None, api_key="right") as simulator,
        dial(simulator, path + query, headers=headers) as client,
    ):
        await client.set_up(model=FULL_NAME if path == VERTEX else MODEL)
        door = (await simulator.accept()).door
        assert door.vertex is (path == VERTEX)
        assert not door.constrained
        assert "right" not in repr(door)


@pytest.mark.parametrize(
    ("path", "query", "headers", "closed"),
    [
        (BIDI, "", [], NOBODY),
        (BIDI, "?key=", [], NOBODY),
        (BIDI, "?key=wrong", [], BAD_KEY),
        (BIDI, "", [(b"x-goog-api-key", b"wrong")], BAD_KEY),
        (BIDI, "", [(b"Authorization", b"Bearer wrong")], BAD_TOKEN),
        (BIDI, "", [(b"Authorization", b"Basic right")], NOBODY),
        (BIDI, "?access_token=wrong", [], BAD_TOKEN),
        (VERTEX, "", [], NO_TOKEN),
        (VERTEX, "", [(b"Authorization", b"Bearer wrong")], BAD_TOKEN),
        (VERTEX, "?access_token=wrong", [], BAD_TOKEN),
        (VERTEX, "", [(b"x-goog-api-key", b"wrong")], BAD_KEY),
        (CONSTRAINED, "?key=right", [], NOBODY),
        (CONSTRAINED, "", [], NOBODY),
    ],
)
async def test_credentials_that_are_refused(
    path: str, query: str, headers: Headers, closed: Closed, autojump_clock: Clock
) -> None:
    async with (
        open_simulator(port=None, api_key="right") as simulator,
        dial(simulator, path + query, headers=headers) as client,
    ):
        assert await client.refused() == closed


@pytest.mark.parametrize(
    ("path", "query", "headers", "closed"),
    [
        (BIDI, f"?key={TOKEN}", [], BAD_KEY),
        (BIDI, f"?access_token={TOKEN}", [], NOBODY),
        (BIDI, "", [(b"Authorization", f"Token {TOKEN}".encode())], NOBODY),
        (VERTEX, "", [(b"Authorization", f"Bearer {TOKEN}".encode())], BAD_TOKEN),
        (CONSTRAINED, f"?access_token={TOKEN}", [], NOBODY),
    ],
    ids=["as the key", "in the query", "in the header", "on Vertex", "never minted"],
)
async def test_an_ephemeral_token_where_it_is_worth_nothing(
    path: str, query: str, headers: Headers, closed: Closed, autojump_clock: Clock
) -> None:
    """This is so even where anybody is let in."""
    async with (
        open_simulator(port=None) as simulator,
        dial(simulator, path + query, headers=headers) as client,
    ):
        assert await client.refused() == closed


@pytest.mark.parametrize("slashes", ["/", "//", "///"])
@pytest.mark.parametrize(
    "path",
    [
        *(BIDI.replace("v1beta", version) for version in ("v1", "v1beta", "v1alpha")),
        *(VERTEX.replace("v1beta1", version) for version in ("v1", "v1beta1")),
    ],
)
async def test_slashes_anywhere_in_the_path(path: str, slashes: str, autojump_clock: Clock) -> None:
    vertex = "aiplatform" in path
    async with (
        open_simulator(port=None) as simulator,
        dial(simulator, path.replace("/", slashes)) as client,
    ):
        await client.set_up(model=FULL_NAME if vertex else MODEL)
        assert (await simulator.accept()).door.version == path.split(".")[3]


@pytest.mark.parametrize(
    "path",
    [
        BIDI.replace("v1beta", "v2"),
        BIDI.replace("v1beta", "v1beta1"),
        VERTEX.replace("v1beta1", "v1beta"),
        VERTEX + "Constrained",
        BIDI.replace("BidiGenerateContent", "BidiGenerateMusic"),
        "/prefix" + BIDI,
        BIDI.replace(".GenerativeService.", ".GenerativeService/"),
        VERTEX.replace("Service/", "Service."),
        "/",
        "/%2fetc",
    ],
)
async def test_paths_that_lead_nowhere(path: str, autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator:
        with pytest.RaisesGroup(
            pytest.RaisesExc(
                trio_websocket.ConnectionRejected,
                check=lambda error: (
                    error.status_code == 404
                    and json.loads(error.body or b"")["error"]["status"] == "NOT_FOUND"
                ),
            )
        ):
            async with dial(simulator, path):
                pass


# --- What differs between the back ends ---


async def test_vertex_names_its_sessions(autojump_clock: Clock) -> None:
    names = set()
    async with open_simulator(port=None) as simulator:
        for _ in range(2):
            async with dial(simulator, VERTEX) as client:
                (complete,) = await client.set_up(model=FULL_NAME)
                names.add(complete["setupComplete"]["sessionId"])
    assert len(names) == 2


@pytest.mark.parametrize(
    ("headers", "model", "works"),
    [
        ([(b"x-goog-api-key", b"right")], SHORT_NAME, True),
        ([(b"x-goog-api-key", b"right")], FULL_NAME, True),
        ([(b"authorization", b"Bearer right")], FULL_NAME, True),
        ([(b"authorization", b"Bearer right")], SHORT_NAME, False),
        ([(b"authorization", b"Bearer right")], MODEL, False),
        ([(b"authorization", b"Bearer right")], FULL_NAME.replace("3.8", "9.9"), False),
    ],
    ids=["express", "express in full", "in full", "no project", "Gemini's", "unknown"],
)
async def test_how_vertex_names_models(
    headers: Headers, model: str, works: bool, autojump_clock: Clock
) -> None:
    async with (
        open_simulator(port=None, api_key="right") as simulator,
        dial(simulator, VERTEX, headers=headers) as client,
    ):
        if works:
            assert await client.set_up(model=model)
        else:
            await client.send(setup={"model": model})
            end = await client.closed()
            assert (end.code, end.reason[:16]) == (1008, "Publisher Model ")


async def test_gemini_does_not_know_the_models_of_vertex(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.send(setup={"model": SHORT_NAME})
        end = await client.closed()
        assert (end.code, end.reason[: len(SHORT_NAME)]) == (1008, SHORT_NAME)


ONLY_VERTEX: list[tuple[dict[str, Any], str, str]] = [
    ({"explicitVadSignal": False}, "explicitVadSignal", "setup"),
    ({"sessionResumption": {"transparent": True}}, "transparent", "setup.session_resumption"),
    ({"safetySettings": [{"method": "SEVERITY"}]}, "method", "setup.safety_settings[0]"),
    ({"tools": [{"retrieval": {}}]}, "retrieval", "setup.tools[0]"),
    ({"tools": [{"enterpriseWebSearch": {}}]}, "enterpriseWebSearch", "setup.tools[0]"),
    ({"tools": [{"parallelAiSearch": {}}]}, "parallelAiSearch", "setup.tools[0]"),
    ({"tools": [{"exaAiSearch": {}}]}, "exaAiSearch", "setup.tools[0]"),
    (
        {"tools": [{"googleSearch": {"excludeDomains": []}}]},
        "excludeDomains",
        "setup.tools[0].google_search",
    ),
    (
        {"tools": [{"googleMaps": {"groundingTypes": {}}}]},
        "groundingTypes",
        "setup.tools[0].google_maps",
    ),
    (
        {"tools": [{"googleMaps": {"authConfig": {"oauthConfig": {}}}}]},
        "oauthConfig",
        "setup.tools[0].google_maps.auth_config",
    ),
]
ONLY_GEMINI: list[tuple[dict[str, Any], str, str]] = [
    ({"tools": [{"fileSearch": {}}]}, "fileSearch", "setup.tools[0]"),
    ({"tools": [{"mcpServers": [{"name": "m"}]}]}, "mcpServers", "setup.tools[0]"),
    (
        {"generationConfig": {"enableEnhancedCivicAnswers": True}},
        "enableEnhancedCivicAnswers",
        "setup.generation_config",
    ),
    (
        {"systemInstruction": {"parts": [{"text": "x", "partMetadata": {}}]}},
        "partMetadata",
        "setup.system_instruction.parts[0]",
    ),
]


@pytest.mark.parametrize("foreign", [False, True], ids=["at home", "abroad"])
@pytest.mark.parametrize(
    ("home", "setup", "name", "place"),
    [("vertex", *case) for case in ONLY_VERTEX] + [("gemini", *case) for case in ONLY_GEMINI],
)
async def test_a_field_of_one_back_end_is_unknown_at_the_other(
    home: str, setup: dict[str, Any], name: str, place: str, foreign: bool, autojump_clock: Clock
) -> None:
    vertex = (home == "vertex") is not foreign
    async with (
        open_simulator(port=None) as simulator,
        dial(simulator, VERTEX if vertex else BIDI) as client,
    ):
        model = FULL_NAME if vertex else MODEL
        if foreign:
            await client.send(setup={"model": model, **setup})
            words = f"Invalid JSON payload received. Unknown name \"{name}\" at '{place}': Cannot"
            end = await client.closed()
            assert end.code == 1007
            assert (words + " find field.").startswith(end.reason)
            assert len(end.reason) > 60
        else:
            assert await client.set_up(model=model, **setup)


async def test_later_messages_are_checked_for_their_back_end_too(autojump_clock: Clock) -> None:
    answer = {"id": "1", "name": "f", "response": {}, "willContinue": True}
    for path, model, code in [(BIDI, MODEL, None), (VERTEX, FULL_NAME, 1007)]:
        async with open_simulator(port=None) as simulator, dial(simulator, path) as client:
            await client.set_up(model=model)
            await client.send(toolResponse={"functionResponses": [answer]})
            if code is None:
                assert await client.say("hello")
            else:
                assert (await client.closed()).code == code
