"""One conversation on one connection: what comes in, what is noticed in it, and what cuts in.

Two tasks work here. The connection's receive loop calls ``take`` with each legal message, which
changes the conversation's state in one step, and then ``react``, which says what there is to say
to it; neither waits for an answer to be made. The other makes the answers: see ``_answering``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from ... import wire
from .._checks._fit import check_functions
from .._checks._profiles import Profile
from .._checks._rules import CATCH_ALL, Refused
from .._mind._ears import Ears, Noticed, SpeechEnded, SpeechGoesOn, SpeechStarted
from .._mind._eyes import describe_image
from .._sessions import MOST_TURNS, Hearing, Prompt, Session, State, Turn
from ._answering import Answering
from ._delivery import Delivery
from ._frames import content, voice_activity
from ._incoming import DEFAULT_RATE_HZ, heard_for, rate_of, text_of, turn_from
from ._interpreter import Interpreter, Passed, Utterance
from ._manner import Manner

__all__ = ["Dialogue"]

_MOST_KEPT: Final = 16
"""Answers of functions that wait until the user has finished speaking."""


class Dialogue:
    """The conversation on one connection.

    Attributes:
      answers: Makes them, one after the other.
      strict_blocking: Whether input is refused while a turn waits for a function's answer.
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
        self._tell = tell
        self._setup = setup
        self._profile = profile
        self._session = session
        self._manner = manner
        realtime = setup.realtime_input_config or wire.RealtimeInputConfig()
        self._detection = realtime.automatic_activity_detection
        self._manual = bool(self._detection and self._detection.disabled)
        self._gives_way = realtime.activity_handling != wire.ActivityHandling.NO_INTERRUPTION
        history = setup.history_config
        self._seeding = bool(history and history.initial_history_in_client_content) and not resumed
        self._reactions: list[wire.LiveServerMessage | Prompt | Utterance | Passed] = []
        self._interpreter: Interpreter | None = None
        if profile.translates:
            self._interpreter = Interpreter(
                send=tell,
                second_over=turn_ended,
                setup=setup,
                profile=profile,
                voice=manner.voice,
                echo=manner.echo,
            )
        self.strict_blocking: bool = manner.strict_blocking
        resumption = setup.session_resumption
        if resumption and resumption.transparent:
            self._hearing.rate_free = True
        else:
            # What was being said is cut off with its connection; what was typed or shown stays.
            before = self._hearing
            self._state.hearing = Hearing(typed=before.typed, seen=before.seen)
        self.answers = Answering(
            send=send,
            turn_begins=turn_begins,
            turn_ended=turn_ended,
            setup=setup,
            profile=profile,
            session=session,
            manner=manner,
        )

    @property
    def _state(self) -> State:
        return self._session.state

    @property
    def _hearing(self) -> Hearing:
        return self._session.state.hearing

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
                await self.answers.ask(reaction)
            elif isinstance(reaction, Utterance):
                assert self._interpreter is not None
                await self._interpreter.translate(reaction)
            elif isinstance(reaction, Passed):
                assert self._interpreter is not None
                await self._interpreter.passed(reaction)
            else:
                await self._tell(reaction)

    async def say(self, text: str, done: Callable[[bool], None] | None = None) -> None:
        """Have this said as a turn of the model's, after what is waiting already.

        Args:
          text: What to say.
          done: Told when it is over, and whether it came to its end.

        Cancellation: atomic; ``Cancelled`` means that it won't be said.
        """
        await self.answers.say(text, done)

    def leave_word(self, text: str) -> None:
        """Have this said on the next connection, once this one is over."""
        self.answers.leave_word(text)

    def cut(self) -> None:
        """Interrupt the answer in progress, as if the user spoke."""
        self.answers.interrupt()

    async def run(self) -> None:
        """Answer until cancelled."""
        await self.answers.run()

    async def ignore(self) -> None:
        """Take what there is to answer without answering it, until cancelled."""
        await self.answers.ignore()

    @property
    def mid_answer(self) -> bool:
        """Whether an answer is being made; stays as it was when the connection ends."""
        return self.answers.mid_answer

    @property
    def delivery(self) -> Delivery:
        """How the next answer is laid out; settable."""
        return self.answers.delivery

    @delivery.setter
    def delivery(self, value: Delivery) -> None:
        self.answers.delivery = value

    def called(self, calls: wire.LiveServerToolCall) -> None:
        """Note tool calls that are being made: the conversation waits for their answers."""
        self.answers.calling.note(calls)

    def uncalled(self, cancellation: wire.LiveServerToolCallCancellation) -> None:
        """Note that the answers to some calls aren't wanted any more."""
        self.answers.calling.cancel(cancellation.ids)

    def _take_content(self, given: wire.LiveClientContent) -> None:
        said = [turn for turn in given.turns if turn.role != "system"]
        turns = tuple(turn_from(turn) for turn in said[-MOST_TURNS:])
        for turn in given.turns:
            if turn.role == "system":  # documented for Vertex AI
                self._state.instruction = text_of(turn)
        self.answers.interrupt()
        if self._seeding:
            self._seeding = not given.turn_complete
            self._put(turns, answer=False)
        else:
            self._put(turns, answer=bool(given.turn_complete))

    def _take_answers(self, given: wire.LiveClientToolResponse) -> bool:
        """Take answers to open calls; the service ignores answers to calls it doesn't know."""
        answered = self.answers.calling.take(given.function_responses)
        if answered.silent is not None:
            self._put((answered.silent,), answer=False)
        if answered.spoken is not None:
            if self._state.user_speaks:
                self._state.kept = (*self._state.kept, answered.spoken)[-_MOST_KEPT:]
            else:
                if answered.interrupts and self.answers.answering:
                    self.answers.interrupt()
                self._put((answered.spoken,))
        return answered.counts

    def _take_realtime(self, given: wire.LiveClientRealtimeInput) -> None:
        self._check_realtime(given)
        if given.media_chunks:
            blob = given.media_chunks[0]
            if _is_image(blob):
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
            if self._interpreter is not None:
                self._reactions.append(Passed(0.0, flush=True))

    def _check_realtime(self, given: wire.LiveClientRealtimeInput) -> None:
        """Refuse what can't be taken, before any of it is."""
        if self.strict_blocking and self.answers.calling.blocked:
            raise Refused(
                1008,
                "Operation is not implemented, or supported, or enabled.",
                "input while a function's answer is waited for",
            )
        if given.media_chunks and not self._profile.media_chunks:
            raise Refused(
                1007,
                "realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
            )
        marks = given.activity_start is not None or given.activity_end is not None
        if marks and not self._manual:
            raise Refused(
                1007,
                "Explicit activity control is not supported when automatic activity detection "
                "is enabled.",
            )
        chunks = given.media_chunks[:1]
        ends = self._hearing.marked and given.activity_start is None
        if marks and ends and not self._hearing.marked_anything and not chunks:
            raise Refused(1007, "Precondition check failed.", "an activity without any input")
        if given.video is not None and not _is_image(given.video):
            raise Refused(1007, CATCH_ALL, f"video must be images, not {given.video.mime_type!r}")
        sounds = [blob for blob in chunks if not _is_image(blob)]
        if given.audio is not None:
            sounds.append(given.audio)
        ears = self._hearing.ears
        before = None if ears is None or self._hearing.rate_free else ears.rate_hz
        for rate_hz in map(rate_of, sounds):
            if before not in (None, rate_hz):
                raise Refused(
                    1007,
                    f"Sample rate changed from previously {before} to {rate_hz}, "
                    "which is not supported.",
                )
            before = rate_hz

    def _take_marks(self, given: wire.LiveClientRealtimeInput) -> None:
        if given.activity_start is not None:
            self._hearing.marked = True
            self._hearing.marked_anything = False
            self._notice(self._line(DEFAULT_RATE_HZ).begin())
        elif self._hearing.marked:
            self._hearing.marked = False
            self._notice(self._line(DEFAULT_RATE_HZ).finish())

    def _take_context(self, given: wire.LiveClientContextUpdate) -> None:
        if given.tools is not None:
            check_functions(given.tools.tools, self._profile)
        if given.system_instruction is not None:
            self._state.instruction = text_of(given.system_instruction)
        if given.tools is not None:
            self.answers.declare(given.tools.tools)

    def _listen(self, blob: wire.Blob) -> None:
        rate_hz = rate_of(blob)
        pcm = blob.data or b""
        self._hearing.marked_anything = True
        ears = self._line(rate_hz)
        self._state.audio_seconds += len(pcm) / 2 / rate_hz
        self._hearing.rate_free = False
        self._notice(ears.hear(pcm))
        if self._interpreter is not None:
            self._reactions.append(Passed(len(pcm) / 2 / rate_hz))

    def _line(self, rate_hz: int) -> Ears:
        before = self._hearing.ears
        if before is not None and (before.rate_hz == rate_hz or not self._hearing.rate_free):
            return before
        ears = self._hearing.ears = Ears(
            rate_hz,
            self._detection,
            offset=self._state.audio_seconds,
            keep=self._manner.echo or self._manner.hears is not None or self._profile.translates,
        )
        if before is not None and before.speaking:
            ears.begin()  # marked before the first sound told its rate
        return ears

    def _look(self, blob: wire.Blob) -> None:
        self._hearing.marked_anything = True
        self._hearing.seen = [*self._hearing.seen, describe_image(blob.data or b"")][-3:]

    def _read(self, text: str) -> None:
        self._hearing.marked_anything = True
        if self._hearing.marked:
            self._hearing.typed.append(text[: 1 << 16])
            del self._hearing.typed[:-64]
            return
        if self._gives_way:
            self.answers.interrupt()
        self._put((Turn(role="user", text=text, images=self._take_seen()),))

    # --- What is noticed in the sound ---

    def _notice(self, noticed: list[Noticed]) -> None:
        profile = self._profile
        for item in noticed:
            match item:
                case SpeechStarted(offset=offset):
                    self._tell_activity(wire.VoiceActivityType.ACTIVITY_START, offset)
                    if self._gives_way and not (profile.only_transcribes or profile.translates):
                        self.answers.interrupt()
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
                self._say(content(heard=self._make_out(ended)[0]))
                self._say(content(generation_complete=True))
            self._tell_activity(wire.VoiceActivityType.ACTIVITY_END, ended.offset)
            return
        if self._interpreter is not None:
            text, understood = self._make_out(ended)
            turn = Turn(role="user", text=text, audio_seconds=ended.seconds, understood=understood)
            self._put((turn,), answer=False)
            rate_hz = DEFAULT_RATE_HZ if self._hearing.ears is None else self._hearing.ears.rate_hz
            self._reactions.append(Utterance(text, ended.seconds, ended.pcm, rate_hz))
            return
        self._tell_activity(wire.VoiceActivityType.ACTIVITY_END, ended.offset)
        typed = " ".join(self._hearing.typed)
        self._hearing.typed.clear()
        heard, understood = self._make_out(ended)
        if heard and self._setup.input_audio_transcription is not None:
            if self.delivery.heard is None or self._manner.mind is None:
                self._say(content(heard=heard))
            else:
                self.answers.tell_later(heard)
        turn = Turn(
            role="user",
            text=" ".join(filter(None, (typed, heard))) or "[silence]",
            audio_seconds=ended.seconds,
            images=self._take_seen(),
            understood=understood,
        )
        self._put((turn,), echo=ended.pcm if self._manner.echo else b"")
        kept, self._state.kept = self._state.kept, ()
        if kept:
            self._put(kept)

    def _make_out(self, ended: SpeechEnded) -> tuple[str, bool]:
        """Say what was said, and whether it is known."""
        if not ended.seconds:
            return "", True
        if self._manner.hears is not None and self._hearing.ears is not None:
            heard = self._manner.hears(ended.pcm, self._hearing.ears.rate_hz)
            if heard is not None:
                return heard, True
        return heard_for(ended.seconds), False

    def _tell_activity(self, kind: wire.VoiceActivityType, offset: float) -> None:
        if self._profile.voice_activity is not None:
            self._say(voice_activity(self._profile, kind, offset))

    def _take_seen(self) -> tuple[str, ...]:
        seen, self._hearing.seen = tuple(self._hearing.seen), []
        return seen

    # --- What is answered ---

    def _say(self, message: wire.LiveServerMessage) -> None:
        self._reactions.append(message)

    def _put(self, turns: tuple[Turn, ...], *, answer: bool = True, echo: bytes = b"") -> None:
        silent = self._profile.only_transcribes or self._profile.translates
        answer = answer and self._manner.mind is not None and not silent
        prompt = Prompt(self._state.epoch, turns, answer, echo)
        self._state.waiting = (*self._state.waiting, prompt)
        self._reactions.append(prompt)


def _is_image(blob: wire.Blob) -> bool:
    return (blob.mime_type or "").startswith("image/")
