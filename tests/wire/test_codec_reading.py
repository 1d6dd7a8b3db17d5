"""What decode makes of frames: golden ones, oddly spelt ones, and wrong ones."""

import base64
import json
from typing import Any

import pytest

from gemini_live_trio import codec, wire
from gemini_live_trio.errors import DecodeError
from gemini_live_trio.testing import same_frame

PCM = bytes(range(64))
STANDARD = base64.b64encode(b"\xfb\xff\xbe\x01").decode()  # with + and /

GOLDEN = {
    "nothing": ({}, wire.LiveServerMessage()),
    "setup complete": (
        {"setupComplete": {"sessionId": "s-81"}},
        wire.LiveServerMessage(setup_complete=wire.LiveServerSetupComplete(session_id="s-81")),
    ),
    "audio": (
        {
            "serverContent": {
                "modelTurn": {
                    "role": "model",
                    "parts": [
                        {
                            "inlineData": {
                                "mimeType": "audio/pcm;rate=24000",
                                "data": base64.b64encode(PCM).decode(),
                            }
                        }
                    ],
                }
            }
        },
        wire.LiveServerMessage(
            server_content=wire.LiveServerContent(
                model_turn=wire.Content(
                    role="model",
                    parts=[
                        wire.Part(inline_data=wire.Blob(mime_type="audio/pcm;rate=24000", data=PCM))
                    ],
                )
            )
        ),
    ),
    "text and thought": (
        {
            "serverContent": {
                "modelTurn": {
                    "parts": [{"text": "**Weighing**\n\n", "thought": True}, {"text": " Yes,"}]
                }
            }
        },
        wire.LiveServerMessage(
            server_content=wire.LiveServerContent(
                model_turn=wire.Content(
                    parts=[
                        wire.Part(text="**Weighing**\n\n", thought=True),
                        wire.Part(text=" Yes,"),
                    ]
                )
            )
        ),
    ),
    "code": (
        {
            "serverContent": {
                "modelTurn": {
                    "parts": [
                        {"executableCode": {"language": "PYTHON", "code": "print(6*7)"}},
                        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}},
                    ]
                }
            }
        },
        wire.LiveServerMessage(
            server_content=wire.LiveServerContent(
                model_turn=wire.Content(
                    parts=[
                        wire.Part(
                            executable_code=wire.ExecutableCode(
                                language=wire.Language.PYTHON, code="print(6*7)"
                            )
                        ),
                        wire.Part(
                            code_execution_result=wire.CodeExecutionResult(
                                outcome=wire.Outcome.OUTCOME_OK, output="42\n"
                            )
                        ),
                    ]
                )
            )
        ),
    ),
    "transcripts": (
        {
            "serverContent": {
                "inputTranscription": {"text": " a table", "languageCode": "en"},
                "interimInputTranscription": {"text": "a tab"},
                "outputTranscription": {"finished": True},
            }
        },
        wire.LiveServerMessage(
            server_content=wire.LiveServerContent(
                input_transcription=wire.Transcription(text=" a table", language_code="en"),
                interim_input_transcription=wire.Transcription(text="a tab"),
                output_transcription=wire.Transcription(finished=True),
            )
        ),
    ),
    "turn end with usage": (
        {
            "serverContent": {
                "turnComplete": True,
                "turnCompleteReason": "NEED_MORE_INPUT",
                "interactionStatus": "IDLE",
            },
            "usageMetadata": {
                "promptTokenCount": 310,
                "responseTokenCount": 20,
                "promptTokensDetails": [
                    {"modality": "AUDIO", "tokenCount": 300},
                    {"modality": "TEXT"},
                ],
            },
        },
        wire.LiveServerMessage(
            server_content=wire.LiveServerContent(
                turn_complete=True,
                turn_complete_reason=wire.TurnCompleteReason.NEED_MORE_INPUT,
                interaction_status=wire.InteractionStatus.IDLE,
            ),
            usage_metadata=wire.UsageMetadata(
                prompt_token_count=310,
                response_token_count=20,
                prompt_tokens_details=[
                    wire.ModalityTokenCount(modality=wire.MediaModality.AUDIO, token_count=300),
                    wire.ModalityTokenCount(modality=wire.MediaModality.TEXT),
                ],
            ),
        ),
    ),
    "grounding": (
        {
            "serverContent": {
                "groundingMetadata": {
                    "webSearchQueries": ["tides"],
                    "groundingChunks": [{"web": {"uri": "https://tides.example", "title": "T"}}],
                    "groundingSupports": [
                        {"segment": {"endIndex": 4}, "groundingChunkIndices": [0]}
                    ],
                }
            }
        },
        wire.LiveServerMessage(
            server_content=wire.LiveServerContent(
                grounding_metadata=wire.GroundingMetadata(
                    web_search_queries=["tides"],
                    grounding_chunks=[
                        wire.GroundingChunk(
                            web=wire.GroundingChunkWeb(uri="https://tides.example", title="T")
                        )
                    ],
                    grounding_supports=[
                        wire.GroundingSupport(
                            segment=wire.Segment(end_index=4), grounding_chunk_indices=[0]
                        )
                    ],
                )
            )
        ),
    ),
    "tool calls": (
        {
            "toolCall": {
                "functionCalls": [
                    {"name": "book", "args": {"slot_time": "15:00", "no": None}, "id": "fc_9"},
                    {"name": "now"},
                ]
            }
        },
        wire.LiveServerMessage(
            tool_call=wire.LiveServerToolCall(
                function_calls=[
                    wire.FunctionCall(
                        name="book", args={"slot_time": "15:00", "no": None}, id="fc_9"
                    ),
                    wire.FunctionCall(name="now"),
                ]
            )
        ),
    ),
    "cancellation": (
        {"toolCallCancellation": {"ids": ["fc_9", "fc_10"]}},
        wire.LiveServerMessage(
            tool_call_cancellation=wire.LiveServerToolCallCancellation(ids=["fc_9", "fc_10"])
        ),
    ),
    "life cycle": (
        {
            "goAway": {"timeLeft": "9.25s"},
            "sessionResumptionUpdate": {
                "newHandle": "h-5",
                "resumable": True,
                "lastConsumedClientMessageIndex": "31",
            },
        },
        wire.LiveServerMessage(
            go_away=wire.LiveServerGoAway(time_left=9.25),
            session_resumption_update=wire.LiveServerSessionResumptionUpdate(
                new_handle="h-5", resumable=True, last_consumed_client_message_index=31
            ),
        ),
    ),
    "voice activity": (
        {
            "serverContent": {},
            "voiceActivity": {"type": "ACTIVITY_END", "audioOffset": "3.5s"},
            "voiceActivityDetectionSignal": {"vadSignalType": "VAD_SIGNAL_TYPE_EOS"},
        },
        wire.LiveServerMessage(
            server_content=wire.LiveServerContent(),
            voice_activity=wire.VoiceActivity(
                voice_activity_type=wire.VoiceActivityType.ACTIVITY_END, audio_offset=3.5
            ),
            voice_activity_detection_signal=wire.VoiceActivityDetectionSignal(
                vad_signal_type=wire.VadSignalType.VAD_SIGNAL_TYPE_EOS
            ),
        ),
    ),
    "error": (
        {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "details": [{"any_thing": 1}]}},
        wire.LiveServerMessage(
            error=wire.RpcStatus(code=429, status="RESOURCE_EXHAUSTED", details=[{"any_thing": 1}])
        ),
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_frames_both_ways(name: str) -> None:
    tree, message = GOLDEN[name]
    for frame in (json.dumps(tree), json.dumps(tree, indent=2).encode() + b"\n"):
        assert codec.decode(frame) == message
    assert same_frame(codec.encode_server(message), tree)


