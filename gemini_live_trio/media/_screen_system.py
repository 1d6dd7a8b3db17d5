"""Monitors of Windows and macOS, through mss, which knows no windows.

An object of mss remembers the monitors that it found first. So pictures are taken with one that
stays, and where the monitors are is asked of a short-lived one each time.
"""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from types import TracebackType
from typing import Any

import mss

from ..errors import MediaError
from ._screen_targets import Gone, Pixels, ScreenNote, ScreenTarget, ScreenTargets, View

__all__ = ["System"]

WINDOWS = "Single windows can be shown on X11 only; here, whole monitors can."
PERMISSION = (
    "macOS doesn't let this program see the screen. Allow it, or the terminal it runs in, in "
    "System Settings > Privacy & Security > Screen & System Audio Recording, and start it again."
)


class System:
    """The screen of this machine; a context manager that opens it."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> System:
        with _telling("Can't use the screen"):
            self._mss = self._open.enter_context(mss.MSS())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()

    def interrupt(self) -> None:
        """Do nothing: there is no server that could keep us waiting."""

    def targets(self) -> ScreenTargets:
        """List the monitors."""
        obstacle = "" if sys.platform != "darwin" or _macos_allows() else PERMISSION
        notes = [ScreenNote(about="windows", text=WINDOWS)]
        if obstacle:
            notes.append(ScreenNote(about="permission", text=obstacle))
        return ScreenTargets(tuple(self._monitors(obstacle).values()), tuple(notes))

    @contextmanager
    def look_at(self, target: ScreenTarget) -> Iterator[View]:
        """Prepare for taking pictures of it."""
        names = [name for name, found in self._monitors().items() if found.id == target.id]
        yield partial(self._grab, target, names[0] if names else "")

    def _grab(self, target: ScreenTarget, name: str) -> Pixels:
        now = self._monitors().get(name)
        if now is None:
            text = f'The monitor "{target.title}" was unplugged or switched off.'
            raise Gone("unplugged", text)
        place = {side: getattr(now, side) for side in ("left", "top", "width", "height")}
        with _telling(f'Can\'t take a picture of "{target.title}"'):
            picture = self._mss.grab(place)
        return Pixels(bytes(picture.raw), picture.width, picture.height, time.monotonic())

    def _monitors(self, obstacle: str = "") -> dict[str, ScreenTarget]:
        """Find each under what it is known by again when others come and go."""
        with _telling("Can't find out what monitors there are"), mss.MSS() as fresh:
            desktop, *monitors = fresh.monitors
        found = {
            str(monitor.get("unique_id") or number): _target(
                monitor,
                id=f"monitor:{number}",
                title=str(monitor.get("name") or monitor.get("output") or f"monitor {number}"),
                primary=bool(monitor.get("is_primary")),
                obstacle=obstacle,
            )
            for number, monitor in enumerate(monitors, 1)
        }
        found = dict(sorted(found.items(), key=lambda item: not item[1].primary))
        if len(found) != 1:
            found["desktop"] = _target(
                desktop, id="desktop", title="all monitors", primary=not found, obstacle=obstacle
            )
        return found


def _target(place: Mapping[str, Any], **known: Any) -> ScreenTarget:
    return ScreenTarget(
        kind="monitor",
        left=place["left"],
        top=place["top"],
        width=place["width"],
        height=place["height"],
        **known,
    )


def _macos_allows() -> bool:
    """Ask macOS, which otherwise shows nothing but the wallpaper; asking doesn't prompt."""
    graphics = ctypes.CDLL("/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics")
    try:
        preflight = graphics.CGPreflightScreenCaptureAccess
    except AttributeError:
        return True  # older than the permission
    preflight.restype = ctypes.c_bool
    return bool(preflight())


@contextmanager
def _telling(what: str) -> Iterator[None]:
    try:
        yield
    except mss.ScreenShotError as error:
        raise MediaError(f"{what}: {str(error).rstrip('.')}.") from None
