"""Ephemeral tokens: minted over REST, good for a few sessions and a while, with parts of the setup
fixed.

Times on the wire are wall-clock times, while everything in the simulator waits on Trio's clock, so
the two are tied together once, when the simulator opens: from then on its wall clock is that moment
plus the seconds on Trio's clock. On a virtual clock the tokens age with it.
"""

from __future__ import annotations

import secrets
import time
import types
import typing
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

import attrs
import orjson
import trio

from ... import wire
from .._checks._refused import CATCH_ALL, Refused
from .._checks._rules import read_message, snake
from ._dialects import NOBODY, TOKEN_PREFIX

__all__ = ["EXPIRED_MEANWHILE", "Token", "TokenRefused", "TokenStore"]

MOST_TOKENS: Final = 10_000
LIFETIME: Final = 30 * 60.0  # documented
LIFETIME_OF_NEWNESS: Final = 60.0  # documented
LONGEST: Final = 20 * 60 * 60.0  # documented, and measured with its words
_INT32: Final = 2**31 - 1

# Measured in September and October 2026, by several people.
_USED_UP: Final = "Token has been used too many times"
_TOO_LATE: Final = "new_session_expire_time deadline exceeded"
_EXPIRED: Final = "Token has expired"
EXPIRED_MEANWHILE: Final = "auth token has expired"

_SETUP: Final = "auth_token.bidi_generate_content_setup"


class TokenRefused(Exception):
    """The body of a request for a token breaks a rule; its text is the service's."""


@attrs.define(eq=False)
class Token:
    """An ephemeral token. Times are on Trio's clock.

    Attributes:
      name: The credential itself.
      expires_at: Its sessions end then.
      new_until: No new session begins after that.
      uses_left: How many sessions may begin; ``None`` for any number.
      setup: What it fixes of the setup.
      mask: Which fields of that, in snake case; ``None`` for all of them.
    """

    name: str = attrs.field(repr=False)
    expires_at: float
    new_until: float
    uses_left: int | None = 1
    setup: wire.LiveClientSetup | None = None
    mask: tuple[tuple[str, ...], ...] | None = None

    def check(self, *, resumes: bool) -> None:
        """Ask whether a session may begin with it now, or go on; resuming costs nothing.

        Raises:
          Refused: it is too late, or was used too often.
        """
        now = trio.current_time()
        if now >= self.expires_at:
            raise Refused(1011, _EXPIRED, "the token's expireTime has passed")
        if resumes:
            return
        if now >= self.new_until:
            raise Refused(1011, _TOO_LATE, "the token's newSessionExpireTime has passed")
        if self.uses_left == 0:
            raise Refused(1011, _USED_UP, "the token has no uses left")

    def use(self) -> None:
        """Count the beginning of a session.

        Raises:
          Refused: another session was quicker.
        """
        self.check(resumes=False)
        if self.uses_left is not None:
            self.uses_left -= 1

    def lock(self, setup: wire.LiveClientSetup) -> wire.LiveClientSetup:
        """Put what the token fixes in the place of what the client wants.

        The handle is always the client's, and so is a model that the token doesn't name.
        """
        if self.mask is None:
            if self.setup is None:
                return setup
            locked = attrs.evolve(self.setup, model=self.setup.model or setup.model)
        else:
            locked = setup
            for path in self.mask:
                locked = _put(locked, self.setup or wire.LiveClientSetup(), path)
        if setup.session_resumption is None:
            return locked
        return attrs.evolve(locked, session_resumption=setup.session_resumption)


class TokenStore:
    """The tokens that were minted; bounded, the oldest make room."""

    def __init__(self) -> None:
        self._tokens: OrderedDict[str, Token] = OrderedDict()
        self._epoch = time.time() - trio.current_time()

    def __len__(self) -> int:
        return len(self._tokens)

    def find(self, name: str) -> Token:
        """Find a token.

        Raises:
          Refused: it was not minted here, or long ago.
        """
        token = self._tokens.get(name)
        if token is None:
            raise Refused(1008, NOBODY, "this simulator minted no such token")
        return token

    def mint(
        self,
        *,
        uses: int = 1,
        expires_in: float = LIFETIME,
        new_sessions_for: float = LIFETIME_OF_NEWNESS,
        setup: wire.LiveClientSetup | None = None,
        mask: tuple[tuple[str, ...], ...] | None = None,
    ) -> Token:
        """Make a token; 0 uses are any number.

        Raises:
          ValueError: it could never be used.
        """
        if uses < 0 or not expires_in > 0 or not new_sessions_for > 0:
            raise ValueError("a token has 0 or more uses, and lasts for more than 0 seconds")
        now = trio.current_time()
        token = Token(
            name=TOKEN_PREFIX + secrets.token_hex(32),
            expires_at=now + expires_in,
            new_until=now + new_sessions_for,
            uses_left=uses or None,
            setup=setup,
            mask=mask,
        )
        self._tokens[token.name] = token
        while len(self._tokens) > MOST_TOKENS:
            self._tokens.popitem(last=False)
        return token

    def mint_from(self, body: bytes) -> Token:
        """Make a token as the body of the REST request wants it.

        Raises:
          TokenRefused: the body breaks a rule.
        """
        wanted = _read_body(body)
        setup = _read_setup(wanted.get("bidi_generate_content_setup"))
        return self.mint(
            uses=_read_uses(wanted.get("uses")),
            expires_in=self._read_time("expire_time", wanted, LIFETIME),
            new_sessions_for=self._read_time(
                "new_session_expire_time", wanted, LIFETIME_OF_NEWNESS
            ),
            setup=setup,
            mask=_read_mask(wanted.get("field_mask")),
        )

    def _read_time(self, name: str, wanted: Mapping[str, Any], default: float) -> float:
        """Seconds from now."""
        text = wanted.get(name)
        if text is None:
            return default
        try:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise ValueError("a time without a zone")
            left = moment.timestamp() - self._epoch - trio.current_time()
        except (TypeError, ValueError, OverflowError):
            raise TokenRefused(f"Invalid value at 'auth_token.{name}'") from None
        if left > LONGEST:
            raise TokenRefused(f"{name} is too far in the future. Maximum lifetime is 20h")
        if left <= 0:
            raise TokenRefused(CATCH_ALL)
        return left


