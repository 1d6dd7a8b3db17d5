"""Tools that run at the service: how they are declared, and how what they found arrives."""

from __future__ import annotations

import json
import typing
from typing import Any

import attrs
import pytest
from support import puppet, until
from trio.testing import MockClock, wait_all_tasks_blocked

from gemini_live_trio import SessionConfig, codec, events, open_session, wire
from gemini_live_trio.errors import ConfigError
from gemini_live_trio.events import Event, TurnComplete
from gemini_live_trio.simulator import open_simulator
from gemini_live_trio.tools import McpTools, Tool, builtin, open_tool_runner
from gemini_live_trio.tools.builtin import (
    BuiltinTool,
    CodeExecution,
    FileSearch,
    GoogleMaps,
    GoogleSearch,
    McpServer,
    Retrieval,
    StreamableHttpTransport,
    UrlContext,
    as_wire_tool,
)
from gemini_live_trio.tools.ready import current_time


def test_tools_stand_in_a_configuration_as_they_are() -> None:
    declared = wire.FunctionDeclaration(name="look")
    config = SessionConfig(
        model="gemini-3.8-live",
        tools=[GoogleSearch(), wire.Tool(google_maps=GoogleMaps()), declared],
    )
    assert config.setup().tools == (
        wire.Tool(google_search=GoogleSearch()),
        wire.Tool(google_maps=GoogleMaps()),
        wire.Tool(function_declarations=[declared]),
    )


@pytest.mark.parametrize(
    ("tool", "written"),
    [
        (GoogleSearch(), {"googleSearch": {}}),
        (CodeExecution(), {"codeExecution": {}}),
        (UrlContext(), {"urlContext": {}}),
        (
            FileSearch(file_search_store_names=["fileSearchStores/a"], top_k=3),
            {"fileSearch": {"fileSearchStoreNames": ["fileSearchStores/a"], "topK": 3}},
        ),
        (
            McpServer(
                name="time",
                streamable_http_transport=StreamableHttpTransport(url="https://example.com/mcp"),
            ),
            {
                "mcpServers": [
                    {
                        "name": "time",
                        "streamableHttpTransport": {"url": "https://example.com/mcp"},
                    }
                ]
            },
        ),
        (
            Retrieval(vertex_ai_search=wire.VertexAISearch(datastore="projects/p/dataStores/d")),
            {"retrieval": {"vertexAiSearch": {"datastore": "projects/p/dataStores/d"}}},
        ),
    ],
)
def test_each_is_written_as_the_service_spells_it(
    tool: BuiltinTool, written: dict[str, Any]
) -> None:
    setup = wire.LiveClientSetup(model="models/m", tools=[as_wire_tool(tool)])
    frame = codec.encode(wire.LiveClientMessage(setup=setup))
    assert codec.decode_client(frame).setup == setup
    assert json.loads(frame)["setup"]["tools"] == [written]


def test_every_tool_that_the_protocol_has_can_be_given() -> None:
    hints = typing.get_type_hints(wire.Tool)
    fields = {field.name: hints[field.name] for field in attrs.fields(wire.Tool)}
    classes = {
        kind
        for name, hint in fields.items()
        if name != "function_declarations"
        for kind in typing.get_args(hint)
        if isinstance(kind, type) and issubclass(kind, wire.Message)
    }
    assert set(typing.get_args(BuiltinTool)) == classes
    for kind in classes:
        made = as_wire_tool(kind())
        assert len([field for field in fields if getattr(made, field)]) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("google_search", "with no str in it"),
        (GoogleSearch, "with no GoogleSearch in it: write GoogleSearch()"),
        ({"google_search": {}}, "with no dict in it"),
        (wire.Schema(), "with no Schema in it"),
        (None, "with no NoneType in it"),
        (current_time, "with no FunctionTool in it: functions that this program runs go to"),
        (print, "functions that this program runs go to open_session(tools=[...])"),
    ],
)
def test_what_is_no_tool_is_refused_before_anything_is_sent(wrong: Any, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SessionConfig(model="gemini-3.8-live", tools=[wrong])
    assert says in str(caught.value)


async def test_a_setup_with_search_is_taken(autojump_clock: MockClock) -> None:
    config = SessionConfig(model="gemini-3.8-live", tools=[GoogleSearch()])
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, connector=simulator.connector),
    ):
        assert simulator.setups[0].tools == (wire.Tool(google_search=GoogleSearch()),)
        assert not simulator.legality.violations


