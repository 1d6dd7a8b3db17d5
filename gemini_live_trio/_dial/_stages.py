"""The stages of connecting: each with a time of its own, and each telling its failures alike.

A journey remembers where it is, so that whoever bounds the whole of it can say what it was waiting
for. It is found through a context variable: connectors may be anybody's, and their interface has
no room for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import attrs
import trio

from ..errors import ConfigError, ConnectError, ConnectTimeout

__all__ = ["Journey", "StageTimeouts", "Step", "sentence", "step"]


def sentence(advice: str) -> str:
    """Let a piece of advice stand alone."""
    return f"{advice[0].upper()}{advice[1:]}."


def _positive(_instance: object, attribute: attrs.Attribute[Any], value: float) -> None:
    if not value > 0:
        raise ConfigError(f"{attribute.name} must be greater than 0 seconds, not {value}.")


@attrs.frozen(kw_only=True)
class StageTimeouts:
    """Seconds for each stage of connecting; together they never exceed ``connect_timeout``.

    Raises:
      ConfigError: A number is zero or negative.
    """

    tcp: float = attrs.field(default=5.0, validator=_positive)
    """Finding the address and opening TCP, to the service or to the proxy."""

    proxy: float = attrs.field(default=8.0, validator=_positive)
    """From the request to the proxy until its tunnel stands; it dials the service meanwhile.
    With SOCKS5, the TCP connection to the proxy is in it."""

    tls: float = attrs.field(default=5.0, validator=_positive)
    """One TLS handshake; with an HTTPS proxy there are two."""

    upgrade: float = attrs.field(default=8.0, validator=_positive)
    """From the HTTP request to the WebSocket."""


@attrs.frozen
class Step:
    """A stage while it lasts."""

    stage: str
    address: str
    via: str
    began: float
    facts: dict[str, str] = attrs.field(factory=dict)
    """What was found out on the way, for whoever wants to see it; see ``SessionObserver``."""

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return trio.current_time() - self.began

    @property
    def place(self) -> str:
        """Where, for a sentence."""
        if self.stage == "proxy":
            return f"the proxy {self.address}"
        return f"{self.address} through the proxy {self.via}" if self.via else self.address

    def error(self, what: str, advice: str) -> ConnectError:
        """Make the error for a failure of this stage."""
        return ConnectError(
            self.text(what, advice),
            stage=self.stage,
            address=self.address,
            seconds=self.seconds,
            advice=sentence(advice),
        )

    def text(self, what: str, advice: str) -> str:
        """Say what failed, at which stage, after how long, and what to do."""
        return f"{what} (stage {self.stage!r}, after {self.seconds:.1f} s); {advice}."

    def timeout(self, what: str, advice: str) -> ConnectTimeout:
        """Make the error for the end of the time."""
        return ConnectTimeout(
            self.text(what, advice),
            stage=self.stage,
            address=self.address,
            seconds=self.seconds,
            advice=sentence(advice),
        )


_JOURNEY: ContextVar[Journey | None] = ContextVar("gemini_live_trio_journey", default=None)


class Journey:
    """Where an attempt to connect is.

    Args:
      address: Where it goes.
      passed: Told of each step that is behind it.
    """

    def __init__(self, address: str, passed: Callable[[Step], object] | None = None) -> None:
        self.passed = passed
        self.via = ""
        """The proxy that stands between, or nothing."""
        self.step: Step = Step("tcp", address, "", trio.current_time())

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Let the steps inside the block be noted here."""
        token = _JOURNEY.set(self)
        try:
            yield
        finally:
            _JOURNEY.reset(token)


@contextmanager
def step(stage: str, address: str, *, seconds: float, lacking: str, advice: str) -> Iterator[Step]:
    """Bound a stage.

    Args:
      stage: Its name, for ``ConnectError.stage``.
      address: Whom it talks to.
      seconds: What it may take.
      lacking: What isn't there when the time is over: ``"No answer from ..."``.
      advice: What to do about that.

    Raises:
      ConnectTimeout: The time is over.
    """
    journey = _JOURNEY.get() or Journey(address)
    here = journey.step = Step(stage, address, journey.via, trio.current_time())
    with trio.move_on_after(seconds) as scope:
        yield here
    if scope.cancelled_caught:
        through = f" through the proxy {here.via}" if here.via and stage != "proxy" else ""
        raise here.timeout(f"{lacking}{through} within {seconds:g} s", advice)
    if stage == "proxy":
        journey.via = address
    if journey.passed is not None:
        journey.passed(here)
