"""What an entry of the table is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

import attrs

from ..errors import ConfigError
from ..usage import CountingRule
from ..wire import Modality

__all__ = ["BACKENDS", "Backend", "Behavior", "Capability", "Finding", "Rule", "Source"]

Backend: TypeAlias = Literal["gemini", "vertex"]
"""``"gemini"`` is the Gemini Developer API, ``"vertex"`` Vertex AI."""

Behavior: TypeAlias = Literal["blocking", "non_blocking"]
"""Whether the model waits for a function's answer."""

BACKENDS: Final[frozenset[Backend]] = frozenset({"gemini", "vertex"})


def _one_of(*choices: str) -> Callable[[object, attrs.Attribute[Any], Any], None]:
    def check(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in choices:
            raise ConfigError(f"{attribute.name} is one of {', '.join(choices)}, not {value!r}.")

    return check


def _several(_instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    # A single text would be taken for its letters.
    if isinstance(value, str):
        raise ConfigError(f"{attribute.name} takes several texts, not just {value!r}.")


@attrs.frozen
class Source:
    """Who says so, when, and how sure that is.

    Raises:
      ConfigError: The confidence isn't one of the three.
    """

    text: str
    """A page of the service's, an SDK, a measurement."""

    date: str
    """When it was said or looked at: ``"2026-09"`` or ``"2026-09-15"``."""

    confidence: Literal["sure", "likely", "assumed"] = attrs.field(
        default="likely", validator=_one_of("sure", "likely", "assumed")
    )
    """``"sure"``: two independent sources, or seen on the wire. ``"likely"``: one good source.
    ``"assumed"``: nobody has said it; it is what does the least harm."""

    def __str__(self) -> str:
        return f"{self.text}, {self.date}; {self.confidence}"


@attrs.frozen(kw_only=True)
class Capability:
    """What one family of models does, on the back ends that it is served on."""

    name: str
    """What the family is called here, such as ``"3.8"``; unique in a table."""

    models: tuple[str, ...] = attrs.field(validator=_several)
    """The models' names, without ``models/``. A version may follow, such as ``-preview-12-2025``,
    and anything at all where the name ends in ``-``. The longest that fits counts."""

    backends: frozenset[Backend]
    """Where it is served as this entry says."""

    status: Literal["stable", "preview", "legacy", "shut down", "unknown"]

    modalities: tuple[Modality, ...]
    """What it answers in; the first is taken where nobody says."""

    context_tokens: int | None = None
    """How much it can keep in mind, in tokens; ``None`` where nobody says."""

    resume_restores: Literal["latest", "handle"]
    """Whether a handle brings back the latest state, or the state at its own time."""

    blocking_tools: bool
    """Whether the model waits for a function's answer unless the declaration says otherwise."""

    tool_behaviors: frozenset[Behavior] = frozenset({"blocking", "non_blocking"})
    """What a function's declaration may ask for."""

    tool_scheduling: bool = True
    """Whether an answer may say when the model shall speak of it (``scheduling``)."""

    tool_streaming: bool = True
    """Whether a call may be answered in several parts (``willContinue``)."""

    input_while_blocking: Literal["free", "refused", "cancels"] = "free"
    """What speech does to a call that the model waits for: nothing, the connection is closed with
    1008, or the call is dropped and the speech taken as a new turn."""

    seed: Literal["history", "content"]
    """How turns are put into a fresh session: announced in ``setup``, or just sent."""

    usage: CountingRule
    """How ``usageMetadata`` adds up; ``gemini_live_trio.usage`` explains the rules."""

    sources: Mapping[str, Source] = attrs.field(hash=False)
    """Who says so, by the name of the attribute; ``""`` for those without a source of their own."""

    def source_of(self, attribute: str) -> Source:
        """Who says what the attribute says."""
        return self.sources.get(attribute) or self.sources[""]


@attrs.frozen(kw_only=True)
class Rule:
    """What one field of ``setup`` may hold, where that isn't what the protocol says anyway.

    Raises:
      ConfigError: ``demand`` and ``values`` don't go together, one of the words isn't known, or
        ``why`` has other gaps than those two.
    """

    name: str
    """Unique in a table, such as ``"3.8-thinking-level"``."""

    families: tuple[str, ...] = attrs.field(default=(), validator=_several)
    """Names of the ``Capability`` entries that it holds for; empty for all models."""

    backends: frozenset[Backend] = BACKENDS
    """Where it holds. Of an unknown one only that is taken for true which holds on both."""

    versions: frozenset[str] | None = None
    """API versions in which it holds; ``None`` for all."""

    field: str
    """Where in ``setup``: names of the wire classes' attributes with dots, such as
    ``"generation_config.thinking_config.thinking_level"``. Lists are gone through."""

    demand: Literal["absent", "present", "one of", "none of"] = attrs.field(
        validator=_one_of("absent", "present", "one of", "none of")
    )

    values: frozenset[str] = attrs.field(default=frozenset(), validator=_several)
    """For the last two: JSON's spelling of the values, enums in upper case, such as ``"LOW"`` and
    ``"false"``."""

    when: tuple[str, frozenset[str]] | None = None
    """Only where this other field has one of these values."""

    effect: Literal["refused", "ignored", "unclear"] = attrs.field(
        validator=_one_of("refused", "ignored", "unclear")
    )
    """What the service does otherwise. ``"unclear"``: sources disagree."""

    why: str
    """A sentence without its full stop; ``{model}`` and ``{value}`` are filled in."""

    fix: str
    """What to do, without a full stop."""

    source: Source

    def __attrs_post_init__(self) -> None:
        if bool(self.values) != (self.demand in ("one of", "none of")):
            raise ConfigError(f"The rule {self.name} needs values just for 'one of' and 'none of'.")
        try:
            self.why.format(model="", value="")
        except (LookupError, ValueError):
            raise ConfigError(
                f"In the rule {self.name} why may hold {{model}} and {{value}}; other braces are "
                "written twice."
            ) from None

    def broken_by(self, values: Iterable[str]) -> Iterable[str]:
        """The values that break it; ``""`` stands for their absence."""
        present = list(values)
        match self.demand:
            case "absent":
                return present
            case "present":
                return [] if present else [""]
            case "one of":
                return [value for value in present if value not in self.values]
            case _:
                return [value for value in present if value in self.values]


@attrs.frozen(kw_only=True)
class Finding:
    """Something about a setup that its user should know."""

    rule: str
    """The ``Rule`` that found it, or ``"model-unknown"``, ``"model-shut-down"``,
    ``"model-elsewhere"``."""

    field: str
    """Where in ``setup``."""

    effect: Literal["refused", "ignored", "unclear"]
    """What the service does with it."""

    why: str
    """What is the matter, in a clause."""

    fix: str
    """What to do, in a clause; empty where there is nothing to do."""

    source: Source

    @property
    def blocks(self) -> bool:
        """Whether it stops a session that is checked strictly."""
        return self.effect == "refused" and self.source.confidence != "assumed"

    def __str__(self) -> str:
        return f"{self.why}; {self.fix}" if self.fix else self.why
