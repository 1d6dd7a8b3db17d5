"""One entry for each utterance, whatever order its pieces come in."""

import json

import pytest
from books.feeding import (
    COMPLETE,
    EMPTY,
    END,
    GENERATED,
    GOES_ON,
    IDLE,
    INTERRUPTED,
    NOTHING,
    SECOND,
    START,
    calls,
    cancels,
    events_of,
    feed,
    guessed,
    heard,
    said,
    sounds,
    texts,
    thinks,
    writes,
)
from hypothesis import given
from hypothesis import strategies as st

from gemini_live_trio import wire
from gemini_live_trio.transcript import Speaker, TextState, Transcript


def states(transcript: Transcript) -> list[tuple[TextState, str]]:
    return [(entry.state, entry.reason) for entry in transcript]


# --- Orders that were seen on the service ----------------------------------------------------


def test_spoken_turn_on_25() -> None:
    transcript = Transcript()
    feed(
        transcript,
        heard(" What"),
        heard(" time"),
        heard(" is it?"),
        thinks("**Considering**\n\n\n"),
        said(" It"),
        sounds(),
        said(" is"),
        sounds(),
        said(" noon."),
        GENERATED,
        COMPLETE,
    )
    assert texts(transcript) == [("user", " What time is it?"), ("model", " It is noon.")]
    user, model = transcript
    assert (user.state, user.reason) == (TextState.INFERRED, "the model's turn ended")
    assert (model.state, model.reason) == (TextState.FINAL, "")
    assert (user.started, user.ended) == pytest.approx((0.0, 0.2))
    assert (model.started, model.ended) == pytest.approx((0.4, 0.8))
    assert user.closed == model.closed == pytest.approx(1.0)
    assert model.audio_seconds == 2.0


def test_barge_in_on_25_comes_after_generation_complete() -> None:
    transcript = Transcript()
    feed(
        transcript,
        heard("Tell me a story."),
        said("Once upon"),
        sounds(),
        said(" a time"),
        GENERATED,
        INTERRUPTED,
        COMPLETE,
        heard("Stop"),
        heard(" it."),
        said("All right."),
        COMPLETE,
    )
    assert texts(transcript) == [
        ("user", "Tell me a story."),
        ("model", "Once upon a time"),
        ("user", "Stop it."),
        ("model", "All right."),
    ]
    assert transcript[0].reason == "the user interrupted the model"
    assert transcript[1].interrupted_at == len("Once upon a time")


def test_non_blocking_tool_that_interrupts() -> None:
    transcript = Transcript()
    feed(transcript, calls("1"), said("It will"), sounds(), said(" take a moment."), GENERATED)
    transcript.answered(["1"])
    feed(transcript, INTERRUPTED, COMPLETE, said("Sunny."), sounds(), GENERATED, COMPLETE)
    assert texts(transcript) == [("model", "It will take a moment."), ("model", "Sunny.")]
    (use,) = transcript[0].tools
    assert (use.name, use.offset, use.state) == ("get_weather", 0, "answered")


def test_tool_round_on_31() -> None:
    transcript = Transcript()
    transcript.said(Speaker.USER, "Weather?", 0.0)
    feed(transcript, NOTHING, calls("fc_1"), start=0.6)
    transcript.answered(["fc_1"])
    feed(transcript, NOTHING, sounds(b"\0\0"), said("Sun", sound=SECOND), GENERATED, COMPLETE)
    assert texts(transcript) == [("user", "Weather?"), ("model", "Sun")]
    assert [use.state for use in transcript[1].tools] == ["answered"]


def test_38_with_empty_frames_between() -> None:
    transcript = Transcript()
    feed(
        transcript,
        *[EMPTY] * 3,
        NOTHING,
        said("The image ", sound=SECOND),
        EMPTY,
        said("shows a ", sound=SECOND),
        EMPTY,
        said("cat.", sound=SECOND),
        GENERATED,
        COMPLETE,
    )
    assert texts(transcript) == [("model", "The image shows a cat.")]


def test_translation_never_completes_a_turn() -> None:
    transcript = Transcript()
    pieces = [f"{number} " for number in range(4_000)]
    for piece in pieces:
        feed(transcript, heard(piece), said(piece), NOTHING, sounds(bytes(12_000)))
    assert "".join(entry.text for entry in transcript if entry.speaker is Speaker.USER) == "".join(
        pieces
    )
    assert {entry.reason for entry in transcript[:-2]} == {"it was too long for one entry"}


