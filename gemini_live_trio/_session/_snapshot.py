"""One moment of a session, in numbers."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import trio

from ..statistics import Drops, Queues, SessionStatistics

if TYPE_CHECKING:
    from ._core import Core

__all__ = ["snapshot"]


def snapshot(core: Core, *, callers: int) -> SessionStatistics:
    """Take a snapshot of a session; ``callers`` is how much they have handed over."""
    now, meter, delivery = trio.current_time(), core.meter, core.conversation.delivery
    events, event_bytes = core.cursors[0].waiting
    return SessionStatistics(
        time=now,
        uptime=0.0 if meter.began is None else now - meter.began,
        connections=core.connections,
        connected=core.connected_since is not None,
        reconnects=MappingProxyType(dict(meter.reconnects)),
        gap_seconds=meter.gap_seconds,
        longest_gap_seconds=meter.longest_gap_seconds,
        frames_sent=meter.frames_sent,
        bytes_sent=meter.bytes_sent,
        frames_received=meter.frames_received,
        bytes_received=meter.bytes_received,
        replayed=meter.replayed + delivery.tally.replayed,
        round_trip=meter.round_trip,
        answer=meter.answer.latency,
        playback=meter.playback.latency,
        queues=Queues(
            callers=callers,
            outgoing=len(delivery.outbox),
            outgoing_audio_seconds=delivery.outbox.audio_seconds,
            unconfirmed=delivery.unconfirmed,
            events=events,
            event_bytes=event_bytes,
        ),
        drops=Drops(
            audio_seconds=meter.dropped("audio_seconds"),
            video_frames=int(meter.dropped("video_frames")),
            messages_unknown=int(meter.dropped("messages_unknown")) + delivery.tally.unknown,
            events=int(meter.dropped("events")),
            undecodable_frames=int(meter.dropped("undecodable_frames")),
            stale_audio_seconds=meter.dropped("stale_audio_seconds"),
            gated_audio_seconds=delivery.gated_audio_seconds,
            gated_video_frames=delivery.gated_video_frames,
        ),
        tools=core.tools.counts(),
        observer_errors=core.watch.errors,
    )
