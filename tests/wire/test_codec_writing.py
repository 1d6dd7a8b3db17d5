"""What encode writes, and what it refuses to write."""

import base64
import json
import math
from typing import Any

import pytest

from gemini_live_trio import codec, wire
from gemini_live_trio.errors import LocalProtocolError
from gemini_live_trio.wire import ABSENT

PCM = bytes(range(0, 200, 2))


def realtime(**fields: Any) -> wire.LiveClientMessage:
    return wire.LiveClientMessage(realtime_input=wire.LiveClientRealtimeInput(**fields))


def setup(**fields: Any) -> wire.LiveClientMessage:
    return wire.LiveClientMessage(setup=wire.LiveClientSetup(**{"model": "models/m", **fields}))


def answers(*responses: wire.FunctionResponse) -> wire.LiveClientMessage:
    return wire.LiveClientMessage(
        tool_response=wire.LiveClientToolResponse(function_responses=responses)
    )


def contents(*parts: wire.Part) -> wire.LiveClientMessage:
    return wire.LiveClientMessage(
        client_content=wire.LiveClientContent(turns=[wire.Content(parts=parts)])
    )


GOLDEN = {
    "setup": (
        setup(
            generation_config=wire.GenerationConfig(
                response_modalities=[wire.Modality.AUDIO],
                temperature=0.0,
                thinking_config=wire.ThinkingConfig(include_thoughts=False, thinking_budget=-1),
                model_selection_config=wire.ModelSelectionConfig(),
            ),
            input_audio_transcription=wire.AudioTranscriptionConfig(),
            context_window_compression=wire.ContextWindowCompressionConfig(trigger_tokens=9_000),
            labels={"team_name": "x"},
        ),
        {
            "setup": {
                "model": "models/m",
                "generationConfig": {
                    "responseModalities": ["AUDIO"],
                    "temperature": 0.0,
                    "thinkingConfig": {"includeThoughts": False, "thinkingBudget": -1},
                    "modelConfig": {},
                },
                "inputAudioTranscription": {},
                "contextWindowCompression": {"triggerTokens": "9000"},
                "labels": {"team_name": "x"},
            }
        },
    ),
    "content": (
        wire.LiveClientMessage(
            client_content=wire.LiveClientContent(
                turns=[wire.Content(role="user", parts=[wire.Part(text="Hi")])],
                turn_complete=False,
            )
        ),
        {
            "clientContent": {
                "turns": [{"role": "user", "parts": [{"text": "Hi"}]}],
                "turnComplete": False,
            }
        },
    ),
    "video": (
        realtime(video=wire.Blob(data=b"\xff\xd8", mime_type="image/jpeg")),
        {"realtimeInput": {"video": {"data": "/9g=", "mimeType": "image/jpeg"}}},
    ),
    "text": (realtime(text=""), {"realtimeInput": {"text": ""}}),
    "marks": (
        realtime(activity_start=wire.ActivityStart()),
        {"realtimeInput": {"activityStart": {}}},
    ),
    "stream end": (
        realtime(audio_stream_end=True),
        {"realtimeInput": {"audioStreamEnd": True}},
    ),
    "answer": (
        answers(
            wire.FunctionResponse(
                id="fc_1",
                name="book",
                response={"snake_key": [2**64, None], "deep": {"x": 1.5}},
                scheduling=wire.FunctionResponseScheduling.WHEN_IDLE,
                will_continue=False,
            )
        ),
        {
            "toolResponse": {
                "functionResponses": [
                    {
                        "id": "fc_1",
                        "name": "book",
                        "response": {"snake_key": [2**64, None], "deep": {"x": 1.5}},
                        "scheduling": "WHEN_IDLE",
                        "willContinue": False,
                    }
                ]
            }
        },
    ),
    "no tools any more": (
        wire.LiveClientMessage(
            context_update=wire.LiveClientContextUpdate(
                tools=wire.LiveClientContextUpdateTools(tools=[])
            )
        ),
        {"contextUpdate": {"tools": {"tools": []}}},
    ),
    "something younger": (
        realtime(extra={"hologram": {"depth_map": [1]}}),
        {"realtimeInput": {"hologram": {"depth_map": [1]}}},
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_messages(name: str) -> None:
    message, tree = GOLDEN[name]
    text = codec.encode(message)
    assert json.loads(text) == tree
    assert " " not in text
    assert codec.decode_client(text) == message


def test_only_none_and_absent_are_left_out() -> None:
    tool = wire.Tool(function_declarations=ABSENT)
    assert json.loads(codec.encode(setup(tools=[tool])))["setup"]["tools"] == [{}]
    tool = wire.Tool(function_declarations=[])
    assert json.loads(codec.encode(setup(tools=[tool])))["setup"]["tools"] == [
        {"functionDeclarations": []}
    ]


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 48_000])
def test_audio_is_written_the_same_both_ways(rate_hz: int) -> None:
    blob = wire.Blob(data=PCM, mime_type=f"audio/pcm;rate={rate_hz}")
    text = codec.encode_audio(PCM, rate_hz=rate_hz)
    assert text == codec.encode(realtime(audio=blob))
    assert json.loads(text)["realtimeInput"]["audio"]["data"] == base64.b64encode(PCM).decode()


