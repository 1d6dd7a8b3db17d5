"""Looking things up."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

import attrs

from .. import wire
from ..errors import ConfigError
from ._entries import Backend, Capability, Finding, Rule
from ._models import MODELS, UNKNOWN
from ._rules import RULES

__all__ = ["TABLE", "CapabilityTable", "capability_of"]

_BOTH: Final[tuple[Backend, ...]] = ("gemini", "vertex")


def _models(entries: Iterable[Capability]) -> tuple[Capability, ...]:
    return tuple(entries)


def _rules(entries: Iterable[Rule]) -> tuple[Rule, ...]:
    return tuple(entries)


def _once(_instance: object, attribute: attrs.Attribute[Any], value: Sequence[Any]) -> None:
    names = [entry.name for entry in value]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ConfigError(f"There are two {attribute.name} of the name {twice!r}.")


@attrs.frozen(kw_only=True)
class CapabilityTable:
    """What is known of models, and what follows for a setup.

    Raises:
      ConfigError: Two entries have the same name.
    """

    models: Sequence[Capability] = attrs.field(converter=_models, validator=_once)
    rules: Sequence[Rule] = attrs.field(converter=_rules, validator=_once)

    def extended(self, *entries: Capability | Rule) -> CapabilityTable:
        """Make a table with more entries; one whose name is taken replaces that entry.

        Raises:
          ConfigError: It is no entry, or a rule for a family that isn't there.
        """
        models = {entry.name: entry for entry in self.models}
        mine: dict[str, Capability] = {}
        rules = {entry.name: entry for entry in self.rules}
        for entry in entries:
            if isinstance(entry, Capability):
                (models if entry.name in models else mine)[entry.name] = entry
            elif isinstance(entry, Rule):
                rules[entry.name] = entry
            else:
                raise ConfigError(
                    f"A table takes Capability and Rule, not a {type(entry).__name__}."
                )
        known = {*models, *mine}
        for rule in entries:
            for name in rule.families if isinstance(rule, Rule) else ():
                if name not in known:
                    raise ConfigError(
                        f"The rule {rule.name} is for {name!r}, and there is no such family"
                        f"{_nearest(name, known)}."
                    )
        # Of entries that fit a name equally well the first counts: the new ones.
        return CapabilityTable(models=(mine | models).values(), rules=rules.values())

    def without(self, *names: str) -> CapabilityTable:
        """Make a table without these rules.

        Raises:
          ConfigError: There is no rule of such a name.
        """
        known = {rule.name for rule in self.rules}
        for name in names:
            if name not in known:
                raise ConfigError(f"There is no rule {name!r}{_nearest(name, known)}.")
        return attrs.evolve(self, rules=[rule for rule in self.rules if rule.name not in names])

    def capability_of(self, model: str, backend: Backend | None = None) -> Capability:
        """Find what is known of a model.

        Args:
          model: In any of its forms: short, ``models/...``, or a Vertex AI path.
          backend: Where it is to be used. An entry for another is better than none.
        """
        name = model.rpartition("/")[2]
        best, merit = UNKNOWN, (-1, False)
        for entry in self.models:
            fit = max((len(start) for start in entry.models if _begins(start, name)), default=-1)
            here = (fit, backend is None or backend in entry.backends)
            if fit >= 0 and here > merit:
                best, merit = entry, here
        return best

    def check(
        self,
        setup: wire.LiveClientSetup,
        *,
        backend: Backend | None,
        version: str | None = None,
        partial: bool = False,
    ) -> tuple[Finding, ...]:
        """Look for what the model won't take, or makes no use of.

        Args:
          setup: As it would be sent.
          backend: Where it would be sent; ``None`` where nobody knows, as with a gateway. Then
            only what holds on both is found.
          version: API version; ``None`` where nobody knows.
          partial: Whether an ephemeral token may bring what isn't there. Then what is missing is
            unclear, and not refused.
        """
        if backend is None:
            here, there = (
                self.check(setup, backend=one, version=version, partial=partial) for one in _BOTH
            )
            everywhere = {(finding.field, finding.effect) for finding in there}
            return tuple(one for one in here if (one.field, one.effect) in everywhere)
        model = (setup.model or "").rpartition("/")[2]
        capability = self.capability_of(model, backend)
        found = list(self._about_model(model, capability, backend))
        for rule in self.rules:
            if not _holds(rule, capability, backend, version, setup):
                continue
            broken = _broken(rule, setup, model)
            found += (
                map(_unless_brought, broken) if partial and rule.demand == "present" else broken
            )
        return tuple(dict.fromkeys(found))

    def _about_model(
        self, model: str, capability: Capability, backend: Backend
    ) -> Iterator[Finding]:
        if capability.status == "unknown":
            names = {
                name
                for entry in self.models
                if entry.status != "shut down"
                for name in entry.models
            }
            yield Finding(
                rule="model-unknown",
                field="model",
                effect="unclear",
                why=f"Nothing is known here of the model {model}{_nearest(model, names)}, so its "
                "setup can't be checked",
                fix="add what you know of it with SessionConfig(capabilities=TABLE.extended(...))",
                source=capability.source_of("models"),
            )
        elif capability.status == "shut down":
            yield Finding(
                rule="model-shut-down",
                field="model",
                effect="refused",
                why=f"{model} has been shut down",
                fix="take gemini-3.8-live",
                source=capability.source_of("status"),
            )
        elif backend not in capability.backends:
            here, there = ("the Gemini API", "Vertex AI")[:: 1 if backend == "gemini" else -1]
            yield Finding(
                rule="model-elsewhere",
                field="model",
                effect="refused",
                why=f"{model} is served by {there}, not by {here}",
                fix=f"use {'VertexAi(...)' if backend == 'gemini' else 'GeminiApi()'}, or another "
                "model",
                source=capability.source_of("backends"),
            )


TABLE: Final = CapabilityTable(models=MODELS, rules=RULES)
"""What was known when this release was made."""


def capability_of(model: str, backend: Backend | None = None) -> Capability:
    """Find in ``TABLE`` what is known of a model; see ``CapabilityTable.capability_of``."""
    return TABLE.capability_of(model, backend)


_VERSION: Final = re.compile(r"([-@](preview|exp|latest|\w*\d\w*))*")


def _begins(start: str, name: str) -> bool:
    """Whether a model of this name is meant, and not its sibling.

    What follows may only be a version, or anything where the beginning is open: a
    ``gemini-3.8-live-translate`` would be another model than ``gemini-3.8-live``.
    """
    if not name.startswith(start):
        return False
    open_end = not start or start.endswith("-")
    return open_end or _VERSION.fullmatch(name, len(start)) is not None


def _nearest(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, [one for one in known if one], 1)
    return f" (did you mean {nearest[0]}?)" if nearest else ""


def _holds(
    rule: Rule,
    capability: Capability,
    backend: Backend,
    version: str | None,
    setup: wire.LiveClientSetup,
) -> bool:
    if rule.families and capability.name not in rule.families:
        return False
    if backend not in rule.backends:
        return False
    if rule.versions is not None and version not in rule.versions:
        return False
    if rule.when is None:
        return True
    field, values = rule.when
    return any(_spelt(value) in values for value in _values(setup, field.split(".")))


def _broken(rule: Rule, setup: wire.LiveClientSetup, model: str) -> Iterator[Finding]:
    found = dict.fromkeys(_spelt(value) for value in _values(setup, rule.field.split(".")))
    for value in rule.broken_by(found):
        yield Finding(
            rule=rule.name,
            field=rule.field,
            effect=rule.effect,
            why=rule.why.format(model=model, value=value),
            fix=rule.fix,
            source=rule.source,
        )


def _unless_brought(finding: Finding) -> Finding:
    return attrs.evolve(finding, effect="unclear", why=f"{finding.why}, unless the token brings it")


def _values(thing: object, steps: Sequence[str]) -> Iterator[object]:
    """Walk down a path: each value at its end."""
    if not steps:
        return
    if isinstance(thing, Mapping):
        # Of what this version doesn't know there is only JSON.
        value = thing.get(steps[0], thing.get(_camel(steps[0])))
    elif isinstance(thing, wire.Message):
        value = getattr(thing, steps[0], None)
        if value is None:
            value = thing.extra.get(steps[0], thing.extra.get(_camel(steps[0])))
    else:
        return
    if value is None or value is wire.ABSENT:
        return
    for item in value if isinstance(value, list | tuple) else (value,):
        if len(steps) > 1:
            yield from _values(item, steps[1:])
        elif not (isinstance(item, str) and item.upper().endswith("UNSPECIFIED")):
            yield item  # the other means the same as leaving the field out


def _camel(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


def _spelt(value: object) -> str:
    """A value as the rules spell it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum | str):
        return str(value).upper()
    if isinstance(value, int | float):
        return repr(value)
    if value == {} or (isinstance(value, wire.Message) and value == type(value)()):
        return "{}"
    return "{...}"
