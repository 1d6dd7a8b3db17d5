"""Commands about the conversation itself: ``/help``, ``/status``, ``/usage``, ``/reconnect``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import trio

from .. import Status
from ..events import Event, GoAway, Reconnected, ReconnectState, SetupComplete
from ..usage import Tokens
from ._commands import COMMANDS, Suggestion, help_lines, help_on
from ._console import Action, Console, Part

__all__ = ["Basics"]

CONNECTION_SECONDS: Final = 600
"""About how long the service lets a connection live (docs/protocol.md, "Limits")."""

_STATES: Final = {Status.CONNECTED: "connected", Status.RECONNECTING: "reconnecting"}
_LOST: Final = {
    "audio_seconds": "{:,.1f} s of sound, too old to send",
    "video_frames": "pictures, for newer ones: {:,}",
    "messages_unknown": "messages that the service may not have: {:,}",
    "events": "events that this program was too slow for: {:,}",
    "undecodable_frames": "frames that can't be read: {:,}",
    "gated_audio_seconds": "{:,.1f} s of sound, while a tool was waited for",
    "gated_video_frames": "pictures, while a tool was waited for: {:,}",
}
"""By the names of ``Drops``. What is left of an interrupted answer is no loss."""

_MOVED: Final = {
    ReconnectState.RESUMED: "A new connection; the conversation goes on.",
    ReconnectState.RESEEDED: "A new connection and session, which was told what had been said.",
    ReconnectState.FRESH: "A new connection and session, which knows nothing of what was said.",
}


class Basics(Part):
    """Help, state, and the connection.

    Args:
      console: The terminal and the conversation.
      where: Whom we talk to, for the person.
      parts: All parts, for ``/status``.
      quit_now: Leaves the program.
      interrupt: Silences the model; tells whether there was anything to silence.
    """

    def __init__(
        self,
        console: Console,
        *,
        where: str,
        parts: Sequence[Part],
        quit_now: Callable[[], None],
        interrupt: Callable[[], bool],
    ) -> None:
        self._console = console
        self._where = where
        self._parts = parts
        self._quit_now = quit_now
        self._interrupt = interrupt
        self._limit: float | None = None
        """When the connection will have to end."""

    def actions(self) -> Mapping[str, Action]:
        """See ``Part``."""
        return {
            "/help": self._help,
            "/quit": self._quit,
            "/interrupt": self._silence,
            "/reconnect": self._reconnect,
            "/status": self._status,
            "/usage": self._usage,
        }

    def choices(self) -> Mapping[str, Sequence[Suggestion]]:
        """See ``Part``."""
        return {"COMMAND": [(command.name, command.summary) for command in COMMANDS]}

    async def hear(self, event: Event) -> None:
        """See ``Part``."""
        match event:
            case SetupComplete() | Reconnected():
                self._limit = trio.current_time() + CONNECTION_SECONDS
            case GoAway(time_left=left) if left is not None:
                self._limit = trio.current_time() + left

    def status(self) -> Sequence[str]:
        """See ``Part``."""
        keeper = self._console.keeper
        shown = [self._state()]
        if keeper.tokens.total:
            shown.append(f"{keeper.tokens.total:,} tokens")
        if keeper.session is not None:
            if self._limit is not None:
                left = max(0, round(self._limit - trio.current_time()))
                shown.append(f"limit {left // 60}:{left % 60:02}")
            if lost := self._drops():
                shown.append(f"lost: {', '.join(lost)}")
        return shown

    def details(self) -> Sequence[tuple[str, str]]:
        """See ``Part``."""
        rows = [("connection", f"{self._state()}, {self._where}")]
        session = self._console.keeper.session
        if session is not None:
            counts = session.statistics()
            times = "connection" if counts.connections == 1 else "connections"
            rows.append(("session", f"{counts.connections} {times} in {counts.uptime:,.0f} s"))
            if counts.answer is not None:
                rows.append(("answers after", f"{counts.answer.last:.2f} s"))
            handle = session.resumption
            can = "could be resumed now" if handle.handle and handle.resumable else "not just now"
            rows.append(("resumption", can))
        rows.append(("lost", ", ".join(self._drops()) or "nothing"))
        rows.append(("tokens", f"{self._console.keeper.tokens.total:,}"))
        return rows

    def _state(self) -> str:
        keeper = self._console.keeper
        if keeper.session is None:
            return "connecting" if keeper.dialling else "asleep"
        return _STATES.get(keeper.session.status, "ending")

    def _drops(self) -> Sequence[str]:
        session = self._console.keeper.session
        if session is None:
            return []
        drops = session.statistics().drops
        return [
            words.format(value)
            for name, words in _LOST.items()
            if (value := getattr(drops, name)) > 0
        ]

    # --- Commands --------------------------------------------------------------------------

    async def _help(self, values: Mapping[str, str]) -> None:
        name = values.get("COMMAND")
        rows = help_lines() if name is None else help_on(name)
        if rows is None:
            self._console.narrator.error(f"There is no command {name}; /help shows all.")
            return
        for row in rows:
            self._console.narrator.note(row)

    async def _quit(self, _values: Mapping[str, str]) -> None:
        self._quit_now()

    async def _silence(self, _values: Mapping[str, str]) -> None:
        if not self._interrupt():
            self._console.narrator.note("The model isn't speaking.")

    async def _reconnect(self, _values: Mapping[str, str]) -> None:
        keeper, note = self._console.keeper, self._console.narrator.note
        if keeper.session is None:
            await keeper.awake()
            note("Connected.")
            return
        moves = keeper.session.status is Status.CONNECTED
        when = "Moving at the next moment that cuts nothing" if moves else "Dialling at once"
        note(f"{when}; Ctrl-C gives it up.")
        await self._console.front.flush()
        note(_MOVED[await keeper.use(lambda session: session.reconnect(), again=False)])

    async def _status(self, _values: Mapping[str, str]) -> None:
        rows = [row for part in self._parts for row in part.details()]
        width = max(len(name) for name, _ in rows)
        for name, text in rows:
            self._console.narrator.note(f"{name:<{width}}  {text}")

    async def _usage(self, _values: Mapping[str, str]) -> None:
        keeper, note = self._console.keeper, self._console.narrator.note
        note(f"All in all {_counted(keeper.tokens)}.")
        for number, turn in [*enumerate(keeper.turns, 1)][-10:]:
            note(f"Turn {number}: {_counted(turn.tokens)}.")


def _counted(tokens: Tokens) -> str:
    text = f"{tokens.total:,} tokens: {tokens.prompt:,} read, {tokens.response:,} said"
    if tokens.thoughts:
        text += f", {tokens.thoughts:,} thought besides"
    if tokens.cached:
        text += f", {tokens.cached:,} of what was read cached"
    kinds = {**tokens.prompt_by_modality}
    if len(kinds) > 1:
        text += (
            f" (read: {', '.join(f'{count:,} {name.lower()}' for name, count in kinds.items())})"
        )
    return text