SEARCH = wire.Tool(google_search=GoogleSearch())
MAPS = wire.Tool(google_maps=GoogleMaps())


async def test_they_stand_among_functions_in_one_list(autojump_clock: MockClock) -> None:
    async def look() -> str:
        return "a cat"

    by_hand = Tool(
        declaration=wire.FunctionDeclaration(name="by_hand"), handler=current_time.handler
    )
    config = SessionConfig(
        model="gemini-2.5-flash-native-audio-latest",
        tools=[wire.FunctionDeclaration(name="before")],
    )
    tools = [look, GoogleSearch(), *McpTools([by_hand]), MAPS, current_time]
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, tools=iter(tools), connector=simulator.connector) as session,
    ):
        before, *others, functions = simulator.setups[0].tools
        assert before.function_declarations[0].name == "before"
        assert others == [SEARCH, MAPS]
        names = [one.name for one in functions.function_declarations]
        assert names == ["look", "by_hand", "current_time"]
        await session.send_text("call look")
        finished = await until(session, events.ToolFinished)
        assert (finished.name, finished.failed) == ("look", False)
        # They outlive a move to another connection too.
        await session.reconnect()
        assert SEARCH in simulator.setups[-1].tools
        assert MAPS in simulator.setups[-1].tools


async def test_alone_in_the_list_they_need_no_runner(autojump_clock: MockClock) -> None:
    config = SessionConfig(model="gemini-3.8-live")
    async with (
        open_simulator(port=None) as simulator,
        open_session(config, tools=[GoogleSearch()], connector=simulator.connector) as session,
    ):
        assert simulator.setups[0].tools == (SEARCH,)
        assert not session.tool_calls


async def test_in_the_list_they_are_held_to_the_model_too() -> None:
    config = SessionConfig(model="gemini-3.8-live")
    with pytest.raises(ConfigError, match="google_maps"):
        async with open_session(config, tools=[current_time, GoogleMaps()]):
            pytest.fail("there should be no session")


async def test_a_runner_of_functions_says_where_they_go(autojump_clock: MockClock) -> None:
    async with puppet(SessionConfig(model="gemini-3.8-live")) as (session, _server):
        with pytest.raises(ConfigError, match="GoogleSearch runs at the service, not here"):
            wrong: Any = [current_time, GoogleSearch()]
            async with open_tool_runner(session, wrong):
                pytest.fail("there should be no runner")


async def test_they_can_come_in_mid_session(autojump_clock: MockClock) -> None:
    config = SessionConfig(model="gemini-3.8-live")
    async with (
        open_simulator(port=None, mind=None) as simulator,
        open_session(config, tools=[current_time], connector=simulator.connector) as session,
    ):
        late = wire.FunctionDeclaration(name="late")
        await session.update_context(tools=[GoogleSearch(), late])
        await wait_all_tasks_blocked()
        (update,) = [
            frame.message.context_update
            for frame in simulator.received
            if frame.message is not None and frame.message.context_update is not None
        ]
        assert update.tools is not None
        search, declared, ours = update.tools.tools
        assert search == SEARCH
        assert declared.function_declarations == (late,)
        assert [one.name for one in ours.function_declarations] == ["current_time"]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ([current_time], "functions that this program runs go to open_session(tools=[...])"),
        ([GoogleSearch], "write GoogleSearch()"),
        (GoogleSearch(), "takes a list"),
    ],
)
async def test_what_is_no_tool_is_refused_in_mid_session(
    wrong: Any, says: str, autojump_clock: MockClock
) -> None:
    async with puppet(SessionConfig(model="gemini-3.8-live")) as (session, _server):
        with pytest.raises(ConfigError) as caught:
            await session.update_context(tools=wrong)
        assert says in str(caught.value)


async def received(*messages: dict[str, Any]) -> list[Event]:
    """What a session makes of the service's frames, up to the end of the turn."""
    config = SessionConfig(model="gemini-3.8-live", tools=[GoogleSearch()])
    found: list[Event] = []
    async with puppet(config) as (session, server):
        for message in (*messages, {"serverContent": {"turnComplete": True}}):
            await server.send_raw(json.dumps(message))
        async for event in session:
            found.append(event)
            if isinstance(event, TurnComplete):
                break
    return found


