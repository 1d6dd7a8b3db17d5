"""The line to a device, which may break and is mended; microphone and speaker each have one.

A stream can end in three ways. PortAudio says so, when the sound server died or the device was
pulled out. It just falls silent, when the server hangs. Or it goes on, moved by the system to
another device, which nobody needs to notice.

The callback of a stream runs in a thread of PortAudio, where nothing may be slow and nothing may be
raised: it does its work and wakes Trio, at most once until Trio has looked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import attrs
import trio

from ..errors import InternalError, MediaError
from ._devices import NAMES, Direction, Latency, Link, close_link, open_link
from ._threads import thread_apart

__all__ = ["DeviceLost", "DeviceRestored", "Line", "Work"]

FIRST_SECONDS = 5.0
"""A device that slept may take so long to wake up."""
SILENT_SECONDS = 2.0
RETRY_SECONDS = (0.0, 0.5, 1.0, 2.0)
"""Before each try to open a lost device again; the last goes on for ever."""


@attrs.frozen
class DeviceLost:
    """A microphone or speaker fell silent: it was unplugged, or its sound service went away.

    Attributes:
      device: Its name.
      text: What happened, in one sentence.
    """

    device: str
    text: str


@attrs.frozen
class DeviceRestored:
    """A lost microphone or speaker works again, or the default that took its place does.

    Attributes:
      device: The name of what is used now.
      seconds: How long there was none.
    """

    device: str
    seconds: float


@attrs.define(eq=False)
class _Watch:
    """Whether one stream still lives. What the callback writes, Trio's thread only reads."""

    since: float
    blocks: int = 0
    ended: bool = False
    failure: Exception | None = None
    _seen: int = 0

    def death(self, now: float) -> str:
        """Say in a few words what it died of, or nothing; must be asked now and then."""
        if self.ended:
            return "the system ended its stream"
        if self.blocks != self._seen:
            self._seen = self.blocks
            self.since = now
        patience = SILENT_SECONDS if self._seen else FIRST_SECONDS
        if now - self.since > patience:
            return f"nothing has come from it for {patience:.0f} s"
        return ""


Work = Callable[[Any, int, Any, Any], bool]
"""Given PortAudio's four arguments, does what a block needs; true wakes Trio."""


class Line:
    """Holds the stream while there is one.

    Args:
      direction: ``"input"`` or ``"output"``.
      device: As in ``open_link``.
      rate_hz: As in ``open_link``.
      block_ms: As in ``open_link``.
      latency: As in ``open_link``.
      work: Given a link, in the thread that opens it, returns what is done for each block, in
        PortAudio's.
      wake: Called in Trio's thread after a block for which that was true, or at the end.

    Attributes:
      link: The stream, ``None`` while there is none.
      lost: Whether it was told that the device is lost, and not yet that it is back.
      name: The name of the device, the last one while there is none.
      restored: How often a lost device was found again.
    """

    def __init__(
        self,
        direction: Direction,
        device: str | int | None,
        *,
        rate_hz: int,
        block_ms: int,
        latency: Latency,
        work: Callable[[Link], Work],
        wake: Callable[[], None],
    ) -> None:
        self.link: Link | None = None
        self.lost: bool = False
        self.name: str = ""
        self.restored: int = 0
        self._direction: Direction = direction
        self._device = device
        self._rate_hz = rate_hz
        self._block_ms = block_ms
        self._latency: Latency = latency
        self._work = work
        self._wake = wake
        self._trio = trio.lowlevel.current_trio_token()
        self._watch = _Watch(trio.current_time())
        self._lost_at = 0.0
        self._tries = 0
        self._try_at = 0.0
        self._over = trio.Event()
        self._opening = thread_apart()

    async def open(self, *, again: bool = False) -> None:
        """Open the stream; raises and is cancelled like ``open_link``.

        When it is opened again, one that opens while this is being cancelled is kept.
        """
        watch = self._watch = _Watch(trio.current_time())
        link = await open_link(
            self._direction,
            self._device,
            rate_hz=self._rate_hz,
            block_ms=self._block_ms,
            latency=self._latency,
            callback=lambda link: self._callback(link, watch),
            finished=lambda: self._finished(watch),
            limiter=self._opening,
            anew=again,
            keep=self._keep if again else None,
        )
        self._use(link)

    def _use(self, link: Link) -> None:
        self.link = link
        self.name = link.device.name

    def _keep(self, link: Link) -> bool:
        if self._over.is_set():
            return False
        self._use(link)
        return True

    async def close(self) -> None:
        """Close the stream, if there is one, also when cancelled."""
        link, self.link = self.link, None
        if link is not None:
            await close_link(link)

    def end(self) -> None:
        """Let whoever is in ``retry`` give it up; what still opens there is closed."""
        self._over.set()

    def trouble(self) -> DeviceLost | None:
        """Tell whether the stream has died; must be asked about once a second.

        Raises:
          InternalError: Our own work for a block failed.
        """
        if self.link is None:
            return None
        if self._watch.failure is not None:
            raise InternalError(f"The {NAMES[self._direction]} failed.") from self._watch.failure
        death = self._watch.death(trio.current_time())
        if not death:
            return None
        self.lost = True
        self._lost_at = self._try_at = trio.current_time()
        self._tries = 0
        kind = NAMES[self._direction]
        return DeviceLost(self.name, f"The {kind} {self.name!r} was lost: {death}.")

    async def retry(self) -> DeviceRestored | None:
        """Wait until it is time, then try once to open the device again.

        Cancellation: at any time. When it is time stays, and so does a stream that opened within
          the two seconds that a driver is waited for. A try that was cancelled otherwise has
          failed: with time-outs so short, a driver that takes longer is tried for ever in vain.
        """
        if self.link is None:
            with trio.move_on_at(self._try_at):
                await self._over.wait()
            if self._over.is_set():
                return None
            try:
                await self.open(again=True)
            except MediaError:
                return None  # it is told that the device is lost, and by no word that it is back
            finally:
                self._tries += 1
                delay = RETRY_SECONDS[min(self._tries, len(RETRY_SECONDS) - 1)]
                self._try_at = trio.current_time() + delay
        if self._over.is_set():
            await self.close()
            return None
        self.lost = False
        self.restored += 1
        return DeviceRestored(self.name, trio.current_time() - self._lost_at)

    # --- In PortAudio's thread -------------------------------------------------------------

    def _callback(self, link: Link, watch: _Watch) -> Callable[[Any, int, Any, Any], None]:
        import sounddevice  # type: ignore[import-untyped]

        work = self._work(link)

        def call(data: Any, frames: int, time: Any, status: Any) -> None:
            watch.blocks += 1
            try:
                if work(data, frames, time, status):
                    self._trio.run_sync_soon(self._wake, idempotent=True)
            except trio.RunFinishedError:  # whoever opened it is gone for good
                raise sounddevice.CallbackAbort from None
            except Exception as error:  # noqa: BLE001
                watch.failure = error  # told by the next look at it
                raise sounddevice.CallbackAbort from None

        return call

    def _finished(self, watch: _Watch) -> None:
        watch.ended = True
        with suppress(trio.RunFinishedError):
            self._trio.run_sync_soon(self._wake, idempotent=True)