def test_transcription_model() -> None:
    transcript = Transcript()
    feed(transcript, START, guessed("he"), guessed("hello th"))
    assert transcript.interim == "hello th"
    feed(transcript, heard("Hello there."), GENERATED, END, START, heard("Bye."), GENERATED, END)
    assert texts(transcript) == [("user", "Hello there."), ("user", "Bye.")]
    assert states(transcript) == [(TextState.INFERRED, "the service finished writing it down")] * 2
    assert transcript.interim == ""


def test_38_ends_activity_after_the_last_transcript() -> None:
    transcript = Transcript()
    feed(transcript, START, heard("Hi"), heard(" there"), END, said("Hello!"), GENERATED, COMPLETE)
    assert texts(transcript) == [("user", "Hi there"), ("model", "Hello!")]


def test_finished_on_vertex_comes_alone() -> None:
    transcript = Transcript()
    feed(transcript, heard("Hi"), heard(None), heard(None, finished=True))
    assert [(entry.text, entry.state) for entry in transcript] == [("Hi", TextState.FINAL)]
    feed(transcript, heard(None, finished=True), heard("More"))
    assert texts(transcript) == [("user", "Hi"), ("user", "More")]


def test_extended_thinking_speaks_twice() -> None:
    transcript = Transcript()
    feed(
        transcript,
        heard("Why?"),
        said("Let me check."),
        GENERATED,
        GOES_ON,
        said("Because."),
        GENERATED,
        COMPLETE,
        IDLE,
    )
    assert texts(transcript) == [
        ("user", "Why?"),
        ("model", "Let me check."),
        ("model", "Because."),
    ]


def test_speech_that_begins_in_an_answer_is_the_next_turn() -> None:
    transcript = Transcript()
    feed(
        transcript,
        heard("Story!"),
        said("Once"),
        sounds(),
        START,
        heard("No,"),
        INTERRUPTED,
        heard(" stop."),
        COMPLETE,
        said("Fine."),
        COMPLETE,
    )
    assert texts(transcript) == [
        ("user", "Story!"),
        ("model", "Once"),
        ("user", "No, stop."),
        ("model", "Fine."),
    ]


def test_answers_in_text() -> None:
    transcript = Transcript()
    transcript.said(Speaker.USER, "Hi", 0.0)
    feed(transcript, writes("Hel"), writes("lo"), GENERATED, COMPLETE)
    assert [(entry.text, entry.typed) for entry in transcript] == [("Hi", True), ("Hello", True)]


# --- Any order at all ------------------------------------------------------------------------

USER = [heard(text) for text in ("What", " is", " the", " time?")]
MODEL = [said(text) for text in (" It", " is", " noon", ".")]
SOUND = [sounds(bytes(4_800))] * 3


@st.composite
def interleavings(draw: st.DrawFn) -> list[wire.LiveServerMessage]:
    """One turn's pieces in any order that keeps each kind's own."""
    queues = [list(USER), list(MODEL), list(SOUND), [calls("1")], [EMPTY, NOTHING]]
    mixed: list[wire.LiveServerMessage] = []
    while any(queues):
        queue = draw(st.sampled_from([queue for queue in queues if queue]))
        mixed.append(queue.pop(0))
    # Without any output before it, it would mean that nothing is answered.
    first = next(place for place, message in enumerate(mixed) if message in [*MODEL, *SOUND])
    mixed.insert(draw(st.integers(first + 1, len(mixed))), GENERATED)
    trailing = draw(st.integers(0, 2))
    late = [message for message in mixed if message in MODEL][-trailing:] if trailing else []
    ordered = [message for message in mixed if message not in late]
    return [*ordered, COMPLETE, *late]


@given(st.lists(interleavings(), min_size=1, max_size=4))
def test_any_interleaving_gives_the_same_text_and_ends_each_turn_once(
    turns: list[list[wire.LiveServerMessage]],
) -> None:
    transcript = Transcript()
    finals: list[int] = []
    for number, turn in enumerate(turns):
        for update in feed(transcript, *turn, start=number * 10.0, step=0.01):
            if update.state is not TextState.PARTIAL and not update.delta:
                finals.append(update.index)
    user = [entry for entry in transcript if entry.speaker is Speaker.USER]
    model = [entry for entry in transcript if entry.speaker is Speaker.MODEL]
    assert [entry.text for entry in user] == ["What is the time?"] * len(turns)
    assert [entry.text for entry in model] == [" It is noon."] * len(turns)
    assert sorted(finals) == sorted(entry.index for entry in transcript)
    assert [(entry.turn, entry.speaker) for entry in transcript.in_order()] == [
        (number, speaker) for number in range(1, len(turns) + 1) for speaker in Speaker
    ]
    assert [turn.role for turn in transcript.contents()] == ["user", "model"] * len(turns)


