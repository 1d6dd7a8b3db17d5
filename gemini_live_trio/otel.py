"""Sessions as OpenTelemetry traces (extra ``otel``).

::

    async with open_session(config, observers=[OpenTelemetryObserver()]) as session: ...

The tree, in the names of the generative AI conventions where these have one::

    realtime gemini-3.8-live                the session
    ├── connection 1                        from the dial to the end, with its close code
    ├── generate_content gemini-3.8-live    a turn: from what was asked to ``turnComplete``
    │   └── execute_tool get_weather        a tool call: until its answer was sent, or not wanted
    └── connection 2                        ``gemini_live.resumed`` says what it kept

Nothing that was said, heard or shown is in it, and no credential.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from . import events, wire
from .errors import MissingDependency
from .events import Event
from .observers import SessionObserver

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

__all__ = ["OpenTelemetryObserver"]

_OUTPUT: Final = (
    events.ModelAudio,
    events.ModelText,
    events.ModelThought,
    events.OutputTranscription,
    events.ToolCall,
)


class OpenTelemetryObserver(SessionObserver):
    """Makes spans of one session; each session needs its own.

    Args:
      tracer: Where the spans go; by default that of the global tracer provider.
      provider: ``gen_ai.provider.name``; ``"gcp.vertex_ai"`` where it is Vertex AI.

    Raises:
      MissingDependency: The extra ``otel`` isn't installed.
    """

    def __init__(self, tracer: Tracer | None = None, *, provider: str = "gcp.gemini") -> None:
        try:
            from opentelemetry import trace
        except ImportError as error:
            raise MissingDependency('Traces need: pip install "gemini-live-trio[otel]"') from error
        self._trace = trace
        self._tracer = tracer or trace.get_tracer("gemini_live_trio")
        self._provider = provider
        self._model = ""
        self._session: Span | None = None
        self._connection: Span | None = None
        self._turn: Span | None = None
        self._answering = False
        self._played = 0
        self._tools: dict[str, Span] = {}

    # --- Session and connections -----------------------------------------------------------

    def dialling(self, *, model: str, path: str, resumes: bool, time: float) -> None:
        """Begin the session's span with the first, and a connection's with each."""
        self._model = model.rpartition("/")[2]
        if self._session is None:
            self._session = self._tracer.start_span(
                f"realtime {self._model}",
                kind=self._trace.SpanKind.CLIENT,
                attributes={**self._common(), "gen_ai.operation.name": "realtime"},
            )
        if self._connection is None:
            self._connection = self._child("connection", self._session)

    def connected(self, *, connection: int, resumed: bool, time: float) -> None:
        """Give the connection its number."""
        if self._connection is not None:
            self._connection.update_name(f"connection {connection}")
            self._connection.set_attribute("gemini_live.resumed", resumed)
            self._connection.add_event("ready")

    def disconnected(
        self, *, connection: int, by: str, code: int, reason: str, time: float
    ) -> None:
        """End the connection's span, and what the service will not go on with."""
        self._end_turn(cut=True)
        span, self._connection = self._connection, None
        if span is None:
            return
        span.update_name(f"connection {connection}")
        span.set_attribute("gemini_live.close.by", by)
        span.set_attribute("gemini_live.close.code", code)
        if by != "client":
            span.set_attribute("gemini_live.close.reason", reason)
            if code != 1000:
                span.set_status(self._trace.StatusCode.ERROR, f"{code} {reason}".strip())
        span.end()

    def ended(self, error: Exception | None, *, time: float) -> None:
        """End everything."""
        self._end_turn(cut=True)
        for call_id in tuple(self._tools):
            self._end_tool(call_id, "unanswered")
        if self._connection is not None:
            self._connection.end()
        if self._session is not None:
            if error is not None:
                self._session.set_status(self._trace.StatusCode.ERROR, str(error))
                self._session.set_attribute("error.type", type(error).__qualname__)
            self._session.end()
        self._connection = self._session = None

    # --- Turns -----------------------------------------------------------------------------

    def asked(self, *, time: float) -> None:
        """Begin a turn; one that is being answered goes on until the service ends it."""
        if self._turn is None:
            self._begin_turn()

    def event(self, event: Event, *, time: float) -> None:
        """Note what a turn consists of."""
        if isinstance(event, _OUTPUT):
            self._note_output(event)
        elif isinstance(event, events.ToolCallCancellation):
            for call_id in event.ids:
                self._end_tool(call_id, "cancelled")
        elif isinstance(event, events.GoAway) and self._connection is not None:
            self._connection.add_event("goAway")
        elif self._turn is None:
            return
        elif isinstance(event, events.Interrupted):
            self._turn.set_attribute("gemini_live.interrupted", True)
        elif isinstance(event, events.GenerationComplete):
            self._turn.add_event("generationComplete")
        elif isinstance(event, events.TurnComplete):
            self._count(event.message.usage_metadata)
            self._end_turn()

    def played(self, generation: int, seconds: float, *, time: float) -> None:
        """Note the first sound at the device."""
        if self._turn is not None and generation != self._played and seconds > 0:
            self._played = generation
            self._turn.add_event("first_sound_played")

    def answered(self, call_ids: Sequence[str], *, time: float) -> None:
        """End the tools' spans."""
        for call_id in call_ids:
            self._end_tool(call_id, "answered")

    def _begin_turn(self) -> Span:
        self._turn = self._child(f"generate_content {self._model}", self._session)
        self._turn.set_attribute("gen_ai.operation.name", "generate_content")
        self._turn.set_attributes(self._common())
        self._answering = False
        return self._turn

    def _note_output(self, event: Event) -> None:
        turn = self._turn or self._begin_turn()
        if not self._answering:
            self._answering = True
            turn.add_event("first_output")
        if isinstance(event, events.ToolCall):
            span = self._child(f"execute_tool {event.name}", turn)
            span.set_attribute("gen_ai.operation.name", "execute_tool")
            span.set_attribute("gen_ai.tool.name", event.name)
            if event.id is None:
                span.end()  # nobody can tell its answer from another's
            else:
                span.set_attribute("gen_ai.tool.call.id", event.id)
                self._end_tool(event.id, "called again")
                self._tools[event.id] = span

    def _count(self, usage: wire.UsageMetadata | None) -> None:
        if usage is None or self._turn is None:
            return
        counts = {
            "gen_ai.usage.input_tokens": usage.prompt_token_count,
            "gen_ai.usage.output_tokens": usage.response_token_count,
        }
        for name, count in counts.items():
            if count is not None:
                self._turn.set_attribute(name, count)

    def _end_turn(self, *, cut: bool = False) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            if cut:
                turn.set_attribute("gemini_live.cut_off", True)
            turn.end()

    def _end_tool(self, call_id: str, outcome: str) -> None:
        span = self._tools.pop(call_id, None)
        if span is not None:
            span.set_attribute("gemini_live.tool.outcome", outcome)
            span.end()

    # --- Spans -----------------------------------------------------------------------------

    def _common(self) -> dict[str, str]:
        return {"gen_ai.provider.name": self._provider, "gen_ai.request.model": self._model}

    def _child(self, name: str, parent: Span | None) -> Span:
        context = None if parent is None else self._trace.set_span_in_context(parent)
        return self._tracer.start_span(name, context=context)
