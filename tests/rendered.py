"""Documents that are made from data: ``python tests/rendered.py`` writes them anew."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from gemini_live_trio._closes import CLOSES, Phase, Rule

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


RENDERED = {"closes.md": closes}

if __name__ == "__main__":
    for name, render in RENDERED.items():
        (DOCS / name).write_text(render(), encoding="utf-8")
