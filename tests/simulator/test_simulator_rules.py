"""What the simulator refuses: the service's close codes, in the service's words."""

from __future__ import annotations

from typing import Any

import pytest
import trio.testing
from simulator.raw_client import BIDI, MODEL, Closed, dial, silence

from gemini_live_trio.simulator import PROFILES, open_simulator

INVALID = "Request contains an invalid argument."
UNKNOWN = "Invalid JSON payload received. Unknown name"

Clock = trio.testing.MockClock


async def closed_by(frame: str, **setup: Any) -> Closed:
    """Send a frame, after a setup if one is given, and see how it ends."""
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        if setup:
            await client.set_up(**setup)
        await client.websocket.send_message(frame)
        return await client.closed()


SETUPS = {
    "not json": ("{", 1007, "Invalid JSON payload received. Unexpected token."),
    "not an object": ("[]", 1007, "Invalid JSON payload received."),
    "nothing in it": ("{}", 1007, INVALID),
    "data first": ('{"realtimeInput":{"text":"hi"}}', 1007, INVALID),
    "two roots": (
        f'{{"setup":{{"model":"{MODEL}"}},"clientContent":{{"turnComplete":true}}}}',
        1007,
        INVALID,
    ),
    "an unknown root": ('{"start":{}}', 1007, f'{UNKNOWN} "start": Cannot find field.'),
    "an unknown name in setup": (
        f'{{"setup":{{"model":"{MODEL}","bogusField":1}}}}',
        1007,
        f"{UNKNOWN} \"bogusField\" at 'setup': Cannot find field.",
    ),
    "a misplaced name": (
        f'{{"setup":{{"model":"{MODEL}","generationConfig":{{"outputAudioTranscription":{{}}}}}}}}',
        1007,
        f"{UNKNOWN} \"outputAudioTranscription\" at 'setup.generation_config': Cannot find field.",
    ),
    "a name that only Vertex knows": (
        f'{{"setup":{{"model":"{MODEL}","sessionResumption":{{"transparent":true}}}}}}',
        1007,
        f"{UNKNOWN} \"transparent\" at 'setup.session_resumption': Cannot find field.",
    ),
    "another that only Vertex knows": (
        f'{{"setup":{{"model":"{MODEL}","explicitVadSignal":true}}}}',
        1007,
        f"{UNKNOWN} \"explicitVadSignal\" at 'setup': Cannot find field.",
    ),
    "a name deep in a list": (
        f'{{"setup":{{"model":"{MODEL}","tools":[{{"functionDeclarations":'
        '[{"name":"f","scheduling":"SILENT"}]}]}}',
        1007,
        f"{UNKNOWN} \"scheduling\" at 'setup.tools[0].function_declarations[0]': Cannot",
    ),
    "an unknown enum value": (
        f'{{"setup":{{"model":"{MODEL}","generationConfig":{{"mediaResolution":"HUGE"}}}}}}',
        1007,
        "Invalid value at 'setup.generation_config.media_resolution'",
    ),
    "a value of the wrong kind": (
        f'{{"setup":{{"model":"{MODEL}","generationConfig":{{"temperature":"warm"}}}}}}',
        1007,
        "Invalid value at 'setup.generation_config.temperature'",
    ),
    "no model": ('{"setup":{}}', 1007, INVALID),
    "an unknown model": (
        '{"setup":{"model":"models/gemini-nope-live"}}',
        1008,
        "models/gemini-nope-live is not found for API version v1beta, or is not supported for "
        "bidiGenerateContent. Call ModelService",
    ),
    "a model without its prefix": ('{"setup":{"model":"gemini-3.8-live"}}', 1008, "gemini-3.8"),
    "two modalities": (
        f'{{"setup":{{"model":"{MODEL}","generationConfig":'
        '{"responseModalities":["TEXT","AUDIO"]}}}',
        1007,
        "The requested combination of response modalities (TEXT, AUDIO) is not supported",
    ),
    "text from a voice": (
        f'{{"setup":{{"model":"{MODEL}","generationConfig":{{"responseModalities":["TEXT"]}}}}}}',
        1007,
        "Cannot extract voices from a non-audio request.",
    ),
    "text from 3.1": (
        '{"setup":{"model":"models/gemini-3.1-flash-live-preview",'
        '"generation_config":{"response_modalities":["text"]}}}',
        1011,
        "Internal error encountered.",
    ),
    "a voice for text": (
        '{"setup":{"model":"models/gemini-live-2.5-flash-preview","generationConfig":'
        '{"responseModalities":["TEXT"],"speechConfig":{"languageCode":"en-US"}}}}',
        1007,
        "Cannot extract voices from a non-audio request.",
    ),
    "audio from the transcriber": (
        '{"setup":{"model":"models/gemini-3.5-transcribe-live",'
        '"generationConfig":{"responseModalities":["AUDIO"]}}}',
        1007,
        "The requested combination of response modalities (AUDIO) is not supported",
    ),
    "a thinking level for 3.8": (
        f'{{"setup":{{"model":"{MODEL}","generationConfig":'
        '{"thinkingConfig":{"thinkingLevel":"low"}}}}',
        1007,
        INVALID,
    ),
    "no thinking level for extended thinking": (
        f'{{"setup":{{"model":"{MODEL}-extended-thinking"}}}}',
        1007,
        INVALID,
    ),
    "proactive audio off": (
        f'{{"setup":{{"model":"{MODEL}","proactivity":{{"proactiveAudio":false}}}}}}',
        1007,
        INVALID,
    ),
    "a handle that nobody issued": (
        f'{{"setup":{{"model":"{MODEL}","sessionResumption":{{"handle":"h"}}}}}}',
        1008,
        "BidiGenerateContent session not found",
    ),
}


