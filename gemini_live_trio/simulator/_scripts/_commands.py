"""The faults as commands: one table for ``!commands`` in a conversation, for scripts and documents.

A command is a name and some words after it: ``close 1011 try again``. What it does is one call of
``ServerConnection`` or ``Simulator``; nothing is done here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal, TypeAlias

import attrs

from ... import wire
from .._actions import ConnectionActions, ServiceActions
from ._parameters import (
    Parameter,
    above_zero,
    close_code,
    count,
    http_status,
    json_object,
    mebibytes,
    one_of,
    seconds,
    words,
)

__all__ = ["COMMANDS", "Command"]

_INTERNAL: Final = "Internal error encountered."
_MIB: Final = 2**20
_THOUGHT: Final = "**Thinking**\n\nHm.\n\n\n"


Act: TypeAlias = Callable[..., "Awaitable[object] | None"]


@attrs.frozen(kw_only=True)
class Command:
    """One command.

    Attributes:
      name: What is typed.
      help: What it does, in a line.
      call: The same in Python, on ``server`` (a connection) or ``simulator``.
      on: Which of the two.
      act: Does it.
      parameters: What may follow the name.
      group: Where it belongs in a list.
    """

    name: str
    help: str
    call: str
    on: Literal["connection", "service"]
    act: Act = attrs.field(repr=False)
    parameters: tuple[Parameter, ...] = attrs.field(default=(), converter=tuple)
    group: str

    @property
    def usage(self) -> str:
        """The name with its parameters, optional ones in brackets."""
        return " ".join((self.name, *map(str, self.parameters)))


def _set(thing: object, name: str, value: object) -> None:
    setattr(thing, name, value)


def _deliver(connection: ConnectionActions, **changes: Any) -> None:
    connection.delivery = attrs.evolve(connection.delivery, **changes)


def _refuse(service: ServiceActions, times: int, code: int, reason: str) -> None:
    service.refuse_next_setup(code, reason, times=times)


def _refuse_resumes(service: ServiceActions, times: int, code: int, reason: str) -> None:
    service.refuse_next_setup(code, reason, times=times, only_resumes=True)


def _wrong_first(service: ServiceActions) -> None:
    notice = wire.LiveServerGoAway(time_left=50)
    service.answer_next_setup(wire.LiveServerMessage(go_away=notice))


async def _several_at_once(connection: ConnectionActions) -> None:
    content = wire.LiveServerContent(output_transcription=wire.Transcription(text="All at once. "))
    usage = wire.UsageMetadata(prompt_token_count=1, total_token_count=1)
    update = wire.LiveServerSessionResumptionUpdate(resumable=False)
    activity = wire.VoiceActivity(
        voice_activity_type=wire.VoiceActivityType.ACTIVITY_END, audio_offset=1.5
    )
    await connection.send_together(
        wire.LiveServerMessage(server_content=content, usage_metadata=usage),
        wire.LiveServerMessage(session_resumption_update=update),
        wire.LiveServerMessage(voice_activity=activity),
    )


async def _think_aloud(connection: ConnectionActions, text: str) -> None:
    part = wire.Part(text=text or _THOUGHT, thought=True)
    turn = wire.Content(parts=[part], role="model")
    await connection.send(
        wire.LiveServerMessage(server_content=wire.LiveServerContent(model_turn=turn))
    )


async def _tell_status(connection: ConnectionActions, status: str) -> None:
    content = wire.LiveServerContent(interaction_status=wire.InteractionStatus(status))
    await connection.send(wire.LiveServerMessage(server_content=content))


def _on_or_off(name: str) -> Callable[[ServiceActions, str], None]:
    return lambda service, word: _set(service, name, word == "on")


def _none_for(word: str, value: str) -> str | None:
    return None if value == word else value


def _commands(
    group: str, on: Literal["connection", "service"], *rows: tuple[Any, ...]
) -> tuple[Command, ...]:
    """Rows of name, help, the call in Python, what does it, and its parameters."""
    return tuple(
        Command(name=name, help=text, call=call, on=on, act=act, parameters=parameters, group=group)
        for name, text, call, act, *parameters in rows
    )


_C: TypeAlias = ConnectionActions
_S: TypeAlias = ServiceActions

COMMANDS: Final[tuple[Command, ...]] = (
    *_commands(
        "How the next connection begins",
        "service",
        (
            "reject",
            "HTTP with the service's error body, instead of a WebSocket",
            "simulator.reject_next_upgrade(status)",
            lambda s, status, times: _S.reject_next_upgrade(s, status, times=times),
            http_status("status", 503),
            count("times", 1),
        ),
        (
            "drop-upgrade",
            "the end of TCP, instead of an answer to the upgrade",
            "simulator.drop_next_upgrade()",
            lambda s, times: _S.drop_next_upgrade(s, times=times),
            count("times", 1),
        ),
        (
            "refuse",
            "a close frame instead of setupComplete",
            "simulator.refuse_next_setup(code, reason, times=times)",
            _refuse,
            count("times", 1),
            close_code("code", 1011),
            words("reason", _INTERNAL, rest=True),
        ),
        (
            "refuse-resume",
            "the same for setups with a handle; fresh ones pass",
            "simulator.refuse_next_setup(code, reason, times=times, only_resumes=True)",
            _refuse_resumes,
            count("times", 1),
            close_code("code", 1011),
            words("reason", _INTERNAL, rest=True),
        ),
        (
            "delay-setup",
            "setupComplete comes late",
            "simulator.delay_next_setup(seconds)",
            lambda s, seconds: _S.delay_next_setup(s, seconds),
            seconds("seconds", 29.0),
        ),
        (
            "ignore-setup",
            "no answer to setup at all",
            "simulator.ignore_next_setup()",
            lambda s, times: _S.ignore_next_setup(s, times=times),
            count("times", 1),
        ),
        (
            "drop-setup",
            "the end instead of setupComplete, without a close frame",
            "simulator.drop_next_setup()",
            lambda s, times: _S.drop_next_setup(s, times=times),
            count("times", 1),
        ),
        (
            "wrong-first",
            "goAway instead of setupComplete",
            "simulator.answer_next_setup(message)",
            _wrong_first,
        ),
        (
            "empty-resume",
            "the next handle is taken, but the conversation is gone",
            "simulator.empty_next_resume()",
            lambda s, times: _S.empty_next_resume(s, times=times),
            count("times", 1),
        ),
        (
            "accept",
            "off: nobody is let in any more",
            "simulator.accepting = False",
            _on_or_off("accepting"),
            one_of("state", "on", "off"),
        ),
        (
            "resume-lock",
            "whether a resume is refused while the old connection is open",
            "simulator.resume_lock = True",
            _on_or_off("resume_lock"),
            one_of("state", "on", "off"),
        ),
        (
            "forget",
            "every handle is unknown from now on",
            "simulator.forget_sessions()",
            _S.forget_sessions,
        ),
        (
            "clear",
            "take back what is planned for coming connections",
            "simulator.clear_faults()",
            _S.clear_faults,
        ),
    ),
    *_commands(
        "How a connection ends",
        "service",
        (
            "restart",
            "all connections drop, all handles are unknown",
            "simulator.restart()",
            _S.restart,
        ),
    ),
    *_commands(
        "How a connection ends",
        "connection",
        (
            "goaway",
            "goAway, and 1008 when the time is over",
            "server.go_away(seconds)",
            _C.go_away,
            seconds("seconds", 50.0),
        ),
        (
            "goaway-silent",
            "goAway, and nothing after it, not even an end",
            "server.go_away(seconds, abort=False, silent=True)",
            lambda c, seconds: _C.go_away(c, seconds, abort=False, silent=True),
            seconds("seconds", 50.0),
        ),
        (
            "goaway-untimed",
            "goAway without timeLeft, and nothing after it",
            "server.go_away(None)",
            lambda c: _C.go_away(c, None),
        ),
        (
            "close",
            "a close frame",
            "server.close(code, reason)",
            _C.close,
            close_code("code", 1000),
            words("reason", "", rest=True),
        ),
        (
            "close-open",
            "a close frame, and TCP stays open after it",
            "server.close(code, reason, hold_open=True)",
            lambda c, code, reason: _C.close(c, code, reason, hold_open=True),
            close_code("code", 1000),
            words("reason", "", rest=True),
        ),
        (
            "close-at-age",
            "a close frame without a warning, so long after setupComplete",
            "server.close_at_age(seconds, code)",
            _C.close_at_age,
            seconds("seconds", 590.0),
            close_code("code", 1011),
        ),
        (
            "drop",
            "the end without a close frame (1006)",
            "server.drop()",
            _C.drop,
        ),
        (
            "reset",
            "a TCP reset",
            "server.reset()",
            _C.reset,
        ),
        (
            "vanish",
            "half-open: every byte is lost, and no end is seen; the session stays locked",
            "server.vanish(noticed_after=seconds)",
            lambda c, seconds: _C.vanish(c, noticed_after=seconds),
            seconds("seconds", 480.0),
        ),
        (
            "no-close-reply",
            "the client's close frame will have no answer",
            "server.ignore_close()",
            _C.ignore_close,
        ),
        (
            "ping-before-close",
            "a ping between the client's close frame and the answer",
            "server.ping_before_close()",
            _C.ping_before_close,
        ),
    ),
    *_commands(
        "What passes over it",
        "connection",
        (
            "freeze",
            "no data, no pong, no end",
            "server.freeze(seconds)",
            _C.freeze,
            seconds("seconds", 10.0),
        ),
        (
            "stop-reading",
            "its own writes stall; it still hears",
            "server.stop_reading(seconds)",
            _C.stop_reading,
            seconds("seconds", 10.0),
        ),
        (
            "read-slowly",
            "what it sends is taken at this speed",
            "server.read_slowly(bytes_per_second)",
            _C.read_slowly,
            above_zero("bytes_per_second", 1000.0),
        ),
        (
            "late-pongs",
            "pongs come late, everything else in time",
            "server.delay_pongs(seconds)",
            _C.delay_pongs,
            seconds("seconds", 8.0),
        ),
        (
            "frames",
            "JSON in this kind of frames",
            "server.use_frames(kind)",
            _C.use_frames,
            one_of("kind", "text", "binary"),
        ),
        (
            "fragments",
            "every message in fragments of so many bytes",
            "server.fragment(size)",
            _C.fragment,
            count("size", 64),
        ),
        (
            "large",
            "a message of so many MiB",
            "server.send_large(size)",
            lambda c, size: _C.send_large(c, round(size * _MIB)),
            mebibytes("mebibytes", 15.0),
        ),
        (
            "together",
            "several payloads in one message",
            "server.send_together(*messages)",
            _several_at_once,
        ),
        (
            "empty",
            "{}, which means nothing",
            "server.send(LiveServerMessage())",
            lambda c: _C.send(c, wire.LiveServerMessage()),
        ),
        (
            "unknown",
            "something that no client knows",
            "server.send_unknown(where)",
            _C.send_unknown,
            one_of("where", "field", "message", "part", "value"),
        ),
        (
            "handle",
            "a new handle",
            "server.send_handle()",
            _C.send_handle,
        ),
        (
            "no-handle",
            "the news that there is no handle now",
            "server.send_handle(resumable=False)",
            lambda c: _C.send_handle(c, resumable=False),
        ),
    ),
    *_commands(
        "How answers come",
        "connection",
        (
            "speed",
            "audio so many times faster than it plays; 0.8 starves a player",
            "server.delivery = Delivery(speed=times)",
            lambda c, times: _deliver(c, speed=times),
            above_zero("times"),
        ),
        (
            "burst",
            "so many pieces of audio at once, then a pause",
            "server.delivery = Delivery(burst=pieces)",
            lambda c, pieces: _deliver(c, burst=pieces),
            count("pieces", 8),
        ),
        (
            "gap",
            "a hole in the audio after every few pieces",
            "server.delivery = Delivery(gap_every=pieces, gap_seconds=seconds)",
            lambda c, seconds, pieces: _deliver(c, gap_seconds=seconds, gap_every=pieces),
            seconds("seconds", 1.0),
            count("pieces", 4),
        ),
        (
            "late-audio",
            "the last audio comes after the end of the turn",
            "server.delivery = Delivery(late_audio=where, late_pieces=pieces)",
            lambda c, where, pieces: _deliver(
                c, late_audio=where.replace("-", "_"), late_pieces=pieces
            ),
            one_of("where", "after-turn", "with-turn", "after-interrupted", "with-interrupted"),
            count("pieces", 1),
        ),
        (
            "phantom-interrupted",
            "interrupted, though nobody spoke",
            "server.interrupt()",
            _C.interrupt,
        ),
        (
            "transcript",
            "where the model's transcript comes, against its audio",
            "server.delivery = Delivery(transcript=order)",
            lambda c, order: _deliver(c, transcript=_none_for("usual", order)),
            one_of("order", "before", "after", "late", "usual", required=True),
        ),
        (
            "heard",
            "where the user's transcript comes, against the answer",
            "server.delivery = Delivery(heard=order)",
            lambda c, order: _deliver(
                c, heard=None if order == "usual" else order.replace("-", "_")
            ),
            one_of("order", "after-answer", "after-turn", "usual", required=True),
        ),
        (
            "usage",
            "how token counts come",
            "server.delivery = Delivery(usage=mode)",
            lambda c, mode: _deliver(c, usage=_none_for("usual", mode)),
            one_of(
                "mode",
                "alone",
                "repeated",
                "cumulative",
                "delta",
                "missing",
                "usual",
                required=True,
            ),
        ),
        (
            "status-after",
            "interactionStatus in a message after every turnComplete",
            "server.delivery = Delivery(status_after=status)",
            lambda c, status: _deliver(
                c, status_after=None if status == "none" else wire.InteractionStatus(status)
            ),
            one_of("status", "IN_PROGRESS", "IDLE", "none"),
        ),
        (
            "status",
            "interactionStatus once, now",
            "server.send(message)",
            _tell_status,
            one_of("status", "IN_PROGRESS", "IDLE"),
        ),
        (
            "thought",
            "a thought part",
            "server.send(message)",
            _think_aloud,
            words("text", "", rest=True),
        ),
        (
            "say",
            "a turn with these words",
            "server.say(text)",
            lambda c, text: c.say(text),  # which a command typed by the client doesn't wait for
            words("text", rest=True),
        ),
        (
            "transcribe",
            "a transcript of what you said",
            "server.transcribe(text)",
            _C.transcribe,
            words("text", rest=True),
        ),
    ),
    *_commands(
        "Tools",
        "connection",
        (
            "call",
            "call a function",
            "server.call(name, args)",
            _C.call,
            words("name"),
            json_object("args", {}, rest=True),
        ),
        (
            "repeat-calls",
            "the last toolCall once more",
            "server.repeat_calls(fresh_ids=False)",
            lambda c, ids: _C.repeat_calls(c, fresh_ids=ids == "fresh"),
            one_of("ids", "same", "fresh"),
        ),
        (
            "strict-tools",
            "whether input is refused with 1008 while a function's answer is waited for",
            "server.strict_blocking = True",
            lambda c, state: _set(c, "strict_blocking", state == "on"),
            one_of("state", "on", "off"),
        ),
        (
            "cancel-tools",
            "toolCallCancellation for every open call",
            "server.cancel_calls()",
            _C.cancel_calls,
        ),
    ),
)
