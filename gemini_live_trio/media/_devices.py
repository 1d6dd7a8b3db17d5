"""Sound devices: which there are, and how a stream to one is opened and closed.

PortAudio (through sounddevice) is what talks to them. Its traps, for whoever works here:

* It makes its list of devices when it is initialised. A new list means ending and beginning anew,
  which takes every open stream with it, those that the program opened with sounddevice by itself
  too. So that is done only where a device can't be found and none of our streams is open.
* Opening, closing and listing are calls into drivers: they may take seconds, and with a sound
  server that hangs they take for ever. They run in worker threads, one at a time, and have a
  deadline; a thread that hangs is left behind, since nothing can end it.
* A device may refuse our sample rate, or one channel. Then it is asked with its own rate and with
  more channels, and what comes is mixed and resampled.
"""

from __future__ import annotations

import difflib
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Literal, TypeAlias, TypeVar

import attrs
import trio

from ..errors import ConfigError, MediaError, MissingDependency
from ._limits import check_number
from ._threads import thread_apart

__all__ = ["Device", "Link", "close_link", "list_devices", "open_link"]

Direction: TypeAlias = Literal["input", "output"]
Latency: TypeAlias = float | Literal["low", "high"]

OPEN_SECONDS = 10.0
CLOSE_SECONDS = 2.0
RATES_HZ = range(8_000, 192_001)
BLOCKS_MS = range(5, 201)
MOST_LATENCY = 10.0
MOST_CHANNELS = 32
"""More than that is a sound server's way of saying "as many as you like"."""

MOST_NAMES = 8
"""Listed in an error."""

NAMES = {"input": "microphone", "output": "speaker"}
BUSY, BAD_RATE, BAD_CHANNELS = -9985, -9997, -9998
"""PortAudio's numbers."""

T = TypeVar("T")
_log = logging.getLogger("gemini_live_trio.devices")
_portaudio = threading.Lock()
"""PortAudio is not safe for threads outside of its callbacks."""
_open_links: set[int] = set()
"""Those of our streams that are open; guarded by the lock."""


@attrs.frozen
class Device:
    """A sound device as the system describes it.

    Attributes:
      index: Its number, until the list is made anew.
      name: What the system calls it.
      host_api: By which way it is reached: ``ALSA``, ``Core Audio``, ``Windows WASAPI``, ...
      inputs: How many channels can be recorded; 0 for a device that only plays.
      outputs: How many channels can be played; 0 for a device that only records.
      rate_hz: The sample rate that it likes best.
      default_input: It is recorded from when no device is named.
      default_output: It is played on when no device is named.
    """

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    rate_hz: int
    default_input: bool = False
    default_output: bool = False

    def _channels(self, direction: Direction) -> int:
        return self.inputs if direction == "input" else self.outputs

    def _is_default(self, direction: Direction) -> bool:
        return self.default_input if direction == "input" else self.default_output


def check_device_rate(rate_hz: int) -> None:
    """Refuse a sample rate that no device has."""
    check_number("rate_hz", rate_hz, RATES_HZ[0], RATES_HZ[-1], "samples a second")


def check_stream(device: str | int | None, rate_hz: int, block_ms: int, latency: Latency) -> None:
    """Refuse what no device could do."""
    if device is not None and type(device) not in (str, int):
        raise ConfigError(f"A device is named by a str, an int or None, not by {device!r}.")
    check_device_rate(rate_hz)
    check_number("block_ms", block_ms, BLOCKS_MS[0], BLOCKS_MS[-1], "milliseconds")
    if isinstance(latency, str) and latency not in ("low", "high"):
        raise ConfigError(f"latency must be 'low', 'high' or seconds, not {latency!r}.")
    if not isinstance(latency, str):
        check_number("latency", latency, 0.0, MOST_LATENCY, "seconds", whole=False)


