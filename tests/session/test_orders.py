"""The orders of messages that were seen on the service, and what the books make of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import pytest
import trio
from books.feeding import (
    COMPLETE,
    EMPTY,
    END,
    GENERATED,
    GOES_ON,
    IDLE,
    INTERRUPTED,
    NOTHING,
    SECOND,
    START,
    calls,
    content,
    counted,
    guessed,
    heard,
    said,
    sounds,
    thinks,
    writes,
)
from support import PATIENCE, puppet
from trio.testing import MockClock

from gemini_live_trio import LiveSession, SessionConfig, wire
from gemini_live_trio.events import Event, ServerEvent
from gemini_live_trio.statistics import TurnState

DONE = TurnState(generation=1, generated=True, complete=True)
LAST = counted(EMPTY, thoughts_token_count=1)
"""Ends a script: its usage changes no total."""


@attrs.frozen(kw_only=True)
class Order:
    """What comes, with text for what the user does in between, and what it comes to."""

    model: str = "gemini-3.8-live"
    script: Sequence[wire.LiveServerMessage | str]
    transcript: Sequence[tuple[str, str]]
    total: int = 0
    state: TurnState = DONE
    heard: str | None = None
    """What the user heard of the last answer, where that isn't all."""


CODE = content(
    model_turn=wire.Content(
        parts=[wire.Part(executable_code=wire.ExecutableCode(code="print(1)", language="PYTHON"))]
    )
)
RESULT = content(
    model_turn=wire.Content(
        parts=[
            wire.Part(
                code_execution_result=wire.CodeExecutionResult(outcome="OUTCOME_OK", output="1")
            )
        ]
    )
)

ORDERS = {
    "2.5 spoken turn": Order(
        model="gemini-2.5-flash-native-audio-latest",
        script=[
            heard(" Hello"),
            heard(" there."),
            thinks("**Greeting**\n\n\n"),
            said(" Hi"),
            sounds(),
            said("!"),
            GENERATED,
            counted(
                COMPLETE, prompt_token_count=90, response_token_count=12, total_token_count=102
            ),
        ],
        transcript=[("user", " Hello there."), ("model", " Hi!")],
        total=102,
    ),
    "2.5 barge-in": Order(
        model="gemini-2.5-flash-native-audio-latest",
        script=[
            heard("Story."),
            sounds(),
            said("Once upon a time"),
            GENERATED,
            INTERRUPTED,
            counted(COMPLETE, total_token_count=100),
            heard("Stop."),
            sounds(),
            said("Yes."),
            GENERATED,
            counted(COMPLETE, total_token_count=110),
        ],
        transcript=[
            ("user", "Story."),
            ("model", "Once upon a time"),
            ("user", "Stop."),
            ("model", "Yes."),
        ],
        total=210,
        state=attrs.evolve(DONE, generation=2),
    ),
    "tool answer that interrupts": Order(
        script=[
            calls("call_1"),
            said("One moment"),
            sounds(),
            GENERATED,
            "answer call_1",
            INTERRUPTED,
            counted(COMPLETE, total_token_count=89),
            said("Sunny."),
            sounds(),
            GENERATED,
            counted(COMPLETE, total_token_count=90),
        ],
        transcript=[("model", "One moment"), ("model", "Sunny.")],
        total=179,
        state=attrs.evolve(DONE, generation=2),
    ),
    "3.1 tool round": Order(
        model="gemini-3.1-flash-live-preview",
        script=[
            "say Weather?",
            NOTHING,
            calls("fc_1"),
            "answer fc_1",
            NOTHING,
            sounds(b"\0\0"),
            said("Sunny.", sound=SECOND),
            GENERATED,
            counted(COMPLETE, total_token_count=50),
        ],
        transcript=[("user", "Weather?"), ("model", "Sunny.")],
        total=50,
    ),
    "3.8 with empty frames": Order(
        script=[
            "say What is this?",
            EMPTY,
            EMPTY,
            NOTHING,
            said("A ", sound=SECOND),
            EMPTY,
            said("cat.", sound=SECOND),
            GENERATED,
            COMPLETE,
            counted(NOTHING, total_token_count=7),
        ],
        transcript=[("user", "What is this?"), ("model", "A cat.")],
        total=7,
    ),
    "code before a tool call": Order(
        model="gemini-2.0-flash-live-001",
        script=[
            "say Go",
            CODE,
            calls("function-call-1"),
            "answer function-call-1",
            RESULT,
            writes("Done"),
            GENERATED,
            counted(COMPLETE, total_token_count=33),
        ],
        transcript=[("user", "Go"), ("model", "Done")],
        total=33,
    ),
    "translation": Order(
        model="gemini-3.5-live-translate-preview",
        script=[
            heard("Guten"),
            said("Good"),
            NOTHING,
            sounds(bytes(12_000)),
            counted(NOTHING, total_token_count=25),
            heard(" Tag"),
            said(" day"),
            sounds(bytes(12_000)),
            counted(NOTHING, total_token_count=25),
        ],
        transcript=[("user", "Guten Tag"), ("model", "Good day")],
        total=50,
        state=TurnState(generation=1, idle=False),
    ),
    "transcription": Order(
        model="gemini-3.5-transcribe-live",
        script=[
            *(START, guessed("Hel"), guessed("Hello"), heard("Hello.")),
            *(counted(GENERATED, total_token_count=9), END),
            *(START, heard("Bye."), counted(GENERATED, total_token_count=9), END),
        ],
        transcript=[("user", "Hello."), ("user", "Bye.")],
        total=18,
        state=TurnState(),
    ),
    "extended thinking": Order(
        model="gemini-3.8-live-extended-thinking",
        script=[
            "say Why?",
            said("Let me check."),
            GENERATED,
            counted(GOES_ON, total_token_count=20),
            said("Because."),
            GENERATED,
            counted(COMPLETE, total_token_count=30),
            IDLE,
        ],
        transcript=[("user", "Why?"), ("model", "Let me check."), ("model", "Because.")],
        total=50,
        state=attrs.evolve(DONE, generation=2),
    ),
    "the end after a tool call on Vertex AI": Order(
        model="gemini-2.5-flash-native-audio-latest",
        script=["say Go", calls("1"), GENERATED, "answer 1", said("Done."), COMPLETE],
        transcript=[("user", "Go"), ("model", "Done.")],
    ),
    "interrupted after the end": Order(
        script=["say Go", said("Done."), GENERATED, COMPLETE, INTERRUPTED],
        transcript=[("user", "Go"), ("model", "Done.")],
    ),
    "interrupted after the end, with a player": Order(
        script=[
            "say Go",
            said("one two three four"),
            *[sounds(SECOND)] * 4,
            GENERATED,
            COMPLETE,
            "played 1.0",
            INTERRUPTED,
        ],
        transcript=[("user", "Go"), ("model", "one two three four")],
        heard="one",
        state=attrs.evolve(DONE, played_out=False),
    ),
    "a question that is written down late": Order(
        model="gemini-2.5-flash-native-audio-latest",
        script=[sounds(SECOND), said("Rome."), heard("Where?"), GENERATED, COMPLETE],
        transcript=[("user", "Where?"), ("model", "Rome.")],
    ),
    "usage before the next output": Order(
        script=[
            said("a"),
            counted(COMPLETE, total_token_count=100),
            counted(NOTHING, total_token_count=30),
            said("b", sound=SECOND),
            counted(COMPLETE, total_token_count=60),
        ],
        transcript=[("model", "a"), ("model", "b")],
        total=160,
        state=attrs.evolve(DONE, generation=2, generated=False),
    ),
    "interrupted before anything": Order(
        script=["say Go", INTERRUPTED, COMPLETE],
        transcript=[("user", "Go")],
        state=TurnState(idle=False),  # the answer is still to come
    ),
}


