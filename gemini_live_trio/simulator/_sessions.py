"""What outlives a connection: the conversation, and the handles it can be taken up with.

A session has a ``State``, whose parts don't change but are exchanged, so a handle that stands for
one moment simply keeps a copy of it. Only what is being heard just then has insides that move; they
are copied, but the sound in them is shared. Everything is bounded: turns in a session, characters
in a turn and in all of them, handles in the store.
"""

from __future__ import annotations

import math
import uuid
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

import attrs

from ._books._ledger import EMPTY_LEDGER, Consumed, Ledger
from ._mind._ears import Ears
from ._mind._hands import Answer, Call, OpenCall, as_json, in_words

__all__ = [
    "Conversation",
    "Hearing",
    "Prompt",
    "Session",
    "SessionStore",
    "State",
    "Turn",
]

MOST_TURNS: Final = 200
MOST_CHARACTERS: Final = 20_000
MOST_CHARACTERS_BESIDE: Final = 200_000
"""Of the calls, answers and pictures of a turn, as JSON."""
MOST_CHARACTERS_IN_ALL: Final = MOST_TURNS * MOST_CHARACTERS
MOST_HANDLES: Final = 2_000
HANDLE_SECONDS: Final = 2 * 60 * 60.0
"""How long a handle is good for after its connection ended; documented by the service."""

_AUDIO_TOKENS_A_SECOND: Final = 25  # documented
_IMAGE_TOKENS: Final = 258  # documented, a frame of video
_CHARACTERS_A_TOKEN: Final = 4  # the usual rule of thumb


def _legible(text: str) -> str:
    """Cut to size, and rid of lone surrogates, which JSON can smuggle in but nobody can send."""
    return text[:MOST_CHARACTERS].encode(errors="replace").decode()


_OVERHEAD: Final = 50
_T = TypeVar("_T")


def _length(name: str, value: Mapping[str, Any]) -> int:
    try:
        return len(name) + len(as_json(value))
    except RecursionError:
        return MOST_CHARACTERS_BESIDE


@attrs.define
class _Budget:
    """What the things in a turn may take up together."""

    spent: int = 0

    def spend(
        self,
        things: tuple[_T, ...],
        measure: Callable[[_T], int],
        emptied: Callable[[_T], _T] | None = None,
    ) -> tuple[_T, ...]:
        """Keep what there is room for; what is too large is emptied, or left out with the rest."""
        kept: list[_T] = []
        for thing in things:
            one = thing
            if not self._take(measure(one)):
                one = thing if emptied is None else emptied(thing)
                if emptied is None or not self._take(measure(one)):
                    break
            kept.append(one)
        return tuple(kept)

    def _take(self, size: int) -> bool:
        fits = self.spent + size + _OVERHEAD <= MOST_CHARACTERS_BESIDE
        if fits:
            self.spent += size + _OVERHEAD
        return fits


