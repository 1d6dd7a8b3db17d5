"""Hold another program's codec against this library's properties.

    python -m gemini_live_trio.testing.conformance "COMMAND"

starts COMMAND (split as a POSIX shell would, run without one) and talks to it in JSON lines. Each
line to its standard input is one case::

    {"case": 1, "root": "server", "frame": "{\\"goAway\\":{\\"timeLeft\\":\\"50s\\"}}"}
    {"case": 2, "root": "client", "frame_base64": "eyJzZXR1cCI6"}

``root`` says who sends such frames: ``server`` is what a client decodes, ``client`` what a server
does. The frame is text, or base64 of the bytes of a binary frame. The program decodes it and
encodes what it has understood, and answers with one line, in order, flushed at once::

    {"case": 1, "frame": "{\\"goAway\\":{\\"timeLeft\\":\\"50.0s\\"}}"}
    {"case": 2, "error": "unexpected end"}

Then it waits for the next line, until its standard input ends. What it writes to its standard error
is passed through.

Checked is that

* a valid frame comes back the same, as ``gemini_live_trio.testing.same_frame`` defines it, with
  everything in it that the program doesn't know;
* a broken or hostile frame is answered at all, with a frame or an error;
* every answer comes within the time limit and the program lives to the end.

The time limit is for the whole case: until the program has read it, however long it is, and has
answered. A failing case is made as small as possible before it is shown, unless the program died or
was too slow: it isn't asked again then. Exit status: 0 when all cases passed, 1 when one failed, 2
when the command can't be run or the arguments are wrong, 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import math
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import trio

from .. import codec, wire
from ..errors import MissingDependency
from .frames import Root, canonical_frame, same_frame

try:
    from hypothesis import HealthCheck, Phase, given, seed, settings
    from hypothesis import strategies as st
    from hypothesis.errors import Flaky

    from . import strategies
except ModuleNotFoundError as _missing:
    _NEEDED = 'The conformance suite needs Hypothesis: pip install "gemini-live-trio[test]"'
    if __name__ == "__main__":
        print(_NEEDED, file=sys.stderr)  # noqa: T201
        sys.exit(2)
    raise MissingDependency(_NEEDED) from _missing

__all__ = ["CaseFailed", "Program", "check", "main", "open_program"]

_ROOTS: Final[dict[str, Root]] = {
    "server": wire.LiveServerMessage,
    "client": wire.LiveClientMessage,
}
_SHOWN: Final = 2_000
_LONGEST_ANSWER: Final = 64 * 1024 * 1024
"""Bytes; the longest case is a thousandth of it."""


class CaseFailed(AssertionError):
    """The program did what a codec mustn't do; the text says what, its notes with which frame."""

    def __init__(self, text: str, *, is_final: bool = False) -> None:
        super().__init__(text)
        self.is_final = is_final
        """The program died or was too slow."""


class _Gone(BaseException):
    """Carries the failure of a program that can't be asked again past Hypothesis.

    Hypothesis would put a hundred smaller cases to it, each of which may take the whole time limit;
    it leaves alone what isn't an ``Exception``.
    """

    def __init__(self, failure: CaseFailed) -> None:
        super().__init__(failure)
        self.failure = failure


