"""Run the simulator as a program."""

from __future__ import annotations

import argparse
import json
import logging
import math
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import trio

from ..errors import MissingDependency, RecordingError
from ._scripts._expecting import ScriptMismatch
from ._server import Simulator, open_simulator

PROGRAM = "python -m gemini_live_trio.simulator"
_SERVICE_LIMIT = 590.0


class _NoOutput(Exception):
    """The JSON line can't be written."""


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 0 up")
    return number


def _announce(line: dict[str, str]) -> None:
    """Write the one line that a program waits for, and make sure that it left."""
    if sys.stdout is None:
        raise _NoOutput("standard output is closed")
    try:
        print(json.dumps(line), flush=True)  # noqa: T201 (its purpose)
    except OSError as error:
        # What is left in the buffer would fail again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise _NoOutput(error.strerror or str(error)) from None


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Simulate the Gemini Live service. Prints one JSON line with the URL to dial, "
        "then serves until Ctrl-C.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=0, help="port; 0 takes a free one (%(default)s)"
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        help="speak TLS; the JSON line then names the certificate to trust, in a file that is "
        "gone at the end",
    )
    parser.add_argument(
        "--api-key-env",
        metavar="NAME",
        help="let in only the API key in this environment variable (default: anybody)",
    )
    parser.add_argument(
        "--voice",
        choices=["auto", "tone", "espeak", "echo"],
        default="auto",
        help="how it speaks; auto is espeak-ng where it is installed (%(default)s)",
    )
    parser.add_argument(
        "--pace",
        type=_number,
        default=1.0,
        help="factor on all waiting: 0 answers at once (%(default)s)",
    )
    parser.add_argument(
        "--connection-limit",
        type=_number,
        metavar="SECONDS",
        default=_SERVICE_LIMIT,
        help="close connections after this long, goAway 50 s before; 0: never (%(default)s)",
    )
    parser.add_argument(
        "--no-resume-lock",
        action="store_true",
        help="take a handle even while its old connection is open",
    )
    parser.add_argument("--text-frames", action="store_true", help="answer in text frames")
    parser.add_argument(
        "--script", metavar="FILE", help="do and expect what is in this file of JSON lines, once"
    )
    parser.add_argument(
        "--mind",
        choices=["auto", "rules", "none"],
        default="auto",
        help="who answers; auto is rules, or with a script none (%(default)s)",
    )
    parser.add_argument(
        "--commands",
        action="store_true",
        help="take lines of the user's such as '!goaway 5' as commands; '!help' lists them",
    )
    parser.add_argument(
        "--record", metavar="FILE", help="record every frame both ways; replaces the file"
    )
    parser.add_argument(
        "--record-media",
        choices=["hash", "whole"],
        default="hash",
        help="keep sounds and pictures in it whole, or only their hashes (%(default)s)",
    )
    parser.add_argument("--replay", metavar="FILE", help="answer as in this recording")
    parser.add_argument(
        "--replay-speed",
        type=float,
        metavar="N",
        default=1.0,
        help="how many times faster than it was recorded; inf: at once (%(default)s)",
    )
    parser.add_argument(
        "--lenient",
        action="store_true",
        help="pass over what is illegal rather than close the connection",
    )
    parser.add_argument(
        "--report", action="store_true", help="tell on stderr at the end what was illegal"
    )
    parser.add_argument(
        "--report-json", metavar="FILE", help="write that as JSON; replaces the file"
    )
    parser.add_argument("--verbose", action="store_true", help="tell on stderr what happens")
    return parser


async def _serve(options: argparse.Namespace, api_key: str | None) -> None:
    served: list[Simulator] = []
    try:
        await _serve_until_told(options, api_key, served)
    except BaseException:
        for simulator in served:  # how it ended is the more important news
            try:
                _report(simulator, options)
            except ValueError as error:
                print(error, file=sys.stderr)  # noqa: T201
        raise
    for simulator in served:
        _report(simulator, options)


async def _serve_until_told(
    options: argparse.Namespace, api_key: str | None, served: list[Simulator]
) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_simulator(
            host=options.host,
            port=options.port,
            tls=options.tls,
            api_key=api_key,
            voice=options.voice,
            pace=options.pace,
            frames="text" if options.text_frames else "binary",
            connection_limit=options.connection_limit or None,
            resume_lock=not options.no_resume_lock,
            record=options.record,
            record_media=options.record_media,
            replay=options.replay,
            replay_speed=options.replay_speed,
            lenient=options.lenient,
            mind=None if options.mind == "none" else options.mind,
            script=options.script,
            commands=options.commands,
        ) as simulator:
            served.append(simulator)
            line = {"url": simulator.url}
            if simulator.ca_certificate is not None:
                line["ca_certificate"] = str(simulator.ca_certificate)
            _announce(line)
            await anext(signals)


def _report(simulator: Simulator, options: argparse.Namespace) -> None:
    report = simulator.legality
    if options.report:
        print(report, file=sys.stderr)  # noqa: T201 (its purpose)
        for difference in simulator.replay_differences:
            print(f"not as recorded: {difference}", file=sys.stderr)  # noqa: T201
    if options.report_json:
        text = json.dumps(report.to_json(), indent=2) + "\n"
        try:
            Path(options.report_json).write_text(text, encoding="utf-8")
        except OSError as error:
            raise ValueError(
                f"Can't write the report {options.report_json}: {error.strerror or error}."
            ) from None


def main(arguments: Sequence[str] | None = None, *, program: str = PROGRAM) -> int:
    """Run it; returns the exit status."""
    parser = _parser(program)
    options = parser.parse_args(arguments)
    if not 0 <= options.port < 65_536:
        parser.error("a port is 0 to 65535")
    if not options.replay_speed > 0:
        parser.error("--replay-speed is more than 0")
    if options.report_json and not Path(options.report_json).absolute().parent.is_dir():
        parser.error(f"there is no folder for --report-json {options.report_json}")
    api_key = None
    if options.api_key_env is not None:
        api_key = os.environ.get(options.api_key_env)
        if not api_key:
            parser.error(f"the environment variable {options.api_key_env} holds no key")
    if options.verbose:
        logging.basicConfig(
            level=logging.INFO,
            stream=sys.stderr,
            format="%(asctime)s %(message)s",
            datefmt="%H:%M:%S",
        )
    try:
        trio.run(_serve, options, api_key)
    except _NoOutput as error:
        print(  # noqa: T201
            f"The simulator can't say where it is: {error}.", file=sys.stderr
        )
        return 1
    except OSError as error:
        place = f"{options.host}:{options.port}"
        print(  # noqa: T201
            f"The simulator can't listen on {place}: {error.strerror or error}.", file=sys.stderr
        )
        return 1
    except (ScriptMismatch, ValueError, MissingDependency, RecordingError) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