@given(
    st.lists(
        st.sampled_from(
            [
                *USER,
                *MODEL,
                *SOUND,
                GENERATED,
                COMPLETE,
                INTERRUPTED,
                START,
                END,
                calls("1"),
                cancels("1"),
                GOES_ON,
                heard(None, finished=True),
                writes("x"),
                thinks("y"),
            ]
        ),
        max_size=40,
    )
)
def test_nothing_is_lost_or_doubled_in_any_order(messages: list[wire.LiveServerMessage]) -> None:
    transcript = Transcript()
    updates = feed(transcript, *messages)
    updates += transcript.end(99.0, "the session ended")
    for speaker in Speaker:
        mine = [entry.text for entry in transcript if entry.speaker is speaker]
        told = [update.delta for update in updates if update.speaker is speaker]
        assert sorted("".join(mine)) == sorted("".join(told))
    assert all(entry.state is not TextState.PARTIAL for entry in transcript)
    assert [entry.index for entry in transcript] == list(range(len(transcript)))
    ordered = transcript.in_order()
    assert sorted(entry.index for entry in ordered) == list(range(len(transcript)))
    assert [entry.turn for entry in ordered] == sorted(entry.turn for entry in transcript)


# --- Whose turn it was -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([said("Rome."), heard("Where?"), sounds()], id="transcript first"),
        pytest.param([sounds(), heard("Where?"), said("Rome.")], id="sound first"),
        pytest.param([calls("1"), heard("Where?"), said("Rome.")], id="tool first"),
        pytest.param([START, END, said("Rome."), heard("Where?"), GENERATED], id="marked"),
    ],
)
def test_a_question_stands_before_its_answer(script: list[wire.LiveServerMessage]) -> None:
    transcript = Transcript()
    feed(transcript, *script, COMPLETE, heard("And then?"), said("More."), COMPLETE)
    assert texts(transcript)[:2] == [("model", "Rome."), ("user", "Where?")]
    assert [(entry.turn, entry.index) for entry in transcript.in_order()] == [
        (1, 1),
        (1, 0),
        (2, 2),
        (2, 3),
    ]
    assert [turn.parts[0].text for turn in transcript.contents()] == [
        "Where?",
        "Rome.",
        "And then?",
        "More.",
    ]
    assert transcript.to_markdown().startswith("**User:** Where?")
    assert json.loads(transcript.to_json())[0]["text"] == "Where?"


def test_what_was_typed_into_an_answer_is_the_next_turn() -> None:
    transcript = Transcript()
    transcript.said(Speaker.USER, "One", 0.0)
    transcript.said(Speaker.USER, "Two", 0.0)
    feed(transcript, said("a"), heard("Spoken"))
    transcript.said(Speaker.USER, "Three", 1.0)
    feed(transcript, said("b"), COMPLETE, said("c", sound=SECOND), COMPLETE, start=1.0)
    assert [(entry.turn, entry.text) for entry in transcript.in_order()] == [
        (1, "One"),
        (1, "Two"),
        (1, "Spoken"),
        (1, "ab"),
        (2, "Three"),
        (2, "c"),
    ]


def test_a_history_keeps_its_order() -> None:
    transcript = Transcript()
    for number in range(3):
        transcript.said(Speaker.USER, f"q{number}", 0.0)
        transcript.said(Speaker.MODEL, f"a{number}", 0.0)
    feed(transcript, heard("q3"), said("a3"), COMPLETE)
    assert [entry.text for entry in transcript.in_order()] == [
        f"{kind}{number}" for number in range(4) for kind in "qa"
    ]
    assert [entry.turn for entry in transcript] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_a_translation_is_in_the_order_in_which_it_began() -> None:
    transcript = Transcript()
    for _ in range(3_000):
        feed(transcript, heard("Guten Tag. "), said("Good day. "))
    assert {entry.turn for entry in transcript} == {1}
    assert len(transcript) > 6
    assert [entry.index for entry in transcript.in_order()] == list(range(len(transcript)))


def test_models_that_only_write_down_have_turns_too() -> None:
    transcript = Transcript()
    feed(transcript, START, heard("One."), GENERATED, END, START, heard("Two."), GENERATED, END)
    assert [entry.turn for entry in transcript] == [1, 2]


