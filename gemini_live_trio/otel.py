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
from time import time_ns
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
        self._over: tuple[Span, int] | None = None
        """A turn that is complete, and when: its usage may still come."""
        self._asked_at: int | None = None
        self._answering = False
        self._played = 0
        self._tools: dict[str, Span] = {}

    # --- Session and connections -----------------------------------------------------------

    def dialling(
        self, *, connection: int, model: str, path: str, resumes: bool, time: float
    ) -> None:
        """Begin the session's span with the first, and a connection's with each."""
        self._model = model.rpartition("/")[2]
        if self._session is None:
            self._session = self._tracer.start_span(
                f"realtime {self._model}",
                kind=self._trace.SpanKind.CLIENT,
                attributes={**self._common(), "gen_ai.operation.name": "realtime"},
            )
        if self._connection is None:
            self._connection = self._child(f"connection {connection}", self._session)

    def connected(self, *, connection: int, resumed: bool, time: float) -> None:
        """Note that it works."""
        if self._connection is not None:
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
        span.set_attribute("gemini_live.close.by", by)
        span.set_attribute("gemini_live.close.code", code)
        if by != "client":
            span.set_attribute("gemini_live.close.reason", reason)
            if code != 1000:
                span.set_attribute("error.type", str(code))
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
        """Begin a turn, or the next one where an answer is still running."""
        self._asked_at = time_ns()
        if self._turn is None:
            self._begin_turn()

    def event(self, event: Event, *, time: float) -> None:
        """Note what a turn consists of."""
        if isinstance(event, _OUTPUT):
            self._note_output(event)
        elif isinstance(event, events.ToolCallCancellation):
            for call_id in event.ids:
                self._end_tool(call_id, "cancelled")
        elif isinstance(event, events.ToolFinished):
            self._note_tool(event)
        elif isinstance(event, events.ToolEnded):
            # An answer that was sent has ended the span already; this knows of what wasn't.
            self._end_tool(event.call_id or "", event.outcome.value)
        elif isinstance(event, events.GoAway) and self._connection is not None:
            self._connection.add_event("goAway")
        elif isinstance(event, events.Usage):
            self._count(event.metadata)
        elif self._turn is None:
            return
        elif isinstance(event, events.Interrupted):
            self._turn.set_attribute("gemini_live.interrupted", True)
        elif isinstance(event, events.GenerationComplete):
            self._turn.add_event("generationComplete")
        elif isinstance(event, events.TurnComplete):
            self._over, self._turn = (self._turn, time_ns()), None

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
        self._end_turn()
        name = f"generate_content {self._model}"
        self._turn = self._child(name, self._session, start=self._asked_at, client=True)
        self._asked_at = None
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

    def _count(self, usage: wire.UsageMetadata) -> None:
        turn = self._turn or (self._over[0] if self._over is not None else None)
        if turn is None:
            return
        counts = {
            "gen_ai.usage.input_tokens": usage.prompt_token_count,
            "gen_ai.usage.output_tokens": usage.response_token_count,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_content_token_count,
            "gemini_live.usage.thoughts_tokens": usage.thoughts_token_count,
        }
        for name, count in counts.items():
            if count is not None:
                turn.set_attribute(name, count)

    def _end_turn(self, *, cut: bool = False) -> None:
        """End the turn that is complete, and with ``cut`` the running one."""
        over, self._over = self._over, None
        if over is not None:
            over[0].end(over[1])
        if cut and self._turn is not None:
            self._turn.set_attribute("gemini_live.cut_off", True)
            self._turn.end()
            self._turn = None

    def _note_tool(self, event: events.ToolFinished) -> None:
        span = self._tools.get(event.call_id or "")
        if span is not None:
            span.add_event("finished")
            if event.failed:
                error = event.error
                kind = "tool_error" if error is None else type(error).__qualname__
                span.set_attribute("error.type", kind)
                span.set_status(self._trace.StatusCode.ERROR)

    def _end_tool(self, call_id: str, outcome: str) -> None:
        span = self._tools.pop(call_id, None)
        if span is not None:
            span.set_attribute("gemini_live.tool.outcome", outcome)
            span.end()

    # --- Spans -----------------------------------------------------------------------------

    def _common(self) -> dict[str, str]:
        return {"gen_ai.provider.name": self._provider, "gen_ai.request.model": self._model}

    def _child(
        self, name: str, parent: Span | None, *, start: int | None = None, client: bool = False
    ) -> Span:
        context = None if parent is None else self._trace.set_span_in_context(parent)
        kind = self._trace.SpanKind.CLIENT if client else self._trace.SpanKind.INTERNAL
        return self._tracer.start_span(name, context=context, kind=kind, start_time=start)
