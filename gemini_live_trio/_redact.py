"""What must not be written down: credentials, and media where only their length is wanted.

This is the one place that decides it, for recordings, reports and logs. Three things happen to a
frame's JSON:

* Under a name that says credential, and under ``headers``, every text and number becomes
  ``[redacted]``, however deep; so does whatever in another text, or in a name, looks like a key or
  a token, and each secret that was told, as it is or with JSON's escapes.
* A session handle becomes ``handle-`` and 16 hexadecimal digits of its SHA-256. Whoever has the
  handle may take up the conversation, so it is a credential of a sort; but the same handle always
  gets the same name, so that a replay still knows which session a later setup asks for.
* With ``media="hash"``, media become ``{"$media": {"sha256": "...", "bytes": 3200}}``, of the
  decoded bytes. Base64 that can't be decoded has ``"characters"`` and the hash of its text.

An object that came with the one name ``$media`` gets another ``$`` in front of it, and loses it
again in ``restore``. So the marker can't be mistaken.
"""

from __future__ import annotations

import abc
import functools
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs
import orjson
import pybase64

__all__ = [
    "DEPTH_LIMIT",
    "KeepsSecrets",
    "MediaMode",
    "Redactor",
    "Secrets",
    "check_marker",
    "check_markers",
    "parse",
    "restore",
]

MediaMode: TypeAlias = Literal["whole", "hash"]

DEPTH_LIMIT: Final = 200
"""Levels of JSON; what the codec reads is no deeper."""
REDACTED: Final = "[redacted]"
MOST_LEFT_OUT: Final = 2**26
"""Bytes of media that may have been left out of one frame; the longest frame is no longer."""
_MOST_SECRETS: Final = 256
_SHORTEST: Final = 6
"""Characters. The "key" for a simulator may be one letter, which would go from every word."""

_MARKER: Final = re.compile(r"\$+media")
_PSEUDONYM: Final = re.compile(r"handle-[0-9a-f]{16}")
_CREDENTIALS: Final = frozenset(
    {
        "accesstoken",
        "apikey",
        "apikeystring",
        "authorization",
        "clientsecret",
        "cookie",
        "idtoken",
        "password",
        "privatekey",
        "proxyauthorization",
        "refreshtoken",
        "secret",
        "signature",
        "token",
        "xgoogapikey",
    }
)
"""Names of values, in lower case without their separators."""
_SECRET_NAMES: Final = _CREDENTIALS | {"headers"}
_RESUMPTION: Final = frozenset({"sessionresumption", "sessionresumptionupdate"})
_HANDLES: Final = frozenset({"handle", "newhandle"})
_BLOBS: Final = frozenset({"audio", "video", "inlinedata", "mediachunks"})
_MEDIA: Final = frozenset({"voicesampleaudio", "consentaudio", "imagedata"})
_LOOKS_SECRET: Final = re.compile(
    r"AIza[\w-]{35}"  # an API key
    r"|\bAQ\.[\w-]{20,}"  # a newer one
    r"|\bauth_tokens/[\w-]+"  # an ephemeral token
    r"|\bya29\.[\w.-]+"  # an OAuth access token
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*"  # a JSON web token
    r"|(?<=[Bb]earer )[\w.~+/=-]{8,}"
    r"|(?<=[?&]key=)[^&\s\"']+|(?<=access_token=)[^&\s\"']+"
)
_HINTS: Final = ("AIza", "AQ.", "auth_tokens/", "ya29.", "eyJ", "earer ", "key=", "access_token=")
"""One of them is in every text in which that pattern finds something; a plain search is a hundred
times faster, and a text may have megabytes."""


class _Rounded(Exception):
    """An integer may have been rounded; the exact parser must read it again."""


def parse(frame: str | bytes, *, levels: int = DEPTH_LIMIT) -> Any:
    """Read JSON with all its digits, and no deeper than so many levels.

    Raises:
      ValueError: it isn't JSON, or holds a number that JSON doesn't have.
    """
    tree = orjson.loads(frame)
    try:
        _look_for_rounded(tree, levels)
    except _Rounded:
        tree = json.loads(frame)
    return tree


def _look_for_rounded(value: Any, depth: int) -> None:
    if isinstance(value, float):
        if abs(value) >= 2**63:
            raise _Rounded
    elif isinstance(value, dict | list):
        if depth == 0:
            raise ValueError("it is nested too deeply")
        for item in value.values() if isinstance(value, dict) else value:
            if not isinstance(item, str):
                _look_for_rounded(item, depth - 1)


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


