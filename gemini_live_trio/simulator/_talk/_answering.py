"""Making the answers of one connection, one after the other.

Only the task in ``run`` sends turns, so the frames of a turn can't mix with those of another.

What was asked and not answered is part of the conversation's state. So a conversation that is
taken up again begins with it.

Cutting in is a number. Whatever interrupts raises the state's ``epoch`` and cancels the scope of
the answer in progress; a prompt carries the number it was asked under, and one that was overtaken
while it waited is given up as if it had just begun. The answering task itself then says
``interrupted`` and ``turnComplete``, so they come where they belong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import trio

from ... import wire
from .._checks._profiles import Profile
from .._checks._rules import modality_of
from .._mind._mind import Reply, Situation
from .._mind._resample import resample_in_steps
from .._mind._voice import RATE_HZ
from .._sessions import Prompt, Session, State
from ._calling import Calling
from ._delivery import Delivery
from ._manner import Manner
from ._speaker import Speaker

__all__ = ["Answering"]

MOST_WAITING: Final = 16
"""Prompts that wait for their answer; with more, the client isn't read until one is done."""
_THINK_AGAIN: Final = 0.4
"""Seconds until an answer is begun again that was cut off with its connection."""
_MOST_ROUNDS: Final = 16
"""Rounds of calls in one turn."""
_MOST_UNTOLD: Final = 64


