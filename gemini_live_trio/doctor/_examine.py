"""``examine``: from the first check to the last."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from .._dial import Connector, TcpConnector
from ..config import SessionConfig
from ..errors import ConfigError
from ._machine import configuration, environment, extras, versions
from ._probing import DEVICES, probe
from ._report import Check, Notes, Report
from ._talk import talk
from ._way import STEPS, Way

__all__ = ["examine"]

BUDGET: Final = 50.0
"""Seconds for the way to the service and back. Each stage has its own time; this bounds the sum."""


async def examine(
    config: SessionConfig,
    *,
    connector: Connector | None = None,
    source: str = "",
    no_credentials: ConfigError | None = None,
    devices: bool = True,
    on_start: Callable[[str], object] | None = None,
    on_check: Callable[[Check], object] | None = None,
) -> Report:
    """Find out what is fit and what isn't, in less than a minute.

    One session is opened and asked a short question, which costs what such a question costs. Of
    the devices only a moment is heard, and nothing but silence is played.

    Args:
      config: What a program would use.
      connector: How it would reach the service; TCP and TLS by default.
      source: Where its credentials come from, in words, such as ``"GEMINI_API_KEY"``.
      no_credentials: Why there are none; then the network alone is looked at.
      devices: Whether to look at microphone, speaker, echo canceller and screen.
      on_start: Told the name of what is looked at now.
      on_check: Told each check as it is made.

    Returns:
      All checks. What fails raises nothing, since it is what was to be found out.

    Cancellation: at any time; nothing is left running.
    """
    began = trio.current_time()
    notes = Notes(on_start, on_check)
    versions(notes)
    extras(notes)
    environment(notes)
    looked_at: dict[str, Check] = {}

    async def look(name: str) -> None:
        looked_at[name] = await probe(name)

    async with trio.open_nursery() as nursery:
        if devices:
            for name in DEVICES:
                nursery.start_soon(look, name)
        if configuration(notes, config):
            await _go(notes, config, connector or TcpConnector(), source, no_credentials)
        else:
            notes.skip(STEPS, "configuration")
        if devices:
            notes.start("devices")
    for name in DEVICES:
        if name in looked_at:
            notes.note(looked_at[name])
    return notes.report(began)


async def _go(
    notes: Notes,
    config: SessionConfig,
    connector: Connector,
    source: str,
    no_credentials: ConfigError | None,
) -> None:
    way = Way(notes, config, connector, source=source)
    with trio.move_on_after(BUDGET):
        await way.go(talk, no_credentials=no_credentials)
    if way.left:
        way.fail(
            way.left[0],
            f"the examination has taken {BUDGET:g} s, which is all that it may take",
            fix="Check the network; it is very slow.",
        )
