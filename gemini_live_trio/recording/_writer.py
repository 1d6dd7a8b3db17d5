"""Writing a recording without getting in the way of what is recorded.

The caller only puts frames into a queue. A thread of the writer's own reads their JSON, redacts
it, and writes in steps of 64 KiB or half a second. So neither a slow disk nor a virtual clock
matters, and an event loop is never held up. What waits in the queue is bounded: with more than
32 MiB of it, frames are lost, and a line says how many. A full disk or a closed file ends the
recording; that is logged once, and what is recorded goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self, TypeAlias

import trio

from .._redact import MediaMode, Redactor, Secrets
from ..errors import RecordingError
from ._format import VERSION, Ender, Sender, dump, frame_fields

__all__ = ["RecordingWriter"]

log: Final = logging.getLogger("gemini_live_trio.recording")

MOST_WAITING: Final = 32 * 2**20
STEP_BYTES: Final = 65_536
STEP_SECONDS: Final = 0.5
CLOSE_TIMEOUT: Final = 5.0
_GLANCE: Final = 0.001
"""Seconds that an event loop waits for the disk before it goes round once."""
_OVERHEAD: Final = 200

_Item: TypeAlias = tuple[dict[str, Any], str | bytes | None, int]
"""The fields known when it happened, a frame to be read yet, and what it weighs."""


class RecordingWriter:
    """Writes a recording; leave it as a context manager, or call ``close``.

    ``opened``, ``frame`` and ``ended`` only take note: they take a few microseconds, never wait,
    and never raise. Call them from one thread.

    Args:
      path: The file; one that exists is replaced.
      by: Which program writes it, for the header.
      media: ``"whole"`` keeps sounds and pictures; ``"hash"`` puts their SHA-256 and length there.
      secrets: Texts that never go into the file, such as the API key in use. What looks like a
        credential doesn't anyway.
      clock: Tells the time in seconds; with Trio, ``trio.current_time``.

    Raises:
      RecordingError: the file can't be written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        by: str,
        media: MediaMode = "hash",
        secrets: tuple[str, ...] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path: Path = Path(path)
        self._redactor = Redactor(media, secrets)
        self._media: MediaMode = media
        self._secrets = secrets
        self._clock = clock
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        # Each is written by one thread only: put here, taken there.
        self._put_bytes = 0
        self._taken_bytes = 0
        self._lost_here = 0
        self._lost_there = 0
        self._untold = 0
        self._failure = ""
        self._closed = False
        try:
            self._file: BinaryIO = self.path.open("wb", buffering=0)
        except OSError as error:
            raise RecordingError(
                f"Can't write the recording {self.path}: {error.strerror or error}."
            ) from None
        self._begun = clock()
        stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        header = {"gemini_live_recording": VERSION, "begun": stamp, "by": by, "media": media}
        self._queue.put((header, None, 0))
        # A daemon: a disk that never answers must not keep the program from ending.
        self._thread = threading.Thread(target=self._write_all, name="recording", daemon=True)
        self._thread.start()

    def _keep_out(self, secrets: Secrets) -> None:
        """Leave a session's secrets out as well, those to come too."""
        secrets.keep(self._secrets)
        self._redactor = Redactor(self._media, secrets)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def lost(self) -> int:
        """How many frames are not in the file, and will not be."""
        return self._lost_here + self._lost_there

    @property
    def failure(self) -> str:
        """Why nothing is written any more; empty while all is well."""
        return self._failure

    def opened(self, connection: int, path: str, backend: str = "") -> None:
        """Note that a WebSocket was opened.

        Args:
          connection: Its number, from 1.
          path: What was asked for; its query isn't written.
          backend: ``"gemini"`` or ``"vertex"``.
        """
        bare = path.split("?", 1)[0]
        self._put({"connection": connection, "opened": bare, "backend": backend})

    def frame(self, connection: int, sender: Sender, frame: str | bytes) -> None:
        """Note one frame: a client's or server's own just before it is written, else on arrival.

        So that a cause always stands before its effect.
        """
        self._put({"connection": connection, "from": sender}, frame)

    def ended(self, connection: int, by: Ender, code: int, reason: str = "") -> None:
        """Note that a connection ended."""
        self._put({"connection": connection, "ended": by, "code": code, "reason": reason})

    def close(self) -> None:
        """Write what waits, and close the file; waits for the disk, for 5 s at most."""
        if self._finish():
            self._thread.join(CLOSE_TIMEOUT)
            self._conclude()

    async def aclose(self) -> None:
        """Do as ``close``, without holding up Trio's event loop.

        A virtual clock stands still meanwhile.

        Cancellation: at any time; what waits is still written, for 5 s at most.
        """
        if self._finish():
            # In a thread of Trio's, a clock that jumps when all is idle would run on.
            with trio.CancelScope(shield=True):
                give_up = time.monotonic() + CLOSE_TIMEOUT
                while self._thread.is_alive() and time.monotonic() < give_up:
                    self._thread.join(_GLANCE)
                    await trio.lowlevel.checkpoint()
            self._conclude()
        await trio.lowlevel.checkpoint()

    def _finish(self) -> bool:
        """Let the thread come to its end; tell whether it is to be waited for."""
        if self._closed:
            return False
        self._tell_of_lost()
        self._put({"complete": True})
        self._closed = True
        self._queue.put(None)
        return True

    def _conclude(self) -> None:
        if self._thread.is_alive():
            self._fail(f"the disk took nothing for {CLOSE_TIMEOUT:g} s")
        if self.lost:
            log.warning("The recording %s lacks %d frames.", self.path, self.lost)

    def _put(self, fields: dict[str, Any], frame: str | bytes | None = None) -> None:
        now = self._clock() - self._begun
        weight = _OVERHEAD + (len(frame) if frame is not None else 0)
        if self._closed or self._failure:
            self._lost_here += frame is not None
            return
        if self._put_bytes - self._taken_bytes + weight > MOST_WAITING and frame is not None:
            if not self._lost_here:
                log.warning("The recording %s can't keep up; frames are lost.", self.path)
            self._lost_here += 1
            self._untold += 1
            return
        self._tell_of_lost()
        self._put_bytes += weight
        self._queue.put(({"t": round(now, 6), **fields}, frame, weight))

    def _tell_of_lost(self) -> None:
        if self._untold and not self._closed:
            count, self._untold = self._untold, 0
            now = round(self._clock() - self._begun, 6)
            self._queue.put(({"t": now, "lost": count}, None, 0))

    # --- In the thread ---

    def _write_all(self) -> None:
        try:
            self._write_steps()
        except BaseException:
            self._fail("it met a fault of its own")
            raise
        finally:
            with contextlib.suppress(OSError):
                self._file.close()

    def _write_steps(self) -> None:
        lines: list[bytes] = []
        frames = size = 0
        over = False
        while not over:
            item: _Item | None = None
            with contextlib.suppress(queue.Empty):
                item = self._queue.get(timeout=STEP_SECONDS if lines else None)
                over = item is None
            if item is not None:
                fields, frame, weight = item
                self._taken_bytes += weight
                if self._failure:
                    self._lost_there += frame is not None
                    continue
                if frame is not None:
                    fields.update(frame_fields(frame, self._redactor))
                    frames += 1
                for name in {"opened", "reason"} & fields.keys():
                    fields[name] = self._redactor.text(fields[name])
                lines.append(dump(fields) + b"\n")
                size += len(lines[-1])
            if lines and (item is None or size >= STEP_BYTES):
                if not self._write(b"".join(lines)):
                    self._lost_there += frames
                lines.clear()
                frames = size = 0

    def _write(self, data: bytes) -> bool:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except (OSError, ValueError) as error:  # ValueError: somebody closed it
            self._fail(getattr(error, "strerror", None) or str(error))
            return False
        return True

    def _fail(self, why: str) -> None:
        if not self._failure:
            self._failure = why
            log.warning(
                "Recording to %s has stopped: %s. What is recorded goes on.", self.path, why
            )