class Secrets:
    """The secrets of one session, which grow while it lives: each dial may have a new one.

    Those from the dials are bounded; the oldest, which have long expired, make room.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._kept: tuple[str, ...] = ()
        self._by_age: tuple[str, ...] = ()
        self._by_length: tuple[str, ...] = ()
        self.keep(secrets)

    def keep(self, secrets: Iterable[str]) -> None:
        """Keep these out of everything, for good."""
        self._kept = (*self._kept, *secrets)
        self.add(())

    def add(self, secrets: Iterable[str]) -> None:
        """Keep the secrets of a dial out of everything."""
        new = tuple(dict.fromkeys(secrets))
        old = (secret for secret in self._by_age if secret not in new)
        self._by_age = (*old, *new)[-_MOST_SECRETS:]
        everything = {*self._kept, *self._by_age}
        self._by_length = _longest_first(text for text in everything if len(text) >= _SHORTEST)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_length)

    def __repr__(self) -> str:
        return f"<{len(self._by_length)} secrets>"


class KeepsSecrets(abc.ABC):
    """Writes down what a session does, except its secrets; for observers of this package only."""

    @abc.abstractmethod
    def _keep_out(self, secrets: Secrets) -> None:
        """Leave these out from now on; they may become more."""


def _given(secrets: Iterable[str]) -> Iterable[str]:
    if isinstance(secrets, Secrets):
        return secrets
    return _longest_first(secrets)


def _longest_first(secrets: Iterable[str]) -> tuple[str, ...]:
    # One may be the beginning of another, whose rest would stay.
    return tuple(sorted(filter(None, secrets), key=len, reverse=True))


@functools.lru_cache(maxsize=_MOST_SECRETS)
def _escaped(secret: str) -> re.Pattern[str]:
    """A pattern that finds a secret in JSON text, and in JSON text within a text of JSON.

    Which characters are escaped, and how, is up to who wrote it.
    """
    return re.compile("".join(map(_spellings, secret)))


def _spellings(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    codes = "".join(
        rf"\\{{1,8}}u(?i:{units[start : start + 4]})" for start in range(0, len(units), 4)
    )
    short = {"\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}.get(letter)
    named = "" if short is None else rf"|\\{{1,8}}{short}"
    return rf"(?:\\{{0,8}}{re.escape(letter)}|{codes}{named})"


@attrs.frozen
class Redactor:
    """Takes out of frames and texts what must not be written down.

    Args:
      media: ``"whole"`` leaves media in; ``"hash"`` puts their SHA-256 and length there.
      secrets: Texts that are removed wherever they stand, such as the key in use.
    """

    media: MediaMode = "hash"
    secrets: Iterable[str] = attrs.field(default=(), converter=_given, repr=False)

    def text(self, text: str) -> str:
        """Take credentials out of a text that isn't JSON."""
        for secret in self.secrets:
            text = text.replace(secret, REDACTED)
        if "\\" in text:
            for secret in self.secrets:
                text = _escaped(secret).sub(REDACTED, text)
        if any(hint in text for hint in _HINTS):
            text = _LOOKS_SECRET.sub(REDACTED, text)
        return text

    def tree(self, tree: Any) -> Any:
        """Take credentials, and media where so chosen, out of a frame's JSON; returns a copy."""
        return self._walk(tree, "", "", recorded=False)

    def recorded(self, tree: Any) -> Any:
        """The same for JSON as it stands in a recording, whose markers stay as they are."""
        return self._walk(tree, "", "", recorded=True)

    def excerpt(self, frame: str | bytes, most: int = 300) -> str:
        """The beginning of a frame, for a person: without credentials and media."""
        try:
            shown = Redactor("hash", self.secrets).tree(parse(frame))
            text = json.dumps(shown, ensure_ascii=False)
        except (ValueError, RecursionError):
            if isinstance(frame, bytes):
                frame = frame[: 4 * most].decode(errors="backslashreplace")
            # Cut before what looks like a key can't be told from words any more.
            text = self.text(frame[: 2 * most])
        return text if len(text) <= most else f"{text[: most - 3]}..."

    def _walk(self, value: Any, name: str, parent: str, *, recorded: bool) -> Any:
        if name in _SECRET_NAMES:
            return self._blot(value, recorded=recorded)
        if isinstance(value, str):
            if name in _HANDLES and parent in _RESUMPTION:
                return _pseudonym(value)
            if name in _MEDIA:
                return self.medium(value)
            return self.text(value)
        if isinstance(value, list):
            return [self._walk(item, name, parent, recorded=recorded) for item in value]
        if not isinstance(value, dict):
            return value
        if recorded and set(value) == {"$media"}:
            return value
        copy: dict[str, Any] = {}
        blob = isinstance(value.get("data"), str) and (
            "mimeType" in value or "mime_type" in value or name in _BLOBS
        )
        for key, item in value.items():
            if blob and key == "data":
                copy[key] = self.medium(item)
            else:
                clean = self._name(key, copy)
                copy[clean] = self._walk(item, _plain(key), name, recorded=recorded)
        return copy if recorded else _marked(copy)

    def _blot(self, value: Any, *, recorded: bool) -> Any:
        """Blot out a subtree; its form stays, so that what it belongs to can still be read."""
        if isinstance(value, list):
            return [self._blot(item, recorded=recorded) for item in value]
        if not isinstance(value, dict):
            return value if value is None or isinstance(value, bool) else REDACTED
        copy: dict[str, Any] = {}
        for key, item in value.items():
            copy[self._name(key, copy)] = self._blot(item, recorded=recorded)
        return copy if recorded else _marked(copy)

    def _name(self, name: str, taken: Mapping[str, Any]) -> str:
        """A name without credentials in it, and not one that stands there already."""
        clean = self.text(name)
        if clean == name:
            return name
        number, found = 1, clean
        while found in taken:
            number += 1
            found = f"{clean} {number}"
        return found

    def medium(self, text: str) -> Any:
        """Base64 as it is, or the marker in its place."""
        if self.media == "whole" or not text:
            return text
        data = _decode(text)
        if data is None:
            digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
            return {"$media": {"sha256": digest, "characters": len(text)}}
        return {"$media": {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}}


