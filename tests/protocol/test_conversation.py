"""What survives a connection."""

import math

import pytest

from gemini_live_trio import Fate, SessionConfig, codec, wire
from gemini_live_trio._closes import Close, Phase, classify
from gemini_live_trio._conversation import (
    GO_AWAY_DEFAULT,
    GO_AWAY_MARGIN,
    Bracket,
    Conversation,
    Ground,
    Kind,
    Outbox,
    Outgoing,
    Progress,
    Ticket,
)
from gemini_live_trio.capabilities import capability_of
from gemini_live_trio.events import StallState

GONE = classify(Close("network", 1006), Phase.SESSION)


def conversation(model: str = "gemini-3.8-live", **options: object) -> Conversation:
    setup = SessionConfig(model=model).setup()
    made = Conversation(setup, capability_of(model), **options)  # type: ignore[arg-type]
    made.connected(Ground.FRESH, 0, None)
    return made


def update(handle: str | None, resumable: bool | None = True) -> wire.LiveServerMessage:
    return wire.LiveServerMessage(
        session_resumption_update=wire.LiveServerSessionResumptionUpdate(
            new_handle=handle, resumable=resumable
        )
    )


def content(**fields: object) -> wire.LiveServerMessage:
    return wire.LiveServerMessage(server_content=wire.LiveServerContent(**fields))  # type: ignore[arg-type]


def says(text: str, *, thought: bool = False) -> wire.LiveServerMessage:
    part = wire.Part(text=text, thought=thought or None)
    return content(model_turn=wire.Content(parts=[part]))


def go_away(seconds: float | None) -> wire.LiveServerMessage:
    return wire.LiveServerMessage(go_away=wire.LiveServerGoAway(time_left=seconds))


def calls(*ids: str) -> wire.LiveServerMessage:
    made = [wire.FunctionCall(id=call_id, name="f") for call_id in ids]
    return wire.LiveServerMessage(tool_call=wire.LiveServerToolCall(function_calls=made))


def text(said: str) -> Outgoing:
    return Outgoing(said, ticket=Ticket(), asks=True, said=[("user", said)])


def audio(name: str, seconds: float = 1.0) -> Outgoing:
    return Outgoing(name, Kind.AUDIO, seconds)


def send(made: Conversation, item: Outgoing, now: float) -> Outgoing:
    made.delivery.outbox.put(item)
    assert item in made.delivery.next_batch()
    made.written(now)
    return item


def handle_of(made: Conversation) -> str | None:
    setup, handle = made.next_setup()
    asked = setup.session_resumption.handle if setup.session_resumption else None
    assert asked == (handle.text if handle else None)
    return asked


# --- Handles --------------------------------------------------------------------------------


def test_the_newest_usable_handle_is_kept() -> None:
    made = conversation()
    assert handle_of(made) is None
    made.received(update("first"), 0)
    made.received(update(None, resumable=False), 1)
    made.received(update("bad", resumable=False), 1)
    made.received(update("", resumable=True), 1)
    assert handle_of(made) == "first"
    made.received(update("second"), 2)
    made.disconnected(GONE, 3)
    assert handle_of(made) == "second"


def test_a_refused_handle_gives_way_to_the_one_before_and_then_to_none() -> None:
    made = conversation()
    made.received(update("first"), 0)
    made.received(update("second"), 1)
    for expected in ("second", "first"):
        assert handle_of(made) == expected
        made.handles.refuse(made.next_setup()[1])  # type: ignore[arg-type]
    assert handle_of(made) is None
    made.received(update("second"), 2)
    assert handle_of(made) is None


def test_a_fresh_session_forgets_the_handles_of_the_old_one() -> None:
    made = conversation()
    made.received(update("first"), 0)
    made.connected(Ground.FRESH, 1, None)
    assert handle_of(made) is None


def test_announced_history_is_not_announced_again_on_a_resume() -> None:
    made = conversation(history=[wire.Content(role="user", parts=[wire.Part(text="Hello")])])
    assert made.next_setup()[0].history_config is not None
    made.received(update("first"), 0)
    assert made.next_setup()[0].history_config is None