# --- Pieces that come late -------------------------------------------------------------------


@pytest.mark.parametrize("ending", [[COMPLETE], [GENERATED, COMPLETE], [INTERRUPTED, COMPLETE]])
def test_a_late_piece_belongs_to_the_answer_that_ended(
    ending: list[wire.LiveServerMessage],
) -> None:
    transcript = Transcript()
    feed(transcript, heard("Count"), said("one two"), sounds(), *ending, said(" three"))
    feed(transcript, heard("stop"), said("ok"), sounds(), COMPLETE, start=1.0)
    assert texts(transcript) == [
        ("user", "Count"),
        ("model", "one two three"),
        ("user", "stop"),
        ("model", "ok"),
    ]
    assert transcript[1].heard == ("one two" if INTERRUPTED in ending else "one two three")


@pytest.mark.parametrize("ending", [[COMPLETE], [GOES_ON], [INTERRUPTED, COMPLETE]])
def test_where_transcript_and_sound_share_frames_a_piece_alone_begins_no_answer(
    ending: list[wire.LiveServerMessage],
) -> None:
    transcript = Transcript()
    feed(transcript, said("one ", sound=SECOND), *ending, START, heard("sto"), said("two"))
    feed(transcript, heard("p"), END, said("ok", sound=SECOND), COMPLETE, start=1.0)
    assert texts(transcript) == [("model", "one two"), ("user", "stop"), ("model", "ok")]


@pytest.mark.parametrize(
    "sign", [heard("And?"), thinks("Hm."), START, said("x", sound=SECOND), calls("1")]
)
def test_elsewhere_a_transcript_may_lead_the_next_answer(sign: wire.LiveServerMessage) -> None:
    transcript = Transcript()
    feed(transcript, said("one"), sounds(), COMPLETE, sign, said("two"), sounds(), COMPLETE)
    assert transcript[0].text == "one"
    assert transcript[-1].text.endswith("two") or transcript[-2].text.endswith("two")


def test_a_piece_that_comes_too_late_begins_an_answer() -> None:
    for ending, seconds in (([COMPLETE], 2.2), ([INTERRUPTED, COMPLETE], 0.8)):
        transcript = Transcript()
        feed(transcript, said("one"), sounds(), *ending)
        feed(transcript, said("two"), start=0.3 + seconds)
        assert texts(transcript) == [("model", "one"), ("model", "two")]


def test_after_a_tools_answer_comes_another() -> None:
    transcript = Transcript()
    feed(transcript, calls("1"), said("Wait."), sounds(), COMPLETE)
    transcript.answered(["1"])
    feed(transcript, said("Sunny."), COMPLETE, start=0.5)
    assert texts(transcript) == [("model", "Wait."), ("model", "Sunny.")]


# --- When it was said ------------------------------------------------------------------------


def test_speech_is_timed_by_its_marks() -> None:
    transcript = Transcript()
    feed(transcript, START, EMPTY, heard("Hel"), END, heard("lo"), said("Hi"), COMPLETE)
    user, _model = transcript
    assert (user.started, user.ended) == pytest.approx((0.0, 0.3))
    assert user.closed == pytest.approx(0.6)


def test_a_transcript_that_comes_after_the_speech_has_its_times() -> None:
    transcript = Transcript()
    feed(transcript, START, START, END, START, END)
    assert feed(transcript, heard("Hello"), start=1.6)
    assert (transcript[0].started, transcript[0].ended) == pytest.approx((0.1, 0.4))
    assert transcript[0].closed is None
    feed(transcript, START, END, start=20.0)  # somebody coughed
    feed(transcript, START, heard("Bye"), END, start=30.0)
    assert (transcript[1].started, transcript[1].ended) == pytest.approx((30.0, 30.2))


def test_a_mark_may_come_when_all_was_written_down() -> None:
    transcript = Transcript()
    feed(transcript, START, heard("Hello."), GENERATED, EMPTY, END)
    assert transcript[0].closed == pytest.approx(0.2)
    assert transcript[0].ended == pytest.approx(0.4)


# --- What was heard --------------------------------------------------------------------------


def test_without_a_player_what_had_come_was_heard() -> None:
    transcript = Transcript()
    feed(transcript, said("One two"), sounds(), INTERRUPTED, said(" three"), COMPLETE)
    (entry,) = transcript
    assert entry.text == "One two three"
    assert entry.heard == "One two"


