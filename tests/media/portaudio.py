"""A stand-in for sounddevice: hardware that no rig has, moved by hand.

It takes the place of the foreign module only, and keeps what of its behaviour matters: errors with
PortAudio's numbers, callbacks from another thread, lists of devices.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import attrs


class PortAudioError(Exception):
    pass


class CallbackAbort(Exception):
    pass


@attrs.define
class Card:
    """One device, and what it refuses."""

    name: str
    inputs: int = 0
    outputs: int = 0
    rate_hz: int = 48_000
    rates_hz: tuple[int, ...] = ()
    """What it takes; nothing means all."""
    channels: tuple[int, ...] = ()
    busy: bool = False
    stamps: bool = True
    clock: float = 100.0
    """What its stream says that the time is; 0 for a dead one, which knows none."""


class FakeSounddevice:
    """What ``import sounddevice`` gives."""

    PortAudioError = PortAudioError
    CallbackAbort = CallbackAbort
    default = SimpleNamespace(hostapi=0)

    def __init__(self, *cards: Card) -> None:
        self.cards = list(cards)
        self.refreshed = 0
        self.streams: list[Stream] = []
        self.tried: list[tuple[int, int]] = []
        self.broken = False
        """PortAudio doesn't start any more."""
        self._initialized = True

    def query_hostapis(self) -> list[dict[str, Any]]:
        def first(kind: str) -> int:
            able = [n for n, card in enumerate(self.cards) if getattr(card, kind)]
            return able[0] if able else -1

        return [
            {
                "name": "Fake",
                "default_input_device": first("inputs"),
                "default_output_device": first("outputs"),
            }
        ]

    def query_devices(self) -> list[dict[str, Any]]:
        return [
            {
                "name": card.name,
                "hostapi": 0,
                "max_input_channels": card.inputs,
                "max_output_channels": card.outputs,
                "default_samplerate": float(card.rate_hz),
            }
            for card in self.cards
        ]

    def _terminate(self) -> None:
        assert not any(stream.open for stream in self.streams)
        if not self._initialized:
            raise PortAudioError("Error terminating PortAudio: PortAudio not initialized", -10000)
        self._initialized = False

    def _initialize(self) -> None:
        if self.broken:
            raise PortAudioError("Error initializing PortAudio: Unanticipated host error", -9999)
        self._initialized = True
        self.refreshed += 1

    def RawInputStream(self, **options: Any) -> Stream:  # noqa: N802
        return Stream(self, **options)

    RawOutputStream = RawInputStream


class Stream:
    latency = 0.04

    def __init__(
        self,
        owner: FakeSounddevice,
        *,
        samplerate: int,
        blocksize: int,
        device: int,
        channels: int,
        callback: Callable[..., None],
        finished_callback: Callable[[], None],
        **_: Any,
    ) -> None:
        card = owner.cards[device]
        owner.tried.append((samplerate, channels))
        if card.busy:
            raise PortAudioError("Error opening: Device unavailable", -9985)
        if card.rates_hz and samplerate not in card.rates_hz:
            raise PortAudioError("Error opening: Invalid sample rate", -9997)
        if card.channels and channels not in card.channels:
            raise PortAudioError("Error opening: Invalid number of channels", -9998)
        self.card = card
        self.samplerate, self.blocksize, self.channels = samplerate, blocksize, channels
        self.callback, self.finished = callback, finished_callback
        self.open = True
        owner.streams.append(self)

    @property
    def time(self) -> float:
        if not self.card.clock:
            raise PortAudioError("Error getting stream time")
        return self.card.clock

    def start(self) -> None:
        pass

    def close(self, ignore_errors: bool = True) -> None:
        if self.open:
            self.open = False
            self.finished()

    def give(self, pcm: bytes, *, at: float = 0.0, overflow: bool = False) -> None:
        """Let the device give a block, as PortAudio does: from another thread."""
        stamp = at if self.card.stamps else 0.0
        time = SimpleNamespace(inputBufferAdcTime=stamp, currentTime=at + self.latency)
        flags = SimpleNamespace(input_overflow=True) if overflow else None
        self._call(lambda: self.callback(pcm, len(pcm) // 2 // self.channels, time, flags))

    def take(self, *, at: float = 0.0) -> bytes:
        """Let the device take a block."""
        data = bytearray(self.blocksize * self.channels * 2)
        stamp = at if self.card.stamps else 0.0
        time = SimpleNamespace(outputBufferDacTime=stamp, currentTime=at - self.latency)
        self._call(lambda: self.callback(data, self.blocksize, time, None))
        return bytes(data)

    def _call(self, callback: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._run, args=[callback])
        thread.start()
        thread.join()

    def _run(self, callback: Callable[[], None]) -> None:
        try:
            callback()
        except CallbackAbort:
            self.finished()
