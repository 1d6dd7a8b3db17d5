"""One conversation on one connection: what is heard, when it is answered, and what cuts in.

Two tasks work here. The connection's receive loop calls ``take`` with each legal message, which
changes the conversation's state in one step, and then ``react``, which says what there is to say
to it; neither waits for an answer to be made. The answering task (``run``) takes one prompt after
the other and is the only one that sends a turn, so the frames of a turn can't mix with those of
another.

What was asked and not answered is part of the state. So a conversation that is taken up again
begins with it.

Cutting in is a number. Whatever interrupts raises the state's ``epoch`` and cancels the scope of
the answer in progress; a prompt carries the number it was asked under, and one that was overtaken
while it waited is given up as if it had just begun. The answering task itself then says
``interrupted`` and ``turnComplete``, so they come where they belong.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from .. import wire
from ._ears import Ears, Noticed, SpeechEnded, SpeechGoesOn, SpeechStarted
from ._eyes import describe_image
from ._frames import content, voice_activity
from ._incoming import DEFAULT_RATE_HZ, answers_to, heard_for, rate_of, text_of, turn_from
from ._mind import Mind, Reply, Situation
from ._profiles import Profile
from ._resample import resample
from ._rules import CATCH_ALL, Refused, modality_of
from ._sessions import Hearing, Prompt, Session, State, Turn
from ._speaker import Speaker
from ._voice import RATE_HZ, Voice

__all__ = ["Dialogue", "Manner"]

MOST_WAITING: Final = 16
"""Prompts that wait for their answer; with more, the client isn't read until one is done."""
_THINK_AGAIN: Final = 0.4
"""Seconds until an answer is begun again that was cut off with its connection."""


@attrs.frozen(kw_only=True)
class Manner:
    """How a simulator answers, the same for all its connections.

    Attributes:
      mind: Makes the answers; ``None`` never answers.
      voice: Speaks them.
      echo: Whether speech is answered with itself.
      pace: Factor on all waiting; 0 waits for nothing.
    """

    mind: Mind | None
    voice: Voice
    echo: bool = False
    pace: float = 1.0


