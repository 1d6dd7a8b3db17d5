"""From events to what a person reads.

``Narrator`` decides what is worth saying and keeps the lines of a conversation apart; a ``Screen``
decides where it goes. Whatever the service sends is made harmless before it gets near a terminal.
"""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Final, Protocol

from .. import events
from ..events import Event, ReconnectState
from ..wire import InteractionStatus

__all__ = ["Kind", "Narrator", "Screen", "harmless", "turn_is_over"]


MOST_ECHOED: Final = 2_000
"""Characters of what the user said; more would push the conversation off the screen."""
CUT_OFF: Final = " [cut off]"
_KEPT: Final = {
    ReconnectState.RESUMED: "the conversation goes on",
    ReconnectState.RESEEDED: "in a fresh session, which was told what had been said",
    ReconnectState.FRESH: "but the model has forgotten what was said: the session is a fresh one",
}


class Kind(enum.Enum):
    """Whose words a line holds; the value is the mark that it begins with."""

    YOU = "you"
    HEARD = "heard"
    """What the service understood of the user's speech."""
    MODEL = "model"
    THOUGHT = "thought"
    TOOL = "tool"
    """What the model does with this machine, and what comes of it."""
    NOTE = "note"
    ERROR = "error"

    @property
    def mark(self) -> str:
        """The beginning of a line of this kind."""
        return f"{self.value}> "


class Screen(Protocol):
    """Where lines go. One line of streamed words is open at a time."""

    def add(self, kind: Kind, text: str) -> None:
        """Go on with the open line, or begin one."""

    def end(self) -> None:
        """End the open line."""

    def line(self, kind: Kind, text: str) -> None:
        """Show a whole line; the open one goes on after it, with its mark."""


# Control characters as pictures of themselves; C1, lone surrogates and what turns the
# direction of writing as a replacement mark.
_PICTURES: Final = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"},
    0x7F: 0x2421,
    **dict.fromkeys(
        [
            *range(0x80, 0xA0),
            *range(0x2028, 0x202F),
            *range(0x2066, 0x206A),
            *range(0xD800, 0xE000),
        ],
        0xFFFD,
    ),
}


def harmless(text: str) -> str:
    """Make control characters and escape sequences visible, so that no terminal obeys them."""
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(_PICTURES)


def turn_is_over(event: Event) -> bool:
    """Tell whether the model has said all it had to say."""
    return (
        isinstance(event, events.TurnComplete)
        and event.interaction_status != InteractionStatus.IN_PROGRESS
    )


class Narrator:
    """Tells a conversation to a screen."""

    def __init__(self, screen: Screen, *, verbose: bool = False) -> None:
        self._screen = screen
        self._verbose = verbose
        self._open: Kind | None = None
        self._heard_late = ""

    def said(self, part: str | Path) -> None:
        """Show what the user has just said."""
        text = part if isinstance(part, str) else f"[{part}]"
        if len(text) > MOST_ECHOED:
            text = f"{text[:MOST_ECHOED]}… ({len(text):,} characters, all of them sent)"
        self._screen.line(Kind.YOU, harmless(text))

    def note(self, text: str) -> None:
        """Show a remark of ours."""
        self._screen.line(Kind.NOTE, harmless(text))

    def error(self, text: str) -> None:
        """Show what went wrong."""
        self._screen.line(Kind.ERROR, harmless(text))

    def finish(self) -> None:
        """End what is open."""
        if self._open is not None:
            self._screen.end()
            self._open = None
        if self._heard_late:
            self._screen.line(Kind.HEARD, self._heard_late.strip())
            self._heard_late = ""

    def tell(self, event: Event) -> None:
        """Show an event, if it is for people."""
        match event:
            case events.ModelText(text=text) | events.OutputTranscription(text=text):
                self._stream(Kind.MODEL, text)
            case events.ModelThought(text=text):
                self._stream(Kind.THOUGHT, text)
            case events.InputTranscription(text=text):
                self._stream(Kind.HEARD, text)
            case events.Interrupted():
                was_speaking = self._open is Kind.MODEL
                self.finish()
                if was_speaking:
                    self.note("The model was interrupted.")
            case events.TurnComplete(reason=reason):
                self.finish()
                if reason is not None:
                    self.note(f"The turn ended early: {reason}.")
            case events.Reconnecting():
                self._break_off()
                self._remark(event)
            case (
                events.ToolStarted()
                | events.ToolProgress()
                | events.ToolFinished()
                | events.ToolEnded()
            ):
                if (told := _of_tool(event)) is not None:
                    self._screen.line(Kind.TOOL, harmless(told))
            case events.ServerError(text=text):
                self.error(f"The service says: {text}")
            case _:
                self._remark(event)

    def _break_off(self) -> None:
        """End what is open: whatever comes after this is not its end."""
        if self._open is not None:
            self._screen.add(self._open, CUT_OFF)
        if self._heard_late:
            self._heard_late += CUT_OFF
        self.finish()

    def _stream(self, kind: Kind, text: str) -> None:
        text = harmless(text)
        if self._open is not kind:
            if self._open is Kind.MODEL and kind is Kind.HEARD:
                # The service understands what was said while it already answers.
                self._heard_late += text
                return
            if self._open is not None:
                self._screen.end()
                self._open = None
            text = text.lstrip()
        if text:
            self._open = kind
            self._screen.add(kind, text)

    def _remark(self, event: Event) -> None:
        remark = _remark_on(event)
        if remark is None and self._verbose:
            remark = _detail_of(event)
        if remark is not None:
            self.note(remark)