def only(field: str, value: object) -> str:
    return json.dumps({field: value})


# --- Tolerance ------------------------------------------------------------------------------


def test_snake_case_keys_are_read_and_leave_no_trace() -> None:
    frame = json.dumps(
        {
            "server_content": {
                "model_turn": {
                    "parts": [{"inline_data": {"mime_type": "image/png", "data": "AA=="}}]
                }
            }
        }
    )
    message = codec.decode(frame)
    assert message.server_content is not None
    assert message.server_content.model_turn is not None
    blob = message.server_content.model_turn.parts[0].inline_data
    assert blob == wire.Blob(mime_type="image/png", data=b"\0")
    assert b"server_content" not in codec.encode_server(message)


def test_unknown_keys_stay_as_they_came() -> None:
    tree = {
        "newThing": {"a_b": [1, None]},
        "new_other": 2**70,
        "serverContent": {"partial": True, "modelTurn": {"parts": [{"holo": "x"}]}},
    }
    message = codec.decode(json.dumps(tree))
    assert message.extra == {"newThing": {"a_b": [1, None]}, "new_other": 2**70}
    assert message.server_content is not None
    assert message.server_content.extra == {"partial": True}
    assert json.loads(codec.encode_server(message)) == tree


@pytest.mark.parametrize("text", [STANDARD, STANDARD.rstrip("="), "-_--AQ", "-_--AQ=="])
def test_both_base64_alphabets_padded_or_not(text: str) -> None:
    frame = only("serverContent", {"modelTurn": {"parts": [{"thoughtSignature": text}]}})
    for form in (frame, frame.encode()):
        message = codec.decode(form)
        assert message.server_content is not None
        assert message.server_content.model_turn is not None
        (part,) = message.server_content.model_turn.parts
        assert part.thought_signature == b"\xfb\xff\xbe\x01"


