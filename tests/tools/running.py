"""What the tests of running tools share: tools made by hand, and a service that does as told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import trio
from support import PATIENCE
from trio.testing import wait_all_tasks_blocked

from gemini_live_trio import (
    LiveSession,
    SessionConfig,
    SessionObserver,
    codec,
    open_session,
    wire,
)
from gemini_live_trio.events import Event, ToolEnded, ToolEvent, ToolOutcome
from gemini_live_trio.simulator import ServerConnection, Simulator, open_simulator
from gemini_live_trio.tools import Tool, ToolContext

M25 = "gemini-2.5-flash-native-audio-latest"
M31 = "gemini-3.1-flash-live-preview"
M38 = "gemini-3.8-live"
THINKING = "gemini-3.8-live-extended-thinking"

Args = Mapping[str, wire.JsonValue]


def make(handler: Callable[[Args, ToolContext], Any], name: str = "look", **options: Any) -> Tool:
    """A tool without the help of a decorator."""
    return Tool(
        declaration=wire.FunctionDeclaration(name=name, description="Looks."),
        handler=handler,
        **options,
    )


def gives(result: object, *, after: float = 0.0, name: str = "look", **options: Any) -> Tool:
    """A tool that takes a while, and gives the same each time."""

    async def handler(_args: Args, _context: ToolContext) -> object:
        await trio.sleep(after)
        return result

    return make(handler, name, **options)


def raises(error: BaseException, *, name: str = "look", **options: Any) -> Tool:
    async def handler(_args: Args, _context: ToolContext) -> object:
        await trio.lowlevel.checkpoint()
        raise error

    return make(handler, name, **options)


def config_for(model: str, **options: Any) -> SessionConfig:
    if model == THINKING:
        options.setdefault("thinking", wire.ThinkingConfig(thinking_level="LOW"))
    return SessionConfig(model=model, **options)


class Witness(SessionObserver):
    """Sees every event of a session, however many there are."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.times: list[float] = []
        self.connections: list[int] = []
        """On which connection each event came, or was told."""
        self._connection = 0
        self.answered_at: list[tuple[float, int, wire.FunctionResponse]] = []
        """When, on which connection, and with what calls were answered."""
        self._changed = trio.Event()

    def event(self, event: Event, *, time: float) -> None:
        self.events.append(event)
        self.times.append(time)
        self.connections.append(self._connection)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def frame_received(self, frame: str | bytes, *, connection: int, time: float) -> None:
        self._connection = connection

    def frame_sent(self, frame: str, *, connection: int, time: float) -> None:
        if "toolResponse" in frame:
            answer = codec.decode_client(frame).tool_response
            assert answer is not None
            self.answered_at += [(time, connection, one) for one in answer.function_responses]
            self._tell()

    def tools(self) -> list[ToolEvent]:
        return [event for event in self.events if isinstance(event, ToolEvent)]

    def outcomes(self) -> list[tuple[str | None, ToolOutcome]]:
        return [(one.call_id, one.outcome) for one in self.events if isinstance(one, ToolEnded)]

    async def until(self, true: Callable[[], object]) -> None:
        """Wait until something has become true with an event."""
        with trio.fail_after(PATIENCE):
            while not true():
                await self._changed.wait()

    async def settled(self, count: int = 1) -> None:
        """Wait until so many calls have an outcome, and what comes with it has arrived."""
        await self.until(lambda: len(self.outcomes()) >= count)
        await wait_all_tasks_blocked()


@attrs.frozen
class Stage:
    """A session that runs tools, and the service of the test."""

    simulator: Simulator
    session: LiveSession
    server: ServerConnection
    witness: Witness

    def responses(self) -> list[wire.FunctionResponse]:
        """Everything that was answered, in order, on whichever connection."""
        return [
            response
            for frame in self.simulator.received
            if frame.message is not None and frame.message.tool_response is not None
            for response in frame.message.tool_response.function_responses
        ]

    def answers(self) -> dict[str | None, Any]:
        """What was answered, by id; each but once."""
        responses = [one for one in self.responses() if not one.will_continue]
        found = {one.id: one.response for one in responses}
        assert len(found) == len(responses), "a call was answered twice"
        return found

    async def answered(self, *call_ids: str) -> list[Any]:
        """Wait until calls are answered; return what with."""
        with trio.fail_after(PATIENCE):
            # The simulator's book tells nobody of its entries; the virtual clock makes this free.
            while not set(call_ids) <= self.answers().keys():  # noqa: ASYNC110
                await trio.sleep(0.01)
        return [self.answers()[call_id] for call_id in call_ids]

    async def speak(self, text: str = "Well.", server: ServerConnection | None = None) -> None:
        """Have the model end its turn and say something else: it has read what came before."""
        await trio.sleep(1)  # what comes at once after a write is no evidence for it
        turn = wire.Content(parts=[wire.Part(text=text)])
        said = wire.LiveServerContent(model_turn=turn)
        over = wire.LiveServerContent(generation_complete=True, turn_complete=True)
        for content in (over, said, over):
            message = wire.LiveServerMessage(server_content=content)
            await (server or self.server).send(message)

    def texts(self) -> list[str]:
        """What was said in words."""
        found = []
        for frame in self.simulator.received:
            message = frame.message
            if message is not None and message.realtime_input is not None:
                found.append(message.realtime_input.text)
            if message is not None and message.client_content is not None:
                found += [part.text for turn in message.client_content.turns for part in turn.parts]
        return [text for text in found if text is not None]


@asynccontextmanager
async def stage(
    *tools: Any, model: str = M38, mind: Any = None, config: Any = None, **options: Any
) -> AsyncIterator[Stage]:
    """Open a session with tools; by default nobody answers but the test."""
    witness = Witness()
    settings = {name: options.pop(name) for name in ("strict_blocking", "pace") if name in options}
    async with open_simulator(port=None, mind=mind, **settings) as simulator:
        async with open_session(
            config or config_for(model),
            tools=tools,
            connector=simulator.connector,
            observers=[witness],
            **options,
        ) as session:
            yield Stage(simulator, session, await simulator.accept(), witness)
        assert simulator.legality.legal, str(simulator.legality)