@pytest.mark.parametrize(
    ("model", "kept"), [("gemini-3.1-flash-live-preview", None), ("gemini-3.8-live", "first")]
)
def test_a_handle_from_before_the_seed_leads_back_to_nothing(model: str, kept: str | None) -> None:
    said = wire.Content(role="user", parts=[wire.Part(text="My name is Ada.")])
    made = conversation(model, history=[said])
    made.delivery.next_batch()
    made.written(0)
    made.received(update("first"), 1)
    assert made.handles.resumable is (kept is not None)
    assert handle_of(made) == kept
    made.received(says("Hello"), 2)
    made.received(content(turn_complete=True), 3)
    made.received(update("second"), 3)
    assert made.handles.resumable
    assert handle_of(made) == "second"


@pytest.mark.parametrize("shown", [False, True])
def test_a_seed_that_may_not_have_arrived_is_told_again(shown: bool) -> None:
    said = wire.Content(role="user", parts=[wire.Part(text="My name is Ada.")])
    made = conversation("gemini-3.8-live", history=[said])
    made.received(update("first"), 0)
    made.delivery.next_batch()
    made.written(0)
    if shown:
        made.received(content(input_transcription=wire.Transcription(text="Well")), 1)
    made.disconnected(GONE, 2)
    assert handle_of(made) == ("first" if shown else None)
    assert made.seeds() == [said]


def test_a_fresh_session_is_told_once_in_transparent_mode_too() -> None:
    said = wire.Content(role="user", parts=[wire.Part(text="My name is Ada.")])
    resumption = wire.SessionResumptionConfig(transparent=True)
    setup = SessionConfig(model="gemini-3.8-live", session_resumption=resumption).setup()
    made = Conversation(setup, capability_of("gemini-3.8-live"), history=[said])
    made.connected(Ground.FRESH, 0, None)
    made.delivery.next_batch()
    made.written(0)
    made.disconnected(GONE, 1)
    made.connected(Ground.FRESH, 2, None)
    assert [item.seed for item in made.delivery.next_batch()] == [True]


def test_a_handle_can_be_brought_along() -> None:
    assert handle_of(Conversation(wire.LiveClientSetup(), capability_of("m"), handle="x")) == "x"


# --- When to leave --------------------------------------------------------------------------


def test_idle_means_leaving_at_once() -> None:
    made = conversation()
    assert made.leave_at() == math.inf
    made.received(go_away(50), 5)
    assert made.leave_at() == 5


def test_a_turn_may_end_before_we_leave_but_not_past_the_deadline() -> None:
    made = conversation()
    made.received(says("One"), 5)
    made.received(go_away(50), 5)
    assert made.leave_at() == 55 - GO_AWAY_MARGIN
    made.received(content(turn_complete=True), 7)
    assert made.leave_at() <= 7


def test_more_of_the_interaction_keeps_us() -> None:
    made = conversation()
    made.received(says("One"), 0)
    going_on = wire.InteractionStatus.IN_PROGRESS
    made.received(content(turn_complete=True, interaction_status=going_on), 1)
    made.received(go_away(20), 2)
    assert made.leave_at() == 22 - GO_AWAY_MARGIN
    made.received(content(interaction_status=wire.InteractionStatus.IDLE), 3)
    assert made.leave_at() <= 3


def test_a_user_who_speaks_keeps_us() -> None:
    made = conversation()
    start = wire.VoiceActivity(voice_activity_type=wire.VoiceActivityType.ACTIVITY_START)
    made.received(wire.LiveServerMessage(voice_activity=start), 0)
    made.received(go_away(20), 1)
    assert made.leave_at() == 21 - GO_AWAY_MARGIN
    end = wire.VoiceActivity(voice_activity_type=wire.VoiceActivityType.ACTIVITY_END)
    made.received(wire.LiveServerMessage(voice_activity=end), 2)
    assert made.leave_at() <= 2


@pytest.mark.parametrize(
    ("model", "waits"), [("gemini-3.8-live", False), ("gemini-3.1-flash-live-preview", True)]
)
def test_a_call_that_the_model_waits_for_keeps_us(model: str, waits: bool) -> None:
    made = conversation(model)
    made.received(calls("1"), 0)
    made.received(content(turn_complete=True), 0)
    made.received(go_away(20), 1)
    assert (made.leave_at() > 1) is waits
    send(made, Outgoing("answer", ticket=Ticket(), call_ids=("1",), asks=True), 2)
    assert made.leave_at() > 2, "the model is about to speak"
    made.received(says("Done"), 3)
    made.received(content(turn_complete=True), 4)
    assert made.leave_at() <= 4