async def test_grounding_arrives_with_its_sources(autojump_clock: MockClock) -> None:
    told = await received(
        {
            "serverContent": {
                "modelTurn": {"parts": [{"text": "It is sunny."}]},
                "groundingMetadata": {
                    "webSearchQueries": ["weather Paris"],
                    "groundingChunks": [
                        {"web": {"uri": "https://example.com/w", "title": "Weather"}},
                        {"maps": {"uri": "https://maps.example.com/p", "placeId": "p"}},
                    ],
                    "groundingSupports": [
                        {
                            "segment": {"endIndex": 12, "text": "It is sunny."},
                            "groundingChunkIndices": [0],
                        }
                    ],
                    "searchEntryPoint": {"renderedContent": "<div>chips</div>"},
                },
            }
        }
    )
    (grounding,) = [event for event in told if isinstance(event, events.Grounding)]
    metadata = grounding.metadata
    assert metadata.web_search_queries == ("weather Paris",)
    web, maps = metadata.grounding_chunks
    assert web.web is not None
    assert (web.web.title, web.web.uri) == ("Weather", "https://example.com/w")
    assert maps.maps is not None
    assert maps.maps.place_id == "p"
    assert metadata.grounding_supports[0].grounding_chunk_indices == (0,)
    assert metadata.search_entry_point is not None
    assert metadata.search_entry_point.rendered_content == "<div>chips</div>"


async def test_code_and_its_results_arrive_in_their_order(autojump_clock: MockClock) -> None:
    told = await received(
        {
            "serverContent": {
                "modelTurn": {
                    "parts": [{"executableCode": {"language": "PYTHON", "code": "print(1 + 1)"}}]
                }
            }
        },
        {
            "serverContent": {
                "modelTurn": {
                    "parts": [
                        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2\n"}},
                        {"text": "Two."},
                        {"executableCode": {"language": "PYTHON", "code": "1 / 0"}},
                        {"codeExecutionResult": {"outcome": "OUTCOME_FAILED", "output": "Zero"}},
                    ]
                }
            }
        },
    )
    kinds = (events.ExecutableCode, events.CodeResult, events.ModelText)
    assert [event for event in told if isinstance(event, kinds)] == [
        events.ExecutableCode("print(1 + 1)", wire.Language.PYTHON),
        events.CodeResult("2\n", wire.Outcome.OUTCOME_OK),
        events.ModelText("Two."),
        events.ExecutableCode("1 / 0", wire.Language.PYTHON),
        events.CodeResult("Zero", wire.Outcome.OUTCOME_FAILED),
    ]


async def test_pages_that_were_read_arrive(autojump_clock: MockClock) -> None:
    told = await received(
        {
            "serverContent": {
                "urlContextMetadata": {
                    "urlMetadata": [
                        {
                            "retrievedUrl": "https://example.com/",
                            "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS",
                        },
                        {"retrievedUrl": "https://example.com/2", "urlRetrievalStatus": "NEW_ONE"},
                    ]
                }
            }
        }
    )
    (pages,) = [event for event in told if isinstance(event, events.UrlContext)]
    first, second = pages.metadata.url_metadata
    assert first.retrieved_url == "https://example.com/"
    assert first.url_retrieval_status is wire.UrlRetrievalStatus.URL_RETRIEVAL_STATUS_SUCCESS
    assert second.url_retrieval_status == "NEW_ONE"


async def test_what_a_tool_at_the_service_did_arrives_even_if_nobody_knows_it(
    autojump_clock: MockClock,
) -> None:
    call = {"toolCall": {"id": "1", "toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": ["x"]}}}
    told = await received({"serverContent": {"modelTurn": {"parts": [call]}}})
    (part,) = [event for event in told if isinstance(event, events.ModelPart)]
    assert part.part.tool_call is not None
    assert part.part.tool_call.id == "1"


async def test_a_broken_piece_of_evidence_stops_nothing(autojump_clock: MockClock) -> None:
    config = SessionConfig(model="gemini-3.8-live", tools=[GoogleSearch()])
    async with puppet(config) as (session, server):
        await server.send_raw('{"serverContent": {"groundingMetadata": {"groundingChunks": 3}}}')
        await server.send_raw('{"serverContent": {"turnComplete": true}}')
        broken = await until(session, events.Undecodable)
        assert "groundingChunks" in broken.error.path
        await until(session, TurnComplete)


def test_the_module_has_a_name_for_each_tool_of_today() -> None:
    named = {getattr(builtin, name) for name in builtin.__all__}
    old = {wire.ComputerUse, wire.GoogleSearchRetrieval}
    assert set(typing.get_args(BuiltinTool)) - old <= named