@pytest.mark.parametrize(
    ("spelt", "seconds"),
    [
        ("50s", 50.0),
        ("1.500s", 1.5),
        ("0.000000001s", 1e-9),
        ("-2s", -2.0),
        (30, 30.0),
        (2.5, 2.5),
        ({"seconds": 30}, 30.0),
        ({"seconds": "12", "nanos": 100_000_000}, 12.1),
        ({"nanos": "500000000"}, 0.5),
        (None, None),
    ],
)
def test_durations_in_every_form(spelt: object, seconds: float | None) -> None:
    frame = only("goAway", {"timeLeft": spelt})
    message = codec.decode(frame)
    assert message.go_away == wire.LiveServerGoAway(time_left=seconds)
    assert same_frame(codec.encode_server(message), frame)


@pytest.mark.parametrize(
    "spelt",
    [
        "soon",
        "",
        "5",
        "1,5s",
        "1.0000000001s",
        "999999999999s",
        "9" * 30 + "s",
        {},
        {"hours": 1},
        {"seconds": "x"},
        True,
        [],
        1e300,
        {"seconds": 10**15},
        {"seconds": 2**70},
    ],
)
def test_an_unreadable_duration_is_unknown_rather_than_wrong(spelt: object) -> None:
    frame = only("goAway", {"timeLeft": spelt})
    message = codec.decode(frame)
    assert message.go_away == wire.LiveServerGoAway(extra={"timeLeft": spelt})
    assert json.loads(codec.encode_server(message)) == json.loads(frame)


@pytest.mark.parametrize("spelt", ["true", "", 1, 0.0])
def test_an_unreadable_flag_is_unknown_rather_than_wrong(spelt: object) -> None:
    frame = only("sessionResumptionUpdate", {"newHandle": "h", "resumable": spelt})
    update = codec.decode(frame).session_resumption_update
    assert update == wire.LiveServerSessionResumptionUpdate(
        new_handle="h", extra={"resumable": spelt}
    )


def test_enum_names_in_any_case_and_unknown_ones() -> None:
    def reason_of(text: object) -> object:
        content = codec.decode(only("serverContent", {"turnCompleteReason": text})).server_content
        assert content is not None
        return content.turn_complete_reason or content.extra

    assert reason_of("need_more_input") is wire.TurnCompleteReason.NEED_MORE_INPUT
    assert reason_of("Need_More_Input") is wire.TurnCompleteReason.NEED_MORE_INPUT
    assert reason_of("Bored") == "Bored"
    assert reason_of(7) == {"turnCompleteReason": 7}
    usage = codec.decode(only("usageMetadata", {"serviceTier": "FLEX"})).usage_metadata
    assert usage is not None
    assert usage.service_tier is wire.ServiceTier.FLEX


@pytest.mark.parametrize("spelt", [12, "12", 12.0])
def test_whole_numbers_as_number_or_text(spelt: object) -> None:
    update = {"lastConsumedClientMessageIndex": spelt}
    read = codec.decode(only("sessionResumptionUpdate", update)).session_resumption_update
    assert read is not None
    assert read.last_consumed_client_message_index == 12
    usage = codec.decode(only("usageMetadata", {"totalTokenCount": spelt})).usage_metadata
    assert usage is not None
    assert usage.total_token_count == 12