def test_a_call_is_waited_for_as_it_was_declared() -> None:
    for behavior, waits in ((wire.Behavior.BLOCKING, True), (wire.Behavior.NON_BLOCKING, False)):
        declared = wire.FunctionDeclaration(name="f", behavior=behavior)
        setup = wire.LiveClientSetup(tools=[wire.Tool(function_declarations=[declared])])
        made = Conversation(setup, capability_of("gemini-3.8-live"))
        made.connected(Ground.FRESH, 0, None)
        made.received(calls("1"), 0)
        made.received(content(turn_complete=True), 0)
        made.received(go_away(20), 1)
        assert (made.leave_at() > 1) is waits


def test_what_was_asked_keeps_us_until_it_is_answered() -> None:
    made = conversation()
    made.received(go_away(20), 1)
    send(made, text("Hello"), 2)
    assert made.leave_at() == 21 - GO_AWAY_MARGIN
    made.received(says("Hi"), 3)
    made.received(content(turn_complete=True), 4)
    assert made.leave_at() <= 4


def test_an_unreadable_or_short_notice() -> None:
    made = conversation()
    made.received(says("One"), 0)
    made.received(go_away(None), 3)
    assert made.leave_at() == 3 + GO_AWAY_DEFAULT - GO_AWAY_MARGIN
    made.received(go_away(0), 4)
    assert made.leave_at() == 4
    made.connected(Ground.RESUMED, 5, None)
    made.received(content(turn_complete=True), 5)
    assert made.leave_at() == math.inf


def test_an_old_connection_is_left_when_it_cuts_nothing() -> None:
    made = conversation(max_connection_age=60)
    assert made.leave_at() == 60
    made.received(says("One"), 59)
    assert made.leave_at() == math.inf
    made.received(content(turn_complete=True), 70)
    assert made.leave_at() <= 70


# --- Turns ----------------------------------------------------------------------------------


def test_generations_are_counted_and_late_audio_of_a_cut_one_is_stale() -> None:
    made = conversation()
    assert not made.received(says("One"), 0).stale
    assert made.received(content(interrupted=True), 1).generation == 1
    late = made.received(says("late"), 2)
    assert (late.generation, late.stale) == (1, True)
    made.received(content(turn_complete=True), 3)
    fresh = made.received(says("Two"), 4)
    assert (fresh.generation, fresh.stale) == (2, False)


def test_audio_in_the_same_message_as_the_interruption_is_stale() -> None:
    made = conversation()
    made.received(says("One"), 0)
    both = content(model_turn=wire.Content(parts=[wire.Part(text="x")]), interrupted=True)
    assert made.received(both, 1).stale


def test_an_interruption_of_nothing_is_spurious_and_mutes_nothing() -> None:
    made = conversation()
    assert made.received(content(interrupted=True), 0).spurious
    made.received(content(turn_complete=True), 0)
    assert not made.received(says("One"), 1).stale
    made.received(content(turn_complete=True), 2)
    assert made.received(content(interrupted=True), 3).spurious


def test_an_interruption_after_all_was_generated_is_real() -> None:
    made = conversation()
    made.received(says("One"), 0)
    made.received(content(generation_complete=True), 1)
    assert made.turns.progress is Progress.GENERATED
    assert not made.received(content(interrupted=True), 2).spurious


def test_the_end_of_a_turn_is_no_answer_to_what_is_still_to_be_written() -> None:
    made = conversation()
    made.received(calls("1"), 0)
    answer = Outgoing("answer", ticket=Ticket(), call_ids=("1",), asks=True)
    made.delivery.outbox.put(answer)
    made.received(content(turn_complete=True), 1)
    assert not made.turn_state().idle
    assert made.delivery.next_batch() == [answer]
    assert not made.turn_state().idle, "it is being written"
    made.written(2)
    assert not made.turn_state().idle
    made.received(says("Done"), 3)
    made.received(content(turn_complete=True), 4)
    assert made.turn_state().idle


