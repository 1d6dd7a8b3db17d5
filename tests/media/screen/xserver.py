"""X servers without a screen, and windows to look at."""

from __future__ import annotations

import importlib.util
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["COLOURS", "Client", "Window", "XServer", "needs", "x_server"]

PATIENCE = 20
"""Seconds: without a bound a lost event would hang the test."""

COLOURS = (0xCC2222, 0x22AA33, 0x2244CC, 0xEEDD44)
"""Of the quarters of what the tests paint: above left, above right, below left, below right."""


def needs(*programs: str, modules: Sequence[str] = ()) -> None:
    """Skip without them, unless the tests of devices must run."""
    missing = [program for program in programs if shutil.which(program) is None]
    missing += [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        assert "DEVICES_REQUIRED" not in os.environ, f"not installed: {', '.join(missing)}"
        pytest.skip(f"needs {', '.join(missing)}")


class XServer:
    """An Xvfb of one's own; ``x_server`` starts it."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        self.process = process
        self.name = name

    def run(self, *command: str) -> str:
        """Run a program on it, and return what it prints."""
        needs(command[0])
        done = subprocess.run(
            command, env=self.environment(), check=True, capture_output=True, text=True
        )
        return done.stdout

    def environment(self) -> dict[str, str]:
        """For programs that shall show something on it."""
        return {**os.environ, "DISPLAY": self.name}

    def pause(self) -> None:
        """Make it hang."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        self.process.kill()
        self.process.wait()

    @contextmanager
    def manager(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run a window manager, for the length of a block."""
        needs("openbox")
        with subprocess.Popen(
            # Before it is ready it loses windows that want to be shown.
            ["openbox", "--startup", "echo ready"],
            env=self.environment(),
            stdout=subprocess.PIPE,
        ) as process:
            try:
                assert process.stdout is not None
                assert b"ready\n" in process.stdout, "openbox did not start"
                yield process
            finally:
                process.terminate()


@contextmanager
def x_server(size: str = "1280x720x24", *options: str) -> Iterator[XServer]:
    """Start one on a free number. With ``-noreset``, what was painted stays."""
    needs("Xvfb", modules=["Xlib", "PIL"])
    read_end, write_end = os.pipe()
    process = subprocess.Popen(
        [
            *("Xvfb", "-displayfd", str(write_end), "-screen", "0", size),
            *("-nolisten", "tcp", "-noreset", *options),
        ],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    try:
        os.close(write_end)
        with os.fdopen(read_end) as number:
            name = f":{number.readline().strip()}"
        assert name != ":", "Xvfb did not start"
        yield XServer(process, name)
    finally:
        process.send_signal(signal.SIGCONT)
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    # It may overlook a signal that comes just when it begins to wait for clients.
    for _ in range(5):
        process.terminate()
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            continue
        return
    process.kill()
    process.wait()


class Client:
    """A connection of the test's own, by which it paints."""

    def __init__(self, server: XServer) -> None:
        from Xlib import error
        from Xlib.display import Display
        from Xlib.protocol import display, event

        # python-xlib lets all connections share its tables, though each server has others.
        tables = {
            "extension_major_opcodes": {},
            "error_classes": error.xerror_class.copy(),
            "event_classes": event.event_class.copy(),
        }
        for name, table in tables.items():
            setattr(display.Display, name, table)
        self.server = server
        self.display: Any = Display(server.name)
        vars(self.display.display).update(tables)
        self.root: Any = self.display.screen().root

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        from Xlib.error import ConnectionClosedError

        try:
            self.display.close()
        except ConnectionClosedError:
            self.display.display.socket.close()

    def paint(
        self, drawable: Any, width: int, height: int, colours: Sequence[int] = COLOURS
    ) -> None:
        """Fill its quarters, for good: the server repaints what was covered."""
        tile = drawable.create_pixmap(width, height, drawable.get_geometry().depth)
        pen = tile.create_gc()
        for number, colour in enumerate(colours):
            column, row = number % 2, number // 2
            pen.change(foreground=colour)
            tile.fill_rectangle(
                pen,
                column * width // 2,
                row * height // 2,
                width - width // 2,
                height - height // 2,
            )
        drawable.change_attributes(background_pixmap=tile)
        drawable.clear_area(0, 0, 0, 0)
        tile.free()
        pen.free()
        self.display.sync()

    def paint_desktop(self, *colours: int) -> None:
        """Paint the root window."""
        size = self.root.get_geometry()
        self.paint(self.root, size.width, size.height, colours or COLOURS)

    def window(
        self,
        left: int = 100,
        top: int = 80,
        width: int = 400,
        height: int = 300,
        *,
        colours: Sequence[int] = COLOURS,
        title: str = "quarters",
        border: int = 0,
        **attributes: Any,
    ) -> Window:
        """Show a window, and wait until it is there."""
        from Xlib import X

        made = self.root.create_window(
            *(left, top, width, height, border, self.root.get_geometry().depth),
            event_mask=X.StructureNotifyMask,
            **attributes,
        )
        utf8 = self.display.intern_atom("UTF8_STRING")
        made.change_property(self.display.intern_atom("_NET_WM_NAME"), utf8, 8, title.encode())
        made.set_wm_class("quarters", "Quarters")
        made.change_property(
            self.display.intern_atom("_NET_WM_PID"),
            *(self.display.intern_atom("CARDINAL"), 32, [os.getpid()]),
        )
        self.paint(made, width, height, colours)
        window = Window(self, made)
        window.show()
        return window

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait for events until something is so."""
        while not condition():
            if not self.display.pending_events():
                ready, _, _ = select.select([self.display], [], [], PATIENCE)
                assert ready, "nothing has happened"
            while self.display.pending_events():
                self.display.next_event()

    def has_property(self, window: Any, name: str) -> bool:
        """Whether a window has a property."""
        from Xlib import X

        return (
            window.get_full_property(self.display.intern_atom(name), X.AnyPropertyType) is not None
        )

    def clients(self) -> int:
        """How many connections the server has, this one included."""
        return len(self.display.res_query_clients().clients)

    def wait_for_clients(self, count: int) -> None:
        """Wait until it has so many: the server notices in its own time that one has left."""
        patience = time.monotonic() + PATIENCE
        while self.clients() != count:
            assert time.monotonic() < patience, f"{self.clients()} connections"


class Window:
    """A window of a test; ``Client.window`` makes it."""

    def __init__(self, client: Client, window: Any) -> None:
        self.client = client
        self.window = window

    @property
    def id(self) -> str:
        """As ``list_targets`` names it."""
        return f"window:{self.window.id:#x}"

    def show(self) -> None:
        """Map it, and wait for that."""
        from Xlib import X

        self.window.map()
        self.client.wait_for(lambda: self.window.get_attributes().map_state == X.IsViewable)

    def minimise(self) -> None:
        """Ask the window manager to, and wait for it."""
        from Xlib import X
        from Xlib.protocol.event import ClientMessage

        message = ClientMessage(
            window=self.window,
            client_type=self.client.display.intern_atom("WM_CHANGE_STATE"),
            data=(32, [3, 0, 0, 0, 0]),  # IconicState
        )
        mask = X.SubstructureRedirectMask | X.SubstructureNotifyMask
        self.client.root.send_event(message, event_mask=mask)
        self.client.wait_for(lambda: self.window.get_attributes().map_state != X.IsViewable)

    def resize(self, width: int, height: int, colours: Sequence[int] = COLOURS) -> None:
        """Give it another size, and wait for that."""
        self.window.configure(width=width, height=height)
        self.client.wait_for(lambda: self.window.get_geometry().width == width)
        self.client.paint(self.window, width, height, colours)

    def close(self) -> None:
        """Destroy it."""
        self.window.destroy()
        self.client.display.sync()