class Answering:
    """The answering half of a conversation on one connection.

    Attributes:
      calling: The calls that wait for the client.
      mid_answer: Whether an answer is being made; stays as it was when the connection ends.
      delivery: How the next answer is laid out.
    """

    def __init__(
        self,
        *,
        send: Callable[[wire.LiveServerMessage], Awaitable[None]],
        turn_begins: Callable[[], Awaitable[None]],
        turn_ended: Callable[[], Awaitable[None]],
        setup: wire.LiveClientSetup,
        profile: Profile,
        session: Session,
        manner: Manner,
    ) -> None:
        self._send = send
        self._turn_begins = turn_begins
        self._turn_ended = turn_ended
        self._setup = setup
        self._profile = profile
        self._session = session
        self._manner = manner
        self._modality = modality_of(setup, profile)
        self._answering: trio.CancelScope | None = None
        self._ask, self._asked = trio.open_memory_channel[Prompt](MOST_WAITING)
        self._untold: deque[str] = deque(maxlen=_MOST_UNTOLD)
        self.calling = Calling(session, setup.tools, profile)
        self.mid_answer: bool = False
        self.delivery: Delivery = manner.delivery
        self._left_over = self._take_over()

    @property
    def _state(self) -> State:
        return self._session.state

    def _take_over(self) -> tuple[Prompt, ...]:
        """Take what is left to answer from the connection before this one.

        The prompts are exchanged for new ones, so that the old connection, should it still be
        there, leaves them alone.
        """
        state = self._state
        left = tuple(
            attrs.evolve(prompt, answer=prompt.answer and prompt.epoch == state.epoch)
            for prompt in state.waiting
        )
        if state.asked is not None:
            left = (attrs.evolve(state.asked, turns=(), epoch=state.epoch), *left)
            state.asked = None
        if state.kept and not self._state.user_speaks:
            left = (*left, Prompt(state.epoch, state.kept))
            state.kept = ()
        state.waiting = left
        return left

    # --- What there is to answer ---

    @property
    def answering(self) -> bool:
        """Whether an answer is in progress that can be cut."""
        return self._answering is not None

    async def ask(self, prompt: Prompt) -> None:
        """Hand on a prompt that is in the state already; waits while too many others do."""
        await self._ask.send(prompt)

    async def say(self, text: str, done: Callable[[bool], None] | None = None) -> None:
        """Have this said as a turn of the model's, after what is waiting already.

        Args:
          text: What to say.
          done: Told when it is over, and whether it came to its end.

        Cancellation: atomic; ``Cancelled`` means that it won't be said.
        """
        prompt = Prompt(self._state.epoch, (), said=text, done=done)
        self._state.waiting = (*self._state.waiting, prompt)
        try:
            await self._ask.send(prompt)
        except trio.Cancelled:
            self._state.waiting = tuple(it for it in self._state.waiting if it is not prompt)
            raise

    def leave_word(self, text: str) -> None:
        """Have this said on the next connection, once this one is over."""
        prompt = Prompt(self._state.epoch, (), said=text)
        self._state.waiting = (*self._state.waiting, prompt)

    def interrupt(self) -> None:
        """Cut the answer in progress, and those that are waited for."""
        self._state.epoch += 1
        self._state.asked = None
        self.calling.drop_held()
        if self._answering is not None:
            self._answering.cancel()

    def declare(self, tools: Sequence[wire.Tool]) -> None:
        """Exchange the functions."""
        self._setup = attrs.evolve(self._setup, tools=tools)
        self.calling.declare(tools)

    def tell_later(self, heard: str) -> None:
        """Have what the user said told where the delivery wants it."""
        self._untold.append(heard)

    # --- Answering ---

    async def run(self) -> None:
        """Answer prompts until cancelled."""
        for prompt in self._left_over:
            await self._serve(prompt, thinking=min(self._profile.think_seconds, _THINK_AGAIN))
        async for prompt in self._asked:
            await self._serve(prompt, thinking=self._profile.think_seconds)

    async def _serve(self, prompt: Prompt, *, thinking: float) -> None:
        state = self._state
        if not any(waiting is prompt for waiting in state.waiting):
            return  # another connection has taken it over
        state.waiting = tuple(waiting for waiting in state.waiting if waiting is not prompt)
        state.add(*prompt.turns)
        if not prompt.answer:
            return
        state.asked = prompt if prompt.epoch == state.epoch else None
        self.mid_answer = True
        speaker = Speaker(
            send=self._send,
            setup=self._setup,
            profile=self._profile,
            session=self._session,
            modality=self._modality,
            voice=self._manner.voice,
            pace=self._manner.pace,
            delivery=self.delivery,
            take_heard=self._take_untold,
        )
        await self._turn_begins()
        with trio.CancelScope() as scope:
            self._answering = scope
            if prompt.epoch < state.epoch:
                scope.cancel()
            try:
                await self._answer(prompt, speaker, thinking)
            finally:
                self._answering = None
        if scope.cancelled_caught:
            await self._tell_dropped()
            await speaker.cut_short()
        self.mid_answer = False
        await self._turn_ended()
        if prompt.done is not None:
            prompt.done(not scope.cancelled_caught)

    async def ignore(self) -> None:
        """Take prompts without answering them, until cancelled."""
        async for _prompt in self._asked:
            pass

    def _take_untold(self) -> list[str]:
        untold = list(self._untold)
        self._untold.clear()
        return untold

    async def _tell_dropped(self) -> None:
        """Tell of the calls that an interruption ended, where the model does."""
        ids = self.calling.take_dropped()
        if ids and self._profile.cancels_calls:
            gone = wire.LiveServerToolCallCancellation(ids=ids)
            await self._send(wire.LiveServerMessage(tool_call_cancellation=gone))

    async def _answer(self, prompt: Prompt, speaker: Speaker, thinking: float) -> None:
        # A turn that waits for answers may have been taken over from another connection.
        going_on = self.calling.holding
        await self.calling.wait_answered()
        await trio.sleep(thinking * self._manner.pace)
        ears = self._state.hearing.ears
        if prompt.echo and prompt.turns and ears is not None:
            sound = await resample_in_steps(prompt.echo, ears.rate_hz, RATE_HZ)
            await speaker.play(sound, prompt.turns[-1].text)
            return
        if prompt.said is not None:
            await speaker.deliver(Reply(prompt.said))
            return
        last = self._state.history[-1:]
        goes_on = going_on or bool(last and last[0].answers)
        for _round in range(_MOST_ROUNDS):
            reply = self._think()
            if not goes_on:
                goes_on = True
                await speaker.begin()
            if not reply.calls:
                await speaker.deliver(reply)
                return
            if not await self._call(reply, speaker):
                return
            await self.calling.wait_answered()
            await speaker.show_results(self._state.history[-1].answers)
            await trio.sleep(self._profile.think_seconds * self._manner.pace)
        await speaker.deliver(Reply(f"I called functions {_MOST_ROUNDS} times, and stop here."))

    def _think(self) -> Reply:
        assert self._manner.mind is not None
        reply = self._manner.mind(
            Situation(
                history=self._state.history,
                instruction=self._state.instruction,
                tools=self._setup.tools,
                modality=self._modality.value,
            )
        )
        return reply if isinstance(reply, Reply) else Reply(reply)

    async def _call(self, reply: Reply, speaker: Speaker) -> bool:
        """Make calls; tell whether the turn waits for an answer."""
        held = self.calling.would_hold(reply.calls)
        later = self._profile.talks_on and not held
        if reply.text and not later:
            await speaker.speak(reply.text)
        speaker.commit(done=False)
        with self.calling.opened(reply.calls) as calls:
            await speaker.call(calls)
        if held:
            return True
        if reply.text and later:
            await speaker.speak(reply.text)
        await speaker.end_at_call()
        return False