NEEDS: dict[str, dict[str, Any]] = {
    "gemini-2.0-flash-live-001": {"response_modalities": ["TEXT"], "check": "off"},
    "gemini-3.5-transcribe-live": {"response_modalities": ["TEXT"]},
    "gemini-3.5-live-translate-preview": {
        "translation": wire.TranslationConfig(target_language_code="en")
    },
    "gemini-3.8-live-extended-thinking": {
        "thinking": wire.ThinkingConfig(thinking_level=wire.ThinkingLevel.LOW)
    },
}
"""What a setup can't do without."""


@pytest.mark.parametrize("name", ORDERS)
async def test_an_order_that_was_seen(name: str, autojump_clock: MockClock) -> None:
    order = ORDERS[name]
    config = SessionConfig(model=order.model, **NEEDS.get(order.model, {}))
    async with puppet(config) as (session, server):
        for step in (*order.script, LAST):
            if isinstance(step, str):
                await _do(session, step)
            else:
                await server.send(step)
                await _wait_for(session, step)
        entries = session.transcript.in_order()
        said_so_far = [(entry.speaker.value, entry.text) for entry in entries]
        assert said_so_far == list(order.transcript)
        assert order.heard in (None, entries[-1].heard)
        assert session.usage.total.total == order.total
        assert session.turn_state == order.state
        assert all(use.state == "answered" for entry in session.transcript for use in entry.tools)


async def _do(session: LiveSession, step: str) -> None:
    kind, _, text = step.partition(" ")
    if kind == "played":
        session.played(session.turn_state.generation, float(text))
        return
    if kind == "say":
        receipt = await session.send_text(text)
    else:
        receipt = await session.send_tool_response([wire.FunctionResponse(id=text, response={})])
    await receipt.wait_sent()


async def _wait_for(session: LiveSession, message: wire.LiveServerMessage) -> None:
    """Wait until the session has told a message; an empty one tells nothing."""
    if message in (EMPTY, NOTHING):
        await trio.testing.wait_all_tasks_blocked()
        return
    with trio.fail_after(PATIENCE):
        async for event in session:
            if _came_with(event, message):
                return


def _came_with(event: Event, message: wire.LiveServerMessage) -> bool:
    return isinstance(event, ServerEvent) and event.message == message