def test_many_rates_cost_no_memory() -> None:
    for rate_hz in range(10_000, 10_200):
        assert f"rate={rate_hz}" in codec.encode_audio(b"", rate_hz=rate_hz)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(1.5, "1.5s"), (0.0, "0s"), (-0.0, "0s"), (3, "3s"), (1e-9, "0.000000001s")],
)
def test_durations(seconds: float, text: str) -> None:
    message = wire.LiveServerMessage(go_away=wire.LiveServerGoAway(time_left=seconds))
    assert json.loads(codec.encode_server(message)) == {"goAway": {"timeLeft": text}}


def test_raw_objects_are_only_checked_for_being_json() -> None:
    assert codec.encode_raw({"setup": {"snake_key": (1, 2**70)}}) == (
        '{"setup":{"snake_key":[1,' + str(2**70) + "]}}"
    )
    with pytest.raises(LocalProtocolError, match=r"setup\.x: expected a finite number"):
        codec.encode_raw({"setup": {"x": math.nan}})
    with pytest.raises(LocalProtocolError, match="a mapping"):
        codec.encode_raw([])  # type: ignore[arg-type]


# --- Refusals -------------------------------------------------------------------------------

PART = wire.Part(inline_data=wire.Blob(data=b"\0", mime_type="audio/pcm"))
UNNAMED = wire.Tool(function_declarations=[wire.FunctionDeclaration(description="?")])
SCHEMA = wire.Schema(max_length="9")  # type: ignore[arg-type]
SCHEMATIC = wire.FunctionDeclaration(name="f", parameters=wire.Schema(properties={"a b": SCHEMA}))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (wire.LiveClientMessage(), "expected exactly one of its fields, found all of them None"),
        (
            wire.LiveClientMessage(
                client_content=wire.LiveClientContent(),
                tool_response=wire.LiveClientToolResponse(),
            ),
            "found client_content and tool_response",
        ),
        (
            realtime(),
            "realtime_input: expected exactly one of its fields (each is a stream of "
            "its own), found all of them None",
        ),
        (realtime(text="a", audio_stream_end=False), "found text and audio_stream_end"),
        (realtime(text="a", extra={"hologram": 1}), "found text and hologram"),
        (
            realtime(audio=wire.Blob(data=b"")),
            "audio.mime_type: expected a MIME type that begins with audio/, found nothing",
        ),
        (realtime(audio=wire.Blob(data=b"", mime_type="image/png")), 'found the text "image/png"'),
        (
            realtime(video=wire.Blob(data=b"", mime_type="video/mp4")),
            "realtime_input.video.mime_type: expected a MIME type that begins with image/",
        ),
        (
            realtime(audio=wire.Blob(mime_type="audio/pcm")),
            "realtime_input.audio.data: expected bytes, found nothing",
        ),
        (
            realtime(audio=wire.Blob(data=b"\0" * 3, mime_type="audio/pcm;rate=16000")),
            "an even number of bytes, found 3 bytes",
        ),
        (
            realtime(media_chunks=[wire.Blob(data=b"\0", mime_type="AUDIO/PCM")]),
            "realtime_input.media_chunks[0].data",
        ),
        (contents(wire.Part(), PART), "client_content.turns[0].parts[1].inline_data.data"),
        (
            wire.LiveClientMessage(setup=wire.LiveClientSetup()),
            "setup.model: expected a name, found nothing",
        ),
        (setup(model=""), "setup.model: expected a name, found nothing"),
        (setup(tools=[wire.Tool(), UNNAMED]), "setup.tools[1].function_declarations[0].name"),
        (
            setup(tools=[wire.Tool(function_declarations=[SCHEMATIC])]),
            "function_declarations[0].parameters.properties.a b.max_length: expected a whole",
        ),
        (
            setup(system_instruction=wire.Content(parts=[PART])),
            "setup.system_instruction.parts[0].inline_data.data",
        ),
        (
            answers(wire.FunctionResponse(response={})),
            "tool_response.function_responses[0].id: expected the call's id",
        ),
        (
            answers(wire.FunctionResponse(id="1", response={"a": [{"b": math.inf}]})),
            "function_responses[0].response.a[0].b: expected a finite number, found inf",
        ),
        (
            answers(wire.FunctionResponse(id="1", response={"a": {1}})),
            "response.a: expected a JSON value",
        ),
        (
            answers(wire.FunctionResponse(id="1", response={1: 2})),
            "response: expected text as a key",
        ),  # type: ignore[dict-item]
        (
            answers(wire.FunctionResponse(id="1", response={"a": ["x", "\ud800"]})),
            "tool_response.function_responses[0].response.a[1]: expected Unicode text",
        ),
        (
            setup(generation_config=wire.GenerationConfig(temperature=math.nan)),
            "setup.generation_config.temperature: expected a finite number, found nan",
        ),
        (
            setup(generation_config=wire.GenerationConfig(seed=True)),
            "setup.generation_config.seed: expected a whole number, found true",
        ),
        (
            setup(generation_config={"temperature": 1}),
            "expected a GenerationConfig (wire.GenerationConfig), found a dict",
        ),
        (setup(explicit_vad_signal="yes"), 'expected True or False, found the text "yes"'),
        (setup(labels={"a": "\udfff"}), "setup.labels.a: expected Unicode text"),
        (setup(labels={1: "x"}), "setup.labels: expected text as a key"),
        (setup(labels=[1]), "setup.labels: expected a mapping, found a list"),
        (setup(labels={"\udfff": "a"}), "setup.labels: expected Unicode text"),
        (setup(explicit_vad_signal=2**100), "found a number of 101 bits"),
        (setup(model=5), "setup.model: expected text, found the number 5"),
        (setup(extra=[1]), "setup.extra: expected a mapping, found a list"),
        (
            setup(generation_config=wire.GenerationConfig(temperature=True)),
            "setup.generation_config.temperature: expected a number, found true",
        ),
        (
            setup(generation_config=wire.GenerationConfig(seed=b"5")),
            "setup.generation_config.seed: expected a whole number, found 1 bytes",
        ),
        (contents(wire.Part(thought_signature="AA==")), "thought_signature: expected bytes"),
        (contents(wire.Part(thought=object())), "found an object of type object"),
        (setup(extra={"system_instructions": {}}), "did you mean system_instruction?"),
        (setup(extra={"generationConfg": {}}), "did you mean generation_config?"),
        (
            setup(extra={"model": "models/n"}),
            'expected model once, found it again as "model" in extra',
        ),
        (wire.LiveClientMessage(extra={"realtimeInputs": {}}), "did you mean realtime_input?"),
    ],
)
def test_what_would_be_refused_is_refused_here(message: wire.LiveClientMessage, text: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        codec.encode(message)
    assert text in str(caught.value)
    assert caught.value.__context__ is None


def test_only_whole_samples_and_real_rates() -> None:
    with pytest.raises(LocalProtocolError, match="found 3 bytes"):
        codec.encode_audio(b"\0" * 3)
    for rate_hz in (0, -1, 16_000.5, "16000"):
        with pytest.raises(LocalProtocolError, match="hertz"):
            codec.encode_audio(b"", rate_hz=rate_hz)  # type: ignore[arg-type]


def test_other_objects_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match=r"a wire\.LiveClientMessage"):
        codec.encode(wire.LiveClientSetup(model="m"))  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match=r"found a dict .*session\.send_raw"):
        codec.encode({"setup": {}})  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="a LiveServerMessage"):
        codec.encode_server(wire.LiveClientMessage())  # type: ignore[arg-type]


