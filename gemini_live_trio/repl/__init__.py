"""The terminal program, ``python -m gemini_live_trio``.

It uses public names of the library only, so it is also the example to read:

* ``_options``: the command line and the environment
* ``_script``: a conversation without a person
* ``_interactive``: a conversation with one, over ``_prompt`` (prompt-toolkit) or ``_lines``
* ``_commands``: what a typed line means
* ``_render``, ``_plain``, ``_rows``: from events to words on a screen, or to JSON
* ``_speaking``: recordings in, the model's voice out
* ``_descriptors``: standard streams without waiting
* ``_errors``: from an exception to a sentence and a status
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import trio

from .. import GeminiApi, LiveSession, SessionConfig, open_session
from ..media import open_sound
from ._errors import ConversationFailed, Terminated, verdict
from ._interactive import converse, open_front
from ._options import Options, parse
from ._plain import standard_screen
from ._render import Kind
from ._script import run_script
from ._speaking import open_recorder

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
      arguments: The command line without the program's name; ``sys.argv`` by default.

    Returns:
      The exit status: 0 all went well, 1 the service or the session failed, 2 the call can't work,
      128 and the signal's number where a signal ended it.
    """
    try:
        options = parse(arguments, os.environ)
        # Ctrl-C arrives where the program waits, so nothing is torn in the middle.
        trio.run(_run, options, restrict_keyboard_interrupt_to_checkpoints=True)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - everything ends here, in one sentence
        text, status = verdict(error)
        if text and sys.stderr is not None:
            with contextlib.suppress(OSError):
                sys.stderr.write(f"gemini-live-trio: {text}\n")
                sys.stderr.flush()
        return status
    return 0


async def _run(options: Options) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch_signals)
        if _at_terminal(options):
            await _run_interactive(options)
        else:
            with trio.CancelScope(
                deadline=trio.current_time() + (options.timeout or math.inf)
            ) as scope:
                await _run_script(options)
            if scope.cancelled_caught:
                raise ConversationFailed(
                    f"The conversation wasn't over after {options.timeout:g} s (--timeout)."
                )
        nursery.cancel_scope.cancel()


def _at_terminal(options: Options) -> bool:
    """Tell whether there is a person to type and to read."""
    streams = (sys.stdin, sys.stdout)
    return not (options.turns or options.json) and all(
        stream is not None and stream.isatty() for stream in streams
    )


async def _watch_signals() -> None:
    names = ("SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    with trio.open_signal_receiver(*numbers) as received:
        async for number in received:
            raise Terminated(number)


async def _run_script(options: Options) -> None:
    for turn in options.turns:
        if isinstance(turn, Path):
            # Better known now than in the middle of a conversation.
            async with open_sound(turn):
                pass
    async with (
        _open_conversation(options) as session,
        open_recorder(options.save_audio) as recorder,
    ):
        await run_script(session, options, standard_screen(), recorder)


async def _run_interactive(options: Options) -> None:
    where = "the built-in simulator" if options.simulate else str(options.config.endpoint.target())
    screen = standard_screen()
    screen.line(Kind.NOTE, f"Connecting to {where}; Ctrl-C gives up.")
    await screen.flush()
    async with (
        _open_conversation(options) as session,
        open_recorder(options.save_audio) as recorder,
        open_front() as front,
    ):
        await converse(session, options, front, recorder, where=where)


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

    async with open_simulator() as simulator:
        yield attrs.evolve(options.config, endpoint=GeminiApi(base_url=simulator.url))
