"""Letting the model see a monitor or a window: ``/share-screen``."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, overload

import attrs
import trio

from ..errors import (
    ConfigError,
    GeminiLiveError,
    InternalError,
    MediaError,
    MissingDependency,
    SessionBroken,
)
from ..events import Event, Reconnected, SetupComplete
from ..media import Screen, ScreenTarget, ScreenTargets, list_targets, open_screen
from ._activity import Activity, begin
from ._commands import Suggestion
from ._console import Action, Console, Part

__all__ = ["Sharing"]

INTERVALS: Final = (0.1, 3600.0)
STALE_SECONDS: Final = 5.0
"""A list of targets that is older is made anew for whoever completes one."""
LONGEST_NAME: Final = 24
"""Characters of a title in the status bar."""
MOST_DIGITS: Final = 9
_NUMBER: Final = re.compile(r"[-+]?[\d.,]*\d[\d.,]*")
USAGE: Final = (
    "Nothing is shared. /share-screen list shows what can be; /share-screen TARGET [SECONDS] "
    "shares it."
)


@attrs.frozen
class Shared:
    """What is being shared.

    Attributes:
      screen: Where the pictures come from.
      interval: Seconds from one to the next.
    """

    screen: Screen
    interval: float


class Sharing(Part):
    """Shows the model what is on the screen.

    Args:
      console: The terminal and the conversation.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._one_change = trio.Lock()
        self._activity: Activity[Shared] | None = None
        self._targets = _Targets()
        self._news = trio.Event()
        console.nursery.start_soon(self._begin)
        console.nursery.start_soon(self._targets.keep)

    # --- See Part ----------------------------------------------------------------------------

    def actions(self) -> Mapping[str, Action]:
        """See ``Part``."""
        return {
            "/share-screen": self._toggle,
            "/share-screen list": self._list,
            "/share-screen stop": self._stop,
        }

    def choices(self) -> Mapping[str, Sequence[Suggestion]]:
        """See ``Part``."""
        return {"TARGET": self._targets}

    def status(self) -> Sequence[str]:
        """See ``Part``."""
        if self.shared is None:
            return []
        screen = self.shared.screen
        name = screen.target.title or screen.target.id
        if len(name) > LONGEST_NAME:
            name = f"{name[: LONGEST_NAME - 1]}…"
        return [f"screen {name}{' (hidden)' if screen.hidden else ''}"]

    def details(self) -> Sequence[tuple[str, str]]:
        """See ``Part``."""
        if self.shared is None:
            return [("screen", "not shared")]
        target, counts = self.shared.screen.target, self.shared.screen.statistics()
        text = (
            f"{_described(target)}, every {self.shared.interval:g} s; pictures: "
            f"{counts.delivered:,} ({counts.delivered_bytes / 1000:,.0f} kB)"
        )
        return [("screen", text)]

    def holds_awake(self) -> bool:
        """See ``Part``."""
        return self.shared is not None

    async def hear(self, event: Event) -> None:
        """See ``Part``."""
        self._news.set()
        self._news = trio.Event()
        if self.shared is not None and isinstance(event, SetupComplete | Reconnected):
            # The service may not have the newest picture, and a new session has none.
            self.shared.screen.refresh()

    # --- For other parts ---------------------------------------------------------------------

    @property
    def shared(self) -> Shared | None:
        """What is shared now."""
        return None if self._activity is None else self._activity.device

    async def targets(self) -> ScreenTargets:
        """List what can be shared; the numbers that the person has seen stay as they were.

        Raises:
          GeminiLiveError: There is no screen, or what it takes isn't installed.
        """
        return await self._targets.look()

    @staticmethod
    def check(interval: float) -> None:
        """Refuse seconds between pictures that make no sense.

        Raises:
          ConfigError: They don't.
        """
        if not INTERVALS[0] <= interval <= INTERVALS[1]:
            raise ConfigError(
                f"A picture is sent every {INTERVALS[0]:g} to {INTERVALS[1]:g} s, not every "
                f"{interval:g} s."
            )

    async def share(self, target: str, interval: float) -> None:
        """Share something instead of what is shared now, and tell the person.

        Args:
          target: A number of the list that the person saw last, an id, a title or a part of one.
          interval: Seconds from one picture to the next.

        Raises:
          GeminiLiveError: It can't be shared; what is shared now goes on.
        """
        self.check(interval)
        async with self._one_change:
            wanted = await self._meant(target)
            old = self._activity
            self._activity = await begin(
                self._console.nursery, self._open(wanted, interval), self._show, self._ended
            )
            if old is not None:
                await old.stop()
            shown = self._activity.device.screen
            self._note(f"The model sees {_described(shown.target)}, every {interval:g} s.")
            if shown.hidden:
                self._note("It is hidden now; pictures begin when it is shown.")

    async def stop(self) -> None:
        """Share nothing any more, and tell the person."""
        async with self._one_change:
            ending, self._activity = self._activity, None
            if ending is None:
                self._note(USAGE)
                return
            await ending.stop()
            self._note("The screen isn't shared any more.")

    # --- Commands ----------------------------------------------------------------------------

    async def _toggle(self, values: Mapping[str, str]) -> None:
        if "TARGET" in values:
            await self.share(values["TARGET"], _seconds(values.get("SECONDS", "1")))
        else:
            await self.stop()

    async def _stop(self, _values: Mapping[str, str]) -> None:
        await self.stop()

    async def _list(self, _values: Mapping[str, str]) -> None:
        targets = await self._targets.number()
        for number, target in enumerate(targets, 1):
            self._note(f"{number:>3}  {_described(target)}")
        if not targets:
            self._note("There is nothing to show.")
        for note in targets.notes:
            self._note(note.text)

    # --- Within --------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Share what was asked for at the start, once there is a session."""
        options = self._console.options
        if options.share_screen is None:
            return
        while self._console.keeper.session is None:
            await self._news.wait()
        try:
            await self.share(options.share_screen, options.share_interval)
        except InternalError:
            raise
        except GeminiLiveError as error:
            self._console.narrator.error(str(error))
        await self._console.front.flush()

    async def _meant(self, text: str) -> ScreenTarget | str:
        """Return the target with a number; ids and titles are found by the library."""
        if not text.isdecimal():
            if _NUMBER.fullmatch(text):
                raise ConfigError(
                    f"{text} is no target: targets have whole numbers. The seconds stand after "
                    f"the target, as in /share-screen 1 {text}."
                )
            return text
        targets = self._targets.numbered or await self._targets.number()
        number = int(text) if len(text) <= MOST_DIGITS else 0
        if not 1 <= number <= len(targets):
            there = f"there are 1 to {len(targets)}" if targets else "there is nothing to show"
            raise MediaError(f"There is no such number: {there}; see /share-screen list.")
        return targets[number - 1]

    @asynccontextmanager
    async def _open(self, target: ScreenTarget | str, interval: float) -> AsyncIterator[Shared]:
        async with open_screen(target, interval=interval) as screen:
            await self._console.keeper.awake()
            yield Shared(screen, interval)

    async def _show(self, shared: Shared) -> None:
        told = ""
        while True:
            try:
                picture = await anext(shared.screen)
            except StopAsyncIteration:
                return
            except MediaError as error:
                if str(error) != told:
                    told = str(error)
                    self._console.narrator.error(f"{told} It is tried again.")
                    await self._console.front.flush()
                continue
            told = ""
            session = self._console.keeper.session
            if session is not None:
                # One that has just ended is followed by another, whose coming asks for a picture.
                with contextlib.suppress(trio.ClosedResourceError, SessionBroken):
                    await session.send_video(picture.data)

    def _ended(self, shared: Shared, error: GeminiLiveError | None) -> None:
        if self.shared is not shared:
            return  # another is shared by now
        self._activity = None
        lost = shared.screen.lost
        why = str(error) if lost is None else lost.text
        self._console.narrator.error(f"{why} It isn't shared any more.")
        self._console.nursery.start_soon(self._console.front.flush)

    def _note(self, text: str) -> None:
        self._console.narrator.note(text)