@attrs.frozen(kw_only=True)
class Turn:
    """What one side said: at most 20,000 characters of text, and 200,000 of all the rest.

    A call or an answer for which there is no room is still there, but empty.

    Attributes:
      role: ``"user"`` or ``"model"``.
      text: The words, as far as they are known.
      audio_seconds: How long it was spoken; 0 for what was typed.
      images: Pictures in it, each in words: ``"a JPEG image, 640 by 480 pixels"``.
      calls: Functions that the model called in it.
      answers: What functions gave, in a turn of the user's; its text says the same.
      understood: Whether the text is what was said; ``False`` where it only says that somebody
        spoke.
    """

    role: Literal["user", "model"]
    text: str = attrs.field(default="", converter=_legible)
    audio_seconds: float = 0.0
    images: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    answers: tuple[Answer, ...] = ()
    understood: bool = True
    _size: int = attrs.field(init=False, default=0, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        if not (self.images or self.calls or self.answers):
            object.__setattr__(self, "_size", len(self.text))
            return
        budget = _Budget()
        object.__setattr__(self, "images", budget.spend(self.images, len))
        calls = budget.spend(
            self.calls, lambda call: _length(call.name, call.args), lambda call: Call(call.name)
        )
        object.__setattr__(self, "calls", calls)
        answers = budget.spend(
            self.answers,
            lambda answer: _length(answer.name, answer.response),
            lambda answer: Answer(answer.name),
        )
        object.__setattr__(self, "answers", answers)
        object.__setattr__(self, "_size", len(self.text) + budget.spent)

    @classmethod
    def of_answers(cls, answers: Sequence[Answer]) -> Turn:
        """Make the turn in which functions have answered."""
        return cls(role="user", text=" ".join(map(in_words, answers)), answers=tuple(answers))

    @property
    def text_tokens(self) -> int:
        """What its text and calls cost; spoken words are counted as audio instead."""
        letters = 0 if self.audio_seconds else len(self.text)
        letters += sum(len(call.name) + len(as_json(call.args)) for call in self.calls)
        return math.ceil(letters / _CHARACTERS_A_TOKEN)

    @property
    def audio_tokens(self) -> int:
        """What its sound costs."""
        return math.ceil(self.audio_seconds * _AUDIO_TOKENS_A_SECOND)

    @property
    def image_tokens(self) -> int:
        """What its pictures cost."""
        return len(self.images) * _IMAGE_TOKENS


@attrs.frozen(eq=False)
class Prompt:
    """Something to remember, and maybe to answer.

    Attributes:
      epoch: What it was asked under; an interruption since then has overtaken it.
      turns: What was said.
      answer: Whether it wants an answer.
      echo: The sound of it, for the voice that repeats it.
      said: What to say to it, where that is known beforehand; no mind is asked then.
      done: Told when the answer is over, and whether it came to its end.
    """

    epoch: int
    turns: tuple[Turn, ...]
    answer: bool = True
    echo: bytes = attrs.field(default=b"", repr=False)
    said: str | None = None
    done: Callable[[bool], None] | None = attrs.field(default=None, repr=False)


@attrs.define(eq=False)
class Hearing:
    """What has come in of an utterance that isn't over."""

    ears: Ears | None = None
    rate_free: bool = True
    """No sound has come on this connection yet, so any rate will do."""
    marked: bool = False
    marked_anything: bool = False
    typed: list[str] = attrs.field(factory=list)
    seen: list[str] = attrs.field(factory=list)

    def copied(self) -> Hearing:
        """Return one that no later change reaches; it shares the sound."""
        ears = None if self.ears is None else self.ears.copied()
        return attrs.evolve(self, ears=ears, typed=[*self.typed], seen=[*self.seen])


@attrs.define(eq=False)
class State:
    """Where a conversation stands."""

    instruction: str = ""
    history: tuple[Turn, ...] = ()
    audio_seconds: float = 0.0
    """How much audio the client has sent, over all connections."""
    waiting: tuple[Prompt, ...] = ()
    """What was asked and isn't in the history yet."""
    asked: Prompt | None = None
    """What is being answered; the history has it already."""
    epoch: int = 0
    """How often something was interrupted."""
    calls: Mapping[str, OpenCall] = attrs.field(factory=dict)
    """Tool calls without an answer, by their ids."""
    kept: tuple[Turn, ...] = ()
    """Answers of functions that wait until the user has finished speaking."""
    hearing: Hearing = attrs.field(factory=Hearing)
    ledger: Ledger = EMPTY_LEDGER

    @property
    def user_speaks(self) -> bool:
        """Whether an utterance is going on."""
        return self.hearing.ears is not None and self.hearing.ears.speaking

    def copied(self) -> State:
        """Return one that no later change reaches."""
        return attrs.evolve(self, hearing=self.hearing.copied())

    def add(self, *turns: Turn) -> None:
        """Append to the history; the oldest turns make room."""
        kept = (*self.history, *turns)[-MOST_TURNS:]
        room = MOST_CHARACTERS_IN_ALL - sum(turn._size for turn in kept)
        first = 0
        while room < 0 and first < len(kept) - 1:
            room += kept[first]._size
            first += 1
        self.history = kept[first:]


@attrs.define(eq=False)
class Session:
    """One conversation, over however many connections."""

    model: str
    number: int = 1
    state: State = attrs.field(factory=State)
    attached: int = 0
    """How many connections hold it now; more than one only where the lock is off."""
    quiet_until: float = -math.inf
    """Resuming before this time is refused."""
    ended_at: float = math.inf


class Conversation:
    """The service's books on one conversation, over all its connections; they go on changing.

    A resume that brings back an earlier moment takes out what came after it, so this is always
    what the service really has. ``Simulator.conversations`` and ``ServerConnection.conversation``
    give it.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<Conversation {self.number}, {len(self.consumed)} messages>"

    @property
    def number(self) -> int:
        """From 1, in the order in which conversations began."""
        return self._session.number

    @property
    def model(self) -> str:
        """With whom."""
        return self._session.model

    @property
    def history(self) -> Sequence[Turn]:
        """What both sides said; an utterance that isn't over isn't in it."""
        return self._session.state.history

    @property
    def consumed(self) -> Sequence[Consumed]:
        """The client's messages that it consists of, without ``setup``, in the order taken.

        At most the last 100,000.
        """
        return tuple(self._session.state.ledger)

    @property
    def audio_seconds(self) -> float:
        """How much of the client's audio it has got."""
        return self._session.state.audio_seconds

    @property
    def open_calls(self) -> Sequence[str]:
        """The ids of the tool calls that wait for their answers."""
        return tuple(self._session.state.calls)


@attrs.frozen
class _Kept:
    session: Session
    state: State | None


@attrs.define
class SessionStore:
    """The handles of one simulator; another simulator, or a restarted one, knows none of them."""

    now: Callable[[], float]
    _kept: OrderedDict[str, _Kept] = attrs.field(factory=OrderedDict, init=False)

    def issue(self, session: Session, *, snapshot: bool, handle: str | None = None) -> str:
        """Make a handle, or register the given one.

        Args:
          session: What it will bring back.
          snapshot: Whether it brings back the state as it is now, instead of the latest.
          handle: Its text; a fresh UUID by default, as the service uses.
        """
        handle = str(uuid.uuid4()) if handle is None else handle
        self._kept[handle] = _Kept(session, session.state.copied() if snapshot else None)
        while len(self._kept) > MOST_HANDLES:
            self._kept.popitem(last=False)
        return handle

    def find(self, handle: str) -> tuple[Session, State] | None:
        """Look a handle up: its session, and the state that it stands for."""
        kept = self._kept.get(handle)
        if kept is None:
            return None
        session = kept.session
        if not session.attached and self.now() > session.ended_at + HANDLE_SECONDS:
            del self._kept[handle]
            return None
        return session, session.state if kept.state is None else kept.state.copied()

    def forget(self) -> None:
        """Forget every handle, as a restarted service does."""
        self._kept.clear()