async def list_devices(*, refresh: bool = False) -> list[Device]:
    """Return the sound devices, in the system's order; an empty list where there are none.

    Args:
      refresh: Ask the system anew, for devices that came or went since the program first asked.
        Not to be used in a program that has streams of its own open with sounddevice: they end.

    Raises:
      MissingDependency: The extra ``audio`` isn't installed, or the PortAudio library isn't.
      MediaError: ``refresh`` while a microphone or speaker is open, or the system doesn't answer.

    Cancellation: at any time.
    """

    def listed() -> list[Device]:
        with _portaudio:
            sd = _sounddevice()
            if refresh:
                if _open_links:
                    raise MediaError(
                        "The list of devices can't be made anew while a microphone or speaker is "
                        "open; close it first."
                    )
                _refresh(sd)
            return _devices(sd)

    return await _in_thread(listed, "list the sound devices", thread_apart())


@attrs.define(eq=False)
class Link:
    """A stream that runs; ``open_link`` makes it.

    Attributes:
      device: What it leads to.
      rate_hz: What the device takes or gives.
      channels: How many samples each frame has.
      frames: How many frames each block has.
    """

    device: Device
    rate_hz: int
    channels: int
    frames: int
    _stream: Any = None
    _time: float = 0.0

    @property
    def latency(self) -> float:
        """Seconds between the program and the air, as PortAudio reckons."""
        return float(self._stream.latency)

    def time(self) -> float:
        """Return what the clock says in which blocks are stamped.

        Of a stream that has died, and so tells no time any more: what it said last.
        """
        import sounddevice  # type: ignore[import-untyped]

        with suppress(sounddevice.PortAudioError):
            self._time = float(self._stream.time)
        return self._time


async def open_link(
    direction: Direction,
    device: str | int | None,
    *,
    rate_hz: int,
    block_ms: int,
    latency: Latency,
    callback: Callable[[Link], Callable[..., None]],
    finished: Callable[[], None],
    limiter: trio.CapacityLimiter,
    anew: bool = False,
    keep: Callable[[Link], bool] | None = None,
) -> Link:
    """Open a stream of 16-bit samples, and let it run.

    Args:
      direction: ``"input"`` or ``"output"``.
      device: Index, name or part of a name; ``None`` for the default.
      rate_hz: What is wished for; the link says what came of it.
      block_ms: Milliseconds in a block.
      latency: As PortAudio takes it.
      callback: Given the link, returns what PortAudio shall call for each block.
      finished: Called in PortAudio's thread when the stream has ended, however.
      limiter: Of one token, which a driver that hangs keeps: who tries again with the same limiter
        waits for it, instead of leaving one more thread behind.
      anew: The device was lost: look for it in a new list, if one can be made.
      keep: Given a stream that opened while this was being cancelled; unless true, it is closed.

    Raises:
      MissingDependency, MediaError: As in ``open_microphone``.

    Cancellation: at any time. A driver that is opening the device is waited for, for two seconds;
      what it opens later is closed at once.
    """
    handover = threading.Lock()
    arrived: list[Link] = []
    begun, given_up = threading.Event(), threading.Event()
    over = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def opened() -> Link:
        try:
            with handover:
                if given_up.is_set():
                    raise trio.TooSlowError  # and nobody is there to hear of it
                begun.set()
            with _portaudio:
                sd = _sounddevice()
                if anew and not _open_links:
                    _refresh(sd)
                found = _find(sd, direction, device)
                link = _open(sd, direction, found, rate_hz, block_ms, latency, callback, finished)
                _open_links.add(id(link))
            with handover:
                arrived.append(link)
                late = given_up.is_set()
            if late:
                _close(link)
            return link
        finally:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(over.set)

    await trio.lowlevel.checkpoint()
    try:
        return await _in_thread(opened, f"open the {NAMES[direction]}", limiter)
    except BaseException:
        with handover:
            if not begun.is_set():
                given_up.set()  # it waits for its thread: nothing will be opened
        if not given_up.is_set():
            with trio.move_on_after(CLOSE_SECONDS, shield=True):
                await over.wait()
        with handover:
            given_up.set()
            left_here = tuple(arrived)
        for link in left_here:
            if keep is None or not keep(link):
                await close_link(link)
        raise


