"""What is tried once there is a session: a question, a ping, a handle."""

from __future__ import annotations

from typing import Final

import trio

from .._session import LiveSession
from ..errors import PromptLost
from ..events import ModelAudio, ModelText, OutputTranscription, ResumptionUpdate, TurnComplete
from ._way import Way

__all__ = ["talk"]

QUESTION: Final = "Say in one short sentence that you can hear me."
ANSWER: Final = 15.0
PING: Final = 3.0
HANDLE: Final = 3.0
SHOWN: Final = 60
"""Characters of the answer."""
_SILENT: Final = ("3.5-transcribe", "3.5-translate")
"""Families that answer nothing to a question in writing."""


async def talk(session: LiveSession, way: Way) -> None:
    """Try the session, and note what comes of it."""
    family = way.capability.name
    if family in _SILENT:
        way.note("round trip", "skipped", f"models of the family {family} answer to speech only")
    else:
        await _ask(session, way)
    await _wait_for_ping(way)
    await _wait_for_handle(session, way)


async def _ask(session: LiveSession, way: Way) -> None:
    began = trio.current_time()
    first: float | None = None
    audio_seconds = 0.0
    words = ""
    complete = False
    lost = ""
    with trio.move_on_after(ANSWER):
        try:
            async with session.prompt(QUESTION) as turn:
                async for event in turn:
                    match event:
                        case ModelAudio(seconds=seconds):
                            audio_seconds += seconds
                        case ModelText(text=text) | OutputTranscription(text=text):
                            words += text
                        case TurnComplete():
                            complete = True
                            continue
                        case _:
                            continue
                    first = first or trio.current_time() - began
        except PromptLost as error:
            await _tell_the_end(session)
            lost = str(error)
    seconds = trio.current_time() - began
    if lost:
        way.note("round trip", "failed", lost, fix="Try again.", seconds=seconds)
    elif first is None:
        what = "the turn ended without a word" if complete else f"no answer within {ANSWER:g} s"
        way.note(
            *("round trip", "failed", what),
            fix="Try again; if it keeps happening, try another model.",
            seconds=seconds,
        )
    else:
        said = " ".join(words.split())
        shown = f"{said[: SHOWN - 1]}\N{HORIZONTAL ELLIPSIS}" if len(said) > SHOWN else said
        text = f"first sign after {first:.2f} s" + (f": {shown}" if shown else "")
        facts = {
            "first_seconds": round(first, 3),
            "audio_seconds": round(audio_seconds, 3),
            "complete": complete,
        }
        way.note("round trip", "ok", text, seconds=seconds, facts=facts)


async def _tell_the_end(session: LiveSession) -> None:
    """Raise what the session ended with, if it has ended: that says more than the lost prompt."""
    with trio.move_on_after(HANDLE):
        async with session.subscribe(kinds=[]) as rest:
            async for _ in rest:
                pass


async def _wait_for_ping(way: Way) -> None:
    with trio.move_on_after(PING):
        await way.was_pinged.wait()
    if way.was_pinged.is_set():
        way.note("ping", "ok", "the service answers pings", seconds=way.ping)
    else:
        way.note(
            "ping",
            "warning",
            f"no answer to a ping within {PING:g} s",
            fix="Late pongs are normal under load; a session waits for 60 s.",
        )


async def _wait_for_handle(session: LiveSession, way: Way) -> None:
    with trio.move_on_after(HANDLE):
        async with session.subscribe(kinds=[ResumptionUpdate]) as updates:
            while session.resumption.handle is None:
                await updates.receive()
    if session.resumption.handle is not None:
        way.note("resumption", "ok", "there is a handle: the conversation outlives its connection")
    elif session.setup.session_resumption is None:
        way.note("resumption", "skipped", "it isn't asked for")
    else:
        way.note(
            "resumption",
            "warning",
            f"no handle came within {HANDLE:g} s",
            fix="After a drop the conversation would begin anew, told its past in text.",
        )
