"""How a session is doing, in numbers: what ``session.statistics()`` and ``turn_state`` give.

All of it is measured here, on Trio's clock; nothing is asked of the service.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

__all__ = ["Drops", "Latency", "Queues", "SessionStatistics", "ToolCounts", "TurnState"]


@attrs.frozen(kw_only=True)
class Latency:
    """A duration that was measured several times, in seconds; never negative.

    Attributes:
      last: The newest.
      mean: Of all.
      worst: Of all.
      count: How often it was measured.
    """

    last: float
    mean: float
    worst: float
    count: int


@attrs.frozen(kw_only=True)
class Queues:
    """What waits, and for whom.

    Attributes:
      callers: Messages that callers have handed over and the send task hasn't seen.
      outgoing: Messages that wait to be written.
      outgoing_audio_seconds: How much of that is audio.
      unconfirmed: Messages that were written, without a sign yet that the service has them.
      events: Events that wait for the session's own receiver.
      event_bytes: The size of the frames behind them.
    """

    callers: int
    outgoing: int
    outgoing_audio_seconds: float
    unconfirmed: int
    events: int
    event_bytes: int


@attrs.frozen(kw_only=True)
class Drops:
    """What was given up, since the session began.

    Attributes:
      audio_seconds: Audio that was too old to send after a gap.
      video_frames: Pictures that a newer one replaced.
      messages_unknown: Messages of which it will never be known whether the service has them.
      events: Events that a slow receiver missed.
      undecodable_frames: Frames that couldn't be read.
      stale_audio_seconds: Sound of answers that had been interrupted.
      gated_audio_seconds: Audio held back while the model waited for a tool and took no input.
      gated_video_frames: Pictures held back then.
    """

    audio_seconds: float = 0.0
    video_frames: int = 0
    messages_unknown: int = 0
    events: int = 0
    undecodable_frames: int = 0
    stale_audio_seconds: float = 0.0
    gated_audio_seconds: float = 0.0
    gated_video_frames: int = 0


@attrs.frozen(kw_only=True)
class ToolCounts:
    """The calls that tool runners served, since the session began.

    Every call is open or has exactly one of the five outcomes of ``events.ToolOutcome``.

    Attributes:
      calls: How many there were; one that came twice counts once.
      open: Those without an outcome yet.
      answered: Their answers went out.
      cancelled: The service took them back.
      timed_out: They took too long.
      refused: They weren't run, or not to their end.
      retold: Their results were told otherwise, since the service no longer knew them.
      duplicates: How often a call came that was there already.
      shared: How many of them were served with what another one gave.
      late: How often a tool gave something that nobody wanted any more.
    """

    calls: int = 0
    open: int = 0
    answered: int = 0
    cancelled: int = 0
    timed_out: int = 0
    refused: int = 0
    retold: int = 0
    duplicates: int = 0
    shared: int = 0
    late: int = 0


@attrs.frozen(kw_only=True)
class TurnState:
    """Where the newest answer stands. "Is it done?" has four answers, kept apart.

    Attributes:
      generation: Its number, as in ``ModelAudio.generation``; 0 before the first.
      generated: All of it was made (``generationComplete``).
      complete: The service takes it to be spoken (``turnComplete``).
      interrupted: The user cut in.
      idle: Nothing more will come unless the user says something: no answer is running or awaited,
        the model hasn't said that it goes on (``interactionStatus``), and no tool call holds it up.
        An answer is awaited from the moment at which what calls for it is handed over, also to a
        function's result, unless that is ``SILENT``.
      played_out: A player has played all of its sound; ``None`` where none reports.
    """

    generation: int = 0
    generated: bool = False
    complete: bool = False
    interrupted: bool = False
    idle: bool = True
    played_out: bool | None = None


@attrs.frozen(kw_only=True)
class SessionStatistics:
    """One moment of a session; it doesn't change.

    Attributes:
      time: When it was taken, on Trio's clock.
      uptime: Seconds since the first connection was ready.
      connections: How many there were.
      connected: Whether there is one now.
      reconnects: How often a connection was replaced, by cause, as in the table of closes; moves
        after ``goAway`` or on request are ``"planned"``.
      gap_seconds: How long there was no connection, all in all.
      longest_gap_seconds: The worst of these.
      frames_sent: Frames written, with each ``setup``.
      bytes_sent: Their size as text.
      frames_received: Frames that came in.
      bytes_received: Their size.
      replayed: Messages that were sent again after a reconnect.
      round_trip: The newest ping's, ``None`` before there was one; a session pings in silence only.
      answer: From the end of what the user said to the first sound or text of the answer; ``None``
        where nobody told that end, as with an open microphone on models without ``voiceActivity``.
      playback: From the first sound of an answer to its first sample at the device, where a player
        reports.
      queues: What waits.
      drops: What was given up.
      tools: What became of tool calls.
      observer_errors: How often an observer raised.
    """

    time: float
    uptime: float = 0.0
    connections: int = 0
    connected: bool = False
    reconnects: Mapping[str, int] = attrs.field(factory=dict)
    gap_seconds: float = 0.0
    longest_gap_seconds: float = 0.0
    frames_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bytes_received: int = 0
    replayed: int = 0
    round_trip: float | None = None
    answer: Latency | None = None
    playback: Latency | None = None
    queues: Queues
    drops: Drops
    tools: ToolCounts = ToolCounts()
    observer_errors: int = 0
