"""The options of scripts, and what goes together with what."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from .. import codec, wire
from ..errors import ConfigError, DecodeError

__all__ = [
    "StandardInput",
    "add_input_options",
    "add_output_options",
    "check",
    "read_tools",
    "sound_named",
]

RATES_HZ: Final = range(1_000, 768_001)
MOST_TOOLS_BYTES: Final = 4 << 20


@attrs.frozen
class StandardInput:
    """Sound that comes through standard input, as a turn."""


def sound_named(text: str) -> Path | StandardInput:
    """Read the value of ``--audio``."""
    return StandardInput() if text == "-" else Path(text)


def _rate(text: str) -> int:
    try:
        rate_hz = int(text)
    except ValueError:
        rate_hz = 0
    if rate_hz not in RATES_HZ:
        raise argparse.ArgumentTypeError(f"must be 1000 to 768000 samples a second, not {text}")
    return rate_hz


def add_input_options(add: Any) -> None:
    """Add the options about what is said, by a group's ``add_argument``."""
    add(
        "--audio-rate",
        metavar="HZ",
        type=_rate,
        default=16_000,
        help="of bare samples: standard input, .pcm, .raw (default: 16000)",
    )
    add(
        "--json-input",
        action="store_true",
        help="take orders from standard input, a line of JSON each; brings --json",
    )
    add("--strict", action="store_true", help="end at the first order that can't be carried out")
    add(
        "--tools-file",
        metavar="FILE",
        type=Path,
        help="functions that the model may call, a JSON array; --json-input answers",
    )


def add_output_options(add: Any) -> None:
    """Add the options about what comes out, by a group's ``add_argument``."""
    add("--json-media", action="store_true", help="the same, with sound and pictures in base64")


def check(given: argparse.Namespace) -> None:
    """Refuse what doesn't go together.

    Raises:
      ConfigError: It doesn't.
    """
    pipes = sum(isinstance(turn, StandardInput) for turn in given.turns)
    if pipes > 1:
        raise ConfigError("--audio - can be given only once: standard input ends only once.")
    if given.json_input and given.turns:
        raise ConfigError(
            "--json-input reads from standard input what to say; leave --text, --audio and --file "
            "out."
        )
    for option, name in ((given.strict, "--strict"), (given.tools_file, "--tools-file")):
        if option and not given.json_input:
            raise ConfigError(f"{name} goes with --json-input, and does nothing without it.")
    if str(given.save_audio) == "-" and (given.json or given.json_media or given.json_input):
        raise ConfigError(
            "Standard output can take either JSON or sound: name a file in --save-audio, or have "
            "the sound in JSON by --json-media."
        )


def read_tools(path: Path | None) -> Sequence[wire.Tool]:
    """Read ``--tools-file``: a JSON array of function declarations.

    Raises:
      ConfigError: It can't be read, or isn't that.
    """
    if path is None:
        return []
    try:
        with path.open("rb") as file:
            text = file.read(MOST_TOOLS_BYTES + 1).decode()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it isn't UTF-8"
        raise ConfigError(f"Can't read --tools-file {path}: {reason}.") from None
    if len(text) > MOST_TOOLS_BYTES:
        raise ConfigError(f"--tools-file {path} has more than {MOST_TOOLS_BYTES:,} bytes.")
    if not text.lstrip().startswith("["):
        raise ConfigError(f"--tools-file {path} must hold a JSON array of function declarations.")
    try:
        message = codec.decode_client(
            f'{{"setup":{{"tools":[{{"functionDeclarations":{text}}}]}}}}'
        )
    except DecodeError as error:
        raise ConfigError(f"--tools-file {path} can't be used. {error}") from None
    tools = message.setup.tools if message.setup else ()
    for declaration in (function for tool in tools for function in tool.function_declarations):
        if not declaration.name or declaration.extra:
            stray = f"has {', '.join(declaration.extra)}" if declaration.extra else "has no name"
            raise ConfigError(
                f"--tools-file {path} can't be used: the function {declaration.name!r} {stray}; "
                "it takes name, description, parameters or parametersJsonSchema, and behavior."
            )
    return tools
