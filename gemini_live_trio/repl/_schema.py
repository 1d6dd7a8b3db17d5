"""What can be set: each setting once, with its names, what it may be, and its default.

The options, the environment, profiles, ``config`` and ``docs/settings.md`` go by this table.
"""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

import attrs

from . import _readers as readers

__all__ = [
    "LISTED",
    "MODEL",
    "SECRETS",
    "SETTINGS",
    "TOOL",
    "VARIABLES",
    "Group",
    "Secret",
    "Setting",
    "add_settings",
    "closest",
    "setting_of",
]

MODEL: Final = "models/gemini-3.8-live"

Group: TypeAlias = Literal["whom", "manner", "devices", "tools", "patience", "keyring"]
Kind: TypeAlias = Literal["text", "number", "whole number", "true or false"]
_TYPES: Final[dict[Kind, tuple[type, ...]]] = {
    "text": (str,),
    "number": (int, float),
    "whole number": (int,),
    "true or false": (bool,),
}


@attrs.frozen(kw_only=True)
class Setting:
    """Something that can be set."""

    key: str
    """Its name, in profiles and for ``config``."""

    group: Group
    read: Callable[[str], Any]
    """From a text to the value; raises ``argparse.ArgumentTypeError``, whose text is a clause."""

    help: str
    kind: Kind = "text"
    """What it is in a profile."""

    choices: tuple[str, ...] = ()
    metavar: str | None = None
    option: str = ""
    """Without one, the key makes it: ``--share-interval``."""

    named: tuple[str, ...] = ()
    """Variables of the environment, the first that isn't blank counts; empty for one that the key
    makes: ``GEMINI_LIVE_SHARE_INTERVAL``."""

    remark: str = ""
    """About the variables."""

    default: Any = None

    @property
    def flag(self) -> str:
        """The option; empty where there is none."""
        if self.group == "keyring":
            return ""
        return self.option or f"--{self.key.replace('_', '-')}"

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables of the environment."""
        if self.group == "keyring":
            return ()
        return self.named or (f"GEMINI_LIVE_{self.key.upper()}",)

    def fits(self, value: object) -> bool:
        """Tell whether a value from a profile is of the right kind."""
        if isinstance(value, bool):
            return self.kind == "true or false"
        return isinstance(value, _TYPES[self.kind])


@attrs.frozen
class Secret:
    """Something that is never written into a profile, nor shown."""

    key: str
    variables: tuple[str, ...]
    help: str


SECRETS: Final = (
    Secret(
        "api_key",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "the key, or an ephemeral token (auth_tokens/...);\nnever taken from the command line",
    ),
    Secret("access_token", ("VERTEX_AI_ACCESS_TOKEN",), "an access token for Vertex AI"),
)

LEVELS: Final = ("minimal", "low", "medium", "high")
"""How much a model may think."""
_ECHO: Final = ("auto", "webrtc", "speexdsp", "half_duplex", "headphones", "off")
"""As ``media`` has them, which is a test's business: it takes a while to import."""

_TABLE: Final = (
    Setting(
        key="model",
        group="whom",
        read=readers.no_blank,
        metavar="NAME",
        named=("GEMINI_MODEL",),
        remark="; on Vertex AI, VERTEX_MODEL counts before it",
        default=MODEL,
        help="whom to talk to",
    ),
    Setting(
        key="url",
        group="whom",
        read=readers.url,
        help="another server: a gateway, a simulator (ws:// or wss://)",
    ),
    Setting(
        key="backend",
        group="whom",
        read=readers.one_of("gemini", "vertex"),
        choices=("gemini", "vertex"),
        named=("LIVE_BACKEND",),
        remark="; GOOGLE_GENAI_USE_VERTEXAI=true does too",
        default="gemini",
        help="the Gemini API or Vertex AI",
    ),
    Setting(
        key="vertex_project",
        group="whom",
        read=readers.no_blank,
        metavar="ID",
        named=("VERTEX_PROJECT", "GOOGLE_CLOUD_PROJECT"),
        help="Vertex AI, in this project",
    ),
    Setting(
        key="vertex_location",
        group="whom",
        read=readers.no_blank,
        metavar="REGION",
        named=("VERTEX_LOCATION", "GOOGLE_CLOUD_LOCATION"),
        help='a region of Vertex AI, "global", "us" or "eu"',
    ),
    Setting(
        key="vertex_auth",
        group="whom",
        read=readers.vertex_auth,
        metavar="{adc,static}",
        named=("VERTEX_AUTH",),
        help="adc: Google's application default credentials; static: an access token "
        "(default: static where there is a token, else adc)",
    ),
    Setting(
        key="thinking",
        group="whom",
        read=readers.one_of(*LEVELS),
        choices=LEVELS,
        named=("GEMINI_THINKING_LEVEL",),
        help="how much the model thinks, where it can be told",
    ),
    Setting(
        key="language",
        group="whom",
        read=readers.language,
        metavar="CODE",
        help="what a translating model translates into, such as es",
    ),
    Setting(
        key="voice",
        group="manner",
        read=readers.no_blank,
        metavar="NAME",
        help="a prebuilt voice, such as Puck",
    ),
    Setting(
        key="system",
        group="manner",
        read=readers.no_blank,
        metavar="TEXT",
        named=("GEMINI_SYSTEM_INSTRUCTION",),
        help="the system instruction",
    ),
    Setting(
        key="modality",
        group="manner",
        read=readers.one_of("audio", "text"),
        choices=("audio", "text"),
        help="what the model answers in; voice models only speak, and their words are shown "
        "(default: what the model is made for)",
    ),
    Setting(
        key="microphone",
        group="devices",
        read=readers.switch,
        kind="true or false",
        option="--mic",
        default=False,
        help="begin with the microphone on",
    ),
    Setting(
        key="speaker",
        group="devices",
        read=readers.switch,
        kind="true or false",
        option="--speak",
        default=False,
        help="begin with the speaker on",
    ),
    Setting(
        key="input_device",
        group="devices",
        read=readers.no_blank,
        metavar="NAME",
        help="which microphone: a name, a part of one, or a number",
    ),
    Setting(
        key="output_device",
        group="devices",
        read=readers.no_blank,
        metavar="NAME",
        help="which speaker: a name, a part of one, or a number",
    ),
    Setting(
        key="echo",
        group="devices",
        read=readers.one_of(*_ECHO),
        choices=_ECHO,
        default="auto",
        help="what is done about the speaker's sound in the microphone",
    ),
    Setting(
        key="share_screen",
        group="devices",
        read=readers.no_blank,
        metavar="TARGET",
        help="begin with this monitor or window shared: its id, or a part of its title",
    ),
    Setting(
        key="share_interval",
        group="devices",
        read=readers.seconds(0.1, 3600),
        kind="number",
        metavar="SECONDS",
        default=1.0,
        help="how often a picture of it is sent",
    ),
    Setting(
        key="workspace",
        group="tools",
        read=readers.folder,
        metavar="DIR",
        help="the folder that tools work in (default: the current one)",
    ),
    Setting(
        key="sleep_after",
        group="patience",
        read=readers.seconds(0, readers.LONGEST),
        kind="number",
        metavar="SECONDS",
        default=90.0,
        help="after so long without activity the session is closed, and opened again at the next "
        "input; 0 for never",
    ),
    Setting(
        key="retries",
        group="patience",
        read=readers.count,
        kind="whole number",
        metavar="N",
        default=10,
        help="how often to dial again after the connection ended",
    ),
    Setting(
        key="keyring",
        group="keyring",
        read=readers.switch,
        kind="true or false",
        default=False,
        help="whether the API key is in the system's keyring; config set-key sets it",
    ),
)

