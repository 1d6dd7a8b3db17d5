"""Monitors and windows of an X server, through python-xlib.

Of a covered window there are no pixels on the screen. The Composite extension lets the server keep
a window's pixels elsewhere ("redirect" it), in a pixmap that can be given a name and read.
``RedirectAutomatic`` leaves showing it to the server, so that nobody sees a difference, and any
number of programs may ask for it. A window gets a new pixmap whenever it is resized or mapped, so a
name is taken for each picture and given back.

Traps, all met:

* X gives the number of a closed window to the next one, so that one program's window would go on as
  another's. ``DestroyNotify`` is therefore looked for after each picture, before it is used.
* python-xlib collects a reply by adding piece to piece, in time that grows with the square of its
  length: 145 ms for 3840 x 2160. Pictures are read in strips, which takes 13.
* Requests without a reply report errors to a handler, by default on stderr.
* An empty ``.Xauthority`` makes ``Xlib.xauth`` print on stdout.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import Xlib.display  # type: ignore[import-untyped]
import Xlib.xauth  # type: ignore[import-untyped]
from Xlib import X, Xatom, error
from Xlib.ext import composite  # type: ignore[import-untyped]

from ..errors import MediaError
from ._screen_targets import Gone, Pixels, ScreenNote, ScreenTarget, ScreenTargets, View

__all__ = ["X11"]

DEAD = (error.ConnectionClosedError, OSError)
"""What python-xlib raises when the server has gone."""
DEPTHS = (24, 32)
ALL_PLANES = 0xFFFF_FFFF
STRIP_BYTES = 1 << 20
ATTEMPTS = 3
"""At a picture, if what is looked at changes its size while it is being read."""
TITLE_CHARACTERS = 200

WAYLAND = (
    "This is a Wayland session, where programs can't look at the screen: "
    "only windows of X11 programs can be shown. "
    "To show anything else, log in to an X11 session."
)


class X11:
    """A connection to an X server.

    Args:
      name: As in ``DISPLAY``.
      wayland: The server only serves old programs in a Wayland session.

    Raises:
      MediaError: There is no such server, or it doesn't let us in.
    """

    def __init__(self, name: str, *, wayland: bool = False) -> None:
        self._name = name
        self._wayland = wayland
        self._display = _connect(name)
        self._root = self._display.screen().root

    def close(self) -> None:
        """Let go of the connection."""
        with suppress(*DEAD):
            self._display.close()

    def interrupt(self) -> None:
        """End what another thread is waiting for."""
        with suppress(OSError):
            self._display.display.socket.shutdown(socket.SHUT_RDWR)

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
        window = self._object(int(target.id.partition(":")[2], 0))
        with self._answering():
            self._display.composite_query_version()  # the server wants to be asked first
            window.change_attributes(event_mask=X.StructureNotifyMask)
            window.composite_redirect_window(composite.RedirectAutomatic)
        try:
            yield partial(self._grab, partial(self._grab_window, window, target))
        finally:
            with suppress(*DEAD):
                window.composite_unredirect_window(composite.RedirectAutomatic)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except DEAD as trouble:
            raise MediaError(f"The display {self._name} has gone: {trouble}.") from None

    def _grab(self, view: View) -> Pixels | None:
        try:
            for _ in range(ATTEMPTS):
                # An error means: resized, or hidden, while it was being read.
                with suppress(error.XError):
                    return view()
        except DEAD:
            raise Gone("display", f"The display {self._name} has gone.") from None
        return None

    # -- monitors

    def _monitors(self) -> list[ScreenTarget]:
        """List them by the names that ``xrandr`` has for them."""
        whole = self._root.get_geometry()
        obstacle = WAYLAND if self._wayland else self._unreadable(whole.depth)
        found = []
        for monitor in self._randr():
            name = _printable(self._display.get_atom_name(monitor.name))
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

    def _randr(self) -> list[Any]:
        """What RandR knows; it has known of monitors since 1.5, of 2015."""
        if not self._display.has_extension("RANDR"):
            return []
        version = self._display.xrandr_query_version()
        if (version.major_version, version.minor_version) < (1, 5):
            return []
        return list(self._root.xrandr_get_monitors().monitors)

    def _grab_monitor(self, target: ScreenTarget) -> Pixels | None:
        now = next((found for found in self._monitors() if found.id == target.id), None)
        if now is None:
            text = f'The monitor "{target.title}" was unplugged or switched off.'
            raise Gone("unplugged", text)
        whole = self._root.get_geometry()
        left, top = max(0, now.left), max(0, now.top)
        right = min(whole.width, now.left + now.width)
        bottom = min(whole.height, now.top + now.height)
        if left >= right or top >= bottom:
            return None
        return self._read(self._root, left, top, right - left, bottom - top)

    # -- windows

    def _windows(self) -> list[ScreenTarget]:
        """List those that the window manager manages; without one, what stands on the desktop."""

        missing = ""
        if not self._display.has_extension("Composite"):
            missing = f"The display {self._name} has no Composite extension, which windows need."
        managed = self._managed()
        found = []
        for window in self._root.query_tree().children if managed is None else managed:
            with suppress(error.BadWindow, error.BadDrawable):  # closed meanwhile
                attributes = window.get_attributes()
                visible = attributes.map_state == X.IsViewable
                if managed is None and (
                    not visible
                    or attributes.win_class != X.InputOutput
                    or attributes.override_redirect
                ):
                    continue  # a menu, or something that never was on the screen
                found.append(self._window(window, visible, missing))
        return found[::-1]

    def _managed(self) -> list[Any] | None:
        """Ask the window manager, if there is one, for its windows."""

        try:
            # The property outlives a manager that crashed, but the window it names doesn't.
            for number in self._numbers(self._root, "_NET_SUPPORTING_WM_CHECK") or ():
                self._object(number).get_attributes()
        except error.BadWindow:
            return None
        for name in ("_NET_CLIENT_LIST_STACKING", "_NET_CLIENT_LIST"):
            numbers = self._numbers(self._root, name)
            if numbers is not None:
                return [self._object(number) for number in numbers]
        return None

    def _window(self, window: Any, visible: bool, missing: str) -> ScreenTarget:
        geometry = window.get_geometry()
        place = self._root.translate_coords(window, 0, 0)
        pid = self._numbers(window, "_NET_WM_PID")
        title = self._text(window, "_NET_WM_NAME") or self._text(window, "WM_NAME")
        application = self._text(window, "WM_CLASS").rstrip("\0").rpartition("\0")[2]
        return ScreenTarget(
            id=f"window:{window.id:#x}",
            kind="window",
            title=_printable(title) or _printable(application) or "(no title)",
            left=place.x,
            top=place.y,
            width=geometry.width,
            height=geometry.height,
            application=_printable(application),
            pid=pid[0] if pid else None,
            visible=visible,
            obstacle=missing or self._unreadable(geometry.depth),
        )

    def _grab_window(self, window: Any, target: ScreenTarget) -> Pixels | None:

        pixels = None
        with suppress(error.BadWindow, error.BadDrawable):
            if window.get_attributes().map_state == X.IsViewable:
                border = window.get_geometry().border_width
                pixmap = window.composite_name_window_pixmap()
                try:
                    size = pixmap.get_geometry()  # of what is there, whatever the window is by now
                    pixels = self._read(
                        pixmap, border, border, size.width - 2 * border, size.height - 2 * border
                    )
                finally:
                    pixmap.free()
        self._display.sync()
        for _ in range(self._display.pending_events()):
            event = self._display.next_event()
            if event.type == X.DestroyNotify and event.window.id == window.id:
                raise Gone("closed", f'The window "{target.title}" was closed.')
        return pixels

    # -- what both need

    def _read(self, drawable: Any, left: int, top: int, width: int, height: int) -> Pixels:

        rows = max(1, STRIP_BYTES // (4 * width))
        bottom = top + height
        raw = b"".join(
            drawable.get_image(left, y, width, min(rows, bottom - y), X.ZPixmap, ALL_PLANES).data
            for y in range(top, bottom, rows)
        )
        if len(raw) != 4 * width * height:
            raise MediaError(
                f"The display {self._name} packs its pixels in a way that isn't known."
            )
        return Pixels(raw, width, height, time.monotonic())

    def _unreadable(self, depth: int) -> str:
        if depth not in DEPTHS:
            return (
                f"It has {depth} bits for a pixel, and pictures can be taken of 24 and 32; "
                f"start the X server of {self._name} with a depth of 24."
            )
        if self._display.display.info.image_byte_order != 0:
            return f"The display {self._name} is on a big-endian machine, which isn't supported."
        return ""

    def _object(self, number: int) -> Any:
        return self._display.create_resource_object("window", number)

    def _property(self, window: Any, name: str) -> Any:

        atom = self._display.intern_atom(name, only_if_exists=True)
        return window.get_full_property(atom, X.AnyPropertyType) if atom else None

    def _numbers(self, window: Any, name: str) -> list[int] | None:
        found = self._property(window, name)
        return list(found.value) if found is not None and found.format == 32 else None

    def _text(self, window: Any, name: str) -> str:

        found = self._property(window, name)
        if found is None or found.format != 8:
            return ""
        encoding = "latin-1" if found.property_type == Xatom.STRING else "utf-8"
        return bytes(found.value).decode(encoding, "replace")


def _connect(name: str) -> Any:

    setattr(Xlib.xauth, "print", _say_nothing)  # noqa: B010 - it has none of its own
    try:
        connection = Xlib.display.Display(name)
    except error.DisplayNameError:
        raise MediaError(
            f'"{name}" is no name of a display; they look like ":0" or "host:0.0".'
        ) from None
    except (error.DisplayConnectionError, *DEAD) as trouble:
        reason = trouble.msg if isinstance(trouble, error.DisplayConnectionError) else trouble
        if isinstance(reason, bytes):
            reason = reason.decode("utf-8", "replace")
        raise MediaError(
            f"Can't connect to the display {name}: {str(reason).strip().rstrip('.')}."
        ) from None
    # Errors of requests that have no reply show in the next one that has.
    connection.set_error_handler(_say_nothing)
    return connection


def _say_nothing(*_: object, **__: object) -> None:
    pass


def _printable(text: str) -> str:
    """Make a title harmless: other programs choose it, and a terminal may show it."""
    harmless = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(harmless.split())[:TITLE_CHARACTERS]