def test_integers_in_arguments_stay_exact_at_any_size() -> None:
    args = {"id": 2**53 + 1, "more": [2**64, -(2**63) - 1, 10**40, 1.5, 1e300]}
    frame = only("toolCall", {"functionCalls": [{"id": 7, "name": "f", "args": args}]})
    message = codec.decode(frame)
    assert message.tool_call is not None
    (call,) = message.tool_call.function_calls
    assert call.id == "7"
    assert call.args == args
    assert json.loads(codec.encode_server(message))["toolCall"]["functionCalls"][0]["args"] == args


def test_ids_are_text_however_long_the_number() -> None:
    calls = {"functionCalls": [{"id": 12073572449839116754}, {"id": 10**25}]}
    message = codec.decode(
        json.dumps({"toolCall": calls, "toolCallCancellation": {"ids": [3, "x"]}})
    )
    assert message.tool_call is not None
    assert [call.id for call in message.tool_call.function_calls] == [
        "12073572449839116754",
        "1" + "0" * 25,
    ]
    assert message.tool_call_cancellation is not None
    assert message.tool_call_cancellation.ids == ("3", "x")


def test_another_name_for_a_field_is_read_and_given_back() -> None:
    tree = {"candidatesTokenCount": 5, "candidates_tokens_details": [{"modality": "AUDIO"}]}
    message = codec.decode(only("usageMetadata", tree))
    assert message.usage_metadata is not None
    assert message.usage_metadata.response_token_count == 5
    assert message.usage_metadata.response_tokens_details == (
        wire.ModalityTokenCount(modality=wire.MediaModality.AUDIO),
    )
    assert json.loads(codec.encode_server(message)) == {"usageMetadata": tree}


def test_several_names_for_a_field_are_all_given_back_and_the_usual_one_counts() -> None:
    for tree in (
        {"responseTokenCount": 25, "candidatesTokenCount": 50},
        {"candidatesTokenCount": 50, "response_token_count": 25},
        {"response_token_count": 1, "responseTokenCount": 25},
    ):
        message = codec.decode(only("usageMetadata", tree))
        assert message.usage_metadata is not None
        assert message.usage_metadata.response_token_count == 25
        assert message.usage_metadata.extra == tree
        assert json.loads(codec.encode_server(message)) == {"usageMetadata": tree}


def test_the_python_name_of_a_renamed_field_is_read_too() -> None:
    message = codec.decode(only("voiceActivity", {"voiceActivityType": "ACTIVITY_START"}))
    assert message.voice_activity is not None
    assert message.voice_activity.voice_activity_type is wire.VoiceActivityType.ACTIVITY_START
    assert b"voiceActivityType" in codec.encode_server(message)


def test_nulls_are_absent() -> None:
    frame = (
        '{"serverContent":{"modelTurn":null,"turn_complete":null,"new":null},"usageMetadata":null}'
    )
    assert codec.decode(frame) == wire.LiveServerMessage(server_content=wire.LiveServerContent())


def test_an_empty_list_is_not_an_absent_one() -> None:
    assert codec.encode_server(codec.decode(b'{"toolCall":{"functionCalls":[]}}')) == (
        b'{"toolCall":{"functionCalls":[]}}'
    )
    assert codec.encode_server(codec.decode(b'{"toolCall":{}}')) == b'{"toolCall":{}}'