def test_a_result_whose_call_was_taken_back_is_not_answered() -> None:
    made = conversation()
    made.received(calls("1"), 0)
    made.received(content(turn_complete=True), 0)
    made.disconnected(GONE, 1)
    made.delivery.outbox.put(Outgoing("answer", ticket=Ticket(), call_ids=("1",), asks=True))
    assert not made.turn_state().idle
    cancelled = wire.LiveServerToolCallCancellation(ids=["1"])
    made.received(wire.LiveServerMessage(tool_call_cancellation=cancelled), 2)
    assert made.turn_state().idle


def test_what_a_silence_is_about() -> None:
    made = conversation("gemini-3.1-flash-live-preview")
    assert made.waiting_for(5) is None
    send(made, text("Hello"), 10)
    assert made.waiting_for(15) == (StallState.MODEL, 5)
    made.received(says("hm", thought=True), 20)
    assert made.waiting_for(25) == (StallState.THINKING, 5)
    made.received(says("One"), 30)
    assert made.waiting_for(31) == (StallState.SERVER, 1)
    made.received(calls("1"), 40)
    assert made.waiting_for(50) == (StallState.TOOL, 10)
    send(made, Outgoing("answer", ticket=Ticket(), call_ids=("1",), asks=True), 50)
    made.received(content(turn_complete=True), 51)
    made.received(says("Two"), 52)
    made.received(content(turn_complete=True), 53)
    assert made.waiting_for(99) is None


# --- What was said --------------------------------------------------------------------------


def hear(made: Conversation, message: wire.LiveServerMessage, now: float) -> None:
    made.received(message, now)
    for event in codec.to_events(message):
        made.heard(event, now)


def test_a_transcript_for_a_service_that_forgot() -> None:
    made = conversation()
    send(made, text("My name is Ada."), 0)
    hear(made, content(output_transcription=wire.Transcription(text="Hello")), 1)
    hear(made, content(output_transcription=wire.Transcription(text=" Ada!")), 1)
    hear(made, content(turn_complete=True), 2)
    hear(made, content(input_transcription=wire.Transcription(text="And")), 3)
    hear(made, content(input_transcription=wire.Transcription(text=" you?")), 3)
    hear(made, content(output_transcription=wire.Transcription(text="I am")), 4)
    hear(made, content(interrupted=True), 5)
    hear(made, content(output_transcription=wire.Transcription(text=" unheard")), 5)
    made.disconnected(GONE, 6)
    said = [(turn.role, turn.parts[0].text) for turn in made.seeds()]
    assert said == [
        ("user", "My name is Ada."),
        ("model", "Hello Ada!"),
        ("user", "And you?"),
        ("model", "I am"),
    ]


def test_a_fresh_session_is_told_first_and_only_when_wanted() -> None:
    for wanted in (True, False):
        made = conversation(reseed=wanted)
        send(made, text("Hello"), 0)
        made.received(says("Hi"), 1)
        made.disconnected(GONE, 2)
        waiting = text("later")
        made.delivery.outbox.put(waiting)
        assert (made.next_setup()[0].history_config is not None) is wanted
        made.connected(Ground.FRESH, 3, None)
        frames = [item.frame for item in made.delivery.next_batch()]
        assert frames[-1] == "later"
        assert ('"Hello"' in frames[0]) is wanted
        assert len(frames) == (2 if wanted else 1)


# --- The outbox -----------------------------------------------------------------------------


def taken(outbox: Outbox) -> list[str]:
    return [outbox.take().frame for _ in range(len(outbox))]


def test_order_is_kept_over_all_kinds() -> None:
    outbox = Outbox()
    for item in (Outgoing("start"), audio("a"), audio("b"), Outgoing("end")):
        outbox.put(item)
    assert taken(outbox) == ["start", "a", "b", "end"]


def test_the_oldest_audio_goes_and_is_counted() -> None:
    outbox = Outbox(audio_seconds=2)
    outbox.put(Outgoing("start"))
    for name in "abcd":
        outbox.put(audio(name))
    assert outbox.dropped_audio_seconds == 2
    assert taken(outbox) == ["start", "c", "d"]


