"""What to_events makes of messages, and in which order."""

import json
from typing import Any

import attrs
import pytest

from gemini_live_trio import codec, events, wire
from gemini_live_trio.events import Event


def told(tree: dict[str, Any]) -> list[Event]:
    message = codec.decode(json.dumps(tree))
    made = list(codec.to_events(message))
    assert all(event.message is message for event in made)
    return made


def content(**fields: Any) -> dict[str, Any]:
    return {"serverContent": fields}


def part(**fields: Any) -> dict[str, Any]:
    return content(modelTurn={"parts": [fields]})


def audio(data: str = "AQIDBA==", **fields: Any) -> dict[str, Any]:
    return {"inlineData": {"data": data, **fields}}


EVERYTHING: dict[str, Any] = {
    "mystery": 1,
    "error": {"code": 13, "message": "it broke", "status": "INTERNAL", "details": [{"x": 1}]},
    "usageMetadata": {"totalTokenCount": 4},
    "goAway": {"timeLeft": "50s"},
    "sessionResumptionUpdate": {"newHandle": "h", "resumable": True},
    "toolCallCancellation": {"ids": ["a"]},
    "toolCall": {"functionCalls": [{"id": "b", "name": "f", "args": {"x": 1}}, {"name": "g"}]},
    "voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_SOS"},
    "voiceActivity": {"type": "ACTIVITY_START", "audioOffset": "2s"},
    "serverContent": {
        "riddle": [],
        "turnComplete": True,
        "turnCompleteReason": "NEED_MORE_INPUT",
        "interactionStatus": "IN_PROGRESS",
        "waitingForInput": True,
        "generationComplete": True,
        "interrupted": True,
        "urlContextMetadata": {"urlMetadata": [{"retrievedUrl": "https://x.example"}]},
        "groundingMetadata": {"webSearchQueries": ["q"]},
        "modelTurn": {
            "parts": [
                audio(mimeType="audio/pcm;rate=24000"),
                {"text": " one"},
                {"text": "hm", "thought": True},
            ],
        },
        "outputTranscription": {"text": "spoken"},
        "interimInputTranscription": {"text": "gue"},
        "inputTranscription": {"text": "heard"},
        "speechState": "SPEECH",
    },
    "setupComplete": {"sessionId": "s"},
}


def test_everything_in_one_frame_in_order() -> None:
    usage = wire.UsageMetadata(total_token_count=4)
    made = told(EVERYTHING)
    assert made == [
        events.SetupComplete("s"),
        events.VoiceActivity(wire.VoiceActivityType.ACTIVITY_START, 2.0),
        events.VoiceActivitySignal(wire.VadSignalType.VAD_SIGNAL_TYPE_SOS),
        events.SpeechStateChanged(wire.SpeechState.SPEECH),
        events.InputTranscription("heard", transcription=wire.Transcription(text="heard")),
        events.InterimInputTranscription("gue", transcription=wire.Transcription(text="gue")),
        events.OutputTranscription("spoken", transcription=wire.Transcription(text="spoken")),
        events.ModelAudio(b"\1\2\3\4", 24_000),
        events.ModelText(" one"),
        events.ModelThought("hm"),
        events.Grounding(wire.GroundingMetadata(web_search_queries=["q"])),
        events.UrlContext(
            wire.UrlContextMetadata(
                url_metadata=[wire.UrlMetadata(retrieved_url="https://x.example")]
            )
        ),
        events.Interrupted(),
        events.GenerationComplete(),
        events.WaitingForInput(),
        events.InteractionStatusChanged(wire.InteractionStatus.IN_PROGRESS),
        events.TurnComplete(
            wire.TurnCompleteReason.NEED_MORE_INPUT, wire.InteractionStatus.IN_PROGRESS
        ),
        events.ToolCall("b", "f", {"x": 1}, wire.FunctionCall(id="b", name="f", args={"x": 1})),
        events.ToolCall(None, "g", {}, wire.FunctionCall(name="g")),
        events.ToolCallCancellation(("a",)),
        events.ResumptionUpdate("h", True),
        events.GoAway(50.0),
        events.Usage(usage),
        events.ServerError("it broke", 13, "INTERNAL", ({"x": 1},)),
        events.Unknown("mystery", 1),
        events.Unknown("serverContent.riddle", []),
    ]