async def close_link(link: Link) -> None:
    """Close a stream, in the time that there is for it, also when cancelled."""
    with trio.move_on_after(CLOSE_SECONDS, shield=True) as scope:
        await trio.to_thread.run_sync(_close, link, abandon_on_cancel=True, limiter=thread_apart())
    if scope.cancelled_caught:
        _log.warning(
            "%s did not close within %.0f s and was left behind", link.device.name, CLOSE_SECONDS
        )


def _close(link: Link) -> None:
    # Another device may hang while it is opened, and must not keep this one from being closed.
    orderly = _portaudio.acquire(timeout=CLOSE_SECONDS / 2)
    try:
        link._stream.close(ignore_errors=True)
    finally:
        _open_links.discard(id(link))
        if orderly:
            _portaudio.release()


async def _in_thread(call: Callable[[], T], what: str, limiter: trio.CapacityLimiter) -> T:
    try:
        with trio.fail_after(OPEN_SECONDS):
            return await trio.to_thread.run_sync(call, abandon_on_cancel=True, limiter=limiter)
    except trio.TooSlowError:
        raise MediaError(
            f"The system did not {what} within {OPEN_SECONDS:.0f} s; its sound service may hang."
        ) from None


# --- In worker threads, under the lock ----------------------------------------------------------


def _sounddevice() -> Any:
    from ._alsa import silence_alsa

    silence_alsa()
    try:
        import sounddevice

        from . import pcm  # noqa: F401 - here, since importing numpy takes its time
    except ImportError as error:
        raise MissingDependency(
            'Microphone and speaker need: pip install "gemini-live-trio[audio]"'
        ) from error
    except OSError as error:  # sounddevice is there, and PortAudio isn't
        raise MissingDependency(
            "Microphone and speaker need the PortAudio library: apt-get install libportaudio2, "
            'or what your system calls it; and: pip install "gemini-live-trio[audio]"'
        ) from error
    except Exception as error:  # it starts PortAudio, and its class for errors can't be named yet
        raise _unusable(error) from error
    return sounddevice


def _unusable(error: Exception) -> MediaError:
    text = str(error).rstrip(".")
    return MediaError(f"The system's sound can't be used; PortAudio says: {text}.")


def _refresh(sd: Any) -> None:
    with suppress(sd.PortAudioError):  # where the last refresh got only half way
        sd._terminate()
    try:
        sd._initialize()
    except sd.PortAudioError as error:
        raise _unusable(error) from error


def _devices(sd: Any) -> list[Device]:
    try:
        apis = sd.query_hostapis()
        default = apis[sd.default.hostapi] if apis else {}
        found = sd.query_devices()
    except sd.PortAudioError as error:
        raise _unusable(error) from error
    return [
        Device(
            index=index,
            name=info["name"],
            host_api=apis[info["hostapi"]]["name"],
            inputs=info["max_input_channels"],
            outputs=info["max_output_channels"],
            rate_hz=round(info["default_samplerate"]),
            default_input=index == default["default_input_device"],
            default_output=index == default["default_output_device"],
        )
        for index, info in enumerate(found)
    ]


def _find(sd: Any, direction: Direction, wanted: str | int | None) -> Device:
    try:
        return choose(_devices(sd), direction, wanted)
    except MediaError:
        if _open_links:
            raise
        _refresh(sd)  # it may have been plugged in since the list was made
        return choose(_devices(sd), direction, wanted)


