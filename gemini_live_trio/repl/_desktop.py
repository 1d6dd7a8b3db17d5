"""What the model may do with microphone, speaker and screen, as the commands do it.

Where it would hear or see more than before, the person is asked first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import trio

from ..errors import GeminiLiveError, InternalError, ToolError
from ..tools import Tool, tool
from ._front import Front
from ._sharing import Sharing
from ._sound import Sound

__all__ = ["desktop_groups"]

ASKING_SECONDS: Final = 60.0
_TOOL_SECONDS: Final = ASKING_SECONDS + 30.0


def desktop_groups(
    sound: Callable[[], Sound], sharing: Callable[[], Sharing], front: Front
) -> Mapping[str, tuple[str, Sequence[Tool]]]:
    """Return the groups of tools by their names, each with a summary.

    ``desktop_get_state`` is in all of them, and is the same tool in each.

    Args:
      sound: Gives the part of the client; asked when the model calls, since tools are declared
        before there are parts.
      sharing: The same.
      front: Where the person is asked.
    """
    desktop = _Desktop(sound, sharing, front)
    state = desktop.desktop_get_state
    return {
        "desktop-microphone": (
            "switch the microphone; asks before it is switched on",
            [state, desktop.desktop_set_microphone],
        ),
        "desktop-speaker": ("switch the model's voice", [state, desktop.desktop_set_speaker]),
        "desktop-screen-share": (
            "list monitors and windows by their titles, and share one; asks before it is shared",
            [state, desktop.desktop_list_screen_targets, desktop.desktop_set_screen_share],
        ),
    }


class _Desktop:
    def __init__(
        self, sound: Callable[[], Sound], sharing: Callable[[], Sharing], front: Front
    ) -> None:
        self._get_sound = sound
        self._get_sharing = sharing
        self._front = front

    @property
    def _sound(self) -> Sound:
        return self._get_sound()

    @property
    def _sharing(self) -> Sharing:
        return self._get_sharing()

    @tool
    async def desktop_get_state(self) -> dict[str, Any]:
        """Tell whether microphone, speaker and screen share are on."""
        await trio.lowlevel.checkpoint()
        return self._state()

    @tool(timeout=_TOOL_SECONDS)
    async def desktop_set_microphone(self, enabled: bool) -> dict[str, Any]:
        """Switch the user's microphone on or off. The user is asked before it is switched on.

        Args:
          enabled: Whether it shall be on.
        """
        if enabled != (self._sound.microphone is not None):
            if enabled:
                await self._ask("switch your microphone on")
            with _told():
                await self._sound.switch_microphone(enabled)
        return self._state()

    @tool(timeout=_TOOL_SECONDS)
    async def desktop_set_speaker(self, enabled: bool) -> dict[str, Any]:
        """Let the user hear your voice, or only read your words.

        Args:
          enabled: Whether your voice shall be heard.
        """
        if enabled != (self._sound.speaker is not None):
            with _told():
                await self._sound.switch_speaker(enabled)
        return self._state()

    @tool(timeout=_TOOL_SECONDS)
    async def desktop_list_screen_targets(self) -> dict[str, Any]:
        """List the monitors and windows that can be shared."""
        with _told():
            targets = await self._sharing.targets()
        return {
            "targets": [
                {
                    "id": target.id,
                    "kind": target.kind,
                    "title": target.title,
                    "application": target.application,
                    "width": target.width,
                    "height": target.height,
                    "visible": target.visible,
                }
                for target in targets
            ],
            "notes": [note.text for note in targets.notes],
        }

    @tool(timeout=_TOOL_SECONDS)
    async def desktop_set_screen_share(
        self, enabled: bool, target: str = "", interval_seconds: float = 1.0
    ) -> dict[str, Any]:
        """Look at a monitor or a window of the user, or stop that. The user is asked first.

        Args:
          enabled: Whether it shall be shared; false stops what is shared.
          target: An id of desktop_list_screen_targets.
          interval_seconds: Seconds from one picture to the next, 0.1 to 3600.
        """
        if not enabled:
            if self._sharing.shared is not None:
                await self._sharing.stop()
            return self._state()
        if not target.strip():
            raise ToolError("Name a target: an id of desktop_list_screen_targets.")
        with _told():
            self._sharing.check(interval_seconds)
            known = {found.id: found for found in await self._sharing.targets()}
        if target not in known:
            raise ToolError(f"There is no target {target!r}; desktop_list_screen_targets has all.")
        await self._ask(
            f'see the {known[target].kind} "{known[target].title}" every {interval_seconds:g} s'
        )
        with _told():
            await self._sharing.share(target, interval_seconds)
        return self._state()

    async def _ask(self, what: str) -> None:
        with trio.move_on_after(ASKING_SECONDS) as asking:
            if await self._front.ask(f"The model wants to {what}. Allow it? [y/N]"):
                return
        if asking.cancelled_caught:
            raise ToolError(
                f"The user gave no answer within {ASKING_SECONDS:.0f} s; it wasn't done."
            )
        raise ToolError("The user doesn't allow it.")

    def _state(self) -> dict[str, Any]:
        microphone, speaker = self._sound.microphone, self._sound.speaker
        shared = self._sharing.shared
        return {
            "microphone": {
                "enabled": microphone is not None,
                "muted": self._sound.muted,
                "device": None if microphone is None else microphone.device,
            },
            "speaker": {
                "enabled": speaker is not None,
                "device": None if speaker is None else speaker.device,
            },
            "screen_share": {
                "enabled": shared is not None,
                "target": None if shared is None else shared.screen.target.id,
                "interval_seconds": None if shared is None else shared.interval,
            },
        }


@contextmanager
def _told() -> Iterator[None]:
    """What fails within is told to the model in the words that the person would get."""
    try:
        yield
    except (ToolError, InternalError):
        raise
    except GeminiLiveError as error:
        raise ToolError(str(error)) from error
