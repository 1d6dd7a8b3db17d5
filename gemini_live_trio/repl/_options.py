"""What was asked for: command line, environment and profile, checked before anything is touched."""

from __future__ import annotations

import argparse
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from .. import ReconnectPolicy, SessionConfig, __version__
from ..errors import ConfigError
from ._layers import Settled, settle
from ._parsing import Parser
from ._readers import LONGEST, no_blank
from ._schema import VARIABLES, add_settings
from ._script_options import (
    StandardInput,
    add_input_options,
    add_output_options,
    check,
    read_tools,
    sound_named,
)
from ._subcommands import nearest
from ._where import add_options, choose

__all__ = ["Options", "parse"]

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
  %(prog)s config     settings under names, and where each value comes from
  %(prog)s doctor     is everything fit? what to do about what isn't
  %(prog)s simulate   a server to try against, for any client
  %(prog)s update     install the newest version
  (%(prog)s COMMAND --help tells more)

environment, where the command line doesn't say (and before a profile):
{variables}  NO_COLOR            if set, no colours

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
    profile: str | None = None
    """The profile that was read; ``None`` where there is none."""
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
    tools: Mapping[str, bool] = attrs.field(factory=dict)
    """Tools that somebody switched on or off, by name."""
    workspace: Path | None = None
    """The folder of the tools; ``None`` for the current one."""
    sleep_after: float = 90.0
    """Seconds without activity until an idle session is closed; 0 for never."""
    language: str | None = None
    """What a translating model translates into; it is in ``config`` too."""
    sources: Mapping[str, str] = attrs.field(factory=dict)
    """Who says so, by the setting's key: ``"command line"``, a variable's name, ``"profile work"``
    or ``"default"``."""

    @property
    def policy(self) -> ReconnectPolicy:
        """When to dial again."""
        return ReconnectPolicy(enabled=self.retries > 0, attempts=max(1, self.retries))


_AS_THEY_ARE = (
    *("microphone", "speaker", "input_device", "output_device", "echo", "share_screen"),
    *("share_interval", "sleep_after", "retries", "language"),
)


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


def _parser() -> Parser:
    parser = Parser(
        prog="gemini-live-trio",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    add = parser.add_argument_group("whom to talk to").add_argument
    add_options(add)
    add_settings(add, "manner")
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
    add_settings(parser.add_argument_group("sound and screen").add_argument, "devices")
    add_settings(parser.add_argument_group("what the model may use").add_argument, "tools")
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
    add_settings(add, "patience")
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return parser


def parse(arguments: Sequence[str] | None, environment: Mapping[str, str]) -> Options:
    """Read the command line.

    Raises:
      ConfigError: It was understood, but can't work.
      SystemExit: It wasn't understood (status 2), or only asked for help (0).
    """
    given = _parser().understand(arguments, nearest)
    settled = settle(given, environment)
    whom = choose(settled, simulate=given.simulate)
    if whom.no_credentials is not None:
        raise whom.no_credentials
    check(given)
    if given.save_audio is not None and str(given.save_audio) != "-":
        _check_output(given.save_audio, given.turns)
    modality = settled["modality"]
    return Options(
        config=SessionConfig(
            model=whom.model,
            auth=whom.auth,
            endpoint=whom.endpoint,
            response_modalities=modality and [modality.upper()],
            system_instruction=settled["system"],
            voice=settled["voice"],
            thinking=whom.thinking,
            tools=read_tools(given.tools_file),
            translation=whom.translation,
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
        verbose=given.verbose,
        profile=settled.profile.name if settled.profile.exists else None,
        tools=settled.tools,
        workspace=_workspace(settled),
        sources=settled.sources,
        **{key: settled[key] for key in _AS_THEY_ARE},
    )


def _workspace(settled: Settled) -> Path | None:
    if settled["workspace"] is None:
        return None
    path = Path(settled["workspace"])
    if not path.is_dir():
        raise ConfigError(f"{settled.named('workspace')} names no folder: {path}.")
    return path


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
