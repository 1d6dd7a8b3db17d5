"""What of the X protocol is needed to look at windows, on python-xlib's protocol layer.

Its upper layer is passed over for two reasons. It keeps the numbers of extensions in tables that
all connections of a process share, so that a second server with other extensions breaks both. And
its constructor waits for the server while nobody can get hold of the socket to end that. Other
traps:

* A reply is collected by adding piece to piece, which takes time that grows with the square of its
  length: 145 ms for 3840 x 2160. ``pixels`` reads strips, and takes 13.
* Requests without a reply report their errors to a handler, by default on stderr.
* An empty ``.Xauthority`` makes ``Xlib.xauth`` print on stdout.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import Xlib.protocol.display  # type: ignore[import-untyped]
import Xlib.xauth  # type: ignore[import-untyped]
from Xlib import X, Xatom, error
from Xlib.ext import composite, randr  # type: ignore[import-untyped]
from Xlib.protocol import event, request

from ..errors import MediaError

__all__ = ["DEAD", "Connection"]

DEAD = (error.ConnectionClosedError, OSError)
"""What python-xlib raises when the server has gone."""

ALL_PLANES = 0xFFFF_FFFF
STRIP_BYTES = 1 << 20
PROPERTY_WORDS = 1 << 16
RANDR = (1, 5)
"""Since then, in 2015, it knows of monitors."""


class _Wire(Xlib.protocol.display.Display):  # type: ignore[misc]
    """A connection with tables of its own, where windows are plain numbers."""

    extension_major_opcodes: Any
    error_classes: Any
    event_classes: Any
    resource_classes: Any

    def __init__(self, owner: Connection) -> None:
        owner.wire = self
        self.extension_major_opcodes = {}
        self.error_classes = error.xerror_class.copy()
        self.event_classes = event.event_class.copy()
        self.resource_classes = {}
        super().__init__(owner.name)


class Connection:
    """A connection to an X server; windows, pixmaps and atoms are numbers.

    Every method may raise an exception of ``DEAD``, or an ``Xlib.error.XError``.

    Attributes:
      name: As in ``DISPLAY``.
    """

    name: str

    def __init__(self, name: str) -> None:
        self.name = name
        self.wire: Any = None
        self._atoms: dict[str, int] = {}
        self._extensions: dict[str, int] = {}

    def open(self) -> None:
        """Connect.

        Raises:
          MediaError: There is no such server, or it doesn't let us in.
        """
        setattr(Xlib.xauth, "print", _say_nothing)  # noqa: B010 - it has none of its own
        try:
            _Wire(self)
        except error.DisplayNameError:
            text = f'"{self.name}" is no name of a display; they look like ":0" or "host:0.0".'
        except error.DisplayConnectionError as trouble:
            reason: Any = trouble.msg
            if isinstance(reason, bytes):
                reason = reason.decode("utf-8", "replace")
            text = f"Can't connect to the display {self.name}: {reason.strip().rstrip('.')}."
        except (*DEAD, OverflowError) as trouble:  # the latter of a number that no port has
            text = f"Can't connect to the display {self.name}: {str(trouble).rstrip('.')}."
        else:
            # They show in the next request that has a reply.
            self.wire.set_error_handler(_say_nothing)
            return
        self.close()
        # Out here, where python-xlib's exception doesn't keep its socket any more.
        raise MediaError(text)

    def close(self) -> None:
        """Disconnect, whatever state it is in."""
        with suppress(*DEAD, AttributeError):
            self.wire.close()
        with suppress(AttributeError):
            self.wire.socket.close()

    def interrupt(self) -> None:
        """End what another thread is waiting for in here."""
        with suppress(OSError, AttributeError):
            self.wire.socket.shutdown(socket.SHUT_RDWR)

    @property
    def root(self) -> int:
        """The window that is the desktop."""
        return int(self.wire.info.roots[self.wire.default_screen].root)

    @property
    def little_endian(self) -> bool:
        """Whether pixels come with their lowest byte first."""
        return bool(self.wire.info.image_byte_order == 0)

    def has(self, extension: str) -> bool:
        """Whether the server has an extension."""
        return self._opcode(extension) != 0

    def monitors(self) -> list[Any]:
        """List monitors as RandR does; none, if it is missing or old."""
        opcode = self._opcode(randr.extname)
        if not opcode:
            return []
        known = randr.QueryVersion(
            display=self.wire, opcode=opcode, major_version=RANDR[0], minor_version=RANDR[1]
        )
        if (known.major_version, known.minor_version) < RANDR:
            return []
        found = randr.GetMonitors(
            display=self.wire, opcode=opcode, window=self.root, is_active=True
        )
        return list(found.monitors)

    def children(self) -> list[int]:
        """List what stands on the desktop, the lowest first."""
        return list(request.QueryTree(display=self.wire, window=self.root).children)

    def geometry(self, drawable: int) -> Any:
        """Tell width, height, depth and border of a window or pixmap."""
        return request.GetGeometry(display=self.wire, drawable=drawable)

    def attributes(self, window: int) -> Any:
        """Tell class and state of a window."""
        return request.GetWindowAttributes(display=self.wire, window=window)

    def place(self, window: int) -> tuple[int, int]:
        """Tell where its inside is on the desktop."""
        found = request.TranslateCoords(
            display=self.wire, src_wid=window, dst_wid=self.root, src_x=0, src_y=0
        )
        return found.x, found.y

    def atom_name(self, atom: int) -> str:
        """Tell what a number stands for."""
        return str(request.GetAtomName(display=self.wire, atom=atom).name)

    def numbers(self, window: int, name: str) -> list[int] | None:
        """Read a property of numbers."""
        kind, found = self._property(window, name)
        return list(found[1]) if kind and found[0] == 32 else None

    def text(self, window: int, name: str) -> str:
        """Read a property of text; parts of it are divided by NULs."""
        kind, found = self._property(window, name)
        if not kind or found[0] != 8:
            return ""
        return bytes(found[1]).decode("latin-1" if kind == Xatom.STRING else "utf-8", "replace")

    def watch(self, window: int) -> None:
        """Hear of its end, and let its pixels be kept where ``named_pixmap`` finds them."""
        opcode = self._opcode(composite.extname)
        # The server wants to be asked for its version before anything else.
        composite.QueryVersion(display=self.wire, opcode=opcode, major_version=0, minor_version=4)
        attributes = {"event_mask": X.StructureNotifyMask}
        request.ChangeWindowAttributes(display=self.wire, window=window, attrs=attributes)
        composite.RedirectWindow(
            display=self.wire, opcode=opcode, window=window, update=composite.RedirectAutomatic
        )

    def unwatch(self, window: int) -> None:
        """Let the server keep its pixels where it likes."""
        composite.UnredirectWindow(
            display=self.wire,
            opcode=self._opcode(composite.extname),
            window=window,
            update=composite.RedirectAutomatic,
        )

    def name_pixmap(self, window: int) -> int:
        """Give the pixels of a watched window a number; they include its border."""
        pixmap = int(self.wire.allocate_resource_id())
        composite.NameWindowPixmap(
            display=self.wire,
            opcode=self._opcode(composite.extname),
            window=window,
            pixmap=pixmap,
        )
        return pixmap

    def free_pixmap(self, pixmap: int) -> None:
        """Give the number back."""
        request.FreePixmap(display=self.wire, pixmap=pixmap)
        self.wire.free_resource_id(pixmap)

    def pixels(self, drawable: int, left: int, top: int, width: int, height: int) -> bytes:
        """Read a rectangle, rows from the top."""
        rows = max(1, STRIP_BYTES // (4 * width))
        strips = [
            request.GetImage(
                display=self.wire,
                format=X.ZPixmap,
                drawable=drawable,
                x=left,
                y=top + row,
                width=width,
                height=min(rows, height - row),
                plane_mask=ALL_PLANES,
            ).data
            for row in range(0, height, rows)
        ]
        return b"".join(strips)

    def destroyed(self) -> set[int]:
        """Tell which watched windows have come to their end since it was asked."""
        request.GetInputFocus(display=self.wire)  # the reply comes after all events before it
        events = [self.wire.next_event() for _ in range(self.wire.pending_events())]
        return {found.window for found in events if found.type == X.DestroyNotify}

    def _property(self, window: int, name: str) -> tuple[int, Any]:
        """Read a property: its type, and a pair of format and data; 0 and anything if unset."""
        if not self._atoms.get(name):
            found = request.InternAtom(display=self.wire, name=name, only_if_exists=True)
            self._atoms[name] = found.atom
        if not self._atoms[name]:
            return 0, None
        found = request.GetProperty(
            display=self.wire,
            delete=False,
            window=window,
            property=self._atoms[name],
            type=X.AnyPropertyType,
            long_offset=0,
            long_length=PROPERTY_WORDS,
        )
        return found.property_type, found.value

    def _opcode(self, extension: str) -> int:
        """Tell the number of an extension; 0 if the server doesn't have it."""
        if extension not in self._extensions:
            found = request.QueryExtension(display=self.wire, name=extension)
            self._extensions[extension] = found.major_opcode if found.present else 0
        return self._extensions[extension]


def _say_nothing(*_: object, **__: object) -> None:
    pass