@pytest.mark.parametrize(("frame", "code", "reason"), SETUPS.values(), ids=SETUPS.keys())
async def test_a_setup_is_refused(
    frame: str, code: int, reason: str, autojump_clock: Clock
) -> None:
    closed = await closed_by(frame)
    assert closed.code == code
    assert closed.reason.startswith(reason)
    assert len(closed.reason.encode()) <= 123


def test_the_reason_is_cut_even_inside_a_character() -> None:
    from gemini_live_trio.simulator._door._socket import cut_reason

    assert cut_reason("é" * 100) == "é" * 61


LATER = {
    "a second setup": (
        f'{{"setup":{{"model":"{MODEL}"}}}}',
        1007,
        "setup must be the first message and only the first",
    ),
    "marks under automatic detection": (
        '{"realtimeInput":{"activityStart":{}}}',
        1007,
        "Explicit activity control is not supported when automatic activity detection is enabled.",
    ),
    "the old way to send media": (
        '{"realtime_input":{"media_chunks":[{"data":"AAAA","mimeType":"audio/pcm"}]}}',
        1007,
        "realtime_input.media_chunks is deprecated. Use audio, video, or text instead.",
    ),
    "a picture in the audio": (
        '{"realtimeInput":{"audio":{"data":"AAAA","mimeType":"image/png"}}}',
        1007,
        INVALID,
    ),
    "sound in the video": (
        '{"realtimeInput":{"video":{"data":"AAAA","mimeType":"audio/pcm"}}}',
        1007,
        INVALID,
    ),
    "no sample rate at all": (
        '{"realtimeInput":{"audio":{"data":"AAAA","mimeType":"audio/pcm;rate=fast"}}}',
        1007,
        INVALID,
    ),
    "bytes that are no base64": (
        '{"realtimeInput":{"audio":{"data":"!!!!","mimeType":"audio/pcm"}}}',
        1007,
        "Invalid value at 'realtime_input.audio.data'",
    ),
    "an unknown name in the input": (
        '{"realtimeInput":{"sound":{}}}',
        1007,
        f"{UNKNOWN} \"sound\" at 'realtime_input': Cannot find field.",
    ),
}


@pytest.mark.parametrize(("frame", "code", "reason"), LATER.values(), ids=LATER.keys())
async def test_a_later_message_is_refused(
    frame: str, code: int, reason: str, autojump_clock: Clock
) -> None:
    closed = await closed_by(frame, model=MODEL)
    assert (closed.code, closed.reason) == (code, reason)


