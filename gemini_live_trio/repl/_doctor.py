"""``doctor``: is everything fit, and what to do about what isn't."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final, TextIO

import attrs
import trio

from .. import GeminiApi, SessionConfig
from ..doctor import Check, Report, examine
from ..wire import ThinkingConfig, TranslationConfig
from ._render import harmless
from ._where import VARIABLES, Whom, add_options, choose

__all__ = ["run_doctor"]

DESCRIPTION: Final = """\
Finds out in less than a minute whether everything is fit for a conversation, and
says what to do about what isn't: credentials, network, proxy, TLS, model, a
question and its answer, microphone, speaker, echo canceller, screen. The question
costs what any question costs.
"""
EPILOG: Final = f"""\
environment, where the command line doesn't say:
{VARIABLES}
exit status:
  0 all is well, perhaps with warnings   1 something failed   2 the call can't work
"""

MARKS: Final = {"ok": "ok", "warning": "warning", "failed": "FAILED", "skipped": "skipped"}
COLOURS: Final = {"ok": "32", "warning": "33", "failed": "1;31", "skipped": "90"}
_NAME_WIDTH: Final = 13
_MARK_WIDTH: Final = 7
_TIME_WIDTH: Final = 8
_INDENT: Final = " " * (_NAME_WIDTH + _MARK_WIDTH + _TIME_WIDTH + 3)


def run_doctor(arguments: Sequence[str], environment: Mapping[str, str], program: str) -> int:
    """Examine, and show what was found.

    Returns:
      The exit status.

    Raises:
      ConfigError: The call can't work.
      SystemExit: It wasn't understood, or only asked for help.
    """
    parser = argparse.ArgumentParser(
        prog=f"{program} doctor",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_options(parser.add_argument_group("whom to talk to").add_argument)
    add = parser.add_argument_group("what to look at, and how to say it").add_argument
    add("--no-devices", action="store_true", help="leave microphone, speaker and screen alone")
    add("--json", action="store_true", help="print one JSON document at the end, nothing else")
    given = parser.parse_args(arguments)
    whom = choose(given, environment)
    screen = None if given.json else _Screen(sys.stdout, environment)
    report = trio.run(
        _examine,
        whom,
        given.simulate,
        not given.no_devices,
        screen,
        restrict_keyboard_interrupt_to_checkpoints=True,
    )
    if screen is None:
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))  # noqa: T201
    else:
        screen.end(report)
    return 0 if report.ok else 1


async def _examine(whom: Whom, simulate: bool, devices: bool, screen: _Screen | None) -> Report:
    async with AsyncExitStack() as stack:
        if simulate:
            from ..simulator import open_simulator

            simulator = await stack.enter_async_context(open_simulator())
            whom = attrs.evolve(whom, endpoint=GeminiApi(base_url=simulator.url))
        return await examine(
            _config(whom),
            source=whom.source,
            no_credentials=whom.no_credentials,
            devices=devices,
            on_start=None if screen is None else screen.begin,
            on_check=None if screen is None else screen.tell,
        )


def _config(whom: Whom) -> SessionConfig:
    """What a model can't do without is given, so that it is the model that is examined."""
    config = SessionConfig(
        model=whom.model, auth=whom.auth, endpoint=whom.endpoint, thinking=whom.thinking
    )
    wanted = {finding.rule for finding in config.findings()}
    if "3.8-extended-thinking-level" in wanted:
        config = attrs.evolve(config, thinking=ThinkingConfig(thinking_level="LOW"))
    if "translation-target" in wanted:
        config = attrs.evolve(config, translation=TranslationConfig(target_language_code="en"))
    return config


class _Screen:
    """A line for each check as it is made."""

    def __init__(self, stream: TextIO, environment: Mapping[str, str]) -> None:
        self._stream = stream
        terminal = stream.isatty() and environment.get("TERM", "dumb") != "dumb"
        self._colours = terminal and not environment.get("NO_COLOR")
        self._moves = terminal
        self._width = 0

    def begin(self, name: str) -> None:
        """Show what is looked at, where a line can be taken back."""
        if self._moves:
            self._clear()
            text = f"{name} ..."
            self._width = len(text)
            self._write(text)

    def tell(self, check: Check) -> None:
        """Show what was found."""
        self._clear()
        mark = MARKS[check.state].ljust(_MARK_WIDTH)
        if self._colours:
            mark = f"\x1b[{COLOURS[check.state]}m{mark}\x1b[0m"
        time = "" if check.seconds is None else f"{check.seconds * 1000:,.0f} ms"
        text = harmless(check.text).replace("\n", " ")
        self._write(f"{check.name:<{_NAME_WIDTH}} {mark} {time:>{_TIME_WIDTH}} {text}\n")
        if check.fix:
            self._write(f"{_INDENT}-> {harmless(check.fix)}\n")

    def end(self, report: Report) -> None:
        """Sum up."""
        self._clear()
        failed, warned = report.of("failed"), report.of("warning")
        if failed:
            names = ", ".join(check.name for check in failed)
            verdict = f"Not fit: {names} failed"
        else:
            verdict = "All is well"
        warnings = f", with {len(warned)} warning{'s' * (len(warned) != 1)}" if warned else ""
        self._write(f"\n{verdict}{warnings}. ({report.seconds:.1f} s)\n")

    def _clear(self) -> None:
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
