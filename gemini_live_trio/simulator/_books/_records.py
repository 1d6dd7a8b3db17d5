"""What a recording says of each connection of the simulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import trio

from ...recording import MediaMode, RecordingWriter, read_recording
from .._door._dialects import Door
from .._door._socket import Socket
from ._replay import Replay

__all__ = ["begin_record", "end_record", "open_recorder", "open_replay"]


def begin_record(recorder: RecordingWriter | None, number: int, socket: Socket, door: Door) -> None:
    """Record a connection from now on; what its upgrade request showed as credentials is not."""
    if recorder is not None:
        recorder.opened(number, _path_of(door), door.backend)
        socket.record = partial(recorder.frame, number)


def end_record(recorder: RecordingWriter | None, number: int, socket: Socket) -> None:
    """Record how a connection ended."""
    if recorder is not None and socket.ending is not None:
        ending = socket.ending
        recorder.ended(number, ending.by, ending.code, ending.reason)


def _path_of(door: Door) -> str:
    if door.vertex:
        service = f"google.cloud.aiplatform.{door.version}.LlmBidiService"
        return f"/ws/{service}/BidiGenerateContent"
    service = f"google.ai.generativelanguage.{door.version}.GenerativeService"
    return f"/ws/{service}.BidiGenerateContent{'Constrained' if door.constrained else ''}"


@contextmanager
def open_recorder(
    path: str | os.PathLike[str] | None, media: MediaMode, api_key: str | None
) -> Iterator[RecordingWriter | None]:
    """Open the recording of a simulator for the length of a block; none without a path.

    Whoever has written into it closes it with ``aclose``, so as not to wait for the disk here.
    """
    if path is None:
        yield None
        return
    with RecordingWriter(
        path,
        by="gemini_live_trio.simulator",
        media=media,
        secrets=(api_key or "",),
        clock=trio.current_time,
    ) as recorder:
        yield recorder


async def open_replay(
    path: str | os.PathLike[str] | None, speed: float, record: str | os.PathLike[str] | None
) -> Replay | None:
    """Open a recording to serve; none without a path."""
    if path is None:
        return None
    if not speed > 0:
        raise ValueError(f"a recording is replayed at a speed above 0, not {speed:g}")
    if record is not None and _are_one(record, path):
        raise ValueError(f"{record} can't be replayed and replaced at once")
    return await Replay.open(read_recording(path), speed)


def _are_one(path: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    return Path(path).exists() and Path(path).samefile(other)
