"""Run the simulator as a program."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence

import trio

from ._server import open_simulator

_SERVICE_LIMIT = 590.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gemini_live_trio.simulator",
        description="Simulate the Gemini Live service. Prints one JSON line with the URL to dial, "
        "then serves until Ctrl-C.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=0, help="port; 0 takes a free one (%(default)s)"
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
        type=float,
        default=1.0,
        help="factor on all waiting: 0 answers at once (%(default)s)",
    )
    parser.add_argument(
        "--connection-limit",
        type=float,
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
    parser.add_argument("--verbose", action="store_true", help="tell on stderr what happens")
    return parser


async def _serve(options: argparse.Namespace, api_key: str | None) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with open_simulator(
            host=options.host,
            port=options.port,
            api_key=api_key,
            voice=options.voice,
            pace=options.pace,
            frames="text" if options.text_frames else "binary",
            connection_limit=options.connection_limit or None,
            resume_lock=not options.no_resume_lock,
        ) as simulator:
            print(json.dumps({"url": simulator.url}), flush=True)  # noqa: T201 (its purpose)
            await anext(signals)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.pace < 0 or options.connection_limit < 0 or not 0 <= options.port < 65_536:
        parser.error("--pace and --connection-limit can't be negative; a port is 0 to 65535")
    api_key = None
    if options.api_key_env is not None:
        api_key = os.environ.get(options.api_key_env)
        if not api_key:
            parser.error(f"the environment variable {options.api_key_env} holds no key")
    if options.verbose:
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    try:
        trio.run(_serve, options, api_key)
    except OSError as error:
        place = f"{options.host}:{options.port}"
        print(  # noqa: T201
            f"The simulator can't listen on {place}: {error.strerror or error}.", file=sys.stderr
        )
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