class Dialogue:
    """The conversation on one connection.

    Attributes:
      mid_answer: Whether an answer is being made; stays as it was when the connection ends.
    """

    def __init__(
        self,
        *,
        send: Callable[[wire.LiveServerMessage], Awaitable[None]],
        tell: Callable[[wire.LiveServerMessage], Awaitable[None]],
        turn_begins: Callable[[], Awaitable[None]],
        turn_ended: Callable[[], Awaitable[None]],
        setup: wire.LiveClientSetup,
        profile: Profile,
        session: Session,
        resumed: bool,
        manner: Manner,
    ) -> None:
        self._send = send
        self._tell = tell
        self._turn_begins = turn_begins
        self._turn_ended = turn_ended
        self._setup = setup
        self._profile = profile
        self._session = session
        self._manner = manner
        self._modality = modality_of(setup, profile)
        realtime = setup.realtime_input_config or wire.RealtimeInputConfig()
        self._detection = realtime.automatic_activity_detection
        self._manual = bool(self._detection and self._detection.disabled)
        self._gives_way = realtime.activity_handling != wire.ActivityHandling.NO_INTERRUPTION
        history = setup.history_config
        self._seeding = bool(history and history.initial_history_in_client_content) and not resumed
        self._answering: trio.CancelScope | None = None
        self._ask, self._asked = trio.open_memory_channel[Prompt](MOST_WAITING)
        self._reactions: list[wire.LiveServerMessage | Prompt] = []
        self.mid_answer = False
        resumption = setup.session_resumption
        if resumption and resumption.transparent:
            self._hearing.rate_free = True
        else:
            # What was being said is cut off with its connection; what was typed or shown stays.
            before = self._hearing
            self._state.hearing = Hearing(typed=before.typed, seen=before.seen)
        self._left_over = self._take_over()

    @property
    def _state(self) -> State:
        return self._session.state

    @property
    def _hearing(self) -> Hearing:
        return self._session.state.hearing

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
        state.waiting = left
        return left

    # --- What comes in ---

    def take(self, message: wire.LiveClientMessage) -> bool:
        """Act on one legal message; ``react`` then says what there is to say.

        Returns:
          Whether that changed anything; the service ignores answers to calls it doesn't know.

        Raises:
          Refused: it isn't legal in this state after all.
        """
        if message.client_content is not None:
            self._take_content(message.client_content)
        elif message.realtime_input is not None:
            self._take_realtime(message.realtime_input)
        elif message.context_update is not None:
            self._take_context(message.context_update)
        elif message.tool_response is not None:
            return self._take_answers(message.tool_response)
        return True

    async def react(self) -> None:
        """Tell the client what was noticed, and hand on what is to be answered."""
        reactions, self._reactions = self._reactions, []
        for reaction in reactions:
            if isinstance(reaction, Prompt):
                await self._ask.send(reaction)
            else:
                await self._tell(reaction)

    def called(self, calls: wire.LiveServerToolCall) -> None:
        """Note tool calls that are being made: the conversation waits for their answers."""
        made = {call.id: call.name or "" for call in calls.function_calls if call.id}
        self._state.calls = {**self._state.calls, **made}

    def uncalled(self, cancellation: wire.LiveServerToolCallCancellation) -> None:
        """Note that the answers to some calls aren't wanted any more."""
        gone = set(cancellation.ids)
        calls = self._state.calls
        self._state.calls = {call: name for call, name in calls.items() if call not in gone}

    def _take_content(self, given: wire.LiveClientContent) -> None:
        turns = tuple(turn_from(content) for content in given.turns)
        self._interrupt()
        if self._seeding:
            self._seeding = not given.turn_complete
            self._put(turns, answer=False)
        else:
            self._put(turns, answer=bool(given.turn_complete))

    def _take_answers(self, given: wire.LiveClientToolResponse) -> bool:
        """Take answers to open calls; the service ignores answers to calls it doesn't know."""
        said, self._state.calls = answers_to(self._state.calls, given.function_responses)
        if said:
            self._put((Turn(role="user", text=said),))
        return bool(said)

    def _take_realtime(self, given: wire.LiveClientRealtimeInput) -> None:
        if given.media_chunks:
            if not self._profile.media_chunks:
                raise Refused(
                    1007,
                    "realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
                )
            blob = given.media_chunks[0]
            if (blob.mime_type or "").startswith("image/"):
                self._look(blob)
            else:
                self._listen(blob)
        if given.activity_start is not None or given.activity_end is not None:
            self._take_marks(given)
        if given.audio is not None:
            self._listen(given.audio)
        if given.video is not None:
            self._look(given.video)
        if given.text is not None:
            self._read(given.text)
        if given.audio_stream_end and self._hearing.ears is not None:
            self._notice(self._hearing.ears.flush())

    def _take_marks(self, given: wire.LiveClientRealtimeInput) -> None:
        if not self._manual:
            raise Refused(
                1007,
                "Explicit activity control is not supported when automatic activity detection "
                "is enabled.",
            )
        if given.activity_start is not None:
            self._hearing.marked = True
            self._hearing.marked_anything = False
            self._notice(self._line(DEFAULT_RATE_HZ).begin())
        elif self._hearing.marked:
            self._hearing.marked = False
            if not self._hearing.marked_anything:
                raise Refused(1007, "Precondition check failed.", "an activity without any input")
            self._notice(self._line(DEFAULT_RATE_HZ).finish())

    def _take_context(self, given: wire.LiveClientContextUpdate) -> None:
        if given.system_instruction is not None:
            self._state.instruction = text_of(given.system_instruction)
        if given.tools is not None:
            self._setup = attrs.evolve(self._setup, tools=given.tools.tools)

    def _listen(self, blob: wire.Blob) -> None:
        rate_hz = rate_of(blob)
        ears = self._hearing.ears
        if ears is not None and not self._hearing.rate_free and ears.rate_hz != rate_hz:
            raise Refused(
                1007,
                f"Sample rate changed from previously {ears.rate_hz} to {rate_hz}, "
                "which is not supported.",
            )
        pcm = blob.data or b""
        self._hearing.marked_anything = True
        ears = self._line(rate_hz)
        self._state.audio_seconds += len(pcm) / 2 / rate_hz
        self._hearing.rate_free = False
        self._notice(ears.hear(pcm))

    def _line(self, rate_hz: int) -> Ears:
        before = self._hearing.ears
        if before is not None and (before.rate_hz == rate_hz or not self._hearing.rate_free):
            return before
        ears = self._hearing.ears = Ears(
            rate_hz,
            self._detection,
            offset=self._state.audio_seconds,
            keep=self._manner.echo,
        )
        if before is not None and before.speaking:
            ears.begin()  # marked before the first sound told its rate
        return ears

    def _look(self, blob: wire.Blob) -> None:
        if not (blob.mime_type or "").startswith("image/"):
            raise Refused(1007, CATCH_ALL, f"video must be images, not {blob.mime_type!r}")
        self._hearing.marked_anything = True
        self._hearing.seen = [*self._hearing.seen, describe_image(blob.data or b"")][-3:]

    def _read(self, text: str) -> None:
        self._hearing.marked_anything = True
        if self._hearing.marked:
            self._hearing.typed.append(text[: 1 << 16])
            del self._hearing.typed[:-64]
            return
        if self._gives_way:
            self._interrupt()
        self._put((Turn(role="user", text=text, images=self._take_seen()),))

    # --- What is noticed in the sound ---

    def _notice(self, noticed: list[Noticed]) -> None:
        profile = self._profile
        for item in noticed:
            match item:
                case SpeechStarted(offset=offset):
                    self._tell_activity(wire.VoiceActivityType.ACTIVITY_START, offset)
                    if self._gives_way and not profile.only_transcribes:
                        self._interrupt()
                case SpeechGoesOn(seconds=seconds):
                    if profile.only_transcribes:
                        self._say(content(guessed=heard_for(seconds)))
                case SpeechEnded():
                    self._speech_ended(item)

    def _speech_ended(self, ended: SpeechEnded) -> None:
        profile = self._profile
        if profile.only_transcribes:
            # Measured: the final transcript, then generationComplete, then the end; and a take
            # of silence only has the end.
            if ended.seconds:
                self._say(content(heard=heard_for(ended.seconds)))
                self._say(content(generation_complete=True))
            self._tell_activity(wire.VoiceActivityType.ACTIVITY_END, ended.offset)
            return
        self._tell_activity(wire.VoiceActivityType.ACTIVITY_END, ended.offset)
        typed = " ".join(self._hearing.typed)
        self._hearing.typed.clear()
        heard = heard_for(ended.seconds) if ended.seconds else ""
        if heard and self._setup.input_audio_transcription is not None:
            self._say(content(heard=heard))
        turn = Turn(
            role="user",
            text=" ".join(filter(None, (typed, heard))) or "[silence]",
            audio_seconds=ended.seconds,
            images=self._take_seen(),
        )
        self._put((turn,), echo=ended.pcm)

    def _tell_activity(self, kind: wire.VoiceActivityType, offset: float) -> None:
        if self._profile.voice_activity is not None:
            self._say(voice_activity(self._profile, kind, offset))

    def _take_seen(self) -> tuple[str, ...]:
        seen, self._hearing.seen = tuple(self._hearing.seen), []
        return seen

    # --- What is answered ---

    def _say(self, message: wire.LiveServerMessage) -> None:
        self._reactions.append(message)

    def _interrupt(self) -> None:
        self._state.epoch += 1
        self._state.asked = None
        if self._answering is not None:
            self._answering.cancel()

    def _put(self, turns: tuple[Turn, ...], *, answer: bool = True, echo: bytes = b"") -> None:
        answer = answer and self._manner.mind is not None and not self._profile.only_transcribes
        prompt = Prompt(self._state.epoch, turns, answer, echo)
        self._state.waiting = (*self._state.waiting, prompt)
        self._reactions.append(prompt)

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
            await speaker.cut_short()
        self.mid_answer = False
        await self._turn_ended()

    async def ignore(self) -> None:
        """Take prompts without answering them, until cancelled."""
        async for _prompt in self._asked:
            pass

    async def _answer(self, prompt: Prompt, speaker: Speaker, thinking: float) -> None:
        await trio.sleep(thinking * self._manner.pace)
        ears = self._hearing.ears
        if prompt.echo and prompt.turns and ears is not None:
            sound = resample(prompt.echo, ears.rate_hz, RATE_HZ)
            await speaker.play(sound, prompt.turns[-1].text)
            return
        assert self._manner.mind is not None
        reply = self._manner.mind(
            Situation(
                history=self._state.history,
                instruction=self._state.instruction,
                tools=self._setup.tools,
                modality=self._modality.value,
            )
        )
        await speaker.deliver(reply if isinstance(reply, Reply) else Reply(reply))
