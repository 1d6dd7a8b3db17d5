"""One run of the program: from the command line to the conversation that it asks for."""

from __future__ import annotations

import functools
import math
import os
import sys
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import trio

from .. import CapabilityWarning, GeminiApi, LiveSession, SessionConfig, open_session
from ..errors import ConfigError
from ._advice import advised, refusal
from ._errors import ConversationFailed
from ._options import Options, parse
from ._render import Kind, Screen
from ._signals import run_until_signal
from ._speaking import open_recorder, open_recorder_later

if TYPE_CHECKING:
    from ._keeper import Plan

__all__ = ["run"]


def run(arguments: Sequence[str] | None) -> None:
    """Run the program; everything that ends it early is raised."""
    options = parse(arguments, os.environ)
    if refused := refusal(options.config, options.sources):
        raise ConfigError(refused)
    # They are told as remarks, with those of the conversation.
    warnings.simplefilter("ignore", CapabilityWarning)
    run_until_signal(functools.partial(_run, options))


async def _run(options: Options) -> None:
    if _pipes_voice(options) and sys.stdout is not None and sys.stdout.isatty():
        raise ConfigError(
            "--save-audio - writes bare samples, and standard output is a terminal; pipe it into a "
            "player, or name a file."
        )
    if _at_terminal(options):
        await _run_interactive(options)
        return
    with trio.CancelScope(deadline=trio.current_time() + (options.timeout or math.inf)) as scope:
        await _run_script(options)
    if scope.cancelled_caught:
        raise ConversationFailed(
            f"The conversation wasn't over after {options.timeout:g} s (--timeout)."
        )


def _pipes_voice(options: Options) -> bool:
    return str(options.save_audio) == "-"


def _at_terminal(options: Options) -> bool:
    """Tell whether there is a person to type and to read."""
    streams = (sys.stdin, sys.stdout)
    return not (options.turns or options.json) and all(
        stream is not None and stream.isatty() for stream in streams
    )


def _remark(options: Options, screen: Screen) -> None:
    """Say what is doubtful about the setup; what is certain to fail is refused before."""
    for finding in options.config.findings():
        if not finding.blocks:
            screen.line(Kind.NOTE, advised(finding, options.sources))


async def _run_script(options: Options) -> None:
    from ._descriptors import LineReader
    from ._ordered import LINE_LIMIT, run_orders
    from ._plain import standard_screen
    from ._script import check_script, run_script

    screen = standard_screen(words_to_error=_pipes_voice(options))
    _remark(options, screen)
    await screen.flush()
    if not options.json_input:
        # Better known now than in the middle of a conversation.
        await check_script(options)
    elif sys.stdin is None:
        raise ConfigError("Standard input is closed; --json-input takes orders from it.")
    async with (
        _open_conversation(options) as session,
        open_recorder(options.save_audio) as recorder,
    ):
        if options.json_input:
            lines = LineReader(sys.stdin.fileno(), limit=LINE_LIMIT)
            await run_orders(session, options, screen, recorder, lines)
        else:
            await run_script(session, options, screen, recorder)


async def _run_interactive(options: Options) -> None:
    from ._front import open_front

    where = "the built-in simulator" if options.simulate else str(options.config.endpoint.target())

    def opener(plan: Plan, **how: Any) -> AbstractAsyncContextManager[LiveSession]:
        return open_session(
            plan.config,
            tools=plan.tools,
            reconnect=options.policy,
            close_timeout=CLOSE_SECONDS,
            **how,
        )

    async with open_recorder_later(options.save_audio) as recorder, open_front() as front:
        _remark(options, front)
        # Only now, since they take a while to import: there is a prompt already, which takes keys.
        from ._client import Client
        from ._keeper import CLOSE_SECONDS

        async with _open_server(options) as config:
            await Client(options, config, front, recorder, opener, where=where).run()


@asynccontextmanager
async def _open_conversation(options: Options) -> AsyncIterator[LiveSession]:
    async with (
        _open_server(options) as config,
        open_session(config, reconnect=options.policy) as it,
    ):
        yield it


@asynccontextmanager
async def _open_server(options: Options) -> AsyncIterator[SessionConfig]:
    if not options.simulate:
        yield options.config
        return
    from ..simulator import open_simulator

    async with open_simulator(commands=True) as simulator:
        yield attrs.evolve(options.config, endpoint=GeminiApi(base_url=simulator.url))