def test_what_comes_in_the_interruptions_own_frame_was_not_heard() -> None:
    transcript = Transcript()
    both = wire.LiveServerContent(
        interrupted=True, output_transcription=wire.Transcription(text=" three")
    )
    feed(transcript, said("One two"), sounds(), wire.LiveServerMessage(server_content=both))
    assert transcript[0].heard == "One two"


def test_a_player_says_how_much_was_heard() -> None:
    transcript = Transcript()
    feed(transcript, said("one two three four"), *[sounds()] * 4, INTERRUPTED, COMPLETE)
    transcript.played(0, 2.0)
    assert transcript[0].heard == "one two"
    transcript.played(0, 4.0)
    assert transcript[0].heard == "one two three four"
    transcript.played(0, -1.0)
    assert transcript[0].heard == ""


def test_what_was_not_interrupted_was_heard_whole() -> None:
    transcript = Transcript()
    feed(transcript, said("one two"), sounds(), GENERATED, COMPLETE)
    transcript.played(0, 0.1)
    assert transcript[0].heard == "one two"


def test_an_interruption_after_the_end_cuts_what_is_still_playing() -> None:
    def cut(*played: float) -> str:
        transcript = Transcript()
        feed(transcript, said("one two three four"), *[sounds()] * 4, GENERATED, COMPLETE)
        for seconds in played:
            transcript.played(0, seconds)
        feed(transcript, START, heard("Stop"), INTERRUPTED, start=0.8)
        assert transcript[1].text == "Stop"
        return transcript[0].heard

    assert cut(1.0) == "one"
    assert cut(1.0, 3.99) == cut() == "one two three four"


def test_such_an_interruption_is_not_for_an_answer_before() -> None:
    transcript = Transcript()
    feed(transcript, said("one two"), sounds(), COMPLETE)
    transcript.played(0, 0.5)
    feed(transcript, heard("Go"), said("more"), COMPLETE, INTERRUPTED, start=3.0)
    assert [entry.interrupted_at for entry in transcript] == [None, None, None]


def test_the_sound_of_a_long_answer_is_spread_over_its_entries() -> None:
    transcript = Transcript()
    feed(transcript, said("word " * 1_700), *[sounds()] * 2)
    feed(transcript, said("word " * 1_700), said("word " * 100), *[sounds()] * 5)
    first, second, third = transcript
    assert first.audio_seconds == second.audio_seconds == pytest.approx(3.4)
    assert sum(entry.audio_seconds for entry in transcript) == pytest.approx(7.0)
    assert {entry.generation for entry in transcript} == {0}
    transcript.played(0, 5.1)
    assert transcript.sound_of(0) == (7.0, 5.1)
    assert first.interrupted_at is None
    feed(transcript, INTERRUPTED, COMPLETE)
    first, second, third = transcript
    assert first.interrupted_at is None
    assert first.heard == first.text
    assert second.heard.count("word") == 850
    assert third.heard == ""
    transcript.played(0, 0.0)  # the player knows better in the end
    assert [entry.heard for entry in transcript] == ["", "", ""]


def test_a_long_answer_without_a_player_is_cut_in_its_last_entry() -> None:
    transcript = Transcript()
    feed(transcript, said("word " * 1_700), said("one"), INTERRUPTED, said(" two"), COMPLETE)
    first, second = transcript
    assert (first.interrupted_at, second.interrupted_at) == (None, 3)
    assert second.heard == "one"


def test_an_interruption_of_nothing_changes_nothing() -> None:
    transcript = Transcript()
    feed(transcript, heard("Hi"), INTERRUPTED, heard(" there"), said("Yes?"), COMPLETE)
    assert texts(transcript) == [("user", "Hi there"), ("model", "Yes?")]
    assert transcript[1].interrupted_at is None


# --- Seeds, exports, bounds ------------------------------------------------------------------


def test_a_new_conversation_begins_with_what_was_heard_and_delivered() -> None:
    transcript = Transcript()
    transcript.said(Speaker.USER, "One", 0.0)
    feed(transcript, said("a b"), INTERRUPTED, said(" c"), COMPLETE)
    transcript.said(Speaker.USER, "Two", 1.0, delivered=False)
    seeds = [(turn.role, turn.parts[0].text) for turn in transcript.contents()]
    assert seeds == [("user", "One"), ("model", "a b")]
    transcript.confirm(2)
    assert transcript.contents()[-1].parts[0].text == "Two"


