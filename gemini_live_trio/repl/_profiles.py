"""Profiles: settings under a name, each in a TOML file of its own.

A profile is read at the start and written only by ``config``. A write replaces the file whole, so
that whoever reads it at that moment has the old one or the new one. No secret is ever in one.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from ..errors import ConfigError, MissingDependency
from ._schema import SETTINGS, TOOL, closest, setting_of
from ._toml import edited, line_of
from ._whole import replace

__all__ = ["DEFAULT", "Profile", "change", "folder", "locate", "names", "read"]

DEFAULT: Final = "default"
_NAME: Final = re.compile(r"(?!(?:con|prn|aux|nul|com\d|lpt\d)$)[a-z0-9][a-z0-9_-]{0,63}")
_LARGEST: Final = 1 << 20
"""Bytes in a profile."""
_SECRET_KEY: Final = re.compile(r"key$|token|secret|password|credential", re.IGNORECASE)
_SECRET_VALUE: Final = re.compile(r"(AIza|AQ\.|auth_tokens/|ya29\.|Bearer )\S{6,}")


@attrs.frozen
class Profile:
    """Settings under a name."""

    name: str
    path: Path | None
    """Where it is, or would be; ``None`` where nobody knows the platform's folder."""

    values: Mapping[str, Any] = attrs.field(factory=dict)
    exists: bool = False

    @property
    def file(self) -> Path:
        """Where it is, or would be.

        Raises:
          MissingDependency: Nobody knows the platform's folder.
        """
        if self.path is None:
            raise MissingDependency(
                'Profiles need platformdirs: pip install "gemini-live-trio[repl]", or set '
                "GEMINI_LIVE_CONFIG_DIR."
            )
        return self.path

    def command(self, words: str) -> str:
        """A call of ``config`` that is about this profile."""
        about = "" if self.name == DEFAULT else f" --profile {self.name}"
        return f"gemini-live-trio config {words}{about}"


def folder(environment: Mapping[str, str]) -> Path | None:
    """The folder of the profiles; it need not be there.

    Returns:
      ``None`` where the environment doesn't say, and platformdirs isn't installed.

    Raises:
      ConfigError: The environment names nobody's home.
    """
    if named := environment.get("GEMINI_LIVE_CONFIG_DIR", "").strip():
        try:
            return Path(named).expanduser() / "profiles"
        except RuntimeError:  # ~ with nobody at home
            raise ConfigError(f"GEMINI_LIVE_CONFIG_DIR names nobody's home: {named!r}.") from None
    try:
        import platformdirs
    except ImportError:
        return None
    return platformdirs.user_config_path("gemini-live-trio", appauthor=False) / "profiles"


