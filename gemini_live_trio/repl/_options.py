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
from ._script_options import (
    StandardInput,
    add_input_options,
    add_output_options,
    check,
    read_tools,
    sound_named,
)
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
  %(prog)s --file photo.jpg --text "What is this?"
      show a picture, and ask about it
  cat questions.txt | %(prog)s --json > answers.jsonl
      one turn for each line, one event for each line
  arecord -t raw -f S16_LE -r 16000 | %(prog)s --audio - --save-audio - |
      aplay -t raw -f S16_LE -r 24000
      speak, and hear it answer

commands:
  %(prog)s doctor     is everything fit? what to do about what isn't
  %(prog)s simulate   a server to try against, for any client
  %(prog)s update     install the newest version
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
    turns: Sequence[str | Path | StandardInput] = ()
    """What to say, in order: text, or files with pictures and sounds, or piped sound."""
    audio_rate: int = 16_000
    """Hertz, of sound that doesn't say it itself."""
    json_input: bool = False
    json_media: bool = False
    strict: bool = False
    save_audio: Path | None = None
    """A file, or ``-`` for standard output."""
    fast: bool = False
    json: bool = False
    timeout: float | None = None
    """Seconds for a scripted run."""
    retries: int = 10
    verbose: bool = False
    tools: Mapping[str, bool] = attrs.field(factory=dict)
    """What of the toolbox is switched otherwise than by default."""
    workspace: Path | None = None
    """The folder that tools may look into; the current one by default."""
    sleep_after: float = 90.0
    """Seconds without activity until a session with a person sleeps; 0 for never."""

    @property
    def policy(self) -> ReconnectPolicy:
        """When to dial again."""
        return ReconnectPolicy(enabled=self.retries > 0, attempts=max(1, self.retries))


class _AddTurn(argparse.Action):
    """Keep ``--text``, ``--audio`` and ``--file`` in the order in which they were given."""

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
        help="say this, which ends a turn; may be repeated, and mixed with the next two",
    )
    add(
        "--audio",
        metavar="FILE",
        dest="turns",
        action=_AddTurn,
        type=sound_named,
        help="speak this recording (WAV, FLAC, Ogg, MP3), a turn; - is standard input: 16-bit "
        "little-endian mono samples, sent as they come",
    )
    add(
        "--file",
        metavar="FILE",
        dest="turns",
        action=_AddTurn,
        type=Path,
        help="show this picture with what is said next, or speak this recording",
    )
    add_input_options(add)
    add("--fast", action="store_true", help="send recordings faster than they play")
    add = parser.add_argument_group("what comes out").add_argument
    add(
        "--save-audio",
        metavar="FILE",
        action=_Once,
        type=Path,
        help="write the model's voice to this WAV; - is standard output: 16-bit little-endian "
        "mono samples at 24 kHz, and words go to standard error",
    )
    add("--json", action="store_true", help="print each event as a line of JSON, nothing else")
    add_output_options(add)
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
    check(given)
    if given.save_audio is not None and str(given.save_audio) != "-":
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
            tools=read_tools(given.tools_file),
        ),
        simulate=given.simulate,
        turns=given.turns,
        audio_rate=given.audio_rate,
        json_input=given.json_input,
        json_media=given.json_media,
        strict=given.strict,
        save_audio=given.save_audio,
        fast=given.fast,
        json=given.json or given.json_media or given.json_input,
        timeout=given.timeout,
        retries=given.retries,
        verbose=given.verbose,
    )


def _check_output(path: Path, turns: Sequence[object]) -> None:
    """Find out what can be found out before a conversation is held for nothing."""
    if path.is_dir():
        raise ConfigError(f"--save-audio names a folder, {path}; name a file.")
    if not path.parent.is_dir():
        raise ConfigError(f"--save-audio can't write {path}: there is no folder {path.parent}.")
    if path.suffix.lower() not in (".wav", ".wave"):
        raise ConfigError(f"--save-audio writes WAV; name a file that ends in .wav, not {path}.")
    for turn in turns:
        if isinstance(turn, Path) and path.exists() and turn.exists() and path.samefile(turn):
            raise ConfigError(f"--save-audio would overwrite {turn}, which is to be read.")
