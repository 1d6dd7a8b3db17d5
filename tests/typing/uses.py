"""What type checkers must see; checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, assert_never, assert_type

import attrs
from trio.abc import ReceiveChannel

from gemini_live_trio import (
    ApiKey,
    ApplicationDefault,
    BearerToken,
    Connector,
    Credential,
    CredentialSource,
    DialReason,
    Endpoint,
    EphemeralToken,
    LiveSession,
    Proxy,
    Receipt,
    SessionConfig,
    StageTimeouts,
    TcpConnector,
    VertexAi,
    codec,
    events,
    mint_ephemeral_token,
    open_session,
    wire,
)
from gemini_live_trio.events import Event
from gemini_live_trio.tools import (
    Bounds,
    BoundTool,
    Call,
    FunctionTool,
    Tool,
    ToolContext,
    ToolPolicy,
    ToolRunner,
    open_tool_runner,
    tool,
)
from gemini_live_trio.tools.builtin import GoogleSearch


def connectors() -> list[Connector]:
    proxy = Proxy("https://proxy", ssl_context=None)
    assert_type(proxy.port, int)
    return [
        TcpConnector(),
        TcpConnector(proxy="http://proxy:3128", timeouts=StageTimeouts(tls=1)),
        TcpConnector(proxy=proxy),
        TcpConnector(proxy=None),
    ]


async def sessions(config: SessionConfig) -> None:
    async with open_session(config) as session:
        assert_type(session, LiveSession)
        assert_type(await session.receive(), Event)
        async for event in session:
            assert_type(event, Event)
        async with session.speaking() as nothing:
            assert_type(nothing, None)
        async with session.prompt("Hello") as answer:
            assert_type(answer, ReceiveChannel[Event])
        assert_type(await session.send_text("Hello"), Receipt)
        assert_type(await session.reconnect(), events.ReconnectState)


async def runners(config: SessionConfig) -> None:
    async def look(at: str) -> str:
        """Look somewhere."""
        return at

    policy = ToolPolicy(same_call=lambda earlier, new: earlier.args == new.args)
    async with open_session(
        config, tools=[look, tool(look), GoogleSearch()], tool_policy=policy
    ) as session:
        await session.update_context(tools=[GoogleSearch()])
        assert_type(session.tool_calls, Sequence[Call])
        assert_type(session.statistics().tools.answered, int)
        async with open_tool_runner(session, [look]) as runner:
            assert_type(runner, ToolRunner)
            assert_type(runner.calls[0].outcome, events.ToolOutcome | None)
            async for event in runner:
                assert_type(event, Event)


async def who_we_are() -> None:
    async def ask(reason: DialReason) -> EphemeralToken:
        return await mint_ephemeral_token(ApiKey("k"), uses=1)

    for auth in (ask, ApplicationDefault(), ApiKey("k"), BearerToken("t"), None):
        config = SessionConfig(model="m", auth=auth, endpoint=VertexAi("p", "l"))
        assert_type(config.endpoint, Endpoint)
        assert_type(config.auth, Credential | CredentialSource | None)


def exhaustive(event: Event) -> str:
    """Adding an event without adding it here is an error."""
    match event:
        case events.ModelText(text=text) | events.ModelThought(text=text):
            return text
        case events.InputTranscription() | events.InterimInputTranscription():
            return event.text
        case events.OutputTranscription():
            return event.text
        case events.ModelAudio(pcm=pcm, rate_hz=rate):
            assert_type(pcm, bytes)
            assert_type(rate, int)
        case events.ModelMedia() | events.ModelPart() | events.CodeResult():
            assert_type(event.message, wire.LiveServerMessage)
        case events.ExecutableCode(language=language):
            assert_type(language, wire.Language | str | None)
        case events.Grounding() | events.UrlContext() | events.Usage():
            pass
        case events.SetupComplete() | events.GenerationComplete() | events.Interrupted():
            pass
        case events.TurnComplete() | events.WaitingForInput() | events.InteractionStatusChanged():
            pass
        case events.SpeechStateChanged() | events.VoiceActivity() | events.VoiceActivitySignal():
            pass
        case events.ToolCall(id=id_, args=args):
            assert_type(id_, str | None)
            assert_type(args, wire.Struct)
        case events.ToolCallCancellation(ids=ids):
            assert_type(ids, Sequence[str])
        case events.ToolStarted() | events.ToolProgress() | events.ToolFinished():
            assert_type(event.call_id, str | None)
        case events.ToolEnded(outcome=outcome):
            assert_type(outcome, events.ToolOutcome)
        case events.InputGate(open=is_open):
            assert_type(is_open, bool)
        case events.GoAway(time_left=left):
            assert_type(left, float | None)
        case events.ResumptionUpdate() | events.ServerError() | events.Unknown():
            pass
        case events.Undecodable(frame=frame):
            assert_type(frame, str | bytes)
        case events.Stalled(state=stall):
            assert_type(stall, events.StallState)
        case events.TranscriptUpdate(speaker=speaker):
            assert_type(speaker, events.Speaker)
        case events.BudgetWarning(spent=spent):
            assert_type(spent, int)
        case events.InputGate() | events.ToolStarted() | events.ToolProgress():
            pass
        case events.ToolFinished() | events.ToolEnded():
            pass
        case events.Reconnecting() | events.Lagged():
            assert_type(event.message, None)
        case events.Reconnected(state=state):
            assert_type(state, events.ReconnectState)
        case _:
            assert_never(event)
    return ""


def wire_classes() -> None:
    content = wire.Content(parts=[wire.Part(text="a")], role="user")
    assert_type(content.parts, Sequence[wire.Part])
    assert_type(content.parts[0].text, str | None)
    assert_type(attrs.evolve(content, role="model"), wire.Content)
    wire.GenerationConfig(response_modalities=["AUDIO", wire.Modality.TEXT])
    wire.FunctionResponse(id="1", name="f", response={"list": [1, 2.5, None, {"deep": True}]})


def codecs(frame: bytes) -> None:
    message = codec.decode(frame)
    assert_type(message, wire.LiveServerMessage)
    assert_type(codec.to_events(message), Sequence[Event])
    assert_type(codec.decode_client(frame), wire.LiveClientMessage)
    assert_type(codec.encode(wire.LiveClientMessage()), str)
    assert_type(codec.encode_audio(b"", rate_hz=16_000), str)
    assert_type(codec.encode_server(message), bytes)


@tool
async def weather(city: str, *, days: Annotated[int, Bounds(ge=1)] = 3) -> str:
    return f"{city} {days}"


@tool(timeout=3.0, blocking=False, on_result="silent")
def add(a: int, b: int) -> int:
    return a + b


@tool
async def count(context: ToolContext, to: int) -> AsyncIterator[int]:
    assert_type(context.session, LiveSession)
    yield to


class Home:
    @tool
    async def light(self, room: str) -> bool:
        return bool(room)

    @tool(limit=1)
    def heat(self, room: str) -> float:
        return 20.0


async def tools(home: Home, context: ToolContext) -> list[Tool]:
    """A tool is called like its function, and a method like a method."""
    assert_type(await weather("Paris", days=1), str)
    assert_type(add(1, b=2), int)
    assert_type(count(context, 3), AsyncIterator[int])
    assert_type(await home.light("kitchen"), bool)
    assert_type(home.heat("kitchen"), float)
    bound: BoundTool[[str], float] = home.heat
    unbound: FunctionTool[[Home, str], float] = Home.heat
    add(1, "2")  # type: ignore[arg-type]
    home.heat(2)  # type: ignore[arg-type]
    return [weather, add, count, home.light, bound, unbound]