def test_the_path_into_a_circle_is_short() -> None:
    circle: dict[str, Any] = {}
    circle["again"] = circle
    with pytest.raises(LocalProtocolError, match="at most 200 levels") as caught:
        codec.encode_raw(circle)
    assert len(str(caught.value)) < 200
    assert "again.again" in str(caught.value)


@pytest.mark.parametrize("rate_hz", [24_000.0, True, "24000", 0, -1, None, []])
def test_a_rate_is_a_whole_number_even_when_it_equals_one_that_was_used(rate_hz: Any) -> None:
    codec.encode_audio(b"", rate_hz=24_000)
    codec.encode_audio(b"", rate_hz=1)
    with pytest.raises(LocalProtocolError, match="positive whole number"):
        codec.encode_audio(b"", rate_hz=rate_hz)


def test_depth_is_limited() -> None:
    deep: Any = 0
    for _ in range(199):
        deep = [deep]
    for value, fits in ((deep, False), (deep[0][0][0][0], True)):
        message = answers(wire.FunctionResponse(id="1", response={"a": value}))
        if fits:
            assert codec.decode_client(codec.encode(message)) == message
        else:
            with pytest.raises(LocalProtocolError, match="200 levels"):
                codec.encode(message)
    schema = wire.Schema()
    for _ in range(3_000):
        schema = wire.Schema(items=schema)
    declaration = wire.FunctionDeclaration(name="f", parameters=schema)
    with pytest.raises(LocalProtocolError, match="200 levels"):
        codec.encode(setup(tools=[wire.Tool(function_declarations=[declaration])]))


def test_a_server_message_may_hold_what_a_client_may_not() -> None:
    message = wire.LiveServerMessage(
        go_away=wire.LiveServerGoAway(time_left=1.0, extra={"timeleft": 2}),
        setup_complete=wire.LiveServerSetupComplete(),
    )
    assert json.loads(codec.encode_server(message)) == {
        "goAway": {"timeLeft": "1s", "timeleft": 2},
        "setupComplete": {},
    }
    with pytest.raises(LocalProtocolError, match=r"go_away\.time_left: expected seconds"):
        codec.encode_server(wire.LiveServerMessage(go_away=wire.LiveServerGoAway(time_left=1e12)))
