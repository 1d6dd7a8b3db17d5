"""A command that ends: in its time, with all that it started, and with output that has a bound."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import attrs
import trio
from trio.abc import ReceiveStream

__all__ = ["Finished", "run_process"]

_HEAD: Final = 4 * 1024
_TAIL: Final = 12 * 1024
"""Bytes of each stream that are kept: the beginning, and the end, where errors stand."""
_HEAR_OUT: Final = 1.0
"""Seconds for what has been written when a process ends."""
_REAP: Final = 2.0


@attrs.frozen(kw_only=True)
class Finished:
    """How a command ended."""

    exit_status: int | None
    """``None`` where a signal ended it, or we."""
    ended: str
    """In words."""
    stdout: str
    stderr: str


class _Kept:
    """The beginning and the end of a stream."""

    def __init__(self) -> None:
        self._head: bytearray = bytearray()
        self._tail: bytearray = bytearray()
        self._length: int = 0

    async def take(self, stream: ReceiveStream) -> None:
        async for chunk in stream:
            self._length += len(chunk)
            room = _HEAD - len(self._head)
            self._head += chunk[:room] if room > 0 else b""
            self._tail += chunk[max(0, room) :]
            if len(self._tail) > 2 * _TAIL:
                del self._tail[:-_TAIL]

    def text(self) -> str:
        tail = self._tail[-_TAIL:]
        left_out = self._length - len(self._head) - len(tail)
        head, end = (part.decode(errors="replace") for part in (self._head, tail))
        if not left_out:
            return (self._head + tail).decode(errors="replace")
        return f"{head}\n[{left_out:,} bytes left out]\n{end}"


async def run_process(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], seconds: float
) -> Finished:
    """Run a command without a shell and without input.

    On POSIX it is the leader of a process group, which is killed when the command has ended, its
    time is over, or the call is cancelled. What leaves the group on purpose (a daemon) isn't found
    again; on Windows only the command itself is killed.

    Raises:
      OSError: it can't be started.
      ValueError: the arguments have a NUL in them.
    """
    options: dict[str, Any] = {} if os.name == "nt" else {"start_new_session": True}
    process = await trio.lowlevel.open_process(
        list(argv),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=cwd,
        env=dict(env),
        **options,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    stdout, stderr = _Kept(), _Kept()
    in_time = False
    try:
        with trio.move_on_after(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stdout.take, process.stdout)
                nursery.start_soon(stderr.take, process.stderr)
                await process.wait()
                in_time = True
                # What it left behind may keep the pipes open.
                _kill(process)
                nursery.cancel_scope.deadline = trio.current_time() + _HEAR_OUT
    finally:
        _kill(process)
        with trio.move_on_after(_REAP, shield=True):
            await process.wait()
        with trio.move_on_after(_REAP, shield=True):
            await process.stdout.aclose()
            await process.stderr.aclose()
    return Finished(
        **_end(process.returncode if in_time else None, seconds),
        stdout=stdout.text(),
        stderr=stderr.text(),
    )


def _end(status: int | None, seconds: float) -> dict[str, Any]:
    if status is None:
        return {"exit_status": None, "ended": f"stopped after {seconds:g} s"}
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return {"exit_status": None, "ended": f"killed by {name}"}
    return {"exit_status": status, "ended": "done" if status == 0 else "failed"}


def _kill(process: trio.Process) -> None:
    if os.name == "nt":
        process.kill()
        return
    # The group is there as long as anything in it is, so its number can't be another's.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