# --- Errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tree", "path", "expected", "found"),
    [
        ([], "", "an object", "a list"),
        ("x", "", "an object", 'the text "x"'),
        ({"goAway": "oops"}, "goAway", "an object", 'the text "oops"'),
        (
            {"serverContent": {"modelTurn": {"parts": {}}}},
            "serverContent.modelTurn.parts",
            "a list",
            "an object",
        ),
        (
            {"server_content": {"modelTurn": {"parts": [{}, {"text": 5}]}}},
            "server_content.modelTurn.parts[1].text",
            "text",
            "the number 5",
        ),
        ({"toolCall": {"functionCalls": [None]}}, "toolCall.functionCalls[0]", "an object", "null"),
        (
            {"toolCall": {"functionCalls": [{"args": "{}"}]}},
            "toolCall.functionCalls[0].args",
            "an object",
            'the text "{}"',
        ),
        (
            {"toolCallCancellation": {"ids": [True]}},
            "toolCallCancellation.ids[0]",
            "an id as text",
            "true",
        ),
        (
            {"usageMetadata": {"totalTokenCount": 1.5}},
            "usageMetadata.totalTokenCount",
            "a whole number",
            "the number 1.5",
        ),
        (
            {"usageMetadata": {"candidatesTokenCount": "many"}},
            "usageMetadata.candidatesTokenCount",
            "a whole number",
            'the text "many"',
        ),
        (
            {"serverContent": {"turnComplete": {}}},
            "serverContent.turnComplete",
            "true or false",
            "an object",
        ),
        (
            {"usageMetadata": {"totalTokenCount": {}}},
            "usageMetadata.totalTokenCount",
            "a whole number",
            "an object",
        ),
        ({"setupComplete": "a short one"}, "setupComplete", "an object", 'the text "a short one"'),
        (
            {"setupComplete": "a text with 20 signs"},
            "setupComplete",
            "an object",
            'the text "a text with 20 signs"',
        ),
        (
            {"serverContent": {"modelTurn": {"parts": [{"thoughtSignature": 5}]}}},
            "serverContent.modelTurn.parts[0].thoughtSignature",
            "base64 text",
            "the number 5",
        ),
        ({"serverContent": {"speechState": []}}, "serverContent.speechState", "a name", "a list"),
    ],
)
def test_a_malformed_field_is_named(tree: object, path: str, expected: str, found: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(json.dumps(tree))
    error = caught.value
    assert (error.path, error.expected, error.found) == (path, expected, found)
    assert error.__context__ is None
    assert error.__cause__ is None


@pytest.mark.parametrize("text", ["!!!!", "AAA A", "AA=A", "A", "AAAA=====", "AAAé", "AA\n="])
def test_bad_base64_is_an_error_that_does_not_repeat_it(text: str) -> None:
    part = {"inlineData": {"data": text, "mimeType": "audio/pcm"}}
    frame = only("serverContent", {"modelTurn": {"parts": [part]}})
    for form in (frame, frame.encode()):
        with pytest.raises(DecodeError) as caught:
            codec.decode(form)
        assert caught.value.path == "serverContent.modelTurn.parts[0].inlineData.data"
        assert text not in str(caught.value)


def test_errors_show_neither_keys_nor_media() -> None:
    key = "AI" + "za" * 20
    media = base64.b64encode(bytes(90)).decode()
    for secret in (key, media):
        with pytest.raises(DecodeError) as caught:
            codec.decode(only("setupComplete", secret))
        assert secret[:6] not in str(caught.value)
        assert f"a text of {len(secret)} characters" in str(caught.value)
    with pytest.raises(DecodeError, match="Once upon a time, there…"):
        codec.decode(only("setupComplete", "Once upon a time, there was a session."))


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "{]",
        "nul",
        '{"a":NaN}',
        '{"a":Infinity}',
        '{"a":1e999}',
        '{"a":"\\ud800"}',
        "\ud800",
        b'{"a":"\xff"}',
        b'{"a":"\xe2\x82"}',
        "\ufeff{}",
        "{}{}",
        '{"a":' + "7" * 5_000 + "}",
    ],
)
def test_what_is_no_json_is_an_error_of_the_frame(frame: str | bytes) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(frame)
    assert caught.value.path == ""
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("levels", [201, 300, 1_000, 10_000])
@pytest.mark.parametrize(
    ("head", "opening"), [('{"new":', "["), ('{"new":', '{"a":'), ('{"toolCall":', '{"toolCall":')]
)
def test_depth_is_limited(head: str, opening: str, levels: int) -> None:
    closing = {"[": "]"}.get(opening, "}")
    frame = head + opening * levels + "0" + closing * levels + "}"
    with pytest.raises(DecodeError):
        codec.decode(frame)


def test_the_last_allowed_level_is_allowed_everywhere() -> None:
    for levels, fits in ((199, True), (200, False)):
        frame = '{"new":' + "[" * levels + "]" * levels + "}"
        if fits:
            assert same_frame(codec.encode_server(codec.decode(frame)), frame)
        else:
            with pytest.raises(DecodeError, match="200 levels"):
                codec.decode(frame)