class Program:
    """A running program that answers cases; ``open_program`` makes one."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command = command
        self._timeout = seconds
        self._cases = 0
        self._process: trio.Process | None = None
        self._received = bytearray()

    async def _running(self) -> trio.Process:
        if self._process is None:
            self._received.clear()
            self._process = await trio.lowlevel.open_process(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        return self._process

    async def _end(self, *, patience: float) -> None:
        """End its input, and end it if that doesn't; takes no longer than ``patience`` seconds."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        # Nobody outside may leave it running, and what is killed is soon gone.
        with trio.CancelScope(shield=True):
            await process.stdin.aclose()
            with trio.move_on_after(patience):
                await process.wait()
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await process.stdout.aclose()

    async def answer(self, frame: str | bytes, root: str) -> dict[str, Any]:
        """Put one case to it and give its answer.

        It is started anew where the case before it was answered wrongly: it may be out of step.

        Raises:
          CaseFailed: it died, was too slow, or answered something else. ``trio.Cancelled`` leaves
            it to be started anew too.
        """
        self._cases += 1
        case: dict[str, Any] = {"case": self._cases, "root": root}
        if isinstance(frame, bytes):
            case["frame_base64"] = base64.b64encode(frame).decode()
        else:
            case["frame"] = frame
        try:
            process = await self._running()
            with trio.fail_after(self._timeout):
                line = await self._ask(process, json.dumps(case).encode() + b"\n")
            return self._check_answer(line)
        except trio.TooSlowError:
            await self._end(patience=0)
            raise CaseFailed(f"no answer in {self._timeout:g} s", is_final=True) from None
        except BaseException:
            await self._end(patience=0)
            raise

    async def _ask(self, process: trio.Process, case: bytes) -> str:
        # Both at once: a program may answer, or complain at length, before it has read everything.
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell, process, case)
            line = await self._next_line(process)
        if line is None:
            raise CaseFailed(f"the answer is longer than {_LONGEST_ANSWER:,} bytes")
        return line.decode("utf-8", "surrogateescape")

    async def _tell(self, process: trio.Process, case: bytes) -> None:
        assert process.stdin is not None
        # A program that is gone has nothing more to say either, which is what gets reported.
        with contextlib.suppress(trio.BrokenResourceError):
            await process.stdin.send_all(case)

    async def _next_line(self, process: trio.Process) -> bytes | None:
        """Receive a line; empty at the end of its output, ``None`` if it is too long."""
        assert process.stdout is not None
        searched = 0
        while (end := self._received.find(b"\n", searched)) < 0:
            searched = len(self._received)
            if searched > _LONGEST_ANSWER:
                return None
            some = await process.stdout.receive_some()
            if not some:
                return b""
            self._received += some
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return line or b"\n"

    def _check_answer(self, line: str) -> dict[str, Any]:
        if not line:
            raise CaseFailed("the program has ended", is_final=True)
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise CaseFailed(f"the answer is no JSON object: {line[:_SHOWN]!r}")
        if answer.get("case") != self._cases:
            raise CaseFailed(f"the answer is for case {answer.get('case')}, not {self._cases}")
        if not (isinstance(answer.get("frame"), str) or isinstance(answer.get("error"), str)):
            raise CaseFailed('the answer has neither "frame" nor "error" as text')
        return answer


@asynccontextmanager
async def open_program(command: Sequence[str], *, seconds: float) -> AsyncIterator[Program]:
    """Start a program for the length of a block.

    Args:
      command: The program and its arguments.
      seconds: The time for each case, and for ending by itself at the end of the block.

    Raises:
      OSError: it can't be started.
    """
    program = Program(command, seconds)
    await program._running()
    try:
        yield program
    finally:
        await program._end(patience=seconds)


async def check(program: Program, *, examples: int = 200, start: int = 0) -> int:
    """Put cases of all kinds to a program. Cancellation takes effect at the next case.

    Args:
      program: It stays running.
      examples: Cases of each kind.
      start: A seed; the same one gives the same cases.

    Returns:
      How many cases were put to it.

    Raises:
      CaseFailed: one failed; the text tells of the smallest that was found.
    """
    # Hypothesis calls the test as a plain function, so it gets a thread of Trio's.
    return await trio.to_thread.run_sync(partial(_check_all, program, examples, start))


def _check_all(program: Program, examples: int, start: int) -> int:
    valid = {
        "server": strategies.frames(wire.LiveServerMessage),
        # Only what may be sent: a codec for clients rightly refuses to write the rest.
        "client": strategies.client_messages().map(codec.encode),
    }
    count = 0
    for root, message in _ROOTS.items():
        count += _put(program, root, valid[root], examples, start, must_return=True)
        for frames in (strategies.near_frames(message), strategies.hostile_frames()):
            count += _put(program, root, frames, examples, start, must_return=False)
    return count