def _marked(copy: dict[str, Any]) -> dict[str, Any]:
    """Put a ``$`` before the name of an object that could be mistaken for a marker."""
    if len(copy) == 1 and _MARKER.fullmatch(next(iter(copy))):
        return {f"${key}": item for key, item in copy.items()}
    return copy


def _pseudonym(handle: str) -> str:
    if not handle or _PSEUDONYM.fullmatch(handle):
        return handle  # there was none, or the recording is of a replay
    digest = hashlib.sha256(handle.encode(errors="surrogatepass")).hexdigest()
    return f"handle-{digest[:16]}"


def _decode(text: str) -> bytes | None:
    try:
        return pybase64.b64decode(text, validate=True)
    except ValueError:
        pass
    try:
        standard = text.translate(_STANDARD).rstrip("=")
        return pybase64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError:
        return None


_STANDARD: Final = str.maketrans("-_", "+/")


def restore(value: Any) -> Any:
    """Put zeros of the same length where media were left out; the rest as it came.

    Raises:
      ValueError: as ``check_markers``.
    """
    check_markers(value)
    return _restored(value)


def check_markers(tree: Any) -> None:
    """See that what was left out of a frame could have been in it.

    Raises:
      ValueError: a marker doesn't say how long, or together they say too much.
    """
    if _left_out(tree) > MOST_LEFT_OUT:
        raise ValueError(f"its $media markers stand for more than {MOST_LEFT_OUT:,} bytes")


def check_marker(value: Any, *, binary: bool) -> None:
    """See that a value is one marker, as it stands for a whole frame that isn't JSON.

    Raises:
      ValueError: it is something else.
    """
    if not isinstance(value, Mapping) or set(value) != {"$media"}:
        raise ValueError("raw should be a text or a $media marker")
    check_markers(value)
    if binary and "bytes" not in value["$media"]:
        raise ValueError("the $media marker of a binary frame tells its bytes")


def _left_out(value: Any) -> int:
    if isinstance(value, list):
        return sum(map(_left_out, value))
    if not isinstance(value, dict):
        return 0
    if len(value) == 1 and "$media" in value:
        return _length_of(value["$media"])
    return sum(map(_left_out, value.values()))


def _restored(value: Any) -> Any:
    if isinstance(value, list):
        return [_restored(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and _MARKER.fullmatch(only := next(iter(value))):
        if only != "$media":
            return {only[1:]: _restored(value[only])}
        return _silence(value[only])
    return {key: _restored(item) for key, item in value.items()}


def _silence(marker: Mapping[str, Any]) -> str:
    length = _length_of(marker)
    if "bytes" in marker:
        return pybase64.b64encode_as_string(bytes(length))
    return "A" * length


def _length_of(marker: object) -> int:
    if isinstance(marker, Mapping):
        length = marker.get("bytes", marker.get("characters"))
        if isinstance(length, int) and not isinstance(length, bool) and length >= 0:
            return length
    raise ValueError("a $media marker without a length")
