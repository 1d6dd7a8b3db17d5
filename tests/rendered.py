"""Documents that are made from data or runs: ``python tests/rendered.py`` writes them anew."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path

from gemini_live_trio._closes import CLOSES, Phase, Rule
from gemini_live_trio.simulator._scripts._commands import COMMANDS, Command

DOCS = Path(__file__).parent.parent / "docs"

CLOSES_HEAD = """\
# What the end of a connection means

Made from the table in `_closes.py` by `python tests/rendered.py`. The first row that fits counts;
a reason fits when it begins so, in any case of letters. Phases: *first* is the first setup,
*resume* a setup with a handle, *fresh* one without on a reconnect, *session* everything after
`setupComplete`. What the service was seen to say stands in [protocol.md](protocol.md).

After *again* the session dials again; *afresh* means that the handle is given up; *once* that the
second such close within a minute is final, and that nothing is sent again; *no* ends the session
with `SessionBroken`, or its first setup with `SetupRejected`.

| code | reason begins with | phases | cause | again? | advice |
|---|---|---|---|---|---|
"""


def _retry(rule: Rule) -> str:
    if not rule.retry:
        return "no"
    if rule.drops_handle:
        return "afresh"
    return "once" if rule.blames_input else "again"


def _row(rules: list[Rule]) -> str:
    rule = rules[0]
    phases = [phase.value for rule in rules for phase in rule.phases]
    cells = (
        str(rule.code or "any"),
        f"`{rule.prefix}`" if rule.prefix else "",
        "all" if len(phases) == len(Phase) else ", ".join(phases),
        f"`{rule.cause}`",
        _retry(rule),
        rule.advice,
    )
    return f"| {' | '.join(cells)} |\n"


def closes() -> str:
    """Render the table of closes; neighbours that differ in their phases only are one row."""

    def same(rule: Rule) -> tuple[object, ...]:
        return rule.code, rule.prefix, rule.cause, rule.retry, rule.drops_handle, rule.blames_input

    return CLOSES_HEAD + "".join(_row(list(rules)) for _, rules in groupby(CLOSES, same))


COMMANDS_HEAD = """\
# Commands to the simulator

Made from the table in `simulator/_scripts/_commands.py` by `python tests/rendered.py`.

With `open_simulator(commands=True)`, `--commands`, or in the terminal program with `--simulate`, a
line of the user's that begins with `!` and a letter is a command. It comes as `realtimeInput.text`
or as a `clientContent` turn, from any client. It is done at once and interrupts nothing; then the
simulator says so in a turn of its own, or says what is wrong with it. A command that ends the
connection is answered on the next one, after a resume. No command waits until something is said:
`!drop` after a long `!say` cuts it; and while sixteen turns wait, what commands would say is left
out. The history has no part in commands.

In [scripts](simulator-scripts.md) the same commands are `{"do": "goaway 5"}` and
`await server.do("goaway 5")`.

`<x>` has to be given, `[x]` needn't; `[x=1]` is 1 by default, of `[a/b]` the first. `!help` lists
the names, `!help close` tells what one does. In Python, `server` is a connection and `simulator`
what `open_simulator` gives.
"""


def _command_row(command: Command) -> str:
    return f"| `!{command.usage}` | {command.help} | `{command.call}` |\n"


def commands() -> str:
    """Render the table of commands, in its groups."""
    text = COMMANDS_HEAD
    for group in dict.fromkeys(command.group for command in COMMANDS):
        text += f"\n## {group}\n\n| command | what the client gets | in Python |\n|---|---|---|\n"
        text += "".join(_command_row(one) for one in COMMANDS if one.group == group)
    return text


PROGRAM_AND_OUTPUT = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", re.M | re.S)


def _run(program: str) -> str:
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def with_outputs(name: str) -> Callable[[], str]:
    """Run the programs of a document, and put what they print into the block below each."""

    def render() -> str:
        text = (DOCS / name).read_text(encoding="utf-8")
        return PROGRAM_AND_OUTPUT.sub(
            lambda match: f"```python\n{match[1]}```\n\n```text\n{_run(match[1])}```", text
        )

    return render


RENDERED = {
    "closes.md": closes,
    "simulator-commands.md": commands,
    "books.md": with_outputs("books.md"),
}

if __name__ == "__main__":
    for name, render in RENDERED.items():
        (DOCS / name).write_text(render(), encoding="utf-8")