def test_only_the_newest_picture_waits() -> None:
    outbox = Outbox()
    for name in ("one", "two"):
        outbox.put(Outgoing(name, Kind.VIDEO))
    outbox.put(Outgoing("text"))
    assert outbox.dropped_video_frames == 1
    assert taken(outbox) == ["two", "text"]


def test_what_is_put_back_is_next_and_still_bounded() -> None:
    outbox = Outbox(audio_seconds=2)
    outbox.put(audio("a"))
    outbox.put(audio("b"))
    first = outbox.take()
    outbox.put(audio("c"))
    outbox.put_back([first])
    outbox.put(audio("d"))
    assert taken(outbox) == ["c", "d"]
    assert outbox.dropped_audio_seconds == 2


def test_control_messages_fill_it_and_are_never_dropped() -> None:
    outbox = Outbox(capacity=2)
    outbox.put(audio("a"))
    assert not outbox.full
    outbox.put(Outgoing("x"))
    outbox.put(Outgoing("y"))
    assert outbox.full
    outbox.put_back([outbox.take()])
    assert outbox.full
    assert taken(outbox) == ["a", "x", "y"]
    assert not outbox.full


# --- Fates ----------------------------------------------------------------------------------


def fate(item: Outgoing) -> Fate:
    assert item.ticket is not None
    return item.ticket.fate


def test_an_answer_confirms_what_was_written_before_it() -> None:
    made = conversation()
    first = send(made, text("one"), 0)
    assert fate(first) is Fate.SENT
    made.received(says("An"), 1)
    assert fate(first) is Fate.CONFIRMED
    second = send(made, text("two"), 2)
    made.received(says("swer"), 3)
    assert fate(second) is Fate.SENT, "output of a running turn is no evidence"


def test_output_that_came_too_soon_after_a_write_is_no_evidence_for_it() -> None:
    made = conversation()
    send(made, text("one"), 0)
    late = send(made, text("two"), 0.99)
    made.received(says("An"), 1)
    assert fate(late) is Fate.SENT


def test_a_message_without_an_answer_is_sent_once_more_after_two_seconds() -> None:
    made = conversation()
    item = send(made, text("one"), 0)
    made.disconnected(GONE, 1)
    made.connected(Ground.RESUMED, 2, None)
    later = text("two")
    made.delivery.outbox.put(later)
    assert not made.delivery.ready, "order: nothing overtakes it"
    made.delivery.tick(3.9)
    assert not made.delivery.ready
    made.delivery.tick(4)
    assert made.delivery.next_batch() == [item, later]
    made.written(4)
    assert item.ticket is not None
    assert item.ticket.replays == 1
    made.disconnected(GONE, 5)
    made.connected(Ground.RESUMED, 6, None)
    assert fate(item) is Fate.UNKNOWN, "nothing is sent a third time"


def test_an_answer_after_the_resume_means_that_it_was_taken() -> None:
    made = conversation()
    item, then = send(made, text("one"), 0), send(made, text("two"), 0)
    made.disconnected(GONE, 1)
    made.connected(Ground.RESUMED, 2, None)
    made.received(says("An"), 3)
    assert fate(item) is Fate.CONFIRMED
    assert fate(then) is Fate.UNKNOWN, "the answer is to the first, and says nothing of the second"
    assert made.delivery.tally.unknown == 1


def test_a_turn_that_was_running_is_no_evidence_when_it_goes_on() -> None:
    made = conversation()
    send(made, text("one"), 0)
    made.received(says("An"), 1)
    item = send(made, text("two"), 2)
    made.disconnected(GONE, 3)
    made.connected(Ground.RESUMED, 4, None)
    made.received(says("An"), 5)
    assert fate(item) is Fate.UNKNOWN


def test_blame_means_that_nothing_is_sent_again() -> None:
    made = conversation()
    item = send(made, text("one"), 0)
    blamed = classify(Close("server", 1007, "Request contains an invalid argument."), Phase.SESSION)
    made.disconnected(blamed, 1)
    made.connected(Ground.RESUMED, 2, None)
    assert fate(item) is Fate.UNKNOWN


