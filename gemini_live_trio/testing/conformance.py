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

A failing case is made as small as possible before it is shown. Exit status: 0 when all cases
passed, 1 when one failed, 2 when the command can't be run or the arguments are wrong.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import queue
import shlex
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from .. import codec, wire
from . import strategies
from .frames import Root, canonical_frame, same_frame

__all__ = ["CaseFailed", "Program", "check", "main"]

_ROOTS: Final[dict[str, Root]] = {
    "server": wire.LiveServerMessage,
    "client": wire.LiveClientMessage,
}
_SHOWN: Final = 2_000


class CaseFailed(AssertionError):
    """The program did what a codec mustn't do; the text says what, its notes with which frame."""


class Program:
    """A running program that answers cases."""

    def __init__(self, command: Sequence[str], *, timeout: float) -> None:
        """Start it.

        Args:
          command: The program and its arguments.
          timeout: Seconds for each answer.

        Raises:
          OSError: it can't be started.
        """
        self._command = command
        self._timeout = timeout
        self._cases = 0
        self._start()

    def _start(self) -> None:
        # To run what the user names is what this is for, and no shell is involved.
        self._process = subprocess.Popen(  # noqa: S603
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="surrogateescape",
            bufsize=1,
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, args=(self._process, self._lines))
        self._listener.start()

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    def close(self) -> None:
        """End its input, and end it if that doesn't."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it may be gone already
            self._process.stdin.close()
        try:
            self._process.wait(self._timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()
        self._process.stdout.close()

    def answer(self, frame: str | bytes, root: str) -> dict[str, Any]:
        """Put one case to it and give its answer.

        Raises:
          CaseFailed: it died, was too slow, or answered something else. It is started again then.
        """
        self._cases += 1
        case: dict[str, Any] = {"case": self._cases, "root": root}
        if isinstance(frame, bytes):
            case["frame_base64"] = base64.b64encode(frame).decode()
        else:
            case["frame"] = frame
        try:
            line = self._ask(json.dumps(case))
        except (OSError, queue.Empty) as error:
            self._restart()
            slow = isinstance(error, queue.Empty)
            raise CaseFailed(
                f"no answer in {self._timeout:g} s" if slow else "the program has ended"
            ) from None
        if not line:
            self._restart()
            raise CaseFailed("the program has ended")
        try:
            return self._check_answer(line)
        except CaseFailed:
            self._restart()  # it may be out of step
            raise

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._lines.get(timeout=self._timeout)

    def _restart(self) -> None:
        self._process.kill()
        self.close()
        self._start()

    def _check_answer(self, line: str) -> dict[str, Any]:
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


def check(program: Program, *, examples: int = 200, start: int = 0) -> int:
    """Put cases of all kinds to a program.

    Args:
      program: It stays running.
      examples: Cases of each kind.
      start: A seed; the same one gives the same cases.

    Returns:
      How many cases were put to it.

    Raises:
      CaseFailed: one failed; the text tells of the smallest that was found.
    """
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
            answer = program.answer(frame, root)
            if must_return:
                _check_return(frame, answer, _ROOTS[root])
        except CaseFailed as failure:
            failure.add_note(f"root: {root}\nframe: {_shown(frame)}")
            raise

    try:
        put_one()
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
    parser.add_argument("--examples", type=int, default=200, help="cases of each kind (200)")
    parser.add_argument("--seed", type=int, default=0, help="for other cases (0)")
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds for an answer (10)")
    given_ = parser.parse_args(arguments)

    try:
        program = Program(shlex.split(given_.command), timeout=given_.timeout)
    except (OSError, ValueError, IndexError) as error:
        parser.error(f"can't run the command: {error}")
    try:
        count = check(program, examples=given_.examples, start=given_.seed)
    except CaseFailed as failure:
        notes = [note for note in getattr(failure, "__notes__", []) if _is_ours(note)]
        print(f"failed: {failure}", *notes, sep="\n")  # noqa: T201
        return 1
    finally:
        program.close()
    print(f"passed: {count} cases")  # noqa: T201
    return 0


def _is_ours(note: str) -> bool:
    # Hypothesis adds its own, about arguments of a function that nobody has written.
    return note.startswith(("root:", "came back:"))


if __name__ == "__main__":
    sys.exit(main())