MOST_ARGUMENTS: Final = 200
"""Characters."""


def _of_tool(event: events.ToolEvent) -> str | None:
    match event:
        case events.ToolStarted(name=name, args=args):
            given = ", ".join(
                f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in args.items()
            )
            cut = given if len(given) <= MOST_ARGUMENTS else f"{given[:MOST_ARGUMENTS]}…"
            return f"{name}({cut})"
        case events.ToolProgress(name=name, text=text):
            return f"{name}: {text}"
        case events.ToolFinished(name=name, seconds=seconds, failed=failed, error=error):
            if failed:
                return f"{name} failed after {seconds:.1f} s: {error or 'it gave no reason'}"
            return f"{name} took {seconds:.1f} s" if seconds >= 1 else None
        case events.ToolEnded(name=name, outcome=outcome, reason=reason):
            if outcome is events.ToolOutcome.ANSWERED:
                return None
            return f"{name}: {getattr(outcome, 'value', outcome)}{f', {reason}' if reason else ''}"
    return None


def _remark_on(event: Event) -> str | None:
    """What everybody should know."""
    match event:
        case events.Reconnecting(attempt=attempt, delay=delay, cause=cause):
            when = f"in {delay:.1f} s" if delay >= 0.05 else "at once"
            why = " ".join(cause.split()).rstrip(".")  # a server's answer may have many lines
            what = "The connection ended" if attempt == 1 else "That failed"
            return f"{what}: {why}. Dialling again {when} ({attempt})."
        case events.Reconnected(state=state, gap_seconds=gap, dropped_audio_seconds=dropped):
            lost = f" {dropped:.1f} s of sound were lost." if dropped else ""
            return f"Connected again after {gap:.1f} s, {_KEPT[state]}.{lost}"
        case events.GoAway(time_left=left):
            when = "soon" if left is None else f"in {left:g} s"
            return f"The service ends this connection {when}; the session moves on by itself."
        case events.Stalled(seconds=seconds):
            return f"Nothing has come for {seconds:.0f} s, though something should."
        case events.ExecutableCode(code=code):
            return f"The model runs code:\n{code}"
        case events.CodeResult(output=output):
            return f"The code gave:\n{output}"
        case events.ModelMedia(data=data, mime_type=mime_type):
            return f"The model sent {mime_type or 'something'}, {len(data):,} bytes."
        case events.Lagged(count=count):
            return f"{count} events were missed: this program was too slow."
        case events.Undecodable(error=error):
            return f"The service sent what can't be read. {error}"
        case _:
            return None


def _detail_of(event: Event) -> str | None:
    """What the curious may know."""
    match event:
        case events.Usage(metadata=usage):
            counts = (usage.prompt_token_count, usage.response_token_count)
            asked, answered = (count or 0 for count in counts)
            total = usage.total_token_count or asked + answered
            return f"Usage: {total:,} tokens, {asked:,} in and {answered:,} out."
        case events.SetupComplete():
            return "Connected."
        case events.WaitingForInput():
            return "The model waits for more."
        case events.ResumptionUpdate(resumable=resumable):
            return f"The session {'can' if resumable else 'can not'} be resumed from here."
        case events.VoiceActivity(activity=activity) if activity is not None:
            return f"Voice activity: {activity}."
        case events.Unknown(path=path):
            return f"The service sent {path}, which this version doesn't know."
        case _:
            return None