def test_the_short_way_makes_the_same_events() -> None:
    """Text and audio are made without __init__; what comes of it must not show that."""
    made = {type(event): event for event in told(EVERYTHING)}
    for event, same in (
        (made[events.ModelText], events.ModelText(" one")),
        (made[events.ModelAudio], events.ModelAudio(b"\1\2\3\4", 24_000)),
    ):
        assert (event, repr(event), hash(event)) == (same, repr(same), hash(same))
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            event.message = None  # type: ignore[misc, assignment]


@pytest.mark.parametrize(
    "tree",
    [
        {},
        content(),
        content(turnComplete=False, interrupted=False, modelTurn={}),
        content(modelTurn={"parts": [{}], "role": "model"}),
        content(modelTurn={"parts": [{"text": ""}]}),
        content(inputTranscription={}, outputTranscription={"text": "", "finished": False}),
        content(groundingMetadata={}, urlContextMetadata={}),
        {"usageMetadata": {}, "toolCall": {"functionCalls": []}, "toolCallCancellation": {}},
    ],
)
def test_what_says_nothing_gives_no_event(tree: dict[str, Any]) -> None:
    assert told(tree) == []


@pytest.mark.parametrize(
    ("mime_type", "rate_hz"),
    [
        ("audio/pcm", 24_000),
        ("audio/pcm;rate=16000", 16_000),
        ("AUDIO/PCM; Rate=48000;channels=1", 48_000),
        ("audio/L16;codec=pcm;rate=8000", 8_000),
        ("audio/pcm;rate=0", 24_000),
        ("audio/pcm;rate=fast", 24_000),
        ("", 24_000),
        (None, 24_000),
    ],
)
def test_audio_has_a_rate(mime_type: str | None, rate_hz: int) -> None:
    named = {} if mime_type is None else {"mimeType": mime_type}
    assert told(part(**audio(**named))) == [events.ModelAudio(b"\1\2\3\4", rate_hz)]


def test_other_media_are_no_audio() -> None:
    (event,) = told(part(**audio(mimeType="video/mp4")))
    assert isinstance(event, events.ModelMedia)
    assert (event.data, event.mime_type) == (b"\1\2\3\4", "video/mp4")
    assert event.part.inline_data is not None


def test_thoughts_are_never_speech() -> None:
    (thought, rest) = told(part(text="hm", thought=True, **audio(mimeType="audio/pcm")))
    assert thought == events.ModelThought("hm")
    assert isinstance(rest, events.ModelPart)
    assert told(part(text="said", thought=False)) == [events.ModelText("said")]


