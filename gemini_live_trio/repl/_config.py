"""``config``: what is set, and by whom; profiles; the API key in the system's keyring."""

from __future__ import annotations

import argparse
import getpass
import json
import sys
import textwrap
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ..errors import ConfigError
from . import _profiles as profiles
from ._layers import Settled, settle, told
from ._parsing import Parser
from ._profiles import DEFAULT, Profile
from ._render import harmless
from ._schema import LISTED, SECRETS, SETTINGS, TOOL, Setting, add_settings, closest, setting_of
from ._toml import written
from ._where import access_token, add_profile, api_key, credential

__all__ = ["run_config"]

DESCRIPTION: Final = """\
Shows what is set and who says so, and keeps settings under names. The command
line counts before the environment, that before the profile, that before the
default. A profile is written by set, unset, save, set-key and forget-key, and by
nothing else.
"""
EPILOG: Final = """\
examples:
  %(prog)s save --profile work --voice Puck --mic --no-tool run-command
  %(prog)s set --profile work sleep_after 300
  %(prog)s set-key --profile work
  %(prog)s show --profile work
  gemini-live-trio --profile work

exit status:
  0 all went well   2 the call can't work
"""
SETTINGS_HELP: Final = (
    "settings:\n"
    + "".join(
        textwrap.fill(text, 79, initial_indent=f"  {key:<16} ", subsequent_indent=" " * 19) + "\n"
        for key, text in LISTED
    )
    + "\nexit status:\n  0 all went well   2 the call can't work\n"
)
STATUS: Final = "exit status:\n  0 all went well   2 the call can't work\n"
LONGEST_KEY: Final = 4_096
"""Letters."""

Action = Callable[[argparse.Namespace, Mapping[str, str]], None]


def run_config(arguments: Sequence[str], environment: Mapping[str, str], program: str) -> int:
    """Do what is asked for.

    Returns:
      The exit status.

    Raises:
      ConfigError: It can't be done.
      OSError: A profile can't be written.
      SystemExit: The call wasn't understood, or only asked for help.
    """
    given = _parser(f"{program} config").understand(arguments)
    given.action(given, environment)
    return 0


def _parser(program: str) -> Parser:
    parser = Parser(
        prog=program,
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    actions = parser.add_subparsers(title="what to do", required=True, metavar="ACTION")

    def action(name: str, function: Action, text: str, epilog: str = STATUS) -> Any:
        one = actions.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=epilog,
        )
        one.set_defaults(action=function)
        if name != "list":
            add_profile(one.add_argument)
        return one.add_argument

    def all_settings(add: Callable[..., Any]) -> None:
        add_settings(add, "whom", "manner", "devices", "tools", "patience")

    add = action("show", _show, "show each setting, its value, and who says so")
    add("--json", action="store_true", help="print one JSON document")
    all_settings(add)
    action("path", _path, "print where the profile is, or would be")
    action("list", _list, "list the profiles; the one that counts has a star")
    add = action("set", _set, "set one thing in the profile, and make it if need be", SETTINGS_HELP)
    add("key", metavar="KEY", help="a setting, or tools.NAME for a tool")
    add("value", metavar="VALUE", help="its value, as its option takes it; true or false")
    add = action("unset", _unset, "take one thing out of the profile")
    add("key", metavar="KEY", help="a setting, or tools.NAME for a tool")
    add = action("save", _save, "set what these options say in the profile")
    all_settings(add)
    add = action(
        "set-key",
        _set_key,
        "keep the API key in the system's keyring, for this profile; it is asked for without being "
        "shown,\nor read from standard input",
    )
    add("words", nargs="*", help=argparse.SUPPRESS)
    action("forget-key", _forget_key, "take the profile's API key out of the system's keyring")
    return parser


def _say(text: str) -> None:
    print(harmless(text), flush=True)  # noqa: T201