_FIELDS: Final = frozenset(
    {"expire_time", "new_session_expire_time", "uses", "bidi_generate_content_setup", "field_mask"}
)


def _read_body(body: bytes) -> dict[str, Any]:
    if not body.strip():
        return {}
    try:
        wanted = orjson.loads(body)
    except orjson.JSONDecodeError:
        wanted = None
    if not isinstance(wanted, dict):
        raise TokenRefused("Invalid JSON payload received. Unexpected token.")
    for name in wanted:
        if snake(name) not in _FIELDS:
            raise TokenRefused(
                f"Invalid JSON payload received. Unknown name \"{name}\" at 'auth_token': "
                "Cannot find field."
            )
    return {snake(name): value for name, value in wanted.items()}


def _read_uses(value: Any) -> int:
    if value is None:
        return 1
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 11:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _INT32:
        raise TokenRefused("Invalid value at 'auth_token.uses'")
    if value < 0:
        raise TokenRefused(CATCH_ALL)
    return value


def _read_setup(value: Any) -> wire.LiveClientSetup | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise TokenRefused(f"Invalid value at '{_SETUP}'")
    try:
        return read_message(orjson.dumps({"setup": value})).setup
    except Refused as refused:
        raise TokenRefused(refused.reason.replace("'setup", f"'{_SETUP}")) from None


def _read_mask(value: Any) -> tuple[tuple[str, ...], ...] | None:
    if value is None or value == "*":
        return None
    wrong = TokenRefused("Invalid value at 'auth_token.field_mask'")
    if not isinstance(value, str):
        raise wrong
    paths = [
        tuple(snake(step) for step in path.strip().split("."))
        for path in value.split(",")
        if path.strip()
    ]
    if not all(_leads_somewhere(wire.LiveClientSetup, path) for path in paths):
        raise wrong
    return tuple(paths) or None


# --- Fields by their path ---


def _leaves(annotation: Any) -> Iterator[Any]:
    if typing.get_origin(annotation) in {typing.Union, types.UnionType, Sequence}:
        for argument in typing.get_args(annotation):
            yield from _leaves(argument)
    else:
        yield annotation


_Fields: TypeAlias = Mapping[str, tuple[str, type[wire.Message] | None]]
_fields: Final[dict[type[wire.Message], _Fields]] = {}


def _names(cls: type[wire.Message]) -> _Fields:
    """Every field by its names in snake case: its name here, and the class inside, if any."""
    if cls not in _fields:
        _fields[cls] = _read_names(cls)
    return _fields[cls]


def _read_names(cls: type[wire.Message]) -> _Fields:
    hints = typing.get_type_hints(cls)
    found = {}
    for field in attrs.fields(cls):
        if field.name == "extra":
            continue
        leaves = (leaf for leaf in _leaves(hints[field.name]) if isinstance(leaf, type))
        inner = next((leaf for leaf in leaves if issubclass(leaf, wire.Message)), None)
        for name in (field.name, *map(snake, field.metadata.get("json", ()))):
            found[name] = (field.name, inner)
    return found


def _leads_somewhere(cls: type[wire.Message], path: tuple[str, ...]) -> bool:
    field = _names(cls).get(path[0])
    if field is None:
        return False
    return len(path) == 1 or (field[1] is not None and _leads_somewhere(field[1], path[1:]))


_M = typing.TypeVar("_M", bound=wire.Message)


def _put(theirs: _M, ours: _M, path: tuple[str, ...]) -> _M:
    """Take one field from ``ours``; a path into a list takes the whole list."""
    name, inner = _names(type(theirs))[path[0]]
    mine, other = getattr(ours, name), getattr(theirs, name)
    if len(path) > 1 and inner is not None and not isinstance(mine or other, tuple):
        empty = inner()
        mine = _put(other or empty, mine or empty, path[1:])
        if other is None and mine == empty:
            mine = None
    return attrs.evolve(theirs, **{name: mine})
