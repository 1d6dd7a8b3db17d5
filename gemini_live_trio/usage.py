"""What a conversation costs, counted from what the service says.

``session.usage`` gives a ``Usage``; a ``UsageLedger`` of your own counts a recording's events.

The service counts in ``usageMetadata``, and nothing says how its numbers add up. So each model has
a rule (``capabilities``), and this is what the rules mean:

* ``"turn"``: a message stands for the whole turn so far. The newest rules, field by field; turns
  are added up. Every turn pays for the whole context again, so the sum grows faster than the
  conversation.

  A turn's last count comes beside ``turnComplete``, whatever it says. What comes later replaces it
  only if it repeats or completes it, so that no count gets smaller, and if nothing of the next turn
  has come by then: no question, speech or output. Else it is the next turn's. A turn without any
  count takes the first that comes before the next turn's output. So a count of the next turn that
  comes before all of that, and is no smaller, is taken for a repetition.
* ``"message"``: each message counts for itself, and all are added up.
* ``"session"``: a message stands for the whole connection so far; connections are added up.

Numbers are kept as they were said. Details that don't add up to their sum stay as they are, and the
declared total rules; only where there is none it is made from prompt, tool use and response.
Thoughts are counted apart: the service leaves them out of its total. Both backends' names are
understood.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import attrs

from . import events, wire
from .errors import ConfigError
from .events import Event

__all__ = ["Budget", "CountingRule", "Tokens", "TurnUsage", "Usage", "UsageLedger"]

CountingRule: TypeAlias = Literal["turn", "message", "session"]

MOST_TURNS: Final = 1_000
"""Turns that are kept one by one; the sums go on for ever."""
_NONE: Final[Mapping[str, int]] = MappingProxyType({})


def _frozen(counts: Mapping[str, int]) -> Mapping[str, int]:
    return MappingProxyType(dict(counts)) if counts else _NONE


@attrs.frozen(kw_only=True, repr=False)
class Tokens:
    """Token counts of any stretch of a conversation; they can be added.

    Attributes:
      prompt: What the model read: the whole context, in every turn.
      cached: How much of that was cached.
      tool_use_prompt: What built-in tools gave it to read.
      response: What it said.
      thoughts: What it thought; not part of ``total``.
      total: What the service calls the total.
      prompt_by_modality: ``prompt`` by the wire's names: ``{"TEXT": 13, "AUDIO": 76}``. These
        and the other details needn't add up to their sums.
      cached_by_modality: The same of ``cached``.
      tool_use_prompt_by_modality: The same of ``tool_use_prompt``.
      response_by_modality: The same of ``response``.
    """

    prompt: int = 0
    cached: int = 0
    tool_use_prompt: int = 0
    response: int = 0
    thoughts: int = 0
    total: int = 0
    prompt_by_modality: Mapping[str, int] = attrs.field(
        default=_NONE, converter=_frozen, hash=False
    )
    cached_by_modality: Mapping[str, int] = attrs.field(
        default=_NONE, converter=_frozen, hash=False
    )
    tool_use_prompt_by_modality: Mapping[str, int] = attrs.field(
        default=_NONE, converter=_frozen, hash=False
    )
    response_by_modality: Mapping[str, int] = attrs.field(
        default=_NONE, converter=_frozen, hash=False
    )

    def __repr__(self) -> str:
        counts = {field.name: getattr(self, field.name) for field in attrs.fields(Tokens)}
        shown = (
            f"{name}={count if isinstance(count, int) else dict(count)}"
            for name, count in counts.items()
            if count
        )
        return f"Tokens({', '.join(shown)})"

    def __add__(self, other: Tokens) -> Tokens:
        if not isinstance(other, Tokens):
            return NotImplemented
        added: dict[str, Any] = {}
        for field in attrs.fields(Tokens):
            left, right = getattr(self, field.name), getattr(other, field.name)
            added[field.name] = left + right if isinstance(left, int) else _sum(left, right)
        return Tokens(**added)


def _sum(left: Mapping[str, int], right: Mapping[str, int]) -> Mapping[str, int]:
    return {name: left.get(name, 0) + right.get(name, 0) for name in {**left, **right}}


@attrs.frozen(kw_only=True)
class TurnUsage:
    """What one turn cost.

    Attributes:
      tokens: As the counting rule makes them.
      connection: The number of the connection that it was counted on, from 1.
      said: The newest ``usageMetadata``, as it came.
      messages: How many there were.
    """

    tokens: Tokens
    connection: int
    said: wire.UsageMetadata = attrs.field(repr=False)
    messages: int = 1


@attrs.frozen(kw_only=True)
class Usage:
    """What a session has cost so far.

    Attributes:
      total: All of it, over all connections.
      connection: What was counted on the newest connection.
      turns: The turns that were counted, oldest first; the last thousand. Under ``"message"`` there
        is an entry for each message instead, under ``"session"`` for each connection.
      rule: How the counts were added up.
      unusable: Counts that couldn't be used: negative ones.
    """

    total: Tokens = attrs.field(factory=Tokens)
    connection: Tokens = attrs.field(factory=Tokens)
    turns: Sequence[TurnUsage] = ()
    rule: CountingRule = "turn"
    unusable: int = 0

    @property
    def turn(self) -> Tokens:
        """What the newest counted turn cost; zeros before there is one."""
        return self.turns[-1].tokens if self.turns else Tokens()


@attrs.frozen(kw_only=True)
class Budget:
    """A bound on what a session may cost.

    Attributes:
      tokens: At this total (``Usage.total.total``) the session ends.
      warn_at: The share of it at which ``BudgetWarning`` is told, once; from 0 to 1.

    Raises:
      ConfigError: one of them is out of its range.
    """

    tokens: int
    warn_at: float = 0.8

    def __attrs_post_init__(self) -> None:
        if self.tokens < 1:
            raise ConfigError(f"A budget has at least one token; tokens={self.tokens} is none.")
        if not 0 <= self.warn_at <= 1:
            raise ConfigError(f"warn_at is a share from 0 to 1, not {self.warn_at}.")


class UsageLedger:
    """Adds up what the service counts.

    Args:
      rule: How this model counts; ``capability_of(model).usage`` knows.
    """

    def __init__(self, rule: CountingRule = "turn") -> None:
        self._rule: CountingRule = rule
        self._turns: deque[TurnUsage] = deque(maxlen=MOST_TURNS)
        self._before = Tokens()
        """All connections but the newest."""
        self._connection = Tokens()
        """What is settled of the newest."""
        self._newest = Tokens()
        """What the newest message stands for, which the next may replace."""
        self._replaces = False
        self._connections = 0
        self._complete = False
        """The turn that is counted has ended."""
        self._beside = False
        """The next count came beside that end."""
        self._begun = False
        """Something of the next turn has come since."""
        self._unusable = 0

    @property
    def usage(self) -> Usage:
        """What there is so far; a copy that doesn't change."""
        connection = self._connection + self._newest
        return Usage(
            total=self._before + connection,
            connection=connection,
            turns=tuple(self._turns),
            rule=self._rule,
            unusable=self._unusable,
        )

    @property
    def total(self) -> int:
        """``usage.total.total``, without making a copy of everything."""
        return self._before.total + self._connection.total + self._newest.total

    def connected(self) -> None:
        """Another connection has begun."""
        self._connections += 1
        self._settle()
        self._before += self._connection
        self._connection = Tokens()

    def asked(self) -> None:
        """Something was sent that the model will answer: the next turn begins."""
        self._begun = self._complete

    def feed(self, event: Event) -> bool:
        """Take the next event; tell whether it changed the counts."""
        if isinstance(event, events.Usage):
            return self._count(event.metadata)
        if self._rule != "turn":
            return False
        if isinstance(event, events.TurnComplete):
            if self._complete:
                self._settle()  # a turn without any output, which is a turn all the same
            self._complete = True
            self._beside = event.message.usage_metadata is not None
        elif self._complete and isinstance(event, _OUTPUT):
            self._settle()
        elif _is_question(event):
            self._begun = self._complete
        return False

    def _count(self, said: wire.UsageMetadata) -> bool:
        counts, unusable = _counts_in(said)
        self._unusable += unusable
        beside, self._beside = self._beside, False
        if not counts:
            return False
        if self._rule == "message" or not (beside or self._fits(counts)):
            self._settle()
        previous = self._turns.pop() if self._replaces else None
        self._newest = _made_total(attrs.evolve(self._newest, **counts), counts)
        self._replaces = True
        self._turns.append(
            TurnUsage(
                tokens=self._newest,
                connection=max(1, self._connections),
                said=said,
                messages=1 if previous is None else previous.messages + 1,
            )
        )
        return True

    def _fits(self, counts: Mapping[str, Any]) -> bool:
        """Whether these counts are of the turn that is counted, and not of the next."""
        if not (self._complete and self._replaces):
            return True
        smaller = any(
            count < getattr(self._newest, name)
            for name, count in counts.items()
            if isinstance(count, int)
        )
        return not (self._begun or smaller)

    def _settle(self) -> None:
        """What comes from now on is added to what there is."""
        self._connection += self._newest
        self._newest = Tokens()
        self._replaces = self._complete = self._beside = self._begun = False