def names(environment: Mapping[str, str]) -> list[str]:
    """The profiles that there are.

    Raises:
      ConfigError: Their folder can't be read.
    """
    place = folder(environment)
    try:
        files = [] if place is None else [path for path in place.iterdir() if path.is_file()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ConfigError(f"The folder {place} can't be read: {error.strerror}.") from None
    return sorted(path.stem for path in files if path.suffix == ".toml" and _fits(path.stem))


def _fits(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def locate(asked: str | None, environment: Mapping[str, str]) -> Profile:
    """Find out which profile is meant, without reading it.

    Args:
      asked: By the command line.
      environment: Counts where the command line doesn't say.

    Raises:
      ConfigError: It can't be the name of one.
    """
    variable = environment.get("GEMINI_LIVE_PROFILE", "").strip()
    name = asked or variable or DEFAULT
    if not _fits(name):
        source = "--profile" if asked else "GEMINI_LIVE_PROFILE"
        raise ConfigError(
            f"{source} takes a name of small letters, digits, - and _, such as work, not {name!r}."
        )
    place = folder(environment)
    return Profile(name, None if place is None else place / f"{name}.toml")


def read(asked: str | None, environment: Mapping[str, str]) -> Profile:
    """Read the profile that is meant; the default one need not be there.

    Raises:
      ConfigError: There is none of that name, it can't be read, or something in it can't be.
    """
    profile = locate(asked, environment)
    if profile.path is None and profile.name == DEFAULT:
        return profile
    document = _document(profile)
    if document is None:
        if profile.name == DEFAULT:
            return profile
        raise ConfigError(
            f"There is no profile {profile.name}{closest(profile.name, names(environment))} "
            f"To make it: {profile.command('set')} KEY VALUE"
        )
    values = {key: _value(profile, key, value, document) for key, value in document.flat.items()}
    return attrs.evolve(profile, values=values, exists=True)


@attrs.frozen
class _Document:
    text: str
    tables: dict[str, Any]

    @property
    def flat(self) -> dict[str, Any]:
        """Settings by their keys, ``tools.timer`` among them."""
        flat: dict[str, Any] = {}
        for key, value in self.tables.items():
            if key == "tools" and isinstance(value, dict):
                flat |= {f"{TOOL}{name}": on for name, on in value.items()}
            else:
                flat[key] = value
        return flat


def _document(profile: Profile) -> _Document | None:
    path = profile.file
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"The profile {profile.name} is no file: {path}.")
        if path.exists() and path.stat().st_size > _LARGEST:
            raise ConfigError(f"The profile {profile.name} is larger than 1 MiB: {path}.")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            f"The profile {profile.name} can't be read: {error.strerror}: {path}."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} isn't valid UTF-8 (byte {error.start + 1}).") from None
    text = text.replace("\r\n", "\n")
    try:
        return _Document(text, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise ConfigError(f"{path} isn't valid TOML: {why}.") from None


def _value(profile: Profile, key: str, value: object, document: _Document) -> Any:
    line = line_of(document.text, key)
    where = f"{profile.path}, line {line}" if line else f"{profile.path}"
    if _is_secret(key, value):
        raise ConfigError(
            f"{where}: a profile is no place for a secret, and {key!r} looks like one. Take it out "
            f"({profile.command('unset')} {key}), and keep it with {profile.command('set-key')}"
        )
    setting = setting_of(key)
    if setting is None:
        if key == "tools":
            raise ConfigError(f"{where}: tools must be a table: [tools], then timer = true.")
        raise ConfigError(f"{where}: there is no setting {key!r}{closest(key, SETTINGS)}")
    if not setting.fits(value):
        raise ConfigError(f"{where}: {key} must be {_a(setting.kind)}, not {_kind_of(value)}.")
    try:
        result = setting.read(_as_text(value))
        if key == "workspace" and not Path(result).is_absolute():
            raise argparse.ArgumentTypeError("must be a whole path, such as ~/work, in a profile")
        return result
    except argparse.ArgumentTypeError as error:
        raise ConfigError(f"{where}: {key}: {error}.") from None


def _is_secret(key: str, value: object) -> bool:
    if setting_of(key) is None and _SECRET_KEY.search(key):
        return True
    return isinstance(value, str) and _SECRET_VALUE.fullmatch(value.strip()) is not None


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _a(kind: str) -> str:
    return kind if kind == "true or false" else f"a {kind}"


def _kind_of(value: object) -> str:
    for kind, name in (
        (bool, "true or false"),
        (str, "a text"),
        (int, "a whole number"),
        (float, "a number"),
        (list, "a list"),
        (dict, "a table"),
    ):
        if isinstance(value, kind):
            return name
    return "a date or time"


def change(profile: Profile, changes: Mapping[str, Any]) -> list[str]:
    """Write settings into a profile, and make it where there is none; comments in it stay.

    Args:
      profile: As ``locate`` gives it.
      changes: What to set, by key; ``None`` takes a setting out, known or not.

    Returns:
      The keys whose values weren't that before.

    Raises:
      ConfigError: What is there can't be read, or a value looks like a secret.
      OSError: It can't be written.
    """
    for key, value in changes.items():
        if value is not None and _is_secret(key, value):
            raise ConfigError(
                f"The value of {key} looks like a secret, and a profile is no place for one; keep "
                f"a key with {profile.command('set-key')}"
            )
    path = profile.file
    if all(value is None for value in changes.values()) and not path.exists():
        return []
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(path.parent):
        document = _document(profile)
        text = "" if document is None else document.text
        before = {} if document is None else document.flat
        changed = [key for key, value in changes.items() if before.get(key) != value]
        for key in changed:
            text = edited(text, key, changes[key])
        if changed or document is None:
            replace(path, text.encode())
    return changed


@contextlib.contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Keep other copies of the program from writing at the same time, on POSIX.

    Elsewhere the later of two changes made within a millisecond may undo the earlier one; the file
    is whole in any case.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    descriptor = os.open(place, os.O_RDONLY)
    try:
        # Some network file systems know no locks.
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
