"""What was asked for: the command line and the environment, checked before anything is touched."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .. import ReconnectPolicy, SessionConfig, __version__
from ..errors import ConfigError
from ._subcommands import nearest
from ._where import VARIABLES, add_options, choose, no_blank

__all__ = ["Options", "parse"]

LONGEST = 31_536_000
"""Seconds, a year."""

DESCRIPTION = """\
Talk with a Gemini Live model, in text and in sound. At a terminal you type and
see the answers stream in; with --text or --audio, or when the input is no
terminal, the same conversation runs as a script.
"""

EPILOG = """\
examples:
  %(prog)s --simulate
      type, and see the answers stream in; no key is needed
  %(prog)s --simulate --text "Hello!" --text "What did I say?"
      two turns, then leave
  %(prog)s --audio question.wav --save-audio answer.wav
      speak from a file, and keep the voice that answers
  cat questions.txt | %(prog)s --json > answers.jsonl
      one turn for each line, one event for each line

commands:
  %(prog)s doctor   is everything fit? what to do about what isn't
  %(prog)s update   install the newest version
  (%(prog)s COMMAND --help tells more)

environment, where the command line doesn't say:
{variables}  GEMINI_SYSTEM_INSTRUCTION
                      as --system
  NO_COLOR            if set, no colours

exit status:
  0 all went well   1 the service or the session failed   2 the call can't work
  130 stopped by Ctrl-C
""".replace("{variables}", VARIABLES)


@attrs.frozen(kw_only=True)
class Options:
    """One run of the program."""

    config: SessionConfig
    """Of the session; without an address where the simulator is to give it."""
    simulate: bool = False
    turns: Sequence[str | Path] = ()
    """What to say, in order: text, or a recording."""
    save_audio: Path | None = None
    fast: bool = False
    json: bool = False
    timeout: float | None = None
    """Seconds for a scripted run."""
    retries: int = 10
    verbose: bool = False
    microphone: bool = False
    """Whether to begin with it on; the speaker likewise."""
    speaker: bool = False
    input_device: str | None = None
    """A name, a part of one, or a number; ``None`` for the system's."""
    output_device: str | None = None
    echo: str = "auto"
    share_screen: str | None = None
    """An id, or a part of a title; ``None`` to share nothing at first."""
    share_interval: float = 1.0
    """Seconds from one picture to the next, 0.1 to 3600."""
    sleep_after: float = 90.0
    """Seconds without activity until a session with a person sleeps; 0 for never."""

    @property
    def policy(self) -> ReconnectPolicy:
        """When to dial again."""
        return ReconnectPolicy(enabled=self.retries > 0, attempts=max(1, self.retries))


class _AddTurn(argparse.Action):
    """Keep ``--text`` and ``--audio`` in the order in which they were given."""

    def __call__(self, _parser: object, namespace: Any, value: Any, _option: object = None) -> None:
        namespace.turns = [*namespace.turns, value]


class _Once(argparse.Action):
    """Refuse a second value, which would silently replace the first."""

    def __call__(self, _parser: object, namespace: Any, value: Any, option: object = None) -> None:
        if getattr(namespace, self.dest) is not None:
            raise argparse.ArgumentError(self, "can be given only once")
        setattr(namespace, self.dest, value)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= LONGEST:
        raise argparse.ArgumentTypeError(
            f"must be a number of seconds, above 0 and at most {LONGEST:,}, not {text}"
        )
    return value


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be a whole number, 0 or more, not {text}")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gemini-live-trio",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument_group("whom to talk to").add_argument
    add_options(add)
    add("--voice", metavar="NAME", type=no_blank, help="a prebuilt voice, such as Puck")
    add("--system", metavar="TEXT", type=no_blank, help="the system instruction")
    add(
        "--modality",
        choices=["audio", "text"],
        help="what the model answers in; voice models only speak, and their words are shown "
        "(default: what the model is made for)",
    )
    add = parser.add_argument_group("what to say").add_argument
    add(
        "--text",
        metavar="TEXT",
        dest="turns",
        action=_AddTurn,
        type=no_blank,
        default=[],
        help="say this; may be repeated, each is one turn",
    )
    add(
        "--audio",
        metavar="FILE",
        dest="turns",
        action=_AddTurn,
        type=Path,
        help="speak this recording (WAV, FLAC, Ogg, MP3); may be repeated and mixed with --text",
    )
    add("--fast", action="store_true", help="send recordings faster than they play")
    add = parser.add_argument_group("what comes out").add_argument
    add(
        "--save-audio",
        metavar="FILE",
        action=_Once,
        type=Path,
        help="write the model's voice to this WAV",
    )
    add("--json", action="store_true", help="print each event as a line of JSON, nothing else")
    add("--verbose", action="store_true", help="tell more on standard error: usage, connection")
    add = parser.add_argument_group("when to give up").add_argument
    add("--timeout", metavar="SECONDS", type=_seconds, help="end a scripted run after this long")
    add(
        "--retries",
        metavar="N",
        type=_count,
        default=10,
        help="how often to dial again after the connection ended (default: 10)",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def parse(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> Options:
    """Read the command line.

    Raises:
      ConfigError: It was understood, but can't work.
      SystemExit: It wasn't understood (status 2), or only asked for help (0).
    """
    parser = _parser()
    given, stray = parser.parse_known_args(arguments)
    if stray:
        hint = "" if stray[0].startswith("-") else f" ({nearest(stray[0])})"
        parser.error(f"unrecognized arguments: {' '.join(stray)}{hint}")
    whom = choose(given, environment)
    if whom.no_credentials is not None:
        raise whom.no_credentials
    if given.save_audio is not None:
        _check_output(given.save_audio, given.turns)
    return Options(
        config=SessionConfig(
            model=whom.model,
            auth=whom.auth,
            endpoint=whom.endpoint,
            response_modalities=given.modality and [given.modality.upper()],
            system_instruction=given.system
            or environment.get("GEMINI_SYSTEM_INSTRUCTION", "").strip()
            or None,
            voice=given.voice,
            thinking=whom.thinking,
        ),
        simulate=given.simulate,
        turns=given.turns,
        save_audio=given.save_audio,
        fast=given.fast,
        json=given.json,
        timeout=given.timeout,
        retries=given.retries,
        verbose=given.verbose,
    )


def _check_output(path: Path, turns: Sequence[str | Path]) -> None:
    """Find out what can be found out before a conversation is held for nothing."""
    if str(path) == "-":
        raise ConfigError("--save-audio can't write to standard output; name a file.")
    if path.is_dir():
        raise ConfigError(f"--save-audio names a folder, {path}; name a file.")
    if not path.parent.is_dir():
        raise ConfigError(f"--save-audio can't write {path}: there is no folder {path.parent}.")
    if path.suffix.lower() not in (".wav", ".wave"):
        raise ConfigError(f"--save-audio writes WAV; name a file that ends in .wav, not {path}.")
    for turn in turns:
        if isinstance(turn, Path) and path.exists() and turn.exists() and path.samefile(turn):
            raise ConfigError(f"--save-audio would overwrite {turn}, which --audio is to read.")