async def test_the_sample_rate_is_fixed(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up()
        await client.send_audio(silence(0.1, 24_000), 24_000)
        await client.send_audio(silence(0.1))
        assert await client.closed() == Closed(
            1007, "Sample rate changed from previously 24000 to 16000, which is not supported."
        )


async def test_an_activity_needs_input(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.set_up(realtimeInputConfig={"automaticActivityDetection": {"disabled": True}})
        await client.send(realtimeInput={"activityStart": {}})
        await client.send(realtimeInput={"activityEnd": {}})
        assert await client.closed() == Closed(1007, "Precondition check failed.")


NO_KEY = (
    "Method doesn't allow unregistered callers (callers without established identity). "
    "Please use API Key or other form of API c"
)
BAD_KEY = "API key not valid. Please pass a valid API key."


@pytest.mark.parametrize(
    ("query", "headers", "closed"),
    [
        ("", [], Closed(1008, NO_KEY)),
        ("?key=", [], Closed(1008, NO_KEY)),
        ("?key=wrong", [], Closed(1007, BAD_KEY)),
        ("", [(b"x-goog-api-key", b"wrong")], Closed(1007, BAD_KEY)),
        ("?key=right", [], None),
        ("?alt=json&key=right", [], None),
        ("", [(b"X-Goog-Api-Key", b"right")], None),
    ],
)
async def test_the_key(
    query: str, headers: list[tuple[bytes, bytes]], closed: Closed | None, autojump_clock: Clock
) -> None:
    async with (
        open_simulator(port=None, api_key="right") as simulator,
        dial(simulator, BIDI + query, headers=headers) as client,
    ):
        if closed is None:
            assert await client.set_up() == [{"setupComplete": {}}]
        else:
            assert await client.refused() == closed


@pytest.mark.parametrize("path", [BIDI, "//" + BIDI[1:], "///" + BIDI[1:], BIDI + "?key=anything"])
@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
async def test_paths_that_lead_in(path: str, version: str, autojump_clock: Clock) -> None:
    async with (
        open_simulator(port=None) as simulator,
        dial(simulator, path.replace("v1beta", version)) as client,
    ):
        assert await client.set_up()


@pytest.mark.parametrize(
    "setup",
    [
        {"generation_config": {"response_modalities": ["audio"]}},
        {"generationConfig": {"mediaResolution": "media_resolution_low"}},
        {"systemInstruction": {"parts": [{"text": "be brief"}], "role": "user"}},
        {"contextWindowCompression": {"triggerTokens": "1024", "slidingWindow": {}}},
        {"tools": [{"functionDeclarations": [{"name": "f", "response": {"type": "string"}}]}]},
        {"tools": [{"functionDeclarations": [{"parametersJsonSchema": {"any_Key": {}}}]}]},
        {"tools": [{"googleSearch": {}}], "realtimeInputConfig": {}},
    ],
)
async def test_what_the_service_is_lenient_about(
    setup: dict[str, Any], autojump_clock: Clock
) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        assert await client.set_up(**setup) == [{"setupComplete": {}}]


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
async def test_every_model_in_the_table_can_be_had(profile: Any, autojump_clock: Clock) -> None:
    level = {"thinkingConfig": {"thinkingLevel": "LOW"}}
    for model in profile.models:
        async with open_simulator(port=None) as simulator, dial(simulator) as client:
            needed: dict[str, Any] = level if profile.thinking_level == "required" else {}
            if profile.translates:
                needed = {"translationConfig": {"targetLanguageCode": "de"}}
            await client.set_up(model=f"models/{model}", generationConfig=needed)


async def test_silence_before_the_setup_has_an_end(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        assert (await client.closed()).reason == "Deadline expired before operation could complete."


async def test_binary_frames_from_the_client_are_read(autojump_clock: Clock) -> None:
    async with open_simulator(port=None) as simulator, dial(simulator) as client:
        await client.websocket.send_message(f'{{"setup":{{"model":"{MODEL}"}}}}'.encode())
        assert await client.receive() == {"setupComplete": {}}