def choose(devices: Sequence[Device], direction: Direction, wanted: str | int | None) -> Device:
    """Return the device that is meant.

    A name is taken as a whole, then without regard to capitals, then as a part. Where several ways
    lead to a device of that name, the default's way is taken, then the first.

    Raises:
      MediaError: There is none, or it isn't clear which.
    """
    kind = NAMES[direction]
    able = [device for device in devices if device._channels(direction)]
    if not able:
        raise MediaError(f"There is no {kind}: the system lists no device for {direction}.")
    if wanted is None:
        return next((device for device in able if device._is_default(direction)), able[0])
    if isinstance(wanted, int):
        found = [device for device in devices if device.index == wanted]
    else:
        sought = wanted.casefold()
        found = (
            [device for device in devices if device.name == wanted]
            or [device for device in devices if device.name.casefold() == sought]
            or [device for device in able if sought and sought in device.name.casefold()]
        )
    if not found:
        names = list(dict.fromkeys(device.name for device in able))
        folded = {name.casefold(): name for name in names}
        near = difflib.get_close_matches(str(wanted).casefold(), folded, n=1, cutoff=0.5)
        if str(wanted) in {str(device.index) for device in able}:
            advice = f"for the device with that number, give the int {wanted}."
        elif near:
            advice = f"did you mean {folded[near[0]]!r}?"
        else:
            advice = f"there is {_listed(names)}."
        raise MediaError(f"There is no {kind} {wanted!r}; {advice}")
    usable = [device for device in found if device._channels(direction)]
    if not usable:
        raise MediaError(
            f"{found[0].name!r} can't be used as a {kind}: it has no channels for {direction}."
        )
    if len({device.name for device in usable}) > 1:
        candidates = _listed([device.name for device in usable])
        raise MediaError(f"{wanted!r} may be {candidates}; say more of its name.")
    ways = [device.host_api for device in devices if device._is_default(direction)]
    return next((device for device in usable if device.host_api in ways), usable[0])


def _listed(names: Sequence[str]) -> str:
    *others, last = dict.fromkeys(repr(name) for name in names[:MOST_NAMES])
    return f"{', '.join(others)} or {last}" if others else last


def _open(
    sd: Any,
    direction: Direction,
    device: Device,
    rate_hz: int,
    block_ms: int,
    latency: Latency,
    callback: Callable[[Link], Callable[..., None]],
    finished: Callable[[], None],
) -> Link:
    kind = sd.RawInputStream if direction == "input" else sd.RawOutputStream
    refusals: list[str] = []
    for rate, channels in _ways(device, direction, rate_hz):
        link = Link(device, rate, channels, rate * block_ms // 1000)
        try:
            link._stream = kind(
                samplerate=rate,
                blocksize=link.frames,
                device=device.index,
                channels=channels,
                dtype="int16",
                latency=latency,
                callback=callback(link),
                finished_callback=finished,
            )
            link._stream.start()
        except sd.PortAudioError as error:
            refusals.append(_reason(error, rate, channels))
            if link._stream is not None:
                link._stream.close(ignore_errors=True)
        else:
            return link
    reasons = "; ".join(dict.fromkeys(refusals))
    raise MediaError(f"Can't open the {NAMES[direction]} {device.name!r}: {reasons}.")


def _ways(device: Device, direction: Direction, rate_hz: int) -> Iterator[tuple[int, int]]:
    """Rates and channels to try, the best first: our own rate, then the device's; mono first."""
    most = min(device._channels(direction), MOST_CHANNELS)
    for rate in dict.fromkeys((rate_hz, device.rate_hz)):
        if rate not in RATES_HZ:
            continue  # a driver's slip
        for channels in dict.fromkeys((1, min(2, most), most)):
            yield rate, channels


def _reason(error: Exception, rate_hz: int, channels: int) -> str:
    text, number = (*error.args, "", 0)[:2]
    if number == BUSY:
        return "it is in use by another program, or is no longer there"
    if number == BAD_RATE:
        return f"it refuses {rate_hz} samples a second"
    if number == BAD_CHANNELS:
        return f"it refuses {channels} channel{'s' * (channels != 1)}"
    detail = error.args[2][2] if len(error.args) > 2 else ""  # the host's own words
    return str(detail or text or "no reason given").rstrip(".")