def _show(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    settled = settle(given, environment)
    secrets = _secrets(settled)
    if given.json:
        document = {
            "profile": settled.profile.name,
            "path": None if settled.profile.path is None else str(settled.profile.path),
            "exists": settled.profile.exists,
            "settings": {
                key: {"value": value, "source": settled.sources[key]}
                for key, value in settled.values.items()
            },
            "secrets": {
                key: {"set": bool(name), "source": name or why}
                for key, (name, why) in secrets.items()
            },
        }
        # Escaped wherever the stream might not know a letter: JSON has no \xfc.
        escaped = "utf" not in (getattr(sys.stdout, "encoding", None) or "").lower()
        print(json.dumps(document, indent=2, ensure_ascii=escaped), flush=True)  # noqa: T201
        return
    rows = [
        (key, "not set" if value is None else written(value), settled.sources[key])
        for key, value in settled.values.items()
    ]
    rows += [
        (key, "set" if name else "not set", name or why) for key, (name, why) in secrets.items()
    ]
    wide, wider = (max(len(row[column]) for row in rows) for column in (0, 1))
    wider = min(wider, 40)
    there = "" if settled.profile.exists else ", which isn't there"
    lines = [f"profile {settled.profile.name}{there}: {settled.profile.path or 'nowhere'}"]
    lines += [f"{key:<{wide}}  {value:<{wider}}  {name}".rstrip() for key, value, name in rows]
    _say("\n".join(lines))


def _secrets(settled: Settled) -> dict[str, tuple[str, str]]:
    """Where each secret comes from, empty for nowhere, and why it can't be known; by its key."""
    found = {}
    for secret, source in zip(SECRETS, (api_key, access_token), strict=True):
        try:
            found[secret.key] = source(settled)[1], ""
        except ConfigError as error:  # about the keyring, which is no reason to show nothing
            found[secret.key] = "", str(error)
    return found


def _path(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    _say(str(profiles.locate(given.profile, environment).file))


def _list(_given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    chosen = profiles.locate(None, environment).name
    there = profiles.names(environment)
    for name in there:
        _say(f"{'*' if name == chosen else ' '} {name}")
    if not there:
        _say("There is no profile yet; config set and config save make one.")


def _set(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    profile = profiles.locate(given.profile, environment)
    setting = _known(given.key, profile)
    try:
        value = setting.read(given.value)
    except argparse.ArgumentTypeError as error:
        raise ConfigError(f"{setting.key}: {error}.") from None
    _change(profile, {setting.key: _lasting(setting.key, value)})


def _known(key: str, profile: Profile) -> Setting:
    setting = setting_of(key)
    if setting is not None:
        return setting
    if any(key in (secret.key, *secret.variables) for secret in SECRETS):
        raise ConfigError(
            "A profile is no place for a secret; the system's keyring keeps an API key: "
            f"{profile.command('set-key')}"
        )
    if key.startswith(TOOL) or key == "tools":
        raise ConfigError(f"A tool is named as in tools.timer, not {key!r}.")
    raise ConfigError(f"There is no setting {key!r}{closest(key, SETTINGS)}")


def _lasting(key: str, value: Any) -> Any:
    # Tomorrow's current folder may be another.
    return str(Path(value).absolute()) if key == "workspace" else value


def _unset(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    profile = profiles.locate(given.profile, environment)
    if not profile.file.exists() and profile.name != DEFAULT:
        profiles.read(given.profile, environment)  # which says that there is none
    if profiles.change(profile, {given.key: None}):
        _say(f"The profile {profile.name} doesn't set {given.key} any more.")
    else:
        _say(f"The profile {profile.name} doesn't set {given.key}; nothing is changed.")


def _save(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    profile = profiles.locate(given.profile, environment)
    said = told(given)
    if not said:
        raise ConfigError("There is nothing to save: give options, such as --voice Puck.")
    _change(profile, {key: _lasting(key, value) for key, value in said.items()})


def _change(profile: Profile, changes: Mapping[str, Any]) -> None:
    changed = profiles.change(profile, changes)
    for key in changed:
        _say(f"{key} = {written(changes[key])} in the profile {profile.name}")
    if not changed:
        _say(f"The profile {profile.name} says so already; nothing is changed.")


def _set_key(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    from ._vault import keep

    profile = profiles.locate(given.profile, environment)
    if given.words:
        raise ConfigError(
            "set-key takes no key on the command line, where others may see it; it asks for it, or "
            "reads it from standard input."
        )
    profile.file  # noqa: B018 - better known before the key is asked for
    try:
        key = _ask()
    except UnicodeDecodeError:  # which holds what it couldn't decode
        raise ConfigError("That is no text, and so no key; nothing is changed.") from None
    credential(key)
    keep(profile, key)
    profiles.change(profile, {"keyring": True})
    _say(f"The system's keyring keeps the API key of the profile {profile.name}.")


def _ask() -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        with warnings.catch_warnings():
            warnings.simplefilter("error", getpass.GetPassWarning)
            try:
                text = getpass.getpass("API key (isn't shown): ")
            except getpass.GetPassWarning:
                raise ConfigError(
                    "This terminal would show the key; give it on standard input."
                ) from None
            except EOFError:
                text = ""
    else:
        text = "" if sys.stdin is None else sys.stdin.read(LONGEST_KEY + 1)
    if len(text) > LONGEST_KEY:
        raise ConfigError(
            f"No key has more than {LONGEST_KEY:,} letters, as this has; nothing is changed."
        )
    text = text.strip()
    if not text:
        raise ConfigError("No key was given; nothing is changed.")
    return text


def _forget_key(given: argparse.Namespace, environment: Mapping[str, str]) -> None:
    from ._vault import forget

    profile = profiles.locate(given.profile, environment)
    there = forget(profile)
    changed = profiles.change(profile, {"keyring": None})
    if there or changed:
        _say(f"The system's keyring has no API key of the profile {profile.name} any more.")
    else:
        _say(f"The system's keyring has no API key of the profile {profile.name}.")