@pytest.mark.parametrize(
    "fields",
    [
        {"fileData": {"fileUri": "gs://b/c", "mimeType": "text/plain"}},
        {"functionCall": {"name": "f"}},
        {"functionResponse": {"name": "f", "response": {}}},
        {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB"}},
        {"audioTranscription": {"text": "a"}},
        {"thought": True},
        {"thoughtSignature": "AQ=="},
        {"inlineData": {"mimeType": "audio/pcm"}},
        {"hologram": 1},
    ],
)
def test_other_parts_arrive_whole(fields: dict[str, Any]) -> None:
    (event,) = told(part(**fields))
    assert isinstance(event, events.ModelPart)
    assert event.part != wire.Part()


def test_a_part_with_several_contents_gives_several_events() -> None:
    kinds = [
        type(event)
        for event in told(
            part(
                text="a",
                **audio(mimeType="image/png"),
                executableCode={"code": "1"},
                codeExecutionResult={"output": "1", "outcome": "OUTCOME_FAILED", "id": "i"},
                fileData={"fileUri": "u"},
                thoughtSignature="AQ==",
            )
        )
    ]
    assert kinds == [
        events.ModelText,
        events.ModelMedia,
        events.ExecutableCode,
        events.CodeResult,
        events.ModelPart,
    ]
    # A note on a part that has an event of its own is at hand in the message.
    assert told(part(text="a", thoughtSignature="AQ==")) == [events.ModelText("a")]


@pytest.mark.parametrize(
    "fields",
    [
        {"finished": True},
        {"languageCode": "de"},
        {"speakerLabel": "1"},
        {"words": [{"word": "a"}]},
        {"startOffset": "0s"},
        {"endOffset": "1s"},
        {"tone": "warm"},
    ],
)
def test_transcriptions_without_text_still_tell_something(fields: dict[str, Any]) -> None:
    (event,) = told(content(outputTranscription=fields))
    assert isinstance(event, events.OutputTranscription)
    assert event.text == ""
    assert event.transcription != wire.Transcription()


def test_the_interaction_status_is_found_at_both_places() -> None:
    idle = wire.InteractionStatus.IDLE
    changed = events.InteractionStatusChanged(idle)
    assert told({"interactionStatus": "IDLE"}) == [changed]
    assert told(content(interactionStatus="idle")) == [changed]
    assert told({**content(turnComplete=True), "interactionStatus": "IDLE"}) == [
        changed,
        events.TurnComplete(None, idle),
    ]


def test_what_is_unknown_or_unreadable_is_told_with_its_place() -> None:
    assert told(content(turnComplete="yes")) == [
        events.Unknown("serverContent.turnComplete", "yes")
    ]
    assert told(content(turnCompleteReason="BORED")) == [
        events.Unknown("serverContent.turnCompleteReason", "BORED")
    ]
    assert told(content(modelTurn={"mood": "good"})) == [
        events.Unknown("serverContent.modelTurn.mood", "good")
    ]
    assert told({"toolCall": {"later": 1}, "toolCallCancellation": {"why": 2}}) == [
        events.Unknown("toolCall.later", 1),
        events.Unknown("toolCallCancellation.why", 2),
    ]
    assert told({"goAway": {"timeLeft": "soon"}}) == [events.GoAway(None)]


def test_empty_objects_that_mean_something_give_events() -> None:
    tree = {"setupComplete": {}, "goAway": {}, "sessionResumptionUpdate": {}, "error": {}}
    assert told(tree) == [
        events.SetupComplete(),
        events.ResumptionUpdate(),
        events.GoAway(),
        events.ServerError(""),
    ]


def test_only_messages_have_events() -> None:
    with pytest.raises(TypeError, match=r"a wire\.LiveServerMessage, not a dict"):
        codec.to_events({})  # type: ignore[arg-type]


EVENTS = [
    cls
    for name in events.__all__
    if isinstance(cls := getattr(events, name), type)
    and issubclass(cls, (events.ServerEvent, events.SessionEvent))
]


@pytest.mark.parametrize("cls", EVENTS, ids=lambda cls: cls.__name__)
def test_every_event_has_a_hash(cls: type[Any]) -> None:
    values: dict[str, Any] = {
        "args": {"a": []},
        "details": ({"a": 1},),
        "value": {"a": 1},
        "part": wire.Part(extra={"a": []}),
        "call": wire.FunctionCall(args={"a": []}),
    }
    fields = {
        field.name: values.get(field.name, "x")
        for field in attrs.fields(cls)
        if field.name != "message"
    }
    assert hash(cls(**fields)) == hash(cls(**fields))


@pytest.mark.parametrize(
    "value", ["s3cret" * 10, {"s3cret": "s3cret"}, ["s3cret"]], ids=["text", "object", "list"]
)
def test_unknown_values_are_not_shown(value: Any) -> None:
    event = events.Unknown("newThing", value)
    assert "s3cret" not in repr(event)
    assert "newThing" in repr(event)