class _Targets(Sequence[Suggestion]):
    """The targets that were listed last, as suggestions.

    Whoever looks at them gets them at once, and a newer list is made behind his back: looking
    happens in the prompt's thread, and listing takes its time.
    """

    def __init__(self) -> None:
        self.numbered: ScreenTargets | None = None
        """As the person saw them last."""
        self._suggested: Sequence[Suggestion] = ()
        self._listed_at = -math.inf
        self._wanted = trio.Event()
        self._trio = trio.lowlevel.current_trio_token()

    @overload
    def __getitem__(self, index: int) -> Suggestion: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Suggestion]: ...

    def __getitem__(self, index: int | slice) -> Suggestion | Sequence[Suggestion]:
        return self._suggested[index]

    def __len__(self) -> int:
        return len(self._suggested)

    def __iter__(self) -> Iterator[Suggestion]:
        with contextlib.suppress(trio.RunFinishedError):
            self._trio.run_sync_soon(self._wanted.set, idempotent=True)
        return iter(self._suggested)

    async def number(self) -> ScreenTargets:
        """List them for the person, who may go by their numbers."""
        self.numbered = await self.look()
        return self.numbered

    async def keep(self) -> None:
        """List them now and then, as long as somebody looks at them."""
        while True:
            await self._wanted.wait()
            self._wanted = trio.Event()
            if trio.current_time() < self._listed_at + STALE_SECONDS:
                continue
            # Where nothing can be listed nothing is offered; the command says why.
            with contextlib.suppress(MediaError, MissingDependency):
                await self.look()

    async def look(self) -> ScreenTargets:
        """List them."""
        self._listed_at = trio.current_time()
        targets = await list_targets()
        self._suggested = [(target.id, _described(target)) for target in targets]
        return targets


def _described(target: ScreenTarget) -> str:
    name = f" of {target.application}" if target.application else ""
    size = f"{target.width}x{target.height}{'' if target.visible else ', hidden'}"
    return f'{target.kind} "{target.title}"{name} ({target.id}), {size}'


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            f"The seconds between two pictures are a number, {INTERVALS[0]:g} to "
            f"{INTERVALS[1]:g}, not {text!r}."
        ) from None
