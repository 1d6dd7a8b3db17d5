"""The terminal program, ``python -m gemini_live_trio``.

It uses public names of the library only, so it is also the example to read:

* ``_subcommands``: ``config`` (``_config``), ``doctor`` (``_doctor``), ``simulate``, ``update``
  (``_update``); without one:
* ``_program``: one run, from the command line on; ``_signals``: what ends it from outside
* ``_options``: what was asked for; ``_where``: whom to talk to; ``_advice``: what won't work
* ``_schema``: what can be set, each setting once (``_readers``); ``_layers``: who says so
* ``_profiles``: settings in files (``_toml``); ``_vault``: keys in the system's keyring
* ``_script``: a conversation without a person; ``_script_options``: what goes with what there
* ``_ordered``: one that another program leads, by the lines of ``_orders``; ``_turns``: what is due
* ``_client``: a conversation with one; each command belongs to a part of it (``_console``):
  ``_basics``, ``_changing`` (``_settings``), ``_toolbox``, ``_sound`` (``_activity``),
  ``_sharing``, ``_desktop``, ``_saving`` (``_taping``)
* ``_keeper``: that conversation over any number of sessions
* ``_front``: the terminal; ``_prompt`` (prompt-toolkit; ``_completion``, ``_history``,
  ``_terminal``) or ``_lines``; ``_keyboard``: what both have
* ``_saying``: what a typed line means; ``_commands``: the table of commands
* ``_render``, ``_plain``, ``_rows``: from events to words on a screen; ``_json``: to JSON
* ``_sending``: words, pictures and recordings in their order; ``_kinds``: which of these a file is
* ``_speaking``: recordings in, the model's voice out; ``_piping``: both through pipes
* ``_descriptors``: standard streams without waiting
* ``_errors``: from an exception to a sentence and a status
"""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

__all__ = ["main"]

PROGRAM = "gemini-live-trio"
PATIENCE = 1.0
"""Seconds for a terminal or a pipe to take the last sentence."""
STOPPED = "Stopped by Ctrl-C.", 130


def main(
    arguments: Sequence[str] | None = None, *, ready: Callable[[], object] = lambda: None
) -> int:
    """Run the program.

    Args:
      arguments: The command line without the program's name; ``sys.argv`` by default.
      ready: Called when all is imported, and nothing begun yet.

    Returns:
      The exit status: 0 all went well, 1 the service or the session failed, 2 the call can't work,
      128 and the signal's number where a signal ended it.
    """
    try:
        # Here, since it takes a moment, and Ctrl-C may come in that moment too.
        from ._subcommands import subcommand

        chosen, arguments = subcommand(arguments)
        if chosen is not None:
            ready()
            _never_stumble(sys.stdout)
            return chosen(arguments, os.environ, PROGRAM)
        from ._program import run

        ready()
        run(arguments)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - everything ends here, in one sentence
        text, status = _verdict(error)
        if text:
            _complain(f"{PROGRAM}: {text}\n")
        return status
    return 0


def _never_stumble(stream: TextIO | None) -> None:
    """Have letters that the stream doesn't know written as escapes, not refused with the rest."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def _verdict(error: BaseException) -> tuple[str, int]:
    if isinstance(error, KeyboardInterrupt):
        return STOPPED
    from ._errors import verdict

    return verdict(error)


def _complain(text: str) -> None:
    """Write to standard error, if that can be done without waiting for long."""
    if sys.stderr is None:
        return
    with contextlib.suppress(OSError, ValueError):
        if os.name == "posix":
            with contextlib.suppress(OSError, ValueError):
                descriptor = sys.stderr.fileno()
                if not select.select([], [descriptor], [], PATIENCE)[1]:
                    return
        sys.stderr.write(text)
        sys.stderr.flush()
