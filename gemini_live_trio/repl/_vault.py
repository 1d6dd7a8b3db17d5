"""API keys in the system's keyring, one for each profile."""

from __future__ import annotations

import os
from typing import Any

from ..errors import ConfigError, MissingDependency
from ._profiles import Profile

__all__ = ["forget", "keep", "look_up"]

SERVICE = "gemini-live-trio"


def look_up(profile: Profile) -> str | None:
    """The profile's key; ``None`` where the keyring has none.

    Raises:
      ConfigError: There is no keyring that can be used.
    """
    with _Refusals("read"):
        return _keyring().get_password(SERVICE, _owner(profile)) or None


def keep(profile: Profile, key: str) -> None:
    """Keep a key, in place of the one before.

    Raises:
      ConfigError: There is no keyring that can be used, or it doesn't keep it.
    """
    with _Refusals("written"):
        keyring = _keyring()
        keyring.set_password(SERVICE, _owner(profile), key)
        if keyring.get_password(SERVICE, _owner(profile)) != key:
            raise _refusal("it doesn't keep what it is given")


def forget(profile: Profile) -> bool:
    """Take the profile's key out.

    Returns:
      Whether there was one.

    Raises:
      ConfigError: There is no keyring that can be used.
    """
    with _Refusals("written"):
        keyring = _keyring()
        if keyring.get_password(SERVICE, _owner(profile)) is None:
            return False
        keyring.delete_password(SERVICE, _owner(profile))
        return True


def _owner(profile: Profile) -> str:
    # Two folders may have a profile of the same name.
    return os.path.realpath(profile.file)


def _keyring() -> Any:
    try:
        import keyring
    except ImportError:
        raise MissingDependency(
            'The system\'s keyring needs keyring: pip install "gemini-live-trio[repl]"; or set '
            "GEMINI_API_KEY in the environment."
        ) from None
    backend = keyring.get_keyring()
    first = (getattr(backend, "backends", None) or [backend])[0]  # the first of a chain keeps it
    if "plaintext" in type(first).__name__.lower():
        raise _refusal(f"{type(first).__name__} keeps keys as plain text")
    return backend


def _refusal(why: str) -> ConfigError:
    return ConfigError(
        f"The system's keyring can't be used: {why}. Set GEMINI_API_KEY in the environment instead."
    )


class _Refusals:
    """What goes wrong in a keyring becomes one sentence."""

    def __init__(self, done: str) -> None:
        self._done = done

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None or isinstance(error, ConfigError) or not isinstance(error, Exception):
            return
        # A back-end may raise anything, and what it says may hold anything.
        import keyring.errors

        if isinstance(error, keyring.errors.NoKeyringError):
            raise _refusal("there is none") from None
        if isinstance(error, keyring.errors.KeyringLocked):
            raise _refusal("it is locked") from None
        raise _refusal(f"it couldn't be {self._done} ({type(error).__name__})") from error