SETTINGS: Final = {setting.key: setting for setting in _TABLE}
TOOL: Final = "tools."
"""A setting for each tool: ``tools.timer`` is on or off."""

LISTED: Final = (
    *((setting.key, setting.help) for setting in _TABLE),
    (f"{TOOL}NAME", "whether the model may use this tool"),
)
"""All that a profile can hold, with help."""


def setting_of(key: str) -> Setting | None:
    """Look a key up; ``tools.NAME`` is one too."""
    if key.startswith(TOOL):
        try:
            name = readers.tool(key.removeprefix(TOOL))
        except argparse.ArgumentTypeError:
            return None
        return Setting(
            key=key,
            group="tools",
            read=readers.switch,
            kind="true or false",
            help=f"whether the model may use {name}",
        )
    return SETTINGS.get(key)


def closest(word: str, words: object) -> str:
    """Say which may have been meant, as the end of a sentence without its full stop."""
    near = difflib.get_close_matches(word, list(words), 1)  # type: ignore[call-overload]
    return f"; did you mean {near[0]}?" if near else "."


class _Tell(argparse.Action):
    """Collect ``--tool`` and ``--no-tool``; the last word about a tool counts."""

    def __call__(self, _parser: object, namespace: Any, value: Any, option: object = None) -> None:
        namespace.tools = {**(namespace.tools or {}), value: option == "--tool"}


def add_settings(add: Callable[..., Any], *groups: Group) -> None:
    """Add the options of these groups, by a group's ``add_argument``; what isn't given is None."""
    for setting in SETTINGS.values():
        if setting.group not in groups or not setting.flag:
            continue
        text = setting.help
        if setting.default is not None and setting.kind != "true or false":
            shown = setting.default if setting.kind == "text" else f"{setting.default:g}"
            text += f" (default: {shown})"
        if setting.kind == "true or false":
            add(
                setting.flag,
                dest=setting.key,
                action=argparse.BooleanOptionalAction,
                default=None,
                help=text,
            )
        elif setting.choices:
            add(setting.flag, dest=setting.key, choices=setting.choices, help=text)
        else:
            add(
                setting.flag,
                dest=setting.key,
                metavar=setting.metavar or setting.key.upper(),
                type=setting.read,
                help=text,
            )
    if "tools" in groups:
        for flag, text in (
            ("--tool", "let the model use this tool; may be repeated"),
            ("--no-tool", "don't let the model use this tool; may be repeated"),
        ):
            add(flag, dest="tools", metavar="NAME", type=readers.tool, action=_Tell, help=text)


_COLUMN: Final = 22


def _row(names: str, text: str) -> str:
    head = f"  {names}"
    first, *rest = text.split("\n")
    gap = f"\n{'':{_COLUMN}}"
    lead = head.ljust(_COLUMN) if len(head) < _COLUMN else head + gap
    return lead + first + "".join(gap + line for line in rest) + "\n"


VARIABLES: Final = "".join(
    [
        *(_row(", ".join(secret.variables), secret.help) for secret in SECRETS),
        *(
            _row(", ".join(setting.named), f"as {setting.flag}{setting.remark}")
            for setting in SETTINGS.values()
            if setting.named
        ),
        _row("GEMINI_LIVE_VOICE", "as --voice; so it is with all others, but for the tools"),
        _row("GEMINI_LIVE_PROFILE", "as --profile"),
        _row("GEMINI_LIVE_CONFIG_DIR", "the folder that holds the folder profiles"),
    ]
)
