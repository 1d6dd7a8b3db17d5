"""Thinking without a model: answers that depend on what was said, and on what was said before.

The default mind is honest: it says that it is a simulator, repeats and counts what it really got,
and never pretends to have understood speech. What it is good for is testing: some things it can be
asked for have a known answer ("what did I say?", "repeat after me: ...", "count to 30"), and some
take long enough to be interrupted.

A mind is any function from a ``Situation`` to a ``Reply`` (or plain text), so a test can bring
its own::

    async with open_simulator(mind=lambda situation: "Yes.") as simulator: ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias

import attrs

from ... import wire
from .._sessions import Turn
from ._hands import Answer, Call, as_json, declarations
from ._requests import Request, mentioned, requested

__all__ = ["DefaultMind", "Mind", "Reply", "Situation"]


@attrs.frozen(kw_only=True)
class Situation:
    """What there is to answer.

    Attributes:
      history: The conversation so far; the last turn is the user's, and the one to answer. After
        calls it is the one in which the functions answer.
      instruction: The system instruction's text, or an empty string.
      tools: What the client declared.
      modality: What the answer will be heard or read as.
    """

    history: Sequence[Turn]
    instruction: str = ""
    tools: Sequence[wire.Tool] = ()
    modality: Literal["AUDIO", "TEXT"] | str = "AUDIO"

    @property
    def asked(self) -> Turn:
        """The turn to answer."""
        return self.history[-1] if self.history else Turn(role="user")


@attrs.frozen
class Reply:
    """An answer.

    Attributes:
      text: What to say.
      calls: Functions to call, together. What they answer makes another situation; where the model
        waits for it, the turn goes on with it. The text comes before the calls, or after them on
        a model that goes on talking.
      waiting: Whether the user is expected to go on: the turn ends with ``waitingForInput``.
    """

    text: str = ""
    calls: Sequence[Call] = ()
    waiting: bool = False


Mind: TypeAlias = Callable[[Situation], Reply | str]

_Rule: TypeAlias = "tuple[re.Pattern[str], Callable[[re.Match[str], Situation], str]]"

_HELP: Final = (
    "I am a simulator, not a model: I answer by rule. Ask me what you said, tell me your name and "
    "ask for it later, let me repeat after you, spell a word, add two numbers, count to thirty, "
    "call a function that you gave me, "
    "or tell a story. Send a picture and I name its format and size. Speak, and I say for how long."
)
_STORY: Final = (
    "Once upon a time there was a small server that nobody had to pay for. "
    "It listened on one port and spoke to anyone who knocked. "
    "Programs came to it to practise: some talked over it, some left in the middle of a word, "
    "and some forgot to say that they were done. "
    "The server answered them all, and remembered what each had told it. "
    "When its time was up it said so beforehand, and when a program came back with the right word, "
    "it took up the thread where it had been dropped. "
    "In the end the programs went out into the world, and nothing there surprised them any more."
)
_OPENERS: Final = ("You said", "I got", "You told me")
_MOST_COUNTED: Final = 200
_MOST_QUOTED: Final = 400
_MOST_READ: Final = 2_000
"""Characters of a line that the rules look at, so that no line is slow to look at."""


def _quote(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _MOST_QUOTED else text[:_MOST_QUOTED] + "..."


def _earlier(situation: Situation) -> list[Turn]:
    return [turn for turn in situation.history[:-1] if turn.role == "user" and not turn.answers]


def _turns(count: int) -> str:
    return "one turn" if count == 1 else f"{count} turns"


def _what_i_said(_match: re.Match[str], situation: Situation) -> str:
    earlier = _earlier(situation)
    if not earlier:
        return "You haven't said anything before this."
    return f'Before this you said: "{_quote(earlier[-1].text)}".'


def _first_said(_match: re.Match[str], situation: Situation) -> str:
    earlier = _earlier(situation)
    if not earlier:
        return "This is the first thing you said."
    return f'The first thing you said was: "{_quote(earlier[0].text)}".'


def _how_many(_match: re.Match[str], situation: Situation) -> str:
    return f"You have had {_turns(len(_earlier(situation)) + 1)}, this one included."


_MY_NAME: Final = re.compile(r"\bmy name is (\w[\w'-]*)", re.IGNORECASE)


def _name(_match: re.Match[str], situation: Situation) -> str:
    for turn in reversed(_earlier(situation)):
        if found := _MY_NAME.search(turn.text[:_MOST_READ]):
            return f"Your name is {found[1]}."
    return "You haven't told me your name."


def _instruction(_match: re.Match[str], situation: Situation) -> str:
    if not situation.instruction:
        return "I was given no instructions."
    return f'My instructions are: "{_quote(situation.instruction)}".'


def _tools(_match: re.Match[str], situation: Situation) -> str:
    names = declarations(situation.tools)
    return f"You gave me {', '.join(names)}." if names else "You gave me no functions."


def _count(match: re.Match[str], _situation: Situation) -> str:
    last = min(int(match[1]), _MOST_COUNTED)
    return ", ".join(str(number) for number in range(1, last + 1)) + "."


def _sum(match: re.Match[str], _situation: Situation) -> str:
    left, right = int(match[1][:15]), int(match[3][:15])
    result = {"+": left + right, "-": left - right, "*": left * right, "x": left * right}
    words = {"plus": "+", "minus": "-", "times": "*"}
    operator = match[2].lower()
    return f"That makes {result[words.get(operator, operator)]}."


def _see(_match: re.Match[str], situation: Situation) -> str:
    for turn in reversed(situation.history):
        if turn.images:
            return f"The last picture I saw was {turn.images[-1]}."
    return "I have seen no picture yet."


def _rule(pattern: str, answer: Callable[[re.Match[str], Situation], str]) -> _Rule:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL), answer


def _always(text: str) -> Callable[[re.Match[str], Situation], str]:
    return lambda _match, _situation: text


_RULES: Final[tuple[_Rule, ...]] = (
    _rule(r"^\s*(?:repeat(?: after me)?|say)\b[\s:,]+(.+)", lambda match, _: _quote(match[1])),
    _rule(r"\bspell (\w+)", lambda match, _: ", ".join(match[1][:40].upper()) + "."),
    _rule(r"\bcount (?:up )?to (\d{1,6})", _count),
    _rule(r"(-?\d+)\s*(\+|-|\*|x|plus|minus|times)\s*(-?\d+)", _sum),
    _rule(r"\bwhat(?:'s| is) my name|\bwho am i\b", _name),
    _rule(
        r"\bmy name is (\w[\w'-]*)", lambda match, _: f"Hello, {match[1]}. I will remember that."
    ),
    _rule(r"\bwhat (?:was|is) the first thing|\bfirst thing i said", _first_said),
    _rule(r"\bwhat (?:did|have) i (?:just )?(?:say|said)|\bwhat i said", _what_i_said),
    _rule(r"\bhow many (?:turns|times|messages|questions)", _how_many),
    _rule(r"\b(?:your|what) (?:system )?instructions?\b", _instruction),
    _rule(r"\bwhat (?:tools|functions)\b", _tools),
    _rule(r"\bwhat (?:do|can|did) you see|\bdescribe (?:the|this) (?:image|picture)", _see),
    _rule(r"\bstory\b|\btalk for a while\b", _always(_STORY)),
    _rule(
        r"\bwhat time\b|\bwhat day\b", _always("I have no clock that would mean anything to you.")
    ),
    _rule(r"\bwho are you|\bwhat (?:are you|can you do)|\bhelp\b", _always(_HELP)),
    _rule(
        r"^\W*(?:hello|hi|hey|good (?:morning|day|evening))\b",
        _always("Hello! This is the simulator, not a model. Say anything, and I answer by rule."),
    ),
    _rule(r"\bthank(?:s| you)\b", _always("You are welcome. It was no trouble at all.")),
    _rule(r"^\W*(?:bye|goodbye|good night)\b", _always("Goodbye. It was good to hear from you.")),
)


_REPEAT: Final = _RULES[0][0]
_HOLD_ON: Final = re.compile(r"\W*(?:wait|hold on|one moment|let me think)\W*", re.IGNORECASE)


def _about_answers(answers: Sequence[Answer]) -> str:
    said = []
    for answer in answers:
        error = answer.response.get("error")
        if error is not None:
            said.append(f"{answer.name} failed: {_quote(as_json(error))}.")
        else:
            said.append(f"{answer.name} answered: {_quote(as_json(answer.response))}.")
    return " ".join(said)


class DefaultMind:
    """Answers by rule.

    Args:
      seed: Chooses between ways of saying the same thing; the same seed, the same words.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def __call__(self, situation: Situation) -> Reply:
        """Answer the last turn."""
        asked = situation.asked
        if asked.answers:
            return Reply(_about_answers(asked.answers))
        declared = declarations(situation.tools)
        if asked.understood and (request := requested(asked.text, declared)):
            return self._about_request(request, situation)
        if asked.images:
            return Reply(self._about_pictures(asked))
        if not asked.understood:
            return Reply(self._about_speech(situation))
        asked_briefly = asked.text[:_MOST_READ]
        if _HOLD_ON.fullmatch(asked_briefly):
            return Reply(waiting=True)
        if not _REPEAT.match(asked_briefly) and (request := mentioned(asked_briefly, declared)):
            return self._about_request(request, situation)
        return Reply(self._by_rule(asked_briefly, situation))

    def _by_rule(self, text: str, situation: Situation) -> str:
        for pattern, answer in _RULES:
            if match := pattern.search(text):
                return answer(match, situation)
        return self._about_text(situation)

    def _about_request(self, request: Request, situation: Situation) -> Reply:
        if request.unknown:
            names = ", ".join(declarations(situation.tools)) or "none"
            return Reply(f"I can't call {request.unknown}: the functions you gave me are: {names}.")
        if request.problem:
            return Reply(request.problem)
        rest = self._by_rule(request.rest[:_MOST_READ], situation) if request.rest else ""
        return Reply(rest, request.calls)

    def _about_pictures(self, asked: Turn) -> str:
        seen = f"I see {', and '.join(asked.images[-3:])}."
        return f'{seen} And you said: "{_quote(asked.text)}".' if asked.text.strip() else seen

    def _about_speech(self, situation: Situation) -> str:
        asked = situation.asked
        number = len(_earlier(situation)) + 1
        return (
            f"I heard you speak for {asked.audio_seconds:.1f} seconds. "
            f"That was turn {number}. I can't make out words, but I was listening."
        )

    def _about_text(self, situation: Situation) -> str:
        said = _quote(situation.asked.text)
        earlier = _earlier(situation)
        number = len(earlier) + 1
        if not said:
            return f"That was turn {number}, and there was nothing in it."
        opener = _OPENERS[(self._seed + number) % len(_OPENERS)]
        answer = f'{opener}: "{said}". '
        if said.endswith("?"):
            answer += "I know no answer to that, being a simulator. "
        answer += f"This is turn {number}"
        if earlier:
            return f'{answer}; before it you said: "{_quote(earlier[-1].text)}".'
        return f"{answer}, the first one."