def test_a_fresh_session_gets_what_was_not_confirmed_at_once_but_no_tool_answers() -> None:
    made = conversation(reseed=False)
    item = send(made, text("one"), 0)
    answer = send(made, Outgoing("answer", ticket=Ticket(), call_ids=("1",), asks=True), 0)
    queued = Outgoing("queued answer", ticket=Ticket(), call_ids=("2",), asks=True)
    made.disconnected(GONE, 1)
    made.delivery.outbox.put(queued)
    made.connected(Ground.FRESH, 2, None)
    assert made.delivery.next_batch() == [item]
    assert fate(answer) is Fate.DROPPED
    assert fate(queued) is Fate.DROPPED


def test_a_part_of_an_answer_is_never_sent_twice() -> None:
    made = conversation()
    part = Outgoing("part", ticket=Ticket(), call_ids=("1",), partial=True)
    send(made, part, 0)
    made.disconnected(GONE, 1)
    made.connected(Ground.RESUMED, 2, None)
    assert fate(part) is Fate.UNKNOWN


def test_an_answer_to_a_cancelled_call_is_dropped() -> None:
    made = conversation()
    made.disconnected(GONE, 1)
    answer = Outgoing("answer", ticket=Ticket(), call_ids=("1",), asks=True)
    made.delivery.outbox.put(answer)
    cancelled = wire.LiveServerToolCallCancellation(ids=["1"])
    made.received(wire.LiveServerMessage(tool_call_cancellation=cancelled), 2)
    assert fate(answer) is Fate.DROPPED


def test_an_utterance_is_opened_again_on_a_new_connection() -> None:
    made = conversation()
    send(made, Outgoing("start", bracket=Bracket.START), 0)
    made.disconnected(GONE, 1)
    made.delivery.outbox.put(audio("a"))
    made.delivery.outbox.put(Outgoing("end", bracket=Bracket.END))
    made.connected(Ground.RESUMED, 2, None)
    assert [item.bracket for item in made.delivery.next_batch()] == [
        Bracket.START,
        None,
        Bracket.END,
    ]
    made.written(3)
    made.disconnected(GONE, 4)
    made.connected(Ground.RESUMED, 5, None)
    assert not made.delivery.ready


def test_a_write_that_failed_can_not_have_delivered_its_last_frame() -> None:
    made = conversation()
    first, last = text("one"), text("two")
    for item in (first, last):
        made.delivery.outbox.put(item)
    made.delivery.next_batch()
    made.delivery.failed(1)
    made.disconnected(GONE, 1)
    made.connected(Ground.RESUMED, 2, None)
    made.delivery.tick(4)
    assert made.delivery.next_batch() == [first, last]
    assert first.ticket is not None
    assert last.ticket is not None
    assert (first.ticket.replays, last.ticket.replays) == (1, 0)


def test_where_a_handle_restores_its_own_time_only_a_newer_handle_confirms() -> None:
    made = conversation("gemini-2.5-flash-native-audio-latest")
    made.received(update("first"), 0)
    item = send(made, text("one"), 1)
    made.received(says("An"), 2)
    assert fate(item) is Fate.SENT
    made.received(content(turn_complete=True), 3)
    made.received(update("second"), 4)
    assert fate(item) is Fate.CONFIRMED
    again = send(made, text("two"), 5)
    made.received(says("An"), 6)
    made.received(content(turn_complete=True), 7)
    made.disconnected(GONE, 8)
    made.connected(Ground.RESUMED, 9, None)
    made.delivery.tick(11)
    assert made.delivery.next_batch() == [again]


def test_the_store_of_unconfirmed_messages_is_bounded() -> None:
    made = conversation()
    items = [send(made, text(str(n)), 0) for n in range(300)]
    assert [fate(item) for item in items[:44]] == [Fate.UNKNOWN] * 44
    assert fate(items[44]) is Fate.SENT


def test_everything_ends_in_a_last_state() -> None:
    made = conversation()
    sent, queued = send(made, text("one"), 0), text("two")
    made.delivery.outbox.put(queued)
    made.delivery.close("closed")
    assert (fate(sent), fate(queued)) == (Fate.UNKNOWN, Fate.DROPPED)