def test_schemas_that_contain_schemas_are_limited_too() -> None:
    def frame(levels: int) -> str:
        schema = '{"items":' * levels + "{}" + "}" * levels
        declaration = '{"name":"f","parameters":' + schema + "}"
        return '{"setup":{"tools":[{"functionDeclarations":[' + declaration + "]}]}}"

    assert codec.decode_client(frame(150)).setup is not None
    for levels in (200, 400, 5_000):
        with pytest.raises(DecodeError):
            codec.decode_client(frame(levels))


def test_long_strings_are_read() -> None:
    text = "x" * (16 * 1024 * 1024)
    for frame in (
        only("new", text),
        only("serverContent", {"outputTranscription": {"text": text}}),
    ):
        assert same_frame(codec.encode_server(codec.decode(frame)), frame)
    with pytest.raises(DecodeError, match="at most"):
        codec.decode(b" " * (64 * 1024 * 1024 + 1))


def test_objects_are_limited() -> None:
    frame = '{"serverContent":{"modelTurn":{"parts":[' + "{}," * 400_000 + "{}]}}}"
    with pytest.raises(DecodeError, match="at most 250,000 objects"):
        codec.decode(frame)
    assert codec.decode('{"new":[' + "0," * 600_000 + "0]}").extra


def test_of_equal_keys_one_wins() -> None:
    message = codec.decode('{"goAway":{"timeLeft":"1s"},"goAway":{"timeLeft":"2s"}}')
    assert message.go_away == wire.LiveServerGoAway(time_left=2.0)


@pytest.mark.parametrize(
    ("tree", "path", "expected"),
    [
        ({"setup": {"labels": []}}, "setup.labels", "an object"),
        ({"setup": {"labels": {"a": 1}}}, "setup.labels.a", "text"),
        (
            {"setup": {"generationConfig": {"topK": "inf"}}},
            "setup.generationConfig.topK",
            "a number",
        ),
        (
            {"setup": {"generationConfig": {"topK": 10**400}}},
            "",
            "JSON",
        ),
        (
            {"setup": {"generationConfig": {"topK": "9" * 400}}},
            "setup.generationConfig.topK",
            "a number",
        ),
    ],
)
def test_malformed_fields_of_clients(tree: object, path: str, expected: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode_client(json.dumps(tree))
    assert (caught.value.path, caught.value.expected) == (path, expected)


def test_client_frames_are_read_as_tolerantly() -> None:
    frame = json.dumps(
        {
            "setup": {
                "model": "models/m",
                "generation_config": {"response_modalities": ["audio"], "topK": 3, "seed": "4"},
                "tools": [
                    {
                        "function_declarations": [
                            {
                                "name": "f",
                                "parameters": {
                                    "type": "object",
                                    "properties": {
                                        "snake_key": {"type": "string", "maxLength": "9"}
                                    },
                                },
                            }
                        ]
                    }
                ],
                "labels": {"team_name": "x", "none": None},
                "contextWindowCompression": {"triggerTokens": "1024", "slidingWindow": {}},
            }
        }
    )
    assert codec.decode_client(frame) == wire.LiveClientMessage(
        setup=wire.LiveClientSetup(
            model="models/m",
            generation_config=wire.GenerationConfig(
                response_modalities=[wire.Modality.AUDIO], top_k=3.0, seed=4
            ),
            tools=[
                wire.Tool(
                    function_declarations=[
                        wire.FunctionDeclaration(
                            name="f",
                            parameters=wire.Schema(
                                type=wire.Type.OBJECT,
                                properties={
                                    "snake_key": wire.Schema(type=wire.Type.STRING, max_length=9)
                                },
                            ),
                        )
                    ]
                )
            ],
            labels={"team_name": "x"},
            context_window_compression=wire.ContextWindowCompressionConfig(
                trigger_tokens=1024, sliding_window=wire.SlidingWindow()
            ),
        )
    )


@pytest.mark.parametrize("frame", [None, {}, 5, ["{}"]])
def test_a_frame_is_text_or_bytes(frame: Any) -> None:
    for read in (codec.decode, codec.decode_client):
        with pytest.raises(TypeError, match="in str or bytes, not as"):
            read(frame)
