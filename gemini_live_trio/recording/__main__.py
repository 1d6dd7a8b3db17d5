"""Show a recording, or compare two."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ..errors import RecordingError
from . import Ended, Frame, Happening, Incomplete, Lost, Opened, Recording, diff, read_recording
from ._diff import comparable
from ._shown import shown

WIDTH: Final = 160
LONGEST: Final = 300
SAME, DIFFERENT, TROUBLE = 0, 1, 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gemini_live_trio.recording", description="Look at recorded sessions."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("show", help="print what happened, a line each")
    show.add_argument("file")
    show.add_argument(
        "--connection", type=int, metavar="N", help="only this connection, counted from 1"
    )
    compare = commands.add_parser(
        "diff",
        help="print what two recordings say differently; "
        "exit status 0 for nothing, 1 for something, 2 for trouble",
    )
    compare.add_argument("first")
    compare.add_argument("second")
    return parser


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$media"} and isinstance(marker := value["$media"], dict):
        unit = "bytes" if "bytes" in marker else "characters"
        count = marker.get(unit)
        return f"({count:,} {unit})" if isinstance(count, int) else "(media)"
    return {key: _shown(item) for key, item in value.items()}


def _line(happening: Happening, recording: Recording) -> str:
    match happening:
        case Frame(sender=sender):
            tree = _shown(comparable(happening, recording.header.media))
            text = json.dumps(tree, ensure_ascii=False)
            text = text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."
            return f"{'>' if sender == 'client' else '<'} {text}"
        case Opened(path=path, backend=backend):
            return f"opened {path} {backend}".rstrip()
        case Ended(by=by, code=code, reason=reason):
            return f"ended by {by}: {code} {reason}".rstrip()
        case Lost(count=count):
            return f"{count} frames are missing"
        case Incomplete(why=why):
            return why


def _show(recording: Recording, connection: int | None) -> Iterator[str]:
    header = recording.header
    begun = f"begun {header.begun.isoformat()} by {header.by}; media: {header.media}"
    yield shown(begun, LONGEST)
    for happening in recording:
        number = getattr(happening, "connection", None)
        if connection in (None, number):
            time = getattr(happening, "time", None)
            clock = "" if time is None else f"{time:.3f}"
            line = f"{clock:>10} {number or '-':>3} {_line(happening, recording)}"
            yield shown(line, LONGEST)


def _run(options: argparse.Namespace) -> int:
    if options.command == "show":
        for line in _show(read_recording(options.file), options.connection):
            print(line)  # noqa: T201 (its purpose)
        return SAME
    differences = diff(read_recording(options.first), read_recording(options.second))
    for difference in differences:
        print(difference)  # noqa: T201
    return DIFFERENT if differences else SAME


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit status."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # what the terminal has no letters for
    try:
        status = _run(options)
        sys.stdout.flush()
    except RecordingError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return TROUBLE
    except BrokenPipeError:
        # The reader has seen enough; Python would flush once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SAME
    return status


if __name__ == "__main__":
    sys.exit(main())