def _put(
    program: Program,
    root: str,
    frames: st.SearchStrategy[str | bytes] | st.SearchStrategy[str],
    examples: int,
    start: int,
    *,
    must_return: bool,
) -> int:
    count = 0

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.filter_too_much,
        ],
        phases=[Phase.generate, Phase.shrink],
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(frames)
    def put_one(frame: str | bytes) -> None:
        nonlocal count
        count += 1
        try:
            answer = trio.from_thread.run(program.answer, frame, root)
            if must_return:
                _check_return(frame, answer, _ROOTS[root])
        except CaseFailed as failure:
            failure.add_note(f"root: {root}\nframe: {_shown(frame)}")
            if failure.is_final:
                raise _Gone(failure) from None
            raise

    try:
        put_one()
    except _Gone as gone:
        raise gone.failure from None
    except Flaky:
        raise CaseFailed("the program treats the same frame differently each time") from None
    return count


def _check_return(frame: str | bytes, answer: dict[str, Any], root: Root) -> None:
    back = answer.get("frame")
    if back is None:
        raise CaseFailed(f"a valid frame was refused: {answer['error'][:_SHOWN]}")
    if not _same(frame, back, root):
        failure = CaseFailed("a valid frame came back as another")
        failure.add_note(_difference(frame, back, root))
        raise failure


def _same(frame: str | bytes, back: str, root: Root) -> bool:
    try:
        return same_frame(frame, back, root=root)
    except (ValueError, RecursionError):
        return False  # what came back is no JSON


def _difference(frame: str | bytes, back: str, root: Root) -> str:
    try:
        returned = str(canonical_frame(back, root=root))
    except (ValueError, RecursionError):
        returned = "no JSON"
    expected = str(canonical_frame(frame, root=root))
    return (
        f"came back: {back[:_SHOWN]}\ncompared as: {expected[:_SHOWN]}\nwith: {returned[:_SHOWN]}"
    )


def _shown(frame: str | bytes) -> str:
    text = repr(frame)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(frame)} long)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the module's docstring says how."""
    parser = argparse.ArgumentParser(
        prog="python -m gemini_live_trio.testing.conformance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", help="the program, with its arguments")
    parser.add_argument("--examples", type=_count, default=200, help="cases of each kind (200)")
    parser.add_argument("--seed", type=int, default=0, help="for other cases (0)")
    parser.add_argument("--timeout", type=_seconds, default=10.0, help="seconds for a case (10)")
    options = parser.parse_args(arguments)

    try:
        command = shlex.split(options.command)
    except ValueError as error:
        parser.error(f"the command can't be split into words: {error}")
    if not command:
        parser.error("the command is empty; name a program")

    status = 130
    try:
        status = trio.run(_run, command, options)
    except* KeyboardInterrupt:
        print("stopped", file=sys.stderr)  # noqa: T201
    except* OSError as group:
        reason = _first(group)
        parser.error(f"can't run {command[0]!r}: {getattr(reason, 'strerror', None) or reason}")
    return status


async def _run(command: Sequence[str], options: argparse.Namespace) -> int:
    async with open_program(command, seconds=options.timeout) as program:
        try:
            count = await check(program, examples=options.examples, start=options.seed)
        except CaseFailed as failure:
            notes = [note for note in getattr(failure, "__notes__", []) if _is_ours(note)]
            print(f"failed: {failure}", *notes, sep="\n")  # noqa: T201
            return 1
    print(f"passed: {count} cases")  # noqa: T201
    return 0


def _first(group: BaseException) -> BaseException:
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        number = float(text)
        if math.isfinite(number) and number > 0:
            return number
    raise argparse.ArgumentTypeError(f"{text!r} is no positive number of seconds")


def _is_ours(note: str) -> bool:
    # Hypothesis adds its own, about arguments of a function that nobody has written.
    return note.startswith(("root:", "came back:"))


if __name__ == "__main__":
    sys.exit(main())