def _is_question(event: Event) -> bool:
    """Whether it shows that the user is speaking."""
    if isinstance(event, events.VoiceActivity):
        return event.activity == wire.VoiceActivityType.ACTIVITY_START
    return isinstance(event, events.InputTranscription) and bool(event.text)


_OUTPUT: Final = (
    events.ModelAudio,
    events.ModelText,
    events.ModelThought,
    events.ModelMedia,
    events.ModelPart,
    events.ExecutableCode,
    events.CodeResult,
    events.ToolCall,
    events.OutputTranscription,
)
"""What begins a turn; the usage of the one before has come by then."""

_COUNTS: Final = {
    "prompt_token_count": "prompt",
    "cached_content_token_count": "cached",
    "tool_use_prompt_token_count": "tool_use_prompt",
    "response_token_count": "response",
    "thoughts_token_count": "thoughts",
    "total_token_count": "total",
}
_DETAILS: Final = {
    "prompt_tokens_details": "prompt_by_modality",
    "cache_tokens_details": "cached_by_modality",
    "tool_use_prompt_tokens_details": "tool_use_prompt_by_modality",
    "response_tokens_details": "response_by_modality",
}


def _counts_in(said: wire.UsageMetadata) -> tuple[dict[str, Any], int]:
    """Read what was said, by the names of ``Tokens``; tell how much of it is impossible."""
    counts: dict[str, Any] = {}
    unusable = 0
    for theirs, ours in _COUNTS.items():
        count = getattr(said, theirs)
        if count is not None and count < 0:
            unusable += 1
        elif count is not None:
            counts[ours] = count
    for theirs, ours in _DETAILS.items():
        details: dict[str, int] = {}
        for detail in getattr(said, theirs):
            count = detail.token_count or 0
            name = str(detail.modality or wire.MediaModality.MODALITY_UNSPECIFIED)
            if count < 0:
                unusable += 1
            else:
                details[name] = details.get(name, 0) + count
        if details:
            counts[ours] = details
    return counts, unusable


def _made_total(tokens: Tokens, counts: Mapping[str, Any]) -> Tokens:
    """Make the total that wasn't declared."""
    if "total" in counts:
        return tokens
    made = tokens.prompt + tokens.tool_use_prompt + tokens.response
    return attrs.evolve(tokens, total=max(tokens.total, made))
