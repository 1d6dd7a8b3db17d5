"""``doctor``: is everything fit, and what to do about what isn't."""

from __future__ import annotations

import functools
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Final, TextIO

import attrs
import trio

from .. import GeminiApi, SessionConfig
from ..doctor import Check, Report, examine
from ..wire import TranslationConfig
from ._layers import settle
from ._parsing import Parser
from ._render import harmless
from ._schema import VARIABLES
from ._settings import thinking_at
from ._signals import run_until_signal
from ._where import Whom, add_options, choose

__all__ = ["run_doctor"]

DESCRIPTION: Final = """\
Finds out in less than a minute whether everything is fit for a conversation, and
says what to do about what isn't: credentials, network, proxy, TLS, model, a
question and its answer, microphone, speaker, echo canceller, screen. The question
costs what any question costs.
"""
EPILOG: Final = f"""\
environment, where the command line doesn't say (and before a profile):
{VARIABLES}
exit status:
  0 all is well, perhaps with warnings   1 something failed   2 the call can't work
"""

MARKS: Final = {"ok": "ok", "warning": "warning", "failed": "FAILED", "skipped": "skipped"}
COLOURS: Final = {"ok": "32", "warning": "33", "failed": "1;31", "skipped": "90"}
_NAME_WIDTH: Final = 13
_MARK_WIDTH: Final = 7
_TIME_WIDTH: Final = 8
_NARROWEST: Final = 30
"""Columns for what was found; with fewer, the terminal itself may break the lines."""
_INDENT: Final = " " * (_NAME_WIDTH + _MARK_WIDTH + _TIME_WIDTH + 3)


def run_doctor(arguments: Sequence[str], environment: Mapping[str, str], program: str) -> int:
    """Examine, and show what was found.

    Returns:
      The exit status.

    Raises:
      ConfigError: The call can't work.
      SystemExit: It wasn't understood, or only asked for help.
    """
    parser = Parser(
        prog=f"{program} doctor",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    add_options(parser.add_argument_group("whom to talk to").add_argument)
    add = parser.add_argument_group("what to look at, and how to say it").add_argument
    add("--no-devices", action="store_true", help="leave microphone, speaker and screen alone")
    add("--json", action="store_true", help="print one JSON document at the end, nothing else")
    given = parser.understand(arguments)
    whom = choose(settle(given, environment), simulate=given.simulate)
    screen = None if given.json else _Screen(sys.stdout, environment)
    examination = functools.partial(_examine, whom, given.simulate, not given.no_devices, screen)
    try:
        report = run_until_signal(examination)
    except BaseException:
        if screen is not None:
            screen.leave()
        raise
    if screen is None:
        # Escaped wherever the stream might not know a letter: JSON has no \xfc.
        escaped = "utf" not in (getattr(sys.stdout, "encoding", None) or "").lower()
        print(json.dumps(report.to_json(), indent=2, ensure_ascii=escaped))  # noqa: T201
    else:
        screen.end(report)
    return 0 if report.ok else 1


async def _examine(whom: Whom, simulate: bool, devices: bool, screen: _Screen | None) -> Report:
    report: Report | None = None
    with trio.CancelScope() as nobody_reads:
        async with AsyncExitStack() as stack:
            if simulate:
                from ..simulator import open_simulator

                simulator = await stack.enter_async_context(open_simulator())
                whom = attrs.evolve(whom, endpoint=GeminiApi(base_url=simulator.url))
            if screen is not None:
                screen.on_failure = nobody_reads.cancel
            report = await examine(
                _config(whom),
                source=whom.source,
                no_credentials=whom.no_credentials,
                devices=devices,
                on_start=None if screen is None else screen.begin,
                on_check=None if screen is None else screen.tell,
            )
    if screen is not None and screen.failure is not None:
        raise screen.failure
    assert report is not None
    return report


def _config(whom: Whom) -> SessionConfig:
    """What a model can't do without is given, so that it is the model that is examined."""
    config = SessionConfig(
        model=whom.model,
        auth=whom.auth,
        endpoint=whom.endpoint,
        thinking=whom.thinking,
        translation=whom.translation,
    )
    wanted = {finding.rule for finding in config.findings()}
    if "3.8-extended-thinking-level" in wanted:
        config = attrs.evolve(config, thinking=thinking_at("low"))
    if "translation-target" in wanted:
        config = attrs.evolve(config, translation=TranslationConfig(target_language_code="en"))
    return config


class _Screen:
    """A line for each check as it is made.

    Args:
      stream: Where they go; ``None`` stands for one that was closed.
      environment: Says what the terminal can do.
    """

    def __init__(self, stream: TextIO | None, environment: Mapping[str, str]) -> None:
        self._stream = stream
        terminal = stream is not None and stream.isatty()
        terminal = terminal and environment.get("TERM", "dumb") != "dumb"
        self._colours = terminal and not environment.get("NO_COLOR")
        self._moves = terminal
        self._room = shutil.get_terminal_size().columns - len(_INDENT) if terminal else 0
        self._width = 0
        self.failure: OSError | None = None
        """Why nothing can be shown any more."""
        self.on_failure: Callable[[], object] = lambda: None

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
        text = self._wrapped(check.text, 0)
        self._write(f"{check.name:<{_NAME_WIDTH}} {mark} {time:>{_TIME_WIDTH}} {text}\n")
        if check.fix:
            self._write(f"{_INDENT}-> {self._wrapped(check.fix, 3)}\n")

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
        if self.failure is not None:
            raise self.failure

    def leave(self) -> None:
        """Take back what is shown only for a while."""
        self._clear()

    def _wrapped(self, text: str, hang: int) -> str:
        text = harmless(text).replace("\n", " ")
        if self._room < _NARROWEST:
            return text
        lines = textwrap.wrap(
            text, self._room - hang, break_long_words=False, break_on_hyphens=False
        )
        return f"\n{_INDENT}{' ' * hang}".join(lines)

    def _clear(self) -> None:
        if self._width:
            self._write("\r" + " " * self._width + "\r")
            self._width = 0

    def _write(self, text: str) -> None:
        if self._stream is None or self.failure is not None:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            self.failure = error
            self.on_failure()