def test_seeds_are_bounded_from_the_newest() -> None:
    transcript = Transcript()
    for number in range(10):
        transcript.said(Speaker.USER, f"{number}" * 10, 0.0)
    assert [turn.parts[0].text for turn in transcript.contents(most_characters=25)] == [
        "8" * 10,
        "9" * 10,
    ]


def test_the_oldest_make_room() -> None:
    transcript = Transcript(most_characters=225)
    for number in range(5):
        transcript.said(Speaker.USER, f"{number}" * 10, 0.0)
    assert [entry.index for entry in transcript] == [3, 4]
    assert transcript.dropped == 3
    transcript.confirm(0)
    feed(transcript, said("x"), sounds(), COMPLETE)
    assert transcript[-1].index == 5


def test_entries_without_text_are_bounded_too() -> None:
    transcript = Transcript(most_characters=1_000)
    for _ in range(50):
        feed(transcript, sounds(), COMPLETE)
    assert (len(transcript), transcript.dropped) == (10, 40)


def test_tool_calls_are_bounded() -> None:
    transcript = Transcript()
    feed(transcript, *[calls(f"{number}") for number in range(100)])
    assert [len(entry.tools) for entry in transcript] == [82, 18]
    transcript.answered(["5", "99", "unknown"])
    assert [use.id for entry in transcript for use in entry.tools if use.state == "answered"] == [
        "5",
        "99",
    ]
    small = Transcript(most_characters=1_000)
    feed(small, *[calls(f"{number}") for number in range(1_000)])
    assert len(small) == 1
    small.answered(["0"])
    assert {use.state for use in small[0].tools} == {"open"}


@given(
    st.lists(
        st.sampled_from(
            [*USER, *MODEL, *SOUND, GENERATED, COMPLETE, INTERRUPTED, START, END, calls("1")]
        ),
        max_size=60,
    ),
    st.integers(0, 500),
)
def test_room_is_counted_right_whatever_is_dropped(
    messages: list[wire.LiveServerMessage], room: int
) -> None:
    transcript = Transcript(most_characters=room)
    for number, message in enumerate(messages):
        feed(transcript, message, start=number * 0.1)
        transcript.said(Speaker.USER, "x" * (number % 3), 0.0)
        transcript.played(0, 0.1)
        size = sum(len(entry.text) + 100 + 100 * len(entry.tools) for entry in list(transcript))
        assert size <= room or len(transcript) == 1
        assert [entry.index for entry in transcript] == list(
            range(transcript.dropped, transcript.dropped + len(transcript))
        )
    transcript.end(99.0, "the session ended")
    assert [entry.index for entry in reversed(transcript)] == [entry.index for entry in transcript][
        ::-1
    ]


def test_exports() -> None:
    transcript = Transcript()
    transcript.said(Speaker.USER, "Weather?", 0.0)
    feed(transcript, said("Let me see."), calls("1"), said(" Sun"), INTERRUPTED, COMPLETE)
    transcript.answered(["1"])
    assert transcript.to_markdown() == (
        "**User:** Weather?\n\n"
        "**Model:** Let me see. `get_weather()` answered Sun *(interrupted)*\n"
    )
    user, model = json.loads(transcript.to_json())
    assert (user["speaker"], user["state"], user["typed"]) == ("user", "final", True)
    assert model["tools"][0]["offset"] == len("Let me see.")
    assert model["heard"] == "Let me see. Sun"


def test_closing_says_why() -> None:
    transcript = Transcript()
    feed(transcript, heard("Hel"), said("Y"))
    transcript.end(5.0, "the connection ended")
    assert states(transcript) == [(TextState.INFERRED, "the connection ended")] * 2
    assert [entry.closed for entry in transcript] == [5.0, 5.0]
    feed(transcript, said("es?"), COMPLETE)
    assert texts(transcript)[-1] == ("model", "es?")


def test_updates_tell_what_changed() -> None:
    transcript = Transcript()
    updates = feed(transcript, said("Hel"), said("lo"), COMPLETE)
    assert [(update.delta, update.text, update.state) for update in updates] == [
        ("Hel", "Hel", TextState.PARTIAL),
        ("lo", "Hello", TextState.PARTIAL),
        ("", "Hello", TextState.FINAL),
    ]


def test_events_that_say_nothing_of_it_leave_it_alone() -> None:
    transcript = Transcript()
    for event in events_of(
        [EMPTY, NOTHING, IDLE, wire.LiveServerMessage(go_away=wire.LiveServerGoAway())]
    ):
        assert not transcript.feed(event, 0.0)
    assert len(transcript) == 0
    assert transcript.to_markdown() == ""
