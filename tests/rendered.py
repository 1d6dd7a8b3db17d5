"""Documents that are made from data or runs: ``python tests/rendered.py`` writes them anew."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

from gemini_live_trio import capabilities
from gemini_live_trio._closes import CLOSES, Phase, Rule
from gemini_live_trio.capabilities import TABLE, Capability
from gemini_live_trio.repl._commands import COMMANDS as TERMINAL_COMMANDS
from gemini_live_trio.repl._schema import SETTINGS
from gemini_live_trio.repl._toml import written
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


MODELS_HEAD = """\
# What each model allows

Made from the tables in `capabilities/` by `python tests/rendered.py`. `open_session` looks into
them before it dials; [connecting.md](connecting.md#what-is-checked-before-a-dial) says how, and how
to add to them. *Sure* has two independent sources or was seen on the wire, *likely* one good
source; what is *assumed* never stops a session.

## Families

A version may follow a model's name, such as `-preview-12-2025`; what else begins like it is another
model, and unknown. *Content* is seeded by `clientContent` alone, *history* announced in `setup`.

"""

FAMILY_FACTS = (
    ("models", lambda it: ", ".join(f"`{name}`" for name in it.models if name) or "any other"),
    (
        "served by",
        lambda it: _listed(
            "Gemini API" if one == "gemini" else "Vertex AI" for one in sorted(it.backends)
        ),
    ),
    ("status", lambda it: it.status),
    ("answers in", lambda it: _listed(it.modalities)),
    ("context", lambda it: f"{it.context_tokens:,} tokens" if it.context_tokens else "unknown"),
    (
        "a handle restores",
        lambda it: (
            "the latest state" if it.resume_restores == "latest" else "the state at its own time"
        ),
    ),
    ("functions, by default", lambda it: "waited for" if it.blocking_tools else "not waited for"),
    ("functions may be", lambda it: _listed(sorted(it.tool_behaviors)).replace("_", "-")),
    ("`scheduling`", lambda it: "yes" if it.tool_scheduling else "no"),
    ("`willContinue`", lambda it: "yes" if it.tool_streaming else "no"),
    (
        "speech while a function is waited for",
        lambda it: {
            "free": "does nothing to it",
            "refused": "closes with 1008",
            "cancels": "drops the call",
        }[it.input_while_blocking],
    ),
    ("a fresh session is told its past by", lambda it: it.seed),
    ("usage counts for", lambda it: f"each {it.usage}"),
)
FACT_NAMES = (
    *("models", "backends", "status", "modalities", "context_tokens", "resume_restores"),
    *("blocking_tools", "tool_behaviors", "tool_scheduling", "tool_streaming"),
    *("input_while_blocking", "seed", "usage"),
)


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))


def _family(entry: Capability) -> str:
    text = f"### {entry.name}\n\n| | | source |\n|---|---|---|\n"
    for name, (title, say) in zip(FACT_NAMES, FAMILY_FACTS, strict=True):
        text += f"| {title} | {say(entry)} | {entry.source_of(name)} |\n"
    return text


def _scope(rule: capabilities.Rule) -> str:
    where = [_listed(rule.families) or "all"]
    if len(rule.backends) == 1:
        where.append("Gemini API" if "gemini" in rule.backends else "Vertex AI")
    if rule.versions is not None:
        where.append(_listed(sorted(rule.versions)))
    if rule.when is not None:
        where.append(f"`{rule.when[0]}` is {_listed(sorted(rule.when[1]))}")
    return "; ".join(where)


def _demand(rule: capabilities.Rule) -> str:
    values = _listed(f"`{value}`" for value in sorted(rule.values))
    return {
        "absent": "absent",
        "present": "present",
        "one of": f"{values} or absent",
        "none of": f"not {values}",
    }[rule.demand]


def models() -> str:
    """Render the tables of what models allow."""
    text = MODELS_HEAD + "\n".join(map(_family, TABLE.models))
    text += (
        "\n## Rules for setup\n\nOtherwise: *refused*, the service closes the connection or never "
        "answers; *ignored*, it makes no use of it; *unclear*, sources disagree.\n\n"
        "| rule | models | field | must be | otherwise | what to do | source |\n"
        "|---|---|---|---|---|---|---|\n"
    )
    for rule in TABLE.rules:
        cells = (rule.name, _scope(rule), f"`{rule.field}`", _demand(rule), rule.effect)
        text += f"| {' | '.join(cells)} | {rule.fix} | {rule.source} |\n"
    return text


PROGRAM_AND_OUTPUT = re.compile(
    r"^```python\n((?:(?!```).*\n)*)```\n\n```text\n((?:(?!```).*\n)*)```", re.M
)


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


SETTINGS_HEAD = """\
# All settings

Made from the table in `repl/_schema.py` by `python tests/rendered.py`. What they are for, and where
they are kept, is in [Profiles and settings](profiles.md).

| in a profile | is | default | option | environment | |
|---|---|---|---|---|---|
"""


def settings() -> str:
    """Render the table of settings."""
    text = SETTINGS_HEAD
    for setting in SETTINGS.values():
        kind = ", ".join(f"`{choice}`" for choice in setting.choices) or setting.kind
        option = setting.flag
        if option and setting.kind == "true or false":
            option = f"{option}`, `--no-{option.removeprefix('--')}"
        cells = (
            f"`{setting.key}`",
            kind,
            "" if setting.default is None else f"`{written(setting.default)}`",
            f"`{option}`" if option else "",
            ", ".join(f"`{name}`" for name in setting.variables) + setting.remark,
            setting.help,
        )
        text += f"| {' | '.join(cells)} |\n"
    return (
        f"{text}| `tools.NAME` | true or false |  | `--tool NAME`, `--no-tool NAME` |  | "
        "whether the model may use this tool; in the table `[tools]` |\n"
        "\nA variable that is blank counts as absent.\n"
    )


TERMINAL_HEAD = """\
# Commands at the terminal

Made from the table in `repl/_commands.py` by `python tests/rendered.py`; `/help` says the same. How
they are used is in [The terminal program](cli.md). Words in capitals are filled in, those in
brackets may be left out; text and names with spaces need no quotation marks where they stand last.

| typed | |
|---|---|
"""


def terminal() -> str:
    """Render the commands of the terminal, form by form."""
    text = TERMINAL_HEAD
    for command in TERMINAL_COMMANDS:
        others = "".join(f", `{name}`" for name in command.others)
        text += f"| **`{command.name}`**{others} | **{command.summary}** |\n"
        for form in command.forms:
            text += f"| `{f'{command.name} {form.pattern}'.strip()}` | {form.summary} |\n"
    return text


RENDERED = {
    "cli-commands.md": terminal,
    "settings.md": settings,
    "closes.md": closes,
    "models.md": models,
    "connecting.md": with_outputs("connecting.md"),
    "simulator-commands.md": commands,
    "books.md": with_outputs("books.md"),
}

if __name__ == "__main__":
    for name, render in RENDERED.items():
        (DOCS / name).write_text(render(), encoding="utf-8")
