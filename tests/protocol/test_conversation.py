"""What survives a connection."""

import math

from gemini_live_trio import SessionConfig, wire
from gemini_live_trio._closes import Close, Phase, classify
from gemini_live_trio._conversation import (
    GO_AWAY_DEFAULT,
    GO_AWAY_MARGIN,
    Conversation,
    Kind,
    Outbox,
    Outgoing,
)

GONE = classify(Close("network", 1006), Phase.SESSION)
STALE = classify(Close("server", 1008, "BidiGenerateContent session not found"), Phase.RESUME)


def conversation() -> Conversation:
    setup = SessionConfig(model="m").setup()
    made = Conversation(setup)
    made.connected()
    return made


def update(handle: str | None, resumable: bool | None = True) -> wire.LiveServerMessage:
    return wire.LiveServerMessage(
        session_resumption_update=wire.LiveServerSessionResumptionUpdate(
            new_handle=handle, resumable=resumable
        )
    )


def content(**fields: object) -> wire.LiveServerMessage:
    return wire.LiveServerMessage(server_content=wire.LiveServerContent(**fields))  # type: ignore[arg-type]


def go_away(seconds: float | None) -> wire.LiveServerMessage:
    return wire.LiveServerMessage(go_away=wire.LiveServerGoAway(time_left=seconds))


def handle_of(made: Conversation) -> str | None:
    resumption = made.next_setup().session_resumption
    return resumption.handle if resumption else None


def test_the_newest_usable_handle_is_kept() -> None:
    made = conversation()
    assert handle_of(made) is None
    made.received(update("first"), 0)
    made.received(update(None, resumable=False), 1)
    made.received(update("bad", resumable=False), 1)
    made.received(update("", resumable=True), 1)
    assert handle_of(made) == "first"
    made.received(update("second"), 2)
    made.disconnected(GONE)
    assert made.resumable
    assert handle_of(made) == "second"


def test_a_refused_handle_is_forgotten() -> None:
    made = conversation()
    made.received(update("first"), 0)
    made.disconnected(STALE)
    assert not made.resumable
    assert handle_of(made) is None


def test_announced_history_is_not_announced_again_on_a_resume() -> None:
    setup = wire.LiveClientSetup(
        model="m", history_config=wire.HistoryConfig(initial_history_in_client_content=True)
    )
    made = Conversation(setup)
    assert made.next_setup().history_config is not None
    made.received(update("first"), 0)
    assert made.next_setup().history_config is None


def test_idle_means_leaving_at_once() -> None:
    made = conversation()
    assert made.leave_at(5) == math.inf
    made.received(go_away(50), 5)
    assert made.leave_at(5) == 5


def test_a_turn_may_end_before_we_leave_but_not_past_the_deadline() -> None:
    made = conversation()
    made.received(content(model_turn=wire.Content(parts=[wire.Part(text="One")])), 5)
    made.received(go_away(50), 5)
    assert made.leave_at(5) == 55 - GO_AWAY_MARGIN
    made.received(content(turn_complete=True), 7)
    assert made.leave_at(7) == 7


def test_more_of_the_interaction_keeps_us() -> None:
    made = conversation()
    made.received(content(model_turn=wire.Content(parts=[wire.Part(text="One")])), 0)
    made.received(
        content(turn_complete=True, interaction_status=wire.InteractionStatus.IN_PROGRESS), 1
    )
    made.received(go_away(20), 2)
    assert made.leave_at(2) == 22 - GO_AWAY_MARGIN


def test_an_unreadable_or_short_notice() -> None:
    made = conversation()
    made.received(content(model_turn=wire.Content(parts=[wire.Part(text="One")])), 0)
    made.received(go_away(None), 3)
    assert made.leave_at(3) == 3 + GO_AWAY_DEFAULT - GO_AWAY_MARGIN
    made.received(go_away(0), 4)
    assert made.leave_at(4) == 4
    made.connected()
    assert made.leave_at(4) == math.inf


def audio(name: str, seconds: float = 1.0) -> Outgoing:
    return Outgoing(name, Kind.AUDIO, seconds)


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


def test_what_could_not_be_written_is_the_next_again() -> None:
    outbox = Outbox(audio_seconds=2)
    outbox.put(audio("a"))
    outbox.put(audio("b"))
    first = outbox.take()
    outbox.put(audio("c"))
    outbox.put_back(first)
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
    outbox.put_back(outbox.take())
    assert outbox.full
    assert taken(outbox) == ["a", "x", "y"]
    assert not outbox.full
