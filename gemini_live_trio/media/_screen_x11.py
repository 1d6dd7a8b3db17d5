"""Monitors and windows of an X server.

Of a covered window there are no pixels on the screen. The Composite extension lets the server keep
a window's pixels elsewhere ("redirect" it), in a pixmap that can be given a name and read.
``RedirectAutomatic`` leaves showing it to the server, so that nobody sees a difference, and any
number of programs may ask for it. A window gets a new pixmap whenever it is resized or mapped, so a
name is taken for each picture and given back.

X gives the number of a closed window to a new one, and then one program's window would go on as
another's. So after each picture, before it is used, it is asked whether its window has been
destroyed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import TracebackType

from Xlib import X, error  # type: ignore[import-untyped]

from ..errors import MediaError
from ._screen_targets import Gone, Pixels, ScreenNote, ScreenTarget, ScreenTargets, View
from ._x_connection import DEAD, Connection

__all__ = ["X11"]

DEPTHS = (24, 32)
ATTEMPTS = 3
"""At a picture, if what is looked at changes its size while it is being read."""
TITLE_CHARACTERS = 200

WAYLAND = (
    "This is a Wayland session, where programs can't look at the screen: "
    "only windows of X11 programs can be shown. "
    "To show anything else, log in to an X11 session."
)


class X11:
    """An X server; a context manager that connects.

    Args:
      name: As in ``DISPLAY``.
      wayland: The server only serves old programs in a Wayland session.
    """

    def __init__(self, name: str, *, wayland: bool) -> None:
        self._x = Connection(name)
        self._wayland = wayland

    def __enter__(self) -> X11:
        self._x.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exception: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._x.close()

    def interrupt(self) -> None:
        """End what its thread is waiting for; nothing works afterwards."""
        self._x.interrupt()

    def targets(self) -> ScreenTargets:
        """List monitors and windows."""
        with self._answering():
            targets = (*self._monitors(), *self._windows())
        notes = (ScreenNote(about="wayland", text=WAYLAND),) if self._wayland else ()
        return ScreenTargets(targets, notes)

    @contextmanager
    def look_at(self, target: ScreenTarget) -> Iterator[View]:
        """Prepare for taking pictures of it."""
        if target.kind == "monitor":
            yield partial(self._grab, partial(self._grab_monitor, target))
            return
        window = int(target.id.partition(":")[2], 0)
        with self._answering():
            self._x.watch(window)
        try:
            yield partial(self._grab, partial(self._grab_window, target, window))
        finally:
            with suppress(*DEAD):
                self._x.unwatch(window)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except DEAD:
            raise MediaError(f"The display {self._x.name} has gone.") from None
        except error.XError as refusal:
            raise self._refused(refusal) from None

    def _refused(self, refusal: error.XError) -> MediaError:
        hint = ""
        if isinstance(refusal, error.BadAccess):
            hint = " Through ssh, connect with -Y instead of -X."
        return MediaError(
            f"The display {self._x.name} doesn't let this program look at it "
            f"({type(refusal).__name__}).{hint}"
        )

    def _grab(self, view: View) -> Pixels | None:
        try:
            for attempt in range(ATTEMPTS):
                try:
                    return view()
                except error.XError as refusal:
                    # Most likely it was resized or hidden while it was being read.
                    if attempt == ATTEMPTS - 1:
                        raise self._refused(refusal) from None
        except DEAD:
            raise Gone("display", f"The display {self._x.name} has gone.") from None
        raise AssertionError("unreachable")

    # -- monitors

    def _monitors(self) -> list[ScreenTarget]:
        """List them by the names that ``xrandr`` has for them."""
        whole = self._x.geometry(self._x.root)
        obstacle = WAYLAND if self._wayland else self._unreadable(whole.depth)
        found = []
        for monitor in self._x.monitors():
            name = _printable(self._x.atom_name(monitor.name))
            target = ScreenTarget(
                id=f"monitor:{name}",
                kind="monitor",
                title=name,
                left=monitor.x,
                top=monitor.y,
                width=monitor.width_in_pixels,
                height=monitor.height_in_pixels,
                primary=bool(monitor.primary),
                obstacle=obstacle,
            )
            found.append(target)
        found.sort(key=lambda target: not target.primary)
        if len(found) != 1:
            desktop = ScreenTarget(
                id="desktop",
                kind="monitor",
                title="all monitors",
                left=0,
                top=0,
                width=whole.width,
                height=whole.height,
                primary=not found,
                obstacle=obstacle,
            )
            found.append(desktop)
        return found

    def _grab_monitor(self, target: ScreenTarget) -> Pixels | None:
        now = next((found for found in self._monitors() if found.id == target.id), None)
        if now is None:
            text = f'The monitor "{target.title}" was unplugged or switched off.'
            raise Gone("unplugged", text)
        whole = self._x.geometry(self._x.root)
        left, top = max(0, now.left), max(0, now.top)
        right = min(whole.width, now.left + now.width)
        bottom = min(whole.height, now.top + now.height)
        if left >= right or top >= bottom:
            return None
        pixels = self._read(self._x.root, left, top, right - left, bottom - top)
        self._x.destroyed()  # of no interest, but no event may be left lying
        return pixels

    # -- windows

    def _windows(self) -> list[ScreenTarget]:
        """List those that the window manager manages; without one, what stands on the desktop."""
        missing = ""
        if not self._x.has("Composite"):
            missing = f"The display {self._x.name} has no Composite extension, which windows need."
        managed = self._managed()
        found = []
        for window in self._x.children() if managed is None else managed:
            with suppress(error.BadWindow, error.BadDrawable):  # closed meanwhile
                state = self._x.attributes(window)
                visible = state.map_state == X.IsViewable
                ours = state.win_class == X.InputOutput and not state.override_redirect
                # Without a manager, most are menus, or something that never was on the screen.
                if managed is not None or (visible and ours):
                    found.append(self._window(window, visible, missing))
        return found[::-1]

    def _managed(self) -> list[int] | None:
        """Ask the window manager, if there is one, for its windows."""
        try:
            # The property outlives a manager that crashed, but the window it names doesn't.
            for window in self._x.numbers(self._x.root, "_NET_SUPPORTING_WM_CHECK") or ():
                self._x.attributes(window)
        except error.BadWindow:
            return None
        stacked = self._x.numbers(self._x.root, "_NET_CLIENT_LIST_STACKING")
        return self._x.numbers(self._x.root, "_NET_CLIENT_LIST") if stacked is None else stacked

    def _window(self, window: int, visible: bool, missing: str) -> ScreenTarget:
        geometry = self._x.geometry(window)
        left, top = self._x.place(window)
        pid = self._x.numbers(window, "_NET_WM_PID")
        title = self._x.text(window, "_NET_WM_NAME") or self._x.text(window, "WM_NAME")
        application = self._x.text(window, "WM_CLASS").rstrip("\0").rpartition("\0")[2]
        return ScreenTarget(
            id=f"window:{window:#x}",
            kind="window",
            title=_printable(title) or _printable(application) or "(no title)",
            left=left,
            top=top,
            width=geometry.width,
            height=geometry.height,
            application=_printable(application),
            pid=pid[0] if pid else None,
            visible=visible,
            obstacle=missing or self._unreadable(geometry.depth),
        )

    def _grab_window(self, target: ScreenTarget, window: int) -> Pixels | None:
        try:
            pixels = self._read_window(window)
        except error.XError as refusal:
            pixels = refusal
        if isinstance(pixels, error.BadWindow) or window in self._x.destroyed():
            raise Gone("closed", f'The window "{target.title}" was closed.')
        if isinstance(pixels, error.XError):
            raise pixels
        return pixels

    def _read_window(self, window: int) -> Pixels | None:
        if self._x.attributes(window).map_state != X.IsViewable:
            return None
        border = self._x.geometry(window).border_width
        pixmap = self._x.name_pixmap(window)
        try:
            size = self._x.geometry(pixmap)  # whatever size the window has by now
            inside = (size.width - 2 * border, size.height - 2 * border)
            return self._read(pixmap, border, border, *inside)
        finally:
            self._x.free_pixmap(pixmap)

    # -- what both need

    def _read(self, drawable: int, left: int, top: int, width: int, height: int) -> Pixels:
        raw = self._x.pixels(drawable, left, top, width, height)
        if len(raw) != 4 * width * height:
            raise MediaError(
                f"The display {self._x.name} packs its pixels in a way that isn't known."
            )
        return Pixels(raw, width, height, time.monotonic())

    def _unreadable(self, depth: int) -> str:
        if depth not in DEPTHS:
            return (
                f"It has {depth} bits for a pixel, and pictures can be taken of 24 and 32; "
                f"start the X server of {self._x.name} with a depth of 24."
            )
        if not self._x.little_endian:
            return f"The display {self._x.name} is on a big-endian machine, which isn't supported."
        return ""


def _printable(text: str) -> str:
    """Make a title harmless: other programs choose it, and a terminal may show it."""
    harmless = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(harmless.split())[:TITLE_CHARACTERS]
